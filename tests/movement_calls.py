"""Calls of the operations that move values, beside the same in NumPy: one row a call."""

import numpy as np

import tt_jax as tt
from tt_jax.ops import concat, copy, fill, pad, permute, repeat, reshape, tilize
from tt_jax.ops import slice as slices

SHAPE = (2, 3, 40, 70)
"""Of the one input: no dimension like another, and neither of the last two whole tiles."""
EVERYTHING = slice(None)


def integers(dtype, value):
    """`value` as a tensor of `dtype` holds it: cut for integers."""
    return value if dtype.is_float else int(value)


# Name, `operation(memory, x)`, the same of a NumPy array and a dtype.
MOVES = [
    ("reshape", lambda m, x: reshape.reshape(m, x, (6, -1)), lambda a, dtype: a.reshape(6, -1)),
    ("reshape_on_device", lambda m, x: reshape.reshape_on_device(m, x, 1, 2, -1, 7), lambda a, dtype: a.reshape(1, 2, -1, 7)),
    ("unsqueeze", lambda m, x: reshape.unsqueeze(m, x, -2), lambda a, dtype: a[:, :, :, None]),
    ("permute", lambda m, x: permute.permute(m, x, (2, 0, 3, 1)), lambda a, dtype: a.transpose(2, 0, 3, 1)),
    ("transpose", lambda m, x: permute.transpose(m, x, 1, -1), lambda a, dtype: a.swapaxes(1, 3)),
    ("slice", lambda m, x: slices.slice(m, x, [0, 1, 3, 5], [2, 3, 40, -1]), lambda a, dtype: a[:, 1:, 3:, 5:-1]),
    ("slice of tiles", lambda m, x: slices.slice(m, x, [1, 0, 32, 32], SHAPE), lambda a, dtype: a[1:, :, 32:, 32:]),
    ("narrow", lambda m, x: slices.narrow(m, x, -1, -30, 20), lambda a, dtype: a[..., 40:60]),
    ("getitem", lambda m, x: slices.getitem(m, x, (0, ..., None, slice(3, 9))), lambda a, dtype: a[0, ..., None, 3:9]),
    ("pad", lambda m, x: pad.pad(m, x, [(0, 1), (0, 5), (0, 3)], 1.5), lambda a, dtype: padded(a, dtype, 1.5)),
    ("pad to a shape", lambda m, x: pad.pad(m, x, (2, 4, 45, 73), (0, 0, 0, 0), -2), lambda a, dtype: padded(a, dtype, -2)),
    ("fill_implicit_tile_padding", lambda m, x: pad.fill_implicit_tile_padding(m, x, 3), lambda a, dtype: a),
    *(
        (f"concat {d}", lambda m, x, d=d: concat.concat(m, [x, x], d), lambda a, dtype, d=d: np.concatenate([a, a], d))
        for d in range(4)
    ),
    ("concat in groups", lambda m, x: concat.concat(m, [x, x], -1, groups=2), lambda a, dtype: interleaved(a)),
    *(
        (f"stack {d}", lambda m, x, d=d: concat.stack(m, [x, x], d), lambda a, dtype, d=d: np.stack([a, a], d))
        for d in (0, 2, -1)
    ),
    ("repeat", lambda m, x: repeat.repeat(m, x, (2, 1, 3)), lambda a, dtype: np.tile(a, (1, 2, 1, 3))),
    ("repeat to a new rank", lambda m, x: repeat.repeat(m, x, (2, 1, 1, 1, 1)), lambda a, dtype: np.tile(a, (2, 1, 1, 1, 1))),
    ("repeat_interleave", lambda m, x: repeat.repeat_interleave(m, x, 3, 2), lambda a, dtype: np.repeat(a, 3, 2)),
    ("expand", lambda m, x: repeat.expand(m, x, (4, -1, 3, 40, 70)), lambda a, dtype: np.broadcast_to(a, (4, *SHAPE))),
    ("roll", lambda m, x: repeat.roll(m, x, [1, -7], [0, 3]), lambda a, dtype: np.roll(a, (1, -7), (0, 3))),
    ("roll of all values", lambda m, x: repeat.roll(m, x, 75), lambda a, dtype: np.roll(a, 75)),
    ("tril", lambda m, x: fill.tril(m, x, -3), lambda a, dtype: np.tril(a, -3)),
    ("triu", lambda m, x: fill.triu(m, x, 2), lambda a, dtype: np.triu(a, 2)),
    ("clone", lambda m, x: copy.clone(m, x), lambda a, dtype: a),
    ("assign", lambda m, x: copy.assign(m, x, memory_config=tt.L1_MEMORY_CONFIG), lambda a, dtype: a),
]


def padded(a, dtype, value):
    return np.pad(a, [(0, 0), (0, 1), (0, 5), (0, 3)], constant_values=integers(dtype, value))


def interleaved(a):
    left, right = np.split(a, 2, -1)
    return np.concatenate([left, left, right, right], -1)


# Name, call, whether the input has TILE layout: they change the layout.
LAYOUTS = [
    ("tilize_with_zero_padding", lambda m, x: tilize.tilize_with_zero_padding(m, x), False),
    ("tilize_with_val_padding", lambda m, x: tilize.tilize_with_val_padding(m, x, (2, 3, 64, 96), 1.0), False),
    ("untilize", lambda m, x: tilize.untilize(m, x), True),
    ("untilize_with_unpadding", lambda m, x: tilize.untilize_with_unpadding(m, x, (1, 2, 39, 69)), True),
]
