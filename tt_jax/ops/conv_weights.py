"""Weights and biases prepared for convolutions ahead of time. What a prepared one is: `ops._convolution`."""

from typing import Any

from tt_jax.compute import ComputeKernelConfig
from tt_jax.conv_configs import Conv2dConfig, Op2DSliceConfig
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_flags, require_options
from tt_jax.ops._convolution import ALLOWED, Geometry, geometry_of, prepare_bias, prepare_weights, require_config, weights_dtype
from tt_jax.ops._support import Support
from tt_jax.ops._window import require_slice_config
from tt_jax.program import require_live, require_memory, require_tensor
from tt_jax.tensor import Tensor

__all__ = [
    "prepare_conv_bias",
    "prepare_conv_transpose2d_bias",
    "prepare_conv_transpose2d_weights",
    "prepare_conv_weights",
]


def _prepare(
    name: str,
    memory: MemoryState,
    argument: str,
    tensor: Tensor,
    geometry: Geometry,
    input_dtype: DataType | None,
    output_dtype: DataType | None,
    input_layout: Layout | None,
    input_memory_config: MemoryConfig | None,
    conv_config: Conv2dConfig | None,
    compute_config: ComputeKernelConfig | None,
    slice_config: Op2DSliceConfig | None,
) -> tuple[MemoryState, Tensor]:
    """Weights or bias prepared, and left in the memory, on checked arguments."""
    require_memory(name, memory)
    tensor = require_tensor(name, argument, tensor)
    config = require_config(name, conv_config)
    require_options(name, layout=input_layout, memory_config=input_memory_config, compute_kernel_config=compute_config)
    require_options(name, dtype=input_dtype)
    require_options(name, dtype=output_dtype)
    require_slice_config(name, "slice_config", slice_config)
    require_live(name, memory, tensor)
    if argument == "weight_tensor":
        return prepare_weights(memory, tensor, geometry, config)
    return prepare_bias(memory, tensor, geometry, weights_dtype(geometry, tensor, config))


def _require_format(name: str, given: str, expected: str) -> None:
    if given != expected:
        raise ArgumentError(f"{name}: `weights_format` must be {expected!r}, the order that torch has them in; got {given!r}")


def prepare_conv_weights(
    memory: MemoryState,
    *,
    weight_tensor: Tensor,
    input_memory_config: MemoryConfig,
    input_layout: Layout,
    weights_format: str,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_height: int,
    input_width: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    has_bias: bool,
    groups: int,
    input_dtype: DataType | None = None,
    output_dtype: DataType | None = None,
    conv_config: Conv2dConfig | None = None,
    compute_config: ComputeKernelConfig | None = None,
    slice_config: Op2DSliceConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`weight_tensor` `[out, in / groups, kh, kw]` as `conv2d` uses it, in interleaved DRAM, rounded to `conv_config.weights_dtype`.

    What the input is like decides how the device arranges weights over cores, which is not modelled: it is checked, no more.
    Raises ArgumentError where shapes or dtypes do not fit.
    """
    name = "prepare_conv_weights"
    _require_format(name, weights_format, "OIHW")
    require_flags(name, has_bias=has_bias)
    geometry = geometry_of(
        name, in_channels, out_channels, batch_size, input_height, input_width, kernel_size, stride, padding, dilation, groups
    )
    return _prepare(
        name,
        memory,
        "weight_tensor",
        weight_tensor,
        geometry,
        input_dtype,
        output_dtype,
        input_layout,
        input_memory_config,
        conv_config,
        compute_config,
        slice_config,
    )


def prepare_conv_bias(
    memory: MemoryState,
    *,
    bias_tensor: Tensor,
    input_memory_config: MemoryConfig,
    input_layout: Layout,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_height: int,
    input_width: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    input_dtype: DataType | None = None,
    output_dtype: DataType | None = None,
    conv_config: Conv2dConfig | None = None,
    compute_config: ComputeKernelConfig | None = None,
    slice_config: Op2DSliceConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`bias_tensor` `[1, 1, 1, out]` as `conv2d` uses it: a row of tiles in `conv_config.weights_dtype`. As `prepare_conv_weights`."""
    name = "prepare_conv_bias"
    geometry = geometry_of(
        name, in_channels, out_channels, batch_size, input_height, input_width, kernel_size, stride, padding, dilation, groups
    )
    return _prepare(
        name,
        memory,
        "bias_tensor",
        bias_tensor,
        geometry,
        input_dtype,
        output_dtype,
        input_layout,
        input_memory_config,
        conv_config,
        compute_config,
        slice_config,
    )


def prepare_conv_transpose2d_weights(
    memory: MemoryState,
    *,
    weight_tensor: Tensor,
    input_memory_config: MemoryConfig,
    input_layout: Layout,
    weights_format: str,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_height: int,
    input_width: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    has_bias: bool,
    groups: int,
    input_dtype: DataType | None = None,
    output_dtype: DataType | None = None,
    conv_config: Conv2dConfig | None = None,
    compute_config: ComputeKernelConfig | None = None,
    dram_slice_config: Op2DSliceConfig | None = None,
    mirror_kernel: bool = True,
) -> tuple[MemoryState, Tensor]:
    """`weight_tensor` `[in, out / groups, kh, kw]` as `conv_transpose2d` uses it; mirrored, if `mirror_kernel`.

    All else as in `prepare_conv_weights`.
    """
    name = "prepare_conv_transpose2d_weights"
    _require_format(name, weights_format, "IOHW")
    require_flags(name, has_bias=has_bias)
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
        (0, 0),
        mirror_kernel,
    )
    return _prepare(
        name,
        memory,
        "weight_tensor",
        weight_tensor,
        geometry,
        input_dtype,
        output_dtype,
        input_layout,
        input_memory_config,
        conv_config,
        compute_config,
        dram_slice_config,
    )


def prepare_conv_transpose2d_bias(
    memory: MemoryState,
    *,
    bias_tensor: Tensor,
    input_memory_config: MemoryConfig,
    input_layout: Layout,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_height: int,
    input_width: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    input_dtype: DataType | None = None,
    output_dtype: DataType | None = None,
    conv_config: Conv2dConfig | None = None,
    compute_config: ComputeKernelConfig | None = None,
    dram_slice_config: Op2DSliceConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`bias_tensor` `[1, 1, 1, out]` as `conv_transpose2d` uses it. As `prepare_conv_bias`."""
    name = "prepare_conv_transpose2d_bias"
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
        (0, 0),
    )
    return _prepare(
        name,
        memory,
        "bias_tensor",
        bias_tensor,
        geometry,
        input_dtype,
        output_dtype,
        input_layout,
        input_memory_config,
        conv_config,
        compute_config,
        dram_slice_config,
    )


_SUPPORT = Support(ALLOWED)
prepare_conv_weights.support = prepare_conv_transpose2d_weights.support = _SUPPORT  # type: ignore[attr-defined]
prepare_conv_bias.support = prepare_conv_transpose2d_bias.support = _SUPPORT  # type: ignore[attr-defined]
