"""Wrong input to every operation: an error that names the argument, what was expected and what came, and nothing changed."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from operation_calls import CALLS, L1, MEMORY, ROW_MAJOR, TILE, T, fails

TENSOR_ARGUMENTS = [(name, argument) for name, call in CALLS.items() for argument in call.tensors]


@pytest.mark.parametrize("name", CALLS)
def test_the_good_calls_are_good(name):
    after, _ = CALLS[name]()
    assert isinstance(after, tt.MemoryState)


@pytest.mark.parametrize("name, argument", TENSOR_ARGUMENTS)
@pytest.mark.parametrize("wrong", [np.ones((64, 64), np.float32), [1.0], "x"], ids=["array", "list", "string"])
def test_a_tensor_must_be_a_tensor(name, argument, wrong):
    fails(lambda memory: CALLS[name](memory, **{argument: wrong}), tt.ArgumentError, f"`{argument}` must be a Tensor.*, got ")


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "matmul"])
def test_nothing_is_no_operand(name):
    fails(
        lambda memory: CALLS[name](memory, input_tensor_b=None),
        tt.ArgumentError,
        "`input_tensor_b` must be a Tensor.*, got None",
    )


@pytest.mark.parametrize("name, argument", TENSOR_ARGUMENTS)
def test_a_tensor_must_be_allocated(name, argument):
    call = CALLS[name]
    memory, tensors = MEMORY, {}
    for other, x in call.tensors.items():
        values = jax.ShapeDtypeStruct(T[x].shape, T[x].dtype.carrier)
        memory, tensors[other] = tt.from_array(memory, values, dtype=T[x].dtype, layout=TILE)
    memory = tt.deallocate(memory, tensors[argument])
    place = f"(at|input .* at) {tensors[argument].address:,}.* is not allocated in"
    fails(lambda memory: call(memory, **tensors), tt.DeallocatedError, place, memory)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("attention_softmax_", "to_layout, a view")])
def test_l1_must_have_room(name):
    full, _ = MEMORY.allocate(tt.BufferType.L1, MEMORY.view(tt.BufferType.L1).total_bytes_per_bank)
    text = (
        r"on n150 cannot place .* in L1: .* of 1,393,312 B there, 0 are free.* Largest live buffers.*, which alone makes room"
    )
    fails(lambda memory: CALLS[name](memory, memory_config=L1), tt.OutOfMemoryError, text, full)


BINARY, MATMULS = ["add", "subtract", "multiply"], ["matmul", "linear"]

# Values of the wrong type, or out of range, for arguments that several operations have.
WRONG = [
    *((name, "memory_config", tt.BufferType.L1) for name in CALLS if "view" not in name and name != "attention_softmax_"),
    *((name, "dtype", jnp.bfloat16) for name in (*BINARY, *MATMULS, "typecast", "from_array", "preprocess_linear_weight")),
    *((name, "compute_kernel_config", tt.MathFidelity.HiFi4) for name in (*MATMULS, "softmax")),
    *((name, "core_grid", wrong) for name in MATMULS for wrong in ((8, 8), 8)),
]


@pytest.mark.parametrize("name, argument, wrong", WRONG)
def test_arguments_must_be_what_they_are(name, argument, wrong):
    fails(lambda memory: CALLS[name](memory, **{argument: wrong}), tt.ArgumentError, f"`{argument}`.*{re.escape(str(wrong))}")


SPLIT = "split_query_key_value_and_split_heads"

# Operation, what changes in its good call, the error's text.
CASES = [
    *((name, dict(input_tensor_b="wide"), r"shapes \(64, 64\) and \(64, 96\) do not broadcast") for name in BINARY),
    *((name, dict(input_tensor_b="batch3", input_tensor_a="batch2"), r"\(2, 64, 64\) and \(3, 64, 64\)") for name in BINARY),
    *((name, dict(input_tensor_b="integers"), "got bfloat16 and int32; typecast") for name in ("add", "subtract")),
    *((name, dict(input_tensor_a="bytes", input_tensor_b="bytes"), "`input_tensor_a`.* uint8 .*typecast") for name in BINARY),
    *((name, dict(input_tensor_b="bytes"), "`input_tensor_b`.* uint8 .*typecast") for name in BINARY),
    *(
        (name, dict(input_tensor_a="integers", input_tensor_b=0.5), "0.5 .* int32 .* no integer")
        for name in ("add", "subtract")
    ),
    *(
        (name, dict(input_tensor_a="integers", input_tensor_b=jnp.float32(2.5)), "2.5 .* int32 .* no integer")
        for name in ("add", "subtract")
    ),
    *((name, dict(input_tensor_a="integers", input_tensor_b=2**40), "1099511627776 .* int32") for name in BINARY),
    *((name, dict(input_tensor_b=jnp.ones(3)), r"`input_tensor_b` must be a Tensor or a number.*\(3,\)") for name in BINARY),
    *((name, dict(input_tensor_b=1j), "`input_tensor_b` must be a Tensor or a number") for name in BINARY),
    *((name, dict(input_tensor_a="rows", input_tensor_b="rows", dtype=tt.bfloat8_b), "TILE, not ROW_MAJOR") for name in BINARY),
    *((name, dict(input_tensor_a="wide"), r"\(64, 96\) has width 96, .* \(64, 64\) has height 64") for name in MATMULS),
    *((name, dict(input_tensor_b="wide", transpose_b=True), "has width 64, .* has height 96") for name in MATMULS),
    *(
        (name, dict(input_tensor_a="wide", transpose_a=True, input_tensor_b="wide", transpose_b=True), "64.*96")
        for name in MATMULS
    ),
    *(
        (name, dict(input_tensor_a="batch2", input_tensor_b="batch3"), r"batch dimensions \(2,\) and \(3,\)")
        for name in MATMULS
    ),
    *((name, dict(input_tensor_a="rows"), "`input_tensor_a` must have TILE layout.*ROW_MAJOR.*to_layout") for name in MATMULS),
    *((name, dict(input_tensor_b="rows"), "`input_tensor_b` must have TILE layout.*ROW_MAJOR.*to_layout") for name in MATMULS),
    *((name, dict(input_tensor_a="integers"), "`input_tensor_a` must be one of .*int32.*typecast") for name in MATMULS),
    *((name, dict(input_tensor_b="integers"), "`input_tensor_b` must be one of .*int32.*typecast") for name in MATMULS),
    *((name, dict(dtype=tt.int32), "`dtype` must be a float dtype, got int32") for name in MATMULS),
    *((name, dict(input_tensor_a="scalar"), "`input_tensor_a` must be a matrix.*scalar") for name in MATMULS),
    *((name, dict(input_tensor_b="scalar"), "`input_tensor_b` must be a matrix.*scalar") for name in MATMULS),
    *((name, dict(input_tensor_a="scalar", transpose_a=True), "`input_tensor_a` must be a matrix.*scalar") for name in MATMULS),
    *(
        (name, dict(bias=bias), rf"`bias` must have one row of 64 values.*got {shape}")
        for name in ("linear", "linear on a grid", "linear with transposes")
        for bias, shape in (("bias96", "1x96"), ("batch2", "2x64x64"), ("scalar", "scalar"))
    ),
    *((name, dict(bias="integer bias"), "int32.*typecast") for name in ("linear", "linear on a grid")),
    ("softmax", dict(dim=2), "`dim` 2 is out of range for rank 2: expected -2 to 1"),
    ("softmax", dict(dim=-3), "`dim` -3 is out of range"),
    ("softmax", dict(dim="last"), "dim.*'last'"),
    ("softmax", dict(input_tensor="scalar"), "rank 0"),
    (
        "softmax",
        dict(input_tensor="integers"),
        "`input_tensor` must be one of float32, bfloat16, bfloat8_b; got .*int32.*typecast",
    ),
    ("reshape", dict(shape=(64, 65)), r"\(64, 64\) has 4096 elements and cannot become \(64, 65\)"),
    ("reshape", dict(shape=(-1, -1)), r"\(-1, -1\); at most one dimension may be -1"),
    ("reshape", dict(shape=(-1, 65)), r"\(-1, 65\)"),
    ("reshape", dict(shape=(-2, 64)), r"\(-2, 64\)"),
    ("reshape", dict(shape=(0, 64)), r"\(0, 64\)"),
    ("reshape", dict(shape=(-1, 0)), r"\(-1, 0\)"),
    ("reshape", dict(shape=()), r"\(\)"),
    ("reshape", dict(shape=4096), "`shape`.*4096"),
    ("reshape", dict(shape=(64.5, 64)), "64.5"),
    ("reshape", dict(shape="ab"), "`shape`.*'ab'"),
    ("permute", dict(dims=(0,)), r"dims \(0,\) must name each of the 2 dimensions of \(64, 64\) once"),
    ("permute", dict(dims=(0, 1, 0)), r"dims \(0, 1, 0\) must name each"),
    ("permute", dict(dims=(0, 2)), "`dims` 2 is out of range for rank 2"),
    ("permute", dict(dims=1), "`dims`.*1"),
    ("transpose", dict(dim1=2), "`dim1` 2 is out of range for rank 2"),
    ("transpose", dict(dim2=-3), "`dim2` -3 is out of range for rank 2"),
    ("transpose", dict(dim2="last"), "dim.*'last'"),
    ("to_layout", dict(layout="TILE"), "`layout` must be a Layout such as tt.TILE_LAYOUT, got 'TILE'"),
    ("to_layout", dict(dtype=tt.float32), "gives bfloat16, not float32; use typecast"),
    ("to_layout", dict(layout=TILE, dtype=tt.float32), "has this layout already.*use typecast"),
    ("to_layout", dict(tensor="rows", layout=TILE, dtype="bfloat8_b"), "`dtype`.*'bfloat8_b'"),
    ("typecast", dict(dtype="float32"), "`dtype` must be a DataType such as tt.bfloat16, got 'float32'"),
    ("typecast", dict(input_tensor="rows", dtype=tt.bfloat4_b), "bfloat4_b .* TILE, not ROW_MAJOR"),
    (
        SPLIT,
        dict(input_tensor="x", kv_input_tensor=None),
        r"`input_tensor` must have shape \[batch, sequence, .*rank 3; got 64x64",
    ),
    (SPLIT, dict(kv_input_tensor="x"), "`kv_input_tensor` must have shape .*rank 3; got 64x64"),
    (SPLIT, dict(input_tensor="qkv rows", kv_input_tensor=None), "`input_tensor` must have TILE layout"),
    (SPLIT, dict(input_tensor="integer qkv", kv_input_tensor=None), "`input_tensor` must be one of .*int32"),
    (SPLIT, dict(kv_input_tensor="qkv"), r"`kv_input_tensor` must have shape \(2, 32, 128\) .*got \(2, 32, 192\)"),
    (SPLIT, dict(input_tensor="qkv", kv_input_tensor=None, num_heads=5, num_kv_heads=None), "width 192, which 5 query and 5"),
    (SPLIT, dict(input_tensor="qkv", kv_input_tensor=None, num_heads=4, num_kv_heads=None), "multiple of 32"),
    (SPLIT, dict(num_heads=0), r"`num_heads` must be at least 1, got 0"),
    (SPLIT, dict(num_kv_heads=-1), r"`num_kv_heads` must be at least 1, got -1"),
    (SPLIT, dict(num_heads="2"), "num_heads.*'2'"),
    ("concatenate_heads", dict(input_tensor="x"), r"`input_tensor` must have shape \[batch, heads, .*rank 4; got 64x64"),
    ("concatenate_heads", dict(input_tensor="heads24"), "has heads of 24, which must be a multiple of 32"),
    ("concatenate_heads", dict(input_tensor="integer heads"), "`input_tensor` must be one of .*int32"),
    ("concatenate_heads", dict(input_tensor="head rows"), "`input_tensor` must have TILE layout"),
    *(
        (name, changes, text)
        for name in ("attention_softmax", "attention_softmax_")
        for changes, text in (
            (dict(tensor="x"), "`input_tensor` must have shape .*rank 4; got 64x64"),
            (dict(tensor="integer heads"), "`input_tensor` must be one of .*int32"),
            (dict(attention_mask="x"), "`mask` must have shape .*rank 4; got 64x64"),
            (dict(attention_mask="mask of one"), r"mask must have shape .*got \(1, 1, 1, 64\)"),
            (dict(attention_mask="mask per head"), r"mask must have shape .*got \(2, 3, 1, 64\)"),
            (dict(head_size=-4), "`head_size`.*-4"),
            (dict(head_size="64"), "`head_size`.*'64'"),
        )
    ),
    ("attention_softmax", dict(attention_mask="mask96"), r"mask must have shape \(2, 1, 1 or 32, 64\) .*got \(2, 1, 1, 96\)"),
    ("attention_softmax", dict(attention_mask="mask of 16 rows"), r"mask must have shape .*got \(2, 1, 16, 64\)"),
    ("attention_softmax", dict(attention_mask="mask of 16 rows", causal_mask=True), r"got \(2, 1, 16, 64\)"),
    ("attention_softmax without mask", dict(head_size=-1), "`head_size`.*-1"),
    ("attention_softmax without mask", dict(tensor="integer heads"), "must be one of .*int32"),
    ("attention_softmax without mask", dict(tensor="head rows"), "must have TILE layout"),
    ("attention_softmax_", dict(tensor="head rows"), "`input_tensor` must have TILE layout"),
    ("attention_softmax_", dict(attention_mask="mask rows"), "a ROW_MAJOR mask must have shape .*or use TILE layout"),
    ("attention_softmax_", dict(attention_mask=None), "`attention_mask` is missing; without a mask use attention_softmax"),
    ("from_array", dict(array=np.ones(3)), "float64 has no TT-NN dtype of its own: pass dtype="),
    ("from_array", dict(array=np.ones(3, np.complex64)), "`array` must be an array of real numbers.*complex64"),
    ("from_array", dict(array="abc"), "`array`"),
    ("from_array", dict(array="x"), "`array`"),
    ("from_array", dict(layout="TILE"), "`layout`.*'TILE'"),
    ("from_array", dict(dtype=tt.bfloat8_b, layout=ROW_MAJOR), "bfloat8_b .* TILE, not ROW_MAJOR"),
    ("from_array", dict(array=np.float32(1), dtype=tt.bfloat8_b), "a scalar has none"),
    ("preprocess_linear_weight", dict(weight=np.ones(3, np.float32)), r"`weight` must have shape \[out, in\], got \(3,\)"),
    ("preprocess_linear_weight", dict(weight="abc"), "`weight`"),
    ("preprocess_linear_bias", dict(bias=np.ones((2, 3), np.float32)), r"`bias` must have shape \[out\], got \(2, 3\)"),
    ("preprocess_linear_bias", dict(bias=np.float32(1)), r"`bias` must have shape \[out\], got \(\)"),
    ("preprocess_linear_bias", dict(bias="abc"), "`bias`"),
]


@pytest.mark.parametrize("name, changes, text", CASES, ids=[f"{name}-{changes}" for name, changes, _ in CASES])
def test_wrong_input(name, changes, text):
    tensors = {argument: T[x] if isinstance(x, str) and x in T else x for argument, x in changes.items()}
    fails(lambda memory: CALLS[name](memory, **tensors), tt.ArgumentError, text)


@pytest.mark.parametrize("name", ["matmul", "linear on a grid"])
def test_activations_that_are_not_modelled(name):
    fails(
        lambda memory: CALLS[name](memory, activation="geluu"),
        NotImplementedError,
        "activation 'geluu' is not modelled; there are",
    )


def test_deallocate():
    fails(lambda memory: tt.deallocate(memory, T["x"], 3), tt.ArgumentError, "deallocate: `tensors` must be a Tensor, got int")
    fails(
        lambda memory: tt.deallocate(memory, T["x"], T["x"]),
        tt.DeallocatedError,
        "the DRAM buffer at 1,048,640 .* is not allocated",
    )
    freed = tt.deallocate(MEMORY, T["x"])
    fails(lambda memory: tt.deallocate(memory, T["bias"], T["x"]), tt.DeallocatedError, "not allocated", freed)


def test_to_array():
    with pytest.raises(tt.ArgumentError, match="to_array: `tensor` must be a Tensor, got ndarray"):
        tt.to_array(np.ones(3))


@pytest.mark.parametrize("operation", ["add", "matmul"])
def test_errors_come_through_jit_unchanged(operation):
    with pytest.raises(tt.ArgumentError, match=r"\(64, 64\).*\(32, 96\)"):
        jax.jit(getattr(tt, operation))(*_mismatched())


def _mismatched():
    memory, x = tt.from_array(tt.MemoryState.create(tt.N150), jnp.ones((64, 64), jnp.bfloat16), layout=TILE)
    memory, y = tt.from_array(memory, jnp.ones((32, 96), jnp.bfloat16), layout=TILE)
    return memory, x, y


@pytest.mark.parametrize("y, x", [(0, 4), (4, -1), (2.0, 2), ("2", 2)])
def test_a_core_grid_has_cores(y, x):
    with pytest.raises(tt.ArgumentError, match="at least one row and one column, got"):
        tt.CoreGrid(y=y, x=x)


@pytest.mark.parametrize("flag", ["fp32_dest_acc_en", "packer_l1_acc"])
def test_grayskull_has_no_wide_destination(flag):
    memory, x = tt.from_array(tt.MemoryState.create(tt.E150), jnp.ones((32, 32), jnp.bfloat16), layout=tt.TILE_LAYOUT)
    config = tt.ComputeKernelConfig(**{flag: True})
    for operation in (
        lambda: tt.matmul(memory, x, x, compute_kernel_config=config),
        lambda: tt.softmax(memory, x, compute_kernel_config=config),
    ):
        with pytest.raises(tt.ArgumentError, match="e150 has neither a 32-bit destination nor accumulation in L1"):
            operation()


@pytest.mark.parametrize(
    "name", ["add", "matmul", "softmax", "reshape", "to_layout", "concatenate_heads", "attention_softmax_"]
)
def test_the_memory_comes_first(name):
    with pytest.raises(
        tt.ArgumentError, match="the first argument must be the MemoryState, got Tensor; operations take the memory"
    ):
        CALLS[name](T["x"])


def test_deallocate_as_in_ttnn_is_an_error():
    with pytest.raises(tt.ArgumentError, match="deallocate: the first argument must be the MemoryState, got Tensor"):
        tt.deallocate(T["x"])
    with pytest.raises(tt.ArgumentError, match="`device` must be a DeviceProfile such as tt.N150"):
        tt.MemoryState.create("n150")


@pytest.mark.parametrize("wrong", [dict(math_fidelity="HiFi4"), dict(fp32_dest_acc_en=1)])
def test_a_compute_config_checks_itself(wrong):
    with pytest.raises(tt.ArgumentError, match="must be (a MathFidelity|True or False).*got"):
        tt.ComputeKernelConfig(**wrong)


@pytest.mark.parametrize("value", [np.int64(2**40), np.int64(-1), float("nan"), float("inf"), jnp.int32(-3)])
def test_numbers_that_an_integer_tensor_cannot_hold(value):
    memory, x = tt.from_array(tt.MemoryState.create(), np.ones((32, 32), np.uint16), layout=tt.TILE_LAYOUT)
    with pytest.raises(tt.ArgumentError, match="cannot be combined with a uint16 tensor: it is no integer of that width"):
        tt.add(memory, x, value)


@pytest.mark.parametrize("flag", [dict(transpose_a="no"), dict(transpose_b=1)])
def test_flags_are_true_or_false(flag):
    fails(lambda memory: CALLS["matmul"](memory, **flag), tt.ArgumentError, "`transpose_[ab]` must be True or False, got")


def test_no_activation_after_a_batch_of_weights_on_a_grid():
    memory, x = tt.from_array(
        tt.MemoryState.create(), np.ones((2, 64, 64), np.float32), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT
    )
    with pytest.raises(tt.ArgumentError, match="applies no activation where input_tensor_b is a batch"):
        tt.matmul(memory, x, x, activation="relu", core_grid=tt.CoreGrid(y=2, x=2))
