"""Where a tensor is not zero."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import DataType, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import data_movement
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._movement import supports, target
from tt_jax.ops._support import Support
from tt_jax.program import Operation, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["nonzero"]

_COUNTS = 8
"""Entries of the count tensor; the first one has the count."""


def _specs(memory_config: MemoryConfig, specs: Any) -> tuple[TensorSpec, ...]:
    size = 1
    for s in specs[0].shape:
        size *= s
    count, places = (1, 1, 1, _COUNTS), (1, 1, 1, 4 * size)
    return tuple(TensorSpec(shape, uint32, Layout.ROW_MAJOR, memory_config) for shape in (count, places))


def _kernel(memory_config: MemoryConfig, specs: Any, x: Array) -> tuple[Array, Array]:
    count, places = data_movement.nonzero(x.reshape((1,) * (4 - x.ndim) + x.shape))
    return jnp.zeros((1, 1, 1, _COUNTS), jnp.uint32).at[..., 0].set(count), places.reshape(1, 1, 1, -1)


_NONZERO = Operation("nonzero", _specs, _kernel)


def nonzero(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, list[Tensor]]:
    """How many values of `input_tensor` are not zero, `(1, 1, 1, 8)` with the count first, and where, `(1, 1, 1, 4 * volume)`.

    Both uint32 in ROW_MAJOR layout. The places are four indices for each value, as of rank 4, in the order of the values;
    what follows the last one is zero (unspecified on the device). Raises ArgumentError for a rank above 4.
    """
    x = require_tensor("nonzero", "input_tensor", input_tensor)
    if len(x.shape) > 4:
        raise ArgumentError(f"nonzero: `input_tensor` must have rank 4 at most, got {x.spec}")
    memory, outputs = launch(memory, _NONZERO, (x,), target("nonzero", x.spec, x.shape, memory_config).memory_config)
    return memory, list(outputs)


supports(Support(tuple(DataType)), nonzero)
