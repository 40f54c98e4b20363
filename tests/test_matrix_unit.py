"""The matrix unit bit for bit: recordings of the device, an oracle in integers, and what follows from how it sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles import engine
from oracles import matrix_unit as oracle
from patterns import assert_same_bits
from recordings import DEVICE, carried, values
from tt_jax.kernels import matrix_unit, packer, rounding
from tt_jax.kernels.matrix_unit import Partials

FIDELITIES = ["LoFi", "HiFi2", "HiFi3", "HiFi4"]
NAMES = {"bf16": "bfloat16", "bfp8": "bfloat8_b", "f32": "float32"}

matmul = jax.jit(matrix_unit.matmul, static_argnums=(2, 3, 4))
pack = jax.jit(packer.pack, static_argnums=1)


def _recorded():
    with np.load(DEVICE / "matmul.npz") as data:
        return {key: data[key] for key in data.files}


RECORDED = _recorded()


@pytest.mark.parametrize("key", [key for key in RECORDED if key.count("_") == 4])
def test_equals_the_device(key):
    kind, dtype, fidelity, accumulation, out = key.split("_")
    a, b = (rounding.widen(carried(RECORDED[f"{kind}_{x}"], NAMES[dtype])) for x in "ab")
    dst = packer.to_dst(matmul(a, b, fidelity, accumulation == "acc1", None), accumulation == "acc1")
    np.testing.assert_array_equal(values(pack(dst, NAMES[out[3:]])), values(RECORDED[key]))


@pytest.mark.parametrize("kind", ["normal", "positive"])
@pytest.mark.parametrize(("dtype", "fidelity"), [("bf16", "HiFi2"), ("bfp8", "LoFi")])
def test_blocks_added_in_l1_equal_the_device(kind, dtype, fidelity):
    """What a matmul does by default: blocks of one tile, added by the packer, the last of which takes up the sum."""
    a, b = (rounding.widen(carried(RECORDED[f"{kind}_{x}"], NAMES[dtype])) for x in "ab")
    dst = matmul(a, b, fidelity, False, Partials(1, "bfloat16", True, False))
    np.testing.assert_array_equal(
        values(pack(packer.to_dst(dst, False), NAMES[dtype])), values(RECORDED[f"{kind}_{dtype}_default"])
    )


def _patterns(rng, shape, exponents):
    """Any TF32 numbers with biased exponents in a range, some of them zero."""
    mantissa = rng.integers(0, 2**10, shape).astype(np.uint32) << 13
    pattern = (
        rng.integers(0, 2, shape).astype(np.uint32) << 31 | rng.integers(*exponents, shape).astype(np.uint32) << 23 | mantissa
    )
    return np.where(rng.random(shape) < 0.1, np.float32(0), pattern.astype(np.uint32).view(np.float32))


@pytest.mark.parametrize("fp32_dest", [False, True], ids=["16-bit", "32-bit"])
@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("exponents", [(125, 129), (110, 140), (40, 200), (0, 256)], ids=str)
def test_equals_integers(rng, fidelity, fp32_dest, exponents):
    """Near and far exponents; those of (0, 256) overflow, underflow and cancel."""
    a, b = _patterns(rng, (32, 96), exponents), _patterns(rng, (96, 32), exponents)
    np.testing.assert_array_equal(np.asarray(matmul(a, b, fidelity, fp32_dest, None)), oracle.matmul(a, b, fidelity, fp32_dest))


@given(seed=st.integers(0, 2**32 - 1), fidelity=st.sampled_from(FIDELITIES), fp32_dest=st.booleans())
def test_the_order_within_a_group_of_eight_does_not_matter(seed, fidelity, fp32_dest):
    rng = np.random.default_rng(seed)
    a, b = _patterns(rng, (32, 96), (110, 140)), _patterns(rng, (96, 32), (110, 140))
    order = np.concatenate([start + rng.permutation(8) for start in range(0, 96, 8)])
    assert_same_bits(matmul(a[:, order], b[order], fidelity, fp32_dest, None), matmul(a, b, fidelity, fp32_dest, None))


@given(
    seed=st.integers(0, 2**32 - 1), shift=st.integers(-40, 40), fidelity=st.sampled_from(FIDELITIES), fp32_dest=st.booleans()
)
def test_a_power_of_two_only_moves_exponents(seed, shift, fidelity, fp32_dest):
    rng = np.random.default_rng(seed)
    a, b = _patterns(rng, (32, 96), (110, 140)), _patterns(rng, (96, 32), (110, 140))
    y = np.asarray(matmul(a, b, fidelity, fp32_dest, None))
    assert_same_bits(matmul(a * np.float32(2.0**shift), b, fidelity, fp32_dest, None), y * np.float32(2.0**shift))


@pytest.mark.parametrize("fp32_dest", [False, True], ids=["16-bit", "32-bit"])
def test_within_the_error_of_twelve_bits(rng, fp32_dest):
    """Against float64: each product is off by half of 2**-10 of its group's largest, a 16-bit Dst by half a step at every rounding."""
    a, b = (rounding.widen(carried(rng.normal(size=s).astype(np.float32), "bfloat16")) for s in ((32, 96), (96, 32)))
    exact = engine.matmul(np.asarray(a, np.float64), np.asarray(b, np.float64), "HiFi4")
    y = np.asarray(matmul(a, b, "HiFi4", fp32_dest, None), np.float64)
    largest = np.abs(np.asarray(a)[:, :, None] * np.asarray(b)[None]).reshape(32, 12, 8, 32).max(2)  # of each group
    bound = 8 * 2.0**-10 * largest.sum(1) * 1.2  # the later phases' groups have steps of 2**-5 and less of that
    if not fp32_dest:
        bound += 24 * 2.0**-8 * 1.5 * np.abs(np.cumsum(largest.repeat(2, 1), 1)).max(1)
    assert (np.abs(y - exact) <= bound).all()
    assert engine.relative_error(y, exact) < (2e-2 if not fp32_dest else 1e-3)


