"""`tt.explain` against tensors of which the answer is known."""

import collections
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from oracles import engine
from tt_jax.kernels import block_float
from tt_jax.testing import block_float as oracle


def test_equal_exponents_lose_nothing_to_each_other():
    e = tt.explain(np.full((4, 32), 1.5, np.float32))
    assert (e.relative_error, e.lost_bits, e.zeroed, e.saturated) == (0, 0, 0, 0)
    assert e.spread_counts == {0: 8}
    assert e.blocks == ()
    assert e.predicted_error == pytest.approx(2.0**-6 / 12**0.5 / 1.5)


def test_one_large_number_costs_its_neighbours_their_bits():
    x = np.full((2, 32), 1.0, np.float32)
    x[1, 3] = 2.0**9
    e = tt.explain(x)
    assert e.spread_counts == {0: 3, 9: 1}
    assert e.lost_bits == pytest.approx(15 * 7 / 64)  # 9 bits, of which a datum has 7
    assert e.zeroed == 15 / 64
    assert e.blocks[0].start == (1, 0)
    assert e.blocks[0].share == 1
    np.testing.assert_array_equal(e.spread_map, [[0, 0], [9, 0]])
    assert np.isnan(e.error_map).sum() == 3


def test_the_largest_code_saturates():
    x = np.full((1, 16), 1.0, np.float32)
    x[0, 0] = 1.999
    assert tt.explain(x).saturated == 1 / 16


@pytest.mark.parametrize(("dtype", "bits"), [("bfloat8_b", 7), (tt.bfloat4_b, 3)])
def test_prediction_and_measurement_agree_on_random_numbers(rng, dtype, bits):
    x = rng.normal(size=(64, 256)).astype(np.float32)
    e = tt.explain(x, dtype)
    name = dtype if isinstance(dtype, str) else dtype.kernel_name
    assert e.magnitude_bits == bits
    assert e.relative_error == pytest.approx(engine.relative_error(np.asarray(block_float.quantize(x, name)), x), rel=1e-6)
    assert e.predicted_error == pytest.approx(e.relative_error, rel=0.07)


def test_transposed(rng):
    """Columns of one scale each: sharing exponents down the columns loses less."""
    x = rng.normal(size=(64, 64)).astype(np.float32) * np.exp2(rng.integers(-6, 7, 64)).astype(np.float32)
    e = tt.explain(x)
    assert e.transposed_error < e.relative_error
    assert tt.explain(np.ascontiguousarray(x.T)).relative_error == pytest.approx(e.transposed_error, rel=1e-6)
    assert np.isnan(tt.explain(x[0]).transposed_error)


def test_tensors_and_levels(rng):
    x = rng.normal(size=(32, 32)).astype(np.float32)
    _, tensor = tt.from_array(tt.MemoryState.create(tt.N150), x, dtype=tt.float32, layout=tt.TILE_LAYOUT)
    assert tt.explain(tensor).relative_error == tt.explain(x).relative_error > 0
    with tt.numerics("float32"):
        assert tt.explain(x).relative_error == tt.explain(tensor).relative_error > 0


def test_printed_and_drawn(rng, tmp_path):
    e = tt.explain(rng.normal(size=(3, 32, 64)).astype(np.float32), "bfloat4_b")
    assert "3x32x64 as bfloat4_b: 3 bits of magnitude, one exponent for 16 neighbours" in str(e)
    assert "worst blocks" in str(e)
    assert "undefined" in str(tt.explain(np.ones(16, np.float32)))
    e.save(tmp_path / "map.svg")
    assert "<svg" in (tmp_path / "map.svg").read_text()


@pytest.mark.parametrize(
    ("x", "dtype", "text"),
    [
        (np.ones((4, 4), np.float32), "bfloat16", "`dtype` must be bfloat8_b or bfloat4_b, got bfloat16"),
        (np.ones((4, 4), np.int32), "bfloat8_b", "array of floats with at least one axis, got int32"),
        (np.float32(1), "bfloat8_b", "at least one axis"),
        (np.ones((0, 4), np.float32), "bfloat8_b", "at least one axis"),
        (np.full(16, np.inf, np.float32), "bfloat8_b", "16 values of `x` are not finite"),
    ],
)
def test_what_is_refused(x, dtype, text):
    with pytest.raises(tt.ArgumentError, match=text):
        tt.explain(x, dtype)


every_format = pytest.mark.parametrize("dtype", ["bfloat8_b", "bfloat4_b"])


