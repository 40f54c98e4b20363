"""What launches use besides the memory: the program cache, and the record of where buffers come from."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from tt_jax.origins import Origins
from tt_jax.program_cache import ProgramCache

if TYPE_CHECKING:
    from tt_jax.program import Operation, Specs
    from tt_jax.tensor import Tensor


class Context(NamedTuple):
    """One device's, or one plan's.

    Attributes:
        programs: its program cache.
        origins: where its buffers come from.
        is_host: for what runs on the host's own tensors, of which no observer hears.
        computes: False where launches validate, allocate, check footprints and count programs, and compute nothing.
        choose: `(operation, attributes, specs, output tensor) -> attributes`, for launches to run with others than they were called
            with.
    """

    programs: ProgramCache
    origins: Origins
    is_host: bool = False
    computes: bool = True
    choose: "Callable[[Operation, Any, Specs, Tensor | None], Any] | None" = None


active: ContextVar[Context] = ContextVar("tt_jax", default=Context(ProgramCache(), Origins()))  # noqa: B039 - one for the process is meant
