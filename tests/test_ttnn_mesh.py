"""Mesh devices on the facade: opened, cut, reshaped; tensors spread over them and gathered; the errors of wrong use."""

import gc

import jax
import numpy as np
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn

SHAPES = [(1, 8), (2, 4), (8, 1)]
TILE = ttnn.TILE_LAYOUT


@pytest.fixture(params=SHAPES, ids=["1x8", "2x4", "8x1"])
def mesh_device(request):
    device = ttnn.open_mesh_device(ttnn.MeshShape(*request.param))
    yield device
    ttnn.close_mesh_device(device)


@pytest.fixture
def device():
    device = ttnn.open_mesh_device(ttnn.MeshShape(2, 4))
    yield device
    ttnn.close_mesh_device(device)


def values_of(rng, *shape):
    return rng.integers(-64, 64, shape).astype(np.float32)


def put(values, device, mapper=None, dtype=ttnn.bfloat16):
    return ttnn.from_numpy(values, dtype, layout=TILE, device=device, mesh_mapper=mapper)


def test_what_a_mesh_device_is(mesh_device):
    assert isinstance(mesh_device, ttnn.MeshDevice) and mesh_device.get_num_devices() == 8
    rows, columns = mesh_device.shape
    assert mesh_device.shape.mesh_size() == rows * columns == 8
    assert mesh_device.get_device_ids() == list(range(8)) and mesh_device.get_device_id((rows - 1, columns - 1)) == 7
    assert f"{rows}x{columns} grid, 8 devices" in repr(mesh_device)
    with pytest.raises(tt.ArgumentError, match="not in a mesh"):
        mesh_device.get_device_id((rows, 0))
    assert ttnn.get_num_devices() == len(ttnn.get_device_ids()) == len(ttnn.get_pcie_device_ids()) == 8
    assert ttnn.GetNumAvailableDevices() == ttnn.get_num_pcie_devices() == 8


