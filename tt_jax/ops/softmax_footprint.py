"""What a softmax over the last dimension of interleaved tensors keeps in L1."""

import math

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import bfloat16, float32
from tt_jax.footprint import Footprint, footprint, work_cores
from tt_jax.layout import TILE_SIZE
from tt_jax.tensor import TensorSpec

_CHUNK = 80  # tiles of a row that the program for very wide rows works on


def row_footprint(
    device: DeviceProfile, x: TensorSpec, mask: TensorSpec | None, *, numeric_stable: bool, fp32_dest: bool
) -> Footprint | None:
    """Of a program that takes whole rows of tiles, or chunks of them where a row would take 90% of L1. A core has a row at least.

    Source: spec/memory.md section 5.3 (measured for bfloat16: eight widths, chunks at 1024 tiles) and the recorded clashes with a mask (6
    tiles wide on N150, 4 on P150); tt-metal, softmax_program_factory_attention_optimized.cpp (as ported to Metal 2.0) for what the
    buffers are, and assumed so for other dtypes and options. Sums are kept in the format of Dst, exponentials and maxima in that of the
    input, at least bfloat16 (both measured, by their bytes). Only a bound where two readings differ: blocks that do not divide the width,
    widths near the change of programs, chunks with a mask.
    """
    if not math.prod(x.padded_shape):
        return None
    width, rows = x.padded_shape[-1] // TILE_SIZE, math.prod(x.padded_shape[:-1]) // TILE_SIZE
    most = 4 if fp32_dest else 8
    block = next(d for d in range(most, 0, -1) if width % d == 0)
    wide = (float32 if fp32_dest else bfloat16).tile_bytes
    narrow = wide if x.dtype is float32 else bfloat16.tile_bytes
    scaler = (float32 if x.dtype is float32 else bfloat16).tile_bytes
    masks = (mask.dtype if mask else bfloat16).tile_bytes
    is_copied = numeric_stable and (mask is not None or x.shape[-1] % TILE_SIZE != 0)

    def sizes(held: int, *, chunked: bool) -> list[int]:
        input_tiles = held if chunked or (numeric_stable and not is_copied) else 2 * block
        scaled = held if chunked else held + block
        return [
            input_tiles * x.dtype.tile_bytes,
            2 * block * x.dtype.tile_bytes,  # the output
            wide,  # 1 / sum
            *((wide, narrow, wide) if chunked else ()),  # sum, maximum and 1 / sum of the chunks before
            scaler,  # ones, for maxima and sums
            wide,
            held * narrow,  # exponentials
            *((scaled * narrow, bfloat16.tile_bytes, held * masks) if mask else ()),  # scores scaled, scale, mask
            masks,  # -inf for the padding
            *((narrow,) if numeric_stable else ()),  # maximum
            *((held * narrow,) if chunked or is_copied else ()),  # scores masked
        ]

    def estimate(tile: int) -> int:
        size = sizes(width, chunked=False)[0] + 2 * block * x.dtype.tile_bytes + (width + 5 + width * is_copied) * tile
        return size + ((width + block) * tile + bfloat16.tile_bytes + width * masks if mask else 0)

    limit = 0.9 * device.l1_size
    whole, chunks = sizes(width, chunked=False), sizes(_CHUNK // block * block, chunked=True)
    is_whole, is_chunked = estimate(wide) <= limit, estimate(narrow) > limit
    is_exact = -(-width // most) == width // block and (is_whole or (is_chunked and mask is None))
    buffers = whole if is_whole or (not is_chunked and sum(whole) < sum(chunks)) else chunks
    return footprint(device, buffers, work_cores(device.grid, rows, True), is_exact=is_exact)
