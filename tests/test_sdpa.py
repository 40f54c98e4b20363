"""Attention against float64, its forms against each other, and what it refuses."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from patterns import assert_same_bits
from tt_jax import transformer
from tt_jax.kernels import attention as kernel
from tt_jax.program_configs import SDPAProgramConfig

ACCURATE = SDPAProgramConfig(compute_with_storage_grid_size=(8, 8), q_chunk_size=32, k_chunk_size=32, exp_approx_mode=False)


@pytest.fixture
def memory():
    return tt.MemoryState.create(tt.N150)


def put(memory, *arrays, dtype=tt.bfloat16):
    tensors = []
    for x in arrays:
        integer = np.asarray(x).dtype.kind == "i"
        kind = dict(dtype=tt.int32) if integer else dict(dtype=dtype, layout=tt.TILE_LAYOUT)
        memory, tensor = tt.from_array(memory, x, **kind)
        tensors.append(tensor)
    return memory, tensors


def draw(rng, *shapes):
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def attention(q, k, v, mask=0.0, scale=None):
    """The definition, in float64."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    k, v = (np.repeat(x, q.shape[1] // k.shape[1], axis=1) for x in (k, v))
    scores = q @ k.swapaxes(-1, -2) * (scale or 1 / math.sqrt(q.shape[-1])) + mask
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


def allowed(condition):
    return np.where(condition, 0.0, -np.inf)


def assert_near(y, exact, error=0.012):
    """Relative Frobenius error, and no bias beyond it: the fast exponential's errors are not random."""
    y = np.asarray(tt.to_array(y), np.float64)
    assert y.shape == exact.shape
    assert np.linalg.norm(y - exact) <= error * np.linalg.norm(exact)
    assert abs((y * exact).sum() / (exact * exact).sum() - 1) <= error


def chunked(size, approximate=False):
    return SDPAProgramConfig(
        compute_with_storage_grid_size=(8, 8), q_chunk_size=size, k_chunk_size=size, exp_approx_mode=approximate
    )


@pytest.mark.parametrize("size", [32, 64, 96, 128])
def test_any_chunks_give_attention(rng, memory, size):
    """128 keys in 4, 2, 2 (the second part empty) and 1 chunks; those above the diagonal are left out."""
    arrays = draw(rng, *[(1, 2, 128, 32)] * 3)
    memory, tensors = put(memory, *arrays)
    rows = np.arange(128)
    exact = attention(*arrays, allowed(rows[None] <= rows[:, None]))
    _, y = transformer.scaled_dot_product_attention(memory, *tensors, program_config=chunked(size))
    assert_near(y, exact)
    memory, (mask,) = put(memory, np.zeros((1, 1, 128, 128), np.float32))
    _, masked = transformer.scaled_dot_product_attention(
        memory, *tensors, attn_mask=mask, is_causal=False, program_config=chunked(size)
    )
    assert_near(masked, attention(*arrays))


def test_the_fast_exponential_weighs_earlier_chunks_less(memory):
    """Equal scores, and values that tell the chunks apart: each later chunk counts by 1 / 0.977 more, as exp_fast(0) is 0.977."""
    q, k = np.zeros((1, 1, 32, 32), np.float32), np.zeros((1, 1, 128, 32), np.float32)
    v = np.zeros((1, 1, 128, 32), np.float32)
    for chunk in range(4):
        v[..., 32 * chunk : 32 * chunk + 32, chunk] = 1
    memory, tensors = put(memory, q, k, v)
    weights = {}
    for approximate in (False, True):
        _, y = transformer.scaled_dot_product_attention(
            memory, *tensors, is_causal=False, program_config=chunked(32, approximate)
        )
        weights[approximate] = np.asarray(tt.to_array(y), np.float64)[0, 0, 0, :4]
    np.testing.assert_allclose(weights[False], 0.25, rtol=0.01)
    np.testing.assert_allclose(weights[True][:-1] / weights[True][1:], 0.9765625, rtol=0.01)


