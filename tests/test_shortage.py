"""What errors say when memory does not suffice: the figures are the memory's own, and who follows the advice gets through."""

import cProfile
import dataclasses
import re

import hypothesis
import hypothesis.strategies as st
import jax
import pytest

import tt_jax as tt
from tt_jax import transformer
from tt_jax.experimental import nlp_create_qkv_heads
from tt_jax.memory import Buffer

TILE, DRAM, L1 = tt.TILE_LAYOUT, tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG
BOARDS = pytest.mark.parametrize("board", [tt.N150, tt.P150], ids=["n150", "p150"])
NAMED = re.compile(r"the ([\d,]+) B at ([\d,]+)")


def number(text):
    return int(text.replace(",", ""))


def put(memory, shape, config=L1, dtype=tt.bfloat16):
    return tt.from_array(memory, jax.ShapeDtypeStruct(shape, dtype.carrier), dtype=dtype, layout=TILE, memory_config=config)


def line_of(function, offset):
    return f"test_shortage.py:{function.__code__.co_firstlineno + offset} in {function.__name__}"


PUT = f", by from_array, {line_of(put, 1)}"


def leave(memory, rest, kind=tt.BufferType.L1):
    """`memory` with all but `rest` bytes per bank taken, by one block that nobody knows of."""
    return memory.allocate(kind, memory.view(kind).total_bytes_free_per_bank - rest)


def refused(call, error=tt.OutOfMemoryError):
    with pytest.raises(error) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def check_figures(text, memory, inputs=()):
    """What `text`, of an error in `memory`, says of free and live bytes, is what the memory says."""
    kind = tt.BufferType.DRAM if re.search(r"cannot place [^:]* in DRAM:", text) else tt.BufferType.L1
    live = {(block.size, block.address) for block in memory.live(kind)}
    assert {(number(size), number(address)) for size, address in re.findall(r"([\d,]+) B at ([\d,]+)", text)} <= live
    needed = {(x.buffer.size, x.buffer.address) for x in inputs if x.buffer.buffer_type is kind}
    marked = re.findall(r"([\d,]+) B at ([\d,]+) \([^()]*an input of this operation\)", text)
    assert {(number(size), number(address)) for size, address in marked} <= needed
    if listed := re.search(r"per bank: (.*?)\. (Next|[\d,]+ B per core)", text):
        more = re.search(r" and (\d+) more$", listed[1])
        sizes = [number(size) for size in re.findall(r"([\d,]+) B at", listed[1])]
        assert sizes == sorted((size for size, _ in live), reverse=True)[:5]
        assert (int(more[1]) if more else 0) == max(0, len(live) - 5)


def advice(text):
    return text.split(" Next: ")[1].rstrip(".").split(", or ")


def without(memory, text, inputs, kind):
    """`memory` after "deallocate ..." was followed."""
    named = [Buffer(kind, number(address), number(size)) for size, address in NAMED.findall(text)]
    needed = {x.buffer for x in inputs}
    if many := re.search(
        r"the (\d+) (lowest|highest) live buffers that this operation does not need.* and (\d+) more, ([\d,]+) B", text
    ):
        blocks = [b for b in (Buffer(kind, *block) for block in memory.live(kind)) if b not in needed]
        chosen = (blocks if many[2] == "lowest" else blocks[::-1])[: int(many[1])]
        assert named == chosen[:5] and len(chosen) == 5 + int(many[3]) and sum(b.size for b in chosen) == number(many[4])
        named = chosen
    assert named and len(set(named)) == len(named) and not needed & set(named)
    for buffer in named:
        memory = memory.deallocate(buffer)
    return memory


def joined(memory, inputs, kind):
    """`memory` with its live buffers reallocated, from the end where they lie, and the inputs in their new places."""
    blocks, places = memory.live(kind), {}
    for block in blocks if memory.region(kind).bottom_up else blocks[::-1]:
        buffer = Buffer(kind, *block)
        memory, places[buffer] = memory.deallocate(buffer).allocate(kind, buffer.size)
    return memory, [dataclasses.replace(x, buffer=places.get(x.buffer, x.buffer)) for x in inputs]


