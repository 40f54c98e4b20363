"""bfloat8_b and bfloat4_b in plain integers, to check packers against: the rules one after another, nothing optimized.

A *group* is 16 neighbours along the last axis, which share a biased exponent; a *code* is a datum's sign and magnitude side by side, the
magnitude in the low 7 (bfloat8_b) or 3 bits (bfloat4_b). Everything is NumPy, codes and exponents are int64. It shares no code with
`tt_jax.kernels`.

Source: spec/numerics.md sections 1.2 to 1.5 and spec/device_numerics.md (measured). All functions raise ArgumentError for another
format, another rule, rank 0, and arrays that are neither float32 nor bfloat16.
"""

import itertools
import math
from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt

from tt_jax.errors import ArgumentError

Rule = Literal["host", "device", "precise"]
Format = Literal["bfloat8_b", "bfloat4_b"]

_Integers = npt.NDArray[np.int64]
_Floats = npt.NDArray[Any]
"""float32 or bfloat16."""

MAGNITUDE_BITS: dict[str, int] = {"bfloat8_b": 7, "bfloat4_b": 3}
GROUP = 16
_EXPONENTS = 64
"""Groups of a tile: its first bytes are their exponents."""


def _magnitude_bits(format: str) -> int:
    if format not in MAGNITUDE_BITS:
        raise ArgumentError(f"`format` must be bfloat8_b or bfloat4_b, got {format!r}")
    return MAGNITUDE_BITS[format]


def _checked(x: Any) -> _Floats:
    array = np.asarray(x)
    if array.dtype not in (np.float32, ml_dtypes.bfloat16):
        raise ArgumentError(f"`x` must be float32 or bfloat16, got {array.dtype}: convert it with astype")
    if array.ndim == 0:
        raise ArgumentError("`x` is a scalar: a block float needs at least one axis to share exponents along")
    return array


def _fields(x: _Floats) -> tuple[_Integers, _Integers, _Integers]:
    """Sign, biased exponent and 23-bit mantissa."""
    if x.dtype == ml_dtypes.bfloat16:
        bits = x.view(np.uint16).astype(np.int64) << 16
    else:
        bits = x.view(np.uint32).astype(np.int64)
    return bits >> 31, bits >> 23 & 0xFF, bits & 0x7F_FFFF


