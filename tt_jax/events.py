"""What happens to a device's memory, told to whoever watches: plans, reports, captures and traces."""

import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tt_jax.errors import OutOfMemoryError
from tt_jax.footprint import Footprint
from tt_jax.origins import Site

if TYPE_CHECKING:
    from tt_jax.context import Context
    from tt_jax.memory import Buffer, MemoryState
    from tt_jax.program import Operation, Program
    from tt_jax.tensor import Tensor


class Event(NamedTuple):
    """One step of a memory state, after it succeeded.

    Attributes:
        name: of the operation, or "deallocate".
        before, after: the memory.
        inputs: of a launch: tensors, and bare arrays for numbers.
        outputs: the tensors it gave.
        launch: what ran, None where the memory changed without a program (a tensor put there or freed).
        freed, allocated: what left the memory, and then came.
        context: whose memory it is.
        site: the user's line, where it is another than the one that runs now (a tensor whose last reference went earlier).
    """

    name: str
    before: "MemoryState"
    after: "MemoryState"
    inputs: Sequence[Any] = ()
    outputs: "Sequence[Tensor]" = ()
    launch: "Launch | None" = None
    freed: "Sequence[Buffer]" = ()
    allocated: "Sequence[Buffer]" = ()
    context: "Context | None" = None
    site: Site | None = None


class Launch(NamedTuple):
    """The program of an event. `footprint` is None where it is not known; `is_hit`: the program cache had it."""

    operation: "Operation"
    attributes: Hashable
    program: "Program"
    footprint: Footprint | None
    is_hit: bool


class Refusal(NamedTuple):
    """A step that did not fit: the memory stays as it was.

    Attributes:
        name: of the operation.
        before: the memory.
        error: why.
        outputs: those of its new tensors that found a place.
        footprint: of its program, None where it is not known or has none.
        context: as in `Event`.
    """

    name: str
    before: "MemoryState"
    error: OutOfMemoryError
    outputs: "Sequence[Tensor]"
    footprint: Footprint | None
    context: "Context"


refusal_observers: list[Callable[[Refusal], None]] = []
"""Called before the error of a step that does not fit is raised."""

observers: list[Callable[[Event], None]] = []
"""Called after every event, in turn. They must not change what they see."""


@contextmanager
def observed_by(observer: Callable[[Event], None], refused: Callable[[Refusal], None] | None = None) -> Iterator[None]:
    """Tell `observer` of every event within a `with` block, and `refused` of every step that does not fit."""
    observers.append(observer)
    if refused is not None:
        refusal_observers.append(refused)
    try:
        yield
    finally:
        observers.remove(observer)
        if refused is not None:
            refusal_observers.remove(refused)


def refuse(refusal: Refusal) -> OutOfMemoryError:
    """Tell the refusals' observers; the error, to raise."""
    if not refusal.context.is_host:
        _tell(refusal_observers, refusal)
    return refusal.error


def tell(event: Event) -> None:
    """Tell every observer. One that raises is warned of: the step has happened, and must be taken."""
    _tell(observers, event)


def _tell(those: list[Callable[[Any], None]], what: Event | Refusal) -> None:
    for observe in tuple(those):  # another thread may end an observation
        try:
            observe(what)
        except Exception as error:
            warnings.warn(f"{observe!r} failed to observe {what.name}: {error!r}", RuntimeWarning, stacklevel=2)
