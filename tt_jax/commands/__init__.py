"""The commands of `tt-jax`."""
