"""How a tensor's elements lie in its pages."""

from tt_jax.choice import Choice
from tt_jax.kernels.tilize import TILE


class Layout(Choice):
    """ROW_MAJOR: a page is one row. TILE: a page is one 32x32 tile of four faces."""

    ROW_MAJOR = 0
    TILE = 1


ROW_MAJOR_LAYOUT = Layout.ROW_MAJOR
TILE_LAYOUT = Layout.TILE
TILE_SIZE = TILE
