"""Functions of the vector unit against what the device made of every bfloat16, bit for bit: specials, NaNs and subnormals too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import patterns
import tt_jax as tt
from recordings import DEVICE
from tt_jax.kernels import rounding
from tt_jax.kernels import unary as kernels
from tt_jax.ops import unary

FAST = {"fast_and_approximate_mode": True}
# Recorded name: file, function and its parameters; the operation and its options.
RECORDED = {
    "relu": ("activations", "relu", (), unary.relu, {}),
    "square": ("activations", "square", (), unary.square, {}),
    "sqrt": ("activations", "sqrt", (), unary.sqrt, {}),
    "tanh": ("activations", "tanh", (0.0,), unary.tanh, {}),
    "sigmoid": ("activations", "sigmoid", (4.0, 0.0), unary.sigmoid, {}),
    "silu": ("activations", "silu", (), unary.silu, {}),
    "gelu": ("activations", "gelu", (0.0,), unary.gelu, {}),
    "gelu_fast": ("unary", "gelu", (1.0,), unary.gelu, FAST),
    "exp": ("exp", "exp", (0.0,), unary.exp, {}),
    "exp_fast": ("exp", "exp", (1.0,), unary.exp, FAST),
    "reciprocal": ("unary", "recip", (), unary.reciprocal, {}),
    "rsqrt": ("unary", "rsqrt", (0.0,), unary.rsqrt, {}),
    "rsqrt_fast": ("unary", "rsqrt", (1.0,), unary.rsqrt, FAST),
    "log": ("unary", "log", (0.0,), unary.log, {}),
    "erf": ("unary", "erf", (0.0,), unary.erf, {}),
    "sigmoid_accurate": ("unary", "sigmoid", (4.0, 0.0), unary.sigmoid_accurate, {}),
}


def recorded(name):
    file = np.load(DEVICE / f"{RECORDED[name][0]}.npz")
    return jnp.asarray(patterns.bfloat16(file["x"])), file[name]


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name", RECORDED)
def test_a_function_equals_the_device_on_every_bfloat16(name, wrap):
    _, function, parameters, *_ = RECORDED[name]
    x, expected = recorded(name)
    y = wrap(lambda x: kernels.apply(function, parameters, rounding.widen(x), fp32_dest=False))(x)
    np.testing.assert_array_equal(patterns.pattern(y), expected)


@pytest.mark.parametrize("name", RECORDED)
def test_an_operation_equals_the_device_on_every_bfloat16(name):
    *_, operation, options = RECORDED[name]
    x, expected = recorded(name)
    memory, x = tt.from_array(tt.MemoryState.create(tt.N150), x, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    with tt.ProgramCache().use() as cache:
        _, y = operation(memory, x, **options)
    assert cache.entries == 1 and y.spec == x.spec
    np.testing.assert_array_equal(patterns.pattern(y.array), expected)
