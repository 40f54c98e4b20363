"""Over which cores convolutions and poolings spread their outputs.

Source: tt-metal's public host code, read in commits before 0.81.1 (documented, not measured). Where nothing says how to shard,
newer versions weigh the L1 that each way takes; the older rule here, `_preferred`, looks at the number of cores alone (assumed).
"""

from typing import Any

from tt_jax.conv_configs import Conv2dConfig, Op2DSliceConfig, SliceType
from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet, num_cores_to_corerangeset
from tt_jax.devices import DeviceProfile
from tt_jax.errors import ArgumentError
from tt_jax.layout import TILE_SIZE
from tt_jax.memory import DRAM_MEMORY_CONFIG, BufferType, MemoryConfig, TensorMemoryLayout
from tt_jax.memory.shard import ShardOrientation, ShardSpec

_HEIGHT, _WIDTH, _BLOCK = (
    TensorMemoryLayout.HEIGHT_SHARDED,
    TensorMemoryLayout.WIDTH_SHARDED,
    TensorMemoryLayout.BLOCK_SHARDED,
)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _cores_with_padding(count: int, most: int, multiple: int = 1) -> int:
    """The most cores, up to `most`, among which `count` tiles (in `multiple`s) can be dealt so that none is left without."""
    cores = most
    while cores > 1:
        padded = _up(count, cores * multiple)
        if padded - count < padded // cores:
            break
        cores -= 1
    return cores


def _common_divisor(a: int, b: int, most: int) -> int:
    return next(cores for cores in range(most, 0, -1) if a % cores == 0 and b % cores == 0)


def _split(orientation: ShardOrientation, x: int, y: int) -> tuple[int, int]:
    """(cores along rows, cores along channels) of a grid of `x` columns and `y` rows of cores."""
    return (x, y) if orientation is ShardOrientation.COL_MAJOR else (y, x)


def _grid(
    scheme: TensorMemoryLayout,
    device: DeviceProfile,
    rows: int,
    inputs: int,
    outputs: int,
    orientation: ShardOrientation,
    block: int,
) -> CoreRangeSet:
    """The cores that share `rows` pixels and their channels in shards of whole tiles; `block` rows of tiles at a time."""
    tiles, in_tiles, out_tiles = (-(-size // TILE_SIZE) for size in (rows, inputs, outputs))
    x, y = device.grid
    if scheme is _HEIGHT:
        return num_cores_to_corerangeset(_cores_with_padding(tiles, x * y, block), device.grid, True)
    if scheme is _WIDTH:
        return num_cores_to_corerangeset(_common_divisor(in_tiles, out_tiles, x * y), device.grid, True)
    along, across = _split(orientation, x, y)
    along, across = _cores_with_padding(tiles, along, block), _common_divisor(in_tiles, out_tiles, across)
    columns, lines = (along, across) if orientation is ShardOrientation.COL_MAJOR else (across, along)
    return CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(columns - 1, lines - 1))])


def _preferred(
    device: DeviceProfile, rows: int, inputs: int, outputs: int, orientation: ShardOrientation
) -> TensorMemoryLayout:
    height, width, block = (
        _grid(scheme, device, rows, inputs, outputs, orientation, 1).num_cores() for scheme in (_HEIGHT, _WIDTH, _BLOCK)
    )
    best, scheme = block, _BLOCK
    if height > best or (height == best and height <= device.grid[0]):
        best, scheme = height, _HEIGHT
    return _WIDTH if width >= best else scheme


def _dealt(
    scheme: TensorMemoryLayout, grid: CoreRangeSet, orientation: ShardOrientation, rows: int, channels: int
) -> MemoryConfig:
    """Shards of whole tiles of `rows` pixels with `channels` over `grid`, in L1."""
    box = grid.bounding_box().grid_size()
    along, across = {
        _HEIGHT: (grid.num_cores(), 1),
        _WIDTH: (1, grid.num_cores()),
        _BLOCK: _split(orientation, box.x, box.y),
    }[scheme]
    shape = _up(rows, along * TILE_SIZE) // along, _up(channels, across * TILE_SIZE) // across
    return MemoryConfig(scheme, BufferType.L1, ShardSpec(grid, shape, orientation))


