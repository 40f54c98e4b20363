"""`ttnn.operation_tracer`: every call of an operation as a JSON file, arguments and values included.

    ttnn.operation_tracer._ENABLE_TRACE = True

writes `{number}_{operation}_{time}.json` for each call from then on, into `operation_parameters` under `CONFIG.root_report_path`.
The names that begin with an underscore are ttnn's own switches.
"""

import json
import pathlib
import sys
import time
import types
from typing import Any

import tt_jax.ttnn as ttnn
from tt_jax.ttnn import _derive
from tt_jax.ttnn.tensor import Tensor

_ENABLE_TRACE = False
_OPERATION_COUNTER = 0


def _is_array(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("shape", "dtype", "tolist"))


class _Record:
    """Values as JSON has them, and how many tensors were among them."""

    def __init__(self) -> None:
        self.tensors = 0

    def of(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            self.tensors += 1
            return self._tensor(value)
        if isinstance(value, bool | int | float | str | None):
            return value
        if _is_array(value):
            self.tensors += 1
            kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
            return {"type": kind, "shape": list(value.shape), "dtype": str(value.dtype), "values": value.tolist()}
        if isinstance(value, dict):
            return {str(key): self.of(x) for key, x in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(x) for x in value]
        return {"type": type(value).__name__, "value": str(value)}

    def _tensor(self, tensor: Tensor) -> dict[str, Any]:
        # `to_numpy` of the module, not of ttnn: reading the values is no call of the program.
        allocated = tensor.is_allocated()
        return {
            "type": "ttnn.Tensor",
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype),
            "layout": str(tensor.layout),
            "storage_type": str(tensor.storage_type()),
            "memory_config": str(tensor.memory_config()),
            "values": ttnn.conversion.to_numpy(tensor).tolist() if allocated else None,
        }


def _intercept(operation: Any, args: Any, kwargs: Any, proceed: Any) -> Any:
    global _OPERATION_COUNTER
    if not _ENABLE_TRACE:
        return proceed(args, kwargs)
    _OPERATION_COUNTER += 1
    number, name, record = _OPERATION_COUNTER, operation.python_fully_qualified_name, _Record()
    call = {
        "operation_number": number,
        "operation_name": name,
        "timestamp": time.time(),
        "args": [{"position": i, "value": record.of(value)} for i, value in enumerate(args)],
        "kwargs": {key: record.of(value) for key, value in kwargs.items()},
        "num_tensors": record.tensors,
    }
    result = proceed(args, kwargs)
    call["return_value"] = record.of(result)
    folder = pathlib.Path(ttnn.CONFIG.root_report_path) / "operation_parameters"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{number}_{name.replace('.', '_')}_{time.time_ns()}.json"
    file.write_text(json.dumps(call, indent=1))
    return result


class _Module(types.ModuleType):
    """This module: setting `_ENABLE_TRACE` first puts the interceptor in place, so that calls cost nothing before that."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "_ENABLE_TRACE" and value and _intercept not in _derive.interceptors:
            _derive.interceptors.append(_intercept)


sys.modules[__name__].__class__ = _Module
