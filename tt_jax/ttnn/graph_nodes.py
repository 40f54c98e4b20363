"""A captured graph as it grows: a list of nodes, and the functions that are open. Source: spec/memory.md section 6."""

import time
from collections.abc import Sequence
from typing import Any

Node = dict[str, Any]

CREATE = "tt::tt_metal::create_device_tensor"
"""The function that makes every device tensor."""

UNTOLD = "footprint"
"""The parameter that marks a device operation whose static buffers are missing from the capture: "unknown", or "at least" so much."""


class Nodes:
    """The nodes so far. A node is named by its counter, which is its place in the list."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._began = time.perf_counter_ns()
        self._open: list[int] = []
        self._finished: int | None = None
        self._open.append(self.add("capture_start", None))

    def add(self, kind: str, params: dict[str, Any] | None, connections: Sequence[int] = ()) -> int:
        """A node on its own: its counter."""
        counter, depth = len(self.nodes), len(self._open)
        node = {
            "counter": counter,
            "node_type": kind,
            "params": params,
            "arguments": [],
            "connections": list(connections),
            "input_tensors": [],
            "stacking_level": depth if kind == "function_start" else max(0, depth - 1),
        }
        self.nodes.append(node)
        return counter

    def child(self, kind: str, params: dict[str, Any], connections: Sequence[int] = ()) -> int:
        """A node of the innermost open function, which leads to it."""
        counter = self.add(kind, params, connections)
        self.connect(self._open[-1], counter)
        return counter

    def connect(self, source: int, target: int) -> None:
        """An edge."""
        self.nodes[source]["connections"].append(target)

    def start(self, name: str, arguments: Sequence[str], **params: Any) -> int:
        """Open a function, to which the one that ended last leads too."""
        counter = self.child("function_start", {"name": name, "inputs": str(len(arguments))} | params)
        self.nodes[counter]["arguments"] = list(arguments)
        if self._finished is not None:
            self.connect(self._finished, counter)
            self._finished = None
        self._open.append(counter)
        return counter

    def end(self, **params: Any) -> int:
        """The end of the innermost function; `give` closes it."""
        start = self._open[-1]
        self._finished = self.child("function_end", {"name": self.nodes[start]["params"]["name"]} | params)
        return self._finished

    def give(self, end: int, tensors: Sequence[int]) -> None:
        """Close the function that ends at node `end`, and whose results are `tensors`."""
        for counter in tensors:
            self.connect(end, counter)
        self._open.pop()

    @property
    def depth(self) -> int:
        """Open functions, and one."""
        return len(self._open)

    @property
    def innermost(self) -> int:
        """The start of the innermost open function; of the capture, if none is open."""
        return self._open[-1]

    def unwind(self, depth: int) -> None:
        """Forget the open functions above `depth`."""
        del self._open[depth:]

    def close(self) -> list[Node]:
        """End the capture: its nodes."""
        self.unwind(1)
        end = self.add("capture_end", None)
        self.nodes[end]["duration_ns"] = time.perf_counter_ns() - self._began
        self.connect(0 if self._finished is None else self._finished, end)
        return self.nodes
