"""The facade's handles: their values, their memory, their lifetime. No torch here: everything works without it."""

import gc

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
import tt_jax.ttnn as ttnn
from patterns import bfloat16, random_patterns


@pytest.fixture
def device():
    with ttnn.manage_device(0) as device:
        yield device


def tile(device, shape=(32, 64), seed=0, memory_config=None):
    values = np.random.default_rng(seed).standard_normal(shape).astype(ml_dtypes.bfloat16)
    return ttnn.from_numpy(values, layout=ttnn.TILE_LAYOUT, device=device, memory_config=memory_config)


DTYPES = {
    np.float32: ttnn.float32,
    ml_dtypes.bfloat16: ttnn.bfloat16,
    np.int32: ttnn.int32,
    np.uint32: ttnn.uint32,
    np.uint16: ttnn.uint16,
    np.uint8: ttnn.uint8,
    np.int8: ttnn.int8,
}


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("layout", [ttnn.ROW_MAJOR_LAYOUT, ttnn.TILE_LAYOUT])
@pytest.mark.parametrize("source", DTYPES)
def test_values_come_back(device, source, layout, on_device):
    values = np.arange(-32, 64).reshape(3, 32).astype(source)
    x = ttnn.from_numpy(values, layout=layout, device=device if on_device else None)
    assert x.dtype is DTYPES[source] and x.layout is layout
    assert (x.device() is device) == on_device
    back = ttnn.to_numpy(x)
    assert back.dtype == values.dtype and (back == values).all()


def test_what_is_given_is_copied(device):
    values = np.ones((32, 32), np.float32)
    x = ttnn.from_numpy(values, device=device)
    values[:] = 7
    assert (ttnn.to_numpy(x) == 1).all()
    read = ttnn.to_numpy(x)
    read[:] = 9
    assert (ttnn.to_numpy(x) == 1).all()


def test_the_facade_gives_what_the_functional_operation_gives(device):
    x, y = tile(device, seed=1), tile(device, seed=2)
    memory = tt.MemoryState.create(tt.N150)
    memory, a = tt.from_array(memory, ttnn.to_numpy(x), layout=tt.TILE_LAYOUT)
    memory, b = tt.from_array(memory, ttnn.to_numpy(y), layout=tt.TILE_LAYOUT)
    memory, c = tt.add(memory, a, b)
    z = ttnn.add(x, y)
    assert (ttnn.to_numpy(z) == np.asarray(c.array)).all()
    assert (x.buffer_address(), y.buffer_address(), z.buffer_address()) == (a.address, b.address, c.address)
    assert device.memory == memory
    assert device.num_program_cache_entries() == 1


def test_operators(device):
    x, y = tile(device, (32, 32), 1), tile(device, (32, 32), 2)
    for operator, function in [
        (lambda a, b: a + b, ttnn.add),
        (lambda a, b: a - b, ttnn.subtract),
        (lambda a, b: a * b, ttnn.multiply),
        (lambda a, b: a / b, ttnn.divide),
        (lambda a, b: a @ b, ttnn.matmul),
        (lambda a, b: a < b, ttnn.lt),
        (lambda a, b: a == b, ttnn.eq),
    ]:
        assert (ttnn.to_numpy(operator(x, y)) == ttnn.to_numpy(function(x, y))).all()
    wide = ttnn.to_numpy(x).astype(np.float64)
    assert np.allclose(ttnn.to_numpy(2.0 - x).astype(np.float64), 2.0 - wide, rtol=2**-7, atol=2**-8)
    assert np.allclose(ttnn.to_numpy(x + 1).astype(np.float64), wide + 1, rtol=2**-7, atol=2**-8)
    assert (ttnn.to_numpy(-x) == -ttnn.to_numpy(x)).all()


def test_in_place_addition_writes_the_buffer_it_has(device):
    x, y = tile(device, seed=1), tile(device, seed=2)
    alias, address, expected = x, x.buffer_address(), ttnn.to_numpy(ttnn.add(x, y))
    x += y
    assert x.buffer_address() == address
    assert (ttnn.to_numpy(x) == expected).all()
    assert (ttnn.to_numpy(alias) == expected).all(), "every handle of the buffer sees it"


