"""Devices: the only mutable objects of the facade. Each is a cell that holds the current MemoryState, and a program cache."""

import itertools
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_jax.compute import CoreGrid
from tt_jax.context import Context
from tt_jax.cores import CoreCoord
from tt_jax.devices import DeviceProfile
from tt_jax.errors import ArgumentError, NotModelledError, TTError
from tt_jax.events import observers
from tt_jax.memory import Buffer, Difference, MemoryState
from tt_jax.mesh import Mesh
from tt_jax.origins import Origins, Site, call_site
from tt_jax.program import free
from tt_jax.program_cache import ProgramCache
from tt_jax.ttnn.system import Arch, MeshShape

release_observers: list[Callable[["Device", Buffer], None]] = []
"""Called for every buffer that is released: for recorders."""

close_observers: list[Callable[["Device"], None]] = []
"""Called for every device that is closed."""

ARCHES = {"grayskull": Arch.GRAYSKULL, "wormhole": Arch.WORMHOLE_B0, "blackhole": Arch.BLACKHOLE}

_ONE = Mesh((1, 1))


class Device:
    """One chip, or the chips of a mesh, which run the same programs: `memory` is that of each.

    Attributes:
        profile: the board, and the mesh.
        submeshes: of its chips, by `create_submesh`. Each has a memory and programs of its own.
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
        self._empty = memory
        self.submeshes: list[Device] = []
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
        grid, state = "x".join(map(str, self.shape)), "" if self.is_open else ", closed"
        return f"MeshDevice({grid} grid, {self.get_num_devices()} devices, {self.profile.name}, id {self._id}{state})"

    # -- what it is ---------------------------------------------------------------------------------------------------------
    def id(self) -> int:
        """The number it was opened with."""
        return self._id

    def arch(self) -> Arch:
        """Its generation of chips."""
        return ARCHES[self.profile.arch]

    @property
    def core_grid(self) -> CoreGrid:
        """The compute grid."""
        return CoreGrid(y=self.profile.grid[1], x=self.profile.grid[0])

    @property
    def mesh(self) -> Mesh:
        """Its chips: a mesh of one for a single chip."""
        return self.profile.mesh or _ONE

    @property
    def shape(self) -> MeshShape:
        """Rows and columns of its chips: one by one for a single chip."""
        return MeshShape(*self.mesh.shape)

    def compute_with_storage_grid_size(self) -> CoreCoord:
        """The compute grid, as a coordinate one past its last core."""
        return CoreCoord(*self.profile.grid)

    def dram_grid_size(self) -> CoreCoord:
        """DRAM banks, in a row."""
        return CoreCoord(self.profile.dram_banks, 1)

    def get_num_devices(self) -> int:
        """Its chips."""
        return self.mesh.size

    def get_device_ids(self) -> list[int]:
        """The numbers of its chips, row by row: a single chip's is the device's."""
        return list(self.mesh.chips) if self.profile.mesh else [self._id]

    def get_device_id(self, coordinate: Any = None) -> int:
        """The number of the chip at `coordinate`, the first by default. Raises ArgumentError if there is none."""
        ids = np.array(self.get_device_ids()).reshape(tuple(self.shape))
        place = (0,) * ids.ndim if coordinate is None else tuple(coordinate)
        if len(place) != ids.ndim or not all(0 <= at < size for at, size in zip(place, self.shape, strict=True)):
            raise ArgumentError(f"get_device_id: {place} is not in a mesh of shape {tuple(self.shape)}")
        return int(ids[place])

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

    # -- groups of devices, and of cores -------------------------------------------------------------------------------------
    def reshape(self, shape: Any) -> None:
        """Count the chips, in their order, as a mesh of `shape`.

        Raises ArgumentError unless it has as many, TTError while tensors are allocated, which are spread over the old shape.
        """
        wanted = MeshShape(shape)
        if wanted.mesh_size() != self.mesh.size:
            raise ArgumentError(f"a mesh of {'one device' if self.mesh.size == 1 else self.shape} cannot become {wanted}")
        if wanted == self.shape or self.mesh.size == 1:
            return
        self._require_open_by_hand("reshape")
        if self.memory != self._empty:
            raise TTError(f"reshape: tensors are allocated on {self!r}, spread over its shape: reshape it before there are any")
        self._reset(Mesh(tuple(wanted), self.mesh.chips))

    def _require_open_by_hand(self, operation: str) -> None:
        if self.is_functional:
            raise NotModelledError(
                f"{operation}: a plan, or a functionalized program, has one memory, submeshes and other shapes their own: plan each alone"
            )

    def _reset(self, mesh: Mesh) -> None:
        self.profile = self.profile.on(mesh)
        self._memory = self._empty = self._empty.on(mesh)

    def create_submesh(self, shape: Any, offset: Any = None) -> "Device":
        """The chips from `offset` (the first by default) on as a device of its own, with an empty memory as large.

        A mesh of one is its own submesh. Raises ArgumentError if it does not lie within the mesh.
        """
        self.require_open()
        wanted = tuple(MeshShape(shape))
        if self.mesh.size == 1:
            self.reshape(wanted)
            return self
        self._require_open_by_hand("create_submesh")
        mesh = self.mesh.submesh(wanted, (0,) * len(wanted) if offset is None else tuple(offset))
        profile = self.profile.on(mesh)
        device = Device(profile, self._empty.on(mesh), device_id=free_id(), computes=self.computes)
        opened[device.id()] = device
        self.submeshes.append(device)
        return device

    def create_submeshes(self, shape: Any) -> list["Device"]:
        """The mesh cut into submeshes of `shape`, row by row. Raises ArgumentError if they do not cover it."""
        wanted = tuple(MeshShape(shape))
        if len(wanted) != len(self.shape) or any(size % part for size, part in zip(self.shape, wanted, strict=True)):
            raise ArgumentError(
                f"create_submeshes: submeshes of shape {wanted} do not cover a mesh of shape {tuple(self.shape)}"
            )
        counts = [size // part for size, part in zip(self.shape, wanted, strict=True)]
        offsets = [tuple(i * part for i, part in zip(place, wanted, strict=True)) for place in np.ndindex(*counts)]
        return [self.create_submesh(wanted, offset) for offset in offsets]

    def get_submeshes(self) -> list["Device"]:
        """Those that were made and are open."""
        return [device for device in self.submeshes if device.is_open]

    def create_sub_device_manager(self, *arguments: Any, **options: Any) -> None:
        """Raises NotModelledError: sub-devices are not modelled."""
        raise NotModelledError("sub-devices are not modelled: every program may use all cores")

    load_sub_device_manager = set_sub_device_stall_group = create_sub_device_manager

    def reset_sub_device_stall_group(self) -> None:
        """Nothing to reset."""

    def quiesce_devices(self) -> None:
        """Nothing is in flight."""


opened: dict[int, Device] = {}
"""The devices that are open, by their numbers."""


def free_id() -> int:
    """The smallest number that no open device has."""
    return next(number for number in itertools.count() if number not in opened)
