"""Add, subtract, multiply and divide of two arrays, on the matrix engine (FPU) or the vector unit (SFPU), as the device chooses.

Operands broadcast as in NumPy. Source: spec/device_numerics.md, "FPU accumulate" (measured), spec/numerics.md section 5.4.
"""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import numerics, rounding
from tt_jax.kernels.broadcast import matched, spread, where
from tt_jax.kernels.fidelity import Fidelity, closed_form, phases
from tt_jax.kernels.packer import Float, pack, to_dst

Engine = Literal["fpu", "sfpu"]

_LIFT = np.float32(1 + 2**-13)
_SMALLEST, _LARGEST = np.uint32(11 << 23), np.uint32(214 << 23)
_TO_MAGIC = np.uint32(13 << 23 | 1 << 22)


def operand(x: Array, fp32_dest: bool) -> Array:
    """`x` as a source register holds it, in float32: TF32 when Dst is 32-bit, bfloat16 otherwise; truncated."""
    if x.dtype == jnp.bfloat16:
        return rounding.widen(x)
    return rounding.truncate_tf32(x) if fp32_dest else rounding.widen(rounding.truncate_bfloat16(x))


def _exponent(x: Array) -> Array:
    return lax.bitwise_and(rounding.bits(x), rounding.EXPONENT)


def _magic(x: Array, y: Array) -> Array:
    """What, added to a float and taken away again, leaves its multiple of 2**-10 times the power of two of the larger of x, y.

    That is `1.5 * 2**23` such steps. The step stops shrinking below 2**-126 and growing above 2**77.
    """
    larger = lax.max(*matched(_exponent(x), _exponent(y)))
    return rounding.from_bits(lax.add(lax.min(_LARGEST, lax.max(_SMALLEST, larger)), _TO_MAGIC))


def _aligned(x: Array, magic: Array, lift: Array | np.float32 = _LIFT) -> Array:
    """`x` to the steps of `magic`. The lift sends ties away from zero, and no number of up to 11 bits across one."""
    return lax.sub(lax.add(spread(lax.mul(x, lift), magic.shape), magic), magic)


def aligned_sum(x: Array, y: Array) -> Array:
    """`fpu_sum` of numbers that are not infinities of opposite sign."""
    if not numerics.is_rounded():
        return x + y
    magic = _magic(x, y)
    return lax.add(_aligned(x, magic), _aligned(y, magic))


@jax.custom_jvp
def fpu_sum(x: Array, y: Array) -> Array:
    """float32 `x + y` as the FPU adds: both aligned to 11 bits under the larger exponent, ties away, then summed exactly.

    Bit for bit where the larger magnitude lies between 2**-116 and 2**87; beyond, the alignment is finer than the device's.
    The FPU knows no infinity: exponent 255 is one more number to it, so infinities of opposite sign cancel to 0 (assumed
    from the documents, spec/numerics.md section 3.1). A fully masked row of scores therefore has the softmax of a flat one.
    """
    return where(lax.eq(*matched(x, lax.neg(y))), np.float32(0), aligned_sum(x, y))


@fpu_sum.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    return fpu_sum(*primals), tangents[0] + tangents[1]


