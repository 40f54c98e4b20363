"""Comparing a result with its reference by three measures, of which each sees what the others do not."""

import math
from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from tt_jax import measures
from tt_jax.errors import ArgumentError
from tt_jax.tensor import Tensor

PCC = 0.999
"""The least correlation. Source: tt-metal's own test of a bfloat16 linear, spec/numerics.md section 6 (documented)."""
FROBENIUS = 0.045
"""The largest relative error: sqrt(2 * (1 - PCC)), that of noise which alone lowers the correlation to PCC."""
RATIO = 0.01
"""How far the scale may be from 1: above HiFi2's 0.0028 and bfloat8_b's 0.006, which the README measures, below LoFi's 0.022."""

_LISTED = 5


class _Measured(NamedTuple):
    name: str
    value: float
    limit: str
    misses_by: float  # at most 0 where it passes; NaN where there is no telling
    note: str = ""

    @property
    def passes(self) -> bool:
        return self.misses_by <= 0

    def __str__(self) -> str:
        outcome = "ok" if self.passes else f"FAILED by {self.misses_by:.3g}" if math.isfinite(self.misses_by) else "FAILED"
        return f"  {self.name:<15} {self.value:<12.7g} {self.limit:<18} {outcome}{self.note and ': ' + self.note}"


def values(x: Any) -> npt.NDArray[Any]:
    """The values of a tensor (functional, ttnn's or torch's), of an array or of a number, as a NumPy array of the logical shape.

    torch's come as float64, all others in their own dtype. Raises ArgumentError for a tensor that was made without values.
    """
    if isinstance(x, Tensor):
        x = x.array
    if isinstance(x, jax.ShapeDtypeStruct):
        raise ArgumentError(f"a tensor of shape {x.shape} was made without values: there is nothing to compare")
    if hasattr(x, "to_numpy"):
        return np.asarray(x.to_numpy())
    if hasattr(x, "detach"):  # torch, whose bfloat16 NumPy does not know
        return np.asarray(x.detach().cpu().double().numpy())
    return np.asarray(x)


def assert_close(
    actual: Any, expected: Any, *, pcc: float | None = PCC, frobenius: float | None = FROBENIUS, ratio: float | None = RATIO
) -> None:
    """Raise AssertionError unless `actual` is `expected` by all three measures, over all elements.

    Either may be a tensor of tt_jax, of `tt_jax.ttnn` or of torch, an array or a number; both have the same shape. The measures are
    those of `tt_jax.measures`, in float64. None leaves one out.

    Args:
        pcc: the least Pearson correlation. It sees neither scale nor offset. Undefined where `expected` is constant: the other two then
            decide, and if both are left out, only equal arrays pass.
        frobenius: the largest relative Frobenius error. Nothing but zeros is close to an `expected` of zeros.
        ratio: the largest distance from 1 of the mean ratio of `actual` to `expected`, on least squares: what a low fidelity takes away.

    NaN and infinities must be at the same places; empty arrays are close. The message says which measures failed and by how much, and
    lists the elements that are furthest off. Raises ArgumentError for limits that nothing or anything would pass, and for
    arguments that hold no real numbers.
    """
    __tracebackhide__ = True
    _require_limits(pcc, frobenius, ratio)
    a, e = (measures.as_float64(values(x)) for x in (actual, expected))
    if a.shape != e.shape:
        raise AssertionError(f"shapes differ: actual {a.shape}, expected {e.shape}{_reshaped(a.shape, e.shape)}")
    wrong = ~measures.agrees(a, e)
    unlike = wrong & ~(np.isfinite(a) & np.isfinite(e))
    if unlike.any():
        raise AssertionError(
            f"{unlike.sum():,} of {a.size:,} elements are not finite in one of the two and not the same in the other:"
            f"\n{_listing(a, e, np.argwhere(unlike))}"
        )
    if not wrong.any():
        return
    measured = _measured(a, e, pcc, frobenius, ratio)
    if not all(m.passes for m in measured):
        table = "\n".join(map(str, measured))
        with np.errstate(invalid="ignore"):  # infinities that agree
            distance = np.where(wrong, np.abs(a - e), -1.0)
        furthest = np.argsort(-distance, axis=None, kind="stable")[: min(_LISTED, int(wrong.sum()))]
        places = np.stack(np.unravel_index(furthest, a.shape), -1)
        raise AssertionError(
            f"arrays of shape {a.shape} are not close:\n{table}\n{wrong.sum():,} of {a.size:,} elements differ; furthest off:"
            f"\n{_listing(a, e, places)}"
        )


def _require_limits(pcc: float | None, frobenius: float | None, ratio: float | None) -> None:
    if pcc is None and frobenius is None and ratio is None:
        raise ArgumentError("assert_close: give at least one of `pcc`, `frobenius` and `ratio`; without, anything passes")
    if pcc is not None and not -1 <= pcc <= 1:
        raise ArgumentError(f"assert_close: `pcc` is a correlation, from -1 to 1, got {pcc!r}")
    for name, limit in (("frobenius", frobenius), ("ratio", ratio)):
        if limit is not None and not 0 <= limit < math.inf:
            raise ArgumentError(f"assert_close: `{name}` must be 0 or a positive number, got {limit!r}")


def _measured(
    a: npt.NDArray[np.float64], e: npt.NDArray[np.float64], pcc: float | None, frobenius: float | None, ratio: float | None
) -> list[_Measured]:
    """Each measure that is asked for, of arrays that are not equal."""
    found = []
    finite = e[np.isfinite(e)]
    is_constant = (finite == finite[0]).all()  # there is one: unequal elements are finite here
    if pcc is not None and not (is_constant and (frobenius is not None or ratio is not None)):
        value = measures.pcc(a, e)
        note = "undefined, since " + ("expected" if is_constant else "actual") + " is constant" if math.isnan(value) else ""
        found.append(_Measured("PCC", value, f"at least {pcc:.7g}", pcc - value, note))
    note = "" if finite.any() else "expected is all zero; compare with np.testing.assert_allclose and an atol"
    if frobenius is not None:
        value = measures.relative_error(a, e)
        found.append(_Measured("relative error", value, f"at most {frobenius:.7g}", value - frobenius, note))
    if ratio is not None:
        value = measures.scale(a, e)
        found.append(_Measured("scale", value, f"1 +- {ratio:.7g}", abs(value - 1) - ratio, note))
    return found


def _listing(a: npt.NDArray[np.float64], e: npt.NDArray[np.float64], places: npt.NDArray[np.intp]) -> str:
    lines = [f"  {list(map(int, place))}: {a[tuple(place)]:.9g}, expected {e[tuple(place)]:.9g}" for place in places[:_LISTED]]
    return "\n".join(lines + (["  ..."] if len(places) > _LISTED else []))


def _reshaped(a: tuple[int, ...], e: tuple[int, ...]) -> str:
    same = [size for size in a if size != 1] == [size for size in e if size != 1]
    return "; they differ by dimensions of 1 only: reshape one of them" if same else ""
