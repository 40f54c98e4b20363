"""`ttnn.operations`: where programs look for an operation's companions."""

from tt_jax.ttnn.operations import activations as activations
from tt_jax.ttnn.operations import pool as pool
