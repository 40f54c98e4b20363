"""Layer and RMS norm in two halves, so that devices can exchange sums in between."""

from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import DataType, bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.kernels import packer, rounding
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.normalization_configs import LayerNormProgramConfig
from tt_jax.ops._arguments import require_dtype, require_options, require_tile
from tt_jax.ops._support import Support
from tt_jax.ops.normalization import ALLOWED, require_epsilon, require_row_parameter, row_of
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = [
    "layer_norm_post_all_gather",
    "layer_norm_pre_all_gather",
    "rms_norm_post_all_gather",
    "rms_norm_pre_all_gather",
]

Norm = Literal["layer_norm", "rms_norm"]


class _Pre(NamedTuple):
    norm: Norm
    dtype: DataType
    memory_config: MemoryConfig


class _Post(NamedTuple):
    norm: Norm
    epsilon: float
    has_weight: bool
    has_bias: bool
    dtype: DataType
    memory_config: MemoryConfig


def _width(norm: Norm) -> int:
    """Columns of one device's statistics: a tile for the sum of squares and, for layer norm, one for the sum."""
    return TILE_SIZE * (2 if norm == "layer_norm" else 1)


def _pre_specs(attributes: _Pre, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    x, name = specs[0], f"{attributes.norm}_pre_all_gather"
    for argument, spec in zip(("input_tensor", "residual_input_tensor"), specs, strict=False):
        require_tile(name, argument, spec)
        require_dtype(name, argument, spec, ALLOWED)
        if spec.shape != x.shape or not spec.shape:
            raise ArgumentError(f"{name}: `{argument}` must have the shape of the input, {x}, and a dimension; got {spec}")
    shape = (*x.shape[:-1], _width(attributes.norm))
    return (TensorSpec(shape, attributes.dtype, Layout.TILE, attributes.memory_config),)


def _pre_kernel(attributes: _Pre, specs: tuple[TensorSpec, ...], x: Array, residual: Array | None = None) -> tuple[Array]:
    wide = rounding.widen(x) if residual is None else rounding.widen(x) + rounding.widen(residual)
    sums = [(wide * wide).sum(-1, keepdims=True), wide.sum(-1, keepdims=True)]
    tiles = [jnp.pad(s, [(0, 0)] * (s.ndim - 1) + [(0, TILE_SIZE - 1)]) for s in sums]
    y = jnp.concatenate(tiles if attributes.norm == "layer_norm" else tiles[:1], -1)
    return (packer.pack(y, attributes.dtype.kernel_name),)  # type: ignore[arg-type]


def _post_specs(attributes: _Post, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    name = f"{attributes.norm}_post_all_gather"
    x, stats, *rows = specs
    for argument, spec in (("input_tensor", x), ("stats", stats)):
        require_tile(name, argument, spec)
        require_dtype(name, argument, spec, ALLOWED)
    width = _width(attributes.norm)
    if not x.shape or stats.shape[:-1] != x.shape[:-1] or not stats.shape[-1] or stats.shape[-1] % width:
        raise ArgumentError(
            f"{name}: `stats` must have shape {(*x.shape[:-1], f'{width} * devices')}, as {attributes.norm}_pre_all_gather makes "
            f"it; got {stats}"
        )
    given = [argument for argument, present in (("weight", attributes.has_weight), ("bias", attributes.has_bias)) if present]
    for argument, spec in zip(given, rows, strict=True):
        require_row_parameter(name, argument, spec, x)
    return (x.replace(dtype=attributes.dtype, memory_config=attributes.memory_config),)


def _post_kernel(attributes: _Post, specs: tuple[TensorSpec, ...], x: Array, stats: Array, *rows: Array) -> tuple[Array]:
    wide, width = rounding.widen(x), _width(attributes.norm)
    devices = stats.shape[-1] // width
    count = jnp.float32(x.shape[-1] * devices)
    gathered = rounding.widen(stats).reshape(*stats.shape[:-1], devices, width)
    squares = gathered[..., 0].sum(-1, keepdims=True) / count
    mean = gathered[..., TILE_SIZE].sum(-1, keepdims=True) / count if attributes.norm == "layer_norm" else jnp.float32(0)
    y = (wide - mean) / jnp.sqrt(squares - mean * mean + jnp.float32(attributes.epsilon))
    named = [rounding.widen(row_of(row, spec, x.shape[-1])) for row, spec in zip(rows, specs[2:], strict=True)]
    if attributes.has_weight:
        y = y * named[0]
    if attributes.has_bias:
        y = y + named[-1]
    return (packer.pack(y, attributes.dtype.kernel_name),)  # type: ignore[arg-type]


_PRE = {norm: Operation(f"{norm}_pre_all_gather", _pre_specs, _pre_kernel) for norm in ("layer_norm", "rms_norm")}
_POST = {norm: Operation(f"{norm}_post_all_gather", _post_specs, _post_kernel) for norm in ("layer_norm", "rms_norm")}


def _options(
    name: str,
    program_config: LayerNormProgramConfig | None,
    dtype: DataType | None,
    memory_config: MemoryConfig | None,
    compute_kernel_config: ComputeKernelConfig | None,
) -> None:
    require_options(name, dtype=dtype, memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    if program_config is not None and not isinstance(program_config, LayerNormProgramConfig):
        raise ArgumentError(f"{name}: `program_config` must be a LayerNormProgramConfig, got {program_config!r}")


def _pre(
    norm: Norm,
    memory: MemoryState,
    x: Tensor,
    dtype: DataType,
    residual: Tensor | None,
    compute_kernel_config: ComputeKernelConfig | None,
    program_config: LayerNormProgramConfig | None,
    memory_config: MemoryConfig | None,
) -> tuple[MemoryState, Tensor]:
    name = f"{norm}_pre_all_gather"
    require_memory(name, memory)
    inputs = [require_tensor(name, "input_tensor", x)]
    if residual is not None:
        inputs.append(require_tensor(name, "residual_input_tensor", residual))
    _options(name, program_config, dtype, memory_config, compute_kernel_config)
    memory, (y,) = launch(memory, _PRE[norm], inputs, _Pre(norm, dtype, memory_config or x.memory_config))
    return memory, y


def _post(
    norm: Norm,
    memory: MemoryState,
    x: Tensor,
    stats: Tensor,
    epsilon: float,
    weight: Tensor | None,
    bias: Tensor | None,
    dtype: DataType | None,
    compute_kernel_config: ComputeKernelConfig | None,
    program_config: LayerNormProgramConfig | None,
    memory_config: MemoryConfig | None,
) -> tuple[MemoryState, Tensor]:
    name = f"{norm}_post_all_gather"
    require_memory(name, memory)
    named = (("input_tensor", x), ("stats", stats), ("weight", weight), ("bias", bias))
    inputs = [require_tensor(name, argument, t) for i, (argument, t) in enumerate(named) if i < 2 or t is not None]
    _options(name, program_config, dtype, memory_config, compute_kernel_config)
    attributes = _Post(
        norm,
        require_epsilon(name, epsilon),
        weight is not None,
        bias is not None,
        dtype or x.dtype,
        memory_config or x.memory_config,
    )
    memory, (y,) = launch(memory, _POST[norm], inputs, attributes)
    return memory, y


def rms_norm_pre_all_gather(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    dtype: DataType = bfloat16,
    residual_input_tensor: Tensor | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    program_config: LayerNormProgramConfig | None = None,
    memory_config: MemoryConfig | None = None,
    use_2d_core_grid: bool | None = None,
) -> tuple[MemoryState, Tensor]:
    """Sums of squares over the last dimension, `[..., 32]`: the first column has them, the others 0.

    float32, rounded once (not measured), so the configs change nothing, nor does the grid.

    Raises ArgumentError for another dtype or layout.
    """
    del use_2d_core_grid
    return _pre(
        "rms_norm", memory, input_tensor, dtype, residual_input_tensor, compute_kernel_config, program_config, memory_config
    )


def layer_norm_pre_all_gather(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    dtype: DataType = bfloat16,
    residual_input_tensor: Tensor | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    program_config: LayerNormProgramConfig | None = None,
    memory_config: MemoryConfig | None = None,
    recip_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """Sums of squares and sums over the last dimension, `[..., 64]`: in the first columns of two tiles; else as for RMS norm."""
    del recip_tensor
    return _pre(
        "layer_norm", memory, input_tensor, dtype, residual_input_tensor, compute_kernel_config, program_config, memory_config
    )


def rms_norm_post_all_gather(
    memory: MemoryState,
    input_tensor: Tensor,
    stats: Tensor,
    *,
    epsilon: float = 1e-12,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    program_config: LayerNormProgramConfig | None = None,
    dtype: DataType | None = None,
    use_2d_core_grid: bool | None = None,
) -> tuple[MemoryState, Tensor]:
    """RMS norm with the `stats` of all devices, `[..., 32 * devices]`, of which each has an equal part of the last dimension.

    float32, rounded once (not measured), so the configs change nothing, nor does the grid.

    Raises ArgumentError for what does not fit.
    """
    del use_2d_core_grid
    return _post(
        "rms_norm",
        memory,
        input_tensor,
        stats,
        epsilon,
        weight,
        bias,
        dtype,
        compute_kernel_config,
        program_config,
        memory_config,
    )


def layer_norm_post_all_gather(
    memory: MemoryState,
    input_tensor: Tensor,
    stats: Tensor,
    *,
    epsilon: float = 1e-12,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    program_config: LayerNormProgramConfig | None = None,
    dtype: DataType | None = None,
) -> tuple[MemoryState, Tensor]:
    """Layer norm with the `stats` of all devices, `[..., 64 * devices]`; else as for RMS norm."""
    return _post(
        "layer_norm",
        memory,
        input_tensor,
        stats,
        epsilon,
        weight,
        bias,
        dtype,
        compute_kernel_config,
        program_config,
        memory_config,
    )


_SUPPORT = Support(ALLOWED, (Layout.TILE,), "float32, rounded once")
rms_norm_pre_all_gather.support = rms_norm_post_all_gather.support = _SUPPORT  # type: ignore[attr-defined]
layer_norm_pre_all_gather.support = layer_norm_post_all_gather.support = _SUPPORT  # type: ignore[attr-defined]
