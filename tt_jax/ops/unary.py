"""Element-wise functions of one tensor without parameters: one row an operation; and gelu and sigmoid, which have variants.

All run as one program and keep the dtype, layout and placement of their input, unless `memory_config` or `output_tensor` says
otherwise. Values: `tt_jax.kernels.unary` (floats), `tt_jax.kernels.unary_integer` (integers, exact).
"""

from typing import Protocol

from tt_jax.activations import GeluVariant, SigmoidMode, UnaryOpType, UnaryWithParam
from tt_jax.dtypes import FLOATS, DataType
from tt_jax.errors import ArgumentError
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags
from tt_jax.ops._support import Support
from tt_jax.ops._unary import UNARY_IN_PLACE, UnaryAttributes, apply, integers_of, output_options, supports
from tt_jax.program import launch, require_tensor
from tt_jax.tensor import Tensor

__all__ = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bitwise_not", "cbrt", "ceil", "cos",
    "cosh", "deg2rad", "digamma", "eqz", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "frac", "gelu", "gez", "gtz",
    "hardmish", "hardsigmoid", "hardswish", "i0", "i1", "identity", "isfinite", "isinf", "isnan", "isneginf", "isposinf",
    "lez", "lgamma", "log", "log10", "log1p", "log2", "log_sigmoid", "logical_not", "logical_not_", "ltz", "mish", "neg",
    "nez", "rad2deg", "reciprocal", "relu", "relu6", "rsqrt", "sigmoid", "sigmoid_accurate", "sign", "signbit", "silu",
    "sin", "sinh", "softsign", "sqrt", "square", "swish", "tan", "tanh", "tanhshrink", "trunc",
]  # fmt: skip


class Unary(Protocol):
    """An operation of one tensor. Raises ArgumentError for a dtype that it does not take; else as `launch`."""

    support: Support

    def __call__(
        self,
        memory: MemoryState,
        input_tensor: Tensor,
        *,
        memory_config: MemoryConfig | None = None,
        output_tensor: Tensor | None = None,
    ) -> tuple[MemoryState, Tensor]: ...


class FastUnary(Protocol):
    """A `Unary` with a faster, less exact variant."""

    support: Support

    def __call__(
        self,
        memory: MemoryState,
        input_tensor: Tensor,
        *,
        fast_and_approximate_mode: bool = False,
        memory_config: MemoryConfig | None = None,
        output_tensor: Tensor | None = None,
    ) -> tuple[MemoryState, Tensor]: ...


_RAISES = """

Raises ArgumentError for a dtype that it does not take; DeallocatedError and OutOfMemoryError as `launch`."""


def _unary(name: str, op_type: UnaryOpType, doc: str, *parameters: float, floats: tuple[DataType, ...] = FLOATS) -> Unary:
    chain = (UnaryWithParam(op_type, *parameters),)
    dtypes = floats + integers_of(op_type)

    def operation(
        memory: MemoryState,
        input_tensor: Tensor,
        *,
        memory_config: MemoryConfig | None = None,
        output_tensor: Tensor | None = None,
    ) -> tuple[MemoryState, Tensor]:
        if floats is not FLOATS and type(input_tensor) is Tensor:
            require_dtype(name, "input_tensor", input_tensor.spec, dtypes)
        return apply(memory, name, input_tensor, chain, memory_config, output_tensor)

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = f"{doc}, element by element.{_RAISES}"
    operation.support = Support(dtypes)  # type: ignore[attr-defined]
    return operation  # type: ignore[return-value]


def _fast(name: str, op_type: UnaryOpType, doc: str, fast: str = "as exact here as the other") -> FastUnary:
    chains = tuple((UnaryWithParam(op_type, flag),) for flag in (0.0, 1.0))

    def operation(
        memory: MemoryState,
        input_tensor: Tensor,
        *,
        fast_and_approximate_mode: bool = False,
        memory_config: MemoryConfig | None = None,
        output_tensor: Tensor | None = None,
    ) -> tuple[MemoryState, Tensor]:
        require_flags(name, fast_and_approximate_mode=fast_and_approximate_mode)
        return apply(memory, name, input_tensor, chains[fast_and_approximate_mode], memory_config, output_tensor)

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = f"{doc}, element by element. With `fast_and_approximate_mode` a faster variant: {fast}.{_RAISES}"
    operation.support = Support(FLOATS + integers_of(op_type))  # type: ignore[attr-defined]
    return operation  # type: ignore[return-value]


_T = UnaryOpType
_FULL_FLOATS = (DataType.BFLOAT16, DataType.FLOAT32)

