"""The matrix unit in int64, straight from spec/device_numerics.md, "FPU accumulate".

A number is an integer and the exponent of its unit's power of two: Dst has 24 bits, so its unit is 2**(exponent - 23).
"""

import numpy as np

_NOTHING = -10_000
# Of each phase: the parts of in0 (register B) and in1 (register A), high 0 or low 1.
_PHASES = {"LoFi": 1, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}
_PARTS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def _fields(x, high, low):
    """Sign, exponent and two parts, `high` and then `low` bits of the significand, of float32 `x`."""
    bits = x.view(np.uint32).astype(np.int64)
    exponent = bits >> 23 & 255
    significand = np.where(exponent == 0, 0, bits & 0x7F_FFFF | 0x80_0000)
    parts = significand >> (24 - high), (significand >> (24 - high - low)) & (2**low - 1)
    return np.where(bits >> 31, -1, 1), exponent, parts


def _half(distance):
    return (np.int64(1) << distance) >> 1


def _away(x, distance):
    """`x / 2**distance`, halves away from zero."""
    distance = np.minimum(distance, 62)
    return np.sign(x) * ((abs(x) + _half(distance)) >> distance)


def _up(x, distance):
    """`x / 2**distance`, halves upward."""
    distance = np.minimum(distance, 62)
    return (x + _half(distance)) >> distance


def _length(x):
    """Bits of integers from 0 on."""
    return np.frexp(x.astype(np.float64))[1]


def _in_dst(total, exponent, width):
    """`total` in units of 2**(exponent - 23), to `width` bits, halves away: (integer of 24 bits, exponent)."""
    magnitude = abs(total)
    length = _length(magnitude)
    dropped = np.maximum(length - width, 0)
    magnitude = _away(magnitude, dropped)
    grown = magnitude >> width
    magnitude, dropped = magnitude >> grown, dropped + grown
    length = _length(magnitude)
    exponent = exponent + dropped + length - 24
    magnitude = magnitude << (24 - length)
    vanishes = (exponent < -126) | (total == 0)
    overflows = (exponent > 127) & ~vanishes
    magnitude = np.where(overflows, 2**23, np.where(vanishes, 0, magnitude))
    return np.sign(total) * magnitude, np.where(overflows, 128, np.where(vanishes, _NOTHING, exponent))


def matmul(in0, in1, fidelity, fp32_dest):
    """float32 Dst of `in0 @ in1` `[m, k] x [k, n]`, `k` whole tiles of 32; operands as registers hold them."""
    sign_b, exponent_b, parts_b = _fields(in0, 7, 4)
    sign_a, exponent_a, parts_a = _fields(in1, 5, 5)
    dst = np.zeros((len(in0), in1.shape[1]), np.int64)
    held = np.full(dst.shape, _NOTHING)
    for tile in range(0, in0.shape[1], 32):
        for part_b, part_a in _PARTS[: _PHASES[fidelity]]:
            b, a = sign_b * parts_b[part_b] * (8 if part_b else 1), sign_a * parts_a[part_a]
            for half in (0, 16):
                sums, tops = [], []
                for start in (tile + half, tile + half + 8):
                    k = slice(start, start + 8)
                    product = b[:, k, None] * a[None, k]
                    there = (exponent_b[:, k, None] > 0) & (exponent_a[None, k] > 0)
                    exponent = exponent_b[:, k, None] + exponent_a[None, k] - 254 - 7 * part_b - 5 * part_a
                    exponent = np.where(there, exponent, _NOTHING)
                    top = exponent.max(1)
                    sums.append(_away(product, top[:, None] - exponent).sum(1) << 13)
                    tops.append(top)
                top = np.maximum(np.maximum(*tops), held)
                terms = [_up(s, top - t) for s, t in zip(sums, tops, strict=True)]
                old = _away(dst, top - held)
                if not fp32_dest:
                    terms, old = [_up(s, 13) << 13 for s in terms], _away(old, 13) << 13
                dst, held = _in_dst(sum(terms, old), top, 24 if fp32_dest else 8)
    return _values(dst, held)


def _values(dst, exponent):
    """float32 of integers of 24 bits and their exponents, 128 for infinity."""
    infinite = exponent == 128
    finite = np.ldexp(dst.astype(np.float64), np.where(infinite | (dst == 0), 0, exponent - 23))
    return np.where(infinite, np.copysign(np.inf, dst), finite).astype(np.float32)


def add(x, y, fp32_dest):
    """float32 Dst of `x + y`, element by element: 11-bit significands, the smaller one shifted to the larger's exponent."""
    fields = [_fields(operand, 11, 0) for operand in (x, y)]
    exponents = [np.where(exponent > 0, exponent - 127, _NOTHING) for _, exponent, _ in fields]
    top = np.maximum(*exponents)
    total = sum(
        np.where(top - exponent >= 12, 0, _away(sign * parts[0], top - exponent))
        for (sign, _, parts), exponent in zip(fields, exponents, strict=True)
    )
    return _values(*_in_dst(total << 13, top, 24 if fp32_dest else 8))


def multiply(in_a, in_b, fidelity, fp32_dest):
    """float32 Dst of `in_a * in_b`, element by element: each phase's product joins Dst as the sum of a group does."""
    (sign_a, exponent_a, parts_a), (sign_b, exponent_b, parts_b) = _fields(in_a, 5, 5), _fields(in_b, 7, 4)
    there = (exponent_a > 0) & (exponent_b > 0)
    dst, held = np.zeros(in_a.shape, np.int64), np.full(in_a.shape, _NOTHING)
    for part_b, part_a in _PARTS[: _PHASES[fidelity]]:
        product = sign_a * parts_a[part_a] * sign_b * parts_b[part_b] * (8 if part_b else 1)
        exponent = np.where(there, exponent_a + exponent_b - 254 - 7 * part_b - 5 * part_a, _NOTHING)
        top = np.maximum(exponent, held)
        term, old = _up(product << 13, top - exponent), _away(dst, top - held)
        if not fp32_dest:
            term, old = _up(term, 13) << 13, _away(old, 13) << 13
        dst, held = _in_dst(np.where(there, term, 0) + old, top, 24 if fp32_dest else 8)
    return _values(dst, held)
