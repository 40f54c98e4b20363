"""A drop-in for Tenstorrent's ttnn: `import tt_jax.ttnn as ttnn`, and programs written for the real library run unchanged.

The operations come from the functional ones of `tt_jax`, each derived by `_derive.derive`; `__init__.pyi` lists them all with
their signatures. What is here besides is what only ttnn has: devices that are opened and closed, tensors that free
themselves, conversions from and to torch.
"""

from tt_jax.activations import GeluVariant as GeluVariant
from tt_jax.activations import SigmoidMode as SigmoidMode
from tt_jax.activations import UnaryOpType as UnaryOpType
from tt_jax.activations import UnaryWithParam as UnaryWithParam
from tt_jax.compute import ComputeKernelConfig as ComputeKernelConfig
from tt_jax.compute import CoreGrid as CoreGrid
from tt_jax.compute import MathFidelity as MathFidelity
from tt_jax.conv_configs import *
from tt_jax.cores import CoreCoord as CoreCoord
from tt_jax.cores import CoreRange as CoreRange
from tt_jax.cores import CoreRangeSet as CoreRangeSet
from tt_jax.cores import corerange_to_cores as corerange_to_cores
from tt_jax.cores import grid_to_cores as grid_to_cores
from tt_jax.cores import num_cores_to_corerangeset as num_cores_to_corerangeset
from tt_jax.cores import num_cores_to_corerangeset_in_subcoregrids as num_cores_to_corerangeset_in_subcoregrids
from tt_jax.cores import split_work_to_cores as split_work_to_cores
from tt_jax.dtypes import DataType as DataType
from tt_jax.dtypes import bfloat4_b as bfloat4_b
from tt_jax.dtypes import bfloat8_b as bfloat8_b
from tt_jax.dtypes import bfloat16 as bfloat16
from tt_jax.dtypes import float32 as float32
from tt_jax.dtypes import fp8_e4m3 as fp8_e4m3
from tt_jax.dtypes import int8 as int8
from tt_jax.dtypes import int32 as int32
from tt_jax.dtypes import uint8 as uint8
from tt_jax.dtypes import uint16 as uint16
from tt_jax.dtypes import uint32 as uint32
from tt_jax.layout import ROW_MAJOR_LAYOUT as ROW_MAJOR_LAYOUT
from tt_jax.layout import TILE_LAYOUT as TILE_LAYOUT
from tt_jax.layout import TILE_SIZE as TILE_SIZE
from tt_jax.layout import Layout as Layout
from tt_jax.memory import *
from tt_jax.normalization_configs import *
from tt_jax.ops.embedding import EmbeddingsType as EmbeddingsType
from tt_jax.program_configs import *
from tt_jax.tile import Tile as Tile
from tt_jax.ttnn import _derive, _not_modelled, _operations
from tt_jax.ttnn import conversion as conversion
from tt_jax.ttnn import files as files
from tt_jax.ttnn import host as host
from tt_jax.ttnn import placement as placement
from tt_jax.ttnn import printing as printing
from tt_jax.ttnn import recording as recording
from tt_jax.ttnn.compute_config import *
from tt_jax.ttnn.config import CONFIG as CONFIG
from tt_jax.ttnn.config import CONFIG_OVERRIDES as CONFIG_OVERRIDES
from tt_jax.ttnn.config import CONFIG_PATH as CONFIG_PATH
from tt_jax.ttnn.config import Config as Config
from tt_jax.ttnn.config import load_config_from_dictionary as load_config_from_dictionary
from tt_jax.ttnn.config import load_config_from_json_file as load_config_from_json_file
from tt_jax.ttnn.config import manage_config as manage_config
from tt_jax.ttnn.config import save_config_to_json_file as save_config_to_json_file
from tt_jax.ttnn.core import is_sharded as is_sharded
from tt_jax.ttnn.decorators import get_fallback_function as get_fallback_function
from tt_jax.ttnn.decorators import get_golden_function as get_golden_function
from tt_jax.ttnn.decorators import pearson_correlation_coefficient as pearson_correlation_coefficient
from tt_jax.ttnn.decorators import query_registered_operations as query_registered_operations
from tt_jax.ttnn.device import *
from tt_jax.ttnn.device import Device as Device
from tt_jax.ttnn.events import *
from tt_jax.ttnn.files import DumpTensorMode as DumpTensorMode
from tt_jax.ttnn.hooks import register_post_operation_hook as register_post_operation_hook
from tt_jax.ttnn.hooks import register_pre_operation_hook as register_pre_operation_hook
from tt_jax.ttnn.mesh import *
from tt_jax.ttnn.printing import get_printoptions as get_printoptions
from tt_jax.ttnn.printing import set_printoptions as set_printoptions
from tt_jax.ttnn.shape import Shape as Shape
from tt_jax.ttnn.shape import TileReshapeMapMode as TileReshapeMapMode
from tt_jax.ttnn.tensor import StorageType as StorageType
from tt_jax.ttnn.tensor import Tensor as Tensor
from tt_jax.ttnn.tensor_spec import ShardShapeAlignment as ShardShapeAlignment
from tt_jax.ttnn.tensor_spec import TensorSpec as TensorSpec
from tt_jax.ttnn.trace import *
from tt_jax.ttnn.utilities import *

MeshDevice = Device
DEVICE_STORAGE_TYPE = StorageType.DEVICE
HOST_STORAGE_TYPE = StorageType.HOST

globals().update(_operations.all_operations())
for _module in (conversion, placement, host, files):
    globals().update({name: _derive.intercepted(getattr(_module, name), f"ttnn.{name}") for name in _module.__all__})

# Namespaces that hold operations of their own: after the operations, which they may use.
from tt_jax.ttnn import _ttnn as _ttnn  # noqa: E402
from tt_jax.ttnn import cluster as cluster  # noqa: E402
from tt_jax.ttnn import config as config  # noqa: E402
from tt_jax.ttnn import core as core  # noqa: E402
from tt_jax.ttnn import database as database  # noqa: E402
from tt_jax.ttnn import decorators as decorators  # noqa: E402
from tt_jax.ttnn import device as device  # noqa: E402
from tt_jax.ttnn import distributed as distributed  # noqa: E402
from tt_jax.ttnn import dot_access as dot_access  # noqa: E402
from tt_jax.ttnn import experimental as experimental  # noqa: E402
from tt_jax.ttnn import graph as graph  # noqa: E402
from tt_jax.ttnn import kv_cache as kv_cache  # noqa: E402
from tt_jax.ttnn import model_preprocessing as model_preprocessing  # noqa: E402
from tt_jax.ttnn import operation_tracer as operation_tracer  # noqa: E402
from tt_jax.ttnn import operations as operations  # noqa: E402
from tt_jax.ttnn import tracer as tracer  # noqa: E402
from tt_jax.ttnn import transformer as transformer  # noqa: E402
from tt_jax.ttnn import types as types  # noqa: E402
from tt_jax.ttnn.group_norm_parameters import *  # noqa: E402

globals().update(_not_modelled.refusing("ttnn", _not_modelled.NAMES, globals()))
