"""Where buffers come from: the line of the user's program, in differences, eager and under jit."""

import jax
import jax.numpy as jnp
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn
from tt_jax import origins
from tt_jax.context import active

TILE, L1 = tt.TILE_LAYOUT, tt.L1_MEMORY_CONFIG
BIG = jax.ShapeDtypeStruct((4096, 4096), jnp.bfloat16)  # 524,288 B per bank of an N150: two fit into its L1


def line_of(function, offset):
    return f"test_origins.py:{function.__code__.co_firstlineno + offset} in {function.__name__}"


def first(memory):
    return tt.from_array(memory, BIG, dtype=tt.bfloat16, layout=TILE, memory_config=L1)


def second(memory, x):
    return tt.relu(memory, x)


@pytest.fixture
def memory():
    """A memory of an address range of its own, so that no other test's buffers pass for this one's."""
    return tt.MemoryState.create(tt.N150, worker_l1_size=1_400_000)


def test_diff_lists_what_a_program_left_behind(memory):
    before, x = first(memory)
    after, y = second(before, x)
    after = tt.deallocate(after, x)
    difference = after.diff(before)
    assert difference.allocated == (y.buffer,) and difference.freed == (x.buffer,)
    assert str(difference).splitlines() == [
        f"allocated 524,288 B at {y.address:,} in L1: 4096x4096 bfloat16 TILE in L1, by relu, {line_of(second, 1)}",
        f"freed 524,288 B at {x.address:,} in L1: 4096x4096 bfloat16 TILE in L1, by from_array, {line_of(first, 1)}",
    ]
    assert str(after.diff(after)) == "no difference" and not after.diff(after).allocated and not after.diff(after).freed


def test_diff_is_of_one_board(memory):
    with pytest.raises(tt.ArgumentError, match="an earlier MemoryState of n150"):
        memory.diff(tt.MemoryState.create(tt.P150))
    with pytest.raises(tt.ArgumentError, match="different regions of L1"):
        memory.diff(tt.MemoryState.create(tt.N150))
    with pytest.raises(tt.ArgumentError, match="an earlier MemoryState"):
        memory.diff(None)


def test_lines_are_the_users_under_jit_and_through_the_facade(memory):
    def body(x):
        state, tensor = tt.from_array(memory, x, layout=TILE, memory_config=L1)
        sites.append(str(active.get().origins.find(tensor.buffer).site))
        return tt.deallocate(state, tensor), tt.to_array(tensor)

    sites = []
    jax.jit(body)(jnp.ones((32, 32), jnp.bfloat16))
    assert sites == [line_of(body, 1)]

    device = ttnn.open_device(device_id=7, compute=False)

    def model():
        return ttnn.relu(ttnn.ones((32, 32), layout=ttnn.TILE_LAYOUT, device=device))

    y = model()
    origin = device.context.origins.find(y._storage.buffer)
    assert (origin.operation, str(origin.site)) == ("relu", line_of(model, 1))
    ttnn.close_device(device)


def test_each_device_keeps_its_own():
    devices = [ttnn.open_device(device_id=i, compute=False) for i in (8, 9)]
    tensors = [
        make((32, 32), dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
        for make, device in zip((ttnn.zeros, ttnn.ones), devices, strict=True)
    ]
    assert tensors[0].buffer_address() == tensors[1].buffer_address()
    made = [d.context.origins.find(t._storage.buffer).operation for d, t in zip(devices, tensors, strict=True)]
    assert made == ["zeros", "ones"]
    for device in devices:
        ttnn.close_device(device)


def test_the_oldest_places_are_forgotten_first(monkeypatch):
    monkeypatch.setattr(origins, "_LIMIT", 4)
    kept = origins.Origins()
    for i in range(6):
        kept.note(i, "spec", "operation")
    assert [kept.find(i) is not None for i in range(6)] == [False, False, True, True, True, True]
