"""Written by `python -m tt_jax.ttnn._stub`; not to be edited."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Optional

from tt_jax.ttnn import ComputeKernelConfig as ComputeKernelConfig
from tt_jax.ttnn import MemoryConfig as MemoryConfig
from tt_jax.ttnn import SDPAProgramConfig as SDPAProgramConfig
from tt_jax.ttnn import Tensor as Tensor

def attention_softmax(tensor: Tensor, *, head_size: int | None = None, attention_mask: Tensor | None = None, causal_mask: bool = False, memory_config: MemoryConfig | None = None, program_config: Any = None, **scheduling: Any) -> Tensor:
    """Softmax over the last dimension of `tensor / sqrt(head_size) + attention_mask`, scores `[b, heads, rows, columns]`."""


def attention_softmax_(tensor: Tensor, *, head_size: int | None = None, attention_mask: Tensor | None = None, causal_mask: bool = False, program_config: Any = None, **scheduling: Any) -> Tensor:
    """`attention_softmax` in place: the result takes the buffer of `tensor`, which is not to be used after that."""


def chunked_scaled_dot_product_attention(input_tensor_q: Tensor, input_tensor_k: Tensor, input_tensor_v: Tensor, page_table_tensor: Tensor, chunk_start_idx: int, *, scale: float | None = None, memory_config: MemoryConfig | None = None, program_config: SDPAProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """Causal attention of the queries `[b, heads, s, d]` from position `chunk_start_idx` on, over keys in a cache of blocks."""


def concatenate_heads(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`[b, heads, s, d]` -> `[b, s, heads * d]`. Raises ArgumentError unless `d` is a multiple of 32."""


def joint_scaled_dot_product_attention(input_tensor_q: Tensor, input_tensor_k: Tensor, input_tensor_v: Tensor, joint_tensor_q: Tensor, joint_tensor_k: Tensor, joint_tensor_v: Tensor, *, joint_strategy: str, program_config: SDPAProgramConfig, scale: float | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> tuple[Tensor, Tensor]:
    """Attention of two sequences joined end to end, not causal: the outputs of the first `[b, h, s, d]` and of the second."""


def paged_scaled_dot_product_attention_decode(input_tensor_q: Tensor, input_tensor_k: Tensor, input_tensor_v: Tensor, page_table_tensor: Tensor, *, is_causal: bool = True, attn_mask: Tensor | None = None, cur_pos_tensor: Tensor | None = None, attention_sink: Tensor | None = None, scale: float | None = None, sliding_window_size: int | None = None, memory_config: MemoryConfig | None = None, program_config: SDPAProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`scaled_dot_product_attention_decode` over a cache of blocks `[blocks, kv_heads, block_size, d]`."""


def scaled_dot_product_attention(input_tensor_q: Tensor, input_tensor_k: Tensor, input_tensor_v: Tensor, *, attn_mask: Tensor | None = None, is_causal: bool = True, scale: float | None = None, sliding_window_size: int | None = None, memory_config: MemoryConfig | None = None, program_config: SDPAProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, attention_sink: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`softmax(q @ k^T * scale + attn_mask) @ v`, in the stages of the device's flash kernel (see `kernels.attention`)."""


def scaled_dot_product_attention_decode(input_tensor_q: Tensor, input_tensor_k: Tensor, input_tensor_v: Tensor, *, is_causal: bool = True, attn_mask: Tensor | None = None, cur_pos: Sequence[int] = ..., cur_pos_tensor: Tensor | None = None, attention_sink: Tensor | None = None, scale: float | None = None, sliding_window_size: int | None = None, memory_config: MemoryConfig | None = None, program_config: SDPAProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, share_cache: bool | None = None, **scheduling: Any) -> Tensor:
    """Attention of one query per sequence, `[1, b, heads, d]`, over caches `[b, kv_heads, t, d]` up to the sequence's position."""


def split_query_key_value_and_split_heads(input_tensor: Tensor, kv_input_tensor: Tensor | None = None, *, num_heads: int, num_kv_heads: int | None = None, transpose_key: bool = True, memory_config: MemoryConfig | None = None, use_falcon7b_backend: bool = False, **scheduling: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values by head, of a fused projection `[b, s, (num_heads + 2 * num_kv_heads) * d]`."""


def windowed_scaled_dot_product_attention(input_tensor_q: Tensor, input_tensor_k: Tensor, input_tensor_v: Tensor, cu_window_seqlens: Tensor, *, scale: float | None = None, memory_config: MemoryConfig | None = None, program_config: SDPAProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """Attention within windows of the sequence, whose bounds `[0, w1, w1 + w2, ..., s]` are `cu_window_seqlens` (int32 or uint32)."""
