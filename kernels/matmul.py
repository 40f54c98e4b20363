"""The matrix engine's matmul by math fidelity.

At level "device" the matrix unit itself (`tt_jax.kernels.matrix_unit`). At level "fast" the sum of the phases in closed form, as
one or two dot products: products are exact; sums are float32, where the device's are about 12 bits wide in groups of eight and,
with a 16-bit Dst, rounded every 16 terms. So this is slightly better than the device: 98% of positive data and 86-89% of normal
data have the same bfloat16 with a 32-bit Dst, 27-61% with a 16-bit one (by at most 4 ULP). Source: spec/numerics.md section 3.4,
spec/device_numerics.md (measured).
"""

import jax.numpy as jnp
from jax import Array, lax

from tt_jax.kernels import matrix_unit, numerics, rounding, unary
from tt_jax.kernels.eltwise import fpu_sum, operand
from tt_jax.kernels.fidelity import Fidelity, closed_form
from tt_jax.kernels.matrix_unit import Partials
from tt_jax.kernels.packer import Float, pack, to_dst


def _dot(x: Array, y: Array, widen: bool) -> Array:
    """float32 `x @ y` over the last axis of `x`, batch axes broadcast, float32 accumulation."""
    if widen:
        x, y = rounding.widen(x), rounding.widen(y)
    return jnp.matmul(x, y, precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32)


def _register(x: Array, fp32_dest: bool) -> Array:
    return x if x.dtype == jnp.bfloat16 else operand(x, fp32_dest)


def products(in0: Array, in1: Array, fidelity: Fidelity, fp32_dest: bool = False, widen: bool = False) -> Array:
    """float32 `in0 @ in1` `[..., m, k] x [..., k, n]` of what `fidelity` multiplies; the value before Dst rounds it.

    Operands are bfloat16 or float32 carriers; float32 ones are truncated as the source registers do (TF32 when Dst is
    32-bit, bfloat16 otherwise). `widen` multiplies bfloat16 operands as float32: the same products, summed in another order,
    and faster on a machine that cannot multiply bfloat16. Raises KeyError on an unknown fidelity.
    """
    in0, in1 = _register(in0, fp32_dest), _register(in1, fp32_dest)
    if in0.dtype != in1.dtype:
        in0, in1 = rounding.widen(in0), rounding.widen(in1)
    return closed_form(in1, in0, fidelity, lambda a, b: _dot(b, a, widen))


def product_in_dst(
    in0: Array, in1: Array, fidelity: Fidelity, fp32_dest: bool = False, widen: bool = False, partials: Partials | None = None
) -> Array:
    """Dst (float32, or bfloat16 if 16-bit) after `in0 @ in1`, as `products` takes them.

    `partials` says how sums wait between blocks of the inner dimension; level "fast" rounds once, whatever the blocks.
    """
    if numerics.level() != "device":
        return to_dst(products(in0, in1, fidelity, fp32_dest, widen), fp32_dest)
    in0, in1 = operand(in0, fp32_dest), operand(in1, fp32_dest)
    return to_dst(matrix_unit.matmul(in0, in1, fidelity, fp32_dest, partials), fp32_dest)


def matmul(
    in0: Array,
    in1: Array,
    bias: Array | None = None,
    *,
    dtype: Float,
    fidelity: Fidelity,
    fp32_dest: bool = False,
    partials: Partials | None = None,
    activation: tuple[str, unary.Parameters] | None = None,
    widen: bool = False,
) -> Array:
    """`activation(in0 @ in1 + bias)` packed as `dtype`: the carrier array `[..., m, n]`.

    The product waits for its bias in L1, in the dtype of `partials` (by default `dtype`); without a bias it goes from Dst
    to the output directly. `bias` broadcasts over rows. `activation` is a name and parameters as `unary.apply`
    takes them; `widen` as in `products`.
    """
    dst = product_in_dst(in0, in1, fidelity, fp32_dest, widen, partials)
    if bias is not None:
        waiting = operand(pack(dst, partials.dtype if partials else dtype), fp32_dest)
        dst = to_dst(fpu_sum(waiting, operand(bias, fp32_dest)), fp32_dest)
    if activation is not None:
        dst = unary.apply_chain((activation,), dst, fp32_dest)
    return pack(dst, dtype)
