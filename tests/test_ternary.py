"""Operations of three operands: values against float64 NumPy, dtypes, numbers, placement, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from patterns import assert_same_bits
from tt_jax.ops import ternary

SHAPE = (2, 33, 40)


def tensors(*arrays, memory=None, layout=tt.TILE_LAYOUT, **options):
    memory = memory or tt.MemoryState.create(tt.N150)
    made = []
    for array in arrays:
        memory, x = tt.from_array(memory, array, layout=layout, **options)
        made.append(x)
    return memory, *made


def wide(x):
    return np.asarray(x.array, np.float64)


def drawn(rng, n=3, shape=SHAPE):
    return [rng.uniform(0.5, 4, shape).astype(np.float32) for _ in range(n)]


FUNCTIONS = {
    "lerp": (ternary.lerp, lambda a, b, c: a + c * (b - a), {}),
    "mac": (ternary.mac, lambda a, b, c: a * b + c, {}),
    "addcmul": (ternary.addcmul, lambda a, b, c: a + 0.5 * b * c, {"value": 0.5}),
    "addcdiv": (ternary.addcdiv, lambda a, b, c: a + 0.5 * b / c, {"value": 0.5}),
}


@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.bfloat8_b], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_arithmetic_equals_float64_up_to_one_rounding(rng, name, dtype):
    function, exact, options = FUNCTIONS[name]
    memory, *x = tensors(*drawn(rng), dtype=dtype)
    _, y = function(memory, *x, **options)
    expected = exact(*map(wide, x))
    relative = np.linalg.norm(wide(y) - expected) / np.linalg.norm(expected)
    assert relative < {"bfloat16": 2.4e-3, "float32": 1e-6, "bfloat8_b": 1.5e-2}[dtype.kernel_name]
    assert abs(np.abs(wide(y)).mean() / np.abs(expected).mean() - 1) < {"bfloat8_b": 9e-3}.get(dtype.kernel_name, 1e-3)
    if dtype is tt.bfloat16:
        np.testing.assert_allclose(wide(y), expected, rtol=2**-7.99, atol=1e-6)


WHOLE = [(ternary.addcmul, lambda a, b, c: a + 3 * b * c, {"value": 3}), (ternary.mac, lambda a, b, c: a * b + c, {})]


@pytest.mark.parametrize("function, exact, options", WHOLE)
def test_whole_numbers(rng, function, exact, options):
    arrays = [rng.integers(-99, 99, SHAPE).astype(np.int32) for _ in "abc"]
    memory, *x = tensors(*arrays, dtype=tt.int32)
    _, y = function(memory, *x, **options)
    np.testing.assert_array_equal(np.asarray(y.array), exact(*arrays))


def test_numbers_in_arithmetic(rng):
    memory, a, b = tensors(*drawn(rng, 2), dtype=tt.float32)
    np.testing.assert_allclose(wide(ternary.lerp(memory, a, b, 0.25)[1]), wide(a) + 0.25 * (wide(b) - wide(a)), rtol=1e-6)
    np.testing.assert_allclose(wide(ternary.mac(memory, a, 2.0, 3.0)[1]), wide(a) * 2 + 3, rtol=1e-6)


VALUES = {"x": 0, "y": 1, "number": 7.0}


@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.bfloat8_b, tt.uint32], ids=str)
@pytest.mark.parametrize("predicate", [tt.bfloat16, tt.int32, tt.uint8], ids=str)
@pytest.mark.parametrize("values", ["tt", "tn", "nt", "nn"])
def test_where_is_exact(rng, values, predicate, dtype):
    choice = rng.integers(0, 3, SHAPE)
    a, b = (rng.integers(1, 60, SHAPE) for _ in "ab")
    memory, p = tensors(choice.astype(predicate.carrier), dtype=predicate)
    memory, x, y = tensors(a.astype(dtype.carrier), b.astype(dtype.carrier), memory=memory, dtype=dtype)
    given = [tensor if kind == "t" else number for kind, tensor, number in zip(values, (x, y), (7, 9), strict=True)]
    _, z = ternary.where(memory, p, *given)
    assert z.dtype is (predicate if values == "nn" else dtype)
    exact = np.where(choice != 0, *(wide(g) if isinstance(g, tt.Tensor) else g for g in given))
    if z.dtype is tt.bfloat8_b:
        np.testing.assert_allclose(wide(z), exact, atol=0.75)
    else:
        np.testing.assert_array_equal(wide(z), exact)


def test_where_keeps_what_is_no_number():
    memory, p = tensors(np.array([1, 0, 1, 0], np.float32), dtype=tt.float32)
    memory, x = tensors(np.array([np.nan, 1, -np.inf, 2], np.float32), memory=memory, dtype=tt.float32)
    np.testing.assert_array_equal(wide(ternary.where(memory, p, x, float("nan"))[1]), [np.nan, np.nan, -np.inf, np.nan])


@pytest.mark.parametrize("shapes", [((33, 1), (1, 40), (33, 40)), ((40,), (2, 33, 40), (1,)), ((2, 1, 1), (33, 40), ())])
def test_shapes_broadcast(rng, shapes):
    memory, *x = tensors(*(rng.uniform(-1, 1, s).astype(np.float32) for s in shapes), dtype=tt.float32)
    np.testing.assert_array_equal(wide(ternary.where(memory, *x)[1]), np.where(wide(x[0]) != 0, wide(x[1]), wide(x[2])))
    exact = wide(x[0]) * wide(x[1]) + wide(x[2])
    np.testing.assert_allclose(wide(ternary.mac(memory, *x)[1]), exact, atol=1e-6)


def test_an_output_tensor_gives_dtype_and_buffer(rng):
    memory, a, b, c = tensors(*drawn(rng), dtype=tt.bfloat16)
    memory, output = tensors(*drawn(rng, 1), memory=memory, dtype=tt.float32, memory_config=tt.L1_MEMORY_CONFIG)
    for function in (ternary.where, ternary.lerp, ternary.addcmul, ternary.addcdiv):
        after, y = function(memory, a, b, c, output_tensor=output)
        assert (after, y.spec, y.buffer) == (memory, output.spec, output.buffer)


def test_memory_config(rng):
    memory, a, b, c = tensors(*drawn(rng), dtype=tt.bfloat16)
    for function in (ternary.where, ternary.mac):
        assert function(memory, a, b, c, memory_config=tt.L1_MEMORY_CONFIG)[1].memory_config == tt.L1_MEMORY_CONFIG


@pytest.mark.parametrize("function", [ternary.where, ternary.lerp, ternary.mac, ternary.addcmul, ternary.addcdiv])
def test_jit_equals_eager_and_gradients_flow(rng, function):
    memory, *x = tensors(*drawn(rng), dtype=tt.bfloat16)
    jitted = jax.jit(lambda *x: function(memory, *x)[1])(*x)
    assert_same_bits(jitted.array, function(memory, *x)[1].array)

    def total(array):
        _, y = function(memory, x[0], tt.Tensor(array, x[1].spec, x[1].buffer), x[2])
        return y.array.astype(jnp.float32).sum()

    slope = np.asarray(jax.grad(total)(x[1].array), np.float64)
    a, c = wide(x[0]), wide(x[2])
    exact = {"where": np.ones(SHAPE), "lerp": c, "mac": a, "addcmul": c, "addcdiv": 1 / c}[function.__name__]
    np.testing.assert_allclose(slope, exact, rtol=2**-7)
