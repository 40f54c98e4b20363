"""Add, subtract and multiply: against recordings of the device, an integer oracle, and the laws of rounding."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oracles import engine
from patterns import assert_same_bits, bfloat16
from recordings import DEVICE, carried, values
from tt_jax.kernels import eltwise, rounding

OPERATIONS = {"add": eltwise.add, "sub": eltwise.subtract, "multiply": eltwise.multiply}
KINDS = {  # recorded name: input and output dtype
    "bf16": ("bfloat16", "bfloat16"),
    "bfp8": ("bfloat8_b", "bfloat8_b"),
    "bf16_out8": ("bfloat16", "bfloat8_b"),
    "bf16_out4": ("bfloat16", "bfloat4_b"),
}


@pytest.fixture(scope="module")
def recorded():
    return np.load(DEVICE / "binary.npz")


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize(("data", "operation", "kind"), list(itertools.product(("rand", "ties"), OPERATIONS, KINDS)))
def test_equals_the_device(recorded, data, operation, kind, wrap):
    dtype, out = KINDS[kind]
    x, y = (carried(recorded[f"{data}_{name}"], dtype) for name in "xy")
    options = {"engine": "fpu"} if operation == "multiply" and dtype != "bfloat16" else {}
    z = wrap(lambda x, y: OPERATIONS[operation](x, y, out, **options))(x, y)
    np.testing.assert_array_equal(values(z), values(recorded[f"{data}_{operation}_{kind}"]))


@pytest.mark.parametrize("data", ["rand", "ties"])
def test_fast_multiplication_equals_the_device(recorded, data):
    x, y = (carried(recorded[f"{data}_{name}"], "bfloat16") for name in "xy")
    z = eltwise.multiply(x, y, "bfloat16", engine="fpu")
    np.testing.assert_array_equal(values(z), values(recorded[f"{data}_mulfast"]))


def _pairs(rng, spread):
    """bfloat16 pairs whose exponents are at most `spread` apart, of either sign, within the range where the sum is exact."""
    exponents = rng.integers(127 - 95, 127 + 70, 3000)
    near = exponents + rng.integers(-spread, spread + 1, 3000)
    patterns = [e << 7 | rng.integers(0, 128, 3000) | rng.integers(0, 2, 3000) << 15 for e in (exponents, near)]
    return [jnp.asarray(bfloat16(p)) for p in patterns]


@pytest.mark.parametrize("spread", [2, 13])
def test_fpu_sum_equals_the_integer_oracle(rng, spread):
    x, y = _pairs(rng, spread)
    z = np.asarray(jax.jit(eltwise.fpu_sum)(rounding.widen(x), rounding.widen(y)))
    oracle = [engine.fpu_sum(float(a), float(b)) for a, b in zip(np.asarray(x), np.asarray(y), strict=True)]
    np.testing.assert_array_equal(z, np.array(oracle, np.float32))


def test_fpu_sum_of_tf32_numbers_equals_the_integer_oracle(rng):
    x, y = (
        rounding.truncate_tf32(jnp.asarray(rng.normal(size=3000) * 2.0 ** rng.integers(-6, 6, 3000), jnp.float32)) for _ in "xy"
    )
    oracle = [engine.fpu_sum(float(a), float(b)) for a, b in zip(np.asarray(x), np.asarray(y), strict=True)]
    np.testing.assert_array_equal(np.asarray(eltwise.fpu_sum(x, y)), np.array(oracle, np.float32))


def test_infinities():
    x = jnp.asarray([np.inf, -np.inf, np.inf, -np.inf, 1.0, 3e38], jnp.float32)
    y = jnp.asarray([1.0, 5.0, -np.inf, np.inf, -np.inf, 3e38], jnp.float32)
    np.testing.assert_array_equal(eltwise.fpu_sum(x, y), np.array([np.inf, -np.inf, 0, 0, -np.inf, np.inf], np.float32))


@pytest.mark.parametrize("fidelity", ["LoFi", "HiFi2", "HiFi3", "HiFi4"])
def test_product_in_a_32_bit_dst_is_the_exact_sum_of_its_phases(rng, fidelity):
    a, b = (rounding.truncate_tf32(jnp.asarray(rng.normal(size=(64, 64)), jnp.float32)) for _ in "ab")
    y = jax.jit(lambda a, b: eltwise.fpu_product(a, b, fidelity, True))(a, b)
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    a_high, a, b_high = engine.keep(a, 5), engine.keep(a, 10), engine.keep(b, 7)
    phases = [a_high * b_high, (a - a_high) * b_high, a_high * (b - b_high), (a - a_high) * (b - b_high)]
    exact = sum(phases[: ["LoFi", "HiFi2", "HiFi3", "HiFi4"].index(fidelity) + 1])
    np.testing.assert_array_equal(np.asarray(y, np.float64), exact)


@pytest.mark.parametrize("fp32_dest", [True, False])
@pytest.mark.parametrize("fidelity", ["LoFi", "HiFi2", "HiFi3", "HiFi4"])
def test_infinity_is_a_large_number_to_the_fpu(fidelity, fp32_dest):
    x, y = (
        jnp.asarray(values, jnp.float32) for values in ([np.inf, -np.inf, 0, np.inf, -np.inf], [0, 0, np.inf, 1.99, np.inf])
    )
    z = np.asarray(eltwise.fpu_product(x, y, fidelity, fp32_dest), np.float32)
    np.testing.assert_array_equal(z, np.array([0, 0, 0, np.inf, -np.inf], np.float32))


def test_float32_pairs_are_added_and_multiplied_in_float32(rng):
    x, y = (rng.normal(size=(32, 32)).astype(np.float32) for _ in "xy")
    added = eltwise.add(jnp.asarray(x), jnp.asarray(y), "float32", engine="sfpu", fp32_dest=True)
    assert_same_bits(added, x + y)
    assert_same_bits(eltwise.multiply(jnp.asarray(x), jnp.asarray(y), "float32", fp32_dest=True), x * y)


@pytest.mark.parametrize("function", [eltwise.add, eltwise.subtract, eltwise.multiply])
@pytest.mark.parametrize("dtype", ["bfloat16", "bfloat8_b"])
def test_gradients_are_those_of_exact_arithmetic(rng, function, dtype):
    x, y = (carried(rng.normal(size=(4, 32)).astype(np.float32), dtype) for _ in "xy")
    options = {"engine": "fpu"} if dtype != "bfloat16" else {}
    exact = {eltwise.add: jnp.add, eltwise.subtract: jnp.subtract, eltwise.multiply: jnp.multiply}[function]
    ours = jax.grad(lambda x, y: function(x, y, dtype, **options).astype(jnp.float32).sum(), argnums=(0, 1))(x, y)
    expected = jax.grad(lambda x, y: exact(x, y).astype(jnp.float32).sum(), argnums=(0, 1))(x, y)
    for a, b in zip(ours, expected, strict=True):
        assert_same_bits(a, b)
