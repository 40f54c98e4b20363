"""Dtypes and fidelities chosen from outside for a program's arguments and operations, and the run of it that they make."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.context import Context, active
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import FLOATS, DataType, bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.events import Event, observed_by
from tt_jax.functionalize import functionalize
from tt_jax.kernels.numerics import Level, numerics
from tt_jax.layout import TILE_LAYOUT
from tt_jax.measures import named_dtype
from tt_jax.memory import MemoryState
from tt_jax.ops.creation import as_array, from_array
from tt_jax.origins import Origins, Site, call_site
from tt_jax.plan import is_functional, unjitted
from tt_jax.program import Operation, place
from tt_jax.program_cache import ProgramCache
from tt_jax.tensor import Tensor
from tt_jax.work import Work


@dataclasses.dataclass(frozen=True)
class Choices:
    """What to run a program with instead of its own choices.

    Attributes:
        dtypes: by argument (what it is stored as) or operation (of its result).
        fidelity: by operation.

    An operation goes by its name, for all its launches, or by name and number as in "linear[1]", counted from 0, for one of them,
    which counts more. Arguments go by their path, such as "weight" or "parameters.bias".
    """

    dtypes: Mapping[str, DataType] = dataclasses.field(default_factory=dict)
    fidelity: Mapping[str, MathFidelity] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        named = [*((k, d.kernel_name) for k, d in self.dtypes.items()), *((k, f.name) for k, f in self.fidelity.items())]
        return ", ".join(f"{key} {value}" for key, value in named) or "the program's own"


EVERY_PRODUCT = "*"
"""In `Choices.fidelity`: every operation that multiplies matrices and has no entry of its own."""


def named_fidelity(fidelity: MathFidelity | str) -> MathFidelity:
    """`fidelity`, or the one of that name in any case. Raises ArgumentError on another."""
    known = {f.name.lower(): f for f in MathFidelity}
    found = known.get(fidelity.lower()) if isinstance(fidelity, str) else fidelity
    if not isinstance(found, MathFidelity):
        raise ArgumentError(
            f"`fidelity` must be one of {', '.join(f.name for f in MathFidelity)}, or its MathFidelity, got {fidelity!r}"
        )
    return found


def choices_of(dtypes: Mapping[str, DataType | str] | None, fidelity: Any) -> Choices:
    """Choices from what a user writes: dtypes and fidelities or their names; one fidelity for every matrix product.

    Raises ArgumentError on another, and on a dtype that is no float.
    """
    named = {key: named_dtype(dtype) for key, dtype in (dtypes or {}).items()}
    for key, dtype in named.items():
        if dtype not in FLOATS:
            raise ArgumentError(
                f"`dtypes[{key!r}]` is {dtype.kernel_name}: choose among {', '.join(d.kernel_name for d in FLOATS)}"
            )
    if fidelity is None:
        return Choices(named)
    if not isinstance(fidelity, Mapping):
        fidelity = {EVERY_PRODUCT: fidelity}
    return Choices(named, {key: named_fidelity(value) for key, value in fidelity.items()})


class Call(NamedTuple):
    """One launch of a run.

    Attributes:
        name: of the operation.
        number: which of that name's launches, from 0.
        site: the user's line.
        operation, attributes: what ran.
        inputs: tensors, and bare arrays for numbers.
        outputs: tensors.
        kernel: of its program.
        work: of its matrix products, None without any.
    """

    name: str
    number: int
    site: Site | None
    operation: Operation
    attributes: Any
    inputs: Sequence[Any]
    outputs: Sequence[Tensor]
    kernel: Callable[..., tuple[jax.Array, ...]]
    work: Work | None

    @property
    def fidelity(self) -> MathFidelity | None:
        """Of its products; None where it has no such choice."""
        return fidelity_in(self.attributes)

    @property
    def dtype(self) -> DataType | None:
        """Of its result, where that is a float that it lets its caller choose; else None."""
        dtype = getattr(self.attributes, "dtype", None)
        return dtype if isinstance(dtype, DataType) and dtype in FLOATS else None


class Run(NamedTuple):
    """What a program did.

    Attributes:
        calls: its launches, in order.
        arguments: its tensors by their paths, as they were placed.
        outputs: the tensors that it returned.
    """

    calls: tuple[Call, ...]
    arguments: dict[str, Tensor]
    outputs: tuple[Tensor, ...]

    def labels(self) -> list[str]:
        """Each launch's name, with its number where the name occurs more than once."""
        names = [call.name for call in self.calls]
        return [call.name if names.count(call.name) == 1 else f"{call.name}[{call.number}]" for call in self.calls]


