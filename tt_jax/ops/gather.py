"""Values picked by an index tensor, and put where one says."""

from typing import Any, NamedTuple, cast

from jax import Array

from tt_jax.dtypes import bfloat16, float32, int32, uint8, uint16, uint32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import data_movement
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import normalize_dim, require_dtype, require_flags, require_tile
from tt_jax.ops._movement import Composite, movement, run, supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.layout import tilized, to_layout
from tt_jax.ops.permute import transpose
from tt_jax.ops.slice import slice
from tt_jax.program import active_cache, require_live, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["gather", "scatter", "scatter_add"]

_VALUES = (bfloat16, float32, uint16, uint32, int32)
_INDICES = (uint8, uint16, uint32, int32)
_REDUCTIONS = ("add", "multiply", "amin", "amax")


class _Scatter(NamedTuple):
    dim: int
    reduction: data_movement.Reduction


def _gather(dim: int, x: Array, index: Array) -> Array:
    return data_movement.gather(x, index, dim)


def _scatter(how: _Scatter, x: Array, index: Array, source: Array) -> Array:
    return data_movement.scatter(x, index, source, how.dim, how.reduction)


_GATHER = movement("gather", _gather, reads_part=True)
_SCATTER = movement("scatter", _scatter)


def _require_covered(operation: str, argument: str, index: Tensor, x: Tensor, free: int | None) -> None:
    """Raise ArgumentError unless `index` is no larger than `x`, dimension `free` aside."""
    fits = len(index.shape) == len(x.shape) and all(
        i <= s for d, (i, s) in enumerate(zip(index.shape, x.shape, strict=True)) if d != free
    )
    if not fits:
        aside = "" if free is None else f" (dimension {free} aside)"
        raise ArgumentError(f"{operation}: `index` {index.spec} must lie within `{argument}` {x.spec}{aside}")


def gather(
    memory: MemoryState,
    input: Tensor,
    dim: int,
    index: Tensor,
    *,
    sparse_grad: bool = False,
    memory_config: MemoryConfig | None = None,
    out: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """The values of `input` that `index` names along `dim`: the shape of `index`, the dtype of `input`, TILE layout.

    Both in TILE layout and of one rank; `index` an unsigned integer. Along another dimension than the last, both are
    transposed first and the result is transposed back. An index out of range reads NaN, or the largest integer.

    Raises ArgumentError for other dtypes or layouts, and an `index` larger than `input` in another dimension than `dim`.
    """
    x, index = require_tensor("gather", "input", input), require_tensor("gather", "index", index)
    require_flags("gather", sparse_grad=sparse_grad)
    if sparse_grad:
        raise NotModelledError("gather: `sparse_grad` is not modelled (nor does ttnn support it)")
    for argument, tensor, allowed in (("input", x, _VALUES), ("index", index, (uint16, uint32))):
        require_tile("gather", argument, tensor.spec)
        require_dtype("gather", argument, tensor.spec, allowed)
    dim = normalize_dim("gather", dim, len(x.shape))
    _require_covered("gather", "input", index, x, dim)
    spec = target("gather", x.spec, index.shape, memory_config, out)
    require_live("gather", memory, x)
    require_live("gather", memory, index, 1)
    last = len(x.shape) - 1
    if dim == last:
        return run(memory, _GATHER, (x, index), spec, dim, out)
    if out is not None:
        raise NotModelledError("gather: `out` is modelled along the last dimension only")
    with active_cache().all_or_nothing():
        step = Composite(memory, x, index)
        values, places = step(transpose, x, dim, last), step(transpose, index, dim, last)
        picked = step(run, _GATHER, (values, places), target("gather", values.spec, places.shape, None), last)
        y = step(transpose, picked, dim, last, memory_config=spec.memory_config)
        return step.result(y), y


def scatter(
    memory: MemoryState,
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor,
    *,
    memory_config: MemoryConfig | None = None,
    reduce: str | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input` with the values of `src` where `index` says along `dim`, as `torch.scatter`; `reduce`: add, multiply, amin, amax.

    `index` lies within `src` and, `dim` aside, within `input`. The program works on rows along the last dimension: tiles are
    untilized, other dimensions transposed, a larger `src` is sliced, and the result taken back the same way. Sums and
    products are taken in float32 and rounded once, where the device rounds each.

    Raises ArgumentError for shapes or dtypes that do not fit.
    """
    x, index, src = (require_tensor("scatter", name, t) for name, t in (("input", input), ("index", index), ("src", src)))
    require_dtype("scatter", "input", x.spec, _VALUES)
    require_dtype("scatter", "index", index.spec, _INDICES)
    if src.dtype is not x.dtype:
        raise ArgumentError(f"scatter: `src` {src.spec} must have the dtype of `input`, {x.spec}; typecast it")
    reduction: Any = "set" if reduce is None else reduce
    if reduction != "set" and reduction not in _REDUCTIONS:
        raise ArgumentError(f"scatter: `reduce` must be one of {', '.join(_REDUCTIONS)} or None, got {reduce!r}")
    dim = normalize_dim("scatter", dim, len(x.shape))
    _require_covered("scatter", "input", index, x, dim)
    _require_covered("scatter", "src", index, src, None)
    for i, tensor in enumerate((x, index, src)):
        require_live("scatter", memory, tensor, i)
    spec, last = target("scatter", x.spec, x.shape, memory_config, output_tensor), len(x.shape) - 1
    with active_cache().all_or_nothing():
        step = Composite(memory, x, index, src)

        def rows(tensor: Tensor) -> Tensor:
            flat = step(to_layout, tensor, Layout.ROW_MAJOR)
            return flat if dim == last else step(transpose, flat, dim, last)

        def put(wanted: TensorSpec, out: Tensor | None) -> Tensor:
            return step(run, _SCATTER, (values, places, source), wanted, _Scatter(last, reduction), out)

        values, places, source = rows(x), rows(index), rows(src)
        if source.shape != places.shape:
            source = step(slice, source, [0] * len(places.shape), places.shape)
        tiled = x.layout is Layout.TILE
        if dim == last and not tiled:
            y = put(spec, output_tensor)
        else:
            y = put(values.spec, None)
            if dim != last:
                y = step(transpose, y, dim, last, memory_config=None if tiled else spec.memory_config)
            if tiled:
                y = step(tilized, y, spec.dtype, spec.memory_config, output_tensor)
            elif output_tensor is not None:
                raise NotModelledError("scatter: `output_tensor` is modelled along the last dimension only")
        return step.result(y), y


def scatter_add(
    memory: MemoryState,
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`scatter` with `reduce="add"`."""
    options = {"memory_config": memory_config, "output_tensor": output_tensor}
    return scatter(memory, input, dim, index, src, reduce="add", **cast(Any, options))


supports(Support(_VALUES, (Layout.TILE,)), gather)
supports(Support(_VALUES), scatter, scatter_add)
