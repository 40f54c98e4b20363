"""Adaptive pooling: as many windows as are asked for, which cut the images evenly."""

from typing import Any

from tt_jax.compute import ComputeKernelConfig
from tt_jax.conv_configs import Op2DSliceConfig
from tt_jax.dtypes import DataType, bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.kernels import pool as kernel
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState, TensorMemoryLayout
from tt_jax.ops._arguments import require_integer, require_options
from tt_jax.ops._support import Support
from tt_jax.ops._window import Pair, require_pair
from tt_jax.ops.pool import ALLOWED, pooled
from tt_jax.tensor import Tensor

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d"]


def _regular(size: int, count: int) -> tuple[int, int, Pair] | None:
    """(kernel, stride, padding) of a pooling whose `count` windows, cut to the image, are the adaptive ones; None if none is."""
    wanted = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    taps = max(last - first for first, last in wanted)
    for near in range(taps // 2 + 1):
        for stride in {wanted[1][0] + near, wanted[1][0]} if count > 1 else {1}:
            starts = [i * stride - near for i in range(count)]
            if all((max(s, 0), min(s + taps, size)) == window for s, window in zip(starts, wanted, strict=True)):
                return taps, max(stride, 1), (near, max(starts[-1] + taps - size, 0))
    return None


def _adaptive_window(name: str, input_h: Any, input_w: Any, output_size: Any) -> kernel.Window:
    sizes = require_integer(name, "input_h", input_h, least=1), require_integer(name, "input_w", input_w, least=1)
    counts = require_pair(name, "output_size", output_size, least=1)
    found = [_regular(size, count) for size, count in zip(sizes, counts, strict=True)]
    if found[0] is None or found[1] is None:
        raise ArgumentError(
            f"{name}: the windows that cut {sizes} into {counts} do not produce uniform pooling behavior: the device pools with one "
            "kernel size and stride. Choose an output size that divides the image, or pool in two steps"
        )
    (height, down, vertical), (width, right, horizontal) = found[0], found[1]
    return kernel.Window((height, width), (down, right), (vertical, horizontal))


def adaptive_max_pool2d(
    memory: MemoryState,
    input_tensor: Tensor,
    batch_size: int,
    input_h: int,
    input_w: int,
    channels: int,
    output_size: Any,
    *,
    memory_config: MemoryConfig | None = None,
    dram_slice_config: Op2DSliceConfig | None = None,
    applied_shard_scheme: TensorMemoryLayout | None = None,
    deallocate_input: bool = False,
    reallocate_output: bool = True,
    dtype: DataType = bfloat16,
    output_layout: Layout = Layout.ROW_MAJOR,
) -> tuple[MemoryState, Tensor]:
    """The maxima of `output_size` windows that cut each image evenly: `max_pool2d` with the window that fits.

    Raises ArgumentError where no regular window gives torch's, as ttnn does.
    """
    name = "adaptive_max_pool2d"
    memory, (y,) = pooled(
        name,
        memory,
        input_tensor,
        batch_size,
        input_h,
        input_w,
        channels,
        _adaptive_window(name, input_h, input_w, output_size),
        average=None,
        memory_config=memory_config,
        dram_slice_config=dram_slice_config,
        applied_shard_scheme=applied_shard_scheme,
        deallocate_input=deallocate_input,
        dtype=dtype,
        output_layout=output_layout,
        reallocate_output=reallocate_output,
    )
    return memory, y


def adaptive_avg_pool2d(
    memory: MemoryState,
    input_tensor: Tensor,
    batch_size: int,
    input_h: int,
    input_w: int,
    channels: int,
    output_size: Any,
    *,
    memory_config: MemoryConfig | None = None,
    dram_slice_config: Op2DSliceConfig | None = None,
    applied_shard_scheme: TensorMemoryLayout | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    deallocate_input: bool = False,
    reallocate_output: bool = True,
    dtype: DataType = bfloat16,
    output_layout: Layout = Layout.ROW_MAJOR,
) -> tuple[MemoryState, Tensor]:
    """The means of `output_size` windows that cut each image evenly: `avg_pool2d` with the window that fits.

    Raises ArgumentError where no regular window gives torch's, as ttnn does.
    """
    name = "adaptive_avg_pool2d"
    require_options(name, compute_kernel_config=compute_kernel_config)
    memory, (y,) = pooled(
        name,
        memory,
        input_tensor,
        batch_size,
        input_h,
        input_w,
        channels,
        _adaptive_window(name, input_h, input_w, output_size),
        average=(False, None),
        memory_config=memory_config,
        dram_slice_config=dram_slice_config,
        applied_shard_scheme=applied_shard_scheme,
        deallocate_input=deallocate_input,
        dtype=dtype,
        output_layout=output_layout,
        reallocate_output=reallocate_output,
    )
    return memory, y


adaptive_max_pool2d.support = adaptive_avg_pool2d.support = Support(ALLOWED)  # type: ignore[attr-defined]
