"""`functionalize`: a program written for ttnn as a pure function that JAX can transform."""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax

from tt_jax.context import active
from tt_jax.errors import ArgumentError
from tt_jax.memory import MemoryState
from tt_jax.program import require_memory
from tt_jax.tensor import Tensor


def functionalize(program: Callable[..., Any]) -> Callable[..., tuple[MemoryState, Any]]:
    """`program(*tensors)`, written for ttnn, as `(memory, *tensors) -> (memory, out)` on functional tensors.

        run = tt_jax.functionalize(lambda x, w: ttnn.softmax(x @ w, dim=-1))
        memory, y = jax.jit(run)(memory, x, w)

    The result can be jitted, differentiated and vmapped. `program` gets ttnn tensors for tensors, in lists, tuples, dicts and
    registered pytrees too; other arguments as they are (under a transformation, numbers must be static or closed over). Its inputs
    stay allocated unless it deallocates them, what it returns is the caller's, everything else is freed at its end. A value that
    it writes in place into an input must be returned to be seen.

    Raises ArgumentError if it returns, or uses, a tensor of another device: pass every tensor as an argument.
    """

    @functools.wraps(program)
    def run(memory: MemoryState, *args: Any, **kwargs: Any) -> tuple[MemoryState, Any]:
        from tt_jax.ttnn import device as devices
        from tt_jax.ttnn._storage import BorrowedStorage, Storage
        from tt_jax.ttnn.tensor import Tensor as Handle

        require_memory(getattr(program, "__name__", "functionalize"), memory)
        cell = devices.Device(memory.device, memory, is_functional=True)
        cell.context = active.get()
        borrowed: dict[Any, Storage] = {}  # one for each buffer: a tensor and its view, or one passed twice, share it
        returned: list[Storage] = []

        def handles(value: Any) -> Any:
            if isinstance(value, Tensor):
                storage = borrowed.get(value.buffer)
                if storage is None:
                    storage = borrowed[value.buffer] = BorrowedStorage(cell, value)
                return Handle._of(storage, value.spec)
            return _mapped(handles, value)

        def functional(value: Any) -> Any:
            if isinstance(value, Handle):
                if value.device() is not cell:
                    raise ArgumentError(
                        "functionalize: the program returned a tensor that is not on its device: return device tensors, made from the "
                        "arguments"
                    )
                returned.append(value._storage)
                return value._functional()
            return _mapped(functional, value)

        with devices.default_within(cell):
            out = functional(program(*handles(args), **handles(kwargs)))
        kept = {id(storage) for storage in (*returned, *borrowed.values())}
        for reference in cell.made:
            storage = reference()
            if storage is not None and id(storage) not in kept:
                storage.free()  # held by a cycle, or stored outside: nobody may depend on the garbage collector
        for storage in (*returned, *borrowed.values()):
            storage.abandon()
        after = cell.memory
        cell.is_open = False
        return after, out

    with contextlib.suppress(ValueError):  # no signature to be had, or one with a `memory` of its own
        parameters = inspect.signature(program).parameters.values()
        first = inspect.Parameter("memory", inspect.Parameter.POSITIONAL_ONLY, annotation=MemoryState)
        run.__signature__ = inspect.Signature([first, *parameters])  # type: ignore[attr-defined]
    return run


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """`value` with `function` applied to what its containers hold: lists, tuples, dicts of any class, registered pytrees."""
    if isinstance(value, dict):
        changed = {key: function(item) for key, item in value.items()}
        try:
            return type(value)(changed)
        except TypeError:
            return changed
    children, structure = jax.tree_util.tree_flatten(value, is_leaf=lambda x: x is not value)
    if jax.tree_util.treedef_is_leaf(structure):
        return value
    return jax.tree_util.tree_unflatten(structure, [function(child) for child in children])
