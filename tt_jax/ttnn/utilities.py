"""Small functions of the `ttnn` namespace that belong to no family."""

from collections.abc import Sequence
from typing import Any

from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels.tilize import padded_shape
from tt_jax.ttnn import _derive
from tt_jax.ttnn.device import profile_from_environment


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


def tile_size(dtype: DataType) -> int:
    """Bytes of a 32x32 tile."""
    return dtype.tile_bytes


def element_size(dtype: DataType) -> int:
    """Bytes of an element. Raises ArgumentError for a block float, whose elements share exponents."""
    if dtype.element_bytes is None:
        raise ArgumentError(f"element_size: elements of {dtype.kernel_name} have no size of their own; use tile_size")
    return dtype.element_bytes


def get_dram_alignment() -> int:
    """Bytes that a page in DRAM is rounded up to, on the board of the environment."""
    return profile_from_environment().dram_alignment


def get_l1_alignment() -> int:
    """Bytes that a page in L1 is rounded up to, on the board of the environment."""
    return profile_from_environment().l1_alignment


__all__ = ["element_size", "get_dram_alignment", "get_l1_alignment", "manual_seed", "pad_to_tile_shape", "tile_size"]
