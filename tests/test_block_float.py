import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from block_float_samples import KINDS, SHAPE, from_fields, sample
from oracles import rounding as rounding_oracle
from patterns import assert_same_bits, bfloat16, float32, pattern, random_patterns
from tt_jax.kernels import block_float
from tt_jax.testing import block_float as oracle

FORMATS = ["bfloat8_b", "bfloat4_b"]
RULES = ["host", "device", "precise"]
TILES = 8 * 2 * 3

pack = jax.jit(block_float.pack, static_argnums=1)
unpack = jax.jit(block_float.unpack, static_argnums=(1, 2))
quantize = jax.jit(block_float.quantize, static_argnums=(1, 2))

every_format = pytest.mark.parametrize("format", FORMATS)
every_rule = pytest.mark.parametrize("rule", RULES)
every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16], ids=["float32", "bfloat16"])


@every_format
@every_dtype
@every_kind
def test_pack_matches_oracle(format, dtype, kind):
    x = sample(kind, dtype)
    assert_same_bits(pack(x, format), oracle.pack(x, format))


@every_format
@every_rule
@every_dtype
@every_kind
def test_quantize_matches_oracle(format, rule, dtype, kind):
    x = sample(kind, dtype)
    assert_same_bits(quantize(x, format, rule), oracle.quantize(x, format, rule))


@every_format
@every_rule
@given(bits=random_patterns((4, 40)), lowest=st.integers(0, 255), span=st.sampled_from([2, 8, 256]))
def test_quantize_matches_oracle_on_any_bits(format, rule, bits, lowest, span):
    exponent = np.minimum(lowest + (bits >> 23) % span, 255)
    x = float32(bits & 0x807F_FFFF | exponent << 23)
    assert_same_bits(quantize(x, format, rule), oracle.quantize(x, format, rule))


