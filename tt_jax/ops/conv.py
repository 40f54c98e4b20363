"""Convolutions: conv2d, conv1d and conv_transpose2d.

Images have their channels last, and results are flattened: `[1, 1, n * oh * ow, out_channels]`.

Prepared weights are described in `ops._convolution`.
"""

import math
from typing import Any, NamedTuple

from jax import Array

from tt_jax.activations import UnaryWithParam, as_activation
from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.conv_configs import Conv2dConfig, Op2DSliceConfig, PaddingMode
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import conv as kernel
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, BufferType, MemoryConfig, MemoryState
from tt_jax.ops._arguments import (
    require_dtype,
    require_flags,
    require_integer,
    require_options,
    resolve_compute,
)
from tt_jax.ops._convolution import ALLOWED, Geometry, geometry_of, prepare_bias, prepare_weights, require_config
from tt_jax.ops._support import Support
from tt_jax.ops._window import require_image, require_pair, require_slice_config
from tt_jax.ops._window_sharding import conv_output
from tt_jax.ops.creation import deallocate
from tt_jax.ops.matmul_program import partial_dtype
from tt_jax.program import Operation, launch, require_live, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.work import Work, product

__all__ = ["conv1d", "conv2d", "conv_transpose2d"]

Result = Tensor | tuple[Any, ...]
"""The output; with its size and its prepared weights and bias where they were asked for, in this order."""


class _Conv(NamedTuple):
    geometry: Geometry
    dtype: DataType
    layout: Layout
    memory_config: MemoryConfig
    activation: UnaryWithParam | None
    compute: ComputeKernelConfig


