"""Element-wise functions of one tensor and some numbers. Each runs as one program.

They keep the dtype, layout and placement of their input, unless `memory_config` or `output_tensor` says otherwise. All raise
ArgumentError for a dtype that the function does not take and for a parameter that is no number, and what `launch` raises.
Values: `tt_jax.kernels.unary` (floats), `tt_jax.kernels.unary_integer` (integers, exact).
"""

from collections.abc import Sequence
from typing import Any

from tt_jax.activations import UnaryOpType, UnaryWithParam, as_activations
from tt_jax.dtypes import FLOATS, bfloat8_b, bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_integer
from tt_jax.ops._support import Support
from tt_jax.ops._unary import apply, integers_of, number, supports
from tt_jax.program import require_tensor
from tt_jax.tensor import Tensor

__all__ = [
    "alt_complex_rotate90", "celu", "elu", "fill", "hardshrink", "hardtanh", "heaviside", "leaky_relu", "logit", "polygamma",
    "rdiv", "relu_max", "relu_min", "round", "rpow", "selu", "softcap", "softplus", "softshrink", "threshold", "unary_chain",
    "xielu",
]  # fmt: skip

_T = UnaryOpType
_Result = tuple[MemoryState, Tensor]


def _apply(
    memory: MemoryState,
    name: str,
    x: Tensor,
    op_type: UnaryOpType,
    parameters: dict[str, Any],
    memory_config: MemoryConfig | None,
    output_tensor: Tensor | None,
) -> _Result:
    """One function with named parameters."""
    values = [number(name, argument, value) for argument, value in parameters.items()]
    return apply(memory, name, x, (UnaryWithParam(op_type, *values),), memory_config, output_tensor)


