"""Reports to look at: the recorded attention as one, and its database opened."""

import contextlib
import json
import sqlite3

import jax
import jax.numpy as jnp

import recorded
import tt_jax as tt
from programs import attention

RUN = next(
    run
    for run in recorded.load("mha_traces", "wormhole_n150")["runs"]
    if (run["variant"], run["batch"], run["seq"], run["inputs_in"], run["dealloc"]) == ("optimized", 8, 384, "DRAM", True)
)


def optimized_attention(folder):
    """Report of the recorded run, as a functional program that computes nothing."""
    with tt.record(folder):
        memory, tensors = tt.MemoryState.create(tt.N150), []
        for shape, dtype, *_ in RUN["inputs"].values():
            spec = tt.TensorSpec(tuple(shape), tt.DataType[dtype.upper()], tt.TILE_LAYOUT)
            memory, x = recorded.allocate(memory, spec)
            tensors.append(x)
        hidden, mask, *parameters = tensors
        attention.optimized(memory, hidden, mask, attention.OptimizedParameters(*parameters), num_heads=RUN["heads"])


class Report:
    """A report's database, opened."""

    def __init__(self, folder):
        self._connection = sqlite3.connect(folder / "db.sqlite")

    def rows(self, query, *values):
        return self._connection.execute(query, values).fetchall()

    def column(self, query, *values):
        return [row[0] for row in self.rows(query, *values)]

    def names(self):
        return self.column("SELECT name FROM operations ORDER BY operation_id")

    def graph(self, operation):
        return json.loads(self.column("SELECT captured_graph FROM captured_graph WHERE operation_id = ?", operation)[0])

    def close(self):
        self._connection.close()


@contextlib.contextmanager
def opened(folder):
    report = Report(folder)
    try:
        yield report
    finally:
        report.close()


def from_array(memory, *shape, **options):
    """A bfloat16 tensor without values."""
    return tt.from_array(memory, jax.ShapeDtypeStruct(shape, jnp.bfloat16), layout=tt.TILE_LAYOUT, **options)
