"""The softmax family as operations: in place, masked, tilized first; and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from oracles import engine
from patterns import assert_same_bits
from recordings import DEVICE, values
from tt_jax.normalization_configs import SoftmaxDefaultProgramConfig, SoftmaxShardedMultiCoreProgramConfig
from tt_jax.ops import softmax as family

TILE, ROW_MAJOR = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
IN_PLACE = [family.scale_mask_softmax_in_place, family.scale_causal_mask_hw_dims_softmax_in_place]


class Board:
    def __init__(self):
        self.memory = tt.MemoryState.create(tt.N150)

    def put(self, array, dtype=tt.bfloat16, layout=TILE):
        self.memory, x = tt.from_array(self.memory, array, dtype=dtype, layout=layout)
        return x


@pytest.fixture
def board():
    return Board()


def test_masked_softmax_equals_the_device(board):
    recorded = np.load(DEVICE / "composite.npz")
    x, mask = board.put(values(recorded["sm_x"])), board.put(values(recorded["mask"]))
    expected = values(recorded["attention_softmax_"])
    for operation in (family.scale_mask_softmax, family.scale_mask_softmax_in_place):
        _, y = operation(board.memory, x, 32**-0.5, mask, numeric_stable=True)
        np.testing.assert_array_equal(values(y.array), expected)
        assert (y.buffer is x.buffer) == (operation is family.scale_mask_softmax_in_place)


def test_in_place_is_the_same(rng, board):
    x = board.put(rng.normal(size=(2, 3, 33, 64)).astype(np.float32))
    _, y = family.softmax(board.memory, x)
    for program in (None, SoftmaxDefaultProgramConfig()):
        after, z = family.softmax_in_place(board.memory, x, program_config=program)
        assert after == board.memory
        assert z.buffer is x.buffer
        assert_same_bits(z.array, y.array)
    _, z = family.scale_mask_softmax_in_place(board.memory, x, numeric_stable=True)
    assert_same_bits(z.array, y.array)


def test_row_major_input_is_tilized_first(rng, board, cache):
    array = rng.normal(size=(2, 1, 5, 40)).astype(np.float32)
    tiles, rows = board.put(array), board.put(array, layout=ROW_MAJOR)
    mask, mask_rows = (board.put(np.zeros((2, 1, 1, 40), np.float32), layout=layout) for layout in (TILE, ROW_MAJOR))
    before = board.memory
    _, y = family.softmax(before, tiles)
    after, z = family.softmax(before, rows)
    assert (z.layout, cache.entries) == (TILE, 3 - 1)  # one softmax of tiles, and a tilize
    assert_same_bits(y.array, z.array)
    assert after.deallocate(z.buffer) == before
    after, z = family.scale_mask_softmax(before, rows, 1.0, mask_rows)
    _, y = family.scale_mask_softmax(before, tiles, 1.0, mask)
    assert_same_bits(y.array, z.array)
    assert after.deallocate(z.buffer) == before


@pytest.mark.parametrize("shape", [(2, 1, 40, 64), (2, 1, 1, 64)])
def test_causal_masks(rng, board, shape):
    x = rng.normal(size=(2, 3, 40, 64)).astype(np.float32)
    mask = np.where(rng.random(shape) < 0.3, -1e4, 0).astype(np.float32)
    t, m = board.put(x), board.put(mask)
    _, y = family.scale_mask_softmax(board.memory, t, 0.5, m, is_causal_mask=True)
    assert engine.relative_error(values(y.array), engine.softmax(values(t.array) * np.float64(0.5) + mask)) < 0.03
    _, z = family.scale_mask_softmax_in_place(board.memory, t, 0.5, m, is_causal_mask=True, numeric_stable=True)
    assert_same_bits(y.array, z.array)


def test_one_causal_mask_for_all(rng, board):
    x = rng.normal(size=(2, 3, 32, 32)).astype(np.float32)
    mask = np.triu(np.full((1, 1, 32, 32), -1e4, np.float32), 1)
    t, m = board.put(x), board.put(mask)
    _, y = family.scale_causal_mask_hw_dims_softmax_in_place(board.memory, t, 1.0, m)
    assert not np.triu(values(y.array)[0, 0], 1).any()
    assert engine.relative_error(values(y.array), engine.softmax(values(t.array) + np.float64(mask))) < 0.03


def test_a_mask_in_rows_of_32(rng, board):
    row = rng.normal(size=(2, 1, 1, 64)).astype(np.float32)
    x = board.put(rng.normal(size=(2, 3, 8, 64)).astype(np.float32))
    tiles, rows = board.put(row), board.put(row.reshape(2, 1, 2, 32), layout=ROW_MAJOR)
    _, y = family.scale_mask_softmax_in_place(board.memory, x, 1.0, tiles)
    _, z = family.scale_mask_softmax_in_place(board.memory, x, 1.0, rows)
    assert_same_bits(y.array, z.array)


def test_masks_of_other_shapes_are_read_tile_by_tile(rng, board):
    """Scores 64 wide, masks 96 wide: the second batch reads the last tile of the first batch's mask, then the first of its own."""
    x = board.put(rng.normal(size=(2, 1, 8, 64)).astype(np.float32))
    wide = rng.normal(size=(2, 1, 1, 96)).astype(np.float32)
    read = np.concatenate([wide[0, 0, 0], wide[1, 0, 0]])[:128].reshape(2, 1, 1, 64)
    narrow = np.zeros((2, 1, 1, 32), np.float32)
    wide_mask, read_mask, narrow_mask = (board.put(mask) for mask in (wide, read, narrow))
    _, y = family.scale_mask_softmax_in_place(board.memory, x, 1.0, wide_mask)
    _, z = family.scale_mask_softmax_in_place(board.memory, x, 1.0, read_mask)
    assert_same_bits(y.array, z.array)
    # One tile for two tiles of columns: what lies beyond is not known.
    _, y = family.scale_mask_softmax_in_place(board.memory, x, 1.0, narrow_mask)
    assert np.isnan(values(y.array)).all()


