"""The table of operations: what each computes and which tensors it takes.

`python -m tt_jax.support` prints it as Markdown; docs/operations.md is that output, and a test checks that it is. The rows are
the operations' own: name, first sentence of the docstring, and `.support`.
"""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tt_jax import experimental, operations, transformer
from tt_jax.dtypes import FLOATS, NAMES_ONLY, DataType
from tt_jax.layout import Layout
from tt_jax.ops._support import Support

_SHORT = {DataType.BFLOAT16: "bf16", DataType.FLOAT32: "f32", DataType.BFLOAT8_B: "bfp8", DataType.BFLOAT4_B: "bfp4"}


def _operations(module: ModuleType) -> dict[str, Callable[..., Any]]:
    return {
        name: function
        for name, function in sorted(vars(module).items())
        if callable(function) and not isinstance(function, type) and "memory" in inspect.signature(function).parameters
    }


def _summary(function: Callable[..., Any]) -> str:
    text = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return text.replace("|", "\\|")


def _dtypes(support: Support) -> str:
    floats = [_SHORT[dtype] for dtype in FLOATS if dtype in support.dtypes]
    integers = [dtype.kernel_name for dtype in support.dtypes if dtype not in FLOATS and dtype not in NAMES_ONLY]
    if len(floats) == len(FLOATS) and len(integers) == len(DataType) - len(FLOATS) - len(NAMES_ONLY):
        return "any"
    return " ".join(["float" if len(floats) == len(FLOATS) else " ".join(floats), *integers]).strip()


def _row(name: str, function: Callable[..., Any]) -> str:
    support: Support | None = getattr(function, "support", None)
    if support is None:
        return f"| `{name}` | {_summary(function)} | | |"
    layouts = " ".join(layout.name for layout in Layout if layout in support.layouts)
    note = f" {support.note}" if support.note else ""
    return f"| `{name}` | {_summary(function)}{note} | {_dtypes(support)} | {layouts} |"


def table() -> str:
    """The table as Markdown, one section a namespace."""
    parts = [
        "# Operations",
        "",
        "Written by `python -m tt_jax.support`. Each is `tt_jax.<name>(memory, ...) -> (memory, result)`, and",
        "`tt_jax.ttnn.<name>(...) -> result`.",
        "float: bf16 (bfloat16), f32 (float32), bfp8 (bfloat8_b) and bfp4 (bfloat4_b).",
    ]
    for prefix, module in (("ttnn", operations), ("ttnn.transformer", transformer), ("ttnn.experimental", experimental)):
        rows = _operations(module)
        parts += [
            "",
            f"## {prefix}: {len(rows)}",
            "",
            "| operation | what it computes | dtypes | layouts |",
            "|---|---|---|---|",
        ]
        parts += [_row(name, function) for name, function in rows.items()]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    print(table(), end="")
