"""Between the facade's tensors and torch, NumPy and JAX arrays."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.core import Tracer

from tt_jax.context import active
from tt_jax.dtypes import DataType, default_dtype, float32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig
from tt_jax.mesh import read
from tt_jax.ops.creation import from_array
from tt_jax.tensor import TensorSpec
from tt_jax.tile import DEFAULT_TILE, Tile
from tt_jax.ttnn._derive import on_host, trace_error
from tt_jax.ttnn.device import Device, require_device
from tt_jax.ttnn.mesh import TensorToMesh, composer_for, lead_of, mapping_for
from tt_jax.ttnn.placement import only_scheduling, place
from tt_jax.ttnn.tensor import Tensor, host_tensor

_TORCH_NAMES = {
    DataType.BFLOAT16: "bfloat16",
    DataType.FLOAT32: "float32",
    DataType.BFLOAT8_B: "float32",
    DataType.BFLOAT4_B: "float32",
    DataType.UINT8: "uint8",
    DataType.UINT16: "uint16",
    DataType.INT32: "int32",
    DataType.UINT32: "uint32",
    DataType.INT8: "int8",
}


def _is_torch(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "torch"


def _numpy(tensor: Any) -> np.ndarray:
    """A NumPy copy of a torch tensor; bfloat16 by its bits, which NumPy has no dtype for."""
    import torch

    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype is torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16).copy()
    if tensor.is_complex():
        raise ArgumentError(
            f"from_torch: {tensor.dtype} has no TT-NN dtype; pass the real and the imaginary part as two tensors"
        )
    return tensor.numpy().copy()  # JAX may use the memory that it is given, and the caller may write to it


def _as_source(operation: str, value: Any) -> np.ndarray | jax.Array:
    """`value` as an array that nobody else will write to."""
    if _is_torch(value):
        return _numpy(value)
    if isinstance(value, np.ndarray | np.generic):
        return np.array(value)
    if isinstance(value, jax.Array):
        return value
    raise ArgumentError(f"{operation}: expected a torch tensor, a NumPy or a JAX array, got {type(value).__name__}")


def _require_dtype(operation: str, source: Any, dtype: DataType | None) -> DataType:
    if dtype is None:
        return default_dtype(source.dtype)
    if not isinstance(dtype, DataType):
        raise ArgumentError(f"{operation}: `dtype` must be a DataType such as ttnn.bfloat16, got {dtype!r}")
    return dtype


def _from_source(
    operation: str,
    source: Any,
    dtype: DataType | None,
    layout: Layout | None,
    device: Device | None,
    memory_config: MemoryConfig | None,
    pad_value: float | None = None,
    tile: Any = None,
    mesh_mapper: Any = None,
) -> Tensor:
    if isinstance(source, Tracer) and not (device is not None and device.is_functional):
        raise trace_error(operation)
    dtype = _require_dtype(operation, source, dtype)
    if layout is None:
        layout = Layout.TILE if dtype.is_block_float else Layout.ROW_MAJOR
    if device is not None:
        require_device(operation, device)
        if not device.computes:
            source = jax.ShapeDtypeStruct(source.shape, jnp.dtype(source.dtype))
    del pad_value  # the padding is never read: kernels see the logical shape
    config = memory_config if memory_config is not None else DRAM_MEMORY_CONFIG
    mapping = mapping_for(operation, mesh_mapper, device)
    shape: tuple[int, ...] = tuple(source.shape)
    if mapping is not None:
        shape, source = _split(operation, source, mapping, device is None)
    spec = TensorSpec(shape, dtype, layout, config, tile if tile is not None else DEFAULT_TILE)
    _, tensor = on_host(from_array, source, dtype=dtype, layout=layout)
    return host_tensor(tensor.array, spec) if device is None else place(device, tensor.array, spec, operation)


def _split(operation: str, source: Any, mapping: TensorToMesh, on_host: bool) -> tuple[tuple[int, ...], Any]:
    """The shape that each chip gets of `source`, and all parts `[*mesh.lead, *shape]`; `source` itself where all get the same of it
    on a device."""
    config, mesh = mapping.config, mapping.mesh
    shape, part = config.split(operation, tuple(source.shape), mesh)
    if not mesh.lead or (config.is_replicating and not on_host):
        return shape, source
    if isinstance(source, jax.ShapeDtypeStruct):
        return shape, jax.ShapeDtypeStruct((*mesh.lead, *shape), source.dtype)
    stack = jnp.stack if isinstance(source, jax.Array) else np.stack
    parts = [source[part(coordinate)] for coordinate in mesh.coordinates()]
    return shape, stack(parts).reshape(*mesh.lead, *shape)


def from_torch(
    tensor: Any,
    dtype: DataType | None = None,
    *,
    spec: TensorSpec | None = None,
    tile: Any = None,
    pad_value: float | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    memory_config: MemoryConfig | None = None,
    mesh_mapper: Any = None,
    cq_id: int | None = None,
    preserve_nan_values: bool = False,
    col_tilize: bool = False,
    enable_bfloat_opt: bool = False,
) -> Tensor | None:
    """A torch tensor (or a NumPy or JAX array) as a ttnn tensor, on `device` or, without one, on the host; None for None.

    `dtype` defaults to the source's: float16 becomes bfloat16, int64 uint32, int16 uint16, bool uint8. `layout` defaults to
    ROW_MAJOR, to TILE for a block float. `spec` gives dtype, layout, memory config and tile at once. `mesh_mapper` says which part
    each chip of a mesh gets; without one all get everything. The result's shape is that of a chip's part.

    Raises:
        ArgumentError: no TT-NN dtype for the source's, a block float in ROW_MAJOR layout, a `spec` of another shape.
        NotModelledError: `col_tilize`, `enable_bfloat_opt`. OutOfMemoryError: it does not fit.
    """
    if tensor is None:
        return None
    if col_tilize:
        raise NotModelledError("from_torch: `col_tilize` is not modelled; transpose the tensor before")
    if enable_bfloat_opt:
        raise NotModelledError("from_torch: `enable_bfloat_opt` (a search for better exponents) is not modelled")
    if spec is not None:
        dtype, layout, memory_config, tile = spec.dtype, spec.layout, spec.memory_config, spec.tile
        mapping = mapping_for("from_torch", mesh_mapper, device)
        own = None if mapping is None else mapping.config.split("from_torch", tuple(tensor.shape), mapping.mesh)[0]
        if spec.shape not in (tuple(tensor.shape), own):
            raise ArgumentError(f"from_torch: the source's shape is {tuple(tensor.shape)}, that of `spec` {spec.shape}")
    source = tensor if isinstance(tensor, Tracer) else _as_source("from_torch", tensor)
    return _from_source("from_torch", source, dtype, layout, device, memory_config, pad_value, tile, mesh_mapper)


def from_numpy(
    array: Any,
    dtype: DataType | None = None,
    *,
    layout: Layout | None = None,
    device: Device | None = None,
    memory_config: MemoryConfig | None = None,
    mesh_mapper: Any = None,
) -> Tensor:
    """As `from_torch`, for those without torch: a NumPy or JAX array as a ttnn tensor."""
    source = array if isinstance(array, Tracer) else _as_source("from_numpy", array)
    return _from_source("from_numpy", source, dtype, layout, device, memory_config, mesh_mapper=mesh_mapper)


def values(operation: str, tensor: Tensor, mesh_composer: Any = None) -> Any:
    """The carrier array; of a tensor on a mesh, composed. Raises where there are no values to read, and ArgumentError where it takes
    a composer to make one tensor of the chips'."""
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"{operation}: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}")
    array: Any = tensor._functional().array
    if isinstance(array, jax.ShapeDtypeStruct):
        if not active.get().computes:
            raise ArgumentError(f"{operation}: in a plan tensors have no values; a program that is planned cannot look at them")
        array = np.zeros(array.shape, array.dtype)
    if isinstance(array, Tracer):
        raise ArgumentError(
            f"{operation}: inside jax.jit, grad or vmap a tensor has no values to read; return the tensor from the function"
        )
    config = composer_for(operation, mesh_composer)
    lead = lead_of(array, tensor._spec.shape)
    if config is not None:
        return config.joined(operation, read(array), len(tensor._spec.shape))
    if lead:
        raise ArgumentError(
            f"{operation}: the tensor is spread over a mesh of shape {lead}: pass a mesh_composer such as "
            "ttnn.ConcatMeshToTensor(device, dim=0), or take one chip's part by ttnn.get_device_tensors"
        )
    return array


