"""Kernels as functions of arrays, each with the same function in float64 NumPy: what a gradient is compared with."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from oracles.engine import softmax as softmax_of
from tt_jax.kernels import (
    attention,
    block_float,
    conv,
    convert,
    data_movement,
    eltwise,
    heads,
    kv_cache,
    matmul,
    normalization,
    packer,
    pool,
    reduction,
    resample,
    rotary,
    softmax,
    sorting,
    ternary,
)


class Case(NamedTuple):
    """A kernel and what it stands for.

    Attributes:
        kernel: of carrier arrays; returns one array.
        exact: the same in float64 NumPy.
        shapes: of its inputs, drawn as normal numbers; an array is taken as it is.
        bound: the relative error, in the Frobenius norm, that its gradient may have at level "fast".
        carrier: the dtype of its inputs at level "fast".
    """

    kernel: Callable[..., Any]
    exact: Callable[..., Any]
    shapes: tuple[Any, ...]
    bound: float
    carrier: str = "bfloat16"


# Relative errors at level "fast". A bfloat16 has 8 significant bits: rounded, it is off by 0.2% on average.
ROUNDED = 0.004
STAGES = 0.009  # a handful of roundings in a row
MASKED = 0.006  # in1 cut to 5, or in0 to 7 significant bits, and what is left of a product rounded
LOFI = 0.03  # both cut
TABLE = 0.03  # the fast exponential, which is off by up to 3%


def _with(function, *extra, **options):
    return lambda *x: function(*x, *extra, **options)


def _layer_norm(x, weight=1.0, bias=0.0, epsilon=1e-5):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon) * weight + bias


def _rms_norm(x, weight=1.0, epsilon=1e-5):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def _group_norm(x, weight, bias, groups=2, epsilon=1e-5):
    n, _, rows, channels = x.shape
    g = x.reshape(n, rows, groups, channels // groups)
    y = (g - g.mean((1, 3), keepdims=True)) / np.sqrt(g.var((1, 3), keepdims=True) + epsilon)
    return y.reshape(x.shape) * weight + bias


def _batch_norm(x, weight, bias, epsilon=1e-5):
    axes = (0, 2, 3)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon) * weight + bias


def _trained_batch_norm(x, weight, bias):
    return normalization.batch_norm(x, *normalization.batch_statistics(x), weight, bias, epsilon=1e-5, dtype="bfloat16")


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _attention(q, k, v, mask=0.0, scale=0.3, sink=None, allowed=None):
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1) for x in (k, v))
    scores = (q @ k.swapaxes(-1, -2) + mask) * scale
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    if sink is not None:
        scores = np.concatenate([scores, np.broadcast_to(sink * scale, (*scores.shape[:-1], 1))], -1)
    return softmax_of(scores)[..., : v.shape[-2]] @ v


CAUSAL = np.tril(np.ones((32, 32), bool))


def _flash(how=None, allowed=None, sink=False, **options):
    how = how or attention.Arithmetic(0.3, fidelity="HiFi4", approximate=False, fp32_dest=True, **options)

    def run(q, k, v, *rest):
        named = {"sink" if sink else "mask": rest[0]} if rest else {}
        return attention.attention(q, k, v, dtype="bfloat16", how=how, allowed=allowed, **named)

    return run


QKV = ((1, 4, 32, 16), (1, 2, 32, 16), (1, 2, 32, 16))


def _half_turn(x):
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([-second, first], -1)


TURN = np.zeros((32, 32), np.float32)
TURN[np.arange(1, 32, 2), np.arange(0, 32, 2)] = -1
TURN[np.arange(0, 32, 2), np.arange(1, 32, 2)] = 1


def _convolution(x, weights, bias, stride=1, dilation=1, groups=1, pad=1):
    """`x` `[n, h, w, in]`, `weights` `[kh, kw, in / groups, out]`: by the definition, tap by tap."""
    kh, kw, each, out = weights.shape
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    oh, ow = ((size - dilation * (k - 1) - 1) // stride + 1 for size, k in zip(x.shape[1:3], (kh, kw), strict=True))
    y = np.zeros((x.shape[0], oh, ow, out))
    per = out // groups
    for i in range(kh):
        for j in range(kw):
            top, left = i * dilation, j * dilation
            seen = x[:, top : top + (oh - 1) * stride + 1 : stride, left : left + (ow - 1) * stride + 1 : stride]
            for g in range(groups):
                channels = slice(g * per, (g + 1) * per)
                y[..., channels] += seen[..., g * each : (g + 1) * each] @ weights[i, j, :, channels]
    return y + bias


def _convolve(window, fp32_dest=True, fidelity="HiFi4", activation=None):
    options = dict(dtype="bfloat16", fidelity=fidelity, fp32_dest=fp32_dest, partial="bfloat16", activation=activation)
    return lambda x, w, b: conv.convolve(x, w, b, window, **options)


WINDOW = pool.Window((2, 2), (2, 2), ((1, 0), (0, 1)))


def _pool(x, combine, fill):
    """Windows of 2x2, every second pixel, over an image with a row above and a column to the right."""
    x = np.pad(x, ((0, 0), (1, 0), (0, 1), (0, 0)), constant_values=fill)
    n, h, w, c = x.shape
    return combine(x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c), (2, 4))


def _bilinear(x, row, column):
    """`x` `[n, h, w, c]` between pixels, zeros outside, at rows and columns `[n, ...]`."""
    n, h, w, c = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    i, j = np.floor(row).astype(int), np.floor(column).astype(int)
    at = lambda r, s: np.stack(
        [image[np.clip(a + 1, 0, h + 1), np.clip(b + 1, 0, w + 1)] for image, a, b in zip(padded, r, s, strict=True)]
    )
    down, right = (row - i)[..., None], (column - j)[..., None]
    upper = at(i, j) * (1 - right) + at(i, j + 1) * right
    lower = at(i + 1, j) * (1 - right) + at(i + 1, j + 1) * right
    return upper * (1 - down) + lower * down


def _sample(x, grid):
    to_pixels = lambda g, size: ((g + 1) * size - 1) / 2
    return _bilinear(x, to_pixels(grid[..., 1], x.shape[1]), to_pixels(grid[..., 0], x.shape[2]))


GRID = np.random.default_rng(5).uniform(-0.9, 0.9, (1, 3, 4, 2)).astype(np.float32)


def _scaled_twice(x):
    for axis in (1, 2):
        size = x.shape[axis]
        place = np.maximum((np.arange(2 * size) + 0.5) / 2 - 0.5, 0)
        low = np.floor(place).astype(int)
        high, part = np.minimum(low + 1, size - 1), (place - low).reshape([-1 if i == axis else 1 for i in range(4)])
        x = np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part
    return x


INDEX = jnp.asarray([[0, 2, 5, 1], [3, 3, 0, 4], [5, 1, 2, 2]], jnp.int32)
ROWS = jnp.asarray([4, 0, 4, 2], jnp.int32)


def _scatter(combine):
    """`x` with `source[i][j]` combined into `x[INDEX[i][j]][j]`."""

    def exact(x, source):
        y = x.copy()
        for (i, j), place in np.ndenumerate(np.asarray(INDEX)):
            y[place, j] = combine(y[place, j], source[i, j])
        return y

    return exact


def _scattered(reduction_name):
    return lambda x, source: data_movement.scatter(x, INDEX, source, 0, reduction_name)


def _indexed_fill(x, source):
    y = x.copy()
    y[np.asarray(ROWS)] = source
    return y


def _cache_update(cache, values):
    y = cache.copy()
    y[0, :, 3], y[1, :, 7] = values
    return y


def _split_heads(fused):
    parts = heads.split_query_key_value(fused, None, 4, 2, True)
    return jnp.concatenate([part.reshape(-1) for part in parts])


def _heads_split(fused):
    b, s, width = fused.shape
    d = width // 8
    q, k, v = (part.reshape(b, s, -1, d) for part in np.split(fused, [4 * d, 6 * d], -1))
    return np.concatenate([q.transpose(0, 2, 1, 3).ravel(), k.transpose(0, 2, 3, 1).ravel(), v.transpose(0, 2, 1, 3).ravel()])


def _matmul(fidelity="HiFi4", dtype="bfloat16", **options):
    return _with(matmul.matmul, dtype=dtype, fidelity=fidelity, **options)


_PRODUCT = ((3, 20, 40), (40, 24))
_SILU = lambda x: x * _sigmoid(x)
_LAYER = dict(epsilon=1e-5, dtype="bfloat16", centered=True)
_RMS = dict(epsilon=1e-5, dtype="bfloat16", centered=False)
_MASKED = np.where(np.arange(48) < 40, 0.0, -1e9).astype(np.float32)

CASES = {
    "add": Case(_with(eltwise.add, "bfloat16"), np.add, ((8, 32), (1, 32)), ROUNDED),
    "add_sfpu": Case(_with(eltwise.add, "float32", "sfpu", True), np.add, ((8, 32), (8, 1)), 1e-6, "float32"),
    "subtract": Case(_with(eltwise.subtract, "bfloat8_b"), np.subtract, ((8, 32), (8, 32)), ROUNDED),
    "multiply": Case(_with(eltwise.multiply, "bfloat16"), np.multiply, ((8, 32), (1, 32)), ROUNDED),
    "multiply_lofi": Case(_with(eltwise.multiply, "bfloat4_b", "fpu", False, "LoFi"), np.multiply, ((8, 32), (8, 32)), ROUNDED),
    "divide": Case(_with(eltwise.divide, "bfloat16"), np.divide, ((8, 32), np.linspace(1, 3, 32, dtype=np.float32)), ROUNDED),
    "divide_fpu": Case(
        _with(eltwise.divide, "bfloat16", "fpu"), np.divide, ((8, 32), np.linspace(1, 3, 32, dtype=np.float32)), ROUNDED
    ),
    "lerp": Case(
        lambda a, b, c: packer.pack(ternary.of_floats("lerp", a, b, c, jnp.float32(1), False), "bfloat16"),
        lambda a, b, c: a + c * (b - a),
        ((8, 32),) * 3,
        ROUNDED,
    ),
    "addcdiv": Case(
        lambda a, b, c: packer.pack(ternary.of_floats("addcdiv", a, b, c, jnp.float32(0.5), False), "bfloat16"),
        lambda a, b, c: a + 0.5 * b / c,
        ((8, 32), (8, 32), np.linspace(1, 3, 32, dtype=np.float32)),
        ROUNDED,
    ),
    "where": Case(
        lambda a, b: ternary.select(jnp.arange(32) % 3, a, b),
        lambda a, b: np.where(np.arange(32) % 3, a, b),
        ((8, 32),) * 2,
        0.0,
    ),
    "softmax": Case(_with(softmax.softmax, dtype="bfloat16", approximate=False), softmax_of, ((4, 48),), STAGES),
    "softmax_approximate": Case(_with(softmax.softmax, dtype="bfloat16"), softmax_of, ((4, 48),), TABLE),
    "softmax_16_bit": Case(_with(softmax.softmax, dtype="bfloat8_b", fp32_dest=False), softmax_of, ((4, 48),), TABLE),
    "softmax_unstable": Case(
        _with(softmax.softmax, dtype="float32", approximate=False, numeric_stable=False), softmax_of, ((4, 48),), STAGES
    ),
    "scale_mask_softmax": Case(
        lambda x, mask: softmax.scale_mask_softmax(x, 0.25, mask, dtype="bfloat16", approximate=False),
        lambda x, mask: softmax_of(x * 0.25 + mask),
        ((1, 2, 8, 48), (1, 1, 1, 48)),
        STAGES,
    ),
    "layer_norm": Case(_with(normalization.normalize, **_LAYER), _layer_norm, ((4, 48), (48,), (48,)), ROUNDED),
    "layer_norm_16_bit": Case(_with(normalization.normalize, fp32_dest=False, **_LAYER), _layer_norm, ((4, 48),), STAGES),
    "layer_norm_welford": Case(
        _with(normalization.normalize, welford=True, **_LAYER), _layer_norm, ((4, 48), (48,), (48,)), ROUNDED, "float32"
    ),
    "layer_norm_residual": Case(
        lambda x, r: normalization.normalize(x, residual=r, **_LAYER),
        lambda x, r: _layer_norm(x + r),
        ((4, 48), (4, 48)),
        STAGES,
    ),
    "rms_norm": Case(_with(normalization.normalize, fp32_dest=False, **_RMS), _rms_norm, ((4, 48), (48,)), STAGES),
    "rms_norm_approximate": Case(
        _with(normalization.normalize, fp32_dest=False, approximate=True, **_RMS), _rms_norm, ((4, 48), (48,)), STAGES
    ),
    "group_norm": Case(
        lambda x, w, b: normalization.group_norm(x, 2, w, b, epsilon=1e-5, dtype="bfloat16"),
        _group_norm,
        ((2, 1, 12, 8), (8,), (8,)),
        ROUNDED,
    ),
    "batch_norm": Case(_trained_batch_norm, _batch_norm, ((3, 4, 4, 5), (1, 4, 1, 1), (1, 4, 1, 1)), ROUNDED),
    "row_sum": Case(
        lambda x: reduction.row_sum(x, 0.75, "HiFi4", True),
        lambda x: 0.75 * x.sum(-1, keepdims=True),
        ((4, 40),),
        1e-6,
        "float32",
    ),
    "row_sum_16_bit": Case(
        lambda x: reduction.row_sum(x, 0.75, "LoFi", False),
        lambda x: 0.75 * x.sum(-1, keepdims=True),
        ((4, 40),),
        1e-6,
        "float32",
    ),
    "mean": Case(
        lambda x: packer.pack(reduction.total(x, 1, 1 / 7, "HiFi4", False), "bfloat16"),
        lambda x: x.mean(1, keepdims=True),
        ((2, 7, 5),),
        ROUNDED,
    ),
    "maximum_along": Case(lambda x: reduction.extreme(x, 1, "max"), lambda x: x.max(1, keepdims=True), ((3, 9, 4),), 0.0),
    "minimum_along": Case(lambda x: reduction.extreme(x, 0, "min"), lambda x: x.min(0, keepdims=True), ((3, 9, 4),), 0.0),
    "product_along": Case(lambda x: reduction.product(x, (1,)), lambda x: x.prod(1, keepdims=True), ((3, 6),), ROUNDED),
    "variance": Case(
        lambda x: reduction.variance(x, (1, 2), True), lambda x: x.var((1, 2), ddof=1, keepdims=True), ((3, 6, 5),), ROUNDED
    ),
    **{
        f"matmul_{fidelity}": Case(_matmul(fidelity), np.matmul, _PRODUCT, LOFI if fidelity == "LoFi" else MASKED)
        for fidelity in ("LoFi", "HiFi2", "HiFi3")
    },
    "matmul_HiFi4": Case(_matmul(), np.matmul, _PRODUCT, ROUNDED),
    "matmul_float32": Case(_matmul(dtype="float32", fp32_dest=True), np.matmul, _PRODUCT, 0.001, "float32"),
    "matmul_bfloat8_b": Case(_matmul(dtype="bfloat8_b"), np.matmul, _PRODUCT, ROUNDED),
    "linear": Case(_matmul(activation=("silu", ())), lambda x, w, b: _SILU(x @ w + b), ((20, 40), (40, 24), (1, 24)), STAGES),
    "convolution": Case(
        _convolve(conv.Window((3, 3), (2, 2), ((1, 1), (1, 1)))),
        lambda x, w, b: _convolution(x, w, b, stride=2),
        ((2, 7, 6, 4), (3, 3, 4, 5), (5,)),
        ROUNDED,
    ),
    "convolution_grouped": Case(
        _convolve(conv.Window((2, 2), (1, 1), ((1, 1), (1, 1)), (2, 2), groups=2), activation=("tanh", ())),
        lambda x, w, b: np.tanh(_convolution(x, w, b, dilation=2, groups=2)),
        ((1, 5, 6, 4), (2, 2, 2, 6), (6,)),
        STAGES,
    ),
    "attention": Case(_flash(), _attention, QKV, STAGES),
    "attention_mask": Case(_flash(), _attention, (*QKV, (1, 1, 32, 32)), STAGES),
    "attention_causal": Case(_flash(allowed=jnp.asarray(CAUSAL)), lambda *x: _attention(*x, allowed=CAUSAL), QKV, STAGES),
    "attention_chunks": Case(
        _flash(allowed=jnp.asarray(CAUSAL), chunks=(16, 16)), lambda *x: _attention(*x, allowed=CAUSAL), QKV, STAGES
    ),
    "attention_sink": Case(
        _flash(sink=True), lambda q, k, v, sink: _attention(q, k, v, sink=sink), (*QKV, (1, 4, 1, 1)), STAGES
    ),
    "attention_default": Case(_flash(attention.Arithmetic(0.3)), _attention, QKV, TABLE),
    "rotary": Case(
        _with(rotary.rotate, dtype="bfloat16"),
        lambda x, c, s: x * c + _half_turn(x) * s,
        ((1, 2, 5, 32), (1, 1, 5, 32), (1, 1, 5, 32)),
        ROUNDED,
    ),
    "rotary_by_matrix": Case(
        lambda x, c, s: rotary.rotate_by_matrix(x, c, s, jnp.asarray(TURN, x.dtype), dtype="bfloat16"),
        lambda x, c, s: x * c + (x @ TURN) * s,
        ((1, 2, 5, 32), (1, 1, 5, 32), (1, 1, 5, 32)),
        ROUNDED,
    ),
    "max_pool": Case(lambda x: pool.max_pool(x, WINDOW), lambda x: _pool(x, np.max, -np.inf), ((2, 5, 5, 3),), 0.0),
    "average_pool": Case(
        lambda x: pool.average_pool(x, WINDOW, np.full((3, 3), 4.0, np.float32)),
        lambda x: _pool(x, np.mean, 0.0),
        ((2, 5, 5, 3),),
        1e-6,
        "float32",
    ),
    "repeat": Case(lambda x: resample.repeat(x, 2, 3), lambda x: x.repeat(2, 1).repeat(3, 2), ((1, 3, 4, 2),), ROUNDED),
    "scale_nearest": Case(
        lambda x: resample.scale_nearest(x, (2.0, 1.5)),
        lambda x: x[:, [0, 0, 1, 1, 2, 2]][:, :, [0, 0, 1, 2, 2, 3]],
        ((1, 3, 4, 2),),
        ROUNDED,
    ),
    "scale_bilinear": Case(lambda x: resample.scale_bilinear(x, (2, 2)), _scaled_twice, ((1, 3, 4, 2),), 1e-6, "float32"),
    "sample": Case(lambda x, grid: resample.sample(x, grid, False), _sample, ((1, 5, 6, 3), GRID), 1e-5, "float32"),
    "split_heads": Case(_split_heads, _heads_split, ((2, 5, 64),), 0.0),
    "concatenate_heads": Case(heads.concatenate, lambda x: x.transpose(0, 2, 1, 3).reshape(2, 5, -1), ((2, 3, 5, 4),), 0.0),
    "gather": Case(
        lambda x: data_movement.gather(x, INDEX, 0), lambda x: np.take_along_axis(x, np.asarray(INDEX), 0), ((6, 4),), ROUNDED
    ),
    "scatter_add": Case(_scattered("add"), _scatter(np.add), ((6, 4), (3, 4)), ROUNDED),
    "scatter_multiply": Case(_scattered("multiply"), _scatter(np.multiply), ((6, 4), (3, 4)), ROUNDED),
    "scatter_amax": Case(_scattered("amax"), _scatter(np.maximum), ((6, 4), (3, 4)), ROUNDED),
    "scatter_amin": Case(_scattered("amin"), _scatter(np.minimum), ((6, 4), (3, 4)), ROUNDED),
    "index_fill": Case(
        lambda x: data_movement.index_fill(x, ROWS, jnp.zeros((), x.dtype), 0),
        lambda x: np.where(np.isin(np.arange(6), np.asarray(ROWS))[:, None], 0, x),
        ((6, 4),),
        0.0,
    ),
    "indexed_fill": Case(lambda x, y: data_movement.indexed_fill(ROWS, x, y, 0), _indexed_fill, ((6, 3), (4, 3)), 0.0),
    "embedding": Case(lambda x: data_movement.rows(x, INDEX), lambda x: x[np.asarray(INDEX)], ((6, 5),), ROUNDED),
    "embedding_gradient": Case(
        lambda g: data_movement.sum_rows(g, ROWS, 6), lambda g: np.eye(6)[np.asarray(ROWS)].T @ g, ((4, 5),), ROUNDED
    ),
    "sort": Case(lambda x: sorting.sort(x, 1, True)[0], lambda x: -np.sort(-x, 1), ((3, 9, 2),), 0.0),
    "top_k": Case(lambda x: sorting.top_k(x, 4, 1, False)[0], lambda x: np.sort(x, 1)[:, :4], ((3, 9, 2),), 0.0),
    "cumsum": Case(_with(sorting.cumulative, 1, False, False), lambda x: x.cumsum(1), ((3, 7),), 1e-6, "float32"),
    "cumprod": Case(
        _with(sorting.cumulative, 1, True, True), lambda x: x[:, ::-1].cumprod(1)[:, ::-1], ((3, 7),), 1e-6, "float32"
    ),
    "cache_fill": Case(
        lambda cache, x: kv_cache.fill(cache, x, jnp.int32(1)),
        lambda cache, x: np.concatenate([cache[:1], np.concatenate([x, cache[1:, :, 3:]], 2)]),
        ((2, 2, 8, 4), (1, 2, 3, 4)),
        0.0,
    ),
    "cache_update": Case(
        lambda cache, x: kv_cache.update(cache, x, jnp.asarray([3, 7], jnp.int32)),
        _cache_update,
        ((2, 2, 8, 4), (2, 2, 4)),
        0.0,
    ),
    "block_float": Case(_with(block_float.quantize, "bfloat4_b"), lambda x: x, ((3, 40),), 0.0),
    "pack": Case(_with(packer.pack, "bfloat8_b"), lambda x: x, ((3, 40),), ROUNDED, "float32"),
    "typecast": Case(_with(packer.typecast, "bfloat8_b"), lambda x: x, ((3, 40),), 0.0),
    "convert": Case(_with(convert.convert, "float32", "bfloat4_b"), lambda x: x, ((3, 40),), ROUNDED, "float32"),
}
