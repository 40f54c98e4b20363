"""How a row of the tables of binary operations becomes a function: one factory for each signature that ttnn has."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

from tt_jax.dtypes import FLOATS, DataType, int32, uint16, uint32
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._eltwise import Attributes, Program, Rule, attributes_of, program, run
from tt_jax.ops._support import Support
from tt_jax.program import launch
from tt_jax.tensor import Tensor

INTEGERS = (int32, uint32, uint16)
NUMBERS = (*FLOATS, *INTEGERS)

Operand = Tensor | float
Activations = Sequence[Any] | None
Result = tuple[MemoryState, Tensor]


class Binary(Protocol):
    """A binary operation that may fuse activations."""

    __name__: str
    support: Support

    def __call__(
        self,
        memory: MemoryState,
        input_tensor_a: Operand,
        input_tensor_b: Operand,
        *,
        dtype: DataType | None = None,
        memory_config: MemoryConfig | None = None,
        output_tensor: Tensor | None = None,
        activations: Activations = None,
        input_tensor_a_activations: Activations = None,
        input_tensor_b_activations: Activations = None,
    ) -> Result: ...


class FastBinary(Protocol):
    """A binary operation that the FPU and the vector unit both can do."""

    __name__: str
    support: Support

    def __call__(
        self,
        memory: MemoryState,
        input_tensor_a: Operand,
        input_tensor_b: Operand,
        *,
        fast_and_approximate_mode: bool = True,
        dtype: DataType | None = None,
        memory_config: MemoryConfig | None = None,
        output_tensor: Tensor | None = None,
        activations: Activations = None,
        input_tensor_a_activations: Activations = None,
        input_tensor_b_activations: Activations = None,
    ) -> Result: ...


class PlainBinary(Protocol):
    """A binary operation without options but for the result's place."""

    __name__: str
    support: Support

    def __call__(
        self,
        memory: MemoryState,
        input_tensor_a: Tensor,
        input_tensor_b: Operand,
        *,
        memory_config: MemoryConfig | None = None,
    ) -> Result: ...


class InPlace(Protocol):
    """A binary operation whose result takes the first tensor's buffer."""

    __name__: str
    support: Support

    def __call__(
        self,
        memory: MemoryState,
        input_a: Tensor,
        input_b: Operand,
        *,
        fast_and_approximate_mode: bool = True,
        activations: Activations = None,
        input_tensor_a_activations: Activations = None,
        input_tensor_b_activations: Activations = None,
    ) -> Result: ...


class Row:
    """A row of the table: the device operations of a rule and what there is to say about them.

    `fast` is the mode when none is asked for. `rule` is the Rule's other fields.
    """

    def __init__(
        self,
        name: str,
        dtypes: tuple[DataType, ...],
        doc: str,
        *,
        fast: bool = True,
        note: str = "",
        function: str = "",
        **rule: Any,
    ):
        self.program: Program = program(Rule(name, function or name, dtypes, **rule))
        self.doc = doc
        self.default = Attributes(fast=fast)
        self.support = Support(dtypes, note=note)


_RAISES = """

    Raises:
        ArgumentError: shapes, dtypes or options do not fit, or a number does not fit the tensor's dtype.
        NotModelledError: an activation is not modelled. DeallocatedError, OutOfMemoryError: as in `launch`.
    """

_Function = TypeVar("_Function", bound=Callable[..., Any])


