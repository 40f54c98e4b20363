"""Matmuls for attention with a cache, and the minimal matmul (`ttnn.experimental`)."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.activations import UnaryWithParam, as_activation
from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.dtypes import FLOATS, DataType
from tt_jax.errors import ArgumentError
from tt_jax.kernels import matmul as kernel
from tt_jax.kernels.matrix_unit import Partials
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState
from tt_jax.ops._arguments import (
    require_dtype,
    require_flags,
    require_integer,
    require_options,
    require_rank,
    require_tile,
    resolve_compute,
)
from tt_jax.ops._support import Support
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.program_configs import MinimalMatmulConfig
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["attn_matmul", "attn_matmul_from_cache", "group_attn_matmul", "minimal_matmul"]


class _Attention(NamedTuple):
    name: str
    tokens: int | None
    transpose: bool
    dtype: DataType
    memory_config: MemoryConfig
    compute: ComputeKernelConfig


class _Minimal(NamedTuple):
    dtype: DataType
    memory_config: MemoryConfig
    activation: UnaryWithParam | None
    compute: ComputeKernelConfig


def _require(name: str, argument: str, spec: TensorSpec, rank: int | None = None) -> None:
    require_tile(name, argument, spec)
    require_dtype(name, argument, spec, FLOATS)
    if rank is not None:
        require_rank(name, argument, spec, rank, "of four dimensions")


def _second(attributes: _Attention, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the second input as the product sees it."""
    batch, heads, rows, columns = shape
    if attributes.tokens is not None:
        rows = attributes.tokens
    return (batch, heads, columns, rows) if attributes.transpose else (batch, heads, rows, columns)


def _attention_specs(attributes: _Attention, specs: tuple[TensorSpec, TensorSpec]) -> tuple[TensorSpec]:
    name, (a, b) = attributes.name, specs
    _require(name, "input_tensor_a", a, 4)
    _require(name, "input_tensor_b", b, 4)
    one, heads, users, inner = a.shape
    if attributes.tokens is not None and attributes.tokens > b.shape[2]:
        raise ArgumentError(f"{name}: `num_tokens` reaches beyond the {b.shape[2]} rows of `input_tensor_b` {b.shape}")
    batch, groups, height, width = _second(attributes, b.shape)
    if one != 1 or batch != users or height != inner or heads % groups or (groups != 1 and name != "group_attn_matmul"):
        raise ArgumentError(
            f"{name}: `input_tensor_a` [1, heads, users, k] and `input_tensor_b` [users, groups or 1, k, n] do not fit: "
            f"got {a.shape} and {(batch, groups, height, width)}"
        )
    return (TensorSpec((1, heads, users, width), attributes.dtype, Layout.TILE, attributes.memory_config),)


