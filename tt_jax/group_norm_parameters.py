"""Host-side preparation of a group norm's parameters: arrays in, arrays out (ttnn makes torch or host tensors of the same values).

A core of ttnn's kernel takes a chunk of the channels, so weights come in padded chunks, and masks say which columns of a core's tiles
belong to each group. `ops.group_norm` needs neither to compute; it takes them so that programs run unchanged.
"""

import math
from typing import Any

import numpy as np

from tt_jax.compute import CoreGrid
from tt_jax.errors import ArgumentError
from tt_jax.layout import TILE_SIZE
from tt_jax.memory import (
    MemoryConfig,
    ShardOrientation,
    ShardStrategy,
    TensorMemoryLayout,
    create_sharded_memory_config,
)

__all__ = [
    "create_group_norm_input_mask",
    "create_group_norm_input_negative_mask",
    "create_group_norm_reciprocals",
    "create_group_norm_weight_bias_rm",
    "determine_expected_group_norm_dram_grid_size",
    "determine_expected_group_norm_sharded_config_and_grid_size",
    "get_group_norm_cores_across_channel",
    "virtual_columns",
]


def _tiles(size: int) -> int:
    return -(-size // TILE_SIZE)


def _require_groups(name: str, num_channels: int, num_groups: int) -> int:
    """Channels of a group. Raises ArgumentError if groups do not divide channels."""
    if num_groups < 1 or num_channels < 1 or num_channels % num_groups:
        raise ArgumentError(f"{name}: {num_channels} channels cannot be split into {num_groups} groups of one size")
    return num_channels // num_groups


def create_group_norm_input_mask(
    num_channel: int, num_groups: int, num_cores_across_channel: int, tile_height: int = TILE_SIZE, tile_width: int = TILE_SIZE
) -> np.ndarray:
    """1 where a column of a group's tiles belongs to the group, else 0: float32 `[1, num_groups, tile_height, width]`.

    `width` is as many whole tiles as a group can touch. The groups of a core lie side by side from its first tile on.
    """
    size = _require_groups("create_group_norm_input_mask", num_channel, num_groups)
    ends = np.arange(1, num_groups + 1) * size
    width = int(((ends - 1) // tile_width - (ends - size) // tile_width).max() + 1) * tile_width
    per_core = max(num_groups // num_cores_across_channel, 1)
    starts = (np.arange(num_groups) % per_core * size) % tile_width
    columns = np.arange(width)
    rows = (columns >= starts[:, None]) & (columns < starts[:, None] + size)
    return np.broadcast_to(rows[None, :, None, :], (1, num_groups, tile_height, width)).astype(np.float32)


def create_group_norm_input_negative_mask(
    num_channel: int, num_groups: int, num_cores_across_channel: int, tile_height: int = TILE_SIZE, tile_width: int = TILE_SIZE
) -> np.ndarray:
    """1 less `create_group_norm_input_mask`."""
    return 1 - create_group_norm_input_mask(num_channel, num_groups, num_cores_across_channel, tile_height, tile_width)


def create_group_norm_weight_bias_rm(input_tensor: Any, num_channels: int, num_cores_x: int) -> np.ndarray:
    """A weight or bias of `num_channels` as `[1, 1, n, 32]`: cut into `num_cores_x` chunks, each padded with zeros to whole tiles."""
    values = np.asarray(input_tensor).reshape(-1)
    if num_cores_x < 1 or num_channels % num_cores_x or values.size != num_channels:
        raise ArgumentError(
            f"create_group_norm_weight_bias_rm: {values.size} values for {num_channels} channels cannot be cut into {num_cores_x} chunks"
        )
    chunk = num_channels // num_cores_x
    return np.pad(values.reshape(num_cores_x, chunk), ((0, 0), (0, -chunk % TILE_SIZE))).reshape(1, 1, -1, TILE_SIZE)


def virtual_columns(grid_x: int, num_channels: int, num_groups: int) -> int:
    """Into how many chunks of whole tiles and whole groups the channels are cut for a grid of `grid_x` columns; 0 if they can't."""
    for columns in range(min(grid_x, num_groups), 0, -1):
        if num_channels % columns == 0 and num_channels // columns % TILE_SIZE == 0 and num_groups % columns == 0:
            return columns
    return 0


def create_group_norm_reciprocals(N: int, C: int, H: int, W: int, num_groups: int, core_grid: CoreGrid) -> np.ndarray:
    """1, 1/2, 1/3 and so on, up to the number of values that a core sees, once for each core: float32 `[cores, n]`."""
    columns = virtual_columns(core_grid.x, C, num_groups)
    if not columns:
        raise ArgumentError(
            f"create_group_norm_reciprocals: {C} channels in {num_groups} groups cannot be dealt to a grid {core_grid.x} wide"
        )
    rows = core_grid.x // columns * core_grid.y
    per_group = C // num_groups * _tiles(H * W)
    count = per_group // (1 if rows <= N else rows // N)
    return np.tile(1 / np.arange(1, count + 1, dtype=np.float32), (core_grid.num_cores, 1))


def get_group_norm_cores_across_channel(
    memory_layout: TensorMemoryLayout, core_grid: CoreGrid, shard_orientation: ShardOrientation | None = None
) -> int:
    """How many cores share a row of channels."""
    if memory_layout is TensorMemoryLayout.BLOCK_SHARDED:
        return core_grid.x if shard_orientation is ShardOrientation.ROW_MAJOR else core_grid.y
    return 1 if memory_layout is TensorMemoryLayout.HEIGHT_SHARDED else core_grid.num_cores


def determine_expected_group_norm_dram_grid_size(
    *, grid: tuple[int, int], num_channels: int, num_groups: int, input_nhw: int, num_batches: int = 1
) -> CoreGrid:
    """The largest grid within `grid` `(x, y)` over which an interleaved input of `input_nhw` rows can be dealt evenly.

    Evenly: channels as `virtual_columns` cuts them, tiles of rows, and batches (the last two assumed).

    Raises ArgumentError if there is none.
    """
    _require_groups("determine_expected_group_norm_dram_grid_size", num_channels, num_groups)
    for x in range(grid[0], 0, -1):
        columns = virtual_columns(x, num_channels, num_groups)
        for y in range(grid[1], 0, -1) if columns else ():
            rows = x // columns * y
            dealt = num_batches % rows == 0 if num_batches >= rows else rows % num_batches == 0
            if dealt and _tiles(input_nhw) % rows == 0:
                return CoreGrid(y=y, x=x)
    raise ArgumentError(
        f"determine_expected_group_norm_dram_grid_size: no grid within {grid} fits {num_channels} channels in {num_groups} groups"
    )


def _largest_divisor(number: int, limit: int) -> int:
    return next(d for d in range(min(number, limit), 0, -1) if number % d == 0)


def determine_expected_group_norm_sharded_config_and_grid_size(
    *,
    grid: tuple[int, int],
    num_channels: int,
    num_groups: int,
    input_nhw: int,
    is_height_sharded: bool,
    is_row_major: bool = False,
) -> tuple[MemoryConfig, CoreGrid]:
    """The memory config and core grid of a sharded group norm on a device of `grid` `(x, y)` cores.

    Rows are cut into as many whole tiles as cores along x (height sharded: all cores) can share evenly, channels into chunks of
    whole groups along y. `is_row_major` exchanges x and y. Raises ArgumentError for channels that groups or tiles do not divide.
    """
    name = "determine_expected_group_norm_sharded_config_and_grid_size"
    group = _require_groups(name, num_channels, num_groups)
    if num_channels % TILE_SIZE:
        raise ArgumentError(f"{name}: the number of channels, {num_channels}, must be a multiple of {TILE_SIZE}")
    across, down = (grid[1], grid[0]) if is_row_major else grid
    rows = _largest_divisor(_tiles(input_nhw), across * down if is_height_sharded else across)
    columns = 1
    if not is_height_sharded:
        fits = lambda cores: num_channels // 8 % cores == 0 and num_channels // cores % group == 0
        columns = next(cores for cores in range(down, 0, -1) if fits(cores))
    height = math.ceil(input_nhw / (rows * TILE_SIZE)) * TILE_SIZE
    width = num_channels // columns
    if is_height_sharded:
        size = CoreGrid(x=min(rows, across), y=math.ceil(rows / across))
    else:
        size = CoreGrid(x=columns, y=rows) if is_row_major else CoreGrid(x=rows, y=columns)
    by_rows = is_height_sharded or is_row_major
    orientation = ShardOrientation.ROW_MAJOR if by_rows else ShardOrientation.COL_MAJOR
    shard = (1, 1, height, width) if by_rows else (1, 1, width, height)  # COL_MAJOR shards are named by their width first
    strategy = ShardStrategy.HEIGHT if is_height_sharded else ShardStrategy.BLOCK
    config = create_sharded_memory_config(shard, size, strategy, orientation, use_height_and_width_as_shard_shape=True)
    return config, size
