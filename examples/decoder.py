"""A decoder-only transformer (the architecture of Llama) on TT-NN operations, with a cache of keys and values. Memory first, memory back.

`prefill` reads a prompt and fills the caches; `decode` reads one token at a position and writes a row of each. Their operations are
those of tt-metal's language models. Batch 1.

Layers and caches come one by one, in tuples, or as `stacked` makes them. One by one every tensor is used at its own address, which
`tt.plan` wants; but XLA compiles 30 layers that way for minutes. Stacked, they are one `jax.lax.scan`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _smollm2 import Config, Weights
from attention import then_free

import tt_jax as tt


class Layer(NamedTuple):
    attention_norm: tt.Tensor  # [1, hidden]
    qkv_weight: tt.Tensor  # [hidden, (heads + 2 * kv_heads) * head_size]
    output_weight: tt.Tensor  # [heads * head_size, hidden]
    mlp_norm: tt.Tensor  # [1, hidden]
    gate_weight: tt.Tensor  # [hidden, feed_forward]
    up_weight: tt.Tensor
    down_weight: tt.Tensor  # [feed_forward, hidden]


class Parameters(NamedTuple):
    words: tt.Tensor  # [vocabulary, hidden], row-major: looked up
    head_weight: tt.Tensor  # [hidden, vocabulary]: the same numbers, multiplied by
    norm: tt.Tensor  # [1, hidden]
    cos: tt.Tensor  # [positions, head_size], row-major; each angle twice, for its two numbers
    sin: tt.Tensor
    exchange: tt.Tensor  # [1, 1, 32, 32]: (a, b) -> (-b, a) on neighbours
    layers: tuple[Layer, ...] | Layer


class Cache(NamedTuple):
    """One layer's, `[1, kv_heads, context, head_size]` each."""

    keys: tt.Tensor
    values: tt.Tensor


Caches = tuple[Cache, ...] | Cache


def stacked(layers: Sequence[Any]) -> Any:
    """Layers, or caches, as one whose arrays have a leading axis, in no memory but theirs: each tensor stays at its address.

    Of these addresses the result names the first layer's. That changes no value, and no other address either: a layer leaves
    the memory as it finds it, so what lies between its tensors lies where it did in the layer before.
    """
    return jax.tree.map(lambda first, *rest: jnp.stack([first, *rest]), layers[0], *(_at(layers[0], x) for x in layers[1:]))


def _at(first: Any, other: Any) -> Any:
    """The arrays of `other`, said to lie where those of `first` do."""
    return jax.tree.unflatten(jax.tree.structure(first), jax.tree.leaves(other))


Attend = Callable[[tt.MemoryState, tt.Tensor, Cache], tuple[tt.MemoryState, tt.Tensor, Cache]]
"""Attention of one layer, from the fused projection to the heads side by side; writes its cache."""


class Style(NamedTuple):
    """How the model is computed, not what.

    The matrix products, norms and rotary embeddings take `compute`; attention as well, with the accurate exponential.
    """

    compute: tt.ComputeKernelConfig
    decode_memory: tt.MemoryConfig = tt.L1_MEMORY_CONFIG  # of all that is computed on the way in `decode`
    prefill_memory: tt.MemoryConfig = tt.DRAM_MEMORY_CONFIG

    @classmethod
    def of(cls, device: tt.DeviceProfile, fidelity: tt.MathFidelity = tt.MathFidelity.HiFi4) -> "Style":
        """Sums in 32 bits, where `device` has them."""
        wide = device.arch != "grayskull"
        return cls(tt.ComputeKernelConfig(fidelity, math_approx_mode=False, fp32_dest_acc_en=wide, packer_l1_acc=wide))