def to_numpy(tensor: Tensor, *, mesh_composer: Any = None) -> np.ndarray:
    """The values as a NumPy array: bfloat16 as ml_dtypes.bfloat16, block floats as float32, integers as themselves.

    Of a tensor on a mesh, what `mesh_composer` makes of the chips'. A device that computes nothing (TT_JAX_COMPUTE=off) gives zeros.
    """
    array = np.array(values("to_numpy", tensor, mesh_composer))
    return array.astype(np.float32) if tensor.dtype.is_block_float else array


def to_torch(
    tensor: Tensor,
    dtype: Any = None,
    *,
    torch_rank: int | None = None,
    mesh_composer: Any = None,
    device: Device | None = None,
    cq_id: int | None = None,
) -> Any:
    """The values as a torch tensor: bfloat16 as such, block floats as float32; `dtype` converts after that.

    `torch_rank` squeezes leading dimensions of 1. Raises ArgumentError where those are not 1, and for a tensor on a mesh without
    a `mesh_composer`, which says how the chips' become one.
    """

    values = to_numpy(tensor, mesh_composer=mesh_composer)
    if torch_rank is not None:
        surplus = values.ndim - torch_rank
        if any(size != 1 for size in values.shape[: max(surplus, 0)]):
            raise ArgumentError(f"to_torch: shape {values.shape} cannot be squeezed to rank {torch_rank}")
        values = values.reshape(values.shape[max(surplus, 0) :])
    result = torch_tensor(values)
    return result if dtype is None else result.to(dtype)


