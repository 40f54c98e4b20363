"""Arithmetic of two tensors, or of a tensor and a number, element by element: one row an operation.

Comparisons, logical and bitwise operations have files of their own; the forms that work in place are in `binary_inplace`.
"""

from typing import Literal

from tt_jax.dtypes import FLOATS, DataType, int32, uint32
from tt_jax.errors import ArgumentError
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._binary import (
    NUMBERS,
    Activations,
    Operand,
    Result,
    Row,
    binary,
    fast_binary,
    in_place,
    plain_binary,
    supported,
)
from tt_jax.ops._eltwise import attributes_of, run
from tt_jax.tensor import Tensor

__all__ = [
    "add", "add_", "atan2", "bias_gelu", "bias_gelu_", "div", "div_", "div_no_nan", "divide", "divide_", "floor_div",
    "fmod", "gcd", "hypot", "lcm", "ldexp", "ldexp_", "logaddexp", "logaddexp2", "logaddexp2_", "logaddexp_", "maximum",
    "minimum", "mul", "mul_", "multiply", "multiply_", "nextafter", "remainder", "rsub", "rsub_", "squared_difference",
    "squared_difference_", "sub", "sub_", "subtract", "subtract_", "xlogy",
]  # fmt: skip

_WHOLE = (*FLOATS, int32)

_ADD = Row(
    "add",
    NUMBERS,
    "`a + b`: bfloat16 and block floats on the FPU (both aligned to 11 bits, ties away), float32 exactly, integers modulo their width.",
)
_SUBTRACT = Row("subtract", NUMBERS, "`a - b`, computed as `add` is.")
_RSUB = Row("rsub", NUMBERS, "`b - a`, computed as `add` is.")
_MULTIPLY = Row(
    "multiply",
    NUMBERS,
    "`a * b`: bfloat16 pairs on the vector unit (rounded to nearest even), block floats on the FPU (HiFi4), integers modulo their "
    "width. A 32-bit integer tensor beside a float is converted to float first, by a program of its own.",
    fast=False,
    promotes="beside a float",
)
_SQUARED_DIFFERENCE = Row("squared_difference", NUMBERS, "`(a - b) ** 2`, the difference rounded as `subtract` does.")
_BIAS_GELU = Row("bias_gelu", FLOATS, "gelu (the accurate form) of `a + b`.", mixes="none")
_LDEXP = Row("ldexp", FLOATS, "`a * 2 ** b`, rounded once.", mixes="none")
_LOGADDEXP = Row("logaddexp", FLOATS, "`log(exp(a) + exp(b))`, rounded once.", mixes="none")
_LOGADDEXP2 = Row("logaddexp2", FLOATS, "`log2(2 ** a + 2 ** b)`, rounded once.", mixes="none")

add = fast_binary(_ADD)
subtract = fast_binary(_SUBTRACT)
rsub = fast_binary(_RSUB)
multiply = fast_binary(_MULTIPLY)
squared_difference = fast_binary(_SQUARED_DIFFERENCE)
bias_gelu = binary(_BIAS_GELU)
ldexp = binary(_LDEXP)
logaddexp = binary(_LOGADDEXP)
logaddexp2 = binary(_LOGADDEXP2)
xlogy = binary(Row("xlogy", FLOATS, "`a * log(b)`, 0 where `a` is; rounded once.", mixes="none"))
maximum = binary(
    Row("maximum", (*_WHOLE, uint32), "The larger of `a` and `b`.", mixes="none", numbers="right", exact_number=True)
)
minimum = binary(
    Row("minimum", (*_WHOLE, uint32), "The smaller of `a` and `b`.", mixes="none", numbers="right", exact_number=True)
)
gcd = binary(Row("gcd", (int32,), "The greatest common divisor.", mixes="none", numbers="none"))
lcm = binary(Row("lcm", (int32,), "The least common multiple, modulo 2**32.", mixes="none", numbers="none"))
remainder = binary(
    Row(
        "remainder",
        _WHOLE,
        "What `a / b` leaves, with the sign of `b`; rounded once. An int32 tensor with a float becomes float32.",
        mixes="none",
        numbers="right",
        exact_number=True,
        promotes="beside a float number",
    )
)
fmod = plain_binary(
    Row(
        "fmod",
        _WHOLE,
        "What `a / b` leaves, with the sign of `a`; rounded once. An int32 tensor with a float becomes float32.",
        mixes="none",
        numbers="right",
        exact_number=True,
        promotes="beside a float number",
    )
)
hypot = plain_binary(Row("hypot", FLOATS, "`sqrt(a ** 2 + b ** 2)`, rounded once.", mixes="none", numbers="none"))
atan2 = plain_binary(Row("atan2", FLOATS, "The angle of the point `(b, a)`, rounded once.", mixes="none", numbers="none"))
nextafter = plain_binary(
    Row(
        "nextafter",
        FLOATS,
        "The float32 next to `a` on the way to `b`, rounded to the dtype: of bfloat16 and block floats, `a` itself.",
        mixes="none",
        numbers="none",
    )
)
div_no_nan = plain_binary(Row("div_no_nan", FLOATS, "`a / b`, 0 where `b` is; rounded once.", numbers="right"))
floor_div = plain_binary(Row("floor_div", _WHOLE, "`floor(a / b)`, rounded once.", numbers="right"))

