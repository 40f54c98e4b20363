"""Embedding and its gradient: against NumPy, and what they leave in memory."""

import jax
import numpy as np
import pytest

import tt_jax as tt
from tt_jax.ops.embedding import EmbeddingsType, embedding, embedding_bw

TILE, ROWS = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
VOCABULARY, WIDTH = 50, 96


def values(tensor):
    return np.asarray(tt.to_array(tensor)).astype(np.float64)


def live(memory):
    return len(memory.live(tt.BufferType.DRAM)) + len(memory.live(tt.BufferType.L1))


def given(rng, shape, index_dtype=tt.uint32, index_layout=ROWS, weight_layout=ROWS):
    places = rng.integers(0, VOCABULARY, shape)
    memory, x = tt.from_array(tt.MemoryState.create(), places.astype(np.float32), dtype=index_dtype, layout=index_layout)
    table = rng.standard_normal((VOCABULARY, WIDTH)).astype(np.float32)
    memory, weight = tt.from_array(memory, table, dtype=tt.bfloat16, layout=weight_layout)
    return memory, x, weight, places


@pytest.mark.parametrize("shape", [(2, 32), (3, 17), (5,), (4, 1, 1, 9)])
@pytest.mark.parametrize("layout", [None, TILE])
@pytest.mark.parametrize("index, weight", [(ROWS, ROWS), (TILE, ROWS), (ROWS, TILE)])
def test_rows_are_looked_up(rng, shape, layout, index, weight):
    memory, x, table, places = given(rng, shape, index_layout=index, weight_layout=weight)
    after, y = embedding(memory, x, table, layout=layout)
    expected = values(table)[places.reshape(shape[:1] + shape[-1:] if len(shape) > 1 else shape)]
    assert (y.layout, y.dtype, y.shape) == (layout or weight, tt.bfloat16, expected.shape)
    np.testing.assert_array_equal(values(y), expected)
    assert live(after) == 3


def test_under_jit_and_without_values(rng):
    memory, x, table, _ = given(rng, (3, 17))
    eager = embedding(memory, x, table, layout=TILE)[1]
    compiled = jax.jit(lambda x, table: embedding(memory, x, table, layout=TILE)[1])(x, table)
    np.testing.assert_array_equal(values(compiled), values(eager))
    struct = tt.Tensor(jax.ShapeDtypeStruct(x.shape, np.uint32), x.spec, x.buffer)
    assert embedding(memory, struct, table, layout=TILE)[1].spec == eager.spec


def test_a_float_index_and_every_type_of_table_look_up_the_same(rng):
    memory, x, table, places = given(rng, (2, 8), tt.bfloat16)
    expected = values(table)[places]
    np.testing.assert_array_equal(values(embedding(memory, x, table)[1]), expected)
    _, y = embedding(memory, x, table, embeddings_type=EmbeddingsType.PADDED, padding_idx=3)
    np.testing.assert_array_equal(values(y), expected)
    memory, bits = tt.from_array(memory, (places % 2).astype(np.uint32))
    memory, pair = tt.from_array(memory, values(table)[:2], dtype=tt.bfloat16)
    _, y = embedding(memory, bits, pair, embeddings_type=EmbeddingsType.BINARY)
    np.testing.assert_array_equal(values(y), values(table)[places % 2])


def test_a_block_float_result_is_cast_once(rng):
    memory, x, table, places = given(rng, (2, 32))
    after, y = embedding(memory, x, table, layout=TILE, dtype=tt.bfloat8_b)
    memory, moved = tt.from_array(memory, values(table)[places], dtype=tt.bfloat16, layout=TILE)
    np.testing.assert_array_equal(values(y), values(tt.typecast(memory, moved, tt.bfloat8_b)[1]))
    assert live(after) == 3
    after, z = embedding(memory, x, table, layout=TILE, dtype=tt.bfloat16, output_tensor=moved)
    assert z.buffer == moved.buffer and live(after) == live(memory)


def test_an_index_out_of_range_reads_nan(rng):
    memory, x, table, _ = given(rng, (1, 3))
    memory, far = tt.from_array(memory, np.array([[0, VOCABULARY, 2**31]], np.uint32))
    y = values(embedding(memory, far, table)[1])
    np.testing.assert_array_equal(y[0, 0], values(table)[0])
    assert np.isnan(y[0, 1:]).all()


