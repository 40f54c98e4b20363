"""Written by `python -m tt_jax.ttnn._stub`; not to be edited."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Optional

from tt_jax.ttnn import ComputeKernelConfig as ComputeKernelConfig
from tt_jax.ttnn import DataType as DataType
from tt_jax.ttnn import MemoryConfig as MemoryConfig
from tt_jax.ttnn import MinimalMatmulConfig as MinimalMatmulConfig
from tt_jax.ttnn import Tensor as Tensor

def attn_matmul(input_tensor_a: Tensor, input_tensor_b: Tensor, *, compute_with_storage_grid_size: Any, dtype: DataType | None = None, compute_kernel_config: ComputeKernelConfig | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """Each user's row by the user's own matrix: `[1, heads, users, k] x [users, 1, k, n] -> [1, heads, users, n]`, LoFi by default."""


def attn_matmul_from_cache(input_tensor_a: Tensor, input_tensor_b: Tensor, *, num_tokens: int, transpose_hw: bool, compute_with_storage_grid_size: Any, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, compute_kernel_config: ComputeKernelConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`attn_matmul` with the first `num_tokens` rows, rounded up to 32, of a cache `[users, 1, t, d]`, transposed if `transpose_hw`."""


def concatenate_heads(input_tensor: Tensor, compute_with_storage_grid_size: Any, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`nlp_concat_heads` on a grid of cores (without effect on values)."""


def fast_reduce_nc(input: Tensor, dims: Sequence[int], *, output: Tensor | None = None, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """The sum over dimensions before the last two, which keep size 1: tiles are added to tiles, one program for each of `dims`."""


def group_attn_matmul(input_tensor_a: Tensor, input_tensor_b: Tensor, *, compute_with_storage_grid_size: Any, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, compute_kernel_config: ComputeKernelConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`attn_matmul` with several heads in the second input, `[users, groups, k, n]`: `heads / groups` rows share a matrix."""


def minimal_matmul(input_tensor: Tensor, weight_tensor: Tensor, *, bias_tensor: Tensor | None = None, fused_activation: Any = None, config: MinimalMatmulConfig | None = None, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`activation(input @ weight + bias)` in one program: `[..., m, k] x [k, n] -> [..., m, n]`, HiFi2 and a 32-bit Dst by default."""


def nlp_concat_heads(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`[b, heads, s, d]` -> `[b, 1, s, heads * d]`. Raises ArgumentError unless `d` is a multiple of 32."""


def nlp_concat_heads_decode(input_tensor: Tensor, *, num_heads: int, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`[1, b, heads, d]` -> `[1, 1, b, num_heads * d]`, of one token each; heads beyond `num_heads` are padding."""


def nlp_create_qkv_heads(input: Tensor, input_kv: Tensor | None = None, *, num_heads: int, num_kv_heads: int | None = None, transpose_k_heads: bool = True, memory_config: MemoryConfig | None = None, output_tensors: Any = None, **scheduling: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values by head, of a fused projection `[b, 1, s, (num_heads + 2 * num_kv_heads) * d]`."""


def nlp_create_qkv_heads_decode(input_tensor: Tensor, *, num_heads: int, num_kv_heads: int | None = None, output_tensors: Any = None, overlap_qk_coregrid: bool = True, batch_offset: int | Tensor | None = None, slice_size: int | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Queries `[1, b, num_heads, d]`, keys and values `[1, b, num_kv_heads, d]` of one token each: `[1, 1, b, (heads + 2 * kv) * d]`."""


def nlp_create_qkv_heads_falcon7b(input: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> tuple[Tensor, Tensor, Tensor]:
    """`[b, 1, s, 73 * d]` as 71 query heads and one key and one value head, all `[b, heads, s, d]`."""


def nlp_create_qkv_heads_vit(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensors: Any = None, **scheduling: Any) -> tuple[Tensor, Tensor, Tensor]:
    """`[b, 1, s, 36 * d]` as 12 heads each of queries, keys and values, all `[b, 12, s, d]`."""


def nlp_kv_cache_load_slice(input_tensor: Tensor, *, seq_len_start: int, seq_len_end: int, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """Rows `seq_len_start` to `seq_len_end`, multiples of 32, of a cache `[b, heads, t, d]`."""


def paged_fill_cache(cache_tensor: Tensor, input_tensor: Tensor, page_table: Tensor, *, batch_idx_tensor: Tensor | None = None, batch_idx: int = 0, compute_kernel_config: ComputeKernelConfig | None = None, mesh_coords: Any = None, block_size: int | None = None, cache_position_modulo: int | None = None, **scheduling: Any) -> Tensor:
    """A whole sequence `[1, heads, s, d]` written in place into blocks `[n, heads, size, d]`."""


def paged_fused_update_cache(cache_tensor1: Tensor, input_tensor1: Tensor, cache_tensor2: Tensor, input_tensor2: Tensor, *, update_idxs: Sequence[int] = ..., update_idxs_tensor: Tensor | None = None, share_cache: bool | None = None, page_table: Tensor | None = None, batch_offset: int = 0, compute_kernel_config: ComputeKernelConfig | None = None, mesh_coords: Any = None, **scheduling: Any) -> tuple[Tensor, Tensor]:
    """`paged_update_cache` of two caches. Here two programs do it, where the device has one."""


def paged_update_cache(cache_tensor: Tensor, input_tensor: Tensor, *, update_idxs: Sequence[int] = ..., update_idxs_tensor: Tensor | None = None, share_cache: bool | None = None, page_table: Tensor | None = None, batch_offset: int = 0, compute_kernel_config: ComputeKernelConfig | None = None, mesh_coords: Any = None, block_size: int | None = None, num_kv_heads: int | None = None, cache_position_modulo: int | None = None, **scheduling: Any) -> Tensor:
    """One token of each user, `input_tensor` `[1, users, heads, d]`, written in place at each user's position; -1 writes nothing."""


def rotary_embedding(input_tensor: Tensor, cos_cache: Tensor, sin_cache: Tensor, token_index: int | None = None, *, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`x * cos + (-x2, x1) * sin`, where `x1` and `x2` are the halves of each head: `[b, heads, s, d]`, `d` a multiple of 64."""


def rotary_embedding_hf(input_tensor: Tensor, cos_cache: Tensor, sin_cache: Tensor, *, is_decode_mode: bool = False, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """As `rotary_embedding_llama`, with pairs half a head apart and no matrix."""


def rotary_embedding_llama(input_tensor: Tensor, cos_cache: Tensor, sin_cache: Tensor, trans_mat: Tensor, *, is_decode_mode: bool = False, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`x * cos + (x @ trans_mat) * sin`, the matrix applied to each 32 of a head: it exchanges neighbours, with a sign."""


def split_query_key_value_and_split_heads(input_tensor: Tensor, compute_with_storage_grid_size: Any, *, memory_config: MemoryConfig | None = None, num_heads: int = 16, output_tensors: Any = None, **scheduling: Any) -> tuple[Tensor, Tensor, Tensor]:
    """`nlp_create_qkv_heads` with as many key as query heads and the keys transposed, on a grid of cores (without effect on values)."""


def typecast(input_tensor: Tensor, dtype: DataType | None = None, output_dtype: DataType | None = None, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, input_dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` in another dtype by the device's rules; always a new buffer, unless `output_tensor` gives one."""


def view(input_tensor: Tensor, shape: int | Sequence[int], *sizes: int, **scheduling: Any) -> Tensor:
    """`input_tensor` with another shape in the same buffer; the sizes may be arguments of their own."""
