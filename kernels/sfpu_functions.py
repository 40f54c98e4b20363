"""The vector unit's own formulas: sigmoid, silu, gelu, erf, tanh, logarithms and square roots, as its kernels compute them.

Each takes float32 `x` and returns Dst. On every bfloat16 pattern they equal the recordings of the real kernels, which were
compiled without fusing multiplications with additions (device_numerics.md, "Limits"); in a 32-bit Dst the exact function is
taken. Constants: tt-metal's public kernels (tt_metal/hw/ckernels/wormhole_b0, read in commits near 0.81.1), those of tanh and
exp also in spec/numerics.md section 4; which of several variants is 0.81.1's was settled by the recordings.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import functions, numerics, rounding
from tt_jax.kernels.broadcast import where
from tt_jax.kernels.functions import flush_keeping_sign as _flushed
from tt_jax.kernels.packer import to_dst

_Smooth = Callable[[Array], Array]


def _multiply_add(a: Array | np.float32, b: Array | np.float32, c: Array | np.float32) -> Array:
    """a * b + c, rounded twice: the flush in between keeps the compiler from fusing the two."""
    return _flushed(lax.add(_flushed(lax.mul(a, b)), c))


def _polynomial(x: Array, *coefficients: float) -> Array:
    """Coefficients from the constant up, by Horner's rule."""
    *rest, next_to_last, last = map(np.float32, coefficients)
    y = _multiply_add(last, x, next_to_last)
    for c in reversed(rest):
        y = _multiply_add(y, x, c)
    return y


def _table(x: Array, breaks: tuple[float, ...], values: tuple[float, ...]) -> Array:
    """The value of the segment that `x` is in: `len(breaks) + 1` values, each as the unit's 16-bit tables hold it."""
    first, second, *rest = (np.float32(np.float16(value)) for value in values)
    y = where(lax.ge(x, np.float32(breaks[0])), second, first)
    for bound, value in zip(breaks[1:], rest, strict=True):
        y = where(lax.ge(x, np.float32(bound)), value, y)
    return y


def _power_of_two(t: Array) -> Array:
    """2 ** (t - 127) for `t` in [0, 255]: the exponent from t's whole part, the mantissa by a quadratic in its fraction."""
    whole = lax.floor(t)
    fraction = lax.floor(lax.mul(lax.sub(t, whole), np.float32(2.0**23)))
    p = _polynomial(fraction, 1.0017248, 7.839635491371155e-08, 4.791750143340323e-15)
    exponent = lax.convert_element_type(lax.convert_element_type(whole, jnp.int32), jnp.uint32)
    mantissa = lax.bitwise_and(rounding.bits(p), np.uint32(0x7F_FFFF))
    return rounding.from_bits(lax.bitwise_or(mantissa, lax.shift_left(exponent, np.uint32(23))))


def _reciprocal(x: Array, steps: int) -> Array:
    """1 / x from a quadratic on the mantissa and `steps` of Newton's iteration."""
    u = rounding.bits(x)
    negative = rounding.from_bits((u & 0x7F_FFFF) | np.uint32(0xBF80_0000))
    y = _multiply_add(np.float32(0.3232325017452239990234375), negative, np.float32(1.4545459747314453125))
    y = _multiply_add(y, negative, np.float32(2.121212482452392578125))
    for _ in range(steps):
        y = _multiply_add(y, _multiply_add(negative, y, np.float32(1)), y)
    scale = _flushed(rounding.from_bits(~u & rounding.EXPONENT) * np.float32(0.5))
    return functions.copysign(_flushed(y * scale), x)


def _stored(
    formula: _Smooth, smooth: _Smooth, store: _Smooth = rounding.nearest_away_bfloat16
) -> Callable[[Array, bool], Array]:
    """A function of Dst: `formula` into 16 bits, with the slope of `smooth`; `smooth` itself into 32, and where nothing rounds."""
    device = functions.with_slope_of(smooth, formula)

    def evaluate(x: Array, fp32_dest: bool) -> Array:
        return smooth(x) if fp32_dest or not numerics.is_rounded() else store(device(x))

    return evaluate


def _sigmoid(x: Array) -> Array:
    t = _multiply_add(-x, np.float32(1.4426950216293334961), np.float32(127))
    return _reciprocal(_flushed(1 + _power_of_two(jnp.clip(t, 0.0, 255.0))), 1)


sigmoid = _stored(_sigmoid, jax.nn.sigmoid)
"""1 / (1 + exp(-x)) by the 21-bit exponential."""

silu = _stored(lambda x: _flushed(x * _sigmoid(x)), functions.silu)
"""x times sigmoid."""


