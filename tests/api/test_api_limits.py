"""What anybody may use at most: rates, requests in progress, time, sizes. Refusals say when to ask again, in the form the caller reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry

from gateway.api import rates
from gateway.api.edge import guard
from gateway.api.query_cost import check_cost
from gateway.api.rates import Buckets, Rate
from gateway.api.requests import JSON_PATCH, body, parameters
from gateway.api.traffic import Bounds, Traffic
from gateway.errors import TooLarge, TooMany, Unauthorized, Usage
from gateway.fhir import validation
from gateway.http_application import bounds_of
from gateway.settings import load
from gateway.smart.access import Caller
from tests.api.gateway_api import Bench, bench

ANYWHERE = "203.0.113.9"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# --- buckets ----------------------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    clock = Clock()
    buckets = Buckets(Rate(2, 3), clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0, 0.5]
    clock.now += 60
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]  # it holds no more than its burst


def test_each_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(Rate(1, 1), Clock())
    assert [buckets.take("a"), buckets.take("b"), buckets.take("a")] == [0, 0, 1]


def test_what_is_refused_takes_nothing() -> None:
    clock = Clock()
    buckets = Buckets(Rate(1, 1), clock)
    assert [buckets.take("a") for _ in range(50)][-1] == 1
    clock.now += 1
    assert buckets.take("a") == 0


def test_more_than_ever_fits_is_taken_from_a_full_bucket() -> None:
    """A batch of 200 entries, where 100 requests at once are allowed, must not wait for ever."""
    clock = Clock()
    buckets = Buckets(Rate(10, 100), clock)
    assert buckets.take("a", 200) == 0
    assert buckets.take("a") == pytest.approx(0.1)


def test_a_rate_of_nought_is_without_limit() -> None:
    assert {Buckets(Rate(0, 1), Clock()).take("a") for _ in range(1000)} == {0}


def test_buckets_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full ones are forgotten first: they are as good as new."""
    monkeypatch.setattr(rates, "MOST", 10)
    clock = Clock()
    buckets = Buckets(Rate(1, 5), clock)
    for _ in range(5):
        buckets.take("busy")
    for number in range(1000):
        buckets.take(f"passer-by {number}")
        clock.now += 0.01
        assert len(buckets._full_at) <= 10
    assert buckets.take("busy", 5) == 0  # ten seconds later


# --- requests ---------------------------------------------------------------------------------------------------------


