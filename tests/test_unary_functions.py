"""Every function of one number against float64: its values in both widths of Dst, and its derivative."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_jax.kernels import rounding, unary
from tt_jax.kernels import unary_integer as integers

vec = functools.partial(np.vectorize, otypes=[float])
erf, erfc, lgamma = vec(math.erf), vec(math.erfc), vec(math.lgamma)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def difference(f, x, h=1e-4):
    """The derivative of `f` by central differences of order four, in float64."""
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def zeta_sum(x, order):
    """polygamma by its series and the first terms of its tail's expansion."""
    terms, n = 200, order
    k = np.arange(terms)
    x = np.asarray(x, np.float64)[..., None]
    end = x[..., 0] + terms
    tail = end**-n / n + end ** -(n + 1) / 2 + (n + 1) * end ** -(n + 2) / 12
    return (-1) ** (n + 1) * math.factorial(n) * (((x + k) ** -(n + 1)).sum(-1) + tail)


def digamma(x):
    x = np.asarray(x, np.float64)[..., None]
    k, n = np.arange(200), x[..., 0] + 200
    return np.log(n) - 1 / (2 * n) - 1 / (12 * n * n) - (1 / (x + k)).sum(-1)


def bessel(x, order):
    theta = (np.arange(400) + 0.5) * np.pi / 400
    return (np.exp(np.asarray(x)[..., None] * np.cos(theta)) * np.cos(order * theta)).mean(-1)


@vec
def erfinv(y):
    low, high = -6.0, 6.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < y else (low, middle)
    return low


def xielu(x, p=0.8, n=0.8):
    return np.where(x > 0, p * x * x, n * np.expm1(np.minimum(x, -1e-6)) - n * x) + 0.5 * x


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def gelu_tanh(x):
    return x * logistic(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))


