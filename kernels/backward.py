"""Derivatives of element-wise functions, by JAX's own differentiation of the exact functions in float32."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import binary, rounding, unary
from tt_jax.kernels.packer import to_dst

Parameters = tuple[Any, ...]
Forward = Callable[..., Array]


def _unary(name: str) -> Forward:
    """The vector unit's function `name` of float32, exact."""
    return lambda parameters, x: unary.FUNCTIONS[name].evaluate(x, tuple(parameters), True)


def _binary(name: str) -> Forward:
    """The function `name` of two float32 arrays, exact."""
    return lambda parameters, x, y: binary.of_floats(name, x, y, "sfpu", True, tuple(parameters))


def _flat(parameters: Parameters, *inputs: Array) -> Array:
    """Constant where it is defined: a rounding, a fill."""
    return jnp.zeros(jnp.broadcast_shapes(*(x.shape for x in inputs)), jnp.float32)


def _gelu(parameters: Parameters, x: Array) -> Array:
    return _unary("gelu_tanh" if parameters == ("tanh",) else "gelu")((), x)


def _bias_gelu(parameters: Parameters, x: Array, y: Array) -> Array:
    return _gelu(parameters, x + y)


def _clamp(parameters: Parameters, x: Array, *bounds: Array) -> Array:
    """Of slope 1 at the bounds too, as in torch."""
    low, high = bounds or parameters
    return jnp.where((x >= low) & (x <= high), x, lax.stop_gradient(jnp.minimum(jnp.maximum(x, low), high)))


def _ramp(low: float, high: float, slope: float = 1.0) -> Forward:
    """Of `slope` between `low` and `high`, and 0 from either on, as in torch."""

    def forward(parameters: Parameters, x: Array) -> Array:
        least, most = parameters or (low, high)
        return np.float32(slope) * jnp.where((x > least) & (x < most), x, lax.stop_gradient(jnp.clip(x, least, most)))

    return forward


def _multigammaln(parameters: Parameters, x: Array) -> Array:
    lgamma = _unary("lgamma")
    return lgamma((), x) + lgamma((), x - 0.5) + lgamma((), x - 1.0) + lgamma((), x - 1.5)


def _quotient(parameters: Parameters, x: Array, y: Array) -> Array:
    return x / y if parameters in ((), (None,), ("None",)) else _flat((), x, y)


def _rdiv(parameters: Parameters, x: Array) -> Array:
    scalar, mode = parameters
    return np.float32(scalar) / x if mode in (None, "None") else _flat((), x)


def _select(parameters: Parameters, predicate: Array, x: Array, y: Array) -> Array:
    return jnp.where(predicate != 0, x, y)


def _scaled(factor: float) -> Forward:
    return lambda parameters, x: x * np.float32(factor)


_NAMES = (
    "abs acos acosh asin asinh atan atanh celu cos cosh digamma elu erf erfc erfinv exp exp2 expm1 frac hardshrink "
    "hardswish i0 leaky_relu lgamma log log10 log1p log2 logit neg polygamma relu rpow rsqrt selu sigmoid silu sin sinh "
    "softplus softshrink softsign sqrt square tan tanh tanhshrink threshold"
).split()
_PAIRS = "add addalpha atan2 div_no_nan fmod hypot ldexp logaddexp logaddexp2 remainder rsub squared_difference subalpha xlogy".split()

FORWARDS: dict[str, Forward] = {
    **{name: _unary(name) for name in _NAMES},
    **{name: _binary(name) for name in _PAIRS},
    **dict.fromkeys(("ceil", "fill", "fill_zero", "floor", "round", "sign", "trunc"), _flat),
    "addcdiv": lambda parameters, x, y, z: x + np.float32(parameters[0]) * y / z,
    "addcmul": lambda parameters, x, y, z: x + np.float32(parameters[0]) * y * z,
    "bias_gelu": _bias_gelu,
    "clamp": _clamp,
    "clip": _clamp,
    "deg2rad": _scaled(math.pi / 180),
    "div": _quotient,
    "gelu": _gelu,
    "hardsigmoid": _ramp(-3.0, 3.0, 1 / 6),
    "hardtanh": _ramp(-1.0, 1.0),
    "lerp": lambda parameters, x, y, weight: x + weight * (y - x),
    "log_sigmoid": _unary("logsigmoid"),
    "logiteps": _unary("logit"),
    "max": _binary("maximum"),
    "min": _binary("minimum"),
    "mul": _binary("multiply"),
    "multigammaln": _multigammaln,
    "pow": _unary("power"),
    "rad2deg": _scaled(180 / math.pi),
    "rdiv": _rdiv,
    "relu6": _ramp(0.0, 6.0),
    "reciprocal": _unary("recip"),
    "sub": _binary("subtract"),
    "where": _select,
}


def gradient(name: str, index: int, parameters: Parameters, grad: Array, inputs: tuple[Array, ...], fp32_dest: bool) -> Array:
    """Dst: `grad` times the derivative of the function `name`, a key of `FORWARDS`, by the input at `index`.

    Arrays are bfloat16 or float32 and broadcast as in NumPy; `grad` has the shape of the function's result. The gradient is summed over
    the dimensions in which its input was repeated.
    """
    wide = tuple(rounding.flush_subnormals(rounding.widen(x)) for x in inputs)

    def forward(x: Array) -> Array:
        return FORWARDS[name](parameters, *wide[:index], x, *wide[index + 1 :])

    _, pullback = jax.vjp(forward, wide[index])
    (slope,) = pullback(rounding.widen(grad))
    if name == "pow" and parameters != (
        0.0,
    ):  # the device raises to a power by logarithms (golden function, spec/api_usage.md)
        slope = jnp.where(wide[index] < 0, jnp.inf, slope)
    return to_dst(slope, fp32_dest)
