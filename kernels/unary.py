"""The vector unit's functions of one number, by the names that activations have. `apply` is the door.

`x` is float32 as Dst holds it, subnormals and the sign of zero included; a function returns Dst: float32 if 32-bit, else
bfloat16. What the recordings cover is the device's own (`tt_jax.kernels.sfpu_functions`); everything else is the exact function in
float32, rounded once.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import functions as f
from tt_jax.kernels import rounding, sfpu, sfpu_functions
from tt_jax.kernels.broadcast import where
from tt_jax.kernels.materialize import in_memory
from tt_jax.kernels.packer import to_dst

Parameters = tuple[float, ...]


class Function(NamedTuple):
    """A function of Dst: `evaluate(x, parameters, fp32_dest) -> Dst`, with `least` to `most` parameters."""

    evaluate: Callable[[Array, Parameters, bool], Array]
    least: int = 0
    most: int = 0


@rounding.straight_through
def number(x: Array, fp32_dest: bool) -> Array:
    """`x` as arithmetic reads it: subnormals are zeros, of either sign. In a 16-bit Dst a NaN counts as infinity of its sign.

    The second is measured on most functions (exp, tanh, sigmoid, gelu, erf...) and assumed for the rest.
    """
    x = f.flush_keeping_sign(x)
    if fp32_dest:
        return x
    u = rounding.bits(x)
    infinity = rounding.from_bits(lax.bitwise_or(lax.bitwise_and(u, rounding.SIGN), rounding.EXPONENT))
    return where(lax.gt(lax.bitwise_and(u, rounding.MAGNITUDE), rounding.EXPONENT), infinity, x)


def _store(y: Array, fp32_dest: bool) -> Array:
    """Dst of a float32 result. The NaN that arithmetic makes is positive, hence +inf in a 16-bit Dst (measured: sqrt, log)."""
    return to_dst(y, fp32_dest) if fp32_dest else to_dst(jnp.where(jnp.isnan(y), jnp.nan, y), fp32_dest)


def _exact(function: Callable[..., Array], *defaults: float, required: int = 0) -> Function:
    """A function computed in float32 and rounded once. `defaults` stand for parameters that are not given."""

    def evaluate(x: Array, parameters: Parameters, fp32_dest: bool) -> Array:
        missing = defaults[max(len(parameters) - required, 0) :]
        return _store(function(number(x, fp32_dest), *map(np.float32, (*parameters, *missing))), fp32_dest)

    return Function(evaluate, required, required + len(defaults))


def _flagged(function: Callable[[Array], Array]) -> Function:
    """As `_exact`, with a flag for a faster variant whose own error is not modelled."""
    return _exact(lambda x, fast: function(x), 0.0)


def _device(function: Callable[[Array, bool], Array], flags: int = 0) -> Function:
    """A function that knows the width of Dst itself; `flags` are of variants that compute the same."""
    return Function(lambda x, parameters, fp32_dest: function(number(x, fp32_dest), fp32_dest), 0, flags)


def _variants(accurate: Callable[[Array, bool], Array], fast: Callable[[Array, bool], Array], flag: int = 0) -> Function:
    """Two variants, the second if the parameter at `flag` is set."""

    def evaluate(x: Array, parameters: Parameters, fp32_dest: bool) -> Array:
        chosen = fast if len(parameters) > flag and parameters[flag] else accurate
        return chosen(number(x, fp32_dest), fp32_dest)

    return Function(evaluate, 0, flag + 1)


def _predicate(holds: Callable[..., Array], required: int = 0) -> Function:
    """1.0 where `holds(x, *parameters)`, else 0.0. Sees NaN as it is; subnormals are zeros."""

    def evaluate(x: Array, parameters: Parameters, fp32_dest: bool) -> Array:
        return to_dst(jnp.where(holds(number(x, True), *map(np.float32, parameters)), 1.0, 0.0), fp32_dest)

    return Function(evaluate, required, required)


def _hardshrink(x: Array, parameters: Parameters, fp32_dest: bool) -> Array:
    bound = jnp.asarray(parameters[0] if parameters else 0.5, jnp.float32)
    if not fp32_dest:  # the device compares with what the input's dtype can hold
        bound = rounding.widen(rounding.nearest_even_bfloat16(bound))
    x = number(x, fp32_dest)
    return _store(jnp.where(jnp.abs(x) <= bound, 0.0, x), fp32_dest)


def _hardmish(x: Array, parameters: Parameters, fp32_dest: bool) -> Array:
    x = number(x, fp32_dest)
    y = f.hardmish(x)
    y = jnp.where(x == -jnp.inf, np.float32(jnp.nan if fp32_dest else jnp.inf), y)  # the device multiplies it by 0
    return y if fp32_dest else rounding.truncate_bfloat16(y)  # stored without rounding


def _rotate90(x: Array) -> Array:
    """(-b, a) for each pair (a, b) along the last axis."""
    pairs = x.reshape(*x.shape[:-1], -1, 2)
    return jnp.stack((-pairs[..., 1], pairs[..., 0]), -1).reshape(x.shape)


def _square(x: Array, fp32_dest: bool) -> Array:
    y = lax.square(x)
    return y if fp32_dest else rounding.nearest_even_bfloat16(y)  # a multiplication, which rounds so


def _round(x: Array, decimals: np.float32) -> Array:
    scale = np.float32(10.0 ** float(decimals))
    scaled = x * scale
    return jnp.where(jnp.isfinite(scaled), jnp.round(scaled) / scale, x)


def _divided(x: Array, value: np.float32, mode: np.float32) -> Array:
    y = value / x
    return (y, jnp.trunc(y), jnp.floor(y))[int(mode)]


FUNCTIONS: dict[str, Function] = {
    # the device's own, bit for bit or within what tests/test_unary_recorded.py says
    "exp": Function(lambda x, p, fp32_dest: sfpu.exp(number(x, True), bool(p and p[0]), fp32_dest), 0, 1),
    "recip": _device(sfpu_functions.recip),
    "sqrt": Function(lambda x, p, fp32_dest: sfpu_functions.sqrt(x, fp32_dest), 0, 1),
    "rsqrt": Function(lambda x, p, fp32_dest: sfpu_functions.rsqrt(x, bool(p and p[0]), fp32_dest), 0, 1),
    "tanh": _device(sfpu_functions.tanh, flags=1),
    "sigmoid": _variants(sfpu_functions.sigmoid, sfpu_functions.sigmoid_fast, flag=1),
    "silu": _device(sfpu_functions.silu),
    "gelu": _variants(sfpu_functions.gelu, sfpu_functions.gelu_fast),
    "erf": _device(sfpu_functions.erf, flags=1),
    "log": _device(sfpu_functions.log, flags=1),
    "square": _device(_square),
    "relu": _exact(lambda x: jnp.where(x > 0, x, 0.0)),
    # powers, exponentials, logarithms
    "power": _exact(f.power, required=1),
    "power_iterative": _exact(f.power, required=1),
    "rpow": _exact(f.rpow, required=1),
    "cbrt": _exact(jnp.cbrt),
    "exp2": _exact(jnp.exp2),
    "expm1": _exact(jnp.expm1),
    "log1p": _flagged(jnp.log1p),
    "log2": _flagged(jnp.log2),
    "log10": _flagged(jnp.log10),
    "logit": _exact(f.logit, -1.0),
    # trigonometry
    "sin": _exact(jnp.sin),
    "cos": _exact(jnp.cos),
    "tan": _exact(jnp.tan),
    "asin": _exact(jnp.arcsin),
    "acos": _exact(jnp.arccos),
    "atan": _exact(jnp.arctan),
    "sinh": _exact(jnp.sinh),
    "cosh": _exact(jnp.cosh),
    "asinh": _exact(jnp.arcsinh),
    "acosh": _exact(jnp.arccosh),
    "atanh": _exact(jnp.arctanh),
    # special functions
    "erfc": _exact(lax.erfc),
    "erfinv": _exact(lax.erf_inv),
    "lgamma": _exact(lax.lgamma),
    "digamma": _exact(f.digamma),
    "polygamma": _exact(f.polygamma, 1.0, required=1),
    "i0": _exact(f.i0),
    "i1": _exact(f.i1),
    # signs and roundings
    "abs": _exact(f.magnitude),
    "neg": _exact(jnp.negative),
    "sign": _exact(jnp.sign),
    "identity": Function(lambda x, parameters, fp32_dest: to_dst(x, fp32_dest)),
    "fill": _exact(lambda x, value: jnp.full_like(x, value), required=1),
    "floor": _exact(jnp.floor),
    "ceil": _exact(jnp.ceil),
    "trunc": _exact(jnp.trunc),
    "frac": _exact(lambda x: x - jnp.trunc(x)),
    "round": _exact(_round, 0.0),
    "alt_complex_rotate90": _exact(_rotate90),
    # predicates
    "eqz": _predicate(lambda x: x == 0),
    "nez": _predicate(lambda x: x != 0),
    "gtz": _predicate(lambda x: x > 0),
    "gez": _predicate(lambda x: x >= 0),
    "ltz": _predicate(lambda x: x < 0),
    "lez": _predicate(lambda x: x <= 0),
    "logical_not_unary": _predicate(lambda x: x == 0),
    "signbit": _predicate(jnp.signbit),
    "isnan": _predicate(jnp.isnan),
    "isinf": _predicate(jnp.isinf),
    "isposinf": _predicate(jnp.isposinf),
    "isneginf": _predicate(jnp.isneginf),
    "isfinite": _predicate(jnp.isfinite),
    "unary_eq": _predicate(lambda x, value: x == value, required=1),
    "unary_ne": _predicate(lambda x, value: x != value, required=1),
    "unary_gt": _predicate(lambda x, value: x > value, required=1),
    "unary_ge": _predicate(lambda x, value: x >= value, required=1),
    "unary_lt": _predicate(lambda x, value: x < value, required=1),
    "unary_le": _predicate(lambda x, value: x <= value, required=1),
    # with a number
    "add_unary_sfpu": _exact(lambda x, value: x + value, required=1),
    "sub_unary_sfpu": _exact(lambda x, value: x - value, required=1),
    "mul_unary_sfpu": _exact(lambda x, value: x * value, required=1),
    "div_unary_sfpu": _exact(lambda x, value: x * (np.float32(1) / value), required=1),
    "rsub": _exact(lambda x, value: value - x, required=1),
    "rdiv": _exact(_divided, 0.0, required=1),
    "fmod": _exact(jnp.fmod, required=1),
    "remainder": _exact(jnp.remainder, required=1),
    "maximum": _exact(jnp.maximum, required=1),
    "minimum": _exact(jnp.minimum, required=1),
    "clamp_tss": _exact(lambda x, low, high: jnp.minimum(jnp.maximum(x, low), high), required=2),
    # activations
    "gelu_tanh": _exact(f.gelu_tanh),
    "relu6": _exact(lambda x: jnp.clip(x, 0.0, 6.0)),
    "relu_max": _exact(lambda x, upper: jnp.minimum(jnp.maximum(x, 0.0), upper), required=1),
    "relu_min": _exact(jnp.maximum, required=1),
    "leaky_relu": _exact(lambda x, slope: jnp.where(x > 0, x, x * slope), required=1),
    "prelu_sfpu": _exact(lambda x, slope: jnp.where(x < 0, x * slope, x), required=1),
    "elu": _exact(f.elu, 1.0),
    "celu": _exact(f.celu, 1.0),
    "selu": _exact(f.selu, 1.0507, 1.67326),
    "softplus": _exact(f.softplus, 1.0, 20.0),
    "logsigmoid": _exact(f.log_sigmoid),
    "mish": _flagged(f.mish),
    "hardmish": Function(_hardmish, 0, 1),
    "hardsigmoid": _exact(lambda x: jnp.clip((x + 3) / 6, 0.0, 1.0)),
    "hardswish": _exact(f.hardswish),
    "hardtanh": _exact(lambda x, low, high: jnp.minimum(jnp.maximum(x, low), high), -1.0, 1.0),
    "hardshrink": Function(_hardshrink, 0, 1),
    "softshrink": _exact(f.softshrink, 0.5),
    "softsign": _exact(f.softsign),
    "softcap": _exact(lambda x, beta: beta * jnp.tanh(x / beta), required=1),
    "tanhshrink": _flagged(f.tanhshrink),
    "threshold": _exact(lambda x, threshold, value: jnp.where(x > threshold, x, value), required=2),
    "heaviside": _exact(lambda x, value: jnp.where(x == 0, value, jnp.where(x > 0, 1.0, 0.0)), required=1),
    "xielu": _exact(f.xielu, 0.8, 0.8),
}
"""Every function by its UnaryOpType's name in lower case."""


