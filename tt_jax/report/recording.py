"""`record`: a report of what a program does, which Tenstorrent's ttnn-visualizer opens."""

import os
import pathlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from tt_jax.events import observed_by
from tt_jax.report.database import Database
from tt_jax.report.recorder import Recorder

frontends: list[Callable[[Recorder], AbstractContextManager[Any]]] = []
"""What else is to be in place while a recorder records: `tt_jax.ttnn` puts its part here."""

_recording: list[tuple[Recorder, ExitStack]] = []


@contextmanager
def record(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Write what happens within a `with` block to the folder `path`, as ttnn-visualizer reads it; a report there is replaced.

        with tt.record("report/"):
            memory, y = forward(memory, x)

    `tt-jax visualize report/` shows it: operations with their arguments, tensors and lines of the program, every live buffer after
    each, what programs keep in L1, program-cache hits and misses, tensors freed late, and errors.

    A call of the facade is one operation, its programs nested within. Functional programs have one operation for each launch,
    placement and deallocation, named as it was called; what does not fit is in the report even if the program catches the error,
    other errors where they leave the block. Under `jax.jit` what is recorded is the trace: nothing, where it is cached. Around
    `tt.plan` it is a report without computing.

    The source files that called operations are copied into the report. Of buffers in L1 it says which core holds how much, of those in
    DRAM it does not. The duration of a facade call is what Python took, that of other operations 0.

    Yields the folder. Raises ArgumentError if `path` is a file.
    """
    recorder = Recorder(Database(path))
    try:
        with ExitStack() as installed:
            installed.enter_context(observed_by(recorder.hear, recorder.hear_refusal))
            for install in frontends:
                installed.enter_context(install(recorder))
            _recording.append((recorder, installed))
            installed.callback(_recording.remove, (recorder, installed))
            try:
                yield recorder.database.folder
            except Exception as error:
                recorder.blame(error)
                raise
    finally:
        recorder.close()


def add_frontend(install: Callable[[Recorder], AbstractContextManager[Any]]) -> None:
    """Have `install(recorder)` in place for every recorder, those that record now too."""
    frontends.append(install)
    for recorder, installed in _recording:
        installed.enter_context(install(recorder))
