"""Timing contenders in turn, in one process: on a shared machine only their ratios mean something."""

import statistics
import time
from collections.abc import Callable

import jax


def interleave(contenders: dict[str, Callable[[], object]], rounds: int = 9, repeat: int = 1) -> dict[str, list[float]]:
    """Seconds of each contender in each round, `repeat` calls at a time, after one warm-up; results are waited for."""
    for run in contenders.values():
        jax.block_until_ready(run())
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            for _ in range(repeat):
                result = run()
            jax.block_until_ready(result)
            times[name].append((time.perf_counter() - start) / repeat)
    return times


def report(title: str, times: dict[str, list[float]], baseline: str) -> None:
    """Print, per contender, the median time and the median, least and largest ratio to `baseline`, round by round."""
    print(f"{title}\n{len(times[baseline])} interleaved rounds; ratios to '{baseline}'")
    for name, measured in times.items():
        ratios = sorted(t / b for t, b in zip(measured, times[baseline], strict=True))
        print(
            f"  {name:34s} {statistics.median(measured) * 1e3:10.3f} ms   ratio {statistics.median(ratios):.3f}"
            f"   ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        )
