"""A town for app launch: a real store with two agencies' clients, an authorization server with its pages, the FHIR API behind it, and a browser."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from prometheus_client import CollectorRegistry

from gateway.api.access import view
from gateway.api.edge import guard
from gateway.api.router import api
from gateway.pipeline.own import practitioner
from gateway.pipeline.partitions import put_shared
from gateway.privacy.audit import Disclosure
from gateway.smart import access, authorize, clients, discovery, endpoints, launches, users
from gateway.smart.entrance import FAILURES, WINDOW, Entrance
from gateway.smart.identity import Issuer
from gateway.smart.jwks import KeySets
from gateway.smart.throttle import Throttle
from gateway.store.interface import ALL, ClientRow, Store
from gateway.store.users import UserRow
from tests.api.gateway_api import BASE, Bench, bench

CALLBACK = "https://app.example.org/callback"
FHIR = f"{BASE}/fhir"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
PASSWORD = "correct horse battery"
NOW = 1_790_000_000
SIGNING = RSAKey.generate_key(2048, {"kid": "s", "alg": "RS256"})
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashing as it is meant takes longer than all the rest of a test; one test looks at what it takes."""
APP_KEY = ECKey.generate_key("P-384", {"kid": "app", "alg": "ES384"})

PROBLEM = "http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item"
EVERYTHING = "launch/patient openid fhirUser offline_access patient/*.rs"


def patient(id: str, family: str) -> dict[str, Any]:
    number = {"system": "urn:oid:1.2.3", "value": f"MR-{id}"}
    return {"resourceType": "Patient", "id": id, "identifier": [number], "name": [{"family": family, "given": ["Ann"]}], "birthDate": "1990-02-01"}


def condition(id: str, whose: str, category: str = "problem-list-item") -> dict[str, Any]:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": category}
    about = {"reference": f"Patient/{whose}"}
    return {"resourceType": "Condition", "id": id, "category": [{"coding": [coding]}], "code": {"text": "Low mood"}, "subject": about}


def encounter(id: str, whose: str) -> dict[str, Any]:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    about = {"reference": f"Patient/{whose}"}
    return {"resourceType": "Encounter", "id": id, "status": "in-progress", "class": kind, "type": [{"text": "Inpatient"}], "subject": about}


class Town:
    """`now` is the wall clock. River has Doe (p1) and Roe (p2), oak has Poe (p3)."""

    upstream = ""  # what the OpenID provider is called at which people log in as well

    def __init__(self, made: Bench) -> None:
        self.bench, self.store = made, made.store
        self.now: float = NOW
        self.disclosed: list[Disclosure] = made.disclosed
        made.put((ALL, "river"), patient("p1", "Doe"), patient("p2", "Roe"), condition("c1", "p1"), condition("c2", "p1", "encounter-diagnosis"))
        made.put((ALL, "river"), condition("c3", "p2"))
        made.put((ALL, "oak"), patient("p3", "Poe"), condition("c4", "p3"))
        self.ann = self.user("ann", "agency", "river")
        self.register("app", public=True)
        self.app = self._app()

    def user(self, name: str, role: str, organization: str = "") -> UserRow:
        row = users.add(self.store.credentials.users, name=name, role=role, organization=organization, password=PASSWORD, now=self.now)
        own = practitioner(row)
        assert own is not None
        with self.store.write(self.bench.now) as writer:
            put_shared(writer, "~", [own], always=True)
        return row

    def register(self, id: str, **about: Any) -> ClientRow:
        return clients.register(self.store.credentials, **{"id": id, "redirect_uris": (CALLBACK,), "now": self.now, **about})

    def launch(self, client: str, patient: str, encounter: str = "") -> str:
        """The handle of a launch that somebody began here."""
        row = self.store.credentials.client(client)
        assert row is not None
        url = launches.begin(self.store.credentials, row, FHIR, patient, encounter, self.now)
        return parse_qs(urlsplit(url).query)["launch"][0]

    def clock(self) -> float:
        return self.now

    def _sign(self, claims: Any) -> str:
        return jws.serialize_compact({"alg": "RS256", "kid": "s"}, json.dumps(claims), SIGNING, algorithms=["RS256"])

    def _app(self) -> FastAPI:
        def authenticate(header: str | None) -> access.Caller:
            return access.authenticate(header, self.store.credentials, self.now)

        services = replace(self.bench.services, authenticate=authenticate, registry=CollectorRegistry())
        app = FastAPI(openapi_url=None)
        self.throttle = Throttle(FAILURES, WINDOW, self.clock)
        self.entrance = Entrance(self.store, b"k" * 32, FHIR, self.clock, services.audit, self.throttle, self.upstream)
        app.include_router(authorize.router(self.entrance))
        issuer, sets = Issuer(BASE, self._sign), KeySets(self.clock)
        app.include_router(endpoints.router(self.store.credentials, base_url=BASE, clock=self.clock, key_sets=sets, issuer=issuer))
        app.include_router(discovery.router(BASE, launch=True))
        app.include_router(api(services))
        guard(app, services.registry)
        return app

    def browser(self) -> Browser:
        return Browser(self)

    # what an app does

    def token(self, **form: str) -> httpx.Response:
        headers = {"Authorization": form.pop("authorization")} if "authorization" in form else {}
        return self.browser().send("POST", "/oauth/token", data=form, headers=headers)

    def redeem(self, code: str, **changes: str) -> httpx.Response:
        good = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": "app", "code_verifier": VERIFIER}
        return self.token(**{name: value for name, value in {**good, **changes}.items() if value})

    def refresh(self, token: str, **changes: str) -> httpx.Response:
        return self.token(**{"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", **changes})

    def get(self, path: str, token: str) -> httpx.Response:
        return self.browser().send("GET", path, headers={"Authorization": f"Bearer {token}"})

    def ids(self, path: str, token: str) -> set[str]:
        answer = self.get(path, token)
        assert answer.status_code == 200, answer.text
        return {entry["resource"]["id"] for entry in answer.json().get("entry", [])}

    def launched(self, scope: str = EVERYTHING, patient: str = "p1", **asked: str) -> dict[str, Any]:
        """The token answer of a launch in which ann allows everything."""
        code = self.browser().code(scope=scope, patient=patient, **asked)
        answer = self.redeem(code)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def request(**changes: str) -> dict[str, str]:
    """A good authorization request, but for what is said; "" leaves out."""
    good = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": CALLBACK,
        "scope": EVERYTHING,
        "state": "st&te",
        "aud": FHIR,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in {**good, **changes}.items() if value}


