"""Element-wise operations of three operands: tensors, or numbers for some of them. Shapes broadcast as in NumPy."""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.dtypes import FLOATS, DataType, float32, int32, uint8, uint16, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import packer, rounding, ternary
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_options
from tt_jax.ops._binary import supported
from tt_jax.ops._broadcast import broadcast_shapes, place
from tt_jax.ops._support import Support
from tt_jax.ops._unary import number
from tt_jax.program import Operation, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["addcdiv", "addcmul", "lerp", "mac", "where"]

Operand = Tensor | float
Result = tuple[MemoryState, Tensor]
Specs = tuple[TensorSpec | None, ...]


class _Attributes(NamedTuple):
    """Dtype, placement and layout of the output (None: as the inputs have it), and which input has the placement."""

    dtype: DataType | None
    memory_config: MemoryConfig | None
    layout: Layout | None
    first: int


def _attributes(name: str, memory_config: MemoryConfig | None, output: Tensor | None, first: int = 0) -> _Attributes:
    require_options(name, memory_config=memory_config)
    if output is None:
        return _Attributes(None, memory_config, None, first)
    spec = require_tensor(name, "output_tensor", output).spec
    return _Attributes(spec.dtype, spec.memory_config, spec.layout, first)


def _placed(name: str, attributes: _Attributes, specs: Specs, dtype: DataType) -> tuple[TensorSpec]:
    """The spec of a result of `dtype`."""
    tensors = [spec for spec in specs if spec is not None]
    shape = broadcast_shapes(name, *(spec.shape for spec in tensors))
    row_major = all(spec.layout is Layout.ROW_MAJOR for spec in tensors)
    layout = attributes.layout or (Layout.ROW_MAJOR if row_major else Layout.TILE)
    return (TensorSpec(shape, dtype, layout, place((specs[attributes.first], None), shape, attributes.memory_config)),)


def _whole(name: str, dtype: DataType, value: float) -> Any:
    """`value` as an integer of `dtype`. Raises ArgumentError if it is none."""
    limits = np.iinfo(dtype.carrier)
    if not np.isfinite(value) or value != int(value) or not limits.min <= value <= limits.max:
        raise ArgumentError(
            f"{name}: {value} cannot be combined with a {dtype.kernel_name} tensor: it is no integer of that width"
        )
    return np.asarray(int(value), dtype.carrier)


# -- where ----------------------------------------------------------------------------------------------------------------

_WHERE = (*FLOATS, int32, uint32)
_PREDICATES = (*_WHERE, uint16, uint8)


def _where_specs(attributes: _Attributes, specs: Specs) -> tuple[TensorSpec]:
    predicate, *values = specs
    assert predicate is not None
    if predicate.dtype not in _PREDICATES:
        raise ArgumentError(
            f"where: `predicate` must be one of {_names(_PREDICATES)}; got {predicate}; convert it with typecast"
        )
    dtypes = [spec.dtype for spec in values if spec is not None] or [predicate.dtype]
    for argument, spec in zip(("true_value", "false_value"), values, strict=True):
        if spec is not None and spec.dtype not in _WHERE:
            raise ArgumentError(f"where: `{argument}` must be one of {_names(_WHERE)}; got {spec}; convert it with typecast")
    if dtypes[0] is not dtypes[-1] and not (dtypes[0].is_float and dtypes[-1].is_float):
        raise ArgumentError(
            f"where: `true_value` is {dtypes[0].kernel_name} and `false_value` {dtypes[-1].kernel_name}; typecast one of them"
        )
    dtype = attributes.dtype or dtypes[0]
    if dtype is not dtypes[0] and not (dtype.is_float and dtypes[0].is_float):
        raise ArgumentError(
            f"where: {dtypes[0].kernel_name} values do not fit into a {dtype.kernel_name} output; typecast them"
        )
    return _placed("where", attributes, specs, dtype)


def _names(dtypes: tuple[DataType, ...]) -> str:
    return ", ".join(dtype.kernel_name for dtype in dtypes)


def _where_kernel(attributes: _Attributes, specs: Specs, predicate: Array, a: Array, b: Array) -> tuple[Array]:
    (spec,) = _where_specs(attributes, specs)
    if not spec.dtype.is_float:
        return (ternary.select(predicate, a, b),)
    wide = any(x.dtype == jnp.float32 and s is not None for x, s in zip((a, b), specs[1:], strict=True)) or (
        spec.dtype is float32 or (specs[1] is None and specs[2] is None and specs[0].dtype is float32)  # type: ignore[union-attr]
    )
    a, b = (rounding.widen(x) if wide else rounding.host_bfloat16(x) if x.dtype == jnp.float32 else x for x in (a, b))
    return (packer.pack(ternary.select(predicate, a, b), spec.dtype.kernel_name),)  # type: ignore[arg-type]


_SELECT = Operation("where", _where_specs, _where_kernel)


