"""Operations of two operands: values against float64 NumPy, dtypes, layouts and placement, numbers, in place, gradients."""

import functools
import inspect
import math

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import tt_jax as tt
from patterns import assert_same_bits
from recordings import DEVICE, values
from tt_jax.activations import UnaryOpType, UnaryWithParam
from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet
from tt_jax.ops import bcast, binary, binary_parametric, bitwise, comparison, logical

TILE, ROW_MAJOR = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
FLOATS = [tt.bfloat16, tt.float32, tt.bfloat8_b]
SHAPE = (2, 33, 40)
erf = np.vectorize(math.erf)


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def with_zero_bases(x, y):
    return np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1.0, y)))


WIDE, POSITIVE, SMALL = (-30, 30), (0.5, 20), (-4, 4)
# name: function, what it is in float64, the ranges of both operands.
FUNCTIONS = {
    "divide": (binary.divide, np.divide, WIDE, POSITIVE),
    "ldexp": (binary.ldexp, lambda a, b: a * 2.0**b, WIDE, SMALL),
    "logaddexp": (binary.logaddexp, np.logaddexp, WIDE, WIDE),
    "logaddexp2": (binary.logaddexp2, np.logaddexp2, WIDE, WIDE),
    "xlogy": (binary.xlogy, with_zero_bases, WIDE, (1.5, 20)),
    "hypot": (binary.hypot, np.hypot, WIDE, WIDE),
    "atan2": (binary.atan2, np.arctan2, WIDE, WIDE),
    "maximum": (binary.maximum, np.maximum, WIDE, WIDE),
    "minimum": (binary.minimum, np.minimum, WIDE, WIDE),
    "remainder": (binary.remainder, np.mod, WIDE, POSITIVE),
    "fmod": (binary.fmod, np.fmod, WIDE, POSITIVE),
    "div_no_nan": (binary.div_no_nan, np.divide, WIDE, POSITIVE),
    "pow": (binary_parametric.pow, np.power, POSITIVE, (-2, 2)),
}


def drawn(rng, bounds, shape=SHAPE):
    return rng.uniform(*bounds, shape).astype(np.float32)


def tensors(*arrays, memory=None, layout=TILE, **options):
    memory = memory or tt.MemoryState.create(tt.N150)
    made = []
    for array in arrays:
        memory, x = tt.from_array(memory, array, layout=layout, **options)
        made.append(x)
    return memory, *made


def wide(x):
    return np.asarray(x.array, np.float64)


def error(y, exact):
    """The relative Frobenius error and the ratio of the means of the magnitudes."""
    return np.linalg.norm(y - exact) / np.linalg.norm(exact), np.abs(y).mean() / np.abs(exact).mean()


# By dtype: bounds of the relative Frobenius error and of the ratio of means. The packer's double rounding to bfloat8_b,
# both times away from zero at ties, makes numbers larger by half a percent.
BOUNDS = {tt.bfloat16: (2.4e-3, 1e-3), tt.float32: (1e-6, 1e-6), tt.bfloat8_b: (1.5e-2, 9e-3)}