def conv_output(
    name: str,
    device: DeviceProfile,
    asked: MemoryConfig | None,
    config: Conv2dConfig,
    slices: Op2DSliceConfig | None,
    x: MemoryConfig,
    rows: int,
    inputs: int,
    outputs: int,
) -> MemoryConfig:
    """Where a convolution puts its `rows` pixels of `outputs` channels, given an input of `inputs` channels in `x`.

    As asked; else interleaved DRAM from DRAM, unless `slices` says that everything is in L1; else in shards: as the config says, as
    the input is, or as `_preferred`. An `asked` config without shards gets those. Raises ArgumentError for a config that names
    no sharded layout or no cores.
    """
    if asked is not None and (not asked.is_sharded() or asked.shard_spec is not None or asked.nd_shard_spec is not None):
        return asked
    in_l1 = x.buffer_type is BufferType.L1 if slices is None else slices.slice_type is SliceType.L1Full
    if asked is None and not in_l1:
        return DRAM_MEMORY_CONFIG
    orientation = ShardOrientation.COL_MAJOR if config.transpose_shards else ShardOrientation.ROW_MAJOR
    given: Any = asked.memory_layout if asked is not None else config.shard_layout
    if given is not None and given not in (_HEIGHT, _WIDTH, _BLOCK):
        raise ArgumentError(f"{name}: `shard_layout` must be HEIGHT_SHARDED, WIDTH_SHARDED or BLOCK_SHARDED, got {given!r}")
    grid: CoreRangeSet | None = None
    if config.override_sharding_config or config.override_output_sharding_config:
        if not isinstance(config.core_grid, CoreRangeSet):
            raise ArgumentError(f"{name}: an overridden sharding needs `core_grid`, a CoreRangeSet; got {config.core_grid!r}")
        grid = config.core_grid
    elif x.shard_spec is not None and given in (None, x.memory_layout) and not config.reshard_if_not_optimal:
        given, grid, orientation = x.memory_layout, x.shard_spec.grid, x.shard_spec.orientation
    scheme = given or _preferred(device, rows, inputs, outputs, orientation)
    if grid is None or scheme is _WIDTH:
        block = max(1, config.act_block_h_override // TILE_SIZE)
        grid = _grid(scheme, device, rows, inputs, outputs, orientation, block)
    return _dealt(scheme, grid, orientation if scheme is _BLOCK else ShardOrientation.ROW_MAJOR, rows, outputs)


def pool_output(x: MemoryConfig, rows: int, tiled: bool) -> MemoryConfig:
    """Where a pooling puts `rows` pixels of an input in `x`: on the same cores if it is sharded, else in interleaved DRAM."""
    spec = x.shard_spec
    if spec is None:
        return DRAM_MEMORY_CONFIG
    box = spec.grid.bounding_box().grid_size()
    along = {_HEIGHT: spec.num_cores(), _WIDTH: 1}.get(x.memory_layout) or _split(spec.orientation, box.x, box.y)[0]
    multiple = TILE_SIZE if tiled else 1
    width = _up(spec.shape[1], multiple)
    return x.with_shard_spec(ShardSpec(spec.grid, (_up(rows, along * multiple) // along, width), spec.orientation))


def scaled(x: MemoryConfig, rows: float, channels: int = 1) -> MemoryConfig:
    """`x` with shards of `rows` times the rows and `channels` times the channels; itself if it has no shard spec."""
    spec = x.shard_spec
    if spec is None:
        return x
    shape = int(spec.shape[0] * rows), spec.shape[1] * channels
    return x.with_shard_spec(ShardSpec(spec.grid, shape, spec.orientation))


def rows_over(grid: CoreRangeSet, rows: int, channels: int) -> MemoryConfig:
    """`rows` of `channels` in shards of equal height over `grid`, in L1."""
    spec = ShardSpec(grid, (-(-rows // grid.num_cores()), channels), ShardOrientation.ROW_MAJOR)
    return MemoryConfig(_HEIGHT, BufferType.L1, spec)
