"""Values repeated, and rolled around."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import normalize_dim, require_integer, require_integers
from tt_jax.ops._movement import chain, movement, run, supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.reshape import reshape
from tt_jax.ops.sharding import to_memory_config
from tt_jax.program import require_tensor
from tt_jax.tensor import Tensor

__all__ = ["expand", "repeat", "repeat_interleave", "roll"]


def _tile(counts: tuple[int, ...], x: Array) -> Array:
    return jnp.tile(x, counts)


def _interleave(how: tuple[int, int], x: Array) -> Array:
    return jnp.repeat(x, how[0], how[1])


def _turn(how: tuple[tuple[int, ...], tuple[int, ...] | None], x: Array) -> Array:
    return jnp.roll(x, how[0], how[1]) if how[1] is not None else jnp.roll(x.reshape(-1), how[0]).reshape(x.shape)


_REPEAT = movement("repeat", _tile)
_REPEAT_INTERLEAVE = movement("repeat_interleave", _interleave)
_ROLL = movement("roll", _turn)


def repeat(
    memory: MemoryState,
    input_tensor: Tensor,
    repeat_dims: Sequence[int] | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    repetition_vector: Sequence[int] | None = None,
    shape: Sequence[int] | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` repeated so often along each dimension; fewer counts than dimensions apply to the last ones.

    `repetition_vector` and `shape` are older names of the counts. Of more counts than dimensions the first make new ones.
    The same tensor if every count is one. One program; ttnn's own takes one for each dimension, and untilizes where tiles
    would be cut.
    """
    x = require_tensor("repeat", "input_tensor", input_tensor)
    given = next((counts for counts in (repeat_dims, repetition_vector, shape) if counts is not None), None)
    counts = require_integers("repeat", "repeat_dims", given)
    for count in counts:
        require_integer("repeat", "repeat_dims", count, 0)
    counts = (1,) * (len(x.shape) - len(counts)) + counts
    was = (1,) * (len(counts) - len(x.shape)) + x.shape
    if all(count == 1 for count in counts):
        place = memory_config or x.memory_config
        return chain(memory, x, lambda m, x: reshape(m, x, was), lambda m, y: to_memory_config(m, y, place))
    repeated = tuple(count * size for count, size in zip(counts, was, strict=True))
    return run(memory, _REPEAT, (x,), target("repeat", x.spec, repeated, memory_config), counts)


def repeat_interleave(
    memory: MemoryState, input_tensor: Tensor, repeats: int, dim: int = 0, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with each entry of dimension `dim` repeated `repeats` times in a row. One program."""
    x = require_tensor("repeat_interleave", "input_tensor", input_tensor)
    dim = normalize_dim("repeat_interleave", dim, len(x.shape))
    repeats = require_integer("repeat_interleave", "repeats", repeats, 1)
    shape = (*x.shape[:dim], x.shape[dim] * repeats, *x.shape[dim + 1 :])
    spec = target("repeat_interleave", x.spec, shape, memory_config)
    return run(memory, _REPEAT_INTERLEAVE, (x,), spec, (repeats, dim))


def expand(
    memory: MemoryState, input_tensor: Tensor, output_shape: Sequence[int], *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` repeated along its dimensions of one up to `output_shape`, where -1 keeps a size; as `repeat`.

    Raises ArgumentError where another dimension would change.
    """
    x = require_tensor("expand", "input_tensor", input_tensor)
    target = require_integers("expand", "output_shape", output_shape)
    new = len(target) - len(x.shape)
    was = (1,) * max(new, 0) + x.shape
    fits = new >= 0 and all(
        t == s or (s == 1 and t >= 0) or (t == -1 and d >= new) for d, (t, s) in enumerate(zip(target, was, strict=True))
    )
    if not fits:
        raise ArgumentError(f"expand: {x.spec} cannot become {target}: only dimensions of one can grow, and -1 keeps one")
    counts = [1 if t in (-1, s) else t for t, s in zip(target, was, strict=True)]
    return repeat(memory, x, counts, memory_config=memory_config)


def roll(
    memory: MemoryState,
    input_tensor: Tensor,
    shifts: int | Sequence[int],
    dim: int | Sequence[int] | None = None,
    *,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with its entries shifted by `shifts` along `dim`, those that fall off coming in again at the other end.

    Without `dim` it is rolled as one row of all its values. Raises ArgumentError unless there is one shift for each `dim`.
    """
    x = require_tensor("roll", "input_tensor", input_tensor)
    amounts = require_integers("roll", "shifts", shifts if isinstance(shifts, Sequence) else (shifts,))
    dims = None
    if dim is not None:
        given = require_integers("roll", "dim", dim if isinstance(dim, Sequence) else (dim,))
        dims = tuple(normalize_dim("roll", d, len(x.shape)) for d in given)
    if len(amounts) != (1 if dims is None else len(dims)):
        raise ArgumentError(f"roll: {len(amounts)} shifts for {'no' if dims is None else len(dims)} dims; pass one each")
    whole = max(1, math.prod(x.shape))
    amounts = tuple(a % (whole if dims is None else max(1, x.shape[dims[i]])) for i, a in enumerate(amounts))
    return run(memory, _ROLL, (x,), target("roll", x.spec, x.shape, memory_config), (amounts, dims))


supports(Support(tuple(DataType)), repeat, repeat_interleave, expand, roll)
