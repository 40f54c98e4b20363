"""tt_jax.testing: what assert_close lets through and says, the reference packers against recordings, and what strategies draw."""

import importlib
import re
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import tt_jax as tt
import tt_jax.ttnn as ttnn
from patterns import assert_same_bits, bfloat16, pattern
from recordings import DEVICE, REFERENCE
from tt_jax import testing
from tt_jax.testing import assert_close, block_float
from tt_jax.testing import strategies as tts

FORMATS = ["bfloat8_b", "bfloat4_b"]
NAN, INF = np.nan, np.inf

every_format = pytest.mark.parametrize("format", FORMATS)


# -- assert_close -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def expected(rng):
    return rng.normal(size=(40, 50))


def message(actual, expected, **limits):
    with pytest.raises(AssertionError) as caught:
        assert_close(actual, expected, **limits)
    return str(caught.value)


def test_each_default_lies_between_what_passes_and_what_fails(rng, expected):
    noise = rng.normal(size=expected.shape)
    noise -= (noise * expected).sum() / (expected**2).sum() * expected  # which leaves the scale alone
    noise *= np.linalg.norm(expected) / np.linalg.norm(noise)
    assert_close(expected + 0.99 * testing.FROBENIUS * noise, expected)
    assert "PCC             0.998" in message(expected + 1.05 * testing.FROBENIUS * noise, expected, frobenius=None)
    assert re.search(
        r"relative error +0.0459.*FAILED by 0.0009\n", message(expected + 1.02 * testing.FROBENIUS * noise, expected)
    )
    for scale in (0.9972, 1.006):  # HiFi2, and the packer of bfloat8_b
        assert_close(expected * scale, expected)
    found = message(expected * 0.978, expected)  # LoFi
    assert re.search(r"PCC +1 +at least 0.999 +ok\n", found)
    assert re.search(r"relative error +0.022 +at most 0.045 +ok\n", found)
    assert re.search(r"scale +0.978 +1 \+- 0.01 +FAILED by 0.012\n", found)


