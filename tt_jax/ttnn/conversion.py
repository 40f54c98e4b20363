"""Between the facade's tensors and torch, NumPy and JAX arrays; between host and device; between memory and files."""

import json
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.core import Tracer

from tt_jax import tensor as core
from tt_jax.dtypes import DataType, default_dtype, float32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig
from tt_jax.ops.creation import from_array, host_typecast
from tt_jax.tensor import TensorSpec
from tt_jax.ttnn._derive import _HOST_MEMORY, trace_error
from tt_jax.ttnn._storage import Storage
from tt_jax.ttnn.device import Device, require_device
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
        raise ArgumentError(f"from_torch: {tensor.dtype} has no TT-NN dtype; pass the real and the imaginary part as two tensors")
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


def place(device: Device, array: Any, spec: TensorSpec) -> Tensor:
    """A tensor of `spec` on `device` with `array`, which has its shape and carrier. Raises OutOfMemoryError."""
    device.require_open()
    memory, buffer = device.memory.allocate(spec.memory_config.buffer_type, spec.bytes_per_bank(device.profile))
    if isinstance(array, Tracer) and not device.is_functional:
        raise trace_error("to_device")
    if not device.computes:
        array = jax.ShapeDtypeStruct(spec.shape, spec.dtype.carrier)
    device.memory = memory
    return Tensor._of(Storage(device, core.Tensor(array, spec, buffer)), spec)


