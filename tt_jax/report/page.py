"""A plan as one HTML file that needs nothing else: L1 over the steps with hover text, the cores at the peak, the table."""

from html import escape
from typing import TYPE_CHECKING

from tt_jax.memory import BufferType
from tt_jax.report import drawing
from tt_jax.report.table import table_of

if TYPE_CHECKING:
    from tt_jax.plan import Plan

_HEIGHT = 520
_MARGIN = 90
_CELL = 46

_STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; color: #222; background: #fff; }
svg { font: 11px system-ui, sans-serif; }
svg text { fill: #222; }
rect.block:hover, rect.program:hover { stroke: #000; stroke-width: 2; }
rect.block { stroke: #fff; stroke-width: .5; }
rect.program { fill: url(#hatch); stroke: #777; stroke-width: .5; }
rect.peak { fill: #dc143c; opacity: .14; }
.scroll { overflow-x: auto; }
.key span { display: inline-block; margin-right: 1.2em; }
.key i { display: inline-block; width: .9em; height: .9em; margin-right: .4em; vertical-align: -.1em; }
pre { font-size: 12px; }
"""


def page_of(plan: "Plan") -> str:
    """The file's text."""
    shapes = drawing.rectangles(plan)
    colours = {name: f"hsl({i * 137.5 % 360:.0f} 55% {62 if i % 2 else 50}%)" for i, name in enumerate(drawing.groups(shapes))}
    heading = escape(drawing.title(plan))
    keys = "".join(
        f'<span><i style="background:{"repeating-linear-gradient(45deg,#999 0 2px,#fff 2px 4px)" if name == "program" else colour}"></i>'
        f"{escape('programs’ own buffers' if name == 'program' else name)}</span>"
        for name, colour in colours.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{heading}</title><style>{_STYLE}</style>\n'
        f'<h2>{heading}</h2>\n<p class="key">{keys}</p>\n<div class="scroll">{_steps(plan, shapes, colours)}</div>\n'
        f"<h3>KiB on each core after step {plan.peak_step}</h3>\n{_cores(plan)}\n"
        f'<h3>Steps</h3>\n<div class="scroll"><pre>{escape(table_of(plan))}</pre></div>\n</html>\n'
    )


def _steps(plan: "Plan", shapes: list[drawing.Rectangle], colours: dict[str, str]) -> str:
    region = plan.before.region(BufferType.L1)
    count = max(len(plan.steps), 1)
    step = min(max(1100 / count, 3), 60)

    def x(position: float) -> float:
        return _MARGIN + position * step

    def y(address: float) -> float:
        return 10 + (region.end - address) / region.size * _HEIGHT

    parts = [
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="6" height="6" fill="#fff"/><line x1="0" y1="0" x2="0" y2="6" stroke="#999" stroke-width="3"/></pattern></defs>'
    ]
    for i in range(5):
        address = region.start + region.size * i // 4
        parts.append(f'<text x="{_MARGIN - 8}" y="{y(address) + 4:.1f}" text-anchor="end">{address:,}</text>')
        parts.append(f'<line x1="{_MARGIN}" x2="{x(count):.1f}" y1="{y(address):.1f}" y2="{y(address):.1f}" stroke="#ddd"/>')
    if plan.peak_step >= 0:
        parts.append(
            f'<rect class="peak" x="{x(plan.peak_step):.1f}" y="10" width="{step:.1f}" height="{_HEIGHT}"><title>the peak</title></rect>'
        )
    for shape in shapes:
        kind = "program" if shape.group == "program" else "block"
        fill = "" if kind == "program" else f' fill="{colours[shape.group]}"'
        height = max(y(shape.bottom) - y(shape.top), 0.5)
        parts.append(
            f'<rect class="{kind}" x="{x(shape.left):.1f}" y="{y(shape.top):.2f}" width="{(shape.right - shape.left) * step:.1f}" '
            f'height="{height:.2f}"{fill}><title>{escape(shape.text)}</title></rect>'
        )
    if step >= 14:
        for i, one in enumerate(plan.steps):
            where = f'x="{x(i + 0.6):.1f}" y="{_HEIGHT + 24}"'
            parts.append(f'<text {where} text-anchor="end" transform="rotate(-50 {x(i + 0.6):.1f} {_HEIGHT + 24})">{i} {escape(one.name)}</text>')
    longest = max((len(one.name) for one in plan.steps), default=0)
    width, height = x(count) + 20, _HEIGHT + 40 + (longest * 5 if step >= 14 else 0)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img">{"".join(parts)}</svg>'


def _cores(plan: "Plan") -> str:
    used = drawing.bytes_on_cores(plan, plan.peak_step)
    size = plan.before.region(BufferType.L1).size
    parts = []
    for y, row in enumerate(used):
        for x, value in enumerate(row):
            share = value / size
            parts.append(
                f'<rect x="{x * _CELL}" y="{y * _CELL}" width="{_CELL - 2}" height="{_CELL - 2}" fill="hsl(215 60% {95 - 55 * min(share, 1):.0f}%)">'
                f"<title>core ({x}, {y}): {value:,} B, {share:.1%} of L1</title></rect>"
                f'<text x="{x * _CELL + _CELL / 2 - 1:.0f}" y="{y * _CELL + _CELL / 2 + 3:.0f}" text-anchor="middle">{value / 1024:.0f}</text>'
            )
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{len(used[0]) * _CELL}" height="{len(used) * _CELL}">{"".join(parts)}</svg>'
