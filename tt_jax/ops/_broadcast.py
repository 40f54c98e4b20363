"""Shape and placement of what comes of two tensors, element by element. Source: tt-metal's public source, reference/ (measured)."""

import math

import numpy as np

from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.memory import BufferType, MemoryConfig, ShardSpec
from tt_jax.tensor import TensorSpec

Specs = tuple[TensorSpec | None, TensorSpec | None]
"""The specs of two operands, None for a number."""


def broadcast_shapes(operation: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """NumPy's broadcast. Raises ArgumentError where the shapes do not fit."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(map(str, shapes))
        raise ArgumentError(
            f"{operation}: shapes {listed} do not broadcast: counted from the last, each dimension must be equal, or 1 in one of them"
        ) from None


def _stretched(x: TensorSpec, shape: tuple[int, ...]) -> MemoryConfig:
    """The memory config of `x` for a result of `shape`: its shards grow as the tensor does."""
    config, spec = x.memory_config, x.memory_config.shard_spec
    if shape == x.shape or not config.is_sharded():
        return config
    if spec is None:
        raise NotModelledError(f"shards of more than two dimensions ({x}) do not grow to shape {shape}; pass memory_config=")
    padded = TensorSpec(shape, x.dtype, x.layout, tile=x.tile).padded_shape
    height = spec.shape[0] * math.prod(padded[:-1]) // math.prod(x.padded_shape[:-1])
    width = spec.shape[1] * padded[-1] // x.padded_shape[-1]
    grown = ShardSpec(spec.grid, (max(height, 32), max(width, 32)), spec.orientation)
    return MemoryConfig(config.memory_layout, config.buffer_type, grown)


def _cores(config: MemoryConfig) -> int:
    return config.shard_spec.num_cores() if config.shard_spec is not None else 0


def place(specs: Specs, shape: tuple[int, ...], given: MemoryConfig | None) -> MemoryConfig:
    """Where the result goes: as asked; else with the first tensor, unless only the second is sharded, or over more cores.

    A tensor in interleaved L1 keeps the result. Asked for shards without saying which, an operand's are taken.
    """
    a, b = specs
    first, second = a or b, b or a
    assert first is not None and second is not None
    if given is not None:
        if not given.is_sharded() or given.shard_spec is not None or given.nd_shard_spec is not None:
            return given
        for spec in (first, second):
            if spec.memory_config.shard_spec is not None:
                return MemoryConfig(given.memory_layout, given.buffer_type, _stretched(spec, shape).shard_spec)
        return given
    x, y = first.memory_config, second.memory_config
    alone = not x.is_sharded() and x.buffer_type is BufferType.DRAM
    if y.is_sharded() and (alone or (x.is_sharded() and _cores(y) > _cores(x))):
        return _stretched(second, shape)
    return _stretched(first, shape)
