"""The variants of attention by name: each a program of `variants`, inputs drawn for it, and what float64 makes of these."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import _variants_reference as reference
import jax
import numpy as np
import variants
from variants import Angles, Cache, CrossWeights, Heads, Weights

import tt_jax as tt

ACCURATE = tt.SDPAProgramConfig(compute_with_storage_grid_size=(8, 8), exp_approx_mode=False)
"""Of the flash kernel, with the accurate exponential."""


class Sizes(NamedTuple):
    """Of the inputs. `groups` are the key-value heads of grouped-query and decode; `context` is what cross-attention looks at."""

    batch: int
    sequence: int
    hidden: int
    heads: int
    groups: int

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads

    @property
    def window(self) -> int:
        return self.sequence // 4

    @property
    def context(self) -> int:
        return 2 * self.sequence


@dataclasses.dataclass(frozen=True)
class Given:
    """An array, and the dtype that it has on the device."""

    array: np.ndarray
    dtype: tt.DataType

    @property
    def layout(self) -> tt.Layout:
        return tt.ROW_MAJOR_LAYOUT if self.dtype is tt.int32 else tt.TILE_LAYOUT

    @property
    def spec(self) -> tt.TensorSpec:
        return tt.TensorSpec(self.array.shape, self.dtype, self.layout)


class Case(NamedTuple):
    """A program `(memory, *inputs) -> (memory, result)`, its inputs (trees of `Given`), and what it should give.

    `exact` takes the inputs as trees of arrays, with the values that the device stores, and returns what `result` should be in
    float64, or its first part where it has several.
    """

    program: Callable[..., Any]
    inputs: tuple[Any, ...]
    exact: Callable[..., np.ndarray]

    def put(self, device: tt.DeviceProfile) -> tuple[tt.MemoryState, tuple[Any, ...]]:
        """The inputs in the DRAM of an empty `device`."""
        memory = tt.MemoryState.create(device)
        leaves, structure = jax.tree.flatten(self.inputs)
        tensors = []
        for given in leaves:
            memory, tensor = tt.from_array(memory, given.array, dtype=given.dtype, layout=given.layout)
            tensors.append(tensor)
        return memory, structure.unflatten(tensors)

    def plan(self, device: str) -> tt.Plan:
        """What it takes of `device`, without computing."""
        return tt.plan(self.program, *jax.tree.map(lambda given: given.spec, self.inputs), device=device)


class Draw:
    """Normal values from a seed; projections, which map normal values to normal ones, are divided by the root of their height."""

    def __init__(self, sizes: Sizes, dtype: tt.DataType, seed: int = 0) -> None:
        self.sizes, self.dtype = sizes, dtype
        self._rng = np.random.default_rng(seed)

    def normal(self, *shape: int, dtype: tt.DataType = tt.bfloat16) -> Given:
        return Given(self._rng.standard_normal(shape, np.float32), dtype)

    def x(self) -> Given:
        return self.normal(self.sizes.batch, self.sizes.sequence, self.sizes.hidden)

    def projection(self, height: int, width: int) -> Given:
        weight = self.normal(height, width, dtype=self.dtype)
        return dataclasses.replace(weight, array=weight.array * height**-0.5)

    def weights(self, groups: int) -> Weights:
        s = self.sizes
        return Weights(self.projection(s.hidden, (s.heads + 2 * groups) * s.head_size), self.projection(s.hidden, s.hidden))


def parts(weights: Weights, heads: Heads) -> list[np.ndarray]:
    """The weights of queries, keys and values, and of the output, as the reference takes them."""
    size = weights.qkv.shape[1] // (heads.query + 2 * heads.key_value)
    return [*np.split(weights.qkv, (heads.query * size, (heads.query + heads.key_value) * size), axis=1), weights.output]


def self_case(draw: Draw, groups: int, program: Callable[..., Any], *rest: Any, **exact: Any) -> Case:
    """A sequence that looks at itself; `exact` are options of the reference."""
    heads = Heads(draw.sizes.heads, groups)

    def expected(x: np.ndarray, weights: Weights, *_: Any) -> np.ndarray:
        return reference.attention(x, x, *parts(weights, heads), head_size=draw.sizes.head_size, **exact)

    return Case(functools.partial(program, heads=heads), (draw.x(), draw.weights(groups), *rest), expected)


def biased_case(draw: Draw, bias: np.ndarray, *rest: Any, program: Any = variants.attention, **exact: Any) -> Case:
    """Multi-head attention with a causal `bias`."""
    return self_case(draw, draw.sizes.heads, program, Given(bias, tt.bfloat16), *rest, causal=True, **exact)


def rotary_case(draw: Draw) -> Case:
    s = draw.sizes
    tables = variants.rotary_tables(np.arange(s.sequence), s.head_size)
    angles = Angles(*(Given(array, tt.bfloat16) for array in tables))
    return biased_case(draw, variants.causal_bias(s.sequence), angles, program=variants.rotary_attention, rotary=True)


def cross_case(draw: Draw) -> Case:
    s = draw.sizes
    weights = CrossWeights(*(draw.projection(s.hidden, s.hidden) for _ in range(4)))
    program = functools.partial(variants.cross_attention, heads=Heads(s.heads, s.heads))
    expected = lambda x, context, weights: reference.attention(x, context, *weights, head_size=s.head_size)
    return Case(program, (draw.x(), draw.normal(s.batch, s.context, s.hidden), weights), expected)


def decode_case(draw: Draw) -> Case:
    """A token of each sequence, the last that its cache of `sequence` has room for."""
    s, heads = draw.sizes, Heads(draw.sizes.heads, draw.sizes.groups)
    cache = Cache(*(draw.normal(s.batch, s.groups, s.sequence, s.head_size, dtype=draw.dtype) for _ in range(2)))
    at = Given(np.full(s.batch, s.sequence - 1), tt.int32)

    def expected(x: np.ndarray, weights: Weights, cache: Cache, at: np.ndarray) -> np.ndarray:
        return reference.decode(x[0, 0], *parts(weights, heads), *cache, at, head_size=s.head_size)[None, None]

    program = functools.partial(variants.decode_attention, heads=heads)
    return Case(program, (draw.normal(1, 1, s.batch, s.hidden), draw.weights(s.groups), cache, at), expected)


VARIANTS: dict[str, Callable[[Draw], Case]] = {
    "multi-head": lambda draw: self_case(draw, draw.sizes.heads, variants.attention),
    "multi-query": lambda draw: self_case(draw, 1, variants.attention),
    "grouped-query": lambda draw: self_case(draw, draw.sizes.groups, variants.attention),
    "cross": cross_case,
    "causal": lambda draw: biased_case(draw, variants.causal_bias(draw.sizes.sequence)),
    "sliding-window": lambda draw: biased_case(
        draw, variants.causal_bias(draw.sizes.sequence, draw.sizes.window), window=draw.sizes.window
    ),
    "rotary": rotary_case,
    "alibi": lambda draw: biased_case(
        draw, variants.alibi_bias(draw.sizes.sequence, variants.alibi_slopes(draw.sizes.heads)), alibi=True
    ),
    "flash": lambda draw: self_case(draw, draw.sizes.heads, variants.flash_attention, causal=True),
    "flash-accurate": lambda draw: self_case(
        draw, draw.sizes.heads, functools.partial(variants.flash_attention, program_config=ACCURATE), causal=True
    ),
    "decode": decode_case,
}
