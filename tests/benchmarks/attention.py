"""The optimized attention with all its roundings against the same attention in plain float32, at the tutorial's size.

Also against itself without its roundings (level float32), which tells what they cost. Then all of it again with the memory that is
freed kept (`tt_jax.machine.keep_freed_memory`), for every contender: large outputs then cost no page faults.

python tests/benchmarks/attention.py [--rounds 9] [--batch 8] [--sequence 384] [--heads 16] [--hidden 1024]
"""

import pathlib
import sys
from collections.abc import Iterator

import jax
from _attention import arrays as inputs
from _attention import float32_attention
from _interleave import Comparison, compare, main, with_and_without_kept_memory

import tt_jax as tt

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

import attention  # noqa: E402 - found on the path just added

JAX, WHOLE, EACH, UNROUNDED = (
    "float32 JAX, one jit",
    "optimized, one jit",
    "optimized, a jit per operation",
    "the same, level float32",
)


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

    contenders = {
        JAX: lambda: plain(*arrays),
        WHOLE: lambda: whole(memory, states, mask, parameters)[1].array,
        EACH: lambda: optimized(memory, states, mask, parameters)[1].array,
        UNROUNDED: unrounded,
    }
    name = f"attention, batch {batch}, sequence {sequence}, {heads} heads of {hidden // heads}"
    for title, times in with_and_without_kept_memory(name, contenders, rounds):
        yield compare(title, times, WHOLE, JAX, target=0.85)
        yield compare(title, times, EACH, JAX, target=0.85)
        yield compare(title, times, WHOLE, UNROUNDED, target=1.3)


if __name__ == "__main__":
    main(__doc__, comparisons)
