"""Subscriptions over REST, $status, $events, and the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.store.interface import ClientRow
from gateway.store.outbox import SubscriptionRow
from gateway.store.sqlite import open_sqlite
from tests.api.gateway_api import BASE
from tests.attacks_feeds.processes import here, rows
from tests.subscriptions.gateway import Running
from tests.subscriptions.profile import history_problems, status_problems

NEVER = "00000000-0000-4000-8000-000000000000"


def names(bundle: Any) -> list[str]:
    return [one["resource"]["id"] for one in bundle.get("entry", [])]


def test_the_life_of_a_subscription(gateway: Running) -> None:
    id = gateway.subscribe()
    answer = gateway.as_("river", "GET", f"/fhir/Subscription/{id}")
    assert (answer.status_code, answer.headers["etag"]) == (200, f'W/"{answer.json()["meta"]["versionId"]}"')
    body = {**answer.json(), "reason": "Another"}
    stale = gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json=body, headers={"If-Match": 'W/"1"'})
    assert stale.status_code == 412
    changed = gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json=body, headers={"If-Match": answer.headers["etag"]})
    assert (changed.status_code, changed.json()["reason"], changed.json()["status"]) == (200, "Another", "active")
    assert gateway.as_("river", "DELETE", f"/fhir/Subscription/{id}").status_code == 204
    assert gateway.as_("river", "GET", f"/fhir/Subscription/{id}").status_code == 404
    assert gateway.as_("river", "DELETE", f"/fhir/Subscription/{id}").status_code == 404
    assert gateway.store.subscriptions.events(id, 0, 99, 9) == []


def test_another_channel_shakes_hands_anew(gateway: Running) -> None:
    id = gateway.subscribe()
    body = gateway.read(id)
    body["channel"]["endpoint"] = gateway.endpoint.url + "/other"
    assert gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json=body).json()["status"] == "requested"
    gateway.deliver()
    assert [(one.path, one.type) for one in gateway.endpoint.got] == [("/hook", "handshake"), ("/other", "handshake")]


def test_what_cannot_be_written(gateway: Running) -> None:
    id = gateway.subscribe()
    wish = gateway.wish()
    assert gateway.as_("river", "PUT", f"/fhir/Subscription/{NEVER}", json={**wish, "id": NEVER}).status_code == 404
    assert gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json={**wish, "id": NEVER}).status_code == 400
    assert gateway.as_("river", "POST", "/fhir/Subscription", json={**wish, "status": "error"}).status_code == 422
    assert gateway.as_("river", "POST", "/fhir/Subscription", json={**wish, "status": "on"}).status_code == 422
    assert gateway.as_("river", "POST", "/fhir/Subscription", json={"resourceType": "Task"}).status_code in (400, 422)
    assert gateway.as_("river", "POST", "/fhir/Subscription", content=b"{").status_code == 400
    assert gateway.as_("river", "PATCH", f"/fhir/Subscription/{id}", json=[]).status_code == 405
    long = {**wish, "reason": "x" * 20_000}
    assert gateway.as_("river", "POST", "/fhir/Subscription", json=long).status_code == 413
    for extension in ({"heartbeat": 0}, {"timeout": 61}, {"most": 0}, {"most": 101}):
        answer = gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish(**extension))
        assert answer.status_code == 422, extension
    assert len(gateway.store.subscriptions.listed()) == 1


def test_a_client_has_no_more_than_it_may(gateway: Running) -> None:
    gateway.allow()
    for number in range(100):
        row = SubscriptionRow(str(number), "river", "river", "off", b'{"criteria":"","channel":{}}', (), number, 0, 0)
        gateway.store.subscriptions.add(row)
    assert gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish()).status_code == 412


def test_searching(gateway: Running) -> None:
    opened, flagged = gateway.subscribe(), gateway.subscribe("transition-flagged", path="/flags")
    for query, expected in (
        ("", [opened, flagged]),
        (f"?_id={flagged}", [flagged]),
        ("?status=active", [opened, flagged]),
        ("?status=off,error", []),
        (f"?url={gateway.endpoint.url}/flags", [flagged]),
        (f"?topic={BASE}/fhir/SubscriptionTopic/transition-opened", [opened]),
        (f"?criteria={BASE}/fhir/SubscriptionTopic/transition-flagged&type=rest-hook", [flagged]),
    ):
        assert names(gateway.as_("river", "GET", f"/fhir/Subscription{query}").json()) == expected, query
    form = gateway.as_("river", "POST", "/fhir/Subscription/_search", data={"status": "active", "_id": opened})
    assert names(form.json()) == [opened]
    assert gateway.as_("river", "GET", "/fhir/Subscription?colour=red").status_code == 400
    lenient = gateway.as_("river", "GET", "/fhir/Subscription?colour=red", headers={"Prefer": "handling=lenient"})
    assert names(lenient.json()) == [opened, flagged]
    first = gateway.as_("river", "GET", "/fhir/Subscription?_count=1").json()
    following = next(one["url"] for one in first["link"] if one["relation"] == "next")
    second = gateway.as_("river", "GET", following.removeprefix(BASE)).json()
    assert [names(first), names(second)] == [[opened], [flagged]]
    assert [one["relation"] for one in second["link"]] == ["self"]


def test_a_batch_takes_subscriptions_too(gateway: Running) -> None:
    gateway.allow()
    entry = {"resource": gateway.wish(), "request": {"method": "POST", "url": "Subscription"}}
    answer = gateway.as_("river", "POST", "/fhir/", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert [one["response"]["status"][:3] for one in answer.json()["entry"]] == ["201"]


def test_status_of_several(gateway: Running) -> None:
    """By id and by status, each OR; on one Subscription both are passed over."""
    opened, off = gateway.subscribe(), gateway.subscribe("transition-flagged")
    gateway.as_("river", "PUT", f"/fhir/Subscription/{off}", json={**gateway.read(off), "status": "off"})

    def asked(query: str) -> set[str]:
        bundle = gateway.as_("river", "GET", f"/fhir/Subscription/{query}").json()
        assert all(status_problems(one["resource"]) == [] for one in bundle.get("entry", []))
        return {one["resource"]["parameter"][0]["valueReference"]["reference"].rpartition("/")[2] for one in bundle.get("entry", [])}

    assert asked("$status") == {opened, off}
    assert asked(f"$status?id={off}") == {off}
    assert asked(f"$status?id={off}&id={opened}&status=off") == {off}
    assert asked("$status?status=error") == set()
    body = {"resourceType": "Parameters", "parameter": [{"name": "status", "valueCode": "off"}]}
    posted = gateway.as_("river", "POST", "/fhir/Subscription/$status", json=body).json()
    assert posted["total"] == 1
    assert gateway.as_("river", "GET", "/fhir/Subscription/$status?colour=red").status_code == 400


def test_events_by_number(gateway: Running) -> None:
    """Both bounds inclusive; the content as asked, else as subscribed."""
    id = gateway.subscribe()
    for number in ("21", "22", "23"):
        gateway.discharge(number)
    gateway.deliver()

    def numbers(query: str) -> list[int]:
        bundle = gateway.as_("river", "GET", f"/fhir/Subscription/{id}/$events{query}").json()
        assert history_problems(bundle, id) == []
        given = bundle["entry"][0]["resource"]["parameter"]
        assert {"name": "type", "valueCode": "query-event"} in given
        assert {"name": "events-since-subscription-start", "valueString": "3"} in given
        return [int(one["part"][0]["valueString"]) for one in given if one["name"] == "notification-event"]

    assert numbers("") == [1, 2, 3]
    assert numbers("?eventsSinceNumber=2") == [2, 3]
    assert numbers("?eventsUntilNumber=2") == [1, 2]
    assert numbers("?eventsSinceNumber=2&eventsUntilNumber=2&content=empty") == [2]
    assert numbers("?eventsSinceNumber=4") == []
    whole = gateway.as_("river", "GET", f"/fhir/Subscription/{id}/$events?content=full-resource").json()
    assert "Patient" in {one["resource"]["resourceType"] for one in whole["entry"]}
    for wrong in ("eventsSinceNumber=x", "eventsSinceNumber=-1", "content=everything", "eventsSinceNumber=1&eventsSinceNumber=2"):
        assert gateway.as_("river", "GET", f"/fhir/Subscription/{id}/$events?{wrong}").status_code == 400, wrong


def test_a_look_at_events_is_in_the_audit_trail(gateway: Running) -> None:
    id = gateway.subscribe("transition-opened", "empty")
    gateway.discharge()
    gateway.deliver()
    before = len(gateway.audited())
    gateway.as_("river", "GET", f"/fhir/Subscription/{id}/$events")
    assert len(gateway.audited()) == before, "an empty answer shows nothing"
    gateway.as_("river", "GET", f"/fhir/Subscription/{id}/$events?content=id-only")
    assert any("Patient/" in orjson.dumps(one).decode() for one in gateway.audited()[before:])


def test_there_are_no_websockets(gateway: Running) -> None:
    id = gateway.subscribe()
    for path in ("$get-ws-binding-token", f"{id}/$get-ws-binding-token"):
        answer = gateway.as_("river", "GET", f"/fhir/Subscription/{path}")
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "not-supported")
    assert gateway.as_("river", "GET", f"/fhir/Subscription/{id}/$resend").status_code in (404, 405)


def test_one_event_is_sent_again(gateway: Running) -> None:
    from gateway.subscriptions.again import send_again

    id = gateway.subscribe()
    for number in ("21", "22"):
        gateway.discharge(number)
    gateway.deliver()
    gateway.endpoint.got.clear()
    gateway.endpoint.answers = [500]
    gateway.store.subscriptions.revise(id, lambda row: send_again(row, 1, gateway.wall))
    gateway.discharge("23")
    for _ in range(3):
        gateway.later(hours=1)
    assert [one.numbers for one in gateway.endpoint.events()] == [[1], [1], [3]]


# --- commands -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with one client, which has two subscriptions, one of them dead."""
    (tmp_path / "gateway.toml").write_text('[[agency]]\nid = "river"\nname = "River"\n')
    store = open_sqlite(tmp_path / "gateway.sqlite")
    store.credentials.add_client(ClientRow("app", "agency", "river", "system/Task.rs"))
    content = b'{"criteria":"https://gw.example/fhir/SubscriptionTopic/transition-opened","channel":{"endpoint":"https://a.example/h"}}'
    store.subscriptions.add(SubscriptionRow("one", "app", "river", "active", content, ("Authorization: s3cret",), 1, 1, 1))
    store.subscriptions.add(
        SubscriptionRow("two", "app", "river", "error", content, (), 2, 1, 1, error="The endpoint answered 500.", events=3, delivered=1)
    )
    store.close()
    return tmp_path


