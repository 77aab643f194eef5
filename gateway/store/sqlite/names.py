"""Recipients, resource types and search parameters as small integers."""

from __future__ import annotations

import sqlite3

from gateway.store.sqlite import sql


class Names:
    """Numbers for names, remembered. A number never changes its meaning, so what was once committed may be remembered for ever."""

    def __init__(self, connection: sqlite3.Connection, find: str, add: str, everything: str) -> None:
        self._connection, self._find, self._add, self._all = connection, find, add, everything
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def known(self, name: str) -> int | None:
        """The name's number, if it has one."""
        number = self._numbers.get(name)
        if number is None:
            row = self._connection.execute(self._find, (name,)).fetchone()
            if row is None:
                return None
            number = self._numbers[name] = row[0]
        return number

    def number(self, name: str) -> int:
        """The name's number, a new one if need be: for the writer alone."""
        number = self._numbers.get(name) or self.known(name)
        if number is None:
            number = self._numbers[name] = int(self._connection.execute(self._add, (name,)).lastrowid or 0)
        return number

    def name(self, number: int) -> str:
        """The name of a number that a row holds."""
        if number not in self._names:
            self._names = dict(self._connection.execute(self._all))
        return self._names[number]

    def numbers(self) -> list[int]:
        """All numbers, as stored now."""
        return [number for number, _ in self._connection.execute(self._all)]

    def forget(self) -> None:
        """After a rollback: what was remembered may never have been committed."""
        self._numbers.clear()
        self._names.clear()


def recipients(connection: sqlite3.Connection) -> Names:
    """Whose view a row belongs to."""
    return Names(connection, sql.FIND_RECIPIENT, sql.ADD_RECIPIENT, sql.ALL_RECIPIENTS)


def words(connection: sqlite3.Connection) -> Names:
    """Resource types ("Task") and search parameters ("Task.owner")."""
    return Names(connection, sql.FIND_WORD, sql.ADD_WORD, sql.ALL_WORDS)
