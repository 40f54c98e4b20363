"""Attention's operations, as `tt_jax.transformer` (ttnn's `ttnn.transformer`)."""

from tt_jax.ops.transformer.attention import chunked_scaled_dot_product_attention as chunked_scaled_dot_product_attention
from tt_jax.ops.transformer.attention import joint_scaled_dot_product_attention as joint_scaled_dot_product_attention
from tt_jax.ops.transformer.attention import scaled_dot_product_attention as scaled_dot_product_attention
from tt_jax.ops.transformer.attention import windowed_scaled_dot_product_attention as windowed_scaled_dot_product_attention
from tt_jax.ops.transformer.decode import paged_scaled_dot_product_attention_decode as paged_scaled_dot_product_attention_decode
from tt_jax.ops.transformer.decode import scaled_dot_product_attention_decode as scaled_dot_product_attention_decode
from tt_jax.ops.transformer.heads import concatenate_heads as concatenate_heads
from tt_jax.ops.transformer.heads import split_query_key_value_and_split_heads as split_query_key_value_and_split_heads
from tt_jax.ops.transformer.softmax import attention_softmax as attention_softmax
from tt_jax.ops.transformer.softmax import attention_softmax_ as attention_softmax_
from tt_jax.program_configs import SDPAProgramConfig as SDPAProgramConfig

__all__ = [
    "SDPAProgramConfig",
    "attention_softmax",
    "attention_softmax_",
    "chunked_scaled_dot_product_attention",
    "concatenate_heads",
    "joint_scaled_dot_product_attention",
    "paged_scaled_dot_product_attention_decode",
    "scaled_dot_product_attention",
    "scaled_dot_product_attention_decode",
    "split_query_key_value_and_split_heads",
    "windowed_scaled_dot_product_attention",
]
