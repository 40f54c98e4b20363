"""`ttnn._ttnn`: the names by which programs reach into the real library's compiled module."""

from types import SimpleNamespace

from tt_jax.ttnn import device as device
from tt_jax.ttnn import graph as graph
from tt_jax.ttnn import reports as reports
from tt_jax.ttnn import types as tensor

multi_device = SimpleNamespace(MeshDevice=device.Device, MeshShape=device.MeshShape)
core = SimpleNamespace()
__all__ = ["core", "device", "graph", "multi_device", "reports", "tensor"]
