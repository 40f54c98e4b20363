"""Reports in the real ttnn-visualizer: every page's requests are answered, with the recorded addresses.

The tool is in an environment of its own, whose interpreter TT_JAX_VISUALIZER_PYTHON names (`make test-visualizer`).
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request

import pytest

import tt_jax as tt
from reports import RUN, from_array, optimized_attention
from tt_jax.report import visualizer

PYTHON = os.environ.get(visualizer.PYTHON)
pytestmark = [
    pytest.mark.visualizer,
    pytest.mark.skipif(PYTHON is None, reason=f"{visualizer.PYTHON} names no interpreter with ttnn-visualizer"),
]

# In the tool's interpreter: what each request gives, as JSON. The environment is read when the tool is imported.
CLIENT = """
    import json, sys
    from ttnn_visualizer.app import create_app

    client = create_app().test_client()
    opened = client.post("/api/instance/local-paths", json={"profiler_path": sys.argv[1]})
    instance = opened.json["instance_id"]
    answers = {}
    for path in json.loads(sys.argv[2]):
        page, _, query = path.partition("?")
        options = dict(pair.split("=") for pair in query.split("&") if pair) | {"instanceId": instance}
        answer = client.get(page, query_string=options)
        answers[path] = [answer.status_code, answer.json if answer.is_json else len(answer.data)]
    print("ANSWERS" + json.dumps(answers))
"""


def ask(folder, paths, home):
    """The answers to GET `paths`, which are all 200."""
    command = [PYTHON, "-c", textwrap.dedent(CLIENT), str(folder), json.dumps(paths)]
    done = subprocess.run(command, env=visualizer.environment(str(home)), cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.rpartition("ANSWERS")[2])
    assert {path: status for path, (status, _) in answers.items()} == dict.fromkeys(paths, 200)
    return {path: body for path, (_, body) in answers.items()}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """To every request that a page of the tool makes, of the report of the recorded attention."""
    folder, home = tmp_path_factory.mktemp("report"), tmp_path_factory.mktemp("home")
    optimized_attention(folder)
    operations = range(1, 1 + len(RUN["inputs"]) + len(RUN["steps"]))
    names = (
        "operations",
        "tensors",
        "tensors/1",
        "buffers",
        "operation-buffers",
        "devices",
        "config",
        "report-metadata",
        "errors",
    )
    pages = ("operations", "operations/7", "tensors", "buffer-summary", "graphtree")
    paths = [f"/api/{name}" for name in (*names, "report-fingerprints", "buffers?buffer_type=1")]
    paths += [f"/api/operations/{i}" for i in operations] + [f"/api/operation-buffers/{i}" for i in operations]
    paths += [f"/api/buffer-pages?operation_id={i}" for i in operations] + [f"/{page}" for page in pages]
    return ask(folder, paths, home)


def test_operations_and_their_buffers_are_those_recorded(answers):
    inputs = len(RUN["inputs"])
    addresses = {address for _, _, address, *_ in RUN["inputs"].values()}
    for operation, step in enumerate(RUN["steps"], inputs + 1):
        answer = answers[f"/api/operations/{operation}"]
        made = [(tensor["shape"], tensor["address"]) for tensor in answer["outputs"]]
        assert made == [(f"Shape({shape})", address) for shape, _, _, _, address, *_ in step["outputs"]]
        in_l1 = [buffer for buffer in answer["buffers"] if buffer["buffer_type"] == 1]
        assert sum(buffer["max_size_per_bank"] for buffer in in_l1) == step["L1"][0]
        assert {buffer["address"] for buffer in answer["buffers"] if buffer["buffer_type"] == 0} == addresses
        assert {address for _, _, _, _, address, *_ in step["outputs"]} <= {buffer["address"] for buffer in in_l1}
        chunks = answers[f"/api/buffer-pages?operation_id={operation}"]
        assert {chunk["address"] for chunk in chunks} == {buffer["address"] for buffer in in_l1}


def test_lists(answers):
    operations = answers["/api/operations"]
    assert all(operation["stack_trace_source_file_id"] for operation in operations)
    assert any(
        node["node_type"] == "circular_buffer_allocate" for operation in operations for node in operation["device_operations"]
    )
    tensors = answers["/api/tensors"]
    assert all(tensor["size"] and tensor["lifetime"]["producer_operation_id"] for tensor in tensors)
    assert answers["/api/errors"] == []
    assert answers["/api/devices"][0]["worker_l1_size"] == tt.N150.l1_size
    assert answers["/api/report-metadata"]["schema_version"] == "3.5"


def test_an_error_is_shown_at_its_operation(tmp_path):
    (tmp_path / "home").mkdir()
    with pytest.raises(tt.OutOfMemoryError), tt.record(tmp_path / "report") as folder:
        memory, x = from_array(tt.MemoryState.create(), 16384, 16384)
        tt.matmul(memory, x, x, memory_config=tt.L1_MEMORY_CONFIG)
    operation = ask(folder, ["/api/operations"], tmp_path / "home")["/api/operations"][-1]
    assert (operation["name"], operation["error"]["error_type"]) == ("ttnn.matmul", "OutOfMemoryError")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_starts_it_and_ends_it(tmp_path, end):
    with tt.record(tmp_path) as folder:
        pass
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tt_jax.cli", "visualize", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        try:
            address = served.stdout.readline().split()[1]
            assert address.startswith(f"http://127.0.0.1:{port}/operations?instanceId=")
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(address) as answer:
                assert answer.status == 200
        finally:
            served.send_signal(end)
    assert served.returncode == 0
    for _ in range(50):  # until those that it started are gone
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)):
                break
        time.sleep(0.1)
    else:
        pytest.fail("something still listens")
    assert pathlib.Path(folder, "db.sqlite").exists()
