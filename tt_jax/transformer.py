"""Attention's operations, as `tt_jax.transformer` (ttnn's `ttnn.transformer`)."""

from tt_jax.ops.transformer import attention_softmax as attention_softmax
from tt_jax.ops.transformer import attention_softmax_ as attention_softmax_
from tt_jax.ops.transformer import concatenate_heads as concatenate_heads
from tt_jax.ops.transformer import split_query_key_value_and_split_heads as split_query_key_value_and_split_heads
