"""A request for authorization, as an app's browser brings it: read, checked, and answered with a grant. No HTTP, no pages.

SMART App Launch 2.2, "Obtain authorization code"; RFC 6749 section 4.1; RFC 7636; OpenID Connect Core 1.0 section 3.1.2.1.

What is wrong before the client and its redirect URI are known is told to the user (Invalid), because there is nobody else to trust; what is wrong
after that is told to the app (an OAuth2Error with its redirect URI).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import uuid4

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, OAuth2Error

from gateway.errors import Invalid
from gateway.smart import access, apps, scopes
from gateway.smart.forms import Pairs
from gateway.smart.logins import LoggedIn
from gateway.smart.scopes import Scope
from gateway.store.app_grants import CodeRow, GrantRow
from gateway.store.interface import ClientRow, Credentials

CODE_LIFE = 60  # seconds
OFFLINE_LIFE = 365 * 86_400  # seconds: then the user is asked again
_WITHOUT_REFRESH = CODE_LIFE + 3600  # seconds: a code's, and its access token's

_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")  # a SHA-256 in base64url, RFC 7636 section 4.2
_LONGEST = 2048  # characters of a parameter
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What an app asks for. `scopes` are those that it may have."""

    client: ClientRow
    redirect_uri: str
    scopes: tuple[Scope, ...]
    state: str
    challenge: str
    nonce: str
    launch: str
    prompt: frozenset[str]
    max_age: int | None  # seconds since the user logged in
    pairs: Pairs

    @property
    def text(self) -> str:
        """The request as a query."""
        return urlencode(self.pairs)

    @property
    def after_login(self) -> str:
        """The request once the user has just logged in, as it asked for."""
        return urlencode([pair for pair in self.pairs if pair[0] not in ("prompt", "max_age")])

    @property
    def needs_patient(self) -> bool:
        """Whether a patient has to be chosen."""
        return not self.launch and any(scope.text == "launch/patient" or scope.context == "patient" for scope in self.scopes)

    def back(self, *parameters: tuple[str, str]) -> str:
        """The redirect URI with these parameters and the state."""
        return str(add_params_to_uri(self.redirect_uri, [*parameters, ("state", self.state)]))

    def refused(self, error: OAuth2Error) -> OAuth2Error:
        """The error, addressed to the app."""
        error.redirect_uri, error.state = self.redirect_uri, self.state
        return error


def read(pairs: Pairs, credentials: Credentials, fhir_url: str) -> Asked:
    """Check a request. Raises Invalid for what the user is told, OAuth2Error for what the app is."""
    client, redirect_uri = _trusted(pairs, credentials)
    state = next((value for name, value in pairs if name == "state"), "")[:_LONGEST]
    try:
        return _checked(pairs, client, redirect_uri, fhir_url)
    except OAuth2Error as error:
        error.redirect_uri, error.state = redirect_uri, state
        raise


def _trusted(pairs: Pairs, credentials: Credentials) -> tuple[ClientRow, str]:
    """The client and its redirect URI. Nobody is sent anywhere else."""
    ids, uris = ([value for name, value in pairs if name == wanted] for wanted in ("client_id", "redirect_uri"))
    client = credentials.client(ids[0]) if len(ids) == 1 else None
    if client is None or client.revoked is not None or not client.redirect_uris:
        raise Invalid("no app of this name is registered here", location="client_id")
    if len(uris) != 1 or not apps.may_redirect(client, uris[0]):
        raise Invalid("the app wants to be answered at an address that is not registered for it", location="redirect_uri")
    return client, uris[0]


def _checked(pairs: Pairs, client: ClientRow, redirect_uri: str, fhir_url: str) -> Asked:
    said = dict(pairs)
    if len(said) != len(pairs):
        raise InvalidRequestError("a parameter is given twice")
    if any(len(value) > _LONGEST for value in said.values()):
        raise InvalidRequestError("a parameter is too long")
    for name, error in (("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")):
        if name in said:
            raise OAuth2Error(f"{name} is not taken", error=error)
    if said.get("response_type") != "code":
        if "response_type" not in said:
            raise InvalidRequestError("response_type is missing")
        raise OAuth2Error("response_type is not code", error="unsupported_response_type")
    for name in ("state", "scope", "aud", "code_challenge"):
        if name not in said:
            raise InvalidRequestError(f"{name} is missing")
    if said["aud"].removesuffix("/") != fhir_url:
        raise InvalidRequestError("aud is not this FHIR server")
    if said.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(said["code_challenge"]):
        raise InvalidRequestError("PKCE is required, with the method S256")
    if said.get("response_mode", "query") != "query":
        raise InvalidRequestError("response_mode is not query")
    granted = _grantable(said["scope"], client)
    if ("launch" in said) != any(scope.text == "launch" for scope in granted):
        raise InvalidRequestError("the parameter launch and the scope launch go together")
    return Asked(
        client=client,
        redirect_uri=redirect_uri,
        scopes=granted,
        state=said["state"],
        challenge=said["code_challenge"],
        nonce=said.get("nonce", ""),
        launch=said.get("launch", ""),
        prompt=_prompt(said.get("prompt", "")),
        max_age=_max_age(said.get("max_age")),
        pairs=pairs,
    )


def _grantable(text: str, client: ClientRow) -> tuple[Scope, ...]:
    """The scopes of a user that are within the client's registration. Others are left out, and the answer says what was granted (RFC 6749 3.3)."""
    registered = scopes.parse(client.scopes)
    found: list[Scope] = []
    for word in dict.fromkeys(text.split(" ")):
        try:
            found += scopes.parse(word)
        except Invalid:
            continue  # a scope of another server's
    kept = tuple(scope for scope in found if scope.context != "system" and not scopes.beyond([scope], registered))
    if not kept:
        raise InvalidScopeError("nothing of the scope may be granted to this app")
    return kept


def _prompt(text: str) -> frozenset[str]:
    words = frozenset(text.split())
    if not words <= _PROMPTS or ("none" in words and len(words) > 1):
        raise InvalidRequestError("prompt is none, or some of login, consent and select_account")
    return words


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidRequestError("max_age is a number of seconds")
    return int(text)


def grant(credentials: Credentials, asked: Asked, who: LoggedIn, kept: Sequence[Scope], patient: str, encounter: str, now: int) -> str:
    """Store what the user let the app do; the code that the app gets for it."""
    words = {scope.text for scope in kept}
    online = "online_access" in words and "offline_access" not in words
    if "offline_access" in words:
        expires = now + OFFLINE_LIFE
    else:
        expires = who.login.expires if online else now + _WITHOUT_REFRESH
    in_context = patient if asked.launch or any(scope.text == "launch/patient" or scope.context == "patient" for scope in kept) else ""
    row = GrantRow(
        id=uuid4().hex,
        client=asked.client.id,
        user=who.user.id,
        scopes=scopes.text(kept),
        patient=in_context,
        encounter=encounter,
        login=who.login.digest if online else None,
        authenticated=who.login.at,
        created=now,
        expires=expires,
    )
    code = secrets.token_urlsafe(32)
    credentials.grants.add(row, CodeRow(access.digest(code), row.id, asked.redirect_uri, asked.challenge, asked.nonce, now + CODE_LIFE))
    return code
