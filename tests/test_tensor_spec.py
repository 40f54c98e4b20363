"""TensorSpec and Tensor: pages and padding, against recorded tensors and the rules they follow; and the tensor as a pytree."""

import collections
import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import recorded
import tt_jax as tt
from tt_jax.tile import Tile

TILE, ROW_MAJOR = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
DRAM, L1 = tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG

# Bytes of a tile and of an element, and the dtype of the array that carries the values.
DTYPES = {
    tt.bfloat16: (2048, 2, "bfloat16"),
    tt.float32: (4096, 4, "float32"),
    tt.bfloat8_b: (1088, None, "bfloat16"),
    tt.bfloat4_b: (576, None, "bfloat16"),
    tt.uint32: (4096, 4, "uint32"),
    tt.int32: (4096, 4, "int32"),
    tt.uint16: (2048, 2, "uint16"),
    tt.uint8: (1024, 1, "uint8"),
}
BLOCK_FLOATS = [tt.bfloat8_b, tt.bfloat4_b]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=[dtype.kernel_name for dtype in DTYPES])


def recorded_tensors():
    groups = collections.defaultdict(list)
    for board in recorded.BOARDS:
        for trace in recorded.load("alloc_traces", board)["traces"]:
            for step in trace["steps"]:
                if "out" in step:
                    spec = step["spec"]
                    groups[board, spec["dtype"], spec["layout"], spec["mem"]["layout"]].append(step)
    return groups


RECORDED = recorded_tensors()


@pytest.mark.parametrize("group", RECORDED, ids="-".join)
def test_recorded_tensors(group):
    device = recorded.BOARDS[group[0]]
    for step in RECORDED[group]:
        spec = recorded.tensor_spec(step["spec"])
        found = {
            "padded_shape": list(spec.padded_shape),
            "pages": spec.num_pages,
            "page_size": spec.page_size,
            "aligned_page_size": spec.aligned_page_size(device),
        }
        assert found == {key: step["out"][key] for key in found}


def test_every_kind_of_tensor_was_recorded_on_every_board():
    layouts = {dtype: [TILE] if dtype.is_block_float else [TILE, ROW_MAJOR] for dtype in DTYPES}
    kinds = {(dtype.kernel_name, layout.name) for dtype, some in layouts.items() for layout in some}
    assert {group[:3] for group in RECORDED} == {(board, *kind) for board in recorded.BOARDS for kind in kinds}
    placements = {(layout.name, placement.name) for layout in tt.Layout for placement in tt.TensorMemoryLayout}
    assert {group[2:] for group in RECORDED} == {kind for kind in placements if kind[1] != "ND_SHARDED"}


@every_dtype
def test_facts_of_a_dtype(dtype):
    tile_bytes, element_bytes, carrier = DTYPES[dtype]
    assert (dtype.tile_bytes, dtype.element_bytes, dtype.carrier) == (tile_bytes, element_bytes, jnp.dtype(carrier))
    assert dtype.is_block_float == (dtype in BLOCK_FLOATS)
    assert dtype.is_float == (carrier in ("bfloat16", "float32"))
    assert tt.DataType[dtype.kernel_name.upper()] is dtype


# shape, the shape in whole tiles, tiles, rows
SHAPES = [
    ((), (32, 32), 1, 1),
    ((1,), (32, 32), 1, 1),
    ((33,), (32, 64), 2, 1),
    ((7, 13), (32, 32), 1, 7),
    ((32, 32), (32, 32), 1, 32),
    ((3, 33, 65), (3, 64, 96), 18, 99),
    ((2, 3, 1, 4), (2, 3, 32, 32), 6, 6),
    ((2, 1, 3, 1, 31, 33), (2, 1, 3, 1, 32, 64), 12, 186),
    ((0, 64), (0, 64), 0, 0),
    ((2, 0), (32, 0), 0, 0),
    ((0, 5, 5), (0, 32, 32), 0, 0),
]


