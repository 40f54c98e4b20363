"""Element-wise functions that another operation can be followed by: what to apply, and with which parameters.

The arithmetic is in `tt_jax.kernels.unary`: `apply` computes one activation, `apply_chain` several.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

from tt_jax.choice import Choice
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import unary


class UnaryOpType(Choice):
    """The vector unit's functions, by ttnn's names and in its order. Source: tt-metal's public API, read in a commit near 0.81.1."""

    EXP = 0
    RECIP = 1
    GELU = 2
    GELU_TANH = 3
    RELU = 4
    SQRT = 5
    SIGMOID = 6
    LOG = 7
    LOG1P = 8
    TANH = 9
    LOG2 = 10
    LOG10 = 11
    SIN = 12
    COS = 13
    COSH = 14
    SINH = 15
    ABS = 16
    ABS_INT32 = 17
    SIGN = 18
    SQUARE = 19
    EQZ = 20
    NEZ = 21
    GTZ = 22
    LTZ = 23
    GEZ = 24
    LEZ = 25
    RELU_MAX = 26
    RELU_MIN = 27
    POWER = 28
    POWER_ITERATIVE = 29
    LEAKY_RELU = 30
    ELU = 31
    EXP2 = 32
    HEAVISIDE = 33
    EXPM1 = 34
    SIGNBIT = 35
    ASIN = 36
    ACOS = 37
    ACOSH = 38
    RSQRT = 39
    RELU6 = 40
    ATAN = 41
    ASINH = 42
    ATANH = 43
    ERF = 44
    ERFC = 45
    ISINF = 46
    ISPOSINF = 47
    ISNEGINF = 48
    ISNAN = 49
    LOGICAL_NOT_UNARY = 50
    ISFINITE = 51
    ERFINV = 52
    I0 = 53
    I1 = 54
    TAN = 55
    RSUB = 56
    RDIV = 57
    SILU = 58
    SOFTPLUS = 59
    IDENTITY = 60
    NEG = 61
    ADD_UNARY_SFPU = 62
    SUB_UNARY_SFPU = 63
    MUL_UNARY_SFPU = 64
    DIV_UNARY_SFPU = 65
    UNARY_NE = 66
    UNARY_EQ = 67
    UNARY_GT = 68
    UNARY_LT = 69
    UNARY_GE = 70
    UNARY_LE = 71
    TILED_PROD = 72
    TYPECAST = 73
    BITCAST = 74
    BITWISE_XOR = 75
    BITWISE_NOT = 76
    BITWISE_AND = 77
    BITWISE_OR = 78
    RIGHT_SHIFT = 79
    FLOOR = 80
    CEIL = 81
    TRUNC = 82
    FRAC = 83
    ROUND = 84
    LEFT_SHIFT = 85
    REMAINDER = 86
    FMOD = 87
    DROPOUT = 88
    FILL = 89
    PRELU_SFPU = 90
    ZERO_POINT = 91
    ALT_COMPLEX_ROTATE90 = 92
    MISH = 93
    HARDMISH = 94
    MAXIMUM = 95
    MINIMUM = 96
    TANHSHRINK = 97
    THRESHOLD = 98
    SOFTSHRINK = 99
    HARDSHRINK = 100
    HARDTANH = 101
    HARDSIGMOID = 102
    HARDSWISH = 103
    WHERE_TSS = 104
    MAC_TSS = 105
    SOFTSIGN = 106
    CELU = 107
    CLAMP_TSS = 108
    SELU = 109
    RPOW = 110
    CBRT = 111
    LOGSIGMOID = 112
    LOGIT = 113
    XIELU = 114
    LGAMMA = 115
    DIGAMMA = 116
    POLYGAMMA = 117
    SOFTCAP = 118

    @property
    def function(self) -> str:
        """The name that `tt_jax.kernels.unary` knows it by."""
        return self.name.lower()


class GeluVariant(Choice):
    """How gelu is computed: exactly (to the output's rounding), by a table of six lines, or in its tanh form."""

    Accurate = 0
    FastLut = 1
    Tanh = 2


class SigmoidMode(Choice):
    """How sigmoid is computed. `AccurateWithFastExp` is as exact here as `Accurate`; `FastApproximate` is a table of three lines."""

    Accurate = 0
    AccurateWithFastExp = 1
    FastApproximate = 2
    FastAndApproximate = 2


@dataclasses.dataclass(frozen=True, init=False)
class UnaryWithParam:
    """A function and its parameters: `UnaryWithParam(UnaryOpType.LEAKY_RELU, 0.1)`.

    `params` may be given one by one, as one sequence, or with `op_type` as one tuple, as in ttnn. Flags count as 0.0 and 1.0.

    Raises ArgumentError for an `op_type` that is none, or a parameter that is no number.
    """

    op_type: UnaryOpType
    params: tuple[float, ...]

    def __init__(self, op_type: UnaryOpType | tuple[Any, ...], *params: Any, param: Any = None):
        if isinstance(op_type, tuple) and op_type and not params:
            op_type, *params = op_type  # type: ignore[assignment]
        if param is not None:
            params = (*params, param)
        if len(params) == 1 and isinstance(params[0], list | tuple):
            params = tuple(params[0])
        if not isinstance(op_type, UnaryOpType):
            raise ArgumentError(f"UnaryWithParam: `op_type` must be a UnaryOpType such as UnaryOpType.RELU, got {op_type!r}")
        if not all(isinstance(value, int | float) for value in params):
            raise ArgumentError(f"UnaryWithParam: the parameters of {op_type} must be numbers, got {params!r}")
        object.__setattr__(self, "op_type", op_type)
        object.__setattr__(self, "params", tuple(float(value) for value in params))

    def __repr__(self) -> str:
        return f"UnaryWithParam({', '.join(map(str, (self.op_type, *self.params)))})"

    @property
    def function(self) -> tuple[str, tuple[float, ...]]:
        """Name and parameters, as `tt_jax.kernels.unary.apply` takes them."""
        return self.op_type.function, self.params


