"""Golden functions of one tensor, element by element; and activations by name."""

import functools
import inspect
import math
from typing import Any

from tt_jax.activations import as_activation
from tt_jax.errors import NotModelledError
from tt_jax.ttnn.golden._bind import Row, in_float32, unary, widened

_TORCH = (
    "abs angle asinh atan bitwise_not ceil conj cos deg2rad digamma erf erfc erfinv exp exp2 expm1 floor "
    "frac i0 imag isfinite isinf isnan isneginf isposinf lgamma log log10 log1p log2 logical_not neg rad2deg real reciprocal relu "
    "rsqrt sigmoid sign signbit sin sqrt square tan tanh trunc"
).split()
_TORCH_FUNCTIONAL = "hardsigmoid hardswish mish relu6 silu softsign tanhshrink".split()


def _gelu(torch: Any, input_tensor: Any, *, variant: Any = None) -> Any:
    tanh = getattr(variant, "name", variant) in ("Tanh", "tanh")
    return torch.nn.functional.gelu(input_tensor, approximate="tanh" if tanh else "none")


def _hardmish(torch: Any, input_tensor: Any) -> Any:
    """x * clamp(x / 2 + 1, 0, 1); a bfloat16 result is truncated, as the device's vector unit stores it."""
    wide = input_tensor.float()
    result = wide * torch.clamp(0.5 * wide + 1, 0.0, 1.0)
    if input_tensor.dtype != torch.bfloat16:
        return result.to(input_tensor.dtype)
    return (result.view(torch.int32) & -0x10000).view(torch.float32).to(torch.bfloat16)


def _inverse(name: str, limit: float, reach: str) -> Row:
    """torch's `name`; in bfloat16, which the device packs NaN as infinity in, infinite where `x` `reach` `limit`."""

    def row(torch: Any, input_tensor: Any) -> Any:
        result = getattr(torch, name)(input_tensor)
        if input_tensor.dtype != torch.bfloat16:
            return result
        outside = {"below": input_tensor < limit, "beyond": input_tensor.abs() > limit, "from": input_tensor.abs() >= limit}
        return result.masked_fill(outside[reach], math.inf)

    return row


def _in_float64(name: str) -> Row:
    """torch's `name`, in float64 for float32 tensors: torch's float32 overflows where the result does not."""

    def row(torch: Any, input_tensor: Any) -> Any:
        function = getattr(torch, name)
        return function(input_tensor.double()).float() if input_tensor.dtype == torch.float32 else function(input_tensor)

    return row


def _logit(torch: Any, input_tensor: Any, eps: float | None = None) -> Any:
    """log(x / (1 - x)) of `x` clamped to eps and 1 - eps, whichever is the lower."""
    if eps is None or eps <= 0.5:
        return torch.special.logit(input_tensor, eps=eps)
    x = torch.clamp(input_tensor, 1.0 - eps, eps)
    return torch.log(x / (1.0 - x))


def _selu(torch: Any, input_tensor: Any, scale: float = 1.0507009873554805, alpha: float = 1.6732632423543772) -> Any:
    return scale * torch.where(input_tensor > 0, input_tensor, alpha * torch.expm1(input_tensor))


def _rdiv(torch: Any, input_tensor: Any, value: float, rounding_mode: str | None = None, round_mode: str | None = None) -> Any:
    mode = round_mode if rounding_mode is None else rounding_mode
    return torch.div(torch.full_like(input_tensor, value), input_tensor, rounding_mode=None if mode == "None" else mode)


def _gated(gate: str) -> Row:
    """The first half of `dim` times `gate` of the second."""

    def row(torch: Any, input_tensor: Any, dim: int = -1) -> Any:
        values, gates = torch.chunk(input_tensor, 2, dim)
        return values * UNARY[gate](torch, gates)

    return row


def _xielu(torch: Any, input_tensor: Any, alpha_p: float = 0.8, alpha_n: float = 0.8) -> Any:
    """alpha_p * x**2 + x / 2 above 0; from 0 down alpha_n * (exp(min(x, -1e-6)) - 1 - x) + x / 2."""
    x = input_tensor
    below = alpha_n * (torch.expm1(torch.clamp(x, max=-1e-6)) - x)
    return torch.where(x > 0, alpha_p * x * x, below) + 0.5 * x


def _plus_one(torch: Any, input_tensor: Any, skip_negative_entries: bool = False) -> Any:
    return torch.where(input_tensor < 0, input_tensor, input_tensor + 1) if skip_negative_entries else input_tensor + 1


