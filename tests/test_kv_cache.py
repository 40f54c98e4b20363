"""Caches: what is written where against NumPy's assignment, in place, and what is refused."""

import jax
import numpy as np
import pytest

import tt_jax as tt
from patterns import assert_same_bits
from tt_jax import experimental
from tt_jax.ops import kv_cache


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


def check(memory, run, cache, expected):
    """`run(memory, cache)` writes `expected` in the cache's buffer, jitted too, and takes no other memory."""
    after, y = run(memory, cache)
    assert after == memory
    assert (y.buffer, y.spec) == (cache.buffer, cache.spec)
    assert_same_bits(y.array, expected)
    assert_same_bits(jax.jit(run)(memory, cache)[1].array, y.array)


def bits(x):
    return np.array(x.array)


@pytest.mark.parametrize("offset", [0, 2])
def test_update(rng, memory, offset):
    memory, (cache, token) = put(memory, *draw(rng, (4, 2, 64, 32), (1, 2, 8, 32)))
    expected = bits(cache)
    expected[:, :, 7] = bits(token)[0, :, offset : offset + 4].swapaxes(0, 1)
    check(memory, lambda m, c: kv_cache.update_cache(m, c, token, 7, batch_offset=offset), cache, expected)
    check(memory, lambda m, c: kv_cache.update_cache_for_token_(m, c, token, 7, offset), cache, expected)


def test_fill(rng, memory):
    memory, (cache, sequence) = put(memory, *draw(rng, (4, 2, 64, 32), (1, 2, 32, 32)))
    expected = bits(cache)
    expected[3, :, :32] = bits(sequence)[0]
    check(memory, lambda m, c: kv_cache.fill_cache(m, c, sequence, 3), cache, expected)
    check(memory, lambda m, c: kv_cache.fill_cache_for_user_(m, c, sequence, 3), cache, expected)


def test_positions_need_no_new_program(rng, memory, cache):
    memory, (kept, token, sequence) = put(memory, *draw(rng, (4, 2, 64, 32), (1, 2, 4, 32), (1, 2, 32, 32)))
    memory, (users,) = put(memory, *draw(rng, (1, 4, 2, 32)))
    for i in range(3):
        kv_cache.update_cache(memory, kept, token, i)
        kv_cache.fill_cache(memory, kept, sequence, i)
        experimental.paged_update_cache(memory, kept, users, update_idxs=[i] * 4)
    assert cache.entries == 3


def test_a_token_is_packed_in_the_dtype_of_the_cache(rng, memory):
    memory, (cache,) = put(memory, *draw(rng, (2, 1, 64, 32)), dtype=tt.bfloat8_b)
    memory, (token,) = put(memory, *draw(rng, (1, 1, 2, 32)))
    _, y = kv_cache.update_cache(memory, cache, token, 5)
    _, packed = tt.typecast(memory, token, tt.bfloat8_b)
    step = np.abs(np.asarray(token.array, np.float32)).max() * 2.0**-6  # 7 bits of magnitude below the largest's power of two
    expected = np.asarray(packed.array, np.float32)[0].swapaxes(0, 1)
    assert np.abs(np.asarray(y.array, np.float32)[:, :, 5] - expected).max() <= step
    rest = np.arange(64) != 5
    assert_same_bits(np.asarray(y.array)[:, :, rest], np.asarray(cache.array)[:, :, rest])


@pytest.mark.parametrize("by_tensor", [True, False])
def test_a_position_for_each_user(rng, memory, by_tensor):
    positions = [3, -1, 60, 0]
    memory, (cache, token, at) = put(memory, *draw(rng, (4, 2, 64, 32), (1, 4, 2, 32)), np.array(positions, np.int32))
    expected = bits(cache)
    for user, position in enumerate(positions):
        if position >= 0:
            expected[user, :, position] = bits(token)[0, user]
    where = dict(update_idxs_tensor=at) if by_tensor else dict(update_idxs=positions)
    check(memory, lambda m, c: experimental.paged_update_cache(m, c, token, **where), cache, expected)


def test_a_shared_cache(rng, memory):
    memory, (cache, token) = put(memory, *draw(rng, (1, 2, 64, 32), (1, 3, 32, 32)))
    expected = bits(cache)
    expected[0, :, [4, 5, 6]] = bits(token)[0, :, :2]
    run = lambda m, c: experimental.paged_update_cache(m, c, token, update_idxs=[4, 5, 6], share_cache=True)
    check(memory, run, cache, expected)


TABLE = np.array([[3, 1], [0, 7], [2, 4], [5, 6]], np.int32)


