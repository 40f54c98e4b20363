"""Plans: what they record of programs, functional and written for ttnn, against recorded runs and against the memory itself."""

import concurrent.futures
import contextlib
import dataclasses
import pickle
import re
import sys

import jax
import jax.numpy as jnp
import pytest

import recorded
import tt_jax as tt
import tt_jax.ttnn as ttnn
from tt_jax.events import observed_by
from tt_jax.memory import ShardStrategy

TILE, L1 = tt.TILE_LAYOUT, tt.L1_MEMORY_CONFIG


def spec(*shape, dtype=tt.bfloat16, memory_config=tt.DRAM_MEMORY_CONFIG):
    return tt.TensorSpec(shape, dtype, TILE, memory_config)


def attention_of(run):
    """The recorded optimized attention, as a program written for ttnn, and the specs of its inputs in order."""
    grid = ttnn.CoreGrid(y=run["core_grid_yx"][0], x=run["core_grid_yx"][1])
    heads, head_size = run["heads"], run["hidden"] // run["heads"]
    free = ttnn.deallocate if run["dealloc"] else lambda tensor: None

    def program(*tensors):
        p = dict(zip(run["inputs"], tensors, strict=True))
        qkv = ttnn.linear(
            p["hidden_states"], p["qkv_weight"], bias=p["qkv_bias"], memory_config=L1, dtype=ttnn.bfloat8_b, core_grid=grid
        )
        q, k, v = ttnn.transformer.split_query_key_value_and_split_heads(qkv, memory_config=L1, num_heads=heads)
        free(qkv)
        scores = ttnn.matmul(q, k, memory_config=L1, dtype=ttnn.bfloat16, core_grid=grid)
        free(q), free(k)
        scores = ttnn.transformer.attention_softmax_(scores, attention_mask=p["attention_mask"], head_size=head_size)
        context = ttnn.matmul(scores, v, memory_config=L1, dtype=ttnn.bfloat8_b, core_grid=grid)
        free(scores), free(v)
        joined = ttnn.transformer.concatenate_heads(context, memory_config=L1)
        free(context)
        output = ttnn.linear(
            joined, p["output_weight"], bias=p["output_bias"], memory_config=L1, dtype=ttnn.bfloat16, core_grid=grid
        )
        free(joined)
        return output

    placed = recorded.memory_config({"layout": "INTERLEAVED", "buffer": run["inputs_in"], "shard": None})
    specs = [
        tt.TensorSpec(tuple(shape), tt.DataType[dtype.upper()], TILE, placed) for shape, dtype, *_ in run["inputs"].values()
    ]
    return program, specs


def runs(kind):
    for name, board in recorded.BOARDS.items():
        for run in recorded.load("mha_traces", name)["runs"]:
            if run["variant"] == kind and (run["batch"], run["seq"]) in ((1, 128), (8, 384)):
                yield pytest.param(board, run, id=f"{board.name}-{run['batch']}x{run['seq']}-{run['heads']}x{run['hidden']}")


@pytest.mark.parametrize("board, run", [*runs("optimized"), *runs("optimized_no_dealloc")])
def test_peaks_and_addresses_are_the_recorded_ones(board, run):
    program, specs = attention_of(run)
    plan = tt.plan(program, *specs, device=board)
    assert plan.fits
    assert plan.peak_l1 == run["peak_L1_after_steps"]
    made = [buffer.address for step in plan.steps if step.is_launch for _, buffer in step.outputs]
    assert made == [output[4] for step in run["steps"] for output in step["outputs"]]


@pytest.mark.parametrize("board", [tt.N150, tt.P150], ids=lambda board: board.name)
def test_the_recorded_clash(board):
    """The only recorded run that does not fit: on Wormhole, inputs and weights in L1."""
    board_name = {"n150": "wormhole_n150", "p150": "blackhole_p150"}[board.name]
    (run,) = (
        run
        for run in recorded.load("mha_traces", board_name)["runs"]
        if run["variant"] == "optimized_inputs_L1"
        and (run["batch"], run["seq"], run["heads"], run["hidden"]) == (8, 384, 16, 1024)
    )
    program, specs = attention_of(run)
    plan = tt.plan(program, *specs, device=board)
    assert plan.fits is ("error" not in run)
    if not plan.fits:
        assert isinstance(plan.error, tt.L1ClashError)
        at, end = (int(x) for x in re.findall(r"allocated at (\d+) and .* ends at (\d+)", run["error"]["info"])[0])
        assert f"up to address {end:,}, but L1 is allocated down to {at:,}" in str(plan.error)
        assert "test_plan.py" in str(plan.error)  # the lines that made what is in the way


