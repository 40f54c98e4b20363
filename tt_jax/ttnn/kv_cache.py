"""`ttnn.kv_cache`: caches of keys and values, written in place."""

from tt_jax.ops import kv_cache as _functional
from tt_jax.ttnn._operations import derived as _derived

globals().update(_derived(_functional, "ttnn.kv_cache"))
