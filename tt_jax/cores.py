"""Cores by their coordinates: single ones, rectangles, sets of rectangles, and how work is dealt out to them.

`x` counts columns and `y` rows of the compute grid. Everything here is immutable and hashable.
"""

import dataclasses
import json
import operator
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

from tt_jax.errors import ArgumentError


def _coordinate(name: str, value: Any) -> int:
    try:
        index = operator.index(value)
    except TypeError:
        index = -1
    if index < 0:
        raise ArgumentError(f"a core's `{name}` must be an integer of at least 0, got {value!r}")
    return index


def _load(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text


def dump(value: Any) -> str:
    """`value` as ttnn's `to_json` writes it: compact, keys in alphabetical order."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


@dataclasses.dataclass(frozen=True, order=True, init=False, repr=False, slots=True)
class CoreCoord:
    """A core: `CoreCoord(x, y)`, or `CoreCoord((x, y))`. Raises ArgumentError for a negative coordinate."""

    x: int
    y: int

    def __init__(self, x: int | Sequence[int], y: int | None = None):
        if y is None:
            if not isinstance(x, (tuple, list)) or len(x) != 2:
                raise ArgumentError(f"a core has an x and a y, got {x!r}")
            x, y = x
        object.__setattr__(self, "x", _coordinate("x", x))
        object.__setattr__(self, "y", _coordinate("y", y))

    def __reduce__(self) -> tuple[type["CoreCoord"], tuple[int, int]]:
        return CoreCoord, (self.x, self.y)

    def __repr__(self) -> str:
        return f"{self.x}-{self.y}"

    @classmethod
    def of(cls, core: "CoreCoord | Sequence[int]") -> "CoreCoord":
        """`core` itself, or made of a pair."""
        return core if isinstance(core, CoreCoord) else cls(core)

    def to_json(self) -> str:
        """As ttnn writes it: `{"x":0,"y":0}`."""
        return dump(self.as_dict())

    def as_dict(self) -> dict[str, int]:
        """What `to_json` writes."""
        return {"x": self.x, "y": self.y}

    @classmethod
    def from_json(cls, text: str | dict[str, int]) -> "CoreCoord":
        """The core that `to_json` wrote."""
        fields = _load(text)
        return cls(fields["x"], fields["y"])


@dataclasses.dataclass(frozen=True, order=True, repr=False, slots=True)
class CoreRange:
    """The rectangle of cores from `start` to `end`, both within it. Raises ArgumentError if `end` lies above or left of `start`."""

    start: CoreCoord
    end: CoreCoord

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", CoreCoord.of(self.start))
        object.__setattr__(self, "end", CoreCoord.of(self.end))
        if self.end.x < self.start.x or self.end.y < self.start.y:
            raise ArgumentError(
                f"a core range ends right of and below its start or on it, got start {self.start}, end {self.end}"
            )

    def __repr__(self) -> str:
        return f"[{self.start} - {self.end}]"

    def __iter__(self) -> Iterator[CoreCoord]:
        return iter(self.cores(row_wise=True))

    def cores(self, row_wise: bool) -> list[CoreCoord]:
        """Its cores, row after row or column after column."""
        columns, rows = range(self.start.x, self.end.x + 1), range(self.start.y, self.end.y + 1)
        if row_wise:
            return [CoreCoord(x, y) for y in rows for x in columns]
        return [CoreCoord(x, y) for x in columns for y in rows]

    def grid_size(self) -> CoreCoord:
        """Columns and rows."""
        return CoreCoord(self.end.x - self.start.x + 1, self.end.y - self.start.y + 1)

    def size(self) -> int:
        """Number of cores."""
        grid = self.grid_size()
        return grid.x * grid.y

    def contains(self, other: "CoreCoord | CoreRange | CoreRangeSet") -> bool:
        """Whether all of `other` lies within this range."""
        if isinstance(other, CoreRangeSet):
            return all(self.contains(part) for part in other.ranges())
        first, last = (other.start, other.end) if isinstance(other, CoreRange) else (other, other)
        return self.start.x <= first.x and last.x <= self.end.x and self.start.y <= first.y and last.y <= self.end.y

    def intersection(self, other: "CoreRange") -> "CoreRange | None":
        """The cores of both, None if there are none."""
        left, top = max(self.start.x, other.start.x), max(self.start.y, other.start.y)
        right, bottom = min(self.end.x, other.end.x), min(self.end.y, other.end.y)
        return CoreRange(CoreCoord(left, top), CoreCoord(right, bottom)) if left <= right and top <= bottom else None

    def to_json(self) -> str:
        """As ttnn writes it."""
        return dump(self.as_dict())

    def as_dict(self) -> dict[str, dict[str, int]]:
        """What `to_json` writes."""
        return {"start": self.start.as_dict(), "end": self.end.as_dict()}

    @classmethod
    def from_json(cls, text: str | dict[str, Any]) -> "CoreRange":
        """The range that `to_json` wrote."""
        fields = _load(text)
        return cls(CoreCoord.from_json(fields["start"]), CoreCoord.from_json(fields["end"]))


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class CoreRangeSet:
    """Rectangles of cores that do not overlap. A list keeps its order, a set is sorted by start, then end, `x` before `y`.

    Equal by the rectangles in their order, not by the cores in them. Raises ArgumentError if two rectangles overlap.
    """

    _ranges: tuple[CoreRange, ...]

    def __init__(self, core_ranges: "Iterable[CoreRange | CoreCoord] | CoreRange | CoreRangeSet" = ()):
        parts: list[Any]
        if isinstance(core_ranges, CoreRangeSet):
            parts = core_ranges.ranges()
        else:
            parts = (
                [core_ranges] if isinstance(core_ranges, CoreRange) or not isinstance(core_ranges, Iterable) else [*core_ranges]
            )
        ranges = [CoreRange(part, part) if isinstance(part, CoreCoord) else part for part in parts]
        for part in ranges:
            if not isinstance(part, CoreRange):
                raise ArgumentError(f"a CoreRangeSet is made of a list or set of CoreRanges, got {part!r}")
        if isinstance(core_ranges, Set):
            ranges.sort()
        for i, first in enumerate(ranges):
            for second in ranges[i + 1 :]:
                if first.intersection(second):
                    raise ArgumentError(
                        f"core ranges {first} and {second} overlap: the ranges of a set must have no core in common"
                    )
        object.__setattr__(self, "_ranges", tuple(ranges))

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self._ranges)) + "}"

    def ranges(self) -> list[CoreRange]:
        """The rectangles in order."""
        return list(self._ranges)

    def size(self) -> int:
        """Number of rectangles."""
        return len(self._ranges)

    def empty(self) -> bool:
        """Whether there are no cores."""
        return not self._ranges

    def num_cores(self) -> int:
        """Number of cores."""
        return sum(part.size() for part in self._ranges)

    def bounding_box(self) -> CoreRange:
        """The smallest rectangle around all cores. Raises ArgumentError if there are none."""
        if not self._ranges:
            raise ArgumentError("an empty CoreRangeSet has no bounding box")
        xs = [core.x for part in self._ranges for core in (part.start, part.end)]
        ys = [core.y for part in self._ranges for core in (part.start, part.end)]
        return CoreRange(CoreCoord(min(xs), min(ys)), CoreCoord(max(xs), max(ys)))

    def contains(self, other: "CoreCoord | CoreRange | CoreRangeSet") -> bool:
        """Whether all cores of `other` are among these."""
        if isinstance(other, CoreCoord):
            return any(part.contains(other) for part in self._ranges)
        wanted = [other] if isinstance(other, CoreRange) else other.ranges()
        common = [part.intersection(want) for part in self._ranges for want in wanted]
        return sum(part.size() for part in common if part) == sum(want.size() for want in wanted)

    def merge(self, other: "Iterable[CoreRange] | CoreRangeSet") -> "CoreRangeSet":
        """The cores of both, in rows as wide as can be, of which those above each other with equal ends are one rectangle."""
        ranges = (*self._ranges, *(other.ranges() if isinstance(other, CoreRangeSet) else other))
        cores = {core for part in ranges for core in part}
        rows: dict[int, list[int]] = {}
        for core in cores:
            rows.setdefault(core.y, []).append(core.x)
        done: list[CoreRange] = []
        growing: dict[tuple[int, int], tuple[int, int]] = {}  # columns -> rows
        for y in sorted(rows):
            runs = _runs(sorted(rows[y]))
            for columns in [columns for columns, (_, last) in growing.items() if columns not in runs or last != y - 1]:
                done.append(_rectangle(columns, growing.pop(columns)))
            for columns in runs:
                growing[columns] = (growing.get(columns, (y, y))[0], y)
        return CoreRangeSet({*done, *(_rectangle(columns, span) for columns, span in growing.items())})

    def subtract(self, other: "CoreRangeSet") -> "CoreRangeSet":
        """The cores that are not in `other`."""
        remaining = self.merge(()).ranges() if len(self._ranges) > 1 else self.ranges()
        for hole in other.merge(()).ranges():
            remaining = [piece for part in remaining for piece in _without(part, hole)]
        return CoreRangeSet(remaining)

    def to_json(self) -> str:
        """As ttnn writes it: a list of ranges."""
        return dump(self.as_list())

    def as_list(self) -> list[dict[str, dict[str, int]]]:
        """What `to_json` writes."""
        return [part.as_dict() for part in self._ranges]

    @classmethod
    def from_json(cls, text: str | list[Any]) -> "CoreRangeSet":
        """The set that `to_json` wrote."""
        return cls([CoreRange.from_json(part) for part in _load(text)])


def _runs(xs: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for x in xs:
        if runs and runs[-1][1] == x - 1:
            runs[-1] = (runs[-1][0], x)
        else:
            runs.append((x, x))
    return runs


def _rectangle(columns: tuple[int, int], rows: tuple[int, int]) -> CoreRange:
    return CoreRange(CoreCoord(columns[0], rows[0]), CoreCoord(columns[1], rows[1]))


def _without(part: CoreRange, hole: CoreRange) -> list[CoreRange]:
    """`part` without `hole`: what is left of it, right of it, then above and below it."""
    common = part.intersection(hole)
    if common is None:
        return [part]
    pieces = [
        ((part.start.x, common.start.x - 1), (part.start.y, part.end.y)),
        ((common.end.x + 1, part.end.x), (part.start.y, part.end.y)),
        ((common.start.x, common.end.x), (part.start.y, common.start.y - 1)),
        ((common.start.x, common.end.x), (common.end.y + 1, part.end.y)),
    ]
    return [_rectangle(columns, rows) for columns, rows in pieces if columns[0] <= columns[1] and rows[0] <= rows[1]]


def grid_to_cores(
    num_cores: int | CoreCoord, grid_size_x: int | CoreCoord, grid_size_y: int = 0, row_wise: bool = False
) -> list[CoreCoord]:
    """The first `num_cores` cores of a grid; or `grid_to_cores(start, end)`, the cores of a rectangle.

    Raises ArgumentError if the grid has fewer.
    """
    if isinstance(num_cores, CoreCoord) and isinstance(grid_size_x, CoreCoord):
        return CoreRange(num_cores, grid_size_x).cores(row_wise)
    if isinstance(num_cores, CoreCoord) or isinstance(grid_size_x, CoreCoord):
        raise ArgumentError("grid_to_cores: expected (num_cores, grid_size_x, grid_size_y), or a start and an end core")
    if not 0 <= num_cores <= grid_size_x * grid_size_y:
        raise ArgumentError(f"a grid of {grid_size_x}x{grid_size_y} has not {num_cores} cores")
    if num_cores == 0:
        return []
    return CoreRange(CoreCoord(0, 0), CoreCoord(grid_size_x - 1, grid_size_y - 1)).cores(row_wise)[:num_cores]


def corerange_to_cores(core_ranges: CoreRangeSet, max_cores: int | None = None, row_wise: bool = False) -> list[CoreCoord]:
    """The cores of a set, range by range, at most `max_cores`."""
    return [core for part in core_ranges.ranges() for core in part.cores(row_wise)][:max_cores]


def num_cores_to_corerangeset(
    target_num_cores: int, grid_size: CoreCoord | Sequence[int], row_wise: bool = False
) -> CoreRangeSet:
    """The first `target_num_cores` cores of a grid of `grid_size`, in whole rows (columns unless `row_wise`) and a rest.

    Raises ArgumentError if the grid has fewer.
    """
    grid = CoreCoord.of(grid_size)
    return _from_start(
        CoreCoord(0, 0), target_num_cores, CoreRangeSet([_rectangle((0, grid.x - 1), (0, grid.y - 1))]), row_wise
    )


def num_cores_to_corerangeset_in_subcoregrids(
    start_core: CoreCoord | Sequence[int], target_num_cores: int, sub_core_grids: CoreRangeSet, row_wise: bool = False
) -> CoreRangeSet:
    """`target_num_cores` cores of some grids, from `start_core` on: within each grid whole rows (columns) and a rest.

    Raises ArgumentError if `start_core` is in no grid, or fewer cores follow it.
    """
    if target_num_cores < 1:
        raise ArgumentError(f"`target_num_cores` must be at least 1, got {target_num_cores}")
    return _from_start(CoreCoord.of(start_core), target_num_cores, sub_core_grids, row_wise)


def _from_start(start: CoreCoord, count: int, grids: CoreRangeSet, row_wise: bool) -> CoreRangeSet:
    ranges = grids.ranges()
    first = next((i for i, part in enumerate(ranges) if part.contains(start)), None)
    if first is None:
        raise ArgumentError(f"core {start} is not in the grid {grids}")
    taken: list[CoreRange] = []
    left = count
    for part in ranges[first:]:
        # The lines of a grid are its rows, or its columns with x and y exchanged.
        (along, across), (along_end, across_end) = _oriented(part.start, row_wise), _oriented(part.end, row_wise)
        at, line = _oriented(start, row_wise) if part is ranges[first] else (along, across)
        length = along_end - along + 1
        while left > 0 and line <= across_end:
            if at > along or left < length:
                size, lines = min(along_end - at + 1, left), 1
            else:
                size, lines = length, min(left // length, across_end - line + 1)
            span, lines_span = (at, at + size - 1), (line, line + lines - 1)
            taken.append(_rectangle(span, lines_span) if row_wise else _rectangle(lines_span, span))
            left -= size * lines
            at, line = along, line + lines
    if left > 0:
        raise ArgumentError(f"{count} cores were asked for from {start} on, but {grids} has {count - left}")
    return CoreRangeSet(taken)


def _oriented(core: CoreCoord, row_wise: bool) -> tuple[int, int]:
    return (core.x, core.y) if row_wise else (core.y, core.x)


Work = tuple[int, CoreRangeSet, CoreRangeSet, CoreRangeSet, int, int]


def split_work_to_cores(
    grid_size: CoreCoord | Sequence[int] | CoreRangeSet, units_to_divide: int, row_wise: bool = False
) -> Work:
    """Deal units of work out to the cores of a grid as evenly as can be.

    Returns `(number of cores, all of them, those of group 1, those of group 2, units of each in group 1, in group 2)`;
    the cores of group 1 have one unit more than those of group 2, which is empty if the units divide evenly.
    """
    nothing = CoreRangeSet()
    if units_to_divide == 0:
        return 0, nothing, nothing, nothing, 0, 0
    if isinstance(grid_size, CoreRangeSet):
        grid = grid_size
    else:
        size = CoreCoord.of(grid_size)
        grid = CoreRangeSet([_rectangle((0, size.x - 1), (0, size.y - 1))])
    if grid.empty():
        raise ArgumentError("split_work_to_cores: the grid has no cores")
    start = grid.ranges()[0].start
    cores = min(units_to_divide, grid.num_cores())
    every = grid if cores == grid.num_cores() else _from_start(start, cores, grid, row_wise)
    each, more = divmod(units_to_divide, cores)
    if more == 0:
        return cores, every, every, nothing, each, 0
    following = corerange_to_cores(grid, None, row_wise)[more]
    return (
        cores,
        every,
        _from_start(start, more, grid, row_wise),
        _from_start(following, cores - more, grid, row_wise),
        each + 1,
        each,
    )