# name: parameters, the function in float64, and where it is compared.
SMOOTH = {
    "exp": ((0.0,), np.exp, -80, 80),
    "exp2": ((), np.exp2, -100, 100),
    "expm1": ((), np.expm1, -5, 20),
    "log": ((), np.log, 1e-3, 100),
    "log2": ((), np.log2, 1e-3, 100),
    "log10": ((), np.log10, 1e-3, 100),
    "log1p": ((), np.log1p, -0.9, 10),
    "logit": ((), lambda x: np.log(x / (1 - x)), 0.01, 0.99),
    "sqrt": ((), np.sqrt, 0.01, 1e4),
    "rsqrt": ((), lambda x: x**-0.5, 0.01, 1e4),
    "recip": ((), np.reciprocal, 0.01, 100),
    "cbrt": ((), np.cbrt, 0.01, 100),
    "square": ((), np.square, -10, 10),
    "power": ((3.0,), lambda x: x**3, -5, 5),
    "rpow": ((2.5,), lambda x: 2.5**x, -5, 5),
    "sin": ((), np.sin, -10, 10),
    "cos": ((), np.cos, -10, 10),
    "tan": ((), np.tan, -1.4, 1.4),
    "asin": ((), np.arcsin, -0.99, 0.99),
    "acos": ((), np.arccos, -0.99, 0.99),
    "atan": ((), np.arctan, -10, 10),
    "sinh": ((), np.sinh, -9, 9),
    "cosh": ((), np.cosh, -9, 9),
    "asinh": ((), np.arcsinh, -10, 10),
    "acosh": ((), np.arccosh, 1.1, 10),
    "atanh": ((), np.arctanh, -0.99, 0.99),
    "erf": ((), erf, -4, 4),
    "erfc": ((), erfc, -3, 5),
    "erfinv": ((), erfinv, -0.95, 0.95),
    "lgamma": ((), lgamma, 2.5, 50),
    "digamma": ((), digamma, 2, 100),
    "polygamma": ((3.0,), lambda x: zeta_sum(x, 3), 1, 10),
    "i0": ((), lambda x: bessel(x, 0), -8, 8),
    "i1": ((), lambda x: bessel(x, 1), -8, 8),
    "sigmoid": ((4.0, 0.0), logistic, -10, 10),
    "tanh": ((), np.tanh, -4, 4),
    "silu": ((), lambda x: x * logistic(x), -10, 10),
    "gelu": ((0.0,), lambda x: x * 0.5 * erfc(-x / math.sqrt(2)), -3, 10),
    "gelu_tanh": ((), gelu_tanh, -3, 10),
    "softplus": ((0.5, 20.0), lambda x: softplus(0.5 * x) / 0.5, -10, 10),
    "logsigmoid": ((), lambda x: -softplus(-x), -10, 10),
    "mish": ((), lambda x: x * np.tanh(softplus(x)), -10, 10),
    "elu": ((0.7,), lambda x: elu(x, 0.7), -5, 5),
    "celu": ((0.7,), lambda x: np.where(x > 0, x, 0.7 * np.expm1(np.minimum(x, 0) / 0.7)), -5, 5),
    "selu": ((), lambda x: 1.0507 * elu(x, 1.67326), -5, 5),
    "softsign": ((), lambda x: x / (1 + np.abs(x)), -10, 10),
    "softcap": ((25.0,), lambda x: 25 * np.tanh(x / 25), -60, 60),
    "tanhshrink": ((), lambda x: x - np.tanh(x), 0.02, 10),
    "xielu": ((), xielu, -5, 5),
}
KINKED = {
    "relu": ((), lambda x: np.maximum(x, 0), -5, 5),
    "relu6": ((), lambda x: np.clip(x, 0, 6), -5, 10),
    "relu_max": ((3.5,), lambda x: np.clip(x, 0, 3.5), -5, 10),
    "relu_min": ((-1.5,), lambda x: np.maximum(x, -1.5), -5, 5),
    "leaky_relu": ((0.25,), lambda x: np.where(x < 0, 0.25 * x, x), -5, 5),
    "hardsigmoid": ((), lambda x: np.clip(x / 6 + 0.5, 0, 1), -5, 5),
    "hardswish": ((), lambda x: x * np.clip(x / 6 + 0.5, 0, 1), -5, 5),
    "hardtanh": ((-0.5, 2.0), lambda x: np.clip(x, -0.5, 2.0), -5, 5),
    "hardshrink": ((0.5,), lambda x: np.where(np.abs(x) <= 0.5, 0, x), -5, 5),
    "softshrink": ((0.5,), lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), -5, 5),
    "threshold": ((1.0, 7.0), lambda x: np.where(x > 1, x, 7.0), -5, 5),
    "clamp_tss": ((-1.0, 2.0), lambda x: np.clip(x, -1, 2), -5, 5),
    "abs": ((), np.abs, -5, 5),
    "neg": ((), np.negative, -5, 5),
    "floor": ((), np.floor, -50, 50),
    "ceil": ((), np.ceil, -50, 50),
    "trunc": ((), np.trunc, -50, 50),
    "frac": ((), lambda x: x - np.trunc(x), -50, 50),
    "round": ((), np.round, -50, 50),
    "sign": ((), np.sign, -5, 5),
    "heaviside": ((0.5,), lambda x: np.heaviside(x, 0.5), -5, 5),
    "eqz": ((), lambda x: x == 0, -5, 5),
    "nez": ((), lambda x: x != 0, -5, 5),
    "gtz": ((), lambda x: x > 0, -5, 5),
    "gez": ((), lambda x: x >= 0, -5, 5),
    "ltz": ((), lambda x: x < 0, -5, 5),
    "lez": ((), lambda x: x <= 0, -5, 5),
    "logical_not_unary": ((), lambda x: x == 0, -5, 5),
    "signbit": ((), np.signbit, -5, 5),
    "unary_gt": ((1.0,), lambda x: x > 1, -5, 5),
    "add_unary_sfpu": ((1.414,), lambda x: x + 1.414, 0, 0.01),
    "mul_unary_sfpu": ((1.5,), lambda x: x * 1.5, -5, 5),
    "rsub": ((9.87,), lambda x: 9.87 - x, -5, 5),
    "rdiv": ((3.0, 2.0), lambda x: np.floor(3 / x), 0.5, 5),
    "identity": ((), lambda x: x, -5, 5),
    "fill": ((2.5,), lambda x: np.full_like(x, 2.5), -5, 5),
}
DIFFERENTIATED = """exp log sqrt rsqrt recip cbrt power logit polygamma i0 sigmoid tanh silu gelu gelu_tanh erf softplus mish elu celu
selu softsign tanhshrink xielu""".split()
"""Functions with a derivative of their own making: a rule, a branch, a clip. The others are JAX's."""

