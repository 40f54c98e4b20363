"""Functions of two numbers, by the names that operations have: what Dst holds after each, and what integers give.

Operands broadcast as in NumPy. Sums, products, quotients and comparisons are the device's; the others are computed in float32 and
rounded to Dst once. Source: spec/device_numerics.md (measured for bfloat16 add, subtract, multiply, divide and square).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import eltwise, rounding, unary
from tt_jax.kernels.eltwise import Engine
from tt_jax.kernels.packer import to_dst

Parameters = tuple[float, ...]
Floats = Callable[[Array, Array, Engine, bool, Parameters], Array]
Integers = Callable[[Array, Array, Parameters], Array]


class Function(NamedTuple):
    """A function of two numbers.

    Attributes:
        floats: `(x, y, engine, fp32_dest, parameters) -> Dst` for carrier arrays of floats, None where there is none.
        integers: `(x, y, parameters)` for arrays of one integer dtype, None where there is none.
    """

    floats: Floats | None
    integers: Integers | None = None


def _load(x: Array) -> Array:
    return rounding.flush_subnormals(rounding.widen(x))


def _exact(function: Callable[..., Array]) -> Floats:
    """`function(x, y, *parameters)` in float32, rounded to Dst once."""
    return lambda x, y, engine, fp32_dest, p: to_dst(function(_load(x), _load(y), *p), fp32_dest)


def _integer(function: Callable[..., Array]) -> Integers:
    return lambda x, y, p: function(x, y, *p)


def _compared(function: Callable[[Array, Array], Array]) -> Function:
    """A comparison: 1 or 0. The FPU compares the difference, as it rounds it, with 0; the vector unit the numbers themselves."""

    def floats(x: Array, y: Array, engine: Engine, fp32_dest: bool, parameters: Parameters) -> Array:
        if engine == "fpu":
            difference = eltwise.fpu_sum(eltwise.operand(x, fp32_dest), -eltwise.operand(y, fp32_dest))
            return to_dst(function(difference, jnp.float32(0)).astype(jnp.float32), fp32_dest)
        return to_dst(function(_load(x), _load(y)).astype(jnp.float32), fp32_dest)

    return Function(floats, lambda x, y, p: function(x, y))


def _logical(function: Callable[[Array, Array], Array]) -> Function:
    """A function of whether its operands are other than 0: 1 or 0."""

    def floats(x: Array, y: Array, engine: Engine, fp32_dest: bool, parameters: Parameters) -> Array:
        return to_dst(function(_load(x) != 0, _load(y) != 0).astype(jnp.float32), fp32_dest)

    return Function(floats, lambda x, y, p: function(x != 0, y != 0))


def _squared_difference(x: Array, y: Array, engine: Engine, fp32_dest: bool, parameters: Parameters) -> Array:
    difference = rounding.widen(eltwise.total(x, -y, engine, fp32_dest))
    return eltwise.product(difference, difference, "sfpu", fp32_dest)


def _bias_gelu(x: Array, y: Array, engine: Engine, fp32_dest: bool, parameters: Parameters) -> Array:
    return unary.apply("gelu", (), rounding.widen(eltwise.total(x, y, engine, fp32_dest)), fp32_dest)


def _scaled(sign: float) -> Floats:
    """`x + sign * alpha * y`: the product rounded to Dst, then a sum."""

    def floats(x: Array, y: Array, engine: Engine, fp32_dest: bool, parameters: Parameters) -> Array:
        (alpha,) = parameters
        scaled = rounding.widen(to_dst(_load(y) * np.float32(sign * alpha), fp32_dest))
        return eltwise.total(x, scaled, engine, fp32_dest)

    return floats


def _divide(x: Array, y: Array, engine: Engine, fp32_dest: bool, parameters: Parameters) -> Array:
    return eltwise.quotient(x, y, engine, fp32_dest)


def _rounded_quotient(function: Callable[[Array], Array]) -> Floats:
    """`function` of the quotient as Dst holds it."""

    def floats(x: Array, y: Array, engine: Engine, fp32_dest: bool, parameters: Parameters) -> Array:
        return to_dst(function(rounding.widen(eltwise.quotient(x, y, engine, fp32_dest))), fp32_dest)

    return floats


def _nonzero(y: Array) -> tuple[Array, Array]:
    """Whether `y` is 0, and `y` with 1 instead."""
    zero = y == 0
    return zero, jnp.where(zero, jnp.ones_like(y), y)


def _whole_quotient(function: Callable[[Array, Array], Array]) -> Integers:
    """An integer quotient; of a division by 0, -1 (chosen: ttnn does not say)."""

    def integers(x: Array, y: Array, parameters: Parameters) -> Array:
        zero, divisor = _nonzero(y)
        return jnp.where(zero, jnp.full_like(x, -1), function(x, divisor))

    return integers


def _whole_rest(function: Callable[[Array, Array], Array]) -> Integers:
    """An integer rest; of a division by 0, the dividend (chosen: ttnn does not say)."""

    def integers(x: Array, y: Array, parameters: Parameters) -> Array:
        zero, divisor = _nonzero(y)
        return jnp.where(zero, x, function(x, divisor))

    return integers


def _div_no_nan(x: Array, y: Array) -> Array:
    zero, divisor = _nonzero(y)
    return jnp.where(zero, 0.0, x / divisor)


def _floor_div(x: Array, y: Array) -> Array:
    return jnp.floor(x / y)


def _sloped(slopes: Callable[[Array, Array], tuple[Array, Array]]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Give a function of two numbers the derivatives `slopes(x, y)`, where those of its formula are NaN, or missing."""

    def decorate(function: Callable[..., Array]) -> Callable[..., Array]:
        differentiable = jax.custom_jvp(function)

        def jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
            by_x, by_y = slopes(*primals)
            return differentiable(*primals), by_x * tangents[0] + by_y * tangents[1]

        differentiable.defjvp(jvp)
        return differentiable

    return decorate


