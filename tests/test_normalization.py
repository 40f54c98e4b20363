"""Norms: against recordings of the device and of its host library, float64, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import recorded
import tt_jax as tt
from oracles import engine
from patterns import assert_same_bits
from recordings import DEVICE, carried, values
from tt_jax import group_norm_parameters as parameters
from tt_jax.kernels import normalization as kernel
from tt_jax.kernels import sfpu_functions
from tt_jax.normalization_configs import LayerNormDefaultProgramConfig, LayerNormShardedMultiCoreProgramConfig
from tt_jax.ops import distributed_norm
from tt_jax.ops.batch_norm import BatchNorm, batch_norm
from tt_jax.ops.group_norm import group_norm
from tt_jax.ops.normalization import layer_norm, rms_norm

NORMS = {"ttnn.layer_norm": layer_norm, "ttnn.rms_norm": rms_norm}
TILE, ROW_MAJOR = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT


@pytest.fixture(scope="module")
def device():
    return np.load(DEVICE / "composite.npz")


class Board:
    """A memory state that `put` fills."""

    def __init__(self):
        self.memory = tt.MemoryState.create(tt.N150)

    def put(self, array, dtype=tt.bfloat16, layout=TILE, memory_config=tt.DRAM_MEMORY_CONFIG):
        self.memory, x = tt.from_array(self.memory, array, dtype=dtype, layout=layout, memory_config=memory_config)
        return x


@pytest.fixture
def board():
    return Board()


def oracle(x, weight=1.0, bias=0.0, *, centered, epsilon=1e-5):
    x = np.asarray(x, np.float64)
    d = x - x.mean(-1, keepdims=True) if centered else x
    return d / np.sqrt((d**2).mean(-1, keepdims=True) + epsilon) * np.float64(weight) + np.float64(bias)


@pytest.mark.parametrize(
    "name, wrap",
    [("layer_norm", jax.jit), ("layer_norm_wb", jax.jit), ("layer_norm_wb", lambda f: f)],
    ids=["plain", "affine", "affine, eager"],
)
def test_layer_norm_equals_the_device(device, name, wrap):
    x, weight, bias = (carried(device[n], "bfloat16") for n in ("ln_x", "ln_w", "ln_b"))
    rows = (weight, bias) if name.endswith("wb") else ()
    y = wrap(lambda x, *rows: kernel.normalize(x, *rows, epsilon=1e-5, dtype="bfloat16", centered=True))(x, *rows)
    np.testing.assert_array_equal(values(y), values(device[name]))


@pytest.mark.parametrize("name", ["rms_norm", "rms_norm_w"])
def test_rms_norm_equals_the_device(device, name):
    x, weight = (carried(device[n], "bfloat16") for n in ("ln_x", "ln_w"))
    rows = (weight,) if name.endswith("w") else ()
    how = {"epsilon": 1e-5, "dtype": "bfloat16", "centered": False, "fp32_dest": False, "approximate": True}
    y = jax.jit(lambda x, *rows: kernel.normalize(x, *rows, **how))(x, *rows)
    np.testing.assert_array_equal(values(y), values(device[name]))


def test_the_approximate_inverse_root_has_ten_bits(rng):
    x = jnp.asarray(np.exp2(rng.uniform(-120, 120, 4096)), jnp.float32)
    y = values(sfpu_functions.rough_rsqrt(x)) * np.sqrt(values(x).astype(np.float64)) - 1
    assert 8e-4 < abs(y).max() < 8.81e-4


def calls(kind):
    for board in ("wormhole_n150", "blackhole_p150"):
        for i, case in enumerate(recorded.load(kind, board)["cases"]):
            if case["op"] in NORMS and not any(x and x.get("host") for x in case["inputs"]):
                yield pytest.param(board, case, id=f"{board}-{kind}-{i}-{case['op']}-{case.get('name', '')}")


@pytest.mark.parametrize("board, case", [*calls("op_specs"), *calls("errors")])
def test_recorded_calls(board, case, monkeypatch):
    for name, operation in NORMS.items():
        monkeypatch.setitem(recorded.OPERATIONS, name, operation)
    memory, tensors = recorded.prepare(tt.MemoryState.create(recorded.BOARDS[board]), case)
    if "outputs" not in case["result"]:
        with tt.ProgramCache().use() as cache, pytest.raises(tt.TTError, match=r"."):
            recorded.call(memory, case, tensors)
        assert cache.entries == 0
        return
    after, outputs = recorded.call(memory, case, tensors)
    assert [recorded.describe(x) for x in outputs] == [recorded.expected(x) for x in case["result"]["outputs"]]
    assert recorded.views(after) == case["result"]["after"]


@pytest.mark.parametrize("dtype, error", [(tt.bfloat16, 0.005), (tt.float32, 0.002), (tt.bfloat8_b, 0.02)])
@pytest.mark.parametrize("norm", [layer_norm, rms_norm])
def test_norms_approximate_float64(rng, board, norm, dtype, error):
    x, r = (board.put(rng.normal(size=(2, 33, 96)).astype(np.float32), dtype) for _ in "xr")
    weight, bias = (board.put(rng.normal(size=(1, 96)).astype(np.float32)) for _ in "wb")
    before = board.memory
    after, y = norm(before, x, weight=weight, bias=bias, residual_input_tensor=r, epsilon=1e-5)
    wide = [values(t.array) for t in (x, r, weight, bias)]
    exact = oracle(wide[0] + wide[1], *wide[2:], centered=norm is layer_norm)
    assert engine.relative_error(values(y.array), exact) < error
    assert abs(engine.scale(values(y.array), exact) - 1) < error
    assert after.deallocate(y.buffer) == before


def test_a_weight_in_rows_of_32_is_the_same(rng, board):
    x, w = rng.normal(size=(2, 8, 96)).astype(np.float32), rng.normal(size=96).astype(np.float32)
    t, tiles, rows = board.put(x), board.put(w), board.put(w.reshape(1, 1, 3, 32), layout=ROW_MAJOR)
    _, y = layer_norm(board.memory, t, weight=tiles)
    _, z = layer_norm(board.memory, t, weight=rows)
    assert_same_bits(y.array, z.array)


def test_welford_is_near_two_passes(rng, board):
    x = board.put(rng.normal(size=(4, 96)).astype(np.float32))
    _, y = layer_norm(board.memory, x, program_config=LayerNormDefaultProgramConfig(use_welford=True))
    _, z = layer_norm(board.memory, x)
    assert engine.relative_error(values(y.array), values(z.array)) < 3e-3


def test_welford_keeps_what_lies_below_a_large_mean(rng, board):
    array = (1e6 + 64 * rng.standard_normal((32, 96))).astype(np.float32)
    x = board.put(array, dtype=tt.float32)
    _, y = layer_norm(board.memory, x, program_config=LayerNormDefaultProgramConfig(use_welford=True))
    assert np.abs(values(y.array) - oracle(array, centered=True, epsilon=0)).max() < 0.01


def test_in_place_of_shards(rng, board):
    config = tt.memory.create_sharded_memory_config((64, 64), tt.CoreGrid(y=2, x=1), tt.memory.ShardStrategy.BLOCK)
    x = board.put(rng.normal(size=(64, 64)).astype(np.float32), memory_config=config)
    fields = {"compute_with_storage_grid_size": (1, 2), "subblock_w": 1, "block_h": 1, "block_w": 2}
    for inplace in (True, False):
        program = LayerNormShardedMultiCoreProgramConfig(**fields, inplace=inplace)
        _, y = layer_norm(board.memory, x, program_config=program)
        assert (y.buffer is x.buffer) == inplace
    with pytest.raises(tt.ArgumentError, match="with `inplace` the result lies where the input does"):
        program = LayerNormShardedMultiCoreProgramConfig(**fields, inplace=True)
        layer_norm(board.memory, x, program_config=program, memory_config=tt.DRAM_MEMORY_CONFIG)


@pytest.mark.parametrize("fp32_dest", [True, False])
def test_gradient_is_near_that_of_an_exact_norm(rng, fp32_dest):
    x, weight = (jnp.asarray(rng.normal(size=(8, 64)), jnp.float32) for _ in "xw")

    def loss(norm, x):
        return (norm(x) * weight).sum()

    ours = lambda x: kernel.normalize(x, epsilon=1e-5, dtype="float32", centered=True, fp32_dest=fp32_dest)
    exact = lambda x: (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
    y, z = (jax.jit(jax.grad(lambda x, f=f: loss(f, x)))(x) for f in (ours, exact))
    assert engine.pcc(y, z) > 0.999
    assert engine.relative_error(y, z) < 0.03


@pytest.mark.parametrize("layout, inplace", [(TILE, False), (ROW_MAJOR, False), (ROW_MAJOR, True)])
@pytest.mark.parametrize("affine", [True, False])
def test_group_norm(rng, board, layout, inplace, affine):
    n, rows, channels, groups, cores = 2, 32, 96, 6, 2
    x = rng.normal(size=(n, 1, rows, channels)).astype(np.float32)
    w, b = (rng.normal(size=channels).astype(np.float32) for _ in "wb")
    t = board.put(x, layout=layout)
    put = lambda p: board.put(parameters.create_group_norm_weight_bias_rm(p, channels, cores), layout=ROW_MAJOR)
    named = {"weight": put(w), "bias": put(b)} if affine else {}
    mask = board.put(parameters.create_group_norm_input_mask(channels, groups, cores))
    _, y = group_norm(
        board.memory,
        t,
        num_groups=groups,
        epsilon=1e-5,
        input_mask=mask,
        inplace=inplace,
        core_grid=tt.CoreGrid(y=cores, x=1),
        **named,
    )
    assert (y.buffer is t.buffer) == inplace
    grouped = values(t.array).astype(np.float64).reshape(n, rows, groups, -1)
    mean, var = grouped.mean((1, 3), keepdims=True), grouped.var((1, 3), keepdims=True)
    exact = ((grouped - mean) / np.sqrt(var + 1e-5)).reshape(x.shape)
    if affine:
        exact = exact * values(jnp.bfloat16(w)) + values(jnp.bfloat16(b))
    np.testing.assert_allclose(values(y.array), exact, rtol=2.0**-8, atol=1e-5)


def test_group_norm_tables():
    """Weights in chunks of 48 are padded to 64; a group of 16 starts at column 0 or 16 of its tile."""
    w = parameters.create_group_norm_weight_bias_rm(np.arange(96.0), 96, 2)
    assert w.shape == (1, 1, 4, 32)
    np.testing.assert_array_equal(w.reshape(2, 64)[:, :48].ravel(), np.arange(96))
    assert not w.reshape(2, 64)[:, 48:].any()
    mask = parameters.create_group_norm_input_mask(96, 6, 2)
    assert mask.shape == (1, 6, 32, 32)
    np.testing.assert_array_equal(mask[0, :, 0].argmax(-1), [0, 16, 0, 0, 16, 0])
    np.testing.assert_array_equal(mask.sum(-1), np.full((1, 6, 32), 16))
    np.testing.assert_array_equal(parameters.create_group_norm_input_negative_mask(96, 6, 2), 1 - mask)
    # A group of 50 that starts at column 30 touches three tiles.
    assert parameters.create_group_norm_input_mask(1600, 32, 1).shape == (1, 32, 32, 96)
    assert parameters.virtual_columns(8, 320, 32) == 2
    r = parameters.create_group_norm_reciprocals(1, 320, 8, 8, 32, tt.CoreGrid(y=1, x=2))
    np.testing.assert_allclose(r, np.tile(1 / np.arange(1, 21), (2, 1)), rtol=1e-6)
    grid = parameters.determine_expected_group_norm_dram_grid_size(grid=(8, 8), num_channels=320, num_groups=32, input_nhw=1024)
    assert 320 % grid.x == 0
    config, grid = parameters.determine_expected_group_norm_sharded_config_and_grid_size(
        grid=(8, 8), num_channels=320, num_groups=16, input_nhw=1024, is_height_sharded=False
    )
    assert config.shard_spec.shape == (1024 // grid.x, 320 // grid.y)
    config, grid = parameters.determine_expected_group_norm_sharded_config_and_grid_size(
        grid=(8, 8), num_channels=320, num_groups=16, input_nhw=512, is_height_sharded=True
    )
    assert (config.shard_spec.shape, grid) == ((32, 320), tt.CoreGrid(y=2, x=8))
    layouts = tt.TensorMemoryLayout
    across = [parameters.get_group_norm_cores_across_channel(layout, tt.CoreGrid(y=2, x=4)) for layout in layouts]
    assert across[:4] == [8, 1, 8, 2]


@pytest.mark.parametrize("dtype", [tt.bfloat16, tt.float32])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(rng, board, training, dtype):
    x = rng.normal(size=(3, 5, 8, 9)).astype(np.float32)
    named = {
        name: rng.uniform(0.5, 2, (1, 5, 1, 1)).astype(np.float32) for name in ("running_mean", "running_var", "weight", "bias")
    }
    t, tensors = board.put(x, dtype), {name: board.put(p, dtype) for name, p in named.items()}
    before = board.memory
    after, y = batch_norm(before, t, training=training, momentum=0.25, eps=1e-3, **tensors)
    wide = {name: values(p.array).astype(np.float64) for name, p in tensors.items()}
    a = values(t.array).astype(np.float64)
    mean, var = wide["running_mean"], wide["running_var"]
    if training:
        assert isinstance(y, BatchNorm)
        mean, var = a.mean((0, 2, 3), keepdims=True), a.var((0, 2, 3), keepdims=True)
        for name, batch, updated in (("running_mean", mean, y.running_mean), ("running_var", var, y.running_var)):
            assert updated.buffer is tensors[name].buffer
            np.testing.assert_allclose(values(updated.array), 0.75 * wide[name] + 0.25 * batch, rtol=2.0**-8)
        y = y.output
    exact = (a - mean) / np.sqrt(var + 1e-3) * wide["weight"] + wide["bias"]
    np.testing.assert_allclose(values(y.array), exact, rtol=2.0**-8, atol=1e-5)
    assert after.deallocate(y.buffer) == before


def test_batch_norm_trains_without_statistics(rng, board):
    t = board.put(rng.normal(size=(3, 5, 8, 9)).astype(np.float32), tt.float32)
    _, y = batch_norm(board.memory, t, training=True)
    assert abs(values(y.array).mean()) < 1e-6


@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm"])
def test_halves_make_a_whole(rng, board, norm):
    """Two devices with half of a row each: their statistics side by side make the norm of the row."""
    x = rng.normal(size=(2, 32, 64)).astype(np.float32)
    weight = rng.normal(size=(1, 64)).astype(np.float32)
    halves = [board.put(half, tt.float32) for half in np.split(x, 2, -1)]
    stats = []
    for half in halves:
        _, s = getattr(distributed_norm, f"{norm}_pre_all_gather")(board.memory, half, dtype=tt.float32)
        stats.append(np.asarray(s.array))
    gathered = board.put(np.concatenate(stats, -1), tt.float32)
    parts = []
    for half, w in zip(halves, np.split(weight, 2, -1), strict=True):
        row = board.put(w, tt.float32)
        _, y = getattr(distributed_norm, f"{norm}_post_all_gather")(
            board.memory, half, gathered, epsilon=1e-5, weight=row, bias=row
        )
        parts.append(np.asarray(y.array))
    exact = oracle(x, weight, weight, centered=norm == "layer_norm")
    np.testing.assert_allclose(np.concatenate(parts, -1), exact, rtol=1e-4, atol=1e-4)


def _specs(board):
    shapes = {
        "x": ((1, 1, 64, 64), tt.bfloat16, TILE),
        "rows": ((1, 1, 64, 64), tt.bfloat16, ROW_MAJOR),
        "integers": ((1, 1, 64, 64), tt.int32, TILE),
        "w": ((1, 64), tt.bfloat16, TILE),
        "w96": ((1, 96), tt.bfloat16, TILE),
        "wi": ((1, 64), tt.int32, TILE),
        "w_rows": ((1, 64), tt.bfloat16, ROW_MAJOR),
        "w2": ((33, 64), tt.bfloat16, TILE),
        "scalar": ((), tt.bfloat16, TILE),
        "stats": ((1, 1, 64, 48), tt.bfloat16, TILE),
        "channel": ((1, 1, 1, 1), tt.bfloat16, TILE),
    }
    return {name: board.put(jax.ShapeDtypeStruct(shape, d.carrier), d, layout) for name, (shape, d, layout) in shapes.items()}


BAD = [  # operation, input, arguments (names of tensors as strings), text
    (layer_norm, "scalar", {}, "at least one dimension"),
    (layer_norm, "x", {"epsilon": "x"}, "`epsilon` must be a number"),
    (layer_norm, "x", {"program_config": 1}, "`program_config` must be"),
    (layer_norm, "x", {"weight": "wi"}, "`weight` must be a float tensor"),
    (layer_norm, "x", {"bias": "w_rows"}, "in rows of 32"),
    (layer_norm, "x", {"weight": "w2"}, "one row"),
    (layer_norm, "x", {"residual_input_tensor": "rows"}, "shape and layout of the input"),
    (rms_norm, "rows", {}, "must have TILE layout"),
    (group_norm, "w", {"num_groups": 2, "inplace": False}, "rank 4"),
    (group_norm, "x", {"num_groups": 2}, "ROW_MAJOR layout only"),
    (group_norm, "x", {"num_groups": 3, "inplace": False}, "must be a multiple of 32 and of `num_groups`"),
    (group_norm, "rows", {"num_groups": 2, "dtype": tt.float32}, "with `inplace` the result is like the input"),
    (group_norm, "rows", {"num_groups": 2, "weight": "w96"}, "must hold 64 channels"),
    (group_norm, "rows", {"num_groups": 2, "input_mask": "w"}, "`input_mask` must have shape"),
    (group_norm, "rows", {"num_groups": 2, "reciprocals": "w"}, "go with use_welford=True"),
    (group_norm, "integers", {"num_groups": 2, "inplace": False}, "`input_tensor` must be one of"),
    (batch_norm, "x", {}, "are needed unless training=True"),
    (batch_norm, "rows", {"training": True}, "must have TILE layout"),
    (batch_norm, "w", {"training": True}, "rank 4"),
    (batch_norm, "x", {"training": True, "weight": "w"}, "`weight` must have shape"),
    (batch_norm, "x", {"training": True, "momentum": "x"}, "`momentum` must be a number"),
    (distributed_norm.rms_norm_pre_all_gather, "rows", {}, "must have TILE layout"),
    (distributed_norm.rms_norm_pre_all_gather, "x", {"program_config": 1}, "`program_config` must be"),
    (distributed_norm.layer_norm_pre_all_gather, "x", {"residual_input_tensor": "w"}, "shape of the input"),
    (distributed_norm.rms_norm_post_all_gather, "x", {"stats": "stats"}, "`stats` must have shape"),
]


@pytest.mark.parametrize("operation, name, arguments, text", BAD, ids=lambda value: getattr(value, "__name__", str(value)[:40]))
def test_bad_calls(board, operation, name, arguments, text, cache):
    tensors = _specs(board)
    # A string is a tensor's name where a tensor is wanted.
    named = {key: tensors.get(value, value) if isinstance(value, str) else value for key, value in arguments.items()}
    with pytest.raises(tt.ArgumentError, match=text):
        operation(board.memory, tensors[name], **named)
    assert cache.entries == 0


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: parameters.create_group_norm_input_mask(10, 3, 1), "cannot be split into 3 groups"),
        (lambda: parameters.create_group_norm_weight_bias_rm(np.ones(10), 12, 1), "cannot be cut"),
        (lambda: parameters.create_group_norm_reciprocals(1, 48, 8, 8, 16, tt.CoreGrid(y=1, x=1)), "cannot be dealt"),
        (
            lambda: parameters.determine_expected_group_norm_dram_grid_size(
                grid=(8, 8), num_channels=48, num_groups=3, input_nhw=32
            ),
            "no grid",
        ),
        (
            lambda: parameters.determine_expected_group_norm_sharded_config_and_grid_size(
                grid=(8, 8), num_channels=48, num_groups=3, input_nhw=32, is_height_sharded=True
            ),
            "must be a multiple of 32",
        ),
        (lambda: LayerNormDefaultProgramConfig(use_welford=1), "`use_welford` must be True or False"),
        (
            lambda: LayerNormShardedMultiCoreProgramConfig(
                compute_with_storage_grid_size=(1, 1), subblock_w=0, block_h=1, block_w=1, inplace=False
            ),
            "`subblock_w` must be a whole number",
        ),
    ],
)
def test_bad_tables_and_configs(call, text):
    with pytest.raises(tt.ArgumentError, match=text):
        call()


def test_reciprocals_of_the_facade():
    import tt_jax.ttnn as ttnn

    cores = ttnn.CoreRangeSet({ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(3, 1))})
    with ttnn.manage_device(0) as device:
        table = ttnn.create_layer_norm_reciprocals(device, cores, 24)
        assert table.shape == (8, 24) and table.dtype is ttnn.float32 and table.layout is ttnn.ROW_MAJOR_LAYOUT
        spec = table.memory_config().shard_spec
        assert spec.grid == cores and tuple(spec.shape) == (1, 24)
        np.testing.assert_allclose(ttnn.to_numpy(table), np.tile(1 / np.arange(1, 25), (8, 1)), rtol=1e-6)
        for arguments, text in (((None, 24), "`core_range_set` must be"), ((cores, 0), "`width` must be")):
            with pytest.raises(tt.ArgumentError, match=text):
                ttnn.create_layer_norm_reciprocals(device, *arguments)
