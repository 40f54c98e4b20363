"""Writing into a cache of keys or values. Values are in the cache's dtype already; what is not written stays as it is."""

import jax.numpy as jnp
from jax import Array, lax


def fill(cache: Array, values: Array, user: Array) -> Array:
    """`cache` `[b, heads, t, d]` with `values` `[1, h, s, d]` in the first heads and rows of `user`."""
    return lax.dynamic_update_slice(cache, values, (user, jnp.zeros_like(user), jnp.zeros_like(user), jnp.zeros_like(user)))


def update(cache: Array, values: Array, positions: Array, shared: bool = False) -> Array:
    """`cache` `[b, heads, t, d]` with `values` `[users, heads, d]` in row `positions` `[users]` of each user's; none at -1.

    A `shared` cache has one entry for all users.
    """
    rows = jnp.where(positions < 0, cache.shape[2], positions)
    users = jnp.zeros_like(rows) if shared else jnp.arange(values.shape[0], dtype=rows.dtype)
    return cache.at[users, : values.shape[1], rows].set(values, mode="drop")


def update_pages(cache: Array, values: Array, positions: Array, table: Array) -> Array:
    """`cache` of blocks `[n, heads, size, d]` with `values` `[users, heads, d]` at `positions` `[users]`; none at -1.

    Row i of `table` `[users, blocks]` lists the blocks of user i.
    """
    size = cache.shape[2]
    entry = jnp.clip(positions // size, 0, table.shape[1] - 1)
    blocks = jnp.take_along_axis(table, entry[:, None], axis=1)[:, 0]
    blocks = jnp.where((positions < 0) | (blocks < 0), cache.shape[0], blocks)
    return cache.at[blocks, : values.shape[1], positions % size].set(values, mode="drop")


def fill_pages(cache: Array, values: Array, table: Array, users: Array) -> Array:
    """`cache` of blocks `[n, heads, size, d]` with the sequences `values` `[b, heads, s, d]` of `users` `[b]`, whose blocks `table` lists.

    Blocks marked -1 are not written.
    """
    size, n = cache.shape[2], cache.shape[0]
    rows = jnp.arange(values.shape[2])
    blocks = table[users][:, rows // size]
    blocks = jnp.where(blocks < 0, n, blocks)
    return cache.at[blocks, : values.shape[1], (rows % size)[None]].set(values.swapaxes(1, 2), mode="drop")
