"""Random tensors. The generator is JAX's, so the distributions are the device's and the numbers are not.

A call gives the same numbers for the same seed: nothing here has a state. (ttnn takes the seed 0 for "any"; the facade may.)
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import DataType, bfloat16, float32, uint8
from tt_jax.errors import ArgumentError
from tt_jax.kernels import packer, rounding
from tt_jax.kernels.convert import convert
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_integer, require_options, require_tile
from tt_jax.ops._movement import Move, supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.creation import as_array
from tt_jax.ops.filled import made_spec
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["bernoulli", "rand", "randn", "uniform"]


def _between(key: Array, shape: tuple[int, ...], low: Array, high: Array) -> Array:
    """float32 uniform in `[low, high)`."""
    x = low + jax.random.uniform(key, shape) * (high - low)
    return jnp.where(x < high, x, low)


def _stored(x: Array, spec: TensorSpec, low: Array, high: Array) -> Array:
    """float32 values in the dtype of `spec`; one that would round up to `high` becomes `low`."""
    y = convert(x, "float32", spec.dtype.kernel_name, precise=True)
    if spec.dtype is not bfloat16:
        return y
    return jnp.where(rounding.widen(y) < high, y, packer.pack(jnp.broadcast_to(low, y.shape), "bfloat16"))


def _uniform(attributes: Move, specs: Any, *arrays: Array) -> tuple[Array]:
    seed, low, high = arrays[-3:]
    x = _between(jax.random.key(seed), attributes.spec.shape, low, high)
    return (_stored(x, attributes.spec, low, high),)


def _normal(attributes: Move, specs: Any, seed: Array) -> tuple[Array]:
    x = jax.random.normal(jax.random.key(seed), attributes.spec.shape)
    return (convert(x, "float32", attributes.spec.dtype.kernel_name, precise=True),)


def _bernoulli(attributes: Move, specs: Any, probability: Array, seed: Array) -> tuple[Array]:
    draw = jax.random.uniform(jax.random.key(seed), attributes.spec.shape)
    return ((draw < rounding.widen(probability)).astype(attributes.spec.dtype.carrier),)


def _output_specs(attributes: Move, specs: Any) -> tuple[TensorSpec, ...]:
    return (attributes.spec,)


_RAND = Operation("rand", _output_specs, _uniform)
_RANDN = Operation("randn", _output_specs, _normal)
_UNIFORM = Operation("uniform", _output_specs, _uniform, in_place=0)
_BERNOULLI = Operation("bernoulli", _output_specs, _bernoulli)


def _seed(operation: str, seed: Any) -> Array:
    """A seed as an array, so that another one is no other program."""
    return jnp.uint32(require_integer(operation, "seed", 0 if seed is None else seed, 0) % 2**32)


def _range(operation: str, low: Any, high: Any) -> tuple[Array, Array]:
    bounds = []
    for argument, value in (("low", low), ("high", high)):
        array = as_array(operation, argument, value)
        if array.ndim:
            raise ArgumentError(f"{operation}: `{argument}` must be one number, got an array of shape {array.shape}")
        bounds.append(jnp.asarray(array, jnp.float32))
    if not any(isinstance(bound, jax.core.Tracer) for bound in bounds) and not bounds[0] < bounds[1]:
        raise ArgumentError(f"{operation}: there is nothing from {low} up to {high}: low must be less than high")
    return bounds[0], bounds[1]


def rand(
    memory: MemoryState,
    shape: Sequence[int],
    *,
    dtype: DataType = bfloat16,
    layout: Layout = Layout.TILE,
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG,
    low: float = 0.0,
    high: float = 1.0,
    seed: int = 0,
) -> tuple[MemoryState, Tensor]:
    """Uniform numbers in `[low, high)`. Other dtypes than bfloat16 and float32 are cast from float32 as `typecast` does.

    Raises ArgumentError for uint8, which ttnn has not here, and unless `low` is less than `high`.
    """
    require_memory("rand", memory)
    spec = made_spec("rand", shape, dtype, layout, memory_config)
    if spec.dtype is uint8:
        raise ArgumentError("rand: uint8 is not supported; make another integer dtype and typecast it")
    inputs = (_seed("rand", seed), *_range("rand", low, high))
    memory, (y,) = launch(memory, _RAND, inputs, Move(spec))
    return memory, y


def randn(
    memory: MemoryState,
    shape: Sequence[int],
    *,
    dtype: DataType = bfloat16,
    layout: Layout = Layout.TILE,
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG,
    compute_kernel_config: object = None,
    seed: int = 0,
) -> tuple[MemoryState, Tensor]:
    """Normal numbers of mean 0 and variance 1, in a float dtype. `compute_kernel_config` changes nothing.

    Raises ArgumentError for an integer dtype.
    """
    require_memory("randn", memory)
    require_options("randn", compute_kernel_config=compute_kernel_config)
    spec = made_spec("randn", shape, dtype, layout, memory_config)
    if not spec.dtype.is_float:
        raise ArgumentError(f"randn: `dtype` must be a float dtype, got {spec.dtype.kernel_name}")
    memory, (y,) = launch(memory, _RANDN, (_seed("randn", seed),), Move(spec))
    return memory, y


def uniform(
    memory: MemoryState,
    input: Tensor,
    from_: float = 0.0,
    to: float = 1.0,
    seed: int = 0,
    *,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: object = None,
    **named: float,
) -> tuple[MemoryState, Tensor]:
    """`input`, bfloat16 or float32 in TILE layout, with its values replaced by uniform ones in `[from, to)`, in its own buffer.

    ttnn names the first bound `from`, which Python allows in `**{"from": 0.5}` only. Raises ArgumentError for another dtype
    or layout, and for a `memory_config` that is not the tensor's.
    """
    x = require_tensor("uniform", "input", input)
    require_options("uniform", memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    from_ = named.pop("from", from_)
    if named:
        raise ArgumentError(f"uniform: there is no argument {', '.join(named)}")
    require_tile("uniform", "input", x.spec)
    require_dtype("uniform", "input", x.spec, (bfloat16, float32))
    if memory_config not in (None, x.memory_config):
        raise ArgumentError(f"uniform: it works in place, so `memory_config` cannot be {memory_config}")
    inputs = (x, _seed("uniform", seed), *_range("uniform", from_, to))
    memory, (y,) = launch(memory, _UNIFORM, inputs, Move(x.spec))
    return memory, y


def bernoulli(
    memory: MemoryState,
    input: Tensor,
    seed: int | None = None,
    *,
    output: Tensor | None = None,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: object = None,
) -> tuple[MemoryState, Tensor]:
    """Ones with the probabilities in `input`, zeros otherwise: float32 unless `dtype` or `output` says bfloat16.

    Raises ArgumentError unless `input` is bfloat16 or float32 in TILE layout.
    """
    x = require_tensor("bernoulli", "input", input)
    require_options("bernoulli", dtype=dtype, compute_kernel_config=compute_kernel_config)
    require_tile("bernoulli", "input", x.spec)
    require_dtype("bernoulli", "input", x.spec, (bfloat16, float32))
    if dtype is None:
        dtype = float32 if output is None else require_tensor("bernoulli", "output", output).dtype
    if dtype not in (bfloat16, float32):
        raise ArgumentError(f"bernoulli: `dtype` must be bfloat16 or float32, got {dtype.kernel_name}")
    spec = target("bernoulli", x.spec, x.shape, memory_config, output, dtype=dtype)
    memory, (y,) = launch(memory, _BERNOULLI, (x, _seed("bernoulli", seed)), Move(spec), output)
    return memory, y


supports(Support((bfloat16, float32), (Layout.TILE,)), uniform, bernoulli)
