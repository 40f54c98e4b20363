"""`ttnn.operations`: where programs look for an operation's companions."""

import importlib
from types import ModuleType

from tt_jax.ttnn.operations import activations as activations


def __getattr__(name: str) -> ModuleType:
    if name == "pool":  # imports every golden function: not for those who ask for none
        return importlib.import_module("tt_jax.ttnn.operations.pool")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
