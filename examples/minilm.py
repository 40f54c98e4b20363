"""The sentence encoder all-MiniLM-L6-v2 on TT-NN operations: token ids in, normalized embeddings out. Memory first, memory back."""

from collections.abc import Callable
from typing import Any, NamedTuple

import attention
import numpy as np
from _minilm_files import HEADS, LAYER_NORM_EPSILON, LAYERS, Weights
from numpy.typing import NDArray

import tt_jax as tt


class Norm(NamedTuple):
    weight: tt.Tensor  # [1, hidden]
    bias: tt.Tensor


class Layer(NamedTuple):
    attention: attention.OptimizedParameters
    attention_norm: Norm
    up_weight: tt.Tensor  # [hidden, 4 * hidden]
    up_bias: tt.Tensor
    down_weight: tt.Tensor  # [4 * hidden, hidden]
    down_bias: tt.Tensor
    norm: Norm


class Parameters(NamedTuple):
    words: tt.Tensor  # [vocabulary, hidden], row-major
    positions: tt.Tensor  # [1, positions, hidden], the one token type added
    norm: Norm
    layers: tuple[Layer, ...]


def skeleton() -> Parameters:
    """The model's structure, with 0 for every tensor."""
    norm = Norm(0, 0)
    return Parameters(0, 0, norm, (Layer(attention.OptimizedParameters(0, 0, 0, 0), norm, 0, 0, 0, 0, norm),) * LAYERS)


class Inputs(NamedTuple):
    ids: tt.Tensor  # [batch, sequence], uint32
    mask: tt.Tensor  # [batch, 1, 1, sequence], added to the scores: very low on padding
    pooling: tt.Tensor  # [batch, 1, sequence], one over the number of real tokens, 0 on padding


Cut = Callable[[NDArray[Any], int, int], tuple[NDArray[Any], tt.MeshMapperConfig | None]]
"""`(array, dim, parts)` -> the array and which part of it, along `dim`, each chip of a mesh gets: of several `parts` that lie side by
side, a slice of each."""


def uncut(array: NDArray[Any], dim: int, parts: int) -> tuple[NDArray[Any], None]:
    """Everything."""
    return array, None


def place_parameters(
    memory: tt.MemoryState, weights: Weights, dtype: tt.DataType, cut: Cut = uncut
) -> tuple[tt.MemoryState, Parameters]:
    """The model in DRAM: matrices as `dtype`, positions, biases and norms as bfloat16.

    The table of words, too, is rounded to `dtype`; what `embedding` reads is bfloat16, so it lies there as that. The matrices of
    layers are `cut` along their outputs, by head and by neuron, or the inputs that these are to the next; biases by themselves.
    """

    def put(array, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT, mesh_mapper=None):
        nonlocal memory
        memory, x = tt.from_array(memory, array, dtype=dtype, layout=layout, mesh_mapper=mesh_mapper)
        return x

    def linear(*names, along=1):
        """Layers of these names as one, joined along `out`; `along` which dimension the weight `[in, out]` is cut."""
        weight = np.concatenate([weights[f"{name}.weight"] for name in names])
        bias = np.concatenate([weights[f"{name}.bias"] for name in names])
        (weight, weight_mapper), (bias, bias_mapper) = cut(weight.T, along, len(names)), cut(bias[None], 1, len(names))
        return put(weight, dtype, mesh_mapper=weight_mapper), put(bias, mesh_mapper=bias_mapper)

    def norm(name):
        return Norm(*(put(weights[f"{name}.{part}"][None]) for part in ("weight", "bias")))

    def layer(name):
        heads = (f"{name}.attention.self.{part}" for part in ("query", "key", "value"))
        return Layer(
            attention.OptimizedParameters(*linear(*heads), *linear(f"{name}.attention.output.dense", along=0)),
            norm(f"{name}.attention.output.LayerNorm"),
            *linear(f"{name}.intermediate.dense"),
            *linear(f"{name}.output.dense", along=0),
            norm(f"{name}.output.LayerNorm"),
        )

    words = put(tt.fake_quant(weights["embeddings.word_embeddings.weight"], dtype), layout=tt.ROW_MAJOR_LAYOUT)
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    parameters = Parameters(
        words, put(positions[None]), norm("embeddings.LayerNorm"), tuple(layer(f"encoder.layer.{i}") for i in range(LAYERS))
    )
    return memory, parameters


