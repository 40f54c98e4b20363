"""Attention in float64 NumPy: what the examples are measured against. It shares no code with tt_jax."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Attention(NamedTuple):
    output: NDArray[np.float64]  # [batch, sequence, hidden]
    largest_probability: float  # of a softmax row, the mean over all rows: 1 where each query looks at one key only


def attention(
    hidden_states: ArrayLike,  # [batch, sequence, hidden]
    attention_mask: ArrayLike,  # [batch, 1, 1, sequence], added to the scores
    qkv_weight: ArrayLike,  # [hidden, 3 * hidden]: queries, keys, values
    qkv_bias: ArrayLike,  # [1, 3 * hidden]
    output_weight: ArrayLike,  # [hidden, hidden]
    output_bias: ArrayLike,  # [1, hidden]
    *,
    num_heads: int,
) -> Attention:
    """Multi-head attention of the values given, one sequence at a time to keep the scores small."""
    x, mask, w_qkv, b_qkv, w_out, b_out = (
        np.asarray(array, np.float64)
        for array in (hidden_states, attention_mask, qkv_weight, qkv_bias, output_weight, output_bias)
    )
    batch, sequence, hidden = x.shape
    head_size = hidden // num_heads
    output, largest = np.empty_like(x), 0.0
    for i in range(batch):
        qkv = (x[i] @ w_qkv + b_qkv).reshape(sequence, 3, num_heads, head_size)
        query, key, value = qkv.transpose(1, 2, 0, 3)
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(head_size) + mask[i]
        probabilities = np.exp(scores - scores.max(-1, keepdims=True))
        probabilities /= probabilities.sum(-1, keepdims=True)
        context = (probabilities @ value).transpose(1, 0, 2).reshape(sequence, hidden)
        output[i] = context @ w_out + b_out
        largest += probabilities.max(-1).mean() / batch
    return Attention(output, float(largest))
