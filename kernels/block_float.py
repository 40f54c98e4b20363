"""bfloat8_b and bfloat4_b: sign and magnitude of each value under one exponent shared by 16 neighbours of a face row.

A group is 16 consecutive values of the last axis (padded with zeros), so that `value = (-1)**s * magnitude * 2**(E - 127 - (w - 1))`
with `w` magnitude bits (7 or 3) and E the biased exponent of the group's largest value; there is no hidden bit.

Two rules make them. The *host* rule (`from_torch`): one rounding, nearest-even, after the alignment shift has dropped
bits without a sticky bit; a carry out of the top saturates. The *device* rule (every operation's output): to 6 explicit
mantissa bits with ties away, then aligned with ties away again; bfloat4_b is that, with its low 4 bits cut.
Source: spec/numerics.md sections 1.2 to 1.5 and spec/device_numerics.md (measured, 0 mismatches).

Both are float arithmetic here, exact and as fast as memory: shifts by a different distance for each value are not.
"""

import functools
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import rounding
from tt_jax.kernels.broadcast import where
from tt_jax.kernels.materialize import in_memory
from tt_jax.kernels.tilize import TILE, from_tiles, pad_to_tiles, padded_shape, tile_count, to_tiles, without_padding

Format = Literal["bfloat8_b", "bfloat4_b"]
Rule = Literal["host", "device", "precise"]

GROUP = 16
_BFLOAT16 = np.uint32(0xFFFF_0000)  # truncation to 7 explicit mantissa bits
_E8M6 = np.uint32(0xFFFE_0000)  # to 6, the packer's early format
_EXPONENT_16 = np.uint16(0x7F80)
EXPONENT_BYTES = TILE * TILE // GROUP

# Exponents and distances between them, as they stand in a float32's pattern; int32, whose comparisons every machine has.
_ONE, _BIAS, _MIDDLE = np.int32(1 << 23), np.int32(127 << 23), np.int32(64 << 23)
_HIGH = np.int32(192 << 23)


class _Layout(NamedTuple):
    width: int  # magnitude bits
    per_byte: int  # data in a byte, the first in the low bits

    @property
    def largest(self) -> int:
        return 2**self.width - 1

    @property
    def tile_bytes(self) -> int:
        return EXPONENT_BYTES + TILE * TILE // self.per_byte


_LAYOUTS = {"bfloat8_b": _Layout(width=7, per_byte=1), "bfloat4_b": _Layout(width=3, per_byte=2)}


def _layout(format: str) -> _Layout:
    try:
        return _LAYOUTS[format]
    except KeyError:
        raise ValueError(f"format {format!r} is no block float: expected 'bfloat8_b' or 'bfloat4_b'") from None


def tile_bytes(format: Format) -> int:
    """Bytes of one packed 32x32 tile: 1088 for bfloat8_b, 576 for bfloat4_b."""
    return _layout(format).tile_bytes


def _require_axis(x: Array) -> None:
    if x.ndim == 0:
        raise ValueError("`x` has rank 0; a block float needs at least one axis to share exponents along")


