"""The facade's part of reports (`tt_jax.record`): one operation for each call, the calls and programs within it nested."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tt_jax.memory import Buffer
from tt_jax.report.arguments import shown
from tt_jax.report.calls import stack, user_lines
from tt_jax.report.recorder import Recorder
from tt_jax.report.recording import add_frontend
from tt_jax.report.tensors import Life
from tt_jax.ttnn import _derive
from tt_jax.ttnn.device import Device, open_devices, release_observers
from tt_jax.ttnn.tensor import Tensor, tensors_in


class _Calls:
    """What a recorder hears of the facade."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def released(self, device: Device, buffer: Buffer) -> None:
        """The last handle of `buffer` goes, between calls: here, though the memory hears of it only when it is next asked."""
        if self.recorder.operation is None:
            number = self.recorder.number_of(device.context.origins)
            self.recorder.released[number, buffer] = user_lines(stack())

    def settle(self, handles: Iterable[Tensor] = ()) -> None:
        """Let the open devices, and those of `handles`, free what was released."""
        for device in {*open_devices(), *(device for x in handles if (device := x.device()) is not None)}:
            if not device.is_functional:
                self.recorder.know(device.context.origins, device.id())
            memory = device.memory
            self.recorder.meet(self.recorder.number_of(device.context.origins), memory, device.context.origins)

    def intercept(self, operation: Any, args: Any, kwargs: Any, proceed: Callable[..., Any]) -> Any:
        name = operation.python_fully_qualified_name
        arguments = [(str(i), shown(value)) for i, value in enumerate(args)]
        arguments += [(key, shown(value)) for key, value in kwargs.items()]
        recorder, outer = self.recorder, self.recorder.operation
        if outer is not None:
            outer.graph.start(name, [value for _, value in arguments], self._lives((args, kwargs)))
            try:
                output = proceed(args, kwargs)
            except BaseException as error:
                outer.graph.end(aborted="True", abort_reason=str(error))
                raise
            outer.graph.end(self._lives(output))
            return output
        handles = tensors_in((args, kwargs))
        self.settle(handles)
        inputs = self._lives(handles)
        device = next((life.device for life in inputs if life.device is not None), 0)
        recorder.open(name, user_lines(stack()), arguments, inputs, device)
        try:
            output = proceed(args, kwargs)
            self.settle(handles)
        except BaseException as error:
            recorder.close_operation(error=error)
            raise
        recorder.close_operation(self._lives(output))
        return output

    def _lives(self, value: Any) -> list[Life]:
        lives = {life.number: life for x in tensors_in(value) if (life := self._life(x)) is not None}
        return list(lives.values())

    def _life(self, handle: Tensor) -> Life | None:
        """The tensor of a handle, None once it is deallocated."""
        storage = handle._storage
        if storage.tensor is None:
            return None
        if storage.device is None:
            return self.recorder.tensors.on_host(handle.tensor_id, handle._spec)
        device = self.recorder.number_of(storage.device.context.origins)
        return self.recorder.tensors.placed(device, storage.device.profile, handle._spec, storage.tensor.buffer)


@contextmanager
def _recorded_by(recorder: Recorder) -> Iterator[None]:
    calls = _Calls(recorder)
    calls.settle()
    _derive.interceptors.append(calls.intercept)
    release_observers.append(calls.released)
    try:
        yield
        calls.settle()
    finally:
        _derive.interceptors.remove(calls.intercept)
        release_observers.remove(calls.released)


add_frontend(_recorded_by)
