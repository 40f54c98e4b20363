"""Traces: the programs of a capture, replayed on the same buffers as one jitted function."""

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from tt_jax import events
from tt_jax.errors import ArgumentError, TTError
from tt_jax.events import Event
from tt_jax.memory import Buffer
from tt_jax.tensor import Tensor as FunctionalTensor
from tt_jax.ttnn import _derive
from tt_jax.ttnn._operations import CREATION
from tt_jax.ttnn._storage import Storage
from tt_jax.ttnn.device import Device, close_observers, device_of, require_device
from tt_jax.ttnn.tensor import Tensor, tensors_in

_ids = itertools.count()


class MeshTraceId(int):
    """The number of a trace."""


class _Step(NamedTuple):
    kernel: Callable[..., Any]
    inputs: tuple[tuple[Buffer | None, tuple[int, ...], Any], ...]
    outputs: tuple[Buffer, ...]


_NO_WRITES = (
    "writes from the host are not possible during trace capture, since a replay runs programs only: make the tensor before it, and "
    "copy new values into it between replays"
)


class _Trace:
    """What a capture recorded: steps by buffers, and the storages that held them."""

    def __init__(self, device: Device):
        self.device = device
        self.steps: list[_Step] = []
        self.written: dict[Buffer, None] = {}
        self.storages: dict[Buffer, weakref.ref[Storage]] = {}
        self.run: Callable[..., Any] | None = None
        self.reads: tuple[Buffer, ...] = ()
        self.writes: tuple[Buffer, ...] = ()

    def observe(self, event: Event) -> None:
        if event.launch is None or device_of(event.context) is not self.device:
            return
        inputs, outputs = event.inputs, event.outputs
        taken = tuple((x.buffer, x.array.shape, None) if isinstance(x, FunctionalTensor) else (None, (), x) for x in inputs)
        buffers = tuple(y.buffer for y in outputs)
        self.steps.append(_Step(event.launch.program.kernel, taken, buffers))
        self.written.update(dict.fromkeys(buffers))

    def intercept(self, operation: Any, args: Any, kwargs: Any, proceed: Callable[..., Any]) -> Any:
        name = operation.python_fully_qualified_name
        here = [x for x in tensors_in((args, kwargs)) if x.device() is self.device]
        if here and name in ("ttnn.to_torch", "ttnn.from_device", "ttnn.to_numpy"):
            raise TTError(
                f"{name}: reads are not possible during trace capture; read after end_trace_capture and execute_trace"
            )
        if here and (name == "ttnn.copy_host_to_device_tensor" or name.rpartition(".")[2] in CREATION):
            raise TTError(f"{name}: {_NO_WRITES}")
        self._hold(here)
        given = {x._storage.buffer for x in here}
        output = proceed(args, kwargs)
        made = [x for x in tensors_in(output) if x.device() is self.device]
        if any(x._storage.buffer not in given and x._storage.buffer not in self.written for x in made):
            raise TTError(f"{name}: {_NO_WRITES}")
        self._hold(made)
        return output

    def _hold(self, handles: Sequence[Tensor]) -> None:
        for handle in handles:
            storage = handle._storage
            if storage.buffer is not None:
                self.storages[storage.buffer] = weakref.ref(storage)

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
        self.writes = tuple(self.written)

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
    events.observers.append(trace.observe)
    _derive.interceptors.append(trace.intercept)
    return trace_id


def end_trace_capture(mesh_device: Device, trace_id: int, cq_id: int | None = None) -> None:
    """End the capture `trace_id`. Raises ArgumentError if there is none."""
    device = require_device("end_trace_capture", mesh_device)
    if trace_id not in _capturing or _capturing[trace_id].device is not device:
        raise ArgumentError(
            f"end_trace_capture: no capture {trace_id} is under way on {device!r}; begin_trace_capture gives the id"
        )
    trace = _stop(trace_id)
    trace.close()
    _traces[trace_id] = trace


def _stop(trace_id: int) -> _Trace:
    trace = _capturing.pop(trace_id)
    events.observers.remove(trace.observe)
    _derive.interceptors.remove(trace.intercept)
    return trace


def _forget(device: Device) -> None:
    """Drop what a closed device captured, and what it was capturing."""
    for trace_id in [i for i, trace in _capturing.items() if trace.device is device]:
        _stop(trace_id)
    for trace_id in [i for i, trace in _traces.items() if trace.device is device]:
        del _traces[trace_id]


close_observers.append(_forget)


def execute_trace(mesh_device: Device, trace_id: int, cq_id: int | None = None, blocking: bool = True) -> None:
    """Run a captured trace on what its input buffers hold now; its output tensors get the new values.

    Raises ArgumentError for an unknown trace, TTError where a tensor that the trace reads is gone.
    """
    trace = _known("execute_trace", mesh_device, trace_id)
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
    _known("release_trace", mesh_device, trace_id)
    del _traces[trace_id]


def _known(operation: str, mesh_device: Device, trace_id: int) -> _Trace:
    device = require_device(operation, mesh_device)
    if trace_id not in _traces or _traces[trace_id].device is not device:
        raise ArgumentError(f"{operation}: there is no trace {trace_id} of {device!r}: it was never captured, or was released")
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
