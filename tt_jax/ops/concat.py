"""Tensors joined along a dimension, an old one or a new one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.footprint import Footprint
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState
from tt_jax.ops._arguments import normalize_dim, require_integer
from tt_jax.ops._movement import Composite, Move, movement, run, supports, target
from tt_jax.ops._movement_footprint import concat_footprint
from tt_jax.ops._support import Support
from tt_jax.ops.layout import tilized, to_layout
from tt_jax.ops.reshape import unsqueeze
from tt_jax.ops.sharding import to_memory_config
from tt_jax.program import active_cache, require_live, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["concat", "stack"]


class _Join(NamedTuple):
    dim: int
    groups: int


def _kernel(how: _Join, *arrays: Array) -> Array:
    dim, groups = how
    if groups == 1:
        return jnp.concatenate(arrays, dim)
    parts = [jnp.split(x, groups, dim) for x in arrays]
    return jnp.concatenate([part for group in zip(*parts, strict=True) for part in group], dim)


def _footprint(attributes: Move, specs: Any, device: DeviceProfile) -> Footprint | None:
    how: Any = attributes.how
    return concat_footprint(specs, attributes.spec, device) if how.groups == 1 else None


_CONCAT = movement("concat", _kernel, _footprint)


def _checked(operation: str, argument: str, tensors: Any) -> list[Tensor]:
    if not isinstance(tensors, Sequence) or not tensors:
        raise ArgumentError(f"{operation}: `{argument}` must be a list of one or more tensors, got {tensors!r:.80}")
    checked = [require_tensor(operation, argument, x) for x in tensors]
    for x in checked[1:]:
        if x.dtype is not checked[0].dtype:
            raise ArgumentError(f"{operation}: {checked[0].spec} and {x.spec} differ in dtype; typecast one of them")
    return checked


def concat(
    memory: MemoryState,
    tensors: Sequence[Tensor],
    dim: int = 0,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    groups: int = 1,
) -> tuple[MemoryState, Tensor]:
    """`tensors` of one dtype joined along `dim`, in DRAM unless `memory_config` says otherwise; of one tensor, that tensor.

    With `groups`, each tensor is cut into that many parts along `dim` and the parts are interleaved. If any of the tensors
    has TILE layout the result has: the others are tilized first. Where tiles would have to be cut (a tensor other than the
    last is not whole tiles along `dim`), all are untilized, joined and tilized; a block float then goes by way of bfloat16.

    Raises ArgumentError for an empty list, and for dtypes, ranks or other dimensions that differ.
    """
    inputs = _checked("concat", "tensors", tensors)
    first = inputs[0]
    dim = normalize_dim("concat", dim, len(first.shape))
    groups = require_integer("concat", "groups", groups, 1)
    for x in inputs:
        rest = [s for d, s in enumerate(x.shape) if d != dim]
        if len(x.shape) != len(first.shape) or rest != [s for d, s in enumerate(first.shape) if d != dim]:
            raise ArgumentError(f"concat: {first.spec} and {x.spec} differ in a dimension other than {dim}")
        if x.shape[dim] % groups:
            raise ArgumentError(f"concat: dimension {dim} of {x.spec} cannot be cut into {groups} groups")
    for i, x in enumerate(inputs):
        require_live("concat", memory, x, i)
    shape = (*first.shape[:dim], sum(x.shape[dim] for x in inputs), *first.shape[dim + 1 :])
    spec = target("concat", first.spec.replace(memory_config=DRAM_MEMORY_CONFIG), shape, memory_config, output_tensor)
    if len(inputs) == 1 and output_tensor is None and groups == 1:
        return to_memory_config(memory, first, spec.memory_config)
    tiled = any(x.layout is Layout.TILE for x in inputs)
    cut = inputs if groups > 1 else inputs[:-1]
    cuts = tiled and dim >= len(shape) - 2 and any(x.shape[dim] // groups % TILE_SIZE for x in cut)
    layout = Layout.ROW_MAJOR if cuts or not tiled else Layout.TILE

    with active_cache().all_or_nothing():
        step = Composite(memory, *inputs)
        prepared = [step(to_layout, x, layout) for x in inputs]
        how = _Join(dim, groups)
        if not cuts:
            y = step(run, _CONCAT, prepared, spec.replace(layout=layout), how, output_tensor)
        else:
            rows = spec.replace(layout=Layout.ROW_MAJOR, dtype=prepared[0].dtype)
            joined = step(run, _CONCAT, prepared, rows, how)
            y = step(tilized, joined, spec.dtype, spec.memory_config, output_tensor)
        return step.result(y), y


def stack(memory: MemoryState, input_tensors: Sequence[Tensor], dim: int) -> tuple[MemoryState, Tensor]:
    """`input_tensors` of one shape and dtype, joined along a new dimension before `dim`: each `unsqueeze`d, then `concat`.

    Raises ArgumentError if their shapes or dtypes differ.
    """
    inputs = _checked("stack", "input_tensors", input_tensors)
    for x in inputs[1:]:
        if x.shape != inputs[0].shape:
            raise ArgumentError(f"stack: {inputs[0].spec} and {x.spec} differ in shape")
    dim = normalize_dim("stack", dim, len(inputs[0].shape) + 1)
    with active_cache().all_or_nothing():
        step = Composite(memory, *inputs)
        y = step(concat, [step(unsqueeze, x, dim) for x in inputs], dim)
        return step.result(y), y


supports(Support(tuple(DataType)), concat, stack)
