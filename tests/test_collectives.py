"""Collectives over meshes of eight virtual chips, against NumPy on the chips' tensors laid side by side."""

import jax
import numpy as np
import pytest

import tt_jax as tt

MESHES = pytest.mark.parametrize("shape", [(1, 8), (2, 4), (8, 1)], ids=["1x8", "2x4", "8x1"])
AXES = pytest.mark.parametrize("axis", [None, 0, 1], ids=["all", "axis0", "axis1"])
TOPOLOGIES = pytest.mark.parametrize("topology", [tt.Topology.Linear, tt.Topology.Ring], ids=["line", "ring"])
TILE = tt.TILE_LAYOUT


def spread(shape, values, dtype=tt.bfloat16, layout=TILE, config=tt.DRAM_MEMORY_CONFIG):
    """The memory of a mesh, a tensor on it, and what each chip has of it `[*shape, ...]`: slices of `values` `[chips, ...]`."""
    memory = tt.MemoryState.create(tt.N150, mesh=shape)
    mapper = tt.shard_tensor_to_mesh_mapper(memory.mesh, 0)
    flat = values.reshape(-1, *values.shape[2:])
    memory, x = tt.from_array(memory, flat, dtype=dtype, layout=layout, memory_config=config, mesh_mapper=mapper)
    return memory, x, on_chips(x, shape)


def on_chips(x, shape):
    return np.asarray(tt.to_array(x), np.float64).reshape(*shape, *x.shape)


def groups(chips, axis):
    """`[groups, members, ...]` of the chips `[rows, columns, ...]`, and how to put such an array back."""
    if axis is None:
        return chips.reshape(1, -1, *chips.shape[2:]), lambda y: y.reshape(*chips.shape[:2], *y.shape[2:])
    if axis == 1:
        return chips, lambda y: y
    return chips.swapaxes(0, 1), lambda y: y.swapaxes(0, 1)


def draw(rng, *shape):
    return rng.normal(size=(8, *shape)).astype(np.float32)


@MESHES
@AXES
def test_all_gather_is_all_tensors_on_each_chip(shape, axis, rng):
    memory, x, chips = spread(shape, draw(rng, 2, 32, 64))
    grouped, back = groups(chips, axis)
    for dim in (0, -1):
        _, y = tt.all_gather(memory, x, dim, cluster_axis=axis)
        expected = np.stack([np.stack([np.concatenate(list(group), dim)] * len(group)) for group in grouped])
        np.testing.assert_array_equal(on_chips(y, shape), back(expected))


@MESHES
@AXES
def test_mesh_partition_is_the_inverse_of_all_gather(shape, axis, rng):
    memory, x, chips = spread(shape, draw(rng, 2, 32, 64))
    memory, whole = tt.all_gather(memory, x, 1, cluster_axis=axis)
    _, y = tt.mesh_partition(memory, whole, 1, axis)
    np.testing.assert_array_equal(on_chips(y, shape), chips)


@MESHES
@AXES
@TOPOLOGIES
def test_reduce_scatter_of_small_integers_is_exact(shape, axis, topology, rng):
    memory, x, chips = spread(shape, rng.integers(-8, 9, (8, 2, 32, 256)).astype(np.float32))
    grouped, back = groups(chips, axis)
    _, y = tt.reduce_scatter(memory, x, 2, cluster_axis=axis, topology=topology)
    n = grouped.shape[1]
    expected = np.stack([np.stack(np.split(group.sum(0), n, 2)) for group in grouped])
    np.testing.assert_array_equal(on_chips(y, shape), back(expected))


@MESHES
@AXES
@pytest.mark.parametrize("tensor", [(2, 32, 256), (3, 5, 7)], ids=["scattered", "gathered"])
def test_all_reduce_of_small_integers_is_exact(shape, axis, tensor, rng):
    memory, x, chips = spread(shape, rng.integers(-8, 9, (8, *tensor)).astype(np.float32))
    grouped, back = groups(chips, axis)
    after, y = tt.all_reduce(memory, x, cluster_axis=axis)
    expected = np.broadcast_to(grouped.sum(1, keepdims=True), grouped.shape)
    np.testing.assert_array_equal(on_chips(y, shape), back(expected))
    assert tt.deallocate(after, y) == memory  # what lay between is freed


