"""`ttnn.graph`: what a program did, as the list of nodes that the real library's capture gives.

Nodes are dicts with counter, node_type, params, arguments and connections. Functions, device operations, tensors and buffers are
recorded; circular buffers are not (their sizes are known for few programs so far), so peaks cannot be told yet.
Source of the format: spec/memory.md section 6.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tt_jax.choice import Choice
from tt_jax.errors import NotModelledError, TTError
from tt_jax.events import Event, observers
from tt_jax.memory import Buffer, BufferType
from tt_jax.tensor import Tensor as FunctionalTensor
from tt_jax.ttnn import _derive
from tt_jax.ttnn.device import Device, release_observers
from tt_jax.ttnn.tensor import Tensor, tensors_in

Node = dict[str, Any]


class RunMode(Choice):
    """NORMAL: operations run as they are captured. NO_DISPATCH, which only pretends, is not modelled."""

    NORMAL = 0
    NO_DISPATCH = 1


class _Capture:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[int, int] = {}
        self.buffers: dict[Buffer, int] = {}
        self.open: list[int] = [self.add("capture_start")]

    def add(self, kind: str, params: dict[str, Any] | None = None, **extra: Any) -> int:
        counter = len(self.nodes)
        node = {
            "counter": counter,
            "node_type": kind,
            "params": params,
            "arguments": [],
            "connections": [],
            "input_tensors": [],
        }
        self.nodes.append(node | extra | {"stacking_level": len(self.open) if counter else 0})
        return counter

    def connect(self, source: int, target: int) -> None:
        self.nodes[source]["connections"].append(target)

    def start(self, name: str, arguments: Sequence[Any] = (), **params: Any) -> int:
        shown = [f"{argument!s:.400}" for argument in arguments]
        counter = self.add("function_start", {"name": name, "inputs": str(len(arguments))} | params, arguments=shown)
        self.connect(self.open[-1], counter)
        self.open.append(counter)
        return counter

    def end(self, name: str) -> int:
        counter = self.add("function_end", {"name": name})
        self.connect(self.open.pop(), counter)
        return counter

    def tensor(self, handle: Tensor) -> int:
        key = handle.tensor_id
        if key not in self.tensors:
            params = {
                "tensor_id": str(key),
                "shape": str(handle.shape),
                "dtype": f"DataType::{handle.dtype.name}",
                "layout": f"Layout::{handle.layout.name}",
                "size": handle.logical_volume() * handle.element_size(),
                "storage_type": handle.storage_type().name,
            }
            buffer, device = handle._storage.buffer, handle.device()
            if device is not None and buffer is not None:
                params |= {"memory_config": str(handle.memory_config()), "device_id": device.id(), "address": buffer.address}
            self.tensors[key] = self.add("tensor", params)
            if device is not None and buffer is not None:
                if buffer not in self.buffers:
                    self.allocate(buffer, handle.spec.page_size, handle.spec.num_pages * handle.spec.page_size)
                self.connect(self.buffers[buffer], self.tensors[key])
        return self.tensors[key]

    def allocate(self, buffer: Buffer, page_size: int, size: int) -> None:
        params = self._place(buffer) | {"size": size}
        self.buffers[buffer] = self.add("buffer", params)
        where = {"address": buffer.address, "page_size": page_size, "max_size_per_bank": buffer.size, "num_cores": 0}
        allocation = self.add("buffer_allocate", params | where)
        self.connect(allocation, self.buffers[buffer])

    def _place(self, buffer: Buffer) -> dict[str, Any]:
        memory = "DRAM" if buffer.buffer_type is BufferType.DRAM else "L1"
        return {"type": memory, "buffer_type": buffer.buffer_type.name, "device_id": 0}

    def released(self, device: Device, buffer: Buffer) -> None:
        if buffer in self.buffers:
            counter = self.add("buffer_deallocate", self._place(buffer) | {"address": buffer.address, "size": buffer.size})
            self.connect(counter, self.buffers.pop(buffer))

    def launched(self, event: Event) -> None:
        if event.launch is None:
            return
        operation, hit = event.launch.operation, event.launch.is_hit
        shown = [x.spec if isinstance(x, FunctionalTensor) else "scalar" for x in event.inputs]
        self.start(operation.name, shown, program_cache_hit=hit)
        for y in event.outputs:
            if y.buffer not in self.buffers:
                self.allocate(y.buffer, y.spec.page_size, y.spec.num_pages * y.spec.page_size)
        self.end(operation.name)

    def intercept(self, operation: Any, args: Any, kwargs: Any, proceed: Any) -> Any:
        name = operation.python_fully_qualified_name
        inputs = [self.tensor(x) for x in tensors_in((args, kwargs)) if x.is_allocated()]
        function = self.start(name, [*args, *(f"{key}={value}" for key, value in kwargs.items())])
        self.nodes[function]["input_tensors"] = inputs
        for counter in inputs:
            self.connect(counter, function)
        try:
            output = proceed(args, kwargs)
        except BaseException:
            self.end(name)
            raise
        end = self.end(name)
        for x in tensors_in(output):
            self.connect(end, self.tensor(x))
        return output


_captures: list[_Capture] = []


def begin_graph_capture(run_mode: RunMode = RunMode.NORMAL) -> None:
    """Record what happens from now on. Raises NotModelledError for NO_DISPATCH, TTError within another capture."""
    if run_mode is not RunMode.NORMAL:
        raise NotModelledError(
            "graph capture without dispatch is not modelled: use RunMode.NORMAL, or a device with TT_JAX_COMPUTE=off"
        )
    if _captures:
        raise TTError("begin_graph_capture: a capture is under way; end it with end_graph_capture")
    capture = _Capture()
    _captures.append(capture)
    _derive.interceptors.append(capture.intercept)
    observers.append(capture.launched)
    release_observers.append(capture.released)


def end_graph_capture() -> list[Node]:
    """End the capture: its nodes. Raises TTError if none is under way."""
    if not _captures:
        raise TTError("end_graph_capture: no capture is under way; begin_graph_capture starts one")
    capture = _captures.pop()
    _derive.interceptors.remove(capture.intercept)
    observers.remove(capture.launched)
    release_observers.remove(capture.released)
    end = capture.add("capture_end")
    capture.nodes[end]["stacking_level"] = 0
    capture.connect(0, end)
    return capture.nodes


def end_graph_capture_to_file(path: str | os.PathLike[str]) -> None:
    """End the capture and write its nodes to a JSON file."""
    nodes = end_graph_capture()
    with open(path, "w") as file:
        json.dump({"version": 1, "graph": nodes}, file)


def is_graph_capture_active() -> bool:
    """Whether a capture is under way."""
    return bool(_captures)


@contextmanager
def capture(run_mode: RunMode = RunMode.NORMAL) -> Iterator[list[Node]]:
    """A block that is captured; the list that it yields holds the nodes after it."""
    nodes: list[Node] = []
    begin_graph_capture(run_mode)
    try:
        yield nodes
    finally:
        nodes.extend(end_graph_capture())


def extract_calltrace(trace: Sequence[Node]) -> list[str]:
    """The names of the functions in order."""
    return [node["params"]["name"] for node in trace if node["node_type"] == "function_start"]


def extract_output_tensors(trace: Sequence[Node]) -> set[int]:
    """The counters of the tensors that the last function gave."""
    ends = [node for node in trace if node["node_type"] == "function_end"]
    kinds = {node["counter"]: node["node_type"] for node in trace}
    return {c for c in ends[-1]["connections"] if kinds[c] == "tensor"} if ends else set()


def count_intermediate_and_output_tensors(trace: Sequence[Node]) -> tuple[int, int]:
    """How many tensors functions made that are not the result, and how many are."""
    kinds = {node["counter"]: node["node_type"] for node in trace}
    made = {c for node in trace if node["node_type"] == "function_end" for c in node["connections"] if kinds[c] == "tensor"}
    outputs = extract_output_tensors(trace)
    return len(made - outputs), len(outputs)


def _needs_circular_buffers(name: str) -> Any:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise NotModelledError(f"{name} needs the circular buffers of every program, which are not recorded yet")

    refuse.__name__ = name
    return refuse


extract_peak_L1_memory_usage = _needs_circular_buffers("extract_peak_L1_memory_usage")  # noqa: N816
extract_resource_usage_per_core = _needs_circular_buffers("extract_resource_usage_per_core")


def pretty_print(trace: Sequence[Node]) -> None:
    """Print the functions, indented by their depth."""
    for node in trace:
        if node["node_type"] == "function_start":
            print("    " * (node["stacking_level"] - 1) + node["params"]["name"])
