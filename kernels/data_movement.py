"""Values picked by indices, and put where indices say. Indices out of range read NaN (the largest integer), and write nothing.

ttnn leaves both open; what it would read is what lies in memory there.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from tt_jax.kernels import rounding

Reduction = Literal["set", "add", "multiply", "amin", "amax"]


def nothing(x: Array) -> float | int:
    """What a read outside of `x` gives: NaN, or the largest integer."""
    return jnp.nan if jnp.issubdtype(x.dtype, jnp.floating) else int(jnp.iinfo(x.dtype).max)


def _places(index: Array, dim: int) -> tuple[Array, ...]:
    """For each entry of `index`, the place that it names along `dim`; its own along the others."""
    places = list(jnp.indices(index.shape, sparse=True))
    places[dim] = index.astype(jnp.uint32)  # unsigned: a negative one is out of range, not counted from the end
    return tuple(places)


def gather(x: Array, index: Array, dim: int) -> Array:
    """`y[i][j] = x[index[i][j]][j]` for `dim` 0, and so on: the shape of `index`, which exceeds `x` along `dim` only."""
    return x.at[_places(index, dim)].get(mode="fill", fill_value=nothing(x))


@jax.custom_jvp
def _multiplied(x: Array, places: tuple[Array, ...], values: Array) -> Array:
    """`x` times `values` at `places`, which may name a place more than once."""
    return x.at[places].multiply(values, mode="drop")


@_multiplied.defjvp
def _(primals: tuple[Array, tuple[Array, ...], Array], tangents: tuple[Array, Any, Array]) -> tuple[Array, Array]:
    (x, places, values), (dx, _, dvalues) = primals, tangents
    zero = values == 0
    one = jnp.ones_like(x)
    nonzero = one.at[places].multiply(jnp.where(zero, 1, values), mode="drop")
    zeros = jnp.zeros(x.shape, jnp.int32).at[places].add(zero.astype(jnp.int32), mode="drop")
    there = lambda array: array.at[places].get(mode="fill", fill_value=0)
    # What each value multiplies: the product of the others, without a division by a zero.
    others = there(nonzero) / jnp.where(zero, 1, values)
    others = jnp.where(there(zeros) == zero.astype(jnp.int32), others, 0) * there(x)
    y = _multiplied(x, places, values)
    return y, (dx * _multiplied(one, places, values)).at[places].add(dvalues * others, mode="drop")


def scatter(x: Array, index: Array, source: Array, dim: int, reduction: Reduction) -> Array:
    """`x` with `source[i][j]` at `[index[i][j]][j]` for `dim` 0, and so on; `source` covers the shape of `index`.

    Sums and products are taken in float32 (integers: modulo the width) and rounded once. Of several values set in one place,
    which one stays is left open.
    """
    values = source[tuple(slice(size) for size in index.shape)]
    narrow = x.dtype == jnp.bfloat16 and reduction != "set"
    wide, values = (rounding.widen(x), rounding.widen(values)) if narrow else (x, values)
    place, mode = wide.at[_places(index, dim)], "drop"
    match reduction:
        case "set":
            y = place.set(values, mode=mode)
        case "add":
            y = place.add(values, mode=mode)
        case "multiply":
            y = _multiplied(wide, _places(index, dim), values)
        case "amin":
            y = place.min(values, mode=mode)
        case "amax":
            y = place.max(values, mode=mode)
    return rounding.nearest_away_bfloat16(y) if narrow else y


def index_fill(x: Array, index: Array, value: Array, dim: int) -> Array:
    """`x` with `value` in each of the slices that `index` `[n]` names along `dim`."""
    return jnp.moveaxis(jnp.moveaxis(x, dim, 0).at[index.astype(jnp.uint32)].set(value, mode="drop"), 0, dim)


def indexed_fill(index: Array, x: Array, source: Array, dim: int) -> Array:
    """`x` with slice `k` of `source` at `index[k]` along `dim`; of several with one index the last stays."""
    size, count = x.shape[dim], index.shape[0]
    hits = index.astype(jnp.uint32)[None, :] == jnp.arange(size, dtype=jnp.uint32)[:, None]
    last = jnp.where(hits, jnp.arange(count), -1).max(1, initial=-1)
    picked = jnp.take(source, jnp.maximum(last, 0), axis=dim)
    return jnp.where((last >= 0).reshape([-1 if d == dim else 1 for d in range(x.ndim)]), picked, x)


def rows(weight: Array, index: Array) -> Array:
    """The rows of `weight` `[n, width]` that `index` names: `[*index.shape, width]`. A float index is cut."""
    return jnp.take(weight, index.astype(jnp.uint32), axis=0, mode="fill", fill_value=nothing(weight))


def sum_rows(gradient: Array, index: Array, count: int) -> Array:
    """float32 `[count, width]`: at each row the sum of the rows of `gradient` `[n, width]` whose `index` `[n]` it is."""
    zeros = jnp.zeros((count, gradient.shape[-1]), jnp.float32)
    return zeros.at[index.astype(jnp.uint32)].add(rounding.widen(gradient), mode="drop")


def nonzero(x: Array) -> tuple[Array, Array]:
    """The number of values of `x` that are not zero, and the rank indices of each, one after the other: uint32 `[x.size * rank]`.

    What follows the last one is zero.
    """
    places = jnp.nonzero(x, size=x.size, fill_value=0)
    return jnp.count_nonzero(x).astype(jnp.uint32), jnp.stack(places, -1).reshape(-1).astype(jnp.uint32)
