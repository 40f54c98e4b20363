"""Heads of attention in the shapes of `ttnn.experimental`: sequences `[b, 1, s, width]`, and single tokens `[1, 1, b, width]`."""

from typing import Any, NamedTuple

from jax import Array

from tt_jax.cores import (
    CoreCoord,
    CoreRange,
    CoreRangeSet,
    num_cores_to_corerangeset,
    num_cores_to_corerangeset_in_subcoregrids,
)
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import FLOATS, bfloat16, float32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.footprint import Footprint
from tt_jax.kernels import heads as kernel
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import BufferType, MemoryConfig, MemoryState, ShardOrientation, ShardSpec, TensorMemoryLayout
from tt_jax.ops._arguments import require_dtype, require_flags, require_integer, require_options, require_rank, require_tile
from tt_jax.ops._movement import regrouped
from tt_jax.ops._support import Support
from tt_jax.ops.heads_footprint import join_footprint, split_footprint
from tt_jax.program import Operation, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

__all__ = [
    "concatenate_heads",
    "nlp_concat_heads",
    "nlp_concat_heads_decode",
    "nlp_create_qkv_heads",
    "nlp_create_qkv_heads_decode",
    "nlp_create_qkv_heads_falcon7b",
    "nlp_create_qkv_heads_vit",
    "nlp_kv_cache_load_slice",
    "split_query_key_value_and_split_heads",
]

Heads = tuple[Tensor, Tensor, Tensor]


class _Create(NamedTuple):
    name: str
    heads: int
    kv_heads: int
    transpose_key: bool
    memory_config: MemoryConfig


class _Tokens(NamedTuple):
    heads: int
    kv_heads: int
    first: int
    users: int
    configs: tuple[MemoryConfig, MemoryConfig, MemoryConfig]


def _head_size(name: str, argument: str, width: int, parts: int) -> int:
    head_size, rest = divmod(width, parts)
    if rest or head_size == 0 or head_size % TILE_SIZE:
        raise ArgumentError(
            f"{name}: `{argument}` has width {width}, which {parts} heads cut into pieces of {width / parts:g}; a head must be a "
            f"multiple of {TILE_SIZE} wide"
        )
    return head_size


def _require_sequences(name: str, argument: str, spec: TensorSpec) -> None:
    require_rank(name, argument, spec, 4, "[batch, 1, sequence, width]")
    require_tile(name, argument, spec)
    require_dtype(name, argument, spec, FLOATS)
    if spec.shape[1] != 1:
        raise ArgumentError(f"{name}: `{argument}` must have shape [batch, 1, sequence, width]; got {spec}")


