"""What programs that split and join the heads of attention keep in L1, on a core for each row of tiles.

Source: spec/memory.md section 5.3 and the recorded clashes (measured for bfloat16, keys transposed or not); tt-metal,
nlp_create_qkv_heads_program_factory.cpp and nlp_concat_heads_program_factory.cpp, so assumed for other dtypes. Not known of shards.
"""

from tt_jax.devices import DeviceProfile
from tt_jax.footprint import Footprint, footprint, work_cores
from tt_jax.layout import TILE_SIZE
from tt_jax.tensor import TensorSpec

_DEPTH = 4  # tiles of each buffer


def split_footprint(specs: tuple[TensorSpec, ...], transpose_key: bool, device: DeviceProfile) -> Footprint | None:
    """Four tiles on the way from input to outputs; where keys are transposed, four more into that and four out of it."""
    x = specs[0]
    if any(spec.memory_config.is_sharded() for spec in specs):
        return None
    rows = x.num_pages * TILE_SIZE // x.padded_shape[-1]
    return footprint(device, (_DEPTH * x.page_size,) * (3 if transpose_key else 1), work_cores(device.grid, rows))


def join_footprint(x: TensorSpec, device: DeviceProfile) -> Footprint | None:
    """The tiles of all heads in a row of tiles, twice, for `x` `[batch, heads, sequence, head_size]`."""
    batch, heads, sequence, head_size = x.padded_shape
    if x.memory_config.is_sharded() or not x.num_pages:
        return None
    tiles = heads * head_size // TILE_SIZE
    return footprint(device, (2 * tiles * x.page_size,), work_cores(device.grid, batch * sequence // TILE_SIZE))
