"""Wrong calls of the operations that move values: what is said, and nothing changed."""

import jax
import pytest

import tt_jax as tt
from operation_calls import DRAM, L1, MEMORY, ROW_MAJOR, TILE, T, fails
from tt_jax.ops import concat, copy, fill, gather, nonzero, pad, repeat, reshape, tilize
from tt_jax.ops import slice as slices


def put(memory, shape, dtype, layout):
    return tt.from_array(memory, jax.ShapeDtypeStruct(shape, dtype.carrier), dtype=dtype, layout=layout)


STATE, INDEX = put(MEMORY, (64, 64), tt.uint32, TILE)
STATE, SMALL = put(STATE, (3,), tt.int32, ROW_MAJOR)
STATE, BLOCK = put(STATE, (64, 64), tt.bfloat8_b, TILE)
X, WIDE, ROWS, INTEGERS, BATCH, SCALAR = (T[name] for name in ("x", "wide", "rows", "integers", "batch2", "scalar"))
ZERO, ALL = (0, 0), (64, 64)

# Operation, arguments, options, the error's text.
CASES = [
    (reshape.reshape, (X, (3, -1)), {}, r"\(64, 64\) has 4096 elements and cannot become \(3, -1\)"),
    (reshape.reshape, (X, (4096,), (4096,)), {}, "padded shape .* is not modelled"),
    (reshape.view, (X, (32, 128)), {}, "cannot be seen as .*use reshape"),
    (reshape.view, (X, (2, 64)), {}, "has 4096 elements"),
    (reshape.unsqueeze, (X, 3), {}, "`dim` 3 is out of range for rank 3"),
    (reshape.squeeze, (X, 2), {}, "`dim` 2 is out of range"),
    (reshape.squeeze, (X, "last"), {}, "`dim`.*last"),
    (reshape.squeeze_from_4D, (X, 2), {}, "must have rank 4 and leading ones to become rank 2"),
    (slices.slice, (X, ZERO, (64, 65)), {}, "0 to 65 is no range within dimension 1 of .*of size 64"),
    (slices.slice, (X, (5, 0), (4, 64)), {}, "5 to 4 is no range"),
    (slices.slice, (X, (-65, 0), ALL), {}, "-1 to 64 is no range"),
    (slices.slice, (X, (0,), ALL), {}, "`starts` has 1 entries for 2 dimensions"),
    (slices.slice, (X, ZERO, (64,)), {}, "`ends` has 1 entries"),
    (slices.slice, (X, ZERO, ALL, (1,)), {}, "`steps` has 1 entries"),
    (slices.slice, (X, ZERO, ALL, (1, 0)), {}, "step of dimension 1 is 0"),
    (slices.slice, (X, ZERO), {}, "`ends` must be a sequence of integers, got None"),
    (slices.slice, (X, SMALL, SMALL), {}, "`starts` is a tensor without values"),
    (slices.slice, (X, ZERO, ALL), dict(slice_dim=1, num_devices=2), "`slice_dim` and `num_devices` go together"),
    (slices.slice, (BLOCK, ZERO, ALL, (2, 1)), {}, "steps other than 1.*bfloat8_b.*typecast"),
    (slices.slice, (X, ZERO, (32, 64)), dict(output_tensor=WIDE), "`output_tensor` is 64x96 .* the result is 32x64"),
    (slices.slice, (X, ZERO, (32, 64)), dict(output_tensor=WIDE, memory_config=L1), "is not that of the output tensor"),
    (slices.narrow, (X, 0, 60, 5), {}, "60 to 65 is no range"),
    (slices.narrow, (X, 0, 0, -1), {}, "`length` must be at least 0"),
    (slices.split, (X, [10, 10]), {}, r"`split_size` \[10, 10\] must be parts of the dimension's size, 64"),
    (slices.split, (X, 0), {}, "`split_size` must be at least 1"),
    (slices.chunk, (X, 0), {}, "`chunks` must be at least 1"),
    (slices.getitem, (X, (0, 0, 0)), {}, "too many indices"),
    (slices.getitem, (X, (..., ...)), {}, "too many indices"),
    (slices.getitem, (X, 64), {}, "`index` 64 is out of range"),
    (slices.getitem, (X, slice(None, None, -1)), {}, "step -1 is not supported"),
    (slices.getitem, (X, "rows"), {}, "'rows' is no index"),
    (pad.pad, (X, [(1, 0), (0, 0)]), {}, "padding in front of .* TILE layout"),
    (pad.pad, (X, [(0, -1), (0, 0)]), {}, "not negative"),
    (pad.pad, (X, [(0, 1)] * 3), {}, "3 entries for 2 dimensions"),
    (pad.pad, (X, [(0, 1), (0, 1, 2)]), {}, r"must be \(before, after\)"),
    (pad.pad, (X, (64, 32), (0, 0), 1.0), {}, r"does not fit into \(64, 32\)"),
    (pad.pad, (X, (64, 32, 1), (0, 0), 1.0), {}, "one entry for each dimension"),
    (pad.pad, (X,), {}, "either `padding` and `value`"),
    (pad.pad, (X, [(0, 1)], 1.0, 2.0), {}, "either `padding` and `value`"),
    (pad.pad, (X, [(0, 1)], "one"), {}, "`value` must be an array of real numbers"),
    (pad.fill_implicit_tile_padding, (ROWS, 1.0), {}, "TILE layout"),
    (concat.concat, ([],), {}, "`tensors` must be a list of one or more tensors"),
    (concat.concat, ([X, WIDE], 0), {}, "differ in a dimension other than 0"),
    (concat.concat, ([X, BATCH], 0), {}, "differ in a dimension other than 0"),
    (concat.concat, ([X, INTEGERS], 0), {}, "differ in dtype; typecast"),
    (concat.concat, ([X, X], 2), {}, "`dim` 2 is out of range"),
    (concat.concat, ([X, X], 0), dict(groups=3), "cannot be cut into 3 groups"),
    (concat.concat, ([X, "x"], 0), {}, "must be a Tensor"),
    (concat.stack, ([X, WIDE], 0), {}, "differ in shape"),
    (concat.stack, ([X, X], 3), {}, "`dim` 3 is out of range"),
    (repeat.repeat, (X, (1, -1)), {}, "`repeat_dims` must be at least 0"),
    (repeat.repeat, (X,), {}, "`repeat_dims` must be a sequence"),
    (repeat.repeat_interleave, (X, 0), {}, "`repeats` must be at least 1"),
    (repeat.expand, (X, (64, 128)), {}, "only dimensions of one can grow"),
    (repeat.expand, (X, (64,)), {}, "only dimensions of one can grow"),
    (repeat.expand, (X, (-1, 64, 64)), {}, "only dimensions of one can grow"),
    (repeat.roll, (X, (1, 2), 0), {}, "2 shifts for 1 dims"),
    (repeat.roll, (X, (1, 2)), {}, "2 shifts for no dims"),
    (tilize.tilize, (X,), {}, "must have ROW_MAJOR layout"),
    (tilize.tilize, (SMALL,), {}, "not whole tiles"),
    (tilize.tilize, (ROWS,), dict(dtype=tt.int32), "cannot become int32 on the way"),
    (tilize.tilize_with_val_padding, (ROWS, (64, 96), 0.0), {}, "is not modelled"),
    (tilize.tilize_with_zero_padding, (X,), {}, "must have ROW_MAJOR layout"),
    (tilize.untilize, (ROWS,), {}, "must have TILE layout"),
    (tilize.untilize_with_unpadding, (X, (63, 64)), {}, "does not lie within the padded shape"),
    (tilize.untilize_with_unpadding, (X, (63,)), {}, "does not lie within the padded shape"),
    (copy.copy, (X, WIDE), {}, "shape and layout must be the same"),
    (copy.copy, (X, ROWS), {}, "shape and layout must be the same"),
    (copy.copy, (X, INTEGERS), {}, "cannot become int32 on the way"),
    (copy.clone, (ROWS,), dict(dtype=tt.float32), "floats in TILE layout can"),
    (copy.assign, (X,), dict(memory_config=DRAM, output_tensor=WIDE), "`output_tensor` is 64x96"),
    (gather.gather, (X, 0, ROWS), {}, "`index` must have TILE layout"),
    (gather.gather, (X, 0, INTEGERS), {}, "`index` must be one of uint16, uint32"),
    (gather.gather, (WIDE, 1, SMALL), {}, "must have TILE layout"),
    (gather.gather, (SCALAR, 0, INDEX), {}, "out of range for rank 0"),
    (gather.gather, (X, 0, INDEX), dict(sparse_grad=True), "`sparse_grad` is not modelled"),
    (gather.gather, (X, 0, INDEX), dict(out=X), "`out` is modelled along the last dimension only"),
    (gather.gather, (BATCH, 2, INDEX), {}, "must lie within `input`"),
    (gather.scatter, (X, 0, INDEX, INTEGERS), {}, "must have the dtype of `input`"),
    (gather.scatter, (X, 0, X, X), {}, "`index` must be one of"),
    (gather.scatter, (BLOCK, 0, INDEX, BLOCK), {}, "`input` must be one of"),
    (gather.scatter, (X, 0, INDEX, X), dict(reduce="mean"), "`reduce` must be one of add, multiply, amin, amax or None"),
    (gather.scatter, (BATCH, 0, INDEX, BATCH), {}, "must lie within `input`"),
    (gather.scatter, (ROWS, 0, INDEX, ROWS), dict(output_tensor=ROWS), "along the last dimension only"),
    (fill.index_fill, (X, 0, SMALL, 1.0), {}, "ROW_MAJOR layout and `index` one dimension"),
    (fill.index_fill, (ROWS, 0, INTEGERS, 1.0), {}, "`index` one dimension"),
    (fill.index_fill, (ROWS, 0, X, 1.0), {}, "`index` must be one of int32"),
    (fill.indexed_fill, (SMALL, X, WIDE), {}, "must differ in dimension 0 only"),
    (fill.indexed_fill, (SMALL, X, X), {}, r"must have shape \(1, 1, 1, 64\)"),
    (fill.tril, (SMALL,), {}, "at least two dimensions"),
    (fill.triu, (X, 0.5), {}, "`diagonal` must be an integer"),
    (fill.plus_one, (X,), {}, "must be one of uint32, int32, uint16"),
    (fill.fill_rm, (1, 1, 32, 32, 33, 1, X, 1.0, 0.0), {}, "33 x 1 values do not fit into 32 x 32"),
    (fill.fill_ones_rm, (1, 1, 0, 32, 0, 1, X), {}, "`H` must be at least 1"),
    (tt.typecast, (X, tt.float32, tt.bfloat16), {}, "input dtype is .*FLOAT32, but the tensor is 64x64 bfloat16"),
]


