"""`tt.compare`: its figures against NumPy's, what its keys mean, and what it refuses."""

import jax
import numpy as np
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn
from oracles import engine
from tt_jax.choices import Choices
from tt_jax.compare import worst_blocks

SHAPES = {"x": (64, 96), "weight": (96, 64)}


@pytest.fixture
def inputs(rng):
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def program(memory, x, weight):
    memory, y = tt.matmul(memory, x, weight)
    memory, z = tt.relu(memory, y)
    memory = tt.deallocate(memory, y)
    return tt.matmul(memory, z, z, transpose_b=True, dtype=tt.bfloat8_b)


def written_for_ttnn(x, weight):
    return ttnn.relu(x @ weight)


def by_label(comparison):
    return {row.label: row for row in comparison.rows}


def bfloat16(x):
    return np.asarray(jax.numpy.asarray(x).astype(jax.numpy.bfloat16), np.float64)


def test_rows_are_the_arguments_and_the_operations_in_order(inputs):
    comparison = tt.compare(program, inputs)
    assert [row.label for row in comparison.rows] == ["argument x", "argument weight", "matmul[0]", "relu", "matmul[1]"]
    assert [row.dtype for row in comparison.rows[2:]] == [tt.bfloat16, tt.bfloat16, tt.bfloat8_b]
    assert [row.fidelity for row in comparison.rows[2:]] == [tt.MathFidelity.HiFi2, None, tt.MathFidelity.HiFi2]
    assert comparison.rows[2].site.function == "program"
    assert [row.label for row in comparison.outputs] == ["output 0"]
    assert comparison.outputs[0].relative_error == comparison.rows[-1].relative_error


