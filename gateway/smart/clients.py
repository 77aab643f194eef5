"""Registering SMART clients: what may be registered, and what each role gets unless told otherwise (roles.toml)."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

from gateway.errors import Conflict, Invalid
from gateway.smart import keys, scopes
from gateway.smart.outbound import Reach, check_url
from gateway.store.interface import ClientRow, Credentials

RESERVED = frozenset({"coordinator"})
"""Organizations that no agency may be: the coordinator's queue."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_ORGANIZATION = re.compile(r"[A-Za-z0-9.-]{1,64}")  # a FHIR id


def register(
    credentials: Credentials,
    *,
    id: str,
    role: str = "agency",
    organization: str = "",
    scope: str = "",
    jwks: str = "",
    jwks_url: str = "",
    feeds: tuple[str, ...] = (),
    now: float,
    reach: Reach = Reach(),
) -> ClientRow:
    """Check and store a new client; `scope` is space-separated, the role's own when empty. Raises Invalid, or Conflict for an id in use."""
    if not _ID.fullmatch(id):
        raise Invalid("a client's id is 1 to 64 letters, digits, dots, dashes, underscores or tildes", location="id")
    _check_role(role, organization, feeds)
    _check_keys(jwks, jwks_url, reach)
    scope = scope or default_scope(role)
    _check_scope(scope)
    if credentials.client(id) is not None:
        raise Conflict("a client of this id is registered, or was", location="id", advice="Choose another id.")
    client = ClientRow(id, role, organization, scopes.text(scopes.parse(scope)), jwks, jwks_url, feeds, int(now))
    credentials.add_client(client)
    return client


def roles() -> tuple[str, ...]:
    """The roles a client may have."""
    return tuple(_role_scopes())


def default_scope(role: str) -> str:
    """The scopes of a client of this role whose registration names none, space-separated."""
    return " ".join(_role_scopes()[role])


@cache
def _role_scopes() -> dict[str, tuple[str, ...]]:
    data = tomllib.loads(resources.files("gateway.smart").joinpath("roles.toml").read_text("utf-8"))
    return {role: tuple(about["scopes"]) for role, about in data.items()}


def _check_role(role: str, organization: str, feeds: tuple[str, ...]) -> None:
    if role not in roles():
        raise Invalid(f"a client's role is one of {', '.join(roles())}", location="role")
    if role in ("agency", "hospital") and not organization:
        raise Invalid(f"a client of the role {role} belongs to an organization", location="organization")
    if organization and not _ORGANIZATION.fullmatch(organization):
        raise Invalid("an organization is 1 to 64 letters, digits, dots or dashes", location="organization")
    if role == "agency" and organization in RESERVED:
        raise Invalid("this organization is reserved", location="organization")
    if feeds and role != "hospital":
        raise Invalid("only a hospital's client is bound to feeds", location="feeds")


def _check_keys(jwks: str, jwks_url: str, reach: Reach) -> None:
    if bool(jwks) == bool(jwks_url):
        raise Invalid("a client has either a key set or a key set's URL", location="jwks")
    if jwks:
        keys.check_set(jwks)
    else:
        check_url(jwks_url, reach)


def _check_scope(scope: str) -> None:
    """A client that acts for itself, with no user, has system scopes alone."""
    if any(found.context != "system" for found in scopes.parse(scope)):
        raise Invalid("a backend client's scopes are system scopes", location="scope")
