"""The tutorial's attention on a mesh of chips: the batch cut over its rows, heads and weights over its columns.

Prints how far the result is from one chip's, beside the bound on that, and both from float64; what each chip keeps in DRAM and L1,
against one chip that has all; and the time of the program as one `jax.jit`. Ends with status 1 if the bound does not hold.
"""

import argparse
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import attention
import jax
import mesh_parallel
import numpy as np
from _reference import attention as reference
from _report import (
    ACCURACY_COLUMNS,
    ACCURACY_LEGEND,
    DTYPES,
    FIDELITIES,
    Accuracy,
    compute_config,
    device_parser,
    positive,
    run,
    table,
)
from mesh_parallel import TOPOLOGIES, Split
from multi_head_attention import Inputs, core_grid, draw
from numpy.typing import NDArray

import tt_jax as tt
from tt_jax.kernels import numerics

STORED = 2.0**-8
"""The largest relative error of rounding to bfloat16, whose numbers have 8 bits, to nearest."""

ADDED = STORED + 2.0**-11
"""Of a sum of two bfloat16s, relative to the sum of their magnitudes: before it is rounded, the FPU aligns the smaller to 11 bits."""

FLOAT32 = 2.0**-24

CUT = 2.0**-6
"""At LoFi and HiFi2 a product's first factor loses bits below the seventh: this much of it at most."""

ONE_CHIP = Split(1, 1)

SHOWN = {
    "linear_qkv": "qkv",
    "split_heads key": "keys",
    "matmul_qk": "scores",
    "concatenate_heads": "context",
    "product": "product",
    "slice of the sum": "slice of the sum",
    "linear_out": "output",
}
"""What is listed of the tensors on the way, by the step that makes it."""

Values = NDArray[np.float64]


class Case(NamedTuple):
    """The program for a mesh, and its arguments in DRAM."""

    split: Split
    program: Callable[..., mesh_parallel.Result]
    empty: tt.MemoryState
    memory: tt.MemoryState
    arguments: tuple[tt.Tensor, tt.Tensor, attention.OptimizedParameters]  # hidden states, mask, parameters

    @classmethod
    def of(
        cls,
        device: tt.DeviceProfile,
        split: Split,
        inputs: Inputs,
        weights: tt.DataType = tt.bfloat8_b,
        *,
        topology: tt.Topology = tt.Topology.Linear,
        **options: Any,
    ) -> "Case":
        """Matrices are placed as `weights`, the rest as bfloat16; `options` are those of `attention.optimized`."""
        split.require(batch=inputs.hidden_states.shape[0], heads=options["num_heads"])
        empty = memory = tt.MemoryState.create(device, mesh=None if split == ONE_CHIP else split)
        qkv_weight, qkv_bias, weight, bias = (np.asarray(array) for array in inputs[2:])
        tensors = []
        for (array, mapper), dtype in (
            ((inputs.hidden_states, split.mapper(rows=0)), tt.bfloat16),
            ((inputs.attention_mask, split.mapper(rows=0)), tt.bfloat16),
            (split.cut(qkv_weight, 1, parts=3), weights),
            (split.cut(qkv_bias, 1, parts=3), tt.bfloat16),
            (split.cut(weight, 0), weights),
            (split.cut(bias, 1), tt.bfloat16),
        ):
            memory, tensor = tt.from_array(memory, array, dtype=dtype, layout=tt.TILE_LAYOUT, mesh_mapper=mapper)
            tensors.append(tensor)
        x, mask, *parameters = tensors
        options |= dict(intermediate=weights)
        program = functools.partial(mesh_parallel.attention, split=split, topology=topology, **options)
        return cls(split, program, empty, memory, (x, mask, attention.OptimizedParameters(*parameters)))

    def on_chips(self, array: Any) -> Values:
        """The values of every chip, `[rows, columns, batch, sequence, width]`."""
        return np.asarray(array, np.float64).reshape(*self.split, *array.shape[-3:])


