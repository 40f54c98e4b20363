"""What a program keeps in the L1 of its cores while it runs: circular or dataflow buffers, from the L1 base upward.

Source: spec/memory.md section 2.5. Buffers that borrow a sharded tensor's memory take none of their own, and are left out.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet, split_work_to_cores
from tt_jax.devices import DeviceProfile
from tt_jax.memory import BufferType, MemoryState


@dataclasses.dataclass(frozen=True, slots=True)
class Footprint:
    """The static buffers of a program, one above the other, the same on each of its cores.

    Attributes:
        buffers: bytes of each, in the order in which they are placed.
        cores: where.
        size: bytes from the L1 base to the end of the last one, each starting at a multiple of the DRAM alignment.
        is_exact: False where `buffers` is only the least that the program keeps.
        kind: what the device calls them.
    """

    buffers: tuple[int, ...]
    cores: CoreRangeSet
    size: int
    is_exact: bool = True
    kind: Literal["circular", "dataflow"] = "dataflow"


def footprint(
    device: DeviceProfile,
    buffers: Sequence[int],
    cores: CoreRangeSet | None = None,
    *,
    is_exact: bool = True,
    kind: Literal["circular", "dataflow"] = "dataflow",
) -> Footprint:
    """The footprint of `buffers` (bytes) on `cores`, all of `device` by default."""
    end = max((address + size for address, size in places(buffers, 0, device)), default=0)
    return Footprint(tuple(buffers), cores or all_cores(*device.grid), end, is_exact, kind)


def places(buffers: Sequence[int], base: int, device: DeviceProfile) -> Iterator[tuple[int, int]]:
    """Address and size of each of a program's `buffers`, from the L1 address `base` upward."""
    end = base
    for size in buffers:
        address = -(-end // device.dram_alignment) * device.dram_alignment
        end = address + size
        yield address, size


@functools.lru_cache(maxsize=256)
def all_cores(columns: int, rows: int) -> CoreRangeSet:
    """The cores of a grid `columns` wide."""
    return CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(columns - 1, rows - 1))])


@functools.lru_cache(maxsize=1024)
def work_cores(grid: tuple[int, int], units: int, row_wise: bool = False) -> CoreRangeSet:
    """The cores of a grid that units of work are dealt out to, in the rectangles by which dataflow buffers name them.

    These are rows as wide as can be, merged downwards (measured: 12 units dealt out column by column to 8x8 cores are on
    `[0-0 - 1-3]` first).
    """
    return split_work_to_cores(grid, units, row_wise)[1].merge(())


class FreeL1(NamedTuple):
    """What static buffers may take: bytes per core between the L1 base and the lowest live buffer, before a launch has its outputs
    and after."""

    before: int
    after: int

    @classmethod
    def between(cls, before: MemoryState, after: MemoryState) -> "FreeL1":
        return cls(_free(before), _free(after))


def _free(memory: MemoryState) -> int:
    lowest = memory.lowest_occupied(BufferType.L1)
    return (memory.device.l1_size if lowest is None else lowest) - memory.region(BufferType.L1).start
