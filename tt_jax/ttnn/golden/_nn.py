"""Golden functions of layers: products, normalization, embedding, convolution, pooling."""

import math
from collections.abc import Sequence
from typing import Any

from tt_jax.errors import ArgumentError
from tt_jax.ttnn.golden._bind import Row
from tt_jax.ttnn.golden._shape import _cast
from tt_jax.ttnn.golden._unary import activated


def _transposed(tensor: Any, transpose: bool) -> Any:
    return tensor.transpose(-1, -2) if transpose else tensor


def _matmul(
    torch: Any,
    input_tensor_a: Any,
    input_tensor_b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    *,
    activation: Any = None,
    program_config: Any = None,
) -> Any:
    """The product, after the fused activation; no higher of rank than `input_tensor_a` by leading ones."""
    return _linear(
        torch,
        input_tensor_a,
        input_tensor_b,
        transpose_a,
        transpose_b,
        activation=activation,
        program_config=program_config,
    )


def _linear(
    torch: Any,
    input_tensor_a: Any,
    input_tensor_b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    *,
    bias: Any = None,
    activation: Any = None,
    program_config: Any = None,
) -> Any:
    """The product plus the bias, after the fused activation; no higher of rank than `input_tensor_a` by leading ones."""
    result = _transposed(input_tensor_a, transpose_a) @ _transposed(input_tensor_b, transpose_b).to(input_tensor_a.dtype)
    if bias is not None:
        result = result + (bias.reshape(-1) if bias.numel() == bias.shape[-1] else bias)
    fused = getattr(program_config, "fused_activation", None)
    result = activated(torch, result, activation if fused is None else fused)
    while result.ndim > input_tensor_a.ndim and result.shape[0] == 1:
        result = result.squeeze(0)
    return result


def _addmm(torch: Any, input_tensor: Any, mat1_tensor: Any, mat2_tensor: Any, alpha: float = 1.0, beta: float = 1.0) -> Any:
    product = alpha * (mat1_tensor @ mat2_tensor)
    return product if beta == 0 else beta * input_tensor + product


def _softmax(torch: Any, input_tensor: Any, dim: int | None = None) -> Any:
    return torch.softmax(input_tensor, -1 if dim is None else dim)


def _scale_mask_softmax(torch: Any, input_tensor: Any, scale: float | None = None, mask: Any = None) -> Any:
    """softmax(scale * x + mask) over the last axis, in float32."""
    scores = input_tensor.float() * (1.0 if scale is None else scale)
    return torch.softmax(scores if mask is None else scores + mask, -1)


def _flat(parameter: Any, dtype: Any) -> Any:
    return None if parameter is None else parameter.reshape(-1).to(dtype)


def _layer_norm(
    torch: Any,
    input_tensor: Any,
    *,
    epsilon: float = 1e-12,
    weight: Any = None,
    bias: Any = None,
    residual_input_tensor: Any = None,
) -> Any:
    x = input_tensor if residual_input_tensor is None else input_tensor + residual_input_tensor
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), _flat(weight, x.dtype), _flat(bias, x.dtype), epsilon)


def _rms_norm(
    torch: Any,
    input_tensor: Any,
    weight: Any = None,
    *,
    epsilon: float = 1e-12,
    bias: Any = None,
    residual_input_tensor: Any = None,
) -> Any:
    x = input_tensor if residual_input_tensor is None else input_tensor + residual_input_tensor
    result = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + epsilon)
    if weight is not None:
        result = result * weight.reshape(-1).float()
    if bias is not None:
        result = result + bias.reshape(-1).float()
    return result.to(input_tensor.dtype)


def _per_channel(parameter: Any, channels: int, memory_config: Any, core_grid: Any) -> Any:
    """A group norm's weight `[channels]`, from that or from the form with each core's part padded to whole tiles."""
    if parameter is None:
        return None
    if parameter.numel() == channels:
        return parameter.reshape(-1).float()
    name = getattr(getattr(memory_config, "memory_layout", None), "name", "INTERLEAVED")
    if core_grid is None:
        raise ArgumentError("group_norm's golden function needs `core_grid` to read a weight padded per core")
    cores = {"BLOCK_SHARDED": core_grid.y, "HEIGHT_SHARDED": 1}.get(name, core_grid.x * core_grid.y)
    return parameter.reshape(cores, -1)[:, : channels // cores].reshape(-1).float()


def _group_norm(
    torch: Any,
    input_tensor: Any,
    *,
    num_groups: int,
    epsilon: float = 1e-12,
    weight: Any = None,
    bias: Any = None,
    memory_config: Any = None,
    core_grid: Any = None,
) -> Any:
    """Over channels-last `[n, 1, h * w, c]`."""
    channels = input_tensor.shape[-1]
    w, b = (_per_channel(p, channels, memory_config, core_grid) for p in (weight, bias))
    result = torch.nn.functional.group_norm(input_tensor.movedim(-1, 1).float(), num_groups, w, b, epsilon)
    return result.movedim(1, -1).to(input_tensor.dtype)


def _batch_norm(
    torch: Any,
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    training: bool = False,
    eps: float = 1e-5,
    momentum: float = 0.1,
    *,
    weight: Any = None,
    bias: Any = None,
) -> Any:
    """Over `[n, c, h, w]`; when `training`, running statistics are updated where they are."""
    parameters = (p if p is None else p.reshape(-1) for p in (running_mean, running_var, weight, bias))
    return torch.nn.functional.batch_norm(input, *parameters, training=training, momentum=momentum, eps=eps)


def _embedding(torch: Any, input_tensor: Any, weight: Any, *, dtype: Any = None) -> Any:
    rows = torch.nn.functional.embedding(input_tensor.to(torch.int64), weight.reshape(-1, weight.shape[-1]))
    return rows if dtype is None else _cast(torch, rows, dtype)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))


