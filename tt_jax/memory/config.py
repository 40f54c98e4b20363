"""Where a tensor is to live: buffer type and distribution over banks."""

import dataclasses
import json
from typing import Any

from tt_jax.choice import Choice
from tt_jax.cores import dump
from tt_jax.errors import ArgumentError
from tt_jax.memory.shard import NdShardSpec, ShardSpec


class BufferType(Choice):
    """Kinds of device memory; the values are ttnn's own."""

    DRAM = 0
    L1 = 1
    L1_SMALL = 3
    TRACE = 4


class TensorMemoryLayout(Choice):
    """How pages are dealt to banks: in turn over all of them, or in shards; the values are ttnn's own."""

    INTERLEAVED = 0
    HEIGHT_SHARDED = 2
    WIDTH_SHARDED = 3
    BLOCK_SHARDED = 4
    ND_SHARDED = 5


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class MemoryConfig:
    """Placement of a tensor; the default is interleaved DRAM.

    `MemoryConfig(memory_layout, buffer_type, shard_spec)`, or `MemoryConfig(buffer_type, nd_shard_spec)` for shards of any
    rank. The layout of the latter is ND_SHARDED until a tensor has it: where shards of two dimensions are the same, the
    tensor's own config has their layout and `shard_spec` too. A sharded layout may lack a shard spec: an operation may find
    one; a tensor needs one.

    Raises ArgumentError for arguments of other types.
    """

    memory_layout: TensorMemoryLayout
    buffer_type: BufferType
    shard_spec: ShardSpec | None
    nd_shard_spec: NdShardSpec | None

    def __init__(
        self,
        memory_layout: TensorMemoryLayout | BufferType | None = None,
        buffer_type: BufferType | NdShardSpec | None = None,
        shard_spec: ShardSpec | None = None,
        nd_shard_spec: NdShardSpec | None = None,
    ):
        if isinstance(memory_layout, BufferType) and isinstance(buffer_type, NdShardSpec):
            memory_layout, buffer_type, nd_shard_spec = None, memory_layout, buffer_type
        if memory_layout is None:
            memory_layout = TensorMemoryLayout.INTERLEAVED if nd_shard_spec is None else TensorMemoryLayout.ND_SHARDED
        if buffer_type is None:
            buffer_type = BufferType.DRAM
        if not (isinstance(memory_layout, TensorMemoryLayout) and isinstance(buffer_type, BufferType)):
            raise ArgumentError(
                f"a memory config has a TensorMemoryLayout and a BufferType, got {memory_layout!r} and {buffer_type!r}"
            )
        for name, value, kind in (("shard_spec", shard_spec, ShardSpec), ("nd_shard_spec", nd_shard_spec, NdShardSpec)):
            if value is not None and not isinstance(value, kind):
                raise ArgumentError(f"the `{name}` of a memory config must be a {kind.__name__}, got {value!r}")
        object.__setattr__(self, "memory_layout", memory_layout)
        object.__setattr__(self, "buffer_type", buffer_type)
        object.__setattr__(self, "shard_spec", shard_spec)
        object.__setattr__(self, "nd_shard_spec", nd_shard_spec)

    def __repr__(self) -> str:
        spec, nd = (repr(x) if x is not None else "std::nullopt" for x in (self.shard_spec, self.nd_shard_spec))
        return (
            f"MemoryConfig(memory_layout=TensorMemoryLayout::{self.memory_layout.name},buffer_type=BufferType::"
            f"{self.buffer_type.name},shard_spec={spec},nd_shard_spec={nd},created_with_nd_shard_spec="
            f"{int(self.nd_shard_spec is not None)},per_core_allocation=0,range_lockstep_allocation=0)"
        )

    @property
    def interleaved(self) -> bool:
        """Whether pages go round robin over all banks."""
        return self.memory_layout is TensorMemoryLayout.INTERLEAVED

    def is_sharded(self) -> bool:
        """Whether the tensor is in shards."""
        return self.memory_layout is not TensorMemoryLayout.INTERLEAVED

    def with_shard_spec(self, shard_spec: ShardSpec | None) -> "MemoryConfig":
        """This config with another shard spec."""
        return MemoryConfig(self.memory_layout, self.buffer_type, shard_spec)

    def to_json(self) -> str:
        """As ttnn writes it: enumerations by their numbers, keys in alphabetical order."""
        fields: dict[str, Any] = {
            "memory_layout": self.memory_layout.value,
            "buffer_type": self.buffer_type.value,
            "created_with_nd_shard_spec": self.nd_shard_spec is not None,
            "per_core_allocation": False,
        }
        if self.nd_shard_spec is not None:
            fields["nd_shard_spec"] = self.nd_shard_spec.as_dict()
        elif self.shard_spec is not None:
            fields["shard_spec"] = self.shard_spec.as_dict()
        return dump(fields)

    @classmethod
    def from_json(cls, text: str) -> "MemoryConfig":
        """The config that `to_json` wrote. Raises ArgumentError for anything else."""
        try:
            fields = json.loads(text)
            buffer_type = BufferType(fields["buffer_type"])
            if fields["created_with_nd_shard_spec"]:
                return cls(buffer_type, NdShardSpec.from_json(fields["nd_shard_spec"]))
            shard = fields.get("shard_spec")
            return cls(TensorMemoryLayout(fields["memory_layout"]), buffer_type, shard and ShardSpec.from_json(shard))
        except (KeyError, TypeError, ValueError) as error:
            raise ArgumentError(f"this is no memory config written by `to_json` ({error!r}): {text!r:.200}") from error


DRAM_MEMORY_CONFIG = MemoryConfig(buffer_type=BufferType.DRAM)
L1_MEMORY_CONFIG = MemoryConfig(buffer_type=BufferType.L1)
L1_HEIGHT_SHARDED_MEMORY_CONFIG = MemoryConfig(TensorMemoryLayout.HEIGHT_SHARDED, BufferType.L1)
L1_WIDTH_SHARDED_MEMORY_CONFIG = MemoryConfig(TensorMemoryLayout.WIDTH_SHARDED, BufferType.L1)
L1_BLOCK_SHARDED_MEMORY_CONFIG = MemoryConfig(TensorMemoryLayout.BLOCK_SHARDED, BufferType.L1)
