"""Checks and defaults that several operations share."""

from tt_jax.compute import ComputeKernelConfig, MathFidelity
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.tensor import TensorSpec


def require_tile(operation: str, argument: str, spec: TensorSpec) -> None:
    """Raise ArgumentError unless `spec` has TILE layout."""
    if spec.layout is not Layout.TILE:
        raise ArgumentError(f"{operation}: `{argument}` must have TILE layout, got {spec}; convert it with to_layout")


def require_dtype(operation: str, argument: str, spec: TensorSpec, allowed: tuple[DataType, ...]) -> None:
    """Raise ArgumentError unless the dtype of `spec` is among `allowed`."""
    if spec.dtype not in allowed:
        names = ", ".join(dtype.kernel_name for dtype in allowed)
        raise ArgumentError(f"{operation}: `{argument}` must be one of {names}; got {spec}; convert it with typecast")


def require_rank(operation: str, argument: str, spec: TensorSpec, rank: int, meaning: str) -> None:
    """Raise ArgumentError unless `spec` has `rank` dimensions; `meaning` says what they are."""
    if len(spec.shape) != rank:
        raise ArgumentError(f"{operation}: `{argument}` must have shape {meaning}, rank {rank}; got {spec}")


def normalize_dim(operation: str, dim: int, rank: int) -> int:
    """`dim` counted from the front. Raises ArgumentError outside `[-rank, rank)`."""
    if not -rank <= dim < rank:
        raise ArgumentError(f"{operation}: dim {dim} is out of range for rank {rank}: expected {-rank} to {rank - 1}")
    return dim % rank


def default_softmax_config(device: DeviceProfile) -> ComputeKernelConfig:
    """The softmax family's arithmetic: approximate exp, 32-bit Dst; HiFi3 on Wormhole, whose HiFi4 is at fault there.

    Source: spec/device_numerics.md (measured on Wormhole), spec/numerics.md section 3.7 (Blackhole, read in source).
    """
    fidelity = MathFidelity.HiFi3 if device.arch == "wormhole" else MathFidelity.HiFi4
    return ComputeKernelConfig(fidelity, math_approx_mode=True, fp32_dest_acc_en=True)
