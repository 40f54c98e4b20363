"""`tt.explain` against tensors of which the answer is known."""

import numpy as np
import pytest

import tt_jax as tt
from oracles import engine
from tt_jax.kernels import block_float


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