def _groups(x: _Floats) -> _Floats:
    """`[..., w]` as `[..., ceil(w / 16), 16]`, the last group filled with zeros."""
    fill = -x.shape[-1] % GROUP
    padded = np.concatenate([x, np.zeros((*x.shape[:-1], fill), x.dtype)], -1)
    return padded.reshape(*x.shape[:-1], padded.shape[-1] // GROUP, GROUP)


def host_codes(groups: Any, format: Format) -> tuple[_Integers, _Integers]:
    """Groups `[..., 16]` -> (codes `[..., 16]`, exponent `[..., 1]`) by the host's packer (`from_torch`).

    The exponent is that of the largest magnitude. Significands are shifted to it, what falls out below is lost, and the rest is rounded
    to nearest, ties to even. What would carry out of the top saturates. Zeros and subnormals become +0, and there is no -0.
    """
    width = _magnitude_bits(format)
    sign, exponent, mantissa = _fields(_checked(groups))
    shared = exponent.max(-1, keepdims=True)
    aligned = (2**23 + mantissa) >> np.minimum(shared - exponent, 63)
    unit = 2 ** (24 - width)
    quotient, rest = np.divmod(aligned, unit)
    is_up = (rest > unit // 2) | ((rest == unit // 2) & (quotient % 2 == 1))
    magnitude = np.minimum(quotient + is_up, 2**width - 1)
    magnitude = np.where(exponent == 0, 0, magnitude)
    return np.where(magnitude == 0, 0, magnitude + sign * 2**width), shared


def device_codes(groups: Any, format: Format, precise: bool = False) -> tuple[_Integers, _Integers]:
    """Groups `[..., 16]` -> (codes `[..., 16]`, exponent `[..., 1]`) by the device's packer.

    Numbers are rounded to 6 explicit mantissa bits, which may raise the exponent, then shifted to the group's largest exponent and
    rounded again; ties go away from zero both times. NaN is infinity. bfloat4_b is bfloat8_b with its low 4 bits cut.

    `precise` (the device's typecast to bfloat8_b; of no effect on bfloat4_b) leaves the first rounding out: float32 is then cut to
    bfloat16.
    """
    width = _magnitude_bits(format)
    sign, exponent, mantissa = _fields(_checked(groups))
    is_nan = (exponent == 255) & (mantissa != 0)
    number = exponent * 2**23 + mantissa
    number = number // 2**16 * 2**16 if precise and format == "bfloat8_b" else (number + 2**16) // 2**17 * 2**17
    number = np.where(is_nan, 255 * 2**23, np.where(exponent == 0, 0, number))
    exponent, mantissa = np.divmod(number, 2**23)
    shared = exponent.max(-1, keepdims=True)
    shift = np.minimum(shared - exponent, 40)
    magnitude = np.minimum((2**23 + mantissa + (1 << (16 + shift))) >> (17 + shift), 127)
    magnitude = np.where(exponent == 0, 0, magnitude) >> (7 - width)
    return np.where(magnitude == 0, 0, magnitude + sign * 2**width), shared


def codes(groups: Any, format: Format, rule: Rule) -> tuple[_Integers, _Integers]:
    """`host_codes` or `device_codes`, as `rule` says: "host", "device", or "precise" for the device's typecast."""
    if rule not in ("host", "device", "precise"):
        raise ArgumentError(f"`rule` must be host, device or precise, got {rule!r}")
    return host_codes(groups, format) if rule == "host" else device_codes(groups, format, rule == "precise")


def decode(codes: _Integers, exponent: _Integers, format: Format) -> npt.NDArray[np.float32]:
    """Codes `[..., 16]` under their group's exponent `[..., 1]` -> float32: magnitude * 2**(exponent - 127 - (bits - 1)).

    A magnitude of zero is +0 whatever its sign. Under exponent 255 a leading one in the top place is an infinity or a NaN.
    """
    width = _magnitude_bits(format)
    sign, magnitude = np.divmod(np.asarray(codes, np.int64), 2**width)
    value = magnitude.astype(np.float64) * np.exp2(exponent - 127.0 - (width - 1))
    with np.errstate(over="ignore"):
        finite = np.where(sign == 1, -value, value).astype(np.float32).view(np.uint32)
    top = 2 ** (width - 1)
    special = sign * 2**31 + 255 * 2**23 + (magnitude - top) * 2**23 // top
    bits = np.where((exponent == 255) & (magnitude >= top), special, finite)
    return np.where(magnitude == 0, 0, bits).astype(np.uint32).view(np.float32)


def quantize(x: Any, format: Format, rule: Rule = "host") -> _Floats:
    """`x` `[..., w]` there and back: the values that `format` holds, in the shape and dtype of `x`. bfloat16 holds them exactly."""
    x = _checked(x)
    y = decode(*codes(_groups(x), format, rule), format)
    y = y.reshape(*x.shape[:-1], y.shape[-2] * GROUP)[..., : x.shape[-1]]
    if x.dtype == np.float32:
        return y
    with np.errstate(invalid="ignore"):  # a signalling NaN
        narrow = y.astype(ml_dtypes.bfloat16)
    return np.where(np.isnan(y), np.uint16(0x7FC0), narrow.view(np.uint16)).view(ml_dtypes.bfloat16)


def tile_bytes(format: Format) -> int:
    """Bytes of a 32x32 tile: 1088 of bfloat8_b, 576 of bfloat4_b."""
    return _EXPONENTS + 32 * 32 * (_magnitude_bits(format) + 1) // 8


def _matrices(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """`shape` as a batch of matrices: (batch, height, width)."""
    *batch, height, width = (1,) * (2 - len(shape)) + tuple(shape)
    return math.prod(batch), height, width


def _tiles(shape: tuple[int, ...]) -> tuple[tuple[int, int, int], list[tuple[int, int, int]]]:
    """The shape of the matrices in whole tiles, and the place of each tile: (matrix, top row, left column)."""
    batch, height, width = _matrices(shape)
    padded = (batch, height + -height % 32, width + -width % 32)
    return padded, list(itertools.product(range(batch), range(0, padded[1], 32), range(0, padded[2], 32)))


def group_places() -> list[tuple[int, int]]:
    """(row, first column) of each group of a tile in the order of their exponents: faces one after another, rows within them."""
    return [(16 * (face // 2) + row, 16 * (face % 2)) for face in range(4) for row in range(16)]


def pack(x: Any, format: Format, rule: Rule = "host") -> npt.NDArray[np.uint8]:
    """`x` of any rank from 1, padded with zeros to whole tiles -> uint8 `[tiles, tile_bytes(format)]`.

    A tile is 64 exponents, then the codes of its groups in the same order: a byte each, or half a byte, the even one in the low half.
    """
    x = _checked(x)
    padded, places = _tiles(x.shape)
    batch, height, width = _matrices(x.shape)
    full = np.zeros(padded, x.dtype)
    full[:, :height, :width] = x.reshape(batch, height, width)
    packed = np.zeros((len(places), tile_bytes(format)), np.uint8)
    for i, (matrix, top, left) in enumerate(places):
        groups = np.stack([full[matrix, top + r, left + c : left + c + GROUP] for r, c in group_places()])
        data, exponents = codes(groups, format, rule)
        data = data.reshape(-1)
        if format == "bfloat4_b":
            data = data[0::2] + 16 * data[1::2]
        packed[i] = np.concatenate([exponents.reshape(-1), data])
    return packed


def unpack(packed: Any, shape: tuple[int, ...], format: Format) -> npt.NDArray[np.float32]:
    """The float32 values of `shape` in uint8 tiles `[tiles, tile_bytes(format)]`.

    Raises ArgumentError if they are not as many, or not of that size.
    """
    padded, places = _tiles(shape)
    tiles = np.asarray(packed).astype(np.int64)
    if tiles.shape != (len(places), tile_bytes(format)):
        raise ArgumentError(
            f"{format} values of shape {shape} take tiles [{len(places)}, {tile_bytes(format)}], got {list(tiles.shape)}"
        )
    full = np.zeros(padded, np.float32)
    for (matrix, top, left), tile in zip(places, tiles, strict=True):
        data = tile[_EXPONENTS:]
        if format == "bfloat4_b":
            data = np.stack([data % 16, data // 16], -1)
        groups = decode(data.reshape(_EXPONENTS, GROUP), tile[:_EXPONENTS, None], format)
        for (r, c), group in zip(group_places(), groups, strict=True):
            full[matrix, top + r, left + c : left + c + GROUP] = group
    _, height, width = _matrices(shape)
    return full[:, :height, :width].reshape(shape)
