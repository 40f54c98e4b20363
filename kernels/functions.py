"""Functions of one float32 that `jax.numpy` lacks, exact to a few units in the last place wherever they are finite.

Where a branch would overflow, its argument is clipped first, so that the derivative of the other branch stays finite.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import rounding
from tt_jax.kernels.broadcast import where

Float = Array | np.float32


def power(x: Array, exponent: np.float32) -> Array:
    """`x ** exponent`; by multiplications where the exponent is a small natural number, so that negative `x` keep a derivative."""
    e = float(exponent)
    return lax.integer_pow(x, int(e)) if e in range(9) else jnp.power(x, exponent)


@jax.custom_jvp
def root(x: Array) -> Array:
    """The square root of a sum of squares: with slope 0 at 0, where those of the squares are 0 too."""
    return jnp.sqrt(x)


@root.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y = root(primals[0])
    return y, tangents[0] * jnp.where(y == 0, 0.0, 0.5 / y)


def rpow(x: Array, base: np.float32) -> Array:
    """`base ** x`."""
    return jnp.power(base, x)


def logit(x: Array, eps: np.float32) -> Array:
    """ln(x / (1 - x)), `x` first clipped to between eps and 1 - eps, in whichever order they come, unless `eps` is negative."""
    if eps >= 0:
        low, high = sorted((eps, 1 - eps))
        x = jnp.where(x < low, low, jnp.where(x > high, high, x))
    return jnp.log(x) - jnp.log1p(-x)


def _with_limit(function: Callable[[Array], Array], limit: float) -> Callable[[Array], Array]:
    """`function`, which is flat at infinity, with its `limit` there, where the library's slope is NaN."""
    return lambda x: jnp.where(x == jnp.inf, limit, function(jnp.where(x == jnp.inf, 1.0, x)))


digamma = _with_limit(lax.digamma, np.inf)
"""The logarithmic derivative of the gamma function."""


def polygamma(x: Array, order: np.float32, scale: np.float32) -> Array:
    """The derivative of `order` (1 to 10) of digamma. `scale` is what the device multiplies with, which follows from the order."""
    del scale
    return _with_limit(lambda x: jax.scipy.special.polygamma(int(order), x), 0.0)(x)


@jax.custom_jvp
def i0(x: Array) -> Array:
    """The modified Bessel function of order 0; infinity beyond 88.5, as on the device (documented)."""
    return jnp.where(jnp.abs(x) > 88.5, jnp.inf, jax.scipy.special.i0(jnp.clip(x, -88.5, 88.5)))


@i0.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # Of its own: the library's is made of |x|, whose slope at 0 it takes for 1.
    x = primals[0]
    slope = jnp.where(jnp.abs(x) > 88.5, jnp.copysign(jnp.inf, x), i1(x))
    return i0(x), slope * tangents[0]


def i1(x: Array) -> Array:
    """The modified Bessel function of order 1; `x` is clipped to 88.5, as on the device (documented)."""
    return jax.scipy.special.i1(jnp.clip(x, -88.5, 88.5))


def gelu(x: Array) -> Array:
    """x times the normal distribution's cumulative function, without cancellation for negative `x`; 0 at -inf."""
    finite = jnp.clip(x, -60.0, 60.0)
    return jnp.where(x < -60, 0.0, jnp.where(x > 60, x, 0.5 * finite * lax.erfc(-finite * np.float32(0.5**0.5))))


def gelu_tanh(x: Array) -> Array:
    """The tanh form of gelu, as `x` times a logistic function; 0 at -inf."""
    z = jnp.clip(x, -30.0, 30.0)
    y = np.float32(2 * (2 / np.pi) ** 0.5) * (z + np.float32(0.044715) * z * z * z)
    return jnp.where(x < -30, 0.0, jnp.where(x > 30, x, z * jax.nn.sigmoid(y)))


def silu(x: Array) -> Array:
    """x / (1 + exp(-x)); 0 at -inf."""
    z = jnp.clip(x, -120.0, 120.0)
    return jnp.where(x < -120, 0.0, jnp.where(x > 120, x, z * jax.nn.sigmoid(z)))


def hardswish(x: Array) -> Array:
    """x (x + 3) / 6 between -3 and 3, 0 below, x above."""
    z = jnp.clip(x, -3.0, 3.0)
    return jnp.where(x >= 3, x, z * ((z + 3) / 6))


