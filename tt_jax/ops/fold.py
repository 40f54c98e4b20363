"""Blocks of pixels folded into channels: what turns a strided convolution into one of stride 1."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet
from tt_jax.dtypes import DataType, bfloat8_b, bfloat16, float32, uint16
from tt_jax.errors import ArgumentError
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import L1_MEMORY_CONFIG, BufferType, MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_integer, require_integers, require_options, require_rank
from tt_jax.ops._support import Support
from tt_jax.ops._window_sharding import rows_over, scaled
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["fold"]

ALLOWED = (bfloat16, float32, bfloat8_b, uint16)
_FOUR_CORES = CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(1, 1))])  # ttnn's default


class _Fold(NamedTuple):
    """`padding`: (before, after) of height, width and channels; `crop`: kept of the result. `channels_first`: input `[n, c, h, w]`."""

    stride: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    channels_first: bool
    flat: bool
    crop: tuple[int, ...] | None
    memory_config: MemoryConfig


def _folded_shape(attributes: _Fold, x: TensorSpec) -> tuple[int, int, int, int]:
    n, height, width, channels = (x.shape[i] for i in ((0, 2, 3, 1) if attributes.channels_first else (0, 1, 2, 3)))
    sizes = [size + sum(pads) for size, pads in zip((height, width, channels), attributes.padding, strict=True)]
    down, across = attributes.stride
    if sizes[0] % down or sizes[1] % across:
        raise ArgumentError(
            f"fold: height {sizes[0]} and width {sizes[1]}, padding counted, must be multiples of stride_h {down} and stride_w {across}"
        )
    return n, sizes[0] // down, sizes[1] // across, sizes[2] * down * across


def _output_specs(attributes: _Fold, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    require_rank("fold", "input", x, 4, "[n, h, w, c]")
    require_dtype("fold", "input", x, ALLOWED)
    n, height, width, channels = _folded_shape(attributes, x)
    if attributes.flat:
        shape: tuple[int, ...] = (1, 1, n * height * width, channels)
    elif attributes.crop is not None:
        shape = attributes.crop
        if len(shape) != 4 or any(not 0 < kept <= size for kept, size in zip(shape, (n, height, width, channels), strict=True)):
            raise ArgumentError(f"fold: `output_shape` {shape} must fit in the folded shape {(n, height, width, channels)}")
    else:
        shape = (n, height, width, channels)
    dtype: DataType = x.dtype if x.dtype in (float32, uint16) else bfloat16
    return (TensorSpec(shape, dtype, Layout.ROW_MAJOR, attributes.memory_config),)


def _kernel(attributes: _Fold, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    n, height, width, channels = _folded_shape(attributes, specs[0])
    (out,) = _output_specs(attributes, specs)
    down, across = attributes.stride
    if attributes.channels_first:
        x = x.transpose(0, 2, 3, 1)
    x = jnp.pad(x, ((0, 0), *attributes.padding))
    blocks = x.reshape(n, height, down, width, across, channels // (down * across))
    y = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(n, height, width, channels)
    if attributes.crop is not None:
        y = y[tuple(slice(size) for size in attributes.crop)]
    return (y.reshape(out.shape),)


_FOLD = Operation("fold", _output_specs, _kernel)


def _padding(value: Any) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Height, width and channels of (height, width), (top, bottom, left, right) or these and (front, back) of the channels."""
    pads = require_integers("fold", "padding", value)
    if len(pads) == 2:
        pads = (pads[0], pads[0], pads[1], pads[1])
    if len(pads) == 4:
        pads = (*pads, 0, 0)
    if len(pads) != 6 or min(pads) < 0:
        raise ArgumentError(
            "fold: `padding` must be (height, width), (top, bottom, left, right) or (top, bottom, left, right, front, back), none "
            f"negative; got {value!r}"
        )
    return (pads[0], pads[1]), (pads[2], pads[3]), (pads[4], pads[5])


def fold(
    memory: MemoryState,
    input: Tensor,
    stride_h: int,
    stride_w: int,
    use_transpose_as_fold: bool = False,
    output_shape: Sequence[int] | None = None,
    padding: Any = (0, 0),
    grid_size: CoreRangeSet | None = None,
    override_memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Images `[n, h, w, c]` with each block of `stride_h x stride_w` pixels folded into the channels, row by row; ROW_MAJOR.

    The result is `[n, h / stride_h, w / stride_w, c * stride_h * stride_w]` for an input in DRAM, and the same flattened to
    `[1, 1, rows, channels]` for one in L1.

    Args:
        use_transpose_as_fold: the input is `[n, c, h, w]`; the result is `[n, h', w', c']` in L1. Of an interleaved input, height
            and width are padded on to multiples of 32 first, which `output_shape` cuts off.
        output_shape: what is kept of the result; with `use_transpose_as_fold` only.
        padding: zeros around the images first: (height, width), (top, bottom, left, right), or six with (front, back) of the channels.
        grid_size: cores over which `use_transpose_as_fold` shards the result of a sharded input; four by default.
        override_memory_config: of the result.

    Values are moved, and a bfloat8_b input comes out as bfloat16. Raises ArgumentError where shapes, strides or dtypes do not fit.
    """
    require_memory("fold", memory)
    if grid_size is not None and not isinstance(grid_size, CoreRangeSet):
        raise ArgumentError(f"fold: `grid_size` must be a CoreRangeSet, got {grid_size!r}")
    x = require_tensor("fold", "input", input)
    down, across = (
        require_integer("fold", "stride_h", stride_h, least=1),
        require_integer("fold", "stride_w", stride_w, least=1),
    )
    require_flags("fold", use_transpose_as_fold=use_transpose_as_fold)
    require_options("fold", memory_config=override_memory_config)
    require_rank("fold", "input", x.spec, 4, "[n, h, w, c]")
    pads = _padding(padding)
    crop = None if output_shape is None else require_integers("fold", "output_shape", output_shape)
    shards = x.memory_config.shard_spec
    if use_transpose_as_fold:
        if shards is None:
            sides = [(near, far + -(x.shape[2 + i] + near + far) % TILE_SIZE) for i, (near, far) in enumerate(pads[:2])]
            pads = (sides[0], sides[1], pads[2])
        flat, placement = False, override_memory_config or L1_MEMORY_CONFIG
    else:
        if crop is not None:
            raise ArgumentError("fold: `output_shape` goes with use_transpose_as_fold=True; without, the strides decide")
        if shards is not None and shards.shape[0] % (x.shape[2] * down):
            raise ArgumentError(
                f"fold: shards of {shards.shape[0]} rows cut through blocks of {down} lines of {x.shape[2]} pixels; shard whole blocks"
            )
        flat = x.memory_config.buffer_type is not BufferType.DRAM
        placement = override_memory_config or scaled(x.memory_config, 1 / (down * across), down * across)
    attributes = _Fold((down, across), pads, use_transpose_as_fold, flat, crop, placement)
    if use_transpose_as_fold and shards is not None and override_memory_config is None:
        n, height, width, channels = crop or _folded_shape(attributes, x.spec)
        attributes = attributes._replace(memory_config=rows_over(grid_size or _FOUR_CORES, n * height * width, channels))
    memory, (y,) = launch(memory, _FOLD, (x,), attributes)
    return memory, y


fold.support = Support(ALLOWED)  # type: ignore[attr-defined]
