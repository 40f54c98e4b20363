"""The one device operation behind every element-wise function of one tensor: a chain of functions in one program."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jax import Array

from tt_jax.activations import UnaryOpType, UnaryWithParam, as_activation
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import FLOATS, DataType, float32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.footprint import Footprint, footprint
from tt_jax.kernels import packer, unary, unary_integer
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_options
from tt_jax.ops._support import Support
from tt_jax.program import Operation, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.tile import Tile


class UnaryAttributes(NamedTuple):
    """What a program applies, under the name of the operation that asked, and dtype and placement of its output (None: the input's)."""

    name: str
    chain: tuple[UnaryWithParam, ...]
    dtype: DataType | None
    memory_config: MemoryConfig | None


def _require_integers(name: str, chain: tuple[UnaryWithParam, ...], spec: TensorSpec) -> None:
    limits = np.iinfo(spec.dtype.carrier)
    for step in chain:
        function = unary_integer.FUNCTIONS.get(step.op_type.function)
        if function is None or spec.dtype.kernel_name not in function.dtypes:
            allowed = ", ".join(function.dtypes) if function else "no integer"
            raise ArgumentError(
                f"{name}: `input_tensor` is {spec}, and the device computes {step.op_type.function} of floats and of {allowed}; "
                "convert it with typecast"
            )
        for value in step.params:
            if step.op_type is UnaryOpType.LEAKY_RELU:
                continue  # an unsigned number has no negative part for the slope to scale
            if value != int(value) or not limits.min <= value <= limits.max:
                raise ArgumentError(f"{name}: {value} is no {spec.dtype.kernel_name}, which the tensor is ({spec})")


def _output_specs(attributes: UnaryAttributes, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (spec,), name = specs, attributes.name
    dtype = attributes.dtype or spec.dtype
    if spec.dtype.is_float:
        for step in attributes.chain:
            as_activation(name, step)
    else:
        _require_integers(name, attributes.chain, spec)
    if dtype.is_float != spec.dtype.is_float or not (dtype.is_float or dtype is spec.dtype):
        raise NotModelledError(
            f"{name}: a {dtype.kernel_name} result of a {spec.dtype.kernel_name} tensor is not modelled; typecast one of them"
        )
    return (spec.replace(dtype=dtype, memory_config=attributes.memory_config or spec.memory_config),)


def _kernel(attributes: UnaryAttributes, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    chain = tuple(step.function for step in attributes.chain)
    source, dtype = specs[0].dtype, attributes.dtype or specs[0].dtype
    if not source.is_float:
        return (unary_integer.apply_chain(chain, x),)
    dst = unary.apply_chain(chain, x, float32 in (source, dtype))
    return (packer.pack(dst, dtype.kernel_name),)  # type: ignore[arg-type]


_WITH_MORE = ("HARDSHRINK", "CBRT", "LOGIT")


def _footprint(attributes: UnaryAttributes, specs: tuple[TensorSpec], device: DeviceProfile) -> Footprint | None:
    """Two tiles of the input and two of the output on every core; not known of rows and shards.

    Source: the recorded clashes (measured for bfloat16 in DRAM, assumed for other dtypes). A bound for the functions that keep an
    intermediate tile (read in source).
    """
    (spec,) = specs
    sharded = any(config is not None and config.is_sharded() for config in (spec.memory_config, attributes.memory_config))
    if spec.layout is not Layout.TILE or sharded:
        return None
    sizes = (2 * spec.page_size, 2 * (attributes.dtype or spec.dtype).tile_bytes)
    return footprint(device, sizes, is_exact=not any(step.op_type.name in _WITH_MORE for step in attributes.chain))


class EntryPart(NamedTuple):
    """What the device's key has of the input: not its shape. Source: programs_*.json.gz (measured)."""

    dtype: DataType
    layout: Layout
    memory_config: MemoryConfig
    tile: Tile


def _entry(attributes: UnaryAttributes, specs: tuple[TensorSpec]) -> tuple[EntryPart]:
    (spec,) = specs
    return (EntryPart(spec.dtype, spec.layout, spec.memory_config, spec.tile),)


def _called(attributes: UnaryAttributes) -> str:
    return attributes.name


UNARY = Operation("unary", _output_specs, _kernel, footprint=_footprint, entry=_entry, called=_called)
UNARY_IN_PLACE = Operation("unary", _output_specs, _kernel, in_place=0, footprint=_footprint, entry=_entry, called=_called)


def output_options(
    name: str, x: TensorSpec, memory_config: MemoryConfig | None, output_tensor: Tensor | None
) -> tuple[DataType | None, MemoryConfig | None]:
    """Dtype and placement of an output: those of `output_tensor` where one is given. Raises ArgumentError for no tensor."""
    if memory_config is not None:
        require_options(name, memory_config=memory_config)
    if output_tensor is None:
        return None, memory_config
    spec = require_tensor(name, "output_tensor", output_tensor).spec
    return (None if spec.dtype is x.dtype else spec.dtype), spec.memory_config


def apply(
    memory: MemoryState,
    name: str,
    input_tensor: Tensor,
    chain: tuple[UnaryWithParam, ...],
    memory_config: MemoryConfig | None,
    output_tensor: Tensor | None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` after `chain`, by one program: a new tensor, or in the buffer of `output_tensor`.

    Raises ArgumentError where `name`, the operation that asks, does not take what it was given.
    """
    x = require_tensor(name, "input_tensor", input_tensor)
    dtype, placement = output_options(name, x.spec, memory_config, output_tensor)
    memory, (y,) = launch(memory, UNARY, (x,), UnaryAttributes(name, chain, dtype, placement), output_tensor)
    return memory, y


def number(name: str, argument: str, value: Any) -> float:
    """`value`, if it is a number. Raises ArgumentError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ArgumentError(f"{name}: `{argument}` must be a number, got {value!r}")
    return float(value)


_INTEGERS = (DataType.INT32, DataType.UINT32, DataType.UINT16, DataType.UINT8, DataType.INT8)


def integers_of(op_type: UnaryOpType) -> tuple[DataType, ...]:
    """The integer dtypes that a function takes."""
    function = unary_integer.FUNCTIONS.get(op_type.function)
    return tuple(dtype for dtype in _INTEGERS if function is not None and dtype.kernel_name in function.dtypes)


_F = TypeVar("_F", bound=Callable[..., tuple[MemoryState, Tensor]])


def supports(op_type: UnaryOpType, floats: tuple[DataType, ...] = FLOATS) -> Callable[[_F], _F]:
    """Mark an operation with the dtypes of its function."""

    def mark(operation: _F) -> _F:
        operation.support = Support(floats + integers_of(op_type))  # type: ignore[attr-defined]
        return operation

    return mark
