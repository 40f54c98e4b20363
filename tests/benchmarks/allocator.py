"""What one allocation and one free cost, in microseconds, with 10, 1,000 and 10,000 live buffers in L1 and in DRAM.

Plain: the buffers lie side by side. Fragmented: as many holes lie between them. `past all`: no hole is large enough, so the
request goes behind the last buffer; `into a hole`: into the first one that takes what a freed buffer, chosen by chance, had;
`nothing fits`: it is refused. Target of each row: 10 us with 1,000 live buffers, 20 us with 10,000.

python tests/benchmarks/allocator.py [--rounds 9] [--repeat 3]
"""

import argparse
import contextlib
import random
import statistics
from collections.abc import Callable

from _interleave import interleave

import tt_jax as tt

LIVE = (10, 1_000, 10_000)
TARGETS = ("", "10", "20")
SAMPLES = 200
LARGEST = 3 * 32  # 20,000 buffers of up to three granules, of 32 bytes, fit in L1
Contenders = dict[str, Callable[[], None]]


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


def contenders(kind: tt.BufferType, live: int, fragmented: bool) -> Contenders:
    memory, buffers = fill(kind, live, fragmented)
    chosen = random.choices(buffers, k=SAMPLES)
    without = [(memory.deallocate(buffer), buffer.size) for buffer in chosen]
    too_large = memory.region(kind).size

    def past_all() -> None:
        for _ in range(SAMPLES):
            memory.allocate(kind, LARGEST + 32)

    def into_a_hole() -> None:
        for state, size in without:
            state.allocate(kind, size)

    def nothing_fits() -> None:
        for _ in range(SAMPLES):
            with contextlib.suppress(tt.OutOfMemoryError):
                memory.allocate(kind, too_large)

    def free() -> None:
        for buffer in chosen:
            memory.deallocate(buffer)

    return {
        "allocate, past all": past_all,
        "allocate, into a hole": into_a_hole,
        "allocate, nothing fits": nothing_fits,
        "free": free,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--repeat", type=int, default=3)
    a = parser.parse_args()
    random.seed(0)
    print(f"microseconds of one call, medians of {a.rounds} interleaved rounds")
    print(f"{'live buffers':46s}" + "".join(f"{live:10,d}" for live in LIVE))
    print(f"{'target':46s}" + "".join(f"{target:>10s}" for target in TARGETS))
    for kind in (tt.BufferType.L1, tt.BufferType.DRAM):
        for fragmented in (False, True):
            runs = {f"{name} {live}": run for live in LIVE for name, run in contenders(kind, live, fragmented).items()}
            times = interleave(runs, a.rounds, a.repeat)
            for name in dict.fromkeys(name.rsplit(" ", 1)[0] for name in runs):
                medians = [statistics.median(times[f"{name} {live}"]) / SAMPLES * 1e6 for live in LIVE]
                title = f"{kind.name}, {'fragmented' if fragmented else 'plain'}: {name}"
                print(f"{title:46s}" + "".join(f"{median:10.1f}" for median in medians))


if __name__ == "__main__":
    main()
