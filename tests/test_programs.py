"""Programs: what is one and what makes another, the cache that counts them, and that a second iteration compiles nothing."""

import re
import threading

import jax
import jax.numpy as jnp
import pytest

import programs
import tt_jax as tt
from programs import counts

TILE, DRAM, L1 = tt.TILE_LAYOUT, tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG
ONE_CORE = tt.CoreGrid(y=1, x=1)


def abstract(memory, shape, dtype=tt.bfloat16, layout=TILE, config=DRAM):
    return tt.from_array(memory, jax.ShapeDtypeStruct(shape, dtype.carrier), dtype=dtype, layout=layout, memory_config=config)


def square(**kind):
    """Four matrices without values, so that nothing is compiled."""
    memory, tensors = tt.MemoryState.create(tt.N150), []
    for _ in range(4):
        memory, x = abstract(memory, (64, 64), **kind)
        tensors.append(x)
    return memory, tensors


# Calls of `(memory, x, y)` that launch one program each, all different.
CALLS = {
    "add": lambda m, x, y: tt.add(m, x, y),
    "add a number": lambda m, x, y: tt.add(m, x, 2.0),
    "add to L1": lambda m, x, y: tt.add(m, x, y, memory_config=L1),
    "add to float32": lambda m, x, y: tt.add(m, x, y, dtype=tt.float32),
    "subtract": lambda m, x, y: tt.subtract(m, x, y),
    "multiply": lambda m, x, y: tt.multiply(m, x, y),
    "matmul": lambda m, x, y: tt.matmul(m, x, y),
    "matmul on a grid": lambda m, x, y: tt.matmul(m, x, y, core_grid=ONE_CORE),
    "matmul to bfloat8_b": lambda m, x, y: tt.matmul(m, x, y, dtype=tt.bfloat8_b),
    "matmul by HiFi4": lambda m, x, y: tt.matmul(m, x, y, compute_kernel_config=tt.ComputeKernelConfig(tt.MathFidelity.HiFi4)),
    "linear with relu": lambda m, x, y: tt.linear(m, x, y, activation="relu", core_grid=ONE_CORE),
    "softmax": lambda m, x, y: tt.softmax(m, x),
    "softmax of columns": lambda m, x, y: tt.softmax(m, x, dim=0),
    "reshape": lambda m, x, y: tt.reshape(m, x, (32, 128)),
    "permute": lambda m, x, y: tt.permute(m, x, (1, 0)),
    "untilize": lambda m, x, y: tt.to_layout(m, x, tt.ROW_MAJOR_LAYOUT),
    "copy": lambda m, x, y: tt.to_memory_config(m, x, L1),
    "typecast": lambda m, x, y: tt.typecast(m, x, tt.bfloat8_b),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@every_call
def test_a_program_is_built_once(cache, call):
    memory, (x, y, *_) = square()
    call(memory, x, y)
    assert counts(cache) == (1, 0, 1)
    for hits in (1, 2):
        call(memory, x, y)
        assert counts(cache) == (1, hits, 1)


@every_call
def test_addresses_are_not_in_the_key(cache, call):
    memory, (x, y, z, w) = square()
    _, first = call(memory, x, y)
    _, second = call(tt.deallocate(memory, x), z, w)
    assert counts(cache) == (1, 1, 1)
    assert first.spec == second.spec


@pytest.mark.parametrize(
    "call, dtype",
    [
        pytest.param(call, dtype, id=f"{name}-{dtype.name}")
        for name, call in CALLS.items()
        for dtype in (tt.float32, tt.bfloat8_b)
        if (name, dtype) != ("reshape", tt.bfloat8_b)
    ],
)
def test_dtypes_are_in_the_key(cache, call, dtype):
    for i, kind in enumerate((tt.bfloat16, dtype)):
        memory, (x, y, *_) = square(dtype=kind)
        call(memory, x, y)
        assert counts(cache) == (i + 1, 0, i + 1)


def test_bfloat8_b_is_reshaped_by_three_programs(cache):
    memory, (x, *_) = square(dtype=tt.bfloat8_b)
    CALLS["reshape"](memory, x, x)
    assert counts(cache) == (3, 0, 3)


def test_placements_and_shapes_of_inputs_are_in_the_key(cache):
    for i, (shape, config) in enumerate([((64, 64), DRAM), ((64, 64), L1), ((64, 32), DRAM), ((1, 64, 64), DRAM)]):
        memory, x = abstract(tt.MemoryState.create(tt.N150), shape, config=config)
        tt.softmax(memory, x)
        assert counts(cache) == (i + 1, 0, i + 1)


def test_all_these_programs_are_different(cache):
    memory, (x, y, *_) = square()
    for call in CALLS.values():
        call(memory, x, y)
    assert counts(cache) == (len(CALLS), 0, len(CALLS))


def test_the_device_is_in_the_key(cache):
    for device in (tt.N150, tt.P150):
        memory, x = abstract(tt.MemoryState.create(device), (32, 32))
        tt.add(memory, x, x)
    assert counts(cache) == (2, 0, 2)


def test_values_are_not_in_the_key(cache):
    memory = tt.MemoryState.create(tt.N150)
    for i, number in enumerate((1, 2.5, jnp.float32(4), jnp.bfloat16(8))):
        memory, x = tt.from_array(memory, jnp.full((32, 32), i, jnp.bfloat16), layout=TILE)
        memory, y = tt.add(memory, x, number)
        assert float(tt.to_array(y)[0, 0]) == i + float(number)
    assert counts(cache) == (1, 3, 1)


def test_views_and_reads_are_no_programs(cache):
    memory, (x, *_) = square()
    for y in (
        tt.reshape(memory, x, (1, 64, 64))[1],
        tt.to_layout(memory, x, TILE)[1],
        tt.to_memory_config(memory, x, DRAM)[1],
        tt.permute(memory, x, (0, 1))[1],
        tt.transpose(memory, x, 1, 1)[1],
    ):
        assert y.buffer == x.buffer
    tt.deallocate(memory, x)
    assert counts(cache) == (0, 0, 0)


def test_reallocate_is_a_program_only_if_the_tensor_moves(cache):
    memory, (x, y, *_) = square()
    after, same = tt.reallocate(memory, x)
    assert (after, same.buffer, counts(cache)) == (memory, x.buffer, (0, 0, 0))
    _, moved = tt.reallocate(tt.deallocate(memory, x), y)
    assert (moved.buffer, counts(cache)) == (x.buffer, (1, 0, 1))


def test_clear(cache):
    memory, (x, y, *_) = square()
    tt.add(memory, x, y)
    tt.add(memory, x, y)
    assert repr(cache) == "ProgramCache(1 entries, 1 hits, 1 misses)"
    cache.clear()
    assert counts(cache) == (0, 0, 0) and cache.is_enabled
    tt.add(memory, x, y)
    assert counts(cache) == (1, 0, 1)


def test_disable(cache):
    memory, (x, y, *_) = square()
    tt.add(memory, x, y)
    cache.disable_and_clear()
    assert counts(cache) == (0, 0, 0) and not cache.is_enabled
    for misses in (1, 2):
        tt.add(memory, x, y)
        assert counts(cache) == (0, 0, misses)
    assert repr(cache) == "ProgramCache(0 entries, 0 hits, 2 misses, disabled)"
    cache.enable()
    tt.add(memory, x, y)
    cache.enable()
    assert cache.is_enabled and cache.entries == 1


def test_use_is_scoped():
    memory, (x, y, *_) = square()
    outside = tt.active_cache()
    first, second = tt.ProgramCache(), tt.ProgramCache()
    with first.use() as used:
        assert tt.active_cache() is used is first
        tt.add(memory, x, y)
        with second.use():
            tt.add(memory, x, y)
            tt.multiply(memory, x, y)
        assert tt.active_cache() is first
        with pytest.raises(tt.ArgumentError, match="inner dimensions"), second.use():
            tt.matmul(memory, x, tt.reshape(memory, y, (32, 128))[1])
        assert tt.active_cache() is first
    assert tt.active_cache() is outside
    assert (counts(first), counts(second)) == ((1, 0, 1), (3, 0, 3))


def test_other_threads_keep_their_cache(cache):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(tt.active_cache()))
    thread.start()
    thread.join()
    assert seen[0] is not cache


