"""`ttnn.operations.activations`."""

from collections.abc import Callable
from typing import Any


def get_golden_function_for_activation(activation: Any) -> Callable[..., Any]:
    """The golden function of a fused activation: a name, a UnaryOpType or a UnaryWithParam."""
    from tt_jax.ttnn.golden import golden_for_activation

    return golden_for_activation(activation)
