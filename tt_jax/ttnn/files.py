"""Between memory and files."""

import json
import os
import pathlib
import zipfile
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tt_jax.choice import Choice
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig
from tt_jax.mesh import read
from tt_jax.tensor import TensorSpec
from tt_jax.tile import Tile
from tt_jax.ttnn.conversion import from_torch, values
from tt_jax.ttnn.device import Device
from tt_jax.ttnn.mesh import TensorToMesh, distribute, lead_of, mapping_for
from tt_jax.ttnn.placement import to_device
from tt_jax.ttnn.tensor import Tensor, host_tensor

_FORMAT = "tt_jax tensor 2"


class DumpTensorMode(Choice):
    """Which processes write: with one process, either way the same file."""

    DISTRIBUTED = 0
    LOCAL = 1


def dump_tensor(
    file_name: str | os.PathLike[str], tensor: Tensor, distribute: Any = None, *, mode: DumpTensorMode | None = None
) -> None:
    """Write `tensor` to a file: an archive of arrays (NumPy's npz), values and a header in JSON; nothing that can run.

    Written whole or not at all. Raises DeallocatedError.
    """
    spec = tensor.spec
    array: Any = tensor._functional().array
    lead = lead_of(array, spec.shape)
    if not lead:
        array = np.array(values("dump_tensor", tensor))
    elif isinstance(array, jax.ShapeDtypeStruct):
        array = np.zeros(array.shape, array.dtype)
    else:
        array = read(array)
    header = {
        "format": _FORMAT,
        "shape": list(spec.shape),
        "mesh_shape": list(lead),
        "dtype": spec.dtype.name,
        "layout": spec.layout.name,
        "memory_config": spec.memory_config.to_json(),
        "tile": list(spec.tile.tile_shape),
    }
    raw = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
    path = pathlib.Path(file_name)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), values=raw)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_tensor(file_name: str | os.PathLike[str], device: Device | None = None) -> Tensor:
    """What `dump_tensor` wrote, on the host or on `device` (where its memory config says).

    Raises ArgumentError for a missing file or one of another format (ttnn's own files too).
    """
    path = pathlib.Path(file_name)
    if not path.exists():
        raise ArgumentError(f"load_tensor: there is no file {path}")
    try:
        # Opened here: np.load leaves the file of a broken archive open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            header, raw = json.loads(bytes(archive["header"])), archive["values"]
        if header["format"] != _FORMAT:
            raise ValueError(header["format"])
        config, tile = MemoryConfig.from_json(header["memory_config"]), Tile(tuple(header["tile"]))
        spec = TensorSpec(tuple(header["shape"]), DataType[header["dtype"]], Layout[header["layout"]], config, tile)
        array = np.frombuffer(raw.tobytes(), spec.dtype.carrier).reshape(*header.get("mesh_shape", ()), *spec.shape)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as problem:
        raise ArgumentError(f"load_tensor: {path} is not a file that dump_tensor of tt_jax wrote ({problem})") from None
    loaded = host_tensor(jnp.array(array), spec)
    return loaded if device is None else to_device(loaded, device)


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

    The file's name carries dtype and layout, and how the tensor is spread over a mesh. `preprocess` runs on the source before the
    conversion. Block floats are TILE whatever `layout` says.
    """
    source = preprocess(tensor) if preprocess is not None else tensor
    if dtype is not None and dtype.is_block_float:
        layout = Layout.TILE
    if cache_file_name is None:
        made = from_torch(source, dtype, layout=layout, device=device, memory_config=memory_config, mesh_mapper=mesh_mapper)
        return made  # type: ignore[return-value]
    dtype_name = dtype.name if dtype is not None else "None"
    layout_name = layout.name if layout is not None else "None"
    name = f"{cache_file_name}_dtype_{dtype_name}_layout_{layout_name}"
    shape: tuple[int, ...] = tuple(source.shape)
    lead: tuple[int, ...] = ()
    spread: TensorToMesh | None = None  # of what all chips share one copy in the file will do
    mapping = mapping_for("as_tensor", mesh_mapper, device)
    if mapping is not None and not mapping.config.is_replicating:
        spread, lead = mapping, mapping.mesh.lead
        shape, _ = mapping.config.split("as_tensor", shape, mapping.mesh)
        name += f"_mesh_{mapping.mesh}_{mapping.config.name}"
    path = pathlib.Path(f"{name}.tensorbin")
    if path.exists():
        cached = load_tensor(path)
        if cached.shape == shape and lead_of(cached._functional().array, shape) == lead:
            placement = memory_config if memory_config is not None else DRAM_MEMORY_CONFIG  # not where it once was
            return cached if device is None else to_device(cached, device, memory_config=placement)
    with distribute(spread):
        host = from_torch(source, dtype, layout=layout, memory_config=memory_config)
    assert host is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    dump_tensor(path, host)
    return host if device is None else to_device(host, device, memory_config=memory_config)


__all__ = ["as_tensor", "dump_tensor", "load_tensor"]
