"""Laws of MemoryState over random programs, on every board and in every kind of memory, with hundreds of live buffers.

The programs work in small regions, which they fill, and each of their steps allocates or frees many buffers, so that the
allocator's chunks are cut and joined. The oracle keeps a list of live blocks and derives the holes anew at each call.
"""

import pickle
import random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from tt_jax.memory.bank import CHUNK

DRAM, L1, L1_SMALL, TRACE = tt.BufferType


class Allocate(NamedTuple):
    buffer_type: tt.BufferType
    size: int
    count: int


class Free(NamedTuple):
    """Frees `count` live buffers, every `stride`-th in the order of their making, from the one at `start` on."""

    start: int
    stride: int
    count: int


@st.composite
def memories(draw):
    small = draw(st.integers(0, 8192))
    return tt.MemoryState.create(
        draw(st.sampled_from(list(tt.PROFILES.values()))),
        l1_small_size=small,
        worker_l1_size=small + draw(st.integers(1024, 65_536)),
        trace_region_size=draw(st.integers(0, 200_000)),
    )


sizes = st.one_of(st.sampled_from([32, 64, 96, 128]), st.integers(0, 256), st.integers(0, 4096), st.integers(0, 10**10))
counts = st.sampled_from([300, 150, 50, 1])
allocations = st.builds(Allocate, st.sampled_from([L1, DRAM, L1_SMALL, TRACE]), sizes, counts)
frees = st.builds(Free, st.integers(0, 1000), st.integers(1, 5), counts)
programs = st.lists(st.one_of(allocations, allocations, frees), min_size=4, max_size=24)


def buffers_of(live, step):
    return live[step.start % len(live) :: step.stride][: step.count] if live else []


def execute(memory, program):
    """The state after `program`, and its live buffers in the order of their making. An allocation that fails is left out."""
    live = []
    for step in program:
        if isinstance(step, Free):
            for buffer in buffers_of(live, step):
                memory = memory.deallocate(buffer)
                live.remove(buffer)
        else:
            for _ in range(step.count):
                try:
                    memory, buffer = memory.allocate(step.buffer_type, step.size)
                except tt.OutOfMemoryError:
                    break
                live.append(buffer)
    return memory, live


