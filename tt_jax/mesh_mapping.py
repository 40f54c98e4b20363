"""How one array becomes the tensors of the chips of a mesh, and theirs one array again.

Source: ttnn's documentation of its mappers and composers; nothing here was measured.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_jax.errors import ArgumentError
from tt_jax.mesh import Mesh

if TYPE_CHECKING:
    from tt_jax.tensor import TensorSpec


@dataclasses.dataclass(frozen=True)
class PlacementShard:
    """Along an axis of the mesh: equal slices along dimension `dim` of the tensor."""

    dim: int


@dataclasses.dataclass(frozen=True)
class PlacementReplicate:
    """Along an axis of the mesh: the same values."""


Placement = PlacementShard | PlacementReplicate


def _tuple(operation: str, values: Any, what: str) -> tuple[Any, ...]:
    try:
        return tuple(values)
    except TypeError:
        raise ArgumentError(f"{operation}: {what} must be a list, one for each axis of the mesh; got {values!r}") from None


def _shape_on(
    operation: str, mesh_shape: tuple[int, ...], override: tuple[int, ...] | None, count: int, what: str
) -> tuple[int, ...]:
    """The shape in which the chips are counted, row by row: `override`, or that of the mesh, of `count` axes."""
    shape = mesh_shape if override is None else override
    if math.prod(shape) != math.prod(mesh_shape):
        raise ArgumentError(
            f"{operation}: mesh shape {shape} has {math.prod(shape)} places, and a mesh of shape {mesh_shape} "
            f"{math.prod(mesh_shape)} chips"
        )
    if len(shape) != count:
        raise ArgumentError(f"{operation}: {count} {what} for a mesh of shape {shape}: give one for each of its axes")
    return shape


def _dim(operation: str, dim: int, rank: int) -> int:
    if not isinstance(dim, int | np.integer) or not -rank <= dim < rank:
        raise ArgumentError(f"{operation}: dimension {dim!r} does not exist: the tensor has {rank}")
    return int(dim) % rank


def _require_distinct(operation: str, dims: list[int]) -> None:
    if len(set(dims)) < len(dims):
        raise ArgumentError(f"{operation}: dimensions {dims} must differ: each axis of the mesh has its own")


@dataclasses.dataclass(frozen=True)
class MeshMapperConfig:
    """How a tensor is spread: a placement for each axis of the mesh, or of `mesh_shape_override`, which has as many chips, counted
    row by row."""

    placements: tuple[Placement, ...]
    mesh_shape_override: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        placements = _tuple("MeshMapperConfig", self.placements, "placements")
        for placement in placements:
            if not isinstance(placement, Placement):
                raise ArgumentError(
                    f"MeshMapperConfig: placements are PlacementShard(dim) or PlacementReplicate(), got {placement!r}"
                )
        object.__setattr__(self, "placements", placements)
        if self.mesh_shape_override is not None:
            object.__setattr__(self, "mesh_shape_override", tuple(self.mesh_shape_override))

    def __repr__(self) -> str:
        override = "" if self.mesh_shape_override is None else f", mesh_shape_override={self.mesh_shape_override}"
        return f"MeshMapperConfig({list(self.placements)}{override})"

    @property
    def name(self) -> str:
        """It, in letters, digits and underscores."""
        placements = [f"shard{p.dim}" if isinstance(p, PlacementShard) else "replicate" for p in self.placements]
        counted = [] if self.mesh_shape_override is None else ["over", "x".join(map(str, self.mesh_shape_override))]
        return "_".join([*placements, *counted]).replace("-", "m")

    @property
    def is_replicating(self) -> bool:
        """Whether every chip has everything."""
        return all(isinstance(placement, PlacementReplicate) for placement in self.placements)

    def of_chip(self, spec: "TensorSpec", mesh: Mesh) -> "TensorSpec":
        """The spec of each chip's part of a tensor of `spec`. Raises ArgumentError as `split`."""
        return spec.replace(shape=self.split("of_chip", spec.shape, mesh)[0])

    def split(
        self, operation: str, shape: tuple[int, ...], mesh: Mesh
    ) -> tuple[tuple[int, ...], Callable[[tuple[int, ...]], tuple[slice, ...]]]:
        """Of a tensor of `shape`: the shape on a chip, and which part the chip at a coordinate of `mesh` has.

        Raises ArgumentError for a dimension that is not there, is given twice or does not divide, and for another mesh shape.
        """
        counted = _shape_on(operation, mesh.shape, self.mesh_shape_override, len(self.placements), "placements")
        sharded = [
            (axis, _dim(operation, placement.dim, len(shape)))
            for axis, placement in enumerate(self.placements)
            if isinstance(placement, PlacementShard)
        ]
        _require_distinct(operation, [dim for _, dim in sharded])
        own = list(shape)
        for axis, dim in sharded:
            if shape[dim] % counted[axis]:
                raise ArgumentError(
                    f"{operation}: dimension {dim} of shape {shape} does not divide evenly over {counted[axis]} chips; pad it to "
                    f"{-(-shape[dim] // counted[axis]) * counted[axis]}, or replicate it"
                )
            own[dim] = shape[dim] // counted[axis]

        def part(coordinate: tuple[int, ...]) -> tuple[slice, ...]:
            place = np.unravel_index(np.ravel_multi_index(coordinate, mesh.shape), counted)
            slices = [slice(None)] * len(shape)
            for axis, dim in sharded:
                start = int(place[axis]) * own[dim]
                slices[dim] = slice(start, start + own[dim])
            return tuple(slices)

        return tuple(own), part


