"""Golden functions that make, move and rearrange values without computing on them."""

import itertools
from collections.abc import Sequence
from typing import Any

from tt_jax.ttnn._torch import torch_dtype
from tt_jax.ttnn.golden._bind import Row, widened


def _same(torch: Any, input_tensor: Any, *how: Any) -> Any:
    """The values are unchanged: only where they are, and in which layout, differs."""
    return input_tensor


def _cast(torch: Any, input_tensor: Any, dtype: Any = None) -> Any:
    """The values in `dtype`. A float becomes an integer by truncation towards zero, after clamping to the integer's range."""
    if dtype is None:
        return input_tensor.clone()
    target = torch_dtype(dtype)
    if input_tensor.is_floating_point() and not target.is_floating_point:
        limits = torch.iinfo(target)
        return torch.clamp(input_tensor.double(), limits.min, limits.max).to(torch.int64).to(target)
    return input_tensor.to(target)


def _resharded(torch: Any, input_tensor: Any, *how: Any, output_dtype: Any = None) -> Any:
    return input_tensor if output_dtype is None else _cast(torch, input_tensor, output_dtype)


def _to_torch(torch: Any, tensor: Any, dtype: Any = None, *, torch_rank: int | None = None) -> Any:
    """`tensor` without the leading axes that `torch_rank` has not, which have one element each."""
    while torch_rank is not None and tensor.ndim > torch_rank:
        tensor = tensor.squeeze(0)
    return tensor if dtype is None else tensor.to(dtype)


def _nonzero(torch: Any, input_tensor: Any) -> Any:
    """How many, first of eight, and the four indices of each, then zeros: the shapes of the device's two tensors."""
    places = torch.nonzero(input_tensor.reshape((1,) * (4 - input_tensor.ndim) + tuple(input_tensor.shape)))
    counts, indices = torch.zeros(1, 1, 1, 8), torch.zeros(1, 1, 1, 4 * input_tensor.numel(), dtype=torch.int64)
    counts[..., 0] = places.shape[0]
    indices[..., : places.numel()] = places.reshape(-1)
    return counts.to(torch.uint32), indices.to(torch.uint32)


def _reshape(torch: Any, input_tensor: Any, shape: Any, *more: int) -> Any:
    return input_tensor.reshape((shape, *more) if isinstance(shape, int) else tuple(shape)).clone()


def _squeeze(torch: Any, input_tensor: Any, dim: Any = None) -> Any:
    return (
        torch.squeeze(input_tensor)
        if dim is None
        else torch.squeeze(input_tensor, tuple(dim) if isinstance(dim, list) else dim)
    )


def _concat(torch: Any, tensors: Sequence[Any], dim: int = 0, groups: int = 1) -> Any:
    """With `groups`, each tensor's last axis is cut into that many parts, and the parts are interleaved: a1 b1 a2 b2 ..."""
    if groups == 1:
        return torch.concat(list(tensors), dim)
    parts = [t.reshape(*t.shape[:-1], groups, -1) for t in tensors]
    return torch.concat(parts, -1).flatten(-2)


def _pad(torch: Any, input_tensor: Any, padding: Sequence[Any], *more: Any, value: float = 0) -> Any:
    """`padding` of (before, after) pairs for the last axes, then the value; or the padded shape, the start, then the value."""
    if len(padding) == 0 or not isinstance(padding[0], int):
        pairs, rest = [tuple(p) for p in padding], more
    else:
        starts, rest = more[0], more[1:]
        pairs = [(start, end - size - start) for end, size, start in zip(padding, input_tensor.shape, starts, strict=True)]
    value = rest[0] if rest else value
    return torch.nn.functional.pad(input_tensor, list(itertools.chain(*reversed(pairs))), value=value)


def _slice(
    torch: Any,
    input_tensor: Any,
    slice_start: Any = None,
    slice_end: Any = None,
    slice_step: Any = None,
    *,
    starts: Any = None,
    ends: Any = None,
    steps: Any = None,
) -> Any:
    begin = list(starts if slice_start is None else slice_start)
    end = list(ends if slice_end is None else slice_end)
    step = steps if slice_step is None else slice_step
    ranges = zip(begin, end, [1] * len(begin) if step is None else list(step), strict=True)
    return input_tensor[tuple(slice(int(b), int(e), int(s)) for b, e, s in ranges)]


def _repeat(torch: Any, input_tensor: Any, repetition_vector: Any) -> Any:
    times = list(repetition_vector)
    return input_tensor.repeat([1] * (input_tensor.ndim - len(times)) + times)


