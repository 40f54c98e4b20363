"""`tt.compare`: its figures against NumPy's, what its keys mean, and what it refuses."""

from typing import NamedTuple

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
    assert [row.label for row in comparison.rows] == ["x", "weight", "matmul[0]", "relu", "matmul[1]"]
    assert [row.dtype for row in comparison.rows[2:]] == [tt.bfloat16, tt.bfloat16, tt.bfloat8_b]
    assert [row.fidelity for row in comparison.rows[2:]] == [tt.MathFidelity.HiFi2, None, tt.MathFidelity.HiFi2]
    assert comparison.rows[2].site.function == "program"
    assert [row.label for row in comparison.outputs] == ["output"]
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
    chosen = tt.compare(program, inputs, dtypes={"weight": "bfloat4_b", "matmul[1]": tt.bfloat16}, fidelity={"matmul": "lofi"})
    rows = by_label(chosen)
    assert [row.dtype for row in chosen.rows] == [tt.bfloat16, tt.bfloat4_b, tt.bfloat16, tt.bfloat16, tt.bfloat16]
    assert rows["matmul[0]"].fidelity == rows["matmul[1]"].fidelity == tt.MathFidelity.LoFi
    assert rows["weight"].relative_error > 0.05
    assert rows["x"].relative_error < 0.005
    assert str(chosen.choices) == "weight bfloat4_b, matmul[1] bfloat16, matmul LoFi"


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
    assert [row.label for row in from_ttnn.rows] == ["x", "weight", "matmul", "relu"]

    def nested(memory, parameters):
        return tt.matmul(memory, parameters["x"], parameters["list"][0])

    pair = {"x": inputs["x"], "list": [inputs["weight"], "kept as it is"]}
    labels = [row.label for row in tt.compare(jax.jit(nested), [pair], dtypes={"parameters['x']": "float32"}).rows]
    assert labels == ["parameters['list'][0]", "parameters['x']", "matmul"]


def test_tensors_keep_their_spec_and_integers_their_dtype(rng):
    memory = tt.MemoryState.create(tt.N150)
    _, table = tt.from_array(memory, rng.normal(size=(64, 32)), dtype=tt.bfloat16)

    def look_up(memory, indices, table):
        return tt.embedding(memory, indices, table)

    comparison = tt.compare(look_up, [np.arange(32, dtype=np.uint32).reshape(1, 32), table])
    assert [row.label for row in comparison.rows] == ["table", "embedding"]
    assert comparison.outputs[0].relative_error == 0
    _, tiled = tt.from_array(memory, rng.normal(size=(64, 32)), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    lower = tt.compare(lambda memory, x: tt.relu(memory, x), [tiled], dtypes={"x": "bfloat4_b"})
    assert lower.rows[0].dtype is tt.bfloat4_b
    assert lower.rows[0].relative_error > 0.05


def test_printed_and_drawn(inputs, tmp_path):
    comparison = tt.compare(program, inputs)
    text = str(comparison)
    assert "level fast against float32; chosen: the program's own" in text
    assert all(label in text for label in ("x ", "matmul[1]", "bfloat8_b", "HiFi2", "worst block"))
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
            r"is called 'w' in the program: its operations are matmul\[0\], relu, matmul\[1\], its arguments",
        ),
        (dict(dtypes={"relu": "bfloat8_b"}), r"relu\[0\]: its result's dtype is not to be chosen"),
        (dict(fidelity={"relu": "LoFi"}), r"relu\[0\]: it has no fidelity to choose"),
        (dict(fidelity="HiFi5"), "`fidelity` must be one of LoFi, HiFi2, HiFi3, HiFi4"),
        (dict(fidelity={"matmul[7]": "LoFi"}), r"is called 'matmul\[7\]' in the program"),
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
    tt.compare(program, inputs, dtypes={"matmul": "bfloat8_b"})
    assert (tt.active_cache().entries, tt.active_cache().hits, tt.active_cache().misses) == before
    assert Choices() == Choices({}, {})


