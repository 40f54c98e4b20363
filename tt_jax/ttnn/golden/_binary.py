"""Golden functions of two and three tensors, element by element, and losses."""

import functools
import inspect
from typing import Any

from tt_jax.ttnn.golden._bind import Row, attribute, widened
from tt_jax.ttnn.golden._unary import activated


def _binary(path: str) -> Row:
    """A row of two tensors, either of which may be a number: torch's function at `path`."""

    def row(torch: Any, input_tensor_a: Any, input_tensor_b: Any) -> Any:
        like = input_tensor_a if torch.is_tensor(input_tensor_a) else input_tensor_b
        a, b = (
            x if torch.is_tensor(x) else torch.as_tensor(x, dtype=_scalar_dtype(torch, like, x))
            for x in (input_tensor_a, input_tensor_b)
        )
        return attribute(torch, path)(a, b)

    return row


def _scalar_dtype(torch: Any, like: Any, scalar: Any) -> Any:
    return torch.float32 if isinstance(scalar, float) and not like.dtype.is_floating_point else like.dtype


def _fused(row: Row) -> Row:
    """`row` with ttnn's fused activations: of either input before, and of the result."""

    @functools.wraps(row)
    def fused(
        torch: Any,
        input_tensor_a: Any,
        input_tensor_b: Any,
        *arguments: Any,
        activations: Any = None,
        input_tensor_a_activations: Any = None,
        input_tensor_b_activations: Any = None,
        **options: Any,
    ) -> Any:
        apply = functools.partial(functools.reduce, functools.partial(activated, torch))
        a = apply(input_tensor_a_activations or (), input_tensor_a)
        b = apply(input_tensor_b_activations or (), input_tensor_b)
        return apply(activations or (), row(torch, a, b, *arguments, **options))

    own = [p for p in inspect.signature(fused, follow_wrapped=False).parameters.values() if p.kind is p.KEYWORD_ONLY]
    fused.__signature__ = inspect.Signature([*inspect.signature(row).parameters.values(), *own])  # type: ignore[attr-defined]
    return fused


def _add(torch: Any, input_tensor_a: Any, input_tensor_b: Any, alpha: float = 1) -> Any:
    return input_tensor_a + (input_tensor_b if alpha == 1 else alpha * input_tensor_b)


def _divide(
    torch: Any, input_tensor_a: Any, input_tensor_b: Any, rounding_mode: str | None = None, round_mode: str | None = None
) -> Any:
    mode = round_mode if rounding_mode is None else rounding_mode
    a = input_tensor_a if torch.is_tensor(input_tensor_a) else torch.full_like(input_tensor_b, input_tensor_a)
    return torch.div(a, input_tensor_b, rounding_mode=None if mode == "None" else mode)


def _div_no_nan(torch: Any, input_tensor_a: Any, input_tensor_b: Any) -> Any:
    divisor = torch.as_tensor(input_tensor_b)
    quotient = input_tensor_a / torch.where(divisor == 0, torch.ones_like(divisor), divisor)
    return torch.where(divisor == 0, torch.zeros_like(quotient), quotient)


def _logical_right_shift(torch: Any, input_tensor_a: Any, input_tensor_b: Any) -> Any:
    """Zeros come in from the left, whatever the sign: a shift of the 32 bits."""
    bits = input_tensor_a.to(torch.int64) & 0xFFFFFFFF
    return (bits >> input_tensor_b).to(input_tensor_a.dtype)


def _polyval(torch: Any, input_tensor: Any, coeffs: Any) -> Any:
    """Horner's scheme, the highest power first."""
    return functools.reduce(lambda total, c: total * input_tensor + c, coeffs, torch.zeros_like(input_tensor))


def _where(torch: Any, predicate: Any, true_value: Any, false_value: Any) -> Any:
    return torch.where(predicate if predicate.dtype == torch.bool else predicate != 0, true_value, false_value)


def _clamp(torch: Any, input_tensor: Any, min: Any = None, max: Any = None) -> Any:
    """Either bound may be a number, a tensor, or None; `max` wins where `min` is above it."""
    if torch.is_tensor(min) or torch.is_tensor(max):
        min, max = (b if b is None or torch.is_tensor(b) else torch.full_like(input_tensor, b) for b in (min, max))
    return torch.clamp(input_tensor, min, max)


def _assign(torch: Any, input_a: Any = None, input_b: Any = None, *, input_tensor: Any = None, dtype: Any = None) -> Any:
    """The values of `input_a`, written into `input_b` if there is one."""
    from tt_jax.ttnn._torch import torch_dtype

    source = input_tensor if input_a is None else input_a
    if input_b is not None:
        return input_b.copy_(source)
    return source.clone() if dtype is None else source.to(torch_dtype(dtype))


def _loss(name: str) -> Row:
    def row(torch: Any, ref_tensor: Any, prediction_tensor: Any, reduction: Any = "none") -> Any:
        how = str(getattr(reduction, "name", reduction)).lower()
        return getattr(torch.nn.functional, name)(ref_tensor, prediction_tensor, reduction=how)

    return row


