"""The facade's functions: one for every name that a functional operations module exports."""

import functools
import inspect
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from tt_jax import operations
from tt_jax.ttnn import host
from tt_jax.ttnn._derive import Traits, derive, derive_creation, intercepted
from tt_jax.ttnn.tensor import Tensor

_SHAPED = ("shape", "dtype", "layout", "device", "memory_config")
_LIKE = ("tensor", "dtype", "layout", "device", "memory_config")
CREATION: dict[str, tuple[str, ...]] = {
    "arange": ("start", "end", "step", "dtype", "device", "memory_config", "layout"),
    "empty": _SHAPED,
    "empty_like": _LIKE,
    "from_buffer": ("buffer", "shape", "dtype", "device", "layout", "memory_config"),
    "full": ("shape", "fill_value", "dtype", "layout", "device", "memory_config", "optional_tensor"),
    "full_like": ("tensor", "fill_value", "dtype", "layout", "device", "memory_config", "optional_tensor"),
    "ones": _SHAPED,
    "ones_like": _LIKE,
    "rand": ("shape", "device"),
    "randn": ("shape", "device"),
    "zeros": _SHAPED,
    "zeros_like": _LIKE,
}
"""Functions that make a tensor from none, and what their arguments are by position, in ttnn's order."""

_CONVOLUTIONS = ("conv1d", "conv2d", "conv_transpose2d")
PREPARING = frozenset(
    (
        *_CONVOLUTIONS,
        "prepare_conv_bias",
        "prepare_conv_transpose2d_bias",
        "prepare_conv_transpose2d_weights",
        "prepare_conv_weights",
    )
)
"""Operations with an argument `device`, where host tensors among their inputs go."""

HOST = PREPARING | {
    "getitem",
    "pad",
    "prepare_grid_sample_grid",
    "reshape",
    "slice",
    "squeeze",
    "squeeze_from_4D",
    "tilize",
    "unsqueeze",
    "unsqueeze_to_4D",
    "untilize",
    "view",
}
"""Operations that take host tensors too."""

CONSUMING = frozenset(
    (*_CONVOLUTIONS, "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "max_pool2d", "move", "reallocate")
)
"""Operations that may free an input's buffer."""

SEEDED = frozenset(("bernoulli", "rand", "randn", "uniform"))
"""Operations whose seed 0 means any: each call takes the next one."""


def derived(module: ModuleType, prefix: str, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The facade's functions for the operations that `module` exports, by name."""
    functions: dict[str, Any] = {}
    for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]) if names is None else names:
        function = getattr(module, name)
        if isinstance(function, type):
            functions[name] = function
        elif callable(function) and "memory" in inspect.signature(function).parameters:
            full = f"{prefix}.{name}"
            traits = Traits(name in HOST, name in CONSUMING, name in PREPARING, name in SEEDED)
            if name in CREATION:
                functions[name] = derive_creation(function, full, CREATION[name], traits)
            else:
                functions[name] = derive(function, full, traits)
    return functions


def _unless_on_host(operation: Callable[..., Any], on_host: Callable[..., Any]) -> Callable[..., Any]:
    """`operation`, but `on_host` where the first tensor is on the host: what the host does by rules of its own."""

    @functools.wraps(operation)
    def choose(*args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else kwargs.get("tensor", kwargs.get("input_tensor"))
        return (on_host if isinstance(first, Tensor) and first.device() is None else operation)(*args, **kwargs)

    choose.__signature__ = inspect.signature(operation)  # type: ignore[attr-defined]
    return choose


def all_operations() -> dict[str, Any]:
    """Every function of the `ttnn` namespace itself that comes from a functional operation."""
    functions = derived(operations, "ttnn")
    for name, on_host in (("to_layout", host.in_layout), ("typecast", host.typecast)):
        functions[name] = _unless_on_host(functions[name], intercepted(on_host, f"ttnn.{name}"))
    return functions