BF16, BFP8, BFP4 = tt.bfloat16, tt.bfloat8_b, tt.bfloat4_b


@pytest.fixture
def x(rng):
    return rng.normal(size=(64, 64)).astype(np.float32)


def residual(memory, x, w):
    """Two layers that share a weight, each with what went in added."""
    memory, y = tt.linear(memory, x, w)
    memory, z = tt.add(memory, y, x)
    memory, y = tt.linear(memory, z, w)
    return tt.add(memory, y, z)


def test_every_label_with_a_dtype_is_a_key(x):
    labels = [row.label for row in tt.compare(residual, (x, x)).rows]
    comparison = tt.compare(residual, (x, x), dtypes=dict.fromkeys(labels, "bfloat8_b"))
    assert {row.dtype for row in comparison.rows} == {BFP8}


def own(dtype=None, **more):
    return {} if dtype is None else {"dtype": dtype, **more}


def with_bias(memory, x, w, **options):
    memory, bias = tt.slice(memory, x, (0, 0), (1, 64))
    return tt.linear(memory, x, w, bias=bias, memory_config=tt.L1_MEMORY_CONFIG, **options)


# A key, and a program that takes the dtype of that key itself: what the key chooses must be what the program then does.
CHOSEN = {
    "matmul": ("matmul", lambda m, x, w, d=None: tt.matmul(m, x, w, **own(d))),
    "matmul with a grid": ("matmul", lambda m, x, w, d=None: tt.matmul(m, x, w, core_grid=tt.CoreGrid(y=1, x=1), **own(d))),
    "an activation of its own": ("matmul", lambda m, x, w, d=None: tt.linear(m, x, w, activation="gelu", **own(d))),
    "a bias of its own": ("matmul", lambda m, x, w, d=None: with_bias(m, x, w, **own(d))),
    "add": ("add", lambda m, x, w, d=None: tt.add(m, x, w, **own(d))),
    "a number": ("multiply", lambda m, x, w, d=None: tt.multiply(m, x, 0.3, **own(d))),
    "divide": ("divide", lambda m, x, w, d=None: tt.divide(m, x, w, **own(d))),
    "activations": ("subtract", lambda m, x, w, d=None: tt.subtract(m, x, w, activations=["relu"], **own(d))),
    "comparison": ("gt", lambda m, x, w, d=None: tt.gt(m, x, w, **own(d))),
}


@pytest.mark.parametrize("key, program", CHOSEN.values(), ids=CHOSEN)
def test_a_chosen_dtype_is_what_the_program_would_do_with_it(x, key, program):
    chosen = tt.compare(lambda memory, x, w: program(memory, x, w), (x, x.T), dtypes={key: BFP8})
    assert without_names(chosen) == without_names(tt.compare(lambda memory, x, w: program(memory, x, w, BFP8), (x, x.T)))
    assert chosen.outputs[0].dtype is BFP8


def without_names(comparison):
    """The rows without names and lines."""
    return [row._replace(label="", site=None) for row in (*comparison.rows, *comparison.outputs)]


def test_a_number_chooses_one_launch_and_counts_more_than_the_name(x):
    comparison = tt.compare(
        residual, (x, x), dtypes={"matmul": BFP8, "matmul[1]": "bfloat4_b"}, fidelity={"matmul[0]": "HiFi4"}
    )
    assert [row.dtype for row in comparison.rows[2:]] == [BFP8, BFP8, BFP4, BFP4]  # an add's is that of its first operand
    assert [row.fidelity and row.fidelity.name for row in comparison.rows[2:]] == ["HiFi4", None, "HiFi2", None]


def test_attention_in_one_operation_has_a_fidelity(rng):
    q = rng.normal(size=(1, 1, 32, 32)).astype(np.float32)
    attend = lambda memory, q: tt.transformer.scaled_dot_product_attention(memory, q, q, q, is_causal=False)
    own, lofi = (tt.compare(attend, (q,), fidelity=f).rows[-1] for f in (None, "LoFi"))
    assert (own.fidelity.name, lofi.fidelity.name) == ("HiFi2", "LoFi")
    assert lofi.own_error != own.own_error


