"""The example's attention as functions of arrays, and the examples folder on the path."""

import pathlib
import sys

import jax.numpy as jnp

import tt_jax as tt

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

import attention  # noqa: E402 - found on the path just added

HEADS, HEAD_SIZE = 2, 32
HIDDEN = HEADS * HEAD_SIZE
BATCH, SEQUENCE = 2, 64


def arrays(rng, scaled_biases=True):
    """Hidden states, mask and parameters of the optimized attention, float32; weights, and biases too or not, times 1/sqrt(hidden)."""
    weight = HIDDEN**-0.5
    bias = weight if scaled_biases else 1.0
    normal = lambda shape, factor: jnp.asarray(rng.normal(size=shape) * factor, jnp.float32)
    return (
        normal((BATCH, SEQUENCE, HIDDEN), 1.0),
        jnp.where(jnp.arange(SEQUENCE) < SEQUENCE - 7, 0.0, -1e9)[None, None, None].repeat(BATCH, 0).astype(jnp.float32),
        normal((HIDDEN, 3 * HIDDEN), weight),
        normal((1, 3 * HIDDEN), bias),
        normal((HIDDEN, HIDDEN), weight),
        normal((1, HIDDEN), bias),
    )


def optimized(memory, *inputs, fidelity=None, intermediate=tt.bfloat8_b):
    """Arrays on to the device, the optimized attention, its output as an array, everything freed again."""
    config = fidelity and tt.ComputeKernelConfig(fidelity, math_approx_mode=False, packer_l1_acc=True)
    tensors = []
    for x in inputs:
        memory, tensor = tt.from_array(memory, x, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    hidden, mask, *parameters = tensors
    memory, y = attention.optimized(
        memory,
        hidden,
        mask,
        attention.OptimizedParameters(*parameters),
        num_heads=HEADS,
        compute_kernel_config=config,
        intermediate=intermediate,
    )
    return tt.deallocate(memory, *tensors, y), tt.to_array(y)


def counts(cache):
    """Entries, hits and misses of a program cache."""
    return cache.entries, cache.hits, cache.misses
