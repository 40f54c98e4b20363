"""Images read at places that are computed: grid_sample and rotate."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.dtypes import DataType, bfloat16, float32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import packer, resample, rounding
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.memory.shard import ShardSpec
from tt_jax.ops._arguments import require_dtype, require_flags, require_integers, require_options, require_rank
from tt_jax.ops._support import Support
from tt_jax.ops._window_sharding import scaled
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["grid_sample", "prepare_grid_sample_grid", "rotate"]

ALLOWED = (bfloat16, float32)
_MODES = ("bilinear", "nearest")


class _GridSample(NamedTuple):
    mode: str
    align_corners: bool
    precomputed: bool
    to_channels: bool
    memory_config: MemoryConfig

    @property
    def per_point(self) -> int:
        """Numbers per point of the grid."""
        return _per_point(self.mode, self.precomputed)


class _PrepareGrid(NamedTuple):
    height: int
    width: int
    mode: str
    align_corners: bool
    dtype: DataType


class _Rotate(NamedTuple):
    bilinear: bool
    memory_config: MemoryConfig


def _per_point(mode: str, precomputed: bool) -> int:
    return resample.PRECOMPUTED[mode] if precomputed else 2


def _beside(grid: Tensor, x: Tensor, per_point: int, to_channels: bool) -> MemoryConfig:
    """The config of an output sharded as `grid` is: each core has the pixels of its points."""
    points = max(1, grid.shape[-1] // per_point)
    shards = scaled(grid.memory_config, 1 if to_channels else points)
    assert shards.shard_spec is not None
    width = x.shape[-1] * (points if to_channels else 1)
    spec = ShardSpec(shards.shard_spec.grid, (shards.shard_spec.shape[0], width), shards.shard_spec.orientation)
    return shards.with_shard_spec(spec)


def _require_rows(operation: str, argument: str, spec: TensorSpec) -> None:
    if spec.layout is not Layout.ROW_MAJOR:
        raise ArgumentError(f"{operation}: `{argument}` must have ROW_MAJOR layout, got {spec}; convert it with to_layout")


def _sample_specs(attributes: _GridSample, specs: tuple[TensorSpec, TensorSpec]) -> tuple[TensorSpec]:
    name = "grid_sample"
    x, grid = specs
    for argument, spec, meaning in (("input_tensor", x, "[n, h, w, c]"), ("grid", grid, "[n, gh, gw, numbers]")):
        require_rank(name, argument, spec, 4, meaning)
        require_dtype(name, argument, spec, ALLOWED)
        _require_rows(name, argument, spec)
    if attributes.precomputed and grid.dtype is not bfloat16:
        raise ArgumentError(f"{name}: a precomputed grid must be bfloat16 (row and column are bit patterns), got {grid}")
    points = grid.shape[3] // attributes.per_point
    if points < 1 or grid.shape[3] % attributes.per_point:
        raise ArgumentError(
            f"{name}: the last dimension of `grid` must be a multiple of {attributes.per_point}, what one point takes; got {grid}"
        )
    if x.shape[0] != grid.shape[0]:
        raise ArgumentError(f"{name}: `input_tensor` {x.shape} and `grid` {grid.shape} must have the same batch size")
    if attributes.to_channels and points == 1:
        raise ArgumentError(
            f"{name}: batch_output_channels=True needs several points in the last dimension of `grid`, got {grid}"
        )
    n, height, width, _ = grid.shape
    channels = x.shape[3]
    shape = (n, height, width, channels * points) if attributes.to_channels else (n, height, width * points, channels)
    return (TensorSpec(shape, x.dtype, Layout.ROW_MAJOR, attributes.memory_config),)


def _sample_kernel(attributes: _GridSample, specs: tuple[TensorSpec, TensorSpec], x: Array, grid: Array) -> tuple[Array]:
    n, height, width, _ = grid.shape
    points = grid.reshape(n, height, -1, attributes.per_point)
    dtype = specs[0].dtype.kernel_name
    if attributes.mode == "nearest":
        y = resample.sample_precomputed(x, points, attributes.mode)
    elif attributes.precomputed:
        y = packer.pack(resample.sample_precomputed(rounding.widen(x), points, attributes.mode), dtype)  # type: ignore[arg-type]
    else:
        y = packer.pack(
            resample.sample(rounding.widen(x), rounding.widen(points), attributes.align_corners),
            dtype,  # type: ignore[arg-type]
        )
    return (y.reshape(_sample_specs(attributes, specs)[0].shape),)


def _grid_specs(attributes: _PrepareGrid, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    name = "prepare_grid_sample_grid"
    (grid,) = specs
    require_rank(name, "grid", grid, 4, "[n, gh, gw, 2]")
    require_dtype(name, "grid", grid, ALLOWED)
    if grid.shape[3] != 2:
        raise ArgumentError(f"{name}: `grid` must have shape [n, gh, gw, 2], got {grid}")
    return (grid.replace(shape=(*grid.shape[:3], resample.PRECOMPUTED[attributes.mode]), dtype=attributes.dtype),)


def _grid_kernel(attributes: _PrepareGrid, specs: tuple[TensorSpec], grid: Array) -> tuple[Array]:
    a = attributes
    return (resample.precompute(rounding.widen(grid), a.height, a.width, a.mode, a.align_corners),)


def _rotate_specs(attributes: _Rotate, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    x = specs[0]
    require_rank("rotate", "input_tensor", x, 4, "[n, h, w, c]")
    _require_rows("rotate", "input_tensor", x)
    require_dtype("rotate", "input_tensor", x, ALLOWED)
    return (x.replace(memory_config=attributes.memory_config),)


def _rotate_kernel(attributes: _Rotate, specs: tuple[TensorSpec, ...], x: Array, how: Array) -> tuple[Array]:
    image = rounding.widen(x) if attributes.bilinear else x
    y = resample.rotate(image, how[0], how[1], how[2:4], how[4], attributes.bilinear)
    return (packer.pack(y, specs[0].dtype.kernel_name) if attributes.bilinear else y,)  # type: ignore[arg-type]


_GRID_SAMPLE = Operation("grid_sample", _sample_specs, _sample_kernel, reads_part=True)
_PREPARE_GRID = Operation("prepare_grid_sample_grid", _grid_specs, _grid_kernel)
_ROTATE = Operation("rotate", _rotate_specs, _rotate_kernel)


def _require_sampling(name: str, mode: str, padding_mode: str) -> None:
    if mode not in _MODES:
        raise ArgumentError(f"{name}: `mode` must be 'bilinear' or 'nearest', got {mode!r}")
    if padding_mode != "zeros":
        raise ArgumentError(f"{name}: `padding_mode` must be 'zeros', all that the device knows; got {padding_mode!r}")


def grid_sample(
    memory: MemoryState,
    input_tensor: Tensor,
    grid: Tensor,
    *,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
    use_precomputed_grid: bool = False,
    batch_output_channels: bool = False,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Images `[n, h, w, c]` at the points of `grid` `[n, gh, gw, 2 * k]`: `[n, gh, gw * k, c]`, zeros outside of the image.

    Points are normalized (x, y), -1 to 1. With `use_precomputed_grid`, `grid` is what `prepare_grid_sample_grid` makes, `6 * k` numbers
    wide (`2 * k` for "nearest"), and `align_corners` was settled there. `batch_output_channels` puts the k points of a place
    beside each other in the channels, `[n, gh, gw, c * k]`. Inputs are bfloat16 or float32, ROW_MAJOR.

    "nearest" is exact and, as in ttnn, needs a precomputed grid. "bilinear" is float32, rounded once.

    `memory_config` is by default that of the input; if the grid is sharded, shards on its cores.

    Raises ArgumentError for shapes, dtypes, layouts or modes that do not fit.
    """
    name = "grid_sample"
    require_memory(name, memory)
    x, points = require_tensor(name, "input_tensor", input_tensor), require_tensor(name, "grid", grid)
    require_options(name, memory_config=memory_config)
    require_flags(
        name,
        align_corners=align_corners,
        use_precomputed_grid=use_precomputed_grid,
        batch_output_channels=batch_output_channels,
    )
    _require_sampling(name, mode, padding_mode)
    if mode == "nearest" and not use_precomputed_grid:
        raise ArgumentError(
            f"{name}: mode 'nearest' needs a precomputed grid; make it with prepare_grid_sample_grid(mode='nearest')"
        )
    settled = align_corners and not use_precomputed_grid
    if memory_config is None and points.memory_config.shard_spec is not None:
        memory_config = _beside(points, x, _per_point(mode, use_precomputed_grid), batch_output_channels)
    attributes = _GridSample(mode, settled, use_precomputed_grid, batch_output_channels, memory_config or x.memory_config)
    memory, (y,) = launch(memory, _GRID_SAMPLE, (x, points), attributes)
    return memory, y


