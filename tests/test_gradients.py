"""Gradients of the kernels: where nothing rounds those of float64, otherwise near them; and no NaN where there is a slope."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from gradient_cases import CASES
from test_unary_functions import KINKED, SMOOTH, difference
from tt_jax.kernels import (
    attention,
    backward,
    binary,
    data_movement,
    eltwise,
    functions,
    normalization,
    numerics,
    pool,
    reduction,
    rounding,
    softmax,
    sorting,
    ternary,
    unary,
)

INF = np.inf


def drawn(case, seed=0):
    """The inputs of `case`: float32 arrays whose values its carrier holds."""
    rng = np.random.default_rng(seed)
    arrays = [x if isinstance(x, np.ndarray) else rng.normal(size=x).astype(np.float32) for x in case.shapes]
    return [np.asarray(jnp.asarray(x).astype(case.carrier).astype(jnp.float32)) for x in arrays]


def weighted(case, inputs):
    """The kernel's result in float32, summed with random weights; and those weights."""
    weights = np.random.default_rng(9).normal(size=case.exact(*inputs).shape).astype(np.float32)
    return lambda *x: (rounding.widen(case.kernel(*x)) * weights).sum(), weights


def along(function, inputs, directions):
    """The derivative of `function` along `directions` by central differences of order four, in float64."""
    moved = lambda t: function(*(x.astype(np.float64) + t * v for x, v in zip(inputs, directions, strict=True)))
    return difference(moved, 0.0, 2.0**-10)


def every(inputs):
    return tuple(range(len(inputs)))


