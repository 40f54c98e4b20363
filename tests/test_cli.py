"""The command `tt-jax`, and plain `import ttnn`, in interpreters of their own."""

import os
import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
    import sys
    import numpy as np
    import ttnn
    import ttnn.transformer
    from ttnn.types import DataType
    import tt_jax.ttnn

    assert ttnn is tt_jax.ttnn and ttnn.transformer is tt_jax.ttnn.transformer and DataType is ttnn.DataType
    assert "torch" not in sys.modules
    device = ttnn.open_device(device_id=0)
    x = ttnn.from_numpy(np.ones((32, 32), np.float32), layout=ttnn.TILE_LAYOUT, device=device)
    print(ttnn.get_arch_name(), ttnn.to_numpy(x + x)[0, 0], sys.argv[1:], __name__)
    ttnn.close_device(device)
"""


def tt_jax(*arguments, cwd, **environment):
    environment = {key: value for key, value in os.environ.items() if key != "TT_JAX_DEVICE"} | environment
    command = [sys.executable, "-m", "tt_jax.cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return path


@pytest.mark.parametrize(
    ("before", "after", "environment", "expected"),
    [
        ((), ("a", "--b"), {}, "wormhole_b0 2.0 ['a', '--b'] __main__"),
        (("--device", "p150"), (), {}, "blackhole 2.0 [] __main__"),
        ((), ("--device", "e150", "c"), {"TT_JAX_DEVICE": "p100"}, "grayskull 2.0 ['c'] __main__"),
        (("--device=p150",), ("--device", "e150"), {}, "blackhole 2.0 ['--device', 'e150'] __main__"),
        ((), ("a", "--device=p100", "--device", "0"), {}, "blackhole 2.0 ['a', '--device', '0'] __main__"),
        ((), ("--", "--device", "p150"), {"TT_JAX_DEVICE": "p100"}, "blackhole 2.0 ['--device', 'p150'] __main__"),
    ],
)
def test_run(script, before, after, environment, expected):
    done = tt_jax("run", *before, str(script), *after, cwd=script.parent, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected


def test_run_a_module(script):
    done = tt_jax("run", "-m", "script", "x", "--device", "p150", cwd=script.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "wormhole_b0 2.0 ['x', '--device', 'p150'] __main__"


def test_a_script_sees_the_modules_beside_it_and_its_exit_status_passes(tmp_path):
    (tmp_path / "helper.py").write_text("STATUS = 7")
    (tmp_path / "script.py").write_text("import sys, helper; sys.exit(helper.STATUS)")
    assert tt_jax("run", str(tmp_path / "script.py"), cwd="/").returncode == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required"),
        (("run",), "name a script"),
        (("run", "absent.py"), "no file absent.py"),
        (("run", "--device", "n151", "x.py"), "invalid choice"),
    ],
)
def test_bad_commands(tmp_path, arguments, message):
    done = tt_jax(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr


def test_another_ttnn_is_not_replaced(tmp_path):
    (tmp_path / "ttnn.py").write_text("")
    code = "import ttnn, tt_jax.alias\ntry:\n    tt_jax.alias.install()\nexcept ImportError as e:\n    print(e)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "another ttnn is imported already" in done.stdout, done.stderr
