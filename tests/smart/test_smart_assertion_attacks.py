"""Each way of getting in by a false assertion, by its name; all end in 400 invalid_client and no token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from gateway.errors import Unauthorized
from gateway.smart import assertions, keys
from tests.smart.memory import BASE, ES, JWKS, NOW, OTHER, RS, TOKEN_URL, World
from tests.store.conftest import database  # noqa: F401 - a fixture
from tests.store.stores import fresh, on_every_store


def refused(world: World, assertion: str) -> str:
    """The reason given."""
    answer = asyncio.run(world.ask(assertion))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client"), answer.text
    assert not world.credentials.tokens
    return str(answer.json()["error_description"])


def part(value: object) -> str:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def claims() -> dict[str, Any]:
    return {"iss": "river", "sub": "river", "aud": TOKEN_URL, "exp": NOW + 300, "jti": "1"}


def unsigned(header: dict[str, Any], signature: str = "") -> str:
    return f"{part(header)}.{part(claims())}.{signature}"


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
def test_alg_none(name: str) -> None:
    assert refused(World(), unsigned({"alg": name, "typ": "JWT", "kid": "es-1"})) == "alg is neither ES384 nor RS384"


@pytest.mark.parametrize("secret", [RS.as_pem(private=False), JWKS.encode(), b""], ids=["PEM", "JWKS", "empty"])
def test_hs256_with_the_public_key_as_secret(secret: bytes) -> None:
    signed = unsigned({"alg": "HS256", "typ": "JWT", "kid": "rs-1"}).removesuffix(".")
    forged = signed + "." + part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())
    assert refused(World(), forged) == "alg is neither ES384 nor RS384"


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS384"])
def test_other_rsa_algorithms(algorithm: str) -> None:
    key = RSAKey.import_key({**RS.as_dict(private=True), "alg": algorithm})
    assert "alg" in refused(World(), World().assertion(key, header={"alg": algorithm}))


@pytest.mark.parametrize(("algorithm", "curve"), [("ES256", "P-256"), ("ES512", "P-521")])
def test_other_curves(algorithm: str, curve: str) -> None:
    key = ECKey.generate_key(curve, {"kid": "es-1"})
    assert "alg" in refused(World(), World().assertion(key, header={"alg": algorithm}))


def test_rs384_said_of_the_elliptic_key_and_the_other_way_round() -> None:
    for header in ({"alg": "RS384", "typ": "JWT", "kid": "es-1"}, {"alg": "ES384", "typ": "JWT", "kid": "rs-1"}):
        assert refused(World(), unsigned(header, "AAAA")) == assertions.NO_KEY


def test_another_key_with_the_registered_kid() -> None:
    assert refused(World(), World().assertion(OTHER)) == assertions.NO_KEY


def test_a_changed_claim_after_signing() -> None:
    world = World()
    header, _, signature = world.assertion().split(".")
    assert refused(world, f"{header}.{part(claims())}.{signature}") == assertions.NO_KEY


def test_a_signature_cut_off() -> None:
    world = World()
    assert refused(world, world.assertion().rsplit(".", 1)[0] + ".") == assertions.NO_KEY


def test_an_elliptic_signature_of_zeros() -> None:
    assert refused(World(), unsigned({"alg": "ES384", "typ": "JWT", "kid": "es-1"}, part(bytes(96)))) == assertions.NO_KEY


def test_the_attackers_key_inside_the_header() -> None:
    """jwk and x5c in a header are never a key to trust."""
    attack = World().assertion(OTHER, header={"jwk": OTHER.as_dict(private=False)})
    assert refused(World(), attack) == assertions.NO_KEY


@pytest.mark.parametrize(
    "audience",
    [
        BASE,
        BASE + "/oauth/token/",
        "https://other.example.org/oauth/token",
        TOKEN_URL.upper(),
        "",
        [TOKEN_URL, "https://other.example.org/token"],
        [],
        [[TOKEN_URL]],
        {"url": TOKEN_URL},
        None,
        7,
    ],
    ids=str,
)
def test_wrong_aud(audience: object) -> None:
    assert refused(World(), World().assertion(aud=audience)).startswith("aud")


def test_aud_may_be_a_list_of_the_one() -> None:
    world = World()
    assert asyncio.run(world.ask(world.assertion(aud=[TOKEN_URL]))).status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"iss": "lake"}, {"sub": "lake"}, {"iss": "lake", "sub": "lake"}, {"iss": ["river"], "sub": ["river"]}, {"iss": ""}, {"sub": 7}]
)
def test_wrong_iss_or_sub(wrong: dict[str, Any]) -> None:
    refused(World(), World().assertion(**wrong))


def test_one_clients_key_for_another_client() -> None:
    world = World()
    world.register("lake", organization="lake", jwks=json.dumps({"keys": [OTHER.as_dict(private=False)]}))
    assert refused(world, world.assertion(ES, iss="lake", sub="lake")) == assertions.NO_KEY


def test_unknown_revoked_and_wrong_key_look_alike() -> None:
    """Nobody learns from a reason which clients there are."""
    world = World()
    world.register("lake", organization="lake", jwks=JWKS)
    world.credentials.revoke_client("lake", NOW)
    reasons = {refused(world, world.assertion(iss=name, sub=name)) for name in ("lake", "nobody")}
    assert reasons | {refused(world, world.assertion(OTHER)), refused(world, world.assertion(header={"kid": "other"}))} == {assertions.NO_KEY}


@pytest.mark.parametrize("name", ["kid", "typ", "alg", "iss", "sub", "aud", "exp", "jti"])
def test_missing(name: str) -> None:
    world = World()
    if name == "alg":
        attack = unsigned({"typ": "JWT", "kid": "es-1"}, "AAAA")
    else:
        attack = world.assertion(without=(name,))
    refused(world, attack)


@pytest.mark.parametrize("value", ["", "  ", None, 7, ["1"], "x" * 257, "\ud800"], ids=ascii)
def test_empty_or_odd_jti(value: object) -> None:
    assert "jti" in refused(World(), World().assertion(jti=value))


@pytest.mark.parametrize("value", ["jwt", "at+jwt", "", "JOSE"])
def test_typ_other_than_jwt(value: str) -> None:
    assert "typ" in refused(World(), World().assertion(header={"typ": value}))


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"exp": NOW - 60}, "the assertion has expired"),
        ({"exp": NOW - 10}, "the assertion has expired"),
        ({"exp": 0}, "the assertion has expired"),
        ({"exp": NOW + 86_400}, "exp lies more than five minutes ahead"),
        ({"exp": NOW + 330}, "exp lies more than five minutes ahead"),
        ({"nbf": NOW + 60}, "the assertion is not valid yet"),
        ({"iat": NOW + 60}, "iat lies in the future or after exp"),
        ({"exp": NOW + 5, "iat": NOW + 200}, "iat lies in the future or after exp"),
        ({"exp": str(NOW + 60)}, "exp is not a time in seconds"),
        ({"exp": True}, "exp is not a time in seconds"),
        ({"exp": None}, "exp is not a time in seconds"),
        ({"exp": [NOW + 60]}, "exp is not a time in seconds"),
        ({"exp": 1e300}, "exp is not a time in seconds"),
        ({"exp": -1}, "exp is not a time in seconds"),
        ({"exp": (NOW + 60) * 1000}, "exp lies more than five minutes ahead"),  # milliseconds
        ({"nbf": "now"}, "nbf is not a time in seconds"),
        ({"iat": None}, "iat is not a time in seconds"),
    ],
    ids=str,
)
def test_times_that_do_not_hold(times: dict[str, Any], reason: str) -> None:
    assert refused(World(), World().assertion(**times)) == reason


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
def test_exp_that_is_no_number_compares_with_nothing(value: float) -> None:
    assert refused(World(), World().assertion(exp=value)) == "the assertion is not a signed JWT"


@pytest.mark.parametrize("times", [{"exp": NOW + 1}, {"exp": NOW + 300.5}, {"nbf": NOW - 5, "iat": NOW - 5}, {"iat": NOW + 5}], ids=str)
def test_times_that_hold(times: dict[str, Any]) -> None:
    world = World()
    assert asyncio.run(world.ask(world.assertion(**times))).status_code == 200


def test_replayed_jti() -> None:
    world = World()
    assertion = world.assertion()
    assert asyncio.run(world.ask(assertion)).status_code == 200
    world.credentials.tokens.clear()
    assert refused(world, assertion) == "the assertion was used before"


def test_a_new_assertion_with_a_spent_jti() -> None:
    world = World()
    assert asyncio.run(world.ask(world.assertion(jti="1"))).status_code == 200
    world.credentials.tokens.clear()
    assert refused(world, world.assertion(RS, jti="1", exp=NOW + 120)) == "the assertion was used before"


def test_replayed_jti_concurrently() -> None:
    world = World()
    assertion = world.assertion()

    async def together() -> list[int]:
        return [answer.status_code for answer in await asyncio.gather(*(world.ask(assertion) for _ in range(20)))]

    assert sorted(asyncio.run(together())) == [200] + [400] * 19


@on_every_store
def test_replayed_jti_concurrently_to_two_gateways_on_one_store() -> None:
    with fresh() as store:
        worlds = [World(), World()]
        for world in worlds:
            world.credentials = store.credentials  # type: ignore[assignment]
            world.now = time.time()  # the store goes by its own clock when it forgets what was spent
            world.app = world._app()
        worlds[0].register("brook", organization="brook", jwks=JWKS)
        text = worlds[0].assertion(iss="brook", sub="brook")

        async def rush() -> list[int]:
            return [answer.status_code for answer in await asyncio.gather(*(world.ask(text) for world in worlds for _ in range(6)))]

        assert sorted(asyncio.run(rush())) == [200] + [400] * 11


def test_two_clients_may_use_one_jti() -> None:
    world = World()
    world.register("lake", organization="lake", jwks=JWKS)
    assert asyncio.run(world.ask(world.assertion(jti="1"))).status_code == 200
    assert asyncio.run(world.ask(world.assertion(jti="1", iss="lake", sub="lake"))).status_code == 200


def test_a_jti_is_kept_until_the_assertion_could_not_be_used_again() -> None:
    world = World()
    asyncio.run(world.ask(world.assertion(jti="1", exp=NOW + 200)))
    assert world.credentials.spent["river", "1"] >= NOW + 200 + assertions.LEEWAY


def test_a_false_assertion_spends_no_jti() -> None:
    world = World()
    refused(world, world.assertion(OTHER))
    refused(world, world.assertion(aud=BASE))
    assert not world.credentials.spent


@pytest.mark.parametrize("value", ["https://evil.example.org/jwks.json", "http://127.0.0.1/", "", 7, None], ids=str)
def test_foreign_jku(value: object) -> None:
    world = World()
    header, body, signature = world.assertion().split(".")
    decoded = {**json.loads(base64.urlsafe_b64decode(header + "==")), "jku": value}
    reason = refused(world, f"{part(decoded)}.{body}.{signature}")
    assert reason.startswith("jku")
    assert not world.resolved


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"b64": False, "crit": ["b64"]}, {"crit": []}], ids=str)
def test_critical_extensions(header: dict[str, Any]) -> None:
    assert refused(World(), unsigned({"alg": "ES384", "typ": "JWT", "kid": "es-1", **header}, "AAAA")) == "the header names a critical extension"


def test_header_names_that_nobody_knows_are_ignored() -> None:
    """RFC 7515 section 4."""
    world = World()
    assert asyncio.run(world.ask(world.assertion(header={"vendor": "x"}))).status_code == 200


def test_two_keys_of_one_kid() -> None:
    """Also when the set came into the store by another way than registration."""
    world = World()
    double = json.dumps({"keys": [ES.as_dict(private=False), OTHER.as_dict(private=False)]})
    assert keys.find(double, "es-1", "ES384") is None
    assert keys.find(JWKS, "es-1", "ES384") is not None
    assert refused(world, world.assertion(header={"kid": "rs-1"})) == assertions.NO_KEY


def test_one_kid_for_two_kinds_of_key_is_no_doubt() -> None:
    world = World()
    twins = json.dumps({"keys": [{**ES.as_dict(private=False), "kid": "k"}, {**RS.as_dict(private=False), "kid": "k"}]})
    world.register("lake", organization="lake", jwks=twins)
    for key in (ES, RS):
        assert asyncio.run(world.ask(world.assertion(key, header={"kid": "k"}, iss="lake", sub="lake"))).status_code == 200


TWICE = b', "alg": "ES384", "sub": "lake", "jti": "2", "kid": "es-1"}'


@pytest.mark.parametrize("doubled", [0, 1], ids=["header", "claims"])
def test_a_name_given_twice(doubled: int) -> None:
    """Two readers of one assertion must not see two clients in it."""
    texts = [json.dumps(value).encode() for value in ({"alg": "ES384", "typ": "JWT", "kid": "es-1"}, claims())]
    texts[doubled] = texts[doubled][:-1] + TWICE
    assert refused(World(), f"{part(texts[0])}.{part(texts[1])}.AAAA") == "the assertion is not a signed JWT"


DEEP = part(b"[" * 9_000)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "\u0000.\u0000.",
        "é.é.é",
        f"{DEEP}.{part(claims())}.AAAA",
        f"{part({'alg': 'ES384', 'typ': 'JWT', 'kid': 'es-1'})}.{DEEP}.AAAA",
        "e30.e30.",
        "bnVsbA.bnVsbA.",
        "IiI.IiI.",
        "x" * 20_000,
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_jwt(text: str) -> None:
    refused(World(), text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.tuples(*[st.binary(max_size=60)] * 3).map(lambda parts: ".".join(part(piece) for piece in parts)))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(Unauthorized):
        assertions.read(text, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)
NAMES = st.sampled_from(["alg", "kid", "typ", "jku", "crit", "iss", "sub", "aud", "exp", "nbf", "iat", "jti"])


@settings(max_examples=300, deadline=None)
@given(NAMES, JSON)
def test_any_value_anywhere_is_taken_or_refused_in_words(name: str, value: object) -> None:
    header: dict[str, Any] = {"alg": "ES384", "typ": "JWT", "kid": "es-1"}
    body = claims()
    (header if name in ("alg", "kid", "typ", "jku", "crit") else body)[name] = value
    world = World()
    try:
        read = assertions.read(f"{part(header)}.{part(body)}.AAAA", NOW)
        assertions.authenticate(read, TOKEN_URL, world.credentials, lambda client: client.jwks)
    except Unauthorized:
        return
    pytest.fail("an unsigned assertion was taken")


def test_an_assertion_signed_by_us_is_taken_by_us() -> None:
    """What `gateway clients keypair` makes and `sign` signs is what the token endpoint takes."""
    world = World()
    private, public = keys.new_pair()
    world.register("lake", organization="lake", jwks=json.dumps(public))
    assertion = assertions.sign(private, "lake", TOKEN_URL, NOW)
    assert asyncio.run(world.ask(assertion)).status_code == 200
    assertion = assertions.sign(RS.as_dict(private=True), "river", TOKEN_URL, NOW)
    assert asyncio.run(world.ask(assertion)).status_code == 200


def test_a_shared_secret_never_becomes_a_key() -> None:
    text = json.dumps({"keys": [{"kty": "oct", "kid": "es-1", "k": part(b"secret")}]})
    assert keys.find(text, "es-1", "ES384") is None
