"""Tensors: one array leaf, with everything that a shape or an address depends on as static metadata."""

import dataclasses
import math
from typing import Any

import jax
from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import NAMES_ONLY, DataType
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, Buffer, BufferType, MemoryConfig, placement
from tt_jax.tile import DEFAULT_TILE, Tile

_EMPTY_PAGE = 4
"""Bytes of a page of a ROW_MAJOR tensor without elements (measured)."""


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class TensorSpec:
    """What a tensor is, but for its values and its address: shape, dtype, layout, memory config and tile.

    `shape` is the logical one. Equal and hashable by these five. A memory config with a shard spec of any rank becomes the
    one of two dimensions that is the same, where there is one.

    Raises ArgumentError for a block float in ROW_MAJOR layout, a negative dimension, a sharded memory config without a
    shard spec, and shards that are not made of whole tiles, are more than their cores, or are not as wide (or high) as the
    tensor where they must be. Source: spec/memory.md section 3 (measured).
    """

    shape: tuple[int, ...]
    dtype: DataType
    layout: Layout
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG
    tile: Tile = DEFAULT_TILE
    padded_shape: tuple[int, ...] = dataclasses.field(init=False)
    """The shape in memory: for TILE, the last two dimensions in whole tiles (ranks 0 and 1 become 2); for sharded ROW_MAJOR, the
    last one in whole shards."""
    _hash: int = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.dtype in NAMES_ONLY:
            raise NotModelledError(f"dtype {self.dtype.name} is not modelled: use bfloat16, bfloat8_b or float32")
        if self.layout is Layout.ROW_MAJOR and self.dtype.is_block_float:
            raise ArgumentError(
                f"{self.dtype.kernel_name} shares exponents within tiles: its layout must be TILE, not ROW_MAJOR"
            )
        if any(size < 0 for size in self.shape):
            raise ArgumentError(f"shape {self.shape} has a negative dimension")
        config, tile = self.memory_config, self.tile
        if self.layout is Layout.TILE:
            *batch, height, width = (1,) * (2 - len(self.shape)) + self.shape
            padded = (*batch, _round_up(height, tile.tile_shape[0]), _round_up(width, tile.tile_shape[1]))
        else:
            padded = self.shape
            if padded and (multiple := placement.row_multiple(config)) > 1:
                padded = (*padded[:-1], _round_up(padded[-1], multiple))
        object.__setattr__(self, "padded_shape", padded)
        if config.is_sharded():
            placement.require_shards(config, tile.tile_shape if self.layout is Layout.TILE else None)
            config = placement.two_dimensional(config, padded)
            object.__setattr__(self, "memory_config", config)
            placement.require_fit(config, math.prod(padded[:-1]), padded[-1] if padded else 1)
            if config.shard_spec is None and config.nd_shard_spec is not None:
                placement.require_nd_fit(config.nd_shard_spec, padded)
        object.__setattr__(self, "_hash", hash((self.shape, self.dtype, self.layout, config, tile)))

    def __reduce__(self) -> tuple[type["TensorSpec"], tuple[tuple[int, ...], DataType, Layout, MemoryConfig, Tile]]:
        return TensorSpec, (self.shape, self.dtype, self.layout, self.memory_config, self.tile)

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
            and (self.memory_config is other.memory_config or self.memory_config == other.memory_config)
            and (self.tile is other.tile or self.tile == other.tile)
        )

    @property
    def _page_shape(self) -> tuple[int, int]:
        """Rows and columns of a page: a tile, or a row of the tensor or of a shard."""
        if self.layout is Layout.TILE:
            return self.tile.tile_shape
        return 1, placement.row_page(self.memory_config, self.padded_shape[-1] if self.padded_shape else 1)

    @property
    def page_size(self) -> int:
        """Bytes of a page. Source: spec/memory.md section 2.2 (measured)."""
        if self.layout is Layout.TILE:
            return self.dtype.tile_bytes if self.tile is DEFAULT_TILE else self.tile.get_tile_size(self.dtype)
        if not math.prod(self.padded_shape):
            return _EMPTY_PAGE
        return self._page_shape[1] * (self.dtype.element_bytes or 0)

    @property
    def num_pages(self) -> int:
        """Pages of the whole tensor."""
        elements = math.prod(self.padded_shape)
        return elements // math.prod(self._page_shape) if elements else 0

    def aligned_page_size(self, device: DeviceProfile) -> int:
        """Bytes that a page takes in a bank of this spec's buffer type."""
        in_dram = self.memory_config.buffer_type in (BufferType.DRAM, BufferType.TRACE)
        return _round_up(self.page_size, device.dram_alignment if in_dram else device.l1_alignment)

    def bytes_per_bank(self, device: DeviceProfile) -> int:
        """Bytes in the fullest bank of `device`, before the allocator rounds up to its granule.

        Raises ArgumentError if shards are asked for on cores or banks that `device` has not.
        """
        placement.require_on_device(self.memory_config, self.padded_shape, device)
        pages = self.num_pages
        if self.memory_config.is_sharded():
            fullest = placement.pages_of_fullest_bank(self.memory_config, self._page_shape, self.padded_shape) if pages else 0
        else:
            in_dram = self.memory_config.buffer_type in (BufferType.DRAM, BufferType.TRACE)
            fullest = -(-pages // (device.dram_banks if in_dram else device.l1_banks))
        return fullest * self.aligned_page_size(device)

    def replace(self, **changes: object) -> "TensorSpec":
        """A spec with some of shape, dtype, layout, memory_config and tile changed."""
        fields = {
            "shape": self.shape,
            "dtype": self.dtype,
            "layout": self.layout,
            "memory_config": self.memory_config,
            "tile": self.tile,
        }
        return TensorSpec(**(fields | changes))  # type: ignore[arg-type]

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape)) or "scalar"
        config = self.memory_config
        placed = config.buffer_type.name
        if config.is_sharded():
            shard = config.shard_spec.shape if config.shard_spec else config.nd_shard_spec.shard_shape  # type: ignore[union-attr]
            placed += f", {config.memory_layout.name} {'x'.join(map(str, shard))}"
        return f"{shape} {self.dtype.kernel_name} {self.layout.name} in {placed}"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, slots=True, init=False)
