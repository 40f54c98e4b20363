"""Reductions as operations: shapes, programs and memory as recorded, values against NumPy, and what is refused."""

import inspect

import jax
import numpy as np
import pytest

import recorded
import tt_jax as tt
from oracles import engine
from recordings import values
from tt_jax.events import observed_by
from tt_jax.ops import moments, reduction, scan
from tt_jax.ops.experimental.reduction import fast_reduce_nc

REDUCTIONS = {name: getattr(reduction, name) for name in ("sum", "mean", "max", "min")}
CONTROLS = {
    "clear_program_cache": tt.ProgramCache.clear,
    "disable_and_clear_program_cache": tt.ProgramCache.disable_and_clear,
    "enable_program_cache": tt.ProgramCache.enable,
}
NUMPY = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "std": np.std, "var": np.var, "prod": np.prod}
# Dimensions, and whether they are kept.
DIMS = [(None, True), (None, False), (-1, False), (-2, True), (0, False), ((-2, -1), False), ((0, 1), True), ((0, 3), False)]


def make(array, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT, memory_config=tt.DRAM_MEMORY_CONFIG):
    return tt.from_array(tt.MemoryState.create(tt.N150), array, dtype=dtype, layout=layout, memory_config=memory_config)


def keeps_a_table(case):
    """Whether a reshape moves the result, of which ttnn keeps a table in DRAM (`test_reshape_table.py`)."""
    (output,), dim = case["result"]["outputs"], case["kwargs"].get("dim")
    rank = len(case["inputs"][0]["shape"])
    reshapes = not case["kwargs"].get("keepdim") and (dim in (-1, rank - 1) or dim in (2, [0, 2]))
    return reshapes and output["shape"] and output["layout"] == "TILE"


def recorded_calls():
    for board in ("wormhole_n150", "blackhole_p150"):
        for kind in ("op_specs", "errors"):
            for i, case in enumerate(recorded.load(kind, board)["cases"]):
                if case["op"].removeprefix("ttnn.") in REDUCTIONS and '"host"' not in str(case["inputs"]).replace("'", '"'):
                    yield pytest.param(board, case, id=f"{board}-{kind}-{i}-{case['op']}-{case.get('name', '')}")


@pytest.mark.parametrize("board, case", list(recorded_calls()))
def test_recorded_calls(board, case, monkeypatch):
    for name, operation in REDUCTIONS.items():
        monkeypatch.setitem(recorded.OPERATIONS, f"ttnn.{name}", operation)
    memory, tensors = recorded.prepare(tt.MemoryState.create(recorded.BOARDS[board]), case)
    if "outputs" not in case["result"]:
        with tt.ProgramCache().use() as cache, pytest.raises(tt.TTError, match=r"."):
            recorded.call(memory, case, tensors)
        assert cache.entries == 0
        return
    after, outputs = recorded.call(memory, case, tensors)
    described, expected = recorded.describe(*outputs), recorded.expected(*case["result"]["outputs"])
    kinds = ["L1"] if keeps_a_table(case) else ["L1", "DRAM"]
    if described["mem"]["buffer"] not in kinds:
        del described["address"], expected["address"]
    assert described == expected
    assert [recorded.view(after, kind) for kind in kinds] == [case["result"]["after"][kind] for kind in kinds]


def test_tile_padding_is_filled_first(cache):
    """In place; a block float in a copy, by way of bfloat16, which is freed with the last of the intermediate tensors."""
    programs = {tt.bfloat16: ["fill_pad", "max"], tt.bfloat8_b: ["typecast", "fill_pad", "typecast", "max"]}
    for dtype, names in programs.items():
        for shape, filled in (((64, 96), False), ((64, 90), True), ((90, 64), True)):
            memory, x = make(np.ones(shape, np.float32), dtype)
            events = []
            with observed_by(events.append):
                after, y = reduction.max(memory, x, -1, keepdim=True)
            assert [event.name for event in events if event.launch is not None] == (names if filled else ["max"])
            assert after.deallocate(y.buffer) == memory
            np.testing.assert_array_equal(values(y.array), 1)


@pytest.mark.parametrize("board", ["wormhole_n150", "blackhole_p150"])
def test_recorded_programs(board, cache, monkeypatch):
    for name, operation in REDUCTIONS.items():
        monkeypatch.setitem(recorded.OPERATIONS, f"ttnn.{name}", operation)
    steps = [s for s in recorded.load("programs", board)["sequences"] if s["family"] == "sum"][0]["steps"]
    for step in steps:
        before = cache.entries
        if "call" not in step:
            CONTROLS[step["label"]](cache)
            continue
        memory, tensors = recorded.prepare(tt.MemoryState.create(recorded.BOARDS[board]), step["call"])
        recorded.call(memory, step["call"], tensors)
        assert cache.entries - before == step["added"], step["label"]


