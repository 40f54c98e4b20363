"""Scaled dot-product attention as the device's flash kernel goes through it: chunk by chunk of the keys, stage by stage.

    s = R(q @ k^T); s = R(s + mask)                the mask is in units of the scores before they are scaled
    m' = max(m, max(s)); e = R(exp((s - m') * scale))     the scale is folded into the exponential, the fast one by default
    a = R(exp((m - m') * scale))                   from the second chunk on
    l = R(R(l * a) + sum(e)); o = R(R(o * a) + R(e @ v))
    y = pack(o * R(1 / l))                         after the last chunk

R rounds as Dst does and stores bfloat16. The fast exponential of 0 is 0.977, not 1, so each chunk weighs those before it down by
2%: the price of `exp_approx_mode` in long sequences. Source: spec/numerics.md section 4.6 (read in source, not measured).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from tt_jax.kernels import numerics, rounding
from tt_jax.kernels.eltwise import fpu_product, fpu_sum, operand
from tt_jax.kernels.fidelity import Fidelity
from tt_jax.kernels.matmul import product_in_dst
from tt_jax.kernels.packer import Float, pack, to_dst
from tt_jax.kernels.reduction import row_sum
from tt_jax.kernels.sfpu import exp, reciprocal

Allowed = Callable[[Array], Array]
"""Of keys at positions `[c]`, which a query sees: booleans that broadcast against `[b, h, s, c]`."""


class Arithmetic(NamedTuple):
    """How attention computes; hashable.

    Attributes:
        scale: of the scores.
        fidelity: of all products.
        approximate: the fast exponential.
        fp32_dest: a 32-bit Dst.
        chunks: queries and keys that are taken at a time; None for all keys at once.
    """

    scale: float
    fidelity: Fidelity = "HiFi2"
    approximate: bool = True
    fp32_dest: bool = False
    chunks: tuple[int, int] | None = None


class _Statistics(NamedTuple):
    """What is known of the keys so far, float32: the largest score and the sum of exponentials `[..., 1]`, the output `[..., e]`."""

    top: Array
    total: Array
    output: Array


def _stored(dst: Array) -> Array:
    """What a stage leaves for the next one, in float32. A Dst of either width is rounded to bfloat16 once."""
    return rounding.widen(pack(dst, "bfloat16"))


def _exponential(score: Array, top: Array, how: Arithmetic) -> Array:
    difference = rounding.widen(to_dst(fpu_sum(score, -top), how.fp32_dest))
    return _stored(exp(difference, how.approximate, how.fp32_dest, how.scale))


def _sum(e: Array, how: Arithmetic) -> Array:
    is_exact = numerics.level() == "device"
    return _stored(row_sum(e, 1.0, how.fidelity, how.fp32_dest) if is_exact else e.sum(-1, keepdims=True))


def _rescaled(x: Array, factor: Array, how: Arithmetic) -> Array:
    return _stored(fpu_product(x, factor, how.fidelity, how.fp32_dest))


def _joined(so_far: _Statistics, top: Array, total: Array, output: Array, how: Arithmetic) -> _Statistics:
    """`so_far` with sums that are relative to `top`, which is at least as large."""
    factor = _exponential(so_far.top, top, how)
    total = _stored(fpu_sum(_rescaled(so_far.total, factor, how), total))
    output = _stored(fpu_sum(_rescaled(so_far.output, factor, how), output))
    return _Statistics(top, total, output)


def _chunk(
    so_far: _Statistics | None,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    seen: Array | None,
    how: Arithmetic,
) -> _Statistics:
    """`so_far` (None, or a top of -inf and zeros, at the first) with the keys `[b, kv, c, d]` of one chunk."""
    b, heads, s, _ = query.shape
    groups, c = key.shape[1:3]

    def by_group(x: Array) -> Array:
        return x.reshape(b, groups, heads // groups * s, x.shape[-1])

    scores = product_in_dst(by_group(query), key.swapaxes(-2, -1), how.fidelity, how.fp32_dest)
    scores = _stored(scores).reshape(b, heads, s, c)
    if mask is not None:
        scores = _stored(fpu_sum(scores, operand(mask, how.fp32_dest)))
    if seen is not None:
        scores = jnp.where(seen, scores, -jnp.inf)
    top = scores.max(-1, keepdims=True)
    if so_far is not None:
        top = jnp.maximum(so_far.top, top)
    e = _exponential(scores, top, how)
    if seen is not None:
        e = jnp.where(seen, e, 0.0)
    output = _stored(product_in_dst(by_group(e), value, how.fidelity, how.fp32_dest))
    output, total = output.reshape(b, heads, s, value.shape[-1]), _sum(e, how)
    return _Statistics(top, total, output) if so_far is None else _joined(so_far, top, total, output, how)


def _cut(x: Array, axis: int, size: int) -> Array:
    """`x` in chunks of `size` along `axis`, the last filled up with zeros: `[chunks, ...]`."""
    axis %= x.ndim
    fill = [(0, -x.shape[i] % size if i == axis else 0) for i in range(x.ndim)]
    x = jnp.pad(x, fill)
    return jnp.moveaxis(x.reshape(*x.shape[:axis], -1, size, *x.shape[axis + 1 :]), axis, 0)


def _columns_of(whole: Array) -> Allowed:
    """Of booleans `[..., t]`, those at the positions asked for; False beyond the last."""
    return lambda positions: jnp.take(whole, positions, axis=-1, mode="fill", fill_value=False)


def _visited(seen: Array, queries: int) -> Array:
    """Which rows take part in a chunk, of which they see `seen` `[..., s, c]`: whole chunks of `queries` do or do not."""
    s = seen.shape[-2]
    sees = _cut(seen.any(-1, keepdims=True), -2, queries).any(-2, keepdims=True)
    rows = jnp.repeat(jnp.moveaxis(sees, 0, -3), queries, axis=-2)
    return rows.reshape(*seen.shape[:-2], -1, 1)[..., :s, :]


def _over_chunks(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    allowed: Allowed | None,
    chunks: tuple[int, int],
    how: Arithmetic,
) -> _Statistics:
    """The statistics of all keys, a chunk at a time: of scores and of what is `allowed`, one chunk of keys exists at a time."""
    (rows, size), keys, shape = chunks, key.shape[2], query.shape[:3]
    is_ragged = keys % size != 0

    def seen_at(positions: Array) -> Array | None:
        seen = None if allowed is None else allowed(positions)
        if is_ragged:
            seen = positions < keys if seen is None else seen & (positions < keys)
        return None if seen is None else jnp.broadcast_to(seen, jnp.broadcast_shapes(seen.shape, (1, 1, shape[2], 1)))

    def step(so_far: _Statistics, chunk: tuple[Any, ...]) -> tuple[_Statistics, None]:
        start, key, value, mask = chunk
        seen = seen_at(start + jnp.arange(size))
        after = _chunk(so_far, query, key, value, mask, seen, how)
        if seen is not None:
            visited = _visited(seen, rows)
            after = _Statistics(*(jnp.where(visited, new, old) for new, old in zip(after, so_far, strict=True)))
        return after, None

    nothing = _Statistics(
        jnp.full((*shape, 1), -jnp.inf, jnp.float32),
        jnp.zeros((*shape, 1), jnp.float32),
        jnp.zeros((*shape, value.shape[-1]), jnp.float32),
    )
    mask = None if mask is None else _cut(mask, -1, size)
    result, _ = lax.scan(step, nothing, (jnp.arange(0, keys, size), _cut(key, 2, size), _cut(value, 2, size), mask))
    return result


def attention(
    query: Array,
    key: Array,
    value: Array,
    *,
    dtype: Float,
    how: Arithmetic,
    mask: Array | None = None,
    allowed: Allowed | Array | None = None,
    sink: Array | None = None,
) -> Array:
    """Attention `[b, h, s, d] x [b, kv, t, d] x [b, kv, t, e] -> [b, h, s, e]`; `h / kv` query heads share keys and values.

    `mask`, which broadcasts against `[b, h, s, t]`, is added to the scores before they are scaled. `allowed` says which keys a query
    sees: an array that broadcasts likewise, with a last axis of t, or a function, which is asked for a chunk of keys at a time. A
    chunk of keys of which a chunk of queries sees none is left out. `sink` `[1, h, 1, 1]` joins the maximum and the sum as one more
    score after all others (assumed), and weighs no value. A query that sees no key has the mean of all it could see (or zeros, if
    `allowed` forbids every one).
    """
    if mask is not None:
        mask = jnp.broadcast_to(mask, (*mask.shape[:-1], key.shape[2]))
    if isinstance(allowed, Array):
        allowed = _columns_of(allowed)
    if how.chunks is None or how.chunks[1] >= key.shape[2]:
        seen = None if allowed is None else allowed(jnp.arange(key.shape[2]))
        result = _chunk(None, query, key, value, mask, seen, how)
    else:
        result = _over_chunks(query, key, value, mask, allowed, how.chunks, how)
    if sink is not None:
        sink = operand(sink, how.fp32_dest)
        top = jnp.maximum(result.top, sink)
        result = _joined(result, top, _exponential(sink, top, how), jnp.zeros_like(result.output), how)
    inverse = _stored(reciprocal(jnp.where(result.total == 0, 1.0, result.total)))
    return pack(fpu_product(result.output, inverse, how.fidelity, how.fp32_dest), dtype)


def sees(rows: Array, causal: bool, window: int | None) -> Allowed | None:
    """Which keys queries at positions `rows` `[..., s, 1]` attend to; None for all.

    A causal query sees no later key, and with a `window` only that many, itself included; otherwise the window is centred on it.
    """
    if window is None:
        return (lambda columns: columns <= rows) if causal else None
    if causal:
        return lambda columns: (columns <= rows) & (columns > rows - window)
    return lambda columns: abs(columns - rows) <= window // 2


def sees_own_window(rows: Array, bounds: Array) -> Allowed:
    """Queries at positions `rows` `[s, 1]` attend to the window that they are in, of those between `bounds` `[n]`, ascending."""
    window_of = lambda positions: (positions[..., None] >= bounds).sum(-1)  # noqa: E731
    own = window_of(rows)
    return lambda columns: own == window_of(columns)


def paged(cache: Array, table: Array) -> Array:
    """Keys or values `[b, kv, blocks * size, d]` of blocks `[n, kv, size, d]`: a row of `table` `[b, blocks]` lists a sequence's."""
    blocks = cache[jnp.clip(table, 0, cache.shape[0] - 1)]
    b, count, kv, size, d = blocks.shape
    return blocks.transpose(0, 2, 1, 3, 4).reshape(b, kv, count * size, d)