def _prelu(torch: Any, input_tensor_a: Any, input_tensor_b: Any) -> Any:
    """`input_tensor_b` is the slope: a number, a tensor of one value per channel (axis 1), or of a broadcastable shape."""
    slope = input_tensor_b
    if torch.is_tensor(slope) and slope.ndim == 1 and slope.numel() > 1:
        slope = slope.reshape(1, -1, *(1,) * (input_tensor_a.ndim - 2))
    return torch.where(input_tensor_a > 0, input_tensor_a, slope * input_tensor_a)


_ARITHMETIC: dict[str, Row] = {
    "add": _add,
    "subtract": lambda torch, input_tensor_a, input_tensor_b: input_tensor_a - input_tensor_b,
    "multiply": lambda torch, input_tensor_a, input_tensor_b: input_tensor_a * input_tensor_b,
    "divide": _divide,
    "rsub": lambda torch, input_tensor_a, input_tensor_b: input_tensor_b - input_tensor_a,
    "squared_difference": lambda torch, input_tensor_a, input_tensor_b: torch.square(input_tensor_a - input_tensor_b),
    "bias_gelu": lambda torch, input_tensor_a, input_tensor_b: torch.nn.functional.gelu(input_tensor_a + input_tensor_b),
    **{
        name: _binary(name)
        for name in ("eq ne lt le gt ge logical_and logical_or logical_xor ldexp logaddexp logaddexp2").split()
    },
}
_ALIASES = {"sub": "subtract", "mul": "multiply", "div": "divide"}
_OTHERS: dict[str, Row] = {
    **{
        name: _binary(name)
        for name in "bitwise_and bitwise_or bitwise_xor fmod gcd lcm nextafter pow remainder maximum minimum hypot atan2 xlogy".split()
    },
    "bitwise_left_shift": lambda torch, input_tensor_a, input_tensor_b: input_tensor_a << input_tensor_b,
    "bitwise_right_shift": lambda torch, input_tensor_a, input_tensor_b: input_tensor_a >> input_tensor_b,
    "logical_left_shift": lambda torch, input_tensor_a, input_tensor_b: input_tensor_a << input_tensor_b,
    "logical_right_shift": _logical_right_shift,
    "addalpha": lambda torch, input_tensor_a, input_tensor_b, alpha=1.0: torch.add(input_tensor_a, input_tensor_b, alpha=alpha),
    "subalpha": lambda torch, input_tensor_a, input_tensor_b, alpha=1.0: torch.sub(input_tensor_a, input_tensor_b, alpha=alpha),
    "div_no_nan": _div_no_nan,
    "floor_div": lambda torch, input_tensor_a, input_tensor_b: torch.floor_divide(input_tensor_a, input_tensor_b),
    "isclose": lambda torch, input_tensor_a, input_tensor_b, rtol=1e-5, atol=1e-8, equal_nan=False: torch.isclose(
        input_tensor_a, input_tensor_b, rtol=rtol, atol=atol, equal_nan=equal_nan
    ),
    "outer": lambda torch, input_tensor_a, input_tensor_b: torch.outer(input_tensor_a.squeeze(), input_tensor_b.squeeze()),
    "polyval": _polyval,
    "prelu": _prelu,
    "complex_tensor": lambda torch, real, imag: torch.complex(real, imag),
    "assign": _assign,
    "copy": lambda torch, input_a, input_b: input_b.copy_(input_a),
    "clamp": _clamp,
    "clip": _clamp,
    "where": _where,
    "addcmul": lambda torch, input_tensor_a, input_tensor_b, input_tensor_c, value=1.0: (
        input_tensor_a + value * input_tensor_b * input_tensor_c
    ),
    "addcdiv": lambda torch, input_tensor_a, input_tensor_b, input_tensor_c, value=1.0: (
        input_tensor_a + value * input_tensor_b / input_tensor_c
    ),
    "lerp": lambda torch, input_tensor_a, input_tensor_b, weight: torch.lerp(input_tensor_a, input_tensor_b, weight),
    "mac": lambda torch, input_tensor_a, input_tensor_b, input_tensor_c: input_tensor_a * input_tensor_b + input_tensor_c,
    "l1_loss": _loss("l1_loss"),
    "mse_loss": _loss("mse_loss"),
}

_plain = {name: widened(_fused(row)) for name, row in (_ARITHMETIC | {a: _ARITHMETIC[n] for a, n in _ALIASES.items()}).items()}


def _in_place(row: Row) -> Row:
    """The result in the dtype of the first tensor, whose buffer the device writes it to. The torch tensor is left as it is."""

    @functools.wraps(row)
    def in_place(torch: Any, input_tensor_a: Any, *arguments: Any, **options: Any) -> Any:
        return row(torch, input_tensor_a, *arguments, **options).to(input_tensor_a.dtype)

    return in_place


BINARY: dict[str, Row] = {
    **_plain,
    **{f"{name}_": _in_place(row) for name, row in _plain.items()},
    "logical_not_": _in_place(lambda torch, input_tensor: torch.logical_not(input_tensor)),
    **{name: widened(row) for name, row in _OTHERS.items()},
}
