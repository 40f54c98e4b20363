"""Compute kernel configs under the names of the facade."""

from typing import Any

from tt_jax.compute import ComputeKernelConfig, MathFidelity


def WormholeComputeKernelConfig(**options: Any) -> ComputeKernelConfig:  # noqa: N802 - ttnn's name
    """A compute kernel config; fields not given are those of the class. Raises ArgumentError for a wrong value."""
    return ComputeKernelConfig(**options)


GrayskullComputeKernelConfig = BlackholeComputeKernelConfig = DeviceComputeKernelConfig = WormholeComputeKernelConfig


def init_device_compute_kernel_config(
    arch: Any = None,
    device_kernel_config: ComputeKernelConfig | None = None,
    *,
    math_fidelity: MathFidelity = MathFidelity.LoFi,
    math_approx_mode: bool = True,
    fp32_dest_acc_en: bool = False,
    packer_l1_acc: bool = False,
    dst_full_sync_en: bool = False,
    throttle_level: Any = 0,
) -> ComputeKernelConfig:
    """`device_kernel_config` if it is given, else a config of the other arguments, whatever the arch."""
    if device_kernel_config is not None:
        return device_kernel_config
    level = throttle_level if isinstance(throttle_level, int) else throttle_level.value
    return ComputeKernelConfig(math_fidelity, math_approx_mode, fp32_dest_acc_en, packer_l1_acc, dst_full_sync_en, level)


__all__ = [
    "BlackholeComputeKernelConfig",
    "DeviceComputeKernelConfig",
    "GrayskullComputeKernelConfig",
    "WormholeComputeKernelConfig",
    "init_device_compute_kernel_config",
]