def test_figures_are_those_of_the_two_runs(inputs):
    """The product in float64 of what bfloat16 holds, rounded by the program, against that of the arrays."""
    row = by_label(tt.compare(program, inputs))["matmul[0]"]
    memory, tensors = tt.MemoryState.create(tt.N150), []
    for x in inputs.values():
        memory, tensor = tt.from_array(memory, x, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    y = np.asarray(tt.to_array(tt.matmul(memory, *tensors)[1]), np.float64)
    exact = np.float64(inputs["x"]) @ np.float64(inputs["weight"])
    alone = bfloat16(inputs["x"]) @ bfloat16(inputs["weight"])
    assert row.relative_error == pytest.approx(engine.relative_error(y, exact), rel=1e-3)
    assert row.own_error == pytest.approx(engine.relative_error(y, alone), rel=1e-3)
    assert row.own_error < row.relative_error
    assert row.pcc == pytest.approx(engine.pcc(y, exact), abs=1e-8)
    assert row.scale == pytest.approx(engine.scale(y, exact), rel=1e-6)


def test_an_operation_that_rounds_nothing_has_no_error_of_its_own(inputs):
    row = by_label(tt.compare(program, inputs))["relu"]
    assert row.own_error == 0 < row.relative_error


def test_worst_blocks_are_where_the_error_is(rng):
    expected = rng.normal(size=(4, 40)).astype(np.float32)
    y = expected.copy()
    y[2, 20] += 1
    y[3, 35] -= 0.5
    first, second = worst_blocks(y, expected)
    assert (first.start, str(first), second.start) == ((2, 16), "[2, 16:32]", (3, 32))
    assert first.share == pytest.approx(0.8)
    assert first.relative_error == pytest.approx(1 / np.linalg.norm(expected[2, 16:32]), rel=1e-6)
    assert second.spread == np.ptp(np.frexp(expected[3, 32:])[1])
    assert worst_blocks(expected, expected) == worst_blocks(y[0, 0], y[0, 0]) == ()


def test_chosen_dtypes_and_fidelities_are_what_runs(inputs):
    chosen = tt.compare(program, inputs, dtypes={"weight": "bfloat4_b", "matmul[1]": tt.float32}, fidelity={"matmul": "lofi"})
    rows = by_label(chosen)
    assert (rows["argument weight"].dtype, rows["matmul[0]"].dtype, rows["matmul[1]"].dtype) == (
        tt.bfloat4_b,
        tt.bfloat16,
        tt.float32,
    )
    assert rows["matmul[0]"].fidelity == rows["matmul[1]"].fidelity == tt.MathFidelity.LoFi
    assert rows["argument weight"].relative_error > 0.05
    assert rows["argument x"].relative_error < 0.005
    assert str(chosen.choices) == "weight bfloat4_b, matmul[1] float32, matmul LoFi"


def test_one_fidelity_is_that_of_every_product(inputs):
    errors = [by_label(tt.compare(program, inputs, fidelity=f))["matmul[0]"].own_error for f in tt.MathFidelity]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 3 * errors[-1]


def test_levels(inputs):
    rows = {level: by_label(tt.compare(program, inputs, level=level))["matmul[0]"] for level in ("fast", "device", "float32")}
    assert rows["float32"].relative_error == 0
    assert rows["fast"].own_error < rows["device"].own_error
    with tt.numerics("device"):
        assert tt.compare(program, inputs).level == "device"
    assert tt.compare(program, inputs, "fast").outputs[0].relative_error == 0


def test_programs_written_for_ttnn_and_nested_arguments(rng, inputs):
    from_ttnn = tt.compare(written_for_ttnn, list(inputs.values()))
    assert [row.label for row in from_ttnn.rows] == ["argument x", "argument weight", "matmul", "relu"]

    def nested(memory, parameters):
        return tt.matmul(memory, parameters["x"], parameters["list"][0])

    pair = {"x": inputs["x"], "list": [inputs["weight"], "kept as it is"]}
    labels = [row.label for row in tt.compare(jax.jit(nested), [pair], dtypes={"parameters['x']": "float32"}).rows]
    assert labels == ["argument parameters['list'][0]", "argument parameters['x']", "matmul"]


def test_tensors_keep_their_spec_and_integers_their_dtype(rng):
    memory = tt.MemoryState.create(tt.N150)
    _, table = tt.from_array(memory, rng.normal(size=(64, 32)), dtype=tt.bfloat16)

    def look_up(memory, indices, table):
        return tt.embedding(memory, indices, table)

    comparison = tt.compare(look_up, [np.arange(32, dtype=np.uint32).reshape(1, 32), table])
    assert [row.label for row in comparison.rows] == ["argument table", "embedding"]
    assert comparison.outputs[0].relative_error == 0
    _, tiled = tt.from_array(memory, rng.normal(size=(64, 32)), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    lower = tt.compare(lambda memory, x: tt.relu(memory, x), [tiled], dtypes={"x": "bfloat4_b"})
    assert lower.rows[0].dtype is tt.bfloat4_b
    assert lower.rows[0].relative_error > 0.05


def test_printed_and_drawn(inputs, tmp_path):
    comparison = tt.compare(program, inputs)
    text = str(comparison)
    assert "level fast against float32; chosen: the program's own" in text
    assert all(label in text for label in ("argument x", "matmul[1]", "bfloat8_b", "HiFi2", "worst block"))
    comparison.save(tmp_path / "errors.png")
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(tt.ArgumentError, match=r"saved as \.png or \.svg, got '.*errors.txt'"):
        comparison.save(tmp_path / "errors.txt")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(ref="exact"), "`ref` must be one of fast, device, float32, got 'exact'"),
        (dict(level="exact"), "`level` must be one of"),
        (dict(device="n151"), "`device` must be a DeviceProfile or one of"),
        (dict(dtypes={"weight": "float16"}), "`dtype` must be one of bfloat16, .*got 'float16'"),
        (dict(dtypes={"weight": "int32"}), r"`dtypes\['weight'\]` is int32: choose among"),
        (
            dict(dtypes={"w": "bfloat8_b"}),
            r"nothing in the program is called 'w': its operations are matmul\[0\], relu, matmul\[1\], its",
        ),
        (dict(dtypes={"relu": "bfloat8_b"}), "relu has no dtype to choose"),
        (dict(fidelity={"relu": "LoFi"}), "relu has no fidelity to choose"),
        (dict(fidelity="HiFi5"), "`fidelity` must be one of LoFi, HiFi2, HiFi3, HiFi4"),
        (dict(fidelity={"matmul[7]": "LoFi"}), r"nothing in the program is called 'matmul\[7\]'"),
    ],
)
def test_what_is_refused(inputs, options, text):
    with pytest.raises(tt.ArgumentError, match=text):
        tt.compare(program, inputs, **options)


def test_inputs_that_are_none(inputs):
    with pytest.raises(tt.ArgumentError, match="`inputs` must be a sequence of the program's arguments"):
        tt.compare(program, 1.0)
    with pytest.raises(tt.ArgumentError, match="holds integers"):
        tt.compare(lambda memory, i: tt.relu(memory, i), [np.ones((32, 32), np.int32)], dtypes={"i": "bfloat8_b"})
    with pytest.raises(tt.ArgumentError, match=r"returns \(memory, result\), got Tensor"):
        tt.compare(lambda memory, x: tt.relu(memory, x)[1], [inputs["x"]])


def test_a_program_that_looks_at_values_is_refused(inputs):
    def looks(memory, x, weight):
        if tt.to_array(x).dtype == np.float32:  # the reference's
            return tt.relu(memory, x)
        return tt.matmul(memory, x, weight)

    with pytest.raises(tt.ArgumentError, match="other calls than the reference, at call 0: matmul beside relu"):
        tt.compare(looks, inputs)


def test_nothing_is_left_behind(inputs):
    """The process's own cache and memory hear nothing of it, and a failure leaves no choice in force."""
    before = (tt.active_cache().entries, tt.active_cache().hits, tt.active_cache().misses)
    with pytest.raises(tt.ArgumentError):
        tt.compare(program, inputs, dtypes={"relu": "bfloat8_b"})
    tt.compare(program, inputs, dtypes={"matmul": "float32"})
    assert (tt.active_cache().entries, tt.active_cache().hits, tt.active_cache().misses) == before
    assert Choices() == Choices({}, {})
