"""Programs: what an operation compiles to for given specs, the cache that keeps them, and `launch`, the door to all of it.

An operation is three pure pieces: its output specs (validation and shapes, no arrays), its kernel (arrays only), and the L1
that its program takes while it runs. `launch` does the rest, in one place and one order, so that whatever fails leaves the
memory state, the program cache and the inputs as they were.
"""

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct
from jax.core import Tracer

from tt_jax import shortage
from tt_jax.context import Context, active
from tt_jax.devices import DeviceProfile
from tt_jax.errors import ArgumentError, DeallocatedError, OutOfMemoryError, TTError
from tt_jax.events import Event, Launch, Refusal, observers, refuse, tell
from tt_jax.footprint import Footprint, FreeL1
from tt_jax.kernels import numerics
from tt_jax.kernels.materialize import in_memory
from tt_jax.memory import DRAM_MEMORY_CONFIG, Buffer, MemoryState
from tt_jax.mesh import Mesh
from tt_jax.origins import Site
from tt_jax.program_cache import ProgramCache
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.traffic import Traffic
from tt_jax.work import Work

Specs = tuple[TensorSpec | None, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Operation:
    """A device operation, by its three pure pieces. `specs` has None where an input is a bare array (a scalar).

    Attributes:
        name: as ttnn spells it.
        output_specs: `(attributes, specs) -> specs of the outputs`; raises ArgumentError.
        kernel: `(attributes, specs, *arrays) -> arrays of the outputs`.
        in_place: index of the input whose buffer takes the (only) output, None for a new buffer.
        moves: the first input's buffer is freed before the output is allocated, which may overlap it.
        footprint: `(attributes, specs, device) -> Footprint`, or None where it is not known; then nothing is checked.
        fitted_footprint: the same, `(attributes, specs, device, FreeL1)`, of an operation that chooses its program by the L1 that is
            free.
        resident: `(attributes, specs, device) -> spec` of what its program keeps in memory for as long as it is cached, after the
            outputs; None for nothing. Only devices have it (`ProgramCache.keeps_a_buffer_for`).
        entry: `(attributes, specs) -> what the device's key has of each input`, where it has less than the spec: programs that
            agree in it are one entry of the program cache.
        called: `attributes -> name` of what the user called, where several operations share this one.
        reads_part: it reads, or writes in place, only a part of its largest tensor that depends on values or arguments.
        work: `(attributes, specs) -> Work`, of operations that multiply matrices.
        traffic: `(attributes, specs) -> Traffic`, of operations by which the chips of a mesh exchange data.
    """

    name: str
    output_specs: Callable[[Any, Any], tuple[TensorSpec, ...]]
    kernel: Callable[..., tuple[Array, ...]]
    in_place: int | None = None
    moves: bool = False
    footprint: Callable[[Any, Any, DeviceProfile], Footprint | None] | None = None
    fitted_footprint: Callable[[Any, Any, DeviceProfile, FreeL1], Footprint | None] | None = None
    resident: Callable[[Any, Any, DeviceProfile], TensorSpec | None] | None = None
    entry: Callable[[Any, Any], tuple[Hashable, ...]] | None = None
    called: Callable[[Any], str] | None = None
    reads_part: bool = False
    work: Callable[[Any, Any], Work] | None = None
    traffic: Callable[[Any, Any], Traffic] | None = None

    def name_of(self, attributes: Any) -> str:
        """What the user called: for errors, reports and plans."""
        return self.name if self.called is None else self.called(attributes)


@functools.lru_cache(maxsize=4096)
def _jitted(operation: Operation, attributes: Hashable, specs: Specs, mesh: Mesh | None) -> Callable[..., tuple[Array, ...]]:
    """The kernel under jit: one for the process, whatever device or cache asks, since addresses and boards are not in it.

    On a mesh each chip runs it on its own tensors; bare arrays are the same for all.

    What it returns is written to memory, as on the device, in a larger jit too: what several operations read is not computed for each.
    """

    def kernel(*arrays: Array) -> tuple[Array, ...]:
        if numerics.is_rounded():
            return tuple(map(in_memory, operation.kernel(attributes, specs, *arrays)))
        return tuple(in_memory(_widened(y)) for y in operation.kernel(attributes, specs, *map(_widened, arrays)))

    lead = () if mesh is None else mesh.lead
    on_all = kernel if mesh is None else mesh.spread(kernel, [spec is not None for spec in specs])

    def run(*arrays: Array) -> tuple[Array, ...]:
        for x, spec in zip(arrays, specs, strict=True):  # when it is traced: never on the path of a call
            if spec is not None and x.shape != (*lead, *spec.shape):
                raise ArgumentError(
                    f"{operation.name}: the array of an input ({spec}) has shape {x.shape} where {(*lead, *spec.shape)} is needed: the "
                    f"tensor is of another mesh than the memory, which is that of {'one chip' if mesh is None else f'a {mesh} mesh'}"
                )
        return on_all(*arrays)

    run.__name__ = operation.name  # what profiles and jaxprs show
    return jax.jit(run) if not lead else _on_its_chips(operation, jax.jit(run))


def _on_its_chips(operation: Operation, program: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
    """`program`, with an error of our own for a tensor on the chips of another mesh of the same shape. An exchange is waited for."""
    exchanges = operation.traffic is not None

    def run(*arrays: Array) -> tuple[Array, ...]:
        try:
            outputs = program(*arrays)
        except ValueError as e:
            if "incompatible devices" not in str(e):
                raise
            raise ArgumentError(
                f"{operation.name}: its inputs are on different chips, or on others than those of the memory's mesh: read one, and "
                "spread it anew"
            ) from e
        if exchanges and not isinstance(outputs[0], Tracer):
            jax.block_until_ready(outputs)  # what queues behind it could take the threads that it needs (mesh.reserve_threads)
        return outputs

    return run


def _widened(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


def abstract(device: DeviceProfile, spec: TensorSpec) -> ShapeDtypeStruct:
    """What stands for the array of a tensor of `spec` on `device` where nothing is computed."""
    lead = () if device.mesh is None else device.mesh.lead
    return ShapeDtypeStruct((*lead, *spec.shape), spec.dtype.carrier)


class Program:
    """An operation made ready for one set of specs and attributes on one device: output specs, block sizes, compiled kernel."""

    __slots__ = ("abstract", "entry", "fitted_footprint", "footprint", "kernel", "outputs", "placements")

    def __init__(self, key: tuple[Any, ...]):
        operation, attributes, device, *inputs = key
        specs = tuple(inputs)
        self.outputs = operation.output_specs(attributes, specs)
        self.placements = [(spec.memory_config.buffer_type, spec.bytes_per_bank(device)) for spec in self.outputs]
        self.abstract = tuple(abstract(device, spec) for spec in self.outputs)
        self.kernel = _jitted(operation, attributes, specs, device.mesh)
        self.footprint = operation.footprint and operation.footprint(attributes, specs, device)
        fitted = operation.fitted_footprint
        self.fitted_footprint = fitted and functools.lru_cache(maxsize=64)(functools.partial(fitted, attributes, specs, device))
        entry = operation.entry
        self.entry = key if entry is None else (operation, attributes, device, *entry(attributes, specs))


def active_cache() -> ProgramCache:
    """The cache that launches use now: the process's own, unless within `ProgramCache.use`."""
    return active.get().programs


def launch(
    memory: MemoryState,
    operation: Operation,
    inputs: Sequence[Tensor | Array],
    attributes: Hashable,
    output: Tensor | None = None,
) -> tuple[MemoryState, tuple[Tensor, ...]]:
    """Run `operation` on `inputs`: validate, allocate, check its footprint, find or compile its program, compute.

    `inputs` are tensors, or bare arrays for scalars. Where an input's array is a `jax.ShapeDtypeStruct` nothing is computed,
    and the outputs hold such structs too. `output` (ttnn's `output_tensor`) gives its buffer to the first output, which must
    have its spec; the values that it had are not in the result.

    Returns the memory with the outputs allocated, and the outputs.

    Raises:
        ArgumentError: an input or attribute does not fit the operation.
        DeallocatedError: an input is not allocated in `memory`.
        OutOfMemoryError: an output does not fit; L1ClashError: the program's own buffers do not.
    """
    if type(memory) is not MemoryState:
        require_memory(operation.name, memory)
    context = active.get()
    cache = context.programs
    name = operation.name if operation.called is None else operation.called(attributes)
    parts: list[Any] = [operation, attributes, memory.device]
    arrays: list[Any] = []
    abstract, live, is_live = not context.computes, True, memory.is_live
    for x in inputs:
        array: Any = x
        spec = None
        if type(x) is Tensor:
            array, spec = x.array, x.spec
            live = is_live(x.buffer) and live
        parts.append(spec)
        arrays.append(array)
        if type(array) is ShapeDtypeStruct:
            abstract = True
    if context.choose is not None:
        parts[1] = attributes = context.choose(operation, attributes, tuple(parts[3:]), output)
    key = tuple(parts)
    program = found = cache.find(key)
    if program is None:
        program = Program(key)
        if not cache.misses_allowed and not cache.holds(program.entry):
            shown = ", ".join(str(spec) for spec in key[3:] if spec is not None)
            raise TTError(
                f"{name}: no program is cached for {shown}, and misses are forbidden; run it once before, or allow them"
            )

    if not live:
        for i, x in enumerate(inputs):
            if type(x) is Tensor:
                require_live(name, memory, x, i)
    after = memory.deallocate(inputs[0].buffer) if operation.moves else memory  # type: ignore[union-attr]
    buffers: list[Buffer]
    placements = program.placements
    if operation.in_place is not None:
        buffers = [inputs[operation.in_place].buffer]  # type: ignore[union-attr]
        placements = []
    elif output is not None:
        buffers = [_given_output(name, memory, output, program.outputs[0])]
        placements = placements[1:]
    else:
        buffers = []
    given = len(buffers)
    kept: TensorSpec | None = None
    if found is None and operation.resident is not None and cache.keeps_a_buffer_for(program):
        kept = operation.resident(attributes, key[3:], memory.device)
    for buffer_type, size in placements:
        try:
            after, buffer = after.allocate(buffer_type, size)
        except OutOfMemoryError:
            made, demand = _made(program, buffers, given), _demand(key, program, inputs, output, kept)
            raise _no_room(demand, memory, after, program.outputs[len(buffers)], context, made) from None
        buffers.append(buffer)
    resident: Buffer | None = None
    if kept is not None:
        try:
            after, resident = after.allocate(kept.memory_config.buffer_type, kept.bytes_per_bank(memory.device))
        except OutOfMemoryError:
            demand = _demand(key, program, inputs, output, kept)
            raise _no_room(dataclasses.replace(demand, name=_program_of(name)), memory, after, kept, context) from None
        context.origins.note(resident, kept, _program_of(name))
    footprint = program.footprint
    if program.fitted_footprint is not None:
        footprint = program.fitted_footprint(FreeL1.between(memory, after))
    if footprint is not None and not after.has_free_l1(footprint.size):
        error = shortage.clash(_demand(key, program, inputs, output, kept), footprint, memory, after, context.origins)
        raise refuse(Refusal(name, memory, error, _made(program, buffers, given), footprint, context))

    if abstract and any(isinstance(array, Tracer) for array in arrays):
        abstract = False  # within a JAX transformation, which wants values that it can trace
    values = program.abstract if abstract else program.kernel(*arrays)
    if found is None:
        is_hit = cache.add(key, program, resident)
    else:
        cache.hits += 1
        is_hit = True
    outputs = tuple(map(Tensor, values, program.outputs, buffers))  # type: ignore[arg-type]  # values may be abstract
    for y in outputs[given:]:
        context.origins.note(y.buffer, y.spec, name)
    if observers and not context.is_host:
        launched = Launch(operation, attributes, program, footprint, is_hit)
        freed = [inputs[0].buffer] if operation.moves else []  # type: ignore[union-attr]
        allocated = buffers[given:] if resident is None else [*buffers[given:], resident]
        tell(Event(name, memory, after, inputs, outputs, launched, freed, allocated, context))
    return after, outputs


def _program_of(name: str) -> str:
    """Who has what a program keeps in memory."""
    return f"the program of {name}"


def place(memory: MemoryState, spec: TensorSpec, operation: str) -> tuple[MemoryState, Buffer]:
    """The memory with room for a tensor of `spec`, which `operation` puts there without a program, and its place.

    Raises OutOfMemoryError; ArgumentError for shards on cores that the device has not.
    """
    context = active.get()
    size = spec.bytes_per_bank(memory.device)
    try:
        after, buffer = memory.allocate(spec.memory_config.buffer_type, size)
    except OutOfMemoryError:

        def other(changes: Mapping[str, Any], in_dram: Collection[int]) -> shortage.Need:
            return shortage.Need((spec.replace(**changes),))

        demand = shortage.Demand(operation, shortage.Need((spec,)), other)
        raise _no_room(demand, memory, memory, spec, context) from None
    context.origins.note(buffer, spec, operation)
    if observers and not context.is_host:
        placed = Tensor(abstract(memory.device, spec), spec, buffer)  # type: ignore[arg-type]
        tell(Event(operation, memory, after, outputs=(placed,), allocated=[buffer], context=context))
    return after, buffer


def _no_room(
    demand: shortage.Demand,
    before: MemoryState,
    memory: MemoryState,
    spec: TensorSpec,
    context: Context,
    made: Sequence[Tensor] = (),
) -> OutOfMemoryError:
    """The error for a tensor of `spec` that does not fit into `memory`, which is `before` with `made`; the refusal is told."""
    error = shortage.out_of_memory(demand, before, memory, spec, context.origins)
    return refuse(Refusal(demand.name, before, error, made, None, context))


def _demand(
    key: tuple[Any, ...], program: Program, inputs: Sequence[Tensor | Array], output: Tensor | None, kept: TensorSpec | None
) -> shortage.Demand:
    """What the launch of `program`, made for `key`, asks of the memory, and would ask with other arguments; `kept` is its resident."""
    operation, attributes, device, *specs = key
    name = operation.name_of(attributes)
    places = [i for i, x in enumerate(inputs) if type(x) is Tensor]
    given = 0 if operation.in_place is None and output is None else 1

    def need_of(program: Program) -> shortage.Need:
        outputs = program.outputs[given:] if kept is None else (*program.outputs[given:], kept)
        return shortage.Need(outputs, program.fitted_footprint or (lambda free: program.footprint))

    def other(changes: Mapping[str, Any], in_dram: Collection[int]) -> shortage.Need | None:
        if not all(field in getattr(attributes, "_fields", ()) for field in changes):
            return None
        if "dtype" in changes and (given or not takes_dtype(name)):
            return None
        moved = list(specs)
        for i in in_dram:
            moved[places[i]] = moved[places[i]].replace(memory_config=DRAM_MEMORY_CONFIG)
        try:
            return need_of(Program((operation, attributes._replace(**changes) if changes else attributes, device, *moved)))
        except TTError:
            return None

    tensors = [inputs[i] for i in places]
    return shortage.Demand(name, need_of(program), other, tensors, output, operation.moves)  # type: ignore[arg-type]


def takes_dtype(name: str) -> bool:
    """Whether the operation `name` lets its caller choose the dtype of the result."""
    function = getattr(importlib.import_module("tt_jax.operations"), name, None)
    return function is not None and "dtype" in inspect.signature(function).parameters


def _made(program: Program, buffers: Sequence[Buffer], given: int) -> Sequence[Tensor]:
    """The outputs that found places, without values, but for the first `given`, which had theirs."""
    return tuple(map(Tensor, program.abstract, program.outputs, buffers))[given:]  # type: ignore[arg-type]


def _given_output(operation: str, memory: MemoryState, output: Tensor, spec: TensorSpec) -> Buffer:
    """The buffer of `output`, if it is live and what the operation gives. Raises ArgumentError, DeallocatedError."""
    if require_tensor(operation, "output_tensor", output).spec != spec:
        raise ArgumentError(f"{operation}: `output_tensor` is {output.spec}, but the result is {spec}: pass a tensor like that")
    if not memory.is_live(output.buffer):
        raise DeallocatedError(f"{operation}: `output_tensor` ({output.spec}) is not allocated in the memory state passed")
    return output.buffer


def require_memory(operation: str, memory: object) -> None:
    """Raise ArgumentError unless `memory` is a MemoryState: ttnn's own calls have no such argument."""
    if not isinstance(memory, MemoryState):
        raise ArgumentError(
            f"{operation}: the first argument must be the MemoryState, got {type(memory).__name__}; "
            "operations take the memory first and return it first"
        )


def require_tensor(operation: str, argument: str, x: object) -> Tensor:
    """`x`, if it is a Tensor. Raises ArgumentError otherwise."""
    if type(x) is not Tensor:
        raise ArgumentError(
            f"{operation}: `{argument}` must be a Tensor, got {type(x).__name__}; "
            "operations take the memory first, and `from_array` makes tensors"
        )
    return x


def require_live(operation: str, memory: MemoryState, x: Tensor, position: int = 0) -> None:
    """Raise DeallocatedError unless `x`, the operation's input at `position`, is allocated in `memory`."""
    require_memory(operation, memory)
    if not memory.is_live(x.buffer):
        raise DeallocatedError(
            f"{operation}: input {position} ({x.spec}, at {x.buffer.address:,}) is not allocated in the memory state that was "
            "passed. Either it was deallocated, or the memory is older than the tensor: pass on what the last operation returned"
        )


def free(
    memory: MemoryState, buffers: Sequence[Buffer], context: Context | None = None, site: Site | None = None
) -> MemoryState:
    """`memory` without `buffers`. Raises DeallocatedError if one is not live, or named twice.

    `context` is whose memory it is, the active one by default; `site` the user's line, by default the one that runs.
    """
    after = memory
    for buffer in buffers:
        after = after.deallocate(buffer)
    if observers and buffers:
        context = context or active.get()
        if not context.is_host:
            tell(Event("deallocate", memory, after, freed=buffers, context=context, site=site))
    return after