def test_a_chunk_that_no_query_of_its_own_chunk_sees_changes_nothing(rng, memory):
    """Causal: the first 32 queries have the values that they have without the later keys, bit for bit."""
    arrays = draw(rng, *[(1, 2, 96, 32)] * 3)
    memory, tensors = put(memory, *arrays)
    memory, first = put(memory, *(x[:, :, :32] for x in arrays))
    _, y = transformer.scaled_dot_product_attention(memory, *tensors, program_config=chunked(32, True))
    _, alone = transformer.scaled_dot_product_attention(memory, *first, program_config=chunked(32, True))
    assert_same_bits(np.asarray(tt.to_array(y))[:, :, :32], np.asarray(tt.to_array(alone)))


def temporary_bytes(run, sequence):
    """What one head of 32 needs beside inputs and output, compiled and not run."""
    memory, tensors = put(tt.MemoryState.create(tt.N150), *[np.zeros((1, 1, sequence, 32), np.float32)] * 3)
    return (
        jax.jit(lambda *tensors: run(memory, *tensors)[1].array).lower(*tensors).compile().memory_analysis().temp_size_in_bytes
    )


def windows(memory, q, k, v):
    memory, (bounds,) = put(memory, np.array([0, 1000, q.shape[2]], np.int32))
    return transformer.windowed_scaled_dot_product_attention(memory, q, k, v, bounds)


def chunked_by_48(memory, q, k, v):
    return transformer.scaled_dot_product_attention(memory, q, k, v, is_causal=False, program_config=chunked(48, True))


LINEAR = {
    "causal": transformer.scaled_dot_product_attention,
    "sliding": functools.partial(transformer.scaled_dot_product_attention, sliding_window_size=512),
    "centred": functools.partial(transformer.scaled_dot_product_attention, is_causal=False, sliding_window_size=512),
    "windows": windows,
    "last chunk in part": chunked_by_48,
    "all keys": functools.partial(transformer.scaled_dot_product_attention, is_causal=False),
}


@pytest.mark.parametrize(
    "form", [form if form in ("causal", "windows") else pytest.param(form, marks=pytest.mark.slow) for form in LINEAR]
)
def test_memory_follows_the_sequence_and_not_its_square(form):
    """No array of queries by keys: of one head, such booleans alone would take 4 MiB at 2048; all that is needed takes less than 2."""
    short, long = (temporary_bytes(LINEAR[form], sequence) for sequence in (2048, 4096))
    assert 0 < long <= 2.2 * short


def test_what_is_allowed_may_be_asked_for_by_chunk_or_given_whole(rng):
    """The same bits; the last of three chunks of keys is full in part."""
    q, k, v = (jnp.asarray(x, jnp.bfloat16) for x in draw(rng, (1, 4, 96, 32), (1, 2, 96, 32), (1, 2, 96, 32)))
    how = kernel.Arithmetic(0.2, chunks=(16, 40))
    given = jax.jit(lambda allowed: kernel.attention(q, k, v, dtype="bfloat16", how=how, allowed=allowed))
    asked = jax.jit(
        lambda window: kernel.attention(
            q, k, v, dtype="bfloat16", how=how, allowed=kernel.sees(jnp.arange(96)[:, None], True, window)
        )
    )
    distance = np.arange(96)[:, None] - np.arange(96)
    outputs = [asked(window) for window in (96, 20)]
    assert not np.array_equal(*map(np.asarray, outputs))
    for window, y in zip((96, 20), outputs, strict=True):
        assert_same_bits(given(jnp.asarray((distance >= 0) & (distance < window))), y)


SHAPES = [((2, 8, 64, 64), (2, 2, 64, 64)), ((1, 3, 50, 32), (1, 3, 50, 32)), ((1, 4, 96, 32), (1, 1, 96, 32))]


@pytest.mark.parametrize("q, kv", SHAPES)
def test_causal(rng, memory, q, kv):
    arrays = draw(rng, q, kv, kv)
    memory, tensors = put(memory, *arrays)
    rows = np.arange(q[2])
    exact = attention(*arrays, allowed(rows[None] <= rows[:, None]))
    after, y = transformer.scaled_dot_product_attention(memory, *tensors, program_config=ACCURATE)
    assert_near(y, exact)
    assert y.memory_config == tt.DRAM_MEMORY_CONFIG
    assert tt.deallocate(after, y) == memory
    _, fast = transformer.scaled_dot_product_attention(memory, *tensors)
    assert_near(fast, exact, 0.03)


