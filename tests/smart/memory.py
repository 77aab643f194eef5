"""Credentials in memory, and a small world around them: a gateway's authorization server with registered clients and a clock that tests set."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from gateway.errors import GatewayError
from gateway.smart import access, clients, discovery, endpoints
from gateway.smart.cors import Cors, Origins
from gateway.smart.jwks import KeySets
from gateway.smart.outbound import Reach
from gateway.store.interface import ClientRow, TokenRow

BASE = "https://gateway.example.org"
TOKEN_URL = "https://gateway.example.org/oauth/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = "application/x-www-form-urlencoded"
NOW = 1_790_000_000

ES = ECKey.generate_key("P-384", {"kid": "es-1", "alg": "ES384"})
RS = RSAKey.generate_key(2048, {"kid": "rs-1", "alg": "RS384"})
OTHER = ECKey.generate_key("P-384", {"kid": "es-1", "alg": "ES384"})
JWKS = json.dumps({"keys": [ES.as_dict(private=False), RS.as_dict(private=False)]})


class MemoryCredentials:
    """The Credentials protocol without a disk."""

    def __init__(self) -> None:
        self.rows: dict[str, ClientRow] = {}
        self.tokens: dict[bytes, TokenRow] = {}
        self.spent: dict[tuple[str, str], int] = {}
        self.lock = threading.Lock()

    def add_client(self, client: ClientRow) -> None:
        self.rows[client.id] = client

    def client(self, id: str) -> ClientRow | None:
        return self.rows.get(id)

    def clients(self) -> list[ClientRow]:
        return list(self.rows.values())

    def revoke_client(self, id: str, at: int) -> bool:
        if id not in self.rows or self.rows[id].revoked is not None:
            return False
        self.rows[id] = replace(self.rows[id], revoked=at)
        return True

    def spend_jti(self, client: str, jti: str, keep_until: int) -> bool:
        with self.lock:
            if (client, jti) in self.spent:
                return False
            self.spent[client, jti] = keep_until
            return True

    def add_token(self, token: TokenRow) -> None:
        self.tokens[token.digest] = token

    def token(self, digest: bytes) -> TokenRow | None:
        return self.tokens.get(digest)

    def revoke_token(self, digest: bytes) -> bool:
        return self.tokens.pop(digest, None) is not None


class World:
    """An app with the smart routers and one protected route per call; `now` is the wall clock."""

    def __init__(self, reach: Reach = Reach(), addresses: dict[str, list[str]] | None = None) -> None:
        self.now: float = NOW
        self.credentials = MemoryCredentials()
        self.reach = reach
        self.addresses = addresses or {}
        self.resolved: list[str] = []
        self.register("river", organization="river-cmhc", jwks=JWKS)
        self.app = self._app()

    def register(self, id: str, **about: Any) -> ClientRow:
        return clients.register(self.credentials, id=id, now=self.now, reach=self.reach, **about)

    async def resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        if host not in self.addresses:
            raise OSError
        return self.addresses[host]

    def _app(self) -> FastAPI:
        app = FastAPI()

        def clock() -> float:
            return self.now

        key_sets = KeySets(clock, self.reach, self.resolve)
        app.include_router(endpoints.router(self.credentials, base_url=BASE, clock=clock, key_sets=key_sets))
        app.include_router(discovery.router(BASE))
        app.add_middleware(Cors, registered=Origins(self.credentials, clock))
        caller = access.bearer(self.credentials, clock)

        @app.get("/fhir/{type}")
        async def search(type: str, who: access.Caller = Depends(caller)) -> dict[str, Any]:
            return {"constraints": access.require(who, type, "s"), "recipient": who.recipient}

        @app.exception_handler(GatewayError)
        async def failed(request: Request, error: GatewayError) -> Response:
            headers = {"WWW-Authenticate": error.challenge} if error.challenge else {}
            return JSONResponse({"message": error.message}, error.status, headers)

        return app

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE)

    def assertion(
        self, key: ECKey | RSAKey | OctKey = ES, *, header: dict[str, Any] | None = None, without: tuple[str, ...] = (), **claims: Any
    ) -> str:
        """A good assertion of client river, but for what is said."""
        kind = "RS384" if isinstance(key, RSAKey) else "ES384"
        head = {"alg": kind, "typ": "JWT", "kid": key.kid, **(header or {})}
        body = {"iss": "river", "sub": "river", "aud": TOKEN_URL, "exp": int(self.now) + 300, "jti": str(uuid4()), **claims}
        head = {name: value for name, value in head.items() if name not in without}
        body = {name: value for name, value in body.items() if name not in without}
        registry = jws.JWSRegistry(algorithms=[head.get("alg", kind), "none"], strict_check_header=False)
        registry.max_header_length = 4096
        return jws.serialize_compact({"alg": kind, **head}, json.dumps(body), key, registry=registry)

    def form(self, assertion: str | None = None, **changes: str | None) -> dict[str, str]:
        good = {
            "grant_type": "client_credentials",
            "scope": "system/Task.rus",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion if assertion is not None else self.assertion(),
        }
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    async def ask(self, assertion: str | None = None, **changes: str | None) -> httpx.Response:
        """Ask for a token."""
        async with self.http() as http:
            return await http.post("/oauth/token", data=self.form(assertion, **changes))

    async def token(self, **changes: str | None) -> str:
        answer = await self.ask(**changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def search(self, type: str, token: str) -> httpx.Response:
        async with self.http() as http:
            return await http.get(f"/fhir/{type}", headers={"Authorization": f"Bearer {token}"})
