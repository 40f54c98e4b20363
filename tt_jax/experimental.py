"""Operations that ttnn calls experimental, as `tt_jax.experimental` (ttnn's `ttnn.experimental`)."""

from tt_jax.ops.experimental.heads import concatenate_heads as concatenate_heads
from tt_jax.ops.experimental.heads import nlp_concat_heads as nlp_concat_heads
from tt_jax.ops.experimental.heads import nlp_concat_heads_decode as nlp_concat_heads_decode
from tt_jax.ops.experimental.heads import nlp_create_qkv_heads as nlp_create_qkv_heads
from tt_jax.ops.experimental.heads import nlp_create_qkv_heads_decode as nlp_create_qkv_heads_decode
from tt_jax.ops.experimental.heads import nlp_create_qkv_heads_falcon7b as nlp_create_qkv_heads_falcon7b
from tt_jax.ops.experimental.heads import nlp_create_qkv_heads_vit as nlp_create_qkv_heads_vit
from tt_jax.ops.experimental.heads import nlp_kv_cache_load_slice as nlp_kv_cache_load_slice
from tt_jax.ops.experimental.heads import split_query_key_value_and_split_heads as split_query_key_value_and_split_heads
from tt_jax.ops.experimental.matmul import attn_matmul as attn_matmul
from tt_jax.ops.experimental.matmul import attn_matmul_from_cache as attn_matmul_from_cache
from tt_jax.ops.experimental.matmul import group_attn_matmul as group_attn_matmul
from tt_jax.ops.experimental.matmul import minimal_matmul as minimal_matmul
from tt_jax.ops.experimental.paged_cache import paged_fill_cache as paged_fill_cache
from tt_jax.ops.experimental.paged_cache import paged_fused_update_cache as paged_fused_update_cache
from tt_jax.ops.experimental.paged_cache import paged_update_cache as paged_update_cache
from tt_jax.ops.experimental.reduction import fast_reduce_nc as fast_reduce_nc
from tt_jax.ops.experimental.rotary import rotary_embedding as rotary_embedding
from tt_jax.ops.experimental.rotary import rotary_embedding_hf as rotary_embedding_hf
from tt_jax.ops.experimental.rotary import rotary_embedding_llama as rotary_embedding_llama
from tt_jax.ops.layout import typecast as typecast
from tt_jax.ops.reshape import view as view

__all__ = [
    "attn_matmul",
    "attn_matmul_from_cache",
    "concatenate_heads",
    "fast_reduce_nc",
    "group_attn_matmul",
    "minimal_matmul",
    "nlp_concat_heads",
    "nlp_concat_heads_decode",
    "nlp_create_qkv_heads",
    "nlp_create_qkv_heads_decode",
    "nlp_create_qkv_heads_falcon7b",
    "nlp_create_qkv_heads_vit",
    "nlp_kv_cache_load_slice",
    "paged_fill_cache",
    "paged_fused_update_cache",
    "paged_update_cache",
    "rotary_embedding",
    "rotary_embedding_hf",
    "rotary_embedding_llama",
    "split_query_key_value_and_split_heads",
    "typecast",
    "view",
]
