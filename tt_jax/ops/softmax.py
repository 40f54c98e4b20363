"""Softmax, alone and fused with a scale and a mask."""

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.footprint import Footprint
from tt_jax.kernels import packer
from tt_jax.kernels import softmax as kernel
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.normalization_configs import SoftmaxProgramConfig
from tt_jax.ops._arguments import (
    default_softmax_config,
    normalize_dim,
    require_dtype,
    require_flags,
    require_options,
    require_rank,
    require_tile,
    resolve_compute,
)
from tt_jax.ops._support import Support
from tt_jax.ops.layout import tilized
from tt_jax.ops.softmax_footprint import row_footprint
from tt_jax.program import Operation, active_cache, free, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = [
    "scale_causal_mask_hw_dims_softmax_in_place",
    "scale_mask_softmax",
    "scale_mask_softmax_in_place",
    "softmax",
    "softmax_in_place",
]

ALLOWED = (float32, bfloat16, bfloat8_b)

Mask = Literal["row", "causal", "causal_hw"]
"""How a mask meets the scores `[batch, heads, rows, columns]`: one row for all of them, a row each, or a row each for all batches."""


class _Softmax(NamedTuple):
    dim: int
    memory_config: MemoryConfig
    numeric_stable: bool
    compute: ComputeKernelConfig


class _MaskedSoftmax(NamedTuple):
    name: str
    scale: float
    mask: Mask
    in_place: bool
    memory_config: MemoryConfig
    numeric_stable: bool
    compute: ComputeKernelConfig


def _stages(compute: ComputeKernelConfig) -> dict[str, Any]:
    return {
        "fidelity": compute.math_fidelity.name,
        "approximate": compute.math_approx_mode,
        "fp32_dest": compute.fp32_dest_acc_en,
    }


