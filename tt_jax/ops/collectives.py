"""What the chips of a mesh exchange: gathered, summed, scattered, sent.

Every chip takes part with its own tensor of the same spec. `cluster_axis` says along which axis of the mesh chips form groups: 0, those
of a column exchange; 1, those of a row; None, all of them, counted row by row. A mesh of one chip has only itself to talk to.
What moves is exact; block floats that are grouped anew are packed anew. What is summed is rounded to the tensor's dtype at each chip
that adds to it (order and rounding assumed, as no collective was recorded).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.kernels import collectives as kernel
from tt_jax.kernels.collectives import Group
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.mesh import Mesh, Topology
from tt_jax.ops._arguments import normalize_dim, require_integer, require_options
from tt_jax.ops._movement import Composite, Move, movement, supports, target
from tt_jax.ops._support import Support
from tt_jax.program import Operation, active_cache, launch, require_live, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.traffic import Traffic, exchange, gather, passing, scatter

__all__ = [
    "all_broadcast",
    "all_gather",
    "all_reduce",
    "all_to_all",
    "broadcast",
    "mesh_partition",
    "point_to_point",
    "reduce_scatter",
]

_ONE = Mesh((1, 1))


class _How(NamedTuple):
    """What a collective's kernel and its traffic need besides the specs.

    Attributes:
        dim: along which tensors are joined or cut; where one chip sends, its place in the group.
        other: the second dimension, or the receiver's place.
    """

    group: Group
    topology: Topology
    links: int
    dim: int = 0
    other: int = 0


def _group(operation: str, memory: MemoryState, cluster_axis: Any) -> Group:
    """The chips that exchange. Raises ArgumentError for an axis that the mesh has not."""
    require_memory(operation, memory)
    mesh = memory.mesh or _ONE
    if cluster_axis is None:
        return Group(mesh.axes, mesh.size)
    axis = require_integer(operation, "cluster_axis", cluster_axis)
    if not 0 <= axis < len(mesh.shape):
        raise ArgumentError(
            f"{operation}: `cluster_axis` is {axis}, but a mesh of shape {mesh.shape} has the axes 0 to {len(mesh.shape) - 1}; "
            "leave it out for all chips"
        )
    return Group((mesh.axes[axis],), mesh.shape[axis])


def _how(
    operation: str, memory: MemoryState, cluster_axis: Any, topology: Any, num_links: Any, dim: int = 0, other: int = 0
) -> _How:
    group = _group(operation, memory, cluster_axis)
    require_options(operation, topology=topology)
    links = 1 if num_links is None else require_integer(operation, "num_links", num_links, least=1)
    return _How(group, topology or Topology.Linear, links, dim, other)


def _require_divisible(operation: str, spec: TensorSpec, dim: int, group: Group) -> int:
    """A chip's share of dimension `dim`. Raises ArgumentError if it does not divide."""
    size = spec.shape[dim]
    if size % group.size:
        raise ArgumentError(
            f"{operation}: dimension {dim} of {spec} does not divide evenly over {group.size} chips; pad it to "
            f"{-(-size // group.size) * group.size}"
        )
    return size // group.size


def _shape(spec: TensorSpec, dim: int, size: int) -> tuple[int, ...]:
    return (*spec.shape[:dim], size, *spec.shape[dim + 1 :])


def _bytes(spec: TensorSpec) -> int:
    return spec.num_pages * spec.page_size


def _collective(name: str, run: Any, traffic: Any) -> Operation:
    """A collective that moves: `run(how, x, ...)` on each chip, `traffic(how, bytes of the input)` over its links."""
    return dataclasses.replace(movement(name, run), traffic=lambda move, specs: traffic(move.how, _bytes(specs[0])))


def _gathering(how: _How, size: int) -> Traffic:
    return gather(how.group.size, size, how.topology.is_closed, how.links)


def _broadcast_kernel(attributes: Move, specs: Any, x: Array) -> tuple[Array, ...]:
    how: Any = attributes.how
    parts = kernel.stacked(x, how.group)
    return tuple(parts[i] for i in range(how.group.size))


def _sum_kernel(attributes: Move, specs: Any, x: Array) -> tuple[Array]:
    how: Any = attributes.how
    dtype = specs[0].dtype.kernel_name
    return (kernel.sum_scattered(x, how.group, how.dim, dtype, how.topology.is_closed),)


