"""The facade's functions: one for every name that a functional operations module exports."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from tt_jax import ops
from tt_jax.ttnn._derive import derive, derive_creation

_MODULES = (
    "backward",
    "binary",
    "bitwise",
    "comparison",
    "concat",
    "conv",
    "data_movement",
    "embedding",
    "filled",
    "fold",
    "gather",
    "indexing",
    "kv_cache",
    "layout",
    "logical",
    "loss",
    "matmul",
    "normalization",
    "pad",
    "permute",
    "pool",
    "random",
    "reduction",
    "repeat",
    "reshape",
    "scan",
    "sharding",
    "slice",
    "softmax",
    "sorting",
    "ternary",
    "unary",
    "upsample",
)

_SHAPED = ("shape", "dtype", "layout", "device", "memory_config")
_LIKE = ("tensor", "dtype", "layout", "device", "memory_config")
CREATION: dict[str, tuple[str, ...]] = {
    "arange": ("start", "end", "step", "dtype", "device", "memory_config", "layout"),
    "empty": _SHAPED,
    "empty_like": _LIKE,
    "full": ("shape", "fill_value", "dtype", "layout", "device", "memory_config"),
    "full_like": ("tensor", "fill_value", "dtype", "layout", "device", "memory_config"),
    "ones": _SHAPED,
    "ones_like": _LIKE,
    "rand": ("shape", "device"),
    "randn": ("shape", "device"),
    "zeros": _SHAPED,
    "zeros_like": _LIKE,
}
"""Functions that make a tensor from none, and what their arguments are by position, in ttnn's order."""

HOST = frozenset(
    (
        "concat",
        "conv1d",
        "conv2d",
        "conv_transpose2d",
        "getitem",
        "pad",
        "permute",
        "prepare_conv_bias",
        "prepare_conv_transpose2d_bias",
        "prepare_conv_transpose2d_weights",
        "prepare_conv_weights",
        "reshape",
        "slice",
        "squeeze",
        "tilize",
        "to_layout",
        "transpose",
        "unsqueeze",
        "unsqueeze_to_4D",
        "untilize",
    )
)
"""Operations that take host tensors too."""

CONSUMING = frozenset(("conv1d", "conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "move", "reallocate"))
"""Operations that may free an input's buffer."""

ALIASES = {"mul": "multiply", "sub": "subtract", "div": "divide"}


def derived(module: ModuleType, prefix: str, names: Iterable[str] | None = None) -> dict[str, Callable[..., Any]]:
    """The facade's functions for the operations that `module` exports, by name."""
    functions = {}
    for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]) if names is None else names:
        function = getattr(module, name)
        if isinstance(function, type):
            functions[name] = function
        elif callable(function) and "memory" in inspect.signature(function).parameters:
            full = f"{prefix}.{name}"
            if name in CREATION:
                functions[name] = derive_creation(function, full, CREATION[name])
            else:
                functions[name] = derive(function, full, host=name in HOST, consumes=name in CONSUMING)
    return functions


def all_operations() -> dict[str, Callable[..., Any]]:
    """Every function of the `ttnn` namespace itself that comes from a functional operation."""
    functions: dict[str, Callable[..., Any]] = {}
    for name in sorted(m.name for m in pkgutil.iter_modules(ops.__path__)):
        if name.startswith("_") or name in ("model_preprocessing", "transformer", "creation"):
            continue
        module = importlib.import_module(f"tt_jax.ops.{name}")
        functions |= derived(module, "ttnn")
    return functions
