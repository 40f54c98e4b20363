"""What the computer that simulates is good at. Nothing here changes what is computed, but for the order of float32 sums."""

import functools
import pathlib

import jax


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
