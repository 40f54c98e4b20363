"""Caches of keys and values, written in place: the result has the cache's buffer, and the cache passed is not to be used after that."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import FLOATS
from tt_jax.errors import ArgumentError
from tt_jax.kernels import kv_cache as kernel
from tt_jax.kernels import packer
from tt_jax.layout import Layout
from tt_jax.memory import MemoryState
from tt_jax.ops._arguments import require_dtype, require_integer, require_options, require_rank, require_tile
from tt_jax.ops._support import Support
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["fill_cache", "fill_cache_for_user_", "update_cache", "update_cache_for_token_"]


def require_cache(name: str, cache: TensorSpec, values: TensorSpec) -> None:
    """Raise ArgumentError unless cache and values are float tiles of four dimensions and one head size."""
    for argument, spec in (("cache", cache), ("input", values)):
        require_rank(name, argument, spec, 4, "[batch, heads, sequence, head_size]")
        require_dtype(name, argument, spec, FLOATS)
    require_tile(name, "cache", cache)
    if cache.shape[3] != values.shape[3]:
        raise ArgumentError(f"{name}: `cache` {cache.shape} and `input` {values.shape} must have one head size")


def packed(values: Array, given: TensorSpec, cache: TensorSpec) -> Array:
    """`values` of dtype `given` in the dtype of the cache, as the packer stores them."""
    dtype: Any = cache.dtype.kernel_name
    return values if given.dtype is cache.dtype else packer.pack(values, dtype)


def _fill_specs(attributes: None, specs: tuple[Any, ...]) -> tuple[TensorSpec]:
    cache, values = specs[:2]
    require_cache("fill_cache", cache, values)
    require_tile("fill_cache", "input", values)
    if values.shape[0] != 1 or values.shape[1] != cache.shape[1] or values.shape[2] > cache.shape[2]:
        raise ArgumentError(
            f"fill_cache: `input` must have shape [1, {cache.shape[1]}, at most {cache.shape[2]}, {cache.shape[3]}] for a cache "
            f"{cache.shape}; got {values.shape}"
        )
    if values.dtype is not cache.dtype:
        raise ArgumentError(f"fill_cache: `input` ({values}) must have the dtype of the cache ({cache}); typecast it")
    return (cache,)


def _fill_kernel(attributes: None, specs: tuple[Any, ...], cache: Array, values: Array, user: Array) -> tuple[Array]:
    return (kernel.fill(cache, values, user),)


def _update_specs(attributes: int, specs: tuple[Any, ...]) -> tuple[TensorSpec]:
    cache, values = specs[:2]
    require_cache("update_cache", cache, values)
    require_tile("update_cache", "input", values)
    batch, heads = cache.shape[:2]
    if values.shape[0] != 1 or values.shape[1] != heads or values.padded_shape[2] < attributes + batch:
        raise ArgumentError(
            f"update_cache: `input` must have shape [1, {heads}, users, {cache.shape[3]}] with a row for each of the {batch} users of "
            f"`cache`, from row {attributes} (`batch_offset`) on; got {values.shape}"
        )
    if batch > values.shape[2] - attributes:
        raise ArgumentError(
            f"update_cache: `input` {values.shape} has fewer rows than `cache` {cache.shape} users, from {attributes} on"
        )
    return (cache,)


def _update_kernel(attributes: int, specs: tuple[Any, ...], cache: Array, values: Array, position: Array) -> tuple[Array]:
    batch = cache.shape[0]
    rows = values[0].swapaxes(0, 1)[attributes : attributes + batch]
    return (kernel.update(cache, packed(rows, specs[1], specs[0]), jnp.full((batch,), position, jnp.int32)),)


_FILL = Operation("fill_cache", _fill_specs, _fill_kernel, in_place=0, reads_part=True)
_UPDATE = Operation("update_cache", _update_specs, _update_kernel, in_place=0, reads_part=True)


def fill_cache(memory: MemoryState, cache_tensor: Tensor, input_tensor: Tensor, batch_idx: int) -> tuple[MemoryState, Tensor]:
    """`cache_tensor` `[b, heads, t, d]` with `input_tensor` `[1, heads, s, d]` in the first `s` rows of entry `batch_idx`, in place.

    Raises ArgumentError if shapes or dtypes do not fit, or there is no such entry.
    """
    return _fill("fill_cache", memory, cache_tensor, input_tensor, batch_idx, "batch_idx")


def _fill(
    name: str, memory: MemoryState, cache: Tensor, values: Tensor, user: int, argument: str
) -> tuple[MemoryState, Tensor]:
    require_memory(name, memory)
    cache, values = require_tensor(name, "cache", cache), require_tensor(name, "input", values)
    index = require_integer(name, argument, user, least=0)
    if cache.shape and index >= cache.shape[0]:
        raise ArgumentError(f"{name}: `{argument}` {index} is beyond the {cache.shape[0]} entries of the cache")
    inputs: list[Any] = [cache, values, np.asarray(index, np.int32)]
    memory, (y,) = launch(memory, _FILL, inputs, None)
    return memory, y


def _update(
    name: str,
    memory: MemoryState,
    cache: Tensor,
    values: Tensor,
    position: int,
    argument: str,
    batch_offset: int,
    compute_kernel_config: ComputeKernelConfig | None,
) -> tuple[MemoryState, Tensor]:
    require_memory(name, memory)
    cache, values = require_tensor(name, "cache", cache), require_tensor(name, "input", values)
    require_options(name, compute_kernel_config=compute_kernel_config)
    index = require_integer(name, argument, position, least=0)
    offset = require_integer(name, "batch_offset", batch_offset, least=0)
    if len(cache.shape) == 4 and index >= cache.shape[2]:
        raise ArgumentError(f"{name}: `{argument}` {index} is beyond the {cache.shape[2]} rows of the cache")
    inputs: list[Any] = [cache, values, np.asarray(index, np.int32)]
    memory, (y,) = launch(memory, _UPDATE, inputs, offset)
    return memory, y


def update_cache(
    memory: MemoryState,
    cache: Tensor,
    input: Tensor,
    update_idx: int,
    *,
    batch_offset: int = 0,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`cache` `[b, heads, t, d]` with one token of each user, `input` `[1, heads, users, d]`, in row `update_idx`, in place.

    Rows `batch_offset` to `batch_offset + b` of `input` are the users'. Values are packed in the dtype of the cache.
    Raises ArgumentError if shapes or dtypes do not fit, or there is no such row.
    """
    return _update("update_cache", memory, cache, input, update_idx, "update_idx", batch_offset, compute_kernel_config)


def fill_cache_for_user_(memory: MemoryState, cache: Tensor, input: Tensor, batch_index: int) -> tuple[MemoryState, Tensor]:
    """`fill_cache` under its name in `ttnn.kv_cache`."""
    return _fill("fill_cache_for_user_", memory, cache, input, batch_index, "batch_index")


def update_cache_for_token_(
    memory: MemoryState,
    cache: Tensor,
    input: Tensor,
    update_index: int,
    batch_offset: int = 0,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`update_cache` under its name in `ttnn.kv_cache`."""
    return _update(
        "update_cache_for_token_", memory, cache, input, update_index, "update_index", batch_offset, compute_kernel_config
    )


_NOTE = "in place; values packed in the dtype of the cache"
fill_cache.support = fill_cache_for_user_.support = Support(FLOATS, (Layout.TILE,), "in place")  # type: ignore[attr-defined]
update_cache.support = update_cache_for_token_.support = Support(FLOATS, (Layout.TILE,), _NOTE)  # type: ignore[attr-defined]
