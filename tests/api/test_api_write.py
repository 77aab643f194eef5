"""Writing: an agency claims its Task, books and reports; everything else is the gateway's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Unavailable
from gateway.store.interface import ALL
from tests.api.gateway_api import APPOINTMENT, BASE, PATIENT, REFUSED, TASK, Bench, bench, identify


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        yield made


def test_accepting_a_task_says_which_version_was_read(gateway: Bench) -> None:
    accepted = {**TASK, "status": "accepted"}
    assert gateway.as_("river", "PUT", "/fhir/Task/t1", json=accepted).status_code == 412
    answer = gateway.as_("river", "PUT", "/fhir/Task/t1", json=accepted, headers={"If-Match": 'W/"1"'})
    assert (answer.status_code, answer.headers["etag"], answer.json()["status"]) == (200, 'W/"2"', "accepted")
    again = gateway.as_("river", "PUT", "/fhir/Task/t1", json=accepted, headers={"If-Match": 'W/"1"'})
    assert (again.status_code, again.json()["issue"][0]["code"]) == (412, "conflict")
    (taken,) = gateway.taken
    assert (taken.kind, taken.about["if-match"], taken.about["organization"]) == ("fhir-write", "1", "river")


def test_a_task_accepted_may_be_answered_without_if_match(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "status": "accepted"})
    assert gateway.as_("river", "PUT", "/fhir/Task/t1", json={**TASK, "status": "in-progress"}).status_code == 200


def test_a_write_that_lost_a_race_is_checked_anew(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "status": "accepted"})
    gateway.between = lambda: gateway.put((ALL, "river"), {**TASK, "status": "accepted", "note": [{"text": "n"}]})
    assert gateway.as_("river", "PUT", "/fhir/Task/t1", json={**TASK, "status": "completed"}).status_code == 200
    assert [each.about["if-match"] for each in gateway.taken] == ["2", "3"]
    gateway.between = lambda: gateway.put((ALL, "river"), {**TASK, "status": "cancelled"})
    answer = gateway.as_(
        "river", "PATCH", "/fhir/Task/t1", content=b"[]", headers={"If-Match": 'W/"4"', "Content-Type": "application/json-patch+json"}
    )
    assert answer.status_code == 412, "what the caller pinned is not tried anew"


@pytest.mark.parametrize(
    ("change", "status", "location"),
    [
        ({"owner": {"reference": "Organization/oak"}}, 422, "Task.owner"),
        ({"status": "completed"}, 422, "Task.status"),
        ({"status": "rejected"}, 422, "Task.statusReason.text"),
        ({"status": "actve"}, 422, "Task.status"),
        ({"id": "t2"}, 400, "Task.id"),
        ({"resourceType": "Patient"}, 400, "Task.id"),
    ],
)
def test_what_an_agency_may_not_write(gateway: Bench, change: dict[str, Any], status: int, location: str) -> None:
    answer = gateway.as_("river", "PUT", "/fhir/Task/t1", json={**TASK, **change}, headers={"If-Match": 'W/"1"'})
    assert answer.status_code == status
    if "resourceType" not in change:
        assert answer.json()["issue"][0]["expression"] == [location]
    assert not gateway.taken


def test_a_put_to_a_foreign_and_to_an_unknown_id_are_told_alike(gateway: Bench) -> None:
    foreign = gateway.as_("oak", "PUT", "/fhir/Task/t1", json=TASK)
    unknown = gateway.as_("oak", "PUT", "/fhir/Task/t9", json={**TASK, "id": "t9"})
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.text.replace("t1", "t9") == unknown.text


def test_patching_a_task(gateway: Bench) -> None:
    operations = b'[{"op": "replace", "path": "/status", "value": "accepted"}]'
    headers = {"Content-Type": "application/json-patch+json", "If-Match": 'W/"1"'}
    answer = gateway.as_("river", "PATCH", "/fhir/Task/t1", content=operations, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    assert gateway.taken[0].about["patch"] == operations.decode(), "what was sent is kept"
    forged = b'[{"op": "replace", "path": "/owner/reference", "value": "Organization/oak"}]'
    assert gateway.as_("river", "PATCH", "/fhir/Task/t1", content=forged, headers={**headers, "If-Match": 'W/"2"'}).status_code == 422
    plain = gateway.as_("river", "PATCH", "/fhir/Task/t1", content=operations, headers={"Content-Type": "application/fhir+json"})
    assert plain.status_code == 415


def test_booking_an_appointment_and_changing_it(gateway: Bench) -> None:
    made = gateway.as_("river", "POST", "/fhir/Appointment", json=APPOINTMENT)
    assert made.status_code == 201
    id = made.json()["id"]
    assert made.headers["location"] == f"{BASE}/fhir/Appointment/{id}/_history/1"
    assert identify("Appointment", gateway.taken[0].about["key"]) == id, "a rebuild makes the same id"
    moved = {**made.json(), "start": "2026-11-25T10:00:00-06:00", "end": "2026-11-25T11:00:00-06:00"}
    answer = gateway.as_("river", "PUT", f"/fhir/Appointment/{id}", json=moved)
    assert (answer.status_code, answer.json()["start"]) == (200, "2026-11-25T10:00:00-06:00")
    assert gateway.taken[1].about["key"] == gateway.taken[0].about["key"]
    assert gateway.as_("oak", "GET", f"/fhir/Appointment/{id}").status_code == 404


def test_only_who_made_an_appointment_changes_it(gateway: Bench) -> None:
    hospitals = {**APPOINTMENT, "id": "a1", "identifier": [{"system": "urn:x", "value": "1"}]}
    gateway.put((ALL, "river"), hospitals)
    assert gateway.as_("river", "PUT", "/fhir/Appointment/a1", json=hospitals).status_code == 403
    oaks = {**APPOINTMENT, "id": "a2", "identifier": [{"system": "urn:gateway:write:oak", "value": "1"}]}
    gateway.put((ALL, "river"), oaks)
    forged = {**oaks, "identifier": [{"system": "urn:gateway:write:river", "value": "1"}]}
    assert gateway.as_("river", "PUT", "/fhir/Appointment/a2", json=forged).status_code == 403


def test_a_reference_to_anothers_patient_and_to_none_are_told_alike(gateway: Bench) -> None:
    answers = [
        gateway.as_(
            "oak", "POST", "/fhir/Appointment", json={**APPOINTMENT, "participant": [{"actor": {"reference": f"Patient/{id}"}, "status": "accepted"}]}
        )
        for id in ("p1", "p9")
    ]
    assert [each.status_code for each in answers] == [422, 422]
    assert answers[0].text == answers[1].text


def test_conditional_create(gateway: Bench) -> None:
    headers = {"If-None-Exist": "identifier=urn:x|7"}
    body = {**APPOINTMENT, "identifier": [{"system": "urn:x", "value": "7"}]}
    assert gateway.as_("river", "POST", "/fhir/Appointment", json=body, headers=headers).status_code == 201
    assert gateway.as_("river", "POST", "/fhir/Appointment", json=body, headers=headers).status_code == 200
    assert len(gateway.taken) == 1


CONSENT = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
    "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
    "patient": {"reference": "Patient/p1"},
    "policyRule": {"text": "42 CFR Part 2"},
}


def test_only_the_coordinator_writes_consents_whatever_a_scope_says(gateway: Bench) -> None:
    """An agency that wrote one could permit itself what is withheld from it (42 CFR 2.31: the client consents)."""
    entry = {"request": {"method": "POST", "url": "Consent"}, "resource": CONSENT}
    for asked in (
        gateway.as_("greedy", "POST", "/fhir/Consent", json=CONSENT),
        gateway.as_("greedy", "POST", "/fhir/Consent", json=CONSENT, headers={"If-None-Exist": "patient=Patient/p1"}),
        gateway.as_("greedy", "POST", "/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]}),
        gateway.as_("greedy", "PUT", "/fhir/Consent/c1", json={**CONSENT, "id": "c1"}),
        gateway.as_("greedy", "PATCH", "/fhir/Consent/c1", content=b"[]", headers={"Content-Type": "application/json-patch+json"}),
    ):
        assert (asked.status_code, asked.json()["issue"][0]["code"]) == (403, "forbidden")
    batch = gateway.as_("greedy", "POST", "/fhir", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]}).json()
    assert batch["entry"][0]["response"]["status"] == "403"
    assert gateway.taken == []
    assert gateway.as_("coordinator", "POST", "/fhir/Consent", json=CONSENT).status_code == 201
    assert gateway.as_("river", "POST", "/fhir/Consent", json=CONSENT).status_code == 403, "nor without a scope"


def test_prefer_minimal(gateway: Bench) -> None:
    answer = gateway.as_("river", "POST", "/fhir/Appointment", json=APPOINTMENT, headers={"Prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["location"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/fhir/Patient"), ("PUT", "/fhir/Patient/p1"), ("POST", "/fhir/Task"), ("DELETE", "/fhir/Task/t1")]
)
def test_what_the_gateway_derives_is_not_written(gateway: Bench, method: str, path: str) -> None:
    answer = gateway.as_("river", method, path, **({"json": PATIENT} if method != "DELETE" else {}))
    assert answer.status_code in (403, 405)
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_hospital_sends_bundles_and_reads_nothing(gateway: Bench) -> None:
    assert gateway.as_("hospital", "GET", "/fhir/Task").status_code == 403
    message = {
        "resourceType": "Bundle",
        "type": "message",
        "entry": [{"resource": {"resourceType": "MessageHeader", "id": "m7", "eventCoding": {"code": "notification-discharge"}}}],
    }
    answer = gateway.as_("hospital", "POST", "/fhir/$process-message", json=message)
    assert answer.status_code == 200
    response = answer.json()["entry"][0]["resource"]["response"]
    assert response == {"identifier": "m7", "code": "ok"}
    assert answer.text == gateway.as_("hospital", "POST", "/fhir/$process-message", json=message).text, "a repetition gets the same answer"
    taken = gateway.as_("hospital", "POST", "/fhir/", json={"resourceType": "Bundle", "type": "transaction", "entry": [{}, {}]})
    assert [each["response"]["status"] for each in taken.json()["entry"]] == ["200 OK", "200 OK"]
    assert [(each.kind, each.feed) for each in gateway.taken] == [
        ("fhir-message", "st-mary"),
        ("fhir-message", "st-mary"),
        ("fhir-bundle", "st-mary"),
    ]


def test_even_what_is_not_json_reaches_the_inbox_of_a_feed(gateway: Bench) -> None:
    gateway.error = REFUSED
    answer = gateway.as_("hospital", "POST", "/fhir/$process-message", content=b"rubbish")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Encounter.class"])
    assert gateway.taken[0].raw == b"rubbish"


def test_a_client_of_two_feeds_says_which(gateway: Bench) -> None:
    assert gateway.as_("two-feeds", "POST", "/fhir", json={"resourceType": "Bundle", "type": "batch"}).status_code == 400
    assert gateway.as_("two-feeds", "POST", "/fhir?feed=three", json={"resourceType": "Bundle", "type": "batch"}).status_code == 403
    assert gateway.as_("two-feeds", "POST", "/fhir?feed=two", json={"resourceType": "Bundle", "type": "batch"}).status_code == 200
    assert gateway.taken[0].feed == "two"


def test_an_agency_sends_no_messages(gateway: Bench) -> None:
    assert gateway.as_("river", "POST", "/fhir/$process-message", json={}).status_code == 403
    assert not gateway.taken


def test_a_batch_answers_each_entry_by_itself(gateway: Bench) -> None:
    entries = [
        {"request": {"method": "GET", "url": "Task/t1"}},
        {"request": {"method": "GET", "url": f"{BASE}/fhir/Task?status=requested"}},
        {"request": {"method": "POST", "url": "Appointment"}, "resource": APPOINTMENT},
        {"request": {"method": "GET", "url": "Task/t9"}},
        {"request": {"method": "PUT", "url": "Task/t1", "ifMatch": 'W/"1"'}, "resource": {**TASK, "status": "accepted"}},
    ]
    answer = gateway.as_("river", "POST", "/fhir/", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    said = answer.json()
    assert (answer.status_code, said["type"]) == (200, "batch-response")
    assert [each["response"]["status"] for each in said["entry"]] == ["200", "200", "201", "404", "200"]
    assert said["entry"][1]["resource"]["total"] == 1
    assert said["entry"][3]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert (
        gateway.as_("oak", "POST", "/fhir", json={"resourceType": "Bundle", "type": "batch", "entry": entries[:1]}).json()["entry"][0]["response"][
            "status"
        ]
        == "404"
    )


def test_a_transaction_fails_whole(gateway: Bench) -> None:
    read, book = {"request": {"method": "GET", "url": "Task/t9"}}, {"request": {"method": "POST", "url": "Appointment"}, "resource": APPOINTMENT}
    wrong = {**book, "resource": {**APPOINTMENT, "status": "actve"}}
    assert gateway.as_("river", "POST", "/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": [book, wrong]}).status_code == 422
    assert not gateway.taken
    assert gateway.as_("river", "POST", "/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": [book, read]}).status_code == 404
    assert not gateway.taken


def test_a_store_that_cannot_commit_is_told(gateway: Bench) -> None:
    gateway.error = Unavailable("the store cannot commit")
    answer = gateway.as_("river", "POST", "/fhir/Appointment", json=APPOINTMENT)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["issue"][0]["code"]) == (503, "1", "transient")
