"""Running a kernel over pieces of a large batch, so that what lies between its stages stays in cache.

An attention's scores are tens of megabytes; a temporary of that size costs more in page faults than in arithmetic (on two
CPU cores, zeroing 75 MB takes as long as the whole of QK^T). Results do not depend on it: pieces are independent.
"""

from collections.abc import Callable

import jax
from jax import Array, lax

PIECE = 1 << 20
"""Elements of the result above which a batch is taken apart, along its first axis. Measured on two CPU cores."""


def over_batch(kernel: Callable[..., Array], elements: int, first: Array, *rest: Array) -> Array:
    """`kernel(first, *rest)`, computed for one index of the first axis at a time if `elements`, its result's size, is large.

    The result must have the first axis of `first`. Of the `rest`, those with the same rank and first axis are taken apart
    too; the others (which broadcast) are passed whole. On an accelerator the batch stays whole.
    """
    if first.ndim < 3 or first.shape[0] == 1 or elements < 2 * PIECE or jax.default_backend() != "cpu":
        return kernel(first, *rest)
    split = [x.ndim == first.ndim and x.shape[0] == first.shape[0] for x in rest]

    def piece(taken: tuple[Array, ...]) -> Array:
        parts = iter(taken[1:])
        return kernel(taken[0][None], *[next(parts)[None] if s else x for x, s in zip(rest, split, strict=True)])[0]

    return lax.map(piece, (first, *[x for x, s in zip(rest, split, strict=True) if s]))
