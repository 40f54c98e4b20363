"""What level "device" costs beside level "fast": matmuls at each fidelity, and the tutorial's optimized attention.

python tests/benchmarks/numerics.py [--rounds 7] [--batch 1] [--sequence 384] [--heads 16] [--hidden 1024]
"""

import pathlib
import resource
import sys
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _attention import arrays
from _interleave import Comparison, compare, interleave, main

import tt_jax as tt
from tt_jax.kernels import matmul, matrix_unit

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

import attention  # noqa: E402 - found on the path just added


def megabytes() -> float:
    """The most memory that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def comparisons(
    *, rounds: int = 7, batch: int = 1, sequence: int = 384, heads: int = 16, hidden: int = 1024
) -> Iterator[Comparison]:
    rng = np.random.default_rng(0)
    normal = lambda *shape: jnp.asarray(rng.normal(size=shape) * shape[-2] ** -0.5, jnp.float32)

    x, w = normal(sequence, hidden).astype(jnp.bfloat16), normal(hidden, hidden).astype(jnp.bfloat16)
    for fidelity in ("LoFi", "HiFi2", "HiFi3", "HiFi4"):
        run = jax.jit(lambda x, w, f=fidelity: matmul.matmul(x, w, dtype="bfloat16", fidelity=f))

        def at(level, run=run):
            with tt.numerics(level):
                return run(x, w)

        times = interleave({level: lambda level=level: at(level) for level in ("fast", "device")}, rounds)
        products = sequence * hidden * hidden * matrix_unit.PHASES[fidelity]
        note = f"{np.median(times['device']) / products * 1e9:.2f} ns a product"
        yield compare(
            f"matmul {sequence}x{hidden}x{hidden}, bfloat16, {fidelity}, 16-bit Dst", times, "device", "fast", note=note
        )

    memory, tensors = tt.MemoryState.create(tt.N150), []
    for array in arrays(batch, sequence, hidden):
        memory, tensor = tt.from_array(memory, array, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    states, mask, *weights = tensors

    @jax.jit
    def optimized(memory, states, mask, parameters):
        return attention.optimized(memory, states, mask, parameters, num_heads=heads)

    def attend(level):
        with tt.numerics(level):
            return optimized(memory, states, mask, attention.OptimizedParameters(*weights))[1].array

    jax.block_until_ready(attend("fast"))
    before = megabytes()
    times = interleave({level: lambda level=level: attend(level) for level in ("fast", "device")}, rounds)
    name = f"attention, batch {batch}, sequence {sequence}, {heads} heads of {hidden // heads}, one jit"
    note = f"most memory {before:.0f} MB before it, {megabytes():.0f} MB with it"
    yield compare(name, times, "device", "fast", note=note)


if __name__ == "__main__":
    main(__doc__, comparisons)
