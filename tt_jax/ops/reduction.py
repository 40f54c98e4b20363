"""Sums, means, extremes and products along dimensions (ttnn's generic reductions).

A reduction runs as the programs that ttnn makes of it, and its intermediate tensors live as long: the last two dimensions
are reduced where they lie, others are transposed there and back, or, for a sum of bfloat16 or bfloat8_b, added tile by tile.
Before that, tile padding is filled, and the copy of a bfloat8_b tensor that it takes lives until the end.
Source: reference data, op_specs and programs (measured); generic_reductions.cpp (read in source: which tensors are filled).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import DataType, bfloat8_b, bfloat16, float32, int32, uint32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import reduction as kernel
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import (
    normalize_dim,
    require_dtype,
    require_flags,
    require_integers,
    require_options,
    resolve_compute,
)
from tt_jax.ops._movement import same_view
from tt_jax.ops._reduce import Chain, How, Kind, default_config, pack, reduce, reduce_outer
from tt_jax.ops._support import Support
from tt_jax.ops.layout import tilized, to_layout
from tt_jax.ops.pad import with_padding_filled
from tt_jax.ops.permute import transpose
from tt_jax.ops.reshape import reshape
from tt_jax.ops.slice import slice as slice_
from tt_jax.program import Operation, active_cache, free, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["max", "mean", "min", "prod", "sum"]

_FLOATS = (float32, bfloat16, bfloat8_b)
Dim = int | Sequence[int] | None


class _Fill(NamedTuple):
    spec: TensorSpec
    value: float


def _fill_kernel(attributes: _Fill, specs: Any, x: Array) -> tuple[Array]:
    value = np.asarray(attributes.value)
    if not attributes.spec.dtype.is_float:
        limits = np.iinfo(attributes.spec.dtype.carrier)
        value = np.clip(value, limits.min, limits.max)
    return (jnp.full(attributes.spec.shape, value.astype(attributes.spec.dtype.carrier)),)


FILL = Operation("full", lambda attributes, specs: (attributes.spec,), _fill_kernel)
_CLONE = Operation("clone", lambda attributes, specs: (specs[0].replace(memory_config=attributes),), lambda a, s, x: (x,))


def filled(memory: MemoryState, x: Tensor, spec: TensorSpec, value: float) -> tuple[MemoryState, Tensor]:
    """A tensor of `spec` with `value` in each place, on the device of `x`."""
    memory, (y,) = launch(memory, FILL, (x,), _Fill(spec, value))
    return memory, y


def resolve_dims(name: str, dim: Any, rank: int) -> tuple[int, ...]:
    """The dimensions of a reduction, ascending: all of them for None or an empty list. Raises ArgumentError."""
    if dim is None:
        return tuple(range(rank))
    dims = require_integers(name, "dim", [dim] if isinstance(dim, int | np.integer) else dim)
    resolved = sorted(normalize_dim(name, d, rank or 1) for d in dims)
    if len(set(resolved)) < len(resolved):
        raise ArgumentError(f"{name}: `dim` {tuple(dims)} names a dimension twice")
    return tuple(resolved[:rank]) or tuple(range(rank))


def adjusted(
    memory: MemoryState, y: Tensor, shape: Sequence[int], dims: Sequence[int], keepdim: bool
) -> tuple[MemoryState, Tensor]:
    """`y`, reduced over `dims` of an input of `shape`, in the shape of the result: a view where pages allow it, else a program."""
    target = tuple(1 if i in dims else size for i, size in enumerate(shape) if keepdim or i not in dims)
    if y.shape == target:
        return memory, y
    if not target:
        return memory, same_view("reduce", memory, y, target)
    return reshape(memory, y, target)


def _tiles_first(memory: MemoryState, x: Tensor, step: Any, *arguments: Any, **options: Any) -> tuple[MemoryState, Tensor]:
    """`step` of `x` in TILE layout; tiles made for that are freed after it."""
    if x.layout is Layout.TILE:
        return step(memory, x, *arguments, **options)
    memory, tiles = tilized(memory, x)
    memory, y = step(memory, tiles, *arguments, **options)
    return free(memory, [tiles.buffer]), y


def _inner(
    memory: MemoryState, x: Tensor, kind: Kind, axes: tuple[int, ...], how: How, factor: float, *, wide: bool, dtype: DataType
) -> tuple[MemoryState, Tensor]:
    """`x` reduced over one or both of its last two dimensions: the last first; `wide` keeps float32 in between."""
    if kind != "sum":
        return _tiles_first(memory, x, _axes, kind, axes, how, factor, between=x.dtype, dtype=dtype)
    return _axes(memory, x, kind, axes, how, factor, between=float32 if wide and x.dtype.is_float else x.dtype, dtype=dtype)


def _axes(
    memory: MemoryState,
    x: Tensor,
    kind: Kind,
    axes: tuple[int, ...],
    how: How,
    factor: float,
    *,
    between: DataType,
    dtype: DataType,
) -> tuple[MemoryState, Tensor]:
    if len(axes) == 1:
        return reduce(memory, x, kind, axes[0], how, factor, dtype)
    memory, row = reduce(memory, x, kind, axes[1], how, dtype=between)
    memory, y = reduce(memory, row, kind, axes[0], how, factor, dtype)
    return free(memory, [row.buffer]), y


def _outer(
    memory: MemoryState, x: Tensor, axes: tuple[int, ...], how: How, between: DataType, dtype: DataType
) -> tuple[MemoryState, Tensor]:
    """The sum over dimensions before the last two, cut back to the logical shape."""
    chain = Chain(memory, x)
    if x.layout is not Layout.TILE:
        chain.then(tilized, memory_config=how.memory_config)
    for axis in reversed(axes):
        chain.then(reduce_outer, axis, how.memory_config, how.compute, dtype if axis == axes[0] else between)
    logical = tuple(1 if i in axes else size for i, size in enumerate(x.shape))
    if chain.tensor.shape != logical:
        chain.then(slice_, (0,) * len(logical), logical)
    return chain.memory, chain.tensor


def _one_by_one(
    memory: MemoryState, x: Tensor, kind: Kind, dims: tuple[int, ...], how: How, factor: float, between: DataType
) -> tuple[MemoryState, Tensor]:
    """`x` reduced over one dimension after the other, the last first; those before the last two are transposed there and back."""
    rank = len(x.shape)
    chain = Chain(memory, x)
    for axis in reversed(dims):
        # A sum is scaled at once, an extreme at the end: its scale may be negative.
        scale = factor if axis == (dims[-1] if kind == "sum" else dims[0]) else 1.0
        dtype = x.dtype if axis == dims[0] else between
        if axis >= rank - 2:
            chain.then(_inner, kind, (axis,), how, scale, wide=False, dtype=dtype)
            continue
        chain.then(transpose, axis, -2, memory_config=how.memory_config)
        chain.then(_inner, kind, (rank - 2,), how, scale, wide=False, dtype=dtype)
        chain.then(transpose, axis, -2, memory_config=how.memory_config)
    return chain.memory, chain.tensor


def _validate(name: str, x: TensorSpec, scalar: float) -> None:
    if name == "mean" and x.dtype in (int32, uint32):
        raise ArgumentError(f"mean: `input_tensor` must be a float tensor, got {x}; typecast it")
    require_dtype(name, "input_tensor", x, (*_FLOATS, uint32, int32))
    if scalar != 1 and not x.dtype.is_float:
        raise NotModelledError(
            f"{name}: `scalar` {scalar} with {x} is not modelled; multiply the result, or typecast the input"
        )


_WHEN_EMPTY = {"sum": 0.0, "mean": math.nan, "max": 0.0, "min": 0.0}  # an extreme of nothing is refused


def _run(
    name: str,
    memory: MemoryState,
    x: Tensor,
    dim: Dim,
    keepdim: bool,
    memory_config: MemoryConfig | None,
    compute_kernel_config: ComputeKernelConfig | None,
    scalar: float,
    approximate: bool,
) -> tuple[MemoryState, Tensor]:
    dims = resolve_dims(name, dim, len(x.shape))
    _validate(name, x.spec, scalar)
    compute = resolve_compute(name, memory.device, compute_kernel_config, default_config(memory.device))
    how = How(memory_config or x.memory_config, compute, approximate)
    rank, size = len(x.shape), math.prod(x.shape[d] for d in dims)
    if rank == 0:
        memory, (y,) = launch(memory, _CLONE, (x,), how.memory_config)
        return memory, y
    if not math.prod(x.shape):
        if name in ("max", "min") and not size:
            raise ArgumentError(f"{name}: there is nothing to choose from along dimensions {dims} of {x.spec}: one has size 0")
        shape = tuple(1 if i in dims else s for i, s in enumerate(x.shape) if keepdim or i not in dims)
        return filled(memory, x, x.spec.replace(shape=shape, memory_config=how.memory_config), _WHEN_EMPTY[name])
    kind: Kind = "sum" if name in ("sum", "mean") else name  # type: ignore[assignment]
    if scalar < 0 and kind != "sum":
        kind = "min" if kind == "max" else "max"
    factor = scalar / size if name == "mean" else scalar
    # A sum of bfloat16 over some dimensions, not all, stays float32 from the first program to the last.
    wide = name == "sum" and x.dtype is bfloat16 and 1 < len(dims) < rank
    between = float32 if wide else x.dtype
    memory, full = with_padding_filled(memory, x)
    copies = [full.buffer] if full.buffer != x.buffer else []
    chain = Chain(memory, full)
    outer = tuple(d for d in dims if d < rank - 2)
    remaining = dims
    if name == "sum" and outer and factor == 1 and x.dtype in (bfloat16, bfloat8_b):
        remaining = dims[len(outer) :]
        chain.then(_outer, outer, how, between, between if remaining else x.dtype)
        if copies:
            chain.memory, copies = free(chain.memory, copies), []
    if all(d >= rank - 2 for d in remaining):
        if remaining:
            chain.then(_inner, kind, remaining, how, factor, wide=name == "sum", dtype=x.dtype)
    else:
        chain.then(_one_by_one, kind, remaining, how, factor, between)
    chain.then(adjusted, x.shape, dims, keepdim)
    return free(chain.memory, copies) if copies else chain.memory, chain.tensor


class _Reduction(Protocol):
    support: Support

    def __call__(
        self,
        memory: MemoryState,
        input_tensor: Tensor,
        dim: Dim = None,
        keepdim: bool = False,
        *,
        memory_config: MemoryConfig | None = None,
        compute_kernel_config: ComputeKernelConfig | None = None,
        scalar: float = 1.0,
        correction: bool = True,
        fast_and_approximate_mode: bool = False,
        output_layout: Layout | None = None,
    ) -> tuple[MemoryState, Tensor]: ...


def _reduction(name: str, *, doc: str, dtypes: tuple[DataType, ...]) -> _Reduction:
    def reduction(
        memory: MemoryState,
        input_tensor: Tensor,
        dim: Dim = None,
        keepdim: bool = False,
        *,
        memory_config: MemoryConfig | None = None,
        compute_kernel_config: ComputeKernelConfig | None = None,
        scalar: float = 1.0,
        correction: bool = True,
        fast_and_approximate_mode: bool = False,
        output_layout: Layout | None = None,
    ) -> tuple[MemoryState, Tensor]:
        require_memory(name, memory)
        x = require_tensor(name, "input_tensor", input_tensor)
        require_options(name, memory_config=memory_config, compute_kernel_config=compute_kernel_config, layout=output_layout)
        require_flags(name, keepdim=keepdim, correction=bool(correction), fast_and_approximate_mode=fast_and_approximate_mode)
        scale = require_scalar(name, scalar)
        if output_layout is Layout.ROW_MAJOR and x.dtype.is_block_float:
            raise ArgumentError(f"{name}: a {x.dtype.kernel_name} result has TILE layout only; leave out `output_layout`")
        with active_cache().all_or_nothing():
            memory, y = _run(
                name, memory, x, dim, keepdim, memory_config, compute_kernel_config, scale, fast_and_approximate_mode
            )
            if output_layout in (None, y.layout):
                return memory, y
            memory, relaid = to_layout(memory, y, output_layout)
            return free(memory, [y.buffer]), relaid

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"""{doc}

        Args:
            dim: a dimension, several, or all of them (None).
            keepdim: leave reduced dimensions in place, with size 1.
            scalar: the result is multiplied by it.
            correction: means nothing here (it is `std`'s and `var`'s).
            fast_and_approximate_mode: sum float32 on the matrix engine, as TF32, instead of in float32.
            output_layout: of the result, if not the one that the programs give: TILE, or for a sum or mean of a ROW_MAJOR tensor over
                its last two dimensions ROW_MAJOR.

        Raises ArgumentError for another dtype, or a `dim` out of range or named twice.
        """
    reduction.support = Support(dtypes)  # type: ignore[attr-defined]
    return reduction  # type: ignore[return-value]


def require_scalar(name: str, scalar: Any) -> float:
    """`scalar` as a float. Raises ArgumentError if it is no number."""
    if isinstance(scalar, bool) or not isinstance(scalar, int | float | np.number):
        raise ArgumentError(f"{name}: `scalar` must be a number, got {scalar!r}")
    return float(scalar)


sum = _reduction(
    "sum",
    doc="""The sum over `dim`, in the dtype of the input; integers modulo their width.

        Along the last two dimensions bit for bit the device's (of bfloat16; the matrix engine sums in groups of eight, see
        `kernels.reduction`); along others a float32 sum, rounded once.""",
    dtypes=(*_FLOATS, uint32, int32),
)
mean = _reduction(
    "mean",
    doc="""The mean over `dim`: a `sum` whose terms are multiplied by 1 / count, cut to bfloat16 (which is then wrong by up to 2**-7).

        float32 tensors have the whole factor. Over several dimensions each intermediate is rounded to the input's dtype.""",
    dtypes=_FLOATS,
)
max = _reduction(
    "max", doc="The largest over `dim`: exact. Raises ArgumentError where there is none.", dtypes=(*_FLOATS, uint32, int32)
)
min = _reduction(
    "min", doc="The smallest over `dim`: exact. Raises ArgumentError where there is none.", dtypes=(*_FLOATS, uint32, int32)
)


