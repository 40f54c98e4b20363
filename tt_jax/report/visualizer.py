"""Tenstorrent's ttnn-visualizer, started on a report. Source of its options: spec/visualizer.md (0.108.0)."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from tt_jax.errors import ArgumentError, TTError

PYTHON = "TT_JAX_VISUALIZER_PYTHON"
"""The environment variable that names the interpreter with ttnn-visualizer, where that is in an environment of its own."""

_PATIENCE = 60
"""Seconds in which the tool starts."""


def executable() -> str:
    """The tool: that beside the interpreter in `PYTHON`, else that of this environment, else that on the path.

    Raises TTError, which says what to install, if there is none.
    """
    interpreter = os.environ.get(PYTHON)
    beside = os.path.join(os.path.dirname(interpreter or sys.executable), "ttnn-visualizer")
    found = beside if os.path.exists(beside) else shutil.which("ttnn-visualizer")
    if found is None:
        raise TTError(
            "ttnn-visualizer is not installed: `pip install tt-jax[visualizer]` (about 340 MB), or, in an environment of its own, "
            f"`pip install ttnn-visualizer`, and set {PYTHON} to the interpreter there"
        )
    return found


def environment(home: str) -> dict[str, str]:
    """The tool's environment: it keeps its data in `home`, opens no browser and records no usage."""
    own = {
        "HOME": home,
        "APP_DATA_DIRECTORY": os.path.join(home, "app"),
        "REPORT_DATA_DIRECTORY": os.path.join(home, "reports"),
        "LAUNCH_BROWSER_ON_START": "false",
        "USAGE_RECORDING_DISABLED": "true",
        "FLASK_ENV": "production",
    }
    return os.environ | own


def serve(report: str | os.PathLike[str], port: int = 8000) -> int:
    """Show `report` on 127.0.0.1 until interrupted; the tool's exit status.

    Raises ArgumentError if there is no report or the port is not free, TTError if the tool is not installed or does not start.
    """
    folder = pathlib.Path(report).resolve()
    if not (folder / "db.sqlite").is_file():
        raise ArgumentError(
            f"there is no report in {report}: `tt-jax run --report {report} SCRIPT`, or tt_jax.record in the program, writes one"
        )
    with socket.socket() as probe:  # else a tool that is there already would be asked to open the report
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ArgumentError(f"port {port} of 127.0.0.1 is not free ({error.strerror}): --port takes another") from None
    start = [executable(), "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory(prefix="tt-jax-visualizer-") as home, open(os.path.join(home, "log"), "w+") as log:
        # A group of its own: the tool is a process that starts others, and leaves them behind where it alone is ended.
        tool = subprocess.Popen(
            start, env=environment(home), cwd=home, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        terminated = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl+C
        try:
            print(f"{folder.name}: {_opened(tool, f'http://127.0.0.1:{port}', folder)}  (Ctrl+C ends it)", flush=True)
            return tool.wait()
        except _NotStartedError:
            log.seek(0)
            raise TTError(
                f"ttnn-visualizer did not start on port {port}; --port takes another. It said:\n{log.read()[-2000:]}"
            ) from None
        except KeyboardInterrupt:
            return 0
        finally:
            signal.signal(signal.SIGTERM, terminated)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(tool.pid, signal.SIGKILL)  # it has nothing to save: what it writes is in `home`
            tool.wait()


class _NotStartedError(Exception):
    pass


def _opened(tool: "subprocess.Popen[bytes]", address: str, folder: pathlib.Path) -> str:
    """Where the tool shows the report in `folder`, once it has started and opened it. Raises _NotStartedError."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names
    body = json.dumps({"profiler_path": str(folder)}).encode()
    request = urllib.request.Request(f"{address}/api/instance/local-paths", body, {"Content-Type": "application/json"})
    end = time.monotonic() + _PATIENCE
    while tool.poll() is None and time.monotonic() < end:
        try:
            with direct.open(request, timeout=_PATIENCE) as answer:
                return f"{address}/operations?instanceId={json.load(answer)['instance_id']}"
        except OSError:
            time.sleep(0.2)
    raise _NotStartedError