@pytest.mark.parametrize("dtype", [None, tt.bfloat8_b])
def test_the_gradient_sums_what_one_row_got(rng, dtype):
    memory, x, table, places = given(rng, (2, 64))
    memory, gradient = tt.from_array(
        memory, rng.standard_normal((1, 1, 128, WIDTH)).astype(np.float32), dtype=tt.bfloat16, layout=TILE
    )
    after, y = embedding_bw(memory, x, table, gradient, dtype=dtype)
    expected = np.zeros((VOCABULARY, WIDTH))
    np.add.at(expected, places.reshape(-1), values(gradient)[0, 0])
    assert (y.shape, y.dtype, live(after)) == ((1, 1, VOCABULARY, WIDTH), dtype or tt.bfloat16, 4)
    error = values(y)[0, 0] - expected
    assert np.linalg.norm(error) / np.linalg.norm(expected) < (2.0**-9 if dtype is None else 2.0**-6)
    if dtype is None:
        exponent = np.floor(np.log2(np.maximum(np.abs(expected), 1e-30)))
        assert (np.abs(error) <= 2.0 ** (exponent - 8) * 1.01).all()  # half a step, and a float32 sum


def test_the_gradient_is_the_derivative(rng):
    memory, x, table, _ = given(rng, (2, 5))
    memory, gradient = tt.from_array(memory, rng.integers(-3, 4, (1, 1, 10, WIDTH)), dtype=tt.bfloat16, layout=TILE)
    weights = values(gradient).reshape(2, 5, WIDTH)

    def total(array):
        y = embedding(memory, x, tt.Tensor(array, table.spec, table.buffer))[1]
        return (tt.to_array(y).astype(np.float32) * weights.astype(np.float32)).sum()

    derived = np.asarray(jax.grad(total)(table.array), np.float64)
    np.testing.assert_array_equal(values(embedding_bw(memory, x, table, gradient)[1])[0, 0], derived)


@pytest.mark.parametrize(
    "changes, text",
    [
        (dict(input_tensor="floats"), "`input_tensor` must be one of uint32, bfloat16"),
        (dict(weight="floats"), "`weight` must be one of bfloat16"),
        (dict(weight="deep"), "`weight` .* must be one matrix"),
        (dict(weight="x"), "must be one of bfloat16, bfloat8_b"),
        (dict(dtype=tt.float32), "ROW_MAJOR result is bfloat16, not float32"),
        (dict(embeddings_type="GENERIC"), "`embeddings_type` must be an EmbeddingsType"),
        (dict(embeddings_type=EmbeddingsType.PADDED), "PADDED needs `padding_idx`"),
        (dict(embeddings_type=EmbeddingsType.PADDED, padding_idx=50), "50 is no row of a table of 50"),
        (dict(embeddings_type=EmbeddingsType.BINARY), "needs a table of 2 rows, got 50"),
    ],
)
def test_wrong_input(rng, changes, text):
    memory, x, table, _ = given(rng, (2, 5))
    tensors = {"x": x}
    memory, tensors["floats"] = tt.from_array(memory, np.ones((2, 32), np.float32))
    memory, tensors["deep"] = tt.from_array(memory, np.ones((2, 5, 32)), dtype=tt.bfloat16)
    arguments = dict(input_tensor=x, weight=table) | changes
    arguments = {k: tensors[v] if isinstance(v, str) and v in tensors else v for k, v in arguments.items()}
    with pytest.raises(tt.ArgumentError, match=text):
        embedding(memory, **arguments)


@pytest.mark.parametrize(
    "gradient, layout, dtype, text",
    [
        ((1, 1, 9, WIDTH), TILE, None, "must have one row for each index"),
        ((1, 1, 10, WIDTH), ROWS, None, "must have TILE layout"),
        ((1, 1, 10, WIDTH), TILE, tt.int32, "`dtype` must be a float dtype"),
    ],
)
def test_wrong_gradients(rng, gradient, layout, dtype, text):
    memory, x, table, _ = given(rng, (2, 5))
    memory, gradient = tt.from_array(memory, np.ones(gradient), dtype=tt.bfloat16, layout=layout)
    with pytest.raises(tt.ArgumentError, match=text):
        embedding_bw(memory, x, table, gradient, dtype=dtype)
