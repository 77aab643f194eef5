"""Rows that wait to be written: an input's, until it is sure that they are wanted.

SQLite copies every page that is changed inside a savepoint, which doubles the cost of a write. So an input's savepoint gathers its rows here, and
they are written when it is over; if it fails, they are forgotten. Whoever reads what may wait here writes it first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any


class Pending:
    """Rows by statement, in the order in which the statements were first used."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, list[Sequence[Any]]] = {}

    def add(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Rows to be written with this statement."""
        self._rows.setdefault(statement, []).extend(rows)

    def holds(self, statement: str) -> bool:
        """Does any row wait for this statement?"""
        return bool(self._rows.get(statement))

    def write(self) -> None:
        """Writes all of them, before anything is read that they may change."""
        if self._rows:
            rows, self._rows = self._rows, {}
            for statement, values in rows.items():
                if values:
                    self._connection.executemany(statement, values)

    def forget(self) -> None:
        """They are not wanted any more."""
        self._rows.clear()
