"""Functions called around every operation: hooks, and the comparison with golden functions."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tt_jax.errors import NotModelledError, TTError
from tt_jax.ttnn._derive import Interceptor, interceptors
from tt_jax.ttnn.tensor import Tensor

_log = logging.getLogger("tt_jax.ttnn")


@contextmanager
def _installed(interceptor: Interceptor) -> Iterator[None]:
    interceptors.append(interceptor)
    try:
        yield
    finally:
        interceptors.remove(interceptor)


@contextmanager
def register_pre_operation_hook(hook: Callable[[Any, Any, Any], Any]) -> Iterator[None]:
    """Within the block `hook(operation, args, kwargs)` is called before every operation; an operation's name is its
    `python_fully_qualified_name`."""

    def intercept(operation: Any, args: Any, kwargs: Any, proceed: Callable[..., Any]) -> Any:
        hook(operation, args, kwargs)
        return proceed(args, kwargs)

    with _installed(intercept):
        yield


@contextmanager
def register_post_operation_hook(hook: Callable[[Any, Any, Any, Any], Any]) -> Iterator[None]:
    """Within the block `hook(operation, args, kwargs, output)` is called after every operation."""

    def intercept(operation: Any, args: Any, kwargs: Any, proceed: Callable[..., Any]) -> Any:
        output = proceed(args, kwargs)
        hook(operation, args, kwargs, output)
        return output

    with _installed(intercept):
        yield


class ComparisonError(TTError):
    """An operation's output is not what its golden function gives."""


def _golden_arguments(value: Any) -> Any:
    """`value` with each ttnn tensor as a float32 (or integer) torch tensor."""
    if isinstance(value, Tensor):
        tensor = value.to_torch()
        return tensor.float() if value.dtype.is_float else tensor
    if isinstance(value, list | tuple):
        return type(value)(_golden_arguments(x) for x in value)
    return value


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, Tensor):
        return [value.to_torch().float()] if value.dtype.is_float else []  # which of equals an index names is open
    if isinstance(value, list | tuple):
        return [x for y in value for x in _tensors(y)]
    return [value.float()] if hasattr(value, "float") and hasattr(value, "dim") else []


# Conversions, and what draws numbers of its own.
_UNCOMPARED = frozenset(
    f"ttnn.{name}"
    for name in (
        *("from_torch", "to_torch", "deallocate", "to_device", "from_device", "empty", "empty_like"),
        *("bernoulli", "rand", "randn", "uniform"),
    )
)


def _agreement(want: Any, got: Any) -> float:
    """The correlation of two torch tensors where the golden one is finite; NaN if their shapes, or their NaN, differ."""
    from tt_jax.ttnn.golden import pearson_correlation_coefficient

    if want.shape != got.shape and want.numel() == got.numel():
        want = want.reshape(got.shape)
    if want.shape != got.shape:
        return float("nan")
    finite = want.isfinite()
    return float(pearson_correlation_coefficient(want[finite], got[finite])) if finite.any() else 1.0


def compare(operation: Any, args: Any, kwargs: Any, proceed: Callable[..., Any], config: Any) -> Any:
    """Run the operation and its golden function, and raise ComparisonError, or log, where the outputs' PCC is too low."""
    from tt_jax.ttnn.decorators import get_golden_function

    name = operation.python_fully_qualified_name
    if name in _UNCOMPARED:
        return proceed(args, kwargs)
    try:
        golden = get_golden_function(operation)
    except NotModelledError:
        return proceed(args, kwargs)
    chain, interceptors[:] = interceptors[:], []  # what the comparison itself does is not compared
    try:
        expected = golden(*_golden_arguments(args), **{key: _golden_arguments(value) for key, value in kwargs.items()})
    finally:
        interceptors[:] = chain
    output = proceed(args, kwargs)
    chain, interceptors[:] = interceptors[:], []
    try:
        for want, got in zip(_tensors(expected), _tensors(output), strict=False):
            pcc = _agreement(want, got)
            if not pcc >= config.comparison_mode_pcc:
                message = f"{name}: PCC with its golden function is {pcc:.6f}, below {config.comparison_mode_pcc}"
                if config.comparison_mode_should_raise_exception:
                    raise ComparisonError(message)
                _log.error(message)
    finally:
        interceptors[:] = chain
    return output
