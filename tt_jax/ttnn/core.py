"""`ttnn.core`: small arithmetic, and questions about tensors."""

from tt_jax.ttnn.placement import get_memory_config as get_memory_config
from tt_jax.ttnn.placement import has_storage_type_of as has_storage_type_of
from tt_jax.ttnn.placement import is_tensor_storage_on_device as is_tensor_storage_on_device
from tt_jax.ttnn.printing import set_printoptions as set_printoptions
from tt_jax.ttnn.tensor import Tensor


def divup(a: int, b: int) -> int:
    """`a / b`, rounded up."""
    return -(-a // b)


def roundup(a: int, b: int) -> int:
    """The least multiple of `b` that is not below `a`."""
    return divup(a, b) * b


def roundup32(a: int) -> int:
    """The least multiple of 32 that is not below `a`."""
    return roundup(a, 32)


def is_sharded(tensor: Tensor) -> bool:
    """Whether `tensor` is sharded."""
    return tensor.is_sharded()
