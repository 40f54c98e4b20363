"""Wrong calls of the operations of two and three operands: what is said, and that nothing changes."""

import numpy as np
import pytest

import tt_jax as tt
from operation_calls import MEMORY, T, fails
from tt_jax.ops import bcast, binary, binary_parametric, bitwise, comparison, logical, loss, ternary

X, BATCH2, BATCH3, WHOLE, BYTES, BIAS = (T[name] for name in ("x", "batch2", "batch3", "integers", "bytes", "bias"))


def made(dtype, shape=(64, 64)):
    """A tensor without values that is not in MEMORY, and the memory with it."""
    import jax

    return tt.from_array(MEMORY, jax.ShapeDtypeStruct(shape, dtype.carrier), dtype=dtype, layout=tt.TILE_LAYOUT)


CALLS = [
    (lambda m: binary.add(m, X, T["wide"]), "do not broadcast"),
    (lambda m: comparison.lt(m, BATCH2, BATCH3), "do not broadcast"),
    (lambda m: ternary.where(m, X, X, T["wide"]), "do not broadcast"),
    (lambda m: binary.add(m, X, WHOLE), "Mixed dtype is not supported for binary operation add, got bfloat16 and int32"),
    (lambda m: binary.add(m, BYTES, BYTES), "uint8.*not supported for binary operation add, which takes"),
    (lambda m: binary.gcd(m, X, X), "not supported for binary operation gcd"),
    (lambda m: binary.logaddexp(m, WHOLE, WHOLE), "not supported for binary operation logaddexp"),
    (
        lambda m: binary.divide(m, X, X, fast_and_approximate_mode=True, rounding_mode="floor"),
        "cannot be used with rounding_mode",
    ),
    (lambda m: bitwise.bitwise_and(m, X, X), "not supported for binary operation bitwise_and"),
    (lambda m: binary_parametric.pow(m, WHOLE, WHOLE), "not supported for binary operation pow"),
    (lambda m: bitwise.bitwise_and(m, WHOLE, 0.5), "no integer of that width"),
    (lambda m: binary.add(m, WHOLE, 0.5), "0.5 cannot be combined with a int32 tensor"),
    (lambda m: binary.add(m, WHOLE, 2**31), "no integer of that width"),
    (lambda m: binary.maximum(m, WHOLE, float("nan")), "no integer of that width"),
    (lambda m: binary.add(m, 1.0, 2.0), "`input_tensor_a` must be a Tensor"),
    (lambda m: binary.maximum(m, 1.0, X), "`input_tensor_a` must be a Tensor"),
    (lambda m: binary.hypot(m, X, 1.0), "`input_tensor_b` must be a Tensor"),
    (lambda m: binary.add(m, X, "x"), "must be a Tensor or a number"),
    (lambda m: binary.add(m, X, np.ones(3)), "got an array of shape"),
    (lambda m: binary.add(m, X, X, fast_and_approximate_mode="yes"), "must be True or False"),
    (lambda m: binary.add(m, X, X, dtype="bfloat16"), "`dtype` must be a DataType"),
    (lambda m: binary.add(m, X, X, dtype=tt.float32, output_tensor=X), "`dtype` is .* leave one of them out"),
    (lambda m: binary.add(m, X, X, output_tensor=3), "`output_tensor` must be a Tensor"),
    (lambda m: binary.add(m, X, X, output_tensor=T["wide"]), "but the result is"),
    (lambda m: binary.add(m, X, X, activations=[3]), "an activation is a name"),
    (lambda m: binary.add(m, X, X, activations=3), "activations must be a sequence"),
    (lambda m: binary.divide(m, X, X, rounding_mode="ceil"), "`rounding_mode` must be None, 'trunc' or 'floor', got 'ceil'"),
    (lambda m: binary.divide(m, WHOLE, WHOLE, dtype=tt.int32), "integers give float32, not int32"),
    (lambda m: binary.divide_(m, WHOLE, WHOLE), "integers give float32"),
    (lambda m: binary.multiply_(m, WHOLE, 0.5), "becomes float32, which does not fit"),
    (lambda m: binary.add_(m, X, BATCH2), "the result .* does not fit into the first operand"),
    (lambda m: binary.add_(m, BIAS, X), "the result .* does not fit into the first operand"),
    (lambda m: binary.add_(m, T["rows"], X), "in TILE layout, which does not fit"),
    (lambda m: binary.add_(m, 1.0, X), "`input_tensor_a` must be a Tensor"),
    (lambda m: binary.add(m, T["rows"], T["rows"], dtype=tt.bfloat8_b), "layout must be TILE"),
    (lambda m: binary_parametric.addalpha(m, X, X, "x"), "`alpha` must be a number"),
    (lambda m: binary_parametric.isclose(m, X, X, rtol=None), "`rtol` must be a number"),
    (lambda m: binary_parametric.polyval(m, X, []), "at least one number"),
    (lambda m: binary_parametric.polyval(m, X, ["x"]), "`coeffs` must be a number"),
    (lambda m: binary_parametric.prelu(m, X, [1.0, 2.0]), "must have one number"),
    (lambda m: binary_parametric.prelu(m, T["heads"], BIAS), "64 values, but .* 3 channels"),
    (lambda m: binary_parametric.outer(m, X, WHOLE), "both tensors must have one dtype"),
    (lambda m: binary_parametric.outer(m, T["scalar"], X), "at least one dimension"),
    (lambda m: bcast.bcast(m, X, X, bcast.BcastOpMath.ADD, bcast.BcastOpDim.H), "must have size 1 there"),
    (lambda m: bcast.bcast(m, X, BIAS, "add", bcast.BcastOpDim.H), "`math_op` must be a BcastOpMath"),
    (lambda m: bcast.bcast(m, X, BIAS, bcast.BcastOpMath.ADD, "h"), "`dim` must be a BcastOpDim"),
    (lambda m: ternary.where(m, 1.0, X, X), "`predicate` must be a Tensor"),
    (lambda m: ternary.where(m, X, X, "x"), "`false_value` must be a number"),
    (lambda m: ternary.where(m, X, X, WHOLE), "`true_value` is bfloat16 and `false_value` int32"),
    (lambda m: ternary.where(m, X, BYTES, BYTES), "`true_value` must be one of"),
    (lambda m: ternary.where(m, WHOLE, 0.5, 1.5), "no integer of that width"),
    (lambda m: ternary.where(m, X, WHOLE, WHOLE, output_tensor=X), "do not fit into a bfloat16 output"),
    (lambda m: ternary.lerp(m, X, X, WHOLE), "do not mix"),
    (lambda m: ternary.mac(m, BYTES, BYTES, BYTES), "inputs must be one of"),
    (lambda m: ternary.addcdiv(m, WHOLE, WHOLE, WHOLE), "inputs must be one of"),
    (lambda m: ternary.addcmul(m, X, X, 2.0), "`input_c` must be a Tensor"),
    (lambda m: ternary.addcmul(m, X, X, X, value="x"), "`value` must be a number"),
    (lambda m: ternary.addcmul(m, WHOLE, WHOLE, WHOLE, value=0.5), "no integer of that width"),
    (lambda m: ternary.addcmul(m, WHOLE, WHOLE, WHOLE, output_tensor=X), "does not fit into a bfloat16 output"),
    (lambda m: loss.l1_loss(m, X, X, reduction="mean"), "`reduction` must be a LossReductionMode"),
    (lambda m: loss.mse_loss(m, WHOLE, WHOLE), "must be a float tensor"),
]


