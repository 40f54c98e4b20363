"""The optimized attention on real input: layer 0 of the sentence model all-MiniLM-L6-v2 and twelve English sentences.

Prints, for bfloat16, bfloat8_b and bfloat4_b weights, their bytes and the accuracy of the attention's output against float64
NumPy, at the default fidelity and at HiFi4. The reference takes the weights as the file has them, so their rounding counts;
padding is left out.
"""

from typing import NamedTuple

import numpy as np
from _minilm_files import HEADS, LAYER_NORM_EPSILON, Weights, pad, tokenize, weights
from _reference import attention
from _report import ACCURACY_COLUMNS, ACCURACY_LEGEND, Accuracy, compute_config, device_parser, run, table
from attention import MASKED_OUT, OptimizedParameters, optimized
from numpy.typing import NDArray

import tt_jax as tt

SENTENCES = (
    "Call me Ishmael.",
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.",
    "What's in a name? That which we call a rose by any other name would smell as sweet.",
    '"Curiouser and curiouser!" cried Alice.',
    "From so simple a beginning endless forms most beautiful and most wonderful have been, and are being, evolved.",
    "If I have seen further, it is by standing on the shoulders of giants.",
    "The Analytical Engine weaves algebraical patterns just as the Jacquard loom weaves flowers and leaves.",
    "Mr. Watson, come here, I want to see you.",
    "To be prepared for war is one of the most effectual means of preserving peace.",
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, and "
    "dedicated to the proposition that all men are created equal.",
    "Time and tide wait for no man.",
)


class Linear(NamedTuple):
    weight: NDArray[np.float32]  # [out, in]
    bias: NDArray[np.float32]  # [out]


def linear(parameters: Weights, *names: str) -> Linear:
    """Layer 0's linear layers of these names as one, joined along `out`."""
    prefix = "encoder.layer.0.attention"
    weights, biases = ([parameters[f"{prefix}.{name}.{part}"] for name in names] for part in ("weight", "bias"))
    return Linear(np.concatenate(weights), np.concatenate(biases))


def embed(parameters: Weights, ids: NDArray[np.uint32]) -> NDArray[np.float64]:
    """BERT's embeddings `[batch, sequence, hidden]`: word + position + token type 0, normalized."""
    names = [name for name in parameters if name.startswith("embeddings.")]
    part = {name.removeprefix("embeddings."): np.asarray(parameters[name], np.float64) for name in names}
    x = part["word_embeddings.weight"][ids] + part["position_embeddings.weight"][: ids.shape[1]]
    x += part["token_type_embeddings.weight"][0]
    x -= x.mean(-1, keepdims=True)
    x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + LAYER_NORM_EPSILON)
    return x * part["LayerNorm.weight"] + part["LayerNorm.bias"]


def attend(
    device: tt.DeviceProfile,
    hidden_states: NDArray[np.float64],
    mask: NDArray[np.float64],
    qkv: Linear,
    out: Linear,
    dtype: tt.DataType,
    fidelity: tt.MathFidelity | None,
) -> tuple[NDArray[np.float32], int]:
    """The optimized attention's output with weights of `dtype`, and the bytes of its weights. Biases are bfloat16."""
    memory = tt.MemoryState.create(device)
    memory, x = tt.from_array(memory, hidden_states, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    memory, attention_mask = tt.from_array(memory, mask, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    parameters, size = [], 0
    for layer in (qkv, out):
        memory, weight = tt.model_preprocessing.preprocess_linear_weight(memory, layer.weight, dtype=dtype)
        memory, bias = tt.model_preprocessing.preprocess_linear_bias(memory, layer.bias, dtype=tt.bfloat16)
        parameters += [weight, bias]
        size += weight.spec.num_pages * weight.spec.page_size
    config = compute_config(device, fidelity)
    memory, y = optimized(
        memory, x, attention_mask, OptimizedParameters(*parameters), num_heads=HEADS, compute_kernel_config=config
    )
    return np.asarray(tt.to_array(y), np.float32), size


def main() -> None:
    device = tt.PROFILES[device_parser(__doc__).parse_args().device]
    parameters, tokens = weights(), tokenize(SENTENCES)
    qkv = linear(parameters, "self.query", "self.key", "self.value")
    out = linear(parameters, "output.dense")
    ids, real = pad(tokens)
    hidden_states, mask = embed(parameters, ids), np.where(real, 0.0, MASKED_OUT)[:, None, None, :]
    batch, sequence, hidden = hidden_states.shape
    reference = attention(hidden_states, mask, qkv.weight.T, qkv.bias, out.weight.T, out.bias, num_heads=HEADS)
    print(
        f"Layer 0 of all-MiniLM-L6-v2 on {device.name}: attention, {HEADS} heads of {hidden // HEADS}; {batch} sentences, "
        f"{real.sum()} tokens, padded to {sequence} a sentence\n"
    )

    rows = []
    for dtype in (tt.bfloat16, tt.bfloat8_b, tt.bfloat4_b):
        for fidelity in (None, tt.MathFidelity.HiFi4):
            y, size = attend(device, hidden_states, mask, qkv, out, dtype, fidelity)
            accuracy = Accuracy.of(y[real], reference.output[real])
            name = "default" if fidelity is None else fidelity.name
            rows.append((dtype.kernel_name, name, f"{size:,}", *accuracy.cells()))
    header = ("weights", "fidelity", "weights [B]", *ACCURACY_COLUMNS)
    print(table("Accuracy of the attention's output against float64 NumPy", header, rows, text_columns=2))
    print("  Default fidelity: LoFi, because a core_grid is given. Activations: bfloat16 in, bfloat8_b between, bfloat16 out.")
    print(ACCURACY_LEGEND)


if __name__ == "__main__":
    run(main)
