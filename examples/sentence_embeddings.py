"""Sentence embeddings by all-MiniLM-L6-v2, all of it on TT-NN operations: six layers, pooling and normalization.

Prints how alike sentences are, throughput, peak L1, programs, and how well embeddings agree with the float32 model's, for each
dtype of the weights at each fidelity (or only those asked for).
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import _minilm_reference
import jax
import numpy as np
from _minilm_files import POSITIONS, Weights, pad, tokenize, weights
from _report import DTYPES, FIDELITIES, PLACES, device_parser, positive, run, table
from _sentences import SENTENCES
from numpy.typing import NDArray
from sentence_encoder import Encoder, Setting

import tt_jax as tt

CLEARLY = 0.1
LEGEND = f"""\
  Cosine: of an embedding with the float32 model's, the least and the mean over sentences. Similarity: between two sentences,
  the largest difference from the float32 model's. Order: of all pairs of sentences whose similarities differ by more than
  {CLEARLY} in the float32 model, the share that stand in the same order."""


class Agreement(NamedTuple):
    """Embeddings against the float32 model's; `LEGEND` says what the figures are."""

    least_cosine: float
    mean_cosine: float
    similarity_error: float
    order_kept: float

    @classmethod
    def of(cls, y: NDArray[np.float32], reference: NDArray[np.float32]) -> "Agreement":
        """In float64."""
        y, reference = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (np.float64(y), np.float64(reference)))
        cosines = (y * reference).sum(-1)
        above = np.triu_indices(len(y), 1)
        ours, theirs = (x @ x.T for x in (y, reference))
        error = float(np.abs(ours - theirs).max())
        return cls(float(cosines.min()), float(cosines.mean()), error, order_kept(ours[above], theirs[above]))

    def cells(self) -> tuple[str, ...]:
        """The figures as text."""
        return (
            f"{self.least_cosine:.5f}",
            f"{self.mean_cosine:.5f}",
            f"{self.similarity_error:.4f}",
            f"{self.order_kept:.2%}",
        )


def order_kept(ours: NDArray[np.float64], theirs: NDArray[np.float64], most: int = 2000) -> float:
    """The share of pairs of entries that stand in `ours` as in `theirs`, of those clearly apart there; 1 if none is.

    Of more than `most` entries, so many that lie evenly among them.
    """
    if len(theirs) > most:
        those = np.linspace(0, len(theirs) - 1, most).astype(int)
        ours, theirs = ours[those], theirs[those]
    apart = theirs[:, None] - theirs > CLEARLY
    return float((ours[:, None] > ours)[apart].mean()) if apart.any() else 1.0


def reference(parameters: Weights, tokens: list[list[int]], batch: int = 64) -> NDArray[np.float32]:
    """The float32 model's embeddings, in NumPy. Ends the process where SciPy, for erf, is missing."""
    try:
        from scipy.special import erf
    except ImportError:
        sys.exit("The float32 model needs SciPy's erf: python -m pip install 'tt-jax[examples]'")
    parts = (pad(tokens[i : i + batch]) for i in range(0, len(tokens), batch))
    return np.concatenate([_minilm_reference.encode(parameters, ids, real, erf=erf) for ids, real in parts])


def read(path: str | None) -> list[str]:
    """The sentences of a file, one a line, empty lines left out; the built-in ones without a file. Ends the process if there are none."""
    if path is None:
        return list(SENTENCES)
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        sys.exit(f"{path} can't be read as text: {problem}")
    sentences = [line.strip() for line in lines if line.strip()]
    return sentences or sys.exit(f"{path} has no sentences: expected one a line")


def nearest(sentences: list[str], ours: NDArray[np.float32], theirs: NDArray[np.float32], most: int = 16) -> str:
    """Of the first sentences each with the one most like it, every pair once, and both models' similarity."""
    similarity, other = ours @ ours.T, theirs @ theirs.T
    apart = similarity - 4 * np.eye(len(sentences))
    pairs = dict.fromkeys(tuple(sorted((i, int(apart[i].argmax())))) for i in range(min(most, len(sentences))))
    cut = lambda text: text if len(text) <= 64 else f"{text[:61]}..."
    rows = [(cut(sentences[i]), cut(sentences[j]), f"{similarity[i, j]:.4f}", f"{other[i, j]:.4f}") for i, j in pairs]
    return table("Most alike", ("sentence", "the one most like it", "cosine", "float32"), rows, text_columns=2)


def parse() -> argparse.Namespace:
    def tiles(text: str) -> int:
        if (value := int(text)) < 1 or value % tt.TILE_SIZE:
            raise ValueError
        return value

    parser = device_parser(__doc__)
    parser.add_argument("--sentences", metavar="FILE", help="one a line; built-in ones by default")
    parser.add_argument("--output", metavar="FILE.npz", help="save them as `embeddings` [sentences, 384], float32")
    parser.add_argument("--weights", choices=DTYPES, help="bfloat8_b by default, with a table of all")
    parser.add_argument("--fidelity", choices=FIDELITIES, help="hifi4 by default, with a table of all")
    parser.add_argument("--batch", type=positive(int), default=32, help="sentences at a time, 32 by default")
    parser.add_argument(
        "--sequence", type=tiles, help="tokens of a sentence, a multiple of 32; what is longer is cut. By default the longest's"
    )
    parser.add_argument("--memory", choices=PLACES, default="l1", help="where activations lie, l1 by default")
    parser.add_argument("--report", metavar="DIR", help="write a report of a batch for ttnn-visualizer")
    parser.add_argument("--save", metavar="FILE", help="write the packed weights as safetensors")
    parser.add_argument("--load", metavar="FILE", help="read weights that --save wrote")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    if options.load and options.weights:
        parser.error("--load brings its own dtype of the weights: leave --weights out")
    return options


