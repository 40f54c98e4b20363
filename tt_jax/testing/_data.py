"""Arrays from a kind of data and a seed, whose values a dtype holds exactly: what the strategies draw."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tt_jax.dtypes import DataType, bfloat4_b, bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.measures import group_steps

_Floats = npt.NDArray[np.float64]

_SIGNIFICANT_BITS = {float32: 24, bfloat16: 8, bfloat8_b: 7, bfloat4_b: 3}
_FLOAT_KINDS = ("zeros", "whole", "normal", "one scale", "many scales", "ties")
_INTEGER_KINDS = ("zeros", "small", "any", "ends")
_DEFAULT_EXPONENTS, _ALL_EXPONENTS = (-30, 30), (-126, 128)
_GROUP = 16
_RARE = 0.05
_SMALL = 8


class Options(NamedTuple):
    """What elements may be: magnitudes from 2**low to below 2**high, and special values."""

    low: int
    high: int
    allow_subnormal: bool = False
    allow_infinity: bool = False
    allow_nan: bool = False


def kinds(dtype: DataType) -> tuple[str, ...]:
    """The kinds of data of `dtype`, the simplest first. Nothing is narrower than bfloat4_b, so it has no ties."""
    if not dtype.is_float:
        return _INTEGER_KINDS
    return _FLOAT_KINDS[:-1] if dtype is bfloat4_b else _FLOAT_KINDS


def checked_exponents(dtype: DataType, exponents: tuple[int, int] | None) -> tuple[int, int]:
    """`exponents` or the default of `dtype`. Raises ArgumentError for a range that is empty or, of floats, not float32's."""
    if exponents is None:
        return _DEFAULT_EXPONENTS if dtype.is_float else (0, 8 * dtype.carrier.itemsize)
    low, high = exponents
    least, most = _ALL_EXPONENTS if dtype.is_float else (0, 64)
    if not least <= low < high <= most:
        raise ArgumentError(f"arrays: `exponents` of {dtype.kernel_name} rise from {least} to at most {most}, got {exponents}")
    return low, high


