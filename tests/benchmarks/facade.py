"""What the facade costs: an eager `ttnn.add` on 32x32 tensors against a bare jitted add, and its import against jax's.

python tests/benchmarks/facade.py [--rounds 11] [--repeat 3000]
"""

import subprocess
import sys
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _interleave import Comparison, compare, interleave, main

import tt_jax.ttnn as ttnn

_IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def import_seconds(module: str) -> float:
    """Seconds that `import module` takes in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", _IMPORT.format(module)], stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def comparisons(*, rounds: int = 11, repeat: int = 3000) -> Iterator[Comparison]:
    x = jnp.ones((32, 32), jnp.bfloat16)
    bare = jax.jit(jnp.add)
    with ttnn.manage_device(0) as device:
        p = ttnn.from_numpy(np.asarray(x), layout=ttnn.TILE_LAYOUT, device=device)
        queued = {"jitted add": lambda: bare(x, x), "ttnn.add": lambda: ttnn.add(p, p)._functional().array}
        waited = {
            "jitted add": lambda: bare(x, x).block_until_ready(),
            "ttnn.add": lambda: ttnn.add(p, p)._functional().array.block_until_ready(),
        }
        for how, contenders in (("calls queued", queued), ("each call waited for", waited)):
            times = interleave(contenders, rounds, repeat)
            yield compare(f"one eager operation, 32x32, {how}", times, "ttnn.add", "jitted add", target=2.0)
    modules = ("jax", "tt_jax.ttnn")
    times = {f"import {module}": [] for module in modules}
    for _ in range(rounds):
        for module in modules:
            times[f"import {module}"].append(import_seconds(module))
    yield compare("import, in a new process", times, "import tt_jax.ttnn", "import jax")


if __name__ == "__main__":
    main(__doc__, comparisons)