@every_format
def test_unpack_decodes_every_code_under_every_exponent(format):
    group = np.arange(4096)
    codes = group[:, None] % 16 * 16 + np.arange(16)
    data = codes if format == "bfloat8_b" else codes[:, ::2]
    packed = np.concatenate([(group // 16).reshape(64, 64), data.reshape(64, -1)], -1).astype(np.uint8)
    assert_same_bits(unpack(packed, (64, 32, 32), format), oracle.unpack(packed, (64, 32, 32), format))


@pytest.mark.parametrize(
    "shape, format, rule",
    [
        ((50,), "bfloat8_b", "device"),
        ((3, 50), "bfloat4_b", "host"),
        ((2, 33, 17), "bfloat8_b", "precise"),
        ((2, 1, 5, 40), "bfloat4_b", "device"),
        ((1, 2, 2, 3, 31), "bfloat8_b", "host"),
    ],
)
def test_any_rank(shape, format, rule):
    x = sample("normal").reshape(-1)[: np.prod(shape)].reshape(shape)
    packed = pack(x, format)
    assert_same_bits(packed, oracle.pack(x, format))
    assert_same_bits(unpack(packed, shape, format), oracle.quantize(x, format))
    assert_same_bits(quantize(x, format, rule), oracle.quantize(x, format, rule))


@every_format
@every_dtype
@every_kind
def test_quantize_is_unpack_after_pack(format, dtype, kind):
    x = sample(kind, dtype)
    there_and_back = np.asarray(unpack(pack(x, format), SHAPE, format))
    expected = there_and_back if dtype == np.float32 else rounding_oracle.host_bfloat16(there_and_back)
    assert_same_bits(quantize(x, format, "host"), expected)


@every_format
@every_rule
@every_kind
def test_quantize_is_idempotent(format, rule, kind):
    once = quantize(sample(kind), format, rule)
    assert_same_bits(quantize(once, format, rule), once)


@every_format
@given(k=st.integers(-80, 80), seed=st.integers(0, 2**32 - 1))
def test_scaling_by_a_power_of_two_moves_only_exponents(format, k, seed):
    x = float32(from_fields(np.random.default_rng(seed), 100, 150))
    x[0] = 0
    scaled = np.ldexp(x, k)
    before, after = np.asarray(pack(x, format)).astype(np.int64), np.asarray(pack(scaled, format))
    before[:, :64] += np.where(before[:, :64] == 0, 0, k)
    np.testing.assert_array_equal(after, before)
    for rule in RULES:
        assert_same_bits(quantize(scaled, format, rule), np.ldexp(np.asarray(quantize(x, format, rule)), k))


# On bfloat16 input, in steps of the group. To bfloat4_b the host saturates (7.97 becomes 7) and the device truncates.
WORST = {
    ("bfloat8_b", "host"): 1 / 2,
    ("bfloat8_b", "precise"): 1 / 2,
    ("bfloat8_b", "device"): 3 / 4,
    ("bfloat4_b", "host"): 31 / 32,
    ("bfloat4_b", "device"): 123 / 128,
}


@pytest.mark.parametrize("format, rule", list(WORST))
def test_worst_error(format, rule):
    x = bfloat16(from_fields(np.random.default_rng(7), 110, 131) >> 16)
    y = np.asarray(quantize(x, format, rule)).astype(np.float64)
    step = np.asarray(block_float.shared_exponents(y.astype(ml_dtypes.bfloat16))).astype(np.float64)
    steps = np.repeat(step, 16, -1)[..., : SHAPE[-1]] / 2.0 ** (oracle.MAGNITUDE_BITS[format] - 1)
    error = np.abs(x.astype(np.float64) - y) / steps
    assert error.max() == WORST[format, rule]
    if rule == "host":
        saturates = np.abs(x.astype(np.float64)) > (2 ** oracle.MAGNITUDE_BITS[format] - 1) * steps
        assert error[~saturates].max() == 1 / 2


@every_kind
@every_dtype
def test_shared_exponents_are_those_of_the_packed_bytes(kind, dtype):
    x = sample(kind, dtype)
    shared = jax.jit(block_float.shared_exponents)(x)
    assert shared.dtype == jnp.float8_e8m0fnu
    padded = np.pad(pattern(shared), [(0, 0), (0, 24), (0, 1)])
    faces = padded.reshape(8, 2, 2, 16, 3, 2).transpose(0, 1, 4, 2, 5, 3)
    assert_same_bits(pack(x, "bfloat8_b")[:, :64], faces.reshape(TILES, 64))


def test_shared_exponents_are_powers_of_two():
    x = np.array([[3.0, -9.0, 0.5], [0.0, -0.0, 1e-40], [1.0, -np.inf, 2.0], [1.0, np.nan, 2.0]], np.float32)
    np.testing.assert_array_equal(
        np.asarray(block_float.shared_exponents(jnp.asarray(x))).astype(np.float64)[:, 0], [8.0, 2.0**-127, np.nan, np.nan]
    )


@every_format
@pytest.mark.parametrize("kind", ["any bits", "tiny", "wide"])
def test_eager_is_as_compiled(format, kind):
    x = jnp.asarray(sample(kind))
    packed = block_float.pack(x, format)
    assert_same_bits(packed, pack(x, format))
    assert_same_bits(block_float.unpack(packed, SHAPE, format), unpack(packed, SHAPE, format))
    assert_same_bits(block_float.shared_exponents(x), jax.jit(block_float.shared_exponents)(x))
    for rule in RULES:
        assert_same_bits(block_float.quantize(x, format, rule), quantize(x, format, rule))
    x = x.astype(jnp.bfloat16)
    assert_same_bits(block_float.quantize(x, format), quantize(x, format))


@pytest.mark.parametrize(
    "format, rule, dtype",
    [
        ("bfloat8_b", "host", jnp.float32),
        ("bfloat8_b", "device", jnp.bfloat16),
        ("bfloat8_b", "precise", jnp.float32),
        ("bfloat4_b", "host", jnp.bfloat16),
        ("bfloat4_b", "device", jnp.float32),
    ],
)
def test_derivative_is_the_identitys(format, rule, dtype):
    function = functools.partial(block_float.quantize, format=format, rule=rule)
    x = jnp.asarray(sample("normal")[0, :3], dtype)
    weights = jnp.asarray(sample("normal", seed=1)[0, :3], dtype)

    @jax.jit
    def derivatives(x, weights):
        gradient = jax.grad(lambda x: (function(x) * weights).astype(jnp.float32).sum())
        by_rows = jax.vmap(jax.grad(lambda row, w: (function(row) * w).astype(jnp.float32).sum()))
        return gradient(x), by_rows(x, weights), jax.jvp(function, (x,), (weights,)), jax.vmap(function)(x)

    gradient, gradient_by_rows, (y, tangent), y_by_rows = derivatives(x, weights)
    assert_same_bits(gradient, weights)
    assert_same_bits(gradient_by_rows, weights)
    assert_same_bits(tangent, weights)
    assert_same_bits(y, oracle.quantize(np.asarray(x), format, rule))
    assert_same_bits(y_by_rows, y)


def test_tile_bytes():
    assert [block_float.tile_bytes(format) for format in FORMATS] == [1088, 576]


TILE = np.zeros((1, 1088), np.uint8)
ROW = np.zeros(16, np.float32)


@pytest.mark.parametrize(
    "call, error, expected",
    [
        (lambda: block_float.tile_bytes("bfloat2_b"), ValueError, "'bfloat2_b' is no block float"),
        (lambda: block_float.pack(ROW, "bfloat16"), ValueError, "expected 'bfloat8_b' or 'bfloat4_b'"),
        (lambda: block_float.pack(jnp.float32(1), "bfloat8_b"), ValueError, "`x` has rank 0; a block float needs"),
        (lambda: block_float.pack(ROW.astype(np.float16), "bfloat8_b"), TypeError, "bfloat16 or float32, not float16"),
        (lambda: block_float.unpack(TILE, (32, 32), "bfloat16"), ValueError, "'bfloat16' is no block float"),
        (lambda: block_float.unpack(TILE, (32, 32), "bfloat4_b"), ValueError, r"have 576 bytes: .* got \(1, 1088\)"),
        (lambda: block_float.unpack(TILE[0], (32, 32), "bfloat8_b"), ValueError, r"expected \[tiles, 1088\], got \(1088,\)"),
        (lambda: block_float.unpack(TILE, (33, 32), "bfloat8_b"), ValueError, r"shape \(33, 32\) takes 2 tiles"),
        (lambda: block_float.quantize(ROW, "bfp8"), ValueError, "'bfp8' is no block float"),
        (lambda: block_float.quantize(ROW, "bfloat8_b", "nearest"), ValueError, "rule 'nearest' is unknown: expected 'host'"),
        (lambda: block_float.quantize(jnp.float32(1), "bfloat8_b"), ValueError, "`x` has rank 0; a block float needs"),
        (lambda: block_float.shared_exponents(jnp.float32(1)), ValueError, "`x` has rank 0; a block float needs"),
        (lambda: block_float.quantize(ROW.astype(np.int32), "bfloat8_b"), TypeError, "bfloat16 or float32, not int32"),
        (lambda: block_float.shared_exponents(ROW.astype(np.float16)), TypeError, "bfloat16 or float32, not float16"),
    ],
)
def test_errors(call, error, expected):
    with pytest.raises(error, match=expected):
        call()


@pytest.mark.parametrize("rule", ["host", "device", "precise"])
@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_nothing_is_quantized_to_nothing(shape, rule):
    assert block_float.quantize(jnp.zeros(shape), "bfloat8_b", rule).shape == shape
