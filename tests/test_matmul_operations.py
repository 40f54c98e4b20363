"""Matmul and its relatives as operations: program configs, vectors, shards, given outputs, sums; values against float64."""

import numpy as np
import pytest

import tt_jax as tt
from tt_jax import experimental
from tt_jax.activations import UnaryOpType, UnaryWithParam
from tt_jax.events import observed_by
from tt_jax.memory import TensorMemoryLayout
from tt_jax.ops.addmm import addmm
from tt_jax.program_configs import (
    MatmulMultiCoreProgramConfig,
    MatmulMultiCoreReuseMultiCast1DProgramConfig,
    MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig,
    MatmulMultiCoreReuseMultiCastProgramConfig,
    MatmulMultiCoreReuseProgramConfig,
    MinimalMatmulConfig,
    grid_of,
)

EXACT = tt.ComputeKernelConfig(tt.MathFidelity.HiFi4, math_approx_mode=False, fp32_dest_acc_en=True)


def two_dimensional(**changes):
    fields = dict(
        compute_with_storage_grid_size=(4, 4),
        in0_block_w=2,
        out_subblock_h=1,
        out_subblock_w=2,
        per_core_M=2,
        per_core_N=2,
        transpose_mcast=False,
    )
    return MatmulMultiCoreReuseMultiCastProgramConfig(**fields | changes)


def one_dimensional(**changes):
    fields = dict(
        compute_with_storage_grid_size=(8, 8),
        in0_block_w=2,
        out_subblock_h=1,
        out_subblock_w=1,
        per_core_M=8,
        per_core_N=1,
        fuse_batch=True,
        mcast_in0=True,
    )
    return MatmulMultiCoreReuseMultiCast1DProgramConfig(**fields | changes)


def reuse(**changes):
    fields = dict(
        compute_with_storage_grid_size=(2, 2), in0_block_w=2, out_subblock_h=1, out_subblock_w=1, per_core_M=4, per_core_N=4
    )
    return MatmulMultiCoreReuseProgramConfig(**fields | changes)


CONFIGS = [two_dimensional(), one_dimensional(), reuse(), MatmulMultiCoreProgramConfig()]


@pytest.fixture
def memory():
    return tt.MemoryState.create(tt.N150)


def put(memory, *arrays, dtype=tt.bfloat16):
    tensors = []
    for x in arrays:
        memory, tensor = tt.from_array(memory, x, dtype=dtype, layout=tt.TILE_LAYOUT)
        tensors.append(tensor)
    return memory, tensors


def draw(rng, *shapes):
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def values(x):
    return np.asarray(tt.to_array(x), np.float64)


def assert_near(y, exact, error=0.006):
    y = values(y)
    assert y.shape == exact.shape
    assert np.linalg.norm(y - exact) <= error * np.linalg.norm(exact)
    assert abs((y * exact).sum() / (exact * exact).sum() - 1) <= error


def product(a, b):
    return values(a) @ values(b)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_a_program_config_changes_the_program_and_the_fidelity(rng, memory, cache, config):
    memory, (a, b, bias) = put(memory, *draw(rng, (256, 256), (256, 256), (1, 256)))
    exact = product(a, b)
    _, y = tt.linear(memory, a, b, bias=bias, program_config=config, compute_kernel_config=EXACT)
    assert_near(y, exact + values(bias))
    programs = cache.entries
    assert programs == (1 if "MultiCast" in type(config).__name__ else 2)  # the others have no bias in their program
    _, y = tt.matmul(memory, a, b, program_config=config)
    scale = (values(y) * exact).sum() / (exact * exact).sum()
    assert 0.97 < scale < 0.985  # LoFi
    assert cache.entries == programs + 1


@pytest.mark.parametrize(
    "function, expected",
    [
        ("relu", lambda x: np.maximum(x, 0)),
        (UnaryOpType.RELU, lambda x: np.maximum(x, 0)),
        (UnaryWithParam(UnaryOpType.LEAKY_RELU, 0.5), lambda x: np.where(x > 0, x, x / 2)),
        ((UnaryOpType.LEAKY_RELU, 0.5), lambda x: np.where(x > 0, x, x / 2)),
    ],
    ids=["name", "type", "type with a parameter", "tuple"],
)
def test_a_config_fuses_its_activation(rng, memory, cache, function, expected):
    memory, (a, b) = put(memory, *draw(rng, (256, 256), (256, 256)))
    config = two_dimensional(fused_activation=function)
    _, y = tt.matmul(memory, a, b, program_config=config, compute_kernel_config=EXACT)
    assert cache.entries == 1
    assert_near(y, expected(product(a, b)))


