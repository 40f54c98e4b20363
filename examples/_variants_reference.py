"""The forms of attention in `variants.py` in float64 NumPy: what they are measured against. It shares no code with tt_jax.

Arrays come as the device stores them. What is known of positions (who sees whom, ALiBi's slopes, rotary angles) is computed here from
its definition, so that the rounding of a table in bfloat16 counts as an error.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def attention(
    x: ArrayLike,  # [batch, queries, hidden]
    context: ArrayLike,  # [batch, keys, its hidden]; `x` itself but for cross-attention
    query: ArrayLike,  # [hidden, heads * head_size]
    key: ArrayLike,  # [hidden of the context, key-value heads * head_size], as the next
    value: ArrayLike,
    output: ArrayLike,  # [heads * head_size, hidden]
    *,
    head_size: int,
    causal: bool = False,
    window: int | None = None,
    alibi: bool = False,
    rotary: bool = False,
) -> Array:
    """`[batch, queries, hidden]`. `window` counts the keys that a query sees at most, itself and those before it."""
    x, context = np.asarray(x, np.float64), np.asarray(context, np.float64)
    q, k, v = (by_head(y, w, head_size) for y, w in ((x, query), (context, key), (context, value)))
    at, of = np.arange(q.shape[2]), np.arange(k.shape[2])
    if rotary:
        q, k = rotated(q, at), rotated(k, of)
    distance = at[:, None] - of
    bias = np.zeros((1, *distance.shape))
    if alibi:
        bias = bias - distance * np.exp2(-8 * np.arange(1, q.shape[1] + 1) / q.shape[1])[:, None, None]
    if causal:
        bias = np.where((distance >= 0) & (distance < (window or np.inf)), bias, -np.inf)
    return joined(weighted(q, k, v, bias), output)


def decode(
    x: ArrayLike,  # [batch, hidden], a token of each sequence
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    output: ArrayLike,
    cached_key: ArrayLike,  # [batch, key-value heads, positions, head_size], as the next
    cached_value: ArrayLike,
    position: ArrayLike,  # [batch], of the token
    *,
    head_size: int,
) -> Array:
    """`[batch, hidden]`: each token's attention over the cached keys before its position and its own."""
    x, position = np.asarray(x, np.float64)[:, None], np.asarray(position)
    q, k, v = (by_head(x, weight, head_size) for weight in (query, key, value))
    cached_key, cached_value = np.array(cached_key, np.float64), np.array(cached_value, np.float64)
    rows = np.arange(len(position))
    cached_key[rows, :, position], cached_value[rows, :, position] = k[:, :, 0], v[:, :, 0]
    is_seen = np.arange(cached_key.shape[2]) <= position[:, None, None, None]
    return joined(weighted(q, cached_key, cached_value, np.where(is_seen, 0.0, -np.inf)), output)[:, 0]


def by_head(x: Array, weight: ArrayLike, head_size: int) -> Array:
    """`x @ weight` as `[batch, heads, sequence, head_size]`."""
    y = x @ np.asarray(weight, np.float64)
    return y.reshape(*y.shape[:2], -1, head_size).swapaxes(1, 2)


def rotated(x: Array, position: NDArray[np.int64]) -> Array:
    """Pairs half a head apart as complex numbers, turned by `position * 10000**(-2 i / head_size)` for pair i."""
    half = x.shape[-1] // 2
    angle = position[:, None] / 10000.0 ** (np.arange(half) / half)
    z = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angle)
    return np.concatenate([z.real, z.imag], -1)


def weighted(q: Array, k: Array, v: Array, bias: Array) -> Array:
    """`softmax(q @ k^T / sqrt(head_size) + bias) @ v`, each head of keys and values for as many query heads as there are to it."""
    k, v = (np.repeat(y, q.shape[1] // y.shape[1], axis=1) for y in (k, v))
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + bias
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


def joined(y: Array, output: ArrayLike) -> Array:
    """The heads side by side, times `output`."""
    y = y.swapaxes(1, 2)
    return y.reshape(*y.shape[:2], -1) @ np.asarray(output, np.float64)
