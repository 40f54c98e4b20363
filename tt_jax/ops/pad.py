"""Padding: around a tensor, and within its last tiles."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_integers, require_tile
from tt_jax.ops._movement import by_way_of_bfloat16, movement, run, supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.creation import scalar
from tt_jax.program import Operation, launch, require_live, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["fill_implicit_tile_padding", "pad"]

Widths = tuple[tuple[int, int], ...]


def _kernel(widths: Widths, x: Array, value: Array) -> Array:
    return jnp.pad(x, widths, constant_values=value)


def _copy(how: None, x: Array) -> Array:
    return x


_PAD = movement("pad", _kernel)
_FILL_PAD = Operation("fill_pad", lambda attributes, specs: (specs[0],), lambda attributes, specs, x: (x,), in_place=0)
_COPY = movement("fill_implicit_tile_padding", _copy)


def _pairs(padding: Any, rank: int) -> Widths:
    """`padding` as (before, after) for each dimension, leading ones filled up with none."""
    pairs = []
    for entry in padding:
        pair = require_integers("pad", "padding", entry)
        if len(pair) != 2 or min(pair) < 0:
            raise ArgumentError(f"pad: each entry of `padding` must be (before, after), not negative; got {entry!r}")
        pairs.append((pair[0], pair[1]))
    if len(pairs) > rank:
        raise ArgumentError(f"pad: `padding` has {len(pairs)} entries for {rank} dimensions")
    return ((0, 0),) * (rank - len(pairs)) + tuple(pairs)


def _between(x: Tensor, shape: Any, start: Any) -> Widths:
    """The widths that place `x` at `start` in a tensor of `shape`."""
    shape, start = require_integers("pad", "output_padded_shape", shape), require_integers("pad", "input_tensor_start", start)
    if not len(shape) == len(start) == len(x.shape):
        raise ArgumentError(f"pad: output shape {shape} and start {start} must have one entry for each dimension of {x.spec}")
    widths = tuple((at, whole - at - size) for whole, at, size in zip(shape, start, x.shape, strict=True))
    if any(min(pair) < 0 for pair in widths):
        raise ArgumentError(f"pad: {x.spec} from {start} on does not fit into {shape}")
    return widths


def pad(
    memory: MemoryState,
    input_tensor: Tensor,
    padding: Sequence[Any] | None = None,
    *values: Any,
    value: float = 0.0,
    output_padded_shape: Sequence[int] | None = None,
    input_tensor_start: Sequence[int] | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with `value` around it, which widens its logical shape; the same tensor if there is nothing to add.

    Two forms: `pad(x, padding, value)`, where `padding` lists (before, after) of the last dimensions, and
    `pad(x, output_padded_shape, input_tensor_start, value)`. `value` is rounded as the host rounds it to the tensor's dtype.

    Raises ArgumentError for padding in front in TILE layout, and for negative or too many widths.
    """
    x = require_tensor("pad", "input_tensor", input_tensor)
    rest = list(values)
    if padding is not None and len(padding) and all(hasattr(entry, "__index__") for entry in padding):
        output_padded_shape, padding = padding, None
    if padding is None and input_tensor_start is None and rest:
        input_tensor_start = rest.pop(0)
    if rest:
        value = rest.pop(0)
    if rest or (padding is None) == (output_padded_shape is None) or (padding is None) != (input_tensor_start is not None):
        raise ArgumentError(
            "pad: pass either `padding` and `value`, or `output_padded_shape`, `input_tensor_start` and `value`"
        )
    rank = len(x.shape)
    widths = _between(x, output_padded_shape, input_tensor_start) if padding is None else _pairs(padding, rank)
    if x.layout is Layout.TILE and any(before for before, _ in widths):
        raise ArgumentError(f"pad: padding in front of {x.spec} is not supported in TILE layout; convert it to ROW_MAJOR")
    shape = tuple(before + size + after for (before, after), size in zip(widths, x.shape, strict=True))
    spec = target("pad", x.spec, shape, memory_config)
    require_live("pad", memory, x)
    if spec == x.spec:
        return memory, x
    return run(memory, _PAD, (x, scalar("pad", "value", value, x.dtype)), spec, widths)


def with_padding_filled(memory: MemoryState, x: Tensor) -> tuple[MemoryState, Tensor]:
    """What ttnn's programs that read tile padding do first with tiles that have some: fill it, in place; of a block float a copy.

    Block floats are cast to bfloat16, filled and cast back. Tile padding is not stored, so no value differs and none is asked for.
    Source: fill_pad.cpp (read in source); reference data, op_specs (measured: reductions of bfloat8_b).
    """
    if x.layout is not Layout.TILE or x.padded_shape[-2:] == ((1, 1) + x.shape)[-2:]:
        return memory, x
    if x.dtype.is_block_float:
        return by_way_of_bfloat16(memory, x, x.memory_config, with_padding_filled)
    memory, (y,) = launch(memory, _FILL_PAD, (x,), None)
    return memory, y


def fill_implicit_tile_padding(
    memory: MemoryState, input_tensor: Tensor, fill_value: float, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with `fill_value` in its tile padding: in its own buffer, unless it is a block float or `memory_config` is another.

    Tile padding is not stored (every operation that reads it knows what it needs), so no value differs from the input's.
    """
    x = require_tensor("fill_implicit_tile_padding", "input_tensor", input_tensor)
    require_tile("fill_implicit_tile_padding", "input_tensor", x.spec)
    scalar("fill_implicit_tile_padding", "fill_value", fill_value, x.dtype)
    spec = target("fill_implicit_tile_padding", x.spec, x.shape, memory_config)
    require_live("fill_implicit_tile_padding", memory, x)
    if spec == x.spec:
        return with_padding_filled(memory, x)
    return run(memory, _COPY, (x,), spec)


supports(Support(tuple(DataType)), pad)
supports(Support(tuple(DataType), (Layout.TILE,)), fill_implicit_tile_padding)
