"""What systems are made of: generations of chips, dispatch cores, the shape of a mesh."""

import enum
from typing import Any

from tt_jax.choice import Choice


class Arch(Choice):
    """Chip generations; the values are ttnn's own."""

    Invalid = 0
    WORMHOLE_B0 = 2
    BLACKHOLE = 3
    GRAYSKULL = 1


class DispatchCoreType(enum.Enum):
    """Which cores dispatch programs. The profiles have their measured grids: a choice is accepted and changes nothing."""

    WORKER = 0
    ETH = 1


class DispatchCoreAxis(enum.Enum):
    """Which line of cores dispatch takes; see DispatchCoreType."""

    ROW = 0
    COL = 1


class DispatchCoreConfig:
    """Where dispatch runs: accepted, and without effect, since the profiles' grids are those of the default."""

    def __init__(
        self, type: DispatchCoreType | None = None, axis: DispatchCoreAxis | None = None, fabric_tensix_config: Any = None
    ):
        self.type = type
        self.axis = axis


class MeshShape(tuple):  # type: ignore[type-arg]
    """Rows and columns of a mesh of devices."""

    def __new__(cls, *dims: Any) -> "MeshShape":
        values = tuple(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else dims
        return super().__new__(cls, values)

    def __repr__(self) -> str:
        return f"MeshShape([{', '.join(map(str, self))}])"

    def dims(self) -> int:
        """How many dimensions the mesh has."""
        return len(self)

    def mesh_size(self) -> int:
        """Devices in the mesh."""
        size = 1
        for n in self:
            size *= n
        return size
