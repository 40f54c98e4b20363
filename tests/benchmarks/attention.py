"""The optimized attention with all its roundings against the same attention in plain float32, at the tutorial's size.

python tests/benchmarks/attention.py [--rounds 9] [--batch 8] [--sequence 384] [--heads 16] [--hidden 1024]
"""

import argparse
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from _interleave import interleave, report

import tt_jax as tt

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

import attention  # noqa: E402 - found on the path just added


def float32_attention(hidden, mask, qkv_weight, qkv_bias, output_weight, output_bias, *, num_heads):
    """What a JAX user would write, in float32."""
    batch, sequence, width = hidden.shape
    heads = lambda x: x.reshape(batch, sequence, num_heads, -1).transpose(0, 2, 1, 3)
    q, k, v = map(heads, jnp.split(hidden @ qkv_weight + qkv_bias, 3, axis=-1))
    scores = jnp.einsum("bhsd,bhtd->bhst", q, k) / np.float32(np.sqrt(width // num_heads)) + mask
    context = jnp.einsum("bhst,bhtd->bhsd", jax.nn.softmax(scores, axis=-1), v)
    return context.transpose(0, 2, 1, 3).reshape(hidden.shape) @ output_weight + output_bias


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rounds", 9), ("batch", 8), ("sequence", 384), ("heads", 16), ("hidden", 1024)):
        parser.add_argument(f"--{name}", type=int, default=default)
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    normal = lambda *shape: jnp.asarray(rng.normal(size=shape) * shape[-2] ** -0.5, jnp.float32)
    arrays = (
        jnp.asarray(rng.normal(size=(a.batch, a.sequence, a.hidden)), jnp.float32),
        jnp.zeros((a.batch, 1, 1, a.sequence), jnp.float32),
        normal(a.hidden, 3 * a.hidden),
        normal(1, 3 * a.hidden),
        normal(a.hidden, a.hidden),
        normal(1, a.hidden),
    )
    memory, tensors = tt.MemoryState.create(tt.N150), []
    for x in arrays:
        memory, tensor = tt.from_array(memory, x, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    hidden, mask, *weights = tensors
    parameters = attention.OptimizedParameters(*weights)

    def optimized(memory, hidden, mask, parameters):
        return attention.optimized(memory, hidden, mask, parameters, num_heads=a.heads)

    whole = jax.jit(optimized)
    plain = jax.jit(lambda *x: float32_attention(*x, num_heads=a.heads))
    for name, run in (
        ("whole program", lambda: whole(memory, hidden, mask, parameters)),
        ("operation by operation", lambda: optimized(memory, hidden, mask, parameters)),
        ("float32", lambda: plain(*arrays)),
    ):
        start = time.perf_counter()
        jax.block_until_ready(run())
        print(f"first call, tracing and compiling: {name:24s} {time.perf_counter() - start:6.2f} s")
    contenders = {
        "float32, one jit": lambda: plain(*arrays),
        "tt_jax optimized, one jit": lambda: whole(memory, hidden, mask, parameters)[1].array,
        "tt_jax optimized, a jit per operation": lambda: optimized(memory, hidden, mask, parameters)[1].array,
    }
    title = f"attention, batch {a.batch}, sequence {a.sequence}, {a.heads} heads of {a.hidden // a.heads}"
    report(title, interleave(contenders, rounds=a.rounds), baseline="float32, one jit")


if __name__ == "__main__":
    main()
