"""The dtypes of TT-NN and the JAX arrays that carry them."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np

from tt_jax.choice import Choice
from tt_jax.errors import ArgumentError


class DataType(Choice):
    """A TT-NN dtype; the values are ttnn's own.

    `bfloat8_b` and `bfloat4_b` are carried as bfloat16 arrays, in which each of their values is exact. `int8` can be stored and
    moved; no operation computes with it. `fp8_e4m3` and INVALID exist by name only.
    """

    BFLOAT16 = 0
    FLOAT32 = 1
    UINT32 = 2
    BFLOAT8_B = 3
    BFLOAT4_B = 4
    UINT8 = 5
    UINT16 = 6
    INT32 = 7
    INT8 = 8
    FP8_E4M3 = 9
    INVALID = 10

    # Plain attributes, not properties: they are read on every launch. Set below, once per member.
    kernel_name: str
    """The name kernels know it by: "bfloat16", "bfloat8_b" and so on."""
    is_block_float: bool
    is_float: bool
    carrier: np.dtype
    """The dtype of the JAX array of a tensor."""
    tile_bytes: int
    """Bytes of a 32x32 tile. Source: spec/numerics.md section 1.6 (measured)."""
    element_bytes: int | None
    """Bytes of an element in ROW_MAJOR layout; None for block floats, which have no such layout."""


_BFLOAT16, _FLOAT32 = np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32)

for _dtype, _carrier, _tile_bytes, _element_bytes in (
    (DataType.BFLOAT16, _BFLOAT16, 2048, 2),
    (DataType.FLOAT32, _FLOAT32, 4096, 4),
    (DataType.BFLOAT8_B, _BFLOAT16, 1088, None),
    (DataType.BFLOAT4_B, _BFLOAT16, 576, None),
    (DataType.UINT32, np.dtype(np.uint32), 4096, 4),
    (DataType.INT32, np.dtype(np.int32), 4096, 4),
    (DataType.UINT16, np.dtype(np.uint16), 2048, 2),
    (DataType.UINT8, np.dtype(np.uint8), 1024, 1),
    (DataType.INT8, np.dtype(np.int8), 1024, 1),
    (DataType.FP8_E4M3, np.dtype(ml_dtypes.float8_e4m3fn), 1024, 1),
    (DataType.INVALID, np.dtype(np.void), 0, 0),
):
    _dtype.kernel_name = _dtype.name.lower()
    _dtype.carrier = _carrier
    _dtype.tile_bytes = _tile_bytes
    _dtype.element_bytes = _element_bytes
    _dtype.is_block_float = _element_bytes is None
    _dtype.is_float = _carrier in (_BFLOAT16, _FLOAT32)

bfloat16 = DataType.BFLOAT16
float32 = DataType.FLOAT32
bfloat8_b = DataType.BFLOAT8_B
bfloat4_b = DataType.BFLOAT4_B
uint32 = DataType.UINT32
int32 = DataType.INT32
uint16 = DataType.UINT16
uint8 = DataType.UINT8
int8 = DataType.INT8
fp8_e4m3 = DataType.FP8_E4M3

FLOATS = (bfloat16, float32, bfloat8_b, bfloat4_b)
NAMES_ONLY = (DataType.FP8_E4M3, DataType.INVALID)
"""Members that exist for programs that name them; no tensor has them."""

# What an array becomes when no dtype is asked for. Source: spec/numerics.md section 5.1 (measured).
_DEFAULTS = {
    "float32": float32,
    "bfloat16": bfloat16,
    "float16": bfloat16,
    "int32": int32,
    "int64": uint32,
    "int16": uint16,
    "uint16": uint16,
    "uint32": uint32,
    "uint8": uint8,
    "int8": int8,
    "bool": uint8,
}


def default_dtype(array_dtype: np.dtype) -> DataType:
    """The dtype that an array of `array_dtype` is stored in when none is given. Raises ArgumentError where there is none."""
    try:
        return _DEFAULTS[jnp.dtype(array_dtype).name]
    except KeyError:
        raise ArgumentError(
            f"an array of {array_dtype} has no TT-NN dtype of its own: pass dtype=, or convert it to one of {', '.join(_DEFAULTS)}"
        ) from None
