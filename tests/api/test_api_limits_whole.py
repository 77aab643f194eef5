"""A whole gateway: headers that protect whoever looks, which other origins' scripts may read an answer, hostile bodies at every entry."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from gateway.app import running
from gateway.instance import Gateway
from gateway.settings import load
from gateway.smart import assertions, clients, discovery
from gateway.smart.cors import allowed, origin_of
from gateway.smart.keys import new_pair

FORM = "application/x-www-form-urlencoded"
APP, OTHER = "https://app.example.org", "https://evil.example.org"


class Served:
    """A gateway that runs, asked on its own port; by https, as a proxy on this machine says."""

    def __init__(self, made: Gateway, runner: asyncio.Runner) -> None:
        self._at, self._runner = f"http://{made.http[0]}:{made.http[1]}", runner
        secret, public = new_pair()
        self._secret, self._url = secret, discovery.token_url(made.base_url)
        credentials = made.store.credentials
        clients.register(credentials, id="app", public=True, redirect_uris=(f"{APP}/callback", "org.example.app:/callback"), now=0)
        clients.register(credentials, id="server", secret="a-servers-secret", redirect_uris=("https://server.example.org/callback",), now=0)
        clients.register(credentials, id="st-mary", role="hospital", organization="st-mary", feeds=("default",), jwks=json.dumps(public), now=0)
        clients.register(credentials, id="desk", role="coordinator", scope="system/*.cruds", jwks=json.dumps(public), now=0)

    def ask(self, method: str, path: str, scheme: str = "https", content: bytes = b"", **headers: str) -> httpx.Response:
        async def run() -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            async with httpx.AsyncClient(base_url=self._at, verify=False) as http:
                return await http.request(method, path, headers={"X-Forwarded-Proto": scheme, **named}, content=content)

        return self._runner.run(run())

    def token(self, client: str, scope: str) -> str:
        assertion = assertions.sign(self._secret, client, self._url, time.time())
        form = {"grant_type": "client_credentials", "scope": scope, "client_assertion": assertion, "client_assertion_type": assertions.ASSERTION_TYPE}
        answer = self.ask("POST", "/oauth/token", content=urlencode(form).encode(), Content_Type=FORM)
        return str(answer.json()["access_token"])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    settings = load(None)
    settings.http.listen, settings.mllp.listen = "127.0.0.1:0", "127.0.0.1:0"
    settings.smart.registration = "token"
    settings.http.address_rate, settings.http.address_burst = 0.001, 3  # this machine's own is not counted
    with asyncio.Runner() as runner:
        context = running(settings, folder)
        made = runner.run(context.__aenter__())
        yield Served(made, runner)
        runner.run(context.__aexit__(None, None, None))


PATHS = [
    ("GET", "/fhir/Patient", 401),
    ("GET", "/fhir/metadata", 200),
    ("GET", "/fhir/.well-known/smart-configuration", 200),
    ("GET", "/oauth/jwks.json", 200),
    ("POST", "/oauth/token", 400),
    ("GET", "/nowhere", 404),
    ("GET", "/worklist", 401),
    ("GET", "/console", 401),
    ("GET", "/", 303),
    ("GET", "/web/style.css", 200),
    ("POST", "/hl7/v2", 401),
    ("GET", "/healthz", 200),
    ("GET", "/metrics", 200),
    ("GET", "/api/transitions", 401),
]


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
def test_every_answer_protects_whoever_looks(gateway: Served, method: str, path: str, status: int) -> None:
    answer = gateway.ask(method, path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert "server" not in answer.headers
    public = path in ("/fhir/metadata", "/fhir/.well-known/smart-configuration", "/web/style.css", "/oauth/jwks.json")
    assert ("no-store" in answer.headers["cache-control"]) is not public


def test_browsers_are_bound_to_tls_only_over_tls(gateway: Served) -> None:
    """RFC 6797 section 7.2."""
    assert gateway.ask("GET", "/worklist").headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in gateway.ask("GET", "/worklist", scheme="http").headers


def test_an_address_is_counted_behind_a_proxy_that_is_trusted(gateway: Served) -> None:
    """The last address that the proxy on this machine adds; what a client wrote before it counts for nothing."""
    told = [gateway.ask("GET", "/fhir/Patient", X_Forwarded_For=f"198.51.100.{number}, 203.0.113.9").status_code for number in range(5)]
    assert told == [401, 401, 401, 429, 429]
    assert gateway.ask("GET", "/fhir/Patient", X_Forwarded_For="203.0.113.10").status_code == 401
    refused = gateway.ask("POST", "/oauth/token", X_Forwarded_For="203.0.113.9")
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")


OPEN = ["/fhir/metadata", "/fhir/.well-known/smart-configuration", "/oauth/jwks.json"]
FOR_APPS = ["/fhir", "/fhir/Patient", "/fhir/Patient/1", "/fhir/Patient/_search", "/fhir/$export", "/oauth/token"]
CLOSED = ["/oauth/authorize", "/oauth/introspect", "/oauth/revoke", "/oauth/register", "/worklist", "/", "/hl7/v2", "/api/transitions", "/metrics"]


@pytest.mark.parametrize("path", OPEN)
def test_discovery_and_keys_are_for_scripts_of_any_origin(gateway: Served, path: str) -> None:
    answer = gateway.ask("GET", path, Origin=OTHER)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    before = gateway.ask("OPTIONS", path, Origin=OTHER, Access_Control_Request_Method="GET", Access_Control_Request_Headers="accept")
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (204, "*")


@pytest.mark.parametrize("path", FOR_APPS)
def test_the_token_endpoint_and_the_fhir_api_are_for_registered_origins(gateway: Served, path: str) -> None:
    """SMART App Launch 2.2, "Considerations for Cross-Origin Resource Sharing (CORS) Support"."""
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization, content-type"}
    before = gateway.ask("OPTIONS", path, Origin=APP, **asked)
    assert (before.status_code, before.headers["access-control-allow-origin"], before.headers["vary"]) == (204, APP, "origin")
    assert {"authorization", "content-type", "if-match"} <= set(before.headers["access-control-allow-headers"].split(", "))
    assert {"POST", "PUT"} <= set(before.headers["access-control-allow-methods"].split(", "))
    answer = gateway.ask("POST", path, Origin=APP)
    assert answer.status_code >= 400  # a refusal must be readable, too
    assert answer.headers["access-control-allow-origin"] == APP
    assert "www-authenticate" in answer.headers["access-control-expose-headers"]
    for origin in (OTHER, "null", f"{APP}.evil.example.org", f"{APP}:444", "http://app.example.org", "https://server.example.org"):
        for refused in (gateway.ask("OPTIONS", path, Origin=origin, **asked), gateway.ask("POST", path, Origin=origin)):
            assert "access-control-allow-origin" not in refused.headers
            assert refused.headers["vary"] == "origin"  # or a cache would hand one origin's answer to another


@pytest.mark.parametrize("path", CLOSED)
def test_all_else_is_for_no_other_origin(gateway: Served, path: str) -> None:
    for origin in (APP, OTHER):
        assert "access-control-allow-origin" not in gateway.ask("GET", path, Origin=origin).headers
        before = gateway.ask("OPTIONS", path, Origin=origin, Access_Control_Request_Method="GET")
        assert "access-control-allow-origin" not in before.headers


@pytest.mark.parametrize("path", [*OPEN, *FOR_APPS])
def test_no_cookie_travels_between_origins(gateway: Served, path: str) -> None:
    assert "access-control-allow-credentials" not in gateway.ask("GET", path, Origin=APP).headers


XML_BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "boom"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>
<Bundle xmlns="http://hl7.org/fhir"><id value="&b;&c;"/></Bundle>"""
DEEP = b'{"resourceType": "Bundle", "type": "collection", "entry": ' + b"[" * 5000 + b"]" * 5000 + b"}"
ENTRIES = [
    ("POST", "/fhir", "desk"),
    ("POST", "/fhir", "st-mary"),
    ("POST", "/fhir/$process-message", "st-mary"),
    ("POST", "/fhir/Patient", "desk"),
    ("POST", "/fhir/Patient/$validate", "desk"),
    ("PUT", "/fhir/Consent/1", "desk"),
    ("PATCH", "/fhir/Task/1", "desk"),
    ("POST", "/fhir/Task/_search", "desk"),
    ("POST", "/fhir/$export", "desk"),
    ("POST", "/fhir/Subscription", "desk"),
    ("POST", "/api/transitions/1/decisions", "desk"),
    ("PUT", "/api/agencies/river", "desk"),
    ("POST", "/hl7/v2", "st-mary"),
    ("POST", "/oauth/token", ""),
    ("POST", "/oauth/introspect", ""),
    ("POST", "/oauth/revoke", ""),
    ("POST", "/oauth/register", ""),
    ("POST", "/oauth/authorize", ""),
    ("POST", "/oauth/login", ""),
    ("POST", "/worklist/1", ""),
]
KINDS = ["application/fhir+xml", "text/xml", "application/fhir+json", "application/json-patch+json", FORM, "text/plain"]


