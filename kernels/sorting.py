"""Sorting, the k largest, and the place of the largest: exact; of equal values the first comes first, and NaN last, whichever the
direction (assumed; the largest, by `argmax`, is a NaN if there is one)."""

import jax.numpy as jnp
from jax import Array, lax


def _descending_key(x: Array) -> Array:
    """Numbers that rise where `x` falls, equal where it is: negation, or the complement of an unsigned integer."""
    return ~x if jnp.issubdtype(x.dtype, jnp.integer) else -x


def sort(x: Array, axis: int, descending: bool) -> tuple[Array, Array]:
    """`x` in order along `axis`, and where each value was (int32). Stable."""
    places = lax.broadcasted_iota(jnp.int32, x.shape, axis)
    _, values, order = lax.sort(
        (_descending_key(x) if descending else x, x, places), dimension=axis, is_stable=True, num_keys=1
    )
    return values, order


def top_k(x: Array, k: int, axis: int, largest: bool) -> tuple[Array, Array]:
    """The `k` largest (or smallest) along `axis`, in order, and where they were (int32)."""
    values, order = sort(x, axis, largest)
    return lax.slice_in_dim(values, 0, k, axis=axis), lax.slice_in_dim(order, 0, k, axis=axis)


def argmax(x: Array, axis: int | None) -> Array:
    """Where the largest is, the first of equals (int32); of the flattened `x` if `axis` is None."""
    return jnp.argmax(x, axis)


def cumulative(x: Array, axis: int, product: bool, reverse: bool) -> Array:
    """Running sums or products along `axis`, in the dtype of `x` (float32 or an integer); from the end if `reverse`."""
    return (lax.cumprod if product else lax.cumsum)(x, axis=axis, reverse=reverse)
