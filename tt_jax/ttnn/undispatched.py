"""Operations that validate, allocate nothing and run nothing: what a graph capture in NO_DISPATCH mode does to the open devices.

Source: spec/memory.md section 6 (measured): allocation is mocked (address 0, never out of memory), programs are neither kept nor
run, and their static buffers are still checked against the L1 buffers that are really allocated.
"""

import jax

from tt_jax.context import Context
from tt_jax.events import Event
from tt_jax.memory import Buffer, BufferType, MemoryState
from tt_jax.program_cache import ProgramCache
from tt_jax.ttnn.device import Device, open_devices
from tt_jax.ttnn.tensor import Tensor


class _Nowhere(Buffer):
    """A buffer that takes no memory, so is live in every state. Unlike other buffers it equals itself only."""

    __slots__ = ()
    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


@jax.tree_util.register_static
class _Unallocating(MemoryState):
    """The memory of a device in which allocation takes nothing, and so always succeeds. What was live before can be freed."""

    __slots__ = ()

    @classmethod
    def of(cls, memory: MemoryState) -> "_Unallocating":
        return cls(memory.device, memory._banks)

    def allocated(self) -> MemoryState:
        """What is really allocated, as an ordinary state."""
        return MemoryState(self.device, self._banks)

    def allocate(self, buffer_type: BufferType, size: int) -> tuple["MemoryState", Buffer]:
        return self, _Nowhere(buffer_type, 0, 0)

    def _with(self, buffer_type: BufferType, bank: object) -> "MemoryState":
        return type(self).of(super()._with(buffer_type, bank))  # type: ignore[arg-type]  # a Bank


class Undispatched:
    """The open devices without dispatch, from now until `restore`."""

    def __init__(self) -> None:
        self._devices = [(device, device.context) for device in open_devices()]
        for device, context in self._devices:
            programs = ProgramCache()
            programs.disable_and_clear()
            device.context = Context(programs, context.origins, computes=False)
            device.memory = _Unallocating.of(device.memory)

    def restore(self) -> None:
        """Give the devices their memory and programs back; buffers that existed before and were freed since are freed."""
        for device, context in self._devices:
            memory = device.memory
            assert isinstance(memory, _Unallocating)
            device.memory, device.context = memory.allocated(), context

    def is_hit(self, device: Device | None, event: Event) -> bool:
        """Whether the device's own program cache has the program of a launch."""
        assert event.launch is not None
        contexts = [context for held, context in self._devices if held is device]
        return bool(contexts) and contexts[0].programs.holds(event.launch.program.entry)


class Preserved:
    """The values of `handles`, to be put back after a call that wrote none: an operation in place gives a tensor without values."""

    def __init__(self, handles: list[Tensor]):
        self._before = [
            (handle, handle._storage.tensor) for handle in handles
        ]  # no more references to a storage: it counts them

    def restore(self) -> None:
        """Put back what the call replaced by a tensor without values."""
        for handle, before in self._before:
            now = handle._storage.tensor
            if now is not None and isinstance(now.array, jax.ShapeDtypeStruct):
                handle._storage.tensor = before
