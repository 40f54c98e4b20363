"""What a figure was measured on. No names of hosts, users or folders."""

import datetime
import importlib.metadata
import importlib.util
import os
import pathlib
import platform
import subprocess

import jax

from tt_jax.machine import multiplies_bfloat16

_PACKAGES = ("jax", "jaxlib", "numpy", "ml_dtypes", "torch")


def facts() -> dict[str, str | int | float | bool | None]:
    """The machine, its software, the date and the commit. None for what this system does not tell, or what is not there."""
    device = jax.devices()[0]
    versions = {name: importlib.metadata.version(name) if importlib.util.find_spec(name) else None for name in _PACKAGES}
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "memory_gib": _memory(),
        "os": platform.platform(),
        "python": platform.python_version(),
        **versions,
        "device": device.device_kind,
        "multiplies_bfloat16": multiplies_bfloat16(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "commit": _commit(),
    }


def _cpu() -> str | None:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or None)


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, ValueError):
        return None


def _commit() -> str | None:
    """Of this checkout, with a + if tracked files differ from it."""
    git = lambda *command: subprocess.run(
        ["git", "-C", str(pathlib.Path(__file__).parent), *command], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
