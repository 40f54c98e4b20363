"""Heads: splitting and joining against NumPy, exactly, and what is refused."""

import jax
import numpy as np
import pytest

import tt_jax as tt
from patterns import assert_same_bits
from tt_jax import experimental, transformer
from tt_jax.memory import TensorMemoryLayout


@pytest.fixture
def memory():
    return tt.MemoryState.create(tt.N150)


def put(memory, *shapes, layout=tt.TILE_LAYOUT, dtype=tt.bfloat16):
    tensors, rng = [], np.random.default_rng(0)
    for shape in shapes:
        memory, tensor = tt.from_array(memory, rng.normal(size=shape).astype(np.float32), dtype=dtype, layout=layout)
        tensors.append(tensor)
    return memory, tensors


def bits(x):
    return np.array(x.array)


def heads_of(x, heads):
    """`[b, s, heads * d]` -> `[b, heads, s, d]`."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("separate", [True, False])
def test_queries_keys_and_values(memory, cache, transpose, separate):
    memory, (fused, queries, rest) = put(memory, (2, 1, 50, 384), (2, 1, 50, 256), (2, 1, 50, 128))
    inputs = (queries, rest) if separate else (fused,)
    after, (q, k, v) = experimental.nlp_create_qkv_heads(
        memory, *inputs, num_heads=8, num_kv_heads=2, transpose_k_heads=transpose
    )
    joined = np.concatenate([bits(x) for x in inputs], -1)[:, 0]
    keys = heads_of(joined[..., 256:320], 2)
    assert_same_bits(q.array, heads_of(joined[..., :256], 8))
    assert_same_bits(k.array, keys.swapaxes(-2, -1) if transpose else keys)
    assert_same_bits(v.array, heads_of(joined[..., 320:], 2))
    assert cache.entries == 1
    assert tt.deallocate(after, q, k, v) == memory


def test_fixed_numbers_of_heads(memory):
    memory, (falcon, vit, bert) = put(memory, (1, 1, 32, 73 * 64), (1, 1, 32, 36 * 64), (2, 1, 64, 3072))
    _, (q, k, v) = experimental.nlp_create_qkv_heads_falcon7b(memory, falcon)
    assert (q.shape, k.shape, v.shape) == ((1, 71, 32, 64), (1, 1, 32, 64), (1, 1, 32, 64))
    assert_same_bits(v.array[0, 0], bits(falcon)[0, 0, :, -64:])
    _, (q, k, v) = experimental.nlp_create_qkv_heads_vit(memory, vit)
    assert q.shape == k.shape == v.shape == (1, 12, 32, 64)
    _, (q, k, v) = experimental.split_query_key_value_and_split_heads(memory, bert, (8, 8), num_heads=16)
    assert (q.shape, k.shape, v.shape) == ((2, 16, 64, 64), (2, 16, 64, 64), (2, 16, 64, 64))
    assert_same_bits(k.array, heads_of(bits(bert)[:, 0, :, 1024:2048], 16).swapaxes(-2, -1))


def test_joining(memory):
    memory, (x,) = put(memory, (2, 4, 50, 32))
    joined = bits(x).swapaxes(1, 2).reshape(2, 50, 128)
    assert_same_bits(transformer.concatenate_heads(memory, x)[1].array, joined)
    assert_same_bits(experimental.nlp_concat_heads(memory, x)[1].array, joined[:, None])
    assert_same_bits(experimental.concatenate_heads(memory, x, (8, 8))[1].array, joined[:, None])


def test_tokens(memory):
    memory, (fused,) = put(memory, (1, 1, 8, 384))
    memory, (q, k, v) = experimental.nlp_create_qkv_heads_decode(memory, fused, num_heads=8, num_kv_heads=2)
    rows = bits(fused)[0, 0]
    assert_same_bits(q.array, rows[:, :256].reshape(1, 8, 8, 32))
    assert_same_bits(k.array, rows[:, 256:320].reshape(1, 8, 2, 32))
    assert_same_bits(v.array, rows[:, 320:].reshape(1, 8, 2, 32))
    for x in (q, k, v):
        assert x.memory_config.memory_layout is TensorMemoryLayout.HEIGHT_SHARDED
        assert (x.memory_config.shard_spec.shape, x.memory_config.shard_spec.num_cores()) == ((32, 32), 8)
    _, y = experimental.nlp_concat_heads_decode(memory, q, num_heads=8)
    assert_same_bits(y.array, rows[None, None, :, :256])
    assert (y.memory_config.memory_layout, y.memory_config.shard_spec.shape) == (TensorMemoryLayout.WIDTH_SHARDED, (32, 32))


def test_tokens_of_some_users_on_cores_of_their_own(memory):
    memory, (fused,) = put(memory, (1, 1, 16, 384))
    _, (q, k, v) = experimental.nlp_create_qkv_heads_decode(
        memory, fused, num_heads=8, num_kv_heads=2, batch_offset=4, slice_size=6, overlap_qk_coregrid=False
    )
    assert_same_bits(q.array, bits(fused)[0, 0, 4:10, :256].reshape(1, 6, 8, 32))
    grids = [x.memory_config.shard_spec.grid for x in (q, k, v)]
    assert grids[0] == grids[2]
    assert not any(grids[0].contains(part) for part in grids[1].ranges())


def test_rows_of_a_cache(memory):
    memory, (x,) = put(memory, (4, 2, 96, 32))
    _, y = experimental.nlp_kv_cache_load_slice(memory, x, seq_len_start=32, seq_len_end=96)
    assert_same_bits(y.array, bits(x)[:, :, 32:])
    assert (y.memory_config.shard_spec.shape, y.memory_config.shard_spec.num_cores()) == ((64, 32), 8)


def test_jit_equals_eager(memory):
    memory, (x,) = put(memory, (2, 1, 64, 384), dtype=tt.bfloat8_b)
    run = lambda x: [y.array for y in experimental.nlp_create_qkv_heads(memory, x, num_heads=8, num_kv_heads=2)[1]]
    for jitted, eager in zip(jax.jit(run)(x), run(x), strict=True):
        assert_same_bits(jitted, eager)


def test_scores_and_masks_in_rows_are_tiled_first(memory, cache):
    memory, (x, mask) = put(memory, (2, 2, 32, 64), (2, 1, 1, 64))
    _, expected = transformer.attention_softmax(memory, x, head_size=64, attention_mask=mask)
    memory, (rows, row) = put(memory, (2, 2, 32, 64), (2, 1, 1, 64), layout=tt.ROW_MAJOR_LAYOUT)
    before = cache.entries
    for scores, given, programs in ((rows, mask, 1), (x, row, 1), (rows, row, 0)):
        after, y = transformer.attention_softmax(memory, scores, head_size=64, attention_mask=given)
        assert_same_bits(y.array, expected.array)
        assert tt.deallocate(after, y) == memory
        assert cache.entries - before == programs
        before = cache.entries


CREATE, TOKENS, JOIN_TOKENS = (
    experimental.nlp_create_qkv_heads,
    experimental.nlp_create_qkv_heads_decode,
    experimental.nlp_concat_heads_decode,
)
SLICE = experimental.nlp_kv_cache_load_slice
BAD = [
    (CREATE, [(2, 32, 192)], dict(num_heads=2), "`input` must have shape .*rank 4"),
    (CREATE, [(2, 2, 32, 192)], dict(num_heads=2), r"\[batch, 1, sequence, width\]"),
    (CREATE, [(2, 1, 32, 192)], dict(num_heads=3), "which 9 heads cut into pieces of 21.3"),
    (CREATE, [(2, 1, 32, 192)], dict(num_heads=0), "`num_heads` must be at least 1"),
    (CREATE, [(2, 1, 32, 64), (2, 1, 64, 128)], dict(num_heads=2), r"`input_kv` must have shape \(2, 1, 32, 128\)"),
    (CREATE, [(2, 1, 32, 192)], dict(num_heads=2, transpose_k_heads=1), "`transpose_k_heads` must be True or False"),
    (CREATE, [(2, 1, 32, 192)], dict(num_heads=2, output_tensors=[]), "`output_tensors` is not modelled"),
    (experimental.nlp_concat_heads, [(2, 2, 32, 24)], {}, "a multiple of 32 wide"),
    (TOKENS, [(1, 2, 8, 192)], dict(num_heads=2), r"\[1, 1, batch, width\]"),
    (TOKENS, [(1, 1, 8, 192)], dict(num_heads=2, batch_offset=4, slice_size=5), "reach too far"),
    (JOIN_TOKENS, [(1, 8, 2, 32)], dict(num_heads=4), "4 heads or more"),
    (SLICE, [(1, 2, 64, 32)], dict(seq_len_start=0, seq_len_end=33), "multiples of 32 within the 64"),
    (SLICE, [(1, 2, 64, 32)], dict(seq_len_start=32, seq_len_end=96), "multiples of 32 within the 64"),
]


@pytest.mark.parametrize("operation, shapes, options, text", BAD, ids=[text for *_, text in BAD])
def test_what_is_refused(memory, cache, operation, shapes, options, text):
    memory, tensors = put(memory, *shapes)
    with pytest.raises((tt.ArgumentError, tt.NotModelledError), match=text):
        operation(memory, *tensors, **options)
    assert cache.entries == 0


def test_offsets_on_the_device_are_not_modelled(memory):
    memory, (x,) = put(memory, (1, 1, 8, 192))
    with pytest.raises(tt.NotModelledError, match="`batch_offset` as a tensor is not modelled"):
        experimental.nlp_create_qkv_heads_decode(memory, x, num_heads=2, batch_offset=x)
