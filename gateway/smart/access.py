"""Who is asking: an access token becomes a caller, and a caller's scopes are asked before anything is done.

Tokens are opaque, and known to the store by their SHA-256 alone. The token, its client and, where an app asks for somebody, the grant and the
user are looked up on every request, so that revoking any of them ends access at once.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from gateway.errors import Forbidden, Unauthorized
from gateway.fhir import compartment
from gateway.smart import apps
from gateway.smart.scopes import COMPARTMENT, Constraint, Context, Interaction, Scope, allows, parse
from gateway.store.app_grants import GrantRow
from gateway.store.interface import ALL, ClientRow, Credentials, TokenRow
from gateway.store.users import UserRow

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]{1,512}=*)")  # RFC 6750 section 2.1


@dataclass(frozen=True, slots=True)
class Caller:
    """The client behind a request, and the user for whom it asks. `expires` is the token's end in wall-clock seconds; `feeds` are those a hospital
    may send for. Role and organization are the user's, where there is one."""

    client: str
    role: str
    organization: str
    scopes: tuple[Scope, ...]
    feeds: tuple[str, ...]
    expires: int
    user: str = ""  # the name that the user logs in by; "" where a client acts for itself
    fhir_user: str = ""  # "Practitioner/…": the user
    patient: str = ""  # "Patient/…": the one in the app's context

    @property
    def recipient(self) -> str:
        """Whose view of the records this caller reads. Raises Forbidden for a role that reads none."""
        return recipient(self.role, self.organization)

    @property
    def name(self) -> str:
        """Who asks, as people are told of it."""
        return f"{self.user} by {self.client}" if self.user else self.client

    def is_own(self, type: str, id: str) -> bool:
        """Whether this is the resource of the user, which an app may read that was let know who the user is."""
        return self.fhir_user == f"{type}/{id}" and any(scope.text in ("fhirUser", "profile") for scope in self.scopes)


def recipient(role: str, organization: str) -> str:
    """Whose view a role in an organization reads. Raises Forbidden for a role that reads none."""
    if role in ("coordinator", "operator"):
        return ALL
    if role == "agency" and organization:
        return organization
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
        raise _ended()
    if not token.grant:
        return Caller(client.id, client.role, client.organization, parse(token.scopes), client.feeds, token.expires)
    held = standing(credentials, token.grant, now)
    if held is None or not apps.may_use(client, held[1]):  # the user may have another role by now
        raise _ended()
    return _for_user(client, token, *held)


def standing(credentials: Credentials, id: str, now: float) -> tuple[GrantRow, UserRow] | None:
    """A grant and its user, while both hold."""
    grant = credentials.grants.grant(id)
    user = credentials.users.user(grant.user) if grant is not None and now < grant.expires else None
    return (grant, user) if grant is not None and user is not None and user.revoked is None else None


def _for_user(client: ClientRow, token: TokenRow, grant: GrantRow, user: UserRow) -> Caller:
    patient = f"Patient/{grant.patient}" if grant.patient else ""
    person = f"Practitioner/{user.practitioner}"
    return Caller(client.id, user.role, user.organization, parse(token.scopes), (), token.expires, user.name, person, patient)


def _ended() -> Unauthorized:
    return Unauthorized("the access token does not hold", advice="Get a new one from /oauth/token.", challenge=_challenge("invalid_token"))


def bearer(credentials: Credentials, clock: Callable[[], float]) -> Callable[[Request], Awaitable[Caller]]:
    """A FastAPI dependency that gives the caller. The two look-ups are made in place: they are shorter than a change of thread."""

    async def caller(request: Request) -> Caller:
        return authenticate(request.headers.get("authorization"), credentials, clock())

    return caller


def require(caller: Caller, type: str, interaction: Interaction) -> tuple[Constraint, ...]:
    """The constraints under which the caller may do this, () for none; a record must meet at least one of them. Raises Forbidden."""
    granted = allows(caller.scopes, type, interaction)
    if granted == ():
        return ()
    confined = _confined(caller, type, interaction)
    if granted is None and confined is None:
        needed = f"{'user' if caller.user else 'system'}/{type}.{interaction}"
        raise Forbidden("the access token does not reach this far", advice=f"It needs {needed}.", challenge=_challenge("insufficient_scope", needed))
    return () if confined == () else (*(granted or ()), *(confined or ()))


_PATIENT: tuple[Context, ...] = ("patient",)


def _confined(caller: Caller, type: str, interaction: Interaction) -> tuple[Constraint, ...] | None:
    """What the patient scopes grant: records of the patient in context, and what is no patient's to read."""
    granted = allows(caller.scopes, type, interaction, _PATIENT) if caller.patient else None
    if granted is None:
        return None
    if type in compartment.SHARED:
        return granted if interaction in "rs" else None
    if not compartment.has(type):
        return None
    return tuple(((COMPARTMENT, caller.patient), *constraint) for constraint in granted or ((),))


def _challenge(error: str, scope: str = "") -> str:
    return f'Bearer realm="gateway", error="{error}"' + (f', scope="{scope}"' if scope else "")