def _grouped(x: Array) -> Array:
    """`[..., w]` as groups `[..., ceil(w / 16), 16]`, the last one filled with zeros."""
    fill = -x.shape[-1] % GROUP
    if fill:
        x = lax.pad(x, np.zeros((), x.dtype), [(0, 0, 0)] * (x.ndim - 1) + [(0, fill, 0)])
    return lax.reshape(x, (*x.shape[:-1], x.shape[-1] // GROUP, GROUP))


def _ungrouped(groups: Array, shape: tuple[int, ...]) -> Array:
    """The array of `shape` that `_grouped` made `groups` of."""
    x = lax.reshape(groups, (*shape[:-1], groups.shape[-2] * GROUP))
    return x if x.shape == shape else lax.slice_in_dim(x, 0, shape[-1], axis=-1)


def _spread(x: Array) -> Array:
    """What each group has `[..., 1]`, for each of its values `[..., 16]`."""
    return lax.broadcast_in_dim(x, (*x.shape[:-1], GROUP), tuple(range(x.ndim)))


def _largest_exponent(u: Array) -> Array:
    """The largest exponent in groups of patterns `[..., 16]`: int32 `[..., 1]`, in its place.

    It is found among integers of 16 bits: XLA vectorizes that maximum, the one of floats (with its NaN) it does not.
    """
    upper = lax.convert_element_type(lax.shift_right_logical(u, np.uint32(16)), jnp.uint16)
    largest = lax.reduce_max(lax.bitwise_and(upper, _EXPONENT_16), (u.ndim - 1,))
    return lax.shift_left(lax.convert_element_type(lax.expand_dims(largest, (u.ndim - 1,)), jnp.int32), np.int32(16))


def shared_exponents(x: Array) -> Array:
    """The exponent of each group of `x` `[..., w]` as `float8_e8m0fnu` `[..., ceil(w / 16)]`: a power of two each.

    A group of zeros and subnormals has the smallest one, 2**-127; one with infinity or NaN has NaN. Raises ValueError on rank 0.
    """
    _require_axis(x)
    exponent = _largest_exponent(_grouped(rounding.bits(rounding.widen(x))))[..., 0] >> 23
    return lax.bitcast_convert_type(exponent.astype(jnp.uint8), jnp.float8_e8m0fnu)


def _pattern(x: Array) -> Array:
    return lax.bitcast_convert_type(x, jnp.int32)


def _value(pattern: Array) -> Array:
    return lax.bitcast_convert_type(pattern, jnp.float32)


def _way_back(exponent: Array) -> Array:
    """What to add to patterns of groups under `exponent` that were moved to the middle of the exponent range: +-64 or 0."""
    low = where(lax.lt(exponent, _MIDDLE), -_MIDDLE, np.int32(0))
    return where(lax.ge(exponent, _HIGH), _MIDDLE, low)


def _centred(u: Array, exponent: Array) -> tuple[Array, Array, Array]:
    """Magnitudes of patterns `u`, moved to where arithmetic neither over- nor underflows: (values, their exponent, the way back).

    Exponent 255 is one more exponent here. Subnormals become zero, and so does what lies at least 64 binary places below its
    group near the upper end.
    """
    magnitude = lax.convert_element_type(lax.bitwise_and(u, rounding.MAGNITUDE), jnp.int32)
    back = _way_back(exponent)
    least = lax.add(lax.max(back, np.int32(0)), _ONE)
    is_small = lax.lt(magnitude, _spread(least))
    return _value(where(is_small, np.int32(0), lax.sub(magnitude, _spread(back)))), lax.sub(exponent, back), back


def _unit(exponent: Array, bits: int) -> Array:
    """2**bits in units of the exponent: what scales magnitudes under `exponent` to at most 2**(bits + 1)."""
    return _value(lax.sub(np.int32(_BIAS + bits * _ONE), lax.sub(exponent, _BIAS)))


def _host_rounded(values: Array, exponent: Array, width: int) -> Array:
    """Magnitudes in steps of their group, float32 integers up to 2**width: cut to 24 bits under `exponent`, then to nearest even."""
    aligned = lax.floor(lax.mul(values, _spread(_unit(exponent, 23))))
    return lax.round(lax.mul(aligned, np.float32(2.0 ** (width - 24))), lax.RoundingMethod.TO_NEAREST_EVEN)


def _device_rounded(values: Array, exponent: Array, width: int) -> Array:
    """Magnitudes of at most 8 bits in steps of their group: to 7 bits under `exponent`, ties away; further bits are cut.

    Scaling by `1 + 2**-10` first lifts every tie, and, with at most 8 significant bits, nothing else across one.
    """
    step = lax.mul(_unit(exponent, 6), np.float32(1 + 2**-10))
    rounded = lax.round(lax.mul(values, _spread(step)), lax.RoundingMethod.TO_NEAREST_EVEN)
    return rounded if width == 7 else lax.floor(lax.mul(rounded, np.float32(2.0 ** (width - 7))))


def _quantized(x: Array, format: str, rule: str) -> Array:
    """float32 `[..., w]` after a trip through `format`."""
    width, largest = _layout(format).width, _layout(format).largest
    u = original = rounding.bits(x)
    if rule != "host":
        precise = rule == "precise" and format == "bfloat8_b"
        cut = lax.bitwise_and(u, _BFLOAT16) if precise else lax.bitwise_and(lax.add(u, np.uint32(0x1_0000)), _E8M6)
        u = rounding.flush(u, cut)
    u = _grouped(u)
    values, exponent, back = _centred(u, _largest_exponent(u))
    rounded = (_host_rounded if rule == "host" else _device_rounded)(values, exponent, width)
    step = _value(lax.sub(exponent, np.int32((width - 1) * _ONE)))
    y = lax.min(_pattern(lax.mul(rounded, _spread(step))), _spread(_pattern(lax.mul(step, np.float32(largest)))))
    # What is not zero is no smaller than the smallest normal number: every step below that divides it.
    y = where(lax.eq(y, np.int32(0)), np.int32(0), lax.add(y, _spread(back)))
    y = lax.convert_element_type(_ungrouped(y, x.shape), jnp.uint32)
    signed = lax.bitwise_or(y, lax.bitwise_and(original, rounding.SIGN))
    return rounding.from_bits(where(lax.eq(y, np.uint32(0)), np.uint32(0), signed))


def quantize(x: Array, format: str, rule: Rule = "host") -> Array:
    """The values of `x` `[..., w]` (bfloat16 or float32) after a trip through `format`, a `Format`, in the shape and dtype of `x`.

    `rule` is "host" (what `from_torch` stores), "device" (what an operation's packer stores) or "precise" (the device's
    typecast to bfloat8_b, which rounds once; bfloat4_b has no such path on the device and takes "device"). Its derivative is the identity.
    Raises ValueError on another format or rule, or on rank 0.
    """
    _layout(format)
    if rule not in ("host", "device", "precise"):
        raise ValueError(f"rule {rule!r} is unknown: expected 'host', 'device' or 'precise'")
    x = jnp.asarray(x)
    _require_axis(x)
    return _quantize(x, format, rule) if x.size else x


@rounding.straight_through
def _quantize(x: Array, format: str, rule: str) -> Array:
    y = _quantized(rounding.widen(x), format, rule)
    if x.dtype == jnp.float32:
        return y
    return rounding.host_bfloat16(y) if rule == "host" else y.astype(x.dtype)


@functools.partial(jax.jit, static_argnames="format")
def pack(x: Array, format: Format) -> Array:
    """Pack `x` (bfloat16 or float32, any rank from 1) into tiles by the host rule: uint8 `[tiles, tile_bytes(format)]`.

    A tile is 64 shared exponents, then the data of its four faces (bfloat4_b: two to a byte, the even one low). `x` is
    padded with zeros to whole tiles. Raises ValueError on another format, TypeError on another dtype.
    """
    layout = _layout(format)
    _require_axis(x)
    x = pad_to_tiles(rounding.widen(x))
    u = _grouped(rounding.bits(x))
    shared = _largest_exponent(u)
    values, exponent, _ = _centred(u, shared)
    # Added to 2**23, an integer is the low bits of the pattern.
    carrier = np.float32(2**23)
    rounded = _pattern(_host_rounded(values, exponent, layout.width) + carrier)
    magnitude = jnp.minimum(rounded, carrier.view(np.int32) + np.int32(layout.largest)).astype(jnp.uint8)
    sign = (u >> (31 - layout.width)).astype(jnp.uint8) & np.uint8(1 << layout.width)
    # Fused with the loop over floats, what reorders bytes would slow both down.
    codes = in_memory(jnp.where(magnitude == 0, np.uint8(0), magnitude | sign))
    codes = codes.reshape(*x.shape[:-1], x.shape[-1] // layout.per_byte, layout.per_byte)
    data = codes[..., 0] if layout.per_byte == 1 else codes[..., 0] | (codes[..., 1] << 4)
    exponents = to_tiles((shared[..., 0] >> 23).astype(jnp.uint8), TILE // GROUP)
    return jnp.concatenate([exponents, to_tiles(data, TILE // layout.per_byte)], axis=-1)


def _decode(codes: Array, shared: Array, width: int) -> Array:
    """int32 codes `[..., 16]` and their groups' biased exponents `[..., 1]` -> float32 `[..., 16]`.

    XLA flushes subnormal arithmetic, so subnormals are made of bits.
    """
    magnitude, exponent = codes & np.int32(2**width - 1), shared << 23
    back = _way_back(exponent)
    y = _pattern(magnitude.astype(jnp.float32) * _value(exponent - back - (width - 1) * _ONE)) + back
    # Up to the smallest normal number, a pattern counts units of 2**-149.
    units = magnitude << jnp.minimum(shared + (149 - 127 - (width - 1)), 31)
    y = jnp.where(y < _ONE, units, y).astype(jnp.uint32) | ((codes.astype(jnp.uint32) << (31 - width)) & rounding.SIGN)
    return rounding.from_bits(jnp.where(magnitude == 0, np.uint32(0), y))


@functools.partial(jax.jit, static_argnames=("shape", "format"))
def unpack(packed: Array, shape: tuple[int, ...], format: Format) -> Array:
    """The float32 values of `shape` in uint8 tiles `[tiles, tile_bytes(format)]`; exact, subnormals included.

    Raises ValueError if the tiles are not those of `shape` and `format`.
    """
    layout = _layout(format)
    if packed.ndim != 2 or packed.shape[1] != layout.tile_bytes:
        raise ValueError(
            f"{format} tiles have {layout.tile_bytes} bytes: expected [tiles, {layout.tile_bytes}], got {packed.shape}"
        )
    if len(packed) != tile_count(shape):
        raise ValueError(f"shape {shape} takes {tile_count(shape)} tiles; `packed` has {len(packed)}")
    *rows, columns = target = padded_shape(shape)
    shared = from_tiles(packed[:, :EXPONENT_BYTES], (*rows, columns // GROUP), TILE // GROUP)
    data = from_tiles(packed[:, EXPONENT_BYTES:], (*rows, columns // layout.per_byte), TILE // layout.per_byte)
    codes = in_memory(jnp.repeat(data, layout.per_byte, axis=-1)).astype(jnp.int32)
    if layout.per_byte == 2:
        codes = (codes >> 4 * (lax.broadcasted_iota(jnp.int32, target, len(rows)) & 1)) & 15
    groups = codes.reshape(*rows, columns // GROUP, GROUP)
    values = _decode(groups, in_memory(shared)[..., None].astype(jnp.int32), layout.width)
    return without_padding(values.reshape(target), shape)
