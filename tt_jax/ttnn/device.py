"""Opening and closing devices, and what there is to ask of them and of the system."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax

from tt_jax.context import Context
from tt_jax.devices import PROFILES, DeviceProfile
from tt_jax.errors import ArgumentError
from tt_jax.memory import BufferType, MemoryState
from tt_jax.mesh import Mesh, require_devices
from tt_jax.ttnn import memory_reports
from tt_jax.ttnn.memory_reports import DisableMemoryReports as DisableMemoryReports
from tt_jax.ttnn.memory_reports import EnableMemoryReports as EnableMemoryReports
from tt_jax.ttnn.mesh_device import ARCHES, free_id, opened
from tt_jax.ttnn.mesh_device import Device as Device
from tt_jax.ttnn.mesh_device import close_observers as close_observers
from tt_jax.ttnn.mesh_device import release_observers as release_observers
from tt_jax.ttnn.switches import *  # noqa: F403 - it has an __all__
from tt_jax.ttnn.switches import __all__ as _switches
from tt_jax.ttnn.system import Arch as Arch
from tt_jax.ttnn.system import DispatchCoreAxis as DispatchCoreAxis
from tt_jax.ttnn.system import DispatchCoreConfig as DispatchCoreConfig
from tt_jax.ttnn.system import DispatchCoreType as DispatchCoreType
from tt_jax.ttnn.system import MeshShape as MeshShape

DEFAULT_L1_SMALL_SIZE = 0
DEFAULT_TRACE_REGION_SIZE = 0
DEFAULT_WORKER_L1_SIZE = 0


def profile_from_environment() -> DeviceProfile:
    """The board that `TT_JAX_DEVICE` names, n150 if it is not set. Raises ArgumentError for a name that is none."""
    name = os.environ.get("TT_JAX_DEVICE", "n150").lower()
    if name not in PROFILES:
        raise ArgumentError(f"TT_JAX_DEVICE is {name!r}: it must be one of {', '.join(PROFILES)}")
    return PROFILES[name]


_default: Device | None = None
_functional: ContextVar[Device | None] = ContextVar("functional_device", default=None)


def open_device(
    *,
    device_id: int = 0,
    l1_small_size: int = DEFAULT_L1_SMALL_SIZE,
    trace_region_size: int = DEFAULT_TRACE_REGION_SIZE,
    num_command_queues: int = 1,
    dispatch_core_config: DispatchCoreConfig | None = None,
    worker_l1_size: int = DEFAULT_WORKER_L1_SIZE,
    compute: bool | None = None,
) -> Device:
    """The device `device_id`, opened; the same object if it is open already.

    The board is the one that the environment variable `TT_JAX_DEVICE` names (n150, n300, p100, p150, e150). With `compute=False`
    (by default where the environment has `TT_JAX_COMPUTE=off`) operations validate, allocate, check footprints and count programs,
    but tensors hold no values, and read as zeros. Sizes are in bytes: as in `MemoryState.create`.

    Raises ArgumentError for a negative id or a size out of range.
    """
    if not isinstance(device_id, int) or isinstance(device_id, bool) or device_id < 0:
        raise ArgumentError(f"open_device: `device_id` must be a whole number from 0, got {device_id!r}")
    if device_id in opened:
        if opened[device_id].get_num_devices() > 1:
            raise ArgumentError(
                f"open_device: {device_id} is the id of {opened[device_id]!r}; close it, or open another device_id"
            )
        if compute is not None and compute is not opened[device_id].computes:
            raise ArgumentError(
                f"open_device: device {device_id} is open with compute={not compute}; close it, or open another device_id"
            )
        return opened[device_id]
    profile = profile_from_environment()
    memory = MemoryState.create(
        profile, l1_small_size=l1_small_size, trace_region_size=trace_region_size, worker_l1_size=worker_l1_size
    )
    device = opened[device_id] = Device(profile, memory, device_id=device_id, computes=_computes(compute))
    return device


def _computes(compute: bool | None) -> bool:
    return os.environ.get("TT_JAX_COMPUTE", "on").lower() not in ("off", "0", "false") if compute is None else compute


def device_of(context: Context | None) -> Device | None:
    """The open device whose memory `context` is, None for a plan's, a functional program's or a closed device's."""
    return next((device for device in opened.values() if context and device.context.origins is context.origins), None)


