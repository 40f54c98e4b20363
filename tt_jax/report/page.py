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

_HATCH = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#fff"/><line x1="0" y1="0" x2="0" y2="6" stroke="#999" stroke-width="3"/></pattern></defs>'
)

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
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{heading}</title><style>{_STYLE}</style>
<h2>{heading}</h2>
<p class="key">{"".join(_key(name, colour) for name, colour in colours.items())}</p>
<div class="scroll">{_steps(plan, shapes, colours)}</div>
<h3>KiB on each core after step {plan.peak_step}</h3>
{_cores(plan)}
<h3>Steps</h3>
<div class="scroll"><pre>{escape(table_of(plan))}</pre></div>
</html>
"""


def _key(name: str, colour: str) -> str:
    if name == "program":
        name, colour = "programs' own buffers", "repeating-linear-gradient(45deg, #999 0 2px, #fff 2px 4px)"
    return f'<span><i style="background:{colour}"></i>{escape(name)}</span>'


def _svg(width: float, height: float, parts: list[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{"".join(parts)}</svg>'


def _rectangle(x: float, y: float, width: float, height: float, hover: str, **attributes: str) -> str:
    place = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{max(height, 0.5):.2f}"'
    rest = " ".join(f'{name.rstrip("_")}="{value}"' for name, value in attributes.items())
    return f"<rect {place} {rest}><title>{escape(hover)}</title></rect>"


def _text(x: float, y: float, text: str, anchor: str = "end", turned: int = 0) -> str:
    turn = f' transform="rotate({turned} {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{escape(text)}</text>'


def _steps(plan: "Plan", shapes: list[drawing.Rectangle], colours: dict[str, str]) -> str:
    region = plan.before.region(BufferType.L1)
    count = max(len(plan.steps), 1)
    step = min(max(1100 / count, 3), 60)
    is_labelled = step >= 14
    end = _MARGIN + count * step

    def y(address: float) -> float:
        return 10 + (region.end - address) / region.size * _HEIGHT

    parts = [_HATCH]
    for i in range(5):
        address = region.start + region.size * i // 4
        parts.append(_text(_MARGIN - 8, y(address) + 4, f"{address:,}"))
        parts.append(f'<line x1="{_MARGIN}" x2="{end:.1f}" y1="{y(address):.1f}" y2="{y(address):.1f}" stroke="#ddd"/>')
    if plan.peak_step >= 0:
        parts.append(_rectangle(_MARGIN + plan.peak_step * step, 10, step, _HEIGHT, "the peak", class_="peak"))
    for shape in shapes:
        look = {"class_": "program"} if shape.group == "program" else {"class_": "block", "fill": colours[shape.group]}
        x, width = _MARGIN + shape.left * step, (shape.right - shape.left) * step
        parts.append(_rectangle(x, y(shape.top), width, y(shape.bottom) - y(shape.top), shape.text, **look))
    if is_labelled:
        for i, one in enumerate(plan.steps):
            parts.append(_text(_MARGIN + (i + 0.6) * step, _HEIGHT + 24, f"{i} {one.name}", turned=-50))
    longest = max((len(one.name) for one in plan.steps), default=0)
    return _svg(end + 20, _HEIGHT + 40 + (longest * 5 if is_labelled else 0), parts)


def _cores(plan: "Plan") -> str:
    used = drawing.bytes_on_cores(plan, plan.peak_step)
    size = plan.before.region(BufferType.L1).size
    parts = []
    for y, row in enumerate(used):
        for x, value in enumerate(row):
            share = value / size
            hover = f"core ({x}, {y}): {value:,} B, {share:.1%} of L1"
            fill = f"hsl(215 60% {95 - 55 * min(share, 1):.0f}%)"
            parts.append(_rectangle(x * _CELL, y * _CELL, _CELL - 2, _CELL - 2, hover, fill=fill))
            parts.append(_text((x + 0.5) * _CELL - 1, (y + 0.5) * _CELL + 3, f"{value / 1024:.0f}", anchor="middle"))
    return _svg(len(used[0]) * _CELL, len(used) * _CELL, parts)
