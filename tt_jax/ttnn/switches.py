"""Switches of the real library's runtime, its reports and its caches: accepted, and without effect here."""

from typing import Any


def EnablePersistentKernelCache() -> None:  # noqa: N802 - ttnn's name
    """Accepted: kernels are compiled once a process."""


DisablePersistentKernelCache = EnablePersistentKernelCache


def EnableMemoryReports() -> None:  # noqa: N802 - ttnn's name
    """Accepted: no reports are written; `ttnn.get_memory_view` tells what is used."""


DisableMemoryReports = EnableMemoryReports


def ReadDeviceProfiler(device: Any, *arguments: Any, **options: Any) -> None:  # noqa: N802 - ttnn's name
    """Accepted: there are no cycles to count, so no profile."""


DumpDeviceProfiler = read_device_profiler = ReadDeviceProfiler

__all__ = [
    "DisableMemoryReports",
    "DisablePersistentKernelCache",
    "DumpDeviceProfiler",
    "EnableMemoryReports",
    "EnablePersistentKernelCache",
    "ReadDeviceProfiler",
    "read_device_profiler",
]