def _attention_kernel(attributes: _Attention, specs: Any, a: Array, b: Array) -> tuple[Array]:
    if attributes.tokens is not None:
        b = b[:, :, : attributes.tokens]
    if attributes.transpose:
        b = b.swapaxes(-2, -1)
    groups, (_, heads, users, inner) = b.shape[1], a.shape
    rows = a[0].swapaxes(0, 1).reshape(users, groups, heads // groups, inner)
    dtype, compute = attributes.dtype.kernel_name, attributes.compute
    y = kernel.matmul(rows, b, dtype=dtype, fidelity=compute.math_fidelity.name, fp32_dest=compute.fp32_dest_acc_en)  # type: ignore[arg-type]
    return (y.reshape(users, heads, -1).swapaxes(0, 1)[None],)


def _minimal_specs(attributes: _Minimal, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    name, (a, b, *bias) = "minimal_matmul", specs
    _require(name, "input_tensor", a)
    _require(name, "weight_tensor", b)
    if len(a.shape) < 2 or len(b.shape) < 2 or a.shape[-1] != b.shape[-2] or any(size != 1 for size in b.shape[:-2]):
        raise ArgumentError(
            f"{name}: `input_tensor` [..., m, k] and `weight_tensor` [k, n] do not fit: got {a.shape} and {b.shape}"
        )
    for spec in bias:
        _require(name, "bias_tensor", spec)
        if spec.shape[-1:] != b.shape[-1:] or any(size != 1 for size in spec.shape[:-1]):
            raise ArgumentError(f"{name}: `bias_tensor` must have one row of {b.shape[-1]} values; got {spec}")
    return (TensorSpec((*a.shape[:-1], b.shape[-1]), attributes.dtype, Layout.TILE, attributes.memory_config),)


def _minimal_kernel(attributes: _Minimal, specs: Any, a: Array, b: Array, *bias: Array) -> tuple[Array]:
    dtype, compute = attributes.dtype.kernel_name, attributes.compute
    y = kernel.matmul(
        a,
        b.reshape(b.shape[-2:]),
        jnp.reshape(bias[0], -1) if bias else None,
        dtype=dtype,  # type: ignore[arg-type]
        fidelity=compute.math_fidelity.name,  # type: ignore[arg-type]
        fp32_dest=compute.fp32_dest_acc_en,
        partials=Partials(None, "float32" if compute.fp32_dest_acc_en else "bfloat16", compute.packer_l1_acc, bool(bias)),
        activation=None if attributes.activation is None else attributes.activation.function,
    )
    return (y,)


_ATTN = Operation("attn_matmul", _attention_specs, _attention_kernel)
_GROUP = Operation("group_attn_matmul", _attention_specs, _attention_kernel)
_MINIMAL = Operation("minimal_matmul", _minimal_specs, _minimal_kernel)
_LOFI = ComputeKernelConfig(MathFidelity.LoFi)
_HIFI2 = ComputeKernelConfig(MathFidelity.HiFi2, math_approx_mode=False, fp32_dest_acc_en=True, packer_l1_acc=True)


def _attention(
    name: str,
    operation: Operation,
    memory: MemoryState,
    a: Tensor,
    b: Tensor,
    *,
    tokens: int | None,
    transpose: bool,
    dtype: DataType | None,
    memory_config: MemoryConfig | None,
    compute_kernel_config: ComputeKernelConfig | None,
    output: Tensor | None,
) -> tuple[MemoryState, Tensor]:
    require_memory(name, memory)
    a, b = require_tensor(name, "input_tensor_a", a), require_tensor(name, "input_tensor_b", b)
    if output is not None:
        spec = require_tensor(name, "output_tensor", output).spec
        dtype, memory_config = dtype or spec.dtype, memory_config or spec.memory_config
    require_options(name, dtype=dtype, memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    compute = resolve_compute(name, memory.device, compute_kernel_config, _LOFI)
    attributes = _Attention(name, tokens, transpose, dtype or a.dtype, memory_config or DRAM_MEMORY_CONFIG, compute)
    memory, (y,) = launch(memory, operation, (a, b), attributes, output=output)
    return memory, y


def attn_matmul(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor,
    *,
    compute_with_storage_grid_size: Any,
    dtype: DataType | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """Each user's row by the user's own matrix: `[1, heads, users, k] x [users, 1, k, n] -> [1, heads, users, n]`, LoFi by default.

    `compute_with_storage_grid_size` has no effect on values. Raises ArgumentError if shapes, dtypes or layouts do not fit.
    """
    del compute_with_storage_grid_size
    return _attention(
        "attn_matmul",
        _ATTN,
        memory,
        input_tensor_a,
        input_tensor_b,
        tokens=None,
        transpose=False,
        dtype=dtype,
        memory_config=memory_config,
        compute_kernel_config=compute_kernel_config,
        output=output_tensor,
    )


def attn_matmul_from_cache(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor,
    *,
    num_tokens: int,
    transpose_hw: bool,
    compute_with_storage_grid_size: Any,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`attn_matmul` with the first `num_tokens` rows, rounded up to 32, of a cache `[users, 1, t, d]`, transposed if `transpose_hw`."""
    del compute_with_storage_grid_size
    name = "attn_matmul_from_cache"
    tokens = -(-require_integer(name, "num_tokens", num_tokens, least=1) // TILE_SIZE) * TILE_SIZE
    require_flags(name, transpose_hw=transpose_hw)
    return _attention(
        name,
        _ATTN,
        memory,
        input_tensor_a,
        input_tensor_b,
        tokens=tokens,
        transpose=transpose_hw,
        dtype=dtype,
        memory_config=memory_config,
        compute_kernel_config=compute_kernel_config,
        output=output_tensor,
    )


def group_attn_matmul(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor,
    *,
    compute_with_storage_grid_size: Any,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`attn_matmul` with several heads in the second input, `[users, groups, k, n]`: `heads / groups` rows share a matrix."""
    del compute_with_storage_grid_size
    return _attention(
        "group_attn_matmul",
        _GROUP,
        memory,
        input_tensor_a,
        input_tensor_b,
        tokens=None,
        transpose=False,
        dtype=dtype,
        memory_config=memory_config,
        compute_kernel_config=compute_kernel_config,
        output=output_tensor,
    )


def minimal_matmul(
    memory: MemoryState,
    input_tensor: Tensor,
    weight_tensor: Tensor,
    *,
    bias_tensor: Tensor | None = None,
    fused_activation: Any = None,
    config: MinimalMatmulConfig | None = None,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`activation(input @ weight + bias)` in one program: `[..., m, k] x [k, n] -> [..., m, n]`, HiFi2 and a 32-bit Dst by default.

    `config` says how it is cut into blocks, which no value depends on here. The output is interleaved in DRAM and has the dtype of the
    input by default. Raises ArgumentError if shapes, dtypes or layouts do not fit.
    """
    name = "minimal_matmul"
    require_memory(name, memory)
    inputs = [require_tensor(name, "input_tensor", input_tensor), require_tensor(name, "weight_tensor", weight_tensor)]
    if bias_tensor is not None:
        inputs.append(require_tensor(name, "bias_tensor", bias_tensor))
    require_options(name, dtype=dtype, memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    if config is not None and not isinstance(config, MinimalMatmulConfig):
        raise ArgumentError(f"{name}: `config` must be a MinimalMatmulConfig, got {config!r}")
    value = UnaryWithParam(fused_activation) if isinstance(fused_activation, tuple) else fused_activation
    activation = None if value is None else as_activation(name, value)
    compute = resolve_compute(name, memory.device, compute_kernel_config, _HIFI2)
    attributes = _Minimal(dtype or input_tensor.dtype, memory_config or DRAM_MEMORY_CONFIG, activation, compute)
    memory, (y,) = launch(memory, _MINIMAL, inputs, attributes)
    return memory, y


_SUPPORT = Support(FLOATS, (Layout.TILE,))
attn_matmul.support = attn_matmul_from_cache.support = group_attn_matmul.support = _SUPPORT  # type: ignore[attr-defined]
minimal_matmul.support = _SUPPORT  # type: ignore[attr-defined]
