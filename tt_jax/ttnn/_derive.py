"""How a facade function comes from a functional operation: handles in, the device's memory stepped, handles out.

`derive(op)` for `op(memory, x, ...) -> (memory, result)` is a function `(x, ...) -> result` with the same name, signature
and docstring. It holds no arithmetic and no rule of any operation.
"""

import functools
import inspect
import itertools
import typing
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from jax.core import Tracer

from tt_jax import tensor as core
from tt_jax.context import Context, active
from tt_jax.devices import N150
from tt_jax.errors import ArgumentError, NotModelledError, TTError
from tt_jax.memory import MemoryState
from tt_jax.mesh_mapping import MeshMapperConfig
from tt_jax.origins import Origins
from tt_jax.program_cache import ProgramCache
from tt_jax.ttnn._storage import Storage
from tt_jax.ttnn.device import Device, require_device
from tt_jax.ttnn.tensor import Tensor, host_tensor

SCHEDULING = frozenset(
    (
        "queue_id",
        "cq_id",
        "use_multicore",
        "sub_core_grids",
        "sub_device_id",
        "use_low_perf",
        "use_pack_untilize",
        "use_legacy",
        "global_cb",
        "subdevice_id",
        "chunks_per_sync",
        "num_workers_per_link",
        "num_buffers_per_channel",
        "barrier_semaphore",
        "multi_device_global_semaphore",
        "use_l1_small_for_semaphores",
    )
)
"""Arguments that any operation takes and that change neither values nor memory here: they choose queues, cores and variants of
kernels, where tt_jax has one queue, and reckons programs by operation."""

Interceptor = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], Callable[..., Any]], Any]
interceptors: list[Interceptor] = []
"""Called in turn around every facade call, the last one outermost, as `interceptor(operation, args, kwargs, proceed)`: hooks,
comparison mode, recorders. Empty most of the time."""


@functools.lru_cache(maxsize=16)
def _host_memory(lead: tuple[int, ...]) -> MemoryState:
    """A memory for host tensors, which may be those of the chips of a mesh."""
    return MemoryState.create(N150, mesh=lead or None)


_HOST = Context(ProgramCache(), Origins(), is_host=True)


def trace_error(operation: str) -> TTError:
    """The error for values of a JAX transformation that reach an ordinary device."""
    return TTError(
        f"{operation}: a traced array reached a ttnn device: under jax.jit, jax.grad or jax.vmap its memory would be stepped once, at "
        "trace time. Wrap the program with tt_jax.functionalize(program), which gives (memory, *tensors) -> (memory, result), and "
        "transform that"
    )


