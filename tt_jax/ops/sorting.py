"""Sorting, the k largest, and the index of the largest."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import DataType, bfloat8_b, bfloat16, float32, int32, uint16, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import sorting as kernel
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import (
    normalize_dim,
    require_dtype,
    require_flags,
    require_integer,
    require_options,
    require_tile,
)
from tt_jax.ops._movement import regrouped
from tt_jax.ops._support import Support
from tt_jax.program import Operation, free, launch, require_live, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["argmax", "sort", "topk"]

_INDICES = (uint16, uint32, int32)
_SORTED = (bfloat16, float32, uint16, uint32, int32)
_RANKED = (bfloat16, float32, bfloat8_b)


class _Order(NamedTuple):
    name: str
    dim: int
    size: int
    descending: bool
    index_dtype: DataType
    placements: tuple[MemoryConfig, MemoryConfig]


def _order_specs(attributes: _Order, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, TensorSpec]:
    x = specs[0]
    shape = tuple(attributes.size if i == attributes.dim else size for i, size in enumerate(x.shape))
    values, indices = attributes.placements
    return (
        x.replace(shape=shape, memory_config=values),
        x.replace(shape=shape, dtype=attributes.index_dtype, memory_config=indices),
    )


def _order_kernel(
    attributes: _Order, specs: tuple[TensorSpec, ...], x: Array, given: Array | None = None
) -> tuple[Array, Array]:
    values, order = kernel.top_k(x, attributes.size, attributes.dim, attributes.descending)
    if given is not None:
        order = jnp.take_along_axis(given, order, attributes.dim)
    return regrouped(values, specs[0]), order.astype(attributes.index_dtype.carrier)


_SORT = Operation("sort", _order_specs, _order_kernel)
_TOPK = Operation("topk", _order_specs, _order_kernel)


def _index_dtype(size: int) -> DataType:
    """What indices into `size` places are stored in: uint16 as long as they fit."""
    return uint16 if size <= 2**16 - 1 else uint32


def _ordered(
    memory: MemoryState,
    operation: Operation,
    x: Tensor,
    dim: int,
    count: int,
    descending: bool,
    memory_config: MemoryConfig | None,
    out: Sequence[Tensor] | None,
    indices: Tensor | None = None,
) -> tuple[MemoryState, tuple[Tensor, Tensor]]:
    name = operation.name
    inputs = (x,) if indices is None else (x, indices)
    placement, index = memory_config or x.memory_config, _index_dtype(x.shape[dim]) if indices is None else indices.dtype
    if out is None:
        attributes = _Order(name, dim, count, descending, index, (placement, placement))
        memory, (values, order) = launch(memory, operation, inputs, attributes)
        return memory, (values, order)
    if not isinstance(out, Sequence) or len(out) != 2:
        raise ArgumentError(f"{name}: the output tensors must be a pair, for values and indices; got {out!r}")
    given = [require_tensor(name, f"output {i}", t) for i, t in enumerate(out)]
    if given[1].dtype not in _INDICES:
        raise ArgumentError(f"{name}: the output tensor for indices must be uint16, uint32 or int32, got {given[1].spec}")
    require_live(name, memory, given[1], 1)
    attributes = _Order(name, dim, count, descending, given[1].dtype, (given[0].memory_config, given[1].memory_config))
    expected = _order_specs(attributes, (x.spec,))[1]
    if given[1].spec != expected:
        raise ArgumentError(f"{name}: the output tensor for indices must be {expected}, got {given[1].spec}")
    memory, (values, order) = launch(memory, operation, inputs, attributes, given[0])
    return free(memory, [order.buffer]), (values, Tensor(order.array, order.spec, given[1].buffer))


def sort(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int = -1,
    descending: bool = False,
    stable: bool = False,
    *,
    memory_config: MemoryConfig | None = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[MemoryState, list[Tensor]]:
    """The values in order along `dim`, and the index of each (uint16, or uint32 from 65,536 on).

    Exact, and always stable: equal values keep their order, where the device without `stable` leaves it open. `out` is a
    pair of tensors to put the two results in.

    Raises ArgumentError for block floats, or a `dim` out of range.
    """
    require_memory("sort", memory)
    x = require_tensor("sort", "input_tensor", input_tensor)
    require_options("sort", memory_config=memory_config)
    require_flags("sort", descending=descending, stable=stable)
    require_dtype("sort", "input_tensor", x.spec, _SORTED)
    axis = normalize_dim("sort", dim, len(x.shape) or 1)
    if not x.shape:
        raise ArgumentError("sort: `input_tensor` is a scalar; there is nothing to sort")
    memory, pair = _ordered(memory, _SORT, x, axis, x.shape[axis], descending, memory_config, out)
    return memory, list(pair)


def topk(
    memory: MemoryState,
    input_tensor: Tensor,
    k: int = 32,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,
    *,
    memory_config: MemoryConfig | None = None,
    indices_tensor: Tensor | None = None,
    output_tensor: Sequence[Tensor] | None = None,
    stable: bool = False,
) -> tuple[MemoryState, tuple[Tensor, Tensor]]:
    """The `k` largest along `dim` (smallest, if `largest` is False) and their indices (uint16, or uint32 from 65,536 on).

    Exact, in order (with `sorted` or without), the first of equals first; which of equals the device takes it leaves open. A bfloat8_b
    result is packed anew. `indices_tensor`: what to return instead of each place's own index, in its dtype. `output_tensor`
    is a pair of tensors to put the two results in.

    Raises ArgumentError for another dtype, ROW_MAJOR layout, or a `k` beyond the size of `dim`.
    """
    require_memory("topk", memory)
    x = require_tensor("topk", "input_tensor", input_tensor)
    require_options("topk", memory_config=memory_config)
    require_flags("topk", largest=largest, sorted=sorted, stable=stable)
    require_tile("topk", "input_tensor", x.spec)
    require_dtype("topk", "input_tensor", x.spec, _RANKED)
    axis = normalize_dim("topk", dim, len(x.shape))
    count = require_integer("topk", "k", k, least=1)
    if count > x.shape[axis]:
        raise ArgumentError(f"topk: `k` is {count}, more than the {x.shape[axis]} elements of dimension {axis} of {x.shape}")
    if indices_tensor is not None:
        given = require_tensor("topk", "indices_tensor", indices_tensor)
        require_dtype("topk", "indices_tensor", given.spec, _INDICES)
        if given.shape != x.shape:
            raise ArgumentError(f"topk: `indices_tensor` must have the shape of the input, {x.shape}; got {given.spec}")
    return _ordered(memory, _TOPK, x, axis, count, largest, memory_config, output_tensor, indices_tensor)


class _Argmax(NamedTuple):
    dim: int | None
    keepdim: bool
    memory_config: MemoryConfig


def _argmax_specs(attributes: _Argmax, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    dims = range(len(x.shape)) if attributes.dim is None else (attributes.dim,)
    shape = tuple(1 if i in dims else size for i, size in enumerate(x.shape) if attributes.keepdim or i not in dims)
    return (TensorSpec(shape, uint32, Layout.ROW_MAJOR, attributes.memory_config),)


def _argmax_kernel(attributes: _Argmax, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    (spec,) = _argmax_specs(attributes, specs)
    return (kernel.argmax(x, attributes.dim).reshape(spec.shape).astype(uint32.carrier),)


_ARGMAX = Operation("argmax", _argmax_specs, _argmax_kernel)


def argmax(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """The index of the largest along `dim`, of the flattened tensor if it is None: uint32, ROW_MAJOR. Exact; of equals the first.

    Raises ArgumentError for block floats, integers in TILE layout or along another than the last dimension, TILE layout
    without a `dim`, or nothing to choose from.
    """
    require_memory("argmax", memory)
    x = require_tensor("argmax", "input_tensor", input_tensor)
    require_options("argmax", memory_config=memory_config)
    require_flags("argmax", keepdim=keepdim)
    require_dtype("argmax", "input_tensor", x.spec, (bfloat16, float32, int32, uint32, uint16))
    rank = len(x.shape)
    axis = None if dim is None else normalize_dim("argmax", dim, rank or 1)
    if rank == 0:
        axis = None
    if not (math.prod(x.shape) if axis is None else x.shape[axis]):
        raise ArgumentError(f"argmax: there is nothing to choose from along dimension {axis} of {x.shape}")
    if axis is None and rank and x.layout is Layout.TILE:
        raise ArgumentError(
            f"argmax: without `dim` the input must have ROW_MAJOR layout, got {x.spec}; convert it with to_layout"
        )
    if not x.dtype.is_float and (x.layout is Layout.TILE or axis not in (None, rank - 1)):
        raise ArgumentError(
            f"argmax: integers are supported in ROW_MAJOR layout along the last dimension, got {x.spec} and dimension {axis}; "
            "typecast it to float32"
        )
    placement = (
        memory_config
        or (x if output_tensor is None else require_tensor("argmax", "output_tensor", output_tensor)).memory_config
    )
    memory, (y,) = launch(memory, _ARGMAX, (x,), _Argmax(axis, keepdim, placement), output_tensor)
    return memory, y


sort.support = Support(_SORTED)  # type: ignore[attr-defined]
topk.support = Support(_RANKED, (Layout.TILE,))  # type: ignore[attr-defined]
argmax.support = Support((bfloat16, float32, int32, uint32, uint16))  # type: ignore[attr-defined]
