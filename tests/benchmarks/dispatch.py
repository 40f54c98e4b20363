"""What one eager operation costs beyond its kernel: `tt.add` with its allocation against a bare jitted add, 32x32 bfloat16.

Twice: with calls queued one behind the other, and with each result waited for.

python tests/benchmarks/dispatch.py [--rounds 11] [--repeat 3000]
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
from _interleave import Comparison, compare, interleave, main

import tt_jax as tt


def comparisons(*, rounds: int = 11, repeat: int = 3000) -> Iterator[Comparison]:
    x = jnp.ones((32, 32), jnp.bfloat16)
    memory = tt.MemoryState.create(tt.N150)
    memory, p = tt.from_array(memory, x, layout=tt.TILE_LAYOUT)
    memory, q = tt.from_array(memory, x, layout=tt.TILE_LAYOUT)
    bare = jax.jit(jnp.add)
    queued = {"jitted add": lambda: bare(x, x), "tt.add": lambda: tt.add(memory, p, q)[1].array}
    waited = {
        "jitted add": lambda: bare(x, x).block_until_ready(),
        "tt.add": lambda: tt.add(memory, p, q)[1].array.block_until_ready(),
    }
    for how, contenders in (("calls queued", queued), ("each call waited for", waited)):
        times = interleave(contenders, rounds, repeat)
        yield compare(f"one eager operation, 32x32, {how}", times, "tt.add", "jitted add", target=2.0)


if __name__ == "__main__":
    main(__doc__, comparisons)
