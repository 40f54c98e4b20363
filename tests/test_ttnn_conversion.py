"""What goes into the facade's tensors comes out again: torch, NumPy, files, layouts, dtypes, tiles and shards."""

import json
import math

import ml_dtypes
import numpy as np
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

ROW_MAJOR, TILE = ttnn.ROW_MAJOR_LAYOUT, ttnn.TILE_LAYOUT
EXACT = [ttnn.uint8, ttnn.uint16, ttnn.uint32, ttnn.int32, ttnn.int8, ttnn.float32, ttnn.bfloat16]


@pytest.fixture
def device():
    with ttnn.manage_device(0) as device:
        yield device


def cores(x, y):
    return ttnn.CoreRangeSet([ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(x, y))])


def values(dtype, shape):
    """Whole numbers that every dtype holds exactly, as a torch tensor of the dtype."""
    count = math.prod(shape)
    return (torch.arange(count).reshape(shape) % 100).to(ttnn.ttnn_dtype_to_torch_dtype(dtype))


@pytest.mark.parametrize("tile", [None, ttnn.Tile((16, 16)), ttnn.Tile((32, 16)), ttnn.Tile((4, 32))], ids=str)
@pytest.mark.parametrize("dtype", [*EXACT, ttnn.bfloat8_b])
def test_tiles_of_any_shape_hold_their_values(device, dtype, tile):
    source = values(dtype, (2, 10, 20))
    tensor = ttnn.from_torch(source, dtype, layout=TILE, tile=tile, device=device)
    assert tensor.tile == (tile or ttnn.Tile((32, 32)))
    assert tensor.spec.tile == tensor.tile == tensor.get_tile()
    height, width = tensor.tile.tile_shape
    assert tensor.padded_shape == (2, -(-10 // height) * height, -(-20 // width) * width)
    assert torch.equal(ttnn.to_torch(tensor), source)
    made = ttnn.Tensor(source, dtype, device, TILE, ttnn.DRAM_MEMORY_CONFIG, tile)
    assert made.spec == tensor.spec
    assert torch.equal(made.cpu().to_torch(), source)


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("layout", [ROW_MAJOR, TILE])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (33,), (0, 32)])
def test_small_ranks_and_no_elements(device, shape, layout, on_device):
    source = torch.rand(shape)
    tensor = ttnn.from_torch(source, layout=layout, device=device if on_device else None, pad_value=1)
    assert tensor.shape == shape and tensor.layout is layout
    assert tensor.empty() == (0 in shape)
    assert torch.equal(ttnn.to_torch(tensor), source)


SPECS = [
    lambda spec: spec,
    lambda spec: spec.sharded((1, 1, 37, 37), cores(7, 6)),
    lambda spec: spec.sharded((1, 1, 37, 37), cores(7, 6), ttnn.ShardShapeAlignment.REQUIRED),
    lambda spec: spec.sharded(ttnn.NdShardSpec((1, 1, 32, 32), cores(7, 6)), ttnn.ShardShapeAlignment.RECOMMENDED),
    lambda spec: spec.height_sharded(cores(7, 6)),
    lambda spec: spec.width_sharded(cores(7, 6)),
    lambda spec: spec.block_sharded(cores(7, 6)),
    lambda spec: spec.sharded_across_dims([-1], cores(7, 6)),
    lambda spec: spec.sharded_across_dims_except([0], cores(7, 6)),
]


@pytest.mark.parametrize("shard", SPECS, ids=range(len(SPECS)))
def test_a_spec_says_everything_of_a_tensor(device, shard):
    spec = shard(ttnn.TensorSpec((2, 3, 40, 50), ttnn.float32, TILE, buffer_type=ttnn.BufferType.L1))
    assert isinstance(spec, ttnn.TensorSpec)
    source = torch.rand(2, 3, 40, 50)
    tensor = ttnn.from_torch(source, spec=spec, device=device)
    assert tensor.spec == spec and isinstance(tensor.spec, ttnn.TensorSpec)
    assert torch.equal(ttnn.to_torch(tensor), source)
    empty = ttnn.allocate_tensor_on_device(spec, device)
    assert empty.spec == spec
    ttnn.copy_host_to_device_tensor(ttnn.from_torch(source, spec=spec), empty)
    assert torch.equal(ttnn.to_torch(empty), source)
    assert not ttnn.to_torch(ttnn.allocate_tensor_on_host(spec)).any()


def test_specs_of_both_faces_are_equal():
    mine = ttnn.TensorSpec((2, 64), ttnn.bfloat16, TILE, ttnn.BufferType.L1, ttnn.Tile((16, 32)))
    plain = tt.TensorSpec((2, 64), tt.bfloat16, tt.TILE_LAYOUT, tt.L1_MEMORY_CONFIG, tt.Tile((16, 32)))
    assert mine == plain and plain == mine and hash(mine) == hash(plain) and len({mine, plain}) == 1
    assert mine.tile.tile_shape == (16, 32)


