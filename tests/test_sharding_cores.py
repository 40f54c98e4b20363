"""Cores, ranges and sets of them, against plain sets of coordinates; how work is dealt out; how they print."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from tt_jax.cores import (
    CoreCoord,
    CoreRange,
    CoreRangeSet,
    corerange_to_cores,
    grid_to_cores,
    num_cores_to_corerangeset,
    num_cores_to_corerangeset_in_subcoregrids,
    split_work_to_cores,
)

GRID = 8
corners = st.tuples(st.integers(0, GRID - 1), st.integers(0, GRID - 1), st.integers(1, 4), st.integers(1, 4))
ranges = corners.map(lambda c: CoreRange((c[0], c[1]), (min(c[0] + c[2], GRID) - 1, min(c[1] + c[3], GRID) - 1)))


def disjoint(candidates):
    """The first of some ranges that have no core in common, in their order."""
    kept = []
    for candidate in candidates:
        if not any(candidate.intersection(other) for other in kept):
            kept.append(candidate)
    return CoreRangeSet(kept)


sets = st.lists(ranges, max_size=6).map(disjoint)
nonempty = st.lists(ranges, min_size=1, max_size=6).map(disjoint)


def pairs(cores):
    """The coordinates in a range or a set, as plain pairs."""
    parts = [cores] if isinstance(cores, CoreRange) else cores.ranges()
    return {(x, y) for part in parts for x in range(part.start.x, part.end.x + 1) for y in range(part.start.y, part.end.y + 1)}


@given(sets)
def test_a_set_of_ranges_is_a_set_of_cores(cores):
    assert cores.num_cores() == len(pairs(cores)) == sum(part.size() for part in cores.ranges())
    assert cores.size() == len(cores.ranges())
    assert cores.empty() == (not pairs(cores))
    for x in range(GRID):
        for y in range(GRID):
            assert cores.contains(CoreCoord(x, y)) == ((x, y) in pairs(cores))


@given(nonempty)
def test_the_bounding_box_is_the_smallest_around_all(cores):
    box, inside = cores.bounding_box(), pairs(cores)
    assert box.contains(cores)
    assert (box.start.x, box.end.x) == (min(x for x, _ in inside), max(x for x, _ in inside))
    assert (box.start.y, box.end.y) == (min(y for _, y in inside), max(y for _, y in inside))


@given(sets, sets)
def test_union_difference_and_inclusion(first, second):
    merged, left = first.merge(second), first.subtract(second)
    assert pairs(merged) == pairs(first) | pairs(second)
    assert merged.num_cores() == len(pairs(merged))
    assert merged == merged.merge([]) == CoreRangeSet(set(merged.ranges()))
    assert pairs(left) == pairs(first) - pairs(second)
    assert left.num_cores() == len(pairs(left))
    assert first.contains(second) == (pairs(second) <= pairs(first))


@given(ranges, ranges)
def test_ranges(first, second):
    common = first.intersection(second)
    assert (pairs(common) if common else set()) == pairs(first) & pairs(second)
    assert first.contains(second) == (pairs(second) <= pairs(first))
    assert first.grid_size() == CoreCoord(first.end.x - first.start.x + 1, first.end.y - first.start.y + 1)
    assert [(core.y, core.x) for core in first] == sorted((y, x) for x, y in pairs(first))
    assert [(core.x, core.y) for core in first.cores(row_wise=False)] == sorted(pairs(first))


def test_merging_joins_what_lies_above_each_other():
    merged = CoreRangeSet([CoreRange((0, 0), (7, 0)), CoreRange((0, 1), (7, 1)), CoreRange((0, 2), (2, 2))]).merge([])
    assert merged == CoreRangeSet([CoreRange((0, 0), (7, 1)), CoreRange((0, 2), (2, 2))])


@given(sets, st.booleans(), st.integers(0, 70))
def test_cores_of_a_set_come_range_by_range(cores, row_wise, limit):
    listed = corerange_to_cores(cores, None, row_wise)
    assert {(core.x, core.y) for core in listed} == pairs(cores) and len(listed) == cores.num_cores()
    assert listed == [core for part in cores.ranges() for core in part.cores(row_wise)]
    assert corerange_to_cores(cores, limit, row_wise) == listed[:limit]


@given(st.integers(1, GRID), st.integers(1, GRID), st.booleans(), st.data())
def test_the_first_cores_of_a_grid(columns, rows, row_wise, data):
    count = data.draw(st.integers(1, columns * rows))
    listed = grid_to_cores(count, columns, rows, row_wise)
    expected = [divmod(i, columns)[::-1] if row_wise else divmod(i, rows) for i in range(count)]
    assert [(core.x, core.y) for core in listed] == expected
    taken = num_cores_to_corerangeset(count, CoreCoord(columns, rows), row_wise)
    assert pairs(taken) == set(expected) and taken.num_cores() == count
    assert taken.size() <= 2
    grid = CoreRangeSet([CoreRange((0, 0), (columns - 1, rows - 1))])
    assert num_cores_to_corerangeset_in_subcoregrids((0, 0), count, grid, row_wise) == taken


@given(nonempty, st.booleans(), st.data())
def test_cores_of_grids_from_a_start_on(grids, row_wise, data):
    listed = corerange_to_cores(grids, None, row_wise)
    first = data.draw(st.integers(0, len(listed) - 1))
    count = data.draw(st.integers(1, len(listed) - first))
    taken = num_cores_to_corerangeset_in_subcoregrids(listed[first], count, grids, row_wise)
    assert corerange_to_cores(taken, None, row_wise) == listed[first : first + count]


@given(st.one_of(nonempty, st.tuples(st.integers(1, GRID), st.integers(1, GRID))), st.integers(0, 300), st.booleans())
def test_work_is_dealt_out_evenly(grid, units, row_wise):
    cores, every, more, less, units_more, units_less = split_work_to_cores(grid, units, row_wise)
    available = grid.num_cores() if isinstance(grid, CoreRangeSet) else grid[0] * grid[1]
    assert cores == min(units, available) == every.num_cores() == more.num_cores() + less.num_cores()
    assert pairs(more) | pairs(less) == pairs(every)
    assert more.num_cores() * units_more + less.num_cores() * units_less == units
    assert less.empty() == (units_less == 0)
    assert less.empty() or units_more == units_less + 1


@given(nonempty)
def test_they_are_values(cores):
    assert cores == CoreRangeSet(cores.ranges()) and hash(cores) == hash(CoreRangeSet(cores.ranges()))
    assert pickle.loads(pickle.dumps(cores)) == cores
    assert CoreRangeSet.from_json(cores.to_json()) == cores
    assert json.loads(cores.to_json()) == [json.loads(part.to_json()) for part in cores.ranges()]
    for part in cores.ranges():
        assert CoreRange.from_json(part.to_json()) == part
        assert CoreCoord.from_json(part.end.to_json()) == part.end


def test_a_list_keeps_its_order_and_a_set_is_sorted():
    first, second = CoreRange((0, 0), (7, 0)), CoreRange((0, 1), (2, 1))
    assert CoreRangeSet([second, first]).ranges() == [second, first]
    assert CoreRangeSet({second, first}).ranges() == [first, second]
    assert CoreRangeSet([second, first]) != CoreRangeSet([first, second])
    assert (
        CoreRangeSet([CoreCoord(1, 2)]) == CoreRangeSet([CoreRange((1, 2), (1, 2))]) == CoreRangeSet(CoreRange((1, 2), (1, 2)))
    )
    assert CoreRangeSet(CoreRangeSet([first])) == CoreRangeSet([first])


def test_they_print_as_the_recorded_messages_do():
    cores = CoreRangeSet([CoreRange(CoreCoord(0, 0), CoreCoord(1, 0)), CoreRange((2, 1), (2, 1))])
    assert repr(cores) == "{[0-0 - 1-0], [2-1 - 2-1]}"
    assert repr(CoreCoord(3, 0)) == "3-0"
    assert CoreCoord((3, 0)) == CoreCoord(3, 0) and CoreCoord(3, 0).to_json() == '{"x":3,"y":0}'
    assert CoreRangeSet().ranges() == [] and repr(CoreRangeSet()) == "{}"


ONE = CoreRangeSet([CoreRange((0, 0), (1, 1))])
BAD = {
    "a negative coordinate": (lambda: CoreCoord(-1, 0), "`x` must be an integer of at least 0, got -1"),
    "a coordinate of another type": (lambda: CoreCoord(0, "1"), "`y` must be an integer of at least 0, got '1'"),
    "one coordinate": (lambda: CoreCoord(3), "a core has an x and a y, got 3"),
    "an inverted range": (lambda: CoreRange((3, 0), (0, 0)), "got start 3-0, end 0-0"),
    "ranges that overlap": (
        lambda: CoreRangeSet([CoreRange((0, 0), (1, 0)), CoreRange((1, 0), (2, 0))]),
        r"core ranges \[0-0 - 1-0\] and \[1-0 - 2-0\] overlap",
    ),
    "a set of something else": (lambda: CoreRangeSet([(0, 0)]), r"a list or set of CoreRanges, got \(0, 0\)"),
    "a set that is no list": (lambda: CoreRangeSet(3), "a list or set of CoreRanges, got 3"),
    "no bounding box": (lambda: CoreRangeSet().bounding_box(), "has no bounding box"),
    "more cores than the grid": (
        lambda: num_cores_to_corerangeset(5, (2, 2)),
        "5 cores were asked for from 0-0 on, but .* has 4",
    ),
    "more cores than follow": (
        lambda: num_cores_to_corerangeset_in_subcoregrids((1, 1), 2, ONE, True),
        "2 cores were asked for from 1-1 on, but .* has 1",
    ),
    "a start outside": (lambda: num_cores_to_corerangeset_in_subcoregrids((5, 5), 1, ONE), "core 5-5 is not in the grid"),
    "no cores asked for": (lambda: num_cores_to_corerangeset_in_subcoregrids((0, 0), 0, ONE), "must be at least 1, got 0"),
    "too many of a grid": (lambda: grid_to_cores(5, 2, 2), "a grid of 2x2 has not 5 cores"),
    "work for no cores": (lambda: split_work_to_cores(CoreRangeSet(), 1), "the grid has no cores"),
}


@pytest.mark.parametrize("call, text", BAD.values(), ids=BAD)
def test_errors(call, text):
    with pytest.raises(tt.ArgumentError, match=text):
        call()
