"""Operations that move values: against NumPy, under `jit`, and what they leave in memory."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import tt_jax as tt
from movement_calls import LAYOUTS, MOVES, SHAPE
from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet
from tt_jax.events import observed_by
from tt_jax.kernels import block_float
from tt_jax.memory import NdShardSpec
from tt_jax.ops import concat, copy, fill, gather, nonzero, pad, permute, repeat, reshape, tilize
from tt_jax.ops import slice as slices

TILE, ROWS = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
KINDS = [(tt.bfloat16, TILE), (tt.float32, ROWS), (tt.int32, TILE)]


def put(memory, array, dtype=None, layout=TILE):
    return tt.from_array(memory, array, dtype=dtype, layout=layout)


def values(tensor):
    return np.asarray(tt.to_array(tensor)).astype(np.float64)


def live(memory):
    return sum(len(memory.live(kind)) for kind in (tt.BufferType.DRAM, tt.BufferType.L1))


@pytest.fixture(scope="module")
def whole():
    """Whole numbers of up to 7 bits: exact in every dtype."""
    return np.random.default_rng(0).integers(0, 127, SHAPE).astype(np.float32)


@pytest.mark.parametrize("name, operation, oracle", MOVES, ids=[name for name, *_ in MOVES])
@pytest.mark.parametrize("dtype, layout", KINDS, ids=[f"{d.kernel_name}-{lay.name}" for d, lay in KINDS])
def test_values_are_numpys_and_nothing_else_stays(whole, name, operation, oracle, dtype, layout):
    if name == "fill_implicit_tile_padding" and layout is ROWS:
        pytest.skip("tiles only")
    memory, x = put(tt.MemoryState.create(), whole, dtype, layout)
    after, y = operation(memory, x)
    expected = oracle(whole, dtype)
    assert (y.dtype, y.layout, y.shape) == (dtype, layout, expected.shape)
    np.testing.assert_array_equal(values(y), expected)
    assert live(after) == (1 if y.buffer == x.buffer else 2)
    if dtype is tt.bfloat16:
        compiled = jax.jit(lambda x: operation(memory, x)[1])(x)
        assert compiled.spec == y.spec
        np.testing.assert_array_equal(values(compiled), expected)
    structs = operation(memory, tt.Tensor(jax.ShapeDtypeStruct(x.shape, dtype.carrier), x.spec, x.buffer))[1]
    assert (structs.spec, structs.array.shape) == (y.spec, expected.shape)


REGROUPED = ["reshape", "permute", "slice", "getitem", "pad", "concat 3", "stack 2", "repeat", "roll"]


@pytest.mark.parametrize("name, operation, oracle", [row for row in MOVES if row[0] in REGROUPED], ids=REGROUPED)
def test_a_block_float_is_packed_anew_by_the_device(rng, name, operation, oracle):
    memory, x = put(tt.MemoryState.create(), rng.standard_normal(SHAPE).astype(np.float32), tt.bfloat8_b)
    after, y = operation(memory, x)
    assert y.dtype is tt.bfloat8_b and live(after) == 2
    moved = oracle(values(x), tt.bfloat8_b)
    groups, packed = (np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, -a.shape[-1] % 16)]) for a in (moved, values(y)))
    groups, packed = groups.reshape(-1, 16), packed.reshape(-1, 16)
    step = 2.0 ** (np.floor(np.log2(np.abs(groups).max(-1, keepdims=True) + 1e-30)) - 6)
    assert (np.abs(packed - groups) <= step).all()  # rounded twice: at most half a step each
    assert np.mean(np.abs(packed - groups) <= step / 2) > 0.99
    assert (packed == np.round(packed / step) * step).all()


@pytest.mark.parametrize("name, operation, tiled", LAYOUTS, ids=[name for name, *_ in LAYOUTS])
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.uint32])
def test_layouts_change_and_values_do_not(whole, name, operation, tiled, dtype):
    memory, x = put(tt.MemoryState.create(), whole, dtype, TILE if tiled else ROWS)
    after, y = operation(memory, x)
    assert (y.layout, y.dtype, live(after)) == (ROWS if tiled else TILE, dtype, 2)
    np.testing.assert_array_equal(values(y), whole)


def test_tilize_casts_and_untilize_widens_block_floats(rng):
    a = rng.standard_normal((64, 96)).astype(np.float32)
    memory, x = put(tt.MemoryState.create(), a, tt.bfloat16, ROWS)
    memory, y = tilize.tilize(memory, x, dtype=tt.bfloat8_b)
    expected = block_float.quantize(jnp.asarray(values(x), jnp.float32), "bfloat8_b", "device")
    np.testing.assert_array_equal(values(y), np.asarray(expected, np.float64))
    memory, z = tilize.untilize_with_unpadding(memory, y, (40, 10))
    assert (z.dtype, z.shape) == (tt.bfloat16, (41, 11))
    np.testing.assert_array_equal(values(z), values(y)[:41, :11])
    _, padding = tilize.untilize_with_unpadding(*put(memory, a[:40, :70], tt.bfloat16), (63, 95))
    assert not values(padding)[40:].any() and not values(padding)[:, 70:].any()


@given(st.data())
def test_getitem_is_numpys(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    bound = st.none() | st.integers(-6, 6)
    entries = [
        data.draw(st.integers(-size, size - 1) | st.builds(slice, bound, bound, st.none() | st.integers(1, 3)))
        for size in shape[: data.draw(st.integers(0, len(shape)))]
    ]
    for extra in data.draw(st.sets(st.sampled_from([None, Ellipsis]))):
        entries.insert(data.draw(st.integers(0, len(entries))), extra)
    a = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    key = tuple(entries)
    try:
        expected = a[key]
    except IndexError:
        return
    memory, x = put(tt.MemoryState.create(), a, layout=ROWS)
    _, y = slices.getitem(memory, x, key)
    np.testing.assert_array_equal(np.asarray(y.array), expected)


@pytest.mark.parametrize("sizes, chunks", [(32, [32, 32, 6]), ([10, 60], [10, 60]), (70, [70])])
def test_split_and_chunk(whole, sizes, chunks):
    memory, x = put(tt.MemoryState.create(), whole, tt.bfloat16)
    after, parts = slices.split(memory, x, sizes, -1)
    assert [part.shape[-1] for part in parts] == chunks
    np.testing.assert_array_equal(np.concatenate([values(part) for part in parts], -1), whole)
    _, parts = slices.chunk(after, x, 3, 2)
    assert [part.shape[2] for part in parts] == [14, 14, 12]


def test_views_share_the_buffer(whole):
    memory, x = put(tt.MemoryState.create(), whole[:1], tt.bfloat16)
    calls = (
        lambda: reshape.squeeze(memory, x, 0),
        lambda: reshape.squeeze(memory, x),
        lambda: reshape.squeeze(memory, x, [0, 1]),
        lambda: reshape.unsqueeze(memory, x, 0),
        lambda: reshape.unsqueeze_to_4D(memory, x),
        lambda: reshape.view(memory, x, (3, 1, 40, 70)),
        lambda: slices.slice(memory, x, (0, 0, 0, 0), x.shape),
        lambda: slices.getitem(memory, x, 0),
        lambda: repeat.repeat(memory, x, (1, 1)),
        lambda: repeat.expand(memory, x, (1, 3, 40, -1)),
        lambda: concat.concat(memory, [x]),
    )
    for call in calls:
        after, y = call()
        assert after == memory and y.buffer == x.buffer
        np.testing.assert_array_equal(values(y).reshape(x.shape), whole[:1])
    assert reshape.squeeze(memory, x)[1].shape == (3, 40, 70)
    assert reshape.squeeze_from_4D(memory, x, 3)[1].shape == (3, 40, 70)


def launched(call):
    """What `call()` gives, and the names of the programs it ran."""
    events = []
    with observed_by(events.append):
        result = call()
    return result, [event.name for event in events if event.launch is not None]


def test_reshapes_of_the_same_matrices_share_a_program(cache):
    shapes = [((2, 4, 32, 64), (8, 64, 32)), ((8, 32, 64), (4, 2, 64, 32)), ((1, 8, 32, 64), (8, 64, 32))]
    for before, after in shapes:
        memory, x = put(tt.MemoryState.create(), np.arange(8 * 32 * 64).reshape(before).astype(np.float32), tt.float32)
        memory, y = reshape.reshape(memory, x, after)
        assert y.shape == after and memory.is_live(y.buffer)
        np.testing.assert_array_equal(values(y), values(x).reshape(after))
    assert (cache.entries, cache.hits) == (1, 2)
    for before, after in (((2, 4, 6), (4, 12)), ((8, 6), (2, 2, 12))):
        memory, x = put(tt.MemoryState.create(), np.zeros(before, np.float32), layout=ROWS)
        reshape.reshape(memory, x, after)
    assert (cache.entries, cache.hits) == (2, 3)


@pytest.mark.parametrize("shape, programs", [((64, 128), 0), ((4096, 2), 1), ((2, 64, 64), 0)])
def test_a_reshaped_block_float_has_its_padding_filled(shape, programs):
    memory, x = put(tt.MemoryState.create(), np.ones((1, 8192), np.float32), tt.bfloat8_b)
    (_, y), names = launched(lambda: reshape.reshape(memory, x, shape))
    assert names == ["typecast", "reshape", *["fill_pad"] * programs, "typecast"]
    np.testing.assert_array_equal(values(y), np.ones(shape))


def test_shards_of_any_rank_are_reshaped_as_they_are():
    cores = CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(1, 0))])
    config = tt.MemoryConfig(tt.BufferType.L1, NdShardSpec((1, 1, 32, 32), cores))
    array = np.arange(2 * 32 * 64, dtype=np.float32).reshape(1, 2, 32, 64)
    memory, x = tt.from_array(tt.MemoryState.create(), array, layout=TILE, memory_config=config)
    _, y = reshape.reshape(memory, x, (1, 4, 32, 32))
    assert y.memory_config == config
    np.testing.assert_array_equal(values(y), array.reshape(y.shape))


def test_tile_padding_is_filled_in_place():
    for dtype, names in ((tt.bfloat16, ["fill_pad"]), (tt.bfloat8_b, ["typecast", "fill_pad", "typecast"])):
        memory, x = put(tt.MemoryState.create(), np.ones((3, 40), np.float32), dtype)
        (after, y), programs = launched(lambda memory=memory, x=x: pad.fill_implicit_tile_padding(memory, x, 0.0))
        assert programs == names
        assert (y.buffer == x.buffer) == (dtype is tt.bfloat16)
        assert live(after) == 1 + (y.buffer != x.buffer)
        elsewhere = pad.fill_implicit_tile_padding(memory, x, 0.0, tt.L1_MEMORY_CONFIG)[1]
        assert elsewhere.memory_config == tt.L1_MEMORY_CONFIG


def test_a_tensor_of_another_layout_is_tilized_for_concat(whole):
    memory, x = put(tt.MemoryState.create(), whole, tt.bfloat16)
    memory, y = put(memory, whole, tt.bfloat16, ROWS)
    after, z = concat.concat(memory, [y, x], 0)
    assert (z.layout, live(after)) == (TILE, 3)
    np.testing.assert_array_equal(values(z), np.concatenate([whole, whole]))


def test_a_permute_that_names_a_dimension_twice_has_no_values(whole):
    memory, x = put(tt.MemoryState.create(), whole, tt.bfloat16)
    _, y = permute.permute(memory, x, (0, 1, 1, 3))
    assert y.shape == (2, 3, 3, 70) and np.isnan(values(y)).all()


def test_an_ascending_slice_with_a_step_below_zero_is_empty(whole):
    _, y = slices.slice(*put(tt.MemoryState.create(), whole, tt.bfloat16), [0] * 4, SHAPE, [1, 1, -1, 1])
    assert y.shape == (2, 3, 0, 70)


def test_slice_reads_its_ends_from_tensors(whole):
    memory, x = put(tt.MemoryState.create(), whole, tt.float32, ROWS)
    memory, starts = put(memory, np.array([0, 1, 2, 3], np.uint32), layout=ROWS)
    memory, ends = put(memory, np.array([1, 3, 9, 70], np.uint32), layout=ROWS)
    np.testing.assert_array_equal(values(slices.slice(memory, x, starts, ends)[1]), whole[:1, 1:, 2:9, 3:])


def test_slice_takes_one_of_equal_parts(whole):
    memory, x = put(tt.MemoryState.create(), whole, tt.float32)
    half = (*whole.shape[:-1], whole.shape[-1] // 2)
    memory, start = put(memory, np.zeros(len(half), np.int32), tt.int32, ROWS)
    memory, end = put(memory, np.array(half, np.int32), tt.int32, ROWS)
    memory, y = slices.slice(memory, x, start, end, slice_dim=-1, num_devices=2)
    np.testing.assert_array_equal(values(y), whole[..., : half[-1]])
    with pytest.raises(tt.ArgumentError, match="not one of 3 parts"):
        slices.slice(memory, x, start, end, slice_dim=-1, num_devices=3)


CORES = tt.CoreRangeSet([tt.CoreRange(tt.CoreCoord(0, 0), tt.CoreCoord(3, 1))])
SHARDS = [
    (tt.TensorMemoryLayout.HEIGHT_SHARDED, (64, 32)),  # scaled: twice the rows, half the columns
    (tt.TensorMemoryLayout.WIDTH_SHARDED, (512, 32)),  # 32 columns cannot be less than a tile each
    (tt.TensorMemoryLayout.BLOCK_SHARDED, (256, 32)),
]


@pytest.mark.parametrize("layout, shard", SHARDS, ids=[layout.name for layout, _ in SHARDS])
def test_a_config_without_shards_takes_those_of_the_input(rng, layout, shard):
    a = rng.integers(0, 99, (2, 4, 32, 64)).astype(np.float32)
    before = tt.MemoryConfig(
        tt.TensorMemoryLayout.HEIGHT_SHARDED, tt.BufferType.L1, tt.ShardSpec(CORES, (32, 64), tt.ShardOrientation.ROW_MAJOR)
    )
    memory, x = tt.from_array(tt.MemoryState.create(), a, dtype=tt.bfloat16, layout=TILE, memory_config=before)
    bare = tt.MemoryConfig(layout, tt.BufferType.L1)
    for operation in (
        lambda m: permute.transpose(m, x, 2, 3, memory_config=bare),
        lambda m: permute.permute(m, x, (0, 1, 3, 2), memory_config=bare),
    ):
        _, y = operation(memory)
        assert (y.memory_config.memory_layout, y.memory_config.shard_spec.shape) == (layout, shard)
        np.testing.assert_array_equal(values(y), a.swapaxes(2, 3))
    memory, interleaved = tt.from_array(memory, a, dtype=tt.bfloat16, layout=TILE)
    with pytest.raises(tt.ArgumentError, match="no shard spec"):
        permute.transpose(memory, interleaved, 2, 3, memory_config=bare)


@pytest.mark.parametrize("dim", range(-1, 3))
def test_gather_and_scatter_undo_each_other(rng, dim):
    a = rng.standard_normal((3, 40, 70)).astype(np.float32)
    order = np.argsort(rng.random(a.shape), dim)
    memory, x = put(tt.MemoryState.create(), a)
    memory, index = put(memory, order.astype(np.uint32), tt.uint32)
    after, picked = gather.gather(memory, x, dim, index)
    assert live(after) == 3
    np.testing.assert_array_equal(values(picked), np.take_along_axis(a, order, dim))
    after, back = gather.scatter(after, x, dim, index, picked)
    assert live(after) == 4
    np.testing.assert_array_equal(values(back), a)


@pytest.mark.parametrize(
    "reduce, function", [("add", np.add), ("multiply", np.multiply), ("amin", np.minimum), ("amax", np.maximum)]
)
@pytest.mark.parametrize("dtype, layout", [(tt.bfloat16, TILE), (tt.int32, ROWS)])
def test_scatter_reduces_what_meets(rng, reduce, function, dtype, layout):
    a, source = (rng.integers(1, 3, shape).astype(np.float32) for shape in ((4, 10), (5, 9)))
    places = rng.integers(0, 10, (3, 8))
    memory, x = put(tt.MemoryState.create(), a, dtype, layout)
    memory, index = put(memory, places.astype(np.int32), tt.int32, layout)
    memory, src = put(memory, source, dtype, layout)
    after, y = gather.scatter(memory, x, 1, index, src, reduce=reduce)
    expected = a.copy()
    function.at(expected, (np.arange(3)[:, None], places), source[:3, :8])
    np.testing.assert_array_equal(values(y), expected)
    assert live(after) == 4
    if reduce == "add":
        np.testing.assert_array_equal(values(gather.scatter_add(memory, x, 1, index, src)[1]), expected)


def test_an_index_out_of_range_reads_nan():
    memory, x = put(tt.MemoryState.create(), np.ones((2, 4), np.float32))
    memory, index = put(memory, np.array([[0, 4], [9, 3]], np.uint32))
    np.testing.assert_array_equal(values(gather.gather(memory, x, 1, index)[1]), [[1, np.nan], [np.nan, 1]])


@pytest.mark.parametrize("dim", range(-1, 3))
def test_index_fill_and_indexed_fill(rng, dim):
    a = rng.standard_normal((6, 7, 8)).astype(np.float32)
    memory, x = put(tt.MemoryState.create(), a, layout=ROWS)
    memory, index = put(memory, np.array([4, 1], np.int32), layout=ROWS)
    expected = np.moveaxis(a.copy(), dim, 0)
    expected[[4, 1]] = 2.5
    np.testing.assert_array_equal(values(fill.index_fill(memory, x, dim, index, 2.5)[1]), np.moveaxis(expected, 0, dim))
    ids = np.array([5, 0, 5], np.uint32)
    b = rng.standard_normal([3 if d == dim % 3 else size for d, size in enumerate(a.shape)]).astype(np.float32)
    memory, batch = put(memory, ids.reshape(1, 1, 1, 3), layout=ROWS)
    memory, y = put(memory, b, layout=ROWS)
    expected = np.moveaxis(a.copy(), dim, 0)
    for k, i in enumerate(ids):
        expected[i] = np.moveaxis(b, dim, 0)[k]
    _, z = fill.indexed_fill(memory, batch, x, y, dim=dim)
    np.testing.assert_array_equal(values(z), np.moveaxis(expected, 0, dim))


def test_nonzero_counts_and_lists(rng):
    a = rng.integers(0, 2, (2, 3, 5)).astype(np.float32)
    memory, x = put(tt.MemoryState.create(), a, tt.bfloat16)
    _, [count, places] = nonzero.nonzero(memory, x)
    expected = np.argwhere(a[None])
    assert count.shape == (1, 1, 1, 8) and places.shape == (1, 1, 1, 4 * a.size)
    assert int(count.array[0, 0, 0, 0]) == len(expected)
    np.testing.assert_array_equal(np.asarray(places.array).reshape(-1, 4)[: len(expected)], expected)


def test_copies_into_tensors_keep_the_buffer(whole):
    memory, x = put(tt.MemoryState.create(), whole, tt.bfloat16)
    memory, y = put(memory, np.zeros(SHAPE, np.float32), tt.bfloat8_b)
    for call in (
        lambda: copy.copy(memory, x, y),
        lambda: copy.assign(memory, x, y),
        lambda: copy.assign(memory, x, memory_config=tt.DRAM_MEMORY_CONFIG, dtype=tt.bfloat8_b, output_tensor=y),
        lambda: tt.typecast(memory, x, tt.bfloat16, tt.bfloat8_b, output_tensor=y),
    ):
        after, z = call()
        assert after == memory and (z.buffer, z.spec) == (y.buffer, y.spec)
        np.testing.assert_allclose(values(z), whole, rtol=2.0**-6, atol=1)
    after, cloned = copy.clone(memory, x, dtype=tt.float32)
    assert cloned.dtype is tt.float32 and live(after) == 3


def test_outputs_take_the_buffer_that_is_given(whole):
    memory, x = put(tt.MemoryState.create(), whole, tt.bfloat16)
    memory, part = put(memory, np.zeros((2, 3, 10, 70), np.float32), tt.bfloat16)
    after, y = slices.slice(memory, x, (0, 0, 5, 0), (2, 3, 15, 70), output_tensor=part)
    assert y.buffer == part.buffer and live(after) == 2
    np.testing.assert_array_equal(values(y), whole[:, :, 5:15])
    memory, pair = put(memory, np.zeros((2, 3, 80, 70), np.float32), tt.bfloat16)
    after, y = concat.concat(memory, [x, x], 2, output_tensor=pair)
    assert y.buffer == pair.buffer and live(after) == 3
    np.testing.assert_array_equal(values(y), np.concatenate([whole, whole], 2))


def test_move_frees_and_allocates_again(whole):
    memory, first = put(tt.MemoryState.create(), whole, tt.bfloat16)
    memory, x = put(memory, whole, tt.bfloat16)
    memory, y = copy.move(tt.deallocate(memory, first), x)
    assert y.address == first.address and live(memory) == 1
    np.testing.assert_array_equal(values(y), whole)


def test_plus_one_counts_in_place():
    memory, x = put(tt.MemoryState.create(), np.array([3, -1, 2**31 - 1], np.int32), layout=ROWS)
    after, y = fill.plus_one(memory, x, skip_negative_entries=True)
    assert after == memory and y.buffer == x.buffer
    np.testing.assert_array_equal(np.asarray(y.array), [4, -1, -(2**31)])
    np.testing.assert_array_equal(np.asarray(fill.plus_one(memory, x)[1].array)[:2], [4, 0])


def test_fill_rm_fills_a_corner():
    memory, x = put(tt.MemoryState.create(), np.ones((1, 1)), tt.bfloat16)
    _, y = fill.fill_rm(memory, 2, 1, 32, 64, 3, 5, x, 1.5, -2)
    expected = np.full((2, 1, 32, 64), -2.0)
    expected[..., :3, :5] = 1.5
    np.testing.assert_array_equal(values(y), expected)
    assert y.layout is ROWS
    assert values(fill.fill_ones_rm(memory, 2, 1, 32, 64, 3, 5, x)[1]).sum() == 30


@pytest.mark.parametrize("name, operation, oracle", [row for row in MOVES if row[0] in ("slice", "concat 3", "pad", "repeat")])
def test_gradients_flow_back_to_where_values_came_from(name, operation, oracle):
    memory, x = put(tt.MemoryState.create(), np.ones(SHAPE, np.float32), tt.float32)

    def total(array):
        return tt.to_array(operation(memory, tt.Tensor(array, x.spec, x.buffer))[1]).sum()

    gradient = np.asarray(jax.grad(total)(x.array))
    names = np.arange(gradient.size, dtype=np.float64).reshape(SHAPE) + 1
    times = np.bincount(oracle(names, tt.float32).astype(int).reshape(-1), minlength=gradient.size + 1)[1:].reshape(SHAPE)
    if name == "pad":
        times = np.ones(SHAPE)  # its value, 1.5, reads as a name
    np.testing.assert_array_equal(gradient, times)
