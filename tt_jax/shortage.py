"""Errors for memory that does not suffice: who is in the way, where it was made, and what would make room.

The figures are per bank or core, as the allocator counts. Advice is tried before it is given: the operation is placed once more in
the memory that would be left.
"""

import dataclasses
import itertools
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tt_jax.dtypes import bfloat8_b, bfloat16, float32
from tt_jax.errors import L1ClashError, OutOfMemoryError
from tt_jax.footprint import Footprint, FreeL1
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, Block, Buffer, BufferType, MemoryState
from tt_jax.origins import Origins
from tt_jax.tensor import Tensor, TensorSpec

_LISTED = 5
_TRIED = 1000
"""Single buffers that are tried, the smallest first."""


class Need(NamedTuple):
    """What is to have a place at once: new tensors, in this order, and the static buffers of a program, by the L1 that is free."""

    outputs: tuple[TensorSpec, ...]
    footprint: Callable[[FreeL1], Footprint | None] = lambda free: None


@dataclasses.dataclass(frozen=True, eq=False)
class Demand:
    """What an operation asks of the memory that it is given.

    Attributes:
        name: of the operation.
        need: what it places.
        other: `(changes, in_dram) -> Need`: what it would place with other arguments (`dtype`, `memory_config`), and with the inputs
            at the indices `in_dram` in DRAM; None where it takes no such argument, or not that value.
        inputs: its tensors.
        given: the tensor that takes its output.
        moves: it frees its first input before it places anything.
    """

    name: str
    need: Need
    other: Callable[[Mapping[str, Any], Collection[int]], Need | None]
    inputs: Sequence[Tensor] = ()
    given: Tensor | None = None
    moves: bool = False

    def role_of(self, buffer: Buffer) -> str:
        """What the operation has `buffer` for; empty where it may go."""
        if any(x.buffer == buffer for x in self.inputs):
            return "an input of this operation"
        return "its output tensor" if self.given is not None and self.given.buffer == buffer else ""


def out_of_memory(
    demand: Demand, before: MemoryState, memory: MemoryState, spec: TensorSpec, origins: Origins
) -> OutOfMemoryError:
    """The error for a tensor of `spec`, one of those that `demand` places, for which `memory` has no free block.

    `before` is the memory that the operation was given, without those of its outputs that are in `memory` already.
    """
    kind = spec.memory_config.buffer_type
    view = memory.view(kind)
    size = spec.bytes_per_bank(memory.device)
    return OutOfMemoryError(
        f"Out of Memory: {demand.name} on {memory.device.name} cannot place {spec}: it takes {size:,} B in each of "
        f"{_banks(memory, spec)}; of {view.total_bytes_per_bank:,} B there, {view.total_bytes_free_per_bank:,} are free, "
        f"{view.largest_contiguous_bytes_free_per_bank:,} in the largest hole. {_listed(demand, before, kind, origins)} "
        f"Next: {', or '.join(_ways_out(demand, before, memory, spec, size, origins))}."
    )


def clash(demand: Demand, footprint: Footprint, before: MemoryState, after: MemoryState, origins: Origins) -> L1ClashError:
    """The error for a program whose static buffers reach into live ones, or beyond L1; `after` has its outputs allocated."""
    end = after.region(BufferType.L1).start + footprint.size
    cores = ", ".join(f"({part.start.x}, {part.start.y}) to ({part.end.x}, {part.end.y})" for part in footprint.cores.ranges())
    asked = f"{demand.name}: its program keeps {footprint.size:,} B of {footprint.kind} buffers on cores {cores}, up to address {end:,}, "
    if end > after.device.l1_size:
        return L1ClashError(f"{asked}but L1 ends at {after.device.l1_size:,}. Use a larger core grid or smaller blocks")
    lowest = after.lowest_occupied(BufferType.L1)
    assert lowest is not None
    blame = "" if before.lowest_occupied(BufferType.L1) == lowest else ", by its own output"
    ways = _ways_to_make_room(demand, before, BufferType.L1, origins)
    if _runs_with_outputs_in_dram(demand, before):
        ways.append("put its output into DRAM")
    ways.append("use a larger core grid or smaller blocks")
    return L1ClashError(
        f"{asked}but L1 is allocated down to {lowest:,}{blame}. {_listed(demand, before, BufferType.L1, origins)} "
        f"{end - lowest:,} B per core are wanted, the output counted. Next: {', or '.join(ways)}."
    )


def _runs(need: Need, memory: MemoryState, given: MemoryState | None = None) -> bool:
    """Whether `need` has room in `memory`; `given` is the memory before the operation freed what it moves."""
    after = memory
    try:
        for spec in need.outputs:
            after, _ = after.allocate(spec.memory_config.buffer_type, spec.bytes_per_bank(memory.device))
    except OutOfMemoryError:
        return False
    free = FreeL1.between(given or memory, after)
    footprint = need.footprint(free)
    return footprint is None or footprint.size <= free.after


def _runs_without(demand: Demand, before: MemoryState, kind: BufferType, blocks: Iterable[Block]) -> bool:
    """Whether the operation runs once `blocks` are deallocated."""
    for block in blocks:
        before = before.deallocate(Buffer(kind, *block))
    return _runs_in(demand, before)