def assert_close(y, exact, slack=1.0):
    relative, ratio = error(wide(y), exact)
    bound, bias = BOUNDS[y.dtype]
    assert relative < bound * slack
    assert abs(ratio - 1) < bias * slack
    if y.dtype is tt.bfloat8_b:  # at most a step of the largest of 16
        groups = np.pad(np.abs(exact), [(0, 0)] * (exact.ndim - 1) + [(0, -exact.shape[-1] % 16)])
        step = np.repeat(groups.reshape(*groups.shape[:-1], -1, 16).max(-1), 16, axis=-1)[..., : exact.shape[-1]] / 64
        assert (np.abs(wide(y) - exact) <= step * slack).all()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_equal_float64_up_to_one_rounding(rng, name, dtype):
    function, exact, *bounds = FUNCTIONS[name]
    memory, a, b = tensors(*(drawn(rng, each) for each in bounds), dtype=dtype)
    _, y = function(memory, a, b)
    assert (y.dtype, y.shape, y.layout) == (dtype, SHAPE, TILE)
    expected = exact(wide(a), wide(b))
    step = {"bfloat16": 2**-7.99, "float32": 2e-6}.get(dtype.kernel_name)
    if step:
        np.testing.assert_allclose(wide(y), expected, rtol=step, atol=2e-6)
    assert_close(y, expected)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (binary.add, lambda a, b: a + b),
        (binary.subtract, lambda a, b: a - b),
        (binary.rsub, lambda a, b: b - a),
        (binary.multiply, lambda a, b: a * b),
        (binary.squared_difference, lambda a, b: (a - b) ** 2),
        (binary.bias_gelu, lambda a, b: gelu(a + b)),
        (functools.partial(binary_parametric.addalpha, alpha=0.7), lambda a, b: a + 0.7 * b),
        (functools.partial(binary_parametric.subalpha, alpha=0.7), lambda a, b: a - 0.7 * b),
    ],
)
def test_sums_and_products_equal_float64_up_to_the_roundings_of_the_fpu(rng, function, exact, dtype):
    memory, a, b = tensors(drawn(rng, SMALL), drawn(rng, SMALL), dtype=dtype)
    _, y = function(memory, a, b)
    assert_close(y, exact(wide(a), wide(b)), slack=3.0)  # a square has twice the error, and gelu may be steep


@pytest.mark.parametrize("data", ["rand", "ties"])
def test_division_equals_the_device(data):
    recorded = np.load(DEVICE / "binary.npz")
    memory, x, y = tensors(*(recorded[f"{data}_{name}"].view(ml_dtypes.bfloat16) for name in "xy"))
    np.testing.assert_array_equal(values(binary.divide(memory, x, y)[1].array), values(recorded[f"{data}_div"]))


def test_fast_division_is_a_product_with_the_reciprocal(rng):
    memory, a, b = tensors(drawn(rng, WIDE), drawn(rng, POSITIVE), dtype=tt.bfloat16)
    _, y = binary.divide(memory, a, b, fast_and_approximate_mode=True)
    relative, ratio = error(wide(y), wide(a) / wide(b))
    assert 1e-3 < relative < 5e-3
    assert abs(ratio - 1) < 2e-3


@pytest.mark.parametrize("mode", ["floor", "trunc"])
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.int32], ids=str)
def test_rounded_division(rng, mode, dtype):
    a = rng.integers(-90, 90, SHAPE)
    b = rng.integers(1, 9, SHAPE) * rng.choice([-1, 1], SHAPE)
    memory, x, y = tensors(a.astype(dtype.carrier), b.astype(dtype.carrier), dtype=dtype)
    _, z = binary.divide(memory, x, y, rounding_mode=mode)
    assert z.dtype is dtype
    np.testing.assert_array_equal(wide(z), getattr(np, mode)(a / b))


COMPARISONS = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
LOGICAL = {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}


@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.int32, tt.uint16], ids=str)
@pytest.mark.parametrize("name", [*COMPARISONS, *LOGICAL])
def test_comparisons_give_zero_and_one_in_the_dtype_of_the_first(rng, name, dtype):
    module, exact = (comparison, COMPARISONS[name]) if name in COMPARISONS else (logical, LOGICAL[name])
    a, b = (rng.integers(0 if dtype.name.startswith("U") else -2, 3, SHAPE).astype(dtype.carrier) for _ in "ab")
    memory, x, y = tensors(a, b, dtype=dtype)
    _, z = getattr(module, name)(memory, x, y)
    assert z.dtype is dtype
    np.testing.assert_array_equal(wide(z), exact(a, b))
    _, z = getattr(module, name)(memory, x, 1)
    np.testing.assert_array_equal(wide(z), exact(a, 1))
    after, z = getattr(module, f"{name}_")(memory, x, y)
    assert (z.buffer, after) == (x.buffer, memory)
    np.testing.assert_array_equal(wide(z), exact(a, b))


