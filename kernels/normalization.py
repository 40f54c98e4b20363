"""Layer, RMS, group and batch normalization.

Layer and RMS norm run stage by stage as the device's kernel does; every stage is a pass through Dst and the packer:

    x = in + residual                            only with a residual
    mu = sum(x) * (1/w)       d = x - mu         not for RMS norm, whose d is x
    v = sum(d * d) * (1/w)    r = 1 / sqrt(v + epsilon)
    y = d * r                 y = y * weight     y = y + bias

With a 32-bit Dst (layer norm's default) stages are stored in float32 and read back as TF32; with a 16-bit one (RMS norm's) they
are bfloat16. Every element of the recorded layer and RMS norms is the same. Source: spec/device_numerics.md, "layer_norm" and
"rms_norm" (measured). Group and batch norm were not recorded: they are float32, rounded once.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import numerics, rounding
from tt_jax.kernels.broadcast import where
from tt_jax.kernels.eltwise import fpu_product, fpu_sum, operand
from tt_jax.kernels.fidelity import Fidelity
from tt_jax.kernels.packer import Float, pack
from tt_jax.kernels.reduction import in_dst, mean_from, row_sum
from tt_jax.kernels.sfpu_functions import rough_rsqrt


def _inverse_root(x: Array, approximate: bool = False) -> Array:
    """`1 / sqrt(x)`, to 10 bits if `approximate`; infinity for what is not positive, since Dst has no NaN (measured)."""
    has_root = lax.gt(x, np.float32(0))
    positive = where(has_root, x, np.float32(1))
    if approximate and numerics.is_rounded():
        root = where(lax.eq(x, np.float32(np.inf)), np.float32(0), rough_rsqrt(positive))
    else:
        root = 1.0 / lax.sqrt(positive)
    return where(has_root, root, np.float32(np.inf))


def normalize(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    residual: Array | None = None,
    *,
    epsilon: float,
    dtype: Float,
    centered: bool,
    fidelity: Fidelity = "HiFi4",
    fp32_dest: bool = True,
    approximate: bool = False,
    welford: bool = False,
) -> Array:
    """The norm of `x` `[..., w]` over its last axis, packed as `dtype`: layer norm if `centered`, else RMS norm.

    `weight` and `bias` broadcast against `x`; arrays are carriers. `approximate` (`math_approx_mode`): the inverse root has 10 bits
    (measured with a 16-bit Dst; with a 32-bit one read in the kernel's source). `welford`: with a 32-bit Dst mean, variance and
    `d` are float32 throughout instead of TF32 (`use_welford`, which does not use the matrix engine for them; the order of its
    updates is not modelled).
    """
    exact = welford and fp32_dest

    def stored(value: Array) -> Array:
        """A stage's result as the next one reads it."""
        return operand(in_dst(value, fp32_dest), fp32_dest)

    def kept(value: Array) -> Array:
        return value if exact else stored(value)

    def mean(value: Array) -> Array:
        if welford:
            return kept(value.mean(-1, keepdims=True))
        return stored(mean_from(row_sum(value, 1.0, fidelity, fp32_dest), x.shape[-1], fp32_dest))

    read = rounding.widen if exact else partial(operand, fp32_dest=fp32_dest)
    add = jnp.add if exact else fpu_sum
    d = read(x)
    if residual is not None:
        d = kept(add(d, read(residual)))
    variance = None
    if centered:
        if welford:
            variance = kept(jnp.var(d, -1, keepdims=True))
        d = kept(add(d, lax.neg(mean(d))))
    if variance is None:
        variance = mean(stored(rounding.widen(fpu_product(d, d, fidelity, fp32_dest))))
    scale = stored(_inverse_root(in_dst(variance + np.float32(epsilon), fp32_dest), approximate))
    y = rounding.widen(fpu_product(d, scale, fidelity, fp32_dest))
    if weight is not None:
        y = rounding.widen(fpu_product(stored(y), operand(weight, fp32_dest), fidelity, fp32_dest))
    if bias is not None:
        y = in_dst(fpu_sum(stored(y), operand(bias, fp32_dest)), fp32_dest)
    return pack(y, dtype)


def group_norm(x: Array, groups: int, weight: Array | None, bias: Array | None, *, epsilon: float, dtype: Float) -> Array:
    """Group norm of `[n, 1, h * w, c]`: mean and variance over all rows and the `c / groups` channels of each group.

    `weight` and `bias` `[c]`. float32, rounded once.
    """
    n, _, rows, channels = x.shape
    grouped = rounding.widen(x).reshape(n, rows, groups, channels // groups)
    deviation = grouped - grouped.mean((1, 3), keepdims=True)
    variance = lax.square(deviation).mean((1, 3), keepdims=True)
    y = (deviation * _inverse_root(variance + np.float32(epsilon))).reshape(x.shape)
    if weight is not None:
        y = y * rounding.widen(weight)
    if bias is not None:
        y = y + rounding.widen(bias)
    return pack(y, dtype)


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and variance (divided by the count) of each channel of `[n, c, h, w]`: float32 `[1, c, 1, 1]`."""
    wide = rounding.widen(x)
    mean = wide.mean((0, 2, 3), keepdims=True)
    return mean, lax.square(wide - mean).mean((0, 2, 3), keepdims=True)


def batch_norm(
    x: Array, mean: Array, variance: Array, weight: Array | None, bias: Array | None, *, epsilon: float, dtype: Float
) -> Array:
    """`(x - mean) / sqrt(variance + epsilon) * weight + bias` of `[n, c, h, w]`, parameters `[1, c, 1, 1]`; rounded once."""
    wide = rounding.widen
    y = (wide(x) - wide(mean)) * _inverse_root(wide(variance) + np.float32(epsilon))
    if weight is not None:
        y = y * wide(weight)
    if bias is not None:
        y = y + wide(bias)
    return pack(y, dtype)
