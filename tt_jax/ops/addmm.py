"""A product added to a matrix, each with a factor."""

from typing import Any

from tt_jax.compute import ComputeKernelConfig, CoreGrid
from tt_jax.dtypes import DataType, bfloat8_b, bfloat16, float32
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._support import Support
from tt_jax.ops.binary import add, multiply
from tt_jax.ops.creation import deallocate
from tt_jax.ops.matmul import given_output, matmul, output_options
from tt_jax.program import active_cache, require_live, require_memory, require_tensor
from tt_jax.program_configs import MatmulProgramConfig
from tt_jax.tensor import Tensor

__all__ = ["addmm"]

_ALLOWED = (bfloat16, float32, bfloat8_b)


def addmm(
    memory: MemoryState,
    input_tensor: Tensor,
    mat1_tensor: Tensor,
    mat2_tensor: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    memory_config: MemoryConfig | None = None,
    dtype: DataType | None = None,
    program_config: MatmulProgramConfig | None = None,
    compute_kernel_config: ComputeKernelConfig | None = None,
    core_grid: CoreGrid | None = None,
    output_tile: Any = None,
    optional_output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`beta * input + alpha * (mat1 @ mat2)`: a matmul, then a program for each factor that is not 1, and one for the sum.

    Args:
        input_tensor: of the shape of the product; not looked at if `beta` is 0.
        mat1_tensor, mat2_tensor: bfloat16, float32 or bfloat8_b, as `input_tensor` is.

    Everything else as in `matmul`. Raises ArgumentError for an `alpha` of 0, and where shapes or dtypes do not fit.
    """
    name = "addmm"
    require_memory(name, memory)
    tensors = {"input_tensor": input_tensor, "mat1_tensor": mat1_tensor, "mat2_tensor": mat2_tensor}
    for argument, x in tensors.items():
        if require_tensor(name, argument, x).dtype not in _ALLOWED:
            raise ArgumentError(
                f"{name}: `{argument}` is {x.spec}: only ttnn.bfloat16, ttnn.float32 and ttnn.bfloat8_b types are supported; typecast it"
            )
    for argument, factor in (("alpha", alpha), ("beta", beta)):
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            raise ArgumentError(f"{name}: `{argument}` must be a number, got {factor!r}")
    if alpha == 0:
        raise ArgumentError(f"{name}: alpha parameter cannot be 0, since nothing of the product would be left; use multiply")
    a, b = mat1_tensor.shape, mat2_tensor.shape
    if beta != 0 and len(a) >= 2 and len(b) >= 2 and input_tensor.shape[-2:] != (a[-2], b[-1]):
        raise ArgumentError(
            f"{name}: input_tensor must have shape matching one of result of mat1_tensor @ mat2_tensor, (..., {a[-2]}, {b[-1]}); got "
            f"{input_tensor.shape}"
        )
    dtype, memory_config = output_options(name, dtype, memory_config, optional_output_tensor)
    options: dict[str, Any] = {
        "memory_config": memory_config,
        "dtype": dtype,
        "program_config": program_config,
        "compute_kernel_config": compute_kernel_config,
        "core_grid": core_grid,
        "output_tile": output_tile,
    }
    if alpha == 1 and beta == 0:
        return matmul(memory, mat1_tensor, mat2_tensor, **options, optional_output_tensor=optional_output_tensor)
    require_live(name, memory, input_tensor)
    with active_cache().all_or_nothing():
        memory, y = matmul(memory, mat1_tensor, mat2_tensor, **options)
        if alpha != 1:
            product = y
            last = optional_output_tensor if beta == 0 else None
            memory, y = multiply(memory, product, float(alpha), memory_config=memory_config, **given_output(last))
            memory = deallocate(memory, product)
        if beta != 0:
            addend, product = input_tensor, y
            if beta != 1:
                memory, addend = multiply(memory, input_tensor, float(beta), memory_config=memory_config)
            memory, y = add(memory, product, addend, memory_config=memory_config, **given_output(optional_output_tensor))
            memory = deallocate(memory, product) if addend is input_tensor else deallocate(memory, product, addend)
    return memory, y


addmm.support = Support(_ALLOWED, (Layout.TILE,))  # type: ignore[attr-defined]