def _from_source(
    operation: str,
    source: Any,
    dtype: DataType | None,
    layout: Layout | None,
    device: Device | None,
    memory_config: MemoryConfig | None,
    pad_value: float | None = None,
    tile: Any = None,
) -> Tensor:
    if isinstance(source, Tracer) and not (device is not None and device.is_functional):
        raise trace_error(operation)
    if tile is not None and tuple(tile.tile_shape) != (32, 32):
        raise NotModelledError(f"{operation}: tiles of {tuple(tile.tile_shape)} are not modelled, only 32x32")
    dtype = _require_dtype(operation, source, dtype)
    if layout is None:
        layout = Layout.TILE if dtype.is_block_float else Layout.ROW_MAJOR
    if layout is Layout.TILE and source.ndim == 0:
        raise ArgumentError(f"{operation}: an array of rank 0 has no TILE layout: reshape it to (1, 1), or leave it ROW_MAJOR")
    if device is not None:
        require_device(operation, device)
    if device is not None and not device.computes:
        source = jax.ShapeDtypeStruct(source.shape, jnp.dtype(source.dtype))
    placement = memory_config if memory_config is not None else DRAM_MEMORY_CONFIG
    del pad_value  # the padding is never read: kernels see the logical shape
    memory = _HOST_MEMORY if device is None else device.memory
    if device is None:  # placed when it goes to a device
        _, tensor = from_array(memory, source, dtype=dtype, layout=layout)
        return host_tensor(tensor.array, tensor.spec.replace(memory_config=placement))
    after, tensor = from_array(memory, source, dtype=dtype, layout=layout, memory_config=placement)
    device.memory = after
    return Tensor._of(Storage(device, tensor), tensor.spec)


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
    ROW_MAJOR, to TILE for a block float. `spec` gives dtype, layout and memory config at once. With one device every
    `mesh_mapper` puts the whole tensor there.

    Raises:
        ArgumentError: no TT-NN dtype for the source's, a block float in ROW_MAJOR layout, rank 0 in TILE layout.
        NotModelledError: tiles other than 32x32, `col_tilize`, `enable_bfloat_opt`. OutOfMemoryError: it does not fit.
    """
    if tensor is None:
        return None
    if col_tilize:
        raise NotModelledError("from_torch: `col_tilize` is not modelled; transpose the tensor before")
    if enable_bfloat_opt:
        raise NotModelledError("from_torch: `enable_bfloat_opt` (a search for better exponents) is not modelled")
    if spec is not None:
        dtype, layout, memory_config = spec.dtype, spec.layout, spec.memory_config
    source = tensor if isinstance(tensor, Tracer) else _as_source("from_torch", tensor)
    return _from_source("from_torch", source, dtype, layout, device, memory_config, pad_value, tile)


def from_numpy(
    array: Any,
    dtype: DataType | None = None,
    *,
    layout: Layout | None = None,
    device: Device | None = None,
    memory_config: MemoryConfig | None = None,
) -> Tensor:
    """As `from_torch`, for those without torch: a NumPy or JAX array as a ttnn tensor."""
    source = array if isinstance(array, Tracer) else _as_source("from_numpy", array)
    return _from_source("from_numpy", source, dtype, layout, device, memory_config)


def _values(operation: str, tensor: Tensor) -> Any:
    """The carrier array. Raises where there are no values to read."""
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"{operation}: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}")
    array = tensor._functional().array
    if isinstance(array, jax.ShapeDtypeStruct):
        return np.zeros(array.shape, array.dtype)
    if isinstance(array, Tracer):
        raise ArgumentError(
            f"{operation}: inside jax.jit, grad or vmap a tensor has no values to read; return the tensor from the function"
        )
    return array


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The values as a NumPy array: bfloat16 as ml_dtypes.bfloat16, block floats as float32, integers as themselves.

    A device that computes nothing (TT_JAX_COMPUTE=off) gives zeros.
    """
    values = np.array(_values("to_numpy", tensor))
    return values.astype(np.float32) if tensor.dtype.is_block_float else values


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

    `torch_rank` squeezes leading dimensions of 1. Raises ArgumentError where those are not 1. A `mesh_composer` has one
    device to compose.
    """

    values = to_numpy(tensor)
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


def as_tensor(
    tensor: Any,
    dtype: DataType | None = None,
    *,
    layout: Layout | None = Layout.ROW_MAJOR,
    device: Device | None = None,
    memory_config: MemoryConfig | None = None,
    cache_file_name: str | pathlib.Path | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    mesh_mapper: Any = None,
    cache_dump_mode: Any = None,
) -> Tensor:
    """As `from_torch`, through a file: written beside `cache_file_name` the first time, read from there after that.

    The file's name carries dtype and layout. `preprocess` runs on the source before the conversion. Block floats are TILE
    whatever `layout` says.
    """
    source = preprocess(tensor) if preprocess is not None else tensor
    if dtype is not None and dtype.is_block_float:
        layout = Layout.TILE
    if cache_file_name is None:
        return from_torch(source, dtype, layout=layout, device=device, memory_config=memory_config)  # type: ignore[return-value]
    dtype_name = dtype.name if dtype is not None else "None"
    layout_name = layout.name if layout is not None else "None"
    path = pathlib.Path(f"{cache_file_name}_dtype_{dtype_name}_layout_{layout_name}.tensorbin")
    if path.exists():
        cached = load_tensor(path)
        if tuple(cached.shape) == tuple(source.shape):
            return cached if device is None else to_device(cached, device, memory_config=memory_config)
    host = from_torch(source, dtype, layout=layout, memory_config=memory_config)
    assert host is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    dump_tensor(path, host)
    return host if device is None else to_device(host, device, memory_config=memory_config)


def to_device(tensor: Tensor, device: Device, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`tensor` on `device`; the same tensor, sharing its buffer, if it is there already.

    Raises ArgumentError for a missing device, OutOfMemoryError if it does not fit.
    """
    _only_scheduling("to_device", scheduling)
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"to_device: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}; from_torch makes one")
    device = require_device("to_device", device)
    functional = tensor._functional()
    if tensor.device() is device:
        return Tensor._of(tensor._storage, tensor.spec)
    spec = functional.spec if memory_config is None else functional.spec.replace(memory_config=memory_config)
    return place(device, functional.array, spec)


def from_device(tensor: Tensor, blocking: bool = True, **scheduling: Any) -> Tensor:
    """`tensor` on the host; the same tensor if it is there already. Raises DeallocatedError."""
    _only_scheduling("from_device", scheduling)
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"from_device: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}")
    functional = tensor._functional()
    if tensor.device() is None:
        return Tensor._of(tensor._storage, tensor.spec)
    return host_tensor(functional.array, functional.spec)


