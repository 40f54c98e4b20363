"""all-MiniLM-L6-v2 on one board, ready for sentences: batches of one shape, one compiled program or one for each operation."""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import _packed_weights
import jax
import minilm
import numpy as np
from _minilm_files import POSITIONS, Weights, pad
from _report import DTYPES, compute_config
from numpy.typing import NDArray

import tt_jax as tt

MODEL = "all-MiniLM-L6-v2"


class Setting(NamedTuple):
    """How the model is kept and computed."""

    weights: tt.DataType = tt.bfloat8_b
    fidelity: tt.MathFidelity = tt.MathFidelity.HiFi4
    memory_config: tt.MemoryConfig = tt.L1_MEMORY_CONFIG


class Encoder:
    """The model in a board's DRAM.

    Attributes:
        hooks: more arguments of `minilm.encode`.
        mapper, composer: how a batch is spread over the chips of a mesh, and embeddings `[batch, 1, hidden]` are gathered.
    """

    hooks: Mapping[str, Any] = MappingProxyType({})
    mapper: tt.MeshMapperConfig | None = None
    composer: tt.MeshComposerConfig | None = None

    def __init__(self, setting: Setting, memory: tt.MemoryState, parameters: minilm.Parameters):
        self.setting, self.memory, self.parameters = setting, memory, parameters
        self._compiled = jax.jit(self.program)

    @classmethod
    def of(cls, device: tt.DeviceProfile, setting: Setting, weights: Weights) -> "Encoder":
        """From float32 weights, rounded to the setting's dtype."""
        memory, parameters = minilm.place_parameters(tt.MemoryState.create(device), weights, setting.weights)
        return cls(setting, memory, parameters)

    @classmethod
    def load(cls, device: tt.DeviceProfile, setting: Setting, path: str) -> "Encoder":
        """From a file that `save` wrote, whose dtype the setting gets. Ends the process if it is another, or of another model."""
        about = _packed_weights.about(path)
        if about.get("model") != MODEL:
            sys.exit(f"{path} holds weights of {about.get('model')}, not of {MODEL}")
        dtype = DTYPES[about["weights"]]
        memory, parameters = _packed_weights.load(tt.MemoryState.create(device), path, minilm.skeleton())
        return cls(setting._replace(weights=dtype), memory, parameters)

    def save(self, path: str) -> int:
        """Write the weights, packed; the file's bytes."""
        dtype = self.setting.weights
        about = {"model": MODEL, "weights": dtype.kernel_name}
        return _packed_weights.save(path, self.parameters, about, packed={"words": dtype})

    def program(
        self, memory: tt.MemoryState, inputs: minilm.Inputs, parameters: minilm.Parameters
    ) -> tuple[tt.MemoryState, tt.Tensor]:
        """What runs on the board of `memory` for a batch."""
        return minilm.encode(
            memory,
            inputs,
            parameters,
            compute_kernel_config=compute_config(memory.device, self.setting.fidelity),
            memory_config=self.setting.memory_config,
            **self.hooks,
        )

    def plan(self, batch: int, sequence: int, device: tt.DeviceProfile | None = None) -> tt.Plan:
        """The program for a batch of a shape without its values: whether it fits, where its memory goes."""
        specs = minilm.Inputs(
            tt.TensorSpec((batch, sequence), tt.uint32, tt.ROW_MAJOR_LAYOUT),
            tt.TensorSpec((batch, 1, 1, sequence), tt.bfloat16, tt.TILE_LAYOUT),
            tt.TensorSpec((batch, 1, sequence), tt.bfloat16, tt.TILE_LAYOUT),
        )
        parameters = jax.tree.map(lambda x: x.spec, self.parameters, is_leaf=lambda x: isinstance(x, tt.Tensor))
        return tt.plan(self.program, specs, parameters, device=device or self.memory.device)

    def batches(self, tokens: Sequence[Sequence[int]], batch: int, sequence: int | None) -> list[tuple[Any, Any]]:
        """`(ids, real)` of one shape; the last batch is filled up with empty sentences.

        Raises ArgumentError for a sequence longer than the model has positions.
        """
        ids, real = pad(tokens, sequence)
        if ids.shape[1] > POSITIONS:
            raise tt.ArgumentError(
                f"a sequence of {ids.shape[1]} tokens was asked for; the model has {POSITIONS} positions: cut it to that"
            )
        filled = -(-len(ids) // batch) * batch - len(ids)
        ids, real = (np.pad(x, ((0, filled), (0, 0))) for x in (ids, real))
        return [(ids[i : i + batch], real[i : i + batch]) for i in range(0, len(ids), batch)]

    def runs(self, batches: Sequence[tuple[Any, Any]], whole: bool = True) -> list[Callable[[], jax.Array]]:
        """A function for each batch that gives its embeddings `[batch, hidden]`: by one compiled program, or operation by operation."""
        program = self._compiled if whole else self.program

        def run(ids: Any, real: Any) -> jax.Array:
            memory, inputs = minilm.place_inputs(self.memory, ids, real, self.mapper)
            _, y = program(memory, inputs, self.parameters)
            return tt.to_array(y, mesh_composer=self.composer)[:, 0]

        return [lambda ids=ids, real=real: run(ids, real) for ids, real in batches]

    def encode(
        self, tokens: Sequence[Sequence[int]], batch: int, sequence: int | None = None, whole: bool = True
    ) -> NDArray[np.float32]:
        """The embeddings `[len(tokens), hidden]` of at least one sentence."""
        rows = [np.asarray(run(), np.float32) for run in self.runs(self.batches(tokens, batch, sequence), whole)]
        return np.concatenate(rows)[: len(tokens)]
