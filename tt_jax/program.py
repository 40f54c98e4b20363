"""Programs: what an operation compiles to for given specs, the cache that keeps them, and `launch`, the door to all of it.

An operation is three pure pieces: its output specs (validation and shapes, no arrays), its kernel (arrays only), and the L1
that its program takes while it runs. `launch` does the rest, in one place and one order, so that whatever fails leaves the
memory state, the program cache and the inputs as they were.
"""

import contextvars
import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.errors import ArgumentError, DeallocatedError, L1ClashError, TTError
from tt_jax.memory import Buffer, BufferType, MemoryState
from tt_jax.tensor import Tensor, TensorSpec

Specs = tuple[TensorSpec | None, ...]


class Footprint(NamedTuple):
    """Static buffers of a program: `size` bytes from the L1 base of each core of the rectangle from (0, 0) to `last_core`."""

    size: int
    last_core: tuple[int, int]


@dataclasses.dataclass(frozen=True, eq=False)
class Operation:
    """A device operation, by its three pure pieces. `specs` has None where an input is a bare array (a scalar).

    Attributes:
        name: as ttnn spells it.
        output_specs: `(attributes, specs) -> specs of the outputs`; raises ArgumentError.
        kernel: `(attributes, specs, *arrays) -> arrays of the outputs`.
        in_place: index of the input whose buffer takes the (only) output, None for a new buffer.
        footprint: `(attributes, specs, memory before the launch) -> Footprint`, or None where it is not known; then
            nothing is checked.
    """

    name: str
    output_specs: Callable[[Any, Any], tuple[TensorSpec, ...]]
    kernel: Callable[..., tuple[Array, ...]]
    in_place: int | None = None
    footprint: Callable[[Any, Any, MemoryState], Footprint | None] | None = None


@functools.lru_cache(maxsize=4096)
def _jitted(operation: Operation, attributes: Hashable, specs: Specs) -> Callable[..., tuple[Array, ...]]:
    """The kernel under jit: one for the process, whatever device or cache asks, since addresses and boards are not in it."""
    kernel = functools.partial(operation.kernel, attributes, specs)
    kernel.__name__ = operation.name  # type: ignore[attr-defined]  # what profiles and jaxprs show
    return jax.jit(kernel)


class Program:
    """An operation made ready for one set of specs and attributes on one device: output specs, block sizes, compiled kernel."""

    __slots__ = ("abstract", "footprint", "kernel", "outputs", "placements")

    def __init__(self, device: DeviceProfile, operation: Operation, attributes: Hashable, specs: Specs):
        self.outputs = operation.output_specs(attributes, specs)
        self.placements = [(spec.memory_config.buffer_type, spec.bytes_per_bank(device)) for spec in self.outputs]
        self.abstract = tuple(jax.ShapeDtypeStruct(spec.shape, spec.dtype.carrier) for spec in self.outputs)
        self.kernel = _jitted(operation, attributes, specs)
        self.footprint = operation.footprint and functools.partial(operation.footprint, attributes, specs)


