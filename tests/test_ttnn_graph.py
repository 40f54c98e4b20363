"""`ttnn.graph`: nodes, peaks and outputs of captures. Figures: spec/memory.md section 6 and the recorded captures (measured)."""

import json

import numpy as np
import pytest

import recorded
import tt_jax as tt
import tt_jax.ttnn as ttnn
from tt_jax.ttnn import _derive

NORMAL, NO_DISPATCH = ttnn.graph.RunMode.NORMAL, ttnn.graph.RunMode.NO_DISPATCH
CREATE = "tt::tt_metal::create_device_tensor"


@pytest.fixture
def device():
    with ttnn.manage_device(0) as device:
        yield device


def put(device, *shape, memory_config=ttnn.DRAM_MEMORY_CONFIG, value=1.0):
    array = np.full(shape, value, np.float32)
    return ttnn.from_numpy(array, ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device, memory_config=memory_config)


def kinds(trace):
    return [node["node_type"] for node in trace]


def of_kind(trace, kind):
    return [node for node in trace if node["node_type"] == kind]


@pytest.mark.parametrize("mode", [NORMAL, NO_DISPATCH])
def test_nodes_of_one_operation(device, mode):
    a, b = put(device, 1, 1, 256, 256), put(device, 1, 1, 256, 256)
    with ttnn.graph.capture(mode) as trace:
        y = ttnn.matmul(a, b, memory_config=ttnn.L1_MEMORY_CONFIG)
    ran = ["sub_device_manager", "program_execution"] if mode is NORMAL else ["dataflow_buffer_allocate"] * 3
    assert kinds(trace) == [
        *("capture_start", "function_start", "buffer", "tensor", "buffer", "tensor"),
        *("function_start", "function_start", "buffer", "buffer_allocate", "function_end", "tensor"),
        *("circular_buffer_deallocate_all", *ran, "function_end", "function_end", "capture_end"),
    ]
    assert [node["counter"] for node in trace] == list(range(len(trace)))
    assert ttnn.graph.extract_calltrace(trace) == ["ttnn.matmul", "MatmulDeviceOperation", CREATE]
    assert [node["stacking_level"] for node in of_kind(trace, "function_start")] == [1, 2, 3]
    assert trace[0]["connections"] == [1] and trace[0]["params"] is trace[-1]["params"] is None
    assert trace[-1]["stacking_level"] == 0 and trace[-2]["connections"] == [11, trace[-1]["counter"]]

    matmul, operation, create = of_kind(trace, "function_start")
    assert matmul["params"] == {"name": "ttnn.matmul", "inputs": "3"} and matmul["input_tensors"] == [3, 5]
    assert operation["params"]["program_cache_hit"] is False
    assert create["connections"] == [8, 9, 10] and trace[12]["connections"] == [operation["counter"]]
    assert 6 in trace[3]["connections"] and trace[8]["connections"] == [11] and trace[9]["connections"] == [8]

    buffer = {"size": 131_072, "type": "L1", "buffer_type": 1, "layout": "INTERLEAVED", "device_id": 0}
    address = 1_497_088 if mode is NORMAL else 0
    assert trace[8]["params"] == buffer
    assert trace[9]["params"] == buffer | {"address": address, "page_size": 2048, "num_cores": 0, "max_size_per_bank": 2048}
    tensor = trace[11]["params"]
    assert tensor["tensor_id"] == y.tensor_id and tensor["address"] == y.buffer_address() == address
    assert (tensor["shape"], tensor["size"]) == ("Shape([1, 1, 256, 256])", 131_072)
    assert (tensor["dtype"], tensor["layout"], tensor["storage_type"]) == ("DataType::BFLOAT16", "Layout::TILE", "DEVICE")
    assert (tensor["buffer_type"], tensor["device_id"]) == (1, 0) and tensor["memory_config"] == str(y.memory_config())
    json.dumps(trace)


def test_peak_of_a_matmul_without_dispatch(device):
    a, b = put(device, 1, 1, 256, 256), put(device, 1, 1, 256, 256)
    with ttnn.graph.capture(NO_DISPATCH) as to_dram:
        ttnn.matmul(a, b)
    with ttnn.graph.capture(NO_DISPATCH) as to_l1:
        ttnn.matmul(a, b, memory_config=ttnn.L1_MEMORY_CONFIG)
    assert ttnn.graph.extract_peak_L1_memory_usage(to_dram) == 10_240
    assert ttnn.graph.extract_peak_L1_memory_usage(to_l1) == 143_360
    usage = ttnn.graph.extract_resource_usage_per_core(to_l1)
    assert usage._asdict() == {
        "peak_cb": 0,
        "peak_l1": 2048,
        "peak_dataflow_buffer": 3 * 4096,
        "peak_scratchpad": 0,
        "peak_total": 2048 + 3 * 4096,
    }


