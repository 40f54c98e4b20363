"""The program cache: which programs a device holds, as it counts them, and the compiled kernel of each.

Two keys lie behind each entry. The full one (operation, attributes, board, input specs) finds a compiled kernel, so that two
different programs never share one. The device's may leave parts out (element-wise operations ignore the shape): programs that
agree in it count as one entry. Source: spec/memory.md section 4.1 (measured).
"""

import itertools
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tt_jax.memory import Buffer
    from tt_jax.program import Program

Key = tuple[Hashable, ...]


class ProgramCache:
    """Programs by operation, attributes and input specs: addresses and values are never in the key.

    One cache is active at a time (`active_cache`); `use` makes another one active for a block.

    `ProgramCache(release)` is a device's: programs may keep buffers in its memory for as long as they are cached (the table of a
    reshape), which are given to `release` when it is cleared. In a memory state that is threaded through a program there are none,
    since what the state holds would depend on what ran before.

    Attributes:
        find: `find(key)` is the program of a full key, None if it is not held.
        hits: launches whose program the device would have held.
        misses: launches for which it would have compiled one.
        misses_allowed: False for a launch without its program to raise TTError (ttnn's `set_program_cache_misses_allowed`).
    """

    def __init__(self, release: "Callable[[Buffer], None] | None" = None) -> None:
        self._release = release
        self._programs: dict[Key, Program] = {}
        # The device's keys, in the order in which they came, each with the buffer that its program keeps.
        self._entries: dict[Key, Buffer | None] = {}
        self._missed: Key | None = None
        self.find = self._programs.get
        self._enabled = True
        self.hits = 0
        self.misses = 0
        self.misses_allowed = True

    def __repr__(self) -> str:
        state = "" if self._enabled else ", disabled"
        return f"ProgramCache({self.entries} entries, {self.hits} hits, {self.misses} misses{state})"

    @property
    def entries(self) -> int:
        """Programs held, as the device counts them."""
        return len(self._entries)

    @property
    def is_enabled(self) -> bool:
        """Whether programs are kept. The cache starts enabled."""
        return self._enabled

    def enable(self) -> None:
        """Keep programs from now on; those held stay."""
        self._enabled = True

    def disable_and_clear(self) -> None:
        """Drop every program and keep none: each launch builds its program anew."""
        self._enabled = False
        self.clear()

    def clear(self) -> None:
        """Drop every program, with what it kept in memory, and set the counts to zero."""
        if self._release is not None:
            for buffer in self._entries.values():
                if buffer is not None:
                    self._release(buffer)
        self._programs.clear()
        self._entries.clear()
        self._missed = None
        self.hits = self.misses = 0

    def holds(self, entry: Key) -> bool:
        """Whether the device has a program for its key `entry`."""
        return entry in self._entries

    def keeps_a_buffer_for(self, program: "Program") -> bool:
        """Whether a buffer that `program` keeps is to be allocated: on a device that will keep the program, and has not yet."""
        return self._release is not None and self._enabled and program.entry not in self._entries

    def add(self, key: Key, program: "Program", kept: "Buffer | None" = None) -> bool:
        """Count a launch that succeeded and whose kernel was new, and keep the program, which keeps the buffer `kept`.

        Whether the device held it already.
        """
        entry = program.entry
        is_hit = entry in self._entries
        if is_hit:
            self.hits += 1
        else:
            self.misses += 1
            self._missed = entry
        if self._enabled:
            self._programs[key] = program
            self._entries.setdefault(entry, kept)
        return is_hit

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Forget what a `with` block added if it raises: for operations that launch several programs."""
        hits, misses, missed = self.hits, self.misses, self._missed
        programs, entries = len(self._programs), len(self._entries)
        try:
            yield
        except BaseException:
            self.hits, self.misses, self._missed = hits, misses, missed
            while len(self._programs) > programs:
                self._programs.popitem()
            while len(self._entries) > entries:
                self._entries.popitem()
            raise

    @contextmanager
    def use(self) -> Iterator["ProgramCache"]:
        """Make this the active cache within a `with` block."""
        from tt_jax.context import active

        token = active.set(active.get()._replace(programs=self))
        try:
            yield self
        finally:
            active.reset(token)

    def explain_miss(self) -> str:
        """Why the last miss was one: what of its key differs from the nearest program that was held then, part by part."""
        missed = self._missed
        if missed is None:
            return "no launch has missed the program cache since it was last cleared"
        earlier = list(itertools.takewhile(lambda entry: entry != missed, self._entries))
        same = [entry for entry in earlier if entry[0] is missed[0]]
        name = missed[0].name_of(missed[1])  # type: ignore[attr-defined]
        if not same:
            return f"{name}: no program of this operation was held, of {len(earlier)} in all"
        differences = min((_differences(entry, missed) for entry in same), key=len)
        return f"{name}: differs from the nearest of {len(earlier)} programs in {'; '.join(differences)}"


def _differences(held: Key, missed: Key) -> list[str]:
    """Which parts of two keys of one operation differ."""
    was, now = _parts(held), _parts(missed)
    changed = [part for part in was | now if was.get(part) != now.get(part)]
    return [f"{part} ({was.get(part, 'none')} before, now {now.get(part, 'none')})" for part in changed]


def _parts(key: Key) -> dict[str, object]:
    """The parts of a key by name: fields of the attributes, the board, each input's shape, dtype, layout and so on."""
    _, attributes, device, *inputs = key
    parts = dict(_fields(attributes, "attributes")) | {"device": device}
    for i, part in enumerate(inputs):
        if part is None:
            parts[f"input {i}"] = "a number"
        elif hasattr(part, "_fields"):
            parts |= {f"{field} of input {i}": value for field, value in _fields(part, "")}
        else:
            parts |= {f"{field} of input {i}": getattr(part, field) for field in _SPEC_FIELDS}
    return parts


_SPEC_FIELDS = ("shape", "dtype", "layout", "memory_config", "tile")


def _fields(value: object, name: str) -> Iterator[tuple[str, object]]:
    """The fields of a NamedTuple, those within them too; any other value under `name`."""
    fields: tuple[str, ...] = getattr(value, "_fields", ())
    if not fields:
        yield name, value
    for field in fields:
        yield from _fields(getattr(value, field), field)
