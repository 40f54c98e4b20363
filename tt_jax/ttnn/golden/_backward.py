"""Golden functions of backward operations, by torch's automatic differentiation of the forward ones."""

import inspect
from typing import Any

from tt_jax.ttnn.golden._binary import BINARY
from tt_jax.ttnn.golden._bind import Row
from tt_jax.ttnn.golden._reduction import REDUCTION
from tt_jax.ttnn.golden._shape import SHAPE
from tt_jax.ttnn.golden._unary import UNARY, gelu_derivative


def differentiated(forward: Row, *, constant: int = 0, at_most: int | None = None) -> Row:
    """`row(torch, grad, *arguments)`: the gradients of `forward`'s tensor arguments, in order.

    The first `constant` arguments are not differentiated (`where`'s predicate); of the others, the first `at_most` that are
    tensors of numbers are. Where the result does not depend on one, its gradient is zero. The given tensors are left as they are.
    """

    def row(torch: Any, grad_tensor: Any, *arguments: Any, **options: Any) -> Any:
        inputs: list[Any] = []

        def prepared(index: int, argument: Any) -> Any:
            enough = at_most is not None and len(inputs) >= at_most
            if (
                index < constant
                or enough
                or not torch.is_tensor(argument)
                or not (argument.is_floating_point() or argument.is_complex())
            ):
                return argument.detach() if torch.is_tensor(argument) else argument
            inputs.append(argument.detach().clone().requires_grad_())
            return inputs[-1]

        given = [prepared(index, argument) for index, argument in enumerate(arguments)]
        with torch.enable_grad():
            result = forward(torch, *given, **options)
        if not result.requires_grad:
            return [torch.zeros_like(each) for each in inputs]
        gradients = torch.autograd.grad(result, inputs, grad_tensor.detach().to(result.dtype), allow_unused=True)
        return [torch.zeros_like(each) if g is None else g for each, g in zip(inputs, gradients, strict=True)]

    return row


def _gelu_bw(torch: Any, grad_tensor: Any, input_tensor: Any, approximate: str = "none", *, variant: Any = None) -> Any:
    how = "tanh" if getattr(variant, "name", variant) in ("Tanh", "tanh") else approximate
    return [(grad_tensor.float() * gelu_derivative(torch, input_tensor.detach(), how)).to(grad_tensor.dtype).detach()]


def _bias_gelu_bw(torch: Any, grad_tensor: Any, input_tensor_a: Any, input_tensor_b: Any, approximate: str = "none") -> Any:
    gradient = _gelu_bw(torch, grad_tensor, (input_tensor_a + input_tensor_b).detach(), approximate)
    return gradient * 2 if torch.is_tensor(input_tensor_b) else gradient


def _pow_bw(torch: Any, grad_tensor: Any, input_tensor: Any, exponent: float) -> Any:
    """Infinite for negative inputs unless `exponent` is 0: the device raises to a power by logarithms."""
    (gradient,) = differentiated(BINARY["pow"])(torch, grad_tensor, input_tensor, exponent)
    return [gradient if exponent == 0 else gradient.masked_fill(input_tensor < 0, float("inf"))]


def _rdiv_bw(torch: Any, grad_tensor: Any, input_tensor: Any, scalar: float, rounding_mode: str | None = None) -> Any:
    """Zero where the quotient is rounded."""
    return differentiated(UNARY["rdiv"])(torch, grad_tensor, input_tensor, scalar, rounding_mode)


def _concat_bw(torch: Any, grad_tensor: Any, input_tensor_a: Any, input_tensor_b: Any, dim: int = 0) -> Any:
    join = lambda torch, a, b: torch.cat((a, b), dim)
    return differentiated(join)(torch, grad_tensor, input_tensor_a, input_tensor_b)


def _assign_bw(torch: Any, grad_tensor: Any, input_tensor_a: Any, input_tensor_b: Any = None) -> Any:
    return [grad_tensor.detach().clone() for tensor in (input_tensor_a, input_tensor_b) if tensor is not None]


def _embedding_bw(torch: Any, input_tensor: Any, weight_tensor: Any, output_gradient_tensor: Any) -> Any:
    """The gradient of the weight: each row of the output's added to the row of its index."""
    rows = weight_tensor.reshape(-1, weight_tensor.shape[-1])
    gradient = torch.zeros_like(rows, dtype=output_gradient_tensor.dtype)
    gradient.index_add_(
        0, input_tensor.reshape(-1).to(torch.int64), output_gradient_tensor.reshape(-1, rows.shape[-1]).detach()
    )
    return gradient.reshape(weight_tensor.shape)


