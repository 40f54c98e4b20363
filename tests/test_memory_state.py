"""MemoryState: what `create` gives, against measured figures; its errors; and that JAX takes it for a static value."""

import chex
import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorded
import tt_jax as tt

DRAM, L1, L1_SMALL, TRACE = tt.BufferType.DRAM, tt.BufferType.L1, tt.BufferType.L1_SMALL, tt.BufferType.TRACE
every_device = pytest.mark.parametrize("device", tt.PROFILES.values(), ids=tt.PROFILES)


def size(memory, buffer_type):
    return memory.view(buffer_type).total_bytes_per_bank


@pytest.mark.parametrize("board, device", recorded.BOARDS.items())
def test_profile_is_the_recorded_one(board, device):
    for kind in ("mha_traces", "alloc_traces"):
        data = recorded.load(kind, board)
        memory = tt.MemoryState.create(device)
        assert list(device.grid) == data["device"]["grid"]
        assert device.arch == board.split("_")[0] and device.name == board.split("_")[1]
        assert recorded.views(memory) == data["initial_view"]
        for name in ("L1", "DRAM"):
            view = memory.view(tt.BufferType[name])
            assert (view.num_banks, view.total_bytes_per_bank) == tuple(data["device"][name].values())


# Source: spec/memory.md sections 1.1 and 1.3, measured.
ARCHITECTURES = {
    "wormhole": ([tt.N150, tt.N300], 105_824, 1_499_136, 1_048_640, 1_072_693_184, 32),
    "blackhole": ([tt.P100, tt.P150], 111_744, 1_572_864, 1_048_704, 4_277_141_376, 64),
}


