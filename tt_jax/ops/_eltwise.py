"""What element-wise operations of two tensors have in common: dtypes, broadcasting, placement, numbers for tensors, the program.

An operation is a `Rule`, from which `operations` makes its device operation and the in-place one. Source: spec/numerics.md
sections 5.3 and 5.4, the recorded calls of reference/ (measured); dtypes and placement besides: tt-metal's public source.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.activations import as_activations
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType, bfloat16, float32, int32, uint32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.footprint import Footprint, footprint
from tt_jax.kernels import binary, convert, packer, rounding, unary
from tt_jax.kernels.eltwise import Engine
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_options
from tt_jax.ops._broadcast import Specs, broadcast_shapes, place
from tt_jax.ops.layout import tilized, typecast
from tt_jax.program import Operation, active_cache, free, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.tile import Tile

Chain = tuple[tuple[str, tuple[float, ...]], ...]


class Attributes(NamedTuple):
    """What a call asks for beside its operands; None for what the operands suggest.

    `fast` chooses the FPU where the vector unit could compute. `parameters` are those of the kernel's function.
    """

    dtype: DataType | None = None
    memory_config: MemoryConfig | None = None
    layout: Layout | None = None
    fast: bool = True
    activations: Chain = ()
    a_activations: Chain = ()
    b_activations: Chain = ()
    parameters: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """An element-wise operation of two operands.

    Attributes:
        name: as ttnn spells it.
        function: its name in `kernels.binary`.
        dtypes: of the operands.
        mixes: which different dtypes go together: any floats, float32 with bfloat16, or none.
        promotes: when a 32-bit integer tensor becomes a float one.
        numbers: where a number may stand for a tensor.
        exact_number: whether a number keeps its float32 value beside a bfloat16 tensor; else it is rounded to bfloat16.
        vector_unit: whether it runs on the vector unit whatever the dtypes, unless the fast form is asked for.
        whole_to_float: whether two int32 operands give float32.
    """

    name: str
    function: str
    dtypes: tuple[DataType, ...]
    mixes: Literal["floats", "float32 with bfloat16", "none"] = "floats"
    promotes: Literal["never", "beside a float number", "beside a float"] = "never"
    numbers: Literal["either", "right", "none"] = "either"
    exact_number: bool = False
    vector_unit: bool = False
    whole_to_float: bool = False

    def engine(self, a: DataType, b: DataType, fast: bool) -> Engine:
        """Which unit computes floats of dtypes `a` and `b`."""
        if a is b is float32:
            return "sfpu"
        if self.vector_unit:
            return "fpu" if fast else "sfpu"
        return "sfpu" if a is b is bfloat16 and not fast else "fpu"


def dtypes_of(specs: Specs) -> tuple[DataType, DataType]:
    """The dtypes of both operands; a number has that of the tensor."""
    a, b = specs
    first, second = a or b, b or a
    assert first is not None and second is not None
    return first.dtype, second.dtype


def require_dtypes(rule: Rule, specs: Specs) -> None:
    """Raise ArgumentError unless the operands' dtypes are the operation's, and go together."""
    for argument, spec in zip(("input_tensor_a", "input_tensor_b"), specs, strict=True):
        if spec is not None and spec.dtype not in rule.dtypes:
            names = ", ".join(dtype.kernel_name for dtype in rule.dtypes)
            raise ArgumentError(
                f"{rule.name}: the dtype of `{argument}` ({spec}) is not supported for binary operation {rule.name}, which takes "
                f"{names}; convert it with typecast"
            )
    a, b = dtypes_of(specs)
    mixed_floats = rule.mixes == "floats" and a.is_float and b.is_float
    if a is not b and not mixed_floats and not (rule.mixes == "float32 with bfloat16" and {a, b} == {float32, bfloat16}):
        raise ArgumentError(
            f"{rule.name}: Mixed dtype is not supported for binary operation {rule.name}, got {a.kernel_name} and {b.kernel_name}; "
            "typecast one of them"
        )


def _output_dtype(rule: Rule, attributes: Attributes, specs: Specs) -> DataType:
    a, b = dtypes_of(specs)
    if rule.whole_to_float and not a.is_float and not b.is_float:
        return attributes.dtype or float32
    return attributes.dtype or a


def _output_specs(rule: Rule, attributes: Attributes, specs: Specs) -> tuple[TensorSpec]:
    require_dtypes(rule, specs)
    a, b = specs
    tensors = [spec for spec in specs if spec is not None]
    dtype = _output_dtype(rule, attributes, specs)
    natural = _output_dtype(rule, attributes._replace(dtype=None), specs)
    if rule.whole_to_float and not tensors[0].dtype.is_float and dtype is not float32:
        raise ArgumentError(
            f"{rule.name}: integers give float32, not {dtype.kernel_name}; pass a rounding_mode, or typecast it"
        )
    if natural.is_float and not dtype.is_float and not binary.is_boolean(rule.function):
        raise NotModelledError(f"{rule.name}: a {dtype.kernel_name} result of floats is not modelled; typecast it")
    if not tensors[0].dtype.is_float and not rule.whole_to_float:
        for argument in ("activations", "a_activations", "b_activations"):
            if getattr(attributes, argument):
                raise NotModelledError(f"{rule.name}: activations of integers are not modelled; apply them to the result")
    shape = broadcast_shapes(rule.name, *(spec.shape for spec in tensors))
    row_major = all(spec.layout is Layout.ROW_MAJOR for spec in tensors)
    layout = attributes.layout or (Layout.ROW_MAJOR if row_major else Layout.TILE)
    return (TensorSpec(shape, dtype, layout, place(specs, shape, attributes.memory_config), tensors[0].tile),)


def _in_place_specs(rule: Rule, attributes: Attributes, specs: Specs) -> tuple[TensorSpec]:
    a = specs[0]
    assert a is not None
    (result,) = _output_specs(rule, attributes._replace(dtype=a.dtype, memory_config=a.memory_config, layout=a.layout), specs)
    if result != a:
        raise ArgumentError(f"{rule.name}_: the result ({result}) does not fit into the first operand ({a}); use {rule.name}")
    return (a,)


def _operand(rule: Rule, x: Array, spec: TensorSpec | None, dtype: DataType, chain: Chain, fp32_dest: bool) -> Array:
    """An operand as the function takes it: rounded if it is a number, and after its activations."""
    if spec is None and dtype is not float32 and not rule.exact_number:
        x = rounding.nearest_even_bfloat16(x)
    return unary.apply_chain(chain, x, fp32_dest) if chain else x


def _kernel(rule: Rule, attributes: Attributes, specs: Specs, a: Array, b: Array) -> tuple[Array]:
    dtype_a, dtype_b = dtypes_of(specs)
    dtype = _output_dtype(rule, attributes, specs)
    if not dtype_a.is_float and not rule.whole_to_float:
        y = binary.of_integers(rule.function, a, b, attributes.parameters)
        if y.dtype == jnp.bool_:
            y = y.astype(dtype_a.carrier)
        return (convert.convert(y, dtype_a.kernel_name, dtype.kernel_name),)
    if not dtype_a.is_float:
        a, b, dtype_a, dtype_b = a.astype(jnp.float32), b.astype(jnp.float32), float32, float32
    fp32_dest = float32 in (dtype_a, dtype_b, dtype) or dtype in (int32, uint32)
    a = _operand(rule, a, specs[0], dtype_a, attributes.a_activations, fp32_dest)
    b = _operand(rule, b, specs[1], dtype_b, attributes.b_activations, fp32_dest)
    engine = rule.engine(dtype_a, dtype_b, attributes.fast)
    dst = binary.of_floats(rule.function, a, b, engine, fp32_dest, attributes.parameters)
    if attributes.activations:
        dst = unary.apply_chain(attributes.activations, dst, fp32_dest)
    if dtype.is_float:
        return (packer.pack(dst, dtype.kernel_name),)  # type: ignore[arg-type]
    return (convert.convert(rounding.widen(dst), "float32", dtype.kernel_name),)


class Program(NamedTuple):
    """The device operations of a rule: with a new output, and with the first operand's buffer."""

    rule: Rule
    operation: Operation
    in_place: Operation