def _multiplied(a: Array, b: Array) -> Array:
    zero = lax.bitwise_or(*matched(lax.eq(a, np.float32(0)), lax.eq(b, np.float32(0))))
    return where(zero, np.float32(0), lax.mul(*matched(a, b)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def fpu_product(a: Array, b: Array, fidelity: Fidelity, fp32_dest: bool) -> Array:
    """Dst after the phases of `a * b` (float32 register values), one product accumulated per phase.

    A 32-bit Dst holds the sum of the phases exactly. A 16-bit one rounds after each, and each later product is first
    aligned to 11 bits under the larger of its own exponent and that of Dst (ties away for Dst, upward for the product).
    Infinity times 0 is 0, as the FPU knows no infinity (documented, spec/numerics.md section 3.1).
    """
    if fp32_dest or not numerics.is_rounded():
        return closed_form(a, b, fidelity, _multiplied)
    first, *rest = phases(a, b, fidelity)
    dst = to_dst(_multiplied(*first), fp32_dest)
    for p, q in rest:
        product, held = _multiplied(p, q), rounding.widen(dst)
        magic = _magic(product, held)
        upward = where(lax.lt(product, np.float32(0)), 2 - _LIFT, _LIFT)
        dst = to_dst(lax.add(_aligned(held, magic), _aligned(product, magic, upward)), fp32_dest)
    return dst


@fpu_product.defjvp
def _(fidelity: Fidelity, fp32_dest: bool, primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (a, b), (da, db) = primals, tangents
    y = fpu_product(a, b, fidelity, fp32_dest)
    return y, (da * b + a * db).astype(y.dtype)


def _made(z: Array, x: Array, y: Array) -> Array:
    """`z`, with the NaN that arithmetic on `x` and `y` made positive, so that a 16-bit Dst holds it as +inf (ttnn's tests of div)."""
    made = lax.bitwise_and(lax.ne(z, z), lax.bitwise_and(*matched(lax.eq(x, x), lax.eq(y, y))))
    return where(made, np.float32(np.nan), z)


def total(x: Array, y: Array, engine: Engine, fp32_dest: bool) -> Array:
    """Dst after `x + y`. Engine "sfpu" adds in float32 and, for a 16-bit Dst, rounds to nearest even (assumed, as it multiplies)."""
    if engine == "sfpu":
        x, y = rounding.widen(x), rounding.widen(y)
        z = _made(x + y, x, y)
        return z if fp32_dest else rounding.nearest_even_bfloat16(z)
    return to_dst(fpu_sum(operand(x, fp32_dest), operand(y, fp32_dest)), fp32_dest)


def product(x: Array, y: Array, engine: Engine, fp32_dest: bool, fidelity: Fidelity = "HiFi4") -> Array:
    """Dst after `x * y`. Engine "sfpu" multiplies in float32 and, for a 16-bit Dst, rounds to nearest even."""
    if engine == "sfpu":
        x, y = rounding.flush_subnormals(rounding.widen(x)), rounding.flush_subnormals(rounding.widen(y))
        z = _made(x * y, x, y)
        return z if fp32_dest else rounding.nearest_even_bfloat16(z)
    return fpu_product(operand(x, fp32_dest), operand(y, fp32_dest), fidelity, fp32_dest)


def quotient(x: Array, y: Array, engine: Engine, fp32_dest: bool) -> Array:
    """Dst after `x / y`. Engine "sfpu" divides in float32 and, for a 16-bit Dst, rounds to nearest even (measured).

    Engine "fpu" is the fast form: the reciprocal, rounded to Dst, then a product at HiFi4 (read in source, not measured).
    """
    x, y = rounding.flush_subnormals(rounding.widen(x)), rounding.flush_subnormals(rounding.widen(y))
    if engine == "sfpu":
        z = _made(x / y, x, y)
        return z if fp32_dest else rounding.nearest_even_bfloat16(z)
    return product(x, rounding.widen(to_dst(1.0 / y, fp32_dest)), engine, fp32_dest)


def add(x: Array, y: Array, dtype: Float, engine: Engine = "fpu", fp32_dest: bool = False) -> Array:
    """`x + y` packed as `dtype`."""
    return pack(total(x, y, engine, fp32_dest), dtype)


def subtract(x: Array, y: Array, dtype: Float, engine: Engine = "fpu", fp32_dest: bool = False) -> Array:
    """`x - y` packed as `dtype`: `add` with the sign of `y` turned."""
    return add(x, -y, dtype, engine, fp32_dest)


def multiply(
    x: Array, y: Array, dtype: Float, engine: Engine = "sfpu", fp32_dest: bool = False, fidelity: Fidelity = "HiFi4"
) -> Array:
    """`x * y` packed as `dtype`."""
    return pack(product(x, y, engine, fp32_dest, fidelity), dtype)


def divide(x: Array, y: Array, dtype: Float, engine: Engine = "sfpu", fp32_dest: bool = False) -> Array:
    """`x / y` packed as `dtype`."""
    return pack(quotient(x, y, engine, fp32_dest), dtype)
