"""What a mesh costs: a mesh of one against a plain board, and how planning and compiling grow with the chips.

A mesh of one is to take at most 1.05 times what the board takes. With the same tensors on each chip (weak scaling), planning and
compiling for n chips are to take at most n times what one takes, up to 256: the chips run one program, so they should take little more.

python tests/benchmarks/mesh.py [--rounds 9] [--repeat 20] [--most 256]
"""

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import jax
import numpy as np
from _interleave import Comparison, compare, interleave, main
from _mesh import layer, specs

import tt_jax as tt

CHILD = pathlib.Path(__file__).with_name("_mesh_compile.py")
SIZES = (1, 8, 64, 256)


def inputs_of(mesh: tuple[int, int] | None) -> tuple[tt.MemoryState, list[tt.Tensor]]:
    rng = np.random.default_rng(0)
    memory, tensors = tt.MemoryState.create(tt.N150, mesh=mesh), []
    for spec in specs():
        memory, x = tt.from_array(memory, rng.normal(size=spec.shape), dtype=spec.dtype, layout=spec.layout)
        tensors.append(x)
    return memory, tensors


def overhead(rounds: int, repeat: int) -> Iterator[Comparison]:
    board, on_board = inputs_of(None)
    one, on_one = inputs_of((1, 1))
    for name, program in (("a layer, one operation at a time", layer), ("a layer, one jit", jax.jit(layer))):
        contenders = {
            "mesh of one": lambda program=program: program(one, *on_one)[1].array,
            "board": lambda program=program: program(board, *on_board)[1].array,
        }
        times = interleave(contenders, rounds, repeat)
        yield compare(name, times, "mesh of one", "board", target=1.05)


def planning(rounds: int, sizes: tuple[int, ...]) -> Iterator[Comparison]:
    def planned(chips: int) -> None:
        tt.plan(layer, *specs(), mesh=(max(1, chips // 8), min(chips, 8)))

    times = interleave({f"{chips} chips": lambda chips=chips: planned(chips) for chips in sizes}, rounds, repeat=5)
    for chips in sizes[1:]:
        yield compare("planning a layer, weak scaling", times, f"{chips} chips", "1 chips", target=chips)


def compiling(rounds: int, sizes: tuple[int, ...]) -> Iterator[Comparison]:
    times: dict[str, list[float]] = {f"{chips} chips": [] for chips in sizes}
    stages: dict[int, dict[str, float]] = {}
    for _ in range(rounds):
        for chips in sizes:
            done = subprocess.run([sys.executable, str(CHILD), str(chips)], stdout=subprocess.PIPE, text=True, check=True)
            stages[chips] = json.loads(done.stdout)
            times[f"{chips} chips"].append(sum(stages[chips].values()))
    for chips in sizes[1:]:
        note = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in stages[chips].items())
        yield compare(
            "tracing, lowering and compiling a layer, weak scaling", times, f"{chips} chips", "1 chips", target=chips, note=note
        )


def comparisons(*, rounds: int = 9, repeat: int = 20, most: int = 256) -> Iterator[Comparison]:
    sizes = tuple(chips for chips in SIZES if chips <= most)
    yield from overhead(rounds, repeat)
    yield from planning(rounds, sizes)
    yield from compiling(min(rounds, 7), sizes)


if __name__ == "__main__":
    main(__doc__, comparisons)