def test_comparisons_of_bfloat16_numbers_of_all_sizes(rng):
    """From 2**-100 on: the difference of smaller ones, on which the FPU compares, may vanish."""
    a = rng.integers(27 << 7, 254 << 7, 4096)
    b = np.where(rng.random(4096) < 0.5, a + rng.integers(-2, 3, 4096), rng.integers(27 << 7, 254 << 7, 4096))
    x, y = ((bits | rng.integers(0, 2, 4096) << 15).astype(np.uint16).view(ml_dtypes.bfloat16) for bits in (a, b))
    memory, p, q = tensors(x, y)
    for name, exact in COMPARISONS.items():
        _, z = getattr(comparison, name)(memory, p, q)
        np.testing.assert_array_equal(wide(z), exact(x.astype(float), y.astype(float)))


def bits_of(x, dtype):
    return x.astype(np.int64) & (2 ** (8 * dtype.carrier.itemsize) - 1)


def modulo(exact, dtype):
    """Python's integers as the bits of `dtype`."""
    return np.vectorize(lambda v: v % 2 ** (8 * dtype.carrier.itemsize), otypes=[np.int64])(exact)


@pytest.mark.parametrize("dtype", [tt.int32, tt.uint32, tt.uint16], ids=str)
def test_integers_are_exact_modulo_their_width(rng, dtype):
    limits = np.iinfo(dtype.carrier)
    a, b = (rng.integers(limits.min, limits.max, SHAPE, endpoint=True).astype(dtype.carrier) for _ in "ab")
    memory, x, y = tensors(a, b, dtype=dtype)
    p, q = a.astype(object), b.astype(object)
    for function, exact in {
        binary.add: p + q,
        binary.subtract: p - q,
        binary.rsub: q - p,
        binary.multiply: p * q,
        binary.squared_difference: (p - q) ** 2,
        bitwise.bitwise_and: p & q,
        bitwise.bitwise_or: p | q,
        bitwise.bitwise_xor: p ^ q,
    }.items():
        z = np.asarray(function(memory, x, y)[1].array)
        np.testing.assert_array_equal(bits_of(z, dtype), modulo(exact, dtype))


@pytest.mark.parametrize("dtype", [tt.int32, tt.uint32, tt.uint16], ids=str)
def test_shifts(rng, dtype):
    width = 8 * dtype.carrier.itemsize
    limits = np.iinfo(dtype.carrier)
    a = rng.integers(limits.min, limits.max, SHAPE, endpoint=True).astype(dtype.carrier)
    b = rng.integers(0, width, SHAPE).astype(dtype.carrier)
    memory, x, y = tensors(a, b, dtype=dtype)
    p, q = a.astype(object), b.astype(object)
    cases = {bitwise.bitwise_left_shift: p << q, bitwise.bitwise_right_shift: p >> q, bitwise.logical_left_shift: p << q}
    if width == 32:
        cases[bitwise.logical_right_shift] = np.vectorize(lambda v, s: (v % 2**32) >> s, otypes=[object])(p, q)
    for function, exact in cases.items():
        z = np.asarray(function(memory, x, y)[1].array)
        np.testing.assert_array_equal(bits_of(z, dtype), modulo(exact, dtype))


def test_shifts_beyond_the_width():
    memory, x, y = tensors(*(np.array([v], np.int32) for v in (-5, 32)), dtype=tt.int32)
    found = [int(f(memory, x, y)[1].array[0]) for f in (bitwise.bitwise_left_shift, bitwise.bitwise_right_shift)]
    assert found == [0, -1]


WHOLE = {"gcd": np.gcd, "lcm": np.lcm, "fmod": np.fmod, "remainder": np.mod}


@pytest.mark.parametrize("name", WHOLE)
def test_functions_of_whole_numbers(rng, name):
    a, b = rng.integers(-999, 999, SHAPE), rng.integers(1, 99, SHAPE) * rng.choice([-1, 1], SHAPE)
    memory, x, y = tensors(a.astype(np.int32), b.astype(np.int32), dtype=tt.int32)
    np.testing.assert_array_equal(wide(getattr(binary, name)(memory, x, y)[1]), WHOLE[name](a, b))