def program(rule: Rule) -> Program:
    """The device operations of `rule`."""
    kernel, specs = functools.partial(_kernel, rule), functools.partial(_output_specs, rule)
    specs_in_place = functools.partial(_in_place_specs, rule)
    kept, kept_in_place = (functools.partial(_footprint, rule, of) for of in (specs, specs_in_place))
    return Program(
        rule,
        Operation(rule.name, specs, kernel, footprint=kept, entry=_entry),
        Operation(f"{rule.name}_", specs_in_place, kernel, in_place=0, footprint=kept_in_place, entry=_entry),
    )


_MEASURED = ("add", "subtract", "multiply", "divide")


def _footprint(
    rule: Rule,
    results: Callable[[Attributes, Specs], tuple[TensorSpec]],
    attributes: Attributes,
    specs: Specs,
    device: DeviceProfile,
) -> Footprint | None:
    """Two tiles of each tensor and of the result, one of a number, on every core; not known of rows and shards.

    A tensor that is repeated along rows or columns of the other's tiles has two tiles more, and an operand one for activations of its
    own. Source: spec/memory.md section 5.3 and the recorded clashes (measured for bfloat16, a repeated row and a number); which
    buffers those are: tt-metal, binary_ng_program_factory.cpp, so assumed for other dtypes and ways to repeat. A bound for rules whose
    program applies functions of its own to the operands.
    """
    (result,) = results(attributes, specs)
    tensors = [spec for spec in specs if spec is not None]
    if any(spec.layout is not Layout.TILE or spec.memory_config.is_sharded() for spec in (*tensors, result)):
        return None
    first = tensors[0]
    on_vector_unit = not first.dtype.is_float or rule.engine(first.dtype, first.dtype, attributes.fast) == "sfpu"
    number = first.dtype if on_vector_unit and not first.dtype.is_block_float else bfloat16
    pages = [first.page_size, tensors[1].page_size if len(tensors) == 2 else number.tile_bytes]
    repeated = _repeated(*(spec.shape for spec in tensors)) if len(tensors) == 2 else None
    buffers = (
        2 * pages[0],
        pages[0] if attributes.a_activations else 0,
        len(tensors) * pages[1],
        pages[1] if attributes.b_activations else 0,
        0 if repeated is None else 2 * pages[repeated],
        2 * result.page_size,
    )
    return footprint(device, [size for size in buffers if size], is_exact=rule.name in _MEASURED, kind="circular")


