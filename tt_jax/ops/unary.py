"""Element-wise functions of one tensor: so far those that a linear layer can be followed by."""

from typing import NamedTuple

from jax import Array

from tt_jax.dtypes import float32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import packer, rounding, sfpu
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.program import Operation, launch
from tt_jax.tensor import Tensor, TensorSpec


class _Unary(NamedTuple):
    function: str
    memory_config: MemoryConfig


def _output_specs(attributes: _Unary, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    return (specs[0].replace(memory_config=attributes.memory_config),)


def _kernel(attributes: _Unary, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    dst = sfpu.activate(attributes.function, rounding.widen(x), specs[0].dtype is float32)
    return (packer.pack(dst, specs[0].dtype.kernel_name),)  # type: ignore[arg-type]


_UNARY = Operation("unary", _output_specs, _kernel)


def require_activation(operation: str, activation: str | None) -> None:
    """Raise NotModelledError for an activation that is not modelled."""
    if activation is not None and activation not in sfpu.ACTIVATIONS:
        raise NotModelledError(
            f"{operation}: activation {activation!r} is not modelled; there are {', '.join(sfpu.ACTIVATIONS)}"
        )


def activate(memory: MemoryState, x: Tensor, activation: str, memory_config: MemoryConfig) -> tuple[MemoryState, Tensor]:
    """`activation(x)` in the dtype of `x`: a new tensor in `memory_config`."""
    if not x.dtype.is_float:
        raise ArgumentError(f"activation {activation!r} needs a float tensor, got {x.spec}")
    memory, (y,) = launch(memory, _UNARY, (x,), _Unary(activation, memory_config))
    return memory, y
