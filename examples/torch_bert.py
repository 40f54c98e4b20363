"""A BERT encoder written in torch, run on TT-NN without writing its parameters again: the six layers of all-MiniLM-L6-v2.

`preprocess_model_parameters` converts the torch module; a custom preprocessor joins queries, keys and values into one matrix and says in
which dtype weights are kept; functional TT-NN code takes the parameters from there. Prints, after each layer and for bfloat16 and
bfloat8_b weights, the accuracy against the torch module in float32; padding is left out. The embeddings are torch's, for both.

It needs torch, and for the real weights and sentences safetensors and tokenizers (python -m pip install 'tt-jax[examples,torch]');
--random takes parameters and token ids by chance, and needs only torch.

python examples/torch_bert.py [--layers 6] [--fidelity hifi4] [--random]      # TT_JAX_DEVICE=p150 for another board
"""

import argparse
import sys
from typing import Any, NamedTuple

import numpy as np
from _minilm_files import HEADS, HIDDEN, LAYER_NORM_EPSILON, LAYERS, POSITIONS, pad, tokenize, weights
from _report import ACCURACY_COLUMNS, ACCURACY_LEGEND, FIDELITIES, Accuracy, run, table
from attention import MASKED_OUT
from real_attention import SENTENCES

import tt_jax.ttnn as ttnn
from tt_jax.ttnn.model_preprocessing import preprocess_linear_bias, preprocess_linear_weight, preprocess_model_parameters

try:
    import torch
except ImportError:
    sys.exit("torch is needed: python -m pip install 'tt-jax[torch]'")

nn = torch.nn
VOCABULARY = 30522
L1 = ttnn.L1_MEMORY_CONFIG


class Sizes(NamedTuple):
    """A BERT's; by default those of all-MiniLM-L6-v2."""

    layers: int = LAYERS
    hidden: int = HIDDEN
    heads: int = HEADS
    intermediate: int = 4 * HIDDEN
    vocabulary: int = VOCABULARY
    positions: int = POSITIONS


# --- the model in torch; its modules have the names of BERT's parameters


