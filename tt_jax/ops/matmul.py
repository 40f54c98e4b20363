"""Matrix multiplication and linear layers."""

import math
from typing import Any, NamedTuple

from jax import Array

from tt_jax.activations import UnaryWithParam, as_activation
from tt_jax.compute import ComputeKernelConfig, CoreGrid
from tt_jax.dtypes import FLOATS, DataType, float32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.kernels import packer, unary
from tt_jax.layout import TILE_LAYOUT, Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_flags, require_options, resolve_compute
from tt_jax.ops._support import Support
from tt_jax.ops.binary import add
from tt_jax.ops.creation import deallocate
from tt_jax.ops.layout import to_layout
from tt_jax.ops.matmul_config import adds_bias, fused_activation
from tt_jax.ops.matmul_operation import MATMUL, Matmul, all_in_dram, default_matmul_config, is_one_row, is_row_of_tiles
from tt_jax.ops.reshape import reshape
from tt_jax.program import Operation, active_cache, launch, require_live, require_memory, require_tensor
from tt_jax.program_configs import MatmulProgramConfig
from tt_jax.tensor import Tensor, TensorSpec
from tt_jax.tile import Tile

__all__ = ["linear", "matmul"]


class _Activation(NamedTuple):
    function: UnaryWithParam
    memory_config: MemoryConfig


def _activation_specs(attributes: _Activation, specs: tuple[TensorSpec]) -> tuple[TensorSpec]:
    return (specs[0].replace(memory_config=attributes.memory_config),)


def _activation_kernel(attributes: _Activation, specs: tuple[TensorSpec], x: Array) -> tuple[Array]:
    dst = unary.apply_chain((attributes.function.function,), x, specs[0].dtype is float32)
    return (packer.pack(dst, specs[0].dtype.kernel_name),)  # type: ignore[arg-type]


_ACTIVATION = Operation("unary", _activation_specs, _activation_kernel)


def _tile(name: str, output_tile: Any) -> Tile | None:
    """A tile from itself or its two sizes. Raises ArgumentError for anything else."""
    if output_tile is None or isinstance(output_tile, Tile):
        return output_tile
    if not isinstance(output_tile, list | tuple) or len(output_tile) != 2:
        raise ArgumentError(f"{name}: `output_tile` must be a Tile or its (height, width), got {output_tile!r}")
    return Tile(tuple(output_tile))


def output_options(
    name: str, dtype: DataType | None, memory_config: MemoryConfig | None, output: Tensor | None
) -> tuple[DataType | None, MemoryConfig | None]:
    """Dtype and placement asked for, or those of the given `optional_output_tensor`. Raises ArgumentError if they differ."""
    if output is None:
        return dtype, memory_config
    spec = require_tensor(name, "optional_output_tensor", output).spec
    for argument, asked, given in (("dtype", dtype, spec.dtype), ("memory_config", memory_config, spec.memory_config)):
        if asked is not None and asked != given:
            raise ArgumentError(
                f"{name}: `{argument}` is {asked!r}, but `optional_output_tensor` is {spec}: leave one of them out"
            )
    return spec.dtype, spec.memory_config


def _multiply(
    name: str,
    memory: MemoryState,
    a: Tensor,
    b: Tensor,
    bias: Tensor | None,
    *,
    transpose_a: bool,
    transpose_b: bool,
    memory_config: MemoryConfig | None,
    dtype: DataType | None,
    program_config: MatmulProgramConfig | None,
    activation: Any,
    compute_kernel_config: ComputeKernelConfig | None,
    core_grid: CoreGrid | None,
    output_tile: Any,
    optional_output_tensor: Tensor | None,
) -> tuple[MemoryState, Tensor]:
    require_memory(name, memory)
    a, b = require_tensor(name, "input_tensor_a", a), require_tensor(name, "input_tensor_b", b)
    if bias is not None:
        require_tensor(name, "bias", bias)
    function = None if activation is None else as_activation(name, activation)
    require_options(
        name, dtype=dtype, memory_config=memory_config, compute_kernel_config=compute_kernel_config, core_grid=core_grid
    )
    if program_config is not None and not isinstance(program_config, MatmulProgramConfig):
        raise ArgumentError(f"{name}: `program_config` must be a matmul's program config, got {program_config!r}")
    if program_config is not None and core_grid is not None:
        raise ArgumentError(
            f"{name}: `core_grid` and `program_config` are both given: the config names its own grid, leave core_grid out"
        )
    require_flags(name, transpose_a=transpose_a, transpose_b=transpose_b)
    dtype, memory_config = output_options(name, dtype, memory_config, optional_output_tensor)
    out, grid = dtype or a.dtype, CoreGrid(*reversed(memory.device.grid))
    if core_grid is not None and (core_grid.x > grid.x or core_grid.y > grid.y):
        core_grid = grid
    has_program = core_grid is not None or program_config is not None
    default = default_matmul_config(memory.device, a.dtype, b.dtype, out, has_program)
    compute = resolve_compute(name, memory.device, compute_kernel_config, default)
    placement = memory_config or DRAM_MEMORY_CONFIG
    fused = bias is not None and _is_fused(a, b, bias, placement, core_grid, program_config)
    later_bias = None if fused else bias
    # A core grid's program applies the activation itself; one with a config applies the config's own.
    with_grid = core_grid is not None
    within = function if with_grid else fused_activation(name, program_config)
    later_activation = None if with_grid else function
    inputs = (a, b, bias) if fused and bias is not None else (a, b)
    attributes = Matmul(
        transpose_a, transpose_b, out, placement, grid, core_grid, within, compute, program_config, _tile(name, output_tile)
    )
    if min(len(a.shape), len(b.shape)) == 1:
        return _multiply_vector(memory, name, attributes, a, b, bias, later_activation, optional_output_tensor)
    if later_bias is None and later_activation is None:
        memory, (y,) = launch(memory, MATMUL, inputs, attributes, output=optional_output_tensor)
        return memory, y
    if later_bias is not None:
        require_live(name, memory, later_bias, 2)  # before the product, which could take the place of a freed one
    with active_cache().all_or_nothing():
        memory, (y,) = launch(memory, MATMUL, inputs, attributes)
        return _post_process(memory, y, later_bias, later_activation, placement, optional_output_tensor)


