"""The immutable first-fit allocator of one kind of memory.

All banks of a kind are filled in lockstep: a block has one address, valid in each of them, so one bank stands for all.
DRAM fills from the bottom, L1 from the top, always with the first free block, seen from that end, that is large enough.
Source: spec/memory.md sections 2.1 to 2.3 (measured: exact for all 11528 recorded allocations).
"""

import bisect
import dataclasses
from typing import NamedTuple

Ranges = tuple[tuple[int, int], ...]
"""Address and size of each of several blocks, as plain tuples: they are made at every launch, and cost a tenth of a Block."""


class Block(NamedTuple):
    """A range of a bank: `size` bytes from `address`."""

    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size


@dataclasses.dataclass(frozen=True)
class Region:
    """What a bank may hand out: bytes `[start, end)`, in multiples of `granule`, from the bottom or from the top."""

    start: int
    end: int
    granule: int
    bottom_up: bool

    @property
    def size(self) -> int:
        return self.end - self.start


class Bank:
    """The live blocks of a region, and with them its free ones. Equal and hashable by region and live blocks."""

    __slots__ = ("_free", "_hash", "_live", "region")

    def __init__(self, region: Region, live: Ranges = (), free: Ranges | None = None):
        self.region = region
        self._live = live
        # The ranges between the live ones; a function of them, kept so that allocation need not derive it.
        self._free: Ranges = free if free is not None else (((region.start, region.size),) if region.size else ())
        self._hash: int | None = None

    def __reduce__(self) -> tuple[type["Bank"], tuple[Region, Ranges, Ranges]]:
        return Bank, (self.region, self._live, self._free)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Bank) and self._live == other._live and self.region == other.region

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.region, self._live))
        return self._hash

    def __repr__(self) -> str:
        return f"Bank(allocated={self.allocated}, free={self.region.size - self.allocated}, live={list(self._live)})"

    @property
    def live(self) -> tuple[Block, ...]:
        """Live blocks by address."""
        return tuple(Block(*block) for block in self._live)

    @property
    def free(self) -> tuple[Block, ...]:
        """The free blocks between the live ones, by address."""
        return tuple(Block(*block) for block in self._free)

    @property
    def allocated(self) -> int:
        """Bytes in live blocks."""
        return sum(size for _, size in self._live)

    @property
    def largest_free(self) -> int:
        """Bytes of the largest free block."""
        return max((size for _, size in self._free), default=0)

    @property
    def lowest_occupied(self) -> int | None:
        """The lowest live address, None if nothing is live."""
        return self._live[0][0] if self._live else None

    def holds(self, block: tuple[int, int]) -> bool:
        """Whether exactly this block is live."""
        i = bisect.bisect_left(self._live, block)
        return i < len(self._live) and self._live[i] == block

    def allocate(self, size: int) -> tuple["Bank", Block] | None:
        """A bank with one more live block of `size` bytes, rounded up to the granule, and that block; None if nothing fits."""
        region, free, live = self.region, self._free, self._live
        size = -(-size // region.granule) * region.granule
        bottom_up = region.bottom_up
        for i in range(len(free)) if bottom_up else range(len(free) - 1, -1, -1):
            hole, hole_size = free[i]
            left = hole_size - size
            if left < 0:
                continue
            address, rest = (hole, hole + size) if bottom_up else (hole + left, hole)
            block = Block(address, size)
            at = bisect.bisect_left(live, block)
            remaining = ((rest, left),) if left else ()
            return Bank(region, (*live[:at], block, *live[at:]), (*free[:i], *remaining, *free[i + 1 :])), block
        return None

    def deallocate(self, block: tuple[int, int]) -> "Bank":
        """The bank without a live `block`, which joins its free neighbours. Raises KeyError if it is not live."""
        if not self.holds(block):
            raise KeyError(block)
        at = bisect.bisect_left(self._live, block)
        free = self._free
        first = last = bisect.bisect_left(free, block)
        address, end = block[0], block[0] + block[1]
        if first and sum(free[first - 1]) == address:
            first -= 1
            address = free[first][0]
        if last < len(free) and free[last][0] == end:
            end += free[last][1]
            last += 1
        return Bank(
            self.region, self._live[:at] + self._live[at + 1 :], (*free[:first], (address, end - address), *free[last:])
        )