@pytest.mark.parametrize("call, text", CALLS, ids=[text.split(",")[0] for _, text in CALLS])
def test_wrong_calls(call, text):
    fails(call, tt.ArgumentError, text)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda m: binary.add(m, WHOLE, WHOLE, activations=["relu"]), "activations of integers"),
        (lambda m: binary.add(m, X, X, activations=["mystery"]), "'mystery' is not modelled"),
        (lambda m: binary.add(m, X, X, dtype=tt.int32), "a int32 result of floats is not modelled"),
    ],
)
def test_what_is_not_modelled(call, text):
    fails(call, tt.NotModelledError, text)


@pytest.mark.parametrize("function", [binary.multiply, logical.logical_and, binary_parametric.addalpha])
def test_operands_must_be_allocated(function):
    memory, x = made(tt.bfloat16)
    memory = tt.deallocate(memory, x)
    fails(lambda m: function(m, X, x), tt.DeallocatedError, "input 1 .* is not allocated", memory)


def test_a_failing_second_program_leaves_nothing():
    memory, x = made(tt.bfloat16)
    room = memory.view(tt.BufferType.L1).total_bytes_per_bank - 12_288  # what the first program keeps, a typecast
    memory, _ = memory.allocate(tt.BufferType.L1, room)
    fails(
        lambda m: binary.multiply(m, WHOLE, x, memory_config=tt.L1_MEMORY_CONFIG),
        tt.L1ClashError,
        "multiply: its program",
        memory,
    )
    fails(lambda m: binary.add(m, T["rows"], x, memory_config=tt.L1_MEMORY_CONFIG), tt.L1ClashError, "add: its program", memory)


def test_a_program_needs_room_for_its_buffers():
    view = MEMORY.view(tt.BufferType.L1)
    memory, _ = MEMORY.allocate(tt.BufferType.L1, view.total_bytes_per_bank - 1024)
    fails(lambda m: binary.add(m, X, X), tt.L1ClashError, "keeps 12,288 B of circular buffers", memory)
    fails(lambda m: binary.add(m, X, 1.0), tt.L1ClashError, "keeps 10,240 B", memory)
    assert binary.add(memory, T["rows"], T["rows"])[0] is not None  # not measured, so not known
