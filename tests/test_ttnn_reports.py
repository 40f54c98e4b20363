"""Memory views with their blocks, and the reports in files. Figures: spec/memory.md section 7 and the recorded block lists (measured)."""

import pytest

import recorded
import tt_jax as tt
import tt_jax.ttnn as ttnn

NONE = str(2**64 - 1)


@pytest.fixture
def device():
    with ttnn.manage_device(0, compute=False) as device:
        yield device


def put(device, *shape, memory_config=ttnn.L1_MEMORY_CONFIG):
    return ttnn.empty(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, memory_config)


def lines(path):
    return path.read_text().splitlines()


def test_the_view_is_the_memory_states(device):
    x = put(device, 64, 64)
    view = ttnn.device.get_memory_view(device, ttnn.BufferType.L1)
    assert view == device.memory.view(tt.BufferType.L1) and x.is_allocated()
    assert (view.num_banks, view.total_bytes_per_bank, view.total_bytes_allocated_per_bank) == (64, 1_393_312, 2048)
    assert view.total_bytes_free_per_bank == view.largest_contiguous_bytes_free_per_bank == 1_391_264


def test_block_table(device):
    first, second = put(device, 64, 64), put(device, 64, 64)
    ttnn.deallocate(first)
    assert ttnn.get_memory_view(device, ttnn.BufferType.L1).block_table == [
        {"blockID": "0", "address": "0", "size": "1389216", "prevID": NONE, "nextID": "1", "allocated": "no"},
        {"blockID": "1", "address": "1389216", "size": "2048", "prevID": "0", "nextID": "2", "allocated": "yes"},
        {"blockID": "2", "address": "1391264", "size": "2048", "prevID": "1", "nextID": NONE, "allocated": "no"},
    ]
    view = ttnn.get_memory_view(device, ttnn.BufferType.L1)
    ttnn.deallocate(second)
    assert len(view.block_table) == 3  # as it was


@pytest.mark.parametrize("board", recorded.BOARDS)
def test_block_tables_are_the_recorded_ones(board, monkeypatch):
    monkeypatch.setenv("TT_JAX_DEVICE", board.rpartition("_")[2])
    seen = 0
    for trace in recorded.load("alloc_traces", board)["traces"]:
        with ttnn.manage_device(0, compute=False) as device:
            live = {}
            for step in trace["steps"]:
                if step["op"] == "free":
                    live.pop(step["id"]).deallocate()
                elif "out" in step:
                    spec = recorded.tensor_spec(step["spec"])
                    live[step["id"]] = ttnn.empty(spec.shape, spec.dtype, spec.layout, device, spec.memory_config)
                for kind, blocks in step.get("blocks", {}).items():
                    table = ttnn.get_memory_view(device, ttnn.BufferType[kind]).block_table
                    rows = [[int(row["address"]), int(row["size"]), int(row["allocated"] == "yes")] for row in table]
                    assert rows == sorted(blocks)
                    seen += 1
    assert seen


def test_dump(device, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill = [put(device, 1, 1, 32, 32 * 64) for _ in range(3)]  # 2048 B in each bank
    ttnn.deallocate(fill[1])
    ttnn.dump_device_memory_state(device, prefix="now_")
    reports = tmp_path / "generated" / "reports"
    assert lines(reports / "now_l1_usage_summary.csv") == [
        "This report indicates available space for interleaving L1 buffers",
        ", Largest Contiguous Free Block (B), Total Free L1 Space (B)",
        f",{1_393_312 - 3 * 2048},{(1_393_312 - 3 * 2048) * 64}",
    ]
    assert lines(reports / "now_memory_usage_summary.csv") == [
        ", Total Allocatable Size (B), Total Allocated (B), Total Free (B), Largest Free Block (B)",
        ",1072693184,0,1072693184,1072693184",
        f",1393312,4096,{1_393_312 - 4096},{1_393_312 - 3 * 2048}",
        ",0,0,0,0",
    ]
    detailed = lines(reports / "now_detailed_memory_usage.csv")
    l1 = detailed[detailed.index(",L1") : detailed.index(",L1_SMALL")]
    assert l1[1:5] == [
        f",Total allocatable (B):,{1_393_312 * 64}",
        f",Total allocated (B):,{4096 * 64}",
        f",Total free (B):,{(1_393_312 - 4096) * 64}",
        "FreeListOpt allocator info:",
    ]
    assert "  Size class 1: (2048 - 4096) blocks: 2 " in l1 and "  Size class 10: (1048576 - inf) blocks: 0 " in l1
    assert l1[-6:] == [
        "Block table:",
        "       Block      Address         Size       PrevID       NextID    Allocated",
        "           0            0      1387168         none            1           no",
        "           1      1387168         2048            0            2          yes",
        "           2      1389216         2048            1            3           no",
        "           3      1391264         2048            2         none          yes",
    ]
    ttnn.device.dump_device_memory_state(device)
    assert (reports / "l1_usage_summary.csv").exists()


def test_reports_of_each_program_that_is_built(device, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = put(device, 64, 64)
    ttnn.device.EnableMemoryReports()
    try:
        ttnn.relu(x)
        ttnn.relu(x)
        ttnn.add(x, x)
    finally:
        ttnn.device.DisableMemoryReports()
    ttnn.subtract(x, x)
    summary = lines(tmp_path / "generated" / "reports" / "program_memory_usage_summary.csv")
    assert summary[0].startswith("Program ID, Total Allocatable") and len(summary) == 1 + 2 * 3
    first, second = (int(summary[i].partition(",")[0]) for i in (1, 4))
    assert second == first + 1 and summary[2].split(",")[2] == str(2 * 2048)


def test_only_open_devices_have_reports(device):
    ttnn.close_device(device)
    for report in (lambda: ttnn.get_memory_view(device, ttnn.BufferType.L1), lambda: ttnn.dump_device_memory_state(device)):
        with pytest.raises(tt.TTError, match="is closed"):
            report()
    with pytest.raises(tt.ArgumentError, match="dump_device_memory_state: `device`"):
        ttnn.dump_device_memory_state(None)