class _Inputs:
    """The handles among a call's arguments, as functional tensors; and the one device they are on."""

    __slots__ = ("device", "handles", "on_host", "operation")

    def __init__(self, operation: str):
        self.operation = operation
        self.device: Device | None = None
        self.on_host = False
        self.handles: list[Tensor] = []

    def functional(self, values: Iterable[Any]) -> list[Any]:
        found = []
        for value in values:
            if type(value) is Tensor:
                storage = value._storage
                device = storage.device
                if device is None:
                    self.on_host = True
                elif device is not self.device:
                    if self.device is not None:
                        raise ArgumentError(
                            f"{self.operation}: tensors on two devices, {self.device!r} and {device!r}; move one"
                        )
                    self.device = device
                self.handles.append(value)
                tensor = storage.tensor
                found.append(tensor if tensor is not None and tensor.spec is value._spec else value._functional())
            else:
                found.append(self._other(value))
        return found

    def named(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return dict(zip(arguments, self.functional(arguments.values()), strict=True))

    def _other(self, value: Any) -> Any:
        kind = type(value)
        if kind is list or kind is tuple:
            return kind(self.functional(value))
        if kind is core.Tensor:
            raise ArgumentError(
                f"{self.operation}: got a functional tensor ({value.spec}), whose memory is not a ttnn device's: wrap the program with "
                "tt_jax.functionalize, which passes lists, tuples, dicts and registered pytrees of tensors"
            )
        if isinstance(value, Tensor):
            raise ArgumentError(f"{self.operation}: subclasses of Tensor are not supported, got {kind.__name__}")
        if isinstance(value, Tracer):
            if self.device is not None and self.device.is_functional:
                raise ArgumentError(
                    f"{self.operation}: a number that is traced: under a transformation numbers must be static (`static_argnums`) or "
                    "closed over; a value to differentiate is a tensor of shape (1, 1)"
                )
            raise trace_error(self.operation)
        if kind.__module__.partition(".")[0] == "torch" and hasattr(value, "dim"):
            if value.dim() == 0:
                return value.item()
            raise ArgumentError(
                f"{self.operation}: got a torch tensor where a ttnn tensor is needed: ttnn.from_torch(x, device=device) makes one"
            )
        return value


def adopt(device: Device | None, tensor: core.Tensor, inputs: list[Tensor]) -> Tensor:
    """A handle of `tensor`: of an input's storage where it shares its buffer, else of a new one."""
    if device is None:
        return host_tensor(tensor.array, tensor.spec)
    buffer = tensor.buffer
    for handle in inputs:
        storage = handle._storage
        if storage.tensor is not None and storage.tensor.buffer is buffer:
            storage.tensor = tensor
            return Tensor._of(storage, tensor.spec)
    storage = Storage(device, tensor)
    device.newest = weakref.ref(storage)
    return Tensor._of(storage, tensor.spec)


def _handles(device: Device | None, result: Any, inputs: list[Tensor]) -> Any:
    kind = type(result)
    if kind is core.Tensor:
        return adopt(device, result, inputs)
    if kind is list or kind is tuple:
        return kind([_handles(device, x, inputs) for x in result])
    if isinstance(result, tuple):
        # A NamedTuple holds, after the output, what the operation wrote in place: there the inputs' handles have it already.
        return [_handles(device, x, inputs) for x in result][0]
    return result


def _traced(result: Any) -> bool:
    """Whether a value in `result` belongs to a JAX transformation."""
    if type(result) is core.Tensor:
        return isinstance(result.array, Tracer)
    return isinstance(result, list | tuple) and any(map(_traced, result))


def _only_scheduling_dropped(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name not in SCHEDULING}


class Traits(NamedTuple):
    """What the facade must know of an operation besides its signature.

    Attributes:
        host: it works on host tensors too.
        consumes: it may free an input's buffer.
        prepares: it takes a `device`, to which its host tensors go.
        seeded: its seed 0 means any.
    """

    host: bool = False
    consumes: bool = False
    prepares: bool = False
    seeded: bool = False


_seeds = itertools.count(1)


def manual_seed(seed: int) -> None:
    """From now on operations that draw numbers without a seed of their own count from `seed`."""
    global _seeds
    _seeds = itertools.count(seed)


def _with_seed(kwargs: dict[str, Any]) -> dict[str, Any]:
    return kwargs if kwargs.get("seed") else kwargs | {"seed": next(_seeds) & 0x7FFFFFFF}


def run(function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any], traits: Traits) -> Any:
    """One call of the functional `function` with handles for tensors. Nothing changes if it raises."""
    inputs = _Inputs(name)
    if traits.prepares and "device" in kwargs:
        kwargs = kwargs.copy()
        device = kwargs.pop("device")
        inputs.device = None if device is None else require_device(name, device)
    if traits.seeded and len(args) < 2:
        kwargs = _with_seed(kwargs)
    functional_args = inputs.functional(args)
    if kwargs:
        kwargs = inputs.named(_only_scheduling_dropped(kwargs))
    device = inputs.device
    if device is None:
        return _run_on_host(function, name, inputs, functional_args, kwargs, traits.host)
    if inputs.on_host and not traits.host:
        raise ArgumentError(f"{name}: an input is on the host; put it on the device with ttnn.to_device(tensor, device)")
    if not device.is_open:
        device.require_open()
    token = active.set(device.context)
    try:
        memory, result = function(device.memory, *functional_args, **kwargs)
    finally:
        active.reset(token)
    if not device.is_functional and _traced(result):
        raise trace_error(name)
    device.memory = memory
    outputs = adopt(device, result, inputs.handles) if type(result) is core.Tensor else _handles(device, result, inputs.handles)
    if traits.consumes:
        for handle in inputs.handles:
            storage = handle._storage
            if storage.tensor is not None and storage.device is not None and not memory.is_live(storage.tensor.buffer):
                storage.abandon()
    return outputs


def _run_on_host(
    function: Callable[..., Any], name: str, inputs: _Inputs, args: list[Any], kwargs: dict[str, Any], host: bool
) -> Any:
    if not host or not inputs.on_host:
        found = "on the host" if inputs.on_host else "nowhere: none was passed"
        raise ArgumentError(
            f"{name}: it needs tensors on a device, and its inputs are {found}; use ttnn.to_device(tensor, device)"
        )
    _, result = on_host(function, *args, lead=_lead(inputs), **kwargs)
    return _handles(None, result, inputs.handles)


def _lead(inputs: _Inputs) -> tuple[int, ...]:
    """The shape of the mesh for whose chips host tensors are; empty for one."""
    if not inputs.handles:
        return ()
    first = inputs.handles[0]._functional()
    return tuple(first.array.shape[: len(first.array.shape) - len(first.shape)])


def on_host(function: Callable[..., Any], *args: Any, lead: tuple[int, ...] = (), **kwargs: Any) -> Any:
    """A functional operation on host tensors, of the chips of a mesh of shape `lead` if that is not empty: in a memory without
    limits that matter, unseen by observers and caches."""
    token = active.set(_HOST)
    try:
        return function(_host_memory(lead), *args, **kwargs)
    finally:
        active.reset(token)