def test_mappers_and_their_composers(mesh_device, rng):
    rows, columns = mesh_device.shape
    values = values_of(rng, 8, 8, 32, 32)
    one = ttnn.ShardTensorToMesh(mesh_device, dim=1)
    two = ttnn.ShardTensor2dMesh(mesh_device, mesh_shape=(rows, columns), dims=(0, 1))
    for mapper, composer, shape in (
        (one, ttnn.ConcatMeshToTensor(mesh_device, dim=1), (8, 1, 32, 32)),
        (ttnn.shard_tensor_to_mesh_mapper(mesh_device, 0), ttnn.concat_mesh_to_tensor_composer(mesh_device, 0), (1, 8, 32, 32)),
        (
            two,
            ttnn.ConcatMesh2dToTensor(mesh_device, mesh_shape=(rows, columns), dims=(0, 1)),
            (8 // rows, 8 // columns, 32, 32),
        ),
        (
            ttnn.create_mesh_mapper(mesh_device, ttnn.MeshMapperConfig([ttnn.PlacementShard(0), ttnn.PlacementShard(1)])),
            ttnn.create_mesh_composer(mesh_device, ttnn.MeshComposerConfig([0, 1])),
            (8 // rows, 8 // columns, 32, 32),
        ),
    ):
        x = put(values, mesh_device, mapper)
        assert x.shape == shape and x.device() is mesh_device
        np.testing.assert_array_equal(ttnn.to_numpy(x, mesh_composer=composer).astype(np.float32), values)
        host = ttnn.from_numpy(values, ttnn.bfloat16, layout=TILE, mesh_mapper=mapper)
        assert host.shape == shape and host.device() is None
        np.testing.assert_array_equal(
            ttnn.to_numpy(host.to(mesh_device).cpu(), mesh_composer=composer).astype(np.float32), values
        )
    with ttnn.distribute(one):
        assert put(values, mesh_device).shape == (8, 1, 32, 32)
    with ttnn.distribute(ttnn.ConcatMeshToTensor(mesh_device, dim=1)):
        np.testing.assert_array_equal(ttnn.to_numpy(put(values, mesh_device, one)).astype(np.float32), values)


def test_replicated_tensors(mesh_device, rng):
    values = values_of(rng, 32, 64)
    for mapper in (None, ttnn.ReplicateTensorToMesh(mesh_device), ttnn.replicate_tensor_to_mesh_mapper(mesh_device)):
        x = put(values, mesh_device, mapper)
        assert x.shape == (32, 64)
        parts = ttnn.get_device_tensors(x)
        assert len(parts) == 8
        for part in parts:
            np.testing.assert_array_equal(ttnn.to_numpy(part).astype(np.float32), values)
    stacked = ttnn.to_numpy(x, mesh_composer=ttnn.ConcatMeshToTensor(mesh_device, dim=0))
    np.testing.assert_array_equal(stacked.astype(np.float32), np.tile(values, (8, 1)))
    zeros = ttnn.zeros((32, 32), ttnn.bfloat16, TILE, mesh_device)
    assert len(ttnn.get_device_tensors(zeros + 1)) == 8
    drawn = ttnn.get_device_tensors(ttnn.rand((32, 32), mesh_device, mesh_mapper=ttnn.ReplicateTensorToMesh(mesh_device)))
    np.testing.assert_array_equal(ttnn.to_numpy(drawn[0]), ttnn.to_numpy(drawn[7]))


def test_operations_run_on_every_chip(mesh_device, rng):
    values, weight = values_of(rng, 8, 1, 32, 64) / 16, values_of(rng, 64, 32) / 16
    x = put(values, mesh_device, ttnn.ShardTensorToMesh(mesh_device, dim=0))
    w = put(weight, mesh_device)
    y = ttnn.softmax(x @ w, dim=-1)
    got = ttnn.to_numpy(y, mesh_composer=ttnn.ConcatMeshToTensor(mesh_device, dim=0))
    board = ttnn.open_device(device_id=77)
    expected = ttnn.to_numpy(ttnn.softmax(put(values, board) @ put(weight, board), dim=-1))
    np.testing.assert_array_equal(got, expected)
    ttnn.close_device(board)


def test_collectives_of_handles(device, rng):
    values = values_of(rng, 2, 4, 32, 32)
    x = put(values, device, ttnn.ShardTensor2dMesh(device, mesh_shape=(2, 4), dims=(0, 1)))
    gathered = ttnn.all_gather(x, dim=1, cluster_axis=1, num_links=2, topology=ttnn.Topology.Linear, subdevice_id=None)
    assert gathered.shape == (1, 4, 32, 32)
    np.testing.assert_array_equal(ttnn.to_numpy(ttnn.get_device_tensors(gathered)[3])[0].astype(np.float32), values[0])
    total = ttnn.all_reduce(x, cluster_axis=0)
    np.testing.assert_array_equal(
        ttnn.to_numpy(ttnn.get_device_tensors(total)[6]).astype(np.float32)[0, 0], values[:, 2].sum(0)
    )
    part = ttnn.reduce_scatter(gathered, dim=1, cluster_axis=1, topology=ttnn.Topology.Ring)
    np.testing.assert_array_equal(ttnn.to_numpy(ttnn.get_device_tensors(part)[5]).astype(np.float32)[0, 0], 4 * values[1, 1])
    again = ttnn.mesh_partition(gathered, dim=1, cluster_axis=1)
    np.testing.assert_array_equal(
        ttnn.to_numpy(again, mesh_composer=ttnn.ConcatMesh2dToTensor(device, (2, 4), (0, 1))).astype(np.float32), values
    )
    sent = ttnn.point_to_point(x, ttnn.MeshCoordinate((0, 0)), ttnn.MeshCoordinate((1, 3)), topology=ttnn.Topology.Linear)
    np.testing.assert_array_equal(ttnn.to_numpy(ttnn.get_device_tensors(sent)[7]).astype(np.float32)[0, 0], values[0, 0])
    assert len(ttnn.all_broadcast(x, cluster_axis=1)) == 4
    assert ttnn.broadcast(x, ttnn.MeshCoordinate(0, 1)).shape == x.shape
    assert ttnn.all_to_all(gathered, 2, 1, cluster_axis=1).shape == (1, 1, 128, 32)


def test_parts_of_chips_and_their_whole(device, rng):
    values = values_of(rng, 8, 32, 32)
    x = put(values, device, ttnn.ShardTensorToMesh(device, dim=0))
    parts = ttnn.get_device_tensors(x)
    assert [part.shape for part in parts] == [(1, 32, 32)] * 8
    for join in (ttnn.aggregate_as_tensor, ttnn.combine_device_tensors):
        assert join(parts).buffer_address() == x.buffer_address()
    turned = ttnn.aggregate_as_tensor(parts[::-1], device)
    assert turned.buffer_address() != x.buffer_address()
    composer = ttnn.ConcatMeshToTensor(device, dim=0)
    np.testing.assert_array_equal(ttnn.to_numpy(turned, mesh_composer=composer).astype(np.float32), values[::-1])
    shards = ttnn.from_host_shards([ttnn.from_numpy(v, ttnn.bfloat16, layout=TILE) for v in values], ttnn.MeshShape(2, 4))
    np.testing.assert_array_equal(
        ttnn.to_numpy(shards.to(device), mesh_composer=composer).astype(np.float32).reshape(8, 32, 32), values
    )
    lone = ttnn.from_numpy(values[0])
    assert ttnn.get_device_tensors(lone)[0].shape == (32, 32) and ttnn.aggregate_as_tensor([lone]) is lone


def test_host_tensors_of_a_mesh(device, rng):
    """What the host does to one tensor it does to each chip's."""
    values = values_of(rng, 8, 32, 32)
    host = ttnn.from_numpy(values, ttnn.bfloat16, layout=TILE, mesh_mapper=ttnn.ShardTensorToMesh(device, dim=0))
    composer = ttnn.ConcatMeshToTensor(device, dim=0)
    assert ttnn.reshape(host, (32, 32)).shape == (32, 32)
    padded = host.pad((1, 64, 32), (0, 0, 0), 3.0)
    got = ttnn.to_numpy(padded, mesh_composer=composer).astype(np.float32)
    np.testing.assert_array_equal(got, np.pad(values, ((0, 0), (0, 32), (0, 0)), constant_values=3))
    np.testing.assert_array_equal(
        ttnn.to_numpy(padded.unpad((0, 0, 0), (1, 32, 32)), mesh_composer=composer).astype(np.float32), values
    )
    assert ttnn.to_dtype(host, ttnn.float32).shape == (1, 32, 32)
    copy = put(values * 0, device, ttnn.ShardTensorToMesh(device, dim=0))
    ttnn.copy_host_to_device_tensor(host, copy)
    np.testing.assert_array_equal(ttnn.to_numpy(copy, mesh_composer=composer).astype(np.float32), values)
    assert "[[" in str(copy) and "[[" in str(host)


def test_files_of_a_mesh(device, rng, tmp_path):
    values = values_of(rng, 8, 32, 32)
    mapper, composer = ttnn.ShardTensorToMesh(device, dim=0), ttnn.ConcatMeshToTensor(device, dim=0)
    for _ in range(2):  # written, then read
        x = ttnn.as_tensor(
            values,
            ttnn.bfloat8_b,
            layout=TILE,
            device=device,
            mesh_mapper=mapper,
            cache_file_name=tmp_path / "x",
            memory_config=ttnn.L1_MEMORY_CONFIG,
        )
        assert x.shape == (1, 32, 32) and x.memory_config() == ttnn.L1_MEMORY_CONFIG
        np.testing.assert_allclose(ttnn.to_numpy(x, mesh_composer=composer), values, atol=1)
    whole = ttnn.as_tensor(
        values, ttnn.bfloat8_b, device=device, mesh_mapper=ttnn.ReplicateTensorToMesh(device), cache_file_name=tmp_path / "x"
    )
    assert whole.shape == (8, 32, 32)  # another distribution is written anew
    ttnn.dump_tensor(tmp_path / "y", x)
    loaded = ttnn.load_tensor(tmp_path / "y", device)
    np.testing.assert_array_equal(ttnn.to_numpy(loaded, mesh_composer=composer), ttnn.to_numpy(x, mesh_composer=composer))


def test_parameters_of_models_are_mapped(device, rng):
    torch = pytest.importorskip("torch")
    weight, bias = torch.rand(64, 32), torch.rand(64)
    preprocessing = ttnn.model_preprocessing
    mapper = ttnn.ShardTensorToMesh(device, dim=-1)
    w = preprocessing.preprocess_linear_weight(weight, dtype=ttnn.float32, weights_mesh_mapper=mapper)
    b = preprocessing.preprocess_linear_bias(bias, dtype=ttnn.float32, weights_mesh_mapper=mapper)
    assert w.shape == (32, 8) and b.shape == (1, 8)
    composer = ttnn.ConcatMeshToTensor(device, dim=-1)
    assert torch.equal(ttnn.to_torch(w, mesh_composer=composer), weight.T)
    assert torch.equal(ttnn.to_torch(b, mesh_composer=composer), bias.reshape(1, -1))


def test_submeshes(device, rng):
    halves = device.create_submeshes(ttnn.MeshShape(1, 4))
    assert [half.get_device_ids() for half in halves] == [[0, 1, 2, 3], [4, 5, 6, 7]] and device.get_submeshes() == halves
    values = values_of(rng, 4, 32, 32)
    for half in halves:
        x = put(values, half, ttnn.ShardTensorToMesh(half, dim=0)) * 2
        got = ttnn.to_numpy(x, mesh_composer=ttnn.ConcatMeshToTensor(half, dim=0)).astype(np.float32)
        np.testing.assert_array_equal(got, 2 * values)
    corner = device.create_submesh(ttnn.MeshShape(1, 1), ttnn.MeshCoordinate(1, 3))
    assert corner.get_device_ids() == [7] and put(values, corner).shape == (4, 32, 32)
    for call, match in (
        (lambda: device.create_submesh((2, 4), (0, 1)), "does not lie within"),
        (lambda: device.create_submeshes((1, 3)), "do not cover"),
        (lambda: ttnn.add(x, put(values, device)), "two devices"),
    ):
        with pytest.raises(tt.ArgumentError, match=match):
            call()


def test_closing_a_mesh_closes_its_submeshes():
    device = ttnn.open_mesh_device((1, 8))
    half = device.create_submesh((1, 4))
    ttnn.close_mesh_device(device)
    assert not half.is_open
    with pytest.raises(tt.TTError, match="closed"):
        ttnn.zeros((32, 32), device=half)


def test_reshaping_a_mesh(rng):
    device = ttnn.open_mesh_device((2, 4))
    device.reshape(ttnn.MeshShape(1, 8))
    values = values_of(rng, 8, 32, 32)
    x = put(values, device, ttnn.ShardTensorToMesh(device, dim=0))
    assert device.shape == (1, 8) and ttnn.all_gather(x, 0, cluster_axis=1).shape == (8, 32, 32)
    with pytest.raises(tt.TTError, match="tensors are allocated"):
        device.reshape((2, 4))
    with pytest.raises(tt.ArgumentError, match="cannot become"):
        device.reshape((2, 2))
    ttnn.close_mesh_device(device)


def test_chips_by_number():
    device = ttnn.open_mesh_device((1, 2), physical_device_ids=[5, 2])
    assert device.get_device_ids() == [5, 2]
    x = ttnn.ones((32, 32), device=device)
    assert sorted(shard.device.id for shard in x._functional().array.addressable_shards) == [2, 5]
    with pytest.raises(tt.ArgumentError, match="is the id of MeshDevice"):
        ttnn.open_device(device_id=device.id())
    ttnn.close_mesh_device(device)
    assert ttnn.open_mesh_device(ttnn.MeshShape(1, 1)) is ttnn.open_device(device_id=0)
    ttnn.close_device(ttnn.open_device(device_id=0))
    device = ttnn.open_mesh_device()
    assert device.shape == (1, 8)
    ttnn.visualize_mesh_device(device)
    ttnn.close_mesh_device(device)


def test_memory_is_per_chip_and_freed_with_its_handles(device, rng):
    before = device.memory
    x = put(values_of(rng, 8, 32, 32), device, ttnn.ShardTensorToMesh(device, dim=0))
    assert ttnn.get_memory_view(device, ttnn.BufferType.DRAM).total_bytes_allocated_per_bank == 2048
    y = ttnn.all_gather(x, 0)
    assert ttnn.get_memory_view(device, ttnn.BufferType.DRAM).total_bytes_allocated_per_bank == 4096
    gc.disable()
    del x, y
    gc.enable()
    assert device.memory == before


def test_a_mesh_that_computes_nothing():
    device = ttnn.open_mesh_device((32, 8), compute=False)
    assert device.get_num_devices() == 256  # more than JAX has
    x = ttnn.from_numpy(
        np.ones((256, 32, 32), np.float32),
        ttnn.bfloat16,
        layout=TILE,
        device=device,
        mesh_mapper=ttnn.ShardTensorToMesh(device, dim=0),
    )
    y = ttnn.all_gather(x, 0, cluster_axis=0)
    assert y.shape == (32, 32, 32)
    assert ttnn.to_numpy(x, mesh_composer=ttnn.ConcatMeshToTensor(device, dim=0)).shape == (256, 32, 32)
    assert len(ttnn.get_device_tensors(x)) == 256
    ttnn.close_mesh_device(device)


def test_functionalized_programs_on_a_mesh(rng):
    memory = tt.MemoryState.create(tt.N150, mesh=(2, 4))
    values = rng.normal(size=(64, 128)).astype(np.float32)
    memory, x = tt.from_array(
        memory, values, dtype=tt.bfloat16, layout=TILE, mesh_mapper=tt.shard_tensor_2d_to_mesh_mapper((2, 4), (0, 1))
    )

    def program(x):
        return ttnn.all_reduce(x * 2 + ttnn.ones((32, 32), ttnn.bfloat16, TILE, x.device()), cluster_axis=1)

    run = tt.functionalize(program)
    after, eager = run(memory, x)
    jitted_after, jitted = jax.jit(run)(memory, x)
    assert after == jitted_after
    np.testing.assert_array_equal(np.asarray(eager.array), np.asarray(jitted.array))


def test_a_trace_on_a_mesh(device, rng):
    values = values_of(rng, 8, 32, 32) // 8  # sums that bfloat16 holds
    mapper, composer = ttnn.ShardTensorToMesh(device, dim=0), ttnn.ConcatMeshToTensor(device, dim=0)
    x = put(values, device, mapper)
    ttnn.all_reduce(x)
    trace = ttnn.begin_trace_capture(device)
    y = ttnn.all_reduce(x)
    ttnn.end_trace_capture(device, trace)
    ttnn.copy_host_to_device_tensor(ttnn.from_numpy(2 * values, ttnn.bfloat16, layout=TILE, mesh_mapper=mapper), x)
    ttnn.execute_trace(device, trace)
    got = ttnn.to_numpy(y, mesh_composer=composer).astype(np.float32)
    np.testing.assert_array_equal(got[5], 2 * values.sum(0))
    ttnn.release_trace(device, trace)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda d, x: ttnn.to_numpy(x), tt.ArgumentError, "pass a mesh_composer"),
        (lambda d, x: ttnn.to_numpy(x, mesh_composer="all"), tt.ArgumentError, "must be made by ttnn"),
        (lambda d, x: put(np.zeros((8, 2, 2)), d, "rows"), tt.ArgumentError, "must be made by ttnn"),
        (lambda d, x: put(np.zeros((9, 2, 2)), d, ttnn.ShardTensorToMesh(d, dim=0)), tt.ArgumentError, "pad it to 16"),
        (
            lambda d, x: put(np.zeros((8, 2)), d, ttnn.ShardTensorToMesh(d, dim=2)),
            tt.ArgumentError,
            "dimension 2 does not exist",
        ),
        (
            lambda d, x: ttnn.from_numpy(np.zeros((8, 2), np.float32), mesh_mapper=ttnn.MeshMapperConfig([])),
            tt.ArgumentError,
            "needs a device",
        ),
        (lambda d, x: ttnn.ShardTensorToMesh(3, dim=0), tt.ArgumentError, "Device"),
        (
            lambda d, x: ttnn.zeros((8, 8), device=d, mesh_mapper=ttnn.ShardTensorToMesh(d, dim=0)),
            tt.NotModelledError,
            "from_torch",
        ),
        (lambda d, x: ttnn.all_to_all_dispatch(x), tt.NotModelledError, "all_gather"),
        (lambda d, x: ttnn.zeros((8, 8), device=d, mesh_mapper="x"), tt.ArgumentError, "must be made by ttnn"),
        (lambda d, x: ttnn.aggregate_as_tensor([x] * 8, d), tt.ArgumentError, "already"),
        (lambda d, x: ttnn.open_mesh_device((1, 2), offset=(1, 0)), tt.ArgumentError, "single row"),
        (lambda d, x: d.get_device_id((-1, -1)), tt.ArgumentError, "not in a mesh"),
        (lambda d, x: d.get_device_id((1,)), tt.ArgumentError, "not in a mesh"),
        (lambda d, x: ttnn.get_device_tensors(3), tt.ArgumentError, "ttnn.Tensor"),
        (lambda d, x: ttnn.aggregate_as_tensor([]), tt.ArgumentError, "one or more"),
        (lambda d, x: ttnn.aggregate_as_tensor(ttnn.get_device_tensors(x)[:3], d), tt.ArgumentError, "one for each"),
        (
            lambda d, x: ttnn.aggregate_as_tensor([ttnn.from_numpy(np.zeros(n, np.float32)) for n in (2, 3)]),
            tt.ArgumentError,
            "one spec",
        ),
        (
            lambda d, x: ttnn.from_host_shards([ttnn.from_numpy(np.zeros(2, np.float32))], (2, 4)),
            tt.ArgumentError,
            "one for each place",
        ),
        (lambda d, x: ttnn.open_mesh_device((4, 4)), tt.TTError, "needs 16 JAX devices"),
        (lambda d, x: ttnn.open_mesh_device((2, 2, 2)), tt.NotModelledError, "3 dimensions"),
        (lambda d, x: ttnn.to_device(x.cpu(), d.create_submesh((1, 4))), tt.ArgumentError, "spread over a mesh of shape"),
        (lambda d, x: ttnn.to_device(x.cpu(), ttnn.open_device(device_id=99)), tt.ArgumentError, "spread over a mesh of shape"),
    ],
)
def test_wrong_use_is_told(device, call, error, match):
    x = put(np.zeros((8, 32, 32), np.float32), device, ttnn.ShardTensorToMesh(device, dim=0))
    before = device.memory
    with pytest.raises(error, match=match):
        call(device, x)
    assert device.memory == before


