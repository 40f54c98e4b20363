"""Convolutions: against float64, by their laws, and what they take and give back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_jax as tt
from oracles import engine, images
from tt_jax.activations import UnaryOpType, UnaryWithParam
from tt_jax.conv_configs import (
    Conv2dConfig,
    Conv2dL1FullSliceConfig,
    Conv2dSliceConfig,
    PaddingMode,
    SliceType,
    get_conv_output_dim,
)
from tt_jax.ops.conv import conv1d, conv2d, conv_transpose2d
from tt_jax.ops.conv_weights import (
    prepare_conv_bias,
    prepare_conv_transpose2d_bias,
    prepare_conv_transpose2d_weights,
    prepare_conv_weights,
)
from tt_jax.tensor import Tensor

EMPTY = tt.MemoryState.create(tt.N150)
EXACT = tt.ComputeKernelConfig(tt.MathFidelity.HiFi4, fp32_dest_acc_en=True)
PADS = ((1, 2), (0, 1))


def integers(rng, shape, limit=8):
    return rng.integers(-limit, limit + 1, shape).astype(np.float32)


def place(*arrays, memory=EMPTY, dtype=tt.bfloat16, **options):
    """The arrays on a device, after its memory."""
    tensors = []
    for array in arrays:
        memory, tensor = tt.from_array(memory, array, dtype=dtype, **options)
        tensors.append(tensor)
    return memory, *tensors


def sizes(x, weights, groups=1, transposed=False):
    """The arguments that name the shapes of images `[n, h, w, c]` and torch's weights."""
    outputs = weights.shape[1] * groups if transposed else weights.shape[0]
    return {
        "in_channels": x.shape[3],
        "out_channels": outputs,
        "batch_size": x.shape[0],
        "input_height": x.shape[1],
        "input_width": x.shape[2],
        "kernel_size": weights.shape[2:],
        "groups": groups,
    }


def flat(padding):
    return (*padding[0], *padding[1])


def values(y, like):
    return np.asarray(tt.to_array(y)).astype(np.float64).reshape(like.shape)


def assert_near(y, expected, error):
    """Relative Frobenius error, and no bias."""
    actual = values(y, expected)
    assert np.linalg.norm(actual - expected) <= error * np.linalg.norm(expected)
    assert abs((actual * expected).sum() / (expected**2).sum() - 1) <= error


geometry = st.fixed_dictionaries(
    {
        "kernel": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "padding": st.tuples(st.tuples(*[st.integers(0, 2)] * 2), st.tuples(*[st.integers(0, 2)] * 2)),
        "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
        "groups": st.sampled_from([1, 2, 4]),
    }
)


