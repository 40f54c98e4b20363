"""The immutable first-fit allocator of one kind of memory.

All banks of a kind are filled in lockstep: a block has one address, valid in each of them, so one bank stands for all.
DRAM fills from the bottom, L1 from the top, always with the first free block, seen from that end, that is large enough.
Source: spec/memory.md sections 2.1 to 2.3 (measured: exact for all 11528 recorded allocations).
"""

import bisect
import dataclasses
from typing import NamedTuple


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

    __slots__ = ("_hash", "free", "live", "region")

    region: Region
    live: tuple[Block, ...]
    """Live blocks by address."""
    free: tuple[Block, ...]
    """The free blocks between them by address; a function of `live`, kept so that allocation need not derive it."""

    def __init__(self, region: Region, live: tuple[Block, ...] = (), free: tuple[Block, ...] | None = None):
        self.region = region
        self.live = live
        if free is None:
            free = (Block(region.start, region.size),) if region.size else ()
        self.free = free
        self._hash: int | None = None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Bank) and self.live == other.live and self.region == other.region

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.region, self.live))
        return self._hash

    def __repr__(self) -> str:
        return f"Bank(allocated={self.allocated}, free={self.region.size - self.allocated}, live={list(map(tuple, self.live))})"

    @property
    def allocated(self) -> int:
        """Bytes in live blocks."""
        return sum(block.size for block in self.live)

    @property
    def largest_free(self) -> int:
        """Bytes of the largest free block."""
        return max((block.size for block in self.free), default=0)

    @property
    def lowest_occupied(self) -> int | None:
        """The lowest live address, None if nothing is live."""
        return self.live[0].address if self.live else None

    def holds(self, block: Block) -> bool:
        """Whether exactly this block is live."""
        i = bisect.bisect_left(self.live, block)
        return i < len(self.live) and self.live[i] == block

    def allocate(self, size: int) -> tuple["Bank", Block] | None:
        """A bank with one more live block of `size` bytes, rounded up to the granule, and that block; None if nothing fits."""
        granule = self.region.granule
        size = -(-size // granule) * granule
        free = self.free
        for i in range(len(free)) if self.region.bottom_up else range(len(free) - 1, -1, -1):
            hole_address, hole_size = free[i]
            if hole_size < size:
                continue
            if self.region.bottom_up:
                block, rest = Block(hole_address, size), Block(hole_address + size, hole_size - size)
            else:
                block, rest = Block(hole_address + hole_size - size, size), Block(hole_address, hole_size - size)
            free = free[:i] + ((rest,) if rest.size else ()) + free[i + 1 :]
            at = bisect.bisect_left(self.live, block)
            return Bank(self.region, (*self.live[:at], block, *self.live[at:]), free), block
        return None

    def deallocate(self, block: Block) -> "Bank":
        """The bank without a live `block`, which joins its free neighbours. Raises KeyError if it is not live."""
        at = bisect.bisect_left(self.live, block)
        if at == len(self.live) or self.live[at] != block:
            raise KeyError(block)
        free = self.free
        i = bisect.bisect_left(free, block)
        address, end = block.address, block.end
        first, last = i, i
        if i and free[i - 1].end == address:
            first, address = i - 1, free[i - 1].address
        if i < len(free) and free[i].address == end:
            last, end = i + 1, free[i].end
        free = (*free[:first], Block(address, end - address), *free[last:])
        return Bank(self.region, self.live[:at] + self.live[at + 1 :], free)
