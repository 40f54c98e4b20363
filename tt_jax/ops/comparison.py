"""Comparisons of two tensors, or of a tensor and a number: 1 where they hold, else 0, in the first tensor's dtype.

bfloat16 and block floats are compared by their difference on the FPU, float32 and integers as they are.
"""

from tt_jax.dtypes import uint8
from tt_jax.ops._binary import NUMBERS, Row, binary, in_place

__all__ = ["eq", "eq_", "ge", "ge_", "gt", "gt_", "le", "le_", "lt", "lt_", "ne", "ne_"]

_DTYPES = (*NUMBERS, uint8)

_EQ = Row("eq", _DTYPES, "1 where `a == b`, else 0.")
_NE = Row("ne", _DTYPES, "1 where `a != b`, else 0.")
_LT = Row("lt", _DTYPES, "1 where `a < b`, else 0.")
_LE = Row("le", _DTYPES, "1 where `a <= b`, else 0.")
_GT = Row("gt", _DTYPES, "1 where `a > b`, else 0.")
_GE = Row("ge", _DTYPES, "1 where `a >= b`, else 0.")

eq = binary(_EQ)
ne = binary(_NE)
lt = binary(_LT)
le = binary(_LE)
gt = binary(_GT)
ge = binary(_GE)

eq_ = in_place(_EQ)
ne_ = in_place(_NE)
lt_ = in_place(_LT)
le_ = in_place(_LE)
gt_ = in_place(_GT)
ge_ = in_place(_GE)
