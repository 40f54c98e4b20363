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


def test_the_smallest_program_prints_what_it_says():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(FIRST, {})
    (block,) = re.findall(r"^prints\n\n((?:    .*\n)+)", README, re.MULTILINE)
    assert printed.getvalue() == re.sub("^    ", "", block, flags=re.MULTILINE)


def test_whole_programs_compile():
    names = {}
    exec(
        "import jax\nimport jax.numpy as jnp\n" + FIRST.replace("print", "str") + "memory = tt.MemoryState.create(tt.N150)\n",
        names,
    )
    exec(FURTHER, names)
    assert names["after"] == names["memory"]
    assert names["gradient"].shape == names["w"].shape