@pytest.mark.parametrize("dim, keepdim", DIMS)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_values_shapes_and_memory(rng, name, dim, keepdim):
    x = rng.integers(1, 5, (2, 3, 5, 40)).astype(np.float32)
    memory, t = make(x)
    after, y = REDUCTIONS[name](memory, t, dim, keepdim)
    exact = NUMPY[name](x, axis=dim, keepdims=keepdim)
    assert y.shape == exact.shape
    np.testing.assert_allclose(values(y.array), exact, rtol=2.0**-6 if name == "mean" else 2.0**-8)
    # Nothing is left but the result.
    assert after.deallocate(y.buffer) == memory


@pytest.mark.parametrize("dim", [-1, -2, (0, 2)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_float32_is_summed_in_float32(rng, name, dim):
    x = rng.normal(size=(4, 37, 50)).astype(np.float32)
    memory, t = make(x, tt.float32)
    _, y = REDUCTIONS[name](memory, t, dim)
    np.testing.assert_allclose(y.array, NUMPY[name](x.astype(np.float64), axis=dim), rtol=1e-5, atol=1e-5)
    _, fast = REDUCTIONS[name](memory, t, dim, fast_and_approximate_mode=True)
    assert engine.relative_error(fast.array, y.array) < 1e-2
    assert (np.array_equal(fast.array, y.array)) == (name in ("max", "min"))


@pytest.mark.parametrize("dtype", [tt.int32, tt.uint32])
@pytest.mark.parametrize("name", ["sum", "max", "min"])
def test_integers_are_exact(rng, name, dtype):
    x = rng.integers(0, 2**28, (3, 33, 17)).astype(dtype.carrier)
    memory, t = make(x, dtype)
    _, y = REDUCTIONS[name](memory, t, -1)
    exact = NUMPY[name](x, axis=-1).astype(dtype.carrier)
    assert y.dtype is dtype
    np.testing.assert_array_equal(y.array, exact)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_scalar_multiplies_the_result(rng, name):
    x = rng.integers(-8, 8, (4, 2, 3, 32)).astype(np.float32)
    memory, t = make(x, tt.float32)
    for dim in (-1, (0, 3)):
        _, y = REDUCTIONS[name](memory, t, dim, scalar=-2.0)
        scaled = {"max": np.max, "min": np.min}.get(name, NUMPY[name])(-2 * x, axis=dim)
        np.testing.assert_allclose(y.array, scaled, rtol=1e-6)


def test_row_major_sums_stay_row_major(rng):
    x = rng.integers(0, 4, (2, 5, 40)).astype(np.float32)
    memory, t = make(x, layout=tt.ROW_MAJOR_LAYOUT)
    for name, layout in (("sum", tt.ROW_MAJOR_LAYOUT), ("max", tt.TILE_LAYOUT)):
        _, y = REDUCTIONS[name](memory, t, -1)
        assert y.layout is layout
        np.testing.assert_array_equal(values(y.array), NUMPY[name](x, axis=-1))
    after, y = reduction.sum(memory, t, -1, output_layout=tt.TILE_LAYOUT)
    assert y.layout is tt.TILE_LAYOUT
    assert after.deallocate(y.buffer) == memory


def test_scalars_and_empty_tensors():
    memory, t = make(np.float32(3))
    _, y = reduction.sum(memory, t)
    assert float(y.array) == 3
    memory, t = make(np.zeros((0, 4), np.float32))
    for name, value in {"sum": 0, "mean": np.nan}.items():
        _, y = REDUCTIONS[name](memory, t, 0)
        np.testing.assert_array_equal(values(y.array), np.full(4, value))
    for name in ("max", "min"):
        with pytest.raises(tt.ArgumentError, match="nothing to choose from"):
            REDUCTIONS[name](memory, t, 0)
        _, y = REDUCTIONS[name](memory, t, 1)
        assert y.shape == (0,)


@pytest.mark.parametrize("correction", [True, False])
@pytest.mark.parametrize("dim, keepdim", DIMS)
@pytest.mark.parametrize("name", ["std", "var"])
def test_moments(rng, name, dim, correction, keepdim):
    x = values(make(rng.normal(size=(2, 3, 5, 40)).astype(np.float32))[1].array)
    memory, t = make(x)
    after, y = getattr(moments, name)(memory, t, dim, keepdim, correction=correction)
    exact = NUMPY[name](x.astype(np.float64), axis=dim, keepdims=keepdim, ddof=int(correction))
    assert y.shape == exact.shape
    np.testing.assert_allclose(values(y.array), exact, rtol=2.0**-8)
    assert after.deallocate(y.buffer) == memory


def test_the_moment_of_one_value():
    memory, t = make(np.ones((1, 32), np.float32))
    for correction, value in ((True, np.nan), (False, 0)):
        _, y = moments.var(memory, t, 0, correction=correction)
        np.testing.assert_array_equal(values(y.array), np.full(32, value))


def test_image_statistics(rng):
    x = values(make(rng.normal(size=(2, 3, 8, 8)).astype(np.float32))[1].array).astype(np.float64)
    memory, t = make(x.astype(np.float32))
    mean, std = x.mean((2, 3), keepdims=True), x.std((2, 3), keepdims=True)
    expected = {
        "mean_hw": mean,
        "var_hw": std**2,
        "std_hw": std,
        "normalize_hw": (x - mean) / std,
        "normalize_global": (x - x.mean()) / x.std(),
    }
    for name, exact in expected.items():
        _, y = getattr(moments, name)(memory, t)
        np.testing.assert_allclose(values(y.array), exact, rtol=2.0**-8, atol=1e-6)


@pytest.mark.parametrize("dim", [None, 0, -1, 1])
@pytest.mark.parametrize("keepdim", [True, False])
def test_products(rng, dim, keepdim):
    x = rng.uniform(0.5, 1.5, (2, 3, 7)).astype(np.float32)
    memory, t = make(x, tt.float32)
    _, y = reduction.prod(memory, t, dim, keepdim)
    exact = np.prod(x.astype(np.float64), axis=dim, keepdims=keepdim)
    assert y.shape == exact.shape
    np.testing.assert_allclose(y.array, exact, rtol=1e-5)


def test_a_product_into_a_tensor(rng):
    x = rng.uniform(0.5, 1.5, (2, 3, 32, 32)).astype(np.float32)
    memory, t = make(x)
    memory, out = tt.from_array(memory, np.zeros((1, 3, 32, 32), np.float32), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    after, y = reduction.prod(memory, t, out, dims=[0])
    assert y.buffer is out.buffer
    assert after == memory
    np.testing.assert_allclose(values(y.array), values(t.array).prod(0, keepdims=True), rtol=2.0**-8)


@pytest.mark.parametrize("dims, shape", [([0], (1, 3, 64, 32)), ([1], (2, 1, 64, 32)), ([0, 1], (1, 1, 64, 32))])
def test_fast_reduce_nc(rng, cache, dims, shape):
    x = rng.integers(-4, 4, (2, 3, 64, 32)).astype(np.float32)
    memory, t = make(x)
    after, y = fast_reduce_nc(memory, t, dims)
    assert y.shape == shape
    assert cache.entries == len(dims)
    np.testing.assert_array_equal(values(y.array), x.sum(tuple(dims), keepdims=True))
    assert after.deallocate(y.buffer) == memory
    _, padded = fast_reduce_nc(*make(x[..., :5, :7]), dims)
    assert padded.shape[2:] == (32, 32)
    np.testing.assert_array_equal(values(padded.array)[..., :5, :7], x[..., :5, :7].sum(tuple(dims), keepdims=True))
    assert not values(padded.array)[..., 5:, :].any()


@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name, oracle", [("cumsum", np.cumsum), ("cumprod", np.cumprod)])
def test_scans(rng, name, oracle, dim, reverse):
    x = rng.uniform(0.5, 1.5, (3, 5, 9)).astype(np.float32)
    memory, t = make(x, tt.float32)
    after, y = getattr(scan, name)(memory, t, dim, reverse_order=reverse)
    flip = (lambda a: np.flip(a, dim)) if reverse else (lambda a: a)
    np.testing.assert_allclose(y.array, flip(oracle(flip(x.astype(np.float64)), dim)), rtol=1e-5)
    memory, out = tt.from_array(memory, np.zeros_like(x), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    after, y = getattr(scan, name)(memory, t, dim, dtype=tt.bfloat16, reverse_order=reverse, out=out)
    assert (after, y.buffer, y.dtype) == (memory, out.buffer, tt.bfloat16)


def test_integer_scans_and_scalars():
    memory, t = make(np.arange(6, dtype=np.int32).reshape(2, 3), tt.int32)
    _, y = scan.cumsum(memory, t, 1)
    np.testing.assert_array_equal(y.array, [[0, 1, 3], [3, 7, 12]])
    memory, t = make(np.float32(3))
    _, y = scan.cumsum(memory, t, 0)
    assert float(y.array) == 3


def test_gradients_flow(rng):
    memory, t = make(rng.normal(size=(4, 40)).astype(np.float32), tt.float32)

    def total(operation, array):
        _, y = operation(memory, tt.Tensor(array, t.spec, t.buffer), -1)
        return y.array.sum()

    for operation, expected in ((reduction.sum, 1.0), (reduction.mean, 1 / 40)):
        np.testing.assert_allclose(jax.grad(lambda x, f=operation: total(f, x))(t.array), np.full((4, 40), expected), rtol=1e-6)


def test_sharded_rows_stay_sharded():
    spec = tt.memory.ShardSpec(
        tt.memory.create_sharded_memory_config((64, 64), tt.CoreGrid(y=2, x=1), tt.memory.ShardStrategy.HEIGHT).shard_spec.grid,
        (32, 64),
        tt.memory.ShardOrientation.ROW_MAJOR,
    )
    config = tt.MemoryConfig(tt.TensorMemoryLayout.HEIGHT_SHARDED, tt.BufferType.L1, spec)
    x = np.ones((64, 64), np.float32)
    memory, t = make(x, memory_config=config)
    _, y = reduction.sum(memory, t, -1, keepdim=True)
    assert y.memory_config.shard_spec.shape == (32, 32)
    np.testing.assert_array_equal(values(y.array), np.full((64, 1), 64))
    with pytest.raises(tt.ArgumentError, match="cuts through its shards"):
        reduction.sum(memory, t, -2, keepdim=True)
    _, y = reduction.sum(memory, t, -2, keepdim=True, memory_config=tt.DRAM_MEMORY_CONFIG)
    np.testing.assert_array_equal(values(y.array), np.full((1, 64), 64))


BAD = [  # operation, input, arguments, text
    (reduction.sum, "x", {"dim": 3}, "`dim` 3 is out of range"),
    (reduction.sum, "x", {"dim": [0, 0]}, "names a dimension twice"),
    (reduction.sum, "x", {"dim": "x"}, "`dim` must be"),
    (reduction.sum, "x", {"scalar": "x"}, "`scalar` must be a number"),
    (reduction.sum, "x", {"keepdim": 1}, "`keepdim` must be True or False"),
    (reduction.sum, "integers", {"scalar": 2}, "`scalar` 2.0 with"),
    (reduction.sum, "shorts", {}, "`input_tensor` must be one of"),
    (reduction.sum, "block", {"output_layout": tt.ROW_MAJOR_LAYOUT}, "has TILE layout only"),
    (reduction.mean, "integers", {}, "must be a float tensor"),
    (reduction.prod, "integers", {}, "`input_tensor` must be one of"),
    (reduction.prod, "x", {"dims": [0]}, "go together"),
    (moments.var, "integers", {}, "`input_tensor` must be one of"),
    (moments.std, "x", {"correction": 2}, "`correction` must be True or False"),
    (moments.var_hw, "x", {}, "rank 4"),
    (scan.cumsum, "block", {"dim": 0}, "`input` must be one of"),
    (scan.cumsum, "rows", {"dim": 0}, "must have TILE layout"),
    (scan.cumprod, "x", {"dim": 2}, "`dim` 2 is out of range"),
    (fast_reduce_nc, "x", {"dims": [0]}, "before the last two"),
    (fast_reduce_nc, "rows", {"dims": [0]}, "must have TILE layout"),
]


@pytest.mark.parametrize("operation, name, arguments, text", BAD, ids=lambda value: getattr(value, "__name__", str(value)[:30]))
def test_bad_calls(operation, name, arguments, text, cache):
    kinds = {
        "x": (tt.bfloat16, tt.TILE_LAYOUT),
        "rows": (tt.bfloat16, tt.ROW_MAJOR_LAYOUT),
        "block": (tt.bfloat8_b, tt.TILE_LAYOUT),
        "integers": (tt.int32, tt.TILE_LAYOUT),
        "shorts": (tt.uint16, tt.TILE_LAYOUT),
    }
    dtype, layout = kinds[name]
    memory, t = make(jax.ShapeDtypeStruct((4, 64), dtype.carrier), dtype, layout)
    with pytest.raises((tt.ArgumentError, tt.NotModelledError), match=text):
        operation(memory, t, **arguments)
    assert cache.entries == 0


def test_faces_and_support():
    for name in (*REDUCTIONS, "std", "var", "cumsum", "cumprod"):
        module = reduction if name in REDUCTIONS else moments if name in ("std", "var") else scan
        operation = getattr(module, name)
        assert operation.__name__ == name
        assert operation.__doc__
        assert list(inspect.signature(operation).parameters)[:3] == [
            "memory",
            "input" if module is scan else "input_tensor",
            "dim",
        ]
        assert operation.support.dtypes
