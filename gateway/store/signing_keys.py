"""The issuer's keys, kept as the installation's key is: in the store, in the clear, for whoever may read the store may sign by another way.

Nothing remembers which key is the newest. It is looked up each time, so that a rotation by any process counts at once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from gateway.store import sql
from gateway.store.connection import Connection


class SigningKeyRow(NamedTuple):
    """A key as two JWKs. `created` in seconds, wall clock; `private` is "" for a key that signs no more."""

    kid: str
    created: int
    public: str
    private: str


class SigningKeys:
    """`writing` gives a connection inside a write transaction, `reading` one to look at. Each call is a transaction of its own."""

    def __init__(self, writing: Callable[[], AbstractContextManager[Connection]], reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writing, self._reading = writing, reading

    def all(self) -> list[SigningKeyRow]:
        """Every key, the newest first."""
        with self._reading() as connection:
            return [SigningKeyRow(*row) for row in connection.execute(sql.SIGNING_KEYS)]

    def add(self, key: SigningKeyRow) -> None:
        """From now on this key signs, and the others' private parts are gone."""
        with self._writing() as connection:
            connection.execute(sql.ADD_SIGNING_KEY, (key.kid, key.created, key.created, key.public, key.private))
            connection.execute(sql.STOP_SIGNING, (key.kid,))

    def drop(self, kids: Sequence[str]) -> None:
        """These keys are published no more."""
        with self._writing() as connection:
            for kid in kids:
                connection.execute(sql.DROP_SIGNING_KEY, (kid,))