def test_arguments_become_tensors_by_their_kind(x):
    class Parameters(NamedTuple):
        weight: object
        rest: dict

    seen = {}

    def program(memory, x, parameters, indices, factor, *, flag):
        seen.update(x=x.spec, w=parameters.weight.spec, i=indices.spec, factor=factor, flag=flag)
        memory, y = tt.matmul(memory, x, parameters.weight)
        return tt.add(memory, y, parameters.rest["bias"])

    memory, kept = tt.from_array(tt.MemoryState.create(tt.P150), x, dtype=BFP8, memory_config=tt.L1_MEMORY_CONFIG)
    inputs = {
        "x": jax.numpy.asarray(x),
        "parameters": Parameters(x, {"bias": kept}),
        "indices": np.arange(4),
        "factor": np.float32(2),
    }
    rows = tt.compare(program, {**inputs, "flag": "a"}, dtypes={"parameters.weight": BFP4}, device="p150").rows
    assert [row.label for row in rows[:3]] == ["x", "parameters.weight", "parameters.rest['bias']"]
    assert seen["x"] == tt.TensorSpec((64, 64), BF16, tt.TILE_LAYOUT)
    assert seen["w"] == tt.TensorSpec((64, 64), BFP4, tt.TILE_LAYOUT)
    assert seen["i"] == tt.TensorSpec((4,), tt.uint32, tt.ROW_MAJOR_LAYOUT)
    assert (seen["factor"], seen["flag"]) == (np.float32(2), "a")
    assert rows[2].dtype is BFP8
    assert rows[2].relative_error == 0  # the values of a tensor are what it holds
    changed = tt.compare(lambda memory, t: tt.relu(memory, t), (kept,), dtypes={"t": BF16}, device="p150")
    assert changed.rows[0].dtype is BF16


def test_integer_results_and_results_in_place(x):
    def program(memory, x):
        memory, y = tt.add_(memory, x, 1.0)
        memory, _ = tt.argmax(memory, y, dim=-1)
        return memory, y

    comparison = tt.compare(program, (x,))
    assert [row.label for row in comparison.rows] == ["x", "add_"]


def given(memory, x):
    memory, y = tt.from_array(memory, np.zeros((64, 64), np.float32), dtype=BF16, layout=tt.TILE_LAYOUT)
    return tt.add(memory, x, x, output_tensor=y)


def jitted(memory, x):
    return jax.jit(tt.relu)(memory, x)


RELU, ADD = (lambda memory, x: tt.relu(memory, x)), (lambda memory, x: tt.add(memory, x, x))
IN_PLACE = lambda memory, x: tt.add_(memory, x, x)
REFUSED = {
    "a number too high": (ADD, {"dtypes": {"add[1]": BFP8}}, r"'add\[1\]'"),
    "an argument's fidelity": (RELU, {"fidelity": {"x": "LoFi"}}, "'x'"),
    "no dtype argument": (RELU, {"dtypes": {"relu": BFP8}}, r"relu\[0\]: its result's dtype is not to be chosen"),
    "in place": (IN_PLACE, {"dtypes": {"add_": BFP8}}, r"add_\[0\]: its result's dtype is not to be chosen"),
    "an output tensor": (given, {"dtypes": {"add": BFP8}}, r"add\[0\]: its result's dtype is not to be chosen"),
    "to float32": (ADD, {"dtypes": {"add": "float32"}}, r"add\[0\]: float32 is not to be chosen from outside"),
    "from float32": (
        lambda memory, x: tt.add(memory, x, x, dtype=tt.float32),
        {"dtypes": {"add": BFP8}},
        r"add\[0\]: its result's dtype is not to be chosen",
    ),
    "jit within": (jitted, {}, "under jax.jit"),
}


@pytest.mark.parametrize("program, options, message", REFUSED.values(), ids=REFUSED)
def test_choices_that_are_not_to_be_made(x, program, options, message):
    with pytest.raises(tt.ArgumentError, match=message):
        tt.compare(program, (x,), **options)
