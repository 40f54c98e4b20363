"""Softmax kernels against recordings of the device and a float64 softmax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oracles import engine
from patterns import assert_same_bits
from recordings import DEVICE, carried, equal_share, values
from tt_jax.kernels import eltwise, rounding, softmax


@pytest.fixture(scope="module")
def recorded():
    return np.load(DEVICE / "composite.npz")


@pytest.fixture(scope="module")
def attention():
    return np.load(DEVICE / "mha.npz")


def test_masked_softmax_equals_the_device(recorded):
    y = softmax.scale_mask_softmax(
        carried(recorded["sm_x"], "bfloat16"), softmax.head_scale(32), carried(recorded["mask"], "bfloat16"), dtype="bfloat16"
    )
    np.testing.assert_array_equal(values(y), values(recorded["attention_softmax_"]))


def test_scaled_softmax_without_mask_equals_the_device(recorded):
    scale = rounding.nearest_even_bfloat16(jnp.float32(softmax.head_scale(32)))
    y = softmax.softmax(eltwise.multiply(carried(recorded["sm_x"], "bfloat16"), scale, "bfloat16"), dtype="bfloat16")
    np.testing.assert_array_equal(values(y), values(recorded["attention_softmax_nomask"]))


@pytest.mark.parametrize(("name", "dtype"), [("bf16", "bfloat16"), ("bfp8", "bfloat8_b")])
@pytest.mark.parametrize("stable", [True, False])
def test_softmax_is_within_a_rounding_of_the_device(recorded, name, dtype, stable):
    """Row sums are float32 here and about 12 bits wide on the device; what differs does so in the last place."""
    y = softmax.softmax(carried(recorded["sm_x"], dtype), dtype=dtype, numeric_stable=stable)
    expected = recorded[f"softmax_{name}_stable{int(stable)}"]
    share, ulp = equal_share(y, expected)
    assert share > 0.966
    if dtype == "bfloat16":
        assert ulp <= 1
    else:  # one step of a group is 2**-6 of its largest value
        assert np.abs(values(y) - values(expected)).max() <= 2.0**-6 * values(expected).max()


def test_accurate_softmax_equals_the_device(recorded):
    y = softmax.softmax(
        carried(recorded["sm_x"], "bfloat16"), dtype="bfloat16", fidelity="HiFi4", approximate=False, fp32_dest=False
    )
    np.testing.assert_array_equal(values(y), values(recorded["softmax_bf16_noapprox"]))


@pytest.mark.parametrize("name", ["bf16", "bfp8"])
def test_attention_probabilities_are_near_the_device(attention, name):
    y = softmax.scale_mask_softmax(
        carried(attention[f"{name}_scores"], "bfloat16"),
        softmax.head_scale(32),
        carried(attention["mask"], "bfloat16"),
        dtype="bfloat16",
    )
    share, ulp = equal_share(y, attention[f"{name}_probs"])
    assert share > 0.989
    assert ulp <= 1


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize("dtype", ["bfloat16", "bfloat8_b", "float32"])
def test_softmax_approximates_float64(rng, dtype, stable):
    x = carried(rng.normal(size=(4, 64, 96)).astype(np.float32), dtype)
    y = softmax.softmax(x, dtype=dtype, numeric_stable=stable)
    exact = engine.softmax(np.asarray(x, np.float64))
    assert engine.pcc(values(y), exact) > 0.999
    assert abs(engine.scale(values(y), exact) - 1) < 0.01
    assert engine.relative_error(values(y), exact) < 0.03


def test_masked_positions_get_nothing_and_a_row_without_any_is_flat():
    scores = jnp.zeros((1, 1, 32, 64), jnp.bfloat16)
    hidden = jnp.where(jnp.arange(64) < 32, 0.0, -jnp.inf).astype(jnp.bfloat16)[None, None, None]
    y = values(softmax.scale_mask_softmax(scores, 1.0, hidden, dtype="bfloat16"))
    assert (y[..., 32:] == 0).all()
    np.testing.assert_allclose(y[..., :32], 1 / 32, rtol=2.0**-8)
    everything = jnp.full((1, 1, 1, 64), -jnp.inf, jnp.bfloat16)
    y = values(softmax.scale_mask_softmax(scores, 1.0, everything, dtype="bfloat16"))
    np.testing.assert_allclose(y, 1 / 64, rtol=2.0**-8)


def test_an_unstable_softmax_that_overflows_is_zero():
    """The sum is infinite, its reciprocal 0, and 0 times infinity 0 on the FPU."""
    x = jnp.full((32, 64), 500.0, jnp.bfloat16).at[:, 1:].set(-500.0)
    np.testing.assert_array_equal(values(softmax.softmax(x, dtype="bfloat16", numeric_stable=False)), 0)


@pytest.mark.parametrize("stable", [True, False])
def test_jit_equals_eager(rng, stable):
    x = carried(rng.normal(size=(2, 4, 32, 64)).astype(np.float32) * 4, "bfloat16")
    mask = carried(np.where(rng.random((2, 1, 1, 64)) < 0.2, -1e9, 0).astype(np.float32), "bfloat16")
    run = lambda x, mask: softmax.scale_mask_softmax(x, 0.125, mask, dtype="bfloat16", numeric_stable=stable)
    assert_same_bits(jax.jit(run)(x, mask), run(x, mask))


def test_gradient_is_near_that_of_an_exact_softmax(rng):
    x, weight = (jnp.asarray(rng.normal(size=(32, 64)), jnp.float32) for _ in "xw")
    ours = jax.grad(lambda x: (softmax.softmax(x, dtype="float32") * weight).sum())(x)
    exact = jax.grad(lambda x: (jax.nn.softmax(x, -1) * weight).sum())(x)
    assert engine.pcc(ours, exact) > 0.999
    assert engine.relative_error(ours, exact) < 0.03