def relative_error(x, dtype):
    stored = oracle.quantize(x, dtype, "host").astype(np.float64)
    return np.linalg.norm(stored - x) / np.linalg.norm(x.astype(np.float64))


@pytest.fixture
def with_outliers(rng):
    """`[2, 32, 64]`, standard normal, but that columns 5 and 40 are 30 times as large."""
    x = rng.normal(size=(2, 32, 64)).astype(np.float32)
    x[..., [5, 40]] *= 30
    return x


@every_format
def test_errors_are_those_of_the_packed_values(with_outliers, dtype):
    x = with_outliers
    e = tt.explain(x, dtype)
    assert e.relative_error == pytest.approx(relative_error(x, dtype), rel=1e-6)
    assert e.transposed_error == pytest.approx(relative_error(np.ascontiguousarray(x.swapaxes(1, 2)), dtype), rel=1e-6)
    order = np.argsort(np.square(x.astype(np.float64)).sum((0, 1)))
    assert e.sorted_error == pytest.approx(relative_error(np.ascontiguousarray(x[..., order]), dtype), rel=1e-6)
    stored = oracle.quantize(x, dtype, "host")
    squares = np.square(stored.astype(np.float64) - x).reshape(64, 64)
    for found, sums in ((e.rows, squares.sum(1)), (e.columns, squares.sum(0))):
        assert [i for i, _ in found] == list(np.argsort(-sums)[:5])
        assert [share for _, share in found] == pytest.approx(np.sort(sums)[::-1][:5] / sums.sum(), rel=1e-6)
    assert {column // 16 for column, _ in e.columns} <= {0, 2}
    assert {column for column, _ in e.leaders} == {5, 40}
    assert e.zeroed == ((stored == 0) & (x != 0)).mean()


@every_format
@given(seed=st.integers(0, 2**32 - 1), spread=st.integers(0, 20))
def test_spreads_are_counted(dtype, seed, spread):
    rng = np.random.default_rng(seed)
    x = np.ldexp(rng.normal(size=(3, 40)), rng.integers(-spread, spread + 1, (3, 40))).astype(np.float32)
    x[rng.random((3, 40)) < 0.2] = 0
    counted = collections.Counter()
    for row in x:
        for start in (0, 16, 32):
            exponents = [math.frexp(value)[1] for value in row[start : start + 16] if value]
            counted[max(exponents) - min(exponents) if exponents else 0] += 1
    e = tt.explain(x, dtype)
    assert e.spread_counts == dict(sorted(counted.items()))
    assert e.spread_map.shape == (3, 3)
    assert sum(share for _, share in e.rows) == pytest.approx(1)  # there are three


def test_one_block_by_hand():
    """Under 1, whose block has steps of 2**-6: what is half a step goes to even, less to 0; 2 - 2**-9 rounds to 2, one code too many."""
    below = tt.explain(np.array([[1.0, 0.5, 2.0**-6, 2.0**-7, 2.0**-20] + [0.0] * 11], np.float32))
    assert below.spread_counts == {20: 1}
    assert below.zeroed == 2 / 5
    assert below.lost_bits == (0 + 1 + 6 + 7 + 7) / 5
    assert below.blocks[0].start == (0, 0)
    assert below.blocks[0].values[:2] == (1.0, 0.5)
    assert below.relative_error == pytest.approx(math.hypot(2.0**-7, 2.0**-20) / math.sqrt(1.25 + 2.0**-12 + 2.0**-14))
    assert below.saturated == 0
    full = tt.explain(np.array([2 - 2.0**-9, 1.0], np.float32))
    assert full.saturated == 1 / 2
    assert full.relative_error == pytest.approx((2.0**-6 - 2.0**-9) / math.hypot(2 - 2.0**-9, 1))


def test_nothing_lost_and_nothing_there():
    for x in (np.zeros((4, 8), np.float32), np.ones(5, np.float32)):
        e = tt.explain(x)
        assert (e.relative_error, e.blocks, e.rows, e.columns) == (0, (), (), ())
        assert "nan" not in str(e)
    assert tt.explain(np.zeros((4, 8), np.float32)).predicted_error == 0


def test_columns_that_set_the_exponents_are_named(with_outliers):
    lines = str(tt.explain(with_outliers)).splitlines()
    leaders = next(line for line in lines if line.startswith("leaders"))
    assert "5 (" in leaders and "40 (" in leaders
