"""What level "device" costs beside level "fast": matmuls at each fidelity, and the tutorial's optimized attention.

python tests/benchmarks/numerics.py [--rounds 7] [--batch 1] [--sequence 384] [--heads 16] [--hidden 1024]
"""

import argparse
import pathlib
import resource
import sys

import jax
import jax.numpy as jnp
import numpy as np
from _interleave import interleave, report

import tt_jax as tt
from tt_jax.kernels import matmul, matrix_unit

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

import attention  # noqa: E402 - found on the path just added


def megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rounds", 7), ("batch", 1), ("sequence", 384), ("heads", 16), ("hidden", 1024)):
        parser.add_argument(f"--{name}", type=int, default=default)
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    normal = lambda *shape: jnp.asarray(rng.normal(size=shape) * shape[-2] ** -0.5, jnp.float32)

    x, w = normal(a.sequence, a.hidden).astype(jnp.bfloat16), normal(a.hidden, a.hidden).astype(jnp.bfloat16)
    for fidelity in ("LoFi", "HiFi2", "HiFi3", "HiFi4"):
        fast = jax.jit(lambda x, w, f=fidelity: matmul.matmul(x, w, dtype="bfloat16", fidelity=f))
        exact = jax.jit(lambda x, w, f=fidelity: matmul.matmul(x, w, dtype="bfloat16", fidelity=f))

        def device(run=exact):
            with tt.numerics("device"):
                return run(x, w)

        times = interleave({"fast": lambda run=fast: run(x, w), "device": device}, rounds=a.rounds)
        report(f"matmul {a.sequence}x{a.hidden}x{a.hidden}, bfloat16, {fidelity}, 16-bit Dst", times, baseline="fast")
        products = a.sequence * a.hidden * a.hidden * matrix_unit.PHASES[fidelity]
        print(f"  device: {np.median(times['device']) / products * 1e9:.2f} ns a product")

    arrays = (
        jnp.asarray(rng.normal(size=(a.batch, a.sequence, a.hidden)), jnp.float32),
        jnp.zeros((a.batch, 1, 1, a.sequence), jnp.float32),
        normal(a.hidden, 3 * a.hidden),
        normal(1, 3 * a.hidden),
        normal(a.hidden, a.hidden),
        normal(1, a.hidden),
    )
    memory, tensors = tt.MemoryState.create(tt.N150), []
    for array in arrays:
        memory, tensor = tt.from_array(memory, array, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    hidden, mask, *weights = tensors

    @jax.jit
    def optimized(memory, hidden, mask, parameters):
        return attention.optimized(memory, hidden, mask, parameters, num_heads=a.heads)

    def at(level):
        with tt.numerics(level):
            return optimized(memory, hidden, mask, attention.OptimizedParameters(*weights))[1].array

    jax.block_until_ready(at("fast"))
    before = megabytes()
    times = interleave({"fast": lambda: at("fast"), "device": lambda: at("device")}, rounds=a.rounds)
    title = f"optimized attention, batch {a.batch}, sequence {a.sequence}, {a.heads} heads of {a.hidden // a.heads}, one jit"
    report(title, times, baseline="fast")
    print(f"  most memory: {before:.0f} MB with level fast alone, {megabytes():.0f} MB with both")


if __name__ == "__main__":
    main()
