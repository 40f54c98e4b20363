"""Permute and transpose."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType, bfloat8_b
from tt_jax.errors import ArgumentError
from tt_jax.footprint import Footprint
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import normalize_dim, require_integers, require_options
from tt_jax.ops._movement import by_way_of_bfloat16, placed, regrouped, supports
from tt_jax.ops._movement_footprint import permute_footprint
from tt_jax.ops._support import Support
from tt_jax.program import Operation, launch, require_live, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["permute", "transpose"]


class _Permute(NamedTuple):
    dims: tuple[int, ...]
    memory_config: MemoryConfig


def _specs(attributes: _Permute, specs: Any) -> tuple[TensorSpec]:
    (x,) = specs
    return (x.replace(shape=tuple(x.shape[d] for d in attributes.dims), memory_config=attributes.memory_config),)


def _kernel(attributes: _Permute, specs: Any, x: Array) -> tuple[Array]:
    dims = attributes.dims
    if len(set(dims)) < len(dims):
        nothing = jnp.nan if specs[0].dtype.is_float else jnp.iinfo(x.dtype).max
        return (jnp.full(tuple(x.shape[d] for d in dims), nothing, x.dtype),)
    y = x.transpose(dims)
    return (y if dims[-1:] == (len(dims) - 1,) else regrouped(y, specs[0]),)


def _footprint(attributes: _Permute, specs: Any, device: DeviceProfile) -> Footprint | None:
    (y,) = _specs(attributes, specs)
    return permute_footprint(attributes.dims, specs[0], y, device)


_PERMUTE = Operation("permute", _specs, _kernel, footprint=_footprint)


def permute(
    memory: MemoryState,
    input_tensor: Tensor,
    dims: Sequence[int],
    *,
    memory_config: MemoryConfig | None = None,
    pad_value: float | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with its dimensions in the order `dims`; the same tensor if that is the order it has.

    A block float whose groups change is packed anew: at once if only the last two dimensions are exchanged, else a bfloat8_b goes
    by way of bfloat16. Tile padding is not stored, so `pad_value` changes nothing. Where `dims` names a dimension twice, which
    ttnn does not check, the values are unspecified: NaN, or the largest integer.

    Raises ArgumentError unless `dims` has one entry, within range, for each dimension.
    """
    del pad_value
    x = require_tensor("permute", "input_tensor", input_tensor)
    require_options("permute", memory_config=memory_config)
    rank = len(x.shape)
    order = tuple(normalize_dim("permute", d, rank, "dims") for d in require_integers("permute", "dims", dims))
    if len(order) != rank:
        raise ArgumentError(f"permute: dims {tuple(dims)} must name each of the {rank} dimensions of {x.shape} once")
    if order == tuple(range(rank)) and memory_config in (None, x.memory_config):
        require_live("permute", memory, x)
        return memory, x
    memory_config = placed(x.spec, tuple(x.shape[d] for d in order), memory_config)
    if x.dtype is bfloat8_b and order[:-2] != tuple(range(rank - 2)):
        placement = memory_config
        return by_way_of_bfloat16(memory, x, placement, lambda m, wide: permute(m, wide, order, memory_config=placement))
    memory, (y,) = launch(memory, _PERMUTE, (x,), _Permute(order, memory_config))
    return memory, y


def transpose(
    memory: MemoryState,
    input_tensor: Tensor,
    dim1: int,
    dim2: int,
    *,
    memory_config: MemoryConfig | None = None,
    pad_value: float | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` with two dimensions exchanged; as `permute`."""
    x = require_tensor("transpose", "input_tensor", input_tensor)
    rank = len(x.shape)
    order = list(range(rank))
    a, b = normalize_dim("transpose", dim1, rank, "dim1"), normalize_dim("transpose", dim2, rank, "dim2")
    order[a], order[b] = b, a
    return permute(memory, x, order, memory_config=memory_config, pad_value=pad_value)


supports(Support(tuple(DataType)), permute, transpose)
