"""Traces: the programs of a capture, replayed on the same buffers as one jitted function."""

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from tt_jax import program
from tt_jax.errors import ArgumentError, TTError
from tt_jax.memory import Buffer
from tt_jax.program import Operation, Program, active_cache
from tt_jax.tensor import Tensor as FunctionalTensor
from tt_jax.ttnn import _derive
from tt_jax.ttnn._storage import Storage
from tt_jax.ttnn.device import Device, require_device
from tt_jax.ttnn.tensor import Tensor

_ids = itertools.count()


class MeshTraceId(int):
    """The number of a trace."""


class _Step(NamedTuple):
    kernel: Callable[..., Any]
    inputs: tuple[tuple[Buffer | None, tuple[int, ...], Any], ...]
    outputs: tuple[Buffer, ...]


class _Trace:
    """What a capture recorded: steps by buffers, and the storages that held them."""

    def __init__(self, device: Device):
        self.device = device
        self.steps: list[_Step] = []
        self.storages: dict[Buffer, weakref.ref[Storage]] = {}
        self.run: Callable[..., Any] | None = None
        self.reads: tuple[Buffer, ...] = ()
        self.writes: tuple[Buffer, ...] = ()

    def observe(
        self, operation: Operation, made: Program, inputs: Sequence[Any], outputs: tuple[FunctionalTensor, ...], hit: bool
    ) -> None:
        if active_cache() is not self.device.program_cache:
            return
        taken = tuple((x.buffer, x.spec.shape, None) if isinstance(x, FunctionalTensor) else (None, (), x) for x in inputs)
        self.steps.append(_Step(made.kernel, taken, tuple(y.buffer for y in outputs)))

    def intercept(self, operation: Any, args: Any, kwargs: Any, proceed: Callable[..., Any]) -> Any:
        name = operation.python_fully_qualified_name
        if name in ("ttnn.to_torch", "ttnn.from_device", "ttnn.to_numpy"):
            raise TTError(
                f"{name}: reads are not possible during trace capture; read after end_trace_capture and execute_trace"
            )
        self._hold((args, kwargs))
        output = proceed(args, kwargs)
        self._hold(output)
        return output

    def _hold(self, value: Any) -> None:
        if isinstance(value, Tensor):
            storage = value._storage
            if storage.buffer is not None and storage.device is self.device:
                self.storages[storage.buffer] = weakref.ref(storage)
        elif isinstance(value, list | tuple):
            for x in value:
                self._hold(x)
        elif isinstance(value, dict):
            self._hold(list(value.values()))

    def close(self) -> None:
        """Find what the steps read from outside, and make them one function."""
        written: set[Buffer] = set()
        read: dict[Buffer, None] = {}
        for step in self.steps:
            for buffer, _, _ in step.inputs:
                if buffer is not None and buffer not in written:
                    read[buffer] = None
            written.update(step.outputs)
        self.reads = tuple(read)
        self.writes = tuple(dict.fromkeys(b for step in self.steps for b in step.outputs))

        def replay(*arrays: Any) -> tuple[Any, ...]:
            held = dict(zip(self.reads, arrays, strict=True))
            for step in self.steps:
                values = [x if buffer is None else held[buffer].reshape(shape) for buffer, shape, x in step.inputs]
                held.update(zip(step.outputs, step.kernel(*values), strict=True))
            return tuple(held[buffer] for buffer in self.writes)

        self.run = jax.jit(replay)

    def storage(self, buffer: Buffer) -> Storage | None:
        """Who holds `buffer` now, as it did at capture."""
        reference = self.storages.get(buffer)
        storage = reference() if reference is not None else None
        return storage if storage is not None and storage.buffer == buffer else None


_capturing: dict[int, _Trace] = {}
_traces: dict[int, _Trace] = {}


def begin_trace_capture(mesh_device: Device, cq_id: int | None = None) -> MeshTraceId:
    """Record the programs that run on `mesh_device` from now on; returns the trace's id. They run as they are recorded.

    Raises TTError if a capture is under way already.
    """
    device = require_device("begin_trace_capture", mesh_device)
    if any(trace.device is device for trace in _capturing.values()):
        raise TTError("begin_trace_capture: a capture is under way on this device; end it with end_trace_capture")
    trace_id = MeshTraceId(next(_ids))
    trace = _capturing[trace_id] = _Trace(device)
    program.observers.append(trace.observe)
    _derive.interceptors.append(trace.intercept)
    return trace_id


def end_trace_capture(mesh_device: Device, trace_id: int, cq_id: int | None = None) -> None:
    """End the capture `trace_id`. Raises ArgumentError if there is none."""
    require_device("end_trace_capture", mesh_device)
    if trace_id not in _capturing:
        raise ArgumentError(f"end_trace_capture: no capture {trace_id} is under way; begin_trace_capture gives the id")
    trace = _capturing.pop(trace_id)
    program.observers.remove(trace.observe)
    _derive.interceptors.remove(trace.intercept)
    trace.close()
    _traces[trace_id] = trace


def execute_trace(mesh_device: Device, trace_id: int, cq_id: int | None = None, blocking: bool = True) -> None:
    """Run a captured trace on what its input buffers hold now; its output tensors get the new values.

    Raises ArgumentError for an unknown trace, TTError where a tensor that the trace reads is gone.
    """
    require_device("execute_trace", mesh_device)
    trace = _known("execute_trace", trace_id)
    arrays = []
    for buffer in trace.reads:
        storage = trace.storage(buffer)
        if storage is None:
            raise TTError(
                f"execute_trace: the trace reads the {buffer.buffer_type.name} buffer at {buffer.address:,}, whose tensor was deallocated "
                "since the capture: keep a trace's inputs alive"
            )
        assert storage.tensor is not None
        arrays.append(storage.tensor.array)
    if not trace.device.computes:
        return
    assert trace.run is not None
    for buffer, array in zip(trace.writes, trace.run(*arrays), strict=True):
        storage = trace.storage(buffer)
        if storage is not None:
            storage.write(array)


def release_trace(mesh_device: Device, trace_id: int) -> None:
    """Forget a trace. Raises ArgumentError for an unknown one."""
    _known("release_trace", trace_id)
    del _traces[trace_id]


def _known(operation: str, trace_id: int) -> _Trace:
    if trace_id not in _traces:
        raise ArgumentError(f"{operation}: there is no trace {trace_id}: it was never captured, or was released")
    return _traces[trace_id]


def is_trace_capture_active(device: Device) -> bool:
    """Whether a capture is under way on `device`."""
    return any(trace.device is device for trace in _capturing.values())


__all__ = [
    "MeshTraceId",
    "begin_trace_capture",
    "end_trace_capture",
    "execute_trace",
    "release_trace",
]
