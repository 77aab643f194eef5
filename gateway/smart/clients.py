"""Registering SMART clients: what may be registered, and what each role gets unless told otherwise (roles.toml)."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

from gateway.errors import Conflict, Invalid
from gateway.smart import access, apps, keys, scopes
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
    secret: str = "",
    public: bool = False,
    name: str = "",
    redirect_uris: tuple[str, ...] = (),
    launch_url: str = "",
    feeds: tuple[str, ...] = (),
    now: float,
    reach: Reach = Reach(),
) -> ClientRow:
    """Check and store a new client. `scope` is space-separated, the role's own when empty. One with redirect URIs is an app that people log in to;
    without an organization it is everybody's. Raises Invalid, or Conflict for an id in use.
    """
    if not _ID.fullmatch(id):
        raise Invalid("a client's id is 1 to 64 letters, digits, dots, dashes, underscores or tildes", location="id")
    is_app = bool(redirect_uris)
    if is_app and not organization and role == "agency":
        role = apps.APP
    else:
        check_role(role, organization, feeds)
    _check_proof(jwks, jwks_url, secret, public, is_app, reach)
    apps.check(redirect_uris, launch_url, name)
    scope = scope or (apps.DEFAULT_SCOPE if is_app else default_scope(role))
    _check_scope(scope, is_app=is_app, has_keys=bool(jwks or jwks_url) and role != apps.APP)
    if credentials.client(id) is not None:
        raise Conflict("a client of this id is registered, or was", location="id", advice="Choose another id.")
    client = ClientRow(
        id,
        role,
        organization,
        scopes.text(scopes.parse(scope)),
        jwks,
        jwks_url,
        feeds,
        int(now),
        name=name or id,
        redirect_uris=redirect_uris,
        launch_url=launch_url,
        secret=access.digest(secret).hex() if secret else "",
    )
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


def check_role(role: str, organization: str, feeds: tuple[str, ...] = ()) -> None:
    """Whether a client or a user may have this role in this organization. Raises Invalid."""
    if role not in roles():
        raise Invalid(f"a role is one of {', '.join(roles())}", location="role")
    if role in ("agency", "hospital") and not organization:
        raise Invalid(f"the role {role} belongs to an organization", location="organization")
    if organization and not _ORGANIZATION.fullmatch(organization):
        raise Invalid("an organization is 1 to 64 letters, digits, dots or dashes", location="organization")
    if role == "agency" and organization in RESERVED:
        raise Invalid("this organization is reserved", location="organization")
    if feeds and role != "hospital":
        raise Invalid("only a hospital's client is bound to feeds", location="feeds")


def _check_proof(jwks: str, jwks_url: str, secret: str, public: bool, is_app: bool, reach: Reach) -> None:
    """A client proves itself in one way; only an app may do so by a secret, or, where it cannot keep one, not at all."""
    if sum(map(bool, (jwks, jwks_url, secret, public))) != 1:
        raise Invalid(
            "a client has either a key set or a key set's URL" + (", or a secret, or is public" if is_app else ""),
            location="jwks",
        )
    if (secret or public) and not is_app:
        raise Invalid("only an app that people log in to has a secret or is public", location="redirect_uris")
    if jwks:
        keys.check_set(jwks)
    elif jwks_url:
        check_url(jwks_url, reach)


def _check_scope(scope: str, *, is_app: bool, has_keys: bool) -> None:
    """A client that acts for itself, with no user, has system scopes alone; an app has them only where it has keys and an organization."""
    asked = scopes.parse(scope)
    if not is_app and any(found.context != "system" for found in asked):
        raise Invalid("a backend client's scopes are system scopes", location="scope")
    if not has_keys and any(found.context == "system" for found in asked):
        raise Invalid("an app without keys of its own has no system scopes", location="scope")