@pytest.mark.parametrize(("method", "path", "who"), ENTRIES)
@pytest.mark.parametrize("body", [XML_BOMB, DEEP], ids=["XML bomb", "deep JSON"])
def test_hostile_bodies_are_refused_at_every_entry(gateway: Served, method: str, path: str, who: str, body: bytes) -> None:
    """There is no XML reader to explode, and JSON is read so deep and no deeper, whatever a body calls itself."""
    token = gateway.token(who, "system/Bundle.c" if who == "st-mary" else "system/*.cruds") if who else ""
    for kind in KINDS:
        refused = gateway.ask(method, path, content=body, Content_Type=kind, **({"Authorization": f"Bearer {token}"} if token else {}))
        taken_as_hl7 = path == "/hl7/v2" and kind == "text/plain"
        searched = path.endswith("/_search")
        assert 400 <= refused.status_code < 500 or ((taken_as_hl7 or searched) and refused.status_code == 200), (kind, refused.text)
        assert "root:" not in refused.text
        if taken_as_hl7 and refused.status_code == 200:
            assert b"|AR|" in refused.content or b"|AE|" in refused.content


@pytest.mark.parametrize("path", ["/fhirx/Patient", "/oauth/tokens", "/oauth/token/x/../authorize", "/fhir/../oauth/authorize"])
def test_addresses_that_only_look_alike_are_not_opened_to_everybody(path: str) -> None:
    assert allowed(path, OTHER, lambda: {APP}) == ""


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://app.example.org/callback?x=1", "https://app.example.org"),
        ("https://APP.example.org:443/callback", "https://app.example.org"),
        ("http://localhost:3000/callback", "http://localhost:3000"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("org.example.app:/callback", ""),
        ("https://", ""),
        ("https://app.example.org:port/", ""),
    ],
)
def test_the_origin_of_a_redirect_uri_is_written_as_browsers_write_it(url: str, origin: str) -> None:
    """RFC 6454 section 6.2."""
    assert origin_of(url) == origin