def hardmish(x: Array) -> Array:
    """x (x + 2) / 2 between -2 and 0, 0 below, x above."""
    z = jnp.clip(x, -2.0, 0.0)
    return jnp.where(x >= 0, x, z * (z * np.float32(0.5) + 1))


def softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    z = jnp.clip(x, -1e30, 1e30)
    return z / (1 + jnp.abs(z))


def _expm1_below(x: Array) -> Array:
    return jnp.expm1(jnp.where(x > 0, 0.0, x))  # at 0 the slope of the lower branch: a minimum would give half of it


def magnitude(x: Array) -> Array:
    """|x|, with slope 0 at 0."""
    return x * jnp.sign(x)


def elu(x: Array, alpha: Float) -> Array:
    """x, or alpha (exp(x) - 1) below 0."""
    return jnp.where(x > 0, x, alpha * _expm1_below(x))


def celu(x: Array, alpha: Float) -> Array:
    """x, or alpha (exp(x / alpha) - 1) below 0."""
    return jnp.where(x > 0, x, alpha * _expm1_below(x / alpha))


def selu(x: Array, scale: Float, alpha: Float) -> Array:
    """scale times elu."""
    return scale * elu(x, alpha)


def softplus(x: Array, beta: Float, threshold: Float) -> Array:
    """ln(1 + exp(beta x)) / beta; x itself where beta x is above `threshold`."""
    y = x * beta
    return jnp.where(y > threshold, x, jax.nn.softplus(jnp.minimum(y, threshold)) / beta)


def log_sigmoid(x: Array) -> Array:
    """ln(1 / (1 + exp(-x)))."""
    return -jax.nn.softplus(-x)


def mish(x: Array) -> Array:
    """x tanh(softplus(x)); 0 at -inf."""
    z = jnp.clip(x, -90.0, 20.0)
    e = jnp.exp(z)
    n = e * (e + 2)
    return jnp.where(x > 20, x, jnp.where(x < -90, 0.0, z * (n / (n + 2))))


def softshrink(x: Array, bound: Float) -> Array:
    """x moved towards 0 by `bound`, 0 within it."""
    return jnp.where(x > bound, x - bound, jnp.where(x < -bound, x + bound, 0.0))


_TANHSHRINK = [1 / 3, -2 / 15, 17 / 315, -62 / 2835, 1382 / 155925, -21844 / 6081075, 929569 / 638512875]


def tanhshrink(x: Array) -> Array:
    """x - tanh(x): by its Taylor series where the difference would cancel."""
    small = jnp.clip(x, -0.5, 0.5)
    square = small * small
    series = jnp.full_like(x, _TANHSHRINK[-1])
    for coefficient in reversed(_TANHSHRINK[:-1]):
        series = series * square + np.float32(coefficient)
    return jnp.where(jnp.abs(x) < 0.5, series * square * small, x - jnp.tanh(x))


def xielu(x: Array, alpha_p: Float, alpha_n: Float) -> Array:
    """alpha_p x**2 + x / 2 above 0; alpha_n (exp(min(x, -1e-6)) - 1 - x) + x / 2 from 0 down. Source: tt-metal's docs."""
    below = alpha_n * jnp.expm1(jnp.minimum(x, -1e-6)) - alpha_n * x
    above = jnp.maximum(x, 0.0)
    return jnp.where(x > 0, alpha_p * above * above, below) + 0.5 * x


@rounding.straight_through
def flush_keeping_sign(x: Array) -> Array:
    """float32 with subnormals made zeros of their sign, as the vector unit reads and writes them."""
    u = rounding.bits(x)
    is_small = lax.lt(lax.bitwise_and(u, rounding.MAGNITUDE), rounding.SMALLEST_NORMAL)
    return rounding.from_bits(where(is_small, lax.bitwise_and(u, rounding.SIGN), u))


def with_slope_of(smooth: Callable[[Array], Array], formula: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """`formula(x)` with the derivative of `smooth(x)`: for formulas made of bit patterns and tables."""
    differentiable = jax.custom_jvp(formula)

    def jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        _, slope = jax.jvp(smooth, primals, tangents)
        y = differentiable(*primals)
        return y, slope.astype(y.dtype)

    differentiable.defjvp(jvp)
    return differentiable


def copysign(magnitude: Array, sign: Array) -> Array:
    """`magnitude` with the sign bit of `sign`, whatever the two are."""
    size = lax.bitwise_and(rounding.bits(magnitude), rounding.MAGNITUDE)
    return rounding.from_bits(lax.bitwise_or(size, lax.bitwise_and(rounding.bits(sign), rounding.SIGN)))
