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
    ],
)
def test_a_parameter_matches_as_r4_says(resource: dict[str, Any], name: str, value: str, holds: bool) -> None:
    asked = search.criterion(resource["resourceType"], name, value, "https://gw.example/fhir")
    assert asked is not None
    assert search.matches(resource, asked) is holds
    indexed = search.index_terms(asked)
    if indexed is not None:  # the index must give the same answer as looking at the resource
        have = set(search.terms(resource))
        assert any((indexed[0], one) in have for one in indexed[1]) is holds


@pytest.mark.parametrize(
    ("type", "name", "value"),
    [
        ("Task", "status:text", "x"),
        ("Task", "owner:Patient", "x"),
        ("Task", "authored-on", "yesterday"),
        ("Task", "authored-on:exact", "2026"),
        ("Task", "owner:missing", "maybe"),
        ("Task", "status", ""),
        ("Patient", "family:above", "x"),
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
            assert set(parameter.targets) <= validation.resource_types()
