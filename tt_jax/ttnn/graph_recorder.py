"""What a graph capture writes down: the nodes, in the order in which things happen.

A facade call is a function; the programs that it launches are functions within it, and their outputs are made by a function
within those. Source: spec/memory.md section 6. Three things are told only as far as they are known here: a device operation has
no `program_factory_type` and `program_factory_index`, its name is that of the operation in tt_jax as ttnn would spell it, and an
operation that fails leaves no device operation, only its own abort.
"""

import itertools
import json
import math
import time
from collections.abc import Hashable
from typing import Any, NamedTuple

from tt_jax.cores import CoreRangeSet
from tt_jax.devices import DeviceProfile
from tt_jax.events import Event, Refusal
from tt_jax.footprint import Footprint, all_cores, places
from tt_jax.memory import Buffer, BufferType, MemoryState
from tt_jax.tensor import Tensor as FunctionalTensor
from tt_jax.tensor import TensorSpec
from tt_jax.ttnn.device import Device, device_of
from tt_jax.ttnn.graph_nodes import CREATE, UNTOLD, Nodes
from tt_jax.ttnn.shape import Shape
from tt_jax.ttnn.tensor import Tensor, tensors_in
from tt_jax.ttnn.undispatched import Preserved, Undispatched

_MEASURED = """
    matmul softmax softmax_in_place scale_mask_softmax scale_mask_softmax_in_place layer_norm rms_norm unary transpose typecast concat slice
    reduce tilize clone copy split_query_key_value_and_split_heads concatenate_heads nlp_create_qkv_heads nlp_concat_heads
    interleaved_to_sharded
"""
_ASSUMED = "move pad permute reshape reshard sharded_to_interleaved"
_DATAFLOW = frozenset((_MEASURED + _ASSUMED).split())
"""Operations whose programs use dataflow buffers, whatever these take. Source: spec/memory.md section 2.5."""


class _Held(NamedTuple):
    """A live buffer: its node, the parameters of its allocation, and the tensors seen in it, by spec."""

    buffer: Buffer
    node: int
    allocation: dict[str, Any]
    tensors: dict[TensorSpec, int]


