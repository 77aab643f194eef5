"""The issuer's keys: what this server signs (id_tokens; access tokens are opaque), and what it publishes for others to check.

RS256 alone, because that is what clients need: OpenID Connect Core 1.0 section 15.1 requires it of every provider, it is what a client expects
that registered nothing else, SMART's conformance tests accept nothing else, and nobody reads a second algorithm that is on offer.

A new key signs at once. The one before it stays published until the last token that it signed has ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from fastapi import APIRouter, Response
from joserfc import jws
from joserfc.jwk import RSAKey
from starlette.concurrency import run_in_threadpool

from gateway.smart.keys import Jwk
from gateway.store.signing_keys import SigningKeyRow, SigningKeys

ALGORITHM = "RS256"
BITS = 2048
LONGEST_LIFE = 3600  # seconds that a signed token may live
LEEWAY = 60  # seconds for which a client may hold an ended token to be good
JWKS = "/oauth/jwks.json"


class Signer:
    """Signs for the issuer. Synchronous, like the store: call it in a thread. `clock` gives wall-clock seconds."""

    def __init__(self, keys: SigningKeys, clock: Callable[[], float]) -> None:
        self._keys, self._clock = keys, clock

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A signed JWT. `exp` is at most LONGEST_LIFE ahead: a rotated key is published no longer."""
        if not self._clock() < claims["exp"] <= self._clock() + LONGEST_LIFE:
            raise ValueError("exp does not lie within the life of a signed token")
        key = self._current()
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.kid}
        return jws.serialize_compact(header, json.dumps(claims), _imported(key.private), algorithms=[ALGORITHM])

    def public_jwks(self) -> dict[str, list[Jwk]]:
        """The published JSON Web Key Set (RFC 7517 section 5), the key that signs first."""
        self._current()
        return {"keys": [json.loads(key.public) for key in self.published()]}

    def published(self) -> list[SigningKeyRow]:
        """The keys by which some token may still be checked, the newest first."""
        rows = self._keys.all()
        return [row for row, ended in zip(rows, _ends(rows), strict=True) if ended is None or self._clock() < ended + LONGEST_LIFE + LEEWAY]

    def rotate(self, *, compromised: bool = False) -> SigningKeyRow:
        """Make a new key, which signs from now on. `compromised`: no other key is published any more, and what they signed is worth nothing."""
        known = {row.kid for row in self._keys.all()}
        kept = set() if compromised else {row.kid for row in self.published()}
        self._add()
        self._keys.drop(sorted(known - kept))
        return self._keys.all()[0]

    def _current(self) -> SigningKeyRow:
        """The newest key. Two processes that make the first one at once agree on which it is."""
        rows = self._keys.all()
        if not rows:
            self._add()
            rows = self._keys.all()
        return rows[0]

    def _add(self) -> None:
        key = RSAKey.generate_key(BITS, {"alg": ALGORITHM, "use": "sig"}, auto_kid=True)
        public, private = (json.dumps(key.as_dict(private=secret)) for secret in (False, True))
        self._keys.add(SigningKeyRow(str(key.kid), int(self._clock()), public, private))


def _ends(rows: list[SigningKeyRow]) -> list[int | None]:
    """When each key ceased to sign: when the next newer one was made; None for the one that signs."""
    return [None, *(row.created for row in rows)][: len(rows)]


@lru_cache(maxsize=4)
def _imported(private: str) -> RSAKey:
    """A key made ready for signing: reading it costs as much as using it."""
    return RSAKey.import_key(json.loads(private))


def router(signer: Signer) -> APIRouter:
    """The published key set's route."""
    routes = APIRouter()

    async def key_set() -> Response:
        body = orjson.dumps(await run_in_threadpool(signer.public_jwks))
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-cache"})  # whoever meets a new kid asks again

    routes.add_api_route(JWKS, key_set, methods=["GET", "HEAD"])
    return routes
