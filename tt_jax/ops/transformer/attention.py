"""Scaled dot-product attention of whole sequences: fused, causal or masked, windowed, in chunks, and joined."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.dtypes import DataType, bfloat4_b, bfloat8_b, bfloat16, int32, uint32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import attention as kernel
from tt_jax.kernels.attention import Arithmetic
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
from tt_jax.ops.binary import multiply
from tt_jax.ops.creation import deallocate
from tt_jax.program import Operation, active_cache, launch, require_live, require_memory, require_tensor
from tt_jax.program_configs import SDPAProgramConfig
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.work import Work, product

__all__ = [
    "chunked_scaled_dot_product_attention",
    "joint_scaled_dot_product_attention",
    "scaled_dot_product_attention",
    "windowed_scaled_dot_product_attention",
]

ALLOWED: tuple[DataType, ...] = (bfloat16, bfloat8_b, bfloat4_b)
SUPPORT = Support(
    ALLOWED, (Layout.TILE,), "chunk by chunk, as the flash kernel goes (decoding: all keys at once); from source, not measured"
)
_SHAPE = "[batch, heads, sequence, head_size]"


class _Attention(NamedTuple):
    name: str
    causal: bool
    window: int | None
    start: int
    masked: bool
    memory_config: MemoryConfig
    arithmetic: Arithmetic
    sink: bool = False


def arithmetic(
    name: str,
    memory: MemoryState,
    head_size: int,
    scale: float | None,
    program_config: SDPAProgramConfig | None,
    compute: ComputeKernelConfig | None,
    *,
    in_chunks: bool = True,
) -> Arithmetic:
    """The arithmetic of a call: scale 1/sqrt(head_size), HiFi2, the fast exponential, a 16-bit Dst and chunks of 32 by default.

    Source: spec/numerics.md sections 3.7 and 4.6 (read in source; the size of the chunks assumed).
    """
    require_options(name, compute_kernel_config=compute)
    if program_config is not None and not isinstance(program_config, SDPAProgramConfig):
        raise ArgumentError(f"{name}: `program_config` must be an SDPAProgramConfig, got {program_config!r}")
    if scale is None:
        scale = 1.0 / math.sqrt(max(head_size, 1))
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or scale == 0:
        raise ArgumentError(f"{name}: `scale` must be a finite number other than 0, got {scale!r}")
    config = resolve_compute(name, memory.device, compute, ComputeKernelConfig(MathFidelity.HiFi2, math_approx_mode=True))
    approximate = True if program_config is None or program_config.exp_approx_mode is None else program_config.exp_approx_mode
    sizes = [getattr(program_config, side, 0) for side in ("q_chunk_size", "k_chunk_size")]
    chunks = (sizes[0] or TILE_SIZE, sizes[1] or TILE_SIZE) if in_chunks else None
    return Arithmetic(float(scale), config.math_fidelity.name, approximate, config.fp32_dest_acc_en, chunks)  # type: ignore[arg-type]


def require_no_sink(name: str, attention_sink: object) -> None:
    """Raise NotModelledError if an attention sink is asked for."""
    if attention_sink is not None:
        raise NotModelledError(f"{name}: `attention_sink` is not modelled")


def require_inputs(name: str, **inputs: TensorSpec) -> None:
    """Raise ArgumentError unless queries, keys and values are tiles of four dimensions in a dtype that attention takes."""
    for argument, spec in inputs.items():
        require_rank(name, argument, spec, 4, _SHAPE)
        require_tile(name, argument, spec)
        require_dtype(name, argument, spec, ALLOWED)


def require_heads(name: str, heads: int, groups: int) -> None:
    """Raise ArgumentError unless the query heads divide evenly over the key heads."""
    if groups < 1 or heads % groups:
        raise ArgumentError(f"{name}: {heads} query heads do not divide evenly over {groups} key heads")


def require_mask(name: str, mask: TensorSpec, shape: tuple[int, int, int, int]) -> None:
    """Raise ArgumentError unless `mask` broadcasts over batch and heads to `shape`, in a dtype that attention takes."""
    require_rank(name, "attn_mask", mask, 4, "[batch or 1, heads or 1, queries, keys]")
    require_tile(name, "attn_mask", mask)
    require_dtype(name, "attn_mask", mask, ALLOWED)
    batch, heads, rows, columns = shape
    if mask.shape[0] not in (1, batch) or mask.shape[1] not in (1, heads) or mask.shape[2:] != (rows, columns):
        raise ArgumentError(
            f"{name}: `attn_mask` must have shape {shape}, with 1 for the batch or the heads if they share it; got {mask.shape}"
        )


def require_index_table(name: str, argument: str, spec: TensorSpec, rank: int, meaning: str) -> None:
    """Raise ArgumentError unless `spec` is a tensor of int32 or uint32 `[meaning]`."""
    require_dtype(name, argument, spec, (int32, uint32))
    require_rank(name, argument, spec, rank, meaning)


def _output_specs(attributes: _Attention, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    name, (q, k, v, *rest) = attributes.name, specs
    require_inputs(name, input_tensor_q=q, input_tensor_k=k, input_tensor_v=v)
    if k.shape != v.shape:
        raise ArgumentError(f"{name}: keys {k.shape} and values {v.shape} must have one shape")
    batch, heads, rows, head_size = q.shape
    if k.shape[0] != batch or k.shape[3] != head_size:
        raise ArgumentError(f"{name}: queries {q.shape} and keys {k.shape} must have one batch and one head size")
    require_heads(name, heads, k.shape[1])
    if attributes.causal and rows != k.shape[2]:
        raise ArgumentError(
            f"{name}: causal attention needs as many queries ({rows}) as keys ({k.shape[2]}); or set is_causal=False"
        )
    if attributes.sink:
        *rest, sink = rest
        require_tile(name, "attention_sink", sink)
        require_dtype(name, "attention_sink", sink, ALLOWED)
        if sink.shape != (1, heads, 1, 1):
            raise ArgumentError(
                f"{name}: `attention_sink` must have a value for each query head, (1, {heads}, 1, 1); got {sink.shape}"
            )
    if attributes.masked:
        require_mask(name, rest[0], (batch, heads, rows, k.shape[2]))
    elif rest:
        require_index_table(name, "cu_window_seqlens", rest[0], 1, "[windows + 1]")
    return (q.replace(memory_config=attributes.memory_config),)


def _kernel(attributes: _Attention, specs: tuple[TensorSpec, ...], q: Array, k: Array, v: Array, *rest: Array) -> tuple[Array]:
    rows = jnp.arange(q.shape[2])[:, None]
    allowed = kernel.sees(rows, attributes.causal, attributes.window)
    sink = None
    if attributes.sink:
        *rest, sink = rest  # type: ignore[assignment]
    mask = rest[0] if attributes.masked else None
    if rest and not attributes.masked:
        allowed = kernel.sees_own_window(rows, rest[0].astype(jnp.int32))
    dtype: Any = specs[0].dtype.kernel_name
    return (kernel.attention(q, k, v, dtype=dtype, mask=mask, allowed=allowed, sink=sink, how=attributes.arithmetic),)


def _chunk_specs(attributes: _Attention, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    name, (q, k, v, table) = attributes.name, specs
    require_inputs(name, input_tensor_q=q, input_tensor_k=k, input_tensor_v=v)
    require_index_table(name, "page_table_tensor", table, 2, "[batch, blocks of a sequence]")
    if k.shape != v.shape or k.shape[3] != q.shape[3]:
        raise ArgumentError(
            f"{name}: queries {q.shape}, keys {k.shape} and values {v.shape} must have one head size, keys and values one shape"
        )
    if table.shape[0] != q.shape[0]:
        raise ArgumentError(f"{name}: `page_table_tensor` {table.shape} must have a row for each of {q.shape[0]} sequences")
    require_heads(name, q.shape[1], k.shape[1])
    length = table.shape[1] * k.shape[2]
    if attributes.start + q.shape[2] > length:
        raise ArgumentError(
            f"{name}: queries {attributes.start} to {attributes.start + q.shape[2]} reach beyond the {length} keys of the table"
        )
    return (q.replace(memory_config=attributes.memory_config),)


def _chunk_kernel(
    attributes: _Attention, specs: tuple[TensorSpec, ...], q: Array, k: Array, v: Array, table: Array
) -> tuple[Array]:
    table = table.astype(jnp.int32)
    k, v = kernel.paged(k, table), kernel.paged(v, table)
    rows = attributes.start + jnp.arange(q.shape[2])[:, None]
    allowed = kernel.sees(rows, True, None)
    dtype: Any = specs[0].dtype.kernel_name
    return (kernel.attention(q, k, v, dtype=dtype, allowed=allowed, how=attributes.arithmetic),)


def _joint_specs(attributes: _Attention, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, TensorSpec]:
    name, (q, k, v, joint_q, joint_k, joint_v) = attributes.name, specs
    require_inputs(name, input_tensor_q=q, input_tensor_k=k, input_tensor_v=v)
    require_inputs(name, joint_tensor_q=joint_q, joint_tensor_k=joint_k, joint_tensor_v=joint_v)
    if not (q.shape == k.shape == v.shape and joint_q.shape == joint_k.shape == joint_v.shape):
        raise ArgumentError(
            f"{name}: queries, keys and values must have one shape, and so must the joint ones; got {[x.shape for x in specs]}"
        )
    if (*q.shape[:2], q.shape[3]) != (*joint_q.shape[:2], joint_q.shape[3]):
        raise ArgumentError(f"{name}: {q.shape} and the joint {joint_q.shape} may differ in their sequence only")
    return q.replace(memory_config=attributes.memory_config), joint_q.replace(memory_config=attributes.memory_config)


def _joint_kernel(attributes: _Attention, specs: tuple[TensorSpec, ...], *arrays: Array) -> tuple[Array, Array]:
    q, k, v = (jnp.concatenate(pair, axis=2) for pair in zip(arrays[:3], arrays[3:], strict=True))
    dtype: Any = specs[0].dtype.kernel_name
    y = kernel.attention(q, k, v, dtype=dtype, how=attributes.arithmetic)
    length = specs[0].shape[2]
    return y[:, :, :length], y[:, :, length:]


def _work(attributes: _Attention, specs: tuple[TensorSpec, ...]) -> Work:
    """Scores and context; half of both where the upper triangle is left out."""
    (batch, heads, rows, head_size), keys = specs[0].shape, specs[1].shape[2]
    phases = MathFidelity[attributes.arithmetic.fidelity].phases
    scores, context = (
        product(batch * heads, rows, inner, columns, phases) for inner, columns in ((head_size, keys), (keys, head_size))
    )
    share = 2 if attributes.causal else 1
    return Work((scores.flops + context.flops) // share, (scores.tile_products + context.tile_products) // share, phases)


_SDPA = Operation("scaled_dot_product_attention", _output_specs, _kernel, work=_work)
_CHUNKED = Operation("chunked_scaled_dot_product_attention", _chunk_specs, _chunk_kernel)
_JOINT = Operation("joint_scaled_dot_product_attention", _joint_specs, _joint_kernel)


def scaled_dot_product_attention(
    memory: MemoryState,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    *,
    attn_mask: Tensor | None = None,
    is_causal: bool = True,
    scale: float | None = None,
    sliding_window_size: int | None = None,
    memory_config: MemoryConfig | None = None,
    program_config: SDPAProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    attention_sink: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`softmax(q @ k^T * scale + attn_mask) @ v`, in the stages of the device's flash kernel (see `kernels.attention`).

    Args:
        input_tensor_q: `[b, heads, s, d]`, bfloat16, bfloat8_b or bfloat4_b in TILE layout, as all are.
        input_tensor_k, input_tensor_v: `[b, kv_heads, t, d]`; `kv_heads` divides `heads`.
        attn_mask: `[b or 1, heads or 1, s, t]`, added; with `is_causal=False` only. A program of its own divides it by the scale first.
        is_causal: a query sees no later key; then `s` must be `t`.
        scale: `1 / sqrt(d)` by default.
        sliding_window_size: causal, the keys that a query sees, itself included; otherwise the width of a window centred on it.
        memory_config: of the output; interleaved DRAM by default.
        program_config: of which `q_chunk_size` and `k_chunk_size` matter (32 where they are 0 or there is no config: assumed), and
            `exp_approx_mode`: the fast exponential, the default, or the accurate one.
        attention_sink: `[1, heads, 1, 1]`, in units of the scores before they are scaled: a key of each head that has no value.

    Raises:
        ArgumentError: shapes, dtypes or layouts do not fit, or a mask comes with `is_causal`.
    """
    name = "scaled_dot_product_attention"
    require_memory(name, memory)
    inputs = [
        require_tensor(name, argument, x)
        for argument, x in (
            ("input_tensor_q", input_tensor_q),
            ("input_tensor_k", input_tensor_k),
            ("input_tensor_v", input_tensor_v),
        )
    ]
    require_flags(name, is_causal=is_causal)
    require_options(name, memory_config=memory_config)
    sinks = [] if attention_sink is None else [require_tensor(name, "attention_sink", attention_sink)]
    if attn_mask is not None:
        inputs.append(require_tensor(name, "attn_mask", attn_mask))
        if is_causal:
            raise ArgumentError(
                f"{name}: `attn_mask` comes with is_causal=True (the default): pass is_causal=False, or no mask"
            )
    window = None if sliding_window_size is None else require_integer(name, "sliding_window_size", sliding_window_size, least=1)
    how = arithmetic(
        name, memory, input_tensor_q.shape[-1] if input_tensor_q.shape else 1, scale, program_config, compute_kernel_config
    )
    placement = memory_config or DRAM_MEMORY_CONFIG
    attributes = _Attention(name, is_causal, window, 0, attn_mask is not None, placement, how, bool(sinks))
    if attn_mask is None:
        memory, (y,) = launch(memory, _SDPA, (*inputs, *sinks), attributes)
        return memory, y
    _output_specs(attributes, tuple(x.spec for x in (*inputs, *sinks)))
    for position, x in enumerate((*inputs, *sinks)):
        require_live(name, memory, x, position)
    with active_cache().all_or_nothing():
        memory, scaled = multiply(memory, attn_mask, 1.0 / how.scale)
        memory, (y,) = launch(memory, _SDPA, (*inputs[:3], scaled, *sinks), attributes)
    return deallocate(memory, scaled), y


