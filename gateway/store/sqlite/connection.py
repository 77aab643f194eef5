"""SQLite connections: how they are opened, and what its errors become."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import Unavailable

CACHE_KIB = 32 * 1024
"""Page cache of the writer: the inner pages of every index of a store with a million messages."""

CHECKPOINT_PAGES = 4000
"""Pages in the write-ahead log before a commit copies them home: fewer, larger copies (4000 pages are 16 MB)."""


def connect(path: Path, busy: float, *, cache_kib: int = 2048) -> sqlite3.Connection:
    """A connection in autocommit mode, for any thread, one at a time. `busy`: seconds to wait for another process's lock."""
    connection = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create_private(path: Path) -> None:
    """Makes an empty file that its owner alone may read, unless there is one. SQLite gives its side files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


def unavailable(error: sqlite3.DatabaseError) -> Unavailable:
    """What a caller is told: the kind of trouble, never SQLite's own words (they may name a path)."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable("The store is locked by another process", advice="Send again later.")
    if name.startswith("SQLITE_FULL"):
        return Unavailable("The disk that holds the store is full", advice="Make room, then send again.")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Unavailable("The store's file is damaged", advice="Restore it from a backup.")
    return Unavailable("The store cannot be read or written now", advice="Send again later.")


@contextmanager
def translated() -> Iterator[None]:
    """Turns trouble with the file into `Unavailable`. A broken constraint or a statement that cannot be is a programming error, and stays one."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError):
        raise
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR":
            raise
        raise unavailable(error) from None
