"""Meshes: how tensors are spread over the chips of a mesh device and gathered from them, and what else the multi-device API names."""

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tt_jax import mesh_mapping
from tt_jax import tensor as core
from tt_jax.context import active
from tt_jax.errors import ArgumentError
from tt_jax.mesh import Mesh, read
from tt_jax.mesh import Topology as Topology
from tt_jax.mesh_mapping import MeshComposerConfig as MeshComposerConfig
from tt_jax.mesh_mapping import MeshMapperConfig as MeshMapperConfig
from tt_jax.mesh_mapping import PlacementReplicate as PlacementReplicate
from tt_jax.mesh_mapping import PlacementShard as PlacementShard
from tt_jax.ttnn._storage import HOST_BUFFER, Storage
from tt_jax.ttnn.device import Device, get_num_devices, require_device
from tt_jax.ttnn.system import MeshShape
from tt_jax.ttnn.tensor import Tensor, host_tensor


class FabricConfig(enum.Enum):
    """Which fabric connects devices: names only (`set_fabric_config`)."""

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


class TensorToMesh:
    """How a tensor is spread over the chips of `mesh`, as `config` says."""

    def __init__(self, mesh_device: Device, config: MeshMapperConfig):
        self.mesh = require_device(type(self).__name__, mesh_device).mesh
        self.config = config


class ReplicateTensorToMesh(TensorToMesh):
    """The whole tensor on every chip."""

    def __init__(self, mesh_device: Device):
        super().__init__(mesh_device, mesh_mapping.replicate_tensor_to_mesh_mapper(require_mesh(mesh_device)))


class ShardTensorToMesh(TensorToMesh):
    """Equal slices along `dim`, one for each chip, row by row."""

    def __init__(self, mesh_device: Device, dim: int):
        super().__init__(mesh_device, mesh_mapping.shard_tensor_to_mesh_mapper(require_mesh(mesh_device), dim))


class ShardTensor2dMesh(TensorToMesh):
    """Equal slices along dimension `dims[0]` over the rows and `dims[1]` over the columns of a mesh counted as `mesh_shape`; None for
    the same values."""

    def __init__(self, mesh_device: Device, mesh_shape: Any = None, dims: Sequence[int | None] = (None, None)):
        shape = tuple(require_mesh(mesh_device).shape if mesh_shape is None else mesh_shape)
        super().__init__(mesh_device, mesh_mapping.shard_tensor_2d_to_mesh_mapper(shape, tuple(dims)))


class MeshToTensor:
    """How the chips' tensors become one, as `config` says."""

    def __init__(self, mesh_device: Device, config: MeshComposerConfig):
        self.mesh = require_mesh(mesh_device)
        self.config = config


class ConcatMeshToTensor(MeshToTensor):
    """All chips' tensors concatenated along `dim`, row by row."""

    def __init__(self, mesh_device: Device, dim: int):
        super().__init__(mesh_device, mesh_mapping.concat_mesh_to_tensor_composer(require_mesh(mesh_device), dim))


class ConcatMesh2dToTensor(MeshToTensor):
    """Concatenated along dimension `dims[0]` over the rows and `dims[1]` over the columns of a mesh counted as `mesh_shape`."""

    def __init__(self, mesh_device: Device, mesh_shape: Any = None, dims: Sequence[int] = (0, 1)):
        shape = tuple(require_mesh(mesh_device).shape if mesh_shape is None else mesh_shape)
        super().__init__(mesh_device, MeshComposerConfig(tuple(dims), shape))


CppTensorToMesh, CppMeshToTensor = TensorToMesh, MeshToTensor


def require_mesh(mesh_device: Any) -> Mesh:
    """The mesh of an open device. Raises ArgumentError, TTError."""
    return require_device("mesh_device", mesh_device).mesh


def create_mesh_mapper(mesh_device: Device, config: MeshMapperConfig) -> TensorToMesh:
    """How `config` spreads a tensor over `mesh_device`, for `from_torch`."""
    return TensorToMesh(mesh_device, config)


def create_mesh_composer(mesh_device: Device, config: MeshComposerConfig) -> MeshToTensor:
    """How `config` gathers a tensor from `mesh_device`, for `to_torch`."""
    return MeshToTensor(mesh_device, config)


replicate_tensor_to_mesh_mapper = ReplicateTensorToMesh
shard_tensor_to_mesh_mapper = ShardTensorToMesh
concat_mesh_to_tensor_composer = ConcatMeshToTensor

