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


@pytest.mark.parametrize("most", [-1, 2**31, 1e9])
def test_more_than_mallopt_takes_is_refused(most):
    with pytest.raises(tt.ArgumentError, match="must be an integer from 0 to 2\\*\\*31 - 1, in bytes"):
        machine.keep_freed_memory(most)


def test_where_there_is_no_mallopt_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert machine.keep_freed_memory() is False


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_in_memory_is_the_identity_under_every_transformation(rng, shape):
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    np.testing.assert_array_equal(in_memory(x), x)
    np.testing.assert_array_equal(jax.grad(lambda x: in_memory(x * 3).sum())(x), jnp.full(shape, 3.0))
    np.testing.assert_array_equal(jax.jvp(in_memory, (x,), (x,))[1], x)
    np.testing.assert_array_equal(jax.hessian(lambda x: (in_memory(x) ** 2).sum())(x).sum(), 2.0 * x.size)


@pytest.fixture
def tensor():
    memory = tt.MemoryState.create(tt.N150)
    return tt.from_array(memory, jnp.ones((32, 64)), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("jit", [False, True])
def test_batches_of_operations_along_any_axis_are_read_right_by_what_follows(rng, tensor, axis, jit):
    """Read by another program, since what NumPy reads can be right where that is wrong."""
    memory, x = tensor
    batch = jnp.asarray(rng.normal(size=(3, 32, 64)), jnp.bfloat16)
    widened = jax.vmap(
        lambda array: tt.typecast(memory, tt.Tensor(array, x.spec, x.buffer), tt.float32)[1].array, in_axes=axis, out_axes=axis
    )
    y = (jax.jit(widened) if jit else widened)(jnp.moveaxis(batch, 0, axis))
    np.testing.assert_array_equal(np.asarray(y + 0), np.moveaxis(np.asarray(batch, np.float32), 0, axis))


def test_a_program_can_be_exported(tensor):
    memory, x = tensor
    program = jax.jit(lambda array: tt.add(memory, tt.Tensor(array, x.spec, x.buffer), 1.0)[1].array)
    exported = jax.export.export(program)(x.array)
    assert "LayoutConstraint" not in exported.mlir_module()
    np.testing.assert_array_equal(exported.call(x.array), program(x.array))


def test_what_several_operations_read_is_computed_once(tensor):
    """A loop for each of three operations, the second and third of which read what the first makes: nothing is fused across."""

    def program(memory, x):
        memory, y = tt.exp(memory, x)
        memory, a = tt.add(memory, y, 1.0)
        return tt.add(memory, y, a)

    text = jax.jit(program).lower(*tensor).compile().as_text()
    assert text[text.index("ENTRY") :].count(" fusion(") >= 3


_SHARDED = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
import jax.numpy as jnp
import tt_jax as tt
from jax.sharding import NamedSharding, PartitionSpec
mesh = jax.make_mesh((2,), ("x",))
memory, x = tt.from_array(tt.MemoryState.create(tt.N150), jnp.ones((64, 64)), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
array = jax.device_put(x.array, NamedSharding(mesh, PartitionSpec("x")))
program = jax.jit(lambda array: tt.relu(memory, tt.Tensor(array, x.spec, x.buffer))[1].array)
print(program.lower(array).compile().as_text().count("all-gather"), program(array).sharding.spec)
"""


def test_a_sharded_array_stays_where_it_is():
    done = subprocess.run([sys.executable, "-c", _SHARDED], capture_output=True, text=True)
    assert done.stdout.split(maxsplit=1)[0] == "0" and "x" in done.stdout, done.stderr