def test_division_by_the_integer_zero_is_no_crash():
    memory, x, y = tensors(np.array([7, -7], np.int32), np.zeros(2, np.int32), dtype=tt.int32)
    assert wide(binary.divide(memory, x, y)[1]).tolist() == [np.inf, -np.inf]
    assert wide(binary.divide(memory, x, y, rounding_mode="floor")[1]).tolist() == [-1, -1]
    assert wide(binary.remainder(memory, x, y)[1]).tolist() == [7, -7]


def test_isclose(rng):
    a = np.array([1, 1, 1, 0, np.inf, np.nan, np.inf, -3], np.float32)
    b = np.array([1, 1.0009, 1.002, 1e-9, np.inf, np.nan, 5, -3.002], np.float32)
    memory, x, y = tensors(a, b, dtype=tt.float32)
    for equal_nan in (False, True):
        _, z = binary_parametric.isclose(memory, x, y, rtol=1e-3, equal_nan=equal_nan)
        np.testing.assert_array_equal(wide(z), np.isclose(a.astype(float), b.astype(float), rtol=1e-3, equal_nan=equal_nan))
    memory, i, j = tensors(np.array([5, 6], np.int32), np.array([5, 9], np.int32), memory=memory, dtype=tt.int32)
    assert wide(binary_parametric.isclose(memory, i, j)[1]).tolist() == [1, 0]


@pytest.mark.parametrize(
    "function, a, b, expected",
    [
        (binary.add, 2.5, "x", lambda x: 2.5 + x),
        (binary.subtract, 2.5, "x", lambda x: 2.5 - x),
        (binary.subtract, "x", 2.5, lambda x: x - 2.5),
        (binary.rsub, "x", 2.5, lambda x: 2.5 - x),
        (binary.multiply, 2.5, "x", lambda x: 2.5 * x),
        (binary.divide, 2.5, "x", lambda x: 2.5 / x),
        (binary.divide, "x", 2.5, lambda x: x / 2.5),
        (binary.maximum, "x", 2.5, lambda x: np.maximum(x, 2.5)),
        (binary_parametric.pow, "x", 2.5, lambda x: x**2.5),
        (binary_parametric.pow, "x", 3, lambda x: x**3),
        (binary_parametric.pow, 2.5, "x", lambda x: 2.5**x),
        (comparison.gt, 2.5, "x", lambda x: 2.5 > x),
        (binary_parametric.prelu, "x", 0.25, lambda x: np.where(x < 0, x / 4, x)),
        (binary_parametric.prelu, "x", [0.25], lambda x: np.where(x < 0, x / 4, x)),
    ],
)
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32], ids=str)
def test_a_number_may_stand_for_a_tensor(rng, function, a, b, expected, dtype):
    memory, x = tensors(drawn(rng, (0.5, 4)), dtype=dtype)
    _, y = function(memory, *(x if each == "x" else each for each in (a, b)))
    assert y.dtype is dtype
    np.testing.assert_allclose(wide(y), expected(wide(x)), rtol=2**-7.9 if dtype is tt.bfloat16 else 2e-6)


def test_numbers_beside_bfloat16_are_rounded_to_it(rng):
    memory, x = tensors(drawn(rng, SMALL), dtype=tt.bfloat16)
    third = np.float32(ml_dtypes.bfloat16(1 / 3))
    assert_same_bits(binary.multiply(memory, x, 1 / 3)[1].array, binary.multiply(memory, x, float(third))[1].array)


@pytest.mark.parametrize("number", [np.float32(0.5), np.array(0.5), jnp.float32(0.5), 1e39, -1e39, float("inf")])
def test_numbers_of_other_types(rng, number):
    value = float(number)
    expected = math.copysign(math.inf, value) if abs(value) > 3.5e38 else value
    memory, x = tensors(drawn(rng, POSITIVE), dtype=tt.float32)
    np.testing.assert_array_equal(wide(binary.multiply(memory, x, number)[1]), wide(x) * expected)


MIXES = [(tt.bfloat16, tt.float32), (tt.float32, tt.bfloat16), (tt.bfloat8_b, tt.bfloat16), (tt.float32, tt.bfloat8_b)]


