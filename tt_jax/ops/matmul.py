"""Matrix multiplication and linear layers."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from jax import Array

from tt_jax.compute import ComputeKernelConfig, CoreGrid, MathFidelity
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import FLOATS, DataType, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import matmul as kernel
from tt_jax.machine import multiplies_bfloat16
from tt_jax.memory import DRAM_MEMORY_CONFIG, BufferType, MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_flags, require_options, require_tile, resolve_compute
from tt_jax.ops.binary import add
from tt_jax.ops.creation import deallocate
from tt_jax.ops.matmul_program import (
    Problem,
    blocks_on_grid,
    estimated_bytes,
    footprint_bytes,
    inner_block_by_default,
    partial_dtype,
)
from tt_jax.ops.unary import activate, require_activation
from tt_jax.program import Footprint, Operation, active_cache, launch, require_live, require_memory, require_tensor
from tt_jax.tensor import Tensor, TensorSpec


class _Matmul(NamedTuple):
    transpose_a: bool
    transpose_b: bool
    dtype: DataType
    memory_config: MemoryConfig
    device_grid: CoreGrid
    core_grid: CoreGrid | None
    activation: str | None
    compute: ComputeKernelConfig


_NAME = "matmul/linear"


def _output_specs(attributes: _Matmul, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    for argument, spec in zip(("input_tensor_a", "input_tensor_b", "bias"), specs, strict=False):
        require_dtype(_NAME, argument, spec, FLOATS)
        require_tile(_NAME, argument, spec)
        if len(spec.shape) < 2 and argument != "bias":
            raise ArgumentError(f"{_NAME}: `{argument}` must be a matrix or a batch of them, got {spec}")
    if attributes.dtype not in FLOATS:
        raise ArgumentError(f"{_NAME}: `dtype` must be a float dtype, got {attributes.dtype.kernel_name}")
    a, b = _turned(attributes, specs[0].shape, specs[1].shape)
    if a[-1] != b[-2]:
        raise ArgumentError(
            f"{_NAME}: the inner dimensions differ: input_tensor_a {a} has width {a[-1]}, input_tensor_b {b} has height {b[-2]}; "
            "transpose_a or transpose_b turn one around"
        )
    batch_a, batch_b = a[:-2], b[:-2]
    if math.prod(batch_b) == 1:
        batch = (1,) * (len(batch_b) - len(batch_a)) + batch_a
    elif math.prod(batch_a) == 1 or _trimmed(batch_a) == _trimmed(batch_b):
        batch = (1,) * (len(batch_a) - len(batch_b)) + batch_b
    else:
        raise ArgumentError(
            f"{_NAME}: batch dimensions {batch_a} and {batch_b} differ; they must be equal, or only ones in one of the inputs"
        )
    if attributes.activation is not None and math.prod(batch_b) > 1:
        raise ArgumentError(
            f"{_NAME}: a program with a core grid applies no activation where input_tensor_b is a batch {batch_b}"
        )
    shape = (*batch, a[-2], b[-1])
    for bias in specs[2:]:
        if bias.shape[-1:] != b[-1:] or not _is_one_row(bias.shape):
            raise ArgumentError(f"linear: `bias` must have one row of {b[-1]} values, the width of the result; got {bias}")
        shape = (1,) * (len(bias.shape) - len(shape)) + shape
    return (TensorSpec(shape, attributes.dtype, specs[0].layout, attributes.memory_config),)


def _trimmed(batch: tuple[int, ...]) -> tuple[int, ...]:
    """`batch` without leading ones."""
    first = next((i for i, size in enumerate(batch) if size != 1), len(batch))
    return batch[first:]


def _turned(attributes: _Matmul, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes as the product sees them."""
    if attributes.transpose_a:
        a = (*a[:-2], a[-1], a[-2])
    if attributes.transpose_b:
        b = (*b[:-2], b[-1], b[-2])
    return a, b


def _problem(attributes: _Matmul, specs: tuple[TensorSpec, ...]) -> Problem:
    return Problem.of(*_turned(attributes, specs[0].padded_shape, specs[1].padded_shape))