class ProgramCache:
    """Programs by operation, attributes and input specs: addresses and values are never in the key.

    A hit runs a compiled kernel; a miss builds and compiles one. One cache is active at a time (`active_cache`); `use` makes
    another one active for a block.

    Attributes:
        find: `find(key)` is the program of `key`, None if it is not held.
        hits: launches that found their program.
        misses: launches that had to build it.
        misses_allowed: False for a launch without its program to raise TTError (ttnn's `set_program_cache_misses_allowed`).
    """

    def __init__(self) -> None:
        self._programs: dict[tuple[Hashable, ...], Program] = {}
        self.find = self._programs.get
        self._enabled = True
        self.hits = 0
        self.misses = 0
        self.misses_allowed = True

    def __repr__(self) -> str:
        state = "" if self._enabled else ", disabled"
        return f"ProgramCache({self.entries} entries, {self.hits} hits, {self.misses} misses{state})"

    @property
    def entries(self) -> int:
        """Programs held."""
        return len(self._programs)

    @property
    def is_enabled(self) -> bool:
        """Whether programs are kept. The cache starts enabled."""
        return self._enabled

    def enable(self) -> None:
        """Keep programs from now on; those held stay."""
        self._enabled = True

    def disable_and_clear(self) -> None:
        """Drop every program and keep none: each launch builds its program anew."""
        self._enabled = False
        self.clear()

    def clear(self) -> None:
        """Drop every program and set the counts to zero."""
        self._programs.clear()
        self.hits = self.misses = 0

    def add(self, key: tuple[Hashable, ...], program: Program) -> None:
        """Count a miss whose launch succeeded, and keep its program."""
        self.misses += 1
        if self._enabled:
            self._programs[key] = program

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Forget what a `with` block added if it raises: for operations that launch several programs."""
        hits, misses, held = self.hits, self.misses, set(self._programs)
        try:
            yield
        except BaseException:
            self.hits, self.misses = hits, misses
            for key in self._programs.keys() - held:
                del self._programs[key]
            raise

    @contextmanager
    def use(self) -> Iterator["ProgramCache"]:
        """Make this the active cache within a `with` block."""
        token = _active.set(self)
        try:
            yield self
        finally:
            _active.reset(token)


observers: list[Callable[[Operation, Program, Sequence[Any], tuple[Tensor, ...], bool], None]] = []
"""Called after every launch that succeeded with its operation, program, inputs, outputs and whether the program was cached: for
recorders, which must not change what they see."""

_active = contextvars.ContextVar("program_cache", default=ProgramCache())  # noqa: B039 - one for the process is meant


def active_cache() -> ProgramCache:
    """The cache that launches use now: the process's own, unless within `ProgramCache.use`."""
    return _active.get()


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
    specs, arrays, abstract = [], [], False
    for x in inputs:
        is_tensor = type(x) is Tensor
        array = x.array if is_tensor else x  # type: ignore[union-attr]
        specs.append(x.spec if is_tensor else None)  # type: ignore[union-attr]
        arrays.append(array)
        abstract = abstract or type(array) is jax.ShapeDtypeStruct
    cache = _active.get()
    key = (operation, attributes, memory.device, *specs)
    program = found = cache.find(key)
    if program is None:
        if not cache.misses_allowed:
            raise TTError(f"{operation.name}: no program is cached for {key[3:]}, and misses are forbidden; run it once before")
        program = Program(memory.device, operation, attributes, tuple(specs))

    for i, x in enumerate(inputs):
        if type(x) is Tensor and not memory.is_live(x.buffer):
            require_live(operation.name, memory, x, i)
    after = memory
    buffers: list[Buffer]
    placements = program.placements
    if operation.in_place is not None:
        buffers = [inputs[operation.in_place].buffer]  # type: ignore[union-attr]
        placements = []
    elif output is not None:
        buffers = [_given_output(operation, memory, output, program.outputs[0])]
        placements = placements[1:]
    else:
        buffers = []
    for buffer_type, size in placements:
        after, buffer = after.allocate(buffer_type, size)
        buffers.append(buffer)
    if program.footprint is not None and (footprint := program.footprint(memory)) is not None:
        end = after.region(BufferType.L1).start + footprint.size
        lowest = after.lowest_occupied(BufferType.L1)
        if end > after.device.l1_size or (lowest is not None and lowest < end):
            raise _clash(operation, footprint, memory, after)

    values = program.abstract if abstract else program.kernel(*arrays)
    if found is None:
        cache.add(key, program)
    else:
        cache.hits += 1
    outputs = tuple(map(Tensor, values, program.outputs, buffers))  # type: ignore[arg-type]  # values may be abstract
    for observe in observers:
        observe(operation, program, inputs, outputs, found is not None)
    return after, outputs


def _given_output(operation: Operation, memory: MemoryState, output: Tensor, spec: TensorSpec) -> Buffer:
    """The buffer of `output`, if it is live and what the operation gives. Raises ArgumentError, DeallocatedError."""
    if require_tensor(operation.name, "output_tensor", output).spec != spec:
        raise ArgumentError(
            f"{operation.name}: `output_tensor` is {output.spec}, but the result is {spec}: pass a tensor like that"
        )
    if not memory.is_live(output.buffer):
        raise DeallocatedError(f"{operation.name}: `output_tensor` ({output.spec}) is not allocated in the memory state passed")
    return output.buffer


def _clash(operation: Operation, footprint: Footprint, before: MemoryState, after: MemoryState) -> L1ClashError:
    """The error for a program whose circular buffers reach into live buffers, or beyond L1."""
    end = after.region(BufferType.L1).start + footprint.size
    asked = (
        f"{operation.name}: its program keeps {footprint.size:,} B of circular buffers on cores (0, 0) to "
        f"{footprint.last_core}, up to address {end:,}, "
    )
    if end > after.device.l1_size:
        return L1ClashError(f"{asked}but L1 ends at {after.device.l1_size:,}. Use a larger core grid or smaller blocks")
    lowest = after.lowest_occupied(BufferType.L1)
    assert lowest is not None
    blame = "" if before.lowest_occupied(BufferType.L1) == lowest else ", by its own output"
    live = sorted(before.live(BufferType.L1), key=lambda block: -block.size)[:3]
    listed = "; ".join(f"{block.size:,} B at {block.address:,}" for block in live) or "none"
    return L1ClashError(
        f"{asked}but L1 is allocated down to {lowest:,}{blame}. Largest live buffers before it, per bank: {listed}. Free or move to "
        f"DRAM at least {end - lowest:,} B per bank, the output counted, or use a larger core grid"
    )


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


def free(memory: MemoryState, buffers: Sequence[Buffer]) -> MemoryState:
    """`memory` without `buffers`. Raises DeallocatedError if one is not live, or named twice."""
    for buffer in buffers:
        memory = memory.deallocate(buffer)
    return memory