@pytest.mark.parametrize("dtypes", MIXES, ids=str)
@pytest.mark.parametrize("function, exact", [(binary.add, np.add), (binary.multiply, np.multiply), (binary.divide, np.divide)])
def test_mixed_floats_give_the_dtype_of_the_first(rng, function, exact, dtypes):
    memory, a = tensors(drawn(rng, POSITIVE), dtype=dtypes[0])
    memory, b = tensors(drawn(rng, POSITIVE), memory=memory, dtype=dtypes[1])
    _, y = function(memory, a, b)
    assert y.dtype is dtypes[0]
    if y.dtype is tt.float32:  # the FPU cuts float32 operands to TF32
        relative, ratio = error(wide(y), exact(wide(a), wide(b)))
        assert relative < 1e-3 and abs(ratio - 1) < 1e-3
    else:
        assert_close(y, exact(wide(a), wide(b)))


@pytest.mark.parametrize("whole", [tt.int32, tt.uint32], ids=str)
@pytest.mark.parametrize("function, exact", [(binary.multiply, np.multiply), (binary.divide, np.divide)])
def test_integers_beside_floats_become_floats(rng, function, exact, whole):
    memory, a = tensors(rng.integers(1, 99, SHAPE).astype(whole.carrier), dtype=whole)
    memory, b = tensors(drawn(rng, POSITIVE), memory=memory, dtype=tt.bfloat16)
    for x, y in ((a, b), (b, a)):
        after, z = function(memory, x, y)
        assert z.dtype is tt.bfloat16
        assert len(after.live(tt.BufferType.DRAM)) == len(memory.live(tt.BufferType.DRAM)) + 1
        np.testing.assert_allclose(wide(z), exact(wide(x), wide(y)), rtol=2**-7.99)
    _, z = function(memory, a, 2.5)
    assert z.dtype is tt.float32
    np.testing.assert_allclose(wide(z), exact(wide(a), 2.5), rtol=1e-6)


def test_an_integer_tensor_in_place_of_a_float_one(rng):
    memory, a = tensors(drawn(rng, POSITIVE), dtype=tt.bfloat16)
    memory, b = tensors(rng.integers(1, 99, SHAPE).astype(np.int32), memory=memory, dtype=tt.int32)
    after, y = binary.multiply_(memory, a, b)
    assert (after, y.buffer) == (memory, a.buffer)
    np.testing.assert_allclose(wide(y), wide(a) * wide(b), rtol=2**-7.99)


def test_int32_by_int32_gives_float32(rng):
    memory, a, b = tensors(*(rng.integers(1, 99, SHAPE).astype(np.int32) for _ in "ab"), dtype=tt.int32)
    _, y = binary.divide(memory, a, b)
    assert y.dtype is tt.float32
    np.testing.assert_allclose(wide(y), wide(a) / wide(b), rtol=1e-6)


@pytest.mark.parametrize(
    "shapes", [((33, 40), (1, 40)), ((33, 1), (1, 40)), ((40,), (2, 33, 40)), ((2, 1, 40), (33, 1)), ((), (33, 40))]
)
def test_shapes_broadcast_as_in_numpy(rng, shapes):
    memory, a, b = tensors(*(drawn(rng, POSITIVE, shape) for shape in shapes), dtype=tt.float32)
    for function, exact in ((binary.add, np.add), (comparison.lt, np.less)):
        _, y = function(memory, a, b)
        np.testing.assert_allclose(wide(y), exact(wide(a), wide(b)), rtol=1e-6)


@pytest.mark.parametrize("layouts", [(ROW_MAJOR, ROW_MAJOR), (TILE, ROW_MAJOR), (ROW_MAJOR, TILE)], ids=str)
def test_the_result_is_row_major_if_both_are(rng, layouts):
    memory, a = tensors(drawn(rng, SMALL), dtype=tt.bfloat16, layout=layouts[0])
    memory, b = tensors(drawn(rng, SMALL), memory=memory, dtype=tt.bfloat16, layout=layouts[1])
    after, y = binary.add(memory, a, b)
    assert y.layout is (ROW_MAJOR if layouts[1] is layouts[0] else TILE)
    assert len(after.live(tt.BufferType.DRAM)) == 3
    memory, p, q = tensors(np.asarray(a.array), np.asarray(b.array))
    assert_same_bits(y.array, binary.add(memory, p, q)[1].array)


