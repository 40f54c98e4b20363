"""How a tensor is cut into shards and which cores have them."""

import dataclasses
import operator
from collections.abc import Iterable
from typing import Any

from tt_jax.choice import Choice
from tt_jax.cores import CoreRangeSet, dump
from tt_jax.errors import ArgumentError


class ShardOrientation(Choice):
    """The order in which the cores of a grid are filled: row after row, or column after column; the values are ttnn's own."""

    ROW_MAJOR = 0
    COL_MAJOR = 1


class ShardStrategy(Choice):
    """What is split: the rows, the columns, or both; the values are ttnn's own."""

    HEIGHT = 1
    WIDTH = 2
    BLOCK = 3


class ShardDistributionStrategy(Choice):
    """How shards of more than two dimensions are dealt to cores: in turn, or as a grid onto a grid; the values are ttnn's own."""

    ROUND_ROBIN_1D = 0
    GRID_2D = 1


def _sizes(argument: str, values: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(map(operator.index, values))
    except TypeError:
        sizes = (-1,)
    if any(size < 0 for size in sizes):
        raise ArgumentError(f"`{argument}` must be a sequence of integers of at least 0, got {values!r}")
    return sizes


def _require_types(name: str, grid: Any, orientation: Any) -> None:
    if not isinstance(grid, CoreRangeSet):
        raise ArgumentError(f"the `grid` of a {name} must be a CoreRangeSet, got {grid!r}")
    if not isinstance(orientation, ShardOrientation):
        raise ArgumentError(f"the orientation of a {name} must be a ShardOrientation, got {orientation!r}")


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class ShardSpec:
    """Shards of `shape` `(height, width)`, in elements, one for each core of `grid` in the order of `orientation`.

    A tensor counts as a matrix: all dimensions but the last are its rows. Raises ArgumentError for arguments of other types.
    """

    grid: CoreRangeSet
    shape: tuple[int, int]
    orientation: ShardOrientation

    def __init__(self, grid: CoreRangeSet, shard_shape: Iterable[int], shard_orientation: ShardOrientation):
        _require_types("ShardSpec", grid, shard_orientation)
        sizes = _sizes("shard_shape", shard_shape)
        if len(sizes) != 2:
            raise ArgumentError(
                f"`shard_shape` of a ShardSpec is (height, width), got {sizes}; a NdShardSpec has more dimensions"
            )
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "shape", sizes)
        object.__setattr__(self, "orientation", shard_orientation)

    def __repr__(self) -> str:
        # One brace short for each range, as ttnn prints it.
        ranges = ", ".join(f'{{"start":{part.start.to_json()},"end":{part.end.to_json()}' for part in self.grid.ranges())
        return f"ShardSpec{{grid=[{ranges}], shape={list(self.shape)}, orientation=ShardOrientation::{self.orientation.name}}}"

    def num_cores(self) -> int:
        """Cores of the grid."""
        return self.grid.num_cores()

    def as_dict(self) -> dict[str, Any]:
        """What `to_json` writes."""
        return {"grid": self.grid.as_list(), "shape": list(self.shape), "orientation": self.orientation.value}

    def to_json(self) -> str:
        """A form for `from_json`."""
        return dump(self.as_dict())

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "ShardSpec":
        """The spec of which `as_dict` made `fields`."""
        return cls(CoreRangeSet.from_json(fields["grid"]), fields["shape"], ShardOrientation(fields["orientation"]))


@dataclasses.dataclass(frozen=True, init=False)
class NdShardSpec:
    """Shards of `shard_shape`, of any rank, dealt to the cores of `grid`; a tensor of higher rank has its first dimensions folded.

    Raises ArgumentError for arguments of other types.
    """

    shard_shape: tuple[int, ...]
    grid: CoreRangeSet
    orientation: ShardOrientation
    shard_distribution_strategy: ShardDistributionStrategy

    def __init__(
        self,
        shard_shape: Iterable[int],
        grid: CoreRangeSet,
        orientation: ShardOrientation = ShardOrientation.ROW_MAJOR,
        shard_distribution_strategy: ShardDistributionStrategy = ShardDistributionStrategy.ROUND_ROBIN_1D,
    ):
        _require_types("NdShardSpec", grid, orientation)
        sizes = _sizes("shard_shape", shard_shape)
        if not sizes or 0 in sizes:
            raise ArgumentError(f"`shard_shape` of a NdShardSpec has at least one dimension, and none of size 0; got {sizes}")
        if not isinstance(shard_distribution_strategy, ShardDistributionStrategy):
            raise ArgumentError(f"expected a ShardDistributionStrategy, got {shard_distribution_strategy!r}")
        object.__setattr__(self, "shard_shape", sizes)
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "orientation", orientation)
        object.__setattr__(self, "shard_distribution_strategy", shard_distribution_strategy)

    def num_cores(self) -> int:
        """Cores of the grid."""
        return self.grid.num_cores()

    def as_dict(self) -> dict[str, Any]:
        """What `to_json` writes."""
        return {
            "grid": self.grid.as_list(),
            "shard_shape": list(self.shard_shape),
            "orientation": self.orientation.value,
            "shard_distribution_strategy": self.shard_distribution_strategy.value,
        }

    def to_json(self) -> str:
        """A form for `from_json`."""
        return dump(self.as_dict())

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "NdShardSpec":
        """The spec of which `as_dict` made `fields`."""
        return cls(
            fields["shard_shape"],
            CoreRangeSet.from_json(fields["grid"]),
            ShardOrientation(fields["orientation"]),
            ShardDistributionStrategy(fields["shard_distribution_strategy"]),
        )
