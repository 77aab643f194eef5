"""Law 5: a subscriber is told what it may see when it is told, and nothing of anybody else, nor that there is anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from gateway.smart.access import Caller
from gateway.smart.scopes import parse as scopes
from gateway.store.interface import ClientRow
from tests.api.gateway_api import BASE
from tests.subscriptions.gateway import Running

MASK = "********"


def strip(text: str, *ids: str) -> str:
    for id in ids:
        text = text.replace(id, "…")
    return text


def test_another_clients_subscription_does_not_exist(gateway: Running) -> None:
    """Nor for another client of the same agency; every answer is that for an id that was never given."""
    id, never = gateway.subscribe(), "00000000-0000-4000-8000-000000000000"
    body = gateway.read(id)
    for who in ("river-too", "oak", "desk"):
        for method, path in (("GET", ""), ("DELETE", ""), ("PUT", ""), ("GET", "/$status"), ("GET", "/$events")):
            more: dict[str, Any] = {"json": {**body, "id": id}} if method == "PUT" else {}
            theirs = gateway.as_(who, method, f"/fhir/Subscription/{id}{path}", **more)
            if more:
                more = {"json": {**body, "id": never}}
            unknown = gateway.as_(who, method, f"/fhir/Subscription/{never}{path}", **more)
            assert theirs.status_code == unknown.status_code
            assert strip(theirs.text, id, never) == strip(unknown.text, id, never)
            assert theirs.status_code in (403, 404)
        found = gateway.as_(who, "GET", "/fhir/Subscription").json()
        assert (found["total"], "entry" in found) == (0, False)
        assert gateway.as_(who, "GET", f"/fhir/Subscription/$status?id={id}").json()["total"] == 0
    assert gateway.row(id).status == "active"


def test_the_operator_sees_them_all(gateway: Running) -> None:
    id = gateway.subscribe(header=["Authorization: Bearer s3cret"])
    found = gateway.as_("operator", "GET", "/fhir/Subscription").json()
    assert [one["resource"]["id"] for one in found["entry"]] == [id]
    assert "s3cret" not in orjson.dumps(found).decode()
    assert gateway.as_("operator", "DELETE", f"/fhir/Subscription/{id}").status_code == 204
    assert gateway.store.subscriptions.listed() == []


def test_an_agency_is_told_of_its_own_clients_alone(everywhere: Running) -> None:
    river, oak = everywhere.subscribe(path="/river"), everywhere.subscribe(who="oak", path="/oak")
    everywhere.discharge()
    everywhere.deliver()
    assert [one.path for one in everywhere.endpoint.events()] == ["/river"]
    assert (everywhere.row(river).events, everywhere.row(oak).events) == (1, 0)
    everywhere.route("oak")
    everywhere.deliver()
    assert [one.path for one in everywhere.endpoint.events()] == ["/river", "/oak"]
    assert (everywhere.row(river).events, everywhere.row(oak).events) == (1, 1), "that it is gone is no event"


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
def test_what_was_taken_away_before_it_was_sent_is_not_sent(gateway: Running, content: str) -> None:
    id = gateway.subscribe("transition-opened", content)
    gateway.endpoint.answers = [500]
    gateway.discharge()
    gateway.deliver()
    gateway.route("oak")
    gateway.later(hours=1)
    assert len(gateway.endpoint.events()) == 1, "the attempt from when it was river's"
    assert gateway.row(id).delivered == 1
    answer = gateway.as_("river", "GET", f"/fhir/Subscription/{id}/$events?content=full-resource").json()
    assert len(answer["entry"]) == 1
    assert "notification-event" not in {one["name"] for one in answer["entry"][0]["resource"]["parameter"]}


def test_of_several_events_those_that_may_still_be_seen_are_sent(everywhere: Running) -> None:
    everywhere.subscribe()
    everywhere.endpoint.answers = [500]
    everywhere.discharge("21")
    everywhere.deliver()
    everywhere.route("oak")
    everywhere.discharge("22")
    everywhere.later(hours=1)
    assert [one.numbers for one in everywhere.endpoint.events()] == [[1], [2]]


def test_a_resource_is_sent_as_it_is_now(gateway: Running) -> None:
    """Not as it was when the event happened: what it said then may be withheld by now."""
    gateway.subscribe("transition-opened", "full-resource")
    gateway.endpoint.answers = [500]
    gateway.discharge()
    gateway.deliver()
    task = gateway.task()
    accepted = {**task, "status": "accepted"}
    tag = {"If-Match": f'W/"{task["meta"]["versionId"]}"'}
    assert gateway.as_("river", "PUT", f"/fhir/Task/{task['id']}", json=accepted, headers=tag).status_code == 200
    gateway.later(hours=1)
    sent = [entry["resource"] for entry in gateway.endpoint.events()[-1].body["entry"] if entry["resource"]["resourceType"] == "Task"]
    assert [one["status"] for one in sent] == ["accepted"]


def registered(gateway: Running, scope: str) -> None:
    row = gateway.store.credentials.client("river")
    assert row is not None
    gateway.store.credentials.add_client(replace(row, scopes=scope))


def test_scopes_bound_what_is_sent(gateway: Running) -> None:
    registered(gateway, "system/Task.rs system/Subscription.cruds")
    gateway.subscribe("transition-opened", "full-resource")
    gateway.discharge()
    gateway.deliver()
    (event,) = gateway.endpoint.events()
    assert [entry["resource"]["resourceType"] for entry in event.body["entry"]] == ["Parameters", "Task"]
    assert "additional-context" not in event.events[0]


def test_a_scope_that_was_taken_away_ends_it(gateway: Running) -> None:
    id = gateway.subscribe()
    registered(gateway, "system/Patient.rs system/Subscription.cruds")
    gateway.discharge()
    gateway.deliver()
    assert gateway.endpoint.types() == ["handshake"]
    assert gateway.read(id)["status"] == "error"


def test_a_client_that_moved_to_another_agency_is_told_nothing(gateway: Running) -> None:
    id = gateway.subscribe()
    row = gateway.store.credentials.client("river")
    assert row is not None
    gateway.store.credentials.add_client(replace(row, organization="oak"))
    gateway.discharge()
    gateway.deliver()
    assert gateway.endpoint.types() == ["handshake"]
    assert gateway.row(id).status == "error"


def test_a_revoked_client_is_told_nothing(gateway: Running) -> None:
    id = gateway.subscribe()
    gateway.store.credentials.revoke_client("river", 1)
    gateway.discharge()
    gateway.deliver()
    assert gateway.endpoint.types() == ["handshake"]
    assert gateway.row(id).status == "error"


def test_who_may_not_read_tasks_or_reads_no_records_cannot_subscribe(gateway: Running) -> None:
    gateway.store.credentials.add_client(ClientRow("blind", "agency", "river", "system/Subscription.cruds"))
    gateway.store.credentials.add_client(ClientRow("feeder", "hospital", "st-mary", "system/*.cruds", feeds=("st-mary",)))
    for who in ("blind", "feeder", "st-mary"):
        gateway.allow(who)
        assert gateway.as_(who, "POST", "/fhir/Subscription", json=gateway.wish()).status_code == 403
    assert gateway.as_("nobody", "POST", "/fhir/Subscription", json=gateway.wish()).status_code == 401


def test_an_app_that_asks_for_a_person_cannot_subscribe(gateway: Running) -> None:
    """The person's grant ends; a subscription would outlive it."""
    for_user = Caller("river", "agency", "river", scopes("user/*.cruds"), (), 0, user="ann", fhir_user="Practitioner/1")
    gateway._authenticate = lambda header: for_user  # type: ignore[method-assign]
    object.__setattr__(gateway.services, "authenticate", lambda header: for_user)
    gateway.allow()
    assert gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish()).status_code == 403


