"""The recorder: what is heard of operations and memory, as rows of a report."""

import dataclasses
import datetime
import pathlib
import time
import traceback
from collections.abc import Sequence

from tt_jax.context import active
from tt_jax.events import Event, Refusal
from tt_jax.memory import Buffer, BufferType, MemoryState
from tt_jax.origins import Origins, Site
from tt_jax.report.arguments import arguments_of, shown
from tt_jax.report.calls import called, entered, stack, stack_of, trace_of, user_lines, whole
from tt_jax.report.database import Database
from tt_jax.report.graph import Graph
from tt_jax.report.snapshot import device_row, snapshot
from tt_jax.report.tensors import Life, Tensors
from tt_jax.tensor import Tensor

DEALLOCATIONS = frozenset(("ttnn.deallocate", "ttnn::deallocate"))
"""What the tool does not count as use of a tensor. The second one is the end of a tensor's last handle, as in ttnn's own reports."""


@dataclasses.dataclass
class _Operation:
    """The row that is being written."""

    number: int
    name: str
    lines: Sequence[Site]
    arguments: Sequence[tuple[str, str]]
    inputs: list[Life]
    graph: Graph
    started: float = dataclasses.field(default_factory=time.perf_counter)
    is_seen: bool = False  # something happened on a device


class Recorder:
    """Turns events, and calls of a frontend, into rows. Operations count from 1.

    Attributes:
        database: where the rows go.
        tensors: what was seen so far.
        operation: the call of a frontend that runs, None between calls.
        released: the lines at which the last handle of a buffer went, by device and buffer: their frees are heard of later.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tensors = Tensors()
        self.operation: _Operation | None = None
        self.released: dict[tuple[int, Buffer], list[Site]] = {}
        self._count = 0
        self._devices: dict[Origins, int] = {}
        self._described: set[int] = set()
        self._memories: dict[int, MemoryState] = {}
        self._files: dict[str, int] = {}
        self._blamed: BaseException | None = None

    # -- devices --------------------------------------------------------------------------------------------------------------
    def know(self, origins: Origins, device: int) -> None:
        """The device whose buffers `origins` knows has the number `device`; one that had it before is closed."""
        if origins not in self._devices:
            self._devices[origins] = device
            self._memories.pop(device, None)

    def number_of(self, origins: Origins) -> int:
        """The number of the device whose buffers `origins` knows."""
        return self._devices.setdefault(origins, max(self._devices.values(), default=-1) + 1)

    def meet(self, device: int, memory: MemoryState, origins: Origins) -> None:
        """`memory` is the device's, as it was before anything was heard of it."""
        if device in self._memories:
            return
        self._memories[device] = memory
        if device not in self._described:
            self._described.add(device)
            self.database.insert("devices", [device_row(device, memory)])
        for buffer in memory.buffers():
            origin = origins.find(buffer)
            if origin is not None:
                life = self.tensors.placed(device, memory.device, origin.spec, buffer)
                life.is_shown = True
                if origin.site is not None:
                    life.made_at = whole(origin.site)

    # -- operations -----------------------------------------------------------------------------------------------------------
    def open(
        self, name: str, lines: Sequence[Site], arguments: Sequence[tuple[str, str]], inputs: Sequence[Life], device: int = 0
    ) -> None:
        """An operation begins on `device`. Its number is taken only if something comes of it."""
        graph = Graph(device)
        self.operation = _Operation(self._count + 1, name, lines, arguments, [*inputs], graph)
        graph.start(name, [value for _, value in arguments], inputs)

    def close_operation(self, outputs: Sequence[Life] = (), error: BaseException | None = None, is_timed: bool = True) -> None:
        """It is over, with `outputs` or with `error`: write it, unless no device had a part in it."""
        operation, self.operation = self.operation, None
        assert operation is not None
        tensors = (*operation.inputs, *outputs)
        if error is None and not operation.is_seen and all(life.buffer is None for life in tensors):
            return
        seconds = time.perf_counter() - operation.started if is_timed else 0.0
        self._count = number = operation.number
        line = operation.lines[0] if operation.lines else None
        for life in tensors:
            life.is_shown = True
        for life in outputs:
            if life.producer is None and life not in operation.inputs:
                life.producer, life.made_at = number, line
        for life in operation.inputs if operation.name not in DEALLOCATIONS else ():
            life.last_use, life.used_at = number, line
        aborted = {} if error is None else {"aborted": "True", "abort_reason": str(error)}
        operation.graph.end(outputs, **aborted)
        insert = self.database.insert
        insert("operations", [(number, operation.name, seconds)])
        insert("operation_arguments", [(number, *argument) for argument in operation.arguments])
        insert("input_tensors", [(number, i, life.number) for i, life in enumerate(operation.inputs)])
        insert("output_tensors", [(number, i, life.number) for i, life in enumerate(outputs)])
        insert("captured_graph", [(number, operation.graph.as_json())])
        trace = trace_of(operation.lines)
        insert("stack_traces", [(number, trace, self._file(line))])
        if error is not None:
            self._blamed = error
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            detail = "".join(traceback.format_exception(error))
            insert("errors", [(number, operation.name, type(error).__name__, str(error), f"{trace}\n{detail}", now)])
        for device, memory in self._memories.items():
            buffers, chunks = snapshot(number, device, memory, self.tensors)
            insert("buffers", buffers)
            insert("buffer_chunks", chunks)

    def _file(self, line: Site | None) -> int | None:
        """The number of the source file of `line`, None where it cannot be read."""
        if line is None:
            return None
        if line.file not in self._files:
            try:
                contents = pathlib.Path(line.file).read_text(errors="replace")
            except OSError:
                return None
            self._files[line.file] = len(self._files) + 1
            self.database.insert("source_files", [(self._files[line.file], line.file, contents)])
        return self._files[line.file]

    # -- events ---------------------------------------------------------------------------------------------------------------
    def hear(self, event: Event) -> None:
        """An event: part of the call that runs, or an operation of its own."""
        context = event.context or active.get()
        device = self.number_of(context.origins)
        self.meet(device, event.before, context.origins)
        self._memories[device] = event.after
        if self.operation is not None:
            self._take(event, device)
            return
        name, lines = self._caller(event, device)
        self.open(name, lines, arguments_of(event), self._inputs(event, device), device)
        self.close_operation(self._take(event, device), is_timed=False)

    def hear_refusal(self, refusal: Refusal) -> None:
        """A step that does not fit: an operation with an error, unless a frontend's call runs, which writes its own."""
        if self.operation is not None:
            return
        device = self.number_of(refusal.context.origins)
        self.meet(device, refusal.before, refusal.context.origins)
        self._memories[device] = refusal.before
        frames = list(stack())
        self.open(called(frames) or f"ttnn.{refusal.name}", user_lines(frames), [], [], device)
        self.close_operation(error=refusal.error, is_timed=False)

    def _caller(self, event: Event, device: int) -> tuple[str, list[Site]]:
        """What the operation of an event is called, and where."""
        if event.launch is None and event.freed:
            lines = [self.released.pop((device, buffer), None) for buffer in event.freed]
            if lines[0] is not None:
                return "ttnn::deallocate", lines[0]
        frames = list(stack())
        is_free = event.launch is None and not event.outputs
        name = None if is_free else called(frames)
        return name or f"ttnn.{event.name}", user_lines(frames)

    def _inputs(self, event: Event, device: int) -> list[Life]:
        return [self._life(device, event.before, x) for x in event.inputs if type(x) is Tensor]

    def _life(self, device: int, memory: MemoryState, x: Tensor) -> Life:
        return self.tensors.placed(device, memory.device, x.spec, x.buffer)

    def _take(self, event: Event, device: int) -> list[Life]:
        """Write an event into the operation that runs: the outputs."""
        operation, launch = self.operation, event.launch
        assert operation is not None
        operation.is_seen = True
        graph = operation.graph
        line = operation.lines[0] if operation.lines else None
        if launch is not None:
            graph.start(
                event.name, [*map(shown, event.inputs)], self._inputs(event, device), program_cache_hit=str(launch.is_hit)
            )
        for buffer in event.freed:
            gone = self.tensors.vacate(device, buffer)
            self.released.pop((device, buffer), None)
            graph.free(buffer, gone[0] if gone else None)
            for life in gone:
                life.freed = operation.number
                if life.is_shown and life not in operation.inputs:
                    operation.inputs.append(life)
        for buffer in event.allocated:
            self.tensors.vacate(device, buffer)  # what another memory state had there
        outputs = [self._life(device, event.after, y) for y in event.outputs]
        for life in outputs:
            if life.buffer in event.allocated:
                life.producer, life.made_at = operation.number, line
                graph.allocate(life)
        if launch is not None:
            if launch.footprint is not None:
                base = event.after.region(BufferType.L1).start
                graph.circular_buffers(launch.footprint, base, event.after.device)
            graph.end(outputs)
        return outputs

    # -- the end --------------------------------------------------------------------------------------------------------------
    def blame(self, error: BaseException) -> None:
        """`error` leaves the block: the operation that raised it, if one of tt_jax did and it is not written yet."""
        frames = stack_of(error.__traceback__)
        name = called(frames) or entered(frames)
        if error is self._blamed or name is None:
            return
        self.operation = None
        self.open(name if name.startswith("ttnn.") else f"ttnn.{name}", user_lines(frames), [], [])
        self.close_operation(error=error)

    def close(self) -> None:
        """Write what is known only now, and end."""
        lives = [life for life in self.tensors.all if life.is_shown]
        self.database.insert("tensors", (life.row() for life in lives))
        placed = [life for life in lives if life.buffer is not None]
        self.database.insert(
            "device_tensors", ((life.number, life.device, life.buffer.address) for life in placed if life.buffer)
        )
        self.database.insert("tensor_lifetime", (life.lifetime_row() for life in lives))
        self.database.close()
