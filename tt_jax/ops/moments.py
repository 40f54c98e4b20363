"""Variances, standard deviations, and what is normalized by them."""

import math
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import functions, rounding
from tt_jax.kernels import reduction as kernel
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_options, require_rank, resolve_compute
from tt_jax.ops._reduce import Chain, default_config, pack
from tt_jax.ops._support import Support
from tt_jax.ops.layout import tilized
from tt_jax.ops.permute import permute
from tt_jax.ops.reduction import Dim, adjusted, filled, require_scalar, resolve_dims
from tt_jax.program import Operation, active_cache, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["mean_hw", "normalize_global", "normalize_hw", "std", "std_hw", "var", "var_hw"]

_FLOATS = (float32, bfloat16, bfloat8_b)


class _Moment(NamedTuple):
    root: bool
    axes: tuple[int, ...]
    correction: bool
    scalar: float
    memory_config: MemoryConfig
    compute: ComputeKernelConfig


def _specs(attributes: _Moment, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    shape = tuple(1 if i in attributes.axes else size for i, size in enumerate(x.shape))
    return (x.replace(shape=shape, memory_config=attributes.memory_config),)


def _kernel(attributes: _Moment, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    y = kernel.variance(x, attributes.axes, attributes.correction) * jnp.float32(attributes.scalar**2)
    return (pack(functions.root(y) if attributes.root else y, specs[0].dtype),)


_WELFORD_REDUCE = Operation("welford_reduce", _specs, _kernel)


def _moment(memory: MemoryState, x: Tensor, attributes: _Moment) -> tuple[MemoryState, Tensor]:
    memory, (y,) = launch(memory, _WELFORD_REDUCE, (x,), attributes)
    return memory, y


def _run(
    name: str,
    memory: MemoryState,
    x: Tensor,
    dims: tuple[int, ...],
    keepdim: bool,
    correction: bool,
    scalar: float,
    placement: MemoryConfig,
    compute: ComputeKernelConfig,
) -> tuple[MemoryState, Tensor]:
    rank, size = len(x.shape), math.prod(x.shape[d] for d in dims)
    if size <= 1 or not math.prod(x.shape):
        shape = tuple(1 if i in dims else s for i, s in enumerate(x.shape) if keepdim or i not in dims)
        spec = TensorSpec(shape, x.dtype, Layout.TILE, placement)
        return filled(memory, x, spec, math.nan if correction or size != 1 else 0.0)
    chain = Chain(memory, x)
    axes = dims
    if len(dims) == 1 and dims[0] < rank - 2:
        # A dimension before the last two changes places with the rows, and back.
        swap = list(range(rank))
        swap[dims[0]], swap[rank - 2] = rank - 2, dims[0]
        chain.then(permute, swap, memory_config=placement)
        axes = (rank - 2,)
    elif len(dims) > 1:
        # Several come last, so that the program finds them side by side.
        kept = [d for d in range(rank) if d not in dims]
        chain.then(permute, (*kept, *dims), memory_config=placement if kept else None)
        axes = tuple(range(len(kept), rank))
    if chain.tensor.layout is not Layout.TILE:
        chain.then(tilized, memory_config=placement)
    chain.then(_moment, _Moment(name == "std", axes, correction, scalar, placement, compute))
    if len(dims) == 1 and dims[0] < rank - 2:
        chain.then(permute, swap, memory_config=placement)
    chain.then(adjusted, x.shape, dims, keepdim)
    return chain.memory, chain.tensor


class _Spread(Protocol):
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
    ) -> tuple[MemoryState, Tensor]: ...


def _spread(name: str, *, doc: str) -> _Spread:
    def spread(
        memory: MemoryState,
        input_tensor: Tensor,
        dim: Dim = None,
        keepdim: bool = False,
        *,
        memory_config: MemoryConfig | None = None,
        compute_kernel_config: ComputeKernelConfig | None = None,
        scalar: float = 1.0,
        correction: bool = True,
    ) -> tuple[MemoryState, Tensor]:
        require_memory(name, memory)
        x = require_tensor(name, "input_tensor", input_tensor)
        require_options(name, memory_config=memory_config, compute_kernel_config=compute_kernel_config)
        require_flags(name, keepdim=keepdim)
        if correction not in (0, 1):
            raise ArgumentError(f"{name}: `correction` must be True or False, got {correction!r}")
        require_dtype(name, "input_tensor", x.spec, _FLOATS)
        dims, scale = resolve_dims(name, dim, len(x.shape)), require_scalar(name, scalar)
        compute = resolve_compute(name, memory.device, compute_kernel_config, default_config(memory.device))
        placement = memory_config or x.memory_config
        with active_cache().all_or_nothing():
            return _run(name, memory, x, dims, keepdim, bool(correction), scale, placement, compute)

    spread.__name__ = spread.__qualname__ = name
    spread.__doc__ = f"""{doc} In TILE layout, in the dtype of the input.

        Args:
            dim: a dimension, several, or all of them (None).
            keepdim: leave reduced dimensions in place, with size 1.
            scalar: of `scalar * input_tensor`.
            correction: divide by the count less one. Of a single value that gives NaN, without it 0.

        float32 in two passes, rounded once; the device's own updates (Welford's) were not measured. Raises ArgumentError for another dtype,
        or a `dim` out of range or named twice.
        """
    spread.support = Support(_FLOATS, note="float32, rounded once")  # type: ignore[attr-defined]
    return spread  # type: ignore[return-value]


var = _spread("var", doc="The variance over `dim`.")
std = _spread("std", doc="The standard deviation over `dim`.")


class _Statistic(NamedTuple):
    name: str
    memory_config: MemoryConfig


def _statistic_specs(attributes: _Statistic, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    require_rank(attributes.name, "input_tensor", x, 4, "[batch, channels, rows, columns]")
    require_dtype(attributes.name, "input_tensor", x, _FLOATS)
    shape = x.shape if attributes.name.startswith("normalize") else (*x.shape[:2], 1, 1)
    return (x.replace(shape=shape, memory_config=attributes.memory_config),)


def _statistic_kernel(attributes: _Statistic, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    wide = rounding.widen(x)
    axes = (0, 1, 2, 3) if attributes.name == "normalize_global" else (2, 3)
    mean = wide.mean(axes, keepdims=True)
    variance = kernel.variance(x, axes, False)
    values = {"mean_hw": mean, "var_hw": variance, "std_hw": functions.root(variance)}
    y = values.get(attributes.name)
    return (pack((wide - mean) / jnp.sqrt(variance) if y is None else y, specs[0].dtype),)


class _Statistics(Protocol):
    support: Support

    def __call__(
        self, memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None
    ) -> tuple[MemoryState, Tensor]: ...


def _statistics(name: str, *, doc: str) -> _Statistics:
    operation = Operation(name, _statistic_specs, _statistic_kernel)

    def statistic(memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None) -> Any:
        require_memory(name, memory)
        x = require_tensor(name, "input_tensor", input_tensor)
        require_options(name, memory_config=memory_config)
        memory, (y,) = launch(memory, operation, (x,), _Statistic(name, memory_config or x.memory_config))
        return memory, y

    statistic.__name__ = statistic.__qualname__ = name
    statistic.__doc__ = f"""{doc} float32, rounded once, by one program where ttnn has several (not measured).

        Raises ArgumentError unless the input is a float tensor of rank 4.
        """
    statistic.support = Support(_FLOATS, note="float32, rounded once")  # type: ignore[attr-defined]
    return statistic  # type: ignore[return-value]


mean_hw = _statistics("mean_hw", doc="The mean over the last two dimensions of `[n, c, h, w]`: `[n, c, 1, 1]`.")
var_hw = _statistics("var_hw", doc="The variance, divided by the count, over the last two dimensions: `[n, c, 1, 1]`.")
std_hw = _statistics("std_hw", doc="The square root of `var_hw`.")
normalize_hw = _statistics("normalize_hw", doc="`(x - mean) / std` over the last two dimensions.")
normalize_global = _statistics("normalize_global", doc="`(x - mean) / std` over everything.")
