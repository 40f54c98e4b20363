"""`functionalize`: a program written for ttnn as a pure function that JAX can transform."""

import functools
from collections.abc import Callable
from typing import Any

from tt_jax.errors import ArgumentError
from tt_jax.memory import MemoryState
from tt_jax.program import active_cache, require_memory
from tt_jax.tensor import Tensor


def functionalize(program: Callable[..., Any]) -> Callable[..., tuple[MemoryState, Any]]:
    """`program(*tensors)`, written for ttnn, as `(memory, *tensors) -> (memory, out)` on functional tensors.

        run = tt_jax.functionalize(lambda x, w: ttnn.softmax(x @ w, dim=-1))
        memory, y = jax.jit(run)(memory, x, w)

    The result can be jitted, differentiated and vmapped. `program` gets ttnn tensors for tensors, in nested lists, tuples and
    dicts too; other arguments as they are. Its inputs stay allocated unless it deallocates them, what it returns is the
    caller's, everything else is freed when its last reference goes. A value that it writes in place into an input must be
    returned to be seen.

    Raises ArgumentError if it returns, or uses, a tensor of another device: pass every tensor as an argument.
    """

    @functools.wraps(program)
    def run(memory: MemoryState, *args: Any, **kwargs: Any) -> tuple[MemoryState, Any]:
        from tt_jax.ttnn import device as devices
        from tt_jax.ttnn._storage import BorrowedStorage
        from tt_jax.ttnn.tensor import Tensor as Handle

        require_memory(getattr(program, "__name__", "functionalize"), memory)
        cell = devices.Device(memory.device, memory, is_functional=True)
        cell.program_cache = active_cache()

        def handles(value: Any) -> Any:
            if isinstance(value, Tensor):
                return Handle._of(BorrowedStorage(cell, value), value.spec)
            return _mapped(handles, value)

        borrowed: list[Any] = []

        def functional(value: Any) -> Any:
            if isinstance(value, Handle):
                if value.device() is not cell:
                    raise ArgumentError(
                        "functionalize: the program returned a tensor that is not on its device: return device tensors, made from the "
                        "arguments"
                    )
                tensor = value._functional()
                borrowed.append(value)
                return tensor
            return _mapped(functional, value)

        before = devices.GetDefaultDevice()
        devices.SetDefaultDevice(cell)
        try:
            inputs, options = handles(args), handles(kwargs)
            out = functional(program(*inputs, **options))
        finally:
            devices.SetDefaultDevice(before)
        for handle in borrowed:
            handle._storage.abandon()
        del inputs, options
        return cell.memory, out

    return run


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """`value` with `function` applied to what its lists, tuples and dicts hold."""
    if isinstance(value, dict):
        changed = {key: function(item) for key, item in value.items()}
        try:
            return type(value)(changed)
        except TypeError:
            return changed
    if isinstance(value, list):
        return [function(item) for item in value]
    if isinstance(value, tuple):
        items = [function(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value
