"""Which core holds which part of a buffer."""

import functools
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from tt_jax.cores import CoreCoord
from tt_jax.devices import DeviceProfile
from tt_jax.memory import ShardOrientation, ShardSpec, TensorMemoryLayout, placement
from tt_jax.memory.shard import ShardDistributionStrategy
from tt_jax.tensor import TensorSpec


class Chunk(NamedTuple):
    """What one bank has of a tensor in L1: `pages` pages, `size` bytes from the tensor's address."""

    bank: int
    core: CoreCoord
    size: int
    pages: int


@functools.lru_cache(maxsize=1024)
def chunks_of(spec: TensorSpec, device: DeviceProfile) -> tuple[Chunk, ...]:
    """The banks and cores of a tensor in L1 or L1_SMALL, those that have none of its pages left out.

    Interleaved pages are dealt to the banks in turn. Shards lie whole on their cores. Source: spec/memory.md section 2.2.
    """
    page = spec.aligned_page_size(device)
    if not spec.num_pages:
        return ()
    if not spec.memory_config.is_sharded():
        cores = bank_cores(*device.grid)
        banks = min(len(cores), spec.num_pages)
        counts = [len(range(bank, spec.num_pages, len(cores))) for bank in range(banks)]
        return tuple(Chunk(bank, cores[bank], pages * page, pages) for bank, pages in enumerate(counts))
    bank_of = {core: bank for bank, core in enumerate(bank_cores(*device.grid))}
    size = spec.bytes_per_bank(device)
    return tuple(Chunk(bank_of[core], core, size, size // page) for core in _shard_cores(spec))


def _shard_cores(spec: TensorSpec) -> list[CoreCoord]:
    """The cores that have shards of `spec`."""
    config, shape = spec.memory_config, spec.padded_shape
    shards = config.shard_spec or config.nd_shard_spec
    assert shards is not None  # a tensor's spec has one
    if isinstance(shards, ShardSpec):
        height, width = shards.shape
        down, across = -(-math.prod(shape[:-1]) // height), -(-shape[-1] // width)
        is_grid = config.memory_layout is TensorMemoryLayout.BLOCK_SHARDED
    else:
        *outer, across = placement.shards_along(shards, shape)
        down = math.prod(outer)
        is_grid = shards.shard_distribution_strategy is ShardDistributionStrategy.GRID_2D
    row_wise = shards.orientation is ShardOrientation.ROW_MAJOR
    cores = [core for part in shards.grid.ranges() for core in part.cores(row_wise)]
    if not is_grid:
        return cores[: down * across]
    columns, rows = (across, down) if row_wise else (down, across)
    start = shards.grid.bounding_box().start
    return [core for core in cores if core.x < start.x + columns and core.y < start.y + rows]


@functools.lru_cache(maxsize=16)
def bank_cores(columns: int, rows: int) -> tuple[CoreCoord, ...]:
    """The core of each L1 bank: the cores, row after row, shuffled as the allocator shuffles them.

    It is libstdc++'s `std::shuffle` with `std::default_random_engine(0)`, after which each bank's number is one higher (the
    last one 0). Source: the five banks of an 8x8 grid in spec/visualizer.md (measured), which fit; assumed for other grids.
    """
    cores = [CoreCoord(x, y) for y in range(rows) for x in range(columns)]
    banks = [(bank + 1) % len(cores) for bank in _shuffled(len(cores))]
    return tuple(cores[i] for i in sorted(range(len(cores)), key=banks.__getitem__))


def _shuffled(n: int) -> list[int]:
    """`std::shuffle` of `range(n)`: two swaps from one draw, and a single one first where the swaps are odd in number."""
    draw = _minstd_rand0(seed=1)  # libstdc++ replaces seed 0, from which nothing else would follow, by 1
    order = list(range(n))
    first = 1
    if n % 2 == 0 and n:
        j = _uniform(draw, 2)
        order[1], order[j] = order[j], order[1]
        first = 2
    for i in range(first, n, 2):
        for position, j in zip((i, i + 1), divmod(_uniform(draw, (i + 1) * (i + 2)), i + 2), strict=True):
            order[position], order[j] = order[j], order[position]
    return order


_MODULUS = 2**31 - 1


def _minstd_rand0(seed: int) -> Iterator[int]:
    draws = itertools.accumulate(itertools.repeat(16807), lambda state, a: state * a % _MODULUS, initial=seed)
    next(draws)
    return draws


def _uniform(draws: Iterator[int], n: int) -> int:
    """A number below `n`, as libstdc++'s `uniform_int_distribution` scales a draw of 1 to 2**31 - 2."""
    scale = (_MODULUS - 2) // n
    return next(draw - 1 for draw in draws if draw - 1 < n * scale) // scale
