"""`ttnn.experimental`."""

from tt_jax import experimental as _functional
from tt_jax.ttnn._not_modelled import EXPERIMENTAL as _EXPERIMENTAL
from tt_jax.ttnn._not_modelled import refusing as _refusing
from tt_jax.ttnn._operations import derived as _derived

globals().update(_derived(_functional, "ttnn.experimental"))
globals().update(_refusing("ttnn.experimental", _EXPERIMENTAL, globals()))
