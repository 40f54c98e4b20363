"""Forms of attention on the same few blocks of TT-NN operations. Memory first, memory back; what is done with is freed.

Inputs, biases, scores and results are bfloat16. The weights' dtype is also that of queries, keys, values and what attention makes of
them; in decode of none of these, where keys and values get the cache's. All that a form makes lies in L1, its inputs where they are
put. The blocks: `project` and `heads_of` make heads, `attend` is attention step by step, `attend_fused` the flash kernel, `output_of`
joins the heads. Sequences are whole tiles, multiples of 32.
"""

from typing import NamedTuple

import numpy as np
from attention import MASKED_OUT, then_free
from numpy.typing import NDArray

import tt_jax as tt

L1 = tt.L1_MEMORY_CONFIG
Result = tuple[tt.MemoryState, tt.Tensor]
Three = tuple[tt.Tensor, tt.Tensor, tt.Tensor]


class Heads(NamedTuple):
    """How many there are; `key_value` divides `query`: equal for multi-head, 1 for multi-query, in between for grouped-query."""

    query: int
    key_value: int


class Weights(NamedTuple):
    qkv: tt.Tensor  # [hidden, (query heads + 2 * key-value heads) * head_size]
    output: tt.Tensor  # [query heads * head_size, hidden]


class CrossWeights(NamedTuple):
    query: tt.Tensor  # [hidden, query heads * head_size]
    key: tt.Tensor  # [hidden of the context, key-value heads * head_size], as the next
    value: tt.Tensor
    output: tt.Tensor  # [query heads * head_size, hidden]


class Angles(NamedTuple):
    cos: tt.Tensor  # [1, 1, positions, head_size]
    sin: tt.Tensor


class Cache(NamedTuple):
    key: tt.Tensor  # [batch, key-value heads, positions, head_size]
    value: tt.Tensor


# --- tables, made on the host


def causal_bias(sequence: int, window: int | None = None) -> NDArray[np.float32]:
    """`[1, 1, sequence, sequence]`: 0 where a query sees a key, itself or an earlier one, the last `window` of them if given."""
    distance = np.arange(sequence)[:, None] - np.arange(sequence)
    is_seen = (distance >= 0) & (distance < (sequence if window is None else window))
    return np.where(is_seen, 0, MASKED_OUT)[None, None].astype(np.float32)


def alibi_bias(sequence: int, slopes: NDArray[np.float64]) -> NDArray[np.float32]:
    """`[1, heads, sequence, sequence]`: minus a head's slope for each position between query and key, and causal."""
    distance = np.arange(sequence)[:, None] - np.arange(sequence)
    return (causal_bias(sequence) - np.maximum(distance, 0) * slopes[:, None, None]).astype(np.float32)


def alibi_slopes(heads: int) -> NDArray[np.float64]:
    """2**(-8 i / heads) for head i = 1 ... heads. Source: Press et al., Train Short, Test Long (2022), section 3."""
    return 2.0 ** (-8 * np.arange(1, heads + 1) / heads)


