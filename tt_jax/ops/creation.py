"""Arrays onto the device and back, and freeing them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from tt_jax.context import active
from tt_jax.dtypes import DataType, bfloat16, default_dtype, int32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import block_float, numerics, rounding
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState
from tt_jax.mesh import Mesh, read
from tt_jax.mesh_mapping import MeshComposerConfig, MeshMapperConfig
from tt_jax.ops._arguments import require_options
from tt_jax.program import abstract, free, place, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

# The largest float32 that an unsigned integer of so many bytes holds.
_LARGEST = {1: 255.0, 2: 65535.0, 4: 2.0**32 - 256}


@functools.partial(jax.jit, static_argnames="dtype")
def _to_carrier(x: Array, dtype: DataType) -> Array:
    """`x` as the carrier of `dtype`, by the host's conversions."""
    if not dtype.is_float:
        return x.astype(dtype.carrier)  # truncates toward zero
    if not numerics.is_rounded():
        return x.astype(jnp.float32)
    if x.dtype == jnp.bfloat16 and dtype is bfloat16:
        return x
    wide = x if x.dtype == jnp.bfloat16 else x.astype(jnp.float32)
    if dtype.is_block_float:
        return block_float.quantize(wide, dtype.kernel_name, "host").astype(jnp.bfloat16)
    return rounding.host_bfloat16(wide) if dtype is bfloat16 else rounding.widen(wide)


def as_array(operation: str, argument: str, value: ArrayLike) -> Array | np.ndarray:
    """`value` as an array, the dtype of a NumPy or JAX array kept. Raises ArgumentError if it holds no real numbers."""
    try:
        array = value if isinstance(value, jax.Array) else np.asarray(value) if hasattr(value, "dtype") else jnp.asarray(value)
        if array.dtype.kind in "biuf" or array.dtype.name == "bfloat16":
            return array
    except (TypeError, ValueError):
        pass
    raise ArgumentError(f"{operation}: `{argument}` must be an array of real numbers, got {value!r:.80}")


def _narrowed(array: Array | np.ndarray, dtype: DataType) -> Array:
    """`array` as JAX holds it. A 64-bit one is converted here, to float32 or to the carrier: JAX would cut it to 32 bits first."""
    if isinstance(array, np.ndarray) and array.dtype.itemsize == 8:
        with np.errstate(invalid="ignore", over="ignore"):
            array = array.astype(np.float32 if dtype.is_float else dtype.carrier)
    return jnp.asarray(array)


def scalar(operation: str, argument: str, value: Any, dtype: DataType) -> Array:
    """The number `value` as the host rounds it to `dtype`: an array of rank 0 of the carrier. May be traced.

    Raises ArgumentError if it is not one number.
    """
    # NumPy's 64 bits hold a uint32, which JAX's 32 bits of an int do not.
    array = as_array(operation, argument, np.asarray(value) if isinstance(value, int | float) else value)
    if array.ndim:
        raise ArgumentError(f"{operation}: `{argument}` must be one number, got an array of shape {array.shape}")
    return _to_carrier(_narrowed(array, dtype).reshape(1), dtype).reshape(())


def host_typecast(array: ArrayLike, source: DataType, target: DataType) -> Array:
    """Values of a `source` tensor as the host's `to_dtype` turns them into `target`: the carrier array, of the same shape.

    Floats are rounded as `from_array` rounds them (nearest even; block floats by the host's packer). Floats become integers
    toward zero, clipped to the range of an unsigned one. Integers become integers modulo the width.
    Source: spec/numerics.md sections 1.2 and 5.5 (measured; the clipping of unsigned ones documented).
    """
    x = jnp.asarray(array)
    if source is target:
        return x
    if source.is_float and not target.is_float:
        wide = jnp.trunc(rounding.widen(x))
        least, most = (-(2.0**31), 2.0**31 - 128) if target is int32 else (0.0, _LARGEST[target.element_bytes or 4])
        return jnp.clip(wide, least, most).astype(target.carrier)
    return _to_carrier(x, target)


