"""Names as numbers on SQLite: a new one is the next row id."""

from __future__ import annotations

import sqlite3

from gateway.store import sql
from gateway.store.names import Names, recipients, words


def names(connection: sqlite3.Connection) -> tuple[Names, Names]:
    """Recipients, and words."""

    def add(statement: str, name: str) -> int:
        return int(connection.execute(statement, (name,)).lastrowid or 0)

    return recipients(connection, lambda name: add(sql.ADD_RECIPIENT, name)), words(connection, lambda name: add(sql.ADD_WORD, name))
