"""Group norm of channels-last images, and batch norm of channels-first ones."""

import math
from typing import NamedTuple

from jax import Array

from tt_jax.compute import ComputeKernelConfig, CoreGrid
from tt_jax.dtypes import DataType, bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import normalization as kernel
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_integer, require_options, require_rank
from tt_jax.ops._support import Support
from tt_jax.ops.normalization import require_epsilon
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["group_norm"]

_ALLOWED = (bfloat16, float32, bfloat8_b)
_NAME = "group_norm"


class _GroupNorm(NamedTuple):
    groups: int
    epsilon: float
    has_weight: bool
    has_bias: bool
    chunks: int
    output: TensorSpec


def _chunks(argument: str, parameter: TensorSpec, channels: int, preferred: tuple[int, ...]) -> int:
    """Into how many chunks, each padded to whole tiles, the channels of `parameter` were cut.

    Where chunks are whole tiles there is no padding, and nothing to tell them apart: 1. Raises ArgumentError if there are no
    such chunks.
    """
    volume = math.prod(parameter.shape)
    if volume == channels:
        return 1
    for chunks in (*preferred, *range(1, channels + 1)):
        if channels % chunks == 0 and chunks * -(-channels // chunks // TILE_SIZE) * TILE_SIZE == volume:
            return chunks
    raise ArgumentError(
        f"{_NAME}: `{argument}` must hold {channels} channels, in chunks padded to multiples of {TILE_SIZE} as "
        f"create_group_norm_weight_bias_rm makes them; got {parameter}"
    )


def _channels(parameter: Array, channels: int, chunks: int) -> Array:
    return parameter.reshape(chunks, -1)[:, : channels // chunks].reshape(channels)


def _specs(attributes: _GroupNorm, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    return (attributes.output,)


def _kernel(attributes: _GroupNorm, specs: tuple[TensorSpec, ...], x: Array, *rest: Array) -> tuple[Array]:
    rows = iter(_channels(parameter, x.shape[-1], attributes.chunks) for parameter in rest)
    weight = next(rows) if attributes.has_weight else None
    bias = next(rows) if attributes.has_bias else None
    dtype = attributes.output.dtype.kernel_name
    return (kernel.group_norm(x, attributes.groups, weight, bias, epsilon=attributes.epsilon, dtype=dtype),)  # type: ignore[arg-type]


_GROUP_NORM = Operation(_NAME, _specs, _kernel)
_GROUP_NORM_IN_PLACE = Operation(_NAME, _specs, _kernel, in_place=0)


def _validate(x: TensorSpec, groups: int, inplace: bool, output: TensorSpec) -> None:
    require_rank(_NAME, "input_tensor", x, 4, "[batch, 1, height * width, channels]")
    require_dtype(_NAME, "input_tensor", x, _ALLOWED)
    channels = x.shape[3]
    if x.shape[1] != 1:
        raise ArgumentError(f"{_NAME}: `input_tensor` must have shape [batch, 1, height * width, channels], got {x}")
    if channels % groups or channels % TILE_SIZE:
        raise ArgumentError(f"{_NAME}: {channels} channels must be a multiple of {TILE_SIZE} and of `num_groups`, {groups}")
    if inplace and x.layout is Layout.TILE:
        raise ArgumentError(f"{_NAME}: `inplace` works in ROW_MAJOR layout only, got {x}; pass inplace=False")
    if inplace and output != x:
        raise ArgumentError(
            f"{_NAME}: with `inplace` the result is like the input, {x}; it was asked to be {output}; pass inplace=False"
        )


def group_norm(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    num_groups: int,
    epsilon: float = 1e-12,
    input_mask: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    reciprocals: Tensor | None = None,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
    core_grid: CoreGrid | None = None,
    inplace: bool = True,
    output_layout: Layout | None = None,
    num_out_blocks: int | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    negative_mask: Tensor | None = None,
    use_welford: bool = False,
) -> tuple[MemoryState, Tensor]:
    """`(x - mean) / sqrt(variance + epsilon) * weight + bias`, the statistics by batch and group of channels; `[n, 1, h * w, c]`.

    float32, rounded once: the device's stages were not measured, so `use_welford` and `compute_kernel_config` change nothing.

    Args:
        input_mask, negative_mask, reciprocals: tables for the device's kernel that follow from the shapes, as
            `create_group_norm_input_mask` and its like make them. They are not read.
        weight, bias: of each channel, as `create_group_norm_weight_bias_rm` pads them.
        inplace: the result takes the buffer of `input_tensor`, which is not to be used after that (ROW_MAJOR layout only).
        core_grid, num_out_blocks: how the device cuts the work; no value depends on them.

    Raises ArgumentError for channels that groups or tiles do not divide, or what does not fit.
    """
    require_memory(_NAME, memory)
    x = require_tensor(_NAME, "input_tensor", input_tensor)
    require_options(
        _NAME,
        memory_config=memory_config,
        dtype=dtype,
        core_grid=core_grid,
        layout=output_layout,
        compute_kernel_config=compute_kernel_config,
    )
    require_flags(_NAME, inplace=inplace, use_welford=use_welford)
    groups = require_integer(_NAME, "num_groups", num_groups, least=1)
    if num_out_blocks is not None:
        require_integer(_NAME, "num_out_blocks", num_out_blocks, least=-1)
    output = x.spec.replace(
        dtype=dtype or x.dtype, layout=output_layout or x.layout, memory_config=memory_config or x.memory_config
    )
    _validate(x.spec, groups, inplace, output)
    for argument, table in (("input_mask", input_mask), ("negative_mask", negative_mask), ("reciprocals", reciprocals)):
        if table is not None:
            require_tensor(_NAME, argument, table)
    if input_mask is not None and (len(input_mask.shape) != 4 or input_mask.shape[1] != groups):
        raise ArgumentError(f"{_NAME}: `input_mask` must have shape (1, {groups}, {TILE_SIZE}, ...), got {input_mask.spec}")
    if reciprocals is not None and not use_welford:
        raise ArgumentError(f"{_NAME}: `reciprocals` go with use_welford=True")
    preferred = () if core_grid is None else (core_grid.y, core_grid.x, core_grid.num_cores)
    parameters = [require_tensor(_NAME, a, p) for a, p in (("weight", weight), ("bias", bias)) if p is not None]
    chunks = {_chunks("weight or bias", p.spec, x.shape[3], preferred) for p in parameters} or {1}
    if len(chunks) > 1:
        raise ArgumentError(
            f"{_NAME}: `weight` and `bias` must be padded alike, got {weight and weight.spec} and {bias and bias.spec}"
        )
    attributes = _GroupNorm(groups, require_epsilon(_NAME, epsilon), weight is not None, bias is not None, chunks.pop(), output)
    memory, (y,) = launch(memory, _GROUP_NORM_IN_PLACE if inplace else _GROUP_NORM, (x, *parameters), attributes)
    return memory, y


group_norm.support = Support(_ALLOWED, note="float32, rounded once")  # type: ignore[attr-defined]
