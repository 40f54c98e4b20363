"""Layer norm and RMS norm over the last dimension."""

import math
from typing import Any, Literal, NamedTuple

from jax import Array

from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.footprint import Footprint, FreeL1
from tt_jax.kernels import normalization as kernel
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.normalization_configs import LayerNormProgramConfig, LayerNormShardedMultiCoreProgramConfig
from tt_jax.ops import normalization_footprint as norms
from tt_jax.ops._arguments import require_dtype, require_options, resolve_compute
from tt_jax.ops._support import Support
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["layer_norm", "rms_norm"]

ALLOWED = (float32, bfloat16, bfloat8_b)
_NAMES = ("weight", "bias", "residual_input_tensor")
Norm = Literal["layer_norm", "rms_norm"]


class _Norm(NamedTuple):
    name: Norm
    epsilon: float
    given: tuple[bool, bool, bool]
    welford: bool
    memory_config: MemoryConfig
    compute: ComputeKernelConfig


def _named(attributes: _Norm, rest: tuple[Any, ...]) -> dict[str, Any]:
    """The optional inputs by their names."""
    names = [name for name, given in zip(_NAMES, attributes.given, strict=True) if given]
    return dict(zip(names, rest, strict=True))


def require_row_parameter(operation: str, argument: str, parameter: TensorSpec, x: TensorSpec) -> None:
    """Raise ArgumentError unless `parameter` is a row for the last dimension of `x`, as ttnn checks it.

    In TILE layout one row of tiles as wide as the input's; in ROW_MAJOR layout rows of 32, as many elements as that.
    """
    width, padded = x.shape[-1], x.padded_shape[-1]
    if not parameter.dtype.is_float:
        raise ArgumentError(f"{operation}: `{argument}` must be a float tensor, got {parameter}")
    if parameter.layout is Layout.TILE:
        if parameter.padded_shape[-1] != padded or (parameter.shape[-1] if parameter.shape else 1) < width:
            raise ArgumentError(f"{operation}: `{argument}` must be as wide as the input, {width}; got {parameter}")
        if parameter.padded_shape[-2] != TILE_SIZE:
            raise ArgumentError(f"{operation}: `{argument}` must be one row (of tiles), got {parameter}")
    elif not parameter.shape or parameter.shape[-1] != TILE_SIZE or math.prod(parameter.shape) != padded:
        raise ArgumentError(
            f"{operation}: `{argument}` in ROW_MAJOR layout must be in rows of {TILE_SIZE}, {padded} elements in all (reshape it to "
            f"(1, 1, {padded // TILE_SIZE}, {TILE_SIZE}), or use TILE layout); got {parameter}"
        )


def row_of(parameter: Array, spec: TensorSpec, width: int) -> Array:
    """The `width` values of a row parameter: of its first row, or of all of its rows of 32."""
    flat = parameter.reshape(-1, spec.shape[-1])[0] if spec.layout is Layout.TILE else parameter.reshape(-1)
    return flat[:width]


def _specs(attributes: _Norm, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    x, *rest = specs
    name, inputs = attributes.name, _named(attributes, tuple(rest))
    if name == "rms_norm" and x.layout is not Layout.TILE:
        raise ArgumentError(f"rms_norm: `input_tensor` must have TILE layout, got {x}; convert it with to_layout")
    require_dtype(name, "input_tensor", x, ALLOWED)
    if not x.shape:
        raise ArgumentError(f"{name}: `input_tensor` must have at least one dimension, got {x}")
    residual = inputs.pop("residual_input_tensor", None)
    if residual is not None and (residual.shape, residual.layout) != (x.shape, x.layout):
        raise ArgumentError(f"{name}: `residual_input_tensor` must have the shape and layout of the input, {x}; got {residual}")
    if residual is not None:
        require_dtype(name, "residual_input_tensor", residual, ALLOWED)
    for argument, spec in inputs.items():
        require_row_parameter(name, argument, spec, x)
    return (x.replace(memory_config=attributes.memory_config),)


def _kernel(attributes: _Norm, specs: tuple[TensorSpec, ...], x: Array, *rest: Array) -> tuple[Array]:
    inputs, described = _named(attributes, rest), _named(attributes, specs[1:])
    rows = {name: row_of(inputs[name], described[name], x.shape[-1]) for name in ("weight", "bias") if name in inputs}
    compute = attributes.compute
    y = kernel.normalize(
        x,
        rows.get("weight"),
        rows.get("bias"),
        inputs.get("residual_input_tensor"),
        epsilon=attributes.epsilon,
        dtype=specs[0].dtype.kernel_name,  # type: ignore[arg-type]
        centered=attributes.name == "layer_norm",
        fidelity=compute.math_fidelity.name,  # type: ignore[arg-type]
        fp32_dest=compute.fp32_dest_acc_en,
        approximate=compute.math_approx_mode,
        welford=attributes.welford,
    )
    return (y,)


def _footprint(attributes: _Norm, specs: tuple[TensorSpec, ...], device: DeviceProfile, free: FreeL1) -> Footprint | None:
    """Chosen by the L1 that is free once the output has its place. Not known of sharded programs."""
    if specs[0].memory_config.is_sharded():
        return None
    described = _named(attributes, specs[1:])
    weight, bias, residual = (described.get(name) for name in _NAMES)
    fp32_dest = attributes.compute.fp32_dest_acc_en
    norm = norms.Norm(attributes.name, specs[0], weight, bias, residual, fp32_dest, attributes.welford)
    return norms.row_footprint(device, norm, free.after)


_NORMS = {name: Operation(name, _specs, _kernel, fitted_footprint=_footprint) for name in ("layer_norm", "rms_norm")}
_IN_PLACE = {name: Operation(name, _specs, _kernel, in_place=0) for name in ("layer_norm", "rms_norm")}


def require_epsilon(operation: str, epsilon: Any, argument: str = "epsilon") -> float:
    """`epsilon` as a float. Raises ArgumentError if it is no number."""
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float):
        raise ArgumentError(f"{operation}: `{argument}` must be a number, got {epsilon!r}")
    return float(epsilon)