def torch_tensor(values: np.ndarray) -> Any:
    """A torch tensor of a NumPy array that nobody else writes to; ml_dtypes.bfloat16 becomes torch.bfloat16."""
    import torch

    if values.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(values)


def ttnn_dtype_to_torch_dtype(dtype: DataType) -> Any:
    """What `to_torch` gives for `dtype`. Raises ArgumentError where there is none."""
    import torch

    if dtype not in _TORCH_NAMES:
        raise ArgumentError(f"{dtype} has no torch dtype")
    return getattr(torch, _TORCH_NAMES[dtype])


def constructed(data: Any, *arguments: Any, **options: Any) -> Tensor:
    """What `ttnn.Tensor(...)` makes; see the class."""
    pad_value, mesh_mapper = options.pop("pad_value", None), options.pop("mesh_mapper", None)
    if isinstance(data, Tensor):
        return Tensor._of(data._storage, data._spec)
    if data is None:
        data = options.pop("tensor", None)
    shape = None
    rest = list(arguments)
    if isinstance(data, list | tuple):
        shape = tuple(rest.pop(0) if rest else options.pop("shape"))
    found: dict[str, Any] = {}
    for value in rest:
        for name, kind in (
            ("dtype", DataType),
            ("layout", Layout),
            ("device", Device),
            ("memory_config", MemoryConfig),
            ("tile", Tile),
        ):
            if isinstance(value, kind):
                found[name] = value
                break
        else:
            if value is not None and not isinstance(value, dict | int | float):
                raise ArgumentError(f"Tensor: cannot use {value!r:.80} as a dtype, layout, device or memory config")
    for name, others in (
        ("dtype", ("data_type", "dtype")),
        ("layout", ("layout",)),
        ("device", ("device",)),
        ("memory_config", ("memory_config", "mem_config")),
        ("tile", ("tile",)),
    ):
        for other in others:
            if options.get(other) is not None:
                found[name] = options.pop(other)
            options.pop(other, None)
    only_scheduling("Tensor", {k: v for k, v in options.items() if k not in ("strategy",)})
    dtype = found.get("dtype")
    if shape is not None:
        whole = dtype is not None and not dtype.is_float
        if math.prod(shape) != len(data):
            raise ArgumentError(f"Tensor: {len(data)} numbers do not fill shape {shape}")
        data = np.asarray(data, np.int64 if whole else np.float32).reshape(shape)
        dtype = dtype if dtype is not None else float32
    return _from_source(
        "Tensor",
        _as_source("Tensor", data),
        dtype,
        found.get("layout"),
        found.get("device"),
        found.get("memory_config"),
        pad_value,
        found.get("tile"),
        mesh_mapper,
    )


def to_torch_with_padded_shape(tensor: Tensor) -> Any:
    """The values in the padded shape, zeros where the padding is."""
    values = to_numpy(tensor)
    shape = tuple(tensor.padded_shape)
    values = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
    return torch_tensor(np.pad(values, [(0, full - size) for full, size in zip(shape, values.shape, strict=True)]))


__all__ = ["from_numpy", "from_torch", "to_numpy", "to_torch", "ttnn_dtype_to_torch_dtype"]
