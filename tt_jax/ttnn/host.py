"""What host tensors can do besides going to a device: other layouts, dtypes and shapes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from tt_jax import tensor as core
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig
from tt_jax.ops.creation import host_typecast
from tt_jax.ttnn._derive import SCHEDULING
from tt_jax.ttnn.device import Device
from tt_jax.ttnn.mesh import lead_of
from tt_jax.ttnn.placement import only_scheduling, to_device
from tt_jax.ttnn.tensor import Tensor, host_tensor


def _mapped(function: Callable[[Any], Any], array: Any) -> Any:
    """`function(array)`; its shape and dtype where the array has no values (a device that computes nothing wrote it)."""
    return jax.eval_shape(function, array) if isinstance(array, jax.ShapeDtypeStruct) else function(array)


def _require_host(operation: str, tensor: Any, instead: str) -> core.Tensor:
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"{operation}: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}")
    if tensor.device() is not None:
        raise ArgumentError(f"{operation}: the tensor is on a device; bring it to the host with .cpu(), or use {instead}")
    return tensor._functional()


def _require_scheduling(operation: str, options: dict[str, Any]) -> None:
    unknown = options.keys() - SCHEDULING
    if unknown:
        raise TypeError(f"{operation}: unexpected arguments {sorted(unknown)}")


def to_dtype(tensor: Tensor, dtype: DataType) -> Tensor:
    """A host tensor in another dtype, by the host's rules; a block float is TILE. Raises ArgumentError for a device tensor:
    `typecast` is for those."""
    functional = _require_host("to_dtype", tensor, "ttnn.typecast")
    if not isinstance(dtype, DataType):
        raise ArgumentError(f"to_dtype: `dtype` must be a DataType such as ttnn.bfloat16, got {dtype!r}")
    layout = Layout.TILE if dtype.is_block_float else functional.layout
    spec = functional.spec.replace(dtype=dtype, layout=layout)
    return host_tensor(_mapped(lambda array: host_typecast(array, functional.dtype, dtype), functional.array), spec)


def in_layout(
    tensor: Tensor,
    layout: Layout,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
    *,
    pad_value: float = 0.0,
    **scheduling: Any,
) -> Tensor:
    """`to_layout` of a host tensor: the same values, meant for `memory_config`; a block float stays TILE.

    Raises ArgumentError for another dtype.
    """
    _require_scheduling("to_layout", scheduling)
    if not isinstance(layout, Layout):
        raise ArgumentError(f"to_layout: `layout` must be TILE_LAYOUT or ROW_MAJOR_LAYOUT, got {layout!r}")
    functional = tensor._functional()
    if dtype not in (None, functional.dtype):
        raise ArgumentError(f"to_layout: on the host it keeps the dtype, {functional.dtype.kernel_name}; use ttnn.to_dtype")
    if functional.dtype.is_block_float:
        layout = Layout.TILE  # measured: asked for ROW_MAJOR, the real library hands the tensor back
    config = functional.memory_config if memory_config is None else memory_config
    return host_tensor(functional.array, functional.spec.replace(layout=layout, memory_config=config))


def typecast(
    input_tensor: Tensor,
    dtype: DataType | None = None,
    output_dtype: DataType | None = None,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    input_dtype: DataType | None = None,
    **scheduling: Any,
) -> Tensor:
    """`typecast` of a host tensor: `to_dtype`. Raises ArgumentError for an output tensor, and for a memory config."""
    _require_scheduling("typecast", scheduling)
    if memory_config is not None or output_tensor is not None:
        raise ArgumentError("typecast: a host tensor has no memory_config and no output_tensor; use ttnn.to_device before")
    target = output_dtype if output_dtype is not None else dtype
    return to_dtype(input_tensor, target)  # type: ignore[arg-type]


def to(tensor: Tensor, *targets: Any, **options: Any) -> Tensor:
    """`Tensor.to`: a device with a memory config, a layout, a dtype, or a layout and a device."""
    import tt_jax.ttnn as ttnn

    memory_config = options.pop("memory_config", options.pop("mem_config", None))
    values = [
        *targets,
        *(options.pop(name) for name in ("device", "layout", "target_layout", "dtype", "worker") if name in options),
    ]
    only_scheduling("Tensor.to", options)
    for value in values:
        if isinstance(value, MemoryConfig):
            memory_config = value
    for value in values:
        if isinstance(value, Layout):
            tensor = ttnn.to_layout(tensor, value)
        elif isinstance(value, DataType):
            tensor = ttnn.typecast(tensor, value)
        elif isinstance(value, Device):
            tensor = to_device(tensor, value, memory_config)
        elif value is not None and not isinstance(value, MemoryConfig):
            raise ArgumentError(f"Tensor.to: expected a device, a layout, a dtype or a memory config, got {value!r:.80}")
    return tensor


def padded(tensor: Tensor, output_shape: Sequence[int], start: Sequence[int], pad_value: float) -> Tensor:
    """`Tensor.pad`: on the host."""
    functional = _require_host("Tensor.pad", tensor, "ttnn.pad")
    if not len(output_shape) == len(start) == len(functional.shape):
        raise ArgumentError(
            f"Tensor.pad: {functional.shape} has {len(functional.shape)} dimensions; pass as many sizes and starts"
        )
    ends = [s + n for s, n in zip(start, functional.shape, strict=True)]
    if any(e > size for e, size in zip(ends, output_shape, strict=True)):
        raise ArgumentError(f"Tensor.pad: {functional.shape} at {tuple(start)} does not fit in {tuple(output_shape)}")
    lead = lead_of(functional.array, functional.shape)
    widths = [(0, 0)] * len(lead) + [(s, size - e) for s, e, size in zip(start, ends, output_shape, strict=True)]
    fill = jnp.asarray(pad_value, functional.array.dtype)
    array = _mapped(lambda values: jnp.pad(values, widths, constant_values=fill), functional.array)
    return host_tensor(array, functional.spec.replace(shape=tuple(array.shape[len(lead) :])))


def unpadded(tensor: Tensor, start: Sequence[int], end: Sequence[int]) -> Tensor:
    """`Tensor.unpad`: on the host."""
    functional = _require_host("Tensor.unpad", tensor, "ttnn.slice")
    if not len(start) == len(end) == len(functional.shape):
        raise ArgumentError(
            f"Tensor.unpad: {functional.shape} has {len(functional.shape)} dimensions; pass as many starts and ends"
        )
    if any(not 0 <= a < b <= size for a, b, size in zip(start, end, functional.shape, strict=True)):
        raise ArgumentError(f"Tensor.unpad: {tuple(start)} to {tuple(end)} is no part of {functional.shape}")
    parts = (..., *(slice(a, b) for a, b in zip(start, end, strict=True)))
    array = _mapped(lambda values: values[parts], functional.array)
    return host_tensor(array, functional.spec.replace(shape=tuple(b - a for a, b in zip(start, end, strict=True))))


__all__ = ["to_dtype"]
