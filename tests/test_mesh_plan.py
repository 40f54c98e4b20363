"""Plans of meshes: what goes over the links, per chip and collective, and how it grows with the mesh."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt
from tt_jax import cli, traffic

TILE = tt.TILE_LAYOUT


def walked(n, is_ring, flows):
    """Chunks over each directed link when `flows` of `(source, target, amount)` each take the shortest way, halved where both are as
    short: `{(chip, direction): amount}`."""
    loads = {}
    for source, target, amount in flows:
        distance = target - source
        ways = [distance]
        if is_ring:
            right, left = distance % n, (distance % n) - n
            ways = [right] if right < -left else [left] if -left < right else [right, left]
        for way in ways:
            step = 1 if way > 0 else -1
            for hop in range(abs(way)):
                link = ((source + step * hop) % n, step)
                loads[link] = loads.get(link, 0) + amount / len(ways)
    return loads


def sent_by(n, loads):
    return max(sum(amount for (chip, _), amount in loads.items() if chip == at) for at in range(n))


@given(st.integers(2, 12), st.booleans())
def test_an_exchange_loads_links_as_walking_it_does(n, is_ring):
    size = 8 * n
    loads = walked(n, is_ring, [(i, j, size / n) for i in range(n) for j in range(n) if i != j])
    told = traffic.exchange(n, size, is_ring, 1)
    assert told.busiest == pytest.approx(max(loads.values()))
    assert abs(told.sent - sent_by(n, loads)) < 1


@given(st.integers(2, 12), st.booleans())
def test_a_gather_loads_links_as_walking_it_does(n, is_ring):
    """Every tensor passes each link of its way once, whichever chips it is for. In a ring one direction may have one more of them;
    pieces of half a tensor even that out."""
    size = 100
    loads = {}
    for source in range(n):
        right = (n - 1) / 2 if is_ring else n - 1 - source
        left = (n - 1) / 2 if is_ring else source
        for way, step in ((right, 1), (left, -1)):
            whole = int(way)
            for hop in range(whole):
                link = ((source + step * hop) % n, step)
                loads[link] = loads.get(link, 0) + size
            if way > whole:
                link = ((source + step * whole) % n, step)
                loads[link] = loads.get(link, 0) + size / 2
    told = traffic.gather(n, size, is_ring, 1)
    assert told.busiest == pytest.approx(max(loads.values()))
    assert told.sent == pytest.approx(sent_by(n, loads))


@given(st.integers(2, 12), st.booleans())
def test_a_scatter_sends_a_partial_sum_over_each_link_on_the_way(n, is_ring):
    size = 16 * n
    loads = {}
    for target in range(n):  # its slice comes from both ends; in a ring half of it each way round
        for step in (1, -1):
            distance = n - 1 if is_ring else target if step == 1 else n - 1 - target
            for hop in range(distance):
                link = ((target - step * (hop + 1)) % n, step)
                loads[link] = loads.get(link, 0) + size / n / (2 if is_ring else 1)
    told = traffic.scatter(n, size, is_ring, 1)
    assert told.busiest == pytest.approx(max(loads.values()))
    assert told.sent == pytest.approx(sent_by(n, loads))


def block(memory, x, w):
    memory, y = tt.linear(memory, x, w)
    memory, z = tt.all_reduce(memory, y, cluster_axis=1, topology=tt.Topology.Ring, num_links=4)
    return tt.deallocate(memory, y), z


def specs_on(mesh, batch=32, hidden=4096):
    shape = mesh.shape
    x = tt.TensorSpec((batch, 128, hidden), tt.bfloat8_b, TILE)
    w = tt.TensorSpec((hidden, hidden), tt.bfloat8_b, TILE)
    return (
        tt.shard_tensor_2d_to_mesh_mapper(shape, (0, 2)).of_chip(x, mesh),
        tt.shard_tensor_2d_to_mesh_mapper(shape, (None, 0)).of_chip(w, mesh),
    )


def test_a_galaxy_is_planned_on_a_laptop():
    mesh = tt.Mesh((4, 8))
    plan = tt.plan(block, *specs_on(mesh), mesh=mesh)
    assert plan.fits and plan.device.mesh == mesh
    names = [step.name for step in plan.steps if step.cost and step.cost.link_bytes]
    assert names == ["reduce_scatter", "all_gather"]
    output = 8 * 128 * 4096 * 1088 // 1024  # a chip's partial sums, in tiles of 1,088 B
    assert plan.link_bytes == 2 * 7 * output // 8
    text = str(plan)
    assert text.startswith("n150, each chip of a 4x8 mesh: fits") and "link MB" in text
    assert f"links {plan.link_bytes / 1e6:,.2f} MB sent" in text
    scatter = next(step for step in plan.steps if step.name == "reduce_scatter").cost
    assert scatter.seconds == pytest.approx(7 * output / 8 / 2 / 4 / 12.5e9)


def test_a_board_alone_has_no_such_column():
    plan = tt.plan(block, *specs_on(tt.Mesh((1, 1))))
    assert plan.link_bytes == 0 and "link MB" not in str(plan) and "\nlinks " not in str(plan)


def test_memory_per_chip_goes_down_by_the_shard_factor():
    peaks = {
        mesh: tt.plan(block, *specs_on(mesh), mesh=mesh).peak_dram
        for mesh in (tt.Mesh((1, 1)), tt.Mesh((2, 1)), tt.Mesh((2, 4)))
    }
    inputs = {mesh: sum(spec.bytes_per_bank(tt.N150) for spec in specs_on(mesh)) for mesh in peaks}
    whole = specs_on(tt.Mesh((1, 1)))
    x, w = (spec.bytes_per_bank(tt.N150) for spec in whole)
    for mesh in peaks:
        rows, columns = mesh.shape
        assert inputs[mesh] == pytest.approx(x / rows / columns + w / columns, rel=0.01)
    assert peaks[tt.Mesh((2, 4))] < peaks[tt.Mesh((2, 1))] < peaks[tt.Mesh((1, 1))]


def test_plans_take_the_mesh_of_a_memory():
    memory = tt.MemoryState.create(tt.N150, mesh=(2, 4))
    specs = specs_on(memory.mesh)
    assert tt.plan(block, *specs, memory=memory).link_bytes == tt.plan(block, *specs, mesh=(2, 4)).link_bytes > 0
    assert tt.plan(block, *specs, memory=memory, device="n150").device.mesh == memory.mesh
    with pytest.raises(tt.ArgumentError, match="each chip of a 2x4 mesh, but the plan is for n150, each chip of a 4x2 mesh"):
        tt.plan(block, *specs, memory=memory, mesh=(4, 2))
    with pytest.raises(tt.ArgumentError, match="no Ethernet links"):
        tt.plan(block, *specs, device="p100", mesh=(2, 4))


def test_a_program_is_the_same_on_every_mesh_it_has_the_same_share_of():
    """Weak scaling: with the same tensors per chip nothing but the group's size is different."""
    steps = {}
    for rows in (1, 4, 32):
        mesh = tt.Mesh((rows, 8))
        plan = tt.plan(block, *specs_on(mesh, batch=8 * rows), mesh=mesh)
        steps[rows] = [(step.name, step.l1, step.dram, step.cost) for step in plan.steps]
    assert steps[1] == steps[4] == steps[32]


