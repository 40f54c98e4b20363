"""What chips of a mesh exchange, by `jax.lax` collectives over named axes: to be run on each chip, within `jax.shard_map`.

`axes` name the axes of the mesh over which chips form a group, of `size` chips counted row by row; a group of one has none to name.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from tt_jax.kernels.eltwise import fpu_sum, operand
from tt_jax.kernels.packer import Float, pack, to_dst


class Group(NamedTuple):
    """Chips that exchange data; hashable."""

    axes: tuple[str, ...]
    size: int


def gathered(x: Array, group: Group, dim: int) -> Array:
    """All chips' `x`, along `dim`."""
    if group.size == 1 or not x.shape[dim]:
        return x
    return lax.all_gather(x, group.axes, axis=dim, tiled=True)


def stacked(x: Array, group: Group) -> Array:
    """All chips' `x`, along a new first axis."""
    return x[None] if group.size == 1 else lax.all_gather(x, group.axes)


def exchanged(x: Array, group: Group, split: int, join: int) -> Array:
    """Slice i of `x` along `split` goes to chip i, and what comes from the chips is joined along `join`."""
    return x if group.size == 1 else lax.all_to_all(x, group.axes, split, join, tiled=True)


def own_slice(x: Array, group: Group, dim: int) -> Array:
    """This chip's slice of `x` along `dim`."""
    if group.size == 1:
        return x
    size = x.shape[dim] // group.size
    return lax.dynamic_slice_in_dim(x, lax.axis_index(group.axes) * size, size, dim)


def sent(x: Array, group: Group, sender: int, receiver: int, elsewhere: Array) -> Array:
    """The sender's `x` on the receiver; `elsewhere` on all others."""
    if group.size == 1:
        return x
    arrived = lax.ppermute(x, group.axes, [(sender, receiver)])
    return jnp.where(lax.axis_index(group.axes) == receiver, arrived, elsewhere)


def broadcast(x: Array, group: Group, sender: int) -> Array:
    """The sender's `x` on every chip."""
    return stacked(x, group)[0 if group.size == 1 else sender]


def accumulator(dtype: str) -> Callable[[Array, Array], Array]:
    """How a chip adds what has come to its own: `(arrived, own) -> sum`, both of `dtype`, as an element-wise addition stores it."""
    if dtype not in ("bfloat16", "bfloat8_b", "bfloat4_b"):
        return lax.add
    stored: Float = dtype  # type: ignore[assignment]

    def add(arrived: Array, own: Array) -> Array:
        return pack(to_dst(fpu_sum(operand(arrived, False), operand(own, False)), False), stored)

    return add


def in_turn(parts: Array, add: Callable[[Array, Array], Array]) -> Array:
    """The sum of `parts` `[n, ...]`, the first ones first."""
    return lax.scan(lambda total, part: (add(total, part), None), parts[0], parts[1:])[0]


def _along_a_line(parts: Array, place: Array, add: Callable[[Array, Array], Array]) -> Array:
    """The sum of `parts` `[n, ...]` that come to `place` from both ends: each chip on the way adds its own."""
    n = parts.shape[0]

    def towards(total: Array, step: tuple[Array, Array, Array]) -> tuple[Array, None]:
        part, is_first, is_before = step
        return jnp.where(is_before, jnp.where(is_first, part, add(total, part)), total), None

    def from_end(parts: Array, before: Array) -> Array:
        return lax.scan(towards, jnp.zeros_like(parts[0]), (parts, jnp.arange(n) == 0, jnp.arange(n) < before))[0]

    own = lax.dynamic_index_in_dim(parts, place, keepdims=False)
    left, right = from_end(parts, place), from_end(parts[::-1], n - 1 - place)
    total = jnp.where(place == 0, own, add(left, own))
    return jnp.where(place == n - 1, total, add(right, total))


def sum_scattered(x: Array, group: Group, dim: int, dtype: str, is_ring: bool) -> Array:
    """This chip's slice along `dim` of the sum of all chips' `x`, rounded to `dtype` after every addition.

    In a ring a slice starts at the chip after its own and goes once round; along a line partial sums come from both ends. The
    order is assumed. At level "float32" nothing is rounded.
    """
    if group.size == 1:
        return x
    n = group.size
    parts = jnp.moveaxis(x.reshape(*x.shape[:dim], n, x.shape[dim] // n, *x.shape[dim + 1 :]), dim, 0)
    parts = lax.all_to_all(parts, group.axes, 0, 0, tiled=True)
    place, add = lax.axis_index(group.axes), accumulator(dtype)
    if not is_ring:
        return _along_a_line(parts, place, add)
    return in_turn(jnp.roll(parts, -(place + 1), axis=0), add)
