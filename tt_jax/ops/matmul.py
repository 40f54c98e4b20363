"""Matrix multiplication and linear layers."""

import math
from typing import NamedTuple

from jax import Array

from tt_jax.compute import ComputeKernelConfig, CoreGrid, MathFidelity
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import DataType, bfloat4_b, bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.kernels import matmul as kernel
from tt_jax.memory import DRAM_MEMORY_CONFIG, BufferType, MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_tile
from tt_jax.ops.binary import add
from tt_jax.ops.creation import deallocate
from tt_jax.ops.data_movement import transpose
from tt_jax.ops.matmul_program import (
    Problem,
    blocks_on_grid,
    estimated_bytes,
    footprint_bytes,
    inner_block_by_default,
)
from tt_jax.ops.unary import activate, require_activation
from tt_jax.program import Footprint, Operation, active_cache, launch, require_tensor
from tt_jax.tensor import Tensor, TensorSpec

FLOATS = (bfloat16, float32, bfloat8_b, bfloat4_b)


class _Matmul(NamedTuple):
    dtype: DataType
    memory_config: MemoryConfig
    device_grid: CoreGrid
    core_grid: CoreGrid | None
    activation: str | None
    compute: ComputeKernelConfig


def _output_specs(attributes: _Matmul, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    a, b, *rest = specs
    for argument, spec in zip(("input_tensor_a", "input_tensor_b", "bias"), specs, strict=False):
        require_tile("matmul", argument, spec)
        require_dtype("matmul", argument, spec, FLOATS)
        if len(spec.shape) < 2 and argument != "bias":
            raise ArgumentError(f"matmul: `{argument}` must be a matrix or a batch of them, got {spec}")
    if a.shape[-1] != b.shape[-2]:
        raise ArgumentError(
            f"matmul: the inner dimensions differ: input_tensor_a {a.shape} has width {a.shape[-1]}, input_tensor_b {b.shape} has "
            f"height {b.shape[-2]}; transpose_a or transpose_b turn one around"
        )
    batch_a, batch_b = a.shape[:-2], b.shape[:-2]
    if math.prod(batch_b) != 1 and _trimmed(batch_a) != _trimmed(batch_b):
        raise ArgumentError(
            f"matmul: batch dimensions {batch_a} and {batch_b} differ; input_tensor_b must have those of input_tensor_a, or only ones"
        )
    batch = (1,) * (len(batch_b) - len(batch_a)) + batch_a
    shape = (*batch, a.shape[-2], b.shape[-1])
    for bias in rest:
        if bias.shape[-1] != b.shape[-1] or math.prod(bias.shape[:-1]) != 1:
            raise ArgumentError(
                f"linear: `bias` must have one row of {b.shape[-1]} values, the width of the result; got {bias}"
            )
        shape = (1,) * (len(bias.shape) - len(shape)) + shape
    return (TensorSpec(shape, attributes.dtype, a.layout, attributes.memory_config),)


def _trimmed(batch: tuple[int, ...]) -> tuple[int, ...]:
    """`batch` without leading ones."""
    first = next((i for i, size in enumerate(batch) if size != 1), len(batch))
    return batch[first:]


def _problem(specs: tuple[TensorSpec, ...]) -> Problem:
    return Problem.of(specs[0].padded_shape, specs[1].padded_shape)


def _kernel(attributes: _Matmul, specs: tuple[TensorSpec, ...], a: Array, b: Array, bias: Array | None = None) -> tuple[Array]:
    compute, problem = attributes.compute, _problem(specs)
    if attributes.core_grid is not None:
        inner = blocks_on_grid(problem, attributes.core_grid).inner
    else:
        placements = [attributes.memory_config, *(spec.memory_config for spec in specs)]
        in_dram = all(placement.buffer_type is BufferType.DRAM for placement in placements)
        inner = inner_block_by_default(problem, attributes.device_grid, in_dram)
    if compute.fp32_dest_acc_en:
        partial = "float32"
    elif compute.packer_l1_acc and problem.k > inner:
        partial = "bfloat16"
    else:
        partial = attributes.dtype.kernel_name
    (out,) = _output_specs(attributes, specs)
    if bias is not None:
        bias = bias.reshape(-1)
    y = kernel.matmul(
        a,
        b,
        bias,
        dtype=attributes.dtype.kernel_name,  # type: ignore[arg-type]
        fidelity=compute.math_fidelity.name,  # type: ignore[arg-type]
        fp32_dest=compute.fp32_dest_acc_en,
        partial=partial,  # type: ignore[arg-type]
        activation=attributes.activation,
    )
    return (y.reshape(out.shape),)


def _footprint(attributes: _Matmul, specs: tuple[TensorSpec, ...], memory: MemoryState) -> Footprint | None:
    """Known for programs with a core grid that fit without their output blocks being cut further."""
    if attributes.core_grid is None:
        return None
    problem = _problem(specs)
    blocks = blocks_on_grid(problem, attributes.core_grid)
    in0, in1 = specs[0].dtype, specs[1].dtype
    bias = specs[2].dtype if len(specs) > 2 else None
    compute, out = attributes.compute, attributes.dtype
    lowest = memory.lowest_occupied(BufferType.L1) or memory.device.l1_size
    available = lowest - memory.region(BufferType.L1).start
    if estimated_bytes(problem, blocks, in0, in1, out, bias, compute.fp32_dest_acc_en) > available:
        return None
    size = footprint_bytes(problem, blocks, in0, in1, out, bias, compute.fp32_dest_acc_en, compute.packer_l1_acc)
    return Footprint(size, (attributes.core_grid.x - 1, attributes.core_grid.y - 1))


_MATMUL = Operation("matmul", _output_specs, _kernel, footprint=_footprint)


def default_matmul_config(
    device: DeviceProfile, a: DataType, b: DataType, out: DataType, core_grid: CoreGrid | None
) -> ComputeKernelConfig:
    """What a matmul computes with if it is not told.

    LoFi with a core grid or if both inputs are block floats; HiFi4 for two float32 inputs (HiFi3 on Wormhole); else HiFi2.
    A 32-bit Dst, and no accumulation in L1, for a float32 output. Source: spec/numerics.md section 3.7 (measured).
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
    a, b = require_tensor(name, "input_tensor_a", a), require_tensor(name, "input_tensor_b", b)
    if bias is not None:
        require_tensor(name, "bias", bias)
    require_activation(name, activation)
    out, grid = dtype or a.dtype, CoreGrid(*reversed(memory.device.grid))
    if core_grid is not None and (core_grid.x > grid.x or core_grid.y > grid.y):
        core_grid = grid
    if out not in FLOATS:
        raise ArgumentError(f"{name}: `dtype` must be a float dtype, got {out.kernel_name}")
    compute = compute_kernel_config or default_matmul_config(memory.device, a.dtype, b.dtype, out, core_grid)
    placement = memory_config or DRAM_MEMORY_CONFIG
    fused = core_grid is not None
    attributes = _Matmul(out, placement, grid, core_grid, activation if fused else None, compute)
    if not (transpose_a or transpose_b) and (fused or (bias is None and activation is None)):
        memory, (y,) = launch(memory, _MATMUL, (a, b) if bias is None else (a, b, bias), attributes)
        return memory, y
    with active_cache().all_or_nothing():
        transposed = []
        if transpose_a:
            memory, a = transpose(memory, a, -2, -1)
            transposed.append(a)
        if transpose_b:
            memory, b = transpose(memory, b, -2, -1)
            transposed.append(b)
        memory, (y,) = launch(memory, _MATMUL, (a, b, bias) if fused and bias is not None else (a, b), attributes)
        memory = deallocate(memory, *transposed)
        if not fused:
            memory, y = _post_process(memory, y, bias, activation, placement)
    return memory, y


def _post_process(
    memory: MemoryState, y: Tensor, bias: Tensor | None, activation: str | None, placement: MemoryConfig
) -> tuple[MemoryState, Tensor]:
    """Bias and activation as operations of their own: what the device does where no core grid is given."""
    if bias is not None:
        if bias.shape[-1:] != y.shape[-1:] or math.prod(bias.shape[:-1]) != 1:
            raise ArgumentError(
                f"linear: `bias` must have one row of {y.shape[-1]} values, the width of the result; got {bias.spec}"
            )
        product = y
        memory, y = add(memory, product, bias, memory_config=placement)
        memory = deallocate(memory, product)
    if activation is not None:
        before = y
        memory, y = activate(memory, before, activation, placement)
        memory = deallocate(memory, before)
    return memory, y


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
        input_tensor_b: with the batch dimensions of `input_tensor_a`, or only ones.
        transpose_a, transpose_b: exchange the last two dimensions first, by a transpose of its own (a block float is then
            packed anew).
        memory_config: of the output; interleaved DRAM by default.
        dtype: of the output; that of `input_tensor_a` by default.
        activation: a key of `kernels.sfpu.ACTIVATIONS`, applied before the output is packed.
        compute_kernel_config: arithmetic; see `default_matmul_config` for what None means.
        core_grid: cores to use; one larger than the device's is cut to it.

    Raises:
        ArgumentError: shapes, dtypes or layouts do not fit.
        NotImplementedError: an activation that is not modelled.
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

    With a core grid one program does it all; without, bias and activation are operations of their own, each with its own
    rounding and buffer, as on the device. `bias` has one row, `[n]` or `[..., 1, n]`.
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
