"""Losses: against float64 NumPy."""

import numpy as np
import pytest

import tt_jax as tt
from tt_jax.ops import loss

MODES = loss.LossReductionMode
EXACT = {"l1_loss": np.abs, "mse_loss": np.square}


@pytest.fixture
def operands(rng):
    memory, made = tt.MemoryState.create(tt.N150), []
    for _ in "ab":
        memory, x = tt.from_array(
            memory, rng.normal(size=(2, 3, 32, 64)).astype(np.float32), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT
        )
        made.append(x)
    return memory, *made


@pytest.mark.parametrize("name", EXACT)
def test_of_each_element(operands, name):
    memory, a, b = operands
    _, y = getattr(loss, name)(memory, a, b)
    assert y.spec == a.spec
    exact = EXACT[name](np.asarray(a.array, np.float64) - np.asarray(b.array, np.float64))
    found = np.asarray(y.array, np.float64)
    assert np.linalg.norm(found - exact) / np.linalg.norm(exact) < 5e-3
    assert abs(found.mean() / exact.mean() - 1) < 2e-3


@pytest.mark.parametrize("mode, reduce", [(MODES.SUM, np.sum), (MODES.MEAN, np.mean)])
@pytest.mark.parametrize("name", EXACT)
def test_reduced(operands, name, mode, reduce):
    memory, a, b = operands
    after, y = getattr(loss, name)(memory, a, b, reduction=mode)
    assert y.shape == (1, 1, 1, 1)
    assert len(after.live(tt.BufferType.DRAM)) == 3
    exact = reduce(EXACT[name](np.asarray(a.array, np.float64) - np.asarray(b.array, np.float64)))
    np.testing.assert_allclose(float(y.array.reshape(())), exact, rtol=1e-2)


def test_the_output_tensor_takes_the_losses_of_the_elements(operands):
    memory, a, b = operands
    memory, output = tt.from_array(memory, np.zeros(a.shape, np.float32), dtype=tt.bfloat16, layout=tt.TILE_LAYOUT)
    after, y = loss.mse_loss(memory, a, b, output_tensor=output)
    assert (after, y.buffer) == (memory, output.buffer)
    after, y = loss.mse_loss(memory, a, b, reduction=MODES.MEAN, output_tensor=output)
    assert memory.is_live(output.buffer) and y.shape == (1, 1, 1, 1)


def test_modes_have_the_numbers_of_ttnn():
    assert [mode.value for mode in MODES] == [0, 1, 2]
