"""The table that a reshape of tiles keeps in DRAM: against every recorded call, and element by element."""

import math

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import recorded
import tt_jax as tt
import tt_jax.ttnn as ttnn
from tt_jax.events import observed_by
from tt_jax.ops import reduction
from tt_jax.ops.reshape_table import table_spec
from tt_jax.tile import Tile

REDUCTIONS = {f"ttnn.{name}": getattr(reduction, name) for name in ("sum", "mean", "max", "min")}
OPERATIONS = ("ttnn.reshape", "ttnn.matmul", "ttnn.linear", *REDUCTIONS)
TILES = [Tile(shape) for shape in ((32, 32), (16, 32), (32, 16), (8, 32), (1, 16))]


def table_bytes(x, y, device):
    """Bytes of the table in the fullest DRAM bank, before the allocator rounds up; 0 without a table."""
    spec = table_spec(x, y, device)
    return 0 if spec is None else spec.bytes_per_bank(device)


def tiles(shape, tile=TILES[0], dtype=tt.bfloat16):
    return tt.TensorSpec(shape, dtype, tt.TILE_LAYOUT, tt.DRAM_MEMORY_CONFIG, tile)


def calls():
    for board in ("wormhole_n150", "blackhole_p150"):
        for kind in ("op_specs", "errors"):
            for i, case in enumerate(recorded.load(kind, board)["cases"]):
                in_scope = case["op"] in REDUCTIONS or recorded.is_in_scope(case)
                if case["op"] in OPERATIONS and in_scope and case["result"].get("outputs"):
                    yield pytest.param(board, case, id=f"{board}-{kind}-{i}-{case['op']}-{case.get('name', '')}")


