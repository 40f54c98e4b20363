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
        self._made: dict[Hashable, Origin] = {}

    def note(self, buffer: Hashable, spec: Any, operation: str) -> None:
        """`operation`, called from the line that runs now, put a tensor of `spec` at `buffer`."""
        made = self._made
        if len(made) >= _LIMIT and buffer not in made:
            for oldest in list(made)[: _LIMIT // 2]:
                del made[oldest]
        made[buffer] = Origin(spec, operation, call_site())

    def find(self, buffer: Hashable) -> Origin | None:
        """What put the tensor at `buffer`, None if that was not seen (by `jax.jit`'s cache, say)."""
        origin = self._made.get(buffer)
        return self._before.find(buffer) if origin is None and self._before is not None else origin


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
