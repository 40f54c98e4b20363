"""Convolutions on the matrix engine: a matmul of unfolded patches, so its operands are masked and its sums rounded as a matmul's.

As in `kernels.matmul`, with the same distance from the device. The patches are in0, the weights in1; their inner dimension runs over
the taps, row by row, and within a tap over the input channels (assumed: the device's order for any sharding and blocks).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import block_float, numerics, rounding
from tt_jax.kernels.eltwise import fpu_sum, operand
from tt_jax.kernels.fidelity import Fidelity, closed_form
from tt_jax.kernels.matmul import product_in_dst
from tt_jax.kernels.packer import Float, pack, to_dst
from tt_jax.kernels.unary import apply_chain

Pair = tuple[int, int]


class Window(NamedTuple):
    """Where a kernel looks. `padding` is ((top, bottom), (left, right)), and may be negative; `spread` puts `spread - 1` zeros
    between the pixels of the input first (what a transposed convolution does with its stride)."""

    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    spread: Pair = (1, 1)
    groups: int = 1
    replicate: bool = False

    def output_size(self, height: int, width: int) -> Pair:
        """Height and width of the output; below 1 where the window does not fit."""
        extent = [
            (size - 1) * self.spread[i] + 1 + sum(self.padding[i]) - self.dilation[i] * (self.kernel[i] - 1) - 1
            for i, size in enumerate((height, width))
        ]
        return extent[0] // self.stride[0] + 1, extent[1] // self.stride[1] + 1


def transposed_window(
    kernel: Pair, stride: Pair, padding: tuple[Pair, Pair], output_padding: Pair, dilation: Pair, groups: int
) -> Window:
    """The window of a transposed convolution, as one of a plain convolution with mirrored weights."""
    reach = [dilation[i] * (kernel[i] - 1) for i in range(2)]
    pads = [(reach[i] - padding[i][0], reach[i] - padding[i][1] + output_padding[i]) for i in range(2)]
    return Window(kernel, (1, 1), (pads[0], pads[1]), dilation, stride, groups)


def weight_matrix(weights: Array) -> Array:
    """`[out, in / groups, kh, kw]` -> `[kh * kw * in / groups, out]`: the device's in1, a row per tap and input channel."""
    return weights.transpose(2, 3, 1, 0).reshape(-1, weights.shape[0])