def _tanh(x: Array) -> Array:
    magnitude = jnp.minimum(jnp.abs(x), 1e4)  # beyond 3 the polynomial only grows
    coefficients = (
        0.0,
        0.999004364013671875,
        3.0897438526153564453125e-2,
        -0.4890659749507904052734375,
        0.281917631626129150390625,
        -6.6649019718170166015625e-2,
        5.876733921468257904052734375e-3,
    )
    return functions.copysign(jnp.minimum(_polynomial(magnitude, *coefficients), 1.0), x)


tanh = _stored(_tanh, jnp.tanh)
"""An odd polynomial in |x|, cut off at 1."""


def _gelu(x: Array) -> Array:
    square = _flushed(x * x)
    t = _multiply_add(square, np.float32(-0.72134752044), np.float32(127))
    gauss = _power_of_two(jnp.clip(t, 0.0, 255.0))
    tail = _flushed(gauss * _polynomial(x, 3.0369991064e-01, 9.5413386822e-02, 1.3809983619e-02, 7.5950479368e-04))
    tail = _flushed(x * _flushed(_flushed(tail + np.float32(0.375)) - np.float32(0.375)))  # to a multiple of 2**-25
    odd = _polynomial(
        square,
        3.9894227818e-01,
        -6.6361041488e-02,
        9.7720050615e-03,
        -1.0717806322e-03,
        8.1812159812e-05,
        -3.8082057209e-06,
        7.9821413868e-08,
    )
    core = _flushed(x * _multiply_add(x, odd, np.float32(0.5)))
    y = jnp.where(x >= -3.125, core, jnp.where(x > np.float32(-5.54259443), tail, 0.0))
    return jnp.where(x >= 2.78125, x, y)


gelu = _stored(_gelu, functions.gelu)
"""x times the normal distribution: a polynomial between -3.125 and 2.78, an exponential below, 0 below -5.54."""

_SIX = (0.5, 1.0, 1.5, 2.0, 3.0)


def _gelu_fast(x: Array) -> Array:
    magnitude = jnp.abs(x)
    slope = _table(magnitude, _SIX, (0.1928, 0.4939, 0.6188, 0.6099, 0.5402, 0.5))
    offset = _table(magnitude, _SIX, (-0.00010443, -0.1604, -0.2796, -0.2635, -0.1194, 2.0**-15))
    y = _flushed(_flushed(x * np.float32(0.5)) + _multiply_add(magnitude, slope, offset))
    return jnp.where(jnp.isneginf(x), -jnp.inf, y)


_gelu_table = functions.with_slope_of(functions.gelu, _gelu_fast)


def gelu_fast(x: Array, fp32_dest: bool) -> Array:
    """x / 2 plus a piecewise linear table of |x|, stored without rounding. Largest absolute error 0.024."""
    if not numerics.is_rounded():
        return functions.gelu(x)
    y = _gelu_table(x)
    return y if fp32_dest else rounding.truncate_bfloat16(y)


def _sigmoid_fast(x: Array) -> Array:
    magnitude = jnp.abs(x)
    slope = _table(magnitude, (1.0, 2.0), (0.2265625, 0.265625, 0.0))
    offset = _table(magnitude, (1.0, 2.0), (0.0, -0.046875, 0.5))
    return _flushed(functions.copysign(_multiply_add(magnitude, slope, offset), x) + np.float32(0.5))


_sigmoid_table = functions.with_slope_of(jax.nn.sigmoid, _sigmoid_fast)


def sigmoid_fast(x: Array, fp32_dest: bool) -> Array:
    """A piecewise linear table of three segments. Source: spec/numerics.md section 4.3 (read in source, no recording)."""
    if not numerics.is_rounded():
        return jax.nn.sigmoid(x)
    y = _sigmoid_table(x)
    return y if fp32_dest else rounding.truncate_bfloat16(y)


def _erf(x: Array) -> Array:
    x = jnp.clip(x, -10.0, 10.0)
    square = _flushed(x * x)
    numerator = _polynomial(square, 1.1280932447, 2.7609212279e-01, 4.5400281738e-02, 7.4481184425e-04)
    denominator = _polynomial(square, 1.0, 5.7439188334e-01, 1.3675764810e-01, 8.2844606784e-03, 2.4813862145e-05)
    return jnp.clip(_flushed(_flushed(numerator * x) * _reciprocal(denominator, 2)), -1.0, 1.0)


erf = _stored(_erf, lax.erf, rounding.truncate_bfloat16)
"""A rational function of degree 8, stored without rounding."""


def _logarithm_parts(x: Array) -> tuple[Array, Array]:
    """`(k, ln m)` of x = 2**k m, m in [0.75, 1.5)."""
    u = lax.bitcast_convert_type(x, jnp.int32)
    exponent = (u - np.int32(0x3F40_0000)) & np.int32(-0x0080_0000)
    m = lax.bitcast_convert_type(u - exponent, jnp.float32) - 1
    r = _multiply_add(np.float32(-0.25), m, np.float32(0.363525390625))
    r = _multiply_add(r, m, np.float32(-0.5009765625))
    return (exponent >> 23).astype(jnp.float32), _multiply_add(r, _flushed(m * m), m)


