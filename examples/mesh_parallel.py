"""Data and tensor parallelism on a mesh, for the examples: which part of an array each chip has, and the programs that differ.

Along the mesh's rows the batch is cut; along its columns the heads, and the inner dimension of every second matrix, so that a row of
chips needs one sum after attention, and one after an MLP. What lies between two sums is one chip's own business.
"""

import argparse
import functools
from typing import Any, NamedTuple

import numpy as np
from attention import OptimizedParameters, Step, no_step, optimized, then_free
from numpy.typing import NDArray

import tt_jax as tt

Result = tuple[tt.MemoryState, tt.Tensor]

TOPOLOGIES = {"linear": tt.Topology.Linear, "ring": tt.Topology.Ring}


class Split(NamedTuple):
    """Into how many parts batches, and heads and matrices, are cut: the rows and columns of a mesh of chips."""

    rows: int
    columns: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"

    @property
    def chips(self) -> int:
        """How many there are."""
        return self.rows * self.columns

    def mapper(self, rows: int | None = None, columns: int | None = None) -> tt.MeshMapperConfig:
        """Which dimension of an array is cut over the rows of chips, and which over the columns; None for neither."""
        return tt.shard_tensor_2d_to_mesh_mapper(self, (rows, columns))

    def cut(self, array: NDArray[Any], dim: int, parts: int = 1) -> tuple[NDArray[Any], tt.MeshMapperConfig]:
        """`array`, and what cuts it along `dim` over the columns; of `parts` side by side along its last dimension each chip gets a slice
        of each."""
        if parts > 1:
            cut = array.reshape(*array.shape[:-1], parts, self.columns, -1)
            array = np.ascontiguousarray(cut.swapaxes(-3, -2)).reshape(array.shape)
        return array, self.mapper(columns=dim)

    def require(self, *, batch: int | None = None, heads: int | None = None) -> None:
        """Raise ArgumentError unless a batch divides over the rows, and heads over the columns."""
        for size, what, parts, where in ((batch, "sequences", self.rows, "rows"), (heads, "heads", self.columns, "columns")):
            if size is not None and size % parts:
                fitting = ", ".join(str(n) for n in range(1, size + 1) if size % n == 0)
                raise tt.ArgumentError(
                    f"{size} {what} do not divide over the {parts} {where} of a {self} mesh: choose one of {fitting} {where}"
                )


def mesh(text: str) -> Split:
    """What reads an argument such as "2x4"."""
    rows, _, columns = text.partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise argparse.ArgumentTypeError(f"{text!r} is no mesh: expected rows x columns of chips, such as 2x4")
    return Split(int(rows), int(columns))


def add_mesh_options(parser: argparse.ArgumentParser) -> None:
    """`--mesh` and `--topology`."""
    parser.add_argument(
        "--mesh", type=mesh, default=Split(2, 4), metavar="RxC", help="rows and columns of chips, 2x4 by default"
    )
    parser.add_argument(
        "--topology", choices=TOPOLOGIES, default="linear", help="how the chips of a row are linked, linear by default"
    )


def summed_linear(
    memory: tt.MemoryState,
    x: tt.Tensor,
    weight: tt.Tensor,
    *,
    bias: tt.Tensor,
    split: Split,
    topology: tt.Topology = tt.Topology.Linear,
    step: Step = no_step,
    **options: Any,
) -> Result:
    """`tt.linear` over an inner dimension that is cut over the columns: each chip's product, their sum along the row, the bias once.

    Each chip has all of `[..., out]` then. It is an `all_reduce` in its two halves, so that the products are freed, and the bias, of
    which each chip has its slice, is added, in between. With one column it is `tt.linear`.
    """
    if split.columns == 1:
        return tt.linear(memory, x, weight, bias=bias, **options)
    along = dict(cluster_axis=1, topology=topology)
    memory, product = tt.linear(memory, x, weight, **options)
    step("product", memory, product)
    memory, part = then_free(tt.reduce_scatter(memory, product, -1, **along), product)
    step("slice of the sum", memory, part)
    memory, part = tt.add_(memory, part, bias)
    return then_free(tt.all_gather(memory, part, -1, **along), part)


def attention(
    memory: tt.MemoryState,
    hidden_states: tt.Tensor,
    attention_mask: tt.Tensor,
    parameters: OptimizedParameters,
    *,
    num_heads: int,
    split: Split,
    topology: tt.Topology = tt.Topology.Linear,
    step: Step = no_step,
    **options: Any,
) -> Result:
    """The tutorial's optimized attention, of which each chip of a row computes its share of the `num_heads` heads.

    Args:
        hidden_states: `[batch, sequence, hidden]`, on every chip of a row the same, as is the output, bfloat16.
        attention_mask: `[batch, 1, 1, sequence]`.
        parameters: the chip's: of `[hidden, 3 * hidden / columns]`, the queries, keys and values of its heads, and
            `[hidden / columns, hidden]`, with the slice of the bias.
        options: of `optimized`.
    """
    project = functools.partial(summed_linear, split=split, topology=topology, step=step)
    heads = num_heads // split.columns
    return optimized(memory, hidden_states, attention_mask, parameters, num_heads=heads, project=project, step=step, **options)