def test_an_activation_by_parameter(rng, memory, cache):
    memory, (a, b) = put(memory, *draw(rng, (64, 64), (64, 64)))
    after, y = tt.matmul(memory, a, b, activation=UnaryWithParam(UnaryOpType.LEAKY_RELU, 0.25), compute_kernel_config=EXACT)
    exact = product(a, b)
    assert_near(y, np.where(exact > 0, exact, exact / 4))
    assert cache.entries == 2
    assert tt.deallocate(after, y) == memory


BAD = [
    (two_dimensional(in0_block_w=3), r"Kt \(8\) tiles, must be divisible by in0_block_w \(3\)"),
    (two_dimensional(in0_block_w=0), "in0_block_w must be greater than 0!"),
    (two_dimensional(out_subblock_w=3, per_core_N=4), r"out_block_w \(4\) must be divisible by out_subblock_w \(3\)"),
    (two_dimensional(out_subblock_h=3, per_core_M=4), r"out_block_h \(4\) must be divisible by out_subblock_h \(3\)"),
    (two_dimensional(out_block_w=3, per_core_N=4), r"per_core_N \(4\) must be divisible by out_block_w \(3\)"),
    (
        two_dimensional(out_subblock_h=4, out_subblock_w=4, per_core_M=4, per_core_N=4),
        "out_subblock_w 4 times out_subblock_h 4 must be at most 8",
    ),
    (two_dimensional(compute_with_storage_grid_size=(9, 9)), r"\(9, 9\) must fit within device grid \(8, 8\)"),
    (two_dimensional(per_core_M=1), r"output blocks along y \(8\) must be at most the number of rows .*\(4\)"),
    (two_dimensional(per_core_N=1, out_subblock_w=1), r"output blocks along x \(8\) .* columns .*\(4\)"),
    (one_dimensional(per_core_M=1, per_core_N=1, compute_with_storage_grid_size=(4, 8)), "64 blocks > 32 cores"),
    (reuse(per_core_M=3), r"B \* Mt \(8\) must be divisible by per_core_M \(3\)"),
    (reuse(per_core_N=3), r"Nt \(8\) must be divisible by per_core_N \(3\)"),
    ("2D", "`program_config` must be a matmul's program config, got '2D'"),
]


@pytest.mark.parametrize("config, text", BAD, ids=[text for _, text in BAD])
def test_configs_that_do_not_fit(memory, cache, config, text):
    memory, (a, b) = put(memory, *np.zeros((2, 256, 256), np.float32))
    with pytest.raises(tt.ArgumentError, match=text):
        tt.matmul(memory, a, b, program_config=config)
    assert cache.entries == 0


def test_a_wide_destination_holds_half_the_tiles(memory):
    memory, (a, b) = put(memory, *np.zeros((2, 256, 256), np.float32))
    config = two_dimensional(out_subblock_h=2, out_subblock_w=4, per_core_N=4)
    tt.matmul(memory, a, b, program_config=config)
    with pytest.raises(tt.ArgumentError, match="must be at most 4"):
        tt.matmul(memory, a, b, program_config=config, compute_kernel_config=EXACT)


def test_options_that_contradict_each_other(memory):
    memory, (a, b) = put(memory, *np.zeros((2, 256, 256), np.float32))
    with pytest.raises(tt.ArgumentError, match="`core_grid` and `program_config` are both given"):
        tt.matmul(memory, a, b, program_config=reuse(), core_grid=tt.CoreGrid(y=2, x=2))
    with pytest.raises(tt.NotModelledError, match="untilize_out is not modelled"):
        tt.matmul(memory, a, b, program_config=one_dimensional(untilize_out=True))
    with pytest.raises(tt.ArgumentError, match="`output_tile` must be a Tile or its"):
        tt.matmul(memory, a, b, output_tile=32)
    with pytest.raises(tt.ArgumentError, match="`dtype` is .*FLOAT32, but `optional_output_tensor`"):
        tt.matmul(memory, a, b, dtype=tt.float32, optional_output_tensor=a)
    with pytest.raises(tt.NotModelledError, match="as uint32 is not modelled; typecast"):
        tt.matmul(memory, a, b, dtype=tt.uint32)