@pytest.mark.parametrize("target", EXACT)
@pytest.mark.parametrize("source", EXACT)
def test_host_tensors_change_dtype_by_any_name(source, target):
    tensor = ttnn.from_torch(values(source, (4, 25)), source)
    for changed in (ttnn.to_dtype(tensor, target), ttnn.typecast(tensor, target), tensor.to(target)):
        assert changed.dtype is target and changed.layout is ROW_MAJOR
        assert torch.equal(ttnn.to_torch(changed), values(target, (4, 25)))


def test_host_layouts():
    source = torch.rand(3, 40)
    tensor = ttnn.to_layout(ttnn.from_torch(source), TILE, sub_core_grids=None)
    assert tensor.layout is TILE and tensor.padded_shape == (32, 64) and tensor.device() is None
    assert torch.equal(ttnn.to_torch(tensor.to(ROW_MAJOR)), source)
    block = ttnn.from_torch(source, ttnn.bfloat8_b)
    assert ttnn.to_layout(block, ROW_MAJOR).spec == block.spec  # measured: a block float keeps its tiles
    padded = ttnn.from_torch(source).pad_to_tile(7.0)
    assert padded.shape == (32, 64) and ttnn.to_torch(padded)[3:].eq(7).all()
    assert torch.equal(ttnn.to_torch(padded.to(TILE).to(ROW_MAJOR).unpad_from_tile((3, 40))), source)


def test_host_mistakes(device):
    tensor = ttnn.from_torch(torch.rand(2, 3))
    on_device = ttnn.to_device(tensor, device)
    for call, message in [
        (lambda: ttnn.to_layout(tensor, TILE, ttnn.bfloat16), "keeps the dtype"),
        (lambda: ttnn.to_layout(tensor, "TILE"), "must be TILE_LAYOUT or ROW_MAJOR_LAYOUT"),
        (lambda: ttnn.to_dtype(on_device, ttnn.bfloat16), "ttnn.typecast"),
        (lambda: ttnn.to_dtype(tensor, torch.bfloat16), "must be a DataType"),
        (lambda: ttnn.typecast(tensor, ttnn.bfloat16, memory_config=ttnn.L1_MEMORY_CONFIG), "no memory_config"),
        (lambda: on_device.pad((4, 4), (0, 0), 0.0), "use ttnn.pad"),
        (lambda: tensor.pad((4,), (0,), 0.0), "has 2 dimensions"),
        (lambda: tensor.pad((2, 2), (0, 0), 0.0), "does not fit"),
        (lambda: tensor.unpad((0, 0), (2, 4)), "is no part"),
        (lambda: tensor.unpad((0,), (2,)), "has 2 dimensions"),
        (lambda: ttnn.from_torch(torch.rand(2, 3), spec=ttnn.TensorSpec((3, 2), ttnn.float32, TILE)), "that of `spec`"),
        (lambda: ttnn.TensorSpec((2, 3), ttnn.float32, TILE).sharded((32, 32)), "needs the grid"),
        (lambda: ttnn.element_size(ttnn.bfloat8_b), "use tile_size"),
    ]:
        with pytest.raises(tt.ArgumentError, match=message):
            call()
    with pytest.raises(TypeError, match="unexpected arguments"):
        ttnn.to_layout(tensor, TILE, colour=1)


def test_a_deallocated_tensor_has_no_device(device):
    tensor = ttnn.from_torch(torch.rand(2, 3), device=device)
    ttnn.deallocate(tensor)
    assert tensor.device() is None and tensor.devices() == [] and tensor.empty() and not tensor.is_allocated()
    with pytest.raises(tt.DeallocatedError):
        ttnn.to_layout(tensor, TILE)


@pytest.mark.parametrize("dtype", [*EXACT, ttnn.bfloat4_b])
def test_files_keep_the_whole_spec(tmp_path, device, dtype):
    spec = ttnn.TensorSpec((64, 64), dtype, TILE, ttnn.BufferType.L1, ttnn.Tile((16, 32))).height_sharded(cores(1, 1))
    source = torch.eye(64).to(ttnn.ttnn_dtype_to_torch_dtype(dtype))
    path = tmp_path / "weights"
    ttnn.dump_tensor(path, ttnn.from_torch(source, spec=spec, device=device), mode=ttnn.DumpTensorMode.LOCAL)
    for loaded in (ttnn.load_tensor(path), ttnn.load_tensor(path, device=device)):
        assert loaded.spec == spec
        assert torch.equal(ttnn.to_torch(loaded), source)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(tt.ArgumentError, match="is not a file that dump_tensor"):
        ttnn.load_tensor(path)


