"""Which program the device chooses for a matmul: how it blocks the inner dimension, and what that keeps in L1.

Source: spec/memory.md sections 5.1 (choice) and 5.2 (bytes, exact for all measured cases).
"""

import math
from typing import NamedTuple

from tt_jax.compute import CoreGrid
from tt_jax.dtypes import DataType
from tt_jax.layout import TILE_SIZE


class Problem(NamedTuple):
    """A matmul in tiles: `batch_a` matrices of `m x k` by `batch_b` of `k x n`."""

    batch_a: int
    batch_b: int
    m: int
    k: int
    n: int

    @classmethod
    def of(
        cls, padded_a: tuple[int, ...], padded_b: tuple[int, ...], high: int = TILE_SIZE, wide: int = TILE_SIZE
    ) -> "Problem":
        """The problem of two padded shapes `[..., m, k]` and `[..., k, n]`, whose result has tiles `high` by `wide`."""
        batches = math.prod(padded_a[:-2]), math.prod(padded_b[:-2])
        return cls(*batches, -(-padded_a[-2] // high), -(-padded_a[-1] // TILE_SIZE), -(-padded_b[-1] // wide))


class Blocks(NamedTuple):
    """What each core works on, in tiles: `height x width` of the output, `inner` of the inner dimension at a time."""

    height: int
    width: int
    inner: int


def _largest_divisor(n: int, limit: int) -> int:
    return next(d for d in range(max(1, min(n, limit)), 0, -1) if n % d == 0)


def is_narrow(p: Problem) -> bool:
    """Whether the output is so narrow, or the problem so small, that a one-dimensional program is chosen."""
    height = p.batch_a * p.m
    return max(height, p.n) > 8 * min(height, p.n) or min(p.m, p.k, p.n) <= 1


def blocks_on_grid(p: Problem, grid: CoreGrid) -> Blocks:
    """The blocks that a matmul with a `core_grid` is cut into (batched, narrow or two-dimensional program)."""
    if p.batch_b > 1:
        return Blocks(p.m, p.n, 1)
    rows = p.batch_a * p.m
    if is_narrow(p):
        inner = _largest_divisor(p.k, -(-p.k // grid.num_cores))
        if rows > p.n:
            return Blocks(-(-rows // grid.num_cores), p.n, inner)
        return Blocks(rows, -(-p.n // grid.num_cores), inner)
    return Blocks(-(-rows // grid.y), -(-p.n // grid.x), _largest_divisor(p.k, 4))


def inner_block_by_default(p: Problem, grid: CoreGrid, all_in_dram: bool) -> int:
    """Tiles of the inner dimension per block when no `core_grid` is given."""
    if is_narrow(p) or not all_in_dram:
        return 2 if p.k % 2 == 0 else 1
    return p.k // grid.x if p.k % grid.x == 0 else 1


def partial_dtype(k: int, inner: int, out: DataType, fp32_dest: bool, packer_l1_acc: bool) -> DataType:
    """The dtype in which partial sums wait in L1, of `k` tiles taken `inner` at a time. Source: spec/numerics.md section 3.5."""
    if fp32_dest:
        return DataType.FLOAT32
    return DataType.BFLOAT16 if packer_l1_acc and k > inner else out


def _input_bytes(p: Problem, blocks: Blocks, in0: DataType, in1: DataType, bias: DataType | None) -> int:
    """Both operands, twice if there is more than one K block, and the bias."""
    copies = 2 if p.k > blocks.inner else 1
    operands = blocks.height * in0.tile_bytes + blocks.width * in1.tile_bytes
    return copies * blocks.inner * operands + (blocks.width * bias.tile_bytes if bias else 0)


def footprint_bytes(
    p: Problem, blocks: Blocks, in0: DataType, in1: DataType, out: DataType, bias: DataType | None, partial: DataType
) -> int:
    """Bytes of circular buffers per core: inputs, output, and partial sums unless they have the dtype, and so the place, of the output."""
    per_tile = out.tile_bytes + (partial.tile_bytes if partial is not out else 0)
    return _input_bytes(p, blocks, in0, in1, bias) + blocks.height * blocks.width * per_tile


def estimated_bytes(
    p: Problem, blocks: Blocks, in0: DataType, in1: DataType, out: DataType, bias: DataType | None, fp32_dest: bool
) -> int:
    """What the device's own choice of a program counts: output and partials both, always."""
    partial = DataType.FLOAT32.tile_bytes if fp32_dest else max(out.tile_bytes, DataType.BFLOAT16.tile_bytes)
    return _input_bytes(p, blocks, in0, in1, bias) + blocks.height * blocks.width * (out.tile_bytes + partial)
