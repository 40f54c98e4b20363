"""Sharded memory configs from a tensor's shape and a grid of cores."""

import math
from collections.abc import Sequence
from typing import Any

from tt_jax.compute import CoreGrid
from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet
from tt_jax.errors import ArgumentError
from tt_jax.memory.config import BufferType, MemoryConfig, TensorMemoryLayout
from tt_jax.memory.shard import ShardOrientation, ShardSpec, ShardStrategy

Grid = CoreGrid | CoreRangeSet | Sequence[CoreGrid]

_LAYOUTS = {
    ShardStrategy.HEIGHT: TensorMemoryLayout.HEIGHT_SHARDED,
    ShardStrategy.WIDTH: TensorMemoryLayout.WIDTH_SHARDED,
    ShardStrategy.BLOCK: TensorMemoryLayout.BLOCK_SHARDED,
}


def _matrix(name: str, shape: Any) -> tuple[int, int, int]:
    """Batch, height and width of a tensor's shape."""
    try:
        *batch, height, width = shape
        return math.prod(batch), int(height), int(width)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name}: `shape` must have at least a height and a width, got {shape!r}") from None


def _cores(name: str, grid: Any) -> CoreRangeSet:
    """The cores of a grid; of two grids, the first whole and below it one row as wide as the second."""
    if isinstance(grid, CoreRangeSet):
        return grid
    if isinstance(grid, CoreGrid):
        return CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(grid.x - 1, grid.y - 1))])
    if isinstance(grid, tuple | list) and len(grid) == 2 and all(isinstance(part, CoreGrid) for part in grid):
        first, second = grid
        below = CoreRange(CoreCoord(0, first.y), CoreCoord(second.x - 1, first.y))
        return CoreRangeSet({CoreRange(CoreCoord(0, 0), CoreCoord(first.x - 1, first.y - 1)), below})
    raise ArgumentError(f"{name}: `core_grid` must be a CoreGrid, a pair of them or a CoreRangeSet, got {grid!r}")


def _orientation(name: str, orientation: Any) -> ShardOrientation:
    if not isinstance(orientation, ShardOrientation):
        raise ArgumentError(f"{name}: `orientation` must be a ShardOrientation, got {orientation!r}")
    return orientation


def create_sharded_memory_config(
    shape: Sequence[int],
    core_grid: Grid,
    strategy: ShardStrategy,
    orientation: ShardOrientation | None = None,
    use_height_and_width_as_shard_shape: bool = False,
) -> MemoryConfig:
    """The L1 memory config that splits a tensor of `shape` evenly over the cores of a grid.

    Args:
        shape: of the tensor; or, with `use_height_and_width_as_shard_shape`, of a shard, of which the last two dimensions
            count, exchanged if COL_MAJOR. A CoreRangeSet or a pair of grids takes a shard's shape only.
        orientation: ROW_MAJOR by default.

    Raises ArgumentError for arguments of other types, or a height or width that the cores do not divide.
    """
    name = "create_sharded_memory_config"
    batch, height, width = _matrix(name, shape)
    cores = _cores(name, core_grid)
    if strategy not in _LAYOUTS:
        raise ArgumentError(f"{name}: `strategy` must be a ShardStrategy such as ShardStrategy.HEIGHT, got {strategy!r}")
    orientation = _orientation(name, ShardOrientation.ROW_MAJOR if orientation is None else orientation)
    by_rows = orientation is ShardOrientation.ROW_MAJOR
    if use_height_and_width_as_shard_shape:
        shard = (height, width) if by_rows else (width, height)
    elif not isinstance(core_grid, CoreGrid):
        raise ArgumentError(
            f"{name}: a tensor's shape is split over a CoreGrid only; for {cores} pass a shard's shape and "
            "use_height_and_width_as_shard_shape=True"
        )
    else:
        rows = batch * height
        if strategy is ShardStrategy.BLOCK:
            down, across = (core_grid.y, core_grid.x) if by_rows else (core_grid.x, core_grid.y)
        else:
            down, across = (core_grid.num_cores, 1) if strategy is ShardStrategy.HEIGHT else (1, core_grid.num_cores)
        if rows % down or width % across:
            raise ArgumentError(
                f"{name}: {rows} rows and {width} columns do not divide into {down} x {across} equal shards: choose another "
                "core grid, or pass a shard's shape and use_height_and_width_as_shard_shape=True"
            )
        shard = (rows // down, width // across)
    return MemoryConfig(_LAYOUTS[strategy], BufferType.L1, ShardSpec(cores, shard, orientation))


def create_sharded_memory_config_(
    shape: Sequence[int],
    core_grid: Grid,
    strategy: ShardStrategy | TensorMemoryLayout,
    orientation: ShardOrientation,
    use_height_and_width_as_shard_shape: bool = False,
    tile_layout: bool = False,
) -> MemoryConfig:
    """As `create_sharded_memory_config`, for any grid, with the last shard cut short where the cores do not divide the tensor.

    `tile_layout` rounds the rows of block shards up to whole tiles, those of height shards to the number of cores (as ttnn
    does). Raises ArgumentError for arguments of other types, block shards on no rectangle, and, with `tile_layout`, shards
    of which neither side is a multiple of 32.
    """
    name = "create_sharded_memory_config_"
    batch, height, width = _matrix(name, shape)
    cores = _cores(name, core_grid)
    layout = _LAYOUTS[strategy] if isinstance(strategy, ShardStrategy) else strategy
    if layout not in _LAYOUTS.values():
        raise ArgumentError(f"{name}: `strategy` must be a ShardStrategy or a sharded TensorMemoryLayout, got {strategy!r}")
    by_rows = _orientation(name, orientation) is ShardOrientation.ROW_MAJOR
    rows, count = batch * height, cores.num_cores()
    if count == 0:
        raise ArgumentError(f"{name}: `core_grid` has no cores")
    if use_height_and_width_as_shard_shape:
        shard = (height, width) if by_rows else (width, height)
    elif layout is TensorMemoryLayout.WIDTH_SHARDED:
        shard = (rows, -(-width // count))
    elif layout is TensorMemoryLayout.HEIGHT_SHARDED:
        shard = (-(-rows // count), width)
    else:
        box = cores.bounding_box()
        if box.size() != count:
            raise ArgumentError(f"{name}: block shards lie on one rectangle of cores, got {cores}")
        grid = box.grid_size()
        down, across = (grid.y, grid.x) if by_rows else (grid.x, grid.y)
        shard_height = -(-rows // (down * 32)) * 32 if tile_layout else -(-rows // down)
        shard = (shard_height, -(-width // across))
    if tile_layout and shard[0] % 32 and shard[1] % 32:
        raise ArgumentError(f"{name}: shards of {shard} have no side that is a multiple of 32, as tiles need")
    return MemoryConfig(layout, BufferType.L1, ShardSpec(cores, shard, orientation))
