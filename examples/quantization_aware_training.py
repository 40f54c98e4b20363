"""Quantization-aware training: a small network that learns to bear bfloat4_b weights.

The network (64 pixels, one hidden layer, ten digits) is a TT-NN program of two linear layers, and that program is trained: jitted,
differentiated, its memory threaded through the loop over the steps. It is trained with float32 weights until halfway, then goes on
three times with the same batches: as before, and with its weights going through bfloat8_b or bfloat4_b by `tt.fake_quant`.
Activations and biases are bfloat16 throughout, so only the dtype of the weights differs.

Prints, for each dtype of the weights on the device: their bytes, and the accuracy on images not trained on, after float32 training
alone (post-training quantization) and after quantization-aware training. Mean and standard deviation are over seeds; each seed
draws its own test images, first weights and batches. A narrower network loses more and a wider one less: try `--hidden 8` and
`--hidden 32`. With `--json` the last line is one JSON object of the same figures.

The data are scikit-learn's 1797 digits of 8x8 pixels.
"""

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _report import compute_config, device_parser, positive, run, table
from jax import Array

import tt_jax as tt

DTYPES = (tt.float32, tt.bfloat8_b, tt.bfloat4_b)
TESTED = 600
"""Images kept for the test."""
BATCH = 48
RATE, MOMENTUM = 0.1, 0.9
"""Of the first step; the rate falls to 0 along half a cosine."""
MISSING = "The digits come with scikit-learn: python -m pip install scikit-learn"
NO_PLOT = "A plot needs matplotlib: python -m pip install matplotlib"


class Parameters(NamedTuple):
    """float32 arrays, or the tensors made of them."""

    hidden_weight: Array | tt.Tensor  # [64, hidden]
    hidden_bias: Array | tt.Tensor  # [1, hidden]
    output_weight: Array | tt.Tensor  # [hidden, 10]
    output_bias: Array | tt.Tensor  # [1, 10]

    def fake_quantized(self, dtype: tt.DataType) -> "Parameters":
        """The arrays with the weights' values rounded to `dtype`; their derivative is the identity."""
        hidden, output = (tt.fake_quant(weight, dtype) for weight in (self.hidden_weight, self.output_weight))
        return self._replace(hidden_weight=hidden, output_weight=output)


class Data(NamedTuple):
    """One seed's images `[n, 64]`, float32 between 0 and 1, and their digits `[n]`, int32."""

    images: Array
    digits: Array
    test_images: Array
    test_digits: Array


def load() -> tuple[np.ndarray, np.ndarray]:
    """Every image and its digit."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        sys.exit(MISSING)
    images, digits = load_digits(return_X_y=True)
    return (images / 16).astype(np.float32), digits.astype(np.int32)


def split(images: np.ndarray, digits: np.ndarray, seed: int) -> Data:
    """The images shuffled by `seed`, the last ones kept for the test."""
    order = np.random.default_rng(seed).permutation(len(digits))
    trained, tested = order[:-TESTED], order[-TESTED:]
    return Data(*map(jnp.asarray, (images[trained], digits[trained], images[tested], digits[tested])))


def first_parameters(seed: int, pixels: int, hidden: int, classes: int) -> Parameters:
    """He's initialization."""
    rng = np.random.default_rng(seed)
    weight = lambda rows, columns: jnp.asarray(rng.normal(size=(rows, columns)) * (2 / rows) ** 0.5, jnp.float32)
    return Parameters(weight(pixels, hidden), jnp.zeros((1, hidden)), weight(hidden, classes), jnp.zeros((1, classes)))


