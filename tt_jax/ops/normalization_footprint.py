"""What a layer norm or RMS norm of interleaved tensors keeps in L1."""

import math
from typing import Literal, NamedTuple

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import bfloat16, float32
from tt_jax.footprint import Footprint, footprint, work_cores
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.tensor import TensorSpec

_FREE_PART = 0.95  # of the L1 that is free: what the program may take


class Norm(NamedTuple):
    """A norm of `x`: its optional inputs, whether Dst has 32 bits, whether statistics are Welford's."""

    name: Literal["layer_norm", "rms_norm"]
    x: TensorSpec
    weight: TensorSpec | None
    bias: TensorSpec | None
    residual: TensorSpec | None
    fp32_dest: bool
    welford: bool

    @property
    def block(self) -> int:
        """Tiles that Dst takes at once."""
        return 4 if self.fp32_dest else 8

    @property
    def tile(self) -> int:
        """Bytes of a tile of intermediate values."""
        return (float32 if self.fp32_dest else bfloat16).tile_bytes


def row_footprint(device: DeviceProfile, norm: Norm, free: int) -> Footprint | None:
    """Of the program that keeps whole rows of tiles, or chunks of them where rows do not fit `free` bytes. A core has a row at least.

    Source: spec/memory.md section 5.3 (measured for bfloat16 tiles), the recorded errors for the least that chunks take, and tt-metal,
    layernorm_op_multi_core.cpp (as ported to Metal 2.0) for what the buffers are; so assumed for other dtypes, for ROW_MAJOR and Welford's
    statistics. Only a bound where rows fit by their size but not by the device's estimate, which counts buffers that are not there, and
    where not even the largest chunks fit: how they are cut is not known.
    """
    x = norm.x
    if not math.prod(x.padded_shape):
        return None
    tiles = -(-x.padded_shape[-1] // TILE_SIZE)
    width = -(-tiles // norm.block) * norm.block
    rows = math.prod(x.padded_shape[:-2]) * -(-x.padded_shape[-2] // TILE_SIZE) if len(x.padded_shape) > 1 else 1
    has_weights = norm.weight is not None or norm.bias is not None
    largest = (56 if has_weights or x.dtype is float32 else 112) * bfloat16.tile_bytes // norm.tile
    budget, is_exact = _FREE_PART * free, True
    whole, chunks = _sizes(norm, width, chunked=False), _sizes(norm, largest, chunked=True)
    has_row_major_weights = any(row is not None and row.layout is Layout.ROW_MAJOR for row in (norm.weight, norm.bias))
    if (has_row_major_weights and x.layout is Layout.TILE) or _estimate(norm, width) < budget:
        buffers = whole
    elif sum(chunks) > budget:
        buffers, is_exact = min(whole, _sizes(norm, norm.block, chunked=True), key=sum), False
    else:
        is_exact = sum(whole) >= budget
        buffers = chunks if is_exact or sum(chunks) < sum(whole) else whole
    return footprint(device, buffers, work_cores(device.grid, rows, True), is_exact=is_exact)


def _sizes(norm: Norm, held: int, *, chunked: bool) -> list[int]:
    """Buffers that keep `held` tiles of a row. Reciprocals of Welford's statistics lie in a tensor of the caller's."""
    x, block, tile, scalar = norm.x, norm.block, norm.tile, 2 * bfloat16.tile_bytes
    centered, is_row_major = norm.name == "layer_norm", x.layout is Layout.ROW_MAJOR
    around = block if is_row_major and chunked else held if is_row_major else 2 * block
    read = around if is_row_major and chunked else 2 * block if norm.residual else held
    row_major = 2 * block * x.dtype.tile_bytes
    given: list[tuple[bool, int]] = [
        (True, read * x.dtype.tile_bytes),
        (True, around * x.dtype.tile_bytes),  # the output
        (centered, 2 * tile),  # mean
        (not norm.welford, scalar),  # ones, for sums
        (True, scalar),  # epsilon
        (True, 2 * tile),  # variance
        (centered or norm.residual is not None or chunked, held * tile),  # x - mean
        (not norm.welford, held * tile),  # its square
        (True, 8 * tile),  # 1 / deviation
        (chunked and not norm.welford, tile),  # sum of the chunks before
        (is_row_major, row_major),  # rows before they are tiles
        (is_row_major, row_major),  # and after
        (norm.weight is not None or norm.bias is not None, 2 * block * tile),
    ]
    rows = [held * row.dtype.tile_bytes for row in (norm.weight, norm.bias) if row]
    added = [held * tile] * centered + [2 * block * norm.residual.dtype.tile_bytes] if norm.residual else []
    return [size for is_there, size in given if is_there] + rows + added


def _estimate(norm: Norm, width: int) -> int:
    """What the device counts for whole rows: every buffer, whether the norm has it or not."""
    x, block, tile = norm.x, norm.block, norm.tile
    rows = sum((row.dtype if row else bfloat16).tile_bytes for row in (norm.weight, norm.bias))
    is_row_major = x.layout is Layout.ROW_MAJOR
    output = (width + 4 * block) if is_row_major else 2 * block
    read, added = (2 * block, width) if norm.residual else (width, 2 * block)
    size = (read + output) * x.dtype.tile_bytes + width * rows + 4 * bfloat16.tile_bytes
    size += (2 * width + added + 2 * block + 12) * tile
    return size + (2 * block * norm.residual.dtype.tile_bytes if norm.residual else 0)
