"""How long `tt.plan` takes for a transformer of 100 layers, beside `jax.eval_shape` of the same model written in plain JAX.

The plan validates, allocates, checks footprints and counts programs; `eval_shape` finds shapes. Asked for: at most 2 s.

python tests/benchmarks/planning.py [--rounds 7] [--layers 100]
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
from _interleave import Comparison, compare, interleave, main

import tt_jax as tt

BATCH, SEQUENCE, HIDDEN, HEADS = 1, 384, 1024, 16
GRID = tt.CoreGrid(y=8, x=8)
TILE, L1 = tt.TILE_LAYOUT, tt.L1_MEMORY_CONFIG
SHAPES = {
    "gamma": (1, HIDDEN),
    "beta": (1, HIDDEN),
    "qkv": (HIDDEN, 3 * HIDDEN),
    "qkv_bias": (1, 3 * HIDDEN),
    "out": (HIDDEN, HIDDEN),
    "bias": (1, HIDDEN),
    "up": (HIDDEN, 4 * HIDDEN),
    "down": (4 * HIDDEN, HIDDEN),
}


def layer(memory, x, mask, w):
    """A pre-norm encoder layer: attention and a feed-forward network, each with its residual."""
    on_grid = dict(core_grid=GRID, memory_config=L1, dtype=tt.bfloat8_b)
    memory, normed = tt.layer_norm(memory, x, weight=w["gamma"], bias=w["beta"])
    memory, qkv = tt.linear(memory, normed, w["qkv"], bias=w["qkv_bias"], **on_grid)
    memory, (q, k, v) = tt.transformer.split_query_key_value_and_split_heads(memory, qkv, num_heads=HEADS, memory_config=L1)
    memory = tt.deallocate(memory, qkv, normed)
    memory, scores = tt.matmul(memory, q, k, memory_config=L1, core_grid=GRID)
    memory = tt.deallocate(memory, q, k)
    memory, scores = tt.transformer.attention_softmax_(memory, scores, attention_mask=mask, head_size=HIDDEN // HEADS)
    memory, context = tt.matmul(memory, scores, v, **on_grid)
    memory = tt.deallocate(memory, scores, v)
    memory, joined = tt.transformer.concatenate_heads(memory, context, memory_config=L1)
    memory, attended = tt.linear(memory, joined, w["out"], bias=w["bias"], core_grid=GRID)
    memory = tt.deallocate(memory, context, joined)
    memory, residual = tt.add(memory, x, attended)
    memory = tt.deallocate(memory, x, attended)
    memory, hidden = tt.linear(memory, residual, w["up"], activation="gelu", **on_grid)
    memory, down = tt.linear(memory, hidden, w["down"], core_grid=GRID)
    memory = tt.deallocate(memory, hidden)
    memory, y = tt.add(memory, residual, down)
    return tt.deallocate(memory, residual, down), y


def model(memory, x, mask, layers):
    for weights in layers:
        memory, x = layer(memory, x, mask, weights)
    return memory, x


def plain_layer(x, mask, w):
    """The same layer as a JAX user would write it."""
    heads = lambda y: y.reshape(BATCH, SEQUENCE, HEADS, -1).transpose(0, 2, 1, 3)
    normed = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-12) * w["gamma"] + w["beta"]
    q, k, v = map(heads, jnp.split(normed @ w["qkv"] + w["qkv_bias"], 3, axis=-1))
    scores = jax.nn.softmax(q @ k.swapaxes(-1, -2) / (HIDDEN // HEADS) ** 0.5 + mask, axis=-1)
    residual = x + (scores @ v).transpose(0, 2, 1, 3).reshape(x.shape) @ w["out"] + w["bias"]
    return residual + jax.nn.gelu(residual @ w["up"]) @ w["down"]


def plain_model(x, mask, layers):
    for weights in layers:
        x = plain_layer(x, mask, weights)
    return x


def comparisons(*, rounds: int = 7, layers: int = 100) -> Iterator[Comparison]:
    matrices = ("qkv", "out", "up", "down")
    weights = {
        name: tt.TensorSpec(shape, tt.bfloat8_b if name in matrices else tt.bfloat16, TILE) for name, shape in SHAPES.items()
    }
    specs = [tt.TensorSpec(shape, tt.bfloat16, TILE) for shape in ((BATCH, SEQUENCE, HIDDEN), (BATCH, 1, 1, SEQUENCE))]
    plain = lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32)
    plain_weights = {name: plain(shape) for name, shape in SHAPES.items()}
    plain_arguments = (*(plain(spec.shape) for spec in specs), [plain_weights] * layers)

    plan = tt.plan(model, *specs, [weights] * layers)
    assert plan.fits, plan.error
    # A function of its own each time: JAX keeps what it traced.
    contenders = {
        "tt.plan": lambda: (tt.plan(model, *specs, [weights] * layers), None)[1],
        "jax.eval_shape": lambda: (jax.eval_shape(lambda *a: plain_model(*a), *plain_arguments), None)[1],
        "str(plan)": lambda: (str(plan), None)[1],
    }
    times = interleave(contenders, rounds)
    note = f"{len(plan.steps):,} steps, {len(plan.lifetimes):,} buffers, {plan.programs} programs"
    name = f"a transformer of {layers} layers"
    yield compare(name, times, "tt.plan", "jax.eval_shape", most_seconds=2.0, note=note)
    yield compare(name, times, "str(plan)", "jax.eval_shape")


if __name__ == "__main__":
    main(__doc__, comparisons)