def CreateDevice(
    device_id: int = 0,
    num_command_queues: int = 1,
    l1_small_size: int = 0,
    trace_region_size: int = 0,
    dispatch_core_config: Any = None,
    *,
    worker_l1_size: int = 0,
) -> Device:  # noqa: N802, E501 - ttnn's name
    """`open_device` under its older name."""
    return open_device(
        device_id=device_id, l1_small_size=l1_small_size, trace_region_size=trace_region_size, worker_l1_size=worker_l1_size
    )


def open_devices() -> list[Device]:
    """The devices that are open."""
    return list(opened.values())


def close_device(device: Device) -> None:
    """Close `device` and its submeshes: programs and traces are gone, operations on their tensors raise TTError. Values can still
    be read."""
    if not isinstance(device, Device):
        raise ArgumentError(f"close_device: `device` must be a Device, got {type(device).__name__}")
    global _default
    for submesh in device.get_submeshes():
        close_device(submesh)
    device.is_open = False
    device.program_cache.clear()
    for observe in close_observers:
        observe(device)
    if opened.get(device.id()) is device:
        del opened[device.id()]
    if _default is device:
        _default = None


CloseDevice = close_device


def CloseDevices(devices: Any) -> None:  # noqa: N802 - ttnn's name
    """Close every device of a dict or list."""
    for device in list(devices.values() if isinstance(devices, dict) else devices):
        close_device(device)


@contextmanager
def manage_device(device_id: int = 0, **options: Any) -> Iterator[Device]:
    """Open a device for a `with` block, and close it after."""
    device = open_device(device_id=device_id, **options)
    try:
        yield device
    finally:
        close_device(device)


def open_mesh_device(
    mesh_shape: Any = None,
    l1_small_size: int = DEFAULT_L1_SMALL_SIZE,
    trace_region_size: int = DEFAULT_TRACE_REGION_SIZE,
    num_command_queues: int = 1,
    dispatch_core_config: DispatchCoreConfig | None = None,
    offset: Any = None,
    physical_device_ids: Sequence[int] = (),
    *,
    worker_l1_size: int = DEFAULT_WORKER_L1_SIZE,
    compute: bool | None = None,
) -> Device:
    """A mesh of as many chips as `mesh_shape` has places, each played by a JAX device; one row of all by default.

    The chips are of the kind that `TT_JAX_DEVICE` names. `physical_device_ids` says which JAX devices play them, row by row; the first
    ones by default, from `offset` on in a row of all. A mesh of one is `open_device(device_id=0)`. Sizes are per chip.

    Raises:
        ArgumentError: a size out of range, ids that are not as many and different, a board without links to others.
        TTError: JAX has fewer devices and has started already: virtual ones must be asked for before (`tt-jax run --chips N`).
    """
    shape = MeshShape((1, get_num_devices()) if mesh_shape is None else mesh_shape)
    *above, start = (0,) if offset is None else tuple(offset)
    if any(above):
        raise ArgumentError(f"open_mesh_device: `offset` {tuple(offset)} counts chips in a single row of all: (0, first chip)")
    chips = tuple(physical_device_ids) or tuple(range(start, start + shape.mesh_size()))
    sizes: dict[str, Any] = {
        "l1_small_size": l1_small_size,
        "trace_region_size": trace_region_size,
        "worker_l1_size": worker_l1_size,
    }
    if shape.mesh_size() == 1:
        taken = chips[0] in opened and opened[chips[0]].get_num_devices() > 1  # the number of a mesh
        return open_device(device_id=free_id() if taken else chips[0], compute=compute, **sizes)
    mesh = Mesh(tuple(shape), chips)
    profile = profile_from_environment().on(mesh)
    computes = _computes(compute)
    if computes:
        require_devices(mesh)
    number = free_id()
    device = opened[number] = Device(profile, MemoryState.create(profile, **sizes), device_id=number, computes=computes)
    return device


close_mesh_device = close_device


def SetDefaultDevice(device: Device | None) -> None:  # noqa: N802 - ttnn's name
    """What `GetDefaultDevice` gives from now on. Creation functions do not look at it: without `device` they make host tensors."""
    global _default
    _default = device


def GetDefaultDevice() -> Device | None:  # noqa: N802 - ttnn's name
    """What `SetDefaultDevice` set, None before; within a program under `tt_jax.functionalize`, the device that it runs on."""
    return _functional.get() or _default


@contextmanager
def default_within(device: Device) -> Iterator[None]:
    """A block, in this thread alone, whose default device is `device`."""
    token = _functional.set(device)
    try:
        yield
    finally:
        _functional.reset(token)