@every_dtype
@pytest.mark.parametrize("shape, padded, tiles, rows", SHAPES)
def test_tiles(dtype, shape, padded, tiles, rows):
    spec = tt.TensorSpec(shape, dtype, TILE)
    assert (spec.padded_shape, spec.num_pages, spec.page_size) == (padded, tiles, DTYPES[dtype][0])
    for device in tt.PROFILES.values():
        for config, banks in ((DRAM, device.dram_banks), (L1, device.l1_banks)):
            placed = spec.replace(memory_config=config)
            assert placed.aligned_page_size(device) == spec.page_size
            assert placed.bytes_per_bank(device) == -(-tiles // banks) * spec.page_size


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype not in BLOCK_FLOATS])
@pytest.mark.parametrize("shape, padded, tiles, rows", SHAPES)
def test_rows(dtype, shape, padded, tiles, rows):
    spec = tt.TensorSpec(shape, dtype, ROW_MAJOR)
    row = math.prod(shape[-1:]) * DTYPES[dtype][1] if rows else 4  # source: the recorded `zero_dim_rm`
    assert (spec.padded_shape, spec.num_pages, spec.page_size) == (shape, rows, row)
    for device in tt.PROFILES.values():
        for config, banks, alignment in ((DRAM, device.dram_banks, device.dram_alignment), (L1, device.l1_banks, 16)):
            placed = spec.replace(memory_config=config)
            aligned = math.ceil(row / alignment) * alignment
            assert placed.aligned_page_size(device) == aligned
            assert placed.bytes_per_bank(device) == math.ceil(rows / banks) * aligned


# Source: spec/memory.md section 2.2, measured.
@pytest.mark.parametrize("device, in_l1, in_dram", [(tt.N150, 208, 224), (tt.P150, 208, 256)])
def test_an_unaligned_row(device, in_l1, in_dram):
    spec = tt.TensorSpec((5, 100), tt.bfloat16, ROW_MAJOR)
    assert spec.page_size == 200
    assert spec.replace(memory_config=L1).aligned_page_size(device) == in_l1
    assert spec.aligned_page_size(device) == in_dram


@pytest.mark.parametrize("dtype", BLOCK_FLOATS)
def test_block_floats_have_no_row_major_layout(dtype):
    text = f"{dtype.kernel_name} shares exponents within tiles: its layout must be TILE, not ROW_MAJOR"
    with pytest.raises(tt.ArgumentError, match=text):
        tt.TensorSpec((32, 32), dtype, ROW_MAJOR)
    with pytest.raises(tt.ArgumentError, match=text):
        tt.TensorSpec((32, 32), tt.bfloat16, ROW_MAJOR).replace(dtype=dtype)


def test_negative_dimensions():
    with pytest.raises(tt.ArgumentError, match=r"shape \(-1, 64\) has a negative dimension"):
        tt.TensorSpec((-1, 64), tt.bfloat16, TILE)


def test_specs_are_values():
    spec = tt.TensorSpec((2, 3), tt.float32, TILE, L1)
    assert spec == tt.TensorSpec((2, 3), tt.float32, TILE, tt.MemoryConfig(buffer_type=tt.BufferType.L1))
    assert hash(spec) == hash(spec.replace())
    changes = [dict(shape=(3, 2)), dict(dtype=tt.int32), dict(layout=ROW_MAJOR), dict(memory_config=DRAM)]
    others = [spec.replace(**change) for change in changes]
    assert len({spec, *others}) == 5
    for change, other in zip(changes, others, strict=True):
        assert other != spec
        assert {name: getattr(other, name) for name in change} == change
    assert spec != "2x3 float32 TILE in L1" == str(spec)
    assert str(tt.TensorSpec((), tt.uint8, ROW_MAJOR)) == "scalar uint8 ROW_MAJOR in DRAM"
    with pytest.raises(dataclasses.FrozenInstanceError, match="shape"):
        spec.shape = (1,)


def test_a_tensor_cannot_be_changed():
    _, x = make((2, 3))
    for field in ("array", "spec", "buffer"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=field):
            setattr(x, field, None)
    y = dataclasses.replace(x, array=x.array + 1)
    assert (y.spec, y.buffer) == (x.spec, x.buffer) and (y.array == x.array + 1).all()


def test_an_interleaved_tensor_does_not_live_in_l1_small():
    spec = tt.TensorSpec((32, 32), tt.bfloat16, TILE, tt.MemoryConfig(buffer_type=tt.BufferType.L1_SMALL))
    with pytest.raises(tt.ArgumentError, match="an interleaved tensor lives in DRAM or L1, not L1_SMALL"):
        spec.bytes_per_bank(tt.N150)