@pytest.mark.parametrize("causal", [True, False])
def test_a_sink_is_a_key_without_a_value(rng, memory, causal):
    q, k, v, mask = draw(rng, (2, 4, 64, 32), (2, 2, 64, 32), (2, 2, 64, 32), (1, 1, 64, 64))
    sink = rng.uniform(0, 30, (1, 4, 1, 1)).astype(np.float32)
    memory, (*tensors, mask_tensor, sink_tensor) = put(memory, q, k, v, mask, sink)
    rows = np.arange(64)
    seen = allowed(rows[None] <= rows[:, None]) if causal else mask
    scores = np.float64(q) @ np.repeat(np.float64(k), 2, axis=1).swapaxes(-1, -2) / math.sqrt(32) + seen
    e = np.exp(scores)
    exact = e / (e.sum(-1, keepdims=True) + np.exp(np.asarray(tt.to_array(sink_tensor), np.float64) / math.sqrt(32)))
    _, y = transformer.scaled_dot_product_attention(
        memory,
        *tensors,
        is_causal=causal,
        attn_mask=None if causal else mask_tensor,
        attention_sink=sink_tensor,
        program_config=ACCURATE,
    )
    assert_near(y, exact @ np.repeat(np.float64(v), 2, axis=1))


@pytest.mark.parametrize("mask", [(2, 8, 64, 96), (1, 8, 64, 96), (2, 1, 64, 96), (1, 1, 64, 96)])
def test_a_mask_broadcasts_over_batch_and_heads(rng, memory, cache, mask):
    *arrays, added = draw(rng, (2, 8, 64, 32), (2, 2, 96, 32), (2, 2, 96, 32), mask)
    memory, (*tensors, added_tensor) = put(memory, *arrays, added)
    after, y = transformer.scaled_dot_product_attention(
        memory, *tensors, attn_mask=added_tensor, is_causal=False, scale=0.25, program_config=ACCURATE
    )
    assert_near(y, attention(*arrays, added, 0.25))
    assert tt.deallocate(after, y) == memory
    assert cache.entries == 2  # the mask is divided by the scale first


def test_masked_keys_have_no_weight(rng, memory):
    arrays = draw(rng, (1, 2, 32, 32), (1, 2, 64, 32), (1, 2, 64, 32))
    arrays[2][:, :, 40:] = 1e30
    mask = np.broadcast_to(allowed(np.arange(64) < 40), (1, 1, 32, 64)).astype(np.float32)
    memory, (*tensors, added) = put(memory, *arrays, mask)
    _, y = transformer.scaled_dot_product_attention(memory, *tensors, attn_mask=added, is_causal=False, program_config=ACCURATE)
    arrays[2][:, :, 40:] = 0
    assert_near(y, attention(*arrays, mask))


@pytest.mark.parametrize("causal", [True, False])
def test_sliding_window(rng, memory, causal):
    arrays = draw(rng, *[(1, 2, 96, 32)] * 3)
    memory, tensors = put(memory, *arrays)
    distance = np.arange(96)[:, None] - np.arange(96)[None]
    seen = (distance >= 0) & (distance < 20) if causal else abs(distance) <= 10
    _, y = transformer.scaled_dot_product_attention(
        memory, *tensors, is_causal=causal, sliding_window_size=20, program_config=ACCURATE
    )
    assert_near(y, attention(*arrays, allowed(seen)))


def test_windows_of_a_sequence(rng, memory):
    arrays = draw(rng, *[(1, 2, 96, 32)] * 3)
    memory, (*tensors, bounds) = put(memory, *arrays, np.array([0, 30, 70, 96], np.int32))
    window = np.searchsorted([30, 70], np.arange(96), side="right")
    _, y = transformer.windowed_scaled_dot_product_attention(memory, *tensors, bounds, program_config=ACCURATE)
    assert_near(y, attention(*arrays, allowed(window[:, None] == window[None])))


