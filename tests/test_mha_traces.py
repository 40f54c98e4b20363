"""Multi-head attention as the real allocator placed it: 108 recorded runs on each of four boards, nothing computed."""

import pytest

import recorded
import tt_jax as tt
from programs import attention

RECORDED = {board: recorded.load("mha_traces", board) for board in recorded.BOARDS}
RUNS = [
    pytest.param(board, run, id=f"{board}-{run['variant']}-b{run['batch']}-s{run['seq']}-h{run['heads']}x{run['hidden']}")
    for board, data in RECORDED.items()
    for run in data["runs"]
]


def placed(tensor):
    spec = tensor.spec
    kind = [list(spec.shape), spec.dtype.kernel_name, spec.layout.name, spec.memory_config.buffer_type.name]
    return [*kind, tensor.address, spec.num_pages, spec.page_size]


class Steps:
    """What `attention` reports, in the form of the record: the three heads of one step stand together."""

    def __init__(self):
        self.seen = []

    def __call__(self, name, memory, tensor):
        name = name.split()[0]
        outputs = [] if tensor is None else [placed(tensor)]
        if self.seen and self.seen[-1]["step"] == name == "split_heads":
            self.seen[-1]["outputs"] += outputs
        else:
            self.seen.append({"step": name, "outputs": outputs, **recorded.views(memory)})


def allocate_inputs(board, run):
    memory, tensors = tt.MemoryState.create(recorded.BOARDS[board]), {}
    for name, (shape, dtype, *_) in run["inputs"].items():
        config = tt.MemoryConfig(buffer_type=tt.BufferType[run["inputs_in"]])
        spec = tt.TensorSpec(tuple(shape), tt.DataType[dtype.upper()], tt.TILE_LAYOUT, config)
        memory, tensors[name] = recorded.allocate(memory, spec)
    return memory, tensors


def attend(memory, run, tensors, steps):
    hidden, mask, *rest = tensors.values()
    if "core_grid_yx" not in run:
        parameters = attention.NaiveParameters(*rest)
        return attention.naive(memory, hidden, mask, parameters, num_heads=run["heads"], step=steps)
    return attention.optimized(
        memory,
        hidden,
        mask,
        attention.OptimizedParameters(*rest),
        num_heads=run["heads"],
        core_grid=tt.CoreGrid(*run["core_grid_yx"]),
        deallocate=run["dealloc"],
        step=steps,
    )


def test_every_board_has_its_runs():
    assert {board: len(data["runs"]) for board, data in RECORDED.items()} == dict.fromkeys(recorded.BOARDS, 108)


@pytest.mark.parametrize("board, run", RUNS)
def test_run(board, run):
    memory, tensors = allocate_inputs(board, run)
    assert [[list(x.shape), x.dtype.kernel_name, x.address, x.spec.num_pages, x.spec.page_size] for x in tensors.values()] == [
        *run["inputs"].values()
    ]
    assert recorded.views(memory) == run["view_before"]

    steps = Steps()
    if "error" in run:
        with pytest.raises(tt.L1ClashError, match=r"up to address 452,960, but L1 is allocated down to 356,352"):
            attend(memory, run, tensors, steps)
    else:
        after, output = attend(memory, run, tensors, steps)
        if run["dealloc"] is not False:
            assert recorded.views(after) == run["view_end"]
            assert tt.deallocate(after, output) == memory
    assert steps.seen == run["steps"]
    assert max(step["L1"][0] for step in steps.seen) == run["peak_L1_after_steps"]
    assert tt.deallocate(memory, *tensors.values()) == tt.MemoryState.create(recorded.BOARDS[board])


@pytest.mark.parametrize("variant, peak", [("optimized", 746_496), ("optimized_no_dealloc", 1_105_920)])
def test_the_tutorials_size_on_n150(variant, peak):
    size = (variant, 8, 384, 16)
    runs = RECORDED["wormhole_n150"]["runs"]
    (run,) = [run for run in runs if (run["variant"], run["batch"], run["seq"], run["heads"]) == size]
    memory, tensors = allocate_inputs("wormhole_n150", run)
    steps = Steps()
    attend(memory, run, tensors, steps)
    address = {step["step"]: step["outputs"][0][4] for step in steps.seen if step["outputs"]}
    assert address["linear_qkv"] == 1_342_464
    assert variant != "optimized" or address["matmul_qk"] == 595_968
    assert max(step["L1"][0] for step in steps.seen) == peak