def rounded_away(x):
    """float64 as bfloat16, ties away from zero: the packer's rounding, by the bits of float32."""
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)


def test_a_ring_adds_from_the_next_chip_round_to_its_own(rng):
    """Integers of 9 bits times powers of 4: sums of two lie within the 11 bits to which the adder aligns, or are rounded apart."""
    values = rng.integers(256, 512, (8, 1, 32, 256)).astype(np.float32)
    memory, x, chips = spread((1, 8), values)
    _, y = tt.reduce_scatter(memory, x, 2, topology=tt.Topology.Ring)
    parts = np.stack(np.split(chips[0], 8, 3), 1)  # [chip, slice, ...]
    for chip, got in enumerate(on_chips(y, (1, 8))[0]):
        total = parts[(chip + 1) % 8, chip]
        for step in range(2, 9):
            total = rounded_away(total + parts[(chip + step) % 8, chip])
        np.testing.assert_array_equal(got, total)


def test_along_a_line_sums_come_from_both_ends(rng):
    values = rng.integers(256, 512, (8, 1, 32, 256)).astype(np.float32)
    memory, x, chips = spread((8, 1), values)
    _, y = tt.reduce_scatter(memory, x, 2, topology=tt.Topology.Linear)
    parts = np.stack(np.split(chips[:, 0], 8, 3), 1)
    for chip, got in enumerate(on_chips(y, (8, 1))[:, 0]):
        left = right = None
        for i in range(chip):
            left = parts[i, chip] if left is None else rounded_away(left + parts[i, chip])
        for i in range(7, chip, -1):
            right = parts[i, chip] if right is None else rounded_away(right + parts[i, chip])
        total = parts[chip, chip]
        for arrived in (left, right):
            total = total if arrived is None else rounded_away(arrived + total)
        np.testing.assert_array_equal(got, total)


@TOPOLOGIES
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.bfloat8_b, tt.float32], ids=["bf16", "bfp8", "f32"])
def test_a_sum_is_within_its_bound(topology, dtype, rng):
    """n - 1 additions, each rounded by at most half a unit of the dtype, of partial sums no larger than the sum of magnitudes."""
    shape = (2, 4)
    memory, x, chips = spread(shape, draw(rng, 2, 32, 256), dtype)
    _, y = tt.all_reduce(memory, x, topology=topology)
    flat = chips.reshape(8, *chips.shape[2:])
    magnitude = abs(flat).sum(0)
    if dtype is tt.bfloat8_b:  # sixteen neighbours share the exponent of the largest
        magnitude = np.repeat(magnitude.reshape(2, 32, -1, 16).max(-1), 16, -1)
    unit = {tt.bfloat16: 2.0**-8, tt.bfloat8_b: 2.0**-6, tt.float32: 2.0**-23}[dtype]
    error = abs(on_chips(y, shape) - flat.sum(0))
    assert (error <= 7 * unit * magnitude).all()
    assert dtype is tt.float32 or error.max() > 0  # it is rounded
    assert (on_chips(y, shape) == on_chips(y, shape)[0, 0]).all()


@MESHES
@AXES
def test_all_to_all_spreads_along_another_dimension(shape, axis, rng):
    memory, x, chips = spread(shape, draw(rng, 8, 32, 256))
    grouped, back = groups(chips, axis)
    memory, y = tt.all_to_all(memory, x, 1, 2, cluster_axis=axis)
    n = grouped.shape[1]
    expected = np.stack([np.stack(np.split(np.concatenate(list(group), 1), n, 2)) for group in grouped])
    np.testing.assert_array_equal(on_chips(y, shape), back(expected))
    _, again = tt.all_to_all(memory, y, 2, 1, cluster_axis=axis)
    np.testing.assert_array_equal(on_chips(again, shape), chips)


@MESHES
@AXES
def test_broadcasts(shape, axis, rng):
    memory, x, chips = spread(shape, draw(rng, 32, 32))
    grouped, back = groups(chips, axis)
    sender = tuple(size - 1 for size in shape)
    _, y = tt.broadcast(memory, x, sender, cluster_axis=axis)
    np.testing.assert_array_equal(on_chips(y, shape), back(np.broadcast_to(grouped[:, -1:], grouped.shape)))
    _, parts = tt.all_broadcast(memory, x, cluster_axis=axis)
    assert len(parts) == grouped.shape[1]
    for i, part in enumerate(parts):
        np.testing.assert_array_equal(on_chips(part, shape), back(np.broadcast_to(grouped[:, i : i + 1], grouped.shape)))