def test_peak_counts_inputs_from_before_the_capture(device):
    a, b = (put(device, 1, 3, 32, 32, memory_config=ttnn.L1_MEMORY_CONFIG) for _ in range(2))
    with ttnn.graph.capture(NO_DISPATCH) as trace:
        ttnn.add(a, b, memory_config=ttnn.L1_MEMORY_CONFIG)
    assert ttnn.graph.extract_peak_L1_memory_usage(trace) == 3 * 6144 + 3 * 4096  # three tensors, three circular buffers
    usage = ttnn.graph.extract_resource_usage_per_core(trace, interleaved_storage_cores=64)
    assert (usage.peak_cb, usage.peak_l1, usage.peak_total) == (12_288, 2048, 14_336)


def test_circular_buffers_only_where_the_program_is_built(device):
    x = put(device, 64, 64)
    with ttnn.graph.capture() as trace:
        ttnn.add(x, x)
        ttnn.add(x, x)
        device.clear_program_cache()
        ttnn.add(x, x)
    hits = [
        node["params"]["program_cache_hit"]
        for node in of_kind(trace, "function_start")
        if "program_cache_hit" in node["params"]
    ]
    assert hits == [False, True, False]
    buffers = of_kind(trace, "circular_buffer_allocate")
    base = ttnn.device.get_allocator_base_address(device, ttnn.BufferType.L1)
    assert [node["params"]["address"] for node in buffers] == 2 * [base, base + 4096, base + 8192]
    assert {node["params"]["size"] for node in buffers} == {4096}
    assert {node["params"]["globally_allocated"] for node in buffers} == {"0"}
    assert kinds(trace).count("circular_buffer_deallocate_all") == kinds(trace).count("program_execution") == 3
    assert kinds(trace).count("sub_device_manager") == 1


def test_deallocations(device):
    x = put(device, 64, 64, memory_config=ttnn.L1_MEMORY_CONFIG)
    with ttnn.graph.capture() as trace:
        y = ttnn.relu(x, memory_config=ttnn.L1_MEMORY_CONFIG)
        z = ttnn.relu(y, memory_config=ttnn.DRAM_MEMORY_CONFIG)
        ttnn.deallocate(y)
        del z
        ttnn.deallocate(x)
    frees = of_kind(trace, "buffer_deallocate")
    buffers = [trace[node["connections"][0]] for node in frees]
    assert [node["params"]["type"] for node in frees] == ["L1", "DRAM", "L1"]
    assert all(free["params"]["size"] == buffer["params"]["size"] == 8192 for free, buffer in zip(frees, buffers, strict=True))
    assert ttnn.graph.extract_resource_usage_per_core(trace).peak_l1 == 2048
    assert ttnn.graph.extract_peak_L1_memory_usage(trace) == 2 * 8192


def test_reallocation_frees_first(device):
    above = put(device, 64, 64, memory_config=ttnn.L1_MEMORY_CONFIG)
    x = put(device, 64, 64, memory_config=ttnn.L1_MEMORY_CONFIG)
    ttnn.deallocate(above)
    with ttnn.graph.capture() as trace:
        y = ttnn.reallocate(x)
    order = [kind for kind in kinds(trace) if kind in ("buffer_allocate", "buffer_deallocate")]
    assert order == ["buffer_deallocate", "buffer_allocate"] and y.buffer_address() == 1_497_088
    assert ttnn.graph.extract_peak_L1_memory_usage(trace) == 8192


def test_sharded_buffers_name_their_cores(device):
    config = ttnn.create_sharded_memory_config((128, 64), ttnn.CoreGrid(y=1, x=4), ttnn.ShardStrategy.HEIGHT)
    x = put(device, 128, 64)
    with ttnn.graph.capture() as trace:
        ttnn.to_memory_config(x, config)
    params = of_kind(trace, "buffer_allocate")[0]["params"]
    assert (params["layout"], params["num_cores"], params["max_size_per_bank"]) == ("HEIGHT_SHARDED", 4, 4096)


def test_outputs(device):
    x = put(device, 1, 1, 64, 64)
    with ttnn.graph.capture() as trace:
        y = ttnn.relu(ttnn.add(x, x))
    assert ttnn.graph.count_intermediate_and_output_tensors(trace) == (1, 1)
    (output,) = ttnn.graph.extract_output_tensors(trace)
    assert trace[output]["params"]["tensor_id"] == y.tensor_id
    (info,) = ttnn.graph.extract_output_info(trace)
    assert info == ([1, 1, 64, 64], 8192, ttnn.BufferType.DRAM) and info.shape.rank == 4


