"""Pictures of a plan: L1 over the steps, and how the cores are used at the peak."""

import os
from typing import TYPE_CHECKING, Any

from tt_jax.errors import ArgumentError, NotInstalledError
from tt_jax.memory import BufferType
from tt_jax.report import drawing
from tt_jax.report.page import page_of

if TYPE_CHECKING:
    from tt_jax.plan import Plan

_LABELLED = 60
"""Steps up to which the axis names the operations."""


def save(plan: "Plan", path: str | os.PathLike[str]) -> None:
    """Write `plan` to a ".png", ".svg" or ".html" file.

    Raises ArgumentError for another ending, NotInstalledError where matplotlib is wanted and missing.
    """
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending == ".html":
        with open(path, "w", encoding="utf-8") as file:
            file.write(page_of(plan))
    elif ending in (".png", ".svg"):
        try:
            from matplotlib.figure import Figure
        except ImportError as e:
            raise NotInstalledError(
                f"a {ending} needs matplotlib: pip install tt-jax[plot], or save an .html, which needs nothing"
            ) from e
        width = min(max(9.0, 3 + 0.35 * len(plan.steps)), 30.0)
        figure = Figure(figsize=(width + 4, 7), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[width, 4])
        _draw_steps(left, plan)
        _draw_cores(figure, right, plan)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=5, fontsize=8, frameon=False)
        figure.savefig(path, dpi=110)
    else:
        raise ArgumentError(f"a plan is saved as .png, .svg or .html, got {os.fspath(path)!r}")


def _draw_steps(axes: Any, plan: "Plan") -> None:
    from matplotlib import colormaps

    shapes = drawing.rectangles(plan)
    names = drawing.groups(shapes)
    colours = {name: colormaps["tab20"](i % 20) for i, name in enumerate(n for n in names if n != "program")}
    for name in names:
        members = [shape for shape in shapes if shape.group == name]
        is_program = name == "program"
        axes.bar(
            [shape.left for shape in members],
            [shape.top - shape.bottom for shape in members],
            [shape.right - shape.left for shape in members],
            [shape.bottom for shape in members],
            align="edge",
            color="none" if is_program else colours[name],
            hatch="///" if is_program else None,
            edgecolor="0.45" if is_program else "white",
            linewidth=0.6,
            label="programs' own buffers" if is_program else name,
        )
    region = plan.before.region(BufferType.L1)
    if plan.peak_step >= 0:
        axes.axvspan(
            plan.peak_step, plan.peak_step + 1, color="crimson", alpha=0.12, zorder=0, label=f"peak: step {plan.peak_step}"
        )
    axes.set(xlim=(0, max(len(plan.steps), 1)), ylim=(region.start, region.end), xlabel="step", ylabel="address in each bank")
    axes.set_title(drawing.title(plan), loc="left")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    if len(plan.steps) <= _LABELLED:
        ticks = [i + 0.5 for i in range(len(plan.steps))]
        axes.set_xticks(ticks, [f"{i} {step.name}" for i, step in enumerate(plan.steps)], rotation=60, ha="right", fontsize=7)


def _draw_cores(figure: Any, axes: Any, plan: "Plan") -> None:
    used = drawing.bytes_on_cores(plan, plan.peak_step)
    size = plan.before.region(BufferType.L1).size
    image = axes.imshow(used, cmap="viridis", vmin=0, vmax=size)
    for y, row in enumerate(used):
        for x, value in enumerate(row):
            shade = "white" if value < size * 0.6 else "black"
            axes.text(x, y, f"{value / 1024:.0f}", ha="center", va="center", fontsize=6, color=shade)
    axes.set_title(f"KiB on each core, step {plan.peak_step}", loc="left", fontsize=9)
    axes.set(xlabel="x", ylabel="y", xticks=range(len(used[0])), yticks=range(len(used)))
    figure.colorbar(image, ax=axes, shrink=0.5, format=lambda value, _: f"{value / 1024:.0f}")