class Oracle:
    """First fit in one region, as a list of live `(address, size)` in no order."""

    def __init__(self, region):
        self.region, self.live = region, []

    def holes(self):
        found, start = [], self.region.start
        for address, size in [*sorted(self.live), (self.region.end, 0)]:
            if start < address:
                found.append((start, address - start))
            start = address + size
        return found

    def place(self, size):
        size = -(-size // self.region.granule) * self.region.granule
        for start, free in self.holes() if self.region.bottom_up else reversed(self.holes()):
            if size <= free:
                return (start if self.region.bottom_up else start + free - size), size
        return None


@given(memories(), programs)
def test_it_places_as_the_oracle_does(memory, program):
    oracles = {kind: Oracle(memory.region(kind)) for kind in tt.BufferType}
    made = []
    for step in program:
        if isinstance(step, Free):
            for buffer in buffers_of(made, step):
                memory = memory.deallocate(buffer)
                made.remove(buffer)
                if buffer.size:
                    oracles[buffer.buffer_type].live.remove(buffer[1:])
        else:
            oracle = oracles[step.buffer_type]
            for _ in range(step.count):
                expected = oracle.place(step.size) if step.size else (0, 0)
                if expected is None:
                    with pytest.raises(tt.OutOfMemoryError, match="Out of Memory"):
                        memory.allocate(step.buffer_type, step.size)
                    break
                memory, buffer = memory.allocate(step.buffer_type, step.size)
                assert buffer == (step.buffer_type, *expected)
                made.append(buffer)
                if step.size:
                    oracle.live.append(expected)
        for kind, oracle in oracles.items():
            holes = [size for _, size in oracle.holes()]
            allocated, free, largest = memory.view(kind)[2:]
            assert memory.live(kind) == tuple(sorted(oracle.live))
            assert (free, largest) == (sum(holes), max(holes, default=0))
            assert allocated + free == memory.view(kind).total_bytes_per_bank == oracle.region.size
            assert memory.lowest_occupied(kind) == min((address for address, _ in oracle.live), default=None)


@given(memories(), programs)
def test_live_buffers_lie_apart_within_their_regions(memory, program):
    memory, live = execute(memory, program)
    assert all(memory.is_live(buffer) for buffer in live)
    for kind in tt.BufferType:
        region, blocks = memory.region(kind), memory.live(kind)
        assert sorted(blocks) == sorted(buffer[1:] for buffer in live if buffer.buffer_type is kind and buffer.size)
        ends = [region.start, *(block.end for block in blocks)]
        starts = [*(block.address for block in blocks), region.end]
        assert all(end <= start for end, start in zip(ends, starts, strict=True))
        assert all((end - region.start) % region.granule == 0 for end in ends if region.bottom_up)
        assert all((region.end - start) % region.granule == 0 for start in starts if not region.bottom_up)


@given(memories(), programs, st.randoms(use_true_random=False))
def test_freeing_everything_in_any_order_returns_an_equal_state(empty, program, choose):
    memory, live = execute(empty, program)
    choose.shuffle(live)
    for buffer in live:
        memory = memory.deallocate(buffer)
    assert memory == empty and hash(memory) == hash(empty)


@given(memories(), programs, st.sampled_from(tt.BufferType))
def test_what_fails_changes_nothing(memory, program, kind):
    memory, _ = execute(memory, program)
    before = [memory.live(kind) for kind in tt.BufferType], memory.view(kind), hash(memory)
    with pytest.raises(tt.OutOfMemoryError, match="Out of Memory"):
        memory.allocate(kind, memory.view(kind).largest_contiguous_bytes_free_per_bank + 1)
    region = memory.region(kind)
    for address in (region.start - 32, region.start + 1, region.end, region.end + 32):
        stranger = tt.Buffer(kind, address, 32)
        assert not memory.is_live(stranger)
        with pytest.raises(tt.DeallocatedError, match="is not allocated"):
            memory.deallocate(stranger)
    assert ([memory.live(kind) for kind in tt.BufferType], memory.view(kind), hash(memory)) == before


@given(memories(), programs, programs)
def test_a_state_outlives_what_is_derived_from_it(memory, first, second):
    memory, live = execute(memory, first)
    blocks, digest, copy = [memory.live(kind) for kind in tt.BufferType], hash(memory), pickle.loads(pickle.dumps(memory))
    later, made = execute(memory, second)
    for buffer in live:
        later = later.deallocate(buffer)
    assert [memory.live(kind) for kind in tt.BufferType] == blocks
    assert hash(memory) == digest and memory == copy
    assert (later == memory) == (all(buffer.size == 0 for buffer in (*live, *made)))


@given(memories(), programs)
def test_equal_histories_and_pickles_are_equal_states(memory, program):
    after, live = execute(memory, program)
    again, _ = execute(memory, program)
    loaded = pickle.loads(pickle.dumps(after))  # with the blocks in other chunks
    for same in (again, loaded):
        assert same == after and hash(same) == hash(after)
        assert [same.view(kind) for kind in tt.BufferType] == [after.view(kind) for kind in tt.BufferType]
    for buffer in live:
        after, loaded = after.deallocate(buffer), loaded.deallocate(buffer)
        assert buffer.size == 0 or again != after
    assert after == loaded == memory


@pytest.mark.parametrize("kind", [L1, DRAM])
def test_long_churn(kind):
    """Buffers come and go by chance, up to 1,200 at a time, placed as by the oracle, in chunks neither long nor many."""
    choose = random.Random(0)
    empty = memory = tt.MemoryState.create(tt.N150, worker_l1_size=200_000)
    oracle, live = Oracle(memory.region(kind)), []
    for target in (1200, 200, 800, 20, 400, 0):
        rising = target > len(live)
        while len(live) != target:
            if choose.random() < (0.8 if rising else 0.2) or not live:
                size = choose.randrange(1, 8) ** 2 * 4
                expected = oracle.place(size)
                if expected is None:
                    break
                memory, buffer = memory.allocate(kind, size)
                live.append(buffer)
                oracle.live.append(expected)
                assert buffer[1:] == expected
            else:
                buffer = live.pop(choose.randrange(len(live)))
                memory = memory.deallocate(buffer)
                oracle.live.remove(buffer[1:])
            chunks = memory._banks[kind]._chunks
            lengths = [len(blocks) for blocks, *_ in chunks]
            assert 0 < min(lengths) and max(lengths) < 2 * CHUNK and min(lengths[:-1], default=CHUNK) >= CHUNK // 4
            assert all((max(holes), sum(holes)) == (largest, free) for _, holes, largest, free in chunks)
        assert memory.live(kind) == tuple(sorted(oracle.live))
    assert memory == empty and hash(memory) == hash(empty)