_distribution: ContextVar[TensorToMesh | MeshToTensor | None] = ContextVar("distribution", default=None)


@contextmanager
def distribute(mapping: TensorToMesh | MeshToTensor | None) -> Iterator[None]:
    """A block in which `from_torch` spreads (or `to_torch` gathers) as `mapping` says, where no other is given."""
    token = _distribution.set(mapping)
    try:
        yield
    finally:
        _distribution.reset(token)


def mapping_for(operation: str, mesh_mapper: Any, device: Device | None) -> TensorToMesh | None:
    """How a tensor is spread, and over which mesh; None for whole on every chip. Raises ArgumentError for another mesh's mapper."""
    if mesh_mapper is None:
        default = _distribution.get()
        mesh_mapper = default if isinstance(default, TensorToMesh) else None
    if mesh_mapper is None:
        return None
    if isinstance(mesh_mapper, MeshMapperConfig):
        if device is None:
            raise ArgumentError(f"{operation}: a MeshMapperConfig needs a device; create_mesh_mapper(device, config) names one")
        return TensorToMesh(device, mesh_mapper)
    if not isinstance(mesh_mapper, TensorToMesh):
        raise ArgumentError(
            f"{operation}: `mesh_mapper` must be made by ttnn, such as ShardTensorToMesh(device, dim=0), got {mesh_mapper!r}"
        )
    if device is not None and device.mesh.shape != mesh_mapper.mesh.shape:
        raise ArgumentError(
            f"{operation}: `mesh_mapper` is for a mesh of shape {mesh_mapper.mesh.shape}, and the device is {device!r}: make one for it"
        )
    return mesh_mapper


def composer_for(operation: str, mesh_composer: Any) -> MeshComposerConfig | None:
    """How the chips' tensors are gathered. Raises ArgumentError for what is no composer."""
    if mesh_composer is None:
        default = _distribution.get()
        return default.config if isinstance(default, MeshToTensor) else None
    if isinstance(mesh_composer, MeshComposerConfig):
        return mesh_composer
    if not isinstance(mesh_composer, MeshToTensor):
        raise ArgumentError(
            f"{operation}: `mesh_composer` must be made by ttnn, such as ConcatMeshToTensor(device, dim=0), got {mesh_composer!r}"
        )
    return mesh_composer.config


def lead_of(array: Any, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the mesh that `array` of tensors of `shape` is for; none for one chip."""
    return tuple(array.shape[: len(array.shape) - len(shape)])


def spread(operation: str, device: Device, array: Any, shape: tuple[int, ...]) -> Any:
    """`array`, of tensors of `shape`, on the chips of `device`: what each has, or the same for all. One that computes nothing has none.

    Raises ArgumentError for what was spread over a mesh of another shape.
    """
    lead, mesh = lead_of(array, shape), device.mesh
    if lead and lead != mesh.lead:
        raise ArgumentError(
            f"{operation}: the tensor was spread over a mesh of shape {lead}, and the device is {device!r}: gather it, and spread it anew"
        )
    if not device.computes or isinstance(array, jax.ShapeDtypeStruct):
        return None
    if not lead:
        return mesh.replicated(array)
    if isinstance(array, jax.core.Tracer):
        return jax.lax.with_sharding_constraint(array, mesh.sharding)
    if isinstance(array, jax.Array) and array.sharding == mesh.sharding:
        return array
    values = read(array)
    return mesh.placed(lambda coordinate: values[coordinate], shape)


class _Piece(Storage):
    """One chip's part of a tensor on a mesh: its values, as on the host."""

    __slots__ = ("coordinate", "whole")

    def __init__(self, whole: Storage, coordinate: tuple[int, ...], tensor: core.Tensor):
        super().__init__(None, tensor)
        self.whole, self.coordinate = whole, coordinate


def get_device_tensors(tensor: Tensor) -> list[Tensor]:
    """The tensor of each chip, row by row: for reading, as a host tensor, and to be combined again.

    Of several processes each gets those of all chips, and all must call this.
    """
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"get_device_tensors: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}")
    functional = tensor._functional()
    lead = lead_of(functional.array, functional.shape)
    if not lead:
        return [Tensor._of(tensor._storage, tensor._spec)]
    if isinstance(functional.array, jax.core.Tracer) or not active.get().computes:
        raise ArgumentError(
            "get_device_tensors: in a plan, and inside jax.jit, grad or vmap, tensors have no values to take apart"
        )
    if isinstance(functional.array, jax.ShapeDtypeStruct):
        values: Any = np.zeros(functional.array.shape, functional.array.dtype)
    else:
        values = read(functional.array)
    pieces = []
    for coordinate in np.ndindex(*lead):
        own = core.Tensor(jnp.asarray(values[coordinate]), functional.spec, HOST_BUFFER)
        pieces.append(Tensor._of(_Piece(tensor._storage, coordinate, own), functional.spec))
    return pieces


