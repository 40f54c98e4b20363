"""The one place where facade tensors keep their values: a buffer on a device, or nothing but an array on the host."""

from typing import TYPE_CHECKING, Any

from tt_jax.memory import Buffer, BufferType

if TYPE_CHECKING:
    from tt_jax.ttnn.device import Device

HOST_BUFFER = Buffer(BufferType.DRAM, 0, 0)
"""The buffer of a host tensor: of size 0, so live in every memory state."""


class Storage:
    """What the handles of one buffer share. The buffer is released when the last of them goes, whatever the garbage collector does.

    Attributes:
        device: whose memory the buffer is in; None for a host tensor.
        array: the values, in the shape of whichever tensor wrote last (row-major: views reshape it).
        buffer: None once it is deallocated.
    """

    __slots__ = ("__weakref__", "array", "buffer", "device")

    def __init__(self, device: "Device | None", array: Any, buffer: Buffer | None):
        self.device = device
        self.array = array
        self.buffer = buffer

    def __del__(self) -> None:
        if self.device is not None and self.buffer is not None:
            self.device.release(self.buffer)

    def free(self) -> None:
        """Deallocate now; freeing twice does nothing."""
        buffer, self.buffer = self.buffer, None
        if buffer is not None:
            self.array = None
            if self.device is not None:
                self.device.release(buffer)

    def abandon(self) -> Buffer | None:
        """The buffer, which nobody will release any more: its owner is another."""
        buffer, self.buffer = self.buffer, None
        return buffer


class BorrowedStorage(Storage):
    """A buffer that belongs to a caller (`functionalize`): the end of its handles does not free it, `free` does."""

    __slots__ = ()

    def __del__(self) -> None:
        """Nothing to release."""