class Recorder:
    """The nodes of one capture; `undispatched` if it is one without dispatch."""

    def __init__(self, undispatched: Undispatched | None = None) -> None:
        self.graph = Nodes()
        self.devices: dict[int, Device] = {}
        self.undispatched = undispatched
        self._held: dict[Hashable, _Held] = {}
        self._on_host: dict[int, int] = {}
        self._temporary_ids = itertools.count(-1, -1)
        self._runs = itertools.count(1)
        self._managed: set[int] = set()

    # -- tensors and buffers ------------------------------------------------------------------------------------------------
    def _key(self, device_id: int, buffer: Buffer) -> Hashable:
        """What tells a live buffer from others; one that takes no memory is no place, but an object."""
        return (device_id, buffer) if buffer.size else id(buffer)

    def _hold(self, device_id: int, profile: DeviceProfile, buffer: Buffer, spec: TensorSpec) -> _Held:
        """The buffer of a tensor of `spec`; noted with a node if it is new."""
        key = self._key(device_id, buffer)
        if key not in self._held:
            config = spec.memory_config
            shards = config.shard_spec or config.nd_shard_spec
            params = {
                "size": spec.num_pages * spec.page_size,
                "type": "DRAM" if buffer.buffer_type in (BufferType.DRAM, BufferType.TRACE) else "L1",
                "buffer_type": buffer.buffer_type.value,
                "layout": config.memory_layout.name,
                "device_id": device_id,
            }
            allocation = params | {
                "address": buffer.address,
                "page_size": spec.page_size,
                "num_cores": shards.num_cores() if config.is_sharded() and shards is not None else 0,
                "max_size_per_bank": spec.bytes_per_bank(profile),
            }
            self._held[key] = _Held(buffer, self.graph.child("buffer", params), allocation, {})
        return self._held[key]

    def _device_tensor(self, device_id: int, profile: DeviceProfile, buffer: Buffer, spec: TensorSpec) -> int:
        """The node of a tensor of `spec` in `buffer`. Its number is negative unless a handle comes that has one."""
        if spec.num_pages == 0:
            return self.graph.add("tensor", self._tensor_params(spec, "DEVICE", next(self._temporary_ids)))
        held = self._hold(device_id, profile, buffer, spec)
        if spec not in held.tensors:
            params = self._tensor_params(spec, "DEVICE", next(self._temporary_ids)) | {
                "memory_config": str(spec.memory_config),
                "buffer_type": buffer.buffer_type.value,
                "device_id": device_id,
                "address": buffer.address,
                "device_tensors": json.dumps(
                    [{"device_id": device_id, "mesh_device_id": device_id, "address": buffer.address}]
                ),
            }
            held.tensors[spec] = self.graph.add("tensor", params)
            self.graph.connect(held.node, held.tensors[spec])
        return held.tensors[spec]

    def _tensor_params(self, spec: TensorSpec, storage_type: str, tensor_id: int) -> dict[str, Any]:
        return {
            "tensor_id": tensor_id,
            "shape": str(Shape(spec.shape)),
            "dtype": f"DataType::{spec.dtype.name}",
            "layout": f"Layout::{spec.layout.name}",
            "size": math.prod(spec.shape) * (spec.dtype.element_bytes or 1),
            "storage_type": storage_type,
        }

    def _tensor(self, handle: Tensor) -> int:
        """The node of a facade tensor that is not deallocated. Handles of one buffer and spec are one tensor, the first's."""
        device, buffer = handle.device(), handle._storage.buffer
        if device is None or buffer is None:
            key = handle.tensor_id
            if key not in self._on_host:
                self._on_host[key] = self.graph.add("tensor", self._tensor_params(handle._spec, "HOST", key))
            return self._on_host[key]
        self.devices[device.id()] = device
        counter = self._device_tensor(device.id(), device.profile, buffer, handle._spec)
        if self.graph.nodes[counter]["params"]["tensor_id"] < 0:
            self.graph.nodes[counter]["params"]["tensor_id"] = handle.tensor_id
        return counter

    def _create(self, device_id: int, profile: DeviceProfile, y: FunctionalTensor) -> None:
        """A tensor is allocated."""
        self.graph.start(CREATE, [str(y.spec)])
        self._held.pop(self._key(device_id, y.buffer), None)
        if y.spec.num_pages:
            held = self._hold(device_id, profile, y.buffer, y.spec)
            self.graph.child("buffer_allocate", dict(held.allocation), [held.node])
        self.graph.give(self.graph.end(), [self._device_tensor(device_id, profile, y.buffer, y.spec)])

    def _deallocate(self, device_id: int, buffer: Buffer) -> None:
        """A buffer is freed, if the capture has seen it."""
        held = self._held.pop(self._key(device_id, buffer), None)
        if held is not None:
            self.graph.child("buffer_deallocate", dict(held.allocation), [held.node])

    def released(self, device: Device, buffer: Buffer) -> None:
        """Called where the last handle of a buffer goes."""
        self._deallocate(device.id(), buffer)

    # -- events -------------------------------------------------------------------------------------------------------------
    def refused(self, refusal: Refusal) -> None:
        """Called where a step does not fit: its outputs had been allocated before that was found. `_abort` closes the function."""
        device = device_of(refusal.context)
        if device is None:
            return
        self.devices[device.id()] = device
        self.graph.start(_device_operation(refusal.name), [])
        for y in refusal.outputs:
            self._create(device.id(), refusal.before.device, y)

    def observe(self, event: Event) -> None:
        """Called after every step of a memory; those of plans and functional programs are no device's."""
        device = device_of(event.context)
        if device is None:
            return
        device_id = device.id()
        self.devices[device_id] = device
        if event.launch is None:
            self._change(event, device_id)
            return
        hit = event.launch.is_hit if self.undispatched is None else self.undispatched.is_hit(device, event)
        shown = [f"Tensor({x.spec})" if isinstance(x, FunctionalTensor) else "a number" for x in event.inputs]
        start = self.graph.start(_device_operation(event.launch.operation.name), shown, program_cache_hit=hit)
        profile = event.after.device
        inputs = [x for x in event.inputs if isinstance(x, FunctionalTensor)]
        self._take(start, [self._device_tensor(device_id, profile, x.buffer, x.spec) for x in inputs])
        self._change(event, device_id)
        self._run(event, device_id, hit)
        self.graph.give(self.graph.end(), [self._device_tensor(device_id, profile, y.buffer, y.spec) for y in event.outputs])

    def _change(self, event: Event, device_id: int) -> None:
        """What an event frees, then what it allocates."""
        for buffer in event.freed:
            self._deallocate(device_id, buffer)
        for y in event.outputs:
            if any(y.buffer is buffer for buffer in event.allocated):
                self._create(device_id, event.after.device, y)

    def _take(self, start: int, tensors: list[int]) -> None:
        """Note the inputs of the function that starts at node `start`."""
        self.graph.nodes[start]["input_tensors"] = tensors
        for counter in tensors:
            self.graph.connect(counter, start)

    def _run(self, event: Event, device_id: int, hit: bool) -> None:
        """The static buffers of a launch, and its execution.

        With dispatch circular buffers are told where the program is built, not on a hit of the cache, and dataflow buffers never;
        without dispatch both are, each time, and nothing is executed (measured on a mock device).
        """
        assert event.launch is not None
        footprint, dispatched, function = event.launch.footprint, self.undispatched is None, self.graph.innermost
        self.graph.child("circular_buffer_deallocate_all", {"device_id": device_id}, [function])
        is_dataflow = footprint.kind == "dataflow" if footprint is not None else event.launch.operation.name in _DATAFLOW
        if not dispatched or not (hit or is_dataflow):
            if footprint is not None and footprint.is_exact:
                self._static_buffers(event.after, footprint, device_id)
            else:
                self.graph.nodes[function]["params"][UNTOLD] = "unknown" if footprint is None else "at least"
        if dispatched:
            self._execute(device_id, all_cores(*event.after.device.grid))

    def _static_buffers(self, memory: MemoryState, footprint: Footprint, device_id: int) -> None:
        owner = {"globally_allocated": "0"} if footprint.kind == "circular" else {"borrows_memory": "0"}
        for address, size in places(footprint.buffers, memory.region(BufferType.L1).start, memory.device):
            place = {"size": size, "address": address if self.undispatched is None else 0, "device_id": device_id}
            self.graph.child(f"{footprint.kind}_buffer_allocate", place | owner | {"core_range_set": str(footprint.cores)})

    def _execute(self, device_id: int, cores: CoreRangeSet) -> None:
        """A program runs: there is one sub-device, of all cores, and one queue."""
        corners = [(part.start, part.end) for part in cores.ranges()]
        ranges = [{"start": {"x": a.x, "y": a.y}, "end": {"x": b.x, "y": b.y}} for a, b in corners]
        where = {"device_id": device_id, "sub_device_manager_id": 0}
        if device_id not in self._managed:
            self._managed.add(device_id)
            sub_devices = [{"sub_device_id": 0, "worker_core_ranges": ranges}]
            self.graph.child("sub_device_manager", where | {"sub_devices": json.dumps(sub_devices)})
        run = {"physical_device_id": device_id, "sub_device_id": 0, "command_queue_id": 0, "runtime_id": next(self._runs)}
        self.graph.child("program_execution", where | run | {"worker_core_ranges": json.dumps(ranges)})

    # -- facade calls -------------------------------------------------------------------------------------------------------
    def intercept(self, operation: Any, args: Any, kwargs: Any, proceed: Any) -> Any:
        """Called around every facade call."""
        name = operation.python_fully_qualified_name
        depth, began = self.graph.depth, time.perf_counter_ns()
        shown = [_shown(x) for x in args] + [f"{key}={_shown(x)}" for key, x in kwargs.items()]
        start = self.graph.start(name, shown)
        handles = [x for x in tensors_in((args, kwargs)) if x.is_allocated()]
        self._take(start, [self._tensor(x) for x in handles])
        first = len(self.graph.nodes)
        preserved = None if self.undispatched is None else Preserved(handles)
        try:
            output = proceed(args, kwargs)
        except BaseException as error:
            self._abort(depth, first, error)
            raise
        finally:
            if preserved is not None:
                preserved.restore()
        self.graph.unwind(depth + 1)
        end = self.graph.end()
        self.graph.nodes[end]["duration_ns"] = time.perf_counter_ns() - began
        self.graph.give(end, [self._tensor(x) for x in tensors_in(output) if x.is_allocated()])
        return output

    def _abort(self, depth: int, first: int, error: BaseException) -> None:
        """Close the functions above `depth`, the last of which fails: the buffers that it made, from node `first` on, are gone."""
        for held in [held for held in self._held.values() if held.node >= first]:
            self._deallocate(held.allocation["device_id"], held.buffer)
        while self.graph.depth > depth:
            self.graph.give(self.graph.end(aborted="true", abort_reason=str(error)), [])


def _device_operation(name: str) -> str:
    """A device operation's name as ttnn spells such names: "matmul" is "MatmulDeviceOperation"."""
    return "".join(part.capitalize() for part in name.rstrip("_").split("_")) + "DeviceOperation"


def _shown(argument: Any) -> str:
    """An argument as a function's node shows it: of a tensor not its values."""
    if isinstance(argument, Tensor):
        return f"Tensor({argument._spec})"
    if isinstance(argument, list | tuple):
        return f"[{', '.join(map(_shown, argument))}]"
    return f"{argument!s:.400}"