def derive(function: Callable[..., Any], name: str, traits: Traits = Traits()) -> Callable[..., Any]:  # noqa: B008 - immutable
    """The facade's face of a functional operation; `name` is fully qualified, "ttnn.add"."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if interceptors:
            return _intercepted(call, lambda a, k: run(function, name, a, k, traits), args, kwargs)
        return run(function, name, args, kwargs, traits)

    return dress(call, function, name, prepares=traits.prepares)


def intercepted(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A function of the facade that is no functional operation's (`from_torch`), open to interceptors like the others."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if interceptors:
            return _intercepted(call, lambda a, k: function(*a, **k), args, kwargs)
        return function(*args, **kwargs)

    return dress(call, function, name)


def _intercepted(call: Callable[..., Any], innermost: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    chain = tuple(interceptors)

    def proceed(depth: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if depth < 0:
            return innermost(args, kwargs)
        return chain[depth](call, args, kwargs, functools.partial(proceed, depth - 1))

    return proceed(len(chain) - 1, args, kwargs)


def derive_creation(
    function: Callable[..., Any],
    name: str,
    positional: tuple[str, ...],
    traits: Traits = Traits(),  # noqa: B008 - immutable
) -> Callable[..., Any]:
    """The facade's face of an operation that makes a tensor from none: it takes `device`, and without one makes a host tensor.

    `positional`: what the arguments are when they are given by position, in ttnn's order.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        if interceptors:
            return _intercepted(call, lambda a, k: create(function, name, positional, a, k, traits), args, kwargs)
        return create(function, name, positional, args, kwargs, traits)

    return dress(call, function, name, positional)


def _replicates(name: str, mesh_mapper: Any) -> bool:
    config = getattr(mesh_mapper, "config", mesh_mapper)
    if not isinstance(config, MeshMapperConfig | None):
        raise ArgumentError(
            f"{name}: `mesh_mapper` must be made by ttnn, such as ReplicateTensorToMesh(device), got {mesh_mapper!r}"
        )
    return config is None or config.is_replicating


def create(
    function: Callable[..., Any],
    name: str,
    positional: tuple[str, ...],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    traits: Traits,
) -> Any:
    """One call of a creation function. Where the device computes nothing, no array is made."""
    if len(args) > len(positional):
        raise ArgumentError(
            f"{name}: takes at most {len(positional)} positional arguments ({', '.join(positional)}), got {len(args)}"
        )
    given = dict(zip(positional, args, strict=False))
    twice = given.keys() & kwargs.keys()
    if twice:
        raise ArgumentError(f"{name}: {', '.join(sorted(twice))} given twice, by position and by name")
    given |= _only_scheduling_dropped(kwargs)
    if traits.seeded:
        given = _with_seed(given)
    device = given.pop("device", None)
    if not _replicates(name, given.pop("mesh_mapper", None)):
        raise NotModelledError(f"{name}: a `mesh_mapper` that shards is not modelled here: make the tensor with from_torch")
    inputs = _Inputs(name)
    given = inputs.named({key: value for key, value in given.items() if value is not None})
    device = require_device(name, device) if device is not None else inputs.device
    if device is None:
        given.pop("memory_config", None)
        _, result = on_host(function, lead=_lead(inputs), **given)
        return _handles(None, result, [])
    device.require_open()
    token = active.set(device.context)
    try:
        memory, result = function(device.memory, **given)
    finally:
        active.reset(token)
    if device.computes and not device.is_functional and _traced(result):
        raise trace_error(name)
    device.memory = memory
    return _handles(device, result, inputs.handles)


def dress(
    call: Callable[..., Any], function: Callable[..., Any], name: str, positional: tuple[str, ...] = (), prepares: bool = False
) -> Callable[..., Any]:
    """Give `call` the name, docstring and signature of `function`, less its memory."""
    call.__name__ = name.rpartition(".")[2]
    call.__qualname__ = call.__name__
    call.__module__ = "tt_jax.ttnn"
    call.__doc__ = function.__doc__
    call.__signature__ = facade_signature(function, positional, prepares)  # type: ignore[attr-defined]
    call.python_fully_qualified_name = name  # type: ignore[attr-defined]
    call.functional = function  # type: ignore[attr-defined]
    call.golden_function = functools.partial(default_golden, name)  # type: ignore[attr-defined]
    return call


def default_golden(name: str, /, *args: Any, **kwargs: Any) -> Any:
    """What the golden function of an operation gives; programs may put another in the operation's attribute `golden_function`."""
    from tt_jax.ttnn.golden import golden_function

    return golden_function(name)(*args, **kwargs)


_DEVICE = inspect.Parameter("device", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Device | None)


def facade_signature(
    function: Callable[..., Any], positional: tuple[str, ...] = (), prepares: bool = False
) -> inspect.Signature:
    """The signature of `function` without memory: not the first argument, nor the first part of the result.

    `positional`, of a creation function, comes first and in that order, `device` among it; `prepares`: there is a `device` too.
    """
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.name != "memory"]
    if positional or prepares:
        parameters = [*parameters, _DEVICE]
    if positional:
        named = {p.name: p for p in parameters}
        first = [named.pop(name).replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in positional if name in named]
        rest = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in named.values()]
        required = [p for p in first if p.default is p.empty]
        parameters = [*required, *(p for p in first if p.default is not p.empty), *rest]
    result = signature.return_annotation
    if typing.get_origin(result) is tuple and typing.get_args(result)[:1] == (MemoryState,):
        result = typing.get_args(result)[1]
    return signature.replace(parameters=parameters, return_annotation=result)
