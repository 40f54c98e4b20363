"""Written by `python -m tt_jax.ttnn._stub`; not to be edited."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Optional

from tt_jax.ttnn import ComputeKernelConfig as ComputeKernelConfig
from tt_jax.ttnn import Tensor as Tensor

def fill_cache(cache_tensor: Tensor, input_tensor: Tensor, batch_idx: int, **scheduling: Any) -> Tensor:
    """`cache_tensor` `[b, heads, t, d]` with `input_tensor` `[1, heads, s, d]` in the first `s` rows of entry `batch_idx`, in place."""


def fill_cache_for_user_(cache: Tensor, input: Tensor, batch_index: int, **scheduling: Any) -> Tensor:
    """`fill_cache` under its name in `ttnn.kv_cache`."""


def update_cache(cache: Tensor, input: Tensor, update_idx: int, *, batch_offset: int = 0, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`cache` `[b, heads, t, d]` with one token of each user, `input` `[1, heads, users, d]`, in row `update_idx`, in place."""


def update_cache_for_token_(cache: Tensor, input: Tensor, update_index: int, batch_offset: int = 0, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`update_cache` under its name in `ttnn.kv_cache`."""
