"""The matmul operation: its output, its arithmetic and what its program keeps in L1.

`ops.matmul` has the functions that launch it.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from jax import Array

from tt_jax.activations import UnaryWithParam
from tt_jax.compute import ComputeKernelConfig, CoreGrid, MathFidelity
from tt_jax.devices import DeviceProfile
from tt_jax.dtypes import FLOATS, DataType, float32, uint32
from tt_jax.errors import ArgumentError, NotModelledError
from tt_jax.footprint import Footprint, FreeL1
from tt_jax.kernels import matmul as kernel
from tt_jax.kernels.matrix_unit import Partials
from tt_jax.machine import multiplies_bfloat16
from tt_jax.memory import BufferType, MemoryConfig
from tt_jax.ops._arguments import require_dtype, require_tile
from tt_jax.ops.matmul_config import blocks_of, check_config
from tt_jax.ops.matmul_footprint import Operands, estimated_bytes, program_footprint
from tt_jax.ops.matmul_program import Fits, Placements, Problem, chosen_config, is_one_line, partial_dtype, uncut
from tt_jax.ops.matmul_sharding import output_config
from tt_jax.program import Operation
from tt_jax.program_configs import MatmulProgramConfig
from tt_jax.tensor import TensorSpec
from tt_jax.tile import Tile
from tt_jax.work import Work


class Matmul(NamedTuple):
    """Attributes of a launch. `activation` is what the program itself applies."""

    transpose_a: bool
    transpose_b: bool
    dtype: DataType
    memory_config: MemoryConfig
    device_grid: CoreGrid
    core_grid: CoreGrid | None
    activation: UnaryWithParam | None
    compute: ComputeKernelConfig
    program_config: MatmulProgramConfig | None = None
    tile: Tile | None = None


_NAME = "matmul/linear"


def _output_specs(attributes: Matmul, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec]:
    for argument, spec in zip(("input_tensor_a", "input_tensor_b", "bias"), specs, strict=False):
        require_dtype(_NAME, argument, spec, FLOATS)
        require_tile(_NAME, argument, spec)
        if len(spec.shape) < 2 and argument != "bias":
            raise ArgumentError(f"{_NAME}: `{argument}` must be a matrix or a batch of them, got {spec}")
    a, b = _turned(attributes, specs[0].shape, specs[1].shape)
    if not attributes.dtype.is_float and attributes.dtype is not uint32:
        raise ArgumentError(f"{_NAME}: `dtype` must be a float dtype, got {attributes.dtype.kernel_name}")
    if a[-1] != b[-2]:
        raise ArgumentError(
            f"{_NAME}: the inner dimensions differ: input_tensor_a {a} has width {a[-1]}, input_tensor_b {b} has height {b[-2]}. "
            "The width of the first tensor must be equal to the height of the second tensor; transpose_a or transpose_b turn one around"
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
    if attributes.core_grid is not None and attributes.activation is not None and math.prod(batch_b) > 1:
        raise ArgumentError(
            f"{_NAME}: a program with a core grid applies no activation where input_tensor_b is a batch {batch_b}"
        )
    shape = (*batch, a[-2], b[-1])
    for bias in specs[2:]:
        fits = is_row_of_tiles(bias) if attributes.program_config is not None else is_one_row(bias.shape)
        if bias.shape[-1:] != b[-1:] or not fits:
            raise ArgumentError(f"linear: `bias` must have one row of {b[-1]} values, the width of the result; got {bias}")
        shape = (1,) * (len(bias.shape) - len(shape)) + shape
    if attributes.program_config is not None:
        placements = [attributes.memory_config, *(spec.memory_config for spec in specs)]
        sharded = any(config.is_sharded() for config in placements)
        check_config(
            attributes.program_config,
            _problem(attributes, specs),
            attributes.device_grid,
            attributes.compute.fp32_dest_acc_en,
            sharded=sharded,
        )
    config = output_config(
        attributes.memory_config,
        _problem(attributes, specs),
        specs[0].memory_config,
        attributes.program_config,
        attributes.core_grid,
        attributes.device_grid,
        _tile_of(attributes, specs),
    )
    tile = attributes.tile or Tile(_tile_of(attributes, specs))
    return (TensorSpec(shape, attributes.dtype, specs[0].layout, config, tile),)


def is_one_row(shape: tuple[int, ...]) -> bool:
    """Whether a shape has one row in all."""
    return math.prod(shape[:-1]) == 1


def is_row_of_tiles(spec: TensorSpec) -> bool:
    """Whether a tensor has one row of tiles in all: what a program with a config takes as a bias, of which it adds the first row."""
    return math.prod(spec.shape[:-2]) == 1 and spec.padded_shape[-2] == spec.tile.tile_shape[0]


def _trimmed(batch: tuple[int, ...]) -> tuple[int, ...]:
    """`batch` without leading ones."""
    first = next((i for i, size in enumerate(batch) if size != 1), len(batch))
    return batch[first:]


def _turned(attributes: Matmul, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes as the product sees them."""
    if attributes.transpose_a:
        a = (*a[:-2], a[-1], a[-2])
    if attributes.transpose_b:
        b = (*b[:-2], b[-1], b[-2])
    return a, b


def _problem(attributes: Matmul, specs: tuple[TensorSpec, ...]) -> Problem:
    high, wide = _tile_of(attributes, specs)
    return Problem.of(*_turned(attributes, specs[0].padded_shape, specs[1].padded_shape), high, wide)


