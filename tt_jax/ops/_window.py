"""Arguments that convolutions and poolings share: pairs, padding, images flattened to rows of channels."""

import math
from collections.abc import Iterable
from typing import Any

from tt_jax.conv_configs import Op2DSliceConfig
from tt_jax.errors import ArgumentError
from tt_jax.memory import TensorMemoryLayout
from tt_jax.ops._arguments import require_integer, require_integers
from tt_jax.tensor import TensorSpec

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


def require_pair(operation: str, argument: str, value: Any, least: int = 0) -> Pair:
    """`value`, one integer or two (height, width), as two. Raises ArgumentError if they are none, or less than `least`."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        values = require_integers(operation, argument, value)
    else:
        values = (require_integer(operation, argument, value),) * 2
    if len(values) != 2 or min(values) < least:
        raise ArgumentError(
            f"{operation}: `{argument}` must be two integers, height and width, of at least {least}; got {value!r}"
        )
    return values


def require_padding(operation: str, value: Any) -> Padding:
    """((top, bottom), (left, right)) of one integer, (height, width) or (top, bottom, left, right). Raises ArgumentError otherwise."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        values = require_integers(operation, "padding", value)
    else:
        values = (require_integer(operation, "padding", value),) * 2
    if len(values) == 2:
        values = (values[0], values[0], values[1], values[1])
    if len(values) != 4 or min(values) < 0:
        raise ArgumentError(
            f"{operation}: `padding` must be (height, width) or (top, bottom, left, right), none negative; got {value!r}"
        )
    return (values[0], values[1]), (values[2], values[3])


def require_slice_config(operation: str, argument: str, value: Any) -> None:
    """Raise ArgumentError unless `value` is None or an Op2DSliceConfig."""
    if value is not None and not isinstance(value, Op2DSliceConfig):
        raise ArgumentError(f"{operation}: `{argument}` must be an Op2DSliceConfig (Conv2dSliceConfig), got {value!r}")


def require_shard_scheme(operation: str, value: Any) -> None:
    """Raise ArgumentError unless `value` is None or a sharded TensorMemoryLayout."""
    if value is not None and (not isinstance(value, TensorMemoryLayout) or value is TensorMemoryLayout.INTERLEAVED):
        raise ArgumentError(
            f"{operation}: `applied_shard_scheme` must be HEIGHT_SHARDED, WIDTH_SHARDED or BLOCK_SHARDED, got {value!r}"
        )


def require_image(operation: str, spec: TensorSpec, batch: int, height: int, width: int, channels: int, exact: bool) -> None:
    """Raise ArgumentError unless `spec` holds `batch` images of `height x width` pixels, channels last.

    Any shape will do whose last dimension is the channels: `[1, 1, n * h * w, c]`, `[n, h, w, c]`, ... Without `exact` there may
    be more channels than `channels`, of which the first count.
    """
    shape = spec.shape
    fits = bool(shape) and math.prod(shape[:-1]) == batch * height * width
    if not fits or shape[-1] < channels or (exact and shape[-1] != channels):
        raise ArgumentError(
            f"{operation}: `input_tensor` must hold {batch} images of {height}x{width} pixels and {channels} channels, as "
            f"[{batch}, {height}, {width}, {channels}] or [1, 1, {batch * height * width}, {channels}]; got {spec}"
        )
