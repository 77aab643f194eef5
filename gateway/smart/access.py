"""Who is asking: an access token becomes a caller, and a caller's scopes are asked before anything is done.

Tokens are opaque, and known to the store by their SHA-256 alone. The token and its client are looked up on every request, so that
revoking either ends access at once.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from gateway.errors import Forbidden, Unauthorized
from gateway.smart.scopes import Constraint, Interaction, Scope, allows, parse
from gateway.store.interface import ALL, Credentials

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]{1,512}=*)")  # RFC 6750 section 2.1


@dataclass(frozen=True, slots=True)
class Caller:
    """The client behind a request. `expires` is the token's end in wall-clock seconds; `feeds` are those a hospital may send for."""

    client: str
    role: str
    organization: str
    scopes: tuple[Scope, ...]
    feeds: tuple[str, ...]
    expires: int

    @property
    def recipient(self) -> str:
        """Whose view of the records this caller reads. Raises Forbidden for a role that reads none."""
        if self.role in ("coordinator", "operator"):
            return ALL
        if self.role == "agency" and self.organization:
            return self.organization
        raise Forbidden("this client's role reads no records", challenge=_challenge("insufficient_scope"))


def new_token() -> str:
    """An access token: 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What the store knows a token by."""
    return hashlib.sha256(token.encode()).digest()


def authenticate(authorization: str | None, credentials: Credentials, now: float) -> Caller:
    """The caller that an Authorization header names. Raises Unauthorized with the challenge of RFC 6750 section 3."""
    if not authorization:
        raise Unauthorized("an access token is needed", advice="Get one from /oauth/token and send it as Authorization: Bearer.")
    found = _BEARER.fullmatch(authorization)
    token = credentials.token(digest(found[1])) if found else None
    client = credentials.client(token.client) if token and now < token.expires else None
    if token is None or client is None or client.revoked is not None:
        raise Unauthorized("the access token does not hold", advice="Get a new one from /oauth/token.", challenge=_challenge("invalid_token"))
    return Caller(client.id, client.role, client.organization, parse(token.scopes), client.feeds, token.expires)


def bearer(credentials: Credentials, clock: Callable[[], float]) -> Callable[[Request], Awaitable[Caller]]:
    """A FastAPI dependency that gives the caller. The two look-ups are made in place: they are shorter than a change of thread."""

    async def caller(request: Request) -> Caller:
        return authenticate(request.headers.get("authorization"), credentials, clock())

    return caller


def require(caller: Caller, type: str, interaction: Interaction) -> tuple[Constraint, ...]:
    """The constraints under which the caller may do this, () for none; a record must meet at least one of them. Raises Forbidden."""
    granted = allows(caller.scopes, type, interaction)
    if granted is None:
        needed = f"system/{type}.{interaction}"
        raise Forbidden("the access token does not reach this far", advice=f"It needs {needed}.", challenge=_challenge("insufficient_scope", needed))
    return granted


def _challenge(error: str, scope: str = "") -> str:
    return f'Bearer realm="gateway", error="{error}"' + (f', scope="{scope}"' if scope else "")