@dataclasses.dataclass(frozen=True)
class MeshComposerConfig:
    """How the chips' tensors become one: concatenated along a dimension for each axis of the mesh, or of `mesh_shape_override`,
    which has as many chips, counted row by row. Chips that hold the same appear as often as there are of them."""

    dims: tuple[int, ...]
    mesh_shape_override: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dims", _tuple("MeshComposerConfig", self.dims, "dims"))
        if self.mesh_shape_override is not None:
            object.__setattr__(self, "mesh_shape_override", tuple(self.mesh_shape_override))

    def joined(self, operation: str, values: Any, rank: int) -> Any:
        """The chips' `values` `[*mesh.shape, *shape]`, `shape` of `rank` dimensions, as one array.

        Raises ArgumentError as `MeshMapperConfig.split`.
        """
        lead, shape = values.shape[: values.ndim - rank], values.shape[values.ndim - rank :]
        counted = _shape_on(operation, lead or (1,) * len(self.dims), self.mesh_shape_override, len(self.dims), "dims")
        dims = [_dim(operation, dim, rank) for dim in self.dims]
        _require_distinct(operation, dims)
        parts = values.reshape(*counted, *shape)
        order: list[int] = []
        joined = list(shape)
        for dim in range(rank):
            if dim in dims:
                axis = dims.index(dim)
                order.append(axis)
                joined[dim] *= counted[axis]
            order.append(len(counted) + dim)
        return parts.transpose(order).reshape(joined)


def replicate_tensor_to_mesh_mapper(mesh: Mesh) -> MeshMapperConfig:
    """Everything on every chip of `mesh`."""
    return MeshMapperConfig((PlacementReplicate(),) * len(mesh.shape))


def shard_tensor_to_mesh_mapper(mesh: Mesh, dim: int) -> MeshMapperConfig:
    """Slices along `dim`, one for each chip of `mesh`, row by row."""
    return MeshMapperConfig((PlacementShard(dim),), (mesh.size,))


def shard_tensor_2d_to_mesh_mapper(mesh_shape: tuple[int, ...], dims: tuple[int | None, ...]) -> MeshMapperConfig:
    """Slices along `dims[i]` over axis i of a mesh counted as `mesh_shape`; where that is None, the same values."""
    return MeshMapperConfig(tuple(PlacementReplicate() if dim is None else PlacementShard(dim) for dim in dims), mesh_shape)


def concat_mesh_to_tensor_composer(mesh: Mesh, dim: int) -> MeshComposerConfig:
    """All chips' tensors along `dim`, row by row."""
    return MeshComposerConfig((dim,), (mesh.size,))
