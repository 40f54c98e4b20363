"""Running sums and products."""

from typing import NamedTuple, Protocol

from jax import Array

from tt_jax.dtypes import DataType, bfloat16, float32, int32, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import rounding, sorting
from tt_jax.kernels.convert import convert
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import normalize_dim, require_dtype, require_flags, require_options, require_tile
from tt_jax.ops._reduce import pack
from tt_jax.ops._support import Support
from tt_jax.program import Operation, launch, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["cumprod", "cumsum"]

_ALLOWED = (bfloat16, float32, int32, uint32)


class _Scan(NamedTuple):
    dim: int
    dtype: DataType
    reverse: bool
    memory_config: MemoryConfig


def _specs(attributes: _Scan, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    return (specs[0].replace(dtype=attributes.dtype, memory_config=attributes.memory_config),)


def _operation(name: str, product: bool) -> Operation:
    def kernel(attributes: _Scan, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
        cast = convert(x, specs[0].dtype.kernel_name, attributes.dtype.kernel_name, precise=True)
        wide = rounding.widen(cast) if attributes.dtype.is_float else cast
        y = sorting.cumulative(wide, attributes.dim, product, attributes.reverse) if x.ndim else wide
        return (pack(y, attributes.dtype),)

    return Operation(name, _specs, kernel)


class _Cumulative(Protocol):
    support: Support

    def __call__(
        self,
        memory: MemoryState,
        input: Tensor,
        dim: int,
        *,
        dtype: DataType | None = None,
        reverse_order: bool = False,
        out: Tensor | None = None,
        memory_config: MemoryConfig | None = None,
    ) -> tuple[MemoryState, Tensor]: ...


def _cumulative(name: str, *, product: bool, doc: str) -> _Cumulative:
    operation = _operation(name, product)

    def cumulative(
        memory: MemoryState,
        input: Tensor,
        dim: int,
        *,
        dtype: DataType | None = None,
        reverse_order: bool = False,
        out: Tensor | None = None,
        memory_config: MemoryConfig | None = None,
    ) -> tuple[MemoryState, Tensor]:
        require_memory(name, memory)
        x = require_tensor(name, "input", input)
        require_options(name, dtype=dtype, memory_config=memory_config)
        require_flags(name, reverse_order=reverse_order)
        require_tile(name, "input", x.spec)
        given = None if out is None else require_tensor(name, "out", out)
        target = dtype or (x if given is None else given).dtype
        for what in (x.spec, x.spec.replace(dtype=target)):
            require_dtype(name, "input", what, _ALLOWED)
        if given is not None and given.dtype is not target:
            raise ArgumentError(f"{name}: `out` is {given.spec}, but `dtype` asks for {target.kernel_name}")
        axis = normalize_dim(name, dim, len(x.shape) or 1)
        placement = memory_config or (x if given is None else given).memory_config
        memory, (y,) = launch(memory, operation, (x,), _Scan(axis, target, reverse_order, placement), given)
        return memory, y

    cumulative.__name__ = cumulative.__qualname__ = name
    cumulative.__doc__ = f"""{doc}

        Args:
            dtype: of the result; the input is cast to it first. By default that of `out`, else of the input.
            reverse_order: run from the end of the dimension to its start.
            out: a tensor whose buffer takes the result.

        float32 inside, each place rounded once (the device's own order of sums was not measured); integers modulo their width. One
        program, where ttnn also permutes for a `dim` among the last two. Raises ArgumentError for block floats, ROW_MAJOR
        layout, or a `dim` out of range.
        """
    cumulative.support = Support(_ALLOWED, (Layout.TILE,))  # type: ignore[attr-defined]
    return cumulative  # type: ignore[return-value]


cumsum = _cumulative("cumsum", product=False, doc="Running sums along `dim`: each place has the sum of all up to it.")
cumprod = _cumulative("cumprod", product=True, doc="Running products along `dim`: each place has the product of all up to it.")
