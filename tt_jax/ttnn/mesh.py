"""Names of the multi-device API that programs for one device use: with one device every distribution is the whole tensor."""

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from tt_jax.errors import NotModelledError
from tt_jax.ttnn.device import Device, MeshShape
from tt_jax.ttnn.tensor import Tensor


class Topology(enum.Enum):
    """How the devices of a mesh are connected."""

    Linear = 0
    Ring = 1
    Mesh = 2
    Torus = 3


class FabricConfig(enum.Enum):
    """Which fabric connects devices. One device has none."""

    DISABLED = 0
    FABRIC_1D_NEIGHBOR_EXCHANGE = 1
    FABRIC_1D = 2
    FABRIC_1D_RING = 3
    FABRIC_2D = 4
    FABRIC_2D_TORUS_X = 5
    FABRIC_2D_TORUS_Y = 6
    FABRIC_2D_TORUS_XY = 7
    CUSTOM = 8


class MeshCoordinate(tuple):  # type: ignore[type-arg]
    """A place in a mesh."""

    def __new__(cls, *coordinates: Any) -> "MeshCoordinate":
        values = coordinates[0] if len(coordinates) == 1 and not isinstance(coordinates[0], int) else coordinates
        return super().__new__(cls, tuple(values))


class MeshCoordinateRange(NamedTuple):
    """The places of a mesh from `start` to `end`, both included."""

    start: MeshCoordinate
    end: MeshCoordinate


def _require_one(name: str, mesh: Device | None) -> None:
    if mesh is not None and mesh.get_num_devices() != 1:
        raise NotModelledError(f"{name}: meshes of several devices are not modelled yet")


class _Mapping:
    """A way to spread a tensor over a mesh, or to gather it. With one device: the whole tensor."""

    def __init__(self, *arguments: Any, **options: Any):
        mesh = next((x for x in (*arguments, *options.values()) if isinstance(x, Device)), None)
        _require_one(type(self).__name__, mesh)


class ReplicateTensorToMesh(_Mapping):
    """The whole tensor on every device."""


class ShardTensorToMesh(_Mapping):
    """A slice along `dim` on every device."""


class ShardTensor2dMesh(_Mapping):
    """Slices along two dimensions."""


class ConcatMeshToTensor(_Mapping):
    """The devices' tensors concatenated along `dim`."""


class ConcatMesh2dToTensor(_Mapping):
    """The devices' tensors concatenated along two dimensions."""


class PlacementShard(_Mapping):
    """A slice along a dimension."""


class PlacementReplicate(_Mapping):
    """A copy."""


class MeshMapperConfig(_Mapping):
    """Placements per dimension of the mesh."""


class MeshComposerConfig(_Mapping):
    """How to gather per dimension of the mesh."""


TensorToMesh = CppTensorToMesh = MeshToTensor = CppMeshToTensor = _Mapping


def create_mesh_mapper(device: Device, config: Any = None) -> _Mapping:
    """A mapping for `from_torch`."""
    return _Mapping(device)


create_mesh_composer = create_mesh_mapper
replicate_tensor_to_mesh_mapper = shard_tensor_to_mesh_mapper = concat_mesh_to_tensor_composer = _Mapping


def get_device_tensors(tensor: Tensor) -> list[Tensor]:
    """The tensor of each device: of the one."""
    return [Tensor._of(tensor._storage, tensor._spec)]


def aggregate_as_tensor(tensors: Sequence[Tensor], *arguments: Any) -> Tensor:
    """The inverse of `get_device_tensors`. Raises NotModelledError for more than one."""
    if len(tensors) != 1:
        raise NotModelledError(
            f"aggregate_as_tensor: {len(tensors)} tensors need a mesh of as many devices, which is not modelled yet"
        )
    return tensors[0]


combine_device_tensors = from_host_shards = aggregate_as_tensor


@contextmanager
def distribute(mapping: Any) -> Iterator[None]:
    """A block in which conversions use `mapping`: with one device, those they use anyway."""
    yield


def visualize_mesh_device(mesh_device: Device, tensor: Tensor | None = None) -> None:
    """Print the mesh."""
    print(repr(mesh_device))


def set_fabric_config(*arguments: Any, **options: Any) -> None:
    """Accepted: one device has no fabric."""


def get_num_pcie_devices() -> int:
    """One."""
    return 1


def get_pcie_device_ids() -> list[int]:
    """The one device."""
    return [0]


def GetNumAvailableDevices() -> int:  # noqa: N802 - ttnn's name
    """One."""
    return 1


GetNumPCIeDevices = GetNumAvailableDevices
SystemMeshDescriptor = MeshShape


__all__ = [
    "ConcatMesh2dToTensor",
    "ConcatMeshToTensor",
    "CppMeshToTensor",
    "CppTensorToMesh",
    "FabricConfig",
    "GetNumAvailableDevices",
    "GetNumPCIeDevices",
    "MeshComposerConfig",
    "MeshCoordinate",
    "MeshCoordinateRange",
    "MeshMapperConfig",
    "MeshToTensor",
    "PlacementReplicate",
    "PlacementShard",
    "ReplicateTensorToMesh",
    "ShardTensor2dMesh",
    "ShardTensorToMesh",
    "SystemMeshDescriptor",
    "TensorToMesh",
    "Topology",
    "aggregate_as_tensor",
    "combine_device_tensors",
    "concat_mesh_to_tensor_composer",
    "create_mesh_composer",
    "create_mesh_mapper",
    "distribute",
    "from_host_shards",
    "get_device_tensors",
    "get_num_pcie_devices",
    "get_pcie_device_ids",
    "replicate_tensor_to_mesh_mapper",
    "set_fabric_config",
    "shard_tensor_to_mesh_mapper",
    "visualize_mesh_device",
]
