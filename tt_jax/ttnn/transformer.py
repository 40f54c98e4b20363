"""`ttnn.transformer`: attention's operations."""

from tt_jax import transformer as _functional
from tt_jax.ttnn._operations import derived as _derived

globals().update(_derived(_functional, "ttnn.transformer"))
