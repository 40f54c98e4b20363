"""Small functions of the `ttnn` namespace that belong to no family."""

from collections.abc import Sequence
from typing import Any

from tt_jax.errors import NotModelledError
from tt_jax.kernels.tilize import padded_shape
from tt_jax.ttnn import _derive


def manual_seed(seeds: int | Any, *, device: Any = None, user_ids: Any = None) -> None:
    """Let operations that draw numbers without a seed of their own count from `seeds`.

    Raises NotModelledError for a tensor of seeds, one a user.
    """
    if not isinstance(seeds, int) or user_ids is not None:
        raise NotModelledError("manual_seed: seeds for single users are not modelled; pass one integer")
    _derive.manual_seed(seeds)


def pad_to_tile_shape(shape: Sequence[int]) -> list[int]:
    """`shape` with its last two dimensions rounded up to whole tiles."""
    return list(padded_shape(tuple(shape)))


__all__ = ["manual_seed", "pad_to_tile_shape"]
