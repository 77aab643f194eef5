"""Dynamic client registration (RFC 7591): by invitation alone, one client an invitation, never beyond what it allows."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from click.testing import Result
from fastapi import FastAPI
from typer.testing import CliRunner

from gateway.cli.main import app as commands
from gateway.errors import Invalid, Unauthorized
from gateway.settings import load
from gateway.smart import assertions, discovery, endpoints, registration
from gateway.smart.identity import Issuer
from gateway.smart.jwks import KeySets
from gateway.smart.keys import new_pair
from gateway.store.sqlite import open_sqlite
from tests.smart.memory import BASE, ES, JWKS, NOW, TOKEN_URL
from tests.store.stores import fresh

AGENCY = "system/Task.rus system/Patient.rs user/Task.rs patient/*.rs launch openid fhirUser offline_access"
BACKEND = {
    "client_name": "Harbor EHR",
    "grant_types": ["client_credentials"],
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks": json.loads(JWKS),
    "scope": "system/Task.rs",
}
APP = {"redirect_uris": ["https://app.example.org/callback"], "client_name": "Care app", "scope": "launch openid patient/Task.rs"}
BROWSER = {**APP, "token_endpoint_auth_method": "none"}


ISSUER = Issuer(BASE, lambda claims: "")


class Office:
    """An authorization server with registration, and its store."""

    def __init__(self, store: Any) -> None:
        self.credentials = store.credentials
        self.now: float = NOW
        self.app = FastAPI()
        self.app.include_router(registration.router(self.credentials, lambda: self.now))
        key_sets = KeySets(lambda: self.now)
        self.app.include_router(endpoints.router(self.credentials, base_url=BASE, clock=lambda: self.now, key_sets=key_sets, issuer=ISSUER))

    def invite(self, role: str = "agency", organization: str = "river-cmhc", scope: str = AGENCY, **more: Any) -> str:
        return registration.invite(self.credentials, role=role, organization=organization, scope=scope, now=self.now, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE) as http:
                return await http.post(path, **more)

        return asyncio.run(run())

    def register(self, said: Any, invitation: str | None = None, **changes: Any) -> httpx.Response:
        """Register what is said, but for the changes; a None takes a member away."""
        if isinstance(said, dict):
            said = {name: value for name, value in {**said, **changes}.items() if value is not None}
        invitation = self.invite() if invitation is None else invitation
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {invitation}"} if invitation else {})}
        return self.post("/oauth/register", content=content, headers=headers)


@pytest.fixture
def office() -> Iterator[Office]:
    with fresh() as store:
        yield Office(store)


# --- what is registered -----------------------------------------------------------------------------------------------


def test_a_backend_client_registers_itself_and_gets_a_token(office: Office) -> None:
    answer = office.register(BACKEND)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    told = answer.json()
    assert told["client_id_issued_at"] == NOW
    assert {name: told[name] for name in BACKEND} == BACKEND  # RFC 7591 section 3.2.1: all that is registered
    assert "client_secret" not in told
    assertion = assertions.sign(dict(ES.as_dict(private=True)), told["client_id"], TOKEN_URL, office.now)
    form = {"grant_type": "client_credentials", "client_assertion": assertion, "client_assertion_type": assertions.ASSERTION_TYPE}
    assert office.post("/oauth/token", data={**form, "scope": "system/Task.rs"}).status_code == 200
    row = office.credentials.client(told["client_id"])
    assert (row.role, row.organization) == ("agency", "river-cmhc")


def test_an_app_with_a_secret_is_what_there_is_unless_it_says_otherwise(office: Office) -> None:
    """RFC 7591 section 2: authorization_code, code and client_secret_basic are the defaults."""
    told = office.register(APP).json()
    assert told["grant_types"] == ["authorization_code"]
    assert told["response_types"] == ["code"]
    assert told["token_endpoint_auth_method"] == "client_secret_basic"
    assert told["client_secret_expires_at"] == 0
    assert len(told["client_secret"]) >= 43  # 256 bits
    kept = office.credentials.client(told["client_id"])
    assert told["client_secret"] not in repr(kept)
    basic = httpx.BasicAuth(told["client_id"], told["client_secret"])
    assert office.post("/oauth/introspect", data={"token": "x"}, auth=basic).json() == {"active": False}


def test_a_browsers_app_has_no_secret(office: Office) -> None:
    told = office.register(BROWSER).json()
    assert "client_secret" not in told
    assert office.credentials.client(told["client_id"]).is_public


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9000/callback", "http://localhost/callback", "http://[::1]/callback"])
def test_an_app_on_the_users_own_machine_needs_no_tls(office: Office, uri: str) -> None:
    """RFC 8252 section 7.3."""
    assert office.register(BROWSER, redirect_uris=[uri]).json()["redirect_uris"] == [uri]


def test_an_app_may_have_keys_and_act_for_itself_too(office: Office) -> None:
    both = {"grant_types": ["authorization_code", "refresh_token", "client_credentials"], "scope": None}
    told = office.register(BACKEND, redirect_uris=APP["redirect_uris"], **both).json()
    assert set(told["scope"].split()) == set(AGENCY.split())


@pytest.mark.parametrize("said", [BACKEND, BROWSER])
def test_a_client_that_names_no_scope_gets_what_such_a_client_can_use_of_the_invitation(office: Office, said: dict[str, Any]) -> None:
    scope = office.register(said, scope=None).json()["scope"].split()
    assert scope == [each for each in AGENCY.split() if each.startswith("system/") == (said is BACKEND)]


def test_what_is_not_known_is_ignored(office: Office) -> None:
    """RFC 7591 section 2. `client_uri#fr` is a name in a language; a client cannot choose its own id."""
    told = office.register(BROWSER, client_id="coordinator", logo_uri="http://10.0.0.1/", **{"client_name#fr": "Soins", "role": "operator"}).json()
    assert told["client_id"] != "coordinator"
    assert "logo_uri" not in told
    assert office.credentials.client(told["client_id"]).role == "agency"


def test_an_invitation_without_an_organization_is_for_an_app_that_is_everybodys(office: Office) -> None:
    told = office.register(BROWSER, office.invite(organization="", scope="")).json()
    assert office.credentials.client(told["client_id"]).role == "app"
    refused = office.register(BACKEND, office.invite(organization="", scope=""))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")


# --- invitations ------------------------------------------------------------------------------------------------------


def test_nobody_registers_uninvited(office: Office) -> None:
    """RFC 6750 section 3.1, as RFC 7591 section 3 has it."""
    for invitation in ("", "x", secrets.token_urlsafe(32), "é" * 30):
        refused = office.register(BACKEND, invitation.encode("latin-1").decode("latin-1") if invitation.isascii() else "x")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer ")
        assert refused.json()["error"] == "invalid_token"
    assert office.credentials.clients() == []


def test_an_access_token_is_no_invitation_and_an_invitation_no_access_token(office: Office) -> None:
    told = office.register(BACKEND, office.invite()).json()
    assertion = assertions.sign(dict(ES.as_dict(private=True)), told["client_id"], TOKEN_URL, office.now)
    form = {"grant_type": "client_credentials", "client_assertion": assertion, "client_assertion_type": assertions.ASSERTION_TYPE}
    token = office.post("/oauth/token", data={**form, "scope": "system/Task.rs"}).json()["access_token"]
    assert office.register(BACKEND, token).status_code == 401
    invitation = office.invite()
    asked = office.post("/oauth/introspect", data={"token": "x"}, headers={"Authorization": f"Bearer {invitation}"})
    assert asked.status_code == 401


def test_an_invitation_is_good_for_one_client(office: Office) -> None:
    invitation = office.invite()
    assert [office.register(BROWSER, invitation).status_code for _ in range(2)] == [201, 401]


def test_an_invitation_used_by_many_at_once_is_good_for_one(office: Office) -> None:
    invitation = office.invite()

    def register(_: int) -> bool:
        try:
            registration.register(office.credentials, f"Bearer {invitation}", BROWSER, office.now)
        except Unauthorized:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(register, range(8))).count(True) == 1
    assert len(office.credentials.clients()) == 1


def test_an_invitation_ends(office: Office) -> None:
    invitation = office.invite(days=2)
    office.now += 2 * 86_400
    assert office.register(BROWSER, invitation).status_code == 401


def test_a_mistake_does_not_use_the_invitation_up(office: Office) -> None:
    invitation = office.invite()
    assert office.register(BROWSER, invitation, redirect_uris=["http://app.example.org/"]).status_code == 400
    assert office.register(BROWSER, invitation, scope="system/*.cruds").status_code == 400
    assert office.register(BROWSER, invitation).status_code == 201


def test_the_store_knows_an_invitation_by_its_sha256_alone(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "gateway.sqlite")
    invitation = Office(store).invite()
    store.close()
    assert invitation.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize(("role", "organization"), [("agency", "coordinator"), ("hospital", ""), ("nobody", "x")])
def test_nobody_is_invited_to_be_what_no_client_can_be(office: Office, role: str, organization: str) -> None:
    with pytest.raises(Invalid):
        office.invite(role, organization)


@pytest.fixture(scope="module")
def unchanged() -> Iterator[Office]:
    """One for all that is refused, in which nobody must ever be registered."""
    with fresh() as store:
        yield Office(store)
        assert store.credentials.clients() == []


# --- refusals ---------------------------------------------------------------------------------------------------------

METADATA, REDIRECT = "invalid_client_metadata", "invalid_redirect_uri"
PRIVATE = {"keys": [ES.as_dict(private=True)]}
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("a redirect without TLS", BROWSER, {"redirect_uris": ["http://app.example.org/callback"]}, REDIRECT),
    ("a redirect into a script", BROWSER, {"redirect_uris": ["javascript:alert(1)"]}, REDIRECT),
    ("a redirect to an own scheme", BROWSER, {"redirect_uris": ["org.example.app:/callback"]}, REDIRECT),
    ("a redirect into data", BROWSER, {"redirect_uris": ["data:text/html,x"]}, REDIRECT),
    ("a redirect with a fragment", BROWSER, {"redirect_uris": ["https://app.example.org/#x"]}, REDIRECT),
    ("a redirect with a user", BROWSER, {"redirect_uris": ["https://app.example.org@evil.example.org/"]}, REDIRECT),
    ("a relative redirect", BROWSER, {"redirect_uris": ["/callback"]}, REDIRECT),
    ("no redirect", BROWSER, {"redirect_uris": None}, REDIRECT),
    ("no redirects", BROWSER, {"redirect_uris": []}, REDIRECT),
    ("a redirect that is no text", BROWSER, {"redirect_uris": [7]}, REDIRECT),
    ("redirects that are one text", BROWSER, {"redirect_uris": "https://app.example.org/"}, REDIRECT),
    ("a redirect for a backend", BACKEND, {"redirect_uris": ["https://app.example.org/"]}, REDIRECT),
    ("the implicit grant", BROWSER, {"grant_types": ["implicit"]}, METADATA),
    ("the password grant", BROWSER, {"grant_types": ["authorization_code", "password"]}, METADATA),
    ("refreshing alone", BROWSER, {"grant_types": ["refresh_token"]}, METADATA),
    ("no grant", BROWSER, {"grant_types": []}, METADATA),
    ("an own token without keys", BROWSER, {"grant_types": ["authorization_code", "client_credentials"]}, METADATA),
    ("a backend with a secret", BACKEND, {"token_endpoint_auth_method": "client_secret_basic", "jwks": None}, METADATA),
    ("a secret in the form", APP, {"token_endpoint_auth_method": "client_secret_post"}, METADATA),
    ("a shared secret as key", APP, {"token_endpoint_auth_method": "client_secret_jwt"}, METADATA),
    ("the implicit response", BROWSER, {"response_types": ["token"]}, METADATA),
    ("the hybrid response", BROWSER, {"response_types": ["code", "code id_token"]}, METADATA),
    ("unsigned id_tokens", BROWSER, {"id_token_signed_response_alg": "none"}, METADATA),
    ("assertions by HS256", BACKEND, {"token_endpoint_auth_signing_alg": "HS256"}, METADATA),
    ("keys without need of them", BROWSER, {"jwks": json.loads(JWKS)}, METADATA),
    ("no keys", BACKEND, {"jwks": None}, METADATA),
    ("two ways to keys", BACKEND, {"jwks_uri": "https://app.example.org/jwks.json"}, METADATA),
    ("private keys", BACKEND, {"jwks": PRIVATE}, METADATA),
    ("keys as a text", BACKEND, {"jwks": JWKS}, METADATA),
    ("keys in this machine", BACKEND, {"jwks": None, "jwks_uri": "https://127.0.0.1/jwks.json"}, METADATA),
    ("keys in a cloud's metadata", BACKEND, {"jwks": None, "jwks_uri": "https://169.254.169.254/latest"}, METADATA),
    ("keys without TLS", BACKEND, {"jwks": None, "jwks_uri": "http://app.example.org/jwks.json"}, METADATA),
    ("keys in a file", BACKEND, {"jwks": None, "jwks_uri": "file:///etc/passwd"}, METADATA),
    ("a scope beyond the invitation", BACKEND, {"scope": "system/Task.rus system/Observation.rs"}, METADATA),
    ("a wider scope", BACKEND, {"scope": "system/*.rs"}, METADATA),
    ("a write scope", BACKEND, {"scope": "system/Patient.cruds"}, METADATA),
    ("no scope of SMART's", BACKEND, {"scope": "everything"}, METADATA),
    ("an app's scope for a backend", BACKEND, {"scope": "system/Task.rs openid"}, METADATA),
    ("a backend's scope for an app", BROWSER, {"scope": "system/Task.rs"}, METADATA),
    ("a name with a line's end", BROWSER, {"client_name": "Care\napp"}, METADATA),
    ("an endless name", BROWSER, {"client_name": "x" * 101}, METADATA),
    ("a name that is no text", BROWSER, {"client_name": {"a": 1}}, METADATA),
    ("a software statement", BROWSER, {"software_statement": "eyJhbGciOiJub25lIn0.e30."}, "unapproved_software_statement"),
]


@pytest.mark.parametrize(("said", "changes", "error"), [pytest.param(*rest, id=name) for name, *rest in REFUSED])
def test_what_may_not_be_registered(unchanged: Office, said: dict[str, Any], changes: dict[str, Any], error: str) -> None:
    """RFC 7591 section 3.2.2: 400 with one of its error codes."""
    refused = unchanged.register(said, **changes)
    assert (refused.status_code, refused.json()["error"]) == (400, error), refused.text
    assert refused.headers["cache-control"] == "no-store"
    assert unchanged.credentials.clients() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"x", b'{"a": 1, "a": 2}', b'"\xff"', b"[" * 5000, b'{"a":' * 500 + b"1" + b"}" * 500, b"{" + b" " * 70_000],
    ids=len,
)
def test_a_body_that_is_no_metadata_is_refused_in_words(unchanged: Office, body: bytes) -> None:
    refused = unchanged.register(body)
    assert refused.status_code == 400
    assert refused.json()["error"] in ("invalid_client_metadata", "invalid_request")


# --- the operator -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run() -> Iterator[Callable[..., Result]]:
    """The command line. A command sets up the log for its own stderr, which ends with it."""
    yield lambda *arguments: CliRunner().invoke(commands, arguments)
    structlog.reset_defaults()


def test_registration_is_closed_unless_the_operator_opens_it(tmp_path: Path, run: Callable[..., Result]) -> None:
    assert load(None).smart.registration == "closed"
    refused = run("clients", "invite", "--data", str(tmp_path))
    assert refused.exception is not None
    assert "registration is closed" in str(refused.exception)
    assert "registration_endpoint" not in discovery.document(BASE, launch=True)
    assert discovery.document(BASE, registration=True)["registration_endpoint"] == f"{BASE}/oauth/register"


def test_the_operator_invites_and_sees_who_came(tmp_path: Path, run: Callable[..., Result]) -> None:
    (tmp_path / "gateway.toml").write_text('[smart]\nregistration = "token"\n\n[[agency]]\nid = "harbor"\nname = "Harbor House"\n')
    data = ("--data", str(tmp_path))
    invitation = run("clients", "invite", "--organization", "harbor", *data).stdout.strip()
    store = open_sqlite(tmp_path / "gateway.sqlite")
    _, public = new_pair()
    told = registration.register(store.credentials, f"Bearer {invitation}", {**BACKEND, "jwks": public, "scope": "system/Task.r"}, NOW)
    store.close()
    (row,) = json.loads(run("clients", "list", "--json", *data).stdout)
    assert (row["id"], row["organization"], row["scope"]) == (told["client_id"], "harbor", "system/Task.r")
    unknown = run("clients", "invite", "--organization", "nobody", *data)
    assert "no such agency" in str(unknown.exception)