FORMULAS = {"exp", "sigmoid", "tanh", "silu", "gelu", "erf", "log"}
"""What a 16-bit Dst gets by the device's own formulas, within 1.05 ULP; the rest is rounded once."""


def samples(rng, low, high):
    x = rng.uniform(low, high, 2000)
    return np.asarray(rounding.host_bfloat16(jnp.asarray(np.append(x, [low, high]), jnp.float32)).astype(jnp.float32))


@functools.partial(jax.jit, static_argnums=(0, 1))
def both_widths(name, parameters, x):
    """Dst after a function, 32-bit and 16-bit, as float32."""
    return tuple(rounding.widen(unary.apply(name, parameters, x, fp32_dest)) for fp32_dest in (True, False))


@functools.partial(jax.jit, static_argnums=(0, 1))
def both_slopes(name, parameters, x):
    return tuple(
        jax.grad(lambda x: rounding.widen(unary.apply(name, parameters, x, fp32_dest)))(x)  # noqa: B023
        for fp32_dest in (True, False)
    )


@pytest.mark.parametrize("name", SMOOTH | KINKED)
def test_values_are_those_of_float64(rng, name):
    parameters, oracle, low, high = (SMOOTH | KINKED)[name]
    x = samples(rng, low, high)
    expected = oracle(x.astype(np.float64)).astype(np.float64)
    y, short = (np.asarray(y, np.float64) for y in both_widths(name, parameters, x))
    np.testing.assert_allclose(y, expected, rtol=4e-6, atol=3e-7)
    step = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(expected), 2.0**-20))) - 7)
    bound = 1.05 if name in FORMULAS else 0.501
    assert (np.abs(short - expected) / step).max() <= bound
    assert np.linalg.norm(short - expected) <= 3e-3 * np.linalg.norm(expected)
    assert abs((short - expected).mean()) <= 5e-4 * np.abs(expected).mean()


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_derivatives_are_those_of_float64(name):
    parameters, oracle, low, high = SMOOTH[name]

    @settings(max_examples=5, deadline=None, derandomize=True, database=None)
    @given(st.floats(0.01, 0.99))
    def check(share):
        x = np.float32(low + share * (high - low))
        expected = float(difference(oracle, np.float64(x), 1e-4 * min(1.0, high - low)))
        exact, short = map(float, both_slopes(name, parameters, x))
        assert exact == pytest.approx(expected, rel=2e-4, abs=1e-5)
        # The device's exponential is off by up to 1.9e-3, and its derivative is itself.
        assert short == pytest.approx(expected, rel=2.5e-3 if name == "exp" else 2e-4, abs=1e-5)

    check()


@pytest.mark.parametrize("fp32_dest", [True, False], ids=["fp32", "bf16"])
def test_activations_have_finite_derivatives_everywhere(fp32_dest):
    x = jnp.asarray(
        [0.0, -0.0, 1e-40, 1e-30, -1e-30, 1.0, -1.0, 3.0, -3.0, 60.0, -60.0, 150.0, -150.0, 1e38, -1e38], jnp.float32
    )
    names = "relu relu6 gelu gelu_tanh silu sigmoid tanh mish hardmish hardsigmoid hardswish softplus logsigmoid elu celu selu softsign erf"
    for name in names.split():
        for parameters in ((), (1.0,)) if name in ("gelu", "mish") else ((),):
            function = functools.partial(unary.apply, name, parameters, fp32_dest=fp32_dest)
            slope = jax.jit(jax.vmap(jax.grad(lambda x, f=function: rounding.widen(f(x)))))(x)
            assert np.isfinite(slope).all() and np.abs(slope).max() <= 2, name
            assert float(slope[5]) > 0.1, name


