"""Measures against other formulas in float64, their conventions where a formula has no value, and distances over all neighbours."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from oracles import engine
from patterns import SPECIAL, bfloat16, float32
from tt_jax import measures
from tt_jax.testing import block_float

NAN, INF = np.nan, np.inf
OTHERS = {measures.pcc: engine.pcc, measures.relative_error: engine.relative_error, measures.scale: engine.scale}

every_measure = pytest.mark.parametrize("measure", list(OTHERS), ids=lambda f: f.__name__)


def pair(rng, noise=0.1):
    expected = rng.normal(size=(8, 40)) + 0.3
    return expected * 1.1 + noise * rng.normal(size=expected.shape), expected


@every_measure
@pytest.mark.parametrize("noise", [1e-6, 0.1, 10.0])
def test_equals_the_formula(rng, measure, noise):
    actual, expected = pair(rng, noise)
    assert measure(actual, expected) == pytest.approx(OTHERS[measure](actual, expected), rel=1e-12)


@every_measure
@pytest.mark.parametrize("exponents", [(900, 900), (-900, -900), (1000, -20), (-1000, 20)], ids=str)
def test_neither_overflows_nor_underflows(rng, measure, exponents):
    """Squares of these are no float64. A power of two scales the results exactly, or leaves one of the arrays nothing beside the other."""
    actual, expected = pair(rng)
    up = exponents[0] - exponents[1]
    norms = np.linalg.norm(actual) / np.linalg.norm(expected)
    wanted = {
        measures.pcc: engine.pcc(actual, expected),
        measures.scale: np.ldexp(engine.scale(actual, expected), up),
        measures.relative_error: np.ldexp(norms, up) if up > 0 else 1.0 if up < 0 else engine.relative_error(actual, expected),
    }
    found = measure(np.ldexp(actual, exponents[0]), np.ldexp(expected, exponents[1]))
    assert found == pytest.approx(wanted[measure], rel=1e-12)


def test_a_ratio_that_is_no_float64_is_infinite():
    assert measures.scale([1e300], [1e-300]) == measures.relative_error([1e300], [1e-300]) == INF


def test_pcc_sees_neither_scale_nor_offset_which_the_others_see(rng):
    _, expected = pair(rng)
    biased = expected * 0.978  # LoFi, spec/numerics.md section 3.4
    assert measures.pcc(biased, expected) == pytest.approx(1.0, abs=1e-15)
    assert measures.scale(biased, expected) == pytest.approx(0.978, rel=1e-14)
    assert measures.relative_error(biased, expected) == pytest.approx(0.022, rel=1e-12)
    assert measures.pcc(-3 * expected + 7, expected) == pytest.approx(-1.0, abs=1e-15)
    assert -1 <= measures.pcc(-3 * expected + 7, expected)


# actual, expected, PCC, relative error, scale
CONVENTIONS = {
    "empty": ([], [], 1, 0, 1),
    "equal": ([1.0, 2.0], [1.0, 2.0], 1, 0, 1),
    "equal constants": ([3.0, 3.0], [3.0, 3.0], 1, 0, 1),
    "zeros": ([0.0, -0.0], [-0.0, 0.0], 1, 0, 1),
    "one element": ([3.0], [2.0], NAN, 0.5, 1.5),
    "different constants": ([3.0, 3.0], [2.0, 2.0], NAN, 0.5, 1.5),
    "expected constant": ([1.0, 3.0], [2.0, 2.0], NAN, 0.5, 1.0),
    "actual zero": ([0.0, 0.0], [1.0, 2.0], NAN, 1.0, 0.0),
    "expected zero": ([1.0, 2.0], [0.0, 0.0], NAN, INF, NAN),
    "NaN in both": ([1.0, NAN, 2.0], [1.0, NAN, 2.0], 1, 0, 1),
    "NaN in both, the rest different": ([2.0, NAN, 4.0], [1.0, NAN, 2.0], 1, 1, 2),
    "infinity in both": ([2.0, INF, -INF, 4.0], [1.0, INF, -INF, 2.0], 1, 1, 2),
    "NaN in one": ([1.0, NAN], [1.0, 2.0], NAN, NAN, NAN),
    "infinity in one": ([1.0, 2.0], [1.0, INF], NAN, NAN, NAN),
    "opposite infinities": ([1.0, INF], [1.0, -INF], NAN, NAN, NAN),
}


@pytest.mark.parametrize("actual, expected, pcc, relative_error, scale", list(CONVENTIONS.values()), ids=list(CONVENTIONS))
def test_conventions(actual, expected, pcc, relative_error, scale):
    found = [measure(actual, expected) for measure in (measures.pcc, measures.relative_error, measures.scale)]
    np.testing.assert_allclose(found, [pcc, relative_error, scale], rtol=1e-15)
    assert all(type(x) is float for x in found)


@given(seed=st.integers(0, 2**32 - 1), up=st.floats(0.01, 100), offset=st.floats(-5, 5))
def test_laws(seed, up, offset):
    actual, expected = pair(np.random.default_rng(seed))
    assert measures.pcc(actual, expected) == pytest.approx(measures.pcc(expected, actual), abs=1e-13)
    assert measures.pcc(actual * up + offset, expected) == pytest.approx(measures.pcc(actual, expected), abs=1e-11)
    assert measures.scale(actual * up, expected) == pytest.approx(up * measures.scale(actual, expected), rel=1e-12)
    shuffle = np.random.default_rng(seed).permutation(actual.size)
    for measure in OTHERS:
        shuffled = measure(actual.ravel()[shuffle], expected.ravel()[shuffle])
        assert shuffled == pytest.approx(measure(actual, expected), rel=1e-11)


@every_measure
def test_any_real_array(measure):
    """Integers, booleans, bfloat16, JAX arrays and lists: exactly, in float64."""
    whole = [[3, 1], [2, 5]]
    wanted = measure(np.array(whole, np.float64), np.ones((2, 2)))
    for array in (np.array(whole), np.array(whole, np.uint8), np.array(whole, ml_dtypes.bfloat16), jnp.asarray(whole), whole):
        np.testing.assert_array_equal(measure(array, np.ones((2, 2), bool)), wanted)
    assert measures.relative_error(2**53 - 1, 2**53 - 2) == 1 / (2**53 - 2)


def test_a_signalling_nan_is_no_warning():
    assert measures.max_ulp(float32(SPECIAL), float32(SPECIAL), "float32") == 0


# -- distances ----------------------------------------------------------------------------------------------------------------------


def test_bfloat16_neighbours_are_one_apart():
    """All numbers in order, infinities at the ends: each is one from the next, and as far from zero as its place says."""
    up = bfloat16(np.arange(0x7F81))
    order = np.concatenate([-up[:0:-1], up]).astype(np.float64)
    np.testing.assert_array_equal(measures.ulp_distance(order[1:], order[:-1], tt.bfloat16), 1)
    np.testing.assert_array_equal(
        measures.ulp_distance(order, np.zeros_like(order), "bfloat16"), np.abs(np.arange(-0x7F80, 0x7F81))
    )


def test_float32_neighbours_are_one_apart(rng):
    x = float32(rng.integers(0, 0x7F7F_FFFF, 10_000, dtype=np.uint32)) * rng.choice(np.float32([-1, 1]), 10_000)
    np.testing.assert_array_equal(measures.ulp_distance(np.nextafter(x, np.float32(INF)), x, "float32"), 1)
    assert measures.max_ulp(float32([0x8000_0001]), float32([1]), tt.float32) == 2  # smallest subnormals, across zero
    assert measures.max_ulp([1 + 2.0**-23], [1.0], "float32") == 1
    assert measures.max_ulp([-1.0], [1.0], "float32") == 2 * 0x3F80_0000


@pytest.mark.parametrize(
    "dtype, value, distance_from_one",
    [
        ("bfloat16", 1 + 2.0**-8, 0),  # a tie, to even
        ("bfloat16", 1 + 2.0**-8 + 2.0**-50, 1),  # a tie to float32's eyes only
        ("bfloat16", 1 + 3 * 2.0**-8, 2),
        ("bfloat16", 1 - 2.0**-9 - 2.0**-50, 1),
        ("float32", 1 + 2.0**-24, 0),
        ("float32", 1 + 2.0**-24 + 2.0**-50, 1),
    ],
)
def test_a_reference_of_more_digits_is_rounded_once(dtype, value, distance_from_one):
    assert measures.max_ulp([value], [1.0], dtype) == distance_from_one


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "bfloat8_b", "bfloat4_b", "int32"])
def test_special_values_in_distances(dtype):
    actual = np.array([0.0, -0.0, NAN, INF, -INF, NAN, 1.0, INF])
    expected = np.array([-0.0, 0.0, NAN, INF, -INF, 1.0, NAN, NAN])
    np.testing.assert_array_equal(measures.ulp_distance(actual, expected, dtype), [0, 0, 0, 0, 0, INF, INF, INF])


def test_infinity_is_one_beyond_the_largest_number():
    for dtype, largest in (("bfloat16", 0x7F7F_0000), ("float32", 0x7F7F_FFFF)):
        assert measures.max_ulp([INF], float32([largest]), dtype) == 1
        assert measures.max_ulp([2.0**128], float32([largest]), dtype) == 1
    assert measures.max_ulp([INF], [-INF], "bfloat16") == 2 * 0x7F80
    assert measures.max_ulp([INF], [1.0], "bfloat8_b") == INF


@pytest.mark.parametrize("dtype", ["bfloat8_b", "bfloat4_b"])
@pytest.mark.parametrize("exponent", [1, 60, 127, 200, 254])
def test_codes_of_a_block_float_are_one_step_apart(dtype, exponent):
    """Every magnitude against its neighbour, in groups led by the largest."""
    top = 2 ** block_float.MAGNITUDE_BITS[dtype] - 1
    codes = np.full((top, 16), top)
    codes[:, 5] = np.arange(top)
    above = codes + (np.arange(16) == 5)
    x, y = (block_float.decode(c, np.full((top, 1), exponent), dtype) for c in (codes, above))
    np.testing.assert_array_equal(measures.ulp_distance(x, y, dtype), np.broadcast_to(np.arange(16) == 5, x.shape))
    np.testing.assert_array_equal(measures.ulp_distance(y, -y, dtype)[:, 5], 2 * np.arange(1, top + 1))


def test_steps_of_groups():
    x = np.zeros((2, 40))
    x[0, [3, 17]], x[1, [0, 39]] = [1.99, -4.0], [INF, 1e-40]
    steps = measures.group_steps(x, "bfloat8_b")
    assert steps.shape == x.shape
    smallest = 2.0**-133  # of zeros and subnormals
    expected = [[1 / 64, 1 / 64, 1 / 16, 1 / 16, smallest, smallest], [2.0**122, 2.0**122] + 4 * [smallest]]
    np.testing.assert_array_equal(steps[:, [0, 15, 16, 31, 32, 39]], expected)
    np.testing.assert_array_equal(measures.group_steps([1.0, 7.0], tt.bfloat4_b), 1.0)
    # The reference's steps count, where it has any: a fraction of a step is one.
    assert measures.max_ulp([1 + 2.0**-8], [1.0], "bfloat8_b") == 0.25
    assert measures.max_ulp([64.0], [1.0], "bfloat8_b") == 63 * 64
    assert measures.max_ulp([64.0], [0.0], "bfloat8_b") == 64


def test_integers_are_their_difference_apart():
    assert measures.max_ulp(np.array([2**31 - 1]), np.array([-(2**31)]), "int32") == 2**32 - 1
    np.testing.assert_array_equal(measures.ulp_distance(np.uint8([3, 200]), np.uint8([5, 100]), tt.uint8), [2, 100])


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 16)])
@pytest.mark.parametrize("dtype", ["bfloat16", "bfloat8_b", "int32"])
def test_nothing_is_not_far(shape, dtype):
    assert measures.max_ulp(np.zeros(shape), np.zeros(shape), dtype) == 0
    assert measures.ulp_distance(np.zeros(shape), np.zeros(shape), dtype).shape == shape


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda: measures.pcc([1.0], [[1.0]]), r"actual has shape \(1,\) and expected \(1, 1\)"),
        (lambda: measures.agrees([1.0], [1.0, 2.0]), r"actual has shape \(1,\) and expected \(2,\)"),
        (lambda: measures.scale([1j], [1.0]), "real numbers is needed, got list of dtype complex128"),
        (lambda: measures.relative_error(["a"], [1.0]), "real numbers is needed, got list of dtype <U1"),
        (lambda: measures.max_ulp([1.0], [1.0], "float16"), "`dtype` must be one of bfloat16, .*got 'float16'"),
        (lambda: measures.max_ulp([1.0], [1.0], np.float32), "`dtype` must be one of"),
        (lambda: measures.max_ulp([1.0], [1.0], tt.DataType.FP8_E4M3), "`dtype` must be one of"),
        (lambda: measures.group_steps([1.0], "bfloat16"), "bfloat16 has no groups: expected bfloat8_b"),
        (lambda: measures.ulp_distance(1.0, 1.0, "bfloat8_b"), "at least one axis to share exponents along, got rank 0"),
    ],
)
def test_errors(call, expected):
    with pytest.raises(tt.ArgumentError, match=expected):
        call()
