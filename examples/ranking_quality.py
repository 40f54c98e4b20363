"""What block floats cost in a figure that users of embeddings care about: how well similarities rank as people rank them.

all-MiniLM-L6-v2 embeds texts of two collections that people have rated: 50 news reports, every pair of them (Lee, Pincombe and
Welsh 2005), and 353 pairs of words (WordSim-353). Printed, for float32 and for each dtype of the weights and fidelity, is
Spearman's correlation of cosines with ratings. The files are those of the package gensim, fetched once (28 MB).
"""

import argparse
import json
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from _minilm_files import tokenize, weights
from _packages import folder
from _report import DTYPES, FIDELITIES, device_parser, run, table
from numpy.typing import NDArray
from sentence_embeddings import reference
from sentence_encoder import Encoder, Setting

import tt_jax as tt

RESAMPLES = 500
LEGEND = f"""\
  Spearman: rank correlation of cosines with people's ratings. Change: from float32, with its standard error over {RESAMPLES} resamples of
  the texts (the pairs, of words): a change of less than two of them says nothing. Nearest: the share of texts whose most similar
  text is the one that float32 finds."""


class Rated(NamedTuple):
    """Texts, and pairs of them that people have rated."""

    name: str
    texts: list[str]
    first: NDArray[np.int64]  # [pairs], indices of texts
    second: NDArray[np.int64]
    rating: NDArray[np.float64]  # [pairs]
    draw: Callable[[np.random.Generator], NDArray[np.int64]]  # indices of the pairs of a resample


def reports(data) -> Rated:
    """50 news reports of 51 to 126 words; every pair was rated by about ten people, from 0 to 1."""
    texts = (data / "lee.cor").read_text(encoding="latin-1").strip().split("\n")
    ratings = np.loadtxt(data / "similarities0-1.txt")
    first, second = np.triu_indices(len(texts), 1)
    number = np.full(ratings.shape, -1)
    number[first, second] = number[second, first] = np.arange(len(first))

    def draw(rng: np.random.Generator) -> NDArray[np.int64]:
        drawn = rng.integers(len(texts), size=len(texts))
        pairs = number[drawn[first], drawn[second]]
        return pairs[pairs >= 0]  # a text drawn twice makes no pair with itself

    return Rated("50 news reports, 1,225 pairs", texts, first, second, ratings[first, second], draw)


def words(data) -> Rated:
    """353 pairs of words, rated by 13 to 16 people from 0 to 10."""
    lines = (data / "wordsim353.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if line and not line.startswith("#")]
    texts = sorted({word for pair in pairs for word in pair[:2]})
    first, second = (np.array([texts.index(pair[i]) for pair in pairs]) for i in (0, 1))
    rating = np.array([float(pair[2]) for pair in pairs])
    return Rated(
        f"{len(pairs)} pairs of words", texts, first, second, rating, lambda rng: rng.integers(len(pairs), size=len(pairs))
    )


def cosines(y: NDArray[np.float32]) -> NDArray[np.float64]:
    """`[texts, texts]`."""
    y = np.asarray(y, np.float64)
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    return y @ y.T


def correlation(similarity: NDArray[np.float64], rated: Rated, pairs: NDArray[np.int64] | slice = slice(None)) -> float:
    """Spearman's."""
    from scipy.stats import spearmanr

    return float(spearmanr(similarity[rated.first, rated.second][pairs], rated.rating[pairs]).statistic)


def nearest(similarity: NDArray[np.float64]) -> NDArray[np.int64]:
    """The index of the text most like each."""
    return np.argmax(similarity - 4 * np.eye(len(similarity)), axis=-1)


def figures(similarity: NDArray[np.float64], exact: NDArray[np.float64], rated: Rated, seed: int = 0) -> dict[str, float]:
    """Of similarities against ratings, and against the float32 model's."""
    rng = np.random.default_rng(seed)
    changes = []
    for _ in range(RESAMPLES):
        pairs = rated.draw(rng)
        changes.append(correlation(similarity, rated, pairs) - correlation(exact, rated, pairs))
    spearman = correlation(similarity, rated)
    return {
        "spearman": spearman,
        "change": spearman - correlation(exact, rated),
        "standard_error": float(np.std(changes, ddof=1)),
        "same_nearest": float(np.mean(nearest(similarity) == nearest(exact))),
    }


def main() -> None:
    parser = device_parser(__doc__)
    parser.add_argument(
        "--fidelities",
        type=lambda text: [FIDELITIES[name] for name in text.split(",")],
        default=[tt.MathFidelity.LoFi, tt.MathFidelity.HiFi4],
        metavar="F,F",
        help=f"of {', '.join(FIDELITIES)}; lofi,hifi4 by default",
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    options = parser.parse_args()
    device, parameters = tt.PROFILES[options.device], weights()
    data = folder("gensim", "4.4.0", "gensim") / "test" / "test_data"
    if not data.is_dir():
        sys.exit(
            "The package gensim is installed without its test data, which has the texts: uninstall it, so that it is fetched"
        )
    settings = [Setting(dtype, fidelity) for dtype in DTYPES.values() for fidelity in options.fidelities]
    encoders = {setting: Encoder.of(device, setting, parameters) for setting in settings}
    every: dict[str, list[dict[str, object]]] = {}
    for rated in (reports(data), words(data)):
        tokens = tokenize(rated.texts)
        exact = cosines(reference(parameters, tokens))
        rows = [("float32", "", f"{correlation(exact, rated):.4f}", "", "", "")]
        every[rated.name] = [{"weights": "float32", "spearman": correlation(exact, rated)}]
        for setting, encoder in encoders.items():
            f = figures(cosines(encoder.encode(tokens, batch=32, whole=False)), exact, rated)
            names = {"weights": setting.weights.kernel_name, "fidelity": setting.fidelity.name}
            change = f"{f['change']:+.4f}", f"{f['standard_error']:.4f}"
            rows.append((*names.values(), f"{f['spearman']:.4f}", *change, f"{f['same_nearest']:.1%}"))
            every[rated.name].append({**names, **f})
        header = ("weights", "fidelity", "Spearman", "change", "std. error", "nearest")
        print(table(f"all-MiniLM-L6-v2 on {device.name}: {rated.name}", header, rows, text_columns=2) + "\n")
    print(LEGEND)
    if options.json:
        print(json.dumps(every))


if __name__ == "__main__":
    run(main)
