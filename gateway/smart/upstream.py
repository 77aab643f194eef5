"""Logging in by an OpenID provider of the operator's own: a hospital's or a county's. This gateway is then its client (OpenID Connect Core 1.0).

The authorization code flow with PKCE, state and nonce. Nothing is kept here between leaving and coming back: what must be known again travels sealed
in `state`, and is good only together with a cookie of the browser that left. What comes back is believed where issuer, audience, time, nonce and
signature hold, by RS256 and no other algorithm (the one that every provider has, section 15.1).

Authlib writes the requests. They are sent by our own transport: Authlib's httpx client is bound to another library than ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from gateway.errors import Forbidden, Invalid, Malformed, Unavailable
from gateway.fhir.parsing import parse_json
from gateway.smart import access, keys
from gateway.smart.jwks import KeySets
from gateway.smart.outbound import Guarded, Reach, Resolve, check_url, resolve

ALGORITHM = "RS256"
LEEWAY = 30  # seconds by which two honest clocks may differ
LASTS = 600  # seconds in which somebody logs in
KEPT = 3600.0  # seconds for which the provider's configuration is remembered
TIMEOUT = 10.0  # seconds for one answer of the provider's
LONGEST_REQUEST = 3000  # characters of an app's request, which travels in a URL
_AGAIN = "Go back to the app, and begin again."


@dataclass(frozen=True, slots=True)
class Rule:
    """Whoever's claim is this value, or holds it, has this role in this organization."""

    claim: str
    value: str
    role: str
    organization: str = ""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The provider as configured. `name` is what people know it by; of the rules the first that fits counts."""

    issuer: str
    client_id: str
    client_secret: str
    name: str
    rules: tuple[Rule, ...]
    scope: str = "openid profile"


class Person(NamedTuple):
    """Somebody who logged in at the provider, and `request`, for which they did. `at` in wall-clock seconds."""

    subject: str
    full_name: str
    role: str
    organization: str
    at: int
    request: str


class _Left(NamedTuple):
    """What is known of a login from leaving to coming back."""

    browser: str
    nonce: str
    verifier: str
    expires: int
    request: str


class Provider:
    """The provider as this gateway's users go there. `key` is the installation's; `clock` gives wall-clock seconds."""

    def __init__(
        self, upstream: Upstream, callback: str, key: bytes, clock: Callable[[], float], reach: Reach = Reach(), resolve: Resolve = resolve
    ) -> None:
        self.upstream, self._callback, self._clock, self._reach, self._resolve = upstream, callback, clock, reach, resolve
        self._seal = OctKey.import_key(hmac.digest(key, b"gateway upstream login", hashlib.sha256))
        self._key_sets = KeySets(clock, reach, resolve)
        self._own = httpx.BasicAuth(quote_plus(upstream.client_id), quote_plus(upstream.client_secret))  # RFC 6749 section 2.3.1
        self._configuration: Mapping[str, str] = {}
        self._known_until = float("-inf")

    async def leave(self, request: str, browser: str, **more: str) -> str:
        """Where to send the browser that has this cookie, to come back for this request; `more` are parameters such as prompt.

        Raises Invalid for a request that is too long, Unavailable where the provider cannot be asked.
        """
        if len(request) > LONGEST_REQUEST:
            raise Invalid(f"the app's request is too long to log in at {self.upstream.name}", advice="Log in here.")
        left = _Left(_digest(browser), secrets.token_urlsafe(32), secrets.token_urlsafe(48), int(self._clock()) + LASTS, request)
        state = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, json.dumps(left), self._seal)
        return str(
            prepare_grant_uri(
                (await self._known())["authorization_endpoint"],
                self.upstream.client_id,
                "code",
                self._callback,
                self.upstream.scope,
                state,
                nonce=left.nonce,
                code_challenge=create_s256_code_challenge(left.verifier),
                code_challenge_method="S256",
                **more,
            )
        )

    async def come_back(self, said: Mapping[str, str], browser: str) -> Person:
        """Who came back, with the parameters of the answer. Raises Forbidden where it does not hold, Unavailable where the provider is silent."""
        left = self._opened(said.get("state", ""), browser)
        known = await self._known()
        if said.get("iss", known["issuer"]) != known["issuer"]:  # RFC 9207: another provider's answer
            raise self._refused()
        if "code" not in said:
            raise Forbidden(f"the login at {self.upstream.name} was not completed", advice=_AGAIN)
        token = await self._redeem(known["token_endpoint"], said["code"], left.verifier)
        claims = self._checked(token, await self._key_sets.get(known["jwks_uri"], _key_id(token)))
        if not hmac.compare_digest(str(claims.get("nonce", "")), left.nonce):
            raise self._refused()
        rule = next((rule for rule in self.upstream.rules if _holds(claims.get(rule.claim), rule.value)), None)
        if rule is None:
            raise Forbidden(f"your account at {self.upstream.name} has no role here", advice="Ask the operator of this gateway.")
        at = claims.get("auth_time")
        at = at if isinstance(at, int) and not isinstance(at, bool) and 0 < at <= self._clock() else int(self._clock())
        return Person(claims["sub"], _name(claims), rule.role, rule.organization, at, left.request)

    def _opened(self, state: str, browser: str) -> _Left:
        """What was sealed in `state`, if this browser left with it, not long ago."""
        try:
            left = _Left(*json.loads(jwe.decrypt_compact(state, self._seal, algorithms=["dir", "A256GCM"]).plaintext or b""))
        except (JoseError, ValueError, TypeError):
            left = None
        if left is None or not browser or not hmac.compare_digest(left.browser, _digest(browser)) or left.expires < self._clock():
            raise Forbidden("this login was not begun in this browser, or too long ago", advice=_AGAIN)
        return left

    def _refused(self) -> Forbidden:
        return Forbidden(f"what {self.upstream.name} says of your login does not hold", advice=_AGAIN)

    # --- asking the provider ------------------------------------------------------------------------------------------

    async def _known(self) -> Mapping[str, str]:
        """Its configuration (OpenID Connect Discovery 1.0 section 4). It must be that of the very issuer that is configured."""
        if self._clock() >= self._known_until:
            status, told = await self._ask("GET", f"{self.upstream.issuer.rstrip('/')}/.well-known/openid-configuration")
            names = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
            if status != 200 or not all(isinstance(told.get(name), str) for name in names) or told["issuer"] != self.upstream.issuer:
                raise self._unreachable()
            for name in names[1:]:
                self._check_url(told[name])
            self._configuration, self._known_until = {name: told[name] for name in names}, self._clock() + KEPT
        return self._configuration

    async def _redeem(self, url: str, code: str, verifier: str) -> str:
        """The id_token for a code (section 3.1.3)."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._callback, "code_verifier": verifier}
        status, told = await self._ask("POST", url, data=form, auth=self._own)
        if status >= 500:
            raise self._unreachable()
        token = told.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise self._refused()
        return token

    async def _ask(self, method: str, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object of an answer, {} for none."""
        try:
            transport = Guarded(self._reach, self._resolve)
            async with asyncio.timeout(TIMEOUT), httpx.AsyncClient(transport=transport, follow_redirects=False, timeout=TIMEOUT) as client:
                answer = await client.request(method, url, headers={"Accept": "application/json"}, **more)
            told = parse_json(answer.content) if answer.content else {}
        except (httpx.HTTPError, OSError, ValueError, Malformed):
            raise self._unreachable() from None
        return answer.status_code, told if isinstance(told, dict) else {}

    def _check_url(self, url: str) -> None:
        try:
            check_url(url, self._reach)
        except Invalid:
            raise self._unreachable() from None

    def _unreachable(self) -> Unavailable:
        return Unavailable(f"{self.upstream.name} cannot be asked now", advice="Try again in a moment, or log in here.")

    # --- believing it -------------------------------------------------------------------------------------------------

    def _checked(self, token: str, key_set: str) -> dict[str, Any]:
        """The claims of an id_token that holds (section 3.1.3.7), but for its nonce."""
        key = _key(key_set, _key_id(token))
        try:
            signed = jws.deserialize_compact(token, key, registry=_REGISTRY) if key is not None else None
            claims = json.loads(signed.payload) if signed is not None and "crit" not in signed.headers() else None
        except (JoseError, ValueError, RecursionError):
            claims = None
        if not isinstance(claims, dict) or not self._is_ours(claims):
            raise self._refused()
        return claims

    def _is_ours(self, claims: Mapping[str, Any]) -> bool:
        audience, now = claims.get("aud"), self._clock()
        subject, expires, issued = claims.get("sub"), _number(claims.get("exp")), _number(claims.get("iat"))
        return (
            claims.get("iss") == self.upstream.issuer
            and audience in (self.upstream.client_id, [self.upstream.client_id])
            and claims.get("azp", self.upstream.client_id) == self.upstream.client_id
            and isinstance(subject, str)
            and 0 < len(subject) <= 255
            and subject.isprintable()
            and expires is not None
            and issued is not None
            and issued - LEEWAY <= now < expires + LEEWAY
        )


class _Registry(jws.JWSRegistry):
    """joserfc takes small headers and claims, which a provider's certificates and groups may exceed, and refuses header names it does not know."""

    max_header_length = 16_384
    max_payload_length = 65_536


_REGISTRY = _Registry(algorithms=[ALGORITHM], strict_check_header=False)


def _number(value: object) -> float | None:
    """A NumericDate (RFC 7519 section 2)."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _digest(browser: str) -> str:
    return access.digest(browser).hex()


def _key_id(token: str) -> str:
    """The kid that a token names, not yet believed; "" for none."""
    try:
        kid = jws.extract_compact(token.encode()).headers().get("kid", "")
    except (JoseError, ValueError):
        return ""
    return kid if isinstance(kid, str) else ""


def _key(key_set: str, kid: str) -> keys.PublicKey | None:
    """The one RSA key for signatures of this kid; of a token that names none, the only one (section 10.1)."""
    try:
        members = [key for key in keys.read_set(key_set) if key.get("kty") == "RSA" and key.get("use", "sig") == "sig"]
        found = [key for key in members if not kid or key.get("kid") == kid]
        return keys.public_key(found[0]) if len(found) == 1 and found[0].get("alg", ALGORITHM) == ALGORITHM else None
    except Invalid:
        return None


def _holds(claim: object, value: str) -> bool:
    return claim == value or (isinstance(claim, list) and value in claim)


def _name(claims: Mapping[str, Any]) -> str:
    """The person's name as the provider writes it, "" where it has none that can be shown."""
    said: Sequence[object] = (claims.get("name"), claims.get("preferred_username"))
    return next((text for one in said if isinstance(one, str) and one.isprintable() and (text := " ".join(one.split())[:200])), "")
