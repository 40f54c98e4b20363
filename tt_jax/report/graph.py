"""The graph that is captured of one operation: functions, tensors, buffers and circular buffers, in the order of events.

Source of the format: spec/visualizer.md; spec/memory.md section 6. Every parameter is a string, as the tool expects.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tt_jax.devices import DeviceProfile
from tt_jax.footprint import Footprint, places
from tt_jax.memory import Buffer, BufferType
from tt_jax.report.tensors import Life


class Graph:
    """The nodes so far, of a device with the number `device`."""

    def __init__(self, device: int) -> None:
        self._device = str(device)
        self._nodes: list[dict[str, Any]] = []
        self._open: list[int] = []
        self._tensors: dict[int, int] = {}
        self._buffers: dict[Buffer, int] = {}
        self._open.append(self._add("capture_start"))

    def _add(self, kind: str, **parameters: str) -> int:
        counter = len(self._nodes)
        node = {"counter": counter, "id": counter, "node_type": kind, "params": parameters}
        self._nodes.append(node | {"connections": [], "arguments": [], "input_tensors": [], "stacking_level": len(self._open)})
        return counter

    def _connect(self, source: int, target: int) -> None:
        self._nodes[source]["connections"].append(target)

    def start(self, name: str, arguments: Sequence[str], inputs: Iterable[Life], **parameters: str) -> None:
        """A function begins."""
        tensors = [self._tensor(life) for life in inputs]
        counter = self._add("function_start", name=name, inputs=str(len(arguments)), **parameters)
        self._nodes[counter] |= {"arguments": list(arguments), "input_tensors": tensors}
        for tensor in tensors:
            self._connect(tensor, counter)
        self._connect(self._open[-1], counter)
        self._open.append(counter)

    def end(self, outputs: Iterable[Life] = (), **parameters: str) -> None:
        """The innermost function ends; `parameters` say why if it was aborted."""
        start = self._open.pop()
        counter = self._add("function_end", name=self._nodes[start]["params"]["name"], **parameters)
        self._connect(start, counter)
        for life in outputs:
            self._connect(counter, self._tensor(life))

    def _tensor(self, life: Life) -> int:
        if life.number not in self._tensors:
            self._tensors[life.number] = self._add("tensor", **life.parameters())
            if life.buffer in self._buffers:
                self._connect(self._buffers[life.buffer], self._tensors[life.number])
        return self._tensors[life.number]

    def allocate(self, life: Life) -> None:
        """The buffer of a tensor comes."""
        assert life.buffer is not None
        parameters = self._place(life.buffer) | _extent(life)
        buffer = self._buffers[life.buffer] = self._add("buffer", **parameters)
        self._connect(self._add("buffer_allocate", address=str(life.buffer.address), **parameters), buffer)

    def free(self, buffer: Buffer, life: Life | None) -> None:
        """A buffer goes, and the tensor in it, if that is known."""
        extent = _extent(life) if life is not None else {"size": str(buffer.size), "num_cores": "1"}
        counter = self._add("buffer_deallocate", address=str(buffer.address), **self._place(buffer), **extent)
        if buffer in self._buffers:
            self._connect(counter, self._buffers.pop(buffer))

    def _place(self, buffer: Buffer) -> dict[str, str]:
        kind = buffer.buffer_type
        memory = "DRAM" if kind in (BufferType.DRAM, BufferType.TRACE) else kind.name
        return {"type": memory, "buffer_type": str(kind.value), "device_id": self._device}

    def circular_buffers(self, footprint: Footprint, base: int, device: DeviceProfile) -> None:
        """A program's static buffers take the place of the last program's, from the L1 address `base` upward.

        Dataflow buffers too are called circular ones here: those the tool draws.
        """
        self._connect(self._add("circular_buffer_deallocate_all", device_id=self._device), self._open[-1])
        for address, size in places(footprint.buffers, base, device):
            where = {"address": str(address), "size": str(size), "core_range_set": repr(footprint.cores)}
            cores = str(footprint.cores.num_cores())
            self._add("circular_buffer_allocate", globally_allocated="0", num_cores=cores, device_id=self._device, **where)

    def as_json(self) -> str:
        """All of it, ended, as the table has it."""
        end = self._add("capture_end")
        self._nodes[end]["stacking_level"] = 0
        self._connect(self._open[0], end)
        return json.dumps(self._nodes)


def _extent(life: Life) -> dict[str, str]:
    """How large a tensor's buffer is; interleaved ones have 0 cores, as in ttnn."""
    spec, buffer = life.spec, life.buffer
    assert buffer is not None
    shards = spec.memory_config.shard_spec or spec.memory_config.nd_shard_spec
    return {
        "size": str(spec.num_pages * spec.page_size),
        "layout": spec.memory_config.memory_layout.name,
        "page_size": str(spec.page_size),
        "num_cores": str(shards.num_cores() if shards else 0),
        "max_size_per_bank": str(buffer.size),
    }
