"""Row-major arrays <-> 32x32 tiles of four 16x16 faces (top-left, top-right, bottom-left, bottom-right).

Source: spec/numerics.md section 2 (measured).
"""

import math

import jax.numpy as jnp
from jax import Array

TILE = 32
FACE = 16


def padded_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with its last two dimensions rounded up to whole tiles; ranks 0 and 1 gain leading ones first.

    >>> padded_shape((2, 40, 7))
    (2, 64, 32)
    >>> padded_shape((7,))
    (32, 32)
    """
    *batch, height, width = (1,) * (2 - len(shape)) + tuple(shape)
    return (*batch, -(-height // TILE) * TILE, -(-width // TILE) * TILE)


def tilize(x: Array, pad_value: float = 0) -> Array:
    """Lay `x` `[..., h, w]` out as tiles `[tiles, 1024]`, batch then tile rows then tile columns, padded to whole tiles.

    Within a tile the four faces follow each other, each row-major. Any dtype.
    """
    target = padded_shape(x.shape)
    x = x.reshape((1,) * (len(target) - x.ndim) + x.shape)
    x = jnp.pad(x, [(0, t - s) for s, t in zip(x.shape, target, strict=True)], constant_values=pad_value)
    rows, columns = target[-2] // TILE, target[-1] // TILE
    faces = x.reshape(math.prod(target[:-2]), rows, 2, FACE, columns, 2, FACE).transpose(0, 1, 4, 2, 5, 3, 6)
    return faces.reshape(math.prod(target) // (TILE * TILE), TILE * TILE)


def untilize(tiles: Array, shape: tuple[int, ...]) -> Array:
    """The row-major array of `shape` in `tiles` `[tiles, 1024]`: the inverse of `tilize`, padding dropped.

    Raises ValueError if the tiles are not those of `shape`.
    """
    target = padded_shape(shape)
    count = math.prod(target) // (TILE * TILE)
    if tiles.shape != (count, TILE * TILE):
        raise ValueError(f"shape {shape} takes {count} tiles of {TILE * TILE} elements; `tiles` has shape {tiles.shape}")
    rows, columns = target[-2] // TILE, target[-1] // TILE
    faces = tiles.reshape(math.prod(target[:-2]), rows, columns, 2, 2, FACE, FACE).transpose(0, 1, 3, 5, 2, 4, 6)
    full = faces.reshape(target)[tuple(slice(s) for s in (1,) * (2 - len(shape)) + tuple(shape))]
    return full.reshape(shape)