_COSTLY = frozenset(
    """
    exp exp2 expm1 log log1p log2 log10 logit power power_iterative rpow cbrt
    sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
    erf erfc erfinv lgamma digamma polygamma i0 i1
    sigmoid silu gelu gelu_tanh elu celu selu softplus logsigmoid mish softcap tanhshrink
    """.split()
)
"""What takes longer to compute than to look up."""

_PATTERNS = 2**16
_MANY = 4 * _PATTERNS
"""Elements from which on a table is made; at half as many the table itself would take most of the time."""


def apply(name: str, parameters: Parameters, x: Array, fp32_dest: bool) -> Array:
    """Dst after the function `name`, a key of `FUNCTIONS`, of float32 `x`: what Dst held before. Any shape."""
    return FUNCTIONS[name].evaluate(x, parameters, fp32_dest)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _looked_up(name: str, parameters: Parameters, x: Array) -> Array:
    """`apply` of many bfloat16 `x`, by a table of all there are: the same values, and of 2**22 a fifth of gelu's time (measured)."""
    patterns = lax.bitcast_convert_type(lax.iota(jnp.uint16, _PATTERNS), jnp.bfloat16)
    table = in_memory(apply(name, parameters, rounding.widen(patterns), False))
    # A loop that looks up does not vectorize, so what makes `x` has one of its own.
    index = lax.bitcast_convert_type(in_memory(x), jnp.uint16)
    return table.at[index.astype(jnp.int32)].get(mode="promise_in_bounds")


@_looked_up.defjvp
def _(name: str, parameters: Parameters, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return jax.jvp(lambda x: apply(name, parameters, rounding.widen(x), False), primals, tangents)


def apply_chain(chain: Sequence[tuple[str, Parameters]], dst: Array, fp32_dest: bool) -> Array:
    """Dst (float32 or bfloat16) after each function of `chain` in turn."""
    for name, parameters in chain:
        if not fp32_dest and dst.dtype == jnp.bfloat16 and dst.size >= _MANY and name in _COSTLY:
            dst = _looked_up(name, parameters, dst)
        else:
            dst = apply(name, parameters, rounding.widen(dst), fp32_dest)
    return dst
