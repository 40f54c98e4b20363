"""Program configs: how a matmul or an attention is cut into blocks, chosen by the caller (ttnn's classes, fields and defaults).

Values depend on a config only through its `fused_activation`, the fidelity that comes with having one (LoFi by default), and the dtype
of partial sums between blocks of the inner dimension; what fits L1 depends on all of it. `ops.matmul_program` checks them.
"""

import dataclasses
from typing import Any

from tt_jax.compute import CoreGrid
from tt_jax.errors import ArgumentError

__all__ = [
    "MatmulMultiCoreProgramConfig",
    "MatmulMultiCoreReuseMultiCast1DProgramConfig",
    "MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig",
    "MatmulMultiCoreReuseMultiCastProgramConfig",
    "MatmulMultiCoreReuseProgramConfig",
    "MatmulProgramConfig",
    "MinimalMatmulConfig",
    "SDPAProgramConfig",
    "grid_of",
]


def grid_of(value: Any, argument: str = "compute_with_storage_grid_size") -> CoreGrid:
    """A core grid from anything with `x` and `y` (a CoreCoord, a CoreGrid) or a pair `(x, y)`. Raises ArgumentError."""
    if isinstance(value, CoreGrid):
        return value
    pair = (value.x, value.y) if hasattr(value, "x") and hasattr(value, "y") else value
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(isinstance(size, int) for size in pair):
        raise ArgumentError(f"`{argument}` must be a CoreCoord, a CoreGrid or a pair (x, y), got {value!r}")
    return CoreGrid(y=pair[1], x=pair[0])


class _Config:
    """What the config classes share: fields are of the types that they are declared with."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name == "compute_with_storage_grid_size":
                if isinstance(value, list):
                    object.__setattr__(self, field.name, tuple(value))
                continue
            if field.type in (int, "int") and (not isinstance(value, int) or isinstance(value, bool)):
                raise ArgumentError(f"{type(self).__name__}: `{field.name}` must be a whole number, got {value!r}")
            if field.type in (bool, "bool") and not isinstance(value, bool):
                raise ArgumentError(f"{type(self).__name__}: `{field.name}` must be True or False, got {value!r}")

    @property
    def grid(self) -> CoreGrid:
        """The cores that the program may use."""
        return grid_of(self.compute_with_storage_grid_size)  # type: ignore[attr-defined]


class _OutputBlocks(_Config):
    """Configs with an output block per core, which is what the core computes at once: all of its share by default."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, whole in (("out_block_h", "per_core_M"), ("out_block_w", "per_core_N")):
            if getattr(self, field) is None:
                object.__setattr__(self, field, getattr(self, whole))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatmulMultiCoreReuseProgramConfig(_Config):
    """Each core computes whole output blocks on its own; for batches of matrices on both sides. Sizes are in tiles."""

    compute_with_storage_grid_size: Any
    in0_block_w: int
    out_subblock_h: int
    out_subblock_w: int
    per_core_M: int
    per_core_N: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatmulMultiCoreReuseMultiCastProgramConfig(_OutputBlocks):
    """Two-dimensional: rows of cores share the first input, columns the second. Sizes are in tiles."""

    compute_with_storage_grid_size: Any
    in0_block_w: int
    out_subblock_h: int
    out_subblock_w: int
    out_block_h: int | None = None
    out_block_w: int | None = None
    per_core_M: int
    per_core_N: int
    transpose_mcast: bool
    fused_activation: Any = None
    fuse_batch: bool = True
    allowed_worker_cores: Any = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatmulMultiCoreReuseMultiCast1DProgramConfig(_OutputBlocks):
    """One-dimensional: every core takes some columns (`mcast_in0`) or some rows of the result. Sizes are in tiles."""

    compute_with_storage_grid_size: Any
    in0_block_w: int
    out_subblock_h: int
    out_subblock_w: int
    out_block_h: int | None = None
    out_block_w: int | None = None
    per_core_M: int
    per_core_N: int
    fuse_batch: bool
    fused_activation: Any = None
    mcast_in0: bool
    gather_in0: bool = False
    hop_cores: Any = None
    num_global_cb_receivers: int = 1
    untilize_out: bool = False
    allowed_worker_cores: Any = None
    stream_in1: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig(_Config):
    """The second input is width sharded over DRAM banks and read where it lies. Sizes are in tiles."""

    in0_block_w: int
    per_core_M: int
    per_core_N: int
    fused_activation: Any = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatmulMultiCoreProgramConfig(_Config):
    """One output tile at a time, nothing reused."""


MatmulProgramConfig = (
    MatmulMultiCoreReuseProgramConfig
    | MatmulMultiCoreReuseMultiCastProgramConfig
    | MatmulMultiCoreReuseMultiCast1DProgramConfig
    | MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig
    | MatmulMultiCoreProgramConfig
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MinimalMatmulConfig(_Config):
    """Blocks of `experimental.minimal_matmul`, in tiles."""

    M_block_size: int = 1
    K_block_size: int = 1
    N_block_size: int = 1
    subblock_h: int = 1
    subblock_w: int = 1
    compute_with_storage_grid_size: Any = (1, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SDPAProgramConfig(_Config):
    """Blocks of attention: chunks of queries and keys, in elements (0: the program chooses).

    `exp_approx_mode` selects the fast exponential; None leaves it to the default, which is fast.
    """

    compute_with_storage_grid_size: Any
    sub_core_grids: Any = None
    q_chunk_size: Any = 0
    k_chunk_size: Any = 0
    exp_approx_mode: bool | None = None
    max_cores_per_head_batch: int = 16