@supported(Support(_WHERE, note="The predicate may be uint16 or uint8 too."))
def where(
    memory: MemoryState,
    predicate: Tensor,
    true_value: Operand,
    false_value: Operand,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> Result:
    """`true_value` where `predicate` is not 0, else `false_value`; exact.

    The result has the dtype of `true_value`, or of the one that is a tensor, or of `predicate` if neither is.

    Raises ArgumentError for shapes that do not broadcast, and values whose dtypes do not go together.
    """
    x = require_tensor("where", "predicate", predicate)
    values: list[Any] = [true_value, false_value]
    tensors = [value for value in values if type(value) is Tensor]
    dtype = tensors[0].dtype if tensors else x.dtype
    for i, argument in enumerate(("true_value", "false_value")):
        if type(values[i]) is not Tensor:
            value = number("where", argument, values[i])
            values[i] = np.float32(value) if dtype.is_float else _whole("where", dtype, value)
    # With one number, the tensor beside it says where the result goes.
    first = 0 if len(tensors) != 1 else 1 if type(values[0]) is Tensor else 2
    attributes = _attributes("where", memory_config, output_tensor, first)
    memory, (y,) = launch(memory, _SELECT, (x, *values), attributes, output_tensor)
    return memory, y


# -- arithmetic -----------------------------------------------------------------------------------------------------------


def _output_specs(name: str, dtypes: tuple[DataType, ...], attributes: _Attributes, specs: Specs) -> tuple[TensorSpec]:
    tensors = [spec for spec in specs if spec is not None]
    first = tensors[0].dtype
    for spec in tensors:
        if spec.dtype not in dtypes:
            raise ArgumentError(f"{name}: inputs must be one of {_names(dtypes)}; got {spec}; convert it with typecast")
        if spec.dtype is not first and not (spec.dtype.is_float and first.is_float):
            raise ArgumentError(
                f"{name}: dtypes {first.kernel_name} and {spec.dtype.kernel_name} do not mix; typecast one of them"
            )
    dtype = attributes.dtype or first
    if dtype is not first and not (dtype.is_float and first.is_float):
        raise ArgumentError(f"{name}: a {first.kernel_name} result does not fit into a {dtype.kernel_name} output; typecast it")
    return _placed(name, attributes, specs, dtype)


def _kernel(
    name: str, dtypes: tuple[DataType, ...], attributes: _Attributes, specs: Specs, a: Array, b: Array, c: Array, factor: Array
) -> tuple[Array]:
    (spec,) = _output_specs(name, dtypes, attributes, specs)
    if not spec.dtype.is_float:
        function = ternary.FUNCTIONS[name].integers
        assert function is not None, name
        return (function(a, b, c, factor),)
    fp32_dest = float32 in (spec.dtype, *(s.dtype for s in specs if s is not None))
    return (packer.pack(ternary.of_floats(name, a, b, c, factor, fp32_dest), spec.dtype.kernel_name),)  # type: ignore[arg-type]


def _operation(name: str, dtypes: tuple[DataType, ...]) -> Operation:
    return Operation(name, functools.partial(_output_specs, name, dtypes), functools.partial(_kernel, name, dtypes))


_WHOLE = (*FLOATS, int32)
_LERP, _MAC, _ADDCMUL, _ADDCDIV = (
    _operation("lerp", _WHOLE),
    _operation("mac", _WHOLE),
    _operation("addcmul", _WHOLE),
    _operation("addcdiv", FLOATS),
)


def _run(
    operation: Operation,
    memory: MemoryState,
    operands: dict[str, Any],
    numbers: tuple[str, ...],
    value: float,
    memory_config: MemoryConfig | None,
    output: Tensor | None,
) -> Result:
    """Launch `operation`; the operands named in `numbers` may be numbers."""
    name = operation.name
    inputs: list[Any] = []
    dtype = None
    for argument, x in operands.items():
        if type(x) is not Tensor and argument in numbers and dtype is not None:
            value_of = number(name, argument, x)
            inputs.append(np.float32(value_of) if dtype.is_float else _whole(name, dtype, value_of))
            continue
        inputs.append(require_tensor(name, argument, x))
        dtype = dtype or x.dtype
    assert dtype is not None
    factor = number(name, "value", value)
    inputs.append(np.float32(factor) if dtype.is_float else _whole(name, dtype, factor))
    memory, (y,) = launch(memory, operation, inputs, _attributes(name, memory_config, output), output)
    return memory, y


@supported(Support(_WHOLE))
def lerp(
    memory: MemoryState,
    input: Tensor,
    end: Tensor,
    weight: Operand,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> Result:
    """`input + weight * (end - input)`, in float32 and rounded once. Raises ArgumentError for shapes or dtypes that do not fit."""
    operands = {"input": input, "end": end, "weight": weight}
    return _run(_LERP, memory, operands, ("weight",), 1.0, memory_config, output_tensor)


@supported(Support(_WHOLE))
def mac(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Operand,
    input_tensor_c: Operand,
    *,
    memory_config: MemoryConfig | None = None,
) -> Result:
    """`a * b + c`, in float32 and rounded once. Raises ArgumentError for shapes or dtypes that do not fit."""
    operands = {"input_tensor_a": input_tensor_a, "input_tensor_b": input_tensor_b, "input_tensor_c": input_tensor_c}
    return _run(_MAC, memory, operands, ("input_tensor_b", "input_tensor_c"), 1.0, memory_config, None)


@supported(Support(_WHOLE))
def addcmul(
    memory: MemoryState,
    input_a: Tensor,
    input_b: Tensor,
    input_c: Tensor,
    *,
    value: float = 1.0,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> Result:
    """`a + value * b * c`, in float32 and rounded once. Raises ArgumentError for shapes or dtypes that do not fit."""
    operands = {"input_a": input_a, "input_b": input_b, "input_c": input_c}
    return _run(_ADDCMUL, memory, operands, (), value, memory_config, output_tensor)


@supported(Support(FLOATS))
def addcdiv(
    memory: MemoryState,
    input_a: Tensor,
    input_b: Tensor,
    input_c: Tensor,
    *,
    value: float = 1.0,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> Result:
    """`a + value * b / c`, in float32 and rounded once. Raises ArgumentError for shapes or dtypes that do not fit."""
    operands = {"input_a": input_a, "input_b": input_b, "input_c": input_c}
    return _run(_ADDCDIV, memory, operands, (), value, memory_config, output_tensor)
