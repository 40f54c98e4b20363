"""The quantization-aware training example: its program, what it reports, and that training with the rounding wins accuracy back."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from programs import EXAMPLES

import quantization_aware_training as example  # isort: skip  # on the path that `programs` adds to

SCRIPT = EXAMPLES / "quantization_aware_training.py"
ROUNDED = [tt.bfloat8_b, tt.bfloat4_b]


def run_script(*options):
    return subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True)


@pytest.fixture
def problem(rng):
    """Memory, parameters of a network of 64, 16 and 10, and 32 images."""
    parameters = example.first_parameters(0, 64, 16, 10)
    return tt.MemoryState.create(tt.N150), parameters, jnp.asarray(rng.uniform(size=(32, 64)), jnp.float32)


@pytest.mark.parametrize("dtype", ROUNDED, ids=str)
def test_training_computes_what_the_stored_weights_will(problem, dtype):
    memory, parameters, images = problem
    after, trained = example.scores_of(memory, parameters.fake_quantized(dtype), images, tt.float32)
    _, stored = example.scores_of(memory, parameters, images, dtype)
    np.testing.assert_array_equal(np.asarray(trained), np.asarray(stored))
    assert after == memory, "so that the loop over the steps can carry it"


def test_where_nothing_rounds_gradients_are_those_of_the_same_network_in_jax(problem, rng):
    memory, parameters, images = problem
    weights = jnp.asarray(rng.normal(size=(32, 10)), jnp.float32)

    def ours(parameters):
        quantized = parameters.fake_quantized(tt.bfloat4_b)
        return (example.scores_of(memory, quantized, images, tt.float32)[1] * weights).sum()

    def exact(p):
        return ((jax.nn.relu(images @ p.hidden_weight + p.hidden_bias) @ p.output_weight + p.output_bias) * weights).sum()

    expected = jax.grad(exact)(parameters)
    with tt.numerics("float32"):
        gradients = jax.jit(jax.grad(ours))(parameters)
    for a, b in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_bytes_are_those_of_whole_tiles():
    stacked = jax.tree.map(lambda x: x[None], example.first_parameters(0, 64, 16, 10))
    assert [example.weight_bytes(stacked, dtype) for dtype in (tt.float32, *ROUNDED)] == [3 * 4096, 3 * 1088, 3 * 576]


def test_the_report_names_each_way_and_counts_seeds(tmp_path):
    exact = np.array([97.0, 95.0])
    results = {
        tt.float32: example.Result(12, exact, exact),
        tt.bfloat4_b: example.Result(3, exact - 2, exact - np.array([1.0, 2.0])),
    }
    lines = example.report(results).splitlines()
    assert lines[2].split() == ["float32", "12", "96.00", "+-", "1.41", "-"]
    assert lines[3].split() == ["bfloat4_b", "3", "94.00", "+-", "1.41", "94.50", "+-", "2.12"]
    assert "-2.00 points if rounded after training, -1.50 if trained" in lines[4]
    assert "better on 1 of 2 seeds and worse on 0" in lines[4]
    example.plot(results, tmp_path / "accuracy.svg")
    text = (tmp_path / "accuracy.svg").read_text()
    assert text.startswith("<?xml") and len(text) > 5000


def test_a_wrong_option_is_told():
    done = run_script("--seeds", "0")
    assert done.returncode == 2 and "invalid positive int value: '0'" in done.stderr


@pytest.mark.slow
def test_training_with_the_rounding_wins_accuracy_back():
    done = run_script("--seeds", "12", "--epochs", "40", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert list(figures) == ["float32", "bfloat8_b", "bfloat4_b"]
    mean = {name: [np.mean(figures[name][way]) for way in ("post_training", "quantization_aware")] for name in figures}
    exact = mean["float32"][0]
    assert exact > 94
    assert exact - mean["bfloat4_b"][0] > 0.5, "bfloat4_b weights cost accuracy"
    assert mean["bfloat4_b"][1] - mean["bfloat4_b"][0] > 0.3, "which training with them wins back"
    assert abs(mean["bfloat8_b"][0] - exact) < 0.3, "bfloat8_b weights cost none"