def _all_in_dram(placements: Iterable[MemoryConfig]) -> bool:
    return all(placement.buffer_type is BufferType.DRAM for placement in placements)


def _kernel(attributes: _Matmul, specs: tuple[TensorSpec, ...], a: Array, b: Array, bias: Array | None = None) -> tuple[Array]:
    compute, problem = attributes.compute, _problem(attributes, specs)
    if attributes.core_grid is not None:
        inner = blocks_on_grid(problem, attributes.core_grid).inner
    else:
        in_dram = _all_in_dram([attributes.memory_config, *(spec.memory_config for spec in specs[:2])])
        inner = inner_block_by_default(problem, attributes.device_grid, in_dram)
    partial = partial_dtype(problem.k, inner, attributes.dtype, compute.fp32_dest_acc_en, compute.packer_l1_acc)
    (out,) = _output_specs(attributes, specs)
    if attributes.transpose_a:
        a = a.swapaxes(-2, -1)
    if attributes.transpose_b:
        b = b.swapaxes(-2, -1)
    if bias is not None:
        bias = bias.reshape(-1)
    y = kernel.matmul(
        a,
        b,
        bias,
        dtype=attributes.dtype.kernel_name,  # type: ignore[arg-type]
        fidelity=compute.math_fidelity.name,  # type: ignore[arg-type]
        fp32_dest=compute.fp32_dest_acc_en,
        partial=partial.kernel_name,  # type: ignore[arg-type]
        activation=attributes.activation,
        widen=b.ndim == 2 and not multiplies_bfloat16(),  # of a batch of matrices, the copies cost more than they save
    )
    return (y.reshape(out.shape),)


def _footprint(attributes: _Matmul, specs: tuple[TensorSpec, ...], memory: MemoryState) -> Footprint | None:
    """Known for programs with a core grid that fit uncut, turn no input around and broadcast no first input over a batch."""
    if attributes.core_grid is None or attributes.transpose_a or attributes.transpose_b:
        return None
    problem = _problem(attributes, specs)
    if problem.batch_b > 1 and problem.batch_a == 1:
        return None
    blocks = blocks_on_grid(problem, attributes.core_grid)
    in0, in1 = specs[0].dtype, specs[1].dtype
    bias = specs[2].dtype if len(specs) > 2 else None
    compute, out = attributes.compute, attributes.dtype
    lowest = memory.lowest_occupied(BufferType.L1) or memory.device.l1_size
    available = lowest - memory.region(BufferType.L1).start
    if estimated_bytes(problem, blocks, in0, in1, out, bias, compute.fp32_dest_acc_en) > available:
        return None
    partial = partial_dtype(problem.k, blocks.inner, out, compute.fp32_dest_acc_en, compute.packer_l1_acc)
    size = footprint_bytes(problem, blocks, in0, in1, out, bias, partial)
    return Footprint(size, (attributes.core_grid.x - 1, attributes.core_grid.y - 1))


_MATMUL = Operation("matmul", _output_specs, _kernel, footprint=_footprint)


