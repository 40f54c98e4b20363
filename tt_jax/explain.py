"""`explain`: what sharing exponents costs a tensor, and where."""

import dataclasses
import os
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from tt_jax import measures
from tt_jax.compare import Block, spreads, worst_blocks
from tt_jax.dtypes import DataType, bfloat8_b
from tt_jax.errors import ArgumentError
from tt_jax.kernels import block_float
from tt_jax.kernels.numerics import numerics
from tt_jax.measures import GROUP, MAGNITUDE_BITS, grouped
from tt_jax.tensor import Tensor

_WORST = 5

_Map = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """What a block float keeps of a tensor. Printed, it is a text; `save` draws it.

    Attributes:
        shape, dtype: the tensor's, and the block float that it was put into by the host's rule.
        magnitude_bits: of a datum: 7 or 3.
        relative_error: Frobenius, of all values.
        predicted_error: the same if the error were what the exponents alone let expect: roundings evenly spread, numbers below half a step
            lost whole, their mantissas evenly spread.
        lost_bits: by how many powers of two a number that is not 0 lies below its block's largest, on average: the leading bits of its
            magnitude that are 0. At most `magnitude_bits` of each are counted.
        zeroed: the share of the numbers other than 0 that became 0.
        saturated: the share of them that round to more than the largest code.
        transposed_error: the relative error if exponents were shared along the last axis but one; NaN for a vector.
        sorted_error: the same as it lies, but with the columns in the order of their root mean squares.
        rows, columns: those with the most of the squared error, and their shares; rows with the leading axes flattened.
        leaders: columns that alone set the exponent of most of the blocks they are in, and in which share of these.
        spread_counts: how many blocks have which spread (powers of two between the largest and the smallest number).
        spread_map, error_map: `[rows, blocks of a row]`, the leading axes flattened: spread, and log10 of the root mean square error over
            that of the tensor's values.
        blocks: those with the most of the squared error.
    """

    shape: tuple[int, ...]
    dtype: DataType
    magnitude_bits: int
    relative_error: float
    predicted_error: float
    lost_bits: float
    zeroed: float
    saturated: float
    transposed_error: float
    sorted_error: float
    rows: tuple[tuple[int, float], ...]
    columns: tuple[tuple[int, float], ...]
    leaders: tuple[tuple[int, float], ...]
    spread_counts: dict[int, int]
    spread_map: _Map
    error_map: _Map
    blocks: tuple[Block, ...]

    def __str__(self) -> str:
        from tt_jax.report.judgement import explanation_text

        return explanation_text(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Draw maps of spread and error to a ".png" or ".svg" (needs matplotlib: `pip install tt-jax[plot]`).

        Raises ArgumentError for another ending.
        """
        from tt_jax.report.judgement import draw_explanation

        draw_explanation(self, path)


def explain(x: Any, dtype: DataType | str = bfloat8_b) -> Explanation:
    """What `dtype` ("bfloat8_b" or "bfloat4_b") keeps of `x`, a tensor or an array of at least one axis, all finite.

        print(tt.explain(weight, "bfloat4_b"))

    Raises ArgumentError on another dtype, on an integer, empty or scalar `x`, and on values that are not finite.
    """
    format = measures.named_dtype(dtype)
    if not format.is_block_float:
        raise ArgumentError(
            f"explain: `dtype` must be bfloat8_b or bfloat4_b, got {format.kernel_name}: nothing else shares exponents"
        )
    values = np.asarray(x.array if isinstance(x, Tensor) else x)
    if values.dtype.kind in "biu" or values.ndim == 0 or not values.size:
        raise ArgumentError(
            f"explain: `x` must be an array of floats with at least one axis, got {values.dtype} {values.shape}"
        )
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise ArgumentError(f"explain: {(~np.isfinite(values)).sum():,} values of `x` are not finite, and have no error")
    bits = MAGNITUDE_BITS[format]
    stored, groups = _stored(values, format), grouped(values)
    magnitude = np.abs(groups)
    shared = np.frexp(magnitude.max(-1, keepdims=True))[1]
    step = np.ldexp(1.0, shared - bits)
    there = magnitude > 0
    count = max(int(there.sum()), 1)
    exponent = np.frexp(magnitude)[1]
    # Of a mantissa evenly between 1/2 and 1 the mean square is 7/12, of a rounding evenly within half a step 1/12 of its square.
    power = np.where(there, np.ldexp(7 / 12, 2 * exponent), 0)
    noise = np.where(there, np.where(shared - exponent <= bits, step**2 / 12, power), 0)
    lost = np.where(there, np.minimum(shared - exponent, bits), 0).sum() / count
    rms = np.sqrt(np.mean(values.astype(np.float64) ** 2))
    squares = (grouped(stored) - groups) ** 2
    error = np.sqrt(squares.mean(-1))
    matrix = squares.reshape(-1, squares.shape[-2] * squares.shape[-1])[:, : values.shape[-1]]
    with np.errstate(divide="ignore", invalid="ignore"):
        error_map = np.log10(error / rms)
    spread = spreads(groups)
    kinds, counts = np.unique(spread, return_counts=True)
    return Explanation(
        values.shape,
        format,
        bits,
        measures.relative_error(stored, values),
        float(np.sqrt(noise.sum()) / np.linalg.norm(groups)) if there.any() else 0.0,
        float(lost),
        float(((stored == 0) & (values != 0)).sum() / count),
        float((there & (magnitude >= (2**bits - 0.5) * step)).sum() / count),
        _transposed_error(values, format),
        _sorted_error(values, format),
        _largest_shares(matrix.sum(1)),
        _largest_shares(matrix.sum(0)),
        _leaders(magnitude, values.shape[-1]),
        {int(k): int(n) for k, n in zip(kinds, counts, strict=True)},
        spread.reshape(-1, spread.shape[-1]).astype(np.float64),
        np.where(np.isfinite(error_map), error_map, np.nan).reshape(-1, error.shape[-1]),
        worst_blocks(stored, values, _WORST),
    )


def _stored(values: npt.NDArray[np.float32], format: DataType) -> npt.NDArray[np.float32]:
    with numerics("fast"):  # whatever level is in force: at "float32" nothing would round
        return np.asarray(block_float.quantize(jnp.asarray(values), format.kernel_name, "host"))


def _transposed_error(values: npt.NDArray[np.float32], format: DataType) -> float:
    if values.ndim < 2:
        return float("nan")
    turned = np.ascontiguousarray(values.swapaxes(-1, -2))
    return measures.relative_error(_stored(turned, format), turned)


def _sorted_error(values: npt.NDArray[np.float32], format: DataType) -> float:
    rows = values.reshape(-1, values.shape[-1])
    order = np.argsort((rows.astype(np.float64) ** 2).sum(0), kind="stable")
    turned = np.ascontiguousarray(rows[:, order])
    return measures.relative_error(_stored(turned, format), turned)


def _largest_shares(parts: _Map) -> tuple[tuple[int, float], ...]:
    """The indices of the largest of `parts` that are not 0, and their shares of the sum."""
    order = np.argsort(-parts, kind="stable")[:_WORST]
    return tuple((int(i), float(parts[i] / parts.sum())) for i in order if parts[i] > 0)


def _leaders(magnitude: _Map, width: int) -> tuple[tuple[int, float], ...]:
    """Columns whose number is by its exponent the only largest in more than half of their blocks; magnitudes `[..., blocks, 16]`."""
    exponent = np.frexp(magnitude)[1]
    top = (exponent == exponent.max(-1, keepdims=True)) & (magnitude > 0)
    alone = (top & (top.sum(-1, keepdims=True) == 1)).reshape(-1, exponent.shape[-2] * GROUP)[:, :width].mean(0)
    order = np.argsort(-alone, kind="stable")[:_WORST]
    return tuple((int(i), float(alone[i])) for i in order if alone[i] > 0.5)
