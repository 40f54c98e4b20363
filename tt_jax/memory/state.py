"""MemoryState: what is live in each kind of device memory, as one immutable value threaded through a program.

It is a pytree without leaves, hashable and canonical: the device profile and the live blocks, nothing else. A program that
frees what it allocates returns an *equal* state, so `jax.jit` traces it once and `jax.lax.scan` can carry it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax

from tt_jax.context import active
from tt_jax.devices import N150, DeviceProfile
from tt_jax.errors import ArgumentError, DeallocatedError, OutOfMemoryError
from tt_jax.memory.bank import Bank, Block, Region
from tt_jax.memory.config import BufferType
from tt_jax.mesh import Mesh, mesh_of, reserve_devices
from tt_jax.origins import Origins

TRACE_GRANULE = 8192

_L1 = BufferType.L1

_tuple = tuple.__new__
"""What a NamedTuple's constructor calls, in half its time."""


class Buffer(NamedTuple):
    """A tensor's place: `size` bytes at `address` in every bank of `buffer_type`. A tensor without elements has size 0."""

    buffer_type: BufferType
    address: int
    size: int


class Difference(NamedTuple):
    """What lies between two states: buffers allocated since the first, and buffers freed."""

    allocated: tuple[Buffer, ...]
    freed: tuple[Buffer, ...]
    origins: Origins | None = None
    """Where they come from; None to look it up where it is printed."""

    def __str__(self) -> str:
        if not self.allocated and not self.freed:
            return "no difference"
        origins = self.origins or active.get().origins
        lines = []
        for verb, buffers in (("allocated", self.allocated), ("freed", self.freed)):
            for buffer in buffers:
                origin = origins.find(buffer)
                made = f": {origin}" if origin is not None else ""
                lines.append(f"{verb} {buffer.size:,} B at {buffer.address:,} in {buffer.buffer_type.name}{made}")
        return "\n".join(lines)


class MemoryView(NamedTuple):
    """Use of one buffer type, in bytes per bank; the fields are those of ttnn's `get_memory_view`."""

    num_banks: int
    total_bytes_per_bank: int
    total_bytes_allocated_per_bank: int
    total_bytes_free_per_bank: int
    largest_contiguous_bytes_free_per_bank: int


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _require(name: str, size: int, limit: int, device: DeviceProfile) -> None:
    if not isinstance(size, int) or not 0 <= size <= limit:
        raise ArgumentError(f"{name} is {size:,} B; on {device.name} it lies between 0 and {limit:,} B")