def _sent_kernel(how: _How, x: Array, *elsewhere: Array) -> Array:
    return kernel.sent(x, how.group, how.dim, how.other, elsewhere[0] if elsewhere else jnp.zeros_like(x))


_ALL_GATHER = _collective("all_gather", lambda how, x: kernel.gathered(x, how.group, how.dim), _gathering)
_ALL_TO_ALL = _collective(
    "all_to_all",
    lambda how, x: kernel.exchanged(x, how.group, how.dim, how.other),
    lambda how, size: exchange(how.group.size, size, how.topology.is_closed, how.links),
)
_MESH_PARTITION = _collective(
    "mesh_partition", lambda how, x: kernel.own_slice(x, how.group, how.dim), lambda how, size: Traffic(0, 0)
)
_POINT_TO_POINT = _collective("point_to_point", _sent_kernel, lambda how, size: passing(how.group.size, size, how.links))
_BROADCAST = _collective(
    "broadcast",
    lambda how, x: kernel.broadcast(x, how.group, how.dim),
    lambda how, size: passing(how.group.size, size, how.links),
)
_ALL_BROADCAST = Operation(
    "all_broadcast",
    lambda attributes, specs: (attributes.spec,) * attributes.how.group.size,
    _broadcast_kernel,
    traffic=lambda move, specs: _gathering(move.how, _bytes(specs[0])),
)
_REDUCE_SCATTER = Operation(
    "reduce_scatter",
    lambda attributes, specs: (attributes.spec,),
    _sum_kernel,
    traffic=lambda move, specs: scatter(move.how.group.size, _bytes(specs[0]), move.how.topology.is_closed, move.how.links),
)


def all_gather(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int,
    *,
    cluster_axis: int | None = None,
    topology: Topology | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    num_links: int | None = None,
) -> tuple[MemoryState, Tensor]:
    """The tensors of a group's chips, joined along `dim` on each of them: `[..., d, ...]` becomes `[..., n * d, ...]`.

    Args:
        memory_config: of the output; by default as the input lies.
        topology, num_links: what a plan's time on the links depends on; Linear and 1 by default.

    Raises:
        ArgumentError: no such dimension or axis of the mesh. DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "all_gather"
    x = require_tensor(name, "input_tensor", input_tensor)
    dim = normalize_dim(name, dim, len(x.shape))
    how = _how(name, memory, cluster_axis, topology, num_links, dim)
    spec = target(name, x.spec, _shape(x.spec, dim, x.shape[dim] * how.group.size), memory_config, output_tensor)
    memory, (y,) = launch(memory, _ALL_GATHER, (x,), Move(spec, how), output_tensor)
    return memory, y


def reduce_scatter(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int,
    *,
    cluster_axis: int | None = None,
    topology: Topology | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    num_links: int | None = None,
) -> tuple[MemoryState, Tensor]:
    """The sum of the tensors of a group's chips, of which each has its slice along `dim`: `[..., n * d, ...]` becomes `[..., d, ...]`.

    Partial sums go from chip to chip, each rounded to the tensor's dtype: once round a ring, from both ends of a line (`topology`,
    Linear by default). The result differs from the exact sum by at most n - 1 such roundings.

    Raises:
        ArgumentError: no such dimension or axis of the mesh, or a dimension that does not divide over the chips.
        DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "reduce_scatter"
    x = require_tensor(name, "input_tensor", input_tensor)
    dim = normalize_dim(name, dim, len(x.shape))
    how = _how(name, memory, cluster_axis, topology, num_links, dim)
    shape = _shape(x.spec, dim, _require_divisible(name, x.spec, dim, how.group))
    spec = target(name, x.spec, shape, memory_config, output_tensor)
    memory, (y,) = launch(memory, _REDUCE_SCATTER, (x,), Move(spec, how), output_tensor)
    return memory, y


def _scattered_dim(spec: TensorSpec, group: Group) -> int | None:
    """The dimension along which a sum is scattered before it is gathered: the last that divides into whole tiles, None if none does."""
    rank = len(spec.shape)
    for dim in reversed(range(rank)):
        multiple = TILE_SIZE if spec.layout is Layout.TILE and dim >= rank - 2 else 1
        if spec.shape[dim] and spec.shape[dim] % (group.size * multiple) == 0:
            return dim
    return None


