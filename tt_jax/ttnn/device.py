"""Devices: the only mutable objects of the facade. Each is a cell that holds the current MemoryState, and a program cache."""

import os
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tt_jax.compute import CoreGrid
from tt_jax.context import Context
from tt_jax.cores import CoreCoord
from tt_jax.devices import PROFILES, DeviceProfile
from tt_jax.errors import ArgumentError, NotModelledError, TTError
from tt_jax.events import observers
from tt_jax.memory import Buffer, BufferType, Difference, MemoryState
from tt_jax.origins import Origins, Site, call_site
from tt_jax.program import free
from tt_jax.program_cache import ProgramCache
from tt_jax.ttnn import memory_reports
from tt_jax.ttnn.memory_reports import DisableMemoryReports as DisableMemoryReports
from tt_jax.ttnn.memory_reports import EnableMemoryReports as EnableMemoryReports
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


release_observers: list[Callable[["Device", Buffer], None]] = []
"""Called for every buffer that is released: for recorders."""

close_observers: list[Callable[["Device"], None]] = []
"""Called for every device that is closed."""

_ARCHES = {"grayskull": Arch.GRAYSKULL, "wormhole": Arch.WORMHOLE_B0, "blackhole": Arch.BLACKHOLE}


def profile_from_environment() -> DeviceProfile:
    """The board that `TT_JAX_DEVICE` names, n150 if it is not set. Raises ArgumentError for a name that is none."""
    name = os.environ.get("TT_JAX_DEVICE", "n150").lower()
    if name not in PROFILES:
        raise ArgumentError(f"TT_JAX_DEVICE is {name!r}: it must be one of {', '.join(PROFILES)}")
    return PROFILES[name]


class Device:
    """One chip, or a mesh of one.

    Attributes:
        profile: the board.
        context: its programs, where its buffers come from, and whether it computes (`TT_JAX_COMPUTE=off`: it does not).
        newest: a weak reference to the storage written last, for `synchronize_device`.
        made: of a functional device, its storages, so that `functionalize` can free them.
    """

    def __init__(
        self,
        profile: DeviceProfile,
        memory: MemoryState,
        *,
        device_id: int = 0,
        computes: bool = True,
        is_functional: bool = False,
    ):
        self.profile = profile
        self.is_functional = is_functional
        self.is_open = True
        self.context = Context(ProgramCache(self.release), Origins(), computes=computes)
        self._id = device_id
        self._memory = memory
        self._released: deque[tuple[Buffer, Site | None]] = deque()
        self.newest: weakref.ref[Any] | None = None
        self.made: list[weakref.ref[Any]] = []

    @property
    def memory(self) -> MemoryState:
        """The current state, without the buffers whose last handle has gone."""
        # Handles may go in the middle of an operation (the garbage collector, another thread): their buffers wait here, and
        # leave the state between operations, so that no operation overwrites the state they left.
        while self._released:
            buffer, site = self._released.popleft()
            self._memory = free(self._memory, [buffer], self.context, site)
        return self._memory

    @memory.setter
    def memory(self, memory: MemoryState) -> None:
        self._memory = memory

    @property
    def computes(self) -> bool:
        """False where operations validate, allocate and count programs but compute nothing."""
        return self.context.computes

    @property
    def program_cache(self) -> ProgramCache:
        """Its programs."""
        return self.context.programs

    def diff(self, before: MemoryState) -> Difference:
        """What was allocated and what was freed since the device's memory was `before`, with the lines that made it."""
        return self.memory.diff(before, self.context.origins)

    def release(self, buffer: Buffer) -> None:
        """Free `buffer` before the next look at the memory."""
        self._released.append((buffer, call_site() if observers else None))
        for observe in release_observers:
            observe(self, buffer)

    def require_open(self) -> None:
        """Raise TTError if the device was closed."""
        if not self.is_open:
            raise TTError(f"{self!r} is closed: open it again with ttnn.open_device, and make the tensors anew")

    def __repr__(self) -> str:
        return f"MeshDevice(1x1 grid, 1 devices, {self.profile.name}, id {self._id}{'' if self.is_open else ', closed'})"

    # -- what it is ---------------------------------------------------------------------------------------------------------
    def id(self) -> int:
        """The number it was opened with."""
        return self._id

    def arch(self) -> Arch:
        """Its generation of chips."""
        return _ARCHES[self.profile.arch]

    @property
    def core_grid(self) -> CoreGrid:
        """The compute grid."""
        return CoreGrid(y=self.profile.grid[1], x=self.profile.grid[0])

    @property
    def shape(self) -> MeshShape:
        """One by one."""
        return MeshShape(1, 1)

    def compute_with_storage_grid_size(self) -> CoreCoord:
        """The compute grid, as a coordinate one past its last core."""
        return CoreCoord(*self.profile.grid)

    def dram_grid_size(self) -> CoreCoord:
        """DRAM banks, in a row."""
        return CoreCoord(self.profile.dram_banks, 1)

    def get_num_devices(self) -> int:
        """One."""
        return 1

    def get_device_ids(self) -> list[int]:
        """The one id."""
        return [self._id]

    def get_device_id(self, coordinate: Any = None) -> int:
        """The id."""
        return self._id

    def worker_core_from_logical_core(self, core: CoreCoord) -> CoreCoord:
        """`core` itself: harvesting and the placement of cores on the network are not modelled."""
        return core

    def sfpu_eps(self) -> float:
        """The least step at 1 of the vector unit's float32. Documented in the architecture's constants."""
        return 1.1920928955078125e-07

    def sfpu_nan(self) -> float:
        """NaN."""
        return float("nan")

    def sfpu_inf(self) -> float:
        """Infinity."""
        return float("inf")

    # -- its program cache --------------------------------------------------------------------------------------------------
    def num_program_cache_entries(self) -> int:
        """Programs held."""
        return self.program_cache.entries

    def enable_program_cache(self) -> None:
        """Keep programs (they are kept from the start)."""
        self.program_cache.enable()

    def disable_and_clear_program_cache(self) -> None:
        """Drop the programs and keep none."""
        self.program_cache.disable_and_clear()

    def clear_program_cache(self) -> None:
        """Drop the programs, and what they kept in memory."""
        self.program_cache.clear()

    def set_program_cache_misses_allowed(self, allowed: bool) -> None:
        """With False, a launch that finds no program raises TTError."""
        self.program_cache.misses_allowed = allowed

    # -- groups of cores and of devices: one of each -------------------------------------------------------------------------
    def reshape(self, shape: Any) -> None:
        """A mesh of one has one shape. Raises ArgumentError for a larger one."""
        if MeshShape(shape).mesh_size() != 1:
            raise ArgumentError(f"a mesh of one device cannot become {MeshShape(shape)}")

    def create_submesh(self, shape: Any, offset: Any = None) -> "Device":
        """Itself, for a mesh of one. Raises ArgumentError for a larger one."""
        self.reshape(shape)
        return self

    def get_submeshes(self) -> list["Device"]:
        """None were made."""
        return []

    def create_sub_device_manager(self, *arguments: Any, **options: Any) -> None:
        """Raises NotModelledError: sub-devices are not modelled."""
        raise NotModelledError("sub-devices are not modelled: every program may use all cores")

    load_sub_device_manager = set_sub_device_stall_group = create_sub_device_manager

    def reset_sub_device_stall_group(self) -> None:
        """Nothing to reset."""

    def quiesce_devices(self) -> None:
        """Nothing is in flight."""


