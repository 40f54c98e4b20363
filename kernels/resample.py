"""Images `[n, h, w, c]` read at other places than their pixels: scaled, rotated, sampled on a grid.

Moves are exact. Interpolation is float32, with weights as they are computed; the device's are bfloat16 (not recorded).
"""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tt_jax.kernels import numerics, rounding

PRECOMPUTED = {"bilinear": 6, "nearest": 2}
"""Numbers per point of a precomputed grid: row and column of the upper left neighbour, and four weights."""


def repeat(x: Array, rows: int, columns: int) -> Array:
    """Each pixel as a block of `rows x columns`: `[n, h * rows, w * columns, c]`. Any dtype, exact."""
    n, h, w, c = x.shape
    blocks = jnp.broadcast_to(x[:, :, None, :, None], (n, h, rows, w, columns, c))
    return blocks.reshape(n, h * rows, w * columns, c)


def nearest_sources(size: int, scale: float, count: int) -> np.ndarray:
    """Which of `size` pixels each of `count` scaled ones comes from: `floor(i / scale)`, in float32."""
    places = np.floor(np.arange(count, dtype=np.float32) * np.float32(1 / scale)).astype(np.int32)
    return np.minimum(places, size - 1)


def scale_nearest(x: Array, scale: tuple[float, float]) -> Array:
    """The pixel at `floor(i / scale)` for each of `floor(size * scale)`: `[n, oh, ow, c]`. Any dtype, exact."""
    for axis in (1, 2):
        count = int(x.shape[axis] * scale[axis - 1])
        x = jnp.take(x, nearest_sources(x.shape[axis], scale[axis - 1], count), axis=axis)
    return x


def scale_bilinear(x: Array, scale: tuple[int, int]) -> Array:
    """float32 `x` interpolated between pixel centres, `(i + 0.5) / scale - 0.5`, edges kept: `[n, h * sh, w * sw, c]`."""
    for axis in (1, 2):
        size, factor = x.shape[axis], scale[axis - 1]
        place = np.maximum((np.arange(size * factor) + 0.5) / factor - 0.5, 0)
        lower = np.floor(place).astype(np.int32)
        upper = np.minimum(lower + 1, size - 1)
        weight = (place - lower).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
        x = jnp.take(x, lower, axis=axis) * (1 - weight) + jnp.take(x, upper, axis=axis) * weight
    return x


def _pixels(x: Array, row: Array, column: Array, fill: Array | float) -> Array:
    """`x[n, row, column]` `[n, ..., c]` for int32 rows and columns `[n, ...]`; `fill` where they lie outside."""
    n, height, width, channels = x.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    place = jnp.where(inside, row * width + column, 0).reshape(n, -1, 1)
    values = jnp.take_along_axis(x.reshape(n, -1, channels), place, axis=1, mode="promise_in_bounds")
    return jnp.where(inside[..., None], values.reshape(*row.shape, channels), jnp.asarray(fill, x.dtype))


def interpolate(x: Array, row: Array, column: Array, fill: Array | float = 0.0) -> Array:
    """float32 `x` between the four pixels around each float32 (row, column) `[n, ...]`: `[n, ..., c]`; outside of it is `fill`."""
    top, left = jnp.floor(row), jnp.floor(column)
    down, right = (row - top)[..., None], (column - left)[..., None]
    i, j = top.astype(jnp.int32), left.astype(jnp.int32)
    upper = _pixels(x, i, j, fill) * (1 - right) + _pixels(x, i, j + 1, fill) * right
    lower = _pixels(x, i + 1, j, fill) * (1 - right) + _pixels(x, i + 1, j + 1, fill) * right
    return upper * (1 - down) + lower * down


def unnormalize(coordinate: Array, size: int, align_corners: bool) -> Array:
    """Pixel coordinates of normalized ones: -1 and 1 are the outer pixels' centres if `align_corners`, else their outer edges."""
    if align_corners:
        return (coordinate + 1) * ((size - 1) / 2)
    return ((coordinate + 1) * size - 1) * 0.5


