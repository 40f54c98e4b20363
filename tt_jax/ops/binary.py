"""Addition, subtraction and multiplication of two tensors, or of a tensor and a number."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.dtypes import DataType, bfloat16, float32, uint8
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import eltwise, rounding
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_options
from tt_jax.program import Operation, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec


class BinaryAttributes(NamedTuple):
    """Output dtype and placement; None for the first input's."""

    dtype: DataType | None
    memory_config: MemoryConfig | None


def _broadcast_shapes(operation: str, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """NumPy's broadcast of two shapes. Raises ArgumentError where they do not fit."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise ArgumentError(
            f"{operation}: shapes {a} and {b} do not broadcast: counted from the last, each dimension must be equal, or 1 in one of them"
        ) from None


def _output_specs(
    name: str, attributes: BinaryAttributes, specs: tuple[TensorSpec, TensorSpec | None]
) -> tuple[TensorSpec, ...]:
    a, b = specs
    for argument, spec in (("input_tensor_a", a), ("input_tensor_b", b)):
        if spec is not None and spec.dtype is uint8:
            raise ArgumentError(f"{name}: `{argument}` is uint8 ({spec}), which the device does not compute with; typecast it")
    dtype = attributes.dtype or a.dtype
    shape = a.shape
    if b is not None:
        if a.dtype.is_float != b.dtype.is_float or (not a.dtype.is_float and a.dtype is not b.dtype):
            raise ArgumentError(
                f"{name}: dtypes {a.dtype.kernel_name} and {b.dtype.kernel_name} do not mix; typecast one of them"
            )
        if a.layout is not b.layout:
            raise NotModelledError(
                f"{name}: inputs of different layouts ({a}, {b}) are not modelled; convert one with to_layout"
            )
        shape = _broadcast_shapes(name, a.shape, b.shape)
    if dtype.is_float != a.dtype.is_float:
        raise NotModelledError(
            f"{name}: a {dtype.kernel_name} result of {a.dtype.kernel_name} inputs is not modelled; typecast it"
        )
    return (TensorSpec(shape, dtype, a.layout, attributes.memory_config or a.memory_config),)


def _kernel(
    compute: Callable[..., Array],
    exact: Callable[[Array, Array], Array],
    on_vector_unit: tuple[DataType, ...],
    attributes: BinaryAttributes,
    specs: tuple[TensorSpec, TensorSpec | None],
    a: Array,
    b: Array,
) -> tuple[Array, ...]:
    spec_a, spec_b = specs
    dtype = attributes.dtype or spec_a.dtype
    if not spec_a.dtype.is_float:
        return (exact(a, b.astype(a.dtype)).astype(dtype.carrier),)
    if spec_b is None and spec_a.dtype is not float32:
        b = rounding.nearest_even_bfloat16(b)
    same = spec_b is None or spec_a.dtype is spec_b.dtype
    engine = "sfpu" if same and spec_a.dtype in on_vector_unit else "fpu"
    return (compute(a, b, dtype.kernel_name, engine=engine, fp32_dest=dtype is float32),)


def _binary(
    name: str, compute: Callable[..., Array], exact: Callable[[Array, Array], Array], on_vector_unit: tuple[DataType, ...]
) -> Operation:
    """A binary operation; pairs of one dtype in `on_vector_unit` run on the SFPU, other floats on the FPU.

    Source: spec/numerics.md sections 4.3 and 5.4 (measured for bfloat16 and bfloat8_b pairs, else read in source).
    """
    kernel = functools.partial(_kernel, compute, exact, on_vector_unit)
    return Operation(name, functools.partial(_output_specs, name), kernel)


_ADD = _binary("add", eltwise.add, jnp.add, (float32,))
_SUBTRACT = _binary("subtract", eltwise.subtract, jnp.subtract, (float32,))
_MULTIPLY = _binary("multiply", eltwise.multiply, jnp.multiply, (bfloat16, float32))


_AS_THE_FIRST_INPUT = BinaryAttributes(None, None)


def _run(
    operation: Operation, memory: MemoryState, a: Any, b: Any, dtype: DataType | None, memory_config: MemoryConfig | None
) -> tuple[MemoryState, Tensor]:
    if type(a) is not Tensor:
        require_tensor(operation.name, "input_tensor_a", a)
    attributes = _AS_THE_FIRST_INPUT
    if dtype is not None or memory_config is not None:
        require_options(operation.name, dtype=dtype, memory_config=memory_config)
        attributes = BinaryAttributes(dtype, memory_config)
    if type(b) is not Tensor:
        b = _scalar(operation.name, a.dtype, b)
    memory, (y,) = launch(memory, operation, (a, b), attributes)
    return memory, y


def _scalar(name: str, dtype: DataType, value: Any) -> Any:
    """`value` as the kernel takes it: float32, or the carrier of an integer `dtype`. Raises ArgumentError if it does not fit."""
    if isinstance(value, jax.Array) and value.ndim == 0 and (dtype.is_float or isinstance(value, jax.core.Tracer)):
        if jnp.issubdtype(value.dtype, jnp.integer) or (dtype.is_float and jnp.issubdtype(value.dtype, jnp.floating)):
            return value.astype(jnp.float32 if dtype.is_float else dtype.carrier)
    elif isinstance(value, jax.Array | np.ndarray | np.generic) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, int | float):
        shape = f"an array of shape {np.shape(value)}" if hasattr(value, "shape") else repr(value)
        raise ArgumentError(f"{name}: `input_tensor_b` must be a Tensor or a number, got {shape}")
    if dtype.is_float:
        return np.float32(value)
    if name == "multiply" and isinstance(value, float):
        raise NotModelledError(
            f"multiply: a {dtype.kernel_name} tensor times the float {value} is not modelled (the device makes it float32); "
            "typecast the tensor"
        )
    limits = np.iinfo(dtype.carrier)
    if not math.isfinite(value) or int(value) != value or not limits.min <= value <= limits.max:
        raise ArgumentError(
            f"{name}: {value} cannot be combined with a {dtype.kernel_name} tensor: it is no integer of that width"
        )
    return np.asarray(int(value), dtype.carrier)


def add(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor | float,
    *,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`a + b`, shapes broadcast as in NumPy; `b` may be a number.

    bfloat16 and block floats add on the FPU (both aligned to 11 bits, ties away), float32 pairs exactly in float32,
    integers modulo their width. `dtype` and `memory_config` default to those of the first input.

    Raises:
        ArgumentError: shapes, dtypes or layouts do not fit. DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    return _run(_ADD, memory, input_tensor_a, input_tensor_b, dtype, memory_config)


def subtract(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor | float,
    *,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`a - b`; everything else as in `add`."""
    return _run(_SUBTRACT, memory, input_tensor_a, input_tensor_b, dtype, memory_config)


def multiply(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor | float,
    *,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`a * b`: bfloat16 pairs on the vector unit (rounded to nearest even), other block floats on the FPU (HiFi4).

    Everything else as in `add`.
    """
    return _run(_MULTIPLY, memory, input_tensor_a, input_tensor_b, dtype, memory_config)
