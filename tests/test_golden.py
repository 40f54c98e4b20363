"""Golden functions: every one has a call that works, and a sample of each family is what float64 NumPy makes of it."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tt_jax import ttnn  # noqa: E402
from tt_jax.errors import ArgumentError, NotModelledError  # noqa: E402
from tt_jax.ttnn.golden import (  # noqa: E402
    GOLDEN,
    golden_for_activation,
    golden_function,
    pearson_correlation_coefficient,
)
from tt_jax.ttnn.golden._backward import _BINARY as BINARY_BACKWARD  # noqa: E402
from tt_jax.ttnn.golden._backward import _UNARY as UNARY_BACKWARD  # noqa: E402
from tt_jax.ttnn.golden._binary import _plain as PLAIN_BINARY  # noqa: E402
from tt_jax.ttnn.golden._unary import UNARY  # noqa: E402

RNG = np.random.default_rng(7)


def positive(*shape):
    """Values in (0.1, 0.9): inside the domain of every function here."""
    return torch.from_numpy(RNG.uniform(0.1, 0.9, shape or (4, 6)))


def signed(*shape):
    return torch.from_numpy(RNG.normal(size=shape or (4, 6)))


def whole(*shape, high=8):
    return torch.from_numpy(RNG.integers(1, high, shape or (4, 6)))


X, Y, Z, G, I, J = positive(), positive(), positive(), signed(), whole(), whole()
ABOVE = 1 + positive()
IMAGE = signed(2, 6, 6, 4)
HEADS = signed(2, 4, 6, 8)
QKV = signed(2, 6, 96)
CONV = dict(in_channels=4, out_channels=8, batch_size=2, input_height=6, input_width=6, kernel_size=(3, 3))
POOL = dict(batch_size=2, input_h=6, input_w=6, channels=4, kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))
WEIGHT = signed(8, 4, 3, 3)
COMPLEX = torch.complex(X, Y)
ONES = signed(8, 8)

# name: arguments, and after a dict among them, none: the last dict is the keyword arguments.
CALLS = {
    **{name: (X,) for name in UNARY},
    **{f"{name}_bw": (G, X) for name in UNARY_BACKWARD},
    **{name: (X, Y) for name in PLAIN_BINARY},
    **{f"{name}_": (X, Y) for name in PLAIN_BINARY},
    **{f"{name}_bw": (G, X, Y) for name in BINARY_BACKWARD},
    **{name: (COMPLEX,) for name in ("is_imag", "is_real", "polar", "imag")},
    **{name: (I,) for name in ("bitwise_not",)},
    **{name: (I, J) for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm")},
    **{name: (I, J) for name in ("bitwise_left_shift", "bitwise_right_shift", "logical_left_shift", "logical_right_shift")},
    **{name: (X, Y) for name in ("addalpha", "subalpha", "div_no_nan", "floor_div", "isclose", "fmod", "remainder", "pow")},
    **{name: (X, Y) for name in ("maximum", "minimum", "hypot", "atan2", "xlogy")},
    **{name: (X, Y) for name in ("nextafter", "complex_tensor", "prelu", "assign", "l1_loss", "mse_loss")},
    **{name: (X, Y, Z) for name in ("addcmul", "addcdiv", "lerp", "mac")},
    **{name: (G, X, Y, Z) for name in ("addcmul_bw", "addcdiv_bw", "lerp_bw")},
    "acosh": (ABOVE,),
    "acosh_bw": (G, ABOVE),
    "multigammaln": (2 + X,),
    "multigammaln_bw": (G, 2 + X),
    "imag_bw": (G, COMPLEX),
    "broadcast": (X, None),
    "nonzero": (G,),
    "plus_one": (I,),
    "softcap": (G, 2.0),
    "unary_chain": (G, [ttnn.UnaryOpType.RELU, ttnn.UnaryWithParam(ttnn.UnaryOpType.POWER, 2.0)]),
    "mean_hw": (HEADS,),
    "squeeze_from_4D": (torch.ones(1, 1, 2, 3), 2),
    "bitcast": (I.to(torch.int32), ttnn.float32),
    "empty": ((2, 3),),
    "empty_like": (X,),
    "randn": ((2, 3),),
    "fill_rm": (1, 2, 4, 4, 2, 3, X, 2.0, 1.0),
    "fill_ones_rm": (1, 2, 4, 4, 2, 3, X),
    "grid_sample": (IMAGE, signed(2, 3, 5, 2)),
    "rotate": (IMAGE, 90.0),
    "adaptive_avg_pool2d": (IMAGE, 2, 6, 6, 4, (3, 3)),
    "adaptive_max_pool2d": (IMAGE, 2, 6, 6, 4, (3, 3)),
    "fill_cache": (torch.zeros(2, 4, 8, 8), HEADS[:1], 1),
    "fill_cache_for_user_": (torch.zeros(2, 4, 8, 8), HEADS[:1], 1),
    "update_cache": (torch.zeros(2, 4, 8, 8), signed(1, 4, 2, 8), 3),
    "update_cache_for_token_": (torch.zeros(2, 4, 8, 8), signed(1, 4, 2, 8), 3),
    "transformer.joint_scaled_dot_product_attention": (HEADS, HEADS, HEADS, HEADS[:, :, :2], HEADS[:, :, :2], HEADS[:, :, :2]),
    "ema": (X, 0.25),
    "heaviside": (G, 0.5),
    "polygamma": (X, 2),
    "rdiv": (X, 2.0),
    "relu_max": (G, 0.5),
    "relu_min": (G, -0.5),
    "rpow": (X, 2.0),
    "snake_beta": (X, Y, Z),
    "threshold": (G, 0.1, 2.0),
    "logical_not_": (X,),
    "outer": (X[:1], Y[:, :1]),
    "polyval": (X, [1.0, 2.0, 3.0]),
    "copy": (X, torch.zeros_like(X)),
    "clamp": (G, -0.5, 0.5),
    "clip": (G, -0.5, 0.5),
    "where": (G > 0, X, Y),
    **{
        name: (signed(2, 3, 4), 1)
        for name in ("sum", "mean", "max", "min", "var", "std", "prod", "argmax", "cumsum", "cumprod")
    },
    "topk": (G, 2),
    "sort": (G,),
    "var_hw": (HEADS,),
    "std_hw": (HEADS,),
    "experimental.fast_reduce_nc": (HEADS, {"dims": [0, 1]}),
    **{
        name: (X,)
        for name in "to_layout to_memory_config to_device from_device reallocate move reshard tilize untilize "
        "tilize_with_zero_padding fill_implicit_tile_padding interleaved_to_sharded sharded_to_interleaved to_torch clone".split()
    },
    **{name: (X, ttnn.float32) for name in ("typecast", "to_dtype", "from_torch", "as_tensor")},
    "interleaved_to_sharded_partial": (X, None, [32, 32], 2, 1),
    "sharded_to_interleaved_partial": (torch.zeros(1, 1, 2, 6, dtype=X.dtype), X, 2, 1),
    "reshape": (X, (6, 4)),
    "view": (X, (6, 4)),
    "reshape_on_device": (X, 1, 1, 6, 4),
    "unsqueeze_to_4D": (X,),
    "squeeze": (torch.ones(1, 3, 1), 0),
    "unsqueeze": (X, 1),
    "permute": (HEADS, (0, 2, 1, 3)),
    "transpose": (HEADS, -2, -1),
    "concat": ([X, Y], 1),
    "stack": ([X, Y], 1),
    "split": (X, 2),
    "chunk": (X, 2),
    "expand": (torch.ones(1, 3), (2, 3)),
    "repeat": (X, (2, 1)),
    "repeat_interleave": (X, 2),
    "roll": (X, 1, 0),
    "narrow": (X, 1, 1, 2),
    "pad": (X, ((0, 1), (2, 3)), 7.0),
    "slice": (X, [0, 1], [4, 5], [1, 2]),
    "gather": (X, 1, whole(4, 2, high=6)),
    "scatter": (X, 1, whole(4, 2, high=6), Y),
    "scatter_add": (X, 1, whole(4, 2, high=6), Y),
    "index_fill": (X, 1, torch.tensor([0, 2]), -1.0),
    "indexed_fill": (torch.tensor([2, 0]), X, Y),
    "tosa_gather": (signed(2, 5, 3), whole(2, 2, high=5)),
    "tosa_scatter": (signed(2, 5, 3), whole(2, 2, high=5), signed(2, 2, 3)),
    "tilize_with_val_padding": (X, (32, 32), 1.0),
    "untilize_with_unpadding": (X, (1, 2)),
    "fold": (IMAGE, 2, 3),
    "bcast": (HEADS, signed(1, 1, 1, 8), "add", "h"),
    "fill": (X, 3.0),
    "zeros": ((2, 3),),
    "ones": (ttnn.Shape((2, 3)),),
    "full": ((2, 3), 4.0),
    "zeros_like": (X,),
    "ones_like": (X,),
    "full_like": (X, 4.0),
    "moreh_full_like": (X, 4.0),
    "arange": (2, 10, 3),
    "rand": ((2, 3),),
    "matmul": (X, Y.T),
    "linear": (X, Y.T, {"bias": signed(1, 4), "activation": "relu"}),
    "addmm": (signed(4, 4), X, Y.T),
    "experimental.minimal_matmul": (X, Y.T),
    "softmax": (HEADS,),
    "softmax_in_place": (HEADS,),
    "scale_mask_softmax": (HEADS, 0.5, torch.zeros(1, 1, 6, 8)),
    "scale_mask_softmax_in_place": (HEADS, 0.5),
    "scale_causal_mask_hw_dims_softmax_in_place": (HEADS, 0.5),
    "layer_norm": (G, {"weight": X[0], "bias": Y[:1]}),
    "rms_norm": (G, {"weight": X[0]}),
    "group_norm": (signed(2, 1, 36, 4), {"num_groups": 2, "weight": X[0, :4], "bias": Y[0, :4]}),
    "batch_norm": (signed(2, 4, 3, 3), X[:1, :4].reshape(1, 4, 1, 1), Y[:1, :4].reshape(1, 4, 1, 1)),
    "embedding": (whole(2, 3), ONES),
    "conv1d": (
        signed(2, 6, 4),
        signed(8, 4, 3),
        dict(in_channels=4, out_channels=8, batch_size=2, input_length=6, kernel_size=3, padding=1),
    ),
    "conv2d": (IMAGE, WEIGHT, {**CONV, "bias_tensor": signed(1, 1, 1, 8), "padding": (1, 1)}),
    "conv_transpose2d": (IMAGE, WEIGHT.transpose(0, 1), CONV),
    "max_pool2d": (IMAGE, POOL),
    "avg_pool2d": (IMAGE, POOL),
    "global_avg_pool2d": (IMAGE,),
    "upsample": (IMAGE, 2),
    "transformer.split_query_key_value_and_split_heads": (QKV, {"num_heads": 4}),
    "transformer.concatenate_heads": (HEADS,),
    "transformer.attention_softmax": (HEADS, {"head_size": 16, "attention_mask": signed(1, 1, 1, 8)}),
    "transformer.attention_softmax_": (HEADS, {"head_size": None, "attention_mask": None}),
    "transformer.scaled_dot_product_attention": (HEADS, HEADS, HEADS),
    "transformer.scaled_dot_product_attention_decode": (signed(1, 2, 4, 8), HEADS, HEADS, {"cur_pos": [2, 5]}),
    "experimental.split_query_key_value_and_split_heads": (signed(2, 1, 6, 96),),
    "experimental.concatenate_heads": (HEADS,),
    "experimental.nlp_concat_heads": (HEADS,),
    "experimental.nlp_create_qkv_heads": (signed(2, 1, 6, 64), {"num_heads": 4, "num_kv_heads": 2}),
    "experimental.nlp_create_qkv_heads_falcon7b": (signed(1, 1, 6, 73 * 64),),
    "experimental.create_qkv_heads_from_separate_tensors": (signed(2, 1, 6, 32), signed(2, 1, 6, 64), {"num_heads": 4}),
    "experimental.rotary_embedding": (HEADS, signed(1, 1, 16, 8), signed(1, 1, 16, 8), 3),
    "experimental.rotary_embedding_llama": (
        signed(1, 2, 4, 64),
        signed(1, 1, 8, 64),
        signed(1, 1, 8, 64),
        signed(1, 1, 32, 32),
    ),
    "experimental.attn_matmul": (signed(1, 4, 2, 8), signed(2, 1, 8, 6)),
    "experimental.group_attn_matmul": (signed(1, 4, 2, 8), signed(2, 2, 8, 6)),
    "max_bw": (G, X, Y),
    "min_bw": (G, X, Y),
    "where_bw": (G, G > 0, X, Y),
    "div_bw": (G, X, Y),
    "assign_bw": (G, X),
    "bias_gelu_bw": (G, X, Y),
    "concat_bw": (signed(8, 6), X, Y),
    "embedding_bw": (whole(1, 3), ONES, signed(1, 3, 8)),
    "prod_bw": (signed(4, 1), X, {"dim": 1}),
    "repeat_bw": (signed(8, 6), X, (2, 1)),
    "threshold_bw": (G, X, 0.5, 2.0),
    "clamp_bw": (G, X, 0.2, 0.8),
    "clip_bw": (G, X, 0.2, 0.8),
    "polygamma_bw": (G, X, 2),
    "pow_bw": (G, X, 2.0),
    "rdiv_bw": (G, X, 2.0),
    **{f"{name}_bw": (G, X) for name in ("celu", "elu", "fill", "fill_zero", "gelu", "hardshrink", "hardtanh", "leaky_relu")},
    **{f"{name}_bw": (G, X) for name in ("logiteps", "rpow", "softplus", "softshrink", "experimental.gelu")},
    "pearson_correlation_coefficient": (X, X),
}


def golden(name, *values, **more):
    options = values[-1] if values and isinstance(values[-1], dict) else {}
    positional = values[: len(values) - bool(options)]
    return golden_function(f"ttnn.{name}")(*positional, **options, **more)


def test_the_table_names_every_golden_function():
    assert {f"ttnn.{name}" for name in CALLS} == set(GOLDEN)


WHERE_AND_HOW = dict(device=None, memory_config=None, compute_kernel_config=None, queue_id=0)


@pytest.mark.parametrize("name", CALLS)
def test_every_golden_function_works_and_drops_what_says_where_and_how(name):
    given = [a.clone() if torch.is_tensor(a) else a for a in CALLS[name]]
    result = golden(name, *given, **({} if name == "pearson_correlation_coefficient" else WHERE_AND_HOW))
    for each in result if isinstance(result, tuple | list) else [result]:
        assert isinstance(each, float) or (not each.is_floating_point() or bool(torch.isfinite(each).all()))
    if name not in ("copy", "assign"):  # these write their second argument
        assert all(torch.equal(a, b) for a, b in zip(given, CALLS[name], strict=True) if torch.is_tensor(a))


def erf(x):
    return np.vectorize(math.erf)(x)


def normal_cdf(x):
    return 0.5 * (1 + erf(x / math.sqrt(2)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def convolution(image, weight, bias):
    """One output pixel at a time, with one pixel of zeros around each image."""
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    n, h, w, _ = image.shape
    out = np.zeros((n, h, w, weight.shape[0]))
    for y in range(h):
        for x in range(w):
            out[:, y, x] = np.einsum("nijc,ocij->no", padded[:, y : y + 3, x : x + 3], weight)
    return (out + bias.reshape(-1)).reshape(1, 1, -1, weight.shape[0])


def attention(q, k, v):
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    return softmax(np.where(np.tril(np.ones(scores.shape[-2:])) > 0, scores, -np.inf)) @ v


def normalized(x):
    return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)


ORACLES = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * normal_cdf(x),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "cbrt": np.cbrt,
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "multigammaln": lambda x: sum(np.vectorize(math.lgamma)(x - i / 2) for i in range(4)) + 3 * math.log(math.pi),
    "ema": lambda x, alpha: np.stack(
        [sum((alpha ** (t - s)) * (1 - alpha * (s > 0)) * x[:, s] for s in range(t + 1)) for t in range(6)], 1
    ),
    "threshold": lambda x, threshold, value: np.where(x > threshold, x, value),
    "glu": lambda x: x[:, :3] / (1 + np.exp(-x[:, 3:])),
    "rdiv": lambda x, value: value / x,
    "xielu": lambda x: np.where(x > 0, 0.8 * x**2, 0.8 * (np.expm1(x) - x)) + x / 2,
    "unary_chain": lambda x, chain: np.maximum(x, 0) ** 2,
    "squared_difference": lambda a, b: (a - b) ** 2,
    "bias_gelu": lambda a, b: (a + b) * normal_cdf(a + b),
    "logaddexp2": np.logaddexp2,
    "remainder": np.remainder,
    "fmod": np.fmod,
    "gcd": np.gcd,
    "logical_right_shift": lambda a, b: a >> b,
    "polyval": lambda x, c: np.polyval(c, x),
    "addcdiv": lambda a, b, c: a + b / c,
    "lerp": lambda a, b, w: a + w * (b - a),
    "where": np.where,
    "max": lambda x, axis: x.max(axis),
    "var": lambda x, axis: x.var(axis, ddof=1),
    "prod": lambda x, axis: x.prod(axis),
    "argmax": lambda x, axis: x.argmax(axis),
    "cumsum": lambda x, axis: np.cumsum(x, axis),
    "topk": lambda x, k: (-np.sort(-x)[:, :k], np.argsort(-x)[:, :k]),
    "pad": lambda x, pairs, value: np.pad(x, pairs, constant_values=value),
    "slice": lambda x, *bounds: x[tuple(map(slice, *bounds))],
    "repeat": np.tile,
    "fold": lambda x, h, w: np.stack(
        [x[n, y : y + h, c : c + w].reshape(-1) for n in range(2) for y in range(0, 6, h) for c in range(0, 6, w)]
    )[None, None],
    "arange": np.arange,
    "linear": lambda a, b, o: np.maximum(a @ b + o["bias"], 0),
    "softmax": softmax,
    "scale_mask_softmax": lambda x, scale, mask: softmax(scale * x + mask),
    "layer_norm": lambda x, o: normalized(x) * o["weight"] + o["bias"],
    "rms_norm": lambda x, o: x / np.sqrt((x**2).mean(-1, keepdims=True)) * o["weight"],
    "embedding": lambda ids, weight: weight[ids],
    "conv2d": lambda image, weight, o: convolution(image, weight, o["bias_tensor"]),
    "max_pool2d": lambda x, o: x.reshape(2, 3, 2, 3, 2, 4).max((2, 4)).reshape(1, 1, 18, 4),
    "avg_pool2d": lambda x, o: x.reshape(2, 3, 2, 3, 2, 4).mean((2, 4)).reshape(1, 1, 18, 4),
    "adaptive_max_pool2d": lambda x, *sizes: x.reshape(2, 3, 2, 3, 2, 4).max((2, 4)).reshape(1, 1, 18, 4),
    "rotate": lambda x, angle: np.rot90(x, axes=(1, 2)),
    "update_cache": lambda cache, x, row: np.where(np.arange(8)[:, None] == row, x[0].transpose(1, 0, 2)[:, :, None], cache),
    "upsample": lambda x, factor: x.repeat(factor, 1).repeat(factor, 2),
    "transformer.concatenate_heads": lambda x: np.concatenate([x[:, i] for i in range(4)], -1),
    "transformer.attention_softmax": lambda x, o: softmax(x / 4 + o["attention_mask"]),
    "transformer.scaled_dot_product_attention": attention,
    "transformer.split_query_key_value_and_split_heads": lambda x, o: (
        np.stack(np.split(x[..., :32], 4, -1), 1),
        np.stack(np.split(x[..., 32:64], 4, -1), 1).swapaxes(-1, -2),
        np.stack(np.split(x[..., 64:], 4, -1), 1),
    ),
    "experimental.create_qkv_heads_from_separate_tensors": lambda q, kv, o: (
        np.stack(np.split(q[:, 0], 4, -1), 1),
        np.stack(np.split(kv[:, 0], 8, -1)[::2], 1).swapaxes(-1, -2),
        np.stack(np.split(kv[:, 0], 8, -1)[1::2], 1),
    ),
    "experimental.rotary_embedding": lambda x, cos, sin, t: (
        x * cos[:, :, t : t + 1] + np.concatenate((-x[..., 4:], x[..., :4]), -1) * sin[:, :, t : t + 1]
    ),
    "experimental.attn_matmul": lambda a, b: np.einsum("qhbk,bkn->qhbn", a, b[:, 0]),
    "exp_bw": lambda g, x: (g * np.exp(x),),
    "tanh_bw": lambda g, x: (g / np.cosh(x) ** 2,),
    "gelu_bw": lambda g, x: (g * (normal_cdf(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)),),
    "floor_bw": lambda g, x: (0 * g,),
    "mul_bw": lambda g, a, b: (g * b, g * a),
    "div_bw": lambda g, a, b: (g / b, -g * a / b**2),
    "addcmul_bw": lambda g, a, b, c: (g, g * c, g * b),
    "where_bw": lambda g, p, a, b: (np.where(p, g, 0), np.where(p, 0, g)),
    "lerp_bw": lambda g, a, b, w: (g * (1 - w), g * w),
    "concat_bw": lambda g, a, b: (g[:4], g[4:]),
    "repeat_bw": lambda g, x, shape: (g[:4] + g[4:],),
    "prod_bw": lambda g, x, o: (g * x.prod(1, keepdims=True) / x,),
    "embedding_bw": lambda ids, w, g: sum(np.outer(np.arange(8) == i, row) for i, row in zip(ids[0], g[0], strict=True)),
}


def numpy(value):
    if isinstance(value, dict):
        return {key: numpy(each) for key, each in value.items()}
    return (
        value.double().numpy()
        if torch.is_tensor(value) and value.is_floating_point()
        else np.asarray(value)
        if torch.is_tensor(value)
        else value
    )


@pytest.mark.parametrize("name", ORACLES)
def test_golden_functions_agree_with_numpy(name):
    result, expected = golden(name, *CALLS[name]), ORACLES[name](*map(numpy, CALLS[name]))
    pairs = zip(result, expected, strict=True) if isinstance(expected, tuple) else [(result, expected)]
    for ours, theirs in pairs:
        assert tuple(ours.shape) == np.shape(theirs)
        np.testing.assert_allclose(numpy(ours), theirs, rtol=2e-6, atol=1e-6)  # float32 where the row says so


def test_parameters_by_position_and_by_name():
    x = torch.tensor([-2.0, -0.25, 3.0])
    assert torch.equal(golden("leaky_relu", x, 0.5), golden("leaky_relu", x, negative_slope=0.5))
    assert golden("leaky_relu", x, 0.5).tolist() == [-1.0, -0.125, 3.0]
    assert golden("clamp", x, max=1.0).tolist() == [-2.0, -0.25, 1.0]
    assert golden("clamp", x, torch.zeros(3), 2.0).tolist() == [0.0, 0.0, 2.0]
    assert golden("div", x, 2.0, "floor").tolist() == [-1.0, -1.0, 1.0]
    assert golden("div", x, 2.0, "None").tolist() == golden("divide", x, 2.0).tolist() == [-1.0, -0.125, 1.5]
    assert golden("rdiv", x, 1.0, round_mode="trunc").tolist() == [0.0, -4.0, 0.0]
    assert golden("relu_min", x, 0.5).tolist() == [0.5, 0.5, 3.0] and golden("relu_max", x, 0.5).tolist() == [0.0, 0.0, 0.5]
    assert golden("logit", torch.tensor([0.5, 2.0]), eps=0.75).tolist() == pytest.approx([0.0, math.log(3)])
    assert golden("round", x, decimals=1).tolist() == pytest.approx([-2.0, -0.2, 3.0])
    assert golden("add", x, 1, activations=["relu"], input_tensor_a_activations=["abs"]).tolist() == [3.0, 1.25, 4.0]
    assert golden("sum", x, scalar=2.0).item() == 1.5
    assert golden("pad", torch.ones(2, 2), [3, 2], [1, 0], 5.0).tolist() == [[5.0, 5.0], [1.0, 1.0], [1.0, 1.0]]
    assert golden(
        "concat", [torch.arange(4).reshape(1, 1, 1, 4), torch.arange(4, 8).reshape(1, 1, 1, 4)], -1, 2
    ).flatten().tolist() == [
        *(0, 1, 4, 5, 2, 3, 6, 7),
    ]


def test_places_that_are_not_zero():
    count, places = golden("nonzero", torch.eye(2))
    assert count.flatten()[0].item() == 2 and places.flatten().tolist() == [*(0, 0, 0, 0), *(0, 0, 1, 1), *[0] * 8]


def test_unsigned_integers_wrap_around():
    a = torch.tensor([3, 65535], dtype=torch.uint16)
    assert golden("add", a, torch.tensor([1, 1], dtype=torch.uint16)).tolist() == [4, 0]
    assert golden("subtract", torch.tensor([1], dtype=torch.uint32), 2).tolist() == [2**32 - 1]
    assert golden("gt", a, torch.tensor([4, 4], dtype=torch.uint16)).tolist() == [False, True]


def test_in_place_results_have_the_first_tensors_dtype():
    assert golden("gt_", torch.tensor([1.0, 3.0]), torch.tensor([2.0, 2.0])).tolist() == [0.0, 1.0]
    assert golden("gt", torch.tensor([1.0, 3.0]), torch.tensor([2.0, 2.0])).dtype == torch.bool


def test_a_given_output_is_written_and_returned():
    out = torch.empty(4, 6, dtype=X.dtype)
    assert golden("relu", G, output_tensor=out) is out and torch.equal(out, torch.relu(G))
    values, indices = torch.empty_like(G), torch.empty(4, 6, dtype=torch.int64)
    assert golden("sort", G, out=(values, indices))[0] is values and torch.equal(indices, torch.argsort(G))


def test_bfloat16_is_rounded_once():
    x = X.to(torch.bfloat16)
    assert torch.equal(golden("cbrt", x), torch.from_numpy(np.cbrt(x.double().numpy())).to(torch.bfloat16))
    hardmish = golden("hardmish", x)  # the device truncates: never above the exact value of a positive input
    exact = x.double() * torch.clamp(x.double() / 2 + 1, 0, 1)
    assert (
        hardmish.dtype == torch.bfloat16
        and bool((hardmish.double() <= exact).all())
        and bool((hardmish.double() > exact * 0.99).all())
    )


def test_backward_leaves_tensors_as_they_are_and_differentiates_tensors_that_require_gradients():
    x = X.clone().requires_grad_()
    (gradient,) = golden("square_bw", G, x)
    assert x.grad is None and torch.allclose(gradient, 2 * G * X)
    assert golden("add_bw", G, X, 2.0)[0].equal(G) and len(golden("add_bw", G, X, 2.0)) == 1
    assert golden("eq", x, x).all()


def test_the_devices_own_definitions():
    assert math.isinf(golden("pow_bw", torch.ones(1), torch.tensor([-2.0]), 3.0)[0].item())
    assert golden("div_no_nan", torch.ones(2), torch.tensor([0.0, 2.0])).tolist() == [0.0, 0.5]
    assert golden("rdiv_bw", torch.ones(1), torch.ones(1), 2.0, "floor")[0].tolist() == [0.0]


def test_bfloat16_has_infinity_where_a_function_has_no_value():
    x = torch.tensor([-2.0, -1.0, 0.5, 1.0, 2.0])
    for name, outside in (("asin", "10001"), ("acos", "10001"), ("atanh", "11011"), ("acosh", "11100")):
        assert "".join("01"[int(v)] for v in torch.isposinf(golden(name, x.to(torch.bfloat16)))) == outside
        torch.testing.assert_close(golden(name, x), getattr(torch, name)(x), equal_nan=True)


def test_activations_by_name_and_by_type():
    assert torch.equal(golden_for_activation("silu")(G), torch.nn.functional.silu(G))
    slope = ttnn.UnaryWithParam(ttnn.UnaryOpType.LEAKY_RELU, 0.5)
    assert torch.equal(golden_for_activation(slope)(G), torch.nn.functional.leaky_relu(G, 0.5))
    assert torch.equal(golden_for_activation(ttnn.UnaryOpType.RECIP)(G), 1 / G)
    assert torch.equal(golden_for_activation(None)(G), G)


def test_group_norm_reads_weights_padded_per_core():
    x, weight = signed(1, 1, 4, 8), torch.arange(8.0)
    padded = torch.nn.functional.pad(weight.reshape(2, 4), (0, 28)).reshape(1, 1, -1, 32)
    options = dict(num_groups=2, core_grid=ttnn.CoreGrid(y=1, x=2), memory_config=None)
    assert torch.equal(golden("group_norm", x, weight=padded, **options), golden("group_norm", x, weight=weight, **options))
    with pytest.raises(ArgumentError, match="core_grid"):
        golden("group_norm", x, weight=padded, num_groups=2)


ERRORS = {
    "precomputed": (NotModelledError, "normalized", lambda: golden("grid_sample", IMAGE, IMAGE, use_precomputed_grid=True)),
    "missing": (NotModelledError, "has no golden function", lambda: golden_function("ttnn.flash_attention_9")),
    "activation": (NotModelledError, "not modelled", lambda: golden("add", X, Y, activations=["rotate_by_one"])),
    "two masks": (
        ArgumentError,
        "exclude each other",
        lambda: golden("transformer.scaled_dot_product_attention", HEADS, HEADS, HEADS, attn_mask=HEADS),
    ),
    "uneven average": (
        ArgumentError,
        "uneven padding",
        lambda: golden("avg_pool2d", IMAGE, **{**POOL, "padding": (0, 1, 0, 1)}, count_include_pad=False),
    ),
    "shapes": (ArgumentError, "shapes differ", lambda: pearson_correlation_coefficient(X, X[1:])),
}


@pytest.mark.parametrize("error, match, call", ERRORS.values(), ids=ERRORS)
def test_errors(error, match, call):
    with pytest.raises(error, match=match):
        call()


def test_correlation():
    a = RNG.normal(size=(8, 8))
    b = a + 0.1 * RNG.normal(size=(8, 8))
    assert pearson_correlation_coefficient(torch.from_numpy(a), b) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert pearson_correlation_coefficient(a, -a) == pytest.approx(-1.0)
    assert pearson_correlation_coefficient(a, ttnn.from_torch(torch.from_numpy(a).float())) == pytest.approx(1.0)
    assert pearson_correlation_coefficient(torch.ones(3).to(torch.bfloat16), torch.ones(3)) == 1.0
    assert pearson_correlation_coefficient(np.ones(3), np.full(3, 2.0)) == 0.0
    nan = np.full(3, np.nan)
    assert (pearson_correlation_coefficient(nan, nan), pearson_correlation_coefficient(nan, a[0, :3])) == (1.0, 0.0)
    with_inf = np.where(a > 1, np.inf, a)
    assert pearson_correlation_coefficient(with_inf, with_inf) == pytest.approx(1.0)


def test_upsample_takes_a_flat_image():
    image = positive(2, 6, 4, 8)
    sizes = {"batch_size": 2, "input_h": 6, "input_w": 4, "channels": 8}
    for mode in ("nearest", "bilinear"):
        flat = GOLDEN["ttnn.upsample"](image.reshape(1, 1, 48, 8), (2, 3), mode, **sizes)
        assert torch.equal(flat, GOLDEN["ttnn.upsample"](image, (2, 3), mode).reshape(1, 1, -1, 8))


def test_max_pool2d_tells_where():
    image = positive(2, 6, 4, 8)
    arguments = (image.reshape(1, 1, 48, 8), 2, 6, 4, 8, (2, 2), (2, 2))
    highest, places = ttnn.operations.pool.golden_maxpool2d(*arguments, (0, 0), return_indices=True)
    assert torch.equal(highest, GOLDEN["ttnn.max_pool2d"](*arguments, (0, 0)))
    found = torch.gather(image.reshape(2, 24, 8), 1, places.reshape(2, 6, 8))
    assert torch.equal(found.reshape(1, 1, 12, 8), highest)
    with pytest.raises(ArgumentError, match="padded alike"):
        GOLDEN["ttnn.max_pool2d"](*arguments, (0, 1, 0, 0), return_indices=True)