def test_joint_sequences(rng, memory):
    first, second = draw(rng, *[(1, 2, 64, 32)] * 3), draw(rng, *[(1, 2, 32, 32)] * 3)
    memory, tensors = put(memory, *first, *second)
    _, (y, joint) = transformer.joint_scaled_dot_product_attention(
        memory, *tensors, joint_strategy="rear", program_config=ACCURATE
    )
    exact = attention(*(np.concatenate(pair, axis=2) for pair in zip(first, second, strict=True)))
    assert_near(y, exact[:, :, :64])
    assert_near(joint, exact[:, :, 64:])


TABLE = np.array([[3, 1, 6], [0, 5, 4]], np.int32)


def blocks(x):
    """A cache `[2, kv, 96, d]` in blocks of 32, scattered as TABLE says; the others are full of large numbers."""
    pages = np.full((8, x.shape[1], 32, x.shape[3]), 1e4, np.float32)
    for user in range(2):
        for i, block in enumerate(TABLE[user]):
            pages[block] = x[user, :, 32 * i : 32 * i + 32]
    return pages


def test_decoding_sees_the_cache_up_to_the_position(rng, memory):
    q, k, v = draw(rng, (1, 2, 8, 64), (2, 2, 96, 64), (2, 2, 96, 64))
    memory, tensors = put(memory, q, k, v)
    positions = [5, 90]
    exact = attention(q[0][:, :, None], k, v, allowed(np.arange(96) <= np.array(positions)[:, None, None, None]))[None, :, :, 0]
    _, y = transformer.scaled_dot_product_attention_decode(memory, *tensors, cur_pos=positions, program_config=ACCURATE)
    assert_near(y, exact)
    memory, (at, table, k_pages, v_pages) = put(memory, np.array(positions, np.int32), TABLE, blocks(k), blocks(v))
    _, by_tensor = transformer.scaled_dot_product_attention_decode(memory, *tensors, cur_pos_tensor=at, program_config=ACCURATE)
    assert_same_bits(by_tensor.array, y.array)
    _, paged = transformer.paged_scaled_dot_product_attention_decode(
        memory, tensors[0], k_pages, v_pages, table, cur_pos_tensor=at, program_config=ACCURATE
    )
    assert_same_bits(paged.array, y.array)


def test_decoding_without_a_position(rng, memory):
    q, k, v, mask = draw(rng, (1, 2, 4, 32), (2, 1, 64, 32), (2, 1, 64, 32), (2, 1, 4, 64))
    memory, tensors = put(memory, q, k, v, mask)
    _, skipped = transformer.scaled_dot_product_attention_decode(memory, *tensors[:3], cur_pos=[-1, 3])
    assert not np.asarray(skipped.array)[:, 0].any()
    assert np.asarray(skipped.array)[:, 1].any()
    _, y = transformer.scaled_dot_product_attention_decode(
        memory, *tensors[:3], is_causal=False, attn_mask=tensors[3], program_config=ACCURATE
    )
    assert_near(y, attention(q[0][:, :, None], k, v, mask.swapaxes(1, 2))[None, :, :, 0])


def test_a_shared_cache(rng, memory):
    q, k, v = draw(rng, (1, 2, 4, 32), (1, 1, 64, 32), (1, 1, 64, 32))
    memory, tensors = put(memory, q, k, v)
    _, y = transformer.scaled_dot_product_attention_decode(
        memory, *tensors, cur_pos=[63, 63], share_cache=True, program_config=ACCURATE
    )
    k, v = (np.repeat(x, 2, axis=0) for x in (k, v))
    assert_near(y, attention(q[0][:, :, None], k, v)[None, :, :, 0])


def test_a_chunk_is_part_of_the_whole(rng, memory):
    arrays = draw(rng, (2, 4, 96, 32), (2, 2, 96, 32), (2, 2, 96, 32))
    q, k, v = arrays
    memory, (*tensors, chunk, k_pages, v_pages, table) = put(memory, *arrays, q[:, :, 32:64], blocks(k), blocks(v), TABLE)
    _, whole = transformer.scaled_dot_product_attention(memory, *tensors)
    _, y = transformer.chunked_scaled_dot_product_attention(memory, chunk, k_pages, v_pages, table, 32)
    np.testing.assert_allclose(
        np.asarray(y.array, np.float32), np.asarray(whole.array[:, :, 32:64], np.float32), rtol=2**-7, atol=2**-9
    )