def sample(x: Array, grid: Array, align_corners: bool) -> Array:
    """float32 `x` at the normalized (x, y) of float32 `grid` `[n, gh, gw, 2]`: `[n, gh, gw, c]`, zeros outside."""
    column = unnormalize(grid[..., 0], x.shape[2], align_corners)
    row = unnormalize(grid[..., 1], x.shape[1], align_corners)
    return interpolate(x, row, column)


def precompute(grid: Array, height: int, width: int, mode: str, align_corners: bool) -> Array:
    """bfloat16 `[n, gh, gw, 6 or 2]` of normalized float32 coordinates `[n, gh, gw, 2]`, for images of `height x width`.

    The first two numbers are int16 patterns: row and column of the upper left neighbour (of the nearest pixel, if `mode` is
    "nearest"). The others are the weights of the upper left, upper right, lower left and lower right, zero outside the image.
    """
    row, column = unnormalize(grid[..., 1], height, align_corners), unnormalize(grid[..., 0], width, align_corners)
    if mode == "nearest":
        row, column = jnp.floor(row + 0.5), jnp.floor(column + 0.5)
    top, left = jnp.floor(row), jnp.floor(column)
    numerics.require_patterns("a precomputed grid")
    corner = jnp.clip(jnp.stack([top, left], -1), -(2**15), 2**15 - 1).astype(jnp.int16)
    if mode == "nearest":
        return lax.bitcast_convert_type(corner, jnp.bfloat16)
    down, right = row - top, column - left
    weights = []
    for i, vertical in enumerate((1 - down, down)):
        for j, horizontal in enumerate((1 - right, right)):
            inside = (top + i >= 0) & (top + i < height) & (left + j >= 0) & (left + j < width)
            weights.append(jnp.where(inside, vertical * horizontal, 0.0))
    patterns = lax.bitcast_convert_type(rounding.host_bfloat16(jnp.stack(weights, -1)), jnp.int16)
    # Joined as integers: as numbers, small patterns are subnormal and may be flushed.
    return lax.bitcast_convert_type(jnp.concatenate([corner, patterns], -1), jnp.bfloat16)


def sample_precomputed(x: Array, grid: Array, mode: str) -> Array:
    """`x` at the points of a precomputed bfloat16 `grid` `[n, gh, gw, 6 or 2]`: `[n, gh, gw, c]`.

    "nearest" keeps the dtype of `x`; "bilinear" takes float32 `x` and gives float32.
    """
    numerics.require_patterns("a precomputed grid")
    patterns = lax.bitcast_convert_type(grid, jnp.int16)
    corner = patterns[..., :2].astype(jnp.int32)
    row, column = corner[..., 0], corner[..., 1]
    if mode == "nearest":
        return _pixels(x, row, column, 0.0)
    weights = rounding.widen(lax.bitcast_convert_type(patterns[..., 2:], jnp.bfloat16))
    neighbours = [_pixels(x, row + i, column + j, 0.0) for i in (0, 1) for j in (0, 1)]
    return sum((weights[..., k, None] * pixel for k, pixel in enumerate(neighbours)), jnp.zeros((), jnp.float32))


def rotate(x: Array, cosine: Array, sine: Array, center: Array, fill: Array, bilinear: bool) -> Array:
    """`x` turned counterclockwise about `center` `[2]` = (x, y) in pixels; `fill` (in the dtype of `x`) outside of it.

    All scalars are float32. Nearest keeps the dtype of `x`, bilinear takes float32 `x`.
    """
    n, height, width, _ = x.shape
    across = jnp.arange(width, dtype=jnp.float32)[None, :] - center[0]
    down = jnp.arange(height, dtype=jnp.float32)[:, None] - center[1]
    column = across * cosine - down * sine + center[0]
    row = across * sine + down * cosine + center[1]
    row, column = (jnp.broadcast_to(place, (n, height, width)) for place in (row, column))
    if bilinear:
        return interpolate(x, row, column, fill)
    return _pixels(x, jnp.floor(row + 0.5).astype(jnp.int32), jnp.floor(column + 0.5).astype(jnp.int32), fill)
