"""Caches whose rows are found by a position for each user, and by a table of blocks (`ttnn.experimental.paged_*`); in place."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import FLOATS, int32, uint32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import kv_cache as kernel
from tt_jax.memory import MemoryState
from tt_jax.ops._arguments import require_dtype, require_integer, require_integers, require_options
from tt_jax.ops._support import Support
from tt_jax.ops.kv_cache import packed, require_cache
from tt_jax.program import Operation, active_cache, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["paged_fill_cache", "paged_fused_update_cache", "paged_update_cache"]


class _Paged(NamedTuple):
    name: str
    paged: bool
    shared: bool


def _require_table(name: str, argument: str, spec: TensorSpec, rank: int, rows: int | None = None) -> None:
    require_dtype(name, argument, spec, (int32, uint32))
    if len(spec.shape) != rank or (rows is not None and spec.shape[0] != rows):
        expected = "users" if rows is None else str(rows)
        raise ArgumentError(f"{name}: `{argument}` must have shape [{expected}{', blocks' if rank == 2 else ''}]; got {spec}")


def _update_specs(attributes: _Paged, specs: tuple[Any, ...]) -> tuple[TensorSpec]:
    name, (cache, values, positions, *table) = attributes.name, specs
    require_cache(name, cache, values)
    users = values.shape[1]
    if values.shape[0] != 1 or values.padded_shape[2] < cache.shape[1]:
        raise ArgumentError(
            f"{name}: `input_tensor` must have shape [1, users, {cache.shape[1]} heads or more, {cache.shape[3]}]; got {values}"
        )
    if positions is not None:
        _require_table(name, "update_idxs_tensor", positions, 1, users)
    if table:
        _require_table(name, "page_table", table[0], 2, users)
    elif attributes.shared:
        if cache.shape[0] != 1:
            raise ArgumentError(f"{name}: a shared cache has one entry; got {cache}")
    elif cache.shape[0] != users:
        raise ArgumentError(f"{name}: `cache_tensor` {cache.shape} must have an entry for each of {users} users")
    return (cache,)


def _update_kernel(
    attributes: _Paged, specs: tuple[Any, ...], cache: Array, values: Array, positions: Array, *table: Array
) -> tuple[Array]:
    rows = packed(values[0, :, : cache.shape[1]], specs[1], specs[0])
    at = positions.astype(jnp.int32)
    if table:
        return (kernel.update_pages(cache, rows, at, table[0].astype(jnp.int32)),)
    return (kernel.update(cache, rows, at, attributes.shared),)


def _fill_specs(attributes: str, specs: tuple[Any, ...]) -> tuple[TensorSpec]:
    name, (cache, values, table, users) = attributes, specs
    require_cache(name, cache, values)
    _require_table(name, "page_table", table, 2)
    if users is not None:
        _require_table(name, "batch_idx_tensor", users, 1, values.shape[0])
    elif values.shape[0] != 1:
        raise ArgumentError(f"{name}: `input_tensor` {values.shape} of several sequences needs `batch_idx_tensor`")
    if values.shape[1] != cache.shape[1] or values.dtype is not cache.dtype:
        raise ArgumentError(f"{name}: `input_tensor` ({values}) must have the heads and the dtype of the cache ({cache})")
    length = table.shape[1] * cache.shape[2]
    if values.shape[2] > length:
        raise ArgumentError(
            f"{name}: `input_tensor` has {values.shape[2]} rows, but a row of `page_table` has blocks for {length}"
        )
    return (cache,)


def _fill_kernel(
    attributes: str, specs: tuple[Any, ...], cache: Array, values: Array, table: Array, users: Array
) -> tuple[Array]:
    return (kernel.fill_pages(cache, values, table.astype(jnp.int32), users.astype(jnp.int32).reshape(-1)),)


_UPDATE = Operation("paged_update_cache", _update_specs, _update_kernel, in_place=0, reads_part=True)
_FILL = Operation("paged_fill_cache", _fill_specs, _fill_kernel, in_place=0, reads_part=True)


def _require_plain(name: str, **options: object) -> None:
    """Raise NotModelledError for an option that reads the cache in another geometry."""
    for argument, value in options.items():
        if value is not None:
            raise NotModelledError(f"{name}: `{argument}` is not modelled; leave it out")


def paged_update_cache(
    memory: MemoryState,
    cache_tensor: Tensor,
    input_tensor: Tensor,
    *,
    update_idxs: Sequence[int] = (),
    update_idxs_tensor: Tensor | None = None,
    share_cache: bool | None = None,
    page_table: Tensor | None = None,
    batch_offset: int = 0,
    compute_kernel_config: ComputeKernelConfig | None = None,
    mesh_coords: Any = None,
    block_size: int | None = None,
    num_kv_heads: int | None = None,
    cache_position_modulo: int | None = None,
) -> tuple[MemoryState, Tensor]:
    """One token of each user, `input_tensor` `[1, users, heads, d]`, written in place at each user's position; -1 writes nothing.

    Args:
        cache_tensor: `[users, heads, t, d]`; `[1, heads, t, d]` with `share_cache`; blocks `[n, heads, size, d]` with `page_table`.
        update_idxs, update_idxs_tensor: the positions, a list or an int32 tensor `[users]`.
        page_table: `[users, blocks]` of int32: the blocks of each user in order.

    Raises:
        ArgumentError: shapes or dtypes do not fit, or a position in the list is out of range.
        NotModelledError: a batch offset, or another geometry of the cache.
    """
    name = "paged_update_cache"
    require_memory(name, memory)
    cache, values = require_tensor(name, "cache_tensor", cache_tensor), require_tensor(name, "input_tensor", input_tensor)
    require_options(name, compute_kernel_config=compute_kernel_config)
    offset = require_integer(name, "batch_offset", batch_offset, least=0)
    _require_plain(
        name,
        batch_offset=offset or None,
        block_size=block_size,
        num_kv_heads=num_kv_heads,
        cache_position_modulo=cache_position_modulo,
    )
    del mesh_coords  # one device: every coordinate is its
    listed = require_integers(name, "update_idxs", update_idxs)
    if (update_idxs_tensor is None) is not bool(listed):
        raise ArgumentError(f"{name}: pass either `update_idxs` or `update_idxs_tensor`: a position for each user")
    inputs: list[Any] = [cache, values]
    if update_idxs_tensor is not None:
        inputs.append(require_tensor(name, "update_idxs_tensor", update_idxs_tensor))
    else:
        inputs.append(_positions(name, listed, cache, values, page_table))
    if page_table is not None:
        inputs.append(require_tensor(name, "page_table", page_table))
    memory, (y,) = launch(memory, _UPDATE, inputs, _Paged(name, page_table is not None, bool(share_cache)))
    return memory, y


def _positions(name: str, listed: tuple[int, ...], cache: Tensor, values: Tensor, page_table: Tensor | None) -> np.ndarray:
    users = values.shape[1] if len(values.shape) == 4 else 0
    length = cache.shape[2] if len(cache.shape) == 4 else 0
    if page_table is not None and len(page_table.shape) == 2:
        length *= page_table.shape[1]
    if len(listed) != users or not all(-1 <= position < length for position in listed):
        raise ArgumentError(f"{name}: `update_idxs` must list {users} positions from -1 to {length - 1}; got {list(listed)}")
    return np.asarray(listed, np.int32)


def paged_fused_update_cache(
    memory: MemoryState,
    cache_tensor1: Tensor,
    input_tensor1: Tensor,
    cache_tensor2: Tensor,
    input_tensor2: Tensor,
    *,
    update_idxs: Sequence[int] = (),
    update_idxs_tensor: Tensor | None = None,
    share_cache: bool | None = None,
    page_table: Tensor | None = None,
    batch_offset: int = 0,
    compute_kernel_config: ComputeKernelConfig | None = None,
    mesh_coords: Any = None,
) -> tuple[MemoryState, tuple[Tensor, Tensor]]:
    """`paged_update_cache` of two caches. Here two programs do it, where the device has one."""
    options: dict[str, Any] = {
        "update_idxs": update_idxs,
        "update_idxs_tensor": update_idxs_tensor,
        "share_cache": share_cache,
        "page_table": page_table,
        "batch_offset": batch_offset,
        "compute_kernel_config": compute_kernel_config,
        "mesh_coords": mesh_coords,
    }
    with active_cache().all_or_nothing():
        memory, first = paged_update_cache(memory, cache_tensor1, input_tensor1, **options)
        memory, second = paged_update_cache(memory, cache_tensor2, input_tensor2, **options)
    return memory, (first, second)


def paged_fill_cache(
    memory: MemoryState,
    cache_tensor: Tensor,
    input_tensor: Tensor,
    page_table: Tensor,
    *,
    batch_idx_tensor: Tensor | None = None,
    batch_idx: int = 0,
    compute_kernel_config: ComputeKernelConfig | None = None,
    mesh_coords: Any = None,
    block_size: int | None = None,
    cache_position_modulo: int | None = None,
) -> tuple[MemoryState, Tensor]:
    """A whole sequence `[1, heads, s, d]` written in place into blocks `[n, heads, size, d]`.

    Args:
        page_table: `[users, blocks]` of int32: the blocks of each user in order; blocks marked -1 are not written.
        batch_idx: the user whose sequence it is.
        batch_idx_tensor: the users `[b]` (int32) of as many sequences `[b, heads, s, d]`.

    Raises ArgumentError if shapes or dtypes do not fit; NotModelledError for another geometry of the cache.
    """
    name = "paged_fill_cache"
    require_memory(name, memory)
    cache, values = require_tensor(name, "cache_tensor", cache_tensor), require_tensor(name, "input_tensor", input_tensor)
    table = require_tensor(name, "page_table", page_table)
    require_options(name, compute_kernel_config=compute_kernel_config)
    _require_plain(name, block_size=block_size, cache_position_modulo=cache_position_modulo)
    del mesh_coords  # one device: every coordinate is its
    users: Any
    if batch_idx_tensor is not None:
        users = require_tensor(name, "batch_idx_tensor", batch_idx_tensor)
    else:
        index = require_integer(name, "batch_idx", batch_idx, least=0)
        if table.shape and index >= table.shape[0]:
            raise ArgumentError(f"{name}: `batch_idx` {index} is beyond the {table.shape[0]} rows of `page_table`")
        users = np.asarray([index], np.int32)
    memory, (y,) = launch(memory, _FILL, (cache, values, table, users), name)
    return memory, y


_SUPPORT = Support(FLOATS, note="in place; values packed in the dtype of the cache")
paged_update_cache.support = paged_fused_update_cache.support = paged_fill_cache.support = _SUPPORT  # type: ignore[attr-defined]