_open: dict[int, Device] = {}
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
    if device_id in _open:
        if compute is not None and compute is not _open[device_id].computes:
            raise ArgumentError(
                f"open_device: device {device_id} is open with compute={not compute}; close it, or open another device_id"
            )
        return _open[device_id]
    profile = profile_from_environment()
    memory = MemoryState.create(
        profile, l1_small_size=l1_small_size, trace_region_size=trace_region_size, worker_l1_size=worker_l1_size
    )
    if compute is None:
        compute = os.environ.get("TT_JAX_COMPUTE", "on").lower() not in ("off", "0", "false")
    device = _open[device_id] = Device(profile, memory, device_id=device_id, computes=compute)
    return device


def device_of(context: Context | None) -> Device | None:
    """The open device whose memory `context` is, None for a plan's, a functional program's or a closed device's."""
    return next((device for device in _open.values() if context and device.context.origins is context.origins), None)


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
    return list(_open.values())


def close_device(device: Device) -> None:
    """Close `device`: its programs and traces are gone, and operations on its tensors raise TTError. Values can still be read."""
    if not isinstance(device, Device):
        raise ArgumentError(f"close_device: `device` must be a Device, got {type(device).__name__}")
    global _default
    device.is_open = False
    device.program_cache.clear()
    for observe in close_observers:
        observe(device)
    if _open.get(device.id()) is device:
        del _open[device.id()]
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


def open_mesh_device(mesh_shape: Any = None, *arguments: Any, **options: Any) -> Device:
    """A mesh of one device. Raises NotModelledError for a larger one."""
    shape = MeshShape(mesh_shape if mesh_shape is not None else (1, 1))
    if shape.mesh_size() != 1:
        raise NotModelledError(f"a mesh of {shape.mesh_size()} devices is not modelled yet: open a MeshShape(1, 1)")
    known = {name: options[name] for name in ("l1_small_size", "trace_region_size", "worker_l1_size") if name in options}
    return open_device(device_id=0, **known)


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
    """Devices that can be opened: one."""
    return 1


def get_device_ids() -> list[int]:
    """Their ids."""
    return [0]


def get_arch_name() -> str:
    """The generation of the board in `TT_JAX_DEVICE`, as ttnn spells it: "wormhole_b0", "blackhole", "grayskull"."""
    return _ARCHES[profile_from_environment().arch].name.lower()


def get_max_worker_l1_unreserved_size() -> int:
    """Bytes of L1 per core above the firmware's: the largest `worker_l1_size`."""
    profile = profile_from_environment()
    return profile.l1_size - profile.firmware_end


def _arch_of(device: Device | None) -> Arch:
    return device.arch() if device is not None else _ARCHES[profile_from_environment().arch]


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
