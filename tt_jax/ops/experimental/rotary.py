"""Rotary position embeddings (`ttnn.experimental.rotary_embedding` and its relatives)."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.dtypes import FLOATS
from tt_jax.errors import ArgumentError
from tt_jax.kernels import rotary as kernel
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import (
    require_dtype,
    require_flags,
    require_integer,
    require_options,
    require_rank,
    require_tile,
    resolve_compute,
)
from tt_jax.ops._support import Support
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["rotary_embedding", "rotary_embedding_hf", "rotary_embedding_llama"]


class _Rotary(NamedTuple):
    name: str
    tokens: bool
    memory_config: MemoryConfig
    compute: ComputeKernelConfig


def _stages(attributes: _Rotary, specs: tuple[Any, ...]) -> dict[str, Any]:
    compute = attributes.compute
    return {
        "dtype": specs[0].dtype.kernel_name,
        "fidelity": compute.math_fidelity.name,
        "fp32_dest": compute.fp32_dest_acc_en,
    }


def _require(attributes: _Rotary, x: TensorSpec, cos: TensorSpec, sin: TensorSpec) -> None:
    name = attributes.name
    for argument, spec in (("input_tensor", x), ("cos_cache", cos), ("sin_cache", sin)):
        require_rank(name, argument, spec, 4, "[1, heads, sequence, head_size]")
        require_tile(name, argument, spec)
        require_dtype(name, argument, spec, FLOATS)
    if cos.shape != sin.shape or cos.dtype is not sin.dtype:
        raise ArgumentError(f"{name}: `cos_cache` ({cos}) and `sin_cache` ({sin}) must have one shape and dtype")
    if cos.shape[-1] != x.shape[-1]:
        raise ArgumentError(f"{name}: `cos_cache` {cos.shape} must be as wide as `input_tensor` {x.shape}")


def _specs(attributes: _Rotary, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    x, cos, sin = specs[:3]
    _require(attributes, x, cos, sin)
    if x.shape[-1] % (2 * TILE_SIZE) or cos.shape[:2] != (1, 1):
        raise ArgumentError(
            f"{attributes.name}: heads must be a multiple of {2 * TILE_SIZE} wide, and `cos_cache` of shape [1, 1, positions, head_size]; "
            f"got {x.shape} and {cos.shape}"
        )
    if not attributes.tokens and cos.shape[2] < x.shape[2]:
        raise ArgumentError(
            f"{attributes.name}: `cos_cache` {cos.shape} has fewer positions than `input_tensor` {x.shape} rows"
        )
    return (x.replace(shape=x.padded_shape, memory_config=attributes.memory_config),)


def _kernel(attributes: _Rotary, specs: tuple[Any, ...], x: Array, cos: Array, sin: Array, *token: Array) -> tuple[Array]:
    rows = specs[0].padded_shape[2]
    if token:
        cos, sin = cos[:, :, token[0]][:, :, None], sin[:, :, token[0]][:, :, None]
    else:
        cos, sin = cos[:, :, : x.shape[2]], sin[:, :, : x.shape[2]]
    y = kernel.rotate(x, cos, sin, **_stages(attributes, specs))
    return (jnp.pad(y, ((0, 0), (0, 0), (0, rows - x.shape[2]), (0, 0))),)


def _llama_specs(attributes: _Rotary, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    name, (x, cos, sin, *turn) = attributes.name, specs
    _require(attributes, x, cos, sin)
    if turn:
        require_tile(name, "trans_mat", turn[0])
        require_dtype(name, "trans_mat", turn[0], FLOATS)
        if len(turn[0].shape) < 2 or turn[0].shape[-1] != TILE_SIZE or turn[0].shape[-2] % TILE_SIZE:
            raise ArgumentError(f"{name}: `trans_mat` must be one tile, {TILE_SIZE} x {TILE_SIZE}; got {turn[0]}")
    if x.shape[-1] % TILE_SIZE:
        raise ArgumentError(f"{name}: heads must be a multiple of {TILE_SIZE} wide; got {x.shape}")
    if attributes.tokens:
        fits = x.shape[0] == 1 and cos.shape[1] in (1, x.shape[1]) and cos.shape[2] in (1, TILE_SIZE)
        expected = "[1, batch, 1, head_size]"
    else:
        fits = cos.shape[1] in (1, x.shape[1]) and cos.shape[2] >= x.shape[2]
        expected = "[1, 1 or heads, sequence or more, head_size]"
    if not fits or cos.shape[0] not in (1, x.shape[0]):
        raise ArgumentError(f"{name}: `cos_cache` must have shape {expected} for {x.shape}; got {cos.shape}")
    return (x.replace(memory_config=attributes.memory_config),)


def _llama_kernel(attributes: _Rotary, specs: tuple[Any, ...], x: Array, cos: Array, sin: Array, *turn: Array) -> tuple[Array]:
    rows = 1 if attributes.tokens else x.shape[2]
    cos, sin = cos[:, :, :rows], sin[:, :, :rows]
    if not turn:
        return (kernel.rotate(x, cos, sin, **_stages(attributes, specs)),)
    matrix = turn[0].reshape(-1, TILE_SIZE)[:TILE_SIZE]
    return (kernel.rotate_by_matrix(x, cos, sin, matrix, **_stages(attributes, specs)),)


_ROTARY = Operation("rotary_embedding", _specs, _kernel)
_LLAMA = Operation("rotary_embedding_llama", _llama_specs, _llama_kernel)
_HF = Operation("rotary_embedding_hf", _llama_specs, _llama_kernel)


def _attributes(
    name: str,
    memory: MemoryState,
    x: Tensor,
    tokens: bool,
    memory_config: MemoryConfig | None,
    compute: ComputeKernelConfig | None,
) -> _Rotary:
    require_memory(name, memory)
    require_options(name, memory_config=memory_config, compute_kernel_config=compute)
    config = resolve_compute(name, memory.device, compute, ComputeKernelConfig(MathFidelity.HiFi4, math_approx_mode=True))
    return _Rotary(name, tokens, memory_config or x.memory_config, config)


def rotary_embedding(
    memory: MemoryState,
    input_tensor: Tensor,
    cos_cache: Tensor,
    sin_cache: Tensor,
    token_index: int | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`x * cos + (-x2, x1) * sin`, where `x1` and `x2` are the halves of each head: `[b, heads, s, d]`, `d` a multiple of 64.

    Args:
        cos_cache, sin_cache: `[1, 1, positions, d]`; row i is for position i.
        token_index: the position of every row: then `input_tensor` is `[1, heads, b, d]`, one token of each of `b` users.
        memory_config: of the output; that of the input by default.

    The output's sequence is in whole tiles (as ttnn's is): rows beyond the input's are 0.
    """
    name = "rotary_embedding"
    tensors = {"input_tensor": input_tensor, "cos_cache": cos_cache, "sin_cache": sin_cache}
    inputs: list[Any] = [require_tensor(name, argument, x) for argument, x in tensors.items()]
    attributes = _attributes(name, memory, input_tensor, token_index is not None, memory_config, compute_kernel_config)
    if token_index is not None:
        token_index = require_integer(name, "token_index", token_index, least=0)
        if len(cos_cache.shape) == 4 and token_index >= cos_cache.shape[2]:
            raise ArgumentError(
                f"{name}: `token_index` {token_index} is beyond the {cos_cache.shape[2]} positions of `cos_cache`"
            )
        inputs.append(np.asarray(token_index, np.int32))
    memory, (y,) = launch(memory, _ROTARY, inputs, attributes)
    return memory, y


