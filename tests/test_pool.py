"""Poolings: against float64 windows, by their laws, and what they take and give back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tt_jax as tt
from oracles import images
from tt_jax.conv_configs import Op2DSliceConfig
from tt_jax.cores import num_cores_to_corerangeset
from tt_jax.memory.shard import ShardOrientation, ShardSpec
from tt_jax.ops.adaptive_pool import adaptive_avg_pool2d, adaptive_max_pool2d
from tt_jax.ops.pool import avg_pool2d, global_avg_pool2d, max_pool2d

EMPTY = tt.MemoryState.create(tt.N150)


def place(x, dtype=tt.float32, **options):
    return tt.from_array(EMPTY, x, dtype=dtype, **options)


def values(y, like):
    return np.asarray(tt.to_array(y)).reshape(like.shape)


def torch_count(size, kernel, stride, padding, dilation=1):
    """Windows in ceil mode: as many as start in the image or before it."""
    starts = [i * stride - padding[0] for i in range(size + sum(padding)) if i * stride - padding[0] < size]
    reach = dilation * (kernel - 1) + 1
    needed = [start for start in starts if start + reach <= size + padding[1] or start - stride + reach < size + padding[1]]
    return len(needed)


def oracle(x, window, fill, ceil=False):
    count = None
    if ceil:
        dilation = window.get("dilation", (1, 1))
        count = [
            torch_count(x.shape[1 + i], window["kernel"][i], window["stride"][i], window["padding"][i], dilation[i])
            for i in range(2)
        ]
    return images.windows(x, **window, fill=fill, count=count)


window = st.fixed_dictionaries(
    {
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "stride": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "padding": st.tuples(st.tuples(*[st.integers(0, 2)] * 2), st.tuples(*[st.integers(0, 2)] * 2)),
        "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
    }
)


def fits(window, shape):
    """Padding of at most half of each window, and windows no larger than the image."""
    reach = [d * (k - 1) + 1 for d, k in zip(window["dilation"], window["kernel"], strict=True)]
    return all(max(window["padding"][i]) <= reach[i] // 2 and reach[i] <= shape[1 + i] for i in range(2))


def arguments(x, window, dilation=True):
    given = [*x.shape, window["kernel"], window["stride"], (*window["padding"][0], *window["padding"][1])]
    return [*given, window["dilation"]] if dilation else given


@settings(max_examples=8)
@given(window, st.booleans(), st.integers(0, 2**32 - 1))
def test_maxima_and_their_places(window, ceil, seed):
    x = np.random.default_rng(seed).integers(-9, 9, (2, 8, 7, 3)).astype(np.float32)  # many are equal
    assume(fits(window, x.shape))
    seen = oracle(x, window, -np.inf, ceil)
    memory, tx = place(x)
    _, (y, indices) = max_pool2d(memory, tx, *arguments(x, window), ceil, return_indices=True, dtype=tt.float32)
    assert y.shape == indices.shape == (1, 1, seen[..., 0, :].size // 3, 3)
    assert indices.dtype is tt.uint16
    np.testing.assert_array_equal(values(y, seen[..., 0, :]), seen.max(-2))
    numbers = np.broadcast_to(np.arange(56.0).reshape(1, 8, 7, 1), x.shape)
    first = np.take_along_axis(oracle(numbers, window, 0, ceil), seen.argmax(-2)[..., None, :], -2)[..., 0, :]
    np.testing.assert_array_equal(values(indices, first), first)


@settings(max_examples=12)
@given(window, st.booleans(), st.booleans(), st.sampled_from([None, 5]), st.integers(0, 2**32 - 1))
def test_means(window, ceil, with_padding, divisor, seed):
    x = np.random.default_rng(seed).standard_normal((2, 8, 7, 3)).astype(np.float32)
    window = window | {"dilation": (1, 1)}
    assume(fits(window, x.shape))
    total = oracle(x, window, 0.0, ceil).sum(-2)
    # What counts: the image and, if asked for, the padding; not what the last windows see beyond it.
    if with_padding:
        counted = np.pad(np.ones_like(x), ((0, 0), *window["padding"], (0, 0)))
        counted[:] = 1
        inner = window | {"padding": ((0, 0), (0, 0))}
        count = images.windows(counted, **inner, count=total.shape[1:3]).sum(-2)
    else:
        count = oracle(np.ones_like(x), window, 0.0, ceil).sum(-2)
    memory, tx = place(x)
    _, y = avg_pool2d(memory, tx, *arguments(x, window, False), ceil, with_padding, divisor, dtype=tt.float32)
    np.testing.assert_allclose(values(y, total), total / (divisor or count), rtol=1e-5, atol=1e-6)


def test_rounding_is_one(rng):
    x = rng.standard_normal((1, 9, 9, 32)).astype(np.float32)
    memory, tx = place(x, tt.bfloat16)
    x = np.asarray(tt.to_array(tx)).astype(np.float64)
    expected = images.windows(x, (3, 3), (1, 1), ((0, 0), (0, 0))).mean(-2)
    _, y = avg_pool2d(memory, tx, *x.shape, (3, 3), (1, 1), (0, 0))
    assert np.abs(values(y, expected) / expected - 1).max() <= 2.0**-8
    assert (y.dtype, y.layout) == (tt.bfloat16, tt.ROW_MAJOR_LAYOUT)


@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.bfloat8_b, tt.float32])
def test_maxima_are_exact(rng, dtype):
    x = rng.standard_normal((1, 6, 6, 32)).astype(np.float32)
    memory, tx = place(x, dtype, layout=tt.TILE_LAYOUT)
    _, y = max_pool2d(memory, tx, *x.shape, (2, 2), (2, 2), (0, 0), dtype=tt.float32)
    held = np.asarray(tt.to_array(tx)).astype(np.float64)
    np.testing.assert_array_equal(
        values(y, np.empty((1, 3, 3, 32))), images.windows(held, (2, 2), (2, 2), ((0, 0), (0, 0))).max(-2)
    )


def test_large_images_have_wide_indices(rng):
    x = rng.standard_normal((1, 2, 2**15, 1)).astype(np.float32)
    memory, tx = place(x)
    _, (_, indices) = max_pool2d(memory, tx, *x.shape, (2, 1), (1, 1), (0, 0), return_indices=True)
    assert indices.dtype is tt.uint32
    np.testing.assert_array_equal(values(indices, x[0, 0]), x[0].argmax(0) * 2**15 + np.arange(2**15)[:, None])


@pytest.mark.parametrize("shape", [(2, 70, 3, 8), (70, 3, 8), (70, 3)])
def test_global_mean(rng, shape):
    x = rng.standard_normal(shape)
    memory, tx = place(x, tt.bfloat16, layout=tt.TILE_LAYOUT)
    image = np.asarray(tt.to_array(tx)).astype(np.float64).reshape({2: (1, 70, 3, 1), 3: (1, 70, 3, 8), 4: shape}[len(shape)])
    expected = image.mean((1, 2), keepdims=True)
    _, y = global_avg_pool2d(memory, tx, dtype=tt.float32)
    assert (y.shape, y.layout) == (expected.shape, tt.TILE_LAYOUT)
    np.testing.assert_allclose(tt.to_array(y), expected, rtol=1e-5, atol=1e-6)
    _, y = global_avg_pool2d(memory, tx)
    assert y.dtype is tt.bfloat16


@pytest.mark.parametrize("counts", [(1, 1), (7, 5), (28, 20), (3, 3), (9, 7)])
def test_adaptive_windows_cut_the_image_evenly(rng, counts):
    x = rng.standard_normal((2, 28, 20, 4)).astype(np.float32)
    memory, tx = place(x)
    cuts = [
        [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        for size, count in zip((28, 20), counts, strict=True)
    ]
    for pool, reduce in ((adaptive_max_pool2d, np.max), (adaptive_avg_pool2d, np.mean)):
        expected = np.stack([np.stack([reduce(x[:, a, b], axis=(1, 2)) for b in cuts[1]], 1) for a in cuts[0]], 1)
        _, y = pool(memory, tx, *x.shape, counts, dtype=tt.float32)
        np.testing.assert_allclose(values(y, expected), expected, rtol=1e-5, atol=1e-6)


def test_input_is_freed_if_asked_for(cache):
    memory, tx = place(np.zeros((1, 1, 64, 8)))
    after, y = max_pool2d(memory, tx, 1, 8, 8, 8, (2, 2), (2, 2), (0, 0), deallocate_input=True)
    assert tt.deallocate(after, y) == EMPTY
    assert cache.entries == 1


def test_output_stays_on_the_cores_of_a_sharded_input():
    spec = ShardSpec(num_cores_to_corerangeset(8, (8, 8), True), (32, 32), ShardOrientation.ROW_MAJOR)
    config = tt.MemoryConfig(tt.TensorMemoryLayout.HEIGHT_SHARDED, tt.BufferType.L1, spec)
    memory, tx = place(np.zeros((1, 1, 256, 32)), tt.bfloat16, memory_config=config)
    memory, y = max_pool2d(memory, tx, 1, 16, 16, 32, (2, 2), (2, 2), (0, 0))
    assert y.memory_config.shard_spec == ShardSpec(spec.grid, (8, 32), spec.orientation)
    memory, y = max_pool2d(memory, tx, 1, 16, 16, 32, (2, 2), (2, 2), (0, 0), memory_config=tt.L1_MEMORY_CONFIG)
    assert y.memory_config == tt.L1_MEMORY_CONFIG


def test_jit_equals_eager_and_nothing_is_computed_without_values(rng):
    x = rng.standard_normal((1, 6, 6, 8))
    memory, tx = place(x, tt.bfloat16)

    def run(memory, x):
        return avg_pool2d(memory, x, 1, 6, 6, 8, (3, 3), (2, 2), (1, 1))

    after, y = run(memory, tx)
    jitted, z = jax.jit(run)(memory, tx)
    assert (jitted, z.spec) == (after, y.spec)
    np.testing.assert_array_equal(tt.to_array(y), tt.to_array(z))
    _, abstract = run(*tt.from_array(EMPTY, jax.ShapeDtypeStruct(x.shape, jnp.bfloat16)))
    assert isinstance(abstract.array, jax.ShapeDtypeStruct)
    assert abstract.spec == y.spec


def test_gradient_goes_to_the_maximum():
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    memory, tx = place(x)

    def loss(array):
        _, y = max_pool2d(memory, tt.Tensor(array, tx.spec, tx.buffer), 1, 4, 4, 1, (2, 2), (2, 2), (0, 0), dtype=tt.float32)
        return y.array.sum()

    expected = np.zeros((4, 4))
    expected[1::2, 1::2] = 1
    np.testing.assert_array_equal(jax.grad(loss)(tx.array)[0, :, :, 0], expected)


BAD = {
    "pixels": ({"input_h": 9}, "must hold 1 images of 9x8 pixels and 8 channels"),
    "channels": ({"channels": 4}, "and 4 channels"),
    "kernel": ({"kernel_size": (0, 1)}, "`kernel_size` must be two integers"),
    "stride": ({"stride": (1, 2, 3)}, "`stride` must be two integers"),
    "padding": ({"padding": (2, 2)}, r"`padding` \(2, 2\) must be at most half of the window's height, 2"),
    "five paddings": ({"padding": (0, 0, 0, 0, 0)}, "`padding` must be"),
    "window": ({"kernel_size": (9, 9)}, "does not fit in an image of 8x8"),
    "dtype": ({"dtype": tt.uint16}, "`dtype` must be a float dtype"),
    "row-major block float": ({"dtype": tt.bfloat8_b}, "its layout must be TILE"),
    "layout": ({"output_layout": 1}, "`layout` must be"),
    "slices": ({"dram_slice_config": 4}, "`dram_slice_config` must be an Op2DSliceConfig"),
    "scheme": ({"applied_shard_scheme": tt.TensorMemoryLayout.INTERLEAVED}, "`applied_shard_scheme` must be"),
    "flag": ({"ceil_mode": 1}, "`ceil_mode` must be True or False"),
}


@pytest.mark.parametrize("change, message", BAD.values(), ids=BAD)
def test_wrong_arguments(cache, change, message):
    memory, tx = place(np.zeros((1, 8, 8, 8)))
    good = {
        "batch_size": 1,
        "input_h": 8,
        "input_w": 8,
        "channels": 8,
        "kernel_size": (2, 2),
        "stride": (2, 2),
        "padding": (0, 0),
        "dram_slice_config": Op2DSliceConfig(num_slices=2),
    }
    for pool in (max_pool2d, avg_pool2d):
        pool(memory, tx, **good)
        with pytest.raises(tt.ArgumentError, match=message):
            pool(memory, tx, **{**good, **change})
    assert cache.entries == 2


def test_wrong_tensors_and_sizes():
    memory, tx = place(np.zeros((1, 6, 6, 8)))
    _, integers = place(np.zeros((1, 6, 6, 8)), tt.int32)
    with pytest.raises(tt.ArgumentError, match="`input_tensor` must be one of"):
        max_pool2d(memory, integers, 1, 6, 6, 8, (2, 2), (2, 2), (0, 0))
    with pytest.raises(tt.ArgumentError, match="`input_tensor` must be a Tensor"):
        max_pool2d(memory, tx.array, 1, 6, 6, 8, (2, 2), (2, 2), (0, 0))
    with pytest.raises(tt.ArgumentError, match=r"`input_tensor` must have shape \[n, h, w, c\]"):
        global_avg_pool2d(*place(np.zeros(4)))
    with pytest.raises(tt.ArgumentError, match="`divisor_override` must be at least 1"):
        avg_pool2d(memory, tx, 1, 6, 6, 8, (2, 2), (2, 2), (0, 0), divisor_override=0)
    for pool in (adaptive_max_pool2d, adaptive_avg_pool2d):
        with pytest.raises(tt.ArgumentError, match="do not produce uniform pooling behavior"):
            pool(memory, tx, 1, 6, 6, 8, (4, 4))
        with pytest.raises(tt.ArgumentError, match="`output_size` must be two integers"):
            pool(memory, tx, 1, 6, 6, 8, (0, 4))
