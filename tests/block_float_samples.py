"""float32 and bfloat16 arrays that try a block float: scales, ties, subnormals, special values. Each from a seed."""

import numpy as np

from patterns import SPECIAL, bfloat16, float32

SHAPE = (8, 40, 72)


def from_fields(rng, low, high, shape=SHAPE):
    """Patterns with exponent fields in [low, high), any sign and mantissa."""
    sign, mantissa = rng.integers(0, 2, shape) << 31, rng.integers(0, 2**23, shape)
    return (sign | rng.integers(low, high, shape) << 23 | mantissa).astype(np.uint32)


def _wide(rng):
    """Each row at a scale of its own; within it, up to 12 binary places between neighbours."""
    return from_fields(rng, 100, 113) + (rng.integers(-99, 140, (*SHAPE[:-1], 1)) << 23).astype(np.uint32)


def _ties(rng):
    """Groups led by 1.0, the others half-way between two codes, a little beside, or beyond what the shift keeps."""
    steps = 2.0 ** rng.choice([-2, -3, -6, -7], SHAPE)
    beside = rng.choice([0.0, 0.0, 2.0**-9, -(2.0**-9), 2.0**-22, -(2.0**-22)], SHAPE)
    values = (rng.integers(0, 64, SHAPE) + 0.5) * steps
    values = np.where(values < 2, values, values * 2.0**-6) * (1 + beside) * rng.choice([-1, 1], SHAPE)
    values[..., ::16] = 1.0
    return values.astype(np.float32).view(np.uint32)


def _specials(rng):
    rare = rng.random(SHAPE) < 0.03
    return np.where(rare, rng.choice(SPECIAL, SHAPE), from_fields(rng, 120, 130))


KINDS = {
    "any bits": lambda rng: rng.integers(0, 2**32, SHAPE, dtype=np.uint32),
    "normal": lambda rng: rng.standard_normal(SHAPE, np.float32).view(np.uint32),
    "wide": _wide,
    "ties": _ties,
    "tiny": lambda rng: from_fields(rng, 0, 10),
    "subnormal": lambda rng: from_fields(rng, 0, 1),
    "huge": lambda rng: from_fields(rng, 245, 255),
    "specials": _specials,
}


def sample(kind, dtype=np.float32, seed=20):
    bits = KINDS[kind](np.random.default_rng(seed))
    return float32(bits) if dtype == np.float32 else bfloat16(bits >> 16)
