"""Forms of attention, each jitted whole on a simulated board: time, programs, peak of L1 on every board, error against float64.

One row for each variant, sequence length and dtype. `variants.py` has the variants themselves. `--plot` draws the figures, and with
`--json` the last line is one JSON object of them.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
from _attention_variants import VARIANTS, Draw, Sizes
from _report import DTYPES, Accuracy, device_parser, run, table

import tt_jax as tt
from tt_jax.report.judgement import figure_for


class Figures(NamedTuple):
    """A row. Programs, time and accuracy are None where the board has too little memory."""

    variant: str
    sequence: int
    dtype: str
    peak_l1: dict[str, int | None]  # by board, bytes per bank; None where it does not fit
    programs: int | None = None
    milliseconds: float | None = None  # the median call of the jitted program
    accuracy: Accuracy | None = None

    def cells(self) -> tuple[str, ...]:
        milliseconds = "" if self.milliseconds is None else f"{self.milliseconds:.2f}"
        programs = "" if self.programs is None else f"{self.programs}"
        _, error, ratio = ("", "", "") if self.accuracy is None else self.accuracy.cells()
        peaks = ("does not fit" if peak is None else f"{peak:,}" for peak in self.peak_l1.values())
        return (self.variant, self.dtype, f"{self.sequence}", milliseconds, error, ratio, programs, *peaks)

    def json(self) -> dict[str, Any]:
        accuracy = None if self.accuracy is None else self.accuracy._asdict()
        return self._replace(accuracy=accuracy)._asdict()  # type: ignore[arg-type]


def values(tree: Any) -> Any:
    """The tensors of a tree as arrays."""
    is_tensor = lambda leaf: isinstance(leaf, tt.Tensor)
    return jax.tree.map(lambda tensor: np.asarray(tt.to_array(tensor)), tree, is_leaf=is_tensor)


def first(result: Any) -> tt.Tensor:
    """What a variant computes, without the cache that comes with it."""
    return result if isinstance(result, tt.Tensor) else result[0]


class Compiled(NamedTuple):
    """A row without its time, and the jitted program on its inputs; None where the board has too little memory."""

    row: Figures
    call: Callable[[], Any] | None

    def timed(self) -> Figures:
        """The row with the median of five calls."""
        if self.call is None:
            return self.row
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            jax.block_until_ready(self.call())
            seconds.append(time.perf_counter() - start)
        return self.row._replace(milliseconds=1e3 * statistics.median(seconds))


def compiled(device: tt.DeviceProfile, dtype: tt.DataType, sizes: Sizes, name: str) -> Compiled:
    """A variant planned on every board, and compiled and run once on `device`."""
    case = VARIANTS[name](Draw(sizes, dtype))
    plans = {board: case.plan(board) for board in tt.PROFILES}
    peaks = {board: plan.peak_l1 if plan.fits else None for board, plan in plans.items()}
    row = Figures(name, sizes.sequence, dtype.kernel_name, peaks)
    if not plans[device.name].fits:
        return Compiled(row, None)
    memory, inputs = case.put(device)
    program = jax.jit(case.program)
    _, result = program(memory, *inputs)
    accuracy = Accuracy.of(values(first(result)), case.exact(*values(inputs)))
    row = row._replace(programs=plans[device.name].programs, accuracy=accuracy)
    return Compiled(row, lambda: program(memory, *inputs))


def report(rows: list[Figures], device: tt.DeviceProfile, sizes: Sizes) -> str:
    header = ("variant", "dtype", "sequence", "time [ms]", "relative error", "mean ratio", "programs", *tt.PROFILES)
    title = (
        f"Attention on {device.name}: batch {sizes.batch}, {sizes.heads} heads of {sizes.head_size}, {sizes.groups} key-value heads "
        "in grouped-query and decode; peak of L1 by board, bytes per bank"
    )
    legend = f"""
  dtype: of weights, queries, keys, values and what attention makes of them, in decode of weights and caches only; the rest is
  bfloat16. Cross-attention looks at a context twice as long as the sequence, a window holds a quarter of it, decode takes one
  token over a cache of that length.
  Time: of the simulation on this machine's {jax.default_backend()}, one jitted call, median of 5; not of the device.
  Error: |y - ref| / |ref|, Frobenius norms, against float64 of the values as stored. Mean ratio: sum |y| / sum |ref|.
  Programs: that the device would compile. Peak: of buffers; what a program keeps beside them is not in it."""
    return table(title, header, [row.cells() for row in rows], text_columns=2) + legend


COLOURS = {
    "multi-head": "#08519c",
    "multi-query": "#3182bd",
    "grouped-query": "#9ecae1",
    "cross": "#6a51a3",
    "causal": "#a63603",
    "sliding-window": "#f16913",
    "rotary": "#fdae6b",
    "alibi": "#d4b106",
    "flash": "#006d2c",
    "flash-accurate": "#74c476",
    "decode": "#737373",
}


def draw_figures(rows: list[Figures], device: tt.DeviceProfile, path: str) -> None:
    """A row of panels for each dtype: time, error and peak over the length; peak by board, and programs, at the longest.

    Lines that coincide show as stripes: each is thinner than those before it. What does not fit is left out.

    Raises ArgumentError unless `path` ends in .png or .svg.
    """
    names, dtypes = (list(dict.fromkeys(getattr(row, field) for row in rows)) for field in ("variant", "dtype"))
    lengths, boards = sorted({row.sequence for row in rows}), list(tt.PROFILES)
    figure = figure_for(path, 19, 0.8 + 3.4 * len(dtypes))
    grid = figure.subplots(len(dtypes), 5, squeeze=False, sharey="col")
    for dtype, panels in zip(dtypes, grid, strict=True):
        times, errors, peaks, by_board, programs = panels
        for i, name in enumerate(names):
            own = sorted((row for row in rows if (row.variant, row.dtype) == (name, dtype)), key=lambda row: row.sequence)
            above = len(names) - 1 - i  # how many are drawn over it
            line = dict(color=COLOURS[name], marker="o", linewidth=1.5 + 0.5 * above, markersize=3.5 + 0.7 * above)
            times.plot(lengths, [number(row.milliseconds) for row in own], **line, label=name)
            errors.plot(lengths, [number(row.accuracy and row.accuracy.relative_error) for row in own], **line)
            peaks.plot(lengths, [number(row.peak_l1[device.name], 1024) for row in own], **line)
            apart = np.arange(len(boards)) + 0.7 * (i + 0.5) / len(names) - 0.35
            by_board.plot(apart, [number(own[-1].peak_l1[board], 1024) for board in boards], "o", color=COLOURS[name])
            programs.bar(i, number(own[-1].programs), color=COLOURS[name])
        titles = "time of the simulation, ms", "relative error", f"peak of L1 on {device.name}, KiB per bank"
        titles += f"peak of L1 by board, KiB per bank, {lengths[-1]} long", "programs"
        for axes, title in zip(panels, titles, strict=True):
            axes.set_title(f"{dtype}: {title}", fontsize=9)
            axes.grid(alpha=0.3, axis="y")
        for axes in (times, peaks, by_board):
            axes.set_yscale("log", base=2)
            axes.yaxis.set_major_formatter("{x:g}")
        for axes in (times, errors, peaks):
            axes.set_xscale("log", base=2)
            axes.set_xticks(lengths, [str(length) for length in lengths])
            axes.set_xlabel("sequence", fontsize=9)
        by_board.set_xticks(range(len(boards)), boards)
        by_board.set_xlim(-0.6, len(boards) - 0.4)
        programs.set_xticks([])
        programs.set_xlim(-0.6, len(names) - 0.4)
    grid[0, 1].set_ylim(bottom=0)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(names), fontsize=9, frameon=False
    )
    figure.savefig(path, dpi=100)


def number(value: float | None, unit: float = 1) -> float:
    return np.nan if value is None else value / unit


def several(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """A parser of different values of a `kind`, separated by commas."""
    return lambda text: list(dict.fromkeys(kind(part.strip()) for part in text.split(",")))


def length(text: str) -> int:
    """A sequence length. Raises ArgumentTypeError unless it is whole tiles."""
    if not text.isdigit() or int(text) < tt.TILE_SIZE or int(text) % tt.TILE_SIZE:
        raise argparse.ArgumentTypeError(f"a sequence is a multiple of {tt.TILE_SIZE} (whole tiles), got {text!r}")
    return int(text)


def among(what: str, names: Collection[str]) -> Callable[[str], str]:
    """A parser of one of `names`, which raises ArgumentTypeError for another."""

    def chosen(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"no {what} {text!r}; there are {', '.join(names)}")
        return text

    return chosen


def parse() -> argparse.Namespace:
    parser = device_parser(__doc__)
    parser.add_argument("--sequence", type=several(length), default=[128, 512], help="lengths, 128,512 by default")
    dtypes, names = several(among("dtype", DTYPES)), several(among("variant", VARIANTS))
    parser.add_argument("--dtypes", type=dtypes, default=["bfloat16", "bfloat8_b"], help="bfloat16,bfloat8_b by default")
    parser.add_argument("--variants", type=names, default=list(VARIANTS), help=f"{','.join(VARIANTS)} by default")
    for name, default in (("batch", 1), ("hidden", 256), ("heads", 4), ("groups", 2)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{default} by default")
    parser.add_argument("--plot", metavar="FILE", help="draw the figures to a .png or .svg")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    sizes = [options.batch, options.hidden, options.heads, options.groups]
    if min(sizes) < 1 or options.hidden % (64 * options.heads) or options.heads % options.groups:
        parser.error(
            "sizes must be positive, heads a multiple of 64 wide (rotary embeddings need it), and groups must divide them; got "
            f"batch {options.batch}, hidden {options.hidden}, {options.heads} heads, {options.groups} groups"
        )
    return options


def main() -> None:
    options = parse()
    device = tt.PROFILES[options.device]
    if options.plot:
        figure_for(options.plot, 1, 1)  # raises now, not after the work
    sizes = [Sizes(options.batch, sequence, options.hidden, options.heads, options.groups) for sequence in options.sequence]
    cases = itertools.product([DTYPES[name] for name in options.dtypes], sizes, options.variants)
    with ThreadPoolExecutor(2) as pool:  # compiling takes nearly all the time; what is timed runs alone
        made = list(pool.map(lambda case: compiled(device, *case), cases))
    rows = [case.timed() for case in made]
    print(report(rows, device, sizes[0]))
    if options.plot:
        draw_figures(rows, device, options.plot)
    if options.json:
        print(json.dumps({"rows": [row.json() for row in rows]}))


if __name__ == "__main__":
    run(main)
