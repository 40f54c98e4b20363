"""`ttnn.types`: the classes and constants, under the name of their module."""

from tt_jax.compute import CoreGrid as CoreGrid
from tt_jax.dtypes import DataType as DataType
from tt_jax.dtypes import bfloat4_b as bfloat4_b
from tt_jax.dtypes import bfloat8_b as bfloat8_b
from tt_jax.dtypes import bfloat16 as bfloat16
from tt_jax.dtypes import float32 as float32
from tt_jax.dtypes import int32 as int32
from tt_jax.dtypes import uint8 as uint8
from tt_jax.dtypes import uint16 as uint16
from tt_jax.dtypes import uint32 as uint32
from tt_jax.layout import ROW_MAJOR_LAYOUT as ROW_MAJOR_LAYOUT
from tt_jax.layout import TILE_LAYOUT as TILE_LAYOUT
from tt_jax.layout import TILE_SIZE as TILE_SIZE
from tt_jax.layout import Layout as Layout
from tt_jax.memory import *
from tt_jax.tile import Tile as Tile
from tt_jax.ttnn.compute_config import *
from tt_jax.ttnn.device import Device as Device
from tt_jax.ttnn.shape import Shape as Shape
from tt_jax.ttnn.tensor import StorageType as StorageType
from tt_jax.ttnn.tensor import Tensor as Tensor
from tt_jax.ttnn.tensor_spec import ShardShapeAlignment as ShardShapeAlignment
from tt_jax.ttnn.tensor_spec import TensorSpec as TensorSpec
