"""Softmax, alone and fused with the attention's scale and mask."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import packer
from tt_jax.kernels import softmax as kernel
from tt_jax.layout import TILE_SIZE
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import (
    default_softmax_config,
    normalize_dim,
    require_dtype,
    require_flags,
    require_options,
    require_rank,
    require_tile,
    resolve_compute,
)
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

ALLOWED = (float32, bfloat16, bfloat8_b)


class _Softmax(NamedTuple):
    dim: int
    memory_config: MemoryConfig
    numeric_stable: bool
    compute: ComputeKernelConfig


class _MaskedSoftmax(NamedTuple):
    scale: float
    causal: bool
    memory_config: MemoryConfig
    compute: ComputeKernelConfig


def _stages(compute: ComputeKernelConfig) -> dict[str, object]:
    return {
        "fidelity": compute.math_fidelity.name,
        "approximate": compute.math_approx_mode,
        "fp32_dest": compute.fp32_dest_acc_en,
    }


def _softmax_specs(attributes: _Softmax, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    require_tile("softmax", "input_tensor", x)
    require_dtype("softmax", "input_tensor", x, ALLOWED)
    return (x.replace(memory_config=attributes.memory_config),)


def _softmax_kernel(attributes: _Softmax, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    dtype, last = specs[0].dtype.kernel_name, x.ndim - 1
    stages = _stages(attributes.compute)
    if attributes.dim == last:
        return (kernel.softmax(x, dtype=dtype, numeric_stable=attributes.numeric_stable, **stages),)  # type: ignore[arg-type]
    moved = jnp.moveaxis(x, attributes.dim, last)
    between = "float32" if dtype == "float32" else "bfloat16"
    y = kernel.softmax(moved, dtype=between, numeric_stable=attributes.numeric_stable, **stages)  # type: ignore[arg-type]
    return (packer.pack(jnp.moveaxis(y, last, attributes.dim), dtype),)  # type: ignore[arg-type]


def _masked_specs(attributes: _MaskedSoftmax, specs: tuple[TensorSpec, TensorSpec]) -> tuple[TensorSpec]:
    x, mask = specs
    name = "attention_softmax"
    require_tile(name, "tensor", x)
    require_dtype(name, "tensor", x, ALLOWED)
    require_rank(name, "tensor", x, 4, "[batch, heads, rows, columns]")
    require_tile(name, "attention_mask", mask)
    require_dtype(name, "attention_mask", mask, ALLOWED)
    require_rank(name, "attention_mask", mask, 4, "[batch, 1, rows, columns]")
    batch, _, rows, columns = x.shape
    heights = (rows,) if attributes.causal else (1, TILE_SIZE)
    if mask.shape[2] == 1:
        heights = (1, *heights)
    if (mask.shape[0], mask.shape[1], mask.shape[3]) != (batch, 1, columns) or mask.shape[2] not in heights:
        expected = f"({batch}, 1, {' or '.join(map(str, dict.fromkeys(heights)))}, {columns})"
        raise ArgumentError(
            f"{name}: `attention_mask` must have shape {expected} for scores {x.shape}; got {mask.shape}. "
            "A mask with a row per query needs causal_mask=True; a mask per head is an add of its own before a softmax"
        )
    return (x.replace(memory_config=attributes.memory_config),)


def _masked_kernel(attributes: _MaskedSoftmax, specs: tuple[TensorSpec, TensorSpec], x: Array, mask: Array) -> tuple[Array]:
    if not attributes.causal:
        mask = mask[..., :1, :]  # the program broadcasts one row; of a full tile of rows, the first (assumed)
    stages = _stages(attributes.compute)
    return (kernel.scale_mask_softmax(x, attributes.scale, mask, dtype=specs[0].dtype.kernel_name, **stages),)  # type: ignore[arg-type]


_SOFTMAX = Operation("softmax", _softmax_specs, _softmax_kernel)
_SCALE_MASK_SOFTMAX = Operation("scale_mask_softmax", _masked_specs, _masked_kernel)
_SCALE_MASK_SOFTMAX_IN_PLACE = Operation("scale_mask_softmax_in_place", _masked_specs, _masked_kernel, in_place=0)


def softmax(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int = -1,
    *,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    numeric_stable: bool = True,
) -> tuple[MemoryState, Tensor]:
    """Softmax over `dim`, in the dtype of the input (float32, bfloat16 or bfloat8_b, TILE layout).

    Every stage rounds as the device's does, the exponential is the approximate one by default (see `kernels.softmax`).
    Along another than the last dimension the same stages run; the device's program for that was not recorded.

    Raises ArgumentError for another dtype, layout or a `dim` out of range.
    """
    require_memory("softmax", memory)
    x = require_tensor("softmax", "input_tensor", input_tensor)
    require_options("softmax", memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    require_flags("softmax", numeric_stable=numeric_stable)
    attributes = _Softmax(
        normalize_dim("softmax", dim, len(x.shape)),
        memory_config or x.memory_config,
        numeric_stable,
        resolve_compute("softmax", memory.device, compute_kernel_config, default_softmax_config(memory.device)),
    )
    memory, (y,) = launch(memory, _SOFTMAX, (x,), attributes)
    return memory, y


def scale_mask_softmax(
    memory: MemoryState,
    x: Tensor,
    mask: Tensor,
    scale: float,
    *,
    causal: bool,
    in_place: bool,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Softmax of `x * scale + mask`, in one program; `in_place` puts the result in the buffer of `x`."""
    config = resolve_compute("scale_mask_softmax", memory.device, None, default_softmax_config(memory.device))
    attributes = _MaskedSoftmax(scale, causal, memory_config or x.memory_config, config)
    operation = _SCALE_MASK_SOFTMAX_IN_PLACE if in_place else _SCALE_MASK_SOFTMAX
    memory, (y,) = launch(memory, operation, (x, mask), attributes)
    return memory, y