def _runs_in(demand: Demand, before: MemoryState) -> bool:
    return _runs(demand.need, _without_moved(demand, before), before)


def _without_moved(demand: Demand, before: MemoryState) -> MemoryState:
    return before.deallocate(demand.inputs[0].buffer) if demand.moves else before


def _banks(memory: MemoryState, spec: TensorSpec) -> str:
    """The banks that a tensor of `spec` takes, in words."""
    config = spec.memory_config
    shards = config.shard_spec or config.nd_shard_spec
    if config.is_sharded() and shards is not None:
        return f"the {shards.num_cores()} banks of {shards.grid}"
    return f"{memory.num_banks(config.buffer_type)} banks"


def _listed(demand: Demand, memory: MemoryState, kind: BufferType, origins: Origins) -> str:
    """The largest live buffers."""
    blocks = sorted(memory.live(kind), key=lambda block: -block.size)
    if not blocks:
        return "Nothing is live there."
    lines = "; ".join(_named(demand, kind, block, origins) for block in blocks[:_LISTED])
    more = f" and {len(blocks) - _LISTED} more" if len(blocks) > _LISTED else ""
    return f"Largest live buffers, per bank: {lines}{more}."


def _named(demand: Demand, kind: BufferType, block: Block, origins: Origins) -> str:
    """A block, what made it, and whether the operation needs it."""
    buffer = Buffer(kind, *block)
    origin = origins.find(buffer)
    known = ", ".join(filter(None, (str(origin or ""), demand.role_of(buffer))))
    return f"{block.size:,} B at {block.address:,}" + (f" ({known})" if known else "")


