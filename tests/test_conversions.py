"""Arrays on to the device, casts on it, and states and tensors through pickle."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt


def put(x, dtype=None, layout=tt.TILE_LAYOUT):
    return tt.from_array(tt.MemoryState.create(), x, dtype=dtype, layout=layout)


def cast(x, dtype):
    memory, x = x
    return np.asarray(tt.to_array(tt.typecast(memory, x, dtype)[1]))


def test_64_bit_arrays_are_not_cut_to_32_bits_first():
    whole = np.array([3_000_000_000, -(2**40), 7])
    np.testing.assert_array_equal(tt.to_array(put(whole, tt.float32)[1]), whole.astype(np.float32))
    np.testing.assert_array_equal(tt.to_array(put(np.array([2**33 + 5], np.uint64), tt.float32)[1]), np.float32([2**33]))
    np.testing.assert_array_equal(tt.to_array(put(np.array([3_000_000_000]))[1]), np.array([3_000_000_000], np.uint32))
    np.testing.assert_array_equal(tt.to_array(put(np.array([0.1]), tt.float32)[1]), np.float32([0.1]))


@pytest.mark.parametrize("value, expected", [([1.0, 2.0], np.float32), ([1, 2], np.int32), (3.5, np.float32)])
def test_lists_and_numbers_are_arrays_of_32_bits(value, expected):
    array = tt.to_array(put(value, layout=tt.ROW_MAJOR_LAYOUT)[1])
    assert array.dtype == expected
    np.testing.assert_array_equal(array, value)


@pytest.mark.parametrize("value", [jnp.ones(3, jnp.complex64) * 1j, np.ones(3, np.complex64), "abc", object()])
def test_what_is_no_real_array_is_refused(value):
    with pytest.raises(tt.ArgumentError, match="`array` must be an array of real numbers"):
        put(value, tt.float32)


def test_an_integer_is_cast_to_bfloat8_b_with_one_rounding():
    x = np.zeros((1, 32), np.int32)
    x[0, :2] = 507, 1000
    np.testing.assert_array_equal(cast(put(x), tt.bfloat8_b), cast(put(x.astype(np.float32)), tt.bfloat8_b))
    assert cast(put(x), tt.bfloat8_b)[0, 0] == 504


@pytest.mark.parametrize(
    "source, dtype, values, expected",
    [
        (tt.float32, tt.uint16, [2.75, 0.5, -3.0, 70000.0], [3, 1, 0, 65535]),
        (tt.bfloat8_b, tt.uint16, [2.75, 0.5, -3.0, 1.0], [2, 0, 0, 1]),
        (tt.float32, tt.int32, [2.75, -2.75, 0.5, -1.0], [2, -2, 0, -1]),
        (tt.float32, tt.uint32, [2.75, -2.75, 3e9, 0.0], [2, 0, 3_000_000_000, 0]),
        (tt.float32, tt.uint8, [2.75, 300.0, 255.0, 0.0], [2, 44, 255, 0]),
    ],
)
def test_floats_become_integers_by_the_rules_of_their_kind(source, dtype, values, expected):
    x = np.zeros((1, 32), np.float32)
    x[0, :4] = values
    np.testing.assert_array_equal(cast(put(x, source), dtype)[0, :4], expected)


@pytest.mark.parametrize("number", [2, 2.0, np.int64(2), np.float64(2.0), jnp.int32(2)])
def test_every_kind_of_number_adds_to_an_integer_tensor(number):
    memory, x = put(np.arange(32, dtype=np.int32)[None])
    np.testing.assert_array_equal(tt.to_array(tt.add(memory, x, number)[1])[0], np.arange(32) + 2)


def test_a_traced_number_adds_to_a_tensor():
    memory, x = put(np.ones((32, 32), np.float32), tt.bfloat16)
    y = jax.jit(lambda number: tt.to_array(tt.multiply(memory, x, number)[1]))(jnp.float32(1.5))
    np.testing.assert_array_equal(np.asarray(y, np.float32), np.full((32, 32), 1.5))


def test_states_and_specs_survive_pickling():
    memory, x = put(np.ones((32, 32), np.float32), tt.bfloat16)
    for value in (memory, x.spec):
        data = pickle.dumps(value)
        assert b"_hash" not in data
        assert pickle.loads(data) == value
        assert hash(pickle.loads(data)) == hash(value)
