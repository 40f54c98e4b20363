"""Multi-head attention written for ttnn, as one would run it on a board; it needs no torch.

tt-jax run examples/ttnn_attention.py
tt-jax run --device p150 examples/ttnn_attention.py
"""

import numpy as np
import ttnn


def attention(x, mask, weights, num_heads):
    """The first version: operators, and a layout change around every reshape."""
    batch, rows, hidden = x.shape
    size = hidden // num_heads

    def heads(name, order):
        y = x @ weights[f"{name}_weight"]
        y += weights[f"{name}_bias"]
        y = ttnn.to_layout(y, ttnn.ROW_MAJOR_LAYOUT)
        y = ttnn.reshape(y, (batch, rows, num_heads, size))
        y = ttnn.to_layout(y, ttnn.TILE_LAYOUT)
        return ttnn.permute(y, order)

    query, key, value = heads("query", (0, 2, 1, 3)), heads("key", (0, 2, 3, 1)), heads("value", (0, 2, 1, 3))
    scores = query @ key
    scores *= 1 / size**0.5
    scores += mask
    context = ttnn.softmax(scores, dim=-1) @ value
    context = ttnn.permute(context, (0, 2, 1, 3))
    context = ttnn.to_layout(context, ttnn.ROW_MAJOR_LAYOUT)
    context = ttnn.reshape(context, (batch, rows, hidden))
    context = ttnn.to_layout(context, ttnn.TILE_LAYOUT)
    return context @ weights["output_weight"] + weights["output_bias"]


def optimized_attention(x, mask, weights, num_heads):
    """The last version: fused projections and heads, bfloat8_b, everything in L1 and freed as soon as it can be."""
    grid = ttnn.CoreGrid(y=8, x=8)
    l1 = ttnn.L1_MEMORY_CONFIG
    qkv = ttnn.linear(
        x, weights["qkv_weight"], bias=weights["qkv_bias"], dtype=ttnn.bfloat8_b, memory_config=l1, core_grid=grid
    )
    query, key, value = ttnn.transformer.split_query_key_value_and_split_heads(qkv, memory_config=l1, num_heads=num_heads)
    ttnn.deallocate(qkv)
    scores = ttnn.matmul(query, key, dtype=ttnn.bfloat16, memory_config=l1, core_grid=grid)
    ttnn.deallocate(query)
    ttnn.deallocate(key)
    probabilities = ttnn.transformer.attention_softmax_(scores, attention_mask=mask, head_size=x.shape[-1] // num_heads)
    context = ttnn.matmul(probabilities, value, dtype=ttnn.bfloat8_b, memory_config=l1, core_grid=grid)
    ttnn.deallocate(probabilities)
    ttnn.deallocate(value)
    merged = ttnn.transformer.concatenate_heads(context, memory_config=l1)
    ttnn.deallocate(context)
    output = ttnn.linear(
        merged, weights["output_weight"], bias=weights["output_bias"], dtype=ttnn.bfloat16, memory_config=l1, core_grid=grid
    )
    ttnn.deallocate(merged)
    return output


def expected(x, mask, host, num_heads):
    """The same in float64 NumPy."""
    batch, rows, hidden = x.shape
    size = hidden // num_heads

    def heads(name):
        y = x @ host[f"{name}_weight"] + host[f"{name}_bias"]
        return y.reshape(batch, rows, num_heads, size).transpose(0, 2, 1, 3)

    scores = heads("query") @ heads("key").swapaxes(-1, -2) / size**0.5 + mask
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    context = weights / weights.sum(-1, keepdims=True) @ heads("value")
    return context.transpose(0, 2, 1, 3).reshape(batch, rows, hidden) @ host["output_weight"] + host["output_bias"]


def main():
    batch, rows, num_heads, size = 2, 128, 8, 64
    hidden = num_heads * size
    rng = np.random.default_rng(0)
    host = {}
    for name in ("query", "key", "value", "output"):
        host[f"{name}_weight"] = rng.standard_normal((hidden, hidden)) / hidden**0.5
        host[f"{name}_bias"] = rng.standard_normal(hidden)
    for part in ("weight", "bias"):
        host[f"qkv_{part}"] = np.concatenate([host[f"{name}_{part}"] for name in ("query", "key", "value")], -1)
    x, mask = rng.standard_normal((batch, rows, hidden)), np.zeros((batch, 1, 1, rows))
    mask[..., -16:] = -1e4

    with ttnn.manage_device(device_id=0) as device:

        def put(array):
            return ttnn.from_numpy(array, ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)

        weights = {name: put(array) for name, array in host.items()}
        inputs, reference = (put(x), put(mask)), expected(x, mask, host, num_heads)
        print(f"{device.arch().name}, {batch} x {rows} x {hidden}, {num_heads} heads")
        for program in (attention, optimized_attention):
            for run in ("first", "again"):
                entries = device.num_program_cache_entries()
                output = ttnn.to_numpy(program(*inputs, weights, num_heads)).astype(np.float64)
                error = np.linalg.norm(output - reference) / np.linalg.norm(reference)
                added = device.num_program_cache_entries() - entries
                print(f"  {program.__name__:20} {run}: relative error {error:.4f}, {added} programs compiled")
        view = ttnn.get_memory_view(device, ttnn.BufferType.L1)
        print(f"  L1 allocated after it, per bank: {view.total_bytes_allocated_per_bank} B")


if __name__ == "__main__":
    main()