def aggregate_as_tensor(tensors: Sequence[Tensor], mesh_device: Device | None = None) -> Tensor:
    """One tensor of those of single chips, in their order: the inverse of `get_device_tensors`.

    The parts of a tensor on a mesh, all and in order, are that tensor again, in its buffer. Host tensors become a host tensor for as
    many chips, or, with `mesh_device`, one on it.

    Raises ArgumentError for none, for tensors of different specs, and for more or fewer than `mesh_device` has chips.
    """
    if not tensors or not all(isinstance(x, Tensor) for x in tensors):
        raise ArgumentError(f"aggregate_as_tensor: expected a list of one or more ttnn tensors, got {tensors!r:.80}")
    first = tensors[0]._storage
    if isinstance(first, _Piece):
        whole = first.whole
        pieces = [x._storage for x in tensors]
        lead = () if whole.tensor is None else lead_of(whole.tensor.array, whole.tensor.shape)
        if [(getattr(x, "whole", None), getattr(x, "coordinate", None)) for x in pieces] == [
            (whole, coordinate) for coordinate in np.ndindex(*lead)
        ]:
            return Tensor._of(whole, tensors[0]._spec)
    if len(tensors) == 1 and mesh_device is None:
        return tensors[0]
    functional = [x._functional() for x in tensors]
    if any(lead_of(x.array, x.shape) for x in functional):
        raise ArgumentError("aggregate_as_tensor: a tensor is spread over a mesh already: take it apart by get_device_tensors")
    spec = functional[0].spec
    for x in functional[1:]:
        if x.spec != spec:
            raise ArgumentError(f"aggregate_as_tensor: the chips of a mesh have tensors of one spec, got {spec} and {x.spec}")
    shape = (len(tensors),) if mesh_device is None else require_mesh(mesh_device).shape
    if len(tensors) != np.prod(shape):
        raise ArgumentError(
            f"aggregate_as_tensor: {len(tensors)} tensors for {mesh_device!r}: one for each of its chips is needed"
        )
    if len(tensors) == 1:
        stacked = functional[0].array
    else:
        stacked = jnp.stack([x.array for x in functional]).reshape(*shape, *spec.shape)
    whole_tensor = host_tensor(stacked, spec)
    if mesh_device is None:
        return whole_tensor
    from tt_jax.ttnn.placement import to_device  # which imports this module

    return to_device(whole_tensor, mesh_device)


combine_device_tensors = aggregate_as_tensor


def from_host_shards(tensors: Sequence[Tensor], mesh_shape: Any) -> Tensor:
    """A host tensor for a mesh of `mesh_shape`, of one for each of its chips, row by row. Raises ArgumentError as above."""
    shape = tuple(MeshShape(mesh_shape))
    joined = aggregate_as_tensor(tensors)._functional()
    if len(tensors) != np.prod(shape):
        raise ArgumentError(
            f"from_host_shards: {len(tensors)} tensors for a mesh of shape {shape}: one for each place is needed"
        )
    return host_tensor(jnp.reshape(joined.array, (*shape, *joined.shape)), joined.spec)


def visualize_mesh_device(mesh_device: Device, tensor: Tensor | None = None) -> None:
    """Print the numbers of the chips as they lie, and what each has of `tensor`."""
    require_mesh(mesh_device)
    own = "" if tensor is None else f" {tuple(tensor.shape)}"
    print(repr(mesh_device))
    for row in np.array(mesh_device.get_device_ids()).reshape(-1, mesh_device.shape[-1]):
        print("  ".join(f"[{chip}{own}]" for chip in row))


def set_fabric_config(*arguments: Any, **options: Any) -> None:
    """Accepted: collectives say by their `topology` how chips are connected."""


def get_num_pcie_devices() -> int:
    """Chips that can be opened."""
    return get_num_devices()


def get_pcie_device_ids() -> list[int]:
    """Their numbers."""
    return list(range(get_num_devices()))


def GetNumAvailableDevices() -> int:  # noqa: N802 - ttnn's name
    """Chips that can be opened."""
    return get_num_devices()


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
