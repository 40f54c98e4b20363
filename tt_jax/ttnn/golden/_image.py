"""Golden functions of images `[n, h, w, c]` read at other places than their pixels."""

import math
from typing import Any

from tt_jax.errors import NotModelledError
from tt_jax.ttnn.golden._bind import Row


def _upsample(
    torch: Any,
    input_tensor: Any,
    scale_factor: Any,
    mode: str = "nearest",
    *,
    batch_size: int | None = None,
    input_h: int | None = None,
    input_w: int | None = None,
    channels: int | None = None,
    align_corners: bool | None = None,
) -> Any:
    """Enlarged by `scale_factor` (one, or one per axis).

    Given the four sizes, the image comes in as `[1, 1, n * h * w, c]`, and goes out so.
    """
    sizes = (batch_size, input_h, input_w, channels)
    factor = scale_factor if isinstance(scale_factor, int | float) else tuple(scale_factor)
    options = {"align_corners": bool(align_corners)} if mode == "bilinear" else {}
    image = input_tensor if None in sizes else input_tensor.reshape(sizes)
    result = torch.nn.functional.interpolate(image.movedim(-1, 1), scale_factor=factor, mode=mode, **options).movedim(1, -1)
    return result if None in sizes else result.reshape(1, 1, -1, channels)


def _sampled(torch: Any, image: Any, grid: Any, mode: str, align_corners: bool) -> Any:
    """`image` at normalized (x, y), computed in float64: places exact enough that only true ties are near ties."""
    options = {"mode": mode, "padding_mode": "zeros", "align_corners": align_corners}
    result = torch.nn.functional.grid_sample(image.movedim(-1, 1).double(), grid.double(), **options)
    return result.movedim(1, -1)


def _grid_sample(
    torch: Any,
    input_tensor: Any,
    grid: Any,
    *,
    mode: str = "bilinear",
    align_corners: bool = False,
    use_precomputed_grid: bool = False,
    batch_output_channels: bool = False,
) -> Any:
    """At the k points of each entry of `grid` `[n, gh, gw, 2 * k]`: beside each other, or as channels if `batch_output_channels`.

    Raises NotModelledError for a precomputed grid: it is in a form of the device's own.
    """
    if use_precomputed_grid:
        raise NotModelledError("grid_sample's golden function takes normalized coordinates: pass the grid itself")
    n, rows, columns, _ = grid.shape
    result = _sampled(torch, input_tensor, grid.reshape(n, rows, -1, 2), mode, align_corners).to(input_tensor.dtype)
    return result.reshape(n, rows, columns, -1) if batch_output_channels else result


def _rotate(
    torch: Any,
    input_tensor: Any,
    angle: float,
    center: tuple[float, float] | None = None,
    fill: float = 0.0,
    expand: bool = False,
    interpolation_mode: str = "nearest",
) -> Any:
    """Turned counterclockwise by `angle` degrees about `center` (x, y), with `fill` where nothing was."""
    n, height, width, _ = input_tensor.shape
    cx, cy = ((width - 1) / 2, (height - 1) / 2) if center is None else center
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    y = torch.arange(height, dtype=torch.float64)[:, None] - cy
    x = torch.arange(width, dtype=torch.float64)[None, :] - cx
    column, row = cos * x - sin * y + cx, sin * x + cos * y + cy
    if interpolation_mode == "nearest":
        column, row = torch.floor(column + 0.5), torch.floor(row + 0.5)
    grid = torch.stack(((2 * column + 1) / width - 1, (2 * row + 1) / height - 1), -1)
    values = _sampled(torch, input_tensor.double() - fill, grid.expand(n, -1, -1, -1), interpolation_mode, False)
    return (values + fill).to(input_tensor.dtype)


IMAGE: dict[str, Row] = {"upsample": _upsample, "grid_sample": _grid_sample, "rotate": _rotate}
