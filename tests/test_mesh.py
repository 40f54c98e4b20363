"""Meshes: their shapes and chips, how arrays are spread over them and joined again, and that a chip's share is a board's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt

TILE = tt.TILE_LAYOUT
SHAPES = [(1, 8), (2, 4), (8, 1)]
MESHES = pytest.mark.parametrize("shape", SHAPES, ids=["1x8", "2x4", "8x1"])


def on_mesh(shape):
    memory = tt.MemoryState.create(tt.N150, mesh=shape)
    return memory, memory.mesh


@st.composite
def mappings(draw):
    """A mesh shape, the shape of a tensor, and a mapper for both, with the composer that undoes it (None if chips hold the same)."""
    mesh = draw(st.sampled_from([*SHAPES, (8,)]))
    counted = draw(st.sampled_from([mesh, (8,), (4, 2), (2, 4)]))
    rank = draw(st.integers(len(counted), 4))
    dims = draw(st.permutations(range(rank)))[: len(counted)]
    replicated = draw(st.lists(st.booleans(), min_size=len(counted), max_size=len(counted)))
    shape = [draw(st.integers(1, 3)) for _ in range(rank)]
    placements = []
    for size, dim, same in zip(counted, dims, replicated, strict=True):
        if not same:
            shape[dim] *= size
        placements.append(tt.PlacementReplicate() if same else tt.PlacementShard(dim - draw(st.sampled_from([0, rank]))))
    composer = (
        None if any(same and size > 1 for same, size in zip(replicated, counted, strict=True)) else (tuple(dims), counted)
    )
    return mesh, tuple(shape), tt.MeshMapperConfig(tuple(placements), counted), composer


@given(mappings())
def test_every_chip_has_its_part_and_composing_undoes_mapping(case):
    mesh_shape, shape, mapper, composer = case
    mesh = tt.Mesh(mesh_shape)
    values = np.arange(np.prod(shape)).reshape(shape)
    own, part = mapper.split("test", shape, mesh)
    parts = [values[part(coordinate)] for coordinate in mesh.coordinates()]
    assert all(x.shape == own for x in parts)
    counted = mapper.mesh_shape_override
    for number, x in enumerate(parts):
        place = np.unravel_index(number, counted)
        for axis, placement in enumerate(mapper.placements):
            if isinstance(placement, tt.PlacementShard):
                sliced = np.split(values, counted[axis], placement.dim)[place[axis]]
                assert np.isin(x, sliced).all()
    if composer is not None:
        stacked = np.stack(parts).reshape(*mesh_shape, *own)
        np.testing.assert_array_equal(tt.MeshComposerConfig(*composer).joined("test", stacked, len(shape)), values)


@MESHES
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.bfloat8_b, tt.float32, tt.uint32], ids=["bf16", "bfp8", "f32", "u32"])
def test_to_a_mesh_and_back(shape, dtype, rng):
    memory, mesh = on_mesh(shape)
    values = rng.integers(0, 64, (8, 64, 128)) if dtype is tt.uint32 else rng.normal(size=(8, 64, 128))
    values = values.astype(np.uint32 if dtype is tt.uint32 else np.float32)
    _, board = tt.from_array(tt.MemoryState.create(tt.N150), values, dtype=dtype, layout=TILE)
    for mapper, composer in (
        (tt.shard_tensor_to_mesh_mapper(mesh, 0), tt.concat_mesh_to_tensor_composer(mesh, 0)),
        (tt.shard_tensor_2d_to_mesh_mapper(shape, (1, -1)), tt.MeshComposerConfig((1, 2))),
    ):
        _, x = tt.from_array(memory, values, dtype=dtype, layout=TILE, mesh_mapper=mapper)
        assert x.spec == mapper.of_chip(board.spec, mesh) and x.array.shape == (*shape, *x.shape)
        assert x.array.sharding.is_equivalent_to(mesh.sharding, x.array.ndim)
        np.testing.assert_array_equal(
            np.asarray(tt.to_array(x, mesh_composer=composer)), np.asarray(tt.to_array(board)), strict=True
        )


def test_without_a_mapper_every_chip_has_everything(rng):
    memory, mesh = on_mesh((2, 4))
    values = rng.normal(size=(32, 32)).astype(np.float32)
    after, x = tt.from_array(memory, values, dtype=tt.bfloat16, layout=TILE)
    board, y = tt.from_array(tt.MemoryState.create(tt.N150), values, dtype=tt.bfloat16, layout=TILE)
    assert x.spec == y.spec and x.buffer == y.buffer
    assert [tuple(after.live(kind)) for kind in tt.BufferType] == [tuple(board.live(kind)) for kind in tt.BufferType]
    np.testing.assert_array_equal(np.asarray(x.array), np.broadcast_to(np.asarray(y.array), x.array.shape))
    assert {shard.device.id for shard in x.array.addressable_shards} == set(mesh.chips)
    assert all(shard.data.shape == (1, 1, 32, 32) for shard in x.array.addressable_shards)


def layer(memory, x, w, b):
    memory, h = tt.linear(memory, x, w, bias=b, activation="gelu", dtype=tt.bfloat8_b, memory_config=tt.L1_MEMORY_CONFIG)
    memory, n = tt.layer_norm(memory, h, memory_config=tt.L1_MEMORY_CONFIG)
    memory = tt.deallocate(memory, h)
    memory, s = tt.softmax(memory, n, dim=-1)
    memory, r = tt.reshape(memory, s, (x.shape[0] * x.shape[1], 128))
    return tt.deallocate(memory, n), r


@pytest.mark.parametrize(
    ("shape", "jitted"),
    [
        *((shape, False) for shape in SHAPES),
        *(pytest.param(shape, True, marks=() if shape == (2, 4) else pytest.mark.slow) for shape in SHAPES),
    ],
)
def test_a_chips_share_is_what_a_board_computes(shape, jitted, rng):
    """The same program on one board, chip by chip: values, addresses, programs."""
    values = rng.normal(size=(8, 2, 32, 64)).astype(np.float32)
    weight, bias = rng.normal(size=(64, 128)).astype(np.float32), rng.normal(size=(1, 128)).astype(np.float32)

    def run(memory, source, mapper=None):
        with tt.ProgramCache().use() as cache:
            memory, x = tt.from_array(memory, source, dtype=tt.bfloat16, layout=TILE, mesh_mapper=mapper)
            memory, w = tt.from_array(memory, weight, dtype=tt.bfloat8_b, layout=TILE)
            memory, b = tt.from_array(memory, bias, dtype=tt.bfloat16, layout=TILE)
            memory, y = (jax.jit(layer) if jitted else layer)(memory, x, w, b)
            return memory, y, None if jitted else cache.entries  # a jit that was traced before counts none

    memory, mesh = on_mesh(shape)
    after, y, programs = run(memory, values.reshape(16, 32, 64), tt.shard_tensor_to_mesh_mapper(mesh, 0))
    got = np.asarray(y.array).reshape(8, *y.shape)
    for chip in (0, 3, 7):
        board, z, entries = run(tt.MemoryState.create(tt.N150), values[chip])
        np.testing.assert_array_equal(got[chip], np.asarray(z.array))
        assert (z.spec, z.buffer, entries) == (y.spec, y.buffer, programs)
        assert [after.live(kind) for kind in tt.BufferType] == [board.live(kind) for kind in tt.BufferType]


def test_a_whole_program_gathers_nothing_that_it_need_not(rng):
    """Between the programs of one jit nothing is exchanged: only collectives are."""
    memory, mesh = on_mesh((2, 4))
    mapper = tt.shard_tensor_to_mesh_mapper(mesh, 0)
    memory, x = tt.from_array(
        memory, rng.normal(size=(16, 32, 64)).astype(np.float32), dtype=tt.bfloat16, layout=TILE, mesh_mapper=mapper
    )
    memory, w = tt.from_array(memory, np.ones((64, 128), np.float32), dtype=tt.bfloat8_b, layout=TILE)
    memory, b = tt.from_array(memory, np.ones((1, 128), np.float32), dtype=tt.bfloat16, layout=TILE)
    text = jax.jit(layer).lower(memory, x, w, b).compile().as_text()
    for exchange in ("all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter"):
        assert exchange not in text


def test_transformations_of_a_program_on_a_mesh(rng):
    memory, mesh = on_mesh((2, 4))
    mapper = tt.shard_tensor_to_mesh_mapper(mesh, 0)
    values = rng.normal(size=(8, 32, 32)).astype(np.float32)

    def program(memory, source):
        memory, x = tt.from_array(memory, source, dtype=tt.bfloat16, layout=TILE, mesh_mapper=mapper)
        memory, ones = tt.ones(memory, (1, 32, 32), tt.bfloat16, TILE)
        memory, y = tt.add(memory, x, ones)
        memory, z = tt.all_gather(memory, y, 0)
        return z.array

    eager = program(memory, values)
    np.testing.assert_array_equal(np.asarray(eager), np.asarray(jax.jit(lambda x: program(memory, x))(values)))
    batched = jax.vmap(lambda x: program(memory, x))(jnp.stack([values, 2 * values]))
    np.testing.assert_array_equal(np.asarray(batched[0]), np.asarray(eager))
    gradient = jax.grad(lambda x: program(memory, x).astype(np.float32).sum())(jnp.asarray(values))
    np.testing.assert_array_equal(np.asarray(gradient), np.full(values.shape, 8.0))


def test_scan_carries_the_memory_of_a_mesh():
    memory, _ = on_mesh((2, 4))
    memory, x = tt.from_array(memory, np.ones((32, 32), np.float32), dtype=tt.bfloat16, layout=TILE)

    def step(carry, _):
        memory, x = carry
        return tt.multiply(memory, x, 2.0, output_tensor=x), None

    (after, y), _ = jax.lax.scan(step, (memory, x), length=3)
    assert after == memory and y.buffer == x.buffer
    np.testing.assert_array_equal(np.asarray(y.array), np.full(y.array.shape, 8.0))


def test_submeshes_are_made_of_the_mesh():
    mesh = tt.Mesh((2, 4))
    assert mesh.submesh((2, 2), (0, 1)) == tt.Mesh((2, 2), (1, 2, 5, 6))
    assert mesh.submesh((1, 1), (1, 3)).chips == (7,)
    assert str(mesh) == "2x4" and tt.Mesh.parse("2x4") == mesh
    assert {tt.Mesh((2, 4)): 1}[mesh] == 1
    for shape, offset in (((1, 5), (0, 0)), ((1, 1), (2, 0)), ((1,), (0,)), ((1, 1), (0, -1)), ((0, 1), (0, 0))):
        with pytest.raises(tt.ArgumentError, match="does not lie within"):
            mesh.submesh(shape, offset)


def test_boards_on_a_mesh():
    memory = tt.MemoryState.create(tt.N150, mesh=(2, 4))
    assert memory.mesh == tt.Mesh((2, 4)) and memory.device.name == "n150"
    assert memory == tt.MemoryState.create(tt.N150, mesh=tt.Mesh((2, 4))) != tt.MemoryState.create(tt.N150)
    assert "each chip of a 2x4 mesh" in repr(memory)
    assert memory.device is tt.N150.on(tt.Mesh((2, 4))) and memory.device.on(None) == tt.N150
    assert tt.MemoryState.create(tt.N150).mesh is None


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: tt.Mesh((2, 0)), tt.ArgumentError, "1 or more chips"),
        (lambda: tt.Mesh(()), tt.ArgumentError, "1 or more chips"),
        (lambda: tt.Mesh((2, 2, 2)), tt.NotModelledError, "3 dimensions"),
        (lambda: tt.Mesh((2, 2), (0, 1, 2)), tt.ArgumentError, "needs 4 different chips"),
        (lambda: tt.Mesh((2, 1), (1, 1)), tt.ArgumentError, "needs 2 different chips"),
        (lambda: tt.Mesh((2,), (-1, 0)), tt.ArgumentError, "different chips"),
        (lambda: tt.MemoryState.create(tt.N150, mesh=8), tt.ArgumentError, r"such as \(2, 4\)"),
        (lambda: tt.MeshComposerConfig(0), tt.ArgumentError, "one for each axis"),
        (lambda: tt.MeshMapperConfig(tt.PlacementShard(0)), tt.ArgumentError, "one for each axis"),
        (lambda: tt.Mesh.parse("2 by 4"), tt.ArgumentError, "such as 2x4"),
        (lambda: tt.Mesh.parse("0x4"), tt.ArgumentError, "such as 2x4"),
        (lambda: tt.Mesh((16, 16)).devices, tt.TTError, r"needs 256 JAX devices, and there are 8 .*--chips 256"),
        (lambda: tt.MemoryState.create(tt.P100, mesh=(1, 2)), tt.ArgumentError, "no Ethernet links"),
        (lambda: tt.MeshMapperConfig((0, None)), tt.ArgumentError, "PlacementShard"),
    ],
)
def test_what_is_no_mesh(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(
    ("mapper", "match"),
    [
        (
            tt.shard_tensor_2d_to_mesh_mapper((2, 4), (0, 1)),
            r"dimension 0 of shape \(3, 32, 36\) does not divide evenly over 2 chips; pad",
        ),
        (tt.shard_tensor_2d_to_mesh_mapper((2, 4), (None, 3)), "dimension 3 does not exist"),
        (tt.shard_tensor_2d_to_mesh_mapper((2, 4), (1, -2)), "must differ"),
        (tt.shard_tensor_2d_to_mesh_mapper((2, 3), (None, 1)), "has 6 places"),
        (tt.MeshMapperConfig((tt.PlacementShard(1),)), "1 placements for a mesh of shape"),
    ],
)
def test_mappers_that_do_not_fit(mapper, match):
    memory, _ = on_mesh((2, 4))
    with pytest.raises(tt.ArgumentError, match=match):
        tt.from_array(memory, np.zeros((3, 32, 36), np.float32), layout=TILE, mesh_mapper=mapper)
    with pytest.raises(tt.ArgumentError, match="mesh_mapper"):
        tt.from_array(memory, np.zeros((32, 32), np.float32), mesh_mapper="columns")


def test_composers_that_do_not_fit():
    memory, _ = on_mesh((2, 4))
    _, x = tt.ones(memory, (32, 32), tt.bfloat16, TILE)
    for composer, match in (
        (tt.MeshComposerConfig((0,)), "1 dims for a mesh of shape"),
        (tt.MeshComposerConfig((0, 0)), "must differ"),
        (tt.MeshComposerConfig((0, 2)), "dimension 2 does not exist"),
        (tt.MeshComposerConfig((0, 1), (3, 3)), "has 9 places"),
    ):
        with pytest.raises(tt.ArgumentError, match=match):
            tt.to_array(x, mesh_composer=composer)


def test_tensors_without_values_on_a_mesh():
    memory, mesh = on_mesh((2, 4))
    mapper = tt.shard_tensor_to_mesh_mapper(mesh, 0)
    memory, x = tt.from_array(memory, jax.ShapeDtypeStruct((16, 32, 64), jnp.bfloat16), layout=TILE, mesh_mapper=mapper)
    memory, y = tt.all_gather(memory, x, 0)
    assert isinstance(y.array, jax.ShapeDtypeStruct) and y.array.shape == (2, 4, 16, 32, 64)
    assert tt.to_array(x, mesh_composer=tt.concat_mesh_to_tensor_composer(mesh, 0)).shape == (16, 32, 64)
    _, z = tt.reshape(memory, y, (16 * 32, 64))
    assert z.array.shape == (2, 4, 512, 64)


def test_tensors_of_different_meshes_are_told():
    """Whatever the shapes, and though addresses agree."""
    tensors = {}
    meshes = {"board": None, "row": (1, 4), "column": (4, 1), "others": tt.Mesh((1, 4), (4, 5, 6, 7))}
    for name, mesh in meshes.items():
        memory = tt.MemoryState.create(tt.N150, mesh=mesh)
        tensors[name] = tt.from_array(memory, np.ones((32, 32), np.float32), dtype=tt.bfloat16, layout=TILE)
    for name, (memory, x) in tensors.items():
        assert (np.asarray(tt.add(memory, x, x)[1].array) == 2).all()
        for other, (_, y) in tensors.items():
            if other != name:
                with pytest.raises(tt.ArgumentError, match="of another mesh|on different chips"):
                    tt.add(memory, x, y)
                with pytest.raises(tt.ArgumentError, match="of another mesh|on different chips"):
                    tt.relu(memory, y)


def test_a_mesh_that_comes_too_late_for_its_threads_is_told(monkeypatch):
    monkeypatch.delenv("PJRT_NPROC")
    monkeypatch.delenv("NPROC", raising=False)
    jax.devices()
    with pytest.warns(RuntimeWarning, match="JAX started before .* set PJRT_NPROC=32"):
        tt.MemoryState.create(tt.N150, mesh=(2, 4))