class Edge:
    """An app behind the edge. Its tokens are clients' names."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.clock = Clock()
        self.traffic = Traffic(bounds or Bounds(), self.clock)
        self.go = asyncio.Event()
        app = FastAPI(openapi_url=None)

        def who(request: Request) -> Caller:
            def authenticate() -> Caller:
                token = request.headers.get("authorization", "").removeprefix("Bearer ")
                if not token or token == "wrong":
                    raise Unauthorized("the access token does not hold")
                return Caller(token, "agency", "river", (), (), 0)

            return self.traffic.caller(authenticate)

        @app.get("/fhir/Task")
        async def search(request: Request) -> Response:
            who(request)
            return Response(b"{}", media_type="application/fhir+json")

        @app.get("/wait")
        async def wait(request: Request) -> Response:
            who(request)
            await self.go.wait()
            return Response(b"{}")

        @app.post("/oauth/token")
        async def token() -> Response:
            return Response(b"{}", media_type="application/json")

        @app.post("/take")
        async def take(request: Request) -> Response:
            return Response(str(len(await body(request, 1000))).encode())

        @app.get("/healthz")
        async def alive() -> Response:
            return Response(b"ok")

        guard(app, CollectorRegistry(), self.traffic)
        self.app = app

    async def get(self, path: str = "/fhir/Task", token: str = "", address: str = ANYWHERE, method: str = "GET", **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(address, 5))
        async with httpx.AsyncClient(transport=transport, base_url="https://gateway.example.org") as http:
            return await http.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {}, **more)


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@on_loop
async def test_a_client_beyond_its_rate_is_told_when_to_ask_again() -> None:
    """RFC 6585 section 4: 429 with Retry-After. FHIR: OperationOutcome with the issue type throttled."""
    edge = Edge(Bounds(client=Rate(0.1, 2)))
    assert [(await edge.get(token="river")).status_code for _ in range(2)] == [200, 200]
    refused = await edge.get(token="river")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "10"
    assert refused.headers["content-type"] == "application/fhir+json"
    assert validation.issues(refused.json()) == []
    assert refused.json()["issue"][0]["code"] == "throttled"
    assert (await edge.get(token="oak")).status_code == 200
    edge.clock.now += 10
    assert (await edge.get(token="river")).status_code == 200


@on_loop
async def test_a_client_is_counted_from_wherever_it_asks_and_its_neighbours_are_not() -> None:
    edge = Edge(Bounds(client=Rate(1, 2), address=Rate(1, 1)))
    answers = [await edge.get(token="river", address=f"203.0.113.{number}") for number in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    neighbours = [await edge.get(token=f"client-{number}") for number in range(5)]
    assert {each.status_code for each in neighbours} == {200}


@on_loop
async def test_an_address_is_counted_before_anybody_is_known() -> None:
    edge = Edge(Bounds(address=Rate(1, 2)))
    assert [(await edge.get()).status_code for _ in range(3)] == [401, 401, 429]
    assert (await edge.get(address="203.0.113.10")).status_code == 401
    assert (await edge.get(token="river")).status_code == 200  # who has a token does not suffer by its neighbour


@on_loop
async def test_a_token_that_does_not_hold_counts_for_its_address() -> None:
    edge = Edge(Bounds(address=Rate(1, 2)))
    assert [(await edge.get(token="wrong")).status_code for _ in range(3)] == [401, 401, 429]
    assert (await edge.get(token="river")).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "/oauth/token"), ("POST", "/take"), ("GET", "/nowhere")])
def test_a_false_token_is_no_way_round_where_no_token_is_looked_at(method: str, path: str) -> None:
    edge = Edge(Bounds(address=Rate(1, 1)))
    answers = [asyncio.run(edge.get(path, method=method, token="wrong")).status_code for _ in range(2)]
    assert answers[1] == 429


@on_loop
async def test_the_token_endpoint_tells_it_as_oauth_does() -> None:
    """RFC 6749 section 5.2: an error as JSON, never stored."""
    edge = Edge(Bounds(address=Rate(0.5, 1)))
    assert (await edge.get("/oauth/token", method="POST")).status_code == 200
    refused = await edge.get("/oauth/token", method="POST")
    assert refused.status_code == 429
    assert refused.json()["error"] == "temporarily_unavailable"
    assert refused.headers["content-type"] == "application/json"
    assert refused.headers["retry-after"] == "2"
    assert refused.headers["cache-control"] == "no-store"


@on_loop
async def test_one_subscribers_ipv6_network_is_one_address() -> None:
    edge = Edge(Bounds(address=Rate(1, 2)))
    answers = [await edge.get(address=f"2001:db8:0:1::{number}") for number in range(1, 4)]
    assert [each.status_code for each in answers] == [401, 401, 429]
    assert (await edge.get(address="2001:db8:0:2::1")).status_code == 401


@on_loop
async def test_an_ipv4_address_written_as_ipv6_is_the_same_address() -> None:
    edge = Edge(Bounds(address=Rate(1, 1)))
    assert [(await edge.get(address=address)).status_code for address in (ANYWHERE, f"::ffff:{ANYWHERE}")] == [401, 429]


@on_loop
async def test_this_machine_and_whoever_looks_whether_it_lives_are_not_counted() -> None:
    edge = Edge(Bounds(address=Rate(1, 1)))
    assert {(await edge.get(address=address)).status_code for address in ("127.0.0.1", "::1", "127.0.0.1", "::1")} == {401}
    assert {(await edge.get("/healthz")).status_code for _ in range(5)} == {200}


@on_loop
async def test_requests_in_progress_are_bounded_for_one_client_and_for_all() -> None:
    edge = Edge(Bounds(requests=3, requests_of_client=2))
    held = [asyncio.create_task(edge.get("/wait", token="river")) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert (await edge.get(token="river")).status_code == 429
    held.append(asyncio.create_task(edge.get("/wait", token="oak")))
    await asyncio.sleep(0.01)
    full = await edge.get(token="elm")
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    assert (await edge.get("/healthz")).status_code == 200
    edge.go.set()
    assert {(await each).status_code for each in held} == {200}
    assert (await edge.get(token="river")).status_code == 200


@on_loop
async def test_a_request_that_is_not_answered_in_time_is_ended() -> None:
    edge = Edge(Bounds(request_seconds=0.02))
    ended = await edge.get("/wait", token="river")
    assert (ended.status_code, ended.json()["issue"][0]["code"]) == (503, "transient")
    assert (await edge.get(token="river")).status_code == 200


@on_loop
async def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    """RFC 9110 section 15.5.9."""
    edge = Edge(Bounds(body_seconds=0.02))

    async def drip() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    late = await edge.get("/take", method="POST", content=drip())
    assert late.status_code == 408
    assert late.json()["issue"][0]["code"] == "timeout"


@on_loop
async def test_what_is_refused_and_what_fails_frees_its_place() -> None:
    edge = Edge(Bounds(requests=1, requests_of_client=1))
    for token in ("wrong", "river", "", "river"):
        assert (await edge.get("/fhir/nowhere", token=token)).status_code == 404
        assert (await edge.get(token=token)).status_code == (200 if token == "river" else 401)
    assert edge.traffic._running_of == {}


def test_each_entry_of_a_batch_counts_as_a_request() -> None:
    traffic = Traffic(Bounds(client=Rate(1, 10)), Clock())
    traffic.charge("river", 8)
    with pytest.raises(TooMany) as refused:
        traffic.charge("river", 8)
    assert refused.value.wait == 6


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


@pytest.mark.parametrize("path", ["/fhir", "/fhir/$process-message"])
def test_a_feeds_bundle_of_too_many_entries_is_refused_before_it_takes_the_writers_time(gateway: Bench, path: str) -> None:
    gateway.services = replace(gateway.services, limits=replace(gateway.services.limits, body=16_000_000))
    too_many = b'{"resourceType": "Bundle", "type": "collection", "entry": [' + b"{}," * 5000 + b"{}]}"
    refused = gateway.as_("hospital", "POST", path, content=too_many)
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (413, "too-long")
    assert gateway.taken == []


XML_BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>
<Patient xmlns="http://hl7.org/fhir"><id value="&b;&c;"/></Patient>"""
ENTRIES = [
    ("river", "POST", "/fhir/Appointment"),
    ("river", "PUT", "/fhir/Task/t1"),
    ("river", "PATCH", "/fhir/Task/t1"),
    ("river", "POST", "/fhir"),
    ("hospital", "POST", "/fhir"),
    ("hospital", "POST", "/fhir/$process-message"),
    ("coordinator", "POST", "/api/transitions/tr1/decisions"),
    ("coordinator", "PUT", "/api/agencies/river"),
]


