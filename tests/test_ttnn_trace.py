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
