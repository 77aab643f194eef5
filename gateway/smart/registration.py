"""Dynamic client registration (RFC 7591), where the operator opens it: by an invitation that is good for one client, within what it allows.

    POST /oauth/register   Authorization: Bearer INVITATION, the client's metadata as JSON

What metadata is not known is ignored (section 2). A software statement is refused: nobody's word for an app is trusted but the operator's.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc7591 import InvalidClientMetadataError, InvalidRedirectURIError, UnapprovedSoftwareStatementError
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from gateway.errors import GatewayError, Invalid, Malformed, Unauthorized
from gateway.fhir.parsing import parse_json
from gateway.smart import access, apps, clients, forms, keys, scopes, signing
from gateway.smart.authentication import ASSERTION, PUBLIC, SECRET
from gateway.smart.discovery import REGISTER
from gateway.smart.outbound import Reach
from gateway.smart.refusals import refusal
from gateway.store.interface import ClientRow, Credentials
from gateway.store.invitations import InvitationRow

LASTS = 7  # days, unless the operator says otherwise

_BEARER = re.compile(r"[Bb]earer +([A-Za-z0-9_-]{20,200})")
_CODE, _REFRESH, _OWN = "authorization_code", "refresh_token", "client_credentials"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a client says of itself (RFC 7591 section 2), as far as this server goes by it."""

    grants: tuple[str, ...]
    method: str
    redirect_uris: tuple[str, ...]
    scope: str
    name: str
    jwks: str
    jwks_url: str

    @property
    def is_app(self) -> bool:
        """Whether people log in to it."""
        return _CODE in self.grants


def invite(
    credentials: Credentials, *, role: str, organization: str, scope: str = "", feeds: tuple[str, ...] = (), now: float, days: int = LASTS
) -> str:
    """A new invitation's token, to be handed to whoever registers the client. One for an agency that is not named is for an app that is everybody's.
    Raises Invalid.
    """
    is_everybodys = role == "agency" and not organization
    if not is_everybodys:
        clients.check_role(role, organization, feeds)
    allowed = scope or " ".join([apps.DEFAULT_SCOPE, *([] if is_everybodys else [clients.default_scope(role)])])
    token = access.new_token()
    row = InvitationRow(access.digest(token), role, organization, scopes.text(scopes.parse(allowed)), " ".join(feeds), int(now + days * 86_400))
    credentials.invitations.add(row)
    return token


def register(credentials: Credentials, authorization: str, said: Any, now: float, reach: Reach = Reach()) -> dict[str, Any]:
    """Register a client; the answer of section 3.2.1. Raises Unauthorized without an invitation, and the errors of section 3.2.2."""
    invitation = _invitation(credentials, authorization, now)
    metadata = read(said)
    scope = _scope(metadata, invitation)
    secret = access.new_token() if metadata.method == SECRET else ""
    if not credentials.invitations.use(invitation.digest, int(now)):
        raise _uninvited()
    try:
        client = clients.register(
            credentials,
            id=secrets.token_hex(16),
            role=invitation.role,
            organization=invitation.organization,
            scope=scope,
            jwks=metadata.jwks,
            jwks_url=metadata.jwks_url,
            secret=secret,
            public=metadata.method == PUBLIC,
            name=metadata.name,
            redirect_uris=metadata.redirect_uris,
            feeds=tuple(invitation.feeds.split()),
            now=now,
            reach=reach,
        )
    except GatewayError as error:
        credentials.invitations.add(invitation)  # nothing came of it
        raise _told(error) from None
    return _answer(client, metadata, secret)


# --- what is said -----------------------------------------------------------------------------------------------------


def read(said: Any) -> Metadata:
    """The metadata in a request's JSON. Raises the errors of section 3.2.2."""
    if not isinstance(said, dict):
        raise InvalidClientMetadataError("the body is not a JSON object")
    if "software_statement" in said:
        raise UnapprovedSoftwareStatementError("software statements are not taken")
    jwks = said.get("jwks")
    if jwks is not None and not isinstance(jwks, dict):
        raise InvalidClientMetadataError("jwks is not a JSON Web Key Set")
    metadata = Metadata(
        grants=_texts(said, "grant_types", (_CODE,)),
        method=_text(said, "token_endpoint_auth_method") or SECRET,
        redirect_uris=_texts(said, "redirect_uris", ()),
        scope=_text(said, "scope"),
        name=_text(said, "client_name"),
        jwks="" if jwks is None else json.dumps(jwks),
        jwks_url=_text(said, "jwks_uri"),
    )
    _check(metadata)
    _check_algorithms(said, _texts(said, "response_types", ("code",) if metadata.is_app else ()), metadata)
    return metadata


