"""How far one array is from another: correlation, relative error, scale, and units in the last place. NumPy, in float64.

Each function takes the computed array first and the reference second, of one shape, and reduces over all elements unless it says
otherwise. Where both hold NaN, or the same infinity, they agree and the element is left out; any other element that is not finite
makes the result NaN (of a distance, infinity). All raise ArgumentError for arrays of different shapes or of no real numbers.

`pcc` sees neither a wrong scale nor an offset, which `scale` and `relative_error` do. Source: spec/numerics.md section 6.
"""

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from tt_jax.dtypes import NAMES_ONLY, DataType
from tt_jax.errors import ArgumentError

_Float64 = npt.NDArray[np.float64]

GROUP = 16
"""Neighbours along the last axis that share an exponent in a block float."""
# Magnitude bits of a datum, so its step is 2**(exponent - (bits - 1)). Source: spec/numerics.md section 1.1.
MAGNITUDE_BITS = {DataType.BFLOAT8_B: 7, DataType.BFLOAT4_B: 3}
# The unsigned and signed integers with a float's bits.
_PATTERNS = {DataType.BFLOAT16: np.uint16, DataType.FLOAT32: np.uint32}
_SMALLEST_EXPONENT, _INFINITE_EXPONENT = -127, 128
_SUBNORMAL_EXPONENT = -133
"""Of the smallest bfloat16, 2**-133."""


def as_float64(x: Any) -> _Float64:
    """`x` (anything NumPy makes an array of: JAX arrays, lists, numbers) as float64; exact for every dtype of a tensor.

    Raises ArgumentError for complex numbers and for what is not numeric.
    """
    array = np.asarray(x)
    is_real = array.dtype == bool or np.issubdtype(array.dtype, np.number) or array.dtype == ml_dtypes.bfloat16
    if not is_real or np.issubdtype(array.dtype, np.complexfloating):
        raise ArgumentError(f"an array of real numbers is needed, got {type(x).__name__} of dtype {array.dtype}")
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return array.astype(np.float64)


def _pair(actual: Any, expected: Any) -> tuple[_Float64, _Float64]:
    a, e = as_float64(actual), as_float64(expected)
    if a.shape != e.shape:
        raise ArgumentError(f"actual has shape {a.shape} and expected {e.shape}: measures compare arrays of one shape")
    return a, e


def agrees(actual: Any, expected: Any) -> npt.NDArray[np.bool_]:
    """Element by element, whether the two are equal or both NaN."""
    a, e = _pair(actual, expected)
    agreed: npt.NDArray[np.bool_] = (a == e) | (np.isnan(a) & np.isnan(e))
    return agreed


def _finite_pair(actual: Any, expected: Any) -> tuple[_Float64, _Float64] | None:
    """Both, flat, without the elements at which both are the same and not finite; None if some other element is not finite."""
    a, e = _pair(actual, expected)
    finite = np.isfinite(a) & np.isfinite(e)
    if not (finite | agrees(a, e)).all():
        return None
    return a[finite], e[finite]


def _scaled(x: _Float64, exponent: int) -> _Float64:
    # In two steps: 2**exponent itself may be no float64.
    half = exponent // 2
    return np.ldexp(np.ldexp(x, half), exponent - half)


def _exponent(x: _Float64) -> int:
    """The power of two above the largest magnitude."""
    return int(np.frexp(np.abs(x).max())[1])


def pcc(actual: Any, expected: Any) -> float:
    """Pearson's correlation, from -1 to 1.

    Equal arrays have 1, constant and empty ones included. Otherwise NaN where one of the two is constant: it is undefined there.
    """
    pair = _finite_pair(actual, expected)
    if pair is None:
        return float("nan")
    a, e = pair
    if np.array_equal(a, e):
        return 1.0
    if (a == a[0]).all() or (e == e[0]).all():
        return float("nan")
    a, e = (_scaled(x, -_exponent(x)) for x in (a, e))
    a, e = a - a.mean(), e - e.mean()
    return float(np.clip((a / np.linalg.norm(a)) @ (e / np.linalg.norm(e)), -1.0, 1.0))


def relative_error(actual: Any, expected: Any) -> float:
    """The Frobenius norm of the difference over that of `expected`: 0 for equal arrays, infinite where only `expected` is all zero."""
    pair = _finite_pair(actual, expected)
    if pair is None:
        return float("nan")
    a, e = pair
    if np.array_equal(a, e):
        return 0.0
    if not e.any():
        return float("inf")
    both, own = max(_exponent(a), _exponent(e)), _exponent(e)
    difference = np.linalg.norm(_scaled(a, -both) - _scaled(e, -both))
    with np.errstate(over="ignore"):
        return float(np.ldexp(difference / np.linalg.norm(_scaled(e, -own)), both - own))


def scale(actual: Any, expected: Any) -> float:
    """The mean ratio: the factor by which `actual` is, on least squares, a multiple of `expected`.

    That is `sum(actual * expected) / sum(expected**2)`. Equal arrays have 1; NaN where only `expected` is all zero.
    """
    pair = _finite_pair(actual, expected)
    if pair is None:
        return float("nan")
    a, e = pair
    if np.array_equal(a, e):
        return 1.0
    if not e.any():
        return float("nan")
    if not a.any():
        return 0.0
    up, down = _exponent(a), _exponent(e)
    a, e = _scaled(a, -up), _scaled(e, -down)
    with np.errstate(over="ignore"):
        return float(np.ldexp((a @ e) / (e @ e), up - down))


