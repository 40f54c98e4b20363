"""Pooling: max_pool2d, avg_pool2d, and the mean of whole images.

Images have their channels last, and results are flattened: `[1, 1, n * oh * ow, c]`.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.conv_configs import Op2DSliceConfig
from tt_jax.dtypes import FLOATS, DataType, bfloat8_b, bfloat16, float32, uint16, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import packer, rounding
from tt_jax.kernels import pool as kernel
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState, TensorMemoryLayout
from tt_jax.ops._arguments import require_dtype, require_flags, require_integer, require_options
from tt_jax.ops._support import Support
from tt_jax.ops._window import (
    require_image,
    require_padding,
    require_pair,
    require_shard_scheme,
    require_slice_config,
)
from tt_jax.ops._window_sharding import pool_output
from tt_jax.ops.creation import deallocate
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["avg_pool2d", "global_avg_pool2d", "max_pool2d"]

ALLOWED = (bfloat16, float32, bfloat8_b)


class _Pool(NamedTuple):
    """`average`: None for a maximum, else (whether padding counts, a divisor or None). `shape`: of the output, if it is not flattened;
    the images' sizes were then taken from the input."""

    name: str
    batch: int
    height: int
    width: int
    channels: int
    window: kernel.Window
    average: tuple[bool, int | None] | None
    indices: bool
    dtype: DataType
    layout: Layout
    memory_config: MemoryConfig
    shape: tuple[int, ...] | None = None


def _output_specs(attributes: _Pool, specs: tuple[TensorSpec]) -> tuple[TensorSpec, ...]:
    (x,) = specs
    a = attributes
    require_dtype(a.name, "input_tensor", x, ALLOWED)
    if a.shape is None:
        require_image(a.name, x, a.batch, a.height, a.width, a.channels, exact=True)
    size = a.window.output_size(a.height, a.width)
    shape = a.shape or (1, 1, a.batch * math.prod(size), a.channels)
    pooled = TensorSpec(shape, a.dtype, a.layout, a.memory_config)
    if not a.indices:
        return (pooled,)
    wide = a.height * a.width > 2**16 - 1
    return pooled, pooled.replace(dtype=uint32 if wide else uint16)


def _kernel(attributes: _Pool, specs: tuple[TensorSpec], x: Array) -> tuple[Array, ...]:
    a, outputs = attributes, _output_specs(attributes, specs)
    images = x.reshape(a.batch, a.height, a.width, a.channels)
    if a.average is None:
        y = kernel.max_pool(images, a.window)
    else:
        with_padding, divisor = a.average
        count = kernel.counted(a.window, a.height, a.width, with_padding)
        if divisor is not None:
            count = np.full_like(count, divisor)
        y = kernel.average_pool(rounding.widen(images), a.window, count)
    results = [packer.pack(y.reshape(outputs[0].shape), a.dtype.kernel_name)]  # type: ignore[arg-type]
    if a.indices:
        places = kernel.max_pool_indices(images, a.window)
        results.append(places.reshape(outputs[1].shape).astype(outputs[1].dtype.carrier))
    return tuple(results)


_MAX_POOL2D = Operation("max_pool2d", _output_specs, _kernel)
_AVG_POOL2D = Operation("avg_pool2d", _output_specs, _kernel)


