"""Element-wise operations of one tensor: dtypes, placement, programs, parameters, what they refuse."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import patterns
import tt_jax as tt
from tt_jax.activations import GeluVariant, SigmoidMode, UnaryOpType, UnaryWithParam, as_activation, as_activations
from tt_jax.ops import gated, unary, unary_composite, unary_parametric

T = UnaryOpType
OPERATIONS = {
    name: getattr(module, name) for module in (unary, unary_parametric, unary_composite, gated) for name in module.__all__
}
# Arguments that an operation cannot go without.
ARGUMENTS = {
    "bitcast": (tt.uint16,),
    "clamp": (-1.0, 1.0),
    "clip": (-1.0, 1.0),
    "fill": (2.0,),
    "heaviside": (0.5,),
    "polygamma": (1,),
    "rdiv": (2.0,),
    "relu_max": (3.0,),
    "relu_min": (1.0,),
    "rpow": (2.0,),
    "softcap": (2.0,),
    "threshold": (1.0, 2.0),
    "unary_chain": ([T.RELU, UnaryWithParam(T.ADD_UNARY_SFPU, 2.0)],),
}
SHAPE = (1, 1, 32, 128)
erf = np.vectorize(math.erf)


def put(memory, values, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT, **where):
    return tt.from_array(memory, values, dtype=dtype, layout=layout, **where)


def abstract(dtype=tt.bfloat16, layout=tt.TILE_LAYOUT, shape=SHAPE, device=tt.N150, **where):
    values = jax.ShapeDtypeStruct(shape, dtype.carrier)
    return put(tt.MemoryState.create(device), values, dtype, layout, **where)


def whole_values(rng, dtype, shape=SHAPE):
    limits = np.iinfo(dtype.carrier)
    return rng.integers(max(limits.min, -1000), min(limits.max, 1000), shape).astype(dtype.carrier)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_what_it_is(name):
    operation = OPERATIONS[name]
    assert operation.__name__ == name and len(operation.__doc__) > 10
    first, second, *rest = inspect.signature(operation).parameters.values()
    assert (first.name, second.name) == ("memory", "input_tensor")
    assert "memory_config" in [p.name for p in rest]
    assert tt.float32 in operation.support.dtypes or name in ("bitwise_not", "glu", "geglu", "reglu", "swiglu", "softcap")


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_it_supports_is_what_it_takes(name):
    operation = OPERATIONS[name]
    device = tt.P150 if name == "softcap" else tt.N150
    for dtype in tt.DataType:
        if dtype.name in ("FP8_E4M3", "INVALID"):
            continue
        memory, x = abstract(dtype, device=device)
        arguments = ARGUMENTS.get(name, ())
        if name == "bitcast":
            arguments = ({2: tt.uint16, 4: tt.uint32}.get(dtype.carrier.itemsize, tt.uint16),)
        if name == "unary_chain" and not dtype.is_float:
            continue
        if dtype in operation.support.dtypes:
            with tt.ProgramCache().use() as cache:
                after, y = operation(memory, x, *arguments)
            assert y.dtype is (arguments[0] if name == "bitcast" else dtype if name != "clamp" and name != "clip" else y.dtype)
            assert cache.entries >= 1 and after.is_live(y.buffer)
        else:
            with pytest.raises((tt.ArgumentError, tt.NotModelledError), match=name):
                operation(memory, x, *arguments)


@pytest.mark.parametrize("layout", [tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT])
def test_output_lies_where_the_input_does_unless_told(layout):
    memory, x = abstract(layout=layout, memory_config=tt.L1_MEMORY_CONFIG)
    after, y = unary.relu(memory, x)
    assert y.spec == x.spec
    after, y = unary.relu(memory, x, memory_config=tt.DRAM_MEMORY_CONFIG)
    assert y.memory_config == tt.DRAM_MEMORY_CONFIG and y.layout is layout
    memory, given = tt.from_array(memory, y.array, dtype=tt.bfloat16, layout=layout)
    after, y = unary.relu(memory, x, output_tensor=given)
    assert y.buffer == given.buffer and after == memory


def test_an_output_tensor_may_have_another_float_dtype(rng):
    memory, x = put(tt.MemoryState.create(tt.N150), rng.normal(size=(32, 32)))
    memory, wide = put(memory, np.zeros((32, 32)), tt.float32)
    _, y = unary.exp(memory, x, output_tensor=wide)
    exact = np.exp(np.asarray(x.array, np.float64))
    assert y.dtype is tt.float32
    np.testing.assert_allclose(y.array, exact, rtol=1e-6)  # the 32-bit Dst, not a bfloat16 widened


def test_one_program_an_operation_and_one_a_variant():
    memory, x = abstract()
    with tt.ProgramCache().use() as cache:
        for entries, call in enumerate(
            (unary.relu, unary.exp, lambda m, x: unary.exp(m, x, fast_and_approximate_mode=True)), 1
        ):
            call(memory, x)
            call(memory, x)
            assert cache.entries == entries


def test_a_program_clashes_with_what_lies_low_in_L1():
    memory, x = abstract(shape=(288, 192))
    free = memory.view(tt.BufferType.L1).largest_contiguous_bytes_free_per_bank - 4096
    rows = free // 32 * memory.device.l1_banks
    filler = jax.ShapeDtypeStruct((rows, 8), np.float32)
    memory, _ = tt.from_array(memory, filler, dtype=tt.float32, layout=tt.ROW_MAJOR_LAYOUT, memory_config=tt.L1_MEMORY_CONFIG)
    with pytest.raises(tt.L1ClashError, match="114,016"):  # the end that ttnn reports
        unary.gelu(memory, x)


def test_in_place():
    memory, x = put(tt.MemoryState.create(tt.N150), np.array([[0.0, 1.0, -2.0, 0.0]]))
    after, y = unary.logical_not_(memory, x)
    assert y.buffer == x.buffer and after == memory
    np.testing.assert_array_equal(np.asarray(y.array, np.float32), [[1, 0, 0, 1]])


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.floats(-50, 50, width=16), min_size=1, max_size=40),
    st.sampled_from(["exp", "silu", "mish", "tanh", "rsqrt", "log"]),
)
def test_jit_equals_eager(values, name):
    memory, x = put(tt.MemoryState.create(tt.N150), np.asarray([values], np.float32))
    operation = OPERATIONS[name]
    eager = operation(memory, x)[1].array
    jitted = jax.jit(lambda x: operation(memory, x)[1])(x).array
    np.testing.assert_array_equal(patterns.pattern(eager), patterns.pattern(jitted))


def test_gradients_flow_through_a_program(rng):
    memory, x = put(tt.MemoryState.create(tt.N150), rng.normal(size=(32, 32)))

    def loss(x):
        m, y = unary.gelu(memory, x)
        m, y = unary.tanh(m, y)
        return y.array.astype(jnp.float32).sum()

    slope = np.asarray(jax.grad(loss, allow_int=True)(x).array, np.float64)
    z = np.asarray(x.array, np.float64)
    h = 1e-4
    f = lambda z: np.tanh(z * 0.5 * (1 + erf(z / np.sqrt(2))))
    np.testing.assert_allclose(slope, (f(z + h) - f(z - h)) / (2 * h), atol=0.02)


@pytest.mark.parametrize("dtype", [tt.int32, tt.uint32, tt.uint16, tt.uint8])
def test_relu_family_of_integers(rng, dtype):
    memory, x = put(tt.MemoryState.create(tt.N150), whole_values(rng, dtype), dtype)
    z = np.asarray(x.array).astype(np.int64)
    for y, expected in (
        (unary.relu(memory, x), np.maximum(z, 0)),
        (unary.relu6(memory, x), np.clip(z, 0, 6)),
        (unary_parametric.relu_max(memory, x, 9), np.clip(z, 0, 9)),
        (unary_parametric.relu_min(memory, x, 9), np.maximum(z, 9)),
        (unary.abs(memory, x), np.abs(z)),
    ):
        np.testing.assert_array_equal(np.asarray(y[1].array), expected)


@pytest.mark.parametrize("gate", ["glu", "reglu", "geglu", "swiglu"])
def test_gated_units(rng, gate):
    memory, x = put(tt.MemoryState.create(tt.N150), rng.normal(size=SHAPE))
    with tt.ProgramCache().use() as cache:
        after, y = OPERATIONS[gate](memory, x)
    a, b = np.split(np.asarray(x.array, np.float64), 2, -1)
    opened = {
        "glu": lambda b: 1 / (1 + np.exp(-b)),
        "reglu": lambda b: np.maximum(b, 0),
        "geglu": lambda b: b * 0.5 * (1 + erf(b / np.sqrt(2))),
        "swiglu": lambda b: b / (1 + np.exp(-b)),
    }[gate](b)
    expected = a * opened
    assert y.shape == (1, 1, 32, 64) and cache.entries == 4
    assert np.linalg.norm(np.asarray(y.array, np.float64) - expected) < 5e-3 * np.linalg.norm(expected)
    assert tt.deallocate(after, y) == memory  # what lay between is freed


def test_clamp(rng):
    memory, x = put(tt.MemoryState.create(tt.N150), rng.normal(size=SHAPE))
    memory, low = put(memory, rng.normal(size=(1, 1, 1, 128)) - 1)
    memory, high = put(memory, rng.normal(size=SHAPE) + 1)
    z, a, b = (np.asarray(t.array, np.float32) for t in (x, low, high))
    clamp = unary_composite.clamp
    for y, expected in (
        (clamp(memory, x, -0.5, 0.5), np.clip(z, -0.5, 0.5)),
        (clamp(memory, x, min=-0.5), np.maximum(z, -0.5)),
        (clamp(memory, x, max=0.5), np.minimum(z, 0.5)),
        (clamp(memory, x, low, high), np.minimum(np.maximum(z, a), b)),
        (clamp(memory, x, max=high), np.minimum(z, b)),
        (unary_composite.clip(memory, x, 1.0, -1.0), np.full_like(z, -1)),
    ):
        np.testing.assert_array_equal(np.asarray(y[1].array, np.float32), expected)


def test_clamp_of_integers(rng):
    memory, x = put(tt.MemoryState.create(tt.N150), whole_values(rng, tt.int32), tt.int32)
    z = np.asarray(x.array)
    _, y = unary_composite.clamp(memory, x, -3, 2**31 - 1)
    np.testing.assert_array_equal(y.array, np.maximum(z, -3))
    after, y = unary_composite.clamp(memory, x, -3.5, 3.5)
    assert y.dtype is tt.float32 and tt.deallocate(after, y) == memory
    np.testing.assert_array_equal(y.array, np.clip(z.astype(np.float32), -3.5, 3.5))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=8))
def test_bitcast_is_its_own_inverse(values):
    memory, x = put(tt.MemoryState.create(tt.N150), np.asarray([values], np.uint16), tt.uint16)
    memory, y = unary_composite.bitcast(memory, x, tt.bfloat16)
    np.testing.assert_array_equal(patterns.pattern(y.array), x.array)
    _, back = unary_composite.bitcast(memory, y, tt.uint16)
    np.testing.assert_array_equal(back.array, x.array)


def test_variants():
    memory, x = put(tt.MemoryState.create(tt.N150), np.linspace(-4, 4, 64)[None])
    z = np.asarray(x.array, np.float64)
    gelu, sigmoid = unary.gelu, unary.sigmoid
    value = lambda result: np.asarray(result[1].array, np.float64)
    tanh_form = 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
    np.testing.assert_allclose(value(gelu(memory, x, variant=GeluVariant.Tanh)), tanh_form, rtol=4e-3, atol=1e-6)
    fast = value(gelu(memory, x, fast_and_approximate_mode=True))
    np.testing.assert_array_equal(fast, value(gelu(memory, x, variant=GeluVariant.FastLut)))
    assert (fast != value(gelu(memory, x))).any()
    fast = value(sigmoid(memory, x, mode=SigmoidMode.FastApproximate))
    np.testing.assert_array_equal(fast, value(sigmoid(memory, x, fast_and_approximate_mode=True)))
    assert (fast != value(sigmoid(memory, x, vector_mode=2))).any()


def test_parameters_by_their_names():
    memory, x = put(tt.MemoryState.create(tt.N150), np.array([[-2.0, -0.25, 0.0, 0.25, 2.75, 12.345]]), tt.float32)
    z = np.asarray(x.array, np.float64)
    p = unary_parametric
    for (_, y), expected in (
        (p.leaky_relu(memory, x, negative_slope=0.25), np.where(z < 0, z / 4, z)),
        (p.elu(memory, x, alpha=2.0), np.where(z > 0, z, 2 * np.expm1(z))),
        (p.celu(memory, x, alpha=2.0), np.where(z > 0, z, 2 * np.expm1(z / 2))),
        (p.selu(memory, x, scale=2.0, alpha=0.5), 2 * np.where(z > 0, z, 0.5 * np.expm1(z))),
        (p.hardtanh(memory, x, min_val=-0.5, max_val=1.0), np.clip(z, -0.5, 1)),
        (p.softplus(memory, x, beta=2.0, threshold=1.0), np.where(2 * z > 1, z, np.log1p(np.exp(2 * z)) / 2)),
        (p.threshold(memory, x, threshold=1.0, value=-9.0), np.where(z > 1, z, -9)),
        (p.round(memory, x, decimals=1), np.round(z, 1)),
        (p.round(memory, x, decimals=-1), np.round(z, -1)),
        (p.rdiv(memory, x, value=3.0, rounding_mode="floor"), np.array([[-2.0, -12.0, np.inf, 12.0, 1.0, 0.0]])),
        (p.logit(memory, x, eps=0.1), np.log(np.clip(z, 0.1, 0.9) / (1 - np.clip(z, 0.1, 0.9)))),
        (p.alt_complex_rotate90(memory, x), np.array([[0.25, -2.0, -0.25, 0.0, -12.345, 2.75]])),
    ):
        np.testing.assert_allclose(y.array, expected, rtol=1e-5, atol=1e-6)


def test_logit_clips_between_eps_and_its_complement_in_either_order():
    memory, x = put(tt.MemoryState.create(tt.N150), [[-1.0, 0.2, 0.5, 0.7, 2.0]], tt.float32)
    for eps in (0.25, 0.75):
        z = np.clip([[-1.0, 0.2, 0.5, 0.7, 2.0]], 0.25, 0.75)
        np.testing.assert_allclose(
            unary_parametric.logit(memory, x, eps=eps)[1].array, np.log(z / (1 - z)), rtol=1e-5, atol=1e-6
        )
    whole = unary_parametric.logit(memory, x, eps=1.0)[1].array
    assert float(whole[0, 0]) == -math.inf and float(whole[0, 4]) == math.inf


def test_hardmish_multiplies_minus_infinity_by_0():
    memory, x = put(tt.MemoryState.create(tt.N150), [[-math.inf, math.inf]], tt.float32)
    y = unary.hardmish(memory, x)[1].array
    assert math.isnan(float(y[0, 0])) and float(y[0, 1]) == math.inf


def test_tanhshrink_has_a_faster_variant(rng):
    memory, x = put(tt.MemoryState.create(tt.N150), rng.normal(size=(32, 32)))
    exact, fast = (unary.tanhshrink(memory, x, fast_and_approximate_mode=flag)[1] for flag in (False, True))
    np.testing.assert_array_equal(exact.array, fast.array)


def test_an_activation_with_its_parameter_in_a_pair():
    assert as_activation("add", (UnaryOpType.POWER, 3)) == UnaryWithParam(UnaryOpType.POWER, 3)
    with pytest.raises(tt.ArgumentError, match="is a name, a UnaryOpType"):
        as_activation("add", ("relu", 3))


def test_a_chain_of_one_is_the_operation(rng):
    memory, x = put(tt.MemoryState.create(tt.N150), rng.normal(size=(32, 32)))
    for step, operation in ((T.RELU, unary.relu), (UnaryWithParam(T.GELU, 0.0), unary.gelu), ("silu", unary.silu)):
        _, y = unary_parametric.unary_chain(memory, x, [step])
        np.testing.assert_array_equal(patterns.pattern(y.array), patterns.pattern(operation(memory, x)[1].array))


def test_activations_are_read_as_ttnn_writes_them():
    assert UnaryWithParam(T.LEAKY_RELU, 0.1) == UnaryWithParam((T.LEAKY_RELU, 0.1)) == UnaryWithParam(T.LEAKY_RELU, [0.1])
    assert hash(UnaryWithParam(T.RELU)) == hash(UnaryWithParam(T.RELU))
    assert UnaryWithParam(T.EXP, True).params == (1.0,)
    assert as_activation("matmul", "gelu") == UnaryWithParam(T.GELU, False)
    assert as_activation("matmul", T.RELU) == as_activation("matmul", "relu") == UnaryWithParam(T.RELU)
    assert as_activations("add", None) == ()
    assert as_activations("add", "relu") == as_activations("add", ["relu"]) == (UnaryWithParam(T.RELU),)
    assert [step.op_type for step in as_activations("add", [T.RELU, "silu"])] == [T.RELU, T.SILU]
    assert repr(UnaryWithParam(T.ELU, 1.5)) == "UnaryWithParam(UnaryOpType.ELU, 1.5)"
    assert T.RELU.value == 4 and SigmoidMode.FastAndApproximate is SigmoidMode.FastApproximate


MEMORY, X = abstract()
_, ODD = abstract(shape=(1, 1, 32, 33))
_, WHOLE = abstract(tt.int32)
_, FLAT = abstract(shape=(32, 128))
_, ROWS = abstract(layout=tt.ROW_MAJOR_LAYOUT)
_, NARROW = abstract(shape=(1, 1, 32, 96))

p, c = unary_parametric, unary_composite
A, N = tt.ArgumentError, tt.NotModelledError
BAD = {
    "integers": (A, "exp.*int32", lambda m: unary.exp(m, WHOLE)),
    "int32 slope": (A, "leaky_relu", lambda m: p.leaky_relu(m, WHOLE, 0.5)),
    "no integer": (A, "2.5 is no int32", lambda m: p.relu_max(m, WHOLE, 2.5)),
    "too wide": (A, "no int32", lambda m: p.fill(m, WHOLE, 2**31)),
    "floats": (A, "bitwise_not", lambda m: unary.bitwise_not(m, X)),
    "no tensor": (A, "must be a Tensor", lambda m: unary.exp(m, 1.0)),
    "no tensor after a dtype check": (A, "must be a Tensor", lambda m: unary.lgamma(m, 1.0)),
    "no memory config": (A, "memory_config", lambda m: unary.exp(m, X, memory_config="L1")),
    "no flag": (A, "fast_and_approximate_mode", lambda m: unary.exp(m, X, fast_and_approximate_mode=2)),
    "no output tensor": (A, "output_tensor", lambda m: unary.exp(m, X, output_tensor=3)),
    "an output of another shape": (A, "output_tensor", lambda m: unary.exp(m, X, output_tensor=ODD)),
    "an output of integers": (N, "int32", lambda m: unary.exp(m, X, output_tensor=WHOLE)),
    "no number": (A, "alpha", lambda m: p.elu(m, X, alpha="1")),
    "a flag for a number": (A, "negative_slope", lambda m: p.leaky_relu(m, X, True)),
    "no variant": (A, "GeluVariant", lambda m: unary.gelu(m, X, variant="tanh")),
    "two variants": (A, "give one", lambda m: unary.gelu(m, X, variant=GeluVariant.Tanh, fast_and_approximate_mode=True)),
    "no mode": (A, "SigmoidMode", lambda m: unary.sigmoid(m, X, mode=1)),
    "no vector mode": (A, "vector_mode", lambda m: unary.sigmoid(m, X, vector_mode=3)),
    "no beta": (A, "beta", lambda m: p.softplus(m, X, beta=0.0)),
    "softcap on Wormhole": (A, "Blackhole", lambda m: p.softcap(m, X, 2.0)),
    "a base of 0": (A, "positive", lambda m: p.rpow(m, X, 0.0)),
    "no rounding mode": (A, "rounding_mode", lambda m: p.rdiv(m, X, 1.0, rounding_mode="up")),
    "half a decimal": (A, "decimals", lambda m: p.round(m, X, decimals=1.5)),
    "order 0": (A, "1 to 10", lambda m: p.polygamma(m, X, 0)),
    "half a pair": (A, "even", lambda m: p.alt_complex_rotate90(m, ODD)),
    "an empty chain": (A, "at least one", lambda m: p.unary_chain(m, X, [])),
    "an unknown link": (N, "TYPECAST", lambda m: p.unary_chain(m, X, [T.TYPECAST])),
    "a link without its parameter": (A, "takes 1 parameters", lambda m: p.unary_chain(m, X, [T.LEAKY_RELU])),
    "no chain": (A, "sequence", lambda m: p.unary_chain(m, X, 5)),
    "no bounds": (A, "at least one", lambda m: c.clamp(m, X)),
    "a number and a tensor": (A, "two tensors or two numbers", lambda m: c.clamp(m, X, 0.0, X)),
    "bounds too large": (A, "broadcast", lambda m: c.clamp(m, X, ODD)),
    "bounds in rows": (A, "layouts differ", lambda m: c.clamp(m, X, ROWS)),
    "bounds of integers": (A, "floats", lambda m: c.clamp(m, X, WHOLE)),
    "other widths": (A, "cannot be read", lambda m: c.bitcast(m, X, tt.uint32)),
    "no dtype": (A, "dtype", lambda m: c.bitcast(m, X, "uint16")),
    "rank 2": (A, "rank 4", lambda m: gated.glu(m, FLAT)),
    "another dim": (A, "dim", lambda m: gated.glu(m, X, 2)),
    "halves that are no tiles": (A, "multiple of 64", lambda m: gated.swiglu(m, NARROW)),
    "to L1 in place": (A, "use logical_not", lambda m: unary.logical_not_(m, X, memory_config=tt.L1_MEMORY_CONFIG)),
    "no op type": (A, "op_type", lambda m: UnaryWithParam("relu")),
    "no parameter": (A, "numbers", lambda m: UnaryWithParam(T.ELU, "1")),
    "no activation": (A, "a name", lambda m: as_activation("add", 3)),
    "an unknown activation": (N, "not modelled", lambda m: as_activation("add", "rrelu")),
    "too many parameters": (A, "takes 0 parameters", lambda m: as_activation("add", UnaryWithParam(T.RELU, 1.0))),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_call_is_refused_before_anything_changes(name):
    error, text, call = BAD[name]
    with tt.ProgramCache().use() as cache, pytest.raises(error, match=text):
        call(MEMORY)
    assert cache.entries == cache.misses == 0


def test_a_freed_tensor_is_refused():
    memory, x = abstract()
    with pytest.raises(tt.DeallocatedError, match="input 0"):
        unary.relu(tt.deallocate(memory, x), x)
    with pytest.raises(tt.DeallocatedError, match="not allocated"):
        gated.glu(tt.deallocate(memory, x), x)