def shards(layout, shape, cores):
    grid = CoreRangeSet({CoreRange(CoreCoord(0, 0), CoreCoord(cores - 1, 0))})
    spec = tt.memory.ShardSpec(grid, shape, tt.memory.ShardOrientation.ROW_MAJOR)
    return tt.MemoryConfig(layout, tt.BufferType.L1, spec)


HEIGHT, WIDTH = tt.TensorMemoryLayout.HEIGHT_SHARDED, tt.TensorMemoryLayout.WIDTH_SHARDED


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ((64, 128, shards(HEIGHT, (32, 128), 2)), (64, 128, tt.DRAM_MEMORY_CONFIG), shards(HEIGHT, (32, 128), 2)),
        ((64, 128, tt.DRAM_MEMORY_CONFIG), (64, 128, shards(HEIGHT, (32, 128), 2)), shards(HEIGHT, (32, 128), 2)),
        ((64, 128, tt.L1_MEMORY_CONFIG), (64, 128, shards(HEIGHT, (32, 128), 2)), tt.L1_MEMORY_CONFIG),
        ((64, 128, shards(HEIGHT, (64, 128), 1)), (64, 128, shards(HEIGHT, (32, 128), 2)), shards(HEIGHT, (32, 128), 2)),
        ((1, 128, shards(WIDTH, (32, 64), 2)), (64, 128, tt.DRAM_MEMORY_CONFIG), shards(WIDTH, (64, 64), 2)),
    ],
)
def test_where_the_result_goes(first, second, expected):
    memory, made = tt.MemoryState.create(tt.N150), []
    for height, width, config in (first, second):
        memory, x = tensors(np.ones((height, width), np.float32), memory=memory, dtype=tt.bfloat16, memory_config=config)
        made.append(x)
    assert binary.add(memory, *made)[1].memory_config == expected


def test_shards_asked_for_without_a_spec_are_those_of_an_input():
    config = shards(HEIGHT, (32, 128), 2)
    memory, x, y = tensors(*2 * [np.ones((64, 128), np.float32)], dtype=tt.bfloat16, memory_config=config)
    assert binary.add(memory, x, y, memory_config=tt.MemoryConfig(HEIGHT, tt.BufferType.L1))[1].memory_config == config


@pytest.mark.parametrize("dtype", [tt.float32, tt.bfloat8_b, tt.bfloat4_b], ids=str)
def test_dtype_chooses_the_result(rng, dtype):
    memory, x, y = tensors(drawn(rng, SMALL), drawn(rng, SMALL), dtype=tt.bfloat16)
    _, z = binary.add(memory, x, y, dtype=dtype, memory_config=tt.L1_MEMORY_CONFIG)
    assert (z.dtype, z.memory_config) == (dtype, tt.L1_MEMORY_CONFIG)
    relative, _ = error(wide(z), wide(x) + wide(y))
    assert relative < {"float32": 1e-3, "bfloat8_b": 1.2e-2, "bfloat4_b": 0.2}[dtype.kernel_name]


@pytest.mark.parametrize("dtype", [tt.uint8, tt.uint16, tt.uint32, tt.int32], ids=str)
def test_comparisons_may_give_integers(rng, dtype):
    memory, x, y = tensors(*(rng.integers(0, 3, SHAPE).astype(np.float32) for _ in "xy"), dtype=tt.bfloat16)
    _, z = comparison.eq(memory, x, y, dtype=dtype)
    assert z.dtype is dtype
    np.testing.assert_array_equal(wide(z), wide(x) == wide(y))


def test_integers_may_be_stored_as_floats(rng):
    memory, x, y = tensors(*(rng.integers(0, 99, SHAPE).astype(np.int32) for _ in "xy"), dtype=tt.int32)
    _, z = binary.add(memory, x, y, dtype=tt.float32)
    np.testing.assert_array_equal(wide(z), wide(x) + wide(y))