def kept_bytes(case, device):
    """What a recorded call left in each DRAM bank besides its outputs."""
    result = case["result"]
    new = [recorded.tensor_spec(x) for x in result["outputs"] if "same_address_as_input" not in x]
    in_dram = [x.bytes_per_bank(device) for x in new if x.memory_config.buffer_type is tt.BufferType.DRAM]
    rounded = [-(-size // device.dram_alignment) * device.dram_alignment for size in in_dram]
    return result["after"]["DRAM"][0] - result["before"]["DRAM"][0] - sum(rounded)


@pytest.mark.parametrize("board, case", list(calls()))
def test_a_call_keeps_the_tables_of_its_reshapes(board, case, cache, monkeypatch):
    for name, operation in REDUCTIONS.items():
        monkeypatch.setitem(recorded.OPERATIONS, name, operation)
    memory, tensors = recorded.prepare(tt.MemoryState.create(recorded.BOARDS[board]), case)
    events = []
    with observed_by(events.append):
        recorded.call(memory, case, tensors)
    reshapes = [event for event in events if event.launch is not None and event.name == "reshape"]
    tables = [table_bytes(event.inputs[0].spec, event.outputs[0].spec, memory.device) for event in reshapes]
    assert sum(tables) == kept_bytes(case, memory.device)


def stored(shape, tile):
    """Of each element of a tensor of rank 3: its tile, and where in it; face by face, as the hardware's documents have it."""
    (high, wide), (face_high, face_wide) = tile.tile_shape, tile.face_shape
    rows, columns = -(-shape[1] // high), -(-shape[2] // wide)
    places = []
    for matrix in range(shape[0]):
        for row in range(shape[1]):
            for column in range(shape[2]):
                page = (matrix * rows + row // high) * columns + column // wide
                in_tile = np.ravel_multi_index(
                    (row % high // face_high, column % wide // face_wide, row % face_high, column % face_wide),
                    (high // face_high, wide // face_wide, face_high, face_wide),
                )
                places.append((page, int(in_tile)))
    return places


def counted_segments(x, y, tile):
    """Segments of the longest page, one output element after the other."""
    pages, before = {}, None
    source = stored(x, tile)
    order = sorted(range(math.prod(y)), key=lambda i: tile_order(i, y, tile))
    target = stored(y, tile)
    for i in order:
        here = (target[i], source[i])
        counts = pages.setdefault(target[i][0], {})
        follows = before is not None and here == tuple((page, place + 1) for page, place in before)
        counts[source[i][0]] = counts.get(source[i][0], 0) + (not follows)
        before = here
    return max(len(counts) * max(counts.values()) for counts in pages.values())


def tile_order(i, shape, tile):
    """The order of elements: tile by tile, then row by row within a tile."""
    matrix, row, column = np.unravel_index(i, shape)
    high, wide = tile.tile_shape
    return matrix, row // high, column // wide, row, column


@st.composite
def two_shapes(draw):
    """Two shapes of rank 3 and one volume."""
    factors = draw(st.lists(st.sampled_from([2, 2, 2, 3, 5, 16, 17, 32]), max_size=5).filter(lambda f: math.prod(f) <= 4096))
    shapes = []
    for _ in range(2):
        places = [draw(st.integers(0, 2)) for _ in factors]
        shapes.append(
            tuple(math.prod(f for f, place in zip(factors, places, strict=True) if place == axis) for axis in range(3))
        )
    return shapes


@hypothesis.given(two_shapes(), st.sampled_from(TILES))
def test_pages_are_as_long_as_counted(shapes, tile):
    x, y = shapes
    n = counted_segments(x, y, tile)
    pages = math.prod(tiles(y, tile).padded_shape) // math.prod(tile.tile_shape)
    assert table_spec(tiles(x, tile), tiles(y, tile), tt.N150).shape == (pages, 4 * (n + n % 16))


def test_what_the_table_is():
    table = table_spec(tiles((4, 64)), tiles((8, 32)), tt.N150)
    assert (table.dtype, table.layout, table.memory_config) == (tt.uint32, tt.ROW_MAJOR_LAYOUT, tt.DRAM_MEMORY_CONFIG)
    # Leading dimensions of one and the dtype change nothing.
    assert table == table_spec(tiles((1, 1, 4, 64), dtype=tt.float32), tiles((1, 8, 32), dtype=tt.float32), tt.N150)
    assert table_bytes(tiles((128, 32)), tiles((4096,)), tt.N150) == 11 * 16 * 4  # 128 pages over 12 banks, 2 + 2 segments each


def test_no_table():
    rows = [tt.TensorSpec(shape, tt.bfloat16, tt.ROW_MAJOR_LAYOUT, tt.DRAM_MEMORY_CONFIG) for shape in ((4, 64), (8, 32))]
    for x, y in (rows, (tiles((0, 64)), tiles((8, 0)))):
        assert table_spec(x, y, tt.N150) is None
        assert table_bytes(x, y, tt.N150) == 0


def test_a_device_keeps_the_table_with_the_program_and_frees_it_with_the_cache():
    device = ttnn.open_device(device_id=11, compute=False)
    x = ttnn.empty((32, 64), dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    allocated = lambda: ttnn.get_memory_view(device, ttnn.BufferType.DRAM).total_bytes_allocated_per_bank
    before = allocated()
    y = ttnn.reshape(x, (64, 32))
    table = allocated() - before - 2048
    assert table > 0
    z = ttnn.reshape(x, (64, 32))  # a hit: no second table
    assert allocated() == before + 2 * 2048 + table
    del y, z
    assert allocated() == before + table
    device.clear_program_cache()
    assert allocated() == before
    ttnn.reshape(x, (64, 32))
    device.program_cache.clear()  # by another door
    assert allocated() == before
    device.disable_and_clear_program_cache()
    ttnn.reshape(x, (64, 32))  # no program is kept, and no table
    assert allocated() == before
    ttnn.close_device(device)


def test_a_table_without_room_leaves_everything_as_it_was():
    device = ttnn.open_device(device_id=12, compute=False)
    x = ttnn.empty((32, 64), dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    free = ttnn.get_memory_view(device, ttnn.BufferType.DRAM).total_bytes_free_per_bank
    device.memory, _ = device.memory.allocate(ttnn.BufferType.DRAM, free - 2048)  # room for the output, a tile in a bank, only
    before = device.memory
    with pytest.raises(tt.OutOfMemoryError, match="the program of reshape on n150 cannot place .* uint32 ROW_MAJOR in DRAM"):
        ttnn.reshape(x, (64, 32))
    assert device.memory == before and device.num_program_cache_entries() == 0
    ttnn.close_device(device)


def test_a_functional_memory_has_no_table():
    memory = tt.MemoryState.create(tt.N150)
    values = jax.ShapeDtypeStruct((32, 64), jnp.bfloat16)
    memory, x = tt.from_array(memory, values, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    with tt.ProgramCache().use():
        after, y = tt.reshape(memory, x, (64, 32))
    assert tt.deallocate(after, y) == memory
