"""bfloat8_b and bfloat4_b: sign and magnitude of each value under one exponent shared by 16 neighbours of a face row.

A group is 16 consecutive values of the last axis (padded with zeros), so that `value = (-1)**s * magnitude * 2**(E - 127 - (w - 1))`
with `w` magnitude bits (7 or 3) and E the biased exponent of the group's largest value; there is no hidden bit.

Two rules make them. The *host* rule (`from_torch`): one rounding, nearest-even, after the alignment shift has dropped
bits without a sticky bit; a carry out of the top saturates. The *device* rule (every operation's output): to 6 explicit
mantissa bits with ties away, then aligned with ties away again; bfloat4_b is that, with its low 4 bits cut.
Source: spec/numerics.md sections 1.2 to 1.5 and spec/device_numerics.md (measured, 0 mismatches).
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import rounding
from tt_jax.kernels.tilize import TILE, tilize, untilize

Format = Literal["bfloat8_b", "bfloat4_b"]
Rule = Literal["host", "device", "precise"]

GROUP = 16
_BFLOAT16 = np.uint32(0xFFFF_0000)  # truncation to 7 explicit mantissa bits
_E8M6 = np.uint32(0xFFFE_0000)  # to 6, the packer's early format
_EXPONENT_16 = np.uint16(0x7F80)
EXPONENT_BYTES = TILE * TILE // GROUP


class _Layout(NamedTuple):
    width: int  # magnitude bits
    per_byte: int  # data in a byte, the first in the low bits

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
    """float32 `[..., w]` as groups `[..., ceil(w / 16), 16]`, the last one filled with zeros."""
    fill = -x.shape[-1] % GROUP
    if fill:
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, fill)])
    return x.reshape(*x.shape[:-1], x.shape[-1] // GROUP, GROUP)


def shared_exponents(x: Array) -> Array:
    """The exponent of each group of `x` `[..., w]` as `float8_e8m0fnu` `[..., ceil(w / 16)]`: a power of two each.

    A group of zeros and subnormals has the smallest one, 2**-127; one with infinity or NaN has NaN. Raises ValueError on rank 0.
    """
    _require_axis(x)
    exponent = (rounding.bits(_grouped(rounding.widen(x))) & rounding.EXPONENT) >> 23
    return lax.bitcast_convert_type(exponent.max(-1).astype(jnp.uint8), jnp.float8_e8m0fnu)


def _host_codes(x: Array, width: int) -> tuple[Array, Array]:
    """Groups of float32 `[..., 16]` -> (codes, shared exponent `[..., 1]`), uint32, by the host rule."""
    u = rounding.bits(x)
    exponent = (u & rounding.EXPONENT) >> 23
    shared = exponent.max(-1, keepdims=True)
    significand = (u & 0x7F_FFFF) | 0x80_0000
    aligned = significand >> jnp.minimum(shared - exponent, 31)
    drop = 24 - width
    rounded = (aligned + ((1 << (drop - 1)) - 1) + ((aligned >> drop) & 1)) >> drop
    magnitude = jnp.where(exponent == 0, 0, jnp.minimum(rounded, (1 << width) - 1))
    return jnp.where(magnitude == 0, 0, magnitude | (u >> 31 << width)), shared


def pack(x: Array, format: Format) -> Array:
    """Pack `x` (bfloat16 or float32, any rank from 1) into tiles by the host rule: uint8 `[tiles, tile_bytes(format)]`.

    A tile is 64 shared exponents, then the data of its four faces (bfloat4_b: two to a byte, the even one low). `x` is
    padded with zeros to whole tiles. Raises ValueError on another format, TypeError on another dtype.
    """
    layout = _layout(format)
    _require_axis(x)
    tiles = tilize(rounding.widen(x)).reshape(-1, EXPONENT_BYTES, GROUP)
    codes, shared = _host_codes(tiles, layout.width)
    codes = codes.reshape(len(tiles), -1, layout.per_byte)
    data = sum(codes[..., i] << (i * 8 // layout.per_byte) for i in range(layout.per_byte))
    return jnp.concatenate([shared[..., 0], data], axis=-1).astype(jnp.uint8)


def unpack(packed: Array, shape: tuple[int, ...], format: Format) -> Array:
    """The float32 values of `shape` in uint8 tiles `[tiles, tile_bytes(format)]`; exact, subnormals included.

    Raises ValueError if the tiles are not those of `shape` and `format`.
    """
    layout = _layout(format)
    if packed.ndim != 2 or packed.shape[1] != layout.tile_bytes:
        raise ValueError(
            f"{format} tiles have {layout.tile_bytes} bytes: expected [tiles, {layout.tile_bytes}], got {packed.shape}"
        )
    u = packed.astype(jnp.uint32)
    exponent, data = u[:, :EXPONENT_BYTES, None], u[:, EXPONENT_BYTES:, None]
    bits_each = 8 // layout.per_byte
    codes = (data >> (jnp.arange(layout.per_byte, dtype=jnp.uint32) * bits_each)) & ((1 << bits_each) - 1)
    return untilize(_decode(codes.reshape(-1, EXPONENT_BYTES, GROUP), exponent, layout.width).reshape(-1, TILE * TILE), shape)


def _decode(codes: Array, shared: Array, width: int) -> Array:
    """Codes and their group's exponent -> float32, built from bits since XLA flushes subnormal arithmetic."""
    magnitude = codes & ((1 << width) - 1)
    shift = (lax.clz(magnitude) - (32 - width)).astype(jnp.int32)  # left shift that brings the leading one to the top
    mantissa = (magnitude << (24 - width + shift).astype(jnp.uint32)) & 0x7F_FFFF
    exponent = shared.astype(jnp.int32) - shift
    normal = (exponent.astype(jnp.uint32) << 23) | mantissa
    subnormal = (mantissa | 0x80_0000) >> jnp.clip(1 - exponent, 0, 31).astype(jnp.uint32)
    pattern = jnp.where(exponent > 0, normal, subnormal) | (codes >> width << 31)
    return rounding.from_bits(jnp.where(magnitude == 0, np.uint32(0), pattern))