def put(memory: tt.MemoryState, parameters: Parameters, dtype: tt.DataType) -> tuple[tt.MemoryState, Parameters]:
    """The parameters in DRAM: weights as `dtype`, biases as bfloat16."""
    tensors = []
    for name, array in parameters._asdict().items():
        stored = dtype if name.endswith("weight") else tt.bfloat16
        memory, tensor = tt.from_array(memory, array, dtype=stored, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    return memory, Parameters(*tensors)


def classify(memory: tt.MemoryState, images: tt.Tensor, parameters: Parameters) -> tuple[tt.MemoryState, tt.Tensor]:
    """The program: images `[n, 64]` -> scores `[n, 10]`, bfloat16 in L1."""
    arithmetic = compute_config(memory.device, tt.MathFidelity.HiFi4)
    options = dict(dtype=tt.bfloat16, memory_config=tt.L1_MEMORY_CONFIG, compute_kernel_config=arithmetic)
    p = parameters
    memory, hidden = tt.linear(memory, images, p.hidden_weight, bias=p.hidden_bias, activation="relu", **options)
    memory, scores = tt.linear(memory, hidden, p.output_weight, bias=p.output_bias, **options)
    return tt.deallocate(memory, hidden), scores


def scores_of(
    memory: tt.MemoryState, parameters: Parameters, images: Array, dtype: tt.DataType
) -> tuple[tt.MemoryState, Array]:
    """Onto the device, `classify`, and its float32 scores back; the memory is as it was."""
    memory, tensors = put(memory, parameters, dtype)
    memory, x = tt.from_array(memory, images, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    memory, scores = classify(memory, x, tensors)
    return tt.deallocate(memory, x, scores, *tensors), tt.to_array(scores).astype(jnp.float32)


def schedule(seed: int, count: int, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of `count` images each step sees, `[steps, BATCH]`, and its rate, `[steps]`."""
    rng = np.random.default_rng(seed)
    batches = np.concatenate([rng.permutation(count)[: count // BATCH * BATCH].reshape(-1, BATCH) for _ in range(epochs)])
    rates = RATE / 2 * (1 + np.cos(np.linspace(0, np.pi, len(batches))))
    return batches.astype(np.int32), rates.astype(np.float32)


def train(
    memory: tt.MemoryState,
    state: tuple[Parameters, Parameters],
    data: Data,
    steps: tuple[Array, Array],
    *,
    dtype: tt.DataType,
) -> tuple[tt.MemoryState, tuple[Parameters, Parameters]]:
    """Stochastic gradient descent with momentum, the weights' values those of `dtype`. `state` is the parameters and their momenta."""

    def loss(parameters: Parameters, memory: tt.MemoryState, batch: Array) -> tuple[Array, tt.MemoryState]:
        memory, scores = scores_of(memory, parameters.fake_quantized(dtype), data.images[batch], tt.float32)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), data.digits[batch][:, None], axis=1)
        return -chosen.mean(), memory

    def step(carry: tuple[tt.MemoryState, Parameters, Parameters], at: tuple[Array, Array]):
        (memory, parameters, momenta), (batch, rate) = carry, at
        gradient, memory = jax.grad(loss, has_aux=True)(parameters, memory, batch)
        momenta = jax.tree.map(lambda m, g: np.float32(MOMENTUM) * m - rate * g, momenta, gradient)
        return (memory, jax.tree.map(jnp.add, parameters, momenta), momenta), None

    (memory, *state), _ = jax.lax.scan(step, (memory, *state), steps)
    return memory, tuple(state)


def accuracy(memory: tt.MemoryState, parameters: Parameters, data: Data, *, dtype: tt.DataType) -> Array:
    """The share of the test images, in percent, that is classified right with weights stored as `dtype`."""
    _, scores = scores_of(memory, parameters, data.test_images, dtype)
    return 100 * (scores.argmax(-1) == data.test_digits).mean()


def weight_bytes(parameters: Parameters, dtype: tt.DataType) -> int:
    """What the weights of one network take in tiles."""
    shapes = (weight.shape[1:] for weight in (parameters.hidden_weight, parameters.output_weight))
    specs = [tt.TensorSpec(shape, dtype, tt.TILE_LAYOUT) for shape in shapes]
    return sum(spec.num_pages * spec.page_size for spec in specs)


class Result(NamedTuple):
    """Of one dtype of the weights; accuracies in percent, one a seed."""

    bytes: int
    post_training: np.ndarray
    quantization_aware: np.ndarray


def over_seeds(function: Callable[..., Any], dtype: tt.DataType) -> Callable[..., Any]:
    """`function` compiled for `dtype` and for all seeds at once: arrays have a leading axis for them. The memory, which is the same
    on every seed's device, holds no arrays."""
    return jax.jit(jax.vmap(functools.partial(function, dtype=dtype)))


def compare(device: tt.DeviceProfile, seeds: int, epochs: int, hidden: int) -> dict[tt.DataType, Result]:
    """Both ways for every dtype."""
    images, digits = load()
    stacked = lambda items: jax.tree.map(lambda *arrays: jnp.stack(arrays), *items)
    data = stacked([split(images, digits, seed) for seed in range(seeds)])
    start = stacked([first_parameters(seed, images.shape[1], hidden, 10) for seed in range(seeds)])
    steps = stacked([schedule(seed, len(digits) - TESTED, epochs) for seed in range(seeds)])
    half = steps[0].shape[1] // 2
    first, second = ([array[:, part] for array in steps] for part in (slice(half), slice(half, 2 * half)))
    training = {dtype: over_seeds(train, dtype) for dtype in DTYPES}
    memory, halfway = training[tt.float32](
        tt.MemoryState.create(device), (start, jax.tree.map(jnp.zeros_like, start)), data, first
    )
    trained, results = {}, {}
    for dtype in DTYPES:
        memory, (trained[dtype], _) = training[dtype](memory, halfway, data, second)
        measure = over_seeds(accuracy, dtype)
        ways = (np.asarray(measure(memory, p, data), np.float64) for p in (trained[tt.float32], trained[dtype]))
        results[dtype] = Result(weight_bytes(start, dtype), *ways)
    return results


def spread(values: np.ndarray) -> float:
    """The standard deviation over seeds; 0 for one."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def cell(values: np.ndarray) -> str:
    return f"{values.mean():.2f} +- {spread(values):.2f}"


def report(results: dict[tt.DataType, Result]) -> str:
    exact, rows, lines = results[tt.float32].post_training, [], []
    for dtype, r in results.items():
        is_rounded = dtype is not tt.float32
        rows.append(
            (dtype.kernel_name, f"{r.bytes:,}", cell(r.post_training), cell(r.quantization_aware) if is_rounded else "-")
        )
        if is_rounded:
            after, aware = ((values - exact).mean() for values in (r.post_training, r.quantization_aware))
            better, worse = (r.quantization_aware > r.post_training).sum(), (r.quantization_aware < r.post_training).sum()
            lines.append(
                f"  {dtype.kernel_name} against float32: {after:+.2f} points if rounded after training, {aware:+.2f} if trained with the "
                f"rounding, which is better on {better} of {len(exact)} seeds and worse on {worse}."
            )
    title = "Test accuracy [%], mean and standard deviation over seeds; bytes of the weights in tiles"
    return "\n".join([table(title, ("weights", "bytes", "post-training", "quantization-aware"), rows), *lines])


def plot(results: dict[tt.DataType, Result], path: str) -> None:
    """Means and standard deviations by the dtype of the weights, and a line for each seed from one way to the other."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit(NO_PLOT)
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for place, (dtype, r) in enumerate(results.items()):
        ways = {"post-training": (-0.15, r.post_training, "tab:orange")}
        if dtype is not tt.float32:
            ways["quantization-aware"] = (0.15, r.quantization_aware, "tab:blue")
            axes.plot(
                [place - 0.15, place + 0.15], [r.post_training, r.quantization_aware], color="0.8", linewidth=0.8, zorder=0
            )
        for name, (offset, values, colour) in ways.items():
            axes.scatter(np.full(len(values), place + offset), values, s=14, color=colour, alpha=0.5, linewidths=0)
            beside, label = place + 1.5 * offset, name if place == 1 else None
            axes.errorbar(beside, values.mean(), spread(values), fmt="o", capsize=4, color=colour, label=label)
    axes.set_xticks(range(len(results)), [f"{dtype.kernel_name}\n{r.bytes:,} B" for dtype, r in results.items()])
    axes.set_xlabel("weights on the device")
    axes.set_ylabel("test accuracy [%]")
    axes.set_title("Small: a seed each. Large: mean and standard deviation.", fontsize=9)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower left", fontsize=8)
    figure.savefig(path, dpi=120)


def parse() -> argparse.Namespace:
    parser = device_parser(__doc__)
    for name, default in (("seeds", 16), ("epochs", 60), ("hidden", 16)):
        parser.add_argument(f"--{name}", type=positive(int), default=default, help=f"{default} by default")
    parser.add_argument("--plot", metavar="FILE", help="save a picture too")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args()


def main() -> None:
    options = parse()
    start = time.perf_counter()
    results = compare(tt.PROFILES[options.device], options.seeds, options.epochs, options.hidden)
    seconds = time.perf_counter() - start
    print(
        f"Digits by a network of 64, {options.hidden} and 10 on {options.device}: {options.seeds} seeds, {options.epochs} epochs, "
        f"the second half of them with the rounding; {seconds:.0f} s\n"
    )
    print(report(results))
    if options.plot:
        plot(results, options.plot)
    if options.json:
        figures = {
            dtype.kernel_name: {
                "bytes": r.bytes,
                "post_training": r.post_training.round(2).tolist(),
                "quantization_aware": r.quantization_aware.round(2).tolist(),
            }
            for dtype, r in results.items()
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    run(main)