def some_slow(names, quick):
    """`names` as parameters; those that are not `quick` are marked slow."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


QUICK = """add divide addcdiv softmax layer_norm rms_norm row_sum_16_bit product_along variance matmul_HiFi3 linear convolution
attention_mask rotary max_pool average_pool scatter_multiply embedding sort cache_update block_float pack typecast convert""".split()


@pytest.mark.parametrize("name", some_slow(CASES, QUICK))
def test_where_nothing_rounds_values_and_gradients_are_those_of_float64(name):
    case = CASES[name]
    inputs = drawn(case)
    weights = weighted(case, inputs)[1]
    rng = np.random.default_rng(1)
    directions = [rng.normal(size=x.shape).astype(np.float32) for x in inputs]

    @jax.jit
    def measured(*inputs):
        y, pullback = jax.vjp(case.kernel, *inputs)
        return y, pullback(jnp.asarray(weights))

    with numerics.numerics("float32"):
        y, gradients = measured(*inputs)
    expected = case.exact(*(x.astype(np.float64) for x in inputs))
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())
    terms = [np.asarray(g, np.float64) * v for g, v in zip(gradients, directions, strict=True)]
    scale = np.sqrt(sum((t**2).sum() for t in terms))
    exact = along(lambda *x: (case.exact(*x) * weights).sum(), inputs, directions)
    assert abs(sum(t.sum() for t in terms) - exact) < 1e-4 * scale


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_gradients_of_rounded_kernels_are_near_those_of_the_function(name):
    case = CASES[name]
    inputs = drawn(case, seed=2)
    gradient = jax.jit(jax.grad(weighted(case, inputs)[0], every(inputs)))
    with numerics.numerics("float32"):
        exact = gradient(*inputs)
    rounded = gradient(*(jnp.asarray(x).astype(case.carrier) for x in inputs))
    for a, b in zip(rounded, exact, strict=True):
        assert a.dtype == case.carrier
        stored = np.asarray(b.astype(case.carrier), np.float64)
        assert np.linalg.norm(np.asarray(a, np.float64) - stored) <= case.bound * np.linalg.norm(stored)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["matmul_HiFi3", "matmul_float32", "row_sum_16_bit", "row_sum", "softmax_approximate", "rms_norm"]
)
def test_gradients_at_level_device_are_as_near(name):
    case = CASES[name]
    inputs = drawn(case, seed=2)
    gradient = jax.jit(jax.grad(weighted(case, inputs)[0], every(inputs)))
    with numerics.numerics("float32"):
        exact = gradient(*inputs)
    with numerics.numerics("device"):
        rounded = gradient(*(jnp.asarray(x).astype(case.carrier) for x in inputs))
    for a, b in zip(rounded, exact, strict=True):
        assert np.linalg.norm(np.asarray(a, np.float64) - np.asarray(b)) <= 2 * case.bound * np.linalg.norm(b)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["softmax", "layer_norm", "matmul_HiFi3", "linear", "attention", "rotary", "row_sum_16_bit", "block_float"]
)
def test_forward_mode_and_vmap_agree_with_the_gradient(name):
    case = CASES[name]
    inputs, others = (tuple(drawn(case, seed)) for seed in (3, 4))
    loss, _ = weighted(case, inputs)
    gradient = jax.grad(loss, every(inputs))

    @jax.jit
    def measured(inputs, others):
        stacked = jax.tree.map(lambda a, b: jnp.stack([a, b]), inputs, others)
        return gradient(*inputs), gradient(*others), jax.vmap(gradient)(*stacked), jax.jvp(loss, inputs, others)[1]

    here, there, both, forward = measured(inputs, others)
    for a, b, stacked in zip(here, there, both, strict=True):
        np.testing.assert_allclose(stacked, np.stack([a, b]), rtol=1e-4, atol=1e-5)
    terms = [np.asarray(g, np.float64) * v for g, v in zip(here, others, strict=True)]
    scale = np.sqrt(sum((t**2).sum() for t in terms))
    # Tangents and cotangents are rounded to bfloat16 where values are, at other places of the same chain.
    assert abs(sum(t.sum() for t in terms) - float(forward)) <= max(2 * case.bound, 1e-5) * scale


# ---- functions of one number

POINTS = np.array([0.0, -0.0, 1e-40, 1, -1, 0.5, -0.5, 3, -3, 60, -60, 150, -150, 1e38, -1e38, INF, -INF], np.float32)
COUNT = 100  # numbers at a time: one shape, so that each function is compiled once
NEEDED = {  # parameters of functions that the tables of values do not name
    **dict.fromkeys(("unary_eq", "unary_ne", "unary_ge", "unary_lt", "unary_le"), (1.0,)),
    **dict.fromkeys(("sub_unary_sfpu", "div_unary_sfpu", "fmod", "remainder", "maximum", "minimum"), (1.5,)),
    "power_iterative": (3.0,),
    "prelu_sfpu": (0.25,),
}
PARAMETERS = {name: NEEDED.get(name, (SMOOTH | KINKED)[name][0] if name in SMOOTH | KINKED else ()) for name in unary.FUNCTIONS}
POLES = dict.fromkeys(("lgamma", "polygamma"), {0.0, 1e-40, -1.0, -3.0, -60.0, -150.0, -1e38, -INF})
"""Where an infinite function has two slopes, hence none: NaN. (Every large float is a whole number.)"""


@functools.partial(jax.jit, static_argnums=(0, 2))
def values_and_slopes(name, x, fp32_dest):
    run = lambda x: rounding.widen(unary.apply(name, PARAMETERS[name], x, fp32_dest))
    y, pullback = jax.vjp(run, x)
    return y, pullback(jnp.ones_like(y))[0]


@pytest.mark.parametrize("name", SMOOTH | KINKED)
def test_slopes_of_functions_of_one_number_are_those_of_float64(rng, name):
    _, function, low, high = (SMOOTH | KINKED)[name]
    oracle = lambda x: np.asarray(function(x), np.float64)
    x = rng.uniform(low, high, COUNT).astype(np.float32)
    h = 1e-4 * min(1.0, high - low)
    smooth = np.ones(COUNT, bool)
    if name in KINKED:  # a kink or a jump within the differences
        left, right = (difference(oracle, x.astype(np.float64) + side * 8 * h, h) for side in (-1, 1))
        smooth = np.abs(left - right) < 1e-2 * (1 + np.abs(left))
        assert smooth.sum() > COUNT * 0.8
    expected = difference(oracle, x.astype(np.float64), h)[smooth]
    with numerics.numerics("float32"):
        _, slopes = values_and_slopes(name, x, True)
    np.testing.assert_allclose(np.asarray(slopes)[smooth], expected, rtol=2e-4, atol=2e-5 * np.abs(expected).max() + 1e-6)


@pytest.mark.parametrize("name", [name for name in unary.FUNCTIONS if name != "alt_complex_rotate90"])
def test_a_function_of_one_number_has_a_slope_wherever_it_has_a_value(name):
    with numerics.numerics("float32"):
        y, slopes = (np.asarray(array)[: len(POINTS)] for array in values_and_slopes(name, np.resize(POINTS, COUNT), True))
    missing = {float(x) for x in POINTS[np.isnan(slopes) & ~np.isnan(y)]}
    assert missing == {float(np.float32(x)) for x in POLES.get(name, ())}


@pytest.mark.parametrize(
    "name, at, slope",
    [
        ("sqrt", 0.0, INF),
        ("rsqrt", 0.0, -INF),
        ("rsqrt", -0.0, -INF),
        ("recip", 0.0, -INF),
        ("log", 0.0, INF),
        ("cbrt", 0.0, INF),
        ("atanh", 1.0, INF),
        ("abs", 0.0, 0.0),
        ("relu", 0.0, 0.0),
        ("maximum", 1.5, 0.5),  # the middle of what may be called a slope
        ("digamma", INF, 0.0),
        ("polygamma", INF, 0.0),
    ],
)
@pytest.mark.parametrize("fp32_dest", [True, False], ids=["fp32", "bf16"])
def test_slopes_where_there_is_no_derivative(name, at, slope, fp32_dest):
    assert values_and_slopes(name, jnp.full(1, at, jnp.float32), fp32_dest)[1][0] == slope


def test_a_standard_deviation_of_nothing_has_no_slope():
    slopes = jax.jit(jax.grad(lambda x: functions.root(reduction.variance(x, (0,), False))[0]))
    np.testing.assert_array_equal(slopes(jnp.full(3, 3.0)), np.zeros(3))
    z = np.array([1.0, 2.0, 4.0], np.float32)
    np.testing.assert_allclose(slopes(z), (z - z.mean()) / (3 * z.std()), rtol=1e-6)


@pytest.mark.parametrize("operation", [tt.std, tt.std_hw], ids=["std", "std_hw"])
def test_the_standard_deviation_of_a_constant_has_a_gradient(operation):
    def spread(x):
        memory, tensor = tt.from_array(tt.MemoryState.create(tt.N150), x, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
        return operation(memory, tensor)[1].array.astype(jnp.float32).sum()

    np.testing.assert_array_equal(jax.jit(jax.grad(spread))(jnp.full((1, 1, 32, 32), 3.0)), 0)


@pytest.mark.parametrize("fp32_dest", [True, False], ids=["fp32", "bf16"])
def test_a_row_that_nothing_is_left_of_has_a_finite_gradient(fp32_dest):
    """Unstable softmax of a fully masked row: zeros, and no NaN behind them."""
    x = jnp.asarray([[-1e9] * 32, [0.0] * 32], jnp.bfloat16)
    run = lambda x: softmax.softmax(x, dtype="bfloat16", numeric_stable=False, fp32_dest=fp32_dest).astype(jnp.float32)
    y, pullback = jax.vjp(run, x)
    np.testing.assert_array_equal(y[0], 0)
    assert np.isfinite(np.asarray(pullback(jnp.arange(64.0).reshape(2, 32))[0], np.float32)).all()


# ---- functions of two numbers

PAIRS = {  # the exact function and where it is compared
    "pow": (np.power, (0.5, 3), (-2, 3)),
    "logaddexp": (np.logaddexp, (-3, 3), (-3, 3)),
    "logaddexp2": (np.logaddexp2, (-3, 3), (-3, 3)),
    "xlogy": (lambda x, y: x * np.log(y), (-3, 3), (0.5, 3)),
    "hypot": (np.hypot, (-3, 3), (-3, 3)),
    "atan2": (np.arctan2, (-3, 3), (0.5, 3)),
    "ldexp": (lambda x, y: x * 2**y, (-3, 3), (-3, 3)),
    "squared_difference": (lambda x, y: (x - y) ** 2, (-3, 3), (-3, 3)),
    "div_no_nan": (np.divide, (-3, 3), (0.5, 3)),
    "prelu": (lambda x, y: np.where(x < 0, x * y, x), (-3, 3), (0.1, 1)),
    "maximum": (np.maximum, (-3, 3), (-3, 3)),
}


@functools.partial(jax.jit, static_argnums=0)
def pair_slopes(name, x, y):
    z, pullback = jax.vjp(lambda x, y: rounding.widen(binary.of_floats(name, x, y, "sfpu", True, ())), x, y)
    return z, *pullback(jnp.ones_like(z))


@pytest.mark.parametrize("name", PAIRS)
def test_slopes_of_functions_of_two_numbers_are_those_of_float64(rng, name):
    exact, *ranges = PAIRS[name]
    x, y = (rng.uniform(*bounds, 200).astype(np.float32) for bounds in ranges)
    apart = np.abs(x - y) > 0.01 if name == "maximum" else np.abs(x) > 0.01
    x, y = x[apart], y[apart]
    _, by_x, by_y = pair_slopes(name, x, y)
    wide, tall = x.astype(np.float64), y.astype(np.float64)
    np.testing.assert_allclose(by_x, difference(lambda x: exact(x, tall), wide), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_y, difference(lambda y: exact(wide, y), tall), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name, x, y, by_x, by_y",
    [
        ("xlogy", 0.0, 2.0, np.log(2), 0.0),
        ("xlogy", 0.0, 0.0, 0.0, 0.0),
        ("pow", 0.0, 0.0, 0.0, 0.0),
        ("pow", 0.0, 2.0, 0.0, 0.0),
        ("pow", -2.0, 2.0, -4.0, np.nan),  # along y a negative number has no power in between
        ("div_no_nan", 3.0, 0.0, 0.0, 0.0),
        ("atan2", 0.0, 0.0, 0.0, 0.0),
        ("hypot", 0.0, 0.0, 0.0, 0.0),
        ("hypot", INF, 1.0, 1.0, 0.0),
        ("hypot", 1.0, -INF, 0.0, -1.0),
        ("logaddexp", -INF, -INF, 0.5, 0.5),
        ("logaddexp", 1.0, -INF, 1.0, 0.0),
        ("logaddexp2", -INF, -INF, 0.5, 0.5),
        ("maximum", 2.0, 2.0, 0.5, 0.5),
        ("maximum", -INF, 1.0, 0.0, 1.0),
        ("prelu", 2.0, INF, 1.0, 0.0),
        ("nextafter", 1.0, 2.0, 1.0, 0.0),
        ("multiply", 0.0, 3.0, 3.0, 0.0),
        ("eq", 1.0, 1.0, 0.0, 0.0),
    ],
)
def test_slopes_of_two_numbers_at_edges(name, x, y, by_x, by_y):
    _, p, q = pair_slopes(name, jnp.full(1, x, jnp.float32), jnp.full(1, y, jnp.float32))
    np.testing.assert_allclose([p[0], q[0]], [by_x, by_y], rtol=1e-6)


# ---- edges of larger kernels

NORMAL = np.random.default_rng(6).normal(size=(4, 32)).astype(np.float32)
SATURATED = np.where(np.arange(32) == 3, np.float32(1e4), NORMAL)
ONE_ROW_MASKED = np.where(np.arange(4)[:, None] == 1, np.float32(-INF), NORMAL)
ZEROS = np.where(np.arange(32) % 5 == 0, np.float32(0), NORMAL)
HEADS = NORMAL.reshape(1, 2, 4, 16)
UNSEEN = np.arange(16).reshape(4, 4) % 5 < np.array([[4], [0], [2], [1]])
FLASH = attention.Arithmetic(0.25)
EDGES = {
    "softmax, saturated": (lambda x: softmax.softmax(x, dtype="bfloat16"), SATURATED),
    "softmax, masked": (
        lambda x: softmax.softmax(x, dtype="bfloat16"),
        np.where(np.arange(32) < 9, -INF, NORMAL).astype(np.float32),
    ),
    "softmax, a row masked": (lambda x: softmax.softmax(x, dtype="bfloat16"), ONE_ROW_MASKED),
    "softmax, a row masked, one by one": (
        jax.vmap(lambda x: softmax.softmax(x, dtype="bfloat16", fp32_dest=False)),
        ONE_ROW_MASKED,
    ),
    "attention, queries that see nothing": (
        lambda x: attention.attention(x, x, x, dtype="bfloat16", how=FLASH, allowed=jnp.asarray(UNSEEN)),
        HEADS,
    ),
    "attention, masks of -inf": (
        lambda x: attention.attention(x, x, x, dtype="bfloat16", how=FLASH, mask=jnp.where(UNSEEN, 0.0, -jnp.inf)[None, None]),
        HEADS,
    ),
    "layer norm of a constant row": (
        lambda x: normalization.normalize(x, epsilon=1e-5, dtype="bfloat16", centered=True),
        np.full((2, 32), 3.0, np.float32),
    ),
    "rms norm of zeros": (
        lambda x: normalization.normalize(x, epsilon=1e-5, dtype="bfloat16", centered=False, fp32_dest=False),
        np.zeros((2, 32), np.float32),
    ),
    "group norm of zeros": (
        lambda x: normalization.group_norm(x, 2, None, None, epsilon=1e-5, dtype="bfloat16"),
        np.zeros((1, 1, 4, 4), np.float32),
    ),
    "variance of a constant": (lambda x: reduction.variance(x, (1,), True), np.full((2, 7), 3.0, np.float32)),
    "a product with zeros": (lambda x: reduction.product(x, (1,)), ZEROS),
    "running products with zeros": (lambda x: sorting.cumulative(x, 1, True, False), ZEROS),
    "the largest of -inf": (lambda x: reduction.extreme(x, 1, "max"), ONE_ROW_MASKED),
    "pooling of -inf": (
        lambda x: pool.max_pool(x, pool.Window((2, 2), (1, 1), ((1, 1), (1, 1)))),
        np.full((1, 3, 3, 2), -INF, np.float32),
    ),
    "a gather outside": (lambda x: data_movement.gather(x, jnp.asarray([[0, 99]]), 0)[:, :1], NORMAL),
    "the other side of a where": (
        lambda x: ternary.select(jnp.isfinite(x).astype(jnp.float32), x, jnp.zeros_like(x)),
        ONE_ROW_MASKED,
    ),
    "a sum of opposite infinities": (lambda x: eltwise.fpu_sum(x, -x), np.array([INF, -INF, 1.0], np.float32)),
    "a row sum with infinity": (
        lambda x: reduction.row_sum(x, 1.0, "HiFi4", False),
        np.where(NORMAL > 2, INF, NORMAL).astype(np.float32),
    ),
}


SLOW_EDGES = {
    name for name in EDGES if name.endswith(("masked", "by one", "of -inf", "of zeros")) and name != "softmax, a row masked"
}


@pytest.mark.parametrize("name", some_slow(EDGES, EDGES.keys() - SLOW_EDGES))
def test_gradients_are_finite_at_the_edges(name):
    kernel, x = EDGES[name]

    @jax.jit
    def gradient(x):
        weights = jnp.cos(jnp.arange(jax.eval_shape(kernel, x).size, dtype=jnp.float32))
        return jax.grad(lambda x: rounding.widen(kernel(x)).ravel() @ weights)(x)

    assert np.isfinite(gradient(x)).all()


def test_equal_values_share_the_gradient():
    x = jnp.asarray([[2.0, 2.0, 1.0, 2.0]])
    total = lambda function: jax.jit(jax.grad(lambda x: function(x).sum()))(x)
    np.testing.assert_allclose(total(lambda x: reduction.extreme(x, 1, "max")), [[1 / 3, 1 / 3, 0, 1 / 3]], rtol=1e-6)
    np.testing.assert_array_equal(total(lambda x: sorting.sort(x, 1, False)[0]), np.ones((1, 4)))
    np.testing.assert_array_equal(total(lambda x: sorting.top_k(x, 2, 1, True)[0]), [[1, 1, 0, 0]])
    pooled = total(lambda x: pool.max_pool(x.reshape(1, 2, 2, 1), pool.Window((2, 2), (1, 1))))
    assert float(pooled.sum()) == 1 and float(pooled[0, 2]) == 0


def test_products_scattered_onto_zeros_have_gradients():
    x, values = jnp.asarray([[2.0], [0.0], [5.0]]), jnp.asarray([[0.0], [3.0], [0.0], [7.0], [4.0]])
    index = jnp.asarray([[0], [0], [2], [1], [2]])
    scattered = lambda x, values: data_movement.scatter(x, index, values, 0, "multiply").sum()
    by_x, by_values = jax.jit(jax.grad(scattered, (0, 1)))(x, values)
    np.testing.assert_array_equal(by_x[:, 0], [0, 7, 0])
    np.testing.assert_array_equal(by_values[:, 0], [2 * 3, 0, 5 * 4, 0, 0])


@pytest.mark.parametrize("name, parameters", [("gelu", ("none",)), ("sigmoid", ()), ("tanh", ()), ("log", ())])
def test_derivatives_have_derivatives(name, parameters):
    x = np.linspace(0.2, 2, 20).astype(np.float32)
    first = lambda x: backward.gradient(name, 0, parameters, jnp.ones_like(x), (x,), True)
    second = jax.jit(jax.grad(lambda x: first(x).sum()))(x)
    oracle = SMOOTH[name][1]
    slope = lambda x: difference(oracle, x, 1e-3)
    np.testing.assert_allclose(second, difference(slope, x.astype(np.float64), 1e-3), rtol=1e-3, atol=1e-4)