def default_norm_config(name: Norm, x: TensorSpec) -> ComputeKernelConfig:
    """HiFi4; layer norm with a 32-bit Dst, RMS norm with a 16-bit one and approximations (measured; float32 assumed with 32)."""
    if name == "layer_norm":
        return ComputeKernelConfig(MathFidelity.HiFi4, math_approx_mode=False, fp32_dest_acc_en=True)
    return ComputeKernelConfig(MathFidelity.HiFi4, math_approx_mode=True, fp32_dest_acc_en=x.dtype is float32)


def _run(
    name: Norm,
    memory: MemoryState,
    input_tensor: Tensor,
    epsilon: float,
    optional: tuple[Tensor | None, Tensor | None, Tensor | None],
    memory_config: MemoryConfig | None,
    program_config: LayerNormProgramConfig | None,
    compute_kernel_config: ComputeKernelConfig | None,
) -> tuple[MemoryState, Tensor]:
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    if program_config is not None and not isinstance(program_config, LayerNormProgramConfig):
        raise ArgumentError(f"{name}: `program_config` must be a LayerNormProgramConfig, got {program_config!r}")
    given = [require_tensor(name, argument, t) for argument, t in zip(_NAMES, optional, strict=True) if t is not None]
    in_place = isinstance(program_config, LayerNormShardedMultiCoreProgramConfig) and program_config.inplace
    placement = memory_config or x.memory_config
    if in_place and placement != x.memory_config:
        raise ArgumentError(
            f"{name}: with `inplace` the result lies where the input does, {x.memory_config}; `memory_config` asks for {placement}"
        )
    attributes = _Norm(
        name,
        require_epsilon(name, epsilon),
        tuple(t is not None for t in optional),  # type: ignore[arg-type]
        bool(getattr(program_config, "use_welford", False)),
        placement,
        resolve_compute(name, memory.device, compute_kernel_config, default_norm_config(name, x.spec)),
    )
    memory, (y,) = launch(memory, (_IN_PLACE if in_place else _NORMS)[name], (x, *given), attributes)
    return memory, y


def layer_norm(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    epsilon: float = 1e-12,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    residual_input_tensor: Tensor | None = None,
    memory_config: MemoryConfig | None = None,
    program_config: LayerNormProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    recip_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`(x - mean) / sqrt(variance + epsilon) * weight + bias` over the last dimension, of `x = input_tensor + residual_input_tensor`.

    `weight` and `bias`: one row as wide as the input in TILE layout, or rows of 32 in ROW_MAJOR layout. Every stage rounds as the
    device's does (see `kernels.normalization`). `recip_tensor` holds the reciprocals that `use_welford` reads on the device,
    and changes nothing here.

    Raises ArgumentError for shapes that do not fit, or dtypes other than float32, bfloat16 and bfloat8_b.
    """
    if recip_tensor is not None:
        require_tensor("layer_norm", "recip_tensor", recip_tensor)
    optional = (weight, bias, residual_input_tensor)
    return _run("layer_norm", memory, input_tensor, epsilon, optional, memory_config, program_config, compute_kernel_config)


def rms_norm(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    epsilon: float = 1e-12,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    residual_input_tensor: Tensor | None = None,
    memory_config: MemoryConfig | None = None,
    program_config: LayerNormProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`x / sqrt(mean(x**2) + epsilon) * weight + bias` over the last dimension; everything else as in `layer_norm`, TILE layout only."""
    optional = (weight, bias, residual_input_tensor)
    return _run("rms_norm", memory, input_tensor, epsilon, optional, memory_config, program_config, compute_kernel_config)


layer_norm.support = Support(ALLOWED)  # type: ignore[attr-defined]
rms_norm.support = Support(ALLOWED, (Layout.TILE,))  # type: ignore[attr-defined]
