"""Rows that wait to be written: an input's, until it is sure that they are wanted.

SQLite copies every page that is changed inside a savepoint, which doubles the cost of a write. So an input's savepoint gathers its rows here, and
they are written when it is over; if it fails, they are forgotten. Whoever reads what may wait here writes it first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from gateway.store import sql


class SqlitePending:
    """See `connection.Pending`. Rows by statement, in the order in which the statements were first used."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, list[Sequence[Any]]] = {}
        self._prepare: list[Callable[[], None]] = []

    def before_writing(self, prepare: Callable[[], None]) -> None:
        self._prepare.append(prepare)

    def add(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._rows.setdefault(statement, []).extend(rows)

    def holds(self, statement: str) -> bool:
        return bool(self._rows.get(statement))

    def write(self) -> None:
        for prepare in self._prepare:
            prepare()
        self.write_rows()

    def write_rows(self) -> None:
        rows, self._rows = self._rows, {}
        changed = rows.pop(sql.SET_TRANSITION, [])  # last: what is changed may have been added in the same savepoint, after another was changed
        for statement, values in [*rows.items(), (sql.SET_TRANSITION, changed)]:
            if values:
                self._connection.executemany(statement, values)

    def forget(self) -> None:
        """They are not wanted any more."""
        self._rows.clear()
