"""The immutable first-fit allocator of one kind of memory.

All banks of a kind are filled in lockstep: a block has one address, valid in each of them, so one bank stands for all.
DRAM fills from the bottom, L1 from the top, always with the first free block, seen from that end, that is large enough.
Source: spec/memory.md sections 2.1 to 2.3 (measured: exact for all 11528 recorded allocations).
"""

import dataclasses
import functools
import itertools
import operator
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

Range = tuple[int, int]
"""Address and size of a block, as a plain tuple: they are made at every launch, and cost a tenth of a Block."""

Ranges = Sequence[Range]

Chunk = tuple[list[Range], list[int], int, int]
"""Neighbouring blocks by address, the hole right below each (its bytes, or 0), and the largest and the sum of these holes.

The lists never change once they are in a chunk. They are lists since to copy one and change the copy takes less time than to join
parts of tuples.
"""

CHUNK = 80
"""Blocks in a chunk when it is cut; later it has fewer than twice as many and, unless it is the last, half as many at least.

A change copies a chunk and the tuple of all chunks, and a search skips those without a large enough hole. So 10,000 live blocks
cost some microseconds more than ten, which lie in one chunk.
"""
_MOST, _LEAST = 2 * CHUNK, CHUNK // 2

_new = object.__new__


class Block(NamedTuple):
    """A range of a bank: `size` bytes from `address`."""

    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size


