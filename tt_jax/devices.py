"""Device profiles: what an allocator and a scheduler need to know of a board.

Source: spec/memory.md section 1.1. Wormhole and Blackhole figures are measured on ttnn 0.81.1 with its default dispatch;
E150 (Grayskull, the card of the original tutorial, no longer in ttnn) is from documents and general knowledge, and marked
`approximate`.
"""

import dataclasses
import functools
from typing import Literal

from tt_jax.errors import ArgumentError
from tt_jax.mesh import Mesh

KIB, MIB, GIB = 1024, 1024**2, 1024**3


@dataclasses.dataclass(frozen=True)
class DeviceProfile:
    """One chip, or with a `mesh` as many. Sizes in bytes; `grid` is the compute grid `(x, y)` that also stores L1 buffers. Clock, DRAM
    bandwidth and that of an Ethernet link, in one direction, are the documented peaks."""

    name: str
    arch: Literal["grayskull", "wormhole", "blackhole"]
    grid: tuple[int, int]
    l1_size: int
    firmware_end: int  # first byte of L1 that the kernel-configuration ring may use
    l1_unreserved_base: int
    dram_banks: int
    dram_bank_end: int
    dram_unreserved_base: int
    dram_alignment: int
    clock_hz: float
    dram_bytes_per_second: float
    l1_alignment: int = 16
    approximate: bool = False
    link_bytes_per_second: float = 0.0
    mesh: Mesh | None = None

    @property
    def l1_banks(self) -> int:
        """L1 banks: one per core of the compute grid."""
        return self.grid[0] * self.grid[1]

    def on(self, mesh: Mesh | None) -> "DeviceProfile":
        """This chip on every place of `mesh`. Raises ArgumentError for several chips that no links could connect."""
        if mesh is not None and mesh.size > 1 and not self.link_bytes_per_second:
            raise ArgumentError(
                f"{self.name} has no Ethernet links to other boards, so there is no mesh of {mesh.size}: n150, n300, p150 have"
            )
        return self if mesh == self.mesh else _on(self, mesh)

    @property
    def described(self) -> str:
        """Its name, and of which mesh it is."""
        return self.name if self.mesh is None else f"{self.name}, each chip of a {self.mesh} mesh"

    def __hash__(self) -> int:
        return hash((self.name, self.mesh))

    def __repr__(self) -> str:
        return f"DeviceProfile({self.name!r}{'' if self.mesh is None else f', {self.mesh}'})"


@functools.lru_cache(maxsize=256)
def _on(profile: DeviceProfile, mesh: Mesh | None) -> DeviceProfile:
    return dataclasses.replace(profile, mesh=mesh)  # the same object each time: program keys compare identities first


def _wormhole(name: str) -> DeviceProfile:
    return DeviceProfile(
        name=name,
        arch="wormhole",
        grid=(8, 8),
        l1_size=1464 * KIB,
        firmware_end=35_168,
        l1_unreserved_base=105_824,
        dram_banks=12,
        dram_bank_end=GIB,
        dram_unreserved_base=MIB + 64,
        dram_alignment=32,
        clock_hz=1.0e9,
        dram_bytes_per_second=288e9,
        link_bytes_per_second=12.5e9,
    )


def _blackhole(
    name: str, grid: tuple[int, int], dram_banks: int, dram_bytes_per_second: float, link_bytes_per_second: float
) -> DeviceProfile:
    return DeviceProfile(
        name=name,
        arch="blackhole",
        grid=grid,
        l1_size=1536 * KIB,
        firmware_end=41_088,
        l1_unreserved_base=111_744,
        dram_banks=dram_banks,
        dram_bank_end=4_278_190_080,
        dram_unreserved_base=MIB + 128,
        dram_alignment=64,
        clock_hz=1.35e9,
        dram_bytes_per_second=dram_bytes_per_second,
        link_bytes_per_second=link_bytes_per_second,
    )


N150 = _wormhole("n150")
N300 = _wormhole("n300")
P100 = _blackhole("p100", (11, 10), dram_banks=7, dram_bytes_per_second=448e9, link_bytes_per_second=0)
P150 = _blackhole("p150", (13, 10), dram_banks=8, dram_bytes_per_second=512e9, link_bytes_per_second=50e9)
E150 = DeviceProfile(
    name="e150",
    arch="grayskull",
    grid=(12, 9),
    l1_size=MIB,
    firmware_end=50 * KIB,  # assumed
    l1_unreserved_base=120 * KIB,  # assumed: firmware, then a kernel-configuration ring as on the later chips
    dram_banks=8,
    dram_bank_end=GIB,
    dram_unreserved_base=MIB,  # assumed
    dram_alignment=32,
    clock_hz=1.2e9,  # assumed
    dram_bytes_per_second=118.4e9,  # assumed
    approximate=True,
)

PROFILES = {profile.name: profile for profile in (N150, N300, P100, P150, E150)}
"""Every profile by its name: "n150", "n300", "p100", "p150", "e150"."""
