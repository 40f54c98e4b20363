"""The programs of the README run, and print what it says they print."""

import contextlib
import io
import pathlib
import re

import jax
import jax.numpy as jnp

import tt_jax as tt

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()
SMALLEST, FUNCTIONALIZED, CORE, PLANNED, MESH, FURTHER = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(program, names):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "example.py", "exec"), names)
    return printed.getvalue()


def test_programs_print_what_it_says():
    blocks = re.findall(r"^prints\n\n((?:    .*\n|\n(?=    ))+)", README, re.MULTILINE)
    for program, block in zip((SMALLEST, CORE, PLANNED, MESH), blocks, strict=True):
        assert run(program, {}) == re.sub("^    ", "", block, flags=re.MULTILINE)


def test_a_program_written_for_ttnn_compiles():
    names = {}
    run(FUNCTIONALIZED, names)
    assert names["y"].shape == (32, 32)
    assert jnp.allclose(names["y"].array.astype(jnp.float32).sum(-1), 2, atol=0.02)


def test_whole_programs_compile():
    names = {"jax": jax, "jnp": jnp}
    run(CORE, names)
    names["memory"] = tt.MemoryState.create(tt.N150)
    run(FURTHER, names)
    assert names["after"] == names["memory"]
    assert names["gradient"].shape == names["w"].shape
