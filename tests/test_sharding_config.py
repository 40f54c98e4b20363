"""Shard specs and memory configs: what they hold, how they print, and the configs made from a shape and a grid."""

import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from tt_jax import memory as m
from tt_jax.cores import CoreRange, CoreRangeSet
from tt_jax.memory import NdShardSpec, ShardOrientation, ShardSpec, ShardStrategy

HEIGHT, WIDTH, BLOCK = (tt.TensorMemoryLayout[f"{name}_SHARDED"] for name in ("HEIGHT", "WIDTH", "BLOCK"))
ROW_MAJOR, COL_MAJOR = ShardOrientation.ROW_MAJOR, ShardOrientation.COL_MAJOR
DRAM, L1 = tt.BufferType.DRAM, tt.BufferType.L1
CORES = CoreRangeSet([CoreRange((0, 0), (3, 1))])
SPEC = ShardSpec(CORES, [32, 64], ROW_MAJOR)
ND = NdShardSpec([2, 32, 64], CORES)


def test_the_forms_of_a_config():
    assert tt.MemoryConfig() == tt.DRAM_MEMORY_CONFIG == tt.MemoryConfig(tt.TensorMemoryLayout.INTERLEAVED, DRAM)
    config = tt.MemoryConfig(HEIGHT, L1, SPEC)
    assert config == tt.MemoryConfig(memory_layout=HEIGHT, buffer_type=L1, shard_spec=SPEC)
    assert config == tt.MemoryConfig(HEIGHT, L1).with_shard_spec(SPEC)
    assert (config.is_sharded(), config.interleaved, tt.L1_MEMORY_CONFIG.is_sharded()) == (True, False, False)
    nd = tt.MemoryConfig(L1, ND)
    assert nd == tt.MemoryConfig(buffer_type=L1, nd_shard_spec=ND)
    assert (nd.memory_layout, nd.shard_spec, nd.nd_shard_spec) == (tt.TensorMemoryLayout.ND_SHARDED, None, ND)
    assert len({tt.MemoryConfig(), config, nd, tt.MemoryConfig(WIDTH, L1, SPEC), tt.MemoryConfig(HEIGHT, DRAM, SPEC)}) == 5


def test_the_constants_have_no_shard_spec():
    for config, layout in (
        (m.L1_HEIGHT_SHARDED_MEMORY_CONFIG, HEIGHT),
        (m.L1_WIDTH_SHARDED_MEMORY_CONFIG, WIDTH),
        (m.L1_BLOCK_SHARDED_MEMORY_CONFIG, BLOCK),
    ):
        assert (config.memory_layout, config.buffer_type, config.shard_spec) == (layout, L1, None)


def test_attributes_of_the_specs():
    assert (SPEC.grid, SPEC.shape, SPEC.orientation, SPEC.num_cores()) == (CORES, (32, 64), ROW_MAJOR, 8)
    assert SPEC == ShardSpec(grid=CORES, shard_shape=(32, 64), shard_orientation=ROW_MAJOR)
    assert (ND.shard_shape, ND.grid, ND.orientation, ND.num_cores()) == ((2, 32, 64), CORES, ROW_MAJOR, 8)


# Source: spec/memory.md section 3, and the recorded `create_sharded_memory_config_HEIGHT_2x4` (cut off after "rang").
def test_it_prints_as_recorded():
    assert repr(tt.L1_MEMORY_CONFIG) == (
        "MemoryConfig(memory_layout=TensorMemoryLayout::INTERLEAVED,buffer_type=BufferType::L1,shard_spec=std::nullopt,"
        "nd_shard_spec=std::nullopt,created_with_nd_shard_spec=0,per_core_allocation=0,range_lockstep_allocation=0)"
    )
    assert repr(tt.MemoryConfig(HEIGHT, L1, SPEC)).startswith(
        "MemoryConfig(memory_layout=TensorMemoryLayout::HEIGHT_SHARDED,buffer_type=BufferType::L1,shard_spec=ShardSpec{grid=["
        '{"start":{"x":0,"y":0},"end":{"x":3,"y":1}], shape=[32, 64], orientation=ShardOrientation::ROW_MAJOR},'
        "nd_shard_spec=std::nullopt,created_with_nd_shard_spec=0,per_core_allocation=0,rang"
    )


