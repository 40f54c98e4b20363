"""Another shape for the same values: reshape and what ttnn derives from it."""

import math
from collections.abc import Sequence
from typing import Any

from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType, bfloat8_b
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels.tilize import padded_shape as whole_tiles
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState, ShardSpec, TensorMemoryLayout
from tt_jax.ops._arguments import normalize_dim, require_integer, require_integers, require_options
from tt_jax.ops._movement import by_way_of_bfloat16, regrouped, same_view, supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.pad import with_padding_filled
from tt_jax.ops.reshape_table import table_spec
from tt_jax.program import Operation, launch, require_live, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["reshape", "reshape_on_device", "squeeze", "squeeze_from_4D", "unsqueeze", "unsqueeze_to_4D", "view"]


def _kernel(y: TensorSpec, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (regrouped(x.reshape(y.shape), y),)


def _collapsed(x: TensorSpec) -> TensorSpec:
    """`x` as the device's program sees it: a list of rows in ROW_MAJOR layout, of matrices in TILE; as it is, if cut along any dimension.

    Source: reshape.cpp (read in source).
    """
    if x.memory_config.nd_shard_spec is not None:
        return x
    kept = 2 if x.layout is Layout.TILE else 1
    last = ((1,) * kept + x.shape)[-kept:]
    return x.replace(shape=(math.prod(x.shape[:-kept]), *last))


_RESHAPE = Operation(
    "reshape",
    lambda y, specs: (y,),
    _kernel,
    resident=lambda y, specs, device: table_spec(specs[0], y, device),
    entry=lambda y, specs: (_collapsed(specs[0]),),
)


def _resolve_shape(operation: str, shape: Sequence[int], volume: int, was: tuple[int, ...]) -> tuple[int, ...]:
    shape = require_integers(operation, "shape", shape)
    if shape.count(-1) == 1:
        known = math.prod(s for s in shape if s != -1)
        if known and volume % known == 0:
            shape = tuple(volume // known if s == -1 else s for s in shape)
    if any(s < 0 for s in shape) or math.prod(shape) != volume:
        raise ArgumentError(
            f"{operation}: {was} has {volume} elements and cannot become {shape}; at most one dimension may be -1"
        )
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
    memory: MemoryState,
    input_tensor: Tensor,
    shape: Sequence[int],
    padded_shape: Sequence[int] | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    pad_value: float | None = None,
    reshape_tile_mode: Any = None,
    recreate_mapping_tensor: bool | None = None,
    skip_padding_fill: bool = False,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with another shape of the same volume; one dimension may be -1.

    A view, sharing the buffer, where the pages stay what they are: the last dimension is kept and, in TILE layout, the one
    before it is kept or both are whole tiles. Otherwise a program makes a new buffer.

    The padding of a reshaped bfloat8_b is filled, as ttnn always does; the other options say how ttnn fills other padding and when it
    makes its table of segments anew: neither is modelled, and no value depends on them. That table (`ops.reshape_table`) lies in the
    DRAM of a facade's device while the program is cached, not in a functional memory.

    Raises ArgumentError if the volumes differ, NotModelledError for a `padded_shape` that is not `shape` in whole tiles.
    """
    del pad_value, reshape_tile_mode, recreate_mapping_tensor, skip_padding_fill
    x = require_tensor("reshape", "input_tensor", input_tensor)
    wanted = _resolve_shape("reshape", shape, math.prod(x.shape), x.shape)
    _require_natural_padding(x, wanted, padded_shape)
    require_options("reshape", memory_config=memory_config)
    if _is_view(x.spec, wanted) and memory_config in (None, x.memory_config):
        return memory, same_view("reshape", memory, x, wanted)
    spec = target("reshape", x.spec, wanted, memory_config)
    if x.dtype is bfloat8_b:
        return by_way_of_bfloat16(
            memory, x, spec.memory_config, lambda m, wide: _reshape_filled(m, wide, wanted, memory_config)
        )
    memory, (y,) = launch(memory, _RESHAPE, (x,), _collapsed(spec))
    return memory, y.viewed(spec)


def _reshape_filled(
    memory: MemoryState, x: Tensor, shape: tuple[int, ...], memory_config: MemoryConfig | None
) -> tuple[MemoryState, Tensor]:
    """`x` with another shape and its tile padding filled, ready to share exponents. Source: reshape.cpp (read in source)."""
    memory, y = reshape(memory, x, shape, memory_config=memory_config)
    return with_padding_filled(memory, y)


def _rows_resized(x: TensorSpec, shape: tuple[int, ...], device: DeviceProfile) -> TensorSpec | None:
    """`x` with the rows of `shape`, where they have another length and lie in the same bytes; else None.

    Rows follow one another without gaps in a height-sharded ROW_MAJOR shard if each is whole multiples of L1's alignment.
    """
    shards = x.memory_config.shard_spec
    if not shape or not x.shape or x.shape[-1] == shape[-1] or x.layout is not Layout.ROW_MAJOR:
        return None
    if (
        shards is None
        or x.memory_config.memory_layout is not TensorMemoryLayout.HEIGHT_SHARDED
        or shards.shape[1] != x.shape[-1]
    ):
        return None
    rows, rest = divmod(math.prod(shards.shape), shape[-1])
    if rest:
        return None
    config = x.memory_config.with_shard_spec(ShardSpec(shards.grid, (rows, shape[-1]), shards.orientation))
    resized = x.replace(shape=shape, memory_config=config)
    gaps = any(spec.aligned_page_size(device) != spec.page_size for spec in (x, resized))
    return None if gaps else resized


def _require_natural_padding(x: Tensor, shape: tuple[int, ...], padded: Sequence[int] | None) -> None:
    if padded is None:
        return
    natural = whole_tiles(shape) if x.layout is Layout.TILE else shape
    if require_integers("reshape", "padded_shape", padded) != natural:
        raise NotModelledError(
            f"reshape: padded shape {tuple(padded)} is not modelled; {shape} in {x.layout.name} layout is padded to {natural}"
        )


def reshape_on_device(
    memory: MemoryState, input_tensor: Tensor, W: int, Z: int, Y: int, X: int, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with shape `(W, Z, Y, X)`; as `reshape`, one of them may be -1."""
    return reshape(memory, input_tensor, (W, Z, Y, X), memory_config=memory_config)


def view(memory: MemoryState, input_tensor: Tensor, shape: int | Sequence[int], *sizes: int) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with another shape in the same buffer; the sizes may be arguments of their own.

    A height-sharded ROW_MAJOR tensor may change the length of its rows: its shards then have as many elements in rows of the
    new length. Raises ArgumentError where `reshape` would move values.
    """
    x = require_tensor("view", "input_tensor", input_tensor)
    sequence = (shape, *sizes) if isinstance(shape, int) else shape
    wanted = _resolve_shape("view", sequence, math.prod(x.shape), x.shape)
    resized = _rows_resized(x.spec, wanted, memory.device)
    if resized is not None:
        require_live("view", memory, x)
        return memory, x.viewed(resized)
    if math.prod(wanted) and not _is_view(x.spec, wanted):
        raise ArgumentError(
            f"view: {x.spec} cannot be seen as {wanted}: the last dimension must stay and, in TILE layout, the one before it must "
            "stay or both be whole tiles; use reshape, which moves the values"
        )
    return memory, same_view("view", memory, x, wanted)


def unsqueeze(memory: MemoryState, input_tensor: Tensor, dim: int) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with a dimension of one before `dim` (negative: counted from the end of the result); as `reshape`."""
    x = require_tensor("unsqueeze", "input_tensor", input_tensor)
    dim = normalize_dim("unsqueeze", dim, len(x.shape) + 1)
    return reshape(memory, x, (*x.shape[:dim], 1, *x.shape[dim:]))


def squeeze(memory: MemoryState, input_tensor: Tensor, dim: int | Sequence[int] | None = None) -> tuple[MemoryState, Tensor]:
    """`input_tensor` without those of the dimensions `dim` (all, by default) that are one; as `reshape`."""
    x = require_tensor("squeeze", "input_tensor", input_tensor)
    rank = len(x.shape)
    if dim is None:
        chosen = set(range(rank))
    else:
        dims = require_integers("squeeze", "dim", dim) if isinstance(dim, Sequence) else (dim,)
        chosen = {normalize_dim("squeeze", d, max(rank, 1)) for d in dims}  # a tensor of rank 0 counts as one of rank 1
        if len(chosen) != len(dims):
            raise ArgumentError(f"squeeze: `dim` {tuple(dims)} names a dimension of {x.spec} twice")
    return reshape(memory, x, tuple(size for d, size in enumerate(x.shape) if size != 1 or d not in chosen))


def unsqueeze_to_4D(memory: MemoryState, tensor: Tensor) -> tuple[MemoryState, Tensor]:
    """`tensor` with leading dimensions of one, up to rank 4. Raises ArgumentError for a higher rank."""
    x = require_tensor("unsqueeze_to_4D", "tensor", tensor)
    if len(x.shape) > 4:
        raise ArgumentError(f"unsqueeze_to_4D: {x.spec} has rank {len(x.shape)} already; at most 4 is expected")
    return reshape(memory, x, (1,) * (4 - len(x.shape)) + x.shape)


def squeeze_from_4D(memory: MemoryState, tensor: Tensor, rank: int) -> tuple[MemoryState, Tensor]:
    """`tensor` of rank 4 without its leading dimensions, down to `rank`. Raises ArgumentError if one of them is not one."""
    x = require_tensor("squeeze_from_4D", "tensor", tensor)
    rank = require_integer("squeeze_from_4D", "rank", rank, 1)
    dropped = x.shape[: 4 - rank]
    if len(x.shape) != 4 or rank > 4 or any(size != 1 for size in dropped):
        raise ArgumentError(f"squeeze_from_4D: {x.spec} must have rank 4 and leading ones to become rank {rank}")
    return reshape(memory, x, x.shape[4 - rank :])


supports(Support(tuple(DataType)), reshape, reshape_on_device, view, squeeze, unsqueeze, unsqueeze_to_4D, squeeze_from_4D)
