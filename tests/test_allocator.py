"""The allocator: against 240 recorded traces of the real one, against a map of cells, and by its laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorded
import tt_jax as tt
from tt_jax.memory import Bank, Block, Region

TRACES = [
    pytest.param(board, trace, id=f"{board}-{trace['trace']}-{trace['mode']}")
    for board in recorded.BOARDS
    for trace in recorded.load("alloc_traces", board)["traces"]
]


def round_up(n, multiple):
    return -(-n // multiple) * multiple


def blocks(memory, buffer_type):
    """Live and free blocks in the order of their addresses, as the record lists them: `[offset, bytes, is live]`."""
    region = memory.region(buffer_type)
    found, end = [], region.start
    for block in (*memory.live(buffer_type), Block(region.end, 0)):
        if block.address > end:
            found.append([end - region.start, block.address - end, 0])
        if block.size:
            found.append([block.address - region.start, block.size, 1])
        end = block.end
    return found


def describe(memory, tensor):
    found = recorded.describe(tensor) | {"aligned_page_size": tensor.spec.aligned_page_size(memory.device)}
    return {key: found[key] for key in ("padded_shape", "pages", "page_size", "aligned_page_size", "address")}


@pytest.mark.parametrize("board, trace", TRACES)
def test_recorded_trace(board, trace):
    empty = memory = tt.MemoryState.create(recorded.BOARDS[board])
    live = {}
    for step in trace["steps"] + trace["free_all"]:
        if step["op"] == "free":
            memory = tt.deallocate(memory, live.pop(step["id"]))
        elif "out" in step:
            memory, tensor = recorded.allocate(memory, recorded.tensor_spec(step["spec"]))
            live[step["id"]] = tensor
            assert describe(memory, tensor) == step["out"]
            assert recorded.describe_memory_config(tensor.memory_config) == step["spec"]["mem"]
        else:
            error, text = tt.ArgumentError, r"."
            if "Out of Memory" in step["error"]["info"]:
                _, free, largest = step["view"]
                error, text = tt.OutOfMemoryError, rf"B there, {free:,} are free, {largest:,} in the largest hole"
            with pytest.raises(error, match=text):
                recorded.allocate(memory, recorded.tensor_spec(step["spec"]))
        assert recorded.view(memory, step["buffer"]) == step["view"]
        for name, expected in step.get("blocks", {}).items():
            assert blocks(memory, tt.BufferType[name]) == expected
    assert memory == empty and hash(memory) == hash(empty)


CELLS, START = 48, 1000 * 32
regions = st.builds(
    lambda granule, bottom_up: Region(START, START + CELLS * granule, granule, bottom_up),
    st.sampled_from([32, 64]),
    st.booleans(),
)
# A positive number is a size to allocate, a negative one picks a live block to free.
programs = st.lists(st.one_of(st.integers(1, 5 * 64), st.integers(-1000, -1)), min_size=24, max_size=60)


class CellMap:
    """The same region as a list of cells, each of which holds the number of its block, or None. Searched cell by cell."""

    def __init__(self, region):
        self.region = region
        self.cells = [None] * CELLS

    def allocate(self, name, size):
        n = -(-size // self.region.granule)
        starts = range(CELLS - n + 1)
        for start in starts if self.region.bottom_up else reversed(starts):
            if self.cells[start : start + n] == [None] * n:
                self.cells[start : start + n] = [name] * n
                return Block(START + start * self.region.granule, n * self.region.granule)
        return None

    def free(self, name):
        self.cells = [None if cell == name else cell for cell in self.cells]

    def runs(self, keep):
        """Maximal runs of cells of one name for which `keep(name)` holds, as blocks."""
        found, granule = [], self.region.granule
        for i, cell in enumerate(self.cells):
            if not keep(cell):
                continue
            if found and i and self.cells[i - 1] == cell:
                found[-1] = Block(found[-1].address, found[-1].size + granule)
            else:
                found.append(Block(START + i * granule, granule))
        return tuple(found)


def execute(region, program):
    """The bank after `program`, and its live blocks in the order of their making."""
    bank, live = Bank(region), []
    for step in program:
        if step > 0:
            allocated = bank.allocate(step)
            if allocated is not None:
                bank, block = allocated
                live.append(block)
        elif live:
            bank = bank.deallocate(live.pop(step % len(live)))
    return bank, live


@given(regions, programs)
def test_first_fit_as_on_a_map_of_cells(region, program):
    bank, cells, live = Bank(region), CellMap(region), {}
    for i, step in enumerate(program):
        if step > 0:
            allocated, expected = bank.allocate(step), cells.allocate(i, step)
            assert (allocated and allocated[1]) == expected
            if allocated:
                bank, live[i] = allocated
        elif live:
            name = list(live)[step % len(live)]
            bank = bank.deallocate(live.pop(name))
            cells.free(name)
        assert bank.live == cells.runs(lambda cell: cell is not None)
        assert bank.free == cells.runs(lambda cell: cell is None)
        assert bank.allocated == sum(cell is not None for cell in cells.cells) * region.granule
        assert bank.largest_free == max([block.size for block in bank.free], default=0)
        assert bank.lowest_occupied == min([address for address, _ in live.values()], default=None)


@given(regions, programs, st.integers(1, 2000))
def test_free_undoes_allocate(region, program, size):
    bank, _ = execute(region, program)
    allocated = bank.allocate(size)
    assert (allocated is None) == (round_up(size, region.granule) > bank.largest_free)
    if allocated:
        after, block = allocated
        assert after != bank
        assert after.holds(block) and not bank.holds(block)
        undone = after.deallocate(block)
        assert undone == bank
        assert hash(undone) == hash(bank)
        assert undone.free == bank.free


@given(regions, programs, st.randoms(use_true_random=False))
def test_freeing_everything_in_any_order_empties_the_bank(region, program, random):
    bank, live = execute(region, program)
    random.shuffle(live)
    for block in live:
        bank = bank.deallocate(block)
    assert bank == Bank(region)
    assert hash(bank) == hash(Bank(region))
    assert bank.free == Bank(region).free == (Block(START, region.size),)


@given(regions, programs, st.data())
def test_equal_live_blocks_are_equal_banks_whatever_came_before(region, program, data):
    bank, live = execute(region, program)
    first = second = bank
    chosen = data.draw(st.lists(st.sampled_from(live), unique=True)) if live else []
    for block in chosen:
        first = first.deallocate(block)
    for block in data.draw(st.permutations(chosen)):
        second = second.deallocate(block)
    assert first == second and hash(first) == hash(second) and first.free == second.free
    assert first == Bank(region, first.live)


def test_a_bank_knows_its_region():
    region = Region(0, 1024, 32, True)
    assert Bank(region) != Bank(Region(0, 1024, 32, False))
    assert Bank(region) != Bank(Region(0, 2048, 32, True))
    assert Bank(region) != region


@pytest.mark.parametrize("bottom_up", [True, False])
def test_an_empty_region_takes_nothing(bottom_up):
    bank = Bank(Region(64, 64, 32, bottom_up))
    assert bank.free == ()
    assert bank.largest_free == 0
    assert bank.allocate(1) is None


def test_only_a_live_block_can_be_freed():
    bank, block = Bank(Region(0, 1024, 32, True)).allocate(64)
    for other in (Block(0, 32), Block(32, 32), Block(64, 64), Block(0, 96), Block(1024, 0), Block(2048, 32)):
        with pytest.raises(KeyError, match=rf"address={other.address}, size={other.size}"):
            bank.deallocate(other)
        assert not bank.holds(other)
    freed = bank.deallocate(block)
    with pytest.raises(KeyError, match="0, 64"):
        freed.deallocate(block)
    assert bank.live == (block,) and freed.live == ()
