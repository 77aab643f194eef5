"""Client authentication by a signed JWT: private_key_jwt as SMART App Launch 2.2 wants it ("Client Authentication: Asymmetric"; RFC 7523).

The order is: the text, the header, the claims, then the client and its key, the signature, and last the spending of the jti, so that
nothing is written for an assertion that does not hold. A reason never tells whether a client of that name exists.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from gateway.errors import Unauthorized
from gateway.smart import keys
from gateway.store.interface import ClientRow, Credentials

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE = 300  # seconds that exp may lie ahead
LEEWAY = 10  # seconds by which two honest clocks may differ
LONGEST = 16_384  # characters of an assertion
LONGEST_NAME = 256  # characters of iss, kid, jti

_SURROGATE = re.compile("[\ud800-\udfff]")

NO_KEY = "no registered client has a key that verifies the assertion"


class _Registry(jws.JWSRegistry):
    """joserfc takes headers of 512 bytes at most, which a jku may exceed, and refuses header names it does not know, which RFC 7515 forbids."""

    max_header_length = 4096
    max_payload_length = LONGEST
    max_signature_length = 2048  # characters: RSA of 8,192 bits is 1,366


_REGISTRY = _Registry(algorithms=list(keys.ALGORITHMS), strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion claims, not yet believed. Times are wall-clock seconds."""

    text: str
    algorithm: str
    key_id: str
    key_url: str  # jku; "" when absent
    client: str
    audience: str
    expires: float
    jti: str


def read(text: str, now: float) -> Assertion:
    """Read an assertion and check all that can be checked without knowing the client. Raises Unauthorized."""
    header, claims = _parts(text)
    _check_header(header)
    issuer, subject = _name(claims, "iss"), _name(claims, "sub")
    if issuer != subject:
        raise Unauthorized("iss and sub are not the same client", location="sub")
    return Assertion(
        text=text,
        algorithm=header["alg"],
        key_id=_name(header, "kid"),
        key_url=header.get("jku", ""),
        client=issuer,
        audience=_audience(claims),
        expires=_check_times(claims, now),
        jti=_name(claims, "jti"),
    )


def authenticate(assertion: Assertion, token_url: str, credentials: Credentials, key_set: Callable[[ClientRow], str]) -> ClientRow:
    """The registered client that signed the assertion, its jti spent. `key_set` gives a client's JSON Web Key Set ("" when it is
    not to be had). Raises Unauthorized.
    """
    if assertion.audience != token_url:
        raise Unauthorized("aud is not this server's token endpoint", location="aud")
    client = credentials.client(assertion.client)
    if client is None or client.revoked is not None:
        raise Unauthorized(NO_KEY)
    if assertion.key_url and assertion.key_url != client.jwks_url:
        raise Unauthorized("jku is not the registered key set's URL", location="jku")
    key = keys.find(key_set(client), assertion.key_id, assertion.algorithm)
    if key is None or not _signed(assertion, key):
        raise Unauthorized(NO_KEY)
    if not credentials.spend_jti(client.id, assertion.jti, math.ceil(assertion.expires) + LEEWAY):
        raise Unauthorized("the assertion was used before", location="jti")
    return client


def sign(private_jwk: Mapping[str, Any], client_id: str, token_url: str, now: float, life: int = 120) -> str:
    """An assertion for a client that is ours: the demo's agencies, and the gateway where an EHR asks it who it is."""
    key = keys.private_key(private_jwk)
    algorithm = next(name for name, kind in keys.ALGORITHMS.items() if kind == private_jwk["kty"])
    header = {"alg": algorithm, "typ": "JWT", "kid": private_jwk["kid"]}
    claims = {"iss": client_id, "sub": client_id, "aud": token_url, "iat": int(now), "exp": int(now) + life, "jti": str(uuid4())}
    return jws.serialize_compact(header, json.dumps(claims), key, registry=_REGISTRY)


def _signed(assertion: Assertion, key: keys.PublicKey) -> bool:
    try:
        jws.deserialize_compact(assertion.text, key, registry=_REGISTRY)
    except (JoseError, ValueError):
        return False
    return True


def _parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    segments = text.split(".")
    if len(text) > LONGEST or len(segments) != 3 or not text.isascii():
        raise Unauthorized("the assertion is not a signed JWT", location="client_assertion")
    return _object(segments[0]), _object(segments[1])


def _object(segment: str) -> dict[str, Any]:
    """The JSON object in a segment. Doubled names, NaN and Infinity are refused: two readers must not see two things."""
    try:
        value = json.loads(urlsafe_b64decode(segment.encode()), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Unauthorized("the assertion is not a signed JWT", location="client_assertion")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) != len({name for name, _ in pairs}):
        raise ValueError
    return dict(pairs)


def _no_constant(_: str) -> None:
    raise ValueError


def _check_header(header: Mapping[str, Any]) -> None:
    if header.get("alg") not in tuple(keys.ALGORITHMS):
        raise Unauthorized("alg is neither ES384 nor RS384", location="alg")
    if header.get("typ") != "JWT":
        raise Unauthorized("typ is not JWT", location="typ")
    if "crit" in header or "b64" in header:  # extensions that this server does not know, RFC 7515 section 4.1.11
        raise Unauthorized("the header names a critical extension", location="crit")
    if "jku" in header and not (isinstance(header["jku"], str) and header["jku"]):
        raise Unauthorized("jku is not a URL", location="jku")


def _name(values: Mapping[str, Any], name: str) -> str:
    """A name that a store can hold: a JSON string may be half a surrogate pair, which is no text."""
    value = values.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_NAME or _SURROGATE.search(value):
        raise Unauthorized(f"{name} is missing, empty or too long", location=name)
    return value


def _audience(claims: Mapping[str, Any]) -> str:
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str):
        raise Unauthorized("aud is not one URL", location="aud")
    return audience


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    """The moment of expiry. Times are NumericDate (RFC 7519 section 2): finite numbers."""
    expires = _time(claims, "exp")
    if expires is None:
        raise Unauthorized("exp is missing", location="exp")
    if expires + LEEWAY <= now:
        raise Unauthorized("the assertion has expired", location="exp")
    if expires > now + LONGEST_LIFE + LEEWAY:
        raise Unauthorized("exp lies more than five minutes ahead", location="exp")
    not_before, issued = _time(claims, "nbf"), _time(claims, "iat")
    if not_before is not None and not_before > now + LEEWAY:
        raise Unauthorized("the assertion is not valid yet", location="nbf")
    if issued is not None and not issued - LEEWAY <= min(now, expires):
        raise Unauthorized("iat lies in the future or after exp", location="iat")
    return expires


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value < 2**53:
        raise Unauthorized(f"{name} is not a time in seconds", location=name)
    return float(value)