def test_a_mapper_of_another_mesh(device):
    other = ttnn.open_mesh_device((1, 8))
    with pytest.raises(tt.ArgumentError, match=r"for a mesh of shape \(1, 8\)"):
        put(np.zeros((8, 32)), device, ttnn.ShardTensorToMesh(other, dim=0))
    ttnn.close_mesh_device(other)


@pytest.mark.parametrize("dims", [(0, None), (None, 0), (0, 1), (1, 0)])
def test_a_file_is_of_one_way_to_spread(device, rng, tmp_path, dims):
    """Chips may get parts of one shape, and others."""
    square = device.create_submesh((2, 2))
    values = values_of(rng, 32, 32)
    for other in ((0, None), (None, 0), (0, 1), (1, 0)):
        mapper = ttnn.ShardTensor2dMesh(square, (2, 2), other)
        ttnn.as_tensor(values, ttnn.float32, device=square, mesh_mapper=mapper, cache_file_name=tmp_path / "w")
    mapper = ttnn.ShardTensor2dMesh(square, (2, 2), dims)
    read = ttnn.as_tensor(values, ttnn.float32, device=square, mesh_mapper=mapper, cache_file_name=tmp_path / "w")
    made = ttnn.from_numpy(values, ttnn.float32, device=square, mesh_mapper=mapper)
    for a, b in zip(ttnn.get_device_tensors(read), ttnn.get_device_tensors(made), strict=True):
        np.testing.assert_array_equal(ttnn.to_numpy(a), ttnn.to_numpy(b))
    config = ttnn.as_tensor(values, ttnn.float32, device=square, mesh_mapper=mapper.config, cache_file_name=tmp_path / "w")
    assert config.shape == made.shape
    with ttnn.distribute(ttnn.ReplicateTensorToMesh(square)):
        for _ in range(2):
            whole = ttnn.as_tensor(values, ttnn.float32, device=square, cache_file_name=tmp_path / "v")
            assert whole.shape == (32, 32)
    assert ttnn.load_tensor(next(tmp_path.glob("v*"))).shape == (32, 32)


