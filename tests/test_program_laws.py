"""Laws of memory over random programs of real operations: what holds whatever a program does."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_jax as tt

TILE, DRAM, L1 = tt.TILE_LAYOUT, tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG
SHARDED = tt.create_sharded_memory_config((256, 256), tt.CoreGrid(y=2, x=2), tt.ShardStrategy.BLOCK)
CONFIGS = (DRAM, L1, L1, SHARDED)
SHAPES = ((256, 256), (512, 256), (4096, 512))
DTYPES = (tt.bfloat16, tt.bfloat8_b, tt.float32)

# Each takes the memory, two tensors (which may be one) and a memory config, and gives the memory and one tensor.
OPERATIONS = {
    "relu": lambda m, x, y, config: tt.relu(m, x, memory_config=config),
    "add": lambda m, x, y, config: tt.add(m, x, y, memory_config=config),
    "multiply by a number": lambda m, x, y, config: tt.multiply(m, x, 2.0, memory_config=config),
    "matmul": lambda m, x, y, config: tt.matmul(m, x, y, memory_config=config),
    "matmul transposed": lambda m, x, y, config: tt.matmul(m, x, y, transpose_b=True, memory_config=config),
    "softmax": lambda m, x, y, config: tt.softmax(m, x, memory_config=config),
    "typecast": lambda m, x, y, config: tt.typecast(m, x, y.dtype, memory_config=config),
    "move": lambda m, x, y, config: tt.to_memory_config(m, x, config),
    "untilize": lambda m, x, y, config: tt.to_layout(m, x, tt.ROW_MAJOR_LAYOUT, memory_config=config),
    "transpose": lambda m, x, y, config: tt.transpose(m, x, 0, 1, memory_config=config),
    "concat": lambda m, x, y, config: tt.concat(m, [x, y], 0, memory_config=config),
}

step = st.one_of(
    st.tuples(st.just("make"), st.sampled_from(SHAPES), st.sampled_from(DTYPES), st.sampled_from(CONFIGS)),
    st.tuples(st.just("free"), st.integers(0, 99)),
    st.tuples(st.just("reallocate"), st.integers(0, 99)),
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 99), st.integers(0, 99), st.sampled_from(CONFIGS)),
)
programs = st.lists(step, max_size=25)


def run(memory, program, check=lambda before, after: None):
    """Run `program`: the memory after it and the tensors it holds. Steps that the operation refuses change nothing, and pass."""
    held = []
    for kind, *arguments in program:
        before = memory
        try:
            if kind == "make":
                shape, dtype, config = arguments
                values = jax.ShapeDtypeStruct(shape, jnp.float32)
                memory, x = tt.from_array(memory, values, dtype=dtype, layout=TILE, memory_config=config)
                held.append(x)
            elif not held:
                continue
            elif kind == "free":
                x = held.pop(arguments[0] % len(held))
                if all(x.buffer != y.buffer for y in held):  # a view's buffer goes with its last holder
                    memory = tt.deallocate(memory, x)
            elif kind == "reallocate":
                at = arguments[0] % len(held)
                if sum(held[at].buffer == y.buffer for y in held) == 1:
                    memory, held[at] = tt.reallocate(memory, held[at])
            else:
                x, y = (held[i % len(held)] for i in arguments[:2])
                memory, z = OPERATIONS[kind](memory, x, y, arguments[2])
                held.append(z)
        except (tt.TTError, NotImplementedError):
            pass
        check(before, memory)
    return memory, held


def assert_sound(memory):
    """No two live blocks overlap, and none leaves its region."""
    for kind in tt.BufferType:
        region, end = memory.region(kind), memory.region(kind).start
        for block in memory.live(kind):
            assert end <= block.address and block.end <= region.end
            end = block.end


boards = pytest.mark.parametrize("board", [tt.N150, tt.P150], ids=lambda board: board.name)


@boards
@given(program=programs)
def test_live_buffers_are_those_that_the_program_holds(board, program):
    memory, held = run(tt.MemoryState.create(board), program, lambda before, after: assert_sound(after))
    live = {tt.Buffer(kind, *block) for kind in tt.BufferType for block in memory.live(kind)}
    assert live == {x.buffer for x in held}


@boards
@given(program=programs, order=st.randoms(use_true_random=False))
def test_freeing_everything_leaves_an_equal_state(board, program, order):
    empty = tt.MemoryState.create(board)
    memory, held = run(empty, program)
    buffers = list(dict.fromkeys(x.buffer for x in held))
    order.shuffle(buffers)
    for buffer in buffers:
        memory = memory.deallocate(buffer)
    assert memory == empty and hash(memory) == hash(empty)


@boards
@given(program=programs)
def test_jit_and_eager_leave_equal_states(board, program):
    """Under jit a program is traced with its tensors as arguments: `eval_shape` traces without compiling."""
    start = tt.MemoryState.create(board)
    memory, x = tt.from_array(start, jax.ShapeDtypeStruct((256, 256), jnp.float32), dtype=tt.bfloat16, layout=TILE)

    def main(memory, x):
        kept = [step for step in program if step[0] != "make"]
        after, held = memory, [x]
        for kind, *arguments in kept:
            if kind in OPERATIONS:
                a, b = (held[i % len(held)] for i in arguments[:2])
                try:
                    after, y = OPERATIONS[kind](after, a, b, arguments[2])
                except (tt.TTError, NotImplementedError):
                    continue
                held.append(y)
            elif kind == "free" and len(held) > 1:
                y = held.pop(1 + arguments[0] % (len(held) - 1))
                if all(y.buffer != z.buffer for z in held):
                    after = tt.deallocate(after, y)
        return after, held

    eager, ours = main(memory, x)
    traced, theirs = jax.eval_shape(jax.jit(main), memory, x)
    assert eager == traced and hash(eager) == hash(traced)
    assert [(y.spec, y.buffer) for y in ours] == [(y.spec, y.buffer) for y in theirs]


@boards
@given(program=programs)
def test_a_refused_step_adds_no_program(board, program):
    with tt.ProgramCache().use() as cache:
        counted = [0, 0]

        def check(before, after):
            entries, misses = cache.entries, cache.misses
            if after is before:
                assert (entries, misses) == tuple(counted)
            counted[:] = entries, misses

        # A view or a placement that changes nothing adds no program either.
        run(tt.MemoryState.create(board), program, check)


@boards
@given(program=programs)
def test_a_plan_sees_every_change(board, program):
    """What a plan's timeline has added up of the events is the memory, also where operations failed half-way."""
    start = tt.MemoryState.create(board)
    plan = tt.plan(lambda memory: (run(memory, program)[0], None), memory=start)
    memory, _ = run(start, program)
    assert plan.memory == memory
    assert {x.buffer for x in plan.lifetimes if x.end is None} == {
        tt.Buffer(kind, *block) for kind in tt.BufferType for block in memory.live(kind)
    }
    assert plan.steps == () or plan.steps[-1].l1 == memory.view(tt.BufferType.L1).total_bytes_allocated_per_bank