def test_levelized_graph(device):
    a, b = put(device, 64, 64), put(device, 64, 64)
    with ttnn.graph.capture() as trace:
        ttnn.add(a, ttnn.matmul(a, b))
    vertices = ttnn.graph.extract_levelized_graph(trace)
    first, second = f"tensor[{a.tensor_id}]", f"tensor[{b.tensor_id}]"
    assert [v["name"] for v in vertices] == [first, second, "ttnn.matmul", "ttnn.add"]
    assert [v["in_edges"] for v in vertices] == [[], [], [0, 1], [0, 2]]
    assert [v["out_edges"] for v in vertices] == [[2, 3], [2], [3], []]
    assert [v["output_shape"] for v in vertices] == 4 * [["Shape([64, 64])"]]
    assert vertices[0]["output_info"] == ["Tensor(64x64 bfloat16 TILE in DRAM)"]

    deeper = ttnn.graph.extract_levelized_graph(trace, max_level=2)
    names = [v["name"] for v in deeper]
    assert names[2:] == ["ttnn.matmul", "MatmulDeviceOperation", "ttnn.add", "AddDeviceOperation"]
    assert deeper[2]["internals"] == [3] and deeper[4]["internals"] == [5]
    assert [v["counter"] for v in deeper] == list(range(6)) and deeper[3]["stacking_level"] == 2


def test_pretty_print(device, capsys):
    with ttnn.graph.capture() as trace:
        put(device, 32, 32)
    ttnn.graph.pretty_print(trace)
    assert capsys.readouterr().out == f"ttnn.from_numpy\n    {CREATE}\n"


def test_a_failure_closes_its_function(device):
    x = put(device, 32, 64)
    with ttnn.graph.capture() as trace, pytest.raises(tt.ArgumentError):
        ttnn.matmul(x, x)
    end = of_kind(trace, "function_end")[-1]["params"]
    assert end["name"] == "ttnn.matmul" and end["aborted"] == "true" and "32" in end["abort_reason"]


@pytest.mark.parametrize("mode", [NORMAL, NO_DISPATCH])
def test_a_failure_leaves_no_buffer_behind(device, mode, monkeypatch):
    def fail(x):
        ttnn.relu(x)
        y = ttnn.relu(x)
        raise tt.ArgumentError(f"no {y.shape}")

    x = put(device, 32, 32)
    monkeypatch.setattr(ttnn, "fail", _derive.intercepted(fail, "ttnn.fail"), raising=False)
    with ttnn.graph.capture(mode) as trace, pytest.raises(tt.ArgumentError, match="no Shape"):
        ttnn.fail(x)
    assert kinds(trace).count("buffer_allocate") == kinds(trace).count("buffer_deallocate") == 2
    assert of_kind(trace, "function_end")[-1]["params"]["name"] == "ttnn.fail"


# -- without dispatch -----------------------------------------------------------------------------------------------------------
def test_without_dispatch_nothing_is_allocated_kept_or_computed(device):
    x = put(device, 64, 64)
    before = device.memory
    with ttnn.graph.capture(NO_DISPATCH) as trace:
        y = ttnn.add(x, 1.0)
        huge = ttnn.zeros((1 << 20, 1 << 16), ttnn.bfloat16, ttnn.TILE_LAYOUT, device, ttnn.L1_MEMORY_CONFIG)
        assert device.memory == before and y.buffer_address() == huge.buffer_address() == 0
        ttnn.add_(x, 1.0)
        del huge
    assert device.memory == before and device.num_program_cache_entries() == 0 and device.computes
    assert "program_execution" not in kinds(trace) and kinds(trace).count("buffer_deallocate") == 1
    assert (ttnn.to_numpy(x) == 1.0).all() and (ttnn.to_numpy(y) == 0.0).all()
    assert (ttnn.to_numpy(ttnn.add(x, x)) == 2.0).all()
    del y
    assert device.memory == before


def test_without_dispatch_the_program_cache_is_asked(device):
    x = put(device, 64, 64)
    ttnn.add(x, x)
    with ttnn.graph.capture(NO_DISPATCH) as trace:
        ttnn.add(x, x)
        ttnn.subtract(x, x)
        ttnn.subtract(x, x)
    hits = [n["params"]["program_cache_hit"] for n in of_kind(trace, "function_start") if "program_cache_hit" in n["params"]]
    assert hits == [True, False, False] and kinds(trace).count("circular_buffer_allocate") == 9
    assert {n["params"]["address"] for n in of_kind(trace, "circular_buffer_allocate")} == {0}