def test_convolutions_take_weights_from_the_host(device, rng):
    values, weight = values_of(rng, 1, 8, 8, 32) / 16, values_of(rng, 32, 32, 3, 3) / 16

    def run(device):
        x = ttnn.from_numpy(values.reshape(1, 1, 64, 32), ttnn.bfloat16, device=device)
        w = ttnn.from_numpy(weight, ttnn.bfloat16)
        y = ttnn.conv2d(
            input_tensor=x,
            weight_tensor=w,
            device=device,
            in_channels=32,
            out_channels=32,
            batch_size=1,
            input_height=8,
            input_width=8,
            kernel_size=(3, 3),
            stride=(1, 1),
            padding=(1, 1),
        )
        return [ttnn.to_numpy(part) for part in ttnn.get_device_tensors(y)]

    board = ttnn.open_device(device_id=77)
    (expected,) = run(board)
    ttnn.close_device(board)
    for part in run(device):
        np.testing.assert_array_equal(part, expected)


def test_host_tensors_go_to_a_mesh_that_computes_nothing(device):
    device = ttnn.open_mesh_device((4, 8), compute=False)
    host = ttnn.from_numpy(np.ones((32, 32), np.float32), ttnn.bfloat16, layout=TILE)
    x = ttnn.to_device(host, device)
    assert x.shape == (32, 32) and len(ttnn.get_device_tensors(x)) == 32
    assert ttnn.aggregate_as_tensor([host] * 32, device).shape == (32, 32)
    plan = tt.plan(lambda x: ttnn.add(x, ttnn.to_device(host, x.device())), x.spec, mesh=(4, 8))
    assert plan.fits and plan.programs == 1
    ttnn.close_mesh_device(device)