def _with_poles(x: Array, y: Array) -> Array:
    """-inf at 0, +inf at +inf and wherever there is no logarithm."""
    return jnp.where(x == 0, -jnp.inf, jnp.where((x > 0) & jnp.isfinite(x), y, jnp.inf))


def _log(x: Array) -> Array:
    k, log_m = _logarithm_parts(x)
    return _with_poles(x, _multiply_add(k, jnp.float32(0.693147182), log_m))


log = _stored(_log, jnp.log)
"""ln x: the exponent's share, and a quartic in the mantissa."""


def _rsqrt_seed(x: Array) -> Array:
    return np.uint32(0x5F11_10A0) - (rounding.bits(x) >> 1)


def _rsqrt_estimate(x: Array) -> Array:
    """1 / sqrt(x) from the halved pattern and two refinements (Kokosinski 2024); subnormals only lend their pattern."""
    value = _flushed(x)
    y = rounding.from_bits(_rsqrt_seed(x))
    c = _flushed(-y * _flushed(value * y))
    y = _flushed(y * _multiply_add(c, _flushed(c + np.float32(2.2533049)), np.float32(2.2825186)))
    rest = _flushed(_flushed(-y * _flushed(value * y)) + 1)
    return _multiply_add(rest, _flushed(y * np.float32(0.5)), y)


def _exact_rsqrt(x: Array) -> Array:
    value = _flushed(x)
    return jnp.where(value == 0, functions.copysign(jnp.full_like(x, jnp.inf), x), lax.rsqrt(value))


# The `where` above would multiply the slope at 0, which is infinite, with 0.
_smooth_rsqrt = functions.with_slope_of(lambda x: lax.rsqrt(_flushed(x)), _exact_rsqrt)


def _rough_estimate(x: Array) -> Array:
    """1 / sqrt(x) of a normal `x` to 10 bits (8.8e-4): another seed, one refinement (Kokosinski 2024)."""
    y = rounding.from_bits(np.uint32(0x5F0B_3892) - (rounding.bits(x) >> 1))
    return _flushed(y * _multiply_add(-y, _flushed(x * y), np.float32(1.89099014875)))


rough_rsqrt = functions.with_slope_of(lax.rsqrt, _rough_estimate)
"""1 / sqrt(x), float32, of positive normal `x`, as the kernels compute it under `math_approx_mode`."""


def _with_sign_of_zero(x: Array, y: Array) -> Array:
    """`y`, but infinity of the sign of `x` where `x` is 0."""
    zero = (rounding.bits(x) & rounding.MAGNITUDE) == 0
    return jnp.where(zero, functions.copysign(jnp.full_like(x, jnp.inf), x).astype(y.dtype), y)


def _short_rsqrt(x: Array, fast: bool) -> Array:
    y = rounding.nearest_away_bfloat16(_rsqrt_estimate(x))
    seed, negative = _rsqrt_seed(x), rounding.bits(x) > rounding.SIGN
    if fast:
        y = jnp.where(seed < rounding.SMALLEST_NORMAL, jnp.inf, jnp.where(seed >= rounding.SIGN, -jnp.inf, y))
    y = jnp.where(x == jnp.inf, 0.0, jnp.where(jnp.isnan(x), -jnp.inf, y)).astype(jnp.bfloat16)
    if not fast:
        y = jnp.where(negative, jnp.inf, y).astype(jnp.bfloat16)
    return _with_sign_of_zero(x, y)


def rsqrt(x: Array, fast: bool, fp32_dest: bool) -> Array:
    """1 / sqrt(x) of `x` with its subnormals, which the kernel takes for tiny numbers. Infinity at zero, of its sign.

    A negative `x` has no root: NaN, which a 16-bit Dst holds as +inf. The fast kernel does not look, and what its formula
    makes of a negative `x` is kept: a number, +inf once its seed is subnormal (measured), -inf beyond. Its slope is -inf at zero,
    NaN below.
    """
    if fp32_dest or not numerics.is_rounded():
        return _smooth_rsqrt(x)
    return functions.with_slope_of(_smooth_rsqrt, functools.partial(_short_rsqrt, fast=fast))(x)


def sqrt(x: Array, fp32_dest: bool) -> Array:
    """The exact root of `x` with its subnormals, rounded once; below 0 NaN, which a 16-bit Dst holds as +inf."""
    y = jnp.sqrt(_flushed(x))
    if fp32_dest or not numerics.is_rounded():
        return y
    return to_dst(jnp.where((rounding.bits(x) > rounding.SIGN) | jnp.isnan(x), jnp.inf, y), fp32_dest)


def recip(x: Array, fp32_dest: bool) -> Array:
    """1 / x, rounded once; infinity of its sign at a zero."""
    return to_dst(1 / x, fp32_dest)