def prepare_grid_sample_grid(
    memory: MemoryState,
    grid: Tensor,
    input_shape: Any,
    *,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
    output_dtype: DataType | None = None,
) -> tuple[MemoryState, Tensor]:
    """Normalized points `[n, gh, gw, 2]` as neighbours and weights for images of `input_shape` `(n, h, w, c)`: `[n, gh, gw, 6]`.

    Row and column of the upper left neighbour are int16 bit patterns in bfloat16, then come four weights; "nearest" has row and
    column alone. See `kernels.resample.precompute`. ttnn prepares grids on the host.

    Raises ArgumentError for shapes or modes that do not fit, and NotModelledError for an `output_dtype` other than bfloat16.
    """
    name = "prepare_grid_sample_grid"
    require_memory(name, memory)
    points = require_tensor(name, "grid", grid)
    require_options(name, dtype=output_dtype)
    require_flags(name, align_corners=align_corners)
    _require_sampling(name, mode, padding_mode)
    shape = require_integers(name, "input_shape", input_shape)
    if len(shape) != 4 or min(shape) < 1:
        raise ArgumentError(f"{name}: `input_shape` must be (n, h, w, c), got {shape}")
    if output_dtype not in (None, bfloat16):
        raise NotModelledError(f"{name}: only bfloat16 grids are modelled, which grid_sample takes; got {output_dtype}")
    attributes = _PrepareGrid(shape[1], shape[2], mode, align_corners, bfloat16)
    memory, (y,) = launch(memory, _PREPARE_GRID, (points,), attributes)
    return memory, y


