"""Backward operations: from the gradient of a function's result, those of its inputs. One row an operation.

Each gradient is one program, computed in float32 by differentiation of the exact function and rounded once; where ttnn runs several
programs and rounds between them, the last bits differ. Complex tensors are not modelled.
"""

import inspect
from typing import Any, NamedTuple, Protocol

import numpy as np
from jax import Array

from tt_jax.dtypes import FLOATS, DataType, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import backward as kernel
from tt_jax.kernels import packer
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_options
from tt_jax.ops._binary import dressed
from tt_jax.ops._broadcast import broadcast_shapes
from tt_jax.ops._support import Support
from tt_jax.program import Operation, active_cache, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = [
    "abs_bw", "acos_bw", "acosh_bw", "add_bw", "addalpha_bw", "addcdiv_bw", "addcmul_bw", "asin_bw", "asinh_bw", "atan2_bw",
    "atan_bw", "atanh_bw", "bias_gelu_bw", "ceil_bw", "celu_bw", "clamp_bw", "clip_bw", "cos_bw", "cosh_bw", "deg2rad_bw",
    "digamma_bw", "div_bw", "div_no_nan_bw", "elu_bw", "erf_bw", "erfc_bw", "erfinv_bw", "exp2_bw", "exp_bw", "expm1_bw",
    "fill_bw", "fill_zero_bw", "floor_bw", "fmod_bw", "frac_bw", "gelu_bw", "hardshrink_bw", "hardsigmoid_bw",
    "hardswish_bw", "hardtanh_bw", "hypot_bw", "i0_bw", "ldexp_bw", "leaky_relu_bw", "lerp_bw", "lgamma_bw", "log10_bw",
    "log1p_bw", "log2_bw", "log_bw", "log_sigmoid_bw", "logaddexp2_bw", "logaddexp_bw", "logit_bw", "logiteps_bw", "max_bw",
    "min_bw", "mul_bw", "multigammaln_bw", "neg_bw", "polygamma_bw", "pow_bw", "rad2deg_bw", "rdiv_bw", "reciprocal_bw",
    "relu6_bw", "relu_bw", "remainder_bw", "round_bw", "rpow_bw", "rsqrt_bw", "rsub_bw", "selu_bw", "sigmoid_bw", "sign_bw",
    "silu_bw", "sin_bw", "sinh_bw", "softplus_bw", "softshrink_bw", "softsign_bw", "sqrt_bw", "square_bw",
    "squared_difference_bw", "sub_bw", "subalpha_bw", "tan_bw", "tanh_bw", "tanhshrink_bw", "threshold_bw", "trunc_bw",
    "where_bw", "xlogy_bw",
]  # fmt: skip


class Backward(Protocol):
    """A backward operation; its signature says what follows the gradient."""

    __name__: str
    support: Support

    def __call__(
        self, memory: MemoryState, grad_tensor: Tensor, *operands: Any, **options: Any
    ) -> tuple[MemoryState, list[Tensor | None]]: ...


class _Attributes(NamedTuple):
    name: str
    operand: int
    parameters: tuple[Any, ...]
    dtype: DataType | None
    memory_config: MemoryConfig | None


def _output_specs(attributes: _Attributes, specs: tuple[TensorSpec | None, ...]) -> tuple[TensorSpec]:
    name = f"{attributes.name}_bw"
    grad, *inputs = specs
    assert grad is not None
    for spec in (grad, *(spec for spec in inputs if spec is not None)):
        if not spec.dtype.is_float:
            raise ArgumentError(f"{name}: gradients are of floats, got {spec}; convert it with typecast")
    shape = broadcast_shapes(name, *(spec.shape for spec in inputs if spec is not None))
    if shape != grad.shape:
        raise ArgumentError(f"{name}: `grad_tensor` ({grad}) must have the shape of the function's result, {shape}")
    x = inputs[attributes.operand]
    assert x is not None
    return (x.replace(dtype=attributes.dtype or grad.dtype, memory_config=attributes.memory_config or x.memory_config),)


def _kernel(attributes: _Attributes, specs: tuple[TensorSpec | None, ...], grad: Array, *inputs: Array) -> tuple[Array]:
    (spec,) = _output_specs(attributes, specs)
    fp32_dest = float32 in (spec.dtype, *(s.dtype for s in specs if s is not None))
    dst = kernel.gradient(attributes.name, attributes.operand, attributes.parameters, grad, inputs, fp32_dest)
    return (packer.pack(dst, spec.dtype.kernel_name),)  # type: ignore[arg-type]


_GRADIENT = Operation("backward", _output_specs, _kernel, called=lambda attributes: f"{attributes.name}_bw")
_REQUIRED = inspect.Parameter.empty
_OUTPUTS = ("input_grad", "other_grad")


