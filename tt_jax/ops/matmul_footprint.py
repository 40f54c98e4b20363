"""What a matmul's program keeps in L1, by its config, and on which cores.

Source: spec/memory.md section 5.2 (measured, exact for two-dimensional and one-dimensional programs on interleaved tensors); sharded
operands, batches and the other programs from tt-metal, matmul_buffers.cpp (commit c9482b1c), the factories beside it, and
matmul_utilities.cpp (commit 001cea9a) for the estimate.
"""

from typing import NamedTuple

from tt_jax.compute import ComputeKernelConfig
from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet, num_cores_to_corerangeset
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType
from tt_jax.footprint import Footprint, footprint, work_cores
from tt_jax.layout import TILE_SIZE
from tt_jax.memory import BufferType, TensorMemoryLayout
from tt_jax.ops.matmul_program import Blocks, Problem, partial_dtype
from tt_jax.program_configs import (
    MatmulMultiCoreProgramConfig,
    MatmulMultiCoreReuseMultiCast1DProgramConfig,
    MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig,
    MatmulMultiCoreReuseMultiCastProgramConfig,
    MatmulMultiCoreReuseProgramConfig,
    MatmulProgramConfig,
)
from tt_jax.tensor import TensorSpec

_HEIGHT, _BLOCK = TensorMemoryLayout.HEIGHT_SHARDED, TensorMemoryLayout.BLOCK_SHARDED
_DEPTH = 2  # blocks of an input that a core holds: one to compute on while the next arrives


class Operands(NamedTuple):
    """What a program's bytes depend on besides its blocks. `transposed`: whether the first input is turned tile by tile."""

    a: TensorSpec
    b: TensorSpec
    out: TensorSpec
    bias: TensorSpec | None
    transposed: bool
    compute: ComputeKernelConfig