@pytest.mark.parametrize("devices, l1_start, l1_end, dram_start, dram_size, granule", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_regions(devices, l1_start, l1_end, dram_start, dram_size, granule):
    for device in devices:
        memory = tt.MemoryState.create(device)
        l1, dram = memory.region(L1), memory.region(DRAM)
        assert (l1.start, l1.end, l1.granule, l1.bottom_up) == (l1_start, l1_end, granule, False)
        assert (dram.start, dram.size, dram.granule, dram.bottom_up) == (dram_start, dram_size, granule, True)


@pytest.mark.parametrize(
    "device, arguments, buffer_type, expected",
    [
        (tt.N150, dict(l1_small_size=24_576), L1, 1_368_736),
        (tt.N150, dict(l1_small_size=24_576), L1_SMALL, 24_576),
        (tt.N150, dict(l1_small_size=1), L1_SMALL, 32),
        (tt.P150, dict(l1_small_size=1), L1_SMALL, 64),
        (tt.N150, dict(worker_l1_size=1_400_000), L1, 1_400_000),
        (tt.N150, dict(worker_l1_size=1_463_968), L1, 1_463_968),
        (tt.P100, dict(worker_l1_size=1_531_776), L1, 1_531_776),
        (tt.N150, dict(worker_l1_size=1_400_000, l1_small_size=24_576), L1, 1_375_424),
        (tt.N150, dict(trace_region_size=1), TRACE, 8192),
        (tt.N150, dict(trace_region_size=1), DRAM, 1_072_693_184 - 8192),
        (tt.N150, dict(trace_region_size=98_304), TRACE, 8192),
        (tt.N150, dict(trace_region_size=98_305), TRACE, 16_384),
        (tt.N300, dict(trace_region_size=1_000_000), TRACE, 90_112),
        (tt.P150, dict(trace_region_size=1_000_000), TRACE, 131_072),
    ],
)
def test_sizes_asked_for(device, arguments, buffer_type, expected):
    assert size(tt.MemoryState.create(device, **arguments), buffer_type) == expected


def test_regions_asked_for_lie_where_the_device_puts_them():
    memory = tt.MemoryState.create(tt.N150, worker_l1_size=1_400_000, l1_small_size=24_576, trace_region_size=1)
    assert memory.region(L1).start == 99_136
    assert memory.region(L1).end == memory.region(L1_SMALL).start == 1_499_136 - 24_576
    assert memory.region(L1_SMALL).end == 1_499_136
    assert memory.region(DRAM).end == memory.region(TRACE).start == 1_073_741_824 - 8192
    assert memory.region(TRACE).end == 1_073_741_824


@every_device
def test_a_new_state_is_empty(device):
    memory = tt.MemoryState.create(device)
    for buffer_type in tt.BufferType:
        view = memory.view(buffer_type)
        assert view.total_bytes_allocated_per_bank == 0
        assert view.total_bytes_free_per_bank == view.largest_contiguous_bytes_free_per_bank == view.total_bytes_per_bank
        assert view.num_banks == (device.dram_banks if buffer_type in (DRAM, TRACE) else device.grid[0] * device.grid[1])
        assert memory.live(buffer_type) == ()
        assert memory.lowest_occupied(buffer_type) is None
    assert size(memory, L1_SMALL) == size(memory, TRACE) == 0


def test_grayskull_is_marked_approximate():
    assert [device.name for device in tt.PROFILES.values() if device.approximate] == ["e150"]
    assert tt.E150.l1_banks == 108


@every_device
@pytest.mark.parametrize("name", ["l1_small_size", "worker_l1_size", "trace_region_size"])
def test_sizes_out_of_range(device, name):
    for value in (-1, 10**15):
        with pytest.raises(tt.ArgumentError, match=rf"{name} is {value:,} B; on {device.name} it lies between 0 and [\d,]+ B"):
            tt.MemoryState.create(device, **{name: value})


@given(st.sampled_from(list(tt.PROFILES.values())), st.integers(0, 2_000_000), st.integers(0, 2_000_000))
def test_create_cuts_l1_in_two_or_raises(device, worker, small):
    try:
        memory = tt.MemoryState.create(device, worker_l1_size=worker, l1_small_size=small)
    except tt.ArgumentError:
        return
    l1, l1_small = memory.region(L1), memory.region(L1_SMALL)
    assert device.firmware_end <= l1.start <= l1.end == l1_small.start <= l1_small.end == device.l1_size


@every_device
def test_traces_leave_dram_a_size_or_raise(device):
    whole = device.dram_banks * size(tt.MemoryState.create(device), DRAM)
    for trace in (whole, whole - 1, whole - 8192 * device.dram_banks):
        try:
            memory = tt.MemoryState.create(device, trace_region_size=trace)
        except tt.ArgumentError:
            continue
        assert size(memory, DRAM) >= 0


def test_l1_small_larger_than_the_worker_l1_is_an_error():
    with pytest.raises(tt.ArgumentError, match="l1_small_size"):
        tt.MemoryState.create(tt.N150, worker_l1_size=1000, l1_small_size=100_000)


def test_allocate_returns_a_new_state():
    empty = tt.MemoryState.create(tt.N150)
    memory, buffer = empty.allocate(L1, 2048)
    assert empty.live(L1) == () and memory.live(L1) == (tt.Block(1_497_088, 2048),)
    assert buffer == tt.Buffer(L1, 1_497_088, 2048)
    assert memory.is_live(buffer) and not empty.is_live(buffer)
    assert memory.lowest_occupied(L1) == 1_497_088
    assert memory != empty and memory.deallocate(buffer) == empty
    assert memory.live(DRAM) == ()


@pytest.mark.parametrize("small", [0, 4096])
def test_l1_is_free_up_to_the_lowest_buffer(small):
    empty = tt.MemoryState.create(tt.N150, l1_small_size=small)
    top = tt.N150.l1_size - empty.region(L1).start
    memory, buffer = empty.allocate(L1, 2048)
    lowest = buffer.address - memory.region(L1).start
    for state, most in ((empty, top), (empty.allocate(DRAM, 2048)[0], top), (memory, lowest)):
        assert [state.has_free_l1(size) for size in (0, most, most + 1)] == [True, True, False]


@pytest.mark.parametrize("asked, on_wormhole, on_blackhole", [(208, 224, 256), (576, 576, 576), (1056, 1056, 1088)])
def test_blocks_are_whole_granules_in_l1_as_in_dram(asked, on_wormhole, on_blackhole):
    for device, taken in ((tt.N150, on_wormhole), (tt.P150, on_blackhole)):
        for buffer_type in (L1, DRAM):
            assert tt.MemoryState.create(device).allocate(buffer_type, asked)[1].size == taken


def test_the_example_of_the_spec():
    memory = tt.MemoryState.create(tt.N150)
    memory, first = memory.allocate(L1, 2048)
    memory, second = memory.allocate(L1, 3 * 2048)
    assert (first.address, second.address) == (1_497_088, 1_490_944)
    memory, third = memory.deallocate(second).allocate(L1, 2048)
    assert third.address == 1_495_040


def test_nothing_takes_no_place():
    empty = tt.MemoryState.create(tt.N150)
    memory, buffer = empty.allocate(DRAM, 0)
    assert memory is empty and buffer.size == 0
    assert memory.is_live(buffer) and memory.deallocate(buffer) is memory


def test_freeing_what_is_not_live():
    empty = tt.MemoryState.create(tt.N150)
    memory, buffer = empty.allocate(L1, 2048)
    freed = memory.deallocate(buffer)
    elsewhere = [buffer._replace(size=1024), buffer._replace(address=0)]
    for state, wrong in ((freed, buffer), (empty, buffer), *((memory, other) for other in elsewhere)):
        place = rf"the L1 buffer at {wrong.address:,} \({wrong.size:,} B per bank\) is not allocated in this memory state"
        with pytest.raises(tt.DeallocatedError, match=place):
            state.deallocate(wrong)


ADVICE = {
    "larger than a bank, L1": (L1, [], 2_000_000, r"larger than a whole bank: split the tensor or place it in DRAM\."),
    "larger than a bank, DRAM": (
        DRAM,
        [],
        2**40,
        r"live buffers, per bank: none\. It is larger than a whole bank: split the tensor\.",
    ),
    "full, L1": (L1, [1_300_000], 100_000, r"Deallocate a buffer that is no longer needed, or place one in DRAM\."),
    "full, DRAM": (DRAM, [1_000_000_000], 100_000_000, r"Deallocate a buffer that is no longer needed\."),
    "the largest": (L1, [640, 1_000_000, 320], 640_000, r"1,000,000 B at 498,496; 640 B at 1,498,496; 320 B at 498,176\."),
}


@pytest.mark.parametrize("buffer_type, before, asked, text", ADVICE.values(), ids=ADVICE)
def test_out_of_memory(buffer_type, before, asked, text):
    memory = tt.MemoryState.create(tt.N150)
    for bytes_per_bank in before:
        memory, _ = memory.allocate(buffer_type, bytes_per_bank)
    with pytest.raises(tt.OutOfMemoryError, match=rf"{buffer_type.name} of n150 cannot take {asked:,} B per bank: .*{text}"):
        memory.allocate(buffer_type, asked)


def test_out_of_memory_in_pieces():
    memory = tt.MemoryState.create(tt.N150)
    memory, first = memory.allocate(L1, 600_000)
    memory, _ = memory.allocate(L1, 320)
    pieces = "the largest hole has 792,992 B.*The free bytes are in pieces: .* `reallocate`"
    with pytest.raises(tt.OutOfMemoryError, match=pieces):
        memory.deallocate(first).allocate(L1, 1_000_000)


def test_equality_and_repr():
    memory, _ = tt.MemoryState.create(tt.N150).allocate(L1, 2048)
    same, _ = tt.MemoryState.create(tt.N150).allocate(L1, 2048)
    assert memory == same and hash(memory) == hash(same)
    for other in (tt.MemoryState.create(tt.N150), tt.MemoryState.create(tt.N300).allocate(L1, 2048)[0], None, 0):
        assert memory != other
    assert tt.MemoryState.create(tt.N150) != tt.MemoryState.create(tt.N150, l1_small_size=32)
    assert repr(memory) == "MemoryState(n150: DRAM 0 of 1,072,693,184 B per bank, L1 2,048 of 1,393,312 B per bank)"
    assert "L1_SMALL 32 of 64 B" in repr(tt.MemoryState.create(tt.N150, l1_small_size=64).allocate(L1_SMALL, 1)[0])


def test_it_is_a_pytree_without_leaves():
    memory, _ = tt.MemoryState.create(tt.P150).allocate(DRAM, 64)
    leaves, structure = jax.tree.flatten(memory)
    assert leaves == []
    assert jax.tree.unflatten(structure, leaves) == memory
    assert structure == jax.tree.structure(tt.MemoryState.create(tt.P150).allocate(DRAM, 64)[0])
    assert structure != jax.tree.structure(tt.MemoryState.create(tt.P150))


def test_jit_traces_once_for_equal_states():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def pass_through(memory, x):
        return memory, x + 1

    for _ in range(3):
        memory, _ = tt.MemoryState.create(tt.N150).allocate(L1, 2048)
        assert pass_through(memory, jnp.zeros(3))[0] == memory
    with pytest.raises(AssertionError, match="traced"):
        pass_through(tt.MemoryState.create(tt.N150), jnp.zeros(3))


def test_scan_carries_it():
    memory = tt.MemoryState.create(tt.N150)
    ones = jnp.ones((32, 32), jnp.bfloat16)
    memory, x = tt.from_array(memory, ones, layout=tt.TILE_LAYOUT, memory_config=tt.L1_MEMORY_CONFIG)

    def layer(carry, _):
        memory, x = carry
        memory, y = tt.add(memory, x, x)
        memory = tt.deallocate(memory, x)
        return tt.reallocate(memory, y), None

    (after, y), _ = jax.lax.scan(layer, (memory, x), length=4)
    assert after == memory and y.buffer == x.buffer
    assert (tt.to_array(y) == 16).all()


def test_scan_refuses_a_layer_that_leaks():
    memory = tt.MemoryState.create(tt.N150)
    memory, x = tt.from_array(memory, jnp.ones((32, 32), jnp.bfloat16), layout=tt.TILE_LAYOUT)
    with pytest.raises(TypeError, match="carry"):
        jax.lax.scan(lambda memory, _: (tt.add(memory, x, x)[0], None), memory, length=2)
