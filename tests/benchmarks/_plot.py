"""A picture of the ratios: a point for each comparison, its least and largest round, and what was asked for."""

import itertools
import pathlib
from collections.abc import Sequence

from _interleave import Comparison, duration

_MET, _MISSED, _NOT_ASKED, _TARGET = "#2a7f4f", "#c2452d", "#4a6a8a", "#222222"


def draw(groups: Sequence[tuple[str, Comparison]], path: pathlib.Path, subtitle: str) -> None:
    """`(benchmark, comparison)`s, neighbours of one benchmark together, from top to bottom; the format is that of `path`'s suffix."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    rows: list[tuple[str, Comparison | None]] = []
    for benchmark, members in itertools.groupby(groups, key=lambda pair: pair[0]):
        for name, named in itertools.groupby(members, key=lambda pair: pair[1].name):
            rows.append((f"{benchmark}: {name}", None))
            rows += [(_label(c), c) for _, c in named]

    figure, axes = pyplot.subplots(figsize=(11, 1.4 + 0.2 * len(rows)))
    axes.axvline(1, color="black", linewidth=0.8)
    for y, (_, c) in enumerate(rows):
        if c is None:
            continue
        color = {None: _NOT_ASKED, True: _MET, False: _MISSED}[c.is_met]
        axes.plot([c.least, c.largest], [y, y], color=color, linewidth=1.2, alpha=0.6, solid_capstyle="butt")
        axes.plot(c.ratio, y, "o", color=color, markersize=4)
        if c.target is not None:
            axes.plot([c.target, c.target], [y - 0.45, y + 0.45], color=_TARGET, linewidth=2)
    axes.set_xscale("log")
    for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        formatter("{x:g}")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=7)
    for label, (_, c) in zip(axes.get_yticklabels(), rows, strict=True):
        if c is None:
            label.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("ours / the alternative: median, least and largest of the rounds (left of 1: ours takes less)", fontsize=8)
    axes.set_title(subtitle, fontsize=8, loc="left", pad=24)  # above the legend
    keys = (
        Line2D([], [], color=_MET, marker="o", markersize=4, label="as asked"),
        Line2D([], [], color=_MISSED, marker="o", markersize=4, label="not as asked"),
        Line2D([], [], color=_NOT_ASKED, marker="o", markersize=4, label="nothing asked"),
        Line2D(
            [], [], color=_TARGET, linewidth=0, marker="|", markersize=9, markeredgewidth=2, label="largest ratio asked for"
        ),
    )
    axes.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, ncols=4, fontsize=7, frameon=False)
    figure.savefig(path, dpi=130, bbox_inches="tight")
    pyplot.close(figure)


def _label(c: Comparison) -> str:
    limit = "" if c.most_seconds is None else f"{duration(c.seconds)}, at most {duration(c.most_seconds, fixed=False)} asked:  "
    return f"{limit}{c.ours}  /  {c.alternative}"
