"""`ttnn.distributed`: the multi-device names, under the name of their package."""

from tt_jax.ttnn.distributed import distributed as distributed
from tt_jax.ttnn.mesh import *  # noqa: F403 - it has an __all__
