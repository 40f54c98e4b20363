"""Meshes: how many chips run a program together, and how arrays are spread over them.

Every chip of a mesh runs the same programs on tensors of the same specs, at the same addresses; only the values differ. So a tensor on a
mesh has one array `[*mesh.shape, *shape]`: its leading axes, one for each of the mesh, are split over JAX devices by a
`jax.sharding.NamedSharding`, and each device holds the `[*shape]` of one chip. A mesh of one chip is that chip: no leading axes.
"""

import contextlib
import dataclasses
import functools
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax import Array, lax
from jax.core import Tracer
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from tt_jax.choice import Choice
from tt_jax.errors import ArgumentError, NotModelledError, TTError


class Topology(Choice):
    """How the chips of a mesh are connected along an axis."""

    Linear = 0
    Ring = 1
    Mesh = 2
    Torus = 3

    @property
    def is_closed(self) -> bool:
        """Whether the last chip is beside the first."""
        return self in (Topology.Ring, Topology.Torus)


AXES = ("rows", "columns")
"""What the axes of a mesh are called in JAX; one of one dimension has columns only."""

_AXES_MODELLED = len(AXES)
_THREADS_PER_CHIP = 4  # twice what was needed where it was measured


@dataclasses.dataclass(frozen=True)
class Mesh:
    """Chips in rows and columns; hashable.

    Attributes:
        shape: rows and columns, or the length of a single row.
        chips: which of `jax.devices()` play them, row by row; the first ones by default.

    Raises ArgumentError for a size below 1, or chips that are not as many and different; NotModelledError for more dimensions.
    """

    shape: tuple[int, ...]
    chips: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(self.shape)
        if not shape or not all(isinstance(size, int | np.integer) and size > 0 for size in shape):
            raise ArgumentError(f"a mesh has rows and columns of 1 or more chips, such as (2, 4); got {self.shape!r}")
        if len(shape) > _AXES_MODELLED:
            raise NotModelledError(f"a mesh of {len(shape)} dimensions, {shape}, is not modelled: at most {_AXES_MODELLED} are")
        object.__setattr__(self, "shape", tuple(map(int, shape)))
        chips = tuple(map(int, self.chips)) or tuple(range(math.prod(shape)))
        if len(set(chips)) != math.prod(shape) or len(chips) != math.prod(shape) or min(chips) < 0:
            raise ArgumentError(f"a mesh of shape {shape} needs {math.prod(shape)} different chips, got {chips}")
        object.__setattr__(self, "chips", chips)

    def __str__(self) -> str:
        return "x".join(map(str, self.shape))

    @classmethod
    def parse(cls, text: str) -> "Mesh":
        """The mesh that `text` names, as "2x4". Raises ArgumentError for other text."""
        if not re.fullmatch(r"[1-9][0-9]*(x[1-9][0-9]*)*", text):
            raise ArgumentError(f"a mesh is written as rows x columns, such as 2x4; got {text!r}")
        return cls(tuple(map(int, text.split("x"))))

    @functools.cached_property
    def size(self) -> int:
        """Chips."""
        return math.prod(self.shape)

    @functools.cached_property
    def lead(self) -> tuple[int, ...]:
        """The leading axes of its tensors' arrays: its shape, and none for a mesh of one."""
        return self.shape if self.size > 1 else ()

    @functools.cached_property
    def axes(self) -> tuple[str, ...]:
        """The names of its axes."""
        return AXES[-len(self.shape) :]

    def coordinates(self) -> Iterator[tuple[int, ...]]:
        """Every place, row by row."""
        return iter(np.ndindex(*self.shape))

    def submesh(self, shape: Sequence[int], offset: Sequence[int]) -> "Mesh":
        """The mesh of the chips from `offset` on. Raises ArgumentError if it does not lie within this one."""
        shape, offset = tuple(shape), tuple(offset)
        ends = tuple(map(sum, zip(offset, shape, strict=False)))
        if not len(shape) == len(offset) == len(self.shape) or any(
            start < 0 or size < 1 or end > most for start, size, end, most in zip(offset, shape, ends, self.shape, strict=True)
        ):
            raise ArgumentError(f"a submesh of shape {shape} at {offset} does not lie within a mesh of shape {self.shape}")
        places = np.array(self.chips).reshape(self.shape)[tuple(map(slice, offset, ends))]
        return Mesh(shape, tuple(places.ravel().tolist()))

    @property
    def devices(self) -> jax.sharding.Mesh:
        """The JAX devices that play its chips. Raises TTError if there are too few."""
        return _devices(self)

    @property
    def sharding(self) -> NamedSharding:
        """How the leading axes of its tensors' arrays are split: one chip's values on each device."""
        return NamedSharding(self.devices, PartitionSpec(*self.axes))

    def spread(self, function: Callable[..., tuple[Array, ...]], is_spread: Sequence[bool]) -> Callable[..., tuple[Array, ...]]:
        """`function` of one chip's arrays, as a function of all chips': run by `jax.shard_map`, with `axes` to communicate over.

        `is_spread` says which arguments differ from chip to chip; the rest is the same for all.
        """
        if not self.lead:
            return function
        leading = tuple(range(len(self.lead)))

        def on_chip(*arrays: Array) -> tuple[Array, ...]:
            own = [lax.squeeze(x, leading) if split else x for x, split in zip(arrays, is_spread, strict=True)]
            return tuple(lax.expand_dims(y, leading) for y in function(*own))

        def on_all(*arrays: Array) -> tuple[Array, ...]:
            split, whole = PartitionSpec(*self.axes), PartitionSpec()
            specs = tuple(split if x else whole for x in is_spread)
            return jax.shard_map(on_chip, mesh=self.devices, in_specs=specs, out_specs=split, check_vma=False)(*arrays)

        return on_all

    def placed(self, piece: Callable[[tuple[int, ...]], Any], shape: tuple[int, ...], *, traced: bool = False) -> Array:
        """The array whose part on the chip at each coordinate is `piece(coordinate)` `[*shape]`.

        Under a JAX transformation (`traced`) pieces are stacked; otherwise each process makes those of its own chips.
        """
        if not self.lead:
            return piece((0,) * len(self.shape))
        if traced:
            pieces = [piece(coordinate) for coordinate in self.coordinates()]
            stacked = jax.numpy.stack(pieces).reshape(*self.lead, *shape)
            return lax.with_sharding_constraint(stacked, self.sharding)

        def part(index: tuple[slice, ...] | None) -> np.ndarray:
            assert index is not None
            coordinate = tuple(x.start or 0 for x in index[: len(self.lead)])
            return np.asarray(piece(coordinate)).reshape((1,) * len(self.lead) + shape)

        return jax.make_array_from_callback((*self.lead, *shape), self.sharding, part)

    def replicated(self, x: Any) -> Array:
        """`x` on every chip."""
        if not self.lead:
            return x
        if isinstance(x, Tracer):
            return self.placed(lambda _: x, x.shape, traced=True)
        values = np.asarray(x)
        return self.placed(lambda _: values, values.shape)