class SelfAttention(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.query, self.key, self.value = (nn.Linear(sizes.hidden, sizes.hidden) for _ in range(3))

    def forward(self, x, mask):
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        query, key, value = (split(linear(x)) for linear in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + mask
        return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)


class Output(nn.Module):
    """A projection back to the hidden size, the residual, and its norm."""

    def __init__(self, width: int, sizes: Sizes) -> None:
        super().__init__()
        self.dense = nn.Linear(width, sizes.hidden)
        self.LayerNorm = nn.LayerNorm(sizes.hidden, eps=LAYER_NORM_EPSILON)

    def forward(self, x, residual):
        return self.LayerNorm(self.dense(x) + residual)


class Attention(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.self = SelfAttention(sizes)
        self.output = Output(sizes.hidden, sizes)

    def forward(self, x, mask):
        return self.output(self.self(x, mask), x)


class Intermediate(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.dense = nn.Linear(sizes.hidden, sizes.intermediate)

    def forward(self, x):
        return nn.functional.gelu(self.dense(x))


class Layer(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.attention = Attention(sizes)
        self.intermediate = Intermediate(sizes)
        self.output = Output(sizes.intermediate, sizes)

    def forward(self, x, mask):
        x = self.attention(x, mask)
        return self.output(self.intermediate(x), x)


class Embeddings(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.position_embeddings = nn.Embedding(sizes.positions, sizes.hidden)
        self.token_type_embeddings = nn.Embedding(2, sizes.hidden)
        self.LayerNorm = nn.LayerNorm(sizes.hidden, eps=LAYER_NORM_EPSILON)

    def forward(self, ids):
        positions = self.position_embeddings.weight[: ids.shape[-1]]
        return self.LayerNorm(self.word_embeddings(ids) + positions + self.token_type_embeddings.weight[0])


class Encoder(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.layer = nn.ModuleList([Layer(sizes) for _ in range(sizes.layers)])

    def forward(self, x, mask):
        """The output of each layer, the last one's the encoder's."""
        outputs = []
        for layer in self.layer:
            x = layer(x, mask)
            outputs.append(x)
        return outputs


class Bert(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embeddings = Embeddings(sizes)
        self.encoder = Encoder(sizes)


# --- the same on TT-NN


def preprocessor(dtype: ttnn.DataType):
    """A custom preprocessor: linear weights as `dtype`, biases as bfloat16, and a self-attention's three layers as one, `qkv`."""

    def joined(*linears: Any) -> dict[str, ttnn.Tensor]:
        weight, bias = (torch.cat([getattr(linear, part).detach() for linear in linears]) for part in ("weight", "bias"))
        return {
            "weight": preprocess_linear_weight(weight, dtype=dtype),
            "bias": preprocess_linear_bias(bias, dtype=ttnn.bfloat16),
        }

    def preprocess(module: Any, name: str) -> dict[str, Any]:
        if isinstance(module, SelfAttention):
            return {"qkv": joined(module.query, module.key, module.value)}
        if isinstance(module, nn.Linear):
            return joined(module)
        return {}  # the norms: as ttnn does it

    return preprocess


def convert(encoder: Encoder, dtype: ttnn.DataType, device: ttnn.Device) -> Any:
    """The encoder's parameters on `device`, in a tree that its modules shape: `layer[0].attention.self.qkv.weight`."""
    return preprocess_model_parameters(initialize_model=lambda: encoder, custom_preprocessor=preprocessor(dtype), device=device)


def bert_layer(x, mask, parameters, *, heads: int, config: Any = None):
    """`[batch, sequence, hidden]` -> the same shape, bfloat16 in L1; `mask` is `[batch, 1, 1, sequence]`."""
    matmul = dict(memory_config=L1, dtype=ttnn.bfloat16, core_grid=ttnn.CoreGrid(y=8, x=8), compute_kernel_config=config)

    def linear(x, p, **options):
        return ttnn.linear(x, p.weight, bias=p.bias, **matmul, **options)

    def output(x, p, residual):
        """As `Output` in torch."""
        norm = dict(weight=p.LayerNorm.weight, bias=p.LayerNorm.bias, epsilon=LAYER_NORM_EPSILON, memory_config=L1)
        return ttnn.layer_norm(linear(x, p.dense), residual_input_tensor=residual, **norm)

    p = parameters.attention
    qkv = linear(x, p.self.qkv)
    query, key, value = ttnn.transformer.split_query_key_value_and_split_heads(qkv, num_heads=heads, memory_config=L1)
    ttnn.deallocate(qkv)
    scores = ttnn.matmul(query, key, **matmul)
    ttnn.deallocate(query)
    ttnn.deallocate(key)
    probabilities = ttnn.transformer.attention_softmax_(scores, attention_mask=mask, head_size=x.shape[-1] // heads)
    context = ttnn.matmul(probabilities, value, **matmul)
    ttnn.deallocate(probabilities)
    ttnn.deallocate(value)
    x = output(ttnn.transformer.concatenate_heads(context, memory_config=L1), p.output, x)
    return output(linear(x, parameters.intermediate.dense, activation="gelu"), parameters.output, x)


def encode(x, mask, parameters, *, heads: int, config: Any = None) -> list[np.ndarray]:
    """What each layer gives, as float32 arrays."""
    outputs = []
    for layer in parameters.layer:
        x = bert_layer(x, mask, layer, heads=heads, config=config)
        outputs.append(ttnn.to_torch(x).float().numpy())
    return outputs


def measure(
    model: Bert, ids: np.ndarray, real: np.ndarray, dtype: ttnn.DataType, device: ttnn.Device, config: Any = None
) -> list[Accuracy]:
    """`Accuracy` after each layer, weights kept as `dtype`, on tokens that are not padding."""
    with torch.no_grad():
        states = model.embeddings(torch.from_numpy(ids.astype(np.int64)))
        mask = torch.from_numpy(np.where(real, 0, MASKED_OUT).astype(np.float32))[:, None, None, :]
        expected = [y.numpy() for y in model.encoder(states, mask)]
    put = lambda y: ttnn.from_torch(y, dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    parameters = convert(model.encoder, dtype, device)
    heads = model.encoder.layer[0].attention.self.heads
    outputs = encode(put(states), put(mask), parameters, heads=heads, config=config)
    return [Accuracy.of(y[real], reference[real]) for y, reference in zip(outputs, expected, strict=True)]


# --- the command


def real_model(layers: int) -> tuple[Bert, np.ndarray, np.ndarray]:
    """all-MiniLM-L6-v2 in torch, with twelve sentences as `ids` and `real`."""
    model = Bert(Sizes(layers=layers))
    wanted = model.state_dict().keys()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights().items() if name in wanted})
    return model, *pad(tokenize(SENTENCES))


def random_model(sizes: Sizes, batch: int = 4, sequence: int = 64) -> tuple[Bert, np.ndarray, np.ndarray]:
    """torch's first parameters of a BERT, and token ids, every second row of which ends in padding."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    real = np.ones((batch, sequence), bool)
    real[1::2, sequence // 2 :] = False
    return Bert(sizes), rng.integers(sizes.vocabulary, size=real.shape, dtype=np.uint32) * real, real


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, choices=range(1, LAYERS + 1), default=LAYERS, help="how many, 6 by default")
    parser.add_argument("--fidelity", choices=FIDELITIES, default="hifi4", help="of the matmuls, hifi4 by default")
    parser.add_argument("--random", action="store_true", help="parameters and token ids by chance")
    options = parser.parse_args()
    model, ids, real = random_model(Sizes(layers=options.layers)) if options.random else real_model(options.layers)
    with ttnn.manage_device(device_id=0) as device:
        config = ttnn.init_device_compute_kernel_config(device.arch(), math_fidelity=FIDELITIES[options.fidelity])
        rows = []
        for dtype in (ttnn.bfloat16, ttnn.bfloat8_b):
            figures = measure(model, ids, real, dtype, device, config)
            rows += [(dtype.name.lower(), str(i + 1), *accuracy.cells()) for i, accuracy in enumerate(figures)]
    name = "random weights" if options.random else "all-MiniLM-L6-v2"
    print(f"{name} from torch {torch.__version__}: {len(ids)} rows of {ids.shape[1]}, {real.sum()} tokens not padding\n")
    print(table("Accuracy against the torch module in float32", ("weights", "layer", *ACCURACY_COLUMNS), rows))
    print(ACCURACY_LEGEND)


if __name__ == "__main__":
    run(main)
