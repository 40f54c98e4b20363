"""A good call of every operation, on tensors without values: tests change one argument of it and see what is said."""

import jax
import numpy as np
import pytest

import tt_jax as tt
from tt_jax import model_preprocessing, transformer

TILE, ROW_MAJOR = tt.TILE_LAYOUT, tt.ROW_MAJOR_LAYOUT
DRAM, L1 = tt.DRAM_MEMORY_CONFIG, tt.L1_MEMORY_CONFIG
GRID = tt.CoreGrid(y=2, x=2)

# What lies on the device: name, shape, dtype, layout. Nothing has values.
TENSORS = {
    "x": ((64, 64), tt.bfloat16, TILE),
    "wide": ((64, 96), tt.bfloat16, TILE),
    "rows": ((64, 64), tt.bfloat16, ROW_MAJOR),
    "integers": ((64, 64), tt.int32, TILE),
    "bytes": ((64, 64), tt.uint8, TILE),
    "scalar": ((), tt.bfloat16, TILE),
    "batch2": ((2, 64, 64), tt.bfloat16, TILE),
    "batch3": ((3, 64, 64), tt.bfloat16, TILE),
    "bias": ((1, 64), tt.bfloat16, TILE),
    "bias96": ((1, 96), tt.bfloat16, TILE),
    "integer bias": ((1, 64), tt.int32, TILE),
    "qkv": ((2, 32, 192), tt.bfloat16, TILE),
    "integer qkv": ((2, 32, 192), tt.int32, TILE),
    "qkv rows": ((2, 32, 192), tt.bfloat16, ROW_MAJOR),
    "kv": ((2, 32, 128), tt.bfloat16, TILE),
    "heads": ((2, 3, 32, 64), tt.bfloat16, TILE),
    "heads24": ((2, 3, 32, 24), tt.bfloat16, TILE),
    "integer heads": ((2, 3, 32, 64), tt.int32, TILE),
    "head rows": ((2, 3, 32, 64), tt.bfloat16, ROW_MAJOR),
    "mask": ((2, 1, 1, 64), tt.bfloat16, TILE),
    "mask rows": ((2, 1, 1, 64), tt.bfloat16, ROW_MAJOR),
    "mask96": ((2, 1, 1, 96), tt.bfloat16, TILE),
    "mask of 16 rows": ((2, 1, 16, 64), tt.bfloat16, TILE),
    "mask of one": ((1, 1, 1, 64), tt.bfloat16, TILE),
    "mask per head": ((2, 3, 1, 64), tt.bfloat16, TILE),
    "integer mask": ((2, 1, 1, 64), tt.int32, TILE),
}


def prepare():
    memory, tensors = tt.MemoryState.create(tt.N150), {}
    for name, (shape, dtype, layout) in TENSORS.items():
        values = jax.ShapeDtypeStruct(shape, dtype.carrier)
        memory, tensors[name] = tt.from_array(memory, values, dtype=dtype, layout=layout)
    return memory, tensors


MEMORY, T = prepare()


def fails(call, error, text, memory=MEMORY):
    """`call(memory)` raises, and the memory and the program cache are as they were."""
    before = [memory.live(buffer_type) for buffer_type in tt.BufferType]
    with tt.ProgramCache().use() as cache, pytest.raises(error, match=text):
        call(memory)
    assert [memory.live(buffer_type) for buffer_type in tt.BufferType] == before
    assert (cache.entries, cache.hits, cache.misses) == (0, 0, 0)


class Call:
    """A good call of an operation: its tensors by argument name, and the rest of its arguments."""

    def __init__(self, operation, tensors, **rest):
        self.operation, self.tensors, self.rest = operation, tensors, rest

    def __call__(self, memory=MEMORY, **changes):
        return self.operation(memory, **{name: T[x] for name, x in self.tensors.items()} | self.rest | changes)


TWO = dict(input_tensor_a="x", input_tensor_b="x")
ONE = dict(tensor="x")
INPUT = dict(input_tensor="x")
CALLS = {
    "add": Call(tt.add, TWO),
    "subtract": Call(tt.subtract, TWO),
    "multiply": Call(tt.multiply, TWO),
    "matmul": Call(tt.matmul, TWO),
    "matmul on a grid": Call(tt.matmul, TWO, core_grid=GRID),
    "linear": Call(tt.linear, dict(TWO, bias="bias")),
    "linear on a grid": Call(tt.linear, dict(TWO, bias="bias"), core_grid=GRID),
    "linear with transposes": Call(tt.linear, dict(TWO, bias="bias"), transpose_a=True, transpose_b=True),
    "softmax": Call(tt.softmax, dict(input_tensor="x")),
    "reshape": Call(tt.reshape, INPUT, shape=(32, 128)),
    "reshape, a view": Call(tt.reshape, INPUT, shape=(2, 32, 64)),
    "permute": Call(tt.permute, INPUT, dims=(1, 0)),
    "permute, a view": Call(tt.permute, INPUT, dims=(0, 1)),
    "transpose": Call(tt.transpose, INPUT, dim1=0, dim2=1),
    "transpose, a view": Call(tt.transpose, INPUT, dim1=0, dim2=0),
    "to_layout": Call(tt.to_layout, ONE, layout=ROW_MAJOR),
    "to_layout, a view": Call(tt.to_layout, ONE, layout=TILE),
    "to_memory_config": Call(tt.to_memory_config, ONE, memory_config=L1),
    "to_memory_config, a view": Call(tt.to_memory_config, ONE, memory_config=DRAM),
    "typecast": Call(tt.typecast, INPUT, dtype=tt.float32),
    "reallocate": Call(tt.reallocate, ONE),
    "split_query_key_value_and_split_heads": Call(
        transformer.split_query_key_value_and_split_heads,
        dict(input_tensor="kv", kv_input_tensor="kv"),
        num_heads=2,
        num_kv_heads=1,
    ),
    "concatenate_heads": Call(transformer.concatenate_heads, dict(input_tensor="heads")),
    "attention_softmax": Call(transformer.attention_softmax, dict(tensor="heads", attention_mask="mask"), head_size=64),
    "attention_softmax without mask": Call(transformer.attention_softmax, dict(tensor="heads"), head_size=64),
    "attention_softmax_": Call(transformer.attention_softmax_, dict(tensor="heads", attention_mask="mask"), head_size=64),
    "from_array": Call(tt.from_array, {}, array=np.ones((32, 32), np.float32)),
    "preprocess_linear_weight": Call(
        model_preprocessing.preprocess_linear_weight, {}, weight=np.ones((32, 32), np.float32), dtype=tt.bfloat16
    ),
    "preprocess_linear_bias": Call(
        model_preprocessing.preprocess_linear_bias, {}, bias=np.ones(32, np.float32), dtype=tt.bfloat16
    ),
}
