"""The measure of agreement in ttnn's own tests."""

from typing import Any

import numpy as np

from tt_jax.errors import ArgumentError


def pearson_correlation_coefficient(expected: Any, actual: Any) -> float:
    """Pearson's correlation of two tensors (torch, facade, NumPy or JAX), in float64.

    A value that is not finite counts as 0 in the tensor that has it, but 1.0 needs both to be NaN where one is all NaN. Where the
    correlation is not defined, since a tensor has no spread, the result is 1.0 if the tensors agree to a relative 2**-7 (half an ulp
    of bfloat16, twice), else 0.0; ttnn's is 1.0 there whatever the values are. Raises ArgumentError on shapes that differ.
    """
    a, b = _array(expected), _array(actual)
    if a.shape != b.shape:
        raise ArgumentError(f"pearson_correlation_coefficient: the shapes differ: {a.shape} expected, {b.shape} found")
    if a.size == 0:
        return 1.0
    if np.isnan(a).all() or np.isnan(b).all():
        return float(np.isnan(a).all() and np.isnan(b).all())
    a, b = (np.where(np.isfinite(x), x, 0.0).reshape(-1) for x in (a, b))
    da, db = a - a.mean(), b - b.mean()
    scale = np.sqrt(np.dot(da, da)) * np.sqrt(np.dot(db, db))
    if scale == 0.0 or a.max() == a.min() or b.max() == b.min():
        return float(np.allclose(b, a, rtol=2**-7, atol=0.0))
    return float(np.clip(np.dot(da, db) / scale, -1.0, 1.0))


def _array(tensor: Any) -> np.ndarray:
    if hasattr(tensor, "to_torch"):
        tensor = tensor.to_numpy()
    elif hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().double().numpy()
    return np.asarray(tensor).astype(np.float64)