def _summed_kernel(attributes: Move, specs: Any, x: Array) -> tuple[Array]:
    how: Any = attributes.how
    parts = kernel.stacked(x, how.group)
    return (kernel.in_turn(parts, kernel.accumulator(specs[0].dtype.kernel_name)),)


_ALL_REDUCE = Operation(
    "all_reduce",
    lambda attributes, specs: (attributes.spec,),
    _summed_kernel,
    traffic=lambda move, specs: _gathering(move.how, _bytes(specs[0])),
)


def all_reduce(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    cluster_axis: int | None = None,
    topology: Topology | None = None,
    memory_config: MemoryConfig | None = None,
    num_links: int | None = None,
) -> tuple[MemoryState, Tensor]:
    """The sum of the tensors of a group's chips, on each of them.

    A `reduce_scatter` and an `all_gather` along the last dimension that divides over the chips in whole tiles; where none does, every
    chip gets all tensors and adds them, the first chip's first. Which is assumed.

    Raises:
        ArgumentError: no such axis of the mesh. DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "all_reduce"
    x = require_tensor(name, "input_tensor", input_tensor)
    how = _how(name, memory, cluster_axis, topology, num_links)
    spec = target(name, x.spec, x.shape, memory_config)
    dim = _scattered_dim(x.spec, how.group)
    if dim is None or x.memory_config.is_sharded():
        memory, (y,) = launch(memory, _ALL_REDUCE, (x,), Move(spec, how))
        return memory, y
    require_live(name, memory, x)
    options: dict[str, Any] = {"cluster_axis": cluster_axis, "topology": topology, "num_links": num_links}
    with active_cache().all_or_nothing():
        step = Composite(memory, x)
        part = step(reduce_scatter, x, dim, **options)
        y = step(all_gather, part, dim, memory_config=memory_config, **options)
        return step.result(y), y


def all_broadcast(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    cluster_axis: int | None = None,
    topology: Topology | None = None,
    memory_config: MemoryConfig | None = None,
    num_links: int | None = None,
) -> tuple[MemoryState, list[Tensor]]:
    """The tensors of a group's chips, all of them on each: a list, in the chips' order.

    Raises:
        ArgumentError: no such axis of the mesh. DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "all_broadcast"
    x = require_tensor(name, "input_tensor", input_tensor)
    how = _how(name, memory, cluster_axis, topology, num_links)
    memory, outputs = launch(memory, _ALL_BROADCAST, (x,), Move(target(name, x.spec, x.shape, memory_config), how))
    return memory, list(outputs)


