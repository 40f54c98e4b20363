"""`ttnn.experimental`."""

from tt_jax import experimental as _functional
from tt_jax.ttnn._operations import derived as _derived

globals().update(_derived(_functional, "ttnn.experimental"))
