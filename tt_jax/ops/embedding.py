"""Rows of a table picked by index, and the gradient of that."""

import math
from typing import Any, NamedTuple

from jax import Array

from tt_jax.choice import Choice
from tt_jax.dtypes import DataType, bfloat8_b, bfloat16, float32, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import data_movement, packer
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_integer, require_options, require_tile
from tt_jax.ops._movement import Composite, Move, movement, run, supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.layout import tilized, to_layout, typecast
from tt_jax.program import Operation, active_cache, launch, require_live, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["embedding", "embedding_bw"]


class EmbeddingsType(Choice):
    """What is known of an embedding's table; the values are ttnn's own. All look up the same rows."""

    GENERIC = 0
    PADDED = 1
    BINARY = 2


class _Lookup(NamedTuple):
    batch: int
    length: int
    shape: tuple[int, ...]


def _rows(how: _Lookup, weight: Array, index: Array) -> Array:
    places = index.reshape(-1, how.length)[: how.batch]
    return data_movement.rows(weight.reshape(weight.shape[-2:]), places).reshape(how.shape)


def _gradient(attributes: Move, specs: Any, index: Array, gradient: Array) -> tuple[Array]:
    shape = attributes.spec.shape
    total = data_movement.sum_rows(gradient.reshape(-1, shape[-1]), index.reshape(-1), shape[-2])
    return (packer.pack(total.reshape(shape), attributes.spec.dtype.kernel_name),)  # type: ignore[arg-type]


_EMBEDDING = movement("embedding", _rows, reads_part=True)
_EMBEDDING_BW = Operation("embedding_bw", lambda attributes, specs: (attributes.spec,), _gradient)


def _require_type(kind: object, padding_idx: int | None, rows: int) -> None:
    name = getattr(kind, "name", None)
    if name not in EmbeddingsType.__members__:
        raise ArgumentError(f"embedding: `embeddings_type` must be an EmbeddingsType, got {kind!r}")
    if name == "PADDED" and padding_idx is None:
        raise ArgumentError("embedding: EmbeddingsType.PADDED needs `padding_idx`, the row that padding has")
    if padding_idx is not None and require_integer("embedding", "padding_idx", padding_idx, 0) >= rows:
        raise ArgumentError(f"embedding: `padding_idx` {padding_idx} is no row of a table of {rows}")
    if name == "BINARY" and rows != 2:
        raise ArgumentError(f"embedding: EmbeddingsType.BINARY needs a table of 2 rows, got {rows}")


