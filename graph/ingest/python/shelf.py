"""What was read of files, kept on disk by content digest: one SQLite file a repository.

A damaged shelf is thrown away and filled anew; what is on it is never needed to be right, only to
be quick. Rows of other versions are dropped when it is opened.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from graph.errors import DiskError

BATCH = 500
KEPT_DAYS = 30
"""A row that no run asked for in so long is dropped."""


class Shelf:
    """Bytes by kind and key.

    Parameters
    ----------
    path : Path
        The file.
    version : str
        Of whatever made the bytes; a shelf of another version starts empty.
    """

    def __init__(self, path: Path, version: str) -> None:
        self._path = path
        self._version = version
        try:
            self._database = self._open()
        except sqlite3.DatabaseError:
            self._discard()
            self._database = self._open()

    def get(self, kind: str, keys: Iterable[str]) -> dict[str, bytes]:
        """What is there of these keys."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, bytes] = {}
        try:
            for begin in range(0, len(wanted), BATCH):
                part = wanted[begin : begin + BATCH]
                marks = ",".join("?" * len(part))
                rows = self._database.execute(
                    f"SELECT key, data FROM shelf WHERE kind = ? AND key IN ({marks})",  # noqa: S608
                    (kind, *part),
                )
                found.update(rows)
        except sqlite3.DatabaseError:
            self._restart()
            return {}
        return found

    def put(self, kind: str, rows: Mapping[str, bytes]) -> None:
        """Keep these, in one transaction.

        Raises
        ------
        DiskError
            When the disk is full or read-only.
        """
        today = int(time.time() // 86400)
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO shelf (kind, key, day, data) VALUES (?, ?, ?, ?)",
                    [(kind, key, today, data) for key, data in rows.items()],
                )
        except sqlite3.OperationalError as error:
            raise DiskError(
                f"The cache {self._path} cannot be written: {error}.",
                "Make room on that disk, or point MAESTRO_DATA at another one.",
            ) from error
        except sqlite3.DatabaseError:
            self._restart()

    def touch(self, kind: str, keys: Iterable[str]) -> None:
        """Say that these are still wanted; written at most once a day a row."""
        today = int(time.time() // 86400)
        try:
            with self._database:
                self._database.executemany(
                    "UPDATE shelf SET day = ? WHERE kind = ? AND key = ? AND day < ?",
                    [(today, kind, key, today) for key in keys],
                )
        except sqlite3.OperationalError:
            return  # a full disk does not stop reading
        except sqlite3.DatabaseError:
            self._restart()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=60.0, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("CREATE TABLE IF NOT EXISTS version (version TEXT)")
            row = database.execute("SELECT version FROM version").fetchone()
            if row is None or row[0] != self._version:
                with database:
                    database.execute("DROP TABLE IF EXISTS shelf")
                    database.execute("DELETE FROM version")
                    database.execute("INSERT INTO version VALUES (?)", (self._version,))
            database.execute(
                "CREATE TABLE IF NOT EXISTS shelf (kind TEXT, key TEXT, day INTEGER, data BLOB,"
                " PRIMARY KEY (kind, key))"
            )
            with database:
                old = int(time.time() // 86400) - KEPT_DAYS
                database.execute("DELETE FROM shelf WHERE day < ?", (old,))
        except sqlite3.OperationalError as error:
            database.close()
            raise DiskError(
                f"The cache {self._path} cannot be used: {error}.",
                "Make room on that disk, or point MAESTRO_DATA at another one.",
            ) from error
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    def _restart(self) -> None:
        self._database.close()
        self._discard()
        self._database = self._open()

    def _discard(self) -> None:
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