def fidelity_in(attributes: Any) -> MathFidelity | None:
    """The fidelity that an operation's attributes ask for, None if they have none."""
    compute, arithmetic = getattr(attributes, "compute", None), getattr(attributes, "arithmetic", None)
    if isinstance(compute, ComputeKernelConfig):
        return compute.math_fidelity
    return None if arithmetic is None else MathFidelity[arithmetic.fidelity]


def _with_fidelity(attributes: Any, fidelity: MathFidelity) -> Any:
    if getattr(attributes, "arithmetic", None) is not None:
        return attributes._replace(arithmetic=attributes.arithmetic._replace(fidelity=fidelity.name))
    return attributes._replace(compute=dataclasses.replace(attributes.compute, math_fidelity=fidelity))


class _Chooser:
    """Applies choices launch by launch, and remembers which of them it has met."""

    def __init__(self, choices: Choices):
        self.choices = choices
        self.met: set[str] = set()
        self._counts: dict[str, int] = {}

    def _choice(self, table: Mapping[str, Any], name: str, index: int) -> Any:
        self.met |= {key for key in (f"{name}[{index}]", name) if key in table}
        return table.get(f"{name}[{index}]", table.get(name))

    def __call__(self, operation: Operation, attributes: Any) -> Any:
        name = operation.name_of(attributes)
        index = self._counts[name] = self._counts.get(name, -1) + 1
        dtype = self._choice(self.choices.dtypes, name, index)
        if dtype is not None:
            if getattr(attributes, "dtype", None) not in FLOATS:
                raise ArgumentError(f"`dtypes[{name!r}]`: {name} has no dtype to choose; its result has that of its input")
            attributes = attributes._replace(dtype=dtype)
        fidelity = self._choice(self.choices.fidelity, name, index)
        if fidelity is None and operation.work is not None and fidelity_in(attributes) is not None:
            fidelity = self.choices.fidelity.get(EVERY_PRODUCT)
        if fidelity is not None and fidelity_in(attributes) is None:
            raise ArgumentError(f"`fidelity[{name!r}]`: {name} has no fidelity to choose")
        return attributes if fidelity is None else _with_fidelity(attributes, fidelity)


def run(
    program: Callable[..., Any],
    inputs: Sequence[Any] | Mapping[str, Any],
    level: Level,
    choices: Choices,
    device: DeviceProfile,
) -> Run:
    """Run `program` (functional, or written for ttnn) at `level` in an empty memory of `device`.

    Each array in `inputs` (a sequence of arguments, or a mapping by name; arrays may lie in lists, tuples, dicts and registered pytrees)
    becomes a tensor in DRAM: floats bfloat16 in TILE layout, or the dtype that `choices` have for their path, integers in theirs
    in ROW_MAJOR layout. A `Tensor` keeps its spec and its values. Everything else passes as it is.

    Raises ArgumentError where a choice fits nothing in the program, or something that has no such choice.
    """
    program = unjitted(program)
    functional = program if is_functional(program) else functionalize(program)
    chooser = _Chooser(choices)
    context = Context(ProgramCache(), Origins(None), choose=chooser)
    calls: list[Call] = []
    counts: dict[str, int] = {}

    def observe(event: Event) -> None:
        if event.context is None or event.context.origins is not context.origins or event.launch is None:
            return
        index = counts[event.name] = counts.get(event.name, -1) + 1
        launch = event.launch
        work = launch.operation.work
        specs = tuple(x.spec if type(x) is Tensor else None for x in event.inputs)
        calls.append(
            Call(
                event.name,
                index,
                event.site or call_site(),
                launch.operation,
                launch.attributes,
                tuple(event.inputs),
                tuple(event.outputs),
                launch.program.kernel,
                None if work is None else work(launch.attributes, specs),
            )
        )

    token = active.set(context)
    try:
        with numerics(level):
            memory = MemoryState.create(device)
            memory, args, kwargs, arguments = _placed(memory, functional, inputs, choices)
            with observed_by(observe):
                returned = functional(memory, *args, **kwargs)
    finally:
        active.reset(token)
    if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], MemoryState)):
        raise ArgumentError(f"a functional program returns (memory, result), got {type(returned).__name__}")
    leaves = jax.tree_util.tree_leaves(returned[1], is_leaf=lambda x: isinstance(x, Tensor))
    outputs = tuple(x for x in leaves if isinstance(x, Tensor))
    result = Run(tuple(calls), arguments, outputs)
    known = chooser.met | set(arguments) | {EVERY_PRODUCT}
    if unknown := [key for key in (*choices.dtypes, *choices.fidelity) if key not in known]:
        raise ArgumentError(
            f"nothing in the program is called {unknown[0]!r}: its operations are {', '.join(dict.fromkeys(result.labels()))}, its "
            f"arguments {', '.join(arguments) or 'none'}"
        )
    return result


