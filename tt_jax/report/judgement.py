"""Comparisons, explanations and searches of numerics, as text and as pictures."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_jax.errors import ArgumentError, NotInstalledError
from tt_jax.report.table import aligned

if TYPE_CHECKING:
    from tt_jax.compare import Comparison, Row
    from tt_jax.explain import Explanation
    from tt_jax.search import Search

_LABELLED = 60
"""Rows up to which an axis names them."""


def figure_for(path: str | os.PathLike[str], width: float, height: float) -> Any:
    """A matplotlib figure to be saved at `path`.

    Raises ArgumentError unless that ends in ".png" or ".svg", NotInstalledError without matplotlib.
    """
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in (".png", ".svg"):
        raise ArgumentError(f"a picture is saved as .png or .svg, got {os.fspath(path)!r}")
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        raise NotInstalledError(f"a {ending} needs matplotlib: pip install tt-jax[plot]; print it instead") from e
    return Figure(figsize=(width, height), layout="constrained")


def _figure(value: float, form: str) -> str:
    return "" if value != value else format(value, form)  # NaN: not defined here


# --- comparisons

_COMPARED = (
    "name",
    "line",
    "dtype",
    "fidelity",
    "PCC",
    "rel. error",
    "own error",
    "mean ratio",
    "max ULP",
    "worst block",
    "of error",
)
_RIGHT = frozenset(("PCC", "rel. error", "own error", "mean ratio", "max ULP", "of error"))


def _compared(row: "Row") -> tuple[str, ...]:
    worst = row.blocks[0] if row.blocks else None
    return (
        row.label,
        str(row.site or ""),
        row.dtype.kernel_name,
        row.fidelity.name if row.fidelity else "",
        _figure(row.pcc, ".6f"),
        _figure(row.relative_error, ".2e"),
        _figure(row.own_error, ".2e"),
        _figure(row.scale, ".4f"),
        _figure(row.max_ulp, ",.4g"),
        str(worst or ""),
        f"{worst.share:.1%}" if worst else "",
    )


def comparison_table(comparison: "Comparison") -> str:
    """A line for each row, and what the columns mean."""
    rows = [_compared(row) for row in comparison.rows]
    ends = [_compared(row) for row in comparison.outputs]
    return "\n".join(
        [
            f"level {comparison.level} against {comparison.ref}; chosen: {comparison.choices}",
            "",
            *aligned([_COMPARED, *rows, *ends], _RIGHT),
            "",
            "rel. error: |y - ref| / |ref|, Frobenius norms, with all that went before; own error: of this operation alone, on the inputs",
            "that it had. max ULP: of the dtype, for block floats in steps of a group. worst block: the 16 neighbours with the most of the",
            "squared error, and their share.",
        ]
    )


def draw_comparison(comparison: "Comparison", path: str | os.PathLike[str]) -> None:
    """Relative errors over the operations, accumulated and own, and the mean ratio beside them."""
    rows = [*comparison.rows, *comparison.outputs]
    figure = figure_for(path, 11, 1.8 + 0.26 * min(len(rows), _LABELLED))
    errors, ratios = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    places = np.arange(len(rows))[::-1]
    smallest = min((e for row in rows for e in (row.relative_error, row.own_error) if e > 0), default=1e-6)
    for field, offset, colour, label in (
        ("relative_error", 0.2, "tab:blue", "with all that went before"),
        ("own_error", -0.2, "tab:orange", "of the operation alone"),
    ):
        values = [getattr(row, field) for row in rows]
        errors.barh(places + offset, values, 0.38, color=colour, label=label)
    # A row without an error has no bar.
    errors.set(xscale="log", xlim=(smallest / 2, None), xlabel=f"relative error against {comparison.ref}")
    errors.grid(axis="x", alpha=0.3)
    ratios.axvline(1, color="0.6", linewidth=1)
    ratios.plot([row.scale for row in rows], places, "o", color="tab:green", markersize=4)
    ratios.set_xlabel("mean ratio")
    ratios.grid(axis="x", alpha=0.3)
    if len(rows) <= _LABELLED:
        names = [f"{row.label}  {row.dtype.kernel_name}{f' {row.fidelity.name}' if row.fidelity else ''}" for row in rows]
        errors.set_yticks(places, names, fontsize=8)
    figure.suptitle(f"level {comparison.level}; chosen: {comparison.choices}"[:140], fontsize=9)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)


# --- explanations

_BAR = 40


def explanation_text(explanation: "Explanation") -> str:
    """What the format loses and where: errors, a histogram of the spreads, rows and columns, the worst blocks."""
    e = explanation
    folded: dict[str, int] = {}
    for spread, n in e.spread_counts.items():
        name = str(spread) if spread < _WIDE else f"{_WIDE}+"
        folded[name] = folded.get(name, 0) + n
    top = max(folded.values(), default=1)
    lines = [
        f"{'x'.join(map(str, e.shape))} as {e.dtype.kernel_name}: {e.magnitude_bits} bits of magnitude, one exponent for 16 neighbours",
        f"relative error  {e.relative_error:.2e} measured, {e.predicted_error:.2e} predicted from the exponents alone",
        f"lost            {e.lost_bits:.2f} bits of a number on average to neighbours with larger exponents; {e.zeroed:.2%} of the numbers "
        f"became 0, {e.saturated:.2%} stopped at the largest code",
        f"transposed      {_instead(e.transposed_error, e.relative_error)}",
        f"columns sorted  {_instead(e.sorted_error, e.relative_error)}, if those of a size stood together",
        "",
        "spread of a block (powers of two between its largest and its smallest number)   blocks",
        *(f"  {name:>4}  {'#' * max(1, round(_BAR * n / top)):<{_BAR}}  {n:>8,}" for name, n in folded.items()),
        "",
        *(
            f"{name:<15} {', '.join(f'{i} ({share:.1%})' for i, share in shares) or 'none'}{what if shares else ''}"
            for name, shares, what in (
                ("worst rows", e.rows, "; their share of the squared error"),
                ("worst columns", e.columns, "; the same"),
                ("leaders", e.leaders, "; columns that alone set the exponent of most of their blocks"),
            )
        ),
    ]
    if e.blocks:
        head = ("worst blocks", "spread", "rel. error", "of error", "values")
        lines += ["", *aligned([head, *map(_block, e.blocks)], _BLOCK_RIGHT)]
    return "\n".join(lines)


_WIDE = 16
"""Spreads from here on are one line."""
_BLOCK_RIGHT = frozenset(("spread", "rel. error", "of error"))


def _instead(error: float, as_it_is: float) -> str:
    if error != error:
        return "undefined of a vector"
    return f"{error:.2e}" + (f", {error / as_it_is:.2f} times" if as_it_is else "")


def _block(block: Any) -> tuple[str, ...]:
    values = " ".join(f"{value:.2g}" for value in block.values)
    return (str(block), str(block.spread), f"{block.relative_error:.2e}", f"{block.share:.2%}", values)


def draw_explanation(explanation: "Explanation", path: str | os.PathLike[str]) -> None:
    """Maps of spread and of error, a cell a block, rows of the tensor downward, and the histogram of spreads."""
    figure = figure_for(path, 12, 4.8)
    spread, error, histogram = figure.subplots(1, 3, width_ratios=[1, 1, 0.8])
    for axes, values, title, colours in (
        (spread, explanation.spread_map, "spread, powers of two", "viridis"),
        (error, explanation.error_map, "error / rms of the tensor, log10", "magma"),
    ):
        image = axes.imshow(values, aspect="auto", interpolation="nearest", cmap=colours)
        axes.set(title=title, xlabel="block of 16 columns", ylabel="row")
        axes.locator_params(integer=True)
        figure.colorbar(image, ax=axes)
    histogram.bar(list(explanation.spread_counts), list(explanation.spread_counts.values()), color="tab:blue")
    histogram.set(xlabel="spread", ylabel="blocks", title="blocks by spread")
    histogram.locator_params(axis="x", integer=True)
    shape = "x".join(map(str, explanation.shape))
    figure.suptitle(
        f"{shape} as {explanation.dtype.kernel_name}: relative error {explanation.relative_error:.2e}\n", fontsize=10
    )
    figure.savefig(path, dpi=110)


# --- searches


def search_table(search: "Search") -> str:
    """The target, the best setting and what it costs, and the settings that no other beats."""
    best, first = search.best, search.trials[0]
    settings: list[tuple[str, ...]] = [
        ("setting", "kind", "chosen"),
        *((key, "dtype", dtype.kernel_name) for key, dtype in best.choices.dtypes.items()),
        *((key, "fidelity", fidelity.name) for key, fidelity in best.choices.fidelity.items()),
    ]
    front = [("MB", "cycles", *search.target, "on the way there"), *(_trial(trial, search) for trial in search.front)]
    kept = ", ".join(f"{name} {value:.6g}" for name, value in best.measures.items() if name in search.target)
    wanted = ", ".join(
        f"{name} {'at least' if name == 'pcc' else 'at most'} {value:g}" for name, value in search.target.items()
    )
    return "\n".join(
        [
            f"{wanted}: reached with {kept}, after {len(search.trials)} runs{'' if search.is_complete else ', which were all allowed'}",
            f"bytes   {best.bytes:,} of tensors, {best.bytes / first.bytes:.1%} of the most precise setting's {first.bytes:,}",
            f"L1      {best.peak_l1:,} at its peak, per bank; {first.peak_l1:,} at the most precise",
            f"cycles  {best.cycles:,} of matrix engines, {best.cycles / max(first.cycles, 1):.1%} of {first.cycles:,}",
            "",
            *aligned(settings, ()),
            "",
            "settings that none beats in bytes, cycles and error:",
            *aligned(front, frozenset(("MB", "cycles", *search.target))),
        ]
    )


def _trial(trial: Any, search: "Search") -> tuple[str, ...]:
    mark = "the best" if trial is search.best else "the most precise" if trial is search.trials[0] else ""
    return (f"{trial.bytes / 1e6:.3f}", f"{trial.cycles:,}", *(f"{trial.measures[name]:.6g}" for name in search.target), mark)


def draw_search(search: "Search", path: str | os.PathLike[str]) -> None:
    """Relative error against bytes: every trial, coloured by its cycles, and the settings that none beats."""
    figure = figure_for(path, 8, 5.5)
    axes = figure.subplots()
    tried = [t for t in search.trials if t.measures["relative_error"] > 0]
    image = axes.scatter(
        [t.bytes / 1e6 for t in tried],
        [t.measures["relative_error"] for t in tried],
        c=[t.cycles for t in tried],
        cmap="viridis",
        s=22,
        label="tried",
    )
    front = sorted(search.front, key=lambda t: t.bytes)
    axes.plot(
        [t.bytes / 1e6 for t in front],
        [t.measures["relative_error"] for t in front],
        "o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor="tab:orange",
        label="beaten by none",
    )
    axes.plot(
        search.best.bytes / 1e6, search.best.measures["relative_error"], "*", color="crimson", markersize=16, label="the best"
    )
    if "relative_error" in search.target:
        axes.axhline(search.target["relative_error"], color="crimson", linestyle=":", linewidth=1, label="wanted")
    axes.set(yscale="log", xlabel="bytes of all tensors, MB", ylabel="relative error of the output")
    axes.grid(alpha=0.3)
    figure.colorbar(image, ax=axes, label="cycles of matrix engines")
    figure.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)
