"""The packer: from the destination register to memory, in the dtype of the output.

Source: spec/numerics.md sections 1.4 and 3.5, spec/device_numerics.md (measured).
"""

from typing import Literal

import jax.numpy as jnp
from jax import Array

from tt_jax.kernels import block_float, numerics, rounding

Float = Literal["float32", "bfloat16", "bfloat8_b", "bfloat4_b"]


def to_dst(value: Array, fp32_dest: bool) -> Array:
    """What Dst holds of a float32 `value`: itself if 32-bit, else bfloat16 rounded to nearest, ties away."""
    return value if fp32_dest else rounding.nearest_away_bfloat16(value)


def pack(dst: Array, dtype: Float) -> Array:
    """Store Dst (float32 or bfloat16) as `dtype`: the carrier array, bfloat16 unless `dtype` is "float32".

    A 32-bit Dst reaches a block float directly: rounding to bfloat16 first would round twice.
    """
    if dtype == "float32" or not numerics.is_rounded():
        return rounding.widen(dst)
    if dtype == "bfloat16":
        return dst if dst.dtype == jnp.bfloat16 else rounding.nearest_away_bfloat16(dst)
    return block_float.quantize(dst, dtype, "device").astype(jnp.bfloat16)


def typecast(x: Array, dtype: Float) -> Array:
    """The device's `typecast` of a carrier array: as `pack`, but bfloat8_b is rounded once, not twice."""
    if dtype == "bfloat8_b" and numerics.is_rounded():
        return block_float.quantize(x, dtype, "precise").astype(jnp.bfloat16)
    return pack(x, dtype)
