"""Operations of two operands with parameters of their own, or made of several programs."""

from collections.abc import Sequence
from typing import Any

from tt_jax.activations import UnaryOpType, UnaryWithParam
from tt_jax.dtypes import FLOATS, DataType, bfloat8_b, bfloat16, float32, int32, uint32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops import _unary, filled
from tt_jax.ops._binary import NUMBERS, Activations, Operand, Result, Row, supported
from tt_jax.ops._eltwise import attributes_of, run
from tt_jax.ops._support import Support
from tt_jax.ops.binary import add, multiply
from tt_jax.ops.layout import to_layout
from tt_jax.ops.matmul import matmul
from tt_jax.ops.reshape import reshape, unsqueeze
from tt_jax.program import active_cache, free, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["addalpha", "isclose", "outer", "polyval", "pow", "prelu", "subalpha"]

_ADDALPHA = Row("addalpha", FLOATS, "")
_SUBALPHA = Row("subalpha", FLOATS, "")
_ISCLOSE = Row("isclose", (*FLOATS, int32), "", mixes="float32 with bfloat16", numbers="none")
_POW = Row("pow", FLOATS, "", mixes="none", exact_number=True)
_PRELU = Row("prelu", FLOATS, "", numbers="right")


@supported(_ADDALPHA.support)
def addalpha(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Operand,
    alpha: float = 1.0,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> Result:
    """`a + alpha * b`: the product rounded to Dst, then added as `add` does. Shapes broadcast as in NumPy. Raises as `add`."""
    return _scaled(_ADDALPHA, memory, input_tensor_a, input_tensor_b, alpha, memory_config, output_tensor)


@supported(_SUBALPHA.support)
def subalpha(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Operand,
    alpha: float = 1.0,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> Result:
    """`a - alpha * b`, as `addalpha`."""
    return _scaled(_SUBALPHA, memory, input_tensor_a, input_tensor_b, alpha, memory_config, output_tensor)


def _scaled(
    row: Row, memory: MemoryState, a: Any, b: Any, alpha: Any, memory_config: MemoryConfig | None, output: Tensor | None
) -> Result:
    name = row.program.rule.name
    alpha = _unary.number(name, "alpha", alpha)
    attributes = attributes_of(name, memory_config=memory_config, output_tensor=output, parameters=(alpha,))
    return run(row.program, memory, a, b, attributes, output)


@supported(_ISCLOSE.support)
def isclose(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor,
    *,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
    memory_config: MemoryConfig | None = None,
) -> Result:
    """1 where `abs(a - b) <= atol + rtol * abs(b)`, computed in float32, else 0; with `equal_nan`, NaN is close to NaN.

    Raises ArgumentError for dtypes that differ, unless they are float32 and bfloat16; else as `add`.
    """
    parameters = (_unary.number("isclose", "rtol", rtol), _unary.number("isclose", "atol", atol), float(bool(equal_nan)))
    attributes = attributes_of("isclose", memory_config=memory_config, parameters=parameters)
    return run(_ISCLOSE.program, memory, input_tensor_a, input_tensor_b, attributes)


@supported(_POW.support)
def pow(
    memory: MemoryState,
    input_tensor: Operand,
    exponent: Operand,
    *,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    activations: Activations = None,
    input_tensor_a_activations: Activations = None,
    input_tensor_b_activations: Activations = None,
) -> Result:
    """`input_tensor ** exponent`, rounded once; either may be a number. NaN for a negative number to a broken power.

    Raises:
        ArgumentError: dtypes differ or are no floats; shapes or options do not fit. NotModelledError: an activation is not modelled.
    """
    options = (dtype, activations, input_tensor_a_activations, input_tensor_b_activations)
    if type(exponent) is not Tensor and type(input_tensor) is Tensor and all(option is None for option in options):
        power = UnaryWithParam(UnaryOpType.POWER, _unary.number("pow", "exponent", exponent))
        return _unary.apply(memory, "pow", input_tensor, (power,), memory_config, output_tensor)
    attributes = attributes_of(
        "pow",
        dtype=dtype,
        memory_config=memory_config,
        output_tensor=output_tensor,
        activations=activations,
        input_tensor_a_activations=input_tensor_a_activations,
        input_tensor_b_activations=input_tensor_b_activations,
    )
    return run(_POW.program, memory, input_tensor, exponent, attributes, output_tensor)


@supported(_PRELU.support)
def prelu(
    memory: MemoryState,
    input_tensor_a: Tensor,
    weight: Tensor | float | Sequence[float],
    *,
    memory_config: MemoryConfig | None = None,
) -> Result:
    """`x`, or `weight * x` below 0. `weight` is a number, a sequence of one, or a tensor with one value for each index of axis 1.

    Raises ArgumentError if the weight has another number of values; else as `add`.
    """
    x = require_tensor("prelu", "input_tensor_a", input_tensor_a)
    attributes = attributes_of("prelu", memory_config=memory_config)
    if isinstance(weight, list | tuple):
        if len(weight) != 1:
            raise ArgumentError(
                f"prelu: `weight` as a sequence must have one number, got {len(weight)}; pass a tensor for more"
            )
        weight = weight[0]
    if type(weight) is not Tensor or len(x.shape) < 2:
        return run(_PRELU.program, memory, x, weight, attributes)
    values = 1
    for size in weight.shape:
        values *= size
    if values != x.shape[1]:
        raise ArgumentError(
            f"prelu: `weight` ({weight.spec}) has {values} values, but `input_tensor_a` ({x.spec}) {x.shape[1]} channels"
        )
    if len(x.shape) == 2:
        return run(_PRELU.program, memory, x, weight, attributes)
    with active_cache().all_or_nothing():
        memory, column = reshape(memory, weight, (1, x.shape[1], *(1,) * (len(x.shape) - 2)))
        memory, y = run(_PRELU.program, memory, x, column, attributes)
        return _without(memory, column, weight), y


def _without(memory: MemoryState, temporary: Tensor, *kept: Tensor) -> MemoryState:
    """`memory` without `temporary`, unless that is a view of a tensor that is kept."""
    return memory if any(temporary.buffer == x.buffer for x in kept) else free(memory, [temporary.buffer])


@supported(Support(NUMBERS))
def polyval(
    memory: MemoryState, input_tensor_a: Tensor, coeffs: Sequence[float], *, memory_config: MemoryConfig | None = None
) -> Result:
    """The polynomial with `coeffs`, the highest power first, by Horner's scheme: a `multiply` and an `add` for each power.

    Raises ArgumentError without coefficients; else as `multiply` and `add`.
    """
    x = require_tensor("polyval", "input_tensor_a", input_tensor_a)
    if not isinstance(coeffs, list | tuple) or not coeffs:
        raise ArgumentError(f"polyval: `coeffs` must be a list of at least one number, got {coeffs!r}")
    values = [_unary.number("polyval", "coeffs", value) for value in coeffs]
    if len(values) == 1:
        return filled.full_like(memory, x, values[0])
    with active_cache().all_or_nothing():
        memory, y = multiply(memory, x, values[0], memory_config=memory_config)
        for i, value in enumerate(values[1:], 1):
            memory, z = add(memory, y, value, memory_config=memory_config)
            memory, y = free(memory, [y.buffer]), z
            if i < len(values) - 1:
                memory, z = multiply(memory, x, y, memory_config=memory_config)
                memory, y = free(memory, [y.buffer]), z
    return memory, y


_OUTER = (bfloat16, bfloat8_b, float32, int32, uint32)


@supported(Support(_OUTER))
def outer(
    memory: MemoryState, input_tensor_a: Tensor, input_tensor_b: Tensor, *, memory_config: MemoryConfig | None = None
) -> Result:
    """The outer product of the last dimensions: `[..., n]` and `[..., m]` give `[..., n, m]`; the others broadcast.

    Two bare vectors of bfloat16 or bfloat8_b are multiplied by `matmul`, all else by `multiply`.

    Raises:
        ArgumentError: dtypes differ or are not among these, or a tensor has no dimension. NotModelledError: sharded tensors.
    """
    tensors = [
        require_tensor("outer", argument, x)
        for argument, x in (("input_tensor_a", input_tensor_a), ("input_tensor_b", input_tensor_b))
    ]
    a, b = tensors
    if a.dtype is not b.dtype or a.dtype not in _OUTER:
        names = ", ".join(dtype.kernel_name for dtype in _OUTER)
        raise ArgumentError(f"outer: both tensors must have one dtype of {names}; got {a.spec} and {b.spec}")
    if not a.shape or not b.shape:
        raise ArgumentError(f"outer: the tensors must have at least one dimension, got {a.spec} and {b.spec}")
    if a.memory_config.is_sharded() or b.memory_config.is_sharded():
        raise NotModelledError("outer: sharded tensors are not modelled; convert them with sharded_to_interleaved")
    vectors = all(size == 1 for x in tensors for size in x.shape[:-1])
    with active_cache().all_or_nothing():
        memory, column = unsqueeze(memory, a, -1)
        memory, row = unsqueeze(memory, b, -2)
        made = [column, row]
        if vectors and a.dtype in (bfloat16, bfloat8_b):
            memory, left = to_layout(memory, column, Layout.TILE)
            memory, right = to_layout(memory, row, Layout.TILE)
            made += [left, right]
            memory, y = matmul(memory, left, right, memory_config=memory_config)
        else:
            memory, y = multiply(memory, column, row, memory_config=memory_config)
        temporary = {x.buffer for x in made} - {a.buffer, b.buffer}
        return free(memory, list(temporary)), y