@pytest.mark.parametrize("wrong", [dict(in0_block_w=1.5), dict(per_core_M=True), dict(transpose_mcast=0)])
def test_a_config_checks_its_types(wrong):
    with pytest.raises(tt.ArgumentError, match="must be (a whole number|True or False), got"):
        two_dimensional(**wrong)


def test_grids():
    assert grid_of((3, 2)) == grid_of([3, 2]) == grid_of(tt.CoreGrid(y=2, x=3)) == tt.CoreGrid(y=2, x=3)
    with pytest.raises(tt.ArgumentError, match="must be a CoreCoord, a CoreGrid or a pair"):
        grid_of(8)


def test_a_config_that_does_not_fit_l1(memory):
    memory, (a, b) = put(memory, *np.zeros((2, 2048, 2048), np.float32))
    config = two_dimensional(compute_with_storage_grid_size=(2, 2), in0_block_w=64, per_core_M=32, per_core_N=32)
    with pytest.raises(tt.L1ClashError, match="beyond|L1 ends at"):
        tt.matmul(memory, a, b, program_config=config)


@pytest.mark.parametrize(
    "a, b", [((64,), (64, 96)), ((96, 64), (64,)), ((64,), (64,)), ((2, 96, 64), (64,)), ((64,), (3, 64, 32))]
)
def test_vectors(rng, memory, a, b):
    memory, (a, b) = put(memory, *draw(rng, a, b))
    after, y = tt.matmul(memory, a, b, compute_kernel_config=EXACT)
    assert_near(y, np.asarray(product(a, b)))
    assert tt.deallocate(after, y) == memory


@pytest.mark.parametrize("a, b, size", [((64,), (64, 96), 96), ((96, 64), (64,), 96)])
def test_a_vector_with_a_bias(rng, memory, a, b, size):
    memory, (a, b, bias) = put(memory, *draw(rng, a, b, (size,)))
    after, y = tt.linear(memory, a, b, bias=bias, activation="relu", compute_kernel_config=EXACT)
    assert_near(y, np.maximum(product(a, b) + values(bias), 0))
    assert tt.deallocate(after, y) == memory


def test_columns_made_of_a_vector_stay_until_the_end(rng, memory):
    memory, (a, b, bias) = put(memory, *draw(rng, (96, 64), (64,), (96,)))
    events = []
    with observed_by(events.append):
        after, y = tt.linear(memory, a, b, bias=bias, activation="relu")
    launches = [event for event in events if event.launch is not None]
    (columns,) = launches[0].outputs
    assert [event.name for event in launches] == ["reshape", "matmul", "reshape", "add", "unary"]
    assert all(event.after.is_live(columns.buffer) for event in launches)
    assert tt.deallocate(after, y) == memory


@pytest.mark.parametrize("config", [two_dimensional(), one_dimensional()])
@pytest.mark.parametrize("shape", [(32, 256), (1, 1, 32, 256)])
def test_of_a_row_of_tiles_a_config_adds_the_first_row(rng, memory, config, shape):
    memory, (a, b, bias) = put(memory, *draw(rng, (256, 256), (256, 256), shape))
    _, y = tt.linear(memory, a, b, bias=bias, program_config=config, compute_kernel_config=EXACT)
    assert y.shape == (1,) * (len(shape) - 2) + (256, 256)
    assert_near(y, (product(a, b) + values(bias).reshape(-1, 256)[0]).reshape(y.shape))


def test_a_config_adds_no_second_row_of_tiles(rng, memory):
    memory, (a, b, bias) = put(memory, *draw(rng, (256, 256), (256, 256), (64, 256)))
    with pytest.raises(tt.ArgumentError, match="`bias` must have one row of 256 values"):
        tt.linear(memory, a, b, bias=bias, program_config=two_dimensional())


