"""The one protocol of the benchmarks: contenders timed in turn, in one process. On a shared machine only their ratios mean something.

A benchmark is a script of this folder whose name has no underscore in front. It has a generator `comparisons(*, rounds=9, ...)` of
`Comparison`, whose keyword arguments are its options, and ends in

    if __name__ == "__main__":
        main(__doc__, comparisons)

so that `python tests/benchmarks/attention.py --rounds 9 --batch 8` runs it alone, and `python tests/benchmarks` (`make bench`) runs
all, each in a process of its own. Within it,

    times = interleave({"jitted add": ..., "tt.add": ...}, rounds, repeat=3000)
    yield compare("one operation, calls queued", times, "tt.add", "jitted add", target=2.0)

`interleave` times, `compare` makes a Comparison of two contenders; an existing array of seconds a round does as well. `rounds` is at
least 7 by default: medians of fewer say little.
"""

import argparse
import inspect
import itertools
import json
import pathlib
import statistics
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax

from tt_jax.machine import keep_freed_memory
from tt_jax.report.table import aligned

LEAST_ROUNDS = 7
_HEAD = ("ours", "the alternative", "ratio", "least", "largest", "ours takes", "target", "")
_TO_THE_RIGHT = frozenset(("ratio", "least", "largest", "ours takes"))


class Comparison(NamedTuple):
    """What something of this library takes beside what a user could take instead. Ratios are ours / alternative, without a unit."""

    name: str  # what is done, and its size: the heading of a group
    ours: str
    alternative: str
    ratio: float  # the median of the rounds' ratios
    least: float
    largest: float
    seconds: float  # of ours: the median of the rounds
    rounds: int
    target: float | None = None  # the largest ratio asked for
    most_seconds: float | None = None  # the most seconds asked for
    note: str = ""  # what else was found

    @property
    def is_met(self) -> bool | None:
        """Whether every target is; None without one."""
        asked = [(self.ratio, self.target), (self.seconds, self.most_seconds)]
        met = [found <= most for found, most in asked if most is not None]
        return all(met) if met else None


def interleave(contenders: Mapping[str, Callable[[], object]], rounds: int, repeat: int = 1) -> dict[str, list[float]]:
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


def with_and_without_kept_memory(
    name: str, contenders: Mapping[str, Callable[[], object]], rounds: int
) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """`interleave` twice, as the C library is and with freed memory kept, which stays so; a title and the times of each.

    Once only where the C library can't keep it.
    """
    yield name, interleave(contenders, rounds)
    if keep_freed_memory():
        yield f"{name}, freed memory kept", interleave(contenders, rounds)


def compare(
    name: str,
    times: Mapping[str, Sequence[float]],
    ours: str,
    alternative: str,
    *,
    target: float | None = None,
    most_seconds: float | None = None,
    note: str = "",
) -> Comparison:
    """`ours` beside `alternative`, both among `times`: seconds, round by round. Ratios are taken within each round."""
    ratios = sorted(x / y for x, y in zip(times[ours], times[alternative], strict=True))
    seconds, rounds = statistics.median(times[ours]), len(ratios)
    figures = (statistics.median(ratios), ratios[0], ratios[-1], seconds, rounds)
    return Comparison(name, ours, alternative, *figures, target, most_seconds, note)


def duration(seconds: float, digits: int = 3, fixed: bool = True) -> str:
    """So many digits and a unit; without trailing zeros unless `fixed`."""
    unit, factor = next((x for x in (("s", 1), ("ms", 1e3)) if seconds * x[1] >= 0.9995), ("us", 1e6))
    text = f"{seconds * factor:{'#' if fixed else ''}.{digits}g}"
    return f"{text.removesuffix('.')} {unit}"


def asked(comparison: Comparison) -> str:
    """Its targets as text; empty without one."""
    ratio = [] if comparison.target is None else [f"<= {comparison.target:g}"]
    seconds = [] if comparison.most_seconds is None else [f"<= {duration(comparison.most_seconds, fixed=False)}"]
    return ", ".join(ratio + seconds)


def table(comparisons: Iterable[Comparison]) -> str:
    """A line for each, under a heading for neighbours of one name; notes follow the group."""
    comparisons = list(comparisons)
    verdicts = {None: "", True: "met", False: "missed"}
    cells = [
        (
            c.ours,
            c.alternative,
            *(f"{x:#.3g}" for x in (c.ratio, c.least, c.largest)),
            duration(c.seconds),
            asked(c),
            verdicts[c.is_met],
        )
        for c in comparisons
    ]
    head, *rows = aligned([_HEAD, *cells], _TO_THE_RIGHT)
    lines = [f"  {head}"]
    for name, group in itertools.groupby(zip(comparisons, rows, strict=True), key=lambda pair: pair[0].name):
        pairs = list(group)
        lines += [f"{name} ({pairs[0][0].rounds} rounds)", *(f"  {row}" for _, row in pairs)]
        lines += [line for c, _ in pairs if c.note for line in _wrapped(f"{c.ours}: {c.note}")]
    return "\n".join(lines)


def _wrapped(note: str) -> list[str]:
    return textwrap.wrap(note, 124, initial_indent=" " * 4, subsequent_indent=" " * 6)


def main(description: str | None, comparisons: Callable[..., Iterable[Comparison]]) -> None:
    """Run one benchmark as a command: an option for each keyword argument of `comparisons`, and `--save FILE` for JSON."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, parameter in inspect.signature(comparisons).parameters.items():
        option, default = f"--{name.replace('_', '-')}", parameter.default
        if isinstance(default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(option, type=type(default), default=default, help=f"{default} by default")
    parser.add_argument("--save", type=pathlib.Path, help="write the comparisons to this file, as a JSON list")
    options = vars(parser.parse_args())
    save = options.pop("save")
    if options["rounds"] < 1:
        parser.error(f"argument --rounds: at least 1, not {options['rounds']}")
    found = list(comparisons(**options))
    if save is not None:
        save.write_text(json.dumps([c._asdict() for c in found], indent=2))
    print(table(found))
