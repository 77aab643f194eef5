"""The API over the whole journey: a notification comes in, a Task comes out, the agency accepts, books, and the flag clears."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from gateway.fhir import validation
from gateway.store.interface import ALL
from tests.api.running import DISCHARGE, Running, message, running


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def test_from_the_notification_to_the_booking(gateway: Running) -> None:
    assert gateway.tell(DISCHARGE).status_code == 200
    assert "no-follow-up-scheduled" in gateway.flags()
    (entry,) = gateway.as_("river", "GET", "/fhir/Task?owner=Organization/river&_lastUpdated=gt2026-11-21").json()["entry"]
    task = entry["resource"]
    accepted = {**task, "status": "accepted"}
    assert gateway.as_("oak", "PUT", f"/fhir/Task/{task['id']}", json=accepted).status_code == 404
    claim = gateway.as_("river", "PUT", f"/fhir/Task/{task['id']}", json=accepted, headers={"If-Match": f'W/"{task["meta"]["versionId"]}"'})
    assert (claim.status_code, claim.json()["status"]) == (200, "accepted")
    booked = {
        "resourceType": "Appointment",
        "status": "booked",
        "start": "2026-11-24T10:00:00-06:00",
        "end": "2026-11-24T11:00:00-06:00",
        "participant": [{"actor": task["for"], "status": "accepted"}],
    }
    made = gateway.as_("river", "POST", "/fhir/Appointment", json=booked)
    assert made.status_code == 201
    assert "no-follow-up-scheduled" not in gateway.flags()
    cancelled = gateway.as_("river", "PUT", f"/fhir/Appointment/{made.json()['id']}", json={**made.json(), "status": "cancelled"})
    assert (cancelled.status_code, cancelled.json()["id"]) == (200, made.json()["id"])
    assert "no-follow-up-scheduled" in gateway.flags(), "a cancellation brings it back"


def test_everything_that_comes_out_is_r4(gateway: Running) -> None:
    gateway.tell(DISCHARGE)
    seen = []
    for type in ("Patient", "Encounter", "CarePlan", "CareTeam", "ServiceRequest", "Task", "Flag", "Provenance"):
        for each in gateway.as_("coordinator", "GET", f"/fhir/{type}").json().get("entry", []):
            assert validation.issues(each["resource"]) == [], type
            seen.append(type)
    assert set(seen) >= {"Patient", "Encounter", "CarePlan", "CareTeam", "ServiceRequest", "Task"}


def test_a_message_again_changes_nothing_and_is_answered_alike(gateway: Running) -> None:
    first = gateway.tell(DISCHARGE)
    before = gateway.as_("coordinator", "GET", "/fhir/Encounter").json()
    assert gateway.tell(DISCHARGE).text == first.text
    assert gateway.as_("coordinator", "GET", "/fhir/Encounter").json() == before


def test_the_discharge_before_the_admission_ends_alike(gateway: Running, tmp_path: Path) -> None:
    admission = message("notification-admit", "m1", "in-progress", "2026-11-10T15:05:00Z")
    (tmp_path / "other").mkdir()
    other = Running(tmp_path / "other")
    try:
        for each in (admission, DISCHARGE):
            assert gateway.tell(each).status_code == 200
        for each in (DISCHARGE, admission):
            assert other.tell(each).status_code == 200
        for running in (gateway, other):
            (entry,) = running.as_("coordinator", "GET", "/fhir/Encounter").json()["entry"]
            assert entry["resource"]["status"] == "finished"
            assert running.flags() == gateway.flags()
    finally:
        other.close()


def test_what_cannot_be_understood_is_kept_and_told(gateway: Running) -> None:
    wrong = replace_status(DISCHARGE, "actve")
    answer = gateway.tell(wrong)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[2].resource.status"]
    with gateway.store.reading() as reader:
        assert reader.counts()["quarantined"] == 1


def replace_status(body: dict[str, Any], status: str) -> dict[str, Any]:
    *others, stay = body["entry"]
    return {**body, "entry": [*others, {**stay, "resource": {**stay["resource"], "status": status}}]}


def test_every_answer_is_in_the_audit_trail_which_nobody_reads_over_the_api(gateway: Running) -> None:
    gateway.tell(DISCHARGE)
    (entry,) = gateway.as_("river", "GET", "/fhir/Task").json()["entry"]
    cursor = gateway.as_("river", "GET", "/api/transitions").json()["cursor"]
    gateway.as_("river", "GET", f"/api/transitions?cursor={cursor}")
    gateway.as_("coordinator", "GET", f"/fhir/{entry['resource']['for']['reference']}")
    for who in ("greedy", "coordinator"):
        assert gateway.as_(who, "GET", "/fhir/AuditEvent").json()["total"] == 0
    assert gateway.as_("river", "GET", f"/api/transitions?cursor={cursor}").json()["transitions"] == [], "an audit moves no cursor"
    gateway.journey.run(lambda writer, now: None).result(30)
    with gateway.store.reading() as reader:
        written = [(recorded, orjson.loads(body)) for _, recorded, body in reader.audit(0, 100)]
        assert not [one for one in reader.export(ALL) if one.type == "AuditEvent"]
    for _, event in written:
        AuditEvent.model_validate(event)
    told = [(one["agent"][0]["who"]["identifier"]["value"], one["subtype"][0]["code"], one["action"]) for _, one in written]
    assert told == [("river-app", "search-type", "E"), ("river-app", "search-type", "R"), ("desk", "read", "R")]
    patients = {entity["what"]["reference"] for _, one in written for entity in one["entity"] if entity["role"]["code"] == "1"}
    assert patients == {entry["resource"]["for"]["reference"]}
