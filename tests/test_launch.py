"""`launch`: what fails, at which step, with which words, and that it leaves memory and program cache as they were."""

import sys

import jax
import jax.numpy as jnp
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn
from programs import counts
from tt_jax import transformer
from tt_jax.footprint import all_cores, footprint
from tt_jax.program import Operation, launch

TILE, DRAM, L1 = tt.TILE_LAYOUT, tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG
ONE_CORE = tt.CoreGrid(y=1, x=1)


def abstract(memory, shape, dtype=tt.bfloat16, config=DRAM):
    return tt.from_array(memory, jax.ShapeDtypeStruct(shape, dtype.carrier), dtype=dtype, layout=TILE, memory_config=config)


def fill_l1(memory, rest):
    """`memory` with all but about `rest` bytes per bank of L1 taken."""
    return memory.allocate(tt.BufferType.L1, memory.view(tt.BufferType.L1).total_bytes_free_per_bank - rest)[0]


# What is on the device before a call that fails: name, shape, dtype. "dead" is freed again.
TENSORS = {
    "x": ((64, 64), tt.bfloat16),
    "integers": ((64, 64), tt.int32),
    "wide": ((64, 160), tt.bfloat16),
    "tall": ((160, 64), tt.bfloat16),
    "large": ((2048, 2048), tt.bfloat16),
    "scores": ((1, 2, 64, 64), tt.bfloat16),
    "qkv": ((1, 64, 192), tt.bfloat16),
    "dead": ((1, 64), tt.bfloat16),
    "dead mask": ((1, 1, 1, 64), tt.bfloat16),
}

# How it fails, the error, and the call; `t` holds the tensors by name.
FAILURES = {
    "shapes": (tt.ArgumentError, "inner dimensions differ", lambda m, t: tt.matmul(m, t["wide"], t["wide"])),
    "dtypes": (tt.ArgumentError, "Mixed dtype", lambda m, t: tt.add(m, t["x"], t["integers"])),
    "activation": (NotImplementedError, "'foo'", lambda m, t: tt.linear(m, t["x"], t["x"], activation="foo")),
    "bias": (tt.ArgumentError, "`bias`", lambda m, t: tt.linear(m, t["x"], t["x"], bias=t["qkv"])),
    "bias in L1": (tt.ArgumentError, "`bias`", lambda m, t: tt.linear(m, t["x"], t["x"], bias=t["qkv"], memory_config=L1)),
    "bias on a grid": (
        tt.ArgumentError,
        "`bias`",
        lambda m, t: tt.linear(m, t["x"], t["x"], bias=t["qkv"], core_grid=ONE_CORE),
    ),
    "bias after transposing": (
        tt.ArgumentError,
        "`bias`",
        lambda m, t: tt.linear(m, t["tall"], t["tall"], bias=t["qkv"], transpose_a=True),
    ),
    "shapes after transposing": (
        tt.ArgumentError,
        "inner dimensions differ",
        lambda m, t: tt.matmul(m, t["wide"], t["wide"], transpose_a=True, transpose_b=True),
    ),
    "dead input": (tt.DeallocatedError, "add: input 1", lambda m, t: tt.add(m, t["x"], t["dead"])),
    "dead bias": (tt.DeallocatedError, "input", lambda m, t: tt.linear(m, t["x"], t["x"], bias=t["dead"], memory_config=L1)),
    "dead mask": (
        tt.DeallocatedError,
        "scale_mask_softmax_in_place: input 1",
        lambda m, t: transformer.attention_softmax_(m, t["scores"], attention_mask=t["dead mask"]),
    ),
    "dead input of a composite": (
        tt.DeallocatedError,
        "multiply: input 0",
        lambda m, t: transformer.attention_softmax(tt.deallocate(m, t["scores"]), t["scores"], head_size=64),
    ),
    "output": (
        tt.OutOfMemoryError,
        "on n150 cannot place 64x64 float32 TILE in L1: it takes 4,096 B",
        lambda m, t: tt.typecast(fill_l1(m, 2048), t["x"], tt.float32, memory_config=L1),
    ),
    "second of three outputs": (
        tt.OutOfMemoryError,
        "on n150 cannot place",
        lambda m, t: transformer.split_query_key_value_and_split_heads(
            fill_l1(m, 2048), t["qkv"], num_heads=2, memory_config=L1
        ),
    ),
    "second program": (
        tt.L1ClashError,
        "softmax: its program keeps",
        lambda m, t: transformer.attention_softmax(fill_l1(m, 13_000), t["scores"], head_size=64, memory_config=L1),
    ),
    "activation's output": (
        tt.OutOfMemoryError,
        "on n150 cannot place",
        lambda m, t: tt.linear(fill_l1(m, 150_000), t["large"], t["large"], activation="relu", memory_config=L1),
    ),
    "clash": (
        tt.L1ClashError,
        r"matmul: its program keeps 11,328 B of dataflow buffers on cores \(0, 0\) to \(0, 0\), up to address 117,152",
        lambda m, t: tt.matmul(
            fill_l1(m, 11_000), t["wide"], t["tall"], dtype=tt.bfloat8_b, memory_config=L1, core_grid=ONE_CORE
        ),
    ),
}


