"""A hospital's transaction: taken whole, and told where its resources stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.gateway_api import BASE
from tests.api.running import DISCHARGE, ENCOUNTER, PATIENT, Running, running

Json = dict[str, Any]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def transaction(*more: tuple[str, Json]) -> Json:
    """The client, the stay and what belongs to it, as an EHR would post them."""
    _, patient, stay = DISCHARGE["entry"]
    resources = [(PATIENT, patient["resource"]), (ENCOUNTER, stay["resource"]), *more]
    entries = [{"fullUrl": url, "resource": each, "request": {"method": "POST", "url": each["resourceType"]}} for url, each in resources]
    return {"resourceType": "Bundle", "type": "transaction", "timestamp": "2026-11-22T01:05:00Z", "entry": entries}


MORE: list[tuple[str, Json]] = [
    (
        "urn:uuid:00000000-0000-4000-8000-000000000003",
        {
            "resourceType": "Condition",
            "identifier": [{"system": "urn:oid:1.2.5", "value": "C1"}],
            "subject": {"reference": PATIENT},
            "encounter": {"reference": ENCOUNTER},
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}]}],
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.2"}], "text": "Depression"},
        },
    ),
    (
        "urn:uuid:00000000-0000-4000-8000-000000000004",
        {
            "resourceType": "RelatedPerson",
            "identifier": [{"system": "urn:oid:1.2.6", "value": "R1"}],
            "active": True,
            "patient": {"reference": PATIENT},
            "name": [{"family": "Doe", "given": ["Bea"]}],
        },
    ),
    (
        "urn:uuid:00000000-0000-4000-8000-000000000005",
        {
            "resourceType": "Appointment",
            "identifier": [{"system": "urn:oid:1.2.7", "value": "A1"}],
            "status": "booked",
            "start": "2026-11-24T10:00:00-06:00",
            "end": "2026-11-24T11:00:00-06:00",
            "participant": [{"actor": {"reference": PATIENT}, "status": "accepted"}],
        },
    ),
    (
        "urn:uuid:00000000-0000-4000-8000-000000000006",
        {"resourceType": "Organization", "identifier": [{"system": "urn:x", "value": "O"}], "active": True, "name": "O"},
    ),
    ("urn:uuid:00000000-0000-4000-8000-000000000007", {"resourceType": "Basic", "code": {"text": "kept in the inbox alone"}}),
]


def test_each_entry_is_told_where_it_stands(gateway: Running) -> None:
    answer = gateway.as_("hospital", "POST", "/fhir/", json=transaction(*MORE))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["type"] == "transaction-response"
    kinds = ["Patient", "Encounter", "Condition", "RelatedPerson", "Appointment", "Organization"]
    located = [each["response"].get("location", "") for each in said["entry"]]
    assert [each.removeprefix(f"{BASE}/fhir/").partition("/")[0] for each in located] == [*kinds, ""]
    for kind, location in zip(kinds, located, strict=False):
        read = gateway.as_("reader", "GET", location.removeprefix(BASE))
        assert (read.status_code, read.json()["resourceType"]) == (200, kind)
    assert [each["response"]["status"] for each in said["entry"]] == ["201 Created"] * 6 + ["200 OK"]
    assert "_history" not in answer.text, "versions move with what others say of the same people"


def test_what_another_named_first_is_found_under_its_name(gateway: Running) -> None:
    """The stay is known by its own visit number already; the EHR's copy of the client carries a second identifier before the known one."""
    gateway.tell(DISCHARGE)
    bundle = transaction()
    patient = bundle["entry"][0]["resource"]
    bundle["entry"][0]["resource"] = {**patient, "identifier": [{"system": "urn:oid:9.9", "value": "77"}, *patient["identifier"]]}
    said = gateway.as_("hospital", "POST", "/fhir", json=bundle).json()
    (known,) = gateway.as_("reader", "GET", "/fhir/Encounter").json()["entry"]
    assert said["entry"][1]["response"]["location"] == f"{BASE}/fhir/Encounter/{known['resource']['id']}"
    assert gateway.as_("reader", "GET", said["entry"][0]["response"]["location"].removeprefix(BASE)).status_code == 200


def test_a_test_message_stands_nowhere(gateway: Running) -> None:
    """Labelled HTEST (v3-ActReason): stored and answered, and never more."""
    bundle = {**transaction(), "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]}}
    said = gateway.as_("hospital", "POST", "/fhir", json=bundle).json()
    assert [each["response"] for each in said["entry"]] == [{"status": "200 OK"}] * 2


def test_a_lone_resource_is_told_its_address(gateway: Running) -> None:
    patient = DISCHARGE["entry"][1]["resource"]
    answer = gateway.as_("hospital", "POST", "/fhir", json=patient)
    assert answer.status_code == 200
    assert gateway.as_("reader", "GET", answer.headers["content-location"].removeprefix(BASE)).json()["resourceType"] == "Patient"


def test_what_is_refused_is_located_and_nothing_of_it_stands(gateway: Running) -> None:
    bundle = transaction()
    bundle["entry"][1]["resource"] = {**bundle["entry"][1]["resource"], "status": "actve"}
    answer = gateway.as_("hospital", "POST", "/fhir", json=bundle)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Bundle.entry[1].resource.status"])
    assert gateway.as_("reader", "GET", "/fhir/Patient").json()["total"] == 0


def test_what_is_null_says_nothing(gateway: Running) -> None:
    """FHIR's JSON has no null; a sender that writes one is understood all the same."""
    bundle = transaction()
    bundle["entry"][0]["resource"] = {**bundle["entry"][0]["resource"], "telecom": None}
    bundle["entry"][1] = {**bundle["entry"][1], "link": None, "search": None}
    assert gateway.as_("hospital", "POST", "/fhir", json=bundle).status_code == 200
    assert gateway.as_("hospital", "POST", "/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": None}).status_code == 422


def test_what_is_sent_as_a_message_and_is_none_is_taken_and_told_so(gateway: Running) -> None:
    answer = gateway.as_("hospital", "POST", "/fhir/$process-message", json=transaction())
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "OperationOutcome")


@pytest.mark.parametrize("kind", [["Patient"], {"a": 1}, 5, None, ""])
def test_a_type_that_is_no_word_is_refused(gateway: Running, kind: Any) -> None:
    bundle = transaction()
    bundle["entry"][0]["resource"] = {**bundle["entry"][0]["resource"], "resourceType": kind}
    assert gateway.as_("hospital", "POST", "/fhir", json=bundle).status_code == 422
