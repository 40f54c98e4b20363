"""What is live on a device at one time: rows of `devices`, `buffers` and `buffer_chunks`."""

from typing import Any

from tt_jax.memory import BufferType, MemoryState
from tt_jax.report.chunks import chunks_of
from tt_jax.report.tensors import Tensors

_PER_CORE = (BufferType.L1, BufferType.L1_SMALL)

Row = tuple[Any, ...]


def snapshot(operation: int, device: int, memory: MemoryState, tensors: Tensors) -> tuple[list[Row], list[Row]]:
    """Every live buffer after an operation, and the part of each core in those in L1 whose tensors were seen."""
    buffers, chunks = [], []
    for buffer in memory.buffers():
        kind = buffer.buffer_type
        life = tensors.at(device, buffer)
        layout = 0 if life is None else life.spec.memory_config.memory_layout.value
        buffers.append((operation, device, buffer.address, buffer.size, kind.value, layout))
        if life is None or kind not in _PER_CORE:
            continue
        for chunk in chunks_of(life.spec, memory.device):
            place = (buffer.address, chunk.bank, chunk.core.x, chunk.core.y, buffer.address)
            chunks.append((operation, device, *place, chunk.size, life.spec.page_size, chunk.pages, kind.value))
    return buffers, chunks


def device_row(device: int, memory: MemoryState) -> tuple[Any, ...]:
    """The grid is the compute grid: how many cores the board has besides is not known.

    Source: spec/visualizer.md, the row of a real n150.
    """
    profile, region, base = memory.device, memory.region(BufferType.L1), memory.region(BufferType.L1).start
    columns, rows = profile.grid
    banks = profile.l1_banks
    total = banks * region.size
    grid = (rows, columns, rows, columns, profile.l1_size, banks, region.size, 0, base, 1, banks, 0)
    return (device, *grid, banks * profile.l1_size, 0, total, total, profile.l1_size - base)
