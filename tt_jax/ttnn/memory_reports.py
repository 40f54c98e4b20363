"""The blocks of a device's memory, as `get_memory_view` and the real library's reports list them.

Source: spec/memory.md section 7 (measured; that of the reports per program, their names and first column, is documented in the
library's source only). A device's block ids tell the order in which its allocator made and merged blocks, which a memory state
does not hold: here blocks are numbered by address, and no number is free between them.
"""

import itertools
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from tt_jax.events import Event, observers
from tt_jax.memory import BufferType, MemoryState, MemoryView

FOLDER = pathlib.Path("generated") / "reports"
"""Where reports go, under the current directory."""

_NONE = 2**64 - 1
_SMALLEST_CLASS = 1024
_CLASSES = 18
"""At most: from 1 KiB by powers of 2, the last one from 128 MiB on."""
_REPORTED = (BufferType.DRAM, BufferType.L1, BufferType.L1_SMALL)


class _Listed(NamedTuple):
    """A block of a bank, free or live; the address counts from the start of the region."""

    address: int
    size: int
    is_allocated: bool


def _blocks(memory: MemoryState, buffer_type: BufferType) -> list[_Listed]:
    """All blocks by address: the live ones and the free ones between them."""
    region = memory.region(buffer_type)
    blocks: list[_Listed] = []
    end = region.start
    for block in memory.live(buffer_type):
        if block.address > end:
            blocks.append(_Listed(end - region.start, block.address - end, False))
        blocks.append(_Listed(block.address - region.start, block.size, True))
        end = block.end
    if end < region.end or not blocks:
        blocks.append(_Listed(end - region.start, region.end - end, False))
    return blocks


class BlockView(MemoryView):
    """`MemoryView` with the blocks that it counts."""

    _memory: MemoryState
    _buffer_type: BufferType

    @classmethod
    def of(cls, memory: MemoryState, buffer_type: BufferType) -> "BlockView":
        view = cls(*memory.view(buffer_type))
        view._memory, view._buffer_type = memory, buffer_type
        return view

    @property
    def block_table(self) -> list[dict[str, str]]:
        """A dict of strings for each block, free or live: blockID, address (from the start of the region), size, prevID, nextID
        (18446744073709551615 for none) and allocated ("yes" or "no"). The ids are by address, which a device's are not."""
        blocks = _blocks(self._memory, self._buffer_type)
        return [
            {
                "blockID": str(i),
                "address": str(block.address),
                "size": str(block.size),
                "prevID": str(i - 1 if i else _NONE),
                "nextID": str(i + 1 if i + 1 < len(blocks) else _NONE),
                "allocated": "yes" if block.is_allocated else "no",
            }
            for i, block in enumerate(blocks)
        ]


def write(memory: MemoryState, prefix: str = "") -> None:
    """Three files in `FOLDER`: room for L1 buffers, use of each kind of memory, and its blocks."""
    _write(memory, prefix, "", "w")


def _write(memory: MemoryState, prefix: str, program: str, mode: str) -> None:
    """The files, with a heading unless they are continued (`mode` "a"); `program` comes first in each of their parts."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    first = "Program ID" if program else ""
    l1, views = memory.view(BufferType.L1), [memory.view(kind) for kind in _REPORTED]
    room = f"{program},{l1.largest_contiguous_bytes_free_per_bank},{l1.largest_contiguous_bytes_free_per_bank * l1.num_banks}\n"
    rows = "".join(f",{','.join(map(str, view[1:]))}\n" for view in views)
    detailed = "".join(itertools.chain.from_iterable(_detailed(memory, kind) for kind in _REPORTED))
    texts = {
        "l1_usage_summary": (
            "This report indicates available space for interleaving L1 buffers\n"
            f"{first}, Largest Contiguous Free Block (B), Total Free L1 Space (B)\n",
            room,
        ),
        "memory_usage_summary": (
            f"{first}, Total Allocatable Size (B), Total Allocated (B), Total Free (B), Largest Free Block (B)\n",
            program + rows,
        ),
        "detailed_memory_usage": ("", program + detailed),
    }
    for name, (heading, body) in texts.items():
        with open(FOLDER / f"{prefix}{name}.csv", mode) as file:
            file.write(body if mode == "a" else heading + body)


def _detailed(memory: MemoryState, kind: BufferType) -> Iterator[str]:
    """The lines of one kind of memory."""
    view, blocks = memory.view(kind), _blocks(memory, kind)
    yield f",{kind.name}\n"
    totals = (view.total_bytes_per_bank, view.total_bytes_allocated_per_bank, view.total_bytes_free_per_bank)
    for label, size in zip(("allocatable", "allocated", "free"), totals, strict=True):
        yield f",Total {label} (B):,{size * view.num_banks}\n"
    yield "FreeListOpt allocator info:\n"
    classes = min(max(2, (view.total_bytes_per_bank // _SMALLEST_CLASS).bit_length()), _CLASSES)
    for i in range(classes):
        end = str(_SMALLEST_CLASS << i + 1) if i + 1 < classes else "inf"
        ids = "".join(f"{j} " for j, block in enumerate(blocks) if not block.is_allocated and _class_of(block, classes) == i)
        yield f"  Size class {i}: ({_SMALLEST_CLASS << i} - {end}) blocks: {ids}\n"
    yield "Free slots in block table: \n"
    yield "Block table:\n"
    yield _row("Block", "Address", "Size", "PrevID", "NextID", "Allocated")
    for i, block in enumerate(blocks):
        after = i + 1 if i + 1 < len(blocks) else "none"
        yield _row(i, block.address, block.size, i - 1 if i else "none", after, "yes" if block.is_allocated else "no")


def _class_of(block: _Listed, classes: int) -> int:
    """The size class in which the allocator looks for a free block."""
    return min(max(0, (block.size // _SMALLEST_CLASS).bit_length() - 1), classes - 1)


def _row(*cells: object) -> str:
    return " ".join(f"{cell!s:>12}" for cell in cells) + "\n"


_programs = itertools.count()


def _report_program(event: Event) -> None:
    from tt_jax.ttnn.device import device_of  # which imports this module

    if event.launch is not None and not event.launch.is_hit and device_of(event.context) is not None:
        program = next(_programs)
        is_new = not (FOLDER / "program_memory_usage_summary.csv").exists()
        _write(event.after, "program_", str(program), "w" if is_new else "a")


def EnableMemoryReports() -> None:  # noqa: N802 - ttnn's name
    """From now on every program that is built adds what is allocated to three reports `program_*.csv` in generated/reports."""
    if _report_program not in observers:
        observers.append(_report_program)


def DisableMemoryReports() -> None:  # noqa: N802 - ttnn's name
    """End what EnableMemoryReports began."""
    if _report_program in observers:
        observers.remove(_report_program)