@jax.tree_util.register_static
class MemoryState:
    """The memory of one device. Make the first one with `MemoryState.create`; operations return the next ones."""

    __slots__ = ("_banks", "_device", "_hash")

    def __init__(self, device: DeviceProfile, banks: dict[BufferType, Bank]):
        self._device = device
        self._banks = banks
        self._hash: int | None = None

    def __reduce__(self) -> tuple[type["MemoryState"], tuple[DeviceProfile, dict[BufferType, Bank]]]:
        return MemoryState, (self._device, self._banks)  # without the hash, which another process would not share

    @property
    def device(self) -> DeviceProfile:
        """The board whose memory this is."""
        return self._device

    @property
    def mesh(self) -> Mesh | None:
        """The mesh each of whose chips has this memory, None for a single board."""
        return self._device.mesh

    @classmethod
    def create(
        cls,
        device: DeviceProfile = N150,
        *,
        mesh: Mesh | Sequence[int] | None = None,
        l1_small_size: int = 0,
        trace_region_size: int = 0,
        worker_l1_size: int = 0,
    ) -> "MemoryState":
        """The empty memory of `device`, as `ttnn.open_device` with these arguments leaves it.

        Args:
            mesh: chips of that kind, or the shape of a mesh of the first JAX devices. What follows is then run by all of them, and
                this is the memory of each.
            l1_small_size: bytes per core taken from the top of L1 for L1_SMALL.
            trace_region_size: bytes of DRAM, over all banks, kept for traces.
            worker_l1_size: bytes of L1 per core for buffers; 0 for all that firmware leaves.

        Raises:
            ArgumentError: a size is negative or larger than what there is.

        Source: spec/memory.md section 1.3 (measured).
        """
        if not isinstance(device, DeviceProfile):
            raise ArgumentError(f"`device` must be a DeviceProfile such as tt.N150 or tt.PROFILES['n150'], got {device!r}")
        if (mesh := mesh_of(mesh)) is not None:
            device = device.on(mesh)
            reserve_devices(mesh)
        alignment = device.dram_alignment
        worker_limit = device.l1_size - device.firmware_end
        _require("worker_l1_size", worker_l1_size, worker_limit, device)
        l1_base = _round_up(device.l1_size - worker_l1_size, alignment) if worker_l1_size else device.l1_unreserved_base
        small_limit = (device.l1_size - l1_base) // alignment * alignment
        _require("l1_small_size", l1_small_size, small_limit, device)
        l1_end = device.l1_size - _round_up(l1_small_size, alignment)
        granules = (device.dram_bank_end - device.dram_unreserved_base) // TRACE_GRANULE
        _require("trace_region_size", trace_region_size, device.dram_banks * granules * TRACE_GRANULE, device)
        dram_end = device.dram_bank_end - _round_up(-(-trace_region_size // device.dram_banks), TRACE_GRANULE)
        regions = {
            BufferType.DRAM: Region(device.dram_unreserved_base, dram_end, alignment, bottom_up=True),
            BufferType.L1: Region(l1_base, l1_end, alignment, bottom_up=False),
            BufferType.L1_SMALL: Region(l1_end, device.l1_size, alignment, bottom_up=False),
            BufferType.TRACE: Region(dram_end, device.dram_bank_end, alignment, bottom_up=True),
        }
        return cls(device, {kind: Bank(region) for kind, region in regions.items()})

    def on(self, mesh: Mesh) -> "MemoryState":
        """The same memory, of each chip of `mesh`."""
        return MemoryState(self._device.on(mesh), self._banks)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, MemoryState)
            and hash(self) == hash(other)
            and self.device == other.device
            and self._banks == other._banks
        )

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.device, *self._banks.values()))
        return self._hash

    def __repr__(self) -> str:
        used = ", ".join(
            f"{kind.name} {bank.allocated:,} of {bank.region.size:,} B per bank"
            for kind, bank in self._banks.items()
            if bank.allocated or kind in (BufferType.DRAM, BufferType.L1)
        )
        return f"MemoryState({self.device.described}: {used})"

    def num_banks(self, buffer_type: BufferType) -> int:
        """Banks over which a buffer of this type is spread."""
        return self.device.dram_banks if buffer_type in (BufferType.DRAM, BufferType.TRACE) else self.device.l1_banks

    def live(self, buffer_type: BufferType) -> tuple[Block, ...]:
        """The live blocks of a buffer type by address."""
        return self._banks[buffer_type].live

    def buffers(self) -> Iterator[Buffer]:
        """Every live buffer, type by type, by address."""
        for kind, bank in self._banks.items():
            for block in bank.live:
                yield Buffer(kind, *block)

    def region(self, buffer_type: BufferType) -> Region:
        """The address range that buffers of this type may have."""
        return self._banks[buffer_type].region

    def lowest_occupied(self, buffer_type: BufferType) -> int | None:
        """The lowest live address of a buffer type, None if nothing is live."""
        return self._banks[buffer_type].lowest_occupied

    def view(self, buffer_type: BufferType) -> MemoryView:
        """Use of a buffer type, bytes per bank."""
        bank = self._banks[buffer_type]
        allocated = bank.allocated
        return MemoryView(
            self.num_banks(buffer_type), bank.region.size, allocated, bank.region.size - allocated, bank.largest_free
        )

    def diff(self, before: "MemoryState", origins: Origins | None = None) -> Difference:
        """What was allocated and what was freed between `before` and this state: what a program left behind.

        Printed, it names the tensors and the lines that made them, as `origins` knows them: those of functional programs by default.
        (`Device.diff` passes its own.) A block that was freed and handed out again, at the same address and size, is no
        difference. Raises ArgumentError for the memory of another board, or of other regions.
        """
        if not isinstance(before, MemoryState) or before.device != self.device:
            raise ArgumentError(f"diff: `before` must be an earlier MemoryState of {self.device.name}, got {before!r}")
        allocated: list[Buffer] = []
        freed: list[Buffer] = []
        for kind, bank in self._banks.items():
            other = before._banks[kind]
            if bank is other:
                continue
            if bank.region != other.region:
                raise ArgumentError(f"diff: the states have different regions of {kind.name}: they are of two devices")
            now, then = set(bank.live), set(other.live)
            allocated += (Buffer(kind, *block) for block in sorted(now - then))
            freed += (Buffer(kind, *block) for block in sorted(then - now))
        return Difference(tuple(allocated), tuple(freed), origins)

    def is_live(self, buffer: Buffer) -> bool:
        """Whether `buffer` is allocated in this state. One freed and handed out again, address and size equal, counts as live."""
        return buffer.size == 0 or self._banks[buffer.buffer_type].holds(buffer[1:])

    def has_free_l1(self, size: int) -> bool:
        """Whether L1 has `size` bytes from where its buffers may start, in which programs put their own, and no L1 buffer has one."""
        bank = self._banks[_L1]
        end = bank.region.start + size
        lowest = bank.lowest_occupied
        return end <= self._device.l1_size and (lowest is None or end <= lowest)

    def allocate(self, buffer_type: BufferType, size: int) -> tuple["MemoryState", Buffer]:
        """The state with `size` more bytes per bank allocated, and their place. Raises OutOfMemoryError if no hole fits."""
        if size == 0:
            return self, Buffer(buffer_type, 0, 0)
        allocated = self._banks[buffer_type].allocate(size)
        if allocated is None:
            raise OutOfMemoryError(Shortage(self, buffer_type, size))
        banks = self._banks.copy()
        banks[buffer_type], (address, size) = allocated
        return MemoryState(self._device, banks), _tuple(Buffer, (buffer_type, address, size))

    def deallocate(self, buffer: Buffer) -> "MemoryState":
        """The state without `buffer`. Raises DeallocatedError if it is not live."""
        if buffer.size == 0:
            return self
        try:
            bank = self._banks[buffer.buffer_type].deallocate(buffer[1:])
        except KeyError:
            raise DeallocatedError(
                f"the {buffer.buffer_type.name} buffer at {buffer.address:,} ({buffer.size:,} B per bank) is not allocated in this "
                "memory state: it was freed before, or belongs to another state. Pass on the memory that the last operation returned"
            ) from None
        return self._with(buffer.buffer_type, bank)

    def _with(self, buffer_type: BufferType, bank: Bank) -> "MemoryState":
        banks = self._banks.copy()
        banks[buffer_type] = bank
        return MemoryState(self._device, banks)