class Comparison(NamedTuple):
    """A mesh's output beside one chip's, `[batch, sequence, hidden]`.

    Attributes:
        chips: `[rows, columns, batch / rows, sequence, hidden]`, the output on each chip.
        changed: how many elements of what the heads make are not one chip's.
        strayed: the norm of that difference, of the norm of what they make.
        limit: how far each element of the output may lie from one chip's.
    """

    chips: Values
    one: Values
    changed: int
    strayed: float
    limit: Values

    @property
    def mesh(self) -> Values:
        """The first column's output."""
        return _along_batch(self.chips[:, 0])

    @property
    def is_shared(self) -> bool:
        """Whether chips of a row have the same output."""
        return bool((self.chips == self.chips[:, :1]).all())

    @property
    def used(self) -> float:
        """The largest share of its limit that the difference of an element takes."""
        return float((np.abs(self.mesh - self.one) / self.limit).max())

    @property
    def relative_limit(self) -> float:
        """The norm of all limits, of the norm of one chip's output."""
        return float(np.linalg.norm(self.limit) / np.linalg.norm(self.one))

    @property
    def is_within(self) -> bool:
        """Whether all chips of a row have one output, within its limit, of nearly the same heads."""
        return self.is_shared and self.used <= 1 and self.strayed <= STORED


def _along_batch(values: Values) -> Values:
    """What the rows of chips have, `[rows, batch, ...]`, as one array."""
    return values.reshape(-1, *values.shape[2:])


def bound(products: Values, context: Values, one_context: Values, weight: Values, bias: Values) -> Values:
    """How far an element of a mesh's output may lie from one chip's, at level "fast".

    One chip rounds its product to bfloat16, then adds the bias: 2 roundings. Each of n chips rounds its own, one of `products`
    `[n, ...]`, which takes part in at most n - 1 sums on its way along the row; then the bias is added: n + 1 roundings. None is more
    than `ADDED` of the magnitudes of all that is summed.

    Beside it both sum the K products of `context @ weight` in float32, in an order of their own: off by at most K * 2**-24 of their
    magnitudes each. Before it, such sums may have rounded another way in the heads; then what `context` differs by is projected, too.

    At level "device" the matrix unit rounds sums within a chip, too, so there are more roundings.
    """
    n, inner = len(products), weight.shape[0]
    magnitudes = np.abs(products).sum(0) / (1 - STORED) + np.abs(bias)
    roundings = ((1 + ADDED) ** (n + 1) - 1) + ((1 + ADDED) ** 2 - 1)
    larger = np.maximum(np.abs(context), np.abs(one_context))
    moved = np.where(context == one_context, 0, np.abs(context - one_context) + CUT * larger)
    return roundings * magnitudes + (2 * inner * FLOAT32 * larger + moved) @ np.abs(weight)


def compared(case: Case, alone: Case, **options: Any) -> Comparison:
    """The output of `case` and of the tutorial's own program on one chip, with `options`, for the arguments of `alone`."""
    kept: dict[str, Any] = {}
    keep = lambda name, _, tensor: kept.update({name: tensor and tensor.array})
    _, output = case.program(case.memory, *case.arguments, step=keep)
    chips, contexts = case.on_chips(output.array), case.on_chips(kept["concatenate_heads"])
    context = _along_batch(np.concatenate(list(contexts.swapaxes(0, 1)), -1))
    _, output = attention.optimized(alone.memory, *alone.arguments, step=keep, **options)
    one, one_context = (np.asarray(x, np.float64) for x in (output.array, kept["concatenate_heads"]))
    weight, bias = (np.asarray(tt.to_array(x), np.float64) for x in alone.arguments[2][2:])
    own = case.on_chips(kept["product"]) if case.split.columns > 1 else chips - bias
    products = own.swapaxes(0, 1).reshape(-1, *one.shape)
    difference = context - one_context
    strayed = float(np.linalg.norm(difference) / np.linalg.norm(one_context))
    return Comparison(
        chips, one, int(np.count_nonzero(difference)), strayed, bound(products, context, one_context, weight, bias)
    )


class Sizes(NamedTuple):
    """What a chip keeps. Bytes of tensors are over all banks."""

    tensors: dict[str, int]
    peak_l1: int  # bytes per bank
    peak_at: str  # the operation after which it is reached
    programs: int


