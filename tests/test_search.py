"""`tt.search`: what it finds is what `tt.compare` confirms, and cheaper than what it began with."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

import tt_jax as tt
from programs import EXAMPLES
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
        return Trial(Choices(), figures[0], 0, figures[1], {"pcc": 1.0, "relative_error": figures[2]})

    kept = [trial(1, 4, 0.3), trial(2, 4, 0.1), trial(3, 1, 0.2)]
    beaten = [trial(2, 4, 0.2), trial(3, 5, 0.1)]
    trials = (kept[1], beaten[0], kept[2], beaten[1], kept[0], kept[0])
    assert Search({"pcc": 0.9}, kept[0], trials, True).front == tuple(kept)


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


TILE = tt.TILE_LAYOUT
BF16, BFP8, BFP4 = tt.bfloat16, tt.bfloat8_b, tt.bfloat4_b
HIFI2, LOFI = tt.MathFidelity.HiFi2, tt.MathFidelity.LoFi
BYTES = {BF16: 2048, BFP8: 1088, BFP4: 576}
"""Of a tile."""


@pytest.fixture
def x(rng):
    return rng.normal(size=(32, 64)).astype(np.float32)


@pytest.fixture
def w(rng):
    return (rng.normal(size=(64, 32)) / 8).astype(np.float32)


def product(memory, x, w):
    return tt.matmul(memory, x, w)


def relu(memory, x):
    return tt.relu(memory, x)


def test_the_best_is_the_cheapest_of_all_settings(x, w):
    """Tiles: two of x, two of w, one of the product; two products of tiles, 16 cycles a phase."""
    options = {"dtypes": (BF16, BFP8), "fidelities": (HIFI2, LOFI)}
    limits = {"pcc": 0.99994, "relative_error": 0.011}
    cheapest = None
    for of_x, of_w, of_y, fidelity in itertools.product((BF16, BFP8), (BF16, BFP8), (BF16, BFP8), (HIFI2, LOFI)):
        dtypes = {"x": of_x, "w": of_w, "matmul": of_y}
        (row,) = tt.compare(product, (x, w), dtypes=dtypes, fidelity={"matmul": fidelity}).outputs
        size, cycles = 2 * BYTES[of_x] + 2 * BYTES[of_w] + BYTES[of_y], 2 * 16 * fidelity.phases
        cost = size / (5 * 2048) + cycles / 64
        if row.pcc >= limits["pcc"] and row.relative_error <= limits["relative_error"] and (not cheapest or cost < cheapest[0]):
            cheapest = (cost, size, cycles, dtypes, fidelity, row)
    assert cheapest is not None
    _, size, cycles, dtypes, fidelity, row = cheapest
    assert {BFP8, BF16} == set(dtypes.values())  # so neither the most precise nor the coarsest setting
    found = tt.search(product, (x, w), limits, **options)
    assert found.best.choices.dtypes == dtypes
    assert found.best.choices.fidelity == {"matmul": fidelity}
    assert (found.best.bytes, found.best.cycles) == (size, cycles)
    assert found.best.measures == {"pcc": row.pcc, "relative_error": row.relative_error}
    assert found.is_complete
    first = found.trials[0]
    assert (first.bytes, first.cycles) == (5 * 2048, 64)


def test_trials_are_settings_once_and_the_front_is_what_none_beats(x, w):
    found = tt.search(product, (x, w), 0.999)
    assert found.target == {"pcc": 0.999}
    assert len({str(trial.choices) for trial in found.trials}) == len(found.trials)
    figures = [(t.bytes, t.cycles, t.measures["relative_error"]) for t in found.trials]
    beaten = lambda a: any(b != a and all(p <= q for p, q in zip(b, a, strict=True)) for b in figures)
    front = [(t.bytes, t.cycles, t.measures["relative_error"]) for t in found.front]
    assert front == sorted({a for a in figures if not beaten(a)})
    reaching = [trial for trial in found.trials if trial.measures["pcc"] >= 0.999]
    assert found.best in reaching
    assert str(tt.search(product, (x, w), 0.999)) == str(found)


def test_a_limit_ends_it_with_the_best_so_far(x, w):
    found = tt.search(product, (x, w), 0.999, limit=1)
    assert len(found.trials) == 1
    assert found.best is found.trials[0]
    assert not found.is_complete
    assert "after 1 runs, which were all allowed" in str(found)


def test_results_that_go_where_a_tensor_lies_are_neither_chosen_nor_counted_twice(x, w):
    def program(memory, x, w):
        memory, y = tt.from_array(memory, np.zeros((32, 32), np.float32), dtype=BF16, layout=TILE)
        memory, y = tt.matmul(memory, x, w, optional_output_tensor=y)
        memory, y = tt.add_(memory, y, 1.0)
        return tt.softmax(memory, y, dim=-1)

    found = tt.search(program, (x, w), 0.9, fidelities=["hifi2"])
    assert found.trials[0].bytes == 6 * 2048  # x, w, the tensor given, the softmax
    assert found.best.choices.dtypes.keys() == {"x", "w"}
    assert found.best.choices.fidelity == {"matmul": HIFI2}


def test_a_float32_argument_may_stay_one(x):
    _, tensor = tt.from_array(tt.MemoryState.create(tt.N150), x, dtype=tt.float32, layout=TILE)
    found = tt.search(relu, (tensor,), {"relative_error": 1e-6})
    assert found.best.choices.dtypes == {"x": tt.float32}
    assert tt.search(relu, (tensor,), {"relative_error": 0.004}).best.choices.dtypes == {"x": BF16}


def test_where_the_most_precise_does_not_fit_the_program_s_own_is_the_start():
    """On one core's L1 there is room for 32x32 tiles of bfloat8_b, not of bfloat16."""
    one = tt.create_sharded_memory_config((1024, 1024), tt.CoreGrid(y=1, x=1), tt.ShardStrategy.HEIGHT)

    def program(memory, x):
        return tt.add(memory, x, 1.0, dtype=BFP8, memory_config=one)

    x = np.linspace(1, 2, 1024 * 1024, dtype=np.float32).reshape(1024, 1024)
    found = tt.search(program, (x,), {"relative_error": 0.02}, dtypes=(BF16, BFP8))
    assert found.trials[0].choices.dtypes == {"x": BF16, "add": BFP8}
    assert found.best.choices.dtypes == {"x": BFP8, "add": BFP8}
    assert found.best.peak_l1 == 1024 * 1088


