"""Scaled dot-product attention in the stages of the device's flash kernel, over all keys at once.

    s = R(q @ k^T); s = R(s + mask)               the mask is in units of the scores before they are scaled
    e = pack(exp((s - max(s)) * scale))           the scale is folded into the exponential, the fast one by default
    o = R(e @ v); y = pack(o * R(1 / sum(e)))

R rounds as Dst does. Approximate: the device goes through the keys in chunks and rescales what it has by the exponential of the
difference of two maxima, in bfloat16; here there is one maximum. Source: spec/numerics.md section 4.6.
"""

import jax.numpy as jnp
from jax import Array

from tt_jax.kernels import rounding
from tt_jax.kernels.fidelity import Fidelity
from tt_jax.kernels.matmul import products
from tt_jax.kernels.packer import Float, pack, to_dst
from tt_jax.kernels.sfpu import exp, reciprocal


def attention(
    query: Array,
    key: Array,
    value: Array,
    *,
    scale: float,
    dtype: Float,
    mask: Array | None = None,
    allowed: Array | None = None,
    sink: Array | None = None,
    fidelity: Fidelity = "HiFi2",
    approximate: bool = True,
    fp32_dest: bool = False,
) -> Array:
    """Attention `[b, h, s, d] x [b, kv, t, d] x [b, kv, t, e] -> [b, h, s, e]`; `h / kv` query heads share keys and values.

    `mask` is added to the scores before they are scaled, and `allowed` says which keys a query sees; both broadcast against `[b, h, s, t]`.
    `sink` `[1, h, 1, 1]` joins the maximum and the sum as one more score, and weighs no value.
    A query that sees no key has the mean of all it could see (or zeros, if `allowed` forbids every one).
    """
    b, heads, s, d = query.shape
    groups, t = key.shape[1:3]

    def by_group(x: Array) -> Array:
        return x.reshape(b, groups, heads // groups * s, x.shape[-1])

    scores = products(by_group(query), key.swapaxes(-2, -1), fidelity, fp32_dest)
    scores = rounding.widen(to_dst(scores, fp32_dest)).reshape(b, heads, s, t)
    if mask is not None:
        scores = rounding.widen(to_dst(scores + rounding.widen(mask), fp32_dest))
    if allowed is not None:
        scores = jnp.where(allowed, scores, -jnp.inf)
    top = scores.max(-1, keepdims=True)
    if sink is not None:
        top = jnp.maximum(top, rounding.widen(sink))

    def exponential(value: Array) -> Array:
        difference = jnp.where(jnp.isneginf(top), 0.0, value - jnp.where(jnp.isneginf(top), 0.0, top))
        difference = rounding.widen(to_dst(difference, fp32_dest))
        return pack(exp(difference * jnp.float32(scale), approximate, fp32_dest), "bfloat16")

    e = exponential(scores)
    if allowed is not None:
        e = jnp.where(allowed, e, jnp.zeros((), e.dtype))
    total = rounding.widen(e).sum(-1, keepdims=True)
    if sink is not None:
        total = total + rounding.widen(exponential(rounding.widen(sink)))
    inverse = to_dst(reciprocal(jnp.where(total == 0, 1.0, total)), fp32_dest)
    out = to_dst(products(by_group(e), value, fidelity, fp32_dest), fp32_dest)
    out = rounding.widen(out).reshape(b, heads, s, value.shape[-1])
    return pack(out * rounding.widen(inverse), dtype)


def sees(rows: Array, columns: Array, causal: bool, window: int | None) -> Array | None:
    """Which of the keys at positions `columns` `[..., 1, t]` queries at `rows` `[..., s, 1]` attend to; None for all.

    A causal query sees no later key, and with a `window` only that many, itself included; otherwise the window is centred on it.
    """
    if causal:
        seen = columns <= rows
        return seen if window is None else seen & (columns > rows - window)
    return None if window is None else abs(columns - rows) <= window // 2


def paged(cache: Array, table: Array) -> Array:
    """Keys or values `[b, kv, blocks * size, d]` of blocks `[n, kv, size, d]`: a row of `table` `[b, blocks]` lists a sequence's."""
    blocks = cache[jnp.clip(table, 0, cache.shape[0] - 1)]
    b, count, kv, size, d = blocks.shape
    return blocks.transpose(0, 2, 1, 3, 4).reshape(b, kv, count * size, d)
