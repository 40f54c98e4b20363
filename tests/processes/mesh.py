"""Run by each of several processes: the facade on a mesh of all their chips, against NumPy. Prints "equal" once, from process 0."""

import sys

import jax
import numpy as np
import ttnn

import tt_jax as tt

shape = tuple(map(int, sys.argv[1].split("x")))
rng = np.random.default_rng(0)
device = ttnn.open_mesh_device(ttnn.MeshShape(*shape))
assert device.get_num_devices() == ttnn.get_num_devices() == 8
values = rng.integers(-8, 9, (8, 1, 32, 64)).astype(np.float32)
weight = rng.integers(-2, 3, (64, 32)).astype(np.float32)


def composed(x, composer):
    return ttnn.to_numpy(x, mesh_composer=composer).astype(np.float32)


whole = ttnn.ConcatMeshToTensor(device, dim=0)
x = ttnn.from_numpy(
    values, ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device, mesh_mapper=ttnn.ShardTensorToMesh(device, dim=0)
)
w = ttnn.from_numpy(weight, ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
np.testing.assert_array_equal(composed(x, whole), values)
product = ttnn.linear(x, w, dtype=ttnn.float32)
np.testing.assert_array_equal(composed(product, whole), values @ weight)
total = ttnn.all_reduce(x)
np.testing.assert_array_equal(composed(total, whole), np.broadcast_to(values.sum(0), values.shape))
gathered = ttnn.all_gather(x, dim=0)
for part in ttnn.get_device_tensors(gathered):
    np.testing.assert_array_equal(ttnn.to_numpy(part).astype(np.float32), values)
part = ttnn.reduce_scatter(gathered, dim=0, topology=ttnn.Topology.Ring)
np.testing.assert_array_equal(composed(part, whole), 8 * values)
exchanged = ttnn.all_to_all(gathered, 2, 0)
np.testing.assert_array_equal(composed(exchanged, whole)[:, :, :32], values)
sent = ttnn.point_to_point(x, ttnn.MeshCoordinate(0, 0), ttnn.MeshCoordinate(shape[0] - 1, shape[1] - 1))
np.testing.assert_array_equal(composed(sent, whole)[7], values[0])
np.testing.assert_array_equal(composed(ttnn.mesh_partition(gathered, 0), whole), values)
np.testing.assert_array_equal(composed(ttnn.broadcast(x, ttnn.MeshCoordinate(0, 0)), whole)[5], values[0])
np.testing.assert_array_equal(composed(ttnn.all_broadcast(x)[3], whole)[6], values[3])
back = ttnn.from_device(product).to(device)
np.testing.assert_array_equal(composed(back, whole), values @ weight)
ones = ttnn.ones((32, 32), ttnn.bfloat16, ttnn.TILE_LAYOUT, device) * 2.0
assert (composed(ones, whole) == 2).all()

memory = tt.MemoryState.create(tt.N150, mesh=shape)
mapper = tt.shard_tensor_to_mesh_mapper(memory.mesh, 0)
memory, x = tt.from_array(memory, values, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT, mesh_mapper=mapper)
memory, w = tt.from_array(memory, weight, dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)


@jax.jit
def program(memory, x, w):
    memory, y = tt.linear(memory, x, w, activation="relu", dtype=tt.float32)
    memory, z = tt.all_reduce(memory, y, cluster_axis=1)
    return tt.deallocate(memory, y), z


memory, z = program(memory, x, w)
got = np.asarray(tt.to_array(z, mesh_composer=tt.concat_mesh_to_tensor_composer(memory.mesh, 0)))
rows = np.maximum(values @ weight, 0).reshape(*shape, 32, 32).sum(1, keepdims=True)
np.testing.assert_array_equal(got.reshape(*shape, 32, 32), np.broadcast_to(rows, (*shape, 32, 32)))
if jax.process_index() == 0:
    print("equal")
