"""Math fidelity: which bits of the operands the matrix engine multiplies.

Its multipliers take 5 significant bits from register A and 7 from register B, so a product is made in up to four phases:

    phase 0: A_hi * B_hi    1: A_lo * B_hi    2: A_hi * B_lo    3: A_lo * B_lo

LoFi runs phase 0, HiFi2 0-1, HiFi3 0-2, HiFi4 all. In a matmul in0 is B and in1 is A; element-wise, in0 is A.
Source: spec/numerics.md sections 3.2 to 3.4 (measured).
"""

from collections.abc import Callable
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import rounding
from tt_jax.kernels.broadcast import where

Fidelity = Literal["LoFi", "HiFi2", "HiFi3", "HiFi4"]

PHASES: dict[str, int] = {"LoFi": 1, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}

# Masks of a float32 pattern: what a register contributes in its first phase, and in all phases together.
A_HIGH, A_USED = np.uint32(0xFFF8_0000), np.uint32(0xFFFF_C000)
B_HIGH, B_USED = np.uint32(0xFFFE_0000), np.uint32(0xFFFF_E000)
_BFLOAT16_BITS = np.uint32(0xFFFF_0000)


@rounding.straight_through
def _masked(x: Array, mask: np.uint32) -> Array:
    if x.dtype == jnp.bfloat16:
        half = lax.bitwise_and(lax.bitcast_convert_type(x, jnp.uint16), np.uint16(mask >> 16))
        return lax.bitcast_convert_type(half, jnp.bfloat16)
    return rounding.from_bits(lax.bitwise_and(rounding.bits(x), mask))


def mask(x: Array, mask: np.uint32) -> Array:
    """`x` (bfloat16 or float32) with the bits outside `mask` cleared: truncated toward zero. Its derivative is the identity."""
    if x.dtype == jnp.bfloat16 and mask & _BFLOAT16_BITS == _BFLOAT16_BITS:
        return x
    return _masked(x, mask)


def split(x: Array, high: np.uint32, used: np.uint32) -> tuple[Array, Array]:
    """`x` as (high, low) parts whose sum is `x` masked with `used`; the subtraction is exact. An infinity has no low part."""
    top, whole = mask(x, high), mask(x, used)
    return top, _rest(whole, top)


def _rest(whole: Array, top: Array) -> Array:
    if whole.dtype != top.dtype:  # where nothing rounds, a mask widens what it would cut
        whole, top = rounding.widen(whole), rounding.widen(top)
    return where(lax.eq(whole, top), whole.dtype.type(0), lax.sub(whole, top))


def closed_form(a: Array, b: Array, fidelity: Fidelity, product: Callable[[Array, Array], Array]) -> Array:
    """The sum of the phases of a bilinear `product` of registers `a` and `b`, as one or two products.

    LoFi = A_hi * B_hi      HiFi2 = A * B_hi      HiFi3 = A * B - A_lo * B_lo      HiFi4 = A * B
    """
    count = PHASES[fidelity]
    whole_a, whole_b = mask(a, A_HIGH if count == 1 else A_USED), mask(b, B_HIGH if count <= 2 else B_USED)
    y = product(whole_a, whole_b)
    if count != 3:
        return y
    return lax.sub(y, product(_rest(whole_a, mask(a, A_HIGH)), _rest(whole_b, mask(b, B_HIGH))))


def phases(a: Array, b: Array, fidelity: Fidelity) -> list[tuple[Array, Array]]:
    """The factors of each phase, in order, of registers `a` and `b`."""
    a_high, a_low = split(a, A_HIGH, A_USED)
    b_high, b_low = split(b, B_HIGH, B_USED)
    return [(a_high, b_high), (a_low, b_high), (a_high, b_low), (a_low, b_low)][: PHASES[fidelity]]
