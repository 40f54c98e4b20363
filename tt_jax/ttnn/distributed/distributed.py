"""`ttnn.distributed.distributed`: as `ttnn.distributed`."""

from tt_jax.ttnn.mesh import *  # noqa: F403 - it has an __all__