def moved(memory, text, inputs):
    """`memory` with the inputs that `text` names in DRAM, and the inputs there."""
    addresses = {number(address) for _, address in NAMED.findall(text)}
    found = {}
    for x in inputs:
        if x.buffer.address in addresses and x.buffer not in found:
            spec = x.spec.replace(memory_config=DRAM)
            memory, buffer = memory.allocate(tt.BufferType.DRAM, spec.bytes_per_bank(memory.device))
            memory, found[x.buffer] = memory.deallocate(x.buffer), tt.Tensor(x.array, spec, buffer)
    assert len(found) == len(addresses)
    return memory, [found.get(x.buffer, x) for x in inputs]


def follow(call, memory, inputs, text):
    """Follow each advice of `text` that names what to do, and run `call(memory, *inputs, **options)` again; what was followed."""
    kind = tt.BufferType.DRAM if re.search(r"cannot place [^:]* in DRAM:", text) else tt.BufferType.L1
    followed = []
    for way in advice(text):
        if way.startswith("deallocate at least"):
            continue
        if way.startswith("deallocate"):
            call(without(memory, way, inputs, kind), *inputs)
        elif way.startswith("`reallocate`"):
            after, again = joined(memory, inputs, kind)
            call(after, *again)
        elif way.startswith("move"):
            after, again = moved(memory, way, inputs)
            call(after, *again)
        elif "bfloat8_b" in way:
            call(memory, *inputs, dtype=tt.bfloat8_b)
        elif "DRAM" in way:
            call(memory, *inputs, memory_config=DRAM)
        else:
            continue
        followed.append(way.split()[0])
    return followed


def on_l1(operation, **fixed):
    return lambda memory, *inputs, **options: operation(memory, *inputs, **({"memory_config": L1} | fixed | options))


def softmax(memory, x, **options):
    return tt.softmax(memory, x, dim=-1, **({"memory_config": DRAM} | options))


SPLIT = transformer.split_query_key_value_and_split_heads

# The operation with its output in L1, and the shapes of its inputs by a length.
OPERATIONS = {
    "relu": (on_l1(tt.relu), lambda n: [(1024, 128 * n)]),
    "add": (on_l1(tt.add), lambda n: [(1024, 128 * n)] * 2),
    "softmax": (on_l1(tt.softmax, dim=-1), lambda n: [(256, 512 * n)]),
    "layer_norm": (on_l1(tt.layer_norm), lambda n: [(256, 512 * n)]),
    "matmul": (on_l1(tt.matmul), lambda n: [(1024, 256), (256, 128 * n)]),
    "split": (on_l1(SPLIT, num_heads=4), lambda n: [(2, 256, 384 * n)]),
}


