"""How a tensor's elements lie in its pages."""

import enum


class Layout(enum.Enum):
    """ROW_MAJOR: a page is one row. TILE: a page is one 32x32 tile of four faces."""

    ROW_MAJOR = 0
    TILE = 1

    __hash__ = object.__hash__  # members are singletons; see DataType

    def __repr__(self) -> str:
        return str(self)


ROW_MAJOR_LAYOUT = Layout.ROW_MAJOR
TILE_LAYOUT = Layout.TILE
TILE_SIZE = 32