def windowed_scaled_dot_product_attention(
    memory: MemoryState,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    cu_window_seqlens: Tensor,
    *,
    scale: float | None = None,
    memory_config: MemoryConfig | None = None,
    program_config: SDPAProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Attention within windows of the sequence, whose bounds `[0, w1, w1 + w2, ..., s]` are `cu_window_seqlens` (int32 or uint32).

    Everything else as in `scaled_dot_product_attention`, not causal.
    """
    name = "windowed_scaled_dot_product_attention"
    require_memory(name, memory)
    q = require_tensor(name, "input_tensor_q", input_tensor_q)
    k, v = require_tensor(name, "input_tensor_k", input_tensor_k), require_tensor(name, "input_tensor_v", input_tensor_v)
    bounds = require_tensor(name, "cu_window_seqlens", cu_window_seqlens)
    require_options(name, memory_config=memory_config)
    how = arithmetic(name, memory, q.shape[-1] if q.shape else 1, scale, program_config, compute_kernel_config)
    attributes = _Attention(name, False, None, 0, False, memory_config or DRAM_MEMORY_CONFIG, how)
    memory, (y,) = launch(memory, _SDPA, (q, k, v, bounds), attributes)
    return memory, y


def chunked_scaled_dot_product_attention(
    memory: MemoryState,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    page_table_tensor: Tensor,
    chunk_start_idx: int,
    *,
    scale: float | None = None,
    memory_config: MemoryConfig | None = None,
    program_config: SDPAProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Causal attention of the queries `[b, heads, s, d]` from position `chunk_start_idx` on, over keys in a cache of blocks.

    Keys and values are `[blocks, kv_heads, block_size, d]`, and row i of `page_table_tensor` `[b, n]` lists the blocks of sequence i.
    Everything else as in `scaled_dot_product_attention`.
    """
    name = "chunked_scaled_dot_product_attention"
    require_memory(name, memory)
    q = require_tensor(name, "input_tensor_q", input_tensor_q)
    k, v = require_tensor(name, "input_tensor_k", input_tensor_k), require_tensor(name, "input_tensor_v", input_tensor_v)
    table = require_tensor(name, "page_table_tensor", page_table_tensor)
    require_options(name, memory_config=memory_config)
    start = require_integer(name, "chunk_start_idx", chunk_start_idx, least=0)
    how = arithmetic(name, memory, q.shape[-1] if q.shape else 1, scale, program_config, compute_kernel_config)
    attributes = _Attention(name, True, None, start, False, memory_config or DRAM_MEMORY_CONFIG, how)
    memory, (y,) = launch(memory, _CHUNKED, (q, k, v, table), attributes)
    return memory, y


def joint_scaled_dot_product_attention(
    memory: MemoryState,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    joint_tensor_q: Tensor,
    joint_tensor_k: Tensor,
    joint_tensor_v: Tensor,
    *,
    joint_strategy: str,
    program_config: SDPAProgramConfig,
    scale: float | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, tuple[Tensor, Tensor]]:
    """Attention of two sequences joined end to end, not causal: the outputs of the first `[b, h, s, d]` and of the second.

    `joint_strategy` is "rear": the joint sequence comes last. Everything else as in `scaled_dot_product_attention`.
    """
    name = "joint_scaled_dot_product_attention"
    require_memory(name, memory)
    first = {"input_tensor_q": input_tensor_q, "input_tensor_k": input_tensor_k, "input_tensor_v": input_tensor_v}
    second = {"joint_tensor_q": joint_tensor_q, "joint_tensor_k": joint_tensor_k, "joint_tensor_v": joint_tensor_v}
    inputs = [require_tensor(name, argument, x) for argument, x in {**first, **second}.items()]
    if joint_strategy != "rear":
        raise ArgumentError(f"{name}: `joint_strategy` must be 'rear', got {joint_strategy!r}")
    head_size = inputs[0].shape[-1] if inputs[0].shape else 1
    how = arithmetic(name, memory, head_size, scale, program_config, compute_kernel_config)
    memory, (y, joint) = launch(memory, _JOINT, inputs, _Attention(name, False, None, 0, False, DRAM_MEMORY_CONFIG, how))
    return memory, (y, joint)


scaled_dot_product_attention.support = SUPPORT  # type: ignore[attr-defined]
windowed_scaled_dot_product_attention.support = SUPPORT  # type: ignore[attr-defined]
chunked_scaled_dot_product_attention.support = SUPPORT  # type: ignore[attr-defined]
joint_scaled_dot_product_attention.support = SUPPORT  # type: ignore[attr-defined]
