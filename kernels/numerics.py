"""How closely the kernels follow the device: one switch, which `jax.jit` keys its traces by.

    fast      the default: element-wise work, packing, casts and stages bit for bit; dot products in closed form, float32 sums
    device    the matrix unit too, bit for bit: groups of eight products, aligned sums of 12 bits, a 16- or 32-bit Dst
    float32   nothing rounds and nothing is approximated: the function that a program stands for, in float32 throughout

`float32` is what errors are measured against and what gradients are those of. Its arrays are float32 whatever the tensors' dtypes
(integers stay), so tensors made at another level are widened, and those made at it should not leave it.
"""

import os
from contextlib import AbstractContextManager
from typing import Literal, get_args

import jax

Level = Literal["fast", "device", "float32"]

LEVELS: tuple[Level, ...] = get_args(Level)


def _checked(level: str, source: str) -> str:
    if level not in LEVELS:
        raise ValueError(f"{source} {level!r} is unknown: expected one of {', '.join(map(repr, LEVELS))}")
    return level


_context = jax.make_user_context(_checked(os.environ.get("TT_JAX_NUMERICS", "fast"), "TT_JAX_NUMERICS"))


def numerics(level: Level) -> AbstractContextManager[None]:
    """A `with` block at `level`: "fast", "device" or "float32". Outside any, TT_JAX_NUMERICS says, or "fast".

    What `jax.jit` has traced at one level is traced anew at another. The level is the thread's own. Raises ValueError on another.
    """
    return _context(_checked(level, "level"))


def level() -> Level:
    """The level in force."""
    return _context.value


def is_rounded() -> bool:
    """Whether anything rounds: at every level but "float32"."""
    return _context.value != "float32"


def require_patterns(what: str) -> None:
    """Raise NotImplementedError where nothing rounds: `what` reads the bits of a bfloat16, which float32 values have not."""
    if not is_rounded():
        raise NotImplementedError(
            f"{what} reads bit patterns, which level 'float32' does not keep: run it at 'fast' or 'device'"
        )
