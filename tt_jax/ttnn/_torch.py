"""Torch, which is optional: found when something first needs it."""

import functools
import importlib
from typing import Any

from tt_jax.dtypes import DataType
from tt_jax.errors import TTError


@functools.cache
def torch_module() -> Any:
    """The `torch` package. Raises TTError, saying how to install it, where there is none."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise TTError("this needs torch, which is not installed: pip install torch, or tt-jax[torch]") from error


def torch_dtype(dtype: Any) -> Any:
    """The torch dtype that `ttnn.to_torch` gives for a tt_jax dtype; a torch dtype is returned as it is."""
    from tt_jax.ttnn.conversion import ttnn_dtype_to_torch_dtype  # the facade imports this package

    return ttnn_dtype_to_torch_dtype(dtype) if isinstance(dtype, DataType) else dtype
