"""Dictionaries whose items are attributes too."""

from typing import Any


class DotAccessDict(dict[Any, Any]):
    """A dictionary with `d.key` for `d["key"]`; a missing key is an AttributeError there."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__} has no {name!r}: it has {', '.join(map(str, self)) or 'nothing'}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None


def make_dot_access_dict(dictionary: dict[Any, Any], ignore_types: tuple[type, ...] = ()) -> DotAccessDict:
    """`dictionary` with attribute access at every level; dictionaries of `ignore_types` are kept as they are."""
    return DotAccessDict(
        {
            key: make_dot_access_dict(value, ignore_types)
            if isinstance(value, dict) and not isinstance(value, ignore_types)
            else value
            for key, value in dictionary.items()
        }
    )