def _only_scheduling(operation: str, options: dict[str, Any]) -> None:
    unknown = options.keys() - {"cq_id", "queue_id", "sub_device_ids", "mesh_composer"}
    if unknown:
        raise TypeError(f"{operation}: unexpected arguments {sorted(unknown)}")


def deallocate(tensor: Tensor, force: bool = True) -> None:
    """Free the buffer of `tensor` now: it, and every tensor that shares the buffer, can no longer be used.

    Twice does nothing. With `force=False` it is freed only if no other tensor shares it.
    """
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"deallocate: `tensor` must be a ttnn.Tensor, got {type(tensor).__name__}")
    storage = tensor._storage
    if force or _sole_reference(storage):
        storage.free()


def _sole_reference(storage: Storage) -> bool:
    import sys

    # The handle, deallocate's local, the argument here and the one of getrefcount.
    return sys.getrefcount(storage) <= 4


def copy_host_to_device_tensor(host_tensor: Tensor, device_tensor: Tensor, cq_id: int | None = None) -> None:
    """Write the values of `host_tensor` into the buffer of `device_tensor`, whose spec it must have."""
    source, target = host_tensor._functional(), device_tensor._functional()
    if host_tensor.device() is not None or device_tensor.device() is None:
        raise ArgumentError("copy_host_to_device_tensor: needs a host tensor and a device tensor, in this order")
    _require_same("copy_host_to_device_tensor", source.spec, target.spec)
    if device_tensor._storage.device.computes:  # type: ignore[union-attr]
        device_tensor._storage.write(source.array)


def copy_device_to_host_tensor(device_tensor: Tensor, host_tensor: Tensor, blocking: bool = True, cq_id: int | None = None) -> None:
    """Write the values of `device_tensor` into `host_tensor`, which must have its spec."""
    source, target = device_tensor._functional(), host_tensor._functional()
    if device_tensor.device() is None or host_tensor.device() is not None:
        raise ArgumentError("copy_device_to_host_tensor: needs a device tensor and a host tensor, in this order")
    _require_same("copy_device_to_host_tensor", source.spec, target.spec)
    host_tensor._storage.write(source.array)


def _require_same(operation: str, source: TensorSpec, target: TensorSpec) -> None:
    if (source.shape, source.dtype, source.layout) != (target.shape, target.dtype, target.layout):
        raise ArgumentError(f"{operation}: the tensors differ in shape, dtype or layout: {source} and {target}")


def allocate_tensor_on_device(
    shape: Any,
    dtype: Any = None,
    layout: Layout | None = None,
    mesh_device: Device | None = None,
    memory_config: MemoryConfig | None = None,
) -> Tensor:
    """A tensor with a buffer and unspecified values (zeros here): by shape, dtype and layout, or `(spec, device)`."""
    if isinstance(shape, TensorSpec):
        spec, device = shape, dtype if mesh_device is None else mesh_device
    else:
        placement = memory_config if memory_config is not None else DRAM_MEMORY_CONFIG
        spec, device = TensorSpec(tuple(shape), dtype, layout or Layout.TILE, placement), mesh_device
    device = require_device("allocate_tensor_on_device", device)
    return place(device, jnp.zeros(spec.shape, spec.dtype.carrier) if device.computes else None, spec)


def allocate_tensor_on_host(*arguments: Any, **options: Any) -> Tensor:
    """A host tensor of zeros: arguments as `allocate_tensor_on_device`, whose device is not used."""
    shape, *rest = arguments
    if isinstance(shape, TensorSpec):
        spec = shape
    else:
        dtype = rest[0] if rest else options.get("dtype")
        layout = rest[1] if len(rest) > 1 else options.get("layout", Layout.TILE)
        spec = TensorSpec(tuple(shape), dtype, layout)  # type: ignore[arg-type]
    return host_tensor(jnp.zeros(spec.shape, spec.dtype.carrier), spec)