def test_zeros_fill_up_the_last_tile(rng):
    a, b = _patterns(rng, (32, 70), (110, 140)), _patterns(rng, (70, 32), (110, 140))
    whole_a, whole_b = np.pad(a, [(0, 0), (0, 26)]), np.pad(b, [(0, 26), (0, 0)])
    assert_same_bits(matmul(a, b, "LoFi", False, None), matmul(whole_a, whole_b, "LoFi", False, None))


def test_batches_broadcast(rng):
    a, b = _patterns(rng, (2, 1, 32, 64), (110, 140)), _patterns(rng, (3, 64, 32), (110, 140))
    y = np.asarray(matmul(a, b, "LoFi", False, None))
    assert y.shape == (2, 3, 32, 32)
    assert_same_bits(y[1, 2], matmul(a[1, 0], b[2], "LoFi", False, None))


@pytest.mark.parametrize("partials", [Partials(1, "bfloat16", False, False), Partials(2, "bfloat16", True, True)], ids=str)
def test_blocks_that_wait_in_bfloat16(rng, partials):
    """Taken up by the next block, a 16-bit Dst comes back as it was; added in L1, two blocks are rounded to even."""
    a, b = (_patterns(rng, shape, (120, 130)) for shape in ((32, 128), (128, 32)))
    y = matmul(a, b, "LoFi", False, partials)
    if not partials.packer_l1_acc:
        assert_same_bits(y, matmul(a, b, "LoFi", False, None))
        return
    first, second = matmul(a[:, :64], b[:64], "LoFi", False, None), matmul(a[:, 64:], b[64:], "LoFi", False, None)
    assert_same_bits(y, rounding.widen(rounding.nearest_even_bfloat16(first + second)))


def test_block_float_partials_lose_what_the_packer_rounds(rng):
    a, b = (_patterns(rng, shape, (120, 130)) for shape in ((32, 96), (96, 32)))
    y = matmul(a, b, "LoFi", False, Partials(1, "bfloat8_b", False, False))
    dst = jnp.zeros((32, 32))
    for start in (0, 32, 64):
        dst = _continued(rounding.widen(pack(dst, "bfloat8_b")), a[:, start : start + 32], b[start : start + 32])
    assert_same_bits(y, dst)


def _continued(dst, a, b):
    """`dst + a @ b` by the registers themselves."""
    in0, in1 = matrix_unit.register_b(a.T[..., None]), matrix_unit.register_a(jnp.asarray(b)[:, None])
    return matrix_unit.accumulate(dst, in1, in0, 0, len(b) // 32, "LoFi", False)


def test_a_32_bit_dst_comes_back_from_l1_as_it_was(rng):
    a, b = (_patterns(rng, shape, (120, 130)) for shape in ((32, 96), (96, 32)))
    assert_same_bits(matmul(a, b, "LoFi", True, Partials(1, "float32", True, False)), matmul(a, b, "LoFi", True, None))


@pytest.mark.parametrize("fp32_dest", [False, True], ids=["16-bit", "32-bit"])
def test_a_row_sum_is_a_product_with_a_column(rng, fp32_dest):
    x = _patterns(rng, (4, 32, 96), (110, 140))
    column = np.full((96, 1), 0.375, np.float32)
    y = jax.jit(matrix_unit.row_sum, static_argnums=(1, 2, 3))(x, 0.375, "HiFi3", fp32_dest)
    assert_same_bits(y, matmul(x, column, "HiFi3", fp32_dest, None))


def test_the_gradient_is_that_of_the_exact_product(rng):
    a, b, weight = (rng.normal(size=shape).astype(np.float32) for shape in ((32, 64), (64, 32), (32, 32)))
    da, db = jax.grad(lambda a, b: (matmul(a, b, "LoFi", False, None) * weight).sum(), argnums=(0, 1))(a, b)
    np.testing.assert_allclose(da, weight @ b.T, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(db, a.T @ weight, rtol=1e-4, atol=1e-4)


def test_an_unknown_fidelity_raises():
    with pytest.raises(KeyError, match="HiFi5"):
        matrix_unit.matmul(jnp.ones((32, 32)), jnp.ones((32, 32)), "HiFi5", False)