@st.composite
def full_devices(draw):
    """An operation, a memory of live blocks with holes between them, and its inputs, in L1 or DRAM."""
    call, shapes = OPERATIONS[draw(st.sampled_from(sorted(OPERATIONS)))]
    shapes = shapes(draw(st.integers(1, 40)))
    memory, inputs, blocks = tt.MemoryState.create(draw(st.sampled_from([tt.N150, tt.P150]))), [], []
    largest = draw(st.sampled_from([30_000, 120_000, 600_000]))
    rest = draw(st.integers(0, 200_000))
    early = [draw(st.booleans()) for _ in shapes]
    while (room := memory.view(tt.BufferType.L1).total_bytes_free_per_bank) > rest + 4096:
        memory, block = memory.allocate(tt.BufferType.L1, min(draw(st.integers(largest // 8, largest)), room - rest))
        blocks.append(block)
        if len(inputs) < len(shapes) and early[len(inputs)]:
            size = put(tt.MemoryState.create(memory.device), shapes[len(inputs)])[1].buffer.size
            if size <= memory.view(tt.BufferType.L1).total_bytes_free_per_bank:
                memory, x = put(memory, shapes[len(inputs)])
                inputs.append(x)
    for block in blocks:
        if draw(st.integers(0, 4)) == 0:
            memory = memory.deallocate(block)
    for shape in shapes[len(inputs) :]:
        memory, x = put(memory, shape, DRAM)
        inputs.append(x)
    return call, memory, inputs


@hypothesis.settings(max_examples=max(100, hypothesis.settings().max_examples))
@hypothesis.given(full_devices())
def test_who_follows_the_advice_gets_through(full):
    """Live buffers, holes and inputs at random: each advice that is offered, followed, lets the operation run."""
    call, memory, inputs = full
    try:
        call(memory, *inputs)
    except tt.OutOfMemoryError as error:
        text = str(error)
        check_figures(text, memory, inputs)
        followed = follow(call, memory, inputs, text) if "Next: " in text else []
        hypothesis.event(f"{type(error).__name__}: {', '.join(followed) or 'nothing'}")
    else:
        hypothesis.event("it ran")


@BOARDS
def test_an_error_names_the_lines_that_made_what_is_live(board):
    memory, x = put(tt.MemoryState.create(board), (4096, 512))
    memory, y = tt.relu(memory, x)
    memory, _ = leave(memory, 16_384)
    text = refused(lambda: tt.typecast(memory, y, tt.float32, memory_config=L1))
    view, size = memory.view(tt.BufferType.L1), y.spec.replace(dtype=tt.float32).bytes_per_bank(board)
    assert (
        f"typecast on {board.name} cannot place 4096x512 float32 TILE in L1: it takes {size:,} B in each of {board.l1_banks} banks; "
        f"of {view.total_bytes_per_bank:,} B there, {view.total_bytes_free_per_bank:,} are free, "
        f"{view.largest_contiguous_bytes_free_per_bank:,} in the largest hole. "
    ) in text
    assert f"{x.buffer.size:,} B at {x.address:,} (4096x512 bfloat16 TILE in L1{PUT})" in text
    within = rf"test_shortage.py:\d+ in {test_an_error_names_the_lines_that_made_what_is_live.__name__}"
    marked = rf"\(4096x512 bfloat16 TILE in L1, by relu, {within}, an input of this operation\)"
    assert re.search(rf"{y.buffer.size:,} B at {y.address:,} {marked}", text)
    check_figures(text, memory, [y])


@BOARDS
def test_an_operation_is_not_to_free_its_own_input(board):
    memory, a = put(tt.MemoryState.create(board), (4096, 48 * board.l1_banks // 64 * 128))
    text = refused(lambda: tt.relu(memory, a, memory_config=L1))
    named = f"the {a.buffer.size:,} B at {a.address:,} ({a.spec}{PUT}, an input of this operation)"
    assert advice(text) == [f"move {named} to DRAM, which makes room", "place it in DRAM, where it fits"]
    assert follow(on_l1(tt.relu), memory, [a], text) == ["move", "place"]


def test_an_input_beside_several_outputs():
    memory, x = put(tt.MemoryState.create(tt.N150), (8, 1, 512, 3072))
    memory, _ = leave(memory, 393_216)  # as much as the outputs take, but for the program
    heads = on_l1(nlp_create_qkv_heads, num_heads=16, num_kv_heads=16, transpose_k_heads=False)
    text = refused(lambda: heads(memory, x))
    assert not any(f"B at {x.address:,}" in way for way in advice(text) if way.startswith("deallocate"))
    assert follow(heads, memory, [x], text) == ["deallocate", "put"]
    memory, x = put(tt.MemoryState.create(tt.N150), (16, 1, 512, 3072))
    text = refused(lambda: heads(memory, x))
    assert advice(text)[0].startswith(
        f"move the {x.buffer.size:,} B at {x.address:,} ({x.spec}{PUT}, an input of this operation)"
    )
    assert follow(heads, memory, [x], text)[0] == "move"


@BOARDS
def test_a_clash_is_not_advised_away_with_the_input(board):
    memory, _ = leave(tt.MemoryState.create(board), 570_000)
    memory, x = put(memory, (512, 8192))
    text = refused(lambda: softmax(memory, x), tt.L1ClashError)
    end = number(re.search(r"up to address ([\d,]+)", text)[1])
    assert memory.lowest_occupied(tt.BufferType.L1) == x.address and f"but L1 is allocated down to {x.address:,}. " in text
    assert f" {end - x.address:,} B per core are wanted, the output counted. " in text
    named = f"the {x.buffer.size:,} B at {x.address:,} ({x.spec}{PUT}, an input of this operation)"
    assert advice(text) == [f"move {named} to DRAM, which makes room", "use a larger core grid or smaller blocks"]
    assert follow(softmax, memory, [x], text) == ["move"]
    check_figures(text, memory, [x])


def test_freeing_a_buffer_that_the_output_would_take_does_not_do():
    """Four buffers of 262,144 B: without the lowest the output lies in its place, and the program still reaches it."""
    memory = tt.MemoryState.create(tt.N150)
    for _ in range(4):
        memory, _ = put(memory, (2048, 4096))
    memory, x = put(memory, (512, 8192), DRAM)
    call = on_l1(tt.softmax, dim=-1)
    text = refused(lambda: call(memory, x), tt.L1ClashError)
    blocks = memory.live(tt.BufferType.L1)[:2]
    names = " and ".join(f"the {b.size:,} B at {b.address:,} (2048x4096 bfloat16 TILE in L1{PUT})" for b in blocks)
    assert advice(text)[0] == f"deallocate {names}, which together make room"
    assert follow(call, memory, [x], text) == ["deallocate"]
    with pytest.raises(tt.L1ClashError):
        call(memory.deallocate(Buffer(tt.BufferType.L1, *blocks[0])), x)


def test_a_clash_with_the_output_alone():
    """What is free is enough for the program or for its output."""
    memory, x = put(tt.MemoryState.create(tt.N150), (512, 8192), DRAM)
    memory, block = leave(memory, 540_672)
    call = on_l1(tt.softmax, dim=-1)
    text = refused(lambda: call(memory, x), tt.L1ClashError)
    assert ", by its own output. " in text
    assert advice(text)[0] == f"deallocate the {block.size:,} B at {block.address:,}, which alone makes room"
    assert advice(text)[1:] == ["put its output into DRAM", "use a larger core grid or smaller blocks"]
    assert follow(call, memory, [x], text) == ["deallocate", "put"]


@BOARDS
def test_many_small_buffers_are_counted_not_listed(board):
    memory, _ = leave(tt.MemoryState.create(board), 64 * 2048)
    for _ in range(61):
        memory, _ = put(memory, (32, 32))
    memory, x = put(memory, (512, 2048), DRAM)
    text = refused(lambda: softmax(memory, x), tt.L1ClashError)
    assert follow(softmax, memory, [x], text) == ["deallocate"] and len(text) < 1400
    many = r"deallocate the \d+ lowest live buffers that this operation does not need: .* and \d+ more, [\d,]+ B in all"
    assert re.search(many, text)
    check_figures(text, memory, [x])


def test_room_in_pieces():
    """Live blocks alternate with holes, none of which is enough, nor any two."""
    memory, blocks = tt.MemoryState.create(tt.N150, worker_l1_size=1_400_000), []
    for _ in range(14):
        memory, block = memory.allocate(tt.BufferType.L1, 99_968)
        blocks.append(block)
    for block in blocks[::3]:
        memory = memory.deallocate(block)
    call = lambda memory, **options: put(memory, (64 * 32 * 3, 1600), *options.values())  # noqa: E731  # 307,200 B per bank
    text = refused(lambda: call(memory))
    assert advice(text)[0] == "`reallocate` live buffers, to join the holes"
    assert follow(call, memory, [], text)[0] == "`reallocate`"


@BOARDS
def test_dram_is_filled_from_the_other_end(board):
    """The highest buffers are those beside the free end."""
    memory = tt.MemoryState.create(board)
    room = memory.view(tt.BufferType.DRAM).total_bytes_per_bank
    size = room // 8 // 4096 * 4096
    for _ in range(8):
        memory, block = memory.allocate(tt.BufferType.DRAM, size)
    rows = 3 * size * board.dram_banks // 2048 // 1024 * 32
    text = refused(lambda: put(memory, (rows, 32 * 1024), DRAM))
    assert f"the {size:,} B at {block.address:,}" in advice(text)[0]
    assert (
        follow(lambda memory, **options: put(memory, (rows, 32 * 1024), DRAM, **options), memory, [], text)[0] == "deallocate"
    )


@pytest.mark.parametrize("board", [tt.N150, tt.P150], ids=["n150", "p150"])
def test_bfloat8_b_is_for_operations_that_take_a_dtype(board):
    memory, x = put(tt.MemoryState.create(board), (1024, 16 * board.l1_banks), DRAM)
    size = x.spec.replace(memory_config=L1).bytes_per_bank(board)
    memory, _ = leave(memory, size - 1024)
    operations = {
        "relu": (on_l1(tt.relu), False),
        "softmax": (on_l1(tt.softmax, dim=-1), False),
        "add": (lambda memory, x, **options: on_l1(tt.add)(memory, x, x, **options), True),
        "typecast": (
            lambda m, x, **o: tt.typecast(m, x, o.get("dtype", tt.bfloat16), memory_config=o.get("memory_config", L1)),
            True,
        ),
        "from_array": (lambda m, x, **o: put(m, x.shape, o.get("memory_config", L1), o.get("dtype", tt.bfloat16)), True),
    }
    for name, (call, takes_dtype) in operations.items():
        text = refused(lambda call=call: call(memory, x))
        assert not ("make it bfloat8_b" in text and not takes_dtype), name
        follow(call, memory, [x], text)
    assert "or make it bfloat8_b, which fits" in text


def test_more_than_a_bank_is_to_be_split():
    memory = tt.MemoryState.create(tt.N150)
    text = refused(lambda: put(memory, (1 << 20, 1 << 20), DRAM, tt.float32))
    assert text.endswith("Nothing is live there. Next: split it: it is larger than a whole bank.")


def test_not_enough_in_all():
    memory = tt.MemoryState.create(tt.N150, worker_l1_size=1_400_000)
    for _ in range(2):
        memory, _ = put(memory, (4096, 4096))
    memory, _ = memory.allocate(tt.BufferType.L1, 300_000)
    text = refused(lambda: put(memory, (8192, 4096)))  # 1,048,576 B per bank
    assert len(NAMED.findall(advice(text)[0])) == 2  # the two large ones; the third may stay
    assert follow(lambda memory, **options: put(memory, (8192, 4096), *options.values()), memory, [], text)[-1] == "place"


def test_more_cores_for_a_sharded_tensor():
    def call(cores):
        grid = tt.CoreRangeSet([tt.CoreRange((0, 0), (cores - 1, 0))])
        shard = tt.memory.ShardSpec(grid, (-(-256 // cores) * 32, 512), tt.ShardOrientation.ROW_MAJOR)
        config = tt.MemoryConfig(tt.TensorMemoryLayout.HEIGHT_SHARDED, tt.BufferType.L1, shard)
        return put(tt.MemoryState.create(tt.N150, worker_l1_size=1_420_000), (8192, 512), config)

    text = refused(lambda: call(4))  # four shards of 2 MiB
    assert "in each of the 4 banks of " in text and advice(text) == ["shard it over at least 6 cores"]
    refused(lambda: call(5))
    call(6)


def test_l1_small_is_sized_when_the_device_is_opened():
    shard = tt.memory.ShardSpec(tt.CoreRangeSet([tt.CoreRange((0, 0), (0, 0))]), (128, 128), tt.ShardOrientation.ROW_MAJOR)
    config = tt.MemoryConfig(tt.TensorMemoryLayout.HEIGHT_SHARDED, tt.BufferType.L1_SMALL, shard)
    text = refused(lambda: put(tt.MemoryState.create(tt.N150, l1_small_size=8192), (128, 128), config))
    assert advice(text)[-1] == "open the device with a larger l1_small_size"
    put(tt.MemoryState.create(tt.N150, l1_small_size=32_768), (128, 128), config)


def test_what_an_error_costs_grows_no_faster_than_the_live_buffers():
    calls = {}
    for count in (2_500, 10_000):
        memory, blocks = tt.MemoryState.create(tt.N150), []
        for _ in range(count):
            memory, block = memory.allocate(tt.BufferType.L1, 1_280_000 // count)
            blocks.append(block)
        for block in blocks[::3]:
            memory = memory.deallocate(block)
        memory, x = put(memory, (512, 16_384), DRAM)
        profile = cProfile.Profile()
        with profile:
            text = refused(lambda memory=memory, x=x: tt.softmax(memory, x, dim=-1, memory_config=L1))
        calls[count] = sum(entry.callcount for entry in profile.getstats())
        assert len(text) < 1000
    assert calls[10_000] <= 5 * calls[2_500]
    follow(on_l1(tt.softmax, dim=-1), memory, [x], text)
