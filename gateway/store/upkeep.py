"""Looking after a store: is it sound, how large is it, can it be written, what has it to tell of, and what in it has outlived its use.

What is removed is removed in short transactions, a few rows each, so that nobody who writes meanwhile waits for it. Of the inbox, nothing that was
accepted is ever among it: a rebuild derives everything from that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import orjson

from gateway.store import sql
from gateway.store.connection import Connection

AT_ONCE = 200
"""Rows that one transaction removes."""

_PROBE = "INSERT INTO setting (name, value) VALUES ('probe', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class Database(Protocol):
    """What SQLite and PostgreSQL are asked each in its own words."""

    size: str
    """Bytes that the store takes."""
    flags: str
    """How many transitions of a recipient have each flag: (code, number)."""

    def revision(self, connection: Any) -> str | None:
        """The revision of the schema."""

    def unsound(self, connection: Any) -> str:
        """What is wrong with the store, in plain words; "" where nothing is."""


class Kind(NamedTuple):
    """Something that outlives its use: how what is older than a moment is found, in order of its key, and how one of it is removed."""

    find: str  # parameters: the key after which, the moment, how many
    drop: tuple[str, ...]  # parameters: the key; the rest follows only where the first removed something
    first: tuple[Any, ...]  # a key that comes before all


def _expired(table: str, key: str, when: str, first: object) -> Kind:
    find = f"SELECT {key} FROM {table} WHERE {key} > ? AND {when} < ? ORDER BY {key} LIMIT ?"  # noqa: S608 - constants
    return Kind(find, (f"DELETE FROM {table} WHERE {key} = ?",), (first,))  # noqa: S608


TOKENS = _expired("token", "digest", "expires", b"")
ASSERTIONS = _expired("spent", "digest", "keep_until", b"")
LOGINS = _expired("login", "digest", "expires", b"")
LAUNCHES = _expired("launch", "digest", "expires", b"")
INVITATIONS = _expired("invitation", "digest", "expires", b"")
EXPORTS = _expired("bulk_export", "id", "expires", "")
GRANTS = Kind(
    "SELECT id FROM app_grant WHERE id > ? AND expires < ? ORDER BY id LIMIT ?",
    ("DELETE FROM app_grant WHERE id = ?", "DELETE FROM refresh WHERE granted = ?", "DELETE FROM code WHERE granted = ?"),
    ("",),
)
"""With their codes and refresh tokens, which are remembered as long as the grant: a second use of one ends it."""
DUPLICATES, QUARANTINED = (
    Kind(
        f"SELECT id FROM input WHERE id > ? AND state = '{state}' AND received < ? ORDER BY id LIMIT ?",  # noqa: S608 - constants
        (f"DELETE FROM input WHERE id = ? AND state = '{state}'", "DELETE FROM raw WHERE input = ?"),  # noqa: S608
        (0,),
    )
    for state in ("duplicate", "quarantined")
)
AUDIT = _expired("audit", "id", "recorded", 0)
SUPERSEDED = Kind(
    "SELECT v.resource, v.recipient, v.number FROM version v JOIN version n ON n.resource = v.resource AND n.recipient = v.recipient "
    "AND n.number = v.number + 1 WHERE (v.resource, v.recipient, v.number) > (?, ?, ?) AND n.position < ? "
    "ORDER BY v.resource, v.recipient, v.number LIMIT ?",
    ("DELETE FROM version WHERE resource = ? AND recipient = ? AND number = ?",),
    (0, 0, 0),
)
"""Versions that another one followed before the moment: the oldest of each resource first, so that what is left is always without a gap."""

_IDENTIFIERS = "SELECT identifiers FROM input WHERE id = ?"
_BODY = "SELECT body FROM version WHERE resource = ? AND recipient = ? AND number = ?"
_DROP_BODY = "DELETE FROM body WHERE position = ? AND NOT EXISTS (SELECT 1 FROM version WHERE resource = ? AND body = ?)"
"""A body belongs to versions of one resource, whoever sees them."""
_OVERDUE = "SELECT count(*) FROM partition WHERE next_look < ?"
_OLDEST_MOMENT = "SELECT min(moment) FROM bulk_export WHERE moment > 0"


class Upkeep:
    """`writing` gives a connection inside a write transaction, `reading` one to look at. Never call it inside `Store.write` of the same thread."""

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[Connection]],
        reading: Callable[[], AbstractContextManager[Connection]],
        database: Database,
    ) -> None:
        self._writing, self._reading, self._database = writing, reading, database

    # --- how it is

    def probe(self, now: int) -> None:
        """Write one small row durably. Raises `Unavailable` where that cannot be done."""
        with self._writing() as connection:
            connection.execute(_PROBE, (str(now).encode(),))

    def revision(self) -> str | None:
        """The revision of the schema as it is stored."""
        with self._reading() as connection:
            return self._database.revision(connection)

    def unsound(self) -> str:
        """What is wrong with the store, in plain words; "" where nothing is. Reads a file whole."""
        with self._reading() as connection:
            return self._database.unsound(connection)

    def size(self) -> int:
        """Bytes."""
        with self._reading() as connection:
            return int(connection.execute(self._database.size).fetchone()[0] or 0)

    def flags(self, recipient: str) -> dict[str, int]:
        """How many of the recipient's transitions have each flag now, by its code."""
        with self._reading() as connection:
            row = connection.execute(sql.FIND_RECIPIENT, (recipient,)).fetchone()
            return {} if row is None else {str(code): int(number) for code, number in connection.execute(self._database.flags, row)}

    def overdue(self, before: int) -> int:
        """How many clients' records should have been looked at again before a moment (microseconds UTC), and were not."""
        with self._reading() as connection:
            return int(connection.execute(_OVERDUE, (before,)).fetchone()[0])

    # --- what has outlived its use

    def count(self, kind: Kind, before: int) -> int:
        """How many there are older than a moment."""
        return sum(len(keys) for keys in self._found(kind, self._bounded(kind, before)))

    def remove(self, kind: Kind, before: int) -> Iterator[int]:
        """Remove what is older than a moment, one short transaction a step; yields how many each removed.

        Versions that an export still shows are older than no moment.
        """
        for keys in self._found(kind, self._bounded(kind, before)):
            with self._writing() as connection:
                removed = sum(_remove(connection, kind, key) for key in keys)
            yield removed  # after the transaction: whoever is told may take his time

    def _bounded(self, kind: Kind, before: int) -> int:
        if kind is not SUPERSEDED:
            return before
        with self._reading() as connection:
            (moment,) = connection.execute(_OLDEST_MOMENT).fetchone()
        return before if moment is None else min(before, moment)

    def _found(self, kind: Kind, before: int) -> Iterator[list[tuple[Any, ...]]]:
        after: Sequence[Any] = kind.first
        while True:
            with self._reading() as connection:
                keys = [tuple(key) for key in connection.execute(kind.find, (*after, before, AT_ONCE)).fetchall()]
            if not keys:
                return
            yield keys
            after = keys[-1]


def _remove(connection: Connection, kind: Kind, key: tuple[Any, ...]) -> int:
    """One thing with all that hangs on it; 0 where it is not what it was any more."""
    body = connection.execute(_BODY, key).fetchone() if kind is SUPERSEDED else None
    named = connection.execute(_IDENTIFIERS, key).fetchone() if kind in (DUPLICATES, QUARANTINED) else None
    if not connection.execute(kind.drop[0], key).rowcount:
        return 0
    for statement in kind.drop[1:]:
        connection.execute(statement, key)
    for value in orjson.loads(named[0]) if named is not None else ():
        connection.execute(sql.DROP_IDENTIFIER, (value, *key))
    if body is not None and body[0] is not None:
        connection.execute(_DROP_BODY, (body[0], key[0], body[0]))
    return 1