def _check(metadata: Metadata) -> None:
    """Whether grants, authentication and keys fit together."""
    unknown = set(metadata.grants) - {_CODE, _REFRESH, _OWN}
    if unknown or not set(metadata.grants) & {_CODE, _OWN}:
        raise InvalidClientMetadataError("grant_types are authorization_code, refresh_token and client_credentials")
    if metadata.method not in (ASSERTION, SECRET, PUBLIC):
        raise InvalidClientMetadataError(f"token_endpoint_auth_method is {ASSERTION}, {SECRET} or {PUBLIC}")
    if metadata.is_app and not metadata.redirect_uris:
        raise InvalidRedirectURIError("authorization_code needs redirect_uris")
    if not all(uri.startswith(("https://", "http://")) for uri in metadata.redirect_uris):  # an own scheme is any other app's, too
        raise InvalidRedirectURIError("redirect_uris are https, or on the user's own machine http")
    if metadata.redirect_uris and not metadata.is_app:
        raise InvalidRedirectURIError("only authorization_code has redirect_uris")
    if _OWN in metadata.grants and metadata.method != ASSERTION:
        raise InvalidClientMetadataError(f"client_credentials needs {ASSERTION}")
    if (metadata.method == ASSERTION) != bool(metadata.jwks or metadata.jwks_url) or (metadata.jwks and metadata.jwks_url):
        raise InvalidClientMetadataError(f"{ASSERTION}, and nothing else, has either jwks or jwks_uri")


def _check_algorithms(said: Mapping[str, Any], responses: Sequence[str], metadata: Metadata) -> None:
    if tuple(responses) != (("code",) if metadata.is_app else ()):
        raise InvalidClientMetadataError("response_types is code, for authorization_code alone")
    if (_text(said, "id_token_signed_response_alg") or signing.ALGORITHM) != signing.ALGORITHM:
        raise InvalidClientMetadataError(f"id_token_signed_response_alg is {signing.ALGORITHM}")
    algorithm = _text(said, "token_endpoint_auth_signing_alg")
    if algorithm and algorithm not in keys.ALGORITHMS:
        raise InvalidClientMetadataError(f"token_endpoint_auth_signing_alg is {' or '.join(keys.ALGORITHMS)}")


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise InvalidClientMetadataError(f"{name} is not a text")
    return value


def _texts(said: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = said.get(name)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or len(set(value)) != len(value):
        error = InvalidRedirectURIError if name == "redirect_uris" else InvalidClientMetadataError
        raise error(f"{name} is not a list of texts, each of them once")
    return tuple(value)


# --- what is allowed --------------------------------------------------------------------------------------------------


def _invitation(credentials: Credentials, authorization: str, now: float) -> InvitationRow:
    found = _BEARER.fullmatch(authorization)
    invitation = credentials.invitations.find(access.digest(found[1]), int(now)) if found else None
    if invitation is None:
        raise _uninvited()
    return invitation


def _uninvited() -> Unauthorized:
    return Unauthorized(
        "an invitation of the operator's is needed, and one is good for one client", challenge='Bearer realm="gateway", error="invalid_token"'
    )


def _scope(metadata: Metadata, invitation: InvitationRow) -> str:
    """The scopes that the client gets: those it asks for, else those of the invitation that such a client can use."""
    allowed = scopes.parse(invitation.scopes)
    try:
        asked = scopes.parse(metadata.scope)
    except Invalid as error:
        raise InvalidClientMetadataError(f"{error.location}: {error.message}") from None
    if scopes.beyond(asked, allowed):
        raise InvalidClientMetadataError("scope goes beyond the invitation")
    usable = [scope for scope in asked or allowed if _usable(scope, metadata, strict=bool(asked))]
    if not usable:
        raise InvalidClientMetadataError("the invitation is not one for such a client")
    return scopes.text(usable)


def _usable(scope: scopes.Scope, metadata: Metadata, *, strict: bool) -> bool:
    """Whether a client of these grants can use the scope. Raises where it was asked for, and cannot."""
    can = _OWN in metadata.grants if scope.context == "system" else metadata.is_app
    if strict and not can:
        raise InvalidClientMetadataError("a scope is asked for that none of the grant_types can give")
    return can


def _told(error: GatewayError) -> OAuth2Error:
    kind = InvalidRedirectURIError if error.location == "redirect_uris" else InvalidClientMetadataError
    return kind(error.message)


def _answer(client: ClientRow, metadata: Metadata, secret: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": client.created,
        "client_name": client.name,
        "grant_types": list(metadata.grants),
        "token_endpoint_auth_method": metadata.method,
        "scope": client.scopes,
    }
    if metadata.is_app:
        told |= {"redirect_uris": list(client.redirect_uris), "response_types": ["code"]}
    if secret:
        told |= {"client_secret": secret, "client_secret_expires_at": 0}
    if client.jwks:
        told["jwks"] = json.loads(client.jwks)
    if client.jwks_url:
        told["jwks_uri"] = client.jwks_url
    return told


# --- HTTP -------------------------------------------------------------------------------------------------------------


def router(credentials: Credentials, clock: Callable[[], float], reach: Reach = Reach()) -> APIRouter:
    """The registration endpoint. `clock` gives wall-clock seconds."""

    async def endpoint(request: Request) -> Response:
        try:
            said = _json(await forms.body_of(request))
            told = await run_in_threadpool(register, credentials, request.headers.get("authorization", ""), said, clock(), reach)
        except OAuth2Error as error:
            status, body, headers = error()
            return Response(orjson.dumps(body), status, dict(headers))
        except Unauthorized as error:
            return refusal(error, "invalid_token")
        return Response(orjson.dumps(told), 201, {"Cache-Control": "no-store", "Pragma": "no-cache"}, media_type="application/json")

    routes = APIRouter()
    routes.add_api_route(REGISTER, endpoint, methods=["POST"])
    return routes


def _json(body: bytes) -> Any:
    try:
        return parse_json(body)
    except Malformed as error:
        raise InvalidClientMetadataError(error.message) from None