def test_special_values_of_a_32_bit_dst():
    x = jnp.asarray([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40], jnp.float32)
    nan, inf = np.nan, np.inf
    expected = {
        "exp": [nan, inf, 0, 1, 1, 1],
        "log": [nan, inf, nan, -inf, -inf, -inf],
        "recip": [nan, 0, 0, inf, -inf, inf],
        "rsqrt": [nan, 0, nan, inf, -inf, inf],
        "silu": [nan, inf, 0, 0, 0, 0],
        "gelu": [nan, inf, 0, 0, 0, 0],
        "isnan": [1, 0, 0, 0, 0, 0],
        "isinf": [0, 1, 1, 0, 0, 0],
        "isposinf": [0, 1, 0, 0, 0, 0],
        "isneginf": [0, 0, 1, 0, 0, 0],
        "isfinite": [0, 0, 0, 1, 1, 1],
        "signbit": [0, 0, 1, 0, 1, 0],
        "eqz": [0, 0, 0, 1, 1, 1],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(both_widths(name, (), x)[0], np.float32(values), err_msg=name)


def test_predicates_see_nan_in_a_16_bit_dst():
    x = jnp.asarray([np.nan, np.inf, 1.0], jnp.float32)
    np.testing.assert_array_equal(both_widths("isnan", (), x)[1], [1, 0, 0])
    np.testing.assert_array_equal(both_widths("isfinite", (), x)[1], [0, 0, 1])


def test_hardshrink_compares_with_what_the_dtype_can_hold():
    x = jnp.asarray([0.10009765625], jnp.float32)  # the bfloat16 nearest to 0.1, which is less
    exact, short = both_widths("hardshrink", (0.1,), x)
    assert float(short[0]) == 0 and float(exact[0]) == float(x[0])


def test_hardmish_is_cut_where_others_are_rounded():
    x = jnp.asarray([-0.30078125], jnp.float32)
    exact = np.float64(x[0]) * (float(x[0]) / 2 + 1)
    y = float(unary.apply("hardmish", (), x, False)[0])
    assert 0 <= (abs(exact) - abs(y)) / 2.0 ** (math.floor(math.log2(abs(exact))) - 7) < 1
    assert y != float(jnp.asarray(exact).astype(jnp.bfloat16))


@pytest.mark.parametrize("name", ["gelu", "sigmoid"])
def test_tables_stay_within_their_stated_error(name):
    x = np.linspace(-8, 8, 4001).astype(np.float32)
    parameters = (1.0,) if name == "gelu" else (4.0, 1.0)
    oracle = {"gelu": lambda x: x * 0.5 * erfc(-x / math.sqrt(2)), "sigmoid": logistic}[name]
    error = np.abs(both_widths(name, parameters, x)[0] - oracle(x.astype(np.float64))).max()
    assert error < {"gelu": 0.0245, "sigmoid": 0.12}[name]
    assert error > 0.01  # it is the table


def test_a_chain_rounds_after_each_function():
    x = jnp.linspace(-3, 3, 101, dtype=jnp.float32)
    chain = (("relu", ()), ("exp", (0.0,)), ("add_unary_sfpu", (1.0,)), ("recip", ()))
    expected = x
    for name, parameters in chain:
        expected = both_widths(name, parameters, expected)[1]
    y = jax.jit(lambda x: unary.apply_chain(chain, x, False))(x)
    np.testing.assert_array_equal(rounding.widen(y), expected)


INTEGERS = {
    "relu": ((), lambda x: np.maximum(x, 0)),
    "relu6": ((), lambda x: np.clip(x, 0, 6)),
    "relu_max": ((9.0,), lambda x: np.clip(x, 0, 9)),
    "relu_min": ((4.0,), lambda x: np.maximum(x, 4)),
    "abs": ((), np.abs),
    "neg": ((), np.negative),
    "square": ((), np.square),
    "bitwise_not": ((), np.invert),
    "eqz": ((), lambda x: x == 0),
    "nez": ((), lambda x: x != 0),
    "gtz": ((), lambda x: x > 0),
    "gez": ((), lambda x: x >= 0),
    "ltz": ((), lambda x: x < 0),
    "lez": ((), lambda x: x <= 0),
    "signbit": ((), lambda x: x < 0),
    "logical_not_unary": ((), lambda x: x == 0),
    "clamp_tss": ((-7.0, 12.0), lambda x: np.clip(x, -7, 12)),
    "fill": ((3.0,), lambda x: np.full_like(x, 3)),
    "add_unary_sfpu": ((5.0,), lambda x: x + 5),
    "rsub": ((5.0,), lambda x: 5 - x),
    "bitwise_and": ((12.0,), lambda x: x & 12),
    "left_shift": ((3.0,), lambda x: x << 3),
    "right_shift": ((3.0,), lambda x: x >> 3),
    "unary_le": ((2.0,), lambda x: x <= 2),
}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=8), st.sampled_from(sorted(INTEGERS)))
def test_integers_are_exact(values, name):
    x = np.asarray(values, np.int32)
    parameters, oracle = INTEGERS[name]
    for dtype in (np.int32, np.uint32, np.uint16):
        if np.dtype(dtype).name not in integers.FUNCTIONS[name].dtypes:
            continue
        z = x.astype(dtype)
        with np.errstate(over="ignore"):
            expected = oracle(z).astype(dtype)
        np.testing.assert_array_equal(integers.apply_chain(((name, parameters),), jnp.asarray(z)), expected)


