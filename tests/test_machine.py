"""What the library may ask of the computer that simulates, and what its kernels tell XLA to write out."""

import ctypes
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
from tt_jax import machine
from tt_jax.kernels.materialize import in_memory

_FAULTS = """
import resource, sys
import numpy as np
import tt_jax.machine
if sys.argv[1:] == ["kept"] and not tt_jax.machine.keep_freed_memory():
    sys.exit("refused")
for _ in range(3):
    np.ones(1 << 23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(1 << 23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc's mallopt")
def test_freed_memory_is_handed_out_again():
    """Arrays of 64 MiB, in new processes: page faults of ten of them after three. The library alone changes nothing."""
    faults = {
        option: int(subprocess.run([sys.executable, "-c", _FAULTS, option], capture_output=True, text=True, check=True).stdout)
        for option in ("kept", "default")
    }
    assert 10 * faults["kept"] < faults["default"], faults


@pytest.mark.parametrize("most", [-1, 2**31])
def test_more_than_mallopt_takes_is_refused(most):
    with pytest.raises(tt.ArgumentError, match="must be between 0 and 2\\*\\*31 - 1 bytes"):
        machine.keep_freed_memory(most)


def test_where_there_is_no_mallopt_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert machine.keep_freed_memory() is False


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_in_memory_is_the_identity_under_every_transformation(rng, shape):
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    np.testing.assert_array_equal(in_memory(x), x)
    np.testing.assert_array_equal(jax.grad(lambda x: in_memory(x * 3).sum())(x), jnp.full(shape, 3.0))
    np.testing.assert_array_equal(jax.vmap(in_memory)(x[None]), x[None])
    np.testing.assert_array_equal(jax.jvp(in_memory, (x,), (x,))[1], x)


def test_a_program_s_results_are_computed_once():
    """Two layer norms, one after the other: what the first makes has one loop that writes it, whatever reads it."""
    memory = tt.MemoryState.create(tt.N150)
    memory, x = tt.from_array(memory, jnp.ones((1, 1, 32, 64)), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)

    def program(memory, x):
        memory, y = tt.exp(memory, x)
        memory, a = tt.add(memory, y, 1.0)
        return tt.add(memory, y, a)

    text = jax.jit(program).lower(memory, x).compile().as_text()
    entry = text[text.index("ENTRY") :]
    assert entry.count(" fusion(") >= 3, "one for each operation: nothing is fused across"
