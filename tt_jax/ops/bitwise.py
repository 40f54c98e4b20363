"""Operations on the bits of integers, of two tensors or of a tensor and a number."""

from typing import Any

from tt_jax.dtypes import DataType, int32, uint32
from tt_jax.ops._binary import INTEGERS, Binary, Row, binary

__all__ = [
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "logical_left_shift",
    "logical_right_shift",
]


def _bitwise(name: str, doc: str, dtypes: tuple[DataType, ...] = INTEGERS, **rule: Any) -> Binary:
    return binary(Row(name, dtypes, doc, mixes="none", numbers="right", **rule))


bitwise_and = _bitwise("bitwise_and", "The bits set in both.")
bitwise_or = _bitwise("bitwise_or", "The bits set in either.")
bitwise_xor = _bitwise("bitwise_xor", "The bits set in one of the two.")
bitwise_left_shift = _bitwise("bitwise_left_shift", "`a << b`, modulo the width; 0 where `b` is not within it.")
bitwise_right_shift = _bitwise("bitwise_right_shift", "`a >> b`, with copies of the sign of an int32.")
logical_left_shift = _bitwise("logical_left_shift", "`a << b`, modulo the width; 0 where `b` is not within it.")
logical_right_shift = _bitwise(
    "logical_right_shift", "`a >> b` with zeros, whatever the sign; 0 where `b` is not within the width.", (int32, uint32)
)