def place_inputs(
    memory: tt.MemoryState, ids: NDArray[np.uint32], real: NDArray[np.bool_], mesh_mapper: tt.MeshMapperConfig | None = None
) -> tuple[tt.MemoryState, Inputs]:
    """A batch in DRAM; `ids` and `real`, which is False on padding, are `[batch, sequence]`, the sequence in whole tiles."""
    memory, tokens = tt.from_array(memory, ids, dtype=tt.uint32, layout=tt.ROW_MAJOR_LAYOUT, mesh_mapper=mesh_mapper)
    arrays = (
        np.where(real, 0.0, attention.MASKED_OUT)[:, None, None, :],
        (real / np.maximum(real.sum(-1, keepdims=True), 1))[:, None, :],
    )
    tensors = []
    for array in arrays:
        memory, x = tt.from_array(memory, array, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT, mesh_mapper=mesh_mapper)
        tensors.append(x)
    return memory, Inputs(tokens, *tensors)


def encode(
    memory: tt.MemoryState,
    inputs: Inputs,
    parameters: Parameters,
    *,
    compute_kernel_config: tt.ComputeKernelConfig | None = None,
    memory_config: tt.MemoryConfig = tt.L1_MEMORY_CONFIG,
    core_grid: tt.CoreGrid | None = None,
    intermediate: tt.DataType = tt.bfloat16,
    attend: Callable[..., tuple[tt.MemoryState, tt.Tensor]] = attention.optimized,
    project: Callable[..., tuple[tt.MemoryState, tt.Tensor]] = tt.linear,
) -> tuple[tt.MemoryState, tt.Tensor]:
    """Sentence embeddings `[batch, 1, hidden]` of length 1, bfloat16, in `memory_config` as all that is computed on the way.

    `intermediate` is the dtype of what lies within a layer but for the scores; between layers it is bfloat16.
    Where layers are cut over chips, `attend` and `project`, the MLP's second layer, sum what these have.
    """
    core_grid = core_grid or tt.CoreGrid(y=8, x=8)
    program = dict(memory_config=memory_config, core_grid=core_grid, compute_kernel_config=compute_kernel_config)
    kept = dict(memory_config=memory_config)

    def normalize(memory, x, norm, residual=None):
        memory, y = tt.layer_norm(
            memory,
            x,
            epsilon=LAYER_NORM_EPSILON,
            weight=norm.weight,
            bias=norm.bias,
            residual_input_tensor=residual,
            **kept,
        )
        return tt.deallocate(memory, x) if residual is None else tt.deallocate(memory, x, residual), y

    memory, x = embed(memory, inputs.ids, parameters, memory_config)
    memory, x = normalize(memory, x, parameters.norm)
    for layer in parameters.layers:
        memory, y = attend(memory, x, inputs.mask, layer.attention, num_heads=HEADS, intermediate=intermediate, **program)
        memory, x = normalize(memory, y, layer.attention_norm, x)
        memory, y = tt.linear(memory, x, layer.up_weight, bias=layer.up_bias, activation="gelu", dtype=intermediate, **program)
        memory, z = project(memory, y, layer.down_weight, bias=layer.down_bias, dtype=tt.bfloat16, **program)
        memory = tt.deallocate(memory, y)
        memory, x = normalize(memory, z, layer.norm, x)
    memory, pooled = tt.matmul(memory, inputs.pooling, x, compute_kernel_config=compute_kernel_config, **kept)
    memory = tt.deallocate(memory, x)
    return unit(memory, pooled, memory_config)


def embed(
    memory: tt.MemoryState, ids: tt.Tensor, parameters: Parameters, memory_config: tt.MemoryConfig
) -> tuple[tt.MemoryState, tt.Tensor]:
    """Word plus position `[batch, sequence, hidden]` of each token."""
    _, sequence = ids.shape
    memory, words = tt.embedding(memory, ids, parameters.words, layout=tt.TILE_LAYOUT, memory_config=memory_config)
    memory, positions = tt.slice(
        memory, parameters.positions, (0, 0, 0), (1, sequence, words.shape[-1]), memory_config=memory_config
    )
    memory, x = tt.add(memory, words, positions, memory_config=memory_config)
    return tt.deallocate(memory, words, positions), x


def unit(memory: tt.MemoryState, x: tt.Tensor, memory_config: tt.MemoryConfig) -> tuple[tt.MemoryState, tt.Tensor]:
    """`x` with rows of length 1; `x` is freed."""
    kept = dict(memory_config=memory_config)
    memory, squares = tt.square(memory, x, **kept)
    memory, sums = tt.sum(memory, squares, dim=-1, keepdim=True, **kept)
    memory, scale = tt.rsqrt(memory, sums, **kept)
    memory, y = tt.multiply(memory, x, scale, **kept)
    return tt.deallocate(memory, x, squares, sums, scale), y
