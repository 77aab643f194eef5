"""$validate: what is wrong with a resource, and whether it could be written. http://hl7.org/fhir/R4/resource-operation-validate.html"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.profile_checks import check_profile
from gateway.store.interface import ALL
from tests.api.gateway_api import APPOINTMENT, PATIENT, TASK, Bench, bench

Json = dict[str, Any]
US_CORE_PATIENT = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        made.serve(profiles=check_profile)
        yield made


def parameters(**given: Any) -> Json:
    said = [{"name": "resource", "resource": value} if name == "resource" else {"name": name, **value} for name, value in given.items()]
    return {"resourceType": "Parameters", "parameter": said}


def issues(answer: Any) -> list[tuple[str, str, str]]:
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["resourceType"] == "OperationOutcome"
    return [(each["severity"], each["code"], *each.get("expression", [""])) for each in told["issue"] if each["severity"] == "error"]


GOOD: list[tuple[str, str, str]] = []
"""No error. That a narrative would be good (dom-6) is a warning."""


def test_a_resource_of_r4_has_nothing_wrong_with_it(gateway: Bench) -> None:
    for body in (APPOINTMENT, parameters(resource=APPOINTMENT), parameters(resource=APPOINTMENT, profile={"valueUri": ""})):
        assert issues(gateway.as_("river", "POST", "/fhir/Appointment/$validate", json=body)) == GOOD
    assert not gateway.taken, "nothing is written"


def test_who_may_read_nothing_may_validate_what_it_is_about_to_send(gateway: Bench) -> None:
    assert ("error", "required", "Encounter.class") in issues(
        gateway.as_("hospital", "POST", "/fhir/Encounter/$validate", json={"resourceType": "Encounter", "status": "finished"})
    )
    assert gateway.http.request("POST", "/fhir/Encounter/$validate", json={}).status_code == 401


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"status": "actve"}, "code-invalid", "Appointment.status"),
        ({"colour": "red"}, "structure", "Appointment.colour"),
        ({"participant": [{"status": "accepted"}]}, "invariant", "Appointment.participant[0]"),
        ({"start": "2026-13-01T10:00:00Z"}, "value", "Appointment.start"),
        ({"resourceType": "Patient"}, "invalid", "resourceType"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_the_answer_is_200(gateway: Bench, change: Json, code: str, place: str) -> None:
    assert ("error", code, place) in issues(gateway.as_("river", "POST", "/fhir/Appointment/$validate", json={**APPOINTMENT, **change}))


def test_a_profile_that_is_named_or_claimed_is_held(gateway: Bench) -> None:
    """US Core Patient wants an identifier; R4 does not."""
    patient = {"resourceType": "Patient", "name": [{"family": "Doe"}], "gender": "female"}
    assert issues(gateway.as_("river", "POST", "/fhir/Patient/$validate", json=patient)) == GOOD
    missing = ("error", "required", "Patient.identifier")
    named = [
        gateway.as_("river", "POST", f"/fhir/Patient/$validate?profile={US_CORE_PATIENT}", json=patient),
        gateway.as_("river", "POST", "/fhir/Patient/$validate", json=parameters(resource=patient, profile={"valueUri": US_CORE_PATIENT})),
        gateway.as_("river", "POST", "/fhir/Patient/$validate", json={**patient, "meta": {"profile": [US_CORE_PATIENT]}}),
    ]
    assert all(missing in issues(each) for each in named)
    unknown = gateway.as_("river", "POST", "/fhir/Patient/$validate?profile=http://x.example/none", json=patient)
    assert issues(unknown) == [("error", "not-found", "profile")]


def test_a_gateway_without_profiles_says_that_it_knows_none(gateway: Bench) -> None:
    gateway.serve(profiles=None)
    answer = gateway.as_("river", "POST", f"/fhir/Patient/$validate?profile={US_CORE_PATIENT}", json=PATIENT)
    assert issues(answer) == [("error", "not-found", "profile")]


def test_an_instance_is_validated_as_its_reader_sees_it(gateway: Bench) -> None:
    assert issues(gateway.as_("river", "GET", "/fhir/Task/t1/$validate")) == GOOD
    assert issues(gateway.as_("river", "POST", "/fhir/Task/t1/$validate", json={**TASK, "id": "t2"})) == [("error", "invalid", "Task.id")]
    foreign, unknown = (gateway.as_("oak", "GET", f"/fhir/Task/{id}/$validate") for id in ("t1", "t9"))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.text == unknown.text


def test_with_a_mode_it_says_what_the_write_would_be_refused_for(gateway: Bench) -> None:
    foreign = {**APPOINTMENT, "participant": [{"actor": {"reference": "Patient/p9"}, "status": "accepted"}]}
    url = "/fhir/Appointment/$validate?mode=create"
    assert issues(gateway.as_("river", "POST", url, json=APPOINTMENT)) == GOOD
    assert issues(gateway.as_("river", "POST", url, json=foreign)) == [("error", "not-found", "Appointment.participant[0].actor.reference")]
    assert issues(gateway.as_("narrow", "POST", url, json=APPOINTMENT)) == [("error", "forbidden", "")]
    assert issues(gateway.as_("hospital", "POST", url, json=APPOINTMENT))[0][:2] == ("error", "forbidden")
    assert issues(gateway.as_("river", "POST", "/fhir/Patient/$validate?mode=create", json=PATIENT)) == [("error", "not-supported", "Patient")]
    update = "/fhir/Task/t1/$validate?mode=update"
    assert issues(gateway.as_("river", "POST", update, json={**TASK, "status": "completed"})) == [("error", "business-rule", "Task.status")]
    claim = {**TASK, "status": "accepted"}
    assert issues(gateway.as_("river", "POST", update, json=claim)) == [("error", "conflict", "If-Match")]
    assert issues(gateway.as_("river", "POST", update, json=claim, headers={"If-Match": 'W/"1"'})) == GOOD
    assert issues(gateway.as_("river", "POST", "/fhir/Task/t1/$validate", json=parameters(mode={"valueCode": "delete"}))) == [
        ("error", "not-supported", "Task")
    ]
    assert not gateway.taken


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": {"name": "resource"}},
        parameters(mode={"valueCode": "create"}),
        parameters(resource=APPOINTMENT, mode={"valueCode": "guess"}),
        parameters(resource=APPOINTMENT, colour={"valueCode": "red"}),
        parameters(resource=APPOINTMENT, profile={"valueInteger": 7}),
        parameters(resource="Appointment"),
        {"resourceType": "Parameters", "parameter": parameters(resource=APPOINTMENT)["parameter"] * 2},
        {"resourceType": "Parameters", "parameter": [{"name": ["resource"]}]},
        [],
        "text",
    ],
)
def test_what_cannot_be_asked_is_refused(gateway: Bench, body: Any) -> None:
    assert gateway.as_("river", "POST", "/fhir/Appointment/$validate", json=body).status_code == 400


def test_it_is_no_interaction_elsewhere(gateway: Bench) -> None:
    assert gateway.as_("river", "POST", "/fhir/Nonsense/$validate", json={}).status_code == 404
    assert gateway.as_("river", "PUT", "/fhir/Task/t1/$validate", json={}).status_code == 405
    assert (
        gateway.as_("river", "POST", "/fhir/Appointment/$validate", content=b"<x/>", headers={"Content-Type": "application/xml"}).status_code == 415
    )


def test_in_a_batch_and_in_a_transaction(gateway: Bench) -> None:
    asked = {"request": {"method": "POST", "url": "Appointment/$validate"}, "resource": {**APPOINTMENT, "status": "actve"}}
    for kind in ("batch", "transaction"):
        answer = gateway.as_("river", "POST", "/fhir", json={"resourceType": "Bundle", "type": kind, "entry": [asked]}).json()
        assert answer["entry"][0]["response"]["status"] == "200"
        assert answer["entry"][0]["response"]["outcome"]["issue"][0]["code"] == "code-invalid"