def _output_specs(attributes: _Conv, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    geometry = attributes.geometry
    height, width = geometry.window.output_size(geometry.height, geometry.width)
    shape = (1, 1, geometry.batch * height * width, geometry.out_channels)
    return (TensorSpec(shape, attributes.dtype, attributes.layout, attributes.memory_config),)


def _kernel(
    attributes: _Conv, specs: tuple[TensorSpec, ...], x: Array, weights: Array, bias: Array | None = None
) -> tuple[Array]:
    geometry, compute = attributes.geometry, attributes.compute
    window, inputs = geometry.window, geometry.in_channels
    image = x.reshape(geometry.batch, geometry.height, geometry.width, -1)[..., :inputs]
    taps = weights.reshape(*window.kernel, inputs // window.groups, geometry.out_channels)
    # Partial sums wait in the dtype of a matmul's; how many blocks there are is assumed to be more than one.
    partial = partial_dtype(2, 1, attributes.dtype, compute.fp32_dest_acc_en, compute.packer_l1_acc)
    y = kernel.convolve(
        image,
        taps,
        None if bias is None else bias.reshape(-1),
        window,
        dtype=attributes.dtype.kernel_name,  # type: ignore[arg-type]
        fidelity=compute.math_fidelity.name,  # type: ignore[arg-type]
        fp32_dest=compute.fp32_dest_acc_en,
        partial=partial.kernel_name,  # type: ignore[arg-type]
        activation=attributes.activation.function if attributes.activation is not None else None,
    )
    return (y.reshape(_output_specs(attributes, specs)[0].shape),)


def _work(attributes: _Conv, specs: tuple[TensorSpec, ...]) -> Work:
    """A product of a row for each output pixel by the taps of its window, for each group of channels."""
    geometry = attributes.geometry
    groups = geometry.window.groups
    (output,) = _output_specs(attributes, specs)
    taps = math.prod(geometry.window.kernel) * geometry.in_channels // groups
    return product(groups, output.shape[2], taps, geometry.out_channels // groups, attributes.compute.math_fidelity.phases)


_CONV2D = Operation("conv2d", _output_specs, _kernel, work=_work)
# A transposed one has a tap for each input pixel it spreads: how many the device computes is not known, and not counted.
_CONV_TRANSPOSE2D = Operation("conv_transpose2d", _output_specs, _kernel)


def default_conv_config(device: DeviceProfile, x: DataType, weights: DataType) -> ComputeKernelConfig:
    """What a convolution computes with if it is not told: HiFi4, and a 32-bit Dst where input and weights are float32.

    Source: ttnn's tests of the default (documented).
    """
    wide = x is float32 and weights is float32
    return resolve_compute(
        "conv2d", device, None, ComputeKernelConfig(MathFidelity.HiFi4, math_approx_mode=True, fp32_dest_acc_en=wide)
    )


def _convolve(
    memory: MemoryState,
    geometry: Geometry,
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None,
    *,
    size: Any,
    dtype: DataType | None,
    conv_config: Conv2dConfig | None,
    compute_config: ComputeKernelConfig | None,
    memory_config: MemoryConfig | None,
    slice_config: Op2DSliceConfig | None,
    return_output_dim: bool,
    return_weights_and_bias: bool,
) -> tuple[MemoryState, Result]:
    name = geometry.name
    config = require_config(name, conv_config)
    require_options(name, dtype=dtype, memory_config=memory_config, compute_kernel_config=compute_config)
    require_slice_config(name, "slice_config", slice_config)
    require_flags(name, return_output_dim=return_output_dim, return_weights_and_bias=return_weights_and_bias)
    if config.padding_mode is PaddingMode.Replicate:
        if geometry.transposed:
            raise ArgumentError(f"{name}: a transposed convolution pads with zeros; PaddingMode.Replicate is for conv2d")
        geometry = geometry._replace(window=geometry.window._replace(replicate=True))
    activation = as_activation(name, config.activation) if config.activation not in (None, "") else None
    require_dtype(name, "input_tensor", x.spec, ALLOWED)
    require_image(name, x.spec, geometry.batch, geometry.height, geometry.width, geometry.in_channels, exact=False)
    out = dtype or x.dtype
    if out not in ALLOWED:
        raise ArgumentError(f"{name}: `dtype` must be bfloat16, float32 or bfloat8_b, got {out.kernel_name}")
    inputs = [x, weights] if bias is None else [x, weights, bias]
    for position, tensor in enumerate(inputs):
        require_live(name, memory, tensor, position)
    memory, matrix = prepare_weights(memory, weights, geometry, config)
    row = None
    if bias is not None:
        memory, row = prepare_bias(memory, bias, geometry, matrix.dtype)
    default = default_conv_config(memory.device, x.dtype, matrix.dtype)
    rows = geometry.batch * math.prod(geometry.window.output_size(geometry.height, geometry.width))
    placed = x.memory_config if x.buffer.size else DRAM_MEMORY_CONFIG  # a host tensor may remember where it was
    placement = conv_output(
        name,
        memory.device,
        memory_config,
        config,
        slice_config,
        placed,
        rows,
        geometry.in_channels,
        geometry.out_channels,
    )
    attributes = _Conv(
        geometry._replace(raw=(), mirror=False),
        out,
        config.output_layout,
        placement,
        activation,
        resolve_compute(name, memory.device, compute_config, default),
    )
    operation = _CONV_TRANSPOSE2D if geometry.transposed else _CONV2D
    operands = (x, matrix) if row is None else (x, matrix, row)
    memory, (y,) = launch(memory, operation, operands, attributes)
    if config.deallocate_activation and placed.buffer_type is BufferType.L1:
        memory = deallocate(memory, x)
    result: list[Any] = [y]
    if return_output_dim:
        result.append(size)
    if return_weights_and_bias:
        result.append((matrix, row))
    else:
        made = [new for new, given in ((matrix, weights), (row, bias)) if new is not None and new is not given]
        memory = deallocate(memory, *made)
    return memory, y if len(result) == 1 else tuple(result)


def conv2d(
    memory: MemoryState,
    input_tensor: Tensor,
    weight_tensor: Tensor,
    *,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_height: int,
    input_width: int,
    kernel_size: Any,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
    dtype: DataType | None = None,
    bias_tensor: Tensor | None = None,
    conv_config: Conv2dConfig | None = None,
    compute_config: ComputeKernelConfig | None = None,
    memory_config: MemoryConfig | None = None,
    slice_config: Op2DSliceConfig | None = None,
    return_output_dim: bool = False,
    return_weights_and_bias: bool = False,
) -> tuple[MemoryState, Result]:
    """Convolve images `[n, h, w, in]` (or `[1, 1, n * h * w, in]`) with `weight_tensor` `[out, in / groups, kh, kw]`.

    The result is `[1, 1, n * oh * ow, out]`, `oh = (h + top + bottom - dilation * (kh - 1) - 1) // stride + 1`.

    Args:
        weight_tensor, bias_tensor: as torch has them (bias `[1, 1, 1, out]` or `[out]`), or prepared.
        padding: (height, width) or (top, bottom, left, right); `conv_config.padding_mode` says with what.
        dtype: of the output (bfloat16, float32, bfloat8_b); that of the input by default.
        compute_config: see `default_conv_config` for what None means.
        memory_config: of the output. By default interleaved DRAM for an input in DRAM, or on the host; for one in L1, or with
            `Conv2dL1FullSliceConfig`, shards in L1, see `ops._window_sharding`.
        slice_config: how the device slices; says where the output goes, no more.
        return_output_dim: give `(oh, ow)` too.
        return_weights_and_bias: give the prepared (weights, bias) too, in interleaved DRAM; tensors that were prepared come back
            themselves. Otherwise what is prepared for the call is freed after it.

    Returns:
        The output; or a tuple of the output, then `(oh, ow)`, then `(weights, bias)`, as asked for.

    Sums are float32, operands masked by the math fidelity, and the output is rounded as the device rounds it; see `kernels.conv`.

    Raises:
        ArgumentError: shapes, dtypes or layouts do not fit.
        NotModelledError: an activation that is not modelled.
        DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "conv2d"
    require_memory(name, memory)
    x, weights = require_tensor(name, "input_tensor", input_tensor), require_tensor(name, "weight_tensor", weight_tensor)
    bias = None if bias_tensor is None else require_tensor(name, "bias_tensor", bias_tensor)
    geometry = geometry_of(
        name, in_channels, out_channels, batch_size, input_height, input_width, kernel_size, stride, padding, dilation, groups
    )
    return _convolve(
        memory,
        geometry,
        x,
        weights,
        bias,
        size=geometry.window.output_size(geometry.height, geometry.width),
        dtype=dtype,
        conv_config=conv_config,
        compute_config=compute_config,
        memory_config=memory_config,
        slice_config=slice_config,
        return_output_dim=return_output_dim,
        return_weights_and_bias=return_weights_and_bias,
    )


def conv1d(
    memory: MemoryState,
    input_tensor: Tensor,
    weight_tensor: Tensor,
    *,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_length: int,
    kernel_size: int,
    stride: int = 1,
    padding: Any = 0,
    dilation: int = 1,
    groups: int = 1,
    dtype: DataType | None = None,
    bias_tensor: Tensor | None = None,
    conv_config: Conv2dConfig | None = None,
    compute_config: ComputeKernelConfig | None = None,
    memory_config: MemoryConfig | None = None,
    return_output_dim: bool = False,
    return_weights_and_bias: bool = False,
) -> tuple[MemoryState, Result]:
    """Convolve signals `[n, length, in]` with `weight_tensor` `[out, in / groups, k]`: a conv2d of images of height 1.

    The result is `[1, 1, n * output_length, out]`; `return_output_dim` gives the output length, one integer. `padding` is one integer
    or (left, right). Weights may also be `[out, in / groups, 1, k]` or `[out, in / groups, k, 1]`. All else as in `conv2d`.
    """
    name = "conv1d"
    require_memory(name, memory)
    x, weights = require_tensor(name, "input_tensor", input_tensor), require_tensor(name, "weight_tensor", weight_tensor)
    bias = None if bias_tensor is None else require_tensor(name, "bias_tensor", bias_tensor)
    left, right = require_pair(name, "padding", padding)
    taps = require_integer(name, "kernel_size", kernel_size, least=1)
    steps = require_integer(name, "stride", stride, least=1), require_integer(name, "dilation", dilation, least=1)
    geometry = geometry_of(
        name,
        in_channels,
        out_channels,
        batch_size,
        1,
        input_length,
        (1, taps),
        (1, steps[0]),
        (0, 0, left, right),
        (1, steps[1]),
        groups,
    )
    channels = geometry.raw[0][:2]
    geometry = geometry._replace(raw=((*channels, 1, taps), (*channels, taps, 1), (*channels, taps)))
    return _convolve(
        memory,
        geometry,
        x,
        weights,
        bias,
        size=geometry.window.output_size(1, geometry.width)[1],
        dtype=dtype,
        conv_config=conv_config,
        compute_config=compute_config,
        memory_config=memory_config,
        slice_config=None,
        return_output_dim=return_output_dim,
        return_weights_and_bias=return_weights_and_bias,
    )


def conv_transpose2d(
    memory: MemoryState,
    input_tensor: Tensor,
    weight_tensor: Tensor,
    *,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_height: int,
    input_width: int,
    kernel_size: Any,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    output_padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
    dtype: DataType | None = None,
    bias_tensor: Tensor | None = None,
    conv_config: Conv2dConfig | None = None,
    compute_config: ComputeKernelConfig | None = None,
    memory_config: MemoryConfig | None = None,
    dram_slice_config: Op2DSliceConfig | None = None,
    mirror_kernel: bool = True,
    return_output_dim: bool = False,
    return_weights_and_bias: bool = False,
) -> tuple[MemoryState, Result]:
    """The transposed convolution of images `[n, h, w, in]` with `weight_tensor` `[in, out / groups, kh, kw]`.

    The result is `[1, 1, n * oh * ow, out]`,
    `oh = (h - 1) * stride - top - bottom + dilation * (kh - 1) + output_padding + 1`. `mirror_kernel` turns the kernel around, as
    torch's transposed convolution does; False for weights that are turned already. Prepared weights are used as they are. All else
    as in `conv2d`.
    """
    name = "conv_transpose2d"
    require_memory(name, memory)
    x, weights = require_tensor(name, "input_tensor", input_tensor), require_tensor(name, "weight_tensor", weight_tensor)
    bias = None if bias_tensor is None else require_tensor(name, "bias_tensor", bias_tensor)
    geometry = geometry_of(
        name,
        in_channels,
        out_channels,
        batch_size,
        input_height,
        input_width,
        kernel_size,
        stride,
        padding,
        dilation,
        groups,
        output_padding,
        mirror_kernel,
    )
    return _convolve(
        memory,
        geometry,
        x,
        weights,
        bias,
        size=geometry.window.output_size(geometry.height, geometry.width),
        dtype=dtype,
        conv_config=conv_config,
        compute_config=compute_config,
        memory_config=memory_config,
        slice_config=dram_slice_config,
        return_output_dim=return_output_dim,
        return_weights_and_bias=return_weights_and_bias,
    )


_SUPPORT = Support(ALLOWED, note="input, weights and bias; float32 sums, see kernels.conv")
conv2d.support = conv1d.support = conv_transpose2d.support = _SUPPORT  # type: ignore[attr-defined]
