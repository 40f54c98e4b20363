"""Resident memory of the sentence encoder in a new process, and whether it grows with the number of iterations.

The peak is what the process had beyond an imported JAX that has compiled something; asked for: at most twice the float32 weights and the
activations alive at once, as float32. Growth is from 100 iterations to 1,000, operation by operation, at batch 1, sequence 32.

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


def resident(field: str) -> int:
    """Bytes: VmRSS now, VmHWM at most so far. Linux's /proc."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def run(batch: int, sequence: int, whole: bool) -> dict[str, float]:
    """Peak bytes above the start, bytes of float32 weights and activations, seconds of a run; in the process that calls it."""
    import jax
    import jax.numpy as jnp

    jax.block_until_ready(jax.jit(jnp.add)(1.0, 2.0))
    from _encoder import batch as draw
    from _encoder import encoder, files

    import tt_jax as tt

    start = resident("VmRSS")
    weights = files.random_weights()
    size = sum(array.nbytes for array in weights.values())
    program, arguments = encoder(weights, *draw(batch, sequence))
    del weights
    plan = tt.plan(program, *arguments[1:], memory=arguments[0])
    activations = plan.peak_l1 * tt.MemoryState.create(tt.N150).view(tt.BufferType.L1).num_banks * 2  # of bfloat16
    compiled = jax.jit(program) if whole else program
    for _ in range(2):
        begin = time.perf_counter()
        jax.block_until_ready(compiled(*arguments)[1].array)
    seconds = time.perf_counter() - begin
    return {"peak": resident("VmHWM") - start, "weights": size, "activations": activations, "seconds": seconds}


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
    for whole in (False, True):
        found = [child("run", batch, sequence, int(whole)) for _ in range(rounds)]
        ratios = sorted(x["peak"] / (x["weights"] + x["activations"]) for x in found)
        first = found[0]
        yield Comparison(
            f"resident memory of MiniLM, batch {batch}, sequence {sequence}, bfloat8_b weights",
            "encoder, one jit" if whole else "encoder, a jit per operation",
            "float32 weights and activations",
            statistics.median(ratios),
            ratios[0],
            ratios[-1],
            statistics.median(x["seconds"] for x in found),
            rounds,
            target=2.0,
            note=f"{statistics.median(x['peak'] for x in found) / 2**20:.0f} MiB to {first['weights'] / 2**20:.0f} MiB of weights "
            f"and {first['activations'] / 2**20:.0f} of activations",
        )
    found = [child("grow", iterations) for _ in range(1)]
    ratio = found[0]["end"] / found[0]["warm"]
    yield Comparison(
        "resident memory over iterations, batch 1, sequence 32",
        f"after {iterations}",
        f"after {WARM}",
        *(ratio,) * 3,
        found[0]["seconds"],
        1,
        target=1.01,
        note=f"{found[0]['end'] / 2**20:.1f} MiB to {found[0]['warm'] / 2**20:.1f} MiB",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        what, *numbers = sys.argv[2:]
        print(json.dumps({"run": run, "grow": grow}[what](*map(int, numbers))))
    else:
        main(__doc__, comparisons)
