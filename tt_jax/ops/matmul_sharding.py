"""The shards of a matmul's output, where its memory config names a layout but no shards.

With a program config they are the config's blocks; with a core grid those of the program chosen; else they follow a sharded first
input, or lie on the fewest cores whose blocks are at most 16 tiles a side. Source: reference data (measured for two interleaved inputs),
else read in source.
"""

from tt_jax.compute import CoreGrid
from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet, num_cores_to_corerangeset
from tt_jax.errors import NotModelledError
from tt_jax.layout import TILE_SIZE
from tt_jax.memory import MemoryConfig, ShardOrientation, ShardSpec, TensorMemoryLayout
from tt_jax.ops.matmul_program import Blocks, Problem, blocks_on_grid
from tt_jax.program_configs import (
    MatmulMultiCoreProgramConfig,
    MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig,
    MatmulMultiCoreReuseMultiCastProgramConfig,
    MatmulProgramConfig,
)

_LARGEST_BLOCK = 16


def output_config(
    asked: MemoryConfig,
    problem: Problem,
    first: MemoryConfig,
    program_config: MatmulProgramConfig | None,
    core_grid: CoreGrid | None,
    device_grid: CoreGrid,
    tile: tuple[int, int] = (TILE_SIZE, TILE_SIZE),
) -> MemoryConfig:
    """`asked` with a shard spec, if it is sharded and has none; `first` is where the first input lies, `tile` what `problem` counts in.

    Raises NotModelledError for a program config whose shards are not known.
    """
    if not asked.is_sharded() or asked.shard_spec is not None or asked.nd_shard_spec is not None:
        return asked
    given = first.shard_spec
    if program_config is not None:
        shards = _of_config(program_config, problem, given, device_grid)
    elif core_grid is not None:
        shards = _in_blocks(asked, problem, blocks_on_grid(problem, core_grid), core_grid)
    elif given is not None:
        shards = _like_the_first(first.memory_layout, given, problem, tile[0])
    else:
        side = lambda tiles: min(tiles, _LARGEST_BLOCK)  # noqa: E731
        shards = _in_blocks(asked, problem, Blocks(side(problem.batch_a * problem.m), side(problem.n), 1), device_grid)
    height, width = shards.shape
    return asked.with_shard_spec(
        ShardSpec(shards.grid, (height // TILE_SIZE * tile[0], width // TILE_SIZE * tile[1]), shards.orientation)
    )


def _shard(
    grid: CoreRangeSet, height: int, width: int, orientation: ShardOrientation = ShardOrientation.ROW_MAJOR
) -> ShardSpec:
    return ShardSpec(grid, (height * TILE_SIZE, width * TILE_SIZE), orientation)


def _rectangle(columns: int, rows: int) -> CoreRangeSet:
    return CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(columns - 1, rows - 1))])


def _in_blocks(asked: MemoryConfig, problem: Problem, blocks: Blocks, grid: CoreGrid) -> ShardSpec:
    """Shards that are the output blocks of the cores."""
    high = -(-problem.batch_a * problem.m // blocks.height)
    wide = -(-problem.n // blocks.width)
    if asked.memory_layout is TensorMemoryLayout.BLOCK_SHARDED:
        return _shard(_rectangle(wide, high), blocks.height, blocks.width)
    cores = num_cores_to_corerangeset(high * wide, (grid.x, grid.y), True)
    return _shard(cores, blocks.height, blocks.width)


def _of_config(config: MatmulProgramConfig, problem: Problem, given: ShardSpec | None, device_grid: CoreGrid) -> ShardSpec:
    if isinstance(config, MatmulMultiCoreProgramConfig):
        raise NotModelledError(
            f"matmul: the shards that {type(config).__name__} gives its output are not modelled; name a shard spec"
        )
    high = -(-problem.batch_a * problem.m // config.per_core_M)
    wide = -(-problem.n // config.per_core_N)
    if isinstance(config, MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig):
        grid = given.grid if given is not None else num_cores_to_corerangeset(high * wide, (device_grid.x, device_grid.y), True)
        return _shard(grid, config.per_core_M, config.per_core_N)
    if isinstance(config, MatmulMultiCoreReuseMultiCastProgramConfig):
        if config.transpose_mcast:
            return _shard(_rectangle(high, wide), config.per_core_M, config.per_core_N, ShardOrientation.COL_MAJOR)
        return _shard(_rectangle(wide, high), config.per_core_M, config.per_core_N)
    orientation = given.orientation if given is not None else ShardOrientation.ROW_MAJOR
    row_wise = orientation is ShardOrientation.ROW_MAJOR
    cores = num_cores_to_corerangeset(high * wide, (config.grid.x, config.grid.y), row_wise)
    return _shard(cores, config.per_core_M, config.per_core_N, orientation)


def _like_the_first(layout: TensorMemoryLayout, given: ShardSpec, problem: Problem, high: int) -> ShardSpec:
    height, cores = given.shape[0] // high, given.num_cores()
    if layout is TensorMemoryLayout.HEIGHT_SHARDED:
        return _shard(given.grid, height, problem.n, given.orientation)
    if layout is TensorMemoryLayout.WIDTH_SHARDED:
        return _shard(given.grid, problem.batch_a * problem.m, -(-problem.n // cores), given.orientation)
    box = given.grid.bounding_box().grid_size()
    across = box.x if given.orientation is ShardOrientation.ROW_MAJOR else box.y
    return _shard(given.grid, height, -(-problem.n // across), given.orientation)