def test_an_undefined_correlation_reaches_nothing(x):
    def program(memory, x):
        memory, y = tt.multiply(memory, x, 0.0)
        memory, y = tt.add(memory, y, 0.3)  # constant, and not the reference's: there is no correlation
        return memory, (x, y)

    with pytest.raises(tt.ArgumentError, match="gives pcc nan"):
        tt.search(program, (x,), 0.5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"target": {}}, "`target` must be"),
        ({"target": "0.9"}, "`target` must be"),
        ({"target": 0.9, "limit": 0}, "`limit` must be at least 1, got 0"),
        ({"target": 0.9, "dtypes": ["float32"]}, "`dtypes` must be some of bfloat16, bfloat8_b, bfloat4_b"),
        ({"target": 0.9, "dtypes": []}, "`dtypes` must be some of"),
        ({"target": 0.9, "fidelities": ["HiFi5"]}, "`fidelity` must be one of"),
        ({"target": 0.9, "device": "n151"}, "n151"),
    ],
)
def test_options_that_are_refused(x, options, message):
    with pytest.raises(tt.ArgumentError, match=message):
        tt.search(relu, (x,), **options)


def test_progress_is_told_where_it_is_wanted(x, capsys, monkeypatch):
    tt.search(relu, (x,), 0.9)
    assert capsys.readouterr().err == ""  # no terminal
    monkeypatch.setitem(sys.modules, "rich.console", None)
    tt.search(relu, (x,), 0.9, progress=True)
    assert "searching: step 5 of at most 5" in capsys.readouterr().err


def test_progress_with_rich(x, capsys):
    pytest.importorskip("rich")
    tt.search(relu, (x,), 0.9, progress=True)
    assert "searching" in capsys.readouterr().err


@pytest.mark.slow
def test_the_example_prints_and_draws_all_three(tmp_path):
    options = ["--sequence", "32", "--heads", "1", "--pcc", "0.99", "--plot", str(tmp_path)]
    done = subprocess.run([sys.executable, EXAMPLES / "judge_numerics.py", *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(text in done.stdout for text in ("own error", "worst blocks", "pcc at least 0.99: reached with pcc 0.99"))
    assert {path.name for path in tmp_path.iterdir()} == {"compare.png", "explain.png", "search.png"}
