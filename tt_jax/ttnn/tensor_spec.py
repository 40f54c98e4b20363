"""Tensor specs with ttnn's constructor and methods."""

from collections.abc import Iterable, Sequence
from typing import Any

from tt_jax import tensor, tensor_sharding
from tt_jax.cores import CoreRange, CoreRangeSet
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import NdShardSpec, ShardDistributionStrategy, ShardOrientation
from tt_jax.tensor_sharding import ShardShapeAlignment as ShardShapeAlignment

_ROW_MAJOR = ShardOrientation.ROW_MAJOR
_FIELDS = ("shape", "dtype", "layout", "memory_config", "tile", "padded_shape", "_hash")


class TensorSpec(tensor.TensorSpec):
    """What a tensor is, but for its values and its address: shape, dtype, layout, memory config and tile.

        TensorSpec(shape, dtype, layout, buffer_type=BufferType.DRAM, tile=None)
        TensorSpec(shape, dtype, layout, memory_layout, shard_spec=None, buffer_type=BufferType.DRAM, tile=None)
        TensorSpec(shape, dtype, layout, nd_shard_spec, buffer_type=BufferType.DRAM, tile=None)

    The methods give the same tensor in shards. Equal to the functional `tt_jax.TensorSpec` of the same fields.
    """

    __slots__ = ()

    def __init__(self, shape: Iterable[int], dtype: DataType, layout: Layout, *placement: Any, **options: Any):
        self._copy(tensor_sharding.tensor_spec(shape, dtype, layout, *placement, **options))

    def _copy(self, spec: tensor.TensorSpec) -> None:
        for field in _FIELDS:
            object.__setattr__(self, field, getattr(spec, field))

    @classmethod
    def of(cls, spec: tensor.TensorSpec) -> "TensorSpec":
        """`spec`, with the methods."""
        copy = cls.__new__(cls)
        copy._copy(spec)
        return copy

    def sharded(
        self,
        shards: NdShardSpec | Sequence[int],
        grid: CoreRangeSet | ShardShapeAlignment | None = None,
        shard_alignment: ShardShapeAlignment = ShardShapeAlignment.RECOMMENDED,
        orientation: ShardOrientation = _ROW_MAJOR,
        shard_distribution_strategy: ShardDistributionStrategy = ShardDistributionStrategy.ROUND_ROBIN_1D,
    ) -> "TensorSpec":
        """In the shards of an NdShardSpec, `sharded(nd_shard_spec, alignment)`, or of a shape, `sharded(shape, grid, alignment)`.

        Raises ArgumentError if the shards, their shape rounded up, do not fit.
        """
        if isinstance(grid, ShardShapeAlignment):
            shard_alignment, grid = grid, None
        if not isinstance(shards, NdShardSpec):
            if grid is None:
                raise ArgumentError("TensorSpec.sharded: a shard shape needs the grid of cores that hold the shards")
            shards = NdShardSpec(shards, grid, orientation, shard_distribution_strategy)
        return TensorSpec.of(tensor_sharding.sharded(self, shards, shard_alignment))

    def height_sharded(self, grid: CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR) -> "TensorSpec":
        """With its rows split over the cores of `grid`, one shard each."""
        return TensorSpec.of(tensor_sharding.height_sharded(self, grid, orientation))

    def width_sharded(self, grid: CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR) -> "TensorSpec":
        """With its columns split over the cores of `grid`, one shard each."""
        return TensorSpec.of(tensor_sharding.width_sharded(self, grid, orientation))

    def block_sharded(self, grid: CoreRange | CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR) -> "TensorSpec":
        """With rows and columns split over a rectangle of cores. Raises ArgumentError if `grid` is no rectangle."""
        return TensorSpec.of(tensor_sharding.block_sharded(self, grid, orientation))

    def sharded_across_dims(
        self, dims: Iterable[int], grid: CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR
    ) -> "TensorSpec":
        """In shards as small as can be along `dims`, whole along the others."""
        return TensorSpec.of(tensor_sharding.sharded_across_dims(self, dims, grid, orientation))

    def sharded_across_dims_except(
        self, dims: Iterable[int], grid: CoreRangeSet, orientation: ShardOrientation = _ROW_MAJOR
    ) -> "TensorSpec":
        """In shards that are whole along `dims`, as small as can be along the others."""
        return TensorSpec.of(tensor_sharding.sharded_across_dims_except(self, dims, grid, orientation))
