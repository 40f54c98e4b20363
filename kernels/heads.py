"""Splitting fused projections into heads, and joining heads again. Pure movement: values do not change.

(A block-float key does change when it is transposed, since its groups do; the operation packs it anew.)
"""

from jax import Array


def split_query_key_value(
    fused: Array, key_value: Array | None, heads: int, key_value_heads: int, transpose_key: bool
) -> tuple[Array, Array, Array]:
    """Queries, keys and values by head.

    `fused` `[b, s, (heads + 2 * kv) * d]` holds them all; or, if `key_value` `[b, s, 2 * kv * d]` is given, the queries only.
    Returns q `[b, heads, s, d]`, k `[b, kv, d, s]` (`[b, kv, s, d]` if not transposed), v `[b, kv, s, d]`.
    """
    b, s, width = fused.shape
    if key_value is None:
        d = width // (heads + 2 * key_value_heads)
        fused, key_value = fused[..., : heads * d], fused[..., heads * d :]
    d = fused.shape[-1] // heads
    q = fused.reshape(b, s, heads, d)
    kv = key_value.reshape(b, s, 2, key_value_heads, d)
    k, v = kv[:, :, 0], kv[:, :, 1]
    return (
        q.transpose(0, 2, 1, 3),
        k.transpose(0, 2, 3, 1) if transpose_key else k.transpose(0, 2, 1, 3),
        v.transpose(0, 2, 1, 3),
    )


def concatenate(x: Array) -> Array:
    """`[b, heads, s, d]` -> `[b, s, heads * d]`."""
    b, heads, s, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, s, heads * d)


def split_tokens(fused: Array, heads: int, key_value_heads: int) -> tuple[Array, Array, Array]:
    """Queries `[1, b, heads, d]`, keys and values `[1, b, kv, d]` of one new token each: `fused` `[1, 1, b, (heads + 2 * kv) * d]`."""
    q, k, v = split_query_key_value(fused[:, 0], None, heads, key_value_heads, False)
    return tuple(x.transpose(0, 2, 1, 3) for x in (q, k, v))  # type: ignore[return-value]


def concatenate_tokens(x: Array, heads: int) -> Array:
    """`[1, b, heads or more, d]` -> `[1, 1, b, heads * d]`: rows beyond `heads` are padding."""
    _, b, _, d = x.shape
    return x[:, :, :heads].reshape(1, 1, b, heads * d)
