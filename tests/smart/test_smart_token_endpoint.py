"""The token endpoint's manners: SMART Backend Services, RFC 6749 sections 3.2 and 5."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging

import pytest
from joserfc.jwk import ECKey, RSAKey

from gateway.errors import Unavailable
from gateway.smart.clients import register
from tests.smart.memory import BASE, ES, FORM, RS, World


@pytest.mark.parametrize("key", [ES, RS], ids=["ES384", "RS384"])
def test_a_good_assertion_gets_a_short_bearer_token(key: ECKey | RSAKey) -> None:
    world = World()
    answer = asyncio.run(world.ask(world.assertion(key)))
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert body["token_type"] == "bearer"
    assert 0 < body["expires_in"] <= 300
    assert body["scope"] == "system/Task.rus"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["content-type"] == "application/json"


def test_the_store_knows_a_token_by_its_sha256_alone() -> None:
    world = World()
    token = asyncio.run(world.token())
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    (row,) = world.credentials.tokens.values()
    assert row.digest == hashlib.sha256(token.encode()).digest()
    assert token not in repr(row)


def test_a_new_token_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        token = asyncio.run(World().token())
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("system/Task.rs", "system/Task.rs"),
        ("system/Task.read", "system/Task.read"),  # version 1 is echoed as asked
        ("system/Task.r  system/Task.r", "system/Task.r"),
        ("system/Task.rs system/Patient.read", "system/Task.rs system/Patient.read"),
    ],
)
def test_scopes_are_granted_as_asked(asked: str, granted: str) -> None:
    world = World()
    assert asyncio.run(world.ask(scope=asked)).json()["scope"] == granted


@pytest.mark.parametrize(
    "scope",
    [
        "system/Task.cruds",
        "system/*.rs",
        "system/Consent.rs",
        "system/Task.rs system/Consent.rs",
        "user/Task.rs",
        "patient/Task.rs",
        "openid",
        "offline_access",
        "system/Task.sr",
        "system/Task.",
        "system/Task.write",
        "banana",
        'system/Task.rs"',
        "system/Task.rs\n",
        " ",
    ],
)
def test_scope_escalation_and_malformed_scopes_are_invalid_scope(scope: str) -> None:
    answer = asyncio.run(World().ask(scope=scope))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize("name", ["grant_type", "scope", "client_assertion_type", "client_assertion"])
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_missing_parameter_is_invalid_request(name: str, value: str | None) -> None:
    world = World()
    form = {**world.form(), name: value}

    async def ask() -> tuple[int, str]:
        async with world.http() as http:
            answer = await http.post("/oauth/token", data={key: value for key, value in form.items() if value is not None})
        return answer.status_code, answer.json()["error"]

    assert asyncio.run(ask()) == (400, "invalid_request")


@pytest.mark.parametrize("grant", ["not_a_grant_type", "authorization_code", "refresh_token", "password", "implicit", 'a"b\\c\u0000'])
def test_an_unknown_grant_type_is_exactly_400_unsupported_grant_type(grant: str) -> None:
    world = World()
    for assertion in (world.assertion(), "rubbish"):
        answer = asyncio.run(world.ask(assertion, grant_type=grant))
        assert (answer.status_code, answer.json()) == (400, {"error": "unsupported_grant_type"})


def test_an_unknown_assertion_type_is_400_invalid_client() -> None:
    answer = asyncio.run(World().ask(client_assertion_type="not_an_assertion_type"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_another_clients_id_beside_the_assertion_is_invalid_client() -> None:
    world = World()
    assert asyncio.run(world.ask(client_id="river")).status_code == 200
    answer = asyncio.run(world.ask(client_id="lake"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", "text/plain"),
        (b"grant_type=client_credentials", ""),
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM),
        (b"grant_type=%ff", FORM),
        (b"\xff\xfe", FORM),
        (b"", FORM),
        (b"&".join(b"p%d=1" % n for n in range(1000)), FORM),
        (b"grant_type=" + b"x" * 70_000, FORM),
    ],
)
def test_what_is_not_one_plain_form_is_invalid_request(body: bytes, kind: str) -> None:
    async def ask() -> tuple[int, str]:
        async with World().http() as http:
            answer = await http.post("/oauth/token", content=body, headers={"Content-Type": kind})
        return answer.status_code, answer.json()["error"]

    assert asyncio.run(ask()) == (400, "invalid_request")


def test_a_form_may_name_its_charset() -> None:
    world = World()

    async def ask() -> int:
        async with world.http() as http:
            return (await http.post("/oauth/token", data=world.form(), headers={"Content-Type": FORM + "; charset=UTF-8"})).status_code

    assert asyncio.run(ask()) == 200


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
def test_only_post_is_taken_and_nothing_redirects(path: str) -> None:
    async def ask() -> None:
        async with World().http() as http:
            for method in ("GET", "PUT", "DELETE", "HEAD"):
                answer = await http.request(method, path)
                assert answer.status_code == 405
                assert "POST" in answer.headers["allow"]
            assert (await http.post(path + "/")).status_code == 400
            assert (await http.get(path + "/")).status_code == 405

    asyncio.run(ask())


@pytest.mark.parametrize(("header", "scheme"), [("Basic cml2ZXI6c2VjcmV0", "Basic"), ("Bearer abc", "Bearer"), ('"x" y', "Bearer")])
def test_a_client_that_tries_the_authorization_header_is_told_401(header: str, scheme: str) -> None:
    """RFC 6749 section 5.2: invalid_client through the header is 401, with a challenge of the scheme tried."""

    async def ask() -> None:
        async with World().http() as http:
            form = {"grant_type": "client_credentials", "scope": "system/Task.rs"}
            answer = await http.post("/oauth/token", data=form, headers={"Authorization": header})
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
            assert answer.headers["www-authenticate"].startswith(scheme + " ")

    asyncio.run(ask())


def test_two_ways_of_authenticating_at_once_are_invalid_request() -> None:
    world = World()

    async def ask() -> None:
        async with world.http() as http:
            header = {"Authorization": "Basic cml2ZXI6c2VjcmV0"}
            assert (await http.post("/oauth/token", data=world.form(), headers=header)).json()["error"] == "invalid_request"
            assert (await http.post("/oauth/token", data=world.form(client_secret="secret"))).json()["error"] == "invalid_request"

    asyncio.run(ask())


def test_a_store_that_cannot_write_gives_no_token_but_503() -> None:
    world = World()

    def full(*_: object) -> bool:
        raise Unavailable("the store cannot take it")

    world.credentials.spend_jti = full  # type: ignore[method-assign]
    answer = asyncio.run(world.ask())
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "1"


def test_errors_are_json_and_not_stored() -> None:
    answer = asyncio.run(World().ask("rubbish"))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"


def test_a_base_url_may_end_in_a_slash() -> None:
    from gateway.smart.discovery import token_url

    assert token_url(BASE + "/") == token_url(BASE) == "https://gateway.example.org/oauth/token"


def test_a_revoked_client_gets_no_token() -> None:
    world = World()
    world.credentials.revoke_client("river", int(world.now))
    answer = asyncio.run(world.ask())
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_registered_scopes_add_up() -> None:
    """One asked scope may be covered by several registered ones."""
    world = World()
    register(
        world.credentials,
        id="lake",
        organization="lake",
        scope="system/Task.rs system/Task.u",
        jwks=world.credentials.rows["river"].jwks,
        now=world.now,
    )
    answer = asyncio.run(world.ask(world.assertion(iss="lake", sub="lake"), scope="system/Task.rus"))
    assert answer.status_code == 200
