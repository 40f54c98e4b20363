"""Tensors in shards: what they take, what is refused, and the operations that move them; values never change."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from tt_jax import memory as m
from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet
from tt_jax.memory import NdShardSpec, ShardDistributionStrategy, ShardOrientation, ShardSpec
from tt_jax.ops.sharding import interleaved_to_sharded, reshard, sharded_to_interleaved, to_memory_config
from tt_jax.ops.sharding_partial import interleaved_to_sharded_partial, sharded_to_interleaved_partial

HEIGHT, WIDTH, BLOCK, ND = (tt.TensorMemoryLayout[f"{name}_SHARDED"] for name in ("HEIGHT", "WIDTH", "BLOCK", "ND"))
ROW_MAJOR, COL_MAJOR = ShardOrientation.ROW_MAJOR, ShardOrientation.COL_MAJOR
TILE, ROWS = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
DRAM, L1 = tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG


def grid(columns, rows=1):
    return CoreRangeSet([CoreRange((0, 0), (columns - 1, rows - 1))])


def shards(layout, shape, cores, orientation=ROW_MAJOR, buffer_type=tt.BufferType.L1):
    return tt.MemoryConfig(layout, buffer_type, ShardSpec(cores, shape, orientation))


def nd(shape, cores, *rest, buffer_type=tt.BufferType.L1):
    return tt.MemoryConfig(buffer_type, NdShardSpec(shape, cores, *rest))


def spec(shape, config, layout=TILE, dtype=tt.bfloat16):
    return tt.TensorSpec(shape, dtype, layout, config)


# What a tensor takes. The recorded traces, all in L1, are in test_allocator.py.


@pytest.mark.parametrize("device", [tt.N150, tt.P150], ids=repr)
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.bfloat8_b, tt.uint8], ids=lambda dtype: dtype.kernel_name)
def test_shards_in_dram(device, dtype):
    for layout, shape, count in ((HEIGHT, (64, 96), 3), (WIDTH, (192, 32), 3)):
        config = shards(layout, shape, grid(4), buffer_type=tt.BufferType.DRAM)
        tensor = spec((3, 64, 96), config, dtype=dtype)
        assert tensor.num_pages == 18 and tensor.bytes_per_bank(device) == 18 // count * dtype.tile_bytes
        if not dtype.is_block_float:
            tensor = spec((3, 64, 96), config, ROWS, dtype)
            assert tensor.page_size == shape[1] * dtype.element_bytes
            aligned = math.ceil(tensor.page_size / device.dram_alignment) * device.dram_alignment
            assert tensor.bytes_per_bank(device) == shape[0] * aligned


def test_rows_are_padded_to_whole_shards():
    tensor = spec((1, 264, 536), shards(BLOCK, (66, 168), grid(4, 4)), ROWS)
    assert (tensor.shape, tensor.padded_shape, tensor.num_pages) == ((1, 264, 536), (1, 264, 672), 1056)
    assert spec((1, 264, 536), DRAM, ROWS).padded_shape == (1, 264, 536)


def dealt(tensor, nd_spec):
    """The most pages that a core gets when shards are dealt to cores in turn, page by page of a tensor of whole tiles."""
    cores = nd_spec.num_cores()
    rank = len(nd_spec.shard_shape)
    shape = (1,) * (rank - len(tensor.padded_shape)) + tensor.padded_shape
    shape = (math.prod(shape[: len(shape) - rank + 1]), *shape[len(shape) - rank + 1 :])
    counts = [0] * cores
    starts = [range(0, size, part) for size, part in zip(shape, nd_spec.shard_shape, strict=True)]
    for i, _ in enumerate(itertools.product(*starts)):
        counts[i % cores] += math.prod(nd_spec.shard_shape) // 1024
    return max(counts)


tiles = st.integers(1, 3).map(lambda n: 32 * n)


@given(
    st.lists(st.integers(1, 3), max_size=2),
    tiles,
    tiles,
    st.lists(st.integers(1, 3), max_size=2),
    tiles,
    tiles,
    st.integers(1, 6),
)
def test_shards_of_any_rank_are_dealt_in_turn(batch, height, width, outer, shard_height, shard_width, cores):
    config = nd((*outer, shard_height, shard_width), grid(cores))
    tensor = spec((*batch, height, width), config)
    expected = dealt(tensor, config.nd_shard_spec)
    assert tensor.bytes_per_bank(tt.N150) == expected * 2048
    if tensor.memory_config.shard_spec is not None:
        flat = tensor.memory_config
        same = spec(tensor.shape, tt.MemoryConfig(flat.memory_layout, flat.buffer_type, flat.shard_spec))
        assert same.bytes_per_bank(tt.N150) == expected * 2048
    assert tensor.replace() == tensor and hash(tensor.replace()) == hash(tensor)


@pytest.mark.parametrize(
    "shape, config, layout, shard",
    [
        ((4, 64, 96), nd((1, 64, 96), grid(4)), HEIGHT, (64, 96)),
        ((4, 64, 96), nd((32, 96), grid(8)), HEIGHT, (32, 96)),
        ((4, 64, 96), nd((4, 64, 32), grid(3)), WIDTH, (256, 32)),
        ((2, 64, 64), nd((1, 64, 32), grid(2, 2)), BLOCK, (64, 32)),
        ((128, 64), nd((32, 32), grid(2, 4), ROW_MAJOR, ShardDistributionStrategy.GRID_2D), BLOCK, (32, 32)),
        ((128, 64), nd((32, 32), grid(4, 2), COL_MAJOR, ShardDistributionStrategy.GRID_2D), BLOCK, (32, 32)),
    ],
)
def test_shards_of_two_dimensions_in_disguise(shape, config, layout, shard):
    found = spec(shape, config).memory_config
    assert (found.memory_layout, found.shard_spec.shape) == (layout, shard)
    assert found.nd_shard_spec == config.nd_shard_spec and found != config


@pytest.mark.parametrize(
    "shape, config",
    [
        ((4, 64, 96), nd((1, 64, 96), grid(2))),  # more shards than cores
        ((4, 64, 96), nd((2, 32, 96), grid(4))),  # neither rows nor blocks
        ((3, 3, 32, 32), nd((2, 3, 32, 32), grid(1, 1))),
    ],
)
def test_shards_that_two_dimensions_cannot_tell(shape, config):
    found = spec(shape, config).memory_config
    assert found.memory_layout is ND and found == config


def test_a_tensor_without_elements_takes_nothing():
    assert spec((0, 64), shards(HEIGHT, (32, 64), grid(2))).bytes_per_bank(tt.N150) == 0


OFF = {
    "beyond the columns": (shards(HEIGHT, (32, 64), grid(9)), "to core (8, 0), which n150 has not"),
    "beyond the rows": (shards(HEIGHT, (32, 64), grid(1, 9)), "to core (0, 8), which n150 has not"),
    "below the DRAM banks": (shards(HEIGHT, (32, 64), grid(1, 9), buffer_type=tt.BufferType.DRAM), "to core (0, 1), which"),
    "beyond the DRAM banks": (shards(HEIGHT, (32, 64), grid(13), buffer_type=tt.BufferType.DRAM), "to core (12, 0), which"),
}


@pytest.mark.parametrize("config, text", OFF.values(), ids=OFF)
def test_cores_that_the_device_has_not(config, text):
    memory = tt.MemoryState.create(tt.N150)
    with pytest.raises(tt.ArgumentError) as error:
        tt.from_array(memory, np.zeros((288, 64), np.float32), layout=TILE, memory_config=config)
    assert text in str(error.value)


def test_of_blocks_only_the_cores_in_use_count():
    wide = shards(BLOCK, (32, 64), grid(9, 9))
    assert spec((64, 64), wide).bytes_per_bank(tt.N150) == 2 * 2048
    with pytest.raises(tt.ArgumentError, match=r"to core \(0, 8\)"):
        spec((288, 64), wide).bytes_per_bank(tt.N150)


GRID_2D = ShardDistributionStrategy.GRID_2D
MISFITS = {
    "no shard spec": ((64, 64), m.L1_HEIGHT_SHARDED_MEMORY_CONFIG, "HEIGHT_SHARDED but has no shard spec"),
    "half a tile": ((64, 64), shards(HEIGHT, (40, 64), grid(2)), r"whole tiles of \(32, 32\), got a shard shape of \(40, 64\)"),
    "half a tile of many": (
        (64, 64),
        nd((1, 40, 64), grid(2)),
        r"whole tiles of \(32, 32\), got a shard shape of \(1, 40, 64\)",
    ),
    "a row of tiles": ((64, 64), nd((64,), grid(2)), r"whole tiles of \(32, 32\), got a shard shape of \(64,\)"),
    "an empty shard": ((64, 64), shards(HEIGHT, (0, 64), grid(2)), "at least one row and one column"),
    "too high": ((96, 64), shards(HEIGHT, (32, 64), grid(2)), r"96 rows and 64 columns has 3 shards .* has 2 cores"),
    "not as wide": (
        (64, 64),
        shards(HEIGHT, (32, 32), grid(2)),
        r"cannot have shards 32 wide; make the shard shape \(32, 64\)",
    ),
    "too wide": ((64, 96), shards(WIDTH, (64, 32), grid(2)), r"64 rows and 96 columns has 3 shards .* has 2 cores"),
    "not as high": ((64, 64), shards(WIDTH, (32, 32), grid(2)), r"cannot have shards 32 high; make the shard shape \(64, 32\)"),
    "too many rows of blocks": (
        (96, 64),
        shards(BLOCK, (32, 32), grid(2, 2)),
        "3 x 2 block shards .* ROW_MAJOR order takes 2 x 2",
    ),
    "too many columns of blocks": ((64, 96), shards(BLOCK, (32, 32), grid(2, 2)), "2 x 3 block shards .* takes 2 x 2"),
    "blocks by columns": ((96, 64), shards(BLOCK, (32, 32), grid(2, 3), COL_MAJOR), "COL_MAJOR order takes 2 x 3"),
    "blocks on two ranges": (
        (64, 64),
        shards(BLOCK, (32, 32), CoreRangeSet([CoreRange((0, 0), (1, 0)), CoreRange((0, 1), (1, 1))])),
        "block shards lie on one rectangle",
    ),
    "a grid of a grid": (
        (4, 64, 64),
        nd((1, 32, 64), grid(2, 2), ROW_MAJOR, GRID_2D),
        "GRID_2D deals 8 x 1 shards to one rectangle",
    ),
}


@pytest.mark.parametrize("shape, config, text", MISFITS.values(), ids=MISFITS)
def test_shards_that_do_not_fit(shape, config, text):
    with pytest.raises(tt.ArgumentError, match=text):
        spec(shape, config)


def test_a_spec_says_its_shards():
    assert str(spec((96, 64), shards(HEIGHT, (32, 64), grid(3)))) == "96x64 bfloat16 TILE in L1, HEIGHT_SHARDED 32x64"
    assert str(spec((4, 64, 96), nd((2, 32, 96), grid(4)))) == "4x64x96 bfloat16 TILE in L1, ND_SHARDED 2x32x96"


# Operations.

SHAPE = (2, 64, 96)  # 128 rows
PLACES = {
    "DRAM": DRAM,
    "L1": L1,
    "height": shards(HEIGHT, (32, 96), grid(4)),
    "height, two cores": shards(HEIGHT, (64, 96), grid(2)),
    "width": shards(WIDTH, (128, 32), grid(3)),
    "block": shards(BLOCK, (64, 32), grid(3, 2)),
    "block by columns": shards(BLOCK, (64, 48), grid(2, 2), COL_MAJOR),
    "DRAM height": shards(HEIGHT, (32, 96), grid(4), buffer_type=tt.BufferType.DRAM),
}
IN_TILES = {name: config for name, config in PLACES.items() if name != "block by columns"}


def make(config, shape=SHAPE, dtype=tt.bfloat16, layout=TILE, memory=None):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    memory = tt.MemoryState.create(tt.N150) if memory is None else memory
    return tt.from_array(memory, values, dtype=dtype, layout=layout, memory_config=config)


CASES = [(TILE, *names) for names in itertools.product(IN_TILES, repeat=2)]
CASES += [(ROWS, *names) for names in itertools.product(PLACES, repeat=2)]
# Two programs where ROW_MAJOR shards change both width and kind. Source: ttnn's to_memory_config, documented.
THROUGH_DRAM = {
    ("height", "width"),
    ("height", "block"),
    ("width", "block by columns"),
    ("width", "height"),
    ("block", "height"),
}


@pytest.mark.parametrize("layout, before, after", CASES)
def test_to_memory_config(cache, layout, before, after):
    memory, x = make(PLACES[before], layout=layout)
    moved, y = to_memory_config(memory, x, PLACES[after])
    assert y.spec == x.spec.replace(memory_config=PLACES[after])
    assert (y.array == x.array).all()
    if before == after:
        assert (moved, y, cache.entries) == (memory, x, 0)
        return
    expected, _ = memory.allocate(y.buffer.buffer_type, y.spec.bytes_per_bank(tt.N150))
    assert tt.deallocate(moved, y) == memory
    if layout is TILE:
        assert cache.entries == 1 and moved == expected
    if (before, after) in THROUGH_DRAM:
        assert cache.entries == (2 if layout is ROWS else 1)


def test_to_memory_config_under_jit():
    memory, x = make(DRAM)

    def there_and_back(memory, x):
        for config in (PLACES["block"], PLACES["width"], DRAM):
            after, y = to_memory_config(memory, x, config)
            memory, x = tt.deallocate(after, x), y
        return memory, x

    eager, jitted = there_and_back(memory, x), jax.jit(there_and_back)(memory, x)
    assert eager[0] == jitted[0] == memory and eager[1].buffer == x.buffer
    assert (eager[1].array == jitted[1].array).all() and (eager[1].array == x.array).all()


def test_a_conversion_rounds_as_a_typecast_but_once():
    memory, x = make(DRAM, dtype=tt.float32)
    config = PLACES["height"]
    _, expected = to_memory_config(memory, x, L1, tt.bfloat16)
    for operation in (to_memory_config, interleaved_to_sharded):
        _, y = operation(memory, x, config, tt.bfloat16)
        assert y.spec == x.spec.replace(memory_config=config, dtype=tt.bfloat16)
        assert (y.array == expected.array).all()
    memory, x = to_memory_config(memory, x, config)
    _, y = sharded_to_interleaved(memory, x, L1, tt.bfloat16)
    assert y.memory_config == L1 and (y.array == expected.array).all()
    _, y = to_memory_config(memory, x, config, tt.bfloat16)
    assert y.spec == x.spec.replace(dtype=tt.bfloat16) and (y.array == expected.array).all()


def test_gradients_pass():
    memory, x = make(DRAM)

    def total(array):
        _, y = to_memory_config(memory, tt.Tensor(array, x.spec, x.buffer), PLACES["height"])
        return (y.array.astype(jnp.float32) ** 2).sum()

    assert (jax.grad(total)(x.array) == (2 * x.array).astype(jnp.bfloat16)).all()


@pytest.mark.parametrize(
    "scheme, shape, size, cores",
    [
        (HEIGHT, (32, 96), (8, 8), grid(4)),
        (WIDTH, (128, 32), (2, 8), CoreRangeSet([CoreRange((0, 0), (1, 0)), CoreRange((0, 1), (0, 1))])),
        (BLOCK, (64, 32), (3, 2), grid(3, 2)),
    ],
)
def test_interleaved_to_sharded_on_a_grid(cache, scheme, shape, size, cores):
    memory, x = make(DRAM)
    _, y = interleaved_to_sharded(memory, x, CoreCoord(size), shape, scheme, ROW_MAJOR)
    expected = shards(scheme, shape, cores)
    assert y.memory_config == expected and (y.array == x.array).all()
    by_name = dict(grid=cores, shard_shape=list(shape), shard_scheme=scheme, shard_orientation=ROW_MAJOR)
    entries = cache.entries
    for arguments, names in (
        ((), by_name),
        ((expected,), {}),
        ((), dict(sharded_memory_config=expected)),
        ((expected, tt.bfloat16), dict(keep_l1_aligned=True)),
    ):
        assert interleaved_to_sharded(memory, x, *arguments, **names)[1].spec == y.spec
    assert cache.entries == entries


def test_an_interleaved_tensor_is_interleaved_already(cache):
    memory, x = make(DRAM)
    assert sharded_to_interleaved(memory, x, L1) == (memory, x)
    assert cache.entries == 0


WIDE_DRAM = shards(WIDTH, (128, 96), grid(1), buffer_type=tt.BufferType.DRAM)


@pytest.mark.parametrize("layout", [TILE, ROWS])
@pytest.mark.parametrize(
    "before, after",
    [
        ("width", WIDE_DRAM),
        ("height", PLACES["height, two cores"]),
        ("block", nd((1, 64, 96), grid(2))),
        ("height", PLACES["DRAM height"]),
    ],
)
def test_reshard(cache, layout, before, after):
    memory, x = make(PLACES[before], layout=layout)
    moved, y = reshard(memory, x, after)
    assert y.spec == x.spec.replace(memory_config=after) and (y.array == x.array).all()
    assert tt.deallocate(moved, y) == memory and cache.entries == 1


def test_outputs_that_are_given():
    memory, x = make(DRAM)
    memory, sharded = make(PLACES["height"], memory=memory)
    memory, other = make(PLACES["width"], memory=memory)
    for call in (
        lambda: interleaved_to_sharded(memory, x, PLACES["height"], preallocated_output=sharded),
        lambda: to_memory_config(memory, x, PLACES["height"], output_tensor=sharded),
        lambda: reshard(memory, other, PLACES["height"], sharded),
    ):
        after, y = call()
        assert after == memory and y.buffer == sharded.buffer and (y.array == x.array).all()


@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.bfloat8_b], ids=lambda dtype: dtype.kernel_name)
def test_slices_there_and_back(cache, dtype):
    memory, x = make(DRAM, (1, 2, 64, 96), dtype=dtype)
    memory, target = tt.from_array(memory, np.zeros((1, 2, 64, 96), np.float32), dtype=dtype, layout=TILE)
    start = memory
    for i in range(4):
        after, part = interleaved_to_sharded_partial(memory, x, CoreCoord(8, 8), (32, 96), 4, i, HEIGHT, ROW_MAJOR)
        assert part.shape == (1, 1, 32, 96) and part.memory_config == shards(HEIGHT, (32, 96), grid(1))
        assert (part.array[0, 0] == x.array.reshape(128, 96)[32 * i : 32 * i + 32]).all()
        after, target = sharded_to_interleaved_partial(after, part, target, 4, i, memory_config=DRAM)
        memory = tt.deallocate(after, part)
    assert memory == start and (target.array == x.array).all()
    assert cache.entries == 8


MEMORY = tt.MemoryState.create(tt.N150)
MEMORY, X = make(DRAM, (1, 2, 64, 96), memory=MEMORY)
MEMORY, WIDE = make(DRAM, (8, 120), layout=ROWS, memory=MEMORY)
MEMORY, UNALIGNED = make(shards(WIDTH, (8, 60), grid(2)), (8, 120), layout=ROWS, memory=MEMORY)
MEMORY, S = make(shards(HEIGHT, (32, 96), grid(4)), (1, 2, 64, 96), memory=MEMORY)
MEMORY, IN_DRAM = make(PLACES["DRAM height"], (1, 2, 64, 96), memory=MEMORY)
MEMORY, CUT = make(DRAM, (1, 2, 40, 96), memory=MEMORY)
MEMORY, ROWS_ANY_RANK = make(nd((2, 4, 16), grid(2)), (3, 4, 40), layout=ROWS, memory=MEMORY)
MEMORY, MANY = make(nd((1, 1, 64, 96), grid(1)), (1, 2, 64, 96), memory=MEMORY)
MEMORY, THREE = make(DRAM, memory=MEMORY)
MEMORY, GONE = make(DRAM, memory=MEMORY)
MEMORY = tt.deallocate(MEMORY, GONE)
GOOD, DRAM_BLOCK = shards(HEIGHT, (32, 96), grid(4)), shards(BLOCK, (128, 32), grid(3), buffer_type=tt.BufferType.DRAM)
i2s, s2i = interleaved_to_sharded, sharded_to_interleaved
i2s_part, s2i_part = interleaved_to_sharded_partial, sharded_to_interleaved_partial
ON_GRID = (CoreCoord(8, 8), (32, 96), HEIGHT, ROW_MAJOR)


def part(tensor=X, count=4, index=0):
    return i2s_part(MEMORY, tensor, *ON_GRID[:2], count, index, *ON_GRID[2:])


REFUSED = {
    "to shards, no memory": (lambda: i2s(X, X, GOOD), "the first argument must be the MemoryState"),
    "to shards, sharded": (lambda: i2s(MEMORY, S, GOOD), "the input must be interleaved, got .*HEIGHT_SHARDED.*; use reshard"),
    "to no shards": (lambda: i2s(MEMORY, X, L1), "the output's memory config must be sharded"),
    "to shards of any rank": (lambda: i2s(MEMORY, X, nd((1, 1, 64, 96), grid(1))), "more than two dimensions is not supported"),
    "to blocks in DRAM": (lambda: i2s(MEMORY, X, DRAM_BLOCK), "block sharding in DRAM is not supported"),
    "to unaligned rows": (
        lambda: i2s(MEMORY, WIDE, shards(WIDTH, (8, 60), grid(2))),
        "has 120 B, which must be a multiple of 16",
    ),
    "to shards and another dtype": (
        lambda: i2s(MEMORY, WIDE, shards(HEIGHT, (8, 120), grid(1)), tt.float32),
        "only a TILE tensor can change its dtype",
    ),
    "to too many shards": (lambda: i2s(MEMORY, X, shards(HEIGHT, (32, 96), grid(3))), "has 4 shards .* has 3 cores"),
    "to shards off the device": (
        lambda: i2s(MEMORY, X, shards(HEIGHT, (32, 96), grid(9))),
        r"core \(8, 0\), which n150 has not",
    ),
    "to nowhere": (lambda: i2s(MEMORY, X), "missing: grid, shard_shape, shard_scheme, shard_orientation"),
    "to half a place": (lambda: i2s(MEMORY, X, CoreCoord(8, 8), (32, 96)), "missing: shard_scheme, shard_orientation"),
    "to two places": (lambda: i2s(MEMORY, X, GOOD, grid=CoreCoord(8, 8)), "not to be combined: grid"),
    "to the same place twice": (
        lambda: i2s(MEMORY, X, GOOD, sharded_memory_config=GOOD),
        "`sharded_memory_config` is given twice",
    ),
    "to shards and more": (lambda: i2s(MEMORY, X, GOOD, tt.bfloat16, 1), "at most sharded_memory_config, output_dtype after"),
    "to shards on no grid": (lambda: i2s(MEMORY, X, 8, *ON_GRID[1:]), "`grid` must be a CoreCoord .* got 8"),
    "to empty shards": (
        lambda: i2s(MEMORY, X, CoreCoord(8, 8), (0, 96), HEIGHT, ROW_MAJOR),
        r"must be positive, got \(0, 96\)",
    ),
    "to shards by no scheme": (
        lambda: i2s(MEMORY, X, CoreCoord(8, 8), (32, 96), tt.TensorMemoryLayout.INTERLEAVED, ROW_MAJOR),
        "`shard_scheme` must be HEIGHT_, WIDTH_ or BLOCK_SHARDED",
    ),
    "to shards of a grid too small": (lambda: i2s(MEMORY, X, CoreCoord(2, 1), *ON_GRID[1:]), "4 cores were asked for"),
    "from sharded DRAM": (lambda: s2i(MEMORY, IN_DRAM), "the input must be in L1"),
    "from shards to shards": (lambda: s2i(MEMORY, S, GOOD), "the output's memory config must be interleaved"),
    "from shards of any rank": (lambda: s2i(MEMORY, MANY), "more than two dimensions is not supported"),
    "from unaligned rows": (lambda: s2i(MEMORY, UNALIGNED), "has 120 B, which must be a multiple of 16"),
    "reshard of no shards": (lambda: reshard(MEMORY, X, GOOD), "the input must be sharded"),
    "reshard to no shards": (lambda: reshard(MEMORY, S, L1), "the output's memory config must be sharded"),
    "reshard to nowhere": (lambda: reshard(MEMORY, S, None), "`output_memory_config` is None"),
    "reshard to blocks in DRAM": (lambda: reshard(MEMORY, S, DRAM_BLOCK), "block sharding in DRAM is not supported"),
    "reshard of unaligned rows": (
        lambda: reshard(MEMORY, UNALIGNED, shards(WIDTH, (8, 120), grid(1))),
        "rows of the shards have 120 and 240 B, which must be multiples of 16",
    ),
    "reshard of other pages": (
        lambda: reshard(MEMORY, ROWS_ANY_RANK, nd((1, 4, 24), grid(8))),
        "the pages must stay as they are, got 36 of 32 B and 24 of 48 B",
    ),
    "to nowhere at all": (lambda: to_memory_config(MEMORY, X, None), "`memory_config` is None"),
    "by copy to blocks in DRAM": (lambda: to_memory_config(MEMORY, X, DRAM_BLOCK), "block sharding in DRAM is not supported"),
    "to a place without a spec": (lambda: to_memory_config(MEMORY, X, m.L1_WIDTH_SHARDED_MEMORY_CONFIG), "has no shard spec"),
    "a slice of none": (lambda: part(count=0), "`num_slices` must be at least 1, got 0"),
    "a slice past the last": (lambda: part(index=4), "`slice_index` 4 is out of range for 4 slices"),
    "a slice of rows": (lambda: part(WIDE), "must have TILE layout"),
    "slices of a fraction": (lambda: part(count=5), "128 rows .* do not divide into 5 slices"),
    "a slice of padding": (lambda: part(CUT), "has padded rows"),
    "a slice of shards": (lambda: part(S), "the input must be interleaved"),
    "a slice of rank 3": (lambda: i2s_part(MEMORY, THREE, *ON_GRID[:2], 4, 0, *ON_GRID[2:]), "must have rank 4"),
    "into a slice, interleaved": (lambda: s2i_part(MEMORY, X, X, 4, 0), "`input_tensor` must be sharded"),
    "into a slice of another size": (
        lambda: s2i_part(MEMORY, S, X, 4, 0),
        "a slice of .* has 32 rows of 96, `input_tensor` is",
    ),
    "into a slice elsewhere": (
        lambda: s2i_part(MEMORY, S, X, 1, 0, memory_config=L1),
        "`memory_config` and `output_dtype` must be its own",
    ),
}
DEALLOCATED = {
    "interleaved_to_sharded": lambda: i2s(MEMORY, GONE, GOOD),
    "sharded_to_interleaved": lambda: s2i(MEMORY, GONE),
    "reshard": lambda: reshard(MEMORY, GONE, GOOD),
    "to_memory_config": lambda: to_memory_config(MEMORY, GONE, GOOD),
    "interleaved_to_sharded_partial": lambda: part(GONE),
    "sharded_to_interleaved_partial": lambda: s2i_part(MEMORY, S, GONE, 1, 0),
}


@pytest.mark.parametrize("call, text", REFUSED.values(), ids=REFUSED)
def test_refusals(cache, call, text):
    with pytest.raises((tt.ArgumentError, tt.NotModelledError), match=text):
        call()
    assert (cache.entries, cache.misses) == (0, 0)


@pytest.mark.parametrize("call", DEALLOCATED.values(), ids=DEALLOCATED)
def test_deallocated_inputs(call):
    with pytest.raises(tt.DeallocatedError, match="is not allocated"):
        call()