def rotary_tables(positions: NDArray[np.int64], head_size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """cos and sin `[1, 1, positions, head_size]`, for pairs half a head apart. Source: Su et al., RoFormer (2021); base 10000."""
    angle = positions[:, None] * 10000.0 ** (-np.arange(0, head_size, 2) / head_size)
    angle = np.tile(angle, 2)[None, None]
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


# --- blocks


def project(memory: tt.MemoryState, x: tt.Tensor, weights: Weights, heads: Heads) -> tuple[tt.MemoryState, Three]:
    """`[batch, sequence, hidden]` -> queries `[batch, heads, sequence, head_size]`, and keys and values with their own heads."""
    memory, qkv = tt.linear(memory, x, weights.qkv, dtype=weights.qkv.dtype, memory_config=L1)
    memory, made = tt.transformer.split_query_key_value_and_split_heads(
        memory, qkv, num_heads=heads.query, num_kv_heads=heads.key_value, transpose_key=False
    )
    return tt.deallocate(memory, qkv), made


def heads_of(memory: tt.MemoryState, x: tt.Tensor, weight: tt.Tensor, heads: int) -> Result:
    """One projection by head, `[batch, heads, sequence, head_size]`: what splits all three at once needs them of one length.

    Block floats come last, since ttnn moves their elements about by way of bfloat16.
    """
    memory, y = tt.linear(memory, x, weight, dtype=tt.bfloat16, memory_config=L1)
    memory, y = then_free(tt.reshape(memory, y, (*y.shape[:2], heads, y.shape[2] // heads)), y)
    memory, y = then_free(tt.permute(memory, y, (0, 2, 1, 3)), y)
    return (memory, y) if weight.dtype is y.dtype else then_free(tt.typecast(memory, y, weight.dtype), y)


def attend(memory: tt.MemoryState, q: tt.Tensor, k: tt.Tensor, v: tt.Tensor, bias: tt.Tensor | None = None) -> Result:
    """`softmax(q @ k^T / sqrt(head_size) + bias) @ v` step by step, q, k and v freed. `bias` broadcasts over batch and heads.

    Query heads that share keys lie one after the other, so that reshapes, which move nothing, make them one taller matrix.
    """
    batch, heads, rows, head_size = q.shape
    groups, columns = k.shape[1:3]
    height = heads // groups * rows
    memory, grouped = tt.reshape(memory, q, (batch, groups, height, head_size))
    memory, scores = tt.matmul(memory, grouped, k, transpose_b=True, dtype=tt.bfloat16, memory_config=L1)
    memory = tt.deallocate(memory, q, k)
    memory, scores = tt.multiply_(memory, scores, head_size**-0.5)
    memory, scores = tt.reshape(memory, scores, (batch, heads, rows, columns))
    if bias is not None:
        memory, scores = tt.add_(memory, scores, bias)
    memory, scores = tt.softmax_in_place(memory, scores)
    memory, grouped = tt.reshape(memory, scores, (batch, groups, height, columns))
    memory, y = then_free(tt.matmul(memory, grouped, v, dtype=v.dtype, memory_config=L1), grouped, v)
    return tt.reshape(memory, y, (batch, heads, rows, head_size))


def attend_fused(memory: tt.MemoryState, q: tt.Tensor, k: tt.Tensor, v: tt.Tensor, **options) -> Result:
    """The same in one program, `tt.transformer.scaled_dot_product_attention` and its `options`; q, k and v are freed."""
    result = tt.transformer.scaled_dot_product_attention(memory, q, k, v, memory_config=L1, **options)
    return then_free(result, q, k, v)


def turned(memory: tt.MemoryState, x: tt.Tensor, angles: Angles) -> Result:
    """Heads `[batch, heads, sequence, head_size]` turned by their positions' angles, and freed."""
    return then_free(tt.experimental.rotary_embedding(memory, x, angles.cos, angles.sin), x)


def output_of(memory: tt.MemoryState, y: tt.Tensor, weight: tt.Tensor) -> Result:
    """`[batch, heads, sequence, head_size]` -> `[batch, sequence, hidden]`, bfloat16; the heads are freed."""
    memory, joined = then_free(tt.transformer.concatenate_heads(memory, y), y)
    return then_free(tt.linear(memory, joined, weight, dtype=tt.bfloat16, memory_config=L1), joined)


# --- forms: `[batch, sequence, hidden]` -> the same shape


def attention(memory: tt.MemoryState, x: tt.Tensor, weights: Weights, bias: tt.Tensor | None = None, *, heads: Heads) -> Result:
    """Multi-head, multi-query or grouped-query, as `heads` has it; causal, windowed or ALiBi, as `bias` has it."""
    memory, (q, k, v) = project(memory, x, weights, heads)
    memory, y = attend(memory, q, k, v, bias)
    return output_of(memory, y, weights.output)


def cross_attention(memory: tt.MemoryState, x: tt.Tensor, context: tt.Tensor, weights: CrossWeights, *, heads: Heads) -> Result:
    """Queries of `x`, keys and values of `context` `[batch, its sequence, its hidden]`."""
    memory, q = heads_of(memory, x, weights.query, heads.query)
    memory, k = heads_of(memory, context, weights.key, heads.key_value)
    memory, v = heads_of(memory, context, weights.value, heads.key_value)
    memory, y = attend(memory, q, k, v)
    return output_of(memory, y, weights.output)


def rotary_attention(
    memory: tt.MemoryState, x: tt.Tensor, weights: Weights, bias: tt.Tensor, angles: Angles, *, heads: Heads
) -> Result:
    """Queries and keys turned by their positions, so that scores know distances. A head is a multiple of 64 wide."""
    memory, (q, k, v) = project(memory, x, weights, heads)
    memory, q = turned(memory, q, angles)
    memory, k = turned(memory, k, angles)
    memory, y = attend(memory, q, k, v, bias)
    return output_of(memory, y, weights.output)


def flash_attention(memory: tt.MemoryState, x: tt.Tensor, weights: Weights, *, heads: Heads, **options) -> Result:
    """Fused, causal by default; `options` of `tt.transformer.scaled_dot_product_attention`."""
    memory, (q, k, v) = project(memory, x, weights, heads)
    memory, y = attend_fused(memory, q, k, v, **options)
    return output_of(memory, y, weights.output)


def decode_attention(
    memory: tt.MemoryState, x: tt.Tensor, weights: Weights, cache: Cache, positions: tt.Tensor, *, heads: Heads, **options
) -> tuple[tt.MemoryState, tuple[tt.Tensor, Cache]]:
    """One token of each sequence, `[1, 1, batch, hidden]`, written to the cache in place, then over all keys up to itself.

    `positions` is int32 `[batch]`. The result comes with the cache, which has the buffers of the one passed. `options` are of
    `tt.transformer.scaled_dot_product_attention_decode`.
    """
    memory, qkv = tt.linear(memory, x, weights.qkv, dtype=tt.bfloat16, memory_config=L1)
    memory, (q, k, v) = tt.experimental.nlp_create_qkv_heads_decode(
        memory, qkv, num_heads=heads.query, num_kv_heads=heads.key_value
    )
    memory = tt.deallocate(memory, qkv)
    memory, key = then_free(tt.experimental.paged_update_cache(memory, cache.key, k, update_idxs_tensor=positions), k)
    memory, value = then_free(tt.experimental.paged_update_cache(memory, cache.value, v, update_idxs_tensor=positions), v)
    result = tt.transformer.scaled_dot_product_attention_decode(
        memory, q, key, value, cur_pos_tensor=positions, memory_config=L1, **options
    )
    memory, y = then_free(result, q)
    result = tt.experimental.nlp_concat_heads_decode(memory, y, num_heads=heads.query, memory_config=L1)
    memory, joined = then_free(result, y)
    memory, y = then_free(tt.linear(memory, joined, weights.output, dtype=tt.bfloat16, memory_config=L1), joined)
    return memory, (y, Cache(key, value))