def layer(memory, x, w):
    """Functional: leaves its output in L1, frees a temporary one launch late, and leaks another."""
    memory, leaked = tt.relu(memory, x, memory_config=L1)
    memory, late = tt.matmul(memory, x, w, memory_config=L1)
    memory, y = tt.add(memory, late, 1.0)
    memory, z = tt.multiply(memory, y, 2.0)
    memory = tt.deallocate(memory, late, y)
    return memory, z


def test_steps_lifetimes_leaks_and_late_frees():
    plan = tt.plan(layer, spec(64, 64), w=spec(64, 96))
    names = [step.name for step in plan.steps]
    assert names == ["argument 0", "argument w", "relu", "matmul", "add", "multiply", "deallocate"]
    (leak,) = plan.left
    assert (
        leak.origin.operation == "relu"
        and str(leak.origin.site).startswith("test_plan.py:")
        and leak.origin.site.function == "layer"
    )
    (late,) = plan.late
    assert (late.origin.operation, late.last_use, late.end) == ("matmul", 4, 6)
    assert plan.result.shape == (64, 96) and isinstance(plan.result.array, jax.ShapeDtypeStruct)
    assert plan.memory.is_live(plan.result.buffer)
    assert plan.programs == 4 and plan.flops == 2 * 64 * 64 * 96
    # Each tensor in DRAM once per launch: x for relu; x and w for matmul.
    assert plan.dram_bytes == 2 * (64 * 64 + 64 * 64 + 64 * 96)
    assert [step.is_hit for step in plan.steps if step.is_launch] == [False] * 4
    text = str(plan)
    assert "Freed late" in text and "Left allocated, and not returned" in text and "n150: fits" in text


def test_what_the_plan_counts_is_what_the_memory_holds():
    plan = tt.plan(layer, spec(64, 64), spec(64, 96), device="p150")
    for kind, last in ((tt.BufferType.L1, plan.steps[-1].l1), (tt.BufferType.DRAM, plan.steps[-1].dram)):
        assert plan.memory.view(kind).total_bytes_allocated_per_bank == last
    live = {x.buffer for x in plan.lifetimes if x.end is None}
    assert live == {tt.Buffer(kind, *block) for kind in tt.BufferType for block in plan.memory.live(kind)}


def test_a_program_written_for_ttnn_and_its_functional_form_have_one_plan():
    program = lambda x, w: ttnn.softmax(ttnn.matmul(x, w, memory_config=L1), dim=-1)
    both = [tt.plan(form, spec(64, 64), spec(64, 96)) for form in (program, tt.functionalize(program))]
    assert both[0].memory == both[1].memory
    assert [(s.name, s.l1, s.dram) for s in both[0].steps] == [(s.name, s.l1, s.dram) for s in both[1].steps]


def test_the_plan_starts_from_a_memory_that_is_given():
    memory, _ = tt.from_array(tt.MemoryState.create(tt.P100), jnp.zeros((64, 64)), layout=TILE, memory_config=L1)
    plan = tt.plan(lambda memory, x: tt.relu(memory, x), spec(32, 32), memory=memory)
    assert plan.device is tt.P100 and plan.before is memory
    assert plan.lifetimes[0].first == -1 and plan.lifetimes[0].end is None
    assert plan.left == ()


def test_nothing_is_computed_and_the_callers_cache_is_left_alone(cache):
    def program(memory, x):
        memory, ones = tt.ones(memory, (64, 64), dtype=tt.bfloat16, layout=TILE)
        assert isinstance(ones.array, jax.ShapeDtypeStruct)
        memory, z = tt.from_array(memory, jnp.ones((64, 64)), layout=TILE)
        assert isinstance(z.array, jax.ShapeDtypeStruct)
        memory, y = tt.add(memory, x, ones)
        assert isinstance(tt.to_array(y), jax.ShapeDtypeStruct)
        return memory, y

    assert tt.plan(program, spec(64, 64)).programs == 1
    assert cache.entries == 0


