"""Search parameters: what they match, what is indexed, what is refused (http://hl7.org/fhir/R4/search.html)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import Malformed
from gateway.fhir import search, validation

TASK: dict[str, Any] = {
    "resourceType": "Task",
    "status": "requested",
    "identifier": [{"system": "urn:x", "value": "17"}, {"value": "bare"}],
    "for": {"reference": "Patient/p1"},
    "owner": {"reference": "Organization/river"},
    "focus": {"reference": "ServiceRequest/s1"},
    "businessStatus": {"coding": [{"system": "http://b", "code": "2.0"}]},
    "authoredOn": "2026-11-20T10:00:00-06:00",
}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "gender": "female",
    "birthDate": "1990-05-17",
    "name": [{"family": "O'Neill", "given": ["Ann", "Marie"]}],
}


ACCENTED: dict[str, Any] = {
    "resourceType": "Patient",
    "name": [{"family": "Müller"}],
    "address": [{"line": ["Gasse 1"], "city": "Zürich", "postalCode": "8001"}],
    "telecom": [{"system": "phone", "value": "555-0100"}, {"system": "email", "value": "a@example.org"}],
}
BARRED: dict[str, Any] = {"resourceType": "Task", "identifier": [{"system": "urn:y", "value": "urn:x|17"}]}
ESCAPED: dict[str, Any] = {"resourceType": "Task", "identifier": [{"system": "urn:x", "value": "a,b"}]}
LABELLED: dict[str, Any] = {
    "resourceType": "Flag",
    "meta": {"tag": [{"system": "http://t", "code": "one"}], "security": [{"code": "R"}], "profile": ["http://p/q"]},
}
VISIT: dict[str, Any] = {"resourceType": "Encounter", "period": {"start": "2026-11-20T23:00:00Z", "end": "2026-11-22T10:00:00Z"}}
OPEN: dict[str, Any] = {"resourceType": "Encounter", "period": {"start": "2026-11-20T23:00:00Z"}}
SCORE: dict[str, Any] = {
    "resourceType": "Observation",
    "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
    "valueQuantity": {"value": 15, "unit": "points", "system": "http://unitsofmeasure.org", "code": "{score}"},
}
CONDITION: dict[str, Any] = {
    "resourceType": "Condition",
    "extension": [
        {"url": "http://elsewhere.example", "valueDateTime": "1999-01-01"},
        {"url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate", "valueDateTime": "2026-11-03"},
    ],
}
ANSWERS: dict[str, Any] = {"resourceType": "QuestionnaireResponse", "questionnaire": "http://loinc.org/q/44249-1|2.0"}
OUTSIDER: dict[str, Any] = {"resourceType": "Condition", "subject": {"identifier": {"system": "urn:mrn", "value": "M7"}}}
NOW = 1_795_312_800_000_000  # 2026-11-22T02:00:00Z


@pytest.mark.parametrize(
    ("resource", "name", "value", "holds"),
    [
        (TASK, "status", "requested", True),
        (TASK, "status", "accepted,requested", True),
        (TASK, "status", "accepted", False),
        (TASK, "status", "http://hl7.org/fhir/task-status|requested", True),
        (TASK, "status", "http://elsewhere|requested", False),
        (TASK, "status:not", "requested", False),
        (TASK, "status:not", "accepted", True),
        (TASK, "identifier", "17", True),
        (TASK, "identifier", "urn:x|17", True),
        (TASK, "identifier", "urn:y|17", False),
        (TASK, "identifier", "urn:x|", True),
        (TASK, "identifier", "|bare", True),
        (TASK, "identifier", "|17", False),
        (TASK, "business-status", "http://b|2.0", True),
        (TASK, "owner", "Organization/river", True),
        (TASK, "owner", "river", True),
        (TASK, "owner:Practitioner", "river", False),
        (TASK, "owner", "https://gw.example/fhir/Organization/river", True),
        (TASK, "owner", "https://other.example/fhir/Organization/river", False),
        (TASK, "owner:missing", "false", True),
        (TASK, "owner:missing", "true", False),
        (TASK, "encounter:missing", "true", True),
        (TASK, "patient", "p1", True),
        (TASK, "patient", "Patient/p2", False),
        (TASK, "focus", "ServiceRequest/s1", True),
        (TASK, "authored-on", "2026-11-20", True),
        (TASK, "authored-on", "ge2026-11-20", True),
        (TASK, "authored-on", "lt2026-11-20T16:00:00Z", False),  # it is that very second
        (TASK, "authored-on", "le2026-11-20T16:00:00Z", True),
        (TASK, "authored-on", "gt2026-11-21", False),
        (TASK, "authored-on", "sa2026-11-19", True),
        (PATIENT, "family", "o'n", True),
        (PATIENT, "family", "neill", False),
        (PATIENT, "family:contains", "NEILL", True),
        (PATIENT, "family:exact", "O'Neill", True),
        (PATIENT, "family:exact", "o'neill", False),
        (PATIENT, "given", "mar", True),
        (PATIENT, "birthdate", "1990", True),
        (PATIENT, "birthdate", "1990-05-18", False),
        (PATIENT, "birthdate", "lt1991", True),
        (PATIENT, "gender", "female", True),
        # a name's any part, from its beginning, without case and accents
        (PATIENT, "name", "mar", True),
        (PATIENT, "name", "O'NEILL", True),
        (PATIENT, "name", "öneill", False),
        (PATIENT, "given", "Anné", False),
        (PATIENT, "given:exact", "Ann", True),
        (PATIENT, "given:exact", "An", False),
        (ACCENTED, "family", "muller", True),
        (ACCENTED, "family", "MÜLL", True),
        (ACCENTED, "family:exact", "Müller", True),
        (ACCENTED, "family:exact", "Muller", False),
        (ACCENTED, "family:contains", "ULLE", True),
        (ACCENTED, "address-city", "Zurich", True),
        (ACCENTED, "address", "8001", True),
        (ACCENTED, "phone", "555-0100", True),
        (ACCENTED, "email", "555-0100", False),
        (ACCENTED, "telecom", "a@example.org", True),
        # dates: what is asked and what stands are ranges in their own precision (R4, table of prefixes)
        (PATIENT, "birthdate", "1990-05", True),
        (PATIENT, "birthdate", "ne1990-05-17", False),
        (PATIENT, "birthdate", "ne1990-05-18", True),
        (PATIENT, "birthdate", "1989,1990", True),
        (VISIT, "date", "2026-11-21", False),  # the visit reaches beyond that day on both sides
        (VISIT, "date", "2026-11", True),
        (VISIT, "date", "gt2026-11-21", True),
        (VISIT, "date", "gt2026-11-22", False),
        (VISIT, "date", "ge2026-11-22", False),
        (VISIT, "date", "lt2026-11-21", True),
        (VISIT, "date", "lt2026-11-20", False),
        (VISIT, "date", "le2026-11", True),
        (VISIT, "date", "sa2026-11-19", True),
        (VISIT, "date", "sa2026-11-20", False),
        (VISIT, "date", "eb2026-11-23", True),
        (VISIT, "date", "eb2026-11-22", False),
        (VISIT, "date", "ap2026-11-21", True),
        (VISIT, "date", "ap2025-11-21", False),
        (OPEN, "date", "gt2099", True),  # nobody has said that it is over
        (OPEN, "date", "2026-11", False),
        (OPEN, "date", "eb2099", False),
        (CONDITION, "asserted-date", "2026-11-03", True),
        (CONDITION, "asserted-date", "1999", False),
        # quantities: a number has the precision that it is written in
        (SCORE, "value-quantity", "15", True),
        (SCORE, "value-quantity", "15.4", False),
        (SCORE, "value-quantity", "ge15", True),
        (SCORE, "value-quantity", "gt15", False),
        (SCORE, "value-quantity", "gt14.9", True),
        (SCORE, "value-quantity", "le15||points", True),
        (SCORE, "value-quantity", "15|http://unitsofmeasure.org|{score}", True),
        (SCORE, "value-quantity", "15|http://unitsofmeasure.org|mg", False),
        (SCORE, "value-quantity", "ap14", True),
        # references and canonicals
        (ANSWERS, "questionnaire", "http://loinc.org/q/44249-1", True),
        (ANSWERS, "questionnaire", "http://loinc.org/q/44249-1|2.0", True),
        (ANSWERS, "questionnaire", "http://loinc.org/q/44249-1|1.0", False),
        (OUTSIDER, "patient:identifier", "urn:mrn|M7", True),
        (OUTSIDER, "patient:identifier", "urn:other|M7", False),
        (TASK, "focus", "ServiceRequest/s1/_history/3", True),
        (TASK, "subject", "p1", True),
        (TASK, "subject:Patient", "p1", True),
        (TASK, "subject:Group", "p1", False),
        (TASK, "subject:Group", "Patient/p1", False),
        # escaped commas and bars are part of the value
        (ESCAPED, "identifier", "a\\,b", True),
        (ESCAPED, "identifier", "urn:x|a\\,b", True),
        (ESCAPED, "identifier", "a,b", False),
        (BARRED, "identifier", "urn:x|17", False),  # the bar is part of this number
        (BARRED, "identifier", "urn:x\\|17", True),
        (BARRED, "identifier", "urn:y|urn:x\\|17", True),
        # what holds for every type
        (LABELLED, "_tag", "http://t|one", True),
        (LABELLED, "_security", "R", True),
        (LABELLED, "_profile", "http://p/q", True),
        (LABELLED, "_profile", "http://p", False),
    ],
)
def test_a_parameter_matches_as_r4_says(resource: dict[str, Any], name: str, value: str, holds: bool) -> None:
    asked = search.criterion(resource["resourceType"], name, value, "https://gw.example/fhir", NOW)
    assert asked is not None
    assert search.matches(resource, asked) is holds
    found = search.lookup(asked)
    if found is not None:  # the index may say too much where somebody looks again, never too little
        stands = [term for indexed, term in search.terms(resource) if indexed == found.name]
        indexed = any(term.startswith(found.values) if found.beginnings else term in found.values for term in stands)
        assert indexed is holds if found.exact else indexed >= holds


@pytest.mark.parametrize(
    ("type", "name", "value"),
    [
        ("Task", "status:text", "x"),
        ("Task", "owner:Encounter", "x"),
        ("Task", "authored-on", "yesterday"),
        ("Task", "authored-on:exact", "2026"),
        ("Task", "owner:missing", "maybe"),
        ("Task", "status", ""),
        ("Patient", "family:above", "x"),
        ("Patient", "birthdate", "199"),
        ("Patient", "birthdate", "2026-13"),
        ("Observation", "value-quantity", "much"),
        ("Observation", "value-quantity", "5|mg"),
        ("Observation", "code:in", "http://valueset"),
        ("Patient", "identifier:of-type", "x|y|z"),
    ],
)
def test_a_modifier_or_value_that_cannot_be_is_refused(type: str, name: str, value: str) -> None:
    with pytest.raises(Malformed):
        search.criterion(type, name, value)


def test_a_parameter_that_there_is_not_is_not_ignored() -> None:
    assert search.criterion("Task", "colour", "red") is None


def test_what_is_indexed_of_a_task() -> None:
    assert set(search.terms(TASK)) >= {
        ("status", "requested"),
        ("identifier", "urn:x|17"),
        ("identifier", "17"),
        ("identifier", "|bare"),
        ("owner", "Organization/river"),
        ("patient", "Patient/p1"),
        ("_refers", "Patient/p1"),
        ("_refers", "ServiceRequest/s1"),
    }
    unowned = {name: value for name, value in TASK.items() if name != "owner"}
    assert ("owner:missing", "true") in search.terms(unowned)


def test_every_row_of_the_parameters_names_types_of_r4() -> None:
    for type in search.searchable():
        assert type in validation.resource_types()
        for parameter in search.parameters(type).values():
            assert parameter.kind in search.MODIFIERS
            assert parameter.indexed in ("", *search.parameters(type))
            assert set(parameter.targets) <= validation.resource_types()
