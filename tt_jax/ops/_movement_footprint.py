"""What programs that move or convert tiles keep in L1: a few pages, on the cores that pages are dealt out to.

Source: spec/memory.md section 5.3 (measured for bfloat16 in DRAM); which buffers these are, and so how they go with other dtypes and on
which cores they lie: tt-metal's program factories of the same names. None throughout where a tensor is sharded, but for the moves
into and out of shards.
"""

import math

from tt_jax.cores import num_cores_to_corerangeset
from tt_jax.devices import DeviceProfile
from tt_jax.footprint import Footprint, footprint, work_cores
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import BufferType
from tt_jax.tensor import TensorSpec

_FACE = 16 * 16  # elements
_WIDEST = 32  # tiles of a row: other programs may take over beyond


def _are_interleaved(*specs: TensorSpec) -> bool:
    """Whether there is something to move, and no shards."""
    return not any(spec.memory_config.is_sharded() for spec in specs) and specs[-1].num_pages > 0


def _are_tiles(*specs: TensorSpec) -> bool:
    return _are_interleaved(*specs) and all(spec.layout is Layout.TILE for spec in specs)


def typecast_footprint(x: TensorSpec, y: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """Two pages of each (measured from bfloat16 to bfloat8_b)."""
    if not _are_interleaved(x, y):
        return None
    cores = work_cores(device.grid, x.num_pages, x.layout is Layout.ROW_MAJOR)
    return footprint(device, (2 * x.page_size, 2 * y.page_size), cores)


def copy_footprint(x: TensorSpec, y: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """Two tiles, and two of the output if its dtype is another (assumed). Not known of rows."""
    if not _are_tiles(x, y):
        return None
    converted = (2 * y.page_size,) if y.dtype is not x.dtype else ()
    return footprint(device, (2 * x.page_size, *converted), work_cores(device.grid, y.num_pages))


def concat_footprint(inputs: tuple[TensorSpec, ...], y: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """Two pages of the output, one where two are more than half of L1 (read in source, as is how rows are aligned)."""
    if not _are_interleaved(*inputs, y):
        return None
    in_dram = BufferType.DRAM in (inputs[0].memory_config.buffer_type, y.memory_config.buffer_type)
    alignment = device.dram_alignment if in_dram else device.l1_alignment
    page = y.page_size if y.layout is Layout.TILE else -(-y.page_size // alignment) * alignment
    pages = 2 if 2 * page <= device.l1_size // 2 - device.l1_unreserved_base else 1
    return footprint(device, (pages * page,), work_cores(device.grid, y.num_pages))


def slice_footprint(x: TensorSpec, y: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """Two tiles, and a number for each dimension (measured for four). Not known of rows."""
    if not _are_tiles(x, y):
        return None
    return footprint(device, (2 * x.page_size, 4 * len(x.shape)), work_cores(device.grid, y.num_pages))


def permute_footprint(dims: tuple[int, ...], x: TensorSpec, y: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """Of the programs that transpose the last two dimensions of tiles, or the two before the last; not known of others.

    The first has two tiles in and two out, the second two tiles, and a face of padding if its new rows are not whole tiles.
    """
    rank = len(dims)
    if not _are_tiles(x, y) or not 2 <= rank <= 4:
        return None
    if dims == (*range(rank - 2), rank - 1, rank - 2):
        return footprint(device, (2 * x.page_size, 2 * y.page_size), work_cores(device.grid, x.num_pages))
    if dims != (*range(rank - 3), rank - 2, rank - 3, rank - 1) or x.dtype.element_bytes is None:
        return None
    padding = (_FACE * x.dtype.element_bytes,) if x.shape[-3] % TILE_SIZE else ()
    units = max(x.num_pages, y.num_pages // (y.padded_shape[-2] // y.tile.tile_shape[0]))
    return footprint(device, (2 * x.page_size, *padding), work_cores(device.grid, units))


def _rows_and_width(tiled: TensorSpec) -> tuple[int, int]:
    return math.prod(tiled.padded_shape[:-1]) // TILE_SIZE, tiled.padded_shape[-1] // TILE_SIZE


def _row_by_row(x: TensorSpec, y: TensorSpec, rows: int, width: int, device: DeviceProfile) -> Footprint | None:
    """A row of tiles in and one out, rows dealt out to the cores. Not known of rows longer than 32 tiles."""
    if not rows or not _are_interleaved(x, y) or width > _WIDEST:
        return None
    each = -(-rows // device.l1_banks)
    cores = num_cores_to_corerangeset(-(-rows // each), device.grid, True)
    return footprint(device, (width * x.dtype.tile_bytes, width * y.dtype.tile_bytes), cores)


def tilize_footprint(x: TensorSpec, y: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """A row of tiles in and one out (measured for whole tiles; with padding read in source)."""
    return _row_by_row(x, y, *_rows_and_width(y), device)


def untilize_footprint(x: TensorSpec, y: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """A part of a row of tiles twice in and twice out: rows are cut into as many equal parts as there are cores for each row.

    Where padding is left out, a row of tiles in and one out, by another program (untilize_with_unpadding, read in source).

    Source: reference data, mha_traces `capture_peak` (the sizes fit all runs on four boards: 4 to 96 rows of 12 to 32 bfloat16 tiles;
    which cores have them is assumed). Not known of parts longer than 32 tiles.
    """
    rows, width = _rows_and_width(x)
    if not rows or not _are_interleaved(x, y):
        return None
    if y.shape[-2:] != x.padded_shape[-2:]:
        return _row_by_row(x, y, rows, width, device)
    parts = next(parts for parts in range(max(1, min(width, device.l1_banks // rows)), 0, -1) if width % parts == 0)
    part = width // parts
    if part > _WIDEST:
        return None
    cores = num_cores_to_corerangeset(min(rows * parts, device.l1_banks), device.grid, True)
    return footprint(device, (2 * part * x.dtype.tile_bytes, 2 * part * y.dtype.tile_bytes), cores, kind="circular")


def shard_footprint(sharded: TensorSpec, other: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """Of a move between shards in L1 and an interleaved tensor of tiles: nothing, unless it converts, through a shard of the other dtype.

    That nothing is kept is measured into shards, and read in source out of them.
    """
    config = sharded.memory_config
    shards = config.shard_spec
    if shards is None or config.buffer_type is not BufferType.L1 or sharded.layout is not Layout.TILE:
        return None
    pages = shards.shape[0] * shards.shape[1] // TILE_SIZE**2
    converted = (pages * other.page_size,) if other.dtype is not sharded.dtype else ()
    return footprint(device, converted, shards.grid)
