"""`ttnn.database`: the state of the report database, which is not written (yet): nothing is open."""

from typing import Any

DEVICE_IDS_IN_DATABASE: set[int] = set()
SQLITE_CONNECTION: Any = None
