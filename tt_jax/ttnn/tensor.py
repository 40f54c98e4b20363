"""The facade's tensor: a handle that frees its buffer when the last handle of that buffer goes."""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import tt_jax.ttnn as ttnn
from tt_jax import tensor as core
from tt_jax.choice import Choice
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError, DeallocatedError
from tt_jax.layout import Layout
from tt_jax.memory import MemoryConfig
from tt_jax.tensor import TensorSpec
from tt_jax.tile import Tile
from tt_jax.ttnn._storage import HOST_BUFFER, Storage
from tt_jax.ttnn.shape import Shape
from tt_jax.ttnn.tensor_spec import TensorSpec as FacadeSpec

if TYPE_CHECKING:
    from tt_jax.ttnn.device import Device


class StorageType(Choice):
    """Where a tensor's values are; the values are ttnn's own."""

    HOST = 0
    DEVICE = 1


_ids = itertools.count()
_new = object.__new__


class Tensor:
    """A tensor on a device, or on the host.

    Made by `from_torch`, `from_numpy` and the creation functions, or from numbers:

        Tensor(data, shape, dtype, layout, device=None, memory_config=None, *, tile=None, pad_value=0)
        Tensor(torch_or_numpy_array, dtype=None, *, layout=None, device=None, mem_config=None, tile=None)

    A deallocated tensor keeps its shape, dtype and layout; using its values or its address raises DeallocatedError.
    """

    __slots__ = ("__weakref__", "_id", "_spec", "_storage")

    _spec: TensorSpec
    _storage: Storage
    _id: int

    def __init__(self, data: Any = None, *arguments: Any, **options: Any):
        source = ttnn.conversion.constructed(data, *arguments, **options)
        self._spec, self._storage = source._spec, source._storage

    @classmethod
    def _of(cls, storage: Storage, spec: TensorSpec) -> "Tensor":
        handle = _new(cls)
        handle._spec = spec
        handle._storage = storage
        return handle

    def _functional(self) -> core.Tensor:
        """The functional tensor behind the handle. Raises DeallocatedError if its buffer is gone."""
        tensor = self._storage.tensor
        if tensor is None:
            raise DeallocatedError(f"this tensor was deallocated: {self!r}. Make it again, or deallocate it later")
        return tensor if tensor.spec is self._spec else tensor.viewed(self._spec)

    # -- what it is ---------------------------------------------------------------------------------------------------------
    @property
    def shape(self) -> Shape:
        """The logical shape."""
        return Shape(self._spec.shape)

    logical_shape = shape

    @property
    def padded_shape(self) -> Shape:
        """The shape in memory: whole tiles for TILE layout."""
        return Shape(self._spec.padded_shape)

    @property
    def dtype(self) -> DataType:
        """The dtype."""
        return self._spec.dtype

    @property
    def layout(self) -> Layout:
        """ROW_MAJOR or TILE."""
        return self._spec.layout

    @property
    def tile(self) -> Tile:
        """The tile that TILE layout pads to: 32x32, if none was asked for."""
        return self._spec.tile

    @property
    def spec(self) -> FacadeSpec:
        """Shape, dtype, layout, memory config and tile."""
        return FacadeSpec.of(self._spec)

    @property
    def tensor_id(self) -> int:
        """A number that no other handle has."""
        try:
            return self._id
        except AttributeError:
            self._id = next(_ids)
            return self._id

    def get_dtype(self) -> DataType:
        """`dtype`, by its older name."""
        return self._spec.dtype

    def get_layout(self) -> Layout:
        """`layout`, by its older name."""
        return self._spec.layout

    def get_tile(self) -> Tile:
        """`tile`, by its older name."""
        return self.tile

    def memory_config(self) -> MemoryConfig:
        """Where it lives: DRAM for a host tensor that was never placed."""
        return self._spec.memory_config

    def is_sharded(self) -> bool:
        """Whether it is sharded over cores or banks."""
        return self._spec.memory_config.is_sharded()

    def storage_type(self) -> StorageType:
        """HOST or DEVICE."""
        return StorageType.HOST if self._storage.device is None else StorageType.DEVICE

    def device(self) -> "Device | None":
        """Its device; None for a host tensor, and once it is deallocated."""
        return None if self._storage.tensor is None else self._storage.device

    def devices(self) -> "list[Device]":
        """Its device in a list, or an empty list."""
        device = self.device()
        return [] if device is None else [device]

    def is_allocated(self) -> bool:
        """False once it is deallocated."""
        return self._storage.tensor is not None

    def empty(self) -> bool:
        """Whether it has no elements, or is deallocated."""
        return not self.is_allocated() or not self.logical_volume()

    def volume(self) -> int:
        """Elements, padding included."""
        return math.prod(self._spec.padded_shape)

    physical_volume = volume

    def logical_volume(self) -> int:
        """Elements, without padding."""
        return math.prod(self._spec.shape)

    def element_size(self) -> int:
        """Bytes of an element; block floats count as 1, as in ttnn."""
        return self._spec.dtype.element_bytes or 1

    def __len__(self) -> int:
        if not self._spec.shape:
            raise TypeError("a tensor of rank 0 has no length")
        return self._spec.shape[0]

    # -- where it is --------------------------------------------------------------------------------------------------------
    def _placed(self, question: str) -> "tuple[Device, core.Tensor]":
        tensor = self._functional()
        if self._storage.device is None:
            raise ArgumentError(f"{question}: the tensor is on the host and has no buffer; put it on a device with to_device")
        return self._storage.device, tensor

    def buffer_address(self) -> int:
        """Its address in every bank, in bytes. Raises DeallocatedError, and ArgumentError for a host tensor."""
        return self._placed("buffer_address")[1].buffer.address

    def buffer_num_pages(self) -> int:
        """Pages of the buffer."""
        self._placed("buffer_num_pages")
        return self._spec.num_pages

    def buffer_page_size(self) -> int:
        """Bytes of a page."""
        self._placed("buffer_page_size")
        return self._spec.page_size

    def buffer_aligned_page_size(self) -> int:
        """Bytes that a page takes in its bank."""
        device, _ = self._placed("buffer_aligned_page_size")
        return self._spec.aligned_page_size(device.profile)

    # -- elsewhere ----------------------------------------------------------------------------------------------------------
    def cpu(self, blocking: bool = True, cq_id: int | None = None) -> "Tensor":
        """A copy on the host."""
        return ttnn.from_device(self)

    def to(self, *targets: Any, **options: Any) -> "Tensor":
        """On another device, or in another layout or dtype: `to(device, memory_config=None)`, `to(layout)`, `to(layout, device)`."""
        return ttnn.host.to(self, *targets, **options)

    def deallocate(self, force: bool = True) -> None:
        """Free the buffer now; see `ttnn.deallocate`."""
        ttnn.deallocate(self, force)

    def to_torch(self, **options: Any) -> Any:
        """As `ttnn.to_torch`."""
        return ttnn.to_torch(self, **options)

    def to_numpy(self) -> np.ndarray:
        """As `ttnn.to_numpy`."""
        return ttnn.to_numpy(self)

    def to_torch_with_padded_shape(self) -> Any:
        """A torch tensor of the padded shape, zeros in the padding."""
        return ttnn.conversion.to_torch_with_padded_shape(self)

    def to_list(self) -> Any:
        """Nested lists of Python numbers."""
        return ttnn.to_numpy(self).astype(np.float64 if self.dtype.is_float else np.int64).tolist()

    def item(self) -> Any:
        """The value of a tensor of one element. Raises ArgumentError for another."""
        values = ttnn.to_numpy(self)
        if values.size != 1:
            raise ArgumentError(f"item: the tensor has {values.size} elements, and only one can become a number")
        return values.reshape(()).astype(np.float64 if self.dtype.is_float else np.int64).item()

    def reshape(self, *shape: Any) -> "Tensor":
        """As `ttnn.reshape`; the dimensions may be arguments of their own."""
        return ttnn.reshape(self, shape if len(shape) != 1 or isinstance(shape[0], int) else shape[0])

    def pad(self, output_tensor_shape: Sequence[int], input_tensor_start: Sequence[int], pad_value: float) -> "Tensor":
        """A host tensor of `output_tensor_shape` in which this one starts at `input_tensor_start`."""
        return ttnn.host.padded(self, output_tensor_shape, input_tensor_start, pad_value)

    def pad_to_tile(self, pad_value: float) -> "Tensor":
        """A host tensor whose last two dimensions are whole tiles."""
        shape = self._spec.shape
        ends = tuple(-(-size // 32) * 32 if i >= len(shape) - 2 else size for i, size in enumerate(shape))
        return self.pad(ends, (0,) * len(shape), pad_value)

    def unpad(self, output_tensor_start: Sequence[int], output_tensor_end: Sequence[int]) -> "Tensor":
        """The part from `output_tensor_start` up to, without, `output_tensor_end`, on the host."""
        return ttnn.host.unpadded(self, output_tensor_start, output_tensor_end)

    def unpad_from_tile(self, output_tensor_shape: Sequence[int]) -> "Tensor":
        """The first `output_tensor_shape` of it, on the host."""
        return self.unpad((0,) * len(output_tensor_shape), output_tensor_shape)

    def __repr__(self) -> str:
        return ttnn.printing.formatted(self)

    # -- operators ----------------------------------------------------------------------------------------------------------
    def __getitem__(self, key: Any) -> "Tensor":
        return ttnn.getitem(self, key)

    def __add__(self, other: Any) -> "Tensor":
        return ttnn.add(self, other)

    def __radd__(self, other: Any) -> "Tensor":
        return ttnn.add(other, self)

    def __iadd__(self, other: Any) -> "Tensor":
        return ttnn.add_(self, other)

    def __sub__(self, other: Any) -> "Tensor":
        return ttnn.subtract(self, other)

    def __rsub__(self, other: Any) -> "Tensor":
        return ttnn.rsub(self, other)

    def __isub__(self, other: Any) -> "Tensor":
        return ttnn.subtract_(self, other)

    def __mul__(self, other: Any) -> "Tensor":
        return ttnn.multiply(self, other)

    def __rmul__(self, other: Any) -> "Tensor":
        return ttnn.multiply(other, self)

    def __imul__(self, other: Any) -> "Tensor":
        return ttnn.multiply_(self, other)

    def __truediv__(self, other: Any) -> "Tensor":
        return ttnn.divide(self, other)

    def __rtruediv__(self, other: Any) -> "Tensor":
        return ttnn.rdiv(self, other)

    def __itruediv__(self, other: Any) -> "Tensor":
        return ttnn.divide_(self, other)

    def __pow__(self, other: Any) -> "Tensor":
        return ttnn.pow(self, other)

    def __matmul__(self, other: Any) -> "Tensor":
        return ttnn.matmul(self, other)

    def __neg__(self) -> "Tensor":
        return ttnn.neg(self)

    def __eq__(self, other: Any) -> "Tensor":  # type: ignore[override]
        return ttnn.eq(self, other)

    def __ne__(self, other: Any) -> "Tensor":  # type: ignore[override]
        return ttnn.ne(self, other)

    def __lt__(self, other: Any) -> "Tensor":
        return ttnn.lt(self, other)

    def __le__(self, other: Any) -> "Tensor":
        return ttnn.le(self, other)

    def __gt__(self, other: Any) -> "Tensor":
        return ttnn.gt(self, other)

    def __ge__(self, other: Any) -> "Tensor":
        return ttnn.ge(self, other)

    __hash__ = object.__hash__


def host_tensor(array: Any, spec: TensorSpec) -> Tensor:
    """A host tensor of `array`, which has the carrier of `spec` and its shape, after that of a mesh for whose chips it is."""
    return Tensor._of(Storage(None, core.Tensor(array, spec, HOST_BUFFER)), spec)


def tensors_in(value: Any) -> list[Tensor]:
    """The ttnn tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return tensors_in(list(value.values()))
    return [x for y in value for x in tensors_in(y)] if isinstance(value, list | tuple) else []
