"""The operations of `ttnn.experimental`, one file per family; `tt_jax.experimental` names them all."""
