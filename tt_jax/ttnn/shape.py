"""Shapes as the facade's tensors give them."""

from collections.abc import Sequence

from tt_jax.choice import Choice


class TileReshapeMapMode(Choice):
    """Whether `reshape` keeps the table of what goes where from call to call: accepted, since no value depends on it."""

    CACHE = 0
    RECREATE = 1


class Shape(tuple[int, ...]):
    """A tuple of dimensions that prints as ttnn's and equals any list or tuple of the same numbers."""

    __slots__ = ()
    __hash__ = tuple.__hash__

    def __new__(cls, shape: Sequence[int] = ()) -> "Shape":
        return super().__new__(cls, map(int, shape))

    def __repr__(self) -> str:
        return f"Shape([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    @property
    def rank(self) -> int:
        """How many dimensions."""
        return len(self)

    def to_rank(self, rank: int) -> "Shape":
        """The shape with leading ones added, or removed. Raises ValueError where a dimension to be removed is not 1."""
        surplus = len(self) - rank
        if surplus > 0 and any(size != 1 for size in self[:surplus]):
            raise ValueError(f"{self} has no rank {rank}: only leading dimensions of 1 can go")
        return Shape(self[surplus:] if surplus > 0 else (1,) * -surplus + tuple(self))

    def volume(self) -> int:
        """The product of the dimensions."""
        volume = 1
        for size in self:
            volume *= size
        return volume
