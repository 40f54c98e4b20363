"""Multi-head attention as Tenstorrent's tutorial develops it: naive, then optimized. Memory first, memory back.

`naive` follows the textbook: three projections, a permute each, one operation a step, everything in DRAM. `optimized` fuses
the projections, keeps every intermediate in L1 as bfloat8_b, works in place where it can, and frees what is done with.
"""

from collections.abc import Callable
from typing import NamedTuple

import tt_jax as tt

MASKED_OUT = -1e9
"""Added to the scores of keys that are not to be seen: softmax makes 0 of them."""

Step = Callable[[str, tt.MemoryState, tt.Tensor | None], None]
"""Called after each step with its name, the memory, and what the step made (None for a deallocation)."""


class NaiveParameters(NamedTuple):
    query_weight: tt.Tensor  # [hidden, hidden]
    query_bias: tt.Tensor  # [1, hidden]
    key_weight: tt.Tensor
    key_bias: tt.Tensor
    value_weight: tt.Tensor
    value_bias: tt.Tensor
    output_weight: tt.Tensor
    output_bias: tt.Tensor


class OptimizedParameters(NamedTuple):
    qkv_weight: tt.Tensor  # [hidden, 3 * hidden]
    qkv_bias: tt.Tensor  # [1, 3 * hidden]
    output_weight: tt.Tensor
    output_bias: tt.Tensor


def no_step(name: str, memory: tt.MemoryState, tensor: tt.Tensor | None) -> None:
    """Watch nothing."""


def then_free(result: tuple[tt.MemoryState, tt.Tensor], *done: tt.Tensor) -> tuple[tt.MemoryState, tt.Tensor]:
    """What rebinding a Python variable does in the tutorial: the old tensors go when the new one is there."""
    memory, y = result
    return tt.deallocate(memory, *done), y


def naive(
    memory: tt.MemoryState,
    hidden_states: tt.Tensor,
    attention_mask: tt.Tensor,
    parameters: NaiveParameters,
    *,
    num_heads: int,
    compute_kernel_config: tt.ComputeKernelConfig | None = None,
    step: Step = no_step,
) -> tuple[tt.MemoryState, tt.Tensor]:
    """`[batch, sequence, hidden]` -> the same shape, bfloat16 in DRAM; `attention_mask` is `[batch, 1, 1, sequence]`."""
    batch, sequence, hidden = hidden_states.shape
    head_size = hidden // num_heads
    matmul = dict(compute_kernel_config=compute_kernel_config)

    def heads(memory, name, weight, bias, order):
        memory, x = tt.matmul(memory, hidden_states, weight, **matmul)
        step(f"{name}_matmul", memory, x)
        memory, x = then_free(tt.add(memory, x, bias), x)
        step(f"{name}_add_bias", memory, x)
        memory, x = then_free(tt.to_layout(memory, x, tt.ROW_MAJOR_LAYOUT), x)
        step(f"{name}_to_row_major", memory, x)
        memory, x = then_free(tt.reshape(memory, x, (batch, sequence, num_heads, head_size)), x)
        step(f"{name}_reshape", memory, x)
        memory, x = then_free(tt.to_layout(memory, x, tt.TILE_LAYOUT), x)
        step(f"{name}_to_tile", memory, x)
        memory, x = then_free(tt.permute(memory, x, order), x)
        step(f"{name}_permute", memory, x)
        return memory, x

    p = parameters
    memory, query = heads(memory, "query", p.query_weight, p.query_bias, (0, 2, 1, 3))
    memory, key = heads(memory, "key", p.key_weight, p.key_bias, (0, 2, 3, 1))
    memory, value = heads(memory, "value", p.value_weight, p.value_bias, (0, 2, 1, 3))

    memory, scores = tt.matmul(memory, query, key, **matmul)
    step("scores_matmul", memory, scores)
    memory, scores = then_free(tt.multiply(memory, scores, 1 / head_size**0.5), scores)
    step("scores_scale", memory, scores)
    memory, scores = then_free(tt.add(memory, scores, attention_mask), scores)
    step("scores_add_mask", memory, scores)
    memory, probabilities = tt.softmax(memory, scores, dim=-1)
    step("softmax", memory, probabilities)
    memory, context = tt.matmul(memory, probabilities, value, **matmul)
    step("context_matmul", memory, context)
    memory, context = then_free(tt.permute(memory, context, (0, 2, 1, 3)), context)
    step("context_permute", memory, context)
    memory, context = then_free(tt.to_layout(memory, context, tt.ROW_MAJOR_LAYOUT), context)
    step("context_to_row_major", memory, context)
    memory, context = then_free(tt.reshape(memory, context, (batch, sequence, hidden)), context)
    step("context_reshape", memory, context)
    memory, context = then_free(tt.to_layout(memory, context, tt.TILE_LAYOUT), context)
    step("context_to_tile", memory, context)
    memory, output = tt.matmul(memory, context, p.output_weight, **matmul)
    step("output_matmul", memory, output)
    memory, output = then_free(tt.add(memory, output, p.output_bias), output)
    step("output_add_bias", memory, output)
    return tt.deallocate(memory, query, key, value, scores, probabilities, context), output