def test_out_of_memory_ends_the_plan():
    def program(memory, x):
        memory, y = tt.matmul(memory, x, x, memory_config=L1)
        return tt.matmul(memory, y, y, memory_config=L1)

    plan = tt.plan(program, spec(6144, 6144))
    assert not plan.fits and plan.result is None
    assert [(step.name, step.error) for step in plan.steps] == [("argument 0", None), ("matmul", None), ("matmul", plan.error)]
    assert "n150: DOES NOT FIT: step 2, matmul" in str(plan) and "Out of Memory" in str(plan)
    assert plan.memory.view(tt.BufferType.L1).total_bytes_allocated_per_bank == plan.steps[1].l1


def test_a_program_that_clashes_is_shown_with_its_output():
    """The output has its place when the program's own buffers are checked, and gives it back."""

    def program(memory, x, w):
        memory, y = tt.matmul(memory, x, w, memory_config=L1, core_grid=tt.CoreGrid(8, 8))
        return memory, y

    plan = tt.plan(program, spec(4096, 4096, memory_config=L1), spec(4096, 4096))
    clash = plan.steps[-1]
    assert isinstance(plan.error, tt.L1ClashError) and clash.error is plan.error
    ((_, output),) = clash.outputs
    assert clash.footprint is not None and clash.l1 == plan.steps[-2].l1 + output.size
    assert not plan.memory.is_live(output)
    assert plan.lifetimes[-1].buffer == output and plan.lifetimes[-1].end == len(plan.steps)


def test_other_errors_are_raised():
    with pytest.raises(tt.ArgumentError, match="inner dimensions differ"):
        tt.plan(lambda memory, x: tt.matmul(memory, x, x), spec(64, 96))
    with pytest.raises(tt.ArgumentError, match="`device` must be a DeviceProfile or one of n150"):
        tt.plan(layer, spec(64, 64), device="n151")


def test_unknown_and_bounded_footprints_are_said():
    def kept(memory, x):
        memory, y = tt.cumsum(memory, x, dim=0)  # a program whose footprint was not measured
        return memory, y

    plan = tt.plan(kept, spec(64, 64))
    assert plan.unknown_footprints == (plan.steps[-1].name,)
    assert "not known, so not checked" in str(plan)


def test_a_program_that_goes_on_from_an_older_memory_is_followed():
    def program(memory, x):
        _, y = tt.relu(memory, x)
        memory, z = tt.relu(memory, x)  # takes the place of y, which nobody holds
        return tt.deallocate(memory, z), y

    plan = tt.plan(program, spec(32, 32))
    assert plan.memory == tt.plan(lambda memory, x: (memory, x), spec(32, 32)).memory
    assert plan.steps[-1].dram == plan.memory.view(tt.BufferType.DRAM).total_bytes_allocated_per_bank


def test_ideal_time_is_the_slower_of_products_and_dram():
    """At the documented peaks: 4096 FLOP a cycle and core at LoFi, 1 GHz, 64 cores; 288 GB/s."""
    plan = tt.plan(
        lambda memory, x, w: tt.matmul(memory, x, w, core_grid=tt.CoreGrid(8, 8)), spec(4096, 4096), spec(4096, 4096)
    )
    assert plan.ideal_seconds == pytest.approx(2 * 4096**3 / (64 * 4096 * 1e9), rel=1e-12)
    copy = tt.plan(lambda memory, x: tt.relu(memory, x), spec(4096, 4096))
    assert copy.ideal_seconds == pytest.approx(2 * 2 * 4096**2 / 288e9, rel=1e-12)


@pytest.fixture
def sharded():
    config = tt.create_sharded_memory_config((1, 1, 1024, 512), tt.CoreGrid(y=4, x=4), ShardStrategy.BLOCK)

    def program(memory, x):
        memory, a = tt.to_memory_config(memory, x, config)
        memory, b = tt.to_memory_config(memory, x, L1)
        return memory, (a, b)

    return tt.plan(program, spec(1, 1, 1024, 512))


def test_use_of_the_cores(sharded):
    from tt_jax.report.drawing import bytes_on_cores

    used = bytes_on_cores(dataclasses.replace(sharded, steps=sharded.steps[:2]), 1)
    footprint = sharded.steps[1].footprint.size if sharded.steps[1].footprint else 0
    assert used[0][0] == 256 * 128 * 2 + footprint and used[3][3] == used[0][0]
    assert used[4][0] <= footprint and used[0][4] <= footprint


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
def test_pictures(tmp_path, sharded, ending):
    if ending != "html":
        pytest.importorskip("matplotlib")
    path = tmp_path / f"plan.{ending}"
    sharded.save(path)
    content = path.read_bytes()
    if ending == "png":
        assert content.startswith(b"\x89PNG")
        return
    text = content.decode()
    assert "<svg" in text and "L1 of n150" in text
    if ending == "html":
        hover = re.findall(r"<title>([^<]*)</title>", text)
        assert any("BLOCK_SHARDED 256x128" in title and "test_plan.py" in title for title in hover)
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")  # one file, no fetches