def prepare():
    memory, tensors = tt.MemoryState.create(tt.N150), {}
    for name, (shape, dtype) in TENSORS.items():
        memory, tensors[name] = abstract(memory, shape, dtype)
    return tt.deallocate(memory, tensors["dead"], tensors["dead mask"]), tensors


@pytest.mark.parametrize("error, text, call", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_a_failure_leaves_everything_as_it_was(cache, error, text, call, used):
    memory, tensors = prepare()
    if used:  # so that some of the programs that the call needs are there already
        tt.matmul(memory, tensors["x"], tensors["x"])
        transformer.attention_softmax(memory, tensors["scores"], head_size=64)
        cache.hits = 5
    counted = counts(cache)
    with pytest.raises(error, match=text):
        call(memory, tensors)
    untouched, _ = prepare()
    assert memory == untouched and hash(memory) == hash(untouched)
    assert counts(cache) == counted
    if used:
        tt.matmul(memory, tensors["x"], tensors["x"])
        transformer.attention_softmax(memory, tensors["scores"], head_size=64)
        assert cache.entries == counted[0] and cache.misses == counted[2]


def probe(kernel=lambda attributes, specs, x: (x,), **parts):
    """An operation whose output is as its input, but placed by its attributes."""
    return Operation("probe", lambda config, specs: (specs[0].replace(memory_config=config),), kernel, **parts)


FOOTPRINTS = {
    "beyond L1": (1_393_313, r"1,393,313 B of circular buffers on cores \(0, 0\) to \(7, 6\), .* but L1 ends at 1,499,136"),
    "into the output": (
        1_391_265,
        r"up to address 1,497,089, but L1 is allocated down to 1,497,088, by its own output\. .* 1 B per core",
    ),
}


@pytest.mark.parametrize("size, text", FOOTPRINTS.values(), ids=FOOTPRINTS)
def test_footprints_are_checked_when_the_outputs_have_their_place(cache, size, text):
    memory, x = abstract(tt.MemoryState.create(tt.N150), (32, 32))
    seen = []

    def fitted(attributes, specs, device, free):
        seen.append(free)
        return footprint(device, (size,), all_cores(8, 7), kind="circular")

    with pytest.raises(tt.L1ClashError, match=text):
        launch(memory, probe(fitted_footprint=fitted), (x,), L1)
    assert seen[0] == (1_393_312, 1_393_312 - 2048)  # before and after the output, of 2,048 B, has its place
    assert counts(cache) == (0, 0, 0)


@pytest.mark.parametrize("size", [None, 0, 1_391_264])
def test_footprints_may_reach_up_to_the_lowest_buffer(cache, size):
    memory, x = abstract(tt.MemoryState.create(tt.N150), (32, 32))
    kept = lambda attributes, specs, device: None if size is None else footprint(device, (size,))
    after, (y,) = launch(memory, probe(footprint=kept), (x,), L1)
    assert y.address == 105_824 + 1_391_264 and after.is_live(y.buffer)
    assert counts(cache) == (1, 0, 1)


def test_a_footprint_that_is_wrong_is_wrong_on_a_hit_too(cache):
    memory, x = abstract(tt.MemoryState.create(tt.N150), (32, 32))
    operation = probe(footprint=lambda attributes, specs, device: footprint(device, (1_000_000,)))
    launch(memory, operation, (x,), DRAM)
    full = fill_l1(memory, 900_000)
    with pytest.raises(tt.L1ClashError, match="1,000,000 B of dataflow buffers"):
        launch(full, operation, (x,), DRAM)
    assert counts(cache) == (1, 0, 1)


def test_validation_comes_before_liveness_before_allocation_before_the_footprint(cache):
    memory, x = abstract(tt.MemoryState.create(tt.N150), (64, 160))
    memory, y = abstract(memory, (64, 160))
    full = fill_l1(memory, 0)
    with pytest.raises(tt.ArgumentError, match="inner dimensions differ"):
        tt.matmul(tt.deallocate(full, x), x, x, memory_config=L1)
    for position, inputs in enumerate(((x, y), (y, x), (x, x))):
        with pytest.raises(tt.DeallocatedError, match=f"add: input {position % 2}"):
            tt.add(tt.deallocate(full, x), *inputs, memory_config=L1)
    with pytest.raises(tt.OutOfMemoryError, match="on n150 cannot place 64x160 bfloat16 TILE in L1"):
        launch(full, probe(footprint=lambda attributes, specs, device: footprint(device, (2**21,))), (x,), L1)
    assert counts(cache) == (0, 0, 0)


def test_in_place_takes_the_buffer_of_its_input(cache):
    memory, x = abstract(tt.MemoryState.create(tt.N150), (32, 32))
    after, (y,) = launch(memory, probe(in_place=0), (x,), DRAM)
    assert after == memory and y.buffer == x.buffer


def test_a_kernel_that_raises_is_not_counted(cache):
    memory, x = tt.from_array(tt.MemoryState.create(tt.N150), jnp.zeros((32, 32), jnp.bfloat16), layout=TILE)

    def kernel(attributes, specs, x):
        raise ZeroDivisionError("in the kernel")

    with pytest.raises(ZeroDivisionError, match="in the kernel"):
        launch(memory, probe(kernel), (x,), DRAM)
    assert counts(cache) == (0, 0, 0)


def test_a_launch_without_values_compiles_nothing(cache, caplog):
    memory, x = abstract(tt.MemoryState.create(tt.N150), (32, 32))
    with jax.log_compiles():
        _, (y,) = launch(memory, probe(lambda *arguments: 1 / 0), (x,), DRAM)
    assert y.array == jax.ShapeDtypeStruct((32, 32), jnp.bfloat16)
    assert not caplog.records


def python_calls(call):
    """How many functions written in Python `call` calls, once what it does is cached. What they cost varies; their number does not."""
    call()
    names = []

    def observe(frame, event, argument):
        if event == "call":
            names.append(frame.f_code.co_name)

    sys.setprofile(observe)
    try:
        call()
    finally:
        sys.setprofile(None)
    return names[1:]  # `call` itself


def test_a_hit_is_short(cache):
    memory, x = tt.from_array(tt.MemoryState.create(tt.N150), jnp.zeros((32, 32), jnp.bfloat16), layout=TILE)
    calls = python_calls(lambda: tt.add(memory, x, x))
    assert calls[:2] == ["call", "launch"] and len(calls) <= 20, calls
    with ttnn.manage_device(device_id=11) as device:
        y = ttnn.zeros((32, 32), layout=ttnn.TILE_LAYOUT, device=device)
        calls = python_calls(lambda: ttnn.add(y, y))
        assert "launch" in calls and len(calls) <= 37, calls