@pytest.mark.parametrize(
    "config", [tt.DRAM_MEMORY_CONFIG, tt.MemoryConfig(BLOCK, L1, SPEC), tt.MemoryConfig(DRAM, ND)], ids=str
)
def test_json_and_pickle_round_trip(config):
    assert tt.MemoryConfig.from_json(config.to_json()) == config
    assert pickle.loads(pickle.dumps(config)) == config
    spec = config.shard_spec or config.nd_shard_spec
    assert spec is None or type(spec).from_json(json.loads(spec.to_json())) == spec


def test_json_as_measured():
    text = '{"buffer_type":1,"created_with_nd_shard_spec":false,"memory_layout":0,"per_core_allocation":false}'
    assert tt.L1_MEMORY_CONFIG.to_json() == text


grids = st.builds(tt.CoreGrid, y=st.integers(1, 8), x=st.integers(1, 8))
strategies = st.sampled_from(list(ShardStrategy))
orientations = st.sampled_from(list(ShardOrientation))
shapes = st.lists(st.integers(1, 6).map(lambda n: 4 * n), min_size=2, max_size=4)


def tiling(config, rows, columns):
    """Shards of a config down and across a matrix of `rows` and `columns`, and those that its cores take."""
    spec = config.shard_spec
    down, across = -(-rows // spec.shape[0]), -(-columns // spec.shape[1])
    grid = spec.grid.bounding_box().grid_size()
    by_rows = spec.orientation is ROW_MAJOR
    taken = {
        HEIGHT: (spec.num_cores(), 1),
        WIDTH: (1, spec.num_cores()),
        BLOCK: (grid.y, grid.x) if by_rows else (grid.x, grid.y),
    }
    return (down, across), taken[config.memory_layout]


@given(shapes, grids, strategies, st.none() | orientations)
def test_a_tensor_is_split_evenly_or_not_at_all(shape, grid, strategy, orientation):
    rows, columns = math.prod(shape[:-1]), shape[-1]
    try:
        config = m.create_sharded_memory_config(shape, grid, strategy, orientation)
    except tt.ArgumentError as error:
        assert "do not divide" in str(error)
        down, across = {
            ShardStrategy.HEIGHT: (grid.num_cores, 1),
            ShardStrategy.WIDTH: (1, grid.num_cores),
            ShardStrategy.BLOCK: (grid.x, grid.y) if orientation is COL_MAJOR else (grid.y, grid.x),
        }[strategy]
        assert rows % down or columns % across
        return
    needed, taken = tiling(config, rows, columns)
    assert needed == taken
    assert (config.shard_spec.shape[0] * needed[0], config.shard_spec.shape[1] * needed[1]) == (rows, columns)
    assert config.shard_spec.orientation is (orientation or ROW_MAJOR) and config.buffer_type is L1
    assert config.shard_spec.num_cores() == grid.num_cores


@given(shapes, grids, strategies, orientations, st.booleans())
def test_the_other_one_rounds_up(shape, grid, strategy, orientation, tile_layout):
    rows, columns = math.prod(shape[:-1]), shape[-1]
    try:
        config = m.create_sharded_memory_config_(shape, grid, strategy, orientation, tile_layout=tile_layout)
    except tt.ArgumentError as error:
        assert tile_layout and "multiple of 32" in str(error)
        return
    needed, taken = tiling(config, rows, columns)
    assert all(n <= t for n, t in zip(needed, taken, strict=True))
    shard = config.shard_spec.shape
    assert not tile_layout or shard[0] % 32 == 0 or shard[1] % 32 == 0
    layout = {ShardStrategy.HEIGHT: HEIGHT, ShardStrategy.WIDTH: WIDTH, ShardStrategy.BLOCK: BLOCK}[strategy]
    assert config == m.create_sharded_memory_config_(shape, grid, layout, orientation, tile_layout=tile_layout)


@pytest.mark.parametrize("create", [m.create_sharded_memory_config, m.create_sharded_memory_config_])
def test_a_shards_own_shape(create):
    arguments = dict(core_grid=CORES, strategy=ShardStrategy.HEIGHT, use_height_and_width_as_shard_shape=True)
    assert create((7, 32, 64), orientation=ROW_MAJOR, **arguments).shard_spec == SPEC
    assert create((7, 32, 64), orientation=COL_MAJOR, **arguments).shard_spec.shape == (64, 32)


def test_a_pair_of_grids_is_one_and_a_row_below_it():
    pair = (tt.CoreGrid(y=2, x=8), tt.CoreGrid(y=1, x=3))
    config = m.create_sharded_memory_config((32, 64), pair, ShardStrategy.HEIGHT, use_height_and_width_as_shard_shape=True)
    assert config.shard_spec.grid == CoreRangeSet([CoreRange((0, 0), (7, 1)), CoreRange((0, 2), (2, 2))])


GRID, PAIR = tt.CoreGrid(y=2, x=4), CoreRangeSet([CoreRange((0, 0), (0, 0)), CoreRange((2, 0), (2, 0))])
create, create_ = m.create_sharded_memory_config, m.create_sharded_memory_config_
BAD = {
    "a shape of rank 1": (lambda: create((32,), GRID, ShardStrategy.HEIGHT), r"`shape` must have at least .* got \(32,\)"),
    "no shape": (lambda: create(32, GRID, ShardStrategy.HEIGHT), "`shape` must have at least a height and a width, got 32"),
    "no grid": (lambda: create((32, 32), 8, ShardStrategy.HEIGHT), "`core_grid` must be a CoreGrid, .* got 8"),
    "three grids": (lambda: create((32, 32), (GRID,) * 3, ShardStrategy.HEIGHT), "`core_grid` must be a CoreGrid, a pair"),
    "no strategy": (
        lambda: create((32, 32), GRID, HEIGHT),
        "`strategy` must be a ShardStrategy .* got TensorMemoryLayout.HEIGHT",
    ),
    "no orientation": (
        lambda: create((32, 32), GRID, ShardStrategy.HEIGHT, 0),
        "`orientation` must be a ShardOrientation, got 0",
    ),
    "no division": (lambda: create((100, 64), GRID, ShardStrategy.HEIGHT), "100 rows and 64 columns do not divide into 8 x 1"),
    "a set and a tensor's shape": (lambda: create((64, 64), CORES, ShardStrategy.HEIGHT), "split over a CoreGrid only"),
    "no strategy, with rounding": (lambda: create_((32, 32), GRID, None, ROW_MAJOR), "`strategy` must be .* got None"),
    "interleaved shards": (
        lambda: create_((32, 32), GRID, tt.TensorMemoryLayout.INTERLEAVED, ROW_MAJOR),
        "`strategy` must be .* got TensorMemoryLayout.INTERLEAVED",
    ),
    "no orientation, with rounding": (lambda: create_((32, 32), GRID, HEIGHT, None), "`orientation` must be .* got None"),
    "blocks on no rectangle": (lambda: create_((32, 32), PAIR, BLOCK, ROW_MAJOR), "block shards lie on one rectangle"),
    "no cores": (lambda: create_((32, 32), CoreRangeSet(), HEIGHT, ROW_MAJOR), "`core_grid` has no cores"),
    "no side in tiles": (lambda: create_((40, 40), GRID, HEIGHT, ROW_MAJOR, False, True), r"shards of \(5, 40\) have no side"),
    "a config of integers": (lambda: tt.MemoryConfig(0, 1), "a TensorMemoryLayout and a BufferType, got 0 and 1"),
    "a grid for a shard spec": (
        lambda: tt.MemoryConfig(HEIGHT, L1, CORES),
        "`shard_spec` of a memory config must be a ShardSpec",
    ),
    "no config in the text": (lambda: tt.MemoryConfig.from_json("{}"), "this is no memory config written by `to_json`"),
    "a shard spec without a set": (
        lambda: ShardSpec(GRID, (32, 32), ROW_MAJOR),
        "the `grid` of a ShardSpec must be a CoreRangeSet",
    ),
    "a shard spec without an order": (lambda: ShardSpec(CORES, (32, 32), 0), "must be a ShardOrientation, got 0"),
    "a shard of rank 3": (lambda: ShardSpec(CORES, (1, 32, 32), ROW_MAJOR), r"is \(height, width\), got \(1, 32, 32\)"),
    "a shard of fractions": (lambda: ShardSpec(CORES, (1.5, 32), ROW_MAJOR), "a sequence of integers of at least 0"),
    "an empty shard of any rank": (lambda: NdShardSpec((0, 32), CORES), r"none of size 0; got \(0, 32\)"),
    "no distribution": (lambda: NdShardSpec((32, 32), CORES, ROW_MAJOR, 1), "expected a ShardDistributionStrategy, got 1"),
}


@pytest.mark.parametrize("call, text", BAD.values(), ids=BAD)
def test_errors(call, text):
    with pytest.raises(tt.ArgumentError, match=text):
        call()
