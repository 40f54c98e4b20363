"""How a row of a golden table, `row(torch, ...)`, becomes a golden function."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from tt_jax.ttnn._torch import torch_module

Row = Callable[..., Any]
"""A function of the torch module, then of torch tensors and the operation's parameters, by ttnn's names."""

OUTPUTS = ("output_tensor", "optional_output_tensor", "optional_tensor", "out", "output")
"""Arguments that name a tensor for the result to be written into."""


def bind(name: str, row: Row) -> Callable[..., Any]:
    """The golden function of the operation `name`.

    It takes what the operation takes, torch tensors for its tensors. Keyword arguments that say where and how the device
    computes (`device`, `memory_config`, `compute_kernel_config`, ...) are those that `row` does not name; they are dropped, as
    ttnn's golden functions drop them. A given output tensor is written and returned.
    """
    signature = inspect.signature(row)
    parameters = list(signature.parameters.values())[1:]
    named = {parameter.name for parameter in parameters}

    def golden(*arguments: Any, **options: Any) -> Any:
        outputs = [options[key] for key in OUTPUTS if key not in named and options.get(key) is not None]
        result = row(torch_module(), *arguments, **{key: value for key, value in options.items() if key in named})
        return _into(outputs[0], result) if outputs else result

    golden.__name__ = golden.__qualname__ = name
    golden.__doc__ = row.__doc__ or f"What {name} is to compute, on torch tensors."
    dropped = inspect.Parameter("dropped", inspect.Parameter.VAR_KEYWORD)
    golden.__signature__ = signature.replace(parameters=[*parameters, dropped])  # type: ignore[attr-defined]
    return golden


def _into(output: Any, result: Any) -> Any:
    if isinstance(output, tuple | list):
        return tuple(_into(each, part) for each, part in zip(output, result, strict=True))
    return output.copy_(result)


def attribute(torch: Any, path: str) -> Any:
    """The function of torch at a dotted path, such as `nn.functional.silu`."""
    return functools.reduce(getattr, path.split("."), torch)


def unary(path: str) -> Row:
    """A row of one tensor: torch's own function at `path`."""
    return lambda torch, input_tensor: attribute(torch, path)(input_tensor)


def widened(row: Row) -> Row:
    """`row` where torch has no arithmetic on uint16 and uint32: computed on int64, and wrapped around at the end."""

    @functools.wraps(row)
    def wide(torch: Any, *arguments: Any, **options: Any) -> Any:
        narrow = (torch.uint16, torch.uint32)

        def widen(value: Any) -> Any:
            if isinstance(value, tuple | list):
                return type(value)(map(widen, value)) if type(value) in (tuple, list) else value
            return value.to(torch.int64) if torch.is_tensor(value) and value.dtype in narrow else value

        def given(value: Any) -> list[Any]:
            return [t for v in value for t in given(v)] if isinstance(value, tuple | list) else [getattr(value, "dtype", None)]

        dtypes = [dtype for dtype in given([*arguments, *options.values()]) if dtype in narrow]
        if not dtypes:
            return row(torch, *arguments, **options)
        result = row(torch, *map(widen, arguments), **{key: widen(value) for key, value in options.items()})

        def wrap(value: Any) -> Any:
            if isinstance(value, tuple | list):
                return type(value)(map(wrap, value))
            return value.to(dtypes[0]) if value.dtype == torch.int64 else value

        return wrap(result)

    return wide


def in_float32(row: Row) -> Row:
    """`row` computed in float32 and rounded once to the first tensor's dtype, as torch's own functions of 16-bit floats are."""

    @functools.wraps(row)
    def rounded(torch: Any, input_tensor: Any, *arguments: Any, **options: Any) -> Any:
        if input_tensor.dtype not in (torch.bfloat16, torch.float16):
            return row(torch, input_tensor, *arguments, **options)
        return row(torch, input_tensor.float(), *arguments, **options).to(input_tensor.dtype)

    return rounded