@MESHES
def test_point_to_point_reaches_one_chip(shape, rng):
    memory, x, chips = spread(shape, draw(rng, 32, 32))
    sender, receiver = (0, 0), tuple(size - 1 for size in shape)
    _, y = tt.point_to_point(memory, x, sender, receiver)
    np.testing.assert_array_equal(on_chips(y, shape)[receiver], chips[sender])
    memory, output = tt.add(memory, x, 1.0)
    before = on_chips(output, shape)
    after, y = tt.point_to_point(memory, x, sender, receiver, output_tensor=output)
    expected = before.copy()
    expected[receiver] = chips[sender]
    np.testing.assert_array_equal(on_chips(y, shape), expected)
    assert after == memory and y.buffer == output.buffer


def test_a_block_float_that_is_grouped_anew_is_packed_anew(rng):
    """Slices of 8 columns: gathered along the last axis, two chips' share an exponent."""
    memory, x, chips = spread((1, 8), draw(rng, 32, 8) * np.logspace(0, 3, 8, dtype=np.float32)[:, None, None], tt.bfloat8_b)
    _, y = tt.all_gather(memory, x, -1)
    joined = np.concatenate(list(chips[0]), -1)
    one = tt.MemoryState.create(tt.N150)
    one, whole = tt.from_array(one, joined.astype(np.float32), dtype=tt.bfloat16, layout=TILE)
    _, packed = tt.typecast(one, whole, tt.bfloat8_b)
    got = on_chips(y, (1, 8))[0, 0]
    assert (got != joined).any()
    step = 2.0 ** (np.floor(np.log2(abs(joined).reshape(32, -1, 16).max(-1))) - 6)
    assert (abs(got - joined).reshape(32, -1, 16) <= step[..., None]).all()
    assert np.mean(got == np.asarray(tt.to_array(packed))) > 0.9


@pytest.mark.parametrize(("shape", "level"), [((1, 8), "fast"), ((2, 4), "fast"), ((8, 1), "fast"), ((2, 4), "float32")])
def test_one_jit_equals_one_operation_at_a_time(shape, level, rng):
    memory, x, _ = spread(shape, draw(rng, 1, 64, 128))
    memory, w = tt.from_array(memory, draw(rng, 128, 64)[0], dtype=tt.bfloat8_b, layout=TILE)

    def program(memory, x, w):
        memory, y = tt.linear(memory, x, w, activation="relu")
        memory, z = tt.all_reduce(memory, y, cluster_axis=1, topology=tt.Topology.Ring)
        memory, g = tt.all_gather(memory, z, 0, cluster_axis=0)
        return tt.deallocate(memory, y, z), g

    with tt.numerics(level):
        after, eager = program(memory, x, w)
        jitted_after, jitted = jax.jit(program)(memory, x, w)
        assert after == jitted_after
        np.testing.assert_array_equal(np.asarray(eager.array), np.asarray(jitted.array))
        assert jitted.array.sharding.is_equivalent_to(memory.mesh.sharding, jitted.array.ndim)


def test_at_level_float32_nothing_is_rounded(rng):
    values = draw(rng, 1, 32, 256)
    with tt.numerics("float32"):
        memory, x, _ = spread((2, 4), values)
        _, y = tt.all_reduce(memory, x)
    np.testing.assert_allclose(on_chips(y, (2, 4))[1, 3], values.astype(np.float64).sum(0), rtol=1e-4, atol=1e-5)


