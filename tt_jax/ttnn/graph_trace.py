"""What the nodes of a graph capture say: peaks of L1, calls, outputs. Pure functions of the list of nodes.

Source: spec/memory.md section 6.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.memory import BufferType
from tt_jax.ttnn.graph_nodes import CREATE, UNTOLD, Node
from tt_jax.ttnn.shape import Shape

_STATIC = {
    "circular_buffer_allocate": "peak_cb",
    "dataflow_buffer_allocate": "peak_dataflow_buffer",
    "scratchpad_allocate": "peak_scratchpad",
}
"""Nodes of what a program keeps in L1 until the next one, and the peak that each counts towards."""


class PeakMemoryUsagePerCore(NamedTuple):
    """Peaks of L1 in bytes per core, each on its own; `peak_total` is that of all together."""

    peak_cb: int
    peak_l1: int
    peak_dataflow_buffer: int
    peak_scratchpad: int
    peak_total: int


class TensorInfo(NamedTuple):
    """A tensor: its logical shape, the bytes of its buffer in all banks, and where it is."""

    shape: Shape
    size: int
    type: BufferType


def _of_kind(trace: Sequence[Node], kind: str) -> list[Node]:
    return [node for node in trace if node["node_type"] == kind]


def _require_footprints(name: str, trace: Sequence[Node]) -> None:
    """Raise NotModelledError if programs of the capture keep static buffers of unknown size."""
    untold = {
        node["params"]["name"]: node["params"][UNTOLD] for node in _of_kind(trace, "function_start") if UNTOLD in node["params"]
    }
    if untold:
        listed = ", ".join(f"{operation} ({known})" for operation, known in untold.items())
        raise NotModelledError(
            f"{name}: the capture has programs whose static L1 buffers are not known, so the peak is not: {listed}. Capture without "
            "these operations, or count the tensors alone from the buffer_allocate and buffer_deallocate nodes"
        )


def _is_l1(node: Node) -> bool:
    return bool(node["params"]["type"] == "L1")


def _inputs_on_arrival(trace: Sequence[Node], start: int) -> list[int]:
    """The buffers of inputs that the function at node `start` is the first to see."""
    found = []
    for node in trace[start + 1 :]:
        if node["node_type"] not in ("tensor", "buffer"):
            break
        if node["node_type"] == "buffer":
            found.append(node["counter"])
    return found


def extract_peak_L1_memory_usage(trace: Sequence[Node]) -> int:  # noqa: N802 - ttnn's name
    """The most L1 in bytes over all cores that tensors and the static buffers of the program that runs took together.

    A tensor counts whole, a static buffer once; tensors from before the capture count from the outermost function that takes them.

    Raises NotModelledError where the capture has programs whose static buffers are not known.
    """
    _require_footprints("extract_peak_L1_memory_usage", trace)
    live: dict[int, int] = {}
    peak = static = depth = 0
    for node in trace:
        kind, params = node["node_type"], node["params"]
        if kind == "function_start":
            arrived = _inputs_on_arrival(trace, node["counter"]) if depth == 0 else []
            live |= {i: trace[i]["params"]["size"] for i in arrived if _is_l1(trace[i])}
            depth += 1
        elif kind == "function_end":
            depth -= 1
        elif kind == "buffer_allocate" and _is_l1(node):
            live[node["connections"][0]] = params["size"]
        elif kind == "buffer_deallocate":
            live.pop(node["connections"][0], None)
        elif kind == "circular_buffer_deallocate_all":
            static = 0
        elif kind in _STATIC:
            static += params["size"]
        peak = max(peak, static + sum(live.values()))
    return peak


def extract_resource_usage_per_core(
    trace: Sequence[Node], interleaved_storage_cores: int | None = None
) -> PeakMemoryUsagePerCore:
    """The peaks of L1 per core of what the capture saw allocated: tensors, and the static buffers of the program that ran.

    `interleaved_storage_cores` has no effect, as in ttnn, which deprecates it. Static buffers in a tensor's own memory cost nothing.

    Raises NotModelledError where the capture has programs whose static buffers are not known.
    """
    del interleaved_storage_cores
    _require_footprints("extract_resource_usage_per_core", trace)
    now = dict.fromkeys(PeakMemoryUsagePerCore._fields, 0)
    peaks = dict(now)
    live: dict[int, int] = {}
    for node in trace:
        kind, params = node["node_type"], node["params"]
        if kind == "buffer_allocate" and _is_l1(node):
            live[node["connections"][0]] = params["max_size_per_bank"]
        elif kind == "buffer_deallocate":
            live.pop(node["connections"][0], None)
        elif kind == "circular_buffer_deallocate_all":
            now |= dict.fromkeys(_STATIC.values(), 0)
        elif kind in _STATIC and "1" not in (params.get("globally_allocated"), params.get("borrows_memory")):
            now[_STATIC[kind]] += params["size"]
        now["peak_l1"] = sum(live.values())
        now["peak_total"] = now["peak_l1"] + sum(now[name] for name in _STATIC.values())
        peaks = {name: max(peak, now[name]) for name, peak in peaks.items()}
    return PeakMemoryUsagePerCore(**peaks)


def extract_calltrace(trace: Sequence[Node]) -> list[str]:
    """The names of the functions in order."""
    return [node["params"]["name"] for node in _of_kind(trace, "function_start")]


def extract_output_tensors(trace: Sequence[Node]) -> set[int]:
    """The counters of the tensors that the last function gave. Raises ArgumentError for a capture without functions."""
    ends = _of_kind(trace, "function_end")
    if not ends:
        raise ArgumentError(
            "extract_output_tensors: the capture has no function; call operations between its begin and its end"
        )
    return {i for i in ends[-1]["connections"] if trace[i]["node_type"] == "tensor"}


def extract_output_info(trace: Sequence[Node]) -> list[TensorInfo]:
    """The device tensors that the last function gave. Raises ArgumentError for a capture without functions."""
    outputs = extract_output_tensors(trace)
    found = []
    for buffer in _of_kind(trace, "buffer"):
        where = BufferType.L1 if _is_l1(buffer) else BufferType.DRAM
        for i in dict.fromkeys(buffer["connections"]):
            if i in outputs:
                found.append(TensorInfo(_shape(trace[i]["params"]["shape"]), buffer["params"]["size"], where))
    return found


def _shape(text: str) -> Shape:
    inner = text[text.index("[") + 1 : text.index("]")]
    return Shape([int(size) for size in inner.split(",") if size.strip()])


def count_intermediate_and_output_tensors(trace: Sequence[Node]) -> tuple[int, int]:
    """How many tensors the capture saw made that the last function did not give, and how many that gave.

    Raises ArgumentError for a capture without functions.
    """
    outputs = extract_output_tensors(trace)
    made = {node["connections"][0] for node in _of_kind(trace, "function_end") if node["params"]["name"] == CREATE}
    return len(made - outputs), len(outputs)


def extract_levelized_graph(trace: Sequence[Node], max_level: int = 1) -> list[dict[str, Any]]:
    """The flow of tensors between functions no deeper than `max_level`: a list of vertices, each a dict.

    First come the tensors of the outermost level, those that no function within made, then the functions. A vertex has counter (its
    index in this list), stacking_level, name, arguments, in_edges and out_edges (vertices), internals (the functions one level
    deeper in it), output_info (its tensors as the functions that take them show them) and output_shape.
    """
    tensors = [node for node in _of_kind(trace, "tensor") if node["stacking_level"] == 1]
    starts = [node for node in _of_kind(trace, "function_start") if node["stacking_level"] <= max_level]
    index = {node["counter"]: i for i, node in enumerate([*tensors, *starts])}
    ends = _ends(trace)
    producer = _producers(trace, ends)

    def source(tensor: int) -> int | None:
        return index.get(tensor, index.get(producer.get(tensor, -1)))

    vertices = [_vertex(i, node) for i, node in enumerate([*tensors, *starts])]
    for node in starts:
        vertex, outputs = vertices[index[node["counter"]]], _tensors_of(trace, ends[node["counter"]])
        vertex["in_edges"] = [i for tensor in node["input_tensors"] if (i := source(tensor)) is not None]
        vertex["output_shape"] = list(dict.fromkeys(trace[i]["params"]["shape"] for i in outputs))
        within = range(node["counter"] + 1, ends[node["counter"]])
        vertex["internals"] = [
            index[inner["counter"]]
            for inner in starts
            if inner["counter"] in within and inner["stacking_level"] == node["stacking_level"] + 1
        ]
    for node in tensors:
        made_by = index.get(producer.get(node["counter"], -1))
        vertices[index[node["counter"]]]["in_edges"] = [] if made_by is None else [made_by]
    _connect_outputs(vertices)
    return vertices


def _vertex(i: int, node: Node) -> dict[str, Any]:
    is_tensor, params = node["node_type"] == "tensor", node["params"]
    return {
        "counter": i,
        "stacking_level": node["stacking_level"],
        "name": f"tensor[{params['tensor_id']}]" if is_tensor else params["name"],
        "arguments": list(node["arguments"]),
        "in_edges": [],
        "out_edges": [],
        "internals": [],
        "output_info": [],
        "output_shape": [params["shape"]] if is_tensor else [],
    }


def _connect_outputs(vertices: list[dict[str, Any]]) -> None:
    """Every edge from its source too, with what the taker, if it is on the source's level, shows as its first tensor."""
    for vertex in vertices:
        shown = [argument for argument in vertex["arguments"] if argument.startswith("Tensor(")]
        for i in dict.fromkeys(vertex["in_edges"]):
            if i != vertex["counter"]:
                vertices[i]["out_edges"].append(vertex["counter"])
                if shown and vertices[i]["stacking_level"] == vertex["stacking_level"] and not vertices[i]["output_info"]:
                    vertices[i]["output_info"] = shown[:1]


def _ends(trace: Sequence[Node]) -> dict[int, int]:
    """The end of each function that starts."""
    ends, open_starts = {}, []
    for node in trace:
        if node["node_type"] == "function_start":
            open_starts.append(node["counter"])
        elif node["node_type"] == "function_end":
            ends[open_starts.pop()] = node["counter"]
    return ends | dict.fromkeys(open_starts, len(trace) - 1)


def _tensors_of(trace: Sequence[Node], end: int) -> list[int]:
    return [i for i in trace[end]["connections"] if trace[i]["node_type"] == "tensor"]


def _producers(trace: Sequence[Node], ends: dict[int, int]) -> dict[int, int]:
    """The start of the outermost function that gave each tensor."""
    found: dict[int, int] = {}
    level: Callable[[int], int] = lambda start: trace[start]["stacking_level"]
    for start in sorted(ends, key=lambda start: (level(start), start)):
        for tensor in _tensors_of(trace, ends[start]):
            found.setdefault(tensor, start)
    return found


def pretty_print(trace: Sequence[Node]) -> None:
    """Print the functions, indented by their depth."""
    for node in _of_kind(trace, "function_start"):
        print("    " * (node["stacking_level"] - 1) + node["params"]["name"])
