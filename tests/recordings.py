"""Reading what the device returned: bfloat16 as uint16 patterns, everything else as float32 values."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from tt_jax.kernels import block_float

REFERENCE = pathlib.Path(__file__).parent / "reference"
DEVICE = REFERENCE / "device"


def values(x):
    """Recorded or computed values as float32."""
    x = np.asarray(x)
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(np.float32)


_quantize = jax.jit(block_float.quantize, static_argnums=(1, 2))


def carried(x, dtype):
    """Recorded values as the array that carries `dtype`, put on the device by the host's rule."""
    x = jnp.asarray(values(x))
    if dtype == "float32":
        return x
    x = x.astype(jnp.bfloat16)
    return x if dtype == "bfloat16" else _quantize(x, dtype, "host")


def equal_share(y, recorded):
    """The share of equal elements, and the largest distance in bfloat16 ULP of the recorded value."""
    y, recorded = values(y), values(recorded)
    y = y.reshape(recorded.shape)
    step = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(recorded), 1e-37))) - 7)
    return float((y == recorded).mean()), float((np.abs(y.astype(np.float64) - recorded) / step).max())