def optimized(
    memory: tt.MemoryState,
    hidden_states: tt.Tensor,
    attention_mask: tt.Tensor,
    parameters: OptimizedParameters,
    *,
    num_heads: int,
    core_grid: tt.CoreGrid | None = None,
    compute_kernel_config: tt.ComputeKernelConfig | None = None,
    memory_config: tt.MemoryConfig = tt.L1_MEMORY_CONFIG,
    intermediate: tt.DataType = tt.bfloat8_b,
    deallocate: bool = True,
    project: Callable[..., tuple[tt.MemoryState, tt.Tensor]] = tt.linear,
    step: Step = no_step,
) -> tuple[tt.MemoryState, tt.Tensor]:
    """`[batch, sequence, hidden]` -> the same shape, bfloat16 in `memory_config`; `attention_mask` is `[batch, 1, 1, sequence]`.

    Without `deallocate` every intermediate stays there too. `core_grid` is 8x8 by default. `intermediate` is the
    dtype of all that lies between the inputs, the scores (bfloat16) and the output. `project` makes the output of the joined heads.
    """
    head_size = parameters.qkv_weight.shape[-1] // (3 * num_heads)
    program = dict(
        memory_config=memory_config,
        core_grid=core_grid or tt.CoreGrid(y=8, x=8),
        compute_kernel_config=compute_kernel_config,
    )

    def free(memory, name, *tensors):
        if not deallocate:
            return memory
        memory = tt.deallocate(memory, *tensors)
        step(f"deallocate_{name}", memory, None)
        return memory

    p = parameters
    memory, qkv = tt.linear(memory, hidden_states, p.qkv_weight, bias=p.qkv_bias, dtype=intermediate, **program)
    step("linear_qkv", memory, qkv)
    memory, (query, key, value) = tt.transformer.split_query_key_value_and_split_heads(
        memory, qkv, num_heads=num_heads, memory_config=memory_config
    )
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        step(f"split_heads {name}", memory, tensor)
    memory = free(memory, "qkv", qkv)
    memory, scores = tt.matmul(memory, query, key, dtype=tt.bfloat16, **program)
    step("matmul_qk", memory, scores)
    memory = free(memory, "q_k", query, key)
    memory, probabilities = tt.transformer.attention_softmax_(
        memory, scores, attention_mask=attention_mask, head_size=head_size
    )
    step("attention_softmax_", memory, probabilities)
    memory, context = tt.matmul(memory, probabilities, value, dtype=intermediate, **program)
    step("matmul_pv", memory, context)
    memory = free(memory, "probs_v", probabilities, value)
    memory, joined = tt.transformer.concatenate_heads(memory, context, memory_config=memory_config)
    step("concatenate_heads", memory, joined)
    memory = free(memory, "context", context)
    memory, output = project(memory, joined, p.output_weight, bias=p.output_bias, dtype=tt.bfloat16, **program)
    step("linear_out", memory, output)
    memory = free(memory, "concat", joined)
    return memory, output
