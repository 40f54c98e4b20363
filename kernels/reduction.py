"""Reductions: sums as the matrix engine makes them, extremes, products and moments.

The engine sums 16 terms at a time, in two groups of 8. Within a group every product is rounded, half away from zero, to
2**-10 of the power of two of the group's largest, in each phase of the fidelity; the groups' sums are then added to Dst.
A 32-bit Dst takes them almost exactly. A 16-bit one aligns all three to 11 bits and rounds the total to bfloat16 after
every 16 terms of every phase, so there the order counts. Source: spec/device_numerics.md, "FPU accumulate" (measured; of the
recorded sums, means and layer norms every element is the same).
"""

import functools
import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import matrix_unit, numerics, rounding
from tt_jax.kernels.broadcast import where
from tt_jax.kernels.eltwise import operand
from tt_jax.kernels.fidelity import A_HIGH, A_USED, B_HIGH, B_USED, PHASES, Fidelity, split
from tt_jax.kernels.materialize import in_memory
from tt_jax.kernels.packer import to_dst

Extreme = Literal["max", "min"]

_GROUP, _TILE = 8, 32
_LIFT = np.float32(1 + 2**-13)
_MAGIC = np.float32(1.5 * 2**23)
_SMALLEST = np.uint32(30 << 23)
# From here on what rounds would overflow.
_ROUNDABLE = np.float32(2.0**113)
# By how many powers of two the products of each phase lie below those of the first: its parts are 5 and 7 bits further down.
_PHASE_SHIFTS = (0, 5, 7, 12)


def _power(x: Array) -> Array:
    """The power of two of `x`, as a float32; at least 2**-97, so that steps below it stay normal."""
    return rounding.from_bits(lax.max(lax.bitwise_and(rounding.bits(x), rounding.EXPONENT), _SMALLEST))


def _rounded(x: Array, step: Array, lift: Array | np.float32 = _LIFT) -> Array:
    """`x` of up to 12 significant bits to the nearest multiple of `step`; a lift above 1 sends ties away from zero."""
    magic = lax.mul(step, _MAGIC)
    return lax.sub(lax.add(lax.mul(x, lift), magic), magic)


def _phases(factor: float, fidelity: Fidelity) -> list[tuple[int, float, int]]:
    """Per phase: which part of `x` (0 high, 1 low), the part of `factor`, the shift; without those in which the factor has nothing."""
    high, low = (float(part) for part in _split_number(factor))
    parts = [(0, high), (0, low), (1, high), (1, low)][: PHASES[fidelity]]
    return [(part, f, shift) for (part, f), shift in zip(parts, _PHASE_SHIFTS, strict=False) if f]


def _split_number(factor: float) -> tuple[np.float32, np.float32]:
    pattern = np.float32(factor).view(np.uint32)
    high = (pattern & A_HIGH).view(np.float32)
    return high, (pattern & A_USED).view(np.float32) - high


def bfloat16_factor(factor: float) -> float:
    """A reduction's factor as the device stores it, cut to bfloat16. Source: device_numerics.md, "mean" (measured)."""
    if not numerics.is_rounded():
        return factor
    return float((np.float32(factor).view(np.uint32) & np.uint32(0xFFFF_0000)).view(np.float32))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def row_sum(x: Array, factor: float, fidelity: Fidelity, fp32_dest: bool) -> Array:
    """Dst, as float32 `[..., 1]`, after the engine has summed `x * factor` over the last axis of `x` (register values).

    At level "fast" magnitudes from 2**113 on are not the device's: a 32-bit Dst gets their float32 sum, a 16-bit one overflows.
    """
    if not math.isfinite(factor) or factor == 0 or not numerics.is_rounded():
        return (x * np.float32(factor)).sum(-1, keepdims=True)
    if numerics.level() == "device":
        return matrix_unit.row_sum(x, factor, fidelity, fp32_dest)
    terms = _terms(x)
    largest = _power(functools.reduce(lax.max, map(lax.abs, terms)))
    largest = lax.mul(largest, np.float32(2.0 ** (math.frexp(factor)[1] - 1)))
    # Kept from the sums and these from what follows: in the fusions that XLA chooses, every term would be written to memory.
    largest = in_memory(largest)
    parts = [split(term, B_HIGH, B_USED) for term in terms]
    sums, powers = [], []
    for part, f, shift in _phases(factor, fidelity):
        power = lax.mul(largest, np.float32(2.0**-shift))
        step = lax.mul(power, np.float32(2.0**-10))
        sums.append(functools.reduce(lax.add, (_rounded(lax.mul(term[part], np.float32(f)), step) for term in parts)))
        powers.append(power)
    if fp32_dest:
        exact = functools.reduce(lax.add, (lax.mul(term, np.float32(factor)) for term in terms))
        groups = where(lax.lt(largest, _ROUNDABLE), functools.reduce(lax.add, sums), exact)
        return in_memory(groups).sum(0).reshape(*x.shape[:-1], 1)
    return _accumulated(*(in_memory(_in_order(phases)) for phases in (sums, powers))).reshape(*x.shape[:-1], 1)


