"""Floats as bit patterns: values to feed in, and a comparison that tells -0 from 0 and one NaN from another.

Special values are made from their bits, since arithmetic in XLA flushes subnormals.
"""

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32}


def pattern(x):
    """The unsigned integers with the bits of `x` (any dtype of up to 32 bits)."""
    x = np.asarray(x)
    return x.view(_UNSIGNED[x.dtype.itemsize])


def float32(bits):
    return np.asarray(bits, np.uint32).view(np.float32)


def bfloat16(bits):
    return np.asarray(bits, np.uint16).view(ml_dtypes.bfloat16)


def assert_same_bits(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    got, want = pattern(actual), pattern(expected)
    wrong = np.argwhere(got != want)
    listing = "; ".join(f"{tuple(map(int, i))}: {got[tuple(i)]:#x}, expected {want[tuple(i)]:#x}" for i in wrong[:5])
    assert len(wrong) == 0, f"{len(wrong)} of {got.size} differ. {listing}"


SPECIAL = np.array(
    [
        *(0x0000_0000, 0x0000_0001, 0x0000_8000, 0x007F_7FFF, 0x007F_8000, 0x007F_FFFF),  # zero, subnormals
        *(0x0080_0000, 0x0080_8000, 0x0081_0000),  # the smallest normals
        *(0x3F80_7FFF, 0x3F80_8000, 0x3F80_8001, 0x3F81_7FFF, 0x3F81_8000, 0x3F81_8001),  # bfloat16 ties and their neighbours
        *(0x3F80_FFFF, 0x3F81_0000, 0x3F82_FFFF, 0x3F83_0000),  # ties of 6 explicit mantissa bits
        *(0x3F80_1FFF, 0x3F80_2000, 0x3FFF_7FFF, 0x3FFF_8000, 0x3FFF_FFFF),  # tf32; carries into the exponent
        *(0x7F7F_0000, 0x7F7F_7FFF, 0x7F7F_8000, 0x7F7F_FFFF),  # the largest finite; overflow
        *(0x7F80_0000, 0x7F80_0001, 0x7F80_2000, 0x7FBF_FFFF, 0x7FC0_0000, 0x7FFF_FFFF),  # infinity; signalling and quiet NaN
    ],
    np.uint32,
)
SPECIAL = np.concatenate([SPECIAL, SPECIAL | np.uint32(0x8000_0000)])


def every_upper_half():
    """uint32 [6, 65536]: each bfloat16 pattern, with low halves at and beside zero, the tie and the top."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    return upper | np.array([[0], [1], [0x7FFF], [0x8000], [0x8001], [0xFFFF]], np.uint32)


def random_patterns(shape):
    """Arrays of uniform uint32, each from a drawn seed: drawn one by one, most would be small and alike."""
    return st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(0, 2**32, shape, dtype=np.uint32))