def dressed(function: _Function, name: str, doc: str, support: Support) -> _Function:
    """`function` under its name, with docstring and support."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.support = support  # type: ignore[attr-defined]
    return function


def supported(support: Support) -> Callable[[_Function], _Function]:
    """Decorator: say what an operation that is written out takes."""

    def mark(function: _Function) -> _Function:
        function.support = support  # type: ignore[attr-defined]
        return function

    return mark


def binary(row: Row) -> Binary:
    """The function of a row."""
    default = row.default
    name = row.program.rule.name

    def call(
        memory: MemoryState,
        input_tensor_a: Operand,
        input_tensor_b: Operand,
        *,
        dtype: DataType | None = None,
        memory_config: MemoryConfig | None = None,
        output_tensor: Tensor | None = None,
        activations: Activations = None,
        input_tensor_a_activations: Activations = None,
        input_tensor_b_activations: Activations = None,
    ) -> Result:
        attributes = default
        if not (
            dtype is None
            and memory_config is None
            and output_tensor is None
            and activations is None
            and input_tensor_a_activations is None
            and input_tensor_b_activations is None
        ):
            attributes = attributes_of(
                name,
                dtype=dtype,
                memory_config=memory_config,
                output_tensor=output_tensor,
                activations=activations,
                input_tensor_a_activations=input_tensor_a_activations,
                input_tensor_b_activations=input_tensor_b_activations,
            )
        return run(row.program, memory, input_tensor_a, input_tensor_b, attributes, output_tensor)

    doc = f"{row.doc} Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."
    return dressed(call, name, doc + _RAISES, row.support)  # type: ignore[return-value]


def fast_binary(row: Row) -> FastBinary:
    """The function of a row, with a fast form."""
    operation, default, promotes = row.program.operation, row.default, row.program.rule.promotes != "never"
    standard = default.fast
    name = row.program.rule.name

    def call(
        memory: MemoryState,
        input_tensor_a: Operand,
        input_tensor_b: Operand,
        *,
        fast_and_approximate_mode: bool = True,
        dtype: DataType | None = None,
        memory_config: MemoryConfig | None = None,
        output_tensor: Tensor | None = None,
        activations: Activations = None,
        input_tensor_a_activations: Activations = None,
        input_tensor_b_activations: Activations = None,
    ) -> Result:
        if (
            dtype is None
            and memory_config is None
            and output_tensor is None
            and activations is None
            and input_tensor_a_activations is None
            and input_tensor_b_activations is None
            and fast_and_approximate_mode is standard
        ):
            # The shortest way: this is what most calls are.
            if type(input_tensor_a) is Tensor and type(input_tensor_b) is Tensor:
                a, b = input_tensor_a.spec, input_tensor_b.spec
                if a.layout is b.layout and (a.dtype is b.dtype or not promotes):
                    memory, (y,) = launch(memory, operation, (input_tensor_a, input_tensor_b), default)
                    return memory, y
            attributes = default
        else:
            attributes = attributes_of(
                name,
                fast=fast_and_approximate_mode,
                dtype=dtype,
                memory_config=memory_config,
                output_tensor=output_tensor,
                activations=activations,
                input_tensor_a_activations=input_tensor_a_activations,
                input_tensor_b_activations=input_tensor_b_activations,
            )
        return run(row.program, memory, input_tensor_a, input_tensor_b, attributes, output_tensor)

    cast(dict[str, Any], call.__kwdefaults__)["fast_and_approximate_mode"] = standard
    mode = "on" if default.fast else "off"
    doc = (
        f"{row.doc} Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise. "
        f"`fast_and_approximate_mode` ({mode} unless said otherwise) chooses the FPU for bfloat16."
    )
    return dressed(call, name, doc + _RAISES, row.support)  # type: ignore[return-value]


def plain_binary(row: Row) -> PlainBinary:
    """The function of a row, without options."""
    name = row.program.rule.name

    def call(
        memory: MemoryState, input_tensor_a: Tensor, input_tensor_b: Operand, *, memory_config: MemoryConfig | None = None
    ) -> Result:
        attributes = row.default if memory_config is None else attributes_of(name, memory_config=memory_config)
        return run(row.program, memory, input_tensor_a, input_tensor_b, attributes)

    doc = f"{row.doc} Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."
    return dressed(call, name, doc + _RAISES, row.support)  # type: ignore[return-value]


def in_place(row: Row) -> InPlace:
    """The form of a row that puts the result into the first tensor's buffer, which must have its shape."""
    name = f"{row.program.rule.name}_"
    default = row.default

    def call(
        memory: MemoryState,
        input_a: Tensor,
        input_b: Operand,
        *,
        fast_and_approximate_mode: bool = True,
        activations: Activations = None,
        input_tensor_a_activations: Activations = None,
        input_tensor_b_activations: Activations = None,
    ) -> Result:
        attributes = default
        if not (
            activations is input_tensor_a_activations is input_tensor_b_activations is None
            and fast_and_approximate_mode is default.fast
        ):
            attributes = attributes_of(
                name,
                fast=fast_and_approximate_mode,
                activations=activations,
                input_tensor_a_activations=input_tensor_a_activations,
                input_tensor_b_activations=input_tensor_b_activations,
            )
        return run(row.program, memory, input_a, input_b, attributes, in_place=True)

    cast(dict[str, Any], call.__kwdefaults__)["fast_and_approximate_mode"] = default.fast
    doc = f"{row.doc} The result takes the buffer of `input_a`, and must have its shape."
    return dressed(call, name, doc + _RAISES, row.support)  # type: ignore[return-value]
