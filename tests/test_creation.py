"""Tensors made on the device: of one value, of ranges, at random."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from tt_jax.ops import filled, random
from tt_jax.ops.creation import host_typecast

MEMORY = tt.MemoryState.create()
TILE, ROWS = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
DRAM, L1 = tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG
FILLED = [("zeros", 0), ("ones", 1), ("empty", 0)]


def values(tensor):
    return np.asarray(tt.to_array(tensor)).astype(np.float64)


@pytest.mark.parametrize("name, value", FILLED)
def test_defaults_are_bfloat16_rows_in_dram(name, value):
    memory, x = getattr(filled, name)(MEMORY, [3, 5])
    assert x.spec == tt.TensorSpec((3, 5), tt.bfloat16, ROWS, DRAM)
    np.testing.assert_array_equal(values(x), np.full((3, 5), value))
    assert len(memory.live(tt.BufferType.DRAM)) == 1


@pytest.mark.parametrize("name, value", FILLED)
def test_likes_take_what_is_not_said_from_a_tensor(name, value):
    memory, x = tt.from_array(MEMORY, np.ones((3, 40)), dtype=tt.bfloat8_b, memory_config=L1)
    like = getattr(filled, f"{name}_like")
    memory, y = like(memory, x)
    assert y.spec == x.spec and y.buffer != x.buffer
    np.testing.assert_array_equal(values(y), np.full((3, 40), value))
    _, z = like(memory, x, dtype=tt.int32, layout=ROWS, memory_config=DRAM)
    assert z.spec == tt.TensorSpec((3, 40), tt.int32, ROWS, DRAM)


@pytest.mark.parametrize(
    "dtype, value, expected",
    [
        (tt.bfloat16, 1.01171875, 1.015625),  # between two: to even
        (tt.bfloat8_b, -5.3, -5.3125),
        (tt.float32, 0.1, np.float32(0.1)),
        (tt.int32, -2.9, -2),
        (tt.uint32, 3_000_000_000, 3_000_000_000),
    ],
)
def test_a_value_is_rounded_as_the_host_rounds(dtype, value, expected):
    _, x = filled.full(MEMORY, (2, 33), value, dtype, TILE)
    np.testing.assert_array_equal(values(x), np.full((2, 33), expected))
    _, same = tt.from_array(MEMORY, np.full((2, 33), value), dtype=dtype, layout=TILE)
    np.testing.assert_array_equal(values(same), values(x))


def test_an_optional_tensor_is_filled_and_keeps_its_spec():
    memory, x = tt.from_array(MEMORY, np.ones((5, 40)), dtype=tt.bfloat16, layout=TILE, memory_config=L1)
    for call in (
        lambda: filled.full(memory, (5, 40), 2.5, optional_tensor=x),
        lambda: filled.full_like(memory, x, 2.5, tt.float32, optional_tensor=x),
    ):
        after, y = call()
        assert after == memory and (y.spec, y.buffer) == (x.spec, x.buffer)
        np.testing.assert_array_equal(values(y), np.full((5, 40), 2.5))
    assert not values(filled.zeros_like(memory, x, optional_tensor=x)[1]).any()


def test_nothing_is_made_where_nothing_is_computed():
    huge = (2**15, 2**14)
    for operation in (filled.zeros, filled.empty, random.rand):
        x = jax.eval_shape(lambda operation=operation: operation(MEMORY, huge)[1])
        assert x.spec.shape == huge and isinstance(x.array, jax.ShapeDtypeStruct)
    for operation in (filled.zeros, filled.empty, random.rand):
        with pytest.raises(tt.OutOfMemoryError):
            operation(MEMORY, huge, memory_config=L1)


@pytest.mark.parametrize("start, end, step", [(0, 10, 3), (98, 3, -4), (4, 300, 5), (7, 7, 1), (-3, 3, 1)])
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.int32])
def test_arange_is_numpys(start, end, step, dtype):
    _, x = filled.arange(MEMORY, start, end, step, dtype=dtype, layout=TILE)
    expected = np.arange(start, end, step).astype(dtype.carrier)
    np.testing.assert_array_equal(np.asarray(x.array), expected)
    assert x.shape == expected.shape
    assert filled.arange(MEMORY, 6)[1].shape == (6,)


def test_from_buffer_lists_values():
    _, x = filled.from_buffer(MEMORY, [1, 2, 3, 4, 5, 6], (2, 3), tt.bfloat16)
    np.testing.assert_array_equal(values(x), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32])
def test_rand_is_uniform_in_its_range(dtype):
    _, x = random.rand(MEMORY, (128, 130), dtype=dtype, low=-2, high=3, seed=7)
    x = values(x)
    assert x.min() >= -2 and x.max() < 3
    assert abs(x.mean() - 0.5) < 0.05 and abs(x.std() - 5 / np.sqrt(12)) < 0.03
    counts = np.histogram(x, 10, (-2, 3))[0]
    assert np.abs(counts / counts.mean() - 1).max() < 0.12


def test_seeds_decide(cache):
    draws = [values(random.rand(MEMORY, (32, 32), seed=seed)[1]) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).mean() > 0.9
    assert cache.entries == 1


def test_randn_is_normal():
    x = values(random.randn(MEMORY, (128, 128), dtype=tt.float32, seed=3)[1])
    assert abs(x.mean()) < 0.03 and abs(x.std() - 1) < 0.03 and abs((x**3).mean()) < 0.1
    assert random.rand(MEMORY, (8, 8), dtype=tt.int32, low=0, high=9)[1].array.dtype == jnp.int32


def test_uniform_replaces_values_in_place():
    memory, x = tt.from_array(MEMORY, np.zeros((64, 64)), dtype=tt.bfloat16, layout=TILE)
    for call in (
        lambda: random.uniform(memory, x, 2, 4, 5),
        lambda: random.uniform(memory, x, to=4, seed=5, **{"from": 2}),
    ):
        after, y = call()
        assert after == memory and y.buffer == x.buffer
        assert values(y).min() >= 2 and values(y).max() < 4 and abs(values(y).mean() - 3) < 0.05


def test_bernoulli_draws_ones_as_often_as_it_is_told():
    rows = np.repeat([0.0, 0.25, 1.0], 32)[:, None] * np.ones((1, 512))
    memory, x = tt.from_array(MEMORY, rows, dtype=tt.float32, layout=TILE)
    memory, y = random.bernoulli(memory, x, 11)
    assert y.dtype is tt.float32
    means = values(y).reshape(3, -1).mean(1)
    np.testing.assert_allclose(means, [0, 0.25, 1], atol=0.02)
    assert random.bernoulli(memory, x, 11, dtype=tt.bfloat16)[1].dtype is tt.bfloat16
    assert random.bernoulli(memory, x, 11, output=y)[1].buffer == y.buffer


@pytest.mark.parametrize(
    "source, target, given, expected",
    [
        (tt.float32, tt.bfloat16, [1.01171875, -0.3], [1.015625, -0.30078125]),
        (tt.bfloat16, tt.uint8, [-3, 2.75, 300], [0, 2, 255]),
        (tt.float32, tt.uint16, [-3, 2.75, 70000], [0, 2, 65535]),
        (tt.float32, tt.uint32, [-1, 0.5, 5e9], [0, 0, 2**32 - 256]),
        (tt.float32, tt.int32, [-2.75, 2.75, 0.5], [-2, 2, 0]),
        (tt.uint32, tt.float32, [3, 7], [3, 7]),
        (tt.int32, tt.uint8, [300, -1], [44, 255]),
    ],
)
def test_the_host_casts_by_its_own_rules(source, target, given, expected):
    cast = host_typecast(np.asarray(given).astype(source.carrier), source, target)
    assert cast.dtype == target.carrier
    np.testing.assert_array_equal(np.asarray(cast, np.float64), expected)


X = tt.from_array(MEMORY, np.ones((32, 32)), dtype=tt.bfloat16, layout=TILE)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda m, x: filled.zeros(m, (2, -1)), "negative dimension"),
        (lambda m, x: filled.zeros(m, 5), "`shape` must be a sequence"),
        (lambda m, x: filled.zeros(m, (2, 2), tt.bfloat8_b), "TILE, not ROW_MAJOR"),
        (lambda m, x: filled.full(m, (2, 2), [1, 2]), "`fill_value` must be one number"),
        (lambda m, x: filled.full(m, (2, 2), "one"), "`fill_value` must be an array of real numbers"),
        (lambda m, x: filled.full(m, (2, 2), 1, "bfloat16"), "`dtype` must be a DataType"),
        (lambda m, x: filled.full(m, (2, 2), 1, optional_tensor=x), "but shape .*2, 2.* is asked for"),
        (lambda m, x: filled.ones_like(m, 3), "`tensor` must be a Tensor"),
        (lambda m, x: filled.ones(None, (2, 2)), "must be the MemoryState"),
        (lambda m, x: filled.arange(m, 0, 5, 0), "a step of 0 does not lead"),
        (lambda m, x: filled.arange(m, 0, 5, -1), "a step of -1 does not lead from 0 to 5"),
        (lambda m, x: filled.arange(m, 0.5), "must be an integer"),
        (lambda m, x: filled.from_buffer(m, [1, 2], (3,), tt.float32), "2 values, but shape .* takes 3"),
        (lambda m, x: filled.from_buffer(m, [1, 2], (2,), tt.bfloat8_b, TILE), "no elements to list"),
        (lambda m, x: random.rand(m, (2, 2), dtype=tt.uint8), "uint8 is not supported"),
        (lambda m, x: random.rand(m, (2, 2), low=1, high=1), "low must be less than high"),
        (lambda m, x: random.rand(m, (2, 2), low=[1, 2]), "`low` must be one number"),
        (lambda m, x: random.rand(m, (2, 2), seed=-1), "`seed` must be at least 0"),
        (lambda m, x: random.randn(m, (2, 2), dtype=tt.int32), "`dtype` must be a float dtype"),
        (lambda m, x: random.uniform(m, x, 0, 1, memory_config=L1), "works in place"),
        (lambda m, x: random.uniform(m, x, until=3), "no argument until"),
        (lambda m, x: random.bernoulli(m, x, dtype=tt.int32), "must be bfloat16 or float32"),
    ],
)
def test_wrong_input(call, text):
    memory, x = X
    with pytest.raises(tt.ArgumentError, match=text):
        call(memory, x)


def test_an_optional_tensor_must_be_allocated():
    memory, x = X
    with pytest.raises(tt.DeallocatedError, match="`optional_tensor`"):
        filled.full(tt.deallocate(memory, x), (32, 32), 1, optional_tensor=x)