def test_a_view_sees_what_is_written_through_the_other(device):
    x = tile(device, (2, 32, 64))
    view = ttnn.reshape(x, (64, 64))
    assert view.buffer_address() == x.buffer_address()
    x += 1.0
    assert (ttnn.to_numpy(view) == ttnn.to_numpy(x).reshape(64, 64)).all()


def test_a_buffer_goes_with_its_last_handle(device):
    gc.disable()  # reference counts must do
    try:
        empty = device.memory
        x = tile(device)
        one = device.memory
        y = x + x
        assert device.memory != one
        del y
        assert device.memory == one
        view = ttnn.reshape(x, (1, 32, 64))
        same = ttnn.to_layout(x, ttnn.TILE_LAYOUT)
        del x
        assert device.memory == one, "a view and a no-op conversion hold the buffer"
        del view, same
        assert device.memory == empty
    finally:
        gc.enable()


def test_ten_thousand_iterations_leak_nothing(device):
    x, y = tile(device, (32, 32), 1), tile(device, (32, 32), 2)
    z = ttnn.add(x, y)
    before, address, objects = device.memory, z.buffer_address(), len(gc.get_objects())
    for _ in range(10_000):
        z = ttnn.add(x, y)  # the old result goes after the new one is there: two addresses take turns
    del z
    assert device.memory.view(ttnn.BufferType.DRAM) < before.view(ttnn.BufferType.DRAM)
    assert ttnn.add(x, y).buffer_address() <= address
    gc.collect()
    assert len(gc.get_objects()) - objects < 500
    assert device.num_program_cache_entries() == 1


def test_a_failed_operation_changes_nothing(device):
    x, y = tile(device, (32, 64)), tile(device, (32, 32))
    before, entries = device.memory, device.num_program_cache_entries()
    with pytest.raises(tt.ArgumentError, match="do not broadcast|broadcast"):
        ttnn.add(x, y)
    assert device.memory == before and device.num_program_cache_entries() == entries
    with pytest.raises(tt.OutOfMemoryError):
        ttnn.from_numpy(np.zeros((1 << 13, 1 << 13), np.float32), device=device, memory_config=ttnn.L1_MEMORY_CONFIG)
    assert device.memory == before


def test_deallocate_frees_now_and_poisons(device):
    x = tile(device)
    view = ttnn.reshape(x, (1, 32, 64))
    free = device.memory.view(ttnn.BufferType.DRAM).total_bytes_free_per_bank
    ttnn.deallocate(x)
    assert device.memory.view(ttnn.BufferType.DRAM).total_bytes_free_per_bank > free
    assert not x.is_allocated()
    assert x.shape == [32, 64] and x.dtype is ttnn.bfloat16 and "not allocated" in repr(x)
    for use in (lambda: x + 1.0, lambda: ttnn.to_numpy(x), x.buffer_address, lambda: ttnn.to_numpy(view)):
        with pytest.raises(tt.DeallocatedError, match="was deallocated"):
            use()
    ttnn.deallocate(x)  # twice does nothing
    assert ttnn.get_memory_config(x) is None


def test_deallocate_without_force_spares_a_shared_buffer(device):
    x = tile(device)
    view = ttnn.reshape(x, (1, 32, 64))
    ttnn.deallocate(x, force=False)
    assert view.is_allocated()
    del x
    ttnn.deallocate(view, force=False)
    assert not view.is_allocated()


def test_reallocate_takes_its_input(device):
    low = tile(device, memory_config=ttnn.L1_MEMORY_CONFIG)
    x = tile(device, memory_config=ttnn.L1_MEMORY_CONFIG)
    values = ttnn.to_numpy(x)
    ttnn.deallocate(low)
    moved = ttnn.reallocate(x)
    assert not x.is_allocated()
    assert (ttnn.to_numpy(moved) == values).all()
    del x, moved
    assert device.memory.view(ttnn.BufferType.L1).total_bytes_allocated_per_bank == 0


