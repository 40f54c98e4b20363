"""What every test runs under: JAX on the CPU, no silent type promotion, the same Hypothesis examples each time."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # read when jax is imported; set it yourself to test another backend

import hypothesis
import jax
import numpy as np
import pytest

import tt_jax as tt
from tt_jax import mesh

jax.config.update("jax_numpy_dtype_promotion", "strict")
mesh.reserve_devices(tt.Mesh((1, 8)))

# `pytest --hypothesis-profile=thorough` searches at length; what it finds comes with a blob to reproduce it.
hypothesis.settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=25, print_blob=True, database=None
)  # deadline: the first example compiles
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000, print_blob=True, database=None)
hypothesis.settings.load_profile("ci")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def cache():
    """A program cache of the test's own, active while it runs."""
    with tt.ProgramCache().use() as cache:
        yield cache
