"""What agencies write over REST: claims, appointments, contacts. An agency writes status, businessStatus, note and its reasons of a Task, no more."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from gateway.errors import Invalid, Unsupported
from gateway.fhir.outcome import Rejected
from gateway.mappings.fhir.writes import check_claim, own_system, translate_write

NOW = 1_795_312_800_000_000
TASK: dict[str, Any] = {
    "resourceType": "Task",
    "id": "t1",
    "meta": {"versionId": "1", "lastUpdated": "2026-11-20T00:00:00Z"},
    "identifier": [{"system": "urn:care-transition-gateway:task", "value": "tr9#2"}],
    "status": "requested",
    "intent": "order",
    "for": {"reference": "Patient/p1"},
    "owner": {"reference": "Organization/river"},
}
APPOINTMENT: dict[str, Any] = {
    "resourceType": "Appointment",
    "status": "booked",
    "start": "2026-11-24T10:00:00-06:00",
    "end": "2026-11-24T11:00:00-06:00",
    "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}],
}


def identify(type: str, key: str) -> str:
    return hashlib.sha256(f"{type}|{key}".encode()).hexdigest()[:32]


def about(method: str, type: str, **more: str) -> dict[str, str]:
    return {"method": method, "type": type, "id": "t1", "role": "agency", "organization": "river", "client": "river-app", **more}


def test_a_claim_says_what_the_agency_wrote_and_when_it_was_committed() -> None:
    body = {
        **TASK,
        "status": "rejected",
        "statusReason": {"text": "no capacity"},
        "businessStatus": {"coding": [{"code": "4.0"}]},
        "note": [{"text": "called"}],
    }
    said = translate_write(body, about("PUT", "Task"), NOW, identify)
    (claim,) = said.statements
    assert (said.heading.recorded, said.heading.recorded_from, said.heading.sender) == (NOW, "commit", "agency/river")
    assert (claim.kind, claim.person) == ("claim", ("urn:gateway:id:Patient|p1",))
    assert claim.facts == {
        "task": "t1",
        "transition": "tr9",
        "number": 2,
        "status": "rejected",
        "business_status": "4.0",
        "reason": "no capacity",
        "note": [{"text": "called"}],
        "output": [],
        "agency": "river",
    }
    assert set(claim.own or {}) == {"resourceType", "id", "status", "statusReason", "businessStatus", "note"}


ALLOWED = {
    "requested": {"requested", "accepted", "rejected"},
    "accepted": {"accepted", "in-progress", "on-hold", "failed", "completed", "cancelled"},
    "in-progress": {"in-progress", "on-hold", "failed", "completed", "cancelled"},
    "on-hold": {"on-hold", "in-progress", "failed", "completed", "cancelled"},
    "completed": {"completed"},
    "cancelled": {"cancelled"},
    "rejected": {"rejected"},
    "failed": {"failed"},
}
STATUSES = [
    "draft",
    "requested",
    "received",
    "accepted",
    "rejected",
    "in-progress",
    "on-hold",
    "failed",
    "completed",
    "cancelled",
    "entered-in-error",
]


@pytest.mark.parametrize("now", ALLOWED)
@pytest.mark.parametrize("wanted", STATUSES)
def test_the_closed_loops_states(now: str, wanted: str) -> None:
    body = {**TASK, "status": wanted, "statusReason": {"text": "why"}}
    if wanted in ALLOWED[now]:
        check_claim(body, {**TASK, "status": now})
        return
    with pytest.raises(Rejected) as refusal:
        check_claim(body, {**TASK, "status": now})
    assert refusal.value.issues[0].location == "Task.status"


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"owner": {"reference": "Organization/oak"}}, "Task.owner"),
        ({"for": {"reference": "Patient/p2"}}, "Task.for"),
        ({"priority": "stat"}, "Task.priority"),
        ({"identifier": []}, "Task.identifier"),
        ({"intent": "plan"}, "Task.intent"),
    ],
)
def test_the_rest_of_a_task_is_the_gateways(change: dict[str, Any], location: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_claim({**TASK, **change}, TASK)
    assert [each.location for each in refusal.value.issues] == [location]


def test_leaving_an_element_out_is_a_change_but_meta_is_ignored() -> None:
    check_claim({name: value for name, value in TASK.items() if name != "meta"}, TASK)
    with pytest.raises(Rejected):
        check_claim({name: value for name, value in TASK.items() if name != "owner"}, TASK)


def test_who_declines_says_why() -> None:
    with pytest.raises(Rejected) as refusal:
        check_claim({**TASK, "status": "rejected"}, TASK)
    assert [each.location for each in refusal.value.issues] == ["Task.statusReason.text"]


def test_an_agencys_appointment_is_booked_by_it_and_keyed_by_the_gateway() -> None:
    key = f"{own_system('river')}|abc"
    body = {**APPOINTMENT, "identifier": [{"system": "urn:gateway:write:oak", "value": "forged"}, {"system": "urn:x", "value": "1"}], "id": "z"}
    (said,) = translate_write(body, about("POST", "Appointment", key=key), NOW, identify).statements
    assert (said.kind, said.keys, said.person, said.facts["booked_by"]) == ("appointment", (key,), ("urn:gateway:id:Patient|p1",), "river")
    assert said.own is not None
    assert said.own["identifier"] == [{"system": "urn:gateway:write:river", "value": "abc"}, {"system": "urn:x", "value": "1"}]
    assert "id" not in said.own


def test_a_contact_that_did_not_reach_is_a_try() -> None:
    body = {
        "resourceType": "Communication",
        "status": "not-done",
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "sent": "2026-11-21T09:00:00-06:00",
        "medium": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode", "code": "PHONE"}]}],
    }
    (said,) = translate_write(body, about("POST", "Communication", key="k|1"), NOW, identify).statements
    assert said.facts == {"means": "phone", "reached": False, "agency": "river", "encounter": "Encounter/e1"}


def test_a_coordinators_writes_book_for_no_agency() -> None:
    (said,) = translate_write(APPOINTMENT, {**about("POST", "Appointment", key="k|1"), "role": "coordinator"}, NOW, identify).statements
    assert "booked_by" not in said.facts


@pytest.mark.parametrize("participants", [[], [{"actor": {"reference": "Patient/p1"}}, {"actor": {"reference": "Patient/p2"}}]])
def test_a_write_is_about_one_patient(participants: list[Any]) -> None:
    with pytest.raises(Invalid):
        translate_write({**APPOINTMENT, "participant": participants}, about("POST", "Appointment", key="k|1"), NOW, identify)


def test_other_types_are_not_written() -> None:
    with pytest.raises(Unsupported):
        translate_write({"resourceType": "Patient"}, about("POST", "Patient"), NOW, identify)
