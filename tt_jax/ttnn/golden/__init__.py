"""Golden functions: what each ttnn operation is to compute, on torch tensors (`ttnn.get_golden_function`).

They say what an operation means, not how the device rounds it: torch computes in the dtype of the tensors it is given, and its
own rounding applies. Where the device's definition differs from torch's, the row says so.
"""

from collections.abc import Callable
from typing import Any

from tt_jax.errors import NotModelledError
from tt_jax.ttnn._torch import torch_module
from tt_jax.ttnn.golden._backward import BACKWARD
from tt_jax.ttnn.golden._binary import BINARY
from tt_jax.ttnn.golden._bind import bind
from tt_jax.ttnn.golden._correlation import pearson_correlation_coefficient as pearson_correlation_coefficient
from tt_jax.ttnn.golden._image import IMAGE
from tt_jax.ttnn.golden._nn import NN
from tt_jax.ttnn.golden._reduction import REDUCTION
from tt_jax.ttnn.golden._shape import SHAPE
from tt_jax.ttnn.golden._transformer import TRANSFORMER
from tt_jax.ttnn.golden._unary import UNARY, activated

__all__ = ["GOLDEN", "golden_for_activation", "golden_function", "pearson_correlation_coefficient"]

_ROWS = UNARY | BINARY | REDUCTION | SHAPE | NN | IMAGE | TRANSFORMER | BACKWARD

GOLDEN: dict[str, Callable[..., Any]] = {f"ttnn.{name}": bind(f"ttnn.{name}", row) for name, row in _ROWS.items()}
"""The golden function of every operation that has one, by its qualified name (`ttnn.relu`, `ttnn.transformer.concatenate_heads`)."""
GOLDEN["ttnn.pearson_correlation_coefficient"] = pearson_correlation_coefficient


def golden_function(name: str) -> Callable[..., Any]:
    """The golden function of the operation with this qualified name. Raises NotModelledError where there is none."""
    try:
        return GOLDEN[name]
    except KeyError:
        raise NotModelledError(f"{name} has no golden function: compare with a reference of your own") from None


def golden_for_activation(activation: Any) -> Callable[..., Any]:
    """The golden function of a fused activation: a name, a UnaryOpType or a UnaryWithParam."""
    return lambda input_tensor: activated(torch_module(), input_tensor, activation)
