"""The examples on meshes: one chip's results within the stated bounds, memory cut by the shard factors, and what is refused."""

import argparse
import json
import subprocess
import sys

import numpy as np
import pytest

import tt_jax as tt
from programs import EXAMPLES
from test_sentence_embeddings import SENTENCES, needs_model

# isort: off
import _minilm_files as files
import mesh_attention as example
import mesh_parallel
import mesh_sentence_embeddings as sentences
from mesh_parallel import Split
from multi_head_attention import draw
from sentence_encoder import Encoder, Setting

# isort: on

MESHES = [Split(1, 8), Split(2, 4), Split(8, 1)]
BATCH, SEQUENCE, HEADS, HEAD_SIZE = 8, 32, 8, 32
CHOICES = dict(num_heads=HEADS, core_grid=tt.CoreGrid(y=8, x=8))
over_meshes = pytest.mark.parametrize("split", MESHES, ids=str)


@pytest.fixture(scope="module")
def inputs():
    return draw(BATCH, SEQUENCE, HEADS * HEAD_SIZE).with_scaled_weights()


@pytest.fixture(scope="module")
def alone(inputs):
    return example.Case.of(tt.N150, example.ONE_CHIP, inputs, **CHOICES)


def compared(split, inputs, alone, **options):
    case = example.Case.of(tt.N150, split, inputs, **CHOICES, **options)
    return example.compared(case, alone, intermediate=tt.bfloat8_b, **CHOICES)


@pytest.mark.parametrize(
    "split", [split if split == (2, 4) else pytest.param(split, marks=pytest.mark.slow) for split in MESHES], ids=str
)
def test_attention_is_one_chips_within_the_bound(split, inputs, alone):
    found = compared(split, inputs, alone)
    assert found.mesh.shape == found.one.shape == (BATCH, SEQUENCE, HEADS * HEAD_SIZE)
    assert found.is_within
    assert np.linalg.norm(found.mesh - found.one) < 0.005 * np.linalg.norm(found.one)
    assert 0.02 < found.relative_limit < 0.02 + 0.013 * split.columns, "a bound that says something"


def test_a_ring_sums_in_another_order_within_the_same_bound(inputs, alone):
    line, ring = (compared(Split(2, 4), inputs, alone, topology=topology) for topology in mesh_parallel.TOPOLOGIES.values())
    assert ring.is_within and not np.array_equal(ring.mesh, line.mesh)


def test_what_is_wrong_lies_beyond_the_bound(inputs, alone):
    found = compared(Split(2, 4), inputs, alone)
    bias = np.asarray(inputs.output_bias, np.float64)
    assert not found._replace(chips=found.chips + bias).is_within, "the bias twice"
    assert not found._replace(chips=found.chips[:, :, ::-1]).is_within, "sequences of a chip exchanged"
    assert not found._replace(chips=found.chips + np.arange(4)[:, None, None, None] * 2.0**-7).is_within, (
        "chips of a row differ"
    )
    assert not found._replace(strayed=0.01).is_within


def test_heads_that_are_not_cut_together_lie_beyond_the_bound(inputs, alone, monkeypatch):
    monkeypatch.setattr(Split, "cut", lambda self, array, dim, parts=1: (array, self.mapper(columns=dim)))
    assert not compared(Split(2, 4), inputs, alone).is_within


def test_of_parts_side_by_side_a_chip_has_a_slice_of_each():
    array = np.arange(24).reshape(2, 12)
    cut, mapper = Split(1, 2).cut(array, 1, parts=3)
    assert cut.tolist() == [[0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11], [12, 13, 16, 17, 20, 21, 14, 15, 18, 19, 22, 23]]
    assert mapper.placements == (tt.PlacementReplicate(), tt.PlacementShard(1))
    assert Split(1, 2).cut(array, 0)[0] is array


@pytest.fixture(scope="module")
def larger():
    """Inputs of the script's default shapes."""
    return draw(8, 384, 512).with_scaled_weights()