exp = _fast("exp", _T.EXP, "e to the power x, the device's own 21-bit exponential", "Schraudolph's, off by up to 3.1e-2")
log = _fast("log", _T.LOG, "The natural logarithm; NaN below 0, which bfloat16 holds as infinity")
log2 = _fast("log2", _T.LOG2, "The logarithm of base 2")
log10 = _fast("log10", _T.LOG10, "The logarithm of base 10")
log1p = _fast("log1p", _T.LOG1P, "The natural logarithm of 1 + x")
sqrt = _fast("sqrt", _T.SQRT, "The square root; NaN below 0, which bfloat16 holds as infinity")
rsqrt = _fast("rsqrt", _T.RSQRT, "1 over the square root", "it does not look for negative x, where it is meaningless")
erf = _fast("erf", _T.ERF, "The error function")
tanh = _fast("tanh", _T.TANH, "The hyperbolic tangent")
mish = _fast("mish", _T.MISH, "x tanh(ln(1 + exp(x)))")

exp2 = _unary("exp2", _T.EXP2, "2 to the power x")
expm1 = _unary("expm1", _T.EXPM1, "exp(x) - 1")
reciprocal = _unary("reciprocal", _T.RECIP, "1 / x")
square = _unary("square", _T.SQUARE, "x times x, integers modulo their width")
cbrt = _unary("cbrt", _T.CBRT, "The cube root")

sin = _unary("sin", _T.SIN, "The sine")
cos = _unary("cos", _T.COS, "The cosine")
tan = _unary("tan", _T.TAN, "The tangent")
asin = _unary("asin", _T.ASIN, "The inverse sine")
acos = _unary("acos", _T.ACOS, "The inverse cosine")
atan = _unary("atan", _T.ATAN, "The inverse tangent")
sinh = _unary("sinh", _T.SINH, "The hyperbolic sine")
cosh = _unary("cosh", _T.COSH, "The hyperbolic cosine")
asinh = _unary("asinh", _T.ASINH, "The inverse hyperbolic sine")
acosh = _unary("acosh", _T.ACOSH, "The inverse hyperbolic cosine")
atanh = _unary("atanh", _T.ATANH, "The inverse hyperbolic tangent")
deg2rad = _unary("deg2rad", _T.MUL_UNARY_SFPU, "x pi / 180", 0.017453292519943295)
rad2deg = _unary("rad2deg", _T.MUL_UNARY_SFPU, "x 180 / pi", 57.29577951308232)

erfc = _unary("erfc", _T.ERFC, "1 minus the error function")
erfinv = _unary("erfinv", _T.ERFINV, "The inverse error function")
lgamma = _unary("lgamma", _T.LGAMMA, "The logarithm of the gamma function's magnitude", floats=_FULL_FLOATS)
digamma = _unary("digamma", _T.DIGAMMA, "The derivative of the gamma function's logarithm")
i0 = _unary("i0", _T.I0, "The modified Bessel function of order 0, infinity where |x| is above 88.5")
i1 = _unary("i1", _T.I1, "The modified Bessel function of order 1, x clipped to 88.5")

abs = _unary("abs", _T.ABS, "The magnitude")
neg = _unary("neg", _T.NEG, "-x")
sign = _unary("sign", _T.SIGN, "-1, 0 or 1")
identity = _unary("identity", _T.IDENTITY, "x")
floor = _unary("floor", _T.FLOOR, "The largest whole number up to x")
ceil = _unary("ceil", _T.CEIL, "The smallest whole number from x")
trunc = _unary("trunc", _T.TRUNC, "The whole part of x")
frac = _unary("frac", _T.FRAC, "x less its whole part")
bitwise_not = _unary("bitwise_not", _T.BITWISE_NOT, "Every bit turned", floats=())

eqz = _unary("eqz", _T.EQZ, "1 where x is 0, else 0")
nez = _unary("nez", _T.NEZ, "1 where x is not 0, else 0")
gtz = _unary("gtz", _T.GTZ, "1 where x > 0, else 0")
gez = _unary("gez", _T.GEZ, "1 where x >= 0, else 0")
ltz = _unary("ltz", _T.LTZ, "1 where x < 0, else 0")
lez = _unary("lez", _T.LEZ, "1 where x <= 0, else 0")
logical_not = _unary("logical_not", _T.LOGICAL_NOT_UNARY, "1 where x is 0, else 0")
signbit = _unary("signbit", _T.SIGNBIT, "1 where the sign bit is set, else 0")
isnan = _unary("isnan", _T.ISNAN, "1 where x is no number, else 0")
isinf = _unary("isinf", _T.ISINF, "1 where x is an infinity, else 0")
isposinf = _unary("isposinf", _T.ISPOSINF, "1 where x is infinity, else 0")
isneginf = _unary("isneginf", _T.ISNEGINF, "1 where x is minus infinity, else 0")
isfinite = _unary("isfinite", _T.ISFINITE, "1 where x is finite, else 0")