@settings(max_examples=6)
@given(geometry, st.integers(0, 2**32 - 1))
def test_small_integers_convolve_exactly(shape, seed):
    rng, groups = np.random.default_rng(seed), shape["groups"]
    x, weights = integers(rng, (2, 6, 7, 4)), integers(rng, (8, 4 // groups, *shape["kernel"]))
    bias = integers(rng, (1, 1, 1, 8))
    memory, *tensors = place(x, weights, bias)
    _, (y, size) = conv2d(
        memory,
        *tensors[:2],
        bias_tensor=tensors[2],
        **sizes(x, weights, groups),
        stride=shape["stride"],
        padding=flat(shape["padding"]),
        dilation=shape["dilation"],
        dtype=tt.float32,
        compute_config=EXACT,
        return_output_dim=True,
    )
    expected = images.conv2d(x, weights, shape["stride"], shape["padding"], shape["dilation"], groups) + bias.reshape(-1)
    assert size == expected.shape[1:3]
    assert y.shape == (1, 1, np.prod(expected.shape[:3]), 8)
    np.testing.assert_array_equal(values(y, expected), expected)


@settings(max_examples=6)
@given(geometry, st.integers(0, 1), st.booleans(), st.integers(0, 2**32 - 1))
def test_small_integers_convolve_transposed_exactly(shape, extra, mirror, seed):
    rng, groups = np.random.default_rng(seed), shape["groups"]
    x, weights = integers(rng, (2, 4, 5, 4)), integers(rng, (4, 8 // groups, *shape["kernel"]))
    output_padding = tuple(min(extra, max(s, d) - 1) for s, d in zip(shape["stride"], shape["dilation"], strict=True))
    memory, tx, tw = place(x, weights if mirror else weights[:, :, ::-1, ::-1])
    try:
        _, (y, size) = conv_transpose2d(
            memory,
            tx,
            tw,
            **sizes(x, weights, groups, transposed=True),
            stride=shape["stride"],
            padding=flat(shape["padding"]),
            output_padding=output_padding,
            dilation=shape["dilation"],
            mirror_kernel=mirror,
            dtype=tt.float32,
            compute_config=EXACT,
            return_output_dim=True,
        )
    except tt.ArgumentError as error:
        assert "does not fit" in str(error)
        return
    expected = images.conv_transpose2d(x, weights, shape["stride"], shape["padding"], output_padding, shape["dilation"], groups)
    assert size == expected.shape[1:3]
    np.testing.assert_array_equal(values(y, expected), expected)


def test_transposed_convolution_is_the_adjoint(rng):
    x, weights = integers(rng, (1, 7, 6, 4)), integers(rng, (8, 4, 3, 3))
    memory, tx, tw = place(x, weights)
    options = {"stride": (2, 1), "padding": (1, 1), "dtype": tt.float32, "compute_config": EXACT}
    memory, (y, size) = conv2d(memory, tx, tw, **sizes(x, weights), **options, return_output_dim=True)
    z = integers(rng, (1, *size, 8))
    memory, tz = place(z, memory=memory)
    _, back = conv_transpose2d(memory, tz, tw, **sizes(z, weights, transposed=True), **options)
    assert (values(y, z) * z).sum() == (values(back, x) * x).sum()


@pytest.mark.parametrize("fidelity", list(tt.MathFidelity))
def test_operands_are_those_of_a_matmul(rng, fidelity):
    """The weights are the first register's, as a matmul's second operand; float32 sums."""
    x, weights = rng.standard_normal((1, 6, 6, 16)), rng.standard_normal((8, 16, 3, 3))
    memory, tx, tw = place(x, weights)
    _, y = conv2d(
        memory,
        tx,
        tw,
        **sizes(x, weights),
        padding=flat(PADS),
        dtype=tt.float32,
        compute_config=tt.ComputeKernelConfig(fidelity, fp32_dest_acc_en=True),
    )
    x, weights = (np.asarray(tt.to_array(t)).astype(np.float64) for t in (tx, tw))
    expected = images.conv2d(
        x, weights, (1, 1), PADS, (1, 1), product=lambda patches, matrix: engine.matmul(patches, matrix, fidelity.name)
    )
    assert_near(y, expected, 1e-6)


@pytest.mark.parametrize(
    "dtype, weights_dtype, error",
    [(tt.bfloat16, None, 2.0**-8), (tt.bfloat16, tt.bfloat8_b, 2.0**-6), (tt.bfloat8_b, tt.bfloat8_b, 2.0**-5)],
)
def test_rounding_of_weights_and_output(rng, dtype, weights_dtype, error):
    x, weights, bias = (
        rng.standard_normal((2, 5, 6, 32)),
        rng.standard_normal((48, 32, 3, 3)),
        rng.standard_normal((1, 1, 1, 48)),
    )
    memory, tx, tw, tb = place(x, weights, bias)
    config = Conv2dConfig(weights_dtype=weights_dtype)
    _, y = conv2d(memory, tx, tw, bias_tensor=tb, **sizes(x, weights), padding=(1, 1), dtype=dtype, conv_config=config)
    assert y.dtype is dtype
    assert y.layout is tt.TILE_LAYOUT
    assert_near(y, images.conv2d(x, weights, (1, 1), ((1, 1), (1, 1)), (1, 1)) + bias.reshape(-1), error)


def test_default_compute_config_is_the_documented_one(rng):
    """HiFi4; a 32-bit Dst, which keeps what a 16-bit one drops, for float32 alone."""
    x, weights = rng.standard_normal((1, 4, 4, 8)), rng.standard_normal((8, 8, 1, 1))
    for dtype, wide in ((tt.float32, True), (tt.bfloat16, False)):
        memory, tx, tw = place(x, weights, dtype=dtype)
        config = tt.ComputeKernelConfig(tt.MathFidelity.HiFi4, fp32_dest_acc_en=wide)
        _, y = conv2d(memory, tx, tw, **sizes(x, weights), dtype=tt.float32)
        _, z = conv2d(memory, tx, tw, **sizes(x, weights), dtype=tt.float32, compute_config=config)
        np.testing.assert_array_equal(tt.to_array(y), tt.to_array(z))
        rounded = np.asarray(tt.to_array(y)).view(np.uint32) & 0xFFFF
        assert (rounded != 0).any() == wide


def test_replicated_edges(rng):
    x, weights = integers(rng, (1, 5, 4, 3)), integers(rng, (2, 3, 3, 3))
    memory, tx, tw = place(x, weights)
    config = Conv2dConfig(padding_mode=PaddingMode.Replicate)
    _, y = conv2d(
        memory, tx, tw, **sizes(x, weights), padding=flat(PADS), conv_config=config, dtype=tt.float32, compute_config=EXACT
    )
    padded = np.pad(x, ((0, 0), *PADS, (0, 0)), mode="edge")
    expected = images.conv2d(padded, weights, (1, 1), ((0, 0), (0, 0)), (1, 1))
    np.testing.assert_array_equal(values(y, expected), expected)


@pytest.mark.parametrize("activation", ["relu", UnaryOpType.RELU, UnaryWithParam(UnaryOpType.RELU)])
def test_activation_comes_last(rng, activation):
    x, weights, bias = integers(rng, (1, 4, 4, 8)), integers(rng, (8, 8, 1, 1)), integers(rng, (8,), 100)
    memory, tx, tw, tb = place(x, weights, bias)
    config = Conv2dConfig(activation=activation)
    _, y = conv2d(
        memory, tx, tw, bias_tensor=tb, **sizes(x, weights), conv_config=config, dtype=tt.float32, compute_config=EXACT
    )
    expected = np.maximum(images.conv2d(x, weights, (1, 1), ((0, 0), (0, 0)), (1, 1)) + bias, 0)
    np.testing.assert_array_equal(values(y, expected), expected)


@pytest.mark.parametrize("shape", ["[out, in, k]", "[out, in, 1, k]", "[out, in, k, 1]"])
def test_conv1d_is_a_row(rng, shape):
    x, weights = integers(rng, (2, 9, 4)), integers(rng, (6, 2, 3))
    stored = {"[out, in, k]": weights, "[out, in, 1, k]": weights[:, :, None], "[out, in, k, 1]": weights[..., None]}[shape]
    memory, tx, tw = place(x, stored)
    options = {
        "in_channels": 4,
        "out_channels": 6,
        "batch_size": 2,
        "input_length": 9,
        "kernel_size": 3,
        "stride": 2,
        "padding": (2, 1),
        "groups": 2,
        "dtype": tt.float32,
        "compute_config": EXACT,
    }
    memory, (y, length, (w, b)) = conv1d(memory, tx, tw, **options, return_output_dim=True, return_weights_and_bias=True)
    expected = images.conv2d(x[:, None], weights[:, :, None], (1, 2), ((0, 0), (2, 1)), (1, 1), 2)
    assert (length, b) == (expected.shape[2], None)
    np.testing.assert_array_equal(values(y, expected), expected)
    _, z = conv1d(memory, tx, w, **options)
    np.testing.assert_array_equal(values(z, expected), expected)


def preparation(x, weights, groups=1, transposed=False, **options):
    return {
        "input_memory_config": tt.DRAM_MEMORY_CONFIG,
        "input_layout": tt.ROW_MAJOR_LAYOUT,
        **sizes(x, weights, groups, transposed),
        "stride": (1, 1),
        "padding": (0, 0),
        "dilation": (1, 1),
        "input_dtype": tt.bfloat16,
    } | options


def test_weights_are_a_matrix_rounded_by_the_host(rng):
    """A row per tap and input channel; 16 neighbouring output channels share an exponent."""
    x, weights = np.zeros((1, 4, 4, 8)), rng.standard_normal((32, 8, 3, 2)) * 10.0 ** rng.integers(-2, 3, (32, 1, 1, 1))
    memory, tw = place(weights, dtype=tt.float32)
    config = Conv2dConfig(weights_dtype=tt.bfloat8_b)
    memory, w = prepare_conv_weights(
        memory, weight_tensor=tw, weights_format="OIHW", has_bias=False, **preparation(x, weights, conv_config=config)
    )
    matrix = np.stack([weights[:, i, a, b] for a in range(3) for b in range(2) for i in range(8)])
    _, expected = place(matrix[None, None], dtype=tt.bfloat8_b)
    assert w.spec == expected.spec
    np.testing.assert_array_equal(tt.to_array(w), tt.to_array(expected))


def test_groups_do_not_share_exponents(rng):
    """In the device's matrix, which has zeros between groups, each channel of a depthwise convolution has its own exponent."""
    x, weights = np.zeros((1, 4, 4, 32)), rng.standard_normal((32, 1, 3, 3)) * 100.0 ** rng.integers(-5, 5, (32, 1, 1, 1))
    memory, tw = place(weights, dtype=tt.float32)
    config = Conv2dConfig(weights_dtype=tt.bfloat8_b)
    options = preparation(x, weights, groups=32, conv_config=config)
    _, w = prepare_conv_weights(memory, weight_tensor=tw, weights_format="OIHW", has_bias=False, **options)
    matrix = weights.reshape(32, 9).T
    assert np.abs(values(w, matrix) / matrix - 1).max() <= 2.0**-7


@pytest.mark.parametrize("transposed", [False, True])
def test_what_is_prepared_can_be_used_again(rng, cache, transposed):
    x, weights, bias = (rng.standard_normal(shape) for shape in ((1, 5, 6, 8), (8, 4, 3, 3), (1, 1, 1, 8)))
    memory, tx, tw, tb = place(x, weights, bias)
    convolve = conv_transpose2d if transposed else conv2d
    config = Conv2dConfig(weights_dtype=tt.bfloat8_b)
    options = {**sizes(x, weights, 2, transposed), "conv_config": config}
    memory, (y, (w, b)) = convolve(memory, tx, tw, bias_tensor=tb, **options, return_weights_and_bias=True)
    memory, (z, size, again) = convolve(
        memory, tx, w, bias_tensor=b, **options, return_output_dim=True, return_weights_and_bias=True
    )
    assert (again[0] is w, again[1] is b) == (True, True)
    assert size == ((7, 8) if transposed else (3, 4))
    np.testing.assert_array_equal(tt.to_array(y), tt.to_array(z))
    assert (cache.entries, cache.hits) == (1, 1)
    prepare, prepare_bias = (
        (prepare_conv_transpose2d_weights, prepare_conv_transpose2d_bias)
        if transposed
        else (prepare_conv_weights, prepare_conv_bias)
    )
    arguments = preparation(x, weights, 2, transposed, conv_config=config)
    order = "IOHW" if transposed else "OIHW"
    memory, w2 = prepare(memory, weight_tensor=tw, weights_format=order, has_bias=True, **arguments)
    memory, b2 = prepare_bias(memory, bias_tensor=tb, **arguments)
    for made, expected in ((w2, w), (b2, b)):
        assert made.spec == expected.spec
        np.testing.assert_array_equal(tt.to_array(made), tt.to_array(expected))


def test_memory_has_the_output_and_what_was_asked_for(rng):
    x, weights, bias = np.zeros((1, 4, 4, 8)), np.zeros((8, 8, 1, 1)), np.zeros((1, 1, 1, 8))
    memory, tx, tw, tb = place(x, weights, bias, memory_config=tt.L1_MEMORY_CONFIG)
    options = {**sizes(x, weights), "bias_tensor": tb, "memory_config": tt.DRAM_MEMORY_CONFIG}
    after, y = conv2d(memory, tx, tw, **options)
    assert tt.deallocate(after, y) == memory
    after, (y, (w, b)) = conv2d(memory, tx, tw, **options, return_weights_and_bias=True)
    assert tt.deallocate(after, y, w, b) == memory
    after, y = conv2d(memory, tx, tw, **options, conv_config=Conv2dConfig(deallocate_activation=True))
    assert tt.deallocate(after, y) == tt.deallocate(memory, tx)
    memory, dram = place(x, memory=memory)
    after, y = conv2d(memory, dram, tw, **options, conv_config=Conv2dConfig(deallocate_activation=True))
    assert tt.deallocate(after, y) == memory


def test_no_groups_are_one(rng):
    x, weights = integers(rng, (1, 5, 4, 3)), integers(rng, (2, 3, 3, 3))
    memory, tx, tw = place(x, weights)
    (_, y), (_, z) = (conv2d(memory, tx, tw, **sizes(x, weights, groups)) for groups in (0, 1))
    np.testing.assert_array_equal(y.array, z.array)


def test_where_a_host_tensor_once_was_does_not_place_the_output():
    """Its buffer has no bytes; what it remembers of L1 is not where the convolution finds it."""
    x, weights = np.zeros((1, 8, 8, 32)), np.zeros((32, 32, 3, 3))
    memory, tx, tw = place(x, weights, memory_config=tt.L1_MEMORY_CONFIG)
    on_host = Tensor(tx.array, tx.spec, tt.Buffer(tt.BufferType.DRAM, 0, 0))
    config = Conv2dConfig(deallocate_activation=True)
    _, y = conv2d(memory, on_host, tw, **sizes(x, weights), padding=1, conv_config=config)
    assert y.memory_config == tt.DRAM_MEMORY_CONFIG
    _, y = conv2d(memory, tx, tw, **sizes(x, weights), padding=1, conv_config=config)
    assert y.memory_config.is_sharded()


def test_nothing_is_computed_without_values():
    x, weights = jax.ShapeDtypeStruct((1, 4, 4, 8), jnp.bfloat16), jax.ShapeDtypeStruct((8, 8, 3, 3), jnp.bfloat16)
    memory, tx, tw = place(x, weights)
    _, (y, (w, _)) = conv2d(memory, tx, tw, **sizes(x, weights), return_weights_and_bias=True)
    assert isinstance(y.array, jax.ShapeDtypeStruct)
    assert isinstance(w.array, jax.ShapeDtypeStruct)
    assert (y.shape, w.shape) == ((1, 1, 4, 8), (1, 1, 72, 8))


HEIGHT, WIDTH, BLOCK = (
    tt.TensorMemoryLayout.HEIGHT_SHARDED,
    tt.TensorMemoryLayout.WIDTH_SHARDED,
    tt.TensorMemoryLayout.BLOCK_SHARDED,
)


@pytest.mark.parametrize(
    "channels, size, asked, scheme, shard, cores",
    [
        ((64, 64), 56, None, HEIGHT, (64, 64), 49),  # ResNet-50's layers: cores and shards as its demos print them
        ((256, 256), 56, None, BLOCK, (416, 32), 64),
        ((512, 512), 7, None, WIDTH, (64, 32), 16),
        ((64, 64), 32, BLOCK, BLOCK, (128, 32), 16),
        ((96, 40), 16, HEIGHT, HEIGHT, (32, 64), 8),
    ],
)
def test_outputs_in_l1_are_sharded(channels, size, asked, scheme, shard, cores):
    x = jax.ShapeDtypeStruct((1, size, size, channels[0]), jnp.bfloat16)
    weights = jax.ShapeDtypeStruct((channels[1], channels[0], 3, 3), jnp.bfloat16)
    memory, tx, tw = place(x, weights)
    options = {**sizes(x, weights), "padding": (1, 1), "conv_config": Conv2dConfig(shard_layout=asked)}
    memory, in_dram = conv2d(memory, tx, tw, **options)
    assert in_dram.memory_config == tt.DRAM_MEMORY_CONFIG
    memory, y = conv2d(memory, tx, tw, **options, slice_config=Conv2dL1FullSliceConfig)
    assert (y.memory_config.memory_layout, y.memory_config.buffer_type) == (scheme, tt.BufferType.L1)
    assert (y.memory_config.shard_spec.shape, y.memory_config.shard_spec.num_cores()) == (shard, cores)
    weights = jax.ShapeDtypeStruct((channels[1], channels[1], 3, 3), jnp.bfloat16)
    memory, tw = place(weights, memory=memory)
    same = {**options, **sizes(np.empty((1, size, size, channels[1])), weights)}
    _, z = conv2d(memory, y, tw, **same)  # a sharded input keeps its cores
    assert z.memory_config == y.memory_config


def test_jit_equals_eager(rng):
    x, weights = rng.standard_normal((1, 5, 5, 8)), rng.standard_normal((8, 8, 3, 3))
    memory, tx, tw = place(x, weights)

    def run(memory, x, w):
        return conv2d(
            memory, x, w, **sizes(np.empty((1, 5, 5, 8)), weights), conv_config=Conv2dConfig(weights_dtype=tt.bfloat8_b)
        )

    after, y = run(memory, tx, tw)
    jitted, z = jax.jit(run)(memory, tx, tw)
    assert (jitted, z.spec) == (after, y.spec)
    np.testing.assert_array_equal(tt.to_array(y), tt.to_array(z))


def test_gradients_flow(rng):
    """The slope with respect to the input is the transposed convolution, whatever was rounded on the way."""
    x, weights = integers(rng, (1, 5, 5, 4)), integers(rng, (8, 4, 3, 3))
    memory, tx, tw = place(x, weights, dtype=tt.float32)
    slope = integers(rng, (1, 3, 3, 8))

    def loss(array):
        _, y = conv2d(memory, tt.Tensor(array, tx.spec, tx.buffer), tw, **sizes(x, weights))
        return (y.array.reshape(slope.shape) * slope).sum()

    expected = images.conv_transpose2d(slope, weights, (1, 1), ((0, 0), (0, 0)), (0, 0), (1, 1))
    np.testing.assert_allclose(jax.grad(loss)(tx.array), expected, rtol=1e-6)


def test_output_dim():
    assert get_conv_output_dim(224, 7, stride=2, pad=3) == 112
    assert get_conv_output_dim(10, 3, dilation=2) == 6


def test_configs_are_mutable_and_know_their_names():
    config = Conv2dConfig()
    config.act_block_h_override = 64
    assert config == Conv2dConfig(act_block_h_override=64)
    with pytest.raises(TypeError, match="input_channels_alignment"):
        Conv2dConfig(input_channels_alignment=32)
    with pytest.raises(AttributeError):
        config.no_such_field = 1
    assert Conv2dSliceConfig.SliceTypeEnum.DRAMSliceHeight is SliceType.DRAMSliceHeight


BAD = {
    "in_channels": ({"in_channels": 16}, "must hold 1 images of 4x4 pixels and 16 channels"),
    "pixels": ({"input_height": 5}, "must hold 1 images of 5x4 pixels"),
    "out_channels": ({"out_channels": 16}, r"`weight_tensor` must have shape \[16, 8, 3, 3\]"),
    "kernel": ({"kernel_size": (3, 2)}, r"`weight_tensor` must have shape \[8, 8, 3, 2\]"),
    "kernel of three": ({"kernel_size": (3, 3, 3)}, "`kernel_size` must be two integers"),
    "no stride": ({"stride": (0, 1)}, "stride must be greater than 0"),
    "strides": ({"stride": (1, 1, 1)}, "`stride` must be two integers"),
    "block height": ({"conv_config": Conv2dConfig(act_block_h_override=16)}, r"\(16\) must be a multiple of 32"),
    "block width": ({"conv_config": Conv2dConfig(act_block_w_div=0)}, "`act_block_w_div` must be at least 1"),
    "dilation": ({"dilation": "11"}, "`dilation` must be an integer"),
    "padding": ({"padding": (1, 1, 1)}, "`padding` must be"),
    "negative padding": ({"padding": (-1, 0)}, "`padding` must be"),
    "too large a kernel": ({"dilation": (2, 2)}, "does not fit in an image of 4x4"),
    "groups": ({"groups": 3}, "`groups` 3 must divide"),
    "batch": ({"batch_size": 0}, "`batch_size` must be at least 1"),
    "dtype": ({"dtype": tt.uint16}, "`dtype` must be bfloat16, float32 or bfloat8_b"),
    "row-major block float": (
        {"dtype": tt.bfloat8_b, "conv_config": Conv2dConfig(output_layout=tt.ROW_MAJOR_LAYOUT)},
        "its layout must be TILE",
    ),
    "weights' dtype": ({"conv_config": Conv2dConfig(weights_dtype=tt.bfloat4_b)}, "weights may be stored as"),
    "config": ({"conv_config": {"activation": "relu"}}, "`conv_config` must be a Conv2dConfig"),
    "compute config": ({"compute_config": tt.MathFidelity.LoFi}, "`compute_kernel_config` must be"),
    "slices": ({"slice_config": 4}, "`slice_config` must be an Op2DSliceConfig"),
    "flag": ({"return_output_dim": 1}, "`return_output_dim` must be True or False"),
    "activation": ({"conv_config": Conv2dConfig(activation="foo")}, "activation 'foo' is not modelled"),
    "padding mode": ({"conv_config": Conv2dConfig(padding_mode="zeros")}, "`padding_mode` must be"),
    "shards": (
        {"slice_config": Conv2dL1FullSliceConfig, "conv_config": Conv2dConfig(shard_layout=tt.TensorMemoryLayout.INTERLEAVED)},
        "`shard_layout` must be",
    ),
    "cores": (
        {"slice_config": Conv2dL1FullSliceConfig, "conv_config": Conv2dConfig(override_sharding_config=True)},
        "needs `core_grid`",
    ),
}


@pytest.mark.parametrize("change, message", BAD.values(), ids=BAD)
def test_wrong_arguments(cache, change, message):
    x, weights = np.zeros((1, 4, 4, 8)), np.zeros((8, 8, 3, 3))
    memory, tx, tw = place(x, weights)
    kind = tt.NotModelledError if "not modelled" in message else tt.ArgumentError
    with pytest.raises(kind, match=message):
        conv2d(memory, tx, tw, **{**sizes(x, weights), **change})
    assert cache.entries == 0


def test_wrong_tensors():
    x, weights = np.zeros((1, 4, 4, 8)), np.zeros((8, 8, 3, 3))
    memory, tx, tw = place(x, weights)
    options = sizes(x, weights)
    memory, integer = place(x, memory=memory, dtype=tt.int32)
    memory, bias = place(np.zeros((1, 1, 1, 4)), memory=memory)
    with pytest.raises(tt.ArgumentError, match="`weight_tensor` must be a Tensor"):
        conv2d(memory, tx, weights, **options)
    with pytest.raises(tt.ArgumentError, match="`input_tensor` must be one of bfloat16"):
        conv2d(memory, integer, tw, **options)
    with pytest.raises(tt.ArgumentError, match=r"`bias_tensor` must have shape \[1, 1, 1, 8\]"):
        conv2d(memory, tx, tw, bias_tensor=bias, **options)
    with pytest.raises(tt.DeallocatedError, match="input 1"):
        conv2d(tt.deallocate(memory, tw), tx, tw, **options)
    with pytest.raises(tt.ArgumentError, match="`weights_format` must be 'OIHW'"):
        prepare_conv_weights(memory, weight_tensor=tw, weights_format="HWIO", has_bias=False, **preparation(x, weights))
    with pytest.raises(tt.ArgumentError, match="`output_padding`"):
        conv_transpose2d(memory, tx, tw, **options, output_padding=(1, 1))
    with pytest.raises(tt.ArgumentError, match="pads with zeros"):
        replicate = Conv2dConfig(padding_mode=PaddingMode.Replicate)
        conv_transpose2d(memory, tx, tw, **options, conv_config=replicate)
