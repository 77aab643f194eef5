"""A consistent look at an SQLite store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.store.interface import ALL, Filter, Input, TransitionRow, Version
from gateway.store.sqlite import sql
from gateway.store.sqlite.connection import translated
from gateway.store.sqlite.names import Names
from gateway.store.sqlite.rows import indexed, input_of, parameter_word, transition_of

_RARE = 1000
"""A term with at most so many resources is looked up first and its resources sorted; else the type is walked in order of position."""

_EVERYTHING = -1
"""SQLite's word for no limit."""


class SqliteReader:
    """See `interface.Reader`. Lives inside a read transaction."""

    def __init__(self, connection: sqlite3.Connection, recipients: Names, words: Names) -> None:
        self._connection, self._recipients, self._words = connection, recipients, words

    def _rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, parameters).fetchall()

    def _version(self, row: Sequence[Any]) -> Version:
        type, id, number, position, body, partition = row
        return Version(self._words.name(type), id, number, position, position, body, partition or 0)

    # --- resources

    def read(self, recipient: str, type: str, id: str) -> Version | None:
        rows = self._rows(sql.READ, id, self._words.known(type), self._recipients.known(recipient))
        return self._version(rows[0]) if rows else None

    def vread(self, recipient: str, type: str, id: str, number: int) -> Version | None:
        rows = self._rows(sql.VREAD, id, self._words.known(type), self._recipients.known(recipient), number)
        return self._version(rows[0]) if rows else None

    def history(self, recipient: str, type: str, id: str, limit: int, before: int | None = None) -> list[Version]:
        below = 2**63 - 1 if before is None else before
        rows = self._rows(sql.HISTORY, id, self._words.known(type), self._recipients.known(recipient), below, limit)
        return [self._version(row) for row in rows]

    def search(
        self,
        recipient: str,
        type: str,
        *,
        terms: Sequence[tuple[str, Sequence[str]]] = (),
        updated_after: int | None = None,
        updated_before: int | None = None,
        partition: int | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> list[Version]:
        owner, kind = self._recipients.known(recipient), self._words.known(type)
        if owner is None or kind is None:
            return []
        conditions = ["h.recipient = ?", "h.type = ?", "h.body IS NOT NULL"]
        parameters: list[object] = [owner, kind]
        for bound, comparison in ((updated_after, ">"), (after, ">"), (updated_before, "<")):
            if bound is not None:
                conditions.append(f"h.position {comparison} ?")
                parameters.append(bound)
        if partition is not None:
            conditions.append("r.partition = ?")
            parameters.append(partition)
        sets = [self._resources_with(owner, kind, type, parameter, values) for parameter, values in terms]
        first = self._rarest(sets)
        for subquery, values in sets:
            # A leading plus keeps SQLite from starting with a set that holds a million resources.
            conditions.append(f"{'' if first == (subquery, values) else '+'}h.resource IN ({subquery})")
            parameters += values
        start = "head h INDEXED BY head_type" if first is None and partition is None else "head h NOT INDEXED" if first else "head h"
        rows = self._rows(
            f"SELECT {sql.VERSION_COLUMNS.format('h')} FROM {start} JOIN resource r ON r.id = h.resource JOIN body b ON b.position = h.body "  # noqa: S608
            f"WHERE {' AND '.join(conditions)} ORDER BY h.position LIMIT ?",
            *parameters,
            _EVERYTHING if limit is None else limit,
        )
        return [self._version(row) for row in rows]

    def _resources_with(self, recipient: int, kind: int, type: str, parameter: str, values: Sequence[str]) -> tuple[str, tuple[object, ...]]:
        """A query for the resources of one term, and its parameters."""
        marks = ", ".join("?" * len(values))
        if parameter == "_id":
            return f"SELECT id FROM resource WHERE name IN ({marks}) AND type = ?", (*values, kind)  # noqa: S608
        word = self._words.known(parameter_word(type, parameter))
        return (
            f"SELECT resource FROM term WHERE recipient = ? AND parameter = ? AND value IN ({marks})",  # noqa: S608
            (recipient, word, *map(indexed, values)),
        )

    def _rarest(self, sets: Sequence[tuple[str, tuple[object, ...]]]) -> tuple[str, tuple[object, ...]] | None:
        """The smallest set, if it is small enough to begin with."""
        best, least = None, _RARE + 1
        for subquery, values in sets:
            count = self._rows(f"SELECT count(*) FROM ({subquery} LIMIT ?)", *values, least)[0][0]  # noqa: S608
            if count < least:
                best, least = (subquery, values), count
        return best

    def export(self, recipient: str, type: str | None = None) -> Iterator[Version]:
        owner = self._recipients.known(recipient)
        types = self._rows(sql.TYPES_OF, owner) if type is None else [(self._words.known(type), type)]
        with translated():
            for number, _ in types:
                for row in self._connection.execute(sql.HEADS_BY_TYPE, (owner, number)):
                    yield self._version(row)

    # --- transitions

    def feed(self, recipient: str, after: int, limit: int) -> list[TransitionRow]:
        return [transition_of(recipient, row) for row in self._rows(sql.FEED, self._recipients.known(recipient), after, limit)]

    def position(self, recipient: str) -> int:
        return self._rows(sql.FEED_POSITION, self._recipients.known(recipient))[0][0] or 0

    def worklist(self, recipient: str, *, flagged: bool = False, status: str = "", limit: int | None = None, offset: int = 0) -> list[TransitionRow]:
        narrowed = (sql.WORKLIST_FLAGGED if flagged else "") + (sql.WORKLIST_STATUS if status else "")
        parameters: list[object] = [self._recipients.known(recipient)]
        if status:
            parameters.append(status)
        rows = self._rows(sql.WORKLIST.format(narrowed), *parameters, _EVERYTHING if limit is None else limit, offset)
        return [transition_of(recipient, row) for row in rows]

    def transition(self, recipient: str, id: str) -> TransitionRow | None:
        rows = self._rows(sql.GET_TRANSITION, id, self._recipients.known(recipient))
        return transition_of(recipient, rows[0]) if rows else None

    # --- the inbox

    def messages(self, filter: Filter) -> Iterator[Input]:
        conditions, parameters = ["1"], []
        for condition, value in (
            ("i.state = ?", filter.state),
            ("i.feed = ?", filter.feed),
            ("i.received >= ?", filter.since),
            ("i.control_id = ?", filter.control_id),
            ("i.id IN (SELECT input FROM input_identifier WHERE value = ?)", filter.identifier),
            ("instr(r.bytes, ?) > 0", filter.contains),
            ("i.id < ?", filter.before),
        ):
            if value not in (None, "", b""):
                conditions.append(condition)
                parameters.append(value)
        statement = (
            f"SELECT {sql.INPUT_COLUMNS} {sql.INPUT_FROM} WHERE {' AND '.join(conditions)} "
            f"ORDER BY i.id {'ASC' if filter.oldest_first else 'DESC'} LIMIT ?"
        )
        with translated():
            for row in self._connection.execute(statement, (*parameters, _EVERYTHING if filter.limit is None else filter.limit)):
                yield input_of(row)

    def audit(self, after: int, limit: int) -> list[tuple[int, int, bytes]]:
        return self._rows(sql.AUDIT, after, limit)

    def counts(self) -> dict[str, int]:
        everyone = self._recipients.known(ALL)
        counts = {"processed": 0, "quarantined": 0, "duplicate": 0}
        counts.update(self._rows(sql.COUNT_INPUTS))
        counts["transitions"] = self._rows(sql.COUNT_TRANSITIONS, everyone)[0][0]
        counts["flagged"] = self._rows(sql.COUNT_FLAGGED, everyone)[0][0]
        return counts