@_sloped(lambda x, y: (jnp.where((x == 0) & (y <= 0), 0.0, jnp.log(y)), jnp.where(x == 0, 0.0, x / y)))
def _xlogy(x: Array, y: Array) -> Array:
    """As in torch, its slope along `x` is 0 where both are."""
    return jnp.where((x == 0) & ~jnp.isnan(y), 0.0, x * jnp.log(jnp.where(x == 0, 1.0, y)))


def _pow_slopes(x: Array, y: Array) -> tuple[Array, Array]:
    by_y = jnp.where((x == 0) & (y >= 0), 0.0, jnp.power(x, y) * jnp.log(x))
    return jnp.where(y == 0, 0.0, y * jnp.power(x, y - 1)), by_y


@_sloped(_pow_slopes)
def _pow(x: Array, y: Array) -> Array:
    """Has no slope along `y` where `x` is negative: NaN."""
    return jnp.power(x, y)


def _shares(x: Array, y: Array) -> Array:
    """`x - y`, and 0 for two infinities of one sign."""
    return jnp.where(x == y, 0.0, x - y)


@_sloped(lambda x, y: (jax.nn.sigmoid(_shares(x, y)), jax.nn.sigmoid(_shares(y, x))))
def _logaddexp(x: Array, y: Array) -> Array:
    return jnp.logaddexp(x, y)


@_sloped(
    lambda x, y: (jax.nn.sigmoid(_shares(x, y) * np.float32(np.log(2))), jax.nn.sigmoid(_shares(y, x) * np.float32(np.log(2))))
)
def _logaddexp2(x: Array, y: Array) -> Array:
    return jnp.logaddexp2(x, y)


def _direction(x: Array, length: Array) -> Array:
    """`x / length`; 0 at the origin, and the sign of an infinite `x`."""
    finite = jnp.where(jnp.isinf(length) | (length == 0), 1.0, length)
    return jnp.where(jnp.isinf(length), jnp.where(jnp.isinf(x), jnp.sign(x), 0.0), x / finite)


@_sloped(lambda x, y: (_direction(x, jnp.hypot(x, y)), _direction(y, jnp.hypot(x, y))))
def _hypot(x: Array, y: Array) -> Array:
    return jnp.hypot(x, y)


def _atan2_slopes(x: Array, y: Array) -> tuple[Array, Array]:
    length = jnp.hypot(x, y)
    divisor = jnp.where(length == 0, 1.0, length)
    return _direction(y, length) / divisor, -_direction(x, length) / divisor


@_sloped(_atan2_slopes)
def _atan2(x: Array, y: Array) -> Array:
    """Its slopes are 0 at the origin, where it jumps."""
    return jnp.arctan2(x, y)


@_sloped(lambda x, y: (jnp.ones_like(x), jnp.zeros_like(y)))
def _nextafter(x: Array, y: Array) -> Array:
    """A step of rounding: its derivative is that of `x`."""
    return jnp.nextafter(x, y)


def _close(x: Array, y: Array, rtol: float, atol: float, equal_nan: float) -> Array:
    close = (jnp.abs(x - y) <= np.float32(atol) + np.float32(rtol) * jnp.abs(y)) | (x == y)
    return close | (jnp.isnan(x) & jnp.isnan(y)) if equal_nan else close


def _close_integers(x: Array, y: Array, parameters: Parameters) -> Array:
    return _close(x.astype(jnp.float32), y.astype(jnp.float32), *parameters)


def _left_shift(x: Array, y: Array) -> Array:
    """`x << y`; 0 where `y` is not from 0 to the width less 1."""
    width = x.dtype.itemsize * 8
    inside = (y >= 0) & (y < width)
    shifted = lax.shift_left(x, jnp.where(inside, y, jnp.zeros_like(y)))
    return jnp.where(inside, shifted, jnp.zeros_like(x))


def _right_shift(x: Array, y: Array) -> Array:
    """`x >> y` with copies of the sign; where `y` is not from 0 to the width less 1, what is left of the sign."""
    last = x.dtype.itemsize * 8 - 1
    if not jnp.issubdtype(x.dtype, jnp.signedinteger):
        return _logical_right_shift(x, y)
    amount = jnp.where((y < 0) | (y > last), jnp.full_like(y, last), y)
    return lax.shift_right_arithmetic(x, amount)


