"""Trace capture, hooks and settings of the facade."""

import numpy as np
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn


@pytest.fixture
def device():
    with ttnn.manage_device(0) as device:
        yield device


def tensor(device, seed):
    values = np.random.default_rng(seed).standard_normal((32, 32)).astype(np.float32)
    return ttnn.from_numpy(values, ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)


def program(x, w):
    h = x @ w
    h = ttnn.relu(h)
    return ttnn.add(h, x)


def test_a_trace_replays_on_new_inputs(device):
    x, w = tensor(device, 0), tensor(device, 1)
    program(x, w)
    trace = ttnn.begin_trace_capture(device, cq_id=0)
    assert ttnn.device.is_trace_capture_active(device)
    y = program(x, w)
    with pytest.raises(tt.TTError, match="reads are not possible"):
        ttnn.to_numpy(y)
    ttnn.end_trace_capture(device, trace, cq_id=0)
    entries, memory = device.num_program_cache_entries(), device.memory
    for seed in (5, 6):
        host = ttnn.from_numpy(
            np.random.default_rng(seed).standard_normal((32, 32)).astype(np.float32), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT
        )
        ttnn.copy_host_to_device_tensor(host, x)
        ttnn.execute_trace(device, trace, cq_id=0, blocking=False)
        got = ttnn.to_numpy(y)
        assert (got == ttnn.to_numpy(program(x, w))).all()
    assert device.num_program_cache_entries() == entries
    assert device.memory == memory
    ttnn.release_trace(device, trace)
    with pytest.raises(tt.ArgumentError, match="no trace"):
        ttnn.execute_trace(device, trace)


def test_a_trace_whose_input_is_gone(device):
    x, w = tensor(device, 0), tensor(device, 1)
    trace = ttnn.begin_trace_capture(device)
    program(x, w)
    with pytest.raises(tt.TTError, match="under way"):
        ttnn.begin_trace_capture(device)
    ttnn.end_trace_capture(device, trace)
    del x
    with pytest.raises(tt.TTError, match="was deallocated"):
        ttnn.execute_trace(device, trace)
    with pytest.raises(tt.ArgumentError, match="no capture"):
        ttnn.end_trace_capture(device, trace)


def test_hooks_see_every_operation(device):
    x, w = tensor(device, 0), tensor(device, 1)
    seen = []

    def before(operation, args, kwargs):
        seen.append(("before", operation.python_fully_qualified_name, len(args)))

    def after(operation, args, kwargs, output):
        seen.append(("after", operation.python_fully_qualified_name, tuple(output.shape)))

    with ttnn.register_pre_operation_hook(before), ttnn.register_post_operation_hook(after):
        ttnn.add(x, w)
    ttnn.add(x, w)
    assert seen == [("before", "ttnn.add", 2), ("after", "ttnn.add", (32, 32))]


def test_settings():
    copy = ttnn.Config(ttnn.CONFIG)
    assert copy == ttnn.CONFIG and copy is not ttnn.CONFIG
    with ttnn.manage_config("comparison_mode_pcc", 0.5):
        assert ttnn.CONFIG.comparison_mode_pcc == 0.5
    assert ttnn.CONFIG == copy
    with pytest.raises(AttributeError, match="no setting 'enable_magic'"):
        ttnn.CONFIG.enable_magic = True


def test_settings_in_a_file(tmp_path):
    path = tmp_path / "config.json"
    before = ttnn.Config(ttnn.CONFIG)
    try:
        with ttnn.manage_config("comparison_mode_pcc", 0.5):
            ttnn.save_config_to_json_file(path)
        ttnn.load_config_from_json_file(path)
        assert ttnn.CONFIG.comparison_mode_pcc == 0.5
        ttnn.load_config_from_dictionary({"comparison_mode_pcc": before.comparison_mode_pcc, "report_name": None})
        assert ttnn.CONFIG == before
    finally:
        ttnn.CONFIG.comparison_mode_pcc = before.comparison_mode_pcc


def test_events_are_in_order(device):
    event = ttnn.record_event(device, 0)
    ttnn.wait_for_event(1, event)
    ttnn.event_synchronize(event)
    ttnn.synchronize_device(device)


def test_writes_are_refused_during_a_capture(device):
    x = tensor(device, 0)
    host = ttnn.from_numpy(np.zeros((32, 32), np.float32), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT)
    program(x, x)
    before = device.memory
    trace = ttnn.begin_trace_capture(device)
    for write in (
        lambda: ttnn.zeros((32, 32), ttnn.bfloat16, ttnn.TILE_LAYOUT, device),
        lambda: ttnn.zeros_like(x),
        lambda: ttnn.to_device(host, device),
        lambda: tensor(device, 3),
        lambda: ttnn.copy_host_to_device_tensor(host, x),
    ):
        with pytest.raises(tt.TTError, match="writes from the host are not possible"):
            write()
    assert ttnn.to_numpy(host).sum() == 0, "the host can be read"
    ttnn.end_trace_capture(device, trace)
    assert device.memory == before


def test_traces_belong_to_their_device():
    with ttnn.manage_device(0) as a, ttnn.manage_device(1) as b:
        x = tensor(a, 0)
        trace = ttnn.begin_trace_capture(a)
        with pytest.raises(tt.ArgumentError, match="no capture"):
            ttnn.end_trace_capture(b, trace)
        ttnn.add(x, x)
        ttnn.end_trace_capture(a, trace)
        for use in (ttnn.execute_trace, ttnn.release_trace):
            with pytest.raises(tt.ArgumentError, match="no trace"):
                use(b, trace)
        ttnn.execute_trace(a, trace)


def test_a_capture_ends_with_its_device():
    with pytest.raises(ZeroDivisionError), ttnn.manage_device(0) as device:
        ttnn.begin_trace_capture(device)
        raise ZeroDivisionError
    with ttnn.manage_device(0) as device:
        assert not ttnn.device.is_trace_capture_active(device)
        ttnn.to_numpy(tensor(device, 0))


def test_a_graph_capture_survives_a_failing_operation(device):
    x = tensor(device, 0)
    wide = ttnn.from_numpy(np.ones((32, 64), np.float32), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    ttnn.graph.begin_graph_capture()
    with pytest.raises(tt.ArgumentError):
        ttnn.matmul(wide, wide)
    ttnn.add(x, x)
    trace = ttnn.graph.end_graph_capture()
    levels = {n["params"]["name"]: n["stacking_level"] for n in trace if n["node_type"] == "function_start"}
    assert levels["ttnn.matmul"] == levels["ttnn.add"]


def test_a_tracer_keeps_no_buffer(device):
    x = tensor(device, 0)
    before = device.memory
    with ttnn.tracer.trace():
        y = ttnn.add(x, x)
        del y
        assert device.memory == before


def test_comparison_leaves_out_what_has_no_one_answer(device):
    pytest.importorskip("torch")
    x = ttnn.from_numpy(np.full((32, 32), np.nan, np.float32), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    ones = ttnn.from_numpy(np.ones((32, 64), np.float32), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    with (
        ttnn.manage_config("enable_comparison_mode", True),
        ttnn.manage_config("comparison_mode_should_raise_exception", True),
    ):
        ttnn.rand((32, 32), device)
        ttnn.add(x, x)
        ttnn.topk(ones, 2)
