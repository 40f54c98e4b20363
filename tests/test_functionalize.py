"""Programs written for ttnn as pure functions, under JAX's transformations."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tt_jax as tt
import tt_jax.ttnn as ttnn


def layer(x, w, b):
    """A program as one would write it for ttnn: operators, in-place addition, a freed temporary."""
    h = x @ w
    h += b
    y = ttnn.softmax(h, dim=-1)
    ttnn.deallocate(h)
    return {"out": ttnn.multiply(y, 2.0), "views": [ttnn.reshape(x, (1, 32, 64))]}


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    memory = tt.MemoryState.create(tt.N150)
    tensors = []
    for shape in ((32, 64), (64, 32), (1, 32)):
        memory, x = tt.from_array(
            memory, rng.standard_normal(shape).astype(np.float32), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT
        )
        tensors.append(x)
    return memory, tensors


def test_it_is_what_the_facade_computes():
    memory, tensors = inputs()
    after, out = tt.functionalize(layer)(memory, *tensors)
    with ttnn.manage_device(0) as device:
        x, w, b = (ttnn.from_numpy(np.asarray(t.array), layout=ttnn.TILE_LAYOUT, device=device) for t in tensors)
        expected = layer(x, w, b)
        assert (np.asarray(out["out"].array) == ttnn.to_numpy(expected["out"])).all()
        assert out["out"].address == expected["out"].buffer_address()
        assert device.memory == after
    assert out["views"][0].buffer == tensors[0].buffer
    assert tt.deallocate(after, out["out"]) == memory, "nothing else stays"
    assert memory.is_live(tensors[0].buffer)


def test_jit_traces_once_and_gives_the_same():
    memory, tensors = inputs()
    run = tt.functionalize(layer)
    eager_memory, eager = run(memory, *tensors)
    jitted = jax.jit(chex.assert_max_traces(run, n=1))
    for seed in (0, 1):
        _, others = inputs(seed)
        jitted_memory, out = jitted(memory, *others)
    assert jitted_memory == eager_memory
    _, out = jitted(memory, *tensors)
    assert (np.asarray(out["out"].array) == np.asarray(eager["out"].array)).all()


def test_grad_and_vmap():
    memory, (x, w, b) = inputs()

    def loss(array):
        _, out = tt.functionalize(layer)(memory, tt.Tensor(array, x.spec, x.buffer), w, b)
        return (out["out"].array.astype(jnp.float32) ** 2).sum()

    gradient = jax.grad(loss)(x.array)
    wide = [t.array.astype(jnp.float32) for t in (w, b)]
    exact = jax.grad(lambda a: ((2 * jax.nn.softmax(a @ wide[0] + wide[1])) ** 2).sum())
    expected = exact(x.array.astype(jnp.float32))
    error = jnp.linalg.norm(gradient.astype(jnp.float32) - expected) / jnp.linalg.norm(expected)
    assert error < 0.1

    stacked = jnp.stack([x.array, x.array + 1])
    losses = jax.vmap(loss)(stacked)
    np.testing.assert_allclose(losses, [loss(a) for a in stacked], rtol=1e-5)


def test_traced_arrays_on_an_ordinary_device_are_refused():
    with ttnn.manage_device(0) as device:
        x = ttnn.from_numpy(np.ones((32, 32), np.float32), layout=ttnn.TILE_LAYOUT, device=device)
        before = device.memory
        for program in (
            lambda a: ttnn.from_numpy(a, device=device),
            lambda a: ttnn.multiply(x, a),
            lambda a: ttnn.add(x, x),
        ):
            with pytest.raises(tt.TTError, match="functionalize"):
                jax.jit(lambda a, program=program: (program(a), a)[1])(2.0)
        assert device.memory == before


def test_values_cannot_be_read_inside_jit():
    memory, (x, *_) = inputs()
    with pytest.raises(tt.ArgumentError, match="has no values to read"):
        jax.jit(tt.functionalize(lambda x: (ttnn.to_numpy(x), x)[1]))(memory, x)


def test_a_tensor_from_elsewhere_is_refused():
    memory, (x, *_) = inputs()
    with ttnn.manage_device(0) as device:
        stranger = ttnn.from_numpy(np.ones((32, 64), np.float32), layout=ttnn.TILE_LAYOUT, device=device)
        with pytest.raises(tt.ArgumentError, match="two devices"):
            tt.functionalize(lambda x: x + stranger)(memory, x)
        with pytest.raises(tt.ArgumentError, match="not on its device"):
            tt.functionalize(lambda x: stranger)(memory, x)


def test_a_failing_program_leaves_the_default_device():
    memory, (x, *_) = inputs()
    with pytest.raises(tt.ArgumentError, match="memory"):
        tt.functionalize(layer)(x, memory)
    with pytest.raises(ZeroDivisionError):
        tt.functionalize(lambda x: 1 / 0)(memory, x)
    assert ttnn.GetDefaultDevice() is None


def test_the_caller_owns_what_is_freed():
    memory, (x, w, b) = inputs()
    after, y = tt.functionalize(lambda x: (ttnn.deallocate(x), 3)[1])(memory, x)
    assert y == 3 and not after.is_live(x.buffer)


def test_a_tensor_passed_twice_is_one_tensor():
    memory, (x, *_) = inputs()

    def program(a, b):
        a += 1.0
        return a + b

    _, y = tt.functionalize(program)(memory, x, x)
    _, raised = tt.functionalize(lambda a: a + 1.0)(memory, x)
    assert (np.asarray(y.array, np.float32) == 2 * np.asarray(raised.array, np.float32)).all()
    with pytest.raises(tt.DeallocatedError):
        tt.functionalize(lambda a, b: (ttnn.deallocate(a), b + b)[1])(memory, x, x)


def test_what_a_program_hides_is_freed():
    memory, (x, *_) = inputs()
    hidden = []

    def program(a):
        hidden.append(a + a)
        loop = [a + 1.0]
        loop.append(loop)
        return ttnn.multiply(a, 2.0)

    after, y = tt.functionalize(program)(memory, x)
    assert tt.deallocate(after, y) == memory
    with pytest.raises(tt.DeallocatedError):
        hidden[0] + 1.0


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Weights:
    w: tt.Tensor


def test_registered_pytrees_are_mapped():
    memory, (x, w, _) = inputs()
    _, out = tt.functionalize(lambda x, p: Weights(x @ p.w))(memory, x, Weights(w))
    assert isinstance(out, Weights) and isinstance(out.w, tt.Tensor) and out.w.shape == (32, 32)


def test_traced_numbers_are_explained():
    memory, (x, *_) = inputs()
    with pytest.raises(tt.ArgumentError, match="static_argnums"):
        jax.jit(tt.functionalize(lambda x, k: x * k))(memory, x, 2.0)
    tt.functionalize(lambda x, k: x * k)(memory, x, 2.0)


def test_functional_tensors_are_refused_by_a_device():
    _, (x, *_) = inputs()
    with ttnn.manage_device(0) as device:
        y = ttnn.from_numpy(np.ones((32, 64), np.float32), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
        before = device.memory
        with pytest.raises(tt.ArgumentError, match="functional tensor"):
            ttnn.add_(x, y)
        assert device.memory == before
