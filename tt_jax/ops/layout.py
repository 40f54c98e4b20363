"""Changes of layout, placement and dtype."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jax import Array

from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType, bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.footprint import Footprint
from tt_jax.kernels.convert import convert
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_options
from tt_jax.ops._movement_footprint import copy_footprint, tilize_footprint, typecast_footprint, untilize_footprint
from tt_jax.ops.sharding import reallocate as reallocate
from tt_jax.ops.sharding import to_memory_config as to_memory_config
from tt_jax.program import Operation, launch, require_live, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["to_layout", "typecast"]


class _Target(NamedTuple):
    spec: TensorSpec


def converted(x: Array, source: DataType, target: DataType, precise: bool) -> Array:
    """`kernels.convert.convert` by dtypes."""
    return convert(x, source.kernel_name, target.kernel_name, precise)


def _kernel(attributes: _Target, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (converted(x, specs[0].dtype, attributes.spec.dtype, precise=False),)


def _typecast_kernel(attributes: _Target, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (converted(x, specs[0].dtype, attributes.spec.dtype, precise=True),)


def _output_specs(attributes: _Target, specs: Any) -> tuple[TensorSpec, ...]:
    return (attributes.spec,)


def _kept(of: Callable[[TensorSpec, TensorSpec, DeviceProfile], Footprint | None]) -> Callable[..., Footprint | None]:
    """The footprint of an operation, of what it takes and what it gives."""
    return lambda attributes, specs, device: of(specs[0], attributes.spec, device)


_TILIZE = Operation("tilize", _output_specs, _kernel, footprint=_kept(tilize_footprint))
_UNTILIZE = Operation("untilize", _output_specs, _kernel, footprint=_kept(untilize_footprint))
_COPY = Operation("copy", _output_specs, _kernel, footprint=_kept(copy_footprint))
_TYPECAST = Operation("typecast", _output_specs, _typecast_kernel, footprint=_kept(typecast_footprint))


def _run(
    operation: Operation, memory: MemoryState, x: Tensor, spec: TensorSpec, output: Tensor | None = None
) -> tuple[MemoryState, Tensor]:
    memory, (y,) = launch(memory, operation, (x,), _Target(spec), output)
    return memory, y


def tilized(
    memory: MemoryState,
    x: Tensor,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    output: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`x` of ROW_MAJOR layout in TILE layout, by one program; into the buffer of `output` if there is one."""
    spec = TensorSpec(x.shape, dtype or x.dtype, Layout.TILE, memory_config or x.memory_config)
    return _run(_TILIZE, memory, x, spec, output)


def untilized(memory: MemoryState, x: Tensor, memory_config: MemoryConfig | None = None) -> tuple[MemoryState, Tensor]:
    """`x` of TILE layout in ROW_MAJOR layout, by one program; a block float becomes bfloat16."""
    dtype = bfloat16 if x.dtype.is_block_float else x.dtype
    return _run(_UNTILIZE, memory, x, TensorSpec(x.shape, dtype, Layout.ROW_MAJOR, memory_config or x.memory_config))


def to_layout(
    memory: MemoryState,
    tensor: Tensor,
    layout: Layout,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    *,
    pad_value: float = 0.0,
) -> tuple[MemoryState, Tensor]:
    """`tensor` in another layout; the same tensor, sharing its buffer, if it has that layout already (whatever `memory_config` says).

    Block floats become bfloat16 in ROW_MAJOR layout. `dtype` may change only on the way to TILE. Tile padding is not stored,
    so `pad_value` changes nothing.

    Raises ArgumentError for a dtype that the conversion cannot give.
    """
    del pad_value
    x = require_tensor("to_layout", "tensor", tensor)
    if layout is None:
        raise ArgumentError("to_layout: `layout` is None; pass tt.TILE_LAYOUT or tt.ROW_MAJOR_LAYOUT")
    require_options("to_layout", layout=layout, dtype=dtype, memory_config=memory_config)
    require_live("to_layout", memory, x)
    if layout is x.layout:
        if dtype not in (None, x.dtype):
            raise ArgumentError(
                f"to_layout: the tensor ({x.spec}) has this layout already, and only a change of layout can change its dtype; use typecast"
            )
        return memory, x
    if layout is Layout.TILE:
        return tilized(memory, x, dtype, memory_config)
    natural = bfloat16 if x.dtype.is_block_float else x.dtype
    if dtype not in (None, x.dtype, natural):
        raise ArgumentError(
            f"to_layout: untilizing {x.spec} gives {natural.kernel_name}, not {dtype.kernel_name}; use typecast"
        )
    return untilized(memory, x, memory_config)


def copied(
    memory: MemoryState,
    x: Tensor,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    output: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`x` in a new buffer, or in that of `output`, by one program; converted to `dtype` as the packer does."""
    spec = x.spec.replace(dtype=dtype or x.dtype, memory_config=memory_config or x.memory_config)
    return _run(_COPY, memory, x, spec, output)


def typecast(
    memory: MemoryState,
    input_tensor: Tensor,
    dtype: DataType | None = None,
    output_dtype: DataType | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    input_dtype: DataType | None = None,
) -> tuple[MemoryState, Tensor]:
    """`input_tensor` in another dtype by the device's rules; always a new buffer, unless `output_tensor` gives one.

    To bfloat8_b it rounds once, where other operations round twice; float to int32 and uint8 cuts, to uint16 rounds half
    up (a block float cuts), to uint32 cuts and clips. `typecast(x, input_dtype, output_dtype)` is ttnn's other form: it reads
    the tensor as `input_dtype`, which must be its own.

    Raises ArgumentError for a block float in ROW_MAJOR layout, and for an `input_dtype` that the tensor does not have.
    """
    x = require_tensor("typecast", "input_tensor", input_tensor)
    if output_dtype is not None:
        dtype, input_dtype = output_dtype, input_dtype or dtype
    if dtype is None:
        raise ArgumentError("typecast: `dtype` is None; pass the dtype to convert to")
    require_options("typecast", dtype=dtype, memory_config=memory_config)
    if input_dtype not in (None, x.dtype):
        raise ArgumentError(f"typecast: the input dtype is {input_dtype!r}, but the tensor is {x.spec}")
    if output_tensor is not None:
        memory_config = memory_config or require_tensor("typecast", "output_tensor", output_tensor).memory_config
    spec = x.spec.replace(dtype=dtype, memory_config=memory_config or x.memory_config)
    return _run(_TYPECAST, memory, x, spec, output_tensor)
