"""What the benchmarks of attention share: its inputs, and the plain float32 JAX that a user would write instead."""

import jax
import jax.numpy as jnp
import numpy as np


def arrays(batch: int, sequence: int, hidden: int) -> tuple[np.ndarray, ...]:
    """Hidden states, a mask that hides nothing, and the weights and biases of both projections, float32; normal, weights scaled."""
    rng = np.random.default_rng(0)
    shapes = ((hidden, 3 * hidden), (1, 3 * hidden), (hidden, hidden), (1, hidden))
    states = rng.standard_normal((batch, sequence, hidden), np.float32)
    weights = (rng.standard_normal(shape, np.float32) * np.float32(shape[-2] ** -0.5) for shape in shapes)
    return (states, np.zeros((batch, 1, 1, sequence), np.float32), *weights)


def float32_attention(hidden, mask, qkv_weight, qkv_bias, output_weight, output_bias, *, num_heads):
    batch, sequence, width = hidden.shape
    heads = lambda x: x.reshape(batch, sequence, num_heads, -1).transpose(0, 2, 1, 3)
    q, k, v = map(heads, jnp.split(hidden @ qkv_weight + qkv_bias, 3, axis=-1))
    scores = jnp.einsum("bhsd,bhtd->bhst", q, k) / np.float32(np.sqrt(width // num_heads)) + mask
    context = jnp.einsum("bhst,bhtd->bhsd", jax.nn.softmax(scores, axis=-1), v)
    return context.transpose(0, 2, 1, 3).reshape(hidden.shape) @ output_weight + output_bias
