"""Golden functions of attention: heads split and joined, rotary embeddings, softmax and the whole of it."""

import math
from typing import Any

from tt_jax.errors import ArgumentError
from tt_jax.ttnn.golden._bind import Row


def _heads(tensor: Any, batch: int, heads: int) -> Any:
    """`[batch, ..., sequence, heads * size]` as `[batch, heads, sequence, size]`."""
    return tensor.reshape(batch, -1, heads, tensor.shape[-1] // heads).transpose(1, 2)


def _split(
    torch: Any,
    input_tensor: Any,
    kv_input_tensor: Any = None,
    *,
    num_heads: int,
    num_kv_heads: int | None = None,
    transpose_key: bool = True,
) -> Any:
    """Queries, keys and values, which lie one after the other in the last axis, as heads `[batch, heads, sequence, size]`.

    Keys come as `[batch, heads, size, sequence]` if `transpose_key`.
    """
    fused = input_tensor if kv_input_tensor is None else torch.cat((input_tensor, kv_input_tensor), -1)
    kv_heads = num_heads if num_kv_heads is None else num_kv_heads
    size = fused.shape[-1] // (num_heads + 2 * kv_heads)
    parts = torch.split(fused, [num_heads * size, kv_heads * size, kv_heads * size], -1)
    query, key, value = (
        _heads(part, fused.shape[0], heads) for part, heads in zip(parts, (num_heads, kv_heads, kv_heads), strict=True)
    )
    return query, key.transpose(-1, -2) if transpose_key else key, value


def _nlp_split(
    torch: Any,
    input_tensor: Any,
    input_tensor_kv: Any = None,
    *,
    num_heads: int,
    num_kv_heads: int | None = None,
    transpose_k_heads: bool = True,
) -> Any:
    return _split(
        torch, input_tensor, input_tensor_kv, num_heads=num_heads, num_kv_heads=num_kv_heads, transpose_key=transpose_k_heads
    )


def _split_separate(
    torch: Any,
    input_tensor: Any,
    input_tensor_kv: Any,
    *,
    num_heads: int,
    num_kv_heads: int | None = None,
    transpose_k_heads: bool = True,
) -> Any:
    """As above, but a key head and its value head lie side by side in `input_tensor_kv`."""
    batch, kv_heads = input_tensor.shape[0], num_heads if num_kv_heads is None else num_kv_heads
    pairs = _heads(input_tensor_kv, batch, kv_heads)
    key, value = torch.chunk(pairs, 2, -1)
    return _heads(input_tensor, batch, num_heads), key.transpose(-1, -2) if transpose_k_heads else key, value


def _join(torch: Any, input_tensor: Any, *how: Any) -> Any:
    """`[batch, heads, sequence, size]` as `[batch, sequence, heads * size]`."""
    return input_tensor.transpose(1, 2).flatten(-2)


def _attention_softmax(
    torch: Any, input_tensor: Any, *, head_size: int | None = None, attention_mask: Any = None, causal_mask: bool = False
) -> Any:
    """softmax(scores / sqrt(head_size) + mask) over the last axis. A causal mask is given too: the flag is about its shape."""
    scores = input_tensor if head_size is None else input_tensor * (1 / math.sqrt(head_size))
    return torch.softmax(scores if attention_mask is None else scores + attention_mask, -1)


def _attention(
    torch: Any,
    input_tensor_q: Any,
    input_tensor_k: Any,
    input_tensor_v: Any,
    *,
    attn_mask: Any = None,
    is_causal: bool = True,
    scale: float | None = None,
) -> Any:
    """Attention over `[batch, heads, sequence, size]`; keys and values may have fewer heads. Raises ArgumentError on two masks."""
    if attn_mask is not None and is_causal:
        raise ArgumentError(
            "scaled_dot_product_attention: `attn_mask` and `is_causal` exclude each other: pass is_causal=False"
        )
    group = input_tensor_q.shape[1] // input_tensor_k.shape[1]
    k, v = (t.repeat_interleave(group, 1).to(input_tensor_q.dtype) for t in (input_tensor_k, input_tensor_v))
    mask = None if attn_mask is None else attn_mask.to(input_tensor_q.dtype)
    return torch.nn.functional.scaled_dot_product_attention(
        input_tensor_q, k, v, attn_mask=mask, is_causal=is_causal, scale=scale
    )


def _joint_attention(
    torch: Any,
    input_tensor_q: Any,
    input_tensor_k: Any,
    input_tensor_v: Any,
    joint_tensor_q: Any,
    joint_tensor_k: Any,
    joint_tensor_v: Any,
    *,
    scale: float | None = None,
) -> Any:
    """Two sequences that attend to both, without a mask: the results of the first and of the second."""
    pairs = ((input_tensor_q, joint_tensor_q), (input_tensor_k, joint_tensor_k), (input_tensor_v, joint_tensor_v))
    result = _attention(torch, *(torch.cat(pair, 2) for pair in pairs), is_causal=False, scale=scale)
    return tuple(torch.split(result, [input_tensor_q.shape[2], joint_tensor_q.shape[2]], 2))


def _attention_decode(
    torch: Any,
    input_tensor_q: Any,
    input_tensor_k: Any,
    input_tensor_v: Any,
    *,
    is_causal: bool = True,
    attn_mask: Any = None,
    cur_pos: Any = None,
    cur_pos_tensor: Any = None,
    scale: float | None = None,
) -> Any:
    """One query `[1, batch, heads, size]` per user, over the keys up to that user's position (all where it is not given)."""
    query = input_tensor_q[0].unsqueeze(2)
    batch, length = input_tensor_k.shape[0], input_tensor_k.shape[2]
    mask = attn_mask
    if is_causal:
        positions = cur_pos_tensor if cur_pos_tensor is not None else [length - 1] * batch if cur_pos is None else cur_pos
        last = torch.as_tensor(positions).to(torch.int64).reshape(-1, 1, 1, 1)
        mask = torch.zeros(batch, 1, 1, length).masked_fill(torch.arange(length) > last, -math.inf)
    elif mask is not None:
        mask = mask.transpose(1, 2) if mask.shape[2] == query.shape[1] else mask
    result = _attention(torch, query, input_tensor_k, input_tensor_v, attn_mask=mask, is_causal=False, scale=scale)
    return result.squeeze(2).unsqueeze(0)


def _rotated(torch: Any, x: Any) -> Any:
    first, second = torch.chunk(x, 2, -1)
    return torch.cat((-second, first), -1)


def _rotary(torch: Any, input_tensor: Any, cos_cache: Any, sin_cache: Any, token_index: int | None = None) -> Any:
    """x * cos + rotate_half(x) * sin at the positions of the sequence, or all at `token_index`."""
    where = slice(0, input_tensor.shape[-2]) if token_index is None else slice(token_index, token_index + 1)
    return input_tensor * cos_cache[:, :, where] + _rotated(torch, input_tensor) * sin_cache[:, :, where]


def _rotary_llama(torch: Any, input_tensor: Any, cos_cache: Any, sin_cache: Any, trans_mat: Any) -> Any:
    """x * cos + (x @ trans_mat) * sin, with the 32x32 `trans_mat` applied to every 32 values of the last axis."""
    tile = trans_mat.reshape(-1, trans_mat.shape[-1])[: trans_mat.shape[-1]]
    turned = (input_tensor.unflatten(-1, (-1, tile.shape[0])) @ tile.to(input_tensor.dtype)).flatten(-2)
    length = input_tensor.shape[-2]
    return input_tensor * cos_cache[..., :length, :] + turned * sin_cache[..., :length, :]


def _attn_matmul(torch: Any, input_tensor_a: Any, input_tensor_b: Any, *how: Any) -> Any:
    """`[q, heads, batch, k]` with `[batch, kv heads, k, n]`: `[q, heads, batch, n]`, each user by their own matrix."""
    query = input_tensor_a.transpose(0, 2)
    group = query.shape[1] // input_tensor_b.shape[1]
    return (query @ input_tensor_b.repeat_interleave(group, 1).to(query.dtype)).transpose(0, 2)


def _falcon_split(torch: Any, input_tensor: Any) -> Any:
    """Falcon 7B's 71 query heads, one key head and one value head, of size 64."""
    return _split(torch, input_tensor, num_heads=71, num_kv_heads=1, transpose_key=False)


TRANSFORMER: dict[str, Row] = {
    "transformer.split_query_key_value_and_split_heads": _split,
    "transformer.concatenate_heads": _join,
    "transformer.attention_softmax": _attention_softmax,
    "transformer.attention_softmax_": _attention_softmax,
    "transformer.scaled_dot_product_attention": _attention,
    "transformer.joint_scaled_dot_product_attention": _joint_attention,
    "transformer.scaled_dot_product_attention_decode": _attention_decode,
    "experimental.split_query_key_value_and_split_heads": lambda torch, input_tensor, *how, num_heads=16: _split(
        torch, input_tensor, num_heads=num_heads
    ),
    "experimental.concatenate_heads": _join,
    "experimental.nlp_concat_heads": lambda torch, input_tensor: _join(torch, input_tensor).unsqueeze(1),
    "experimental.nlp_create_qkv_heads": _nlp_split,
    "experimental.nlp_create_qkv_heads_falcon7b": _falcon_split,
    "experimental.create_qkv_heads_from_separate_tensors": _split_separate,
    "experimental.rotary_embedding": _rotary,
    "experimental.rotary_embedding_llama": _rotary_llama,
    "experimental.attn_matmul": _attn_matmul,
    "experimental.group_attn_matmul": _attn_matmul,
}
