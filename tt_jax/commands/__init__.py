"""The commands of `tt-jax` but `run`, which is in `tt_jax.cli`."""
