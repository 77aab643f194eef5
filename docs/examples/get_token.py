"""Prints an access token: SMART backend services in one request, for any system that has a key registered with the gateway.

    .venv/bin/python docs/examples/get_token.py KEY.jwk CLIENT-ID http://127.0.0.1:8080 "system/Task.rus system/Patient.rs"

It needs httpx and joserfc alone, and nothing of the gateway.
"""

import json
import sys
import time
import uuid
from pathlib import Path

import httpx
from joserfc import jwt
from joserfc.jwk import JWKRegistry

key_file, client, gateway, scope = sys.argv[1:]
key = json.loads(Path(key_file).read_text("utf-8"))
token_url = httpx.get(f"{gateway}/fhir/.well-known/smart-configuration").raise_for_status().json()["token_endpoint"]
now = int(time.time())
assertion = jwt.encode(
    {"alg": key["alg"], "kid": key["kid"], "typ": "JWT"},
    {"iss": client, "sub": client, "aud": token_url, "iat": now, "exp": now + 240, "jti": str(uuid.uuid4())},
    JWKRegistry.import_key(key),
    algorithms=[key["alg"]],
)
answer = httpx.post(
    token_url,
    data={
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
        "scope": scope,
    },
)
if answer.status_code != httpx.codes.OK:
    sys.exit(f"{answer.status_code} {answer.text}")
print(answer.json()["access_token"])
