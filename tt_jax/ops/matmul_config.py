"""What a matmul's program config must satisfy, and the blocks it stands for. Source: spec/memory.md section 5.4 (measured)."""

import math

from tt_jax.activations import UnaryWithParam, as_activation
from tt_jax.compute import CoreGrid
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.ops.matmul_program import Blocks, Problem
from tt_jax.program_configs import (
    MatmulMultiCoreProgramConfig,
    MatmulMultiCoreReuseMultiCast1DProgramConfig,
    MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig,
    MatmulMultiCoreReuseMultiCastProgramConfig,
    MatmulMultiCoreReuseProgramConfig,
    MatmulProgramConfig,
)

_TWO_DIMENSIONAL = MatmulMultiCoreReuseMultiCastProgramConfig
_ONE_DIMENSIONAL = MatmulMultiCoreReuseMultiCast1DProgramConfig
_MULTICAST = (_TWO_DIMENSIONAL, _ONE_DIMENSIONAL, MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig)


def blocks_of(config: MatmulProgramConfig, problem: Problem) -> Blocks:
    """What a core works on at once. One that takes an output tile at a time has all of the inner dimension in one block."""
    match config:
        case MatmulMultiCoreProgramConfig():
            return Blocks(1, 1, problem.k)
        case MatmulMultiCoreReuseMultiCastProgramConfig() | MatmulMultiCoreReuseMultiCast1DProgramConfig():
            return Blocks(config.out_block_h or config.per_core_M, config.out_block_w or config.per_core_N, config.in0_block_w)
        case _:
            return Blocks(config.per_core_M, config.per_core_N, config.in0_block_w)


def adds_bias(config: MatmulProgramConfig) -> bool:
    """Whether the program adds a bias itself: those that share inputs between cores do (read in source)."""
    return isinstance(config, _MULTICAST)


def fused_activation(operation: str, config: MatmulProgramConfig | None) -> UnaryWithParam | None:
    """The activation that a config asks its program for, None if it has none. A tuple is a function and its parameters."""
    value = getattr(config, "fused_activation", None)
    if value is None:
        return None
    return as_activation(operation, UnaryWithParam(value) if isinstance(value, tuple) else value)


def check_config(
    config: MatmulProgramConfig, problem: Problem, device_grid: CoreGrid, fp32_dest: bool, *, sharded: bool
) -> None:
    """Raise ArgumentError unless `config` fits `problem` and the device; NotModelledError for an output that is untilized.

    `sharded`: whether a tensor of the call is; then the shards say which core has what, and blocks are not counted here.
    """
    name = type(config).__name__
    if isinstance(config, MatmulMultiCoreProgramConfig):
        return
    for field in ("in0_block_w", "out_subblock_h", "out_subblock_w", "out_block_h", "out_block_w", "per_core_M", "per_core_N"):
        if getattr(config, field, 1) < 1:
            raise ArgumentError(f"{name}: {field} must be greater than 0!")
    if problem.k % config.in0_block_w:
        raise ArgumentError(
            f"{name}: the inner dimension, Kt ({problem.k}) tiles, must be divisible by in0_block_w ({config.in0_block_w})"
        )
    if isinstance(config, MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig):
        return
    grid = config.grid
    if grid.x > device_grid.x or grid.y > device_grid.y:
        raise ArgumentError(
            f"{name}: compute_with_storage_grid_size ({grid.x}, {grid.y}) must fit within device grid ({device_grid.x}, {device_grid.y})"
        )
    _check_subblocks(name, config, 4 if fp32_dest else 8)
    rows = problem.batch_a * problem.m if getattr(config, "fuse_batch", True) else problem.m
    high, wide = math.ceil(rows / config.per_core_M), math.ceil(problem.n / config.per_core_N)
    match config:
        case MatmulMultiCoreReuseProgramConfig():
            _check_reuse(name, config, problem)
        case MatmulMultiCoreReuseMultiCast1DProgramConfig():
            if config.untilize_out:
                raise NotModelledError(f"{name}: untilize_out is not modelled; use to_layout after the matmul")
            if not sharded and not config.gather_in0 and high * wide > grid.num_cores:
                raise ArgumentError(
                    f"{name}: number of blocks exceeds number of cores: {high * wide} blocks > {grid.num_cores} cores"
                )
        case MatmulMultiCoreReuseMultiCastProgramConfig():
            if config.transpose_mcast:
                high, wide = wide, high
            for axis, blocks, lines, size in (("y", high, "rows", grid.y), ("x", wide, "columns", grid.x)):
                if blocks > size:
                    raise ArgumentError(
                        f"{name}: number of output blocks along {axis} ({blocks}) must be at most the number of {lines} in the "
                        f"compute grid ({size}): enlarge per_core_M or per_core_N, or the grid"
                    )


def _check_subblocks(
    name: str,
    config: MatmulMultiCoreReuseProgramConfig
    | MatmulMultiCoreReuseMultiCastProgramConfig
    | MatmulMultiCoreReuseMultiCast1DProgramConfig,
    most: int,
) -> None:
    for side, per_core in (("h", "per_core_M"), ("w", "per_core_N")):
        whole, sub = getattr(config, per_core), getattr(config, f"out_subblock_{side}")
        block = getattr(config, f"out_block_{side}", whole)
        if whole % block:
            raise ArgumentError(f"{name}: {per_core} ({whole}) must be divisible by out_block_{side} ({block})")
        if block % sub:
            raise ArgumentError(f"{name}: out_block_{side} ({block}) must be divisible by out_subblock_{side} ({sub})")
    if config.out_subblock_h * config.out_subblock_w > most:
        raise ArgumentError(
            f"{name}: out_subblock_w {config.out_subblock_w} times out_subblock_h {config.out_subblock_h} must be at most {most}, "
            "the tiles that the destination register holds"
        )


def _check_reuse(name: str, config: MatmulMultiCoreReuseProgramConfig, problem: Problem) -> None:
    rows = problem.batch_a * problem.m
    if rows % config.per_core_M:
        raise ArgumentError(f"{name}: B * Mt ({rows}) must be divisible by per_core_M ({config.per_core_M})")
    if problem.n % config.per_core_N:
        raise ArgumentError(f"{name}: Nt ({problem.n}) must be divisible by per_core_N ({config.per_core_N})")
