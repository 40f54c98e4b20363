"""A whole model: the sentence encoder with bfloat8_b weights at HiFi4, all its roundings, against the same model in float32.

Random weights of its shapes. The float32 model in JAX under one jit, and in eager torch where that is installed; then one compiled
program for each operation against one for all, and the roundings against none (level float32). Then all of it again with the memory
that is freed kept (`tt_jax.machine.keep_freed_memory`), for every contender.

python tests/benchmarks/minilm.py [--rounds 7] [--batch 32] [--sequence 128] [--weights bfloat8_b] [--fidelity HiFi4]
"""

from collections.abc import Iterator

import jax
from _encoder import batch as draw
from _encoder import encoder, files, float32_jax, float32_torch
from _interleave import Comparison, compare, main, with_and_without_kept_memory

import tt_jax as tt

JAX, TORCH, WHOLE, EACH, UNROUNDED = (
    "float32 JAX, one jit",
    "float32 torch, eager",
    "encoder, one jit",
    "encoder, a jit per operation",
    "the same, level float32",
)


def comparisons(
    *, rounds: int = 7, batch: int = 32, sequence: int = 128, weights: str = "bfloat8_b", fidelity: str = "HiFi4"
) -> Iterator[Comparison]:
    values = files.random_weights()
    ids, real = draw(batch, sequence)
    program, arguments = encoder(values, ids, real, getattr(tt, weights), tt.MathFidelity[fidelity])
    whole = jax.jit(program)
    plain, on_device = float32_jax(values, ids, real)

    def unrounded():
        with tt.numerics("float32"):
            return whole(*arguments)[1].array

    contenders = {
        JAX: lambda: plain(*on_device),
        WHOLE: lambda: whole(*arguments)[1].array,
        EACH: lambda: program(*arguments)[1].array,
        UNROUNDED: unrounded,
    }
    torch = float32_torch(values, ids, real)
    name = f"MiniLM, batch {batch}, sequence {sequence}, {weights} weights, {fidelity}"
    every = contenders if torch is None else contenders | {TORCH: torch}
    for title, times in with_and_without_kept_memory(name, every, rounds):
        for alternative in (JAX, TORCH):
            if alternative in times:
                yield compare(title, times, WHOLE, alternative, target=1.0)
                yield compare(title, times, EACH, alternative)
        yield compare(title, times, EACH, WHOLE, target=1.15)
        yield compare(title, times, WHOLE, UNROUNDED, target=1.3)


if __name__ == "__main__":
    main(__doc__, comparisons)
