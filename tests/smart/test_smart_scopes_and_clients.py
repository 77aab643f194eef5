"""Scopes as a language, and what may be registered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from gateway.errors import Conflict, Invalid
from gateway.smart import clients, keys
from gateway.smart.outbound import Reach
from gateway.smart.scopes import Interaction, allows, beyond, parse, text
from tests.smart.memory import ES, JWKS, NOW, RS, MemoryCredentials

LAB = (("category", "laboratory"),)


@pytest.mark.parametrize(
    ("scope", "context", "type", "letters", "constraint"),
    [
        ("system/Task.rus", "system", "Task", "rus", ()),
        ("user/*.cruds", "user", "*", "cruds", ()),
        ("patient/Observation.s", "patient", "Observation", "s", ()),
        ("system/Task.read", "system", "Task", "rs", ()),  # version 1
        ("system/Task.write", "system", "Task", "cud", ()),
        ("system/Task.*", "system", "Task", "cruds", ()),
        ("system/*.*", "system", "*", "cruds", ()),
        ("system/Observation.rs?category=laboratory", "system", "Observation", "rs", LAB),
        ("system/Observation.rs?category=http%3A%2F%2Fa.org%7Cx", "system", "Observation", "rs", (("category", "http://a.org|x"),)),
        ("system/Task.r?status=a&code=b", "system", "Task", "r", (("code", "b"), ("status", "a"))),
        ("openid", None, "", "", ()),
        ("launch/patient", None, "", "", ()),
        ("offline_access", None, "", "", ()),
    ],
)
def test_a_scope_is_read(scope: str, context: str | None, type: str, letters: str, constraint: object) -> None:
    (read,) = parse(scope)
    assert (read.text, read.context, read.type, read.letters, read.constraint) == (scope, context, type, letters, constraint)


@pytest.mark.parametrize(
    "scope",
    [
        "system/Task.rsu",  # letters come in the order c r u d s
        "system/Task.rr",
        "system/Task.x",
        "system/Task.",
        "system/Task",
        "system/.rs",
        "system/task.rs",
        "System/Task.rs",
        "system//Task.rs",
        "systems/Task.rs",
        "system/Task.read?category=x",
        "system/Task.rs?",
        "system/Task.rs?category",
        "system/Task.rs?category=",
        "system/Task.rs?=x",
        "system/Task.rs?a=%ff",
        'system/Task.rs?a="',
        "system/Task.reads",
        "launch/",
        "*",
        "system/Täsk.rs",
        "\t",
    ],
)
def test_what_is_no_scope(scope: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse(f"system/Patient.r {scope}")
    assert raised.value.location == "scope 2"
    assert scope not in raised.value.message


ANYTHING: tuple[Any, ...] = ()

ALLOWED = [
    # scopes                                                    type           asked  granted
    ("system/Task.rus", "Task", "r", ANYTHING),
    ("system/Task.rus", "Task", "c", None),
    ("system/Task.rus", "Patient", "r", None),  # one type opens no other
    ("system/*.rs", "Patient", "s", ANYTHING),
    ("system/*.rs", "Patient", "u", None),
    ("system/Task.read", "Task", "s", ANYTHING),
    ("system/Task.read", "Task", "u", None),
    ("system/Task.write", "Task", "d", ANYTHING),
    ("user/Task.r", "Task", "r", ANYTHING),
    ("patient/Task.r", "Task", "r", None),  # unless the caller keeps to the patient
    ("openid", "Task", "r", None),
    ("", "Task", "r", None),
    ("system/Observation.rs?category=laboratory", "Observation", "s", (LAB,)),
    ("system/Observation.rs?category=laboratory system/Observation.r", "Observation", "r", ANYTHING),
    ("system/Observation.rs?category=laboratory system/Observation.s?category=survey", "Observation", "s", (LAB, (("category", "survey"),))),
]


@pytest.mark.parametrize(("scopes", "type", "interaction", "granted"), ALLOWED)
def test_what_scopes_allow(scopes: str, type: str, interaction: Interaction, granted: object) -> None:
    assert allows(parse(scopes), type, interaction) == granted


def test_patient_scopes_count_where_the_caller_keeps_to_the_patient() -> None:
    assert allows(parse("patient/Task.r"), "Task", "r", contexts=("patient",)) == ()


WITHIN = [
    # requested                                        registered                                       within
    ("system/Task.r", "system/Task.rus", True),
    ("system/Task.rus", "system/Task.r", False),
    ("system/Task.rus", "system/Task.rs system/*.u", True),
    ("system/*.r", "system/Task.r", False),
    ("system/Task.r", "system/*.r", True),
    ("system/Task.r", "user/Task.r", False),
    ("system/Task.read", "system/Task.rs", True),
    ("system/Task.rs", "system/Task.read", True),
    ("system/Task.*", "system/Task.rs", False),
    ("system/Task.r?status=requested", "system/Task.r", True),
    ("system/Task.r", "system/Task.r?status=requested", False),
    ("system/Task.r?status=x", "system/Task.r?status=requested", False),
    ("system/Task.r?status=requested&code=a", "system/Task.r?status=requested", True),
    ("openid", "openid", True),
    ("openid", "system/*.cruds", False),
    ("launch", "launch/patient", False),
]


@pytest.mark.parametrize(("requested", "registered", "within"), WITHIN)
def test_what_reaches_beyond_a_registration(requested: str, registered: str, within: bool) -> None:
    assert (beyond(parse(requested), parse(registered)) == ()) is within


LETTERS = st.sets(st.sampled_from("cruds"), min_size=1).map(lambda chosen: "".join(letter for letter in "cruds" if letter in chosen))
SCOPES = st.builds("{}/{}.{}".format, st.sampled_from(["system", "user"]), st.sampled_from(["*", "Task", "Patient"]), LETTERS)


@given(st.lists(SCOPES, max_size=4), st.lists(SCOPES, max_size=4))
def test_what_is_not_beyond_a_registration_allows_nothing_that_it_does_not(requested: list[str], registered: list[str]) -> None:
    asked, given_ = parse(" ".join(requested)), parse(" ".join(registered))
    kept = [scope for scope in asked if scope not in beyond(asked, given_)]
    for type in ("Task", "Patient", "Flag"):
        for interaction in ("c", "r", "u", "d", "s"):
            if allows(kept, type, interaction) is not None:
                assert allows(given_, type, interaction) is not None


@given(st.text(max_size=60))
def test_any_text_is_scopes_or_refused(words: str) -> None:
    try:
        read = parse(words)
    except Invalid:
        return
    assert parse(text(read)) == read


# registration


def register(**about: Any) -> Any:
    good: dict[str, Any] = {"id": "river", "organization": "river-cmhc", "jwks": JWKS, "now": NOW}
    return clients.register(MemoryCredentials(), **{**good, **about})


def test_a_client_gets_its_roles_scopes_unless_it_names_some() -> None:
    agency = register()
    assert (agency.role, agency.created, agency.revoked) == ("agency", NOW, None)
    assert {"system/Task.rus", "system/Appointment.crus", "system/Communication.crs", "system/Patient.rs"} <= set(agency.scopes.split())
    assert register(role="hospital", organization="st-mary", feeds=("st-mary",)).scopes == "system/Bundle.c"
    assert register(scope="system/Task.read  system/Task.read").scopes == "system/Task.read"


def test_every_roles_scopes_are_system_scopes() -> None:
    assert set(clients.roles()) == {"agency", "hospital", "coordinator", "operator"}
    for role in clients.roles():
        assert {scope.context for scope in parse(clients.default_scope(role))} == {"system"}


WEAK = RSAKey.generate_key(2048).as_dict(private=False)
EC256 = ECKey.generate_key("P-256", {"kid": "p256"}).as_dict(private=False)


def key_set(*members: Any) -> str:
    return json.dumps({"keys": members})


@pytest.mark.parametrize(
    ("about", "location"),
    [
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"role": "admin"}, "role"),
        ({"organization": ""}, "organization"),
        ({"organization": "*"}, "organization"),  # the recipient that sees everything
        ({"organization": "coordinator"}, "organization"),
        ({"organization": "river cmhc"}, "organization"),
        ({"role": "hospital", "organization": ""}, "organization"),
        ({"feeds": ("st-mary",)}, "feeds"),
        ({"scope": "system/Task.rsu"}, "scope 1"),
        ({"scope": "user/Task.rs"}, "scope"),
        ({"scope": "openid"}, "scope"),
        ({"jwks": ""}, "jwks"),
        ({"jwks_url": "https://agency.example.org/jwks.json"}, "jwks"),
        ({"jwks": "", "jwks_url": "http://agency.example.org/jwks.json"}, "url"),
        ({"jwks": "", "jwks_url": "https://10.0.0.8/jwks.json"}, "url"),
        ({"jwks": "rubbish"}, "jwks"),
        ({"jwks": "[" * 60_000}, "jwks"),
        ({"jwks": "{}"}, "jwks"),
        ({"jwks": key_set()}, "jwks"),
        ({"jwks": key_set("x")}, "jwks"),
        ({"jwks": key_set(ES.as_dict(private=True))}, "jwks.keys[0]"),
        ({"jwks": key_set(ES.as_dict(private=False), RS.as_dict(private=True))}, "jwks.keys[1]"),
        ({"jwks": key_set({"kty": "oct", "kid": "a", "k": "c2VjcmV0"})}, "jwks.keys[0]"),
        ({"jwks": key_set(EC256)}, "jwks.keys[0]"),
        ({"jwks": key_set({**WEAK, "kid": "weak", "n": WEAK["n"][:171]})}, "jwks.keys[0]"),  # 1,024 bits
        ({"jwks": key_set({**WEAK, "kid": "weak", "e": "Aw"})}, "jwks.keys[0]"),  # exponent 3
        ({"jwks": key_set({**WEAK, "kid": ""})}, "jwks.keys[0]"),
        ({"jwks": key_set({"kty": "EC", "kid": "a", "crv": "P-384", "x": "AAAA", "y": "AAAA"})}, "jwks.keys[0]"),
        ({"jwks": key_set({"kty": "EC", "kid": "a", "crv": "P-384"})}, "jwks.keys[0]"),
        ({"jwks": key_set({"kty": "RSA", "kid": "a"})}, "jwks.keys[0]"),
        ({"jwks": key_set({"kty": "RSA", "kid": "a", "n": 7, "e": None})}, "jwks.keys[0]"),
        ({"jwks": key_set(ES.as_dict(private=False), {**ES.as_dict(private=False)})}, "jwks.keys[1]"),
        ({"jwks": key_set({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "AAAA"})}, "jwks"),
        ({"jwks": JWKS + " " * 70_000}, "jwks"),
    ],
)
def test_what_may_not_be_registered(about: dict[str, Any], location: str) -> None:
    with pytest.raises(Invalid) as raised:
        register(**about)
    assert raised.value.location == location


def test_an_id_is_registered_once_also_after_its_revocation() -> None:
    """Or a revoked client's tokens and spent assertions would come to life again."""
    credentials = MemoryCredentials()
    clients.register(credentials, id="river", organization="river", jwks=JWKS, now=NOW)
    credentials.revoke_client("river", NOW)
    with pytest.raises(Conflict):
        clients.register(credentials, id="river", organization="river", jwks=JWKS, now=NOW)


def test_a_loopback_key_set_url_needs_the_configuration() -> None:
    url = "http://127.0.0.1:9000/jwks.json"
    with pytest.raises(Invalid):
        register(jwks="", jwks_url=url)
    assert register(jwks="", jwks_url=url, reach=Reach(loopback=True)).jwks_url == url


def test_a_new_pair_is_es384_with_its_thumbprint_as_kid() -> None:
    private, public = keys.new_pair()
    (shown,) = public["keys"]
    assert (shown["kty"], shown["crv"], shown["alg"], shown["use"]) == ("EC", "P-384", "ES384", "sig")
    assert shown["kid"] == private["kid"] == ECKey.import_key(shown).thumbprint()
    assert "d" in private
    assert "d" not in shown
    keys.check_set(json.dumps(public))


@pytest.mark.parametrize(
    "jwk",
    [ES.as_dict(private=False), {"kty": "EC", "d": "AAAA"}, ECKey.generate_key("P-256").as_dict(private=True), {}],
    ids=["public", "no key", "P-256", "empty"],  # no part of a new key: every worker must name a test alike
)
def test_keys_that_cannot_sign(jwk: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        keys.private_key(jwk)
