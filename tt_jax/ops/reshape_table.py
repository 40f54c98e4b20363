"""The table that a reshape of tiles keeps in DRAM: which stretches of which input tiles make up each output tile.

ttnn computes it on the host when it builds the program, puts it on the device after the output, and keeps it for as long as the
program is in the program cache. A stretch ("segment") is a run of elements that follow one another in an input tile and in an
output tile as they are stored, face by face. The table has a page for each output tile: four integers per segment (input tile,
where in it, where in the output tile, how many elements), as many segments for each input tile as the most cut up of them has.
All pages are as long as the longest, and as ttnn rounds: `n + n % 16` segments for n.

Source: tenstorrent/tt-metal, reshape_tiled_program_factory.cpp (read in source, 01840686ca7a); reference data, op_specs and errors
(measured: every recorded case).
"""

import functools
import math

import numpy as np

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import uint32
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG
from tt_jax.tensor import TensorSpec
from tt_jax.tile import Tile

_FIELDS = 4

Volume = tuple[int, int, int]


def table_spec(x: TensorSpec, y: TensorSpec, device: DeviceProfile) -> TensorSpec | None:
    """The table of the program that reshapes `x` to `y` (of the same dtype and volume); None in ROW_MAJOR layout, which needs none."""
    if x.layout is not Layout.TILE or not math.prod(x.shape):
        return None
    segments = _most_segments(_volume(x.shape, x.tile), _volume(y.shape, x.tile), x.tile)
    segments += segments % device.l1_alignment
    pages = math.prod(y.padded_shape) // math.prod(x.tile.tile_shape)
    return TensorSpec((pages, _FIELDS * segments), uint32, Layout.ROW_MAJOR, DRAM_MEMORY_CONFIG)


def _volume(shape: tuple[int, ...], tile: Tile) -> Volume:
    """`shape` as matrices: `(count, height, width)`. Single rows of whole tiles are cut up into those: each tile has one row."""
    height, width = ((1, 1) + shape)[-2:]
    count, wide = math.prod(shape[:-2]), tile.tile_shape[1]
    return (count * width // wide, 1, wide) if height == 1 and width % wide == 0 else (count, height, width)


@functools.lru_cache(maxsize=256)
def _most_segments(x: Volume, y: Volume, tile: Tile) -> int:
    """Segments in the longest page of the table.

    Pages come again with the period of the two tensors, so only that many elements are looked at.
    """
    starts, ends = _pieces(x, y, tile)
    source, source_offset = _stored(starts, x, tile)
    page, offset = _stored(starts, y, tile)
    row, column = _within(starts, y, tile)
    # ttnn goes through an output tile row by row, across its faces.
    order = np.argsort((page * tile.tile_shape[0] + row) * tile.tile_shape[1] + column, kind="stable")
    length, page, offset, source, source_offset = (a[order] for a in (ends - starts, page, offset, source, source_offset))
    follows = np.zeros(len(order), bool)
    follows[1:] = (
        (page[1:] == page[:-1])
        & (source[1:] == source[:-1])
        & (offset[1:] == offset[:-1] + length[:-1])
        & (source_offset[1:] == source_offset[:-1] + length[:-1])
    )
    many = source.max() + 1
    pairs, segments = np.unique((page * many + source)[~follows], return_counts=True)
    _, first, sources = np.unique(pairs // many, return_index=True, return_counts=True)
    return int((sources * np.maximum.reduceat(segments, first)).max())


def _pieces(x: Volume, y: Volume, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices at which pieces start and end: the longest that lie in one row of a face in both tensors."""
    size = math.lcm(_period(x, tile), _period(y, tile))
    is_start = np.zeros(size, bool)
    for _, _, width in (x, y):
        is_start[np.add.outer(np.arange(0, size, width), np.arange(0, width, tile.face_shape[1]))] = True
    starts = np.flatnonzero(is_start)
    return starts, np.append(starts[1:], size)


def _period(volume: Volume, tile: Tile) -> int:
    """After how many elements the same places in a tile come again."""
    _, height, width = volume
    high = tile.tile_shape[0]
    return width * (high if height % high == 0 else height)


def _within(flat: np.ndarray, volume: Volume, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Row and column in their tile of elements of flat index `flat`."""
    _, height, width = volume
    return flat // width % height % tile.tile_shape[0], flat % width % tile.tile_shape[1]


def _stored(flat: np.ndarray, volume: Volume, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Where elements of flat index `flat` are stored: the tile, and the place in it."""
    _, height, width = volume
    (high, wide), (face_high, face_wide) = tile.tile_shape, tile.face_shape
    row, column = _within(flat, volume, tile)
    matrix, tile_row, tile_column = flat // (height * width), flat // width % height // high, flat % width // wide
    tiles = (matrix * -(-height // high) + tile_row) * -(-width // wide) + tile_column
    face = row // face_high * (wide // face_wide) + column // face_wide
    return tiles, (face * face_high + row % face_high) * face_wide + column % face_wide
