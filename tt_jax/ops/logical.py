"""Logical operations of two tensors, or of a tensor and a number: what is not 0 counts as true; 1 or 0 in the first tensor's dtype."""

from tt_jax.ops._binary import NUMBERS, Row, binary, in_place

__all__ = ["logical_and", "logical_and_", "logical_or", "logical_or_", "logical_xor", "logical_xor_"]

_AND = Row("logical_and", NUMBERS, "1 where neither is 0, else 0.")
_OR = Row("logical_or", NUMBERS, "1 where not both are 0, else 0.")
_XOR = Row("logical_xor", NUMBERS, "1 where one of the two is 0, else 0.")

logical_and = binary(_AND)
logical_or = binary(_OR)
logical_xor = binary(_XOR)

logical_and_ = in_place(_AND)
logical_or_ = in_place(_OR)
logical_xor_ = in_place(_XOR)