def _is_fused(
    a: Tensor,
    b: Tensor,
    bias: Tensor,
    placement: MemoryConfig,
    core_grid: CoreGrid | None,
    program_config: MatmulProgramConfig | None,
) -> bool:
    """Whether the matmul's own program adds the bias.

    It does with a core grid, or with a config that shares inputs between cores, or if everything lies in DRAM and the weights are
    no batch. A ROW_MAJOR bias is never added there. Source: reference data, op_specs (measured: every recorded case).
    """
    if bias.layout is Layout.ROW_MAJOR:
        return False
    if program_config is not None:
        return adds_bias(program_config) and is_row_of_tiles(bias.spec)
    if core_grid is not None:
        return True
    return (
        all_in_dram((a.memory_config, b.memory_config, placement)) and is_one_row(bias.shape) and math.prod(b.shape[:-2]) == 1
    )


def _viewed(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`x` under another shape with the same pages."""
    return x.viewed(x.spec.replace(shape=shape))


def _multiply_vector(
    memory: MemoryState,
    name: str,
    attributes: Matmul,
    a: Tensor,
    b: Tensor,
    bias: Tensor | None,
    activation: UnaryWithParam | None,
    output: Tensor | None,
) -> tuple[MemoryState, Tensor]:
    """A product with a vector: of rows if it comes first (a view), of columns if second (a reshape, then another of the result).

    The columns stay until the end, as ttnn keeps them. Source: reference data, errors (measured); matmul.cpp (read in source).
    """
    if output is not None or attributes.transpose_a or attributes.transpose_b:
        raise NotModelledError(
            f"{name}: a vector ({a.spec} by {b.spec}) with an output tensor or a transposed input is not modelled; "
            "reshape it to a matrix"
        )
    if bias is not None:
        require_live(name, memory, bias, 2)
        if len(a.shape) == len(b.shape):
            raise NotModelledError(f"{name}: a bias for the product of two vectors is not modelled; add it afterwards")
    for argument, x in (("input_tensor_a", a), ("input_tensor_b", b)):
        if x.layout is not TILE_LAYOUT or not x.dtype.is_float:
            raise ArgumentError(f"{name}: `{argument}` must be a float tensor in TILE layout, got {x.spec}")
    with active_cache().all_or_nothing():
        left = _viewed(a, (1, *a.shape)) if len(a.shape) == 1 else a
        right = b
        if len(b.shape) == 1:
            memory, right = reshape(memory, b, (*b.shape, 1))
        memory, (y,) = launch(memory, MATMUL, (left, right), attributes)
        shape = (*y.shape[:-2], *(y.shape[-2:-1] if len(a.shape) > 1 else ()), *(y.shape[-1:] if len(b.shape) > 1 else ()))
        if not shape:
            y = _viewed(y, ())
        elif shape != y.shape:
            product = y
            memory, y = reshape(memory, product, shape)
            if y.buffer != product.buffer:
                memory = deallocate(memory, product)
        memory, y = _post_process(memory, y, bias, activation, attributes.memory_config, None)
        return (memory if right.buffer == b.buffer else deallocate(memory, right)), y


def _post_process(
    memory: MemoryState,
    y: Tensor,
    bias: Tensor | None,
    activation: UnaryWithParam | None,
    placement: MemoryConfig,
    output: Tensor | None,
) -> tuple[MemoryState, Tensor]:
    """Bias and activation as operations of their own, the last of which has the `output` tensor: so the device, without a core grid."""
    if bias is not None:
        _require_row_or_matrix(bias, y)
        product, tiled = y, bias
        if bias.layout is Layout.ROW_MAJOR:
            memory, tiled = to_layout(memory, bias, TILE_LAYOUT)
        into = given_output(output if activation is None else None)
        memory, y = add(memory, product, tiled, memory_config=placement, **into)
        memory = deallocate(memory, product) if tiled is bias else deallocate(memory, product, tiled)
    if activation is not None:
        before = y
        memory, (y,) = launch(memory, _ACTIVATION, (before,), _Activation(activation, placement), output=output)
        memory = deallocate(memory, before)
    return memory, y


def given_output(output: Tensor | None) -> dict[str, Any]:
    """The keyword of an element-wise operation that is to write into `output`, if there is one."""
    return {} if output is None else {"output_tensor": output}


def _require_row_or_matrix(bias: Tensor, y: Tensor) -> None:
    """A bias added on its own may also have every row, or a row for each matrix; the sum has the shape of `y` or of rank of `bias`."""
    fits = all(s in (1, t) for s, t in zip(reversed(bias.shape), reversed(y.shape), strict=False))
    extra = bias.shape[: max(0, len(bias.shape) - len(y.shape))]
    if bias.shape[-1:] != y.shape[-1:] or not fits or math.prod(extra) != 1:
        raise ArgumentError(
            f"linear: `bias` must have one row of {y.shape[-1]} values, or broadcast against the rows and matrices of {y.shape}; "
            f"got {bias.spec}"
        )


def matmul(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
    program_config: MatmulProgramConfig | None = None,
    activation: Any = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    core_grid: CoreGrid | None = None,
    output_tile: Any = None,
    optional_output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`a @ b`: `[..., m, k] x [..., k, n] -> [..., m, n]`; a vector `[k]` counts as a row on the left, a column on the right.

    Args:
        input_tensor_b: with the batch dimensions of `input_tensor_a`, or only ones in one of the two.
        transpose_a, transpose_b: exchange the last two dimensions, within the program.
        memory_config: of the output; interleaved DRAM by default.
        dtype: of the output; that of `input_tensor_a` by default.
        program_config: how the program is cut into blocks; see `tt_jax.program_configs`.
        activation: a name or a UnaryWithParam, applied before the output is packed.
        compute_kernel_config: arithmetic; see `default_matmul_config` for what None means.
        core_grid: cores to use; one larger than the device's is cut to it.
        output_tile: of the output; by default as high as that of `input_tensor_a` and as wide as that of `input_tensor_b`.
        optional_output_tensor: takes the result, if its spec is the result's.

    Raises:
        ArgumentError: shapes, dtypes or layouts do not fit.
        NotModelledError: an activation that is not modelled.
        DeallocatedError, OutOfMemoryError, L1ClashError: as in `launch`.
    """
    return _multiply(
        "matmul",
        memory,
        input_tensor_a,
        input_tensor_b,
        None,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        memory_config=memory_config,
        dtype=dtype,
        program_config=program_config,
        activation=activation,
        compute_kernel_config=compute_kernel_config,
        core_grid=core_grid,
        output_tile=output_tile,
        optional_output_tensor=optional_output_tensor,
    )


def linear(
    memory: MemoryState,
    input_tensor_a: Tensor,
    input_tensor_b: Tensor,
    *,
    bias: Tensor | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
    program_config: MatmulProgramConfig | None = None,
    activation: Any = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    core_grid: CoreGrid | None = None,
    output_tile: Any = None,
    optional_output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`activation(a @ b + bias)`; everything else as in `matmul`.

    With a core grid one program does it all, and `bias` has one row, `[n]` or `[..., 1, n]`. With a program config `bias` may also be
    a row of tiles, `[..., 32, n]`, of which the first row is added. Without either, the activation is an
    operation of its own, with its own rounding and buffer, and so is the bias unless everything lies in DRAM, as on the device;
    a bias added on its own may broadcast as in `add`.
    """
    return _multiply(
        "linear",
        memory,
        input_tensor_a,
        input_tensor_b,
        bias,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        memory_config=memory_config,
        dtype=dtype,
        program_config=program_config,
        activation=activation,
        compute_kernel_config=compute_kernel_config,
        core_grid=core_grid,
        output_tile=output_tile,
        optional_output_tensor=optional_output_tensor,
    )


matmul.support = linear.support = Support(FLOATS, (Layout.TILE,))  # type: ignore[attr-defined]
