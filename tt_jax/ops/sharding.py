"""Changes of placement: between interleaved and sharded memory, between shards, and within a memory."""

import math
from typing import Any, NamedTuple

from jax import Array

from tt_jax.cores import CoreCoord, CoreRangeSet, num_cores_to_corerangeset
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.kernels.convert import convert
from tt_jax.layout import Layout
from tt_jax.memory import (
    DRAM_MEMORY_CONFIG,
    BufferType,
    MemoryConfig,
    MemoryState,
    ShardOrientation,
    ShardSpec,
    TensorMemoryLayout,
)
from tt_jax.ops._arguments import require_flags, require_options
from tt_jax.ops._movement_footprint import copy_footprint, shard_footprint
from tt_jax.program import Operation, active_cache, free, launch, require_live, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.tile import DEFAULT_TILE

__all__ = [
    "interleaved_to_sharded",
    "reallocate",
    "reshard",
    "sharded_to_interleaved",
    "to_memory_config",
]


class _Target(NamedTuple):
    """What a copy is to become."""

    spec: TensorSpec


def _kernel(attributes: _Target, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (convert(x, specs[0].dtype.kernel_name, attributes.spec.dtype.kernel_name),)


def rows_of(shape: tuple[int, ...]) -> int:
    """Rows of a tensor as a matrix: all dimensions but the last."""
    return math.prod(shape[:-1])


def _target(attributes: _Target, specs: Any) -> tuple[TensorSpec, ...]:
    return (attributes.spec,)


_COPY = Operation("copy", _target, _kernel, footprint=lambda to, specs, device: copy_footprint(specs[0], to.spec, device))
_MOVE = Operation("move", _target, _kernel, moves=True)
_TO_SHARDED = Operation(
    "interleaved_to_sharded", _target, _kernel, footprint=lambda to, specs, device: shard_footprint(to.spec, specs[0], device)
)
_TO_INTERLEAVED = Operation(
    "sharded_to_interleaved", _target, _kernel, footprint=lambda to, specs, device: shard_footprint(specs[0], to.spec, device)
)
_RESHARD = Operation("reshard", _target, _kernel)


def _run(
    operation: Operation, memory: MemoryState, x: Tensor, spec: TensorSpec, output: Tensor | None = None
) -> tuple[MemoryState, Tensor]:
    memory, (y,) = launch(memory, operation, (x,), _Target(spec), output)
    return memory, y


def _is_dram_block(config: MemoryConfig) -> bool:
    return config.memory_layout is TensorMemoryLayout.BLOCK_SHARDED and config.buffer_type is BufferType.DRAM


_NO_DRAM_BLOCKS = "block sharding in DRAM is not supported, whose banks form one row: use HEIGHT_SHARDED, WIDTH_SHARDED or L1"


def _unaligned(spec: TensorSpec) -> bool:
    """Whether a ROW_MAJOR shard has rows that are no multiple of L1's 16 bytes."""
    return spec.layout is Layout.ROW_MAJOR and spec.page_size % 16 != 0


def _refuse_conversion(spec: TensorSpec, target: TensorSpec) -> str | None:
    if spec.dtype is not target.dtype and spec.layout is not Layout.TILE:
        return f"only a TILE tensor can change its dtype on the way ({spec} to {target.dtype.kernel_name}); use typecast"
    if spec.tile != DEFAULT_TILE:
        return f"tiles must be 32x32, got {spec.tile}"
    return None


def refuse_to_sharded(spec: TensorSpec, target: TensorSpec) -> str | None:
    """Why interleaved_to_sharded cannot make `target` from `spec`, None if it can."""
    config = target.memory_config
    if spec.memory_config.is_sharded():
        return f"the input must be interleaved, got {spec}; use reshard or to_memory_config"
    if not config.is_sharded():
        return f"the output's memory config must be sharded, got {config}; use to_memory_config"
    if config.memory_layout is TensorMemoryLayout.ND_SHARDED:
        return "a shard spec of more than two dimensions is not supported; use to_memory_config"
    if _is_dram_block(config):
        return _NO_DRAM_BLOCKS
    if _unaligned(target):
        return f"a row of a shard has {target.page_size} B, which must be a multiple of 16"
    return _refuse_conversion(spec, target)


def refuse_to_interleaved(spec: TensorSpec, target: TensorSpec) -> str | None:
    """Why sharded_to_interleaved cannot make `target` from `spec`, None if it can."""
    if spec.memory_config.buffer_type is not BufferType.L1:
        return f"the input must be in L1, got {spec}; use to_memory_config"
    if target.memory_config.is_sharded():
        return f"the output's memory config must be interleaved, got {target.memory_config}; use reshard"
    if spec.memory_config.memory_layout is TensorMemoryLayout.ND_SHARDED:
        return "a shard spec of more than two dimensions is not supported; use to_memory_config"
    if _unaligned(spec):
        return f"a row of a shard has {spec.page_size} B, which must be a multiple of 16"
    return _refuse_conversion(spec, target)


def _refuse_reshard(spec: TensorSpec, target: TensorSpec, device: DeviceProfile) -> str | None:
    """Why reshard cannot make `target` from `spec`, None if it can."""
    before, after = spec.memory_config, target.memory_config
    if not before.is_sharded():
        return f"the input must be sharded, got {spec}; use interleaved_to_sharded"
    if not after.is_sharded():
        return f"the output's memory config must be sharded, got {after}; use sharded_to_interleaved"
    if _is_dram_block(before) or _is_dram_block(after):
        return _NO_DRAM_BLOCKS
    in_dram = [config.buffer_type is BufferType.DRAM for config in (before, after)]
    kind = before.memory_layout if before.memory_layout is after.memory_layout else None
    by_rows = kind is TensorMemoryLayout.HEIGHT_SHARDED and not all(in_dram)
    if spec.layout is Layout.ROW_MAJOR and not by_rows and not all(in_dram):
        if spec.page_size != spec.aligned_page_size(device) or _unaligned(target):
            return f"rows of the shards have {spec.page_size} and {target.page_size} B, which must be multiples of 16, in DRAM of 32 or 64"
    if before.shard_spec is None or after.shard_spec is None:
        keeps_pages = True
    elif kind in (TensorMemoryLayout.HEIGHT_SHARDED, TensorMemoryLayout.WIDTH_SHARDED):
        keeps_pages = all(in_dram)
    else:
        keeps_pages = in_dram[1]
    if keeps_pages and (spec.num_pages, spec.page_size) != (target.num_pages, target.page_size):
        return (
            f"the pages must stay as they are, got {spec.num_pages} of {spec.page_size} B and "
            f"{target.num_pages} of {target.page_size} B; use to_memory_config"
        )
    return None


def require_possible(operation: str, refusal: str | None) -> None:
    """Raise ArgumentError for a `refusal`, if there is one."""
    if refusal:
        raise ArgumentError(f"{operation}: {refusal}")


def shards_on_grid(
    operation: str, grid: Any, shard_shape: Any, scheme: Any, orientation: Any, height: int, width: int
) -> MemoryConfig:
    """The L1 memory config of shards of `shard_shape` over `height x width` on a grid, of which a CoreCoord gives the size."""
    if isinstance(grid, CoreCoord | tuple | list):
        grid = CoreCoord.of(grid)
        shard_height, shard_width = ShardSpec(CoreRangeSet(), shard_shape, orientation).shape
        if shard_height < 1 or shard_width < 1:
            raise ArgumentError(f"{operation}: `shard_shape` must be positive, got {(shard_height, shard_width)}")
        rows, columns = -(-height // shard_height), -(-width // shard_width)
        count = {
            TensorMemoryLayout.HEIGHT_SHARDED: rows,
            TensorMemoryLayout.WIDTH_SHARDED: columns,
            TensorMemoryLayout.BLOCK_SHARDED: rows * columns,
        }
        if scheme not in count:
            raise ArgumentError(f"{operation}: `shard_scheme` must be HEIGHT_, WIDTH_ or BLOCK_SHARDED, got {scheme!r}")
        row_wise = orientation is ShardOrientation.ROW_MAJOR
        grid = num_cores_to_corerangeset(count[scheme], grid, row_wise)
    elif not isinstance(grid, CoreRangeSet):
        raise ArgumentError(f"{operation}: `grid` must be a CoreCoord (its size) or a CoreRangeSet, got {grid!r}")
    return MemoryConfig(scheme, BufferType.L1, ShardSpec(grid, shard_shape, orientation))


def interleaved_to_sharded(
    memory: MemoryState,
    input_tensor: Tensor,
    *placement: Any,
    grid: CoreCoord | CoreRangeSet | None = None,
    shard_shape: tuple[int, int] | list[int] | None = None,
    shard_scheme: TensorMemoryLayout | None = None,
    shard_orientation: ShardOrientation | None = None,
    sharded_memory_config: MemoryConfig | None = None,
    output_dtype: DataType | None = None,
    keep_l1_aligned: bool = False,
    preallocated_output: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """A copy of an interleaved tensor in shards.

    `placement` is `(sharded_memory_config, output_dtype)`, or `(grid, shard_shape, shard_scheme, shard_orientation,
    output_dtype)` for L1; the dtype may be left out, and each may be given by name. A `grid` that is a CoreCoord is the size
    of a grid, of which as many cores are taken as there are shards. `keep_l1_aligned` has no effect on the result.

    Raises ArgumentError for an input that is sharded, a config that is not, one that does not fit the tensor or the device,
    ROW_MAJOR shards with rows of other than whole 16 bytes, and a change of dtype in ROW_MAJOR layout.
    """
    name = "interleaved_to_sharded"
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    by_config = sharded_memory_config is not None or (placement and isinstance(placement[0], MemoryConfig))
    config_names = ("sharded_memory_config",) if by_config else ("grid", "shard_shape", "shard_scheme", "shard_orientation")
    names = (*config_names, "output_dtype")
    given = {
        "grid": grid,
        "shard_shape": shard_shape,
        "shard_scheme": shard_scheme,
        "shard_orientation": shard_orientation,
        "sharded_memory_config": sharded_memory_config,
        "output_dtype": output_dtype,
    }
    if len(placement) > len(names):
        raise ArgumentError(f"{name}: takes at most {', '.join(names)} after the tensor, got {len(placement)} arguments")
    for argument, value in zip(names, placement, strict=False):
        if given[argument] is not None:
            raise ArgumentError(f"{name}: `{argument}` is given twice")
        given[argument] = value
    dtype = given.pop("output_dtype")
    missing = [argument for argument in config_names if given[argument] is None]
    surplus = [argument for argument, value in given.items() if value is not None and argument not in names]
    if missing or surplus:
        raise ArgumentError(
            f"{name}: pass a sharded memory config, or grid, shard_shape, shard_scheme and shard_orientation; "
            f"missing: {', '.join(missing) or 'none'}; not to be combined: {', '.join(surplus) or 'none'}"
        )
    require_options(name, dtype=dtype)
    require_flags(name, keep_l1_aligned=keep_l1_aligned)
    require_live(name, memory, x)
    config = given["sharded_memory_config"]
    if config is None:
        height, width = rows_of(x.padded_shape), x.padded_shape[-1]
        shape = given["shard_shape"]
        config = shards_on_grid(name, given["grid"], shape, given["shard_scheme"], given["shard_orientation"], height, width)
    require_options(name, memory_config=config)
    target = x.spec.replace(memory_config=config, dtype=dtype or x.dtype)
    require_possible(name, refuse_to_sharded(x.spec, target))
    return _run(_TO_SHARDED, memory, x, target, preallocated_output)


def sharded_to_interleaved(
    memory: MemoryState,
    input_tensor: Tensor,
    memory_config: MemoryConfig | None = None,
    output_dtype: DataType | None = None,
    *,
    is_l1_aligned: bool = False,
) -> tuple[MemoryState, Tensor]:
    """A copy of a tensor sharded in L1 as an interleaved one, in DRAM by default; an interleaved tensor is returned itself.

    `is_l1_aligned` has no effect on the result. Where the last shard of a ROW_MAJOR tensor is padded, the device keeps the
    padding in the interleaved rows; here they have their logical width.

    Raises ArgumentError for an input that is not in L1, a config that is sharded, ROW_MAJOR shards with rows of other than
    whole 16 bytes, and a change of dtype in ROW_MAJOR layout.
    """
    name = "sharded_to_interleaved"
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, memory_config=memory_config, dtype=output_dtype)
    require_flags(name, is_l1_aligned=is_l1_aligned)
    require_live(name, memory, x)
    if not x.memory_config.is_sharded():
        return memory, x
    target = x.spec.replace(memory_config=memory_config or DRAM_MEMORY_CONFIG, dtype=output_dtype or x.dtype)
    require_possible(name, refuse_to_interleaved(x.spec, target))
    return _run(_TO_INTERLEAVED, memory, x, target)


def reshard(
    memory: MemoryState, input_tensor: Tensor, output_memory_config: MemoryConfig, output_tensor: Tensor | None = None
) -> tuple[MemoryState, Tensor]:
    """A copy of a sharded tensor in other shards.

    Raises ArgumentError if either side is interleaved or block sharded in DRAM, or where ROW_MAJOR rows of shards are no
    whole 16 bytes (from height to height sharded they may be).
    """
    name = "reshard"
    require_memory(name, memory)
    x = require_tensor(name, "input_tensor", input_tensor)
    if output_memory_config is None:
        raise ArgumentError("reshard: `output_memory_config` is None; pass a sharded memory config")
    require_options(name, memory_config=output_memory_config)
    require_live(name, memory, x)
    target = x.spec.replace(memory_config=output_memory_config)
    require_possible(name, _refuse_reshard(x.spec, target, memory.device))
    return _run(_RESHARD, memory, x, target, output_tensor)


def to_memory_config(
    memory: MemoryState,
    tensor: Tensor,
    memory_config: MemoryConfig,
    dtype: DataType | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """A copy of `tensor` placed by `memory_config`; the same tensor, sharing its buffer, if it lies there already in that dtype.

    Runs the device's interleaved_to_sharded, sharded_to_interleaved or reshard where they apply, else its copy; ROW_MAJOR
    tensors whose shards change both width and kind go through interleaved DRAM, in two programs.

    Raises ArgumentError for a config that does not fit the tensor or the device, and for block shards in DRAM.
    """
    name = "to_memory_config"
    require_memory(name, memory)
    x = require_tensor(name, "tensor", tensor)
    if memory_config is None:
        raise ArgumentError(
            "to_memory_config: `memory_config` is None; pass where the tensor is to lie, such as tt.L1_MEMORY_CONFIG"
        )
    require_options(name, memory_config=memory_config, dtype=dtype)
    require_live(name, memory, x)
    if memory_config == x.memory_config and dtype in (None, x.dtype) and output_tensor is None:
        return memory, x
    target = x.spec.replace(memory_config=memory_config, dtype=dtype or x.dtype)
    if _is_dram_block(x.memory_config) or _is_dram_block(target.memory_config):
        require_possible(name, _NO_DRAM_BLOCKS)
    operation = _COPY
    if not target.memory_config.is_sharded():
        if x.memory_config.is_sharded() and not refuse_to_interleaved(x.spec, target):
            operation = _TO_INTERLEAVED
    elif not x.memory_config.is_sharded():
        if not refuse_to_sharded(x.spec, target):
            operation = _TO_SHARDED
    elif not _changes_width_and_kind(x.spec, target) and (
        dtype is not None or not _refuse_reshard(x.spec, target, memory.device)
    ):
        operation = _COPY if dtype is not None else _RESHARD
    else:
        between = target.replace(memory_config=DRAM_MEMORY_CONFIG)
        if not refuse_to_interleaved(x.spec, between) and not refuse_to_sharded(between, target):
            with active_cache().all_or_nothing():
                after, interleaved = _run(_TO_INTERLEAVED, memory, x, between)
                after, y = _run(_TO_SHARDED, after, interleaved, target, output_tensor)
            return free(after, [interleaved.buffer]), y
    return _run(operation, memory, x, target, output_tensor)


def _changes_width_and_kind(spec: TensorSpec, target: TensorSpec) -> bool:
    before, after = spec.memory_config, target.memory_config
    if spec.layout is Layout.TILE or before.shard_spec is None or after.shard_spec is None:
        return False
    return before.shard_spec.shape[1] != after.shard_spec.shape[1] and before.memory_layout is not after.memory_layout


def reallocate(memory: MemoryState, tensor: Tensor, memory_config: MemoryConfig | None = None) -> tuple[MemoryState, Tensor]:
    """Free `tensor` and allocate it again, first fit: closes the hole above (L1) or below (DRAM) it. `tensor` is gone after that.

    Runs a program only if the address changes. A layer that ends with this can return its output where its input was, and
    so be the body of a `jax.lax.scan`.
    """
    require_memory("reallocate", memory)
    x = require_tensor("reallocate", "tensor", tensor)
    require_options("reallocate", memory_config=memory_config)
    spec = x.spec.replace(memory_config=memory_config or x.memory_config)
    require_live("reallocate", memory, x)
    freed = memory.deallocate(x.buffer)
    if spec == x.spec and freed.allocate(x.buffer.buffer_type, x.buffer.size)[1] == x.buffer:
        return memory, x
    memory, (moved,) = launch(memory, _MOVE, (x,), _Target(spec))
    return memory, moved
