"""Which tensor lies where, and its life: the rows of `tensors` and `tensor_lifetime`.

A tensor here is a spec at a buffer, from the operation that put it there until the buffer is freed. What an operation writes in
place is the same tensor still; a view, of another shape, is another one at the same address.
"""

import dataclasses
import json
from typing import Any

from tt_jax.devices import DeviceProfile
from tt_jax.memory import Buffer
from tt_jax.origins import Site
from tt_jax.tensor import TensorSpec


@dataclasses.dataclass(eq=False, slots=True)
class Life:
    """A tensor, with the numbers of the operations that made, last used and freed it.

    Attributes:
        number: its id, from 1: the tool takes 0 for none.
        spec, buffer, device: what it is and where; buffer and device are None for a host tensor.
        size: bytes per bank.
        made_at, used_at: lines of the user's program.
        is_shown: it is an input or output of an operation, not only of a program within one.
    """

    number: int
    spec: TensorSpec
    buffer: Buffer | None
    device: int | None
    size: int | None = None
    producer: int | None = None
    last_use: int | None = None
    freed: int | None = None
    made_at: Site | None = None
    used_at: Site | None = None
    is_shown: bool = False

    def parameters(self) -> dict[str, str]:
        """What a node of the captured graph says of it."""
        spec, buffer = self.spec, self.buffer
        parameters = {
            "tensor_id": str(self.number),
            "shape": f"Shape({list(spec.shape)})",
            "dtype": f"DataType::{spec.dtype.name}",
            "layout": f"Layout::{spec.layout.name}",
            "size": str(spec.num_pages * spec.page_size),
            "storage_type": "HOST" if buffer is None else "DEVICE",
        }
        if buffer is not None:
            parameters |= {
                "memory_config": repr(spec.memory_config),
                "buffer_type": str(buffer.buffer_type.value),
                "device_id": str(self.device),
                "address": str(buffer.address),
                "device_tensors": json.dumps([{"device_id": self.device, "address": buffer.address}]),
            }
        return parameters

    def row(self) -> tuple[Any, ...]:
        """Of `tensors`."""
        spec, buffer = self.spec, self.buffer
        placed = (None, None, None, "HOST", None)
        if buffer is not None:
            placed = (self.device, buffer.address, buffer.buffer_type.value, "DEVICE", self.size)  # type: ignore[assignment]
        names = (f"Shape({list(spec.shape)})", f"DataType.{spec.dtype.name}", f"Layout.{spec.layout.name}")
        return (self.number, *names, repr(spec.memory_config), *placed)

    def lifetime_row(self) -> tuple[Any, ...]:
        """Of `tensor_lifetime`."""
        made, used = (site or (None, None) for site in (self.made_at, self.used_at))
        return (self.number, self.producer, self.last_use, self.freed, *made[:2], *used[:2])


class Tensors:
    """Every tensor that was seen, and what lies at each buffer now."""

    def __init__(self) -> None:
        self.all: list[Life] = []
        self._at: dict[tuple[int, Buffer], dict[TensorSpec, Life]] = {}
        self._on_host: dict[int, Life] = {}

    def placed(self, device: int, profile: DeviceProfile, spec: TensorSpec, buffer: Buffer) -> Life:
        """The tensor of `spec` at `buffer`."""
        here = self._at.setdefault((device, buffer), {})
        if spec not in here:
            here[spec] = self._new(spec, buffer, device, spec.bytes_per_bank(profile))
        return here[spec]

    def on_host(self, key: int, spec: TensorSpec) -> Life:
        """The host tensor that `key` stands for."""
        if key not in self._on_host:
            self._on_host[key] = self._new(spec, None, None, None)
        return self._on_host[key]

    def at(self, device: int, buffer: Buffer) -> Life | None:
        """What was put at `buffer` first, if that was seen."""
        return next(iter(self._at.get((device, buffer), {}).values()), None)

    def vacate(self, device: int, buffer: Buffer) -> list[Life]:
        """Nothing lies at `buffer` any more: what did."""
        return list(self._at.pop((device, buffer), {}).values())

    def _new(self, spec: TensorSpec, buffer: Buffer | None, device: int | None, size: int | None) -> Life:
        life = Life(len(self.all) + 1, spec, buffer, device, size)
        self.all.append(life)
        return life
