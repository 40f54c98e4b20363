"""Losses: the element-wise difference with a function fused, and its sum or mean."""

from typing import Literal

from tt_jax.activations import UnaryOpType
from tt_jax.choice import Choice
from tt_jax.dtypes import FLOATS
from tt_jax.errors import ArgumentError
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops import reduction as reductions
from tt_jax.ops._binary import supported
from tt_jax.ops._support import Support
from tt_jax.ops.binary import subtract
from tt_jax.program import active_cache, free, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["LossReductionMode", "l1_loss", "mse_loss"]

Result = tuple[MemoryState, Tensor]


class LossReductionMode(Choice):
    """What becomes of the losses of the elements; the values are ttnn's own."""

    NONE = 0
    SUM = 1
    MEAN = 2


def _loss(
    name: Literal["l1_loss", "mse_loss"],
    memory: MemoryState,
    reference: Tensor,
    prediction: Tensor,
    reduction: LossReductionMode,
    memory_config: MemoryConfig | None,
    output_tensor: Tensor | None,
) -> Result:
    if not isinstance(reduction, LossReductionMode):
        raise ArgumentError(
            f"{name}: `reduction` must be a LossReductionMode such as LossReductionMode.MEAN, got {reduction!r}"
        )
    for argument, x in (("input_reference", reference), ("input_prediction", prediction)):
        if not require_tensor(name, argument, x).dtype.is_float:
            raise ArgumentError(f"{name}: `{argument}` must be a float tensor, got {x.spec}; convert it with typecast")
    function = UnaryOpType.ABS if name == "l1_loss" else UnaryOpType.SQUARE
    with active_cache().all_or_nothing():
        memory, losses = subtract(
            memory, reference, prediction, memory_config=memory_config, output_tensor=output_tensor, activations=(function,)
        )
        if reduction is LossReductionMode.NONE:
            return memory, losses
        reduce = reductions.sum if reduction is LossReductionMode.SUM else reductions.mean
        memory, y = reduce(memory, losses, None, True, memory_config=memory_config or reference.memory_config)
        return (memory if output_tensor is not None else free(memory, [losses.buffer])), y


@supported(Support(FLOATS))
def l1_loss(
    memory: MemoryState,
    input_reference: Tensor,
    input_prediction: Tensor,
    *,
    reduction: LossReductionMode = LossReductionMode.NONE,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> Result:
    """The absolute difference of two float tensors: of each element, or its sum or mean, in a tensor of size 1 in every dimension.

    The difference is rounded as `subtract` does, and the sum as `sum` does. `output_tensor` takes the losses of the elements.
    Raises ArgumentError for tensors that are no floats or do not broadcast.
    """
    return _loss("l1_loss", memory, input_reference, input_prediction, reduction, memory_config, output_tensor)


@supported(Support(FLOATS))
def mse_loss(
    memory: MemoryState,
    input_reference: Tensor,
    input_prediction: Tensor,
    *,
    reduction: LossReductionMode = LossReductionMode.NONE,
    memory_config: MemoryConfig | None = None,
    output_tensor: Tensor | None = None,
) -> Result:
    """The squared difference of two float tensors; everything else as in `l1_loss`."""
    return _loss("mse_loss", memory, input_reference, input_prediction, reduction, memory_config, output_tensor)