def _softmax_specs(attributes: _Softmax, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    require_tile("softmax", "input_tensor", x)
    require_dtype("softmax", "input_tensor", x, ALLOWED)
    return (x.replace(memory_config=attributes.memory_config),)


def _softmax_kernel(attributes: _Softmax, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    dtype, last = specs[0].dtype.kernel_name, x.ndim - 1
    stages = _stages(attributes.compute)
    if attributes.dim != last or x.ndim > 4:
        stages["approximate"] = False
    if attributes.dim == last:
        return (kernel.softmax(x, dtype=dtype, numeric_stable=attributes.numeric_stable, **stages),)  # type: ignore[arg-type]
    moved = jnp.moveaxis(x, attributes.dim, last)
    between = "float32" if dtype == "float32" else "bfloat16"
    y = kernel.softmax(moved, dtype=between, numeric_stable=attributes.numeric_stable, **stages)  # type: ignore[arg-type]
    return (packer.pack(jnp.moveaxis(y, last, attributes.dim), dtype),)  # type: ignore[arg-type]


def _require_mask(attributes: _MaskedSoftmax, x: TensorSpec, mask: TensorSpec) -> None:
    """Raise ArgumentError unless `mask` fits the scores `x`.

    In place the mask's rows and columns are not looked at, as in ttnn (measured): the program reads tile after tile.
    """
    batch, heads, rows, columns = x.shape
    batches = 1 if attributes.mask == "causal_hw" else batch
    heights = (1, TILE_SIZE) if attributes.mask == "row" else (1, rows)
    per_head = attributes.in_place and x.memory_config.is_sharded()
    fits = mask.shape[0] == batches and mask.shape[1] in ((1, heads) if per_head else (1,))
    if not attributes.in_place:
        fits = fits and mask.shape[2] in heights and mask.shape[3] == columns
    if not fits:
        raise ArgumentError(
            f"{attributes.name}: the mask must have shape ({batches}, 1, {' or '.join(map(str, dict.fromkeys(heights)))}, {columns}) for "
            f"scores {x.shape}; got {mask.shape}. A mask with a row per query is a causal one (is_causal_mask, causal_mask); a mask "
            "per head is an add of its own before a softmax"
        )


def _masked_specs(attributes: _MaskedSoftmax, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    x = specs[0]
    require_tile(attributes.name, "input_tensor", x)
    require_dtype(attributes.name, "input_tensor", x, ALLOWED)
    if len(specs) == 2:
        mask = specs[1]
        require_rank(attributes.name, "input_tensor", x, 4, "[batch, heads, rows, columns]")
        require_rank(attributes.name, "mask", mask, 4, "[batch, 1, rows, columns]")
        if mask.layout is Layout.TILE:
            _require_mask(attributes, x, mask)
        elif mask.shape != (expected := (x.shape[0], 1, x.padded_shape[3] // TILE_SIZE, TILE_SIZE)):
            raise ArgumentError(
                f"{attributes.name}: a ROW_MAJOR mask must have shape {expected}, got {mask}; or use TILE layout"
            )
    return (x.replace(memory_config=attributes.memory_config),)


def _mask_as_read(form: Mask, mask: Array, spec: TensorSpec, x: TensorSpec) -> Array | None:
    """The mask that the program adds to the scores `x`, broadcastable to them; None where it reads beyond the end of `mask`.

    Of a mask that has not the shape of the scores it reads the tiles one after the other (known from the kernel's source, not measured).
    """
    batch, _, rows, columns = x.shape
    if not spec.dtype.is_float:
        mask = mask.astype(jnp.float32)  # the numbers themselves (assumed)
    if spec.layout is Layout.ROW_MAJOR:
        return mask.reshape(batch, 1, 1, -1)[..., :columns]
    if mask.shape[3] == columns and mask.shape[2] in ((1, TILE_SIZE) if form == "row" else (1, rows)):
        return mask[:, :, :1] if form == "row" else mask
    padding = [(0, padded - size) for padded, size in zip(spec.padded_shape, spec.shape, strict=True)]
    high, wide = spec.padded_shape[2] // TILE_SIZE, spec.padded_shape[3] // TILE_SIZE
    tiles = (
        jnp.pad(mask, padding).reshape(-1, high, TILE_SIZE, wide, TILE_SIZE).swapaxes(2, 3).reshape(-1, TILE_SIZE, TILE_SIZE)
    )
    down, across = (1 if form == "row" else x.padded_shape[2] // TILE_SIZE), x.padded_shape[3] // TILE_SIZE
    batches = 1 if form == "causal_hw" else batch
    count = batches * down * across
    if len(tiles) < count:
        return None
    read = tiles[:count].reshape(batches, 1, down, across, TILE_SIZE, TILE_SIZE).swapaxes(3, 4)
    read = read.reshape(batches, 1, down * TILE_SIZE, across * TILE_SIZE)
    return read[:, :, : 1 if form == "row" else rows, :columns]


def _masked_kernel(
    attributes: _MaskedSoftmax, specs: tuple[TensorSpec, ...], x: Array, mask: Array | None = None
) -> tuple[Array]:
    options = {"dtype": specs[0].dtype.kernel_name, "numeric_stable": attributes.numeric_stable, **_stages(attributes.compute)}
    if mask is None:
        return (kernel.softmax(x, **options),)
    read = _mask_as_read(attributes.mask, mask, specs[1], specs[0])
    if read is None:
        return (jnp.full_like(x, jnp.nan),)
    return (kernel.scale_mask_softmax(x, attributes.scale, read, **options),)


def _footprint(attributes: _Softmax | _MaskedSoftmax, specs: tuple[TensorSpec, ...], device: DeviceProfile) -> Footprint | None:
    """Not known of sharded programs, nor of those for other dimensions and for more than four."""
    x = specs[0]
    is_last = not isinstance(attributes, _Softmax) or (attributes.dim == len(x.shape) - 1 and len(x.shape) <= 4)
    if x.memory_config.is_sharded() or not is_last:
        return None
    mask = specs[1] if len(specs) == 2 else None
    stable, compute = attributes.numeric_stable, attributes.compute
    return row_footprint(device, x, mask, numeric_stable=stable, fp32_dest=compute.fp32_dest_acc_en)


_SOFTMAX = Operation("softmax", _softmax_specs, _softmax_kernel, footprint=_footprint)
_SOFTMAX_IN_PLACE = Operation("softmax_in_place", _softmax_specs, _softmax_kernel, in_place=0, footprint=_footprint)
_SCALE_MASK_SOFTMAX = Operation("scale_mask_softmax", _masked_specs, _masked_kernel, footprint=_footprint)
_SCALE_MASK_SOFTMAX_IN_PLACE = Operation(
    "scale_mask_softmax_in_place", _masked_specs, _masked_kernel, in_place=0, footprint=_footprint
)


def _run(
    name: str,
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int,
    memory_config: MemoryConfig | None,
    compute_kernel_config: ComputeKernelConfig | None,
    numeric_stable: bool,
    *,
    in_place: bool,
) -> tuple[MemoryState, Tensor]:
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    require_flags(name, numeric_stable=numeric_stable)
    attributes = _Softmax(
        normalize_dim(name, dim, len(x.shape)),
        memory_config or x.memory_config,
        numeric_stable,
        resolve_compute(name, memory.device, compute_kernel_config, default_softmax_config(memory.device)),
    )
    if in_place or x.layout is Layout.TILE:
        memory, (y,) = launch(memory, _SOFTMAX_IN_PLACE if in_place else _SOFTMAX, (x,), attributes)
        return memory, y
    require_dtype(name, "input_tensor", x.spec, ALLOWED)
    with active_cache().all_or_nothing():
        memory, tiles = tilized(memory, x)
        memory, (y,) = launch(memory, _SOFTMAX, (tiles,), attributes)
    return free(memory, [tiles.buffer]), y


def softmax(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int = -1,
    *,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    numeric_stable: bool = True,
) -> tuple[MemoryState, Tensor]:
    """Softmax over `dim`, in the dtype of the input (float32, bfloat16 or bfloat8_b) and TILE layout; ROW_MAJOR is tilized first.

    Every stage rounds as the device's does, the exponential is the approximate one by default (see `kernels.softmax`).
    Along another than the last dimension, or with more than four, the device has another program, which was not recorded: here the
    same stages run, with the accurate exponential (assumed).

    Raises ArgumentError for another dtype or a `dim` out of range.
    """
    return _run("softmax", memory, input_tensor, dim, memory_config, compute_kernel_config, numeric_stable, in_place=False)


def _require_config(name: str, program_config: SoftmaxProgramConfig | None) -> None:
    if program_config is not None and not isinstance(program_config, SoftmaxProgramConfig):
        raise ArgumentError(f"{name}: `program_config` must be a SoftmaxProgramConfig, got {program_config!r}")


def softmax_in_place(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int = -1,
    *,
    program_config: SoftmaxProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    numeric_stable: bool = True,
) -> tuple[MemoryState, Tensor]:
    """`softmax` in place: the result takes the buffer of `input_tensor`, which is not to be used after that. TILE layout only."""
    _require_config("softmax_in_place", program_config)
    return _run("softmax_in_place", memory, input_tensor, dim, None, compute_kernel_config, numeric_stable, in_place=True)


def fused_softmax(
    name: str,
    memory: MemoryState,
    input_tensor: Tensor,
    scale: float | None,
    mask: Tensor | None,
    *,
    form: Mask,
    in_place: bool,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    numeric_stable: bool = True,
) -> tuple[MemoryState, Tensor]:
    """Softmax of `input_tensor * scale + mask`, in one program; `in_place` puts the result in the buffer of `input_tensor`.

    Out of place, a ROW_MAJOR input or mask is tilized first. Raises ArgumentError for a scale without a mask, or what does not fit.
    """
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    require_flags(name, numeric_stable=numeric_stable)
    if scale is not None and not isinstance(scale, int | float):
        raise ArgumentError(f"{name}: `scale` must be a number, got {scale!r}")
    if mask is None and scale is not None:
        raise ArgumentError(f"{name}: a `scale` needs a `mask`; without one multiply the scores and use softmax")
    attributes = _MaskedSoftmax(
        name,
        1.0 if scale is None else float(scale),
        form,
        in_place,
        memory_config or x.memory_config,
        numeric_stable,
        resolve_compute(name, memory.device, compute_kernel_config, default_softmax_config(memory.device)),
    )
    inputs = [x] if mask is None else [x, require_tensor(name, "mask", mask)]
    if in_place:
        memory, (y,) = launch(memory, _SCALE_MASK_SOFTMAX_IN_PLACE, inputs, attributes)
        return memory, y
    made = []
    with active_cache().all_or_nothing():
        for i, t in enumerate(inputs):
            if t.layout is not Layout.TILE:
                memory, inputs[i] = tilized(memory, t)
                made.append(inputs[i].buffer)
        memory, (y,) = launch(memory, _SCALE_MASK_SOFTMAX, inputs, attributes)
    return free(memory, made), y


def scale_mask_softmax(
    memory: MemoryState,
    input_tensor: Tensor,
    scale: float | None = None,
    mask: Tensor | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    is_causal_mask: bool = False,
    compute_kernel_config: ComputeKernelConfig | None = None,
    numeric_stable: bool = True,
) -> tuple[MemoryState, Tensor]:
    """Softmax of `input_tensor * scale + mask` over the last dimension, in one program; scores `[batch, heads, rows, columns]`.

    `mask` is `[batch, 1, 1, columns]` (or a tile of 32 rows, of which the first counts), with `is_causal_mask` `[batch, 1, rows,
    columns]`. Every stage rounds as the device's does, see `kernels.softmax`.

    Raises ArgumentError for another mask, a dtype other than float32, bfloat16 and bfloat8_b, or a scale without a mask.
    """
    require_flags("scale_mask_softmax", is_causal_mask=is_causal_mask)
    return fused_softmax(
        "scale_mask_softmax",
        memory,
        input_tensor,
        scale,
        mask,
        form="causal" if is_causal_mask else "row",
        in_place=False,
        memory_config=memory_config,
        compute_kernel_config=compute_kernel_config,
        numeric_stable=numeric_stable,
    )


def scale_mask_softmax_in_place(
    memory: MemoryState,
    input_tensor: Tensor,
    scale: float | None = None,
    mask: Tensor | None = None,
    *,
    program_config: SoftmaxProgramConfig | None = None,
    is_causal_mask: bool = False,
    compute_kernel_config: ComputeKernelConfig | None = None,
    numeric_stable: bool = False,
) -> tuple[MemoryState, Tensor]:
    """`scale_mask_softmax` in the buffer of `input_tensor`, which is not to be used after that. It does not tilize.

    A mask in ROW_MAJOR layout is `[batch, 1, columns / 32, 32]`. In TILE layout its rows and columns are not looked at, as in ttnn: the
    program reads tile after tile, and where it reads beyond the mask's end the result is NaN.
    """
    _require_config("scale_mask_softmax_in_place", program_config)
    require_flags("scale_mask_softmax_in_place", is_causal_mask=is_causal_mask)
    return fused_softmax(
        "scale_mask_softmax_in_place",
        memory,
        input_tensor,
        scale,
        mask,
        form="causal" if is_causal_mask else "row",
        in_place=True,
        compute_kernel_config=compute_kernel_config,
        numeric_stable=numeric_stable,
    )


def scale_causal_mask_hw_dims_softmax_in_place(
    memory: MemoryState,
    input_tensor: Tensor,
    scale: float | None = None,
    mask: Tensor | None = None,
    *,
    program_config: SoftmaxProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    numeric_stable: bool = False,
) -> tuple[MemoryState, Tensor]:
    """`scale_mask_softmax_in_place` with one causal mask `[1, 1, rows, columns]` for every batch and head."""
    name = "scale_causal_mask_hw_dims_softmax_in_place"
    _require_config(name, program_config)
    return fused_softmax(
        name,
        memory,
        input_tensor,
        scale,
        mask,
        form="causal_hw",
        in_place=True,
        compute_kernel_config=compute_kernel_config,
        numeric_stable=numeric_stable,
    )


softmax.support = scale_mask_softmax.support = Support(ALLOWED)  # type: ignore[attr-defined]
softmax_in_place.support = scale_mask_softmax_in_place.support = Support(ALLOWED, (Layout.TILE,))  # type: ignore[attr-defined]
scale_causal_mask_hw_dims_softmax_in_place.support = Support(ALLOWED, (Layout.TILE,))  # type: ignore[attr-defined]
