"""Between host and device: tensors put there and brought back, allocated, written to and freed."""

from typing import Any

import jax.numpy as jnp
from jax.core import Tracer

from tt_jax import program
from tt_jax import tensor as core
from tt_jax.context import active
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig
from tt_jax.tensor import TensorSpec
from tt_jax.ttnn._derive import trace_error
from tt_jax.ttnn._storage import Storage
from tt_jax.ttnn.device import Device, require_device
from tt_jax.ttnn.mesh import spread
from tt_jax.ttnn.tensor import Tensor, host_tensor


def place(device: Device, array: Any, spec: TensorSpec, operation: str) -> Tensor:
    """A tensor of `spec` on `device` with `array`, which has its shape and carrier, or on a mesh those of every chip.

    Raises OutOfMemoryError, and ArgumentError for an array of another mesh.
    """
    device.require_open()
    if array is not None:
        array = spread(operation, device, array, spec.shape)
    token = active.set(device.context)
    try:
        memory, buffer = program.place(device.memory, spec, operation)
    finally:
        active.reset(token)
    if isinstance(array, Tracer) and not device.is_functional:
        raise trace_error("to_device")
    if not device.computes:
        array = program.abstract(device.profile, spec)
    device.memory = memory
    return Tensor._of(Storage(device, core.Tensor(array, spec, buffer)), spec)


def to_device(tensor: Tensor, device: Device, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`tensor` on `device`; the same tensor, sharing its buffer, if it is there already.

    Raises ArgumentError for a missing device, OutOfMemoryError if it does not fit.
    """
    only_scheduling("to_device", scheduling)
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"to_device: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}; from_torch makes one")
    device = require_device("to_device", device)
    functional = tensor._functional()
    if tensor.device() is device:
        return Tensor._of(tensor._storage, tensor._spec)
    spec = functional.spec if memory_config is None else functional.spec.replace(memory_config=memory_config)
    return place(device, functional.array, spec, "to_device")


def from_device(tensor: Tensor, blocking: bool = True, **scheduling: Any) -> Tensor:
    """`tensor` on the host; the same tensor if it is there already. Raises DeallocatedError."""
    only_scheduling("from_device", scheduling)
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"from_device: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}")
    functional = tensor._functional()
    if tensor.device() is None:
        return Tensor._of(tensor._storage, tensor._spec)
    return host_tensor(functional.array, functional.spec)


def only_scheduling(operation: str, options: dict[str, Any]) -> None:
    """Raises TypeError for an argument in `options` that does not choose queues."""
    unknown = options.keys() - {"cq_id", "queue_id", "sub_device_ids", "mesh_composer"}
    if unknown:
        raise TypeError(f"{operation}: unexpected arguments {sorted(unknown)}")


def deallocate(tensor: Tensor, force: bool = True) -> None:
    """Free the buffer of `tensor` now: it, and every tensor that shares the buffer, can no longer be used.

    Twice does nothing. With `force=False` it is freed only if no other tensor shares it.
    """
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"deallocate: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}")
    storage = tensor._storage
    if force or _sole_reference(storage):
        storage.free()


def _sole_reference(storage: Storage) -> bool:
    import sys

    # The handle, deallocate's local, the argument here and the one of getrefcount.
    return sys.getrefcount(storage) <= 4


def copy_host_to_device_tensor(host_tensor: Tensor, device_tensor: Tensor, cq_id: int | None = None) -> None:
    """Write the values of `host_tensor` into the buffer of `device_tensor`, whose spec it must have."""
    source, target = host_tensor._functional(), device_tensor._functional()
    if host_tensor.device() is not None or device_tensor.device() is None:
        raise ArgumentError("copy_host_to_device_tensor: needs a host tensor and a device tensor, in this order")
    _require_same("copy_host_to_device_tensor", source.spec, target.spec)
    device = device_tensor._storage.device
    assert device is not None
    if device.computes:
        device_tensor._storage.write(spread("copy_host_to_device_tensor", device, source.array, source.shape))


def copy_device_to_host_tensor(
    device_tensor: Tensor, host_tensor: Tensor, blocking: bool = True, cq_id: int | None = None
) -> None:
    """Write the values of `device_tensor` into `host_tensor`, which must have its spec."""
    source, target = device_tensor._functional(), host_tensor._functional()
    if device_tensor.device() is None or host_tensor.device() is not None:
        raise ArgumentError("copy_device_to_host_tensor: needs a device tensor and a host tensor, in this order")
    _require_same("copy_device_to_host_tensor", source.spec, target.spec)
    host_tensor._storage.tensor = core.Tensor(source.array, target.spec, target.buffer)  # with every chip's, of a mesh


def _require_same(operation: str, source: TensorSpec, target: TensorSpec) -> None:
    if (source.shape, source.dtype, source.layout) != (target.shape, target.dtype, target.layout):
        raise ArgumentError(f"{operation}: the tensors differ in shape, dtype or layout: {source} and {target}")


def allocate_tensor_on_device(
    shape: Any,
    dtype: Any = None,
    layout: Layout | None = None,
    mesh_device: Device | None = None,
    memory_config: MemoryConfig | None = None,
) -> Tensor:
    """A tensor with a buffer and unspecified values (zeros here): by shape, dtype and layout, or `(spec, device)`."""
    if isinstance(shape, TensorSpec):
        spec, device = shape.replace(), dtype if mesh_device is None else mesh_device
    else:
        placement = memory_config if memory_config is not None else DRAM_MEMORY_CONFIG
        spec, device = TensorSpec(tuple(shape), dtype, layout or Layout.TILE, placement), mesh_device
    device = require_device("allocate_tensor_on_device", device)
    return place(
        device, jnp.zeros(spec.shape, spec.dtype.carrier) if device.computes else None, spec, "allocate_tensor_on_device"
    )


def allocate_tensor_on_host(*arguments: Any, **options: Any) -> Tensor:
    """A host tensor of zeros: arguments as `allocate_tensor_on_device`, whose device is not used."""
    shape, *rest = arguments
    if isinstance(shape, TensorSpec):
        spec = shape.replace()
    else:
        dtype = rest[0] if rest else options.get("dtype")
        layout = rest[1] if len(rest) > 1 else options.get("layout", Layout.TILE)
        spec = TensorSpec(tuple(shape), dtype, layout)  # type: ignore[arg-type]
    return host_tensor(jnp.zeros(spec.shape, spec.dtype.carrier), spec)


def is_tensor_storage_on_device(tensor: Tensor) -> bool:
    """Whether `tensor` is on a device."""
    return tensor.device() is not None


def has_storage_type_of(tensor: Tensor, storage_type: Any) -> bool:
    """Whether `tensor` is where `storage_type` says."""
    return tensor.storage_type() is storage_type


def get_memory_config(tensor: Tensor) -> MemoryConfig | None:
    """Where a device tensor lives; None for a host tensor and for a deallocated one."""
    return tensor.memory_config() if tensor.device() is not None and tensor.is_allocated() else None


__all__ = [
    "allocate_tensor_on_device",
    "allocate_tensor_on_host",
    "copy_device_to_host_tensor",
    "copy_host_to_device_tensor",
    "deallocate",
    "from_device",
    "get_memory_config",
    "has_storage_type_of",
    "is_tensor_storage_on_device",
    "to_device",
]
