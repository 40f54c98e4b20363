"""Reduction kernels: against recordings of the device, an integer model of the engine's sums, and float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oracles import engine
from patterns import assert_same_bits
from recordings import DEVICE, carried, values
from tt_jax.kernels import packer, reduction

row_sum = jax.jit(reduction.row_sum, static_argnums=(1, 2, 3))


@pytest.fixture(scope="module")
def recorded():
    return np.load(DEVICE / "composite.npz")


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name, factor", [("sum", 1.0), ("mean", 1 / 96)])
def test_sums_equal_the_device(recorded, name, factor, wrap):
    x = carried(recorded["ln_x"], "bfloat16")
    y = wrap(lambda x: packer.pack(reduction.total(x, -1, factor, "HiFi3", True), "bfloat16"))(x)
    np.testing.assert_array_equal(values(y)[..., 0], values(recorded[name]))


def test_the_largest_equals_the_device(recorded):
    y = reduction.extreme(carried(recorded["ln_x"], "bfloat16"), -1, "max")
    np.testing.assert_array_equal(values(y)[..., 0], values(recorded["max"]))


def _parts(x, high, used):
    """The integers and exponents of a number's two parts: x = high * 2**(e - 30) + low * 2**(e - 30), of 31-bit significands."""
    if x == 0:
        return 0, 0, None
    fraction, exponent = math.frexp(x)
    significand = int(abs(fraction) * 2**31)
    sign = 1 if x > 0 else -1
    top, all_ = (significand >> (31 - digits) << (31 - digits) for digits in (high, used))
    return sign * top, sign * (all_ - top), exponent - 1


def _shift(number, distance):
    """An integer divided by 2**distance, half away from zero."""
    if distance <= 0:
        return number << -distance
    magnitude = (abs(number) + (1 << distance - 1)) >> distance
    return magnitude if number > 0 else -magnitude


def _engine_sum(row, factor, phases):
    """What a 32-bit Dst holds after the engine has summed `row * factor`, in integers, groups of 8: device_numerics.md in words.

    Every product of a phase is rounded half away to 2**-10 of the group's largest power of two (of the pair's exponents).
    """
    a_high, a_low, a_exponent = _parts(factor, 5, 10)
    total = 0.0
    for start in range(0, len(row), 8):
        terms = [_parts(float(x), 7, 11) for x in row[start : start + 8]]
        largest = max((e for *_, e in terms if e is not None), default=None)
        for use_low_b, a, shift in ((0, a_high, 0), (0, a_low, 5), (1, a_high, 7), (1, a_low, 12))[:phases]:
            if largest is None or a == 0:
                continue
            # Products are multiples of 2**(e + a_exponent - 60); one step is 2**(largest + a_exponent - shift - 10).
            steps = sum(
                _shift(term[use_low_b] * a, 60 - 10 - shift + largest - term[2]) for term in terms if term[2] is not None
            )
            total += math.ldexp(steps, largest + a_exponent - shift - 10)
    return total


@pytest.mark.parametrize("factor", [1.0, reduction.bfloat16_factor(1 / 96), -0.75])
@pytest.mark.parametrize("fidelity, phases", [("LoFi", 1), ("HiFi2", 2), ("HiFi3", 3), ("HiFi4", 4)])
def test_row_sum_equals_the_integer_model(rng, fidelity, phases, factor):
    x = (rng.normal(size=(24, 40)) * 2.0 ** rng.integers(-12, 12, (24, 40))).astype(np.float32)
    x = np.array(jax.lax.reduce_precision(x, 8, 10))  # as a source register holds it
    x[0, :8] = 0
    y = np.asarray(row_sum(x, factor, fidelity, True))[:, 0]
    expected = np.array([_engine_sum(row, factor, phases) for row in x])
    # The groups' sums are exact in both; they are then added in float32 in one and in float64 in the other.
    np.testing.assert_allclose(y, expected, rtol=0, atol=2.0**-21 * np.abs(x).sum(1).max() * abs(factor))
    assert (y == expected.astype(np.float32)).mean() > 0.5


@pytest.mark.parametrize("fp32_dest, error", [(True, 2e-4), (False, 0.03)])
def test_row_sum_is_near_the_sum(rng, fp32_dest, error):
    x = carried(rng.uniform(0.5, 2, (16, 200)).astype(np.float32), "bfloat16").astype(jnp.float32)
    y = np.asarray(row_sum(x, 1.0, "HiFi4", fp32_dest), np.float64)[:, 0]
    exact = np.asarray(x, np.float64).sum(1)
    assert engine.relative_error(y, exact) < error
    assert abs(engine.scale(y, exact) - 1) < error


def test_a_16_bit_dst_rounds_after_every_16_terms():
    x = jnp.concatenate([jnp.full((1, 16), 16.0), jnp.full((1, 1), 0.5), jnp.zeros((1, 15))], 1)
    assert float(row_sum(x, 1.0, "HiFi4", True)[0, 0]) == 256.5
    assert float(row_sum(x, 1.0, "HiFi4", False)[0, 0]) == 256.0


@pytest.mark.parametrize("fp32_dest", [True, False])
def test_jit_equals_eager(rng, fp32_dest):
    x = jnp.asarray(rng.normal(size=(8, 70)), jnp.float32)
    run = lambda x: reduction.row_sum(x, 0.125, "HiFi3", fp32_dest)
    assert_same_bits(jax.jit(run)(x), run(x))


@pytest.mark.parametrize("fp32_dest", [True, False])
def test_gradient_is_that_of_a_sum(rng, fp32_dest):
    x = jnp.asarray(rng.normal(size=(4, 40)), jnp.float32)
    y = jax.jit(jax.grad(lambda x: reduction.row_sum(x, 0.5, "HiFi3", fp32_dest).sum()))(x)
    np.testing.assert_array_equal(y, np.full(x.shape, 0.5))


def test_infinities_and_zeros():
    x = jnp.array([[0.0] * 40, [np.inf] + [1.0] * 39, [0.0] * 39 + [3.0]], jnp.float32)
    y = np.asarray(row_sum(x, 1.0, "HiFi3", True))[:, 0]
    np.testing.assert_array_equal(y, [0, np.inf, 3])


@pytest.mark.parametrize("correction", [True, False])
@pytest.mark.parametrize("axes", [(2,), (0, 2), (0, 1, 2)])
def test_variance_is_that_of_float64(rng, axes, correction):
    x = (rng.normal(size=(3, 4, 50)) + 100).astype(np.float32)
    exact = np.asarray(x, np.float64).var(axes, keepdims=True, ddof=int(correction))
    np.testing.assert_allclose(reduction.variance(jnp.asarray(x), axes, correction), exact, rtol=1e-4)


@pytest.mark.parametrize("fp32_dest", [True, False])
@pytest.mark.parametrize("shape", [(0, 64), (2, 0, 5), (3, 0), (0, 0)])
def test_sums_of_nothing(shape, fp32_dest):
    y = reduction.row_sum(jnp.ones(shape), 1.0, "HiFi4", fp32_dest)
    np.testing.assert_array_equal(y, np.zeros((*shape[:-1], 1)))


@pytest.mark.parametrize("big", [np.inf, -np.inf, np.nan, 3e38, -(2.0**114)])
def test_a_32_bit_sum_of_what_would_overflow_is_that_of_float32(big):
    x = jnp.ones((2, 96)).at[0, 7].set(big)
    y = reduction.row_sum(x, 1.0, "HiFi4", True)
    np.testing.assert_allclose(y, [[np.float32(big)], [96.0]], rtol=1e-6)
