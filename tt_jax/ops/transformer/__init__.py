"""The operations of `ttnn.transformer`, one file per family; `tt_jax.transformer` names them all."""
