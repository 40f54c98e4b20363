"""Fake quantization: values against the integer oracle and against tensors, the identity's derivative, and what is refused."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from oracles import rounding as rounding_oracle
from patterns import SPECIAL, assert_same_bits, float32
from tt_jax.fake_quant import fake_quant
from tt_jax.testing import block_float as oracle

BLOCK_FLOATS = ["bfloat8_b", "bfloat4_b"]
FLOATS = ["float32", "bfloat16", *BLOCK_FLOATS]
RULES = ["host", "device", "precise"]
CARRIERS = [np.float32, ml_dtypes.bfloat16]

every_block_float = pytest.mark.parametrize("dtype", BLOCK_FLOATS)
every_float = pytest.mark.parametrize("dtype", FLOATS)
every_rule = pytest.mark.parametrize("rule", RULES)
every_carrier = pytest.mark.parametrize("carrier", CARRIERS, ids=["float32", "bfloat16"])


def drawn(shape, carrier=np.float32, seed=0):
    """Normal values whose rows differ by powers of two, so that groups have exponents of their own."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) * 2.0 ** rng.integers(-8, 8, (*shape[:-1], 1))).astype(np.float32).astype(carrier)


@every_block_float
@every_rule
@every_carrier
@pytest.mark.parametrize("shape", [(7,), (3, 50), (2, 3, 5, 16)], ids=str)
def test_block_floats_equal_the_integer_oracle(dtype, rule, carrier, shape):
    w = drawn(shape, carrier)
    assert_same_bits(fake_quant(w, dtype, rule), oracle.quantize(w, dtype, rule))


@every_block_float
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([1.0, 8.0, 40.0]))
def test_any_float32_equals_the_integer_oracle(dtype, seed, spread):
    rng = np.random.default_rng(seed)
    w = np.ldexp(rng.normal(size=(4, 40)), rng.uniform(-spread, spread, (4, 40)).astype(int)).astype(np.float32)
    assert_same_bits(fake_quant(w, dtype), oracle.quantize(w, dtype))


def test_bfloat16_is_rounded_by_the_rule():
    w = float32(SPECIAL)
    assert_same_bits(fake_quant(w, "bfloat16"), rounding_oracle.host_bfloat16(w).astype(np.float32))
    for rule in ("device", "precise"):
        assert_same_bits(fake_quant(w, "bfloat16", rule), rounding_oracle.nearest_away_bfloat16(w).astype(np.float32))
    tie = np.float32(1 + 2**-8)
    assert [float(fake_quant(np.full(1, tie), "bfloat16", rule)[0]) for rule in ("host", "device")] == [1, 1 + 2**-7]
    narrow = drawn((3, 20), ml_dtypes.bfloat16)
    assert_same_bits(fake_quant(narrow, "bfloat16", "device"), narrow)


@every_float
def test_it_is_what_a_tensor_of_the_dtype_holds(dtype):
    w = drawn((40, 50))
    memory = tt.MemoryState.create(tt.N150)
    kind = getattr(tt, dtype)
    _, tensor = tt.from_array(memory, w, dtype=kind, layout=tt.TILE_LAYOUT)
    assert_same_bits(fake_quant(w, kind), np.asarray(tt.to_array(tensor)).astype(np.float32))
    assert_same_bits(fake_quant(fake_quant(w, kind), kind), fake_quant(w, kind))


def test_groups_lie_along_the_last_axis():
    w = np.full((2, 32), 2.0**-4, np.float32)
    w[0, 3] = 1.0  # its group's step in bfloat4_b is 1/4: the rest of the group is lost, and nothing else
    expected = w.copy()
    expected[0, :16] = 0
    expected[0, 3] = 1
    assert_same_bits(fake_quant(w, tt.bfloat4_b), expected)


@every_float
@every_rule
@every_carrier
def test_its_derivative_is_the_identity(dtype, rule, carrier):
    w, weights = jnp.asarray(drawn((3, 20), carrier)), jnp.asarray(drawn((3, 20), carrier, seed=1))

    @jax.jit
    def derivatives(w):
        quantized = lambda w: fake_quant(w, dtype, rule)
        gradient = jax.grad(lambda w: (quantized(w) * weights).astype(jnp.float32).sum())(w)
        by_rows = jax.vmap(jax.grad(lambda w, v: (quantized(w) * v).astype(jnp.float32).sum()))(w, weights)
        return gradient, by_rows, jax.jvp(quantized, (w,), (weights,)), jax.vmap(quantized)(w)

    gradient, by_rows, (y, tangent), mapped = derivatives(w)
    for slope in (gradient, by_rows, tangent):
        assert_same_bits(slope, weights)
    assert_same_bits(y, fake_quant(w, dtype, rule))
    assert_same_bits(mapped, y)


@every_float
@every_carrier
def test_at_level_float32_it_is_the_identity(dtype, carrier):
    w = drawn((3, 20), carrier)
    run = jax.jit(lambda w: fake_quant(w, dtype))
    with tt.numerics("float32"):
        assert_same_bits(fake_quant(w, dtype), w)
        assert_same_bits(run(w), w)
    with tt.numerics("device"):
        assert_same_bits(run(w), fake_quant(w, dtype))
    if dtype in BLOCK_FLOATS:
        assert not np.array_equal(np.asarray(run(w)), w), "traced anew at the level in force"


def test_an_empty_array_stays_empty():
    assert fake_quant(np.zeros((3, 0), np.float32), tt.bfloat4_b).shape == (3, 0)


W = np.ones((2, 16), np.float32)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: fake_quant(W, tt.int32), "`dtype` must be one of .*bfloat4_b.*, got DataType.INT32"),
        (lambda: fake_quant(W, "bfloat2"), "or its DataType, got 'bfloat2'"),
        (lambda: fake_quant(W, np.float32), "or its DataType, got <class 'numpy.float32'>"),
        (lambda: fake_quant(W, tt.bfloat8_b, "nearest"), "`rule` must be one of host, device, precise, got 'nearest'"),
        (lambda: fake_quant(W.astype(np.float64), tt.bfloat8_b), "must be float32 or bfloat16, got float64: convert it"),
        (lambda: fake_quant(W.astype(np.int32), tt.bfloat16), "must be float32 or bfloat16, got int32"),
        (lambda: fake_quant(jnp.ones(16, jnp.float16), tt.bfloat16), "got float16"),
        (lambda: fake_quant(np.float32(1), tt.bfloat8_b), "`w` is a scalar: pass an array"),
        (lambda: jax.jit(lambda w: fake_quant(w, "bfloat8_b"))(np.float32(1)), "`w` is a scalar"),
    ],
)
def test_what_is_refused(call, text):
    with pytest.raises(tt.ArgumentError, match=text):
        call()
