"""Recipients, resource types and search parameters as small integers."""

from __future__ import annotations

from collections.abc import Callable

from gateway.store import sql
from gateway.store.connection import Connection


class Names:
    """Numbers for names, remembered. A number never changes its meaning, so what was once committed may be remembered for ever."""

    def __init__(self, connection: Connection, find: str, everything: str, add: Callable[[str], int]) -> None:
        self._connection, self._find, self._all, self._add = connection, find, everything, add
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
            number = self._numbers[name] = self._add(name)
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


def recipients(connection: Connection, add: Callable[[str], int]) -> Names:
    """Whose view a row belongs to. `add` gives a new name its number."""
    return Names(connection, sql.FIND_RECIPIENT, sql.ALL_RECIPIENTS, add)


def words(connection: Connection, add: Callable[[str], int]) -> Names:
    """Resource types ("Task") and search parameters ("Task.owner"). `add` gives a new name its number."""
    return Names(connection, sql.FIND_WORD, sql.ALL_WORDS, add)
