"""The facade with torch: conversions both ways, golden and fallback functions, comparison mode, and the attention tutorial."""

import ml_dtypes
import numpy as np
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


@pytest.fixture
def device():
    with ttnn.manage_device(0) as device:
        yield device


@pytest.mark.parametrize(
    ("source", "expected", "back"),
    [
        (torch.float32, ttnn.float32, torch.float32),
        (torch.bfloat16, ttnn.bfloat16, torch.bfloat16),
        (torch.float16, ttnn.bfloat16, torch.bfloat16),
        (torch.int32, ttnn.int32, torch.int32),
        (torch.int64, ttnn.uint32, torch.uint32),
        (torch.int16, ttnn.uint16, torch.uint16),
        (torch.uint16, ttnn.uint16, torch.uint16),
        (torch.uint8, ttnn.uint8, torch.uint8),
        (torch.int8, ttnn.int8, torch.int8),
        (torch.bool, ttnn.uint8, torch.uint8),
    ],
)
@pytest.mark.parametrize("on_device", [False, True])
def test_dtypes(device, source, expected, back, on_device):
    values = torch.tensor([[0, 1, 0], [1, 1, 0]]).to(source)
    x = ttnn.from_torch(values, device=device if on_device else None)
    assert x.dtype is expected and x.layout is ttnn.ROW_MAJOR_LAYOUT
    result = ttnn.to_torch(x)
    assert result.dtype is back and torch.equal(result.to(torch.float64), values.to(torch.float64))
    assert ttnn.ttnn_dtype_to_torch_dtype(x.dtype) is back


def test_what_torch_cannot_be(device):
    assert ttnn.from_torch(None) is None
    for bad in (torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.complex64)):
        with pytest.raises(tt.ArgumentError, match="TT-NN dtype"):
            ttnn.from_torch(bad)
    x = ttnn.from_torch(torch.ones(32, 32), layout=ttnn.TILE_LAYOUT, device=device)
    with pytest.raises(tt.ArgumentError, match="got a torch tensor"):
        ttnn.add(x, torch.ones(32, 32))


def test_every_bfloat16_pattern_survives(device):
    bits = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16).reshape(256, 256)
    x = ttnn.from_torch(bits.view(torch.bfloat16), layout=ttnn.TILE_LAYOUT, device=device)
    assert torch.equal(ttnn.to_torch(x).view(torch.int16), bits)


def test_to_torch_ranks_and_dtypes(device):
    x = ttnn.from_torch(torch.ones(1, 1, 2, 3), ttnn.bfloat16, device=device)
    assert ttnn.to_torch(x, torch_rank=2).shape == (2, 3)
    assert ttnn.to_torch(x, torch.float64).dtype is torch.float64
    with pytest.raises(tt.ArgumentError, match="cannot be squeezed"):
        ttnn.to_torch(x, torch_rank=1)
    assert x.to_torch().shape == (1, 1, 2, 3)


def test_torch_memory_is_not_shared(device):
    values = torch.ones(32, 32)
    x = ttnn.from_torch(values, device=device)
    values.zero_()
    assert ttnn.to_torch(x).eq(1).all()
    ttnn.to_torch(x).zero_()
    assert ttnn.to_torch(x).eq(1).all()


def test_block_floats_come_back_as_float32(device):
    values = torch.randn(64, 64)
    for dtype, error in ((ttnn.bfloat8_b, 0.01), (ttnn.bfloat4_b, 0.15)):
        x = ttnn.from_torch(values, dtype, layout=ttnn.TILE_LAYOUT, device=device)
        result = ttnn.to_torch(x)
        assert result.dtype is torch.float32
        assert (result - values).norm() / values.norm() < error


