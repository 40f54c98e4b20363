"""Tiles: the pages of TILE tensors."""

import dataclasses

from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError

_FACES = {(h, w): (min(h, 16), 16) for h in (1, 2, 4, 8, 16) for w in (16, 32)} | {(32, 16): (16, 16), (32, 32): (16, 16)}


@dataclasses.dataclass(frozen=True, repr=False)
class Tile:
    """A tile of `tile_shape` `(height, width)`: 1, 2, 4, 8, 16 or 32 by 16 or 32. The default is 32x32.

    `transpose_tile` marks a tile that a matmul is to read transposed. Raises ArgumentError for another shape.
    """

    tile_shape: tuple[int, int] = (32, 32)
    transpose_tile: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "tile_shape", tuple(self.tile_shape))
        if self.tile_shape not in _FACES:
            raise ArgumentError(f"a tile has 1, 2, 4, 8, 16 or 32 rows and 16 or 32 columns, got {self.tile_shape}")

    def __repr__(self) -> str:
        return f"Tile with shape: [{self.tile_shape[0]}, {self.tile_shape[1]}]"

    @property
    def face_shape(self) -> tuple[int, int]:
        """Height and width of one of its faces, the blocks that the units work on."""
        return _FACES[self.tile_shape]

    @property
    def num_faces(self) -> int:
        """Faces of a tile."""
        return self._elements // (self.face_shape[0] * self.face_shape[1])

    @property
    def partial_face(self) -> bool:
        """Whether its faces have fewer than 16 rows."""
        return self.face_shape[0] < 16

    @property
    def narrow_tile(self) -> bool:
        """Whether it is one face wide."""
        return self.tile_shape[1] == 16

    @property
    def transpose_within_face(self) -> bool:
        """Whether faces are read transposed."""
        return self.transpose_tile

    @property
    def transpose_of_faces(self) -> bool:
        """Whether the faces change places."""
        return self.transpose_tile

    @property
    def _elements(self) -> int:
        return self.tile_shape[0] * self.tile_shape[1]

    def get_tile_size(self, dtype: DataType) -> int:
        """Bytes of a tile. Block floats have 16 exponents for each face, however few its rows are.

        Source: spec/numerics.md section 1.6 (measured) for 32x32; the others by general knowledge, not measured.
        """
        if dtype.element_bytes is not None:
            return self._elements * dtype.element_bytes
        mantissas = self._elements if dtype is DataType.BFLOAT8_B else self._elements // 2
        return mantissas + 16 * self.num_faces


DEFAULT_TILE = Tile()
