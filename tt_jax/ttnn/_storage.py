"""The one place where facade tensors keep their values: a buffer on a device, or nothing but an array on the host."""

import weakref
from typing import TYPE_CHECKING, Any

from tt_jax.memory import Buffer, BufferType
from tt_jax.tensor import Tensor

if TYPE_CHECKING:
    from tt_jax.ttnn.device import Device

HOST_BUFFER = Buffer(BufferType.DRAM, 0, 0)
"""The buffer of a host tensor: of size 0, so live in every memory state."""


class Storage:
    """What the handles of one buffer share. The buffer is released when the last of them goes, whatever the garbage collector does.

    Attributes:
        device: whose memory the buffer is in; None for a host tensor.
        tensor: the functional tensor that wrote the buffer last (views reshape its array); None once it is deallocated.
    """

    __slots__ = ("__weakref__", "device", "tensor")

    def __init__(self, device: "Device | None", tensor: Tensor | None):
        self.device = device
        self.tensor = tensor
        if device is not None and device.is_functional:
            device.made.append(weakref.ref(self))

    def __del__(self) -> None:
        if self.device is not None and self.tensor is not None:
            self.device.release(self.tensor.buffer)

    @property
    def buffer(self) -> Buffer | None:
        """Where it is; None once it is deallocated."""
        return None if self.tensor is None else self.tensor.buffer

    def write(self, array: Any) -> None:
        """Put `array`, of as many elements and the same carrier, into the buffer."""
        assert self.tensor is not None
        self.tensor = Tensor(array.reshape(self.tensor.array.shape), self.tensor.spec, self.tensor.buffer)

    def free(self) -> None:
        """Deallocate now; freeing twice does nothing."""
        tensor, self.tensor = self.tensor, None
        if tensor is not None and self.device is not None:
            self.device.release(tensor.buffer)

    def abandon(self) -> None:
        """Give the buffer up without releasing it: its owner is another."""
        self.tensor = None


class BorrowedStorage(Storage):
    """A buffer that belongs to a caller (`functionalize`): the end of its handles does not free it, `free` does."""

    __slots__ = ()

    def __del__(self) -> None:
        """Nothing to release."""