def test_lofi_fails_where_a_correlation_would_not_see_it(rng):
    """The program of a user: a matmul with a core grid takes LoFi."""
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((64, 256), (256, 32)))
    memory, x = tt.from_array(tt.MemoryState.create(), a, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    memory, y = tt.from_array(memory, b, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    _, low = tt.matmul(memory, x, y, core_grid=tt.CoreGrid(x=2, y=1))
    _, high = tt.matmul(memory, x, y)
    assert_close(high, a @ b)
    found = message(low, a @ b)
    assert found.count("FAILED") == 1 and "scale           0.97" in found
    assert_close(low, a @ b, ratio=0.03)


def test_everything_with_values_is_taken(expected):
    array = expected.astype(ml_dtypes.bfloat16)
    memory, functional = tt.from_array(tt.MemoryState.create(), array, dtype=tt.bfloat16)
    with ttnn.manage_device(0) as device:
        facade = ttnn.from_numpy(array, device=device)
        same = (array, jnp.asarray(array), functional, facade, array.astype(np.float64).tolist(), Torch(array))
        for actual in same:
            for reference in same:
                assert_close(actual, reference, pcc=1.0, frobenius=0.0, ratio=0.0)
            assert "shapes differ" in message(actual, array[:1])
        assert testing.values(functional).dtype == testing.values(facade).dtype == ml_dtypes.bfloat16
    _, whole = tt.from_array(memory, np.arange(6, dtype=np.int32))
    assert_close(whole, range(6), frobenius=0.0)
    assert_close(2.0, jnp.float32(2.0))


class Torch:
    """As much of a torch tensor as is used of one, which is optional."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    cpu = double = detach

    def numpy(self):
        return self.array.astype(np.float64)


@pytest.mark.torch
def test_torch_tensors_are_taken(expected):
    torch = pytest.importorskip("torch")
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        tensor = torch.tensor(expected, requires_grad=True).to(dtype)
        assert_close(tensor, expected)
        assert_close(expected, tensor)
        assert "FAILED" in message(tensor, -expected)
    assert_close(torch.arange(5), np.arange(5))


def test_a_tensor_without_values_is_refused():
    _, x = tt.from_array(tt.MemoryState.create(), jax.ShapeDtypeStruct((3, 4), jnp.float32))
    for call in (lambda: assert_close(x, np.ones((3, 4))), lambda: testing.values(x.array)):
        with pytest.raises(tt.ArgumentError, match=r"a tensor of shape \(3, 4\) was made without values"):
            call()


def test_the_elements_furthest_off_are_listed(expected):
    actual = expected.copy()
    actual[3, 7] += 5
    actual[30, 1] -= 9
    found = message(actual, expected)
    assert "\n2 of 2,000 elements differ; furthest off:\n" in found
    listed = [f"  [{i}, {j}]: {actual[i, j]:.9g}, expected {expected[i, j]:.9g}" for i, j in ((30, 1), (3, 7))]
    assert found.endswith("furthest off:\n" + "\n".join(listed))
    assert found.splitlines()[0] == "arrays of shape (40, 50) are not close:"
    assert len(message(-expected, expected).splitlines()) == 5 + 5  # no more than five elements


def test_values_that_are_not_finite_must_be_the_same(expected):
    special = expected.copy()
    special[[0, 1, 2], 5] = NAN, INF, -INF
    assert_close(special * 1.001, special)
    for place, value in (((0, 5), 1.0), ((1, 5), NAN), ((2, 5), INF), ((9, 9), -INF)):
        other = special.copy()
        other[place] = value
        for actual, reference in ((other, special), (special, other)):
            found = message(actual, reference)
            assert "1 of 2,000 elements are not finite in one of the two and not the same in the other:" in found
            assert f"\n  {list(place)}: {actual[place]:.9g}, expected {reference[place]:.9g}" in found
    assert message(np.full((3, 3), NAN), np.zeros((3, 3))).splitlines()[-2:] == ["  [1, 1]: nan, expected 0", "  ..."]
    # And the rest is still compared.
    assert "FAILED" in message(np.where(np.isfinite(special), -special, special), special)


def test_shapes_are_the_same(expected):
    assert message(expected, expected[:20]) == "shapes differ: actual (40, 50), expected (20, 50)"
    found = message(expected[None], expected)
    assert (
        found
        == "shapes differ: actual (1, 40, 50), expected (40, 50); they differ by dimensions of 1 only: reshape one of them"
    )


@pytest.mark.parametrize(
    "actual, expected, close",
    [
        ([], [], True),
        (np.zeros((0, 4)), np.zeros((0, 4)), True),
        ([0.0, 0.0], [0.0, -0.0], True),
        ([3.0, 3.0], [3.0, 3.0], True),
        ([3.0, 3.02], [3.0, 3.0], True),  # no correlation with a constant: the other two decide
        ([3.0, 4.0], [3.0, 3.0], False),
        ([3.02], [3.0], True),
        ([4.0], [3.0], False),
        ([2.0, 2.0], [1.99, 2.01], False),  # close by the others, but it does not vary where it should
        ([1e-30, 0.0], [0.0, 0.0], False),
    ],
    ids=str,
)
def test_constants_zeros_and_nothing(actual, expected, close):
    if close:
        assert_close(actual, expected)
    else:
        message(actual, expected)


def test_what_is_said_where_a_measure_is_undefined():
    assert "expected is all zero; compare with np.testing.assert_allclose and an atol" in message([1.0, 2.0], [0.0, 0.0])
    assert re.search(r"PCC +nan .*FAILED: undefined, since actual is constant\n", message([2.0, 2.0], [1.99, 2.01]))
    found = message([1.0, 1.1], [1.0, 1.0], frobenius=None, ratio=None)
    assert re.search(r"PCC +nan .*FAILED: undefined, since expected is constant\n", found)


def test_a_measure_can_be_left_out(expected):
    wrong = expected * 3
    assert_close(wrong, expected, frobenius=None, ratio=None)
    assert "PCC" not in message(wrong, expected, pcc=None)
    assert "scale" not in message(wrong, expected, ratio=None)
    assert "relative error" not in message(wrong, expected, frobenius=None)


@pytest.mark.parametrize(
    "limits, expected",
    [
        ({"pcc": None, "frobenius": None, "ratio": None}, "give at least one of `pcc`, `frobenius` and `ratio`"),
        ({"pcc": 1.1}, "`pcc` is a correlation, from -1 to 1, got 1.1"),
        ({"pcc": NAN}, "`pcc` is a correlation"),
        ({"frobenius": -0.1}, "`frobenius` must be 0 or a positive number, got -0.1"),
        ({"ratio": INF}, "`ratio` must be 0 or a positive number, got inf"),
        ({"ratio": NAN}, "`ratio` must be"),
    ],
)
def test_limits_that_mean_nothing_are_refused(limits, expected):
    with pytest.raises(tt.ArgumentError, match=expected):
        assert_close([1.0, 2.0], [1.0, 2.0], **limits)


def test_what_is_no_array_of_numbers_is_refused():
    with pytest.raises(tt.ArgumentError, match="an array of real numbers is needed, got ndarray of dtype complex128"):
        assert_close([1j], [1.0])


# -- the reference packers ----------------------------------------------------------------------------------------------------------


@every_format
def test_the_host_packer_equals_the_recorded_bytes(format):
    recorded = np.load(REFERENCE / f"bfp_{format}.npz")
    cases = [key.removesuffix("__in") for key in recorded if key.endswith("__in")]
    assert len(cases) > 50
    for case in cases:
        x, raw, out = (recorded[f"{case}__{part}"] for part in ("in", "raw", "out"))
        packed = block_float.pack(x, format)
        assert_same_bits(packed, raw.reshape(packed.shape))
        assert_same_bits(block_float.unpack(packed, x.shape, format), out)
        assert_same_bits(block_float.quantize(x, format), out)


@every_format
@pytest.mark.parametrize("name", ["normal", "wide", "mant"])
def test_the_device_packer_equals_the_recorded_typecast(format, name):
    data = np.load(DEVICE / f"typecast_{name}.npz")
    x, typecast = bfloat16(data[f"{name}_x"]), data[f"{name}_typecast_{'bfp8' if format == 'bfloat8_b' else 'bfp4'}"]
    for rule in ("precise",) if format == "bfloat8_b" else ("precise", "device"):
        assert_same_bits(block_float.quantize(x.astype(np.float32), format, rule), typecast)
        assert_same_bits(block_float.quantize(x, format, rule), typecast.astype(ml_dtypes.bfloat16))


def test_the_default_device_packer_rounds_twice():
    """Worked by hand: 1 + 2**-7 + 2**-13 has 6 explicit bits as 1 + 2**-6, once more under exponent 1 it is a tie."""
    x = np.float32([[2.0, 1 + 2**-7 + 2**-13] + [0] * 14])
    assert float(block_float.quantize(x, "bfloat8_b", "device")[0, 1]) == 1 + 2**-5
    assert float(block_float.quantize(x, "bfloat8_b", "precise")[0, 1]) == 1
    x[0, 1] = 1 + 2**-6  # a tie itself: away, and to even
    assert float(block_float.quantize(x, "bfloat8_b", "precise")[0, 1]) == 1 + 2**-5
    assert float(block_float.quantize(x, "bfloat8_b", "host")[0, 1]) == 1


@every_format
@pytest.mark.parametrize("rule", ["host", "device", "precise"])
def test_a_tile_holds_what_quantize_gives(rng, format, rule):
    x = (rng.normal(size=(2, 33, 40)) * 2.0 ** rng.integers(-9, 9, (2, 33, 1))).astype(np.float32)
    packed = block_float.pack(x, format, rule)
    assert packed.shape == (2 * 2 * 2, block_float.tile_bytes(format)) and packed.dtype == np.uint8
    assert_same_bits(block_float.unpack(packed, x.shape, format), block_float.quantize(x, format, rule))


def test_a_tile_byte_for_byte():
    """Spec/numerics.md section 1.3: codes 0x40 to 0x4f; the third face's first group, two to a byte with the even one low."""
    x = np.zeros((32, 32), np.float32)
    x[16, :16] = 1 + np.arange(16) / 64
    eight, four = (block_float.pack(x, format)[0] for format in FORMATS)
    assert eight.size == 1088 and four.size == 576
    for tile, data in ((eight, bytes(range(0x40, 0x50))), (four, bytes.fromhex("4444444454555555"))):
        assert tile[32] == 127 and np.count_nonzero(tile[:64]) == 1
        start = 64 + 2 * 16 * len(data)
        assert tile[start : start + len(data)].tobytes() == data
        assert np.count_nonzero(tile[64:]) == len(data)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (5,), (1, 1), (3, 2, 17)])
