"""Weights as PyTorch keeps them, made ready for the device (`ttnn.model_preprocessing`)."""

from jax.typing import ArrayLike

from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState
from tt_jax.ops.creation import as_array, from_array
from tt_jax.tensor import Tensor


def preprocess_linear_weight(
    memory: MemoryState,
    weight: ArrayLike,
    *,
    dtype: DataType,
    layout: Layout = Layout.TILE,
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG,
) -> tuple[MemoryState, Tensor]:
    """A linear layer's weight `[out, in]` as a tensor `[in, out]`. Raises ArgumentError on another rank."""
    weight = as_array("preprocess_linear_weight", "weight", weight)
    if weight.ndim != 2:
        raise ArgumentError(f"preprocess_linear_weight: `weight` must have shape [out, in], got {weight.shape}")
    return from_array(memory, weight.T, dtype=dtype, layout=layout, memory_config=memory_config)


def preprocess_linear_bias(
    memory: MemoryState,
    bias: ArrayLike,
    *,
    dtype: DataType,
    layout: Layout = Layout.TILE,
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG,
) -> tuple[MemoryState, Tensor]:
    """A linear layer's bias `[out]` as a tensor `[1, out]`. Raises ArgumentError unless it has one row."""
    bias = as_array("preprocess_linear_bias", "bias", bias)
    if bias.ndim == 0 or bias.size == 0 or bias.size != bias.shape[-1]:
        raise ArgumentError(f"preprocess_linear_bias: `bias` must have shape [out], got {bias.shape}")
    return from_array(memory, bias.reshape(1, -1), dtype=dtype, layout=layout, memory_config=memory_config)
