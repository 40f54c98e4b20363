"""Events and queues: with one queue in order, everything recorded has happened for whoever asks later."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tt_jax.ttnn.device import Device, require_device, synchronize_device


class MeshEvent(NamedTuple):
    """A point in a device's queue."""

    device: Device


def record_event(mesh_device: Device, cq_id: int = 0, *arguments: Any, **options: Any) -> MeshEvent:
    """The point after what was asked for so far."""
    return MeshEvent(require_device("record_event", mesh_device))


def wait_for_event(cq_id: int, event: MeshEvent) -> None:
    """Let a queue wait for `event`: with one queue it has passed."""


def event_synchronize(event: MeshEvent) -> None:
    """Wait until `event` has happened."""
    synchronize_device(event.device)


@contextmanager
def command_queue(cq_id: int) -> Iterator[None]:
    """A block whose operations go to queue `cq_id`: there is one."""
    yield


__all__ = [
    "MeshEvent",
    "command_queue",
    "event_synchronize",
    "record_event",
    "wait_for_event",
]
