"""One first call of the tutorial's attention, stage by stage, in the process that it starts: `startup.py` runs this again and again.

Prints the seconds of each stage as a JSON object. The persistent cache is what JAX's environment variables say.

python tests/benchmarks/_first_call.py ours|plain BATCH SEQUENCE HEADS HIDDEN
"""

import json
import pathlib
import sys
import time


class Stages:
    """Seconds of what was done since the last stage ended, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def end(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._since
        self._since = now


def first_call(which: str, batch: int, sequence: int, heads: int, hidden: int) -> dict[str, float]:
    """import, inputs (on the device, eagerly), trace, lower, compile, run; and what the second run took, as `again`."""
    stages = Stages()
    import jax

    if which == "ours":
        import tt_jax as tt
    stages.end("import")
    from _attention import arrays, float32_attention

    host = arrays(batch, sequence, hidden)
    stages.end("")

    if which == "ours":
        sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))
        import attention

        memory, tensors = tt.MemoryState.create(tt.N150), []
        for array in host:
            memory, tensor = tt.from_array(memory, array, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
            tensors.append(tensor)
        states, mask, *rest = tensors
        arguments = (memory, states, mask, attention.OptimizedParameters(*rest))
        function = jax.jit(lambda *a: attention.optimized(*a, num_heads=heads))
    else:
        arguments = tuple(map(jax.device_put, host))
        function = jax.jit(lambda *a: float32_attention(*a, num_heads=heads))
    jax.block_until_ready(arguments)
    stages.end("inputs")

    traced = function.trace(*arguments)
    stages.end("trace")
    lowered = traced.lower()
    stages.end("lower")
    compiled = lowered.compile()
    stages.end("compile")
    for name in ("run", "again"):
        jax.block_until_ready(compiled(*arguments))
        stages.end(name)
    del stages.seconds[""]
    return stages.seconds


if __name__ == "__main__":
    which, *sizes = sys.argv[1:]
    print(json.dumps(first_call(which, *map(int, sizes))))
