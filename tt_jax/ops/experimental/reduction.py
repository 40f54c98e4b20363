"""Reductions of `ttnn.experimental`."""

from collections.abc import Sequence

from tt_jax.compute import ComputeKernelConfig
from tt_jax.dtypes import bfloat8_b, bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_options, require_tile, resolve_compute
from tt_jax.ops._reduce import Chain, default_config, reduce_outer
from tt_jax.ops._support import Support
from tt_jax.ops.reduction import resolve_dims
from tt_jax.program import active_cache, require_memory, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["fast_reduce_nc"]

_ALLOWED = (bfloat16, bfloat8_b)


def fast_reduce_nc(
    memory: MemoryState,
    input: Tensor,
    dims: Sequence[int],
    *,
    output: Tensor | None = None,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """The sum over dimensions before the last two, which keep size 1: tiles are added to tiles, one program for each of `dims`.

    float32 sums, rounded at the end of each program. As in ttnn the last two dimensions of the result are those of the input in whole
    tiles; what is added there is 0.

    Raises ArgumentError for another dtype or layout, or a dimension among the last two.
    """
    require_memory("fast_reduce_nc", memory)
    x = require_tensor("fast_reduce_nc", "input", input)
    require_options("fast_reduce_nc", memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    require_tile("fast_reduce_nc", "input", x.spec)
    require_dtype("fast_reduce_nc", "input", x.spec, _ALLOWED)
    axes = resolve_dims("fast_reduce_nc", dims, len(x.shape))
    if not dims or axes[-1] >= len(x.shape) - 2:
        raise ArgumentError(
            f"fast_reduce_nc: `dims` {dims} must name dimensions of {x.shape} before the last two; use sum for others"
        )
    compute = resolve_compute("fast_reduce_nc", memory.device, compute_kernel_config, default_config(memory.device))
    given = None if output is None else require_tensor("fast_reduce_nc", "output", output)
    placement = memory_config or (x if given is None else given).memory_config
    with active_cache().all_or_nothing():
        chain = Chain(memory, x)
        for axis in reversed(axes):
            chain.then(reduce_outer, axis, placement, compute, output=given if axis == axes[0] else None)
    return chain.memory, chain.tensor


fast_reduce_nc.support = Support(_ALLOWED, (Layout.TILE,))  # type: ignore[attr-defined]
