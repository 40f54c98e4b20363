"""Rotary position embeddings: each product and the sum is a pass through Dst and the packer, as the device's kernels run.

    y = R(R(x * cos) + R(rotated(x) * sin))

Source: assumed from the structure of the kernels (read in source); the roundings are those of the FPU's products and sums.
"""

import jax.numpy as jnp
from jax import Array

from tt_jax.kernels.eltwise import fpu_product, fpu_sum, operand
from tt_jax.kernels.fidelity import Fidelity
from tt_jax.kernels.matmul import product_in_dst
from tt_jax.kernels.packer import Float, pack, to_dst


def _half_turn(x: Array) -> Array:
    """`(-second half, first half)` of the last axis."""
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([-second, first], axis=-1)


def _combine(x: Array, rotated: Array, cos: Array, sin: Array, dtype: Float, fidelity: Fidelity, fp32_dest: bool) -> Array:
    def product(a: Array, b: Array) -> Array:
        return operand(
            pack(fpu_product(operand(a, fp32_dest), operand(b, fp32_dest), fidelity, fp32_dest), "bfloat16"), fp32_dest
        )

    return pack(to_dst(fpu_sum(product(x, cos), product(rotated, sin)), fp32_dest), dtype)


def rotate(x: Array, cos: Array, sin: Array, *, dtype: Float, fidelity: Fidelity = "HiFi4", fp32_dest: bool = False) -> Array:
    """`x` `[..., d]` turned by angles whose `cos` and `sin` broadcast against it, pairs half of `d` apart."""
    return _combine(x, _half_turn(x), cos, sin, dtype, fidelity, fp32_dest)


def rotate_by_matrix(
    x: Array, cos: Array, sin: Array, turn: Array, *, dtype: Float, fidelity: Fidelity = "HiFi4", fp32_dest: bool = False
) -> Array:
    """As `rotate`, the pairs being what the matrix `turn` `[32, 32]` exchanges within each 32 of the last axis."""
    size = turn.shape[-1]
    blocks = x.reshape(*x.shape[:-1], x.shape[-1] // size, size)
    rotated = pack(product_in_dst(blocks, turn, fidelity, fp32_dest), "bfloat16").reshape(x.shape)
    return _combine(x, rotated, cos, sin, dtype, fidelity, fp32_dest)
