"""Tensor specs by ttnn's constructor, and in shards, from a spec and a grid of cores (ttnn's methods of TensorSpec).

Source: ttnn's documentation; which shards result was not measured.
"""

import math
from collections.abc import Iterable
from typing import Any

from tt_jax.choice import Choice
from tt_jax.cores import CoreRange, CoreRangeSet
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import (
    BufferType,
    MemoryConfig,
    NdShardSpec,
    ShardDistributionStrategy,
    ShardOrientation,
    ShardSpec,
    TensorMemoryLayout,
)
from tt_jax.tensor import TensorSpec
from tt_jax.tile import DEFAULT_TILE, Tile

_RECOMMENDED_BYTES = 64
_ROW_MAJOR = ShardOrientation.ROW_MAJOR


class ShardShapeAlignment(Choice):
    """What a shard shape is rounded up to: nothing, whole tiles, or for ROW_MAJOR also rows of whole 64 bytes."""

    NONE = 0
    REQUIRED = 1
    RECOMMENDED = 2


def tensor_spec(
    shape: Iterable[int],
    dtype: DataType,
    layout: Layout,
    *placement: Any,
    memory_layout: TensorMemoryLayout | None = None,
    shard_spec: ShardSpec | None = None,
    nd_shard_spec: NdShardSpec | None = None,
    buffer_type: BufferType | None = None,
    tile: Tile | None = None,
) -> TensorSpec:
    """A spec by the forms of ttnn's constructor: `placement` is `(buffer_type, tile)`, `(memory_layout, shard_spec, buffer_type,
    tile)` or `(nd_shard_spec, buffer_type, tile)`; all of these may be left out or given by name. DRAM is the default.

    Raises ArgumentError for more arguments, or one given twice, and as TensorSpec.
    """
    given: dict[str, Any] = {
        "memory_layout": memory_layout,
        "shard_spec": shard_spec,
        "nd_shard_spec": nd_shard_spec,
        "buffer_type": buffer_type,
        "tile": tile,
    }
    names = ["buffer_type", "tile"]
    if placement and isinstance(placement[0], TensorMemoryLayout):
        names = ["memory_layout", "shard_spec", *names]
    elif placement and isinstance(placement[0], NdShardSpec):
        names = ["nd_shard_spec", *names]
    if len(placement) > len(names):
        raise ArgumentError(f"TensorSpec: takes at most {', '.join(names)} after the layout, got {len(placement)} arguments")
    for name, value in zip(names, placement, strict=False):
        if given[name] is not None:
            raise ArgumentError(f"TensorSpec: `{name}` is given twice")
        given[name] = value
    tile = given.pop("tile")
    return TensorSpec(tuple(shape), dtype, layout, MemoryConfig(**given), DEFAULT_TILE if tile is None else tile)


def _aligned(spec: TensorSpec, shape: tuple[int, ...], alignment: ShardShapeAlignment) -> tuple[int, ...]:
    if spec.layout is Layout.TILE:
        multiples = spec.tile.tile_shape
    else:
        size = spec.dtype.element_bytes or 1
        multiples = (1, math.lcm(_RECOMMENDED_BYTES, size) // size if alignment is ShardShapeAlignment.RECOMMENDED else 1)
    if alignment is ShardShapeAlignment.NONE:
        return shape
    last = [-(-size // multiple) * multiple for size, multiple in zip(shape[-2:], multiples[-len(shape) :], strict=True)]
    return (*shape[:-2], *last)


def sharded(
    spec: TensorSpec, nd_shard_spec: NdShardSpec, shard_alignment: ShardShapeAlignment = ShardShapeAlignment.RECOMMENDED
) -> TensorSpec:
    """`spec` in the shards of `nd_shard_spec`, their shape rounded up. Raises ArgumentError if they do not fit."""
    shards = NdShardSpec(
        _aligned(spec, nd_shard_spec.shard_shape, shard_alignment),
        nd_shard_spec.grid,
        nd_shard_spec.orientation,
        nd_shard_spec.shard_distribution_strategy,
    )
    return spec.replace(memory_config=MemoryConfig(spec.memory_config.buffer_type, shards))


def _matrix(spec: TensorSpec) -> tuple[int, int]:
    return math.prod(spec.padded_shape[:-1]), spec.padded_shape[-1] if spec.padded_shape else 1


def height_sharded(spec: TensorSpec, grid: CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR) -> TensorSpec:
    """`spec` with its rows split over the cores of `grid`, one shard each, as evenly as whole tiles allow."""
    height, width = _matrix(spec)
    shape = (-(-height // grid.num_cores()), width)
    return sharded(spec, NdShardSpec(shape, grid, orientation), ShardShapeAlignment.REQUIRED)


def width_sharded(spec: TensorSpec, grid: CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR) -> TensorSpec:
    """`spec` with its columns split over the cores of `grid`, one shard each, as evenly as whole tiles allow."""
    height, width = _matrix(spec)
    shape = (height, -(-width // grid.num_cores()))
    return sharded(spec, NdShardSpec(shape, grid, orientation), ShardShapeAlignment.REQUIRED)


def block_sharded(spec: TensorSpec, grid: CoreRange | CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR) -> TensorSpec:
    """`spec` with rows and columns split over a rectangle of cores. Raises ArgumentError if `grid` is no rectangle."""
    cores = grid if isinstance(grid, CoreRangeSet) else CoreRangeSet([grid])
    if cores.size() != 1:
        raise ArgumentError(f"block shards lie on one rectangle of cores, got {cores}")
    size = cores.ranges()[0].grid_size()
    down, across = (size.y, size.x) if orientation is _ROW_MAJOR else (size.x, size.y)
    height, width = _matrix(spec)
    shards = NdShardSpec((-(-height // down), -(-width // across)), cores, orientation, ShardDistributionStrategy.GRID_2D)
    return sharded(spec, shards)


def sharded_across_dims(
    spec: TensorSpec, dims: Iterable[int], grid: CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR
) -> TensorSpec:
    """`spec` in shards as small as can be along `dims`, whole along the others."""
    shape = list(spec.padded_shape)
    for dim in dims:
        shape[dim] = 1
    return sharded(spec, NdShardSpec(shape, grid, orientation))


def sharded_across_dims_except(
    spec: TensorSpec, dims: Iterable[int], grid: CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR
) -> TensorSpec:
    """`spec` in shards that are whole along `dims`, as small as can be along the others."""
    shape = [1] * len(spec.padded_shape)
    for dim in dims:
        shape[dim] = spec.padded_shape[dim]
    return sharded(spec, NdShardSpec(shape, grid, orientation))
