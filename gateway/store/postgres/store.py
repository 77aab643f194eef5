"""The store, its connections, and who serves it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from gateway.errors import Unavailable, Usage
from gateway.store import sql
from gateway.store.credentials import SqlCredentials
from gateway.store.exports import Exports
from gateway.store.interface import Reader, Writer
from gateway.store.migrate import REVISION, migrate_postgres, stored_revision_of_postgres
from gateway.store.names import recipients, words
from gateway.store.postgres.connection import Link, translated
from gateway.store.postgres.ids import Ids
from gateway.store.postgres.subscriptions import PostgresLocks
from gateway.store.postgres.upkeep import PostgresUpkeep
from gateway.store.postgres.writer import PostgresWriter
from gateway.store.reader import SqlReader
from gateway.store.signing_keys import SigningKeys
from gateway.store.subscriptions import Subscriptions
from gateway.store.upkeep import Upkeep

_KEY_BYTES = 32
_SERVING = "SELECT pg_try_advisory_lock_shared(?)"
_ALONE = "SELECT pg_try_advisory_lock(?)"
_LOOK = (("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", ()), ("SELECT 1", ()))
"""The first statement is when a reader's look is taken."""


class _Session:
    """A pooled connection, and what it remembers: the numbers of names, and ids that are its own."""

    def __init__(self, link: Link, store: PostgresStore) -> None:
        self.link = link
        self.names = (
            recipients(link, lambda name: store.add_name(sql.ADD_RECIPIENT, sql.FIND_RECIPIENT, name)),
            words(link, lambda name: store.add_name(sql.ADD_WORD, sql.FIND_WORD, name)),
        )
        self.ids = Ids(link)
        self.reader = SqlReader(link, *self.names, link.walk)


class PostgresStore:
    """See `interface.Store`. May be used by any number of threads."""

    def __init__(self, url: str, busy: float) -> None:
        self._url, self._busy = url, busy
        self._idle: list[_Session] = []
        self._closed = self._serving = False
        self.credentials = SqlCredentials(self._transaction, self._looking)
        self.signing_keys = SigningKeys(self._transaction, self._looking)
        self.exports = Exports(self._transaction, self._looking)
        self.subscriptions = Subscriptions(self._transaction, self._looking, PostgresLocks())
        self.upkeep = Upkeep(self._transaction, self._looking, PostgresUpkeep())

    @contextmanager
    def write(self, now: int) -> Iterator[Writer]:
        with self._borrowed() as session:
            writer = self._begun(session, now)
            yield writer
            writer.finish()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        with self._borrowed() as session:
            session.link.ask(_LOOK)
            yield session.reader

    def installation_key(self) -> bytes:
        with self._looking() as link:
            row = link.execute(sql.GET_SETTING, ("installation-key",)).fetchone()
        if row is None:
            with self._transaction() as link:
                link.execute(sql.ADD_SETTING, ("installation-key", secrets.token_bytes(_KEY_BYTES)))
            with self._looking() as link:
                row = link.execute(sql.GET_SETTING, ("installation-key",)).fetchone()
        return bytes(row[0])

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While it is held, nobody is given the store `alone`. Every connection holds it, so that it outlives any one of them."""
        self._serving = True
        self._drop_idle()
        try:
            with self._borrowed():
                pass
            yield
        finally:
            self._serving = False
            self._drop_idle()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps every gateway from serving this store. Raises `Usage` where one does."""
        with translated():
            link = Link(self._url, self._busy)
            try:
                if not link.execute(_ALONE, (link.number(b"serving"),)).fetchone()[0]:
                    raise Usage("a gateway is serving this store", advice="Stop every one of them, do this, and start them again.")
                yield
            finally:
                link.close()

    @contextmanager
    def copying(self) -> Iterator[Link]:
        """A transaction for rows that come from another store."""
        with self._transaction() as link:
            yield link

    def close(self) -> None:
        """Closes what is not in use; whoever still uses a connection closes it when done."""
        self._closed = True
        self._drop_idle()

    def add_name(self, add: str, find: str, name: str) -> int:
        """The number of a new name, committed at once: whoever writes it next has the same, and no rollback takes it back."""
        with self._transaction() as link:
            while (row := link.execute(find, (name,)).fetchone()) is None:
                link.execute(add, (name,))
            return int(row[0])

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().link.close()

    @contextmanager
    def _transaction(self) -> Iterator[Link]:
        with self._borrowed() as session:
            session.link.execute("BEGIN")
            yield session.link
            session.link.commit()

    @contextmanager
    def _looking(self) -> Iterator[Link]:
        with self._borrowed() as session:
            yield session.link

    def _begun(self, session: _Session, now: int) -> PostgresWriter:
        return PostgresWriter(session.link, session.names, session.ids, now)

    @contextmanager
    def _borrowed(self) -> Iterator[_Session]:
        """A connection that nobody else uses meanwhile. One that broke is not given to anybody again."""
        with translated():
            session = self._living()
            try:
                yield session
            finally:
                self._give_back(session)

    def _living(self) -> _Session:
        """An idle connection that still answers, or a new one: the server may have been stopped and started meanwhile."""
        while self._idle:
            try:
                session = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if session.link.lives():
                return session
            session.link.close()
        return self._connected()

    def _connected(self) -> _Session:
        link = Link(self._url, self._busy)
        try:
            if self._serving and not link.execute(_SERVING, (link.number(b"serving"),)).fetchone()[0]:
                raise Unavailable("The store is being copied, migrated or rebuilt", advice="Send again later.")
        except BaseException:
            link.close()
            raise
        return _Session(link, self)

    def _give_back(self, session: _Session) -> None:
        try:
            session.link.rollback()
        except psycopg.Error:  # what broke it has been told already, or the next one is told
            session.link.close()
        if self._closed or session.link.broken:
            session.link.close()
        else:
            self._idle.append(session)


def open_postgres(url: str, *, busy: float = 5.0) -> PostgresStore:
    """Opens the store in a database, whose tables are made, and brought to the newest schema, if need be.

    `url` is libpq's: postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full …; what it leaves out is taken from the PG* environment and
    ~/.pgpass. `busy`: seconds to wait for another process's lock. Raises `Usage` for a database of a newer gateway, and for an older one that is
    being served; `Unavailable` where the server cannot be reached.
    """
    store = PostgresStore(url, busy)
    try:
        with store._borrowed() as session:
            revision = stored_revision_of_postgres(session.link.raw)
        if revision is None:
            _migrate(store)
        elif revision != REVISION:
            with store.alone():
                _migrate(store)
    except BaseException:
        store.close()
        raise
    return store


def _migrate(store: PostgresStore) -> None:
    with store._borrowed() as session:
        migrate_postgres(session.link.raw, session.link.number(b"migration"))
