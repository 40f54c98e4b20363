"""Table of contents of the operations that move values: one file an idea."""

from tt_jax.ops._movement import regrouped as regrouped
from tt_jax.ops.permute import permute as permute
from tt_jax.ops.permute import transpose as transpose
from tt_jax.ops.reshape import reshape as reshape
