"""Bit for bit what ttnn 0.81.1 gave: its host's bytes and values, and its device's typecast. See reference/README.md."""

import itertools
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest

from patterns import assert_same_bits, bfloat16
from tt_jax.kernels import block_float

REFERENCE = Path(__file__).parent / "reference"
FORMATS = ["bfloat8_b", "bfloat4_b"]
RECORDED = {format: dict(np.load(REFERENCE / f"bfp_{format}.npz")) for format in FORMATS}
CASES = [key.removesuffix("__in") for key in RECORDED["bfloat8_b"] if key.endswith("__in")]
OTHER_SHAPES = [case for case in CASES if case.startswith("shape")]
MOST_TILES = 24  # all cases are brought to one shape, which compiles once

pack = jax.jit(block_float.pack, static_argnums=1)
unpack = jax.jit(block_float.unpack, static_argnums=(1, 2))
quantize = jax.jit(block_float.quantize, static_argnums=(1, 2))

every_format = pytest.mark.parametrize("format", FORMATS)


def load(format, case):
    x, raw, out = (RECORDED[format][f"{case}__{part}"] for part in ("in", "raw", "out"))
    return x, raw.reshape(-1, block_float.tile_bytes(format)), out


def as_tiles(x):
    """`x` cut into matrices [MOST_TILES, 32, 32], in tile order, zeros at the edges and the end."""
    matrices = x.reshape(-1, *((1, 1) + x.shape)[-2:])
    matrices = np.pad(matrices, [(0, 0), (0, -matrices.shape[1] % 32), (0, -matrices.shape[2] % 32)])
    batch, height, width = matrices.shape
    tiles = matrices.reshape(batch, height // 32, 32, width // 32, 32).swapaxes(2, 3).reshape(-1, 32, 32)
    return np.pad(tiles, [(0, MOST_TILES - len(tiles)), (0, 0), (0, 0)])


@every_format
@pytest.mark.parametrize("case", CASES)
def test_host_values(format, case):
    x, raw, out = load(format, case)
    padded = np.pad(raw, [(0, MOST_TILES - len(raw)), (0, 0)])
    assert_same_bits(unpack(padded, (MOST_TILES, 32, 32), format), as_tiles(out))
    for dtype in (np.float32, ml_dtypes.bfloat16) if case.startswith("bf16_input") else (np.float32,):
        given = as_tiles(x).astype(dtype)
        assert_same_bits(pack(given, format), padded)
        assert_same_bits(quantize(given, format), as_tiles(out).astype(dtype))


@pytest.mark.parametrize("case, format", list(zip(OTHER_SHAPES, itertools.cycle(FORMATS), strict=False)))
def test_host_values_in_their_own_shape(case, format):
    x, raw, out = load(format, case)
    both = jax.jit(lambda x, raw: (block_float.pack(x, format), block_float.unpack(raw, x.shape, format)))
    packed, unpacked = both(x, raw)
    assert_same_bits(packed, raw)
    assert_same_bits(unpacked, out)


@every_format
@pytest.mark.parametrize("name", ["normal", "wide", "mant"])
def test_device_typecast(format, name):
    data = np.load(REFERENCE / "device" / f"typecast_{name}.npz")
    short = {"bfloat8_b": "bfp8", "bfloat4_b": "bfp4"}[format]
    typecast, host = data[f"{name}_typecast_{short}"], data[f"{name}_host_{short}"]
    for dtype in (np.float32, ml_dtypes.bfloat16):
        x = bfloat16(data[f"{name}_x"]).astype(dtype)
        assert_same_bits(quantize(x, format, "precise"), typecast.astype(dtype))
        assert_same_bits(quantize(x, format), host.astype(dtype))


@pytest.mark.parametrize("name", ["normal", "wide", "mant"])
def test_device_typecast_to_bfloat4_b_takes_the_default_rule(name):
    data = np.load(REFERENCE / "device" / f"typecast_{name}.npz")
    x = bfloat16(data[f"{name}_x"]).astype(np.float32)
    assert_same_bits(quantize(x, "bfloat4_b", "device"), data[f"{name}_typecast_bfp4"])


# The worked examples of spec/numerics.md sections 1.3 and 1.4: the start of a group of zeros, before and after.
EXAMPLES = [
    ("bfloat8_b", "host", [64.5, 65.5, 66.5, -64.5], [64, 66, 66, -64]),
    ("bfloat8_b", "host", [7.9999], [7.9375]),
    ("bfloat8_b", "host", [1.9921875, 1.99609375, 1.99], [1.984375, 1.984375, 1.984375]),
    ("bfloat8_b", "host", [1.0, 2**-7, 2**-7 * 1.0000128, 0.01171875, 0.0234375], [1.0, 0, 0, 0.015625, 0.03125]),
    ("bfloat8_b", "host", [1.0, 0.03125, -(2**-7)], [1.0, 0.03125, 0]),
    ("bfloat8_b", "host", [-0.0, -1e-9, 1.0], [0, 0, 1.0]),
    ("bfloat8_b", "host", [1e-40], [0]),
    ("bfloat8_b", "host", [np.inf, 1.0, -5], [np.inf, 0, 0]),
    ("bfloat4_b", "host", [1, 1.125, 1.375, 1.625, 1.875, 0.125, 0.375, 0.1251], [1, 1, 1.5, 1.5, 1.75, 0, 0.5, 0.25]),
    ("bfloat4_b", "host", [4, 5, 6, 7, 7.5, 7.49, 0.5, 0.51, 1.5, 2.5, 3.5], [4, 5, 6, 7, 7, 7, 0, 1, 2, 2, 4]),
    ("bfloat4_b", "device", [1.375, 1.6875, 1.2421875], [1.25, 1.5, 1.25]),
]


@pytest.mark.parametrize("format, rule, x, y", EXAMPLES)
def test_worked_examples(format, rule, x, y):
    group, expected = np.zeros((2, 16), np.float32)
    group[: len(x)], expected[: len(y)] = x, y
    assert_same_bits(quantize(group, format, rule), expected)


@pytest.mark.parametrize(
    "format, values, data",
    [
        ("bfloat8_b", [1 + k / 64 for k in range(16)], list(range(0x40, 0x50))),
        ("bfloat8_b", [-1, -0.5, 0.25], [0xC0, 0xA0, 0x10]),
        ("bfloat4_b", [1 + k / 64 for k in range(16)], [0x44, 0x44, 0x44, 0x44, 0x54, 0x55, 0x55, 0x55]),
        ("bfloat4_b", [-1, -0.5, 0.25], [0xAC, 0x01]),
    ],
)
def test_worked_bytes(format, values, data):
    row = np.zeros(16, np.float32)
    row[: len(values)] = values
    tile = np.asarray(pack(row, format))[0]
    assert tile[:64].tolist() == [127] + 63 * [0]
    assert tile[64 : 64 + len(data)].tolist() == data
    assert not tile[64 + len(data) :].any()