@every_format
def test_any_shape_from_rank_1(shape, format):
    x = np.full(shape, 0.375, np.float32)
    assert_same_bits(block_float.quantize(x, format), x)
    assert_same_bits(block_float.unpack(block_float.pack(x, format), shape, format), x)


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda: block_float.tile_bytes("bfloat2_b"), "`format` must be bfloat8_b or bfloat4_b, got 'bfloat2_b'"),
        (lambda: block_float.quantize(np.ones(16, np.float32), "bfloat16"), "`format` must be bfloat8_b or bfloat4_b"),
        (lambda: block_float.quantize(np.ones(16, np.float32), "bfloat8_b", "even"), "`rule` must be host, device or precise"),
        (lambda: block_float.quantize(np.ones(16), "bfloat8_b"), "must be float32 or bfloat16, got float64: convert it"),
        (lambda: block_float.pack(np.float32(1), "bfloat8_b"), "`x` is a scalar: a block float needs at least one axis"),
        (
            lambda: block_float.unpack(np.zeros((1, 1088), np.uint8), (33, 32), "bfloat8_b"),
            r"shape \(33, 32\) take tiles \[2, 1088\], got \[1, 1088\]",
        ),
    ],
)
def test_errors_of_the_reference_packers(call, expected):
    with pytest.raises(tt.ArgumentError, match=expected):
        call()


