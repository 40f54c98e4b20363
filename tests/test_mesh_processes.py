"""A mesh whose chips belong to several processes: tests/processes/mesh.py, run by each of them, compares with NumPy."""

import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("processes") / "mesh.py"


@pytest.mark.parametrize(
    ("processes", "mesh"),
    [
        (2, "2x4"),
        pytest.param(4, "1x8", marks=pytest.mark.slow),
        pytest.param(4, "8x1", marks=pytest.mark.slow),
        pytest.param(4, "2x4", marks=pytest.mark.slow),
    ],
)
def test_several_processes_compute_what_numpy_does(processes, mesh):
    command = [sys.executable, "-m", "tt_jax.cli", "run", "--processes", str(processes), "--chips", str(8 // processes)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_", "PJRT_"))}
    done = subprocess.run([*command, str(SCRIPT), mesh], capture_output=True, text=True, timeout=300, env=environment)
    assert (done.returncode, done.stdout.strip()) == (0, "[0] equal"), done.stderr


def test_exchanges_that_nobody_waits_for_do_not_hang():
    """In a process of its own, whose JAX has the threads that a mesh asks for."""
    script = SCRIPT.with_name("exchanging.py")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_", "PJRT_"))}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, env=environment)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