class _Product(NamedTuple):
    axes: tuple[int, ...]
    spec: TensorSpec


def _product_kernel(attributes: _Product, specs: Any, x: Array) -> tuple[Array]:
    y = kernel.product(x, attributes.axes).reshape(attributes.spec.shape)
    return (pack(y, attributes.spec.dtype),)


_PROD = Operation("prod", lambda attributes, specs: (attributes.spec,), _product_kernel)


def prod(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    dims: Sequence[int] | None = None,
) -> tuple[MemoryState, Tensor]:
    """The product over `dim`, of everything if it is None; in TILE layout. Block floats give float32.

    `prod(x, output_tensor, dims=[0, 1])` multiplies over dimensions before the last two, which keep size 1, into
    `output_tensor`. A float32 product, rounded once; one program, where ttnn has several (the device's rounding after each
    factor was not measured).

    Raises ArgumentError for integers, a `dim` out of range, or `dims` without an output tensor.
    """
    require_memory("prod", memory)
    x = require_tensor("prod", "input_tensor", input_tensor)
    require_options("prod", memory_config=memory_config)
    require_flags("prod", keepdim=keepdim)
    require_dtype("prod", "input_tensor", x.spec, (bfloat16, float32, bfloat8_b))
    output = dim if isinstance(dim, Tensor) else output_tensor
    axis = None if isinstance(dim, Tensor) else dim
    if (dims is None) != (output is None):
        raise ArgumentError("prod: `dims` and `output_tensor` go together; for a new tensor pass `dim`")
    axes = resolve_dims("prod", dims if output is not None else axis, len(x.shape))
    keep = keepdim or output is not None
    shape = tuple(1 if i in axes else size for i, size in enumerate(x.shape) if keep or i not in axes)
    config = memory_config or (x if output is None else output).memory_config
    dtype = float32 if x.dtype.is_block_float else x.dtype
    spec = TensorSpec(shape, dtype, Layout.TILE, config)
    memory, (y,) = launch(memory, _PROD, (x,), _Product(axes, spec), output)
    return memory, y


prod.support = Support((bfloat16, float32, bfloat8_b), note="float32, rounded once")  # type: ignore[attr-defined]