def pooled(
    name: str,
    memory: MemoryState,
    input_tensor: Tensor,
    batch_size: Any,
    input_h: Any,
    input_w: Any,
    channels: Any,
    window: kernel.Window,
    *,
    average: tuple[bool, int | None] | None,
    memory_config: MemoryConfig | None,
    dram_slice_config: Op2DSliceConfig | None,
    applied_shard_scheme: TensorMemoryLayout | None,
    deallocate_input: bool,
    dtype: DataType,
    output_layout: Layout,
    indices: bool = False,
    shape: tuple[int, ...] | None = None,
    **flags: bool,
) -> tuple[MemoryState, tuple[Tensor, ...]]:
    """The outputs of one pooling program on checked arguments; frees the input if it is told to."""
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, dtype=dtype, layout=output_layout, memory_config=memory_config)
    require_slice_config(name, "dram_slice_config", dram_slice_config)
    require_shard_scheme(name, applied_shard_scheme)
    require_flags(name, ceil_mode=window.ceil, deallocate_input=deallocate_input, **flags)
    if dtype not in FLOATS:
        raise ArgumentError(f"{name}: `dtype` must be a float dtype, got {dtype.kernel_name}")
    attributes = _Pool(
        name,
        require_integer(name, "batch_size", batch_size, least=1),
        require_integer(name, "input_h", input_h, least=1),
        require_integer(name, "input_w", input_w, least=1),
        require_integer(name, "channels", channels, least=1),
        window,
        average,
        indices,
        dtype,
        output_layout,
        memory_config or DRAM_MEMORY_CONFIG,
        shape,
    )
    size = window.output_size(attributes.height, attributes.width)
    if min(size) < 1:
        raise ArgumentError(f"{name}: {window} does not fit in an image of {attributes.height}x{attributes.width}")
    if memory_config is None and shape is None:
        placement = pool_output(x.memory_config, attributes.batch * math.prod(size), output_layout is Layout.TILE)
        attributes = attributes._replace(memory_config=placement)
    memory, outputs = launch(memory, _MAX_POOL2D if average is None else _AVG_POOL2D, (x,), attributes)
    if deallocate_input:
        memory = deallocate(memory, x)
    return memory, outputs


