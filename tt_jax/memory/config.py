"""Where a tensor is to live: buffer type and distribution over banks."""

import dataclasses

from tt_jax.choice import Choice
from tt_jax.errors import ArgumentError, NotModelledError


class BufferType(Choice):
    """Kinds of device memory; the values are ttnn's own."""

    DRAM = 0
    L1 = 1
    L1_SMALL = 3
    TRACE = 4


class TensorMemoryLayout(Choice):
    """How pages are dealt to banks. Only INTERLEAVED (round robin over all banks) is modelled so far."""

    INTERLEAVED = 0
    HEIGHT_SHARDED = 2
    WIDTH_SHARDED = 3
    BLOCK_SHARDED = 4
    ND_SHARDED = 5


@dataclasses.dataclass(frozen=True)
class MemoryConfig:
    """Placement of a tensor: `buffer_type` and `memory_layout`. The default is interleaved DRAM."""

    memory_layout: TensorMemoryLayout = TensorMemoryLayout.INTERLEAVED
    buffer_type: BufferType = BufferType.DRAM

    def __post_init__(self) -> None:
        if not (isinstance(self.memory_layout, TensorMemoryLayout) and isinstance(self.buffer_type, BufferType)):
            raise ArgumentError(
                f"a memory config has a TensorMemoryLayout and a BufferType, got {self.memory_layout!r} and {self.buffer_type!r}"
            )
        if self.memory_layout is not TensorMemoryLayout.INTERLEAVED:
            raise NotModelledError(f"memory layout {self.memory_layout.name} is not modelled yet: use INTERLEAVED")
        if self.buffer_type not in (BufferType.DRAM, BufferType.L1):
            raise NotModelledError(
                f"an interleaved tensor lives in DRAM or L1, not {self.buffer_type.name} (which serves sharded tensors and traces)"
            )


DRAM_MEMORY_CONFIG = MemoryConfig(buffer_type=BufferType.DRAM)
L1_MEMORY_CONFIG = MemoryConfig(buffer_type=BufferType.L1)
