"""Roundings of float32 on its bit pattern, each with the identity as its derivative.

A pair of casts (float32 -> bfloat16 -> float32) is not a rounding under `jit`: XLA may keep the excess precision. Everything
here works on bits, so eager and compiled results are the same. Source: spec/numerics.md section 3 and 4.1 (measured).
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import numerics

# Masks of a float32 pattern. NumPy scalars: a bare Python integer above 2**31 would not become a uint32.
SIGN = np.uint32(0x8000_0000)
EXPONENT = np.uint32(0x7F80_0000)
MAGNITUDE = np.uint32(0x7FFF_FFFF)
SMALLEST_NORMAL = np.uint32(0x0080_0000)
_UPPER_HALF = np.uint32(0xFFFF_0000)
_TF32 = np.uint32(0xFFFF_E000)
_QUIET_NAN = np.uint32(0x7FC0_0000)


def bits(x: Array) -> Array:
    """The uint32 pattern of a float32 array. Raises TypeError for any other: a bitcast would change its shape."""
    if x.dtype != jnp.float32:
        raise TypeError(f"a rounding takes float32, not {x.dtype}; `widen` a bfloat16 first")
    return lax.bitcast_convert_type(x, jnp.uint32)


def from_bits(pattern: Array) -> Array:
    """The float32 array of a uint32 pattern."""
    return lax.bitcast_convert_type(pattern, jnp.float32)


def widen(x: Array) -> Array:
    """float32 of a bfloat16 or float32 array; exact, subnormals included."""
    if x.dtype == jnp.float32:
        return x
    if x.dtype != jnp.bfloat16:
        raise TypeError(f"a kernel reads bfloat16 or float32, not {x.dtype}")
    return x.astype(jnp.float32)


def straight_through(rounding: Callable[..., Array]) -> Callable[..., Array]:
    """Give `rounding(x, *static)` the derivative of the identity, in the dtype of its result.

    The true derivative of a rounding is zero almost everywhere; training and error analysis want the slope of what is
    being approximated instead (the straight-through estimator). At level "float32" it leaves `x` as it is, in float32.
    """

    static = range(1, len(inspect.signature(rounding).parameters))
    differentiable = jax.custom_jvp(rounding, nondiff_argnums=tuple(static))

    def identity(*arguments: Any) -> tuple[Array, Array]:
        *options, (x,), (tangent,) = arguments
        y = rounding(x, *options)
        return y, tangent.astype(y.dtype)

    differentiable.defjvp(identity)

    @functools.wraps(rounding)
    def rounded(x: Array, *options: Any) -> Array:
        return differentiable(x, *options) if numerics.is_rounded() else widen(x)

    return rounded


def _narrow(pattern: Array) -> Array:
    """bfloat16 from a float32 pattern whose low 16 bits are zero."""
    return lax.bitcast_convert_type((pattern >> 16).astype(jnp.uint16), jnp.bfloat16)


def flush(pattern: Array, rounded: Array) -> Array:
    """What the packer makes of special values: zeros and subnormals +0, NaN infinity of its sign."""
    magnitude = pattern & MAGNITUDE
    rounded = jnp.where(magnitude < SMALLEST_NORMAL, np.uint32(0), rounded)
    return jnp.where(magnitude > EXPONENT, (pattern & SIGN) | EXPONENT, rounded)


@straight_through
def host_bfloat16(x: Array) -> Array:
    """float32 -> bfloat16 as the host does: nearest, ties to even; subnormals kept, every NaN 0x7fc0.

    Source: spec/numerics.md section 5.1 (measured).
    """
    u = bits(x)
    rounded = (u + 0x7FFF + ((u >> 16) & 1)) & _UPPER_HALF
    return _narrow(jnp.where((u & MAGNITUDE) > EXPONENT, _QUIET_NAN, rounded))


@straight_through
def nearest_away_bfloat16(x: Array) -> Array:
    """float32 -> bfloat16 as packer and Dst do: nearest, ties away from zero.

    Subnormals and -0 become +0, NaN infinity, overflow infinity. Source: spec/numerics.md section 3.5 (measured).
    """
    u = bits(x)
    return _narrow(flush(u, (u + 0x8000) & _UPPER_HALF))


@straight_through
def nearest_even_bfloat16(x: Array) -> Array:
    """float32 -> bfloat16 as the vector unit's multiply does: nearest, ties to even, with the packer's special values.

    Source: spec/device_numerics.md, "bf16 multiply" (measured).
    """
    u = bits(x)
    return _narrow(flush(u, (u + 0x7FFF + ((u >> 16) & 1)) & _UPPER_HALF))


@straight_through
def truncate_bfloat16(x: Array) -> Array:
    """float32 -> bfloat16 toward zero: a float32 operand on its way to a 16-bit Dst. Subnormals become +0."""
    u = bits(x)
    return _narrow(flush(u, u & _UPPER_HALF))


@straight_through
def truncate_tf32(x: Array) -> Array:
    """float32 with its low 13 bits cleared: a float32 operand in a source register, when Dst is 32-bit."""
    return from_bits(bits(x) & _TF32)


@straight_through
def flush_subnormals(x: Array) -> Array:
    """float32 with zeros and subnormals made +0, as every register load does."""
    u = bits(x)
    return from_bits(jnp.where((u & MAGNITUDE) < SMALLEST_NORMAL, np.uint32(0), u))