def place_parameters(
    memory: tt.MemoryState, weights: Weights, config: Config, *, positions: int, dtype: tt.DataType = tt.bfloat16
) -> tuple[tt.MemoryState, Parameters]:
    """The model in DRAM: weights of linear layers as `dtype`, word vectors, norms and `positions` rows of angles as bfloat16."""

    def put(array, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT):
        nonlocal memory
        memory, x = tt.from_array(memory, array, dtype=dtype, layout=layout)
        return x

    def linear(*names):
        """Layers of these names as one, joined along `out`."""
        return put(np.concatenate([weights[f"{name}.weight"] for name in names]).T, dtype)

    def norm(name):
        return put(weights[f"{name}.weight"][None])

    def layer(name):
        return Layer(
            norm(f"{name}.attn_norm"),
            linear(*(f"{name}.{part}" for part in ("attn_q", "attn_k", "attn_v"))),
            linear(f"{name}.attn_output"),
            norm(f"{name}.ffn_norm"),
            *(linear(f"{name}.{part}") for part in ("ffn_gate", "ffn_up", "ffn_down")),
        )

    speeds = config.rotary_base ** (-np.arange(0, config.head_size, 2) / config.head_size)
    angles = np.repeat(np.outer(np.arange(positions), speeds), 2, axis=-1)
    exchange = np.zeros((1, 1, tt.TILE_SIZE, tt.TILE_SIZE), np.float32)
    even = np.arange(0, tt.TILE_SIZE, 2)
    exchange[..., even + 1, even], exchange[..., even, even + 1] = -1, 1
    rows = dict(layout=tt.ROW_MAJOR_LAYOUT)
    parameters = Parameters(
        put(weights["token_embd.weight"], **rows),
        linear("token_embd"),
        norm("output_norm"),
        put(np.cos(angles).astype(np.float32), **rows),
        put(np.sin(angles).astype(np.float32), **rows),
        put(exchange),
        tuple(layer(f"blk.{i}") for i in range(config.layers)),
    )
    return memory, parameters


def create_caches(
    memory: tt.MemoryState,
    config: Config,
    *,
    context: int,
    dtype: tt.DataType = tt.bfloat16,
    memory_config: tt.MemoryConfig = tt.DRAM_MEMORY_CONFIG,
) -> tuple[tt.MemoryState, Caches]:
    """Empty caches for `context` tokens, which is a multiple of 32."""
    if context < 1 or context % tt.TILE_SIZE:
        raise tt.ArgumentError(f"`context` must be a positive multiple of {tt.TILE_SIZE}, got {context}")

    def empty():
        nonlocal memory
        shape = (1, config.kv_heads, context, config.head_size)
        memory, cache = tt.zeros(memory, shape, dtype, tt.TILE_LAYOUT, memory_config)
        return cache

    caches = tuple(Cache(empty(), empty()) for _ in range(config.layers))
    return memory, caches


def prefill(
    memory: tt.MemoryState, ids: jax.Array, parameters: Parameters, caches: Caches, *, config: Config, style: Style
) -> tuple[tt.MemoryState, tuple[tt.Tensor, Caches]]:
    """Reads `ids` `[sequence]`, a prompt padded at its end to a multiple of 32, into the caches' first rows.

    Returns the scores of the next token after each of the last 32, `[1, 1, 32, vocabulary]`, float32, and the caches. A padded
    row is seen by no token of the prompt, and `decode` writes over it before it is seen.

    Raises ArgumentError if the prompt is not in whole tiles, or longer than the caches.
    """
    (length,) = ids.shape
    kept = dict(memory_config=style.prefill_memory)
    if length < 1 or length % tt.TILE_SIZE:
        raise tt.ArgumentError(f"prefill: `ids` must be a multiple of {tt.TILE_SIZE} long, got {length}; pad the prompt")
    memory, places = tt.from_array(memory, np.arange(length, dtype=np.uint32), dtype=tt.uint32)
    memory, (cos, sin) = _angles(memory, places, parameters, kept)
    memory, x = _embed(memory, ids, parameters, kept)

    def attend(memory, qkv, cache):
        memory, (query, key, value) = tt.experimental.nlp_create_qkv_heads(
            memory, qkv, num_heads=config.heads, num_kv_heads=config.kv_heads, transpose_k_heads=False, **kept
        )
        memory, query = _turn(memory, query, cos, sin, parameters, style, is_decode_mode=False)
        memory, key = _turn(memory, key, cos, sin, parameters, style, is_decode_mode=False)
        memory, key = _as(memory, key, cache.keys.dtype, kept)
        memory, value = _as(memory, value, cache.values.dtype, kept)
        memory, keys = tt.fill_cache(memory, cache.keys, key, 0)
        memory, values = tt.fill_cache(memory, cache.values, value, 0)
        memory, context = tt.transformer.scaled_dot_product_attention(
            memory, query, key, value, is_causal=True, **_attention(style), **kept
        )
        memory = tt.deallocate(memory, query, key, value)
        memory, joined = then_free(tt.experimental.nlp_concat_heads(memory, context, **kept), context)
        return memory, joined, Cache(keys, values)

    memory, x, caches = _layers(memory, x, parameters.layers, caches, attend, config, style, kept)
    memory = tt.deallocate(memory, places, cos, sin)
    start, end = (0, 0, length - tt.TILE_SIZE, 0), (1, 1, length, config.hidden)
    if length > tt.TILE_SIZE:
        memory, x = then_free(tt.slice(memory, x, start, end, **kept), x)
    memory, scores = _score(memory, x, parameters, config, style, kept)
    return memory, (scores, caches)


