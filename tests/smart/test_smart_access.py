"""Tokens in use: bearer access, introspection (RFC 7662), revocation (RFC 7009), discovery (SMART App Launch 2.2)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from gateway.errors import Forbidden, Unauthorized
from gateway.smart import access
from gateway.smart.access import Caller
from gateway.smart.scopes import parse
from gateway.store.interface import ALL
from tests.smart.memory import BASE, ES, JWKS, NOW, TOKEN_URL, World


def form(world: World, token: str, client: str = "river", **more: str) -> dict[str, str]:
    good = world.form(world.assertion(iss=client, sub=client))
    return {"token": token, **{name: good[name] for name in ("client_assertion_type", "client_assertion")}, **more}


def post(world: World, path: str, data: dict[str, str], **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        async with world.http() as http:
            return await http.post(path, data=data, headers=headers)

    return asyncio.run(send())


def get(world: World, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        async with world.http() as http:
            return await http.request(method, path, headers=headers)

    return asyncio.run(send())


def token(world: World, scope: str = "system/Task.rs") -> str:
    return asyncio.run(world.token(scope=scope))


# access


def test_a_token_opens_what_its_scope_says_and_nothing_else() -> None:
    """One granted type opens no other, one letter no other."""
    world = World()
    with_search = token(world, "system/Task.rs")
    answer = asyncio.run(world.search("Task", with_search))
    assert (answer.status_code, answer.json()) == (200, {"constraints": [], "recipient": "river-cmhc"})
    for type, text in (("Patient", with_search), ("Task", token(world, "system/Task.ru"))):
        answer = asyncio.run(world.search(type, text))
        assert answer.status_code == 403
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_without_a_token_401_and_no_error_code() -> None:
    """RFC 6750 section 3.1: a request that names no token is told only the scheme."""
    answer = get(World(), "/fhir/Task")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="gateway"'


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "Bearer x y", "Basic eDp5", "x", "Bearer " + "x" * 9_000, "Bearer é", "Token x"],
    ids=lambda text: text[:12],
)
def test_a_token_that_nobody_issued_is_401_invalid_token(header: str) -> None:
    world = World()
    with pytest.raises(Unauthorized) as raised:
        access.authenticate(header, world.credentials, NOW)
    assert 'error="invalid_token"' in raised.value.challenge
    assert header not in str(raised.value)


def test_the_scheme_is_read_in_any_case() -> None:
    world = World()
    text = token(world)
    assert get(world, "/fhir/Task", Authorization=f"bearer {text}").status_code == 200


def test_a_token_in_the_query_is_no_token() -> None:
    world = World()
    assert get(world, f"/fhir/Task?access_token={token(world)}").status_code == 401


def test_a_token_ends_when_it_said() -> None:
    world = World()
    text = token(world)
    world.now = NOW + 299
    assert asyncio.run(world.search("Task", text)).status_code == 200
    world.now = NOW + 300
    assert asyncio.run(world.search("Task", text)).status_code == 401


def test_a_revoked_clients_tokens_end_at_once() -> None:
    world = World()
    text = token(world)
    world.credentials.revoke_client("river", NOW)
    assert asyncio.run(world.search("Task", text)).status_code == 401


def caller(role: str, organization: str = "river-cmhc") -> Caller:
    return Caller("x", role, organization, parse("system/*.rs"), (), NOW)


@pytest.mark.parametrize(("role", "recipient"), [("agency", "river-cmhc"), ("coordinator", ALL), ("operator", ALL)])
def test_whose_view_a_role_reads(role: str, recipient: str) -> None:
    assert caller(role).recipient == recipient


@pytest.mark.parametrize("who", [caller("hospital"), caller("agency", ""), caller("nobody")])
def test_no_other_role_reads_anybodys_view(who: Caller) -> None:
    """A hospital whose organization is named like an agency must not see that agency's records."""
    with pytest.raises(Forbidden):
        _ = who.recipient


def test_constraints_come_with_the_permission() -> None:
    who = Caller("x", "agency", "river-cmhc", parse("system/Observation.rs?category=survey"), (), NOW)
    assert access.require(who, "Observation", "s") == ((("category", "survey"),),)
    with pytest.raises(Forbidden):
        access.require(who, "Observation", "u")


# introspection


def test_introspection_of_an_own_token() -> None:
    world = World()
    text = token(world, "system/Task.read")
    answer = post(world, "/oauth/introspect", form(world, text))
    assert answer.status_code == 200
    assert answer.json() == {"active": True, "scope": "system/Task.read", "client_id": "river", "token_type": "bearer", "exp": NOW + 300, "iat": NOW}
    assert answer.headers["cache-control"] == "no-store"


def test_introspection_with_an_access_token_as_authorization() -> None:
    world = World()
    text = token(world)
    assert post(world, "/oauth/introspect", {"token": text}, Authorization=f"Bearer {text}").json()["active"] is True
    answer = post(world, "/oauth/introspect", {"token": text}, Authorization="Bearer rubbish")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_introspection_says_no_more_than_inactive() -> None:
    world = World()
    world.register("lake", organization="lake", jwks=JWKS)
    text = token(world)
    assert post(world, "/oauth/introspect", form(world, "rubbish")).json() == {"active": False}
    assert post(world, "/oauth/introspect", form(world, text, client="lake")).json() == {"active": False}
    world.now = NOW + 300
    assert post(world, "/oauth/introspect", form(world, text)).json() == {"active": False}