def _terms(x: Array) -> list[Array]:
    """The first, second ... eighth of every group of `[..., w]`, each `[ceil(w / 32) * 4, rows]`: whole tiles, filled with zeros.

    Turned around, so that loops run along the rows, which XLA vectorizes; before and after nothing is fused with the turning.
    """
    rows, width = math.prod(x.shape[:-1]), x.shape[-1]
    turned = in_memory(jnp.pad(in_memory(x.reshape(rows, width)).T, [(0, -width % _TILE), (0, 0)]))
    groups = turned.reshape(-(-width // _TILE) * (_TILE // _GROUP), _GROUP, rows)
    return [groups[:, i] for i in range(_GROUP)]


@row_sum.defjvp
def _(factor: float, fidelity: Fidelity, fp32_dest: bool, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y = row_sum(primals[0], factor, fidelity, fp32_dest)
    return y, (tangents[0] * np.float32(factor)).sum(-1, keepdims=True)


def _in_order(phases: list[Array]) -> Array:
    """`[steps, 2, rows]` of the phases' groups `[groups, rows]`: tile by tile, then phase by phase, then half by half."""
    count, rows = phases[0].shape
    tiles = jnp.stack([groups.reshape(count // 4, 2, 2, rows) for groups in phases], 1)  # [tile, phase, half, group, rows]
    return tiles.reshape(len(phases) * count // 2, 2, rows)


def _accumulated(sums: Array, powers: Array) -> Array:
    """A 16-bit Dst after all steps `[steps, 2, rows]`, in float32 `[rows]`."""

    def step(dst: Array, groups: tuple[Array, Array]) -> tuple[Array, None]:
        (first, second), power = groups[0], groups[1].max(0)
        unit = lax.mul(lax.max(power, _power(dst)), np.float32(2.0**-10))
        upward = lambda s: where(lax.lt(s, np.float32(0)), 2 - _LIFT, _LIFT)
        aligned = _rounded(dst, unit), _rounded(first, unit, upward(first)), _rounded(second, unit, upward(second))
        total = functools.reduce(lax.add, aligned)
        return rounding.widen(rounding.nearest_away_bfloat16(total)), None

    dst, _ = lax.scan(step, jnp.zeros(sums.shape[2:], jnp.float32), (sums, powers), unroll=4)
    return dst


def _last(x: Array, axis: int) -> Array:
    return jnp.moveaxis(x, axis, -1)


def total(x: Array, axis: int, factor: float, fidelity: Fidelity, fp32_dest: bool, precise: bool = False) -> Array:
    """Dst, as float32, of the sum of `x * factor` over `axis` (kept, of size 1), `factor` cut to bfloat16.

    `precise`: float32 arithmetic with the whole `factor`, as the vector unit does for float32 tensors.
    """
    if precise:
        return (rounding.widen(x) * np.float32(factor)).sum(axis, keepdims=True)
    moved = operand(_last(x, axis), fp32_dest)
    return jnp.moveaxis(row_sum(moved, bfloat16_factor(factor), fidelity, fp32_dest), -1, axis)


def extreme(x: Array, axis: int, which: Extreme) -> Array:
    """The largest or smallest along `axis` (kept): exact."""
    return (x.max if which == "max" else x.min)(axis, keepdims=True)


def product(x: Array, axes: tuple[int, ...]) -> Array:
    """The product over `axes` (kept), in float32."""
    return rounding.widen(x).prod(axes, keepdims=True)


def variance(x: Array, axes: tuple[int, ...], correction: bool) -> Array:
    """The variance over `axes` (kept), in float32; divided by one less than the count if `correction`."""
    wide = rounding.widen(x)
    count = math.prod(x.shape[axis] for axis in axes)
    deviation = wide - wide.mean(axes, keepdims=True)
    divisor = count - correction
    squares = lax.square(deviation).sum(axes, keepdims=True)
    return squares / np.float32(divisor) if divisor else jnp.full_like(squares, jnp.nan)


def mean_from(sum_: Array, count: int, fp32_dest: bool) -> Array:
    """A norm's mean: Dst holding `sum_`, times 1 / `count`; a 16-bit Dst cuts the product. Source: device_numerics.md (measured)."""
    product = sum_ * np.float32(1 / count)
    return product if fp32_dest else rounding.widen(rounding.truncate_bfloat16(product))


def in_dst(value: Array, fp32_dest: bool) -> Array:
    """What Dst holds of `value`, in float32."""
    return rounding.widen(to_dst(value, fp32_dest))
