"""Clients' keys as data: which public keys are taken, which one an assertion names, and new key pairs.

Taken are RSA of 2,048 to 8,192 bits for RS384 and P-384 for ES384 (SMART App Launch 2.2, "Client Authentication: Asymmetric").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import base64_to_int

from gateway.errors import Invalid

ALGORITHMS: Mapping[str, str] = {"ES384": "EC", "RS384": "RSA"}
"""The signature algorithms that are taken, and the key type (kty) each needs."""

PublicKey = ECKey | RSAKey
Jwk = dict[str, Any]

SMALLEST_RSA, LARGEST_RSA = 2048, 8192  # bits; above, a check costs an attacker nothing and us much
SMALLEST_EXPONENT, LARGEST_EXPONENT = 65537, 2**32
LARGEST_SET = 65_536  # characters
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 sections 6.2.2, 6.3.2, 6.4.1


def read_set(text: str) -> tuple[Jwk, ...]:
    """The members of a JSON Web Key Set that holds nothing secret. Raises Invalid."""
    if len(text) > LARGEST_SET:
        raise Invalid("the key set is too large", location="jwks")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("the key set is not JSON", location="jwks") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise Invalid('the key set is not {"keys": [...]}', location="jwks")
    for place, key in enumerate(keys):
        if PRIVATE_MEMBERS & key.keys():
            raise Invalid(
                "the key set holds a private or shared key", location=f"jwks.keys[{place}]", advice="Give public keys only, and change this one."
            )
    return tuple(keys)


def check_set(text: str) -> None:
    """Whether a set may be registered: public, every signing key fit for use, no two of one kid and kind. Raises Invalid."""
    names: set[tuple[str, str]] = set()
    for place, key in enumerate(read_set(text)):
        if key.get("kty") not in ALGORITHMS.values() or key.get("use") == "enc":
            continue
        where = f"jwks.keys[{place}]"
        kid = key.get("kid")
        if not isinstance(kid, str) or not kid:
            raise Invalid("a key has no kid", location=where)
        if (kid, key["kty"]) in names:
            raise Invalid("two keys of one kid and kind", location=where)
        names.add((kid, key["kty"]))
        public_key(key, where)
    if not names:
        raise Invalid("the key set has no key for ES384 or RS384", location="jwks")


def find(text: str, kid: str, algorithm: str) -> PublicKey | None:
    """The one key of this kid and of the algorithm's kind; None if there is none or more than one, or it may not be used so."""
    return _usable(text).get((kid, ALGORITHMS[algorithm]))


@lru_cache(maxsize=256)
def _usable(text: str) -> dict[tuple[str, str], PublicKey | None]:
    """The keys of a set by kid and kind. Remembered: importing a key costs as much as using it, and a client's set seldom changes."""
    found: dict[tuple[str, str], PublicKey | None] = {}
    try:
        members = read_set(text)
    except Invalid:
        members = ()
    for key in members:
        name = (str(key.get("kid", "")), str(key.get("kty")))
        found[name] = None if name in found else _for_signatures(key)
    return found


def _for_signatures(key: Jwk) -> PublicKey | None:
    algorithm = next((name for name, kind in ALGORITHMS.items() if kind == key.get("kty")), None)
    operations = key.get("key_ops", ["verify"])
    if algorithm is None or key.get("alg", algorithm) != algorithm or key.get("use", "sig") != "sig":
        return None
    try:
        return public_key(key) if isinstance(operations, list) and "verify" in operations else None
    except Invalid:
        return None


def public_key(key: Jwk, where: str = "jwks") -> PublicKey:
    """A key made ready for checking signatures. Raises Invalid for a weak or broken one."""
    try:
        if key.get("kty") == "EC":
            return _elliptic(key, where)
        return _rsa(key, where)
    except (JoseError, ValueError, KeyError, TypeError):
        raise Invalid("a key is broken", location=where) from None


def _elliptic(key: Jwk, where: str) -> ECKey:
    if key.get("crv") != "P-384":
        raise Invalid("an elliptic key must be of the curve P-384 (ES384)", location=where)
    return ECKey.import_key(key)


def _rsa(key: Jwk, where: str) -> RSAKey:
    size = base64_to_int(key["n"]).bit_length()
    if not SMALLEST_RSA <= size <= LARGEST_RSA:
        raise Invalid("an RSA key must have 2,048 to 8,192 bits (RS384)", location=where)
    if not SMALLEST_EXPONENT <= base64_to_int(key["e"]) <= LARGEST_EXPONENT:
        raise Invalid("an RSA key has an unusual exponent", location=where)
    return RSAKey.import_key(key)


def new_pair() -> tuple[Jwk, Jwk]:
    """A new ES384 key: the private JWK, to keep, and the public JSON Web Key Set, to register. The kid is the key's thumbprint (RFC 7638)."""
    key = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)
    return dict(key.as_dict(private=True)), {"keys": [dict(key.as_dict(private=False))]}


def private_key(jwk: Mapping[str, Any]) -> PublicKey:
    """A private JWK made ready for signing. Raises Invalid for one that RS384 and ES384 cannot use."""
    if "d" not in jwk:
        raise Invalid("the key is not a private key", location="key")
    public_key({name: value for name, value in jwk.items() if name not in PRIVATE_MEMBERS | {"key_ops"}}, "key")
    try:
        return ECKey.import_key(dict(jwk)) if jwk["kty"] == "EC" else RSAKey.import_key(dict(jwk))
    except (JoseError, ValueError, KeyError, TypeError):
        raise Invalid("the key is broken", location="key") from None


def key_bytes(jwk: Mapping[str, Any]) -> bytes:
    """A JWK, or a set of them, as the text of a file."""
    return json.dumps(jwk, indent=2).encode() + b"\n"
