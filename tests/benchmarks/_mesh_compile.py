"""A process that traces, lowers and compiles a layer for a mesh of so many chips, and prints the seconds of each: for mesh.py."""

import json
import sys
import time

import jax
from _mesh import layer, specs

import tt_jax as tt


def main(chips: int) -> None:
    mesh = tt.Mesh((max(1, chips // 8), min(chips, 8)))
    memory = tt.MemoryState.create(tt.N150, mesh=mesh)
    tensors = []
    for spec in specs():
        memory, buffer = memory.allocate(tt.BufferType.DRAM, spec.bytes_per_bank(memory.device))
        sharding = mesh.sharding if mesh.lead else None
        array = jax.ShapeDtypeStruct((*mesh.lead, *spec.shape), spec.dtype.carrier, sharding=sharding)
        tensors.append(tt.Tensor(array, spec, buffer))
    jax.jit(lambda x: x + 1)(1.0)  # JAX has started
    start = time.perf_counter()
    traced = jax.jit(layer).trace(memory, *tensors)
    middle = time.perf_counter()
    lowered = traced.lower()
    late = time.perf_counter()
    lowered.compile()
    end = time.perf_counter()
    print(json.dumps({"trace": middle - start, "lower": late - middle, "compile": end - late}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
