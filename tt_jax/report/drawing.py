"""What a picture of a plan shows, in its own units: blocks of L1 over the steps, and bytes on each core at the peak."""

from typing import TYPE_CHECKING, NamedTuple

from tt_jax.memory import BufferType
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
            text = (
                f"{step.name}: {'' if step.footprint.is_exact else 'at least '}{step.footprint.size:,} B of {step.footprint.kind} buffers\n"
                f"on {step.footprint.cores.num_cores()} cores, {step.footprint.cores}\nstep {i}, {step.site}"
            )
            shapes.append(Rectangle(i, i + 1, base, base + step.footprint.size, "program", text))
    for x in plan.lifetimes:
        if x.buffer.buffer_type is BufferType.L1:
            bottom, right = x.buffer.address, end if x.end is None else x.end
            group = x.origin.operation if x.origin else "unknown"
            shapes.append(Rectangle(max(x.first, 0), right, bottom, bottom + x.buffer.size, group, _text(x)))
    return shapes


def _text(x: Lifetime) -> str:
    made = f"{x.origin.spec}\nby {x.origin.operation}, {x.origin.site}" if x.origin else "not known"
    until = "to the end" if x.end is None else f"to step {x.end}"
    return f"{made}\n{x.buffer.size:,} B at {x.buffer.address:,}\nfrom step {x.first} {until}, last used by step {x.last_use}"


def groups(shapes: list[Rectangle]) -> list[str]:
    """The groups in the order in which they appear, the programs' last."""
    found = dict.fromkeys(shape.group for shape in sorted(shapes, key=lambda shape: shape.left))
    return [group for group in found if group != "program"] + ["program"] * ("program" in found)


def bytes_on_cores(plan: "Plan", step: int) -> list[list[int]]:
    """L1 bytes in use on each core after `step`, the running program's own among them: rows of the grid, top to bottom.

    A sharded tensor is counted on its cores only, though the allocator keeps its address free on all; the pages of an interleaved
    one are on all alike.
    """
    columns, rows = plan.device.grid
    used = [[0] * columns for _ in range(rows)]
    for x in plan.lifetimes:
        if x.buffer.buffer_type is BufferType.L1 and x.is_live_at(step):
            config = getattr(x.origin.spec, "memory_config", None) if x.origin else None
            shards = config and (config.shard_spec or config.nd_shard_spec)
            cells = [(core.x, core.y) for part in shards.grid.ranges() for core in part] if shards else None
            _add(used, x.buffer.size, cells)
    footprint = plan.steps[step].footprint if 0 <= step < len(plan.steps) else None
    if footprint is not None:
        _add(used, footprint.size, [(core.x, core.y) for part in footprint.cores.ranges() for core in part])
    return used


def _add(used: list[list[int]], size: int, cells: list[tuple[int, int]] | None) -> None:
    if cells is None:
        cells = [(x, y) for y, row in enumerate(used) for x in range(len(row))]
    for x, y in cells:
        used[y][x] += size


def title(plan: "Plan") -> str:
    """One line for the whole."""
    size = plan.before.region(BufferType.L1).size
    verdict = "" if plan.fits else ", does not fit"
    return f"L1 of {plan.device.name}{verdict}: peak {plan.peak_l1:,} of {size:,} B per bank at step {plan.peak_step}"
