"""What a memory config asks of a tensor and of a device: shards that fit, and cores that exist.

A tensor is a matrix here, of `height` rows, all dimensions but the last, by `width` columns, both in whole tiles for TILE.
Source: spec/memory.md sections 2.2 and 3 (measured).
"""

import math
from collections.abc import Iterator

from tt_jax.cores import CoreCoord
from tt_jax.devices import DeviceProfile
from tt_jax.errors import ArgumentError
from tt_jax.memory.config import BufferType, MemoryConfig, TensorMemoryLayout
from tt_jax.memory.shard import NdShardSpec, ShardDistributionStrategy, ShardOrientation, ShardSpec

_DRAM_TYPES = (BufferType.DRAM, BufferType.TRACE)


def _ceil(n: int, divisor: int) -> int:
    return -(-n // divisor)


def row_multiple(config: MemoryConfig) -> int:
    """What the rows of a ROW_MAJOR tensor are padded to a multiple of: the width of its shards."""
    if config.shard_spec is not None:
        return config.shard_spec.shape[1] or 1
    return config.nd_shard_spec.shard_shape[-1] if config.nd_shard_spec is not None else 1


def row_page(config: MemoryConfig, width: int) -> int:
    """Elements of a page of a ROW_MAJOR tensor: a row of a shard, or of the tensor."""
    if config.shard_spec is not None and config.memory_layout is not TensorMemoryLayout.HEIGHT_SHARDED:
        return config.shard_spec.shape[1] or width
    if config.shard_spec is None and config.nd_shard_spec is not None:
        return config.nd_shard_spec.shard_shape[-1]
    return width


def require_shards(config: MemoryConfig, tile_shape: tuple[int, int] | None) -> None:
    """Raise ArgumentError unless a sharded `config` says what its shards are, in whole tiles if the tensor has tiles."""
    if not config.is_sharded():
        return
    shape: tuple[int, ...]
    if config.shard_spec is not None:
        shape = config.shard_spec.shape
        if 0 in shape:
            raise ArgumentError(f"a shard has at least one row and one column, got a shard shape of {shape}")
    elif config.nd_shard_spec is not None:
        shape = config.nd_shard_spec.shard_shape
    else:
        raise ArgumentError(
            f"the memory config is {config.memory_layout.name} but has no shard spec: pass one to MemoryConfig, or make the "
            "config with create_sharded_memory_config"
        )
    if tile_shape and (len(shape) < 2 or shape[-2] % tile_shape[0] or shape[-1] % tile_shape[1]):
        raise ArgumentError(f"a shard of a TILE tensor is made of whole tiles of {tile_shape}, got a shard shape of {shape}")


def require_fit(config: MemoryConfig, height: int, width: int) -> None:
    """Raise ArgumentError unless the shards of `config` that a `height x width` tensor takes are as many as its cores."""
    spec = config.shard_spec
    if spec is None or not config.is_sharded():
        return
    rows, columns = _ceil(height, spec.shape[0]), _ceil(width, spec.shape[1])
    tensor = f"a tensor of {height} rows and {width} columns"
    match config.memory_layout:
        case TensorMemoryLayout.HEIGHT_SHARDED:
            if width != spec.shape[1]:
                raise ArgumentError(
                    f"a height shard is as wide as the tensor: {tensor} cannot have shards {spec.shape[1]} wide; "
                    f"make the shard shape ({spec.shape[0]}, {width})"
                )
            _require_cores(rows, spec.num_cores(), tensor, spec)
        case TensorMemoryLayout.WIDTH_SHARDED:
            if height != spec.shape[0]:
                raise ArgumentError(
                    f"a width shard is as high as the tensor: {tensor} cannot have shards {spec.shape[0]} high; "
                    f"make the shard shape ({height}, {spec.shape[1]})"
                )
            _require_cores(columns, spec.num_cores(), tensor, spec)
        case TensorMemoryLayout.BLOCK_SHARDED:
            if spec.grid.size() != 1:
                raise ArgumentError(f"block shards lie on one rectangle of cores, got the grid {spec.grid}")
            grid = spec.grid.ranges()[0].grid_size()
            down, across = (grid.y, grid.x) if spec.orientation is ShardOrientation.ROW_MAJOR else (grid.x, grid.y)
            if rows > down or columns > across:
                raise ArgumentError(
                    f"{tensor} has {rows} x {columns} block shards of {spec.shape}, but the grid {spec.grid} in "
                    f"{spec.orientation.name} order takes {down} x {across}: use larger shards or a larger grid"
                )


def _require_cores(shards: int, cores: int, tensor: str, spec: ShardSpec) -> None:
    if shards > cores:
        raise ArgumentError(
            f"{tensor} has {shards} shards of {spec.shape}, but the grid {spec.grid} has {cores} cores: "
            "use larger shards or a larger grid"
        )


def require_on_device(config: MemoryConfig, padded_shape: tuple[int, ...], device: DeviceProfile) -> None:
    """Raise ArgumentError unless the cores of the shard grid have banks of the config's buffer type on `device`.

    Of a grid of blocks only those cores count that get one (measured).
    """
    if not config.is_sharded():
        if config.buffer_type is BufferType.L1_SMALL:
            raise ArgumentError("an interleaved tensor lives in DRAM or L1, not L1_SMALL, which serves sharded tensors")
        return
    in_dram = config.buffer_type in _DRAM_TYPES
    columns, rows = (device.dram_banks, 1) if in_dram else device.grid
    missing = next((core for core in _cores(config, padded_shape) if core.x >= columns or core.y >= rows), None)
    if missing is None:
        return
    spec = config.shard_spec or config.nd_shard_spec
    assert spec is not None  # it has a core
    banks = "DRAM banks, which count as cores" if in_dram else "cores with L1 banks,"
    raise ArgumentError(
        f"the shard grid {spec.grid} gives a shard to core ({missing.x}, {missing.y}), which {device.name} has not: take it from its "
        f"{banks} (0, 0) to ({columns - 1}, {rows - 1})"
    )


def _cores(config: MemoryConfig, padded_shape: tuple[int, ...]) -> Iterator[CoreCoord]:
    spec = config.shard_spec or config.nd_shard_spec
    assert spec is not None  # require_shards
    if isinstance(spec, ShardSpec):
        is_grid = config.memory_layout is TensorMemoryLayout.BLOCK_SHARDED
        width = padded_shape[-1] if padded_shape else 1
        down, across = _ceil(math.prod(padded_shape[:-1]), spec.shape[0]), _ceil(width, spec.shape[1])
    else:
        is_grid = spec.shard_distribution_strategy is ShardDistributionStrategy.GRID_2D
        *outer, across = shards_along(spec, padded_shape)
        down = math.prod(outer)
    columns, rows = (across, down) if spec.orientation is ShardOrientation.ROW_MAJOR else (down, across)
    for part in spec.grid.ranges():
        for core in part:
            if not is_grid or (core.x < part.start.x + columns and core.y < part.start.y + rows):
                yield core


def pages_of_fullest_bank(config: MemoryConfig, page: tuple[int, int], padded_shape: tuple[int, ...]) -> int:
    """Pages of `page` rows and columns that the fullest bank of a sharded tensor takes: its shards, whole even where cut short."""
    if config.shard_spec is not None:
        height, width = config.shard_spec.shape
        return _ceil(height, page[0]) * _ceil(width, page[1])
    assert config.nd_shard_spec is not None  # require_shards
    shard, cores = config.nd_shard_spec.shard_shape, config.nd_shard_spec.num_cores()
    if cores == 0:
        raise ArgumentError("the grid of the shard spec has no cores")
    shards = math.prod(shards_along(config.nd_shard_spec, padded_shape))
    pages = math.prod(shard[:-2]) * _ceil(shard[-2] if len(shard) > 1 else 1, page[0]) * _ceil(shard[-1], page[1])
    return _ceil(shards, cores) * pages


def shards_along(spec: NdShardSpec, padded_shape: tuple[int, ...]) -> list[int]:
    """Shards along each dimension of the shard shape, to whose rank the tensor is folded or padded."""
    rank = len(spec.shard_shape)
    shape = (1,) * (rank - len(padded_shape)) + padded_shape
    folded = (math.prod(shape[: len(shape) - rank + 1]), *shape[len(shape) - rank + 1 :])
    return [_ceil(size, part) for size, part in zip(folded, spec.shard_shape, strict=True)]


def require_nd_fit(spec: NdShardSpec, padded_shape: tuple[int, ...]) -> None:
    """Raise ArgumentError unless a GRID_2D distribution has one rectangle of cores, and a core for each shard."""
    if spec.shard_distribution_strategy is not ShardDistributionStrategy.GRID_2D:
        return
    along = [1, *shards_along(spec, padded_shape)]
    grid = spec.grid.bounding_box().grid_size()
    down, across = (grid.y, grid.x) if spec.orientation is ShardOrientation.ROW_MAJOR else (grid.x, grid.y)
    if spec.grid.size() != 1 or math.prod(along[:-1]) > down or along[-1] > across:
        raise ArgumentError(
            f"GRID_2D deals {math.prod(along[:-1])} x {along[-1]} shards to one rectangle of cores in {spec.orientation.name} order, "
            f"got the grid {spec.grid}"
        )


def two_dimensional(config: MemoryConfig, padded_shape: tuple[int, ...]) -> MemoryConfig:
    """`config` with the shards of two dimensions that are the same as its `nd_shard_spec`; itself where none are.

    Source: ttnn's documented conversion of shard specs; not measured.
    """
    spec = config.nd_shard_spec
    if spec is None or not padded_shape:
        return config
    shard, padded = spec.shard_shape, (1,) * (len(spec.shard_shape) - len(padded_shape)) + padded_shape
    height, rows = 1, 1
    for dim in range(2, len(shard) + 1):
        rows *= padded[-dim]
        height *= shard[-dim]
        if padded[-dim] == shard[-dim]:
            continue
        outer_is_one = math.prod(shard) == height * shard[-1]
        continues = dim < len(shard) and padded[-dim] % shard[-dim] != 0 and math.prod(padded[:-1]) != rows
        if not outer_is_one or continues:
            return config
        break
    physical_height, width = math.prod(padded[:-1]), padded[-1]
    down, across = _ceil(physical_height, height), _ceil(width, shard[-1])
    if down * across > spec.num_cores():
        return config
    in_turn = spec.shard_distribution_strategy is ShardDistributionStrategy.ROUND_ROBIN_1D
    if in_turn and height == physical_height:
        layout = TensorMemoryLayout.WIDTH_SHARDED
    elif in_turn and shard[-1] == width:
        layout = TensorMemoryLayout.HEIGHT_SHARDED
    else:
        layout = TensorMemoryLayout.BLOCK_SHARDED
        if spec.orientation is ShardOrientation.COL_MAJOR:
            down, across = across, down
        grid = spec.grid.bounding_box().grid_size()
        if spec.grid.size() != 1 or (in_turn and across != grid.x) or across > grid.x or down > grid.y:
            return config
    return MemoryConfig(layout, config.buffer_type, ShardSpec(spec.grid, (height, shard[-1]), spec.orientation), spec)
