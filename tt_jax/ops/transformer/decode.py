"""Attention of one new token per sequence over its cache (flash decode), the cache in one piece or in blocks."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import int32, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import attention as kernel
from tt_jax.kernels import rounding
from tt_jax.kernels.attention import Arithmetic
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_integer, require_integers, require_options
from tt_jax.ops.transformer.attention import (
    ALLOWED,
    SUPPORT,
    arithmetic,
    require_heads,
    require_index_table,
    require_inputs,
    require_no_sink,
)
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.program_configs import SDPAProgramConfig
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["paged_scaled_dot_product_attention_decode", "scaled_dot_product_attention_decode"]


class _Decode(NamedTuple):
    name: str
    positioned: bool
    masked: bool
    paged: bool
    window: int | None
    shared: bool
    memory_config: MemoryConfig
    arithmetic: Arithmetic


def _named(attributes: _Decode, inputs: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    """Of the inputs after q, k and v: table, mask and positions, None for those that are not there."""
    rest = list(inputs[3:])
    table = rest.pop(0) if attributes.paged else None
    mask = rest.pop(0) if attributes.masked else None
    return table, mask, rest.pop(0) if attributes.positioned else None


def _output_specs(attributes: _Decode, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    name, (q, k, v) = attributes.name, specs[:3]
    require_inputs(name, input_tensor_k=k, input_tensor_v=v)
    require_dtype(name, "input_tensor_q", q, ALLOWED)
    if len(q.shape) != 4 or q.shape[0] != 1:
        raise ArgumentError(f"{name}: `input_tensor_q` must have shape [1, batch, heads, head_size]; got {q}")
    _, batch, heads, head_size = q.shape
    table, mask, positions = _named(attributes, specs)
    length = k.shape[2]
    if table is not None:
        require_index_table(name, "page_table_tensor", table, 2, "[batch, blocks of a sequence]")
        length *= table.shape[1]
    caches = table.shape[0] if table is not None else batch if attributes.shared and k.shape[0] == 1 else k.shape[0]
    if k.shape != v.shape or k.shape[3] != head_size or caches != batch:
        raise ArgumentError(
            f"{name}: queries [1, {batch}, {heads}, {head_size}] need keys and values of {batch} sequences and head size {head_size}; got "
            f"keys {k.shape}, values {v.shape}" + (f", page table {table.shape}" if table is not None else "")
        )
    require_heads(name, heads, k.shape[1])
    if mask is not None:
        require_dtype(name, "attn_mask", mask, ALLOWED)
        rows_fit = len(mask.shape) == 4 and mask.shape[2] in (1, heads, q.padded_shape[2])
        if not rows_fit or mask.shape[0] not in (1, batch) or mask.shape[1] != 1 or mask.shape[3] != length:
            raise ArgumentError(f"{name}: `attn_mask` must have shape {(batch, 1, heads, length)}; got {mask.shape}")
    if positions is not None:
        require_dtype(name, "cur_pos_tensor", positions, (int32, uint32))
        if positions.shape != (batch,):
            raise ArgumentError(
                f"{name}: `cur_pos_tensor` must have shape ({batch},), a position for each sequence; got {positions}"
            )
    return (q.replace(memory_config=attributes.memory_config),)


def _kernel(attributes: _Decode, specs: tuple[TensorSpec, ...], q: Array, k: Array, v: Array, *rest: Array) -> tuple[Array]:
    table, mask, positions = _named(attributes, (q, k, v, *rest))
    if table is not None:
        k, v = kernel.paged(k, table.astype(jnp.int32)), kernel.paged(v, table.astype(jnp.int32))
    batch, heads = q.shape[1:3]
    if k.shape[0] != batch:
        k, v = (jnp.broadcast_to(x, (batch, *x.shape[1:])) for x in (k, v))
    allowed = None
    if positions is not None:
        allowed = kernel.sees(positions.astype(jnp.int32)[:, None, None, None], True, attributes.window)
    if mask is not None:
        mask = rounding.widen(mask[:, :, :heads].swapaxes(1, 2)) / jnp.float32(attributes.arithmetic.scale)
    dtype: Any = specs[0].dtype.kernel_name
    y = kernel.attention(q[0, :, :, None], k, v, dtype=dtype, mask=mask, allowed=allowed, how=attributes.arithmetic)
    return (y[None, :, :, 0],)


_DECODE = Operation("scaled_dot_product_attention_decode", _output_specs, _kernel, reads_part=True)
_PAGED = Operation("paged_scaled_dot_product_attention_decode", _output_specs, _kernel, reads_part=True)


def _positions(name: str, cur_pos: Sequence[int], batch: int, length: int) -> np.ndarray:
    positions = require_integers(name, "cur_pos", cur_pos)
    if len(positions) != batch or not all(-1 <= position < length for position in positions):
        raise ArgumentError(
            f"{name}: `cur_pos` must list {batch} positions from -1 to {length - 1}, one a sequence; got {list(positions)}"
        )
    return np.asarray(positions, np.int32)


def _decode(
    name: str,
    operation: Operation,
    memory: MemoryState,
    inputs: list[Tensor],
    *,
    is_causal: bool,
    attn_mask: Tensor | None,
    cur_pos: Sequence[int],
    cur_pos_tensor: Tensor | None,
    attention_sink: Tensor | None,
    scale: float | None,
    sliding_window_size: int | None,
    memory_config: MemoryConfig | None,
    program_config: SDPAProgramConfig | None,
    compute_kernel_config: ComputeKernelConfig | None,
    share_cache: bool | None,
) -> tuple[MemoryState, Tensor]:
    require_flags(name, is_causal=is_causal)
    require_options(name, memory_config=memory_config)
    require_no_sink(name, attention_sink)
    paged = len(inputs) == 4
    q, k = inputs[:2]
    if len(q.shape) != 4 or len(k.shape) != 4:
        raise ArgumentError(
            f"{name}: queries [1, batch, heads, head_size] and keys [batch, heads, keys, head_size] expected; got {q.spec}, {k.spec}"
        )
    if attn_mask is not None:
        if is_causal:
            raise ArgumentError(
                f"{name}: `attn_mask` comes with is_causal=True (the default): pass is_causal=False, or no mask"
            )
        inputs.append(require_tensor(name, "attn_mask", attn_mask))
    given: list[Any] = list(inputs)
    listed = list(cur_pos)
    positioned = is_causal or sliding_window_size is not None
    if cur_pos_tensor is not None and listed:
        raise ArgumentError(f"{name}: `cur_pos` and `cur_pos_tensor` are both given: pass one of them")
    if positioned:
        if cur_pos_tensor is None and not listed:
            raise ArgumentError(
                f"{name}: causal decoding needs `cur_pos` or `cur_pos_tensor`: the position of each sequence's token"
            )
        if cur_pos_tensor is not None:
            given.append(require_tensor(name, "cur_pos_tensor", cur_pos_tensor))
        else:
            given.append(_positions(name, listed, q.shape[1], k.shape[2]))
    window = None if sliding_window_size is None else require_integer(name, "sliding_window_size", sliding_window_size, least=1)
    how = arithmetic(name, memory, q.shape[-1], scale, program_config, compute_kernel_config, in_chunks=False)
    placement = memory_config or DRAM_MEMORY_CONFIG
    attributes = _Decode(name, positioned, attn_mask is not None, paged, window, bool(share_cache), placement, how)
    memory, (y,) = launch(memory, operation, given, attributes)
    return memory, y


def scaled_dot_product_attention_decode(
    memory: MemoryState,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    *,
    is_causal: bool = True,
    attn_mask: Tensor | None = None,
    cur_pos: Sequence[int] = (),
    cur_pos_tensor: Tensor | None = None,
    attention_sink: Tensor | None = None,
    scale: float | None = None,
    sliding_window_size: int | None = None,
    memory_config: MemoryConfig | None = None,
    program_config: SDPAProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    share_cache: bool | None = None,
) -> tuple[MemoryState, Tensor]:
    """Attention of one query per sequence, `[1, b, heads, d]`, over caches `[b, kv_heads, t, d]` up to the sequence's position.

    Args:
        is_causal: sequence i sees keys 0 to its position; otherwise all keys, with `attn_mask` `[b, 1, heads, t]` if given.
        cur_pos, cur_pos_tensor: the positions, a list or an int32 tensor `[b]`; -1 skips a sequence, whose result is 0.
        share_cache: one cache `[1, kv_heads, t, d]` for all sequences.

    Everything else as in `scaled_dot_product_attention`.
    """
    name = "scaled_dot_product_attention_decode"
    require_memory(name, memory)
    tensors = {"input_tensor_q": input_tensor_q, "input_tensor_k": input_tensor_k, "input_tensor_v": input_tensor_v}
    return _decode(
        name,
        _DECODE,
        memory,
        [require_tensor(name, argument, x) for argument, x in tensors.items()],
        is_causal=is_causal,
        attn_mask=attn_mask,
        cur_pos=cur_pos,
        cur_pos_tensor=cur_pos_tensor,
        attention_sink=attention_sink,
        scale=scale,
        sliding_window_size=sliding_window_size,
        memory_config=memory_config,
        program_config=program_config,
        compute_kernel_config=compute_kernel_config,
        share_cache=share_cache,
    )


def paged_scaled_dot_product_attention_decode(
    memory: MemoryState,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    page_table_tensor: Tensor,
    *,
    is_causal: bool = True,
    attn_mask: Tensor | None = None,
    cur_pos_tensor: Tensor | None = None,
    attention_sink: Tensor | None = None,
    scale: float | None = None,
    sliding_window_size: int | None = None,
    memory_config: MemoryConfig | None = None,
    program_config: SDPAProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`scaled_dot_product_attention_decode` over a cache of blocks `[blocks, kv_heads, block_size, d]`.

    Row i of `page_table_tensor` `[b, n]` (int32) lists the blocks of sequence i in order.
    """
    name = "paged_scaled_dot_product_attention_decode"
    require_memory(name, memory)
    tensors = {
        "input_tensor_q": input_tensor_q,
        "input_tensor_k": input_tensor_k,
        "input_tensor_v": input_tensor_v,
        "page_table_tensor": page_table_tensor,
    }
    return _decode(
        name,
        _PAGED,
        memory,
        [require_tensor(name, argument, x) for argument, x in tensors.items()],
        is_causal=is_causal,
        attn_mask=attn_mask,
        cur_pos=(),
        cur_pos_tensor=cur_pos_tensor,
        attention_sink=attention_sink,
        scale=scale,
        sliding_window_size=sliding_window_size,
        memory_config=memory_config,
        program_config=program_config,
        compute_kernel_config=compute_kernel_config,
        share_cache=None,
    )


scaled_dot_product_attention_decode.support = paged_scaled_dot_product_attention_decode.support = SUPPORT  # type: ignore[attr-defined]
