"""The recorded calls of the real ttnn 0.81.1 (reference/README.md), read as calls of tt_jax that compute nothing."""

import gzip
import json
from pathlib import Path

import jax

import tt_jax as tt
from tt_jax.cores import CoreRange, CoreRangeSet
from tt_jax.ops import binary, concat, embedding, filled, pad, sharding
from tt_jax.ops import slice as slices
from tt_jax.ops.experimental import heads
from tt_jax.ops.transformer import attention

REFERENCE = Path(__file__).parent / "reference"
BOARDS = {"wormhole_n150": tt.N150, "wormhole_n300": tt.N300, "blackhole_p100": tt.P100, "blackhole_p150": tt.P150}


def empty(memory, shape, *, dtype, layout, device, memory_config):
    """`ttnn.empty`, of which tt_jax has the form without values only."""
    return allocate(memory, tt.TensorSpec(tuple(shape), dtype, layout, memory_config))


def made(operation):
    """A creation of tt_jax, called as ttnn's with the device among its arguments."""
    return lambda memory, *arguments, device, **keywords: operation(memory, *arguments, **keywords)


def create_sharded_memory_config(memory, *arguments, **keywords):
    """The pure function, as an operation that returns no tensors."""
    tt.memory.create_sharded_memory_config(*arguments, **keywords)
    return memory, []


OPERATIONS = {
    "ttnn.empty": empty,
    "ttnn.add": tt.add,
    "ttnn.subtract": tt.subtract,
    "ttnn.multiply": tt.multiply,
    "ttnn.divide": binary.divide,
    "ttnn.matmul": tt.matmul,
    "ttnn.linear": tt.linear,
    "ttnn.softmax": tt.softmax,
    "ttnn.reshape": tt.reshape,
    "ttnn.permute": tt.permute,
    "ttnn.transpose": tt.transpose,
    "ttnn.to_layout": tt.to_layout,
    "ttnn.to_memory_config": tt.to_memory_config,
    "ttnn.interleaved_to_sharded": sharding.interleaved_to_sharded,
    "ttnn.sharded_to_interleaved": sharding.sharded_to_interleaved,
    "ttnn.create_sharded_memory_config": create_sharded_memory_config,
    "ttnn.typecast": tt.typecast,
    "ttnn.slice": slices.slice,
    "ttnn.concat": concat.concat,
    "ttnn.pad": pad.pad,
    "ttnn.embedding": embedding.embedding,
    "ttnn.zeros": made(filled.zeros),
    "ttnn.ones": made(filled.ones),
    "ttnn.full": made(filled.full),
    "ttnn.transformer.split_query_key_value_and_split_heads": tt.transformer.split_query_key_value_and_split_heads,
    "ttnn.transformer.concatenate_heads": tt.transformer.concatenate_heads,
    "ttnn.transformer.scaled_dot_product_attention": attention.scaled_dot_product_attention,
    "ttnn.experimental.nlp_create_qkv_heads": heads.nlp_create_qkv_heads,
    "ttnn.transformer.attention_softmax": tt.transformer.attention_softmax,
    "ttnn.transformer.attention_softmax_": tt.transformer.attention_softmax_,
}


def load(kind, board):
    """A recorded file of `kind` ("mha_traces", "op_specs" and so on) for `board`."""
    with gzip.open(REFERENCE / f"{kind}_{board}.json.gz") as file:
        return json.load(file)


def memory_config(recorded):
    shard = recorded["shard"]
    if shard is not None:
        ranges = {CoreRange((left, top), (right, bottom)) for left, top, right, bottom in shard["grid"]}
        shard = tt.memory.ShardSpec(CoreRangeSet(ranges), shard["shape"], tt.memory.ShardOrientation[shard["orientation"]])
    return tt.MemoryConfig(tt.TensorMemoryLayout[recorded["layout"]], tt.BufferType[recorded["buffer"]], shard)


def describe_memory_config(config):
    """What `memory_config` was made from."""
    shard = config.shard_spec
    if shard is not None:
        corners = [[part.start.x, part.start.y, part.end.x, part.end.y] for part in shard.grid.ranges()]
        shard = {"grid": corners, "shape": list(shard.shape), "orientation": shard.orientation.name}
    return {"layout": config.memory_layout.name, "buffer": config.buffer_type.name, "shard": shard}


