"""The command `tt-jax`, and plain `import ttnn`, in interpreters of their own."""

import os
import subprocess
import sys
import textwrap

import pytest

from tt_jax import cli, ttnn

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


MODEL = """
    import ttnn

    def forward(x, w, *, scale=1.0):
        return ttnn.multiply(ttnn.matmul(x, w, memory_config=ttnn.L1_MEMORY_CONFIG), scale)

    def functional(memory, x):
        import tt_jax as tt
        return tt.relu(memory, x)

    constant = 3
"""

ANNOTATED = """
    from __future__ import annotations
    import dataclasses
    import jax
    import ttnn

    @dataclasses.dataclass
    class Layer:
        width: int = 32

        @staticmethod
        def forward(x, memory, *, scale=1.0, device=None):
            return ttnn.relu(ttnn.add(x, memory) if device == "none" and scale == 2.0 else x)

    def shifted(x, mesh_device):
        return x + ttnn.ones((32, 32), layout=ttnn.TILE_LAYOUT, device=mesh_device)

    @jax.jit
    def jitted(memory, device, x):
        import tt_jax as tt
        return tt.gelu(memory, x) if device == 3 else tt.relu(memory, x)
"""

TWO_DEVICES = """
    import ttnn
    first, second = (ttnn.open_device(device_id=i) for i in (0, 1))
    x, y = (ttnn.zeros((5000, 8192), layout=ttnn.TILE_LAYOUT, device=device) for device in (first, second))
    try:
        ttnn.zeros((20000, 8192), layout=ttnn.TILE_LAYOUT, device=first, memory_config=ttnn.L1_MEMORY_CONFIG)
    finally:
        ttnn.relu(x), ttnn.relu(y)
"""

ENDS = """
    import sys
    import ttnn
    from tt_jax.errors import OutOfMemoryError
    device = ttnn.open_device(device_id=0)
    x = ttnn.relu(ttnn.zeros((32, 32), layout=ttnn.TILE_LAYOUT, device=device))
"""

SHAPES = ("--shape", "x=1024,2048", "--shape", "w=2048,4096:bfloat8_b:tile:dram")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(textwrap.dedent(MODEL))
    return path


@pytest.mark.parametrize("target", ["model:forward", "model.py:forward"])
def test_plan_of_a_function(model, target):
    done = tt_jax("plan", target, *SHAPES, "--set", "scale=2.0", "--device", "n150,p150", cwd=model.parent)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("p150: fits")
    assert first.startswith("n150: fits\n")
    assert "model.py:5 in forward" in first and "2048x4096 bfloat8_b TILE in DRAM" in second


def test_plan_of_what_does_not_fit_exits_with_1_and_draws(model):
    shapes = ("--shape", "x=8,1024,2048", "--shape", "w=2048,16384:bfloat8_b:tile")
    done = tt_jax("plan", "model:forward", *shapes, "--device=n150,p150", "--summary", "--save", "out.html", cwd=model.parent)
    assert done.returncode == 1, done.stderr
    assert "n150: DOES NOT FIT: step 2, matmul" in done.stdout and "Out of Memory: matmul on p150" in done.stdout
    assert "step  operation" not in done.stdout
    assert sorted(path.name for path in model.parent.glob("*.html")) == ["out-n150.html", "out-p150.html"]


def test_plan_of_a_functional_function(model):
    done = tt_jax("plan", "model:functional", "--shape", "x=64,64:float32:row_major:l1", cwd=model.parent)
    assert done.returncode == 0, done.stderr
    assert "64x64 float32 ROW_MAJOR in L1" in done.stdout


def test_plan_of_a_script(script):
    """Tensors read as zeros; the script goes to its end, and its devices are planned."""
    done = tt_jax("plan", str(script), "--device", "n150,p150", "--", "a", "--b", cwd=script.parent)
    assert done.returncode == 0, done.stderr
    assert "wormhole_b0 0.0 ['a', '--b'] __main__" in done.stdout and "blackhole 0.0 ['a', '--b'] __main__" in done.stdout
    assert "n150: fits" in done.stdout and "p150: fits" in done.stdout and "script.py:13" in done.stdout


