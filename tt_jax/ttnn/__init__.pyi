"""Written by `python -m tt_jax.ttnn._stub`; not to be edited."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Optional

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
from tt_jax.ops.bcast import BcastOpDim as BcastOpDim
from tt_jax.ops.bcast import BcastOpMath as BcastOpMath
from tt_jax.ops.loss import LossReductionMode as LossReductionMode

def abs(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The magnitude, element by element."""


def abs_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `abs`, given that of its result: a list, with None where one is not required."""


def acos(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The inverse cosine, element by element."""


def acos_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `acos`, given that of its result: a list, with None where one is not required."""


def acosh(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The inverse hyperbolic cosine, element by element."""


def acosh_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `acosh`, given that of its result: a list, with None where one is not required."""


def adaptive_avg_pool2d(input_tensor: Tensor, batch_size: int, input_h: int, input_w: int, channels: int, output_size: Any, *, memory_config: MemoryConfig | None = None, dram_slice_config: Op2DSliceConfig | None = None, applied_shard_scheme: TensorMemoryLayout | None = None, compute_kernel_config: ComputeKernelConfig | None = None, deallocate_input: bool = False, reallocate_output: bool = True, dtype: DataType = ..., output_layout: Layout = ..., **scheduling: Any) -> Tensor:
    """The means of `output_size` windows that cut each image evenly: `avg_pool2d` with the window that fits."""


def adaptive_max_pool2d(input_tensor: Tensor, batch_size: int, input_h: int, input_w: int, channels: int, output_size: Any, *, memory_config: MemoryConfig | None = None, dram_slice_config: Op2DSliceConfig | None = None, applied_shard_scheme: TensorMemoryLayout | None = None, deallocate_input: bool = False, reallocate_output: bool = True, dtype: DataType = ..., output_layout: Layout = ..., **scheduling: Any) -> Tensor:
    """The maxima of `output_size` windows that cut each image evenly: `max_pool2d` with the window that fits."""


def add(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = True, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a + b`: bfloat16 and block floats on the FPU (both aligned to 11 bits, ties away), float32 exactly, integers modulo their width. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise. `fast_and_approximate_mode` (on unless said otherwise) chooses the FPU for bfloat16."""


def add_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a + b`: bfloat16 and block floats on the FPU (both aligned to 11 bits, ties away), float32 exactly, integers modulo their width. The result takes the buffer of `input_a`, and must have its shape."""


def add_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `add`, given that of its result: a list, with None where one is not required."""


def addalpha(input_tensor_a: Tensor, input_tensor_b: Tensor | float, alpha: float = 1.0, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`a + alpha * b`: the product rounded to Dst, then added as `add` does. Shapes broadcast as in NumPy. Raises as `add`."""


def addalpha_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, alpha: Any = 1.0, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `addalpha`, given that of its result: a list, with None where one is not required."""


def addcdiv(input_a: Tensor, input_b: Tensor, input_c: Tensor, *, value: float = 1.0, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`a + value * b / c`, in float32 and rounded once. Raises ArgumentError for shapes or dtypes that do not fit."""


def addcdiv_bw(grad_tensor: Any, input_tensor_a: Any, input_tensor_b: Any, input_tensor_c: Any, value: Any = 1.0, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor_a`, `input_tensor_b`, `input_tensor_c` in `addcdiv`, given that of its result: a list, with None where one is not required."""


def addcmul(input_a: Tensor, input_b: Tensor, input_c: Tensor, *, value: float = 1.0, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`a + value * b * c`, in float32 and rounded once. Raises ArgumentError for shapes or dtypes that do not fit."""


