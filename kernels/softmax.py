"""Softmax over the last axis, stage by stage as the device's kernel runs it.

Every stage is a pass through Dst and the packer, so every stage rounds. With a 32-bit Dst (the default):

    x = RTA(in * scale); x = RTA(x + mask)       only with a mask; the scale is rounded to bfloat16 first
    e = RTA(exp(x - max(x)))                      approximate exp by default
    r = 1 / rowsum(e)                             kept in float32, read back as TF32
    y = pack(e * r)                               FPU product, HiFi3

Source: spec/device_numerics.md, "softmax" (measured, bit for bit but for the row sum with a 32-bit Dst, which the device makes
in groups of eight with about 12 bits; at level "fast" it is a float32 sum. With a 16-bit Dst it is the device's own).
"""

import math
from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import numerics, rounding
from tt_jax.kernels.broadcast import where
from tt_jax.kernels.eltwise import aligned_sum, fpu_product, fpu_sum, operand
from tt_jax.kernels.fidelity import A_USED, Fidelity, mask
from tt_jax.kernels.packer import Float, pack, to_dst
from tt_jax.kernels.reduction import row_sum
from tt_jax.kernels.sfpu import exp, reciprocal


def _between(dtype: Float, fp32_dest: bool) -> Float:
    """The dtype in which a stage is stored for the next."""
    return "float32" if fp32_dest and dtype == "float32" else "bfloat16"


def softmax(
    x: Array,
    *,
    dtype: Float,
    fidelity: Fidelity = "HiFi3",
    approximate: bool = True,
    fp32_dest: bool = True,
    numeric_stable: bool = True,
) -> Array:
    """Softmax of `x` `[..., w]` over its last axis, packed as `dtype`. `x` is a carrier array, or float32 register values."""
    between = _between(dtype, fp32_dest)

    def exponential(difference: Callable[[Array, Array], Array], value: Array, top: Array) -> tuple[Array, Array]:
        value = operand(value, fp32_dest)
        if numeric_stable:
            value = rounding.widen(to_dst(difference(value, lax.neg(operand(top, fp32_dest))), fp32_dest))
        e = pack(exp(value, approximate, fp32_dest), between)
        if not fp32_dest or numerics.level() == "device":
            return e, row_sum(operand(e, fp32_dest), 1.0, fidelity, fp32_dest)
        # Masked before it is widened: a bfloat16 array then reaches the sum as it is, without a float32 copy in between.
        addends = rounding.widen(mask(e if e.dtype == jnp.bfloat16 else operand(e, fp32_dest), A_USED))
        return e, addends.sum(-1, keepdims=True)

    # A row of infinities is the rare case. Asking for it also makes the compiler keep `x` and `e`: left to itself it would
    # compute each of their stages again for every reader, at twice the time of the whole.
    top = x.max(-1, keepdims=True)
    ordinary = jnp.isfinite(top).all()
    e, total = lax.cond(ordinary, partial(exponential, aligned_sum), partial(exponential, fpu_sum), x, top)
    total = rounding.widen(to_dst(total, fp32_dest))
    # A row that sums to 0 is 0 whatever its inverse, and a finite one keeps its gradient finite.
    inverse = operand(to_dst(reciprocal(where(lax.eq(total, np.float32(0)), np.float32(1), total)), fp32_dest), fp32_dest)
    return pack(fpu_product(operand(e, fp32_dest), inverse, fidelity, fp32_dest), dtype)


def scale_mask_softmax(
    x: Array,
    scale: float,
    attention_mask: Array,
    *,
    dtype: Float,
    fidelity: Fidelity = "HiFi3",
    approximate: bool = True,
    fp32_dest: bool = True,
    numeric_stable: bool = True,
) -> Array:
    """Softmax of `x * scale + attention_mask` over the last axis. The mask broadcasts against `x` `[b, heads, rows, w]`."""
    factor = rounding.nearest_even_bfloat16(jnp.full((), scale, jnp.float32))
    between = _between(dtype, fp32_dest)
    scaled = pack(fpu_product(operand(x, fp32_dest), operand(factor, fp32_dest), fidelity, fp32_dest), between)
    masked = pack(to_dst(fpu_sum(operand(scaled, fp32_dest), operand(attention_mask, fp32_dest)), fp32_dest), between)
    return softmax(
        masked, dtype=dtype, fidelity=fidelity, approximate=approximate, fp32_dest=fp32_dest, numeric_stable=numeric_stable
    )


def head_scale(head_size: int | None) -> float:
    """The attention scale 1/sqrt(head_size); 1 if no head size is given."""
    return 1.0 if head_size is None else 1.0 / math.sqrt(head_size)
