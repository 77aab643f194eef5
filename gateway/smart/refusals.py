"""What the authorization server answers where it cannot answer now: RFC 6749 has no word of its own for that at its token endpoint."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from gateway.errors import GatewayError


def refusal(error: GatewayError, code: str = "temporarily_unavailable") -> Response:
    """A failure as an OAuth error (RFC 6749 section 5.2), with the time to wait where there is one."""
    body = {"error": code, "error_description": error.message}
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache", **({"Retry-After": str(error.wait)} if error.wait else {})}
    if error.challenge:
        headers["WWW-Authenticate"] = error.challenge
    return Response(orjson.dumps(body), error.status, headers, media_type="application/json")