def decode(
    memory: tt.MemoryState,
    token: jax.Array,
    position: jax.Array,
    parameters: Parameters,
    caches: Caches,
    *,
    config: Config,
    style: Style,
) -> tuple[tt.MemoryState, tuple[tt.Tensor, Caches]]:
    """Reads `token` at `position`, both `[1]`: the scores of the next, `[1, 1, 1, vocabulary]`, float32, and the caches.

    The position is a tensor, so one program serves all. (`tt.update_cache` takes it as a Python integer;
    `paged_update_cache`, without a table of pages, is the same with a tensor.)
    """
    kept = dict(memory_config=style.decode_memory)
    memory, place = tt.from_array(memory, position.astype(np.uint32), dtype=tt.uint32)
    memory, row = tt.from_array(memory, position.astype(np.int32), dtype=tt.int32)
    memory, (cos, sin) = _angles(memory, place, parameters, kept)
    memory, x = _embed(memory, token, parameters, kept)

    def attend(memory, qkv, cache):
        memory, (query, key, value) = tt.experimental.nlp_create_qkv_heads_decode(
            memory, qkv, num_heads=config.heads, num_kv_heads=config.kv_heads
        )
        memory, query = _turn(memory, query, cos, sin, parameters, style, is_decode_mode=True)
        memory, key = _turn(memory, key, cos, sin, parameters, style, is_decode_mode=True)
        memory, keys = tt.experimental.paged_update_cache(memory, cache.keys, key, update_idxs_tensor=row)
        memory, values = tt.experimental.paged_update_cache(memory, cache.values, value, update_idxs_tensor=row)
        memory = tt.deallocate(memory, key, value)
        memory, context = tt.transformer.scaled_dot_product_attention_decode(
            memory, query, keys, values, cur_pos_tensor=row, memory_config=query.memory_config, **_attention(style)
        )
        memory = tt.deallocate(memory, query)
        memory, joined = then_free(tt.experimental.nlp_concat_heads_decode(memory, context, num_heads=config.heads), context)
        memory, joined = then_free(tt.sharded_to_interleaved(memory, joined, style.decode_memory), joined)
        return memory, joined, Cache(keys, values)

    memory, x, caches = _layers(memory, x, parameters.layers, caches, attend, config, style, kept)
    memory = tt.deallocate(memory, place, row, cos, sin)
    memory, scores = _score(memory, x, parameters, config, style, kept)
    return memory, (scores, caches)


def _attention(style: Style) -> dict[str, Any]:
    accurate = tt.SDPAProgramConfig(compute_with_storage_grid_size=(8, 8), exp_approx_mode=False)
    return dict(program_config=accurate, compute_kernel_config=style.compute)


