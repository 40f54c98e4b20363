"""The optimized attention with all its roundings against the same attention in plain float32, at the tutorial's size.

Also against itself without its roundings (level float32), which tells what they cost.

python tests/benchmarks/attention.py [--rounds 9] [--batch 8] [--sequence 384] [--heads 16] [--hidden 1024]
"""

import pathlib
import sys
from collections.abc import Iterator

import jax
from _attention import arrays as inputs
from _attention import float32_attention
from _interleave import Comparison, compare, interleave, main

import tt_jax as tt

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

import attention  # noqa: E402 - found on the path just added


def comparisons(
    *, rounds: int = 9, batch: int = 8, sequence: int = 384, heads: int = 16, hidden: int = 1024
) -> Iterator[Comparison]:
    arrays = tuple(map(jax.device_put, inputs(batch, sequence, hidden)))
    memory, tensors = tt.MemoryState.create(tt.N150), []
    for x in arrays:
        memory, tensor = tt.from_array(memory, x, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    states, mask, *weights = tensors
    parameters = attention.OptimizedParameters(*weights)

    def optimized(memory, states, mask, parameters):
        return attention.optimized(memory, states, mask, parameters, num_heads=heads)

    whole = jax.jit(optimized)
    plain = jax.jit(lambda *x: float32_attention(*x, num_heads=heads))

    def unrounded():
        with tt.numerics("float32"):
            return whole(memory, states, mask, parameters)[1].array

    times = interleave(
        {
            "float32 JAX, one jit": lambda: plain(*arrays),
            "optimized, one jit": lambda: whole(memory, states, mask, parameters)[1].array,
            "optimized, a jit per operation": lambda: optimized(memory, states, mask, parameters)[1].array,
            "the same, level float32": unrounded,
        },
        rounds,
    )
    name = f"attention, batch {batch}, sequence {sequence}, {heads} heads of {hidden // heads}"
    for ours in ("optimized, one jit", "optimized, a jit per operation"):
        yield compare(name, times, ours, "float32 JAX, one jit", target=0.85)
    yield compare(name, times, "optimized, one jit", "the same, level float32", target=1.3)


if __name__ == "__main__":
    main(__doc__, comparisons)
