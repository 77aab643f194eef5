"""What the parts that SQLite and PostgreSQL have in common ask of a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol


class Rows(Protocol):
    """The answer to a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""

    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Runs a statement of `gateway.store.sql`, with question marks for its parameters."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Rows: ...


class Pending(Protocol):
    """Rows that wait to be written, by the statement of `gateway.store.sql` that writes them."""

    def before_writing(self, prepare: Callable[[], None]) -> None:
        """`prepare` adds the last rows whenever all that wait are about to be written."""

    def add(self, statement: str, rows: Sequence[Sequence[Any]]) -> None: ...
    def holds(self, statement: str) -> bool:
        """Does any row wait for this statement?"""

    def write(self) -> None:
        """Writes all that wait, before anything is read that they may change."""

    def write_rows(self) -> None:
        """The same of what waits by now, without asking whether there is more to come."""


class Positions(Protocol):
    """Places in commit order."""

    def next(self) -> int:
        """The next place: above all that were given before in this transaction. It may be provisional, until it is `settled`."""

    def settled(self, position: int) -> int:
        """The place as it is, or as far as it is known by now."""
