"""Every check that Inferno's Subscriptions R4 Backport test kit makes of a server, by its name there (docs/conformance.md lists them)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.subscriptions.resource import CONTENT, FILTER
from tests.api.gateway_api import BASE
from tests.subscriptions.gateway import Running
from tests.subscriptions.profile import base_problems, history_problems, status_problems

GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
PROFILE = f"{GUIDE}/backport-subscription"


def subscription_of(gateway: Running) -> dict[str, Any]:
    (found,) = [one for one in gateway.http.get("/fhir/metadata").json()["rest"][0]["resource"] if one["type"] == "Subscription"]
    return found


def test_cs_conformance(gateway: Running) -> None:
    about = gateway.http.get("/fhir/metadata").json()
    assert PROFILE in subscription_of(gateway)["supportedProfile"]
    assert [one for one in base_problems(about) if "Subscription" in one] == []
    codes = {one["code"] for one in subscription_of(gateway)["interaction"]}
    assert codes == {"create", "read", "update", "delete", "search-type"}
    operations = {one["name"] for one in subscription_of(gateway)["operation"]}
    assert operations == {"status", "events"}
    assert {"url", "status"} <= {one["name"] for one in subscription_of(gateway)["searchParam"]}


def test_topic_discovery(gateway: Running) -> None:
    url = f"{GUIDE}/capabilitystatement-subscriptiontopic-canonical"
    topics = [one["valueCanonical"] for one in subscription_of(gateway)["extension"] if one["url"] == url]
    names = ("transition-opened", "transition-flagged", "follow-up-changed")
    assert topics == [f"{BASE}/fhir/SubscriptionTopic/{name}" for name in names]
    for topic in names:
        assert gateway.read(gateway.subscribe(topic))["criteria"] in topics


def test_subscription_conformance(gateway: Running) -> None:
    """What is read back is valid R4, and has what the profile asks for: a topic, a payload, and its content once."""
    id = gateway.subscribe("transition-flagged", "id-only", "Task?tier=urgent", heartbeat=86_400, timeout=60, most=20)
    read = gateway.read(id)
    assert base_problems(read) == []
    assert read["criteria"] == f"{BASE}/fhir/SubscriptionTopic/transition-flagged"
    assert read["_criteria"]["extension"] == [{"url": FILTER, "valueString": "Task?tier=urgent"}]
    assert read["channel"]["payload"] == "application/fhir+json"
    assert read["channel"]["_payload"]["extension"] == [{"url": CONTENT, "valueCode": "id-only"}]
    numbers = {one["url"].rpartition("/")[2]: list(one.values())[1] for one in read["channel"]["extension"]}
    assert numbers == {"backport-heartbeat-period": 86_400, "backport-timeout": 60, "backport-max-count": 20}


def test_creation_response_conformance(gateway: Running) -> None:
    gateway.allow()
    answer = gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish(status="active"))
    assert answer.status_code == 201
    made = answer.json()
    assert (made["resourceType"], made["channel"]["type"], made["status"]) == ("Subscription", "rest-hook", "requested")
    assert answer.headers["location"] == f"{BASE}/fhir/Subscription/{made['id']}/_history/1"


def test_notification_delivery_and_presence(gateway: Running) -> None:
    """The token that the subscriber set comes with every request to its endpoint."""
    gateway.subscribe(header=["Authorization: Bearer s3cret"], heartbeat=60)
    gateway.discharge()
    gateway.deliver()
    gateway.later(seconds=61)
    assert gateway.endpoint.types() == ["handshake", "event-notification", "heartbeat"]
    assert {one.headers["authorization"] for one in gateway.endpoint.got} == {"Bearer s3cret"}
    assert {one.headers["content-type"] for one in gateway.endpoint.got} == {"application/fhir+json"}
    assert {one.path for one in gateway.endpoint.got} == {"/hook"}


def test_handshake_conformance(gateway: Running) -> None:
    id = gateway.subscribe()
    (handshake,) = gateway.endpoint.got
    assert history_problems(handshake.body, id) == []
    assert (handshake.type, handshake.parameter("status")) == ("handshake", "requested")
    assert (handshake.events, handshake.parameter("events-since-subscription-start")) == ([], "0")


def test_heartbeat_conformance(gateway: Running) -> None:
    """Sent where a period was asked for, and nowhere else; it counts no event."""
    id, silent = gateway.subscribe(heartbeat=60), gateway.subscribe(path="/silent")
    gateway.discharge()
    gateway.later(seconds=1)
    gateway.later(seconds=59)
    assert "heartbeat" not in gateway.endpoint.types(), "the event was a sign of life"
    gateway.later(seconds=3)
    (heartbeat,) = [one for one in gateway.endpoint.got if one.type == "heartbeat"]
    assert history_problems(heartbeat.body, id) == []
    assert heartbeat.path == "/hook"
    assert (heartbeat.parameter("status"), heartbeat.events) == ("active", [])
    assert heartbeat.parameter("events-since-subscription-start") == "1"
    assert gateway.row(silent).events == 1


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
def test_notification_conformance(gateway: Running, content: str) -> None:
    id = gateway.subscribe("transition-opened", content)
    gateway.discharge()
    gateway.deliver()
    (event,) = gateway.endpoint.events()
    assert history_problems(event.body, id) == []
    assert event.parameter("status") == "active"
    assert event.parameter("subscription") == {"reference": f"{BASE}/fhir/Subscription/{id}"}
    assert (event.numbers, event.parameter("events-since-subscription-start")) == ([1], "1")


def test_empty_conformance(gateway: Running) -> None:
    """No entry but the status, no topic, and no reference: only that something happened, and when."""
    gateway.subscribe("transition-opened", "empty")
    gateway.discharge()
    gateway.deliver()
    (event,) = gateway.endpoint.events()
    assert len(event.body["entry"]) == 1
    assert event.parameter("topic") is None
    assert [set(one) for one in event.events] == [{"event-number", "timestamp"}]


def test_id_only_conformance(gateway: Running) -> None:
    gateway.subscribe("transition-opened", "id-only")
    gateway.discharge()
    gateway.deliver()
    (event,) = gateway.endpoint.events()
    assert len(event.body["entry"]) == 1
    (told,) = event.events
    task = gateway.task()
    assert told["focus"] == [{"reference": f"{BASE}/fhir/Task/{task['id']}"}]
    expected = [f"{BASE}/fhir/{task['for']['reference']}", f"{BASE}/fhir/{task['encounter']['reference']}"]
    assert [one["reference"] for one in told["additional-context"]] == expected


def test_full_resource_conformance(gateway: Running) -> None:
    """Each reference has its entry, with the resource as the subscriber reads it itself."""
    gateway.subscribe("transition-opened", "full-resource")
    gateway.discharge()
    gateway.deliver()
    (event,) = gateway.endpoint.events()
    (told,) = event.events
    assert event.parameter("topic") == f"{BASE}/fhir/SubscriptionTopic/transition-opened"
    entries = {one["fullUrl"]: one["resource"] for one in event.body["entry"][1:]}
    assert set(entries) == {one["reference"] for one in (*told["focus"], *told["additional-context"])}
    assert {one["resourceType"] for one in entries.values()} == {"Task", "Patient", "Encounter"}
    for url, resource in entries.items():
        assert resource == gateway.as_("river", "GET", url.removeprefix(BASE)).json()


def test_status_invocation(gateway: Running) -> None:
    id = gateway.subscribe()
    answer = gateway.as_("river", "GET", f"/fhir/Subscription/{id}/$status")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
    bundle = answer.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    assert base_problems(bundle) == []
    (status,) = [one["resource"] for one in bundle["entry"]]
    assert status_problems(status) == []
    values = {one["name"]: one for one in status["parameter"]}
    assert values["subscription"]["valueReference"]["reference"].split("/")[-1] == id
    assert values["status"]["valueCode"] == "active"


CROSS_VERSION = "http://hl7.org/fhir/5.0/subscriptions-backport/StructureDefinition/backport-filter-criteria"


UNSUPPORTED = [
    (("_criteria",), {"extension": [{"url": CROSS_VERSION, "valueString": "Encounter?patient=Patient/123"}]}, "Subscription._criteria.extension"),
    (("criteria",), "http://example.org/SubscriptionTopic/unknown", "Subscription.criteria"),
    (
        ("_criteria",),
        {"extension": [{"url": FILTER, "valueString": "Encounter?patient=Patient/123"}]},
        "Subscription._criteria.extension[0].valueString",
    ),
    (("_criteria",), {"extension": [{"url": FILTER, "valueString": "Task?flag=no-contact"}]}, "Subscription._criteria.extension[0].valueString"),
    (("_criteria",), {"extension": [{"url": FILTER, "valueString": "Task?tier=highest"}]}, "Subscription._criteria.extension[0].valueString"),
    (("channel", "type"), "websocket", "Subscription.channel.type"),
    (("channel", "type"), "email", "Subscription.channel.type"),
    (("channel", "endpoint"), "https://elsewhere.example.org/hook", "Subscription.channel.endpoint"),
    (("channel", "endpoint"), "mailto:somebody@example.org", "Subscription.channel.endpoint"),
    (("channel", "payload"), "application/fhir+xml", "Subscription.channel.payload"),
    (("channel", "_payload"), {"extension": [{"url": CONTENT, "valueCode": "everything"}]}, "Subscription.channel._payload.extension"),
]


def test_reject_subscriptions(gateway: Running) -> None:
    """What is not supported is refused, and the element is named; a topic's filter is not another's."""
    gateway.allow()
    for path, value, element in UNSUPPORTED:
        wish = gateway.wish()
        place = wish[path[0]] if len(path) > 1 else wish
        place[path[-1]] = value
        answer = gateway.as_("river", "POST", "/fhir/Subscription", json=wish)
        assert answer.status_code in (400, 422), element
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert element in [where for issue in answer.json()["issue"] for where in issue["expression"]]
    assert gateway.store.subscriptions.listed() == []


def test_reject_subscription_channel_payload_combo(gateway: Running) -> None:
    """Both elements are named."""
    gateway.allow()
    wish = gateway.wish()
    wish["channel"].update({"type": "sms", "payload": "text/plain"})
    answer = gateway.as_("river", "POST", "/fhir/Subscription", json=wish)
    assert answer.status_code == 422
    assert {where for issue in answer.json()["issue"] for where in issue["expression"]} == {
        "Subscription.channel.type",
        "Subscription.channel.payload",
    }
