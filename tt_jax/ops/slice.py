"""Parts of a tensor: slice and what ttnn derives from it, Python's brackets included."""

import builtins
import math
from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import jax
from jax import Array

from tt_jax.dtypes import DataType, bfloat8_b
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.mesh import read
from tt_jax.ops._arguments import normalize_dim, require_integer, require_integers
from tt_jax.ops._movement import chain, movement, run, supports, target
from tt_jax.ops._movement_footprint import slice_footprint
from tt_jax.ops._support import Support
from tt_jax.ops.layout import tilized, untilized
from tt_jax.ops.reshape import reshape
from tt_jax.ops.sharding import to_memory_config
from tt_jax.program import active_cache, require_live, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = ["chunk", "getitem", "narrow", "slice", "split"]

Window = tuple[tuple[int, int, int], ...]
"""Start, end and step of each dimension."""
Key = int | builtins.slice | EllipsisType | None


def _kernel(window: Window, x: Array) -> Array:
    return x[tuple(builtins.slice(*part) for part in window)]


_SLICE = movement("slice", _kernel, lambda move, specs, device: slice_footprint(specs[0], move.spec, device), True)


def _corner(argument: str, values: Any, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Starts or ends counted from the front; a ttnn tensor's are read if they are known."""
    if type(values) is Tensor:
        if isinstance(values.array, jax.ShapeDtypeStruct | jax.core.Tracer):
            raise NotModelledError(f"slice: `{argument}` is a tensor without values here; pass a list of integers")
        values = read(values.array).reshape(-1)[: math.prod(values.shape)].tolist()  # of a mesh, the first chip's
    integers = require_integers("slice", argument, values)
    if len(integers) != len(sizes):
        raise ArgumentError(f"slice: `{argument}` has {len(integers)} entries for {len(sizes)} dimensions; pass one each")
    return tuple(i + size if i < 0 else i for i, size in zip(integers, sizes, strict=True))


def _window(x: TensorSpec, starts: Any, ends: Any, steps: Any) -> Window:
    begin, end = _corner("starts", starts, x.shape), _corner("ends", ends, x.shape)
    stride = (1,) * len(x.shape) if steps is None else require_integers("slice", "steps", steps)
    if len(stride) != len(x.shape):
        raise ArgumentError(f"slice: `steps` has {len(stride)} entries for {len(x.shape)} dimensions; pass one each")
    for d, (first, last, step, size) in enumerate(zip(begin, end, stride, x.shape, strict=True)):
        if step == 0:
            raise ArgumentError(f"slice: the step of dimension {d} is 0")
        if not 0 <= first <= last <= size:
            raise ArgumentError(f"slice: {first} to {last} is no range within dimension {d} of {x}, of size {size}")
    # An ascending range has nothing in it for a negative step: ttnn gives an empty tensor too (measured).
    return tuple((first, last if step > 0 else first, abs(step)) for first, last, step in zip(begin, end, stride, strict=True))


def _require_part(x: TensorSpec, starts: Any, ends: Any, shape: tuple[int, ...], slice_dim: Any, num_devices: Any) -> None:
    """Raise ArgumentError unless `shape` is one of `num_devices` parts of `x` along `slice_dim`, and tensors say which."""
    if type(starts) is not Tensor or type(ends) is not Tensor or slice_dim is None or num_devices is None:
        raise ArgumentError("slice: `slice_dim` and `num_devices` go together, and with tensors for `starts` and `ends`")
    dim = normalize_dim("slice", slice_dim, len(x.shape), "slice_dim")
    parts = require_integer("slice", "num_devices", num_devices, 1)
    expected = tuple(size // parts if d == dim else size for d, size in enumerate(x.shape))
    if x.shape[dim] % parts or shape != expected:
        raise ArgumentError(
            f"slice: `starts` and `ends` give {shape}, which is not one of {parts} parts of {x.shape} along dimension {dim}"
        )


def _moves_tiles(x: TensorSpec, window: Window) -> bool:
    """Whether whole tiles can be copied: both start at one and no step skips. Source: op_specs (measured)."""
    return all(step == 1 for *_, step in window) and all(start % TILE_SIZE == 0 for start, *_ in window[-2:])


def slice(
    memory: MemoryState,
    input_tensor: Tensor,
    slice_start: Sequence[int] | Tensor | None = None,
    slice_end: Sequence[int] | Tensor | None = None,
    slice_step: Sequence[int] | None = None,
    *,
    starts: Sequence[int] | Tensor | None = None,
    ends: Sequence[int] | Tensor | None = None,
    steps: Sequence[int] | None = None,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
    pad_value: float | None = None,
    slice_dim: int | None = None,
    num_devices: int | None = None,
) -> tuple[MemoryState, Tensor]:
    """The part of `input_tensor` from `starts` (inclusive) to `ends` (exclusive), every `steps`-th of it; negative ones count back.

    `starts`, `ends` and `steps` are other names of the three positional arguments. A slice of everything is the same tensor.
    In TILE layout a slice that starts within a tile, or skips, is untilized, cut and tilized: three programs. A step below
    zero gives nothing, as in ttnn. Tile padding is not stored, so `pad_value` changes nothing. `starts` and `ends` may be
    tensors whose values are known (so not under `jax.jit`); `slice_dim` and `num_devices`, which go with such, say that they name one
    of that many equal parts along that dimension.

    Raises ArgumentError for a range outside of the tensor, a step of zero, or a stepped slice of a bfloat8_b.
    """
    del pad_value
    x = require_tensor("slice", "input_tensor", input_tensor)
    starts, ends = (slice_start if starts is None else starts), (slice_end if ends is None else ends)
    window = _window(x.spec, starts, ends, slice_step if steps is None else steps)
    shape = tuple(len(range(*part)) for part in window)
    if slice_dim is not None or num_devices is not None:
        _require_part(x.spec, starts, ends, shape, slice_dim, num_devices)
    spec = target("slice", x.spec, shape, memory_config, output_tensor)
    require_live("slice", memory, x)
    if output_tensor is None and all(part == (0, size, 1) for part, size in zip(window, x.shape, strict=True)):
        return to_memory_config(memory, x, spec.memory_config)
    if x.layout is Layout.ROW_MAJOR or _moves_tiles(x.spec, window):
        return run(memory, _SLICE, (x,), spec, window, output_tensor)
    if x.dtype is bfloat8_b and any(step != 1 for *_, step in window):
        raise ArgumentError(f"slice: steps other than 1 are not supported for {x.spec}; typecast it to bfloat16")
    return chain(
        memory,
        x,
        lambda m, x: untilized(m, x, spec.memory_config),
        lambda m, rows: run(m, _SLICE, (rows,), rows.spec.replace(shape=shape), window),
        lambda m, cut: tilized(m, cut, x.dtype, spec.memory_config, output_tensor),
    )


def _part(memory: MemoryState, x: Tensor, dim: int, start: int, end: int, placement: Any) -> tuple[MemoryState, Tensor]:
    starts, ends = [0] * len(x.shape), list(x.shape)
    starts[dim], ends[dim] = start, end
    return slice(memory, x, starts, ends, memory_config=placement)


def narrow(memory: MemoryState, input_tensor: Tensor, dim: int, start: int, length: int) -> tuple[MemoryState, Tensor]:
    """`length` entries of dimension `dim` from `start` on; as `slice`.

    ttnn's own is a view of the buffer where that starts at a page; here it always is a copy.
    """
    x = require_tensor("narrow", "input_tensor", input_tensor)
    dim = normalize_dim("narrow", dim, len(x.shape))
    start, length = require_integer("narrow", "start", start), require_integer("narrow", "length", length, 0)
    start += x.shape[dim] if start < 0 else 0
    return _part(memory, x, dim, start, start + length, None)


def _sizes(operation: str, split_size: Any, size: int) -> list[int]:
    if isinstance(split_size, Sequence):
        sizes = list(require_integers(operation, "split_size", split_size))
        if any(s < 0 for s in sizes) or sum(sizes) != size:
            raise ArgumentError(f"{operation}: `split_size` {sizes} must be parts of the dimension's size, {size}")
        return sizes
    step = require_integer(operation, "split_size", split_size, 1)
    return [min(step, size - start) for start in range(0, size, step)] or [0]


def split(
    memory: MemoryState,
    input_tensor: Tensor,
    split_size: int | Sequence[int],
    dim: int = 0,
    *,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, list[Tensor]]:
    """`input_tensor` in parts of `split_size` (the last may be less), or of the sizes listed, along `dim`; each as `slice`.

    Raises ArgumentError for sizes that do not add up.
    """
    x = require_tensor("split", "input_tensor", input_tensor)
    dim = normalize_dim("split", dim, len(x.shape))
    parts, start = [], 0
    with active_cache().all_or_nothing():
        for size in _sizes("split", split_size, x.shape[dim]):
            memory, part = _part(memory, x, dim, start, start + size, memory_config)
            parts.append(part)
            start += size
    return memory, parts


def chunk(memory: MemoryState, input_tensor: Tensor, chunks: int, dim: int = 0) -> tuple[MemoryState, list[Tensor]]:
    """`input_tensor` in at most `chunks` parts of one size (the last may be less) along `dim`; each as `slice`."""
    x = require_tensor("chunk", "input_tensor", input_tensor)
    dim = normalize_dim("chunk", dim, len(x.shape))
    chunks = require_integer("chunk", "chunks", chunks, 1)
    return split(memory, x, max(1, -(-x.shape[dim] // chunks)), dim)


def _expanded(x: TensorSpec, key: Key | tuple[Key, ...]) -> list[Key]:
    """`key` with one entry for each dimension, and None where one is added. Raises ArgumentError for too many."""
    entries = list(key) if isinstance(key, tuple) else [key]
    for entry in entries:
        if not (entry is None or entry is Ellipsis or isinstance(entry, builtins.slice) or hasattr(entry, "__index__")):
            raise ArgumentError(f"getitem: {entry!r} is no index; pass integers, slices, Ellipsis or None")
    missing = len(x.shape) - sum(entry is not None and entry is not Ellipsis for entry in entries)
    if missing < 0 or entries.count(Ellipsis) > 1:
        raise ArgumentError(f"getitem: {key!r} has too many indices for {x}")
    at = entries.index(Ellipsis) if Ellipsis in entries else len(entries)
    return entries[:at] + [builtins.slice(None)] * missing + entries[at + 1 :]


def getitem(memory: MemoryState, x: Tensor, key: Any) -> tuple[MemoryState, Tensor]:
    """`x[key]` as ttnn's tensors have it: a slice, then the dimensions that integers pick dropped and those of None added.

    Slices are clipped to the tensor, as Python's are. Raises ArgumentError for a step below one and an integer out of range.
    """
    x = require_tensor("getitem", "x", x)
    starts: list[int] = []
    ends: list[int] = []
    steps: list[int] = []
    shape: list[int] = []
    for entry in _expanded(x.spec, key):
        if entry is None:
            shape.append(1)
            continue
        size = x.shape[len(starts)]
        if isinstance(entry, builtins.slice):
            start, end, step = entry.indices(size)
            if step < 1:
                raise ArgumentError(f"getitem: step {step} is not supported; it must be at least 1")
            shape.append(len(range(start, end, step)))
        else:
            start = normalize_dim("getitem", entry, size, "index")
            end, step = start + 1, 1
        starts.append(start)
        ends.append(max(start, end))
        steps.append(step)
    return chain(memory, x, lambda m, x: slice(m, x, starts, ends, steps), lambda m, part: reshape(m, part, shape))


supports(Support(tuple(DataType)), slice, narrow, split, chunk, getitem)
