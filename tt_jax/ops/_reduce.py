"""The programs that reductions are made of: one reduces along one axis, which stays with size 1."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import packer, reduction, rounding
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState, ShardSpec, TensorMemoryLayout
from tt_jax.program import Operation, free, launch
from tt_jax.tensor import Tensor, TensorSpec

Kind = Literal["sum", "max", "min"]


class _Reduce(NamedTuple):
    kind: Kind
    axis: int
    factor: float
    dtype: DataType
    memory_config: MemoryConfig
    compute: ComputeKernelConfig
    precise: bool


class _Outer(NamedTuple):
    axis: int
    dtype: DataType
    memory_config: MemoryConfig
    compute: ComputeKernelConfig


def default_config(device: DeviceProfile) -> ComputeKernelConfig:
    """A reduction's arithmetic: 32-bit Dst; HiFi3 on Wormhole, whose HiFi4 is at fault there.

    Source: spec/device_numerics.md, "sum" (measured on Wormhole); Blackhole assumed from the softmax family.
    """
    fidelity = MathFidelity.HiFi3 if device.arch == "wormhole" else MathFidelity.HiFi4
    return ComputeKernelConfig(fidelity, math_approx_mode=False, fp32_dest_acc_en=True)


def pack(value: Array, dtype: DataType) -> Array:
    """A float32 `value` stored as `dtype`, an integer one unchanged."""
    return packer.pack(value, dtype.kernel_name) if dtype.is_float else value  # type: ignore[arg-type]


def _reduced(x: TensorSpec, axis: int, memory_config: MemoryConfig) -> TensorSpec:
    """`x` with size 1 along `axis`, where `memory_config` says; of the input's own shards, what is left of each."""
    shape = tuple(1 if i == axis else size for i, size in enumerate(x.shape))
    spec = memory_config.shard_spec
    if spec is None or memory_config != x.memory_config:
        return x.replace(shape=shape, memory_config=memory_config)
    height, width = spec.shape
    unit = TILE_SIZE if x.layout is Layout.TILE else 1
    last = len(x.shape) - 1
    layout = memory_config.memory_layout
    if axis == last and layout is TensorMemoryLayout.HEIGHT_SHARDED:
        kept = (height, unit)
    elif axis == last - 1 and layout is TensorMemoryLayout.WIDTH_SHARDED:
        kept = (unit, width)
    else:
        raise ArgumentError(
            f"a reduction over dimension {axis} of {x} cuts through its shards, so the result cannot be sharded alike: pass "
            "memory_config=tt.DRAM_MEMORY_CONFIG or another"
        )
    config = MemoryConfig(layout, memory_config.buffer_type, ShardSpec(spec.grid, kept, spec.orientation))
    return x.replace(shape=shape, memory_config=config)


def _specs(attributes: _Reduce, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    return (_reduced(specs[0], attributes.axis, attributes.memory_config).replace(dtype=attributes.dtype),)


def _kernel(attributes: _Reduce, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    kind, axis, factor = attributes.kind, attributes.axis, attributes.factor
    if kind != "sum":
        y = reduction.extreme(x, axis, kind)
        return (y if factor == 1 else pack(rounding.widen(y) * jnp.float32(factor), attributes.dtype),)
    if not specs[0].dtype.is_float:
        return (x.sum(axis, keepdims=True, dtype=x.dtype),)
    compute = attributes.compute
    y = reduction.total(x, axis, factor, compute.math_fidelity.name, compute.fp32_dest_acc_en, attributes.precise)  # type: ignore[arg-type]
    return (pack(y, attributes.dtype),)


def _outer_specs(attributes: _Outer, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    shape = list(x.padded_shape)
    shape[attributes.axis] = 1
    return (x.replace(shape=tuple(shape), dtype=attributes.dtype, memory_config=attributes.memory_config),)


def _outer_kernel(attributes: _Outer, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    (x_spec,) = specs
    y = reduction.in_dst(rounding.widen(x).sum(attributes.axis, keepdims=True), attributes.compute.fp32_dest_acc_en)
    padding = [(0, 0)] * (y.ndim - 2) + [(0, p - s) for p, s in zip(x_spec.padded_shape[-2:], x_spec.shape[-2:], strict=True)]
    return (pack(jnp.pad(y, padding), attributes.dtype),)


_REDUCE = Operation("reduce", _specs, _kernel, called=lambda attributes: attributes.kind)
_FAST_REDUCE_NC = Operation("fast_reduce_nc", _outer_specs, _outer_kernel)


class How(NamedTuple):
    """What the steps of one reduction share."""

    memory_config: MemoryConfig
    compute: ComputeKernelConfig
    approximate: bool


def reduce(
    memory: MemoryState, x: Tensor, kind: Kind, axis: int, how: How, factor: float = 1.0, dtype: DataType | None = None
) -> tuple[MemoryState, Tensor]:
    """`factor` times the sum, maximum or minimum of `x` along `axis`, by one program.

    float32 is summed in float32, on the vector unit, unless `how.approximate`; everything else on the matrix engine.
    """
    precise = x.dtype is float32 and not how.approximate
    attributes = _Reduce(kind, axis, factor, dtype or x.dtype, how.memory_config, how.compute, precise)
    memory, (y,) = launch(memory, _REDUCE, (x,), attributes)
    return memory, y


def reduce_outer(
    memory: MemoryState,
    x: Tensor,
    axis: int,
    memory_config: MemoryConfig,
    compute: ComputeKernelConfig,
    dtype: DataType | None = None,
    output: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """The sum of `x` along an `axis` before the last two, in float32, by one program.

    The last two dimensions of the result count their padding in, as ttnn's do; the padding holds zeros.
    """
    memory, (y,) = launch(memory, _FAST_REDUCE_NC, (x,), _Outer(axis, dtype or x.dtype, memory_config, compute), output)
    return memory, y


class Chain:
    """Steps from one tensor to the next, each freed as soon as the one after it is there; the first one is the caller's."""

    def __init__(self, memory: MemoryState, x: Tensor):
        self.memory, self.tensor = memory, x
        self._first = x.buffer

    def then(self, step: Callable[..., tuple[MemoryState, Tensor]], *arguments: object, **options: object) -> None:
        """Run `step(memory, tensor, ...)`. A view keeps the buffer that it shares."""
        memory, y = step(self.memory, self.tensor, *arguments, **options)
        old = self.tensor.buffer
        self.memory = memory if old in (self._first, y.buffer) else free(memory, [old])
        self.tensor = y
