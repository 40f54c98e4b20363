"""`plan`: run a program without computing, to see whether it fits, where its memory goes, and what it has at least to do."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax

from tt_jax.context import Context, active
from tt_jax.devices import N150, PROFILES, DeviceProfile
from tt_jax.errors import ArgumentError, OutOfMemoryError
from tt_jax.events import observed_by
from tt_jax.functionalize import functionalize
from tt_jax.memory import Buffer, MemoryState
from tt_jax.mesh import Mesh, mesh_of
from tt_jax.origins import Origins
from tt_jax.program import abstract, place
from tt_jax.program_cache import ProgramCache
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.timeline import Lifetime, Step, Timeline


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What a program does to one board's memory, and costs; on a mesh, to each chip's. Bytes are per bank.

    Printed, it is a table; `save` draws it. The command `tt-jax plan` does both.

    Attributes:
        device: the board, and its mesh.
        before: the memory it started from, without its arguments.
        memory: the memory after its last step.
        steps: in order; the first ones place the arguments.
        lifetimes: of every buffer, in the order of allocation.
        arguments: what was placed before it started.
        is_function: False for a script.
        result: what it returned, tensors without values; None if it does not fit.
        error: why it does not fit, None if it does.
    """

    device: DeviceProfile
    before: MemoryState
    memory: MemoryState
    steps: tuple[Step, ...]
    lifetimes: tuple[Lifetime, ...]
    arguments: tuple[Buffer, ...] = ()
    is_function: bool = True
    result: Any = None
    error: OutOfMemoryError | None = None

    @property
    def fits(self) -> bool:
        """Whether it ran to its end."""
        return self.error is None

    @property
    def peak_l1(self) -> int:
        """The most L1 that was allocated at once."""
        return max((step.l1 for step in self.steps), default=0)

    @property
    def peak_l1_with_programs(self) -> int:
        """The most L1 that buffers and a running program's own took at once; of programs whose footprint is not known, the buffers."""
        return max((step.l1 + (step.footprint.size if step.footprint else 0) for step in self.steps), default=0)

    @property
    def peak_dram(self) -> int:
        """The most DRAM that was allocated at once."""
        return max((step.dram for step in self.steps), default=0)

    @property
    def peak_step(self) -> int:
        """The first step at which L1 is fullest, -1 if there are no steps."""
        return max(range(len(self.steps)), key=lambda i: self.steps[i].l1, default=-1)

    @property
    def programs(self) -> int:
        """Programs that the device had to compile."""
        return sum(step.is_launch and not step.is_hit for step in self.steps)

    @property
    def flops(self) -> int:
        """Of the matrix products of matmul, linear and what is built on them, of conv2d and scaled_dot_product_attention.

        Products of other operations (attention in decode form, transposed convolutions, some experimental ones) are not counted.
        """
        return sum(step.cost.flops for step in self.steps if step.cost)

    @property
    def dram_bytes(self) -> int:
        """Read from and written to DRAM, over all banks, each tensor once per launch."""
        return sum(step.cost.dram_bytes for step in self.steps if step.cost)

    @property
    def link_bytes(self) -> int:
        """Sent to other chips of the mesh by the one that sends most, what it passes on included."""
        return sum(step.cost.link_bytes for step in self.steps if step.cost)

    @property
    def ideal_seconds(self) -> float:
        """A lower bound of its time: the sum of the launches' at the documented peak rates."""
        return math.fsum(step.cost.seconds for step in self.steps if step.cost)

    @property
    def unknown_footprints(self) -> tuple[str, ...]:
        """Operations that ran programs whose footprint is not known: what these keep in L1 is not checked."""
        return tuple(dict.fromkeys(step.name for step in self.steps if step.is_launch and step.footprint is None))

    @property
    def bounded_footprints(self) -> tuple[str, ...]:
        """Operations that ran programs of whose footprint only a lower bound is known."""
        return tuple(dict.fromkeys(step.name for step in self.steps if step.footprint and not step.footprint.is_exact))

    @property
    def left(self) -> tuple[Lifetime, ...]:
        """Buffers that the program made, left allocated, and did not return: leaks, unless it put them somewhere on purpose.

        None are told of a script, whose variables live to its end, and of a program that does not fit.
        """
        if not self.is_function or not self.fits:
            return ()
        kept = {leaf.buffer for leaf in _tensors(self.result)} | set(self.arguments)
        return tuple(x for x in self.lifetimes if x.end is None and x.first >= 0 and x.buffer not in kept)

    @property
    def late(self) -> tuple[Lifetime, ...]:
        """Buffers that outlived their last use by at least one launch before they were freed."""
        return tuple(x for x in self.lifetimes if x.end is not None and self._launches(x.last_use + 1, x.end))

    def _launches(self, first: int, end: int) -> int:
        return sum(step.is_launch for step in self.steps[first:end])

    def __str__(self) -> str:
        from tt_jax.report.table import table_of

        return table_of(self)

    def save(self, path: str) -> None:
        """Draw L1 over the steps, to a ".png" or ".svg" (needs matplotlib: `pip install tt-jax[plot]`) or an ".html" of its own.

        Raises ArgumentError for another ending.
        """
        from tt_jax.report.picture import save

        save(self, path)


def _tensors(value: Any) -> list[Tensor]:
    return [x for x in jax.tree_util.tree_leaves(value, is_leaf=lambda x: isinstance(x, Tensor)) if isinstance(x, Tensor)]


