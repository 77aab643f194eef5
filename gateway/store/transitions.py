"""Transition rows being written: one row for each recipient, moved to a new position when its body changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gateway.store import sql
from gateway.store.connection import Connection, Pending, Positions
from gateway.store.interface import ALL, Measured, TransitionRow
from gateway.store.names import Names
from gateway.store.rows import SHARED_PARTITION, transition_of
from gateway.store.subscription_sql import ADD_CHANGE, WATCHED

_REMEMBERED = 20_000
"""Rows that are remembered within a transaction before all are forgotten."""


_UNMEASURED = Measured("", b"")


class _Stored(NamedTuple):
    """A row as this transaction knows it."""

    id: int
    partition: int | None
    row: TransitionRow


class Transitions:
    """Writes transition rows. What is remembered within the transaction is what will be stored once `pending` is written.

    `flush` writes and forgets.
    """

    def __init__(
        self, connection: Connection, pending: Pending, recipients: Names, positions: Positions, new_id: Callable[[], int], flush: Callable[[], None]
    ) -> None:
        self._connection, self._pending, self._flush = connection, pending, flush
        self._recipients, self._positions, self._new_id = recipients, positions, new_id
        self._known: dict[tuple[str, str], _Stored] = {}
        self._loaded: dict[int, dict[tuple[str, str], _Stored]] = {}
        self._watched: frozenset[str] | None = None

    def forget(self) -> None:
        """After a rollback, a join, a clearing: read everything again."""
        self._known.clear()
        self._loaded.clear()

    def load(self, partition: int) -> dict[tuple[str, str], _Stored]:
        """The partition's rows, read once."""
        if partition not in self._loaded:
            if partition == SHARED_PARTITION or len(self._known) > _REMEMBERED:
                self._flush()
            self._loaded[partition] = {}
            for id, *columns in self._connection.execute(sql.TRANSITIONS_OF_PARTITION, (partition,)):
                self._remember(_Stored(id, partition, transition_of(self._recipients.name(columns[0]), columns)))
        return self._loaded[partition]

    def rows(self, partition: int) -> dict[tuple[str, str], TransitionRow]:
        """See `Writer.transition_rows`."""
        rows = {key: stored.row for key, stored in self.load(partition).items()}
        return {key: row._replace(position=self._settled(row), updated=self._settled(row)) for key, row in rows.items()}

    def _settled(self, row: TransitionRow) -> int:
        return self._positions.settled(row.position)

    def _remember(self, stored: _Stored) -> None:
        key = (stored.row.recipient, stored.row.id)
        before = self._known.get(key)
        if before is not None and before.partition in self._loaded:
            self._loaded[before.partition].pop(key, None)
        self._known[key] = stored
        if stored.partition in self._loaded:
            self._loaded[stored.partition][key] = stored

    def put(self, partition: int, rows: Iterable[TransitionRow], *, whole: bool = False) -> None:
        """See `Writer.apply`. `whole`: what is not among the rows is withdrawn."""
        before = {key: stored.row for key, stored in self.load(partition).items()} if whole else {}
        listed = set()
        for row in rows:
            listed.add((row.recipient, row.id))
            self._put(partition, row)
        if whole:
            for key, row in before.items():
                if key not in listed:
                    self._put(partition, row._replace(body=None))

    def orphans(self) -> list[TransitionRow]:
        """See `Writer.orphan_transitions`."""
        self._pending.write()
        return [transition_of(self._recipients.name(row[0]), row) for row in self._connection.execute(sql.ORPHAN_TRANSITIONS).fetchall()]

    def partition_of(self, id: str) -> int | None:
        """The partition of a transition that this transaction has met."""
        return next((stored.partition for (_, name), stored in self._known.items() if name == id), None)

    def _find(self, row: TransitionRow, recipient: int) -> _Stored | None:
        key = (row.recipient, row.id)
        if key not in self._known:
            found = self._connection.execute(sql.FIND_TRANSITION, (row.id, recipient)).fetchone()
            if found is None:
                return None
            id, partition, *columns = found
            self._remember(_Stored(id, partition, transition_of(row.recipient, columns)))
        return self._known[key]

    def _put(self, partition: int, row: TransitionRow) -> None:
        recipient, measured, row = self._recipients.number(row.recipient), row.measured, row._replace(measured=None)
        stored = self._find(row, recipient)
        if stored is None:
            if row.body is not None:
                row = self._moved(row)
                id = self._new_id()
                self._remember(_Stored(id, partition, row))
                self._pending.add(sql.ADD_TRANSITION, [(id, row.id, recipient, partition, row.position, *_columns(row))])
                self._measure(id, row, measured)
                self._tell(recipient, None, row)
            return
        id, owner, before = stored
        if row.body is None:
            if before.body is None:
                return
            partition, row = owner or partition, self._moved(row)._replace(flagged=False)
        else:
            row = self._moved(row) if row.body != before.body else row._replace(position=before.position, updated=before.updated)
        if (owner, before) != (partition, row):
            self._remember(_Stored(id, partition, row))
            self._pending.add(sql.SET_TRANSITION, [(partition, row.position, *_columns(row), id)])
            if row.position != before.position:
                self._measure(id, row, measured)
                self._tell(recipient, before.body, row)

    def _measure(self, id: int, row: TransitionRow, measured: Measured | None) -> None:
        if row.recipient == ALL:
            self._pending.add(sql.SET_MEASURED, [(id, *(measured or _UNMEASURED))])

    def _tell(self, recipient: int, before: bytes | None, row: TransitionRow) -> None:
        """Puts a change into the outbox where somebody subscribes to the recipient's view."""
        if self._watched is None:
            self._watched = frozenset(name for (name,) in self._connection.execute(WATCHED).fetchall())
        if row.recipient in self._watched:
            self._pending.add(ADD_CHANGE, [(row.position, recipient, row.id, before, row.body)])

    def _moved(self, row: TransitionRow) -> TransitionRow:
        position = self._positions.next()
        return row._replace(position=position, updated=position)


def _columns(row: TransitionRow) -> tuple[object, ...]:
    return (row.status, int(row.flagged), row.tier, row.due, row.hospital, row.agency, int(row.body is not None), row.body)