def _placed(
    memory: MemoryState, functional: Callable[..., Any], inputs: Sequence[Any] | Mapping[str, Any], choices: Choices
) -> tuple[MemoryState, list[Any], dict[str, Any], dict[str, Tensor]]:
    """Memory with the tensors of `inputs`, the arguments, positional and named, and the tensors by their paths."""
    is_named = isinstance(inputs, Mapping)
    if not is_named and (isinstance(inputs, str) or not isinstance(inputs, Sequence)):
        raise ArgumentError(
            f"`inputs` must be a sequence of the program's arguments, or a mapping by name, got {type(inputs).__name__}"
        )
    names = list(inputs) if is_named else _parameters(functional, len(inputs))
    tensors: dict[str, Tensor] = {}
    args = []
    for name, argument in zip(names, inputs.values() if is_named else inputs, strict=True):  # type: ignore[union-attr]
        leaves, structure = jax.tree_util.tree_flatten_with_path(argument, is_leaf=lambda x: isinstance(x, Tensor))
        placed = []
        for path, leaf in leaves:
            label = name + jax.tree_util.keystr(path)
            if isinstance(leaf, Tensor) or hasattr(leaf, "dtype") and hasattr(leaf, "shape"):
                memory, leaf = _stored(memory, label, leaf, choices.dtypes.get(label))
                tensors[label] = leaf
            placed.append(leaf)
        args.append(jax.tree_util.tree_unflatten(structure, placed))
    return (memory, [], dict(zip(names, args, strict=True)), tensors) if is_named else (memory, args, {}, tensors)


def _parameters(functional: Callable[..., Any], count: int) -> list[str]:
    """The names of the first `count` parameters after the memory; "argument 3" for one that has no name of its own."""
    try:
        parameters = list(inspect.signature(functional).parameters.values())[1:]
    except ValueError:
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names[:count], *(f"argument {i}" for i in range(len(names), count))]


def _stored(memory: MemoryState, label: str, value: Any, dtype: DataType | None) -> tuple[MemoryState, Tensor]:
    if not isinstance(value, Tensor):
        array = as_array("inputs", label, value)
        if array.dtype.kind in "biu":
            if dtype is not None:
                raise ArgumentError(f"`dtypes[{label!r}]` is {dtype.kernel_name}, but the argument holds integers")
            return from_array(memory, array)
        return from_array(memory, array, dtype=dtype or bfloat16, layout=TILE_LAYOUT)
    spec = value.spec
    if dtype is None or dtype is spec.dtype:
        memory, buffer = place(memory, spec, f"argument {label}")
        return memory, Tensor(value.array, spec, buffer)
    return from_array(memory, value.array, dtype=dtype, layout=spec.layout, memory_config=spec.memory_config)
