"""The geometry of a convolution, and its weights and bias as the device multiplies them.

Prepared weights are the matrix that the device multiplies, `[1, 1, kh * kw * in_channels / groups, out_channels]` in TILE
layout, in the dtype of `Conv2dConfig.weights_dtype`; a prepared bias is `[1, 1, 1, out_channels]`. Every convolution takes
either form. Not modelled: the rows that the device adds per kernel row and core, and the zeros between groups.
"""

import functools
from typing import Any, NamedTuple

import jax
from jax import Array

from tt_jax.conv_configs import Conv2dConfig, PaddingMode
from tt_jax.dtypes import DataType, bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import conv as kernel
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_integer, require_options
from tt_jax.ops._window import require_padding, require_pair
from tt_jax.ops.creation import everywhere
from tt_jax.program import abstract, place
from tt_jax.tensor import Tensor, TensorSpec

ALLOWED = (bfloat16, float32, bfloat8_b)


class Geometry(NamedTuple):
    """The convolution, whatever it is given. `raw`: shapes that weights may have before they are prepared; the first has both axes."""

    name: str
    in_channels: int
    out_channels: int
    batch: int
    height: int
    width: int
    window: kernel.Window
    raw: tuple[tuple[int, ...], ...]
    transposed: bool = False
    mirror: bool = False

    @property
    def rows(self) -> int:
        """Rows of the prepared weights."""
        return self.window.kernel[0] * self.window.kernel[1] * self.in_channels // self.window.groups


