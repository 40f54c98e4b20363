"""Resident memory of the sentence encoder in a new process, and whether it grows with the number of iterations.

The peak is what the process had beyond an imported JAX that has compiled something: our modules, compiled code and all arrays. Asked for:
at most twice the float32 weights and activations, which are what XLA plans for the float32 model in one jit. Beside it the peak of that
model's own process. Growth is from 100 iterations to 1,000, operation by operation, at batch 1, sequence 32.

python tests/benchmarks/memory.py [--rounds 7] [--batch 32] [--sequence 128] [--iterations 1000]
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from _interleave import Comparison, main

WARM = 100
PLAIN, WHOLE, EACH = "float32 JAX, one jit", "encoder, one jit", "encoder, a jit per operation"
NEEDED = "float32 weights and activations"


def resident(field: str) -> int:
    """Bytes: VmRSS now, VmHWM at most so far. Linux's /proc."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def run(batch: int, sequence: int, which: str) -> dict[str, float]:
    """Peak bytes above the start and seconds of a run, in the process that calls it; of float32 JAX, what it needs as planned too."""
    import jax
    import jax.numpy as jnp

    jax.block_until_ready(jax.jit(jnp.add)(1.0, 2.0))
    from _encoder import batch as draw
    from _encoder import encoder, files, float32_jax

    start = resident("VmRSS")
    weights = files.random_weights()
    inputs = draw(batch, sequence)
    planned = {}
    if which == PLAIN:
        encode, on_device = float32_jax(weights, *inputs)
        needed = encode.lower(*on_device).compile().memory_analysis()
        planned = {"weights": sum(array.nbytes for array in weights.values()), "activations": needed.temp_size_in_bytes}
        del weights
        call = lambda: encode(*on_device)
    else:
        program, arguments = encoder(weights, *inputs)
        del weights
        compiled = jax.jit(program) if which == WHOLE else program
        call = lambda: compiled(*arguments)[1].array
    for _ in range(2):
        begin = time.perf_counter()
        jax.block_until_ready(call())
    return {"seconds": time.perf_counter() - begin, "peak": resident("VmHWM") - start, **planned}


def grow(iterations: int) -> dict[str, float]:
    """Bytes after some iterations and after all, in the process that calls it, and its seconds."""
    import jax
    from _encoder import batch as draw
    from _encoder import encoder, files

    program, arguments = encoder(files.random_weights(), *draw(1, 32))
    begin = time.perf_counter()
    for i in range(iterations):
        jax.block_until_ready(program(*arguments)[1].array)
        if i == WARM - 1:
            warm = resident("VmRSS")
    return {"warm": warm, "end": resident("VmRSS"), "seconds": time.perf_counter() - begin}


def child(*arguments: object) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "child", *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def comparisons(*, rounds: int = 7, batch: int = 32, sequence: int = 128, iterations: int = 1000) -> Iterator[Comparison]:
    found = {which: [child("run", batch, sequence, which) for _ in range(rounds)] for which in (PLAIN, WHOLE, EACH)}
    needed = found[PLAIN][0]["weights"] + found[PLAIN][0]["activations"]
    peaks = {which: statistics.median(x["peak"] for x in runs) for which, runs in found.items()}
    mib = lambda size: f"{size / 2**20:.0f} MiB"
    for which in (WHOLE, EACH, PLAIN):
        seconds = statistics.median(x["seconds"] for x in found[which])
        for alternative, size in ((NEEDED, needed), (PLAIN, peaks[PLAIN])):
            if which == PLAIN and alternative == PLAIN:
                continue
            ratios = sorted(x["peak"] / size for x in found[which])
            yield Comparison(
                f"resident memory of MiniLM, batch {batch}, sequence {sequence}, bfloat8_b weights",
                which,
                alternative,
                statistics.median(ratios),
                ratios[0],
                ratios[-1],
                seconds,
                rounds,
                target=2.0 if alternative == NEEDED and which != PLAIN else None,
                note=f"{mib(peaks[which])} to {mib(size)}",
            )
    grown = child("grow", iterations)
    ratio = grown["end"] / grown["warm"]
    yield Comparison(
        "resident memory over iterations, batch 1, sequence 32",
        f"after {iterations}",
        f"after {WARM}",
        *(ratio,) * 3,
        grown["seconds"],
        1,
        target=1.01,
        note=f"{grown['end'] / 2**20:.1f} MiB to {grown['warm'] / 2**20:.1f} MiB",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        what, *numbers = sys.argv[2:]
        print(json.dumps(grow(int(numbers[0])) if what == "grow" else run(*map(int, numbers[:2]), numbers[2])))
    else:
        main(__doc__, comparisons)
