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
from tt_jax.choices import Choices, Run, run
from tt_jax.compute import MathFidelity
from tt_jax.devices import N150, DeviceProfile
from tt_jax.dtypes import DataType, bfloat4_b, bfloat8_b, bfloat16
from tt_jax.errors import ArgumentError, TTError
from tt_jax.kernels import numerics
from tt_jax.kernels.numerics import Level
from tt_jax.layout import Layout
from tt_jax.plan import profile_of
from tt_jax.tensor import Tensor
from tt_jax.work import CYCLES_PER_PHASE

DTYPES = (bfloat16, bfloat8_b, bfloat4_b)
FIDELITIES = (MathFidelity.HiFi4, MathFidelity.HiFi3, MathFidelity.HiFi2, MathFidelity.LoFi)


class Trial(NamedTuple):
    """One setting that was run.

    Attributes:
        choices: dtypes and fidelities, as `tt.compare` takes them.
        bytes: of all tensors, arguments and results, in memory.
        cycles: of one matrix engine for all products of matrices (documented: 16 for a phase of a product of two tiles).
        measures: "pcc", "relative_error" and "scale" of the outputs against the float32 reference, the worst of several.
    """

    choices: Choices
    bytes: int
    cycles: int
    measures: dict[str, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """Every setting that was tried, the first the most precise. Printed, it is a table; `save` draws error against bytes.

    Attributes:
        target: the measures wanted: "pcc" and "scale" at least, "relative_error" at most.
        best: the cheapest setting found that reaches it.
        trials: in order.
    """

    target: dict[str, float]
    best: Trial
    trials: tuple[Trial, ...]

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
    """Something to choose: its label, and its levels from the most precise down."""

    label: str
    kind: str
    levels: tuple[Any, ...]


def search(
    program: Callable[..., Any],
    inputs: Sequence[Any] | Mapping[str, Any],
    target: float | Mapping[str, float],
    *,
    dtypes: Sequence[DataType | str] = DTYPES,
    fidelities: Sequence[MathFidelity] = FIDELITIES,
    level: Level | None = None,
    device: DeviceProfile | str = N150,
    progress: bool | None = None,
) -> Search:
    """Find the cheapest setting of `program` whose outputs stay within `target` of the float32 reference.

        found = tt.search(attention, (hidden, weight), target=0.999)
        print(found)
        tt.compare(attention, (hidden, weight), dtypes=found.best.choices.dtypes, fidelity=found.best.choices.fidelity)

    Every floating-point argument in TILE layout, every operation's dtype and every fidelity that can be chosen is a knob. Each is
    first turned down alone, level by level, from the most precise setting; then all are, the one with the largest saving for its error
    first, and each stays down only if the target still holds. So the result is deterministic and good, not proven the cheapest; at most
    twice as many runs as there are levels.

    Args:
        program, inputs, level, device: as in `tt.compare`.
        target: the least PCC, or measures by name: "pcc" at least; "relative_error" at most; "scale" (the mean ratio) at least.
        dtypes: to choose among, from the most precise down.
        fidelities: to choose among, from the most precise down.
        progress: a progress bar, of `rich` where that is installed; by default where stderr is a terminal.

    Raises ArgumentError for a target that no run can reach: the most precise setting misses it; the message has its figures.
    """
    wanted = _target(target)
    board, level = profile_of(device), numerics.level() if level is None else level
    formats = tuple(map(measures.named_dtype, dtypes))
    reference = run(program, inputs, "float32", Choices(), board)
    outputs = [_values(y) for y in reference.outputs if y.dtype.is_float]
    if not outputs:
        raise ArgumentError("search: the program returns no floating-point tensor, so there is no error to judge")
    knobs = _knobs(reference, formats, tuple(fidelities))
    trials: list[Trial] = []

    def attempt(setting: Mapping[_Knob, int]) -> Trial | None:
        """The trial of a setting; None where the program refuses it."""
        choices = _choices(setting)
        try:
            made = run(program, inputs, level, choices, board)
        except TTError:
            return None
        values = [_values(y) for y in made.outputs if y.dtype.is_float]
        trial = Trial(choices, _bytes(made), _cycles(made), _measured(values, outputs))
        trials.append(trial)
        return trial

    start = dict.fromkeys(knobs, 0)
    steps = sum(len(knob.levels) - 1 for knob in knobs)
    with _bar(1 + 2 * steps, progress) as advance:
        first = attempt(start)
        advance()
        if first is None or not _reaches(first, wanted):
            got = "is refused" if first is None else "gives " + ", ".join(f"{k} {first.measures[k]:.6g}" for k in wanted)
            raise ArgumentError(
                f"search: no setting reaches {', '.join(f'{k} {v:g}' for k, v in wanted.items())}: the most precise {got}; "
                "ask for less, or look with tt.compare where the error comes from"
            )
        single: list[tuple[float, _Knob, int]] = []
        for knob in knobs:
            for i in range(1, len(knob.levels)):
                trial = attempt({**start, knob: i})
                advance()
                if trial is not None and (worth := _worth(trial, first)) > 0:
                    single.append((worth, knob, i))
        best, setting = first, dict(start)
        for _, knob, i in sorted(single, key=lambda item: -item[0]):
            if i > setting[knob]:
                trial = attempt({**setting, knob: i})
                if trial is not None and _reaches(trial, wanted) and _cost(trial, first) < _cost(best, first):
                    best, setting = trial, {**setting, knob: i}
            advance()
    return Search(wanted, best, tuple(trials))


def _target(target: float | Mapping[str, float]) -> dict[str, float]:
    wanted = dict(target) if isinstance(target, Mapping) else {"pcc": float(target)}
    if not wanted or not set(wanted) <= {"pcc", "relative_error", "scale"}:
        raise ArgumentError(
            f"search: `target` must be a PCC, or a mapping of 'pcc', 'relative_error' or 'scale' to figures, got {target!r}"
        )
    return wanted


def _reaches(trial: Trial, wanted: Mapping[str, float]) -> bool:
    return all(
        trial.measures[name] <= figure if name == "relative_error" else trial.measures[name] >= figure
        for name, figure in wanted.items()
    )


def _knobs(reference: Run, formats: tuple[DataType, ...], fidelities: tuple[MathFidelity, ...]) -> list[_Knob]:
    knobs = [
        _Knob(name, "dtype", formats)
        for name, tensor in reference.arguments.items()
        if tensor.dtype.is_float and tensor.layout is Layout.TILE
    ]
    for label, call in zip(reference.labels(), reference.calls, strict=True):
        if call.dtype is not None:
            knobs.append(_Knob(label, "dtype", formats))
        if call.fidelity is not None and call.work is not None:
            knobs.append(_Knob(label, "fidelity", fidelities))
    return knobs


def _choices(setting: Mapping[_Knob, int]) -> Choices:
    chosen = {kind: {k.label: k.levels[i] for k, i in setting.items() if k.kind == kind} for kind in ("dtype", "fidelity")}
    return Choices(chosen["dtype"], chosen["fidelity"])


def _values(tensor: Tensor) -> np.ndarray:
    return np.asarray(jnp.asarray(tensor.array, jnp.float32))


def _measured(values: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> dict[str, float]:
    pairs = list(zip(values, expected, strict=True))
    return {
        "pcc": min(measures.pcc(*pair) for pair in pairs),
        "relative_error": max(measures.relative_error(*pair) for pair in pairs),
        "scale": min(measures.scale(*pair) for pair in pairs),
    }


def _bytes(made: Run) -> int:
    """Of every tensor that was placed, once."""
    tensors = [*made.arguments.values(), *(y for call in made.calls for y in call.outputs)]
    return sum(x.spec.num_pages * x.spec.page_size for x in tensors)


def _cycles(made: Run) -> int:
    works = (call.work for call in made.calls)
    return sum(work.tile_products * work.phases * CYCLES_PER_PHASE for work in works if work is not None)


def _cost(trial: Trial, first: Trial) -> float:
    """Bytes and cycles, each as a share of the most precise setting's, added."""
    return trial.bytes / max(first.bytes, 1) + trial.cycles / max(first.cycles, 1)


def _worth(trial: Trial, first: Trial) -> float:
    """What a step alone saves, for the squared error that it adds."""
    added = trial.measures["relative_error"] ** 2 - first.measures["relative_error"] ** 2
    return (_cost(first, first) - _cost(trial, first)) / max(added, 1e-12)


@contextlib.contextmanager
def _bar(total: int, wanted: bool | None) -> Iterator[Callable[[], None]]:
    """A function to call after each of `total` steps, which moves a progress bar if one is wanted."""
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), disable=not (sys.stderr.isatty() if wanted is None else wanted)) as bar:
        task = bar.add_task("searching", total=total)
        yield lambda: bar.advance(task)
