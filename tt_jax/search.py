"""`search`: the cheapest dtypes and fidelities of a program that keep a wanted accuracy."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from tt_jax import measures
from tt_jax.choices import SETTABLE, Choices, Run, named_fidelity, run
from tt_jax.compute import MathFidelity
from tt_jax.devices import N150, DeviceProfile
from tt_jax.dtypes import FLOATS, DataType
from tt_jax.errors import ArgumentError, TTError
from tt_jax.kernels import numerics
from tt_jax.kernels.numerics import Level
from tt_jax.layout import Layout
from tt_jax.plan import profile_of
from tt_jax.tensor import Tensor
from tt_jax.work import CYCLES_PER_PHASE

FIDELITIES = (MathFidelity.HiFi4, MathFidelity.HiFi3, MathFidelity.HiFi2, MathFidelity.LoFi)
_MEASURES = {"pcc": np.min, "relative_error": np.max}
"""What a target may name, and which of several outputs' counts; NaN, where one has it."""


class Trial(NamedTuple):
    """One setting that was run.

    Attributes:
        choices: dtypes and fidelities, as `tt.compare` takes them.
        bytes: of all tensors, arguments and results, in memory, over all banks.
        peak_l1: the most L1 that was allocated at once, bytes per bank, as in a plan.
        cycles: of one matrix engine for all products of matrices (documented: 16 for a phase of a product of two tiles).
        measures: "pcc" and "relative_error" of the outputs against the float32 reference, the worst of several.
    """

    choices: Choices
    bytes: int
    peak_l1: int
    cycles: int
    measures: dict[str, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """Every setting that was tried, the first the most precise. Printed, it is a table; `save` draws error against bytes.

    Attributes:
        target: the measures wanted: "pcc" at least, "relative_error" at most.
        best: the cheapest setting found that reaches it.
        trials: in order.
        is_complete: False where `limit` ended it.
    """

    target: dict[str, float]
    best: Trial
    trials: tuple[Trial, ...]
    is_complete: bool

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials that no other beats in bytes, cycles and relative error at once, by bytes."""
        kept = []
        for trial in self.trials:
            figures = _figures(trial)
            if not any(_beats(_figures(other), figures) for other in self.trials):
                kept.append(trial)
        unique = {_figures(trial): trial for trial in reversed(kept)}
        return tuple(sorted(unique.values(), key=_figures))

    def __str__(self) -> str:
        from tt_jax.report.judgement import search_table

        return search_table(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Draw relative error against bytes, to a ".png" or ".svg" (needs matplotlib: `pip install tt-jax[plot]`).

        Raises ArgumentError for another ending.
        """
        from tt_jax.report.judgement import draw_search

        draw_search(self, path)


def _figures(trial: Trial) -> tuple[float, ...]:
    return (trial.bytes, trial.cycles, trial.measures["relative_error"])


def _beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


class _Knob(NamedTuple):
    """Something to choose: its label, and its levels from the most precise down; `own` is the program's, None if not among them."""

    label: str
    kind: str
    levels: tuple[Any, ...]
    own: int | None


_Setting = Mapping[_Knob, int]


def search(
    program: Callable[..., Any],
    inputs: Sequence[Any] | Mapping[str, Any],
    target: float | Mapping[str, float],
    *,
    dtypes: Sequence[DataType | str] = SETTABLE,
    fidelities: Sequence[MathFidelity | str] = FIDELITIES,
    level: Level | None = None,
    device: DeviceProfile | str = N150,
    limit: int = 100,
    progress: bool | None = None,
) -> Search:
    """Find the cheapest setting of `program` whose outputs stay within `target` of the float32 reference.

        found = tt.search(attention, (hidden, weight), target=0.999)
        print(found)
        tt.compare(attention, (hidden, weight), dtypes=found.best.choices.dtypes, fidelity=found.best.choices.fidelity)

    Every floating-point argument in TILE layout, every operation's dtype and every matrix product's fidelity that can be chosen is a knob.
    They start at the most precise (or, where that is refused or has no room, at the program's own). Each is first turned down alone,
    level by level until the target is missed; then all are, the one with the largest saving for its error first, and each stays down
    only if the target still holds. So the result is deterministic and good, not proven the cheapest; at most twice as many runs as there
    are levels.

    Args:
        program, inputs, level, device: as in `tt.compare`.
        target: the least PCC, or measures by name: "pcc" at least; "relative_error" at most.
        dtypes: to choose among, from the most precise down. A float32 argument may stay that too.
        fidelities: to choose among, from the most precise down.
        limit: the most runs; what is best then is the result.
        progress: a progress bar on stderr, of `rich` where that is installed; by default where stderr is a terminal.

    Raises ArgumentError for a target that the start already misses (the message has its figures); whatever the program raises as it is.
    """
    wanted = _target(target)
    if limit < 1:
        raise ArgumentError(f"search: `limit` must be at least 1, got {limit}")
    board, level = profile_of(device), numerics.level() if level is None else level
    formats = tuple(map(measures.named_dtype, dtypes))
    if not formats or not set(formats) <= set(SETTABLE):
        raise ArgumentError(f"search: `dtypes` must be some of {', '.join(d.kernel_name for d in SETTABLE)}, got {dtypes!r}")
    reference = run(program, inputs, "float32", Choices(), board)
    outputs = [_values(y) for y in reference.outputs if y.dtype.is_float]
    if not outputs:
        raise ArgumentError("search: the program returns no floating-point tensor, so there is no error to judge")
    labels = reference.labels()
    knobs = _knobs(reference, formats, tuple(map(named_fidelity, fidelities)))
    trials: dict[tuple[int, ...], Trial | None] = {}

    def attempt(setting: _Setting, *, must: bool = False) -> Trial | None:
        """The trial of a setting, run once; None where the program refuses it (raised if it `must` not), or `limit` is reached."""
        key = tuple(setting.values())
        if key in trials or len(trials) >= limit:
            return trials.get(key)
        trials[key] = None
        choices = _choices(setting)
        try:
            made = run(program, inputs, level, choices, board)
        except TTError:
            if must:
                raise
            return None
        if made.labels() != labels:
            return None  # an operation more or less: the labels of the setting no longer mean what they did
        values = [_values(y) for y in made.outputs if y.dtype.is_float]
        trials[key] = trial = Trial(choices, made.bytes, made.plan.peak_l1, _cycles(made), _measured(values, outputs))
        return trial

    with _bar(min(limit, 1 + 2 * sum(len(knob.levels) - 1 for knob in knobs)), progress) as advance:
        start = dict.fromkeys(knobs, 0)
        try:
            first = attempt(start, must=True)
        except TTError:
            start = {knob: knob.own or 0 for knob in knobs}
            trials.clear()
            first = attempt(start, must=True)
        advance()
        if first is None or not _reaches(first, wanted):
            got = "makes other calls than the program" if first is None else f"gives {_told(first.measures, wanted)}"
            raise ArgumentError(
                f"search: no setting reaches {_told(wanted, wanted)}: the most precise {got}; ask for less, or look with "
                "tt.compare where the error comes from"
            )
        single: list[tuple[float, _Knob, int]] = []
        for knob in knobs:
            for i in range(start[knob] + 1, len(knob.levels)):
                trial = attempt({**start, knob: i})
                advance()
                if trial is not None and (worth := _worth(trial, first)) > 0:
                    single.append((worth, knob, i))
                if trial is not None and not _reaches(trial, wanted):
                    break  # beside others it may still do: LoFi cuts off what block floats round up
        best, setting = first, dict(start)
        for _, knob, i in sorted(single, key=lambda item: -item[0]):
            if i > setting[knob]:
                trial = attempt({**setting, knob: i})
                if trial is not None and _reaches(trial, wanted) and _cost(trial, first) < _cost(best, first):
                    best, setting = trial, {**setting, knob: i}
            advance()
    return Search(wanted, best, tuple(trial for trial in trials.values() if trial is not None), len(trials) < limit)


def _target(target: float | Mapping[str, float]) -> dict[str, float]:
    wanted = dict(target) if isinstance(target, Mapping) else {"pcc": target}
    if not wanted or not wanted.keys() <= _MEASURES.keys() or not all(isinstance(x, int | float) for x in wanted.values()):
        raise ArgumentError(
            f"search: `target` must be a PCC, or a mapping of 'pcc' or 'relative_error' to figures, got {target!r}"
        )
    return {name: float(figure) for name, figure in wanted.items()}


def _told(figures: Mapping[str, float], wanted: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {figures[name]:.6g}" for name in wanted)


def _reaches(trial: Trial, wanted: Mapping[str, float]) -> bool:
    return all(
        trial.measures[name] >= figure if name == "pcc" else trial.measures[name] <= figure for name, figure in wanted.items()
    )


def _knobs(reference: Run, formats: tuple[DataType, ...], fidelities: tuple[MathFidelity, ...]) -> list[_Knob]:
    def knob(label: str, kind: str, levels: tuple[Any, ...], own: Any) -> _Knob:
        return _Knob(label, kind, levels, levels.index(own) if own in levels else None)

    knobs = []
    for name, tensor in reference.arguments.items():
        if tensor.dtype.is_float and tensor.layout is Layout.TILE:
            finer = tuple(dtype for dtype in FLOATS if dtype is tensor.dtype and dtype not in SETTABLE)
            knobs.append(knob(name, "dtype", finer + formats, tensor.dtype))
    for label, call in zip(reference.labels(), reference.calls, strict=True):
        if call.dtype is not None:
            knobs.append(knob(label, "dtype", formats, call.dtype))
        if call.fidelity is not None and call.work is not None:
            knobs.append(knob(label, "fidelity", fidelities, call.fidelity))
    return knobs


def _choices(setting: _Setting) -> Choices:
    chosen = {kind: {k.label: k.levels[i] for k, i in setting.items() if k.kind == kind} for kind in ("dtype", "fidelity")}
    return Choices(chosen["dtype"], chosen["fidelity"])


def _values(tensor: Tensor) -> np.ndarray:
    return np.asarray(jnp.asarray(tensor.array, jnp.float32))


def _measured(values: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> dict[str, float]:
    pairs = list(zip(values, expected, strict=True))
    return {name: float(worst([getattr(measures, name)(*pair) for pair in pairs])) for name, worst in _MEASURES.items()}


def _cycles(made: Run) -> int:
    works = (call.work for call in made.calls)
    return sum(work.tile_products * work.phases * CYCLES_PER_PHASE for work in works if work is not None)


def _cost(trial: Trial, first: Trial) -> float:
    """Bytes and cycles, each as a share of the first setting's, added."""
    return trial.bytes / max(first.bytes, 1) + trial.cycles / max(first.cycles, 1)


def _worth(trial: Trial, first: Trial) -> float:
    """What a step alone saves, for the squared error that it adds."""
    added = trial.measures["relative_error"] ** 2 - first.measures["relative_error"] ** 2
    return (_cost(first, first) - _cost(trial, first)) / max(added, 1e-12)


@contextlib.contextmanager
def _bar(total: int, wanted: bool | None) -> Iterator[Callable[[], None]]:
    """A function to call after each of at most `total` steps, which moves a progress bar on stderr if one is wanted."""
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield lambda: None
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        done = 0

        def plain() -> None:
            nonlocal done
            done += 1
            print(f"\rsearching: step {done} of at most {total}", end="", file=sys.stderr, flush=True)

        yield plain
        print(file=sys.stderr)
        return
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("searching", total=total)
        yield lambda: bar.advance(task)
        bar.update(task, total=bar.tasks[0].completed)  # steps that could be left out were counted
