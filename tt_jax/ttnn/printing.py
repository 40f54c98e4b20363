"""How tensors print."""

import dataclasses
from typing import TYPE_CHECKING

import jax
import numpy as np

if TYPE_CHECKING:
    from tt_jax.ttnn.tensor import Tensor

PROFILES = ("default", "short", "full", "empty")


@dataclasses.dataclass
class PrintOptions:
    """`profile`: how much is shown; `precision`: digits after the point; `sci_mode`: True, False or "default"."""

    profile: str = "short"
    sci_mode: bool | str = "default"
    precision: int = 4


_options = PrintOptions()


def set_printoptions(*, profile: str = "short", sci_mode: bool | str = "default", precision: int = 4) -> None:
    """How tensors print from now on: "short" shows three values at each end of a dimension, "full" all, "empty" none.

    Raises ValueError for another profile.
    """
    if profile.lower() not in PROFILES:
        raise ValueError(f"profile {profile!r} is none of {', '.join(PROFILES)}")
    _options.profile = profile.lower()
    _options.sci_mode = sci_mode
    _options.precision = precision


def get_printoptions() -> PrintOptions:
    """What `set_printoptions` set last."""
    return dataclasses.replace(_options)


def _number(value: float | int) -> str:
    if isinstance(value, int):
        return f"{value:5d}"
    if _options.sci_mode is True:
        return f"{value:.{_options.precision}e}"
    return f"{value:8.{_options.precision + 1}f}"


def _nested(values: np.ndarray, depth: int, limit: int | None) -> str:
    if values.ndim == 0:
        return _number(values.item())
    cut = limit is not None and values.shape[0] > 2 * limit
    rows = [*values[:limit], ..., *values[-limit:]] if cut and limit else list(values)
    parts = ["..." if row is ... else _nested(row, depth + 1, limit) for row in rows]
    if values.ndim == 1:
        return f"[{', '.join(parts)}]"
    return f"[{(',' + chr(10) + ' ' * (depth + 1)).join(parts)}]"


def formatted(tensor: "Tensor") -> str:
    """`tensor` as `repr` gives it: values, shape, dtype and layout."""
    metadata = f"shape={tensor.shape}, dtype=DataType::{tensor.dtype.name}, layout=Layout::{tensor.layout.name}"
    if not tensor.is_allocated():
        return f"ttnn.Tensor(<buffer is not allocated>, {metadata})"
    array = tensor._functional().array
    if _options.profile == "empty":
        values = "..."
    elif isinstance(array, jax.ShapeDtypeStruct):
        values = "<no values: the device does not compute>"
    elif isinstance(array, jax.core.Tracer):
        values = str(array)
    elif array.size == 0:
        values = "[]"
    else:
        wide = np.asarray(array).astype(np.float32 if tensor.dtype.is_float else np.int64)
        values = _nested(wide, len("ttnn.Tensor("), 3 if _options.profile != "full" else None)
    where = "" if tensor.device() is None else f", memory_config={tensor.memory_config()}"
    return f"ttnn.Tensor({values}, {metadata}{where})"