def _on_device(x: Array, format: str, precise: bool) -> Array:
    """The packer's rule as float arithmetic: exact, and a tenth of the time of the shifts it stands for (measured on CPU).

    Adding and subtracting `1.5 * 2**23` steps rounds to a multiple of the step, ties to even; scaling by `1 + 2**-10` first
    lifts every tie, and, with at most 8 significant bits, nothing else across one. Groups near the ends of the exponent
    range are moved to its middle meanwhile. The group's largest exponent is found among integers: XLA vectorizes that
    maximum, the one of floats (with its NaN) it does not.
    """
    u = rounding.bits(x)
    early = u & _BFLOAT16 if precise else (u + 0x1_0000) & _E8M6
    u = _grouped(rounding.flush(u, early))
    exponent = ((u >> 16).astype(jnp.uint16) & _EXPONENT_16).max(-1, keepdims=True).astype(jnp.uint32) << 16
    shift = jnp.where(exponent < (64 << 23), np.int32(64), jnp.where(exponent > (191 << 23), np.int32(-64), np.int32(0)))
    up, down = _power_of_two(shift), _power_of_two(-shift)
    exponent = exponent + (shift << 23).astype(jnp.uint32)
    step, largest = rounding.from_bits(exponent - (6 << 23)), rounding.from_bits(exponent)
    magic = step * np.float32(1.5 * 2**23)
    y = (rounding.from_bits(u) * (up * np.float32(1 + 2**-10)) + magic) - magic
    y = jnp.clip(y, -largest * np.float32(127 / 64), largest * np.float32(127 / 64))
    if format == "bfloat4_b":
        # Cut toward zero by way of an integer, which has no negative zero.
        y = (y / (16 * step)).astype(jnp.int32).astype(jnp.float32) * (16 * step)
    return (y * down).reshape(*x.shape[:-1], -1)[..., : x.shape[-1]]


def _power_of_two(exponent: Array) -> Array:
    return rounding.from_bits((exponent + 127).astype(jnp.uint32) << 23)


def quantize(x: Array, format: Format, rule: Rule = "host") -> Array:
    """The values of `x` `[..., w]` (bfloat16 or float32) after a trip through `format`, in the shape and dtype of `x`.

    `rule` is "host" (what `from_torch` stores), "device" (what an operation's packer stores) or "precise" (the device's
    typecast to bfloat8_b, which rounds once; bfloat4_b has no such path on the device and takes "device"). Its derivative is the identity.
    Raises ValueError on another format or rule, or on rank 0.
    """
    width = _layout(format).width
    if rule not in ("host", "device", "precise"):
        raise ValueError(f"rule {rule!r} is unknown: expected 'host', 'device' or 'precise'")
    _require_axis(x)
    return _quantize(x, format, rule, width) if x.size else x


@rounding.straight_through
def _quantize(x: Array, format: str, rule: str, width: int) -> Array:
    wide = rounding.widen(x)
    if rule != "host":
        return _on_device(wide, format, rule == "precise" and format == "bfloat8_b").astype(x.dtype)
    codes, shared = _host_codes(_grouped(wide), width)
    y = _decode(codes, shared, width).reshape(*x.shape[:-1], -1)[..., : x.shape[-1]]
    return y if x.dtype == jnp.float32 else rounding.host_bfloat16(y)
