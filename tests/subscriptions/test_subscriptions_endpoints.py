"""Endpoints that are none: requests into the operator's network, redirects, silence, cut connections. And which addresses a client may name."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
import respx

from gateway.errors import Invalid
from gateway.smart.outbound import Reach
from gateway.subscriptions.endpoints import check, is_below
from gateway.subscriptions.schedule import SECOND
from gateway.subscriptions.sending import Reply, send
from tests.subscriptions.gateway import Running

PUBLIC = "93.184.216.34"
HOOK = "https://agency.example.org/hook"


def sent(address: str = PUBLIC, url: str = HOOK, reach: Reach = Reach(), seconds: float = 5) -> Reply:
    async def resolved(host: str, port: int) -> list[str]:
        return [address]

    return asyncio.run(send(url, ["Authorization: Bearer s3cret"], "application/fhir+json", b"{}", seconds, 0.0, reach, resolved))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.8", "192.168.1.1", "169.254.169.254", "::1", "fe80::1", "::ffff:10.0.0.8", "0.0.0.0", "224.0.0.1"]
)
def test_a_name_that_leads_into_the_operators_network_is_not_followed(address: str) -> None:
    """At delivery, whatever the name resolved to when the Subscription was written."""
    with respx.mock(assert_all_called=False) as router:
        route = router.route()
        assert sent(address).refusal
        assert not route.called


def test_the_request_goes_to_the_address_that_was_judged_under_its_own_name() -> None:
    with respx.mock() as router:
        route = router.post(f"https://{PUBLIC}/hook").respond(200)
        assert sent() == Reply()
        request = route.calls[0].request
        assert (request.headers["host"], request.headers["authorization"]) == ("agency.example.org", "Bearer s3cret")
        assert request.extensions["sni_hostname"] == "agency.example.org"


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "https://agency.example.org/other"])
def test_a_redirect_is_a_failure_and_is_not_followed(target: str) -> None:
    with respx.mock(assert_all_called=False) as router:
        router.post(f"https://{PUBLIC}/hook").respond(307, headers={"Location": target})
        rest = router.route()
        assert "redirects are not followed" in sent().refusal
        assert not rest.called


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [(429, "120", 120 * SECOND), (503, "Thu, 01 Jan 1970 00:01:00 GMT", 60 * SECOND), (503, "soon", 0), (500, "120", 0), (429, "-5", 0)],
)
def test_how_long_an_endpoint_asks_to_be_left_alone(status: int, header: str, wait: int) -> None:
    """Retry-After, RFC 9110, 10.2.3; `now` is the beginning of 1970."""
    with respx.mock() as router:
        router.post(f"https://{PUBLIC}/hook").respond(status, headers={"Retry-After": header})
        assert sent() == Reply(f"The endpoint answered {status}.", wait)


@pytest.mark.parametrize("fault", [httpx.ReadError("…"), httpx.RemoteProtocolError("…"), httpx.ConnectError("…"), httpx.ReadTimeout("…")])
def test_a_broken_connection_is_a_failure_in_plain_words(fault: Exception) -> None:
    with respx.mock() as router:
        router.post(f"https://{PUBLIC}/hook").mock(side_effect=fault)
        refusal = sent().refusal
        assert refusal.startswith(("The endpoint", "The connection"))
        assert "…" not in refusal


def test_an_endpoint_that_hangs_is_given_up_in_its_time() -> None:
    async def hangs(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    with respx.mock(assert_all_called=False) as router:  # a call that is cut off is not counted
        router.post(f"https://{PUBLIC}/hook").mock(side_effect=hangs)
        assert sent(seconds=0.05).refusal == "The endpoint did not answer within 0.05 s."


@pytest.mark.parametrize(
    "url",
    [
        "http://agency.example.org/hook",
        "https://10.0.0.8/hook",
        "https://localhost:8080/console\r\nX: y",
        "https://user:secret@agency.example.org/hook",
        "https://agency.example.org/hook#there",
        "https://agency.example.org/hooks/../admin",
        "https://agency.example.org/hooks/%2e%2e/admin",
        "https://agency.example.org/hooks%2fadmin",
        "https://agency.example.org/hooks\\admin",
        "ftp://agency.example.org/hook",
        "https:///hook",
        "https://ägency.example.org/hook",
        "https://agency.example.org/" + "a" * 1000,
        "file:///etc/passwd",
        "",
    ],
)
def test_what_can_be_no_endpoint(url: str) -> None:
    with pytest.raises(Invalid):
        check(url, Reach())


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://agency.example.org/hooks", True),
        ("https://agency.example.org/hooks/", True),
        ("https://agency.example.org/hooks/a?b=c", True),
        ("https://AGENCY.example.org:443/hooks/a", True),
        ("https://agency.example.org/hooks-of-others", False),
        ("https://agency.example.org/", False),
        ("https://agency.example.org:8443/hooks", False),
        ("https://agency.example.org.evil.example/hooks", False),
        ("https://sub.agency.example.org/hooks", False),
        ("http://agency.example.org/hooks", False),
    ],
)
def test_an_endpoint_lies_below_an_allowed_address(url: str, allowed: bool) -> None:
    assert is_below(url, ["https://agency.example.org/hooks/"]) is allowed


def test_a_client_without_an_allowed_address_cannot_subscribe(gateway: Running) -> None:
    gateway.allow("oak")
    answer = gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish())
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Subscription.channel.endpoint"]


def test_an_address_that_is_forbidden_later_is_not_notified(gateway: Running) -> None:
    id = gateway.subscribe()
    gateway.store.subscriptions.forbid_endpoint("river", gateway.endpoint.url)
    gateway.discharge()
    gateway.deliver()
    assert gateway.endpoint.types() == ["handshake"]
    assert gateway.read(id)["status"] == "error"
    body = {**gateway.read(id), "status": "requested"}
    assert gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json=body).status_code == 422


def test_without_leave_for_this_machine_loopback_is_refused(gateway: Running) -> None:
    """As it is configured by default: plain http and loopback are for development."""
    gateway.allow()
    around = gateway.dispatcher._about
    gateway.dispatcher._about = replace(around, policy=replace(around.policy, reach=Reach()))
    answer = gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish())
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Subscription.channel.endpoint"]


def test_a_header_that_would_change_the_request_is_refused(gateway: Running) -> None:
    gateway.allow()
    for header in ("Host: elsewhere", "Content-Length: 0", "no colon", "A: b\r\nC: d", "X Y: z", "Transfer-Encoding: chunked"):
        answer = gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish(header=[header]))
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Subscription.channel.header[0]"]), header


def test_several_subscriptions_of_a_dead_endpoint_try_it_one_at_a_time(gateway: Running) -> None:
    """After five failures in a row; the others wait for what comes of the next attempt."""
    for topic in ("transition-opened", "transition-flagged"):
        for _ in range(4):
            gateway.subscribe(topic)
    gateway.endpoint.got.clear()
    gateway.endpoint.answers = [500] * 100
    gateway.discharge()
    gateway.deliver()
    gateway.later(hours=1)
    first = len(gateway.endpoint.got)
    assert first > 5, "those that were begun together"
    gateway.later(hours=2)
    assert len(gateway.endpoint.got) == first + 1
    gateway.endpoint.answers = []
    for _ in range(4):
        gateway.later(hours=2)
    waiting = [row.id for row in gateway.store.subscriptions.listed() if row.events > row.delivered]
    assert waiting == []