def all_to_all(
    memory: MemoryState,
    input_tensor: Tensor,
    in_dim: int,
    out_dim: int,
    *,
    cluster_axis: int | None = None,
    topology: Topology | None = None,
    memory_config: MemoryConfig | None = None,
    num_links: int | None = None,
) -> tuple[MemoryState, Tensor]:
    """A tensor that is spread over the chips along `in_dim`, spread along `out_dim` instead.

    Slice i along `out_dim` goes to chip i, which joins what it gets along `in_dim`.

    Raises:
        ArgumentError: no such dimension or axis of the mesh, one dimension twice, or one that does not divide over the chips.
        DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "all_to_all"
    x = require_tensor(name, "input_tensor", input_tensor)
    rank = len(x.shape)
    joined, split = normalize_dim(name, in_dim, rank, "in_dim"), normalize_dim(name, out_dim, rank, "out_dim")
    if joined == split:
        raise ArgumentError(f"{name}: `in_dim` and `out_dim` are both {joined}: then nothing has to move")
    how = _how(name, memory, cluster_axis, topology, num_links, split, joined)
    shape = _shape(x.spec, split, _require_divisible(name, x.spec, split, how.group))
    shape = (*shape[:joined], shape[joined] * how.group.size, *shape[joined + 1 :])
    memory, (y,) = launch(memory, _ALL_TO_ALL, (x,), Move(target(name, x.spec, shape, memory_config), how))
    return memory, y


def mesh_partition(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int,
    cluster_axis: int | None = None,
    *,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Of what every chip has, its own slice along `dim`: the inverse of `all_gather`. Nothing goes over the links.

    Raises:
        ArgumentError: no such dimension or axis of the mesh, or a dimension that does not divide over the chips.
        DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "mesh_partition"
    x = require_tensor(name, "input_tensor", input_tensor)
    dim = normalize_dim(name, dim, len(x.shape))
    how = _how(name, memory, cluster_axis, None, None, dim)
    shape = _shape(x.spec, dim, _require_divisible(name, x.spec, dim, how.group))
    memory, (y,) = launch(memory, _MESH_PARTITION, (x,), Move(target(name, x.spec, shape, memory_config), how))
    return memory, y


def _place(operation: str, argument: str, memory: MemoryState, coordinate: Any, cluster_axis: int | None = None) -> int:
    """Where the chip at `coordinate` is among all, or along an axis. Raises ArgumentError for one that is not in the mesh."""
    mesh = memory.mesh or _ONE
    if not isinstance(coordinate, Sequence) or len(coordinate) != len(mesh.shape):
        raise ArgumentError(
            f"{operation}: `{argument}` must be a coordinate in a mesh of shape {mesh.shape}, got {coordinate!r}"
        )
    for at, size in zip(coordinate, mesh.shape, strict=True):
        if not isinstance(at, int | np.integer) or not 0 <= at < size:
            raise ArgumentError(f"{operation}: `{argument}` {tuple(coordinate)} is not in a mesh of shape {mesh.shape}")
    if cluster_axis is not None:
        return int(coordinate[cluster_axis])
    place = 0
    for at, size in zip(coordinate, mesh.shape, strict=True):
        place = place * size + int(at)
    return place


def point_to_point(
    memory: MemoryState,
    input_tensor: Tensor,
    sender_coord: Sequence[int],
    receiver_coord: Sequence[int],
    *,
    topology: Topology | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """The tensor of the chip at `sender_coord`, on the one at `receiver_coord`. Other chips keep what `output_tensor` has; in a new
    tensor theirs are unspecified (zeros here).

    Raises:
        ArgumentError: a coordinate that is not in the mesh, or both the same; an `output_tensor` of another spec.
        DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "point_to_point"
    x = require_tensor(name, "input_tensor", input_tensor)
    require_memory(name, memory)
    sender, receiver = (
        _place(name, argument, memory, coordinate)
        for argument, coordinate in (("sender_coord", sender_coord), ("receiver_coord", receiver_coord))
    )
    if sender == receiver:
        raise ArgumentError(f"{name}: sender and receiver are both {tuple(sender_coord)}: then nothing has to be sent")
    how = _how(name, memory, None, topology, None, sender, receiver)
    spec = target(name, x.spec, x.shape, None, output_tensor)
    inputs = (x,) if output_tensor is None else (x, output_tensor)
    memory, (y,) = launch(memory, _POINT_TO_POINT, inputs, Move(spec, how), output_tensor)
    return memory, y


def broadcast(
    memory: MemoryState,
    input_tensor: Tensor,
    sender_coord: Sequence[int],
    *,
    cluster_axis: int | None = None,
    topology: Topology | None = None,
    memory_config: MemoryConfig | None = None,
    num_links: int | None = None,
) -> tuple[MemoryState, Tensor]:
    """The tensor of the chip at `sender_coord`, on all of them; with `cluster_axis`, that of the chip at the same place along that axis.

    Raises:
        ArgumentError: no such axis of the mesh, or a coordinate that is not in it. DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    name = "broadcast"
    x = require_tensor(name, "input_tensor", input_tensor)
    group = _group(name, memory, cluster_axis)
    sender = _place(name, "sender_coord", memory, sender_coord, cluster_axis)
    how = _how(name, memory, cluster_axis, topology, num_links, sender)._replace(group=group)
    memory, (y,) = launch(memory, _BROADCAST, (x,), Move(target(name, x.spec, x.shape, memory_config), how))
    return memory, y


supports(
    Support(tuple(DataType)),
    all_broadcast,
    all_gather,
    all_reduce,
    all_to_all,
    broadcast,
    mesh_partition,
    point_to_point,
    reduce_scatter,
)
