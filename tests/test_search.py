"""`tt.search`: what it finds is what `tt.compare` confirms, and cheaper than what it began with."""

import numpy as np
import pytest

import tt_jax as tt
from tt_jax.choices import Choices
from tt_jax.search import Search, Trial


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(32, 64)).astype(np.float32), "weight": rng.normal(size=(64, 32)).astype(np.float32)}


def program(memory, x, weight):
    memory, y = tt.matmul(memory, x, weight)
    return tt.relu(memory, y)


@pytest.fixture(scope="module")
def found(inputs):
    return tt.search(program, inputs, {"relative_error": 0.03}, fidelities=(tt.MathFidelity.HiFi4, tt.MathFidelity.LoFi))


def test_the_best_reaches_the_target_and_costs_less(inputs, found):
    best, first = found.best, found.trials[0]
    assert best.measures["relative_error"] <= 0.03
    assert best.bytes < first.bytes
    assert best.cycles <= first.cycles
    assert first.choices.fidelity == {"matmul": tt.MathFidelity.HiFi4}
    assert set(best.choices.dtypes) == {"x", "weight", "matmul"}
    confirmed = tt.compare(program, inputs, dtypes=best.choices.dtypes, fidelity=best.choices.fidelity).outputs[0]
    assert confirmed.relative_error == best.measures["relative_error"]
    assert confirmed.pcc == best.measures["pcc"]


def test_cost_counts_tiles_and_phases(found):
    first = found.trials[0]
    assert first.bytes == 2048 * (2 + 2 + 1 + 1)  # x, weight, the product, relu of it, bfloat16
    assert first.cycles == 2 * 4 * 16
    lofi = next(t for t in found.trials if t.choices.fidelity["matmul"] is tt.MathFidelity.LoFi)
    assert lofi.cycles == 2 * 16


def test_no_more_runs_than_said_and_none_cheaper_that_reaches_it(found):
    assert len(found.trials) <= 1 + 2 * (3 * 2 + 1)
    cost = lambda t: t.bytes / found.trials[0].bytes + t.cycles / found.trials[0].cycles
    reaching = [t for t in found.trials if t.measures["relative_error"] <= 0.03]
    assert cost(found.best) == min(map(cost, reaching))


def test_deterministic(inputs, found):
    again = tt.search(
        program, inputs, {"relative_error": 0.03}, fidelities=(tt.MathFidelity.HiFi4, tt.MathFidelity.LoFi), progress=True
    )
    assert again.trials == found.trials
    assert again.best == found.best


def test_a_looser_target_is_cheaper(inputs, found):
    loose = tt.search(program, inputs, 0.9, fidelities=(tt.MathFidelity.HiFi4, tt.MathFidelity.LoFi))
    assert loose.best.bytes < found.best.bytes
    assert loose.target == {"pcc": 0.9}


def test_the_front_is_what_nothing_beats():
    def trial(*figures):
        return Trial(Choices(), figures[0], figures[1], {"pcc": 1.0, "relative_error": figures[2], "scale": 1.0})

    kept = [trial(1, 4, 0.3), trial(2, 4, 0.1), trial(3, 1, 0.2)]
    beaten = [trial(2, 4, 0.2), trial(3, 5, 0.1)]
    trials = (kept[1], beaten[0], kept[2], beaten[1], kept[0], kept[0])
    assert Search({"pcc": 0.9}, kept[0], trials).front == tuple(kept)


def test_printed_and_drawn(found, tmp_path):
    text = str(found)
    assert "relative_error at most 0.03: reached with relative_error" in text
    assert "the best" in text and "the most precise" in text
    found.save(tmp_path / "front.png")
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


def test_a_target_out_of_reach(inputs):
    with pytest.raises(tt.ArgumentError, match=r"no setting reaches pcc 1: the most precise gives pcc 0\.9999"):
        tt.search(program, inputs, 1.0)


def test_what_is_refused(inputs):
    with pytest.raises(tt.ArgumentError, match="`target` must be a PCC, or a mapping"):
        tt.search(program, inputs, {"ulp": 3})
    with pytest.raises(tt.ArgumentError, match="returns no floating-point tensor"):
        tt.search(lambda memory, x: tt.typecast(memory, x, tt.int32), [inputs["x"]], 0.9)


def test_settings_that_the_program_refuses_are_passed_over(inputs):
    """layer_norm takes no bfloat4_b: the search goes on without it."""
    found = tt.search(lambda memory, x: tt.layer_norm(memory, x), [inputs["x"]], 0.5)
    assert found.best.choices.dtypes == {"x": tt.bfloat8_b}
    assert all(t.choices.dtypes["x"] is not tt.bfloat4_b for t in found.trials)