def test_host_tensors(device):
    x = ttnn.from_numpy(np.arange(64, dtype=np.float32).reshape(2, 32))
    assert x.storage_type() is ttnn.StorageType.HOST and x.device() is None and ttnn.get_memory_config(x) is None
    tiled = ttnn.to_layout(x, ttnn.TILE_LAYOUT)
    assert tiled.layout is ttnn.TILE_LAYOUT and tiled.device() is None
    with pytest.raises(tt.ArgumentError, match="to_device"):
        ttnn.add(x, x)
    with pytest.raises(tt.ArgumentError, match="on the host"):
        x.buffer_address()
    y = ttnn.to_device(tiled, device, memory_config=ttnn.L1_MEMORY_CONFIG)
    assert y.device() is device and y.memory_config() == ttnn.L1_MEMORY_CONFIG
    with pytest.raises(tt.ArgumentError, match="on the host"):
        ttnn.add(y, tiled)
    assert (y.cpu().to_numpy() == x.to_numpy()).all()
    with pytest.raises(tt.ArgumentError, match="`device` must be"):
        ttnn.to_device(x, None)


def test_tensor_from_numbers(device):
    x = ttnn.Tensor([1.5, 2, 3, 4], (2, 2), ttnn.bfloat16, ttnn.ROW_MAJOR_LAYOUT)
    assert x.to_list() == [[1.5, 2.0], [3.0, 4.0]]
    y = ttnn.Tensor(np.float32([[1, 2]]), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    assert y.device() is device and y.padded_shape == (32, 32)
    assert ttnn.Tensor([7], (1,), ttnn.int32, ttnn.ROW_MAJOR_LAYOUT).item() == 7
    with pytest.raises(tt.ArgumentError, match="do not fill"):
        ttnn.Tensor([1, 2, 3], (2, 2), ttnn.float32, ttnn.ROW_MAJOR_LAYOUT)
    with pytest.raises(tt.ArgumentError, match="4 elements"):
        x.item()


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.sampled_from([ttnn.float32, ttnn.bfloat16, ttnn.bfloat8_b, ttnn.uint16]),
    st.data(),
)
def test_dump_and_load(tmp_path_factory, shape, dtype, data):
    bits = (data.draw(random_patterns(tuple(shape))) & 0x7F7F).astype(np.uint16)
    values = bfloat16(bits) if dtype.is_float else bits
    layout = ttnn.TILE_LAYOUT if dtype.is_block_float else ttnn.ROW_MAJOR_LAYOUT
    x = ttnn.from_numpy(values, dtype, layout=layout)
    path = tmp_path_factory.mktemp("dump") / "x.tensorbin"
    ttnn.dump_tensor(path, x)
    y = ttnn.load_tensor(path)
    assert y.spec == x.spec
    np.testing.assert_array_equal(ttnn.to_numpy(y).view(np.uint8), ttnn.to_numpy(x).view(np.uint8))


def test_load_refuses_what_dump_did_not_write(tmp_path, device):
    with pytest.raises(tt.ArgumentError, match="no file"):
        ttnn.load_tensor(tmp_path / "nothing")
    (tmp_path / "bad").write_bytes(b"tt")
    with pytest.raises(tt.ArgumentError, match="not a file"):
        ttnn.load_tensor(tmp_path / "bad")
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(tt.ArgumentError, match="not a file"):
        ttnn.load_tensor(tmp_path / "pickled.npy")


def test_as_tensor_keeps_a_file(tmp_path, device):
    values = np.random.default_rng(0).standard_normal((32, 32)).astype(np.float32)
    first = ttnn.as_tensor(values, ttnn.bfloat8_b, device=device, cache_file_name=tmp_path / "w")
    assert [p.name for p in tmp_path.iterdir()] == ["w_dtype_BFLOAT8_B_layout_TILE.tensorbin"]
    again = ttnn.as_tensor(values * 0, ttnn.bfloat8_b, device=device, cache_file_name=tmp_path / "w")
    assert (ttnn.to_numpy(first) == ttnn.to_numpy(again)).all()