@pytest.mark.parametrize("dtype", [tt.bfloat8_b, tt.bfloat4_b])
def test_block_floats(rng, memory, dtype):
    memory, tensors = put(memory, *draw(rng, *[(1, 2, 64, 32)] * 3), dtype=dtype)
    _, y = transformer.scaled_dot_product_attention(memory, *tensors, is_causal=False, program_config=ACCURATE)
    assert y.dtype is dtype
    exact = attention(*(np.asarray(tt.to_array(x)) for x in tensors))
    assert_near(y, exact, 0.02 if dtype is tt.bfloat8_b else 0.2)


def test_jit_equals_eager_and_gradients_flow(rng, memory):
    memory, tensors = put(memory, *draw(rng, *[(1, 2, 32, 32)] * 3))
    run = lambda *tensors: transformer.scaled_dot_product_attention(memory, *tensors)[1].array
    assert_same_bits(jax.jit(run)(*tensors), run(*tensors))

    def loss(values):
        q = tt.Tensor(values, tensors[0].spec, tensors[0].buffer)
        return run(q, *tensors[1:]).astype(jnp.float32).sum()

    gradient = np.asarray(jax.grad(loss)(tensors[0].array), np.float32)
    assert np.isfinite(gradient).all()
    assert gradient.any()


Q, KV = (2, 8, 64, 32), (2, 2, 64, 32)
BAD = [
    (dict(q=(2, 8, 32)), {}, "`input_tensor_q` must have shape .*rank 4"),
    (dict(v=(2, 2, 64, 64)), {}, "keys .* and values .* must have one shape"),
    (dict(k=(3, 2, 64, 32), v=(3, 2, 64, 32)), {}, "one batch and one head size"),
    (dict(k=(2, 3, 64, 32), v=(2, 3, 64, 32)), {}, "8 query heads do not divide evenly over 3"),
    (dict(k=(2, 2, 96, 32), v=(2, 2, 96, 32)), {}, r"as many queries \(64\) as keys \(96\)"),
    ({}, dict(mask=(2, 1, 64, 64)), "`attn_mask` comes with is_causal=True"),
    ({}, dict(mask=(2, 1, 64, 32), is_causal=False), r"`attn_mask` must have shape \(2, 8, 64, 64\)"),
    ({}, dict(mask=(3, 1, 64, 64), is_causal=False), "`attn_mask` must have shape"),
    ({}, dict(scale=0.0), "`scale` must be a finite number other than 0, got 0.0"),
    ({}, dict(scale="1"), "`scale` must be a finite number"),
    ({}, dict(program_config="fast"), "`program_config` must be an SDPAProgramConfig, got 'fast'"),
    ({}, dict(sliding_window_size=0), "`sliding_window_size` must be at least 1"),
    ({}, dict(is_causal=1), "`is_causal` must be True or False"),
    ({}, dict(dtype=tt.float32), "`input_tensor_q` must be one of bfloat16, bfloat8_b, bfloat4_b"),
]


@pytest.mark.parametrize("shapes, options, text", BAD, ids=[text for *_, text in BAD])
def test_what_attention_refuses(memory, shapes, options, text):
    options = dict(options)
    shapes = {"q": Q, "k": KV, "v": KV} | shapes
    dtype, mask = options.pop("dtype", tt.bfloat16), options.pop("mask", None)
    memory, tensors = put(memory, *(np.zeros(shape, np.float32) for shape in shapes.values()), dtype=dtype)
    if mask is not None:
        memory, (options["attn_mask"],) = put(memory, np.zeros(mask, np.float32))
    before = memory.live(tt.BufferType.DRAM)
    with tt.ProgramCache().use() as cache, pytest.raises(tt.ArgumentError, match=text):
        transformer.scaled_dot_product_attention(memory, *tensors, **options)
    assert memory.live(tt.BufferType.DRAM) == before
    assert cache.entries == 0