def require_device(operation: str, device: Any) -> Device:
    """`device`, if it is an open one. Raises ArgumentError, TTError."""
    if not isinstance(device, Device):
        raise ArgumentError(f"{operation}: `device` must be a Device from ttnn.open_device, got {device!r:.80}")
    device.require_open()
    return device


def get_memory_view(device: Device, buffer_type: BufferType) -> memory_reports.BlockView:
    """Use of a buffer type on `device`, in bytes per bank, with its blocks in `block_table`."""
    return memory_reports.BlockView.of(require_device("get_memory_view", device).memory, buffer_type)


def dump_device_memory_state(device: Device, prefix: str = "") -> None:
    """Write what is allocated on `device` to generated/reports under the current directory.

    The files are `<prefix>l1_usage_summary.csv`, `<prefix>memory_usage_summary.csv` and `<prefix>detailed_memory_usage.csv`, in bytes;
    blocks are numbered by address, which a device's are not.
    """
    memory_reports.write(require_device("dump_device_memory_state", device).memory, prefix)


def get_allocator_base_address(device: Device, buffer_type: BufferType) -> int:
    """Where a buffer type's region starts in each bank, in bytes; L1_SMALL and TRACE give their neighbours'. Measured."""
    region = BufferType.DRAM if buffer_type is BufferType.DRAM else BufferType.L1
    return require_device("get_allocator_base_address", device).memory.region(region).start


def get_num_devices() -> int:
    """Chips that can be opened: as many as JAX has devices. It starts JAX."""
    return jax.device_count()


def get_device_ids() -> list[int]:
    """Their ids."""
    return list(range(get_num_devices()))


def get_arch_name() -> str:
    """The generation of the board in `TT_JAX_DEVICE`, as ttnn spells it: "wormhole_b0", "blackhole", "grayskull"."""
    return ARCHES[profile_from_environment().arch].name.lower()


def get_max_worker_l1_unreserved_size() -> int:
    """Bytes of L1 per core above the firmware's: the largest `worker_l1_size`."""
    profile = profile_from_environment()
    return profile.l1_size - profile.firmware_end


def _arch_of(device: Device | None) -> Arch:
    return device.arch() if device is not None else ARCHES[profile_from_environment().arch]


def is_wormhole_b0(device: Device | None = None) -> bool:
    """Whether `device`, or the board of the environment, is a Wormhole."""
    return _arch_of(device) is Arch.WORMHOLE_B0


def is_blackhole(device: Device | None = None) -> bool:
    """Whether it is a Blackhole."""
    return _arch_of(device) is Arch.BLACKHOLE


def is_grayskull(device: Device | None = None) -> bool:
    """Whether it is a Grayskull."""
    return _arch_of(device) is Arch.GRAYSKULL


def is_trace_capture_active(device: Device) -> bool:
    """Whether a trace is being captured on `device`."""
    from tt_jax.ttnn import trace

    return trace.is_trace_capture_active(device)


def synchronize_device(device: Device, cq_id: int | None = None, sub_device_ids: Any = None) -> None:
    """Wait until the value computed last on `device` is there."""
    newest = require_device("synchronize_device", device).newest
    storage = newest() if newest is not None else None
    tensor = storage.tensor if storage is not None else None
    wait = getattr(tensor and tensor.array, "block_until_ready", None)
    if wait is not None:
        wait()


__all__ = [
    "Arch",
    "CloseDevice",
    "CloseDevices",
    "CreateDevice",
    "DEFAULT_L1_SMALL_SIZE",
    "DEFAULT_TRACE_REGION_SIZE",
    "DEFAULT_WORKER_L1_SIZE",
    "Device",
    "DisableMemoryReports",
    "DispatchCoreAxis",
    "DispatchCoreConfig",
    "DispatchCoreType",
    "EnableMemoryReports",
    "GetDefaultDevice",
    "MeshShape",
    "SetDefaultDevice",
    "close_device",
    "close_mesh_device",
    "dump_device_memory_state",
    "get_allocator_base_address",
    "get_arch_name",
    "get_device_ids",
    "get_max_worker_l1_unreserved_size",
    "get_memory_view",
    "get_num_devices",
    "is_blackhole",
    "is_grayskull",
    "is_wormhole_b0",
    "manage_device",
    "open_device",
    "open_mesh_device",
    "synchronize_device",
    *_switches,
]
