"""`compare`: what dtypes and fidelities do to a program's values, operation by operation."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from tt_jax import measures
from tt_jax.choices import Call, Choices, Run, choices_of, run
from tt_jax.compute import MathFidelity
from tt_jax.devices import N150, DeviceProfile
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.kernels import numerics
from tt_jax.kernels.numerics import LEVELS, Level
from tt_jax.measures import GROUP, grouped
from tt_jax.origins import Site
from tt_jax.plan import profile_of
from tt_jax.tensor import Tensor

_WORST = 3


class Block(NamedTuple):
    """16 neighbours along the last axis, which share an exponent in a block float.

    Attributes:
        start: the index of the first in the tensor.
        spread: powers of two between its largest magnitude and its smallest that is not zero, in the reference.
        share: of the squared error of the whole tensor.
        relative_error: its own.
        values: the 16 (or fewer, at the end of a row) of the reference.
    """

    start: tuple[int, ...]
    spread: int
    share: float
    relative_error: float
    values: tuple[float, ...]

    def __str__(self) -> str:
        *leading, last = self.start
        return f"[{', '.join([*map(str, leading), f'{last}:{last + GROUP}'])}]"


class Row(NamedTuple):
    """One result of a program beside the reference's.

    Attributes:
        label: an argument's name; an operation's, numbered where it occurs more than once: a key of `dtypes` or `fidelity`.
        site: the user's line, "argument" or "output".
        dtype: of the result.
        fidelity: of the operation's products, None where it has no such choice.
        pcc, relative_error, scale: see `tt_jax.measures`; against the reference, so with all that went before.
        own_error: the relative error of this operation alone: against the same in float32 on the same inputs.
        max_ulp: the largest distance in units of the last place of `dtype` (of a block float: steps of the reference's group).
        blocks: the 16-datum blocks with the largest shares of the error, the worst first.
    """

    label: str
    site: Site | str | None
    dtype: DataType
    fidelity: MathFidelity | None
    pcc: float
    relative_error: float
    scale: float
    own_error: float
    max_ulp: float
    blocks: tuple[Block, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """A program's values beside the reference's. Printed, it is a table; `save` draws it.

    Attributes:
        rows: arguments first, then each operation's floating-point results in order.
        level, ref: the numerics of the program and of the reference.
        choices: what the program ran with instead of its own.
        outputs: what it returned: rows of the same kind.
    """

    rows: tuple[Row, ...]
    level: str
    ref: str
    choices: Choices
    outputs: tuple[Row, ...]

    def __str__(self) -> str:
        from tt_jax.report.judgement import comparison_table

        return comparison_table(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Draw the errors over the operations, to a ".png" or ".svg" (needs matplotlib: `pip install tt-jax[plot]`).

        Raises ArgumentError for another ending.
        """
        from tt_jax.report.judgement import draw_comparison

        draw_comparison(self, path)


def compare(
    program: Callable[..., Any],
    inputs: Sequence[Any] | Mapping[str, Any],
    ref: Level = "float32",
    dtypes: Mapping[str, DataType | str] | None = None,
    fidelity: MathFidelity | str | Mapping[str, MathFidelity | str] | None = None,
    *,
    level: Level | None = None,
    device: DeviceProfile | str = N150,
) -> Comparison:
    """Run `program` with the dtypes and fidelities given, and again at level `ref`, and measure every result against that.

        print(tt.compare(attention, (hidden, weight), dtypes={"weight": "bfloat8_b", "matmul[0]": "bfloat8_b"}, fidelity="HiFi2"))

    Args:
        program: functional, `(memory, *args) -> (memory, result)` with a first parameter of that name, or written for ttnn. It must
            make the same calls whatever its values, and not be under `jax.jit` within.
        inputs: its arguments, a sequence or a mapping by name. Arrays, also in lists, tuples, dicts and registered pytrees, become
            tensors in DRAM: floats bfloat16 in TILE layout, integers in their own dtype in ROW_MAJOR. For another layout or placement pass
            a `Tensor`, of which the values are copied.
        ref: what to measure against: "float32" (nothing rounds), "device" or "fast", with the program's own dtypes.
        dtypes: by argument, what it is stored as; by operation, the dtype of its result: bfloat16, bfloat8_b or bfloat4_b, where it has
            a `dtype` argument and its result, so far one of these, has a place of its own. The keys are the table's labels; a name
            without a number means every operation of that name.
        fidelity: one for all operations that multiply matrices, or by operation.
        level: of the program; the one in force by default.
        device: a board or its name.

    Raises ArgumentError where a key fits nothing in the program or something without such a choice, and where the two runs make
    different calls; whatever the program raises.
    """
    for name, value in (("ref", ref), ("level", level)):
        if value is not None and value not in LEVELS:
            raise ArgumentError(f"compare: `{name}` must be one of {', '.join(LEVELS)}, got {value!r}")
    level = numerics.level() if level is None else level
    choices, board = choices_of(dtypes, fidelity), profile_of(device)
    reference = run(program, inputs, ref, Choices(), board)
    made = run(program, inputs, level, choices, board)
    _require_same_calls(made, reference)
    rows = [
        _row(name, "argument", None, tensor, reference.arguments[name])
        for name, tensor in made.arguments.items()
        if tensor.dtype.is_float
    ]
    for label, call, expected in zip(made.labels(), made.calls, reference.calls, strict=True):
        alone = _alone(call)
        for y, wanted, own in zip(call.outputs, expected.outputs, alone, strict=True):
            if y.dtype.is_float:
                rows.append(_row(label, call.site, call.fidelity, y, wanted, own))
    pairs = zip(made.outputs, reference.outputs, strict=True)
    outputs = [
        _row(f"output[{i}]" if i else "output", "output", None, y, wanted)
        for i, (y, wanted) in enumerate(pairs)
        if y.dtype.is_float
    ]
    return Comparison(tuple(rows), level, ref, choices, tuple(outputs))


def _require_same_calls(made: Run, reference: Run) -> None:
    ours, theirs = made.labels(), reference.labels()
    if ours != theirs:
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
        first, second = (labels[at] if at < len(labels) else "its end" for labels in (ours, theirs))
        raise ArgumentError(
            f"compare: the program made other calls than the reference, at call {at}: {first} beside {second}; compare what does not "
            "depend on values"
        )


def _alone(call: Call) -> tuple[Any, ...]:
    """The results of one launch at level "float32", on the inputs that it had."""
    arrays = [jnp.asarray(x.array if type(x) is Tensor else x) for x in call.inputs]
    # Widened here, they are what the reference's launch had, whose trace serves again.
    arrays = [x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x for x in arrays]
    with numerics.numerics("float32"):
        return call.kernel(*arrays)


def _row(
    label: str, site: Site | str | None, fidelity: MathFidelity | None, y: Tensor, reference: Tensor, alone: Any = None
) -> Row:
    values, expected = (np.asarray(jnp.asarray(x.array, jnp.float32)) for x in (y, reference))
    return Row(
        label,
        site,
        y.dtype,
        fidelity,
        measures.pcc(values, expected),
        measures.relative_error(values, expected),
        measures.scale(values, expected),
        measures.relative_error(values, expected if alone is None else np.asarray(alone)),
        measures.max_ulp(values, expected, y.dtype) if values.ndim or not y.dtype.is_block_float else float("nan"),
        worst_blocks(values, expected),
    )


def spreads(groups: np.ndarray) -> np.ndarray:
    """Powers of two between the largest and the smallest magnitude, zeros left out, of each group `[..., 16]`; 0 where there is none."""
    magnitude = np.abs(np.where(np.isfinite(groups), groups, 0))
    exponent = np.frexp(magnitude)[1]
    top = np.where(magnitude > 0, exponent, -10_000).max(-1)
    low = np.where(magnitude > 0, exponent, 10_000).min(-1)
    return np.maximum(top - low, 0)


def worst_blocks(values: np.ndarray, expected: np.ndarray, count: int = _WORST) -> tuple[Block, ...]:
    """The `count` blocks of 16 with the most of the squared error; fewer where fewer are off."""
    if values.ndim == 0 or not values.size:
        return ()
    groups = grouped(expected)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.nan_to_num((grouped(values) - groups) ** 2, nan=0.0, posinf=0.0).sum(-1)
        own = np.nan_to_num(groups**2, nan=0.0, posinf=0.0).sum(-1)
    total, spread = error.sum(), spreads(groups)
    blocks = []
    for place in np.argsort(-error, axis=None, kind="stable")[:count]:
        at = np.unravel_index(place, error.shape)
        if error[at] > 0:
            relative = float(np.sqrt(error[at] / own[at])) if own[at] else float("inf")
            start = (*map(int, at[:-1]), int(at[-1]) * GROUP)
            inside = tuple(map(float, expected[at[:-1]][start[-1] : start[-1] + GROUP]))
            blocks.append(Block(start, int(spread[at]), float(error[at] / total), relative, inside))
    return tuple(blocks)