_as_block = functools.partial(tuple.__new__, Block)
"""What `Block._make` calls, in half its time."""


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
    """The live blocks of a region. Equal and hashable by region and live blocks, whatever came before.

    The blocks lie in chunks, by address. An empty one at the region's end stands after the live ones, so that every hole is
    right below a block. The hash, which each change updates, is the exclusive or of those of the region and the live blocks:
    unequal banks are told apart at once.
    """

    __slots__ = ("_chunks", "_hash", "region")

    def __init__(self, region: Region, live: Ranges = ()):
        """The bank with the blocks `live`, which are given by address."""
        blocks = [*live, (region.end, 0)]
        ends = (region.start, *map(sum, live))
        holes = [address - end for (address, _), end in zip(blocks, ends, strict=True)]
        self.region = region
        self._chunks = _cut(blocks, holes, CHUNK)
        self._hash = functools.reduce(operator.xor, map(hash, live), hash(region))

    def __reduce__(self) -> tuple[type["Bank"], tuple[Region, Ranges]]:
        return Bank, (self.region, self._live())  # not the hash: another version of Python may have another

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Bank)
            and self._hash == other._hash
            and self.region == other.region
            and (self._chunks == other._chunks or self._live() == other._live())  # chunks have a history
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Bank(allocated={self.allocated}, free={self.region.size - self.allocated}, live={list(self._live())})"

    def _live(self) -> tuple[Range, ...]:
        return tuple(itertools.chain.from_iterable(blocks for blocks, _, _, _ in self._chunks))[:-1]

    @property
    def live(self) -> tuple[Block, ...]:
        """Live blocks by address."""
        return tuple(map(_as_block, self._live()))

    @property
    def free(self) -> tuple[Block, ...]:
        """The free blocks between the live ones, by address."""
        return tuple(
            Block(address - hole, hole)
            for blocks, holes, _, _ in self._chunks
            for (address, _), hole in zip(blocks, holes, strict=True)
            if hole
        )

    @property
    def allocated(self) -> int:
        """Bytes in live blocks."""
        return self.region.size - sum(free for _, _, _, free in self._chunks)

    @property
    def largest_free(self) -> int:
        """Bytes of the largest free block."""
        return max(largest for _, _, largest, _ in self._chunks)

    @property
    def lowest_occupied(self) -> int | None:
        """The lowest live address, None if nothing is live."""
        address, size = self._chunks[0][0][0]
        return address if size else None

    def _chunk_of(self, block: Range) -> int:
        """The index of the only chunk in which `block` may be."""
        return bisect_left(self._chunks, block, 0, len(self._chunks) - 1, key=_last)

    def holds(self, block: Range) -> bool:
        """Whether exactly this block is live."""
        chunks = self._chunks
        blocks = chunks[0 if len(chunks) == 1 else self._chunk_of(block)][0]
        i = bisect_left(blocks, block)
        return i < len(blocks) and blocks[i] == block and block[1] > 0

    def allocate(self, size: int) -> tuple["Bank", Range] | None:
        """A bank with one more live block of `size` bytes, rounded up to the granule, and that block; None if nothing fits."""
        chunks, region = self._chunks, self.region
        size += -size % region.granule
        bottom_up = region.bottom_up
        k = 0
        if len(chunks) > 1:
            for k in range(len(chunks)) if bottom_up else range(len(chunks) - 1, -1, -1):
                if chunks[k][2] >= size:
                    break
        blocks, holes, largest, free = chunks[k]
        if largest < size:
            return None
        i = holes.index(free) if largest == free else _first_fit(holes, size, bottom_up)
        hole = holes[i]
        left = hole - size
        block = (blocks[i][0] - (hole if bottom_up else size), size)
        blocks, holes = blocks[:], holes[:]
        blocks.insert(i, block)
        holes[i] = left
        holes.insert(i if bottom_up else i + 1, 0)
        free -= size
        if hole == largest:
            largest = left if left >= free - left else max(holes)  # the other holes have that many bytes in all
        new = ((blocks, holes, largest, free),) if len(blocks) < _MOST else _cut(blocks, holes, CHUNK)
        bank = _new(Bank)
        bank.region = region
        bank._chunks = new if len(chunks) == 1 else chunks[:k] + new + chunks[k + 1 :]
        bank._hash = self._hash ^ hash(block)
        return bank, block

    def deallocate(self, block: Range) -> "Bank":
        """The bank without a live `block`, which joins its free neighbours. Raises KeyError if it is not live."""
        chunks = self._chunks
        k = 0 if len(chunks) == 1 else self._chunk_of(block)
        blocks, holes, largest, free = chunks[k]
        i = bisect_left(blocks, block)
        size = block[1]
        if i == len(blocks) or blocks[i] != block or not size:
            raise KeyError(block)
        end = k + 1
        # The hole that the last block of a chunk leaves lies below the first one of the next chunk.
        if end < len(chunks) and (i + 1 == len(blocks) or len(blocks) <= _LEAST):
            more_blocks, more_holes, more_largest, more_free = chunks[end]
            blocks, holes = blocks + more_blocks, holes + more_holes
            largest, free = max(largest, more_largest), free + more_free
            end += 1
        blocks, holes = blocks[:], holes[:]
        del blocks[i]
        hole = holes[i] = holes[i] + size + holes.pop(i + 1)
        joined = (blocks, holes, hole if hole > largest else largest, free + size)
        new = (joined,) if len(blocks) < _MOST else _cut(blocks, holes, (len(blocks) + 1) // 2)
        bank = _new(Bank)
        bank.region = self.region
        bank._chunks = new if len(chunks) == 1 else chunks[:k] + new + chunks[end:]
        bank._hash = self._hash ^ hash(block)
        return bank


def _cut(blocks: list[Range], holes: list[int], length: int) -> tuple[Chunk, ...]:
    """Chunks of `length` blocks each; the last one takes what is left."""
    parts = [slice(i, i + length) for i in range(0, len(blocks), length)]
    return tuple((blocks[part], holes[part], max(holes[part]), sum(holes[part])) for part in parts)


def _first_fit(holes: list[int], size: int, bottom_up: bool) -> int:
    """The index of the first hole, seen from that end, of `size` bytes or more. There is one."""
    seen = holes if bottom_up else holes[::-1]
    for hole in seen:
        if hole >= size:
            break
    i = seen.index(hole)
    return i if bottom_up else len(holes) - 1 - i


def _last(chunk: Chunk) -> Range:
    return chunk[0][-1]
