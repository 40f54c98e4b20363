"""Reports for ttnn-visualizer: what the tables hold, against recorded addresses where there are some."""

import json
import os
import socket
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn
from programs import EXAMPLES
from reports import RUN, from_array, opened, optimized_attention
from tt_jax.cores import CoreRange, CoreRangeSet
from tt_jax.report import schema, visualizer
from tt_jax.report.chunks import bank_cores, chunks_of


@pytest.fixture(scope="module")
def functional(tmp_path_factory):
    folder = tmp_path_factory.mktemp("functional")
    optimized_attention(folder)
    with opened(folder) as report:
        yield report


@pytest.fixture(scope="module")
def facade(tmp_path_factory):
    """The example, run by the command as it is."""
    folder = tmp_path_factory.mktemp("facade")
    command = [sys.executable, "-m", "tt_jax.cli", "run", "--report", folder, EXAMPLES / "ttnn_attention.py"]
    done = subprocess.run(command, env=os.environ | {"TT_JAX_COMPUTE": "off"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with opened(folder) as report:
        yield report


# -- what both kinds of program leave -------------------------------------------------------------------------------------------
@pytest.fixture(params=["functional", "facade"])
def report(request):
    return request.getfixturevalue(request.param)


def test_every_table_is_there_with_rank_and_version(report):
    for table in schema.TABLES:
        assert report.rows(f"PRAGMA table_info({table})")[-1][1] == "rank"
    assert report.column("SELECT value FROM report_metadata WHERE key = 'schema_version'") == ["3.5"]


def test_every_row_speaks_of_rows_that_are_there(report):
    operations, tensors = report.column("SELECT operation_id FROM operations"), report.column("SELECT tensor_id FROM tensors")
    assert operations == [*range(1, len(operations) + 1)]
    assert 0 not in tensors  # which the tool takes for none
    for table in (
        "buffers",
        "buffer_chunks",
        "captured_graph",
        "stack_traces",
        "input_tensors",
        "output_tensors",
        "operation_arguments",
    ):
        used = report.column(f"SELECT DISTINCT operation_id FROM {table}")
        assert used and {*used} <= {*operations}, table
    for table in ("input_tensors", "output_tensors", "device_tensors", "tensor_lifetime"):
        assert {*report.column(f"SELECT tensor_id FROM {table}")} <= {*tensors}, table
    assert not report.rows("SELECT * FROM errors")


def test_graphs_are_json_with_strings_for_parameters(report):
    for text in report.column("SELECT captured_graph FROM captured_graph"):
        nodes = json.loads(text)
        assert [node["id"] for node in nodes] == [node["counter"] for node in nodes] == [*range(len(nodes))]
        assert nodes[0]["node_type"] == "capture_start" and nodes[-1]["node_type"] == "capture_end"
        assert all(isinstance(x, str) for node in nodes for x in node["params"].values())
        assert all(target < len(nodes) for node in nodes for target in node["connections"] + node["input_tensors"])
        kinds = [node["node_type"] for node in nodes]
        assert kinds.count("function_start") == kinds.count("function_end")


def test_the_line_of_the_program_comes_first_and_its_file_is_kept(report):
    trace, path, contents = report.rows(
        "SELECT stack_trace, path, contents FROM stack_traces JOIN operations USING (operation_id) "
        "JOIN source_files ON id = source_file_id WHERE name = 'ttnn.transformer.concatenate_heads'"
    )[0]
    first, source, *_ = trace.splitlines()
    assert first.startswith(f'  File "{path}", line ') and first.endswith((" in optimized", " in optimized_attention"))
    assert os.path.isabs(path) and "concatenate_heads" in source and source.strip() in contents
    assert "tt_jax/" not in trace.replace("test_report", "")


def test_the_device(report):
    # The row of a real n150 but for the cores that store or dispatch only, of which no profile knows.
    real = (0, 8, 8, 8, 8, 1499136, 64, 1393312, 0, 105824, 1, 64, 0, 95944704, 0, 89171968, 89171968, 1393312, 0)
    assert report.rows("SELECT * FROM devices") == [real]


# -- functional programs ----------------------------------------------------------------------------------------------------------
def test_operations_outputs_and_live_bytes_are_those_recorded(functional):
    inputs = len(RUN["inputs"])
    assert functional.names()[:inputs] == ["ttnn.from_array"] * inputs
    operations = functional.rows("SELECT operation_id, name FROM operations WHERE operation_id > ?", inputs)
    assert len(operations) == len(RUN["steps"])
    for (operation, name), step in zip(operations, RUN["steps"], strict=True):
        assert name == {
            "linear_qkv": "ttnn.linear",
            "split_heads": "ttnn.transformer.split_query_key_value_and_split_heads",
            "matmul_qk": "ttnn.matmul",
            "attention_softmax_": "ttnn.transformer.attention_softmax_",
            "matmul_pv": "ttnn.matmul",
            "concatenate_heads": "ttnn.transformer.concatenate_heads",
            "linear_out": "ttnn.linear",
        }.get(step["step"], "ttnn.deallocate")
        outputs = functional.rows(
            "SELECT shape, address FROM output_tensors JOIN tensors USING (tensor_id) WHERE operation_id = ? ORDER BY output_index",
            operation,
        )
        assert outputs == [(f"Shape({shape})", address) for shape, _, _, _, address, *_ in step["outputs"]]
        for kind, value in (("L1", 1), ("DRAM", 0)):
            live = "SELECT coalesce(sum(max_size_per_bank), 0) FROM buffers WHERE operation_id = ? AND buffer_type = ?"
            assert functional.column(live, operation, value) == [step[kind][0]], (step["step"], kind)


def test_what_was_freed_is_input_of_its_deallocation_and_no_longer_live(functional):
    operation = functional.names().index("ttnn.deallocate") + 1
    freed = functional.rows(
        "SELECT address, deallocate_operation_id FROM input_tensors JOIN tensors USING (tensor_id) JOIN tensor_lifetime "
        "USING (tensor_id) WHERE operation_id = ?",
        operation,
    )
    assert freed == [(RUN["steps"][0]["outputs"][0][4], operation)]
    assert freed[0][0] not in functional.column("SELECT address FROM buffers WHERE operation_id = ?", operation)


def test_arguments(functional):
    operation = functional.names().index("ttnn.linear") + 1
    arguments = dict(functional.rows("SELECT name, value FROM operation_arguments WHERE operation_id = ?", operation))
    assert arguments["0"] == "Tensor(8x384x1024 bfloat16 TILE in DRAM)"
    assert arguments["dtype"] == "DataType.BFLOAT8_B"
    assert arguments["memory_config"].startswith(
        "MemoryConfig(memory_layout=TensorMemoryLayout::INTERLEAVED,buffer_type=BufferType::L1"
    )


def test_chunks_of_a_buffer_add_up_to_it(functional):
    operation = functional.names().index("ttnn.linear") + 1
    (_, _, _, _, address, pages, page), *_ = RUN["steps"][0]["outputs"]
    chunks = functional.rows(
        "SELECT bank_id, core_x, core_y, chunk_size, page_size, num_pages FROM buffer_chunks WHERE operation_id = ? AND address = ?",
        operation,
        address,
    )
    assert len({chunk[0] for chunk in chunks}) == len({chunk[1:3] for chunk in chunks}) == 64
    assert sum(chunk[5] for chunk in chunks) == pages
    assert {chunk[3:5] for chunk in chunks} == {(pages // 64 * page, page)}


def test_a_tensor_freed_late(tmp_path):
    with tt.record(tmp_path):
        memory, x = from_array(tt.MemoryState.create(), 64, 64)  # operation 1
        memory, y = tt.matmul(memory, x, x)
        memory, z = tt.matmul(memory, y, y)
        used = sys._getframe().f_lineno - 1
        memory, _ = tt.matmul(memory, z, z)
        memory = tt.deallocate(memory, y)
    with opened(tmp_path) as report:
        life = report.rows("SELECT * FROM tensor_lifetime WHERE producer_operation_id = 2")
        assert life == [(2, 2, 3, 5, __file__, used - 1, __file__, used, 0)]


def test_program_cache_hits(tmp_path, cache):
    with tt.record(tmp_path):
        memory, x = from_array(tt.MemoryState.create(), 64, 64)
        for _ in range(2):
            memory, _ = tt.matmul(memory, x, x)
    with opened(tmp_path) as report:
        starts = [report.graph(operation)[3]["params"] for operation in (2, 3)]
    assert [(start["name"], start["program_cache_hit"]) for start in starts] == [("matmul", "False"), ("matmul", "True")]


def test_a_programs_own_buffers_lie_at_the_l1_base(functional):
    nodes = functional.graph(functional.names().index("ttnn.linear") + 1)
    buffers = [node["params"] for node in nodes if node["node_type"] == "circular_buffer_allocate"]
    end = 105_824
    for buffer in buffers:
        assert int(buffer["address"]) == -(-end // 32) * 32
        end = int(buffer["address"]) + int(buffer["size"])
    assert buffers[0]["core_range_set"] == "{[0-0 - 7-7]}" and buffers[0]["globally_allocated"] == "0"


def test_under_jit_the_trace_is_recorded_and_nothing_once_it_is_cached(tmp_path):
    memory, x = from_array(tt.MemoryState.create(), 64, 64)
    x = tt.Tensor(jnp.zeros((64, 64), jnp.bfloat16), x.spec, x.buffer)
    run = jax.jit(lambda memory, x: tt.matmul(memory, x, x))
    with tt.record(tmp_path):
        for _ in range(2):
            run(memory, x)
    with opened(tmp_path) as report:
        assert report.names() == ["ttnn.matmul"]


def test_what_was_there_before_is_known_by_where_it_came_from(tmp_path):
    array = jnp.zeros((64, 64), jnp.bfloat16)
    memory, x = tt.from_array(tt.MemoryState.create(), array, layout=tt.TILE_LAYOUT, memory_config=tt.L1_MEMORY_CONFIG)
    made = sys._getframe().f_lineno - 1
    with tt.record(tmp_path):
        tt.matmul(memory, x, x)
    with opened(tmp_path) as report:
        assert report.rows("SELECT producer_operation_id, producer_source_line FROM tensor_lifetime WHERE tensor_id = 1") == [
            (None, made)
        ]
        assert report.rows("SELECT count(*) FROM buffer_chunks WHERE operation_id = 1") == [(4,)]


# -- the facade -------------------------------------------------------------------------------------------------------------------
def test_a_call_is_an_operation_and_the_end_of_a_handle_too(facade):
    names = facade.names()
    assert names[:13] == ["ttnn.from_numpy"] * 12 + ["ttnn.matmul"]
    assert {"ttnn.deallocate", "ttnn::deallocate", "ttnn.add_", "ttnn.reshape", "ttnn.to_numpy"} <= {*names}
    trace = facade.column("SELECT stack_trace FROM stack_traces WHERE operation_id = ?", names.index("ttnn::deallocate") + 1)[0]
    assert "y = ttnn.to_layout(y, ttnn.ROW_MAJOR_LAYOUT)" in trace.splitlines()[1]  # where `y` is bound anew


def test_programs_are_nested_in_calls(facade):
    operation = facade.names().index("ttnn.matmul") + 1
    starts = [node for node in facade.graph(operation) if node["node_type"] == "function_start"]
    assert [(node["params"]["name"], node["stacking_level"]) for node in starts] == [("ttnn.matmul", 1), ("matmul", 2)]


def test_the_second_run_hits_the_program_cache(facade):
    hits = {}
    for operation, name in facade.rows("SELECT operation_id, name FROM operations"):
        for node in facade.graph(operation):
            if "program_cache_hit" in node["params"]:
                hits.setdefault(name, []).append(node["params"]["program_cache_hit"])
    assert hits["ttnn.transformer.concatenate_heads"] == ["False", "True"]
    assert hits["ttnn.softmax"] == ["False", "True"]


def test_what_is_written_in_place_stays_the_same_tensor(facade):
    operation = facade.names().index("ttnn.add_") + 1
    inputs = facade.column("SELECT tensor_id FROM input_tensors WHERE operation_id = ?", operation)
    assert facade.column("SELECT tensor_id FROM output_tensors WHERE operation_id = ?", operation) == inputs[:1]


@pytest.fixture
def device():
    with ttnn.manage_device(device_id=0, compute=False) as device:
        yield device


def facade_tensor(device, *shape, **options):
    return ttnn.empty(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, **options)


def test_calls_without_a_device_have_no_rows_and_host_tensors_no_address(tmp_path, device):
    with tt.record(tmp_path):
        host = ttnn.from_numpy(jnp.zeros((32, 32)), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT)
        x = ttnn.to_device(host, device)
    with opened(tmp_path) as report:
        assert report.names() == ["ttnn.to_device"]
        assert report.rows("SELECT storage_type, address FROM tensors ORDER BY tensor_id") == [
            ("HOST", None),
            ("DEVICE", x.buffer_address()),
        ]


def test_an_error_has_its_row_and_goes_on_and_so_does_the_program(tmp_path, device):
    with tt.record(tmp_path):
        x = facade_tensor(device, 4096, 4096)
        with pytest.raises(tt.OutOfMemoryError):
            ttnn.to_memory_config(facade_tensor(device, 16384, 16384), ttnn.L1_MEMORY_CONFIG)
        ttnn.deallocate(x)
    with opened(tmp_path) as report:
        ((operation, name, kind, message, trace, timestamp, _),) = report.rows("SELECT * FROM errors")
        assert (name, kind) == ("ttnn.to_memory_config", "OutOfMemoryError")
        assert report.names()[operation - 1] == name and report.names()[-1] in ("ttnn.deallocate", "ttnn::deallocate")
        assert message.startswith("Out of Memory") and __file__ in trace and "Traceback" in trace and timestamp
        end = [node for node in report.graph(operation) if node["node_type"] == "function_end"][-1]
        assert end["params"]["aborted"] == "True"


def test_a_device_opened_anew_starts_from_nothing(tmp_path):
    with tt.record(tmp_path):
        for _ in range(2):
            with ttnn.manage_device(device_id=0, compute=False) as device:
                x = facade_tensor(device, 64, 64)
                del x
                y = facade_tensor(device, 64, 64)
                del y
    with opened(tmp_path) as report:
        assert report.rows("SELECT max(n) FROM (SELECT count(*) AS n FROM buffers GROUP BY operation_id)") == [(1,)]
        assert report.rows("SELECT count(*) FROM devices") == [(1,)]


# -- errors of functional programs ------------------------------------------------------------------------------------------------
def test_an_error_that_leaves_the_block_is_recorded(tmp_path):
    with pytest.raises(tt.OutOfMemoryError), tt.record(tmp_path):
        memory, x = from_array(tt.MemoryState.create(), 16384, 16384)
        tt.matmul(memory, x, x, memory_config=tt.L1_MEMORY_CONFIG)
    with opened(tmp_path) as report:
        ((operation, name, kind, message, trace, *_),) = report.rows("SELECT * FROM errors")
        assert (operation, name, kind) == (2, "ttnn.matmul", "OutOfMemoryError")
        assert "Out of Memory: matmul" in message and f'File "{__file__}"' in trace.splitlines()[0]
        assert report.rows("SELECT count(*) FROM buffers WHERE operation_id = 2") == [(1,)]


def test_an_error_of_an_operation_made_by_a_table_has_the_name_of_its_maker(tmp_path):
    with pytest.raises(tt.ArgumentError), tt.record(tmp_path):
        tt.add(tt.MemoryState.create(), None, None)
    with opened(tmp_path) as report:
        assert report.rows("SELECT count(*) FROM errors WHERE operation_name LIKE 'ttnn.%'") == [(1,)]


def test_an_error_of_the_users_own_is_no_operations(tmp_path):
    with pytest.raises(ZeroDivisionError), tt.record(tmp_path):
        1 / 0  # noqa: B018
    with opened(tmp_path) as report:
        assert report.names() == [] and report.rows("SELECT * FROM errors") == []


# -- the block --------------------------------------------------------------------------------------------------------------------
def test_a_report_replaces_the_one_before(tmp_path):
    for size in (32, 64):
        with tt.record(tmp_path / "report") as folder:
            from_array(tt.MemoryState.create(), size, size)
    assert json.loads((folder / "config.json").read_text())["report_name"] == "report"
    with opened(folder) as report:
        assert report.column("SELECT shape FROM tensors") == ["Shape([64, 64])"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "report").write_text("")
    with pytest.raises(tt.ArgumentError, match="report is a file; a report is a folder"), tt.record(tmp_path / "report"):
        pass


def test_neither_ttnn_nor_sqlite_is_imported_before_it_is_used(tmp_path):
    code = """
        import sys, tt_jax as tt
        assert not {"tt_jax.ttnn", "sqlite3"} & sys.modules.keys()
        with tt.record("report"):
            assert "tt_jax.ttnn" not in sys.modules
            import tt_jax.ttnn as ttnn
            with ttnn.manage_device(device_id=0, compute=False) as device:
                ttnn.relu(ttnn.empty((32, 32), ttnn.bfloat16, ttnn.TILE_LAYOUT, device))
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with opened(tmp_path / "report") as report:
        assert report.names()[:2] == ["ttnn.empty", "ttnn.relu"]
        assert len(report.graph(2)) > 4 and report.graph(2)[2]["params"]["name"] == "ttnn.relu"  # by the facade, `unary` within


# -- which core -------------------------------------------------------------------------------------------------------------------
def test_banks_are_shuffled_as_the_allocator_shuffles_them():
    assert [(core.x, core.y) for core in bank_cores(8, 8)[:5]] == [(1, 0), (1, 4), (4, 4), (4, 1), (2, 2)]  # recorded on n150
    for columns, rows in (profile.grid for profile in tt.PROFILES.values()):
        assert len({*bank_cores(columns, rows)}) == columns * rows


def sharded(layout, shape, shard, grid, orientation=tt.ShardOrientation.ROW_MAJOR):
    cores = CoreRangeSet([CoreRange(*grid)])
    config = tt.MemoryConfig(layout, tt.BufferType.L1, tt.ShardSpec(cores, shard, orientation))
    return tt.TensorSpec(shape, tt.bfloat16, tt.TILE_LAYOUT, config)


@pytest.mark.parametrize(
    ("spec", "cores", "pages"),
    [
        (sharded(tt.TensorMemoryLayout.HEIGHT_SHARDED, (96, 64), (32, 64), ((0, 0), (1, 1))), [(0, 0), (1, 0), (0, 1)], 2),
        (
            sharded(tt.TensorMemoryLayout.WIDTH_SHARDED, (32, 96), (32, 32), ((2, 0), (3, 1)), tt.ShardOrientation.COL_MAJOR),
            [(2, 0), (2, 1), (3, 0)],
            1,
        ),
        (sharded(tt.TensorMemoryLayout.BLOCK_SHARDED, (64, 32), (32, 32), ((1, 1), (2, 3))), [(1, 1), (1, 2)], 1),
        (
            tt.TensorSpec(
                (1, 64, 64),
                tt.bfloat16,
                tt.TILE_LAYOUT,
                tt.MemoryConfig(tt.BufferType.L1, tt.NdShardSpec((1, 32, 32), CoreRangeSet([CoreRange((0, 0), (6, 0))]))),
            ),
            [(0, 0), (1, 0), (2, 0), (3, 0)],
            1,
        ),
        (tt.TensorSpec((0, 32), tt.bfloat16, tt.TILE_LAYOUT, tt.L1_MEMORY_CONFIG), [], 0),
    ],
)
def test_shards_are_on_their_cores(spec, cores, pages):
    chunks = chunks_of(spec, tt.N150)
    assert [(chunk.core.x, chunk.core.y) for chunk in chunks] == cores
    assert all(chunk.pages == pages and chunk.size == pages * 2048 for chunk in chunks)
    assert all(bank_cores(8, 8)[chunk.bank] == chunk.core for chunk in chunks)


# -- the command ------------------------------------------------------------------------------------------------------------------
def tt_jax(*arguments, **environment):
    command = [sys.executable, "-m", "tt_jax.cli", *map(str, arguments)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)


def test_visualize_says_how_to_make_a_report(tmp_path):
    done = tt_jax("visualize", tmp_path)
    assert done.returncode == 1 and f"there is no report in {tmp_path}: `tt-jax run --report" in done.stderr


def test_visualize_says_that_the_port_is_taken(tmp_path):
    (tmp_path / "db.sqlite").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(tt.ArgumentError, match=rf"port {port} of 127.0.0.1 is not free .*: --port takes another"):
            visualizer.serve(tmp_path, port)


def test_visualize_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv(visualizer.PYTHON, str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tt.TTError, match=r"not installed: `pip install tt-jax\[visualizer\]`"):
        visualizer.executable()


def test_visualize_says_what_the_tool_said_if_it_does_not_start(tmp_path):
    (tmp_path / "db.sqlite").write_text("")
    tool = tmp_path / "ttnn-visualizer"
    tool.write_text("#!/bin/sh\necho the port is taken\nexit 1\n")
    tool.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = tt_jax("visualize", tmp_path, "--port", port, **{visualizer.PYTHON: str(tmp_path / "python")})
    assert done.returncode == 1 and f"did not start on port {port}" in done.stderr and "the port is taken" in done.stderr
