"""Dtypes and fidelities chosen from outside for a program's arguments and operations, and the run of it that they make."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.core import Tracer

from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.context import Context, active
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import FLOATS, DataType, bfloat4_b, bfloat8_b, bfloat16
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.events import Event, observed_by
from tt_jax.functionalize import functionalize
from tt_jax.kernels.numerics import Level, numerics
from tt_jax.layout import TILE_LAYOUT
from tt_jax.measures import named_dtype
from tt_jax.memory import MemoryState
from tt_jax.ops.creation import as_array, from_array
from tt_jax.origins import Origins, Site, call_site
from tt_jax.plan import Plan, is_functional, plan_of, unjitted
from tt_jax.program import Operation, Specs, place, takes_dtype
from tt_jax.program_cache import ProgramCache
from tt_jax.tensor import Tensor
from tt_jax.timeline import Timeline
from tt_jax.work import Work


@dataclasses.dataclass(frozen=True)
class Choices:
    """What to run a program with instead of its own choices.

    Attributes:
        dtypes: by argument (what it is stored as) or operation (of its result).
        fidelity: by operation.

    An operation goes by its name, for all its launches, or by name and number as in "matmul[1]", counted from 0, for one of them,
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
        dtype: of its result, where its caller can choose that (see `takes_a_dtype`), else None.
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
    dtype: DataType | None

    @property
    def fidelity(self) -> MathFidelity | None:
        """Of its products; None where it has no such choice."""
        return fidelity_in(self.attributes)


class Run(NamedTuple):
    """What a program did.

    Attributes:
        calls: its launches, in order.
        arguments: its tensors by their paths, as they were placed.
        outputs: the tensors that it returned.
        plan: what it did to the memory, from its arguments' on.
        bytes: of all tensors that were placed, arguments and results, over all banks.
    """

    calls: tuple[Call, ...]
    arguments: dict[str, Tensor]
    outputs: tuple[Tensor, ...]
    plan: Plan
    bytes: int

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


SETTABLE = (bfloat16, bfloat8_b, bfloat4_b)
"""What an operation's result can be chosen among, and from. Not float32, whose operations have a wider destination register."""


def takes_a_dtype(operation: Operation, attributes: Any, specs: Specs, given: bool) -> bool:
    """Whether the dtype of a launch's result is its caller's to choose, among `SETTABLE`.

    Not of a result that goes where a tensor lies already (`given`, or in place), nor of operations without a `dtype` argument.
    """
    if given or operation.in_place is not None or "dtype" not in getattr(attributes, "_fields", ()):
        return False
    return takes_dtype(operation.name_of(attributes)) and operation.output_specs(attributes, specs)[0].dtype in SETTABLE


