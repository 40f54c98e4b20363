"""Copies: into a new buffer, into another tensor, and to another place."""

from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_options
from tt_jax.ops._movement import supports, target
from tt_jax.ops._support import Support
from tt_jax.ops.layout import copied
from tt_jax.ops.sharding import reallocate
from tt_jax.program import require_tensor
from tt_jax.tensor import Tensor

__all__ = ["assign", "clone", "copy", "move"]


def _require_castable(operation: str, x: Tensor, dtype: DataType | None) -> None:
    if dtype in (None, x.dtype):
        return
    if x.layout is Layout.ROW_MAJOR or not (x.dtype.is_float and dtype.is_float):
        raise ArgumentError(
            f"{operation}: {x.spec} cannot become {dtype.kernel_name} on the way; floats in TILE layout can, use typecast"
        )


def clone(
    memory: MemoryState,
    input: Tensor,
    *,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    compute_kernel_config: object = None,
) -> tuple[MemoryState, Tensor]:
    """`input` in a new buffer, rounded by the packer if `dtype` differs (floats in TILE layout only).

    `compute_kernel_config` changes nothing: a copy does no arithmetic. Raises ArgumentError for another cast.
    """
    x = require_tensor("clone", "input", input)
    require_options("clone", dtype=dtype, memory_config=memory_config, compute_kernel_config=compute_kernel_config)
    _require_castable("clone", x, dtype)
    return copied(memory, x, dtype, memory_config)


def copy(memory: MemoryState, input_a: Tensor, input_b: Tensor) -> tuple[MemoryState, Tensor]:
    """The values of `input_a` in the buffer of `input_b`, which is what the result replaces.

    Raises ArgumentError unless the two have one shape and layout, and one dtype or floats in TILE layout.
    """
    return _into("copy", memory, input_a, input_b)


def _into(operation: str, memory: MemoryState, a: Tensor, b: Tensor) -> tuple[MemoryState, Tensor]:
    source, target = require_tensor(operation, "input_a", a), require_tensor(operation, "input_b", b)
    if source.shape != target.shape or source.layout is not target.layout:
        raise ArgumentError(f"{operation}: {source.spec} cannot be copied to {target.spec}: shape and layout must be the same")
    _require_castable(operation, source, target.dtype)
    return copied(memory, source, target.dtype, target.memory_config, target)


def assign(
    memory: MemoryState,
    input_tensor: Tensor | None = None,
    input_b: Tensor | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
    output_tensor: Tensor | None = None,
    input_a: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """A copy of `input_tensor`, as `clone` makes it, in `output_tensor` if given; or `assign(a, b)`, as `copy`.

    Raises ArgumentError as those do.
    """
    source = input_tensor if input_a is None else input_a
    if input_b is not None:
        return _into("assign", memory, source, input_b)  # type: ignore[arg-type]  # None is refused there
    x = require_tensor("assign", "input_tensor", source)
    require_options("assign", dtype=dtype, memory_config=memory_config)
    spec = target("assign", x.spec, x.shape, memory_config, output_tensor)
    if dtype is None and output_tensor is not None:
        dtype = output_tensor.dtype
    _require_castable("assign", x, dtype)
    return copied(memory, x, dtype, spec.memory_config, output_tensor)


def move(memory: MemoryState, input_tensor: Tensor, memory_config: MemoryConfig | None = None) -> tuple[MemoryState, Tensor]:
    """`input_tensor` freed and allocated again, as `reallocate`: the tensor passed is gone after that."""
    return reallocate(memory, require_tensor("move", "input_tensor", input_tensor), memory_config)


supports(Support(tuple(DataType)), clone, copy, assign, move)
