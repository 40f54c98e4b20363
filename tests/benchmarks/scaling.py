"""How the sentence encoder's time follows its multiplications, over sequence lengths and batches, beside plain float32 JAX.

bfloat8_b weights at HiFi4, activations in DRAM, one compiled program for each operation; random weights with as many positions as are
needed. Then the memory of `scaled_dot_product_attention` (flash), which should follow the sequence length and not its square.

python tests/benchmarks/scaling.py [--rounds 7] [--sequences 128,512,1024,2048,4096] [--batches 1,4,16,64] [--plot scaling.png]
"""

from collections.abc import Iterator

import jax
import numpy as np
from _encoder import batch as draw
from _encoder import encoder, files, float32_jax, multiplications
from _interleave import Comparison, compare, interleave, main

import tt_jax as tt

SHORT = 128  # the sequence length at which batches are varied
JAX, OURS = "float32 JAX, one jit", "encoder"
Size = tuple[int, int]  # batch, sequence


def times_of(size: Size, weights: files.Weights, rounds: int) -> dict[str, list[float]]:
    ids, real = draw(*size)
    program, arguments = encoder(weights, ids, real, memory_config=tt.DRAM_MEMORY_CONFIG)
    plain, on_device = float32_jax(weights, ids, real)
    contenders = {JAX: lambda: plain(*on_device), OURS: lambda: program(*arguments)[1].array}
    times = interleave(contenders, rounds)
    jax.clear_caches()  # one size's programs are of no use to the next
    return times


def growth(times: dict[Size, dict[str, list[float]]], sizes: list[Size], who: str) -> float:
    """The exponent of time in multiplications: the slope of a straight line through their logarithms."""
    points = [(np.log(multiplications(*size)), np.log(np.median(times[size][who]))) for size in sizes]
    return float(np.polyfit(*zip(*points, strict=True), 1)[0]) if len(points) > 1 else float("nan")


def draw_plot(times: dict[Size, dict[str, list[float]]], path: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for who, marker in ((JAX, "o"), (OURS, "s")):
        points = sorted((2 * multiplications(*size) / 1e9, np.median(t[who])) for size, t in times.items())
        axes.plot(*zip(*points, strict=True), marker=marker, label=who)
    least = min(points)
    axes.plot([x for x, _ in points], [least[1] * x / least[0] for x, _ in points], "k:", label="proportional")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="GFLOP of matrix products",
        ylabel="seconds",
        title="MiniLM, bfloat8_b weights, HiFi4",
    )
    axes.grid(True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def flash(sequence: int, rounds: int) -> tuple[int, list[float]]:
    """Bytes that the compiled attention of 8 heads of 64 needs beside inputs and output, and seconds of each round."""
    memory, tensors = tt.MemoryState.create(tt.N150), []
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = rng.standard_normal((1, 8, sequence, 64), np.float32)
        memory, tensor = tt.from_array(memory, x, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    run = jax.jit(lambda memory, *qkv: tt.transformer.scaled_dot_product_attention(memory, *qkv, is_causal=True)[1].array)
    compiled = run.lower(memory, *tensors).compile()
    times = interleave({"flash": lambda: compiled(memory, *tensors)}, rounds)
    return compiled.memory_analysis().temp_size_in_bytes, times["flash"]


def comparisons(
    *,
    rounds: int = 7,
    sequences: str = "128,512,1024,2048,4096",
    batches: str = "1,4,16,64",
    flash_sequence: int = 8192,
    plot: str = "",
) -> Iterator[Comparison]:
    by_length = [(1, int(sequence)) for sequence in sequences.split(",") if sequence]
    by_batch = [(int(size), SHORT) for size in batches.split(",") if size]
    longest = max((sequence for _, sequence in [*by_length, *by_batch]), default=SHORT)
    weights = files.random_weights(positions=longest)
    times = {size: times_of(size, weights, rounds) for size in dict.fromkeys([*by_length, *by_batch])}
    for sizes, what in ((by_length, "sequence length, batch 1"), (by_batch, f"batch, sequence {SHORT}")):
        slopes = {who: growth(times, sizes, who) for who in (OURS, JAX)}
        for i, size in enumerate(sizes):
            ours = f"{OURS}, {size[0]} x {size[1]}"
            rate = 2 * multiplications(*size) / np.median(times[size][OURS]) / 1e9
            note = f"{rate:.1f} GFLOP/s"
            if i == len(sizes) - 1:
                note += f"; time grows as FLOPs to the power {slopes[OURS]:.2f}, of float32 {slopes[JAX]:.2f}"
            yield compare(f"MiniLM by {what}", {ours: times[size][OURS], JAX: times[size][JAX]}, ours, JAX, note=note)
    if flash_sequence:
        short, long = (flash(length, rounds) for length in (flash_sequence // 2, flash_sequence))
        ratio = long[0] / short[0]
        yield Comparison(
            "temporary memory of scaled_dot_product_attention, 8 heads of 64",
            f"sequence {flash_sequence}",
            f"sequence {flash_sequence // 2}",
            *(ratio,) * 3,
            float(np.median(long[1])),
            rounds,
            target=2.2,
            note=f"a ratio of bytes: {long[0] / 2**20:.1f} MiB to {short[0] / 2**20:.1f} MiB",
        )
    if plot:
        draw_plot(times, plot)


if __name__ == "__main__":
    main(__doc__, comparisons)
