"""`ttnn.operations.activations`."""

from tt_jax.ttnn.golden import golden_for_activation as get_golden_function_for_activation

__all__ = ["get_golden_function_for_activation"]