def plan(
    program: Callable[..., Any],
    *args: Any,
    device: DeviceProfile | str | None = None,
    mesh: Mesh | Sequence[int] | None = None,
    memory: MemoryState | None = None,
    **kwargs: Any,
) -> Plan:
    """Run `program` on tensors without values: nothing is computed, everything is validated, allocated, checked and counted.

        plan = tt.plan(forward, tt.TensorSpec((8, 384, 1024), tt.bfloat16, tt.TILE_LAYOUT), weights, device="p150")
        assert plan.fits, plan.error

    Args:
        program: functional, `(memory, *args) -> (memory, result)` with a first parameter of that name, or written for ttnn,
            `(*args) -> result`.
        args, kwargs: its arguments. Each `TensorSpec`, in lists, tuples, dicts and registered pytrees too, becomes a tensor that is
            placed first, in order; the rest passes as it is.
        device: a board, or its name; that of `memory` by default, else n150.
        mesh: chips of that kind, or the shape of a mesh: it may be larger than what JAX has devices for. Specs are then those of a
            chip's tensors (`MeshMapperConfig.of_chip` gives them).
        memory: what is allocated to begin with; the empty memory of `device` by default.

    A function under `jax.jit` is planned as the function that it is.

    A program that does not fit ends the plan, whose `error` says why. Any other error is raised. ArgumentError: the program looks at
    values, which are not there; is functional and does not return `(memory, result)`; `device` is no board, or not that of `memory`.
    """
    profile = profile_of(device if device is not None else N150 if memory is None else memory.device)
    if (chips := mesh_of(mesh)) is not None:
        profile = profile.on(chips)
    elif memory is not None and device is not None:
        profile = profile.on(memory.mesh)
    if memory is not None and memory.device != profile:
        raise ArgumentError(
            f"plan: `memory` is of {memory.device.described}, but the plan is for {profile.described}; leave one out"
        )
    before = MemoryState.create(profile) if memory is None else memory
    context = Context(ProgramCache(), Origins(None if memory is None else active.get().origins), computes=False)
    program = unjitted(program)
    functional = program if is_functional(program) else functionalize(program)
    timeline = Timeline(before, context)
    arguments: list[Buffer] = []
    result, error = None, None
    token = active.set(context)
    try:
        with observed_by(timeline, timeline.refused):
            try:
                after, placed = before, []
                for i, value in enumerate(args):
                    after, value = _placed(after, value, str(i), arguments)
                    placed.append(value)
                for name, value in kwargs.items():
                    after, kwargs[name] = _placed(after, value, name, arguments)
                result = _run(functional, timeline, after, placed, kwargs)
            except OutOfMemoryError as e:
                error = e
    finally:
        active.reset(token)
    return plan_of(timeline, tuple(arguments), result, error, is_function=True)


def _run(
    functional: Callable[..., Any], timeline: Timeline, memory: MemoryState, args: list[Any], kwargs: dict[str, Any]
) -> Any:
    """What the program returns beside the memory, in which the timeline ends."""
    try:
        returned = functional(memory, *args, **kwargs)
    except (TypeError, AttributeError) as e:
        if "ShapeDtypeStruct" not in str(e):
            raise
        raise ArgumentError(
            f"plan: the program does something with a tensor's values that is no tt_jax operation, and in a plan there are none ({e}); "
            "leave that out of what is planned, as well as inner jax.jit"
        ) from e
    if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], MemoryState)):
        raise ArgumentError(f"plan: a functional program returns (memory, result), got {type(returned).__name__}")
    timeline.reach(returned[0])
    return returned[1]


def plan_of(
    timeline: Timeline,
    arguments: tuple[Buffer, ...] = (),
    result: Any = None,
    error: OutOfMemoryError | None = None,
    is_function: bool = False,
) -> Plan:
    """The plan that a timeline has recorded, of a script if not of a function."""
    return Plan(
        timeline.memory.device,
        timeline.before,
        timeline.memory,
        tuple(timeline.steps),
        tuple(timeline.lifetimes),
        arguments,
        is_function,
        result,
        error,
    )


def unjitted(program: Callable[..., Any]) -> Callable[..., Any]:
    """The function under `jax.jit`, or `program` itself."""
    is_jitted = hasattr(program, "lower") and hasattr(program, "__wrapped__")
    return program.__wrapped__ if is_jitted else program  # type: ignore[attr-defined]


def is_functional(program: Callable[..., Any]) -> bool:
    """Whether the first parameter of `program` is the memory."""
    try:
        return next(iter(inspect.signature(program).parameters), None) == "memory"
    except ValueError:
        return False


def profile_of(device: DeviceProfile | str) -> DeviceProfile:
    if isinstance(device, DeviceProfile):
        return device
    if device not in PROFILES:
        raise ArgumentError(f"plan: `device` must be a DeviceProfile or one of {', '.join(PROFILES)}, got {device!r}")
    return PROFILES[device]


def _placed(memory: MemoryState, argument: Any, name: str, buffers: list[Buffer]) -> tuple[MemoryState, Any]:
    """`argument` with a tensor for each spec in it, allocated in order; their places join `buffers`."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(argument)
    placed = []
    for path, leaf in leaves:
        if isinstance(leaf, TensorSpec):
            memory, buffer = place(memory, leaf, f"argument {name}{jax.tree_util.keystr(path)}")
            buffers.append(buffer)
            leaf = Tensor(abstract(memory.device, leaf), leaf, buffer)  # type: ignore[arg-type]
        placed.append(leaf)
    return memory, jax.tree_util.tree_unflatten(structure, placed)
