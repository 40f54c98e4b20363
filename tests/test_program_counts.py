"""Programs that each recorded call adds to the cache, in the recorded order; the calls compute nothing."""

import pytest

import recorded
import tt_jax as tt

CONTROLS = {
    "clear_program_cache": tt.ProgramCache.clear,
    "disable_and_clear_program_cache": tt.ProgramCache.disable_and_clear,
    "enable_program_cache": tt.ProgramCache.enable,
}


def sequences():
    for board in ("wormhole_n150", "blackhole_p150"):
        for i, sequence in enumerate(recorded.load("programs", board)["sequences"]):
            steps = [s for s in sequence["steps"] if "call" not in s or recorded.is_in_scope(s["call"])]
            if any("call" in s for s in steps):
                yield pytest.param(board, steps, id=f"{board}-{i}-{sequence['family']}")


def run(board, step):
    memory = tt.MemoryState.create(recorded.BOARDS[board])
    if step.get("inputs_at_other_addresses"):
        for config in (tt.L1_MEMORY_CONFIG, tt.DRAM_MEMORY_CONFIG):
            memory, _ = recorded.allocate(memory, tt.TensorSpec((64, 96), tt.bfloat16, tt.TILE_LAYOUT, config))
    memory, tensors = recorded.prepare(memory, step["call"])
    recorded.call(memory, step["call"], tensors)


@pytest.mark.parametrize("board, steps", list(sequences()))
def test_entries_added(board, steps):
    with tt.ProgramCache().use() as cache:
        for step in steps:
            before = cache.entries
            if "call" not in step:
                CONTROLS[step["label"]](cache)
                assert cache.entries == 0 or step["label"] == "enable_program_cache"
                continue
            if "error" in step:
                with pytest.raises((tt.TTError, NotImplementedError)):
                    run(board, step)
                assert cache.entries == before
                continue
            run(board, step)
            assert cache.entries - before == step["added"], step["label"]