def make(dtype: DataType, options: Options, kind: str, seed: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """An array of `kind`, in the carrier of `dtype`. Raises ArgumentError for a block float of rank 0."""
    rng = np.random.default_rng(seed)
    if not dtype.is_float:
        return _integers(dtype, options, kind, rng, shape)
    if dtype.is_block_float and not shape:
        raise ArgumentError(f"arrays: {dtype.kernel_name} shares exponents along the last axis, and a scalar has none")
    values = _values(dtype, options, kind, rng, shape)
    if dtype.is_block_float and values.size:
        steps = group_steps(values, dtype)
        values = np.trunc(values / steps) * steps
        # Truncation leaves a group's largest exponent; what falls below the range goes.
        values = np.where(np.abs(values) < 2.0**options.low, 0.0, values)
    values = values + 0.0  # no -0
    return _with_specials(values, dtype, options, rng).astype(np.float32).astype(dtype.carrier)


def _integers(
    dtype: DataType, options: Options, kind: str, rng: np.random.Generator, shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    info = np.iinfo(dtype.carrier)
    low, high = max(info.min, 1 - 2**options.high), min(info.max, 2**options.high - 1)
    match kind:
        case "zeros":
            values = np.zeros(shape, np.int64)
        case "small":
            values = rng.integers(max(low, -_SMALL), min(high, _SMALL), shape, endpoint=True)
        case "any":
            values = rng.integers(low, high, shape, endpoint=True)
        case _:
            values = rng.choice(np.array(sorted({low, low + 1, 0, high - 1, high})), shape)
    return values.astype(dtype.carrier)


def _values(dtype: DataType, options: Options, kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> _Floats:
    """Values of as many significant bits as `dtype` has; a block float's groups are still to be cut to their steps."""
    bits = _SIGNIFICANT_BITS[dtype]
    sign = rng.choice([-1.0, 1.0], shape)
    scale = int(rng.integers(options.low, options.high))
    match kind:
        case "zeros":
            return np.zeros(shape)
        case "whole":
            # As they are, if the range has them, else brought into it.
            whole = rng.integers(0, min(_SMALL, 2**bits - 1), shape, endpoint=True)
            values = np.ldexp(whole, min(max(0, options.low), options.high - 4))
        case "normal":
            fraction, exponent = np.frexp(np.abs(rng.standard_normal(shape)))
            values = np.ldexp(np.trunc(np.ldexp(fraction, bits)), exponent - bits + scale)
        case "one scale":
            values = np.ldexp(_significands(rng, bits, shape), scale) * (rng.random(shape) > 1 / 8)
        case "many scales":
            values = np.ldexp(_significands(rng, bits, shape), _exponents(rng, dtype, options, shape))
            values = values * (rng.random(shape) > 1 / 8)
        case _:
            values = _ties(rng, dtype, scale, shape)
    return sign * _in_range(values, options)


def _significands(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> _Floats:
    """From 1 to below 2."""
    return rng.integers(2 ** (bits - 1), 2**bits, shape) / 2.0 ** (bits - 1)


def _exponents(rng: np.random.Generator, dtype: DataType, options: Options, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    if not dtype.is_block_float:
        return rng.integers(options.low, options.high, shape)
    # One for each group, of which the elements lie a few places below.
    groups = rng.integers(options.low, options.high, (*shape[:-1], -(-shape[-1] // _GROUP)))
    return np.repeat(groups, _GROUP, -1)[..., : shape[-1]] - rng.integers(0, _SIGNIFICANT_BITS[dtype], shape)


def _ties(rng: np.random.Generator, dtype: DataType, scale: int, shape: tuple[int, ...]) -> _Floats:
    """Half-way between neighbours of the next narrower dtype; in block floats under the exponent of each group's first element."""
    if dtype is float32:
        beside = rng.choice([-1, 0, 0, 1], shape)
        significand = rng.integers(2**7, 2**8, shape) * 2**16 + 2**15 + beside
        return np.ldexp(significand.astype(np.float64), rng.integers(scale - 1, scale + 2, shape) - 23)
    narrower = _SIGNIFICANT_BITS[bfloat8_b if dtype is bfloat16 else bfloat4_b]
    values = np.ldexp(rng.integers(0, 2**narrower - 1, shape) + 0.5, scale - (narrower - 1))
    if shape:
        values[..., ::_GROUP] = np.ldexp(1.0, scale)
    return values


def _in_range(magnitudes: _Floats, options: Options) -> _Floats:
    """`magnitudes` above the range halved into it, those below it zero."""
    _, exponent = np.frexp(magnitudes)
    lowered = np.ldexp(magnitudes, -np.maximum(exponent - options.high, 0))
    return np.where(lowered < 2.0**options.low, 0.0, lowered)


def _with_specials(values: _Floats, dtype: DataType, options: Options, rng: np.random.Generator) -> _Floats:
    """Half of the arrays have some of the special values that are allowed, each in one element of twenty."""
    specials = []
    if options.allow_subnormal and not dtype.is_block_float:
        smallest = 149 if dtype is float32 else 133
        count = rng.integers(0, 2 ** (smallest - 126), values.shape)
        specials.append(np.ldexp(count.astype(np.float64), -smallest) * rng.choice([-1.0, 1.0], values.shape))
    sign = rng.choice([-1.0, 1.0], values.shape)
    if options.allow_infinity:
        specials.append(sign * np.inf)
    if options.allow_nan:
        specials.append(np.full(values.shape, np.nan))
    if not specials or rng.random() < 0.5:
        return values
    for special in specials:
        values = np.where(rng.random(values.shape) < _RARE, special, values)
    return _alone(values) if dtype.is_block_float else values


def _alone(values: _Floats) -> _Floats:
    """`values` with zeros in place of the finite ones of a group that has an infinity or NaN, whose exponent leaves no room for them."""
    width = values.shape[-1]
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, -width % _GROUP)])
    groups = padded.reshape(*values.shape[:-1], -1, _GROUP) if values.size else padded
    is_special = ~np.isfinite(groups)
    kept = np.where(is_special.any(-1, keepdims=True) & ~is_special, 0.0, groups)
    return kept.reshape(padded.shape)[..., :width]
