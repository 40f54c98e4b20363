"""Pooling windows over images `[n, h, w, c]`: maxima, where they are, and means.

A window is cut into its rows and columns of taps, each a strided slice: maxima and sums separate. Compiled, this is one pass.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

Pair = tuple[int, int]

_ALL_AT_ONCE = 64  # a window of more taps, seen once, is reduced as a whole


class Window(NamedTuple):
    """Where a pooling looks. `padding` is ((top, bottom), (left, right)); `ceil` keeps a last window that hangs over the edge."""

    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    ceil: bool = False

    def output_size(self, height: int, width: int) -> Pair:
        """Height and width of the output; below 1 where the window does not fit. With `ceil`, no window starts in the far padding."""
        sizes = []
        for i, size in enumerate((height, width)):
            (near, far), stride = self.padding[i], self.stride[i]
            room = size + near + far - self.dilation[i] * (self.kernel[i] - 1) - 1
            count = (-(-room // stride) if self.ceil else room // stride) + 1
            if self.ceil and (count - 1) * stride >= size + near:
                count -= 1
            sizes.append(count)
        return sizes[0], sizes[1]


def _padded(x: Array, window: Window, fill: float) -> Array:
    """`x` with what its windows see around it: the padding, and what hangs over in `ceil` mode."""
    pads = [(0, 0)]
    for i, count in enumerate(window.output_size(x.shape[1], x.shape[2])):
        near, far = window.padding[i]
        reach = (count - 1) * window.stride[i] + window.dilation[i] * (window.kernel[i] - 1) + 1
        pads.append((near, max(far, reach - near - x.shape[1 + i])))
    return jnp.pad(x, (*pads, (0, 0)), constant_values=fill)


def _taps(x: Array, window: Window, axis: int, count: int) -> Iterator[Array]:
    """For each tap of the window along image axis `axis` (0 or 1), what the `count` windows see there."""
    stride = window.stride[axis]
    for tap in range(window.kernel[axis]):
        start = tap * window.dilation[axis]
        yield lax.slice_in_dim(x, start, start + (count - 1) * stride + 1, stride, 1 + axis)


def _reduced(x: Array, window: Window, combine: Callable[[Array, Array], Array], whole: Callable[..., Array]) -> Array:
    """Padded `x` reduced over its windows: columns first, then rows."""
    unpadded = window._replace(padding=((0, 0), (0, 0)), ceil=False)
    counts = unpadded.output_size(x.shape[1], x.shape[2])
    for axis in (1, 0):
        if counts[axis] == 1 and window.kernel[axis] > _ALL_AT_ONCE:
            seen = lax.slice_in_dim(
                x, 0, window.dilation[axis] * (window.kernel[axis] - 1) + 1, window.dilation[axis], 1 + axis
            )
            x = whole(seen, axis=1 + axis, keepdims=True)
            continue
        taps = _taps(x, window, axis, counts[axis])
        y = next(taps)
        for tap in taps:
            y = combine(y, tap)
        x = y
    return x


def _trimmed(x: Array, window: Window, size: Pair) -> Array:
    return x[:, : size[0], : size[1]]


def max_pool(x: Array, window: Window) -> Array:
    """The largest value of each window, in the dtype of `x` (a float): `[n, oh, ow, c]`, exact."""
    size = window.output_size(x.shape[1], x.shape[2])
    return _trimmed(_reduced(_padded(x, window, -jnp.inf), window, jnp.maximum, jnp.max), window, size)


def max_pool_indices(x: Array, window: Window) -> Array:
    """int32 `[n, oh, ow, c]`: where each maximum stands in its image, `row * w + column`; the first of equal ones, row by row."""
    _, height, width, _ = x.shape
    size = window.output_size(height, width)
    position = jnp.broadcast_to(jnp.arange(height * width, dtype=jnp.int32).reshape(1, height, width, 1), x.shape)
    values, places = _padded(x, window, -jnp.inf), _padded(position, window, 0)
    for axis, count in ((1, size[1]), (0, size[0])):
        pairs = zip(_taps(values, window, axis, count), _taps(places, window, axis, count), strict=True)
        values, places = next(pairs)
        for value, place in pairs:
            larger = value > values
            values, places = jnp.where(larger, value, values), jnp.where(larger, place, places)
    return places


def counted(window: Window, height: int, width: int, with_padding: bool) -> np.ndarray:
    """Pixels under each window, float32 `[oh, ow]`: those of the image, or with its padding too; never what hangs over beyond."""
    sides = []
    for i, (size, count) in enumerate(zip((height, width), window.output_size(height, width), strict=True)):
        near, far = window.padding[i]
        first, last = (-near, size + far) if with_padding else (0, size)
        taps = np.arange(count)[:, None] * window.stride[i] - near + np.arange(window.kernel[i]) * window.dilation[i]
        sides.append(((taps >= first) & (taps < last)).sum(1))
    return np.outer(*sides).astype(np.float32)


def average_pool(x: Array, window: Window, divisor: np.ndarray) -> Array:
    """float32 `[n, oh, ow, c]`: the sum of each window of float32 `x` over `divisor` `[oh, ow]`."""
    size = window.output_size(x.shape[1], x.shape[2])
    total = _trimmed(_reduced(_padded(x, window, 0.0), window, jnp.add, jnp.sum), window, size)
    return total / jnp.asarray(divisor)[None, :, :, None]
