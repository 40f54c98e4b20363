"""Images scaled, folded, sampled and turned: against float64, by their laws, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_jax as tt
from oracles import images
from tt_jax.cores import num_cores_to_corerangeset
from tt_jax.memory.shard import ShardOrientation, ShardSpec
from tt_jax.ops.fold import fold
from tt_jax.ops.sampling import grid_sample, prepare_grid_sample_grid, rotate
from tt_jax.ops.upsample import upsample

EMPTY = tt.MemoryState.create(tt.N150)


def place(x, dtype=tt.bfloat16, memory=EMPTY, **options):
    return tt.from_array(memory, x, dtype=dtype, **options)


def held(x):
    return np.asarray(tt.to_array(x)).astype(np.float64)


def sharded(rows, width, cores=8):
    spec = ShardSpec(num_cores_to_corerangeset(cores, (8, 8), True), (rows, width), ShardOrientation.ROW_MAJOR)
    return tt.MemoryConfig(tt.TensorMemoryLayout.HEIGHT_SHARDED, tt.BufferType.L1, spec)


@pytest.mark.parametrize("scale", [2, (3, 1), (0.5, 2.5), (1.1, 0.75)])
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32, tt.bfloat8_b])
def test_nearest_repeats_pixels(rng, scale, dtype):
    memory, x = place(rng.standard_normal((2, 8, 6, 32)), dtype, layout=tt.TILE_LAYOUT)
    _, y = upsample(memory, x, scale)
    down, across = scale if isinstance(scale, tuple) else (scale, scale)
    rows = [int(i / down) for i in range(int(8 * down))]
    columns = [int(j / across) for j in range(int(6 * across))]
    assert y.spec == x.spec.replace(shape=(2, len(rows), len(columns), 32))
    np.testing.assert_array_equal(held(y), held(x)[:, rows][:, :, columns])


@pytest.mark.parametrize("scale", [(2, 2), (3, 4), (1, 5)])
def test_bilinear(rng, scale):
    memory, x = place(rng.standard_normal((1, 5, 4, 3)), tt.float32)
    _, y = upsample(memory, x, scale, mode="bilinear")
    rows, columns = (np.clip((np.arange(n * s) + 0.5) / s - 0.5, 0, n - 1) for n, s in zip((5, 4), scale, strict=True))
    place_of = np.broadcast_arrays(rows[None, :, None], columns[None, None, :])
    np.testing.assert_allclose(held(y), images.interpolate(held(x), *place_of), rtol=1e-5, atol=1e-6)


def test_bilinear_rounds_once(rng):
    memory, x = place(rng.uniform(1, 2, (1, 6, 6, 8)))
    _, y = upsample(memory, x, 2, mode="bilinear")
    _, wide = upsample(*place(held(x), tt.float32), 2, mode="bilinear")
    assert np.abs(held(y) / held(wide) - 1).max() <= 2.0**-8
    assert abs((held(y) / held(wide)).mean() - 1) <= 2.0**-11


def test_shards_grow_with_the_images():
    memory, x = place(np.zeros((1, 16, 16, 32)), memory_config=sharded(32, 32))
    _, y = upsample(memory, x, (2, 3))
    assert y.memory_config == sharded(192, 32)
    _, y = fold(memory, x, 2, 2)
    assert (y.memory_config, y.shape) == (sharded(8, 128), (1, 1, 64, 128))


def folded(x, down, across):
    n, h, w, c = x.shape
    blocks = [x[:, a::down, b::across] for a in range(down) for b in range(across)]
    return np.concatenate(blocks, -1)


@settings(max_examples=6)
@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from([0, 2, 4, 6]), st.booleans())
def test_fold_puts_blocks_into_channels(down, across, pads, in_l1):
    x = np.arange(2 * 6 * 12 * 3, dtype=np.float32).reshape(2, 6, 12, 3)
    padding = {0: (0, 0), 2: (3 * down, across), 4: (down, 0, 0, across), 6: (0, down, across, 0, 1, 2)}[pads]
    full = {0: [0] * 6, 2: [3 * down] * 2 + [across] * 2 + [0] * 2, 4: [*padding, 0, 0], 6: padding}[pads]
    config = tt.L1_MEMORY_CONFIG if in_l1 else tt.DRAM_MEMORY_CONFIG
    memory, tx = place(x, tt.float32, memory_config=config)
    _, y = fold(memory, tx, down, across, padding=padding)
    expected = folded(np.pad(x, ((0, 0), full[:2], full[2:4], full[4:])), down, across)
    assert y.shape == ((1, 1, expected[..., 0].size, expected.shape[3]) if in_l1 else expected.shape)
    assert y.memory_config == config
    np.testing.assert_array_equal(held(y).reshape(expected.shape), expected)


def test_fold_of_channels_first(rng):
    x = rng.integers(0, 99, (2, 3, 20, 28)).astype(np.float32)
    expected = folded(np.pad(x, ((0, 0), (0, 1), (3, 3), (2, 2))).transpose(0, 2, 3, 1), 2, 4)
    arguments = {"use_transpose_as_fold": True, "padding": (3, 3, 2, 2, 0, 1)}
    memory, tx = place(x)
    _, y = fold(memory, tx, 2, 4, **arguments)
    assert (y.shape, y.memory_config) == ((2, 16, 8, 32), tt.L1_MEMORY_CONFIG)
    np.testing.assert_array_equal(held(y)[:, :13], expected)
    np.testing.assert_array_equal(held(y)[:, 13:], 0)
    _, y = fold(memory, tx, 2, 4, **arguments, output_shape=(2, 13, 7, 32))
    np.testing.assert_array_equal(held(y), expected[:, :, :7])
    memory, tx = place(x, memory_config=sharded(15, 28))
    _, y = fold(memory, tx, 2, 4, **arguments, grid_size=num_cores_to_corerangeset(8, (8, 8), True))
    assert y.memory_config == sharded(26, 32)
    np.testing.assert_array_equal(held(y), expected)


def pixels(normalized, size, align):
    return (normalized + 1) / 2 * (size - 1) if align else ((normalized + 1) * size - 1) / 2


@pytest.mark.parametrize("align", [False, True])
def test_grid_sample(rng, align):
    memory, x = place(rng.standard_normal((2, 5, 7, 4)), tt.float32)
    memory, grid = place(rng.uniform(-1.3, 1.3, (2, 3, 4, 2)), tt.float32, memory)
    row, column = pixels(held(grid)[..., 1], 5, align), pixels(held(grid)[..., 0], 7, align)
    expected = images.interpolate(held(x), row, column)
    memory, y = grid_sample(memory, x, grid, align_corners=align)
    np.testing.assert_allclose(held(y), expected, atol=1e-5)

    memory, packed = prepare_grid_sample_grid(memory, grid, (2, 5, 7, 4), align_corners=align)
    assert (packed.shape, packed.dtype) == ((2, 3, 4, 6), tt.bfloat16)
    memory, y = grid_sample(memory, x, packed, use_precomputed_grid=True)
    assert np.linalg.norm(held(y) - expected) <= 2.0**-8 * np.linalg.norm(expected)

    memory, packed = prepare_grid_sample_grid(memory, grid, (2, 5, 7, 4), align_corners=align, mode="nearest")
    memory, y = grid_sample(memory, x, packed, use_precomputed_grid=True, mode="nearest")
    row, column = (np.floor(place + 0.5) for place in (row, column))
    np.testing.assert_array_equal(held(y), images.interpolate(held(x), row, column))


def test_identity_grid_gives_the_image(rng):
    memory, x = place(rng.standard_normal((1, 4, 8, 32)))
    rows, columns = (np.arange(4) + 0.5) / 2 - 1, (np.arange(8) + 0.5) / 4 - 1
    grid = np.stack(np.broadcast_arrays(columns[None, :], rows[:, None]), -1)[None]
    memory, tg = place(grid, memory=memory)
    _, y = grid_sample(memory, x, tg)
    np.testing.assert_array_equal(held(y), held(x))


def test_several_points_go_to_width_or_channels(rng):
    memory, x = place(rng.standard_normal((1, 5, 7, 4)))
    memory, grid = place(rng.uniform(-1, 1, (1, 3, 6, 2)), memory=memory)
    _, y = grid_sample(memory, x, grid)
    memory, pairs = place(held(grid).reshape(1, 3, 3, 4), memory=memory)
    _, wide = grid_sample(memory, x, pairs)
    np.testing.assert_array_equal(held(wide), held(y))
    _, deep = grid_sample(memory, x, pairs, batch_output_channels=True)
    np.testing.assert_array_equal(held(deep), held(y).reshape(1, 3, 3, 8))


def test_output_is_sharded_as_the_grid():
    memory, x = place(np.zeros((1, 4, 4, 32)))
    memory, grid = place(np.zeros((1, 8, 8, 4)), memory=memory, memory_config=sharded(8, 4))
    assert grid_sample(memory, x, grid)[1].memory_config == sharded(16, 32)
    assert grid_sample(memory, x, grid, batch_output_channels=True)[1].memory_config == sharded(8, 64)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("turns", [0, 1, 2, -1, 4])
def test_quarter_turns_are_exact(rng, mode, turns):
    memory, x = place(rng.standard_normal((2, 6, 6, 8)))
    _, y = rotate(memory, x, 90.0 * turns, interpolation_mode=mode)
    np.testing.assert_array_equal(held(y), np.rot90(held(x), turns, (1, 2)))


@pytest.mark.parametrize("center", [None, (2.0, 5.0)])
def test_rotation_about_a_center(rng, cache, center):
    """A pixel comes from where a turn backwards, clockwise, takes it; y points down."""
    memory, x = place(rng.standard_normal((1, 7, 8, 2)), tt.float32)
    for angle in (33.0, -120.0):
        memory, y = rotate(memory, x, angle, center=center, fill=0.5, interpolation_mode="bilinear")
        memory, near = rotate(memory, x, angle, center=center, fill=0.5)
        cx, cy = center or (3.5, 3.0)
        back = np.exp(-1j * np.deg2rad(angle))
        source = (np.arange(8)[None, :] - cx - 1j * (np.arange(7)[:, None] - cy)) * back
        row, column = (cy - source.imag)[None], (cx + source.real)[None]
        np.testing.assert_allclose(held(y), images.interpolate(held(x), row, column, 0.5), atol=1e-5)
        rounded = images.interpolate(held(x), np.floor(row + 0.5), np.floor(column + 0.5), 0.5)
        np.testing.assert_array_equal(held(near), rounded)
    assert cache.entries == 2  # one for each mode: the angle is no part of a program


def test_jit_equals_eager_and_nothing_is_computed_without_values(rng):
    images_, grid = rng.standard_normal((1, 6, 6, 8)), rng.uniform(-1, 1, (1, 4, 4, 2))

    def run(memory, x, grid):
        memory, a = upsample(memory, x, 2, mode="bilinear")
        memory, b = grid_sample(memory, x, grid)
        memory, c = rotate(memory, x, 10.0)
        return memory, (a, b, c, fold(memory, x, 2, 3)[1])

    memory, x = place(images_)
    memory, tg = place(grid, memory=memory)
    after, eager = run(memory, x, tg)
    jitted, compiled = jax.jit(run)(memory, x, tg)
    assert jitted == after
    memory, x = place(jax.ShapeDtypeStruct(images_.shape, jnp.bfloat16))
    memory, tg = place(jax.ShapeDtypeStruct(grid.shape, jnp.bfloat16), memory=memory)
    _, abstract = run(memory, x, tg)
    for y, z, a in zip(eager, compiled, abstract, strict=True):
        np.testing.assert_array_equal(held(y), held(z))
        assert y.spec == z.spec == a.spec
        assert isinstance(a.array, jax.ShapeDtypeStruct)


def _image(shape=(1, 4, 4, 8), dtype=tt.bfloat16, **options):
    return place(np.zeros(shape), dtype, **options)


def _grid_call(grid_shape=(1, 2, 2, 2), grid_dtype=tt.bfloat16, image=(1, 4, 4, 8), layout=tt.ROW_MAJOR_LAYOUT, **options):
    memory, x = _image(image, layout=layout)
    memory, grid = place(np.zeros(grid_shape), grid_dtype, memory)
    return grid_sample(memory, x, grid, **options)


BAD = {
    "scale": (lambda: upsample(*_image(), 0), "`scale_factor` must be a positive number"),
    "scales": (lambda: upsample(*_image(), (1, 2, 3)), "`scale_factor` must be a positive number, or two"),
    "no pixel left": (lambda: upsample(*_image(), 0.1), "leaves no pixel"),
    "mode": (lambda: upsample(*_image(), 2, mode="bicubic"), "`mode` must be 'nearest' or 'bilinear'"),
    "fraction": (lambda: upsample(*_image(), 1.5, mode="bilinear"), "needs integer scale factors"),
    "rank": (lambda: upsample(*_image((4, 4, 8)), 2), r"must have shape \[n, h, w, c\]"),
    "dtype": (lambda: upsample(*_image(dtype=tt.int32), 2), "must be one of"),
    "no tensor": (lambda: upsample(EMPTY, np.zeros((1, 4, 4, 8)), 2), "must be a Tensor"),
    "fold's stride": (lambda: fold(*_image(), 3, 1), "must be multiples of stride_h 3"),
    "fold's stride of 0": (lambda: fold(*_image(), 0, 1), "`stride_h` must be at least 1"),
    "fold's padding": (lambda: fold(*_image(), 1, 1, padding=(1, 1, 1)), "`padding` must be"),
    "fold's shape": (lambda: fold(*_image(), 1, 1, output_shape=(1, 4, 4, 8)), "use_transpose_as_fold=True"),
    "fold's large shape": (lambda: fold(*_image(), 1, 1, True, (1, 64, 4, 4)), "must fit in the folded shape"),
    "fold's grid": (lambda: fold(*_image(), 1, 1, grid_size=4), "`grid_size` must be a CoreRangeSet"),
    "fold's shards": (lambda: fold(*_image((1, 4, 4, 32), memory_config=sharded(2, 32)), 2, 2), "cut through blocks"),
    "grid": (lambda: _grid_call((1, 2, 2, 3)), "must be a multiple of 2"),
    "precomputed grid": (lambda: _grid_call((1, 2, 2, 2), use_precomputed_grid=True), "must be a multiple of 6"),
    "float32 patterns": (lambda: _grid_call((1, 2, 2, 6), tt.float32, use_precomputed_grid=True), "must be bfloat16"),
    "batch": (lambda: _grid_call((2, 2, 2, 2)), "same batch size"),
    "one point": (lambda: _grid_call(batch_output_channels=True), "needs several points"),
    "nearest": (lambda: _grid_call(mode="nearest"), "needs a precomputed grid"),
    "grid mode": (lambda: _grid_call(mode="bicubic"), "`mode` must be 'bilinear' or 'nearest'"),
    "border": (lambda: _grid_call(padding_mode="border"), "`padding_mode` must be 'zeros'"),
    "tiles": (lambda: _grid_call(layout=tt.TILE_LAYOUT), "must have ROW_MAJOR layout"),
    "input shape": (lambda: prepare_grid_sample_grid(*_image((1, 2, 2, 2)), (4, 4)), r"must be \(n, h, w, c\)"),
    "pairs": (lambda: prepare_grid_sample_grid(*_image((1, 2, 2, 4)), (1, 4, 4, 8)), r"must have shape \[n, gh, gw, 2\]"),
    "grid dtype": (
        lambda: prepare_grid_sample_grid(*_image((1, 2, 2, 2)), (1, 4, 4, 8), output_dtype=tt.float32),
        "are modelled",
    ),
    "expand": (lambda: rotate(*_image(), 10.0, expand=True), "expand=True is not supported"),
    "interpolation": (lambda: rotate(*_image(), 10.0, interpolation_mode="bicubic"), "`interpolation_mode` must be"),
    "angle": (lambda: rotate(*_image(), "x"), "`angle` and `fill` must be numbers"),
    "rotated tiles": (lambda: rotate(*_image(layout=tt.TILE_LAYOUT), 1.0), "must have ROW_MAJOR layout"),
    "rotated rank": (lambda: rotate(*_image((4, 4, 8)), 1.0), r"must have shape \[n, h, w, c\]"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_wrong_arguments(cache, call, message):
    with pytest.raises(tt.NotModelledError if "modelled" in message else tt.ArgumentError, match=message):
        call()
    assert cache.entries == 0
