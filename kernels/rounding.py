"""Roundings of float32 on its bit pattern, each with the identity as its derivative.

A pair of casts (float32 -> bfloat16 -> float32) is not a rounding under `jit`: XLA may keep the excess precision. Everything
here works on bits, so eager and compiled results are the same. Source: spec/numerics.md section 3 and 4.1 (measured).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from tt_jax.kernels import numerics
from tt_jax.kernels.broadcast import where

# Masks of a float32 pattern. NumPy scalars: a bare Python integer above 2**31 would not become a uint32.
SIGN = np.uint32(0x8000_0000)
EXPONENT = np.uint32(0x7F80_0000)
MAGNITUDE = np.uint32(0x7FFF_FFFF)
SMALLEST_NORMAL = np.uint32(0x0080_0000)
_UPPER_HALF = np.uint32(0xFFFF_0000)
_TF32 = np.uint32(0xFFFF_E000)
_QUIET_NAN = np.uint32(0x7FC0_0000)
_ONE_GROUP = 16  # of values that a rounding may take together


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
    """Give `rounding(x, *static)`, which keeps the shape of `x`, the derivative of the identity, in the dtype of its result.

    The true derivative of a rounding is zero almost everywhere; training and error analysis want the slope of what is
    being approximated instead (the straight-through estimator). At level "float32" it leaves `x` as it is, in float32.

    The options are hashable; they do not decide on the dtype. Only values along the last axis may depend on each other.
    """
    # A primitive is one equation to trace, and JAX lowers it once for a shape; of a `jax.custom_jvp` it traces and lowers every
    # call with all that is in it.
    primitive = Primitive(rounding.__name__)

    def evaluate(x: Array, *, options: tuple[Any, ...], level: numerics.Level) -> Array:
        with numerics.numerics(level):  # that of the call: lowering comes later
            return rounding(x, *options)

    dtypes: dict[np.dtype, np.dtype] = {}  # of results, by that of `x`

    def dtype_of(dtype: np.dtype, parameters: dict[str, Any]) -> np.dtype:
        if dtype not in dtypes:
            one = jax.ShapeDtypeStruct((_ONE_GROUP,), dtype)
            dtypes[dtype] = jax.eval_shape(functools.partial(evaluate, **parameters), one).dtype
        return dtypes[dtype]

    def batched(arrays: Sequence[Array], axes: Sequence[int], **parameters: Any) -> tuple[Array, int]:
        (x,), (axis,) = arrays, axes
        if axis == x.ndim - 1:
            x, axis = jnp.moveaxis(x, axis, 0), 0
        return primitive.bind(x, **parameters), axis

    primitive.def_abstract_eval(lambda x, **p: x.update(dtype=dtype_of(x.dtype, p), weak_type=False))
    primitive.def_impl(jax.jit(evaluate, static_argnames=("options", "level")))
    mlir.register_lowering(primitive, mlir.lower_fun(evaluate, multiple_results=False))
    ad.defjvp(primitive, lambda tangent, x, **p: tangent.astype(dtype_of(x.dtype, p)))
    batching.primitive_batchers[primitive] = batched

    @functools.wraps(rounding)
    def rounded(x: Array, *options: Any) -> Array:
        return primitive.bind(x, options=options, level=numerics.level()) if numerics.is_rounded() else widen(x)

    return rounded


def _narrow(pattern: Array) -> Array:
    """bfloat16 from a float32 pattern whose low 16 bits are zero."""
    upper = lax.convert_element_type(lax.shift_right_logical(pattern, np.uint32(16)), jnp.uint16)
    return lax.bitcast_convert_type(upper, jnp.bfloat16)


def flush(pattern: Array, rounded: Array) -> Array:
    """What the packer makes of special values: zeros and subnormals +0, NaN infinity of its sign."""
    magnitude = lax.bitwise_and(pattern, MAGNITUDE)
    infinity = lax.bitwise_or(lax.bitwise_and(pattern, SIGN), EXPONENT)
    rounded = where(lax.lt(magnitude, SMALLEST_NORMAL), np.uint32(0), rounded)
    return where(lax.gt(magnitude, EXPONENT), infinity, rounded)


def _to_nearest_even(u: Array) -> Array:
    """Patterns of finite numbers rounded to their upper half."""
    last = lax.bitwise_and(lax.shift_right_logical(u, np.uint32(16)), np.uint32(1))
    return lax.bitwise_and(lax.add(lax.add(u, np.uint32(0x7FFF)), last), _UPPER_HALF)


@straight_through
def host_bfloat16(x: Array) -> Array:
    """float32 -> bfloat16 as the host does: nearest, ties to even; subnormals kept, every NaN 0x7fc0.

    Source: spec/numerics.md section 5.1 (measured).
    """
    u = bits(x)
    is_nan = lax.gt(lax.bitwise_and(u, MAGNITUDE), EXPONENT)
    return _narrow(where(is_nan, _QUIET_NAN, _to_nearest_even(u)))


@straight_through
def nearest_away_bfloat16(x: Array) -> Array:
    """float32 -> bfloat16 as packer and Dst do: nearest, ties away from zero.

    Subnormals and -0 become +0, NaN infinity, overflow infinity. Source: spec/numerics.md section 3.5 (measured).
    """
    u = bits(x)
    return _narrow(flush(u, lax.bitwise_and(lax.add(u, np.uint32(0x8000)), _UPPER_HALF)))


@straight_through
def nearest_even_bfloat16(x: Array) -> Array:
    """float32 -> bfloat16 as the vector unit's multiply does: nearest, ties to even, with the packer's special values.

    Source: spec/device_numerics.md, "bf16 multiply" (measured).
    """
    u = bits(x)
    return _narrow(flush(u, _to_nearest_even(u)))


@straight_through
def truncate_bfloat16(x: Array) -> Array:
    """float32 -> bfloat16 toward zero: a float32 operand on its way to a 16-bit Dst. Subnormals become +0."""
    u = bits(x)
    return _narrow(flush(u, lax.bitwise_and(u, _UPPER_HALF)))


@straight_through
def truncate_tf32(x: Array) -> Array:
    """float32 with its low 13 bits cleared: a float32 operand in a source register, when Dst is 32-bit."""
    return from_bits(lax.bitwise_and(bits(x), _TF32))


@straight_through
def flush_subnormals(x: Array) -> Array:
    """float32 with zeros and subnormals made +0, as every register load does."""
    u = bits(x)
    return from_bits(where(lax.lt(lax.bitwise_and(u, MAGNITUDE), SMALLEST_NORMAL), np.uint32(0), u))
