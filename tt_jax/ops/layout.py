"""Changes of layout, placement and dtype."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tt_jax.dtypes import DataType, bfloat16, uint8, uint16, uint32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import packer, rounding
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_options
from tt_jax.program import Operation, launch, require_live, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec


class _Target(NamedTuple):
    spec: TensorSpec


def _convert(x: Array, source: DataType, target: DataType, precise: bool) -> Array:
    """Values of one dtype as the device turns them into another. Source: spec/numerics.md section 5.5."""
    if source is target:
        return x
    if target.is_float:
        x = x if source.is_float else x.astype(jnp.float32)
        return packer.typecast(x, target.kernel_name) if precise else packer.pack(x, target.kernel_name)  # type: ignore[arg-type]
    if not source.is_float:
        return x.astype(target.carrier)  # modulo the width
    wide = rounding.widen(x)
    if target is uint16:
        whole = jnp.trunc(wide) if source.is_block_float else jnp.floor(wide + 0.5)
        return jnp.clip(whole, 0, 65535).astype(jnp.uint16)
    if target is uint32:
        return jnp.clip(wide, 0, 2.0**32 - 256).astype(jnp.uint32)
    whole = jnp.trunc(wide).astype(jnp.int32)
    return (whole & 255).astype(jnp.uint8) if target is uint8 else whole


def _kernel(attributes: _Target, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (_convert(x, specs[0].dtype, attributes.spec.dtype, precise=False),)


def _typecast_kernel(attributes: _Target, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (_convert(x, specs[0].dtype, attributes.spec.dtype, precise=True),)


def _output_specs(attributes: _Target, specs: Any) -> tuple[TensorSpec, ...]:
    return (attributes.spec,)


_TILIZE = Operation("tilize", _output_specs, _kernel)
_UNTILIZE = Operation("untilize", _output_specs, _kernel)
_COPY = Operation("copy", _output_specs, _kernel)
_TYPECAST = Operation("typecast", _output_specs, _typecast_kernel)
_MOVE = Operation("move", _output_specs, _kernel, in_place=0)


def _run(operation: Operation, memory: MemoryState, x: Tensor, spec: TensorSpec) -> tuple[MemoryState, Tensor]:
    memory, (y,) = launch(memory, operation, (x,), _Target(spec))
    return memory, y


def to_layout(
    memory: MemoryState,
    tensor: Tensor,
    layout: Layout,
    *,
    dtype: DataType | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`tensor` in another layout; the same tensor, sharing its buffer, if it has that layout already (whatever `memory_config` says).

    Block floats become bfloat16 in ROW_MAJOR layout. `dtype` may change only on the way to TILE.

    Raises ArgumentError for a dtype that the conversion cannot give.
    """
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
    memory_config = memory_config or x.memory_config
    if layout is Layout.TILE:
        return _run(_TILIZE, memory, x, TensorSpec(x.shape, dtype or x.dtype, layout, memory_config))
    natural = bfloat16 if x.dtype.is_block_float else x.dtype
    if dtype not in (None, x.dtype, natural):
        raise ArgumentError(
            f"to_layout: untilizing {x.spec} gives {natural.kernel_name}, not {dtype.kernel_name}; use typecast"
        )
    return _run(_UNTILIZE, memory, x, TensorSpec(x.shape, natural, layout, memory_config))


def to_memory_config(
    memory: MemoryState, tensor: Tensor, memory_config: MemoryConfig, dtype: DataType | None = None
) -> tuple[MemoryState, Tensor]:
    """A copy of `tensor` placed by `memory_config`; the same tensor, sharing its buffer, if it lies there already."""
    x = require_tensor("to_memory_config", "tensor", tensor)
    if memory_config is None:
        raise ArgumentError(
            "to_memory_config: `memory_config` is None; pass where the tensor is to lie, such as tt.L1_MEMORY_CONFIG"
        )
    require_options("to_memory_config", memory_config=memory_config, dtype=dtype)
    require_live("to_memory_config", memory, x)
    dtype = dtype or x.dtype
    if memory_config == x.memory_config and dtype is x.dtype:
        return memory, x
    return _run(_COPY, memory, x, x.spec.replace(memory_config=memory_config, dtype=dtype))


def typecast(
    memory: MemoryState, tensor: Tensor, dtype: DataType, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`tensor` in another dtype by the device's rules; always a new buffer.

    To bfloat8_b it rounds once, where other operations round twice; float to int32 and uint8 cuts, to uint16 rounds half
    up (a block float cuts), to uint32 cuts and clips. Raises ArgumentError for a block float in ROW_MAJOR layout.
    """
    x = require_tensor("typecast", "tensor", tensor)
    if dtype is None:
        raise ArgumentError("typecast: `dtype` is None; pass the dtype to convert to")
    require_options("typecast", dtype=dtype, memory_config=memory_config)
    return _run(_TYPECAST, memory, x, x.spec.replace(dtype=dtype, memory_config=memory_config or x.memory_config))


def reallocate(memory: MemoryState, tensor: Tensor, memory_config: MemoryConfig | None = None) -> tuple[MemoryState, Tensor]:
    """Free `tensor` and allocate it again, first fit: closes the hole above (L1) or below (DRAM) it. `tensor` is gone after that.

    Runs a program only if the address changes. A layer that ends with this can return its output where its input was, and
    so be the body of a `jax.lax.scan`.
    """
    require_memory("reallocate", memory)
    x = require_tensor("reallocate", "tensor", tensor)
    require_options("reallocate", memory_config=memory_config)
    spec = x.spec.replace(memory_config=memory_config or x.memory_config)
    freed = memory.deallocate(x.buffer)
    after, buffer = freed.allocate(spec.memory_config.buffer_type, spec.bytes_per_bank(memory.device))
    if buffer == x.buffer:
        return after, x
    # The copy computes in place: where the block comes to lie it may overlap the old one, as a move on the device does.
    _, (moved,) = launch(memory, _MOVE, (x,), _Target(spec))
    return after, Tensor(moved.array, spec, buffer)
