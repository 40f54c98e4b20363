"""`ttnn.graph`: what a program did, as the list of nodes that the real library's capture gives, and what that list says.

    ttnn.graph.begin_graph_capture(ttnn.graph.RunMode.NO_DISPATCH)
    model(x)
    trace = ttnn.graph.end_graph_capture()
    ttnn.graph.extract_peak_L1_memory_usage(trace)

A node is a dict with counter (its index), node_type, params, arguments, connections, input_tensors and stacking_level. A device
operation whose program keeps an unknown amount of L1 has the parameter `footprint`, and captures with such programs have no peak.
Source of the format: spec/memory.md section 6.
"""

import json
import os
import pathlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tt_jax import events
from tt_jax.choice import Choice
from tt_jax.errors import ArgumentError, TTError
from tt_jax.memory import BufferType
from tt_jax.ttnn import _derive
from tt_jax.ttnn import device as devices
from tt_jax.ttnn.graph_nodes import Node
from tt_jax.ttnn.graph_recorder import Recorder
from tt_jax.ttnn.graph_trace import PeakMemoryUsagePerCore as PeakMemoryUsagePerCore
from tt_jax.ttnn.graph_trace import TensorInfo as TensorInfo
from tt_jax.ttnn.graph_trace import count_intermediate_and_output_tensors as count_intermediate_and_output_tensors
from tt_jax.ttnn.graph_trace import extract_calltrace as extract_calltrace
from tt_jax.ttnn.graph_trace import extract_levelized_graph as extract_levelized_graph
from tt_jax.ttnn.graph_trace import extract_output_info as extract_output_info
from tt_jax.ttnn.graph_trace import extract_output_tensors as extract_output_tensors
from tt_jax.ttnn.graph_trace import extract_peak_L1_memory_usage as extract_peak_L1_memory_usage
from tt_jax.ttnn.graph_trace import extract_resource_usage_per_core as extract_resource_usage_per_core
from tt_jax.ttnn.graph_trace import pretty_print as pretty_print
from tt_jax.ttnn.undispatched import Undispatched


class RunMode(Choice):
    """How operations run while they are captured.

    NORMAL: as ever. NO_DISPATCH: on the devices that are open when the capture begins they allocate nothing (tensors are at address
    0, and never too large), keep no program and compute nothing: tensors made then hold no values and read as zeros. What is checked
    without running, the static buffers of a program against the tensors in L1 among it, is checked.
    """

    NORMAL = 0
    NO_DISPATCH = 1


_captures: list[Recorder] = []


def begin_graph_capture(run_mode: RunMode = RunMode.NORMAL) -> None:
    """Record what happens from now on. Raises ArgumentError for what is no RunMode, TTError within another capture."""
    if not isinstance(run_mode, RunMode):
        raise ArgumentError(f"begin_graph_capture: `run_mode` must be RunMode.NORMAL or RunMode.NO_DISPATCH, got {run_mode!r}")
    if _captures:
        raise TTError("begin_graph_capture: a capture is under way; end it with end_graph_capture")
    recorder = Recorder(Undispatched() if run_mode is RunMode.NO_DISPATCH else None)
    _captures.append(recorder)
    _derive.interceptors.append(recorder.intercept)
    events.observers.append(recorder.observe)
    events.refusal_observers.append(recorder.refused)
    devices.release_observers.append(recorder.released)


def _end() -> Recorder:
    if not _captures:
        raise TTError("end_graph_capture: no capture is under way; begin_graph_capture starts one")
    recorder = _captures.pop()
    _derive.interceptors.remove(recorder.intercept)
    events.observers.remove(recorder.observe)
    events.refusal_observers.remove(recorder.refused)
    devices.release_observers.remove(recorder.released)
    if recorder.undispatched is not None:
        recorder.undispatched.restore()
    recorder.graph.close()
    return recorder


def end_graph_capture() -> list[Node]:
    """End the capture: its nodes. Raises TTError if none is under way."""
    return _end().graph.nodes


def end_graph_capture_to_file(path: str | os.PathLike[str]) -> list[Node]:
    """End the capture: its nodes, which go to a JSON file too, with a description of the devices. Raises TTError if none is under way."""
    recorder = _end()
    report = {
        "version": 1,
        "graph": recorder.graph.nodes,
        "devices": [_description(device) for device in recorder.devices.values()],
        "metadata": {
            "capture_timestamp_ns": time.time_ns() - recorder.graph.nodes[-1]["duration_ns"],
            "rank": 0,
            "world_size": 1,
        },
    }
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2))
    return recorder.graph.nodes


def _description(device: devices.Device) -> dict[str, Any]:
    """A device as a capture's file describes it: every compute core stores L1 buffers, and there are no others."""
    profile, region = device.profile, device.memory.region(BufferType.L1)
    (columns, rows), cores = profile.grid, profile.l1_banks
    return {
        "device_id": device.id(),
        "num_y_cores": rows,
        "num_x_cores": columns,
        "num_y_compute_cores": rows,
        "num_x_compute_cores": columns,
        "worker_l1_size": profile.l1_size,
        "l1_num_banks": cores,
        "l1_bank_size": region.size,
        "address_at_first_l1_bank": 0,
        "address_at_first_l1_cb_buffer": region.start,
        "num_banks_per_storage_core": profile.l1_size // region.size if region.size else 0,
        "num_compute_cores": cores,
        "num_storage_cores": 0,
        "total_l1_memory": cores * profile.l1_size,
        "total_l1_for_tensors": 0,
        "total_l1_for_interleaved_buffers": cores * region.size,
        "total_l1_for_sharded_buffers": cores * region.size,
        "cb_limit": profile.l1_size - region.start,
        "arch": device.arch().name,
        "num_dram_channels": profile.dram_banks,
        "dram_size_per_channel": profile.dram_bank_end,
    }


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