def test_pages_of_a_token(rng, memory):
    positions = np.array([3, 40, 63, -1], np.int32)
    memory, (cache, token, table, at) = put(memory, *draw(rng, (8, 2, 32, 32), (1, 4, 2, 32)), TABLE, positions)
    expected = bits(cache)
    for user, position in enumerate(positions[:3]):
        expected[TABLE[user, position // 32], :, position % 32] = bits(token)[0, user]
    run = lambda m, c: experimental.paged_update_cache(m, c, token, update_idxs_tensor=at, page_table=table)
    check(memory, run, cache, expected)
    _, (first, second) = experimental.paged_fused_update_cache(
        memory, cache, token, cache, token, update_idxs_tensor=at, page_table=table
    )
    assert_same_bits(first.array, expected)
    assert_same_bits(second.array, expected)


@pytest.mark.parametrize("by_tensor", [True, False])
def test_pages_of_a_sequence(rng, memory, by_tensor):
    memory, (cache, sequence, table, user) = put(
        memory, *draw(rng, (8, 2, 32, 32), (1, 2, 50, 32)), TABLE, np.array([2], np.int32)
    )
    expected = bits(cache)
    expected[2] = bits(sequence)[0, :, :32]
    expected[4, :, :18] = bits(sequence)[0, :, 32:]
    which = dict(batch_idx_tensor=user) if by_tensor else dict(batch_idx=2)
    check(memory, lambda m, c: experimental.paged_fill_cache(m, c, sequence, table, **which), cache, expected)


CACHE, TOKEN, SEQUENCE, USERS = (4, 2, 64, 32), (1, 2, 4, 32), (1, 2, 32, 32), (1, 4, 2, 32)
UPDATE, FILL, PAGED = kv_cache.update_cache, kv_cache.fill_cache, experimental.paged_update_cache
BAD = [
    (UPDATE, (CACHE, TOKEN), dict(update_idx=64), "`update_idx` 64 is beyond the 64 rows"),
    (UPDATE, (CACHE, TOKEN), dict(update_idx=-1), "`update_idx` must be at least 0"),
    (UPDATE, (CACHE, (1, 2, 3, 32)), dict(update_idx=0), "fewer rows than `cache`"),
    (UPDATE, (CACHE, (1, 2, 4, 64)), dict(update_idx=0), "one head size"),
    (UPDATE, (CACHE, (2, 4, 32)), dict(update_idx=0), "`input` must have shape .*rank 4"),
    (UPDATE, (CACHE, (1, 3, 4, 32)), dict(update_idx=0), "`input` must have shape"),
    (FILL, (CACHE, SEQUENCE), dict(batch_idx=4), "`batch_idx` 4 is beyond the 4 entries"),
    (FILL, (CACHE, (1, 2, 96, 32)), dict(batch_idx=0), "at most 64"),
    (FILL, (CACHE, (2, 2, 32, 32)), dict(batch_idx=0), "`input` must have shape"),
    (PAGED, (CACHE, USERS), {}, "either `update_idxs` or `update_idxs_tensor`"),
    (PAGED, (CACHE, USERS), dict(update_idxs=[1]), "`update_idxs` must list 4 positions from -1 to 63"),
    (PAGED, (CACHE, USERS), dict(update_idxs=[1, 1, 1, 64]), "`update_idxs` must list 4 positions"),
    (PAGED, ((3, 2, 64, 32), USERS), dict(update_idxs=[1] * 4), "must have an entry for each of 4 users"),
    (PAGED, (CACHE, USERS), dict(update_idxs=[1] * 4, share_cache=True), "a shared cache has one entry"),
    (PAGED, (CACHE, USERS), dict(update_idxs=[1] * 4, cache_position_modulo=32), "`cache_position_modulo` is not modelled"),
    (PAGED, (CACHE, USERS), dict(update_idxs=[1] * 4, batch_offset=1), "`batch_offset` is not modelled"),
]


@pytest.mark.parametrize("operation, shapes, options, text", BAD, ids=[text for *_, text in BAD])
def test_what_is_refused(memory, cache, operation, shapes, options, text):
    memory, tensors = put(memory, *(np.zeros(shape, np.float32) for shape in shapes))
    with pytest.raises((tt.ArgumentError, tt.NotModelledError), match=text):
        operation(memory, *tensors, **options)
    assert cache.entries == 0


def test_what_filling_pages_refuses(memory):
    memory, (cache, sequence, long, table) = put(
        memory, *(np.zeros(s, np.float32) for s in ((8, 2, 32, 32), (1, 2, 32, 32), (1, 2, 96, 32))), TABLE
    )
    memory, (wide,) = put(memory, np.zeros((1, 2, 32, 32), np.float32), dtype=tt.float32)
    fill = experimental.paged_fill_cache
    with pytest.raises(tt.ArgumentError, match="has blocks for 64"):
        fill(memory, cache, long, table)
    with pytest.raises(tt.ArgumentError, match="`batch_idx` 4 is beyond the 4 rows"):
        fill(memory, cache, sequence, table, batch_idx=4)
    with pytest.raises(tt.ArgumentError, match="must have the heads and the dtype of the cache"):
        fill(memory, cache, wide, table)
    with pytest.raises(tt.ArgumentError, match="`page_table` must be one of int32, uint32"):
        fill(memory, cache, sequence, sequence)
    with pytest.raises(tt.ArgumentError, match="dtype of the cache.*typecast"):
        kv_cache.fill_cache(memory, cache, wide, 0)
