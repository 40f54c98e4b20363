import itertools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from patterns import SPECIAL, assert_same_bits, float32
from tt_jax.kernels import tilize as kernel

SHAPES = [(), (1,), (45,), (32, 32), (1, 1), (40, 7), (3, 33, 65), (2, 1, 16, 48), (2, 3, 1, 5, 17)]
PADDED = [(32, 32), (32, 32), (32, 64), (32, 32), (32, 32), (64, 32), (3, 64, 96), (2, 1, 32, 64), (2, 3, 1, 32, 32)]

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
wrapped = pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])


def counting(shape, dtype=np.int32):
    return (np.arange(np.prod(shape), dtype=np.int64) + 1).reshape(shape).astype(dtype)


def offset(batch, row, column, tile_rows, tile_columns):
    """Where an element lies among all tiles' elements: the formula of spec/numerics.md section 2."""
    tile = (batch * tile_rows + row // 32) * tile_columns + column // 32
    face = row % 32 // 16 * 2 + column % 32 // 16
    return tile * 1024 + face * 256 + row % 16 * 16 + column % 16


def tiles_by_formula(x, pad_value):
    height, width = ((1, 1) + x.shape)[-2:]
    matrices = x.reshape(-1, height, width)
    rows, columns = -(-height // 32), -(-width // 32)
    flat = np.full(len(matrices) * rows * columns * 1024, pad_value, x.dtype)
    for index in itertools.product(*map(range, matrices.shape)):
        flat[offset(*index, rows, columns)] = matrices[index]
    return flat.reshape(-1, 1024)


@pytest.mark.parametrize("shape, padded", list(zip(SHAPES, PADDED, strict=True)), ids=str)
def test_padded_shape(shape, padded):
    assert kernel.padded_shape(shape) == padded


@every_shape
def test_each_element_lies_where_the_formula_says(shape):
    x = counting(shape)
    tiles = jax.jit(kernel.tilize)(x, -7)
    assert_same_bits(tiles, tiles_by_formula(x, -7))
    assert_same_bits(jax.jit(kernel.untilize, static_argnums=1)(tiles, shape), x)


def test_padding_is_zero_unless_asked():
    tiles = np.asarray(kernel.tilize(jnp.ones((3, 5))))
    assert tiles.sum() == 15
    assert set(np.unique(tiles)) == {0.0, 1.0}


@pytest.mark.parametrize("pad_value", [9.0, -np.inf, np.nan])
def test_padding_takes_any_float(pad_value):
    x = np.ones((3, 33), np.float32)
    tiles = kernel.tilize(jnp.asarray(x), pad_value)
    assert_same_bits(tiles, tiles_by_formula(x, np.float32(pad_value)))


@pytest.mark.parametrize("shape", [(), (3, 33, 65)], ids=str)
def test_eager_is_as_compiled(shape):
    x = counting(shape)
    tiles = kernel.tilize(jnp.asarray(x))
    assert_same_bits(tiles, tiles_by_formula(x, 0))
    assert_same_bits(kernel.untilize(tiles, shape), x)


@pytest.mark.parametrize("shape", [(32, 32), (3, 64, 96), (2, 1, 32, 64)], ids=str)
def test_tilize_inverts_untilize_on_whole_tiles(shape):
    tiles = counting((np.prod(shape) // 1024, 1024))
    assert_same_bits(kernel.tilize(kernel.untilize(jnp.asarray(tiles), shape)), tiles)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.bool, np.float32, ml_dtypes.bfloat16])
def test_any_dtype_keeps_its_type(dtype):
    x = counting((5, 40), dtype)
    tiles = jax.jit(kernel.tilize)(x)
    assert_same_bits(tiles, tiles_by_formula(x, 0))
    assert_same_bits(jax.jit(kernel.untilize, static_argnums=1)(tiles, x.shape), x)


def test_special_values_pass_unchanged():
    x = float32(SPECIAL).reshape(2, -1)
    tiles = kernel.tilize(jnp.asarray(x))
    assert_same_bits(tiles, tiles_by_formula(x, 0))
    assert_same_bits(kernel.untilize(tiles, x.shape), x)


@pytest.mark.parametrize(
    "tiles_shape, shape, expected",
    [
        ((3, 1024), (33, 33), "takes 4 tiles"),
        ((5, 1024), (33, 33), "takes 4 tiles"),
        ((1, 1023), (32, 32), "takes 1 tiles of 1024 elements"),
        ((1024,), (32, 32), r"`tiles` has shape \(1024,\)"),
        ((1, 1, 1024), (1, 32, 32), r"`tiles` has shape \(1, 1, 1024\)"),
        ((2, 1024), (), r"shape \(\) takes 1 tiles"),
    ],
    ids=str,
)
@wrapped
def test_untilize_refuses_tiles_of_another_shape(tiles_shape, shape, expected, wrap):
    with pytest.raises(ValueError, match=expected):
        wrap(lambda tiles: kernel.untilize(tiles, shape))(jnp.zeros(tiles_shape))


def test_gradient_drops_the_padding():
    x = counting((3, 33), np.float32)
    weights = counting((2, 1024), np.float32)
    gradient = jax.grad(lambda x: (kernel.tilize(x) * weights).sum())(x)
    assert_same_bits(gradient, kernel.untilize(jnp.asarray(weights), x.shape))


def test_vmap_over_the_batch_makes_the_same_tiles():
    x = counting((4, 40, 7))
    assert_same_bits(jax.vmap(kernel.tilize)(jnp.asarray(x)).reshape(-1, 1024), kernel.tilize(jnp.asarray(x)))


@pytest.mark.parametrize("shape", [(0,), (0, 7), (3, 0, 40), (2, 0)])
def test_nothing_makes_no_tiles(shape):
    tiles = kernel.tilize(jnp.zeros(shape, jnp.float32))
    assert tiles.shape == (0, 1024)
    assert kernel.untilize(tiles, shape).shape == shape
