"""Exchanges between chips that nobody waits for, many in a row: one jit after the other, then one operation after the other."""

import jax
import numpy as np

import tt_jax as tt

memory = tt.MemoryState.create(tt.N150, mesh=(4, 2))
mapper = tt.shard_tensor_2d_to_mesh_mapper((4, 2), (0, None))
memory, x = tt.from_array(memory, np.ones((8, 32, 64)), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT, mesh_mapper=mapper)


def program(memory, x, halvings=1):
    memory, y = tt.reduce_scatter(memory, x, -1, cluster_axis=1)
    memory, z = tt.all_gather(memory, y, -1, cluster_axis=1)
    for _ in range(halvings):
        memory, w = tt.multiply(memory, z, 0.5)
        memory = tt.deallocate(memory, z)
        z = w
    return tt.deallocate(memory, y), z


run = jax.jit(lambda array: program(memory, tt.Tensor(array, x.spec, x.buffer))[1].array)
array = x.array
for _ in range(1000):
    array = run(array)
assert (np.asarray(array) == 1).all()
for _ in range(60):
    _, y = program(memory, x, 6)
    x = tt.Tensor(y.array * 32, x.spec, x.buffer)
assert (np.asarray(x.array) == 1).all()
print("done")
