"""Clients registered by a key set's URL: caching, unreachable hosts, and nobody's way into the operator's network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx
from joserfc.jwk import ECKey

from gateway.errors import Invalid
from gateway.smart import assertions
from gateway.smart.outbound import Reach, check_url, permitted
from tests.smart.memory import ES, JWKS, NOW, OTHER, World

URL = "https://agency.example.org/jwks.json"
PUBLIC = "93.184.216.34"


@pytest.fixture(name="jwks_host")
def _jwks_host() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def world_of(address: str = PUBLIC, reach: Reach = Reach(), url: str = URL) -> World:
    world = World(reach, {"agency.example.org": [address]})
    world.register("lake", organization="lake", jwks_url=url)
    return world


def serve(router: respx.MockRouter, text: str = JWKS, status: int = 200, **headers: str) -> respx.Route:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return router.get(f"https://{PUBLIC}/jwks.json").mock(return_value=httpx.Response(status, text=text, headers=named))


def ask(world: World, key: ECKey = ES, **about: Any) -> httpx.Response:
    return asyncio.run(world.ask(world.assertion(key, iss="lake", sub="lake", **about)))


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_a_key_set_by_url_is_fetched_and_used(jwks_host: respx.MockRouter) -> None:
    world, route = world_of(), serve(jwks_host)
    assert ask(world).status_code == 200
    request = route.calls[0].request
    assert request.headers["host"] == "agency.example.org"
    assert request.extensions["sni_hostname"] == "agency.example.org"


def test_jku_equal_to_the_registered_url_is_taken_and_any_other_refused(jwks_host: respx.MockRouter) -> None:
    world = world_of()
    serve(jwks_host)
    assert ask(world, header={"jku": URL}).status_code == 200
    for other in (URL + "/", URL + "?x=1", URL.replace("agency", "AGENCY"), "https://evil.example.org/jwks.json"):
        answer = ask(world, OTHER, header={"jku": other})
        assert refused(answer)
        assert "jku" in answer.json()["error_description"]
    assert set(world.resolved) == {"agency.example.org"}


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({}, 300),
        ({"Cache_Control": "max-age=60"}, 60),
        ({"Cache_Control": "public, max-age=60", "Age": "20"}, 40),
        ({"Cache_Control": "max-age=31536000"}, 3600),
        ({"Cache_Control": "no-store"}, 0),
        ({"Cache_Control": "no-cache, max-age=60"}, 0),
        ({"Cache_Control": "max-age=banana"}, 0),
    ],
    ids=str,
)
def test_a_set_is_kept_no_longer_than_its_cache_control(jwks_host: respx.MockRouter, headers: dict[str, str], kept: int) -> None:
    world, route = world_of(), serve(jwks_host, **headers)
    assert ask(world).status_code == 200
    world.now = NOW + kept - 0.5
    assert ask(world).status_code == 200
    assert route.call_count == (1 if kept else 2)
    world.now = NOW + kept + 0.5
    assert ask(world).status_code == 200
    assert route.call_count == (2 if kept else 3)


def test_a_rotated_key_is_looked_for_once_and_not_by_every_request(jwks_host: respx.MockRouter) -> None:
    world, route = world_of(), serve(jwks_host)
    assert ask(world).status_code == 200
    new = ECKey.generate_key("P-384", {"kid": "new"})
    world.now = NOW + 60
    serve(jwks_host, json.dumps({"keys": [new.as_dict(private=False)]}))
    assert ask(world, new).status_code == 200
    assert route.call_count == 2
    for guess in range(20):
        assert refused(ask(world, OTHER, header={"kid": f"guess-{guess}"}))
    assert route.call_count == 2
    assert refused(ask(world, ES))  # the withdrawn key


def test_many_requests_at_once_fetch_once(jwks_host: respx.MockRouter) -> None:
    world, route = world_of(), serve(jwks_host)

    async def together() -> list[int]:
        asked = (world.ask(world.assertion(iss="lake", sub="lake")) for _ in range(10))
        return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert asyncio.run(together()) == [200] * 10
    assert route.call_count == 1


@pytest.mark.parametrize("fault", [httpx.ConnectError("no"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("rubbish")], ids=repr)
def test_jwks_unreachable(jwks_host: respx.MockRouter, fault: Exception) -> None:
    world = world_of()
    jwks_host.get(f"https://{PUBLIC}/jwks.json").mock(side_effect=fault)
    answer = ask(world)
    assert refused(answer)
    assert answer.json()["error_description"] == assertions.NO_KEY


def test_jwks_host_without_an_address() -> None:
    world = World()
    world.register("lake", organization="lake", jwks_url=URL)
    assert refused(ask(world))


def test_a_kept_set_serves_while_its_host_is_down_and_not_beyond(jwks_host: respx.MockRouter) -> None:
    world = world_of()
    serve(jwks_host, Cache_Control="max-age=100")
    assert ask(world).status_code == 200
    serve(jwks_host, status=503)
    world.now = NOW + 50
    assert refused(ask(world, OTHER, header={"kid": "unknown"}))  # asks the host in vain
    assert ask(world).status_code == 200
    world.now = NOW + 101
    assert refused(ask(world))


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 401, 404, 500])
def test_only_200_is_an_answer_and_redirects_are_not_followed(jwks_host: respx.MockRouter, status: int) -> None:
    world = world_of()
    serve(jwks_host, status=status, Location="http://169.254.169.254/latest/meta-data/")
    assert refused(ask(world))
    assert world.resolved == ["agency.example.org"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        "[]",
        '{"keys": {}}',
        '{"keys": [1]}',
        "[" * 60_000,
        '{"keys": [{"kty": "EC", "kid": ["es-1"]}]}',
        json.dumps({"keys": [{**ES.as_dict(private=False), "x": "AAAA"}]}),
        json.dumps({"keys": [ES.as_dict(private=True)]}),
        json.dumps({"keys": [{**ES.as_dict(private=False), "use": "enc"}]}),
        json.dumps({"keys": [{**ES.as_dict(private=False), "key_ops": ["sign"]}]}),
        json.dumps({"keys": [{**ES.as_dict(private=False), "alg": "ES256"}]}),
        json.dumps({"keys": [ES.as_dict(private=False), OTHER.as_dict(private=False)]}),
        json.dumps({"keys": [ES.as_dict(private=False)] * 2}),
        JWKS + " " * 70_000,
    ],
    ids=lambda text: f"{len(text)}:{text[:20]}",
)
def test_sets_that_give_no_key(jwks_host: respx.MockRouter, text: str) -> None:
    """Among them: private keys in public, two keys of one kid, keys for other uses, more than 64 KB."""
    world = world_of()
    serve(jwks_host, text)
    assert refused(ask(world))


def test_a_key_of_unknown_kind_beside_ours_does_no_harm(jwks_host: respx.MockRouter) -> None:
    world = world_of()
    serve(jwks_host, json.dumps({"keys": [{"kty": "AKP", "kid": "es-1"}, ES.as_dict(private=False)]}))
    assert ask(world).status_code == 200


def test_packed_answers_are_refused(jwks_host: respx.MockRouter) -> None:
    import gzip

    world = world_of()
    body = gzip.compress(JWKS.encode())
    jwks_host.get(f"https://{PUBLIC}/jwks.json").mock(return_value=httpx.Response(200, content=body, headers={"Content-Encoding": "gzip"}))
    assert refused(ask(world))


INSIDE = ["127.0.0.1", "10.0.0.8", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"]
INSIDE += [
    "192.0.0.8",
    "192.88.99.1",
    "198.18.0.1",
    "192.0.2.1",
    "::7f00:1",
    "::ffff:0:7f00:1",
    "64:ff9b:1::1",
    "fec0::1",
    "5f00::1",
    "3fff::1",
    "100::1",
]
INSIDE += ["::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::1"]


@pytest.mark.parametrize("address", INSIDE)
def test_ssrf_through_a_name_that_leads_inside(jwks_host: respx.MockRouter, address: str) -> None:
    everything = jwks_host.route().mock(return_value=httpx.Response(200, text=JWKS))
    assert refused(ask(world_of(address)))
    assert everything.call_count == 0


def test_ssrf_through_one_inner_address_among_public_ones(jwks_host: respx.MockRouter) -> None:
    everything = jwks_host.route().mock(return_value=httpx.Response(200, text=JWKS))
    world = world_of()
    world.addresses["agency.example.org"] = [PUBLIC, "10.0.0.8"]
    assert refused(ask(world))
    assert everything.call_count == 0


def test_a_name_is_resolved_once_for_a_fetch(jwks_host: respx.MockRouter) -> None:
    """The connection goes to the address that was judged: a second, different answer of the name server is never asked for."""
    world, route = world_of(), serve(jwks_host)
    ask(world)
    assert world.resolved == ["agency.example.org"]
    assert route.calls[0].request.url.host == PUBLIC


def test_a_redirect_into_the_network_is_not_followed(jwks_host: respx.MockRouter) -> None:
    world = world_of()
    inside = jwks_host.get("http://169.254.169.254/keys").mock(return_value=httpx.Response(200, text=JWKS))
    serve(jwks_host, "", 302, Location="http://169.254.169.254/keys")
    assert refused(ask(world))
    assert inside.call_count == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_over_http_only_where_configured(jwks_host: respx.MockRouter, address: str) -> None:
    url = "http://localhost:9000/jwks.json"
    with pytest.raises(Invalid):
        check_url(url, Reach())
    world = World(Reach(loopback=True), {"localhost": [address]})
    world.register("lake", organization="lake", jwks_url=url)
    host = f"[{address}]" if ":" in address else address
    jwks_host.get(f"http://{host}:9000/jwks.json").mock(return_value=httpx.Response(200, text=JWKS))
    assert ask(world).status_code == 200


def test_private_networks_only_where_configured() -> None:
    for address in ("10.0.0.8", "192.168.1.1", "fd00::1"):
        assert not permitted(address, Reach())
        assert not permitted(address, Reach(loopback=True))
        assert permitted(address, Reach(private=True))
    for address in ("169.254.169.254", "127.0.0.1", "fe80::1", "0.0.0.0", "rubbish"):
        assert not permitted(address, Reach(private=True))
    assert permitted(PUBLIC, Reach())
    assert permitted("2606:2800:220:1:248:1893:25c8:1946", Reach())


@pytest.mark.parametrize(
    "url",
    [
        "http://agency.example.org/jwks.json",
        "ftp://agency.example.org/jwks.json",
        "file:///etc/passwd",
        "gopher://agency.example.org/",
        "//agency.example.org/jwks.json",
        "https://",
        "https:///jwks.json",
        "https://user:secret@agency.example.org/jwks.json",
        "https://agency.example.org/jwks.json#part",
        "https://agency.example.org:99999/",
        "https://[::1/",
        "https://127.0.0.1/jwks.json",
        "https://10.0.0.8/jwks.json",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:127.0.0.1]/",
        "https://agéncy.example.org/",
        "jwks.json",
        "",
    ],
)
def test_urls_that_cannot_be_registered(url: str) -> None:
    with pytest.raises(Invalid) as raised:
        check_url(url, Reach())
    assert not url or url not in str(raised.value)


def test_plain_http_beyond_this_machine_is_never_allowed() -> None:
    for url in ("http://10.0.0.8/jwks.json", "http://agency.example.org/jwks.json"):
        with pytest.raises(Invalid):
            check_url(url, Reach(loopback=True, private=True))


def test_a_false_assertion_fetches_nothing(jwks_host: respx.MockRouter) -> None:
    world, route = world_of(), serve(jwks_host)
    assert refused(ask(world, exp=NOW - 60))
    assert refused(ask(world, without=("jti",)))
    world.credentials.revoke_client("lake", NOW)
    assert refused(ask(world))
    assert route.call_count == 0
