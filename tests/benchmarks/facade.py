"""What the facade costs: an eager `ttnn.add` on 32x32 tensors against a bare jitted add, and its import against jax's.

python tests/benchmarks/facade.py [--rounds 11] [--repeat 3000]
"""

import argparse
import statistics
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from _interleave import interleave, report

import tt_jax.ttnn as ttnn

_IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def import_seconds(module: str) -> float:
    """Seconds that `import module` takes in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", _IMPORT.format(module)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--repeat", type=int, default=3000)
    a = parser.parse_args()
    x = jnp.ones((32, 32), jnp.bfloat16)
    bare = jax.jit(jnp.add)
    with ttnn.manage_device(0) as device:
        p = ttnn.from_numpy(np.asarray(x), layout=ttnn.TILE_LAYOUT, device=device)
        contenders = {
            "jitted add": lambda: bare(x, x),
            "ttnn.add": lambda: ttnn.add(p, p)._functional().array,
        }
        report("one operation, calls queued", interleave(contenders, a.rounds, a.repeat), baseline="jitted add")
        contenders = {
            "jitted add": lambda: bare(x, x).block_until_ready(),
            "ttnn.add": lambda: ttnn.add(p, p)._functional().array.block_until_ready(),
        }
        report("one operation, each call waited for", interleave(contenders, a.rounds, a.repeat), baseline="jitted add")
    times: dict[str, list[float]] = {"jax": [], "tt_jax.ttnn": []}
    for _ in range(a.rounds):
        for module, seconds in times.items():
            seconds.append(import_seconds(module))
    jax_alone, with_facade = (statistics.median(seconds) for seconds in times.values())
    print(f"import: jax {jax_alone:.3f} s, tt_jax.ttnn {with_facade:.3f} s, so {with_facade - jax_alone:.3f} s more (medians)")


if __name__ == "__main__":
    main()
