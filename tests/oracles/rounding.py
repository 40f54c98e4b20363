"""Roundings of float32 in float64 arithmetic: scale to whole units of the last kept place, round, scale back."""

import ml_dtypes
import numpy as np

SMALLEST_NORMAL = 2.0**-126
SMALLEST_SUBNORMAL = 2.0**-149


def _float64(x):
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return x.astype(np.float64)


def _half_away(count):
    return np.floor(count + 0.5)


def _to_significant(x, digits, whole, smallest_unit):
    """`x` (float32) with its magnitude rounded by `whole` to `digits` significant bits, as float64; infinite from 2**128."""
    x = _float64(x)
    finite = np.isfinite(x)
    magnitude = np.where(finite, np.abs(x), 1.0)
    _, exponent = np.frexp(magnitude)
    unit = np.maximum(np.ldexp(1.0, exponent - digits), smallest_unit)
    rounded = whole(magnitude / unit) * unit
    rounded = np.where(rounded >= 2.0**128, np.inf, rounded)
    return np.where(finite, np.copysign(rounded, x), x)


def _bfloat16(values):
    """Exact float64 values as bfloat16."""
    with np.errstate(all="ignore"):
        return values.astype(np.float32).astype(ml_dtypes.bfloat16)


def _packer_bfloat16(x, whole):
    rounded = _to_significant(x, 8, whole, 0.0)
    rounded = np.where(np.abs(x) < SMALLEST_NORMAL, 0.0, rounded)
    rounded = np.where(np.isnan(x), np.where(np.signbit(x), -np.inf, np.inf), rounded)
    return _bfloat16(rounded)


def host_bfloat16(x):
    with np.errstate(all="ignore"):
        y = x.astype(ml_dtypes.bfloat16)
    return np.where(np.isnan(x), np.uint16(0x7FC0), y.view(np.uint16)).view(ml_dtypes.bfloat16)


def nearest_away_bfloat16(x):
    return _packer_bfloat16(x, _half_away)


def nearest_even_bfloat16(x):
    return _packer_bfloat16(x, np.rint)


def truncate_bfloat16(x):
    return _packer_bfloat16(x, np.floor)


def truncate_tf32(x):
    kept = _to_significant(x, 11, np.floor, SMALLEST_SUBNORMAL * 2**13).astype(np.float32)
    bits = x.view(np.uint32)
    return np.where(np.isnan(x), bits - bits % 2**13, kept.view(np.uint32)).view(np.float32)


def flush_subnormals(x):
    return np.where(np.abs(_float64(x)) < SMALLEST_NORMAL, np.uint32(0), x.view(np.uint32)).view(np.float32)
