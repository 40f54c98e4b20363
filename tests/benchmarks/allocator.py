"""What one allocation and one free cost with 10, 1,000 and 10,000 live buffers, against first fit over a sorted tuple, in plain Python.

By default in L1 with as many holes as buffers; without `--fragmented` the buffers lie side by side. `past all`: no hole is large
enough, so the request goes behind the last buffer; `into a hole`: into the first one that takes what a freed buffer, chosen by chance,
had; `nothing fits`: it is refused. Asked for: 10 us with 1,000 live buffers, 20 us with 10,000.

python tests/benchmarks/allocator.py [--rounds 9] [--repeat 3] [--kind L1|DRAM] [--no-fragmented]
"""

import bisect
import contextlib
import random
import sys
from collections.abc import Callable, Iterator

from _interleave import Comparison, compare, interleave, main

import tt_jax as tt

MOST_SECONDS = {10: None, 1_000: 10e-6, 10_000: 20e-6}
SAMPLES = 200
LARGEST = 3 * 32  # 20,000 buffers of up to three granules, of 32 bytes, fit in L1
PLAIN = "first fit over a tuple"
Blocks = tuple[tuple[int, int], ...]


def fill(kind: tt.BufferType, live: int, fragmented: bool) -> tuple[tt.MemoryState, list[tt.Buffer]]:
    """A state with `live` buffers of `kind`, and those buffers; with a hole beside each if `fragmented`."""
    memory, buffers = tt.MemoryState.create(tt.N150), []
    for _ in range(2 * live if fragmented else live):
        memory, buffer = memory.allocate(kind, random.randint(1, LARGEST))
        buffers.append(buffer)
    if fragmented:
        for buffer in buffers[::2]:
            memory = memory.deallocate(buffer)
        buffers = buffers[1::2]
    return memory, buffers


def plain_allocate(blocks: Blocks, size: int, capacity: int) -> Blocks:
    """`blocks`, `(start, end)` in order from 0, and one more where it first fits. Raises MemoryError where it doesn't."""
    end = 0
    for i, (start, next_end) in enumerate(blocks):
        if start - end >= size:
            return (*blocks[:i], (end, end + size), *blocks[i:])
        end = next_end
    if capacity - end < size:
        raise MemoryError(size)
    return (*blocks, (end, end + size))


def plain_free(blocks: Blocks, block: tuple[int, int]) -> Blocks:
    i = bisect.bisect_left(blocks, block)
    return (*blocks[:i], *blocks[i + 1 :])


def contenders(kind: tt.BufferType, live: int, fragmented: bool) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """By what is done: SAMPLES calls of ours and of the plain allocator, which finds the same blocks."""
    memory, buffers = fill(kind, live, fragmented)
    capacity = memory.region(kind).size
    # L1 is handed out from its top. Counted from the first one's end, blocks lie as they do in DRAM.
    far = [(b.address, b.address + b.size) for b in buffers]
    origin = max(end for _, end in far) if kind is tt.BufferType.L1 else min(start for start, _ in far)
    block_of = {
        b: tuple(sorted((abs(start - origin), abs(end - origin)))) for b, (start, end) in zip(buffers, far, strict=True)
    }
    blocks = tuple(sorted(block_of.values()))
    chosen = random.choices(buffers, k=SAMPLES)
    without = [(memory.deallocate(b), plain_free(blocks, block_of[b]), b.size) for b in chosen]

    def past_all() -> None:
        for _ in range(SAMPLES):
            memory.allocate(kind, LARGEST + 32)

    def plain_past_all() -> None:
        for _ in range(SAMPLES):
            plain_allocate(blocks, LARGEST + 32, capacity)

    def into_a_hole() -> None:
        for state, _, size in without:
            state.allocate(kind, size)

    def plain_into_a_hole() -> None:
        for _, freed, size in without:
            plain_allocate(freed, size, capacity)

    def nothing_fits() -> None:
        for _ in range(SAMPLES):
            with contextlib.suppress(tt.OutOfMemoryError):
                memory.allocate(kind, capacity)

    def plain_nothing_fits() -> None:
        for _ in range(SAMPLES):
            with contextlib.suppress(MemoryError):
                plain_allocate(blocks, capacity, capacity)

    def free() -> None:
        for b in chosen:
            memory.deallocate(b)

    def plainly_free() -> None:
        for b in chosen:
            plain_free(blocks, block_of[b])

    return {
        "allocate, past all": (past_all, plain_past_all),
        "allocate, into a hole": (into_a_hole, plain_into_a_hole),
        "allocate, nothing fits": (nothing_fits, plain_nothing_fits),
        "free": (free, plainly_free),
    }


def comparisons(*, rounds: int = 9, repeat: int = 3, kind: str = "L1", fragmented: bool = True) -> Iterator[Comparison]:
    if kind not in ("L1", "DRAM"):
        sys.exit(f"--kind: L1 or DRAM, not {kind!r}")
    random.seed(0)
    for live, most in MOST_SECONDS.items():
        name = f"{live:,} live buffers in {kind}, {'a hole beside each' if fragmented else 'side by side'}"
        for what, runs in contenders(tt.BufferType[kind], live, fragmented).items():
            times = interleave(dict(zip((what, PLAIN), runs, strict=True)), rounds, repeat)
            each = {who: [seconds / SAMPLES for seconds in times[who]] for who in times}
            yield compare(name, each, what, PLAIN, most_seconds=most)


if __name__ == "__main__":
    main(__doc__, comparisons)