def test_copy_into_a_device_tensor(device):
    x = tile(device)
    host = ttnn.from_numpy(np.full((32, 64), 2, ml_dtypes.bfloat16), layout=ttnn.TILE_LAYOUT)
    address = x.buffer_address()
    ttnn.copy_host_to_device_tensor(host, x)
    assert x.buffer_address() == address and (ttnn.to_numpy(x) == 2).all()
    with pytest.raises(tt.ArgumentError, match="differ in shape"):
        ttnn.copy_host_to_device_tensor(ttnn.from_numpy(np.zeros((32, 32), ml_dtypes.bfloat16)), x)


def test_padding_on_the_host():
    x = ttnn.from_numpy(np.ones((1, 1, 2, 3), np.float32))
    padded = x.pad((1, 1, 4, 4), (0, 0, 1, 0), 5.0)
    assert padded.to_list()[0][0] == [[5, 5, 5, 5], [1, 1, 1, 5], [1, 1, 1, 5], [5, 5, 5, 5]]
    assert padded.unpad((0, 0, 1, 0), (1, 1, 3, 3)).to_list() == x.to_list()
    assert x.pad_to_tile(0.0).shape == (1, 1, 32, 32)
    assert x.pad_to_tile(0.0).unpad_from_tile((1, 1, 2, 3)).to_list() == x.to_list()
    with pytest.raises(tt.ArgumentError, match="does not fit"):
        x.pad((1, 1, 2, 2), (0, 0, 0, 0), 0.0)
    with pytest.raises(tt.ArgumentError, match="no part"):
        x.unpad((0, 0, 0, 0), (1, 1, 3, 3))


def test_shape():
    shape = ttnn.Shape([1, 2, 32])
    assert repr(shape) == "Shape([1, 2, 32])" and shape == [1, 2, 32] and shape == (1, 2, 32) and shape != [1, 2]
    assert shape.rank == 3 and shape.to_rank(4) == (1, 1, 2, 32) and shape.to_rank(2) == (2, 32)
    with pytest.raises(ValueError, match="no rank 1"):
        shape.to_rank(1)


def test_printing(device):
    x = ttnn.from_numpy(np.arange(64, dtype=np.float32).reshape(8, 8))
    short = repr(x)
    assert "..." in short and "shape=Shape([8, 8]), dtype=DataType::FLOAT32, layout=Layout::ROW_MAJOR" in short
    ttnn.set_printoptions(profile="full")
    try:
        assert "..." not in repr(x) and "63.00000" in repr(x)
        ttnn.set_printoptions(profile="empty")
        assert repr(x).startswith("ttnn.Tensor(..., ")
    finally:
        ttnn.set_printoptions()
    with pytest.raises(ValueError, match="profile"):
        ttnn.set_printoptions(profile="loud")


def test_a_closed_device_is_gone():
    device = ttnn.open_device(device_id=0)
    assert ttnn.open_device(device_id=0) is device
    x = tile(device)
    ttnn.close_device(device)
    with pytest.raises(tt.TTError, match="closed"):
        ttnn.add(x, x)
    again = ttnn.open_device(device_id=0)
    assert again is not device and again.memory.view(ttnn.BufferType.DRAM).total_bytes_allocated_per_bank == 0
    ttnn.close_device(again)


def test_two_devices_do_not_mix():
    with ttnn.manage_device(0) as a, ttnn.manage_device(1) as b:
        x, y = tile(a), tile(b)
        with pytest.raises(tt.ArgumentError, match="two devices"):
            ttnn.add(x, y)


def test_the_environment_names_the_board(monkeypatch):
    monkeypatch.setenv("TT_JAX_DEVICE", "p150")
    with ttnn.manage_device(0) as device:
        assert device.arch() is ttnn.device.Arch.BLACKHOLE
        assert (device.core_grid.x, device.core_grid.y) == (13, 10)
        assert ttnn.get_arch_name() == "blackhole"
    monkeypatch.setenv("TT_JAX_DEVICE", "n151")
    with pytest.raises(tt.ArgumentError, match="n151"):
        ttnn.open_device(device_id=0)


