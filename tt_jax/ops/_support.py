"""What an operation takes: the rows from which the support tables in the docs are made."""

import dataclasses

from tt_jax.dtypes import DataType
from tt_jax.layout import Layout


@dataclasses.dataclass(frozen=True)
class Support:
    """Dtypes and layouts of an operation's inputs, and what a reader should know besides."""

    dtypes: tuple[DataType, ...]
    layouts: tuple[Layout, ...] = (Layout.TILE, Layout.ROW_MAJOR)
    note: str = ""