def _repeated(*shapes: tuple[int, ...]) -> int | None:
    """Which of two tensors is repeated along rows or columns of the other, 0 or 1; where each is, the one with a single row."""
    ends = [((1, 1) + shape)[-2:] for shape in shapes]
    if ends[0] == ends[1]:
        return None
    if (1, 1) in ends:
        return ends.index((1, 1))
    (rows, columns), (other_rows, _) = ends
    return int(rows != 1) if rows != other_rows else int(columns != 1)


class EntryPart(NamedTuple):
    """What the device's key has of an operand: not its shape, only along which of the last two dimensions it is repeated."""

    dtype: DataType
    layout: Layout
    memory_config: MemoryConfig
    tile: Tile
    is_repeated: tuple[bool, bool]


def _entry(attributes: Attributes, specs: Specs) -> tuple[EntryPart | None, ...]:
    """Source: programs_*.json.gz (measured)."""
    ends = [((1, 1) + spec.shape)[-2:] for spec in specs if spec is not None]
    high, wide = (max(sizes) for sizes in zip(*ends, strict=True))
    return tuple(
        None
        if spec is None
        else EntryPart(spec.dtype, spec.layout, spec.memory_config, spec.tile, (end[0] != high, end[1] != wide))
        for spec, end in zip(specs, ends if len(ends) == 2 else ends * 2, strict=True)
    )


def attributes_of(
    name: str,
    *,
    fast: bool = True,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    activations: Any = None,
    input_tensor_a_activations: Any = None,
    input_tensor_b_activations: Any = None,
    parameters: tuple[float, ...] = (),
) -> Attributes:
    """The options of a call, checked. An output tensor settles dtype, layout and memory config.

    Raises:
        ArgumentError: an option is of the wrong type, or the output tensor has another dtype than asked for.
        NotModelledError: an activation is not modelled.
    """
    require_options(name, dtype=dtype, memory_config=memory_config)
    if not isinstance(fast, bool | None):
        raise ArgumentError(f"{name}: `fast_and_approximate_mode` must be True or False, got {fast!r}")
    layout = None
    if output_tensor is not None:
        spec = require_tensor(name, "output_tensor", output_tensor).spec
        if dtype not in (None, spec.dtype):
            raise ArgumentError(f"{name}: `dtype` is {dtype!r}, but `output_tensor` is {spec}; leave one of them out")
        dtype, memory_config, layout = spec.dtype, spec.memory_config, spec.layout
    after, of_a, of_b = (
        tuple(activation.function for activation in as_activations(name, values)) if values else ()
        for values in (activations, input_tensor_a_activations, input_tensor_b_activations)
    )
    return Attributes(dtype, memory_config, layout, bool(fast), after, of_a, of_b, parameters)


def _item(value: Any) -> Any:
    """`value`, or the number in it if it is an array of none of JAX's tracers with no dimensions."""
    if isinstance(value, jax.Array | np.ndarray | np.generic) and value.ndim == 0 and not isinstance(value, jax.core.Tracer):
        return value.item()
    return value