def _rotate90(torch: Any, input_tensor: Any) -> Any:
    """Pairs (a, b) along the last axis become (-b, a)."""
    pairs = input_tensor.reshape(*input_tensor.shape[:-1], -1, 2)
    return torch.stack((-pairs[..., 1], pairs[..., 0]), -1).reshape(input_tensor.shape)


def _ema(torch: Any, input_tensor: Any, alpha: float) -> Any:
    """Along the last axis, y[0] = x[0] and y[t] = alpha * y[t - 1] + (1 - alpha) * x[t]."""
    steps = [input_tensor[..., 0]]
    for t in range(1, input_tensor.shape[-1]):
        steps.append(alpha * steps[-1] + (1 - alpha) * input_tensor[..., t])
    return torch.stack(steps, -1)


def _normalized(torch: Any, input_tensor: Any, dims: tuple[int, ...]) -> Any:
    mean = input_tensor.mean(dims, keepdim=True)
    return (input_tensor - mean) / input_tensor.std(dims, correction=0, keepdim=True)


def _functional(name: str, **defaults: float) -> Row:
    """torch.nn.functional's `name`, whose parameters ttnn has under the same names with `defaults`, in that order."""
    names = list(defaults)

    def row(torch: Any, input_tensor: Any, *values: float, **options: float) -> Any:
        given = defaults | dict(zip(names, values, strict=False)) | options
        return getattr(torch.nn.functional, name)(input_tensor, **given)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD  # `bind` reads the parameters, which are data here, from the signature
    row.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, kind) for n in ("torch", "input_tensor")]
        + [inspect.Parameter(n, kind, default=v) for n, v in defaults.items()]
    )
    return row


UNARY: dict[str, Row] = {
    **{name: unary(name) for name in _TORCH},
    **{name: unary(f"nn.functional.{name}") for name in _TORCH_FUNCTIONAL},
    "acos": _inverse("acos", 1.0, "beyond"),
    "acosh": _inverse("acosh", 1.0, "below"),
    "asin": _inverse("asin", 1.0, "beyond"),
    "atanh": _inverse("atanh", 1.0, "from"),
    "cosh": _in_float64("cosh"),
    "sinh": _in_float64("sinh"),
    "cbrt": in_float32(lambda torch, input_tensor: torch.sgn(input_tensor) * torch.abs(input_tensor) ** (1 / 3)),
    "alt_complex_rotate90": _rotate90,
    "celu": _functional("celu", alpha=1.0),
    "ema": _ema,
    "elu": _functional("elu", alpha=1.0),
    "eqz": lambda torch, input_tensor: input_tensor == 0,
    "gelu": _gelu,
    "gez": lambda torch, input_tensor: input_tensor >= 0,
    "gtz": lambda torch, input_tensor: input_tensor > 0,
    "hardmish": _hardmish,
    "hardshrink": _functional("hardshrink", lambd=0.5),
    "hardtanh": _functional("hardtanh", min_val=-1.0, max_val=1.0),
    "heaviside": lambda torch, input_tensor, value: torch.heaviside(
        input_tensor, torch.full((), value, dtype=input_tensor.dtype)
    ),
    "i1": lambda torch, input_tensor: torch.special.i1(torch.clamp(input_tensor, -88.5, 88.5)),  # as the device clamps it
    "identity": unary("clone"),
    "is_imag": lambda torch, input_tensor: torch.real(input_tensor) == 0,
    "is_real": lambda torch, input_tensor: torch.imag(input_tensor) == 0,
    "leaky_relu": _functional("leaky_relu", negative_slope=0.01),
    "lez": lambda torch, input_tensor: input_tensor <= 0,
    "log_sigmoid": unary("nn.functional.logsigmoid"),
    "logit": _logit,
    "ltz": lambda torch, input_tensor: input_tensor < 0,
    "multigammaln": in_float32(lambda torch, input_tensor: torch.mvlgamma(input_tensor, 4)),
    "nez": lambda torch, input_tensor: input_tensor != 0,
    "normalize_global": lambda torch, input_tensor: _normalized(torch, input_tensor, tuple(range(input_tensor.ndim))),
    "normalize_hw": lambda torch, input_tensor: _normalized(torch, input_tensor, (-2, -1)),
    "plus_one": _plus_one,
    "polygamma": lambda torch, input_tensor, k: torch.polygamma(int(k), input_tensor),
    "polar": lambda torch, input_tensor: torch.polar(torch.real(input_tensor), torch.imag(input_tensor)),
    "rdiv": _rdiv,
    "relu_max": lambda torch, input_tensor, upper_limit: torch.clamp(input_tensor, 0, upper_limit),
    "relu_min": lambda torch, input_tensor, lower_limit: torch.clamp(input_tensor, min=lower_limit),
    "round": lambda torch, input_tensor, decimals=0: torch.round(input_tensor, decimals=decimals or 0),
    "rpow": lambda torch, input_tensor, exponent: torch.pow(exponent, input_tensor),
    "selu": in_float32(_selu),
    "sigmoid_accurate": unary("sigmoid"),
    "snake_beta": lambda torch, input_tensor, alpha, beta: input_tensor + torch.square(torch.sin(alpha * input_tensor)) / beta,
    "softcap": in_float32(lambda torch, input_tensor, beta: beta * torch.tanh(input_tensor / beta)),
    "softplus": _functional("softplus", beta=1.0, threshold=20.0),
    "softshrink": _functional("softshrink", lambd=0.5),
    "swish": unary("nn.functional.silu"),
    "threshold": lambda torch, input_tensor, threshold, value: torch.nn.functional.threshold(input_tensor, threshold, value),
    "tril": lambda torch, input_tensor, diagonal=0: torch.tril(input_tensor, diagonal),
    "triu": lambda torch, input_tensor, diagonal=0: torch.triu(input_tensor, diagonal),
    "unary_chain": lambda torch, input_tensor, ops_chain: functools.reduce(
        functools.partial(activated, torch), ops_chain, input_tensor
    ),
    "xielu": in_float32(_xielu),
    "glu": _gated("sigmoid"),
    "geglu": _gated("gelu"),
    "reglu": _gated("relu"),
    "swiglu": _gated("silu"),
}
UNARY = {name: widened(row) for name, row in UNARY.items()}

