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


def tile_count(shape: tuple[int, ...]) -> int:
    """How many tiles an array of `shape` takes."""
    return math.prod(padded_shape(shape)) // (TILE * TILE)


def pad_to_tiles(x: Array, pad_value: float = 0) -> Array:
    """`x` filled up to its `padded_shape`. Any dtype."""
    target = padded_shape(x.shape)
    x = x.reshape((1,) * (len(target) - x.ndim) + x.shape)
    return jnp.pad(x, [(0, t - s) for s, t in zip(x.shape, target, strict=True)], constant_values=pad_value)


def to_tiles(x: Array, width: int = TILE) -> Array:
    """`x` `[..., h, w]` as tiles `[tiles, 32 * width]`, batch then tile rows then tile columns; `h` and `w` are whole tiles.

    `width` is the number of elements in a row of a tile: fewer than 32 where several values share an element.
    """
    *batch, height, total = x.shape
    rows, columns = height // TILE, total // width
    faces = x.reshape(math.prod(batch), rows, 2, FACE, columns, 2, width // 2).transpose(0, 1, 4, 2, 5, 3, 6)
    return faces.reshape(math.prod(batch) * rows * columns, TILE * width)


def from_tiles(tiles: Array, shape: tuple[int, ...], width: int = TILE) -> Array:
    """The array of `shape` `[..., h, w]`, whole tiles, that `to_tiles` made `tiles` of."""
    *batch, height, total = shape
    faces = tiles.reshape(math.prod(batch), height // TILE, total // width, 2, 2, FACE, width // 2)
    return faces.transpose(0, 1, 3, 5, 2, 4, 6).reshape(shape)


def without_padding(x: Array, shape: tuple[int, ...]) -> Array:
    """The array of `shape` in `x`, which has its `padded_shape`."""
    return x[tuple(slice(s) for s in (1,) * (2 - len(shape)) + tuple(shape))].reshape(shape)


def tilize(x: Array, pad_value: float = 0) -> Array:
    """Lay `x` `[..., h, w]` out as tiles `[tiles, 1024]`, batch then tile rows then tile columns, padded to whole tiles.

    Within a tile the four faces follow each other, each row-major. Any dtype.
    """
    return to_tiles(pad_to_tiles(x, pad_value))


def untilize(tiles: Array, shape: tuple[int, ...]) -> Array:
    """The row-major array of `shape` in `tiles` `[tiles, 1024]`: the inverse of `tilize`, padding dropped.

    Raises ValueError if the tiles are not those of `shape`.
    """
    count = tile_count(shape)
    if tiles.shape != (count, TILE * TILE):
        raise ValueError(f"shape {shape} takes {count} tiles of {TILE * TILE} elements; `tiles` has shape {tiles.shape}")
    return without_padding(from_tiles(tiles, padded_shape(shape)), shape)