def test_links_of_boards():
    assert [board.link_bytes_per_second for board in (tt.N150, tt.N300, tt.P150)] == [12.5e9, 12.5e9, 50e9]
    assert dataclasses.replace(tt.P150).on(tt.Mesh((2, 4))).mesh.size == 8


def test_the_command_plans_a_mesh(tmp_path, capsys):
    path = tmp_path / "program.py"
    path.write_text("import tt_jax as tt\n\n\ndef block(memory, x):\n    return tt.all_gather(memory, x, 0, cluster_axis=1)\n")
    assert cli.main(["plan", f"{path}:block", "--shape", "x=64,64", "--mesh", "4x8"]) == 0
    text = capsys.readouterr().out
    assert "each chip of a 4x8 mesh" in text and "all_gather" in text
    assert cli.main(["plan", f"{path}:block", "--shape", "x=64,64", "--mesh", "4by8"]) == 1
    assert "such as 2x4" in capsys.readouterr().err
    assert cli.main(["plan", str(path), "--mesh", "4x8"]) == 1
    assert "open_mesh_device" in capsys.readouterr().err


def test_tools_that_judge_numbers_take_one_chip():
    with pytest.raises(tt.NotModelledError, match="one chip's share"):
        tt.compare(block, [np.zeros((32, 32))], device=tt.N150.on(tt.Mesh((1, 2))))