def test_what_has_one_memory_has_no_submeshes():
    spec = tt.TensorSpec((32, 32), tt.bfloat16, TILE)
    for call in (lambda x: x.device().create_submesh((2, 2)), lambda x: x.device().reshape((8, 4))):
        with pytest.raises(tt.NotModelledError, match="one memory"):
            tt.plan(call, spec, mesh=(4, 8))
    with pytest.raises(tt.ArgumentError, match="no values to take apart"):
        tt.plan(lambda x: ttnn.get_device_tensors(x), spec, mesh=(2, 4))


def test_bounds_of_slices_are_read_from_one_chip(device, rng):
    values = values_of(rng, 64, 64)
    x = put(values, device)
    starts, ends = (ttnn.from_numpy(np.array(v, np.int32), device=device) for v in ((0, 32), (32, 64)))
    part = ttnn.get_device_tensors(ttnn.slice(x, starts, ends))[5]
    np.testing.assert_array_equal(ttnn.to_numpy(part).astype(np.float32), values[:32, 32:])


def test_from_a_mesh_to_a_host_tensor(device, rng):
    values = values_of(rng, 8, 32, 32)
    x = put(values, device, ttnn.ShardTensorToMesh(device, dim=0))
    host = ttnn.allocate_tensor_on_host((1, 32, 32), ttnn.bfloat16, TILE)
    ttnn.copy_device_to_host_tensor(x, host)
    got = ttnn.to_numpy(host, mesh_composer=ttnn.ConcatMeshToTensor(device, dim=0))
    np.testing.assert_array_equal(got.astype(np.float32), values)
    like = ttnn.zeros_like(host)
    assert ttnn.to_numpy(like, mesh_composer=ttnn.ConcatMeshToTensor(device, dim=0)).shape == (8, 32, 32)


def test_a_board_beside_a_mesh(device):
    assert device.id() == 0
    board = ttnn.open_mesh_device((1, 1))
    assert board is not device and board.get_num_devices() == 1
    ttnn.close_device(board)


def test_a_spec_goes_with_the_whole_or_a_chips_part(device):
    values = np.zeros((8, 32), np.float32)
    mapper = ttnn.ShardTensorToMesh(device, dim=0)
    for shape in ((8, 32), (1, 32)):
        spec = ttnn.TensorSpec(shape, ttnn.bfloat16, TILE)
        assert ttnn.from_torch(values, spec=spec, device=device, mesh_mapper=mapper).shape == (1, 32)
    with pytest.raises(tt.ArgumentError, match="that of `spec`"):
        spec = ttnn.TensorSpec((3, 3), ttnn.bfloat16, TILE)
        ttnn.from_torch(values, spec=spec, device=device, mesh_mapper=mapper)


def test_comparison_mode_takes_one_chip(device, rng):
    x = put(values_of(rng, 32, 32), device)
    with ttnn.manage_config("enable_comparison_mode", True), pytest.raises(tt.NotModelledError, match="one chip"):
        ttnn.add(x, x)
