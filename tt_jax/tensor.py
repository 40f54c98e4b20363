"""Tensors: one array leaf, with everything that a shape or an address depends on as static metadata."""

import dataclasses
import math

import jax
from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.kernels.tilize import padded_shape
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, Buffer, BufferType, MemoryConfig


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class TensorSpec:
    """What a tensor is, but for its values and its address: shape, dtype, layout and memory config.

    `shape` is the logical one. Equal and hashable by these four. Raises ArgumentError for a block float in ROW_MAJOR layout
    or a negative dimension.
    """

    shape: tuple[int, ...]
    dtype: DataType
    layout: Layout
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG
    padded_shape: tuple[int, ...] = dataclasses.field(init=False)
    """The shape in memory: for TILE, the last two dimensions rounded up to 32 (ranks 0 and 1 become 2)."""
    _hash: int = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.layout is Layout.ROW_MAJOR and self.dtype.is_block_float:
            raise ArgumentError(
                f"{self.dtype.kernel_name} shares exponents within tiles: its layout must be TILE, not ROW_MAJOR"
            )
        if any(size < 0 for size in self.shape):
            raise ArgumentError(f"shape {self.shape} has a negative dimension")
        padded = padded_shape(self.shape) if self.layout is Layout.TILE else self.shape
        object.__setattr__(self, "padded_shape", padded)
        object.__setattr__(self, "_hash", hash((self.shape, self.dtype, self.layout, self.memory_config)))

    def __reduce__(self) -> tuple[type["TensorSpec"], tuple[tuple[int, ...], DataType, Layout, MemoryConfig]]:
        return TensorSpec, (self.shape, self.dtype, self.layout, self.memory_config)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, TensorSpec)
            and self._hash == other._hash
            and self.shape == other.shape
            and self.dtype is other.dtype
            and self.layout is other.layout
            and self.memory_config == other.memory_config
        )

    @property
    def page_size(self) -> int:
        """Bytes of a page: one tile, or one row. Source: spec/memory.md section 2.2 (measured)."""
        if self.layout is Layout.TILE:
            return self.dtype.tile_bytes
        return (self.shape[-1] if self.shape else 1) * (self.dtype.element_bytes or 0)

    @property
    def num_pages(self) -> int:
        """Pages of the whole tensor."""
        if self.layout is Layout.TILE:
            return math.prod(self.padded_shape) // TILE_SIZE**2
        return math.prod(self.shape[:-1]) if math.prod(self.shape) else 0

    def aligned_page_size(self, device: DeviceProfile) -> int:
        """Bytes that a page takes in a bank of this spec's buffer type."""
        alignment = device.dram_alignment if self.memory_config.buffer_type is BufferType.DRAM else device.l1_alignment
        return -(-self.page_size // alignment) * alignment

    def bytes_per_bank(self, device: DeviceProfile) -> int:
        """Bytes in the fullest bank of `device`, before the allocator rounds up to its granule."""
        banks = device.dram_banks if self.memory_config.buffer_type is BufferType.DRAM else device.l1_banks
        return -(-self.num_pages // banks) * self.aligned_page_size(device)

    def replace(self, **changes: object) -> "TensorSpec":
        """A spec with some of shape, dtype, layout and memory_config changed."""
        fields = {"shape": self.shape, "dtype": self.dtype, "layout": self.layout, "memory_config": self.memory_config}
        return TensorSpec(**(fields | changes))  # type: ignore[arg-type]

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape)) or "scalar"
        return f"{shape} {self.dtype.kernel_name} {self.layout.name} in {self.memory_config.buffer_type.name}"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """A tensor on a device: a pytree with one leaf.

    Invariant, outside of transformations: `array.shape == spec.shape` and `array.dtype == spec.dtype.carrier`. The array is
    row-major and unpadded; tiles are made where bytes matter. (`jax.vmap` and `jax.lax.scan` may add leading axes to
    `array`, never to `spec`.) Two tensors with one `buffer` are views of the same memory.
    """

    array: Array
    spec: TensorSpec = dataclasses.field(metadata={"static": True})
    buffer: Buffer = dataclasses.field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """The logical shape."""
        return self.spec.shape

    @property
    def padded_shape(self) -> tuple[int, ...]:
        """The shape in memory, in whole tiles for TILE layout."""
        return self.spec.padded_shape

    @property
    def dtype(self) -> DataType:
        """The TT-NN dtype (the dtype of `array` is its carrier)."""
        return self.spec.dtype

    @property
    def layout(self) -> Layout:
        """ROW_MAJOR or TILE."""
        return self.spec.layout

    @property
    def memory_config(self) -> MemoryConfig:
        """Where it lives."""
        return self.spec.memory_config

    @property
    def address(self) -> int:
        """Its address in every bank, in bytes."""
        return self.buffer.address

    def __repr__(self) -> str:
        return f"Tensor({self.spec} at {self.buffer.address}, {self.array})"