@over_meshes
def test_memory_of_a_chip_goes_down_by_the_shard_factor(split, larger):
    case, alone = (example.Case.of(tt.N150, mesh, larger, **CHOICES) for mesh in (split, example.ONE_CHIP))
    each, whole = example.sizes(case), example.sizes(alone)
    rows, columns = split
    over = {name: columns for name in ("weights, in DRAM", "biases, in DRAM")}
    over |= {name: rows for name in ("input and mask, in DRAM", "output")}
    over |= {name: rows * columns for name in ("qkv", "keys", "scores", "context")}
    assert over.keys() == whole.tensors.keys()
    assert {name: size // each.tensors[name] for name, size in whole.tensors.items()} == over
    assert all(size % each.tensors[name] == 0 for name, size in whole.tensors.items())
    product = whole.tensors["output"] // rows
    summed = {"product": product, "slice of the sum": product // columns} if columns > 1 else {}
    assert {name: each.tensors[name] for name in each.tensors.keys() - over.keys()} == summed
    assert each.programs - whole.programs == (3 if columns > 1 else 0), "two halves of an all_reduce, and the bias"
    if columns < 8:  # along eight columns the products, as wide on every chip as on one, are the largest
        assert whole.peak_l1 == rows * columns * each.peak_l1


def test_a_plan_leaves_nothing_on_the_chips(inputs):
    case = example.Case.of(tt.N150, Split(2, 4), inputs, **CHOICES)
    specs = (x.spec for x in case.arguments[:2]), case.arguments[2]._make(x.spec for x in case.arguments[2])
    plan = tt.plan(case.program, *specs[0], specs[1], memory=case.empty)
    assert plan.fits and not plan.left


@pytest.mark.parametrize("text", ["4", "2x", "x4", "0x4", "2x0", "2x2x2", "-1x4", "two x four", ""])
def test_a_mesh_string_that_is_none_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is no mesh: expected rows x columns of chips, such as 2x4"):
        mesh_parallel.mesh(text)


def test_a_mesh_string():
    assert mesh_parallel.mesh("2x4") == Split(2, 4) and str(Split(2, 4)) == "2x4"


def ended(monkeypatch, script, *options):
    """What `script` ends with, given `options`."""
    monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, options)])
    with pytest.raises(tt.ArgumentError) as error:
        script.main()
    return str(error.value)


def test_what_does_not_divide_is_refused(monkeypatch):
    said = ended(monkeypatch, example, "--mesh", "1x4", "--heads", 6)
    assert said == "6 heads do not divide over the 4 columns of a 1x4 mesh: choose one of 1, 2, 3, 6 columns"
    said = ended(monkeypatch, example, "--mesh", "2x4", "--batch", 9)
    assert said == "9 sequences do not divide over the 2 rows of a 2x4 mesh: choose one of 1, 3, 9 rows"
    said = ended(monkeypatch, sentences, "--mesh", "1x8")
    assert said == "12 heads do not divide over the 8 columns of a 1x8 mesh: choose one of 1, 2, 3, 4, 6, 12 columns"


def test_boards_without_links_make_no_mesh(monkeypatch):
    assert "e150 has no Ethernet links" in ended(monkeypatch, example, "--device", "e150")


@pytest.fixture(scope="module")
def shaped():
    """Weights of the model's shapes, but for its vocabulary."""
    return files.random_weights(vocabulary=64)


@pytest.mark.parametrize("split, factor", [(Split(2, 4), 4.9), (Split(4, 2), 7.1), (Split(8, 1), 8)], ids=str)
def test_the_sentence_model_shares_layers_and_batches(split, factor, shaped):
    """`factor` is that of L1's peak: below the number of chips where residuals, whole on every chip of a row, are much of it."""
    meshed = sentences.MeshEncoder(tt.N150, Setting(), shaped, split)
    single = Encoder.of(tt.N150, Setting(), shaped)
    plans = meshed.plan(64, 128), single.plan(64, 128)
    each, alone = (sentences.sizes(encoder, plan) for encoder, plan in zip((meshed, single), plans, strict=True))
    assert plans[0].fits and not plans[0].left
    for name, columns in (("matrices of the layers", split.columns), ("their biases", split.columns)):
        assert alone[name] == columns * each[name]
    assert alone["tables of words and positions"] == each["tables of words and positions"]
    assert alone["peak of L1, per bank"] / each["peak of L1, per bank"] == pytest.approx(factor, abs=0.05)


