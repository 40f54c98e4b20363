"""Tensors made on the device: of one value, of a range of integers, or of nothing in particular.

ttnn fills most of these on the host and moves them over: no program runs, and values are rounded by the host's rules. Its
argument `device` belongs to the facade.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.context import active
from tt_jax.dtypes import DataType, bfloat16
from tt_jax.errors import ArgumentError, DeallocatedError
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_integer, require_integers, require_options
from tt_jax.ops.creation import as_array, everywhere, from_array, scalar
from tt_jax.program import abstract, place, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "from_buffer",
    "full",
    "full_like",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]


def made_spec(
    operation: str, shape: Any, dtype: DataType | None, layout: Layout | None, memory_config: MemoryConfig | None
) -> TensorSpec:
    """The spec of a new tensor, ttnn's defaults filled in: bfloat16, ROW_MAJOR, DRAM. Raises ArgumentError for a wrong type."""
    require_options(operation, dtype=dtype, layout=layout, memory_config=memory_config)
    shape = require_integers(operation, "shape", shape)
    return TensorSpec(shape, dtype or bfloat16, layout or Layout.ROW_MAJOR, memory_config or DRAM_MEMORY_CONFIG)


def made(operation: str, memory: MemoryState, spec: TensorSpec, values: Callable[[], Array]) -> tuple[MemoryState, Tensor]:
    """A new tensor of `spec`; its `values` are computed after it is allocated, since it may not fit."""
    memory, buffer = place(memory, spec, operation)
    if not active.get().computes:
        return memory, Tensor(abstract(memory.device, spec), spec, buffer)  # type: ignore[arg-type]
    return memory, Tensor(everywhere(memory, values()), spec, buffer)


def _filled(
    operation: str, memory: MemoryState, spec: TensorSpec, value: Any, output: Tensor | None
) -> tuple[MemoryState, Tensor]:
    require_memory(operation, memory)
    if output is None:
        number = scalar(operation, "fill_value", value, spec.dtype)
        return made(operation, memory, spec, lambda: jnp.full(spec.shape, number))
    if require_tensor(operation, "optional_tensor", output).shape != spec.shape:
        raise ArgumentError(f"{operation}: `optional_tensor` is {output.spec}, but shape {spec.shape} is asked for")
    if not memory.is_live(output.buffer):
        raise DeallocatedError(f"{operation}: `optional_tensor` ({output.spec}) is not allocated in the memory state passed")
    number = scalar(operation, "fill_value", value, output.dtype)
    return memory, Tensor(everywhere(memory, jnp.full(spec.shape, number)), output.spec, output.buffer)