def _create_specs(attributes: _Create, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    name, heads, kv_heads = attributes.name, attributes.heads, attributes.kv_heads
    x = specs[0]
    for argument, spec in zip(("input", "input_kv"), specs, strict=False):
        _require_sequences(name, argument, spec)
    batch, _, sequence, width = x.shape
    head_size = _head_size(name, "input", width, heads if len(specs) == 2 else heads + 2 * kv_heads)
    if len(specs) == 2 and specs[1].shape != (batch, 1, sequence, 2 * kv_heads * head_size):
        raise ArgumentError(
            f"{name}: `input_kv` must have shape {(batch, 1, sequence, 2 * kv_heads * head_size)}; got {specs[1].shape}"
        )
    key = (head_size, sequence) if attributes.transpose_key else (sequence, head_size)
    shapes = ((batch, heads, sequence, head_size), (batch, kv_heads, *key), (batch, kv_heads, sequence, head_size))
    return tuple(TensorSpec(shape, x.dtype, x.layout, attributes.memory_config) for shape in shapes)


def _create_kernel(attributes: _Create, specs: tuple[TensorSpec, ...], x: Array, kv: Array | None = None) -> tuple[Array, ...]:
    kv = None if kv is None else kv[:, 0]
    q, k, v = kernel.split_query_key_value(x[:, 0], kv, attributes.heads, attributes.kv_heads, attributes.transpose_key)
    return q, regrouped(k, specs[0]) if attributes.transpose_key else k, v


def _create_footprint(attributes: _Create, specs: tuple[TensorSpec, ...], device: DeviceProfile) -> Footprint | None:
    """Not known of the programs under other names."""
    is_general = attributes.name == "nlp_create_qkv_heads"
    return split_footprint(specs, attributes.transpose_key, device) if is_general else None


def _concat_specs(attributes: MemoryConfig, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    (x,) = specs
    name = "nlp_concat_heads"
    require_rank(name, "input_tensor", x, 4, "[batch, heads, sequence, head_size]")
    require_tile(name, "input_tensor", x)
    require_dtype(name, "input_tensor", x, FLOATS)
    batch, heads, sequence, head_size = x.shape
    _head_size(name, "input_tensor", heads * head_size, heads)
    return (x.replace(shape=(batch, 1, sequence, heads * head_size), memory_config=attributes),)


def _concat_kernel(attributes: MemoryConfig, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (kernel.concatenate(x)[:, None],)


def _token_specs(attributes: _Tokens, specs: tuple[TensorSpec]) -> tuple[TensorSpec, ...]:
    (x,) = specs
    name = "nlp_create_qkv_heads_decode"
    require_rank(name, "input_tensor", x, 4, "[1, 1, batch, width]")
    require_dtype(name, "input_tensor", x, (bfloat16, float32))
    if x.shape[:2] != (1, 1):
        raise ArgumentError(f"{name}: `input_tensor` must have shape [1, 1, batch, width]; got {x}")
    heads, kv_heads = attributes.heads, attributes.kv_heads
    head_size = _head_size(name, "input_tensor", x.shape[3], heads + 2 * kv_heads)
    shapes = [(1, attributes.users, count, head_size) for count in (heads, kv_heads, kv_heads)]
    pairs = zip(shapes, attributes.configs, strict=True)
    return tuple(TensorSpec(shape, x.dtype, Layout.TILE, config) for shape, config in pairs)


def _token_kernel(attributes: _Tokens, specs: tuple[TensorSpec], x: Array) -> tuple[Array, ...]:
    x = x[:, :, attributes.first : attributes.first + attributes.users]
    return kernel.split_tokens(x, attributes.heads, attributes.kv_heads)


def _concat_token_specs(attributes: tuple[int, MemoryConfig], specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    heads, config = attributes
    (x,) = specs
    name = "nlp_concat_heads_decode"
    require_rank(name, "input_tensor", x, 4, "[1, batch, heads, head_size]")
    require_tile(name, "input_tensor", x)
    require_dtype(name, "input_tensor", x, FLOATS)
    if x.shape[0] != 1 or x.shape[2] < heads:
        raise ArgumentError(f"{name}: `input_tensor` must have shape [1, batch, {heads} heads or more, head_size]; got {x}")
    return (x.replace(shape=(1, 1, x.shape[1], heads * x.shape[3]), memory_config=config),)


def _concat_token_kernel(attributes: tuple[int, MemoryConfig], specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (kernel.concatenate_tokens(x, attributes[0]),)


def _slice_specs(attributes: tuple[int, int, MemoryConfig], specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    start, end, config = attributes
    (x,) = specs
    name = "nlp_kv_cache_load_slice"
    require_rank(name, "input_tensor", x, 4, "[batch, heads, sequence, head_size]")
    require_tile(name, "input_tensor", x)
    require_dtype(name, "input_tensor", x, FLOATS)
    if start % TILE_SIZE or end % TILE_SIZE or not start < end <= x.padded_shape[2]:
        raise ArgumentError(
            f"{name}: rows {start} to {end} must begin and end at multiples of {TILE_SIZE} within the {x.padded_shape[2]} of {x}"
        )
    return (x.replace(shape=(*x.shape[:2], end - start, x.shape[3]), memory_config=config),)


def _slice_kernel(attributes: tuple[int, int, MemoryConfig], specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    return (x[:, :, attributes[0] : attributes[1]],)


_LOAD_SLICE = Operation("nlp_kv_cache_load_slice", _slice_specs, _slice_kernel, reads_part=True)
_CREATE = Operation("nlp_create_qkv_heads", _create_specs, _create_kernel, footprint=_create_footprint)
_CONCAT = Operation(
    "nlp_concat_heads", _concat_specs, _concat_kernel, footprint=lambda to, specs, device: join_footprint(specs[0], device)
)
_CREATE_TOKENS = Operation("nlp_create_qkv_heads_decode", _token_specs, _token_kernel)
_CONCAT_TOKENS = Operation("nlp_concat_heads_decode", _concat_token_specs, _concat_token_kernel)


def _create(
    name: str,
    memory: MemoryState,
    x: Tensor,
    kv: Tensor | None,
    heads: Any,
    kv_heads: Any,
    transpose_key: bool,
    memory_config: MemoryConfig | None,
) -> tuple[MemoryState, Heads]:
    x = require_tensor(name, "input", x)
    require_options(name, memory_config=memory_config)
    require_flags(name, transpose_k_heads=transpose_key)
    heads = require_integer(name, "num_heads", heads, least=1)
    kv_heads = heads if kv_heads is None else require_integer(name, "num_kv_heads", kv_heads, least=1)
    inputs = (x,) if kv is None else (x, require_tensor(name, "input_kv", kv))
    attributes = _Create(name, heads, kv_heads, transpose_key, memory_config or x.memory_config)
    memory, (q, k, v) = launch(memory, _CREATE, inputs, attributes)
    return memory, (q, k, v)


def nlp_create_qkv_heads(
    memory: MemoryState,
    input: Tensor,
    input_kv: Tensor | None = None,
    *,
    num_heads: int,
    num_kv_heads: int | None = None,
    transpose_k_heads: bool = True,
    memory_config: MemoryConfig | None = None,
    output_tensors: Any = None,
) -> tuple[MemoryState, Heads]:
    """Queries, keys and values by head, of a fused projection `[b, 1, s, (num_heads + 2 * num_kv_heads) * d]`.

    Args:
        input_kv: keys and values `[b, 1, s, 2 * num_kv_heads * d]`; then `input` holds the queries only.
        num_kv_heads: `num_heads` by default.
        transpose_k_heads: give the keys as `[b, kv, d, s]`.
        memory_config: of the outputs; that of `input` by default.

    Returns the memory and q `[b, heads, s, d]`, k, v `[b, kv, s, d]`. Raises ArgumentError if heads do not divide the width into
    multiples of 32, or shapes, dtypes or layouts do not fit; NotModelledError for `output_tensors`.
    """
    name = "nlp_create_qkv_heads"
    _require_no_outputs(name, output_tensors)
    return _create(name, memory, input, input_kv, num_heads, num_kv_heads, transpose_k_heads, memory_config)


def _require_no_outputs(name: str, output_tensors: Any) -> None:
    if output_tensors is not None:
        raise NotModelledError(f"{name}: `output_tensors` is not modelled; leave it out")


def nlp_create_qkv_heads_falcon7b(
    memory: MemoryState, input: Tensor, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Heads]:
    """`[b, 1, s, 73 * d]` as 71 query heads and one key and one value head, all `[b, heads, s, d]`."""
    return _create("nlp_create_qkv_heads_falcon7b", memory, input, None, 71, 1, False, memory_config)


def nlp_create_qkv_heads_vit(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensors: Any = None
) -> tuple[MemoryState, Heads]:
    """`[b, 1, s, 36 * d]` as 12 heads each of queries, keys and values, all `[b, 12, s, d]`."""
    _require_no_outputs("nlp_create_qkv_heads_vit", output_tensors)
    return _create("nlp_create_qkv_heads_vit", memory, input_tensor, None, 12, 12, False, memory_config)


def split_query_key_value_and_split_heads(
    memory: MemoryState,
    input_tensor: Tensor,
    compute_with_storage_grid_size: Any,
    *,
    memory_config: MemoryConfig | None = None,
    num_heads: int = 16,
    output_tensors: Any = None,
) -> tuple[MemoryState, Heads]:
    """`nlp_create_qkv_heads` with as many key as query heads and the keys transposed, on a grid of cores (without effect on values)."""
    del compute_with_storage_grid_size
    name = "split_query_key_value_and_split_heads"
    _require_no_outputs(name, output_tensors)
    return _create(name, memory, input_tensor, None, num_heads, num_heads, True, memory_config)


def nlp_concat_heads(
    memory: MemoryState, input_tensor: Tensor, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`[b, heads, s, d]` -> `[b, 1, s, heads * d]`. Raises ArgumentError unless `d` is a multiple of 32."""
    x = require_tensor("nlp_concat_heads", "input_tensor", input_tensor)
    require_options("nlp_concat_heads", memory_config=memory_config)
    memory, (y,) = launch(memory, _CONCAT, (x,), memory_config or x.memory_config)
    return memory, y


def concatenate_heads(
    memory: MemoryState,
    input_tensor: Tensor,
    compute_with_storage_grid_size: Any,
    *,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """`nlp_concat_heads` on a grid of cores (without effect on values)."""
    del compute_with_storage_grid_size
    return nlp_concat_heads(memory, input_tensor, memory_config=memory_config)


def _one_each(count: int, height: int, width: int, memory: MemoryState, start: int = 0) -> ShardSpec:
    """Shards of one user each, on cores row after row."""
    columns, rows = memory.device.grid
    if start:
        whole = CoreRangeSet([_device_range(memory)])
        first = CoreCoord(start % columns, start // columns)
        grid = num_cores_to_corerangeset_in_subcoregrids(first, count, whole, True)
    else:
        grid = num_cores_to_corerangeset(count, (columns, rows), True)
    return ShardSpec(grid, (-(-height // TILE_SIZE) * TILE_SIZE, width), ShardOrientation.ROW_MAJOR)


def _device_range(memory: MemoryState) -> CoreRange:
    columns, rows = memory.device.grid
    return CoreRange(CoreCoord(0, 0), CoreCoord(columns - 1, rows - 1))


def nlp_create_qkv_heads_decode(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    num_heads: int,
    num_kv_heads: int | None = None,
    output_tensors: Any = None,
    overlap_qk_coregrid: bool = True,
    batch_offset: int | Tensor | None = None,
    slice_size: int | None = None,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Heads]:
    """Queries `[1, b, num_heads, d]`, keys and values `[1, b, num_kv_heads, d]` of one token each: `[1, 1, b, (heads + 2 * kv) * d]`.

    Args:
        overlap_qk_coregrid: keys on the cores of the queries, else on those after them.
        batch_offset, slice_size: take only `slice_size` users from `batch_offset` on.
        memory_config: of the outputs: height sharded in L1 with a user per core, the default, which is also what a sharded one without a
            shard spec becomes.
    """
    name = "nlp_create_qkv_heads_decode"
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, memory_config=memory_config)
    require_flags(name, overlap_qk_coregrid=overlap_qk_coregrid)
    _require_no_outputs(name, output_tensors)
    heads = require_integer(name, "num_heads", num_heads, least=1)
    kv_heads = heads if num_kv_heads is None else require_integer(name, "num_kv_heads", num_kv_heads, least=1)
    require_rank(name, "input_tensor", x.spec, 4, "[1, 1, batch, width]")
    if isinstance(batch_offset, Tensor):
        raise NotModelledError(f"{name}: `batch_offset` as a tensor is not modelled; pass an integer")
    first = 0 if batch_offset is None else require_integer(name, "batch_offset", batch_offset, least=0)
    count = x.shape[2] - first if slice_size is None else require_integer(name, "slice_size", slice_size, least=1)
    if first + count > x.shape[2] or count < 1:
        raise ArgumentError(
            f"{name}: users {first} to {first + count} of {x.shape[2]}: `batch_offset` and `slice_size` reach too far"
        )
    head_size = _head_size(name, "input_tensor", x.shape[3], heads + 2 * kv_heads)
    config = memory_config or MemoryConfig(TensorMemoryLayout.HEIGHT_SHARDED, BufferType.L1)
    if config.is_sharded():
        queries = _one_each(count, heads, head_size, memory)
        keys = _one_each(count, kv_heads, head_size, memory, 0 if overlap_qk_coregrid else count)
        values = _one_each(count, kv_heads, head_size, memory)
        configs = tuple(config.with_shard_spec(spec) for spec in (queries, keys, values))
    else:
        configs = (config, config, config)
    memory, (q, k, v) = launch(memory, _CREATE_TOKENS, (x,), _Tokens(heads, kv_heads, first, count, configs))  # type: ignore[arg-type]
    return memory, (q, k, v)


def nlp_concat_heads_decode(
    memory: MemoryState, input_tensor: Tensor, *, num_heads: int, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """`[1, b, heads, d]` -> `[1, 1, b, num_heads * d]`, of one token each; heads beyond `num_heads` are padding.

    The output is width sharded in L1, a head per core, unless `memory_config` says otherwise.
    """
    name = "nlp_concat_heads_decode"
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, memory_config=memory_config)
    heads = require_integer(name, "num_heads", num_heads, least=1)
    require_rank(name, "input_tensor", x.spec, 4, "[1, batch, heads, head_size]")
    config = memory_config
    if config is None:
        spec = _one_each(heads, x.shape[1], x.shape[3], memory)
        config = MemoryConfig(TensorMemoryLayout.WIDTH_SHARDED, BufferType.L1, spec)
    memory, (y,) = launch(memory, _CONCAT_TOKENS, (x,), (heads, config))
    return memory, y


def nlp_kv_cache_load_slice(
    memory: MemoryState,
    input_tensor: Tensor,
    *,
    seq_len_start: int,
    seq_len_end: int,
    memory_config: MemoryConfig | None = None,
) -> tuple[MemoryState, Tensor]:
    """Rows `seq_len_start` to `seq_len_end`, multiples of 32, of a cache `[b, heads, t, d]`.

    The output is height sharded in L1, with a head of an entry per core, unless `memory_config` says otherwise.
    """
    name = "nlp_kv_cache_load_slice"
    x = require_tensor(name, "input_tensor", input_tensor)
    require_options(name, memory_config=memory_config)
    start = require_integer(name, "seq_len_start", seq_len_start, least=0)
    end = require_integer(name, "seq_len_end", seq_len_end, least=1)
    require_rank(name, "input_tensor", x.spec, 4, "[batch, heads, sequence, head_size]")
    config = memory_config
    if config is None or (config.is_sharded() and config.shard_spec is None):
        spec = _one_each(x.shape[0] * x.shape[1], max(end - start, 1), x.shape[3], memory)
        config = MemoryConfig(TensorMemoryLayout.HEIGHT_SHARDED, BufferType.L1, spec)
    memory, (y,) = launch(memory, _LOAD_SLICE, (x,), (start, end, config))
    return memory, y


_SUPPORT = Support(FLOATS, (Layout.TILE,))
nlp_create_qkv_heads.support = nlp_create_qkv_heads_falcon7b.support = nlp_create_qkv_heads_vit.support = _SUPPORT  # type: ignore[attr-defined]
nlp_concat_heads.support = nlp_concat_heads_decode.support = concatenate_heads.support = _SUPPORT  # type: ignore[attr-defined]
split_query_key_value_and_split_heads.support = nlp_kv_cache_load_slice.support = _SUPPORT  # type: ignore[attr-defined]
nlp_create_qkv_heads_decode.support = Support((bfloat16, float32))  # type: ignore[attr-defined]