add_ = in_place(_ADD)
subtract_ = in_place(_SUBTRACT)
rsub_ = in_place(_RSUB)
multiply_ = in_place(_MULTIPLY)
squared_difference_ = in_place(_SQUARED_DIFFERENCE)
bias_gelu_ = in_place(_BIAS_GELU)
ldexp_ = in_place(_LDEXP)
logaddexp_ = in_place(_LOGADDEXP)
logaddexp2_ = in_place(_LOGADDEXP2)

_DIVIDE = Row(
    "divide",
    _WHOLE,
    "`a / b`.",
    fast=False,
    promotes="beside a float",
    vector_unit=True,
    whole_to_float=True,
)
_DIVIDE_ROUNDED = {
    mode: Row("divide", _WHOLE, "", fast=False, promotes="beside a float", vector_unit=True, function=f"divide_{mode}")
    for mode in ("floor", "trunc")
}
divide_ = in_place(_DIVIDE)


@supported(_DIVIDE.support)
def divide(
    memory: MemoryState,
    input_tensor_a: Operand,
    input_tensor_b: Operand,
    *,
    fast_and_approximate_mode: bool = False,
    rounding_mode: Literal["floor", "trunc"] | None = None,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    activations: Activations = None,
    input_tensor_a_activations: Activations = None,
    input_tensor_b_activations: Activations = None,
) -> Result:
    """`a / b` on the vector unit, rounded to nearest even; shapes broadcast as in NumPy.

    int32 by int32 gives float32 or, with a `rounding_mode`, int32. A 32-bit integer tensor beside a float is converted to float
    first, by a program of its own. A `rounding_mode` rounds the quotient as the dtype holds it. The fast form multiplies with
    the reciprocal on the FPU.

    Raises:
        ArgumentError: shapes, dtypes or options do not fit.
        NotModelledError: an activation is not modelled. DeallocatedError, OutOfMemoryError: as in `launch`.
    """
    row = _DIVIDE if rounding_mode in (None, "None") else _DIVIDE_ROUNDED.get(rounding_mode)
    if row is None:
        raise ArgumentError(f"divide: `rounding_mode` must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    if fast_and_approximate_mode and row is not _DIVIDE:
        raise ArgumentError(
            f"divide: fast_and_approximate_mode cannot be used with rounding_mode {rounding_mode!r}: it is of the unrounded quotient"
        )
    attributes = attributes_of(
        "divide",
        fast=fast_and_approximate_mode,
        dtype=dtype,
        memory_config=memory_config,
        output_tensor=output_tensor,
        activations=activations,
        input_tensor_a_activations=input_tensor_a_activations,
        input_tensor_b_activations=input_tensor_b_activations,
    )
    return run(row.program, memory, input_tensor_a, input_tensor_b, attributes, output_tensor)


sub, mul, div = subtract, multiply, divide
sub_, mul_, div_ = subtract_, multiply_, divide_
