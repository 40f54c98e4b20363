"""Tensor specs in shards, as ttnn's TensorSpec makes them; and every way to deal a tensor of three dimensions out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from tt_jax import tensor_sharding
from tt_jax.cores import CoreRange, CoreRangeSet, num_cores_to_corerangeset
from tt_jax.memory import NdShardSpec, ShardOrientation, ShardSpec
from tt_jax.tensor_sharding import ShardShapeAlignment
from tt_jax.tile import Tile

TILE, ROWS = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
CORES = num_cores_to_corerangeset(56, [8, 7], True)
HEIGHT, WIDTH, BLOCK, ND = (tt.TensorMemoryLayout[f"{name}_SHARDED"] for name in ("HEIGHT", "WIDTH", "BLOCK", "ND"))
L1 = tt.L1_MEMORY_CONFIG

SHARDS = ShardSpec(CoreRangeSet([CoreRange((0, 0), (1, 0))]), (32, 64), ShardOrientation.ROW_MAJOR)
ANY_RANK = NdShardSpec((1, 32, 64), CORES)
SMALL = Tile((16, 16))
BASE = ((1, 64, 64), tt.bfloat16, TILE)


@pytest.mark.parametrize(
    "arguments, names, config, tile",
    [
        ((), {}, tt.DRAM_MEMORY_CONFIG, Tile()),
        ((), dict(buffer_type=tt.BufferType.L1, tile=SMALL), L1, SMALL),
        ((tt.BufferType.L1, SMALL), {}, L1, SMALL),
        ((HEIGHT, SHARDS), dict(buffer_type=tt.BufferType.L1), tt.MemoryConfig(HEIGHT, tt.BufferType.L1, SHARDS), Tile()),
        ((HEIGHT, SHARDS, tt.BufferType.L1, SMALL), {}, tt.MemoryConfig(HEIGHT, tt.BufferType.L1, SHARDS), SMALL),
        ((), dict(memory_layout=HEIGHT, shard_spec=SHARDS), tt.MemoryConfig(HEIGHT, tt.BufferType.DRAM, SHARDS), Tile()),
        ((ANY_RANK,), dict(buffer_type=tt.BufferType.L1), tt.MemoryConfig(tt.BufferType.L1, ANY_RANK), Tile()),
        ((ANY_RANK, tt.BufferType.L1, SMALL), {}, tt.MemoryConfig(tt.BufferType.L1, ANY_RANK), SMALL),
        ((), dict(nd_shard_spec=ANY_RANK), tt.MemoryConfig(tt.BufferType.DRAM, ANY_RANK), Tile()),
    ],
)
def test_the_constructors_of_ttnn(arguments, names, config, tile):
    assert tensor_sharding.tensor_spec(*BASE, *arguments, **names) == tt.TensorSpec(*BASE, config, tile)
    assert tensor_sharding.tensor_spec([1, 64, 64], *BASE[1:], *arguments, **names) == tt.TensorSpec(*BASE, config, tile)


@pytest.mark.parametrize(
    "arguments, names, text",
    [
        ((tt.BufferType.L1, SMALL, 1), {}, "at most buffer_type, tile after the layout, got 3"),
        ((tt.BufferType.L1,), dict(buffer_type=tt.BufferType.L1), "`buffer_type` is given twice"),
        ((HEIGHT,), {}, "has no shard spec"),
        ((8,), {}, "a TensorMemoryLayout and a BufferType"),
    ],
)
def test_bad_constructions(arguments, names, text):
    with pytest.raises(tt.ArgumentError, match=text):
        tensor_sharding.tensor_spec(*BASE, *arguments, **names)


layouts = st.sampled_from([TILE, ROWS])
shapes = st.lists(st.integers(1, 70), min_size=2, max_size=4).map(tuple)
grids = st.tuples(st.integers(1, 8), st.integers(1, 8)).map(lambda n: CoreRangeSet([CoreRange((0, 0), (n[0] - 1, n[1] - 1))]))


def holds(spec, grid):
    """Whether the shards of a spec have room for the tensor, no more than one for each core, in whole tiles."""
    config = spec.memory_config
    height, width = config.shard_spec.shape
    rows, columns = math.prod(spec.padded_shape[:-1]), spec.padded_shape[-1]
    whole = spec.layout is ROWS or (height % 32 == 0 and width % 32 == 0)
    return whole and -(-rows // height) * -(-columns // width) <= grid.num_cores() and spec.bytes_per_bank(tt.N150) > 0


@given(shapes, layouts, grids, st.sampled_from(list(ShardOrientation)))
def test_a_shard_for_each_core(shape, layout, grid, orientation):
    spec = tt.TensorSpec(shape, tt.bfloat16, layout, L1)
    for shard, kinds in (
        (tensor_sharding.height_sharded, (HEIGHT, WIDTH)),  # one shard is either
        (tensor_sharding.width_sharded, (WIDTH, HEIGHT)),
    ):
        found = shard(spec, grid, orientation)
        assert found.memory_config.memory_layout in kinds and holds(found, grid)
        assert found.shape == shape and found.memory_config.buffer_type is tt.BufferType.L1
    found = tensor_sharding.block_sharded(spec, grid.ranges()[0], orientation)
    assert found == tensor_sharding.block_sharded(spec, grid, orientation)
    if found.memory_config.memory_layout is not ND:
        assert found.memory_config.memory_layout is BLOCK and holds(found, grid)


def test_across_dims_and_except_some():
    spec = tt.TensorSpec((2, 3, 40, 50), tt.float32, TILE, L1)
    across = tensor_sharding.sharded_across_dims(spec, [-1], CORES)
    assert across.memory_config.nd_shard_spec.shard_shape == (2, 3, 64, 32)
    assert across.memory_config.memory_layout is WIDTH
    batch = tensor_sharding.sharded_across_dims_except(spec, [0], CORES)
    assert batch.memory_config.nd_shard_spec.shard_shape == (2, 1, 32, 32)
    assert batch.memory_config.memory_layout is ND and batch.bytes_per_bank(tt.N150) == 2 * 4096
    images = tensor_sharding.sharded_across_dims_except(spec, [-1, -2], CORES)
    assert images.memory_config.nd_shard_spec.shard_shape == (1, 1, 64, 64)
    assert images.memory_config.shard_spec.shape == (64, 64)


@pytest.mark.parametrize(
    "layout, alignment, shape",
    [
        (TILE, ShardShapeAlignment.REQUIRED, (1, 64, 64)),
        (TILE, ShardShapeAlignment.RECOMMENDED, (1, 64, 64)),
        (ROWS, ShardShapeAlignment.NONE, (1, 37, 37)),
        (ROWS, ShardShapeAlignment.REQUIRED, (1, 37, 37)),
        (ROWS, ShardShapeAlignment.RECOMMENDED, (1, 37, 48)),
    ],
)
def test_alignment(layout, alignment, shape):
    spec = tt.TensorSpec((2, 3, 40, 50), tt.float32, layout, L1)
    found = tensor_sharding.sharded(spec, NdShardSpec((1, 37, 37), CORES), alignment)
    assert found.memory_config.nd_shard_spec.shard_shape == shape


def test_a_shard_shape_that_is_not_rounded_up():
    spec = tt.TensorSpec((2, 3, 40, 50), tt.float32, TILE, L1)
    with pytest.raises(tt.ArgumentError, match="whole tiles"):
        tensor_sharding.sharded(spec, NdShardSpec((1, 37, 37), CORES), ShardShapeAlignment.NONE)


def test_blocks_on_no_rectangle():
    spec = tt.TensorSpec((64, 64), tt.float32, TILE, L1)
    with pytest.raises(tt.ArgumentError, match="one rectangle of cores"):
        tensor_sharding.block_sharded(spec, num_cores_to_corerangeset(9, (8, 8), True))


@pytest.mark.parametrize("buffer_type", [tt.BufferType.L1, tt.BufferType.DRAM])
@pytest.mark.parametrize(
    "shape, shard, layout",
    [
        *[((3, 4, 5), shard, ROWS) for shard in ((3, 4, 5), (3, 4, 1), (3, 1, 5), (1, 4, 5), (3, 1, 1), (1, 1, 1), (2, 3, 2))],
        *[((5, 130, 165), shard, TILE) for shard in ((5, 160, 192), (2, 32, 32), (5, 32, 192), (1, 160, 32), (2, 160, 192))],
    ],
)
def test_tensors_of_three_dimensions(shape, shard, layout, buffer_type):
    grid = tt.N150.grid if buffer_type is tt.BufferType.L1 else (tt.N150.dram_banks, 1)
    cores = CoreRangeSet([CoreRange((0, 0), (grid[0] - 1, grid[1] - 1))])
    spec = tt.TensorSpec(shape, tt.bfloat16, layout, tt.MemoryConfig(buffer_type, NdShardSpec(shard, cores)))
    count = math.prod(-(-size // part) for size, part in zip(spec.padded_shape, shard, strict=True))
    in_turn = -(-count // cores.num_cores())
    aligned = spec.aligned_page_size(tt.N150)
    pages = math.prod(shard) // 1024 if layout is TILE else math.prod(shard[:-1])
    assert spec.page_size == (2048 if layout is TILE else 2 * shard[-1])
    assert spec.bytes_per_bank(tt.N150) == in_turn * pages * aligned


def test_a_grid_without_cores():
    spec = tt.TensorSpec((64, 64), tt.bfloat16, TILE, tt.MemoryConfig(tt.BufferType.L1, NdShardSpec((32, 64), CoreRangeSet())))
    with pytest.raises(tt.ArgumentError, match="the grid of the shard spec has no cores"):
        spec.bytes_per_bank(tt.N150)
