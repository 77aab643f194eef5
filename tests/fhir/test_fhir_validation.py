"""Validation at the edge: R4's shape by the library, required bindings and references by us; places as FHIRPath, never a value that was sent."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import Any

import pytest

from gateway.errors import Unsupported
from gateway.fhir import parsing, validation
from gateway.fhir.outcome import Rejected, of_error
from tests.third_party import DATA, third_party

ENCOUNTER = {"resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}}


@pytest.mark.parametrize(
    ("resource", "code", "location"),
    [
        ({"resourceType": "Patient", "gender": "banana"}, "code-invalid", "Patient.gender"),
        ({**ENCOUNTER, "status": "actve"}, "code-invalid", "Encounter.status"),
        ({"resourceType": "Encounter", "status": "finished"}, "required", "Encounter.class"),
        ({**ENCOUNTER, "klass": 1}, "structure", "Encounter.klass"),
        ({**ENCOUNTER, "status": 3}, "structure", "Encounter.status"),
        ({**ENCOUNTER, "identifier": {"value": "1"}}, "structure", "Encounter.identifier"),
        ({**ENCOUNTER, "period": {"start": "yesterday"}}, "value", "Encounter.period.start"),
        ({"resourceType": "Patient", "birthDate": "2020-13-40"}, "value", "Patient.birthDate"),
        ({"resourceType": "Patient", "name": [{"given": ["Ann", 3]}]}, "structure", "Patient.name[0].given[1]"),
        ({"resourceType": "Patient", "name": [{"use": "daily"}]}, "code-invalid", "Patient.name[0].use"),
        ({"resourceType": "Patient", "name": [None]}, "structure", "Patient.name"),
        ({"resourceType": "Patient", "id": "a b"}, "value", "Patient.id"),
        ({**ENCOUNTER, "subject": {"reference": "not a reference"}}, "value", "Encounter.subject.reference"),
        ({**ENCOUNTER, "subject": {"reference": "Banana/1"}}, "value", "Encounter.subject.reference"),
        ({**ENCOUNTER, "subject": {"reference": "#p"}}, "not-found", "Encounter.subject.reference"),
        ({**ENCOUNTER, "subject": {"reference": "Patient/1", "type": "Group"}}, "value", "Encounter.subject"),
        (
            {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": {"resourceType": "Patient", "gender": "M"}}]},
            "code-invalid",
            "Bundle.entry[0].resource.gender",
        ),
        (
            {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": ENCOUNTER}, {"resource": {"resourceType": "Encounter"}}]},
            "required",
            "Bundle.entry[1].resource.class",
        ),
    ],
)
def test_each_fault_is_told_with_its_place(resource: dict[str, Any], code: str, location: str) -> None:
    assert (code, location) in [(each.code, each.location) for each in validation.issues(resource)]


@pytest.mark.parametrize(
    "resource",
    [
        ENCOUNTER,
        {"resourceType": "Patient", "gender": "unknown", "_birthDate": {"extension": [{"url": "http://x.example", "valueString": "?"}]}},
        {**ENCOUNTER, "subject": {"reference": "#p"}, "contained": [{"resourceType": "Patient", "id": "p", "gender": "male"}]},
        {**ENCOUNTER, "subject": {"reference": "urn:uuid:06e1f0dd-5fbe-4480-9bb4-6b54ec02d31b"}},
        {**ENCOUNTER, "subject": {"reference": "https://ehr.example/fhir/Patient/1/_history/2"}},
        {**ENCOUNTER, "subject": {"reference": "Patient?identifier=http://mrn.example|17"}},
    ],
)
def test_what_r4_allows_passes(resource: dict[str, Any]) -> None:
    assert validation.issues(resource) == []


@pytest.mark.parametrize(
    ("resource", "location"),
    [
        ({"resourceType": "Banana"}, "resourceType"),
        ({"resourceType": "Citation"}, "resourceType"),  # R4B has it, R4 has not
        ({"resourceType": "Patient", "contained": [{"resourceType": "Zork"}]}, "Patient.contained[0].resourceType"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Zork"}}]}, "Bundle.entry[0].resource.resourceType"),
    ],
)
def test_a_type_that_r4_lacks_is_unsupported(resource: dict[str, Any], location: str) -> None:
    with pytest.raises(Unsupported) as refusal:
        validation.check(resource)
    assert refusal.value.location == location


def test_every_issue_is_in_one_outcome_and_no_value_is() -> None:
    with pytest.raises(Rejected) as refusal:
        validation.check({"resourceType": "Patient", "gender": "Halvorson", "telecom": [{"system": "Halvorson"}]})
    told = of_error(refusal.value)
    assert [each["expression"] for each in told["issue"]] == [["Patient.gender"], ["Patient.telecom[0].system"]]
    assert "Halvorson" not in str(told) + str(refusal.value)
    assert refusal.value.status == 422


def test_every_row_of_the_bindings_names_a_type_of_r4() -> None:
    rows = list(csv.DictReader(files("gateway.fhir").joinpath("bindings.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["type"] for row in rows} - {"*"} <= validation.resource_types()
    assert all(row["codes"] for row in rows)


@third_party
def test_real_notifications_are_r4() -> None:
    bundles = sorted((DATA / "fhir" / "davinci-alerts").glob("*.json"))
    assert len(bundles) == 6
    for path in bundles:
        assert validation.issues(parsing.parse(path.read_bytes())) == [], path.name