# -- strategies ---------------------------------------------------------------------------------------------------------------------

FLOATS = [tt.float32, tt.bfloat16, tt.bfloat8_b, tt.bfloat4_b]
every_float = pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: d.kernel_name)
SPECIALS = {"allow_subnormal": True, "allow_infinity": True, "allow_nan": True}


@every_float
@pytest.mark.parametrize("exponents", [None, (0, 3), (-126, 128), (100, 101), (-126, -125)], ids=str)
@given(data=st.data())
def test_floats_are_exact_and_in_range(dtype, exponents, data):
    x = data.draw(tts.arrays(dtype, (3, 40), exponents=exponents))
    assert x.shape == (3, 40) and x.dtype == dtype.carrier
    low, high = exponents or (-30, 30)
    magnitudes = np.abs(x.astype(np.float64))
    assert (((magnitudes >= 2.0**low) & (magnitudes < 2.0**high)) | (pattern(x) == 0)).all()
    if dtype.is_block_float:
        for rule in ("host", "device", "precise"):
            assert_same_bits(block_float.quantize(x, dtype.kernel_name, rule), x)


@every_float
@given(data=st.data())
def test_special_values_are_exact_too(dtype, data):
    x = data.draw(tts.arrays(dtype, (3, 40), **SPECIALS))
    if dtype.is_block_float:
        assert_same_bits(block_float.quantize(x, dtype.kernel_name), x)
    else:
        assert_same_bits(np.asarray(tt.to_array(tt.from_array(tt.MemoryState.create(), x, dtype=dtype)[1])), x)