def test_without_dispatch_what_was_allocated_can_be_freed(device):
    x, kept = put(device, 64, 64), put(device, 64, 64)
    empty = tt.MemoryState.create(tt.N150)
    with ttnn.graph.capture(NO_DISPATCH):
        ttnn.deallocate(x)
    assert not x.is_allocated() and len(device.memory.live(ttnn.BufferType.DRAM)) == 1
    del kept
    assert device.memory == empty


def test_without_dispatch_temporaries_are_freed(device):
    x = put(device, 64, 64)
    with ttnn.graph.capture(NO_DISPATCH) as trace:
        y = ttnn.addmm(x, x, x, alpha=2.0, beta=3.0)
    del y
    assert kinds(trace).count("buffer_allocate") == kinds(trace).count("buffer_deallocate") + 1


def test_without_dispatch_programs_must_fit(device):
    a, b = put(device, 1024, 1024), put(device, 1024, 1024)
    grid = ttnn.CoreGrid(y=8, x=8)
    view = ttnn.get_memory_view(device, ttnn.BufferType.L1)
    rows = (view.largest_contiguous_bytes_free_per_bank - 4096) // 32
    filler = ttnn.zeros((rows * 64, 8), ttnn.float32, ttnn.ROW_MAJOR_LAYOUT, device, ttnn.L1_MEMORY_CONFIG)
    with ttnn.graph.capture(NO_DISPATCH), pytest.raises(tt.L1ClashError, match="L1 is allocated down to"):
        ttnn.matmul(a, b, core_grid=grid)
    del filler
    with ttnn.graph.capture(NO_DISPATCH):
        ttnn.matmul(a, b, core_grid=grid)


# -- what cannot be told ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("extract", [ttnn.graph.extract_peak_L1_memory_usage, ttnn.graph.extract_resource_usage_per_core])
def test_no_peak_without_the_buffers_of_every_program(device, extract):
    x = put(device, 1, 64, 64)
    for mode in (NORMAL, NO_DISPATCH):
        with ttnn.graph.capture(mode) as trace:
            ttnn.cumsum(x, dim=0)
        (name,) = {n["params"]["name"] for n in of_kind(trace, "function_start") if "footprint" in n["params"]}
        with pytest.raises(tt.NotModelledError, match=rf"{extract.__name__}: .*{name} \(unknown\)"):
            extract(trace)


def test_captures_do_not_nest(device):
    with pytest.raises(tt.TTError, match="no capture"):
        ttnn.graph.end_graph_capture()
    with ttnn.graph.capture(), pytest.raises(tt.TTError, match="under way"):
        ttnn.graph.begin_graph_capture()
    with pytest.raises(tt.ArgumentError, match="run_mode"):
        ttnn.graph.begin_graph_capture("NORMAL")


@pytest.mark.parametrize("extract", ["extract_output_tensors", "extract_output_info", "count_intermediate_and_output_tensors"])
def test_a_capture_of_nothing_has_no_outputs(extract):
    with ttnn.graph.capture() as trace:
        pass
    assert kinds(trace) == ["capture_start", "capture_end"] and trace[0]["connections"] == [1]
    assert ttnn.graph.extract_peak_L1_memory_usage(trace) == 0
    with pytest.raises(tt.ArgumentError, match="no function"):
        getattr(ttnn.graph, extract)(trace)


def test_file(device, tmp_path):
    x = put(device, 32, 32)
    ttnn.graph.begin_graph_capture()
    ttnn.relu(x)
    nodes = ttnn.graph.end_graph_capture_to_file(tmp_path / "reports" / "capture.json")
    report = json.loads((tmp_path / "reports" / "capture.json").read_text())
    assert report["version"] == 1 and report["graph"] == nodes
    (described,) = report["devices"]
    assert described["arch"] == "WORMHOLE_B0" and described["l1_bank_size"] == 1_393_312
    assert described["cb_limit"] == described["worker_l1_size"] - described["address_at_first_l1_cb_buffer"] == 1_393_312


# -- the recorded captures ----------------------------------------------------------------------------------------------------------
RUNS = [
    pytest.param(
        board,
        run,
        id=f"{board}-{run['variant']}-b{run['batch']}-s{run['seq']}-h{run['heads']}x{run['hidden']}",
    )
    for board in recorded.BOARDS
    for run in recorded.load("mha_traces", board)["runs"]
]


