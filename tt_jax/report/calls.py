"""Who called: the user's lines of the stack, and the operation that they called."""

import functools
import linecache
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FrameType, TracebackType
from typing import Any

from tt_jax.origins import LIBRARIES, Site, is_library


def whole(site: Site) -> Site:
    """`site` with the whole path of its file, which `runpy` does not give where it was not given it."""
    return site if site.file.startswith("<") else site._replace(file=os.path.abspath(site.file))


def trace_of(lines: Iterable[Site]) -> str:
    """Lines as a traceback shows them, with their source."""
    shown = []
    for site in lines:
        source = linecache.getline(site.file, site.line).strip()
        shown.append(f'  File "{site.file}", line {site.line}, in {site.function}' + (f"\n    {source}" if source else ""))
    return "\n".join(shown)


Frames = Iterable[tuple[CodeType, int]]
"""Code and line of frames, innermost first."""


def stack(frame: FrameType | None = None) -> Iterator[tuple[CodeType, int]]:
    """The frames from `frame` (the caller's) outward."""
    frame = frame or sys._getframe(1)
    while frame is not None:
        yield frame.f_code, frame.f_lineno
        frame = frame.f_back


def stack_of(traceback: TracebackType | None) -> list[tuple[CodeType, int]]:
    """The frames that an exception went through, innermost first."""
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code, traceback.tb_lineno))
        traceback = traceback.tb_next
    return frames[::-1]


def user_lines(frames: Frames) -> list[Site]:
    """Those of neither tt_jax nor JAX nor the interpreter, innermost first."""
    return [whole(Site(code.co_filename, line, code.co_name)) for code, line in frames if not is_library(code.co_filename)]


def called(frames: Frames) -> str | None:
    """The public operation through which the innermost user's line reached tt_jax, such as "ttnn.transformer.concatenate_heads"."""
    inside = None
    names = _public()
    for code, _ in frames:
        if not is_library(code.co_filename):
            break
        inside = names.get(code, inside)
    return inside


def entered(frames: Frames) -> str | None:
    """The function of tt_jax that the innermost user's line called, public or not; None if it called none."""
    outermost: CodeType | None = None
    for code, _ in frames:
        if not is_library(code.co_filename):
            break
        outermost = code
    return outermost.co_name if outermost is not None and outermost.co_filename.startswith(LIBRARIES[0]) else None


@functools.cache
def _public() -> Mapping[CodeType, str]:
    """The functional operations' names by their code; operations that share theirs, made by one function, are left out."""
    import tt_jax

    spaces: list[tuple[str, Any]] = [("ttnn", tt_jax), ("ttnn.transformer", tt_jax.transformer)]
    spaces.append(("ttnn.experimental", tt_jax.experimental))
    names: dict[CodeType, set[str]] = {}
    for prefix, space in spaces:
        for name, value in vars(space).items():
            code = getattr(value, "__code__", None)
            if code is not None:
                names.setdefault(code, set()).add(f"{prefix}.{name}")
    return {code: min(found) for code, found in names.items() if len(found) == 1}