class Tensor:
    """A tensor on a device: a pytree with one leaf.

    Invariant, outside of transformations: `array.shape == spec.shape` and `array.dtype == spec.dtype.carrier`. The array is
    row-major and unpadded; tiles are made where bytes matter. On a mesh the axes of the mesh come first in `array`, and `spec` is
    what each chip has. (`jax.vmap` and `jax.lax.scan` may add leading axes to `array`, never to `spec`.) Two tensors with one
    `buffer` are views of the same memory.
    """

    array: Array
    spec: TensorSpec = dataclasses.field(metadata={"static": True})
    buffer: Buffer = dataclasses.field(metadata={"static": True})

    def __init__(self, array: Array, spec: TensorSpec, buffer: Buffer):
        _set_array(self, array)
        _set_spec(self, spec)
        _set_buffer(self, buffer)

    def viewed(self, spec: TensorSpec) -> "Tensor":
        """The same memory as a tensor of `spec`, which has as many elements and the same carrier."""
        array: Any = self.array
        own = self.spec.shape
        if spec.shape != own:
            shape = array.shape[: len(array.shape) - len(own)] + spec.shape
            if isinstance(array, jax.ShapeDtypeStruct):
                array = jax.ShapeDtypeStruct(shape, array.dtype)
            else:
                array = jax.numpy.reshape(array, shape)
        return Tensor(array, spec, self.buffer)

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
    def tile(self) -> Tile:
        """The tile that TILE layout pads to."""
        return self.spec.tile

    @property
    def address(self) -> int:
        """Its address in every bank, in bytes."""
        return self.buffer.address

    def __repr__(self) -> str:
        return f"Tensor({self.spec} at {self.buffer.address}, {self.array})"


# The slots' own setters, which take half the time that a frozen dataclass's `object.__setattr__` does.
_set_array, _set_spec, _set_buffer = (vars(Tensor)[slot].__set__ for slot in ("array", "spec", "buffer"))