def _indexed_fill(torch: Any, batch_ids: Any, input_tensor_a: Any, input_tensor_b: Any, dim: int = 0) -> Any:
    """`input_tensor_a`, whose parts at `batch_ids` along `dim` are those of `input_tensor_b`, one after the other."""
    result = input_tensor_a.clone().movedim(dim, 0)
    for part, index in enumerate(batch_ids.reshape(-1).tolist()):
        result[index] = input_tensor_b.movedim(dim, 0)[part]
    return result.movedim(0, dim)


def _over_channels(torch: Any, indices: Any, values: Any) -> Any:
    return indices.to(torch.int64).unsqueeze(-1).expand(*indices.shape, values.shape[-1])


def _tilize_padded(torch: Any, input_tensor: Any, output_tensor_shape: Any, pad_value: float = 0) -> Any:
    ends = [(0, end - size) for end, size in zip(output_tensor_shape, input_tensor.shape, strict=True)]
    return _pad(torch, input_tensor, ends, value=pad_value)


def _unpadded(torch: Any, input_tensor: Any, output_tensor_end: Any) -> Any:
    """Up to `output_tensor_end`, which is the last index of each axis."""
    return input_tensor[tuple(slice(0, int(end) + 1) for end in output_tensor_end)]


def _fold(torch: Any, input_tensor: Any, stride_h: int, stride_w: int, *how: Any) -> Any:
    """Windows of `stride_h` x `stride_w` pixels of [n, h, w, c] become channels of `[1, 1, n * h * w / area, c * area]`."""
    n, h, w, c = input_tensor.shape
    windows = input_tensor.reshape(n, h // stride_h, stride_h, w // stride_w, stride_w, c).transpose(2, 3)
    return windows.reshape(1, 1, -1, c * stride_h * stride_w)


def _bcast(torch: Any, input_a: Any, input_b: Any, math_op: Any, dim: Any = None) -> Any:
    """`math_op` (ADD, SUB or MUL) with `input_b` broadcast, of `input_a`'s shape."""
    name = str(getattr(math_op, "name", math_op)).lower()
    result = {"add": torch.add, "sub": torch.sub, "mul": torch.mul}[name](input_a, input_b)
    return result[tuple(slice(0, size) for size in input_a.shape)]


def _partial(torch: Any, input_tensor: Any, grid: Any, shard_shape: Any, num_slices: int, slice_index: int, *how: Any) -> Any:
    """Slice `slice_index` of `num_slices` of the rows, as `[1, 1, rows, width]`."""
    rows = input_tensor.reshape(1, 1, -1, input_tensor.shape[-1])
    size = rows.shape[-2] // num_slices
    return rows[:, :, slice_index * size : (slice_index + 1) * size]


def _put_partial(torch: Any, part: Any, input_tensor: Any, num_slices: int, slice_index: int) -> Any:
    rows = input_tensor.reshape(1, 1, -1, input_tensor.shape[-1]).clone()
    size = rows.shape[-2] // num_slices
    rows[:, :, slice_index * size : (slice_index + 1) * size] = part
    return rows.reshape(input_tensor.shape)


def _filled(value: float) -> Row:
    def row(torch: Any, shape: Any, dtype: Any = None) -> Any:
        return torch.full(tuple(shape), value, dtype=torch.bfloat16 if dtype is None else torch_dtype(dtype))

    return row


def _full(torch: Any, shape: Any, fill_value: float, dtype: Any = None) -> Any:
    return torch.full(tuple(shape), fill_value, dtype=torch.bfloat16 if dtype is None else torch_dtype(dtype))


def _full_like(torch: Any, tensor: Any, fill_value: float, dtype: Any = None) -> Any:
    return torch.full_like(tensor, fill_value, dtype=None if dtype is None else torch_dtype(dtype))


def _filled_like(value: float) -> Row:
    return lambda torch, tensor, dtype=None: _full_like(torch, tensor, value, dtype)


def _arange(torch: Any, *bounds: float, start: float = 0, end: float | None = None, step: float = 1, dtype: Any = None) -> Any:
    """`arange(end)` or `arange(start, end, step)`; bfloat16 unless `dtype` says otherwise."""
    if len(bounds) == 1:
        end = bounds[0]
    elif bounds:
        start, end, step = (*bounds, step)[:3]
    return torch.arange(start, end, step).to(torch.bfloat16 if dtype is None else torch_dtype(dtype))


def _fill_rm(torch: Any, N: int, C: int, H: int, W: int, hOnes: int, wOnes: int, any: Any, val_hi: float, val_lo: float) -> Any:
    """bfloat16 `[N, C, H, W]`: `val_hi` in the first `hOnes` rows and `wOnes` columns, `val_lo` elsewhere."""
    result = torch.full((N, C, H, W), val_lo, dtype=torch.bfloat16)
    result[:, :, :hOnes, :wOnes] = val_hi
    return result


def _randn(torch: Any, shape: Any, *, dtype: Any = None) -> Any:
    """Normal, of torch's generator."""
    return torch.randn(tuple(shape)).to(torch.bfloat16 if dtype is None else torch_dtype(dtype))


def _rand(torch: Any, shape: Any, *, dtype: Any = None, low: float = 0.0, high: float = 1.0) -> Any:
    """Uniform between `low` and `high`: of torch's generator, so a device's values are others."""
    values = torch.rand(tuple(shape)) * (high - low) + low
    return values.to(torch.bfloat16 if dtype is None else torch_dtype(dtype))


SHAPE: dict[str, Row] = {
    **{
        name: _same
        for name in (
            "to_layout to_memory_config to_device from_device reallocate move reshard tilize untilize tilize_with_zero_padding "
            "fill_implicit_tile_padding broadcast"
        ).split()
    },
    "to_torch": _to_torch,
    "nonzero": _nonzero,
    "interleaved_to_sharded": _resharded,
    "sharded_to_interleaved": _resharded,
    "interleaved_to_sharded_partial": _partial,
    "sharded_to_interleaved_partial": _put_partial,
    "typecast": _cast,
    "to_dtype": _cast,
    "clone": _cast,
    "from_torch": _cast,
    "as_tensor": _cast,
    "reshape": _reshape,
    "squeeze_from_4D": lambda torch, tensor, rank: _to_torch(torch, tensor, torch_rank=rank),
    "bitcast": lambda torch, input_tensor, dtype: input_tensor.view(torch_dtype(dtype)),
    "view": _reshape,
    "reshape_on_device": _reshape,
    "unsqueeze_to_4D": lambda torch, tensor: tensor.reshape((1,) * (4 - tensor.ndim) + tuple(tensor.shape)),
    "squeeze": _squeeze,
    "unsqueeze": lambda torch, input_tensor, dim: torch.unsqueeze(input_tensor, dim),
    "permute": lambda torch, input_tensor, dims: torch.permute(input_tensor, tuple(dims)),
    "transpose": lambda torch, input_tensor, dim1, dim2: torch.transpose(input_tensor, dim1, dim2),
    "concat": _concat,
    "stack": lambda torch, input_tensors, dim: torch.stack(list(input_tensors), dim),
    "split": lambda torch, input_tensor, split_size, dim=0: torch.split(input_tensor, split_size, dim),
    "chunk": lambda torch, input_tensor, num_chunks, dim=0: torch.chunk(input_tensor, num_chunks, dim),
    "expand": lambda torch, input_tensor, shape: input_tensor.expand(tuple(shape)),
    "repeat": _repeat,
    "repeat_interleave": lambda torch, input_tensor, repeats, dim=0: torch.repeat_interleave(input_tensor, repeats, dim),
    "roll": lambda torch, input_tensor, shifts, dim=None: torch.roll(input_tensor, shifts, dim),
    "narrow": lambda torch, input_tensor, dim, start, length: torch.narrow(input_tensor, dim, start, length),
    "pad": _pad,
    "slice": _slice,
    "gather": lambda torch, input_tensor, dim, index: torch.gather(input_tensor, dim, index.to(torch.int64)),
    "scatter": lambda torch, input, dim, index, src: torch.scatter(input, dim, index.to(torch.int64), src),
    "scatter_add": lambda torch, input, dim, index, src: torch.scatter_add(input, dim, index.to(torch.int64), src),
    "index_fill": lambda torch, input_tensor, dim, index, value: torch.index_fill(
        input_tensor, dim, index.to(torch.int64), value
    ),
    "indexed_fill": _indexed_fill,
    "tosa_gather": lambda torch, input, index: torch.gather(input, 1, _over_channels(torch, index, input)),
    "tosa_scatter": lambda torch, input, index, source: torch.scatter(input, 1, _over_channels(torch, index, input), source),
    "tilize_with_val_padding": _tilize_padded,
    "untilize_with_unpadding": _unpadded,
    "fold": _fold,
    "bcast": _bcast,
    "fill": lambda torch, input_tensor, fill_value: torch.full_like(input_tensor, fill_value),
    "zeros": _filled(0),
    "ones": _filled(1),
    "empty": _filled(0),
    "empty_like": _filled_like(0),
    "fill_rm": _fill_rm,
    "fill_ones_rm": lambda torch, N, C, H, W, hOnes, wOnes, any: _fill_rm(torch, N, C, H, W, hOnes, wOnes, any, 1.0, 0.0),
    "full": _full,
    "zeros_like": _filled_like(0),
    "ones_like": _filled_like(1),
    "full_like": _full_like,
    "moreh_full_like": _full_like,
    "arange": _arange,
    "rand": _rand,
    "randn": _randn,
}
SHAPE = {name: widened(row) if name in ("pad", "tilize_with_val_padding", "bcast") else row for name, row in SHAPE.items()}
