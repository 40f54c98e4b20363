"""Which program the device chooses for a matmul that names none, as the program config that would ask for it.

Source: spec/memory.md section 5.1; tt-metal, matmul_program_config.cpp (commit 001cea9a). Block sizes shrink until they fit: `fits`
says whether blocks do, by the device's own estimate against the L1 that is free. Subblocks, on which no bytes depend, are 1x1 here.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from tt_jax.compute import CoreGrid
from tt_jax.dtypes import DataType
from tt_jax.layout import TILE_SIZE
from tt_jax.memory import BufferType, MemoryConfig, ShardOrientation, TensorMemoryLayout
from tt_jax.program_configs import (
    MatmulMultiCoreProgramConfig,
    MatmulMultiCoreReuseMultiCast1DProgramConfig,
    MatmulMultiCoreReuseMultiCastProgramConfig,
    MatmulMultiCoreReuseProgramConfig,
    MatmulProgramConfig,
)

_LARGEST_RATIO = 8
_BLOCKED = TensorMemoryLayout.BLOCK_SHARDED


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

    @property
    def rows(self) -> int:
        """Tiles along the height of all first matrices."""
        return self.batch_a * self.m


class Blocks(NamedTuple):
    """What each core works on, in tiles: `height x width` of the output, `inner` of the inner dimension at a time."""

    height: int
    width: int
    inner: int


class Placements(NamedTuple):
    """Where the first input, the second and the output lie."""

    a: MemoryConfig
    b: MemoryConfig
    out: MemoryConfig

    @property
    def are_interleaved(self) -> bool:
        """Whether none is sharded."""
        return not any(config.is_sharded() for config in self)

    @property
    def are_in_dram(self) -> bool:
        """Whether all are interleaved in DRAM."""
        return self.are_interleaved and all(config.buffer_type is BufferType.DRAM for config in self)


Fits = Callable[[Blocks], bool]


def uncut(blocks: Blocks) -> bool:
    """A `Fits` for endless L1."""
    del blocks
    return True


def chosen_config(
    p: Problem, placements: Placements, core_grid: CoreGrid | None, device_grid: CoreGrid, fits: Fits
) -> MatmulProgramConfig | None:
    """The program config of a matmul on `core_grid` (which fits `device_grid`), or with no grid given.

    None where it is not known: an empty matmul, an input with shards of more dimensions or of smaller tiles, a sharded second input in
    a batch, a sharded output of interleaved inputs without a core grid.
    """
    shards = [config.shard_spec for config in placements[:2] if config.is_sharded()]
    if not math.prod(p) or any(spec is None or min(spec.shape) < TILE_SIZE for spec in shards):
        return None
    if core_grid is not None:
        return _on_grid(p, placements, core_grid, device_grid, fits)
    if not placements.a.is_sharded():
        return _by_default(p, placements, device_grid, device_grid, fits)
    return _along_shards(p, placements, device_grid, fits)


def blocks_on_grid(p: Problem, grid: CoreGrid) -> Blocks:
    """The output of each core, and the inner block, of a matmul of interleaved tensors with a `core_grid`."""
    if p.batch_b > 1:
        return Blocks(p.m, p.n, 1)
    if not _is_narrow(p.rows, p.n) and min(p.m, p.k, p.n) > 1:
        return Blocks(-(-p.rows // grid.y), -(-p.n // grid.x), _largest_divisor(p.k, 4))
    return _systolic_blocks(p, grid, is_tall=p.rows > p.n)


def _on_grid(
    p: Problem, placements: Placements, grid: CoreGrid, device_grid: CoreGrid, fits: Fits
) -> MatmulProgramConfig | None:
    layout, shards = placements.a.memory_layout, placements.a.shard_spec
    if p.batch_b > 1:
        if shards is not None or placements.b.is_sharded():
            return None
        if p.batch_a == 1:
            return _by_lines(p, grid, fits, is_tall=True)
        blocks = blocks_on_grid(p, grid)
        return _reuse(grid, blocks) if fits(blocks) else _by_default(p, placements, grid, device_grid, fits)
    if shards is not None and layout is _BLOCKED:
        high, wide = shards.shape[0] // TILE_SIZE, shards.shape[1] // TILE_SIZE
        blocks = Blocks(high, max(1, p.n * wide // p.k), math.gcd(wide, p.k))
        return _two_dimensional(grid, blocks, fits, transpose_mcast=shards.orientation is ShardOrientation.COL_MAJOR)
    if shards is not None or _is_narrow(p.rows, p.n) or min(p.m, p.k, p.n) <= 1:
        tall = layout is TensorMemoryLayout.HEIGHT_SHARDED or (shards is None and p.rows > p.n)
        return _one_dimensional(grid, _systolic_blocks(p, grid, is_tall=tall), fits, is_tall=tall, fuse_batch=True)
    return _two_dimensional(grid, blocks_on_grid(p, grid), fits)


def _by_default(
    p: Problem, placements: Placements, grid: CoreGrid, device_grid: CoreGrid, fits: Fits
) -> MatmulProgramConfig | None:
    """Measured: everything in DRAM is cut over the whole grid unless it is narrow, even where the source would take one dimension."""
    if not placements.are_interleaved:
        return None
    if p.batch_a == 1 and p.batch_b > 1:
        return _by_lines(p, grid, fits, is_tall=True)
    side = next((side for side in (16, 8, 4, 2) if fits(Blocks(side, side, 2))), 1)
    high, wide = -(-p.m // side), -(-p.n // side)
    inner = _pair(p.k) if high * wide > 1 else 2
    if not placements.are_in_dram and (high * wide > grid.num_cores or p.k % inner):
        return MatmulMultiCoreProgramConfig()
    if _is_narrow(p.m, p.n) or (placements.are_in_dram and min(p.m, p.n) <= 1):
        return _by_lines(p, device_grid, fits, is_tall=p.m >= p.n)
    if placements.are_in_dram:
        whole = Blocks(-(-p.m // grid.y), -(-p.n // grid.x), p.k // grid.x if p.k % grid.x == 0 else 1)
        return _two_dimensional(grid, whole, fits, cut_inner=True, fuse_batch=False)
    if high * wide == 1 or high > grid.y or wide > grid.x:
        return MatmulMultiCoreProgramConfig()
    if high == 1 or wide == 1:
        return _by_lines(p, device_grid, fits, is_tall=high > 1)
    return _two_dimensional(grid, Blocks(side, side, inner), uncut, fuse_batch=False)


def _by_lines(p: Problem, grid: CoreGrid, fits: Fits, *, is_tall: bool) -> MatmulProgramConfig:
    blocks = _rows_or_columns(p.m, p.n, grid, _pair(p.k), is_tall=is_tall)
    return _one_dimensional(grid, blocks, fits, is_tall=is_tall, fuse_batch=False)


def _along_shards(p: Problem, placements: Placements, device_grid: CoreGrid, fits: Fits) -> MatmulProgramConfig | None:
    layout, shards = placements.a.memory_layout, placements.a.shard_spec
    assert shards is not None
    size = shards.grid.bounding_box().grid_size()
    grid = CoreGrid(y=size.y, x=size.x)
    high, wide = shards.shape[0] // TILE_SIZE, shards.shape[1] // TILE_SIZE
    if p.batch_b > 1:
        return _reuse(grid, Blocks(high, p.n, wide)) if layout is not TensorMemoryLayout.WIDTH_SHARDED else None
    if placements.b.is_sharded():
        return None
    if layout is _BLOCKED and grid.x > 1 and grid.y > 1:
        turned = shards.orientation is ShardOrientation.COL_MAJOR
        across, down = (grid.y, grid.x) if turned else (grid.x, grid.y)
        inner = math.gcd(wide, p.k) if across == p.k // wide else 1
        return _two_dimensional(grid, Blocks(-(-p.rows // down), -(-p.n // across), inner), fits, transpose_mcast=turned)
    if layout is not _BLOCKED and grid.num_cores > 1:
        tall = layout is TensorMemoryLayout.HEIGHT_SHARDED
        columns = -(-p.n // shards.grid.num_cores())
        blocks = Blocks(high, p.n, p.k) if tall else Blocks(p.rows, columns, math.gcd(wide, p.k))
        return _one_dimensional(grid, blocks, fits, is_tall=tall, fuse_batch=True)
    return _on_grid(p, placements, device_grid, device_grid, fits)


def is_one_line(p: Problem, placements: Placements, config: MatmulProgramConfig) -> bool:
    """Whether `config`, chosen without a core grid, is one-dimensional only because square blocks make one row or column."""
    is_broadcast = p.batch_a == 1 and p.batch_b > 1
    by_lines = isinstance(config, MatmulMultiCoreReuseMultiCast1DProgramConfig) and placements.are_interleaved
    return by_lines and not (placements.are_in_dram or is_broadcast or _is_narrow(p.m, p.n))


def _is_narrow(rows: int, columns: int) -> bool:
    return max(rows, columns) // max(1, min(rows, columns)) > _LARGEST_RATIO


def _largest_divisor(n: int, limit: int) -> int:
    return next(d for d in range(max(1, min(n, limit)), 0, -1) if n % d == 0)


def _pair(k: int) -> int:
    return 2 if k % 2 == 0 else 1


def _rows_or_columns(rows: int, columns: int, grid: CoreGrid, inner: int, *, is_tall: bool) -> Blocks:
    if is_tall:
        return Blocks(-(-rows // grid.num_cores), columns, inner)
    return Blocks(rows, -(-columns // grid.num_cores), inner)


def _systolic_blocks(p: Problem, grid: CoreGrid, *, is_tall: bool) -> Blocks:
    inner = _largest_divisor(p.k, -(-p.k // grid.num_cores))
    return _rows_or_columns(p.rows, p.n, grid, inner, is_tall=is_tall)


def cut(blocks: Blocks, fits: Fits, *, cut_inner: bool = False) -> Blocks:
    """The largest output block that fits, of sides that divide those of `blocks`; the squarest of those of an area.

    The inner block gives way last, if it may. One tile by one where nothing fits.
    """
    if fits(blocks):
        return blocks
    squarest: dict[int, tuple[int, int]] = {}
    for high in _sides(blocks.height):
        for wide in _sides(blocks.width):
            other = squarest.get(high * wide)
            if other is None or max(high, wide) / min(high, wide) <= max(other) / min(other):
                squarest[high * wide] = high, wide
    inners = [d for d in range(blocks.inner, 0, -1) if blocks.inner % d == 0] if cut_inner else [blocks.inner]
    candidates = (Blocks(*squarest[area], inner) for inner in inners for area in sorted(squarest, reverse=True))
    return next(filter(fits, candidates), Blocks(1, 1, 1))


def _sides(n: int) -> list[int]:
    """Divisors of `n` in the order in which the device tries them: of two that are as square, the later one stays."""
    return [n, 1, *(d for d in range(n // 2, 1, -1) if n % d == 0)]


def _reuse(grid: CoreGrid, blocks: Blocks) -> MatmulMultiCoreReuseProgramConfig:
    return MatmulMultiCoreReuseProgramConfig(
        compute_with_storage_grid_size=grid,
        in0_block_w=blocks.inner,
        out_subblock_h=1,
        out_subblock_w=1,
        per_core_M=blocks.height,
        per_core_N=blocks.width,
    )


def _two_dimensional(
    grid: CoreGrid,
    blocks: Blocks,
    fits: Fits,
    *,
    cut_inner: bool = False,
    transpose_mcast: bool = False,
    fuse_batch: bool = True,
) -> MatmulMultiCoreReuseMultiCastProgramConfig:
    part = cut(blocks, fits, cut_inner=cut_inner)
    return MatmulMultiCoreReuseMultiCastProgramConfig(
        compute_with_storage_grid_size=grid,
        in0_block_w=part.inner if cut_inner else blocks.inner,
        out_subblock_h=1,
        out_subblock_w=1,
        out_block_h=part.height,
        out_block_w=part.width,
        per_core_M=blocks.height,
        per_core_N=blocks.width,
        transpose_mcast=transpose_mcast,
        fuse_batch=fuse_batch,
    )


def _one_dimensional(
    grid: CoreGrid, blocks: Blocks, fits: Fits, *, is_tall: bool, fuse_batch: bool
) -> MatmulMultiCoreReuseMultiCast1DProgramConfig:
    part = cut(blocks, fits)
    return MatmulMultiCoreReuseMultiCast1DProgramConfig(
        compute_with_storage_grid_size=grid,
        in0_block_w=blocks.inner,
        out_subblock_h=1,
        out_subblock_w=1,
        out_block_h=part.height,
        out_block_w=part.width,
        per_core_M=blocks.height,
        per_core_N=blocks.width,
        fuse_batch=fuse_batch,
        mcast_in0=not is_tall,
    )


def partial_dtype(k: int, inner: int, out: DataType, fp32_dest: bool, packer_l1_acc: bool) -> DataType:
    """The dtype in which partial sums wait in L1, of `k` tiles taken `inner` at a time. Source: spec/numerics.md section 3.5."""
    if fp32_dest:
        return DataType.FLOAT32
    return DataType.BFLOAT16 if packer_l1_acc and k > inner else out