class Compilations:
    """How many programs XLA compiled."""

    def __init__(self, caplog):
        self.caplog = caplog

    def __enter__(self):
        self.before = self.count()
        return self

    def count(self):
        return sum("Finished XLA compilation" in record.getMessage() for record in self.caplog.records)

    def __exit__(self, *exception):
        self.compiled = self.count() - self.before


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_a_second_iteration_compiles_nothing(cache, rng, caplog, wrap):
    run, inputs = wrap(lambda memory, *inputs: programs.optimized(memory, *inputs)), programs.arrays(rng)
    jax.clear_caches()  # the process keeps compiled kernels whichever cache's programs run them
    with jax.log_compiles():
        with Compilations(caplog) as first:
            run(tt.MemoryState.create(tt.N150), *inputs)
        built = counts(cache)
        with Compilations(caplog) as second:
            memory, _ = run(tt.MemoryState.create(tt.N150), *inputs)
            run(memory, *inputs)
    assert first.compiled > 0
    assert second.compiled == 0
    eager = wrap is not jax.jit
    assert built == (7, 0, 7)
    assert counts(cache) == (7, 14 if eager else 0, 7)


# Two calls of `(memory, x, y)` and what the second one's key differs in, as the cache explains it.
MISSES = {
    "layout of the output": (CALLS["add"], CALLS["add to L1"], r"memory_config \(None before, now .*L1"),
    "dtype of the output": (CALLS["add"], CALLS["add to float32"], r"dtype \(None before, now DataType.FLOAT32\)"),
    "a grid": (CALLS["matmul"], CALLS["matmul on a grid"], r"core_grid \(None before, now CoreGrid\(y=1, x=1\)\)"),
    "a number": (CALLS["add"], CALLS["add a number"], r"input 1 \(none before, now a number\)"),
    "a dimension": (CALLS["softmax"], CALLS["softmax of columns"], r"softmax: differs from the nearest of 1 programs in "),
}