def _prod_bw(torch: Any, grad_tensor: Any, input_tensor: Any, dim: int | None = None) -> Any:
    product = lambda torch, x: REDUCTION["prod"](torch, x, dim, keepdim=True)
    grad = grad_tensor if dim is None or grad_tensor.ndim == input_tensor.ndim else grad_tensor.unsqueeze(dim)
    shape = (
        [1] * input_tensor.ndim
        if dim is None
        else [1 if i == dim % input_tensor.ndim else n for i, n in enumerate(input_tensor.shape)]
    )
    return differentiated(product)(
        torch, grad.reshape(-1)[:1].reshape(shape) if dim is None else grad.reshape(shape), input_tensor
    )


def _hardtanh_bw(torch: Any, grad_tensor: Any, input_tensor: Any, min: float = -1.0, max: float = 1.0) -> Any:
    return differentiated(UNARY["hardtanh"])(torch, grad_tensor, input_tensor, min, max)


def _clamp_bw(torch: Any, grad_tensor: Any, input_tensor: Any, min: Any = None, max: Any = None) -> Any:
    return differentiated(BINARY["clamp"], at_most=1)(torch, grad_tensor, input_tensor, min, max)


def _with(name: str, parameter: str, default: Any) -> Row:
    """A unary operation with one parameter, by position or by name."""

    def row(torch: Any, grad_tensor: Any, input_tensor: Any, *values: Any, **options: Any) -> Any:
        value = values[0] if values else options.get(parameter, default)
        return differentiated(UNARY[name])(torch, grad_tensor, input_tensor, value)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [inspect.Parameter(n, kind) for n in ("torch", "grad_tensor", "input_tensor")]
    row.__signature__ = inspect.Signature([*names, inspect.Parameter(parameter, kind, default=default)])  # type: ignore[attr-defined]
    return row


_UNARY = (
    "abs acos acosh angle asin asinh atan atanh ceil conj cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac "
    "hardsigmoid hardswish i0 imag lgamma log log10 log1p log2 log_sigmoid logit multigammaln neg rad2deg real reciprocal relu relu6 "
    "round rsqrt selu sigmoid sign silu sin sinh softsign sqrt square tan tanh tanhshrink trunc"
).split()
_BINARY = (
    "add sub mul atan2 hypot ldexp logaddexp logaddexp2 rsub squared_difference xlogy remainder fmod addalpha subalpha "
    "div_no_nan"
).split()

BACKWARD: dict[str, Row] = {
    **{f"{name}_bw": differentiated(UNARY[name]) for name in _UNARY},
    **{f"{name}_bw": differentiated(BINARY[name]) for name in _BINARY},
    **{f"{name}_bw": differentiated(BINARY[name]) for name in ("addcmul", "addcdiv")},
    "max_bw": differentiated(BINARY["maximum"]),
    "min_bw": differentiated(BINARY["minimum"]),
    "lerp_bw": differentiated(BINARY["lerp"], at_most=2),
    "where_bw": differentiated(BINARY["where"], constant=1),
    "div_bw": lambda torch, grad_tensor, input_tensor_a, input_tensor_b, rounding_mode=None: differentiated(BINARY["div"])(
        torch, grad_tensor, input_tensor_a, input_tensor_b, rounding_mode
    ),
    "assign_bw": _assign_bw,
    "bias_gelu_bw": _bias_gelu_bw,
    "celu_bw": _with("celu", "alpha", 1.0),
    "clamp_bw": _clamp_bw,
    "clip_bw": _clamp_bw,
    "concat_bw": _concat_bw,
    "elu_bw": _with("elu", "alpha", 1.0),
    "embedding_bw": _embedding_bw,
    "experimental.gelu_bw": _gelu_bw,
    "fill_bw": lambda torch, grad_tensor, input_tensor: [torch.zeros_like(grad_tensor)],
    "fill_zero_bw": lambda torch, grad_tensor, input_tensor: [torch.zeros_like(grad_tensor)],
    "gelu_bw": _gelu_bw,
    "hardshrink_bw": _with("hardshrink", "lambd", 0.5),
    "hardtanh_bw": _hardtanh_bw,
    "leaky_relu_bw": _with("leaky_relu", "negative_slope", 0.01),
    "logiteps_bw": _with("logit", "eps", 0.0),
    "polygamma_bw": _with("polygamma", "n", 1),
    "pow_bw": _pow_bw,
    "prod_bw": _prod_bw,
    "rdiv_bw": _rdiv_bw,
    "repeat_bw": lambda torch, grad_tensor, input_tensor, shape: differentiated(SHAPE["repeat"])(
        torch, grad_tensor, input_tensor, shape
    ),
    "rpow_bw": _with("rpow", "exponent", 2.0),
    "softplus_bw": lambda torch, grad_tensor, input_tensor, beta=1.0, threshold=20.0: differentiated(UNARY["softplus"])(
        torch, grad_tensor, input_tensor, beta, threshold
    ),
    "softshrink_bw": _with("softshrink", "lambd", 0.5),
    "threshold_bw": lambda torch, grad_tensor, input_tensor, threshold, value: differentiated(UNARY["threshold"])(
        torch, grad_tensor, input_tensor, threshold, value
    ),
}