def sizes(case: Case) -> Sizes:
    """By the plan of its program. Raises OutOfMemoryError where that does not fit."""
    specs = jax.tree.map(lambda x: x.spec, case.arguments, is_leaf=lambda x: isinstance(x, tt.Tensor))
    of = lambda *specs: sum(spec.num_pages * spec.page_size for spec in specs)
    x, mask, p = specs
    tensors = {
        "weights, in DRAM": of(p.qkv_weight, p.output_weight),
        "biases, in DRAM": of(p.qkv_bias, p.output_bias),
        "input and mask, in DRAM": of(x, mask),
    }
    keep = lambda name, _, tensor: name in SHOWN and tensors.update({SHOWN[name]: of(tensor.spec)})
    plan = tt.plan(functools.partial(case.program, step=keep), *specs, memory=case.empty)
    if plan.error is not None:
        raise plan.error
    return Sizes(tensors, plan.peak_l1, plan.steps[plan.peak_step].name, plan.programs)


class Timing(NamedTuple):
    first: float  # seconds
    next: float
    traces: int
    is_donated: bool
    output: Values  # of every chip


def timed(case: Case, inputs: Inputs) -> Timing:
    """The program as one `jax.jit`: its first call, and the median of three more. Memory and hidden states are donated to it."""
    traces = 0

    def forward(memory, x, mask, parameters):
        nonlocal traces
        traces += 1
        memory, y = case.program(memory, x, mask, parameters)
        return tt.deallocate(memory, x), y

    compiled = jax.jit(forward, donate_argnums=(0, 1))
    x, mask, parameters = case.arguments
    before = tt.deallocate(case.memory, x)
    where = dict(dtype=tt.bfloat16, layout=tt.TILE_LAYOUT, mesh_mapper=case.split.mapper(rows=0))
    seconds = []
    for _ in range(4):
        memory, x = tt.from_array(before, inputs.hidden_states, **where)
        jax.block_until_ready(x.array)
        start = time.perf_counter()
        memory, y = compiled(memory, x, mask, parameters)
        jax.block_until_ready(y.array)
        seconds.append(time.perf_counter() - start)
    return Timing(seconds[0], statistics.median(seconds[1:]), traces, x.array.is_deleted(), case.on_chips(y.array))


def report_agreement(found: Comparison, exact: Values, split: Split) -> str:
    accuracy = {
        "mesh, float64": Accuracy.of(found.mesh, exact),
        "one chip, float64": Accuracy.of(found.one, exact),
        "mesh, one chip": Accuracy.of(found.mesh, found.one),
    }
    rows = [(name, *figures.cells()) for name, figures in accuracy.items()]
    level, more = numerics.level(), split.columns - 1
    lines = [
        table("Agreement", ("of, with", *ACCURACY_COLUMNS), rows),
        ACCURACY_LEGEND,
        f"  Of {found.one.size:,} elements that the heads make, {found.changed:,} are not one chip's (relative {found.strayed:.1e}).",
        f"  Chips of a row have the same output: {found.is_shared}.",
    ]
    if level == "fast":
        lines.append(
            f"  Bound on the difference of mesh and one chip, {more} more rounding{'s' * (more != 1)} to bfloat16: relative "
            f"{found.relative_limit:.4f}; an element takes at most {found.used:.0%} of its own."
        )
    else:
        lines.append(
            f"  The bound on the difference of mesh and one chip is one for level fast; at level {level} it is not checked."
        )
    return "\n".join(lines)


def report_sizes(each: Sizes, alone: Sizes, split: Split) -> str:
    ours = each.tensors
    rows = [(name, f"{size:,}", f"{ours[name]:,}", f"{size / ours[name]:.2f}") for name, size in alone.tensors.items()]
    rows += [(name, "", f"{size:,}", "") for name, size in ours.items() if name not in alone.tensors]
    rows.append(("peak of L1, per bank", f"{alone.peak_l1:,}", f"{each.peak_l1:,}", f"{alone.peak_l1 / each.peak_l1:.2f}"))
    rows.append(("programs", f"{alone.programs}", f"{each.programs}", ""))
    return "\n".join(
        [
            table("What a chip keeps, by its plan, in bytes", ("", "one chip", f"each of {split}", "factor"), rows),
            "  Weights are cut over the columns, inputs and outputs over the rows, what lies between over both; but products that are to",
            "  be summed are as wide on each chip of a row as their sum.",
            f"  L1 is fullest after {alone.peak_at} on one chip, after {each.peak_at} on the mesh.",
        ]
    )


