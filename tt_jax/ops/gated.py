"""Gated linear units: one half of a tensor's last dimension times an activation of the other half."""

from collections.abc import Callable

from tt_jax.activations import GeluVariant
from tt_jax.dtypes import DataType, bfloat8_b, bfloat16
from tt_jax.errors import ArgumentError
from tt_jax.layout import TILE_SIZE, Layout
from tt_jax.memory import MemoryConfig, MemoryState
from tt_jax.ops._arguments import require_dtype, require_options
from tt_jax.ops._movement import Composite
from tt_jax.ops._support import Support
from tt_jax.ops.binary import multiply
from tt_jax.ops.slice import slice
from tt_jax.ops.unary import gelu, relu, sigmoid, silu
from tt_jax.program import active_cache, require_live, require_tensor
from tt_jax.tensor import Tensor

__all__ = ["geglu", "glu", "reglu", "swiglu"]

_DTYPES = (bfloat16, bfloat8_b)


def _require_halves(name: str, x: Tensor, dim: object, dtypes: tuple[DataType, ...]) -> None:
    require_dtype(name, "input_tensor", x.spec, dtypes)
    if len(x.shape) != 4:
        raise ArgumentError(f"{name}: `input_tensor` must have rank 4, got {x.spec}; unsqueeze it")
    if dim not in (-1, 3):
        raise ArgumentError(f"{name}: `dim` must be the last one, -1 or 3, got {dim!r}")
    multiple = 2 * TILE_SIZE if x.layout is Layout.TILE else 2
    if x.padded_shape[-1] % multiple or x.shape[-1] % multiple:
        raise ArgumentError(
            f"{name}: the last dimension must be a multiple of {multiple} to have two halves, got {x.spec}; pad it"
        )


def _gated(
    name: str,
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int,
    memory_config: MemoryConfig | None,
    gate: Callable[..., tuple[MemoryState, Tensor]],
    dtypes: tuple[DataType, ...] = _DTYPES,
) -> tuple[MemoryState, Tensor]:
    x = require_tensor(name, "input_tensor", input_tensor)
    _require_halves(name, x, dim, dtypes)
    require_options(name, memory_config=memory_config)
    require_live(name, memory, x)
    half = x.shape[-1] // 2
    with active_cache().all_or_nothing():
        step = Composite(memory, x)
        values = step(slice, x, [0, 0, 0, 0], [*x.shape[:-1], half], memory_config=memory_config)
        gates = step(slice, x, [0, 0, 0, half], list(x.shape), memory_config=memory_config)
        opened = step(gate, gates, memory_config=memory_config)
        y = step(multiply, values, opened, memory_config=memory_config)
        return step.result(y), y


def glu(
    memory: MemoryState, input_tensor: Tensor, dim: int = -1, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """The first half of the last dimension times sigmoid of the second: `[n, c, h, w]` to `[n, c, h, w / 2]`.

    Raises ArgumentError for another `dim`, another rank, or halves that are not whole tiles; else as `launch`.
    """
    return _gated("glu", memory, input_tensor, dim, memory_config, sigmoid)


def reglu(
    memory: MemoryState, input_tensor: Tensor, dim: int = -1, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """As `glu`, with relu; of unsigned integers too."""
    return _gated("reglu", memory, input_tensor, dim, memory_config, relu, (*_DTYPES, DataType.UINT32, DataType.UINT16))


def geglu(
    memory: MemoryState,
    input_tensor: Tensor,
    dim: int = -1,
    *,
    memory_config: MemoryConfig | None = None,
    variant: GeluVariant = GeluVariant.Accurate,
) -> tuple[MemoryState, Tensor]:
    """As `glu`, with gelu of a `variant`."""

    def gate(memory: MemoryState, x: Tensor, *, memory_config: MemoryConfig | None) -> tuple[MemoryState, Tensor]:
        return gelu(memory, x, variant=variant, memory_config=memory_config)

    return _gated("geglu", memory, input_tensor, dim, memory_config, gate)


def swiglu(
    memory: MemoryState, input_tensor: Tensor, dim: int = -1, *, memory_config: MemoryConfig | None = None
) -> tuple[MemoryState, Tensor]:
    """As `glu`, with silu."""
    return _gated("swiglu", memory, input_tensor, dim, memory_config, silu)


for _operation in (glu, geglu, swiglu):
    _operation.support = Support(_DTYPES)  # type: ignore[attr-defined]
reglu.support = Support((*_DTYPES, DataType.UINT32, DataType.UINT16))  # type: ignore[attr-defined]