class Shortage(NamedTuple):
    """Why `size` bytes per bank have no place in `memory`, as an error's argument: words are found when somebody reads them."""

    memory: MemoryState
    buffer_type: BufferType
    size: int

    def __repr__(self) -> str:
        return repr(str(self))

    def __str__(self) -> str:
        memory, buffer_type, size = self
        view = memory.view(buffer_type)
        largest = sorted(memory.live(buffer_type), key=lambda block: -block.size)[:5]
        listed = "; ".join(f"{block.size:,} B at {block.address:,}" for block in largest) or "none"
        if size > view.total_bytes_per_bank:
            advice = "It is larger than a whole bank: split the tensor" + (
                " or place it in DRAM." if buffer_type is BufferType.L1 else "."
            )
        elif size <= view.total_bytes_free_per_bank:
            advice = "The free bytes are in pieces: deallocate a buffer beside a hole, or `reallocate` the live ones."
        elif buffer_type is BufferType.L1:
            advice = "Deallocate a buffer that is no longer needed, or place one in DRAM."
        else:
            advice = "Deallocate a buffer that is no longer needed."
        return (
            f"Out of Memory: {buffer_type.name} of {memory.device.name} cannot take {size:,} B per bank: "
            f"{view.total_bytes_free_per_bank:,} of {view.total_bytes_per_bank:,} B are free in each of {view.num_banks} banks, "
            f"the largest hole has {view.largest_contiguous_bytes_free_per_bank:,} B. Largest live buffers, per bank: {listed}. {advice}"
        )