def test_an_operator_may_introspect_any_token_also_a_revoked_clients() -> None:
    world = World()
    world.register("ops", role="operator", jwks=JWKS)
    text = token(world)
    assert post(world, "/oauth/introspect", form(world, text, client="ops")).json()["client_id"] == "river"
    world.credentials.revoke_client("river", NOW)
    assert post(world, "/oauth/introspect", form(world, text, client="ops")).json() == {"active": False}


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke"])
def test_introspection_and_revocation_need_the_client_and_the_token(path: str) -> None:
    world = World()
    text = token(world)
    assert post(world, path, {"token": text}).json()["error"] == "invalid_request"
    good = form(world, text)
    answer = post(world, path, {name: value for name, value in good.items() if name != "token"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = post(world, path, {**form(world, text), "client_assertion": world.assertion(aud=BASE + path)})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert asyncio.run(world.search("Task", text)).status_code == 200


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke"])
def test_an_unknown_token_type_hint_is_ignored(path: str) -> None:
    world = World()
    assert post(world, path, form(world, token(world), token_type_hint="banana")).status_code == 200


# revocation


def test_revocation_ends_access_at_once() -> None:
    world = World()
    text = token(world)
    assert post(world, "/oauth/revoke", form(world, text)).status_code == 200
    assert asyncio.run(world.search("Task", text)).status_code == 401
    assert post(world, "/oauth/introspect", form(world, text)).json() == {"active": False}
    assert post(world, "/oauth/revoke", form(world, text)).status_code == 200  # RFC 7009 section 2.2: an unknown token is ended already


def test_nobody_ends_another_clients_token() -> None:
    world = World()
    for id, role in (("lake", "agency"), ("ops", "operator")):
        world.register(id, role=role, organization=id, jwks=JWKS)
        text = token(world)
        answer = post(world, "/oauth/revoke", form(world, text, client=id))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert asyncio.run(world.search("Task", text)).status_code == 200


def test_an_access_token_is_no_way_to_revoke() -> None:
    world = World()
    text = token(world)
    answer = post(world, "/oauth/revoke", {"token": text}, Authorization=f"Bearer {text}")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


# discovery


PATH = "/fhir/.well-known/smart-configuration"


def test_discovery_has_what_smart_requires_and_says_only_what_there_is() -> None:
    document = get(World(), PATH).json()
    assert document["token_endpoint"] == TOKEN_URL
    assert document["grant_types_supported"] == ["client_credentials"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert sorted(document["token_endpoint_auth_signing_alg_values_supported"]) == ["ES384", "RS384"]
    assert set(document["capabilities"]) == {"client-confidential-asymmetric", "permission-v1", "permission-v2"}
    assert not {"authorization_endpoint", "issuer", "jwks_uri", "registration_endpoint", "management_endpoint"} & document.keys()


def test_every_endpoint_that_discovery_names_is_there() -> None:
    world = World()
    document = get(world, PATH).json()
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        assert post(world, document[name].removeprefix(BASE), {}).status_code == 400


def test_every_scope_that_discovery_names_is_a_scope() -> None:
    scopes = get(World(), PATH).json()["scopes_supported"]
    assert len(parse(" ".join(scopes))) == len(scopes) > 0


@pytest.mark.parametrize("accept", ["application/json", "text/html", "application/fhir+xml", "*/*", "", "rubbish"])
@pytest.mark.parametrize("path", [PATH, PATH + "/", "/fhir//.well-known/smart-configuration"])
def test_discovery_is_json_whatever_is_accepted_and_open_to_any_origin(path: str, accept: str) -> None:
    answer = get(World(), path, Accept=accept, Origin="https://app.example.org")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["token_endpoint"] == TOKEN_URL


def test_discovery_answers_preflight_and_head() -> None:
    world = World()
    answer = get(world, PATH, "OPTIONS", Origin="https://app.example.org", **{"Access-Control-Request-Method": "GET"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert get(world, PATH, "HEAD").status_code == 200


def test_host_headers_are_not_trusted() -> None:
    assert get(World(), PATH, Host="evil.example.org").json()["token_endpoint"] == TOKEN_URL


def test_no_error_holds_what_was_sent() -> None:
    world = World()
    secret = "PATIENT-ANNA-SMITH"
    attempts: list[Any] = [
        asyncio.run(world.ask(world.assertion(jti="", iss=secret, sub=secret))),
        asyncio.run(world.ask(world.assertion(ES, iss=secret, sub=secret))),
        asyncio.run(world.ask(scope=f"system/{secret}.rs")),
        asyncio.run(world.ask(grant_type=secret)),
        asyncio.run(world.ask(client_assertion_type=secret)),
    ]
    assert all(answer.status_code == 400 and secret not in json.dumps(dict(answer.headers)) + answer.text for answer in attempts)