def test_an_output_tensor_gives_dtype_and_buffer(rng):
    memory, x, y = tensors(drawn(rng, SMALL), drawn(rng, SMALL), dtype=tt.bfloat16)
    memory, output = tensors(drawn(rng, SMALL), memory=memory, dtype=tt.float32, memory_config=tt.L1_MEMORY_CONFIG)
    after, z = binary.subtract(memory, x, y, output_tensor=output)
    assert (after, z.buffer, z.spec) == (memory, output.buffer, output.spec)


IN_PLACE = [name for name in binary.__all__ if name.endswith("_")]


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_operations_give_what_the_others_give(rng, name):
    memory, x, y = tensors(drawn(rng, POSITIVE), drawn(rng, SMALL), dtype=tt.bfloat16)
    _, expected = getattr(binary, name.removesuffix("_"))(memory, x, y)
    after, z = getattr(binary, name)(memory, x, y)
    assert (after, z.buffer, z.spec) == (memory, x.buffer, x.spec)
    assert_same_bits(z.array, expected.array)


def test_activations_before_and_after(rng):
    memory, x, y = tensors(drawn(rng, SMALL), drawn(rng, SMALL), dtype=tt.bfloat16)
    _, z = binary.add(
        memory,
        x,
        y,
        activations=["relu"],
        input_tensor_a_activations=[UnaryWithParam(UnaryOpType.LEAKY_RELU, 0.5)],
        input_tensor_b_activations=[UnaryOpType.SQUARE],
    )
    a, b = wide(x), wide(y)
    exact = np.maximum(np.where(a < 0, a / 2, a) + b * b, 0)
    relative, ratio = error(wide(z), exact)
    assert relative < 4e-3
    assert abs(ratio - 1) < 1e-3


def test_no_activations_are_the_same_program(rng):
    memory, x, y = tensors(drawn(rng, SMALL), drawn(rng, SMALL), dtype=tt.bfloat16)
    with tt.ProgramCache().use() as cache:
        binary.add(memory, x, y)
        binary.add(memory, x, y, activations=[], fast_and_approximate_mode=True)
        assert (cache.entries, cache.hits) == (1, 1)


@pytest.mark.parametrize("function", [binary.add, binary.divide, binary.remainder, binary_parametric.pow, comparison.lt])
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.bfloat8_b], ids=str)
def test_jit_equals_eager(rng, function, dtype):
    memory, x, y = tensors(drawn(rng, POSITIVE), drawn(rng, POSITIVE), dtype=dtype)
    jitted = jax.jit(lambda x, y: function(memory, x, y)[1])(x, y)
    assert_same_bits(jitted.array, function(memory, x, y)[1].array)


@pytest.mark.parametrize("name", ["divide", "remainder", "pow", "xlogy", "squared_difference", "bias_gelu"])
def test_gradients_are_those_of_the_exact_function(rng, name):
    function = FUNCTIONS[name][0] if name in FUNCTIONS else getattr(binary, name)
    bounds = FUNCTIONS[name][2:] if name in FUNCTIONS else (SMALL, SMALL)
    memory, a, b = tensors(*(drawn(rng, each) for each in bounds), dtype=tt.float32)

    def total(x, y, memory, a, b):
        _, z = function(memory, tt.Tensor(x, a.spec, a.buffer), tt.Tensor(y, b.spec, b.buffer))
        return z.array.astype(jnp.float32).sum()

    slopes = jax.grad(total, (0, 1))(a.array, b.array, memory, a, b)
    memory, p, q = tensors(np.asarray(a.array), np.asarray(b.array), memory=memory, dtype=tt.bfloat16)
    narrow = jax.grad(total, (0, 1))(p.array, q.array, memory, p, q)
    for x, y in zip(slopes, narrow, strict=True):
        assert np.isfinite(np.asarray(x)).all()
        scale = np.abs(np.asarray(x)).mean() + 1e-6
        assert np.median(np.abs(np.asarray(x, np.float64) - np.asarray(y, np.float64))) < 0.05 * scale