def from_array(
    memory: MemoryState,
    array: ArrayLike | jax.ShapeDtypeStruct,
    *,
    dtype: DataType | None = None,
    layout: Layout | None = None,
    memory_config: MemoryConfig = DRAM_MEMORY_CONFIG,
    mesh_mapper: MeshMapperConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Put `array` on the device: the memory with its buffer allocated, and the tensor.

    Args:
        array: anything `jnp.asarray` takes, any rank; or a `jax.ShapeDtypeStruct`, for a tensor without values, on which
            operations validate, allocate and count programs but compute nothing.
        dtype: float32 sources are rounded by the host's rules (bfloat16 to nearest even, block floats as in
            `kernels.block_float`), integers cut. By default float32, bfloat16, int32, uint32, uint16 and uint8 keep
            theirs, float16 becomes bfloat16, int64 uint32, int16 uint16, bool uint8 (ttnn's rule).
        layout: ROW_MAJOR by default, TILE for a block float.
        mesh_mapper: which part each chip of a mesh gets (and rounds); everything, by default.

    Raises:
        ArgumentError: no TT-NN dtype for the array's, a block float in ROW_MAJOR layout, or a `mesh_mapper` that does not fit.
        OutOfMemoryError: it does not fit.
    """
    require_memory("from_array", memory)
    require_options("from_array", dtype=dtype, layout=layout, memory_config=memory_config, mesh_mapper=mesh_mapper)
    if not isinstance(array, jax.ShapeDtypeStruct):
        array = as_array("from_array", "array", array)
    if dtype is None:
        dtype = default_dtype(array.dtype)
    if layout is None:
        layout = Layout.TILE if dtype.is_block_float else Layout.ROW_MAJOR
    source = array if isinstance(array, jax.ShapeDtypeStruct) else _narrowed(array, dtype)
    if dtype.is_block_float and source.ndim == 0:
        raise ArgumentError(f"from_array: {dtype.kernel_name} shares exponents along the last axis, and a scalar has none")
    shape, part = _split("from_array", memory.mesh, tuple(source.shape), mesh_mapper)
    spec = TensorSpec(shape, dtype, layout, memory_config)
    memory, buffer = place(memory, spec, "from_array")
    if isinstance(source, jax.ShapeDtypeStruct) or not active.get().computes:
        return memory, Tensor(abstract(memory.device, spec), spec, buffer)  # type: ignore[arg-type]
    if part is None:
        return memory, Tensor(everywhere(memory, _to_carrier(source, dtype)), spec, buffer)
    return memory, Tensor(_to_carrier(distributed(source, memory.mesh, part, shape), dtype), spec, buffer)  # type: ignore[arg-type]


_Part = Callable[[tuple[int, ...]], tuple[slice, ...]]


def _split(
    operation: str, mesh: Mesh | None, shape: tuple[int, ...], mapper: MeshMapperConfig | None
) -> tuple[tuple[int, ...], _Part | None]:
    """The shape that each chip gets of `shape`, and which part; None for everything."""
    if mapper is None:
        return shape, None
    own, part = mapper.split(operation, shape, mesh or Mesh((1, 1)))
    return own, None if own == shape else part


def everywhere(memory: MemoryState, array: Array) -> Array:
    """`array` on every chip whose memory this is."""
    return array if memory.mesh is None else memory.mesh.replicated(array)


def distributed(source: Array | np.ndarray, mesh: Mesh, part: _Part, shape: tuple[int, ...]) -> Array:
    """The `part` of `source` on each chip of `mesh`, all of `shape`, not yet rounded."""
    if isinstance(source, Tracer):
        return mesh.placed(lambda coordinate: source[part(coordinate)], shape, traced=True)
    values = np.asarray(source)
    return mesh.placed(lambda coordinate: values[part(coordinate)], shape)


def to_array(tensor: Tensor, *, mesh_composer: MeshComposerConfig | None = None) -> Array:
    """The values of `tensor` `[shape]`, read back; nothing changes.

    bfloat16 comes as bfloat16, block floats as float32 (as `to_torch` gives them), integers as themselves. Of a tensor without
    values it is a `jax.ShapeDtypeStruct`. Of a tensor on a mesh it is `[*mesh.shape, *shape]`, the values of every chip; a
    `mesh_composer` joins them along dimensions of the tensor (of several processes each must then call this).

    Raises ArgumentError for a `mesh_composer` that does not fit.
    """
    tensor = require_tensor("to_array", "tensor", tensor)
    require_options("to_array", mesh_composer=mesh_composer)
    array: Any = tensor.array
    if mesh_composer is not None:
        array = composed("to_array", array, len(tensor.shape), mesh_composer)
    if not tensor.dtype.is_block_float:
        return array
    if isinstance(array, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(array.shape, jnp.float32)  # type: ignore[return-value]  # as `Tensor.array` is one
    return array.astype(jnp.float32)


def composed(operation: str, array: Any, rank: int, composer: MeshComposerConfig) -> Any:
    """The chips' tensors of `rank` dimensions, whose array this is, as one array. Raises ArgumentError."""
    if isinstance(array, jax.ShapeDtypeStruct):
        return jax.eval_shape(lambda x: composer.joined(operation, x, rank), array)
    if isinstance(array, Tracer):
        return composer.joined(operation, array, rank)
    return jnp.asarray(composer.joined(operation, read(array), rank))


def deallocate(memory: MemoryState, *tensors: Tensor) -> MemoryState:
    """`memory` without the buffers of `tensors`. Views share a buffer: freeing one frees it for all.

    Raises DeallocatedError if a buffer is not live in `memory`, and then frees none.
    """
    require_memory("deallocate", memory)
    return free(memory, [require_tensor("deallocate", "tensors", tensor).buffer for tensor in tensors])