def geometry_of(
    name: str,
    in_channels: Any,
    out_channels: Any,
    batch_size: Any,
    height: Any,
    width: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    output_padding: Any = None,
    mirror: bool = False,
) -> Geometry:
    """The geometry of checked arguments; transposed if an output padding is given. Raises ArgumentError.

    No groups (0, as ttnn's own tutorials say for a plain convolution) are one.
    """
    inputs = require_integer(name, "in_channels", in_channels, least=1)
    outputs = require_integer(name, "out_channels", out_channels, least=1)
    batch = require_integer(name, "batch_size", batch_size, least=1)
    height = require_integer(name, "input_height", height, least=1)
    width = require_integer(name, "input_width", width, least=1)
    groups = require_integer(name, "groups", groups, least=0) or 1
    taps = require_pair(name, "kernel_size", kernel_size, least=1)
    strides = require_pair(name, "stride", stride)
    if min(strides) < 1:
        raise ArgumentError(f"{name}: stride must be greater than 0 in both directions, got {strides}")
    dilations = require_pair(name, "dilation", dilation, least=1)
    pads = require_padding(name, padding)
    if inputs % groups or outputs % groups:
        raise ArgumentError(f"{name}: `groups` {groups} must divide in_channels {inputs} and out_channels {outputs}")
    transposed = output_padding is not None
    if transposed:
        extra = require_pair(name, "output_padding", output_padding)
        require_flags(name, mirror_kernel=mirror)
        if any(extra[i] >= max(strides[i], dilations[i]) for i in range(2)):
            raise ArgumentError(
                f"{name}: `output_padding` {extra} must be less than the stride {strides} or the dilation {dilations}"
            )
        window = kernel.transposed_window(taps, strides, pads, extra, dilations, groups)
        raw: tuple[tuple[int, ...], ...] = ((inputs, outputs // groups, *taps),)
    else:
        window = kernel.Window(taps, strides, pads, dilations, groups=groups)
        raw = ((outputs, inputs // groups, *taps),)
    if min(window.output_size(height, width)) < 1:
        raise ArgumentError(
            f"{name}: a kernel of {taps} with dilation {dilations} and padding {pads} does not fit in an image of {height}x{width}"
        )
    return Geometry(name, inputs, outputs, batch, height, width, window, raw, transposed, mirror)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _weight_values(weights: Array, geometry: Geometry, dtype: DataType) -> Array:
    raw = weights.reshape(geometry.raw[0])
    groups = geometry.window.groups
    matrix = kernel.transposed_weight_matrix(raw, groups, geometry.mirror) if geometry.transposed else kernel.weight_matrix(raw)
    return kernel.store_weights(matrix, dtype.kernel_name, groups)[None, None]  # type: ignore[arg-type]


@functools.partial(jax.jit, static_argnums=(1, 2))
def _bias_values(bias: Array, geometry: Geometry, dtype: DataType) -> Array:
    return kernel.store_weights(bias.reshape(1, 1, 1, -1), dtype.kernel_name)  # type: ignore[arg-type]


def _prepared(
    memory: MemoryState, source: Tensor, values: Any, geometry: Geometry, spec: TensorSpec
) -> tuple[MemoryState, Tensor]:
    """A tensor of `values(source, ...)`: made on the host or by programs that are not counted."""
    memory, buffer = place(memory, spec, geometry.name)
    if isinstance(source.array, jax.ShapeDtypeStruct):
        array: Any = abstract(memory.device, spec)
    elif memory.mesh is None or source.array.ndim == len(source.shape):  # from the host: the same for all chips
        array = everywhere(memory, values(source.array, geometry, spec.dtype))
    else:
        array = memory.mesh.spread(lambda x: (values(x, geometry, spec.dtype),), [True])(source.array)[0]
    return memory, Tensor(array, spec, buffer)


def weights_dtype(geometry: Geometry, weights: Tensor, config: Conv2dConfig) -> DataType:
    """What the weights, and with them the bias, are stored in."""
    require_options(geometry.name, dtype=config.weights_dtype)
    dtype = config.weights_dtype or weights.dtype
    if dtype not in ALLOWED:
        names = ", ".join(allowed.kernel_name for allowed in ALLOWED)
        raise ArgumentError(f"{geometry.name}: weights may be stored as {names}, not {dtype.kernel_name}")
    return dtype


def _is_prepared(spec: TensorSpec, shape: tuple[int, ...]) -> bool:
    return spec.layout is Layout.TILE and spec.shape == shape


def prepare_weights(
    memory: MemoryState, weights: Tensor, geometry: Geometry, config: Conv2dConfig
) -> tuple[MemoryState, Tensor]:
    """The weights as a matrix on the device: themselves if they are one."""
    shape = (1, 1, geometry.rows, geometry.out_channels)
    require_dtype(geometry.name, "weight_tensor", weights.spec, ALLOWED)
    if _is_prepared(weights.spec, shape):
        return memory, weights
    if weights.shape not in geometry.raw:
        expected = " or ".join(str(list(raw)) for raw in geometry.raw)
        raise ArgumentError(
            f"{geometry.name}: `weight_tensor` must have shape {expected}, or be prepared ({list(shape)} in TILE layout); "
            f"got {weights.spec}"
        )
    spec = TensorSpec(shape, weights_dtype(geometry, weights, config), Layout.TILE)
    return _prepared(memory, weights, _weight_values, geometry, spec)


def prepare_bias(memory: MemoryState, bias: Tensor, geometry: Geometry, dtype: DataType) -> tuple[MemoryState, Tensor]:
    """The bias as a row on the device, in `dtype`: itself if it is one."""
    shape = (1, 1, 1, geometry.out_channels)
    require_dtype(geometry.name, "bias_tensor", bias.spec, ALLOWED)
    if bias.shape not in (shape, shape[-1:]):
        raise ArgumentError(f"{geometry.name}: `bias_tensor` must have shape {list(shape)}, got {bias.spec}")
    if _is_prepared(bias.spec, shape):
        return memory, bias
    return _prepared(memory, bias, _bias_values, geometry, TensorSpec(shape, dtype, Layout.TILE))


def require_config(name: str, config: Conv2dConfig | None) -> Conv2dConfig:
    if config is None:
        return Conv2dConfig()
    if not isinstance(config, Conv2dConfig):
        raise ArgumentError(f"{name}: `conv_config` must be a Conv2dConfig, got {config!r}")
    require_options(name, layout=config.output_layout)
    require_flags(name, deallocate_activation=config.deallocate_activation)
    require_integer(name, "act_block_w_div", config.act_block_w_div, least=1)
    if require_integer(name, "act_block_h_override", config.act_block_h_override, least=0) % TILE_SIZE:
        raise ArgumentError(
            f"{name}: act_block_h_override ({config.act_block_h_override}) must be a multiple of {TILE_SIZE}, the height of a tile"
        )
    if not isinstance(config.padding_mode, PaddingMode):
        raise ArgumentError(f"{name}: `padding_mode` must be a PaddingMode, got {config.padding_mode!r}")
    return config
