"""Every recorded call that tt_jax has, on tensors without values: what comes out, where it lies, and what is refused."""

import pytest

import recorded
import tt_jax as tt


def calls(kind):
    return [
        pytest.param(board, case, id=f"{board}-{i}-{case['op'].removeprefix('ttnn.')}-{case.get('name', '')}".rstrip("-"))
        for board in ("wormhole_n150", "blackhole_p150")
        for i, case in enumerate(recorded.load(kind, board)["cases"])
        if recorded.is_in_scope(case)
    ]


def keeps_a_table(case):
    """Whether the call is a reshape by a program on tiles: ttnn's then keeps a table of segments in DRAM, with the program.

    A product with a vector on the right makes a column of it that way.
    """
    if case.get("name") in ("rank1_b", "rank1_both"):
        return True
    tiles = case["op"] == "ttnn.reshape" and case["inputs"][0]["layout"] == "TILE"
    return tiles and "same_address_as_input" not in case["result"]["outputs"][0]


def check_result(case, memory):
    """What a call that ttnn accepts gives, and the use of memory before and after it."""
    result = case["result"]
    memory, tensors = recorded.prepare(memory, case)
    assert recorded.views(memory) == result["before"]
    after, outputs = recorded.call(memory, case, tensors)
    described, expected = [recorded.describe(x) for x in outputs], [recorded.expected(x) for x in result["outputs"]]
    if keeps_a_table(case) and (case["op"] != "ttnn.reshape" or case["inputs"][0]["dtype"].startswith("bfloat8")):
        for x in (*described, *expected):
            del x["address"]  # the table is made before the output, in DRAM too
    assert described == expected
    same = [x.get("same_address_as_input") for x in result["outputs"]]
    assert same == [next((i for i, t in enumerate(tensors) if t.buffer == x.buffer), None) for x in outputs]
    kinds = ["L1"] if keeps_a_table(case) else ["L1", "DRAM"]
    assert [recorded.view(after, kind) for kind in kinds] == [result["after"][kind] for kind in kinds]


def check_refusal(case, memory):
    memory, tensors = recorded.prepare(memory, case)
    before = recorded.views(memory)
    with tt.ProgramCache().use() as cache, pytest.raises((tt.TTError, NotImplementedError), match=r"."):
        recorded.call(memory, case, tensors)
    assert recorded.views(memory) == before
    assert cache.entries == 0


@pytest.mark.parametrize("board, case", calls("op_specs") + calls("errors"))
def test_call(board, case):
    memory = tt.MemoryState.create(recorded.BOARDS[board])
    if case["result"].get("stage") == "ok":
        check_result(case, memory)
    else:
        check_refusal(case, memory)