@functools.lru_cache(maxsize=64)
def _devices(mesh: Mesh) -> jax.sharding.Mesh:
    require_devices(mesh)
    devices = jax.devices()
    return jax.sharding.Mesh(np.array([devices[chip] for chip in mesh.chips]).reshape(mesh.shape), mesh.axes)


def reserve_devices(mesh: Mesh) -> None:
    """Have JAX start with a virtual device of the CPU for each chip of `mesh`, if it has not started yet."""
    needed = max(mesh.chips) + 1
    reserve_threads(needed)
    if jax.distributed.is_initialized():
        return  # how many each process has was settled when they came together
    if jax.config.jax_num_cpu_devices < needed > 1:  # type: ignore[attr-defined]
        with contextlib.suppress(RuntimeError):  # it has started
            jax.config.update("jax_num_cpu_devices", needed)


def reserve_threads(chips: int) -> None:
    """Have JAX start with threads enough for programs that wait for each other on `chips` virtual devices of the CPU.

    Its pool has as many as there are cores, or devices. A program that exchanges data holds one for each device until all have come;
    where programs queue behind it, those of some devices may find no thread, and all wait for ever (measured, jax 0.10.2, 2 cores: with 8
    devices 9 and 12 threads hang, 16 do not). Unless the environment says how many, by XLA's variables.
    """
    if chips < 2 or "NPROC" in os.environ or "PJRT_NPROC" in os.environ:
        return
    os.environ["PJRT_NPROC"] = str(_THREADS_PER_CHIP * chips)
    if _has_started():
        warnings.warn(
            f"JAX started before a mesh was asked for, without threads for its {chips} chips: programs in which they exchange data may "
            "wait for ever where many are queued. Open the mesh before anything is computed, or set "
            f"PJRT_NPROC={_THREADS_PER_CHIP * chips}",
            RuntimeWarning,
            stacklevel=2,
        )


def _has_started() -> bool:
    """Whether JAX has devices already, of which some play chips on the CPU."""
    number = jax.config.jax_num_cpu_devices  # type: ignore[attr-defined]
    try:
        jax.config.update("jax_num_cpu_devices", max(number, 0) + 1)  # which it refuses once it has started
    except RuntimeError:
        return jax.default_backend() == "cpu"
    jax.config.update("jax_num_cpu_devices", number)
    return False


def require_devices(mesh: Mesh) -> None:
    """Raise TTError unless JAX has a device for each chip of `mesh`."""
    reserve_devices(mesh)
    needed, found = max(mesh.chips) + 1, jax.devices()
    if len(found) < needed:
        raise TTError(
            f"a mesh of shape {mesh.shape} needs {needed} JAX devices, and there {'is' if len(found) == 1 else 'are'} {len(found)} "
            f"({found[0].platform}). Virtual ones of the CPU must be asked for before JAX starts: open the mesh before anything is "
            f"computed, set JAX_NUM_CPU_DEVICES={needed}, or use `tt-jax run --chips {needed}`"
        )


def read(array: Array) -> np.ndarray:
    """The values of `array` on every chip, of other processes too: then every process must call this, at the same point."""
    if getattr(array, "is_fully_addressable", True):
        return np.asarray(array)
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


def mesh_of(value: "Mesh | Sequence[int] | None") -> Mesh | None:
    """`value` as a mesh: a shape is one of the first JAX devices."""
    if value is None or isinstance(value, Mesh):
        return value
    if not isinstance(value, Sequence):
        raise ArgumentError(f"a mesh has rows and columns, such as (2, 4); got {value!r}")
    return Mesh(tuple(value))