def naive(run, p):
    """The tutorial's first version; each name that is bound again frees what it held."""
    batch, rows, heads, hidden = run["batch"], run["seq"], run["heads"], run["hidden"]

    def project(name, order):
        x = p["hidden_states"] @ p[f"{name}_weight"]
        x = x + p[f"{name}_bias"]
        x = ttnn.to_layout(x, ttnn.ROW_MAJOR_LAYOUT)
        x = ttnn.reshape(x, (batch, rows, heads, hidden // heads))
        x = ttnn.to_layout(x, ttnn.TILE_LAYOUT)
        return ttnn.permute(x, order)

    query, key, value = project("query", (0, 2, 1, 3)), project("key", (0, 2, 3, 1)), project("value", (0, 2, 1, 3))
    scores = query @ key
    scores = scores * (hidden // heads) ** -0.5
    scores = scores + p["attention_mask"]
    context = ttnn.softmax(scores, dim=-1) @ value
    context = ttnn.permute(context, (0, 2, 1, 3))
    context = ttnn.to_layout(context, ttnn.ROW_MAJOR_LAYOUT)
    context = ttnn.reshape(context, (batch, rows, hidden))
    context = ttnn.to_layout(context, ttnn.TILE_LAYOUT)
    return context @ p["output_weight"] + p["output_bias"]


def optimized(run, p):
    """The tutorial's last version."""
    place = {"memory_config": ttnn.L1_MEMORY_CONFIG, "core_grid": ttnn.CoreGrid(*run["core_grid_yx"])}
    free = ttnn.deallocate if run["dealloc"] else lambda x: None
    qkv = ttnn.linear(p["hidden_states"], p["qkv_weight"], bias=p["qkv_bias"], dtype=ttnn.bfloat8_b, **place)
    query, key, value = ttnn.transformer.split_query_key_value_and_split_heads(
        qkv, memory_config=ttnn.L1_MEMORY_CONFIG, num_heads=run["heads"]
    )
    free(qkv)
    scores = ttnn.matmul(query, key, dtype=ttnn.bfloat16, **place)
    free(query)
    free(key)
    head_size = run["hidden"] // run["heads"]
    scores = ttnn.transformer.attention_softmax_(scores, attention_mask=p["attention_mask"], head_size=head_size)
    context = ttnn.matmul(scores, value, dtype=ttnn.bfloat8_b, **place)
    free(scores)
    free(value)
    merged = ttnn.transformer.concatenate_heads(context, memory_config=ttnn.L1_MEMORY_CONFIG)
    free(context)
    output = ttnn.linear(merged, p["output_weight"], bias=p["output_bias"], dtype=ttnn.bfloat16, **place)
    free(merged)
    return output


@pytest.mark.parametrize("board, run", RUNS)
def test_recorded_peaks(board, run, monkeypatch):
    monkeypatch.setenv("TT_JAX_DEVICE", board.rpartition("_")[2])
    config = ttnn.MemoryConfig(buffer_type=ttnn.BufferType[run["inputs_in"]])
    with ttnn.manage_device(0, compute=False) as device:
        tensors = {
            name: ttnn.empty(
                shape, dtype=ttnn.DataType[dtype.upper()], layout=ttnn.TILE_LAYOUT, device=device, memory_config=config
            )
            for name, (shape, dtype, *_) in run["inputs"].items()
        }
        ttnn.graph.begin_graph_capture()
        try:
            (optimized if "core_grid_yx" in run else naive)(run, tensors)
        except tt.L1ClashError:
            assert "error" in run
        finally:
            trace = ttnn.graph.end_graph_capture()
    assert ttnn.graph.extract_resource_usage_per_core(trace)._asdict() == run["capture_peak"]


def test_a_plan_within_a_capture_is_no_part_of_it(device):
    x = put(device, 32, 32)
    ttnn.graph.begin_graph_capture(ttnn.graph.RunMode.NO_DISPATCH)
    ttnn.relu(x)
    spec = tt.TensorSpec((2048, 2048), tt.bfloat16, tt.TILE_LAYOUT)
    tt.plan(lambda x: ttnn.relu(x, memory_config=ttnn.L1_MEMORY_CONFIG), spec)
    trace = ttnn.graph.end_graph_capture()
    assert ttnn.graph.extract_calltrace(trace).count("ReluDeviceOperation") <= 1
    assert all("2048, 2048" not in str(node["params"]) for node in trace if node["node_type"] == "buffer_allocate")
    assert ttnn.graph.extract_peak_L1_memory_usage(trace) == 2 * 2 * 2048