@pytest.mark.parametrize(
    ("name", "parameters", "slope"),
    [("abs", (), 0.0), ("i0", (), 0.0), ("elu", (1.0,), 1.0), ("celu", (1.0,), 1.0), ("leaky_relu", (0.25,), 0.25)],
)
def test_slopes_at_zero_are_one_branch_s(name, parameters, slope):
    function = lambda x: unary.apply(name, tuple(map(np.float32, parameters)), x, True)
    assert jax.grad(function)(jnp.float32(0)) == slope


@pytest.mark.parametrize("exponent", [np.nan, np.inf, -np.inf])
def test_powers_that_are_not_finite(exponent):
    x = np.float32([0.5, 1, 2])
    y = unary.apply("power", (np.float32(exponent),), jnp.asarray(x), True)
    np.testing.assert_array_equal(y, np.power(x, np.float32(exponent)))


LOOKED_UP = ["gelu", "lgamma", "power"]


@pytest.mark.parametrize(
    "name",
    [*LOOKED_UP, *(pytest.param(name, marks=pytest.mark.slow) for name in sorted(unary._COSTLY.difference(LOOKED_UP)))],
)
def test_what_is_looked_up_is_what_is_computed(name):
    """Many bfloat16 values come from a table: every pattern, each of `_MANY // 2**16` times, against the function itself."""
    patterns = jax.lax.bitcast_convert_type(jnp.arange(2**16, dtype=jnp.uint16), jnp.bfloat16)
    x, chain = jnp.tile(patterns, unary._MANY // 2**16), ((name, (1.5,) * unary.FUNCTIONS[name].least),)
    looked_up = unary.apply_chain(chain, x, False)
    computed = jax.jit(unary.apply, static_argnums=(0, 1, 3))(*chain[0], rounding.widen(patterns), False)
    assert looked_up.dtype == computed.dtype
    expected = np.tile(np.asarray(computed), unary._MANY // 2**16)
    np.testing.assert_array_equal(np.asarray(looked_up, np.float32), expected.astype(np.float32))


def test_what_is_looked_up_has_the_slope_of_the_function(rng):
    x = jnp.asarray(rng.normal(size=unary._MANY), jnp.bfloat16)
    total = jax.jit(lambda x: unary.apply_chain((("gelu", ()),), x, False).astype(jnp.float32).sum())
    few = jax.grad(total)(x[:64])
    assert float(jnp.abs(few).max()) > 0.5
    np.testing.assert_array_equal(np.asarray(jax.grad(total)(x)[:64], np.float32), np.asarray(few, np.float32))
