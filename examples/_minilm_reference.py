"""all-MiniLM-L6-v2 in plain NumPy or JAX: what the examples and benchmarks measure against. It shares no code with tt_jax."""

from collections.abc import Callable
from typing import Any

import numpy as np
from _minilm_files import HEADS, LAYER_NORM_EPSILON, LAYERS, Weights

MASKED_OUT = -1e9


def encode(weights: Weights, ids: Any, real: Any, *, xp: Any = np, erf: Callable[[Any], Any]) -> Any:
    """Normalized sentence embeddings `[batch, hidden]` of `ids` and `real` `[batch, sequence]`.

    In the dtype of `weights` throughout, by `xp`, which is numpy or jax.numpy, and its `erf`.
    """
    batch, sequence = ids.shape

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / xp.sqrt((x * x).mean(-1, keepdims=True) + LAYER_NORM_EPSILON)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(x, name):
        return linear(x, name).reshape(batch, sequence, HEADS, -1).transpose(0, 2, 1, 3)

    x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.position_embeddings.weight"][:sequence]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    mask = xp.where(real, 0, MASKED_OUT)[:, None, None, :].astype(x.dtype)
    for layer in (f"encoder.layer.{i}" for i in range(LAYERS)):
        query, key, value = (heads(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(query.shape[-1], dtype=x.dtype) + mask
        weight = xp.exp(scores - scores.max(-1, keepdims=True))
        context = (weight / weight.sum(-1, keepdims=True)) @ value
        attended = linear(context.transpose(0, 2, 1, 3).reshape(x.shape), f"{layer}.attention.output.dense")
        x = norm(x + attended, f"{layer}.attention.output.LayerNorm")
        y = linear(x, f"{layer}.intermediate.dense")
        y = y * (1 + erf(y * np.sqrt(0.5, dtype=x.dtype))) / 2
        x = norm(x + linear(y, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    pooled = (x * real[..., None]).sum(1)
    return pooled / xp.sqrt((pooled * pooled).sum(-1, keepdims=True))
