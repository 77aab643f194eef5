"""Who the user is, as OpenID Connect says it: the id_token and the provider's configuration (OpenID Connect Core 1.0, Discovery 1.0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.smart import signing
from gateway.store.app_grants import GrantRow
from gateway.store.users import UserRow

LIFE = 3600
"""Seconds that an id_token holds."""

Claims = dict[str, Any]


class Issuer(NamedTuple):
    """Who issues and signs. `url` is where the gateway is reached, without a slash at its end."""

    url: str
    sign: Callable[[Mapping[str, Any]], str]

    @property
    def fhir_url(self) -> str:
        """The FHIR base."""
        return f"{self.url}/fhir"

    def fhir_user(self, user: UserRow) -> str:
        """Where the user's Practitioner is read."""
        return f"{self.fhir_url}/Practitioner/{user.practitioner}"


def id_token(issuer: Issuer, grant: GrantRow, user: UserRow, nonce: str, now: float) -> str:
    """A signed id_token for the grant's client."""
    claims: Claims = {
        "iss": issuer.url,
        "sub": user.id,
        "aud": grant.client,
        "iat": int(now),
        "exp": int(now) + LIFE,
        "auth_time": grant.authenticated,
    }
    if nonce:
        claims["nonce"] = nonce
    if {"fhirUser", "profile"} & set(grant.scopes.split()):
        claims["fhirUser"] = issuer.fhir_user(user)
    return issuer.sign(claims)


def provider(configuration: Mapping[str, Any]) -> Claims:
    """The OpenID provider's configuration: what the SMART configuration says of the same endpoints, and what is said of id_tokens."""
    shared = {name: value for name, value in configuration.items() if name != "capabilities"}
    return {
        **shared,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [signing.ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