def test_a_picture_has_a_known_ending(tmp_path, sharded):
    with pytest.raises(tt.ArgumentError, match=r"\.png, \.svg or \.html"):
        sharded.save(tmp_path / "plan.pdf")


def test_a_png_needs_matplotlib(tmp_path, sharded, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(tt.TTError, match=r"pip install tt-jax\[plot\]"):
        sharded.save(tmp_path / "plan.png")


def convolution():
    """Two groups, 64 channels to 32, 3x3 taps, 2 images of 16x16."""

    def program(memory, x, w):
        sizes = dict(batch_size=2, input_height=16, input_width=16, in_channels=64, out_channels=32, groups=2)
        return tt.conv2d(memory, input_tensor=x, weight_tensor=w, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), **sizes)

    weights = tt.TensorSpec((32, 32, 3, 3), tt.bfloat16, tt.ROW_MAJOR_LAYOUT)
    return tt.plan(program, tt.TensorSpec((1, 1, 512, 64), tt.bfloat16, tt.ROW_MAJOR_LAYOUT), weights)


def multiply(memory, x, w):
    return tt.matmul(memory, x, w)


def attend(memory, q, k, causal):
    return tt.transformer.scaled_dot_product_attention(memory, q, k, k, is_causal=causal)


@pytest.mark.parametrize(
    "program, flops",
    [
        (lambda: tt.plan(multiply, spec(2, 3, 64, 96), spec(96, 128)), 2 * 6 * 64 * 96 * 128),
        (lambda: tt.plan(multiply, spec(1, 1, 1, 96), spec(96, 128)), 2 * 96 * 128),
        (lambda: tt.plan(attend, spec(2, 8, 128, 64), spec(2, 4, 128, 64), False), 2 * 2 * 16 * 128 * 128 * 64),
        (lambda: tt.plan(attend, spec(2, 8, 128, 64), spec(2, 4, 128, 64), True), 2 * 16 * 128 * 128 * 64),
        (convolution, 2 * 2 * (2 * 16 * 16) * (9 * 32) * 16),
    ],
    ids=["batched", "one row", "attention", "causal", "convolution"],
)
def test_flops(program, flops):
    assert program().flops == flops


def test_a_cache_of_the_programs_own_hides_nothing():
    def program(memory, x):
        with tt.ProgramCache().use():
            memory, y = tt.relu(memory, x, memory_config=L1)
            return tt.exp(memory, y, memory_config=L1)

    plan = tt.plan(program, spec(4096, 4096))
    assert [step.name for step in plan.steps] == ["argument 0", "relu", "exp"]
    assert plan.peak_l1 == plan.memory.view(tt.BufferType.L1).total_bytes_allocated_per_bank > 0


@pytest.mark.parametrize(
    "program",
    [
        lambda x: float(ttnn.to_numpy(ttnn.relu(x)).sum()),
        lambda memory, x: (memory, tt.to_array(x)[0]),
        lambda memory, x: (memory, tt.to_array(x) + 1),
        lambda memory, x: jax.jit(lambda m, x: tt.relu(m, x))(memory, x),
    ],
    ids=["read on the facade", "indexed", "added to", "jit within"],
)
def test_values_cannot_be_looked_at(program):
    with pytest.raises(tt.ArgumentError, match="in a plan (tensors have no values|there are none)"):
        tt.plan(program, spec(32, 32))


def test_a_jitted_program_is_planned_as_the_function_that_it_is():
    program = lambda memory, x: tt.relu(memory, x)
    assert tt.plan(jax.jit(program), spec(32, 32)).memory == tt.plan(program, spec(32, 32)).memory


def test_a_functional_program_gives_memory_and_result():
    with pytest.raises(tt.ArgumentError, match=r"returns \(memory, result\), got Tensor"):
        tt.plan(lambda memory, x: x, spec(32, 32))