def main() -> None:
    options = parse()
    device = tt.PROFILES[options.device]
    setting = Setting(DTYPES[options.weights or "bfloat8_b"], FIDELITIES[options.fidelity or "hifi4"], PLACES[options.memory])
    sentences, parameters = read(options.sentences), weights()
    tokens = tokenize(sentences, options.sequence or POSITIONS)
    encoder = Encoder.load(device, setting, options.load) if options.load else Encoder.of(device, setting, parameters)
    setting = encoder.setting
    batches = encoder.batches(tokens, options.batch, options.sequence)
    sequence = batches[0][0].shape[1]
    plans = {name: encoder.plan(options.batch, sequence, profile) for name, profile in tt.PROFILES.items()}
    plan = plans[device.name]
    if plan.error is not None:
        hint = "" if options.memory == "dram" else "\nOr keep all activations in DRAM: --memory dram"
        sys.exit(f"{type(plan.error).__name__}: {plan.error}{hint}")
    print(
        f"all-MiniLM-L6-v2 on {device.name}: {len(sentences)} sentences, {sum(map(len, tokens)):,} tokens, in batches of "
        f"{options.batch} of {sequence} tokens; weights {setting.weights.kernel_name}, {setting.fidelity.name}, activations "
        f"bfloat16 in {options.memory.upper()}\n"
    )

    runs = encoder.runs(batches)
    start = time.perf_counter()
    jax.block_until_ready(runs[0]())
    first = time.perf_counter() - start
    start = time.perf_counter()
    rows = [np.asarray(run(), np.float32) for run in runs]
    seconds = time.perf_counter() - start
    embeddings = np.concatenate(rows)[: len(sentences)]
    exact = reference(parameters, tokens)
    chosen = Agreement.of(embeddings, exact)
    print(nearest(sentences, embeddings, exact) + "\n")

    per_second = len(sentences) / seconds
    print(
        f"{per_second:,.1f} sentences/s on this machine ({seconds:.2f} s); the first batch, traced and compiled, took {first:.1f} s\n"
        f"{plan.programs} programs; at least {plan.ideal_seconds * 1e3:.2f} ms a batch on {device.name} at its documented peak rates\n"
        "Peak L1, bytes per bank: "
        + ", ".join(f"{name} {p.peak_l1:,}" if p.fits else f"{name} does not fit" for name, p in plans.items())
        + "\n"
    )

    everything = {(setting.weights, setting.fidelity): chosen}
    if not options.load:
        for dtype in [setting.weights] if options.weights else DTYPES.values():
            for fidelity in [setting.fidelity] if options.fidelity else FIDELITIES.values():
                if (dtype, fidelity) not in everything:
                    other = Encoder.of(device, setting._replace(weights=dtype, fidelity=fidelity), parameters)
                    y = other.encode(tokens, options.batch, options.sequence, whole=False)
                    everything[dtype, fidelity] = Agreement.of(y, exact)
    lines = sorted(everything.items(), key=lambda item: (list(DTYPES.values()).index(item[0][0]), item[0][1].value))
    header = ("weights", "fidelity", "least cosine", "mean cosine", "similarity", "order")
    cells = [(dtype.kernel_name, fidelity.name, *figures.cells()) for (dtype, fidelity), figures in lines]
    print(table("Agreement with the float32 model", header, cells, text_columns=2))
    print(LEGEND)

    if options.output:
        np.savez(options.output, embeddings=embeddings)
        print(f"\n{options.output}: embeddings {embeddings.shape}, float32")
    if options.save:
        print(f"\n{options.save}: {encoder.save(options.save):,} bytes of {setting.weights.kernel_name} weights, packed")
    if options.report:
        with tt.record(options.report):
            encoder.runs(batches[:1], whole=False)[0]()
        print(f"\n{options.report}: a report of the first batch; tt-jax visualize {options.report} opens it")
    if options.json:
        figures = {
            "sentences": len(sentences),
            "batch": options.batch,
            "sequence": sequence,
            "device": device.name,
            "weights": setting.weights.kernel_name,
            "fidelity": setting.fidelity.name,
            "memory": options.memory,
            "sentences_per_second": per_second,
            "first_seconds": first,
            "programs": plan.programs,
            "peak_l1_bytes_per_bank": {name: p.peak_l1 if p.fits else None for name, p in plans.items()},
            **chosen._asdict(),
            "agreement": [
                {"weights": dtype.kernel_name, "fidelity": fidelity.name, **figures._asdict()}
                for (dtype, fidelity), figures in lines
            ],
            "similarities": (embeddings @ embeddings.T).tolist() if len(sentences) <= 64 else None,
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    run(main)
