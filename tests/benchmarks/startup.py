"""The first call of the tutorial's optimized attention in a new process, against that of plain float32 attention in JAX.

With JAX's persistent compilation cache empty, then filled. `trace, lower, compile` is what precedes the first run, imports and inputs
left out; asked for: at most 2 s, and 0.3 s with a filled cache. Beside it the first call with its run, and the process from its imports
to the first result. Notes tell where the medians go.

python tests/benchmarks/startup.py [--rounds 7] [--batch 8] [--sequence 384] [--heads 16] [--hidden 1024]
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from _interleave import Comparison, compare, main

CHILD = pathlib.Path(__file__).with_name("_first_call.py")
STAGES = ("import", "inputs", "trace", "lower", "compile", "run")
PARTS = {"trace, lower, compile": STAGES[2:5], "the first call": STAGES[2:], "the process": STAGES}
CACHES = {"an empty cache": 2.0, "a filled cache": 0.3}  # and the most seconds asked for
Times = dict[str, list[float]]  # of each stage, round by round


def first_call(which: str, sizes: tuple[int, ...], cache: str) -> dict[str, float]:
    """Seconds by stage in a new process, whose persistent compilation cache, of everything, is the folder `cache`."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    command = [sys.executable, str(CHILD), which, *map(str, sizes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def measure(rounds: int, sizes: tuple[int, ...]) -> dict[str, dict[str, Times]]:
    """By cache, then by contender. Within a round each one fills its cache, then finds it filled."""
    stages = (*STAGES, "again")
    times = {cache: {which: {stage: [] for stage in stages} for which in ("ours", "plain")} for cache in CACHES}
    for _ in range(rounds):
        for which in ("ours", "plain"):
            with tempfile.TemporaryDirectory() as folder:
                for cache in CACHES:
                    for stage, seconds in first_call(which, sizes, folder).items():
                        times[cache][which][stage].append(seconds)
    return times


def total(times: Times, stages: tuple[str, ...]) -> list[float]:
    return [sum(seconds) for seconds in zip(*(times[stage] for stage in stages), strict=True)]


def told(times: Times) -> str:
    return ", ".join(f"{stage} {statistics.median(seconds):.3f} s" for stage, seconds in times.items())


def comparisons(
    *, rounds: int = 7, batch: int = 8, sequence: int = 384, heads: int = 16, hidden: int = 1024
) -> Iterator[Comparison]:
    size = f"attention, batch {batch}, sequence {sequence}, {heads} heads of {hidden // heads}"
    measured = measure(rounds, (batch, sequence, heads, hidden))
    for cache, most in CACHES.items():
        ours, plain = measured[cache].values()
        for part, stages in PARTS.items():
            asked = part == "trace, lower, compile"
            yield compare(
                f"{size}, in a new process, {cache}",
                {part: total(ours, stages), "float32 JAX": total(plain, stages)},
                part,
                "float32 JAX",
                most_seconds=most if asked else None,
                note=f"{told(ours)}; float32 JAX {told(plain)}" if asked else "",
            )


if __name__ == "__main__":
    main(__doc__, comparisons)
