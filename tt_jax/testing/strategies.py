"""Hypothesis strategies: shapes, memory configs, tensor specs, and arrays and tensors whose values a dtype holds exactly.

    from hypothesis import given
    from tt_jax.testing import strategies as tts

    @given(x=tts.arrays(tt.bfloat8_b, (32, 64)))
    def test_my_kernel(x): ...

Arrays come from a drawn seed and a drawn kind of data, so that large ones cost no more than small ones and Hypothesis shrinks the kind, not
the elements. Where JAX compiles once per shape, draw values from many and shapes from few: `arrays(dtype, st.sampled_from([...]))`.

Importing this raises NotInstalledError where hypothesis is missing.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from tt_jax.cores import CoreCoord, CoreRange, CoreRangeSet
from tt_jax.devices import N150, DeviceProfile
from tt_jax.dtypes import DataType, bfloat4_b, bfloat8_b, bfloat16, float32, int32, uint8, uint16, uint32
from tt_jax.errors import ArgumentError, NotInstalledError
from tt_jax.kernels import numerics
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.measures import named_dtype
from tt_jax.memory import (
    DRAM_MEMORY_CONFIG,
    L1_MEMORY_CONFIG,
    BufferType,
    MemoryConfig,
    MemoryState,
    ShardOrientation,
    ShardSpec,
    TensorMemoryLayout,
)
from tt_jax.program import place
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.testing import _data

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ImportError as e:
    raise NotInstalledError(
        "tt_jax.testing.strategies draws its values with hypothesis, which is not installed: pip install hypothesis, or tt-jax[test], "
        "which has it"
    ) from e

T = TypeVar("T")
Shape = tuple[int, ...]

DTYPES = (bfloat16, float32, bfloat8_b, bfloat4_b, int32, uint32, uint16, uint8)
"""The dtypes that operations compute with."""
_SHARDED = (TensorMemoryLayout.HEIGHT_SHARDED, TensorMemoryLayout.WIDTH_SHARDED, TensorMemoryLayout.BLOCK_SHARDED)


def shapes(*, min_rank: int = 2, max_rank: int = 4, max_side: int = 96, max_batch: int = 3) -> SearchStrategy[Shape]:
    """Shapes whose last two sides lie at and beside the edges of faces and tiles, up to `max_side`; the others go up to `max_batch`.

    None is empty. Raises ArgumentError unless 0 <= min_rank <= max_rank and the sides are at least 1.
    """
    if not 0 <= min_rank <= max_rank or max_side < 1 or max_batch < 1:
        raise ArgumentError(
            "shapes: give 0 <= min_rank <= max_rank and sides of at least 1, got "
            f"{min_rank=}, {max_rank=}, {max_side=}, {max_batch=}"
        )
    edges = {side for edge in range(0, max_side + 2, 16) for side in (edge - 1, edge, edge + 1) if 1 <= side <= max_side}
    side, batch = st.sampled_from(sorted(edges)) | st.integers(1, max_side), st.integers(1, max_batch)

    def of_rank(rank: int) -> SearchStrategy[Shape]:
        return st.tuples(*[batch] * max(rank - 2, 0), *[side] * min(rank, 2))

    return st.integers(min_rank, max_rank).flatmap(of_rank)


@st.composite
def memory_configs(
    draw: st.DrawFn, /, shape: Sequence[int] | None = None, layout: Layout = Layout.TILE, device: DeviceProfile = N150
) -> MemoryConfig:
    """Memory configs that a tensor of `shape` and `layout` can have on `device`: interleaved in DRAM and L1, and sharded in L1.

    Without a shape, or for an empty tensor, only interleaved ones, which suit any tensor. Whether they fit depends on the memory.
    """
    if shape is None or 0 in shape or not draw(st.booleans()):
        return draw(st.sampled_from([DRAM_MEMORY_CONFIG, L1_MEMORY_CONFIG]))
    kind = draw(st.sampled_from(_SHARDED))
    unit = TILE_SIZE if layout is Layout.TILE else 1
    *batch, height, width = (1,) * (2 - len(shape)) + tuple(shape)
    height = math.prod(batch) * (-(-height // unit) * unit)
    orientation = draw(st.sampled_from(ShardOrientation))
    by_rows = orientation is ShardOrientation.ROW_MAJOR
    columns, rows = device.grid
    if kind is TensorMemoryLayout.BLOCK_SHARDED:
        most_down, most_across = (rows, columns) if by_rows else (columns, rows)
    else:
        is_high = kind is TensorMemoryLayout.HEIGHT_SHARDED
        most_down, most_across = (columns * rows, 1) if is_high else (1, columns * rows)
    shard_height, down = draw(_shards(height, unit, most_down))
    # Rows of a ROW_MAJOR tensor are padded to whole shards: shards that divide them leave the shape as it is.
    shard_width, across = draw(_shards(width, unit, most_across, exact=layout is Layout.ROW_MAJOR))
    if kind is TensorMemoryLayout.BLOCK_SHARDED:
        x, y = (across, down) if by_rows else (down, across)
    else:
        x = min(down * across, columns)
        y = -(-down * across // x)
    grid = CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(x - 1, y - 1))])
    return MemoryConfig(kind, BufferType.L1, ShardSpec(grid, (shard_height, shard_width), orientation))


def _shards(size: int, unit: int, most: int, exact: bool = False) -> SearchStrategy[tuple[int, int]]:
    """(extent of a shard in whole units, shards) of a side of `size`, at most `most` of them; `exact` if they divide it."""
    units = -(-size // unit)
    counts = [n for n in range(1, min(units, most) + 1) if not exact or units % n == 0]
    extents = sorted({-(-units // n) for n in counts}, reverse=True)
    return st.sampled_from(extents).map(lambda extent: (extent * unit, -(-units // extent)))


@st.composite
def tensor_specs(
    draw: st.DrawFn,
    /,
    shape: SearchStrategy[Shape] | Shape | None = None,
    dtypes: Sequence[DataType] = DTYPES,
    layouts: Sequence[Layout] = (Layout.TILE, Layout.ROW_MAJOR),
    memory_config: SearchStrategy[MemoryConfig] | MemoryConfig | None = None,
    device: DeviceProfile = N150,
) -> TensorSpec:
    """Specs of tensors that `device` can hold, but for their size. Block floats have TILE layout, whatever `layouts` says.

    By default the shape comes from `shapes()`, the memory config from `memory_configs` for the drawn shape and layout.
    """
    shape = _drawn(draw, shapes() if shape is None else shape)
    dtype = draw(st.sampled_from(dtypes))
    layout = Layout.TILE if dtype.is_block_float else draw(st.sampled_from(layouts))
    config = memory_configs(shape, layout, device) if memory_config is None else memory_config
    return TensorSpec(shape, dtype, layout, _drawn(draw, config))


def _drawn(draw: st.DrawFn, value: SearchStrategy[T] | T) -> T:
    return draw(value) if isinstance(value, SearchStrategy) else value


def arrays(
    dtype: DataType | str,
    shape: Shape | SearchStrategy[Shape],
    *,
    exponents: tuple[int, int] | None = None,
    allow_subnormal: bool = False,
    allow_infinity: bool = False,
    allow_nan: bool = False,
) -> SearchStrategy[npt.NDArray[Any]]:
    """NumPy arrays of `dtype`'s carrier (bfloat16 for block floats), with values that `dtype` holds exactly.

    Kinds of data, the simplest first: zeros; small whole numbers; values like a normal distribution's; one or many scales, zeros
    among them; and ties, values half-way between neighbours of the next narrower dtype (float32, bfloat16, bfloat8_b, bfloat4_b).
    Groups of 16 along the last axis share an exponent in a block float, so they are groups of any scale there. Integers are small,
    anything, or at the ends of their range.

    Args:
        exponents: magnitudes lie from 2**exponents[0] to below 2**exponents[1]; (-30, 30) by default, so that products and long sums
            of them stay normal float32 numbers. All of float32's are (-126, 128). For integers, below 2**exponents[1] only.
        allow_subnormal: some elements are subnormal or -0, which the device reads as +0. A block float has none.
        allow_infinity: some elements are infinite; in a block float, the rest of the group is then above 2**121 or zero.
        allow_nan: likewise NaN.

    Raises ArgumentError for a dtype without operations, exponents out of float32's, and special values in an integer dtype.
    """
    found = named_dtype(dtype)
    options = _data.Options(
        *_data.checked_exponents(found, exponents),
        allow_subnormal=allow_subnormal,
        allow_infinity=allow_infinity,
        allow_nan=allow_nan,
    )
    if not found.is_float and (allow_subnormal or allow_infinity or allow_nan):
        raise ArgumentError(f"arrays: {found.kernel_name} has neither subnormals nor infinities nor NaN")
    make = functools.partial(_data.make, found, options)
    # Small seeds would be drawn more often, and shrunk to for nothing; a number is what the error message shows.
    seeds = st.integers(0, 2**32 - 1)
    kinds = st.sampled_from(_data.kinds(found))
    return st.builds(make, kinds, seeds, st.just(shape) if isinstance(shape, tuple) else shape)


@st.composite
def tensors(
    draw: st.DrawFn,
    /,
    spec: SearchStrategy[TensorSpec] | TensorSpec | None = None,
    memory: MemoryState | None = None,
    **options: Any,
) -> tuple[MemoryState, Tensor]:
    """A memory with a tensor in it, allocated in `memory` (by default an empty N150), and the tensor.

    `spec` is by default drawn from `tensor_specs()`; `options` are those of `arrays`. Draw several tensors by passing on the memory. Raises
    OutOfMemoryError where a spec does not fit.
    """
    found = _drawn(draw, tensor_specs() if spec is None else spec)
    array = draw(arrays(found.dtype, found.shape, **options))
    if found.dtype.is_float and not numerics.is_rounded():
        array = array.astype(np.float32)
    # Not `from_array`, which would compile its conversion for each shape: the values are the dtype's own.
    after, buffer = place(MemoryState.create(N150) if memory is None else memory, found, "tensors")
    return after, Tensor(jnp.asarray(array), found, buffer)
