"""Block floats in plain integers, straight from spec/numerics.md sections 1.2 to 1.5 and 2.

A group is the last axis of an int64 array `[..., 16]`; a code is sign and magnitude side by side.
"""

import ml_dtypes
import numpy as np

from oracles import rounding

WIDTH = {"bfloat8_b": 7, "bfloat4_b": 3}


def fields(x):
    """Sign, biased exponent and mantissa of a bfloat16 or float32 array, int64 each."""
    bits = x.view(np.uint16).astype(np.int64) << 16 if x.dtype == ml_dtypes.bfloat16 else x.view(np.uint32).astype(np.int64)
    return bits >> 31, bits >> 23 & 0xFF, bits & 0x7F_FFFF


def host_codes(x, format):
    """`x` [..., 16] -> (codes, exponent [..., 1]): one rounding to even, of what the alignment shift has left."""
    sign, exponent, mantissa = fields(x)
    shared = exponent.max(-1, keepdims=True)
    aligned = (2**23 + mantissa) >> np.minimum(shared - exponent, 63)
    unit = 2 ** (24 - WIDTH[format])
    quotient, rest = np.divmod(aligned, unit)
    quotient = quotient + ((rest > unit // 2) | ((rest == unit // 2) & (quotient % 2 == 1)))
    magnitude = np.minimum(quotient, 2 ** WIDTH[format] - 1)
    magnitude = np.where(exponent == 0, 0, magnitude)
    return np.where(magnitude == 0, 0, magnitude + sign * 2 ** WIDTH[format]), shared


def device_codes(x, format, precise):
    """`x` [..., 16] -> (codes, exponent [..., 1]): 6 explicit mantissa bits, ties away; then aligned, ties away again.

    `precise` leaves out the first of the two, for bfloat8_b alone; float32 is then truncated to bfloat16.
    """
    sign, exponent, mantissa = fields(x)
    nan = (exponent == 255) & (mantissa != 0)
    denormal = exponent == 0
    if precise and format == "bfloat8_b":
        number = (exponent * 2**23 + mantissa) // 2**16 * 2**16
    else:
        number = (exponent * 2**23 + mantissa + 2**16) // 2**17 * 2**17
    number = np.where(nan, 255 * 2**23, np.where(denormal, 0, number))
    exponent, mantissa = np.divmod(number, 2**23)
    shared = exponent.max(-1, keepdims=True)
    shift = np.minimum(shared - exponent, 40)
    magnitude = np.minimum((2**23 + mantissa + (1 << (16 + shift))) >> (17 + shift), 127)
    magnitude = np.where(exponent == 0, 0, magnitude) >> (7 - WIDTH[format])
    return np.where(magnitude == 0, 0, magnitude + sign * 2 ** WIDTH[format]), shared


def decode(codes, shared, format):
    """Codes and their exponent -> float32. Under exponent 255 a leading one in the top place is an infinity or a NaN."""
    width = WIDTH[format]
    sign, magnitude = np.divmod(codes, 2**width)
    value = magnitude.astype(np.float64) * np.exp2(shared - 127.0 - (width - 1))
    with np.errstate(over="ignore"):
        finite = np.where(sign == 1, -value, value).astype(np.float32).view(np.uint32)
    top = 2 ** (width - 1)
    special = sign * 2**31 + 255 * 2**23 + (magnitude - top) * 2**23 // top
    bits = np.where((shared == 255) & (magnitude >= top), special, finite)
    return np.where(magnitude == 0, 0, bits).astype(np.uint32).view(np.float32)


def codes_by(rule, x, format):
    return host_codes(x, format) if rule == "host" else device_codes(x, format, rule == "precise")


def quantize(x, format, rule="host"):
    """`x` [..., w] there and back, as float32; the last group is filled with zeros."""
    fill = -x.shape[-1] % 16
    groups = np.concatenate([x, np.zeros((*x.shape[:-1], fill), x.dtype)], -1).reshape(*x.shape[:-1], -1, 16)
    y = decode(*codes_by(rule, groups, format), format)
    return y.reshape(*x.shape[:-1], -1)[..., : x.shape[-1]]


def quantize_in_dtype(x, format, rule="host"):
    """`quantize`, and back to the dtype of `x`."""
    y = quantize(x, format, rule)
    return y if x.dtype == np.float32 else rounding.host_bfloat16(y)


def _matrices(shape):
    """(batch, height, width, tile rows, tile columns) of an array of `shape`."""
    height, width = ((1, 1) + tuple(shape))[-2:]
    return int(np.prod(shape[:-2])), height, width, -(-height // 32), -(-width // 32)


def face_rows():
    """(row, first column) of each group of a tile, in the order of their exponents."""
    return [(16 * (face // 2) + row, 16 * (face % 2)) for face in range(4) for row in range(16)]


def pack(x, format):
    """uint8 [tiles, bytes]: 64 exponents, then the codes of four faces; bfloat4_b has the even one in the low nibble."""
    batch, height, width, rows, columns = _matrices(x.shape)
    full = np.zeros((batch, rows * 32, columns * 32), x.dtype)
    full[:, :height, :width] = x.reshape(batch, height, width)
    tiles = []
    for matrix in full:
        for top in range(0, rows * 32, 32):
            for left in range(0, columns * 32, 32):
                groups = np.stack([matrix[top + r, left + c :][:16] for r, c in face_rows()])
                codes, shared = host_codes(groups, format)
                data = codes.reshape(-1)
                if format == "bfloat4_b":
                    data = data[0::2] + 16 * data[1::2]
                tiles.append(np.concatenate([shared.reshape(-1), data]))
    return np.array(tiles).astype(np.uint8)


def unpack(packed, shape, format):
    """float32 of `shape` in the tiles `packed`."""
    batch, height, width, rows, columns = _matrices(shape)
    full = np.zeros((batch, rows * 32, columns * 32), np.float32)
    tiles = iter(packed.astype(np.int64))
    for matrix in full:
        for top in range(0, rows * 32, 32):
            for left in range(0, columns * 32, 32):
                tile = next(tiles)
                shared, data = tile[:64, None], tile[64:]
                if format == "bfloat4_b":
                    data = np.stack([data % 16, data // 16], -1)
                for (r, c), group in zip(face_rows(), decode(data.reshape(64, 16), shared, format), strict=True):
                    matrix[top + r, left + c : left + c + 16] = group
    return full[:, :height, :width].reshape(shape)