def _signature(
    operands: tuple[str, ...], optional: dict[str, float], parameters: dict[str, Any], outputs: int
) -> inspect.Signature:
    positional, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    first = [inspect.Parameter(n, positional) for n in ("memory", "grad_tensor", *operands)]
    first = [p.replace(default=None) if p.name in optional else p for p in first]
    first += [inspect.Parameter(n, positional, default=default) for n, default in parameters.items()]
    rest = [inspect.Parameter("are_required_outputs", keyword, default=None)] if outputs > 1 else []
    rest += [inspect.Parameter(n, keyword, default=None) for n in ("memory_config", *_OUTPUTS[:outputs])]
    return inspect.Signature([*first, *rest])


def _parameter(name: str, argument: str, value: Any) -> Any:
    """A number as a float, the name of a mode as it is; None where there is none."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ArgumentError(f"{name}: `{argument}` must be a number, got {value!r}")
    return float(value)


def _backward(
    forward: str,
    *operands: str,
    constants: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    optional: dict[str, float] | None = None,
    nonnegative: tuple[str, ...] = (),
    **parameters: Any,
) -> Backward:
    """The backward operation of `forward`, a key of `kernels.backward.FORWARDS`.

    `operands` are its inputs, of which `constants` have no gradient and `numbers` may be numbers (then without gradient);
    `optional` says which numbers stand for operands that are not given, of which there must be one. `parameters` are its other
    arguments, with their defaults or `_REQUIRED`; `nonnegative` those that must not be below 0.
    """
    optional = optional or {}
    operands = operands or ("input_tensor",)
    name = f"{forward}_bw"
    differentiated = [i for i, operand in enumerate(operands) if operand not in constants]
    signature = _signature(operands, optional, parameters, min(len(differentiated), 2))

    def call(*arguments: Any, **options: Any) -> tuple[MemoryState, list[Tensor | None]]:
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        given = bound.arguments
        require_options(name, memory_config=given["memory_config"])
        grad = require_tensor(name, "grad_tensor", given["grad_tensor"])
        inputs: list[Any] = []
        if optional and all(given[operand] is None for operand in optional):
            raise ArgumentError(
                f"{name}: none of {', '.join(f'`{operand}`' for operand in optional)} is given; pass at least one"
            )
        for operand in operands:
            value = given[operand]
            if value is None and operand in optional:
                value = optional[operand]
            if operand in numbers and isinstance(value, int | float | np.integer | np.floating):
                inputs.append(np.float32(_parameter(name, operand, value)))
            else:
                inputs.append(require_tensor(name, operand, value))
        values = tuple(_parameter(name, parameter, given[parameter]) for parameter in parameters)
        for parameter in nonnegative:
            if isinstance(given[parameter], str) or given[parameter] < 0:
                raise ArgumentError(f"{name}: it must be a number, {parameter} >= 0.0, got {given[parameter]!r}")
        indices = [i for i in differentiated if type(inputs[i]) is Tensor]
        required = given.get("are_required_outputs") or [True] * len(indices)
        memory: MemoryState = given["memory"]
        gradients: list[Tensor | None] = []
        with active_cache().all_or_nothing():
            for position, index in enumerate(indices):
                if not required[position]:
                    gradients.append(None)
                    continue
                output = given.get(_OUTPUTS[position]) if position < len(_OUTPUTS) else None
                spec = None if output is None else require_tensor(name, _OUTPUTS[position], output).spec
                attributes = _Attributes(
                    forward,
                    index,
                    values,
                    spec.dtype if spec else None,
                    spec.memory_config if spec else given["memory_config"],
                )
                memory, (y,) = launch(memory, _GRADIENT, (grad, *inputs), attributes, output)
                gradients.append(y)
        return memory, gradients

    call.__signature__ = signature  # type: ignore[attr-defined]
    named = ", ".join(f"`{operands[i]}`" for i in differentiated)
    doc = f"""The gradients of {named} in `{forward}`, given that of its result: a list, with None where one is not required.

    They have the dtype of `grad_tensor`, or of the output tensor given for them. A number has no gradient.

    Raises ArgumentError for tensors that are no floats, and for a `grad_tensor` of another shape than the result.
    """
    return dressed(call, name, doc, Support(FLOATS))  # type: ignore[return-value]


def _pair(forward: str, **parameters: Any) -> Backward:
    return _backward(forward, "input_tensor", "other_tensor", numbers=("other_tensor",), **parameters)


def _bounded(forward: str) -> Backward:
    bounds = ("min", "max")
    return _backward(
        forward, "input_tensor", *bounds, constants=bounds, numbers=bounds, optional={"min": -np.inf, "max": np.inf}
    )


abs_bw = _backward("abs")
acos_bw = _backward("acos")
acosh_bw = _backward("acosh")
asin_bw = _backward("asin")
asinh_bw = _backward("asinh")
atan_bw = _backward("atan")
atanh_bw = _backward("atanh")
ceil_bw = _backward("ceil")
celu_bw = _backward("celu", alpha=1.0)
clamp_bw = _bounded("clamp")
clip_bw = _bounded("clip")
cos_bw = _backward("cos")
cosh_bw = _backward("cosh")
deg2rad_bw = _backward("deg2rad")
digamma_bw = _backward("digamma")
elu_bw = _backward("elu", alpha=1.0)
erf_bw = _backward("erf")
erfc_bw = _backward("erfc")
erfinv_bw = _backward("erfinv")
exp2_bw = _backward("exp2")
exp_bw = _backward("exp")
expm1_bw = _backward("expm1")
fill_bw = _backward("fill")
fill_zero_bw = _backward("fill_zero")
floor_bw = _backward("floor")
frac_bw = _backward("frac")
gelu_bw = _backward("gelu", approximate="none")
hardshrink_bw = _backward("hardshrink", lambd=0.5)
hardsigmoid_bw = _backward("hardsigmoid")
hardswish_bw = _backward("hardswish")
hardtanh_bw = _backward("hardtanh", min=-1.0, max=1.0)
i0_bw = _backward("i0")
leaky_relu_bw = _backward("leaky_relu", negative_slope=0.01)
lgamma_bw = _backward("lgamma")
log10_bw = _backward("log10")
log1p_bw = _backward("log1p")
log2_bw = _backward("log2")
log_bw = _backward("log")
log_sigmoid_bw = _backward("log_sigmoid")
logit_bw = _backward("logit")
logiteps_bw = _backward("logiteps", eps=0.0)
multigammaln_bw = _backward("multigammaln")
neg_bw = _backward("neg")
polygamma_bw = _backward("polygamma", n=_REQUIRED)
pow_bw = _backward("pow", exponent=_REQUIRED, nonnegative=("exponent",))
rad2deg_bw = _backward("rad2deg")
rdiv_bw = _backward("rdiv", scalar=_REQUIRED, round_mode=None)
reciprocal_bw = _backward("reciprocal")
relu6_bw = _backward("relu6")
relu_bw = _backward("relu")
round_bw = _backward("round")
rpow_bw = _backward("rpow", exponent=_REQUIRED)
rsqrt_bw = _backward("rsqrt")
selu_bw = _backward("selu")
sigmoid_bw = _backward("sigmoid")
sign_bw = _backward("sign")
silu_bw = _backward("silu")
sin_bw = _backward("sin")
sinh_bw = _backward("sinh")
softplus_bw = _backward("softplus", beta=1.0, threshold=20.0)
softshrink_bw = _backward("softshrink", lambd=0.5)
softsign_bw = _backward("softsign")
sqrt_bw = _backward("sqrt")
square_bw = _backward("square")
tan_bw = _backward("tan")
tanh_bw = _backward("tanh")
tanhshrink_bw = _backward("tanhshrink")
threshold_bw = _backward("threshold", threshold=_REQUIRED, value=_REQUIRED)
trunc_bw = _backward("trunc")

add_bw = _pair("add")
addalpha_bw = _pair("addalpha", alpha=1.0)
atan2_bw = _pair("atan2")
bias_gelu_bw = _pair("bias_gelu", approximate="none")
div_bw = _pair("div", rounding_mode=None)
div_no_nan_bw = _pair("div_no_nan")
fmod_bw = _pair("fmod")
hypot_bw = _pair("hypot")
ldexp_bw = _pair("ldexp")
logaddexp2_bw = _pair("logaddexp2")
logaddexp_bw = _pair("logaddexp")
max_bw = _pair("max")
min_bw = _pair("min")
mul_bw = _pair("mul")
remainder_bw = _pair("remainder")
rsub_bw = _pair("rsub")
squared_difference_bw = _pair("squared_difference")
sub_bw = _pair("sub")
subalpha_bw = _pair("subalpha", alpha=1.0)
xlogy_bw = _pair("xlogy")

addcdiv_bw = _backward("addcdiv", "input_tensor_a", "input_tensor_b", "input_tensor_c", value=1.0)
addcmul_bw = _backward("addcmul", "input_tensor_a", "input_tensor_b", "input_tensor_c", value=1.0)
lerp_bw = _backward(
    "lerp",
    "input_tensor_a",
    "input_tensor_b",
    "input_tensor_c",
    constants=("input_tensor_c",),
    numbers=("input_tensor_c",),
)
where_bw = _backward("where", "input_tensor_a", "input_tensor_b", "input_tensor_c", constants=("input_tensor_a",))
