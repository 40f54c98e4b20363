"""Functions of three numbers, by the names that operations have. Floats are computed in float32 and rounded to Dst once."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.kernels import rounding
from tt_jax.kernels.packer import to_dst

Ternary = Callable[..., Array]


class Function(NamedTuple):
    """`floats` of float32 arrays, `integers` of one integer dtype (None where there is none); each takes the operands, then a factor."""

    floats: Ternary
    integers: Ternary | None = None


def _lerp(a: Array, b: Array, weight: Array, factor: Array) -> Array:
    return a + weight * (b - a)


def _mac(a: Array, b: Array, c: Array, factor: Array) -> Array:
    return a * b + c


def _addcmul(a: Array, b: Array, c: Array, factor: Array) -> Array:
    return a + factor * b * c


def _addcdiv(a: Array, b: Array, c: Array, factor: Array) -> Array:
    y = a + factor * b / c
    made = jnp.isnan(y) & ~(jnp.isnan(a) | jnp.isnan(b) | jnp.isnan(c))
    return jnp.where(made, np.float32(np.nan), y)  # positive, so that a 16-bit Dst holds it as +inf, as it does a quotient's


FUNCTIONS: dict[str, Function] = {
    "lerp": Function(_lerp, _lerp),
    "mac": Function(_mac, _mac),
    "addcmul": Function(_addcmul, _addcmul),
    "addcdiv": Function(_addcdiv),
}


def of_floats(name: str, a: Array, b: Array, c: Array, factor: Array, fp32_dest: bool) -> Array:
    """Dst after the function `name`, a key of `FUNCTIONS`, of bfloat16 or float32 arrays, which broadcast as in NumPy."""
    loaded = (rounding.flush_subnormals(rounding.widen(x)) for x in (a, b, c))
    return to_dst(FUNCTIONS[name].floats(*loaded, factor), fp32_dest)


def select(predicate: Array, a: Array, b: Array) -> Array:
    """`a` where `predicate` is not 0, else `b`, in their common dtype; bit for bit."""
    return jnp.where(predicate != 0, a, b)