@pytest.mark.parametrize("first, then, text", MISSES.values(), ids=MISSES)
def test_a_miss_is_explained(cache, first, then, text):
    memory, (x, y, *_) = square()
    first(memory, x, y)
    then(memory, x, y)
    assert re.search(text, cache.explain_miss()), cache.explain_miss()


def test_what_the_device_ignores_explains_no_miss(cache):
    memory, (x, y, *_) = square()
    assert "no launch has missed" in cache.explain_miss()
    tt.softmax(memory, x)
    tt.relu(memory, x)
    assert cache.explain_miss() == "relu: no program of this operation was held, of 1 in all"
    memory, z = abstract(memory, (96, 32))
    tt.relu(memory, z)  # another shape: the same program
    assert counts(cache) == (2, 1, 2)
    tt.gelu(memory, z)
    explained = cache.explain_miss()
    assert explained.startswith("gelu: differs from the nearest of 2 programs in ") and "shape" not in explained
    memory, tall = abstract(memory, (64, 32))
    memory, row = abstract(memory, (1, 32))
    tt.add(memory, tall, tall)
    tt.add(memory, tall, row)
    assert "is_repeated of input 1" in cache.explain_miss()


def test_two_shapes_of_one_entry_have_a_kernel_each(cache):
    memory = tt.MemoryState.create(tt.N150)
    for shape in ((32, 32), (64, 32)):
        memory, x = tt.from_array(memory, jnp.ones(shape), dtype=tt.bfloat16, layout=TILE)
        memory, y = tt.add(memory, x, x)
        assert y.array.shape == shape and (y.array == 2).all()
    assert counts(cache) == (1, 1, 1)


def test_a_shared_program_is_no_miss_where_misses_are_forbidden(cache):
    memory, (x, y, *_) = square()
    tt.add(memory, x, y)
    cache.misses_allowed = False
    memory, z = abstract(memory, (96, 32))
    tt.add(memory, z, z)
    with pytest.raises(tt.TTError, match="misses are forbidden"):
        tt.multiply(memory, z, z)
