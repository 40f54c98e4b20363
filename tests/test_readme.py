"""The programs of the README run, and print what it says they print."""

import contextlib
import io
import pathlib
import re

import jax
import jax.numpy as jnp

import tt_jax as tt

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()
FIRST, FURTHER = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(program, names):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, names)
    return printed.getvalue()


def test_the_smallest_program_prints_what_it_says():
    (block,) = re.findall(r"^prints\n\n((?:    .*\n)+)", README, re.MULTILINE)
    assert run(FIRST, {}) == re.sub("^    ", "", block, flags=re.MULTILINE)


def test_whole_programs_compile():
    names = {"jax": jax, "jnp": jnp}
    run(FIRST, names)
    names["memory"] = tt.MemoryState.create(tt.N150)
    run(FURTHER, names)
    assert names["after"] == names["memory"]
    assert names["gradient"].shape == names["w"].shape