def to(tensor: Tensor, *targets: Any, **options: Any) -> Tensor:
    """`Tensor.to`: a device with a memory config, a layout, a dtype, or a layout and a device."""
    import tt_jax.ttnn as ttnn

    memory_config = options.pop("memory_config", options.pop("mem_config", None))
    values = [*targets, *(options.pop(name) for name in ("device", "layout", "target_layout", "dtype", "worker") if name in options)]
    _only_scheduling("Tensor.to", options)
    for value in values:
        if isinstance(value, MemoryConfig):
            memory_config = value
    for value in values:
        if isinstance(value, Layout):
            tensor = ttnn.to_layout(tensor, value)
        elif isinstance(value, DataType):
            tensor = ttnn.to_dtype(tensor, value) if tensor.device() is None else ttnn.typecast(tensor, value)
        elif isinstance(value, Device):
            tensor = to_device(tensor, value, memory_config)
        elif value is not None and not isinstance(value, MemoryConfig):
            raise ArgumentError(f"Tensor.to: expected a device, a layout, a dtype or a memory config, got {value!r:.80}")
    return tensor


def constructed(data: Any, *arguments: Any, **options: Any) -> Tensor:
    """What `ttnn.Tensor(...)` makes; see the class."""
    tile, pad_value = options.pop("tile", None), options.pop("pad_value", None)
    if isinstance(data, Tensor):
        return Tensor._of(data._storage, data.spec)
    if data is None:
        data = options.pop("tensor", None)
    shape = None
    rest = list(arguments)
    if isinstance(data, list | tuple):
        shape = tuple(rest.pop(0) if rest else options.pop("shape"))
    found: dict[str, Any] = {}
    for value in rest:
        for name, kind in (("dtype", DataType), ("layout", Layout), ("device", Device), ("memory_config", MemoryConfig)):
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
    ):
        for other in others:
            if options.get(other) is not None:
                found[name] = options.pop(other)
            options.pop(other, None)
    _only_scheduling("Tensor", {k: v for k, v in options.items() if k not in ("strategy", "mesh_mapper")})
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
        tile,
    )


def padded(tensor: Tensor, output_shape: Sequence[int], start: Sequence[int], pad_value: float) -> Tensor:
    """`Tensor.pad`: on the host."""
    functional = _on_host("Tensor.pad", tensor)
    ends = [s + n for s, n in zip(start, functional.shape, strict=True)]
    if any(e > size for e, size in zip(ends, output_shape, strict=True)):
        raise ArgumentError(f"Tensor.pad: {functional.shape} at {tuple(start)} does not fit in {tuple(output_shape)}")
    widths = [(s, size - e) for s, e, size in zip(start, ends, output_shape, strict=True)]
    array = jnp.pad(functional.array, widths, constant_values=jnp.asarray(pad_value, functional.array.dtype))
    return host_tensor(array, functional.spec.replace(shape=tuple(array.shape)))


def unpadded(tensor: Tensor, start: Sequence[int], end: Sequence[int]) -> Tensor:
    """`Tensor.unpad`: on the host."""
    functional = _on_host("Tensor.unpad", tensor)
    if any(not 0 <= a < b <= size for a, b, size in zip(start, end, functional.shape, strict=True)):
        raise ArgumentError(f"Tensor.unpad: {tuple(start)} to {tuple(end)} is no part of {functional.shape}")
    array = functional.array[tuple(slice(a, b) for a, b in zip(start, end, strict=True))]
    return host_tensor(array, functional.spec.replace(shape=tuple(array.shape)))


def _on_host(operation: str, tensor: Tensor) -> Any:
    if tensor.device() is not None:
        raise ArgumentError(f"{operation}: the tensor is on a device; bring it to the host with .cpu(), or use ttnn.pad, ttnn.slice")
    return tensor._functional()


