"""The decoder in float64 NumPy, the whole sequence at once: what the examples and tests measure against. No code of tt_jax."""

import numpy as np
from _smollm2 import Config, Weights
from numpy.typing import ArrayLike, NDArray


def logits(weights: Weights, config: Config, ids: ArrayLike) -> NDArray[np.float64]:
    """Scores of the next token `[sequence, vocabulary]` after each of `ids` `[sequence]`."""
    ids = np.asarray(ids)
    length = len(ids)
    future = np.triu(np.full((length, length), -np.inf), 1)
    turn = _turns(config, length)

    def linear(x, name):
        return x @ np.asarray(weights[f"{name}.weight"], np.float64).T

    def norm(x, name):
        scale = np.asarray(weights[f"{name}.weight"], np.float64)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + config.epsilon) * scale

    def heads(x, name):
        """`[heads, sequence, head_size]`"""
        return linear(x, name).reshape(length, -1, config.head_size).swapaxes(0, 1)

    def turned(x):
        """A head's numbers in pairs, each a complex number."""
        pairs = (x[..., 0::2] + 1j * x[..., 1::2]) * turn
        return np.stack([pairs.real, pairs.imag], -1).reshape(x.shape)

    table = np.asarray(weights["token_embd.weight"], np.float64)
    x = table[ids]
    for layer in (f"blk.{i}" for i in range(config.layers)):
        y = norm(x, f"{layer}.attn_norm")
        query, key = (turned(heads(y, f"{layer}.{name}")) for name in ("attn_q", "attn_k"))
        value = heads(y, f"{layer}.attn_v")
        key, value = (np.repeat(z, config.heads // config.kv_heads, axis=0) for z in (key, value))
        scores = query @ key.swapaxes(1, 2) / np.sqrt(config.head_size) + future
        share = np.exp(scores - scores.max(-1, keepdims=True))
        context = share / share.sum(-1, keepdims=True) @ value
        x = x + linear(context.swapaxes(0, 1).reshape(length, -1), f"{layer}.attn_output")
        y = norm(x, f"{layer}.ffn_norm")
        gate = linear(y, f"{layer}.ffn_gate")
        x = x + linear(gate / (1 + np.exp(-gate)) * linear(y, f"{layer}.ffn_up"), f"{layer}.ffn_down")
    return norm(x, "output_norm") @ table.T


def _turns(config: Config, length: int) -> NDArray[np.complex128]:
    """`[sequence, head_size / 2]` complex numbers of length 1: pair i turns by `base ** (-2 * i / head_size)` a position."""
    speeds = config.rotary_base ** (-np.arange(0, config.head_size, 2) / config.head_size)
    return np.exp(1j * np.outer(np.arange(length), speeds))


def greedy(weights: Weights, config: Config, ids: ArrayLike, tokens: int) -> list[int]:
    """The `tokens` ids that most probably follow `ids`, one after the other."""
    ids = list(np.asarray(ids))
    start = len(ids)
    for _ in range(tokens):
        ids.append(int(logits(weights, config, ids)[-1].argmax()))
    return ids[start:]
