"""TT-NN without the hardware, in JAX.

    import tt_jax as tt

    memory = tt.MemoryState.create(tt.N150)
    memory, x = tt.from_array(memory, array, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    memory, y = tt.matmul(memory, x, x)

Every operation takes the memory first and returns it first; after that, names, arguments and defaults are ttnn's.
"""

from importlib.metadata import version

from tt_jax import experimental as experimental
from tt_jax import kernels as kernels
from tt_jax import model_preprocessing as model_preprocessing
from tt_jax import processes as processes
from tt_jax import transformer as transformer
from tt_jax.activations import GeluVariant as GeluVariant
from tt_jax.activations import SigmoidMode as SigmoidMode
from tt_jax.activations import UnaryOpType as UnaryOpType
from tt_jax.activations import UnaryWithParam as UnaryWithParam
from tt_jax.compare import compare as compare
from tt_jax.compute import ComputeKernelConfig as ComputeKernelConfig
from tt_jax.compute import CoreGrid as CoreGrid
from tt_jax.compute import MathFidelity as MathFidelity
from tt_jax.conv_configs import *
from tt_jax.cores import CoreCoord as CoreCoord
from tt_jax.cores import CoreRange as CoreRange
from tt_jax.cores import CoreRangeSet as CoreRangeSet
from tt_jax.devices import E150 as E150
from tt_jax.devices import N150 as N150
from tt_jax.devices import N300 as N300
from tt_jax.devices import P100 as P100
from tt_jax.devices import P150 as P150
from tt_jax.devices import PROFILES as PROFILES
from tt_jax.devices import DeviceProfile as DeviceProfile
from tt_jax.dtypes import DataType as DataType
from tt_jax.dtypes import bfloat4_b as bfloat4_b
from tt_jax.dtypes import bfloat8_b as bfloat8_b
from tt_jax.dtypes import bfloat16 as bfloat16
from tt_jax.dtypes import float32 as float32
from tt_jax.dtypes import int32 as int32
from tt_jax.dtypes import uint8 as uint8
from tt_jax.dtypes import uint16 as uint16
from tt_jax.dtypes import uint32 as uint32
from tt_jax.errors import ArgumentError as ArgumentError
from tt_jax.errors import DeallocatedError as DeallocatedError
from tt_jax.errors import L1ClashError as L1ClashError
from tt_jax.errors import NotModelledError as NotModelledError
from tt_jax.errors import OutOfMemoryError as OutOfMemoryError
from tt_jax.errors import TTError as TTError
from tt_jax.explain import explain as explain
from tt_jax.fake_quant import fake_quant as fake_quant
from tt_jax.functionalize import functionalize as functionalize
from tt_jax.kernels.numerics import numerics as numerics
from tt_jax.layout import ROW_MAJOR_LAYOUT as ROW_MAJOR_LAYOUT
from tt_jax.layout import TILE_LAYOUT as TILE_LAYOUT
from tt_jax.layout import TILE_SIZE as TILE_SIZE
from tt_jax.layout import Layout as Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG as DRAM_MEMORY_CONFIG
from tt_jax.memory import L1_BLOCK_SHARDED_MEMORY_CONFIG as L1_BLOCK_SHARDED_MEMORY_CONFIG
from tt_jax.memory import L1_HEIGHT_SHARDED_MEMORY_CONFIG as L1_HEIGHT_SHARDED_MEMORY_CONFIG
from tt_jax.memory import L1_MEMORY_CONFIG as L1_MEMORY_CONFIG
from tt_jax.memory import L1_WIDTH_SHARDED_MEMORY_CONFIG as L1_WIDTH_SHARDED_MEMORY_CONFIG
from tt_jax.memory import Block as Block
from tt_jax.memory import Buffer as Buffer
from tt_jax.memory import BufferType as BufferType
from tt_jax.memory import MemoryConfig as MemoryConfig
from tt_jax.memory import MemoryState as MemoryState
from tt_jax.memory import MemoryView as MemoryView
from tt_jax.memory import NdShardSpec as NdShardSpec
from tt_jax.memory import ShardOrientation as ShardOrientation
from tt_jax.memory import ShardSpec as ShardSpec
from tt_jax.memory import ShardStrategy as ShardStrategy
from tt_jax.memory import TensorMemoryLayout as TensorMemoryLayout
from tt_jax.memory import create_sharded_memory_config as create_sharded_memory_config
from tt_jax.mesh import Mesh as Mesh
from tt_jax.mesh import Topology as Topology
from tt_jax.mesh_mapping import MeshComposerConfig as MeshComposerConfig
from tt_jax.mesh_mapping import MeshMapperConfig as MeshMapperConfig
from tt_jax.mesh_mapping import PlacementReplicate as PlacementReplicate
from tt_jax.mesh_mapping import PlacementShard as PlacementShard
from tt_jax.mesh_mapping import concat_mesh_to_tensor_composer as concat_mesh_to_tensor_composer
from tt_jax.mesh_mapping import replicate_tensor_to_mesh_mapper as replicate_tensor_to_mesh_mapper
from tt_jax.mesh_mapping import shard_tensor_2d_to_mesh_mapper as shard_tensor_2d_to_mesh_mapper
from tt_jax.mesh_mapping import shard_tensor_to_mesh_mapper as shard_tensor_to_mesh_mapper
from tt_jax.normalization_configs import *
from tt_jax.operations import *
from tt_jax.ops.creation import deallocate as deallocate
from tt_jax.ops.creation import from_array as from_array
from tt_jax.ops.creation import to_array as to_array
from tt_jax.plan import Plan as Plan
from tt_jax.plan import plan as plan
from tt_jax.program import active_cache as active_cache
from tt_jax.program_cache import ProgramCache as ProgramCache
from tt_jax.program_configs import *
from tt_jax.report.recording import record as record
from tt_jax.search import search as search
from tt_jax.tensor import Tensor as Tensor
from tt_jax.tensor import TensorSpec as TensorSpec
from tt_jax.tile import Tile as Tile

__version__ = version("tt-jax")
