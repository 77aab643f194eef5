"""All rows of a transaction, until it ends: those of inputs that are over, and those of the one that is under way, which may yet be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gateway.store import sql
from gateway.store.heads import pack_heads
from gateway.store.postgres.connection import Link, Question
from gateway.store.postgres.dialect import BEFORE_THE_LOCK, UNDER_THE_LOCK, Many
from gateway.store.postgres.positions import PostgresPositions

Row = Sequence[Any]
Rows = dict[str, list[Row]]

_TERMS = (sql.DROP_TERM, sql.ADD_TERM)

LIMIT = 50_000
"""Rows that may wait before they are written, though the transaction is not over: a rebuild is one long transaction."""


class PostgresPending:
    """See `connection.Pending`."""

    def __init__(self, link: Link, positions: PostgresPositions) -> None:
        self._link, self._positions = link, positions
        self._kept: Rows = {}
        self._rows: Rows = {}
        self._prepare: list[Callable[[], None]] = []
        self._waiting = 0

    def before_writing(self, prepare: Callable[[], None]) -> None:
        self._prepare.append(prepare)

    def add(self, statement: str, rows: Sequence[Row]) -> None:
        if statement in _TERMS:
            statement, rows = sql.ADD_TERM, [(*row, statement) for row in rows]
        if rows:
            self._rows.setdefault(statement, []).extend(rows)
            self._waiting += len(rows)

    def holds(self, statement: str) -> bool:
        return False  # terms that come and go again are told apart when they are written

    @property
    def many(self) -> bool:
        """Are there more than should wait?"""
        return self._waiting > LIMIT

    def keep(self) -> None:
        """What the input wrote that is over is there to stay."""
        for statement, rows in self._rows.items():
            self._kept.setdefault(statement, []).extend(rows)
        self._rows = {}

    def set_aside(self) -> Rows:
        """Takes out the rows of the input that is under way, so that those before it can be written alone."""
        rows, self._rows = self._rows, {}
        return rows

    def put_back(self, rows: Rows) -> None:
        """After `set_aside`."""
        self._rows = rows

    def write(self) -> None:
        before = self._questions(BEFORE_THE_LOCK, self._take(BEFORE_THE_LOCK))
        self._positions.take(self._ask([*before, *self._positions.questions()]))
        for prepare in self._prepare:
            prepare()
        self.write_rows()

    def write_rows(self) -> None:
        self._ask(self._questions(UNDER_THE_LOCK, self._take(UNDER_THE_LOCK)))

    def finish(self, *, more: bool) -> None:
        """Writes all that wait, the last position, and commits. `more`: whoever prepares the last rows has some, though none wait yet.

        A moment that was given (a tick) counts though nothing is written: without the lock, the last one that is
        stored might be lower than another process's by now, and what comes after it be taken for older.
        """
        if more or self._kept or self._rows or self._positions.given:
            before = self._questions(BEFORE_THE_LOCK, self._take(BEFORE_THE_LOCK))
            self._positions.take(self._ask([*before, *self._positions.questions()]))
            for prepare in self._prepare:
                prepare()
        self._link.commit([*self._questions(UNDER_THE_LOCK, self._take(UNDER_THE_LOCK)), *self._positions.keep()])

    def _ask(self, questions: list[Question]) -> list[list[Any]]:
        return self._link.ask(questions) if questions else []

    def _take(self, statements: Iterable[str]) -> Rows:
        taken: Rows = {}
        for statement in statements:
            rows = [*self._kept.pop(statement, ()), *self._rows.pop(statement, ())]
            if statement == sql.ADD_TERM:
                taken.update(_split(rows))
            elif rows:
                taken[statement] = rows
        self._waiting = sum(map(len, self._kept.values())) + sum(map(len, self._rows.values()))
        return taken

    def _questions(self, group: Mapping[str, Many], rows: Rows) -> list[Question]:
        return [(group[statement].text, self._columns(group[statement], values)) for statement, values in rows.items()]

    def _columns(self, many: Many, rows: list[Row]) -> list[list[Any]]:
        if many.key:
            rows = _distinct(many, rows)
        if many.heads:
            rows = [(*row[:-1], *pack_heads(row[-1], self._positions.settled)) for row in rows]
        columns = [list(column) for column in zip(*rows, strict=True)]
        for number in many.positions:
            columns[number] = [None if position is None else self._positions.settled(position) for position in columns[number]]
        return columns


def _split(terms: list[Row]) -> Rows:
    """Search terms that came and went, or went and came, within the transaction: what was said last."""
    last = {(parameter, value, resource): statement for parameter, value, resource, statement in terms}
    found: Rows = {}
    for term, statement in last.items():
        found.setdefault(statement, []).append(term)
    return found


def _distinct(many: Many, rows: list[Row]) -> list[Row]:
    """One row for each key: the last, or what they add up to."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        key = tuple(row[number] for number in many.key)
        before = found.get(key)
        found[key] = new = list(row)
        if before is not None:
            for number in many.sums:
                new[number] += before[number]
            for number in many.latest:
                new[number] = max(new[number], before[number])
    return list(found.values())
