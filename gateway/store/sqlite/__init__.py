"""The store on one SQLite file, for one machine.

One connection writes, one transaction at a time; readers have connections of their own, and see what was committed when they began. Other processes
may use the same file: every transaction is short, and whoever finds it locked waits for `busy` seconds, then is told `Unavailable`.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import Usage
from gateway.store import sql
from gateway.store.credentials import SqlCredentials
from gateway.store.exports import Exports
from gateway.store.interface import Reader, Writer
from gateway.store.migrate import REVISION, migrate_sqlite, stored_revision
from gateway.store.reader import SqlReader
from gateway.store.serving import is_being_served, lock_for_serving
from gateway.store.signing_keys import SigningKeys
from gateway.store.sqlite.connection import CACHE_KIB, connect, create_private, translated
from gateway.store.sqlite.names import names
from gateway.store.sqlite.turns import Turns
from gateway.store.sqlite.upkeep import SqliteUpkeep
from gateway.store.sqlite.writer import writing
from gateway.store.subscriptions import Subscriptions
from gateway.store.upkeep import Upkeep

__all__ = ["SqliteStore", "is_being_served", "lock_for_serving", "open_sqlite"]

_KEY_BYTES = 32


class SqliteStore:
    """See `interface.Store`. May be used by any number of threads."""

    def __init__(self, path: Path, busy: float) -> None:
        self._path, self._busy = path, busy
        self._turns = Turns(path, busy)
        self._writer = connect(path, busy, cache_kib=CACHE_KIB)
        self._idle: list[_ReadConnection] = []
        self._closed = False
        self.credentials = SqlCredentials(self._write_connection, self._read_connection)
        self.signing_keys = SigningKeys(self._write_connection, self._read_connection)
        self.exports = Exports(self._write_connection, self._read_connection)
        self.subscriptions = Subscriptions(self._write_connection, self._read_connection)
        self.upkeep = Upkeep(self._write_connection, self._read_connection, SqliteUpkeep())

    @contextmanager
    def write(self, now: int) -> Iterator[Writer]:
        with writing(self._writer, self._turns, now) as writer:
            yield writer

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        with self._borrowed() as borrowed:
            yield borrowed.reader

    def installation_key(self) -> bytes:
        with self._read_connection() as connection:
            row = connection.execute(sql.GET_SETTING, ("installation-key",)).fetchone()
        if row is None:
            with self._write_connection() as connection:
                connection.execute(sql.ADD_SETTING, ("installation-key", secrets.token_bytes(_KEY_BYTES)))
                row = connection.execute(sql.GET_SETTING, ("installation-key",)).fetchone()
        return bytes(row[0])

    def close(self) -> None:
        """Closes what is not in use; a reader that still looks closes its own connection when it ends."""
        if self._closed:
            return
        self._closed = True
        self._turns.close()
        self._writer.close()
        while self._idle:
            self._idle.pop().connection.close()

    @contextmanager
    def _write_connection(self) -> Iterator[sqlite3.Connection]:
        """The one connection that writes, in a transaction without positions."""
        with translated(), self._turns.transaction(self._writer):
            yield self._writer

    @contextmanager
    def _read_connection(self) -> Iterator[sqlite3.Connection]:
        with self._borrowed() as borrowed:
            yield borrowed.connection

    @contextmanager
    def _borrowed(self) -> Iterator[_ReadConnection]:
        """A connection that nobody else uses meanwhile, inside a read transaction."""
        with translated():
            try:
                borrowed = self._idle.pop()
            except IndexError:
                borrowed = _ReadConnection(self._path, self._busy)
            try:
                borrowed.connection.execute("BEGIN")
                yield borrowed
            finally:
                if borrowed.connection.in_transaction:
                    borrowed.connection.execute("ROLLBACK")
                if self._closed:
                    borrowed.connection.close()
                else:
                    self._idle.append(borrowed)


class _ReadConnection:
    """A pooled connection and the reader that looks through it."""

    def __init__(self, path: Path, busy: float) -> None:
        self.connection = connect(path, busy)
        self.connection.execute("PRAGMA query_only = ON")
        self.reader = SqlReader(self.connection, *names(self.connection), self.connection.execute)


def open_sqlite(path: Path, *, busy: float = 5.0) -> SqliteStore:
    """Opens the store in a file, which is made, and brought to the newest schema, if need be.

    `busy`: seconds to wait for another process's lock. Raises `Usage` for a file of a newer gateway, and for an older one that is being served.
    """
    create_private(path)
    with translated():
        connection = connect(path, busy)
        try:
            revision = stored_revision(connection)
            if revision is None:
                migrate_sqlite(connection)
            elif revision != REVISION:
                if is_being_served(path.parent):
                    raise Usage("The store has to be migrated, and is being served", advice="Stop `gateway serve` first.")
                migrate_sqlite(connection)
        finally:
            connection.close()
        return SqliteStore(path, busy)
