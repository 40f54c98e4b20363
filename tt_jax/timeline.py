"""What a program did to a device's memory, step by step: the observer behind plans."""

import dataclasses
from typing import NamedTuple

from tt_jax.context import Context
from tt_jax.errors import OutOfMemoryError
from tt_jax.events import Event, Refusal
from tt_jax.footprint import Footprint
from tt_jax.memory import Buffer, BufferType, MemoryState
from tt_jax.origins import Origin, Site, call_site
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.work import Cost, cost_of


class Step(NamedTuple):
    """One change of the memory, or one launch. Bytes are per bank.

    Attributes:
        name: of the operation, or "deallocate".
        site: the user's line, None if no line of theirs asked for it (a tensor whose last reference went).
        outputs: specs and places of the tensors it gave.
        l1, dram: allocated after it.
        is_launch: whether a program ran.
        footprint: what that program kept in L1, None where that is not known.
        is_hit: whether the program cache had it.
        cost: what the program had at least to do.
        error: why it did not fit, None if it did.
    """

    name: str
    site: Site | None
    outputs: tuple[tuple[TensorSpec, Buffer], ...]
    l1: int
    dram: int
    is_launch: bool = False
    footprint: Footprint | None = None
    is_hit: bool = False
    cost: Cost | None = None
    error: OutOfMemoryError | None = None


@dataclasses.dataclass(slots=True)
class Lifetime:
    """A buffer, from the step that allocated it to the step that freed it; steps count from 0.

    Attributes:
        buffer: its place.
        origin: the tensor and what made it, None if that was not seen.
        first: the step that allocated it; -1 if it was there before.
        last_use: the last step that read or wrote it.
        end: the step that freed it, None if it is live at the end.
    """

    buffer: Buffer
    origin: Origin | None
    first: int
    last_use: int
    end: int | None = None

    def is_live_at(self, step: int) -> bool:
        """Whether it is allocated when `step` is over."""
        return self.first <= step and (self.end is None or step < self.end)


class Timeline:
    """Steps and lifetimes of one device's memory, recorded event by event (`tt_jax.events.observed_by(timeline, timeline.refused)`).

    Events of other contexts are not its own, and pass.
    """

    def __init__(self, memory: MemoryState, context: Context):
        self.before = memory
        self.memory = memory
        self.context = context
        self.steps: list[Step] = []
        self.lifetimes: list[Lifetime] = []
        self._live: dict[Buffer, Lifetime] = {}
        self._l1, self._dram = (memory.view(kind).total_bytes_allocated_per_bank for kind in (BufferType.L1, BufferType.DRAM))
        for buffer in memory.buffers():
            self._open(buffer, -1)

    def __call__(self, event: Event) -> None:
        if event.context is None or event.context.origins is not self.context.origins:
            return
        self.reach(event.before)
        step = len(self.steps)
        for x in event.inputs:
            if type(x) is Tensor and (lifetime := self._live.get(x.buffer)):
                lifetime.last_use = step
        for buffer in event.freed:
            self._close(buffer, step)
        for buffer in event.allocated:
            self._open(buffer, step)
        for y in event.outputs:
            if lifetime := self._live.get(y.buffer):
                lifetime.last_use = step
        self.memory = event.after
        outputs = tuple((y.spec, y.buffer) for y in event.outputs)
        base = Step(event.name, event.site or call_site(), outputs, self._l1, self._dram)
        if (launch := event.launch) is not None:
            cost = cost_of(launch, event)
            base = base._replace(is_launch=True, footprint=launch.footprint, is_hit=launch.is_hit, cost=cost)
        self.steps.append(base)

    def refused(self, refusal: Refusal) -> None:
        """Take in a step that did not fit: with its program's own buffers, and the outputs that had found a place."""
        if refusal.context.origins is not self.context.origins:
            return
        self.reach(refusal.before)
        step = len(self.steps)
        for y in refusal.outputs:
            self._open(y.buffer, step)
        outputs = tuple((y.spec, y.buffer) for y in refusal.outputs)
        footprint = refusal.footprint
        self.steps.append(
            Step(refusal.name, call_site(), outputs, self._l1, self._dram, footprint=footprint, error=refusal.error)
        )
        for y in refusal.outputs:
            self._close(y.buffer, step + 1)

    def reach(self, memory: MemoryState) -> None:
        """The program is at `memory`: not that of the last step if it goes on from an older state, or changed it by itself."""
        if memory is self.memory or memory == self.memory:
            return
        difference = memory.diff(self.memory)
        for buffer in difference.freed:
            self._close(buffer, len(self.steps))
        for buffer in difference.allocated:
            self._open(buffer, len(self.steps))
        self.memory = memory

    def _open(self, buffer: Buffer, step: int) -> None:
        if buffer.size == 0:
            return
        lifetime = Lifetime(buffer, self.context.origins.find(buffer), step, step)
        self.lifetimes.append(lifetime)
        self._live[buffer] = lifetime
        if step >= 0:  # what was there before is counted
            self._count(buffer, buffer.size)

    def _close(self, buffer: Buffer, step: int) -> None:
        lifetime = self._live.pop(buffer, None)
        if lifetime is not None:
            lifetime.end = step
            self._count(buffer, -buffer.size)

    def _count(self, buffer: Buffer, size: int) -> None:
        if buffer.buffer_type is BufferType.L1:
            self._l1 += size
        elif buffer.buffer_type is BufferType.DRAM:
            self._dram += size
