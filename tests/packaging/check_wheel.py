"""Check an installed tt_jax, nothing of the checkout in reach: .ci/run runs it in a fresh environment and another folder."""

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp

import tt_jax as tt
import tt_jax.kernels

RUNTIME = {"jax", "jaxlib", "ml-dtypes", "numpy"}
NEEDS_AN_EXTRA = {"tt_jax.testing.strategies": "pip install hypothesis"}
"""Modules that say at once what they lack, and how to install it."""


def canonical(requirement: str) -> str:
    """The distribution's name in a requirement, as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def check_contents() -> None:
    package = Path(tt.__file__).resolve().parent
    assert package.is_relative_to(Path(sys.prefix).resolve()), f"tt_jax is imported from {package}, not from the environment"
    for name in ("py.typed", "ttnn/__init__.pyi"):
        assert (package / name).is_file(), f"the wheel lacks {name}"
    assert not (package / "kernels").is_symlink(), "tt_jax/kernels should be a folder of its own in the wheel"
    assert importlib.util.find_spec("kernels") is None, "the wheel installs a top-level module `kernels`"


def check_metadata() -> None:
    assert tt.__version__ == importlib.metadata.version("tt-jax")
    runtime = {canonical(r) for r in importlib.metadata.requires("tt-jax") if not re.search(r";.*\bextra\b", r)}
    assert runtime == RUNTIME, f"runtime dependencies are {sorted(runtime)}, expected {sorted(RUNTIME)}"


def import_everything() -> int:
    """Import each module of the package; extras are not installed here, so none but those that say so may need one."""
    kernels = [m.name for m in pkgutil.iter_modules(tt_jax.kernels.__path__)]
    assert "block_float" in kernels, f"the wheel lacks the kernels: {kernels}"
    names = [m.name for m in pkgutil.walk_packages(tt.__path__, "tt_jax.") if not m.name.endswith(".__main__")]
    for name in names:
        try:
            importlib.import_module(name)
        except tt.errors.NotInstalledError as error:
            assert NEEDS_AN_EXTRA[name] in str(error)
        else:
            assert name not in NEEDS_AN_EXTRA, f"{name} was to need an extra"
    return len(names)


def run_a_program() -> None:
    memory = tt.MemoryState.create(tt.N150)
    memory, x = tt.from_array(memory, jnp.ones((32, 32)), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    memory, y = tt.add(memory, x, x)
    assert (tt.to_array(y) == 2).all()


SCRIPT = """
import numpy, ttnn
with ttnn.manage_device(device_id=0) as device:
    x = ttnn.from_numpy(numpy.ones((32, 32)), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    print(ttnn.to_numpy(x @ x).astype(numpy.float32).sum())
"""


def command(*arguments: str) -> str:
    """What the installed command prints, in an environment without torch and matplotlib."""
    tt_jax = str(Path(sys.executable).with_name("tt-jax"))
    done = subprocess.run([tt_jax, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_a_script_written_for_ttnn() -> None:
    Path("script.py").write_text(SCRIPT)
    assert float(command("run", "--report", "report", "script.py")) == 32**3
    assert Path("report/db.sqlite").is_file()
    planned = command("plan", "script.py", "--device", "p150", "--save", "plan.html")
    assert "p150: fits" in planned and "matmul" in Path("plan.html").read_text()


if __name__ == "__main__":
    check_contents()
    check_metadata()
    modules = import_everything()
    run_a_program()
    run_a_script_written_for_ttnn()
    print(f"wheel of tt-jax {tt.__version__}: {modules} modules imported, one program run, one ttnn script run and planned")