def named_dtype(dtype: DataType | str) -> DataType:
    """`dtype`, or the dtype of that name, such as "bfloat8_b". Raises ArgumentError for any that no tensor has."""
    known = {d.kernel_name: d for d in DataType if d not in NAMES_ONLY}
    found = known.get(dtype) if isinstance(dtype, str) else dtype
    if found not in known.values():
        raise ArgumentError(f"`dtype` must be one of {', '.join(known)}, or its DataType, got {dtype!r}")
    assert found is not None
    return found


def _ordered(x: _Float64, dtype: DataType) -> npt.NDArray[np.int64]:
    """The place of each number in the order of all numbers of `dtype`: both zeros 0, the smallest subnormal 1."""
    if dtype is DataType.BFLOAT16:  # here and not in the cast, which would round to float32 first
        finite = np.isfinite(x)
        unit = np.ldexp(1.0, np.maximum(np.frexp(np.where(finite, x, 0.0))[1] - 8, _SUBNORMAL_EXPONENT))
        x = np.where(finite, np.rint(x / unit) * unit, x)
    with np.errstate(all="ignore"):
        bits = x.astype(np.float32).astype(dtype.carrier).view(_PATTERNS[dtype]).astype(np.int64)
    sign = np.int64(1) << (8 * dtype.carrier.itemsize - 1)
    return np.where(bits >= sign, sign - bits, bits)


def grouped(x: Any) -> _Float64:
    """float64 `[..., w]` as groups `[..., ceil(w / 16), 16]`, the last one filled with zeros."""
    x = np.asarray(x, np.float64)
    x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % GROUP)])
    groups: _Float64 = x.reshape(*x.shape[:-1], x.shape[-1] // GROUP, GROUP)
    return groups


def group_steps(x: Any, dtype: DataType | str) -> _Float64:
    """The step between neighbouring values of block float `dtype` around each element of `x` `[..., w]`, in the shape of `x`.

    16 neighbours along the last axis share it: 2**(exponent of the group's largest - 6) for bfloat8_b, - 2 for bfloat4_b. A group of zeros
    and subnormals has the smallest, an infinity the largest. Raises ArgumentError on another dtype and on rank 0.
    """
    found = named_dtype(dtype)
    if not found.is_block_float:
        raise ArgumentError(f"{found.kernel_name} has no groups: expected bfloat8_b or bfloat4_b")
    array = np.abs(as_float64(x))
    if array.ndim == 0:
        raise ArgumentError("a block float needs at least one axis to share exponents along, got rank 0")
    groups = grouped(array)
    exponent = np.frexp(groups)[1] - 1
    exponent = np.where(np.isfinite(groups), np.where(groups == 0, _SMALLEST_EXPONENT, exponent), _INFINITE_EXPONENT)
    shared = np.clip(exponent, _SMALLEST_EXPONENT, _INFINITE_EXPONENT).max(-1)
    steps: _Float64 = np.ldexp(1.0, shared - (MAGNITUDE_BITS[found] - 1))
    return np.repeat(steps, GROUP, -1)[..., : array.shape[-1]]


def ulp_distance(actual: Any, expected: Any, dtype: DataType | str) -> _Float64:
    """How many units in the last place of `dtype` lie between the two: float64, in their shape.

    * bfloat16, float32: both are rounded to `dtype` (nearest, ties to even), and the numbers between them counted. So -0 and +0 are
      at distance 0, subnormals count as numbers, an infinity is one beyond the largest finite number.
    * bfloat8_b, bfloat4_b: the difference in steps of `expected`'s group (see `group_steps`), or of `actual`'s where `expected`'s is all
      zero. Not rounded: an element between two values of the dtype is a fraction of a step away.
    * integers: the difference.

    NaN against NaN is 0, against anything else infinite. Raises ArgumentError on another dtype, and on rank 0 for block floats.
    """
    found = named_dtype(dtype)
    a, e = _pair(actual, expected)
    if found in _PATTERNS:
        distance = np.abs(_ordered(a, found) - _ordered(e, found)).astype(np.float64)
        return np.where(np.isnan(a) | np.isnan(e), np.where(np.isnan(a) & np.isnan(e), 0.0, np.inf), distance)
    with np.errstate(all="ignore"):
        distance = np.abs(a - e)
        if found.is_block_float:
            own, other = group_steps(e, found), group_steps(a, found)
            distance = distance / np.where(own == 2.0 ** (_SMALLEST_EXPONENT - MAGNITUDE_BITS[found] + 1), other, own)
    return np.where(agrees(a, e), 0.0, np.where(np.isnan(distance), np.inf, distance))


def max_ulp(actual: Any, expected: Any, dtype: DataType | str) -> float:
    """The largest `ulp_distance`; 0 for empty arrays."""
    return float(ulp_distance(actual, expected, dtype).max(initial=0.0))
