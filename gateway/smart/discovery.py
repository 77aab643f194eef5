"""What the authorization server can do: .well-known/smart-configuration (SMART App Launch 2.2, "Conformance"). It says only what there is.

The answer is JSON whatever Accept says.
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Response

from gateway.smart import clients, keys

TOKEN, INTROSPECT, REVOKE = "/oauth/token", "/oauth/introspect", "/oauth/revoke"

WELL_KNOWN = "/fhir/.well-known/smart-configuration"
_FORMS = (WELL_KNOWN, WELL_KNOWN + "/", "/fhir//.well-known/smart-configuration")  # a base with a trailing slash, joined without care


def token_url(base_url: str) -> str:
    """The token endpoint's URL: what an assertion's aud must be."""
    return base_url.rstrip("/") + TOKEN


def document(base_url: str) -> dict[str, Any]:
    """The configuration document for a gateway that is reached at `base_url`."""
    base = base_url.rstrip("/")
    return {
        "token_endpoint": token_url(base_url),
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(keys.ALGORITHMS),
        "grant_types_supported": ["client_credentials"],
        "introspection_endpoint": base + INTROSPECT,
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": list(keys.ALGORITHMS),
        "revocation_endpoint": base + REVOKE,
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(keys.ALGORITHMS),
        "scopes_supported": _scopes(),
        "code_challenge_methods_supported": ["S256"],  # required of every server, and of plain's absence
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    }


def _scopes() -> list[str]:
    return list(dict.fromkeys(scope for role in clients.roles() for scope in clients.default_scope(role).split()))


def router(base_url: str) -> APIRouter:
    """The discovery document's route."""
    body = orjson.dumps(document(base_url))
    routes = APIRouter()

    async def configuration() -> Response:
        return Response(body, media_type="application/json", headers={"Cache-Control": "max-age=300"})

    for path in _FORMS:
        routes.add_api_route(path, configuration, methods=["GET", "HEAD"], include_in_schema=path == WELL_KNOWN)
    return routes
