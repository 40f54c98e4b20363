"""Sort, top-k and argmax: against NumPy, by their laws, and what is refused."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from recordings import values
from tt_jax.kernels import sorting as kernel
from tt_jax.ops.sorting import argmax, sort, topk

TILE, ROW_MAJOR = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
FEW = st.lists(st.integers(-3, 3), min_size=1, max_size=20)


def make(array, dtype=tt.bfloat16, layout=TILE):
    return tt.from_array(tt.MemoryState.create(tt.N150), array, dtype=dtype, layout=layout)


@hypothesis.given(FEW, st.booleans())
def test_sorting_is_a_stable_permutation(numbers, descending):
    x = np.array(numbers, np.int32)
    y, order = (np.asarray(a) for a in kernel.sort(jnp.asarray(x), 0, descending))
    np.testing.assert_array_equal(y, np.sort(x)[:: -1 if descending else 1])
    np.testing.assert_array_equal(order, np.argsort(-x if descending else x, kind="stable"))


@pytest.mark.parametrize("dtype", [tt.uint16, tt.uint32, tt.int32])
def test_integers_sort_downwards_over_their_whole_range(dtype):
    limits = np.iinfo(dtype.carrier)
    x = np.array([1, limits.max, limits.min, 0, limits.max - 1], dtype.carrier)
    memory, t = make(x, dtype, ROW_MAJOR)
    _, (y, order) = sort(memory, t, descending=True)
    np.testing.assert_array_equal(y.array, np.sort(x)[::-1])
    np.testing.assert_array_equal(x[np.asarray(order.array)], y.array)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("descending", [True, False])
def test_sort(rng, dim, descending):
    memory, t = make(rng.normal(size=(3, 5, 40)).astype(np.float32))
    after, result = sort(memory, t, dim, descending)
    assert isinstance(result, list)
    y, order = result
    x = values(t.array)
    exact = np.sort(x, dim)
    np.testing.assert_array_equal(values(y.array), np.flip(exact, dim) if descending else exact)
    np.testing.assert_array_equal(np.take_along_axis(x, np.asarray(order.array, np.int64), dim), values(y.array))
    assert (y.dtype, order.dtype, order.layout) == (tt.bfloat16, tt.uint16, TILE)
    assert after.deallocate(y.buffer).deallocate(order.buffer) == memory


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.bfloat8_b])
def test_topk(rng, dtype, largest):
    memory, t = make(rng.normal(size=(2, 3, 64)).astype(np.float32), dtype)
    _, (y, order) = topk(memory, t, 7, largest=largest)
    x = values(t.array)
    exact = np.sort(x, -1)
    exact = exact[..., ::-1][..., :7] if largest else exact[..., :7]
    np.testing.assert_array_equal(np.take_along_axis(x, np.asarray(order.array, np.int64), -1), exact)
    np.testing.assert_allclose(values(y.array), exact, atol=2.0**-6 * np.abs(exact).max() if dtype is tt.bfloat8_b else 0)
    assert (y.dtype, y.shape) == (dtype, (2, 3, 7))


def test_indices_are_wide_where_they_must_be(rng):
    for size, dtype in ((2**16 - 1, tt.uint16), (2**16, tt.uint32)):
        memory, t = make(jax.ShapeDtypeStruct((1, size), jnp.bfloat16))
        _, (_, order) = topk(memory, t, 2)
        assert order.dtype is dtype


def test_topk_of_given_indices(rng):
    memory, t = make(np.array([[3.0, 1.0, 2.0]], np.float32))
    memory, given = tt.from_array(memory, np.array([[30, 10, 20]], np.uint16), dtype=tt.uint16, layout=TILE)
    _, (_, order) = topk(memory, t, 2, indices_tensor=given)
    np.testing.assert_array_equal(order.array, [[30, 20]])


@pytest.mark.parametrize("operation, options", [(sort, {}), (topk, {"k": 3})])
def test_into_given_tensors(rng, operation, options):
    memory, t = make(np.array([[3.0, 1.0, 2.0]], np.float32))
    outputs = []
    for dtype in (tt.bfloat16, tt.uint32):
        memory, out = tt.from_array(memory, np.zeros((1, 3)), dtype=dtype, layout=TILE)
        outputs.append(out)
    name = "out" if operation is sort else "output_tensor"
    after, (y, order) = operation(memory, t, **options, **{name: tuple(outputs)})
    assert after == memory
    assert [y.buffer, order.buffer] == [out.buffer for out in outputs]
    assert order.dtype is tt.uint32
    np.testing.assert_array_equal(order.array, [[1, 2, 0]] if operation is sort else [[0, 2, 1]])
    with pytest.raises(tt.ArgumentError, match="must be a pair"):
        operation(memory, t, **options, **{name: (outputs[0],)})
    with pytest.raises(tt.ArgumentError, match="must be uint16, uint32 or int32"):
        operation(memory, t, **options, **{name: (outputs[0], outputs[0])})
    memory, wrong = tt.from_array(memory, np.zeros((1, 4)), dtype=tt.uint32, layout=TILE)
    with pytest.raises(tt.ArgumentError, match="for indices must be"):
        operation(memory, t, **options, **{name: (outputs[0], wrong)})


@pytest.mark.parametrize("keepdim", [True, False])
@pytest.mark.parametrize("dim, layout", [(None, ROW_MAJOR), (-1, ROW_MAJOR), (-1, TILE), (0, TILE), (1, ROW_MAJOR)])
def test_argmax(rng, dim, layout, keepdim):
    memory, t = make(rng.integers(-3, 3, (3, 5, 40)).astype(np.float32), layout=layout)
    after, y = argmax(memory, t, dim, keepdim)
    exact = np.argmax(values(t.array), dim, keepdims=keepdim)
    assert (y.dtype, y.layout, y.shape) == (tt.uint32, ROW_MAJOR, np.shape(exact))
    np.testing.assert_array_equal(y.array, exact)
    after, z = argmax(after, t, dim, keepdim, output_tensor=y)
    assert z.buffer is y.buffer


def test_argmax_of_integers_and_of_one():
    memory, t = make(np.array([[1, 7, 7]], np.int32), tt.int32, ROW_MAJOR)
    assert int(argmax(memory, t, -1)[1].array[0]) == 1
    memory, t = make(np.float32(3), layout=ROW_MAJOR)
    assert int(argmax(memory, t)[1].array) == 0


BAD = [  # operation, shape, dtype, layout, arguments, text
    (sort, (4, 4), tt.bfloat8_b, TILE, {}, "`input_tensor` must be one of"),
    (sort, (4, 4), tt.bfloat16, TILE, {"dim": 2}, "out of range"),
    (sort, (), tt.bfloat16, TILE, {}, "is a scalar"),
    (sort, (4, 4), tt.bfloat16, TILE, {"descending": 1}, "`descending` must be True or False"),
    (topk, (4, 4), tt.bfloat16, TILE, {"k": 5}, "`k` is 5"),
    (topk, (4, 4), tt.bfloat16, TILE, {"k": 0}, "`k` must be at least 1"),
    (topk, (4, 4), tt.bfloat16, ROW_MAJOR, {"k": 1}, "must have TILE layout"),
    (topk, (4, 4), tt.int32, TILE, {"k": 1}, "`input_tensor` must be one of"),
    (argmax, (4, 4), tt.bfloat8_b, TILE, {"dim": 0}, "`input_tensor` must be one of"),
    (argmax, (4, 4), tt.bfloat16, TILE, {}, "without `dim`"),
    (argmax, (4, 4), tt.int32, TILE, {"dim": -1}, "integers are supported in ROW_MAJOR layout"),
    (argmax, (4, 4), tt.int32, ROW_MAJOR, {"dim": 0}, "integers are supported in ROW_MAJOR layout"),
    (argmax, (4, 0), tt.bfloat16, ROW_MAJOR, {"dim": 1}, "nothing to choose from"),
    (argmax, (4, 4), tt.bfloat16, ROW_MAJOR, {"dim": 2}, "out of range"),
]


@pytest.mark.parametrize("operation, shape, dtype, layout, arguments, text", BAD)
def test_bad_calls(operation, shape, dtype, layout, arguments, text, cache):
    memory, t = make(jax.ShapeDtypeStruct(shape, dtype.carrier), dtype, layout)
    with pytest.raises(tt.ArgumentError, match=text):
        operation(memory, t, **arguments)
    assert cache.entries == 0


def test_bad_indices():
    memory, t = make(jax.ShapeDtypeStruct((4, 4), jnp.bfloat16))
    memory, given = tt.from_array(memory, jax.ShapeDtypeStruct((4, 5), jnp.uint16), dtype=tt.uint16, layout=TILE)
    with pytest.raises(tt.ArgumentError, match="`indices_tensor` must have the shape"):
        topk(memory, t, 1, indices_tensor=given)
    with pytest.raises(tt.ArgumentError, match="`indices_tensor` must be one of"):
        topk(memory, t, 1, indices_tensor=t)