def test_what_vectors_do_not_do(memory):
    memory, (vector, matrix) = put(memory, np.zeros(64, np.float32), np.zeros((64, 64), np.float32))
    with pytest.raises(tt.NotModelledError, match="with an output tensor or a transposed input is not modelled"):
        tt.matmul(memory, vector, matrix, transpose_b=True)
    with pytest.raises(tt.NotModelledError, match="a bias for the product of two vectors is not modelled"):
        tt.linear(memory, vector, vector, bias=vector)
    _, integers = tt.from_array(memory, np.zeros(64, np.int32), layout=tt.TILE_LAYOUT)
    with pytest.raises(tt.ArgumentError, match="`input_tensor_a` must be a float tensor in TILE layout"):
        tt.matmul(memory, integers, matrix)


@pytest.mark.parametrize(
    "options", [{}, dict(activation="relu"), dict(core_grid=tt.CoreGrid(y=2, x=2), activation="relu")], ids=str
)
def test_a_given_output_takes_the_result(rng, memory, options):
    memory, (a, b, bias, out) = put(memory, *draw(rng, (64, 64), (64, 64), (1, 64), (64, 64)))
    after, y = tt.linear(memory, a, b, bias=bias, optional_output_tensor=out, **options)
    assert y.buffer == out.buffer
    assert after == memory
    _, expected = tt.linear(memory, a, b, bias=bias, **options)
    assert (np.asarray(y.array) == np.asarray(expected.array)).all()


def test_a_row_major_bias_is_tiled_and_added(rng, memory, cache):
    memory, (a, b) = put(memory, *draw(rng, (64, 64), (64, 64)))
    memory, bias = tt.from_array(memory, draw(rng, (1, 64))[0], dtype=tt.bfloat16)
    after, y = tt.linear(memory, a, b, bias=bias, compute_kernel_config=EXACT)
    assert_near(y, product(a, b) + values(bias))
    assert cache.entries == 3
    assert tt.deallocate(after, y) == memory


@pytest.mark.parametrize(
    "layout, config, shape, cores",
    [
        (TensorMemoryLayout.BLOCK_SHARDED, two_dimensional(), (64, 64), (4, 4)),
        (TensorMemoryLayout.WIDTH_SHARDED, one_dimensional(), (256, 32), (8, 1)),
        (TensorMemoryLayout.HEIGHT_SHARDED, one_dimensional(per_core_M=1, per_core_N=8, mcast_in0=False), (32, 256), (8, 1)),
        (TensorMemoryLayout.BLOCK_SHARDED, None, (256, 256), (1, 1)),
    ],
    ids=str,
)
def test_shards_of_an_output(rng, memory, layout, config, shape, cores):
    memory, (a, b) = put(memory, *draw(rng, (256, 256), (256, 256)))
    placement = tt.MemoryConfig(layout, tt.BufferType.L1)
    _, y = tt.matmul(memory, a, b, program_config=config, memory_config=placement, compute_kernel_config=EXACT)
    spec = y.memory_config.shard_spec
    size = spec.grid.bounding_box().grid_size()
    assert (spec.shape, (size.x, size.y)) == (shape, cores)
    assert_near(y, product(a, b))


def test_shards_like_those_of_the_first_input(rng, memory):
    memory, (a, b) = put(memory, *draw(rng, (256, 256), (256, 128)))
    placement = tt.MemoryConfig(TensorMemoryLayout.HEIGHT_SHARDED, tt.BufferType.L1)
    memory, wide = tt.matmul(memory, a, a, program_config=one_dimensional(per_core_M=2, per_core_N=8), memory_config=placement)
    _, y = tt.matmul(memory, wide, b, memory_config=placement, compute_kernel_config=EXACT)
    assert y.memory_config.shard_spec.shape == (64, 128)
    assert y.memory_config.shard_spec.grid == wide.memory_config.shard_spec.grid
    assert_near(y, product(wide, b))
    with pytest.raises(tt.NotModelledError, match="MatmulMultiCoreProgramConfig gives its output are not modelled"):
        tt.matmul(memory, a, b, program_config=MatmulMultiCoreProgramConfig(), memory_config=placement)


def test_weights_in_dram_shards(rng, memory):
    memory, (a, b) = put(memory, *draw(rng, (32, 256), (256, 256)))
    config = MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig(in0_block_w=2, per_core_M=1, per_core_N=2)
    _, y = tt.matmul(memory, a, b, program_config=config, compute_kernel_config=EXACT)
    assert_near(y, product(a, b))


