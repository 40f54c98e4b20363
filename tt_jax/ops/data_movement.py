"""Reshape, permute and transpose."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import bfloat8_b, bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.kernels import block_float
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import normalize_dim, require_integers, require_options
from tt_jax.ops.creation import deallocate
from tt_jax.ops.layout import typecast
from tt_jax.program import Operation, active_cache, launch, require_live, require_tensor
from tt_jax.tensor import Tensor, TensorSpec


class _Reshape(NamedTuple):
    spec: TensorSpec


class _Permute(NamedTuple):
    dims: tuple[int, ...]
    memory_config: MemoryConfig


def regrouped(x: Array, spec: TensorSpec) -> Array:
    """Moved values of `spec`'s dtype, packed anew by the device if they share exponents: groups follow the last axis."""
    return block_float.quantize(x, spec.dtype.kernel_name, "device") if spec.dtype.is_block_float else x  # type: ignore[arg-type]


def _reshape_kernel(attributes: _Reshape, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (regrouped(x.reshape(attributes.spec.shape), attributes.spec),)


def _permute_specs(attributes: _Permute, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    return (TensorSpec(tuple(x.shape[d] for d in attributes.dims), x.dtype, x.layout, attributes.memory_config),)


def _permute_kernel(attributes: _Permute, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    y = x.transpose(attributes.dims)
    return (y if attributes.dims[-1] == len(attributes.dims) - 1 else regrouped(y, specs[0]),)


_RESHAPE = Operation("reshape", lambda attributes, specs: (attributes.spec,), _reshape_kernel)
_PERMUTE = Operation("permute", _permute_specs, _permute_kernel)


def _resolve_shape(shape: Sequence[int], volume: int, was: tuple[int, ...]) -> tuple[int, ...]:
    shape = require_integers("reshape", "shape", shape)
    if shape.count(-1) == 1:
        known = math.prod(s for s in shape if s != -1)
        if known and volume % known == 0:
            shape = tuple(volume // known if s == -1 else s for s in shape)
    if any(s < 0 for s in shape) or math.prod(shape) != volume:
        raise ArgumentError(f"reshape: {was} has {volume} elements and cannot become {shape}; at most one dimension may be -1")
    return shape


def _is_view(x: TensorSpec, shape: tuple[int, ...]) -> bool:
    """Whether the pages of `x` are those of `shape` too. Source: reference data, op_specs and mha_traces (measured)."""
    if not shape or not x.shape or x.shape[-1] != shape[-1]:
        return x.shape == shape
    if x.layout is Layout.ROW_MAJOR:
        return True
    height, was = (shape[-2] if len(shape) > 1 else 1), (x.shape[-2] if len(x.shape) > 1 else 1)
    return height == was or (height % TILE_SIZE == 0 and was % TILE_SIZE == 0)


def reshape(
    memory: MemoryState, tensor: Tensor, shape: Sequence[int], *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`tensor` with another shape of the same volume; one dimension may be -1.

    A view, sharing the buffer, where the pages stay what they are: the last dimension is kept and, in TILE layout, the one
    before it is kept or both are whole tiles. Otherwise a program makes a new buffer.

    Raises ArgumentError if the volumes differ.
    """
    x = require_tensor("reshape", "tensor", tensor)
    require_options("reshape", memory_config=memory_config)
    target = _resolve_shape(shape, math.prod(x.shape), x.shape)
    spec = x.spec.replace(shape=target, memory_config=memory_config or x.memory_config)
    if _is_view(x.spec, target) and spec.memory_config == x.memory_config:
        require_live("reshape", memory, x)
        return memory, Tensor(_reshaped(x, target), spec, x.buffer)
    if x.dtype is bfloat8_b:
        return _by_way_of_bfloat16(
            memory, x, spec.memory_config, lambda m, wide: reshape(m, wide, target, memory_config=memory_config)
        )
    memory, (y,) = launch(memory, _RESHAPE, (x,), _Reshape(spec))
    return memory, y


def _by_way_of_bfloat16(
    memory: MemoryState, x: Tensor, placement: MemoryConfig, move: Callable[[MemoryState, Tensor], tuple[MemoryState, Tensor]]
) -> tuple[MemoryState, Tensor]:
    """What the device does where groups of a bfloat8_b come apart: cast, move, cast back. Source: op_specs (measured)."""
    with active_cache().all_or_nothing():
        memory, wide = typecast(memory, x, bfloat16)
        memory, moved = move(memory, wide)
        memory, y = typecast(memory, moved, x.dtype, memory_config=placement)
    return deallocate(memory, wide, moved), y


def _reshaped(x: Tensor, shape: tuple[int, ...]) -> Array:
    if isinstance(x.array, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(shape, x.array.dtype)  # type: ignore[return-value]
    return jnp.reshape(x.array, shape)


def permute(
    memory: MemoryState, tensor: Tensor, dims: Sequence[int], *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`tensor` with its dimensions in the order `dims`; the same tensor if that is the order it has.

    A block float whose groups change is packed anew: at once if only the last two dimensions are exchanged, else a bfloat8_b goes
    by way of bfloat16. Raises ArgumentError unless `dims` names every dimension once.
    """
    x = require_tensor("permute", "tensor", tensor)
    require_options("permute", memory_config=memory_config)
    rank = len(x.shape)
    order = tuple(normalize_dim("permute", d, rank, "dims") for d in require_integers("permute", "dims", dims))
    if sorted(order) != list(range(rank)):
        raise ArgumentError(f"permute: dims {tuple(dims)} must name each of the {rank} dimensions of {x.shape} once")
    memory_config = memory_config or x.memory_config
    if order == tuple(range(rank)) and memory_config == x.memory_config:
        require_live("permute", memory, x)
        return memory, x
    if x.dtype is bfloat8_b and order[:-2] != tuple(range(rank - 2)):
        placement = memory_config
        return _by_way_of_bfloat16(memory, x, placement, lambda m, wide: permute(m, wide, order, memory_config=placement))
    memory, (y,) = launch(memory, _PERMUTE, (x,), _Permute(order, memory_config))
    return memory, y


def transpose(
    memory: MemoryState, tensor: Tensor, dim1: int, dim2: int, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`tensor` with two dimensions exchanged; as `permute`."""
    x = require_tensor("transpose", "tensor", tensor)
    rank = len(x.shape)
    order = list(range(rank))
    a, b = normalize_dim("transpose", dim1, rank, "dim1"), normalize_dim("transpose", dim2, rank, "dim2")
    order[a], order[b] = b, a
    return permute(memory, x, order, memory_config=memory_config)
