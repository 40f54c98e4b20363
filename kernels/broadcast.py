"""What `jax.numpy` does about shapes, for operators of `jax.lax`, which want equal ones (NumPy scalars apart).

The kernels on the way to every result are written in `lax`: to trace an operator of `jax.numpy` takes two to three times as long, and
`jnp.where` is a jit of its own, in every program that has it (measured).
"""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike


def spread(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` broadcast to `shape`, the last axis to the last."""
    return x if x.shape == shape else lax.broadcast_in_dim(x, shape, range(len(shape) - x.ndim, len(shape)))


def matched(x: Array, y: Array) -> tuple[Array, Array]:
    """Both, broadcast to one shape."""
    if x.shape == y.shape:
        return x, y
    shape = jnp.broadcast_shapes(x.shape, y.shape)
    return spread(x, shape), spread(y, shape)


def where(condition: Array, x: ArrayLike, y: ArrayLike) -> Array:
    """`x` where `condition` holds, `y` elsewhere: of its shape, or NumPy scalars; of one dtype."""
    x, y = (lax.broadcast(v, condition.shape) if np.ndim(v) < condition.ndim else v for v in (x, y))
    return lax.select(condition, x, y)
