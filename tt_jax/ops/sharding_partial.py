"""Slices of a tensor's rows to and from shards, for tensors too large to be sharded whole."""

from typing import Any, NamedTuple

from jax import Array

from tt_jax.cores import CoreCoord, CoreRangeSet
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels.convert import convert
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState, ShardOrientation, TensorMemoryLayout
from tt_jax.ops._arguments import require_integer, require_options
from tt_jax.ops.sharding import refuse_to_interleaved, refuse_to_sharded, require_possible, rows_of, shards_on_grid
from tt_jax.program import Operation, launch, require_live, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["interleaved_to_sharded_partial", "sharded_to_interleaved_partial"]


class _Slice(NamedTuple):
    """Which of several slices of the rows is meant, and what the result is."""

    slices: int
    chosen: int
    spec: TensorSpec


def _take_slice(attributes: _Slice, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    height = rows_of(x.shape) // attributes.slices
    rows = x.reshape(-1, x.shape[-1])[attributes.chosen * height : (attributes.chosen + 1) * height]
    taken = convert(rows, specs[0].dtype.kernel_name, attributes.spec.dtype.kernel_name)
    return (taken.reshape(attributes.spec.shape),)


def _put_slice(attributes: _Slice, specs: tuple[TensorSpec, TensorSpec], x: Array, cache: Array) -> tuple[Array]:
    height = rows_of(cache.shape) // attributes.slices
    rows = convert(x, specs[0].dtype.kernel_name, specs[1].dtype.kernel_name).reshape(height, x.shape[-1])
    start = attributes.chosen * height
    return (cache.reshape(-1, cache.shape[-1]).at[start : start + height].set(rows).reshape(cache.shape),)


def _target(attributes: _Slice, specs: Any) -> tuple[TensorSpec, ...]:
    return (attributes.spec,)


_TO_SHARDED_PARTIAL = Operation("interleaved_to_sharded_partial", _target, _take_slice)
_TO_INTERLEAVED_PARTIAL = Operation("sharded_to_interleaved_partial", _target, _put_slice, in_place=1)


def _require_slice(operation: str, count: Any, index: Any, spec: TensorSpec) -> tuple[int, int, int]:
    """The number of slices, the index of one and its height in rows of `spec`, the tensor that is sliced."""
    count = require_integer(operation, "num_slices", count, least=1)
    index = require_integer(operation, "slice_index", index, least=0)
    if index >= count:
        raise ArgumentError(f"{operation}: `slice_index` {index} is out of range for {count} slices")
    if spec.layout is not Layout.TILE:
        raise ArgumentError(f"{operation}: the tensor must have TILE layout, got {spec}; convert it with to_layout")
    height = rows_of(spec.padded_shape)
    if height % count:
        raise ArgumentError(f"{operation}: {height} rows ({spec}) do not divide into {count} slices")
    if height != rows_of(spec.shape):
        raise NotModelledError(f"{operation}: {spec} has padded rows, which slices would contain; pad it to whole tiles first")
    return count, index, height // count


def interleaved_to_sharded_partial(
    memory: MemoryState,
    input_tensor: Tensor,
    grid: CoreCoord | CoreRangeSet,
    shard_shape: tuple[int, int] | list[int],
    num_slices: int,
    slice_index: int,
    shard_scheme: TensorMemoryLayout,
    shard_orientation: ShardOrientation,
    *,
    output_dtype: DataType | None = None,
) -> tuple[MemoryState, Tensor]:
    """One of `num_slices` equal slices of the rows of an interleaved tensor `[a, b, h, w]`, in shards: `[1, 1, rows, w]`.

    Raises ArgumentError for an input that is not interleaved, TILE and of rank 4, rows that do not divide into the slices, or
    shards that do not fit; NotModelledError for a height that is not whole tiles.
    """
    name = "interleaved_to_sharded_partial"
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, dtype=output_dtype)
    require_live(name, memory, x)
    count, index, height = _require_slice(name, num_slices, slice_index, x.spec)
    if len(x.shape) != 4:
        raise ArgumentError(f"{name}: the tensor must have rank 4, got {x.spec}")
    config = shards_on_grid(name, grid, shard_shape, shard_scheme, shard_orientation, height, x.padded_shape[-1])
    target = x.spec.replace(shape=(1, 1, height, x.shape[-1]), memory_config=config, dtype=output_dtype or x.dtype)
    require_possible(name, refuse_to_sharded(x.spec, target))
    memory, (y,) = launch(memory, _TO_SHARDED_PARTIAL, (x,), _Slice(count, index, target))
    return memory, y


def sharded_to_interleaved_partial(
    memory: MemoryState,
    input_tensor: Tensor,
    cache_tensor: Tensor,
    num_slices: int,
    slice_index: int,
    *,
    memory_config: MemoryConfig | None = None,
    output_dtype: DataType | None = None,
) -> tuple[MemoryState, Tensor]:
    """`cache_tensor` with one of `num_slices` equal slices of its rows replaced by a sharded tensor; it keeps its buffer.

    `memory_config` and `output_dtype`, if given, are those of `cache_tensor`.

    Raises ArgumentError for an input that is not sharded in L1, layouts other than TILE, or rows that do not divide into the
    slices or are not the input's; NotModelledError for a height that is not whole tiles.
    """
    name = "sharded_to_interleaved_partial"
    require_memory(name, memory)
    x, cache = require_tensor(name, "input_tensor", input_tensor), require_tensor(name, "cache_tensor", cache_tensor)
    require_options(name, memory_config=memory_config, dtype=output_dtype)
    require_live(name, memory, x)
    require_live(name, memory, cache, 1)
    count, index, height = _require_slice(name, num_slices, slice_index, cache.spec)
    if not x.memory_config.is_sharded():
        raise ArgumentError(f"{name}: `input_tensor` must be sharded, got {x.spec}; use interleaved_to_sharded")
    if memory_config not in (None, cache.memory_config) or output_dtype not in (None, cache.dtype):
        raise ArgumentError(
            f"{name}: the result is `cache_tensor` ({cache.spec}): `memory_config` and `output_dtype` must be its own"
        )
    if (rows_of(x.padded_shape), x.shape[-1]) != (height, cache.shape[-1]) or rows_of(x.shape) != height:
        raise ArgumentError(
            f"{name}: a slice of {cache.spec} has {height} rows of {cache.shape[-1]}, `input_tensor` is {x.spec}"
        )
    require_possible(name, refuse_to_interleaved(x.spec, cache.spec))
    memory, (y,) = launch(memory, _TO_INTERLEAVED_PARTIAL, (x, cache), _Slice(count, index, cache.spec))
    return memory, y
