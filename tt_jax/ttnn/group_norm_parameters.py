"""Masks and weights of `ttnn.group_norm` as host tensors; the arrays are made in `tt_jax.group_norm_parameters`."""

from typing import Any

from tt_jax import group_norm_parameters as arrays
from tt_jax.dtypes import DataType, bfloat8_b
from tt_jax.layout import Layout
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


get_group_norm_cores_across_channel = arrays.get_group_norm_cores_across_channel
determine_expected_group_norm_dram_grid_size = arrays.determine_expected_group_norm_dram_grid_size
determine_expected_group_norm_sharded_config_and_grid_size = arrays.determine_expected_group_norm_sharded_config_and_grid_size

__all__ = [
    "create_group_norm_input_mask",
    "create_group_norm_input_negative_mask",
    "create_group_norm_weight_bias_rm",
    "determine_expected_group_norm_dram_grid_size",
    "determine_expected_group_norm_sharded_config_and_grid_size",
    "get_group_norm_cores_across_channel",
]
