"""What a decoder takes of a board's memory: bytes by tensor and layer, growth with the context, the longest context that fits."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from _report import table
from _smollm2 import Config
from decoder import Caches, Parameters

import tt_jax as tt


def longest(plan: Callable[[int], tt.Plan], limit: int) -> tuple[int, tt.Plan | None, tt.Plan | None]:
    """The longest context up to `limit`, in whole tiles, whose plan fits, 0 for none; its plan; the next longer's, None at the limit.

    Bisection: what does not fit does not fit with more.
    """
    fits, fails = 0, limit // tt.TILE_SIZE + 1
    plans: dict[int, tt.Plan] = {}
    while fails - fits > 1:
        middle = fails - 1 if not plans else (fits + fails) // 2
        plans[middle] = plan(middle * tt.TILE_SIZE)
        fits, fails = (middle, fails) if plans[middle].fits else (fits, middle)
    return fits * tt.TILE_SIZE, plans.get(fits), plans.get(fails)


def without_values(tensors: Any) -> Any:
    """The same tensors at the same addresses, and nothing in them."""
    return jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), tensors)


class Held(NamedTuple):
    """Bytes of some tensors: in the fullest bank, and over all banks of their memory."""

    per_bank: int
    total: int

    @classmethod
    def of(cls, memory: tt.MemoryState, tensors: Any) -> "Held":
        leaves = jax.tree.leaves(tensors, is_leaf=lambda x: isinstance(x, tt.Tensor))
        sizes = [(x.buffer.size, memory.num_banks(x.buffer.buffer_type)) for x in leaves]
        return cls(sum(size for size, _ in sizes), sum(size * banks for size, banks in sizes))

    def cells(self) -> tuple[str, str]:
        return f"{self.per_bank:,}", f"{self.total:,}"


def report_memory(memory: tt.MemoryState, parameters: Parameters, caches: Caches) -> str:
    """Tensors of the first layer with their addresses, and sums; `parameters` and `caches` come one by one."""
    first, last = (dict(parameters.layers[i]._asdict(), **caches[i]._asdict()) for i in (0, -1))

    def row(name: str, x: tt.Tensor, to: tt.Tensor) -> tuple[str, ...]:
        address = f"{x.address:,}", f"{to.address:,}"
        return name, str(x.spec), *address, *Held.of(memory, x).cells()

    rows = [row(name.replace("_", " "), first[name], last[name]) for name in first]
    count = len(caches)
    for name, held in (("a layer's weights", parameters.layers[0]), ("a layer's cache", caches[0])):
        rows.append((name, "", "", "", *Held.of(memory, held).cells()))
    for name, held in (("all weights", parameters.layers), ("all caches", caches)):
        rows.append((f"{name} of {count} layers", "", "", "", *Held.of(memory, held).cells()))
    rest = parameters._replace(layers=())
    rows += [row(name.replace("_", " "), x, x) for name, x in rest._asdict().items() if isinstance(x, tt.Tensor)]
    header = ("", "tensor", "at, first layer", "last layer", "B per bank", "B in all banks")
    return table(f"Memory on {memory.device.name}", header, rows, text_columns=2)


class Growth(NamedTuple):
    bytes_per_token: float  # of all layers, without what is padding
    contexts: dict[int, Held]  # all layers' caches

    @classmethod
    def of(
        cls, device: tt.DeviceProfile, config: Config, dtype: tt.DataType, memory_config: tt.MemoryConfig, limit: int
    ) -> "Growth":
        """Of contexts of 32 tokens and twice as many, up to `limit`."""
        count = 2 * config.layers
        contexts = {}
        context = tt.TILE_SIZE
        banks = tt.MemoryState.create(device).num_banks(memory_config.buffer_type)
        while context <= limit:
            shape = (1, config.kv_heads, context, config.head_size)
            size = tt.TensorSpec(shape, dtype, tt.TILE_LAYOUT, memory_config).bytes_per_bank(device)
            contexts[context] = Held(count * size, count * size * banks)
            context *= 2
        per_number = dtype.tile_bytes / tt.TILE_SIZE**2
        return cls(count * config.kv_heads * config.head_size * per_number, contexts)

    def __str__(self) -> str:
        title = f"Growth of the caches: {self.bytes_per_token:,.0f} B per token; by context, all layers, a cache in whole tiles per bank"
        rows = [(f"{context:,}", *held.cells()) for context, held in self.contexts.items()]
        return table(title, ("tokens", "B per bank", "B in all banks"), rows, text_columns=0)


def report_longest(name: str, dtype: tt.DataType, found: tuple[int, tt.Plan | None, tt.Plan | None], limit: int) -> str:
    context, fitting, failing = found
    lines = [f"Caches in L1 ({dtype.kernel_name}): how long a context a decode step on {name} has room for"]
    if fitting:
        total = fitting.memory.view(tt.BufferType.L1).total_bytes_per_bank
        lines.append(f"  {context:,} tokens fit: L1 peak {fitting.peak_l1:,} of {total:,} B per bank")
        lines.append(f"  {fitting.peak_l1_with_programs:,} with the programs' own buffers")
        if unknown := fitting.unknown_footprints:
            lines.append(f"  what these keep is not known, and left out: {', '.join(unknown)}")
    if failing:
        lines.append(f"  {context + tt.TILE_SIZE:,} tokens do not: {type(failing.error).__name__}")
        lines += [f"    {line}" for line in str(failing.error).splitlines()]
    else:
        lines.append(f"  {limit:,} is as long as the model was trained for: L1 does not run out")
    return "\n".join(lines)