def rotate(
    memory: MemoryState,
    input_tensor: Tensor,
    angle: float,
    *,
    center: tuple[float, float] | None = None,
    fill: float = 0.0,
    expand: bool = False,
    interpolation_mode: str = "nearest",
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Images `[n, h, w, c]` turned by `angle` degrees, counterclockwise, about `center`; same shape, `fill` where nothing was.

    Args:
        input_tensor: bfloat16 or float32, ROW_MAJOR.
        center: (x, y) in pixels; the middle, `((w - 1) / 2, (h - 1) / 2)`, by default.
        interpolation_mode: "nearest" (exact values; ties upward), or "bilinear" (float32, rounded once).

    Places are float32, where the device's are fixed-point numbers with 16 fractional bits (documented in its tests), so near ties
    another pixel may be the nearest. The program depends on no angle.

    Raises ArgumentError for `expand`, another mode, or a tensor that does not fit.
    """
    name = "rotate"
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, memory_config=memory_config)
    require_flags(name, expand=expand)
    if expand:
        raise ArgumentError(f"{name}: expand=True is not supported by the device: the output has the shape of the input")
    if interpolation_mode not in _MODES:
        raise ArgumentError(f"{name}: `interpolation_mode` must be 'nearest' or 'bilinear', got {interpolation_mode!r}")
    require_rank(name, "input_tensor", x.spec, 4, "[n, h, w, c]")
    try:
        middle = ((x.shape[2] - 1) / 2, (x.shape[1] - 1) / 2) if center is None else (float(center[0]), float(center[1]))
        turn = math.radians(float(angle) % 360)
        how = np.array([math.cos(turn), math.sin(turn), *middle, float(fill)], np.float32)
    except (TypeError, ValueError, IndexError):
        raise ArgumentError(
            f"{name}: `angle` and `fill` must be numbers and `center` two, got {angle!r}, {fill!r} and {center!r}"
        ) from None
    scalars = jnp.asarray(how)
    attributes = _Rotate(interpolation_mode == "bilinear", memory_config or x.memory_config)
    memory, (y,) = launch(memory, _ROTATE, (x, scalars), attributes)
    return memory, y


grid_sample.support = rotate.support = prepare_grid_sample_grid.support = Support(  # type: ignore[attr-defined]
    ALLOWED, (Layout.ROW_MAJOR,)
)
