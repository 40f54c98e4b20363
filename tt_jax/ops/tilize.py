"""Tilize and untilize by their own names; `to_layout` is the one that decides by itself."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import DataType, bfloat16
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels.tilize import padded_shape
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_integers, require_options, require_tile
from tt_jax.ops._movement import movement, run, supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.creation import scalar
from tt_jax.ops.layout import tilized, untilized
from tt_jax.program import require_tensor
from tt_jax.tensor import Tensor

__all__ = ["tilize", "tilize_with_val_padding", "tilize_with_zero_padding", "untilize", "untilize_with_unpadding"]


def _tilized(
    operation: str, memory: MemoryState, x: Tensor, memory_config: MemoryConfig | None, dtype: DataType | None
) -> tuple[MemoryState, Tensor]:
    x = require_tensor(operation, "input_tensor", x)
    require_options(operation, memory_config=memory_config, dtype=dtype)
    if x.layout is not Layout.ROW_MAJOR:
        raise ArgumentError(f"{operation}: `input_tensor` must have ROW_MAJOR layout, got {x.spec}")
    if dtype is not None and dtype is not x.dtype and not (x.dtype.is_float and dtype.is_float):
        raise ArgumentError(f"{operation}: {x.spec} cannot become {dtype.kernel_name} on the way; use typecast")
    return tilized(memory, x, dtype, memory_config)


def tilize(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, dtype: DataType | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor`, ROW_MAJOR and of whole tiles, in TILE layout; a float may become another float on the way.

    Raises ArgumentError for another layout, a shape that is not whole tiles, or another cast.
    """
    x = require_tensor("tilize", "input_tensor", input_tensor)
    if len(x.shape) < 2 or x.shape[-1] % TILE_SIZE or x.shape[-2] % TILE_SIZE:
        raise ArgumentError(f"tilize: {x.spec} is not whole tiles; use tilize_with_zero_padding or to_layout")
    return _tilized("tilize", memory, x, memory_config, dtype)


def tilize_with_val_padding(
    memory: MemoryState,
    input_tensor: Tensor,
    output_tensor_shape: Sequence[int],
    pad_value: float,
    *,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` in TILE layout, its logical shape kept, padded to `output_tensor_shape`.

    Tile padding is not stored, so `pad_value` is checked and changes nothing. Raises ArgumentError as `tilize`, and
    NotModelledError for more padding than to whole tiles.
    """
    x = require_tensor("tilize_with_val_padding", "input_tensor", input_tensor)
    scalar("tilize_with_val_padding", "pad_value", pad_value, bfloat16)
    shape = require_integers("tilize_with_val_padding", "output_tensor_shape", output_tensor_shape)
    if shape != padded_shape(x.shape):
        raise NotModelledError(
            f"tilize_with_val_padding: padding {x.spec} to {shape} is not modelled; {padded_shape(x.shape)} is whole tiles"
        )
    return _tilized("tilize_with_val_padding", memory, x, memory_config, dtype)


def tilize_with_zero_padding(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    memory_config: MemoryConfig | None = None,
    output_dtype: DataType | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` in TILE layout, padded to whole tiles; a float may become another float on the way."""
    return _tilized("tilize_with_zero_padding", memory, input_tensor, memory_config, output_dtype)


def untilize(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` in ROW_MAJOR layout, a block float as bfloat16.

    Tile padding is dropped, where ttnn's own keeps it in memory beside the logical shape.
    """
    x = require_tensor("untilize", "input_tensor", input_tensor)
    require_options("untilize", memory_config=memory_config)
    require_tile("untilize", "input_tensor", x.spec)
    return untilized(memory, x, memory_config)


def _cut(shape: tuple[int, ...], x: Array) -> Array:
    padded = jnp.pad(x, [(0, max(0, size - was)) for size, was in zip(shape, x.shape, strict=True)])
    return padded[tuple(slice(size) for size in shape)]


_UNTILIZE_WITH_UNPADDING = movement("untilize_with_unpadding", _cut, reads_part=True)


def untilize_with_unpadding(
    memory: MemoryState, input_tensor: Tensor, output_tensor_end: Sequence[int], *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` in ROW_MAJOR layout, from the origin to `output_tensor_end` (inclusive); a block float as bfloat16.

    What it takes from tile padding is zero. Raises ArgumentError for an end outside of the padded shape.
    """
    x = require_tensor("untilize_with_unpadding", "input_tensor", input_tensor)
    end = require_integers("untilize_with_unpadding", "output_tensor_end", output_tensor_end)
    limits = x.padded_shape if len(x.shape) > 1 else x.padded_shape[2 - len(x.shape) :]
    if len(end) != len(x.shape) or any(not 0 <= e < limit for e, limit in zip(end, limits, strict=True)):
        raise ArgumentError(f"untilize_with_unpadding: end {end} does not lie within the padded shape {limits} of {x.spec}")
    dtype = bfloat16 if x.dtype.is_block_float else x.dtype
    shape = tuple(e + 1 for e in end)
    spec = target("untilize_with_unpadding", x.spec, shape, memory_config, dtype=dtype, layout=Layout.ROW_MAJOR)
    return run(memory, _UNTILIZE_WITH_UNPADDING, (x,), spec, shape)


supports(Support(tuple(DataType), (Layout.ROW_MAJOR,)), tilize, tilize_with_val_padding, tilize_with_zero_padding)
supports(Support(tuple(DataType), (Layout.TILE,)), untilize, untilize_with_unpadding)