def _ways_out(
    demand: Demand, before: MemoryState, memory: MemoryState, spec: TensorSpec, size: int, origins: Origins
) -> list[str]:
    """What would make room. Only what is sure to help is named, where anything is."""
    config = spec.memory_config
    kind = config.buffer_type
    view = memory.view(kind)
    hole = view.largest_contiguous_bytes_free_per_bank
    ways = _ways_to_make_room(demand, before, kind, origins)
    missing = size - view.total_bytes_free_per_bank
    if not ways and 0 < missing <= sum(block.size for block in _loose(demand, before, kind)):
        ways.append(f"deallocate at least {missing:,} B per bank")
    if config.is_sharded():
        shards = config.shard_spec or config.nd_shard_spec
        if shards is not None and hole and (cores := -(-size * shards.num_cores() // hole)) <= memory.num_banks(kind):
            ways.append(f"shard it over at least {cores} cores")
    else:
        if spec.dtype in (bfloat16, float32) and spec.layout is Layout.TILE:
            narrow = demand.other({"dtype": bfloat8_b}, ())
            if narrow is not None and _runs(narrow, _without_moved(demand, before), before):
                ways.append("make it bfloat8_b, which fits")
        if kind is BufferType.L1 and _runs_with_outputs_in_dram(demand, before):
            ways.append("place it in DRAM, where it fits")
    if kind is BufferType.L1_SMALL:
        ways.append("open the device with a larger l1_small_size")
    if ways:
        return ways
    if size > view.total_bytes_per_bank:
        return ["split it: it is larger than a whole bank"]
    return ["split it: what the operation needs at once does not fit"]


def _ways_to_make_room(demand: Demand, before: MemoryState, kind: BufferType, origins: Origins) -> list[str]:
    """What to free, join or move so that the operation runs: the first of these that suffices, or nothing."""
    if single := _single_to_free(demand, before, kind):
        return [f"deallocate {_together(demand, kind, [single], origins)}, which alone makes room"]
    if _runs_when_joined(demand, before, kind):
        return ["`reallocate` live buffers, to join the holes"]
    if blocks := _several_to_free(demand, before, kind):
        which = ""
        if len(blocks) > _LISTED:
            end = "highest" if before.region(kind).bottom_up else "lowest"
            which = f"the {len(blocks)} {end} live buffers that this operation does not need: "
        return [f"deallocate {which}{_together(demand, kind, blocks, origins)}, which together make room"]
    if inputs := _inputs_to_move(demand, before, kind):
        blocks = [Block(*x.buffer[1:]) for x in inputs]
        return [f"move {_together(demand, kind, blocks, origins)} to DRAM, which makes room"]
    return []


def _together(demand: Demand, kind: BufferType, blocks: Sequence[Block], origins: Origins) -> str:
    """The first of some blocks, by name, and how many more there are."""
    names = [f"the {_named(demand, kind, block, origins)}" for block in blocks[:_LISTED]]
    if len(blocks) > _LISTED:
        names.append(f"{len(blocks) - _LISTED} more, {sum(block.size for block in blocks):,} B in all")
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _loose(demand: Demand, memory: MemoryState, kind: BufferType) -> list[Block]:
    """The live blocks that the operation can do without, by address."""
    needed = {x.buffer[1:] for x in (*demand.inputs, demand.given) if x is not None and x.buffer.buffer_type is kind}
    return [block for block in memory.live(kind) if block not in needed]


def _single_to_free(demand: Demand, before: MemoryState, kind: BufferType) -> Block | None:
    """The smallest block of `before` without which the operation runs, None if none is enough (or it was not among those tried)."""
    region, memory = before.region(kind), _without_moved(demand, before)
    blocks, loose = memory.live(kind), set(_loose(demand, before, kind))
    ends = (region.start, *(block.end for block in blocks))  # of the block below, or where the region starts
    starts = (*(block.address for block in blocks[1:]), region.end)
    sizes = [spec.bytes_per_bank(before.device) for spec in demand.need.outputs if spec.memory_config.buffer_type is kind]
    least = min(sizes, default=0)
    opened = [block for block, end, start in zip(blocks, ends, starts, strict=False) if start - end >= least and block in loose]
    if kind is BufferType.L1 and not _runs(Need((), demand.need.footprint), memory, before):
        opened = [block for block in opened if block == blocks[0]]  # nothing else lets static buffers reach higher
    tried = itertools.islice(sorted(opened, key=lambda block: (block.size, block.address)), _TRIED)
    return next((block for block in tried if _runs_without(demand, before, kind, [block])), None)


def _several_to_free(demand: Demand, before: MemoryState, kind: BufferType) -> list[Block]:
    """Blocks without which, together, the operation runs; empty if none were found.

    They are a few next to the free end and another one, none of which can stay, or many next to the free end.
    """
    loose = _loose(demand, before, kind)
    order = loose[::-1] if before.region(kind).bottom_up else loose
    left = list(itertools.accumulate(order, lambda memory, block: memory.deallocate(Buffer(kind, *block)), initial=before))
    for count, memory in enumerate(left[1:_LISTED], 1):
        if single := _single_to_free(demand, memory, kind):
            chosen = [*order[:count], single]
            for block in sorted(chosen, key=lambda block: -block.size):
                rest = [other for other in chosen if other != block]
                if _runs_without(demand, before, kind, rest):
                    chosen = rest
            return chosen
    count = bisect_left(left, True, key=lambda memory: _runs_in(demand, memory))
    return order[:count] if count < len(left) else []


def _runs_when_joined(demand: Demand, before: MemoryState, kind: BufferType) -> bool:
    """Whether the operation runs when the live blocks of `kind` lie side by side, and all that is free beside them."""
    memory = _without_moved(demand, before)

    def wanted(of: BufferType) -> int:
        granule = before.region(of).granule
        sizes = (spec.bytes_per_bank(before.device) for spec in demand.need.outputs if spec.memory_config.buffer_type is of)
        return sum(-(-size // granule) * granule for size in sizes)

    left = memory.view(kind).total_bytes_free_per_bank - wanted(kind)
    if left < 0:
        return False
    if kind is BufferType.L1:
        free = FreeL1(before.view(kind).total_bytes_free_per_bank, left)
    else:
        free = FreeL1.between(before, memory)
        free = free._replace(after=free.after - wanted(BufferType.L1))
    footprint = demand.need.footprint(free)
    return free.after >= (0 if footprint is None else footprint.size)


def _inputs_to_move(demand: Demand, before: MemoryState, kind: BufferType) -> list[Tensor]:
    """The inputs in L1 that must go to DRAM for the operation to run: one if one is enough; empty where it is no help."""
    if kind is not BufferType.L1 or demand.moves:
        return []
    found = {
        x.buffer: x for x in demand.inputs if x.buffer.buffer_type is kind and x.buffer.size and x.memory_config.interleaved
    }
    inputs = sorted(found.values(), key=lambda x: x.buffer.size)
    choices = [[x] for x in inputs] + ([inputs] if len(inputs) > 1 else [])
    return next((moved for moved in choices if _runs_with_inputs_in_dram(demand, before, moved)), [])


def _runs_with_inputs_in_dram(demand: Demand, memory: MemoryState, moved: Sequence[Tensor]) -> bool:
    buffers = {x.buffer for x in moved}
    need = demand.other({}, {i for i, x in enumerate(demand.inputs) if x.buffer in buffers})
    try:
        for x in moved:
            size = x.spec.replace(memory_config=DRAM_MEMORY_CONFIG).bytes_per_bank(memory.device)
            memory, _ = memory.allocate(BufferType.DRAM, size)
            memory = memory.deallocate(x.buffer)
    except OutOfMemoryError:
        return False
    return need is not None and _runs(need, memory)


def _runs_with_outputs_in_dram(demand: Demand, before: MemoryState) -> bool:
    """Whether the operation runs with its interleaved outputs in DRAM; False if it has none in L1."""

    def is_moved(spec: TensorSpec) -> bool:
        return spec.memory_config.interleaved and spec.memory_config.buffer_type is BufferType.L1

    outputs = demand.need.outputs
    if not any(map(is_moved, outputs)):
        return False
    need = demand.other({"memory_config": DRAM_MEMORY_CONFIG}, ())
    if need is None:
        there = tuple(spec.replace(memory_config=DRAM_MEMORY_CONFIG) if is_moved(spec) else spec for spec in outputs)
        need = demand.need._replace(outputs=there)
    return _runs(need, _without_moved(demand, before), before)
