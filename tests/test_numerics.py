"""The levels of numerics: how they are chosen, that level "device" is the device's, and that level "float32" rounds nothing."""

import os
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from oracles import engine
from patterns import assert_same_bits
from programs import HEADS, arrays, optimized
from recordings import DEVICE, values
from tt_jax.kernels import numerics

NAMES = {"bf16": tt.bfloat16, "bfp8": tt.bfloat8_b}
ONE_CORE = tt.CoreGrid(y=1, x=1)


@pytest.fixture
def memory():
    return tt.MemoryState.create(tt.N150)


def put(memory, *arrays, dtype=tt.bfloat16):
    tensors = []
    for x in arrays:
        memory, tensor = tt.from_array(memory, x, dtype=dtype, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    return memory, tensors


def recorded(name):
    with np.load(DEVICE / f"{name}.npz") as data:
        return {key: values(data[key]) for key in data.files}


def test_the_level_is_that_of_the_innermost_block():
    assert numerics.level() == "fast"
    with tt.numerics("device"):
        assert numerics.level() == "device"
        with tt.numerics("float32"):
            assert numerics.level() == "float32"
        assert numerics.level() == "device"
    with pytest.raises(KeyError), tt.numerics("device"):
        raise KeyError
    assert numerics.level() == "fast"


def test_another_level_is_refused():
    with pytest.raises(ValueError, match="level 'exact' is unknown: expected one of 'fast', 'device', 'float32'"):
        tt.numerics("exact")


@pytest.mark.parametrize(("value", "printed"), [("device", "device"), ("exact", "TT_JAX_NUMERICS 'exact' is unknown")])
def test_the_environment_chooses_the_default(value, printed):
    run = subprocess.run(
        [sys.executable, "-c", "from tt_jax.kernels import numerics; print(numerics.level())"],
        env={**os.environ, "TT_JAX_NUMERICS": value},
        capture_output=True,
        text=True,
    )
    assert printed in run.stdout + run.stderr
    assert (run.returncode == 0) == (value == "device")


def test_jit_traces_each_level_once():
    chex.clear_trace_counter()
    x = jnp.asarray([1.0 + 2.0**-12])
    round_trip = jax.jit(chex.assert_max_traces(lambda x: tt.kernels.rounding.nearest_away_bfloat16(x), n=2))
    for _ in range(2):
        assert round_trip(x)[0] == 1
        with tt.numerics("float32"):
            assert round_trip(x)[0] == x[0]


def test_the_program_cache_counts_a_program_once_for_all_levels(memory, cache):
    memory, (x,) = put(memory, np.ones((32, 32), np.float32))
    for level in numerics.LEVELS:
        with tt.numerics(level):
            tt.matmul(memory, x, x)
    assert (cache.entries, cache.hits, cache.misses) == (1, 2, 1)


@pytest.mark.parametrize("kind", [pytest.param("bf16", marks=pytest.mark.slow), "bfp8"])
def test_every_stage_of_the_optimized_attention_equals_the_device(memory, kind):
    """The stages as they were recorded: each works on what the one before returned here."""
    data, dtype, l1 = recorded("mha"), NAMES[kind], tt.L1_MEMORY_CONFIG
    made = {}
    with tt.numerics("device"):
        memory, (x, wqkv, bq, wo, bo) = put(memory, *(data[key] for key in ("x", "wqkv", "bq", "wo", "bo")), dtype=dtype)
        memory, (mask,) = put(memory, data["mask"])
        memory, made["qkv"] = tt.linear(memory, x, wqkv, bias=bq, memory_config=l1, dtype=dtype, core_grid=ONE_CORE)
        memory, (made["q"], made["k"], made["v"]) = tt.transformer.split_query_key_value_and_split_heads(
            memory, made["qkv"], memory_config=l1, num_heads=2
        )
        memory, scores = tt.matmul(memory, made["q"], made["k"], memory_config=l1, dtype=tt.bfloat16, core_grid=ONE_CORE)
        made["scores"] = scores
        memory, made["probs"] = tt.transformer.attention_softmax_(memory, scores, attention_mask=mask, head_size=32)
        memory, made["ctx"] = tt.matmul(memory, made["probs"], made["v"], memory_config=l1, dtype=dtype, core_grid=ONE_CORE)
        memory, made["concat"] = tt.transformer.concatenate_heads(memory, made["ctx"], memory_config=l1)
        memory, made["out"] = tt.linear(
            memory, made["concat"], wo, bias=bo, memory_config=l1, dtype=tt.bfloat16, core_grid=ONE_CORE
        )
    for stage, y in made.items():
        np.testing.assert_array_equal(values(tt.to_array(y)), data[f"{kind}_{stage}"].reshape(y.shape), err_msg=stage)


COMPOSITES = {
    "softmax_bf16_stable1": lambda m, x: tt.softmax(m, x, dim=-1, numeric_stable=True),
    "softmax_bf16_stable0": lambda m, x: tt.softmax(m, x, dim=-1, numeric_stable=False),
    "softmax_bfp8_stable1": lambda m, x: tt.softmax(m, x, dim=-1, numeric_stable=True),
    "softmax_bf16_noapprox": lambda m, x: tt.softmax(
        m, x, dim=-1, compute_kernel_config=tt.ComputeKernelConfig(tt.MathFidelity.HiFi4, math_approx_mode=False)
    ),
    "attention_softmax_nomask": lambda m, x: tt.transformer.attention_softmax(m, x, head_size=32, attention_mask=None),
    "layer_norm": lambda m, x: tt.layer_norm(m, x, epsilon=1e-5),
    "rms_norm": lambda m, x: tt.rms_norm(m, x, epsilon=1e-5),
    "sum": lambda m, x: tt.sum(m, x, dim=-1),
    "mean": lambda m, x: tt.mean(m, x, dim=-1),
    "max": lambda m, x: tt.max(m, x, dim=-1),
}


@pytest.mark.parametrize("key", COMPOSITES)
def test_composites_equal_the_device(memory, key):
    data = recorded("composite")
    with tt.numerics("device"):
        x = data["sm_x" if "softmax" in key else "ln_x"]
        memory, (x,) = put(memory, x, dtype=tt.bfloat8_b if "bfp8" in key else tt.bfloat16)
        _, y = COMPOSITES[key](memory, x)
    np.testing.assert_array_equal(values(tt.to_array(y)), data[key].reshape(y.shape))


@pytest.mark.slow
def test_jit_equals_eager_at_level_device(rng, memory):
    """The whole attention as one program and operation by operation, bit for bit."""
    inputs = arrays(rng)
    with tt.numerics("device"):
        after, y = optimized(memory, *inputs)
        jitted_after, jitted = jax.jit(optimized)(memory, *inputs)
    assert_same_bits(jitted, y)
    assert after == jitted_after == memory


def test_levels_differ_in_dot_products_by_the_engine_s_roundings(rng, memory):
    a, b = rng.normal(size=(64, 256)).astype(np.float32), rng.normal(size=(256, 64)).astype(np.float32)
    memory, tensors = put(memory, a, b)
    made = {}
    for level in numerics.LEVELS:
        with tt.numerics(level):
            made[level] = np.asarray(tt.to_array(tt.matmul(memory, *tensors)[1]), np.float64)
    exact = np.asarray(tt.to_array(tensors[0]), np.float64) @ np.asarray(tt.to_array(tensors[1]), np.float64)
    assert engine.relative_error(made["float32"], exact) < 1e-6
    assert 1e-4 < engine.relative_error(made["fast"], made["device"]) < 2e-2
    # A 16-bit Dst that is rounded 32 times, against once.
    assert engine.relative_error(made["fast"], exact) < engine.relative_error(made["device"], exact)


def test_level_float32_is_the_function_that_the_program_stands_for(rng, memory):
    """Attention of packed weights and 16-bit intermediates, with none of that: float64 within float32's own error."""
    inputs = arrays(rng)
    with tt.numerics("float32"):
        after, y = optimized(memory, *inputs)
        jitted = jax.jit(optimized)(memory, *inputs)[1]
    exact = engine.attention(*inputs, heads=HEADS)
    assert y.dtype == jnp.float32
    assert engine.relative_error(y, exact) < 2e-6
    assert engine.relative_error(jitted, exact) < 2e-6
    assert after == memory
    assert engine.relative_error(optimized(memory, *inputs)[1], exact) > 1e-3


def test_what_reads_bit_patterns_is_refused_at_level_float32(memory):
    memory, (x,) = put(memory, np.ones((32, 32), np.float32))
    with tt.numerics("float32"), pytest.raises(NotImplementedError, match="bitcast reads bit patterns"):
        tt.bitcast(memory, x, tt.uint16)
