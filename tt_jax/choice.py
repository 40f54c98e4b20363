"""The base of the API's enumerations."""

import enum


class Choice(enum.Enum):
    """An enumeration whose members print as ttnn's do and hash by identity: Enum's own hash is Python code, and these are in the
    key of every launch."""

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return str(self)
