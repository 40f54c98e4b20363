"""The matrix unit, bit for bit: groups of eight products, summed with 12 bits, into a Dst of 16 or 32 bits.

A step takes 16 of the inner dimension, as two groups of 8. In a group every product, an integer of up to 12 bits, is shifted to the
largest exponent among the group's pairs, half away from zero, and the integers are added. The two sums and Dst are then
shifted to the largest of their three exponents (24 bits each; ties away from zero in Dst, upward in the sums), of which a 16-bit
Dst rounds the low 13 bits away again, and added; the total is rounded, half away, to the 24 or 8 bits that Dst holds. Per tile
of 32 the phases of the fidelity follow each other, each over both halves; all into the same Dst.

There is no infinity and no NaN here: exponent 255 is one more exponent. Zeros and subnormals multiply to 0, what overflows is
stored as infinity, what is too small as +0. Source: spec/device_numerics.md, "FPU accumulate" (measured: every recorded
matmul, 100%). Not modelled: with a 32-bit Dst, a total of exactly -1 unit, which Wormhole renormalises wrongly (no recording
has one).
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import packer, rounding
from tt_jax.kernels.broadcast import matched, where
from tt_jax.kernels.fidelity import A_HIGH, A_USED, B_HIGH, B_USED, PHASES, Fidelity

TILE, HALF, GROUP = 32, 16, 8

# How far below the high parts the low ones are kept, in powers of two: so that both are integers of the multiplier's width.
_LOW_A, _LOW_B = 5, 7
# Of a product, 4 + 6 bits lie below the point.
_PRODUCT_BITS = 10
# Dst and the aligned sums have 23 bits below the point; a 16-bit Dst drops 13 of them.
_DST_BITS, _DROPPED = np.int32(23), np.int32(13)
# The exponent of what is zero: far below all others.
_ABSENT = np.int32(-4096)
_BIAS = 127
# From so many products on, the steps of a tile are compiled one by one: half the time to run, three times that to compile (measured).
_MANY = 2**24
_ONE, _MANTISSA = np.uint32(_BIAS << 23), np.uint32(0x007F_FFFF)


class Partials(NamedTuple):
    """How a sum over several blocks of the inner dimension waits in L1 between them. Source: spec/numerics.md section 3.5.

    Attributes:
        inner: tiles of a block; None for all of them, so that nothing waits but for a bias.
        dtype: in which the packer stores the sum so far.
        packer_l1_acc: the packer adds block by block in L1, to nearest even (measured), instead of each block taking up the last sum.
        biased: a bias is added afterwards, so the last block goes to L1 too; else it takes the sum up and goes to the output.
    """

    inner: int | None
    dtype: packer.Float
    packer_l1_acc: bool
    biased: bool


class Register(NamedTuple):
    """Operands `[k, ...]` as a register gives them to the multipliers.

    Attributes:
        parts: the high and the low significand, float32 `[2, k, ...]` with sign; the low one as if it had the high one's exponent.
        exponent: int32 `[k, ...]`, biased.
    """

    parts: Array
    exponent: Array

    def at(self, start: Array | int, size: int) -> "Register":
        """`size` of `k`."""
        return Register(*(lax.dynamic_slice_in_dim(x, start, size, axis) for x, axis in ((self.parts, 1), (self.exponent, 0))))


def _register(x: Array, high: np.uint32, used: np.uint32, low: int) -> Register:
    pattern = rounding.bits(x)
    exponent = _exponent_of(pattern)
    significand = lax.bitwise_or(lax.bitwise_and(pattern, rounding.SIGN | _MANTISSA), _ONE)
    top = rounding.from_bits(lax.bitwise_and(significand, high))
    rest = lax.mul(lax.sub(rounding.from_bits(lax.bitwise_and(significand, used)), top), np.float32(2.0**low))
    zero = lax.eq(exponent, np.int32(0))
    parts = [lax.expand_dims(where(zero, np.float32(0), part), (0,)) for part in (top, rest)]
    return Register(lax.concatenate(parts, 0), where(zero, _ABSENT, exponent))


def register_a(x: Array) -> Register:
    """float32 `[k, ...]` in register A, the one of in1: 5 and 5 bits."""
    return _register(x, A_HIGH, A_USED, _LOW_A)


def register_b(x: Array) -> Register:
    """float32 `[k, ...]` in register B, the one of in0: 7 and 4 bits."""
    return _register(x, B_HIGH, B_USED, _LOW_B)


def _group(a: Sequence[Array], b: Sequence[Array], exponents: Sequence[Array]) -> tuple[Array, Array]:
    """The sum of eight products, an integer in units of 2**-10, and their largest exponent (twice biased)."""
    top = functools.reduce(lax.max, exponents)
    # Scales below 2**-126 would not be normal; any below 2**-12 leaves nothing of a product.
    one = np.int32(_BIAS + _PRODUCT_BITS)
    scales = (_power_of_two(lax.max(lax.sub(lax.add(e, one), top), np.int32(1))) for e in exponents)
    products = (lax.mul(lax.mul(*matched(x, y)), scale) for x, y, scale in zip(a, b, scales, strict=True))
    total = functools.reduce(lax.add, (lax.round(p, lax.RoundingMethod.AWAY_FROM_ZERO) for p in products))
    return lax.convert_element_type(total, jnp.int32), top


def _power_of_two(exponent: Array) -> Array:
    """The float32 of a biased exponent, int32."""
    return rounding.from_bits(_exponent_field(exponent))


def _exponent_field(exponent: Array) -> Array:
    return lax.shift_left(lax.convert_element_type(exponent, jnp.uint32), np.uint32(23))


def _exponent_of(pattern: Array) -> Array:
    """The biased exponent in a pattern, int32."""
    field = lax.shift_right_logical(lax.bitwise_and(pattern, rounding.EXPONENT), np.uint32(23))
    return lax.convert_element_type(field, jnp.int32)


def _half(distance: Array) -> Array:
    return lax.shift_right_arithmetic(lax.shift_left(np.int32(1), distance), np.int32(1))


def _shifted_up(x: Array, distance: Array | np.int32) -> Array:
    """int32 `x / 2**distance`, ties upward; `x` below 2**29."""
    distance = lax.min(distance, np.int32(30))
    return lax.shift_right_arithmetic(lax.add(x, _half(distance)), distance)


def _shifted_away(x: Array, distance: Array | np.int32) -> Array:
    """int32 `x / 2**distance`, ties away from zero; `x` below 2**29."""
    return _with_sign(x, _shifted_up(lax.abs(x), distance))


def _with_sign(x: Array, magnitude: Array) -> Array:
    return where(lax.lt(x, np.int32(0)), lax.neg(magnitude), magnitude)


def _accumulated(dst: Array, groups: Sequence[tuple[Array, Array]], fp32_dest: bool) -> Array:
    """float32 Dst after two groups `(sum, exponent)`."""
    pattern = rounding.bits(dst)
    exponent = _exponent_of(pattern)
    zero = lax.eq(exponent, np.int32(0))
    significand = lax.bitwise_or(lax.bitwise_and(pattern, _MANTISSA), np.uint32(1 << 23))
    held = where(zero, np.int32(0), lax.convert_element_type(significand, jnp.int32))
    held = _with_sign(lax.bitcast_convert_type(pattern, jnp.int32), held)
    top = functools.reduce(lax.max, (e for _, e in groups), where(zero, _ABSENT, exponent))
    sums = [_shifted_up(lax.shift_left(s, _DROPPED), lax.sub(top, e)) for s, e in groups]
    held = _shifted_away(held, lax.sub(top, exponent))
    if not fp32_dest:
        sums, held = [_shifted_up(s, _DROPPED) for s in sums], _shifted_away(held, _DROPPED)
    return _normalised(functools.reduce(lax.add, sums, held), top, fp32_dest)


def _normalised(total: Array, top: Array, fp32_dest: bool) -> Array:
    """float32 of an integer `total`, whose unit lies 23 (of a 16-bit Dst 10) places below 2**(top - 127), as Dst rounds it."""
    magnitude = lax.abs(total)
    if fp32_dest:
        # The conversion rounds ties to even; a bit below them makes them no ties. It needs the room of a number that is rounded.
        twice = lax.shift_left(magnitude, np.int32(1))
        magnitude = where(lax.ge(magnitude, np.int32(1 << 24)), lax.add(twice, np.int32(1)), twice)
        unit = _DST_BITS + 1
        u = rounding.bits(lax.convert_element_type(magnitude, jnp.float32))
    else:
        unit = _DST_BITS - _DROPPED
        u = rounding.bits(lax.convert_element_type(magnitude, jnp.float32))  # exact: below 2**18
        u = lax.bitwise_and(lax.add(u, np.uint32(0x8000)), np.uint32(0xFFFF_0000))
    exponent = lax.sub(lax.add(_exponent_of(u), top), np.int32(_BIAS + unit))
    u = lax.bitwise_or(lax.bitwise_and(u, _MANTISSA), _exponent_field(exponent))
    u = where(lax.ge(exponent, np.int32(255)), rounding.EXPONENT, u)
    u = lax.bitwise_or(u, where(lax.lt(total, np.int32(0)), rounding.SIGN, np.uint32(0)))
    nothing = lax.bitwise_or(lax.eq(total, np.int32(0)), lax.le(exponent, np.int32(0)))
    return rounding.from_bits(where(nothing, np.uint32(0), u))


def accumulate(
    dst: Array, a: Register, b: Register, first: Array | int, last: Array | int, fidelity: Fidelity, fp32_dest: bool
) -> Array:
    """float32 Dst after the products of registers `[k, ...]`, which broadcast to the shape of `dst`, have been added over `k`.

    `k` is whole tiles, of which those from `first` to before `last` are taken. Has no derivative: callers give theirs.
    """
    steps = PHASES[fidelity] * (TILE // HALF)

    def tile(i: Array, dst: Array) -> Array:
        def step(j: Array | int, dst: Array) -> Array:
            phase, half = j // (TILE // HALF), j % (TILE // HALF)
            part_a, part_b = phase % 2, phase // 2
            start = i * TILE + half * HALF
            p, q = a.at(start, HALF), b.at(start, HALF)
            x, y = (lax.dynamic_index_in_dim(r.parts, part, keepdims=False) for r, part in ((p, part_a), (q, part_b)))
            below = jnp.asarray(_BIAS + part_a * _LOW_A + part_b * _LOW_B, jnp.int32)
            groups = []
            for those in (slice(GROUP), slice(GROUP, HALF)):
                exponents = [lax.add(*matched(*pair)) for pair in zip(p.exponent[those], q.exponent[those], strict=True)]
                total, top = _group(list(x[those]), list(y[those]), exponents)
                groups.append((total, lax.sub(top, below)))
            return _accumulated(dst, groups, fp32_dest)

        if dst.size * len(a.exponent) < _MANY:
            return lax.fori_loop(0, steps, step, dst)
        for j in range(steps):
            dst = step(j, dst)
        return dst

    return lax.fori_loop(first, last, tile, dst)


def _in_tiles(x: Array, axis: int) -> Array:
    """`x` with `axis` in front, filled with zeros to whole tiles: they leave Dst as it is."""
    x = jnp.moveaxis(x, axis, 0)
    return jnp.pad(x, [(0, -len(x) % TILE)] + [(0, 0)] * (x.ndim - 1))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4))
def matmul(in0: Array, in1: Array, fidelity: Fidelity, fp32_dest: bool, partials: Partials | None = None) -> Array:
    """float32 Dst after `in0 @ in1`, `[..., m, k] x [..., k, n]`, batch axes broadcast; float32 register values.

    With `partials`, and more than one block, what Dst holds of the last one, or, where a bias follows, what L1 holds of all. A
    32-bit Dst comes back from L1 as it went there (assumed), so its blocks make no difference.
    Memory: a few times that of the operands and of the result, whatever `k`. Straight-through: the derivative is that of the
    exact product. Raises KeyError on an unknown fidelity.
    """
    b = register_b(_in_tiles(in0, -1)[..., None])
    a = register_a(_in_tiles(in1, -2)[..., None, :])
    tiles = len(a.exponent) // TILE
    nothing = jnp.zeros(jnp.broadcast_shapes(in0.shape[:-2], in1.shape[:-2]) + (in0.shape[-2], in1.shape[-1]), jnp.float32)

    def block(dst: Array, first: Array | int, last: Array | int) -> Array:
        return accumulate(dst, a, b, first, last, fidelity, fp32_dest)

    if partials is None or partials.inner is None or fp32_dest or partials.inner >= tiles:
        return block(nothing, 0, tiles)
    inner, count = partials.inner, -(-tiles // partials.inner)
    if partials.packer_l1_acc:

        def added(i: Array, l1: Array) -> Array:
            total = l1 + block(nothing, i * inner, jnp.minimum((i + 1) * inner, tiles))
            return rounding.widen(rounding.nearest_even_bfloat16(total))

        if partials.biased:
            return lax.fori_loop(0, count, added, nothing)
        return block(lax.fori_loop(0, count - 1, added, nothing), (count - 1) * inner, tiles)

    def taken_up(i: Array, l1: Array) -> Array:
        return rounding.widen(packer.pack(block(l1, i * inner, (i + 1) * inner), partials.dtype))

    return block(lax.fori_loop(0, count - 1, taken_up, nothing), (count - 1) * inner, tiles)


@matmul.defjvp
def _(
    fidelity: Fidelity, fp32_dest: bool, partials: Partials | None, primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (in0, in1), (d0, d1) = primals, tangents
    y = matmul(in0, in1, fidelity, fp32_dest, partials)
    product = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)
    return y, product(d0, in1) + product(in0, d1)


def row_sum(x: Array, factor: float, fidelity: Fidelity, fp32_dest: bool) -> Array:
    """float32 Dst `[..., 1]` after `x * factor` `[..., w]` has been summed: a product with a column of `factor`.

    Has no derivative: callers give theirs.
    """
    b = register_b(_in_tiles(x, -1))
    a = register_a(jnp.full((len(b.exponent),) + (1,) * (x.ndim - 1), factor, jnp.float32))
    nothing = jnp.zeros(x.shape[:-1], jnp.float32)
    return accumulate(nothing, a, b, 0, len(b.exponent) // TILE, fidelity, fp32_dest)[..., None]