def test_a_header_is_sent_and_never_shown(gateway: Running) -> None:
    gateway.allow()
    made = gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish(header=["Authorization: Bearer s3cret", "X-Site: 9"]))
    id = made.json()["id"]
    gateway.deliver()
    shown = [made, *(gateway.as_("river", "GET", f"/fhir/Subscription{path}") for path in (f"/{id}", "", f"/{id}/$status", f"/{id}/$events"))]
    assert all("s3cret" not in one.text for one in shown)
    assert made.json()["channel"]["header"] == [f"Authorization: {MASK}", f"X-Site: {MASK}"]
    assert gateway.endpoint.got[0].headers["authorization"] == "Bearer s3cret"
    back = gateway.read(id)
    back["reason"] = "Another reason"
    assert gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json=back).status_code == 200
    gateway.discharge()
    gateway.deliver()
    assert gateway.endpoint.got[-1].headers["authorization"] == "Bearer s3cret", "what is written back as it was shown stays"


def test_a_kept_header_goes_to_no_other_endpoint(gateway: Running) -> None:
    """Whoever can write the Subscription must not learn its secret by moving the endpoint."""
    id = gateway.subscribe(header=["Authorization: Bearer s3cret"])
    moved = gateway.read(id)
    moved["channel"]["endpoint"] = gateway.endpoint.url + "/mine"
    answer = gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json=moved)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Subscription.channel.header[0]"]


def test_what_is_sent_is_in_the_audit_trail(gateway: Running) -> None:
    gateway.subscribe("transition-opened", "empty", path="/empty")
    gateway.subscribe("transition-opened", "id-only", path="/ids")
    gateway.discharge()
    gateway.deliver()
    told = [one for one in gateway.audited() if one["type"]["code"] == "disclose"]
    assert len(told) == 1, "an empty notification shows nothing"
    assert told[0]["agent"][0]["who"]["identifier"]["value"] == "river"
    named = {one["what"].get("reference", "").split("/")[0] for one in told[0]["entity"]}
    assert {"Patient", "Task", "Encounter"} <= named


def test_nothing_is_sent_that_cannot_be_audited(gateway: Running) -> None:
    gateway.subscribe()
    gateway.discharge()
    gateway.journey.stop()  # nobody takes AuditEvents any more
    gateway.journey._thread = type(gateway.journey._thread)(target=lambda: None)
    gateway.journey._jobs.maxsize = 1
    gateway.journey._jobs.put_nowait(None)
    gateway.run(gateway._deliver_once())
    assert gateway.endpoint.types() == ["handshake"]
    gateway.journey._jobs.get_nowait()
    gateway.journey._thread.start()


def test_times_do_not_tell_of_others(gateway: Running) -> None:
    """An event's number and the Subscription's version move with what the subscriber may see alone."""
    id = gateway.subscribe(who="oak")
    before = gateway.read(id, "oak")
    for number in ("21", "22", "23"):
        gateway.discharge(number)
    gateway.deliver()
    assert gateway.read(id, "oak") == before
    status = gateway.as_("oak", "GET", f"/fhir/Subscription/{id}/$status").json()["entry"][0]["resource"]
    assert {"name": "events-since-subscription-start", "valueString": "0"} in status["parameter"]
    assert BASE in status["parameter"][0]["valueReference"]["reference"]
