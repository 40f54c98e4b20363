"""Where buffers come from: which operation made what lies at an address, and which line of the user's program asked for it.

A memory state holds addresses only, so that equal programs leave equal states. What an error message or a report says about
them besides lies here, outside of the state: what was put last at each place.
"""

import functools
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Hashable
from types import CodeType
from typing import Any, NamedTuple

_LIMIT = 1 << 16
"""Places remembered: more than a device ever has live, and some megabytes."""

LIBRARIES = (
    *(
        os.path.join(os.path.dirname(spec.origin), "")
        for spec in map(importlib.util.find_spec, ("tt_jax", "jax", "jaxlib"))
        if spec is not None and spec.origin is not None
    ),
    os.path.join(sysconfig.get_path("scripts"), ""),
    "<frozen ",
)
"""What the file names of frames that are not the user's start with."""


class Origin(NamedTuple):
    """What made a buffer: the tensor's spec, the operation, and the user's line that called it."""

    spec: Any
    operation: str
    site: "Site | None"

    def __str__(self) -> str:
        at = f", {self.site}" if self.site is not None else ""
        return f"{self.spec}, by {self.operation}{at}"


class Site(NamedTuple):
    """A line of the user's program."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """As "model.py:13 in forward"."""
        within = "" if self.function == "<module>" else f" in {self.function}"
        return f"{os.path.basename(self.file)}:{self.line}{within}"


class Origins:
    """What was put last at each place. `before`: where to look for what was there before."""

    __slots__ = ("_before", "_made")

    def __init__(self, before: "Origins | None" = None) -> None:
        self._before = before
        # As short as can be, since it is written at every launch and hardly ever read: spec, operation, the user's code and
        # the instruction that it was at.
        self._made: dict[Hashable, tuple[Any, str, CodeType | None, int]] = {}

    def note(self, buffer: Hashable, spec: Any, operation: str) -> None:
        """`operation`, called from the line that runs now, put a tensor of `spec` at `buffer`. For `launch` and `place`."""
        made = self._made
        if len(made) >= _LIMIT and buffer not in made:
            for oldest in list(made)[: _LIMIT // 2]:
                del made[oldest]
        frame: Any = sys._getframe(2)  # not this one, nor the one that calls, which is the library's
        while frame is not None and is_library(frame.f_code.co_filename):
            frame = frame.f_back
        made[buffer] = (spec, operation, None, 0) if frame is None else (spec, operation, frame.f_code, frame.f_lasti)

    def find(self, buffer: Hashable) -> Origin | None:
        """What put the tensor at `buffer`, None if that was not seen (by `jax.jit`'s cache, say)."""
        made = self._made.get(buffer)
        if made is None:
            return None if self._before is None else self._before.find(buffer)
        spec, operation, code, instruction = made
        return Origin(spec, operation, None if code is None else _site(code, instruction))


@functools.cache
def is_library(filename: str) -> bool:
    """Whether code of this file is tt_jax's, JAX's, the interpreter's or a command's: not the user's."""
    return filename.startswith(LIBRARIES)


def call_site() -> Site | None:
    """The innermost frame's line that is the user's."""
    frame: Any = sys._getframe(1)
    while frame is not None and is_library(frame.f_code.co_filename):
        frame = frame.f_back
    return None if frame is None else Site(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def _site(code: CodeType, instruction: int) -> Site:
    """The line of `code` that `instruction` (bytes from its start) is of."""
    lines = (line for start, end, line in code.co_lines() if start <= instruction < end and line is not None)
    return Site(code.co_filename, next(lines, code.co_firstlineno), code.co_name)
