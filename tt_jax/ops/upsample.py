"""Images scaled up: upsample."""

from numbers import Real
from typing import Any, NamedTuple

from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import packer, resample, rounding
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_options, require_rank
from tt_jax.ops._movement import regrouped
from tt_jax.ops._support import Support
from tt_jax.ops._window_sharding import scaled
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["upsample"]

ALLOWED = (bfloat16, float32, bfloat8_b)


class _Upsample(NamedTuple):
    scale: tuple[float, float]
    mode: str
    memory_config: MemoryConfig


def _output_specs(attributes: _Upsample, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    require_rank("upsample", "input_tensor", x, 4, "[n, h, w, c]")
    require_dtype("upsample", "input_tensor", x, ALLOWED)
    n, height, width, channels = x.shape
    down, across = attributes.scale
    shape = (n, int(height * down), int(width * across), channels)
    if min(shape[1:3]) < 1:
        raise ArgumentError(f"upsample: `scale_factor` {attributes.scale} leaves no pixel of {x}")
    return (x.replace(shape=shape, memory_config=attributes.memory_config),)


def _kernel(attributes: _Upsample, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    down, across = attributes.scale
    if attributes.mode == "bilinear":
        y = resample.scale_bilinear(rounding.widen(x), (int(down), int(across)))
        return (packer.pack(y, specs[0].dtype.kernel_name),)  # type: ignore[arg-type]
    if isinstance(down, int) and isinstance(across, int):
        return (resample.repeat(x, down, across),)
    return (regrouped(resample.scale_nearest(x, attributes.scale), specs[0]),)


_UPSAMPLE = Operation("upsample", _output_specs, _kernel)


def _scales(value: Any) -> tuple[float, float]:
    """Two scale factors; integers if both are whole."""
    values = tuple(value) if isinstance(value, list | tuple) else (value, value)
    numbers = all(isinstance(factor, Real) and not isinstance(factor, bool) for factor in values)
    if len(values) != 2 or not numbers or min(values) <= 0:
        raise ArgumentError(f"upsample: `scale_factor` must be a positive number, or two for height and width; got {value!r}")
    if all(float(factor).is_integer() for factor in values):
        return int(values[0]), int(values[1])
    return float(values[0]), float(values[1])


def upsample(
    memory: MemoryState,
    input_tensor: Tensor,
    scale_factor: Any,
    *,
    mode: str = "nearest",
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Images `[n, h, w, c]` scaled to `[n, floor(h * sh), floor(w * sw), c]`, in their dtype and layout, and by default where they
    are; shards grow with the images.

    Args:
        scale_factor: one number or (height, width); fractions for "nearest" only.
        mode: "nearest", exact: the pixel at `floor(i / scale)`; or "bilinear" between pixel centres, in float32 and rounded
            once, where the device's weights are bfloat16 (so `compute_kernel_config` changes nothing here).

    Raises ArgumentError for another mode, a scale that is not positive, or an input of another rank or dtype.
    """
    require_memory("upsample", memory)
    x = require_tensor("upsample", "input_tensor", input_tensor)
    require_options("upsample", memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    scale = _scales(scale_factor)
    if mode not in ("nearest", "bilinear"):
        raise ArgumentError(f"upsample: `mode` must be 'nearest' or 'bilinear', got {mode!r}")
    if mode == "bilinear" and not isinstance(scale[0], int):
        raise ArgumentError(f"upsample: mode 'bilinear' needs integer scale factors, got {scale_factor!r}")
    attributes = _Upsample(scale, mode, memory_config or scaled(x.memory_config, scale[0] * scale[1]))
    memory, (y,) = launch(memory, _UPSAMPLE, (x,), attributes)
    return memory, y


upsample.support = Support(ALLOWED)  # type: ignore[attr-defined]