class _Chooser:
    """Applies choices launch by launch, and remembers which of them it has met. `counts`: launches so far, by name."""

    def __init__(self, choices: Choices, counts: Mapping[str, int]):
        self.choices = choices
        self.met: set[str] = set()
        self._counts = counts

    def _choice(self, table: Mapping[str, Any], name: str, label: str) -> Any:
        self.met |= {key for key in (label, name) if key in table}
        return table.get(label, table.get(name))

    def __call__(self, operation: Operation, attributes: Any, specs: Specs, output: Tensor | None) -> Any:
        name = operation.name_of(attributes)
        label = f"{name}[{self._counts.get(name, 0)}]"
        dtype = self._choice(self.choices.dtypes, name, label)
        if dtype is not None:
            if dtype not in SETTABLE:
                raise ArgumentError(
                    f"`dtypes` for {label}: {dtype.kernel_name} is not to be chosen from outside: for it an operation computes "
                    "otherwise; ask for it in the program"
                )
            if not takes_a_dtype(operation, attributes, specs, output is not None):
                raise ArgumentError(
                    f"`dtypes` for {label}: its result's dtype is not to be chosen; it is float32 or an integer, that of its input, "
                    "or of the tensor that it is written to"
                )
            attributes = attributes._replace(dtype=dtype)
        fidelity = self._choice(self.choices.fidelity, name, label)
        if fidelity is None and operation.work is not None and fidelity_in(attributes) is not None:
            fidelity = self.choices.fidelity.get(EVERY_PRODUCT)
        if fidelity is not None and fidelity_in(attributes) is None:
            raise ArgumentError(f"`fidelity` for {label}: it has no fidelity to choose")
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
    in ROW_MAJOR layout. A `Tensor` keeps its spec and its values. Everything else passes as it is, numbers and arrays of rank 0 too.

    Raises ArgumentError where a choice fits nothing in the program, or something that has no such choice; NotModelledError for a
    `device` on a mesh.
    """
    if device.mesh is not None:
        raise NotModelledError(f"comparing programs on a mesh ({device.described}) is not modelled: give it one chip's share")
    program = unjitted(program)
    functional = program if is_functional(program) else functionalize(program)
    calls: list[Call] = []
    counts: dict[str, int] = {}
    chooser = _Chooser(choices, counts)
    context = Context(ProgramCache(), Origins(None), choose=chooser)
    placed: list[Tensor] = []

    def observe(event: Event) -> None:
        if event.context is None or event.context.origins is not context.origins:
            return
        placed.extend(y for y in event.outputs if y.buffer in event.allocated)
        if event.launch is not None:
            number = counts.get(event.name, 0)
            counts[event.name] = number + 1
            calls.append(_call(event, number))

    token = active.set(context)
    try:
        with numerics(level):
            memory = MemoryState.create(device)
            timeline = Timeline(memory, context)
            with observed_by(timeline, timeline.refused):
                memory, args, kwargs, arguments = _placed(memory, functional, inputs, choices)
                with observed_by(observe):
                    returned = functional(memory, *args, **kwargs)
    finally:
        active.reset(token)
    if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], MemoryState)):
        raise ArgumentError(f"a functional program returns (memory, result), got {type(returned).__name__}")
    if any(isinstance(y.array, Tracer) for call in calls for y in call.outputs):
        raise ArgumentError(
            "the program has operations under jax.jit, lax.scan or another transformation, whose values are not seen: leave it out"
        )
    timeline.reach(returned[0])
    leaves = jax.tree_util.tree_leaves(returned[1], is_leaf=lambda x: isinstance(x, Tensor))
    outputs = tuple(x for x in leaves if isinstance(x, Tensor))
    size = sum(x.spec.num_pages * x.spec.page_size for x in (*arguments.values(), *placed))
    plan = plan_of(timeline, tuple(x.buffer for x in arguments.values()), result=returned[1], is_function=True)
    result = Run(tuple(calls), arguments, outputs, plan, size)
    unknown = [key for key in choices.dtypes if key not in chooser.met | arguments.keys()]
    unknown += [key for key in choices.fidelity if key not in chooser.met | {EVERY_PRODUCT}]
    if unknown:
        raise ArgumentError(
            f"nothing that has such a choice is called {unknown[0]!r} in the program: its operations are "
            f"{', '.join(dict.fromkeys(result.labels()))}, its arguments {', '.join(arguments) or 'none'}"
        )
    return result


def _call(event: Event, number: int) -> Call:
    launch = event.launch
    assert launch is not None  # asked before
    operation, attributes = launch.operation, launch.attributes
    specs = tuple(x.spec if type(x) is Tensor else None for x in event.inputs)
    outputs = event.outputs
    is_free = bool(outputs) and takes_a_dtype(operation, attributes, specs, outputs[0].buffer not in event.allocated)
    return Call(
        event.name,
        number,
        event.site or call_site(),
        operation,
        attributes,
        tuple(event.inputs),
        tuple(outputs),
        launch.program.kernel,
        None if operation.work is None else operation.work(attributes, specs),
        outputs[0].dtype if is_free else None,
    )


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
            if isinstance(leaf, Tensor) or (hasattr(leaf, "dtype") and len(getattr(leaf, "shape", ()))):
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
