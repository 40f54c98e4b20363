"""Program configs of norms and softmax: how a program is laid out over cores (ttnn's classes, fields and defaults).

Values do not depend on a config, but for `use_welford`; where the result lies does, by `inplace`. Like ttnn's, they can be changed
after they are made; an operation reads them once, when it is called.
"""

import dataclasses
from typing import Any

from tt_jax.errors import ArgumentError
from tt_jax.program_configs import grid_of

__all__ = [
    "LayerNormDefaultProgramConfig",
    "LayerNormProgramConfig",
    "LayerNormShardedMultiCoreProgramConfig",
    "SoftmaxDefaultProgramConfig",
    "SoftmaxProgramConfig",
    "SoftmaxShardedMultiCoreProgramConfig",
]


class _Config:
    """What the config classes share: fields are of the types that they are declared with."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name == "compute_with_storage_grid_size":
                grid_of(value)
            elif field.type is int and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ArgumentError(
                    f"{type(self).__name__}: `{field.name}` must be a whole number of at least 1, got {value!r}"
                )
            elif field.type is bool and not isinstance(value, bool):
                raise ArgumentError(f"{type(self).__name__}: `{field.name}` must be True or False, got {value!r}")


class LayerNormProgramConfig(_Config):
    """Base of the configs of layer and RMS norm."""


@dataclasses.dataclass(kw_only=True)
class LayerNormDefaultProgramConfig(LayerNormProgramConfig):
    """Of interleaved tensors. `use_welford`: mean and variance in one pass; the other two choose variants of kernels."""

    legacy_reduction: bool = False
    legacy_rsqrt: bool = False
    use_welford: bool = False


@dataclasses.dataclass(kw_only=True)
class LayerNormShardedMultiCoreProgramConfig(LayerNormProgramConfig):
    """Of sharded tensors; block sizes in tiles. `inplace`: the result takes the buffer of the input."""

    compute_with_storage_grid_size: Any
    subblock_w: int
    block_h: int
    block_w: int
    inplace: bool
    legacy_reduction: bool = False
    legacy_rsqrt: bool = False
    use_welford: bool = False


class SoftmaxProgramConfig(_Config):
    """Base of the configs of softmax."""


@dataclasses.dataclass
class SoftmaxDefaultProgramConfig(SoftmaxProgramConfig):
    """Of interleaved tensors: nothing to choose."""


@dataclasses.dataclass(kw_only=True)
class SoftmaxShardedMultiCoreProgramConfig(SoftmaxProgramConfig):
    """Of sharded tensors; block sizes in tiles."""

    compute_with_storage_grid_size: Any
    subblock_w: int
    block_h: int
    block_w: int
