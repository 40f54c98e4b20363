"""Tensors in a safetensors file as the device's memory has them: block floats as bytes of tiles, a header for each."""

import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from _packages import missing

import tt_jax as tt
from tt_jax.kernels import block_float

_FORMAT = "tt_jax packed 1"


def _named(tensors: Any) -> list[tuple[str, tt.Tensor]]:
    leaves = jax.tree_util.tree_leaves_with_path(tensors, is_leaf=lambda x: isinstance(x, tt.Tensor))
    return [(jax.tree_util.keystr(path, simple=True, separator="."), x) for path, x in leaves]


def _safetensors() -> Any:
    try:
        from safetensors import safe_open
        from safetensors.numpy import save_file
    except ImportError as error:
        missing(error, "reads and writes packed weights")
    return save_file, safe_open


def save(path: str, tensors: Any, about: dict[str, str], packed: dict[str, tt.DataType] | None = None) -> int:
    """Write a pytree of tensors and the strings `about` it; the file's size in bytes.

    `packed` names tensors whose values are those of a block float though their dtype is not: they are packed as that.
    """
    save_file, _ = _safetensors()
    arrays, headers = {}, {}
    for name, x in _named(tensors):
        stored = (packed or {}).get(name, x.spec.dtype)
        if stored.is_block_float:
            arrays[name] = np.asarray(block_float.pack(x.array, stored.kernel_name))
        else:
            array = np.ascontiguousarray(x.array)
            arrays[name] = array.view(np.uint16) if stored is tt.bfloat16 else array
        spec = dict(shape=x.spec.shape, dtype=x.spec.dtype.name, layout=x.spec.layout.name, stored=stored.name)
        headers[name] = json.dumps(spec)
    save_file(arrays, path, metadata={"format": _FORMAT, "about": json.dumps(about), **headers})
    return Path(path).stat().st_size


def about(path: str) -> dict[str, str]:
    """The strings that were saved with the tensors. Ends the process if the file is not one that `save` wrote."""
    _, safe_open = _safetensors()
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except Exception as problem:  # safetensors has its own, and OSError
        sys.exit(f"{path} can't be read: {problem}")
    if metadata.get("format") != _FORMAT:
        sys.exit(f"{path} holds no packed tensors: expected a file that --save wrote")
    return json.loads(metadata["about"])


def load(memory: tt.MemoryState, path: str, like: Any) -> tuple[tt.MemoryState, Any]:
    """The tensors of a file in DRAM, in the structure of `like`, a pytree with a leaf for each, whatever it is.

    Ends the process if the file lacks one of them, or is not one that `save` wrote.
    """
    _, safe_open = _safetensors()
    about(path)
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    tensors = []
    with safe_open(path, framework="numpy") as file:
        for name in (jax.tree_util.keystr(key, simple=True, separator=".") for key, _ in paths):
            if name not in file.metadata():
                sys.exit(f"{path} has no tensor {name!r}: it holds the weights of another model")
            spec = json.loads(file.metadata()[name])
            dtype, stored = tt.DataType[spec["dtype"]], tt.DataType[spec["stored"]]
            array = file.get_tensor(name)
            if stored.is_block_float:
                array = block_float.unpack(array, tuple(spec["shape"]), stored.kernel_name)
            elif stored is tt.bfloat16:
                array = array.view(stored.carrier)
            memory, x = tt.from_array(memory, array, dtype=dtype, layout=tt.Layout[spec["layout"]])
            tensors.append(x)
    return memory, jax.tree_util.tree_unflatten(structure, tensors)
