"""Backward operations: against formulas in float64, and against difference quotients of the forward functions."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from operation_calls import MEMORY, T, fails
from tt_jax.kernels import backward as kernel
from tt_jax.ops import backward

SHAPE = (2, 5, 40)


def tensors(*arrays, memory=None, dtype=tt.float32):
    memory = memory or tt.MemoryState.create(tt.N150)
    made = []
    for array in arrays:
        memory, x = tt.from_array(memory, np.asarray(array, np.float32), dtype=dtype, layout=tt.TILE_LAYOUT)
        made.append(x)
    return memory, *made


def wide(x):
    return np.asarray(x.array, np.float64)


FORMULAS = {  # of the gradient g and the operands
    "exp": lambda g, x: g * np.exp(x),
    "relu": lambda g, x: g * (x > 0),
    "tanh": lambda g, x: g * (1 - np.tanh(x) ** 2),
    "sigmoid": lambda g, x: g * np.exp(-x) / (1 + np.exp(-x)) ** 2,
    "square": lambda g, x: 2 * g * x,
    "sqrt": lambda g, x: g / (2 * np.sqrt(x)),
    "log": lambda g, x: g / x,
    "reciprocal": lambda g, x: -g / x**2,
    "neg": lambda g, x: -g,
    "abs": lambda g, x: g * np.sign(x),
    "floor": lambda g, x: 0 * g,
    "frac": lambda g, x: g,
    "deg2rad": lambda g, x: np.deg2rad(g),
    "add": lambda g, x, y: (g, g),
    "sub": lambda g, x, y: (g, -g),
    "rsub": lambda g, x, y: (-g, g),
    "mul": lambda g, x, y: (g * y, g * x),
    "div": lambda g, x, y: (g / y, -g * x / y**2),
    "max": lambda g, x, y: (g * (x > y), g * (y > x)),
    "hypot": lambda g, x, y: (g * x / np.hypot(x, y), g * y / np.hypot(x, y)),
    "squared_difference": lambda g, x, y: (2 * g * (x - y), -2 * g * (x - y)),
    "addcmul": lambda g, x, y, z: (g, g * z, g * y),
    "addcdiv": lambda g, x, y, z: (g, g / z, -g * y / z**2),
    "lerp": lambda g, x, y, w: (g * (1 - w), g * w),
    "where": lambda g, p, x, y: (g * (p != 0), g * (p == 0)),
}


CASES = [*((name, tt.float32) for name in FORMULAS), *((name, tt.bfloat16) for name in ("tanh", "div", "addcdiv", "where"))]


@pytest.mark.parametrize("name, dtype", CASES)
def test_formulas(rng, name, dtype):
    arity = len(inspect.signature(FORMULAS[name]).parameters)
    memory, grad, *x = tensors(rng.normal(size=SHAPE), *(rng.uniform(0.5, 3, SHAPE) for _ in range(arity - 1)), dtype=dtype)
    after, found = getattr(backward, f"{name}_bw")(memory, grad, *x)
    expected = FORMULAS[name](wide(grad), *map(wide, x))
    expected = expected if isinstance(expected, tuple) else (expected,)
    assert len(found) == len(expected)
    assert len(after.live(tt.BufferType.DRAM)) == len(memory.live(tt.BufferType.DRAM)) + len(found)
    for y, exact in zip(found, expected, strict=True):
        assert (y.dtype, y.shape) == (dtype, SHAPE)
        np.testing.assert_allclose(wide(y), exact, rtol=2**-7.9 if dtype is tt.bfloat16 else 1e-5, atol=1e-6)


PAIRS = [name for name in kernel.FORWARDS if "other_tensor" in inspect.signature(getattr(backward, f"{name}_bw")).parameters]
SMOOTH = sorted(kernel.FORWARDS.keys() - {"where", "fill", "fill_zero", "ceil", "floor", "round", "sign", "trunc", "frac"})
ARGUMENTS = {
    "polygamma": (1.0,),
    "leaky_relu": (0.1,),
    "pow": (1.7,),
    "rpow": (1.7,),
    "threshold": (0.1, 0.0),
    "rdiv": (2.0,),
    "clamp": (0.1, 0.9),
}
RANGES = {"acosh": (1.2, 3), "multigammaln": (3, 5), "erfinv": (0.05, 0.6), "atanh": (0.05, 0.6), "logaddexp": (-1, 1)}


@pytest.mark.parametrize("name", SMOOTH)
def test_difference_quotients(rng, name):
    """Functions are smooth where they are asked: away from kinks, on one side of 1/2 and so on."""
    operands = {"addcdiv": 3, "addcmul": 3, "lerp": 3}.get(name, 1 if name not in PAIRS else 2)
    low, high = RANGES.get(name, (0.2, 0.4))
    inputs = [rng.uniform(low + i, high + i, 64) if operands == 2 else rng.uniform(low, high, 64) for i in range(operands)]
    memory, grad, *x = tensors(np.ones(64), *inputs)
    extra = ARGUMENTS.get(name if name != "clip" else "clamp", ())
    _, found = getattr(backward, f"{name}_bw")(memory, grad, *x, *extra)
    parameters = {"rdiv": (2.0, None), "addcdiv": (1.0,), "addcmul": (1.0,), "addalpha": (1.0,), "subalpha": (1.0,)}.get(
        name, extra
    )
    step = 2.0**-7
    for i, y in enumerate(found):
        ends = []
        for sign in (1, -1):
            moved = [jnp.asarray(wide(v) + (sign * step if j == i else 0), jnp.float32) for j, v in enumerate(x)]
            ends.append(np.asarray(kernel.FORWARDS[name](parameters, *moved), np.float64))
        np.testing.assert_allclose(wide(y), (ends[0] - ends[1]) / (2 * step), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_a_number_has_no_gradient(rng, name):
    memory, grad, x = tensors(rng.normal(size=SHAPE), rng.uniform(0.5, 3, SHAPE))
    _, (y,) = getattr(backward, f"{name}_bw")(memory, grad, x, 2.0)
    exact = {"add": 1, "sub": 1, "mul": 2, "div": 0.5}[name] * wide(grad)
    np.testing.assert_allclose(wide(y), exact, rtol=1e-6)


def test_only_what_is_required_is_computed(rng):
    memory, grad, x, y, output = tensors(*(rng.normal(size=SHAPE) for _ in range(4)))
    after, (a, b) = backward.mul_bw(memory, grad, x, y, are_required_outputs=[False, True], other_grad=output)
    assert a is None
    assert (after, b.buffer) == (memory, output.buffer)
    np.testing.assert_allclose(wide(b), wide(grad) * wide(x), rtol=1e-6)


def test_the_gradient_of_what_was_repeated_is_a_sum(rng):
    memory, grad, x, y = tensors(rng.normal(size=SHAPE), rng.normal(size=SHAPE), rng.normal(size=(1, 1, 40)))
    _, (_, b) = backward.mul_bw(memory, grad, x, y)
    assert b.shape == (1, 1, 40)
    np.testing.assert_allclose(wide(b), (wide(grad) * wide(x)).sum((0, 1), keepdims=True), rtol=1e-4, atol=1e-5)


def test_modes(rng):
    memory, grad, x, y = tensors(rng.normal(size=SHAPE), rng.uniform(-2, 2, SHAPE), rng.uniform(1, 2, SHAPE))
    for _, gradients in (
        backward.div_bw(memory, grad, x, y, rounding_mode="floor"),
        backward.rdiv_bw(memory, grad, x, 2.0, round_mode="trunc"),
    ):
        for each in gradients:
            np.testing.assert_array_equal(wide(each), 0)
    _, (exact,) = backward.gelu_bw(memory, grad, x)
    _, (tanh,) = backward.gelu_bw(memory, grad, x, approximate="tanh")
    assert 1e-5 < np.abs(wide(exact) - wide(tanh)).max() < 1e-2
    _, (clamped,) = backward.clamp_bw(memory, grad, x, -1.0, 0.5)
    np.testing.assert_allclose(wide(clamped), wide(grad) * ((wide(x) > -1) & (wide(x) < 0.5)))
    _, (power,) = backward.pow_bw(memory, grad, x, 2.0)
    assert np.isinf(wide(power)[wide(x) < 0]).all()


@pytest.mark.parametrize("operation", [backward.clamp_bw, backward.clip_bw])
def test_clamping_between_tensors_or_one_bound(operation):
    memory, grad, x, low, high = tensors([2.0, 3, 5, 7, 11], [-3.0, -1, 0, 1, 3], [-1.0] * 5, [1.0] * 5)
    for bounds, expected in (
        ((low, high), [0, 3, 5, 7, 0]),  # the bounds themselves pass
        ((-1.0, high), [0, 3, 5, 7, 0]),
        ((None, 1.0), [2, 3, 5, 7, 0]),
        ((low, None), [0, 3, 5, 7, 11]),
        ((1.0, -1.0), [0] * 5),
    ):
        _, gradients = operation(memory, grad, x, *bounds)
        np.testing.assert_array_equal(wide(gradients[0]), expected)
        assert len(gradients) == 1


def test_ramps_are_flat_from_their_ends_on():
    memory, grad, x = tensors([1.0] * 7, [-3.0, -1, 0, 0.5, 1, 3, 6])
    for operation, expected in (
        (backward.hardtanh_bw, [0, 0, 1, 1, 0, 0, 0]),
        (backward.relu6_bw, [0, 0, 0, 1, 1, 1, 0]),
        (backward.hardsigmoid_bw, np.float32([0, 1, 1, 1, 1, 0, 0]) * np.float32(1 / 6)),
    ):
        np.testing.assert_array_equal(wide(operation(memory, grad, x)[1][0]), expected)


def test_a_memory_config(rng):
    memory, grad, x = tensors(rng.normal(size=SHAPE), rng.normal(size=SHAPE))
    assert backward.exp_bw(memory, grad, x, memory_config=tt.L1_MEMORY_CONFIG)[1][0].memory_config == tt.L1_MEMORY_CONFIG


X, WHOLE = T["x"], T["integers"]


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda m: backward.exp_bw(m, X, WHOLE), "gradients are of floats"),
        (lambda m: backward.exp_bw(m, T["wide"], X), "must have the shape of the function's result"),
        (lambda m: backward.mul_bw(m, X, X, T["wide"]), "do not broadcast"),
        (lambda m: backward.exp_bw(m, X, 1.0), "`input_tensor` must be a Tensor"),
        (lambda m: backward.exp_bw(m, 1.0, X), "`grad_tensor` must be a Tensor"),
        (lambda m: backward.mul_bw(m, X, X, "x"), "`other_tensor` must be a Tensor"),
        (lambda m: backward.pow_bw(m, X, X, -0.5), "exponent >= 0.0, got -0.5"),
        (lambda m: backward.pow_bw(m, X, X, "x"), "exponent >= 0.0, got 'x'"),
        (lambda m: backward.clamp_bw(m, X, X), "none of `min`, `max` is given"),
        (lambda m: backward.clamp_bw(m, X, X, "x"), "`min` must be a Tensor"),
        (lambda m: backward.elu_bw(m, X, X, alpha=[1]), "`alpha` must be a number"),
        (lambda m: backward.mul_bw(m, X, X, X, input_grad=T["wide"]), "but the result is"),
        (lambda m: backward.mul_bw(m, X, X, X, input_grad=3), "`input_grad` must be a Tensor"),
        (lambda m: backward.relu_bw(m, X, X, memory_config=3), "`memory_config` must be a MemoryConfig"),
    ],
)
def test_wrong_calls(call, text):
    fails(call, tt.ArgumentError, text, MEMORY)