@pytest.mark.parametrize(
    "operation, arguments, options, text", CASES, ids=[f"{c[0].__name__}-{i}" for i, c in enumerate(CASES)]
)
def test_wrong_input(operation, arguments, options, text):
    fails(lambda memory: operation(memory, *arguments, **options), (tt.ArgumentError, tt.NotModelledError), text, STATE)


def test_a_rank_above_what_an_operation_takes():
    memory, deep = put(MEMORY, (1, 1, 1, 2, 2), tt.bfloat16, TILE)
    fails(lambda m: reshape.unsqueeze_to_4D(m, deep), tt.ArgumentError, "has rank 5 already", memory)
    fails(lambda m: nonzero.nonzero(m, deep), tt.ArgumentError, "rank 4 at most", memory)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: slices.slice(m, x, (1, 0), (64, 64)),
        lambda m, x: slices.slice(m, x, (0, 0), (64, 64)),
        lambda m, x: pad.pad(m, x, [(0, 0)]),
        lambda m, x: concat.concat(m, [x]),
        lambda m, x: concat.stack(m, [x, x], 1),
        lambda m, x: repeat.repeat(m, x, (2, 1)),
        lambda m, x: reshape.squeeze(m, x),
        lambda m, x: reshape.view(m, x, (2, 32, 64)),
        lambda m, x: copy.clone(m, x),
        lambda m, x: copy.move(m, x),
        lambda m, x: gather.gather(m, x, 0, INDEX),
        lambda m, x: nonzero.nonzero(m, x),
    ],
)
def test_a_tensor_must_be_allocated(call):
    memory, x = put(STATE, (64, 64), tt.bfloat16, TILE)
    fails(lambda m: call(m, x), tt.DeallocatedError, "is not allocated|not live|is allocated", tt.deallocate(memory, x))


def test_a_composite_that_runs_out_of_memory_leaves_nothing():
    full, _ = STATE.allocate(tt.BufferType.L1, STATE.view(tt.BufferType.L1).total_bytes_per_bank - 2048)
    text = "untilize: its program keeps 8,192 B"
    fails(lambda m: slices.slice(m, WIDE, (1, 0), (64, 96), memory_config=L1), tt.L1ClashError, text, full)
