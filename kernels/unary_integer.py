"""The vector unit's functions of integers, exact modulo their width, and the dtypes that it has each for.

Source: the real library's own check of dtypes, read in a commit near 0.81.1; its answers are recorded for relu, gelu, exp, sqrt,
log, tanh, sigmoid and reciprocal.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from tt_jax.kernels.unary import Parameters

_INT32 = ("int32",)
_UNSIGNED = ("uint32", "uint16", "uint8")
_WIDE = ("int32", "uint32")
_NOT_BYTES = (*_WIDE, "uint16")
_ALL = ("int32", *_UNSIGNED)


class Function(NamedTuple):
    """`evaluate(x, *parameters)` of an integer array, with as many parameters as given, for tensors of `dtypes`."""

    evaluate: Callable[..., Array]
    dtypes: tuple[str, ...]


def _holds(predicate: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, *parameters: predicate(x, *parameters).astype(x.dtype)


FUNCTIONS: dict[str, Function] = {
    "identity": Function(lambda x: x, (*_ALL, "int8")),
    "fill": Function(lambda x, value: jnp.full_like(x, value), _NOT_BYTES),
    "abs": Function(jnp.abs, _ALL),
    "neg": Function(jnp.negative, _INT32),
    "square": Function(lambda x: x * x, _NOT_BYTES),
    "relu": Function(lambda x: jnp.maximum(x, 0), _ALL),
    "relu6": Function(lambda x: jnp.clip(x, 0, 6), _ALL),
    "relu_max": Function(lambda x, upper: jnp.minimum(jnp.maximum(x, 0), upper), _ALL),
    "relu_min": Function(jnp.maximum, _ALL),
    "leaky_relu": Function(lambda x: x, _UNSIGNED),
    "clamp_tss": Function(lambda x, low, high: jnp.minimum(jnp.maximum(x, low), high), _INT32),
    "maximum": Function(jnp.maximum, _WIDE),
    "minimum": Function(jnp.minimum, _WIDE),
    "add_unary_sfpu": Function(jnp.add, _WIDE),
    "sub_unary_sfpu": Function(jnp.subtract, _WIDE),
    "rsub": Function(lambda x, value: value - x, _WIDE),
    "remainder": Function(jnp.remainder, ("uint32",)),
    "bitwise_not": Function(jnp.bitwise_not, _WIDE),
    "bitwise_and": Function(jnp.bitwise_and, _NOT_BYTES),
    "bitwise_or": Function(jnp.bitwise_or, _NOT_BYTES),
    "bitwise_xor": Function(jnp.bitwise_xor, _NOT_BYTES),
    "left_shift": Function(lax.shift_left, _NOT_BYTES),
    "right_shift": Function(jnp.right_shift, _NOT_BYTES),
    "eqz": Function(_holds(lambda x: x == 0), _NOT_BYTES),
    "nez": Function(_holds(lambda x: x != 0), _NOT_BYTES),
    "logical_not_unary": Function(_holds(lambda x: x == 0), _NOT_BYTES),
    "gtz": Function(_holds(lambda x: x > 0), _INT32),
    "gez": Function(_holds(lambda x: x >= 0), _INT32),
    "ltz": Function(_holds(lambda x: x < 0), _INT32),
    "lez": Function(_holds(lambda x: x <= 0), _INT32),
    "signbit": Function(_holds(lambda x: x < 0), _INT32),
    "unary_eq": Function(_holds(jnp.equal), _WIDE),
    "unary_ne": Function(_holds(jnp.not_equal), _WIDE),
    "unary_gt": Function(_holds(jnp.greater), _WIDE),
    "unary_ge": Function(_holds(jnp.greater_equal), _WIDE),
    "unary_lt": Function(_holds(jnp.less), _WIDE),
    "unary_le": Function(_holds(jnp.less_equal), _WIDE),
}
"""Every function that takes integers, by its UnaryOpType's name in lower case."""


def apply_chain(chain: Sequence[tuple[str, Parameters]], x: Array) -> Array:
    """`x` after each function of `chain` in turn; parameters are whole numbers that the dtype of `x` holds."""
    for name, parameters in chain:
        if name != "leaky_relu":  # without a negative part there is nothing to scale
            x = FUNCTIONS[name].evaluate(x, *(jnp.asarray(int(value), x.dtype) for value in parameters))
    return x