def test_the_list_tells_what_waits_and_no_secret(data: Path) -> None:
    one, two = rows("subscriptions", "list", "--json", "--data", data)
    assert (one["id"], one["client"], one["topic"], one["status"], one["endpoint"]) == (
        "one",
        "app",
        "transition-opened",
        "active",
        "https://a.example/h",
    )
    assert (two["status"], two["waiting"], two["error"]) == ("error", 2, "The endpoint answered 500.")
    table = here("subscriptions", "list", "--data", data)
    assert b"transition-opened" in table.stdout
    assert b"s3cret" not in table.stdout + orjson.dumps(one)


def test_an_event_that_there_is_not_cannot_be_sent_again(data: Path) -> None:
    for id, number in (("one", 1), ("three", 1)):
        done = here("subscriptions", "resend", id, str(number), "--data", data)
        assert (done.returncode, b"there is no such event" in done.stderr) == (1, True)


def test_addresses_are_allowed_and_forbidden(data: Path) -> None:
    assert here("subscriptions", "allow", "app", "https://a.example/hooks", "--data", data).returncode == 0
    for client, url in (("nobody", "https://a.example/"), ("app", "http://a.example/"), ("app", "https://10.0.0.8/")):
        assert here("subscriptions", "allow", client, url, "--data", data).returncode == 1
    store = open_sqlite(data / "gateway.sqlite")
    assert store.subscriptions.endpoints("app") == ["https://a.example/hooks"]
    store.close()
    assert here("subscriptions", "forbid", "app", "https://a.example/hooks", "--data", data).returncode == 0
    assert here("subscriptions", "forbid", "app", "https://a.example/hooks", "--data", data).returncode == 1


def test_a_client_is_registered_with_its_addresses(data: Path) -> None:
    assert here("clients", "keypair", "--private", data / "k.jwk", "--public", data / "k.jwks").returncode == 0
    add = ("clients", "add", "--organization", "river", "--jwks", data / "k.jwks", "--data", data)
    wrong = here(*add, "--id", "bad", "--endpoint", "http://a.example/")
    assert wrong.returncode == 1
    right = here(*add, "--id", "good", "--endpoint", "https://a.example/x", "--endpoint", "https://b.example/y")
    assert right.returncode == 0, right.stderr
    store = open_sqlite(data / "gateway.sqlite")
    assert (store.credentials.client("bad"), store.subscriptions.endpoints("good")) == (None, ["https://a.example/x", "https://b.example/y"])
    store.close()
