"""How an operation computes: math fidelity, accumulation, approximation, and the grid of cores it runs on."""

import dataclasses

from tt_jax.choice import Choice
from tt_jax.errors import ArgumentError


class MathFidelity(Choice):
    """Phases of the matrix engine's multipliers; the values are ttnn's own. See `tt_jax.kernels.fidelity`."""

    LoFi = 0
    HiFi2 = 2
    HiFi3 = 3
    HiFi4 = 4

    @property
    def phases(self) -> int:
        """Passes of the multipliers per product: 1 to 4."""
        return max(1, self.value)


@dataclasses.dataclass(frozen=True)
class ComputeKernelConfig:
    """An operation's choices of arithmetic (ttnn's `WormholeComputeKernelConfig`; the defaults are its own but for fidelity).

    Attributes:
        math_fidelity: phases per product.
        math_approx_mode: the vector unit's fast approximations.
        fp32_dest_acc_en: a 32-bit destination register, else 16-bit.
        packer_l1_acc: partial sums of K blocks are added in L1 by the packer.
        dst_full_sync_en: math and packer take turns on the whole destination register: a matter of speed, without effect here.
        throttle_level: idle cycles between products: a matter of power, without effect here.
    """

    math_fidelity: MathFidelity = MathFidelity.LoFi
    math_approx_mode: bool = True
    fp32_dest_acc_en: bool = False
    packer_l1_acc: bool = False
    dst_full_sync_en: bool = False
    throttle_level: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.math_fidelity, MathFidelity):
            raise ArgumentError(
                f"`math_fidelity` must be a MathFidelity such as tt.MathFidelity.HiFi4, got {self.math_fidelity!r}"
            )
        for flag in ("math_approx_mode", "fp32_dest_acc_en", "packer_l1_acc", "dst_full_sync_en"):
            if not isinstance(getattr(self, flag), bool):
                raise ArgumentError(f"`{flag}` must be True or False, got {getattr(self, flag)!r}")


@dataclasses.dataclass(frozen=True)
class CoreGrid:
    """A rectangle of `y` rows and `x` columns of cores. Raises ArgumentError unless both are at least 1."""

    y: int
    x: int

    def __post_init__(self) -> None:
        if not (isinstance(self.y, int) and isinstance(self.x, int) and self.y > 0 and self.x > 0):
            raise ArgumentError(f"a core grid has at least one row and one column, got y={self.y!r}, x={self.x!r}")

    @property
    def num_cores(self) -> int:
        """Cores of the grid."""
        return self.x * self.y