relu = _unary("relu", _T.RELU, "max(x, 0)")
relu6 = _unary("relu6", _T.RELU6, "min(max(x, 0), 6)")
silu = _unary("silu", _T.SILU, "x / (1 + exp(-x))")
swish = _unary("swish", _T.SILU, "x / (1 + exp(-x))")
log_sigmoid = _unary("log_sigmoid", _T.LOGSIGMOID, "-ln(1 + exp(-x))")
hardmish = _unary("hardmish", _T.HARDMISH, "x min(max(x + 2, 0), 2) / 2, stored without rounding")
hardsigmoid = _unary("hardsigmoid", _T.HARDSIGMOID, "min(max(x / 6 + 1 / 2, 0), 1)")
hardswish = _unary("hardswish", _T.HARDSWISH, "x hardsigmoid(x)")
softsign = _unary("softsign", _T.SOFTSIGN, "x / (1 + |x|)")
tanhshrink = _fast("tanhshrink", _T.TANHSHRINK, "x - tanh(x)")


@supports(_T.GELU)
def gelu(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    variant: GeluVariant | None = None,
    fast_and_approximate_mode: bool = False,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """x times the normal distribution's cumulative function, on bfloat16 by the device's own formula.

    `fast_and_approximate_mode` is the older name of the variant FastLut, a table off by up to 0.024; with both given, they
    must agree.
    """
    require_flags("gelu", fast_and_approximate_mode=fast_and_approximate_mode)
    if variant is None:
        variant = GeluVariant.FastLut if fast_and_approximate_mode else GeluVariant.Accurate
    if not isinstance(variant, GeluVariant):
        raise ArgumentError(f"gelu: `variant` must be a GeluVariant, got {variant!r}")
    if fast_and_approximate_mode and variant is not GeluVariant.FastLut:
        raise ArgumentError(
            f"gelu: `fast_and_approximate_mode` means GeluVariant.FastLut, and `variant` is {variant}; give one"
        )
    step = UnaryWithParam(_T.GELU_TANH) if variant is GeluVariant.Tanh else UnaryWithParam(_T.GELU, float(variant.value))
    return apply(memory, "gelu", input_tensor, (step,), memory_config, output_tensor)


_VECTOR_MODES = (2, 4)


@supports(_T.SIGMOID)
def sigmoid(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    vector_mode: int = 4,
    mode: SigmoidMode | None = None,
    fast_and_approximate_mode: bool = False,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """1 / (1 + exp(-x)), on bfloat16 by the device's own formula.

    `fast_and_approximate_mode` is the older name of the mode FastApproximate. `vector_mode` 4 computes every column; 2 leaves
    all but the first 16 of a tile undefined, and here computes them too.
    """
    require_flags("sigmoid", fast_and_approximate_mode=fast_and_approximate_mode)
    if vector_mode not in _VECTOR_MODES:
        raise ArgumentError(f"sigmoid: `vector_mode` must be 2 (columns) or 4 (rows and columns), got {vector_mode!r}")
    if mode is None:
        mode = SigmoidMode.FastApproximate if fast_and_approximate_mode else SigmoidMode.Accurate
    if not isinstance(mode, SigmoidMode):
        raise ArgumentError(f"sigmoid: `mode` must be a SigmoidMode, got {mode!r}")
    step = UnaryWithParam(_T.SIGMOID, float(vector_mode), float(mode is SigmoidMode.FastApproximate))
    return apply(memory, "sigmoid", input_tensor, (step,), memory_config, output_tensor)


@supports(_T.SIGMOID)
def sigmoid_accurate(
    memory: MemoryState,
    input_tensor: Tensor,
    fast_and_approximate_mode: bool = False,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`sigmoid`; the flag makes the device's exponential faster, and here nothing less exact."""
    require_flags("sigmoid_accurate", fast_and_approximate_mode=fast_and_approximate_mode)
    return apply(
        memory, "sigmoid_accurate", input_tensor, (UnaryWithParam(_T.SIGMOID, 4.0, 0.0),), memory_config, output_tensor
    )


def logical_not_(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`logical_not` in the buffer of `input_tensor`, which holds the result afterwards. `memory_config` must be its own, or None.

    Raises ArgumentError for a dtype that it does not take, or another `memory_config`; DeallocatedError as `launch`.
    """
    x = require_tensor("logical_not_", "input_tensor", input_tensor)
    output_options("logical_not_", x.spec, memory_config, None)
    if memory_config not in (None, x.memory_config):
        raise ArgumentError(
            f"logical_not_: it stays where it is, in {x.spec}, not in {memory_config}; use logical_not to move it"
        )
    attributes = UnaryAttributes("logical_not_", (UnaryWithParam(_T.LOGICAL_NOT_UNARY),), None, None)
    memory, (y,) = launch(memory, UNARY_IN_PLACE, (x,), attributes)
    return memory, y


logical_not_.support = logical_not.support  # type: ignore[attr-defined]
