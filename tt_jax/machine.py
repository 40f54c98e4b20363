"""What the computer that simulates is good at. Nothing here changes what is computed, but for the order of float32 sums."""

import ctypes
import functools
import pathlib
import sys

import jax

from tt_jax.errors import ArgumentError


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether JAX's default backend multiplies bfloat16 as fast as float32: accelerators do, a CPU with AMX or AVX-512 BF16 does.

    Elsewhere a matmul with weights is 1.2 times faster on float32 copies (measured). Asked once per process.
    """
    if jax.default_backend() != "cpu":
        return True
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def keep_freed_memory(most: int = 2**31 - 1) -> bool:
    """Have the C library keep up to `most` bytes that were freed, and hand them out again; whether it can (glibc on Linux).

    Otherwise large arrays go back to the system when they are freed, and the next one costs a page fault for every 4 KiB: up to a
    third of the time where every operation is a program of its own (tests/benchmarks/attention.py, minilm.py). It holds for the whole
    process, JAX's and NumPy's arrays too, and its resident memory shrinks no more below what it once was, up to `most`. Never called
    by the library itself.

    Raises ArgumentError unless `most` is an integer from 0 to 2**31 - 1, the largest that glibc's mallopt takes.
    """
    if not isinstance(most, int) or not 0 <= most < 2**31:
        raise ArgumentError(f"keep_freed_memory: `most` must be an integer from 0 to 2**31 - 1, in bytes; got {most!r}")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    # glibc's malloc.h: M_MMAP_THRESHOLD is -3, M_TRIM_THRESHOLD -1.
    return all(mallopt(parameter, most) == 1 for parameter in (-3, -1))
