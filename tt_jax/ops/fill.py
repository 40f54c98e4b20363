"""Parts of a tensor filled: by index, above or below a diagonal; and integers counted up in place."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import DataType, bfloat16, float32, int32, uint16, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import data_movement
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import normalize_dim, require_dtype, require_flags, require_integer
from tt_jax.ops._movement import movement, run, supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.creation import scalar
from tt_jax.program import Operation, launch, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["fill_ones_rm", "fill_rm", "index_fill", "indexed_fill", "plus_one", "tril", "triu"]


class _Corner(NamedTuple):
    shape: tuple[int, ...]
    height: int
    width: int


def _index_fill(dim: int, x: Array, index: Array, value: Array) -> Array:
    return data_movement.index_fill(x, index, value, dim)


def _indexed_fill(dim: int, index: Array, x: Array, source: Array) -> Array:
    return data_movement.indexed_fill(index.reshape(-1), x, source, dim)


def _lower(diagonal: int, x: Array) -> Array:
    return jnp.tril(x, diagonal)


def _upper(diagonal: int, x: Array) -> Array:
    return jnp.triu(x, diagonal)


def _corner(how: _Corner, any: Array, high: Array, low: Array) -> Array:
    inside = (jnp.arange(how.shape[-2])[:, None] < how.height) & (jnp.arange(how.shape[-1]) < how.width)
    return jnp.broadcast_to(jnp.where(inside, high, low), how.shape)


def _plus_one(skip: bool, specs: Any, x: Array) -> tuple[Array]:
    counted = x + jnp.ones((), x.dtype)
    return (jnp.where(x.astype(jnp.int32) < 0, x, counted) if skip else counted,)


_INDEX_FILL = movement("index_fill", _index_fill)
_INDEXED_FILL = movement("indexed_fill", _indexed_fill)
_TRIL = movement("tril", _lower)
_TRIU = movement("triu", _upper)
_FILL_RM = movement("fill_rm", _corner)
_PLUS_ONE = Operation("plus_one", lambda attributes, specs: (specs[0],), _plus_one, in_place=0)


def index_fill(
    memory: MemoryState,
    input: Tensor,
    dim: int,
    index: Tensor,
    value: float,
    *,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input` with `value` in every slice that `index` names along `dim`.

    `input` has ROW_MAJOR layout and is bfloat16, float32 or int32; `index` has one dimension and is int32 or uint32. Raises
    ArgumentError otherwise.
    """
    x, index = require_tensor("index_fill", "input", input), require_tensor("index_fill", "index", index)
    require_dtype("index_fill", "input", x.spec, (bfloat16, float32, int32))
    require_dtype("index_fill", "index", index.spec, (int32, uint32))
    if x.layout is not Layout.ROW_MAJOR or len(index.shape) != 1:
        raise ArgumentError(
            f"index_fill: `input` must have ROW_MAJOR layout and `index` one dimension; got {x.spec} and {index.spec}"
        )
    dim = normalize_dim("index_fill", dim, len(x.shape))
    number = scalar("index_fill", "value", value, x.dtype)
    return run(memory, _INDEX_FILL, (x, index, number), target("index_fill", x.spec, x.shape, memory_config), dim)


