"""What one eager operation costs beyond its kernel: `tt.add` with its allocation against a bare jitted add, 32x32 bfloat16.

Twice: with calls queued one behind the other, and with each result waited for.

python tests/benchmarks/dispatch.py [--rounds 11] [--repeat 3000]
"""

import argparse

import jax
import jax.numpy as jnp
from _interleave import interleave, report

import tt_jax as tt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--repeat", type=int, default=3000)
    a = parser.parse_args()
    x = jnp.ones((32, 32), jnp.bfloat16)
    memory = tt.MemoryState.create(tt.N150)
    memory, p = tt.from_array(memory, x, layout=tt.TILE_LAYOUT)
    memory, q = tt.from_array(memory, x, layout=tt.TILE_LAYOUT)
    bare = jax.jit(jnp.add)
    contenders = {
        "jitted add": lambda: bare(x, x),
        "tt.add": lambda: tt.add(memory, p, q)[1].array,
    }
    report("one operation, calls queued", interleave(contenders, a.rounds, a.repeat), baseline="jitted add")
    contenders = {
        "jitted add": lambda: bare(x, x).block_until_ready(),
        "tt.add": lambda: tt.add(memory, p, q)[1].array.block_until_ready(),
    }
    report("one operation, each call waited for", interleave(contenders, a.rounds, a.repeat), baseline="jitted add")


if __name__ == "__main__":
    main()