def _logical_right_shift(x: Array, y: Array) -> Array:
    """`x >> y` with zeros; 0 where `y` is not from 0 to the width less 1."""
    inside = (y >= 0) & (y < x.dtype.itemsize * 8)
    shifted = lax.shift_right_logical(x, jnp.where(inside, y, jnp.zeros_like(y)))
    return jnp.where(inside, shifted, jnp.zeros_like(x))


def _lcm(x: Array, y: Array) -> Array:
    zero, divisor = _nonzero(jnp.gcd(x, y))
    return jnp.where(zero, jnp.zeros_like(x), jnp.abs(x // divisor * y))


FUNCTIONS: dict[str, Function] = {
    "add": Function(lambda x, y, engine, fp32_dest, p: eltwise.total(x, y, engine, fp32_dest), _integer(jnp.add)),
    "subtract": Function(lambda x, y, engine, fp32_dest, p: eltwise.total(x, -y, engine, fp32_dest), _integer(jnp.subtract)),
    "rsub": Function(lambda x, y, engine, fp32_dest, p: eltwise.total(y, -x, engine, fp32_dest), lambda x, y, p: y - x),
    "multiply": Function(lambda x, y, engine, fp32_dest, p: eltwise.product(x, y, engine, fp32_dest), _integer(jnp.multiply)),
    "divide": Function(_divide),
    "divide_floor": Function(_rounded_quotient(jnp.floor), _whole_quotient(jnp.floor_divide)),
    "divide_trunc": Function(_rounded_quotient(jnp.trunc), _whole_quotient(lax.div)),
    "squared_difference": Function(_squared_difference, lambda x, y, p: (x - y) * (x - y)),
    "bias_gelu": Function(_bias_gelu),
    "addalpha": Function(_scaled(1.0)),
    "subalpha": Function(_scaled(-1.0)),
    "div_no_nan": Function(_exact(_div_no_nan)),
    "floor_div": Function(_exact(_floor_div), _whole_quotient(jnp.floor_divide)),
    "remainder": Function(_exact(jnp.remainder), _whole_rest(jnp.remainder)),
    "fmod": Function(_exact(jnp.fmod), _whole_rest(lax.rem)),
    "pow": Function(_exact(_pow)),
    "ldexp": Function(_exact(lambda x, y: x * jnp.exp2(y))),
    "logaddexp": Function(_exact(_logaddexp)),
    "logaddexp2": Function(_exact(_logaddexp2)),
    "xlogy": Function(_exact(_xlogy)),
    "hypot": Function(_exact(_hypot)),
    "atan2": Function(_exact(_atan2)),
    "nextafter": Function(_exact(_nextafter)),
    "maximum": Function(_exact(jnp.maximum), _integer(jnp.maximum)),
    "minimum": Function(_exact(jnp.minimum), _integer(jnp.minimum)),
    "prelu": Function(_exact(lambda x, y: x * jnp.where(x < 0, y, 1.0))),
    "gcd": Function(None, _integer(jnp.gcd)),
    "lcm": Function(None, _integer(_lcm)),
    "isclose": Function(_exact(lambda x, y, *p: _close(x, y, *p).astype(jnp.float32)), _close_integers),
    "eq": _compared(jnp.equal),
    "ne": _compared(jnp.not_equal),
    "lt": _compared(jnp.less),
    "le": _compared(jnp.less_equal),
    "gt": _compared(jnp.greater),
    "ge": _compared(jnp.greater_equal),
    "logical_and": _logical(jnp.logical_and),
    "logical_or": _logical(jnp.logical_or),
    "logical_xor": _logical(jnp.logical_xor),
    "bitwise_and": Function(None, _integer(jnp.bitwise_and)),
    "bitwise_or": Function(None, _integer(jnp.bitwise_or)),
    "bitwise_xor": Function(None, _integer(jnp.bitwise_xor)),
    "bitwise_left_shift": Function(None, _integer(_left_shift)),
    "bitwise_right_shift": Function(None, _integer(_right_shift)),
    "logical_left_shift": Function(None, _integer(_left_shift)),
    "logical_right_shift": Function(None, _integer(_logical_right_shift)),
}


def is_boolean(name: str) -> bool:
    """Whether the function `name` gives 0 or 1 only."""
    return name in _BOOLEAN


_BOOLEAN = frozenset(("isclose", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"))


def of_floats(name: str, x: Array, y: Array, engine: Engine, fp32_dest: bool, parameters: Parameters = ()) -> Array:
    """Dst after the function `name`, a key of `FUNCTIONS`, of bfloat16 or float32 arrays."""
    function = FUNCTIONS[name].floats
    assert function is not None, name
    return function(x, y, engine, fp32_dest, parameters)


def of_integers(name: str, x: Array, y: Array, parameters: Parameters = ()) -> Array:
    """The function `name` of two arrays of one integer dtype, modulo its width; a comparison gives booleans."""
    function = FUNCTIONS[name].integers
    assert function is not None, name
    return function(x, y, parameters)
