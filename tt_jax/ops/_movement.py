"""What operations that only move values share: how they launch, where the result goes, and block floats on the way."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.footprint import Footprint
from tt_jax.kernels import block_float
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, Buffer, MemoryConfig, MemoryState, ShardSpec, TensorMemoryLayout
from tt_jax.ops._arguments import require_options
from tt_jax.ops._support import Support
from tt_jax.ops.creation import deallocate
from tt_jax.ops.layout import typecast
from tt_jax.program import Operation, active_cache, launch, require_live, require_tensor
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.tensor_sharding import block_sharded, height_sharded, width_sharded


def supports(support: Support, *operations: Any) -> None:
    """Say of each of `operations` what it takes."""
    for operation in operations:
        operation.support = support


class Move(NamedTuple):
    """Attributes of every data movement: the spec of its output, and what its kernel needs besides."""

    spec: TensorSpec
    how: Hashable = None


def movement(
    name: str,
    kernel: Callable[..., Array],
    footprint: Callable[[Move, Any, DeviceProfile], Footprint | None] | None = None,
    reads_part: bool = False,
) -> Operation:
    """The operation `name` whose output is `kernel(how, *arrays)`, in the dtype of its first input.

    A block float is packed anew by the device: its groups follow the last axis, and moving values may regroup them.
    """

    def run(attributes: Move, specs: Any, *arrays: Array) -> tuple[Array]:
        return (regrouped(kernel(attributes.how, *arrays), attributes.spec),)

    return Operation(name, lambda attributes, specs: (attributes.spec,), run, footprint=footprint, reads_part=reads_part)


def run(
    memory: MemoryState,
    operation: Operation,
    inputs: Sequence[Tensor | Array],
    spec: TensorSpec,
    how: Hashable = None,
    output: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """Launch a `movement`: the memory after it, and its output of `spec`."""
    memory, (y,) = launch(memory, operation, inputs, Move(spec, how), output)
    return memory, y


def target(
    operation: str,
    x: TensorSpec,
    shape: tuple[int, ...],
    memory_config: MemoryConfig | None,
    output: Tensor | None = None,
    **changes: object,
) -> TensorSpec:
    """`x` with `shape` and `changes`, where it is to lie: as asked, else as the output tensor does, else as `x` does.

    What lies as a sharded `x` does keeps its cores, and its shards grow or shrink with the shape.

    Raises ArgumentError for arguments of the wrong type, or that contradict each other.
    """
    require_options(operation, memory_config=memory_config)
    if output is not None:
        given = require_tensor(operation, "output_tensor", output).memory_config
        if memory_config not in (None, given):
            raise ArgumentError(f"{operation}: `memory_config` {memory_config} is not that of the output tensor, {given}")
        memory_config = given
    return x.replace(shape=shape, memory_config=placed(x, shape, memory_config), **changes)


def placed(x: TensorSpec, shape: tuple[int, ...], memory_config: MemoryConfig | None) -> MemoryConfig:
    """Where a result of `shape` lies: as asked, else as `x` does, its shards scaled.

    A sharded config without a shard spec takes the grid and orientation of a sharded `x`: the shards of `x` scaled if it has the
    same layout, else as even as can be (assumed). For an `x` without shards it stays as it is, which no spec accepts.
    """
    shards = x.memory_config.shard_spec
    if memory_config is None:
        return scaled(x, shape)
    if not memory_config.is_sharded() or memory_config.shard_spec or memory_config.nd_shard_spec or shards is None:
        return memory_config
    if memory_config.memory_layout is x.memory_config.memory_layout:
        return memory_config.with_shard_spec(scaled(x, shape).shard_spec)
    bare = x.replace(shape=shape, memory_config=DRAM_MEMORY_CONFIG)
    split = {
        TensorMemoryLayout.HEIGHT_SHARDED: height_sharded,
        TensorMemoryLayout.WIDTH_SHARDED: width_sharded,
        TensorMemoryLayout.BLOCK_SHARDED: block_sharded,
    }.get(memory_config.memory_layout)
    if split is None:
        return memory_config
    return memory_config.with_shard_spec(split(bare, shards.grid, shards.orientation).memory_config.shard_spec)


def scaled(x: TensorSpec, shape: tuple[int, ...]) -> MemoryConfig:
    """The memory config of `x`, its shards scaled to `shape` as ttnn scales them: by rows and by columns, whole tiles at least."""
    config = x.memory_config
    shards = config.shard_spec
    if shards is None or shape == x.shape or not math.prod(x.padded_shape) or not math.prod(shape):
        return config
    before = x.padded_shape
    after = x.replace(shape=shape, memory_config=DRAM_MEMORY_CONFIG).padded_shape
    rows, columns = math.prod(after[:-1]) / math.prod(before[:-1]), after[-1] / before[-1]
    multiple = TILE_SIZE if x.layout is Layout.TILE else 1
    height, width = (
        max(1, math.ceil(size * ratio / multiple)) * multiple for size, ratio in zip(shards.shape, (rows, columns), strict=True)
    )
    return config.with_shard_spec(ShardSpec(shards.grid, (height, width), shards.orientation))


def regrouped(x: Array, spec: TensorSpec) -> Array:
    """Moved values of `spec`'s dtype, packed anew by the device if they share exponents: groups follow the last axis."""
    return block_float.quantize(x, spec.dtype.kernel_name, "device") if spec.dtype.is_block_float else x


def same_view(operation: str, memory: MemoryState, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`x` with another shape in the same buffer. Raises DeallocatedError if that is not live."""
    require_live(operation, memory, x)
    return x.viewed(x.spec.replace(shape=shape))


class Composite:
    """An operation made of several: each call of it runs one on its memory, and `result` frees what lay between.

    ttnn's composites hold everything until they return, so nothing is freed earlier. Use it within
    `active_cache().all_or_nothing()`.
    """

    def __init__(self, memory: MemoryState, *inputs: Tensor):
        self.memory = memory
        self._kept = {x.buffer for x in inputs}
        self._made: dict[Buffer, Tensor] = {}

    def __call__(self, operation: Callable[..., tuple[MemoryState, Tensor]], *arguments: Any, **options: Any) -> Tensor:
        """Run `operation(memory, *arguments, **options)`: its result."""
        self.memory, y = operation(self.memory, *arguments, **options)
        self._made[y.buffer] = y
        return y

    def result(self, *outputs: Tensor) -> MemoryState:
        """The memory in which, of all that was made, only `outputs` are left (and the inputs)."""
        kept = self._kept | {y.buffer for y in outputs}
        return deallocate(self.memory, *(y for buffer, y in self._made.items() if buffer not in kept))


Step = Callable[[MemoryState, Tensor], tuple[MemoryState, Tensor]]


def chain(memory: MemoryState, x: Tensor, *steps: Step) -> tuple[MemoryState, Tensor]:
    """`steps` one after the other from `x`, all or none; what lies between is freed at the end."""
    with active_cache().all_or_nothing():
        step, y = Composite(memory, x), x
        for operation in steps:
            y = step(operation, y)
        return step.result(y), y


def by_way_of_bfloat16(memory: MemoryState, x: Tensor, placement: MemoryConfig, move: Step) -> tuple[MemoryState, Tensor]:
    """What the device does where groups of a bfloat8_b come apart: cast, move, cast back. Source: op_specs (measured)."""
    return chain(
        memory,
        x,
        lambda memory, x: typecast(memory, x, bfloat16),
        move,
        lambda memory, moved: typecast(memory, moved, x.dtype, memory_config=placement),
    )
