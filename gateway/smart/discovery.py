"""What the authorization server can do: .well-known/smart-configuration (SMART App Launch 2.2, "Conformance"). It says only what there is.

The answer is JSON whatever Accept says.
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Response

from gateway.smart import apps, clients, identity, keys, signing

AUTHORIZE, TOKEN, INTROSPECT, REVOKE = "/oauth/authorize", "/oauth/token", "/oauth/introspect", "/oauth/revoke"
REGISTER = "/oauth/register"

OPENID = "/.well-known/openid-configuration"
WELL_KNOWN = "/fhir/.well-known/smart-configuration"
STYLE = "/fhir/.well-known/smart-style.json"
_FORMS = (WELL_KNOWN, WELL_KNOWN + "/", "/fhir//.well-known/smart-configuration")  # a base with a trailing slash, joined without care


def token_url(base_url: str) -> str:
    """The token endpoint's URL: what an assertion's aud must be."""
    return base_url.rstrip("/") + TOKEN


def document(base_url: str, *, launch: bool = False, registration: bool = False) -> dict[str, Any]:
    """The configuration document for a gateway that is reached at `base_url`; with `launch`, people let apps in there; with `registration`, whoever
    is invited registers there."""
    base = base_url.rstrip("/")
    methods = ["private_key_jwt", *(["client_secret_basic"] if launch else [])]
    public = ["none"] if launch else []
    return {
        **({"issuer": base, "jwks_uri": base + signing.JWKS, "authorization_endpoint": base + AUTHORIZE} if launch else {}),
        **({"registration_endpoint": base + REGISTER} if registration else {}),
        "token_endpoint": token_url(base_url),
        "token_endpoint_auth_methods_supported": [*methods, *public],
        "token_endpoint_auth_signing_alg_values_supported": list(keys.ALGORITHMS),
        "grant_types_supported": ["client_credentials", *(["authorization_code", "refresh_token"] if launch else [])],
        **({"response_types_supported": ["code"], "response_modes_supported": ["query"]} if launch else {}),
        "introspection_endpoint": base + INTROSPECT,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": list(keys.ALGORITHMS),
        "revocation_endpoint": base + REVOKE,
        "revocation_endpoint_auth_methods_supported": [*methods, *public],
        "revocation_endpoint_auth_signing_alg_values_supported": list(keys.ALGORITHMS),
        "scopes_supported": [*(apps.DEFAULT_SCOPE.split() if launch else ()), *_system_scopes()],
        "code_challenge_methods_supported": ["S256"],  # required of every server, and of plain's absence
        "capabilities": [*(_LAUNCH if launch else ()), *_ALWAYS],
    }


_ALWAYS = ("client-confidential-asymmetric", "permission-v1", "permission-v2")
_LAUNCH = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
)
"""SMART App Launch 2.2, "Capabilities": those that truly work."""


LOOK = {
    "color_background": "#ffffff",
    "color_error": "#a3161f",
    "color_highlight": "#0b57a4",
    "color_modal_backdrop": "#00000080",
    "color_success": "#2e6b34",
    "color_text": "#1b2430",
    "dim_border_radius": "4px",
    "dim_font_size": "16px",
    "dim_spacing_size": "16px",
    "font_family_body": "system-ui, sans-serif",
    "font_family_heading": "system-ui, sans-serif",
}
"""How our pages look, for apps that want to look alike (SMART App Launch 2.2, "Styling")."""


def _system_scopes() -> list[str]:
    return list(dict.fromkeys(scope for role in clients.roles() for scope in clients.default_scope(role).split()))


def router(base_url: str, *, launch: bool = False, registration: bool = False) -> APIRouter:
    """The discovery document's route; with `launch` also that of the OpenID provider's configuration, next to the issuer."""
    told = document(base_url, launch=launch, registration=registration)
    routes = APIRouter()

    def add(body: bytes, *paths: str) -> None:
        async def configuration() -> Response:
            return Response(body, media_type="application/json", headers={"Cache-Control": "max-age=300"})

        for path in paths:
            routes.add_api_route(path, configuration, methods=["GET", "HEAD"], include_in_schema=path in (WELL_KNOWN, OPENID))

    add(orjson.dumps(told), *_FORMS)
    if launch:
        add(orjson.dumps(identity.provider(told)), OPENID, OPENID + "/")
        add(orjson.dumps(LOOK), STYLE)
    return routes