@pytest.mark.parametrize(("who", "method", "path"), ENTRIES)
@pytest.mark.parametrize("kind", ["application/fhir+xml", "application/xml", "text/xml", "application/fhir+json", ""])
def test_an_xml_bomb_is_read_by_nobody(gateway: Bench, who: str, method: str, path: str, kind: str) -> None:
    """There is no XML reader to explode: XML is another content type, and called JSON it is no JSON."""
    refused = gateway.as_(who, method, path, content=XML_BOMB, headers={"Content-Type": kind} if kind else {})
    assert refused.status_code in (400, 404, 415)
    assert "root:" not in refused.text


DEEP = [b"[" * 9000, b'{"a":' * 900 + b"1" + b"}" * 900, b'{"resourceType":"Patient","x":' + b"[" * 70 + b"]" * 70 + b"}", b"[" * 500 + b"]" * 500]


@pytest.mark.parametrize(("who", "method", "path"), ENTRIES)
@pytest.mark.parametrize("body", DEEP, ids=["open", "objects", "in a resource", "arrays"])
def test_json_that_is_nested_without_end_is_refused_in_words(gateway: Bench, who: str, method: str, path: str, body: bytes) -> None:
    refused = gateway.as_(who, method, path, content=body, headers={"Content-Type": JSON_PATCH[0] if method == "PATCH" else "application/json"})
    if who == "hospital":  # kept for the quarantine, which tells of it in the same words
        assert [each.raw for each in gateway.taken] == [body]
    else:
        assert refused.status_code in (400, 404)
        assert validation.issues(refused.json()) == []


# --- queries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"_id={number}" for number in range(100)),
        "_id=" + ",".join(map(str, range(500))),
        "&".join(["_include=Task:patient"] * 16),
        "subject:Patient.organization.name=x",
        "_has:Observation:patient:code=x",
        "&".join(["subject:Patient.identifier=x"] * 8),
    ],
)
def test_queries_that_are_taken(query: str) -> None:
    assert parameters(query)


@pytest.mark.parametrize(
    "query",
    [
        "_id=" + ",".join(map(str, range(501))),
        "&".join(["status=" + "a," * 9] * 60),
        "&".join(["_include=Task:patient", "_revinclude=Provenance:target"] * 9),
        "&".join(["_include:iterate=Task:patient"] * 17),
        "a.b.c.d=x",
        "_has:A:b:_has:C:d:_has:E:f:g=x",
        "&".join(["subject:Patient.identifier=x"] * 9),
    ],
)
def test_queries_that_cost_too_much(query: str) -> None:
    with pytest.raises(TooLarge):
        parameters(query)


def test_a_query_without_parameters_costs_nothing() -> None:
    check_cost([])


# --- configuration ----------------------------------------------------------------------------------------------------


def test_what_is_not_configured_is_bounded_all_the_same() -> None:
    assert bounds_of(load(None).http) == Bounds(client=Rate(500, 5000), address=Rate(50, 500), requests=1000, requests_of_client=100)


def test_rates_are_configured(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[http]\nclient_rate = 0.5\nclient_burst = 7\naddress_rate = 0\nmax_requests = 9\n")
    bounds = bounds_of(load(tmp_path / "gateway.toml").http)
    assert bounds == Bounds(client=Rate(0.5, 7), address=Rate(0, 500), requests=9, requests_of_client=100)


@pytest.mark.parametrize("line", ["client_rate = -1", 'client_rate = "x"', "client_burst = 0", "max_connections = 0", "trusted_proxies = 1"])
def test_a_limit_that_is_none_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "gateway.toml").write_text(f"[http]\n{line}\n")
    with pytest.raises(Usage) as refused:
        load(tmp_path / "gateway.toml")
    assert refused.value.location == "gateway.toml, line 2"
    assert "cannot be taken" not in refused.value.message
