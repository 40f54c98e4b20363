"""ttnn's older way to combine a tensor with a smaller one."""

from tt_jax.choice import Choice
from tt_jax.dtypes import FLOATS
from tt_jax.errors import ArgumentError
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._binary import supported
from tt_jax.ops._support import Support
from tt_jax.ops.binary import add, multiply, subtract
from tt_jax.program import require_tensor
from tt_jax.tensor import Tensor

__all__ = ["BcastOpDim", "BcastOpMath", "bcast"]


class BcastOpMath(Choice):
    """What to do; the values are ttnn's own."""

    ADD = 0
    SUB = 1
    MUL = 2


class BcastOpDim(Choice):
    """Along which dimensions the second tensor is repeated: rows, columns, or both; the values are ttnn's own."""

    H = 0
    W = 1
    HW = 2


@supported(Support(FLOATS))
def bcast(
    memory: MemoryState,
    input_a: Tensor,
    input_b: Tensor,
    math_op: BcastOpMath,
    dim: BcastOpDim,
    *,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> tuple[MemoryState, Tensor]:
    """`a + b`, `a - b` or `a * b`, `b` repeated along its height, its width or both, which must be 1; on the FPU.

    Raises ArgumentError if `b` does not have size 1 where `dim` says, or does not broadcast to the shape of `a`.
    """
    a, b = require_tensor("bcast", "input_a", input_a), require_tensor("bcast", "input_b", input_b)
    if not isinstance(math_op, BcastOpMath):
        raise ArgumentError(f"bcast: `math_op` must be a BcastOpMath such as BcastOpMath.ADD, got {math_op!r}")
    if not isinstance(dim, BcastOpDim):
        raise ArgumentError(f"bcast: `dim` must be a BcastOpDim such as BcastOpDim.H, got {dim!r}")
    height, width = ((1, 1) + b.shape)[-2:]
    if (dim is not BcastOpDim.W and height != 1) or (dim is not BcastOpDim.H and width != 1):
        raise ArgumentError(f"bcast: with {dim}, `input_b` ({b.spec}) must have size 1 there")
    operation = {BcastOpMath.ADD: add, BcastOpMath.SUB: subtract, BcastOpMath.MUL: multiply}[math_op]
    return operation(memory, a, b, fast_and_approximate_mode=True, memory_config=memory_config, output_tensor=output_tensor)