def tensor_spec(recorded):
    dtype, layout = tt.DataType[recorded["dtype"].upper()], tt.Layout[recorded["layout"]]
    return tt.TensorSpec(tuple(recorded["shape"]), dtype, layout, memory_config(recorded["mem"]))


def view(memory, buffer):
    """`[allocated, free, largest free block]`, bytes per bank."""
    return list(memory.view(tt.BufferType[buffer])[2:])


def views(memory):
    return {buffer: view(memory, buffer) for buffer in ("L1", "DRAM")}


def allocate(memory, spec):
    """A tensor without values."""
    values = jax.ShapeDtypeStruct(spec.shape, spec.dtype.carrier)
    return tt.from_array(memory, values, dtype=spec.dtype, layout=spec.layout, memory_config=spec.memory_config)


def describe(tensor):
    spec = tensor.spec
    return {
        "shape": list(spec.shape),
        "padded_shape": list(spec.padded_shape),
        "dtype": spec.dtype.kernel_name,
        "layout": spec.layout.name,
        "mem": describe_memory_config(spec.memory_config),
        "pages": spec.num_pages,
        "page_size": spec.page_size,
        "address": tensor.address,
    }


def expected(output):
    """What `describe` should give for a recorded output."""
    return {key: output[key] for key in ("shape", "padded_shape", "dtype", "layout", "mem", "pages", "page_size", "address")}


def value(recorded, tensors):
    """An argument of a recorded call."""
    if isinstance(recorded, list):
        return [value(x, tensors) for x in recorded]
    if not isinstance(recorded, dict):
        return recorded
    ((kind, x),) = recorded.items()
    match kind:
        case "$t":
            return tensors[x]
        case "$mc":
            return memory_config(x)
        case "$dt":
            return tt.DataType[x.upper()]
        case "$lay":
            return tt.Layout[x]
        case "$cg":
            return tt.CoreGrid(*x)
        case "$tup":
            return tuple(value(y, tensors) for y in x)
        case "$ckc":
            fidelity = tt.MathFidelity[x["math_fidelity"]]
            flags = {name: x.get(name, False) for name in ("math_approx_mode", "fp32_dest_acc_en", "packer_l1_acc")}
            return tt.ComputeKernelConfig(fidelity, **flags)
        case "$dev":
            return None
        case "$ttnn":
            kind, name = x.split(".")
            return getattr(tt.memory, kind)[name]
    raise KeyError(kind)


# Arguments that no operation of tt_jax has, by how they look in the record: host tensors, program configs and so on.
ABSENT = ['"host"', '"$pc"', '"$torch"', '"activations"', '"bogus"']
# Calls without a required argument, which are Python's to refuse.
INCOMPLETE = ["no_second_operand", "no_num_heads", "no_heads", "one_dim"]


def is_in_scope(case):
    """Whether tt_jax has what a recorded call asks for: the operation, its arguments, tensors on the device."""
    arguments = json.dumps([case["inputs"], case["args"], case["kwargs"]])
    return case["op"] in OPERATIONS and case.get("name") not in INCOMPLETE and not any(absent in arguments for absent in ABSENT)


def prepare(memory, case):
    """The memory and the input tensors that a recorded call starts from."""
    if case.get("fill_l1"):
        rows = (memory.view(tt.BufferType.L1).largest_contiguous_bytes_free_per_bank - case["fill_l1"]) // 32
        spec = tt.TensorSpec((rows * memory.device.l1_banks, 8), tt.float32, tt.ROW_MAJOR_LAYOUT, tt.L1_MEMORY_CONFIG)
        memory, _ = allocate(memory, spec)
    tensors = []
    for recorded in case["inputs"]:
        memory, x = allocate(memory, tensor_spec(recorded))
        tensors.append(x)
    # Freed only now, unlike in the record, so that no later input takes the place: a state can't tell the two apart.
    dead = [x for x, recorded in zip(tensors, case["inputs"], strict=True) if recorded.get("deallocated")]
    return tt.deallocate(memory, *dead), tensors


def call(memory, case, tensors):
    """A recorded call: the memory after it, and its outputs in a list."""
    arguments = [value(x, tensors) for x in case["args"]]
    keywords = {name: value(x, tensors) for name, x in case["kwargs"].items()}
    memory, y = OPERATIONS[case["op"]](memory, *arguments, **keywords)
    return memory, list(y) if isinstance(y, tuple | list) else [y]
