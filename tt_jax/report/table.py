"""A plan as text."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from tt_jax.memory import BufferType
from tt_jax.timeline import Lifetime, Step

if TYPE_CHECKING:
    from tt_jax.plan import Plan

_HEAD = ("step", "operation", "line", "tensors", "L1", "program", "cores", "cache", "GFLOP", "DRAM MB", "link MB", "least us")
_LINKS = _HEAD.index("link MB")
_TO_THE_RIGHT = frozenset(("step", "L1", "program", "cores", "GFLOP", "DRAM MB", "link MB", "least us"))


def table_of(plan: "Plan") -> str:
    """The plan's summary, a row for each step, and what to look at: unknown footprints, leaks, tensors freed late."""
    freed: dict[int | None, list[Lifetime]] = {}
    for x in plan.lifetimes:
        freed.setdefault(x.end, []).append(x)
    peak = plan.peak_step
    rows = [row for i, step in enumerate(plan.steps) for row in _rows(i, step, freed.get(i, []), is_peak=i == peak)]
    rows = [_HEAD, *rows]
    if not _is_on_links(plan):
        rows = [(*row[:_LINKS], *row[_LINKS + 1 :]) for row in rows]
    return "\n".join([summary_of(plan), "", *aligned(rows, _TO_THE_RIGHT), "", *_remarks(plan)]).rstrip()


def _is_on_links(plan: "Plan") -> bool:
    """Whether there are other chips to send to."""
    return plan.device.mesh is not None and plan.device.mesh.size > 1


def summary_of(plan: "Plan") -> str:
    """Whether it fits, and the figures of the whole program."""
    l1, dram = (plan.before.region(kind).size for kind in (BufferType.L1, BufferType.DRAM))
    approximate = ", an approximate profile" if plan.device.approximate else ""
    refused = (f": step {i}, {step.name}" for i, step in enumerate(plan.steps) if step.error is plan.error)
    at = next(refused, "")  # an allocation that is no operation's has no step
    verdict = "fits" if plan.fits else f"DOES NOT FIT{at}"
    lines = [
        f"{plan.device.described}{approximate}: {verdict}",
        f"L1    peak {plan.peak_l1:,} of {l1:,} B per bank ({plan.peak_l1 / l1:.1%}) at step {plan.peak_step}; "
        f"{plan.peak_l1_with_programs:,} with the programs' own buffers",
        f"DRAM  peak {plan.peak_dram:,} of {dram:,} B per bank ({plan.peak_dram / dram:.1%})",
        f"work  {plan.programs} programs; {plan.flops / 1e9:,.2f} GFLOP in matrix products; "
        f"{plan.dram_bytes / 1e6:,.2f} MB of DRAM traffic; at least {plan.ideal_seconds * 1e6:,.1f} us at peak rates",
    ]
    if _is_on_links(plan):
        seconds = sum(step.cost.seconds for step in plan.steps if step.cost and step.cost.link_bytes)
        lines.append(
            f"links {plan.link_bytes / 1e6:,.2f} MB sent by the chip that sends most; collectives take at least {seconds * 1e6:,.1f} us"
        )
    if plan.unknown_footprints:
        lines.append(f"note  footprint not known, so not checked: {', '.join(plan.unknown_footprints)}")
    if plan.bounded_footprints:
        lines.append(f"note  footprint at least what is shown: {', '.join(plan.bounded_footprints)}")
    if caught := sum(step.error is not None and step.error is not plan.error for step in plan.steps):
        lines.append(f"note  {caught} steps did not fit, and the program caught their errors")
    return "\n".join(lines if plan.fits else [*lines, f"error {plan.error}"])


def _rows(index: int, step: Step, freed: list[Lifetime], is_peak: bool) -> list[tuple[str, ...]]:
    """A row for a step, and one more for each tensor after the first that it made or freed."""
    tensors = [f"{spec} at {buffer.address}" for spec, buffer in step.outputs]
    if not step.is_launch:
        tensors += [f"- {x.origin.spec if x.origin else 'unknown'} at {x.buffer.address}" for x in freed]
    l1 = f"{step.l1:,}{' *' if is_peak else '  '}"
    name = step.name if step.error is None else f"{step.name} DOES NOT FIT"
    first = (str(index), name, str(step.site or ""), tensors[0] if tensors else "", l1, *_program_cells(step))
    return [first, *(("", "", "", tensor, *[""] * 8) for tensor in tensors[1:])]


def _program_cells(step: Step) -> tuple[str, ...]:
    if not step.is_launch and step.footprint is None:
        return ("",) * 7
    program, cores = "unknown", ""
    if step.footprint is not None:
        program = f"{'' if step.footprint.is_exact else '>='}{step.footprint.size:,}"
        cores = str(step.footprint.cores.num_cores())
    cost = step.cost
    if cost is None:
        return (program, cores, "", "", "", "", "")
    flops, links = (f"{value / scale:.2f}" if value else "" for value, scale in ((cost.flops, 1e9), (cost.link_bytes, 1e6)))
    return (
        program,
        cores,
        "hit" if step.is_hit else "new",
        flops,
        f"{cost.dram_bytes / 1e6:.2f}",
        links,
        f"{cost.seconds * 1e6:.1f}",
    )


def aligned(rows: list[tuple[str, ...]], to_the_right: Collection[str]) -> list[str]:
    """Lines of columns as wide as they need; the first row names them, and those named in `to_the_right` end flush."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if name in to_the_right else cell.ljust(width)
            for cell, width, name in zip(row, widths, rows[0], strict=True)
        ).rstrip()
        for row in rows
    ]


def _remarks(plan: "Plan") -> list[str]:
    remarks = [
        "* the peak; - what a deallocation freed. L1: allocated after the step; program: what it kept beside; bytes per bank.",
        "DRAM MB counts each tensor of a launch once; least us is a lower bound.",
    ]
    for x in plan.late:
        remarks.append(f"Freed late: {_named(x)}; last used by step {x.last_use}, freed at step {x.end}.")
    for x in plan.left:
        remarks.append(f"Left allocated, and not returned: {_named(x)}.")
    return remarks


def _named(x: Lifetime) -> str:
    return f"{x.buffer.size:,} B at {x.buffer.address} in {x.buffer.buffer_type.name} ({x.origin or 'not known'})"
