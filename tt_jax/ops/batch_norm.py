"""Batch norm of channels-first images."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import normalization as kernel
from tt_jax.kernels import packer, rounding
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_options, require_rank, require_tile
from tt_jax.ops._support import Support
from tt_jax.ops.normalization import require_epsilon
from tt_jax.program import Operation, active_cache, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["batch_norm"]

_ALLOWED = (bfloat16, float32)
_NAMES = ("running_mean", "running_var", "weight", "bias")


class BatchNorm(NamedTuple):
    """What batch norm gives while it trains: its output, and the running statistics that were passed, updated."""

    output: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None


class _BatchNorm(NamedTuple):
    training: bool
    epsilon: float
    given: tuple[bool, ...]
    memory_config: MemoryConfig


class _Update(NamedTuple):
    statistic: int
    momentum: float


def _named(attributes: _BatchNorm, rest: tuple[Array, ...]) -> dict[str, Array]:
    return dict(zip((n for n, given in zip(_NAMES, attributes.given, strict=True) if given), rest, strict=True))


def _specs(attributes: _BatchNorm, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    x = specs[0]
    require_rank("batch_norm", "input", x, 4, "[batch, channels, height, width]")
    expected = (1, x.shape[1], 1, 1)
    for argument, spec in zip(("input", *_named(attributes, specs[1:])), specs, strict=True):  # type: ignore[arg-type]
        require_tile("batch_norm", argument, spec)
        require_dtype("batch_norm", argument, spec, _ALLOWED)
        if argument != "input" and spec.shape != expected:
            raise ArgumentError(f"batch_norm: `{argument}` must have shape {expected} for an input {x.shape}, got {spec}")
        if spec.memory_config.is_sharded():
            raise ArgumentError(f"batch_norm: `{argument}` must be interleaved, got {spec}; use sharded_to_interleaved")
    return (x.replace(memory_config=attributes.memory_config),)


def _kernel(attributes: _BatchNorm, specs: tuple[TensorSpec, ...], x: Array, *rest: Array) -> tuple[Array]:
    inputs = _named(attributes, rest)
    mean, variance = inputs.get("running_mean"), inputs.get("running_var")
    if attributes.training:
        mean, variance = kernel.batch_statistics(x)
    assert mean is not None and variance is not None
    dtype = specs[0].dtype.kernel_name
    y = kernel.batch_norm(
        x,
        mean,
        variance,
        inputs.get("weight"),
        inputs.get("bias"),
        epsilon=attributes.epsilon,
        dtype=dtype,  # type: ignore[arg-type]
    )
    return (y,)


def _update_kernel(attributes: _Update, specs: tuple[TensorSpec, ...], running: Array, x: Array) -> tuple[Array]:
    momentum = jnp.float32(attributes.momentum)
    y = (1 - momentum) * rounding.widen(running) + momentum * kernel.batch_statistics(x)[attributes.statistic]
    return (packer.pack(y, specs[0].dtype.kernel_name),)  # type: ignore[arg-type]


_BATCH_NORM = Operation("batch_norm", _specs, _kernel)
_RUNNING_STATISTICS = Operation("running_statistics", lambda a, specs: (specs[0],), _update_kernel, in_place=0)


def batch_norm(
    memory: MemoryState,
    input: Tensor,
    *,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    training: bool = False,
    eps: float = 1e-05,
    momentum: float = 0.1,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    output: Tensor | None = None,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor | BatchNorm]:
    """`(x - mean) / sqrt(variance + eps) * weight + bias` by channel of `[n, c, h, w]`; parameters `[1, c, 1, 1]`.

    float32, rounded once: the device's stages were not measured, so `compute_kernel_config` changes nothing. With `training`
    mean and variance (divided by the count) are the batch's, and running statistics that are passed move towards them by `momentum`,
    in their own buffers; the result is then a `BatchNorm` with them beside the output.

    Raises ArgumentError for another dtype, layout or shape, or missing statistics without `training`.
    """
    require_memory("batch_norm", memory)
    x = require_tensor("batch_norm", "input", input)
    require_options("batch_norm", memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    require_flags("batch_norm", training=training)
    optional = (running_mean, running_var, weight, bias)
    given = [require_tensor("batch_norm", argument, t) for argument, t in zip(_NAMES, optional, strict=True) if t is not None]
    if not training and (running_mean is None or running_var is None):
        raise ArgumentError("batch_norm: `running_mean` and `running_var` are needed unless training=True")
    rate = require_epsilon("batch_norm", momentum, "momentum")
    placement = memory_config or (x if output is None else require_tensor("batch_norm", "output", output)).memory_config
    attributes = _BatchNorm(
        training, require_epsilon("batch_norm", eps, "eps"), tuple(t is not None for t in optional), placement
    )
    with active_cache().all_or_nothing():
        memory, (y,) = launch(memory, _BATCH_NORM, (x, *given), attributes, output)
        if not training or (running_mean is None and running_var is None):
            return memory, y
        updated: list[Tensor | None] = []
        for i, running in enumerate((running_mean, running_var)):
            if running is not None:
                memory, (running,) = launch(memory, _RUNNING_STATISTICS, (running, x), _Update(i, rate))
            updated.append(running)
    return memory, BatchNorm(y, *updated)


batch_norm.support = Support(_ALLOWED, (Layout.TILE,), "float32, rounded once")  # type: ignore[attr-defined]
