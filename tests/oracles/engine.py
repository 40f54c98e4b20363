"""The matrix engine's arithmetic in float64 and in Python integers, one number or one array at a time."""

import math

import numpy as np


def keep(x, digits):
    """`x` (float64) cut to `digits` significant bits, toward zero."""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.trunc(np.ldexp(fraction, digits)), exponent - digits)


def matmul(in0, in1, fidelity):
    """`in0 @ in1` of what the phases of `fidelity` multiply, exactly but for float64's own rounding."""
    b, b_high = keep(in0, 11), keep(in0, 7)
    a, a_high = keep(in1, 10), keep(in1, 5)
    phases = [(b_high, a_high), (b_high, a - a_high), (b - b_high, a_high), (b - b_high, a - a_high)]
    return sum(p @ q for p, q in phases[: {"LoFi": 1, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}[fidelity]])


def _integer(x):
    """`x` as (mantissa of 11 bits, exponent): x == mantissa * 2**(exponent - 10)."""
    if x == 0:
        return 0, -10_000
    fraction, exponent = math.frexp(x)
    return int(fraction * 2048), exponent - 1


def _shift_half_away(mantissa, distance):
    if distance >= 12:
        return 0
    magnitude = (abs(mantissa) + (1 << distance >> 1)) >> distance
    return magnitude if mantissa > 0 else -magnitude


def fpu_sum(x, y):
    """The sum of two floats of up to 11 significant bits, aligned as the adder aligns them."""
    (mx, ex), (my, ey) = _integer(x), _integer(y)
    top = max(ex, ey)
    total = _shift_half_away(mx, top - ex) + _shift_half_away(my, top - ey)
    return math.ldexp(total, top - 10) if total else 0.0


def softmax(x):
    """Softmax over the last axis, float64."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(hidden, mask, qkv_weight, qkv_bias, output_weight, output_bias, heads):
    """Multi-head attention of `[b, s, e]` in float64; `mask` `[b, 1, 1, s]` is added to the scaled scores."""
    hidden, mask, qkv_weight, qkv_bias, output_weight, output_bias = (
        np.asarray(x, np.float64) for x in (hidden, mask, qkv_weight, qkv_bias, output_weight, output_bias)
    )
    b, s, e = hidden.shape
    d = e // heads
    q, k, v = (
        part.reshape(b, s, heads, d).transpose(0, 2, 1, 3) for part in np.split(hidden @ qkv_weight + qkv_bias, 3, axis=-1)
    )
    probabilities = softmax(q @ k.transpose(0, 1, 3, 2) / math.sqrt(d) + mask)
    return (probabilities @ v).transpose(0, 2, 1, 3).reshape(b, s, e) @ output_weight + output_bias


def pcc(x, y):
    """Pearson's correlation of two arrays."""
    return np.corrcoef(np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel())[0, 1]


def relative_error(y, reference):
    """Frobenius norm of the difference over that of the reference."""
    y, reference = np.asarray(y, np.float64), np.asarray(reference, np.float64)
    return np.linalg.norm(y - reference) / np.linalg.norm(reference)


def scale(y, reference):
    """The factor by which `y` is, on least squares, a multiple of `reference`: what PCC cannot see."""
    y, reference = np.asarray(y, np.float64), np.asarray(reference, np.float64)
    return (y * reference).sum() / (reference**2).sum()
