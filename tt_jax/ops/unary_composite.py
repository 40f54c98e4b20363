"""Functions of one tensor that the device has no single function for: bounds that are tensors, another meaning of the bits.

Each runs as one program here, where ttnn's own may take several.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.activations import UnaryOpType, UnaryWithParam
from tt_jax.dtypes import FLOATS, DataType, bfloat16, float32, int32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import numerics, packer, rounding, unary
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_options
from tt_jax.ops._movement import chain
from tt_jax.ops._support import Support
from tt_jax.ops._unary import apply, number, output_options
from tt_jax.ops.layout import typecast
from tt_jax.program import Operation, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["bitcast", "clamp", "clip", "multigammaln"]

_Specs = tuple[TensorSpec, ...]


class _Attributes(NamedTuple):
    name: str
    detail: Any
    dtype: DataType | None
    memory_config: MemoryConfig | None


def _same_shape(attributes: _Attributes, specs: _Specs) -> _Specs:
    x, *others = specs
    for other in others:
        if other.layout is not x.layout:
            raise ArgumentError(f"{attributes.name}: layouts differ, {x} and {other}; convert one with to_layout")
        if not other.dtype.is_float or not x.dtype.is_float:
            raise ArgumentError(
                f"{attributes.name}: tensors must be of floats, got {x} and {other}; convert them with typecast"
            )
        try:
            fits = np.broadcast_shapes(x.shape, other.shape) == x.shape
        except ValueError:
            fits = False
        if not fits:
            raise ArgumentError(f"{attributes.name}: {other} does not broadcast to {x}")
    return (x.replace(dtype=attributes.dtype or x.dtype, memory_config=attributes.memory_config or x.memory_config),)


def _float_kernel(function: Callable[..., Array], attributes: _Attributes, specs: _Specs, *arrays: Array) -> tuple[Array, ...]:
    """`function` of the inputs in float32, rounded once."""
    dtype = attributes.dtype or specs[0].dtype
    fp32_dest = float32 in (specs[0].dtype, dtype)
    values = [unary.number(rounding.widen(array), fp32_dest) for array in arrays]
    return (packer.pack(packer.to_dst(function(attributes.detail, *values), fp32_dest), dtype.kernel_name),)  # type: ignore[arg-type]


def _clamped(which: tuple[bool, bool], x: Array, *bounds: Array) -> Array:
    if which[0]:
        x = jnp.maximum(x, bounds[0])
    return jnp.minimum(x, bounds[-1]) if which[1] else x


def _multigammaln(order: int, x: Array) -> Array:
    constant = np.float32(order * (order - 1) / 4 * np.log(np.pi))
    return sum((lax.lgamma(x - np.float32(i / 2)) for i in range(order)), jnp.full_like(x, constant))


_CLAMP = Operation("clamp", _same_shape, functools.partial(_float_kernel, _clamped))
_MULTIGAMMALN = Operation("multigammaln", _same_shape, functools.partial(_float_kernel, _multigammaln))

_LOWEST, _LARGEST = float(np.finfo(np.float32).min), float(np.finfo(np.float32).max)


def clamp(
    memory: MemoryState,
    input_tensor: Tensor,
    min: Tensor | float | None = None,
    max: Tensor | float | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """min(max(x, min), max), with numbers for both bounds or tensors for both (which broadcast to x), or one bound alone.

    An int32 tensor keeps its dtype between whole numbers; between floats it first becomes float32, by a program of its own.

    Raises ArgumentError without a bound, for a number beside a tensor, and for what the tensor's dtype does not take.
    """
    return _clamp("clamp", memory, input_tensor, min, max, memory_config, output_tensor)


def clip(
    memory: MemoryState,
    input_tensor: Tensor,
    min: Tensor | float | None = None,
    max: Tensor | float | None = None,
    *,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """As `clamp`."""
    return _clamp("clip", memory, input_tensor, min, max, memory_config, None)


def _clamp(
    name: str,
    memory: MemoryState,
    input_tensor: Tensor,
    low: Tensor | float | None,
    high: Tensor | float | None,
    memory_config: MemoryConfig | None,
    output_tensor: Tensor | None,
) -> tuple[MemoryState, Tensor]:
    x = require_tensor(name, "input_tensor", input_tensor)
    given = [bound for bound in (low, high) if bound is not None]
    if not given:
        raise ArgumentError(f"{name}: neither `min` nor `max` is given; pass at least one")
    tensors = [bound for bound in given if isinstance(bound, Tensor)]
    if tensors:
        if len(tensors) < len(given):
            raise ArgumentError(f"{name}: `min` and `max` must be two tensors or two numbers, got {low!r} and {high!r}")
        dtype, placement = output_options(name, x.spec, memory_config, output_tensor)
        attributes = _Attributes("clamp", (low is not None, high is not None), dtype, placement)
        memory, (y,) = launch(memory, _CLAMP, (x, *tensors), attributes, output_tensor)
        return memory, y
    whole = x.dtype is int32 and all(isinstance(bound, int | np.integer) for bound in given)
    limits = np.iinfo(np.int32)
    lowest, largest = (float(limits.min), float(limits.max)) if whole else (_LOWEST, _LARGEST)
    bounds = (
        lowest if low is None else number(name, "min", low),
        largest if high is None else number(name, "max", high),
    )
    step = (UnaryWithParam(UnaryOpType.CLAMP_TSS, *bounds),)
    if x.dtype is not int32 or whole:
        return apply(memory, name, x, step, memory_config, output_tensor)
    return chain(
        memory,
        x,
        lambda m, x: typecast(m, x, float32, memory_config=memory_config),
        lambda m, x: apply(m, name, x, step, memory_config, output_tensor),
    )


def multigammaln(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """The logarithm of the multivariate gamma function of order 4, for x above 1.5; rounded once."""
    x = require_tensor("multigammaln", "input_tensor", input_tensor)
    require_dtype("multigammaln", "input_tensor", x.spec, (bfloat16, float32))
    require_options("multigammaln", memory_config=memory_config)
    memory, (y,) = launch(memory, _MULTIGAMMALN, (x,), _Attributes("multigammaln", 4, None, memory_config))
    return memory, y


_BITCASTS = [{DataType.UINT16, bfloat16}, {DataType.UINT32, float32}, {DataType.UINT32, int32}]


def _bitcast_specs(attributes: _Attributes, specs: _Specs) -> _Specs:
    x, dtype = specs[0], attributes.detail
    if dtype is not x.dtype and {dtype, x.dtype} not in _BITCASTS:
        raise ArgumentError(
            f"bitcast: {x} cannot be read as {dtype.kernel_name}; the pairs are uint16 and bfloat16, uint32 and float32, uint32 and int32"
        )
    return (x.replace(dtype=dtype, memory_config=attributes.memory_config or x.memory_config),)


def _bitcast_kernel(attributes: _Attributes, specs: _Specs, x: Array) -> tuple[Array]:
    numerics.require_patterns("bitcast")
    return (lax.bitcast_convert_type(x, attributes.detail.carrier),)


_BITCAST = Operation("bitcast", _bitcast_specs, _bitcast_kernel)


def bitcast(
    memory: MemoryState,
    input_tensor: Tensor,
    dtype: DataType,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """The bits of `input_tensor` read as another dtype of the same width. Raises ArgumentError for other pairs; else as `launch`."""
    x = require_tensor("bitcast", "input_tensor", input_tensor)
    require_options("bitcast", dtype=dtype)
    _, placement = output_options("bitcast", x.spec, memory_config, output_tensor)
    memory, (y,) = launch(memory, _BITCAST, (x,), _Attributes("bitcast", dtype, None, placement), output_tensor)
    return memory, y


clamp.support = clip.support = Support((*FLOATS, int32), note="int32: numbers as bounds")  # type: ignore[attr-defined]
multigammaln.support = Support((bfloat16, float32))  # type: ignore[attr-defined]
bitcast.support = Support((bfloat16, float32, int32, DataType.UINT32, DataType.UINT16))  # type: ignore[attr-defined]