def _sides(padding: Any) -> tuple[int, int, int, int]:
    """(left, right, top, bottom), as torch's pad takes them, from p, (h, w), ((t, b), (l, r)) or (top, bottom, left, right)."""
    if not isinstance(padding, int) and len(padding) == 2 and not isinstance(padding[0], int):
        padding = (*padding[0], *padding[1])
    if not isinstance(padding, int) and len(padding) == 4:
        top, bottom, left, right = padding
        return left, right, top, bottom
    h, w = _pair(padding)
    return w, w, h, h


def _channels_last(image: Any) -> Any:
    """`[n, c, h, w]` as the device has it: `[1, 1, n * h * w, c]`."""
    return image.movedim(1, -1).reshape(1, 1, -1, image.shape[1])


def _image(tensor: Any, n: int, h: int, w: int, channels: int) -> Any:
    return tensor.reshape(n, h, w, -1)[..., :channels].movedim(-1, 1)


def _convolved(
    torch: Any, image: Any, output: Any, weight: Any, bias: Any, config: Any, with_dim: bool, with_weights: bool
) -> Any:
    result = _channels_last(activated(torch, output, getattr(config, "activation", None)))
    extras: list[Any] = [tuple(output.shape[2:])] if with_dim else []
    extras += [(weight, bias)] if with_weights else []
    return (result, *extras) if extras else result


def _conv2d(
    torch: Any,
    input_tensor: Any,
    weight_tensor: Any,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_height: int,
    input_width: int,
    kernel_size: Any,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
    bias_tensor: Any = None,
    conv_config: Any = None,
    return_output_dim: bool = False,
    return_weights_and_bias: bool = False,
) -> Any:
    """On channels-last pixels in any shape, `[1, 1, n * h * w, c_out]`; then, if asked, (h, w) and (weight, bias)."""
    image = _image(input_tensor, batch_size, input_height, input_width, in_channels)
    bias = None if bias_tensor is None else bias_tensor.reshape(-1)[:out_channels].to(image.dtype)
    output = torch.nn.functional.conv2d(
        torch.nn.functional.pad(image, _sides(padding)),
        weight_tensor.to(image.dtype),
        bias,
        _pair(stride),
        0,
        _pair(dilation),
        groups,
    )
    return _convolved(torch, image, output, weight_tensor, bias_tensor, conv_config, return_output_dim, return_weights_and_bias)


def _conv_transpose2d(
    torch: Any,
    input_tensor: Any,
    weight_tensor: Any,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_height: int,
    input_width: int,
    kernel_size: Any,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    output_padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
    bias_tensor: Any = None,
    conv_config: Any = None,
    return_output_dim: bool = False,
    return_weights_and_bias: bool = False,
) -> Any:
    """The transpose of `conv2d`'s map; the weight is `[c_in, c_out / groups, h, w]`."""
    image = _image(input_tensor, batch_size, input_height, input_width, in_channels)
    bias = None if bias_tensor is None else bias_tensor.reshape(-1)[:out_channels].to(image.dtype)
    weight = weight_tensor.to(image.dtype)
    args = (_pair(stride), _pair(padding), _pair(output_padding), groups, _pair(dilation))
    output = torch.nn.functional.conv_transpose2d(image, weight, bias, *args)
    return _convolved(torch, image, output, weight_tensor, bias_tensor, conv_config, return_output_dim, return_weights_and_bias)


def _conv1d(
    torch: Any,
    input_tensor: Any,
    weight_tensor: Any,
    in_channels: int,
    out_channels: int,
    batch_size: int,
    input_length: int,
    kernel_size: int,
    stride: int = 1,
    padding: Any = 0,
    dilation: int = 1,
    groups: int = 1,
    bias_tensor: Any = None,
    conv_config: Any = None,
    return_output_dim: bool = False,
    return_weights_and_bias: bool = False,
) -> Any:
    """On `[n, length, c]`; the result is `[1, 1, n * length, c_out]`, then, if asked, its length and (weight, bias)."""
    image = _image(input_tensor, batch_size, 1, input_length, in_channels)[:, :, 0]
    before, after = (padding, padding) if isinstance(padding, int) else padding
    bias = None if bias_tensor is None else bias_tensor.reshape(-1)[:out_channels].to(image.dtype)
    weight = weight_tensor.reshape(*weight_tensor.shape[:2], -1).to(image.dtype)
    padded = torch.nn.functional.pad(image, (before, after))
    output = torch.nn.functional.conv1d(padded, weight, bias, stride, 0, dilation, groups)
    extras: list[Any] = [output.shape[-1]] if return_output_dim else []
    extras += [(weight_tensor, bias_tensor)] if return_weights_and_bias else []
    result = _channels_last(activated(torch, output, getattr(conv_config, "activation", None)))
    return (result, *extras) if extras else result