DECODE_BAD = [
    ({}, {}, "causal decoding needs `cur_pos` or `cur_pos_tensor`"),
    ({}, dict(cur_pos=[1]), "`cur_pos` must list 2 positions from -1 to 63"),
    ({}, dict(cur_pos=[1, 64]), "`cur_pos` must list 2 positions"),
    ({}, dict(cur_pos=[1, 1], cur_pos_tensor=(2,)), "both given"),
    ({}, dict(cur_pos_tensor=(3,)), r"`cur_pos_tensor` must have shape \(2,\)"),
    ({}, dict(cur_pos=[1, 1], attn_mask=(2, 1, 4, 64)), "`attn_mask` comes with is_causal=True"),
    ({}, dict(is_causal=False, attn_mask=(2, 4, 1, 64)), r"`attn_mask` must have shape \(2, 1, 4, 64\)"),
    (dict(q=(2, 1, 4, 32)), dict(cur_pos=[1]), r"must have shape \[1, batch, heads, head_size\]"),
    (dict(k=(3, 1, 64, 32), v=(3, 1, 64, 32)), dict(cur_pos=[1, 1]), "need keys and values of 2 sequences"),
    (dict(k=(2, 3, 64, 32), v=(2, 3, 64, 32)), dict(cur_pos=[1, 1]), "4 query heads do not divide evenly over 3"),
]


@pytest.mark.parametrize("shapes, options, text", DECODE_BAD, ids=[f"{i}" for i in range(len(DECODE_BAD))])
def test_what_decoding_refuses(memory, shapes, options, text):
    shapes, options = {"q": (1, 2, 4, 32), "k": (2, 1, 64, 32), "v": (2, 1, 64, 32)} | shapes, dict(options)
    memory, tensors = put(memory, *(np.zeros(shape, np.float32) for shape in shapes.values()))
    for argument, dtype in (("cur_pos_tensor", np.int32), ("attn_mask", np.float32)):
        if argument in options:
            memory, (options[argument],) = put(memory, np.zeros(options[argument], dtype))
    with pytest.raises(tt.ArgumentError, match=text):
        transformer.scaled_dot_product_attention_decode(memory, *tensors, **options)


def test_other_forms_refuse_what_does_not_fit(memory):
    zeros = lambda *shape: np.zeros(shape, np.float32)
    memory, (q, k, joint, wide) = put(
        memory, zeros(2, 4, 64, 32), zeros(8, 2, 32, 32), zeros(2, 4, 32, 32), zeros(2, 4, 32, 64)
    )
    memory, (table, bounds) = put(memory, np.zeros((2, 2), np.int32), np.zeros((1, 2), np.int32))
    chunked = transformer.chunked_scaled_dot_product_attention
    with pytest.raises(tt.ArgumentError, match="queries 32 to 96 reach beyond the 64 keys"):
        chunked(memory, q, k, k, table, 32)
    with pytest.raises(tt.ArgumentError, match="`chunk_start_idx` must be at least 0"):
        chunked(memory, q, k, k, table, -1)
    with pytest.raises(tt.ArgumentError, match="a row for each of 2 sequences"):
        chunked(memory, q, k, k, bounds, 0)
    with pytest.raises(tt.ArgumentError, match="one head size, keys and values one shape"):
        chunked(memory, q, k, wide, table, 0)
    with pytest.raises(tt.ArgumentError, match="`cu_window_seqlens` must have shape"):
        transformer.windowed_scaled_dot_product_attention(memory, q, q, q, bounds)
    join = lambda *tensors, strategy="rear": transformer.joint_scaled_dot_product_attention(
        memory, *tensors, joint_strategy=strategy, program_config=None
    )
    with pytest.raises(tt.ArgumentError, match="must be 'rear', got 'front'"):
        join(q, q, q, joint, joint, joint, strategy="front")
    with pytest.raises(tt.ArgumentError, match="may differ in their sequence only"):
        join(q, q, q, wide, wide, wide)
    with pytest.raises(tt.ArgumentError, match="must have one shape, and so must the joint ones"):
        join(q, q, joint, joint, joint, joint)
    with pytest.raises(tt.ArgumentError, match="`attention_sink` must have a value for each query head"):
        transformer.scaled_dot_product_attention(memory, q, q, q, attention_sink=q)
    with pytest.raises(tt.NotModelledError, match="`attention_sink` is not modelled"):
        transformer.scaled_dot_product_attention_decode(memory, q, q, q, cur_pos=[0], attention_sink=q)
