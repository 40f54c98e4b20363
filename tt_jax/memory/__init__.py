"""Device memory: placement, the allocator, and the state that is threaded through a program."""

from tt_jax.memory.bank import Bank as Bank
from tt_jax.memory.bank import Block as Block
from tt_jax.memory.bank import Region as Region
from tt_jax.memory.config import DRAM_MEMORY_CONFIG as DRAM_MEMORY_CONFIG
from tt_jax.memory.config import L1_BLOCK_SHARDED_MEMORY_CONFIG as L1_BLOCK_SHARDED_MEMORY_CONFIG
from tt_jax.memory.config import L1_HEIGHT_SHARDED_MEMORY_CONFIG as L1_HEIGHT_SHARDED_MEMORY_CONFIG
from tt_jax.memory.config import L1_MEMORY_CONFIG as L1_MEMORY_CONFIG
from tt_jax.memory.config import L1_WIDTH_SHARDED_MEMORY_CONFIG as L1_WIDTH_SHARDED_MEMORY_CONFIG
from tt_jax.memory.config import BufferType as BufferType
from tt_jax.memory.config import MemoryConfig as MemoryConfig
from tt_jax.memory.config import TensorMemoryLayout as TensorMemoryLayout
from tt_jax.memory.create import create_sharded_memory_config as create_sharded_memory_config
from tt_jax.memory.create import create_sharded_memory_config_ as create_sharded_memory_config_
from tt_jax.memory.shard import NdShardSpec as NdShardSpec
from tt_jax.memory.shard import ShardDistributionStrategy as ShardDistributionStrategy
from tt_jax.memory.shard import ShardOrientation as ShardOrientation
from tt_jax.memory.shard import ShardSpec as ShardSpec
from tt_jax.memory.shard import ShardStrategy as ShardStrategy
from tt_jax.memory.state import Buffer as Buffer
from tt_jax.memory.state import Difference as Difference
from tt_jax.memory.state import MemoryState as MemoryState
from tt_jax.memory.state import MemoryView as MemoryView