def test_plan_of_a_script_that_does_not_fit(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(
        "import ttnn\n"
        "device = ttnn.open_device(device_id=0)\n"
        "kept = ttnn.zeros((5000, 8192), layout=ttnn.TILE_LAYOUT, device=device, memory_config=ttnn.L1_MEMORY_CONFIG)\n"
        "more = ttnn.relu(kept)\n"
    )
    done = tt_jax("plan", "script.py", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "n150: DOES NOT FIT: step 1, relu" in done.stdout and "by zeros, script.py:3" in done.stdout


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys):
    """`tt-jax plan` in this process, which is afterwards as it was: the exit status, and what it printed."""
    monkeypatch.chdir(tmp_path)
    for name in ("path", "meta_path"):
        monkeypatch.setattr(sys, name, [*getattr(sys, name)])
    modules = {*sys.modules}

    def run(*arguments):
        status = cli.main(["plan", *arguments])
        return status, *capsys.readouterr()

    yield run
    ttnn.CloseDevices(ttnn.device.open_devices())
    for name in [name for name in sys.modules if name not in modules and name.partition(".")[0] in ("ttnn", "model")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("model:forward", "--shape", "x=8,a"), "--shape takes NAME=DIMS"),
        (("model:forward", "--shape", "x=8:bfloat16:tile:l1:more"), "--shape takes NAME=DIMS"),
        (("model:forward", "--shape", "x=8,8:bfloat8_b:row_major"), "its layout must be TILE"),
        (("model:forward", "--set", "scale"), "--set takes NAME=VALUE"),
        (("model:forward", "--set", "scale=os"), "--set takes NAME=VALUE"),
        (("model:forward", "--shape", "x"), "--shape takes NAME=DIMS"),
        (("model:forward", "--shape", "x="), "--shape takes NAME=DIMS"),
        (("model:forward", "--shape", "=3,3"), "--shape takes NAME=DIMS"),
        (("model:forward", "--set", "=3"), "--set takes NAME=VALUE"),
        (("model:forward", "--shape", "x=8,8"), "model:forward takes x, w, scale: w not given."),
        (("model:forward", *SHAPES, "--set", "bias=1"), "model:forward takes x, w, scale: bias not among them."),
        (("model:forward", *SHAPES, "--set", "x=1"), "x given by --shape and by --set."),
        (("model:functional", "--shape", "memory=8,8"), "model:functional takes x: x not given; memory not among them."),
        (("builtins:max",), "does not say what its parameters are"),
        (("model:forward", *SHAPES, "--save", "o.pdf"), "--save takes a file that ends in .png, .svg, .html, got 'o.pdf'"),
        (("model:forward", "--device", "n151"), "--device takes boards among n150"),
        (("model:constant",), "model has no function 'constant'"),
        (("model.py:forward.missing",), "model.py has no function 'forward.missing'"),
        (("missing:forward",), "cannot import 'missing'"),
        (("missing.py:forward",), "there is no file 'missing.py'"),
        (("missing.py",), "there is no file 'missing.py'"),
        (("model.py", "--shape", "x=8,8"), "--shape and --set are for MODULE:FUNCTION"),
        (("model.py",), "put nothing on a device"),
    ],
)
def test_plan_says_what_is_wrong(model, plan, arguments, text):
    status, _, err = plan(*arguments)
    assert status == 1 and text in err


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        ("", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(7)", 1, "script.py ended with sys.exit(7)"),
        ("sys.exit('no weights')", 1, "script.py ended with sys.exit('no weights')"),
        ("raise ValueError('mine')", 1, "ValueError: mine"),
        ("raise OutOfMemoryError('on no device')", 1, "OutOfMemoryError: on no device"),
        ("ttnn.add(x, 'a')", 1, "Traceback"),
    ],
)
def test_a_script_is_planned_however_it_ends(tmp_path, plan, end, status, error):
    (tmp_path / "script.py").write_text(textwrap.dedent(ENDS) + end)
    before = [*sys.argv], {**os.environ}
    got, out, err = plan("script.py", "--", "a")
    assert got == status and "n150: fits" in out and "relu" in out
    assert error in err if error else not err
    assert ([*sys.argv], {**os.environ}) == before


def test_a_script_that_ends_before_its_device_says_why(tmp_path, plan):
    (tmp_path / "script.py").write_text("1 / 0")
    status, out, err = plan("script.py")
    assert (status, out) == (1, "") and "ZeroDivisionError" in err and "put nothing" not in err


def test_the_plan_of_each_device_has_its_own_error_and_file(tmp_path, plan):
    (tmp_path / "script.py").write_text(textwrap.dedent(TWO_DEVICES))
    status, out, err = plan("script.py", "--summary", "--save", "out.html")
    first, second = out.split("device 2 of 2")
    assert status == 1 and not err
    assert (
        first.startswith("device 1 of 2")
        and "n150: DOES NOT FIT" in first
        and "cannot place 20000x8192" in first
        and "n150: fits" in second
    )
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["out-n150-1.html", "out-n150-2.html"]


@pytest.mark.parametrize(("status", "how"), [(-9, "signal 9"), (3, "exit status 3")])
def test_a_board_whose_run_fails_is_named(script, plan, monkeypatch, status, how):
    monkeypatch.setattr(
        subprocess, "run", lambda command, check: subprocess.CompletedProcess(command, status * ("p150" in command))
    )
    got, _, err = plan("script.py", "--device", "p150,n150")
    assert got == 1
    assert f"the run of script.py for p150 ended with {how}" in err and "n150" not in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("model.py:Layer.forward", "--shape", "memory=32,32", "--shape", "x=64,32"), "argument x "),
        (
            ("model:Layer.forward", "--shape=x=32,32", "--shape=memory=32,32", "--set=device='none'", "--set=scale=2.0"),
            " add ",
        ),
        (("model.py:shifted", "--shape", "x=32,32"), "model.py:16 in shifted"),
        (("model.py:jitted", "--shape", "x=32,32", "--set", "device=3"), " gelu "),
    ],
)
def test_plan_gives_a_function_its_arguments(tmp_path, plan, arguments, text):
    (tmp_path / "model.py").write_text(textwrap.dedent(ANNOTATED))
    status, out, err = plan(*arguments)
    assert status == 0, err
    assert text in out


def test_plan_says_where_a_script_s_own_arguments_go(plan, capsys):
    with pytest.raises(SystemExit, match="2"):
        plan("script.py", "--n", "2")
    assert "unrecognized arguments: --n 2; a script's own arguments go after `--`" in capsys.readouterr().err


def test_a_reader_that_has_gone_ends_plan_quietly(model):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tt_jax.cli", "plan", "model:forward", *SHAPES]
    done = subprocess.run(command, cwd=model.parent, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