def rotary_embedding_llama(
    memory: MemoryState,
    input_tensor: Tensor,
    cos_cache: Tensor,
    sin_cache: Tensor,
    trans_mat: Tensor,
    *,
    is_decode_mode: bool = False,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`x * cos + (x @ trans_mat) * sin`, the matrix applied to each 32 of a head: it exchanges neighbours, with a sign.

    Args:
        input_tensor: `[1, heads, s, d]`, or with `is_decode_mode` `[1, b, heads, d]`, one token of each of `b` users.
        cos_cache, sin_cache: `[1, 1 or heads, s or more, d]`, or with `is_decode_mode` `[1, b, 1, d]`.
        trans_mat: one tile, or one for each core, of which the first counts.
        memory_config: of the output; that of the input by default.
    """
    name = "rotary_embedding_llama"
    tensors = {"input_tensor": input_tensor, "cos_cache": cos_cache, "sin_cache": sin_cache, "trans_mat": trans_mat}
    inputs = [require_tensor(name, argument, x) for argument, x in tensors.items()]
    require_flags(name, is_decode_mode=is_decode_mode)
    attributes = _attributes(name, memory, input_tensor, is_decode_mode, memory_config, compute_kernel_config)
    memory, (y,) = launch(memory, _LLAMA, inputs, attributes)
    return memory, y


def rotary_embedding_hf(
    memory: MemoryState,
    input_tensor: Tensor,
    cos_cache: Tensor,
    sin_cache: Tensor,
    *,
    is_decode_mode: bool = False,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """As `rotary_embedding_llama`, with pairs half a head apart and no matrix."""
    name = "rotary_embedding_hf"
    tensors = {"input_tensor": input_tensor, "cos_cache": cos_cache, "sin_cache": sin_cache}
    inputs = [require_tensor(name, argument, x) for argument, x in tensors.items()]
    require_flags(name, is_decode_mode=is_decode_mode)
    attributes = _attributes(name, memory, input_tensor, is_decode_mode, memory_config, compute_kernel_config)
    memory, (y,) = launch(memory, _HF, inputs, attributes)
    return memory, y


_SUPPORT = Support(FLOATS, (Layout.TILE,), "stages as read in source, not measured")
rotary_embedding.support = rotary_embedding_llama.support = rotary_embedding_hf.support = _SUPPORT  # type: ignore[attr-defined]
