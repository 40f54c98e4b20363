"""Add, subtract and multiply of two arrays, on the matrix engine (FPU) or the vector unit (SFPU), as the device chooses.

Operands broadcast as in NumPy. Source: spec/device_numerics.md, "FPU accumulate" (measured), spec/numerics.md section 5.4.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.kernels import rounding
from tt_jax.kernels.fidelity import Fidelity, phases
from tt_jax.kernels.packer import Float, pack, to_dst

Engine = Literal["fpu", "sfpu"]

_FRACTION_BITS = 10  # of an aligned operand or product, below the largest exponent
_SMALLEST_GRID = np.uint32((_FRACTION_BITS + 1) << 23)


def operand(x: Array, fp32_dest: bool) -> Array:
    """`x` as a source register holds it, in float32: TF32 when Dst is 32-bit, bfloat16 otherwise; truncated."""
    if x.dtype == jnp.bfloat16:
        return rounding.widen(x)
    return rounding.truncate_tf32(x) if fp32_dest else rounding.widen(rounding.truncate_bfloat16(x))


def _exponent(x: Array) -> Array:
    return rounding.bits(x) & rounding.EXPONENT


def _grid(largest: Array) -> tuple[Array, Array]:
    """The step 2**-10 below the exponent `largest` (in place in its pattern), and its inverse.

    Below 2**-116 the step stops shrinking, or it would be subnormal; what it loses there is less than 2**-126.
    """
    largest = jnp.maximum(largest, _SMALLEST_GRID)
    return (
        rounding.from_bits(largest - np.uint32(_FRACTION_BITS << 23)),
        rounding.from_bits(np.uint32((254 + _FRACTION_BITS) << 23) - largest),
    )


@rounding.straight_through
def _half_away(scaled: Array) -> Array:
    return jnp.trunc(scaled + jnp.where(scaled < 0, -0.5, 0.5))


@rounding.straight_through
def _half_up(scaled: Array) -> Array:
    return jnp.floor(scaled + 0.5)


def fpu_sum(x: Array, y: Array) -> Array:
    """float32 `x + y` as the FPU adds: both aligned to 11 bits under the larger exponent, ties away, then summed exactly.

    The FPU knows no infinity: exponent 255 is one more number to it, so infinities of opposite sign cancel to 0 (assumed
    from the documents, spec/numerics.md section 3.1). A fully masked row of scores therefore has the softmax of a flat one.
    """
    step, inverse = _grid(jnp.maximum(_exponent(x), _exponent(y)))
    total = (_half_away(x * inverse) + _half_away(y * inverse)) * step
    return jnp.where(jnp.isinf(x) & (x == -y), 0.0, total)


def fpu_product(a: Array, b: Array, fidelity: Fidelity, fp32_dest: bool) -> Array:
    """Dst after the phases of `a * b` (float32 register values), one product accumulated per phase.

    A 32-bit Dst holds the sum of the phases exactly. A 16-bit one rounds after each, and each later product is first
    aligned to 11 bits under the larger of its own exponent and that of Dst.
    """
    first, *rest = phases(a, b, fidelity)
    dst = first[0] * first[1]
    if fp32_dest:
        return dst + sum(p * q for p, q in rest) if rest else dst
    dst = to_dst(dst, fp32_dest)
    for p, q in rest:
        product, held = p * q, rounding.widen(dst)
        step, inverse = _grid(jnp.maximum(_exponent(product), _exponent(held)))
        dst = to_dst((_half_away(held * inverse) + _half_up(product * inverse)) * step, fp32_dest)
    return dst


def add(x: Array, y: Array, dtype: Float, engine: Engine = "fpu", fp32_dest: bool = False) -> Array:
    """`x + y` packed as `dtype`. Engine "sfpu" adds in float32."""
    if engine == "sfpu":
        return pack(to_dst(rounding.widen(x) + rounding.widen(y), fp32_dest), dtype)
    return pack(to_dst(fpu_sum(operand(x, fp32_dest), operand(y, fp32_dest)), fp32_dest), dtype)


def subtract(x: Array, y: Array, dtype: Float, engine: Engine = "fpu", fp32_dest: bool = False) -> Array:
    """`x - y` packed as `dtype`: `add` with the sign of `y` turned."""
    return add(x, -y, dtype, engine, fp32_dest)


def multiply(
    x: Array, y: Array, dtype: Float, engine: Engine = "sfpu", fp32_dest: bool = False, fidelity: Fidelity = "HiFi4"
) -> Array:
    """`x * y` packed as `dtype`. Engine "sfpu" multiplies in float32 and, for a 16-bit Dst, rounds to nearest even."""
    if engine == "sfpu":
        product = rounding.flush_subnormals(rounding.widen(x)) * rounding.flush_subnormals(rounding.widen(y))
        return pack(product if fp32_dest else rounding.nearest_even_bfloat16(product), dtype)
    return pack(fpu_product(operand(x, fp32_dest), operand(y, fp32_dest), fidelity, fp32_dest), dtype)
