"""The type stubs of the facade, written from the functions themselves.

`python -m tt_jax.ttnn._stub` rewrites them; a test checks that they are what it would write. With them editors and type
checkers see every name and signature, though the functions are made at import.
"""

import inspect
import pathlib
import re
import typing
from types import ModuleType
from typing import Any

import tt_jax.ttnn as ttnn
from tt_jax import operations
from tt_jax.ttnn.tensor import Tensor

FOLDER = pathlib.Path(__file__).parent
HEADER = '"""Written by `python -m tt_jax.ttnn._stub`; not to be edited."""\n\n'


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return "Any"
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\btt_jax\.tensor\.Tensor\b", "Tensor", text)
    text = re.sub(r"\b(?:tt_jax|jaxlib|jax|numpy|pathlib|os|collections\.abc|ml_dtypes)(?:\.\w+)*\.(\w+)", _known, text)
    return text.replace("typing.", "").replace("NoneType", "None")


def _known(match: re.Match[str]) -> str:
    name = match.group(1)
    if name in ("Sequence", "Callable", "Iterable", "Mapping", "Iterator"):
        return name
    return name if isinstance(getattr(ttnn, name, None), type) else "Any"


def _default(value: Any) -> str:
    return repr(value) if isinstance(value, bool | int | float | str | None) else "..."


def _parameters(function: Any) -> str:
    signature = inspect.signature(function)
    parts, keyword_only = [], False
    for p in signature.parameters.values():
        if p.kind is p.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            if not any(q.kind is q.VAR_POSITIONAL for q in signature.parameters.values()):
                parts.append("*")
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")  # type: ignore[call-overload]
        default = "" if p.default is p.empty else f" = {_default(p.default)}"
        parts.append(f"{star}{p.name}: {_annotation(p.annotation)}{default}")
    if not any(part.startswith("**") for part in parts):
        parts.append("**scheduling: Any")
    return ", ".join(parts)


def _summary(function: Any) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\\", "\\\\").replace('"""', "'''")


def function_stub(name: str, function: Any) -> str:
    """The stub of one facade function: signature and first paragraph."""
    result = _annotation(inspect.signature(function).return_annotation)
    summary = _summary(function).replace("\n", "\n    ")
    return f'def {name}({_parameters(function)}) -> {result}:\n    """{summary}"""\n'


def functions(module: ModuleType) -> dict[str, Any]:
    """The facade functions that `module` was given at import, by name."""
    return {name: f for name, f in sorted(vars(module).items()) if hasattr(f, "python_fully_qualified_name")}


IMPORTS = """from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Optional

"""


def package_stub() -> str:
    """`__init__.pyi`: what `__init__.py` imports, as it stands there, then every derived function."""
    source = (FOLDER / "__init__.py").read_text()
    kept = [line for line in source.splitlines() if re.match(r"from tt_jax\.(?!ttnn import _)|MeshDevice = ", line)]
    classes = sorted(x.__module__ + " " + name for name, x in vars(operations).items() if isinstance(x, type))
    kept += [f"from {module} import {name} as {name}" for module, name in map(str.split, classes)]
    body = "\n\n".join(function_stub(name, f) for name, f in functions(ttnn).items())
    return HEADER + IMPORTS + "\n".join(kept) + "\n\n" + body


def module_stub(module: ModuleType) -> str:
    """The stub of a namespace such as `ttnn.transformer`."""
    body = "\n\n".join(function_stub(name, f) for name, f in functions(module).items())
    names = sorted(
        name
        for name, value in vars(ttnn).items()
        if isinstance(value, type) and re.search(rf"\b{name}\b", body) and name not in dir(typing)
    )
    imports = "".join(f"from tt_jax.ttnn import {name} as {name}\n" for name in names)
    return HEADER + IMPORTS + imports + "\n" + body


def stubs() -> dict[pathlib.Path, str]:
    """Every stub file and what is to be in it."""
    return {
        FOLDER / "__init__.pyi": package_stub(),
        FOLDER / "experimental.pyi": module_stub(ttnn.experimental),
        FOLDER / "kv_cache.pyi": module_stub(ttnn.kv_cache),
        FOLDER / "transformer.pyi": module_stub(ttnn.transformer),
    }


def main() -> None:
    """Write the stubs."""
    assert Tensor is ttnn.Tensor
    for path, text in stubs().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
