"""Files that the package writes itself are what it would write now."""

import pathlib

import tt_jax
from tt_jax import support
from tt_jax.ttnn import _stub

ROOT = pathlib.Path(__file__).parents[1]


def test_stubs():
    for path, text in _stub.stubs().items():
        assert path.read_text() == text, f"run `python -m tt_jax.ttnn._stub`: {path.name} is out of date"


def test_table_of_operations():
    text = (ROOT / "docs" / "operations.md").read_text()
    assert text == support.table(), "run `python -m tt_jax.support > docs/operations.md`"


def test_every_operation_has_a_docstring_and_annotations():
    for name, function in support._operations(tt_jax.operations).items():
        assert function.__doc__, name
        missing = [p for p, a in function.__annotations__.items() if a is None and p != "return"]
        assert not missing, name
