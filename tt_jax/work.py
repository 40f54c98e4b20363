"""What a launch has at least to do: products of matrices, bytes to and from DRAM, and the time that a board takes for them at best.

Source: spec/memory.md sections 1.1 and 1.2 (documented peak rates). The time is a lower bound: nothing waits, the network on chip,
the vector unit, packing, dispatch and L1 cost nothing.
"""

from typing import TYPE_CHECKING, NamedTuple

from tt_jax.devices import DeviceProfile
from tt_jax.layout import TILE_SIZE
from tt_jax.memory import BufferType
from tt_jax.tensor import Tensor

if TYPE_CHECKING:
    from tt_jax.events import Event, Launch

CYCLES_PER_PHASE = 16
"""Cycles of one core for a phase of a product of two 32x32 tiles (documented)."""


class Work(NamedTuple):
    """What the matrix engines do for one launch.

    Attributes:
        flops: two for each product of the matrices' own shapes.
        tile_products: products of 32x32 tiles.
        phases: per product, 1 for LoFi to 4 for HiFi4.
    """

    flops: int
    tile_products: int
    phases: int


def product(batch: int, rows: int, inner: int, columns: int, phases: int) -> Work:
    """The work of `batch` products of `rows x inner` by `inner x columns` matrices."""
    tiles = -(-rows // TILE_SIZE) * -(-inner // TILE_SIZE) * -(-columns // TILE_SIZE)
    return Work(2 * batch * rows * inner * columns, batch * tiles, phases)


class Cost(NamedTuple):
    """Of one launch, on each chip: `flops` of its matrix products, and `seconds`, the least it can take."""

    flops: int
    dram_bytes: int
    seconds: float
    link_bytes: int = 0


def cost_of(launch: "Launch", event: "Event") -> Cost:
    """The cost of a launch: each of its tensors in DRAM is read or written once, its products are dealt evenly to its cores, what it
    sends to other chips goes over one Ethernet link to each neighbour, or as many as it asks for.

    The largest tensor of an operation that reads a part of it is not counted: a cache that it updates, a table that it looks up.
    """
    device = event.before.device
    specs = {x.buffer: x.spec for x in (*event.inputs, *event.outputs) if type(x) is Tensor}.values()
    sizes = [(spec.num_pages * spec.page_size, spec.memory_config.buffer_type) for spec in specs]
    if launch.operation.reads_part:
        sizes.remove(max(sizes, key=lambda size: size[0]))
    moved = sum(size for size, kind in sizes if kind in (BufferType.DRAM, BufferType.TRACE))
    seconds = moved / device.dram_bytes_per_second
    flops = 0
    if launch.operation.work is not None:
        work = launch.operation.work(launch.attributes, tuple(x.spec if type(x) is Tensor else None for x in event.inputs))
        flops = work.flops
        cores = launch.footprint.cores.num_cores() if launch.footprint is not None else device.l1_banks
        seconds = max(seconds, _matrix_seconds(device, work, cores))
    link_bytes = 0
    if launch.operation.traffic is not None:
        traffic = launch.operation.traffic(launch.attributes, tuple(x.spec for x in event.inputs if type(x) is Tensor))
        link_bytes = traffic.sent
        if traffic.busiest:
            seconds = max(seconds, traffic.busiest / device.link_bytes_per_second)
    return Cost(flops, moved, seconds, link_bytes)


def _matrix_seconds(device: DeviceProfile, work: Work, cores: int) -> float:
    return work.tile_products * CYCLES_PER_PHASE * work.phases / cores / device.clock_hz
