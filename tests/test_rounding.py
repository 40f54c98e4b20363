import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from oracles import rounding as oracle
from patterns import SPECIAL, assert_same_bits, bfloat16, every_upper_half, float32, pattern, random_patterns
from tt_jax.kernels import rounding

NAMES = [
    "host_bfloat16",
    "nearest_away_bfloat16",
    "nearest_even_bfloat16",
    "truncate_bfloat16",
    "truncate_tf32",
    "flush_subnormals",
]
SHAPE = (8, 32)
JITTED = {name: jax.jit(getattr(rounding, name)) for name in NAMES}

every_rounding = pytest.mark.parametrize("name", NAMES)


def check(name, bits):
    x = float32(bits)
    expected = getattr(oracle, name)(x)
    assert_same_bits(getattr(rounding, name)(jnp.asarray(x)), expected)
    assert_same_bits(JITTED[name](x), expected)


@every_rounding
def test_special_values(name):
    check(name, np.resize(SPECIAL, SHAPE))


@every_rounding
def test_every_bfloat16_and_its_neighbours(name):
    check(name, every_upper_half())


@every_rounding
@given(random_patterns(SHAPE))
def test_random_patterns(name, bits):
    check(name, bits)


# Values from the specification, apart from the oracle: input, then the result of each function in the order of NAMES.
EXAMPLES = {
    "tie below an odd mantissa": (0x3F818000, 0x3F82, 0x3F82, 0x3F82, 0x3F81, 0x3F818000, 0x3F818000),
    "tie below an even mantissa": (0x3F808000, 0x3F80, 0x3F81, 0x3F80, 0x3F80, 0x3F808000, 0x3F808000),
    "negative tie": (0xBF808000, 0xBF80, 0xBF81, 0xBF80, 0xBF80, 0xBF808000, 0xBF808000),
    "largest finite": (0x7F7FFFFF, 0x7F80, 0x7F80, 0x7F80, 0x7F7F, 0x7F7FE000, 0x7F7FFFFF),
    "largest subnormal": (0x007FFFFF, 0x0080, 0x0000, 0x0000, 0x0000, 0x007FE000, 0x00000000),
    "negative zero": (0x80000000, 0x8000, 0x0000, 0x0000, 0x0000, 0x80000000, 0x00000000),
    "negative NaN": (0xFFC12345, 0x7FC0, 0xFF80, 0xFF80, 0xFF80, 0xFFC12000, 0xFFC12345),
    "infinity": (0x7F800000, 0x7F80, 0x7F80, 0x7F80, 0x7F80, 0x7F800000, 0x7F800000),
}


@pytest.mark.parametrize("index, name", list(enumerate(NAMES)))
@pytest.mark.parametrize("example", list(EXAMPLES.values()), ids=list(EXAMPLES))
def test_examples(index, name, example):
    bits, *results = example
    assert int(pattern(JITTED[name](float32(bits)))) == results[index]


@every_rounding
def test_a_second_rounding_changes_nothing(name):
    once = JITTED[name](float32(every_upper_half()))
    assert_same_bits(JITTED[name](rounding.widen(once)), once)


def test_patterns_and_floats_convert_both_ways():
    x = jnp.asarray(float32(SPECIAL))
    assert_same_bits(rounding.bits(x), SPECIAL)
    assert_same_bits(rounding.from_bits(rounding.bits(x)), float32(SPECIAL))


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_widen_is_exact(wrap):
    halves = np.arange(1 << 16, dtype=np.uint16)
    assert_same_bits(wrap(rounding.widen)(jnp.asarray(bfloat16(halves))), float32(halves.astype(np.uint32) << 16))
    assert_same_bits(wrap(rounding.widen)(jnp.asarray(float32(SPECIAL))), float32(SPECIAL))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.int32, jnp.bool])
def test_widen_refuses_other_types(dtype):
    with pytest.raises(TypeError, match=f"bfloat16 or float32, not {jnp.dtype(dtype).name}"):
        rounding.widen(jnp.zeros(4, dtype))


def test_flush_clears_small_magnitudes_and_nans_only():
    rounded = np.full(SPECIAL.shape, 0x1234_0000, np.uint32)
    x = float32(SPECIAL)
    expected = np.where(np.abs(x) < 2.0**-126, 0, np.where(np.isnan(x), SPECIAL & 0xFF80_0000, rounded))
    assert_same_bits(rounding.flush(jnp.asarray(SPECIAL), jnp.asarray(rounded)), expected.astype(np.uint32))


WEIGHTS = np.array([1.0, -2.0, 0.5, 4.0, 0.25, 3.0], np.float32)
POINTS = np.array([1.0, -3.3, 1e-3, 1e30, 0.0, 7.77], np.float32)


@every_rounding
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_gradient_is_the_identitys(name, wrap):
    def weighted(x):
        return (getattr(rounding, name)(x).astype(jnp.float32) * WEIGHTS).sum()

    assert_same_bits(wrap(jax.grad(weighted))(POINTS), WEIGHTS)


@every_rounding
def test_tangent_passes_in_the_dtype_of_the_result(name):
    y, tangent = jax.jvp(getattr(rounding, name), (POINTS,), (WEIGHTS,))
    assert_same_bits(y, getattr(oracle, name)(POINTS))
    assert tangent.dtype == y.dtype
    assert_same_bits(tangent.astype(jnp.float32), WEIGHTS)


@every_rounding
def test_vmap_changes_neither_value_nor_gradient(name):
    function = getattr(rounding, name)
    batch = np.stack([POINTS, WEIGHTS, -POINTS])
    assert_same_bits(jax.vmap(function)(batch), getattr(oracle, name)(batch))
    slope = jax.vmap(jax.vmap(jax.grad(lambda x: function(x).astype(jnp.float32))))(batch)
    assert_same_bits(slope, np.ones_like(batch))


def test_straight_through_passes_static_arguments():
    @rounding.straight_through
    def to_multiple(x, step):
        """Documented."""
        return jnp.floor(x / step) * step

    assert to_multiple.__doc__ == "Documented."
    assert float(to_multiple(jnp.float32(7.5), 2.0)) == 6.0
    assert float(jax.jit(jax.grad(to_multiple), static_argnums=1)(jnp.float32(7.5), 2.0)) == 1.0


def test_another_dtype_is_refused():
    with pytest.raises(TypeError, match="takes float32, not bfloat16; `widen`"):
        rounding.nearest_away_bfloat16(jnp.zeros((2,), jnp.bfloat16))
