"""Fake quantization: what a dtype does to values, where a model of plain arrays is trained for the device."""

import functools
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tt_jax.dtypes import FLOATS, DataType
from tt_jax.errors import ArgumentError
from tt_jax.kernels import block_float, numerics, packer, rounding
from tt_jax.kernels.block_float import Rule

_DTYPES = {dtype.kernel_name: dtype for dtype in FLOATS}


def fake_quant(w: ArrayLike, dtype: DataType | str, rule: Rule = "host") -> Array:
    """`w` `[..., n]` (float32 or bfloat16) as a tensor of `dtype` holds it: the same shape and dtype, other values.

        loss = lambda w: jnp.square(x @ tt.fake_quant(w, tt.bfloat4_b) - y).mean()

    Its derivative is the identity (the straight-through estimator), so a model trained through it learns weights that bear the
    rounding. It can be jitted, differentiated and vmapped.

    In a block float each 16 neighbours along the last axis, counted from the first, share an exponent: give weights in the shape
    in which the tensor has them (for `linear` `[in, out]`; convolutions store a matrix `[taps * in, out]`).

    Args:
        dtype: a DataType or its name: "bfloat4_b", "bfloat8_b", "bfloat16", or "float32", which changes nothing.
        rule: "host", what `from_array` stores; "device", what an operation's output gets; "precise", what the device's typecast
            stores, which rounds to bfloat8_b once. Source: spec/numerics.md sections 1.2 to 1.5 (measured).

    At numerics level "float32" nothing rounds: `w` itself. Raises ArgumentError for an integer dtype, another rule, rank 0, and an
    array that is neither float32 nor bfloat16.
    """
    target = _DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if not isinstance(target, DataType) or target not in FLOATS:
        raise ArgumentError(f"fake_quant: `dtype` must be one of {', '.join(_DTYPES)}, or its DataType, got {dtype!r}")
    if rule not in get_args(Rule):
        raise ArgumentError(f"fake_quant: `rule` must be one of {', '.join(get_args(Rule))}, got {rule!r}")
    array = w if isinstance(w, jax.Array) else np.asarray(w)
    if array.dtype not in (jnp.float32, jnp.bfloat16):
        raise ArgumentError(f"fake_quant: `w` must be float32 or bfloat16, got {array.dtype}: convert it with astype")
    if array.ndim == 0:
        raise ArgumentError("fake_quant: `w` is a scalar: pass an array, whose last axis is cut into groups of 16")
    if target.kernel_name == "float32" or not numerics.is_rounded():
        return jnp.asarray(array)
    return _quantized(jnp.asarray(array), target.kernel_name, rule)


@functools.partial(jax.jit, static_argnums=(1, 2))
@rounding.straight_through
def _quantized(w: Array, format: packer.Float, rule: Rule) -> Array:
    if format == "bfloat16":
        rounded = rounding.host_bfloat16 if rule == "host" else rounding.nearest_away_bfloat16
        return w if w.dtype == jnp.bfloat16 else rounding.widen(rounded(w))
    return block_float.quantize(w, format, rule)
