"""From the values of one dtype to those of another, as the device's copies and casts do it."""

import jax.numpy as jnp
from jax import Array

from tt_jax.kernels import packer, rounding

_FLOATS = ("float32", "bfloat16", "bfloat8_b", "bfloat4_b")
_BLOCK_FLOATS = ("bfloat8_b", "bfloat4_b")


def convert(x: Array, source: str, target: str, precise: bool = False) -> Array:
    """The carrier array of `target` for `x`, one of `source`; dtypes by their names, such as "bfloat8_b" or "uint16".

    `precise` rounds to bfloat8_b once, as `typecast` does, where copies round twice. Float to int32 and uint8 cuts, to uint16
    rounds half up (a block float cuts), to uint32 cuts and clips; integers go modulo the width. Source: spec/numerics.md
    section 5.5 (measured).
    """
    if source == target:
        return x
    if target in _FLOATS:
        x = x if source in _FLOATS else x.astype(jnp.float32)
        return packer.typecast(x, target) if precise else packer.pack(x, target)  # type: ignore[arg-type]
    if source not in _FLOATS:
        return x.astype(target)
    wide = rounding.widen(x)
    if target == "uint16":
        whole = jnp.trunc(wide) if source in _BLOCK_FLOATS else jnp.floor(wide + 0.5)
        return jnp.clip(whole, 0, 65535).astype(jnp.uint16)
    if target == "uint32":
        return jnp.clip(wide, 0, 2.0**32 - 256).astype(jnp.uint32)
    whole = jnp.trunc(wide).astype(jnp.int32)
    return (whole & 255).astype(jnp.uint8) if target == "uint8" else whole
