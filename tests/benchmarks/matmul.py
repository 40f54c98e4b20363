"""`fast` matmuls of each math fidelity against one dot of the same bfloat16 operands, and against torch where it is installed.

The dot sums in float32 and rounds its output to bfloat16. Shapes are m x k x n; the second is the tutorial's projection to queries, keys
and values: 8 sequences of 384 tokens, 1024 wide.

python tests/benchmarks/matmul.py [--rounds 9] [--shapes 1024x1024x1024,3072x1024x3072] [--fp32-dest]
"""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _interleave import Comparison, compare, interleave, main

from tt_jax.kernels import matmul
from tt_jax.kernels.fidelity import PHASES
from tt_jax.machine import multiplies_bfloat16

try:
    import torch
except ImportError:
    torch = None


@jax.jit
def dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, preferred_element_type=jnp.float32).astype(jnp.bfloat16)


@jax.jit
def float32_dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return (a.astype(jnp.float32) @ b.astype(jnp.float32)).astype(jnp.bfloat16)


def contenders(shape: str, fp32_dest: bool) -> tuple[dict[str, Callable[[], object]], dict[str, Callable[[], object]]]:
    """A call for each fidelity, and one for each alternative."""
    m, k, n = map(int, shape.split("x"))
    rng = np.random.default_rng(0)
    x, y = (jnp.asarray(rng.standard_normal(s, np.float32), jnp.bfloat16) for s in ((m, k), (k, n)))
    kernel = functools.partial(matmul.matmul, dtype="bfloat16", fp32_dest=fp32_dest, widen=not multiplies_bfloat16())
    ours = {name: functools.partial(jax.jit(functools.partial(kernel, fidelity=name)), x, y) for name in PHASES}
    others = {"bfloat16 dot": functools.partial(dot, x, y), "dot of float32 copies": functools.partial(float32_dot, x, y)}
    if torch is not None:
        # Of bfloat16 operands torch takes 50 times as long on a CPU that cannot multiply them.
        p, q = (torch.from_numpy(np.array(z, np.float32)).bfloat16() for z in (x, y))
        others["torch, float32 copies"] = lambda: torch.matmul(p.float(), q.float()).bfloat16()
    return ours, others


def comparisons(
    *, rounds: int = 9, shapes: str = "1024x1024x1024,3072x1024x3072", fp32_dest: bool = False
) -> Iterator[Comparison]:
    for shape in shapes.split(","):
        ours, others = contenders(shape, fp32_dest)
        times = interleave(others | ours, rounds)
        for other in others:
            for fidelity in ours:
                yield compare(f"matmul {shape}, {32 if fp32_dest else 16}-bit Dst", times, fidelity, other)


if __name__ == "__main__":
    main(__doc__, comparisons)
