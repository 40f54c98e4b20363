"""What a picture of a plan shows, in its own units: blocks of L1 over the steps, and bytes on each core at the peak."""

from typing import TYPE_CHECKING, NamedTuple

from tt_jax.memory import BufferType
from tt_jax.report.chunks import chunks_of
from tt_jax.timeline import Lifetime

if TYPE_CHECKING:
    from tt_jax.plan import Plan


class Rectangle(NamedTuple):
    """A block of L1: steps `[left, right)` by addresses `[bottom, top)`.

    Attributes:
        group: what it is coloured by: the operation that made it, or "program" for a program's own buffers.
        text: all that is known of it, line by line.
    """

    left: float
    right: float
    bottom: int
    top: int
    group: str
    text: str


def rectangles(plan: "Plan") -> list[Rectangle]:
    """Every buffer in L1, and every known footprint, from the L1 base upward."""
    base = plan.before.region(BufferType.L1).start
    end = max(len(plan.steps), 1)
    shapes = []
    for i, step in enumerate(plan.steps):
        if step.footprint is not None and step.footprint.size:
            at = f", {step.site}" if step.site else ""
            text = (
                f"{step.name}: {'' if step.footprint.is_exact else 'at least '}{step.footprint.size:,} B of {step.footprint.kind} buffers\n"
                f"on {step.footprint.cores.num_cores()} cores, {step.footprint.cores}\nstep {i}{at}"
            )
            shapes.append(Rectangle(i, i + 1, base, base + step.footprint.size, "program", text))
    for x in plan.lifetimes:
        if x.buffer.buffer_type is BufferType.L1:
            bottom, right = x.buffer.address, end if x.end is None else x.end
            group = x.origin.operation if x.origin else "unknown"
            shapes.append(Rectangle(max(x.first, 0), right, bottom, bottom + x.buffer.size, group, _text(x)))
    return shapes


def _text(x: Lifetime) -> str:
    at = f", {x.origin.site}" if x.origin and x.origin.site else ""
    made = f"{x.origin.spec}\nby {x.origin.operation}{at}" if x.origin else "not known"
    until = "to the end" if x.end is None else f"to step {x.end}"
    return f"{made}\n{x.buffer.size:,} B at {x.buffer.address:,}\nfrom step {x.first} {until}, last used by step {x.last_use}"


def groups(shapes: list[Rectangle]) -> list[str]:
    """The groups in the order in which they appear, the programs' last."""
    found = dict.fromkeys(shape.group for shape in sorted(shapes, key=lambda shape: shape.left))
    return [group for group in found if group != "program"] + ["program"] * ("program" in found)


def bytes_on_cores(plan: "Plan", step: int) -> list[list[int]]:
    """L1 bytes in use on each core after `step`, the running program's own among them: rows of the grid, top to bottom.

    Counted are the pages that a core has (`report.chunks`), though the allocator keeps a buffer's address free on all.
    """
    columns, rows = plan.device.grid
    used = [[0] * columns for _ in range(rows)]
    for x in plan.lifetimes:
        if x.buffer.buffer_type is BufferType.L1 and x.is_live_at(step):
            if x.origin is None:  # whose pages are not known
                for row in used:
                    row[:] = [size + x.buffer.size for size in row]
                continue
            for chunk in chunks_of(x.origin.spec, plan.device):
                used[chunk.core.y][chunk.core.x] += chunk.size
    footprint = plan.steps[step].footprint if 0 <= step < len(plan.steps) else None
    for part in footprint.cores.ranges() if footprint is not None else ():
        for core in part:
            used[core.y][core.x] += footprint.size  # type: ignore[union-attr]  # it has cores
    return used


def title(plan: "Plan") -> str:
    """One line for the whole."""
    size = plan.before.region(BufferType.L1).size
    verdict = "" if plan.fits else ", does not fit"
    return f"L1 of {plan.device.name}{verdict}: peak {plan.peak_l1:,} of {size:,} B per bank at step {plan.peak_step}"
