"""A small OpenID provider on a real server: a county's login. It is as good, or as bad, as a test wants it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "gateway", "s3cret/with:marks+and more"
KEY = RSAKey.generate_key(2048, {"kid": "county-1", "use": "sig"})
STRANGERS = RSAKey.generate_key(2048, {"kid": "county-1", "use": "sig"})
ANN = {"sub": "Ann-77", "name": "Ann Case-Manager", "groups": ["staff", "river-team"]}

Claims = dict[str, Any]


class Login:
    """`person` is who is at the keyboard there; `spoil` changes claims before they are signed, `sign` signs."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.issuer = ""
        self.person: Claims = dict(ANN)
        self.spoil: Callable[[Claims], None] = lambda claims: None
        self.sign: Callable[[Claims], str] = signed
        self.keys: list[Claims] = [{**KEY.as_dict(private=False), "alg": "RS256"}]
        self.configuration: Claims = {}
        self.answer: Claims = {}  # parameters added to where the browser is sent back
        self.status = 200  # of the token endpoint
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/county/.well-known/openid-configuration")
        def configuration() -> Response:
            known = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", "id_token_signing_alg_values_supported": ["RS256"]}
            ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token")}
            return JSONResponse({**known, **ends, **self.configuration})

        @app.get("/county/keys")
        def keys() -> Response:
            return JSONResponse({"keys": self.keys}, headers={"Cache-Control": "no-cache"})

        @app.get("/county/authorization")
        def authorization(request: Request) -> Response:
            asked = dict(request.query_params)
            self.asked.append(asked)
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked
            told = {"code": code, "state": asked["state"], **self.answer}
            return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({name: value for name, value in told.items() if value is not None})}", 302)

        @app.post("/county/token")
        async def token(request: Request) -> Response:
            if self.status != 200:
                return JSONResponse({"error": "server_error"}, self.status)
            form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
            asked = self._codes.pop(form["code"], None)
            if asked is None or not self._may_redeem(form, asked, request.headers.get("authorization", "")):
                return JSONResponse({"error": "invalid_grant"}, 400)
            claims = {"iss": self.issuer, "aud": CLIENT, "iat": int(self.now()), "exp": int(self.now()) + 300, "nonce": asked["nonce"], **self.person}
            self.spoil(claims)
            return JSONResponse({"access_token": "x", "token_type": "bearer", "id_token": self.sign(claims)})

        return app

    def _may_redeem(self, form: dict[str, str], asked: dict[str, str], authorization: str) -> bool:
        """RFC 6749 section 4.1.3, RFC 7636 section 4.6; the secret form-encoded, as section 2.3.1 has it."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        own = base64.b64encode(b"gateway:s3cret%2Fwith%3Amarks%2Band+more").decode()
        return challenge == asked["code_challenge"] and form["redirect_uri"] == asked["redirect_uri"] and authorization == f"Basic {own}"


def signed(claims: Claims, key: RSAKey | OctKey = KEY, **header: str) -> str:
    """By RS256, or as the header says."""
    head = {"alg": "RS256", "kid": "county-1", **header}
    return jws.serialize_compact(head, json.dumps(claims), key, algorithms=[head["alg"]])


@contextmanager
def a_login(now: Callable[[], float]) -> Iterator[Login]:
    """The provider, served."""
    login = Login(now)
    listening = socket.create_server(("127.0.0.1", 0))
    login.issuer = f"http://127.0.0.1:{listening.getsockname()[1]}/county"
    server = uvicorn.Server(uvicorn.Config(login.app(), log_config=None, lifespan="off", ws="none"))
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield login
    finally:
        server.should_exit = True
        thread.join()
