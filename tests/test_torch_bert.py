"""The example that converts a BERT from torch: the torch module itself, its converted parameters, and the accuracy of the result."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from programs import EXAMPLES  # noqa: E402 - torch first, or the module is skipped
from tt_jax import ttnn  # noqa: E402

import torch_bert  # noqa: E402 # isort: skip  # on the path that `programs` adds to

SIZES = torch_bert.Sizes(layers=2, hidden=64, heads=2, intermediate=128, vocabulary=50, positions=64)
HIFI4 = ttnn.init_device_compute_kernel_config(math_fidelity=ttnn.MathFidelity.HiFi4)
SCRIPT = EXAMPLES / "torch_bert.py"


@pytest.fixture(scope="module")
def bert():
    """A small model whose attention is not uniform, with its batch: `(model, ids, real)`."""
    model, ids, real = torch_bert.random_model(SIZES, batch=2)
    with torch.no_grad():
        for layer in model.encoder.layer:
            for linear in (layer.attention.self.query, layer.attention.self.key):
                linear.weight *= 4
    return model.eval(), ids, real


@pytest.fixture
def device():
    with ttnn.manage_device(0) as device:
        yield device


def states_and_mask(bert):
    model, ids, real = bert
    mask = torch.where(torch.from_numpy(real), 0.0, torch_bert.MASKED_OUT)[:, None, None, :]
    return model.embeddings(torch.from_numpy(ids.astype(np.int64))).detach(), mask


def test_the_torch_layer_is_the_one_of_torch(bert):
    model, _, real = bert
    layer, (x, mask) = model.encoder.layer[0], states_and_mask(bert)
    theirs = torch.nn.TransformerEncoderLayer(64, 2, 128, activation="gelu", layer_norm_eps=1e-12, batch_first=True).eval()
    parts = {
        "self_attn.out_proj": layer.attention.output.dense,
        "linear1": layer.intermediate.dense,
        "linear2": layer.output.dense,
        "norm1": layer.attention.output.LayerNorm,
        "norm2": layer.output.LayerNorm,
    }
    state = {f"{name}.{part}": getattr(module, part) for name, module in parts.items() for part in ("weight", "bias")}
    own = layer.attention.self
    for part in ("weight", "bias"):
        state[f"self_attn.in_proj_{part}"] = torch.cat([getattr(linear, part) for linear in (own.query, own.key, own.value)])
    theirs.load_state_dict(state)
    padding = torch.from_numpy(~real)
    with torch.no_grad():
        expected = theirs(x, src_key_padding_mask=padding)
        torch.testing.assert_close(layer(x, mask)[~padding], expected[~padding], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [ttnn.bfloat16, ttnn.bfloat8_b], ids=["bfloat16", "bfloat8_b"])
def test_parameters_keep_the_modules_names_and_join_queries_keys_and_values(bert, device, dtype):
    layer = bert[0].encoder.layer[1]
    parameters = torch_bert.convert(bert[0].encoder, dtype, device)
    assert len(parameters.layer) == 2 and set(parameters.layer[1]) == {"attention", "intermediate", "output"}
    p = parameters.layer[1].attention
    assert set(p.self) == {"qkv"} and set(p.output) == {"dense", "LayerNorm"}
    assert tuple(p.self.qkv.weight.shape) == (64, 192) and tuple(p.self.qkv.bias.shape) == (1, 192)
    assert (
        p.self.qkv.weight.dtype is p.output.dense.weight.dtype is parameters.layer[1].intermediate.dense.weight.dtype is dtype
    )
    assert p.self.qkv.bias.dtype is p.output.LayerNorm.weight.dtype is ttnn.bfloat16
    assert p.self.qkv.weight.device() is device

    own = layer.attention.self
    joined = torch.cat([own.query.weight.T, own.key.weight.T, own.value.weight.T], dim=-1).detach()
    stored = ttnn.to_torch(p.self.qkv.weight).float()
    step = joined.abs().max() * (2**-8 if dtype is ttnn.bfloat16 else 2**-6)
    assert (stored - joined).abs().max() <= step
    assert torch.equal(ttnn.to_torch(p.self.qkv.bias).float()[0, 64:128], own.key.bias.detach().bfloat16().float())


def test_layers_agree_with_torch_and_packed_weights_less(bert, device):
    bfloat16, bfloat8_b = (torch_bert.measure(*bert, dtype, device, HIFI4) for dtype in (ttnn.bfloat16, ttnn.bfloat8_b))
    for accuracy in bfloat16:
        assert accuracy.pcc > 0.9999 and accuracy.relative_error < 0.015 and abs(accuracy.mean_ratio - 1) < 0.005
    for accuracy, exact in zip(bfloat8_b, bfloat16, strict=True):
        assert accuracy.pcc > 0.999 and exact.relative_error < accuracy.relative_error < 0.03


def test_padding_changes_nothing(bert, device):
    model, _, real = bert
    (x, mask), parameters = states_and_mask(bert), torch_bert.convert(model.encoder, ttnn.bfloat16, device)
    put = lambda y: ttnn.from_torch(y, dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    other = torch.where(torch.from_numpy(real)[..., None], x, torch.flip(x, (-1,)))
    a, b = (torch_bert.encode(put(y), put(mask), parameters, heads=2, config=HIFI4)[-1] for y in (x, other))
    np.testing.assert_array_equal(a[real], b[real])
    assert not real.all() and (a[~real] != b[~real]).any()


def test_nothing_is_left_in_l1(bert, device):
    torch_bert.measure(*bert, ttnn.bfloat16, device, HIFI4)
    assert ttnn.get_memory_view(device, ttnn.BufferType.L1).total_bytes_allocated_per_bank == 0


def test_the_script_prints_a_row_for_each_layer_and_dtype():
    done = subprocess.run([sys.executable, SCRIPT, "--random", "--layers", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.lstrip().startswith("bfloat")]
    assert [row[:2] for row in rows] == [["bfloat16", "1"], ["bfloat8_b", "1"]]
    assert all(float(row[2]) > 0.999 for row in rows)


@pytest.mark.slow
def test_the_sentence_models_layers_agree_with_torch():
    pytest.importorskip("safetensors")
    pytest.importorskip("tokenizers")
    model, ids, real = torch_bert.real_model(layers=6)
    with ttnn.manage_device(0) as device:
        for dtype, pcc, error in ((ttnn.bfloat16, 0.9998, 0.025), (ttnn.bfloat8_b, 0.9995, 0.035)):
            figures = torch_bert.measure(model, ids, real, dtype, device, HIFI4)
            assert all(accuracy.pcc > pcc and accuracy.relative_error < error for accuracy in figures)