def _window(name: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> kernel.Window:
    """A checked window. Raises ArgumentError if a window could lie in the padding alone."""
    taps, pads = require_pair(name, "kernel_size", kernel_size, least=1), require_padding(name, padding)
    steps = require_pair(name, "stride", stride, least=1)
    spacing = require_pair(name, "dilation", dilation, least=1)
    for i, side in enumerate(("height", "width")):
        extent = spacing[i] * (taps[i] - 1) + 1
        if max(pads[i]) > extent // 2:
            raise ArgumentError(f"{name}: `padding` {pads[i]} must be at most half of the window's {side}, {extent}")
    return kernel.Window(taps, steps, pads, spacing, ceil_mode)


def max_pool2d(
    memory: MemoryState,
    input_tensor: Tensor,
    batch_size: int,
    input_h: int,
    input_w: int,
    channels: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any = (1, 1),
    ceil_mode: bool = False,
    *,
    memory_config: MemoryConfig | None = None,
    dram_slice_config: Op2DSliceConfig | None = None,
    applied_shard_scheme: TensorMemoryLayout | None = None,
    deallocate_input: bool = False,
    reallocate_halo_output: bool = True,
    return_indices: bool = False,
    dtype: DataType = bfloat16,
    output_layout: Layout = Layout.ROW_MAJOR,
    config_tensor_in_dram: bool = False,
) -> tuple[MemoryState, Tensor | tuple[Tensor, Tensor]]:
    """The largest value of each window of images `[1, 1, n * h * w, c]` (or `[n, h, w, c]`): `[1, 1, n * oh * ow, c]`.

    Exact, then stored as `dtype`. `return_indices` gives (values, indices) with the place of each maximum in its image,
    `row * w + column`: uint16, or uint32 for images of 65536 pixels and more; of equal values the first (the device's choice
    was not recorded).

    Args:
        padding: (height, width) or (top, bottom, left, right), at most half of the window; never the largest.
        ceil_mode: keep a last window that hangs over the edge.
        memory_config: of the output. By default on the cores of a sharded input, else interleaved DRAM (ttnn shards the output
            of an interleaved input in L1, which is not modelled).
        dram_slice_config, applied_shard_scheme, reallocate_halo_output, config_tensor_in_dram: how the device goes about it,
            without effect here.
        deallocate_input: free the input afterwards.

    Raises ArgumentError for shapes, dtypes or windows that do not fit.
    """
    name = "max_pool2d"
    memory, outputs = pooled(
        name,
        memory,
        input_tensor,
        batch_size,
        input_h,
        input_w,
        channels,
        _window(name, kernel_size, stride, padding, dilation, ceil_mode),
        average=None,
        memory_config=memory_config,
        dram_slice_config=dram_slice_config,
        applied_shard_scheme=applied_shard_scheme,
        deallocate_input=deallocate_input,
        dtype=dtype,
        output_layout=output_layout,
        indices=return_indices,
        return_indices=return_indices,
        reallocate_halo_output=reallocate_halo_output,
        config_tensor_in_dram=config_tensor_in_dram,
    )
    return memory, (outputs[0], outputs[1]) if return_indices else outputs[0]


def avg_pool2d(
    memory: MemoryState,
    input_tensor: Tensor,
    batch_size: int,
    input_h: int,
    input_w: int,
    channels: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    dram_slice_config: Op2DSliceConfig | None = None,
    applied_shard_scheme: TensorMemoryLayout | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    deallocate_input: bool = False,
    reallocate_halo_output: bool = True,
    dtype: DataType = bfloat16,
    output_layout: Layout = Layout.ROW_MAJOR,
    config_tensor_in_dram: bool = False,
) -> tuple[MemoryState, Tensor]:
    """The mean of each window of images `[1, 1, n * h * w, c]` (or `[n, h, w, c]`): `[1, 1, n * oh * ow, c]`.

    A float32 sum divided by the window's pixels (by `divisor_override`, if given; `count_include_pad` counts the padding, but not
    what hangs over in `ceil_mode`), rounded once. The device multiplies by a bfloat16 reciprocal instead, which may be off by
    0.4% (not recorded, not modelled); so `compute_kernel_config` changes nothing here. All else as in `max_pool2d`.
    """
    name = "avg_pool2d"
    require_options(name, compute_kernel_config=compute_kernel_config)
    if divisor_override is not None:
        require_integer(name, "divisor_override", divisor_override, least=1)
    memory, (y,) = pooled(
        name,
        memory,
        input_tensor,
        batch_size,
        input_h,
        input_w,
        channels,
        _window(name, kernel_size, stride, padding, (1, 1), ceil_mode),
        average=(count_include_pad, divisor_override),
        memory_config=memory_config,
        dram_slice_config=dram_slice_config,
        applied_shard_scheme=applied_shard_scheme,
        deallocate_input=deallocate_input,
        dtype=dtype,
        output_layout=output_layout,
        count_include_pad=count_include_pad,
        reallocate_halo_output=reallocate_halo_output,
        config_tensor_in_dram=config_tensor_in_dram,
    )
    return memory, y


def global_avg_pool2d(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, dtype: DataType | None = None
) -> tuple[MemoryState, Tensor]:
    """The mean of each image `[n, h, w, c]`, `[h, w, c]` or `[h, w]`: `[n, 1, 1, c]` in TILE layout, bfloat16 unless `dtype` is given.

    A float32 mean, rounded once; see `avg_pool2d`.
    """
    name = "global_avg_pool2d"
    x = require_tensor(name, "input_tensor", input_tensor)
    if len(x.shape) not in (2, 3, 4):
        raise ArgumentError(f"{name}: `input_tensor` must have shape [n, h, w, c], [h, w, c] or [h, w]; got {x.spec}")
    batch, height, width, channels = {2: (1, *x.shape, 1), 3: (1, *x.shape), 4: x.shape}[len(x.shape)]
    memory, (y,) = pooled(
        name,
        memory,
        x,
        batch,
        height,
        width,
        channels,
        kernel.Window((height, width), (1, 1)),
        average=(True, None),
        memory_config=memory_config,
        dram_slice_config=None,
        applied_shard_scheme=None,
        deallocate_input=False,
        dtype=dtype or bfloat16,
        output_layout=Layout.TILE,
        shape=(batch, 1, 1, channels),
    )
    return memory, y


max_pool2d.support = avg_pool2d.support = global_avg_pool2d.support = Support(ALLOWED)  # type: ignore[attr-defined]