def transposed_weight_matrix(weights: Array, groups: int, mirror: bool) -> Array:
    """`[in, out / groups, kh, kw]` -> `[kh * kw * in / groups, out]`; `mirror` turns the kernel around in both directions."""
    inputs, outputs, height, width = weights.shape
    if mirror:
        weights = weights[:, :, ::-1, ::-1]
    by_group = weights.reshape(groups, inputs // groups, outputs, height, width)
    return by_group.transpose(3, 4, 1, 0, 2).reshape(-1, groups * outputs)


def store_weights(matrix: Array, dtype: Float, groups: int = 1) -> Array:
    """A matrix of weights `[k, out]`, or a row of biases, as the host stores it in `dtype`: the carrier array.

    16 neighbouring output channels share an exponent. The device's matrix of a grouped convolution has zeros between groups,
    so channels of different groups have no part in each other's exponent (exact where `out / groups` divides 16 or is a
    multiple of it).
    """
    wide = rounding.widen(matrix)
    if dtype == "float32" or not numerics.is_rounded():
        return wide
    if dtype == "bfloat16":
        return matrix if matrix.dtype == jnp.bfloat16 else rounding.host_bfloat16(wide)
    by_group = wide.reshape(*wide.shape[:-1], groups, -1)
    return block_float.quantize(by_group, dtype, "host").reshape(wide.shape).astype(jnp.bfloat16)


def products(x: Array, weights: Array, window: Window, fidelity: Fidelity, fp32_dest: bool) -> Array:
    """float32 `[n, oh, ow, out]` of `x` `[n, h, w, in]` and `weights` `[kh, kw, in / groups, out]`, before Dst rounds it."""
    padding = window.padding
    if window.replicate:
        x, padding = jnp.pad(x, ((0, 0), *padding, (0, 0)), mode="edge"), ((0, 0), (0, 0))

    def convolve(weights: Array, x: Array) -> Array:
        return lax.conv_general_dilated(
            x,
            weights,
            window.stride,
            padding,
            lhs_dilation=window.spread,
            rhs_dilation=window.dilation,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=window.groups,
            precision=lax.Precision.HIGHEST,
            preferred_element_type=jnp.float32,
        )

    # float32 copies of bfloat16 values: the products are the same, and a CPU convolves float32 much faster.
    return closed_form(operand(weights, fp32_dest), operand(x, fp32_dest), fidelity, convolve)


def _taps(x: Array, window: Window) -> Array:
    """What each output pixel of `x` `[n, h, w, in]` sees: `[n, oh, ow, kh * kw * in]`."""
    rows, columns = window.output_size(*x.shape[1:3])
    spread = [(low, high, step - 1) for (low, high), step in zip(window.padding, window.spread, strict=True)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *spread, (0, 0, 0)])
    seen = []
    for i in range(window.kernel[0]):
        for j in range(window.kernel[1]):
            start = (0, i * window.dilation[0], j * window.dilation[1], 0)
            size = ((rows - 1) * window.stride[0] + 1, (columns - 1) * window.stride[1] + 1)
            end = (len(x), start[1] + size[0], start[2] + size[1], x.shape[3])
            seen.append(lax.slice(x, start, end, (1, *window.stride, 1)))
    return jnp.concatenate(seen, -1)


def _ungrouped(weights: Array, groups: int) -> Array:
    """`[kh, kw, in / groups, out]` with zeros between groups: `[kh, kw, in, out]`, the matrix that the device multiplies by."""
    inputs, outputs = weights.shape[2] * groups, weights.shape[3]
    own = np.arange(inputs)[:, None] // weights.shape[2] == np.arange(outputs) // (outputs // groups)
    return jnp.where(own, jnp.tile(weights, (1, 1, groups, 1)), jnp.zeros((), weights.dtype))


def convolution_in_dst(x: Array, weights: Array, window: Window, fidelity: Fidelity, fp32_dest: bool) -> Array:
    """Dst (float32, or bfloat16 if 16-bit) of the convolution that `products` takes."""
    if numerics.level() != "device":
        return to_dst(products(x, weights, window, fidelity, fp32_dest), fp32_dest)
    if window.replicate:
        x = jnp.pad(x, ((0, 0), *window.padding, (0, 0)), mode="edge")
        window = window._replace(padding=((0, 0), (0, 0)))
    matrix = _ungrouped(weights, window.groups).reshape(-1, weights.shape[3])
    return product_in_dst(_taps(x, window), matrix, fidelity, fp32_dest)


def convolve(
    x: Array,
    weights: Array,
    bias: Array | None,
    window: Window,
    *,
    dtype: Float,
    fidelity: Fidelity,
    fp32_dest: bool,
    partial: Float,
    activation: tuple[str, tuple[float, ...]] | None = None,
) -> Array:
    """`activation(conv(x, weights) + bias)` packed as `dtype`: the carrier array `[n, oh, ow, out]`.

    `x` `[n, h, w, in]`, `weights` `[kh, kw, in / groups, out]` and `bias` `[out]` are carrier arrays. `partial` is the dtype
    in which the product waits in L1 for its bias; `activation` is a name and parameters, as `unary.apply` takes them.
    """
    dst = convolution_in_dst(x, weights, window, fidelity, fp32_dest)
    if bias is not None:
        waiting = operand(pack(dst, partial), fp32_dest)
        dst = to_dst(fpu_sum(waiting, operand(bias, fp32_dest)), fp32_dest)
    if activation is not None:
        dst = apply_chain([activation], dst, fp32_dest)
    return pack(dst, dtype)
