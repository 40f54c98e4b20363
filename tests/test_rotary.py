"""Rotary position embeddings against float64, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from patterns import assert_same_bits
from tt_jax import experimental


@pytest.fixture
def memory():
    return tt.MemoryState.create(tt.N150)


def put(memory, *arrays, dtype=tt.bfloat16):
    tensors = []
    for x in arrays:
        memory, tensor = tt.from_array(memory, x.astype(np.float32), dtype=dtype, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    return memory, tensors


def angles(positions, width, pairs):
    """cos and sin `[1, 1, positions, width]` of the usual frequencies, laid out for pairs that are halves or neighbours."""
    frequency = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = np.arange(positions)[:, None] * frequency
    angle = np.repeat(angle, 2, -1) if pairs == "neighbours" else np.concatenate([angle, angle], -1)
    return np.cos(angle)[None, None], np.sin(angle)[None, None]


def turned(x, cos, sin, pairs):
    """The pairs as complex numbers, multiplied by those of the angles."""
    if pairs == "neighbours":
        z, w = x[..., ::2] + 1j * x[..., 1::2], cos[..., ::2] + 1j * sin[..., ::2]
        return np.stack([(z * w).real, (z * w).imag], -1).reshape(x.shape)
    half = x.shape[-1] // 2
    z, w = x[..., :half] + 1j * x[..., half:], cos[..., :half] + 1j * sin[..., :half]
    return np.concatenate([(z * w).real, (z * w).imag], -1)


def values(x):
    return np.asarray(tt.to_array(x), np.float64)


def assert_near(y, exact, error=0.006):
    y = values(y)
    assert y.shape == exact.shape
    assert np.linalg.norm(y - exact) <= error * np.linalg.norm(exact)
    assert abs((y * exact).sum() / (exact * exact).sum() - 1) <= error


def exchange():
    """The matrix of one tile that maps (a, b) to (-b, a) in each pair of neighbours."""
    matrix = np.zeros((1, 1, 32, 32))
    matrix[..., np.arange(1, 32, 2), np.arange(0, 32, 2)] = -1
    matrix[..., np.arange(0, 32, 2), np.arange(1, 32, 2)] = 1
    return matrix


def test_a_sequence(rng, memory):
    memory, (x, cos, sin) = put(memory, rng.normal(size=(2, 3, 50, 64)), *angles(128, 64, "halves"))
    after, y = experimental.rotary_embedding(memory, x, cos, sin)
    exact = turned(values(x), values(cos)[:, :, :50], values(sin)[:, :, :50], "halves")
    assert y.shape == (2, 3, 64, 64)  # whole tiles, as in ttnn
    assert not values(y)[:, :, 50:].any()
    assert np.linalg.norm(values(y)[:, :, :50] - exact) <= 0.006 * np.linalg.norm(exact)
    assert tt.deallocate(after, y) == memory


def test_tokens_of_users_at_one_position(rng, memory, cache):
    memory, (x, cos, sin) = put(memory, rng.normal(size=(1, 3, 32, 64)), *angles(128, 64, "halves"))
    for position in (7, 100):
        _, y = experimental.rotary_embedding(memory, x, cos, sin, position)
        at = slice(position, position + 1)
        assert_near(y, turned(values(x), values(cos)[:, :, at], values(sin)[:, :, at], "halves"))
    assert cache.entries == 1


@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.bfloat8_b])
def test_by_a_matrix(rng, memory, dtype):
    memory, (x,) = put(memory, rng.normal(size=(1, 3, 96, 128)), dtype=dtype)
    memory, (cos, sin, matrix) = put(memory, *angles(96, 128, "neighbours"), exchange())
    _, y = experimental.rotary_embedding_llama(memory, x, cos, sin, matrix)
    assert y.dtype is dtype
    assert_near(y, turned(values(x), values(cos), values(sin), "neighbours"), 0.006 if dtype is tt.bfloat16 else 0.012)


@pytest.mark.parametrize("pairs", ["neighbours", "halves"])
def test_tokens_of_users_at_their_own_positions(rng, memory, pairs):
    cos, sin = (x.swapaxes(1, 2) for x in angles(8, 64, pairs))
    memory, (x, cos, sin, matrix) = put(memory, rng.normal(size=(1, 8, 4, 64)), cos, sin, exchange())
    run = experimental.rotary_embedding_llama if pairs == "neighbours" else experimental.rotary_embedding_hf
    _, y = run(memory, x, cos, sin, *([matrix] if pairs == "neighbours" else []), is_decode_mode=True)
    assert_near(y, turned(values(x), values(cos), values(sin), pairs))


def test_a_turn_by_nothing_is_exact(rng, memory):
    memory, (x, cos, sin, matrix) = put(
        memory, rng.normal(size=(1, 2, 32, 64)), np.ones((1, 1, 32, 64)), np.zeros((1, 1, 32, 64)), exchange()
    )
    assert_same_bits(experimental.rotary_embedding(memory, x, cos, sin)[1].array, x.array)
    assert_same_bits(experimental.rotary_embedding_llama(memory, x, cos, sin, matrix)[1].array, x.array)


def test_jit_equals_eager_and_gradients_turn_back(rng, memory):
    memory, (x, cos, sin) = put(memory, rng.normal(size=(1, 2, 32, 64)), *angles(32, 64, "halves"))
    run = lambda x: experimental.rotary_embedding(memory, x, cos, sin)[1].array
    assert_same_bits(jax.jit(run)(x), run(x))
    ones = lambda values: run(tt.Tensor(values, x.spec, x.buffer)).astype(jnp.float32).sum()
    gradient = np.asarray(jax.grad(ones)(x.array), np.float64)
    exact = turned(np.ones((1, 2, 32, 64)), values(cos), -values(sin), "halves")
    np.testing.assert_allclose(gradient, exact, atol=0.02)


HALVES, LLAMA = experimental.rotary_embedding, experimental.rotary_embedding_llama
X, TABLE, TILE = (1, 2, 64, 64), (1, 1, 64, 64), (1, 1, 32, 32)
BAD = [
    (HALVES, ((2, 64, 64), TABLE, TABLE), {}, "`input_tensor` must have shape .*rank 4"),
    (HALVES, (X, TABLE, (1, 1, 32, 64)), {}, "must have one shape and dtype"),
    (HALVES, (X, (1, 1, 64, 32), (1, 1, 64, 32)), {}, "must be as wide as"),
    (HALVES, ((1, 2, 64, 32), (1, 1, 64, 32), (1, 1, 64, 32)), {}, "must be a multiple of 64 wide"),
    (HALVES, (X, (1, 1, 32, 64), (1, 1, 32, 64)), {}, "fewer positions"),
    (HALVES, (X, TABLE, TABLE), dict(token_index=64), "`token_index` 64 is beyond the 64 positions"),
    (HALVES, (X, TABLE, TABLE), dict(token_index=-1), "`token_index` must be at least 0"),
    (LLAMA, (X, TABLE, TABLE, (1, 1, 64, 64)), {}, "`trans_mat` must be one tile"),
    (LLAMA, (X, (1, 3, 64, 64), (1, 3, 64, 64), TILE), {}, "`cos_cache` must have shape .*1 or heads"),
    (LLAMA, (X, (1, 3, 1, 64), (1, 3, 1, 64), TILE), dict(is_decode_mode=True), r"\[1, batch, 1, head_size\]"),
    (LLAMA, (X, TABLE, TABLE, TILE), dict(is_decode_mode=1), "`is_decode_mode` must be True or False"),
]


@pytest.mark.parametrize("operation, shapes, options, text", BAD, ids=[text for *_, text in BAD])
def test_what_is_refused(memory, cache, operation, shapes, options, text):
    memory, tensors = put(memory, *(np.zeros(shape) for shape in shapes))
    with pytest.raises(tt.ArgumentError, match=text):
        operation(memory, *tensors, **options)
    assert cache.entries == 0
