"""Clients, tokens and spent assertions: each call a transaction of its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import orjson

from gateway.store import sql
from gateway.store.app_grants import Grants
from gateway.store.connection import Connection
from gateway.store.interface import ClientRow, TokenRow
from gateway.store.invitations import Invitations
from gateway.store.users import Users


class SqlCredentials:
    """See `interface.Credentials`. `writing` gives a connection inside a write transaction, `reading` one to look at."""

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[Connection]],
        reading: Callable[[], AbstractContextManager[Connection]],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._writing, self._reading, self._wall_clock = writing, reading, wall_clock
        self.users, self.grants = Users(writing, reading), Grants(writing, reading)
        self.invitations = Invitations(writing, reading)

    def add_client(self, client: ClientRow) -> None:
        with self._writing() as connection:
            connection.execute(
                sql.SET_CLIENT,
                (
                    client.id,
                    client.role,
                    client.organization,
                    client.scopes,
                    client.jwks,
                    client.jwks_url,
                    orjson.dumps(client.feeds).decode(),
                    client.created,
                    client.revoked,
                    orjson.dumps({name: getattr(client, name) for name in _ABOUT}).decode(),
                ),
            )

    def client(self, id: str) -> ClientRow | None:
        with self._reading() as connection:
            row = connection.execute(sql.GET_CLIENT, (id,)).fetchone()
        return None if row is None else _client(row)

    def clients(self) -> list[ClientRow]:
        with self._reading() as connection:
            return [_client(row) for row in connection.execute(sql.ALL_CLIENTS)]

    def revoke_client(self, id: str, at: int) -> bool:
        with self._writing() as connection:
            revoked = connection.execute(sql.REVOKE_CLIENT, (at, id)).rowcount > 0
            connection.execute(sql.DROP_TOKENS_OF, (id,))
        return revoked

    def spend_jti(self, client: str, jti: str, keep_until: int) -> bool:
        digest = hashlib.sha256(orjson.dumps([client, jti])).digest()
        with self._writing() as connection:
            connection.execute(sql.DROP_OLD_SPENT, (int(self._wall_clock()),))
            return connection.execute(sql.SPEND, (digest, keep_until)).rowcount > 0

    def add_token(self, token: TokenRow) -> None:
        with self._writing() as connection:
            connection.execute(sql.DROP_EXPIRED_TOKENS, (int(self._wall_clock()),))
            connection.execute(sql.ADD_TOKEN, token)

    def token(self, digest: bytes) -> TokenRow | None:
        with self._reading() as connection:
            row = connection.execute(sql.GET_TOKEN, (digest,)).fetchone()
        return None if row is None else TokenRow(*row)

    def revoke_token(self, digest: bytes) -> bool:
        with self._writing() as connection:
            return connection.execute(sql.DROP_TOKEN, (digest,)).rowcount > 0


_ABOUT = ("name", "redirect_uris", "launch_url", "secret")
"""What is kept of a client as one JSON object."""


def _client(row: tuple[Any, ...]) -> ClientRow:
    id, role, organization, scopes, jwks, jwks_url, feeds, created, revoked, about = row
    said: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in orjson.loads(about).items()}
    return ClientRow(id, role, organization, scopes, jwks, jwks_url, tuple(orjson.loads(feeds)), created, revoked, **said)
