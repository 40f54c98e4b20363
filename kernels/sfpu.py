"""The vector unit (SFPU): its multiply-add, exponentials as its kernels compute them, reciprocals.

A kernel works in float32 and stores to Dst. Source: spec/numerics.md sections 4.1 to 4.3, spec/device_numerics.md (measured).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import numerics, rounding
from tt_jax.kernels.broadcast import where
from tt_jax.kernels.packer import to_dst

_UPPER_12 = np.uint32(0xFFFF_F000)


def _halves(x: Array | np.float32) -> tuple[Array, Array] | tuple[np.float32, np.float32]:
    """float32 as the sum of two numbers with 12 significant bits: products of such are exact."""
    if isinstance(x, np.float32):
        cut = (x.view(np.uint32) & _UPPER_12).view(np.float32)
        return cut, x - cut
    high = rounding.from_bits(lax.bitwise_and(rounding.bits(x), _UPPER_12))
    return high, lax.sub(x, high)


def _rounded_sum(x: Array, error: Array, c: Array | np.float32) -> Array:
    """float32 `x + error + c` rounded once, `error` being small beside `x` (Knuth's sum).

    The error terms are themselves added with one rounding, so the result can differ only where that lands on a tie.
    """
    total = lax.add(x, c)
    virtual = lax.sub(total, x)
    rest = lax.add(lax.sub(x, lax.sub(total, virtual)), lax.sub(c, virtual))
    return lax.add(total, lax.add(rest, error))


def fused_multiply_add(a: Array, b: Array | np.float32, c: Array | np.float32) -> Array:
    """float32 `a * b + c` rounded once, as the vector unit's multiply-add does.

    Written as error-free transformations (Dekker's product), so that the value does not depend on whether the compiler fuses.
    """
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    product = a * b
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return _rounded_sum(product, error, c)


def _exponential(evaluate: Callable[[Array, float], Array]) -> Callable[[Array, float], Array]:
    """Give an approximation of exp(scale * x) the derivative it approximates: itself, times the scale."""
    exponential = jax.custom_jvp(evaluate, nondiff_argnums=(1,))

    @exponential.defjvp
    def _(scale: float, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        y = exponential(primals[0], scale)
        y = jnp.where(jnp.isnan(y), jnp.inf, y)  # an overflow's pattern reads as NaN
        return y, y * tangents[0] * np.float32(scale)

    def with_default(x: Array, scale: float = 1.0) -> Array:
        return exponential(x, scale)

    return with_default


def _clipped(x: Array, low: np.float32, high: np.float32) -> Array:
    return lax.min(high, lax.max(low, x))


def _bounded(x: Array, scale: float) -> Array:
    """`x` clipped to where every exponential of `scale * x` has long saturated; NaN counts as infinity of its sign (measured)."""
    bound = np.float32(200 / abs(scale))
    end = where(lax.lt(lax.bitcast_convert_type(x, jnp.int32), np.int32(0)), -bound, bound)
    return where(lax.ne(x, x), end, _clipped(x, -bound, bound))


_FAST_SLOPE = np.float32(369.329925537109375)  # 256 / ln 2, as the kernel stores it
_FAST_OFFSET = np.float32(32500.818359375)
_FAST_FLOOR = np.float32(-88.5)


@_exponential
def exp_fast(x: Array, scale: float = 1.0) -> Array:
    """Schraudolph's exponential of `scale * x`, the one softmax uses by default: 16 bits of the pattern from one multiply-add.

    The scale, not 0, is folded into the constants. `x` float32 with at most 12 significant bits, as every bfloat16 and every
    difference of such on the FPU has. Returns float32 with at most 8 explicit mantissa bits. Largest relative error 3.1e-2 (measured).
    """
    floor = np.float32(_FAST_FLOOR / scale)
    x = (lax.max if scale > 0 else lax.min)(_bounded(x, scale), floor)
    high, low = _halves(_FAST_SLOPE * np.float32(scale))
    index = _rounded_sum(lax.mul(x, high), lax.mul(x, low), _FAST_OFFSET)  # both products are exact
    index = lax.add(_clipped(index, np.float32(0), np.float32(65535)), np.float32(0.5))
    whole = lax.convert_element_type(index, jnp.int32)  # signed: CPUs convert to unsigned one by one
    return rounding.from_bits(lax.shift_left(lax.convert_element_type(whole, jnp.uint32), np.uint32(15)))


_LOG2_E = np.float32(1.4426950408889634)
_POLYNOMIAL = (np.float32(1.001953125), np.float32(7.839635491371155e-08), np.float32(4.791750143340323e-15))


@_exponential
def exp_accurate(x: Array, scale: float = 1.0) -> Array:
    """The 21-bit exponential (Moroz 2022) of `scale * x` in a 16-bit Dst: 2**t by a quadratic in t's fraction.

    `x` float32; returns float32, largest relative error 1.73e-3 before it is rounded to bfloat16.
    """
    t = jnp.clip(fused_multiply_add(_bounded(x, scale) * np.float32(scale), _LOG2_E, np.float32(127.0)), 0.0, 255.0)
    whole = jnp.floor(t)
    fraction = jnp.floor((t - whole) * 2.0**23)
    constant, linear, quadratic = _POLYNOMIAL
    p = fused_multiply_add(fraction, fused_multiply_add(fraction, quadratic, linear), constant)
    return rounding.from_bits((rounding.bits(p) & 0x7F_FFFF) | (whole.astype(jnp.int32).astype(jnp.uint32) << 23))


def exp(x: Array, approximate: bool, fp32_dest: bool, scale: float = 1.0) -> Array:
    """Dst after exp of `scale` times float32 `x`: `exp_fast` if `approximate` (`math_approx_mode`), else as exact as Dst is wide.

    The fast kernel does not round on its way to a 16-bit Dst: it is cut off there.
    """
    if not numerics.is_rounded():
        return jnp.exp(x * np.float32(scale))
    if approximate:
        y = exp_fast(x, scale)
        return y if fp32_dest else rounding.truncate_bfloat16(y)
    return jnp.exp(x * np.float32(scale)) if fp32_dest else to_dst(exp_accurate(x, scale), fp32_dest)


def reciprocal(x: Array) -> Array:
    """float32 `1 / x`, correctly rounded; subnormal inputs count as 0 and give infinity."""
    return 1.0 / rounding.flush_subnormals(x)