def embedding(
    memory: MemoryState,
    input_tensor: Tensor,
    weight: Tensor,
    *,
    padding_idx: int | None = None,
    layout: Layout | None = None,
    embeddings_type: Any = EmbeddingsType.GENERIC,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """The rows of `weight` `[n, width]` that `input_tensor` names: `[batch, length, width]` of indices `[batch, ..., length]`.

    Indices are uint32 or bfloat16 (cut), of rank 1 (then the result has no batch) or more; `weight` is bfloat16, with leading
    ones if any. Of indices with more rows than `batch`, the first dimension, the first `batch` are taken, as ttnn does.
    The result lies where the indices do and has the layout of `weight`, unless said otherwise; `weight` is untilized first.
    A TILE result is made at once if `length` and `width` are whole tiles, else tilized; a `dtype` of bfloat8_b is cast at
    the end. An index out of range reads NaN. `padding_idx` names a row like any other: it matters to the device's gradient.
    Source: op_specs (measured).

    Raises ArgumentError for other dtypes or shapes, and where `padding_idx` or `embeddings_type` contradict the table.
    """
    x, table = require_tensor("embedding", "input_tensor", input_tensor), require_tensor("embedding", "weight", weight)
    require_options("embedding", layout=layout, dtype=dtype)
    require_dtype("embedding", "input_tensor", x.spec, (uint32, bfloat16))
    require_dtype("embedding", "weight", table.spec, (bfloat16, bfloat8_b))
    if len(table.shape) < 2 or any(size != 1 for size in table.shape[:-2]) or not x.shape:
        raise ArgumentError(f"embedding: `weight` {table.spec} must be one matrix, and `input_tensor` {x.spec} no scalar")
    _require_type(embeddings_type, padding_idx, table.shape[-2])
    require_live("embedding", memory, x)
    require_live("embedding", memory, table, 1)
    if output_tensor is not None:
        output = require_tensor("embedding", "output_tensor", output_tensor)
        layout, dtype = layout or output.layout, dtype or output.dtype
    layout = layout or table.layout
    if dtype not in (None, bfloat16) and layout is Layout.ROW_MAJOR:
        raise ArgumentError(f"embedding: a ROW_MAJOR result is bfloat16, not {dtype.kernel_name}; typecast it")
    batch, length, width = x.shape[0], x.shape[-1], table.shape[-1]
    shape = (length, width) if len(x.shape) == 1 else (batch, length, width)
    spec = target("embedding", x.spec, shape, memory_config, output_tensor, dtype=bfloat16, layout=layout)
    how = _Lookup(1 if len(x.shape) == 1 else batch, length, shape)
    cast = dtype not in (None, bfloat16)
    fused = layout is Layout.ROW_MAJOR or (length % TILE_SIZE == 0 and width % TILE_SIZE == 0)
    with active_cache().all_or_nothing():
        step = Composite(memory, x, table)
        rows = spec if fused else spec.replace(layout=Layout.ROW_MAJOR)
        indices = step(to_layout, x, Layout.ROW_MAJOR) if rows.layout is Layout.TILE else x
        inputs = [step(to_layout, table, Layout.ROW_MAJOR), indices]
        y = step(run, _EMBEDDING, inputs, rows, how, output_tensor if fused and not cast else None)
        if not fused:
            y = step(tilized, y, bfloat16, spec.memory_config, None if cast else output_tensor)
        if cast:
            y = step(typecast, y, dtype, memory_config=spec.memory_config, output_tensor=output_tensor)
        return step.result(y), y


def embedding_bw(
    memory: MemoryState,
    input_tensor: Tensor,
    weight_tensor: Tensor,
    output_gradient_tensor: Tensor,
    *,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """The gradient of `embedding` in its table, `(1, 1, n, width)` in TILE layout: sums of the rows of the output's gradient.

    Indices `input_tensor` are uint32 or bfloat16; of `weight_tensor` the number of rows is read; the gradient has TILE layout,
    one row for each index. Sums are taken in float32 and rounded once to `dtype`, by default the gradient's.

    Raises ArgumentError for other dtypes, or a gradient that does not fit the indices.
    """
    x = require_tensor("embedding_bw", "input_tensor", input_tensor)
    table = require_tensor("embedding_bw", "weight_tensor", weight_tensor)
    gradient = require_tensor("embedding_bw", "output_gradient_tensor", output_gradient_tensor)
    require_options("embedding_bw", dtype=dtype)
    require_dtype("embedding_bw", "input_tensor", x.spec, (uint32, bfloat16))
    require_dtype("embedding_bw", "output_gradient_tensor", gradient.spec, (bfloat16, bfloat8_b, float32))
    require_tile("embedding_bw", "output_gradient_tensor", gradient.spec)
    if len(table.shape) < 2 or not gradient.shape or math.prod(gradient.shape[:-1]) != math.prod(x.shape):
        raise ArgumentError(f"embedding_bw: the gradient {gradient.spec} must have one row for each index of {x.spec}")
    require_live("embedding_bw", memory, table, 1)
    shape = (1, 1, table.shape[-2], gradient.shape[-1])
    if dtype is None:
        dtype = gradient.dtype if output_tensor is None else output_tensor.dtype
    if not dtype.is_float:
        raise ArgumentError(f"embedding_bw: `dtype` must be a float dtype, got {dtype.kernel_name}")
    spec = target("embedding_bw", gradient.spec, shape, memory_config, output_tensor, dtype=dtype)
    memory, (y,) = launch(memory, _EMBEDDING_BW, (x, gradient), Move(spec), output_tensor)
    return memory, y


supports(Support((uint32, bfloat16)), embedding)
supports(Support((uint32, bfloat16)), embedding_bw)