ACCURATE, FAST = 0.0, 1.0
_ALL_LANES = 4.0

# What a name alone stands for. Source: tt-metal's public API. Where ttnn's own choice is the vector unit's fast variant of a function
# whose both variants agree to the output's rounding here (log), the flag is kept for the record.
_BY_NAME: dict[str, tuple[UnaryOpType, tuple[float, ...]]] = {
    "relu": (UnaryOpType.RELU, ()),
    "relu6": (UnaryOpType.RELU6, ()),
    "gelu": (UnaryOpType.GELU, (ACCURATE,)),
    "gelu_approx": (UnaryOpType.GELU, (FAST,)),
    "gelu_tanh": (UnaryOpType.GELU_TANH, ()),
    "silu": (UnaryOpType.SILU, ()),
    "swish": (UnaryOpType.SILU, ()),
    "sigmoid": (UnaryOpType.SIGMOID, (_ALL_LANES, ACCURATE)),
    "sigmoid_approx": (UnaryOpType.SIGMOID, (_ALL_LANES, FAST)),
    "hardsigmoid": (UnaryOpType.HARDSIGMOID, ()),
    "hardswish": (UnaryOpType.HARDSWISH, ()),
    "hardtanh": (UnaryOpType.HARDTANH, (-1.0, 1.0)),
    "sqrt": (UnaryOpType.SQRT, (ACCURATE,)),
    "rsqrt": (UnaryOpType.RSQRT, (ACCURATE,)),
    "exp": (UnaryOpType.EXP, (FAST,)),
    "recip": (UnaryOpType.RECIP, ()),
    "reciprocal": (UnaryOpType.RECIP, ()),
    "log": (UnaryOpType.LOG, (FAST,)),
    "log1p": (UnaryOpType.LOG1P, (FAST,)),
    "log2": (UnaryOpType.LOG2, (FAST,)),
    "log10": (UnaryOpType.LOG10, (FAST,)),
    "tanh": (UnaryOpType.TANH, (ACCURATE,)),
    "sin": (UnaryOpType.SIN, ()),
    "cos": (UnaryOpType.COS, ()),
    "sinh": (UnaryOpType.SINH, ()),
    "cosh": (UnaryOpType.COSH, ()),
    "abs": (UnaryOpType.ABS, ()),
    "neg": (UnaryOpType.NEG, ()),
    "sign": (UnaryOpType.SIGN, ()),
    "square": (UnaryOpType.SQUARE, ()),
    "softplus": (UnaryOpType.SOFTPLUS, (1.0, 20.0)),
    "xielu": (UnaryOpType.XIELU, (0.8, 0.8)),
    "selu": (UnaryOpType.SELU, (1.05070102214813232421875, 1.67326319217681884765625)),
    "leaky_relu": (UnaryOpType.LEAKY_RELU, (0.01,)),
    "elu": (UnaryOpType.ELU, (1.0,)),
    "identity": (UnaryOpType.IDENTITY, ()),
    "hardmish": (UnaryOpType.HARDMISH, (FAST,)),
    "mish": (UnaryOpType.MISH, (ACCURATE,)),
    "mish_approx": (UnaryOpType.MISH, (FAST,)),
}


def as_activation(operation: str, value: str | UnaryOpType | UnaryWithParam | tuple[UnaryOpType, Any]) -> UnaryWithParam:
    """`value` as a function with parameters: a name ("relu", "gelu_approx"...), a UnaryOpType, alone or before its one parameter in a
    tuple (or all of them in a list), or itself.

    Raises:
        ArgumentError: `value` is none of these, or has parameters that the function has not.
        NotModelledError: ttnn may know the function; tt_jax does not.
    """
    if isinstance(value, str):
        if value not in _BY_NAME:
            raise NotModelledError(f"{operation}: activation {value!r} is not modelled; there are {', '.join(_BY_NAME)}")
        value = UnaryWithParam(*_BY_NAME[value])
    elif isinstance(value, UnaryOpType):
        value = UnaryWithParam(value)
    elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], UnaryOpType):
        value = UnaryWithParam(*value)
    elif not isinstance(value, UnaryWithParam):
        raise ArgumentError(f"{operation}: an activation is a name, a UnaryOpType or a UnaryWithParam, got {value!r}")
    function = unary.FUNCTIONS.get(value.op_type.function)
    if function is None:
        raise NotModelledError(f"{operation}: activation {value.op_type} is not modelled; apply the operation of that name")
    if not function.least <= len(value.params) <= function.most:
        expected = str(function.most) if function.least == function.most else f"{function.least} to {function.most}"
        raise ArgumentError(f"{operation}: {value.op_type} takes {expected} parameters, got {value.params}")
    return value


def as_activations(
    operation: str, values: Iterable[Any] | str | UnaryOpType | UnaryWithParam | None
) -> tuple[UnaryWithParam, ...]:
    """Several activations, first applied first; None for none, a single one for itself. Raises as `as_activation`."""
    if values is None:
        return ()
    if isinstance(values, str | UnaryOpType | UnaryWithParam):
        return (as_activation(operation, values),)
    if not isinstance(values, Iterable):
        raise ArgumentError(f"{operation}: activations must be a sequence, got {values!r}")
    return tuple(as_activation(operation, value) for value in values)
