"""`fast` matmuls of each math fidelity against one dot of the same bfloat16 operands, and against torch where it is installed.

The dot sums in float32 and rounds its output to bfloat16. Shapes are m x k x n; the second is the tutorial's projection to queries, keys
and values: 8 sequences of 384 tokens, 1024 wide.

python tests/benchmarks/matmul.py [--rounds 9] [--shapes 1024x1024x1024,3072x1024x3072] [--fp32-dest]
"""

import argparse
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from _interleave import interleave, report

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


def contenders(shape: str, fp32_dest: bool) -> dict[str, Callable[[], object]]:
    m, k, n = map(int, shape.split("x"))
    rng = np.random.default_rng(0)
    x, y = (jnp.asarray(rng.standard_normal(s, np.float32), jnp.bfloat16) for s in ((m, k), (k, n)))
    calls = {"bfloat16 dot": functools.partial(dot, x, y), "dot of float32 copies": functools.partial(float32_dot, x, y)}
    kernel = functools.partial(matmul.matmul, dtype="bfloat16", fp32_dest=fp32_dest, widen=not multiplies_bfloat16())
    for fidelity in PHASES:
        calls[fidelity] = functools.partial(jax.jit(functools.partial(kernel, fidelity=fidelity)), x, y)
    if torch is not None:
        # Of bfloat16 operands torch takes 50 times as long on a CPU that cannot multiply them.
        p, q = (torch.from_numpy(np.array(z, np.float32)).bfloat16() for z in (x, y))
        calls[f"torch {torch.__version__}, float32 copies"] = lambda: torch.matmul(p.float(), q.float()).bfloat16()
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--shapes", default="1024x1024x1024,3072x1024x3072")
    parser.add_argument("--fp32-dest", action="store_true")
    a = parser.parse_args()
    for shape in a.shapes.split(","):
        title = f"matmul {shape}, {32 if a.fp32_dest else 16}-bit Dst"
        report(title, interleave(contenders(shape, a.fp32_dest), a.rounds), baseline="bfloat16 dot")


if __name__ == "__main__":
    main()