def test_polyval(rng):
    memory, x = tensors(drawn(rng, (-1, 1)), dtype=tt.float32)
    for coefficients in ([3.0], [2.0, -1.0], [0.5, -2.0, 0.25, 1.0]):
        after, y = binary_parametric.polyval(memory, x, coefficients)
        assert len(after.live(tt.BufferType.DRAM)) == 2
        np.testing.assert_allclose(wide(y), np.polyval(coefficients, wide(x)), atol=1e-5)


@pytest.mark.parametrize("shapes", [((40,), (33,)), ((1, 1, 1, 40), (1, 1, 1, 33)), ((3, 40), (3, 33))])
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.int32], ids=str)
def test_outer(rng, shapes, dtype):
    memory, a, b = tensors(*(rng.integers(-9, 9, s).astype(dtype.carrier) for s in shapes), dtype=dtype)
    after, y = binary_parametric.outer(memory, a, b)
    assert len(after.live(tt.BufferType.DRAM)) == 3
    np.testing.assert_array_equal(wide(y), wide(a)[..., :, None] * wide(b)[..., None, :])


def test_prelu_with_a_weight_for_each_channel(rng):
    memory, x = tensors(drawn(rng, SMALL, (2, 3, 5, 40)), dtype=tt.float32)
    memory, w = tensors(drawn(rng, POSITIVE, (3,)), memory=memory, dtype=tt.float32)
    after, y = binary_parametric.prelu(memory, x, w)
    assert len(after.live(tt.BufferType.DRAM)) == 3
    slope = wide(w)[:, None, None]
    np.testing.assert_allclose(wide(y), np.where(wide(x) < 0, wide(x) * slope, wide(x)), rtol=1e-6)


@pytest.mark.parametrize("dim, shape", [("H", (1, 40)), ("W", (33, 1)), ("HW", (1, 1))])
@pytest.mark.parametrize("math_op, exact", [("ADD", np.add), ("SUB", np.subtract), ("MUL", np.multiply)])
def test_bcast(rng, math_op, exact, dim, shape):
    memory, a, b = tensors(drawn(rng, SMALL, (33, 40)), drawn(rng, SMALL, shape), dtype=tt.bfloat16)
    _, y = bcast.bcast(memory, a, b, bcast.BcastOpMath[math_op], bcast.BcastOpDim[dim])
    relative, _ = error(wide(y), exact(wide(a), wide(b)))
    assert relative < 4e-3


def test_nextafter_moves_float32_by_one_step():
    memory, x, y = tensors(np.array([1, -1, 2], np.float32), np.array([2, -2, 2], np.float32), dtype=tt.float32)
    np.testing.assert_array_equal(wide(binary.nextafter(memory, x, y)[1]), np.nextafter(x.array, y.array).astype(np.float64))


@pytest.mark.parametrize("module", [binary, binary_parametric, comparison, logical, bitwise])
def test_functions_say_what_they_are(module):
    for name in module.__all__:
        function = getattr(module, name)
        assert function.__doc__
        assert list(inspect.signature(function).parameters)[0] == "memory"
        assert function.support.dtypes
        full = {"sub": "subtract", "mul": "multiply", "div": "divide"}.get(name.rstrip("_"), name.rstrip("_"))
        assert function.__name__ == full + "_" * name.endswith("_")


@pytest.mark.parametrize("rounding_mode", [None, "trunc", "floor"])
def test_0_by_0_is_no_number_or_infinity(rounding_mode):
    a, b = np.float32([[0, 1, -1, 0]]), np.float32([[0, 0, 0, 2]])
    for dtype, made in ((tt.float32, np.nan), (tt.bfloat16, np.inf)):  # a 16-bit Dst has no NaN
        memory = tt.MemoryState.create(tt.N150)
        memory, x = tt.from_array(memory, a, dtype=dtype, layout=tt.TILE_LAYOUT)
        memory, y = tt.from_array(memory, b, dtype=dtype, layout=tt.TILE_LAYOUT)
        _, z = binary.divide(memory, x, y, rounding_mode=rounding_mode)
        np.testing.assert_array_equal(np.asarray(z.array, np.float32), [[made, np.inf, -np.inf, 0]])
