"""`ttnn.tracer`: the calls of a block as a graph, those of torch among them, and the graph as Graphviz's DOT."""

import dataclasses
import pathlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tt_jax.errors import TTError
from tt_jax.ttnn import _derive
from tt_jax.ttnn.tensor import Tensor


@dataclasses.dataclass
class Graph:
    """Calls in order: `nodes` are their labels, `edges` pairs (from, to) of their indices."""

    nodes: list[str] = dataclasses.field(default_factory=list)
    edges: list[tuple[int, int]] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.nodes)

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        lines = [f'  {i} [shape=box, label="{label}"];' for i, label in enumerate(self.nodes)]
        lines += [f"  {a} -> {b};" for a, b in self.edges]
        return "\n".join(["digraph {", *lines, "}"])


def _key(x: Any) -> Any:
    return ("ttnn", x.tensor_id) if isinstance(x, Tensor) else id(x)


class _Tracer:
    def __init__(self) -> None:
        self.graph = Graph()
        self.made: dict[Any, int] = {}
        self.kept: list[Any] = []  # torch's tensors stay alive, so that no id comes twice

    def record(self, name: str, inputs: Any, output: Any) -> None:
        sources = dict.fromkeys(self.made[_key(x)] for x in _leaves(inputs) if _key(x) in self.made)
        node = len(self.graph.nodes)
        outputs = _leaves(output)
        shapes = ", ".join(str(tuple(x.shape)) for x in outputs)
        self.graph.nodes.append(f"{name}\\n{shapes}")
        self.graph.edges += [(source, node) for source in sources]
        for x in outputs:
            self.made[_key(x)] = node
            if not isinstance(x, Tensor):
                self.kept.append(x)

    def intercept(self, operation: Any, args: Any, kwargs: Any, proceed: Any) -> Any:
        output = proceed(args, kwargs)
        self.record(operation.python_fully_qualified_name, (args, kwargs), output)
        return output


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return _leaves(list(value.values()))
    if isinstance(value, list | tuple) and not hasattr(value, "numel"):
        return [x for y in value for x in _leaves(y)]
    return [value] if hasattr(value, "shape") and hasattr(value, "dtype") else []


_tracers: list[_Tracer] = []
_last: _Tracer | None = None


def _torch_mode(tracer: _Tracer) -> Any:
    try:
        from torch.overrides import TorchFunctionMode, resolve_name
    except ImportError:
        return None

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            output = function(*args, **(kwargs or {}))
            if _leaves(output):
                tracer.record(resolve_name(function) or getattr(function, "__name__", "torch"), (args, kwargs or {}), output)
            return output

    return Mode()


@contextmanager
def trace() -> Iterator[None]:
    """Record the calls of ttnn, and of torch if it is there, within the block."""
    global _last
    tracer = _last = _Tracer()
    _tracers.append(tracer)
    _derive.interceptors.append(tracer.intercept)
    try:
        with ExitStack() as stack:
            mode = _torch_mode(tracer)
            if mode is not None:
                stack.enter_context(mode)
            yield
    finally:
        _derive.interceptors.remove(tracer.intercept)
        _tracers.remove(tracer)


_enabled = ExitStack()


def enable_tracing() -> None:
    """Record from now on, until `disable_tracing`."""
    if not _tracers:
        _enabled.enter_context(trace())


def disable_tracing() -> None:
    """End what `enable_tracing` began; without that it does nothing."""
    _enabled.close()


def is_tracing_enabled() -> bool:
    """Whether calls are being recorded."""
    return bool(_tracers)


def get_graph(value: Any = None) -> Graph:
    """What the last trace recorded: all of it, or what led to `value`. Raises TTError without a trace, or for an unknown value."""
    if _last is None:
        raise TTError("get_graph: nothing was traced; run the program within `with ttnn.tracer.trace():`")
    if value is None:
        return _last.graph
    wanted = [_last.made.get(_key(x)) for x in _leaves(value)]
    if not wanted or None in wanted:
        raise TTError("get_graph: the value was not made within the last trace")
    needed = set(wanted)
    for source, target in reversed(_last.graph.edges):
        if target in needed:
            needed.add(source)
    order = {node: i for i, node in enumerate(sorted(n for n in needed if n is not None))}
    nodes = [_last.graph.nodes[node] for node in order]
    return Graph(nodes, [(order[a], order[b]) for a, b in _last.graph.edges if b in order and a in order])


def visualize(value: Any, *, file_name: str | pathlib.Path | None = None, **options: Any) -> Graph:
    """The graph that led to `value`; written as DOT to `file_name` if given (Graphviz draws that)."""
    graph = get_graph(value)
    if file_name is not None:
        pathlib.Path(file_name).write_text(graph.dot())
    return graph