def test_an_integer_mask_counts_as_its_numbers(board):
    x = board.put(np.zeros((1, 1, 4, 32), np.float32))
    mask = np.zeros((1, 1, 1, 32), np.int32)
    mask[..., :16] = -100
    integers = board.put(mask, tt.int32)
    _, y = family.scale_mask_softmax(board.memory, x, 1.0, integers)
    np.testing.assert_allclose(values(y.array)[..., 16:], 1 / 16, rtol=2.0**-8)
    assert not values(y.array)[..., :16].any()


def test_a_full_l1_leaves_no_room_for_the_program(board):
    region = board.memory.view(tt.BufferType.L1).total_bytes_per_bank
    x = board.put(jax.ShapeDtypeStruct((1, 1, 64, 64), jnp.bfloat16))
    full, _ = board.memory.allocate(tt.BufferType.L1, region - 16384)
    with pytest.raises(tt.L1ClashError, match="softmax"):
        family.softmax(full, x)


BAD = [  # operation, input, arguments (names of tensors as strings), text
    (family.softmax, "x", {"dim": 4}, "out of range"),
    (family.softmax, "integers", {}, "`input_tensor` must be one of"),
    (family.softmax, "integer rows", {}, "`input_tensor` must be one of"),
    (family.softmax, "x", {"numeric_stable": 1}, "`numeric_stable` must be True or False"),
    (family.softmax_in_place, "rows", {}, "must have TILE layout"),
    (family.softmax_in_place, "x", {"program_config": 1}, "`program_config` must be"),
    *((operation, "x", {"scale": 1.0}, "a `scale` needs a `mask`") for operation in (*IN_PLACE, family.scale_mask_softmax)),
    (family.scale_mask_softmax, "x", {"scale": "x", "mask": "mask"}, "`scale` must be a number"),
    (family.scale_mask_softmax, "rank 3", {"mask": "mask"}, "rank 4"),
    (family.scale_mask_softmax, "x", {"mask": "wide"}, "the mask must have shape"),
    (family.scale_mask_softmax, "x", {"mask": "per head"}, "the mask must have shape"),
    (family.scale_mask_softmax, "x", {"mask": "per query"}, "the mask must have shape"),
    (family.scale_mask_softmax, "x", {"mask": "wide", "is_causal_mask": True}, "the mask must have shape"),
    (family.scale_mask_softmax_in_place, "x", {"mask": "per head"}, "the mask must have shape"),
    (family.scale_mask_softmax_in_place, "x", {"mask": "mask rows"}, "a ROW_MAJOR mask must have shape"),
    (family.scale_mask_softmax_in_place, "rows", {"mask": "mask"}, "must have TILE layout"),
    (family.scale_causal_mask_hw_dims_softmax_in_place, "x", {"mask": "mask"}, "the mask must have shape"),
]


@pytest.mark.parametrize("operation, name, arguments, text", BAD)
def test_bad_calls(board, operation, name, arguments, text, cache):
    kinds = {
        "x": ((2, 3, 64, 64), tt.bfloat16, TILE),
        "rows": ((2, 3, 64, 64), tt.bfloat16, ROW_MAJOR),
        "rank 3": ((2, 64, 64), tt.bfloat16, TILE),
        "integers": ((2, 3, 64, 64), tt.int32, TILE),
        "integer rows": ((2, 3, 64, 64), tt.int32, ROW_MAJOR),
        "mask": ((2, 1, 1, 64), tt.bfloat16, TILE),
        "mask rows": ((2, 1, 1, 64), tt.bfloat16, ROW_MAJOR),
        "wide": ((2, 1, 1, 96), tt.bfloat16, TILE),
        "per head": ((2, 3, 1, 64), tt.bfloat16, TILE),
        "per query": ((2, 1, 64, 64), tt.bfloat16, TILE),
    }
    tensors = {key: board.put(jax.ShapeDtypeStruct(s, d.carrier), d, layout) for key, (s, d, layout) in kinds.items()}
    named = {key: tensors[value] if key == "mask" else value for key, value in arguments.items()}
    with pytest.raises(tt.ArgumentError, match=text):
        operation(board.memory, tensors[name], **named)
    assert cache.entries == 0


def test_configs_can_be_changed_and_compared():
    fields = {"compute_with_storage_grid_size": (8, 8), "subblock_w": 1, "block_h": 2, "block_w": 3}
    config = SoftmaxShardedMultiCoreProgramConfig(**fields)
    assert config == SoftmaxShardedMultiCoreProgramConfig(**fields)
    config.block_w = 4
    assert config != SoftmaxShardedMultiCoreProgramConfig(**fields)
    with pytest.raises(tt.ArgumentError, match="`block_h` must be a whole number"):
        SoftmaxShardedMultiCoreProgramConfig(**fields | {"block_h": 0})


@pytest.mark.parametrize("shape, dim", [((2, 64, 32), -2), ((3, 32, 32), 0), ((1, 2, 2, 32, 64), -1)])
def test_the_exponential_of_the_general_program_is_accurate(rng, board, shape, dim):
    x = board.put(rng.random(shape, np.float32))
    _, y = tt.softmax(board.memory, x, dim)
    exact = np.exp(np.asarray(x.array, np.float64))
    exact /= exact.sum(dim, keepdims=True)
    errors = np.asarray(y.array, np.float64) / exact - 1
    assert np.abs(errors).max() < 0.02
    assert np.abs(errors.mean()) < 0.004
