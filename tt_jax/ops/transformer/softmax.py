"""The softmax of attention scores, with the attention's scale and mask (`ttnn.transformer.attention_softmax`)."""

import math
from typing import Any

from tt_jax.dtypes import bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels.softmax import head_scale
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_integer, require_options, require_tile
from tt_jax.ops._support import Support
from tt_jax.ops.binary import multiply
from tt_jax.ops.creation import deallocate
from tt_jax.ops.softmax import fused_softmax, softmax
from tt_jax.program import active_cache, require_memory, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["attention_softmax", "attention_softmax_"]

ALLOWED = (float32, bfloat16, bfloat8_b)


def _scale(operation: str, head_size: int | None) -> float:
    size = None if head_size is None else require_integer(operation, "head_size", head_size, least=0)
    return math.inf if size == 0 else head_scale(size)


def attention_softmax(
    memory: MemoryState,
    tensor: Tensor,
    *,
    head_size: int | None = None,
    attention_mask: Tensor | None = None,
    causal_mask: bool = False,
    memory_config: MemoryConfig | None = None,
    program_config: Any = None,
) -> tuple[MemoryState, Tensor]:
    """Softmax over the last dimension of `tensor / sqrt(head_size) + attention_mask`, scores `[b, heads, rows, columns]`.

    Without a mask it is a multiplication, then a softmax (and `causal_mask` means nothing, as in ttnn). `head_size` None means no
    scaling; 0, which ttnn takes too, scales by infinity, so that no value of the result means anything.

    Scores or a mask in ROW_MAJOR layout are tiled first, each by a program of its own. `program_config` (ttnn's block sizes) changes
    no value.

    Raises ArgumentError unless the mask is `[b, 1, 1, columns]` (or a tile of 32 rows, of which the first counts), or, with
    `causal_mask`, `[b, 1, rows, columns]`.
    """
    require_memory("attention_softmax", memory)
    x = require_tensor("attention_softmax", "tensor", tensor)
    require_options("attention_softmax", memory_config=memory_config)
    require_flags("attention_softmax", causal_mask=causal_mask)
    scale = _scale("attention_softmax", head_size)
    if attention_mask is None:
        return _without_mask(memory, x, scale, memory_config)
    mask = require_tensor("attention_softmax", "attention_mask", attention_mask)
    return fused_softmax(
        "attention_softmax",
        memory,
        x,
        scale,
        mask,
        form="causal" if causal_mask else "row",
        in_place=False,
        memory_config=memory_config,
        compute_kernel_config=None,
        numeric_stable=True,
    )


def _without_mask(
    memory: MemoryState, x: Tensor, scale: float, memory_config: MemoryConfig | None
) -> tuple[MemoryState, Tensor]:
    require_dtype("attention_softmax", "tensor", x.spec, ALLOWED)
    require_tile("attention_softmax", "tensor", x.spec)
    with active_cache().all_or_nothing():
        memory, scaled = multiply(memory, x, scale, memory_config=memory_config)
        memory, y = softmax(memory, scaled, memory_config=memory_config)
    return deallocate(memory, scaled), y


def attention_softmax_(
    memory: MemoryState,
    tensor: Tensor,
    *,
    head_size: int | None = None,
    attention_mask: Tensor | None = None,
    causal_mask: bool = False,
    program_config: Any = None,
) -> tuple[MemoryState, Tensor]:
    """`attention_softmax` in place: the result takes the buffer of `tensor`, which is not to be used after that.

    Raises ArgumentError without a mask: that form has no program that works in place.
    """
    require_memory("attention_softmax_", memory)
    x = require_tensor("attention_softmax_", "tensor", tensor)
    if attention_mask is None:
        raise ArgumentError("attention_softmax_: `attention_mask` is missing; without a mask use attention_softmax")
    mask = require_tensor("attention_softmax_", "attention_mask", attention_mask)
    require_flags("attention_softmax_", causal_mask=causal_mask)
    scale = _scale("attention_softmax_", head_size)
    return fused_softmax(
        "attention_softmax_",
        memory,
        x,
        scale,
        mask,
        form="causal" if causal_mask else "row",
        in_place=True,
        memory_config=None,
        compute_kernel_config=None,
        numeric_stable=True,
    )


attention_softmax.support = Support(ALLOWED)  # type: ignore[attr-defined]
attention_softmax_.support = Support(ALLOWED, (Layout.TILE,))  # type: ignore[attr-defined]