def estimated_bytes(operands: Operands, blocks: Blocks) -> int:
    """What the device's own choice of a program counts: inputs twice, output (in tiles of the first input) and partials both."""
    a, b, out, bias = operands.a, operands.b, operands.out, operands.bias
    wide = DataType.FLOAT32 if operands.compute.fp32_dest_acc_en else DataType.BFLOAT16
    partial = max(out.dtype.tile_bytes, wide.tile_bytes)
    area = blocks.height * blocks.width
    size = _DEPTH * blocks.inner * (blocks.height * a.dtype.tile_bytes + blocks.width * b.dtype.tile_bytes)
    size += area * (a.dtype.tile_bytes + partial) + (blocks.width * bias.dtype.tile_bytes if bias else 0)
    shards = a.memory_config.shard_spec
    held = blocks.height * (shards.shape[1] // TILE_SIZE if shards else 0) * a.dtype.tile_bytes
    turned = held if shards else _DEPTH * blocks.inner * blocks.height * a.dtype.tile_bytes
    return size + held + (turned if operands.transposed else 0)


def program_footprint(
    config: MatmulProgramConfig, p: Problem, operands: Operands, device: DeviceProfile, *, is_exact: bool = True
) -> Footprint | None:
    """Buffers in the order in0, in1, out, partials, bias, in0 transposed; None for what the DRAM-sharded programs and `gather_in0` keep."""
    match config:
        case MatmulMultiCoreProgramConfig():
            tiles = p.rows * p.n * (p.batch_b if p.batch_a == 1 else 1)
            pairs = [_DEPTH * spec.page_size for spec in (operands.a, operands.b, operands.out)]
            return footprint(device, pairs, work_cores(device.grid, tiles))
        case MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig():
            return None
        case MatmulMultiCoreReuseProgramConfig():
            sizes, cores = _reuse_bytes(config, p, operands, device), _reuse_cores(config, p, operands)
        case MatmulMultiCoreReuseMultiCastProgramConfig():
            sizes, cores = _two_dimensional_bytes(config, p, operands, device), _two_dimensional_cores(config, p)
        case MatmulMultiCoreReuseMultiCast1DProgramConfig():
            if config.gather_in0:
                return None
            sizes, cores = _one_dimensional_bytes(config, p, operands, device), _one_dimensional_cores(config, p, operands)
    return footprint(device, [size for size in sizes if size], cores, is_exact=is_exact)


def _tile(spec: TensorSpec, device: DeviceProfile) -> int:
    """Bytes from one tile of an input to the next: those read from DRAM keep the stride that they have there."""
    stride = 1 if spec.memory_config.is_sharded() else device.dram_alignment
    return -(-spec.page_size // stride) * stride


def _is_sharded(spec: TensorSpec, *layouts: TensorMemoryLayout) -> bool:
    return spec.memory_config.is_sharded() and (not layouts or spec.memory_config.memory_layout in layouts)


def _results(
    operands: Operands, blocks: Blocks, p: Problem, borrows: bool, apart: bool, in0: int, bias: int = 0
) -> tuple[int, ...]:
    """Output, partials, bias, and the first input transposed. Partials of the output's format share its place, unless kept `apart`."""
    compute, out = operands.compute, operands.out
    partial = partial_dtype(p.k, blocks.inner, out.dtype, compute.fp32_dest_acc_en, compute.packer_l1_acc)
    area = blocks.height * blocks.width
    is_own = apart or partial is not out.dtype
    return (
        0 if borrows else area * out.page_size,
        area * out.tile.get_tile_size(partial) if is_own else 0,
        bias,
        in0 if operands.transposed else 0,
    )


def _two_dimensional_bytes(
    config: MatmulMultiCoreReuseMultiCastProgramConfig, p: Problem, operands: Operands, device: DeviceProfile
) -> tuple[int, ...]:
    a, b, out, bias = operands.a, operands.b, operands.out, operands.bias
    blocks = Blocks(config.out_block_h or 0, config.out_block_w or 0, config.in0_block_w)
    copies = _DEPTH if (1 if config.fuse_batch else p.batch_a) * p.k > blocks.inner else 1
    in0 = copies * blocks.height * blocks.inner * _tile(a, device)
    in1 = copies * blocks.width * blocks.inner * _tile(b, device)
    b_in_place = _is_sharded(b) and not _is_sharded(b, _BLOCK) and b.memory_config.buffer_type is not BufferType.DRAM
    borrows = _is_sharded(out, _BLOCK)
    apart = borrows and blocks.height != config.per_core_M
    held = blocks.width * _tile(bias, device) if bias else 0
    return (
        0 if _is_sharded(a, _HEIGHT) else in0,
        0 if b_in_place else in1,
        *_results(operands, blocks, p, borrows, apart, in0, held),
    )


def _one_dimensional_bytes(
    config: MatmulMultiCoreReuseMultiCast1DProgramConfig, p: Problem, operands: Operands, device: DeviceProfile
) -> tuple[int, ...]:
    """One first matrix by a batch of second ones stays in L1 whole; a shard read in place is copied only where it holds several blocks."""
    a, b, out, bias = operands.a, operands.b, operands.out, operands.bias
    blocks = Blocks(config.out_block_h or 0, config.out_block_w or 0, config.in0_block_w)
    batch_a, batch_b = (1, 1) if config.fuse_batch else (p.batch_a, p.batch_b)
    steps = p.k // blocks.inner
    in0_tiles = blocks.height * blocks.inner * (_DEPTH if batch_a * steps > 1 else 1)
    a_in_place = False
    if not config.mcast_in0 and batch_a == 1 and batch_b > 1:
        in0_tiles = config.per_core_M * p.k
    elif not config.mcast_in0 and _is_sharded(a):
        shards = a.memory_config.shard_spec
        is_split = config.per_core_M > blocks.height and config.per_core_N > blocks.width
        a_in_place = not is_split and (shards is None or shards.shape[1] // TILE_SIZE <= blocks.inner)
        in0_tiles = config.per_core_M * p.k * batch_a
    in0 = in0_tiles * _tile(a, device)
    in1 = blocks.width * blocks.inner * (_DEPTH if batch_b * steps > 1 else 1) * _tile(b, device)
    apart = _is_sharded(out) and blocks.height != config.per_core_M
    borrows_bias = bias is not None and config.mcast_in0 and _is_sharded(bias)
    held = blocks.width * _tile(bias, device) if bias and not borrows_bias else 0
    return (
        0 if a_in_place else in0,
        0 if config.mcast_in0 and _is_sharded(b) else in1,
        *_results(operands, blocks, p, _is_sharded(out), apart, in0, held),
    )


def _reuse_bytes(
    config: MatmulMultiCoreReuseProgramConfig, p: Problem, operands: Operands, device: DeviceProfile
) -> tuple[int, ...]:
    a, b, out = operands.a, operands.b, operands.out
    blocks = Blocks(config.per_core_M, config.per_core_N, config.in0_block_w)
    in0 = _DEPTH * min(blocks.height, p.m) * blocks.inner * _tile(a, device)
    in1 = _DEPTH * blocks.width * blocks.inner * _tile(b, device)
    rest = _results(operands, blocks, p, _is_sharded(out), False, in0)
    return (0 if _is_sharded(a) else in0, 0 if _is_sharded(b) else in1, *rest)


def _two_dimensional_cores(config: MatmulMultiCoreReuseMultiCastProgramConfig, p: Problem) -> CoreRangeSet:
    """The rectangle of the blocks. Source: reference data, errors (measured: 1024x1024x1024 on the 13x10 cores of a P150)."""
    down = -(-(p.rows if config.fuse_batch else p.m) // config.per_core_M)
    across = -(-p.n // config.per_core_N)
    if config.transpose_mcast:
        down, across = across, down
    return CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(across - 1, down - 1))])


def _one_dimensional_cores(
    config: MatmulMultiCoreReuseMultiCast1DProgramConfig, p: Problem, operands: Operands
) -> CoreRangeSet:
    grid, shards = config.grid, operands.a.memory_config.shard_spec
    blocks = -(-(p.rows if config.fuse_batch else p.m) // config.per_core_M) * -(-p.n // config.per_core_N)
    cores = max(blocks, shards.num_cores() if shards else 0)
    return num_cores_to_corerangeset(min(cores, grid.num_cores), (grid.x, grid.y), True)


def _reuse_cores(config: MatmulMultiCoreReuseProgramConfig, p: Problem, operands: Operands) -> CoreRangeSet:
    specs = (operands.a, operands.b, operands.out)
    sharded = next((spec.memory_config.shard_spec for spec in specs if spec.memory_config.shard_spec), None)
    if sharded is not None:
        return sharded.grid
    blocks = p.rows // config.per_core_M * (p.n // config.per_core_N)
    return work_cores((config.grid.x, config.grid.y), max(1, blocks))