def test_a_device_that_does_not_compute(monkeypatch):
    monkeypatch.setenv("TT_JAX_COMPUTE", "off")
    with ttnn.manage_device(0) as device:
        x = ttnn.empty((1 << 16, 1 << 14), dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)  # 2 GiB
        y = ttnn.add(x, x)
        assert y.shape == x.shape and y.buffer_address() > x.buffer_address()
        assert device.num_program_cache_entries() == 1
        small = ttnn.from_numpy(np.ones((32, 32), np.float32), layout=ttnn.TILE_LAYOUT, device=device)
        assert (ttnn.to_numpy(small) == 0).all()


def test_forbidden_cache_misses(device):
    x = tile(device)
    ttnn.add(x, x)
    device.set_program_cache_misses_allowed(False)
    ttnn.add(x, x)
    with pytest.raises(tt.TTError, match="misses are forbidden"):
        ttnn.multiply(x, x)
    device.set_program_cache_misses_allowed(True)
    ttnn.multiply(x, x)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda d: ttnn.from_numpy([1, 2]), tt.ArgumentError, "expected a torch tensor, a NumPy or a JAX array"),
        (lambda d: ttnn.from_numpy(np.zeros(3, np.complex64)), tt.ArgumentError, "no TT-NN dtype"),
        (lambda d: ttnn.from_numpy(np.zeros((2, 2)), dtype="bf16"), tt.ArgumentError, "must be a DataType"),
        (lambda d: ttnn.from_numpy(np.zeros((2, 2)), ttnn.bfloat8_b, layout=ttnn.ROW_MAJOR_LAYOUT), tt.ArgumentError, "TILE"),
        (lambda d: ttnn.from_torch(np.zeros((2, 2)), col_tilize=True), tt.NotModelledError, "col_tilize"),
        (lambda d: ttnn.from_torch(np.zeros((2, 2)), enable_bfloat_opt=True), tt.NotModelledError, "enable_bfloat_opt"),
        (lambda d: ttnn.from_numpy(np.zeros((2, 2), np.float32), ttnn.fp8_e4m3), tt.NotModelledError, "FP8_E4M3"),
        (lambda d: ttnn.to_torch(3), tt.ArgumentError, "ttnn.Tensor"),
        (lambda d: ttnn.deallocate(3), tt.ArgumentError, "ttnn.Tensor"),
        (lambda d: ttnn.from_device(3), tt.ArgumentError, "ttnn.Tensor"),
        (lambda d: ttnn.to_device(3, d), tt.ArgumentError, "ttnn.Tensor"),
        (lambda d: ttnn.to_device(tile(d), d, size=3), TypeError, "unexpected"),
        (lambda d: tile(d).pad((64, 64), (0, 0), 0), tt.ArgumentError, "on a device"),
        (lambda d: tile(d).to("cpu"), tt.ArgumentError, "expected a device"),
        (lambda d: ttnn.zeros((2, 2), shape=(2, 2)), tt.ArgumentError, "given twice"),
        (lambda d: ttnn.zeros(*range(9)), tt.ArgumentError, "at most"),
        (lambda d: ttnn.close_device(3), tt.ArgumentError, "must be a Device"),
        (lambda d: ttnn.open_device(device_id=-1), tt.ArgumentError, "device_id"),
        (lambda d: d.create_sub_device_manager(), tt.NotModelledError, "sub-devices"),
        (lambda d: d.reshape((1, 2)), tt.ArgumentError, "mesh of one"),
        (lambda d: ttnn.get_golden_function(len), tt.ArgumentError, "no operation"),
    ],
)
def test_errors(device, call, error, match):
    before = device.memory
    with pytest.raises(error, match=match):
        call(device)
    assert device.memory == before, "what the failed call made is gone with it"


def test_jax_arrays_are_taken_as_they_are(device):
    x = ttnn.from_numpy(jnp.ones((2, 3)), device=device)
    assert x.dtype is ttnn.float32 and x.shape == (2, 3)
