"""US Core 6.1.0, which is built in: each kind of constraint, and how a resource finds the profiles that it is meant for."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from conformance.profiles import load
from gateway.errors import Usage

Json = dict[str, Any]

PROFILES = load()
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
LOINC = "http://loinc.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
UCUM = "http://unitsofmeasure.org"
AMY = {"reference": "Patient/amy"}


def coded(system: str, *codes: str) -> Json:
    return {"coding": [{"system": system, "code": code} for code in codes]}


PATIENT: Json = {
    "resourceType": "Patient",
    "identifier": [{"system": "http://hospital.example.org/mrn", "value": "1032702"}],
    "name": [{"family": "Shaw", "given": ["Amy"]}],
    "gender": "female",
    "extension": [
        {
            "url": f"{US_CORE}us-core-race",
            "extension": [
                {"url": "ombCategory", "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3"}},
                {"url": "text", "valueString": "White"},
            ],
        }
    ],
}
CARE_TEAM: Json = {
    "resourceType": "CareTeam",
    "status": "active",
    "subject": AMY,
    "participant": [{"role": [coded("http://snomed.info/sct", "17561000")], "member": {"reference": "Practitioner/1"}}],
}
CARE_PLAN: Json = {
    "resourceType": "CarePlan",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Plan</div>'},
    "status": "active",
    "intent": "plan",
    "category": [coded("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan")],
    "subject": AMY,
}
BLOOD_PRESSURE: Json = {
    "resourceType": "Observation",
    "status": "final",
    "category": [coded(CATEGORY, "vital-signs")],
    "code": coded(LOINC, "85354-9"),
    "subject": AMY,
    "effectiveDateTime": "2026-11-22",
    "component": [
        {"code": coded(LOINC, "8480-6"), "valueQuantity": {"value": 109, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}},
        {"code": coded(LOINC, "8462-4"), "valueQuantity": {"value": 44, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}},
    ],
}
PROVENANCE: Json = {
    "resourceType": "Provenance",
    "target": [{"reference": "Patient/amy"}],
    "recorded": "2026-11-22T10:00:00Z",
    "agent": [
        {
            "type": coded("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "author"),
            "who": {"reference": "Practitioner/1"},
            "onBehalfOf": {"reference": "Organization/1"},
        }
    ],
}
PRACTITIONER: Json = {
    "resourceType": "Practitioner",
    "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
    "name": [{"family": "Bone"}],
}


def errors(resource: Json, profile: str) -> list[tuple[str, str]]:
    return [(one.location, one.rule) for one in PROFILES.check(resource, [US_CORE + profile]) if one.severity == "error"]


VALID = [
    (PATIENT, "us-core-patient"),
    (CARE_TEAM, "us-core-careteam"),
    (CARE_PLAN, "us-core-careplan"),
    (BLOOD_PRESSURE, "us-core-blood-pressure"),
    (PROVENANCE, "us-core-provenance"),
    (PRACTITIONER, "us-core-practitioner"),
]


@pytest.mark.parametrize(("resource", "profile"), VALID)
def test_a_resource_as_its_profile_wants_it_has_no_errors(resource: Json, profile: str) -> None:
    assert errors(resource, profile) == []
    assert US_CORE + profile in PROFILES.meant_for(resource)


def changed(resource: Json, path: str, value: Any) -> Json:
    """A copy with another value at a path such as `component.0.code`; ... takes the element out."""
    copy = deepcopy(resource)
    at: Any = copy
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copy


@pytest.mark.parametrize(
    ("resource", "profile", "path", "value", "location", "rule"),
    [
        # cardinality: more is required than R4 does, or less is allowed
        (PATIENT, "us-core-patient", "identifier", ..., "Patient.identifier", "cardinality"),
        (PATIENT, "us-core-patient", "identifier.0.system", ..., "Patient.identifier[0].system", "cardinality"),
        (PATIENT, "us-core-patient", "gender", ..., "Patient.gender", "cardinality"),
        (CARE_TEAM, "us-core-careteam", "participant.0.role", ..., "CareTeam.participant[0].role", "cardinality"),
        (CARE_TEAM, "us-core-careteam", "participant.0.role", [{"text": "a"}, {"text": "b"}], "CareTeam.participant[0].role", "cardinality"),
        # a required value set that is narrower than R4's
        (CARE_PLAN, "us-core-careplan", "text.status", "empty", "CarePlan.text.status", "binding"),
        # references
        (CARE_TEAM, "us-core-careteam", "subject", {"reference": "Group/1"}, "CareTeam.subject", "reference"),
        (CARE_TEAM, "us-core-careteam", "participant.0.member", {"reference": "Group/1"}, "CareTeam.participant[0].member", "reference"),
        # slices by value, by pattern, by required binding
        (CARE_PLAN, "us-core-careplan", "category.0.coding.0.code", "plan", "CarePlan.category", "slice"),
        (BLOOD_PRESSURE, "us-core-blood-pressure", "category.0.coding.0.code", "laboratory", "Observation.category", "slice"),
        (BLOOD_PRESSURE, "us-core-blood-pressure", "component.1.code", coded(LOINC, "8480-6"), "Observation.component", "slice"),
        (BLOOD_PRESSURE, "us-core-blood-pressure", "component.1.code.coding.0.system", "http://x.org", "Observation.component", "slice"),
        (BLOOD_PRESSURE, "us-core-blood-pressure", "component.1", ..., "Observation.component", "slice"),
        # what a slice says of its members
        (BLOOD_PRESSURE, "us-core-blood-pressure", "component.0.valueQuantity.code", "kPa", "Observation.component[0].value.code", "fixed"),
        (BLOOD_PRESSURE, "us-core-blood-pressure", "component.0.valueQuantity.unit", ..., "Observation.component[0].value.unit", "cardinality"),
        # pattern
        (BLOOD_PRESSURE, "us-core-blood-pressure", "code.coding.0.code", "85354-8", "Observation.code", "pattern"),
        # types
        (BLOOD_PRESSURE, "us-core-blood-pressure", "component.0.valueQuantity", ..., "Observation.component[0]", "vs-3"),
        # invariants
        (BLOOD_PRESSURE, "us-core-blood-pressure", "effectiveDateTime", "2026-11", "Observation.effective", "vs-1"),
        (PATIENT, "us-core-patient", "name.0", {"text": "Amy Shaw"}, "Patient.name[0]", "us-core-6"),
        (PROVENANCE, "us-core-provenance", "agent.0.onBehalfOf", ..., "Provenance.agent[0]", "provenance-1"),
        (PRACTITIONER, "us-core-practitioner", "identifier.0.value", "1234567890", "Practitioner.identifier[0]", "us-core-17"),
        (PRACTITIONER, "us-core-practitioner", "identifier.0.value", "12345", "Practitioner.identifier[0]", "us-core-16"),
        # extensions and their parts
        (PATIENT, "us-core-patient", "extension.0.extension.1", ..., "Patient.extension[0].extension", "slice"),
        (PATIENT, "us-core-patient", "extension.0.extension.0.valueCoding", ..., "Patient.extension[0].extension[0].value", "cardinality"),
        (PATIENT, "us-core-patient", "extension.0.extension.1.url", "words", "Patient.extension[0].extension[1]", "extension"),
        (PATIENT, "us-core-patient", "extension.0.valueString", "White", "Patient.extension[0].value", "cardinality"),
    ],
)
def test_what_a_profile_forbids_is_refused_with_place_and_rule(resource: Json, profile: str, path: str, value: Any, location: str, rule: str) -> None:
    assert (location, rule) in errors(changed(resource, path, value), profile)


def test_an_extension_that_is_not_meant_for_the_element_is_refused() -> None:
    practitioner = {**PRACTITIONER, "extension": [{"url": f"{US_CORE}us-core-birthsex", "valueCode": "F"}]}
    assert errors(practitioner, "us-core-practitioner") == [("Practitioner.extension[0]", "extension")]


def test_a_race_is_said_once_and_has_five_categories_at_most() -> None:
    race = PATIENT["extension"][0]
    assert ("Patient.extension", "slice") in errors({**PATIENT, "extension": [race, race]}, "us-core-patient")
    six = changed(PATIENT, "extension.0.extension", [race["extension"][0]] * 6 + [race["extension"][1]])
    assert errors(six, "us-core-patient") == [("Patient.extension[0].extension", "slice")]


def test_what_a_resource_claims_is_checked_and_what_nobody_knows_is_said() -> None:
    claims = {**PATIENT, "meta": {"profile": [f"{US_CORE}us-core-patient|6.1.0"]}, "gender": ...}
    del claims["gender"]
    assert [(one.severity, one.location) for one in PROFILES.check(claims)] == [("warning", "Patient"), ("error", "Patient.gender")]
    unknown = PROFILES.check({**PATIENT, "meta": {"profile": ["http://example.org/p"]}})
    assert [(one.severity, one.location, one.rule) for one in unknown] == [
        ("warning", "Patient", "dom-6"),
        ("information", "Patient.meta.profile", "profile"),
    ]


def test_a_profile_for_another_type_is_refused() -> None:
    assert errors(PATIENT, "us-core-careteam") == [("Patient", "profile")]


def test_nothing_claimed_and_nothing_asked_is_r4_alone() -> None:
    without = changed(PATIENT, "gender", ...)
    assert not [one for one in PROFILES.check(without) if one.severity == "error"]
    assert [one.location for one in PROFILES.check(without, meant=True) if one.severity == "error"] == ["Patient.gender"]


def condition(*categories: Json) -> Json:
    clinical = coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")
    return {"resourceType": "Condition", "clinicalStatus": clinical, "category": [*categories], "code": {"text": "x"}, "subject": AMY}


CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


@pytest.mark.parametrize(
    ("resource", "names"),
    [
        (condition(coded(CONDITION_CATEGORY, "encounter-diagnosis")), ["us-core-condition-encounter-diagnosis"]),
        (condition(coded(CONDITION_CATEGORY, "problem-list-item")), ["us-core-condition-problems-health-concerns"]),
        (
            condition(coded("http://hl7.org/fhir/us/core/CodeSystem/condition-category", "health-concern")),
            ["us-core-condition-problems-health-concerns"],
        ),
        (condition(), []),
        (
            {**BLOOD_PRESSURE, "code": coded(LOINC, "8867-4")},
            ["us-core-heart-rate", "us-core-observation-clinical-result", "us-core-simple-observation", "us-core-vital-signs"],
        ),
        (
            {**BLOOD_PRESSURE, "category": [coded(CATEGORY, "laboratory")], "code": coded(LOINC, "2345-7")},
            ["us-core-observation-clinical-result", "us-core-observation-lab", "us-core-simple-observation"],
        ),
        (
            {**BLOOD_PRESSURE, "category": [coded(CATEGORY, "social-history")], "code": coded(LOINC, "72166-2")},
            ["us-core-simple-observation", "us-core-smokingstatus"],
        ),
        ({**BLOOD_PRESSURE, "category": [coded(CATEGORY, "social-history")], "code": coded(LOINC, "76689-9")}, ["us-core-simple-observation"]),
        ({**BLOOD_PRESSURE, "category": [coded("http://example.org", "x")], "code": coded(LOINC, "76689-9")}, []),
        ({"resourceType": "Device", "deviceName": [{"name": "gateway", "type": "other"}]}, []),
        ({"resourceType": "Device", "patient": AMY}, ["us-core-implantable-device"]),
        ({"resourceType": "Task"}, []),
        ({"resourceType": 7}, []),
    ],
)
def test_a_resource_is_meant_for_the_profiles_whose_codes_it_has(resource: Json, names: list[str]) -> None:
    assert PROFILES.meant_for(resource) == [US_CORE + name for name in names]


def test_the_profiles_of_a_type_are_listed() -> None:
    assert PROFILES.for_type("CareTeam") == [f"{US_CORE}us-core-careteam"]
    assert PROFILES.for_type("Task") == []
    assert f"{US_CORE}us-core-race" not in [url for kind in ("Patient", "Observation") for url in PROFILES.for_type(kind)]


def test_presence_counts_the_must_support_elements() -> None:
    found = dict(PROFILES.presence(BLOOD_PRESSURE, f"{US_CORE}us-core-blood-pressure"))
    assert found["Observation.status"] == 1
    assert found["Observation.component"] == 2
    assert found["Observation.component:systolic.value"] == 1
    assert found["Observation.category:VSCat.coding.code"] == 1
    assert found["Observation.component:systolic.dataAbsentReason"] == 0
    assert "Observation.note" not in found


def test_a_profile_is_named_by_its_url_or_its_last_part() -> None:
    assert PROFILES.canonical("us-core-careteam") == PROFILES.canonical(f"{US_CORE}us-core-careteam|6.1.0") == f"{US_CORE}us-core-careteam"
    with pytest.raises(Usage):
        PROFILES.canonical("care-team")
