"""The numerics of the optimized attention, judged three ways.

`tt.compare` measures every operation of `attention.optimized` against the same program in float32, `tt.explain` shows where the shared
exponents of a weight cost most, and `tt.search` finds the cheapest dtypes and fidelities that keep a wanted correlation. The weights are
random, of one scale, but for two columns of the output's weight that are 16 times as large, as outliers in trained models are.

`--plot DIR` draws the three results there (needs matplotlib).
"""

import argparse
import pathlib

import attention
import numpy as np

import tt_jax as tt

OUTLIERS = (9, 40)
"""Columns of the output's weight."""


def arrays(batch: int, sequence: int, heads: int, head_size: int) -> dict[str, np.ndarray]:
    """Hidden states, mask and parameters by name, float32; weights and biases times 1/sqrt(hidden)."""
    rng, hidden = np.random.default_rng(0), heads * head_size

    def normal(*shape: int, scale: float = hidden**-0.5) -> np.ndarray:
        return (rng.normal(size=shape) * scale).astype(np.float32)

    mask = np.where(np.arange(sequence) < sequence - 7, 0, -1e9).astype(np.float32)
    output_weight = normal(hidden, hidden)
    output_weight[:, [i % hidden for i in OUTLIERS]] *= 16
    return {
        "hidden_states": normal(batch, sequence, hidden, scale=1.0),
        "mask": np.broadcast_to(mask, (batch, 1, 1, sequence)),
        "qkv_weight": normal(hidden, 3 * hidden),
        "qkv_bias": normal(1, 3 * hidden),
        "output_weight": output_weight,
        "output_bias": normal(1, hidden),
    }


def main() -> None:
    """Print the three results, and draw them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--sequence", type=int, default=64)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--head-size", type=int, default=32)
    parser.add_argument("--pcc", type=float, default=0.9995, help="the correlation that the search keeps")
    parser.add_argument("--plot", type=pathlib.Path, metavar="DIR", help="draw the results there")
    options = parser.parse_args()
    inputs = arrays(options.batch, options.sequence, options.heads, options.head_size)

    def program(memory, hidden_states, mask, qkv_weight, qkv_bias, output_weight, output_bias):
        parameters = attention.OptimizedParameters(qkv_weight, qkv_bias, output_weight, output_bias)
        return attention.optimized(memory, hidden_states, mask, parameters, num_heads=options.heads)

    comparison = tt.compare(program, inputs)
    explanation = tt.explain(inputs["output_weight"])
    found = tt.search(program, inputs, options.pcc)
    for title, result in (
        ("What each operation does to the values", comparison),
        ("What bfloat8_b does to the output's weight", explanation),
        (f"The cheapest setting with a correlation of {options.pcc:g}", found),
    ):
        print(f"{title}\n{'-' * len(title)}\n{result}\n")
    if options.plot:
        options.plot.mkdir(parents=True, exist_ok=True)
        for name, result in (("compare", comparison), ("explain", explanation), ("search", found)):
            result.save(options.plot / f"{name}.png")
            print(f"saved {options.plot / f'{name}.png'}")


if __name__ == "__main__":
    main()