def test_golden_and_fallback_functions(device):
    values = torch.randn(2, 32, 64)
    x = ttnn.from_torch(values, ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    golden = ttnn.get_golden_function(ttnn.relu)
    assert torch.equal(golden(values), torch.relu(values))
    entries = device.num_program_cache_entries()
    y = ttnn.get_fallback_function(ttnn.reshape)(x, (2, 64, 32))
    assert y.shape == (2, 64, 32) and y.layout is ttnn.TILE_LAYOUT and y.device() is device
    assert torch.equal(ttnn.to_torch(y), ttnn.to_torch(x).reshape(2, 64, 32))
    assert device.num_program_cache_entries() == entries


def test_comparison_mode(device, caplog):
    x = ttnn.from_torch(torch.rand(32, 32), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    original = ttnn.get_golden_function(ttnn.exp)
    with ttnn.manage_config("enable_comparison_mode", True), ttnn.manage_config("comparison_mode_pcc", 0.999):
        ttnn.exp(x)
        ttnn.decorators.attach_golden_function(ttnn.exp, lambda x, **_: -x)
        try:
            ttnn.exp(x)
            assert "PCC" in caplog.text
            with ttnn.manage_config("comparison_mode_should_raise_exception", True):
                with pytest.raises(tt.TTError, match="ttnn.exp: PCC"):
                    ttnn.exp(x)
        finally:
            ttnn.decorators.attach_golden_function(ttnn.exp, original)
    ttnn.exp(x)


def test_tracer_records_torch_and_ttnn():
    with ttnn.tracer.trace():
        a = torch.rand(4, 64)
        b = ttnn.reshape(ttnn.from_torch(a), (2, 4, 32))
        c = ttnn.to_torch(b)
    graph = ttnn.tracer.visualize(c)
    names = [label.split("\\n")[0] for label in graph.nodes]
    assert names[-3:] == ["ttnn.from_torch", "ttnn.reshape", "ttnn.to_torch"]
    assert graph.edges[-2:] == [(len(names) - 3, len(names) - 2), (len(names) - 2, len(names) - 1)]
    assert "ttnn.reshape" in graph.dot()


def test_graph_capture(device):
    x = ttnn.from_torch(torch.rand(32, 64), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    ttnn.graph.begin_graph_capture(ttnn.graph.RunMode.NORMAL)
    y = ttnn.relu(ttnn.add(x, x))
    trace = ttnn.graph.end_graph_capture()
    calls = ttnn.graph.extract_calltrace(trace)
    assert calls[::3] == ["ttnn.add", "ttnn.relu"]
    assert [node["counter"] for node in trace] == list(range(len(trace)))
    allocated = [n["params"]["address"] for n in trace if n["node_type"] == "buffer_allocate"]
    assert len(allocated) == 2 and allocated[-1] == y.buffer_address()
    assert sum(n["node_type"] == "buffer_deallocate" for n in trace) == 1
    assert ttnn.graph.count_intermediate_and_output_tensors(trace) == (1, 1)
    assert ttnn.graph.extract_peak_L1_memory_usage(trace) == 3 * 2 * 2048  # the circular buffers of the addition


def attention(x, mask, weights, num_heads):
    """Multi-head attention as one writes it first: operators, a fallback for the reshape, in-place addition of the mask."""
    batch, rows, hidden = x.shape
    size = hidden // num_heads
    reshape = ttnn.get_fallback_function(ttnn.reshape)

    def projected(name, order):
        y = x @ weights[f"{name}_weight"]
        y = y + weights[f"{name}_bias"]
        y = ttnn.to_layout(y, ttnn.ROW_MAJOR_LAYOUT)
        y = reshape(y, (batch, rows, num_heads, size))
        y = ttnn.to_layout(y, layout=ttnn.TILE_LAYOUT)
        return ttnn.permute(y, order)

    query, key, value = projected("query", (0, 2, 1, 3)), projected("key", (0, 2, 3, 1)), projected("value", (0, 2, 1, 3))
    scores = query @ key
    scores = scores * (1 / size**0.5)
    scores += mask
    context = ttnn.softmax(scores, dim=-1) @ value
    context = ttnn.permute(context, (0, 2, 1, 3))
    context = ttnn.to_layout(context, ttnn.ROW_MAJOR_LAYOUT)
    context = ttnn.to_layout(reshape(context, (batch, rows, hidden)), ttnn.TILE_LAYOUT)
    return context @ weights["output_weight"] + weights["output_bias"]


def optimized_attention(x, mask, weights, num_heads):
    grid = ttnn.CoreGrid(y=8, x=8)
    options = dict(memory_config=ttnn.L1_MEMORY_CONFIG, core_grid=grid)
    qkv = ttnn.linear(x, weights["qkv_weight"], bias=weights["qkv_bias"], dtype=ttnn.bfloat8_b, **options)
    query, key, value = ttnn.transformer.split_query_key_value_and_split_heads(
        qkv, memory_config=ttnn.L1_MEMORY_CONFIG, num_heads=num_heads
    )
    ttnn.deallocate(qkv)
    scores = ttnn.matmul(query, key, dtype=ttnn.bfloat16, **options)
    ttnn.deallocate(query)
    ttnn.deallocate(key)
    probabilities = ttnn.transformer.attention_softmax_(scores, attention_mask=mask, head_size=x.shape[-1] // num_heads)
    context = ttnn.matmul(probabilities, value, dtype=ttnn.bfloat8_b, **options)
    ttnn.deallocate(probabilities)
    merged = ttnn.transformer.concatenate_heads(context, memory_config=ttnn.L1_MEMORY_CONFIG)
    ttnn.deallocate(context)
    return ttnn.linear(merged, weights["output_weight"], bias=weights["output_bias"], dtype=ttnn.bfloat16, **options)


def test_the_attention_tutorial(device):
    batch, rows, heads, size = 2, 64, 4, 32
    hidden = heads * size
    torch.manual_seed(0)
    x = torch.randn(batch, rows, hidden, dtype=torch.bfloat16)
    mask = torch.zeros(batch, 1, 1, rows, dtype=torch.bfloat16)
    mask[:, :, :, -8:] = -1e4
    host = {}
    for name in ("query", "key", "value", "output"):
        host[f"{name}_weight"] = (torch.randn(hidden, hidden) / hidden**0.5).bfloat16()
        host[f"{name}_bias"] = torch.randn(hidden).bfloat16()
    host["qkv_weight"] = torch.cat([host[f"{n}_weight"] for n in ("query", "key", "value")], -1)
    host["qkv_bias"] = torch.cat([host[f"{n}_bias"] for n in ("query", "key", "value")], -1)

    def put(tensor):
        return ttnn.from_torch(tensor, dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)

    weights = {name: put(value) for name, value in host.items()}
    inputs = put(x), put(mask)
    before = device.memory
    outputs = [ttnn.to_torch(program(*inputs, weights, heads)).double() for program in (attention, optimized_attention)]
    assert device.memory == before

    def split(name):
        y = x.double() @ host[f"{name}_weight"].double() + host[f"{name}_bias"].double()
        return y.reshape(batch, rows, heads, size).permute(0, 2, 1, 3)

    scores = split("query") @ split("key").transpose(-1, -2) / size**0.5 + mask.double()
    merged = (scores.softmax(-1) @ split("value")).permute(0, 2, 1, 3).reshape(batch, rows, hidden)
    expected = merged @ host["output_weight"].double() + host["output_bias"].double()
    for output, error in zip(outputs, (0.02, 0.06), strict=True):
        assert (output - expected).norm() / expected.norm() < error
        assert abs(output.abs().sum() / expected.abs().sum() - 1) < 0.02

    entries = device.num_program_cache_entries()
    attention(*inputs, weights, heads)
    optimized_attention(*inputs, weights, heads)
    assert device.num_program_cache_entries() == entries, "the second run finds every program"


def test_numpy_bfloat16_is_ml_dtypes(device):
    x = ttnn.from_torch(torch.ones(2, 2, dtype=torch.bfloat16), device=device)
    assert ttnn.to_numpy(x).dtype == np.dtype(ml_dtypes.bfloat16)