def test_the_memory_that_is_returned_is_where_the_plan_ends():
    plan = tt.plan(lambda memory, x: (memory, tt.relu(memory, x)[1]) and (memory, x), spec(32, 32))
    assert plan.memory.diff(plan.before).allocated == (plan.result.buffer,) and plan.left == ()


def test_board_and_memory_agree():
    with pytest.raises(tt.ArgumentError, match="`memory` is of p150, but the plan is for n150"):
        tt.plan(layer, spec(32, 32), spec(32, 32), memory=tt.MemoryState.create(tt.P150), device="n150")


def test_what_was_there_before_is_known_by_its_line():
    memory, _ = tt.from_array(
        tt.MemoryState.create(tt.N150), jax.ShapeDtypeStruct((8192, 5120), jnp.bfloat16), layout=TILE, memory_config=L1
    )
    plan = tt.plan(lambda memory, x: tt.relu(memory, x, memory_config=L1), spec(4096, 4096), memory=memory)
    assert "8192x5120 bfloat16 TILE in L1, by from_array, test_plan.py:" in str(plan.error)


def test_a_plan_without_steps_prints_and_draws(tmp_path):
    empty = tt.plan(lambda memory: (memory, None))
    failed = tt.plan(lambda memory: memory.allocate(tt.BufferType.L1, 10**9))
    assert not failed.fits and failed.steps == ()
    assert "n150: fits" in str(empty) and "n150: DOES NOT FIT" in str(failed)
    for plan in (empty, failed):
        plan.save(tmp_path / "plan.html")


def test_a_plan_goes_through_pickle():
    plan = tt.plan(layer, spec(64, 64), spec(64, 96))
    copy = pickle.loads(pickle.dumps(plan))
    assert str(copy) == str(plan) and copy.memory == plan.memory


def test_what_reads_a_part_is_not_counted_whole():
    """Ids and output of an embedding, not its table; the update of a cache, not the cache."""
    ids = tt.TensorSpec((1, 32), tt.uint32, tt.ROW_MAJOR_LAYOUT)
    table = tt.TensorSpec((50_000, 1024), tt.bfloat16, tt.ROW_MAJOR_LAYOUT)
    assert tt.plan(lambda memory, ids, table: tt.embedding(memory, ids, table), ids, table).dram_bytes == 32 * 4 + 32 * 1024 * 2
    cut = tt.plan(lambda memory, x: tt.slice(memory, x, (0, 0), (32, 32)), spec(32_768, 4096))
    assert cut.dram_bytes == 2048
    cache = tt.plan(lambda memory, c, x: tt.update_cache(memory, c, x, 0), spec(1, 8, 4096, 128), spec(1, 8, 32, 128))
    assert cache.dram_bytes == 8 * 32 * 128 * 2


def test_caught_errors_are_said():
    def program(memory, x):
        with contextlib.suppress(tt.OutOfMemoryError):
            tt.relu(memory, x, memory_config=L1)
        return tt.relu(memory, x)

    plan = tt.plan(program, spec(16384, 16384))
    assert plan.fits and "1 steps did not fit, and the program caught their errors" in str(plan)


def test_a_freed_tensor_has_the_line_at_which_it_went():
    def program(x):
        y = ttnn.relu(x)
        ttnn.deallocate(y)

        return ttnn.exp(x)

    plan = tt.plan(program, spec(32, 32))
    (step,) = [step for step in plan.steps if step.name == "deallocate"]
    assert step.site.line == program.__code__.co_firstlineno + 2


def test_plans_in_several_threads_do_not_meet():
    def one(i):
        plan = tt.plan(lambda x: ttnn.exp(ttnn.relu(x)), spec(32, 32 * (1 + i % 3)))
        return [step.name for step in plan.steps]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = list(pool.map(one, range(200)))
    finally:
        sys.setswitchinterval(interval)
    assert all(names == ["argument 0", "relu", "exp", "deallocate"] for names in found)
    assert ttnn.GetDefaultDevice() is None


def test_an_observer_that_fails_changes_nothing():
    def fail(event):
        raise OSError("disk full")

    device = ttnn.open_device(device_id=13, compute=False)
    x = ttnn.empty((32, 32), dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    with observed_by(fail), pytest.warns(RuntimeWarning, match="failed to observe relu: OSError"):
        y = ttnn.relu(x)
    assert device.memory.is_live(y._storage.buffer) and device.num_program_cache_entries() == 1
    ttnn.close_device(device)