_FUSED: dict[str, Row] = {
    "power": lambda torch, x, exponent: torch.pow(x, exponent),
    "add_unary_sfpu": lambda torch, x, value: x + value,
    "sub_unary_sfpu": lambda torch, x, value: x - value,
    "mul_unary_sfpu": lambda torch, x, value: x * value,
    "div_unary_sfpu": lambda torch, x, value: x / value,
    "rsub": lambda torch, x, value: value - x,
    "recip": UNARY["reciprocal"],
    "logical_not_unary": UNARY["logical_not"],
    "logsigmoid": UNARY["log_sigmoid"],
    "gelu_tanh": lambda torch, x: _gelu(torch, x, variant="tanh"),
}
_PARAMETERS = {
    *(
        "leaky_relu",
        "elu",
        "celu",
        "selu",
        "relu_max",
        "relu_min",
        "heaviside",
        "softplus",
        "hardtanh",
        "softshrink",
        "hardshrink",
    ),
    *("rdiv", "rpow", "threshold", "polygamma", "round", "softcap", "xielu"),
}
"""Activations whose parameters are of the function; those of the others (`gelu`, `exp`...) choose between approximations."""


def activated(torch: Any, tensor: Any, activation: Any) -> Any:
    """`tensor` after a fused activation: a name ("relu"), a UnaryOpType, or a UnaryWithParam; None does nothing.

    Raises NotModelledError for one that no table has.
    """
    if activation is None:
        return tensor
    name, parameters = as_activation("golden function", activation).function
    if name in _FUSED:
        return _FUSED[name](torch, tensor, *parameters)
    if name not in UNARY:
        raise NotModelledError(f"no golden function of the activation {activation!r}: give it as an operation of its own")
    return UNARY[name](torch, tensor, *(parameters if name in _PARAMETERS else ()))


def gelu_derivative(torch: Any, x: Any, approximate: str = "none") -> Any:
    """d gelu(x) / dx in float32, exact ("none") or of the tanh form ("tanh"); 0 and 1 at the infinities."""
    x = x.float()
    if approximate == "tanh":
        x = torch.clamp(x, -20.0, 20.0)
        kappa = math.sqrt(2 / math.pi)
        tanh = torch.tanh(kappa * (x + 0.044715 * x**3))
        return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh**2) * kappa * (1 + 3 * 0.044715 * x**2)
    x = torch.clamp(x, -40.0, 40.0)  # beyond, the density is 0 in float32, and inf * 0 would be NaN
    return 0.5 * torch.erfc(-x / math.sqrt(2)) + x * torch.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