def to_torch_with_padded_shape(tensor: Tensor) -> Any:
    """The values in the padded shape, zeros where the padding is."""
    values = to_numpy(tensor)
    shape = tuple(tensor.padded_shape)
    values = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
    return torch_tensor(np.pad(values, [(0, full - size) for full, size in zip(shape, values.shape, strict=True)]))


_FORMAT = "tt_jax tensor 1"


def dump_tensor(file_name: str | os.PathLike[str], tensor: Tensor, distribute: Any = None) -> None:
    """Write `tensor` to a file: an archive of arrays (NumPy's npz), values and a header in JSON; nothing that can run.

    Written whole or not at all. Raises DeallocatedError.
    """
    spec = tensor.spec
    values = np.array(_values("dump_tensor", tensor))
    header = {
        "format": _FORMAT,
        "shape": list(spec.shape),
        "dtype": spec.dtype.name,
        "layout": spec.layout.name,
        "buffer_type": spec.memory_config.buffer_type.name,
    }
    raw = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    path = pathlib.Path(file_name)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), values=raw)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_tensor(file_name: str | os.PathLike[str], device: Device | None = None) -> Tensor:
    """What `dump_tensor` wrote, on the host or on `device` (in interleaved memory of the buffer type it had).

    Raises ArgumentError for a missing file or one of another format (ttnn's own files too).
    """
    from tt_jax.memory import BufferType

    path = pathlib.Path(file_name)
    if not path.exists():
        raise ArgumentError(f"load_tensor: there is no file {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            header, raw = json.loads(bytes(archive["header"])), archive["values"]
        if header["format"] != _FORMAT:
            raise ValueError(header["format"])
        placement = MemoryConfig(buffer_type=BufferType[header["buffer_type"]])
        spec = TensorSpec(tuple(header["shape"]), DataType[header["dtype"]], Layout[header["layout"]], placement)
        values = np.frombuffer(raw.tobytes(), spec.dtype.carrier).reshape(spec.shape)
    except (ValueError, KeyError, OSError, EOFError) as problem:
        raise ArgumentError(f"load_tensor: {path} is not a file that dump_tensor of tt_jax wrote ({problem})") from None
    loaded = host_tensor(jnp.array(values), spec)
    return loaded if device is None else to_device(loaded, device)


def to_dtype(tensor: Tensor, dtype: DataType) -> Tensor:
    """A host tensor in another dtype, by the host's rules. Raises ArgumentError for a device tensor: `typecast` is for those."""
    if not isinstance(tensor, Tensor) or tensor.device() is not None:
        raise ArgumentError("to_dtype: converts host tensors; use ttnn.typecast on a device")
    functional = tensor._functional()
    layout = Layout.TILE if dtype.is_block_float else functional.layout
    spec = functional.spec.replace(dtype=_require_dtype("to_dtype", functional.array, dtype), layout=layout)
    return host_tensor(host_typecast(functional.array, functional.dtype, dtype), spec)


def is_tensor_storage_on_device(tensor: Tensor) -> bool:
    """Whether `tensor` is on a device."""
    return tensor.device() is not None


def has_storage_type_of(tensor: Tensor, storage_type: Any) -> bool:
    """Whether `tensor` is where `storage_type` says."""
    return tensor.storage_type() is storage_type


def get_memory_config(tensor: Tensor) -> MemoryConfig | None:
    """Where a device tensor lives; None for a host tensor and for a deallocated one."""
    return tensor.memory_config() if tensor.device() is not None and tensor.is_allocated() else None


__all__ = [
    "allocate_tensor_on_device",
    "allocate_tensor_on_host",
    "as_tensor",
    "copy_device_to_host_tensor",
    "copy_host_to_device_tensor",
    "deallocate",
    "dump_tensor",
    "from_device",
    "from_numpy",
    "from_torch",
    "get_memory_config",
    "has_storage_type_of",
    "is_tensor_storage_on_device",
    "load_tensor",
    "to_device",
    "to_dtype",
    "to_numpy",
    "to_torch",
    "ttnn_dtype_to_torch_dtype",
]