def _tile_of(attributes: Matmul, specs: tuple[TensorSpec, ...]) -> tuple[int, int]:
    """The tile in which the product comes: as high as that of the first input and as wide as that of the second."""
    a, b = _turned(attributes, specs[0].tile.tile_shape, specs[1].tile.tile_shape)
    return a[0], b[1]


def all_in_dram(placements: Iterable[MemoryConfig]) -> bool:
    """Whether everything is interleaved in DRAM."""
    return all(placement.buffer_type is BufferType.DRAM and not placement.is_sharded() for placement in placements)


def _kernel(attributes: Matmul, specs: tuple[TensorSpec, ...], a: Array, b: Array, bias: Array | None = None) -> tuple[Array]:
    if not attributes.dtype.is_float:
        raise NotModelledError(
            f"{_NAME}: what the packer makes of a float destination as {attributes.dtype.kernel_name} is not modelled; typecast the result"
        )
    compute, problem = attributes.compute, _problem(attributes, specs)
    config = _config(attributes, specs, uncut)
    inner = problem.k if config is None else blocks_of(config, problem).inner
    partial = partial_dtype(problem.k, inner, attributes.dtype, compute.fp32_dest_acc_en, compute.packer_l1_acc)
    (out,) = _output_specs(attributes, specs)
    if attributes.transpose_a:
        a = a.swapaxes(-2, -1)
    if attributes.transpose_b:
        b = b.swapaxes(-2, -1)
    if bias is not None:
        bias = bias.reshape(-1, bias.shape[-1])[0]
    y = kernel.matmul(
        a,
        b,
        bias,
        dtype=attributes.dtype.kernel_name,  # type: ignore[arg-type]
        fidelity=compute.math_fidelity.name,  # type: ignore[arg-type]
        fp32_dest=compute.fp32_dest_acc_en,
        partials=Partials(inner, partial.kernel_name, compute.packer_l1_acc, bias is not None),  # type: ignore[arg-type]
        activation=None if attributes.activation is None else attributes.activation.function,
        widen=b.ndim == 2 and not multiplies_bfloat16(),  # of a batch of matrices, the copies cost more than they save
    )
    return (y.reshape(out.shape),)


def _placements(attributes: Matmul, specs: tuple[TensorSpec, ...]) -> Placements:
    return Placements(specs[0].memory_config, specs[1].memory_config, attributes.memory_config)


def _config(attributes: Matmul, specs: tuple[TensorSpec, ...], fits: Fits) -> MatmulProgramConfig | None:
    """The program config given, or that of the program that the device chooses; None where the choice is not known."""
    if attributes.program_config is not None:
        return attributes.program_config
    problem, placements = _problem(attributes, specs), _placements(attributes, specs)
    return chosen_config(problem, placements, attributes.core_grid, attributes.device_grid, fits)


def _footprint(attributes: Matmul, specs: tuple[TensorSpec, ...], device: DeviceProfile, free: FreeL1) -> Footprint | None:
    """The L1 that is free before the output has its place decides the blocks.

    Only a bound for the one-dimensional program by default of a matmul that is neither narrow nor all in DRAM: read in source, where
    measurements in DRAM do not bear it out.
    """
    (out,) = _output_specs(attributes, specs)
    bias = specs[2] if len(specs) > 2 else None
    operands = Operands(specs[0], specs[1], out, bias, attributes.transpose_a, attributes.compute)
    config = _config(attributes, specs, lambda blocks: estimated_bytes(operands, blocks) < free.before)
    problem = _problem(attributes, specs)
    if config is None or not math.prod(problem):
        return None
    is_asked_for = attributes.program_config is not None or attributes.core_grid is not None
    is_exact = is_asked_for or not is_one_line(problem, _placements(attributes, specs), config)
    return program_footprint(config, problem, operands, device, is_exact=is_exact)


def _work(attributes: Matmul, specs: tuple[TensorSpec, ...]) -> Work:
    p = _problem(attributes, specs)
    a, b = _turned(attributes, specs[0].shape, specs[1].shape)
    batch = max(p.batch_a, p.batch_b)
    return Work(2 * batch * a[-2] * a[-1] * b[-1], batch * p.m * p.k * p.n, attributes.compute.math_fidelity.phases)


MATMUL = Operation("matmul", _output_specs, _kernel, fitted_footprint=_footprint, work=_work)


def default_matmul_config(
    device: DeviceProfile, a: DataType, b: DataType, out: DataType, has_program: bool
) -> ComputeKernelConfig:
    """What a matmul computes with if it is not told.

    LoFi with a core grid or a program config (`has_program`), or if both inputs are block floats; HiFi4 for two float32
    inputs (HiFi3 on Wormhole); else HiFi2.
    A 32-bit Dst, and no accumulation in L1, for a float32 output. Source: spec/numerics.md section 3.7 (read in source; measured for
    bfloat16 and bfloat8_b inputs).
    """
    if a is float32 and b is float32:
        fidelity = MathFidelity.HiFi3 if device.arch == "wormhole" else MathFidelity.HiFi4
    elif has_program or (a.is_block_float and b.is_block_float):
        fidelity = MathFidelity.LoFi
    else:
        fidelity = MathFidelity.HiFi2
    wide = out is float32
    return ComputeKernelConfig(fidelity, math_approx_mode=False, fp32_dest_acc_en=wide, packer_l1_acc=not wide)