def test_sizes():
    assert [ttnn.tile_size(dtype) for dtype in (ttnn.bfloat16, ttnn.bfloat8_b, ttnn.bfloat4_b)] == [2048, 1088, 576]
    assert (ttnn.element_size(ttnn.uint16), ttnn.get_dram_alignment(), ttnn.get_l1_alignment()) == (2, 32, 16)


def test_calls_are_written_to_files(tmp_path, device):
    from tt_jax.ttnn import operation_tracer

    with ttnn.manage_config("root_report_path", str(tmp_path)):
        operation_tracer._ENABLE_TRACE = True
        try:
            x = ttnn.from_torch(torch.ones(2, 3, dtype=torch.bfloat16), layout=TILE, device=device)
            ttnn.add(x, x)
        finally:
            operation_tracer._ENABLE_TRACE = False
        ttnn.add(x, x)
    made, added = [json.loads(path.read_text()) for path in sorted((tmp_path / "operation_parameters").iterdir())]
    assert (made["operation_name"], added["operation_name"]) == ("ttnn.from_torch", "ttnn.add")
    assert made["args"][0]["value"]["type"] == "torch.Tensor" and made["num_tensors"] == 1
    assert added["operation_number"] == made["operation_number"] + 1
    assert added["return_value"]["values"] == [[2.0] * 3] * 2


def test_rows_of_height_shards_may_change_their_length(device):
    """ttnn's view of a sharded ROW_MAJOR tensor: the same buffer, and shards of as many elements."""
    config = ttnn.create_sharded_memory_config((4, 64, 64), ttnn.CoreGrid(x=2, y=2), ttnn.ShardStrategy.HEIGHT)
    source = torch.rand(4, 64, 64).bfloat16()
    tensor = ttnn.from_torch(source, device=device, memory_config=config)
    viewed = ttnn.experimental.view(tensor, 4, 128, 32)
    assert viewed.buffer_address() == tensor.buffer_address()
    assert viewed.memory_config().shard_spec.shape == (128, 32)
    assert torch.equal(ttnn.to_torch(viewed), source.reshape(4, 128, 32))
    assert ttnn.experimental.view(ttnn.from_torch(torch.rand(0)), (0, 1)).shape == (0, 1)
    with pytest.raises(tt.ArgumentError, match="cannot be seen as"):
        ttnn.experimental.view(tensor, 4, 1024, 4)  # rows of 8 bytes would lie apart


def test_numpy_keeps_bfloat16():
    source = np.arange(6, dtype=ml_dtypes.bfloat16).reshape(2, 3)
    assert ttnn.Tensor(source, ttnn.bfloat16).to_numpy().dtype == source.dtype


@pytest.mark.parametrize("dims", [[0, 0], [0, -3], [3]])
def test_squeeze_takes_each_dimension_once(device, dims):
    tensor = ttnn.from_torch(torch.rand(1, 1, 8), device=device)
    assert ttnn.squeeze(tensor, [0, 1]).shape == (8,)
    assert ttnn.squeeze(ttnn.from_torch(torch.rand(()), device=device), [-1]).shape == ()
    with pytest.raises(tt.ArgumentError, match="squeeze"):
        ttnn.squeeze(tensor, dims)


def test_names_of_the_runtime(device, monkeypatch):
    from tt_jax.ttnn.distributed.distributed import ConcatMeshToTensor

    assert ConcatMeshToTensor is ttnn.distributed.ConcatMeshToTensor is ttnn.ConcatMeshToTensor
    ttnn.device.EnablePersistentKernelCache()
    ttnn.ReadDeviceProfiler(device)
    assert ttnn.cluster.get_cluster_type() is ttnn.cluster.ClusterType.N150
    monkeypatch.setenv("TT_JAX_DEVICE", "e150")
    with pytest.raises(tt.NotModelledError, match="e150"):
        ttnn.cluster.get_cluster_type()
    a, b = ttnn.MeshCoordinate(0, 0), ttnn.MeshCoordinate(1, 1)
    assert len({ttnn.MeshCoordinateRange(a, b), ttnn.MeshCoordinateRange(a, b)}) == 1
    assert len(ttnn.grid_to_cores(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(3, 1))) == 8
    with pytest.raises(tt.ArgumentError, match="a start and an end core"):
        ttnn.grid_to_cores(ttnn.CoreCoord(0, 0), 3)


def test_a_traced_graph_has_a_length():
    with ttnn.tracer.trace():
        result = ttnn.to_torch(ttnn.reshape(ttnn.from_torch(torch.randint(0, 9, (4, 64))), (2, 4, 32)))
    assert len(ttnn.tracer.get_graph(result)) == 4