def full(
    memory: MemoryState,
    shape: Sequence[int],
    fill_value: float,
    dtype: DataType | None = None,
    layout: Layout | None = None,
    memory_config: MemoryConfig | None = None,
    optional_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """A tensor of `shape` with `fill_value` everywhere: bfloat16, ROW_MAJOR and in DRAM unless said otherwise.

    With `optional_tensor` its buffer is filled, and dtype, layout and place are its own. An integer dtype cuts the value.

    Raises ArgumentError for a block float in ROW_MAJOR layout, or another shape than `optional_tensor` has.
    """
    spec = made_spec("full", shape, dtype, layout, memory_config)
    return _filled("full", memory, spec, fill_value, optional_tensor)


def zeros(
    memory: MemoryState,
    shape: Sequence[int],
    dtype: DataType | None = None,
    layout: Layout | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`full` of zeros."""
    return _filled("zeros", memory, made_spec("zeros", shape, dtype, layout, memory_config), 0, None)


def ones(
    memory: MemoryState,
    shape: Sequence[int],
    dtype: DataType | None = None,
    layout: Layout | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`full` of ones."""
    return _filled("ones", memory, made_spec("ones", shape, dtype, layout, memory_config), 1, None)


def empty(
    memory: MemoryState,
    shape: Sequence[int],
    dtype: DataType = bfloat16,
    layout: Layout = Layout.ROW_MAJOR,
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG,
) -> tuple[MemoryState, Tensor]:
    """A tensor of `shape` whose values are unspecified on the device; here they are zeros."""
    return _filled("empty", memory, made_spec("empty", shape, dtype, layout, memory_config), 0, None)


def _like(
    operation: str,
    tensor: Tensor,
    dtype: DataType | None,
    layout: Layout | None,
    memory_config: MemoryConfig | None,
) -> TensorSpec:
    x = require_tensor(operation, "tensor", tensor)
    return made_spec(operation, x.shape, dtype or x.dtype, layout or x.layout, memory_config or x.memory_config)


def full_like(
    memory: MemoryState,
    tensor: Tensor,
    fill_value: float,
    dtype: DataType | None = None,
    layout: Layout | None = None,
    memory_config: MemoryConfig | None = None,
    optional_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`full` with the shape of `tensor`, and its dtype, layout and place unless said otherwise."""
    spec = _like("full_like", tensor, dtype, layout, memory_config)
    return _filled("full_like", memory, spec, fill_value, optional_tensor)


def zeros_like(
    memory: MemoryState,
    tensor: Tensor,
    dtype: DataType | None = None,
    layout: Layout | None = None,
    memory_config: MemoryConfig | None = None,
    optional_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`full_like` of zeros."""
    return _filled("zeros_like", memory, _like("zeros_like", tensor, dtype, layout, memory_config), 0, optional_tensor)


def ones_like(
    memory: MemoryState,
    tensor: Tensor,
    dtype: DataType | None = None,
    layout: Layout | None = None,
    memory_config: MemoryConfig | None = None,
    optional_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`full_like` of ones."""
    return _filled("ones_like", memory, _like("ones_like", tensor, dtype, layout, memory_config), 1, optional_tensor)


def empty_like(
    memory: MemoryState,
    tensor: Tensor,
    *,
    dtype: DataType | None = None,
    layout: Layout | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`empty` with the shape of `tensor`, and its dtype, layout and place unless said otherwise."""
    return _filled("empty_like", memory, _like("empty_like", tensor, dtype, layout, memory_config), 0, None)


def arange(
    memory: MemoryState,
    start: int = 0,
    end: int | None = None,
    step: int = 1,
    *,
    dtype: DataType = bfloat16,
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG,
    layout: Layout = Layout.ROW_MAJOR,
) -> tuple[MemoryState, Tensor]:
    """The integers from `start` (inclusive) to `end` (exclusive) by `step`, `[n]`, rounded to `dtype`; `arange(end)` starts at 0.

    Raises ArgumentError for a step of zero, or of the wrong sign.
    """
    first, last = (0, start) if end is None else (start, end)
    first, last = require_integer("arange", "start", first), require_integer("arange", "end", last)
    step = require_integer("arange", "step", step)
    if step == 0 or (last - first) * step < 0:
        raise ArgumentError(f"arange: a step of {step} does not lead from {first} to {last}")
    values = np.arange(first, last, step, dtype=np.int64)
    return from_array(memory, values, dtype=dtype, layout=layout, memory_config=memory_config)


def from_buffer(
    memory: MemoryState,
    buffer: Any,
    shape: Sequence[int],
    dtype: DataType,
    layout: Layout | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """The numbers of the list `buffer`, row by row, as a tensor of `shape`: ROW_MAJOR and in DRAM unless said otherwise.

    Raises ArgumentError if their number is not that of `shape`, and for a block float.
    """
    spec = made_spec("from_buffer", shape, dtype, layout, memory_config)
    if spec.dtype.is_block_float:
        raise ArgumentError(f"from_buffer: {spec.dtype.kernel_name} has no elements to list; make a float32 and typecast it")
    values = as_array("from_buffer", "buffer", np.asarray(buffer))
    count = int(np.prod(spec.shape))
    if values.size != count:
        raise ArgumentError(f"from_buffer: `buffer` has {values.size} values, but shape {spec.shape} takes {count}")
    array: Any = values.reshape(spec.shape) if isinstance(values, np.ndarray) else jax.numpy.reshape(values, spec.shape)
    return from_array(memory, array, dtype=spec.dtype, layout=spec.layout, memory_config=spec.memory_config)
