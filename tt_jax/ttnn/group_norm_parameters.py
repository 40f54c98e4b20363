"""Masks, weights and reciprocals that `ttnn.group_norm` and `ttnn.layer_norm` take; the arrays are made in `tt_jax`."""

from typing import Any

import numpy as np

from tt_jax import group_norm_parameters as arrays
from tt_jax.compute import CoreGrid
from tt_jax.cores import CoreRangeSet
from tt_jax.dtypes import DataType, bfloat8_b, float32
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import BufferType, MemoryConfig, ShardOrientation, ShardSpec, TensorMemoryLayout
from tt_jax.ttnn.conversion import from_numpy, to_numpy, torch_tensor
from tt_jax.ttnn.tensor import Tensor


def create_group_norm_input_mask(
    num_channel: int, num_groups: int, num_cores_across_channel: int = 1, data_type: DataType = bfloat8_b
) -> Tensor:
    """Which columns of each tile belong to which group, as a host tensor in TILE layout."""
    mask = arrays.create_group_norm_input_mask(num_channel, num_groups, num_cores_across_channel)
    return from_numpy(mask, data_type, layout=Layout.TILE)


def create_group_norm_input_negative_mask(
    num_channel: int, num_groups: int, num_cores_across_channel: int = 1, data_type: DataType = bfloat8_b
) -> Tensor:
    """The mask's complement."""
    mask = arrays.create_group_norm_input_negative_mask(num_channel, num_groups, num_cores_across_channel)
    return from_numpy(mask, data_type, layout=Layout.TILE)


def create_group_norm_weight_bias_rm(input_tensor: Any, num_channels: int, num_cores_x: int) -> Any:
    """A weight or bias per channel, laid out as `group_norm` reads it: a torch tensor for a torch tensor, else NumPy."""
    is_torch = type(input_tensor).__module__.partition(".")[0] == "torch"
    values = input_tensor
    if isinstance(input_tensor, Tensor):
        values = to_numpy(input_tensor)
    elif is_torch:
        values = input_tensor.detach().float().numpy()
    result = arrays.create_group_norm_weight_bias_rm(values, num_channels, num_cores_x)
    return torch_tensor(result).to(input_tensor.dtype) if is_torch else result


def create_group_norm_reciprocals(N: int, C: int, H: int, W: int, num_groups: int, core_grid: CoreGrid) -> Any:
    """1, 1/2, 1/3 and so on, once for each core: a torch tensor of float32 `[cores, n]`."""
    return torch_tensor(arrays.create_group_norm_reciprocals(N, C, H, W, num_groups, core_grid))


def create_layer_norm_reciprocals(device: Any, core_range_set: CoreRangeSet, width: int) -> Tensor:
    """1, 1/2, 1/3 and so on to 1/`width`, once for each core, in its L1: float32 `[cores, width]`, what `use_welford` reads."""
    if not isinstance(core_range_set, CoreRangeSet):
        raise ArgumentError(f"create_layer_norm_reciprocals: `core_range_set` must be a CoreRangeSet, got {core_range_set!r}")
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise ArgumentError(f"create_layer_norm_reciprocals: `width` must be a whole number of at least 1, got {width!r}")
    values = np.tile(1 / np.arange(1, width + 1, dtype=np.float32), (core_range_set.num_cores(), 1))
    shards = ShardSpec(core_range_set, (1, width), ShardOrientation.ROW_MAJOR)
    placement = MemoryConfig(TensorMemoryLayout.HEIGHT_SHARDED, BufferType.L1, shards)
    return from_numpy(values, float32, layout=Layout.ROW_MAJOR, device=device, memory_config=placement)


get_group_norm_cores_across_channel = arrays.get_group_norm_cores_across_channel
determine_expected_group_norm_dram_grid_size = arrays.determine_expected_group_norm_dram_grid_size
determine_expected_group_norm_sharded_config_and_grid_size = arrays.determine_expected_group_norm_sharded_config_and_grid_size

__all__ = [
    "create_group_norm_input_mask",
    "create_group_norm_input_negative_mask",
    "create_group_norm_reciprocals",
    "create_group_norm_weight_bias_rm",
    "create_layer_norm_reciprocals",
    "determine_expected_group_norm_dram_grid_size",
    "determine_expected_group_norm_sharded_config_and_grid_size",
    "get_group_norm_cores_across_channel",
]
