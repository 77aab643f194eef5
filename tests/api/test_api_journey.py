"""The API over the whole journey: a notification comes in, a Task comes out, the agency accepts, books, and the flag clears."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from gateway.api.services import Services
from gateway.fhir import validation
from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline import Configuration, Journey
from gateway.pipeline.audit_trail import AuditTrail
from gateway.pipeline.own import put_own_resources
from gateway.records.ids import identifier
from gateway.store.interface import ALL
from tests.api.gateway_api import BASE, Client, app_of, authenticate, empty_store
from transitions.policy import Agency, Policy

DISCHARGED = 1_795_312_800_000_000  # 2026-11-22T02:00:00Z
PATIENT = "urn:uuid:00000000-0000-4000-8000-000000000001"
ENCOUNTER = "urn:uuid:00000000-0000-4000-8000-000000000002"


def message(event: str, id: str, status: str, updated: str, **more: Any) -> dict[str, Any]:
    resources: list[tuple[str, dict[str, Any]]] = [
        (
            "urn:uuid:00000000-0000-4000-8000-000000000009",
            {
                "resourceType": "MessageHeader",
                "id": id,
                "eventCoding": {"system": "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event", "code": event},
                "source": {"endpoint": "https://st-mary.example"},
                "focus": [{"reference": ENCOUNTER}],
            },
        ),
        (
            PATIENT,
            {
                "resourceType": "Patient",
                "identifier": [{"system": "urn:oid:1.2.3", "value": "M17"}],
                "name": [{"family": "Doe", "given": ["Ann"]}],
                "birthDate": "1990-05-17",
                "gender": "female",
                "address": [{"postalCode": "62704"}],
            },
        ),
        (
            ENCOUNTER,
            {
                "resourceType": "Encounter",
                "meta": {"lastUpdated": updated},
                "identifier": [{"system": "urn:oid:1.2.4", "value": "V9"}],
                "status": status,
                "class": {"code": "IMP"},
                "type": [{"text": "Inpatient stay"}],
                "subject": {"reference": PATIENT},
                "period": {"start": "2026-11-10T09:00:00-06:00"},
                "reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.2"}]}],
                **more,
            },
        ),
    ]
    entries = [{"fullUrl": url, "resource": each} for url, each in resources]
    return {"resourceType": "Bundle", "type": "message", "id": id, "timestamp": updated, "entry": entries}


ENDED = {
    "period": {"start": "2026-11-10T09:00:00-06:00", "end": "2026-11-21T19:00:00-06:00"},
    "hospitalization": {
        "dischargeDisposition": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "home"}]}
    },
}
DISCHARGE = message("notification-discharge", "m2", "finished", "2026-11-22T01:05:00Z", **ENDED)


class Running:
    """A gateway in one process, its clock in the test's hand."""

    def __init__(self, folder: Path) -> None:
        self.now = DISCHARGED
        self.store = empty_store(folder)
        policy = Policy(agencies=(Agency("river", "River Community Mental Health", ("627*",)), Agency("oak", "Oak Counselling", ("999*",))))
        feeds = (FeedProfile(name="st-mary", kind="fhir", hospital="St. Mary", timezone="America/Chicago"),)
        configuration = Configuration(identify=identifier(self.store.installation_key()), feeds=feeds, policy=policy)
        with self.store.write(self.now) as writer:
            put_own_resources(writer, configuration)
        self.journey = Journey(self.store, configuration, lambda: self.now)
        self.journey.start()
        trail = AuditTrail(self.journey, lambda: self.now)
        self.http = Client(app_of(Services(self.store, self.journey, authenticate, configuration.identify, BASE, b"k" * 32, trail.add)))

    def as_(self, who: str, method: str, path: str, **more: Any) -> Any:
        self.now += 60_000_000
        return self.http.request(method, path, headers={"Authorization": f"Bearer {who}", **more.pop("headers", {})}, **more)

    def tell(self, body: dict[str, Any]) -> Any:
        return self.as_("hospital", "POST", "/fhir/$process-message", json=body)

    def flags(self, who: str = "river") -> list[str]:
        (transition,) = self.as_(who, "GET", "/api/transitions").json()["transitions"]
        return [each["code"] for each in transition["flags"]]

    def close(self) -> None:
        self.http.close()
        self.journey.stop()
        self.store.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    try:
        yield running
    finally:
        running.close()


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
