"""Switches of the real library's runtime, its profiler and its caches: accepted, and without effect here."""

from typing import Any


def EnablePersistentKernelCache() -> None:  # noqa: N802 - ttnn's name
    """Accepted: kernels are compiled once a process."""


DisablePersistentKernelCache = EnablePersistentKernelCache


def ReadDeviceProfiler(device: Any, *arguments: Any, **options: Any) -> None:  # noqa: N802 - ttnn's name
    """Accepted: there are no cycles to count, so no profile."""


DumpDeviceProfiler = read_device_profiler = ReadDeviceProfiler

__all__ = [
    "DisablePersistentKernelCache",
    "DumpDeviceProfiler",
    "EnablePersistentKernelCache",
    "ReadDeviceProfiler",
    "read_device_profiler",
]
