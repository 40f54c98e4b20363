"""What the benchmarks of the sentence encoder share: random weights of its shapes, ids, and the same model in JAX and in torch."""

import math
import pathlib
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import tt_jax as tt

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

# isort: off - found on the path just added
import _minilm_files as files  # noqa: E402
import _minilm_reference as reference  # noqa: E402
import minilm  # noqa: E402

# isort: on

VOCABULARY = 30522


def batch(size: int, sequence: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`(ids, real)` `[size, sequence]`, at least half of each sequence real."""
    rng = np.random.default_rng(seed)
    real = np.arange(sequence) < rng.integers(sequence // 2, sequence + 1, (size, 1))
    return rng.integers(VOCABULARY, size=(size, sequence)).astype(np.uint32), real


def float32_jax(weights: files.Weights, ids: np.ndarray, real: np.ndarray) -> tuple[Callable[..., jax.Array], tuple]:
    """The model as a JAX user would write it, in one jit, and its arguments."""
    encode = jax.jit(lambda w, i, r: reference.encode(w, i, r, xp=jnp, erf=jax.scipy.special.erf))
    return encode, jax.device_put((weights, ids, real))


def float32_torch(weights: files.Weights, ids: np.ndarray, real: np.ndarray) -> Callable[[], object] | None:
    """The model in eager torch, written with its functions; None where it is not installed."""
    try:
        import torch
        from torch.nn import functional
    except ImportError:
        return None
    w = {name: torch.from_numpy(array) for name, array in weights.items()}
    tokens, kept = torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(real)
    size, sequence = ids.shape

    def linear(x, name):
        return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x, name):
        return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], files.LAYER_NORM_EPSILON)

    def heads(x, name):
        return linear(x, name).view(size, sequence, files.HEADS, -1).transpose(1, 2)

    @torch.inference_mode()
    def encode():
        x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][:sequence]
        x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        mask = torch.where(kept, 0.0, reference.MASKED_OUT)[:, None, None]
        for layer in (f"encoder.layer.{i}" for i in range(files.LAYERS)):
            query, key, value = (heads(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
            scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) + mask
            context = (scores.softmax(-1) @ value).transpose(1, 2).reshape(x.shape)
            x = norm(x + linear(context, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
            y = functional.gelu(linear(x, f"{layer}.intermediate.dense"))
            x = norm(x + linear(y, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return functional.normalize((x * kept[..., None]).sum(1), dim=-1)

    return encode


def encoder(
    weights: files.Weights,
    ids: np.ndarray,
    real: np.ndarray,
    dtype: tt.DataType = tt.bfloat8_b,
    fidelity: tt.MathFidelity = tt.MathFidelity.HiFi4,
    memory_config: tt.MemoryConfig = tt.L1_MEMORY_CONFIG,
) -> tuple[Callable[..., tuple[tt.MemoryState, tt.Tensor]], tuple]:
    """The model on TT-NN operations, and its arguments."""
    memory, parameters = minilm.place_parameters(tt.MemoryState.create(tt.N150), weights, dtype)
    memory, inputs = minilm.place_inputs(memory, ids, real)
    config = tt.ComputeKernelConfig(fidelity, math_approx_mode=False, packer_l1_acc=True)

    def program(memory, inputs, parameters):
        return minilm.encode(memory, inputs, parameters, compute_kernel_config=config, memory_config=memory_config)

    return program, (memory, inputs, parameters)


def multiplications(size: int, sequence: int) -> int:
    """Of the linear layers and of both products of attention, for all tokens."""
    linear = sum(math.prod(shape) for name, shape in files.shapes().items() if "encoder" in name and len(shape) == 2)
    return size * sequence * (linear + files.LAYERS * 2 * sequence * files.HIDDEN)
