"""`ttnn.decorators`: what is known about an operation besides how to run it."""

from collections.abc import Callable
from typing import Any

from tt_jax.errors import ArgumentError
from tt_jax.ttnn._derive import default_golden
from tt_jax.ttnn.tensor import Tensor


def _name(operation: Any) -> str:
    name = getattr(operation, "python_fully_qualified_name", None)
    if name is None:
        raise ArgumentError(f"{operation!r:.80} is no operation of ttnn: pass the function itself, such as ttnn.relu")
    return name


def _given_golden(operation: Any) -> Callable[..., Any] | None:
    """The golden function that a program has put in `operation`'s place for it, None if there is none."""
    given = getattr(operation, "golden_function", None)
    return None if getattr(given, "func", None) is default_golden else given


def get_golden_function(operation: Any) -> Callable[..., Any]:
    """What `operation` is supposed to compute, as a function of torch tensors: its attribute `golden_function`, if that was set.

    Raises NotModelledError if there is none.
    """
    from tt_jax.ttnn.golden import golden_function

    given = _given_golden(operation)
    return golden_function(_name(operation)) if given is None else given


def attach_golden_function(operation: Any, golden_function: Callable[..., Any], **options: Any) -> None:
    """Give `operation` another golden function."""
    _name(operation)
    operation.golden_function = golden_function


def has_golden_function(operation: Any) -> bool:
    """Whether `get_golden_function` has one."""
    from tt_jax.ttnn.golden import GOLDEN

    return _given_golden(operation) is not None or _name(operation) in GOLDEN


def pearson_correlation_coefficient(expected: Any, actual: Any) -> float:
    """The correlation of two tensors (torch's or ttnn's); 1 for equal ones. Needs torch."""
    from tt_jax.ttnn.golden import pearson_correlation_coefficient as correlation

    return correlation(expected, actual)


def get_fallback_function(operation: Any) -> Callable[..., Any]:
    """`operation` by way of torch: its tensors go to the host, the golden function runs, and the result comes back.

    The result takes dtype, layout, device and memory config of the first tensor; no program runs.
    """
    import tt_jax.ttnn as ttnn

    golden = get_golden_function(operation)

    def fallback(*args: Any, **kwargs: Any) -> Any:
        first: list[Tensor] = []

        def to_torch(value: Any) -> Any:
            if isinstance(value, Tensor):
                first.append(value)
                return ttnn.to_torch(value)
            if isinstance(value, list | tuple):
                return type(value)(to_torch(x) for x in value)
            return value

        result = golden(*map(to_torch, args), **{key: to_torch(value) for key, value in kwargs.items()})
        if not first:
            return result
        model = first[0]

        def back(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(back(x) for x in value)
            return ttnn.from_torch(
                value, model.dtype, layout=model.layout, device=model.device(), memory_config=ttnn.get_memory_config(model)
            )

        return back(result)

    return fallback


def query_registered_operations(include_experimental: bool = False) -> list[Callable[..., Any]]:
    """Every operation of the facade."""
    import tt_jax.ttnn as ttnn

    spaces = [ttnn, ttnn.transformer] + ([ttnn.experimental] if include_experimental else [])
    return [f for space in spaces for f in vars(space).values() if hasattr(f, "python_fully_qualified_name")]


def set_golden_comparison_config(*arguments: Any, **options: Any) -> None:
    """Accepted: comparison mode compares by PCC."""
