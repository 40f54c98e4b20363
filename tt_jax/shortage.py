"""Errors for memory that does not suffice: who is in the way, where it was made, and what would make room.

The figures are per bank or core, as the allocator counts.
"""

from collections.abc import Sequence

from tt_jax.dtypes import bfloat8_b, bfloat16, float32
from tt_jax.errors import L1ClashError, OutOfMemoryError
from tt_jax.footprint import Footprint
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, Block, Buffer, BufferType, MemoryState
from tt_jax.origins import Origins
from tt_jax.tensor import TensorSpec

_LISTED = 5


def out_of_memory(
    operation: str, before: MemoryState, memory: MemoryState, spec: TensorSpec, size: int, origins: Origins
) -> OutOfMemoryError:
    """The error for a tensor of `spec`, `size` bytes per bank, for which `memory` has no free block.

    `before` is the memory that the operation was given, without those of its outputs that are in `memory` already.
    """
    kind = spec.memory_config.buffer_type
    view = memory.view(kind)
    return OutOfMemoryError(
        f"Out of Memory: {operation} on {memory.device.name} cannot place {spec}: it takes {size:,} B in each of {_banks(memory, spec)}; "
        f"of {view.total_bytes_per_bank:,} B there, {view.total_bytes_free_per_bank:,} are free, "
        f"{view.largest_contiguous_bytes_free_per_bank:,} in the largest hole. {_listed(before, kind, origins)} "
        f"Next: {', or '.join(_ways_out(before, memory, spec, size))}."
    )


def clash(operation: str, footprint: Footprint, before: MemoryState, after: MemoryState, origins: Origins) -> L1ClashError:
    """The error for a program whose static buffers reach into live ones, or beyond L1; `after` has its outputs allocated."""
    end = after.region(BufferType.L1).start + footprint.size
    cores = ", ".join(f"({part.start.x}, {part.start.y}) to ({part.end.x}, {part.end.y})" for part in footprint.cores.ranges())
    asked = f"{operation}: its program keeps {footprint.size:,} B of {footprint.kind} buffers on cores {cores}, up to address {end:,}, "
    if end > after.device.l1_size:
        return L1ClashError(f"{asked}but L1 ends at {after.device.l1_size:,}. Use a larger core grid or smaller blocks")
    lowest = after.lowest_occupied(BufferType.L1)
    assert lowest is not None
    blame = "" if before.lowest_occupied(BufferType.L1) == lowest else ", by its own output"
    below = [block for block in before.live(BufferType.L1) if block.address < end]
    advice = f"deallocate {_at(below)} before it, or move that to DRAM" if below else "put its output into DRAM"
    return L1ClashError(
        f"{asked}but L1 is allocated down to {lowest:,}{blame}. {_listed(before, BufferType.L1, origins)} To make room, {advice}: "
        f"{end - lowest:,} B per core are wanted, the output counted. Or use a larger core grid or smaller blocks"
    )


def _banks(memory: MemoryState, spec: TensorSpec) -> str:
    """The banks that a tensor of `spec` takes, in words."""
    config = spec.memory_config
    shards = config.shard_spec or config.nd_shard_spec
    if config.is_sharded() and shards is not None:
        return f"the {shards.num_cores()} banks of {shards.grid}"
    return f"{memory.num_banks(config.buffer_type)} banks"


def _listed(memory: MemoryState, kind: BufferType, origins: Origins) -> str:
    """The largest live buffers."""
    blocks = sorted(memory.live(kind), key=lambda block: -block.size)
    if not blocks:
        return "Nothing is live there."
    lines = "; ".join(f"{block.size:,} B at {block.address:,}{_made(kind, block, origins)}" for block in blocks[:_LISTED])
    more = f" and {len(blocks) - _LISTED} more" if len(blocks) > _LISTED else ""
    return f"Largest live buffers, per bank: {lines}{more}."


def _made(kind: BufferType, block: Block, origins: Origins) -> str:
    origin = origins.find(Buffer(kind, *block))
    return f" ({origin})" if origin is not None else ""


def _at(blocks: Sequence[Block]) -> str:
    return " and ".join(f"the {block.size:,} B at {block.address:,}" for block in blocks)


def _ways_out(before: MemoryState, memory: MemoryState, spec: TensorSpec, size: int) -> list[str]:
    """What would make room. Only what is sure to help is named, where anything is."""
    config = spec.memory_config
    kind = config.buffer_type
    view = memory.view(kind)
    hole = view.largest_contiguous_bytes_free_per_bank
    ways = []
    if single := _whose_end_makes_room(before, memory, kind, size):
        ways.append(f"deallocate {_at([single])}, which alone makes room")
    elif size <= view.total_bytes_free_per_bank:
        ways.append("`reallocate` live buffers, to join the holes")
    elif size <= view.total_bytes_per_bank:
        ways.append(f"deallocate at least {size - view.total_bytes_free_per_bank:,} B per bank")
    if config.is_sharded():
        shards = config.shard_spec or config.nd_shard_spec
        if shards is not None and hole and (cores := -(-size * shards.num_cores() // hole)) <= memory.num_banks(kind):
            ways.append(f"shard it over at least {cores} cores")
    else:
        if spec.dtype in (bfloat16, float32) and spec.layout is Layout.TILE:
            if spec.replace(dtype=bfloat8_b).bytes_per_bank(memory.device) <= hole:
                ways.append("make it bfloat8_b, which fits")
        in_dram = spec.replace(memory_config=DRAM_MEMORY_CONFIG)
        if kind is BufferType.L1 and in_dram.bytes_per_bank(memory.device) <= _hole(memory, BufferType.DRAM):
            ways.append("place it in DRAM, where it fits")
    if kind is BufferType.L1_SMALL:
        ways.append("open the device with a larger l1_small_size")
    return ways or ["split it: it is larger than a whole bank"]


def _hole(memory: MemoryState, kind: BufferType) -> int:
    return memory.view(kind).largest_contiguous_bytes_free_per_bank


def _whose_end_makes_room(before: MemoryState, memory: MemoryState, kind: BufferType, size: int) -> Block | None:
    """The smallest block of `before` without which `size` bytes fit into `memory`, None if none is enough."""
    region, blocks = memory.region(kind), memory.live(kind)
    ends = (region.start, *(block.end for block in blocks))  # of the block below, or where the region starts
    starts = (*(block.address for block in blocks[1:]), region.end)
    given = set(before.live(kind))
    enough = (block for block, end, start in zip(blocks, ends, starts, strict=False) if start - end >= size and block in given)
    return min(enough, key=lambda block: block.size, default=None)