def number(rule: Rule, argument: str, dtype: DataType, value: Any) -> Any:
    """`value` as the kernel takes it: float32, or the carrier of an integer `dtype`. Raises ArgumentError if it does not fit."""
    if isinstance(value, jax.Array) and value.ndim == 0 and (dtype.is_float or isinstance(value, jax.core.Tracer)):
        if jnp.issubdtype(value.dtype, jnp.integer) or (dtype.is_float and jnp.issubdtype(value.dtype, jnp.floating)):
            return value.astype(jnp.float32 if dtype.is_float else dtype.carrier)
    value = _item(value)
    if not isinstance(value, int | float):
        shape = f"an array of shape {np.shape(value)}" if hasattr(value, "shape") else repr(value)
        raise ArgumentError(f"{rule.name}: `{argument}` must be a Tensor or a number, got {shape}")
    if dtype.is_float:
        return (
            np.float32(value)
            if abs(value) <= _LARGEST or not math.isfinite(value)
            else np.float32(math.copysign(np.inf, value))
        )
    if rule.whole_to_float:
        return np.float32(value)
    limits = np.iinfo(dtype.carrier)
    if not math.isfinite(value) or int(value) != value or not limits.min <= value <= limits.max:
        raise ArgumentError(
            f"{rule.name}: {value} cannot be combined with a {dtype.kernel_name} tensor: it is no integer of that width"
        )
    return np.asarray(int(value), dtype.carrier)


_LARGEST = float(np.finfo(np.float32).max)


def _promotion(rule: Rule, x: Any, other: Any) -> DataType | None:
    """The float dtype that tensor `x` becomes beside `other`, None if it stays."""
    if type(x) is not Tensor or x.dtype not in (int32, uint32):
        return None
    if type(other) is Tensor:
        if rule.promotes != "beside a float":
            return None
        return (float32 if other.dtype is float32 else bfloat16) if other.dtype.is_float else None
    return float32 if isinstance(_item(other), float) else None


def run(
    program: Program,
    memory: MemoryState,
    a: Any,
    b: Any,
    attributes: Attributes,
    output: Tensor | None = None,
    *,
    in_place: bool = False,
) -> tuple[MemoryState, Tensor]:
    """Launch an operation on two tensors, or a tensor and a number. An integer tensor that needs it is made a float one first.

    Raises:
        ArgumentError: shapes, dtypes, layouts or options do not fit. DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    rule = program.rule
    first, second = type(a) is Tensor, type(b) is Tensor
    if not first and (in_place or not second or rule.numbers != "either"):
        require_tensor(rule.name, "input_tensor_a", a)
    if not second and rule.numbers == "none":
        require_tensor(rule.name, "input_tensor_b", b)
    if first and second and a.layout is not b.layout:
        if in_place and a.layout is Layout.ROW_MAJOR:
            raise ArgumentError(
                f"{rule.name}_: the result of {a.spec} and {b.spec} is in TILE layout, which does not fit into the first"
            )
        return _converted(program, memory, a, b, a.layout is Layout.ROW_MAJOR, tilized, attributes, output, in_place)
    if rule.promotes != "never":
        if (dtype := _promotion(rule, a, b)) is not None:
            if in_place:
                raise ArgumentError(
                    f"{rule.name}_: {a.spec} beside a float becomes {dtype.kernel_name}, which does not fit into it; use {rule.name}"
                )
            return _converted(program, memory, a, b, True, functools.partial(typecast, dtype=dtype), attributes, output, False)
        if (dtype := _promotion(rule, b, a)) is not None:
            return _converted(
                program, memory, a, b, False, functools.partial(typecast, dtype=dtype), attributes, output, in_place
            )
    if not first:
        a = number(rule, "input_tensor_a", b.dtype, a)
    elif not second:
        b = number(rule, "input_tensor_b", a.dtype, b)
    memory, (y,) = launch(memory, program.in_place if in_place else program.operation, (a, b), attributes, output)
    return memory, y


def _converted(
    program: Program,
    memory: MemoryState,
    a: Any,
    b: Any,
    first: bool,
    convert: Callable[[MemoryState, Tensor], tuple[MemoryState, Tensor]],
    attributes: Attributes,
    output: Tensor | None,
    in_place: bool,
) -> tuple[MemoryState, Tensor]:
    """`run` with one operand, the first or the second, converted by a program of its own, whose result is freed again."""
    with active_cache().all_or_nothing():
        memory, x = convert(memory, a if first else b)
        memory, y = run(program, memory, x if first else a, b if first else x, attributes, output, in_place=in_place)
        return free(memory, [x.buffer]), y