class Browser:
    """Keeps cookies, follows no redirect by itself, and fills in forms."""

    def __init__(self, town: Town) -> None:
        self.town, self.cookies = town, httpx.Cookies()

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.town.app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=self.cookies) as http:
                answer = await http.request(method, path, **more)
                self.cookies = http.cookies
                return answer

        return asyncio.run(ask())

    def authorize(self, method: str = "GET", **changes: str) -> httpx.Response:
        if method == "POST":
            return self.send("POST", "/oauth/authorize", data=request(**changes))
        return self.send("GET", f"/oauth/authorize?{urlencode(request(**changes))}")

    def submit(self, page: httpx.Response, action: str, **fields: Any) -> httpx.Response:
        """A form of the page, with its hidden fields and these; then where it redirects to, as long as that is here."""
        answer = self.send("POST", action, data={**hidden(page, action), **fields}, headers={"Sec-Fetch-Site": "same-origin"})
        while answer.is_redirect and answer.headers["location"].startswith("/"):
            answer = self.send("GET", answer.headers["location"])
        return answer

    def log_in(self, page: httpx.Response, name: str = "ann", password: str = PASSWORD) -> httpx.Response:
        return self.submit(page, "/oauth/login", name=name, password=password)

    def consent_page(self, name: str = "ann", patient: str = "p1", **asked: str) -> httpx.Response:
        """What the user sees after logging in and, where it is asked, choosing a patient."""
        page = self.authorize(**asked)
        if 'action="/oauth/login"' in page.text:
            page = self.log_in(page, name)
        if 'action="/oauth/choose"' in page.text:
            page = self.submit(page, "/oauth/choose", patient=patient)
        return page

    def allow(self, page: httpx.Response, without: tuple[str, ...] = (), parts: tuple[str, ...] = ()) -> httpx.Response:
        kept = [scope for scope in offered(page) if scope not in without] + list(parts)
        return self.submit(page, "/oauth/consent", decision="allow", scope=kept)

    def allow_as(self, name: str, **asked: str) -> httpx.Response:
        return self.allow(self.consent_page(name, **asked))

    def code(self, name: str = "ann", patient: str = "p1", without: tuple[str, ...] = (), **asked: str) -> str:
        answer = self.allow(self.consent_page(name, patient, **asked), without)
        assert answer.is_redirect, answer.text
        return told(answer)["code"]


def hidden(page: httpx.Response, action: str) -> dict[str, str]:
    """The hidden fields of the first form that leads there."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page.text, re.DOTALL)
    assert form is not None, page.text
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form[0])
    return {name: html.unescape(value) for name, value in fields}


def offered(page: httpx.Response) -> list[str]:
    """The scopes that the consent page lets the user choose of."""
    return [html.unescape(value) for value in re.findall(r'name="scope" value="([^"]*)" checked', page.text)]


def told(answer: httpx.Response) -> dict[str, str]:
    """What the app is told by way of the browser."""
    location = answer.headers["location"]
    assert location.startswith(CALLBACK), location
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def basic(id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{id}:{secret}".encode()).decode()


def assertion(client: str, now: float) -> str:
    """A good client assertion by APP_KEY."""
    claims = {"iss": client, "sub": client, "aud": f"{BASE}/oauth/token", "exp": int(now) + 300, "jti": secrets.token_hex(8)}
    return jws.serialize_compact({"alg": "ES384", "kid": "app", "typ": "JWT"}, json.dumps(claims), APP_KEY, algorithms=["ES384"])


def challenge(verifier: str) -> str:
    """RFC 7636 section 4.2, by hand."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


@contextmanager
def a_town(folder: Path) -> Iterator[Town]:
    with mock.patch.object(users, "_HASHER", QUICK), bench(folder) as made:
        yield Town(made)


def current(store: Store, recipient: str, type: str, id: str) -> Any:
    with view(store, recipient) as look:
        return look.find(type, id)
