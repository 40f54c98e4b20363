"""Checks and defaults that several operations share."""

import dataclasses
import operator
from collections.abc import Iterable
from typing import Any

from tt_jax.compute import ComputeKernelConfig, CoreGrid, MathFidelity
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig
from tt_jax.mesh import Topology
from tt_jax.mesh_mapping import MeshComposerConfig, MeshMapperConfig
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


_OPTION_TYPES = {
    "dtype": (DataType, "a DataType such as tt.bfloat16"),
    "layout": (Layout, "a Layout such as tt.TILE_LAYOUT"),
    "memory_config": (MemoryConfig, "a MemoryConfig such as tt.L1_MEMORY_CONFIG"),
    "compute_kernel_config": (ComputeKernelConfig, "a ComputeKernelConfig"),
    "core_grid": (CoreGrid, "a CoreGrid such as tt.CoreGrid(y=8, x=8)"),
    "topology": (Topology, "a Topology such as tt.Topology.Ring"),
    "mesh_mapper": (MeshMapperConfig, "a MeshMapperConfig"),
    "mesh_composer": (MeshComposerConfig, "a MeshComposerConfig"),
}


def require_options(operation: str, **options: object) -> None:
    """Raise ArgumentError unless each option is None or of the type that its name asks for."""
    for argument, value in options.items():
        expected, description = _OPTION_TYPES[argument]
        if value is not None and not isinstance(value, expected):
            raise ArgumentError(f"{operation}: `{argument}` must be {description}, got {value!r}")


def require_flags(operation: str, **flags: object) -> None:
    """Raise ArgumentError unless each flag is True or False."""
    for argument, value in flags.items():
        if not isinstance(value, bool):
            raise ArgumentError(f"{operation}: `{argument}` must be True or False, got {value!r}")


def require_integer(operation: str, argument: str, value: Any, least: int | None = None) -> int:
    """`value` as an int. Raises ArgumentError if it is none, or less than `least`."""
    try:
        integer = operator.index(value)
    except TypeError:
        raise ArgumentError(f"{operation}: `{argument}` must be an integer, got {value!r}") from None
    if least is not None and integer < least:
        raise ArgumentError(f"{operation}: `{argument}` must be at least {least}, got {integer}")
    return integer


def require_integers(operation: str, argument: str, values: Any) -> tuple[int, ...]:
    """`values` as a tuple of ints. Raises ArgumentError if they are none."""
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise ArgumentError(f"{operation}: `{argument}` must be a sequence of integers, got {values!r}")
    return tuple(require_integer(operation, argument, value) for value in values)


def normalize_dim(operation: str, dim: Any, rank: int, argument: str = "dim") -> int:
    """`dim` counted from the front. Raises ArgumentError outside `[-rank, rank)`."""
    dim = require_integer(operation, argument, dim)
    if not -rank <= dim < rank:
        raise ArgumentError(f"{operation}: `{argument}` {dim} is out of range for rank {rank}: expected {-rank} to {rank - 1}")
    return dim % rank


def resolve_compute(
    operation: str, device: DeviceProfile, given: ComputeKernelConfig | None, default: ComputeKernelConfig
) -> ComputeKernelConfig:
    """The arithmetic of a launch: what was given, or the default cut to what the chip has.

    Raises ArgumentError if Grayskull is asked for a 32-bit Dst or accumulation in L1, which it has not (documented).
    """
    if device.arch != "grayskull":
        return given or default
    if given is None:
        return dataclasses.replace(default, fp32_dest_acc_en=False, packer_l1_acc=False)
    if given.fp32_dest_acc_en or given.packer_l1_acc:
        raise ArgumentError(
            f"{operation}: {device.name} has neither a 32-bit destination nor accumulation in L1; "
            "set fp32_dest_acc_en and packer_l1_acc to False"
        )
    return given


def default_softmax_config(device: DeviceProfile) -> ComputeKernelConfig:
    """The softmax family's arithmetic: approximate exp, 32-bit Dst; HiFi3 on Wormhole, whose HiFi4 is at fault there.

    Source: spec/device_numerics.md (measured on Wormhole), spec/numerics.md section 3.7 (Blackhole, read in source).
    """
    fidelity = MathFidelity.HiFi3 if device.arch == "wormhole" else MathFidelity.HiFi4
    return ComputeKernelConfig(fidelity, math_approx_mode=True, fp32_dest_acc_en=True)