def make(shape=(2, 40, 7), dtype=tt.bfloat16, layout=TILE):
    values = np.arange(math.prod(shape)).reshape(shape).astype(dtype.carrier)
    return tt.from_array(tt.MemoryState.create(tt.N150), values, dtype=dtype, layout=layout, memory_config=L1)


def same(x, y):
    return x.spec == y.spec and x.buffer == y.buffer and x.array.dtype == y.array.dtype and bool((x.array == y.array).all())


@every_dtype
def test_a_tensor_carries_its_unpadded_values(dtype):
    _, x = make(dtype=dtype)
    assert x.array.shape == x.shape == (2, 40, 7)
    assert x.array.dtype == dtype.carrier
    assert (x.padded_shape, x.dtype, x.layout, x.memory_config) == ((2, 64, 32), dtype, TILE, L1)
    assert x.address == x.buffer.address == 1_499_136 - dtype.tile_bytes
    assert repr(x).startswith(f"Tensor(2x40x7 {dtype.kernel_name} TILE in L1 at {x.address}, ")


@every_dtype
def test_a_tensor_is_a_pytree_of_one_leaf(dtype):
    _, x = make(dtype=dtype)
    leaves, structure = jax.tree.flatten(x)
    assert len(leaves) == 1 and leaves[0] is x.array
    assert same(jax.tree.unflatten(structure, leaves), x)
    assert same(jax.jit(lambda x: x)(x), x)
    assert same(jax.device_put(x), x)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(x)]
    assert paths == [".array"]


def test_the_structure_tells_tensors_apart():
    memory, x = make()
    _, elsewhere = tt.to_memory_config(memory, x, DRAM)
    _, other_dtype = make(dtype=tt.bfloat8_b)
    structures = {jax.tree.structure(tensor) for tensor in (x, elsewhere, other_dtype)}
    assert len(structures) == 3
    assert jax.tree.structure(make()[1]) in structures
    with pytest.raises(ValueError, match="metadata|pytree"):
        jax.tree.map(jnp.add, x, elsewhere)


def test_vmap_adds_axes_to_the_array_only():
    memory, x = make((32, 32))
    batch = jax.tree.map(lambda array: jnp.stack([array, 2 * array]), x)
    y = jax.vmap(lambda x: tt.add(memory, x, x)[1])(batch)
    assert y.spec == x.spec
    assert y.array.shape == (2, 32, 32)
    assert (tt.to_array(y) == 2 * batch.array).all()


@pytest.mark.parametrize("height", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("width", [16, 32])
def test_tiles_of_other_shapes(height, width):
    tile = Tile([height, width])
    assert (tile.tile_shape, repr(tile)) == ((height, width), f"Tile with shape: [{height}, {width}]")
    face = tile.face_shape
    assert face[0] * face[1] * tile.num_faces == height * width
    assert (tile.partial_face, tile.narrow_tile) == (height < 16, width == 16)
    assert not tile.transpose_within_face and Tile((height, width), True).transpose_of_faces
    for dtype, (_, element_bytes, _) in DTYPES.items():
        if element_bytes:
            assert tile.get_tile_size(dtype) == height * width * element_bytes
    spec = tt.TensorSpec((3, 33, 65), tt.float32, TILE, L1, tile)
    rows, columns = -(-33 // height), -(-65 // width)
    assert spec.padded_shape == (3, rows * height, columns * width)
    assert (spec.num_pages, spec.page_size) == (3 * rows * columns, 4 * height * width)
    assert spec == spec.replace(tile=Tile((height, width))) and spec.replace(dtype=tt.uint8).tile == tile
    same = (height, width) == (32, 32)
    assert (spec == spec.replace(tile=Tile())) == (hash(spec) == hash(spec.replace(tile=Tile()))) == same


@every_dtype
def test_the_tile_of_the_device(dtype):
    assert Tile().get_tile_size(dtype) == dtype.tile_bytes
    assert make(dtype=dtype)[1].tile == Tile((32, 32))


@pytest.mark.parametrize("shape", [(32, 8), (24, 32), (32,), (0, 32)])
def test_no_such_tile(shape):
    with pytest.raises(tt.ArgumentError, match="a tile has 1, 2, 4, 8, 16 or 32 rows and 16 or 32 columns"):
        Tile(shape)