def test_gradients_go_back_over_the_links(rng):
    """Of half the squares of what every chip holds after a sum: each of eight chips' terms has all eight chips' sums as gradient."""
    memory, x, _ = spread((2, 4), draw(rng, 1, 32, 256))

    def loss(array):
        _, y = tt.all_reduce(memory, tt.Tensor(array, x.spec, x.buffer))
        return (y.array.astype(np.float32) ** 2).sum() / 2

    with tt.numerics("float32"):
        array = x.array.astype(np.float32)
        gradient = np.asarray(jax.grad(loss)(array), np.float64)
    total = np.asarray(array, np.float64).reshape(8, 1, 32, 256).sum(0)
    np.testing.assert_allclose(gradient, np.broadcast_to(8 * total, gradient.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mesh", [None, (1, 1)], ids=["board", "mesh-of-one"])
def test_a_single_chip_has_only_itself(mesh, rng):
    memory = tt.MemoryState.create(tt.N150, mesh=mesh)
    memory, x = tt.from_array(memory, rng.normal(size=(32, 64)).astype(np.float32), dtype=tt.bfloat16, layout=TILE)
    for call in (
        lambda: tt.all_gather(memory, x, 0, cluster_axis=1),
        lambda: tt.reduce_scatter(memory, x, 0),
        lambda: tt.all_reduce(memory, x, cluster_axis=0),
        lambda: tt.all_to_all(memory, x, 0, 1),
        lambda: tt.mesh_partition(memory, x, 0),
        lambda: tt.broadcast(memory, x, (0, 0)),
        lambda: (memory, tt.all_broadcast(memory, x)[1][0]),
    ):
        _, y = call()
        assert y.spec == x.spec
        np.testing.assert_array_equal(np.asarray(y.array), np.asarray(x.array))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m, x: tt.all_gather(m, x, 4), "dim"),
        (lambda m, x: tt.all_gather(m, x, 0, cluster_axis=2), r"`cluster_axis` is 2.*axes 0 to 1"),
        (lambda m, x: tt.all_gather(m, x, 0, cluster_axis=-1), "cluster_axis"),
        (lambda m, x: tt.all_gather(m, x, 0, topology="ring"), "Topology"),
        (lambda m, x: tt.all_gather(m, x, 0, num_links=0), "num_links"),
        (lambda m, x: tt.reduce_scatter(m, x, 0), r"dimension 0 of .* does not divide evenly over 8 chips; pad it to 8"),
        (lambda m, x: tt.reduce_scatter(m, x, 0, cluster_axis=1), "over 4 chips; pad it to 4"),
        (lambda m, x: tt.mesh_partition(m, x, 0), "does not divide evenly"),
        (lambda m, x: tt.all_to_all(m, x, 1, 0), "does not divide evenly"),
        (lambda m, x: tt.all_to_all(m, x, 1, 1), "both 1"),
        (lambda m, x: tt.point_to_point(m, x, (0, 0), (2, 0)), r"`receiver_coord` \(2, 0\) is not in a mesh of shape \(2, 4\)"),
        (lambda m, x: tt.point_to_point(m, x, 0, (1, 0)), "`sender_coord` must be a coordinate"),
        (lambda m, x: tt.point_to_point(m, x, (0, 0), (0, 0)), "both"),
        (lambda m, x: tt.broadcast(m, x, (0, 4)), "not in a mesh"),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(call, match, rng, cache):
    memory, x, _ = spread((2, 4), draw(rng, 3, 32, 64))
    entries = cache.entries
    with pytest.raises(tt.ArgumentError, match=match):
        call(memory, x)
    assert cache.entries == entries


def test_what_does_not_fit_leaves_the_memory_as_it_was(rng):
    memory, x, _ = spread((2, 4), draw(rng, 1, 32, 64), config=tt.L1_MEMORY_CONFIG)
    free = memory.view(tt.BufferType.L1).total_bytes_free_per_bank
    full, _ = memory.allocate(tt.BufferType.L1, free)
    with pytest.raises(tt.OutOfMemoryError, match="all_gather"):
        tt.all_gather(full, x, 0)
    with pytest.raises(tt.OutOfMemoryError, match="all_reduce"):
        tt.all_reduce(full, x)
    assert full.is_live(x.buffer)


def test_tensors_without_elements():
    memory, x = tt.zeros(tt.MemoryState.create(tt.N150, mesh=(2, 4)), (2, 0, 32), tt.bfloat16, TILE)
    assert tt.all_gather(memory, x, 1)[1].shape == (2, 0, 32)
    assert tt.all_gather(memory, x, 0)[1].shape == (16, 0, 32)
    assert tt.all_reduce(memory, x)[1].shape == (2, 0, 32)