def default_matmul_config(
    device: DeviceProfile, a: DataType, b: DataType, out: DataType, core_grid: CoreGrid | None
) -> ComputeKernelConfig:
    """What a matmul computes with if it is not told.

    LoFi with a core grid or if both inputs are block floats; HiFi4 for two float32 inputs (HiFi3 on Wormhole); else HiFi2.
    A 32-bit Dst, and no accumulation in L1, for a float32 output. Source: spec/numerics.md section 3.7 (read in source; measured for
    bfloat16 and bfloat8_b inputs).
    """
    if a is float32 and b is float32:
        fidelity = MathFidelity.HiFi3 if device.arch == "wormhole" else MathFidelity.HiFi4
    elif core_grid is not None or (a.is_block_float and b.is_block_float):
        fidelity = MathFidelity.LoFi
    else:
        fidelity = MathFidelity.HiFi2
    wide = out is float32
    return ComputeKernelConfig(fidelity, math_approx_mode=False, fp32_dest_acc_en=wide, packer_l1_acc=not wide)


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
    activation: str | None,
    compute_kernel_config: ComputeKernelConfig | None,
    core_grid: CoreGrid | None,
) -> tuple[MemoryState, Tensor]:
    require_memory(name, memory)
    a, b = require_tensor(name, "input_tensor_a", a), require_tensor(name, "input_tensor_b", b)
    if bias is not None:
        require_tensor(name, "bias", bias)
    require_activation(name, activation)
    require_options(
        name, dtype=dtype, memory_config=memory_config, compute_kernel_config=compute_kernel_config, core_grid=core_grid
    )
    require_flags(name, transpose_a=transpose_a, transpose_b=transpose_b)
    out, grid = dtype or a.dtype, CoreGrid(*reversed(memory.device.grid))
    if core_grid is not None and (core_grid.x > grid.x or core_grid.y > grid.y):
        core_grid = grid
    default = default_matmul_config(memory.device, a.dtype, b.dtype, out, core_grid)
    compute = resolve_compute(name, memory.device, compute_kernel_config, default)
    placement = memory_config or DRAM_MEMORY_CONFIG
    # One program adds the bias and applies the activation if it has a core grid; the bias alone also if everything lies in DRAM
    # and the weights are no batch. Source: reference data, op_specs (measured: every recorded case).
    with_grid = core_grid is not None
    fused = bias is not None and (
        with_grid
        or (
            _all_in_dram((a.memory_config, b.memory_config, placement))
            and _is_one_row(bias.shape)
            and math.prod(b.shape[:-2]) == 1
        )
    )
    later_bias = None if fused else bias
    later_activation = None if with_grid else activation
    inputs = (a, b, bias) if fused and bias is not None else (a, b)
    attributes = _Matmul(transpose_a, transpose_b, out, placement, grid, core_grid, activation if with_grid else None, compute)
    if later_bias is None and later_activation is None:
        memory, (y,) = launch(memory, _MATMUL, inputs, attributes)
        return memory, y
    if later_bias is not None:
        require_live(name, memory, later_bias, 2)  # before the product, which could take the place of a freed one
    with active_cache().all_or_nothing():
        memory, (y,) = launch(memory, _MATMUL, inputs, attributes)
        return _post_process(memory, y, later_bias, later_activation, placement)


def _is_one_row(shape: tuple[int, ...]) -> bool:
    return math.prod(shape[:-1]) == 1


def _post_process(
    memory: MemoryState, y: Tensor, bias: Tensor | None, activation: str | None, placement: MemoryConfig
) -> tuple[MemoryState, Tensor]:
    """Bias and activation as operations of their own: what the device does where no core grid is given."""
    if bias is not None:
        _require_row_or_matrix(bias, y)
        product = y
        memory, y = add(memory, product, bias, memory_config=placement)
        memory = deallocate(memory, product)
    if activation is not None:
        before = y
        memory, y = activate(memory, before, activation, placement)
        memory = deallocate(memory, before)
    return memory, y


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
    activation: str | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    core_grid: CoreGrid | None = None,
) -> tuple[MemoryState, Tensor]:
    """`a @ b`: `[..., m, k] x [..., k, n] -> [..., m, n]`.

    Args:
        input_tensor_b: with the batch dimensions of `input_tensor_a`, or only ones in one of the two.
        transpose_a, transpose_b: exchange the last two dimensions, within the program.
        memory_config: of the output; interleaved DRAM by default.
        dtype: of the output; that of `input_tensor_a` by default.
        activation: a key of `kernels.sfpu.ACTIVATIONS`, applied before the output is packed.
        compute_kernel_config: arithmetic; see `default_matmul_config` for what None means.
        core_grid: cores to use; one larger than the device's is cut to it.

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
        activation=activation,
        compute_kernel_config=compute_kernel_config,
        core_grid=core_grid,
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
    activation: str | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    core_grid: CoreGrid | None = None,
) -> tuple[MemoryState, Tensor]:
    """`activation(a @ b + bias)`; everything else as in `matmul`.

    With a core grid one program does it all, and `bias` has one row, `[n]` or `[..., 1, n]`. Without, the activation is an
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
        activation=activation,
        compute_kernel_config=compute_kernel_config,
        core_grid=core_grid,
    )
