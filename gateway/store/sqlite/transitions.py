"""Transition rows being written: one row for each recipient, moved to a new position when its body changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from gateway.store.interface import TransitionRow
from gateway.store.sqlite import sql
from gateway.store.sqlite.names import Names
from gateway.store.sqlite.rows import transition_of


class Transitions:
    """Writes transition rows. Remembers nothing."""

    def __init__(self, connection: sqlite3.Connection, recipients: Names, next_position: Callable[[], int]) -> None:
        self._connection, self._recipients, self._next_position = connection, recipients, next_position

    def rows(self, partition: int) -> dict[tuple[str, str], TransitionRow]:
        """See `Writer.transition_rows`."""
        rows = (transition_of(self._recipients.name(row[1]), row[1:]) for row in self._connection.execute(sql.TRANSITIONS_OF_PARTITION, (partition,)))
        return {(row.recipient, row.id): row for row in rows}

    def put(self, partition: int, rows: Iterable[TransitionRow], *, whole: bool = False) -> None:
        """See `Writer.apply`. `whole`: what is not among the rows is withdrawn."""
        listed = set()
        for row in rows:
            listed.add((row.recipient, row.id))
            self._put(partition, row)
        if whole:
            for key, row in self.rows(partition).items():
                if key not in listed and row.body is not None:
                    self._put(partition, row._replace(body=None))

    def orphans(self) -> list[TransitionRow]:
        """See `Writer.orphan_transitions`."""
        return [transition_of(self._recipients.name(row[0]), row) for row in self._connection.execute(sql.ORPHAN_TRANSITIONS).fetchall()]

    def _put(self, partition: int, row: TransitionRow) -> None:
        recipient = self._recipients.number(row.recipient)
        stored = self._connection.execute(sql.FIND_TRANSITION, (row.id, recipient)).fetchone()
        values = (row.status, int(row.flagged), row.tier, row.due, row.hospital, row.agency, row.body)
        if stored is None:
            if row.body is not None:
                self._connection.execute(sql.ADD_TRANSITION, (row.id, recipient, partition, self._next_position(), *values))
            return
        id, owner, *columns = stored
        before = transition_of(row.recipient, columns)
        if row.body is None:
            if before.body is not None:
                self._connection.execute(sql.SET_TRANSITION, (owner, self._next_position(), *values, id))
        elif before._replace(position=0, updated=0) != row._replace(position=0, updated=0):
            position = self._next_position() if before.body != row.body else before.position
            self._connection.execute(sql.SET_TRANSITION, (partition, position, *values, id))
        elif owner != partition:
            self._connection.execute(sql.CLAIM_TRANSITION, (partition, id))