def report_times(meshed: Timing, alone: Timing, is_equal: bool) -> str:
    rows = [
        (name, f"{t.first:.3f}", f"{t.next:.3f}", f"{t.traces}", str(t.is_donated))
        for name, t in (("mesh", meshed), ("one chip", alone))
    ]
    title = f"Time of the simulation as one jax.jit on this machine's {jax.default_backend()}, not of the chips"
    header = ("", "first [s]", "next, median of 3 [s]", "traces", "input donated")
    return f"{table(title, header, rows)}\n  One jax.jit gives the mesh's values bit for bit: {is_equal}."


def parse() -> argparse.Namespace:
    parser = device_parser(__doc__)
    mesh_parallel.add_mesh_options(parser)
    for name, default in (("batch", 8), ("sequence", 384), ("heads", 8), ("head-size", 64)):
        parser.add_argument(f"--{name}", type=positive(int), default=default, help=f"{default} by default")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="bfloat8_b", help="of weights, and of what lies between; bfloat8_b by default"
    )
    parser.add_argument("--fidelity", choices=FIDELITIES, help="of the matmuls; by default the device's choice, LoFi")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args()


def main() -> None:
    options = parse()
    split, device, weights = options.mesh, tt.PROFILES[options.device], DTYPES[options.dtype]
    inputs = draw(options.batch, options.sequence, options.heads * options.head_size).with_scaled_weights()
    arithmetic = dict(
        num_heads=options.heads,
        core_grid=core_grid(device, options.batch),
        compute_kernel_config=compute_config(device, FIDELITIES.get(options.fidelity)),
    )
    # The mesh first: it is for its chips that JAX starts with so many devices.
    case = Case.of(device, split, inputs, weights, topology=TOPOLOGIES[options.topology], **arithmetic)
    alone = Case.of(device, ONE_CHIP, inputs, weights, **arithmetic)
    each, all_in_one = sizes(case), sizes(alone)
    print(
        f"Attention on a {split} mesh of {device.name}, {options.topology} along a row: a batch of {options.batch} over the rows, "
        f"{options.heads} heads of {options.head_size} over the columns; sequence {options.sequence}\n"
        f"Inputs: normal (seed 0), weights / sqrt(hidden). Weights and what lies between are {options.dtype}, all else bfloat16\n"
    )
    found = compared(case, alone, intermediate=weights, **arithmetic)
    exact = reference(*inputs, num_heads=options.heads).output
    print(report_agreement(found, exact, split) + "\n")
    print(report_sizes(each, all_in_one, split) + "\n")
    meshed, single = timed(case, inputs), timed(alone, inputs)
    print(report_times(meshed, single, np.array_equal(meshed.output, found.chips)))

    if options.json:
        figures = {
            "mesh": list(split),
            "relative_error": Accuracy.of(found.mesh, exact).relative_error,
            "relative_error_one_chip": Accuracy.of(found.one, exact).relative_error,
            "relative_difference": Accuracy.of(found.mesh, found.one).relative_error,
            "mean_ratio": Accuracy.of(found.mesh, found.one).mean_ratio,
            "bound": found.relative_limit,
            "bound_used": found.used,
            "changed": found.changed,
            "bytes": {name: [size, each.tensors[name]] for name, size in all_in_one.tensors.items()},
            "peak_l1_bytes_per_bank": [all_in_one.peak_l1, each.peak_l1],
            "programs": [all_in_one.programs, each.programs],
            "first_s": [single.first, meshed.first],
            "next_s": [single.next, meshed.next],
            "traces": meshed.traces,
            "donated": meshed.is_donated,
        }
        print(json.dumps(figures))
    if numerics.level() == "fast" and not found.is_within:
        sys.exit(
            f"The mesh's output is not one chip's within the bound: an element's difference takes {found.used:.2f} of its limit, what the "
            f"heads make differs by {found.strayed:.1e} (of at most {STORED:.1e}), chips of a row have the same output: {found.is_shared}"
        )


if __name__ == "__main__":
    run(main)
