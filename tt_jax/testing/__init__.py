"""For tests of programs that run on tt_jax, or on the device: comparisons, references, and values to draw.

    from tt_jax import testing

    testing.assert_close(y, expected)  # PCC, relative error and scale at once
    testing.block_float.pack(x, "bfloat8_b")  # a tile's bytes, in plain integers

`tt_jax.testing.strategies` draws shapes, specs, arrays and tensors for Hypothesis; it is imported by itself, since it needs hypothesis.
"""

from tt_jax.measures import group_steps as group_steps
from tt_jax.measures import max_ulp as max_ulp
from tt_jax.measures import pcc as pcc
from tt_jax.measures import relative_error as relative_error
from tt_jax.measures import scale as scale
from tt_jax.measures import ulp_distance as ulp_distance
from tt_jax.testing import block_float as block_float
from tt_jax.testing.closeness import FROBENIUS as FROBENIUS
from tt_jax.testing.closeness import PCC as PCC
from tt_jax.testing.closeness import RATIO as RATIO
from tt_jax.testing.closeness import assert_close as assert_close
from tt_jax.testing.closeness import values as values
