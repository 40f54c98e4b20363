"""Heads of attention: splitting fused projections into them, and joining them again (`ttnn.transformer`)."""

from typing import NamedTuple

from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import FLOATS
from tt_jax.errors import ArgumentError
from tt_jax.footprint import Footprint
from tt_jax.kernels import heads as kernel
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_integer, require_options, require_rank, require_tile
from tt_jax.ops._movement import regrouped
from tt_jax.ops._support import Support
from tt_jax.ops.heads_footprint import join_footprint, split_footprint
from tt_jax.program import Operation, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["concatenate_heads", "split_query_key_value_and_split_heads"]

_SPLIT = "split_query_key_value_and_split_heads"


class _Split(NamedTuple):
    num_heads: int
    num_kv_heads: int
    transpose_key: bool
    falcon7b: bool
    memory_config: MemoryConfig


def _split_specs(attributes: _Split, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    x = specs[0]
    heads, kv_heads = attributes.num_heads, attributes.num_kv_heads
    for argument, spec in zip(("input_tensor", "kv_input_tensor"), specs, strict=False):
        require_tile(_SPLIT, argument, spec)
        require_dtype(_SPLIT, argument, spec, FLOATS)
        require_rank(_SPLIT, argument, spec, 3, "[batch, sequence, heads * head_size]")
    batch, sequence, width = x.shape
    parts = heads if len(specs) == 2 else heads + 2 * kv_heads
    head_size, rest = divmod(width, parts)
    if rest or head_size == 0 or head_size % TILE_SIZE:
        raise ArgumentError(
            f"{_SPLIT}: `input_tensor` has width {width}, which {heads} query and {kv_heads} key-value heads cut into pieces of "
            f"{width / parts:g}; a head must be a multiple of {TILE_SIZE} wide"
        )
    if len(specs) == 2 and specs[1].shape != (batch, sequence, 2 * kv_heads * head_size):
        raise ArgumentError(
            f"{_SPLIT}: `kv_input_tensor` must have shape {(batch, sequence, 2 * kv_heads * head_size)} (keys and values of {kv_heads} "
            f"heads of {head_size}); got {specs[1].shape}"
        )
    key = (head_size, sequence) if attributes.transpose_key else (sequence, head_size)
    shapes = (
        (batch, heads, sequence, head_size),
        (batch, kv_heads, *key),
        (batch, kv_heads, sequence, head_size),
    )
    return tuple(TensorSpec(shape, x.dtype, x.layout, attributes.memory_config) for shape in shapes)


def _split_kernel(attributes: _Split, specs: tuple[TensorSpec, ...], x: Array, kv: Array | None = None) -> tuple[Array, ...]:
    q, k, v = kernel.split_query_key_value(x, kv, attributes.num_heads, attributes.num_kv_heads, attributes.transpose_key)
    return q, regrouped(k, specs[0]) if attributes.transpose_key else k, v


def _split_footprint(attributes: _Split, specs: tuple[TensorSpec, ...], device: DeviceProfile) -> Footprint | None:
    """Not known of the other program."""
    return None if attributes.falcon7b else split_footprint(specs, attributes.transpose_key, device)


def _concatenate_specs(attributes: MemoryConfig, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    name = "concatenate_heads"
    require_tile(name, "input_tensor", x)
    require_dtype(name, "input_tensor", x, FLOATS)
    require_rank(name, "input_tensor", x, 4, "[batch, heads, sequence, head_size]")
    batch, heads, sequence, head_size = x.shape
    if head_size % TILE_SIZE:
        raise ArgumentError(
            f"{name}: `input_tensor` {x.shape} has heads of {head_size}, which must be a multiple of {TILE_SIZE}: "
            "pad the weights of the matmul that makes it"
        )
    return (x.replace(shape=(batch, sequence, heads * head_size), memory_config=attributes),)


def _concatenate_kernel(attributes: MemoryConfig, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (kernel.concatenate(x),)


_SPLIT_HEADS = Operation(_SPLIT, _split_specs, _split_kernel, footprint=_split_footprint)
_CONCATENATE_HEADS = Operation(
    "concatenate_heads",
    _concatenate_specs,
    _concatenate_kernel,
    footprint=lambda attributes, specs, device: join_footprint(specs[0], device),
)


def split_query_key_value_and_split_heads(
    memory: MemoryState,
    input_tensor: Tensor,
    kv_input_tensor: Tensor | None = None,
    *,
    num_heads: int,
    num_kv_heads: int | None = None,
    transpose_key: bool = True,
    memory_config: MemoryConfig | None = None,
    use_falcon7b_backend: bool = False,
) -> tuple[MemoryState, tuple[Tensor, Tensor, Tensor]]:
    """Queries, keys and values by head, of a fused projection `[b, s, (num_heads + 2 * num_kv_heads) * d]`.

    Args:
        kv_input_tensor: keys and values `[b, s, 2 * num_kv_heads * d]`; then `input_tensor` holds the queries only.
        num_kv_heads: `num_heads` by default.
        transpose_key: give the keys as `[b, kv, d, s]`, ready for the scores' matmul; a block float is packed anew for that.
        memory_config: of the outputs; that of the input by default.
        use_falcon7b_backend: another program for the same result, for one key-value head.

    Returns the memory and q `[b, h, s, d]`, k `[b, kv, d, s]` or `[b, kv, s, d]`, v `[b, kv, s, d]`.

    Raises ArgumentError if heads do not divide the width into multiples of 32, or shapes, dtypes or layouts do not fit.
    """
    x = require_tensor(_SPLIT, "input_tensor", input_tensor)
    require_options(_SPLIT, memory_config=memory_config)
    require_flags(_SPLIT, transpose_key=transpose_key, use_falcon7b_backend=use_falcon7b_backend)
    num_heads = require_integer(_SPLIT, "num_heads", num_heads, least=1)
    kv_heads = num_heads if num_kv_heads is None else require_integer(_SPLIT, "num_kv_heads", num_kv_heads, least=1)
    inputs = (x,) if kv_input_tensor is None else (x, require_tensor(_SPLIT, "kv_input_tensor", kv_input_tensor))
    memory, (q, k, v) = launch(
        memory,
        _SPLIT_HEADS,
        inputs,
        _Split(num_heads, kv_heads, transpose_key, use_falcon7b_backend, memory_config or x.memory_config),
    )
    return memory, (q, k, v)


def concatenate_heads(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`[b, heads, s, d]` -> `[b, s, heads * d]`. Raises ArgumentError unless `d` is a multiple of 32."""
    x = require_tensor("concatenate_heads", "input_tensor", input_tensor)
    require_options("concatenate_heads", memory_config=memory_config)
    memory, (y,) = launch(memory, _CONCATENATE_HEADS, (x,), memory_config or x.memory_config)
    return memory, y


split_query_key_value_and_split_heads.support = Support(FLOATS, (Layout.TILE,))  # type: ignore[attr-defined]
concatenate_heads.support = Support(FLOATS, (Layout.TILE,))  # type: ignore[attr-defined]