def addcmul_bw(grad_tensor: Any, input_tensor_a: Any, input_tensor_b: Any, input_tensor_c: Any, value: Any = 1.0, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor_a`, `input_tensor_b`, `input_tensor_c` in `addcmul`, given that of its result: a list, with None where one is not required."""


def addmm(input_tensor: Tensor, mat1_tensor: Tensor, mat2_tensor: Tensor, *, alpha: float = 1.0, beta: float = 1.0, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, program_config: MatmulMultiCoreReuseProgramConfig | MatmulMultiCoreReuseMultiCastProgramConfig | MatmulMultiCoreReuseMultiCast1DProgramConfig | MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig | MatmulMultiCoreProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, core_grid: CoreGrid | None = None, output_tile: Any = None, optional_output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`beta * input + alpha * (mat1 @ mat2)`: a matmul, then a program for each factor that is not 1, and one for the sum."""


def all_broadcast(input_tensor: Tensor, *, cluster_axis: int | None = None, topology: Topology | None = None, memory_config: MemoryConfig | None = None, num_links: int | None = None, **scheduling: Any) -> list[Tensor]:
    """The tensors of a group's chips, all of them on each: a list, in the chips' order."""


def all_gather(input_tensor: Tensor, dim: int, *, cluster_axis: int | None = None, topology: Topology | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, num_links: int | None = None, **scheduling: Any) -> Tensor:
    """The tensors of a group's chips, joined along `dim` on each of them: `[..., d, ...]` becomes `[..., n * d, ...]`."""


def all_reduce(input_tensor: Tensor, *, cluster_axis: int | None = None, topology: Topology | None = None, memory_config: MemoryConfig | None = None, num_links: int | None = None, **scheduling: Any) -> Tensor:
    """The sum of the tensors of a group's chips, on each of them."""


def all_to_all(input_tensor: Tensor, in_dim: int, out_dim: int, *, cluster_axis: int | None = None, topology: Topology | None = None, memory_config: MemoryConfig | None = None, num_links: int | None = None, **scheduling: Any) -> Tensor:
    """A tensor that is spread over the chips along `in_dim`, spread along `out_dim` instead."""


def allocate_tensor_on_device(shape: Any, dtype: Any = None, layout: Layout | None = None, mesh_device: Device | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """A tensor with a buffer and unspecified values (zeros here): by shape, dtype and layout, or `(spec, device)`."""


def allocate_tensor_on_host(*arguments: Any, **options: Any) -> Tensor:
    """A host tensor of zeros: arguments as `allocate_tensor_on_device`, whose device is not used."""


def alt_complex_rotate90(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """(-b, a) for each pair (a, b) along the last dimension. Raises ArgumentError if that is odd."""


def arange(start: int = 0, end: int | None = None, step: int = 1, dtype: DataType = ..., device: Device | None = None, memory_config: MemoryConfig = ..., layout: Layout = ..., **scheduling: Any) -> Tensor:
    """The integers from `start` (inclusive) to `end` (exclusive) by `step`, `[n]`, rounded to `dtype`; `arange(end)` starts at 0."""


def argmax(input_tensor: Tensor, dim: int | None = None, keepdim: bool = False, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The index of the largest along `dim`, of the flattened tensor if it is None: uint32, ROW_MAJOR. Exact; of equals the first."""


def as_tensor(tensor: Any, dtype: DataType | None = None, *, layout: Layout | None = ..., device: Device | None = None, memory_config: MemoryConfig | None = None, cache_file_name: str | Any | None = None, preprocess: Callable[[Any], Any] | None = None, mesh_mapper: Any = None, cache_dump_mode: Any = None, **scheduling: Any) -> Tensor:
    """As `from_torch`, through a file: written beside `cache_file_name` the first time, read from there after that."""


def asin(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The inverse sine, element by element."""


def asin_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `asin`, given that of its result: a list, with None where one is not required."""


def asinh(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The inverse hyperbolic sine, element by element."""


def asinh_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `asinh`, given that of its result: a list, with None where one is not required."""


def assign(input_tensor: Tensor | None = None, input_b: Tensor | None = None, *, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, output_tensor: Tensor | None = None, input_a: Tensor | None = None, **scheduling: Any) -> Tensor:
    """A copy of `input_tensor`, as `clone` makes it, in `output_tensor` if given; or `assign(a, b)`, as `copy`."""


def atan(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The inverse tangent, element by element."""


def atan2(input_tensor_a: Tensor, input_tensor_b: Tensor | float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """The angle of the point `(b, a)`, rounded once. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def atan2_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `atan2`, given that of its result: a list, with None where one is not required."""


def atan_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `atan`, given that of its result: a list, with None where one is not required."""


def atanh(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The inverse hyperbolic tangent, element by element."""


def atanh_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `atanh`, given that of its result: a list, with None where one is not required."""


def avg_pool2d(input_tensor: Tensor, batch_size: int, input_h: int, input_w: int, channels: int, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None, *, memory_config: MemoryConfig | None = None, dram_slice_config: Op2DSliceConfig | None = None, applied_shard_scheme: TensorMemoryLayout | None = None, compute_kernel_config: ComputeKernelConfig | None = None, deallocate_input: bool = False, reallocate_halo_output: bool = True, dtype: DataType = ..., output_layout: Layout = ..., config_tensor_in_dram: bool = False, **scheduling: Any) -> Tensor:
    """The mean of each window of images `[1, 1, n * h * w, c]` (or `[n, h, w, c]`): `[1, 1, n * oh * ow, c]`."""


def batch_norm(input: Tensor, *, running_mean: Tensor | None = None, running_var: Tensor | None = None, training: bool = False, eps: float = 1e-05, momentum: float = 0.1, weight: Tensor | None = None, bias: Tensor | None = None, output: Tensor | None = None, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor | Any:
    """`(x - mean) / sqrt(variance + eps) * weight + bias` by channel of `[n, c, h, w]`; parameters `[1, c, 1, 1]`."""


def bcast(input_a: Tensor, input_b: Tensor, math_op: BcastOpMath, dim: BcastOpDim, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`a + b`, `a - b` or `a * b`, `b` repeated along its height, its width or both, which must be 1; on the FPU."""


def bernoulli(input: Tensor, seed: int | None = None, *, output: Tensor | None = None, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, compute_kernel_config: object = None, **scheduling: Any) -> Tensor:
    """Ones with the probabilities in `input`, zeros otherwise: float32 unless `dtype` or `output` says bfloat16."""


def bias_gelu(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """gelu (the accurate form) of `a + b`. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def bias_gelu_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """gelu (the accurate form) of `a + b`. The result takes the buffer of `input_a`, and must have its shape."""


def bias_gelu_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, approximate: Any = 'none', *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `bias_gelu`, given that of its result: a list, with None where one is not required."""


def bitcast(input_tensor: Tensor, dtype: DataType, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The bits of `input_tensor` read as another dtype of the same width. Raises ArgumentError for other pairs; else as `launch`."""


def bitwise_and(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """The bits set in both. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def bitwise_left_shift(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a << b`, modulo the width; 0 where `b` is not within it. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def bitwise_not(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """Every bit turned, element by element."""


def bitwise_or(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """The bits set in either. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def bitwise_right_shift(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a >> b`, with copies of the sign of an int32. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def bitwise_xor(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """The bits set in one of the two. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def broadcast(input_tensor: Tensor, sender_coord: Sequence[int], *, cluster_axis: int | None = None, topology: Topology | None = None, memory_config: MemoryConfig | None = None, num_links: int | None = None, **scheduling: Any) -> Tensor:
    """The tensor of the chip at `sender_coord`, on all of them; with `cluster_axis`, that of the chip at the same place along that axis."""


def cbrt(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The cube root, element by element."""


def ceil(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The smallest whole number from x, element by element."""


def ceil_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `ceil`, given that of its result: a list, with None where one is not required."""


def celu(input_tensor: Tensor, alpha: float = 1.0, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x, or alpha (exp(x / alpha) - 1) below 0."""


def celu_bw(grad_tensor: Any, input_tensor: Any, alpha: Any = 1.0, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `celu`, given that of its result: a list, with None where one is not required."""


def chunk(input_tensor: Tensor, chunks: int, dim: int = 0, **scheduling: Any) -> list[Tensor]:
    """`input_tensor` in at most `chunks` parts of one size (the last may be less) along `dim`; each as `slice`."""


def clamp(input_tensor: Tensor, min: Tensor | float | None = None, max: Tensor | float | None = None, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """min(max(x, min), max), with numbers for both bounds or tensors for both (which broadcast to x), or one bound alone."""


def clamp_bw(grad_tensor: Any, input_tensor: Any, min: Any = None, max: Any = None, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `clamp`, given that of its result: a list, with None where one is not required."""


def clip(input_tensor: Tensor, min: Tensor | float | None = None, max: Tensor | float | None = None, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """As `clamp`."""


def clip_bw(grad_tensor: Any, input_tensor: Any, min: Any = None, max: Any = None, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `clip`, given that of its result: a list, with None where one is not required."""


def clone(input: Tensor, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, compute_kernel_config: object = None, **scheduling: Any) -> Tensor:
    """`input` in a new buffer, rounded by the packer if `dtype` differs (floats in TILE layout only)."""


def concat(tensors: Sequence[Tensor], dim: int = 0, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, groups: int = 1, **scheduling: Any) -> Tensor:
    """`tensors` of one dtype joined along `dim`, in DRAM unless `memory_config` says otherwise; of one tensor, that tensor."""


def conv1d(input_tensor: Tensor, weight_tensor: Tensor, *, in_channels: int, out_channels: int, batch_size: int, input_length: int, kernel_size: int, stride: int = 1, padding: Any = 0, dilation: int = 1, groups: int = 1, dtype: DataType | None = None, bias_tensor: Tensor | None = None, conv_config: Conv2dConfig | None = None, compute_config: ComputeKernelConfig | None = None, memory_config: MemoryConfig | None = None, return_output_dim: bool = False, return_weights_and_bias: bool = False, device: Device | None = None, **scheduling: Any) -> Tensor | tuple[Any, ...]:
    """Convolve signals `[n, length, in]` with `weight_tensor` `[out, in / groups, k]`: a conv2d of images of height 1."""


def conv2d(input_tensor: Tensor, weight_tensor: Tensor, *, in_channels: int, out_channels: int, batch_size: int, input_height: int, input_width: int, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., groups: int = 1, dtype: DataType | None = None, bias_tensor: Tensor | None = None, conv_config: Conv2dConfig | None = None, compute_config: ComputeKernelConfig | None = None, memory_config: MemoryConfig | None = None, slice_config: Op2DSliceConfig | None = None, return_output_dim: bool = False, return_weights_and_bias: bool = False, device: Device | None = None, **scheduling: Any) -> Tensor | tuple[Any, ...]:
    """Convolve images `[n, h, w, in]` (or `[1, 1, n * h * w, in]`) with `weight_tensor` `[out, in / groups, kh, kw]`."""


def conv_transpose2d(input_tensor: Tensor, weight_tensor: Tensor, *, in_channels: int, out_channels: int, batch_size: int, input_height: int, input_width: int, kernel_size: Any, stride: Any = ..., padding: Any = ..., output_padding: Any = ..., dilation: Any = ..., groups: int = 1, dtype: DataType | None = None, bias_tensor: Tensor | None = None, conv_config: Conv2dConfig | None = None, compute_config: ComputeKernelConfig | None = None, memory_config: MemoryConfig | None = None, dram_slice_config: Op2DSliceConfig | None = None, mirror_kernel: bool = True, return_output_dim: bool = False, return_weights_and_bias: bool = False, device: Device | None = None, **scheduling: Any) -> Tensor | tuple[Any, ...]:
    """The transposed convolution of images `[n, h, w, in]` with `weight_tensor` `[in, out / groups, kh, kw]`."""


def copy(input_a: Tensor, input_b: Tensor, **scheduling: Any) -> Tensor:
    """The values of `input_a` in the buffer of `input_b`, which is what the result replaces."""


def copy_device_to_host_tensor(device_tensor: Tensor, host_tensor: Tensor, blocking: bool = True, cq_id: int | None = None, **scheduling: Any) -> None:
    """Write the values of `device_tensor` into `host_tensor`, which must have its spec."""


def copy_host_to_device_tensor(host_tensor: Tensor, device_tensor: Tensor, cq_id: int | None = None, **scheduling: Any) -> None:
    """Write the values of `host_tensor` into the buffer of `device_tensor`, whose spec it must have."""


def cos(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The cosine, element by element."""


def cos_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `cos`, given that of its result: a list, with None where one is not required."""


def cosh(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The hyperbolic cosine, element by element."""


def cosh_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `cosh`, given that of its result: a list, with None where one is not required."""


def cumprod(input: Tensor, dim: int, *, dtype: DataType | None = None, reverse_order: bool = False, out: Tensor | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """Running products along `dim`: each place has the product of all up to it."""


def cumsum(input: Tensor, dim: int, *, dtype: DataType | None = None, reverse_order: bool = False, out: Tensor | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """Running sums along `dim`: each place has the sum of all up to it."""


def deallocate(tensor: Tensor, force: bool = True, **scheduling: Any) -> None:
    """Free the buffer of `tensor` now: it, and every tensor that shares the buffer, can no longer be used."""


def deg2rad(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x pi / 180, element by element."""


def deg2rad_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `deg2rad`, given that of its result: a list, with None where one is not required."""


def digamma(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The derivative of the gamma function's logarithm, element by element."""


def digamma_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `digamma`, given that of its result: a list, with None where one is not required."""


def div(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = False, rounding_mode: Optional[Literal['floor', 'trunc']] = None, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a / b` on the vector unit, rounded to nearest even; shapes broadcast as in NumPy."""


def div_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = False, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a / b`. The result takes the buffer of `input_a`, and must have its shape."""


def div_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, rounding_mode: Any = None, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `div`, given that of its result: a list, with None where one is not required."""


def div_no_nan(input_tensor_a: Tensor, input_tensor_b: Tensor | float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`a / b`, 0 where `b` is; rounded once. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def div_no_nan_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `div_no_nan`, given that of its result: a list, with None where one is not required."""


def divide(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = False, rounding_mode: Optional[Literal['floor', 'trunc']] = None, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a / b` on the vector unit, rounded to nearest even; shapes broadcast as in NumPy."""


def divide_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = False, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a / b`. The result takes the buffer of `input_a`, and must have its shape."""


def dump_tensor(file_name: str | Any[str], tensor: Tensor, distribute: Any = None, *, mode: DumpTensorMode | None = None, **scheduling: Any) -> None:
    """Write `tensor` to a file: an archive of arrays (NumPy's npz), values and a header in JSON; nothing that can run."""


def elu(input_tensor: Tensor, alpha: float = 1.0, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x, or alpha (exp(x) - 1) below 0."""


def elu_bw(grad_tensor: Any, input_tensor: Any, alpha: Any = 1.0, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `elu`, given that of its result: a list, with None where one is not required."""


def embedding(input_tensor: Tensor, weight: Tensor, *, padding_idx: int | None = None, layout: Layout | None = None, embeddings_type: Any = ..., dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The rows of `weight` `[n, width]` that `input_tensor` names: `[batch, length, width]` of indices `[batch, ..., length]`."""


def embedding_bw(input_tensor: Tensor, weight_tensor: Tensor, output_gradient_tensor: Tensor, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The gradient of `embedding` in its table, `(1, 1, n, width)` in TILE layout: sums of the rows of the output's gradient."""


def empty(shape: Sequence[int], dtype: DataType = ..., layout: Layout = ..., device: Device | None = None, memory_config: MemoryConfig = ..., **scheduling: Any) -> Tensor:
    """A tensor of `shape` whose values are unspecified on the device; here they are zeros."""


def empty_like(tensor: Tensor, dtype: DataType | None = None, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`empty` with the shape of `tensor`, and its dtype, layout and place unless said otherwise."""


def eq(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a == b`, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def eq_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a == b`, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def eqz(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x is 0, else 0, element by element."""


def erf(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The error function, element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def erf_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `erf`, given that of its result: a list, with None where one is not required."""


def erfc(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 minus the error function, element by element."""


def erfc_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `erfc`, given that of its result: a list, with None where one is not required."""


def erfinv(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The inverse error function, element by element."""


def erfinv_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `erfinv`, given that of its result: a list, with None where one is not required."""


def exp(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """e to the power x, the device's own 21-bit exponential, element by element. With `fast_and_approximate_mode` a faster variant: Schraudolph's, off by up to 3.1e-2."""


def exp2(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """2 to the power x, element by element."""


def exp2_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `exp2`, given that of its result: a list, with None where one is not required."""


def exp_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `exp`, given that of its result: a list, with None where one is not required."""


def expand(input_tensor: Tensor, output_shape: Sequence[int], *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` repeated along its dimensions of one up to `output_shape`, where -1 keeps a size; as `repeat`."""


def expm1(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """exp(x) - 1, element by element."""


def expm1_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `expm1`, given that of its result: a list, with None where one is not required."""


def fill(input_tensor: Tensor, fill_value: float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """A tensor like the input, filled with `fill_value`."""


def fill_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `fill`, given that of its result: a list, with None where one is not required."""


def fill_cache(cache_tensor: Tensor, input_tensor: Tensor, batch_idx: int, **scheduling: Any) -> Tensor:
    """`cache_tensor` `[b, heads, t, d]` with `input_tensor` `[1, heads, s, d]` in the first `s` rows of entry `batch_idx`, in place."""


def fill_cache_for_user_(cache: Tensor, input: Tensor, batch_index: int, **scheduling: Any) -> Tensor:
    """`fill_cache` under its name in `ttnn.kv_cache`."""


def fill_implicit_tile_padding(input_tensor: Tensor, fill_value: float, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with `fill_value` in its tile padding: in its own buffer, unless it is a block float or `memory_config` is another."""


def fill_ones_rm(N: int, C: int, H: int, W: int, hOnes: int, wOnes: int, any: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`fill_rm` with ones in the corner and zeros elsewhere."""


def fill_rm(N: int, C: int, H: int, W: int, hOnes: int, wOnes: int, any: Tensor, val_hi: float, val_lo: float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """A bfloat16 ROW_MAJOR tensor `(N, C, H, W)`: `val_hi` in the first `hOnes` rows and `wOnes` columns, `val_lo` elsewhere."""


def fill_zero_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `fill_zero`, given that of its result: a list, with None where one is not required."""


def floor(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The largest whole number up to x, element by element."""


def floor_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `floor`, given that of its result: a list, with None where one is not required."""


def floor_div(input_tensor_a: Tensor, input_tensor_b: Tensor | float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`floor(a / b)`, rounded once. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def fmod(input_tensor_a: Tensor, input_tensor_b: Tensor | float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """What `a / b` leaves, with the sign of `a`; rounded once. An int32 tensor with a float becomes float32. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def fmod_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `fmod`, given that of its result: a list, with None where one is not required."""


def fold(input: Tensor, stride_h: int, stride_w: int, use_transpose_as_fold: bool = False, output_shape: Sequence[int] | None = None, padding: Any = ..., grid_size: CoreRangeSet | None = None, override_memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """Images `[n, h, w, c]` with each block of `stride_h x stride_w` pixels folded into the channels, row by row; ROW_MAJOR."""


def frac(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x less its whole part, element by element."""


def frac_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `frac`, given that of its result: a list, with None where one is not required."""


def from_buffer(buffer: Any, shape: Sequence[int], dtype: DataType, device: Device | None = None, layout: Layout | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """The numbers of the list `buffer`, row by row, as a tensor of `shape`: ROW_MAJOR and in DRAM unless said otherwise."""


def from_device(tensor: Tensor, blocking: bool = True, **scheduling: Any) -> Tensor:
    """`tensor` on the host; the same tensor if it is there already. Raises DeallocatedError."""


def from_numpy(array: Any, dtype: DataType | None = None, *, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, mesh_mapper: Any = None, **scheduling: Any) -> Tensor:
    """As `from_torch`, for those without torch: a NumPy or JAX array as a ttnn tensor."""


def from_torch(tensor: Any, dtype: DataType | None = None, *, spec: TensorSpec | None = None, tile: Any = None, pad_value: float | None = None, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, mesh_mapper: Any = None, cq_id: int | None = None, preserve_nan_values: bool = False, col_tilize: bool = False, enable_bfloat_opt: bool = False, **scheduling: Any) -> Tensor | None:
    """A torch tensor (or a NumPy or JAX array) as a ttnn tensor, on `device` or, without one, on the host; None for None."""


def full(shape: Sequence[int], fill_value: float, dtype: DataType | None = None, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, optional_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """A tensor of `shape` with `fill_value` everywhere: bfloat16, ROW_MAJOR and in DRAM unless said otherwise."""


def full_like(tensor: Tensor, fill_value: float, dtype: DataType | None = None, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, optional_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`full` with the shape of `tensor`, and its dtype, layout and place unless said otherwise."""


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, memory_config: MemoryConfig | None = None, out: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The values of `input` that `index` names along `dim`: the shape of `index`, the dtype of `input`, TILE layout."""


def gcd(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """The greatest common divisor. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def ge(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a >= b`, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def ge_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a >= b`, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def geglu(input_tensor: Tensor, dim: int = -1, *, memory_config: MemoryConfig | None = None, variant: GeluVariant = ..., **scheduling: Any) -> Tensor:
    """As `glu`, with gelu of a `variant`."""


def gelu(input_tensor: Tensor, *, variant: GeluVariant | None = None, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x times the normal distribution's cumulative function, on bfloat16 by the device's own formula."""


def gelu_bw(grad_tensor: Any, input_tensor: Any, approximate: Any = 'none', *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `gelu`, given that of its result: a list, with None where one is not required."""


def get_memory_config(tensor: Tensor, **scheduling: Any) -> MemoryConfig | None:
    """Where a device tensor lives; None for a host tensor and for a deallocated one."""


def getitem(x: Tensor, key: Any, **scheduling: Any) -> Tensor:
    """`x[key]` as ttnn's tensors have it: a slice, then the dimensions that integers pick dropped and those of None added."""


def gez(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x >= 0, else 0, element by element."""


def global_avg_pool2d(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """The mean of each image `[n, h, w, c]`, `[h, w, c]` or `[h, w]`: `[n, 1, 1, c]` in TILE layout, bfloat16 unless `dtype` is given."""


def glu(input_tensor: Tensor, dim: int = -1, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """The first half of the last dimension times sigmoid of the second: `[n, c, h, w]` to `[n, c, h, w / 2]`."""


def grid_sample(input_tensor: Tensor, grid: Tensor, *, mode: str = 'bilinear', padding_mode: str = 'zeros', align_corners: bool = False, use_precomputed_grid: bool = False, batch_output_channels: bool = False, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """Images `[n, h, w, c]` at the points of `grid` `[n, gh, gw, 2 * k]`: `[n, gh, gw * k, c]`, zeros outside of the image."""


def group_norm(input_tensor: Tensor, *, num_groups: int, epsilon: float = 1e-12, input_mask: Tensor | None = None, weight: Tensor | None = None, bias: Tensor | None = None, reciprocals: Tensor | None = None, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, core_grid: CoreGrid | None = None, inplace: bool = True, output_layout: Layout | None = None, num_out_blocks: int | None = None, compute_kernel_config: ComputeKernelConfig | None = None, negative_mask: Tensor | None = None, use_welford: bool = False, **scheduling: Any) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * weight + bias`, the statistics by batch and group of channels; `[n, 1, h * w, c]`."""


def gt(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a > b`, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def gt_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a > b`, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def gtz(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x > 0, else 0, element by element."""


def hardmish(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x min(max(x + 2, 0), 2) / 2, stored without rounding, element by element."""


def hardshrink(input_tensor: Tensor, *, lambd: float = 0.5, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x, or 0 where |x| <= lambd; in a 16-bit Dst `lambd` is first rounded to bfloat16."""


def hardshrink_bw(grad_tensor: Any, input_tensor: Any, lambd: Any = 0.5, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `hardshrink`, given that of its result: a list, with None where one is not required."""


def hardsigmoid(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """min(max(x / 6 + 1 / 2, 0), 1), element by element."""


def hardsigmoid_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `hardsigmoid`, given that of its result: a list, with None where one is not required."""


def hardswish(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x hardsigmoid(x), element by element."""


def hardswish_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `hardswish`, given that of its result: a list, with None where one is not required."""


def hardtanh(input_tensor: Tensor, *, min_val: float = -1.0, max_val: float = 1.0, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """min(max(x, min_val), max_val)."""


def hardtanh_bw(grad_tensor: Any, input_tensor: Any, min: Any = -1.0, max: Any = 1.0, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `hardtanh`, given that of its result: a list, with None where one is not required."""


def has_storage_type_of(tensor: Tensor, storage_type: Any, **scheduling: Any) -> bool:
    """Whether `tensor` is where `storage_type` says."""


def heaviside(input_tensor: Tensor, value: float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """0 below 0, `value` at 0, 1 above."""


def hypot(input_tensor_a: Tensor, input_tensor_b: Tensor | float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`sqrt(a ** 2 + b ** 2)`, rounded once. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def hypot_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `hypot`, given that of its result: a list, with None where one is not required."""


def i0(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The modified Bessel function of order 0, infinity where |x| is above 88.5, element by element."""


def i0_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `i0`, given that of its result: a list, with None where one is not required."""


def i1(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The modified Bessel function of order 1, x clipped to 88.5, element by element."""


def identity(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x, element by element."""


def index_fill(input: Tensor, dim: int, index: Tensor, value: float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input` with `value` in every slice that `index` names along `dim`."""


def indexed_fill(batch_id: Tensor, input_tensor_a: Tensor, input_tensor_b: Tensor, *, memory_config: MemoryConfig | None = None, dim: int = 0, **scheduling: Any) -> Tensor:
    """`input_tensor_a` with slice `k` of `input_tensor_b` at `batch_id[k]` along `dim`; of equal ids the last one stays."""


def interleaved_to_sharded(input_tensor: Tensor, *placement: Any, grid: CoreCoord | CoreRangeSet | None = None, shard_shape: tuple[int, int] | list[int] | None = None, shard_scheme: TensorMemoryLayout | None = None, shard_orientation: ShardOrientation | None = None, sharded_memory_config: MemoryConfig | None = None, output_dtype: DataType | None = None, keep_l1_aligned: bool = False, preallocated_output: Tensor | None = None, **scheduling: Any) -> Tensor:
    """A copy of an interleaved tensor in shards."""


def interleaved_to_sharded_partial(input_tensor: Tensor, grid: CoreCoord | CoreRangeSet, shard_shape: tuple[int, int] | list[int], num_slices: int, slice_index: int, shard_scheme: TensorMemoryLayout, shard_orientation: ShardOrientation, *, output_dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """One of `num_slices` equal slices of the rows of an interleaved tensor `[a, b, h, w]`, in shards: `[1, 1, rows, w]`."""


def is_tensor_storage_on_device(tensor: Tensor, **scheduling: Any) -> bool:
    """Whether `tensor` is on a device."""


def isclose(input_tensor_a: Tensor, input_tensor_b: Tensor, *, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """1 where `abs(a - b) <= atol + rtol * abs(b)`, computed in float32, else 0; with `equal_nan`, NaN is close to NaN."""


def isfinite(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x is finite, else 0, element by element."""


def isinf(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x is an infinity, else 0, element by element."""


def isnan(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x is no number, else 0, element by element."""


def isneginf(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x is minus infinity, else 0, element by element."""


def isposinf(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x is infinity, else 0, element by element."""


def l1_loss(input_reference: Tensor, input_prediction: Tensor, *, reduction: LossReductionMode = ..., memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The absolute difference of two float tensors: of each element, or its sum or mean, in a tensor of size 1 in every dimension."""


def layer_norm(input_tensor: Tensor, *, epsilon: float = 1e-12, weight: Tensor | None = None, bias: Tensor | None = None, residual_input_tensor: Tensor | None = None, memory_config: MemoryConfig | None = None, program_config: LayerNormProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, recip_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * weight + bias` over the last dimension, of `x = input_tensor + residual_input_tensor`."""


def layer_norm_post_all_gather(input_tensor: Tensor, stats: Tensor, *, epsilon: float = 1e-12, weight: Tensor | None = None, bias: Tensor | None = None, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, program_config: LayerNormProgramConfig | None = None, dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """Layer norm with the `stats` of all devices, `[..., 64 * devices]`; else as for RMS norm."""


def layer_norm_pre_all_gather(input_tensor: Tensor, *, dtype: DataType = ..., residual_input_tensor: Tensor | None = None, compute_kernel_config: ComputeKernelConfig | None = None, program_config: LayerNormProgramConfig | None = None, memory_config: MemoryConfig | None = None, recip_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """Sums of squares and sums over the last dimension, `[..., 64]`: in the first columns of two tiles; else as for RMS norm."""


def lcm(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """The least common multiple, modulo 2**32. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def ldexp(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a * 2 ** b`, rounded once. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def ldexp_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a * 2 ** b`, rounded once. The result takes the buffer of `input_a`, and must have its shape."""


def ldexp_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `ldexp`, given that of its result: a list, with None where one is not required."""


def le(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a <= b`, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def le_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a <= b`, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def leaky_relu(input_tensor: Tensor, negative_slope: float = 0.01, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x, or x times `negative_slope` below 0."""


def leaky_relu_bw(grad_tensor: Any, input_tensor: Any, negative_slope: Any = 0.01, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `leaky_relu`, given that of its result: a list, with None where one is not required."""


def lerp(input: Tensor, end: Tensor, weight: Tensor | float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`input + weight * (end - input)`, in float32 and rounded once. Raises ArgumentError for shapes or dtypes that do not fit."""


def lerp_bw(grad_tensor: Any, input_tensor_a: Any, input_tensor_b: Any, input_tensor_c: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor_a`, `input_tensor_b` in `lerp`, given that of its result: a list, with None where one is not required."""


def lez(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x <= 0, else 0, element by element."""


def lgamma(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The logarithm of the gamma function's magnitude, element by element."""


def lgamma_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `lgamma`, given that of its result: a list, with None where one is not required."""


def linear(input_tensor_a: Tensor, input_tensor_b: Tensor, *, bias: Tensor | None = None, transpose_a: bool = False, transpose_b: bool = False, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, program_config: MatmulMultiCoreReuseProgramConfig | MatmulMultiCoreReuseMultiCastProgramConfig | MatmulMultiCoreReuseMultiCast1DProgramConfig | MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig | MatmulMultiCoreProgramConfig | None = None, activation: Any = None, compute_kernel_config: ComputeKernelConfig | None = None, core_grid: CoreGrid | None = None, output_tile: Any = None, optional_output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`activation(a @ b + bias)`; everything else as in `matmul`."""


def load_tensor(file_name: str | Any[str], device: Device | None = None, **scheduling: Any) -> Tensor:
    """What `dump_tensor` wrote, on the host or on `device` (where its memory config says)."""


def log(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The natural logarithm; NaN below 0, which bfloat16 holds as infinity, element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def log10(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The logarithm of base 10, element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def log10_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `log10`, given that of its result: a list, with None where one is not required."""


def log1p(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The natural logarithm of 1 + x, element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def log1p_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `log1p`, given that of its result: a list, with None where one is not required."""


def log2(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The logarithm of base 2, element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def log2_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `log2`, given that of its result: a list, with None where one is not required."""


def log_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `log`, given that of its result: a list, with None where one is not required."""


def log_sigmoid(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """-ln(1 + exp(-x)), element by element."""


def log_sigmoid_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `log_sigmoid`, given that of its result: a list, with None where one is not required."""


def logaddexp(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`log(exp(a) + exp(b))`, rounded once. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def logaddexp2(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`log2(2 ** a + 2 ** b)`, rounded once. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def logaddexp2_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`log2(2 ** a + 2 ** b)`, rounded once. The result takes the buffer of `input_a`, and must have its shape."""


def logaddexp2_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `logaddexp2`, given that of its result: a list, with None where one is not required."""


def logaddexp_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`log(exp(a) + exp(b))`, rounded once. The result takes the buffer of `input_a`, and must have its shape."""


def logaddexp_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `logaddexp`, given that of its result: a list, with None where one is not required."""


def logical_and(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where neither is 0, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def logical_and_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where neither is 0, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def logical_left_shift(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a << b`, modulo the width; 0 where `b` is not within it. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def logical_not(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x is 0, else 0, element by element."""


def logical_not_(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`logical_not` in the buffer of `input_tensor`, which holds the result afterwards. `memory_config` must be its own, or None."""


def logical_or(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where not both are 0, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def logical_or_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where not both are 0, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def logical_right_shift(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a >> b` with zeros, whatever the sign; 0 where `b` is not within the width. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def logical_xor(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where one of the two is 0, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def logical_xor_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where one of the two is 0, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def logit(input_tensor: Tensor, *, eps: float | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """ln(x / (1 - x)), x first clipped to between eps and 1 - eps if there is an `eps`, which may be above 1 / 2."""


def logit_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `logit`, given that of its result: a list, with None where one is not required."""


def logiteps_bw(grad_tensor: Any, input_tensor: Any, eps: Any = 0.0, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `logiteps`, given that of its result: a list, with None where one is not required."""


def lt(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a < b`, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def lt_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a < b`, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def ltz(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x < 0, else 0, element by element."""


def mac(input_tensor_a: Tensor, input_tensor_b: Tensor | float, input_tensor_c: Tensor | float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`a * b + c`, in float32 and rounded once. Raises ArgumentError for shapes or dtypes that do not fit."""


def matmul(input_tensor_a: Tensor, input_tensor_b: Tensor, *, transpose_a: bool = False, transpose_b: bool = False, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, program_config: MatmulMultiCoreReuseProgramConfig | MatmulMultiCoreReuseMultiCastProgramConfig | MatmulMultiCoreReuseMultiCast1DProgramConfig | MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig | MatmulMultiCoreProgramConfig | None = None, activation: Any = None, compute_kernel_config: ComputeKernelConfig | None = None, core_grid: CoreGrid | None = None, output_tile: Any = None, optional_output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`a @ b`: `[..., m, k] x [..., k, n] -> [..., m, n]`; a vector `[k]` counts as a row on the left, a column on the right."""


def max(input_tensor: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, scalar: float = 1.0, correction: bool = True, fast_and_approximate_mode: bool = False, output_layout: Layout | None = None, **scheduling: Any) -> Tensor:
    """The largest over `dim`: exact. Raises ArgumentError where there is none."""


def max_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `max`, given that of its result: a list, with None where one is not required."""


def max_pool2d(input_tensor: Tensor, batch_size: int, input_h: int, input_w: int, channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = ..., ceil_mode: bool = False, *, memory_config: MemoryConfig | None = None, dram_slice_config: Op2DSliceConfig | None = None, applied_shard_scheme: TensorMemoryLayout | None = None, deallocate_input: bool = False, reallocate_halo_output: bool = True, return_indices: bool = False, dtype: DataType = ..., output_layout: Layout = ..., config_tensor_in_dram: bool = False, **scheduling: Any) -> Tensor | tuple[Tensor, Tensor]:
    """The largest value of each window of images `[1, 1, n * h * w, c]` (or `[n, h, w, c]`): `[1, 1, n * oh * ow, c]`."""


def maximum(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """The larger of `a` and `b`. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def mean(input_tensor: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, scalar: float = 1.0, correction: bool = True, fast_and_approximate_mode: bool = False, output_layout: Layout | None = None, **scheduling: Any) -> Tensor:
    """The mean over `dim`: a `sum` whose terms are multiplied by 1 / count, cut to bfloat16 (which is then wrong by up to 2**-7)."""


def mean_hw(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Any:
    """The mean over the last two dimensions of `[n, c, h, w]`: `[n, c, 1, 1]`. float32, rounded once, by one program where ttnn has several (not measured)."""


def mesh_partition(input_tensor: Tensor, dim: int, cluster_axis: int | None = None, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """Of what every chip has, its own slice along `dim`: the inverse of `all_gather`. Nothing goes over the links."""


def min(input_tensor: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, scalar: float = 1.0, correction: bool = True, fast_and_approximate_mode: bool = False, output_layout: Layout | None = None, **scheduling: Any) -> Tensor:
    """The smallest over `dim`: exact. Raises ArgumentError where there is none."""


def min_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `min`, given that of its result: a list, with None where one is not required."""


def minimum(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """The smaller of `a` and `b`. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def mish(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x tanh(ln(1 + exp(x))), element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def move(input_tensor: Tensor, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` freed and allocated again, as `reallocate`: the tensor passed is gone after that."""


def mse_loss(input_reference: Tensor, input_prediction: Tensor, *, reduction: LossReductionMode = ..., memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The squared difference of two float tensors; everything else as in `l1_loss`."""


def mul(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = False, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a * b`: bfloat16 pairs on the vector unit (rounded to nearest even), block floats on the FPU (HiFi4), integers modulo their width. A 32-bit integer tensor beside a float is converted to float first, by a program of its own. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise. `fast_and_approximate_mode` (off unless said otherwise) chooses the FPU for bfloat16."""


def mul_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = False, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a * b`: bfloat16 pairs on the vector unit (rounded to nearest even), block floats on the FPU (HiFi4), integers modulo their width. A 32-bit integer tensor beside a float is converted to float first, by a program of its own. The result takes the buffer of `input_a`, and must have its shape."""


def mul_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `mul`, given that of its result: a list, with None where one is not required."""


def multigammaln(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """The logarithm of the multivariate gamma function of order 4, for x above 1.5; rounded once."""


def multigammaln_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `multigammaln`, given that of its result: a list, with None where one is not required."""


def multiply(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = False, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a * b`: bfloat16 pairs on the vector unit (rounded to nearest even), block floats on the FPU (HiFi4), integers modulo their width. A 32-bit integer tensor beside a float is converted to float first, by a program of its own. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise. `fast_and_approximate_mode` (off unless said otherwise) chooses the FPU for bfloat16."""


def multiply_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = False, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a * b`: bfloat16 pairs on the vector unit (rounded to nearest even), block floats on the FPU (HiFi4), integers modulo their width. A 32-bit integer tensor beside a float is converted to float first, by a program of its own. The result takes the buffer of `input_a`, and must have its shape."""


def narrow(input_tensor: Tensor, dim: int, start: int, length: int, **scheduling: Any) -> Tensor:
    """`length` entries of dimension `dim` from `start` on; as `slice`."""


def ne(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a != b`, else 0. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def ne_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """1 where `a != b`, else 0. The result takes the buffer of `input_a`, and must have its shape."""


def neg(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """-x, element by element."""


def neg_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `neg`, given that of its result: a list, with None where one is not required."""


def nextafter(input_tensor_a: Tensor, input_tensor_b: Tensor | float, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """The float32 next to `a` on the way to `b`, rounded to the dtype: of bfloat16 and block floats, `a` itself. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def nez(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where x is not 0, else 0, element by element."""


def nonzero(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> list[Tensor]:
    """How many values of `input_tensor` are not zero, `(1, 1, 1, 8)` with the count first, and where, `(1, 1, 1, 4 * volume)`."""


def normalize_global(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Any:
    """`(x - mean) / std` over everything. float32, rounded once, by one program where ttnn has several (not measured)."""


def normalize_hw(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Any:
    """`(x - mean) / std` over the last two dimensions. float32, rounded once, by one program where ttnn has several (not measured)."""


def ones(shape: Sequence[int], dtype: DataType | None = None, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`full` of ones."""


def ones_like(tensor: Tensor, dtype: DataType | None = None, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, *, optional_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`full_like` of ones."""


def outer(input_tensor_a: Tensor, input_tensor_b: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """The outer product of the last dimensions: `[..., n]` and `[..., m]` give `[..., n, m]`; the others broadcast."""


def pad(input_tensor: Tensor, padding: Sequence[Any] | None = None, *values: Any, value: float = 0.0, output_padded_shape: Sequence[int] | None = None, input_tensor_start: Sequence[int] | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with `value` around it, which widens its logical shape; the same tensor if there is nothing to add."""


def permute(input_tensor: Tensor, dims: Sequence[int], *, memory_config: MemoryConfig | None = None, pad_value: float | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with its dimensions in the order `dims`; the same tensor if that is the order it has."""


def plus_one(input_tensor: Tensor, *, skip_negative_entries: bool = False, **scheduling: Any) -> Tensor:
    """`input_tensor`, of integers, with one added to each, in its own buffer; negative ones stay if they are to be skipped."""


def point_to_point(input_tensor: Tensor, sender_coord: Sequence[int], receiver_coord: Sequence[int], *, topology: Topology | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The tensor of the chip at `sender_coord`, on the one at `receiver_coord`. Other chips keep what `output_tensor` has; in a new
    tensor theirs are unspecified (zeros here)."""


def polygamma(input_tensor: Tensor, k: int, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """The derivative of order `k` of digamma, for positive x. Raises ArgumentError unless `k` is 1 to 10."""


def polygamma_bw(grad_tensor: Any, input_tensor: Any, n: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `polygamma`, given that of its result: a list, with None where one is not required."""


def polyval(input_tensor_a: Tensor, coeffs: Sequence[float], *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """The polynomial with `coeffs`, the highest power first, by Horner's scheme: a `multiply` and an `add` for each power."""


def pow(input_tensor: Tensor | float, exponent: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor ** exponent`, rounded once; either may be a number. NaN for a negative number to a broken power."""


def pow_bw(grad_tensor: Any, input_tensor: Any, exponent: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `pow`, given that of its result: a list, with None where one is not required."""


def prelu(input_tensor_a: Tensor, weight: Tensor | float | Sequence[float], *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`x`, or `weight * x` below 0. `weight` is a number, a sequence of one, or a tensor with one value for each index of axis 1."""


def prepare_conv_bias(*, bias_tensor: Tensor, input_memory_config: MemoryConfig, input_layout: Layout, in_channels: int, out_channels: int, batch_size: int, input_height: int, input_width: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int, input_dtype: DataType | None = None, output_dtype: DataType | None = None, conv_config: Conv2dConfig | None = None, compute_config: ComputeKernelConfig | None = None, slice_config: Op2DSliceConfig | None = None, device: Device | None = None, **scheduling: Any) -> Tensor:
    """`bias_tensor` `[1, 1, 1, out]` as `conv2d` uses it: a row of tiles in `conv_config.weights_dtype`. As `prepare_conv_weights`."""


def prepare_conv_transpose2d_bias(*, bias_tensor: Tensor, input_memory_config: MemoryConfig, input_layout: Layout, in_channels: int, out_channels: int, batch_size: int, input_height: int, input_width: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int, input_dtype: DataType | None = None, output_dtype: DataType | None = None, conv_config: Conv2dConfig | None = None, compute_config: ComputeKernelConfig | None = None, dram_slice_config: Op2DSliceConfig | None = None, device: Device | None = None, **scheduling: Any) -> Tensor:
    """`bias_tensor` `[1, 1, 1, out]` as `conv_transpose2d` uses it. As `prepare_conv_bias`."""


def prepare_conv_transpose2d_weights(*, weight_tensor: Tensor, input_memory_config: MemoryConfig, input_layout: Layout, weights_format: str, in_channels: int, out_channels: int, batch_size: int, input_height: int, input_width: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, has_bias: bool, groups: int, input_dtype: DataType | None = None, output_dtype: DataType | None = None, conv_config: Conv2dConfig | None = None, compute_config: ComputeKernelConfig | None = None, dram_slice_config: Op2DSliceConfig | None = None, mirror_kernel: bool = True, device: Device | None = None, **scheduling: Any) -> Tensor:
    """`weight_tensor` `[in, out / groups, kh, kw]` as `conv_transpose2d` uses it; mirrored, if `mirror_kernel`."""


def prepare_conv_weights(*, weight_tensor: Tensor, input_memory_config: MemoryConfig, input_layout: Layout, weights_format: str, in_channels: int, out_channels: int, batch_size: int, input_height: int, input_width: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, has_bias: bool, groups: int, input_dtype: DataType | None = None, output_dtype: DataType | None = None, conv_config: Conv2dConfig | None = None, compute_config: ComputeKernelConfig | None = None, slice_config: Op2DSliceConfig | None = None, device: Device | None = None, **scheduling: Any) -> Tensor:
    """`weight_tensor` `[out, in / groups, kh, kw]` as `conv2d` uses it, in interleaved DRAM, rounded to `conv_config.weights_dtype`."""


def prepare_grid_sample_grid(grid: Tensor, input_shape: Any, *, mode: str = 'bilinear', padding_mode: str = 'zeros', align_corners: bool = False, output_dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """Normalized points `[n, gh, gw, 2]` as neighbours and weights for images of `input_shape` `(n, h, w, c)`: `[n, gh, gw, 6]`."""


def prod(input_tensor: Tensor, dim: int | Tensor | None = None, keepdim: bool = False, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, dims: Sequence[int] | None = None, **scheduling: Any) -> Tensor:
    """The product over `dim`, of everything if it is None; in TILE layout. Block floats give float32."""


def rad2deg(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x 180 / pi, element by element."""


def rad2deg_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `rad2deg`, given that of its result: a list, with None where one is not required."""


def rand(shape: Sequence[int], device: Device | None = None, *, dtype: DataType = ..., layout: Layout = ..., memory_config: MemoryConfig = ..., low: float = 0.0, high: float = 1.0, seed: int = 0, **scheduling: Any) -> Tensor:
    """Uniform numbers in `[low, high)`. Other dtypes than bfloat16 and float32 are cast from float32 as `typecast` does."""


def randn(shape: Sequence[int], device: Device | None = None, *, dtype: DataType = ..., layout: Layout = ..., memory_config: MemoryConfig = ..., compute_kernel_config: object = None, seed: int = 0, **scheduling: Any) -> Tensor:
    """Normal numbers of mean 0 and variance 1, in a float dtype. `compute_kernel_config` changes nothing."""


def rdiv(input_tensor: Tensor, value: float, *, rounding_mode: str | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """value / x; its whole part ("trunc") or the largest whole number up to it ("floor"), if asked."""


def rdiv_bw(grad_tensor: Any, input_tensor: Any, scalar: Any, round_mode: Any = None, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `rdiv`, given that of its result: a list, with None where one is not required."""


def reallocate(tensor: Tensor, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """Free `tensor` and allocate it again, first fit: closes the hole above (L1) or below (DRAM) it. `tensor` is gone after that."""


def reciprocal(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 / x, element by element."""


def reciprocal_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `reciprocal`, given that of its result: a list, with None where one is not required."""


def reduce_scatter(input_tensor: Tensor, dim: int, *, cluster_axis: int | None = None, topology: Topology | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, num_links: int | None = None, **scheduling: Any) -> Tensor:
    """The sum of the tensors of a group's chips, of which each has its slice along `dim`: `[..., n * d, ...]` becomes `[..., d, ...]`."""


def reglu(input_tensor: Tensor, dim: int = -1, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """As `glu`, with relu; of unsigned integers too."""


def relu(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """max(x, 0), element by element."""


def relu6(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """min(max(x, 0), 6), element by element."""


def relu6_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `relu6`, given that of its result: a list, with None where one is not required."""


def relu_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `relu`, given that of its result: a list, with None where one is not required."""


def relu_max(input_tensor: Tensor, upper_limit: float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """min(max(x, 0), upper_limit)."""


def relu_min(input_tensor: Tensor, lower_limit: float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """max(x, lower_limit)."""


def remainder(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """What `a / b` leaves, with the sign of `b`; rounded once. An int32 tensor with a float becomes float32. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def remainder_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `remainder`, given that of its result: a list, with None where one is not required."""


def repeat(input_tensor: Tensor, repeat_dims: Sequence[int] | None = None, *, memory_config: MemoryConfig | None = None, repetition_vector: Sequence[int] | None = None, shape: Sequence[int] | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` repeated so often along each dimension; fewer counts than dimensions apply to the last ones."""


def repeat_interleave(input_tensor: Tensor, repeats: int, dim: int = 0, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with each entry of dimension `dim` repeated `repeats` times in a row. One program."""


def reshape(input_tensor: Tensor, shape: Sequence[int], padded_shape: Sequence[int] | None = None, *, memory_config: MemoryConfig | None = None, pad_value: float | None = None, reshape_tile_mode: Any = None, recreate_mapping_tensor: bool | None = None, skip_padding_fill: bool = False, **scheduling: Any) -> Tensor:
    """`input_tensor` with another shape of the same volume; one dimension may be -1."""


def reshape_on_device(input_tensor: Tensor, W: int, Z: int, Y: int, X: int, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with shape `(W, Z, Y, X)`; as `reshape`, one of them may be -1."""


def reshard(input_tensor: Tensor, output_memory_config: MemoryConfig, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """A copy of a sharded tensor in other shards."""


def rms_norm(input_tensor: Tensor, *, epsilon: float = 1e-12, weight: Tensor | None = None, bias: Tensor | None = None, residual_input_tensor: Tensor | None = None, memory_config: MemoryConfig | None = None, program_config: LayerNormProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`x / sqrt(mean(x**2) + epsilon) * weight + bias` over the last dimension; everything else as in `layer_norm`, TILE layout only."""


def rms_norm_post_all_gather(input_tensor: Tensor, stats: Tensor, *, epsilon: float = 1e-12, weight: Tensor | None = None, bias: Tensor | None = None, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, program_config: LayerNormProgramConfig | None = None, dtype: DataType | None = None, use_2d_core_grid: bool | None = None, **scheduling: Any) -> Tensor:
    """RMS norm with the `stats` of all devices, `[..., 32 * devices]`, of which each has an equal part of the last dimension."""


def rms_norm_pre_all_gather(input_tensor: Tensor, *, dtype: DataType = ..., residual_input_tensor: Tensor | None = None, compute_kernel_config: ComputeKernelConfig | None = None, program_config: LayerNormProgramConfig | None = None, memory_config: MemoryConfig | None = None, use_2d_core_grid: bool | None = None, **scheduling: Any) -> Tensor:
    """Sums of squares over the last dimension, `[..., 32]`: the first column has them, the others 0."""


def roll(input_tensor: Tensor, shifts: int | Sequence[int], dim: int | Sequence[int] | None = None, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with its entries shifted by `shifts` along `dim`, those that fall off coming in again at the other end."""


def rotate(input_tensor: Tensor, angle: float, *, center: tuple[float, float] | None = None, fill: float = 0.0, expand: bool = False, interpolation_mode: str = 'nearest', memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """Images `[n, h, w, c]` turned by `angle` degrees, counterclockwise, about `center`; same shape, `fill` where nothing was."""


def round(input_tensor: Tensor, *, decimals: int | None = 0, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x to `decimals` decimal places, -6 to 7; ties go to the even neighbour."""


def round_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `round`, given that of its result: a list, with None where one is not required."""


def rpow(input_tensor: Tensor, exponent: float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`exponent`, which is the base, to the power x. Raises ArgumentError unless it is positive."""


def rpow_bw(grad_tensor: Any, input_tensor: Any, exponent: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `rpow`, given that of its result: a list, with None where one is not required."""


def rsqrt(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 over the square root, element by element. With `fast_and_approximate_mode` a faster variant: it does not look for negative x, where it is meaningless."""


def rsqrt_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `rsqrt`, given that of its result: a list, with None where one is not required."""


def rsub(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = True, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`b - a`, computed as `add` is. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise. `fast_and_approximate_mode` (on unless said otherwise) chooses the FPU for bfloat16."""


def rsub_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`b - a`, computed as `add` is. The result takes the buffer of `input_a`, and must have its shape."""


def rsub_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `rsub`, given that of its result: a list, with None where one is not required."""


def scale_causal_mask_hw_dims_softmax_in_place(input_tensor: Tensor, scale: float | None = None, mask: Tensor | None = None, *, program_config: SoftmaxProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, numeric_stable: bool = False, **scheduling: Any) -> Tensor:
    """`scale_mask_softmax_in_place` with one causal mask `[1, 1, rows, columns]` for every batch and head."""


def scale_mask_softmax(input_tensor: Tensor, scale: float | None = None, mask: Tensor | None = None, *, memory_config: MemoryConfig | None = None, is_causal_mask: bool = False, compute_kernel_config: ComputeKernelConfig | None = None, numeric_stable: bool = True, **scheduling: Any) -> Tensor:
    """Softmax of `input_tensor * scale + mask` over the last dimension, in one program; scores `[batch, heads, rows, columns]`."""


def scale_mask_softmax_in_place(input_tensor: Tensor, scale: float | None = None, mask: Tensor | None = None, *, program_config: SoftmaxProgramConfig | None = None, is_causal_mask: bool = False, compute_kernel_config: ComputeKernelConfig | None = None, numeric_stable: bool = False, **scheduling: Any) -> Tensor:
    """`scale_mask_softmax` in the buffer of `input_tensor`, which is not to be used after that. It does not tilize."""


def scatter(input: Tensor, dim: int, index: Tensor, src: Tensor, *, memory_config: MemoryConfig | None = None, reduce: str | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`input` with the values of `src` where `index` says along `dim`, as `torch.scatter`; `reduce`: add, multiply, amin, amax."""


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`scatter` with `reduce="add"`."""


def selu(input_tensor: Tensor, *, scale: float = 1.0507, alpha: float = 1.67326, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """scale times elu(x, alpha)."""


def selu_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `selu`, given that of its result: a list, with None where one is not required."""


def sharded_to_interleaved(input_tensor: Tensor, memory_config: MemoryConfig | None = None, output_dtype: DataType | None = None, *, is_l1_aligned: bool = False, **scheduling: Any) -> Tensor:
    """A copy of a tensor sharded in L1 as an interleaved one, in DRAM by default; an interleaved tensor is returned itself."""


def sharded_to_interleaved_partial(input_tensor: Tensor, cache_tensor: Tensor, num_slices: int, slice_index: int, *, memory_config: MemoryConfig | None = None, output_dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """`cache_tensor` with one of `num_slices` equal slices of its rows replaced by a sharded tensor; it keeps its buffer."""


def sigmoid(input_tensor: Tensor, *, vector_mode: int = 4, mode: SigmoidMode | None = None, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 / (1 + exp(-x)), on bfloat16 by the device's own formula."""


def sigmoid_accurate(input_tensor: Tensor, fast_and_approximate_mode: bool = False, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`sigmoid`; the flag makes the device's exponential faster, and here nothing less exact."""


def sigmoid_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `sigmoid`, given that of its result: a list, with None where one is not required."""


def sign(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """-1, 0 or 1, element by element."""


def sign_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `sign`, given that of its result: a list, with None where one is not required."""


def signbit(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """1 where the sign bit is set, else 0, element by element."""


def silu(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x / (1 + exp(-x)), element by element."""


def silu_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `silu`, given that of its result: a list, with None where one is not required."""


def sin(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The sine, element by element."""


def sin_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `sin`, given that of its result: a list, with None where one is not required."""


def sinh(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The hyperbolic sine, element by element."""


def sinh_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `sinh`, given that of its result: a list, with None where one is not required."""


def slice(input_tensor: Tensor, slice_start: Sequence[int] | Tensor | None = None, slice_end: Sequence[int] | Tensor | None = None, slice_step: Sequence[int] | None = None, *, starts: Sequence[int] | Tensor | None = None, ends: Sequence[int] | Tensor | None = None, steps: Sequence[int] | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, pad_value: float | None = None, slice_dim: int | None = None, num_devices: int | None = None, **scheduling: Any) -> Tensor:
    """The part of `input_tensor` from `starts` (inclusive) to `ends` (exclusive), every `steps`-th of it; negative ones count back."""


def softcap(input_tensor: Tensor, beta: float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """beta tanh(x / beta), on Blackhole only. Raises ArgumentError on another chip and for a `beta` of 0."""


def softmax(input_tensor: Tensor, dim: int = -1, *, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, numeric_stable: bool = True, **scheduling: Any) -> Tensor:
    """Softmax over `dim`, in the dtype of the input (float32, bfloat16 or bfloat8_b) and TILE layout; ROW_MAJOR is tilized first."""


def softmax_in_place(input_tensor: Tensor, dim: int = -1, *, program_config: SoftmaxProgramConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, numeric_stable: bool = True, **scheduling: Any) -> Tensor:
    """`softmax` in place: the result takes the buffer of `input_tensor`, which is not to be used after that. TILE layout only."""


def softplus(input_tensor: Tensor, *, beta: float = 1.0, threshold: float = 20.0, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """ln(1 + exp(beta x)) / beta; x itself where beta x is above `threshold`. Raises ArgumentError for a `beta` of 0."""


def softplus_bw(grad_tensor: Any, input_tensor: Any, beta: Any = 1.0, threshold: Any = 20.0, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `softplus`, given that of its result: a list, with None where one is not required."""


def softshrink(input_tensor: Tensor, *, lambd: float = 0.5, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x moved towards 0 by `lambd`, 0 within it."""


def softshrink_bw(grad_tensor: Any, input_tensor: Any, lambd: Any = 0.5, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `softshrink`, given that of its result: a list, with None where one is not required."""


def softsign(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x / (1 + |x|), element by element."""


def softsign_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `softsign`, given that of its result: a list, with None where one is not required."""


def sort(input_tensor: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *, memory_config: MemoryConfig | None = None, out: Sequence[Tensor] | None = None, **scheduling: Any) -> list[Tensor]:
    """The values in order along `dim`, and the index of each (uint16, or uint32 from 65,536 on)."""


def split(input_tensor: Tensor, split_size: int | Sequence[int], dim: int = 0, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> list[Tensor]:
    """`input_tensor` in parts of `split_size` (the last may be less), or of the sizes listed, along `dim`; each as `slice`."""


def sqrt(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The square root; NaN below 0, which bfloat16 holds as infinity, element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def sqrt_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `sqrt`, given that of its result: a list, with None where one is not required."""


def square(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x times x, integers modulo their width, element by element."""


def square_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `square`, given that of its result: a list, with None where one is not required."""


def squared_difference(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = True, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`(a - b) ** 2`, the difference rounded as `subtract` does. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise. `fast_and_approximate_mode` (on unless said otherwise) chooses the FPU for bfloat16."""


def squared_difference_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`(a - b) ** 2`, the difference rounded as `subtract` does. The result takes the buffer of `input_a`, and must have its shape."""


def squared_difference_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `squared_difference`, given that of its result: a list, with None where one is not required."""


def squeeze(input_tensor: Tensor, dim: int | Sequence[int] | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` without those of the dimensions `dim` (all, by default) that are one; as `reshape`."""


def squeeze_from_4D(tensor: Tensor, rank: int, **scheduling: Any) -> Tensor:
    """`tensor` of rank 4 without its leading dimensions, down to `rank`. Raises ArgumentError if one of them is not one."""


def stack(input_tensors: Sequence[Tensor], dim: int, **scheduling: Any) -> Tensor:
    """`input_tensors` of one shape and dtype, joined along a new dimension before `dim`: each `unsqueeze`d, then `concat`."""


def std(input_tensor: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, scalar: float = 1.0, correction: bool = True, **scheduling: Any) -> Tensor:
    """The standard deviation over `dim`. In TILE layout, in the dtype of the input."""


def std_hw(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Any:
    """The square root of `var_hw`. float32, rounded once, by one program where ttnn has several (not measured)."""


def sub(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = True, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a - b`, computed as `add` is. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise. `fast_and_approximate_mode` (on unless said otherwise) chooses the FPU for bfloat16."""


def sub_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a - b`, computed as `add` is. The result takes the buffer of `input_a`, and must have its shape."""


def sub_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `sub`, given that of its result: a list, with None where one is not required."""


def subalpha(input_tensor_a: Tensor, input_tensor_b: Tensor | float, alpha: float = 1.0, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`a - alpha * b`, as `addalpha`."""


def subalpha_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, alpha: Any = 1.0, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `subalpha`, given that of its result: a list, with None where one is not required."""


def subtract(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, fast_and_approximate_mode: bool = True, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a - b`, computed as `add` is. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise. `fast_and_approximate_mode` (on unless said otherwise) chooses the FPU for bfloat16."""


def subtract_(input_a: Tensor, input_b: Tensor | float, *, fast_and_approximate_mode: bool = True, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a - b`, computed as `add` is. The result takes the buffer of `input_a`, and must have its shape."""


def sum(input_tensor: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, scalar: float = 1.0, correction: bool = True, fast_and_approximate_mode: bool = False, output_layout: Layout | None = None, **scheduling: Any) -> Tensor:
    """The sum over `dim`, in the dtype of the input; integers modulo their width."""


def swiglu(input_tensor: Tensor, dim: int = -1, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """As `glu`, with silu."""


def swish(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x / (1 + exp(-x)), element by element."""


def tan(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The tangent, element by element."""


def tan_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `tan`, given that of its result: a list, with None where one is not required."""


def tanh(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The hyperbolic tangent, element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def tanh_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `tanh`, given that of its result: a list, with None where one is not required."""


def tanhshrink(input_tensor: Tensor, *, fast_and_approximate_mode: bool = False, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x - tanh(x), element by element. With `fast_and_approximate_mode` a faster variant: as exact here as the other."""


def tanhshrink_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `tanhshrink`, given that of its result: a list, with None where one is not required."""


def threshold(input_tensor: Tensor, threshold: float, value: float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """x where it is above `threshold`, else `value`."""


def threshold_bw(grad_tensor: Any, input_tensor: Any, threshold: Any, value: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `threshold`, given that of its result: a list, with None where one is not required."""


def tilize(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor`, ROW_MAJOR and of whole tiles, in TILE layout; a float may become another float on the way."""


def tilize_with_val_padding(input_tensor: Tensor, output_tensor_shape: Sequence[int], pad_value: float, *, memory_config: MemoryConfig | None = None, dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` in TILE layout, its logical shape kept, padded to `output_tensor_shape`."""


def tilize_with_zero_padding(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` in TILE layout, padded to whole tiles; a float may become another float on the way."""


def to_device(tensor: Tensor, device: Device, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`tensor` on `device`; the same tensor, sharing its buffer, if it is there already."""


def to_dtype(tensor: Tensor, dtype: DataType, **scheduling: Any) -> Tensor:
    """A host tensor in another dtype, by the host's rules; a block float is TILE. Raises ArgumentError for a device tensor:
    `typecast` is for those."""


def to_layout(tensor: Tensor, layout: Layout, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, *, pad_value: float = 0.0, **scheduling: Any) -> Tensor:
    """`tensor` in another layout; the same tensor, sharing its buffer, if it has that layout already (whatever `memory_config` says)."""


def to_memory_config(tensor: Tensor, memory_config: MemoryConfig, dtype: DataType | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """A copy of `tensor` placed by `memory_config`; the same tensor, sharing its buffer, if it lies there already in that dtype."""


def to_numpy(tensor: Tensor, *, mesh_composer: Any = None, **scheduling: Any) -> Any:
    """The values as a NumPy array: bfloat16 as ml_dtypes.bfloat16, block floats as float32, integers as themselves."""


def to_torch(tensor: Tensor, dtype: Any = None, *, torch_rank: int | None = None, mesh_composer: Any = None, device: Device | None = None, cq_id: int | None = None, **scheduling: Any) -> Any:
    """The values as a torch tensor: bfloat16 as such, block floats as float32; `dtype` converts after that."""


def topk(input_tensor: Tensor, k: int = 32, dim: int = -1, largest: bool = True, sorted: bool = True, *, memory_config: MemoryConfig | None = None, indices_tensor: Tensor | None = None, output_tensor: Sequence[Tensor] | None = None, stable: bool = False, **scheduling: Any) -> tuple[Tensor, Tensor]:
    """The `k` largest along `dim` (smallest, if `largest` is False) and their indices (uint16, or uint32 from 65,536 on)."""


def transpose(input_tensor: Tensor, dim1: int, dim2: int, *, memory_config: MemoryConfig | None = None, pad_value: float | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with two dimensions exchanged; as `permute`."""


def tril(input_tensor: Tensor, diagonal: int = 0, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with zeros above the `diagonal` (0: the main one, above it if positive) of its last two dimensions."""


def triu(input_tensor: Tensor, diagonal: int = 0, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` with zeros below the `diagonal` (0: the main one, above it if positive) of its last two dimensions."""


def trunc(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """The whole part of x, element by element."""


def trunc_bw(grad_tensor: Any, input_tensor: Any, *, memory_config: Any = None, input_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor` in `trunc`, given that of its result: a list, with None where one is not required."""


def ttnn_dtype_to_torch_dtype(dtype: DataType, **scheduling: Any) -> Any:
    """What `to_torch` gives for `dtype`. Raises ArgumentError where there is none."""


def typecast(input_tensor: Tensor, dtype: DataType | None = None, output_dtype: DataType | None = None, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, input_dtype: DataType | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` in another dtype by the device's rules; always a new buffer, unless `output_tensor` gives one."""


def unary_chain(input_tensor: Tensor, ops_chain: Sequence[UnaryWithParam], *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """Several functions after one another in one program, each rounded to the destination register's width."""


def uniform(input: Tensor, from_: float = 0.0, to: float = 1.0, seed: int = 0, *, memory_config: MemoryConfig | None = None, compute_kernel_config: object = None, **named: float) -> Tensor:
    """`input`, bfloat16 or float32 in TILE layout, with its values replaced by uniform ones in `[from, to)`, in its own buffer."""


def unsqueeze(input_tensor: Tensor, dim: int, **scheduling: Any) -> Tensor:
    """`input_tensor` with a dimension of one before `dim` (negative: counted from the end of the result); as `reshape`."""


def unsqueeze_to_4D(tensor: Tensor, **scheduling: Any) -> Tensor:
    """`tensor` with leading dimensions of one, up to rank 4. Raises ArgumentError for a higher rank."""


def untilize(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` in ROW_MAJOR layout, a block float as bfloat16."""


def untilize_with_unpadding(input_tensor: Tensor, output_tensor_end: Sequence[int], *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`input_tensor` in ROW_MAJOR layout, from the origin to `output_tensor_end` (inclusive); a block float as bfloat16."""


def update_cache(cache: Tensor, input: Tensor, update_idx: int, *, batch_offset: int = 0, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`cache` `[b, heads, t, d]` with one token of each user, `input` `[1, heads, users, d]`, in row `update_idx`, in place."""


def update_cache_for_token_(cache: Tensor, input: Tensor, update_index: int, batch_offset: int = 0, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """`update_cache` under its name in `ttnn.kv_cache`."""


def upsample(input_tensor: Tensor, scale_factor: Any, *, mode: str = 'nearest', memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, **scheduling: Any) -> Tensor:
    """Images `[n, h, w, c]` scaled to `[n, floor(h * sh), floor(w * sw), c]`, in their dtype and layout, and by default where they
    are; shards grow with the images."""


def var(input_tensor: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, memory_config: MemoryConfig | None = None, compute_kernel_config: ComputeKernelConfig | None = None, scalar: float = 1.0, correction: bool = True, **scheduling: Any) -> Tensor:
    """The variance over `dim`. In TILE layout, in the dtype of the input."""


def var_hw(input_tensor: Tensor, *, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Any:
    """The variance, divided by the count, over the last two dimensions: `[n, c, 1, 1]`. float32, rounded once, by one program where ttnn has several (not measured)."""


def view(input_tensor: Tensor, shape: int | Sequence[int], *sizes: int, **scheduling: Any) -> Tensor:
    """`input_tensor` with another shape in the same buffer; the sizes may be arguments of their own."""


def where(predicate: Tensor, true_value: Tensor | float, false_value: Tensor | float, *, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`true_value` where `predicate` is not 0, else `false_value`; exact."""


def where_bw(grad_tensor: Any, input_tensor_a: Any, input_tensor_b: Any, input_tensor_c: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor_b`, `input_tensor_c` in `where`, given that of its result: a list, with None where one is not required."""


def xielu(input_tensor: Tensor, *, alpha_p: float = 0.8, alpha_n: float = 0.8, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """alpha_p x**2 + x / 2 above 0; alpha_n (exp(min(x, -1e-6)) - 1 - x) + x / 2 from 0 down."""


def xlogy(input_tensor_a: Tensor | float, input_tensor_b: Tensor | float, *, dtype: DataType | None = None, memory_config: MemoryConfig | None = None, output_tensor: Tensor | None = None, activations: Sequence[Any] | None = None, input_tensor_a_activations: Sequence[Any] | None = None, input_tensor_b_activations: Sequence[Any] | None = None, **scheduling: Any) -> Tensor:
    """`a * log(b)`, 0 where `a` is; rounded once. Shapes broadcast as in NumPy; dtype and place of the result are the first tensor's unless said otherwise."""


def xlogy_bw(grad_tensor: Any, input_tensor: Any, other_tensor: Any, *, are_required_outputs: Any = None, memory_config: Any = None, input_grad: Any = None, other_grad: Any = None, **scheduling: Any) -> Any:
    """The gradients of `input_tensor`, `other_tensor` in `xlogy`, given that of its result: a list, with None where one is not required."""


def zeros(shape: Sequence[int], dtype: DataType | None = None, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, **scheduling: Any) -> Tensor:
    """`full` of zeros."""


def zeros_like(tensor: Tensor, dtype: DataType | None = None, layout: Layout | None = None, device: Device | None = None, memory_config: MemoryConfig | None = None, *, optional_tensor: Tensor | None = None, **scheduling: Any) -> Tensor:
    """`full_like` of zeros."""
