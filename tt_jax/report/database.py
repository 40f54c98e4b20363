"""Rows into a report's database."""

import json
import os
import pathlib
import time
from collections.abc import Iterable
from typing import Any

from tt_jax.errors import ArgumentError
from tt_jax.report import schema


class Database:
    """`db.sqlite` and `config.json` of a report folder, which is made if need be; a report that was there is replaced.

    Raises ArgumentError if `folder` is a file.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        import sqlite3

        self.folder = pathlib.Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ArgumentError(f"record: {self.folder} is a file; a report is a folder, with db.sqlite and config.json in it")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "db.sqlite"
        path.unlink(missing_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False)  # handles may go in any thread
        for statement in schema.definitions():
            self._connection.execute(statement)

    def insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add `rows`, their columns in the table's order, without `rank`."""
        count = schema.TABLES[table].count(",") + 1
        names = ", ".join(column.split()[0] for column in schema.TABLES[table].split(", "))
        self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * count)})", rows)

    def close(self) -> None:
        """Write what says which report this is, and make all of it durable."""
        from tt_jax import __version__

        metadata = {"schema_version": schema.VERSION, "version": f"tt_jax {__version__}", "rank": "0", "world_size": "1"}
        metadata["capture_timestamp_ns"] = str(time.time_ns())
        self.insert("report_metadata", metadata.items())
        self._connection.commit()
        self._connection.close()
        config = {"report_name": self.folder.resolve().name, "tt_jax": __version__}
        (self.folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