def _max_pool2d(
    torch: Any,
    input_tensor: Any,
    batch_size: int,
    input_h: int,
    input_w: int,
    channels: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any = (1, 1),
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of each window, and with `return_indices` its place in the image, `row * w + column`."""
    image = _image(input_tensor, batch_size, input_h, input_w, channels)
    left, right, top, bottom = _sides(padding)
    options = {"dilation": _pair(dilation), "ceil_mode": ceil_mode, "return_indices": return_indices}
    if left == right and top == bottom:
        result = torch.nn.functional.max_pool2d(image, _pair(kernel_size), _pair(stride), (top, left), **options)
    else:
        if return_indices:
            raise ArgumentError("max_pool2d's golden function has indices only where opposite sides are padded alike")
        padded = torch.nn.functional.pad(image, (left, right, top, bottom), value=-math.inf)
        result = torch.nn.functional.max_pool2d(padded, _pair(kernel_size), _pair(stride), 0, **options)
    return tuple(map(_channels_last, result)) if return_indices else _channels_last(result)


def _avg_pool2d(
    torch: Any,
    input_tensor: Any,
    batch_size: int,
    input_h: int,
    input_w: int,
    channels: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    image = _image(input_tensor, batch_size, input_h, input_w, channels)
    left, right, top, bottom = _sides(padding)
    if (left, top) != (right, bottom):
        if not count_include_pad or ceil_mode:
            raise ArgumentError(
                "avg_pool2d's golden function has uneven padding only with count_include_pad and without ceil_mode"
            )
        image = torch.nn.functional.pad(image, (left, right, top, bottom))
        top = left = 0
    options = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad, "divisor_override": divisor_override}
    return _channels_last(torch.nn.functional.avg_pool2d(image, _pair(kernel_size), _pair(stride), (top, left), **options))


def _global_avg_pool2d(torch: Any, input_tensor: Any) -> Any:
    """The mean over the pixels of `[n, h, w, c]`."""
    return torch.mean(input_tensor, (1, 2), keepdim=True)


def _adaptive_pool2d(kind: str) -> Row:
    """Windows that cut each image evenly into `output_size`."""

    def row(torch: Any, input_tensor: Any, batch_size: int, input_h: int, input_w: int, channels: int, output_size: Any) -> Any:
        image = _image(input_tensor, batch_size, input_h, input_w, channels)
        return _channels_last(getattr(torch.nn.functional, f"adaptive_{kind}_pool2d")(image, _pair(output_size)))

    return row


def _fill_cache(torch: Any, cache: Any, input: Any, batch_idx: int) -> Any:
    """`cache` `[b, heads, t, d]` with `input` `[1, heads, s, d]` in the first s rows of entry `batch_idx`."""
    result = cache.clone()
    result[batch_idx, :, : input.shape[-2]] = input[0]
    return result


def _update_cache(torch: Any, cache: Any, input: Any, update_idx: int, batch_offset: int = 0) -> Any:
    """`cache` `[b, heads, t, d]` with each user's token of `input` `[1, heads, users, d]` in row `update_idx`."""
    result = cache.clone()
    users = input[0].transpose(0, 1)
    result[:, :, update_idx] = users[batch_offset : batch_offset + cache.shape[0]]
    return result


NN: dict[str, Row] = {
    "matmul": _matmul,
    "linear": _linear,
    "addmm": _addmm,
    "experimental.minimal_matmul": lambda torch, input_tensor, weight_tensor, bias_tensor=None, fused_activation=None: _linear(
        torch, input_tensor, weight_tensor, bias=bias_tensor, activation=fused_activation
    ),
    "softmax": _softmax,
    "softmax_in_place": _softmax,
    "scale_mask_softmax": _scale_mask_softmax,
    "scale_mask_softmax_in_place": _scale_mask_softmax,
    "scale_causal_mask_hw_dims_softmax_in_place": _scale_mask_softmax,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": _batch_norm,
    "embedding": _embedding,
    "conv1d": _conv1d,
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "global_avg_pool2d": _global_avg_pool2d,
    "adaptive_avg_pool2d": _adaptive_pool2d("avg"),
    "adaptive_max_pool2d": _adaptive_pool2d("max"),
    "fill_cache": _fill_cache,
    "fill_cache_for_user_": _fill_cache,
    "update_cache": _update_cache,
    "update_cache_for_token_": _update_cache,
}
