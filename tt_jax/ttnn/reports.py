"""`ttnn._ttnn.reports`: what is allocated on a device now."""

import gc
from typing import NamedTuple

from tt_jax.memory import BufferType
from tt_jax.tensor import Tensor
from tt_jax.ttnn._storage import Storage
from tt_jax.ttnn.device import Device, open_devices


class BufferInfo(NamedTuple):
    """A live buffer; addresses and sizes in bytes per bank."""

    device_id: int
    address: int
    max_size_per_bank: int
    buffer_type: BufferType


class PageInfo(NamedTuple):
    """A page of a live buffer. Which core holds a bank is not modelled: a page has its bank's number."""

    device_id: int
    address: int
    page_index: int
    page_address: int
    page_size: int
    bank_id: int
    buffer_type: BufferType


def _live(device: Device) -> list[Tensor]:
    """The tensor that wrote each live buffer of `device` last. Looks through all objects: slow, and for diagnosis only."""
    found = {}
    for x in gc.get_objects():
        if type(x) is Storage and x.device is device and x.tensor is not None and x.tensor.buffer.size:
            found[x.tensor.buffer] = x.tensor
    return list(found.values())


def get_buffers(devices: Device | list[Device] | None = None) -> list[BufferInfo]:
    """The live buffers of a device, of several, or of all that are open."""
    return [
        BufferInfo(device.id(), x.buffer.address, x.buffer.size, x.buffer.buffer_type)
        for device in _chosen(devices)
        for x in _live(device)
    ]


def get_buffer_pages(devices: Device | list[Device] | None = None) -> list[PageInfo]:
    """The pages of the live buffers: of interleaved ones dealt to the banks in turn, of sharded ones shard by shard."""
    pages = []
    for device in _chosen(devices):
        for x in _live(device):
            spec, buffer = x.spec, x.buffer
            aligned = spec.aligned_page_size(device.profile)
            in_a_row = 1 if not spec.memory_config.is_sharded() else -(-spec.bytes_per_bank(device.profile) // aligned)
            banks = device.memory.num_banks(buffer.buffer_type)
            for i in range(spec.num_pages):
                part, offset = divmod(i, in_a_row)
                bank, row = (part % banks, part // banks) if in_a_row == 1 else (part, offset)
                where = buffer.address + row * aligned
                pages.append(PageInfo(device.id(), buffer.address, i, where, spec.page_size, bank, buffer.buffer_type))
    return pages


def _chosen(devices: Device | list[Device] | None) -> list[Device]:
    if devices is None:
        return open_devices()
    return list(devices) if isinstance(devices, list | tuple) else [devices]
