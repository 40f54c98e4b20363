"""A feed-forward layer whose matrices are cut over the columns of a mesh: for mesh.py and _mesh_compile.py."""

import tt_jax as tt

BATCH, SEQUENCE, HIDDEN = 4, 128, 256


def layer(memory, x, gamma, beta, up, down):
    """The residual of a normed feed-forward network; what the chips of a row have is summed over them."""
    memory, normed = tt.layer_norm(memory, x, weight=gamma, bias=beta)
    memory, hidden = tt.linear(memory, normed, up, activation="gelu", dtype=tt.bfloat8_b)
    memory, part = tt.linear(memory, hidden, down)
    memory = tt.deallocate(memory, normed, hidden)
    memory, whole = tt.all_reduce(memory, part, cluster_axis=1, topology=tt.Topology.Ring)
    memory, y = tt.add(memory, x, whole)
    return tt.deallocate(memory, part, whole), y


def specs():
    """Of one chip: the same on every mesh, so that work grows with it (weak scaling)."""
    shapes = ((BATCH, SEQUENCE, HIDDEN), (1, HIDDEN), (1, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, HIDDEN))
    return [tt.TensorSpec(shape, tt.bfloat16, tt.TILE_LAYOUT) for shape in shapes]
