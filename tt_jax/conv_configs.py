"""What a convolution or a pooling is told besides its shapes: ttnn's config objects, with ttnn's names and defaults."""

import dataclasses
from typing import Any

from tt_jax.choice import Choice
from tt_jax.dtypes import DataType
from tt_jax.layout import Layout
from tt_jax.memory import TensorMemoryLayout

__all__ = [
    "Conv1dConfig",
    "Conv2dConfig",
    "Conv2dDRAMSliceHeight",
    "Conv2dDRAMSliceWidth",
    "Conv2dL1Full",
    "Conv2dL1FullSliceConfig",
    "Conv2dSliceConfig",
    "Op2DDRAMSliceHeight",
    "Op2DDRAMSliceWidth",
    "Op2DL1Full",
    "Op2DL1FullSliceConfig",
    "Op2DSliceConfig",
    "PaddingMode",
    "SliceType",
    "get_conv_output_dim",
]


class PaddingMode(Choice):
    """What lies outside of the image: zeros, or the nearest edge pixel."""

    Zeros = 0
    Replicate = 1


@dataclasses.dataclass(kw_only=True, slots=True)
class Conv2dConfig:
    """Choices of a convolution (ttnn's `Conv2dConfig`, and `Conv1dConfig`). Mutable; an unknown name raises TypeError.

    These change the result or where it is; each is checked when the convolution runs:

        weights_dtype: dtype of prepared weights and bias; by default that of the weights given.
        activation: applied before the output is packed: a name such as "relu", or a UnaryWithParam.
        deallocate_activation: free the input afterwards, if it is in L1 (in DRAM ttnn ignores it too).
        output_layout: of the result.
        padding_mode: what lies outside of the image.
        shard_layout, core_grid, override_sharding_config, override_output_sharding_config, transpose_shards,
        reshard_if_not_optimal, act_block_h_override: how an output in L1 is sharded, see `ops._window_sharding`.

    The others say how the device blocks and buffers its work. They change neither values nor what is allocated here, since
    halos and circular buffers are not modelled; they are kept as they are given.
    """

    weights_dtype: DataType | None = None
    activation: Any = None
    deallocate_activation: bool = False
    reallocate_halo_output: bool = True
    config_tensors_in_dram: bool = False
    act_block_h_override: int = 0
    act_block_w_div: int = 1
    reshard_if_not_optimal: bool = False
    override_sharding_config: bool = False
    shard_layout: TensorMemoryLayout | None = None
    core_grid: Any = None
    transpose_shards: bool = False
    output_layout: Layout = Layout.TILE
    enable_act_double_buffer: bool = False
    enable_weights_double_buffer: bool = False
    full_inner_dim: bool = False
    enable_kernel_stride_folding: bool | None = None
    enable_activation_reuse: bool = False
    force_split_reader: bool | None = None
    override_output_sharding_config: bool = False
    padding_mode: PaddingMode = PaddingMode.Zeros


Conv1dConfig = Conv2dConfig


class SliceType(Choice):
    """How a convolution or pooling cuts its output to fit in L1; ttnn's `Op2DSliceConfig.SliceTypeEnum`."""

    L1Full = 0
    DRAMSliceHeight = 1
    DRAMSliceWidth = 2


@dataclasses.dataclass(frozen=True)
class Op2DSliceConfig:
    """Slicing of a convolution or pooling: in DRAM along height or width (`num_slices`, 0 to leave it to the device), or none: L1Full.

    Values do not depend on it; where a convolution's output goes does.
    """

    SliceTypeEnum = SliceType

    slice_type: SliceType = SliceType.L1Full
    num_slices: int = 0


Conv2dSliceConfig = Op2DSliceConfig

Conv2dDRAMSliceHeight = Op2DDRAMSliceHeight = SliceType.DRAMSliceHeight
Conv2dDRAMSliceWidth = Op2DDRAMSliceWidth = SliceType.DRAMSliceWidth
Conv2dL1Full = Op2DL1Full = SliceType.L1Full
Conv2dL1FullSliceConfig = Op2DL1FullSliceConfig = Op2DSliceConfig(slice_type=SliceType.L1Full)


def get_conv_output_dim(input: int, window: int, stride: int = 1, pad: int = 0, dilation: int = 1) -> int:
    """Height or width of a convolution's output; `pad` is added on both sides."""
    return (input + 2 * pad - dilation * (window - 1) - 1) // stride + 1
