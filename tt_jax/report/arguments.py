"""Arguments of operations as text."""

from typing import Any

from tt_jax.events import Event
from tt_jax.tensor import Tensor


def arguments_of(event: Event) -> list[tuple[str, str]]:
    """The inputs by position, the attributes of a launch by name."""
    arguments = [(str(i), shown(x)) for i, x in enumerate(event.inputs)]
    if event.launch is not None:
        attributes = event.launch.attributes
        named = attributes._asdict() if hasattr(attributes, "_asdict") else {"attributes": attributes}
        arguments += [(name, shown(value)) for name, value in named.items()]
    return arguments


def shown(value: Any) -> str:
    """An argument as text: of tensors and arrays what they are, not their values."""
    if isinstance(value, Tensor):
        return f"Tensor({value.spec})"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return f"{opening}{', '.join(map(shown, value))}{closing}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__}({tuple(value.shape)}, {value.dtype})"
    return f"{value!r:.400}"