@pytest.mark.parametrize("alpha, beta", [(1.0, 1.0), (-0.5, 1.5), (2.0, 0.0), (1.0, 0.0), (1, 0.5)])
@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32])
def test_addmm(rng, memory, alpha, beta, dtype):
    memory, (x, a, b) = put(memory, *draw(rng, (40, 96), (40, 64), (64, 96)), dtype=dtype)
    after, y = addmm(memory, x, a, b, alpha=alpha, beta=beta, compute_kernel_config=EXACT)
    assert_near(y, beta * values(x) + alpha * product(a, b), 0.008)
    assert y.dtype is dtype
    assert tt.deallocate(after, y) == memory


ADDMM_BAD = [
    (dict(alpha=0), "alpha parameter cannot be 0"),
    (dict(alpha="1"), "`alpha` must be a number"),
    (dict(input_tensor="integers"), "only ttnn.bfloat16, ttnn.float32 and ttnn.bfloat8_b types are supported"),
    (dict(input_tensor="small"), "input_tensor must have shape matching one of result of mat1_tensor @ mat2_tensor"),
    (dict(mat1_tensor="small"), "."),
]


@pytest.mark.parametrize("changes, text", ADDMM_BAD)
def test_what_addmm_refuses(memory, cache, changes, text):
    memory, (x, small) = put(memory, np.zeros((64, 64), np.float32), np.zeros((32, 32), np.float32))
    memory, integers = tt.from_array(memory, np.zeros((64, 64), np.int32), layout=tt.TILE_LAYOUT)
    named = {"small": small, "integers": integers}
    call = dict(input_tensor=x, mat1_tensor=x, mat2_tensor=x) | {k: named.get(v, v) for k, v in changes.items()}
    with pytest.raises(tt.ArgumentError, match=text):
        addmm(memory, **call)
    assert cache.entries == 0


GRID = dict(compute_with_storage_grid_size=(8, 8))


def test_attention_matmuls(rng, memory):
    memory, (a, b, keys, grouped) = put(memory, *draw(rng, (1, 8, 32, 64), (32, 1, 64, 96), (32, 1, 96, 64), (32, 2, 64, 96)))
    by_user = lambda x, y: np.einsum("hbk,bhkn->hbn", values(x)[0], np.broadcast_to(y, (32, 8, *y.shape[2:])))[None]
    _, y = experimental.attn_matmul(memory, a, b, **GRID, compute_kernel_config=EXACT)
    assert_near(y, by_user(a, values(b)))
    _, y = experimental.attn_matmul_from_cache(
        memory, a, keys, num_tokens=40, transpose_hw=True, **GRID, compute_kernel_config=EXACT
    )
    assert_near(y, by_user(a, values(keys)[:, :, :64].swapaxes(-1, -2)))
    _, y = experimental.group_attn_matmul(memory, a, grouped, **GRID, compute_kernel_config=EXACT)
    assert_near(y, by_user(a, np.repeat(values(grouped), 4, axis=1)))
    with pytest.raises(tt.ArgumentError, match="do not fit"):
        experimental.attn_matmul(memory, a, grouped, **GRID)
    with pytest.raises(tt.ArgumentError, match="`num_tokens` reaches beyond the 96 rows"):
        experimental.attn_matmul_from_cache(memory, a, keys, num_tokens=97, transpose_hw=True, **GRID)


def test_minimal_matmul(rng, memory, cache):
    memory, (a, b, bias) = put(memory, *draw(rng, (2, 64, 96), (96, 64), (1, 64)))
    config = MinimalMatmulConfig(M_block_size=2, K_block_size=3, N_block_size=2, compute_with_storage_grid_size=(2, 2))
    _, y = experimental.minimal_matmul(memory, a, b, bias_tensor=bias, fused_activation="relu", config=config)
    assert_near(y, np.maximum(product(a, b) + values(bias), 0))
    assert cache.entries == 1
    with pytest.raises(tt.ArgumentError, match="`input_tensor` .* and `weight_tensor` .* do not fit"):
        experimental.minimal_matmul(memory, b, b)
    with pytest.raises(tt.ArgumentError, match="`bias_tensor` must have one row of 64 values"):
        experimental.minimal_matmul(memory, a, b, bias_tensor=b)
    with pytest.raises(tt.ArgumentError, match="`config` must be a MinimalMatmulConfig"):
        experimental.minimal_matmul(memory, a, b, config=reuse())
