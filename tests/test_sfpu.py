"""The vector unit's exponentials and multiply-add, against all recorded bfloat16 patterns and exact rationals."""

import fractions

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from patterns import bfloat16
from recordings import DEVICE, values
from tt_jax.kernels import rounding, sfpu


@pytest.fixture(scope="module")
def recorded():
    return np.load(DEVICE / "exp.npz")


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize(("key", "approximate"), [("exp", False), ("exp_fast", True)])
def test_exp_equals_the_device_on_every_bfloat16(recorded, key, approximate, wrap):
    x = rounding.flush_subnormals(rounding.widen(jnp.asarray(bfloat16(recorded["x"]))))
    y = wrap(lambda x: sfpu.exp(x, approximate, fp32_dest=False))(x)
    expected = values(recorded[key])
    np.testing.assert_array_equal(values(y).reshape(expected.shape), expected)


def test_fused_multiply_add_rounds_once(rng):
    a, b, c = (rng.normal(size=2000).astype(np.float32) for _ in "abc")
    c[:1000] = -(a * b)[:1000]  # cancellation leaves only what a rounded product has lost
    exact = [
        fractions.Fraction(float(x)) * fractions.Fraction(float(y)) + fractions.Fraction(float(z))
        for x, y, z in zip(a, b, c, strict=True)
    ]
    expected = np.array(
        [np.float32(float(x)) if x.denominator < 2**53 else np.float32(x.numerator / x.denominator) for x in exact]
    )
    y = jax.jit(sfpu.fused_multiply_add)(jnp.asarray(a), jnp.asarray(b), jnp.asarray(c))
    np.testing.assert_array_equal(np.asarray(y), expected)


@pytest.mark.parametrize(("function", "bound"), [(sfpu.exp_fast, 3.2e-2), (sfpu.exp_accurate, 2e-3)])
def test_exp_stays_within_its_stated_error(function, bound):
    x = bfloat16(np.arange(1 << 16)).astype(np.float32)
    x = x[np.isfinite(x) & (np.abs(x) < 85)]
    y = np.asarray(function(jnp.asarray(x)), np.float64)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(y / exact - 1).max() < bound


@pytest.mark.parametrize("function", [sfpu.exp_fast, sfpu.exp_accurate])
def test_the_derivative_of_exp_is_exp(function):
    x = jnp.linspace(-4, 4, 33, dtype=jnp.float32)
    np.testing.assert_array_equal(jax.vmap(jax.grad(function))(x), function(x))


def test_reciprocal():
    x = jnp.asarray([1.0, -2.0, 0.0, -0.0, np.inf, 3.0], jnp.float32)
    np.testing.assert_array_equal(
        sfpu.reciprocal(x), np.array([1, -0.5, np.inf, np.inf, 0, np.float32(1) / np.float32(3)], np.float32)
    )


def test_exp_in_a_32_bit_dst_is_exact():
    x = jnp.linspace(-20, 20, 801, dtype=jnp.float32)
    np.testing.assert_allclose(sfpu.exp(x, False, fp32_dest=True), np.exp(np.asarray(x, np.float64)), rtol=1e-6)
