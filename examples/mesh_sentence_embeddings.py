"""all-MiniLM-L6-v2 on a mesh of chips: the batch cut over its rows, heads and neurons over its columns.

Prints how well embeddings agree with one chip's, beside the bound on that, and those of both with the float32 model's; what each chip
keeps in DRAM and L1, against one chip that has all; and throughput. Ends with status 1 if the bound does not hold.
"""

import argparse
import functools
import json
import sys
import time
from typing import Any

import jax
import mesh_parallel
import minilm
import numpy as np
from _minilm_files import HEADS, LAYERS, POSITIONS, Weights, tokenize, weights
from _report import DTYPES, FIDELITIES, PLACES, device_parser, positive, run, table
from mesh_parallel import TOPOLOGIES, Split
from numpy.typing import NDArray
from sentence_embeddings import LEGEND, Agreement, read, reference
from sentence_encoder import Encoder, Setting

import tt_jax as tt


class MeshEncoder(Encoder):
    """The model in the DRAM of a mesh of chips: the matrices of its layers cut over the columns, all else whole on every chip."""

    def __init__(
        self,
        device: tt.DeviceProfile,
        setting: Setting,
        parameters: Weights,
        split: Split,
        topology: tt.Topology = tt.Topology.Linear,
    ):
        """From float32 weights. Raises ArgumentError if the model's heads do not divide over the columns."""
        split.require(heads=HEADS)
        memory, placed = minilm.place_parameters(
            tt.MemoryState.create(device, mesh=split), parameters, setting.weights, split.cut
        )
        super().__init__(setting, memory, placed)
        along = dict(split=split, topology=topology)
        self.split = split
        self.hooks = dict(
            attend=functools.partial(mesh_parallel.attention, **along),
            project=functools.partial(mesh_parallel.summed_linear, **along),
        )
        self.mapper = split.mapper(rows=0)
        self.composer = tt.MeshComposerConfig((0, 1))  # chips of a row have the same: side by side, of which the first is read

    def plan(self, batch: int, sequence: int, device: tt.DeviceProfile | None = None) -> tt.Plan:
        """Of each chip, for its part of a batch."""
        self.split.require(batch=batch)
        return super().plan(batch // self.split.rows, sequence, device)


def distance(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The largest between two embeddings of a sentence, of length 1."""
    return float(np.linalg.norm(np.float64(ours) - np.float64(theirs), axis=-1).max())


def bound(split: Split) -> float:
    """How far an embedding, of length 1, may lie from one chip's.

    In each of a layer's two sums, over n chips, there are n - 1 more roundings to bfloat16, of at most 2**-8 each, and one that may go
    another way, as products are summed in float32 in another order. Assumed: no layer amplifies what those before it have changed.
    """
    return 2 * LAYERS * split.columns * 2.0**-8


def sizes(encoder: Encoder, plan: tt.Plan) -> dict[str, int]:
    """Bytes in DRAM over all banks, and the peak of L1 in bytes per bank."""
    of = lambda x: sum(
        leaf.spec.num_pages * leaf.spec.page_size for leaf in jax.tree.leaves(x, is_leaf=lambda x: isinstance(x, tt.Tensor))
    )
    layers = encoder.parameters.layers
    matrices = [
        (layer.attention.qkv_weight, layer.attention.output_weight, layer.up_weight, layer.down_weight) for layer in layers
    ]
    biases = [(layer.attention.qkv_bias, layer.attention.output_bias, layer.up_bias, layer.down_bias) for layer in layers]
    tables = (encoder.parameters.words, encoder.parameters.positions)
    return {
        "matrices of the layers": of(matrices),
        "their biases": of(biases),
        "tables of words and positions": of(tables),
        "peak of L1, per bank": plan.peak_l1,
        "peak of DRAM, per bank": plan.peak_dram,
    }


def parse() -> argparse.Namespace:
    parser = device_parser(__doc__)
    mesh_parallel.add_mesh_options(parser)
    parser.add_argument("--sentences", metavar="FILE", help="one a line; built-in ones by default")
    parser.add_argument("--weights", choices=DTYPES, default="bfloat8_b", help="bfloat8_b by default")
    parser.add_argument("--fidelity", choices=FIDELITIES, default="hifi4", help="hifi4 by default")
    parser.add_argument("--batch", type=positive(int), default=16, help="sentences at a time, 16 by default")
    parser.add_argument("--memory", choices=PLACES, default="l1", help="where activations lie, l1 by default")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args()


def measured(encoder: Encoder, tokens: list[list[int]], batch: int) -> tuple[NDArray[np.float32], float, float]:
    """Embeddings, operation by operation; and seconds of the first batch, which compiles, and of all of them after that."""
    runs = encoder.runs(encoder.batches(tokens, batch, None), whole=False)
    start = time.perf_counter()
    jax.block_until_ready(runs[0]())
    first = time.perf_counter() - start
    start = time.perf_counter()
    rows = [np.asarray(run(), np.float32) for run in runs]
    return np.concatenate(rows)[: len(tokens)], first, time.perf_counter() - start


def main() -> None:
    options = parse()
    split, device = options.mesh, tt.PROFILES[options.device]
    setting = Setting(DTYPES[options.weights], FIDELITIES[options.fidelity], PLACES[options.memory])
    split.require(batch=options.batch, heads=HEADS)
    sentences, parameters = read(options.sentences), weights()
    tokens = tokenize(sentences, POSITIONS)
    # The mesh first: it is for its chips that JAX starts with so many devices.
    meshed = MeshEncoder(device, setting, parameters, split, TOPOLOGIES[options.topology])
    single = Encoder.of(device, setting, parameters)
    sequence = single.batches(tokens, options.batch, None)[0][0].shape[1]
    each, alone = (encoder.plan(options.batch, sequence) for encoder in (meshed, single))
    if each.error is not None:
        raise each.error
    print(
        f"all-MiniLM-L6-v2 on a {split} mesh of {device.name}, {options.topology} along a row: {len(sentences)} sentences in batches of "
        f"{options.batch} of {sequence} tokens;\nweights {options.weights}, {setting.fidelity.name}, activations bfloat16 in "
        f"{options.memory.upper()}\n"
    )

    exact = reference(parameters, tokens)
    results = {f"{split} mesh": measured(meshed, tokens, options.batch), "one chip": measured(single, tokens, options.batch)}
    y, one = (embeddings for embeddings, *_ in results.values())
    agreement = {
        f"{split} mesh, float32 model": Agreement.of(y, exact),
        "one chip, float32 model": Agreement.of(one, exact),
        f"{split} mesh, one chip": Agreement.of(y, one),
    }
    header = ("of, with", "least cosine", "mean cosine", "similarity", "order")
    print(table("Agreement", header, [(name, *figures.cells()) for name, figures in agreement.items()]))
    print(LEGEND)
    apart, most = distance(y, one), bound(split)
    print(
        f"  Embeddings have length 1; mesh and one chip are at most {apart:.4f} apart. The bound is {most:.4f}: in each of {2 * LAYERS} "
        f"sums\n  {split.columns} roundings to bfloat16, of 2**-8 each, that are more or may go another way, if no layer amplifies what "
        "those before it changed.\n"
    )

    ours, theirs = sizes(meshed, each), sizes(single, alone)
    rows = [(name, f"{theirs[name]:,}", f"{size:,}", f"{theirs[name] / size:.2f}") for name, size in ours.items()]
    rows.append(("programs", f"{alone.programs}", f"{each.programs}", ""))
    print(table("What a chip keeps, by its plan, in bytes", ("", "one chip", f"each of {split}", "factor"), rows))
    print(
        "  Matrices are cut over the columns, what is computed over the rows and, within attention and the MLP, the columns; tables and\n"
        "  norms are on every chip. A buffer takes whole tiles of each bank, so a small one shrinks less.\n"
    )
    cells = [(name, f"{first:.1f}", f"{len(tokens) / seconds:,.1f}") for name, (_, first, seconds) in results.items()]
    print(table("The simulation on this machine, not the chips", ("", "first batch [s]", "sentences/s"), cells))

    if options.json:
        figures: dict[str, Any] = {
            "mesh": list(split),
            "distance": apart,
            "bound": most,
            "agreement": {name: found._asdict() for name, found in agreement.items()},
            "bytes": {name: [theirs[name], size] for name, size in ours.items()},
            "programs": [alone.programs, each.programs],
        }
        print(json.dumps(figures))
    if apart > most:
        sys.exit(f"The mesh's embeddings lie beyond the bound: {apart:.4f} from one chip's, of at most {most:.4f}")


if __name__ == "__main__":
    run(main)
