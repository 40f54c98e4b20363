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
    """The torch dtype whose values are those of a tt_jax dtype; a torch dtype is returned as it is.

    A block float's values are exact in bfloat16.
    """
    torch = torch_module()
    if not isinstance(dtype, DataType):
        return dtype
    return torch.bfloat16 if dtype.is_block_float else getattr(torch, dtype.kernel_name)