def test_the_sentence_model_refuses_what_does_not_divide(shaped):
    with pytest.raises(tt.ArgumentError, match="12 heads do not divide over the 8 columns"):
        sentences.MeshEncoder(tt.N150, Setting(), shaped, Split(1, 8))
    encoder = sentences.MeshEncoder(tt.N150, Setting(), shaped, Split(2, 1))
    with pytest.raises(tt.ArgumentError, match="9 sequences do not divide over the 2 rows"):
        encoder.plan(9, 32)


def values(x):
    return np.asarray(x.array, np.float64)


@pytest.mark.slow
def test_the_sentence_models_sums_and_embeddings_lie_within_their_bounds(shaped, rng):
    split = Split(2, 4)
    tokens = [rng.integers(1, 64, size).tolist() for size in (5, 32, 17, 1)]
    kept = {"product": [], "slice of the sum": []}
    encoder = sentences.MeshEncoder(tt.N150, Setting(), shaped, split)
    step = lambda name, _, tensor: kept[name].append(values(tensor)) if name in kept else None
    encoder.hooks = {name: lambda *args, f=f, **options: f(*args, step=step, **options) for name, f in encoder.hooks.items()}
    y = encoder.encode(tokens, batch=4, whole=False)
    one = Encoder.of(tt.N150, Setting(), shaped).encode(tokens, batch=4, whole=False)
    assert 0 < sentences.distance(y, one) <= sentences.bound(split) < 0.2
    assert len(kept["product"]) == len(kept["slice of the sum"]) == 2 * files.LAYERS
    for product, part in zip(*kept.values(), strict=True):
        total = np.concatenate(list(part.swapaxes(0, 1)), -1)
        limit = ((1 + example.ADDED) ** (split.columns - 1) - 1) * np.abs(product).sum(1)
        assert (np.abs(total - product.sum(1)) <= limit).all()


@pytest.mark.slow
def test_one_jit_with_donated_memory_gives_the_same_values(inputs, alone):
    case = example.Case.of(tt.N150, Split(2, 4), inputs, **CHOICES)
    timing = example.timed(case, inputs)
    assert timing.traces == 1 and timing.is_donated
    np.testing.assert_array_equal(timing.output, compared(Split(2, 4), inputs, alone).chips)


def script(name, *options):
    done = subprocess.run([sys.executable, EXAMPLES / name, *map(str, options), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_attention_example_as_a_user_runs_it():
    figures = script("mesh_attention.py", "--batch", 4, "--sequence", 64, "--heads", 4, "--head-size", 32, "--mesh", "2x2")
    assert figures["mesh"] == [2, 2] and figures["bound_used"] <= 1 and figures["changed"] == 0
    assert 0 < figures["relative_difference"] < figures["bound"] < 0.05
    assert figures["programs"] == [7, 10] and figures["traces"] == 1 and figures["donated"]
    assert figures["bytes"]["weights, in DRAM"][0] == 2 * figures["bytes"]["weights, in DRAM"][1]


@needs_model
@pytest.mark.slow
def test_the_sentence_example_as_a_user_runs_it(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(SENTENCES))
    figures = script("mesh_sentence_embeddings.py", "--sentences", text, "--batch", 8, "--mesh", "4x2")
    assert 0 < figures["distance"] < figures["bound"] < 0.1
    assert all(0.99 < found["least_cosine"] < 1 for found in figures["agreement"].values())
    assert figures["agreement"]["4x2 mesh, one chip"]["least_cosine"] > 0.999
    assert figures["programs"] == [19, 22]
