"""The names of ttnn, most used first (tests/reference/ttnn_names.txt, counted in programs written for it)."""

import inspect
import pathlib

import numpy as np
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn
from tt_jax.ttnn import _not_modelled

NAMES = (pathlib.Path(__file__).parent / "reference" / "ttnn_names.txt").read_text().split()

# Absent, and why: each needs silicon, several devices, or kernels of one's own.
ABSENT = {
    "KernelDescriptor.SourceType.FILE_PATH",
    "NOC.NOC_0",
    "NOC.NOC_1",
    "ReduceType.Sum",
    "distributed.distributed.ConcatMeshToTensor",
    "experimental.broadcast_to",
    "graph_tracer_utils.GraphTracerUtils.serialize_graph",
    "moreh_full_like",
    "operations.moreh.dot",
    "operations.moreh.norm",
    "using_distributed_env",
}


def resolve(name):
    value = ttnn
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_the_most_used_250_are_there():
    missing = []
    for name in NAMES[:250]:
        try:
            resolve(name)
        except AttributeError:
            missing.append(name)
    assert not missing


def test_of_the_rest_those_named_are_absent():
    missing = set()
    for name in NAMES[250:]:
        try:
            resolve(name)
        except AttributeError:
            missing.add(name)
    assert missing <= ABSENT, sorted(missing - ABSENT)


@pytest.mark.parametrize("name", _not_modelled.NAMES)
def test_names_that_are_not_modelled_say_so(name):
    with pytest.raises(NotImplementedError, match=f"ttnn.{name} is not modelled: "):
        resolve(name)(1, x=2)


def test_experimental_names_that_are_not_modelled_say_so():
    for name in _not_modelled.EXPERIMENTAL:
        with pytest.raises(NotImplementedError, match=name):
            getattr(ttnn.experimental, name)()


def test_signatures_and_docstrings_are_the_functional_ones():
    assert list(inspect.signature(ttnn.add).parameters)[:2] == ["input_tensor_a", "input_tensor_b"]
    assert ttnn.softmax.__doc__ == tt.softmax.__doc__ and ttnn.softmax.__name__ == "softmax"
    assert list(inspect.signature(ttnn.zeros).parameters)[:5] == ["shape", "dtype", "layout", "device", "memory_config"]
    assert "device" in inspect.signature(ttnn.conv2d).parameters
    for function in ttnn.query_registered_operations(include_experimental=True):
        assert function.python_fully_qualified_name.startswith("ttnn.") and function.__doc__, function


def test_scheduling_arguments_change_nothing():
    with ttnn.manage_device(0) as device:
        x = ttnn.from_numpy(np.ones((32, 32), np.float32), layout=ttnn.TILE_LAYOUT, device=device)
        ttnn.add(x, x, queue_id=1, use_legacy=True, sub_core_grids=None)
        assert device.num_program_cache_entries() == 1
        ttnn.add(x, x)
        assert device.num_program_cache_entries() == 1
        with pytest.raises(TypeError, match="colour"):
            ttnn.add(x, x, colour="red")


def test_utilities():
    assert ttnn.pad_to_tile_shape([1, 3, 33, 5]) == [1, 3, 64, 32]
    with pytest.raises(tt.NotModelledError, match="single users"):
        ttnn.manual_seed([1, 2])
    with ttnn.manage_device(0) as device:

        def numbers():
            return ttnn.to_numpy(ttnn.rand((32, 32), device, dtype=ttnn.float32))

        ttnn.manual_seed(7)
        first, second = numbers(), numbers()
        ttnn.manual_seed(7)
        assert (numbers() == first).all() and (first != second).any()
        given = ttnn.to_numpy(ttnn.rand((32, 32), device, dtype=ttnn.float32, seed=3))
        assert (given == ttnn.to_numpy(ttnn.rand((32, 32), device, dtype=ttnn.float32, seed=3))).all()


def test_tracer_without_a_trace_of_the_value():
    x = ttnn.from_numpy(np.ones((2, 2), np.float32))
    with ttnn.tracer.trace():
        y = ttnn.reshape(x, (4,))
    assert ttnn.tracer.get_graph(y).nodes == ["ttnn.reshape\\n(4,)"]
    with pytest.raises(tt.TTError, match="not made within"):
        ttnn.tracer.get_graph(x)
    ttnn.tracer.enable_tracing()
    assert ttnn.tracer.is_tracing_enabled()
    ttnn.tracer.disable_tracing()
    assert not ttnn.tracer.is_tracing_enabled()


def test_reports_of_what_is_live():
    with ttnn.manage_device(0) as device:
        assert ttnn._ttnn.reports.get_buffer_pages(device) == []
        x = ttnn.zeros((64, 96), ttnn.bfloat16, ttnn.TILE_LAYOUT, device, ttnn.L1_MEMORY_CONFIG)
        view = ttnn.reshape(x, (1, 64, 96))
        pages = ttnn._ttnn.reports.get_buffer_pages()
        assert len(pages) == 6 and {p.bank_id for p in pages} == set(range(6))
        assert {p.page_address for p in pages} == {x.buffer_address()}
        (buffer,) = ttnn._ttnn.reports.get_buffers(device)
        assert (buffer.address, buffer.max_size_per_bank) == (x.buffer_address(), 2048)
        del x, view
        assert ttnn._ttnn.reports.get_buffers([device]) == []


def test_alias_of_the_device_module():
    assert ttnn.device.is_wormhole_b0() and not ttnn.device.is_blackhole() and not ttnn.device.is_grayskull()
    assert ttnn.get_num_devices() == ttnn.GetNumAvailableDevices() == len(ttnn.get_device_ids())
    assert ttnn.get_max_worker_l1_unreserved_size() == 1_463_968
    assert ttnn.core.divup(5, 2) == 3 and ttnn.core.roundup(5, 4) == 8


def test_an_open_device_keeps_what_it_was_opened_with():
    device = ttnn.open_device(device_id=14, compute=False)
    assert ttnn.open_device(device_id=14) is device and ttnn.open_device(device_id=14, compute=False) is device
    with pytest.raises(tt.ArgumentError, match="device 14 is open with compute=False"):
        ttnn.open_device(device_id=14, compute=True)
    ttnn.close_device(device)