def indexed_fill(
    memory: MemoryState,
    batch_id: Tensor,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor,
    *,
    memory_config: MemoryConfig | None = None,
    dim: int = 0,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor_a` with slice `k` of `input_tensor_b` at `batch_id[k]` along `dim`; of equal ids the last one stays.

    `batch_id` is uint32 of shape `(1, 1, 1, b)`, in ROW_MAJOR layout, and `b` the size of `input_tensor_b` along `dim`.
    Raises ArgumentError otherwise, and where the other dimensions, dtypes or layouts of the two differ.
    """
    ids = require_tensor("indexed_fill", "batch_id", batch_id)
    a = require_tensor("indexed_fill", "input_tensor_a", input_tensor_a)
    b = require_tensor("indexed_fill", "input_tensor_b", input_tensor_b)
    require_dtype("indexed_fill", "batch_id", ids.spec, (uint32, int32))
    dim = normalize_dim("indexed_fill", dim, len(a.shape))
    same = a.dtype is b.dtype and a.layout is b.layout and len(a.shape) == len(b.shape)
    if not same or any(s != t for d, (s, t) in enumerate(zip(a.shape, b.shape, strict=True)) if d != dim):
        raise ArgumentError(f"indexed_fill: {a.spec} and {b.spec} must differ in dimension {dim} only")
    if ids.shape[-1:] != (b.shape[dim],) or any(size != 1 for size in ids.shape[:-1]):
        raise ArgumentError(f"indexed_fill: `batch_id` {ids.spec} must have shape (1, 1, 1, {b.shape[dim]})")
    return run(memory, _INDEXED_FILL, (ids, a, b), target("indexed_fill", a.spec, a.shape, memory_config), dim)


def _triangle(
    operation: Operation, memory: MemoryState, x: Tensor, diagonal: int, memory_config: MemoryConfig | None
) -> tuple[MemoryState, Tensor]:
    name = operation.name
    x = require_tensor(name, "input_tensor", x)
    diagonal = require_integer(name, "diagonal", diagonal)
    if len(x.shape) < 2:
        raise ArgumentError(f"{name}: `input_tensor` must have at least two dimensions, got {x.spec}")
    return run(memory, operation, (x,), target(name, x.spec, x.shape, memory_config), diagonal)


def tril(
    memory: MemoryState, input_tensor: Tensor, diagonal: int = 0, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with zeros above the `diagonal` (0: the main one, above it if positive) of its last two dimensions."""
    return _triangle(_TRIL, memory, input_tensor, diagonal, memory_config)


def triu(
    memory: MemoryState, input_tensor: Tensor, diagonal: int = 0, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with zeros below the `diagonal` (0: the main one, above it if positive) of its last two dimensions."""
    return _triangle(_TRIU, memory, input_tensor, diagonal, memory_config)


def fill_rm(
    memory: MemoryState,
    N: int,
    C: int,
    H: int,
    W: int,
    hOnes: int,
    wOnes: int,
    any: Tensor,
    val_hi: float,
    val_lo: float,
    *,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """A bfloat16 ROW_MAJOR tensor `(N, C, H, W)`: `val_hi` in the first `hOnes` rows and `wOnes` columns, `val_lo` elsewhere.

    `any` gives the dtype, which must be bfloat16, and where the result lies by default. Raises ArgumentError unless the
    corner lies within `(H, W)`.
    """
    x = require_tensor("fill_rm", "any", any)
    require_dtype("fill_rm", "any", x.spec, (bfloat16,))
    sizes = dict(N=N, C=C, H=H, W=W)
    shape = tuple(require_integer("fill_rm", name, size, 1) for name, size in sizes.items())
    height, width = require_integer("fill_rm", "hOnes", hOnes, 0), require_integer("fill_rm", "wOnes", wOnes, 0)
    if height > shape[2] or width > shape[3]:
        raise ArgumentError(f"fill_rm: {height} x {width} values do not fit into {shape[2]} x {shape[3]}")
    high, low = scalar("fill_rm", "val_hi", val_hi, x.dtype), scalar("fill_rm", "val_lo", val_lo, x.dtype)
    spec = target("fill_rm", x.spec, shape, memory_config, layout=Layout.ROW_MAJOR)
    return run(memory, _FILL_RM, (x, high, low), spec, _Corner(shape, height, width))


def fill_ones_rm(
    memory: MemoryState,
    N: int,
    C: int,
    H: int,
    W: int,
    hOnes: int,
    wOnes: int,
    any: Tensor,
    *,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`fill_rm` with ones in the corner and zeros elsewhere."""
    return fill_rm(memory, N, C, H, W, hOnes, wOnes, any, 1.0, 0.0, memory_config=memory_config)


def plus_one(memory: MemoryState, input_tensor: Tensor, *, skip_negative_entries: bool = False) -> tuple[MemoryState, Tensor]:
    """`input_tensor`, of integers, with one added to each, in its own buffer; negative ones stay if they are to be skipped.

    Of unsigned ones those from 2**31 on count as negative. Raises ArgumentError for another dtype.
    """
    x = require_tensor("plus_one", "input_tensor", input_tensor)
    require_flags("plus_one", skip_negative_entries=skip_negative_entries)
    require_dtype("plus_one", "input_tensor", x.spec, (uint32, int32, uint16))
    memory, (y,) = launch(memory, _PLUS_ONE, (x,), skip_negative_entries)
    return memory, y


supports(Support((bfloat16, float32, int32), (Layout.ROW_MAJOR,)), index_fill)
supports(Support(tuple(DataType)), indexed_fill, tril, triu)
supports(Support((bfloat16,)), fill_rm, fill_ones_rm)
supports(Support((uint32, int32, uint16)), plus_one)