def _as(memory, x, dtype, kept):
    """`x` as `dtype`."""
    return (memory, x) if x.dtype is dtype else then_free(tt.typecast(memory, x, dtype, **kept), x)


def _four(memory, x):
    """`[..., rows, width]` as `[1, 1, rows, width]`: a view."""
    return tt.reshape(memory, x, (1, 1, *x.shape[-2:]))


def _angles(memory, places, parameters, kept):
    """Cosines and sines `[1, 1, rows, head_size]` of the positions `places` `[rows]`."""
    tables = []
    for table in (parameters.cos, parameters.sin):
        memory, rows = tt.embedding(memory, places, table, layout=tt.TILE_LAYOUT, **kept)
        memory, rows = _four(memory, rows)
        tables.append(rows)
    return memory, tables


def _embed(memory, ids, parameters, kept):
    """Word vectors `[1, 1, rows, hidden]` of `ids` `[rows]`."""
    memory, tokens = tt.from_array(memory, ids.astype(np.uint32), dtype=tt.uint32)
    memory, x = then_free(tt.embedding(memory, tokens, parameters.words, layout=tt.TILE_LAYOUT, **kept), tokens)
    return _four(memory, x)


def _turn(memory, x, cos, sin, parameters, style, *, is_decode_mode):
    y = tt.experimental.rotary_embedding_llama(
        memory, x, cos, sin, parameters.exchange, is_decode_mode=is_decode_mode, compute_kernel_config=style.compute
    )
    return then_free(y, x)


def _norm(memory, x, weight, config, style, kept):
    return tt.rms_norm(memory, x, epsilon=config.epsilon, weight=weight, compute_kernel_config=style.compute, **kept)


def _layers(memory, x, layers, caches, attend, config, style, kept):
    """All layers, one after the other: the memory, `x` at the address that it had, and the caches."""

    def step(carry, given):
        memory, x, cache = _layer(*carry, *given, attend, config, style, kept)
        return (memory, x), cache

    if isinstance(layers, Layer):
        (memory, x), caches = jax.lax.scan(step, (memory, x), (layers, caches))
        return memory, x, caches
    written = []
    for given in zip(layers, caches, strict=True):
        (memory, x), cache = step((memory, x), given)
        written.append(cache)
    return memory, x, tuple(written)


def _layer(memory, x, layer, cache, attend: Attend, config, style, kept):
    """Attention, then the MLP, each added to `x` in its own buffer."""
    product = dict(compute_kernel_config=style.compute, dtype=tt.bfloat16, **kept)
    memory, y = _norm(memory, x, layer.attention_norm, config, style, kept)
    memory, qkv = then_free(tt.linear(memory, y, layer.qkv_weight, **product), y)
    memory, y, cache = attend(memory, qkv, cache)
    memory = tt.deallocate(memory, qkv)
    memory, y = then_free(tt.linear(memory, y, layer.output_weight, **product), y)
    memory, x = then_free(tt.add(memory, x, y, output_tensor=x), y)
    memory, y = _norm(memory, x, layer.mlp_norm, config, style, kept)
    memory, gate = tt.linear(memory, y, layer.gate_weight, **product)
    memory, up = then_free(tt.linear(memory, y, layer.up_weight, **product), y)
    silu = [tt.UnaryWithParam(tt.UnaryOpType.SILU)]
    memory, y = then_free(tt.mul(memory, gate, up, input_tensor_a_activations=silu, **kept), gate, up)
    memory, y = then_free(tt.linear(memory, y, layer.down_weight, **product), y)
    memory, x = then_free(tt.add(memory, x, y, output_tensor=x), y)
    return memory, x, cache


def _score(memory, x, parameters, config, style, kept):
    """Scores of every word, float32: in bfloat16 the two best would often be equal. `x` is freed."""
    memory, y = then_free(_norm(memory, x, parameters.norm, config, style, kept), x)
    product = dict(compute_kernel_config=style.compute, dtype=tt.float32, **kept)
    return then_free(tt.linear(memory, y, parameters.head_weight, **product), y)
