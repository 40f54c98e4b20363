"""Golden functions that reduce, scan or sort along axes."""

from collections.abc import Sequence
from typing import Any

from tt_jax.ttnn._torch import torch_dtype
from tt_jax.ttnn.golden._bind import Row


def _wide(torch: Any, tensor: Any) -> Any:
    return tensor.to(torch.int64) if tensor.dtype in (torch.uint16, torch.uint32) else tensor


def _axes(tensor: Any, dim: int | Sequence[int] | None) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(tensor.ndim))
    return (dim,) if isinstance(dim, int) else tuple(dim)


def _reduced(path: str) -> Row:
    """torch's reduction over one axis, several, or all of them (None); the result is multiplied by `scalar`."""

    def row(torch: Any, input_tensor: Any, dim: Any = None, keepdim: bool = False, *, scalar: float = 1.0) -> Any:
        wide = _wide(torch, input_tensor)
        result = getattr(torch, path)(wide, dim=_axes(wide, dim), keepdim=keepdim) if wide.ndim else wide.clone()
        return result if scalar == 1 else result * scalar

    return row


def _spread(path: str) -> Row:
    """Variance or deviation; `correction` 1 (True) divides by n - 1."""

    def row(torch: Any, input_tensor: Any, dim: Any = None, keepdim: bool = False, *, correction: float = True) -> Any:
        axes = _axes(input_tensor, dim)
        return getattr(torch, path)(input_tensor, dim=axes, keepdim=keepdim, correction=int(correction))

    return row


def _prod(torch: Any, input_tensor: Any, dim: Any = None, keepdim: bool = False, *, dims: Any = None) -> Any:
    """Over one axis or all; `dims` names several, which keep their places."""
    axes, keep = (_axes(input_tensor, dim), keepdim) if dims is None else (tuple(dims), True)
    result = _wide(torch, input_tensor)
    for axis in sorted((a % input_tensor.ndim for a in axes), reverse=True):
        result = torch.prod(result, axis, keepdim=keep)
    return result


def _argmax(torch: Any, input_tensor: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    return torch.argmax(_wide(torch, input_tensor), dim, keepdim)


def _topk(torch: Any, input_tensor: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    return tuple(torch.topk(_wide(torch, input_tensor), k, dim, largest, sorted))


def _sort(torch: Any, input_tensor: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    values, indices = torch.sort(_wide(torch, input_tensor), dim=dim, descending=descending, stable=stable)
    return values.to(input_tensor.dtype), indices


def _scan(path: str) -> Row:
    """torch's running reduction, from the end if `reverse_order`, in the input's dtype unless `dtype` says otherwise."""

    def row(torch: Any, input_tensor: Any, dim: int, *, dtype: Any = None, reverse_order: bool = False) -> Any:
        source = _wide(torch, input_tensor)
        source = torch.flip(source, (dim,)) if reverse_order else source
        result = getattr(torch, path)(source, dim)
        result = torch.flip(result, (dim,)) if reverse_order else result
        return result.to(input_tensor.dtype if dtype is None else torch_dtype(dtype))

    return row


def _over_hw(path: str) -> Row:
    return lambda torch, input_tensor: getattr(torch, path)(input_tensor, (-2, -1), correction=0, keepdim=True)


def _summed(torch: Any, input_tensor: Any, dims: Sequence[int]) -> Any:
    return torch.sum(input_tensor, tuple(dims), keepdim=True)


REDUCTION: dict[str, Row] = {
    "sum": _reduced("sum"),
    "mean": _reduced("mean"),
    "max": _reduced("amax"),
    "min": _reduced("amin"),
    "var": _spread("var"),
    "std": _spread("std"),
    "prod": _prod,
    "argmax": _argmax,
    "topk": _topk,
    "sort": _sort,
    "cumsum": _scan("cumsum"),
    "cumprod": _scan("cumprod"),
    "mean_hw": lambda torch, input_tensor: torch.mean(input_tensor, (-2, -1), keepdim=True),
    "var_hw": _over_hw("var"),
    "std_hw": _over_hw("std"),
    "experimental.fast_reduce_nc": _summed,
}