@supports(_T.LEAKY_RELU)
def leaky_relu(
    memory: MemoryState,
    input_tensor: Tensor,
    negative_slope: float = 0.01,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """x, or x times `negative_slope` below 0."""
    parameters = {"negative_slope": negative_slope}
    return _apply(memory, "leaky_relu", input_tensor, _T.LEAKY_RELU, parameters, memory_config, output_tensor)


@supports(_T.RELU_MAX)
def relu_max(
    memory: MemoryState,
    input_tensor: Tensor,
    upper_limit: float,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """min(max(x, 0), upper_limit)."""
    parameters = {"upper_limit": upper_limit}
    return _apply(memory, "relu_max", input_tensor, _T.RELU_MAX, parameters, memory_config, output_tensor)


@supports(_T.RELU_MIN)
def relu_min(
    memory: MemoryState,
    input_tensor: Tensor,
    lower_limit: float,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """max(x, lower_limit)."""
    parameters = {"lower_limit": lower_limit}
    return _apply(memory, "relu_min", input_tensor, _T.RELU_MIN, parameters, memory_config, output_tensor)


@supports(_T.ELU)
def elu(
    memory: MemoryState,
    input_tensor: Tensor,
    alpha: float = 1.0,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """x, or alpha (exp(x) - 1) below 0."""
    return _apply(memory, "elu", input_tensor, _T.ELU, {"alpha": alpha}, memory_config, output_tensor)


@supports(_T.CELU)
def celu(
    memory: MemoryState,
    input_tensor: Tensor,
    alpha: float = 1.0,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """x, or alpha (exp(x / alpha) - 1) below 0."""
    return _apply(memory, "celu", input_tensor, _T.CELU, {"alpha": alpha}, memory_config, output_tensor)


@supports(_T.SELU)
def selu(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    scale: float = 1.0507,
    alpha: float = 1.67326,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """scale times elu(x, alpha)."""
    return _apply(memory, "selu", input_tensor, _T.SELU, {"scale": scale, "alpha": alpha}, memory_config, output_tensor)


@supports(_T.SOFTPLUS)
def softplus(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    beta: float = 1.0,
    threshold: float = 20.0,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """ln(1 + exp(beta x)) / beta; x itself where beta x is above `threshold`. Raises ArgumentError for a `beta` of 0."""
    parameters = {"beta": beta, "threshold": threshold}
    if beta == 0:
        raise ArgumentError("softplus: `beta` must not be 0, by which it divides")
    return _apply(memory, "softplus", input_tensor, _T.SOFTPLUS, parameters, memory_config, output_tensor)


@supports(_T.XIELU)
def xielu(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    alpha_p: float = 0.8,
    alpha_n: float = 0.8,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """alpha_p x**2 + x / 2 above 0; alpha_n (exp(min(x, -1e-6)) - 1 - x) + x / 2 from 0 down."""
    parameters = {"alpha_p": alpha_p, "alpha_n": alpha_n}
    return _apply(memory, "xielu", input_tensor, _T.XIELU, parameters, memory_config, output_tensor)


@supports(_T.HARDTANH)
def hardtanh(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    min_val: float = -1.0,
    max_val: float = 1.0,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """min(max(x, min_val), max_val)."""
    parameters = {"min_val": min_val, "max_val": max_val}
    return _apply(memory, "hardtanh", input_tensor, _T.HARDTANH, parameters, memory_config, output_tensor)


@supports(_T.HARDSHRINK)
def hardshrink(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    lambd: float = 0.5,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """x, or 0 where |x| <= lambd; in a 16-bit Dst `lambd` is first rounded to bfloat16."""
    return _apply(memory, "hardshrink", input_tensor, _T.HARDSHRINK, {"lambd": lambd}, memory_config, output_tensor)


@supports(_T.SOFTSHRINK)
def softshrink(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    lambd: float = 0.5,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """x moved towards 0 by `lambd`, 0 within it."""
    return _apply(memory, "softshrink", input_tensor, _T.SOFTSHRINK, {"lambd": lambd}, memory_config, output_tensor)


@supports(_T.SOFTCAP, (bfloat16, bfloat8_b))
def softcap(
    memory: MemoryState,
    input_tensor: Tensor,
    beta: float,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """beta tanh(x / beta), on Blackhole only. Raises ArgumentError on another chip and for a `beta` of 0."""
    if memory.device.arch != "blackhole":
        raise ArgumentError(
            f"softcap: only Blackhole has it, and the device is {memory.device.name}; combine multiply and tanh"
        )
    if beta == 0:
        raise ArgumentError("softcap: `beta` must not be 0, by which it divides")
    require_dtype(
        "softcap", "input_tensor", require_tensor("softcap", "input_tensor", input_tensor).spec, (bfloat16, bfloat8_b)
    )
    return _apply(memory, "softcap", input_tensor, _T.SOFTCAP, {"beta": beta}, memory_config, output_tensor)


@supports(_T.THRESHOLD)
def threshold(
    memory: MemoryState,
    input_tensor: Tensor,
    threshold: float,
    value: float,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """x where it is above `threshold`, else `value`."""
    parameters = {"threshold": threshold, "value": value}
    return _apply(memory, "threshold", input_tensor, _T.THRESHOLD, parameters, memory_config, output_tensor)


@supports(_T.HEAVISIDE)
def heaviside(
    memory: MemoryState,
    input_tensor: Tensor,
    value: float,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """0 below 0, `value` at 0, 1 above."""
    return _apply(memory, "heaviside", input_tensor, _T.HEAVISIDE, {"value": value}, memory_config, output_tensor)


@supports(_T.FILL)
def fill(
    memory: MemoryState,
    input_tensor: Tensor,
    fill_value: float,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """A tensor like the input, filled with `fill_value`."""
    return _apply(memory, "fill", input_tensor, _T.FILL, {"fill_value": fill_value}, memory_config, output_tensor)


@supports(_T.RPOW)
def rpow(
    memory: MemoryState,
    input_tensor: Tensor,
    exponent: float,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """`exponent`, which is the base, to the power x. Raises ArgumentError unless it is positive."""
    if number("rpow", "exponent", exponent) <= 0:
        raise ArgumentError(f"rpow: `exponent` must be positive, got {exponent}")
    return _apply(memory, "rpow", input_tensor, _T.RPOW, {"exponent": exponent}, memory_config, output_tensor)


_ROUNDING_MODES = (None, "trunc", "floor")


@supports(_T.RDIV)
def rdiv(
    memory: MemoryState,
    input_tensor: Tensor,
    value: float,
    *,
    rounding_mode: str | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """value / x; its whole part ("trunc") or the largest whole number up to it ("floor"), if asked."""
    mode = None if rounding_mode == "None" else rounding_mode
    if mode not in _ROUNDING_MODES:
        raise ArgumentError(f'rdiv: `rounding_mode` must be None, "trunc" or "floor", got {rounding_mode!r}')
    parameters = {"value": value, "rounding_mode": float(_ROUNDING_MODES.index(mode))}
    return _apply(memory, "rdiv", input_tensor, _T.RDIV, parameters, memory_config, output_tensor)


@supports(_T.ROUND)
def round(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    decimals: int | None = 0,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """x to `decimals` decimal places, -6 to 7; ties go to the even neighbour."""
    places = 0 if decimals is None else require_integer("round", "decimals", decimals)
    return _apply(memory, "round", input_tensor, _T.ROUND, {"decimals": places}, memory_config, output_tensor)


@supports(_T.LOGIT)
def logit(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    eps: float | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """ln(x / (1 - x)), x first clipped to between eps and 1 - eps if there is an `eps`, which may be above 1 / 2."""
    parameters = {} if eps is None else {"eps": eps}
    return _apply(memory, "logit", input_tensor, _T.LOGIT, parameters, memory_config, output_tensor)


@supports(_T.POLYGAMMA)
def polygamma(memory: MemoryState, input_tensor: Tensor, k: int, *, memory_config: MemoryConfig | None = None) -> _Result:
    """The derivative of order `k` of digamma, for positive x. Raises ArgumentError unless `k` is 1 to 10."""
    if not 1 <= require_integer("polygamma", "k", k) <= 10:
        raise ArgumentError(f"polygamma: `k` must be 1 to 10, got {k}")
    return _apply(memory, "polygamma", input_tensor, _T.POLYGAMMA, {"k": k}, memory_config, None)


@supports(_T.ALT_COMPLEX_ROTATE90)
def alt_complex_rotate90(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """(-b, a) for each pair (a, b) along the last dimension. Raises ArgumentError if that is odd."""
    x = require_tensor("alt_complex_rotate90", "input_tensor", input_tensor)
    if not x.shape or x.shape[-1] % 2:
        raise ArgumentError(f"alt_complex_rotate90: the last dimension must hold pairs, so be even; got {x.spec}")
    return _apply(memory, "alt_complex_rotate90", x, _T.ALT_COMPLEX_ROTATE90, {}, memory_config, output_tensor)


def unary_chain(
    memory: MemoryState,
    input_tensor: Tensor,
    ops_chain: Sequence[UnaryWithParam],
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> _Result:
    """Several functions after one another in one program, each rounded to the destination register's width.

    Raises NotModelledError for a function that tt_jax has not.
    """
    x = require_tensor("unary_chain", "input_tensor", input_tensor)
    if x.dtype.is_float or not isinstance(ops_chain, list | tuple):
        chain = as_activations("unary_chain", ops_chain)
    else:
        chain = tuple(step if isinstance(step, UnaryWithParam) else UnaryWithParam(step) for step in ops_chain)
    if not chain:
        raise ArgumentError("unary_chain: `ops_chain` must hold at least one function")
    return apply(memory, "unary_chain", x, chain, memory_config, output_tensor)


unary_chain.support = Support(FLOATS + integers_of(_T.IDENTITY), note="integers: where each function takes them")  # type: ignore[attr-defined]