def drawn(strategy, count=100):
    """What `strategy` gives, so many times."""
    examples = []

    @settings(max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(x):
        examples.append(x)

    collect()
    return examples


def is_subnormal(x):
    return (np.abs(x.astype(np.float64)) < 2.0**-126) & (pattern(x) != 0)


@every_float
def test_every_kind_of_value_comes_up(dtype):
    """Not only simple ones: many scales, and each special value that is allowed, beside others, or in no element."""

    def some(condition, **options):
        return any(condition(x) for x in drawn(tts.arrays(dtype, (4, 64), **options)))

    def scales(x):
        return len(np.unique(np.frexp(x[x != 0].astype(np.float64))[1]))

    assert some(lambda x: scales(x) > 20)
    assert some(lambda x: scales(x) == 1 and np.count_nonzero(x) > 50)
    assert some(lambda x: x.any() and (x == np.rint(x.astype(np.float32))).all())
    assert some(lambda x: np.isnan(x).any() and not np.isnan(x).all(), allow_nan=True)
    assert some(lambda x: np.isposinf(x).any() and np.isneginf(x).any(), allow_infinity=True)
    assert some(lambda x: np.isfinite(x).all() and x.any(), **SPECIALS)
    assert some(lambda x: is_subnormal(x).sum() > 2, allow_subnormal=True) != dtype.is_block_float
    assert not some(lambda x: is_subnormal(x).any() or not np.isfinite(x).all(), exponents=(-126, 128))


@pytest.mark.parametrize(
    "dtype, narrower",
    [(tt.float32, "bfloat16"), (tt.bfloat16, "bfloat8_b"), (tt.bfloat8_b, "bfloat4_b")],
    ids=lambda d: getattr(d, "kernel_name", d),
)
def test_ties_lie_half_way(dtype, narrower):
    """Many elements are exactly half a unit from where the next narrower dtype rounds them."""

    def distance(x):
        wide = x.astype(np.float64)
        if narrower == "bfloat16":
            unit = np.ldexp(1.0, np.frexp(wide)[1] - 8)
            return np.abs(x.astype(ml_dtypes.bfloat16).astype(np.float64) - wide) / unit
        return testing.ulp_distance(block_float.quantize(x.astype(np.float32), narrower), wide, narrower)

    assert any((distance(x) == 0.5).mean() > 0.4 for x in drawn(tts.arrays(dtype, (4, 64)), 50))


@pytest.mark.parametrize("dtype", [tt.int32, tt.uint32, tt.uint16, tt.uint8], ids=lambda d: d.kernel_name)
def test_integers_of_every_size(dtype):
    info = np.iinfo(dtype.carrier)
    arrays = drawn(tts.arrays(dtype, (8, 8)))
    assert all(x.dtype == dtype.carrier for x in arrays)
    assert any((x == info.max).any() and (x == info.min).any() for x in arrays)
    assert any(len(np.unique(x)) > 40 and (x > info.max // 2).any() for x in arrays)
    assert any(x.any() and (np.abs(x.astype(np.int64)) <= 8).all() for x in arrays)
    few = np.array(drawn(tts.arrays(dtype, (8, 8), exponents=(0, 3)))).astype(np.int64)
    assert (few.max(), few.min()) == (7, max(-7, info.min))


def test_arrays_shrink_to_zeros():
    x = find(tts.arrays(tt.bfloat16, st.sampled_from([(2, 3), (40, 50)])), lambda x: True)
    assert x.shape == (2, 3) and not x.any()


@given(tts.shapes(min_rank=0, max_rank=5, max_side=70, max_batch=2))
def test_shapes_keep_to_their_limits(shape):
    assert len(shape) <= 5
    assert all(1 <= side <= 70 for side in shape[-2:]) and all(1 <= side <= 2 for side in shape[:-2])


def test_shapes_come_to_the_edges_of_tiles():
    seen = drawn(tts.shapes(max_rank=3), 500)
    for dim in (-1, -2):
        assert {1, 15, 16, 17, 31, 32, 33, 63, 64, 65} <= {shape[dim] for shape in seen}
    assert {len(shape) for shape in seen} == {2, 3}


@settings(max_examples=100)
@given(spec=tts.tensor_specs(device=tt.P150), data=st.data())
def test_specs_fit_onto_their_device(spec, data):
    """Sharded ones included: allocating raises nothing."""
    assert spec.bytes_per_bank(tt.P150) > 0
    assert spec.layout is tt.TILE_LAYOUT or not spec.dtype.is_block_float
    memory, x = data.draw(tts.tensors(spec, tt.MemoryState.create(tt.P150)))
    assert x.spec == spec and memory.is_live(x.buffer)
    assert x.array.shape == spec.shape and x.array.dtype == spec.dtype.carrier
    assert spec.layout is tt.TILE_LAYOUT or spec.padded_shape == spec.shape


def test_specs_of_every_dtype_layout_and_placement():
    specs = drawn(tts.tensor_specs(), 300)
    assert {spec.dtype for spec in specs} == set(tts.DTYPES)
    placed = {(spec.layout, spec.memory_config.memory_layout) for spec in specs}
    kinds = set(tt.TensorMemoryLayout) - {tt.TensorMemoryLayout.ND_SHARDED}
    assert placed == {(layout, kind) for layout in tt.Layout for kind in kinds}
    shards = [spec.memory_config.shard_spec for spec in specs if spec.memory_config.is_sharded()]
    assert {shard.orientation for shard in shards} == set(tt.ShardOrientation)
    assert max(shard.num_cores() for shard in shards) > 20


@given(st.data())
def test_parts_of_a_spec_can_be_given(data):
    fixed = {"shape": (3, 40), "dtypes": [tt.bfloat16], "layouts": [tt.TILE_LAYOUT], "memory_config": tt.L1_MEMORY_CONFIG}
    assert data.draw(tts.tensor_specs(**fixed)) == tt.TensorSpec((3, 40), tt.bfloat16, tt.TILE_LAYOUT, tt.L1_MEMORY_CONFIG)
    assert data.draw(tts.memory_configs()) in (tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG)
    assert not data.draw(tts.memory_configs((0, 32))).is_sharded()


@given(x=tts.tensors(tt.TensorSpec((4, 40), tt.bfloat8_b, tt.TILE_LAYOUT)), data=st.data())
def test_tensors_share_a_memory_and_run_through_operations(x, data):
    memory, x = x
    memory, y = data.draw(tts.tensors(x.spec, memory, exponents=(-3, 3)))
    assert memory.is_live(x.buffer) and memory.is_live(y.buffer) and x.address != y.address
    memory, z = tt.add(memory, x, y)
    assert z.spec.dtype is tt.bfloat8_b and memory.is_live(z.buffer)


def test_at_level_float32_tensors_are_float32():
    with tt.numerics("float32"):
        [(_, x)] = drawn(tts.tensors(tt.TensorSpec((4, 40), tt.bfloat8_b, tt.TILE_LAYOUT)), 1)
        assert x.array.dtype == jnp.float32


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda: tts.arrays("float16", (2,)), "`dtype` must be one of bfloat16"),
        (lambda: tts.arrays(tt.float32, (2,), exponents=(3, 3)), "`exponents` of float32 rise from -126 to at most 128"),
        (lambda: tts.arrays(tt.bfloat16, (2,), exponents=(-140, 3)), r"got \(-140, 3\)"),
        (lambda: tts.arrays(tt.int32, (2,), exponents=(-1, 3)), "`exponents` of int32 rise from 0 to at most 64"),
        (lambda: tts.arrays(tt.int32, (2,), allow_nan=True), "int32 has neither subnormals nor infinities nor NaN"),
        (lambda: drawn(tts.arrays(tt.bfloat8_b, ()), 1), "along the last axis, and a scalar has none"),
        (lambda: tts.shapes(min_rank=3, max_rank=2), "0 <= min_rank <= max_rank and sides of at least 1, got min_rank=3"),
        (lambda: tts.shapes(max_side=0), "max_side=0"),
    ],
)
def test_errors_of_strategies(call, expected):
    with pytest.raises(tt.ArgumentError, match=expected):
        call()


def test_a_tensor_that_does_not_fit_raises():
    memory, _ = tt.MemoryState.create().allocate(tt.BufferType.L1, 1_390_000)
    spec = tt.TensorSpec((256, 512), tt.float32, tt.TILE_LAYOUT, tt.L1_MEMORY_CONFIG)
    with pytest.raises(tt.OutOfMemoryError, match="tensors"):
        drawn(tts.tensors(spec, memory), 1)


def test_without_hypothesis_the_rest_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    for name in ("tt_jax.testing", "tt_jax.testing.strategies"):
        monkeypatch.delitem(sys.modules, name)
    importlib.import_module("tt_jax.testing").assert_close([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(tt.errors.NotInstalledError, match=r"with hypothesis, which is not installed: pip install hypothesis"):
        importlib.import_module("tt_jax.testing.strategies")
